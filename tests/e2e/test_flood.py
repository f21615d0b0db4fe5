"""A flood that the server does not take waits where it comes from: the bridge does not grow by it, and lives."""
import asyncio
import contextlib
import time

import pytest
import servers
from client import Client
from device import Device
from wait import until
from wire import CLIENT, MqttWire, Wire

FLOOD = 40_000
WORDS = "and this is what somebody had to say about it, at length; " * 18  # a message of 1 kB
GROWTH_KB = 20_000  # the flood is twice as much; half of this is what ASan keeps of freed memory
BRIDGE = {
    "level": "info",
    "mqtt": """
      devices:
        lamps:
          topic: devices/+/state
          status_interval: 1s
          readings:
            temperature: {value: temperature, unit: °C}
          alerts:
            - {reading: temperature, change: true, every: 0s, message: "is at {temperature}, WORDS"}
""".replace("WORDS", WORDS),
}


@pytest.fixture(scope="module", params=["prosody", "ejabberd"])
def xmpp(request):
    """Without an archive, which takes Prosody 30 ms a message when it is full."""
    more = {"prosody": {"extra": 'modules_disabled = { "tls", "s2s", "s2s_auth_certs", "mam" }'}}.get(request.param, {})
    with servers.KINDS[request.param](**more) as server:
        yield server


def flood(broker):
    """Alerts at QoS 0, as fast as the broker takes them."""
    with MqttWire(broker, "flood") as wire:
        for n in range(FLOOD):
            wire.publish(b"devices/loud/state", b'{"temperature": %d}' % (n % 1000))
            assert n % 100 or wire.fence()
        assert wire.fence()


class Reader:
    """A user who reads fast, and what he has read."""

    def __init__(self, place):
        self.place, self.contact = place, f"loud@{place.bridge.domain}"
        self.messages, self.answer, self.status = 0, None, ""
        self.wire = Wire(place.xmpp, "alice", take=self._take)

    def _take(self, stanza):
        if stanza.tag == f"{CLIENT}presence":
            self.status = stanza.findtext(f"{CLIENT}status") or self.status
        elif stanza.tag == f"{CLIENT}message":
            body = stanza.findtext(f"{CLIENT}body") or ""
            self.messages += 1
            self.answer = body if body.startswith("temperature:") else self.answer

    def ask(self):
        self.answer = None
        self.wire.send(f"<message to='{self.contact}' type='chat'><body>get temperature</body></message>")


@contextlib.asynccontextmanager
async def reading(place):
    with Device(place.broker, "loud", retain=False) as device:
        await place.bridge.until(lambda: place.bridge.mapping("loud"))
        async with Client(place.xmpp, "alice") as alice:
            await alice.befriend(f"loud@{place.bridge.domain}")
        reader = Reader(place)
        async with reader.wire:
            yield device, reader


async def test_server_that_hangs_in_a_flood(place):
    async with reading(place) as (device, reader):
        before, since = place.bridge.rss_kb(), place.bridge.mark()
        place.xmpp.pause()
        await asyncio.to_thread(flood, place.broker)
        grown = place.bridge.rss_kb() - before
        assert place.bridge.ctl_json("status"), "it does not answer in a flood"
        place.xmpp.resume()
        assert grown < GROWTH_KB, f"{grown} kB for {FLOOD} alerts"
        await asyncio.to_thread(device.report, temperature=-5)
        await until(lambda: reader.status.startswith("-5 °C"), 60, "status of the end")
        print(f"{FLOOD} alerts while {place.xmpp.name} hung: {grown} kB; {reader.messages} came")
        assert place.bridge.downs(since) <= 1
        assert place.bridge.rss_kb() - before < GROWTH_KB


async def test_flood_on_a_living_server(place):
    """Each alert that the broker hands over is told; a question is answered meanwhile."""
    async with reading(place) as (_, reader):
        flooding = asyncio.create_task(asyncio.to_thread(flood, place.broker))
        await until(lambda: reader.messages > 100, 10, "flood")
        began = time.monotonic()
        reader.ask()
        await until(lambda: reader.answer, 20, "answer")
        took = time.monotonic() - began
        await flooding
        print(f"{FLOOD} alerts on {place.xmpp.name}, {reader.messages} told so far, a question answered in {took:.2f} s")
