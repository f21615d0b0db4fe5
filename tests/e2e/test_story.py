"""A user's dealings with a device and with the bridge, on both servers: each thing the demo tells, and what it has no time for."""
import asyncio
import base64
import contextlib
import hashlib

from client import NotSeen
from client import Client
from device import Device
from slixmpp.xmlstream import ET

DISCO_INFO = "http://jabber.org/protocol/disco#info"
DISCO_ITEMS = "http://jabber.org/protocol/disco#items"
COMMANDS = "http://jabber.org/protocol/commands"
DATA = "{jabber:x:data}"
VCARD = "{vcard-temp}"
REGISTER = "jabber:iq:register"
RECEIVED = "{urn:xmpp:receipts}received"


@contextlib.asynccontextmanager
async def lamp_at(place, name, **how):
    """A device that the bridge knows, and the address of its contact."""
    device = Device(place.broker, name, **how)
    await asyncio.to_thread(device.start)
    try:
        await place.bridge.expect_mapping(name, state="online")
        yield device, f"{name}@{place.bridge.domain}"
    finally:
        await asyncio.to_thread(device.close)


def command_of(device):
    return asyncio.to_thread(device.expect_command)


def condition(stanza):
    assert stanza["type"] == "error", str(stanza)
    return stanza["error"]["condition"]


def status_has(text):
    return lambda s: s["type"] == "available" and text in s["status"]


# Presence.
async def test_contact_appears_and_shows_its_readings(place):
    async with lamp_at(place, "shown") as (device, lamp), Client(place.xmpp, "alice") as alice:
        presence = await alice.befriend(lamp)
        assert alice.seen(kind="presence", frm=lamp, type="subscribed")
        assert presence["from"] == f"{lamp}/home"
        assert "21.4 °C" in presence["status"] and "power off" in presence["status"]
        await asyncio.to_thread(device.report, temperature=22.5)
        await alice.expect(kind="presence", frm=lamp, where=status_has("22.5 °C"))


async def test_same_reading_is_not_said_again(place):
    async with lamp_at(place, "same") as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        for _ in range(3):
            await asyncio.to_thread(device.report)
        await asyncio.to_thread(device.report, temperature=30.5)  # an alert: it comes behind all of these
        await alice.expect(kind="message", frm=lamp, body="hot")
        assert not alice.seen(kind="presence", frm=lamp, where=status_has("21.4"))


async def test_device_that_dies_is_offline_and_takes_no_commands(place):
    async with lamp_at(place, "mortal") as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        await asyncio.to_thread(device.die)
        presence = await alice.expect(kind="presence", frm=lamp, type="unavailable")
        assert "lost" in presence["status"]
        asked = alice.say(lamp, "set power on", receipt=True)
        answer = await alice.expect(kind="message", frm=lamp)
        assert answer["id"] == asked and condition(answer) == "recipient-unavailable"
        assert "offline" in answer["error"]["text"] and "nothing was sent" in answer["error"]["text"]
        async with lamp_at(place, "mortal") as (again, _):
            await alice.expect(kind="presence", frm=lamp, where=status_has("21.4"))
            assert not again.commands, "a refused command was kept for the device"


async def test_unsubscribed_are_told_nothing(place):
    async with lamp_at(place, "quiet") as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        alice.presence(to=lamp, kind="unsubscribe")
        await alice.through(place.bridge.domain)
        alice.inbox.clear()
        await asyncio.to_thread(device.report, temperature=35)
        await asyncio.to_thread(device.leave)
        await place.bridge.expect_mapping("quiet", state="offline")
        await alice.through(place.bridge.domain)
        assert not alice.seen(frm=lamp)


# Chat with a device.
async def test_command_is_confirmed_by_the_device_and_only_then_receipted(place):
    async with lamp_at(place, "slow", obeys=False) as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        asked = alice.say(lamp, "set power on", receipt=True)
        assert await command_of(device) == ("devices/slow/set", "ON", False)
        await alice.through(place.bridge.domain)
        assert not alice.seen(kind="message", frm=lamp), "answered before the device was heard"
        await asyncio.to_thread(device.report, power="ON")
        receipt = await alice.expect(kind="message", frm=lamp, where=lambda s: s.xml.find(RECEIVED) is not None)
        assert receipt.xml.find(RECEIVED).get("id") == asked
        answer = await alice.expect(kind="message", frm=lamp, where=lambda s: s["body"])
        assert "power is on" in answer["body"] and answer["type"] == "chat"


async def test_command_that_has_no_effect_fails_without_a_receipt(place):
    async with lamp_at(place, "deaf", obeys=False) as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        asked = alice.say(lamp, "set power on", receipt=True)
        await command_of(device)
        answer = await alice.expect(kind="message", frm=lamp)
        assert answer["type"] == "error" and answer["id"] == asked
        await alice.through(place.bridge.domain)
        assert not alice.seen(kind="message", frm=lamp)


async def test_command_without_an_echo_is_answered_when_the_broker_has_it(place):
    async with lamp_at(place, "plain") as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        alice.say(lamp, "set level 40")
        assert await command_of(device) == ("devices/plain/level", "40", False)
        assert "does not confirm" in (await alice.expect(kind="message", frm=lamp))["body"]
        alice.say(lamp, "set level 400")
        assert "between 0 and 100" in (await alice.expect(kind="message", frm=lamp, type="error"))["error"]["text"]
        assert not device.commands


async def test_questions_and_typos(place):
    async with lamp_at(place, "asked") as (_, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        for text, part in (("get temperature", "21.4 °C"), ("status", "temperature: 21.4 °C"), ("help", "set NAME VALUE")):
            alice.say(lamp, text)
            assert part in (await alice.expect(kind="message", frm=lamp))["body"]
        alice.say(lamp, "get temprature")
        assert "did you mean 'temperature'" in (await alice.expect(kind="message", frm=lamp, type="error"))["error"]["text"]


async def test_alert_is_said_once(place):
    async with lamp_at(place, "hot") as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        for temperature in (31, 32, 29, 33):
            await asyncio.to_thread(device.report, temperature=temperature)
        await alice.expect(kind="message", frm=lamp, body="hot is hot: 31")
        await alice.expect(kind="presence", frm=lamp, where=status_has("33 °C"))
        assert not alice.seen(kind="message", frm=lamp, body="is hot")


# Rights.
async def test_without_the_right_to_command(place):
    async with lamp_at(place, "forbidden") as (device, lamp), Client(place.xmpp, "bob") as bob:
        await bob.befriend(lamp)
        bob.say(lamp, "set power on")
        assert condition(await bob.expect(kind="message", frm=lamp)) == "forbidden"
        bob.say(lamp, "get temperature")
        await bob.expect(kind="message", frm=lamp, body="21.4")
        assert not device.commands


async def both_answers(user, there, nowhere, ask):
    """What a thing that one may not see answers, and what nothing answers, less their names."""
    answers = []
    for contact in (there, nowhere):
        answer = str(await ask(user, contact))
        answers.append(answer.replace(contact, "X"))
    return answers


def iq(payload, kind="get"):
    async def ask(user, contact):
        answer = await user.request(contact, payload, kind)
        answer["id"] = "X"
        return answer

    return ask


async def say(user, contact):
    user.say(contact, "status")
    answer = await user.expect(kind="message", frm=contact)
    return ET.tostring(answer.xml.find("{jabber:client}error"), encoding="unicode") + answer["type"]


def presence(kind, *answers):
    async def ask(user, contact):
        user.presence(to=contact, kind=kind)
        return "".join([str(await user.expect(kind="presence", frm=contact, type=answer)) for answer in answers])

    return ask


async def test_what_one_may_not_see_looks_as_if_it_did_not_exist(place):
    asks = [iq(f"<query xmlns='{ns}'/>") for ns in (DISCO_INFO, DISCO_ITEMS, "jabber:iq:last", "jabber:iq:version")]
    asks += [iq("<vCard xmlns='vcard-temp'/>"), iq("<ping xmlns='urn:xmpp:ping'/>"), iq("<nothing xmlns='urn:x'/>")]
    asks += [iq(f"<command xmlns='{COMMANDS}' node='set_power'/>", "set"), say, presence("unsubscribe", "unavailable")]
    async with lamp_at(place, "unseen") as (device, lamp), Client(place.xmpp, "carol") as carol:
        for ask in asks:
            there, nowhere = await both_answers(carol, lamp, f"nothing@{place.bridge.domain}", ask)
            assert there == nowhere
        for contact in (lamp, f"nothing@{place.bridge.domain}"):
            carol.presence(to=contact, kind="subscribe")
            await carol.expect(kind="presence", frm=contact, type="unsubscribed")
        assert not carol.seen(kind="presence", frm=lamp, type="available")
        items = await carol.request(place.bridge.domain, f"<query xmlns='{DISCO_ITEMS}'/>")
        assert "unseen" not in str(items)
        assert not device.commands


# What a contact is.
async def test_vcard_with_the_avatar_that_presence_tells(place):
    async with lamp_at(place, "carded") as (_, lamp), Client(place.xmpp, "alice") as alice:
        presence_ = await alice.befriend(lamp)
        told = presence_.xml.find("{vcard-temp:x:update}x/{vcard-temp:x:update}photo").text
        card = (await alice.request(lamp, "<vCard xmlns='vcard-temp'/>")).xml.find(f"{VCARD}vCard")
        photo = base64.b64decode(card.findtext(f"{VCARD}PHOTO/{VCARD}BINVAL"))
        assert card.findtext(f"{VCARD}PHOTO/{VCARD}TYPE") == "image/png" and photo.startswith(b"\x89PNG")
        assert hashlib.sha1(photo).hexdigest() == told
        assert card.findtext(f"{VCARD}FN") == card.findtext(f"{VCARD}NICKNAME") == "carded"
        assert "Model: Model L" in card.findtext(f"{VCARD}DESC")
        assert card.findtext(f"{VCARD}CATEGORIES/{VCARD}KEYWORD") == "kitchen"


def caps_hash(query):
    """XEP-0115 section 5.1."""
    tag = f"{{{DISCO_INFO}}}"
    identities = sorted("/".join(i.get(a, "") for a in ("category", "type", "{http://www.w3.org/XML/1998/namespace}lang", "name"))
                        for i in query.findall(f"{tag}identity"))
    features = sorted(f.get("var") for f in query.findall(f"{tag}feature"))
    return base64.b64encode(hashlib.sha1("".join(f"{part}<" for part in identities + features).encode()).digest()).decode()


async def test_capabilities_are_as_hashed(place):
    async with lamp_at(place, "capable") as (_, lamp), Client(place.xmpp, "alice") as alice:
        caps = (await alice.befriend(lamp)).xml.find("{http://jabber.org/protocol/caps}c")
        assert caps.get("hash") == "sha-1"
        node = f"{caps.get('node')}#{caps.get('ver')}"
        named, plain = [(await alice.request(lamp + "/home", f"<query xmlns='{DISCO_INFO}'{at}/>")).xml[0] for at in (f" node='{node}'", "")]
        assert caps_hash(named) == caps.get("ver")
        vars_ = [[f.get("var") for f in q.findall(f"{{{DISCO_INFO}}}feature")] for q in (named, plain)]
        assert vars_[0] == vars_[1] and {"urn:xmpp:receipts", "vcard-temp", COMMANDS, "jabber:iq:last"} <= set(vars_[0])
        assert condition(await alice.request(lamp, f"<query xmlns='{DISCO_INFO}' node='{node}x'/>")) == "item-not-found"


async def test_last_activity_version_ping_and_the_unknown(place):
    async with lamp_at(place, "lively") as (_, lamp), Client(place.xmpp, "alice") as alice:
        last = (await alice.request(lamp, "<query xmlns='jabber:iq:last'/>")).xml[0]
        assert 0 <= int(last.get("seconds")) <= 60
        version = (await alice.request(lamp, "<query xmlns='jabber:iq:version'/>")).xml[0]
        assert "Spandrel" in version.findtext("{jabber:iq:version}name") or "Model L" in version.findtext("{jabber:iq:version}name")
        assert (await alice.request(lamp, "<ping xmlns='urn:xmpp:ping'/>"))["type"] == "result"
        assert condition(await alice.request(lamp, "<query xmlns='urn:example:nothing'/>")) == "service-unavailable"
        assert condition(await alice.request(lamp, "<vCard xmlns='vcard-temp'/>", "set")) == "forbidden"


# Forms.
def submit(command, **values):
    fields = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in values.items())
    return (f"<command xmlns='{COMMANDS}' node='{command.get('node')}' sessionid='{command.get('sessionid')}' action='complete'>"
            f"<x xmlns='jabber:x:data' type='submit'>{fields}</x></command>")


async def nodes_of(user, to):
    items = (await user.request(to, f"<query xmlns='{DISCO_ITEMS}' node='{COMMANDS}'/>")).xml[0]
    return {item.get("node") for item in items}


async def begin(user, to, node):
    return (await user.request(to, f"<command xmlns='{COMMANDS}' node='{node}' action='execute'/>", "set")).xml[0]


async def test_form_of_a_device(place):
    async with lamp_at(place, "formal") as (device, lamp), Client(place.xmpp, "alice") as alice:
        await alice.befriend(lamp)
        assert await nodes_of(alice, lamp) == {"status", "set_power", "set_level"}
        form = await begin(alice, lamp, "set_power")
        field = form.find(f"{DATA}x/{DATA}field[@var='value']")
        assert form.get("status") == "executing" and field.get("type") == "boolean" and field.findtext(f"{DATA}value") in ("0", "false")
        done = (await alice.request(lamp, submit(form, value="true"), "set")).xml[0]
        assert await command_of(device) == ("devices/formal/set", "ON", False)
        assert done.get("status") == "completed" and "power is on" in done.findtext(f"{{{COMMANDS}}}note")


async def test_form_with_a_wrong_value_is_refused(place):
    async with lamp_at(place, "strict") as (device, lamp), Client(place.xmpp, "alice") as alice:
        form = await begin(alice, lamp, "set_level")
        for wrong in ("101", "-1", "bright", ""):
            assert condition(await alice.request(lamp, submit(form, value=wrong), "set")) == "bad-request"
        form.set("sessionid", "invented")
        assert condition(await alice.request(lamp, submit(form, value="1"), "set")) == "bad-request"
        assert not device.commands


async def test_form_without_the_right(place):
    async with lamp_at(place, "closed") as (device, lamp), Client(place.xmpp, "bob") as bob:
        assert await nodes_of(bob, lamp) == {"status"}
        answer = await bob.request(lamp, f"<command xmlns='{COMMANDS}' node='set_power' action='execute'/>", "set")
        assert condition(answer) in ("item-not-found", "forbidden")
        assert not device.commands


# The bridge itself.
async def answer_of(user, bridge, text):
    user.say(bridge.domain, text)
    answer = await user.expect(kind="message", frm=bridge.domain)
    return answer["error"]["text"] if answer["type"] == "error" else answer["body"]


async def test_chat_with_the_bridge(place):
    bridge = place.bridge
    async with lamp_at(place, "listed") as (_, lamp), Client(place.xmpp, "alice") as alice:
        assert "list [words]" in await answer_of(alice, bridge, "help")
        assert "approve" not in await answer_of(alice, bridge, "help"), "an operation of admins is shown to a user"
        assert lamp in await answer_of(alice, bridge, "list listed")
        assert lamp in await answer_of(alice, bridge, "status listed")
        assert "Contacts you may see" in await answer_of(alice, bridge, "status")
        assert "did you mean 'status'" in await answer_of(alice, bridge, "statsu")
        assert "there is no contact 'nobody'" in await answer_of(alice, bridge, "add nobody")
        assert "asks to be added" in await answer_of(alice, bridge, "add listed")
        await alice.expect(kind="presence", frm=lamp, type="subscribe")
        alice.presence(to=lamp, kind="subscribed")
        await alice.befriend(lamp)
        assert "is removed" in await answer_of(alice, bridge, "remove listed")
        for kind in ("unsubscribe", "unsubscribed", "unavailable"):
            await alice.expect(kind="presence", frm=lamp, type=kind)


async def test_chat_of_those_without_rights_and_of_admins(place):
    async with Client(place.xmpp, "carol") as carol, Client(place.xmpp, "admin") as admin:
        carol.say(place.bridge.domain, "list")
        assert "bridge" not in str((await carol.expect(kind="message", frm=place.bridge.domain))["body"])
        assert "main" in await answer_of(admin, place.bridge, "links")
        assert "Added as rule" in await answer_of(admin, place.bridge, "grant allow see to dora@localhost")
        number = next(r["number"] for r in place.bridge.ctl_json("rules")["rules"] if "dora" in r["rule"])
        assert "Removed" in await answer_of(admin, place.bridge, f"revoke {number}")


async def test_forms_of_the_bridge(place):
    bridge = place.bridge
    async with lamp_at(place, "found") as (_, lamp), Client(place.xmpp, "alice") as alice:
        nodes = await nodes_of(alice, bridge.domain)
        assert {"help", "list", "add", "remove", "status"} <= nodes and not {"approve", "reload", "links"} & nodes
        form = await begin(alice, bridge.domain, "list")
        assert form.get("status") == "executing"
        done = (await alice.request(bridge.domain, submit(form, words="found"), "set")).xml[0]
        assert done.get("status") == "completed" and lamp in done.findtext(f"{{{COMMANDS}}}note")
        items = (await alice.request(bridge.domain, f"<query xmlns='{DISCO_ITEMS}'/>")).xml[0]
        assert lamp in {item.get("jid") for item in items}


async def test_registration_offers_contacts_and_ends(place):
    bridge = place.bridge
    async with lamp_at(place, "offered") as (_, lamp), Client(place.xmpp, "bob") as bob:
        info = await bob.request(bridge.domain, f"<query xmlns='{DISCO_INFO}'/>")
        assert REGISTER in str(info)
        query = (await bob.request(bridge.domain, f"<query xmlns='{REGISTER}'/>")).xml[0]
        assert query.find(f"{{{REGISTER}}}registered") is None
        assert (await bob.request(bridge.domain, f"<query xmlns='{REGISTER}'/>", "set"))["type"] == "result"
        await bob.expect(kind="presence", frm=bridge.domain, type="subscribe")
        await bob.expect(kind="presence", frm=lamp, type="subscribe")
        query = (await bob.request(bridge.domain, f"<query xmlns='{REGISTER}'/>")).xml[0]
        assert query.find(f"{{{REGISTER}}}registered") is not None
        async with lamp_at(place, "newcomer") as (_, newcomer):
            await bob.expect(kind="presence", frm=newcomer, type="subscribe")
        bob.presence(to=lamp, kind="subscribed")
        await bob.befriend(lamp)
        assert (await bob.request(bridge.domain, f"<query xmlns='{REGISTER}'><remove/></query>", "set"))["type"] == "result"
        for kind in ("unsubscribe", "unsubscribed", "unavailable"):
            await bob.expect(kind="presence", frm=lamp, type=kind)
        await bob.expect(kind="presence", frm=bridge.domain, type="unavailable")
        again = await bob.request(bridge.domain, f"<query xmlns='{REGISTER}'><remove/></query>", "set")
        assert condition(again) == "registration-required"
        assert not [s for s in bridge.ctl_json("subscriptions", bob.bare)["subscriptions"] if s["state"] != "none"]


async def test_registration_without_the_right(place):
    async with Client(place.xmpp, "carol") as carol:
        for kind in ("get", "set"):
            assert condition(await carol.request(place.bridge.domain, f"<query xmlns='{REGISTER}'/>", kind)) == "forbidden"


async def test_chat_ends_a_registration(place):
    async with Client(place.xmpp, "alice") as alice:
        assert "You are registered" in await answer_of(alice, place.bridge, "register")
        assert "registered already" in await answer_of(alice, place.bridge, "register")
        assert "is ended" in await answer_of(alice, place.bridge, "unregister")
        assert "not registered" in await answer_of(alice, place.bridge, "unregister")


async def test_prompt_turns_a_name_into_an_address(place):
    query = "<query xmlns='jabber:iq:gateway'>{}</query>"
    async with lamp_at(place, "named") as (_, lamp), Client(place.xmpp, "alice") as alice:
        prompt = (await alice.request(place.bridge.domain, query.format(""))).xml[0]
        assert "device" in prompt.findtext("{jabber:iq:gateway}prompt")
        found = (await alice.request(place.bridge.domain, query.format("<prompt>named</prompt>"), "set")).xml[0]
        assert found.findtext("{jabber:iq:gateway}jid") == lamp
        answer = await alice.request(place.bridge.domain, query.format("<prompt>no such</prompt>"), "set")
        assert condition(answer) == "item-not-found"


# What is encrypted.
def omemo(to, stanza_id, body):
    return (f"<message to='{to}' type='chat' id='{stanza_id}'>{body}"
            "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'><iv>AAAA</iv></header><payload>AAAA</payload></encrypted>"
            "<encryption xmlns='urn:xmpp:eme:0' namespace='eu.siacs.conversations.axolotl'/><request xmlns='urn:xmpp:receipts'/></message>")


async def test_encrypted_message_is_refused_once_and_never_published(place):
    async with lamp_at(place, "open") as (device, lamp), Client(place.xmpp, "alice") as alice, Client(place.xmpp, "alice", "other") as other:
        await alice.befriend(lamp)
        for number, body in enumerate(("", "<body>set power on</body>", "<body>I sent you an OMEMO message</body>")):
            alice.raw(omemo(lamp, f"sealed-{number}", body))
            answer = await alice.expect(kind="message", frm=lamp)
            assert condition(answer) == "not-acceptable" and answer["id"] == f"sealed-{number}" and str(answer["to"]) == alice.jid
            assert "encrypted" in answer["error"]["text"]
        alice.say(lamp, "?OTR:AAMC")
        assert condition(await alice.expect(kind="message", frm=lamp)) == "not-acceptable"
        alice.say(lamp, "set level 7")
        assert await command_of(device) == ("devices/open/level", "7", False), "what was encrypted has reached the device"
        await alice.expect(kind="message", frm=lamp, body="level")
        assert not alice.seen(kind="message", frm=lamp) and not device.commands
        await other.expect_none(kind="message", type="error")


def test_no_link_was_lost(place):
    assert place.bridge.downs() == 0
