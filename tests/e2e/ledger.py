"""The book that is kept outside of the bridge: what it has accepted, and what became of that.

Two kinds of entries. An *alert* is a message of QoS 1 with a number of its own; it is accepted when the bridge has acknowledged it (PUBACK), and is then due at every
subscriber. A *command* is a user's chat message with a number of its own; it is accepted when its receipt (XEP-0184) has come, and must then have been at the broker.

verdict() tells what is lost, doubled (with the same stanza id, or not), out of order, or never was: a phantom.
"""
import asyncio
import collections
import contextlib
import dataclasses
import itertools
import json
import re
import time

from broker import FakeBroker
from wait import until
from wire import CLIENT, Wire

TRUSTED_SECONDS = 15  # what has arrived so long before an end is not said again: the hold of 5 s, and a fence, on a machine that is slow
DUE_SECONDS = 60  # until all that is due has come, when nothing is in the way any more
MQTT = """
      devices:
        told:
          topic: told/+/state
          readings:
            n: {value: n}
          alerts:
            - {reading: n, change: true, every: 0s, message: "is at {n}"}
        obeying:
          topic: obeying/+/state
          readings:
            level: {value: level}
          controls:
            level: {topic: "obeying/{1}/set", type: number, min: 0, max: 1000000000, state: level}
"""
ACCESS = """
admins: [admin@localhost]
access:
  - allow all to localhost
"""
RETRY_SECONDS = 0.05
BOOKS = ("accepted", "settled", "dead", "expired", "queued", "retrying")
RECEIPT = "{urn:xmpp:receipts}received"
ALERT = re.compile(r"is at (\d+)$")
LEVEL = re.compile(r"\b(\d+)\b")


_ledgers = itertools.count(1)


@dataclasses.dataclass
class Arrival:
    """An alert, at a subscriber."""
    contact: str
    number: int
    id: str
    epoch: int  # how many ends the bridge or the server had had
    at: float


@dataclasses.dataclass
class Command:
    """What a user has said, and what he has heard of it."""
    user: str
    id: str
    contact: str
    number: int
    receipts: int = 0
    errors: int = 0
    answers: int = 0
    carried: int = 0  # how often the broker has got it

    @property
    def known(self):
        """The user knows what became of it, or it has been done."""
        return bool(self.receipts or self.errors or self.answers or self.carried)


@dataclasses.dataclass
class Verdict:
    """Lists of what there should be none of, and counts."""
    lost: list
    doubled: list  # arrivals beyond the first, with its id
    stale: list  # those of them that had come long before the end that they followed
    renamed: list  # with another id
    reordered: list  # by when they came first
    phantom: list
    unsaid: list  # receipts for what the broker has not got
    unanswered: list  # commands that nobody knows anything of
    unbalanced: list  # the books of the bridge, where they do not agree with themselves or with ours
    accepted: int = 0
    settled: int = 0
    commands: int = 0
    carried: int = 0
    most_doubled: int = 0  # after any one end

    def wrong(self):
        """What breaks the contract, as long as the server keeps what it has."""
        return {name: getattr(self, name)[:20] for name in ("lost", "stale", "renamed", "reordered", "phantom", "unsaid", "unbalanced") if getattr(self, name)}

    def __str__(self):
        return (f"{self.accepted} accepted, {self.settled} settled, {len(self.lost)} lost, {len(self.doubled)} doubled (at most {self.most_doubled} after one end), "
                f"{len(self.stale)} of them stale, {len(self.renamed)} with another id, {len(self.reordered)} out of order, {len(self.phantom)} phantoms; {self.commands} commands, {self.carried} carried out, "
                f"{len(self.unsaid)} receipts too early, {len(self.unanswered)} unanswered")


class Ledger:
    """Of one broker: it is given what the broker gets (as its `obeys`), and gives it the answers of devices that obey."""

    def __init__(self):
        self.broker = FakeBroker(obeys=self._carried)
        self.ends = []  # when the bridge or the server was ended
        self.alerts = {}  # (contact, number) -> Item
        self.arrivals = collections.defaultdict(list)  # user -> Arrival
        self.commands = {}  # (user, id) -> Command
        self.asked = {}  # (contact, number) -> Command
        self.strangers = []  # at the broker, that nobody has asked for
        self._first = next(_ledgers) * 1_000_000  # what the server has kept for a user may be of an earlier book
        self._numbers = itertools.count(self._first + 1)
        self._moved = asyncio.Event()

    @property
    def epoch(self):
        return len(self.ends)

    def ended(self):
        """The bridge, the server or a link was."""
        self.ends.append(time.monotonic())

    # What is said.
    def tell(self, contact):
        """A device has an alert."""
        number = next(self._numbers)
        self.alerts[contact, number] = self.broker.publish(f"told/{contact}/state", json.dumps({"n": number}))
        return number

    def ask(self, wire, contact, domain):
        """A user commands; the Command."""
        number = next(self._numbers)
        command = Command(wire.user, f"command-{number}", contact, number)
        self.commands[wire.user, command.id] = self.asked[contact, number] = command
        wire.send(f"<message to='{contact}@{domain}' type='chat' id='{command.id}'><body>set level {number}</body><request xmlns='urn:xmpp:receipts'/></message>")
        return command

    def _carried(self, topic, payload):
        contact, number = topic.split("/")[1], int(payload)
        command = self.asked.get((contact, number))
        if command:
            command.carried += 1
            self.broker.publish(f"obeying/{contact}/state", json.dumps({"level": number}))
        else:
            self.strangers.append((contact, number))

    # What arrives.
    def arrived(self, user, stanza):
        """For Wire: `take`."""
        if stanza.tag != f"{CLIENT}message":
            return
        contact = (stanza.get("from") or "").split("@")[0]
        receipt = stanza.find(RECEIPT)
        body = stanza.findtext(f"{CLIENT}body") or ""
        about = self.commands.get((user, stanza.get("id") if receipt is None else receipt.get("id")))
        if stanza.get("type") == "error":
            if about:
                about.errors += 1
        elif receipt is not None:
            if about:
                about.receipts += 1
        elif found := ALERT.search(body):
            if int(found[1]) < self._first:
                return
            self.arrivals[user].append(Arrival(contact, int(found[1]), stanza.get("id"), self.epoch, time.monotonic()))
        else:
            for number in LEVEL.findall(body):
                if (contact, int(number)) in self.asked:
                    self.asked[contact, int(number)].answers += 1
        self._moved.set()

    async def moved(self, seconds):
        """Something has come, or so long nothing did."""
        self._moved.clear()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._moved.wait(), seconds)

    # What became of it.
    def accepted(self):
        return [key for key, item in self.alerts.items() if item.acked]

    def missing(self, users):
        """What is accepted and has not come: (user, contact, number)."""
        due = set(self.accepted())
        return [(user, *key) for user in users for key in sorted(due - {(a.contact, a.number) for a in self.arrivals[user]})]

    async def all_due(self, users, seconds=DUE_SECONDS):
        """Waits until all that was said to the bridge is acknowledged, and has come; gives up when that takes too long, and verdict() tells."""
        with contextlib.suppress(AssertionError):
            await until(lambda: self.broker.up and self.broker.unacked == 0, seconds)
            await until(lambda: not self.missing(users), seconds)

    def verdict(self, users, bridge=None):
        """With a bridge: also what it says itself of what it has not delivered."""
        doubled, stale, renamed, reordered, phantom = [], [], [], [], []
        after = collections.Counter()
        for user in users:
            before, highest = {}, collections.Counter()
            for a in self.arrivals[user]:
                key, copy = (a.contact, a.number), before.get((a.contact, a.number))
                if key not in self.alerts:
                    phantom.append((user, *key, a.id))
                elif copy:
                    (doubled if copy.id == a.id else renamed).append((user, *key, copy.id, a.id))
                    after[a.epoch] += 1
                    if not a.epoch or self.ends[a.epoch - 1] - copy.at > TRUSTED_SECONDS:
                        stale.append((user, *key, a.id))
                elif a.number < highest[a.contact]:
                    reordered.append((user, *key, highest[a.contact]))
                before[key] = a
                highest[a.contact] = max(highest[a.contact], a.number)
        lost = self.missing(users)
        accepted = len(self.accepted()) * len(users)
        commands = list(self.commands.values())
        books = books_of(bridge) if bridge else collections.Counter()
        unbalanced = []
        if books["accepted"] != sum(books[cell] for cell in BOOKS[1:]):
            unbalanced.append(f"the bridge's own sum: {dict(books)}")
        if bridge and books["accepted"] < len(self.accepted()):
            unbalanced.append(f"{len(self.accepted())} acknowledged, in its books {books['accepted']}")
        return Verdict(lost, doubled, stale, renamed, reordered, phantom + self.strangers,
                       [c for c in commands if c.receipts and not c.carried], [c for c in commands if not c.known], unbalanced, accepted=accepted,
                       settled=accepted - len(lost), commands=len(commands), carried=sum(c.carried > 0 for c in commands), most_doubled=max(after.values(), default=0))


def books_of(bridge):
    """What the bridge says itself of what it has accepted: counts of messages by what became of them."""
    rows = bridge.ctl_json("queue")["queue"]
    return collections.Counter({cell: int(row[cell]) for row in rows for cell in BOOKS}) if rows else collections.Counter()


class User:
    """A user who comes back to the server whenever that does, while he is `online()`."""

    def __init__(self, server, name, ledger):
        self.server, self.name, self.ledger = server, name, ledger
        self.wire = None
        self._task = self._there = None

    async def online(self):
        """Returns when he is there."""
        self._there = asyncio.Event()
        self._task = asyncio.ensure_future(self._live())
        await self.there()
        return self

    async def there(self):
        waiter = asyncio.ensure_future(self._there.wait())
        await asyncio.wait({waiter, self._task}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        assert waiter.done(), f"{self.name}: not let in"

    async def _live(self):
        while True:
            with contextlib.suppress(OSError, AssertionError, asyncio.TimeoutError, EOFError):
                async with Wire(self.server, self.name, take=lambda stanza: self.ledger.arrived(self.name, stanza)) as self.wire:
                    self._there.set()
                    await self.wire.ended()
            self._there.clear()
            await asyncio.sleep(RETRY_SECONDS)  # lint: the server is away, and nothing tells when it is back

    async def offline(self):
        """Returns when the server knows: what comes for him now is kept for later."""
        if self._task:
            with contextlib.suppress(OSError, AssertionError, AttributeError):
                self.wire.send("<presence type='unavailable'/>")
                await self.wire.fence()
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._task = self.wire = None

    async def befriend(self, bridge, contacts):
        """Subscribes to them, and waits until the bridge knows."""
        for contact in contacts:
            await bridge.expect_mapping(contact)
            self.wire.send(f"<presence to='{contact}@{bridge.domain}' type='subscribe'/>")
        await until(lambda: len(bridge.ctl_json("subscriptions", self.wire.bare)["subscriptions"]) >= len(contacts), what="subscriptions")
