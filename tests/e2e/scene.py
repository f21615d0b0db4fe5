"""A server, the bridge, a broker that keeps the books, users, and load both ways: what the tests of delivery have in common."""
import asyncio
import contextlib
import os
import statistics
import time

import servers
from fault import FaultyBridge
from ledger import ACCESS, MQTT, Ledger, User
from wait import until

TOLD = ["told0", "told1", "told2", "told3"]
OBEYING = ["obey0", "obey1", "obey2"]
TALKERS = ["carol", "dave", "eve"]
LISTENERS = ["alice", "bob"]
USERS = {name: f"{name}-pw" for name in (*LISTENERS, *TALKERS, "admin")}
ALERTS_A_SECOND = 200
ASKING_SECONDS = 0.01  # between a command of which all is known, and the user's next
WATCH_SECONDS = 0.005  # between two questions of Watch
PATIENCE = 8  # seconds that a user waits for what became of a command: longer than the bridge waits for the device


def make_server(kind):
    """Without an archive, which slows Prosody down when it is full."""
    more = {"prosody": {"extra": 'modules_disabled = { "tls", "s2s", "s2s_auth_certs", "mam" }'}}.get(kind, {})
    return servers.KINDS[kind](users=USERS, **more)


class Scene:
    """A server, a bridge, the book, and users; and the load on them."""

    def __init__(self, xmpp, bridge, ledger, rng):
        self.xmpp, self.bridge, self.ledger, self.rng = xmpp, bridge, ledger, rng
        self.users = {name: User(xmpp, name, ledger) for name in (*LISTENERS, *TALKERS)}
        self.rate = ALERTS_A_SECOND
        self._tasks = []
        self._loaded = False

    async def begin(self):
        for contact in TOLD:
            self.ledger.broker.publish(f"told/{contact}/state", '{"n": 0}')
        for contact in OBEYING:
            self.ledger.broker.publish(f"obeying/{contact}/state", '{"level": 0}')
        for name, user in self.users.items():
            await user.online()
            await user.befriend(self.bridge, OBEYING if name in TALKERS else TOLD)

    # The load.
    async def _tell(self):
        while self._loaded:
            if self.ledger.broker.unacked < 1000:
                self.ledger.tell(self.rng.choice(TOLD))
            await asyncio.sleep(self.rng.expovariate(self.rate))  # lint: the rate is the load

    async def _ask(self, name, contact):
        """One command after the other, each when it is known what became of the one before."""
        user = self.users[name]
        while self._loaded:
            await user.there()
            with contextlib.suppress(OSError, AttributeError):
                command = self.ledger.ask(user.wire, contact, self.bridge.domain)
                deadline, wire, epoch = time.monotonic() + PATIENCE, user.wire, self.ledger.epoch
                while not (command.receipts or command.errors or command.answers) and self._loaded and time.monotonic() < deadline and user.wire is wire:
                    if self.ledger.epoch > epoch + 1:
                        break
                    await self.ledger.moved(0.1)
            await asyncio.sleep(ASKING_SECONDS)  # lint: the rate is the load

    @contextlib.asynccontextmanager
    async def load(self):
        self._loaded = True
        self._tasks = [asyncio.ensure_future(self._tell())]
        self._tasks += [asyncio.ensure_future(self._ask(name, contact)) for name, contact in zip(TALKERS, OBEYING)]
        try:
            yield
        finally:
            self._loaded = False
            await asyncio.gather(*self._tasks)

    async def more(self, count, of="accepted", seconds=60):
        """Waits until so many alerts more were "told" by the devices, "accepted" by the bridge, or "heard" by alice."""
        counts = {"told": lambda: len(self.ledger.alerts), "accepted": lambda: len(self.ledger.accepted()), "heard": lambda: len(self.ledger.arrivals["alice"])}
        wanted = counts[of]() + count
        await until(lambda: counts[of]() >= wanted, seconds, f"{count} alerts more {of}")

    # Ends.
    async def _moment(self, least, most):
        """As long as chance has it."""
        await asyncio.sleep(self.rng.uniform(least, most))  # lint: the moment of an end is random, which is what is tested

    async def serving(self):
        """The bridge has both its links."""
        await asyncio.to_thread(self.bridge.wait_ready)
        await until(lambda: self.ledger.broker.up, 30, "broker link")

    async def kill_bridge(self):
        await self._moment(0.001, 0.2)
        await asyncio.to_thread(self.bridge.kill)
        self.ledger.ended()
        await asyncio.to_thread(self.bridge.start)
        await self.serving()

    async def cut_power(self):
        """As a kill, but what it had written and not synced is gone, in part."""
        await self._moment(0.001, 0.2)
        await asyncio.to_thread(self.bridge.kill)
        self.ledger.ended()
        self.bridge.power_cut(self.rng)
        await asyncio.to_thread(self.bridge.start)
        await self.serving()

    async def stop_bridge(self):
        await self._moment(0.001, 0.2)
        self.bridge.process.terminate()
        code = await asyncio.to_thread(self.bridge.exit_code)
        assert code == 0, f"the bridge ended with {code}:\n{self.bridge.tail()}"
        self.ledger.ended()
        await asyncio.to_thread(self.bridge.start)
        await self.serving()

    async def _fetch(self):
        """Bob, who is away, fetches what the server has kept for him."""
        await self.users["bob"].online()
        await self.users["bob"].offline()

    async def kill_server(self):
        await self._moment(0.2, 1.5)
        await asyncio.to_thread(self.xmpp.kill)
        self.ledger.ended()
        await self._moment(0, 0.3)
        await asyncio.to_thread(self.xmpp.start)
        await self.serving()
        await self._fetch()

    async def kill_both(self):
        """The server's memory, and then the bridge's; or the other way round."""
        await self._moment(0.2, 1.5)
        victims = [self.bridge, self.xmpp]
        self.rng.shuffle(victims)
        await asyncio.to_thread(victims[0].kill)
        await self._moment(0, 0.1)
        await asyncio.to_thread(victims[1].kill)
        self.ledger.ended()
        await asyncio.to_thread(self.xmpp.start)
        await asyncio.to_thread(self.bridge.start)
        await self.serving()
        await self._fetch()

    async def settle(self):
        """All are there, and all that is due has come; or a minute has passed."""
        for name in LISTENERS:
            if not self.users[name].wire:
                await self.users[name].online()
            await self.users[name].there()
        await self.ledger.all_due(LISTENERS)
        for user in self.users.values():  # what the bridge said before has come
            await user.there()
            await user.wire.fence(self.bridge.domain)

    async def close(self):
        for user in self.users.values():
            await user.offline()


@contextlib.asynccontextmanager
async def scene(xmpp, rng, seen=None, broker_seen=None, prepare=None, **how):
    """`xmpp`: a server that runs; `seen`, `broker_seen`: the server and the broker as the bridge is to see them, through a proxy; `prepare(bridge)`: before its start;
    `how`: more for FaultyBridge."""
    ledger = Ledger()
    async with ledger.broker:
        through = broker_seen(ledger.broker) if broker_seen else ledger.broker
        bridge = FaultyBridge(seen or xmpp, through, **{"mqtt": MQTT, "access": ACCESS, "level": "info", **how})
        s = Scene(xmpp, bridge, ledger, rng)
        try:
            if prepare:
                prepare(bridge)
            await asyncio.to_thread(bridge.start)
            await s.begin()
            yield s
            await asyncio.to_thread(bridge.finish)
        finally:
            await s.close()
            await asyncio.to_thread(bridge.close)


@contextlib.asynccontextmanager
async def running(xmpp):
    """Starts it and ends it, in threads."""
    await asyncio.to_thread(xmpp.__enter__)
    try:
        yield xmpp
    finally:
        await asyncio.to_thread(xmpp.close)


def holds(s):
    """The contract, while the server keeps what it has; the verdict."""
    verdict = s.ledger.verdict(LISTENERS, s.bridge)
    print(verdict)
    assert not verdict.wrong(), f"{verdict.wrong()}\n{s.bridge.tail()}"
    assert not s.ledger.broker.violations
    assert verdict.accepted > 0
    return verdict


async def some_load(s, count=80, of="accepted"):
    """Until so many alerts more have come so far, as more() has it."""
    async with s.load():
        await s.more(count, of)


class Watch:
    """Asks the control socket all the time, in a thread: how long the loop lets one wait."""

    def __init__(self, bridge):
        self._bridge, self._task, self._over = bridge, None, False
        self.took = []

    def _ask(self):
        while not self._over:
            began = time.monotonic()
            self._bridge.ctl_json("links")
            self.took.append(time.monotonic() - began)
            time.sleep(WATCH_SECONDS)  # lint: asking is not to be the load

    async def __aenter__(self):
        self._task = asyncio.ensure_future(asyncio.to_thread(self._ask))
        return self

    async def more(self, count):
        """Waits until it has answered so many times more."""
        wanted = len(self.took) + count
        await until(lambda: len(self.took) >= wanted or self._task.done(), 60, f"{count} answers more")

    async def __aexit__(self, *_):
        self._over = True
        await self._task
        self.took.sort()

    def responsive(self):
        """Nineteen of twenty at once; what takes longer may be a machine that has other work, and is nowhere near a hang."""
        assert len(self.took) > 20
        assert self.took[len(self.took) * 19 // 20] < 0.05 and self.took[-1] < 1, (statistics.median(self.took), self.took[-5:])


def cpu_seconds(bridge):
    """What it has used so far."""
    with open(f"/proc/{bridge.process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
