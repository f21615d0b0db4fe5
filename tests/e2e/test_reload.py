"""SIGHUP: what changed takes effect, what did not goes on undisturbed, and a mistake changes nothing. And SIGTERM, whatever state the links are in."""
import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time

import pytest
import servers
from bridge import Bridge, binary
from client import Client

ALICE = "access:\n  - allow all to alice@localhost\n"
TWO = {"bridge.localhost": "bridge-secret", "other.localhost": "other-secret"}


class Two(Bridge):
    """Two components and what adapters the test names (by component) in one process."""

    def __init__(self, xmpp, adapters, **more):
        super().__init__(xmpp, **more)
        self.adapters = adapters
        self.ports = {}  # of the components, if not the server's
        self.secrets = dict(xmpp.components)
        self.mode = "0660"

    def text(self):
        text = f"state: {self.directory}/state\nlog: {{level: debug}}\ncontrol: {{mode: \"{self.mode}\"}}\ncomponents:\n"
        for name, domain in (("main", "bridge.localhost"), ("other", "other.localhost")):
            port = self.ports.get(name, self.xmpp.component_port)
            text += f"  {name}: {{domain: {domain}, server: \"{servers.HOST}:{port}\", secret: {self.secrets[domain]}}}\n"
        text += "adapters:\n" + "".join(f"  {name}: {{type: \"null\", component: {where}}}\n" for name, where in self.adapters.items())
        return text + self.access

    def links(self):
        return {link["component"]: link["state"] for link in self.ctl_json("links")["links"]}

    def ready(self):
        try:
            return all(state.startswith("up") for state in self.links().values())
        except (RuntimeError, ValueError, OSError):
            return False

    async def change(self, good=True):
        """Reloads, and awaits its end."""
        self.configure()
        since = self.mark()
        self.reload()
        return await self.expect_log("configuration reloaded" if good else "nothing has changed", since=since)


@pytest.fixture(scope="module")
def home():
    with servers.Prosody(components=TWO) as xmpp:
        yield xmpp


@contextlib.contextmanager
def bridge_of(home, adapters, **more):
    with Two(home, adapters, access=ALICE, **more) as bridge:
        yield bridge
        bridge.finish()


def echoes(bridge):
    return {m["adapter"]: (m["address"], m["state"]) for m in bridge.ctl_json("mappings", "echo")["mappings"]}


async def test_adapters_come_and_go(home):
    with bridge_of(home, {"one": "main", "two": "other"}) as bridge:
        async with Client(home, "alice") as alice:
            two = echoes(bridge)["two"][0]
            await alice.befriend(two)
            bridge.adapters = {"one": "main", "three": "other"}
            await bridge.change()
            await alice.expect(kind="presence", frm=two, type="unavailable")
            states = echoes(bridge)
            assert states["two"][1] == "offline" and states["three"][1] == "online" and states["one"][1] == "online"
            assert alice.say(two, "hello") and await alice.expect(kind="message", frm=two, type="error")
            bridge.adapters = {"one": "main", "two": "other"}
            await bridge.change()
            await bridge.change()
            await alice.expect(kind="presence", frm=two, type="available")
            assert [a["adapter"] for a in bridge.ctl_json("adapters")["adapters"]] == ["one", "two"]
            assert echoes(bridge)["two"] == (two, "online")
            assert bridge.downs() == 0
            assert all(state.startswith("up") for state in bridge.links().values())


async def test_rights_that_are_taken_end_what_they_allowed(home):
    with bridge_of(home, {"one": "main"}) as bridge:
        async with Client(home, "alice") as alice:
            await alice.befriend("echo@bridge.localhost")
            bridge.access = "access:\n  - allow all to bob@localhost\n"
            await bridge.change()
            await alice.expect(kind="presence", frm="echo@bridge.localhost", type="unsubscribed")
            await alice.expect(kind="presence", frm="echo@bridge.localhost", type="unavailable")
            alice.say("echo@bridge.localhost", "hello")
            there = await alice.expect(kind="message", frm="echo@bridge.localhost", type="error")
            alice.say("nobody@bridge.localhost", "hello")
            nowhere = await alice.expect(kind="message", frm="nobody@bridge.localhost", type="error")
            assert there["error"]["condition"] == nowhere["error"]["condition"] == "item-not-found"


async def test_another_server_and_secret(home):
    """The one link moves to where its configuration says, the other one stays as it is."""
    with servers.Prosody(components={**TWO, "other.localhost": "new-secret"}) as elsewhere, bridge_of(home, {"two": "other"}) as bridge:
        bridge.ports["other"] = elsewhere.component_port
        bridge.secrets["other.localhost"] = "new-secret"
        since = bridge.mark()
        await bridge.change()
        await bridge.expect_log("component=other msg=.component link is up", since=since)
        assert not [line for line in bridge.output(since).splitlines() if "component=main" in line]
        async with Client(elsewhere, "alice") as alice:
            await alice.befriend(echoes(bridge)["two"][0])
        assert bridge.downs(since) == 0, "a change that was asked for is no outage"


async def test_secret_that_was_wrong(home):
    """It is tried again at once, not when the next try would have been due: that is after 30 s."""
    bridge = Two(home, {"one": "main"}, access=ALICE)
    bridge.secrets["other.localhost"] = "wrong"
    try:
        bridge.start_only()
        await bridge.expect_log("class=config.*not-authorized")
        bridge.secrets["other.localhost"] = "other-secret"
        began = time.monotonic()
        await bridge.change()
        await bridge.until(bridge.ready, 20)
        assert time.monotonic() - began < 20
        bridge.finish()
    finally:
        bridge.close()


async def test_recording_over_reloads_can_be_replayed(home):
    bridge = Two(home, {"one": "main", "two": "other"}, access=ALICE)
    recording = bridge.directory / "recording"
    bridge.command = lambda command=bridge.command: [*command(), "--record", str(recording)]
    with bridge:
        async with Client(home, "alice") as alice:
            await alice.befriend("echo@bridge.localhost")
            bridge.adapters = {"two": "other"}
            await bridge.change()
            await alice.expect(kind="presence", frm="echo@bridge.localhost", type="unavailable")
            bridge.adapters = {"one": "main", "two": "other"}
            bridge.access += "  - allow see to bob@localhost\n"
            await bridge.change()
            bridge.adapters["one"] = "other"
            await bridge.change(good=False)
            await alice.expect(kind="presence", frm="echo@bridge.localhost", type="available")
            await alice.request("bridge.localhost", "<command xmlns='http://jabber.org/protocol/commands' node='list' action='execute'/>", kind="set")
        bridge.finish()
        done = subprocess.run([binary(), "replay", "--quiet", str(recording)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert recording.read_text().count("reconfigure") == 2


async def test_mistake_changes_nothing(home):
    with bridge_of(home, {"one": "main"}) as bridge:
        for change in ({"access": "acess: []\n"}, {"adapters": {}}, {"mode": "0600"}):
            before = {name: getattr(bridge, name) for name in change}
            for name, value in change.items():
                setattr(bridge, name, value)
            if change == {"adapters": {}}:
                bridge.adapters = {"one": "other"}
            await bridge.change(good=False)
            for name, value in before.items():
                setattr(bridge, name, value)
            assert bridge.ready() and list(echoes(bridge).values()) == [("echo@bridge.localhost", "online")]
        await bridge.change()


async def test_reload_while_it_stops(home):
    with bridge_of(home, {"one": "main"}) as bridge:
        bridge.adapters = {"one": "main", "two": "main"}
        bridge.configure()
        os.kill(bridge.process.pid, signal.SIGSTOP)  # so that both are there when it looks
        os.kill(bridge.process.pid, signal.SIGTERM)
        os.kill(bridge.process.pid, signal.SIGHUP)
        os.kill(bridge.process.pid, signal.SIGCONT)
        began = time.monotonic()
        assert await asyncio.to_thread(bridge.exit_code) == 0
        assert time.monotonic() - began < 5.5


# SIGTERM in every state of a link.

@contextlib.contextmanager
def silent_listener():
    """Takes connections, and says nothing."""
    with contextlib.closing(socket.create_server((servers.HOST, servers.free_port()))) as listener:
        yield listener.getsockname()[1]


@contextlib.contextmanager
def full_listener():
    """Does not even take them."""
    with contextlib.closing(socket.socket()) as listener, contextlib.ExitStack() as stack:
        listener.bind((servers.HOST, servers.free_port()))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(contextlib.closing(socket.socket()))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def nobody():
    yield servers.free_port()


@pytest.mark.parametrize("listener, state", [(silent_listener, "connected to"), (full_listener, "connecting to"), (nobody, "waiting")])
async def test_stop_without_a_server(home, listener, state):
    with listener() as port:
        bridge = Two(home, {"one": "main"}, access=ALICE)
        bridge.ports["other"] = port
        try:
            bridge.start_only()
            await bridge.until(lambda: bridge.links()["main"].startswith("up") and bridge.links()["other"].startswith(state), what=state)
            began = time.monotonic()
            bridge.process.terminate()
            assert await asyncio.to_thread(bridge.exit_code) == 0
            assert time.monotonic() - began < 5.5
            bridge.check_clean()
        finally:
            bridge.close()


async def test_stop_while_the_server_hangs(home):
    with bridge_of(home, {"one": "main"}) as bridge:
        home.pause()
        try:
            began = time.monotonic()
            bridge.process.terminate()
            assert await asyncio.to_thread(bridge.exit_code) == 0
            assert time.monotonic() - began < 5.5
        finally:
            home.resume()


async def test_stop_while_the_broker_hangs(home):
    with servers.Mosquitto() as broker, Bridge(home, broker) as bridge:
        await bridge.until(lambda: bridge.adapter()["state"].startswith("up") or "connected" in bridge.adapter()["state"])
        broker.pause()
        try:
            began = time.monotonic()
            bridge.process.terminate()
            assert await asyncio.to_thread(bridge.exit_code) == 0
            assert time.monotonic() - began < 5.5
            bridge.check_clean()
        finally:
            broker.resume()


async def test_stop_while_it_connects_to_a_broker_that_hangs(home):
    with silent_listener() as port, Bridge(home, type("Silent", (), {"port": port})) as bridge:
        began = time.monotonic()
        bridge.process.terminate()
        assert await asyncio.to_thread(bridge.exit_code) == 0
        assert time.monotonic() - began < 5.5
        bridge.check_clean()
