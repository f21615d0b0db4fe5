"""What the bridge costs: each budget of docs/performance.md, measured on a release build between two fakes. Run by scripts/bench.

Of a flood the number is CPU time of the whole bridge for each message (Σ /proc/PID/task/*/schedstat), because it hardly depends on what else the machine does;
the share of the store's thread stands behind it.
"""
import argparse
import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import servers  # noqa: E402

CONFIG = """
state: {state}
log: {{level: warn}}
components:
  main: {{domain: bridge.bench, server: "127.0.0.1:{xmpp}", secret: bench}}
adapters:
  home:
    type: mqtt
    broker: 127.0.0.1:{mqtt}
    devices:
      dev:
        topic: status/+
        availability: [{{topic: "status/{{1}}"}}]
        status_interval: 1h
        readings:
          note: {{topic: "note/{{1}}", headline: false}}
          said: {{topic: "json/{{1}}", value: note, headline: false}}
          level: {{topic: "level/{{1}}", headline: false}}
        controls:
          note: {{topic: "set/{{1}}", type: text, qos: {qos}}}
        alerts:
          - {{reading: note, change: true, every: 0s, message: "{{note}}"}}
          - {{reading: said, change: true, every: 0s, message: "{{said}}"}}
access:
  - allow see read send command to bench
"""
HOOK = """  hooks:
    type: webhook
    listen: ["127.0.0.1:{port}"]
    limits: {{per_source: 0, per_room: 0, connections: 2048, connections_per_source: 2048}}
    hooks:
      bench:
        rooms: [bench@rooms.bench]
        rate: {{per_second: 0}}
        auth: [{{type: bearer, secret: a-token-of-more-than-22-characters}}]
"""
SENDERS = 64  # connections that post


def cpu_of(pid):
    """Seconds of the main thread, and of all others."""
    own = others = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            spent = int((task / "schedstat").read_text().split()[0])
            own, others = (own + spent, others) if task.name == str(pid) else (own, others + spent)
    return own / 1e9, others / 1e9


class Peers:
    """The fakes: tests/bench/bench_peers."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.xmpp, self.mqtt = (int(port) for port in self.expect("ports"))

    def expect(self, word):
        """The words of the next line, which begins with this one."""
        first, *rest = self.process.stdout.readline().split()
        if first != word:
            raise RuntimeError(f"the fakes say {first} {rest} instead of {word}")
        return rest

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def say(self, word):
        self.tell(word)
        self.expect("done")

    def ready(self):
        self.tell("ready")
        self.expect("ready")

    def begin(self, kind, **options):
        self.tell(f"run {kind} " + " ".join(f"{name}={value}" for name, value in options.items()))

    def result(self, word="run"):
        return {name: float(value) for name, value in (pair.split("=") for pair in self.expect(word))}

    def run(self, kind, **options):
        self.begin(kind, **options)
        return self.result()

    def counts(self):
        self.tell("count")
        return self.result("count")

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Bridge:
    """A spandrel between the fakes, with a state directory of its own that may be filled with `devices` contacts of `users` subscribers."""

    def __init__(self, binary, peers, devices=0, users=1, subscribed=None, qos=0, hook=False):
        self.binary, self.peers = binary, peers
        self.directory = tempfile.TemporaryDirectory(prefix="spandrel-bench-")
        self.state = pathlib.Path(self.directory.name) / "state"
        self.config = pathlib.Path(self.directory.name) / "spandrel.yaml"
        self.config.touch(0o600)
        text = CONFIG.format(state=self.state, xmpp=peers.xmpp, mqtt=peers.mqtt, qos=qos)
        self.http = servers.free_port() if hook else None
        self.config.write_text(text.replace("access:\n", HOOK.format(port=self.http) + "access:\n") if hook else text)
        self.process = None
        if devices:
            self._make_tables()
            self._fill(devices, users, devices if subscribed is None else subscribed)

    def _make_tables(self):
        self.start()
        self.peers.ready()
        self.stop()

    def _fill(self, devices, users, subscribed):
        with contextlib.closing(sqlite3.connect(self.state / "spandrel.db")) as db, db:
            db.execute("DELETE FROM identity")
            db.execute("DELETE FROM state")
            db.executemany("INSERT INTO identity VALUES ('bridge.bench', ?, '', 'home', ?, 0, 0, ?, '', '', 0, NULL)",
                           ((f"d{n}", f"dev/d{n}", f"d{n}") for n in range(devices)))
            db.executemany("INSERT INTO subscription VALUES (?, 'bridge.bench', ?, 1, NULL)", ((f"u{n % users}@bench", f"d{n}") for n in range(subscribed)))

    def start(self):
        self.process = subprocess.Popen([self.binary, "-c", str(self.config), "run"])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(30):
            raise RuntimeError("spandrel did not end in good order")
        self.process = None

    def __enter__(self):
        self.start()
        self.peers.ready()
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()

    def cpu(self):
        return cpu_of(self.process.pid)

    def rss(self):
        """Anonymous memory in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")) / 1024

    def settle(self, limit=20):
        """Waits until a second costs less than 5 ms."""
        for _ in range(limit):
            before = sum(self.cpu())
            time.sleep(1)  # lint: the second that is measured
            if sum(self.cpu()) - before < 0.005:
                return

    @contextlib.contextmanager
    def watch_rss(self, every=0.01):
        """The highest rss() meanwhile, in a list of one."""
        peak, done = [self.rss()], threading.Event()

        def watch():
            while not done.wait(every):
                peak[0] = max(peak[0], self.rss())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield peak
        finally:
            done.set()
            thread.join()
            peak[0] = max(peak[0], self.rss())


@dataclasses.dataclass
class Row:
    case: str
    unit: str
    budget: float | None
    values: list
    note: str = ""

    def text(self):
        median, low, high = statistics.median(self.values), min(self.values), max(self.values)
        verdict = "" if self.budget is None else "ok" if median <= self.budget else "**over**"
        budget = "" if self.budget is None else f"≤ {self.budget:g} {self.unit}"
        return f"| {self.case} | {budget} | {median:.3g} {self.unit} ({low:.3g}..{high:.3g}) | {verdict} | {self.note} |"


class Bench:
    def __init__(self, options):
        self.options = options
        self.spandrel = str(options.build / "spandrel")
        self.rows = []

    def add(self, *row, **more):
        self.rows.append(Row(*row, **more))
        print(self.rows[-1].text(), file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def peers(self):
        with contextlib.closing(Peers(str(self.options.build / "tests" / "bench" / "bench_peers"))) as peers:
            yield peers

    @staticmethod
    def _prime(peers):
        """All devices are there, and have a first value: which is no news."""
        peers.run("online", count=100, devices=100)
        for kind in ("alert", "json"):
            peers.run(kind, count=200, devices=100, answers=100, base=90000)

    def flood(self, case, budget, kind, count, qos=0, **options):
        """CPU of each message of a flood, `rounds` times on one bridge."""
        values, rates, stores = [], [], []
        with self.peers() as peers, Bridge(self.spandrel, peers, devices=100, users=100, qos=qos) as bridge:
            self._prime(peers)
            for n in range(self.options.rounds):
                bridge.settle()
                before = bridge.cpu()
                result = peers.run(kind, count=count, base=n * count, qos=qos, **options)
                after = bridge.cpu()
                if result["errors"]:
                    raise RuntimeError(f"{case}: {result['errors']:.0f} errors")
                values.append((sum(after) - sum(before)) / count * 1e6)
                stores.append((after[1] - before[1]) / count * 1e6)
                rates.append(count / result["seconds"])
        self.add(case, "µs", budget, values, f"store {statistics.median(stores):.2f} µs; {statistics.median(rates) / 1000:.0f}k/s")

    def floods(self):
        self.flood("XMPP → MQTT QoS 0: a command by chat, and the answer", 7, "chat", 100000, users=2000, devices=100)
        self.flood("XMPP → MQTT QoS 1: the same, answered at PUBACK", 20, "chat", 50000, qos=1, users=2000, devices=100)
        self.flood("MQTT → XMPP QoS 0: a message each", 6, "alert", 100000, devices=100)
        self.flood("MQTT → XMPP QoS 1: a message each, in the journal, PUBACK after the commit", 16, "alert", 50000, qos=1, devices=100)
        self.flood("MQTT → XMPP QoS 0: a message each, from JSON", None, "json", 100000, devices=100)
        self.flood("MQTT QoS 0: a reading that nobody is told of", None, "quiet", 100000, devices=100, answers=1)
        self.flood("ping of the component", 5, "ping", 100000)
        self.flood("disco#info of a contact", 5, "disco", 100000, devices=100)

    @contextlib.contextmanager
    def hooked(self):
        """The fakes with senders, and a bridge whose guest is in the room."""
        with self.peers() as peers, Bridge(self.spandrel, peers, hook=True) as bridge:
            peers.say(f"senders {bridge.http} {SENDERS}")
            peers.run("hook", count=200, base=900000000)
            yield peers, bridge

    def hooks(self):
        """Webhooks: CPU of a post, the time until its 202, and connections that say nothing."""
        count = 40000
        for case, budget, keys in (("webhook: a post, in the journal, answered and reflected by the room", 22, 0),
                                   ("webhook: the same with an Idempotency-Key each, which is kept for a day", None, 1)):
            values, rates, stores = [], [], []
            with self.hooked() as (peers, bridge):
                for n in range(self.options.rounds):
                    bridge.settle()
                    before = bridge.cpu()
                    result = peers.run("hook", count=count, base=n * count, keys=keys)
                    after = bridge.cpu()
                    if result["errors"]:
                        raise RuntimeError(f"{case}: {result['errors']:.0f} errors")
                    values.append((sum(after) - sum(before)) / count * 1e6)
                    stores.append((after[1] - before[1]) / count * 1e6)
                    rates.append(count / result["seconds"])
            self.add(case, "µs", budget, values, f"store {statistics.median(stores):.2f} µs; {statistics.median(rates) / 1000:.0f}k/s; {SENDERS} connections")
        self._hooks_ejabberd()
        values, middles = [], []
        with self.hooked() as (peers, bridge):
            for n in range(self.options.rounds):
                bridge.settle()
                result = peers.run("hook", count=20000, base=n * count, gap=500)
                values.append(result["p99_us"] / 1000)
                middles.append(result["p50_us"] / 1000)
        self.add("webhook: post to 202 at 2,000 a second, p99", "ms", 5, values, f"each on the disk; p50 {statistics.median(middles):.2f} ms")
        sizes = []
        for _ in range(self.options.rounds):
            with self.hooked() as (peers, bridge):
                bridge.settle()
                before = bridge.rss()
                peers.say(f"senders {bridge.http} 1000")
                peers.run("hook", count=1000, base=0)
                bridge.settle()
                sizes.append(bridge.rss() - before)
        self.add("webhook: memory of 1000 idle connections", "MB", None, sizes, "kept open after a post; growth of anonymous RSS")

    def _hooks_ejabberd(self):
        """What stands beside it: the same text by mod_http_api, to a user who is away, of a kind that is not kept for him."""
        count, values = 3000, []
        message = json.dumps({"type": "headline", "from": "admin@localhost", "to": "bob@localhost", "subject": "", "body": "0" * 100})
        with servers.Ejabberd(level="none") as ejabberd, contextlib.closing(http.client.HTTPConnection("127.0.0.1", ejabberd.http_port)) as link:
            for _ in range(self.options.rounds + 1):  # the first warms it up
                before = sum(cpu_of(ejabberd.process.pid))
                for _ in range(count):
                    link.request("POST", "/api/send_message", message, {"Content-Type": "application/json"})
                    if link.getresponse().read() != b"0":
                        raise RuntimeError("ejabberd does not send the message")
                values.append((sum(cpu_of(ejabberd.process.pid)) - before) / count * 1e6)
        self.add("beside it: ejabberd's mod_http_api, send_message", "µs", None, values[1:], "one connection, no authentication, not journaled, nobody hears it")

    def at_rest(self):
        sizes, loads = [], []
        for _ in range(self.options.rounds):
            with self.peers() as peers, Bridge(self.spandrel, peers) as bridge:
                bridge.settle()
                sizes.append(bridge.rss())
                before = sum(bridge.cpu())
                time.sleep(self.options.idle)  # lint: the time that is measured
                loads.append((sum(bridge.cpu()) - before) / self.options.idle * 100)
        self.add("anonymous RSS at start", "MB", 6, sizes, "both links up, one adapter, no contact")
        self.add("CPU when idle", "%", 0.1, loads, f"of a core, over {self.options.idle} s")

    def storm(self):
        count, costs, growths, seconds = 100000, [], [], []
        for _ in range(self.options.rounds):
            with self.peers() as peers, Bridge(self.spandrel, peers, devices=count, users=1000) as bridge:
                bridge.stop()
                peers.say("mute")
                bridge.start()
                peers.ready()
                bridge.settle()
                before, rss = bridge.cpu(), bridge.rss()
                with bridge.watch_rss() as peak:
                    peers.begin("online", count=count, devices=count)
                    peers.say("unmute")
                    seconds.append(peers.result()["seconds"])
                    after = bridge.cpu()
                costs.append(sum(after) - sum(before))
                growths.append(peak[0] - rss)
        self.add("100,000 devices come online: CPU", "s", 0.6, costs, f"retained, one subscriber each; {statistics.median(seconds):.1f} s by the clock")
        self.add("100,000 devices come online: memory", "MB", 50, growths, "growth of anonymous RSS, peak")

    def death(self):
        count, values, middles = 500, [], []
        for _ in range(self.options.rounds):
            with self.peers() as peers, Bridge(self.spandrel, peers, devices=count, users=count) as bridge:
                peers.run("online", count=count, devices=count)
                bridge.settle()
                result = peers.run("offline", count=count, devices=count, gap=5000)
                values.append(result["p99_us"] / 1000)
                middles.append(result["p50_us"] / 1000)
        self.add("LWT to presence, p99", "ms", 50, values, f"{count} devices, 200 a second; p50 {statistics.median(middles):.2f} ms")

    def promise(self):
        count, values, middles = 20000, [], []
        with self.peers() as peers, Bridge(self.spandrel, peers, devices=100, users=100) as bridge:
            self._prime(peers)
            for n in range(self.options.rounds):
                bridge.settle()
                result = peers.run("promise", count=count, base=n * count, devices=100, qos=1, gap=500)
                values.append(result["p99_us"] / 1000)
                middles.append(result["p50_us"] / 1000)
        self.add("QoS 1 publish to PUBACK at 2,000 a second, p99", "ms", 5, values, f"each in the journal; p50 {statistics.median(middles):.2f} ms")

    def restart(self):
        count, values = 1000000, []
        with self.peers() as peers, Bridge(self.spandrel, peers, devices=count, subscribed=0) as bridge:
            for _ in range(self.options.rounds):
                bridge.stop()
                began = time.monotonic()
                bridge.start()
                peers.ready()
                values.append(time.monotonic() - began)
            note = f"{bridge.rss():.0f} MB anonymous RSS"
        self.add("1,000,000 identities: start to both links up", "s", 2, values, note)

    def resync(self):
        count, values = 5000, []
        with self.peers() as peers, Bridge(self.spandrel, peers, devices=count, users=100) as bridge:
            peers.run("online", count=count, devices=count)
            for _ in range(self.options.rounds):
                bridge.settle()
                values.append(peers.run("resync", count=count)["seconds"])
        self.add("presence of 5,000 pairs after a reconnect", "s", 10, values, "from the handshake to the last presence")

    def core(self):
        """bench_core checks itself."""
        run = subprocess.run([str(self.options.build / "tests" / "bench" / "bench_core")], capture_output=True, text=True, check=False)
        for line in run.stdout.splitlines():
            if line.startswith("bytes beyond the names"):
                self.add("1,000,000 identities: bytes each beyond the names", "B", 160, [float(line.split()[4])])

    def table(self):
        lines = ["| case | budget | median (min..max) | verdict | |", "|---|---|---|---|---|"]
        return "\n".join(lines + [row.text() for row in self.rows])


CASES = ["floods", "promise", "hooks", "at_rest", "storm", "death", "restart", "resync", "core"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build directory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--idle", type=int, default=20, help="seconds over which the idle bridge is watched")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; default: all")
    options = parser.parse_args()
    bench = Bench(options)
    for name in options.cases or CASES:
        getattr(bench, name)()
    print(bench.table())
    sys.exit(any(row.budget is not None and statistics.median(row.values) > row.budget for row in bench.rows))


if __name__ == "__main__":
    main()
