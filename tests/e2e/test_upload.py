"""Pictures of MQTT devices reach XMPP users by HTTP upload (XEP-0363) and out-of-band data (XEP-0066), on real servers; and what users and admins are told when they
do not."""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import socket
import ssl
import struct
import threading
import time
import urllib.request
import zlib

import paho.mqtt.client as mqtt
import pytest

from bridge import Bridge
from client import Client
from servers import HOST, UPLOAD, Ejabberd, Prosody
from wait import blocked_until

OOB = "{jabber:x:oob}x/{jabber:x:oob}url"
CAMERAS = """
      packet_maximum: 4MB
      devices:
        cams:
          topic: cams/+/jpeg
          class: camera
          readings:
            motion: {topic: "cams/{1}/motion"}
          alerts:
            - {reading: motion, change: true, every: 1ms, message: "{name}: motion {motion}"}
          files:
            snapshot: {topic: "cams/{1}/jpeg", every: 1ms}
            clip: {topic: "cams/{1}/clip", max_size: 3MB}
            strict: {topic: "cams/{1}/strict", unknown: refuse}
      discovery:
        enabled: true
        quarantine: false
        allow: ["found/#"]
"""


def picture(colour, size=64):
    """A real PNG of that colour, with noise that makes it as large as asked for (kB)."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    width = 64
    noise = hashlib.shake_128(bytes([colour])).digest(size * 1024)
    rows = b"".join(b"\0" + noise[i:i + width * 3].ljust(width * 3, bytes([colour])) for i in range(0, len(noise), width * 3))
    height = len(rows) // (width * 3 + 1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


class Publisher:
    """A camera, or any number of them."""

    def __init__(self, broker):
        self._client = mqtt.Client(client_id=f"camera-{os.getpid()}-{id(self)}")
        self._client.connect(HOST, broker.port)
        self._client.loop_start()

    def publish(self, topic, payload, qos=1, retain=False):
        self._client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()


def download(url, ca=None):
    context = ssl.create_default_context(cafile=str(ca)) if ca else None
    with urllib.request.urlopen(url, timeout=20, context=context) as answer:
        return answer.read(), answer.headers["Content-Type"]


def url_of(message):
    """The URL of a message with a file: all of its body, and out of band."""
    url = message.xml.find(OOB)
    assert url is not None, str(message)
    assert url.text == message["body"]
    return url.text


def is_file(stanza):
    return stanza.xml.find(OOB) is not None


class Web:
    """A web server of a bad kind: what it does with each connection is for `act`, in a thread of its own."""

    def __init__(self, act):
        self.requests = 0
        self._act = act
        self._closing = threading.Event()
        self._socket = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}/upload"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            self.requests += 1
            threading.Thread(target=self._one, args=(link,), daemon=True).start()

    def _one(self, link):
        with contextlib.suppress(OSError), link:
            link.settimeout(30)
            self._act(link, self._closing)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def read_request(link):
    got = b""
    while b"\r\n\r\n" not in got:
        got += link.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        data = link.recv(65536)
        if not data:
            return
        body += data


def hangs(_link, closing):
    closing.wait(60)


def answers(text):
    def act(link, _closing):
        read_request(link)
        link.sendall(text)
    return act


def endless(link, closing):
    read_request(link)
    link.sendall(b"HTTP/1.1 201 Created\r\n\r\n")
    while not closing.is_set():
        link.sendall(b"la" * 4096)


def subscriptions(broker):
    """That were answered; all of a bridge here are asked for in one."""
    return broker.log.read_text(errors="replace").count("Sending SUBACK")


@contextlib.contextmanager
def running(server, broker, **options):
    bridge = Bridge(server, broker, mqtt=CAMERAS, **options)
    try:
        subscribed = subscriptions(broker)
        bridge.start()
        blocked_until(lambda: subscriptions(broker) > subscribed, what="subscription")
        yield bridge
        bridge.finish()
    finally:
        bridge.close()


KINDS = {"prosody": lambda: Prosody(uploads="", users={"alice": "alice-pw", "bob": "bob-pw", "admin": "admin-pw"}),
         "ejabberd": lambda: Ejabberd(uploads="open", users={"alice": "alice-pw", "bob": "bob-pw", "admin": "admin-pw"})}


@pytest.fixture(scope="module", params=sorted(KINDS))
def server(request):
    with KINDS[request.param]() as started:
        yield started


@pytest.fixture(name="bridge")
def _bridge(server, mosquitto):
    web = getattr(server, "web", None)
    with running(server, mosquitto, link=f"    upload: {{ca: {web}/ca.pem}}\n" if web else "") as bridge:
        yield bridge


def authority(server):
    web = getattr(server, "web", None)
    return web / "ca.pem" if web else None


async def test_a_picture_arrives(server, mosquitto, bridge):
    """Every byte of it, by a URL that clients show as a picture; for who asks, and for who subscribes."""
    first, second = picture(1, 300), picture(2)
    with Publisher(mosquitto) as camera:
        camera.publish("cams/door/jpeg", first)
        await bridge.expect_mapping("door")
        async with Client(server, "alice") as alice:
            alice.say(f"door@{bridge.domain}", "get snapshot", receipt=True)
            url = url_of(await alice.expect(kind="message", frm=f"door@{bridge.domain}", where=is_file))
            assert download(url, authority(server)) == (first, "image/png")
            assert url.endswith("/snapshot.png")
            await alice.expect(kind="message", where=lambda s: s.xml.find("{urn:xmpp:receipts}received") is not None)
            await alice.befriend(f"door@{bridge.domain}")
            camera.publish("cams/door/jpeg", second)
            message = await alice.expect(kind="message", frm=f"door@{bridge.domain}", where=is_file)
            assert download(url_of(message), authority(server)) == (second, "image/png")
            assert message["from"].resource == "home"
        assert "2 sent, 0 used again, 0 failed" in bridge.ctl("status")


async def test_the_same_bytes_are_sent_once(server, mosquitto, bridge):
    with Publisher(mosquitto) as camera:
        camera.publish("cams/yard/jpeg", picture(3))
        await bridge.expect_mapping("yard")
        async with Client(server, "alice") as alice:
            urls = set()
            for _ in range(3):
                alice.say(f"yard@{bridge.domain}", "snapshot")
                urls.add(url_of(await alice.expect(kind="message", where=is_file)))
            assert len(urls) == 1
        assert "1 sent, 2 used again" in bridge.ctl("status")


async def test_only_who_may_read_gets_it(server, mosquitto):
    access = "access: [allow all to alice@localhost, allow see send to bob@localhost]\n"
    web = authority(server)
    with running(server, mosquitto, access=access, link=f"    upload: {{ca: {web}}}\n" if web else "") as bridge, Publisher(mosquitto) as camera:
        camera.publish("cams/safe/jpeg", picture(4))
        await bridge.expect_mapping("safe")
        async with Client(server, "alice") as alice, Client(server, "bob") as bob:
            bob.say(f"safe@{bridge.domain}", "get snapshot")
            refused = await bob.expect(kind="message", type="error")
            assert "you may not read anything here" in str(refused)
            await bob.befriend(f"safe@{bridge.domain}")
            await alice.befriend(f"safe@{bridge.domain}")
            camera.publish("cams/safe/jpeg", picture(5))
            await alice.expect(kind="message", where=is_file)
            await bob.through(bridge.domain)
            await bob.expect_none(kind="message", where=is_file)


async def test_what_nobody_would_see_is_not_sent(server, mosquitto, bridge):
    with Publisher(mosquitto) as camera:
        for colour in (6, 7):
            camera.publish("cams/attic/jpeg", picture(colour))
        await bridge.expect_mapping("attic")
        async with Client(server, "alice") as alice:
            alice.say(f"attic@{bridge.domain}", "get snapshot")
            url = url_of(await alice.expect(kind="message", where=is_file))
            assert download(url, authority(server))[0] == picture(7)
        assert "1 sent, 0 used again, 0 failed" in bridge.ctl("status")


async def test_files_of_any_kind(server, mosquitto, bridge):
    """What is no known type is sent as bytes, or refused where that is wanted."""
    blob = bytes(range(1, 256)) * 5000
    with Publisher(mosquitto) as camera:
        camera.publish("cams/lab/jpeg", picture(8))
        camera.publish("cams/lab/clip", blob)
        camera.publish("cams/lab/strict", blob)
        await bridge.expect_log("a file of a device was dropped.*strict.*no known type")
        async with Client(server, "alice") as alice:
            alice.say(f"lab@{bridge.domain}", "get clip")
            url = url_of(await alice.expect(kind="message", where=is_file))
            assert url.endswith("/clip.bin")
            assert download(url, authority(server))[0] == blob
            alice.say(f"lab@{bridge.domain}", "get strict")
            assert "strict has not come yet" in str(await alice.expect(kind="message", type="error"))


async def ask_until_it_is_there(user, contact, words):
    """What the broker has retained comes a little after the bridge has subscribed to it."""
    while True:
        user.say(contact, words)
        message = await user.expect(kind="message", frm=contact)
        if message["type"] != "error":
            return url_of(message)
        assert "has not come yet" in str(message)


async def test_discovered_cameras(server, mosquitto, bridge):
    """Home Assistant's `camera` and `image`, the latter in base64."""
    with Publisher(mosquitto) as camera:
        device = {"ids": "cam1", "name": "Porch"}
        camera.publish("homeassistant/camera/porch/config", json.dumps({"name": "Live", "t": "found/porch/live", "dev": device}))
        camera.publish("homeassistant/image/porch/config", json.dumps({"name": "Person", "img_t": "found/porch/person", "img_e": "b64", "dev": device}))
        camera.publish("found/porch/live", picture(9), retain=True)
        camera.publish("found/porch/person", base64.encodebytes(picture(10)), retain=True)
        await bridge.expect_mapping("porch")
        async with Client(server, "alice") as alice:
            for name, want in (("live", picture(9)), ("person", picture(10))):
                url = await ask_until_it_is_there(alice, f"porch@{bridge.domain}", f"get {name}")
                assert download(url, authority(server)) == (want, "image/png")
        for topic in ("homeassistant/camera/porch/config", "homeassistant/image/porch/config", "found/porch/live", "found/porch/person"):
            camera.publish(topic, b"", retain=True)


async def test_a_retained_picture_is_there_after_a_restart(server, mosquitto):
    web = authority(server)
    with Publisher(mosquitto) as camera:
        camera.publish("cams/hall/jpeg", picture(11), retain=True)
        with running(server, mosquitto, link=f"    upload: {{ca: {web}}}\n" if web else "") as bridge:
            await bridge.expect_mapping("hall")
            bridge.restart()
            async with Client(server, "alice") as alice:
                url = await ask_until_it_is_there(alice, f"hall@{bridge.domain}", "get snapshot")
                assert download(url, authority(server))[0] == picture(11)
        camera.publish("cams/hall/jpeg", b"", retain=True)


# What can go wrong.

async def ask(bridge, server, camera, broker, colour=1, user="alice"):
    """What is said to who asks for a picture."""
    with Publisher(broker) as publisher:
        publisher.publish(f"cams/{camera}/jpeg", picture(colour))
    await bridge.expect_mapping(camera)
    async with Client(server, user) as client:
        client.say(f"{camera}@{bridge.domain}", "get snapshot")
        return (await client.expect(kind="message", frm=f"{camera}@{bridge.domain}", timeout=60))["body"]


async def test_ejabberd_without_the_snippet(mosquitto):
    """The error is told: to the user in short, to the admins once, with what to change, and in the status."""
    with Ejabberd(uploads="closed") as server, running(server, mosquitto, link=f"    upload: {{ca: {server.web}/ca.pem}}\n") as bridge:
        async with Client(server, "admin") as admin:
            for colour in (1, 2):
                said = await ask(bridge, server, "gate", mosquitto, colour)
                assert said == "snapshot: the picture cannot be shown: the server does not let this bridge upload files"
            told = await admin.expect(kind="message", frm=bridge.domain)
            for part in (UPLOAD, "access_rules", f"server: {bridge.domain}", "http_file_share_access", "docs/servers.md"):
                assert part in told["body"]
            await admin.through(bridge.domain)
            await admin.expect_none(kind="message", body="cannot be sent")
        status = bridge.ctl("status")
        assert "0 sent, 0 used again, 2 failed" in status
        assert "access_rules" in status
        assert bridge.output().count("Pictures and files cannot be sent") == 1


async def test_prosody_without_access(mosquitto):
    with Prosody(uploads='http_file_share_access = { "elsewhere.example" }') as server, running(server, mosquitto) as bridge:
        said = await ask(bridge, server, "gate", mosquitto)
        assert said == "snapshot: the picture cannot be shown: the server does not let this bridge upload files"
        assert f'add "{bridge.domain}" to http_file_share_access' in await_log(bridge)


def await_log(bridge):
    return bridge.output().replace('\\"', '"')


@pytest.mark.parametrize("limited", [lambda: Prosody(uploads="http_file_share_size_limit = 20000"),
                                     lambda: Ejabberd(uploads="open", upload_options="    max_size: 20000\n")], ids=["prosody", "ejabberd"])
async def test_too_large(mosquitto, limited):
    """Known beforehand, from what the service says of itself: it is not even asked."""
    with limited() as server, running(server, mosquitto) as bridge:
        said = await ask(bridge, server, "gate", mosquitto)
        assert "the picture cannot be shown: it has" in said
        assert "the server takes 20.0 kB" in said


async def test_a_quota(mosquitto):
    with Prosody(uploads="http_file_share_daily_quota = 100000") as server, running(server, mosquitto) as bridge:
        said = [await ask(bridge, server, "gate", mosquitto, colour) for colour in (1, 2)]
        assert said[0].startswith("http://")
        assert "the server takes no more files for now" in said[1]
        assert "quota" in await_log(bridge)


async def test_no_service(prosody, mosquitto):
    with running(prosody, mosquitto) as bridge:
        said = await ask(bridge, prosody, "gate", mosquitto)
        assert said == "snapshot: the picture cannot be shown: the server has no upload service that the bridge could use"
        assert "no upload service was found at localhost" in bridge.ctl("status")


async def test_a_service_that_is_not_there(prosody, mosquitto):
    with running(prosody, mosquitto, link="    upload: {service: nowhere.localhost}\n") as bridge:
        said = await ask(bridge, prosody, "gate", mosquitto)
        assert "no upload service" in said
        assert "the upload service nowhere.localhost does not offer uploads" in bridge.ctl("status")


async def test_an_untrusted_web_server(mosquitto):
    """Without `ca` the authority of the test is not trusted, and nothing is sent."""
    with Ejabberd(uploads="open") as server, running(server, mosquitto) as bridge:
        assert "the upload server could not be used (TLS failed)" in await ask(bridge, server, "gate", mosquitto)


async def test_a_reload(mosquitto):
    """What was wrong is mended while the bridge runs."""
    with Ejabberd(uploads="open") as server, running(server, mosquitto) as bridge:
        assert "cannot be shown" in await ask(bridge, server, "gate", mosquitto)
        bridge.link_options = f"    upload: {{service: {UPLOAD}, ca: {server.web}/ca.pem}}\n"
        bridge.configure()
        bridge.reload()
        await bridge.expect_log("configuration reloaded")
        said = await ask(bridge, server, "gate", mosquitto)
        assert download(said, server.web / "ca.pem")[0] == picture(1)
        await bridge.expect_log("files can be sent again|upload service found")


@pytest.mark.parametrize("act, said", [
    (answers(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"), "the upload server answered 500"),
    (answers(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"), "the upload server answered 302"),
    (endless, "the upload server could not be used (limit exceeded)"),
], ids=["500", "redirects", "endless"])
async def test_a_bad_web_server(mosquitto, act, said):
    with Web(act) as web, Ejabberd(uploads="open", put_url=web.url) as server:
        with running(server, mosquitto) as bridge:
            assert said in await ask(bridge, server, "gate", mosquitto)
            assert web.requests == 1
            assert "1 failed" in bridge.ctl("status")


async def test_a_web_server_that_hangs(mosquitto):
    """Nothing else waits for it: alerts, answers, presence go on; and it is given up."""
    with Web(hangs) as web, Ejabberd(uploads="open", put_url=web.url) as server:
        with running(server, mosquitto) as bridge, Publisher(mosquitto) as camera:
            camera.publish("cams/gate/jpeg", picture(1))
            camera.publish("cams/gate/motion", "no")
            await bridge.expect_mapping("gate")
            async with Client(server, "alice") as alice:
                await alice.befriend(f"gate@{bridge.domain}")
                for colour in range(2, 6):
                    camera.publish("cams/gate/jpeg", picture(colour))
                await bridge.until(lambda: web.requests == 2, what="two uploads at once")
                began = time.monotonic()
                for motion in ("yes", "no"):
                    camera.publish("cams/gate/motion", motion)
                    await alice.expect(kind="message", body=f"gate: motion {motion}")
                alice.say(f"gate@{bridge.domain}", "get motion")
                await alice.expect(kind="message", body="motion: no")
                assert time.monotonic() - began < 8
                await bridge.until(lambda: "4 waiting" in bridge.ctl("status"), what="four files that wait")
                told = await alice.expect(kind="message", body="the picture cannot be shown", timeout=60)
                assert "timed out" in told["body"]
                await alice.through(bridge.domain)
                await alice.expect_none(kind="message", body="the picture cannot be shown")  # once for all of them


async def test_a_bridge_stops_while_files_wait(mosquitto):
    with Web(hangs) as web, Ejabberd(uploads="open", put_url=web.url) as server:
        with running(server, mosquitto) as bridge, Publisher(mosquitto) as camera:
            camera.publish("cams/gate/jpeg", picture(1))
            await bridge.expect_mapping("gate")
            async with Client(server, "alice") as alice:
                alice.say(f"gate@{bridge.domain}", "get snapshot")
                await bridge.until(lambda: web.requests == 1, what="an upload")
                began = time.monotonic()
                bridge.finish()  # in good order, clean, and soon
                assert time.monotonic() - began < 10


async def test_an_outage_of_the_xmpp_server(mosquitto):
    """Pictures go on when it is back: the service is looked for anew."""
    with Prosody(uploads="") as server, running(server, mosquitto) as bridge:
        assert (await ask(bridge, server, "gate", mosquitto)).startswith("http")
        server.kill()
        server.start()
        bridge.wait_ready()
        assert (await ask(bridge, server, "gate", mosquitto, 2)).startswith("http")


async def test_a_user_who_asks_too_often(server, mosquitto, bridge):
    with Publisher(mosquitto) as camera:
        camera.publish("cams/busy/jpeg", picture(12))
        await bridge.expect_mapping("busy")
        async with Client(server, "bob") as bob:
            said = []
            while not said or "too many at once" not in said[-1]:
                camera.publish("cams/busy/jpeg", picture(13 + len(said), 4))
                bob.say(f"busy@{bridge.domain}", "get snapshot")
                said.append((await bob.expect(kind="message", frm=f"busy@{bridge.domain}"))["body"])
                assert len(said) < 100
            assert all(text.startswith("http") for text in said[:10])


def test_reading_the_fixture():
    """The pictures of these tests are what they say: of different bytes, with the marks of a PNG."""
    assert picture(1) != picture(2)
    assert picture(1).startswith(b"\x89PNG") and len(picture(1, 300)) > 250000
    assert pathlib.Path(__file__).exists()
