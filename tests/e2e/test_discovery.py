"""Devices that announce themselves in the way of Home Assistant: quarantined, approved, of use, and no way to reach beyond what is allowed."""
import contextlib
import json

import paho.mqtt.client as mqtt
import pytest
from client import Client
from servers import HOST

BRIDGE = {
    "mqtt": """
      discovery:
        enabled: true
        allow: ["plugs/#"]
        command_topics: ["plugs/+/set"]
        status_interval: 1s
""",
}
REGISTER = "<query xmlns='jabber:iq:register'>{}</query>"
DISCO_INFO = "<query xmlns='http://jabber.org/protocol/disco#info'/>"


class Plug:
    """A smart plug that announces itself (two entities in one device), says that it is there, and obeys."""

    def __init__(self, broker, name, **more):
        self.name, self.more, self.commands = name, more, []
        self._client = mqtt.Client(client_id=f"plug-{name}")
        self._client.on_message = self._message
        self._client.connect(HOST, broker.port)
        self._client.loop_start()
        self._client.subscribe([(f"plugs/{name}/set", 1), ("secret/#", 1)])

    def _message(self, _client, _userdata, message):
        self.commands.append((message.topic, message.payload.decode(), message.retain))
        if message.topic == f"plugs/{self.name}/set":
            self.publish(f"plugs/{self.name}", {"state": message.payload.decode(), "power": 12.5})

    def publish(self, topic, payload):
        """Retained, and with the broker when it returns."""
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        return self._client.publish(topic, text, qos=1, retain=True)

    def topic(self, component, entity):
        return f"homeassistant/{component}/{self.name}/{entity}/config"

    def announce(self):
        device = {"identifiers": [self.name], "name": f"Plug {self.name}", "model": "P1", "manufacturer": "Acme", "suggested_area": "Hall"}
        common = {"state_topic": f"plugs/{self.name}", "device": device, "availability_topic": f"plugs/{self.name}/status"}
        self.publish(self.topic("switch", "relay"), {"name": "Relay", "unique_id": f"{self.name}-relay", "command_topic": f"plugs/{self.name}/set",
                                                     "value_template": "{{ value_json.state }}", **common, **self.more})
        self.publish(self.topic("sensor", "power"), {"name": "Power", "unique_id": f"{self.name}-power", "device_class": "power", "unit_of_measurement": "W",
                                                     "value_template": "{{ value_json.power }}", **common})
        self.publish(f"plugs/{self.name}", {"state": "OFF", "power": 0.5})
        self.publish(f"plugs/{self.name}/status", "online")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for topic in (self.topic("switch", "relay"), self.topic("sensor", "power"), f"plugs/{self.name}", f"plugs/{self.name}/status"):
            self.publish(topic, "").wait_for_publish(5)
        self._client.disconnect()
        self._client.loop_stop()


def row(place, key):
    return next((m for m in place.bridge.ctl_json("mappings", key)["mappings"] if m["key"] == key), None)


async def known(place, key):
    return await place.bridge.until(lambda: row(place, key), what=f"contact {key}")


def refused(place):
    return int(place.bridge.adapter()["dropped"])


@contextlib.asynccontextmanager
async def registered(place, user):
    async with Client(place.xmpp, user) as client:
        assert (await client.request(place.bridge.domain, REGISTER.format(""), "set"))["type"] == "result"
        await client.expect(kind="presence", frm=place.bridge.domain, type="subscribe")
        try:
            yield client
        finally:
            await client.request(place.bridge.domain, REGISTER.format("<remove/>"), "set")


async def test_discovered_device_is_of_use_once_it_is_approved(place):
    bridge = place.bridge
    async with registered(place, "alice") as alice, Client(place.xmpp, "admin") as admin:
        with Plug(place.broker, "lobby") as plug:
            plug.announce()
            found = await known(place, "ha:lobby")
            contact = found["address"]
            assert found["state"] == "quarantined" and found["name"] == "Plug lobby"
            await alice.through(bridge.domain)
            assert not alice.seen(frm=contact), "it was offered before it was approved"
            assert (await alice.request(contact, DISCO_INFO))["error"]["condition"] == "item-not-found"
            alice.say(bridge.domain, "list lobby")
            assert contact not in (await alice.expect(kind="message", frm=bridge.domain))["body"]
            admin.say(bridge.domain, "approve Plug lobby")
            assert "is approved" in (await admin.expect(kind="message", frm=bridge.domain))["body"]
            await alice.expect(kind="presence", frm=contact, type="subscribe")
            presence = await alice.befriend(contact, where=lambda s: s["type"] == "available" and "0.5 W" in s["status"])
            assert presence["status"]
            alice.say(contact, "set Relay on")
            answer = await alice.expect(kind="message", frm=contact)
            assert answer["type"] == "chat" and "on" in answer["body"], answer
            assert plug.commands == [("plugs/lobby/set", "ON", False)]
            await alice.expect(kind="presence", frm=contact, where=lambda s: "12.5 W" in s["status"])
            card = str(await alice.request(contact, "<vCard xmlns='vcard-temp'/>"))
            assert all(text in card for text in ("Plug lobby", "P1", "Acme", "Hall"))
            plug.publish("plugs/lobby/status", "offline")
            await alice.expect(kind="presence", frm=contact, type="unavailable")


async def test_approval_outlives_a_crash(place):
    with Plug(place.broker, "lasting") as plug:
        plug.announce()
        contact = (await known(place, "ha:lasting"))["address"]
        place.bridge.ctl("approve", contact)
        assert row(place, "ha:lasting")["state"] != "quarantined"
        place.bridge.ctl("status")
        place.bridge.stop()
        place.bridge.start()
        await place.bridge.until(lambda: (row(place, "ha:lasting") or {}).get("state") == "online")
        place.bridge.kill()
        place.bridge.start()
        await place.bridge.until(lambda: (row(place, "ha:lasting") or {}).get("state") == "online")


async def test_emptied_description_takes_the_device_away(place):
    async with registered(place, "alice") as alice:
        with Plug(place.broker, "leaving") as plug:
            plug.announce()
            contact = (await known(place, "ha:leaving"))["address"]
            place.bridge.ctl("approve", contact)
            await alice.expect(kind="presence", frm=contact, type="subscribe")
            await alice.befriend(contact, where=lambda s: s["type"] == "available")
            plug.publish(plug.topic("sensor", "power"), "")
            alice.say(contact, "help")
            await alice.expect(kind="message", frm=contact, body="relay")
            plug.publish(plug.topic("switch", "relay"), "")
            await place.bridge.until(lambda: not row(place, "ha:leaving"), what="end of the device")
            await alice.expect(kind="presence", frm=contact, type="unavailable")


INJECTIONS = {
    "command beyond what is allowed": {"command_topic": "secret/door/set"},
    "command where only listening is allowed": {"command_topic": "plugs/x/y/z"},
    "listening beyond what is allowed": {"state_topic": "secret/state"},
    "availability beyond what is allowed": {"availability_topic": "secret/status"},
    "wildcard": {"state_topic": "plugs/#"},
    "wildcard in a command": {"command_topic": "plugs/+/set"},
    "system topic": {"state_topic": "$SYS/broker/version"},
    "climbing by a prefix": {"~": "secret", "command_topic": "~/set"},
    "control character": {"command_topic": "plugs/\u0001/set"},
}


@pytest.mark.parametrize("name", INJECTIONS)
async def test_injection_is_refused_and_counted(place, name):
    before = refused(place)
    with Plug(place.broker, "intruder", **INJECTIONS[name]) as plug:
        plug.publish(plug.topic("switch", "relay"), {"name": "Relay", "unique_id": "intruder", "command_topic": "plugs/intruder/set", "state_topic": "plugs/intruder",
                                                     "device": {"identifiers": ["intruder"], "name": "Intruder"}, **INJECTIONS[name]})
        await place.bridge.until(lambda: refused(place) > before, what="refusal")
        found = row(place, "ha:intruder")
        if found:  # what of it was harmless may stand; what was not, does nothing
            place.bridge.ctl("approve", found["address"])
            async with Client(place.xmpp, "alice") as alice:
                alice.say(found["address"], "set Relay on")
                await alice.expect(kind="message", frm=found["address"])
        assert not [c for c in plug.commands if c[0].startswith("secret/")], plug.commands


async def test_one_device_cannot_take_another_ones_commands(place):
    with Plug(place.broker, "victim") as victim, Plug(place.broker, "thief", command_topic="plugs/victim/set") as thief:
        victim.announce()
        await known(place, "ha:victim")
        before = refused(place)
        thief.announce()
        await place.bridge.until(lambda: refused(place) > before, what="refusal")
        found = row(place, "ha:thief")
        if found:
            place.bridge.ctl("approve", found["address"])
            async with Client(place.xmpp, "alice") as alice:
                alice.say(found["address"], "set Relay on")
                await alice.expect(kind="message", frm=found["address"], type="error")
        assert not victim.commands


async def test_flood_of_devices_is_bounded(place):
    """`max_rate` counts once `max_devices` were made; here the depth and the size of one description."""
    with Plug(place.broker, "large") as plug:
        before = refused(place)
        plug.publish("homeassistant/sensor/large/deep/config", '{"a":' * 200 + "1" + "}" * 200)
        await place.bridge.until(lambda: refused(place) > before)
        plug.publish("homeassistant/sensor/large/wide/config", {"name": "x" * 200000})
        await place.bridge.until(lambda: refused(place) > before + 1)
        plug.publish("homeassistant/device/large/config", {"device": {"identifiers": ["large"]}, "components": {f"c{n}": {"platform": "sensor", "state_topic": "plugs/large"} for n in range(300)}})
        await place.bridge.until(lambda: refused(place) > before + 2)
        assert not row(place, "ha:large")
        for topic in ("sensor/large/deep", "sensor/large/wide", "device/large"):
            plug.publish(f"homeassistant/{topic}/config", "").wait_for_publish(5)
