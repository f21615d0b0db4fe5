"""Webhooks under faults: who posts, who listens in the rooms, and the book of both, which is kept outside of the bridge.

A *post* has a number of its own; it is accepted when a 2xx has come for it, and is then due in every room of its hook. Who has no answer, or one that says "later", posts it
again with the same Idempotency-Key. verdict() tells what is lost, said twice (with the same stanza id, or not), out of order, or never was: a phantom.
"""
import asyncio
import collections
import contextlib
import dataclasses
import datetime
import itertools
import json
import time

from fault import FaultyBridge
from ledger import ACCESS, BOOKS
from servers import HOST, free_port
from wait import until
from wire import CLIENT, Wire

TOKEN = "a-token-of-more-than-22-characters"
WRITERS = 3  # connections that post to each hook, each one post after the other
WINDOW = 8  # posts of a writer that are accepted and not heard
RETRY_SECONDS = 0.03
ANSWER_SECONDS = 20
DUE_SECONDS = 120  # until all that is due has come, when nothing is in the way any more
MUC_USER = "{http://jabber.org/protocol/muc#user}"
RESULT = "{urn:xmpp:mam:2}result"
FORWARDED = "{urn:xmpp:forward:0}forwarded"
FIN = "{urn:xmpp:mam:2}fin"
RSM = "{http://jabber.org/protocol/rsm}"
HOOKS = {"one": ["r0"], "two": ["r0"], "three": ["r1"], "four": ["r1", "r2"]}

_numbers = itertools.count(1)


class HookBridge(FaultyBridge):
    """A bridge with hooks and no broker. Nothing is too fast for it."""

    def __init__(self, xmpp, **how):
        super().__init__(xmpp, access=ACCESS, **how)
        self.port = free_port()

    def text(self):
        fast = "{per_second: 0, burst: 100000}"
        hooks = "".join(f"        {name}:\n          rooms: [{', '.join(f'{room}@{self.xmpp.rooms}' for room in rooms)}]\n          rate: {fast}\n"
                        f"          auth: [{{type: token, secret: {TOKEN}}}]\n" for name, rooms in HOOKS.items())
        return super().text().replace(self.access, f"adapters:\n  hooks:\n      type: webhook\n      listen: [\"{HOST}:{self.port}\"]\n"
                                      f"      limits: {{per_source: 0, per_room: 0}}\n      hooks:\n{hooks}{self.access}")

    def books(self):
        """What it says itself of what it has accepted: messages by what became of them."""
        sum_ = collections.Counter()
        for row in self.ctl_json("queue")["queue"]:
            sum_.update({cell: int(row[cell]) for cell in BOOKS})
        return sum_


@dataclasses.dataclass
class Post:
    number: int
    hook: str
    writer: int
    sent: float  # when it went out first
    answered: float = None  # when the 2xx came
    tries: int = 0
    heard: set = dataclasses.field(default_factory=set)  # rooms


@dataclasses.dataclass
class Arrival:
    number: int
    id: str
    epoch: int  # how many ends there had been


@dataclasses.dataclass
class Verdict:
    """Lists of what there should be none of, and counts."""
    lost: list
    forgotten: list  # the room has reflected it, and the server lost it then: nobody there has heard it
    doubled: list  # arrivals beyond the first, with its id
    renamed: list  # with another id
    reordered: list
    phantom: list
    unbalanced: list
    accepted: int  # posts
    due: int  # messages that are to come of them
    retried: int  # posts that went out more than once
    most_doubled: int  # after any one end, in one room


class PostLedger:
    """The book."""

    def __init__(self):
        self.posts = {}
        self.arrivals = collections.defaultdict(list)  # room -> Arrival, as the watcher heard it
        self.archived = collections.defaultdict(list)  # room -> Arrival, as the room's archive has it
        self.ends = 0
        self.waiting = []  # at each end: messages that were accepted and not heard
        self.moved = asyncio.Event()

    def open(self):
        """Messages that are accepted and not heard: (number, room)."""
        return [(post.number, room) for post in self.posts.values() if post.answered for room in HOOKS[post.hook] if room not in post.heard]

    def accepted(self):
        return sum(post.answered is not None for post in self.posts.values())

    def ended(self):
        """The bridge, the server or a link was."""
        self.ends += 1
        self.waiting.append(len(self.open()))

    def heard(self, room, text, stanza_id, archive=False):
        if not text.startswith("post "):
            return
        number = int(text.split()[1])
        (self.archived if archive else self.arrivals)[room].append(Arrival(number, stanza_id, self.ends))
        if number in self.posts:
            self.posts[number].heard.add(room)
        self.moved.set()

    async def all_due(self, seconds=DUE_SECONDS):
        with contextlib.suppress(AssertionError):
            await until(lambda: not self.open(), seconds, every=0.1)

    def _order(self, room, arrivals):
        """Pairs of one hook that came first in another order than they were accepted in: (before, after)."""
        wrong, first = [], {}
        for a in arrivals:
            first.setdefault(a.number, len(first))
        for hook in HOOKS:
            mine = [self.posts[number] for number in first if number in self.posts and self.posts[number].hook == hook and self.posts[number].answered]
            earliest = None  # answered, of all that came later
            for post in reversed(mine):
                if earliest and earliest.answered < post.sent:
                    wrong.append((room, hook, post.number, earliest.number))
                if not earliest or post.answered < earliest.answered:
                    earliest = post
        return wrong

    def verdict(self, bridge, reflected=b""):
        """`reflected`: all that the server has sent to the bridge, where that is known."""
        doubled, renamed, phantom, reordered = [], [], [], []
        most = collections.Counter()
        for room in {room for rooms in HOOKS.values() for room in rooms}:
            first = {}
            for a in self.arrivals[room]:
                before = first.setdefault(a.number, a)
                if a.number not in self.posts:
                    phantom.append((room, a.number, a.id))
                elif before is not a:
                    (doubled if before.id == a.id else renamed).append((room, a.number, before.id, a.id, before.epoch, a.epoch))
                    most[room, a.epoch] += 1
            reordered += self._order(room, self.arrivals[room]) + self._order(room, self.archived[room])
        missing = self.open()
        forgotten = [m for m in missing if b">post %d of " % m[0] in reflected]
        due = sum(len(HOOKS[post.hook]) for post in self.posts.values() if post.answered)
        books = bridge.books()
        unbalanced = [f"{dict(books)}, ours {due}"] if books["accepted"] != sum(books[cell] for cell in BOOKS[1:]) or books["queued"] or books["accepted"] < due else []
        return Verdict([m for m in missing if m not in forgotten], forgotten, doubled, renamed, reordered, phantom, unbalanced, self.accepted(), due,
                       sum(post.tries > 1 for post in self.posts.values()), max(most.values(), default=0))


class Writer:
    """Posts to one hook, on a connection of its own, one after the other."""

    def __init__(self, ledger, bridge, hook, number):
        self.ledger, self.bridge, self.hook, self.number = ledger, bridge, hook, number
        self.window, self.pause = WINDOW, 0
        self.mine = []
        self.refusals = collections.Counter()
        self._reader = self._writer = None

    async def _ask(self, post):
        """The status of the answer."""
        if not self._writer:
            self._reader, self._writer = await asyncio.open_connection(HOST, self.bridge.port)
        body = json.dumps({"body": f"post {post.number} of {self.hook}"}).encode()
        self._writer.write(f"POST /h/{self.hook}/{TOKEN} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nIdempotency-Key: key-{post.number}\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
        await self._reader.readexactly(length)
        if "connection: close" in head:
            self._hang_up()
        return int(head.split()[1])

    def _hang_up(self):
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None

    async def _post(self, going):
        post = Post(next(_numbers), self.hook, self.number, time.monotonic())
        self.ledger.posts[post.number] = post
        while going():
            post.tries += 1
            try:
                status = await asyncio.wait_for(self._ask(post), ANSWER_SECONDS)
            except (OSError, EOFError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                self._hang_up()
                status = 0
            if status // 100 == 2:
                post.answered = time.monotonic()
                self.mine.append(post)
                return
            self.refusals[status] += 1
            assert status in (0, 429, 503), f"the bridge answers {status}"
            await asyncio.sleep(RETRY_SECONDS)  # lint: the bridge is away, or has asked for that

    async def run(self, loaded):
        """What has been begun is posted to its end."""
        while loaded():
            await self._post(lambda: True)
            while loaded() and sum(len(post.heard) < len(HOOKS[self.hook]) for post in self.mine[-self.window:]) >= self.window:
                self.ledger.moved.clear()
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.ledger.moved.wait(), 0.2)
            await asyncio.sleep(self.pause)  # lint: the rate is the load
        self._hang_up()


class Watcher:
    """An occupant of the rooms, who comes back whenever the server does."""

    def __init__(self, server, user, ledger):
        self.server, self.user, self.ledger = server, user, ledger
        self.rooms = sorted({room for rooms in HOOKS.values() for room in rooms})
        self.wire = None
        self._since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
        self._entered = {}
        self._task = self._there = None

    def _take(self, stanza):
        room = (stanza.get("from") or "").split("@")[0]
        if stanza.tag == f"{CLIENT}presence":
            if any(status.get("code") == "110" for status in stanza.iter(f"{MUC_USER}status")):
                gone = stanza.get("type") == "unavailable"
                self._entered.setdefault(room, asyncio.Event())
                (self._entered[room].clear if gone else self._entered[room].set)()
        elif stanza.tag == f"{CLIENT}message":
            result = stanza.find(RESULT)
            if result is not None:
                said = result.find(f"{FORWARDED}/{CLIENT}message")
                self.ledger.heard(room, said.findtext(f"{CLIENT}body") or "", said.get("id"), archive=True)
            elif stanza.get("type") == "groupchat":
                self.ledger.heard(room, stanza.findtext(f"{CLIENT}body") or "", stanza.get("id"))

    async def enter(self, room):
        event = self._entered.setdefault(room, asyncio.Event())
        event.clear()
        self.wire.send(f"<presence to='{room}@{self.server.rooms}/watcher'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>")
        await asyncio.wait_for(event.wait(), 20)

    async def _live(self):
        while True:
            with contextlib.suppress(OSError, AssertionError, asyncio.TimeoutError, EOFError):
                async with Wire(self.server, self.user, take=self._take) as self.wire:
                    for room in self.rooms:
                        await self.enter(room)
                    self._there.set()
                    await self.wire.ended()
            self._there.clear()
            await asyncio.sleep(RETRY_SECONDS)  # lint: the server is away, and nothing tells when it is back

    async def there(self):
        waiter = asyncio.ensure_future(self._there.wait())
        await asyncio.wait({waiter, self._task}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert waiter.done(), "the watcher is not let in"

    async def __aenter__(self):
        self._there = asyncio.Event()
        self._task = asyncio.ensure_future(self._live())
        await self.there()
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def read_archives(self):
        """All that the rooms have kept since we came."""
        for room in self.rooms:
            self.ledger.archived[room].clear()
            after, last = "", None
            while True:
                answer = await self.wire.request(f"{room}@{self.server.rooms}", f"""<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>
                    <field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field><field var='start'><value>{self._since:%Y-%m-%dT%H:%M:%SZ}</value></field></x>
                    <set xmlns='http://jabber.org/protocol/rsm'><max>100</max>{after}</set></query>""", kind="set")
                fin = answer.find(FIN)
                assert fin is not None, f"no archive of {room}"
                newest = fin.findtext(f"{RSM}set/{RSM}last")
                if fin.get("complete") == "true" or not newest or newest == last:
                    break
                last, after = newest, f"<after>{newest}</after>"
