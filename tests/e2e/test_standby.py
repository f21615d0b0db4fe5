"""Two instances on one state directory: one serves, the other waits, and takes over when the first ends, however that ends."""
import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from bridge import DEVICES, Bridge, binary
from client import Client
from device import Device

TAKE_OVER_SECONDS = 10
ROUNDS = 20
PACE = 0.005  # seconds between two readings
_temperature = itertools.count(100)


class Twin(Bridge):
    """One of two instances that share a state directory; `wait` starts it as the one that waits."""

    def __init__(self, place, state):
        super().__init__(place[0], place[1], DEVICES.replace("status_interval: 1s", "status_interval: 50ms"), state=state, standby=True, level="info")

    def wait(self):
        """Starts it, and returns when it has said that it waits."""
        since = self.mark() if (self.directory / "output.log").exists() else 0
        ready, self.ready = self.ready, lambda: "standby: another process serves this state" in self.output(since)
        try:
            self.start()
        finally:
            self.ready = ready
        return since

    def ctl_standby(self, *words):
        done = subprocess.run([binary(), "ctl", "--socket", str(self.state / "control.standby"), *words], capture_output=True, text=True, timeout=20,
                              check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(name="twins")
def fixture_twins(prosody, mosquitto, tmp_path):
    """The first serves, the second waits."""
    pair = [Twin((prosody, mosquitto), tmp_path / "state") for _ in range(2)]
    try:
        pair[0].start()
        pair[1].wait()
        yield pair
        for twin in pair:
            twin.finish()
    finally:
        for twin in pair:
            twin.close()


def holder(state):
    """The process that has the lock, as the lock's file says."""
    return int((state / "lock").read_text().split()[0])


def lines(twin, since, text):
    return [line for line in twin.output(since).splitlines() if text in line]


def stamp(line):
    return re.search(r"ts=(\S+)", line)[1]


class Load:
    """Readings at QoS 1, one after the other, until it is told to stop."""

    def __init__(self, device):
        self.device = device
        self.task = None

    async def _run(self):
        while True:
            self.device.report(temperature=next(_temperature))
            await asyncio.sleep(PACE)  # lint: the rate is the load

    async def __aenter__(self):
        self.task = asyncio.ensure_future(self._run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()


async def take_over(first, second):
    """Kills the first; returns the seconds until the second serves."""
    since = second.mark()
    assert holder(first.state) == first.process.pid
    began = time.monotonic()
    await asyncio.to_thread(first.kill)
    killed = time.time()
    await second.until(second.ready, TAKE_OVER_SECONDS, "take-over")
    took = time.monotonic() - began
    assert holder(first.state) == second.process.pid
    started = stamp(lines(second, since, "msg=started")[0])
    assert started >= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(killed - 1)), "it has begun before the first had ended"
    return took


def served_alone(twin, since):
    """Neither server nor broker has seen two of us: each would have thrown one out."""
    assert "another connection holds this domain" not in twin.output(since)
    assert "class=ghost" not in twin.output(since) and "another client" not in twin.output(since)


async def test_standby_takes_over_under_load_and_two_never_serve(twins, mosquitto):
    first, second = twins
    took = []
    with Device(mosquitto, "alive") as alive, Device(mosquitto, "dead") as dead:
        dead.leave()
        async with Client(first.xmpp, "alice") as alice, Load(alive):
            await first.expect_mapping("alive", state="online")
            await first.expect_mapping("dead", state="offline")
            await alice.befriend(f"alive@{first.domain}")
            alice.presence(to=f"dead@{first.domain}", kind="subscribe")
            await first.until(lambda: len(first.ctl_json("subscriptions", alice.bare)["subscriptions"]) == 2)
            waits = second.mark()
            for _ in range(ROUNDS):
                assert not lines(second, waits, "msg=started"), "two serve"
                alice.inbox.clear()
                took.append(await take_over(first, second))
                newest = alive.state["temperature"]
                await alice.expect(TAKE_OVER_SECONDS, kind="presence", frm=f"alive@{first.domain}",
                                   where=lambda s, n=newest: s["type"] == "available" and float(s["status"].split()[0]) >= n)
                assert not alice.seen(kind="presence", frm=f"dead@{first.domain}", type="available")
                served_alone(second, waits)
                waits = first.wait()
                first, second = second, first
            subscriptions = first.ctl_json("subscriptions", alice.bare)["subscriptions"]
            assert len(subscriptions) == 2 and {s["state"] for s in subscriptions} == {"subscribed"}
    print(f"take-over: median {sorted(took)[len(took) // 2]:.2f} s, worst {max(took):.2f} s of {len(took)}")
    assert max(took) < TAKE_OVER_SECONDS


def test_standby_that_is_told_to_stop_exits_at_once(twins):
    first, second = twins
    began = time.monotonic()
    second.process.send_signal(signal.SIGTERM)
    assert second.exit_code() == 0
    assert time.monotonic() - began < 1
    assert first.ready()
    assert not (first.state / "control.standby").exists()
    second.wait()


async def test_standby_takes_over_from_one_that_ends_in_good_order(twins):
    first, second = twins
    first.process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.exit_code) == 0
    await second.until(second.ready, TAKE_OVER_SECONDS, "take-over")
    first.wait()


def test_standby_tells_what_it_is(twins):
    first, second = twins
    code, text = second.ctl_standby("status")
    assert code == 0 and text.startswith("standby since ") and f"process {first.process.pid} serves {first.state} since " in text
    code, text = second.ctl_standby("--json", "status")
    assert code == 0 and json.loads(text)["holder"]["pid"] == first.process.pid
    code, text = second.ctl_standby("list")
    assert code == 1 and "a standby only tells its 'status'" in text
    assert "Contacts: " in first.ctl("status"), "who serves was asked, and not the standby"
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    first.process = None
    second.wait_ready(TAKE_OVER_SECONDS)
    first.wait()


async def test_standby_reads_its_configuration_again(twins):
    first, second = twins
    since = second.mark()
    second.config.write_text(second.text() + "acess: []\n")
    second.reload()
    await second.expect_log("the configuration was not reloaded", 10, since)
    second.config.write_text(second.text())
    since = second.mark()
    second.reload()
    await second.expect_log("configuration reloaded", 10, since)
    assert first.ready() and not lines(second, 0, "msg=started")


def test_standby_with_a_wrong_configuration_does_not_wait(twins):
    third = Twin((twins[0].xmpp, twins[0].broker), twins[0].state)
    third.text = lambda text=third.text: text().replace("adapters:\n", "adapters:\n  none:\n      type: \"nothing\"\n")
    try:
        with pytest.raises(RuntimeError, match="nothing"):
            third.wait()
    finally:
        third.close()


async def test_directory_that_is_taken_away_is_noticed_and_not_served_anew(twins):
    first, second = twins
    since, waits = first.mark(), second.mark()
    moved = first.state.with_name("moved")
    first.state.rename(moved)
    began = time.monotonic()
    await first.expect_log("level=error.*the state directory was moved, removed or replaced", 5, since)
    assert time.monotonic() - began < 5
    await second.expect_log("level=error.*still serves what was in this place", 5, waits)
    assert not first.state.exists(), "a fresh state was made"
    third = Bridge(first.xmpp, first.broker, state=first.state)
    try:
        with pytest.raises(RuntimeError, match=rf"process {first.process.pid} still serves what was at {first.state} before"):
            third.start_only()
    finally:
        third.close()
    moved.rename(first.state)
    await first.expect_log("the state directory is back", 5, since)
    await first.until(first.ready, 10)
    assert not lines(second, 0, "msg=started")


async def test_directory_that_is_replaced_is_an_error_of_the_state(twins, mosquitto):
    first, second = twins
    since, moved = first.mark(), first.state.with_name("moved")
    first.state.rename(moved)
    shutil.copytree(moved, first.state, ignore=shutil.ignore_patterns("control*"))
    await first.expect_log("level=error.*the state directory was moved, removed or replaced", 5, since)
    with Device(mosquitto, "late"), contextlib.closing(socket.socket(socket.AF_UNIX)) as control:
        control.connect(str(moved / "control"))
        control.sendall(b"json status\n")
        answer = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        assert "The database cannot be written: the state directory was moved, removed or replaced" in answer
        first.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(first.exit_code)
    await second.until(second.ready, TAKE_OVER_SECONDS, "take-over")
    first.wait()
