"""A broker for one client, the bridge, that keeps a book: which message of QoS 1 the bridge has acknowledged, and what it has published.

It speaks MQTT 3.1.1 and 5, keeps the session over connections, and sends again, with DUP and the same packet identifier, what was not acknowledged. The test's loop
runs it: what blocks does so in a thread.
"""
import asyncio
import collections
import contextlib
import dataclasses
import itertools
import socket
import struct
import time

from servers import HOST, free_port
from wire import packet

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14
WINDOW = 64  # unless the bridge wants fewer
SESSION_EXPIRY, RECEIVE_MAXIMUM = 0x11, 0x21
SIZES = {SESSION_EXPIRY: 4, RECEIVE_MAXIMUM: 2, 0x27: 4, 0x22: 2, 0x19: 1, 0x17: 1}  # of the properties of a CONNECT


@dataclasses.dataclass
class Item:
    """What goes to the bridge."""
    topic: str
    payload: bytes
    acked: float = 0  # when the bridge has acknowledged it, else 0
    code: int = 0  # the reason code it did that with
    sent: int = 0  # how often it was written to a connection


@dataclasses.dataclass
class Received:
    """What came from the bridge."""
    topic: str
    payload: bytes
    qos: int
    dup: bool
    at: float


def _varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def _string(data, at):
    size = struct.unpack_from(">H", data, at)[0]
    return data[at + 2:at + 2 + size], at + 2 + size


def matches(pattern, topic):
    """An MQTT filter, and a topic."""
    levels, words = pattern.split("/"), topic.split("/")
    for n, level in enumerate(levels):
        if level == "#":
            return True
        if n >= len(words) or level not in ("+", words[n]):
            return False
    return len(levels) == len(words)


class FakeBroker:
    """`obeys(topic, payload)`: called with each publish of the bridge; `answers`: acknowledges those of QoS 1."""

    def __init__(self, obeys=None):
        self.port = free_port()
        self.obeys = obeys
        self.answers = True
        self.items = []  # all ever published to the bridge, in order
        self.received = []
        self.connections = 0  # of the bridge, greeted
        self.violations = []  # of the protocol, by the bridge
        self.hung_up = 0
        self._server = self._writer = None
        self._filters = {}  # of the session: filter -> QoS
        self._waiting = collections.deque()  # not yet in flight
        self._flight = {}  # packet identifier -> Item, in order
        self._identifiers = itertools.cycle(range(1, 65536))
        self._v5 = False
        self.window = WINDOW  # messages in flight to the bridge
        self._retained = {}

    # Life.
    async def __aenter__(self):
        await self.start()
        return self

    async def __aexit__(self, *_):
        await self.stop()

    async def start(self):
        """Listens, with the session as it was."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port, limit=1 << 20)

    async def stop(self, rst=False):
        """Hangs up and does not listen."""
        if self._server:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        self.hang_up(rst)

    def hang_up(self, rst=False):
        """Ends the connection that there is."""
        writer, self._writer = self._writer, None
        if not writer:
            return
        self.hung_up += 1
        if rst:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        else:
            writer.close()

    @property
    def up(self):
        """The bridge is there and has subscribed."""
        return self._writer is not None and bool(self._filters)

    @property
    def unacked(self):
        """Messages that the bridge has not acknowledged."""
        return len(self._flight) + len(self._waiting)

    # To the bridge.
    def publish(self, topic, payload, retain=False):
        """At QoS 1; the Item, when somebody has subscribed or will."""
        payload = payload if isinstance(payload, bytes) else payload.encode()
        if retain:
            self._retained[topic] = payload
        item = Item(topic, payload)
        self.items.append(item)
        self._waiting.append(item)
        self._pump()
        return item

    def _pump(self):
        while self.up and self._waiting and len(self._flight) < self.window:
            item = self._waiting.popleft()
            if not any(matches(f, item.topic) for f in self._filters):
                continue
            number = next(n for n in self._identifiers if n not in self._flight)
            self._flight[number] = item
            self._send_item(number, item, False)

    def _send_item(self, number, item, dup):
        item.sent += 1
        topic = item.topic.encode()
        head = struct.pack(">H", len(topic)) + topic + struct.pack(">H", number) + (b"\0" if self._v5 else b"")
        self._writer.write(packet(PUBLISH << 4 | (8 if dup else 0) | 2, head + item.payload))

    # From the bridge.
    async def _serve(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readexactly(1)
                size = shift = 0
                while True:
                    digit = (await reader.readexactly(1))[0]
                    size, shift = size | (digit & 0x7F) << shift, shift + 7
                    if not digit & 0x80:
                        break
                self._packet(writer, head[0], await reader.readexactly(size))
        if self._writer is writer:
            self._writer = None
        writer.close()

    def _packet(self, writer, head, body):
        kind = head >> 4
        if kind == CONNECT:
            self._connect(writer, body)
        elif writer is not self._writer:
            self.violations.append(f"packet {kind} without a session")
        elif kind == PUBACK:
            self._acked(body)
        elif kind == PUBLISH:
            self._publish(head, body)
        elif kind in (SUBSCRIBE, UNSUBSCRIBE):
            self._subscribe(kind, body)
        elif kind == PINGREQ:
            writer.write(packet(PINGRESP << 4, b""))
        elif kind != DISCONNECT:
            self.violations.append(f"packet {kind}")

    def _connect(self, writer, body):
        if self._writer:
            self._writer.close()
        level, flags = body[6], body[7]
        self._v5 = level == 5
        window = 65535
        if self._v5:
            size, at = _varint(body, 10)
            end = at + size
            while at < end and body[at] in SIZES:
                value = int.from_bytes(body[at + 1:at + 1 + SIZES[body[at]]], "big")
                window = value if body[at] == RECEIVE_MAXIMUM else window
                at += 1 + SIZES[body[at]]
        self.window = min(WINDOW, window)
        if flags & 2:  # a clean start
            self._waiting.extendleft(reversed(self._flight.values()))
            self._flight, self._filters = {}, {}
        present = bool(self._filters)
        self._writer = writer
        self.connections += 1
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer.write(packet(CONNACK << 4, bytes([present, 0]) + (b"\0" if self._v5 else b"")))
        for number, item in self._flight.items():
            self._send_item(number, item, True)
        self._pump()

    def _acked(self, body):
        number = struct.unpack_from(">H", body)[0]
        item = self._flight.pop(number, None)
        if not item:
            self.violations.append(f"PUBACK of {number}, which is not in flight")
            return
        item.acked, item.code = time.monotonic(), body[2] if len(body) > 2 else 0
        self._pump()

    def _publish(self, head, body):
        topic, at = _string(body, 0)
        qos, number = head >> 1 & 3, None
        if qos:
            number, at = body[at:at + 2], at + 2
        if self._v5:
            size, at = _varint(body, at)
            at += size
        self.received.append(Received(topic.decode(), body[at:], qos, bool(head & 8), time.monotonic()))
        if qos and self.answers:
            self._writer.write(packet(PUBACK << 4, number))
        if self.obeys:
            self.obeys(topic.decode(), body[at:])

    def _subscribe(self, kind, body):
        at = 2
        if self._v5:
            size, at = _varint(body, at)
            at += size
        codes, new = b"", []
        while at < len(body):
            name, at = _string(body, at)
            if kind == SUBSCRIBE:
                qos, at = body[at] & 3, at + 1
                new += [name.decode()] if name.decode() not in self._filters else []
                self._filters[name.decode()] = qos
                codes += bytes([qos])
            else:
                self._filters.pop(name.decode(), None)
                codes += b"\0"
        if kind == UNSUBSCRIBE and not self._v5:
            codes = b""
        self._writer.write(packet((kind + 1) << 4, body[:2] + (b"\0" if self._v5 else b"") + codes))
        for topic, payload in self._retained.items():
            if any(matches(f, topic) for f in new):
                name = topic.encode()
                self._writer.write(packet(PUBLISH << 4 | 1, struct.pack(">H", len(name)) + name + (b"\0" if self._v5 else b"") + payload))
        self._pump()
