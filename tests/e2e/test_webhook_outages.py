"""What was accepted while the server was down, and through a kill of the bridge, is said: all of it, once, in order."""
import asyncio
import http.client

import pytest

from client import Client
from hooks import Hooks, delayed

LATE = 10  # seconds after which a message says when it was meant


def hooks_of(bridge):
    return {name: {"rooms": [bridge.room(name)], "rate": {"per_second": 0}} for name in ("down", "killed", "rooms", "often")}


@pytest.fixture(scope="module")
def hooks(xmpp):
    bridge = Hooks(xmpp, hooks_of, {"limits": {"per_room": 0, "per_source": 0}})
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


async def accepted(hooks, hook, bodies):
    for body in bodies:
        assert (await hooks.post(hook, {"body": body}))[0] == 202


async def heard(client, room, count, timeout=60):
    """The bodies of so many messages of the room, in the order in which they came, and whether each was delayed."""
    came = [await client.expect(timeout, kind="message", type="groupchat", where=lambda m: m["from"].bare == room and m["body"]) for _ in range(count)]
    return [m["body"] for m in came], [delayed(m) for m in came]


async def test_the_server_is_down_while_posts_come(hooks):
    room = hooks.room("down")
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(room, "alice")
        assert (await hooks.post("down", {"body": "before"}, prefer="wait=20"))[0] == 200
    hooks.xmpp.stop()
    bodies = [f"while it is down {n}" for n in range(20)]
    await accepted(hooks, "down", bodies)
    await hooks.until(lambda: "down" in hooks.link() or not hooks.link().startswith("up"), what="lost link")
    began = asyncio.get_running_loop().time()
    await hooks.until(lambda: asyncio.get_running_loop().time() - began > LATE, LATE + 5, "time to pass")
    hooks.pause()
    hooks.xmpp.start()
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.enter_room(room, "alice")
        await alice.fence()
        alice.inbox.clear()
        hooks.resume()
        said, late = await heard(alice, room, len(bodies))
        assert said == bodies and all(late)
        assert (await hooks.post("down", {"body": "after"}, prefer="wait=20"))[0] == 200
        assert await heard(alice, room, 1) == (["after"], [False])
        await alice.expect_none(kind="message", type="groupchat", where=lambda m: m["body"])


async def test_a_kill_of_the_bridge_is_seen_by_nobody_in_the_room(hooks):
    room = hooks.room("killed")
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(room, "alice")
        assert (await hooks.post("killed", {"body": "before"}, prefer="wait=20"))[0] == 200
        await alice.expect(kind="message", type="groupchat", body="before")
        alice.inbox.clear()
        for turn in range(3):
            bodies = [f"turn {turn} number {n}" for n in range(5)]
            await accepted(hooks, "killed", bodies)
            hooks.kill()
            hooks.start()
            said, _ = await heard(alice, room, len(bodies))
            assert said == bodies
        assert (await hooks.post("killed", {"body": "after"}, prefer="wait=20"))[0] == 200
        assert await heard(alice, room, 1) == (["after"], [False])
        await alice.expect_none(kind="message", type="groupchat", where=lambda m: m["body"])
        await alice.expect_none(kind="presence", frm=f"{room}/killed")


async def post_all(hooks, hook, bodies, taken):
    """As a sender that repeats what was not answered; `taken` grows by what was."""
    for body in bodies:
        while True:
            try:
                status, _, _ = await hooks.post(hook, {"body": body}, idempotency_key=body)
            except (OSError, http.client.HTTPException):
                continue
            if status == 202:
                taken.append(body)
                break


async def test_kills_while_posts_come(hooks):
    """Wherever a kill falls between a post and its reflection: nothing is lost, said twice or out of order."""
    room, taken = hooks.room("often"), []
    bodies = [f"post {n:03d}" for n in range(200)]
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(room, "alice")
        posting = asyncio.ensure_future(post_all(hooks, "often", bodies, taken))
        for kill in range(1, 6):
            await hooks.until(lambda k=kill: len(taken) > k * 30 + k, what="post")
            hooks.kill()
            hooks.start()
        await posting
        assert taken == bodies
        assert (await heard(alice, room, len(bodies)))[0] == bodies
        assert (await hooks.post("often", {"body": "after"}, prefer="wait=20"))[0] == 200
        assert (await heard(alice, room, 1))[0] == ["after"]


async def test_a_kill_while_the_server_is_down(hooks):
    room = hooks.room("rooms")
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(room, "alice")
    hooks.xmpp.stop()
    bodies = [f"held {n}" for n in range(5)]
    await accepted(hooks, "rooms", bodies)
    hooks.kill()
    hooks.xmpp.start()
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.enter_room(room, "alice")
        alice.inbox.clear()
        hooks.start()
        assert (await heard(alice, room, len(bodies)))[0] == bodies
        await alice.expect_none(kind="message", type="groupchat", where=lambda m: m["body"])


async def test_a_room_that_is_restarted_alone(hooks):
    """The service forgets who is in it, and tells nobody: the next post finds out."""
    room = hooks.room("down")
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(room, "alice")
        assert (await hooks.post("down", {"body": "in it"}, prefer="wait=20"))[0] == 200
    hooks.xmpp.kill()
    hooks.xmpp.start()
    hooks.wait_ready()
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.enter_room(room, "alice")
        await alice.fence()
        alice.inbox.clear()
        status, _, answer = await hooks.post("down", {"body": "in it again"}, prefer="wait=30")
        assert status == 200, answer
        assert await heard(alice, room, 1) == (["in it again"], [False])
