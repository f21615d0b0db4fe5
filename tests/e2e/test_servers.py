"""The fixtures themselves: servers come, keep their data and go; users and components get in."""
import asyncio
import contextlib
import hashlib
import re
import socket
import ssl

import pytest
import servers
from client import Client


class RawComponent:
    """A component of a few lines, to see what the servers do."""

    def __init__(self, server, domain=None, secret=None):
        self.sock = socket.create_connection((servers.HOST, server.component_port), timeout=10)
        if server.tls:
            self.sock = ssl.create_default_context(cafile=server.tls / "ca.pem").wrap_socket(self.sock, server_hostname="localhost")
        self.got = b""
        self.sock.sendall(b"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='%s'>"
                          % (domain or server.component).encode())
        ident = re.search(rb" id=['\"]([^'\"]*)", self.until(rb" id=['\"][^'\"]*['\"]")).group(1)
        digest = hashlib.sha1(ident + (secret or server.secret).encode()).hexdigest()
        with contextlib.suppress(OSError):
            self.sock.sendall(b"<handshake>%s</handshake>" % digest.encode())

    def until(self, pattern):
        """All that came up to what matches, or to the end of the stream."""
        while not re.search(pattern, self.got):
            data = self.sock.recv(65536)
            if not data:
                break
            self.got += data
        return self.got

    def close(self):
        self.sock.close()


HANDSHAKE = rb"<handshake\s*/>|<handshake[^>]*></handshake>"


def test_component_gets_in(xmpp):
    with contextlib.closing(RawComponent(xmpp)) as c:
        assert re.search(HANDSHAKE, c.until(HANDSHAKE))
        c.sock.sendall(b"<iq type='get' id='self-1' from='%b' to='%b'><ping xmlns='urn:xmpp:ping'/></iq>" % (xmpp.component.encode(), xmpp.component.encode()))
        assert b"self-1" in c.until(rb"self-1"), "a self-addressed IQ comes back"


def test_wrong_secret_is_refused(xmpp):
    with contextlib.closing(RawComponent(xmpp, secret="wrong")) as c:
        assert b"not-authorized" in c.until(rb"</stream:stream>")


def test_users_talk_and_data_outlives_a_crash(xmpp):
    async def scenario():
        xmpp.add_user("dora", "dora-pw")
        async with Client(xmpp, "alice") as alice, Client(xmpp, "dora") as dora:
            dora.say(alice.bare, "hello")
            assert (await alice.expect(kind="message", frm=dora.bare))["body"] == "hello"
            await dora.expect_none(kind="message")
            await alice.enter_room(f"den@{xmpp.rooms}", "al")
        xmpp.kill()
        xmpp.start()
        async with Client(xmpp, "dora"):
            pass

    asyncio.run(scenario())


def test_rooms_keep_strangers_out_and_what_was_said(xmpp):
    room = f"club@{xmpp.rooms}"

    async def scenario():
        async with Client(xmpp, "alice") as alice, Client(xmpp, "bob") as bob:
            await alice.make_room(room, "al", membersonly=True)
            assert (await bob.try_room(room, "bo"))["error"]["condition"] == "registration-required"
            await alice.make_room(room, "al", membersonly=False, passwordprotectedroom=True, roomsecret="open sesame")
            assert (await bob.try_room(room, "bo"))["error"]["condition"] == "not-authorized"
            assert (await bob.try_room(room, "bo", "open sesame"))["type"] == "available"
            said = alice.say(room, "hello", "groupchat")
            await alice.expect(kind="message", frm=f"{room}/al", body="hello")
            await alice.request(room, "<query xmlns='urn:xmpp:mam:2' queryid='q1'/>", "set")
            archived = await alice.expect(kind="message", where=lambda s: s.xml.find("{urn:xmpp:mam:2}result") is not None and said in str(s))
            assert archived["from"] == room

    asyncio.run(scenario())


def test_restart_keeps_the_ports(xmpp):
    before = (xmpp.c2s_port, xmpp.component_port)
    xmpp.restart()
    assert (xmpp.c2s_port, xmpp.component_port) == before
    test_component_gets_in(xmpp)


def test_component_port_with_tls():
    with servers.Ejabberd(tls=True) as server:
        with contextlib.closing(RawComponent(server)) as c:
            assert re.search(HANDSHAKE, c.until(HANDSHAKE))


def test_broker(mosquitto):
    assert mosquitto.ready()
    mosquitto.kill()
    assert not mosquitto.ready()
    mosquitto.start()


def test_broker_with_tls_and_passwords():
    with servers.Mosquitto(tls=True, users={"dev": "secret"}) as server:
        with socket.create_connection((servers.HOST, server.tls_port), timeout=5) as plain:
            context = ssl.create_default_context(cafile=server.tls / "ca.pem")
            with context.wrap_socket(plain, server_hostname="localhost") as sock:
                assert sock.version() in ("TLSv1.2", "TLSv1.3")


def test_a_server_that_cannot_start_says_why():
    server = servers.Mosquitto(extra="no_such_option true")
    with pytest.raises(RuntimeError, match="no_such_option"):
        with server:
            pass
    assert not server.directory.exists()
