"""Devices in the ways of their makers: each behaves as its firmware does, as far as MQTT can see."""
import json
import socket
import threading

import paho.mqtt.client as mqtt

from servers import HOST


class Maker:
    """What all have: a will, topics that are listened to, and a list of what was heard there."""

    def __init__(self, broker, name, will, listen):
        self.name, self.heard = name, []
        self._broker, self._will, self._listen = broker, will, listen
        self._ready = threading.Event()
        self._client = mqtt.Client(client_id=f"maker-{name}")
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.will_set(*will, qos=1, retain=True)

    def __enter__(self):
        self._client.connect(HOST, self._broker.port, keepalive=10)
        self._client.loop_start()
        assert self._ready.wait(20), f"{self.name}: no connection to the broker"
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client, *_):
        client.subscribe([(topic, 1) for topic in self._listen])
        self.begin()
        self._ready.set()

    def _message(self, _client, _userdata, message):
        payload = message.payload.decode()
        self.heard.append((message.topic, payload, message.retain))
        self.obey(message.topic, payload)

    def publish(self, topic, payload, retain=False):
        text = json.dumps(payload) if isinstance(payload, dict) else payload
        return self._client.publish(topic, text, qos=1, retain=retain)

    def die(self):
        """Loses its connection: the broker publishes the will."""
        self._client._thread_terminate = True  # pylint: disable=protected-access
        self._client._sock.shutdown(socket.SHUT_RDWR)  # pylint: disable=protected-access
        self._client.loop_stop()

    def leave_nothing(self, *topics):
        """From another connection, since its own may be gone."""
        client = mqtt.Client(client_id=f"sweeper-{self.name}")
        client.connect(HOST, self._broker.port)
        client.loop_start()
        for topic in topics:
            client.publish(topic, "", qos=1, retain=True).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()

    def begin(self):
        """What it says when it has come to the broker."""

    def obey(self, topic, payload):
        """What it does when it is told something."""


class Tasmota(Maker):
    """A plug that measures, with a button (SetOption73)."""

    def __init__(self, broker, mac, topic, full="%prefix%/%topic%/"):
        self.mac, self.full, self.topic, self.power, self.watts = mac, full, topic, "OFF", 0
        super().__init__(broker, mac, (self._full("tele") + "LWT", "Offline"), [self._full("cmnd") + "+"])

    def _full(self, prefix):
        return self.full.replace("%prefix%", prefix).replace("%topic%", self.topic)

    def discovery(self, last):
        return f"tasmota/discovery/{self.mac}/{last}"

    def begin(self):
        self.publish(self._full("tele") + "LWT", "Online", retain=True)
        self.publish(self.discovery("config"), {
            "ip": "192.168.1.40", "dn": f"Plug {self.topic}", "fn": [f"Plug {self.topic}"] + [None] * 7, "hn": f"{self.topic}-0983", "mac": self.mac, "md": "Gosund SP111",
            "ty": 0, "if": 0, "ofln": "Offline", "onln": "Online", "state": ["OFF", "ON", "TOGGLE", "HOLD"], "sw": "13.4.0", "t": self.topic, "ft": self.full,
            "tp": ["cmnd", "stat", "tele"], "rl": [1] + [0] * 31, "swc": [-1] * 28, "swn": [None] * 28, "btn": [1] + [0] * 31,
            "so": {"4": 0, "11": 0, "13": 0, "17": 0, "20": 0, "30": 0, "68": 0, "73": 1, "82": 0, "114": 0, "117": 0},
            "lk": 0, "lt_st": 0, "bat": 0, "dslp": 0, "sho": [], "sht": [], "ver": 1}, retain=True)
        self.publish(self.discovery("sensors"), {"sn": self._sensors(), "ver": 1}, retain=True)

    def _sensors(self):
        return {"Time": "2026-11-21T10:00:00", "ENERGY": {"TotalStartTime": "2025-01-01T00:00:00", "Total": 12.345, "Yesterday": 0.1, "Today": 0.2, "Power": self.watts,
                                                          "ApparentPower": 0, "ReactivePower": 0, "Factor": 0.0, "Voltage": 231, "Current": 0.0}}

    def measure(self, watts):
        self.watts = watts
        self.publish(self._full("tele") + "SENSOR", self._sensors())

    def press(self, action):
        self.publish(self._full("stat") + "RESULT", {"Button1": {"Action": action}})

    def obey(self, topic, payload):
        stat, command = self._full("stat"), topic.rsplit("/", 1)[1].upper()
        if command in ("POWER", "POWER1"):
            self.power = payload
            self.publish(stat + "RESULT", {"POWER": self.power})
            self.publish(stat + "POWER", self.power)
        elif command == "STATE":
            self.publish(stat + "RESULT", {"Time": "2026-11-21T10:00:00", "POWER": self.power, "Wifi": {"Signal": -55}})
        elif command == "STATUS" and payload == "10":
            self.publish(stat + "STATUS10", {"StatusSNS": self._sensors()})


class Shelly1(Maker):
    """Generation 1: a relay with a meter."""

    def __init__(self, broker, name):
        self.base, self.state, self.power, self.presses = f"shellies/{name}", "off", "0.00", 0
        super().__init__(broker, name, (f"{self.base}/online", "false"), ["shellies/command", f"{self.base}/command", f"{self.base}/relay/0/command"])

    def begin(self):
        self.publish(f"{self.base}/online", "true", retain=True)
        self.announce()
        self.update()

    def announce(self):
        news = {"id": self.name, "model": "SHSW-PM", "mac": "84CCA8B929CC", "ip": "192.168.1.41", "new_fw": False, "fw_ver": "20230913-112234/v1.14.0-gcb84623"}
        self.publish("shellies/announce", news)
        self.publish(f"{self.base}/announce", news)

    def measure(self, power):
        self.power = power
        self.publish(f"{self.base}/relay/0/power", power)

    def update(self):
        for tail, payload in (("relay/0", self.state), ("relay/0/power", self.power), ("relay/0/energy", "12"), ("input/0", "0"), ("temperature", "40.12"),
                              ("temperature_f", "104.22"), ("overtemperature", "0"), ("input_event/0", json.dumps({"event": "S", "event_cnt": self.presses}))):
            self.publish(f"{self.base}/{tail}", payload)

    def press(self):
        self.presses += 1
        self.update()

    def obey(self, topic, payload):
        if topic.endswith("/relay/0/command"):
            self.state = payload
            self.publish(f"{self.base}/relay/0", self.state)
        elif payload == "announce":
            self.announce()
        elif payload == "update":
            self.update()


class Shelly2(Maker):
    """Generation 2 to 4: a relay with a meter and a button, by JSON-RPC. `locked`: it refuses to be switched."""

    def __init__(self, broker, prefix, locked=False):
        self.prefix, self.on, self.watts, self.locked = prefix, False, 0.0, locked
        super().__init__(broker, prefix, (f"{prefix}/online", "false"), [f"{prefix}/rpc"])

    def begin(self):
        self.publish(f"{self.prefix}/online", "true", retain=True)

    def _switch(self):
        return {"id": 0, "source": "mqtt", "output": self.on, "apower": self.watts, "voltage": 230.1, "current": 0.0, "aenergy": {"total": 11.7}, "temperature": {"tC": 40.0, "tF": 104.0}}

    def _notify(self, method, params):
        self.publish(f"{self.prefix}/events/rpc", {"src": "shellyplus1pm-a8032ab12345", "dst": f"{self.prefix}/events", "method": method, "params": {"ts": 1795252800.5, **params}})

    def measure(self, watts):
        self.watts = watts
        self._notify("NotifyStatus", {"switch:0": {"id": 0, "apower": watts}})

    def press(self, event):
        self._notify("NotifyEvent", {"events": [{"component": "input:0", "id": 0, "event": event, "ts": 1795252800.5}]})

    def _set(self, params):
        if self.locked:
            return {"error": {"code": -106, "message": "The switch is locked"}}
        if params.get("id") != 0:
            return {"error": {"code": -105, "message": f"Argument 'id', value {params.get('id')} not found!"}}
        was, self.on = self.on, params["on"]
        return {"result": {"was_on": was}}

    def obey(self, topic, payload):
        request = json.loads(payload)
        results = {
            "Shelly.GetDeviceInfo": {"name": None, "id": "shellyplus1pm-a8032ab12345", "mac": "A8032AB12345", "model": "SNSW-001P16EU", "gen": 2, "ver": "1.4.2", "app": "Plus1PM"},
            "Shelly.GetConfig": {"input:0": {"id": 0, "name": None, "type": "button"}, "switch:0": {"id": 0, "name": None}, "sys": {"device": {"name": f"Relay {self.prefix.split('/')[-1]}"}}},
            "Shelly.GetStatus": {"ble": {}, "input:0": {"id": 0, "state": None}, "switch:0": self._switch(), "sys": {"uptime": 9}, "wifi": {"sta_ip": "192.168.1.42", "rssi": -60}},
        }
        if request["method"] == "Switch.Set":
            answer = self._set(request["params"])
        elif request["method"] in results:
            answer = {"result": results[request["method"]]}
        else:
            answer = {"error": {"code": 404, "message": f"No handler for {request['method']}"}}
        self.publish(f"{request['src']}/rpc", {"id": request["id"], "src": "shellyplus1pm-a8032ab12345", "dst": request["src"], **answer})
        if request["method"] == "Switch.Set" and "result" in answer:
            self._notify("NotifyStatus", {"switch:0": {"id": 0, "output": self.on, "source": "mqtt"}})
