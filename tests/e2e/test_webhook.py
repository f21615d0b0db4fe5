"""Webhooks: what is posted by HTTP is said in a room, on both servers, and the answer is true."""
import asyncio
import http.client
import json

import pytest

from bridge import Bridge
from client import Client
from servers import HOST, Prosody, free_port
from test_disk import no_room

TOKEN = "averysecrettokenofthirtytwobytes"

HOOKS = """
  hooks:
      type: webhook
      listen: ["{host}:{port}"]
      hooks:
        open:
          rooms: [open@{rooms}]
          title: Opener
          auth: [{{type: token, secret: {token}}}]
        members:
          rooms: [members@{rooms}]
          auth: [{{type: token, secret: {token}}}]
        both:
          rooms: [open@{rooms}, second@{rooms}]
          users: [alice@localhost]
          auth: [{{type: bearer, secret: {token}}}]
        puppets:
          rooms: [open@{rooms}]
          username: puppet
          suffix: " (bot)"
          auth: [{{type: token, secret: {token}}}]
        few:
          rooms: [open@{rooms}]
          profile: slack
          rate: {{per_second: 0.01, burst: 1}}
          auth: [{{type: token, secret: {token}}}]
"""


class Hooks(Bridge):
    """A bridge with webhooks."""

    def __init__(self, xmpp):
        super().__init__(xmpp)
        self.port = free_port()

    def text(self):
        hooks = HOOKS.format(host=HOST, port=self.port, rooms=self.xmpp.rooms, token=TOKEN)
        return super().text().replace(self.access, f"adapters:\n{hooks}{self.access}")

    def http(self, method, path, body=None, **headers):
        """Status, headers and body (JSON as such); `idempotency_key=...` is the header Idempotency-Key."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=40)
        try:
            if isinstance(body, dict):
                body = json.dumps(body)
                headers.setdefault("content_type", "application/json")
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            data = answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, answer.headers, json.loads(data) if "json" in kind else data.decode()
        finally:
            connection.close()

    async def post(self, hook, body, path="", **headers):
        return await asyncio.to_thread(self.http, "POST", f"/h/{hook}/{TOKEN}{path}", body, **headers)

    async def listening(self):
        await self.until(lambda: "listening" in self.ctl_json("adapters")["adapters"][0]["state"], what="listener")
        return self


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


def alice_of(hooks):
    return Client(hooks.xmpp, "alice")


async def test_a_post_is_said_in_the_room_and_confirmed(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        status, headers, answer = await hooks.post("open", {"body": "disk full"}, prefer="wait=20")
        said = await alice.expect(kind="message", frm=f"{room}/Opener", body="disk full")
        assert status == 200, str(answer)
        target, = answer["targets"]
        assert answer["status"] == target["status"] == "confirmed" and target["by"] == room
        stanza_id = said.xml.find("{urn:xmpp:sid:0}stanza-id")
        assert stanza_id is not None and target["stanza_id"] == stanza_id.get("id")
        assert headers["Location"] == answer["self"] == f"/h/open/{TOKEN}/messages/{answer['id']}"
        status, _, later = await asyncio.to_thread(hooks.http, "GET", answer["self"])
        assert status == 200 and later["targets"] == answer["targets"]


async def test_a_correction_and_a_retraction_by_id(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        _, _, answer = await hooks.post("open", {"body": "frst"}, prefer="wait=20")
        await alice.expect(kind="message", frm=f"{room}/Opener", body="frst")
        status, _, _ = await asyncio.to_thread(hooks.http, "PATCH", answer["self"], {"body": "first"}, prefer="wait=20")
        assert status == 200
        changed = await alice.expect(kind="message", frm=f"{room}/Opener", body="first")
        replace = changed.xml.find("{urn:xmpp:message-correct:0}replace")
        assert replace is not None and replace.get("id") == answer["id"]
        status, _, _ = await asyncio.to_thread(hooks.http, "DELETE", answer["self"], prefer="wait=20")
        assert status == 200
        await alice.expect(kind="message", frm=f"{room}/Opener", where=lambda s: s.xml.find("{urn:xmpp:message-retract:1}retract") is not None)


async def test_the_same_key_is_said_once(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        first = await hooks.post("open", {"body": "only once"}, idempotency_key="once")
        again = await hooks.post("open", {"body": "only once"}, idempotency_key="once")
        other = await hooks.post("open", {"body": "another"}, idempotency_key="once")
        assert first[0] == again[0] == 202 and first[2] == again[2]
        assert again[1]["Idempotent-Replayed"] == "true" and first[1]["Idempotent-Replayed"] is None
        assert other[0] == 422
        status, _, _ = await hooks.post("open", {"body": "behind it"}, prefer="wait=20")
        assert status == 200
        await alice.expect(kind="message", frm=f"{room}/Opener", body="only once")
        await alice.expect(kind="message", frm=f"{room}/Opener", body="behind it")
        assert not alice.seen(kind="message", body="only once")


async def test_posts_of_one_key_are_one_message(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        _, _, first = await hooks.post("open", {"body": "it burns", "key": "fire"}, prefer="wait=20")
        await alice.expect(kind="message", frm=f"{room}/Opener", body="it burns")
        await hooks.post("open", {"body": "it is out", "key": "fire"}, prefer="wait=20")
        last = await alice.expect(kind="message", frm=f"{room}/Opener", body="it is out")
        assert last.xml.find("{urn:xmpp:message-correct:0}replace").get("id") == first["id"]


async def test_a_room_for_members_is_told_of(hooks):
    async with alice_of(hooks) as alice:
        await alice.make_room(f"members@{hooks.xmpp.rooms}", "alice", membersonly=True)
        status, headers, problem = await hooks.post("members", {"body": "let me in"}, prefer="wait=20")
        assert status == 503 and int(headers["Retry-After"]) > 0
        assert headers["Content-Type"] == "application/problem+json"
        assert problem["condition"] == "registration-required" and problem["to"] == f"members@{hooks.xmpp.rooms}"
        status, _, answer = await hooks.post("members", {"body": "some day"})
        assert status == 202

        def parked():
            return hooks.http("GET", answer["self"])[2]["status"] == "parked"

        await hooks.until(parked, what="parked message")


async def test_several_rooms_and_people(hooks):
    async with alice_of(hooks) as alice:
        for name in ("open", "second"):
            await alice.make_room(f"{name}@{hooks.xmpp.rooms}", "alice")
        status, _, answer = await asyncio.to_thread(hooks.http, "POST", "/h/both", {"body": "to all"}, authorization=f"Bearer {TOKEN}", prefer="wait=25")
        assert status == 200, str(answer)
        assert [t["status"] for t in answer["targets"]] == ["confirmed"] * 3
        for where in (f"open@{hooks.xmpp.rooms}/both", f"second@{hooks.xmpp.rooms}/both", f"both@{hooks.domain}"):
            await alice.expect(kind="message", frm=where, body="to all")


async def test_a_puppet_speaks_by_its_name(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        status, _, answer = await hooks.post("puppets", {"text": "built", "username": "ci"}, "/slack")
        assert (status, answer) == (200, "ok")
        await alice.expect(kind="message", frm=f"{room}/ci (bot)", body="built")


def form(name, data):
    """A multipart body with a file, and its Content-Type."""
    head = f'--b\r\nContent-Disposition: form-data; name="files[0]"; filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
    return head.encode() + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


async def test_a_file_without_a_place_to_go_is_told_of(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        body, kind = form("graph.png", b"\x89PNG")
        assert (await hooks.post("open", body, "/discord", content_type=kind))[0] == 204
        await alice.expect(kind="message", frm=f"{room}/Opener", body="File: graph.png")
        await alice.expect(kind="message", frm=f"{room}/Opener", body="upload service")


def test_a_file_goes_by_way_of_the_upload_service():
    async def story(hooks):
        async with alice_of(await hooks.listening()) as alice:
            room = f"open@{hooks.xmpp.rooms}"
            await alice.make_room(room, "alice")
            body, kind = form("graph.png", b"\x89PNG")
            assert (await hooks.post("open", body, "/discord", content_type=kind))[0] == 204
            await alice.expect(kind="message", frm=f"{room}/Opener", body="File: graph.png")
            url = await alice.expect(kind="message", frm=f"{room}/Opener", where=lambda s: s.xml.find("{jabber:x:oob}x/{jabber:x:oob}url") is not None)
            assert url["body"].endswith("graph.png")

    with Prosody(uploads="") as server, Hooks(server) as hooks:
        asyncio.run(story(hooks))


async def test_who_may_not_is_told_nothing(hooks):
    wrong = TOKEN[:-1] + "x"
    known = await asyncio.to_thread(hooks.http, "POST", f"/h/open/{wrong}", {"body": "x"})
    unknown = await asyncio.to_thread(hooks.http, "POST", f"/h/nothere/{wrong}", {"body": "x"})
    assert known[0] == unknown[0] == 404 and known[2] == unknown[2]
    assert {k: v for k, v in known[1].items() if k != "Date"} == {k: v for k, v in unknown[1].items() if k != "Date"}
    assert TOKEN not in hooks.output() and wrong not in hooks.output()


async def test_only_posting_fires_it(hooks):
    mark = hooks.mark()
    status, headers, _ = await asyncio.to_thread(hooks.http, "GET", f"/h/open/{TOKEN}")
    assert status == 405 and "POST" in headers["Allow"] and "GET" not in headers["Allow"]
    assert (await hooks.post("open", "{", content_type="application/json"))[0] == 400
    status, _, problem = await hooks.post("open", {"nothing": 1})
    assert status in (202, 422), problem
    assert (await hooks.post("open", {"body": "x" * (2 << 20)}))[0] == 413
    assert TOKEN not in hooks.output(mark)


async def test_the_pace_of_a_hook(hooks):
    async with alice_of(hooks) as alice:
        await alice.make_room(f"open@{hooks.xmpp.rooms}", "alice")
        assert (await hooks.post("few", {"text": "one"}))[0] == 200
        status, headers, _ = await hooks.post("few", {"text": "two"})
        assert status in (429, 503) and int(headers["Retry-After"]) > 50


async def test_hooks_are_made_and_ended_at_run_time(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        shown = hooks.ctl("hook", "add", "made", room, "title=Made")
        path = shown.split()[2]
        assert path.startswith("/h/made/")
        assert (await asyncio.to_thread(hooks.http, "POST", path, {"body": "new"}, prefer="wait=20"))[0] == 200
        await alice.expect(kind="message", frm=f"{room}/Made", body="new")
        second = hooks.ctl("hook", "rotate", "made").split()[2]
        hooks.ctl("hook", "disable", "made")
        assert (await asyncio.to_thread(hooks.http, "POST", path, {"body": "x"}))[0] == 410
        hooks.ctl("hook", "enable", "made")
        for one in (path, second):
            assert (await asyncio.to_thread(hooks.http, "POST", one, {"body": "both work"}))[0] == 202
        assert "made: up" in hooks.ctl("hook", "list")
        assert path.split("/")[-1] not in hooks.output()
        hooks.ctl("hook", "remove", "made")
        assert (await asyncio.to_thread(hooks.http, "POST", path, {"body": "x"}))[0] == 404


async def test_render_says_what_would_be_said(hooks, tmp_path):
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({"body": "only a try"}))
    shown = hooks.ctl("hook", "render", "open", "profile=native", f"@{payload}")
    assert "only a try" in shown and "nothing is posted" in shown
    assert "test of the hook" not in shown
    assert hooks.ctl("hook", "test", "open", "a small test").startswith("Posted as msg_")


async def test_a_full_disk_is_told_in_time(hooks):
    async with alice_of(hooks) as alice:
        await alice.make_room(f"open@{hooks.xmpp.rooms}", "alice")
        assert (await hooks.post("open", {"body": "before"}, prefer="wait=20"))[0] == 200
        with no_room(hooks):
            status, number = 202, 0
            while status == 202:  # until the log of the database has no room
                number += 1
                assert number < 2000
                status, _, _ = await hooks.post("open", {"body": f"{number} " + "x" * 2000})
            assert status == 200  # the room has it
            assert (await hooks.post("members", {"body": "waits"}))[0] == 503  # what only the disk would have

        async def taken():
            return (await hooks.post("open", {"body": "there is room again"}))[0] == 202

        await hooks.until(taken, what="post that is taken")
        await alice.expect(kind="message", body=f"{number} x")
        await alice.expect(kind="message", body="there is room again")


async def test_what_was_accepted_outlives_a_kill(hooks):
    async with alice_of(hooks) as alice:
        room = f"open@{hooks.xmpp.rooms}"
        await alice.make_room(room, "alice")
        assert (await hooks.post("open", {"body": "before"}, prefer="wait=20"))[0] == 200
        bodies = [f"number {n}" for n in range(5)]
        for body in bodies:
            assert (await hooks.post("open", {"body": body}, idempotency_key=body))[0] == 202
        hooks.kill()
        hooks.start()
        await hooks.listening()
        for body in bodies:  # the sender did not hear us, and says it again
            assert (await hooks.post("open", {"body": body}, idempotency_key=body))[0] == 202
        assert (await hooks.post("open", {"body": "behind all"}, prefer="wait=20"))[0] in (200, 202)
        for body in bodies:
            await alice.expect(kind="message", frm=room, type="groupchat", body=body)
        await alice.expect(kind="message", frm=room, type="groupchat", body="behind all")
        assert not alice.seen(kind="message", type="groupchat", body="number")
