#!/usr/bin/env python3
"""Ends the bridge and the server, again and again, under load both ways, and keeps the books: nothing acknowledged may be lost.

scripts/soak runs it; tests/e2e/test_soak.py a short form. Everything random comes from the seed.
"""
import argparse
import asyncio
import contextlib
import dataclasses
import random
import re
import sys
import tempfile
import time

from damage import Damage
from proxy import Proxy
from scene import LISTENERS, Scene, make_server, running, scene, some_load
from wait import until
from wire import Wire

YOUNG_SECONDS = {"prosody": 0, "ejabberd": 8}  # a server that tells so young an age may have been restarted with the bridge: then all it has is said again
SPOOLED_A_SECOND = 50  # alerts, where the server keeps them for one who is away: ejabberd does that at its own pace, and says nothing of it
DOUBLED = 64  # most stanzas that may come twice after one end: what may be unconfirmed at a time
LAST = "jabber:iq:last"
HOW = {"kill": Scene.kill_bridge, "term": Scene.stop_bridge, "power": Scene.cut_power, "server": Scene.kill_server, "both": Scene.kill_both}


@dataclasses.dataclass
class Outcome:
    """Of a phase."""
    phase: str
    server: str
    ends: int
    verdict: object
    seconds: float
    notes: str = ""
    unheard: int | None = None  # commands that the server took and did not give to the bridge
    claims: dict = dataclasses.field(default_factory=dict)  # claim -> true

    def row(self):
        v = self.verdict
        return (f"| {self.phase} | {self.server} | {self.ends} | {v.accepted} | {len(v.lost)} | {len(v.doubled)} | {v.most_doubled} | {len(v.renamed)} | {len(v.reordered)} "
                f"| {len(v.phantom)} | {v.commands} | {v.carried} | {len(v.unsaid)} | {len(v.unanswered)} | {'' if self.unheard is None else self.unheard} | {self.seconds:.0f} |")


HEAD = ("| phase | server | ends | accepted | lost | doubled | most after one end | other id | out of order | phantoms | commands | carried out | receipts too early | unanswered | of them lost by the server | s |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")


async def under_load(name, s, ends, report):
    """The ends, and then all that is due."""
    if name in ("server", "both"):
        s.rate = SPOOLED_A_SECOND
        await s.users["bob"].offline()  # what is for him, the server has to keep
    async with s.load():
        for n in range(ends):
            await HOW[name](s)
            if report and sys.stderr.isatty():
                print(f"\r{name} on {s.xmpp.name}: {n + 1} of {ends}", end="", file=sys.stderr)
    await s.settle()


def claims_of(name, s, verdict, ends):
    """What must be true of the phase."""
    server_loses = name in ("server", "both")  # what it had, and did not write
    claims = {
        "nothing acknowledged is lost": not verdict.lost,
        "what comes twice has the same id": not verdict.renamed,
        "nothing comes that was not said": not verdict.phantom,
        "accepted == settled + dead + expired + queued": not verdict.unbalanced,
        "no receipt for what the broker has not got": not verdict.unsaid,
        "the bridge keeps to the protocol": not s.ledger.broker.violations,
        "there was load": verdict.accepted > 10 * ends and verdict.carried > 0,
    }
    if server_loses:
        claims["what the server has had for long does not come twice"] = not [entry for entry in verdict.stale if entry[0] == "alice"]
    else:
        claims[f"at most {DOUBLED} come twice after one end"] = verdict.most_doubled <= DOUBLED
        claims["order is kept"] = not verdict.reordered
    return claims


def out_of_order(said, user):
    """What the bridge has said to the user on one connection, in another order than it was told; (before, after) each."""
    numbers = [int(n) for n in re.findall(rb"to='%s@[^']*'><body>is at (\d+)<" % user.encode(), said)]
    return [(before, after) for before, after in zip(numbers, numbers[1:]) if after <= before]


def tapped(name, proxy, verdict, out):
    """More claims, by what went over the link to the server."""
    wrong_order = [pair for said in proxy.taps("up") for user in LISTENERS for pair in out_of_order(said, user)]
    out.claims["every connection says it in order"] = not wrong_order and b"<body>is at " in b"".join(proxy.taps("up"))
    got = b"".join(proxy.taps("down"))
    forgotten = [command for command in verdict.unanswered if command.id.encode() in got]
    out.unheard = len(verdict.unanswered) - len(forgotten)
    if name == "term":
        out.claims["of every command that the bridge has got is known what became of it"] = not forgotten
    out.notes += f" {wrong_order[:5] or ''} {forgotten[:5] or ''}"


async def phase(name, xmpp, ends, rng, report):
    """One phase, with a bridge of its own."""
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        proxy = None
        if name in ("term", "server", "both"):  # a proxy is slower to hang up than a process that is killed
            proxy = stack.enter_context(Proxy(xmpp.component_port, tap=stack.enter_context(tempfile.TemporaryDirectory())))
        async with scene(xmpp, rng, seen=proxy and proxy.before(xmpp), trace=name == "power") as s:
            await under_load(name, s, ends, report)
            verdict = s.ledger.verdict(LISTENERS, s.bridge)
            out = Outcome(name, xmpp.name, ends, verdict, time.monotonic() - began, claims=claims_of(name, s, verdict, ends))
            out.notes = f"{verdict.wrong() or ''} {s.ledger.broker.violations[:3] or ''}"
            if proxy:
                tapped(name, proxy, verdict, out)
    return out


async def damages(kind, count, rng):
    """Another byte in the database, so many times."""
    async with running(make_server(kind)) as xmpp, scene(xmpp, rng) as s:
        await some_load(s)
        await s.settle()
        await asyncio.to_thread(s.bridge.finish)
        with tempfile.TemporaryDirectory() as room:
            damage = await asyncio.to_thread(Damage(xmpp, s.bridge.state, room).run, count, rng)
        await asyncio.to_thread(s.bridge.start)
        return damage


async def old_enough(kind, xmpp):
    """Asks the server for its age (XEP-0012), as the bridge does, until it is no young one any more."""
    async def is_old():
        answer = await wire.request(xmpp.domain, f"<query xmlns='{LAST}'/>")
        return int(answer.find(f"{{{LAST}}}query").get("seconds")) >= YOUNG_SECONDS[kind]

    if not YOUNG_SECONDS[kind]:
        return
    async with Wire(xmpp, LISTENERS[0]) as wire:
        await until(is_old, 30, f"older {kind}", every=0.1)


async def run(plan, kinds, seed, report=True):
    """`plan`: phase -> how many ends; a list of outcomes."""
    outcomes = []
    if report:
        print(f"seed {seed}\n{HEAD}", flush=True)
    for kind in kinds:
        async with running(make_server(kind)) as xmpp:
            await old_enough(kind, xmpp)
            for name, ends in plan.items():
                if not ends:
                    continue
                out = await phase(name, xmpp, ends, random.Random(f"{seed}/{kind}/{name}"), report)
                outcomes.append(out)
                if report:
                    print(("\r" if sys.stderr.isatty() else "") + out.row(), flush=True)
                    for claim in [claim for claim, true in out.claims.items() if not true]:
                        print(f"FALSE: {claim}: {out.notes}", flush=True)
    return outcomes


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=1000, help="kill -9 of the bridge, on each server (1000)")
    parser.add_argument("--stops", type=int, default=100, help="SIGTERM to the bridge, on each server (100)")
    parser.add_argument("--server-kills", type=int, default=50, help="kill -9 of each server (50)")
    parser.add_argument("--both-kills", type=int, default=50, help="kill -9 of bridge and server at once (50)")
    parser.add_argument("--power-cuts", type=int, default=100, help="kill -9 that loses what was not synced, on each server (100)")
    parser.add_argument("--damages", type=int, default=1000, help="another byte in the database (1000)")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--server", choices=["prosody", "ejabberd", "both"], default="both")
    parser.add_argument("--short", action="store_true", help="20 kills, 10 stops, 5 kills of the server, 2 of both, 5 power cuts")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    plan = SHORT if options.short else {"kill": options.kills, "term": options.stops, "power": options.power_cuts, "server": options.server_kills, "both": options.both_kills}
    kinds = ["prosody", "ejabberd"] if options.server == "both" else [options.server]
    outcomes = asyncio.run(run(plan, kinds, seed))
    claims = [true for out in outcomes for true in out.claims.values()]
    if count := 60 if options.short else options.damages:
        damage = asyncio.run(damages(kinds[0], count, random.Random(seed)))
        print(f"another byte in the database, {count} times: no crash, {sum(damage.refused.values())} starts refused with the reason, {damage.served} served, "
              f"{damage.missing} of them with rows missing, {len(damage.invented)} rows that had not been there")
        claims.append(not damage.invented)
    false = claims.count(False)
    print(f"{len(claims)} claims, {false} false")
    return 1 if false else 0


SHORT = {"kill": 20, "term": 10, "power": 5, "server": 5, "both": 2}

if __name__ == "__main__":
    sys.exit(main())
