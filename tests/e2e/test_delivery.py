"""What was acknowledged is delivered, or somebody is told: outages and kills of each party, and the operations that show what is on its way."""
import asyncio
import re
import signal

import pytest
from client import Client
from wait import until
from wire import MqttWire

ALERTS = """
      devices:
        doors:
          topic: doors/+/state
          name: "Door {1}"
          status_interval: 1s
          readings: {state: {value: state}}
          controls:
            state: {topic: "doors/{1}/set", type: text, qos: 1}
          alerts:
            - {reading: state, change: true, every: 0s, message: "{name} is {value}"}
      journal: {max_messages: 200}
"""
BRIDGE = {"mqtt": ALERTS, "access": "admins: [admin@localhost]\naccess: [allow all to localhost]\n"}
pytestmark = pytest.mark.usefixtures("all_run")


def say(wire, door, state):
    wire.publish_surely(f"doors/{door}/state".encode(), f'{{"state":"{state}"}}'.encode())


def texts(client, contact):
    return [s["body"] for s in client.inbox if s.name == "message" and s["from"].bare == contact and s["body"]]


async def heard(client, contact, text, seconds=20):
    """What is awaited stays in the inbox."""
    await until(lambda: text in texts(client, contact), seconds, f"{text!r}")


def lane(bridge):
    return next(iter(bridge.ctl_json("queue")["queue"]), None)


async def begin(place, door, alice):
    """Alice subscribes to a door that is there."""
    contact = f"{door}@{place.bridge.domain}"
    with MqttWire(place.broker, f"first-{door}") as wire:
        say(wire, door, "begin")
        await place.bridge.expect_mapping(door)
    await alice.befriend(contact)
    return contact


async def test_kept_over_an_outage_and_a_kill(place):
    async with Client(place.xmpp, "alice") as alice:
        contact = await begin(place, "front", alice)
    place.xmpp.stop()
    await place.bridge.until(lambda: not place.bridge.ready(), what="end of the link")
    with MqttWire(place.broker, "outage") as wire:
        for number in range(20):
            say(wire, "front", f"state {number}")
    await place.bridge.until(lambda: int(lane(place.bridge)["queued"]) == 20, what="20 messages in the queue")
    assert "waits for the XMPP server" in lane(place.bridge)["state"]
    place.bridge.kill()
    place.bridge.start_only()
    assert int(lane(place.bridge)["queued"]) == 20
    place.xmpp.start()
    async with Client(place.xmpp, "alice") as alice:
        await heard(alice, contact, "Door front is state 19")
        assert texts(alice, contact) == [f"Door front is state {n}" for n in range(20)]
        told = [s for s in alice.inbox if s.name == "message" and s["from"].bare == contact]
        ids = [s["id"] for s in told]
        assert len(set(ids)) == 20
        await place.bridge.until(lambda: "with the server" in place.bridge.ctl("trace", ids[0]), what="the fence")
        await place.bridge.until(lambda: int(lane(place.bridge)["queued"]) == 0, what="all to be settled")
        assert "was taken by the server" in place.bridge.ctl("trace", ids[0])
        row = lane(place.bridge)
        assert int(row["accepted"]) == int(row["settled"]) + int(row["dead"]) + int(row["expired"]) + int(row["retrying"]), row
    assert "no message with the id" in place.bridge.ctl("trace", "nonsense", check=False)


async def test_server_that_dies_with_what_it_has(place):
    """kill -9 right behind the fence: what it had taken is sent again, under the same ids, to a user who was away."""
    async with Client(place.xmpp, "alice") as alice:
        contact = await begin(place, "back", alice)
    before = int(lane(place.bridge)["accepted"]) if lane(place.bridge) else 0
    with MqttWire(place.broker, "dying") as wire:
        for number in range(30):
            say(wire, "back", f"state {number}")

    def taken():
        row = lane(place.bridge)
        return row and int(row["accepted"]) >= before + 30 and int(row["queued"]) == int(row["held"])

    await place.bridge.until(taken, what="the fence")
    place.xmpp.kill()
    place.xmpp.start()
    await place.bridge.until(place.bridge.ready, what="the link")
    async with Client(place.xmpp, "alice") as alice:
        await heard(alice, contact, "Door back is state 29")
        assert set(texts(alice, contact)) == {f"Door back is state {n}" for n in range(30)}
        by_text = {}
        for stanza in alice.inbox:
            if stanza.name == "message" and stanza["from"].bare == contact:
                by_text.setdefault(stanza["body"], set()).add(stanza["id"])
        assert all(len(ids) == 1 for ids in by_text.values()), by_text


async def test_full_lane_holds_the_acknowledgements(place):
    """At the bound nothing more is acknowledged, and nothing is lost."""
    async with Client(place.xmpp, "alice") as alice:
        contact = await begin(place, "cellar", alice)
    place.xmpp.stop()
    await place.bridge.until(lambda: not place.bridge.ready(), what="end of the link")
    with MqttWire(place.broker, "filling") as wire:
        for number in range(700):
            say(wire, "cellar", f"state {number}")
        await place.bridge.until(lambda: "full" in (lane(place.bridge) or {"state": ""})["state"], what="a full lane")
        assert int(lane(place.bridge)["queued"]) < 600, lane(place.bridge)
        place.xmpp.start()
        async with Client(place.xmpp, "alice") as alice:
            await heard(alice, contact, "Door cellar is state 699", 60)
            told = list(dict.fromkeys(texts(alice, contact)))
            assert told == [f"Door cellar is state {n}" for n in range(700)]


async def test_error_that_comes_back(place):
    """Who is not there any more: the message becomes a letter, is listed with its text, tried again, and given up."""
    place.xmpp.add_user("gone", "pw")
    async with Client(place.xmpp, "gone") as gone:
        contact = await begin(place, "attic", gone)
        gone_bare = gone.bare
        await gone.through(place.bridge.domain)

        with MqttWire(place.broker, "letters") as wire:
            say(wire, "attic", "open")
            first = await gone.expect(kind="message", frm=contact, body="is open")
            gone.raw(f"<message to='{first['from']}' type='error' id='{first['id']}'><error type='cancel'>"
                     "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
            await place.bridge.until(lambda: place.bridge.ctl_json("dead")["dead"], what="a letter")
        letter = place.bridge.ctl_json("dead")["dead"][0]
        assert letter["user"] == gone_bare and letter["contact"] == contact and letter["state"] == "dead", letter
        assert letter["id"] == first["id"] and "unavailable" in letter["why"], letter
        assert "Door attic is open" in place.bridge.ctl("dead", letter["number"])
        assert "could not be delivered" in place.bridge.ctl("explain", contact, gone_bare)
        place.bridge.ctl("replay", letter["number"])
        again = await gone.expect(kind="message", frm=contact, body="is open")
        assert again["id"] == first["id"] and again["body"] == first["body"]
        assert not place.bridge.ctl_json("dead")["dead"]


async def test_explain(place):
    async with Client(place.xmpp, "alice") as alice:
        contact = await begin(place, "side", alice)
        text = place.bridge.ctl("explain", contact, alice.bare)
        assert re.search(r"is subscribed", text) and "Adapter home: " in text and "Component bridge.localhost: up" in text, text
        assert "is not registered" in place.bridge.ctl("explain", alice.bare)
        assert "may not see it" in place.bridge.ctl("explain", contact, "stranger@elsewhere.example")


async def test_under_way_at_a_kill(place):
    """A command whose device does not answer, and then the process is no more: its sender is told at the next start."""
    async with Client(place.xmpp, "alice") as alice:
        contact = await begin(place, "gate", alice)
        place.broker.process.send_signal(signal.SIGSTOP)  # no PUBACK comes
        try:
            alice.raw(f"<message to='{contact}' type='chat' id='cmd-1'><body>set state open</body><request xmlns='urn:xmpp:receipts'/></message>")
            await alice.through(place.bridge.domain)
            log = place.bridge.state / "spandrel.db-wal"
            await place.bridge.until(lambda: b"cmd-1" in log.read_bytes(), what="row in the log of the database")
            place.bridge.kill()
        finally:
            place.broker.process.send_signal(signal.SIGCONT)
        place.bridge.start()
        told = await alice.expect(kind="message", frm=contact, type="error")
        assert told["id"] == "cmd-1" and "not known" in told["error"]["text"], told
