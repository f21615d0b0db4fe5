"""What was acknowledged arrives, whatever happens between: the network, the disk, the clock, names. test_faults.py says which fault is tested where."""
import asyncio
import contextlib
import errno
import random
import signal
import time

import pytest
import servers
from ledger import MQTT
from proxy import Proxy
from scene import USERS, Watch, holds, make_server, running, scene, some_load

YEAR = 365 * 86400
DEAD_SECONDS = 40  # until a connection that hears nothing is given up: silence, then a question that nobody answers
CUTS = {"server": 5, "broker": 4}  # after five that end soon the broker seems to throw us out, and is left alone for long
UP = {"server": "component link is up", "broker": "broker link is up"}


@pytest.fixture(scope="module")
def xmpp():
    with make_server("prosody") as server:
        yield server


@contextlib.asynccontextmanager
async def through(xmpp, link, seed, **how):
    """A scene, and the proxy that its link to the server or the broker goes through."""
    with contextlib.ExitStack() as stack:
        proxies = []

        def seen(server):
            proxies.append(stack.enter_context(Proxy(server.component_port if link == "server" else server.port)))
            return proxies[0].before(server)

        how = {**how, **({"seen": seen(xmpp)} if link == "server" else {"broker_seen": seen})}
        async with scene(xmpp, random.Random(seed), **how) as s:
            yield s, proxies[0]


def cut(s, proxy):
    s.ledger.ended()
    assert proxy.cut() == 1


# The network.
async def ends_anywhere(link):
    rng = random.Random(2)
    async with running(make_server("prosody")) as xmpp, through(xmpp, link, 1) as (s, proxy):
        async with s.load():
            for _ in range(CUTS[link]):
                taken = proxy.stat()["connections"]
                s.ledger.ended()
                proxy.cut_after(rng.randrange(1, 4000), rng.choice(("up", "down")), rng.choice(("rst", "fin")))
                await s.bridge.until(lambda n=taken: proxy.stat()["connections"] > n, 20, "next connection")
                await s.serving()
        await s.settle()
        verdict = holds(s)
        assert link == "server" or verdict.most_doubled <= 2 * s.ledger.broker.window, "more than was in flight"


async def test_connections_that_end_anywhere():
    """With RST or FIN, before or behind any byte, each way. Side by side, since most of it is the bridge's pause before it comes back."""
    await asyncio.gather(*(ends_anywhere(link) for link in CUTS))


async def silent(xmpp, link, ends, **how):
    """The link of that kind goes dead in one way or the other, under load, is found out, and comes back."""
    async with through(xmpp, link, 3, **how) as (s, proxy):
        async with s.load():
            await s.more(40, "heard")
            since, began = s.bridge.mark(), time.monotonic()
            s.ledger.ended()
            getattr(proxy, ends)()
            await s.bridge.expect_log({"server": "has stopped answering", "broker": "broker link is down"}[link], DEAD_SECONDS, since)
            print(f"{link}, {ends}: found out after {time.monotonic() - began:.1f} s")
            proxy.passes()
            await s.bridge.expect_log(UP[link], 30, since)
            await s.serving()
            await s.more(40, "heard")
        await s.settle()
        assert s.bridge.downs() == (link == "server")
        holds(s)


async def silent_on_its_own(link, ends, **how):
    """As docs/servers.md has it: a new connection throws the dead one out."""
    async with running(servers.Prosody(users=USERS, conflict="kick_old")) as xmpp:
        await silent(xmpp, link, ends, **how)


async def test_links_that_die_in_silence():
    """Side by side, since each takes its time: half-open, where bytes vanish, and hanging, where they come through in the end."""
    quick = {"mqtt": "      keepalive: 5s\n" + MQTT}
    await asyncio.gather(*(silent_on_its_own("server", ends) for ends in ("drops", "holds")), *(silent_on_its_own("broker", ends, **quick) for ends in ("drops", "holds")))


@pytest.mark.parametrize("link", ["server", "broker"])
async def test_name_server_that_does_not_answer(xmpp, link):
    """Nothing else waits for it."""
    def names(bridge):
        text, port = bridge.text, bridge.xmpp.component_port if link == "server" else bridge.broker.port
        bridge.text = lambda: text().replace(f"{servers.HOST}:{port}", f"localhost:{port}")

    async with through(xmpp, link, 4, prepare=names) as (s, proxy):
        await some_load(s, 30)
        with s.bridge.failing("resolve", 1):
            since = s.bridge.mark()
            cut(s, proxy)
            async with Watch(s.bridge) as watch:
                await s.bridge.until(lambda: s.bridge.hits("resolve"), 10, "look-up")
                await some_load(s, 150, "accepted" if link == "server" else "told")
            watch.responsive()
        await s.bridge.expect_log(UP[link], 20, since)
        await s.serving()
        await s.settle()
        holds(s)


@pytest.mark.parametrize("years", [1, -1])
async def test_clock_that_jumps_while_messages_wait(xmpp, years):
    """What was accepted before, while the server was away, is not too old then."""
    async with through(xmpp, "server", 5) as (s, proxy):
        async with s.load():
            await s.more(30, "heard")
            proxy.connections("refuse")
            since = s.bridge.mark()
            cut(s, proxy)
            await s.bridge.expect_log("component link is down", 10, since)
            await s.more(50)
        with s.bridge.failing("clock", years * YEAR):
            await s.bridge.until(lambda: s.bridge.hits("clock"), what="look at the new clock")
            proxy.connections("pass")
            await s.serving()
            await s.settle()
        holds(s)


# The disk.
async def test_full_disk_and_a_kill(xmpp):
    async with scene(xmpp, random.Random(6)) as s:
        async with s.load():
            await s.more(40)
            with s.bridge.failing("write", errno.ENOSPC):
                await s.bridge.expect_log("nothing more is acknowledged", 20)
                await s.more(75, "told")
                await asyncio.to_thread(s.bridge.kill)
                s.ledger.ended()
            await asyncio.to_thread(s.bridge.start)
            await s.serving()
        await s.settle()
        holds(s)


@pytest.mark.parametrize("call", ["write", "sync"])
async def test_broken_disk_ends_it_and_nothing_is_lost(xmpp, call):
    """After a failed fsync nobody knows what is on the disk but who reads it again."""
    async with scene(xmpp, random.Random(7)) as s:
        async with s.load():
            await s.more(40)
            since = s.bridge.mark()
            s.ledger.ended()
            with s.bridge.failing(call, errno.EIO):
                code = await asyncio.to_thread(s.bridge.exit_code, 20)
            assert code == -signal.SIGABRT, code
            assert "disk I/O error" in s.bridge.output(since)
            await asyncio.to_thread(s.bridge.start)
            await s.serving()
        await s.settle()
        holds(s)
