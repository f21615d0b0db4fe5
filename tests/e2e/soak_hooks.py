#!/usr/bin/env python3
"""Webhooks while the bridge, the server, the link and the rooms end, again and again: what was answered with a 2xx is in the room, in order, and nobody had to act.

scripts/soak webhooks runs it; tests/e2e/test_soak_hooks.py a short form. Everything random comes from the seed.
"""
import argparse
import asyncio
import collections
import contextlib
import dataclasses
import random
import sys
import tempfile
import time

from client import Client
from posts import HOOKS, WRITERS, HookBridge, PostLedger, Watcher, Writer
from proxy import Proxy
from scene import make_server, running
from soak import old_enough
from wait import until

DOUBLED = 64  # most messages of one room that may come twice after one end: what may be unconfirmed at a time
AWAY_SECONDS = 30
AWAY_PAUSE = 0.5  # between two posts of a writer, while the server is away
OWNER = "alice"


class Scene:
    """A server, a bridge, who posts and who listens."""

    def __init__(self, xmpp, bridge, ledger, watcher, rng, proxy=None):
        self.xmpp, self.bridge, self.ledger, self.watcher, self.rng, self.proxy = xmpp, bridge, ledger, watcher, rng, proxy
        self.writers = [Writer(ledger, bridge, hook, n) for hook in HOOKS for n in range(WRITERS)]
        self._loaded = False

    @contextlib.asynccontextmanager
    async def load(self):
        self._loaded = True
        tasks = [asyncio.ensure_future(writer.run(lambda: self._loaded)) for writer in self.writers]
        try:
            yield
            self._loaded = False
            await asyncio.wait_for(asyncio.gather(*tasks), 120)
        finally:
            for task in tasks:
                task.cancel()

    async def more(self, count, seconds=120):
        """Waits until so many posts more are accepted."""
        wanted = self.ledger.accepted() + count
        await until(lambda: self.ledger.accepted() >= wanted, seconds, f"{count} posts more", self.bridge.tail)

    def bridge_ready(self):
        return asyncio.to_thread(self.bridge.wait_ready, 60)

    async def _moment(self, most=0.2):
        await asyncio.sleep(self.rng.uniform(0.001, most))  # lint: the moment of an end is random, which is what is tested

    # Ends.
    async def kill(self):
        await self.more(self.rng.randint(1, 30))
        await self._moment(0.1)
        await asyncio.to_thread(self.bridge.kill)
        self.ledger.ended()
        await asyncio.to_thread(self.bridge.start)

    async def power(self):
        await self.more(self.rng.randint(1, 30))
        await self._moment(0.1)
        await asyncio.to_thread(self.bridge.kill)
        self.ledger.ended()
        self.bridge.power_cut(self.rng)
        await asyncio.to_thread(self.bridge.start)

    async def term(self):
        await self.more(self.rng.randint(1, 30))
        await self._moment(0.1)
        self.bridge.process.terminate()
        code = await asyncio.to_thread(self.bridge.exit_code)
        assert code == 0, f"the bridge ended with {code}:\n{self.bridge.tail()}"
        self.ledger.ended()
        await asyncio.to_thread(self.bridge.start)

    async def _server_back(self):
        await asyncio.to_thread(self.xmpp.start)
        await self.bridge_ready()
        await self.watcher.there()

    async def server(self):
        await self.more(self.rng.randint(20, 100))
        await self._moment()
        await asyncio.to_thread(self.xmpp.kill)
        self.ledger.ended()
        await self._moment(0.5)
        await self._server_back()

    async def both(self):
        await self.more(self.rng.randint(20, 100))
        await self._moment()
        victims = [self.bridge, self.xmpp]
        self.rng.shuffle(victims)
        for victim in victims:
            await asyncio.to_thread(victim.kill)
        self.ledger.ended()
        await asyncio.to_thread(self.xmpp.start)
        await asyncio.to_thread(self.bridge.start)
        await self.watcher.there()

    async def away(self):
        """The server stops in good order, for a while. Posts go on."""
        await self.more(50)
        for writer in self.writers:
            writer.window, writer.pause = 1 << 30, AWAY_PAUSE
        await asyncio.to_thread(self.xmpp.stop)
        self.ledger.ended()
        await asyncio.sleep(AWAY_SECONDS)  # lint: as long as it is away
        if self.rng.random() < 0.5:  # and the bridge knows of that from its disk only
            await asyncio.to_thread(self.bridge.kill)
            await asyncio.to_thread(self.bridge.start_only)
            await self.more(5)
        await self._server_back()
        for writer in self.writers:
            writer.window, writer.pause = 8, 0

    async def _half_open(self):
        """Nobody is told. Prosody lets the new connection in; ejabberd has both, until the old one is given up there too."""
        down = self.bridge.downs()
        self.proxy.drops()
        if self.xmpp.name == "ejabberd":
            self.proxy.connections("refuse")
            await until(lambda: self.bridge.downs() > down, 60, "end of what is half-open", self.bridge.tail)
            self.proxy.cut("rst")
            self.proxy.connections("pass")
        self.proxy.passes()  # for new ones

    async def link(self):
        """The link to the server is lost, as links are."""
        await self.more(self.rng.randint(5, 50))
        await self._moment()
        how = self.rng.choice(["rst", "fin", "up", "down", "up", "down", "half"])
        before = self.proxy.stat()["connections"]
        if how in ("rst", "fin"):
            self.proxy.cut(how)
        elif how == "half":
            await self._half_open()
        else:
            self.proxy.cut_after(self.rng.randint(1, 4000), way=how, how=self.rng.choice(["rst", "fin"]))
        await until(lambda: self.proxy.stat()["connections"] > before, 120, f"connection after {how}", self.bridge.tail)
        self.ledger.ended()
        await self.bridge_ready()

    async def kicked(self):
        """A moderator throws one out; it comes back when that is fit."""
        await self.more(20)
        async with Client(self.xmpp, OWNER) as owner:
            await owner.enter_room(f"r0@{self.xmpp.rooms}", "owner")
            await owner.request(f"r0@{self.xmpp.rooms}", "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='one' role='none'/></query>", "set")
        self.ledger.ended()

    async def destroyed(self):
        """A room is destroyed, and made again."""
        await self.more(20)
        room = f"r1@{self.xmpp.rooms}"
        async with Client(self.xmpp, OWNER) as owner:
            await owner.enter_room(room, "owner")
            answer = await owner.request(room, "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>", "set")
            assert answer["type"] == "result", str(answer)
            self.ledger.ended()
            await owner.make_room(room, "owner")
        await self.watcher.enter("r1")

    async def settle(self, seconds):
        await self.bridge_ready()
        await self.watcher.there()
        await self.ledger.all_due(seconds)
        with contextlib.suppress(AssertionError):  # the books are written a moment after the last word
            await until(lambda: not self.bridge.books()["queued"], 30)


LATE_SECONDS = {"kicked": 400, "destroyed": 2000}  # how long a room that does not want us is left alone
LOSES = ("server", "both")  # what is reflected and not written goes with the server


@dataclasses.dataclass
class Outcome:
    """Of a phase."""
    phase: str
    server: str
    ends: int
    verdict: object
    waiting: int  # messages that were accepted and not heard when something ended, in all
    seconds: float
    notes: str = ""
    claims: dict = dataclasses.field(default_factory=dict)

    def row(self):
        v = self.verdict
        return (f"| {self.phase} | {self.server} | {self.ends} | {v.accepted} | {v.retried} | {v.due} | {self.waiting} | {len(v.lost)} | {len(v.forgotten)} | {len(v.doubled)} | {v.most_doubled} "
                f"| {len(v.renamed)} | {len(v.reordered)} | {len(v.phantom)} | {self.seconds:.0f} |")


HEAD = ("| phase | server | ends | posts accepted | of them posted again | messages due | in flight at the ends | lost | lost by the server | doubled | most after one end | other id | out of order | phantoms | s |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")


def claims_of(name, verdict, dead, ends):
    return {
        "every 2xx is in the room": not verdict.lost,
        "what the server lost, the room had reflected": name in LOSES or not verdict.forgotten,
        "what comes twice has the same id": not verdict.renamed,
        "order is kept": not verdict.reordered,
        "nothing comes that was not posted": not verdict.phantom,
        "accepted == settled + dead + expired + queued, and nothing is queued": not verdict.unbalanced,
        "nothing is dead": not dead,
        f"at most {DOUBLED} come twice after one end": verdict.most_doubled <= DOUBLED,
        "there was load": verdict.accepted > 5 * ends,
    }


async def make_rooms(xmpp):
    async with Client(xmpp, OWNER) as owner:
        for room in {room for rooms in HOOKS.values() for room in rooms}:
            await owner.make_room(f"{room}@{xmpp.rooms}", "owner")


async def run_ends(name, s, ends, posts, report):
    async with s.load():
        await s.more(5)
        for n in range(ends):
            if posts and s.ledger.accepted() >= posts:
                return n
            await getattr(s, name)()
            if report and sys.stderr.isatty():
                print(f"\r{name} on {s.xmpp.name}: {n + 1} of {ends}, {s.ledger.accepted()} posts", end="", file=sys.stderr)
        await s.more(5)
    return ends


async def phase(name, xmpp, ends, rng, report, posts=0):
    """One phase, with a bridge of its own: so many ends, or so many posts."""
    began = time.monotonic()
    await make_rooms(xmpp)
    with contextlib.ExitStack() as stack:
        tap = stack.enter_context(tempfile.TemporaryDirectory())
        proxy = stack.enter_context(Proxy(xmpp.component_port, tap=tap)) if name in ("link", *LOSES) else None
        ledger = PostLedger()
        bridge = HookBridge(proxy.before(xmpp) if proxy else xmpp, level="info", trace=name == "power")
        stack.callback(bridge.close)
        await asyncio.to_thread(bridge.start)
        async with Watcher(xmpp, "bob", ledger) as watcher:
            s = Scene(xmpp, bridge, ledger, watcher, rng, proxy)
            ends = await run_ends(name, s, ends, posts, report)
            await s.settle(LATE_SECONDS.get(name, 120))
            if name in (*LOSES, "away") or ledger.open():
                await watcher.read_archives()
            verdict = ledger.verdict(bridge, b"".join(proxy.taps("down")) if proxy else b"")
            dead = bridge.ctl_json("dead")["dead"]
            out = Outcome(name, xmpp.name, ends, verdict, sum(ledger.waiting), time.monotonic() - began, claims=claims_of(name, verdict, dead, ends))
            refusals = sum((w.refusals for w in s.writers), start=collections.Counter())
            out.notes = str({key: value[:10] for key, value in vars(verdict).items() if isinstance(value, list) and value}) + f" dead {dead[:3]} answers {dict(refusals)}"
            if not all(out.claims.values()):
                out.notes += f"\n{bridge.ctl('queue')}\n{bridge.ctl('rooms')}\n{bridge.tail(40)}"
            await asyncio.to_thread(bridge.finish)
    return out


async def run(plan, kinds, seed, report=True, posts=0):
    """`plan`: phase -> how many ends; a list of outcomes."""
    outcomes = []
    if report:
        print(f"seed {seed}\n{HEAD}", flush=True)
    for kind in kinds:
        xmpp = make_server(kind)
        if kind == "prosody":
            xmpp.conflict = "kick_old"  # as docs/servers.md has it: a link that is lost without a word is in the way otherwise
            xmpp.extra += "\nmuc_tombstones = false"  # else a room that was destroyed cannot be made again
        async with running(xmpp):
            await old_enough(kind, xmpp)
            for name, ends in plan.items():
                if not ends:
                    continue
                out = await phase(name, xmpp, ends, random.Random(f"{seed}/{kind}/{name}"), report, posts)
                outcomes.append(out)
                if report:
                    print(("\r" if sys.stderr.isatty() else "") + out.row(), flush=True)
                    false = [claim for claim, true in out.claims.items() if not true]
                    if false:
                        print(f"FALSE: {'; '.join(false)}: {out.notes}", flush=True)
    return outcomes


PLAN = {"kill": 500, "term": 50, "power": 50, "server": 20, "both": 10, "away": 3, "link": 50, "kicked": 1, "destroyed": 1}
SHORT = {"kill": 8, "term": 3, "power": 2, "server": 1, "both": 1, "link": 3}


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak webhooks", description=__doc__.split("\n", maxsplit=1)[0])
    for name, ends in PLAN.items():
        parser.add_argument(f"--{name}", type=int, default=None, metavar="N", help=f"{ends}; where any is given, only those that are")
    parser.add_argument("--posts", type=int, default=0, help="a phase is over when so many posts are accepted")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--on", dest="kinds", choices=["prosody", "ejabberd", "both"], default="both")
    parser.add_argument("--short", action="store_true", help=", ".join(f"{ends} {name}" for name, ends in SHORT.items()))
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    given = {name: getattr(options, name) for name in PLAN if getattr(options, name) is not None}
    plan = SHORT if options.short else given or PLAN
    kinds = ["prosody", "ejabberd"] if options.kinds == "both" else [options.kinds]
    outcomes = asyncio.run(run(plan, kinds, seed, posts=options.posts))
    claims = [true for out in outcomes for true in out.claims.values()]
    false = claims.count(False)
    print(f"{len(claims)} claims, {false} false")
    return 1 if false else 0


if __name__ == "__main__":
    sys.exit(main())
