"""The demo: a short story on real servers, told as each side sees it. Run by scripts/demo."""
import argparse
import asyncio
import json
import subprocess
import sys
import time

import servers
from bridge import DEVICES
from client import Client
from device import Device
from hooks import Hooks, corrects

WIDTH = 10
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010802000000907753"  # a pixel
                    "de0000000c49444154789c63f8dfc0000004010180c52a185d0000000049454e44ae426082")
FILES = """
          files:
            picture: {topic: "devices/{1}/picture"}
"""
SERVERS = {"prosody": lambda: servers.Prosody(uploads=""), "ejabberd": lambda: servers.Ejabberd(uploads="open")}


def hooks_of(bridge):
    return {"alerts": {"title": "Alerts", "rooms": [bridge.room("ops")]}}


def attached(server, broker):
    web = getattr(server, "web", None)
    return Hooks(server, hooks_of, broker=broker, mqtt=DEVICES.rstrip() + FILES, link=f"    upload: {{ca: {web}/ca.pem}}\n" if web else "")


class Story:
    """Prints what each side does and sees, and counts the checks."""

    def __init__(self):
        self.good = self.bad = 0
        self._began = time.monotonic()

    def tell(self, who, what):
        print(f"{time.monotonic() - self._began:6.2f}  {who:<{WIDTH}} {what}", flush=True)

    def check(self, what, good):
        self.good += bool(good)
        self.bad += not good
        print(f"        {'':<{WIDTH}} {'ok' if good else 'FAILED'}: {what}", flush=True)

    def end(self):
        total = self.good + self.bad
        print(f"{self.good}/{total} checks passed")
        return 0 if not self.bad else 1


def shown(stanza):
    if stanza.name == "message":
        return f"{stanza['from']} says: {stanza['body']}"
    kind = stanza["type"] if stanza["type"] not in ("available", "") else (stanza["show"] or "online")
    return f"presence of {stanza['from']}: {kind}" + (f" ({stanza['status']})" if stanza["status"] else "")


async def subscribe(story, alice, lamp):
    story.tell("alice", f"adds the contact {lamp}")
    alice.presence(to=lamp, kind="subscribe")
    await alice.expect(kind="presence", frm=lamp, type="subscribed")
    presence = await alice.expect(kind="presence", frm=lamp, where=lambda s: s["type"] == "available" and "21.4" in s["status"])
    story.tell("alice", shown(presence))
    story.check("the contact appears, online, with its reading", True)


async def read(story, alice, lamp, device):
    story.tell("lamp", "reports 22.5 °C")
    await asyncio.to_thread(device.report, temperature=22.5)
    presence = await alice.expect(kind="presence", frm=lamp, where=lambda s: "22.5" in s["status"])
    story.tell("alice", shown(presence))
    story.check("the new reading is in its status", True)


async def command(story, alice, lamp, device):
    story.tell("alice", "writes: set power on")
    alice.say(lamp, "set power on", receipt=True)
    topic, payload, retained = await asyncio.to_thread(device.expect_command)
    story.tell("lamp", f"gets {payload} on {topic}")
    answer = await alice.expect(kind="message", frm=lamp, where=lambda s: s["body"])
    story.tell("alice", shown(answer))
    story.check("the command reached the device, and was not retained", payload == "ON" and not retained)
    story.check("it was confirmed by the device", "on" in answer["body"])


async def alert(story, alice, lamp, device):
    story.tell("lamp", "reports 31 °C")
    await asyncio.to_thread(device.report, temperature=31)
    message = await alice.expect(kind="message", frm=lamp, body="hot")
    story.tell("alice", shown(message))
    story.check("an alert arrives as a message", True)


async def picture(story, alice, lamp, device):
    device.publish("picture", PNG)
    story.tell("lamp", f"sends a picture of {len(PNG)} bytes to the broker; alice writes: get picture")
    message = None
    while message is None or message["type"] == "error":  # until it has come through the broker
        alice.say(lamp, "get picture")
        message = await alice.expect(kind="message", frm=lamp, where=lambda s: s["body"] or s["type"] == "error")
    story.tell("alice", f"gets {message['body']}")
    story.check("a picture arrives by HTTP upload", message["body"].endswith("/picture.png") and message.xml.find("{jabber:x:oob}x") is not None)


async def forbidden(story, bob, lamp):
    story.tell("bob", "who may not command, writes: set power off")
    bob.say(lamp, "set power off")
    answer = await bob.expect(kind="message", frm=lamp)
    story.tell("bob", f"error {answer['error']['condition']}: {answer['error']['text']}")
    story.check("a command without the right is refused", answer["type"] == "error")


async def invisible(story, carol, lamp):
    disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    there = await carol.request(lamp, disco)
    nowhere = await carol.request("nothing@" + lamp.split("@")[1], disco)
    story.tell("carol", f"who may see nothing, asks for the lamp: {there['error']['condition']}; for nothing: {nowhere['error']['condition']}")
    story.check("what one may not see looks as if it did not exist", there["error"]["condition"] == nowhere["error"]["condition"] == "item-not-found")


async def death(story, alice, lamp, device):
    story.tell("lamp", "dies")
    await asyncio.to_thread(device.die)
    presence = await alice.expect(kind="presence", frm=lamp, type="unavailable", timeout=30)
    story.tell("alice", shown(presence))
    story.check("the contact goes offline", True)
    alice.say(lamp, "set power off")
    answer = await alice.expect(kind="message", frm=lamp, type="error")
    story.tell("alice", f"writes: set power off; error: {answer['error']['text']}")
    story.check("a command to a dead device is refused", True)


async def curl(story, bridge, key, body):
    """A post of a service, which waits for the room; its answer."""
    post = json.dumps({"body": body, "key": key})
    story.tell("service", f"curl -H 'Prefer: wait=10' -d '{post}' http://.../h/alerts/TOKEN")
    done = await asyncio.to_thread(subprocess.run, ["curl", "-sS", "-H", "Prefer: wait=10", "-H", "Content-Type: application/json", "-d", post, bridge.url("alerts")],
                                   capture_output=True, text=True, timeout=60, check=False)
    answer = json.loads(done.stdout or "{}")
    story.tell("service", f"is answered: {answer.get('status')}, {[target.get('stanza_id') for target in answer.get('targets', [])]}")
    return answer


async def webhook(story, alice, bridge):
    room = bridge.room("ops")
    await alice.make_room(room, "alice")
    story.tell("alice", f"is in the room {room}")
    answer = await curl(story, bridge, "disk", "disk of db1 is full")
    first = await alice.expect(kind="message", type="groupchat", frm=f"{room}/Alerts")
    story.tell("alice", shown(first))
    story.check("what is posted by HTTP is said in a room, and the answer knows it", answer.get("status") == "confirmed" and first["body"] == "disk of db1 is full")
    await curl(story, bridge, "disk", "disk of db1 is well again")
    last = await alice.expect(kind="message", type="groupchat", frm=f"{room}/Alerts")
    story.tell("alice", f"{shown(last)} (in place of the first)")
    story.check("the next post of the same key corrects it", corrects(last) == first["id"])


async def recovery(story, alice, lamp, broker, bridge):
    story.tell("operator", "kills the bridge with -9")
    bridge.kill()
    with Device(broker, "lamp"):
        story.tell("lamp", "is back, with nobody to see it")
        bridge.start()
        presence = await alice.expect(kind="presence", frm=lamp, where=lambda s: s["type"] == "available", timeout=30)
        story.tell("alice", shown(presence))
        story.check("after a crash of the bridge the presence is right again by itself", True)


def accepted(bridge):
    return sum(int(lane["accepted"]) for lane in bridge.ctl_json("queue")["queue"])


async def promise(story, server, broker, bridge):
    """An alert that the broker has its acknowledgement for outlives the server, and a crash of the bridge."""
    boiler = f"boiler@{bridge.domain}"
    with Device(broker, "boiler") as device:
        await bridge.expect_mapping("boiler")
        async with Client(server, "alice") as alice:
            await alice.befriend(boiler)
        story.tell("operator", "stops the XMPP server")
        server.stop()
        before = accepted(bridge)
        await asyncio.to_thread(device.report, temperature=35)
        await bridge.until(lambda: accepted(bridge) > before, what="the alert in the journal")
        story.tell("boiler", "reports 35 °C at QoS 1; the bridge acknowledges it, with nobody to tell")
        story.tell("operator", "kills the bridge with -9; then server and bridge come back")
        bridge.kill()
        server.start()
        bridge.start()
        async with Client(server, "alice") as alice:
            message = await alice.expect(kind="message", frm=boiler, body="hot", timeout=30)
            story.tell("alice", shown(message))
    story.check("what was acknowledged is delivered", True)


async def play(story, server, broker, bridge):
    lamp = f"lamp@{bridge.domain}"
    async with Client(server, "alice") as alice, Client(server, "bob") as bob, Client(server, "carol") as carol:
        device = Device(broker, "lamp").start()
        story.tell("lamp", "connects to the broker and reports 21.4 °C")
        await bridge.expect_mapping("lamp")
        await subscribe(story, alice, lamp)
        await read(story, alice, lamp, device)
        await command(story, alice, lamp, device)
        await alert(story, alice, lamp, device)
        await picture(story, alice, lamp, device)
        await webhook(story, alice, bridge)
        await forbidden(story, bob, lamp)
        await invisible(story, carol, lamp)
        await death(story, alice, lamp, device)
        await recovery(story, alice, lamp, broker, bridge)
    await promise(story, server, broker, bridge)


def main():
    parser = argparse.ArgumentParser(description="Plays the main job of Spandrel on real servers.")
    parser.add_argument("--server", choices=["prosody", "ejabberd"], default="prosody")
    options = parser.parse_args()
    story = Story()
    story.tell("operator", f"starts {options.server}, mosquitto and spandrel")
    with SERVERS[options.server]() as server, servers.Mosquitto() as broker, attached(server, broker) as bridge:
        story.tell("operator", f"spandrel is attached as {bridge.domain}")
        try:
            asyncio.run(play(story, server, broker, bridge))
        except AssertionError as failure:
            story.check(str(failure), False)
            print(bridge.tail(), file=sys.stderr)
    sys.exit(story.end())


if __name__ == "__main__":
    main()
