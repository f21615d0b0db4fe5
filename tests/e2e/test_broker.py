"""The link to the broker: TLS, refusals and their texts, old protocol, poison, and what a crash or a death must not lose or delay."""
import asyncio
import contextlib
import json
import random
import statistics
import struct
import time
import types

import pytest
import servers
from bridge import DEVICES, Bridge
from wait import until
from wire import MqttWire, Wire, packet

SPEAKS_311 = 4  # the protocol level in CONNECT


@pytest.fixture(scope="module")
def prosody_alone():
    with servers.Prosody() as xmpp:
        yield xmpp


def at(port):
    """A broker that is not ours to start, for Bridge."""
    return types.SimpleNamespace(port=port)


@contextlib.contextmanager
def attached(xmpp, broker, mqtt=DEVICES, **how):
    bridge = Bridge(xmpp, broker, mqtt=mqtt, **how)
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


async def hears_a_device(bridge, broker, name="heard"):
    with MqttWire(broker, "publisher") as wire:
        wire.publish(b"devices/%s/state" % name.encode(), b'{"temperature": 1}', retain=True)
        assert wire.fence()
    await bridge.expect_mapping(name)


# Getting in.
async def test_tls_with_a_ca(prosody_alone):
    with servers.Mosquitto(tls=True) as broker:
        tls = f"      tls: {{enabled: true, ca: {broker.tls}/ca.pem, name: localhost}}\n"
        with attached(prosody_alone, at(broker.tls_port), tls + DEVICES) as bridge:
            await bridge.until(lambda: bridge.adapter()["state"].startswith("up"))
            await hears_a_device(bridge, broker)


async def test_tls_with_a_certificate_of_our_own(prosody_alone):
    with servers.Mosquitto(tls=True, extra="require_certificate true") as broker:
        tls = f"      tls: {{{{enabled: true, ca: {broker.tls}/ca.pem, name: localhost{{}}}}}}\n"
        for own in (f", cert: {broker.tls}/both.pem", f", cert: {broker.tls}/cert.pem, key: {broker.tls}/key.pem"):
            with attached(prosody_alone, at(broker.tls_port), tls.format(own) + DEVICES) as bridge:
                await bridge.until(lambda: bridge.adapter()["state"].startswith("up"))  # pylint: disable=cell-var-from-loop
        with attached(prosody_alone, at(broker.tls_port), tls.format("") + DEVICES) as bridge:
            await bridge.expect_log("broker link is down.*certificate", 60)  # the end of the connection may overtake the reason: each try is another chance


@pytest.mark.parametrize("wrong, text", [
    ("ca: {own}/ca.pem, name: localhost", "certificate"),
    ("ca: {ca}/ca.pem, name: elsewhere.example", "elsewhere.example"),
], ids=["ca", "name"])
async def test_tls_that_does_not_verify_is_refused_with_its_reason(prosody_alone, tmp_path, wrong, text):
    own = servers.make_ca(tmp_path)
    with servers.Mosquitto(tls=True) as broker:
        tls = "      tls: {{enabled: true, {}}}\n".format(wrong.format(own=own, ca=broker.tls))
        with attached(prosody_alone, at(broker.tls_port), tls + DEVICES) as bridge:
            await bridge.expect_log(f"broker link is down.*{text}")
            await bridge.until(lambda: bridge.adapter()["state"].startswith("down"))


async def test_tls_where_there_is_none_and_none_where_there_is(prosody_alone):
    with servers.Mosquitto(tls=True) as broker:
        tls = f"      tls: {{enabled: true, ca: {broker.tls}/ca.pem, name: localhost}}\n"
        with attached(prosody_alone, at(broker.port), tls + DEVICES) as bridge:
            await bridge.expect_log("broker link is down.*TLS")
        with attached(prosody_alone, at(broker.tls_port)) as bridge:
            await bridge.expect_log("broker link is down.*does this port want TLS")


async def test_wrong_password_says_what_to_change(prosody_alone):
    login = "      username: spandrel\n      password: {}\n"
    with servers.Mosquitto(users={"spandrel": "right-pw", "dev": "dev-pw"}) as broker:
        with attached(prosody_alone, broker, login.format("wrong-pw") + DEVICES) as bridge:
            await bridge.expect_log("level=error.*not authorized: check `username`, `password`")
            assert "check `username`" in bridge.adapter()["state"] and "wrong-pw" not in bridge.output()
        with attached(prosody_alone, broker, login.format("right-pw") + DEVICES) as bridge:
            await bridge.until(lambda: bridge.adapter()["state"].startswith("up"))


class OldBroker:
    """Stands before a broker and knows MQTT 3.1.1 alone."""

    def __init__(self, broker):
        self.port = servers.free_port()
        self.refused = 0
        self._broker, self._server = broker, None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, servers.HOST, self.port)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        connect = await read_packet(reader)
        if connect[2 + 6] != SPEAKS_311:
            self.refused += 1
            writer.write(b"\x20\x02\x00\x01")
            writer.close()
            return
        up_reader, up_writer = await asyncio.open_connection(servers.HOST, self._broker.port)
        up_writer.write(connect)
        await asyncio.gather(copy(reader, up_writer), copy(up_reader, writer))


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def read_packet(reader):
    """One control packet, head and all."""
    head = await reader.readexactly(2)
    size, shift = head[1] & 0x7F, 7
    while head[-1] & 0x80:
        head += await reader.readexactly(1)
        size, shift = size | (head[-1] & 0x7F) << shift, shift + 7
    return head + await reader.readexactly(size)


async def test_broker_without_mqtt_5(prosody_alone, mosquitto):
    async with OldBroker(mosquitto) as old:
        with attached(prosody_alone, old) as bridge:
            await bridge.expect_log("does not speak MQTT 5: trying 3.1.1")
            await bridge.until(lambda: "MQTT 3.1.1" in bridge.adapter()["state"])
            await hears_a_device(bridge, mosquitto)
            assert old.refused == 1
            await asyncio.to_thread(bridge.stop)  # while the proxy runs


# Poison.
class PoisonBroker:
    """Stands before a broker, and puts a retained message with a topic that libmosquitto does not take behind each SUBACK, unless told to send no retained ones."""

    def __init__(self, broker, topic):
        self.port = servers.free_port()
        self.sent = 0
        self._broker, self._topic, self._server = broker, topic, None

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, servers.HOST, self.port)
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        up_reader, up_writer = await asyncio.open_connection(servers.HOST, self._broker.port)
        wanted = [True]
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await asyncio.gather(self._up(reader, up_writer, wanted), self._down(up_reader, writer, wanted))
        up_writer.close()
        writer.close()

    async def _up(self, reader, up_writer, wanted):
        while data := await read_packet(reader):
            if data[0] == 0x82:
                wanted[0] = not data[-1] & 0x20  # retain handling 2
            up_writer.write(data)

    async def _down(self, up_reader, writer, wanted):
        while data := await read_packet(up_reader):
            writer.write(data)
            if data[0] == 0x90 and wanted[0]:
                self.sent += 1
                writer.write(packet(0x31, struct.pack(">H", len(self._topic)) + self._topic + b"\x00poison"))


@pytest.mark.parametrize("topic", [b"devices/\x01/state", "devices/\ufffe/state".encode()], ids=["control", "noncharacter"])
async def test_poison_topic_is_got_past_and_told(prosody_alone, topic):
    with servers.Mosquitto() as broker:
        async with PoisonBroker(broker, topic) as poison:
            with attached(prosody_alone, poison) as bridge:
                await bridge.expect_log("session given up to get past a message that cannot be read.* time=2", 30)
                await bridge.until(lambda: bridge.adapter()["state"].startswith("up"), 20)
                await hears_a_device(bridge, broker, "sound")
                assert "message that cannot be read" in bridge.adapter()["state"] and int(bridge.adapter()["dropped"]) >= 1
                assert poison.sent >= 3 and bridge.downs() == 0
                await asyncio.to_thread(bridge.stop)


# Loss.
async def test_killed_bridge_loses_no_acknowledged_message(prosody_alone):
    """Acknowledged is what was committed: whenever it is killed, the last value of each device is there in the end."""
    names, rng, value = [f"kept{n}" for n in range(10)], random.Random(1), 0
    last = {}
    with servers.Mosquitto(extra="max_queued_messages 0\nmax_inflight_messages 0") as broker, attached(prosody_alone, broker) as bridge:
        await bridge.until(lambda: bridge.adapter()["state"].startswith("up"))
        for _ in range(10):
            with MqttWire(broker, "publisher") as wire:
                dies_at = rng.randrange(200)
                for number in range(200):
                    value += 1
                    name = rng.choice(names)
                    last[name] = value
                    wire.publish_surely(f"devices/{name}/state".encode(), json.dumps({"temperature": value}).encode())
                    if number == dies_at:
                        bridge.kill()
            bridge.start()
        for name, value_ in last.items():
            await bridge.until(lambda n=name, v=value_: f"Readings: {v} °C" in " ".join(bridge.ctl_json("status", n)["text"]), 20, f"{name} at {value_}")


# Delay.
async def test_death_of_a_device_is_seen_at_once(place):
    names = [f"mortal{n}" for n in range(50)]
    here, took = {}, []

    def take(stanza):
        if stanza.tag.endswith("}presence"):
            here[stanza.get("from").split("@")[0]] = (stanza.get("type") or "available", time.monotonic())

    async with Wire(place.xmpp, "alice", take=take) as alice:
        lives = {name: MqttWire(place.broker, name, (f"devices/{name}/status".encode(), b"offline")) for name in names}
        for name, wire in lives.items():
            wire.publish(f"devices/{name}/status".encode(), b"online", retain=True)
            wire.publish(f"devices/{name}/state".encode(), b'{"temperature": 1}', retain=True)
            assert wire.fence()
            await place.bridge.expect_mapping(name, state="online")
            alice.send(f"<presence to='{name}@{place.bridge.domain}' type='subscribe'/>")
        await until(lambda: all(here.get(name, ("",))[0] == "available" for name in names))
        for name, wire in lives.items():
            died = time.monotonic()
            wire.close()
            await until(lambda name=name: here[name][0] == "unavailable", 10, f"absence of {name}")
            took.append((here[name][1] - died) * 1000)
    took.sort()
    print(f"from a device's death to its contact's absence: median {statistics.median(took):.1f} ms, p99 {took[-1]:.1f} ms")
    assert took[-1] < 500, took
