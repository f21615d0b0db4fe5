"""Bare sockets for the tests that need many stanzas, or bytes that no library would send.

Wire is an XMPP user that parses what comes and no more. MqttWire writes MQTT 3.1.1 packets as they are given, and connects again when the broker has hung up.
"""
import asyncio
import base64
import contextlib
import itertools
import socket
import struct
import xml.etree.ElementTree as ET

from servers import HOST

CLIENT = "{jabber:client}"
ERROR = "{http://etherx.jabber.org/streams}error"
TIMEOUT = 20  # of what comes at once, on a machine that is slow
NUDGE = 8192  # expat, as ejabberd uses it, may wait with a long tag that came in two pieces until there is twice as much


class Refused(ConnectionError):
    """The server does not take the resource."""


class Wire:
    """`take`: called with each stanza, an Element; without it they are kept in .got."""

    def __init__(self, server, user, resource="wire", take=None):
        self.server, self.user, self.resource = server, user, resource
        self.bare = f"{user}@{server.domain}"
        self.got = []
        self.take = take or self.got.append
        self._ids = itertools.count()
        self._answers = {}
        self.error = None  # the server's last words
        self._reader = self._writer = self._task = self._parser = None
        self._depth, self._root, self._element = 0, None, None

    # Life.
    async def __aenter__(self):
        self._reader, self._writer = await asyncio.open_connection(HOST, self.server.c2s_port, limit=1 << 20)
        await self._open_stream()
        plain = base64.b64encode(f"\0{self.user}\0{self.server.users[self.user]}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>")
        assert (await self._next()).tag.endswith("}success"), f"{self.bare}: not let in"
        await self._open_stream()
        self.send(f"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{self.resource}</resource></bind></iq>")
        if (await self._next()).get("type") != "result":
            self._writer.close()
            raise Refused(f"{self.bare}: no resource {self.resource!r}")
        self._task = asyncio.ensure_future(self._read())
        await self.request(None, "<query xmlns='jabber:iq:roster'/>")
        self.send("<presence/>")
        return self

    async def __aexit__(self, *_):
        self._task.cancel()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            self.send("</stream:stream>")
            self._writer.close()
            await self._writer.wait_closed()

    async def _open_stream(self):
        self._parser = ET.XMLPullParser(("start", "end"))
        self._depth, self._waiting = 0, []
        self.send(f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{self.server.domain}' version='1.0'>")
        await self._next()  # features

    # What comes.
    def _feed(self, data):
        self._parser.feed(data)
        for event, element in self._parser.read_events():
            if event == "start":
                self._depth += 1
                self._root = element if self._depth == 1 else self._root
                continue
            self._depth -= 1
            if self._depth == 1:
                self._root.clear()
                yield element

    async def _next(self):
        while not self._waiting:
            self._waiting += self._feed(await asyncio.wait_for(self._reader.read(65536), TIMEOUT))
        return self._waiting.pop(0)

    async def _read(self):
        while data := await self._reader.read(1 << 18):
            for stanza in self._feed(data):
                if stanza.tag == ERROR:
                    self.error = ET.tostring(stanza, encoding="unicode")
                answer = self._answers.pop(stanza.get("id"), None) if stanza.tag == f"{CLIENT}iq" else None
                if answer and not answer.done():
                    answer.set_result(stanza)
                else:
                    self.take(stanza)

    async def ended(self):
        """Returns when the server has hung up."""
        with contextlib.suppress(OSError):
            await self._task

    # What goes out.
    def send(self, xml):
        self._writer.write(xml.encode())

    async def drain(self):
        await self._writer.drain()

    async def request(self, to, payload, kind="get", timeout=TIMEOUT):
        """The answer's Element, an error's too."""
        stanza_id = f"wire-{next(self._ids)}"
        answer = self._answers[stanza_id] = asyncio.get_running_loop().create_future()
        self.send(f"<iq type='{kind}' id='{stanza_id}'" + (f" to='{to}'" if to else "") + f">{payload}</iq>")
        for _ in range(timeout):
            done, _ = await asyncio.wait({answer, self._task}, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            if done:
                break
            self.send(" " * NUDGE)
        assert not self._task.done(), f"{self.bare}: the server has ended the stream: {self.error or self._task}"
        assert answer.done(), f"{self.bare}: no answer from {to} in {timeout} s"
        return answer.result()

    async def fence(self, to=None, timeout=TIMEOUT):
        """Returns when all that we said before has been dealt with there."""
        return await self.request(to, "<ping xmlns='urn:xmpp:ping'/>", timeout=timeout)


def _string(data):
    return struct.pack(">H", len(data)) + data


def packet(kind, body):
    """An MQTT control packet: first byte, length, body."""
    size, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        size += bytes([digit | (0x80 if rest else 0)])
        if not rest:
            return bytes([kind]) + size + body


def publish_packet(topic, payload, retain=False):
    return packet(0x30 | retain, _string(topic) + payload)


class MqttWire:
    """A publisher of any bytes. `hung_up`: how often the broker has refused to go on; `will`: topic and payload, retained."""

    def __init__(self, broker, name="wire", will=None):
        self._broker, self._name, self._will = broker, name, will
        self._sock = None
        self.hung_up = 0

    def _connect(self):
        self._sock = socket.create_connection((HOST, self._broker.port), timeout=TIMEOUT)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags, will = (b"\x2e", b"".join(map(_string, self._will))) if self._will else (b"\x02", b"")
        self._sock.sendall(packet(0x10, _string(b"MQTT") + b"\x04" + flags + b"\x00\x00" + _string(self._name.encode()) + will))
        assert self._sock.recv(4) == b"\x20\x02\x00\x00"

    def publish(self, topic, payload, retain=False):
        if not self._sock:
            self._connect()
        with contextlib.suppress(OSError):
            self._sock.sendall(publish_packet(topic, payload, retain))

    def publish_surely(self, topic, payload):
        """At QoS 1; returns with the broker's acknowledgement."""
        if not self._sock:
            self._connect()
        self._sock.sendall(packet(0x32, _string(topic) + b"\x00\x01" + payload))
        assert self._sock.recv(4) == b"\x40\x02\x00\x01"

    def fence(self):
        """True when the broker has taken all so far, False when it has hung up on it."""
        if not self._sock:
            return True
        with contextlib.suppress(OSError):
            self._sock.sendall(b"\xc0\x00")
            if self._sock.recv(2) == b"\xd0\x00":
                return True
        self.close()
        self.hung_up += 1
        return False

    def close(self):
        if self._sock:
            self._sock.close()
        self._sock = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
