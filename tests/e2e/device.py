"""A simulated MQTT device: says that it is there (with a will for when it dies), reports its state, obeys commands and reports the new state."""
import json
import socket
import threading

import paho.mqtt.client as mqtt

from servers import HOST


class Device:
    """Topics devices/NAME/{status,state,set,level}. `obeys`: a command changes the state and is reported."""

    def __init__(self, broker, name, obeys=True, retain=True):
        self.name, self.obeys, self.retain = name, obeys, retain
        self.state = {"temperature": 21.4, "power": "OFF"}
        self.commands = []
        self._news = threading.Condition()
        self.connections = 0  # how often it has come to the broker
        self._broker = broker
        self._client = mqtt.Client(client_id=f"device-{name}")
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.will_set(self.topic("status"), "offline", qos=1, retain=True)

    def topic(self, last):
        return f"devices/{self.name}/{last}"

    def start(self):
        """Returns when it is connected, and has said so."""
        self._client.connect(HOST, self._broker.port, keepalive=10)
        self._client.loop_start()
        return self.returned(0)

    def returned(self, connections, seconds=30):
        """Waits until it has come to the broker more often than that."""
        with self._news:
            assert self._news.wait_for(lambda: self.connections > connections, seconds), f"{self.name}: no connection to the broker in {seconds} s"
        return self

    def _connected(self, client, *_):
        client.subscribe([(self.topic("set"), 1), (self.topic("level"), 1)])
        client.publish(self.topic("status"), "online", qos=1, retain=True)
        self.report()
        with self._news:
            self.connections += 1
            self._news.notify_all()

    def _message(self, _client, _userdata, message):
        with self._news:
            self.commands.append((message.topic, message.payload.decode(), message.retain))
            self._news.notify_all()
        if self.obeys and message.topic == self.topic("set"):
            self.state["power"] = message.payload.decode()
            self.report()

    def report(self, **changes):
        self.state.update(changes)
        self._client.publish(self.topic("state"), json.dumps(self.state), qos=1, retain=self.retain)

    def publish(self, last, payload, retain=False, qos=1):
        self._client.publish(self.topic(last), payload, qos=qos, retain=retain)

    def expect_command(self, seconds=20):
        """Takes the oldest command that came: (topic, payload, retained)."""
        with self._news:
            assert self._news.wait_for(lambda: self.commands, seconds), f"{self.name} got no command in {seconds} s"
            return self.commands.pop(0)

    def leave(self):
        """Goes off in good order."""
        self._client.publish(self.topic("status"), "offline", qos=1, retain=True).wait_for_publish(30)
        self._client.disconnect()
        self._client.loop_stop()

    def die(self):
        """Loses its connection: the broker publishes the will."""
        self._client._thread_terminate = True  # pylint: disable=protected-access
        self._client._sock.shutdown(socket.SHUT_RDWR)  # pylint: disable=protected-access
        self._client.loop_stop()

    def close(self):
        """Disconnects, and leaves what it has retained as it is; nothing when it is gone already."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
