"""Rooms that do not let a hook in, or not as it is: the reason is told wherever one may look, what was accepted waits, and arrives as soon as it can."""
import base64
import hashlib

import pytest

from client import Client
from hooks import Hooks, delayed, stanza_id
from slixmpp.xmlstream import ET

ADMIN = "{http://jabber.org/protocol/muc#admin}"
ROOMS = ("secret", "wrong", "members", "banned", "nick", "emoji", "kick", "destroyed", "voice", "full", "plain")


def hooks_of(bridge):
    hooks = {name: {"rooms": [bridge.room(name)]} for name in ROOMS}
    hooks["emoji"]["nick"] = "Build \U0001f916"
    hooks["made"] = {"rooms": [bridge.room("made")]}
    hooks["notmade"] = {"rooms": [bridge.room("notmade")]}
    hooks["full"]["username"] = "puppet"
    hooks["plain"]["title"] = "Plain"
    return hooks


def venues_of(bridge):
    return [{"room": bridge.room("secret"), "password": "sesame"}, {"room": bridge.room("wrong"), "password": getattr(bridge, "password", "mellon")},
            {"room": bridge.room("made"), "create": True}, {"room": bridge.room("full"), "guests": 2}]


@pytest.fixture(scope="module")
def hooks(xmpp):
    bridge = Hooks(xmpp, hooks_of, venues=venues_of)
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


class Watcher(Client):
    """Owner of a room who sees what happens in it."""

    def __init__(self, hooks, name, user="alice"):
        super().__init__(hooks.xmpp, user)
        self.room = hooks.room(name)

    async def make(self, **options):
        await self.make_room(self.room, self.jid.split("@", maxsplit=1)[0], **options)
        self.inbox.clear()
        return self

    async def heard(self, body, nick=None, timeout=20):
        return await self.expect(timeout, kind="message", type="groupchat", frm=f"{self.room}/{nick}" if nick else self.room, body=body)

    async def administer(self, **item):
        """One <item/> of a muc#admin query: nick and role, or jid and affiliation."""
        query = ET.Element(f"{ADMIN}query")
        ET.SubElement(query, f"{ADMIN}item", item)
        answer = await self.request(self.room, ET.tostring(query), "set")
        assert answer["type"] == "result", str(answer)


async def parked(hooks, hook, condition, words):
    """Posts to it in each way, and looks at each place where the reason is told; the path of a message that waits."""
    room = hooks.room(hook)
    status, headers, problem = await hooks.post(hook, {"body": "not now"}, prefer="wait=20")
    assert status == 503 and headers["Content-Type"] == "application/problem+json" and int(headers["Retry-After"]) > 0
    assert problem["condition"] == condition and problem["to"] == room and problem["status"] == 503, problem
    assert words in problem["detail"] and "nothing was posted" in problem["detail"]
    status, _, answer = await hooks.post(hook, {"body": "waits"})
    assert status == 202
    told = await hooks.expect_message(answer["self"], "parked")
    assert words in str(told["targets"][0]), told
    row = await hooks.expect_guest(room, hook, "parked")
    assert words in row["why"] and row["queued"] == "1" or int(row["queued"]) == 1
    assert words in hooks.ctl("explain", f"{hook}@{hooks.domain}")
    assert words in hooks.output()
    return answer["self"]


async def test_a_room_with_a_password(hooks):
    async with Watcher(hooks, "secret") as alice:
        await alice.make(passwordprotectedroom=True, roomsecret="sesame")
        status, _, answer = await hooks.post("secret", {"body": "open"}, prefer="wait=20")
        said = await alice.heard("open", "secret")
        assert status == 200 and answer["targets"][0]["stanza_id"] == stanza_id(said) is not None


async def test_a_wrong_password(hooks):
    async with Watcher(hooks, "wrong") as alice:
        await alice.make(passwordprotectedroom=True, roomsecret="friend")
        await parked(hooks, "wrong", "not-authorized", "password")
        await alice.expect_none(kind="message", type="groupchat")
        hooks.password = "friend"
        hooks.configure()
        hooks.reload()
        await alice.heard("waits", "wrong")


async def test_a_room_for_members(hooks):
    async with Watcher(hooks, "members") as alice:
        await alice.make(membersonly=True)
        message = await parked(hooks, "members", "registration-required", "members only")
        jid = f"members@{hooks.domain}"
        await alice.administer(jid=jid, affiliation="member")
        alice.raw(f"<message to='{alice.room}'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='{jid}'/></x></message>")
        await alice.heard("waits", "members")
        told = await hooks.expect_message(message, "confirmed")
        assert told["targets"][0]["nick"] == "members"
        await alice.expect_none(kind="message", type="groupchat", body="not now")


async def test_a_ban(hooks):
    async with Watcher(hooks, "banned") as alice:
        await alice.make()
        assert (await hooks.post("banned", {"body": "first"}, prefer="wait=20"))[0] == 200
        await alice.heard("first")
        await alice.administer(jid=f"banned@{hooks.domain}", affiliation="outcast")
        await alice.expect(kind="presence", type="unavailable", frm=f"{alice.room}/banned")
        await hooks.expect_guest(alice.room, "banned", "parked")
        alice.inbox.clear()
        await parked(hooks, "banned", "forbidden", "banned")
        await alice.expect_none(kind="presence", type="available", frm=f"{alice.room}/banned")


async def test_a_nick_that_a_person_has(hooks):
    async with Watcher(hooks, "nick") as alice, Client(hooks.xmpp, "bob") as bob:
        await alice.make()
        await bob.enter_room(alice.room, "nick")
        status, _, answer = await hooks.post("nick", {"body": "beside him"}, prefer="wait=20")
        said = await alice.heard("beside him")
        assert status == 200 and said["from"].resource == answer["targets"][0]["nick"] == "nick 2"
        await bob.disconnect()
        await alice.expect(kind="presence", type="unavailable", frm=f"{alice.room}/nick")


async def test_a_person_who_wants_the_nick_of_a_hook(hooks):
    async with Watcher(hooks, "nick") as alice, Client(hooks.xmpp, "carol") as carol:
        await alice.make()
        _, _, answer = await hooks.post("nick", {"body": "here first"}, prefer="wait=20")
        mine = answer["targets"][0]["nick"]
        refused = await carol.try_room(alice.room, mine)
        assert refused["type"] == "error" and refused["error"]["condition"] == "conflict"
        await hooks.post("nick", {"body": "and still here"}, prefer="wait=20")
        assert (await alice.heard("and still here"))["from"].resource == mine


async def test_a_nick_with_emoji(hooks):
    """Neither server takes those of today: their Unicode is of 2002."""
    async with Watcher(hooks, "emoji") as alice:
        await alice.make()
        assert (await hooks.post("emoji", {"body": "green"}, prefer="wait=20"))[0] == 200
        assert (await alice.heard("green"))["from"].resource == "Build"


async def test_a_kick(hooks):
    async with Watcher(hooks, "kick") as alice:
        await alice.make()
        assert (await hooks.post("kick", {"body": "noise"}, prefer="wait=20"))[0] == 200
        await alice.heard("noise")
        await alice.administer(nick="kick", role="none")
        await alice.expect(kind="presence", type="unavailable", frm=f"{alice.room}/kick")
        await hooks.expect_guest(alice.room, "kick", "parked")
        alice.inbox.clear()
        await parked(hooks, "kick", "not-allowed", "kicked")
        assert 200 < int(hooks.guest(alice.room, "kick")["next_s"]) <= 300
        await alice.expect_none(kind="presence", type="available", frm=f"{alice.room}/kick")


async def test_a_room_that_is_destroyed(hooks):
    async with Watcher(hooks, "destroyed") as alice:
        await alice.make()
        assert (await hooks.post("destroyed", {"body": "first"}, prefer="wait=20"))[0] == 200
        await alice.request(alice.room, "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy><reason>moved</reason></destroy></query>", "set")
        row = await hooks.expect_guest(alice.room, "destroyed", "parked")
        assert "destroyed" in row["why"] and "moved" in row["why"]
        await parked(hooks, "destroyed", "item-not-found", "destroyed")


async def test_a_room_that_is_not_there(hooks):
    status, _, problem = await hooks.post("notmade", {"body": "into nothing"}, prefer="wait=20")
    assert status == 503 and problem["to"] == hooks.room("notmade"), problem
    assert "may not be made" in problem["detail"]
    async with Client(hooks.xmpp, "alice") as alice:
        items = await alice.request(hooks.xmpp.rooms, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
        assert hooks.room("notmade") not in str(items)


async def test_a_room_that_may_be_made(hooks):
    status, _, answer = await hooks.post("made", {"body": "a first word"}, prefer="wait=20")
    assert status == 200, answer
    async with Watcher(hooks, "made") as alice:
        await alice.enter_room(alice.room, "alice")
        await hooks.post("made", {"body": "a second"}, prefer="wait=20")
        await alice.heard("a second", "made")


async def test_voice_that_is_taken_and_given(hooks):
    async with Watcher(hooks, "voice") as alice:
        await alice.make()
        assert (await hooks.post("voice", {"body": "loud"}, prefer="wait=20"))[0] == 200
        await alice.heard("loud")
        await alice.make(moderatedroom=True)
        await alice.administer(nick="voice", role="visitor")
        row = await hooks.expect_guest(alice.room, "voice", "muted")
        assert "voice" in row["why"]
        status, _, problem = await hooks.post("voice", {"body": "not now"}, prefer="wait=20")
        assert status == 503 and problem["condition"] == "forbidden" and "voice" in problem["detail"], problem
        status, _, answer = await hooks.post("voice", {"body": "at last"})
        assert status == 202
        await alice.expect_none(kind="message", type="groupchat", body="at last")
        await alice.administer(nick="voice", role="participant")
        await alice.heard("at last", "voice")
        assert (await hooks.expect_message(answer["self"], "confirmed"))["targets"][0]["stanza_id"]


async def test_more_puppets_than_may_be_in_a_room(hooks):
    async with Watcher(hooks, "full") as alice:
        await alice.make()
        for name in ("ann", "ben", "cid", "dan"):
            status, _, answer = await hooks.post("full", {"text": f"from {name}", "username": name}, "/slack")
            assert (status, answer) == (200, "ok")
        for name in ("ann", "ben", "cid", "dan"):
            await alice.heard(f"from {name}", name, timeout=40)
        inside = [r["nick"] for r in hooks.ctl_json("rooms")["rooms"] if r["room"] == alice.room and r["state"] == "in"]
        assert len(inside) <= 2


async def test_puppets_have_faces_of_their_own(hooks):
    async with Watcher(hooks, "full") as alice:
        await alice.make()
        for name in ("eve", "fay"):
            await hooks.post("full", {"text": f"from {name}", "username": name}, "/slack")
            said = await alice.heard(f"from {name}", name, timeout=40)
            vcard = await alice.request(said["from"], "<vCard xmlns='vcard-temp'/>")
            assert vcard["type"] == "result" and name in str(vcard)


async def test_who_a_hook_is(hooks):
    """Its picture and what it is, for those who ask in the room, and no error for those who write to it."""
    async with Watcher(hooks, "plain") as alice:
        await alice.make()
        assert (await hooks.post("plain", {"body": "look at me"}, prefer="wait=20"))[0] == 200
        said = await alice.heard("look at me", "Plain")
        presence = await alice.expect(kind="presence", frm=said["from"])
        photo = presence.xml.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text
        vcard = await alice.request(said["from"], "<vCard xmlns='vcard-temp'/>")
        assert vcard["type"] == "result"
        assert hashlib.sha1(base64.b64decode(vcard.xml.find(".//{vcard-temp}BINVAL").text)).hexdigest() == photo
        disco = await alice.request(said["from"], "<query xmlns='http://jabber.org/protocol/disco#info'/>")
        assert disco["type"] == "result" and "Plain" in str(disco)
        assert (await alice.request(said["from"], "<ping xmlns='urn:xmpp:ping'/>"))["type"] == "result"


async def test_a_private_message_to_a_hook(hooks):
    async with Watcher(hooks, "plain") as alice, Client(hooks.xmpp, "bob") as bob:
        await alice.make()
        assert (await hooks.post("plain", {"body": "here"}, prefer="wait=20"))[0] == 200
        await bob.enter_room(alice.room, "bob")
        for who, words in ((alice, "webhooks of this room"), (bob, "nobody reads")):  # its owner, and somebody
            who.say(f"{alice.room}/Plain", "help")
            await who.expect(kind="message", type="chat", frm=f"{alice.room}/Plain", body=words)
        assert (await hooks.post("plain", {"body": "and still"}, prefer="wait=20"))[0] == 200
        await alice.heard("and still", "Plain")
        await alice.expect_none(kind="presence", type="unavailable", frm=f"{alice.room}/Plain")


async def test_what_is_confirmed_has_the_id_of_the_room(hooks):
    async with Watcher(hooks, "plain") as alice:
        await alice.make()
        status, _, answer = await hooks.post("plain", {"body": "confirmed"}, prefer="wait=5")
        said = await alice.heard("confirmed", "Plain")
        target, = answer["targets"]
        assert status == 200 and target["status"] == "confirmed"
        assert target["stanza_id"] == stanza_id(said) is not None and target["by"] == alice.room and not delayed(said)
