"""The avatar of a hook: its occupant's presence has the hash, and its vCard the picture."""
import base64
import hashlib
import struct
import zlib

from client import Client
from test_webhook import Hooks

VCARD = "<vCard xmlns='vcard-temp'/>"


def png(red):
    """A picture of one point."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes([0, red, 0, 0]))) + chunk(b"IEND", b"")


class Pictured(Hooks):
    """A bridge whose hook `open` has an avatar."""

    def text(self):
        picture = self.directory / "open.png"
        picture.write_bytes(png(200))
        return super().text().replace("          title: Opener\n", f"          title: Opener\n          avatar: {picture}\n")


async def test_the_avatar_of_a_hook(xmpp):
    bridge = Pictured(xmpp)
    try:
        bridge.start()
        await bridge.listening()
        room = f"open@{xmpp.rooms}"
        async with Client(xmpp, "alice") as alice:
            await alice.make_room(room, "alice")
            assert (await bridge.post("open", {"body": "look"}, prefer="wait=20"))[0] == 200
            seen = await alice.expect(kind="presence", frm=f"{room}/Opener")
            photo = seen.xml.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo")
            assert photo.text == hashlib.sha1(png(200)).hexdigest()
            answer = await alice.request(f"{room}/Opener", VCARD)
            held = answer.xml.find("{vcard-temp}vCard/{vcard-temp}PHOTO")
            assert held.find("{vcard-temp}TYPE").text == "image/png"
            assert base64.b64decode(held.find("{vcard-temp}BINVAL").text) == png(200)
        bridge.finish()
    finally:
        bridge.close()
