"""Webhooks in the tests: a bridge with hooks, what senders do, and what those in a room see of it."""
import asyncio
import http.client
import json
import shutil

from bridge import Bridge
from servers import HOST, Server, free_port

TOKEN = "averysecrettokenofthirtytwobytes"
IN_URL = [{"type": "token", "secret": TOKEN}]


def ask(port, method, path, body=None, headers=None):
    """Status, headers and body (JSON as such) of one request; what is no text becomes JSON."""
    headers = dict(headers or {})
    if not isinstance(body, (str, bytes, type(None))):
        body = json.dumps(body)
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    try:
        connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
        answer = connection.getresponse()
        data = answer.read()
        kind = answer.headers.get("Content-Type", "")
        return answer.status, answer.headers, json.loads(data) if "json" in kind else data.decode()
    finally:
        connection.close()


class Hooks(Bridge):
    """A bridge with webhooks. `hooks`: a function of the bridge that returns the hooks, by name, as in the configuration (`auth` is the token in the URL, if nothing is
    said); `adapter`: more of the adapter's section; `venues`: a function as well, for `rooms` of the configuration."""

    def __init__(self, xmpp, hooks, adapter=None, venues=None, **more):
        super().__init__(xmpp, **more)
        self.port = free_port()
        self._hooks, self._adapter, self._venues = hooks, adapter or {}, venues

    def room(self, name):
        return f"{name}@{self.xmpp.rooms}"

    def text(self):
        hooks = {name: {"auth": IN_URL, **options} for name, options in self._hooks(self).items()}
        adapter = {"type": "webhook", "listen": [f"{HOST}:{self.port}"], "hooks": hooks, **self._adapter}
        text = super().text()
        head = "" if "\nadapters:\n" in text else "adapters:\n"
        text = text.replace(self.access, f"{head}  hooks: {json.dumps(adapter)}\n{self.access}")
        return text + (f"rooms: {json.dumps(self._venues(self))}\n" if self._venues else "")

    def ready(self):
        try:
            rows = self.ctl_json("adapters")["adapters"]
        except (RuntimeError, ValueError, OSError):
            return False
        return super().ready() and any("listening" in row["state"] for row in rows)

    def url(self, hook, path=""):
        return f"http://{HOST}:{self.port}/h/{hook}/{TOKEN}{path}"

    async def http(self, method, path, body=None, **headers):
        """`idempotency_key=...` is the header Idempotency-Key."""
        return await asyncio.to_thread(ask, self.port, method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})

    async def post(self, hook, body, path="", **headers):
        return await self.http("POST", f"/h/{hook}/{TOKEN}{path}", body, **headers)

    def guest(self, room, hook):
        """The row of `ctl rooms` of the hook in this room, or None."""
        rows = self.ctl_json("rooms")["rooms"]
        return next((r for r in rows if r["room"] == room and r["contact"] == f"{hook}@{self.domain}"), None)

    async def expect_guest(self, room, hook, state, seconds=20):
        def there():
            row = self.guest(room, hook)
            return row if row and row["state"] == state else None

        return await self.until(there, seconds, f"{hook} {state} in {room}, but {self.guest(room, hook)}")

    async def expect_message(self, self_path, status, seconds=20):
        """What GET tells of a message, once it has this status."""
        last = None

        async def there():
            nonlocal last
            _, _, last = await self.http("GET", self_path)
            return last if last.get("status") == status else None

        return await self.until(there, seconds, f"message that is {status}")


class Alertmanager(Server):
    """Debian's; `urls`: where it posts to; `by`: the labels that make a group; `credentials`: a bearer token."""

    name = "alertmanager"

    def __init__(self, *urls, by=("alertname",), interval="1s", credentials=None):
        super().__init__()
        self.port = free_port()
        self.urls, self.by, self.interval, self.credentials = urls, by, interval, credentials

    def command(self):
        binary = shutil.which("prometheus-alertmanager") or "/usr/bin/prometheus-alertmanager"
        return [binary, f"--config.file={self.directory}/alertmanager.yml", f"--storage.path={self.directory}/data",
                f"--web.listen-address={HOST}:{self.port}", "--cluster.listen-address="]

    def configure(self):
        authorization = f"        http_config: {{authorization: {{credentials: {self.credentials}}}}}\n" if self.credentials else ""
        hooks = "".join(f"      - url: {url}\n{authorization}" for url in self.urls)
        (self.directory / "alertmanager.yml").write_text(
            f"route:\n  receiver: rooms\n  group_by: [{', '.join(self.by)}]\n  group_wait: 0s\n  group_interval: {self.interval}\n  repeat_interval: 1h\n"
            f"receivers:\n  - name: rooms\n    webhook_configs:\n{hooks}")

    def ready(self):
        try:
            return ask(self.port, "GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def alert(self, name, resolved=False, summary="", **labels):
        """As Prometheus tells it: one alert fires, or is over."""
        alert = {"labels": {"alertname": name, **labels}, "annotations": {"summary": summary} if summary else {},
                 "startsAt": "2020-01-01T00:00:00Z", **({"endsAt": "2020-01-01T00:01:00Z"} if resolved else {})}
        status, _, answer = ask(self.port, "POST", "/api/v2/alerts", [alert])
        assert status == 200, answer


# What a message in a room says beside its text.

def stanza_id(message):
    found = message.xml.find("{urn:xmpp:sid:0}stanza-id")
    return None if found is None else found.get("id")


def corrects(message):
    """The id of what it corrects, or None."""
    found = message.xml.find("{urn:xmpp:message-correct:0}replace")
    return None if found is None else found.get("id")


def answers(message):
    """The room's id of what it answers, or None."""
    found = message.xml.find("{urn:xmpp:reply:0}reply")
    return None if found is None else found.get("id")


def retracts(message):
    """The id of what it takes back, or None."""
    found = message.xml.find("{urn:xmpp:message-retract:1}retract")
    return None if found is None else found.get("id")


def delayed(message):
    return message.xml.find("{urn:xmpp:delay}delay") is not None
