"""Ten thousand hostile strings through every entry, on both servers: the component link stays up, and no sanitizer complains."""
import asyncio
import collections
import contextlib
import itertools
import json
import unicodedata
import xml.sax.saxutils

import hostile
import pytest
from wait import until
from wire import MqttWire, Refused, Wire

BRIDGE = {
    "level": "info",
    "mqtt": """
      devices:
        things:
          topic: devices/+/state
          name: "Thing {1}"
          area: "{1}"
          model: "{1}"
          status_interval: 0s
          readings:
            note: {value: note}
            raw: {topic: "devices/{1}/raw"}
          controls:
            note: {topic: "devices/{1}/note", type: text}
            level: {topic: "devices/{1}/level", type: number, min: 0, max: 100}
          alerts:
            - {reading: note, change: true, every: 0s, message: "{name} says {value}"}
            - {reading: raw, change: true, every: 0s, message: "{value}"}
      discovery:
        enabled: true
        allow: ["wild/#"]
        quarantine: false
        max_rate: 100000
""",
    "access": "admins: [admin@localhost]\naccess: [allow all to localhost]\n",
}
USERS = 24  # each may say sixty things at once
IN_FLIGHT = 50

COUNTS = {"payloads": 2500, "topics": 1000, "discovery": 1000, "chat": 700, "orders": 500}  # and with the rest 10^4 on two servers


@pytest.fixture(scope="module")
def crowd(place):
    """Names of many users."""
    names = [f"user{n}" for n in range(USERS)]
    for name in names:
        place.xmpp.add_user(name, "pw")
    return names


@pytest.fixture(autouse=True)
def link_stays_up(place):
    """What each test here is about."""
    yield
    assert place.bridge.running(), place.bridge.tail()
    assert place.bridge.ready() and place.bridge.downs() == 0, place.bridge.tail()
    place.bridge.check_clean()


def xml_text(text):
    """What of it a client may put into a stanza at all: else its own server ends its stream."""
    return xml.sax.saxutils.escape("".join(c for c in text if c in "\t\n\r" or 0x20 <= ord(c) <= 0xD7FF or 0xE000 <= ord(c) <= 0xFFFD or ord(c) > 0xFFFF),
                                   {"'": "&apos;", '"': "&quot;"})


# By MQTT.
class Ear(Wire):
    """Subscribes to the canary and counts what it says."""

    def __init__(self, place, user="alice"):
        super().__init__(place.xmpp, user, take=self.heard)
        self.canary = f"canary@{place.bridge.domain}"
        self.messages, self.presences, self.asked = [], 0, 0

    def heard(self, stanza):
        if stanza.tag.endswith("}message"):
            self.messages.append(stanza.findtext("{jabber:client}body") or "")
        elif stanza.tag.endswith("}presence"):
            self.presences += 1
            self.asked += stanza.get("type") == "subscribe"

    async def hears(self, text):
        await until(lambda: any(text in m for m in self.messages), 30, f"message with {text}")


def say(wire, name, note):
    wire.publish(f"devices/{name}/state".encode(), json.dumps({"note": note}).encode())


async def begin(place, ear, wire):
    say(wire, "canary", "begin")
    await place.bridge.expect_mapping("canary")
    ear.send(f"<presence to='{ear.canary}' type='subscribe'/>")
    await until(lambda: ear.presences > 1)


async def go_on(ear, wire, number):
    """Goes on when what was published so far has come out at the other end."""
    wire.fence()
    say(wire, "canary", f"mark-{number}-")
    await ear.hears(f"mark-{number}-")


async def test_payloads(place):
    count = COUNTS["payloads"]
    async with Ear(place) as ear:
        with MqttWire(place.broker, "payloads") as wire:
            await begin(place, ear, wire)
            for number, data in enumerate(hostile.payloads(count, seed=1)):
                if number % 2:
                    wire.publish(b"devices/canary/raw", data)
                else:
                    wire.publish(b"devices/canary/state", data if number % 4 else b'{"note": %s}' % json.dumps(data.decode(errors="replace")).encode())
                if number % IN_FLIGHT == 0:
                    await go_on(ear, wire, number)
            wire.publish(b"devices/canary/raw", b"x" * (2 << 20))
            await go_on(ear, wire, count)
            assert wire.hung_up == 0
    assert len(ear.messages) > count / 2, "hardly any of them has come through"


async def test_topics_become_contacts(place):
    async with Ear(place) as ear:
        with MqttWire(place.broker, "topics") as wire:
            await begin(place, ear, wire)
            await ear.request(place.bridge.domain, "<query xmlns='jabber:iq:register'/>", "set")
            levels = [text.replace("+", "").replace("#", "").encode() for text in hostile.texts(COUNTS["topics"] - len(hostile.NOT_UTF8), seed=2)]
            for number, level in enumerate(levels + hostile.NOT_UTF8):
                wire.publish(b"devices/" + level + b"/state", b'{"note":"here"}')
                if number % IN_FLIGHT == 0 or not wire.fence():
                    await go_on(ear, wire, number)
            await go_on(ear, wire, len(levels) + 100)
        assert ear.asked > 100, "hardly any contact was offered"
        await ear.request(place.bridge.domain, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
        ear.send(f"<message to='{place.bridge.domain}' type='chat'><body>list</body></message>")
        await ear.hears("more: narrow it with words")
        for mapping in place.bridge.ctl_json("mappings")["mappings"]:
            shown_well(mapping)
            card = await ear.request(mapping["address"], "<vCard xmlns='vcard-temp'/>")
            assert card.get("type") == "result"
        await ear.request(place.bridge.domain, "<query xmlns='jabber:iq:register'><remove/></query>", "set")
        await ear.fence(place.bridge.domain)


def shown_well(mapping):
    """Nothing in a name that people see hides, turns around or breaks a line; a localpart is plain."""
    local = mapping["address"].split("@")[0]
    assert local and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in local) and len(local) <= 48, mapping
    bad = [c for c in mapping["name"] if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
    assert mapping["name"] and not bad, (mapping, bad)


def descriptions(count):
    """Discovery payloads with hostile text in each member that is used, and topics within and outside of what is allowed."""
    members = itertools.cycle(["name", "unique_id", "object_id", "unit_of_measurement", "device_class", "value_template", "state_topic", "command_topic", "payload_on", "~",
                               "device.name", "device.model", "device.identifiers", "device.suggested_area", "options", "availability_topic"])
    for number, text in enumerate(hostile.texts(count, seed=3)):
        what = {"name": "n", "unique_id": f"id{number}", "state_topic": "wild/state", "command_topic": f"wild/{number}/set", "device": {"identifiers": [f"dev{number}"], "name": "d"}}
        member = next(members)
        if member.startswith("device."):
            what["device"][member[7:]] = text
        else:
            what[member] = [text, "b"] if member == "options" else text
        yield ("switch", "sensor", "select", "number", text)[number % 5], what


async def test_discovery(place):
    async with Ear(place) as ear:
        with MqttWire(place.broker, "discovery") as wire:
            await begin(place, ear, wire)
            for number, (component, what) in enumerate(descriptions(COUNTS["discovery"])):
                topic = f"homeassistant/{component}/x{number}/config".replace("+", "").replace("#", "").encode()
                data = json.dumps(what, ensure_ascii=number % 2 == 0).encode(errors="replace")
                wire.publish(topic, data if number % 7 else data[:-5])
                if number % IN_FLIGHT == 0 or not wire.fence():
                    await go_on(ear, wire, f"d{number}")
            wire.publish(b"wild/state", "\u202e&#1;\x01]]>".encode())
            await go_on(ear, wire, "discovered")
        for mapping in place.bridge.ctl_json("mappings", "ha:")["mappings"]:
            shown_well(mapping)
        assert len(place.bridge.ctl_json("mappings", "ha:")["mappings"]) > 200


# By XMPP.
async def spread(place, crowd, stanzas, least=None):
    """Each user sends its share, and waits until it is dealt with and the `least` number of answers of each type has come to all of them.
    The answer to a fence may overtake one that waits for the disk."""
    answers = collections.Counter()

    def count(stanza):
        answers[stanza.tag.split("}")[1], stanza.get("type")] += 1

    async def send_all(user, mine):
        async with Wire(place.xmpp, user, take=count) as wire:
            for stanza in mine:
                wire.send(stanza)
                await wire.drain()
            await wire.fence(place.bridge.domain, timeout=60)
            await until(lambda: all(answers[kind] >= number for kind, number in (least or {}).items()), what=f"{least}")

    stanzas = list(stanzas)
    await asyncio.gather(*(send_all(user, stanzas[n::len(crowd)]) for n, user in enumerate(crowd)))


def chats(to, texts):
    forms = ["{}", "set note {}", "get {}", "set level {}", "set {} on", "status {}"]
    for number, text in enumerate(texts):
        body, stanza_id = xml_text(forms[number % len(forms)].format(text)), xml_text(text[:50]) if number % 3 == 0 else f"c{number}"
        more = f"<subject>{body}</subject><thread>{body}</thread>" if number % 5 == 0 else ""
        yield f"<message to='{to}' type='chat' id='{stanza_id}'><body>{body}</body>{more}<request xmlns='urn:xmpp:receipts'/></message>"


async def test_chat_with_a_device_and_with_the_bridge(place, crowd):
    with MqttWire(place.broker, "chat") as wire:
        say(wire, "canary", "begin")
        await place.bridge.expect_mapping("canary")
    texts = list(hostile.texts(COUNTS["chat"], seed=4))
    await spread(place, crowd, chats(f"canary@{place.bridge.domain}", texts), {("message", "error"): 100, ("message", "chat"): 50})
    words = ["{}", "help {}", "list {}", "add {}", "remove {}", "status {}"]
    orders = [words[n % len(words)].format(text) for n, text in enumerate(hostile.texts(COUNTS["orders"], seed=5))]
    await spread(place, crowd, chats(place.bridge.domain, orders), {("message", "chat"): COUNTS["orders"] / 2})


def requests(place, text, number):
    """One string in many places of requests."""
    to, device = place.bridge.domain, f"canary@{place.bridge.domain}"
    commands = "http://jabber.org/protocol/commands"
    form = f"<x xmlns='jabber:x:data' type='submit'><field var='{text}'><value>{text}</value></field><field var='value'><value>{text}</value></field><field var='words'><value>{text}</value></field></x>"
    payloads = [
        (device, "set", f"<command xmlns='{commands}' node='{text}' action='{text}'/>"),
        (device, "set", f"<command xmlns='{commands}' node='set_note' sessionid='{text}' action='complete'>{form}</command>"),
        (to, "set", f"<command xmlns='{commands}' node='list' action='execute'>{form}</command>"),
        (to, "get", f"<query xmlns='http://jabber.org/protocol/disco#info' node='{text}'/>"),
        (to, "get", f"<query xmlns='http://jabber.org/protocol/disco#items'><set xmlns='http://jabber.org/protocol/rsm'><max>{text}</max><after>{text}</after></set></query>"),
        (to, "set", f"<query xmlns='jabber:iq:gateway'><prompt>{text}</prompt></query>"),
        (to, "get", f"<query xmlns='jabber:iq:register'>{form}</query>"),
        (device, "set", f"<vCard xmlns='vcard-temp'><FN>{text}</FN></vCard>"),
        (device, "get", f"<query xmlns='{text or 'x'}'/>"),
        (device, "get", f"<query xmlns='jabber:iq:last'>{text}<a><b><c>{text}</c></b></a></query>"),
        (to, "set", f"<query xmlns='jabber:iq:register'><remove/>{form}</query>"),
    ]
    where, kind, payload = payloads[number % len(payloads)]
    return f"<iq to='{where}' type='{kind}' id='q{number}'>{payload}</iq>"


def presences(place, text, number):
    device = f"canary@{place.bridge.domain}"
    kinds = ["", " type='subscribe'", " type='probe'", " type='unsubscribe'", " type='subscribed'"]
    return (f"<presence to='{device}'{kinds[number % len(kinds)]}><status>{text}</status><nick xmlns='http://jabber.org/protocol/nick'>{text}</nick>"
            f"<x xmlns='http://jabber.org/protocol/muc'><password>{text}</password></x></presence>")


def escaped(text):
    """As a localpart, by XEP-0106; what no server lets pass is left to the server."""
    return "".join({" ": "\\20", '"': "\\22", "&": "\\26", "'": "\\27", "/": "\\2f", ":": "\\3a", "<": "\\3c", ">": "\\3e", "@": "\\40"}.get(c, c) for c in text if c >= " ")[:200]


def addressed(place, text, number):
    where = [f"{xml_text(escaped(text))}@{place.bridge.domain}", f"canary@{place.bridge.domain}/{xml_text(text[:200])}", f"{place.bridge.domain}/{xml_text(text[:200])}"]
    return f"<message to='{where[number % 3]}' id='a{number}' type='chat'><body>status</body></message>"


@pytest.mark.parametrize("make", [requests, presences])
async def test_requests_and_presence(place, crowd, make):
    texts = [xml_text(text[:1000]).replace("\n", " ") for text in hostile.texts(700, seed=6)]
    await spread(place, crowd, (make(place, text, number) for number, text in enumerate(texts)))


async def test_addresses(place, crowd):
    await spread(place, crowd, (addressed(place, text[:100], number) for number, text in enumerate(hostile.texts(500, seed=7))))


async def test_resources(place, crowd):
    taken = 0
    empty = {"\u200b", "\u200d", "\u00ad"}  # nothing is left of them; ejabberd lets them in and then answers nothing
    for number, text in enumerate(t for t in hostile.LOOKS + hostile.NAMES + hostile.MARKUP if t not in empty):
        with contextlib.suppress(Refused):  # the server takes few of them
            async with Wire(place.xmpp, crowd[number % len(crowd)], xml_text(text[:100])) as wire:
                wire.send(f"<message to='canary@{place.bridge.domain}' type='chat'><body>status</body></message>")
                await until(lambda: any(s.tag.endswith("}message") for s in wire.got), what="answer")  # pylint: disable=cell-var-from-loop
                taken += 1
    assert taken > 20


async def test_very_large_stanza_is_answered(place):
    async with Wire(place.xmpp, "bob") as bob:
        bob.send(f"<message to='canary@{place.bridge.domain}' id='large' type='chat'><body>{'x' * 200000}</body></message>")
        await until(lambda: any(s.get("id") == "large" and s.get("type") == "error" for s in bob.got), what="answer")
