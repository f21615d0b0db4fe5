"""Devices that describe themselves by Homie and as Zigbee2MQTT does, from their first word to their last, with commands by chat."""
import json

import paho.mqtt.client as mqtt
from client import Client
from paho.mqtt import publish
from servers import HOST
from test_discovery import known, registered, row

BRIDGE = {
    "mqtt": """
      discovery:
        homie: {enabled: true}
        zigbee2mqtt: {enabled: true}
        quarantine: false
        status_interval: 1s
""",
}


class Party:
    """A client of the broker with a will, that answers what is said to its topics, and clears what it has retained when it leaves."""

    def __init__(self, broker, name, will):
        self.commands, self._retained, self._broker = [], set(), broker
        self._client = mqtt.Client(client_id=name)
        self._client.will_set(*will, qos=1, retain=True)
        self._client.on_message = self._message
        self._retained.add(will[0])

    def __enter__(self):
        self._client.connect(HOST, self._broker.port)
        self._client.loop_start()
        return self

    def publish(self, topic, payload, retain=True):
        text = json.dumps(payload) if isinstance(payload, (dict, list)) else payload
        if retain:
            self._retained.add(topic)
        return self._client.publish(topic, text, qos=1, retain=retain)

    def _message(self, _client, _userdata, message):
        self.commands.append((message.topic, message.payload.decode(), message.retain))
        self.obey(message.topic, message.payload.decode())

    def obey(self, topic, payload):
        raise NotImplementedError

    def subscribe(self, topic):
        self._client.subscribe(topic, 1)

    def die(self):
        """The broker publishes the will."""
        self._client._sock.shutdown(2)  # pylint: disable=protected-access

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()
        publish.multiple([(topic, "", 1, True) for topic in sorted(self._retained)], HOST, self._broker.port)


class Valve(Party):
    """Homie 5: a valve that says at once where it goes, and later that it is there."""

    def __init__(self, broker, name):
        self.base = f"homie/5/{name}"
        super().__init__(broker, name, (f"{self.base}/$state", "lost"))

    def announce(self):
        properties = {"temperature": {"name": "Temperature", "datatype": "float", "unit": "°C"},
                      "setpoint": {"name": "Setpoint", "datatype": "float", "unit": "°C", "format": "5:30:0.5", "settable": True},
                      "boost": {"name": "Boost", "datatype": "boolean", "settable": True}}
        self.subscribe(f"{self.base}/heat/+/set")
        self.publish(f"{self.base}/$state", "init")
        self.publish(f"{self.base}/$description", {"homie": "5.0", "version": 1, "name": "Valve", "nodes": {"heat": {"name": "Heating", "properties": properties}}})
        self.publish(f"{self.base}/heat/temperature", "20.5")
        self.publish(f"{self.base}/heat/setpoint", "21")
        self.publish(f"{self.base}/heat/boost", "false")
        self.publish(f"{self.base}/$state", "ready")

    def obey(self, topic, payload):
        state = topic.removesuffix("/set")
        if topic.endswith("/setpoint/set"):
            self.publish(f"{state}/$target", payload)
        else:
            self.publish(state, payload)


async def test_homie_device_from_its_first_word_to_its_last(place):
    key = "homie:valve"
    async with registered(place, "alice") as alice:
        with Valve(place.broker, "valve") as valve:
            valve.announce()
            contact = (await known(place, key))["address"]
            assert contact.startswith("valve@")
            await alice.expect(kind="presence", frm=contact, type="subscribe")
            await alice.befriend(contact, where=lambda s: s["type"] == "available" and "20.5 °C, 21 °C" in s["status"])
            alice.say(contact, "setpoint 19.5")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "setpoint is going to 19.5 °C"
            alice.say(contact, "boost on")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "boost is on"
            alice.say(contact, "setpoint 31")
            assert "between 5 and 30" in (await alice.expect(kind="message", frm=contact))["error"]["text"]
            assert valve.commands == [(f"{valve.base}/heat/setpoint/set", "19.5", False), (f"{valve.base}/heat/boost/set", "true", False)]
            valve.publish(f"{valve.base}/$alert/battery", "Battery is low, at 8%")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "Battery is low, at 8%"
            await alice.expect(kind="presence", frm=contact, where=lambda s: s["type"] == "dnd" and "Battery is low" in s["status"])
            valve.publish(f"{valve.base}/$alert/battery", "")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "over: Battery is low, at 8%"
            valve.publish(f"{valve.base}/$state", "sleeping")
            await alice.expect(kind="presence", frm=contact, where=lambda s: s["type"] == "xa" and "sleeping" in s["status"])
            place.bridge.kill()
            place.bridge.start()
            await place.bridge.until(lambda: (row(place, key) or {}).get("address") == contact, what="the contact over a crash")
            valve.publish(f"{valve.base}/$state", "ready")
            await alice.expect(kind="presence", frm=contact, where=lambda s: s["type"] == "available" and "20.5 °C" in s["status"])
            valve.die()
            await alice.expect(kind="presence", frm=contact, type="unavailable")
            publish.single(f"{valve.base}/$state", "", 1, True, HOST, place.broker.port)
            await place.bridge.until(lambda: not row(place, key), what="end of the device")


class Zigbee(Party):
    """Zigbee2MQTT with two lamps."""

    def __init__(self, broker):
        super().__init__(broker, "zigbee2mqtt", ("zigbee2mqtt/bridge/state", '{"state":"offline"}'))
        self.names = {"0x01": "hall/lamp", "0x02": "Attic"}
        self.subscribed = set()

    def announce(self):
        light = {"type": "light", "features": [
            {"type": "binary", "name": "state", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF", "value_toggle": "TOGGLE"},
            {"type": "numeric", "name": "brightness", "property": "brightness", "access": 7, "value_min": 0, "value_max": 254}]}
        quality = {"type": "numeric", "name": "linkquality", "property": "linkquality", "access": 1, "unit": "lqi", "category": "diagnostic"}
        lamps = [{"ieee_address": address, "friendly_name": name, "type": "Router", "interview_completed": True, "supported": True, "disabled": False,
                  "definition": {"vendor": "IKEA", "model": "LED1624G9", "description": "TRADFRI bulb", "exposes": [light, quality]}} for address, name in self.names.items()]
        for name in self.names.values():
            self.subscribe(f"zigbee2mqtt/{name}/set")
            self.publish(f"zigbee2mqtt/{name}/availability", {"state": "online"})
            self.publish(f"zigbee2mqtt/{name}", {"state": "OFF", "brightness": 20, "linkquality": 99})
        self.publish("zigbee2mqtt/bridge/state", {"state": "online"})
        self.publish("zigbee2mqtt/bridge/devices", [{"type": "Coordinator", "ieee_address": "0x00"}, *lamps])

    def obey(self, topic, payload):
        self.publish(topic.removesuffix("/set"), {"state": "OFF", "brightness": 20, "linkquality": 99, **json.loads(payload)})


async def test_zigbee_device_from_its_first_word_to_its_last(place):
    async with registered(place, "alice") as alice, Client(place.xmpp, "bob"):
        with Zigbee(place.broker) as zigbee:
            zigbee.announce()
            contact = (await known(place, "z2m:0x01"))["address"]
            await known(place, "z2m:0x02")
            assert not row(place, "z2m:0x00"), "the coordinator is no contact"
            await alice.expect(kind="presence", frm=contact, type="subscribe")
            await alice.befriend(contact, where=lambda s: s["type"] == "available" and "Light off, Brightness 20" in s["status"])
            alice.say(contact, "on")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "light is on"
            alice.say(contact, "brightness 200")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "brightness is 200"
            assert zigbee.commands == [("zigbee2mqtt/hall/lamp/set", '{"state":"ON"}', False), ("zigbee2mqtt/hall/lamp/set", '{"brightness":200}', False)]
            zigbee.names["0x01"] = "cellar"  # another name, the same contact
            zigbee.announce()
            await place.bridge.until(lambda: row(place, "z2m:0x01")["name"] == "cellar", what="the new name")
            assert row(place, "z2m:0x01")["address"] == contact
            alice.say(contact, "brightness 100")
            assert (await alice.expect(kind="message", frm=contact))["body"] == "brightness is 100"
            assert zigbee.commands[-1][0] == "zigbee2mqtt/cellar/set"
            zigbee.publish("zigbee2mqtt/bridge/state", {"state": "offline"})
            await alice.expect(kind="presence", frm=contact, type="unavailable")
            alice.say(contact, "off")
            assert "nothing was sent" in (await alice.expect(kind="message", frm=contact))["error"]["text"]
            del zigbee.names["0x01"]
            zigbee.announce()
            await place.bridge.until(lambda: not row(place, "z2m:0x01"), what="end of the device")
            assert row(place, "z2m:0x02")
