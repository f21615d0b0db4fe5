"""A contact as a guest in rooms of the server: it enters to say something, answers who asks, and is back after all went down."""
import pytest
from bridge import Bridge
from client import Client


@pytest.fixture(scope="module")
def echo(xmpp):
    """The bridge, with one contact that says in a room what it is told to."""
    with Bridge(xmpp, null=True) as bridge:
        yield bridge


def contact(bridge):
    return f"echo@{bridge.domain}"


async def told(bridge, client, room, text):
    """Has the contact say so, and returns what came back from the room."""
    asked = client.say(contact(bridge), f"tell {room} {text}")
    heard = await client.expect(kind="message", type="groupchat", body=text)
    assert heard["id"] == asked
    return heard


async def test_a_guest_enters_and_speaks(xmpp, echo):
    room = f"den@{xmpp.rooms}"
    async with Client(xmpp, "alice") as alice:
        await alice.make_room(room, "al")
        heard = await told(echo, alice, room, "hello")
        assert heard["from"] == f"{room}/Echo"
        assert heard.xml.find("{urn:xmpp:sid:0}origin-id").get("id") == heard["id"]
        presence = await alice.expect(kind="presence", frm=f"{room}/Echo")
        assert presence.xml.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text
        assert presence.xml.find("{http://jabber.org/protocol/caps}c").get("ver")
        assert (await told(echo, alice, room, "<again> & 'again'"))["from"] == f"{room}/Echo"
        alice.say(room, "a word of others", "groupchat")
        await alice.expect_none(kind="presence", type="unavailable", frm=room)


async def test_occupants_ask_who_it_is(xmpp, echo):
    room = f"den@{xmpp.rooms}"
    async with Client(xmpp, "bob") as bob, Client(xmpp, "alice") as alice:
        await alice.enter_room(room, "al")
        await told(echo, alice, room, "here")
        await bob.enter_room(room, "bo")
        for payload in ("<query xmlns='http://jabber.org/protocol/disco#info'/>", "<vCard xmlns='vcard-temp'/>", "<ping xmlns='urn:xmpp:ping'/>"):
            assert (await bob.request(f"{room}/Echo", payload))["type"] == "result", payload
        await alice.expect_none(kind="presence", type="unavailable", frm=room)


async def test_what_it_does_not_answer_costs_no_place(xmpp, echo):
    """Servers throw out who sends errors into a room."""
    room = f"den@{xmpp.rooms}"
    async with Client(xmpp, "bob") as bob, Client(xmpp, "alice") as alice:
        await alice.enter_room(room, "al")
        await told(echo, alice, room, "still here")
        await bob.enter_room(room, "bo")
        assert (await bob.request(f"{room}/Echo", "<query xmlns='urn:x'/>"))["type"] == "error"
        bob.say(f"{room}/Echo", "psst")
        bob.raw(f"<message to='{room}/Echo' type='normal' id='n1'><body>psst</body><request xmlns='urn:xmpp:receipts'/></message>")
        await bob.request(f"{room}/Echo", "<ping xmlns='urn:xmpp:ping'/>")
        assert (await told(echo, alice, room, "and still"))["from"] == f"{room}/Echo"
        await bob.expect_none(kind="presence", type="unavailable", frm=f"{room}/Echo")


def admin(nick, attributes):
    return f"<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='{nick}' {attributes}><reason>a test</reason></item></query>"


async def test_a_nick_that_is_taken(xmpp, echo):
    room = f"twins@{xmpp.rooms}"
    async with Client(xmpp, "alice") as alice:
        await alice.make_room(room, "Echo")
        heard = await told(echo, alice, room, "which one?")
        assert heard["from"] != f"{room}/Echo" and heard["from"].bare == room


async def test_who_is_thrown_out_stays_out(xmpp, echo):
    room = f"club@{xmpp.rooms}"
    async with Client(xmpp, "alice") as alice:
        await alice.make_room(room, "al")
        await told(echo, alice, room, "good evening")
        assert (await alice.request(room, admin("Echo", "role='none'"), "set"))["type"] == "result"
        await alice.expect(kind="presence", type="unavailable", frm=f"{room}/Echo")
        alice.inbox.clear()
        alice.say(contact(echo), f"tell {room} me again")
        await alice.through(echo.domain)
        await alice.expect_none(kind="presence", frm=f"{room}/Echo")


async def test_words_wait_for_a_voice(xmpp, echo):
    room = f"court@{xmpp.rooms}"
    async with Client(xmpp, "alice") as alice:
        await alice.make_room(room, "al", moderatedroom=True, members_by_default=False)
        alice.say(contact(echo), f"tell {room} may I?")
        await alice.expect(kind="presence", frm=f"{room}/Echo")
        await alice.through(echo.domain)
        await alice.expect_none(kind="message", type="groupchat", body="may I?")
        assert (await alice.request(room, admin("Echo", "role='participant'"), "set"))["type"] == "result"
        assert (await alice.expect(kind="message", type="groupchat", body="may I?"))["from"] == f"{room}/Echo"


async def test_a_restart_of_the_server(xmpp, echo):
    room = f"attic@{xmpp.rooms}"
    async with Client(xmpp, "alice") as alice:
        await alice.make_room(room, "al")
        await told(echo, alice, room, "before")
    xmpp.restart()
    echo.wait_ready()
    async with Client(xmpp, "alice") as alice:
        await alice.enter_room(room, "al")
        await told(echo, alice, room, "after")
        await alice.expect_none(kind="message", type="groupchat", body="after")


async def test_a_restart_of_the_bridge(xmpp, echo):
    room = f"loft@{xmpp.rooms}"
    async with Client(xmpp, "alice") as alice:
        await alice.make_room(room, "al")
        await told(echo, alice, room, "before")
        echo.kill()
        echo.start()
        assert (await told(echo, alice, room, "after"))["from"] == f"{room}/Echo"
        await alice.expect_none(kind="message", type="groupchat", body="after")
