"""Spandrel itself as a server of the tests: SPANDREL (or build/spandrel) with a configuration of its own."""
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from servers import HOST, Server
from wait import blocked_until, until

ROOT = pathlib.Path(__file__).resolve().parents[2]

DEVICES = """
      devices:
        lamps:
          topic: devices/+/state
          name: "{1}"
          model: Model L
          area: kitchen
          class: light
          status_interval: 1s
          availability: [{topic: "devices/{1}/status"}]
          readings:
            temperature: {value: temperature, unit: °C}
            power: {value: power, on: "ON", off: "OFF"}
          controls:
            power: {topic: "devices/{1}/set", type: bool, state: power}
            level: {topic: "devices/{1}/level", type: number, min: 0, max: 100}
          alerts:
            - {reading: temperature, above: 30, rearm: 28, message: "{name} is hot: {temperature}"}
"""

ACCESS = """
admins: [admin@localhost]
access:
  - allow all to alice@localhost
  - allow see read send register to bob@localhost
"""


def binary():
    return os.environ.get("SPANDREL") or str(ROOT / "build" / "spandrel")


class Bridge(Server):
    """`xmpp`, `broker`: servers it attaches to; `mqtt`: more of the adapter's section; `extra`: more of the file; `null`: with the null adapter too;
    `state`: the directory, if it is not its own; `standby`: waits for that; `link`: more of the component's section."""

    name = "spandrel"

    def __init__(self, xmpp, broker=None, mqtt=DEVICES, access=ACCESS, extra="", null=False, directory=None, component=None, level="debug",
                 state=None, standby=False, link=""):
        super().__init__(directory)
        self.xmpp, self.broker = xmpp, broker
        self.mqtt, self.access, self.extra, self.null, self.level = mqtt, access, extra, null, level
        self.domain = component or xmpp.component
        self.link_options = link
        self.config = self.directory / "spandrel.yaml"
        self.state = pathlib.Path(state or self.directory / "state")
        self.standby = standby

    def text(self):
        tls = f"    tls: {{enabled: true, ca: {self.xmpp.tls}/ca.pem, name: localhost}}\n" if self.xmpp.tls else ""
        adapters = "adapters:\n" if self.broker or self.null else ""
        if self.broker:
            adapters += f"  home:\n      type: mqtt\n      broker: {HOST}:{self.broker.port}\n{self.mqtt}"
        if self.null:
            adapters += "  nothing:\n      type: \"null\"\n"
        return (f"state: {self.state}\n"
                f"log: {{level: {self.level}}}\n"
                f"components:\n  main:\n    domain: {self.domain}\n    server: {HOST}:{self.xmpp.component_port}\n"
                f"    secret: {self.xmpp.components[self.domain]}\n{tls}{self.link_options}{adapters}{self.access}{self.extra}")

    def configure(self):
        self.config.touch(0o600)
        self.config.write_text(self.text())

    def command(self):
        return [binary(), "-c", str(self.config), "run", *(["--standby"] if self.standby else [])]

    def environment(self):
        return {"ASAN_OPTIONS": "abort_on_error=1:quarantine_size_mb=8", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def ctl(self, *words, check=True):
        done = subprocess.run([binary(), "-c", str(self.config), "ctl", *words], capture_output=True, text=True, timeout=20, check=False)
        if check and done.returncode:
            raise RuntimeError(f"ctl {words}: {done.stderr}")
        return done.stdout if done.returncode == 0 else done.stderr

    def ctl_json(self, *words):
        """What `ctl --json` prints, from the control socket itself."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as control:
            control.settimeout(20)
            control.connect(str(self.state / "control"))
            control.sendall(f"json {' '.join(words)}\n".encode())
            answer = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        verdict, _, rest = answer.partition("\n")
        if verdict != "ok":
            raise RuntimeError(f"ctl {words}: {rest}")
        return json.loads(rest)

    def link(self):
        """The state of the component link."""
        return self.ctl_json("links")["links"][0]["state"]

    def adapter(self):
        """The row of the first adapter."""
        return self.ctl_json("adapters")["adapters"][0]

    def mapping(self, name):
        """The row of the contact with this localpart, or None."""
        rows = self.ctl_json("mappings", name)["mappings"]
        return next((m for m in rows if m["address"] == f"{name}@{self.domain}"), None)

    def ready(self):
        """The component link is up."""
        try:
            return self.link().startswith("up")
        except (RuntimeError, ValueError, OSError):
            return False

    def answers(self):
        """It runs, whatever its links do."""
        try:
            return bool(self.ctl_json("links"))
        except (RuntimeError, ValueError, OSError):
            return False

    def start_only(self):
        """Starts without waiting for the link."""
        ready, self.ready = self.ready, self.answers
        try:
            return self.start()
        finally:
            self.ready = ready

    def wait_ready(self, seconds=30):
        def up():
            assert self.running(), self.tail()
            return self.ready()

        blocked_until(up, seconds, "link", self.tail)
        return self

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def exit_code(self, seconds=10):
        """Waits for the end of a process that was told to stop."""
        code = self.process.wait(seconds)
        self.process = None
        return code

    def output(self, since=0):
        """All it has written, or what came behind a mark()."""
        with open(self.directory / "output.log", "rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def tail(self, lines=30):
        """Without the noise of our own questions."""
        return "\n".join([line for line in self.output().splitlines() if "control=socket" not in line][-lines:])

    def mark(self):
        return (self.directory / "output.log").stat().st_size

    async def expect_log(self, pattern, seconds=20, since=0):
        """The first line with a match, as soon as there is one."""
        wanted = re.compile(f"^.*{pattern}.*$", re.MULTILINE)
        return (await self.until(lambda: wanted.search(self.output(since)), seconds, f"log {pattern!r}"))[0]

    async def until(self, condition, seconds=20, what="condition"):
        """Awaits what only asking can tell; the truth that it became."""
        return await until(condition, seconds, what, self.tail)

    async def expect_mapping(self, name, seconds=20, **cells):
        """The contact, once it is there and its row has these cells."""
        def there():
            row = self.mapping(name)
            return row if row and all(row[cell] == value for cell, value in cells.items()) else None

        return await self.until(there, seconds, f"contact {name} {cells}")

    def downs(self, since=0):
        """How often the component link has gone down."""
        return self.output(since).count('msg="component link is down"')

    def check_clean(self):
        """No sanitizer has complained."""
        found = re.search(r"(?m)^.*(AddressSanitizer|LeakSanitizer|runtime error|Assertion).*$", self.output())
        assert not found, self.output()[found.start():found.start() + 6000]

    def finish(self):
        """Ends it in good order, and looks back over its life."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
            code = self.exit_code()
            assert code == 0, f"exit code {code}:\n{self.tail()}"
        self.check_clean()

    def rss_kb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
