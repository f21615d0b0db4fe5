"""The configuration: what `check` says about a wrong file, what a reload does, what is logged, and what a wrong secret or certificate leads to."""
import contextlib
import re
import socket
import subprocess

import pytest
import servers
from bridge import ACCESS, DEVICES, ROOT, Bridge, binary
from client import Client
from device import Device

CANARY = "c4n4ry-s3cr3t"


def spandrel(*words):
    return subprocess.run([binary(), *map(str, words)], capture_output=True, text=True, timeout=20, check=False)


def check(path):
    return spandrel("-c", path, "check")


@pytest.fixture
def write(tmp_path):
    """Writes a file that nobody else can read."""
    def written(text, name="spandrel.yaml"):
        path = tmp_path / name
        path.touch(0o600)
        path.write_text(text)
        return path

    return written


# What check says.
GOOD = """\
components:
  main:
    domain: bridge.localhost
    secret: s
"""
ADAPTER = """\
adapters:
  home:
    type: mqtt
"""
DEVICE = ADAPTER + """\
    devices:
      lamps:
        topic: devices/+/state
"""
WRONG = {
    "misspelt option": (GOOD.replace("secret", "secert"), [
        (4, 5, "unknown option 'secert' in components.main; did you mean 'secret'?", None)]),
    "misspelt components": ("compnents: {}\n", [(1, 1, "unknown option 'compnents'; did you mean 'components'?", "compnents: {}")]),
    "missing option": (GOOD.replace("    secret: s\n", ""), [(2, 3, "'secret' is missing in components.main", "  main:")]),
    "misspelt section": (GOOD + "adaptres: {}\n", [(5, 1, "unknown option 'adaptres'; did you mean 'adapters'?", "adaptres: {}")]),
    "no domain": (GOOD.replace("bridge.localhost", "a b"), [(3, 13, "'a b' is not a domain", "    domain: a b")]),
    "port": (GOOD + "    server: localhost:99999\n", [(5, 13, "'server' must be host or host:port, not 'localhost:99999'", "    server: localhost:99999")]),
    "secret file": (GOOD.replace("secret: s", "secret: file:/nonexistent"), [(4, 13, "'secret': cannot read /nonexistent: No such file or directory", "    secret: file:/nonexistent")]),
    "secret variable": (GOOD.replace("secret: s", "secret: env:SPANDREL_NONE"), [(4, 13, "'secret': the environment has no variable 'SPANDREL_NONE'", "    secret: env:SPANDREL_NONE")]),
    "adapter type": (GOOD + ADAPTER.replace("mqtt", "mqqt"), [(7, 11, "unknown type 'mqqt'; did you mean 'mqtt'?", "    type: mqqt")]),
    "time": (GOOD + ADAPTER + "    keepalive: 3 weeks\n", [(8, 16, "'keepalive' must be a time such as 250ms, 10s, 5m or 2h, from 5s to 65535s, not '3 weeks'", "    keepalive: 3 weeks")]),
    "word": (GOOD + "log: {level: debgu}\n", [(5, 14, "'level' must be error, warn, info, debug or trace, not 'debgu'; did you mean 'debug'?", "log: {level: debgu}")]),
    "component": (GOOD + ADAPTER + "    component: other\n", [(8, 16, "there is no components.other", "    component: other")]),
    "admin": (GOOD + "admins: [admin]\n", [(5, 10, "'admin' is not a bare JID (name@domain)", "admins: [admin]")]),
    "rule": (GOOD + "access:\n  - allow sea to alice@localhost\n", [(6, 5, "sea", "  - allow sea to alice@localhost")]),
    "group": (GOOD + "access:\n  - allow see to @nobody\n", [(6, 5, "nobody", "  - allow see to @nobody")]),
    "group of no addresses": (GOOD + "groups: {a: [1, null, ''], b: ['x@y, z@y'], c: [x.y/z]}\n", [
        (5, 14, "'1' is no bare JID (name@domain) and no domain", None), (5, 17, "a member of the group 'a' must be a bare JID", None), (5, 23, "'' is no bare JID", None),
        (5, 32, "'x@y, z@y' is no bare JID", None), (5, 49, "'x.y/z' is no bare JID", None)]),
    "group that is no list": (GOOD + "groups: {bad: {bob@x.y: z}, none: , word: x.y}\n", [
        (5, 10, "the group 'bad' must be a list of bare JIDs (name@domain) or domains", None), (5, 29, "the group 'none' must be a list", None), (5, 43, "the group 'word' must be a list", None)]),
    "group name": (GOOD + "groups: {a=b: [x.y], 'a b': []}\n", [(5, 10, "'a=b' is no name that a rule can have", None), (5, 22, "'a b' is no name", None)]),
    "groups as text": (GOOD + "groups: hello\n", [(5, 9, "'groups' must be a map from names to lists", "groups: hello")]),
    "groups as list": (GOOD + "groups: [a]\n", [(5, 1, "'groups' must be a map from names to lists", "groups: [a]")]),
    **{f"mode {mode}": (GOOD + f"control: {{mode: {mode}}}\n", [(5, 17, f"'mode' must be an octal number from 0000 to 0777, such as 0660, not '{mode}'", f"control: {{mode: {mode}}}")])
       for mode in ("0888", "rw-rw----", "66", "1777", "00660", "0o660", "-660")},
    "socket path": (GOOD + f"control: {{socket: /{'s' * 107}}}\n", [(5, 19, "the path of a socket has at most 107 bytes, this one has 108", None)]),
    "socket in the state": (GOOD + f"state: /{'s' * 99}\n", [(5, 8, "the path of the socket 'control' in it would have 108 bytes", None)]),
    "authorities of a component": (GOOD + "    tls: {enabled: true, ca: /nonexistent}\n", [(5, 30, "'ca': cannot read /nonexistent: No such file or directory", None)]),
    "files of a broker": (GOOD + ADAPTER + "    tls: {enabled: true, ca: /none, cert: /, key: /dev/null/key}\n", [
        (8, 30, "'ca': cannot read /none: No such file", None), (8, 43, "'cert': cannot read /: Is a directory", None), (8, 51, "'key': cannot read /dev/null/key: Not a directory", None)]),
    "session": (GOOD + ADAPTER + "    client_id: spandrel-other\n  other: {type: mqtt, broker: \"127.0.0.1:1883\"}\n", [(9, 3, "the session at the broker is that of adapters.home too: each needs its own `client_id`", None)]),
    "client_id": (GOOD + ADAPTER + "    client_id: x\n  other: {type: mqtt, client_id: x}\n", [(9, 34, "the session at the broker is that of adapters.home too", None)]),
    "choice twice": (GOOD + DEVICE + "        controls:\n          p: {topic: d/set, type: choice, choices: [a, b, A]}\n", [(12, 59, "the choice 'A' is there twice, in whatever case", None)]),
    "topic of a control": (GOOD + DEVICE + "        controls: {p: {topic: devices/+/set, type: press}}\n", [(11, 31, "'+' cannot stand in a topic that is written to: say which level by {1}", None)]),
    "topic": (GOOD + DEVICE.replace("devices/+/state", "devices/#/state"), [(10, 16, "'#' cannot stand in the topic of a device: use '+' for each level", "        topic: devices/#/state")]),
    "capture": (GOOD + DEVICE + "        name: \"{2}\"\n", [(11, 15, "{2}", "        name: \"{2}\"")]),
    "template": (GOOD + DEVICE + "        readings: {t: {value: \"{{ value | nofilter }}\"}}\n", [(11, 31, "this template is not supported", None)]),
    "control": (GOOD + DEVICE + "        controls: {p: {topic: \"devices/{1}/set\", type: boll}}\n", [
        (11, 56, "'type' must be bool, number, choice, text or press, not 'boll'; did you mean 'bool'?", None)]),
    "syntax": (GOOD + "log: {level: [\n", [(5, 14, "flow sequence without a closing bracket", "log: {level: [")]),
    "twice": (GOOD + "log: {}\nlog: {}\n", [(6, 1, "log", None)]),
}


def found(text):
    """Each finding: line, column, kind, message, the line as shown, where the carets begin."""
    pattern = r"(?m)^\S+\.yaml:(\d+):(\d+): (error|warning): (.*)\n(.*)\n( *)\^"
    return [(int(m[1]), int(m[2]), m[3], m[4], m[5], len(m[6]) + 1) for m in re.finditer(pattern, text)]


@pytest.mark.parametrize("name", WRONG)
def test_check_tells_place_line_and_remedy(write, name):
    text, expected = WRONG[name]
    done = check(write(text))
    assert done.returncode == 1, done.stdout + done.stderr
    errors = [f for f in found(done.stderr) if f[2] == "error"]
    assert [e[:2] for e in errors] == [e[:2] for e in expected], done.stderr
    for (_, column, _, message, shown, caret), (_, _, wanted, line) in zip(errors, expected):
        assert wanted is None or wanted in message, message
        assert line is None or shown == line, shown
        assert caret == column, done.stderr


@pytest.mark.parametrize("mode", ["0660", "600", "0777", "0000"])
def test_octal_modes_are_good(write, mode):
    assert check(write(GOOD + f"control: {{mode: {mode}}}\n")).returncode == 0


def test_longest_socket_paths_are_good(write):
    for text in (f"control: {{socket: /{'s' * 106}}}\n", f"state: /{'s' * 98}\n", f"state: /{'s' * 200}\ncontrol: {{socket: /s}}\n"):
        assert check(write(GOOD + text)).returncode == 0


def test_sessions_of_their_own_are_good(write):
    for other in ("client_id: y", "client_id: x, broker: 127.0.0.2", "client_id: x, broker: \"127.0.0.1:1884\""):
        assert check(write(GOOD + ADAPTER + f"    client_id: x\n  other: {{type: mqtt, {other}}}\n")).returncode == 0


@pytest.mark.parametrize(("message", "wanted"), [
    ("{name} {1}: {T} {value} {unit} {reading}", []), ("no word", []),
    ("{nmae}", ["{nmae} stands for nothing; did you mean {name}?"]), ("{tt}", ["{tt} stands for nothing; did you mean {t}?"]),
    ("{wholly-unknown}", ["{wholly-unknown} stands for nothing"]), ("{name", ["a '{' without its '}'"]),
])
def test_words_of_a_message_that_nobody_fills_in_are_warned_of(write, message, wanted):
    text = GOOD + DEVICE + f"        readings: {{t: {{}}}}\n        alerts:\n          - {{reading: t, above: 3, message: '{message}'}}\n"
    done = check(write(text))
    assert done.returncode == 0, done.stderr
    assert [f[2:4] for f in found(done.stderr)] == [("warning", w) for w in wanted]
    assert all(f[:2] == (13, 45) for f in found(done.stderr))


def test_files_of_tls_that_is_off_are_not_read(write):
    assert check(write(GOOD + "    tls: {ca: /nonexistent}\n" + ADAPTER + "    tls: {ca: /nonexistent}\n")).returncode == 0


def test_check_finds_all_at_once(write):
    text = GOOD.replace("secret", "secert") + "    server: a:b\nlog: {level: x}\nadmin: []\n"
    assert len([f for f in found(check(write(text)).stderr) if f[2] == "error"]) == 4


def test_check_connects_to_nothing(write):
    with contextlib.ExitStack() as stack:
        listening = [stack.enter_context(socket.create_server((servers.HOST, 0))) for _ in range(2)]
        ports = [sock.getsockname()[1] for sock in listening]
        done = check(write(GOOD + f"    server: {servers.HOST}:{ports[0]}\n" + DEVICE + f"    broker: {servers.HOST}:{ports[1]}\nstate: /nonexistent/state\n"))
        assert done.returncode == 0 and "the configuration is good" in done.stdout, done.stderr
        for sock in listening:
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.accept()


def test_example_and_shipped_files_pass(write):
    secret = write("a-secret-that-is-long-enough-for-every-use\n", "secret")
    texts = {"example": spandrel("config", "example").stdout, **{p.name: p.read_text() for p in sorted((ROOT / "config").glob("*.yaml"))}}
    assert len(texts) > 1
    for name, text in texts.items():
        done = check(write(re.sub(r"file:/etc/spandrel/[\w.-]+|env:\w+|credential:\w+", f"file:{secret}", text.replace("/etc/spandrel/ca.pem", str(secret))), name))
        assert done.returncode == 0 and "error" not in done.stderr, done.stderr


def test_uncommented_example_names_every_option(write):
    """What stands behind `#` in the example is an option too: its names are all known."""
    text = re.sub(r"(?m)^(\s*)#(?=[\s\w].*|\s*-)(?! )", r"\1", spandrel("config", "example").stdout)
    assert "unknown option" not in check(write(text)).stderr


def test_readable_secret_is_warned_of(write):
    path = write(GOOD)
    path.chmod(0o644)
    done = check(path)
    assert done.returncode == 0 and "chmod" in done.stderr and "secret: s\n" not in done.stderr


def test_usage():
    assert "usage: spandrel" in spandrel().stderr and spandrel().returncode == 2
    assert "unknown command 'rnu'" in spandrel("rnu").stderr
    assert re.match(r"spandrel \d+\.\d+", spandrel("version").stdout)
    assert '"properties"' in spandrel("config", "schema").stdout


# ctl.
def test_ctl_says_what_is_wrong(place):
    bridge = place.bridge
    assert "did you mean 'status'" in bridge.ctl("statsu", check=False)
    assert "contact is missing" in bridge.ctl("approve", check=False)
    assert "there is no contact 'nobody'" in bridge.ctl("forget", "nobody", check=False)
    assert "is for users: say it by XMPP" in bridge.ctl("register", check=False)
    assert "'loud' is no level: error, warn, info, debug or trace" in bridge.ctl("log", "loud", check=False)
    assert "'x' is no number of a rule" in bridge.ctl("revoke", "x", check=False)
    assert "sea" in bridge.ctl("grant", "allow sea to x", check=False)
    assert "bridge.localhost" in bridge.ctl("links") and "main" in bridge.ctl("links")


def test_ctl_tells_that_the_bridge_is_busy(place):
    bridge = place.bridge
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(16)]
        for sock in idle:
            sock.connect(str(bridge.directory / "state" / "control"))
        done = spandrel("-c", bridge.config, "ctl", "status")
        assert done.returncode == 1 and done.stderr == "spandrel: busy: 16 connections to the control socket\n"
        for sock in idle:
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(100):  # until the bridge has closed it
                pass
    assert "main" in bridge.ctl("links")


def test_ctl_without_a_bridge(write, tmp_path):
    done = spandrel("-c", write(GOOD + f"state: {tmp_path}\n"), "ctl", "status")
    assert done.returncode == 2 and "is the bridge running?" in done.stderr


# Reload.
def change(bridge, **what):
    """A new file, and the order to read it."""
    for name, value in what.items():
        setattr(bridge, name, value)
    bridge.configure()
    mark = bridge.mark()
    bridge.reload()
    return mark


@pytest.fixture
def changeable(place):
    """The bridge, which has its old configuration again afterwards."""
    yield place.bridge
    change(place.bridge, mqtt=DEVICES, access=ACCESS, extra="")


SENSORS = """
        sensors:
          topic: sensors/+
          readings:
            value: {}
"""


async def test_reload_adds_a_template_and_keeps_the_rest(place, changeable):
    async with Client(place.xmpp, "alice") as alice:
        with Device(place.broker, "steady") as steady:
            await changeable.expect_mapping("steady", state="online")
            lamp = f"steady@{changeable.domain}"
            await alice.befriend(lamp, where=lambda s: "21.4 °C" in s["status"])
            alice.inbox.clear()
            await changeable.expect_log("configuration reloaded", since=change(changeable, mqtt=DEVICES + SENSORS))
            steady._client.publish("sensors/attic", "17", qos=1, retain=True)  # pylint: disable=protected-access
            await changeable.expect_mapping("attic", state="online")
            steady.report(temperature=23)
            await alice.expect(kind="presence", frm=lamp, where=lambda s: "23 °C" in s["status"])
            assert not alice.seen(kind="presence", frm=lamp, type="unavailable"), "the reload was seen"
        assert changeable.downs() == 0


async def test_reload_revokes_what_is_in_use(place, changeable):
    with Device(place.broker, "revoked"):
        await changeable.expect_mapping("revoked", state="online")
        lamp = f"revoked@{changeable.domain}"
        async with Client(place.xmpp, "alice") as alice:
            await alice.befriend(lamp)
            change(changeable, access=ACCESS.replace("allow all to alice@localhost", "allow all to nobody@localhost"))
            await alice.expect(kind="presence", frm=lamp, type="unavailable")
            await alice.expect(kind="presence", frm=lamp, type="unsubscribed")
            alice.say(lamp, "status")
            assert (await alice.expect(kind="message", frm=lamp, type="error"))["error"]["condition"] == "item-not-found"
            await changeable.expect_log("configuration reloaded", since=change(changeable, access=ACCESS))
            await alice.befriend(lamp, where=lambda s: s["type"] == "available")


@pytest.mark.parametrize("broken, told", [
    ({"extra": "lgo: {}\n"}, r"unknown option 'lgo'; did you mean 'log'\?"),
    ({"access": ACCESS + "  - allow sea to all\n"}, "sea"),
    ({"mqtt": DEVICES.replace("type: bool", "type: boll")}, "did you mean 'bool'"),
], ids=["option", "rule", "adapter"])
async def test_reload_of_a_broken_file_changes_nothing(place, changeable, broken, told):
    async with Client(place.xmpp, "alice") as alice:
        with Device(place.broker, "kept"):
            await changeable.expect_mapping("kept", state="online")
            mark = change(changeable, **broken)
            await changeable.expect_log(told, since=mark)
            await changeable.expect_log("was not reloaded: nothing has changed", since=mark)
            alice.say(f"kept@{changeable.domain}", "set power on")
            await alice.expect(kind="message", frm=f"kept@{changeable.domain}", body="power is on")
            assert re.search("nothing was changed|unknown option", changeable.ctl("reload", check=False))


# Secrets.
async def test_no_secret_is_ever_logged(xmpp):
    """At trace, over a life with a wrong and a right password, a broken reload, a check and questions by ctl."""
    domain = xmpp.component
    with servers.Mosquitto(users={"spandrel": CANARY, "dev": "dev-pw"}) as broker:
        login = f"      username: spandrel\n      password: {{}}{CANARY}\n"
        bridge = Bridge(xmpp, broker, mqtt=login.format("not-") + DEVICES, level="trace")
        xmpp.components[domain] = CANARY
        xmpp.restart()
        try:
            bridge.start()
            await bridge.expect_log("broker link is down")
            await bridge.expect_log("configuration reloaded", since=change(bridge, mqtt=login.format("") + DEVICES))
            await bridge.until(lambda: bridge.adapter()["state"].startswith("up"))
            change(bridge, mqtt=login.format("").replace("password", "pasword") + DEVICES)
            await bridge.expect_log("did you mean 'password'")
            said = bridge.ctl("reload", check=False) + bridge.ctl("status", check=False) + check(bridge.config).stderr + check(bridge.config).stdout
            change(bridge, mqtt=login.format("") + DEVICES)
            said += bridge.ctl("adapters")
            bridge.finish()
            for text in (said, bridge.output()):
                assert CANARY not in text, text[max(0, text.index(CANARY) - 300):][:400]
        finally:
            bridge.close()
            xmpp.components[domain] = servers.COMPONENTS[domain]
            xmpp.restart()


# What a server refuses.
@contextlib.contextmanager
def refused(xmpp, **how):
    bridge = Bridge(xmpp)
    for name, value in how.items():
        setattr(bridge, name, value)
    try:
        yield bridge
        bridge.finish()
    finally:
        bridge.close()


async def test_wrong_secret_says_what_to_change(xmpp):
    with refused(xmpp) as bridge:
        bridge.text = lambda: Bridge.text(bridge).replace(xmpp.secret, "wrong-one")
        bridge.start_only()
        line = await bridge.expect_log("level=error.*class=config.*the secret is wrong")
        assert "component_secret of this Component" in line and "ejabberd_service listener, and its password" in line
        assert "wrong-one" not in bridge.output()
        assert "waiting" in bridge.link()


async def test_unknown_domain_says_what_to_change(xmpp):
    with refused(xmpp) as bridge:
        bridge.text = lambda: Bridge.text(bridge).replace("domain: bridge.localhost", "domain: other.localhost")
        bridge.start_only()
        line = await bridge.expect_log("level=error.*class=config")
        assert 'add Component \\"' in line or "check the domain under hosts" in line, line


async def test_server_that_does_not_listen(xmpp):
    port = servers.free_port()
    with refused(xmpp) as bridge:
        bridge.text = lambda: Bridge.text(bridge).replace(f":{xmpp.component_port}", f":{port}")
        bridge.start_only()
        assert "does the server listen for components there" in await bridge.expect_log("class=net.*refused")


async def test_wrong_port_is_found_out(xmpp):
    with refused(xmpp) as bridge:
        bridge.text = lambda: Bridge.text(bridge).replace(f":{xmpp.component_port}", f":{xmpp.c2s_port}")
        bridge.start_only()
        await bridge.expect_log("level=error.*component link is down.*port")


async def test_tls_to_ejabberd(tmp_path):
    with servers.Ejabberd(tls=True) as xmpp:
        with Bridge(xmpp) as bridge:
            assert bridge.ready()
            bridge.finish()
        other = servers.make_ca(tmp_path)
        for was, becomes, told in ((f"{xmpp.tls}/ca.pem", f"{other}/ca.pem", "certificate"), ("name: localhost", "name: other.example", "other.example"),
                                   ("enabled: true", "enabled: false", "does that port want TLS")):
            with refused(xmpp) as bridge:
                bridge.text = lambda b=bridge, w=was, n=becomes: Bridge.text(b).replace(w, n)
                bridge.start_only()
                line = await bridge.expect_log("component link is down")
                assert told in line, line


async def test_tls_to_prosody_is_explained():
    with servers.Prosody() as xmpp, refused(xmpp) as bridge:
        bridge.text = lambda: Bridge.text(bridge).replace("    secret:", "    tls: {enabled: true}\n    secret:")
        bridge.start_only()
        assert "Prosody has no TLS on its component port" in await bridge.expect_log("component link is down")
