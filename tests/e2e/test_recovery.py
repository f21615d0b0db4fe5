"""Whatever ends and comes back, in any order: presence is right again within ten seconds, and nobody had to do anything."""
import asyncio
import collections
import contextlib
import itertools
import time

import pytest
import servers
from bridge import Bridge
from client import Client
from device import Device

RIGHT_SECONDS = 10
ORDERS = {
    "prosody": list(itertools.permutations(("server", "broker", "bridge"))),
    "ejabberd": [("server", "broker", "bridge"), ("broker", "bridge", "server"), ("bridge", "server", "broker")],
}
_temperature = itertools.count(1)  # each round has a reading of its own: what was seen before proves nothing
pytestmark = pytest.mark.usefixtures("all_run")


@pytest.fixture(scope="module")
def devices(place):
    """One that lives, and one that has died."""
    with Device(place.broker, "alive") as alive:
        dead = Device(place.broker, "dead").start()
        dead.leave()
        yield alive


def available(temperature):
    return lambda s: s["type"] == "available" and s["status"].startswith(f"{temperature} °C")


async def befriend_both(place, alice):
    alive, dead = (f"{name}@{place.bridge.domain}" for name in ("alive", "dead"))
    await place.bridge.expect_mapping("alive", state="online")
    await place.bridge.expect_mapping("dead", state="offline")
    await alice.befriend(alive)
    alice.presence(to=dead, kind="subscribe")
    await place.bridge.until(lambda: len(place.bridge.ctl_json("subscriptions", alice.bare)["subscriptions"]) == 2)
    await alice.through(place.bridge.domain)
    return alive, dead


async def sees_the_truth(place, alice, temperature, seconds=RIGHT_SECONDS):
    """The one is there with its last reading, the other is not there."""
    alive, dead = (f"{name}@{place.bridge.domain}" for name in ("alive", "dead"))
    await alice.expect(seconds, kind="presence", frm=alive, where=available(temperature))
    await alice.through(place.bridge.domain)
    assert not alice.seen(kind="presence", frm=dead, type="available")
    assert available(temperature)(alice.present[alive]), alice.present[alive]


async def all_are_back(place, device, since, connections):
    """The broker has its clients again: from now on presence is a matter of the bridge alone. `since`, `connections`: of before the broker ended."""
    await asyncio.to_thread(device.returned, connections)
    await place.bridge.expect_log("broker link is up", RIGHT_SECONDS, since)


def each_is_told_once(bridge, since):
    """No outage has two lines that call for attention, and no notice comes twice."""
    lines = bridge.output(since).splitlines()
    outages = sum('msg="component link is up"' in line for line in lines) + 1
    told = [line for line in lines if 'msg="component link is down"' in line and "level=debug" not in line]
    assert len(told) <= outages, told
    notices = collections.Counter(line.split("text=", 1)[1] for line in lines if "msg=notice" in line)
    assert not [n for n, count in notices.items() if count > 1], notices


def start(server):
    return server.start_only() if isinstance(server, Bridge) else server.start()


def end_all_and_start(place, order, how):
    parties = {"server": place.xmpp, "broker": place.broker, "bridge": place.bridge}
    for name in order:
        getattr(parties[name], how)()
    for name in order:
        start(parties[name])


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_all_end_and_come_back_in_any_order(place, devices, how):
    for order in ORDERS[place.xmpp.name]:
        print("order:", *order)
        async with Client(place.xmpp, "alice") as alice:
            await befriend_both(place, alice)
            alice.drop()
        since, temperature, connections = place.bridge.mark(), next(_temperature), devices.connections
        devices.state["temperature"] = temperature  # it says so when it has found the broker again
        end_all_and_start(place, order, how)
        async with Client(place.xmpp, "alice") as alice:
            await all_are_back(place, devices, since, connections)
            await sees_the_truth(place, alice, temperature)
        each_is_told_once(place.bridge, since)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_server_alone(place, devices, how):
    async with Client(place.xmpp, "alice") as alice:
        await befriend_both(place, alice)
        alice.drop()
    since, temperature = place.bridge.mark(), next(_temperature)
    getattr(place.xmpp, how)()
    await asyncio.to_thread(devices.report, temperature=temperature)
    place.xmpp.start()
    async with Client(place.xmpp, "alice") as alice:
        await sees_the_truth(place, alice, temperature)
    assert place.bridge.downs(since) >= 1
    each_is_told_once(place.bridge, since)


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_broker_alone(place, devices, how):
    async with Client(place.xmpp, "alice") as alice:
        await befriend_both(place, alice)
        since, temperature, connections = place.bridge.mark(), next(_temperature), devices.connections
        getattr(place.broker, how)()
        devices.state["temperature"] = temperature
        place.broker.start()
        await all_are_back(place, devices, since, connections)
        await sees_the_truth(place, alice, temperature)


async def test_crash_of_the_broker_is_no_outage_of_its_devices(place, devices):
    """When it stops in good order mosquitto itself says that they are gone: it publishes their wills, and retains them.

    So it must not come back with what it retained at the stop of an earlier test: who is there first, bridge or device, would decide.
    """
    async with Client(place.xmpp, "alice") as alice:
        alive, _ = await befriend_both(place, alice)
        place.broker.save()
        alice.inbox.clear()
        since, temperature, connections = place.bridge.mark(), next(_temperature), devices.connections
        place.broker.kill()
        devices.state["temperature"] = temperature
        place.broker.start()
        await all_are_back(place, devices, since, connections)
        await sees_the_truth(place, alice, temperature)
        gone = alice.seen(kind="presence", frm=alive, where=lambda s: s["type"] in ("unavailable", "xa", "away"))
        assert not gone, gone


async def test_bridge_that_is_told_to_stop_says_good_bye(place, devices):
    async with Client(place.xmpp, "alice") as alice:
        alive, dead = await befriend_both(place, alice)
        alice.inbox.clear()
        began = time.monotonic()
        place.bridge.process.terminate()
        await alice.expect(kind="presence", frm=alive, type="unavailable")
        assert await asyncio.to_thread(place.bridge.exit_code) == 0
        assert time.monotonic() - began < 5.5
        assert not alice.seen(kind="presence", frm=dead)
        temperature = next(_temperature)
        await asyncio.to_thread(devices.report, temperature=temperature)
        place.bridge.start()
        await sees_the_truth(place, alice, temperature)


async def test_bridge_that_is_killed_comes_back_with_what_has_happened(place, devices):
    async with Client(place.xmpp, "alice") as alice:
        await befriend_both(place, alice)
        place.bridge.kill()
        temperature = next(_temperature)
        await asyncio.to_thread(devices.report, temperature=temperature)
        place.bridge.start()
        await sees_the_truth(place, alice, temperature)


async def test_device_that_died_meanwhile_is_offline(place, devices):
    async with Client(place.xmpp, "alice") as alice:
        alive, _ = await befriend_both(place, alice)
        with Device(place.broker, "passing") as passing:
            await place.bridge.expect_mapping("passing", state="online")
            await alice.befriend(f"passing@{place.bridge.domain}")
            alice.inbox.clear()
            place.bridge.kill()
            await asyncio.to_thread(passing.leave)
        place.bridge.start()
        await alice.expect(kind="presence", frm=alive, type="available")
        await place.bridge.expect_mapping("passing", state="offline")
        await alice.expect(kind="presence", frm=f"passing@{place.bridge.domain}", type="unavailable")


# What takes its time: these run side by side, on servers of their own. What blocks does so in a thread, for the others have their limits.
@contextlib.asynccontextmanager
async def runs(server):
    """A server, or a device."""
    await asyncio.to_thread(server.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


@contextlib.asynccontextmanager
async def own_place(kind):
    async with contextlib.AsyncExitStack() as stack:
        xmpp = await stack.enter_async_context(runs(kind()))
        broker = await stack.enter_async_context(runs(servers.Mosquitto()))
        bridge = await stack.enter_async_context(runs(Bridge(xmpp, broker)))
        device = await stack.enter_async_context(runs(Device(broker, "alive")))
        dead = await stack.enter_async_context(runs(Device(broker, "dead")))
        await asyncio.to_thread(dead.leave)
        yield collections.namedtuple("Own", "xmpp broker bridge device")(xmpp, broker, bridge, device)
        await asyncio.to_thread(bridge.finish)


async def server_hangs(kind):
    async with own_place(kind) as place, Client(place.xmpp, "alice") as alice:
        await befriend_both(place, alice)
        temperature, since = next(_temperature), place.bridge.mark()
        place.xmpp.pause()
        await asyncio.to_thread(place.device.report, temperature=temperature)
        await place.bridge.expect_log("has stopped answering", 40, since)
        place.xmpp.resume()
        await place.bridge.expect_log("component link is up", RIGHT_SECONDS, since)
        await sees_the_truth(place, alice, temperature)
        each_is_told_once(place.bridge, since)


async def broker_stays_away():
    async with own_place(servers.Prosody) as place, Client(place.xmpp, "alice") as alice:
        alive, _ = await befriend_both(place, alice)
        alice.inbox.clear()
        began, temperature, connections = time.monotonic(), next(_temperature), place.device.connections
        await asyncio.to_thread(place.broker.kill)
        presence = await alice.expect(60, kind="presence", frm=alive, type="xa")
        assert time.monotonic() - began > 25, "an outage of the broker is shown without grace"
        assert "MQTT link down" in presence["status"]
        since = place.bridge.mark()
        place.device.state["temperature"] = temperature
        await asyncio.to_thread(place.broker.start)
        await all_are_back(place, place.device, since, connections)
        await sees_the_truth(place, alice, temperature)
        assert not alice.seen(kind="presence", frm=alive, type="unavailable")


async def kept_out():
    """Prosody lets in the first..."""
    async with runs(servers.Prosody()) as xmpp, runs(Bridge(xmpp)) as first:
        second = Bridge(xmpp)
        try:
            await asyncio.to_thread(second.start_only)
            await second.expect_log("class=ghost.*another connection holds this domain.*kick_old", 30)
            assert first.downs() == 0 and first.ready()
        finally:
            await asyncio.to_thread(second.close)


async def takes_over():
    """... or the last, when told so..."""
    async with runs(servers.Prosody(conflict="kick_old")) as xmpp, runs(Bridge(xmpp)) as first, runs(Bridge(xmpp)) as second:
        await first.expect_log("class=replaced.*another instance has taken over this domain", 30)
        assert "waiting" in first.link() and second.ready()
        assert second.downs() == 0 and first.downs() == 1, "they fight"


async def shares():
    """... ejabberd both, and they find out."""
    async with runs(servers.Ejabberd()) as xmpp, runs(Bridge(xmpp)) as first, runs(Bridge(xmpp)) as second:
        which = [b.expect_log("not alone on the domain", 60) for b in (first, second)]
        for told in asyncio.as_completed(which):
            assert "another connection holds bridge.localhost" in await told
            break
        await asyncio.to_thread(second.stop)
        assert first.downs() == 0


async def test_long_outages_and_second_bridges():
    await asyncio.gather(server_hangs(servers.Prosody), server_hangs(servers.Ejabberd), broker_stays_away(), kept_out(), takes_over(), shares())


def test_second_process_on_a_state_directory_does_not_start(place):
    other = Bridge(place.xmpp, place.broker, directory=place.bridge.directory / "again", state=place.bridge.state)
    other.ready = lambda: False  # whatever it would serve: it ends
    with pytest.raises(RuntimeError, match=rf"process {place.bridge.process.pid} uses .*: two may not share a state directory"):
        other.start()
    assert place.bridge.ready(), "the first one was disturbed"
