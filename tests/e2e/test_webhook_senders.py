"""Clients of other services post to a hook with nothing changed but the URL, and understand the answers; the room sees what they say."""
import asyncio
import hashlib
import hmac
import json
import pathlib
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest

from client import Client
from hooks import TOKEN, Hooks, corrects, retracts
from servers import HOST

PAYLOADS = pathlib.Path(__file__).resolve().parents[1] / "unit" / "webhook" / "payloads"
SECRET = "a-secret-that-is-long-enough-for-a-signature"
PROFILES = ("slack", "mattermost", "discord", "gotify", "ntfy", "auto")


def hooks_of(bridge):
    hooks = {name: {"rooms": [bridge.room("senders")], "profile": name} for name in PROFILES}
    signed = {"github": "github", "gitlab": "gitlab", "gitea": "gitea", "grafana": "grafana"}
    hooks.update({name: {"rooms": [bridge.room("senders")], "profile": name, "auth": [{"type": kind, "secret": SECRET}]} for name, kind in signed.items()})
    return hooks


@pytest.fixture(scope="module")
def hooks(xmpp):
    bridge = Hooks(xmpp, hooks_of)
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


class Room(Client):
    """Somebody who sees all that is said in the room."""

    def __init__(self, hooks):
        super().__init__(hooks.xmpp, "alice")
        self.room = hooks.room("senders")

    async def __aenter__(self):
        await super().__aenter__()
        await self.make_room(self.room, "alice")
        self.inbox.clear()  # what was said before
        return self

    async def heard(self, body, **what):
        return await self.expect(kind="message", type="groupchat", frm=self.room, body=body, **what)

    async def silence(self):
        await self.expect_none(kind="message", type="groupchat")


async def run(*command):
    """What the command prints, as curl -w '\\n%{http_code}' has it: body and status."""
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]}")
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def curl(*words):
    body, _, status = (await run("curl", "-sS", "-w", "\n%{http_code}", *words)).rpartition("\n")
    return int(status), body


async def test_the_client_of_slack(hooks):
    """The request that slack_sdk.WebhookClient makes (urllib, its headers)."""
    async with Room(hooks) as room:
        body = {"text": "Build <https://ci.example.org/7|7> of *web* is &lt;done&gt;", "username": "ci", "icon_emoji": ":robot_face:"}
        request = urllib.request.Request(hooks.url("slack"), json.dumps(body).encode(), method="POST", headers={
            "User-Agent": "python-slackclient/3.21.3", "Content-Type": "application/json;charset=utf-8"})
        with await asyncio.to_thread(urllib.request.urlopen, request) as answer:
            assert (answer.status, answer.read()) == (200, b"ok")
        await room.heard("Build 7 <https://ci.example.org/7> of *web* is <done>")


async def test_the_form_of_slack(hooks):
    async with Room(hooks) as room:
        assert await curl("-X", "POST", "--data-urlencode", 'payload={"text": "from a form & more", "channel": "#ops"}', hooks.url("slack")) == (200, "ok")
        await room.heard("from a form & more")
        assert await curl("-X", "POST", "-H", "Content-type: application/json", "--data", '{"text":"Hello, World!"}', hooks.url("slack")) == (200, "ok")
        await room.heard("Hello, World!")
        assert await curl("-X", "POST", "-H", "Content-type: application/json", "--data", '{"text":', hooks.url("slack")) == (400, "invalid_payload")
        assert await curl("-X", "POST", "-H", "Content-type: application/json", "--data", '{"text":""}', hooks.url("slack")) == (400, "no_text")
        await room.silence()


async def test_blocks_of_slack(hooks):
    async with Room(hooks) as room:
        payload = (PAYLOADS / "slack_blocks.json").read_bytes()
        for hook in ("slack", "auto"):
            status, _, answer = await hooks.post(hook, payload, content_type="application/json")
            assert (status, answer) == (200, "ok")
            assert "Hello *bold* and `code`" in (await room.heard("Build 7"))["body"]


async def test_a_message_of_discord_is_changed_and_taken_back(hooks):
    async with Room(hooks) as room:
        status, _, answer = await hooks.post("discord", {"content": "deploying **web**", "username": "Deployer"})
        assert (status, answer) == (204, "")
        await room.heard("deploying *web*")
        status, _, message = await hooks.post("discord", {"content": "step 1"}, "?wait=true")
        first = await room.heard("step 1")
        assert status == 200 and message["content"] == "step 1" and message["type"] == 0
        status, _, changed = await hooks.http("PATCH", f"/h/discord/{TOKEN}/messages/{message['id']}", {"content": "step 2"})
        assert status == 200 and changed["id"] == message["id"] and changed["content"] == "step 2"
        second = await room.heard("step 2")
        assert corrects(second) == first["id"]
        assert await curl("-X", "DELETE", hooks.url("discord", f"/messages/{message['id']}")) == (204, "")
        last = await room.heard("", where=lambda m: retracts(m) is not None)
        assert retracts(last)
        status, _, problem = await hooks.http("PATCH", f"/h/discord/{TOKEN}/messages/123", {"content": "x"})
        assert status == 404 and problem["code"]


async def test_discord_takes_the_payloads_of_others(hooks):
    async with Room(hooks) as room:
        status, _, answer = await hooks.post("discord", {"text": "as *Slack* has it"}, "/slack")
        assert (status, answer) == (200, "ok")
        await room.heard("as *Slack* has it")
        payload = (PAYLOADS / "github_push.json").read_bytes()
        status, _, _ = await hooks.post("discord", payload, "/github", content_type="application/json", x_github_event="push")
        assert 200 <= status < 300
        await room.heard("pushed 2 commits")
        assert (await hooks.post("discord", {"content": ""}))[0] == 400
        await room.silence()


async def test_apprise_posts_by_three_protocols(hooks):
    """Debian's Apprise, an unmodified client, with the hook's path before what it adds itself."""
    base = f"{HOST}:{hooks.port}/h"
    async with Room(hooks) as room:
        for url in (f"gotify://{base}/gotify/{TOKEN}/app-token", f"mmost://{base}/mattermost/{TOKEN}/a-token", f"json://{base}/auto/{TOKEN}"):
            text = f"by {url.partition(':')[0]}"
            await run("apprise", "-t", "a title", "-b", text, url)
            assert "a title" in (await room.heard(text))["body"]


async def test_a_gotify_client(hooks):
    """As `gotify push` and the curl line of its documentation do."""
    async with Room(hooks) as room:
        status, body = await curl(hooks.url("gotify", "/message?token=A1b2"), "-F", "title=my title", "-F", "message=my message", "-F", "priority=5")
        assert status == 200 and json.loads(body)["message"] == "my message" and isinstance(json.loads(body)["id"], int)
        assert "my title" in (await room.heard("my message"))["body"]
        status, _, answer = await hooks.post("gotify", {"message": "in JSON", "priority": 2}, "/message", x_gotify_key="A1b2")
        assert status == 200 and answer["priority"] == 2
        await room.heard("in JSON")


async def test_ntfy_by_curl(hooks):
    async with Room(hooks) as room:
        status, body = await curl("-d", "Backup successful \N{GRINNING FACE}", hooks.url("ntfy", "/mytopic"))
        assert status == 200 and json.loads(body)["event"] == "message" and json.loads(body)["topic"] == "mytopic"
        await room.heard("Backup successful \N{GRINNING FACE}")
        status, _ = await curl("-H", "Title: Unauthorized access detected", "-H", "Priority: urgent", "-H", "Tags: warning,skull", "-H", "Click: https://example.org/x",
                               "-d", "Remote access detected", hooks.url("ntfy", "/phil_alerts"))
        said = (await room.heard("Remote access detected"))["body"]
        assert status == 200 and "Unauthorized access detected" in said and "https://example.org/x" in said
        status, _ = await curl("-d", '{"topic": "mytopic", "message": "Disk space is low", "title": "Low disk"}', hooks.url("ntfy"))
        assert status == 200 and "Low disk" in (await room.heard("Disk space is low"))["body"]


def signature(body, prefix="", algorithm=hashlib.sha256):
    return prefix + hmac.new(SECRET.encode(), body, algorithm).hexdigest()


SIGNED = {
    "github": ("github_push.json", "pushed 2 commits", lambda body: {"X-GitHub-Event": "push", "X-Hub-Signature-256": signature(body, "sha256="),
                                                                       "X-GitHub-Delivery": hashlib.md5(body).hexdigest(), "User-Agent": "GitHub-Hookshot/044aadd"}),
    "gitlab": ("gitlab_pipeline.json", "pipeline #31", lambda body: {"X-Gitlab-Event": "Pipeline Hook", "X-Gitlab-Token": SECRET, "User-Agent": "GitLab/16.0.0"}),
    "gitea": ("gitea_push.json", "pushed 1 commit", lambda body: {"X-Gitea-Event": "push", "X-Gitea-Signature": signature(body), "X-GitHub-Event": "push",
                                                                   "X-Hub-Signature-256": signature(body, "sha256=")}),
    "grafana": ("grafana.json", "FIRING:2", lambda body: {"X-Grafana-Alerting-Signature": signature(body), "User-Agent": "Grafana"}),
}


def broken(headers):
    """The same with a signature, or a token, that is wrong in its last character."""
    wrong = {}
    for name, value in headers.items():
        secret = name.endswith(("Signature", "Signature-256", "Token"))
        wrong[name] = value[:-1] + ("0" if value[-1] != "0" else "1") if secret else value
    return wrong


async def post_signed(hooks, hook, body, headers):
    return await hooks.http("POST", f"/h/{hook}", body, **{"Content-Type": "application/json", **headers})


@pytest.mark.parametrize("hook", SIGNED)
async def test_a_sender_that_signs(hooks, hook):
    file, words, sign = SIGNED[hook]
    body = (PAYLOADS / file).read_bytes()
    async with Room(hooks) as room:
        mark = hooks.mark()
        wrong = broken(sign(body))
        for headers in (wrong, {name: value for name, value in wrong.items() if value == sign(body)[name]}):  # and without any
            status, _, _ = await post_signed(hooks, hook, body, headers)
            assert status == 403
        tampered = body[:-2] + b" " + body[-2:]
        if hook != "gitlab":  # whose token does not depend on the body
            assert (await post_signed(hooks, hook, tampered, sign(body)))[0] == 403
        assert "is not let in" in hooks.output(mark) and SECRET not in hooks.output(mark)
        await room.silence()
        status, _, answer = await post_signed(hooks, hook, body, sign(body))
        assert status == 202 and answer["status"] == "queued"
        await room.heard(words)
        await room.fence()


async def test_a_delivery_of_github_is_said_once(hooks):
    """GitHub's Redeliver button sends the same delivery again."""
    body = (PAYLOADS / "github_release.json").read_bytes()
    headers = {"X-GitHub-Event": "release", "X-Hub-Signature-256": signature(body, "sha256="), "X-GitHub-Delivery": f"72d3162e-cc78-11e3-{hooks.port}"}
    async with Room(hooks) as room:
        first = await post_signed(hooks, "github", body, headers)
        again = await post_signed(hooks, "github", body, headers)
        assert first[0] == again[0] == 202 and again[1]["Idempotent-Replayed"] == "true" and first[2]["id"] == again[2]["id"]
        await room.heard("")
        ping = b'{"zen": "Keep it logically awesome.", "hook_id": 1}'
        status, _, answer = await post_signed(hooks, "github", ping, {"X-GitHub-Event": "ping", "X-Hub-Signature-256": signature(ping, "sha256=")})
        assert status in (200, 202), answer
        await hooks.post("auto", {"body": "the end"}, prefer="wait=20")
        await room.heard("the end")
        await room.expect_none(kind="message", type="groupchat", body="elease")


async def test_forms_and_texts(hooks):
    async with Room(hooks) as room:
        assert (await curl("-d", "just words", "-H", "Content-Type: text/plain", hooks.url("auto")))[0] == 202
        await room.heard("just words")
        form = urllib.parse.urlencode({"text": "a field", "host": "db1"})
        assert (await curl("-d", form, hooks.url("auto")))[0] == 202
        assert "db1" in (await room.heard("a field"))["body"]
