"""What the network, the system and the disk may do to the bridge, with the books kept outside of it (ledger.py). All faults, and where each is tested:

| fault | tested in |
|---|---|
| server, broker, bridge: restarted, killed, in any order | test_recovery (presence), test_soak (messages) |
| server hangs | test_recovery, test_flood, test_reload (at the stop), test_outages |
| broker hangs | test_recovery, test_reload (at the stop), test_outages |
| half-open connection, to the server or the broker | test_outages |
| connection cut anywhere | test_outages |
| every byte alone; slow | here |
| a second bridge: same state, same domain | test_recovery, test_standby |
| the bridge is killed, stopped, loses power | test_soak; test_broker (values), test_delivery (what is on its way) |
| disk full | test_disk (told to the admins; the end), here (nothing is acknowledged), test_outages (and a kill) |
| write or fsync fails | test_outages |
| fsync does not return | here |
| database locked, database damaged | here |
| the clock jumps | here, test_outages (while messages wait) |
| name server that does not answer | test_outages, here (at the stop) |
| no descriptors left | here |
| calls interrupted, short writes | here |
| 1 MB stanzas | test_hostile (one), here (a flood) |
| slow consumers | test_flood, here |
| reload with mistakes | test_config, test_reload |
| presence storm at a reconnect | test_scale |
"""
import asyncio
import contextlib
import errno
import os
import random
import resource
import select
import socket
import sqlite3
import time

import pytest
import servers
from damage import Damage
from proxy import Proxy
from scene import TOLD, Watch, cpu_seconds, holds, make_server, scene, some_load
from wire import Wire

YEAR = 365 * 86400
SLOW = 20_000  # bytes a second
GUESTS = 12  # fewer than the control socket takes at once
GROWTH_KB = 24_000  # half of this is what ASan keeps of freed memory


@pytest.fixture(scope="module")
def xmpp():
    with make_server("prosody") as server:
        yield server


# The network.
@pytest.mark.parametrize("link", ["server", "broker"])
async def test_every_byte_alone(xmpp, link):
    with contextlib.ExitStack() as stack:
        def proxy(server, port):
            p = stack.enter_context(Proxy(port))
            p.splits()
            return p.before(server)

        how = {"seen": proxy(xmpp, xmpp.component_port)} if link == "server" else {"broker_seen": lambda broker: proxy(broker, broker.port)}
        async with scene(xmpp, random.Random(1), **how) as s:
            await some_load(s, 150)
            await s.settle()
            assert holds(s).carried > 0
            assert s.bridge.downs() == 0


async def test_slow_server_is_waited_for(xmpp):
    """What it does not take waits at the broker, beyond a bound; nothing is lost, and the bridge does not grow by it."""
    with Proxy(xmpp.component_port) as proxy:
        async with scene(xmpp, random.Random(7), seen=proxy.before(xmpp)) as s:
            before = s.bridge.rss_kb()
            proxy.slow(SLOW)
            slowly = proxy.stat()["up"] + 3 * SLOW
            async with s.load(), Watch(s.bridge) as watch:
                for _ in range(3000):
                    s.ledger.tell(s.rng.choice(TOLD))
                await s.bridge.until(lambda: proxy.stat()["up"] >= slowly, 20, "three seconds' bytes")
            watch.responsive()
            assert s.bridge.rss_kb() - before < GROWTH_KB
            proxy.passes()
            await s.settle()
            holds(s)
            assert s.bridge.downs() == 0


async def test_flood_of_large_stanzas():
    """1 MB each, by ejabberd: others come through, the link stays, memory too."""
    xmpp = make_server("ejabberd")
    configure = xmpp.configure

    def larger():
        configure()
        config = xmpp.directory / "ejabberd.yml"
        config.write_text(config.read_text().replace("max_stanza_size: 262144", "max_stanza_size: 4194304"))

    xmpp.configure = larger
    with xmpp:
        async with scene(xmpp, random.Random(8)) as s, Wire(xmpp, "admin") as wire:
            before = s.bridge.rss_kb()
            async with s.load():
                for n in range(100):
                    wire.send(f"<message to='{TOLD[0]}@{s.bridge.domain}' type='chat' id='large-{n}'><body>{'x' * (1 << 20)}</body></message>")
                    await wire.drain()
                await wire.fence(s.bridge.domain, timeout=60)
            await s.settle()
            grown = s.bridge.rss_kb() - before
            print(f"100 stanzas of 1 MB: grown by {grown} kB")
            answers = [stanza for stanza in wire.got if stanza.get("id", "").startswith("large-") and stanza.get("type") == "error"]
            assert len(answers) == 100, len(answers)
            assert grown < GROWTH_KB
            assert s.bridge.downs() == 0
            holds(s)


# The system.
async def test_short_writes_and_interrupted_calls(xmpp):
    async with scene(xmpp, random.Random(9)) as s:
        with s.bridge.failing("short", 7), s.bridge.failing("interrupt", 5):
            await some_load(s, 150)
            await s.settle()
        assert s.bridge.hits("short") > 100 and s.bridge.hits("interrupt") > 100
        assert s.bridge.downs() == 0
        assert holds(s).carried > 0


@pytest.mark.parametrize("years", [1, -1])
async def test_clock_that_jumps(xmpp, years):
    """There and back: no link ends, nothing is late or too old, and what is due later is."""
    async with scene(xmpp, random.Random(10)) as s:
        await some_load(s, 30)
        async with s.load():
            with s.bridge.failing("clock", years * YEAR):
                await s.more(150, "heard")
                assert s.bridge.hits("clock") > 0
            await s.more(75, "heard")
        await s.settle()
        assert s.bridge.downs() == 0
        assert holds(s).carried > 0


async def test_stop_while_a_name_is_looked_up(xmpp):
    def names(bridge):
        text = bridge.text
        bridge.text = lambda: text().replace(f"{servers.HOST}:", "localhost:")

    async with scene(xmpp, random.Random(13), prepare=names) as s:
        with s.bridge.failing("resolve", 1):
            s.ledger.broker.hang_up()
            await s.bridge.until(lambda: s.bridge.hits("resolve"), 10, "look-up")
            began = time.monotonic()
            await asyncio.to_thread(s.bridge.finish)
            assert time.monotonic() - began < 5.5
        await asyncio.to_thread(s.bridge.start)


@contextlib.contextmanager
def does_not_spin(bridge):
    used, began = cpu_seconds(bridge), time.monotonic()
    yield
    used, took = cpu_seconds(bridge) - used, time.monotonic() - began
    assert used < 0.6 * took, f"it spins: {used:.2f} s of a processor in {took:.2f} s"


@pytest.mark.parametrize("call", ["socket", "open"])
async def test_no_descriptors(xmpp, call):
    """The links that there are stay; what needs a new one waits, does not spin, and says why."""
    async with scene(xmpp, random.Random(14)) as s:
        since = s.bridge.mark()
        with s.bridge.failing(call, errno.EMFILE), does_not_spin(s.bridge):
            if call == "socket":
                s.ledger.broker.hang_up()
                await s.bridge.expect_log("broker link is down.*(Too many open files|too many)", 20, since)
            else:
                s.bridge.reload()
                await s.bridge.expect_log("level=(error|warn).*Too many open files", 20, since)
            await some_load(s, 150, "told")
        await s.serving()
        await s.settle()
        assert holds(s).accepted
        assert s.bridge.downs() == 0


@contextlib.contextmanager
def as_many_as_there_are(bridge):
    """The bridge may have no descriptor above those of now; a few below may be free."""
    pid = bridge.process.pid
    before, highest = resource.prlimit(pid, resource.RLIMIT_NOFILE), max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


async def test_no_descriptor_for_who_comes(xmpp):
    """Who is one too many is hung up on; all else goes on."""
    async with scene(xmpp, random.Random(14)) as s:
        with contextlib.ExitStack() as stack, as_many_as_there_are(s.bridge):
            guests = [stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX))) for _ in range(GUESTS)]
            for guest in guests:
                guest.connect(str(s.bridge.state / "control"))
            await s.bridge.until(lambda: select.select(guests[-1:], [], [], 0)[0], 5, "end of the last connection")
            assert guests[-1].recv(1) == b""
            with does_not_spin(s.bridge):
                await some_load(s, 150, "heard")
        await s.settle()
        assert holds(s).accepted
        assert s.bridge.downs() == 0


# The disk.
async def test_full_disk_acknowledges_nothing(xmpp):
    async with scene(xmpp, random.Random(15)) as s:
        await some_load(s, 30)
        await s.settle()
        acked = len(s.ledger.accepted())
        with s.bridge.failing("write", errno.ENOSPC):
            since = s.bridge.mark()
            for _ in range(50):
                s.ledger.tell(TOLD[0])
            await s.bridge.expect_log("nothing more is acknowledged", 20, since)
            await s.users["alice"].wire.fence(s.bridge.domain)  # some tries come at once, as messages do
            tried = s.bridge.hits("write")
            await s.bridge.until(lambda: s.bridge.hits("write") > tried, 10, "try a second later")
            await s.users["alice"].wire.fence(s.bridge.domain)
            assert s.bridge.hits("write") >= 2
            assert len(s.ledger.accepted()) == acked, "acknowledged, and not on the disk"
            assert s.bridge.link().startswith("up")
        await s.settle()
        assert len(s.ledger.accepted()) == acked + 50
        holds(s)


async def test_disk_that_hangs(xmpp):
    """Nothing is acknowledged before it is synced, and the loop does not wait with it."""
    async with scene(xmpp, random.Random(18)) as s:
        await some_load(s, 30)
        await s.settle()
        acked = len(s.ledger.accepted())
        async with Watch(s.bridge) as watch:
            with s.bridge.failing("sync_hang", 1):
                for _ in range(50):
                    s.ledger.tell(TOLD[0])
                await s.bridge.until(lambda: s.bridge.hits("sync_hang"), 10, "sync")
                await watch.more(100)
                assert len(s.ledger.accepted()) == acked, "acknowledged, and not synced"
        watch.responsive()
        await s.settle()
        assert len(s.ledger.accepted()) == acked + 50
        holds(s)


# The database.
async def test_locked_database(xmpp):
    """Who holds it keeps the bridge from starting; who wants it while the bridge runs is refused."""
    async with scene(xmpp, random.Random(19)) as s:
        path = s.bridge.state / "spandrel.db"
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as other, pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN EXCLUSIVE")
        await some_load(s, 40)
        await s.settle()
        await asyncio.to_thread(s.bridge.finish)
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(RuntimeError, match=r"spandrel\.db.* is in use by another program"):
                await asyncio.to_thread(s.bridge.start_only)
            other.rollback()
        await asyncio.to_thread(s.bridge.start)
        await s.serving()
        await some_load(s, 40)
        await s.settle()
        holds(s)


async def test_damaged_database(xmpp, tmp_path):
    """scripts/soak does more of it."""
    async with scene(xmpp, random.Random(20)) as s:
        await some_load(s, 40)
        await s.settle()
        await asyncio.to_thread(s.bridge.finish)
        damage = await asyncio.to_thread(Damage(xmpp, s.bridge.state, tmp_path).run, 60, random.Random(20))
        print(f"60 times a byte was another: {damage.served} served, {damage.missing} with less, refused: {damage.refused}")
        assert damage.refused and damage.served
        assert not damage.invented, damage.invented
        await asyncio.to_thread(s.bridge.start)
