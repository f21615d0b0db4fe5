"""Webhooks of services: what their own clients send is said in a room, and answered as they have it."""
import asyncio
import http.client
import json
import pathlib

import pytest

from bridge import Bridge
from client import Client
from servers import HOST, free_port

TOKEN = "averysecrettokenofthirtytwobytes"
PAYLOADS = pathlib.Path(__file__).parent.parent / "unit" / "webhook" / "payloads"

# One hook without a profile: the sender is recognised. And one where the profile is set.
HOOKS = """
  hooks:
      type: webhook
      listen: ["{host}:{port}"]
      hooks:
        any:
          rooms: [services@{rooms}]
          auth: [{{type: token, secret: {token}}}]
        discord:
          rooms: [services@{rooms}]
          profile: discord
          auth: [{{type: token, secret: {token}}}]
"""


class Services(Bridge):
    """A bridge that services post to."""

    def __init__(self, xmpp):
        super().__init__(xmpp)
        self.port = free_port()

    def text(self):
        hooks = HOOKS.format(host=HOST, port=self.port, rooms=self.xmpp.rooms, token=TOKEN)
        return super().text().replace(self.access, f"adapters:\n{hooks}{self.access}")

    def send(self, method, path, body, headers):
        """Status, headers and bytes."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=40)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    async def post(self, path, body, method="POST", **headers):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("content_type", "application/json")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(self.send, method, f"/h/{path}", body, named)

    async def listening(self):
        await self.until(lambda: "listening" in self.ctl_json("adapters")["adapters"][0]["state"], what="listener")


@pytest.fixture(scope="module")
def services(xmpp):
    bridge = Services(xmpp)
    try:
        bridge.start()
        asyncio.run(bridge.listening())
        yield bridge
        bridge.finish()
    finally:
        bridge.close()


def payload(name):
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def said(name):
    """The text that the unit tests have for it (of one post, without files); "^" stands for a word joiner there."""
    text = (PAYLOADS / f"{name}.txt").read_text().split("\n--- ", 1)[1].split("\n", 1)[1]
    lines = text.rstrip("\n").split("\n")
    while lines[0].split(":")[0] in ("key", "nick", "avatar", "to", "thread", "file"):
        lines.pop(0)
    return "\n".join(lines).replace("^", "\u2060")


ROWS = [  # payload, what the sender sets, status, beginning of the answer
    ("github_push", {"x_github_event": "push", "x_github_delivery": "1"}, 202, b'{"id":"'),
    ("gitea_approved", {"x_gitea_event": "pull_request_approved", "x_github_event": "pull_request_review"}, 202, b'{"id":"'),
    ("gitlab_note", {"x_gitlab_event": "Note Hook"}, 202, b'{"id":"'),
    ("cloudevents", {"content_type": "application/cloudevents+json"}, 202, b'{"id":"'),
    ("alertmanager", {"user_agent": "Alertmanager/0.27.0"}, 202, b'{"id":"'),
]


@pytest.mark.parametrize("name,headers,status,answer", ROWS, ids=[row[0] for row in ROWS])
async def test_services_are_recognised(services, name, headers, status, answer):
    async with Client(services.xmpp, "alice") as alice:
        await alice.make_room(f"services@{services.xmpp.rooms}", "alice")
        headers = {"content_type": "application/json"} | headers
        got, _, body = await services.post(f"any/{TOKEN}", json.dumps(payload(name)), **headers)
        assert (got, body[: len(answer)]) == (status, answer)
        await alice.expect(kind="message", body=said(name))


async def test_slack_by_its_path_as_a_form(services):
    async with Client(services.xmpp, "alice") as alice:
        await alice.make_room(f"services@{services.xmpp.rooms}", "alice")
        status, headers, body = await services.post(
            f"any/{TOKEN}/slack", "payload=%7B%22text%22%3A%22%3Chttps%3A%2F%2Fe.org%7Cdone%3E%22%7D", content_type="application/x-www-form-urlencoded")
        assert (status, body) == (200, b"ok") and headers["Content-Type"].startswith("text/plain")
        await alice.expect(kind="message", body="done <https://e.org>")
        status, _, body = await services.post(f"any/{TOKEN}/slack", {"text": ""})
        assert (status, body) == (400, b"no_text")
        status, _, body = await services.post(f"any/{TOKEN}/slack", "{", content_type="application/json")
        assert (status, body) == (400, b"invalid_payload")


async def test_discord_sends_and_changes(services):
    async with Client(services.xmpp, "alice") as alice:
        await alice.make_room(f"services@{services.xmpp.rooms}", "alice")
        status, _, body = await services.post(f"discord/{TOKEN}", {"content": "**one**"})
        assert (status, body) == (204, b"")
        await alice.expect(kind="message", body="*one*")
        status, _, body = await services.post(f"discord/{TOKEN}?wait=true", {"content": "two"})
        message = json.loads(body)
        assert status == 200 and message["content"] == "two"
        await alice.expect(kind="message", body="two")
        status, _, body = await services.post(f"discord/{TOKEN}/messages/{message['id']}", {"content": "three"}, method="PATCH")
        assert status == 200 and json.loads(body)["id"] == message["id"]
        changed = await alice.expect(kind="message", body="three")
        replace = changed.xml.find("{urn:xmpp:message-correct:0}replace")
        assert replace is not None and replace.get("id") == message["id"]
        status, _, body = await services.post(f"discord/{TOKEN}", {"content": ""})
        assert status == 400 and json.loads(body)["code"] == 50006


async def test_ntfy_and_gotify_by_their_paths(services):
    async with Client(services.xmpp, "alice") as alice:
        await alice.make_room(f"services@{services.xmpp.rooms}", "alice")
        status, _, body = await services.post(f"any/{TOKEN}/backups", "all done", method="PUT", title="Backup", tags="warning")
        assert status == 200 and json.loads(body)["topic"] == "backups"
        await alice.expect(kind="message", body="⚠️ *Backup*\nall done")
        status, _, body = await services.post(f"any/{TOKEN}/message", {"title": "t", "message": "m", "priority": 5})
        assert status == 200 and json.loads(body)["message"] == "m"
        await alice.expect(kind="message", body="*t*\nm")
