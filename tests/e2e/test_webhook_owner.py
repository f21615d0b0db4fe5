"""A room's owner looks after its webhooks by private messages to a hook's occupant, on both servers."""
import asyncio
import json
import re

from client import Client
from test_webhook import Hooks
from wait import until

import pytest


@pytest.fixture(scope="module")
def hooks(xmpp):
    bridge = Hooks(xmpp)
    try:
        bridge.start()
        asyncio.run(bridge.listening())
        yield bridge
        bridge.finish()
    finally:
        bridge.close()


async def say(who, room, nick, text):
    """Says it to the occupant alone; the answer."""
    who.say(f"{room}/{nick}", text)
    answer = await who.expect(kind="message", frm=f"{room}/{nick}", type="chat")
    return answer["body"]


async def post_to(bridge, path, text):
    return await asyncio.to_thread(bridge.http, "POST", path, json.dumps({"body": text}), content_type="application/json")


async def test_an_owner_adds_and_rotates_a_hook(hooks):
    room = f"open@{hooks.xmpp.rooms}"
    async with Client(hooks.xmpp, "alice") as alice, Client(hooks.xmpp, "bob") as bob:
        await alice.make_room(room, "alice")
        await bob.enter_room(room, "bob")
        await hooks.post("open", {"body": "here"}, prefer="wait=20")
        await alice.expect(kind="message", frm=f"{room}/Opener", body="here")

        assert "nobody reads" in await say(bob, room, "Opener", "list")
        assert "add NAME" in await say(alice, room, "Opener", "what can you do")
        listed = await say(alice, room, "Opener", "list")
        assert "open: Opener" in listed and "both:" in listed and "members" not in listed, listed
        assert "posts elsewhere too" in next(line for line in listed.splitlines() if line.startswith("both:"))

        refused = await say(alice, room, "Opener", f"add mine elsewhere@{hooks.xmpp.rooms}")
        assert refused.startswith("add NAME"), refused
        refused = await say(alice, room, "Opener", "rotate both")
        assert "looks after it" in refused
        refused = await say(alice, room, "Opener", "rotate members")
        assert "No such hook" in refused or "configuration" in refused

        added = await say(alice, room, "Opener", "add mine title=Mine")
        path = re.search(r"/h/mine/\S+", added).group()
        status, _, answer = await post_to(hooks, path, "by the owner's hook")
        assert status == 202, answer
        await alice.expect(kind="message", frm=f"{room}/Mine", body="by the owner's hook")

        rotated = re.search(r"/h/mine/\S+", await say(alice, room, "Mine", "rotate 0s")).group()
        assert rotated != path
        assert (await post_to(hooks, path, "old"))[0] == 404
        assert (await post_to(hooks, rotated, "new"))[0] == 202
        await alice.expect(kind="message", frm=f"{room}/Mine", body="new")
        for mistake in ("remove mien", "disable mien", "remove mine too"):  # nothing is done to the one that was spoken to
            assert "is removed" not in await say(alice, room, "Mine", mistake)
        assert (await post_to(hooks, rotated, "still there"))[0] == 202
        assert "is removed" in await say(alice, room, "Opener", "remove mine")
        assert (await post_to(hooks, rotated, "gone"))[0] == 404


async def test_after_a_restart_an_owner_is_known_again(hooks):
    room = f"open@{hooks.xmpp.rooms}"
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(room, "alice")
        await hooks.post("open", {"body": "before"}, prefer="wait=20")
        await alice.expect(kind="message", frm=f"{room}/Opener", body="before")
        hooks.kill()
        hooks.start()
        await hooks.listening()

        def is_in():
            return any(row["room"] == room and row["state"] == "in" for row in hooks.ctl_json("rooms")["rooms"])

        await until(is_in, what="the occupant to be resumed")
        alice.presence(to=f"{room}/alice", status="here")
        await alice.fence()
        answer = await say(alice, room, "Opener", "list")
        if "Enter the room again" in answer:  # its presence was told before we were asked for
            alice.presence(to=f"{room}/alice", status="still here")
            await alice.fence()
            answer = await say(alice, room, "Opener", "list")
        assert "open: Opener" in answer, answer
