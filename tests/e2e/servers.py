#!/usr/bin/env python3
"""Real servers for the end-to-end tests and the demo: Prosody, ejabberd and mosquitto as plain processes.

Each lives in a directory of its own, listens on free loopback ports only, keeps ports and data over stop(), kill() and restart(), runs as root or as anyone else,
and dies with the process that started it.

    with Prosody() as p:
        print(p.c2s_port, p.component_port, p.domain)
        p.kill()
        p.start()

As a program it starts what it is told, prints one line of JSON for each when it is ready, and stops all at SIGTERM, SIGINT or the end of its input:

    python3 servers.py prosody mosquitto
"""
import argparse
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

from wait import Late, blocked_until

HOST = "127.0.0.1"
DOMAIN = "localhost"
USERS = {"alice": "alice-pw", "bob": "bob-pw", "carol": "carol-pw", "admin": "admin-pw"}
COMPONENTS = {"bridge.localhost": "bridge-secret"}
ROOMS = "rooms.localhost"
UPLOAD = "upload.localhost"
START_SECONDS = 60
STOP_SECONDS = 30

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_taken = set()


def _ports():
    """Outside the range that the kernel takes for outgoing connections. Each of pytest-xdist's workers has a share of its own: a port may be free only until its server is
    started again."""
    worker, workers = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = 10000 // workers
    return range(20000 + worker * share, 20000 + (worker + 1) * share)


def free_port():
    """A port that nobody listens on now."""
    while True:
        port = random.choice(_ports())
        if port in _taken:
            continue
        with contextlib.closing(socket.socket()) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind((HOST, port))
            except OSError:
                continue
        _taken.add(port)
        return port


def make_ca(path):
    """ca.pem, and a certificate it signed for localhost and 127.0.0.1 (cert.pem, key.pem, both.pem), in `path`."""
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=path, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test CA")
    openssl("req", *curve, "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=localhost")
    (path / "ext").write_text("subjectAltName=DNS:localhost,DNS:bridge.localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
            "-extfile", "ext", "-out", "cert.pem")
    (path / "both.pem").write_text((path / "cert.pem").read_text() + (path / "key.pem").read_text())
    return path


def _own_child():
    """In the child: a process group of its own, and no life after the parent's (the thread's: servers are started by one that stays)."""
    os.setsid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _speaks(port, hello, answer, tls=False):
    """True when what listens on the port answers `hello` with something that has `answer` in it."""
    with contextlib.suppress(OSError):
        with socket.create_connection((HOST, port), timeout=2) as plain:
            sock = plain
            if tls:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                sock = context.wrap_socket(plain)
            sock.sendall(hello)
            got = b""
            while answer not in got:
                data = sock.recv(4096)
                if not data:
                    return False
                got += data
            return True
    return False


class Server:
    """What the servers have in common: a directory, a process, and how it is started and ended."""

    name = "server"

    def __init__(self, directory=None):
        self._own_directory = directory is None
        self.directory = pathlib.Path(directory or tempfile.mkdtemp(prefix=f"spandrel-{self.name}-")).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / f"{self.name}.log"
        self.process = None

    # What a server defines.
    def command(self):
        raise NotImplementedError(f"{self.name}: no command")

    def environment(self):
        return {}

    def configure(self):
        """Writes the configuration; called before each start."""

    def ready(self):
        return True

    def describe(self):
        return {"server": self.name, "directory": str(self.directory), "pid": self.process.pid if self.process else None}

    # Life.
    def start(self):
        assert self.process is None, f"{self.name} runs already"
        self.configure()
        with open(self.directory / "output.log", "ab") as output:
            self.process = subprocess.Popen(self.command(), cwd=self.directory, env={**os.environ, **self.environment()}, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, preexec_fn=_own_child)
        with contextlib.suppress(Late):
            blocked_until(lambda: not self.running() or self.ready(), START_SECONDS)
            if self.running():
                return self
        self.kill()
        raise RuntimeError(f"{self.name} does not start:\n{self.tail()}")

    def stop(self):
        """As an operator would: SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self):
        """As a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def pause(self):
        """The server hangs: its kernel still accepts bytes, nothing is answered."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        os.killpg(self.process.pid, signal.SIGCONT)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def _end(self, how):
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self):
        """Ends it and removes its directory, if that was made for it."""
        self.kill()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def tail(self, lines=30):
        text = ""
        for log in (self.directory / "output.log", self.log):
            if log.exists():
                text += "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) + "\n"
        return text

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()


class XmppServer(Server):
    """localhost with users, rooms.localhost (each room has an archive; Client.make_room() sets one up), and component domains with their secrets."""

    def __init__(self, directory=None, users=None, components=None):
        super().__init__(directory)
        self.domain = DOMAIN
        self.rooms = ROOMS
        self.users = dict(USERS if users is None else users)
        self.components = dict(COMPONENTS if components is None else components)
        self.component, self.secret = next(iter(self.components.items()))
        self.c2s_port = free_port()
        self.component_port = free_port()
        self.tls = None

    def ready(self):
        header = "<stream:stream xmlns='%s' xmlns:stream='http://etherx.jabber.org/streams' to='%s' version='1.0'>"
        return (_speaks(self.c2s_port, (header % ("jabber:client", self.domain)).encode(), b"</stream:features>")
                and _speaks(self.component_port, (header % ("jabber:component:accept", self.component)).encode(), b" id=", bool(self.tls)))

    def add_user(self, name, password):
        """Also while it runs."""
        self.users[name] = password

    def jid(self, user):
        return f"{user}@{self.domain}"

    def describe(self):
        return {**super().describe(), "domain": self.domain, "rooms": self.rooms, "c2s_port": self.c2s_port,
                "component_port": self.component_port, "components": self.components, "users": self.users,
                "ca": str(self.tls / "ca.pem") if self.tls else None}


class Prosody(XmppServer):
    """`conflict`: component_conflict_resolve ("kick_new" is Prosody's default). It has no TLS on its component port. `uploads`: options of mod_http_file_share, which
    upload.localhost then has ("" is fine)."""

    name = "prosody"

    def __init__(self, directory=None, users=None, components=None, conflict="kick_new", extra="", level="info", uploads=None):
        super().__init__(directory, users, components)
        self.conflict = conflict
        self.uploads = uploads
        self.http_port = free_port()
        self.extra = extra
        self.level = level

    def command(self):
        return ["prosody", "-F", "--config", str(self.directory / "prosody.cfg.lua")]

    def configure(self):
        components = "".join(f'Component "{domain}"\n    component_secret = "{secret}"\n' for domain, secret in self.components.items())
        if self.uploads is not None:
            components += (f'Component "{UPLOAD}" "http_file_share"\n    http_external_url = "http://{HOST}:{self.http_port}/"\n    {self.uploads}\n')
        (self.directory / "prosody.cfg.lua").write_text(f"""
http_ports = {{ {self.http_port} }}
http_interfaces = {{ "{HOST}" }}
https_ports = {{ }}
http_default_host = "{UPLOAD}"
run_as_root = true
pidfile = "{self.directory}/prosody.pid"
data_path = "{self.directory}/data"
certificates = "{self.directory}"
log = {{ {self.level} = "{self.log}" }}
interfaces = {{ "{HOST}" }}
local_interfaces = {{ "{HOST}" }}
c2s_ports = {{ {self.c2s_port} }}
component_ports = {{ {self.component_port} }}
component_interfaces = {{ "{HOST}" }}
component_conflict_resolve = "{self.conflict}"
s2s_ports = {{ }}
modules_disabled = {{ "tls", "s2s", "s2s_auth_certs" }}
modules_enabled = {{ "roster", "saslauth", "disco", "ping", "carbons", "pep", "mam", "vcard_legacy", "blocklist", "private", "version", "limits" }}
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
authentication = "internal_plain"
storage = "internal"
admins = {{ "admin@{self.domain}" }}
limits = {{ c2s = {{ rate = "10mb/s" }} }}
{self.extra}
VirtualHost "{self.domain}"
Component "{self.rooms}" "muc"
    modules_enabled = {{ "muc_mam" }}
    restrict_room_creation = false
    muc_log_by_default = true
    muc_room_default_public = true
    muc_room_locking = false
{components}""")
        for name, password in self.users.items():
            self._write_user(name, password)

    def _write_user(self, name, password):
        accounts = self.directory / "data" / self.domain / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}"; }};\n')

    def add_user(self, name, password):
        super().add_user(name, password)
        self._write_user(name, password)


class Ejabberd(XmppServer):
    """`tls`: the component port speaks TLS (directly) with a certificate of the CA in describe()["ca"]. `uploads`: mod_http_upload is upload.localhost, over HTTPS with a
    certificate of the CA in .web; "open": the components may use it, as docs/servers.md says; "closed": they may not, as ejabberd has it; `put_url`: where somebody else
    takes them."""

    name = "ejabberd"

    def __init__(self, directory=None, users=None, components=None, tls=False, extra="", level="info", uploads=None, upload_options="", put_url=None):
        super().__init__(directory, users, components)
        self.http_port = free_port()
        self.https_port = free_port()
        self.uploads, self.upload_options = uploads, upload_options
        self.web = make_ca(self.directory / "web") if uploads else None
        self.put_url = put_url or f"https://{HOST}:{self.https_port}/upload"
        self.tls = make_ca(self.directory / "tls") if tls else None
        self.extra = extra
        self.level = level

    def _library(self):
        return max(pathlib.Path("/usr/lib").glob("*/ejabberd-*/ebin"))

    def command(self):
        # One scheduler, no shell, no epmd, no node name: quick to start, and nothing is left behind.
        return ["erl", "-noinput", "+S", "1", "+sbwt", "none", "-start_epmd", "false", "-pa", str(self._library()),
                "-mnesia", "dir", f'"{self.directory}/mnesia"', "-s", "ejabberd"]

    def environment(self):
        return {
            "ERL_LIBS": f"{self._library().parents[1]}:/usr/lib/erlang/lib",
            "EJABBERD_CONFIG_PATH": str(self.directory / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.log),
            "ERL_CRASH_DUMP_BYTES": "0",
            "HOME": str(self.directory),
        }

    def configure(self):
        hosts = "".join(f"      {domain}:\n        password: {secret}\n" for domain, secret in self.components.items())
        tls = f"    tls: true\n    certfile: {self.tls}/both.pem\n" if self.tls else ""
        web, modules, acl, rules = self._uploads()
        (self.directory / "ejabberd.yml").write_text(f"""
hosts: [{self.domain}]
loglevel: {self.level}
language: en
listen:
  - port: {self.c2s_port}
    ip: {HOST}
    module: ejabberd_c2s
    max_stanza_size: 262144
  - port: {self.component_port}
    ip: {HOST}
    module: ejabberd_service
{tls}    hosts:
{hosts}  - port: {self.http_port}
    ip: {HOST}
    module: ejabberd_http
    request_handlers:
      /api: mod_http_api
{web}auth_method: internal
auth_password_format: plain
s2s_access: none
new_sql_schema: false
api_permissions:
  "test api":
    who: [{{ip: {HOST}/8}}]
    what: ["*"]
acl:
  admin:
    user: [admin@{self.domain}]
{acl}access_rules:
  muc_create:
    allow: all
{rules}modules:
  mod_admin_extra: {{}}
  mod_caps: {{}}
  mod_carboncopy: {{}}
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_last: {{}}
  mod_mam:
    default: never
  mod_muc:
    hosts: [{self.rooms}]
    access: all
    access_create: muc_create
    default_room_options:
      mam: true
  mod_offline: {{}}
  mod_ping: {{}}
  mod_private: {{}}
  mod_pubsub:
    plugins: [flat, pep]
  mod_roster: {{}}
  mod_vcard:
    search: false
  mod_version: {{}}
{modules}{self.extra}""")

    def _uploads(self):
        """The parts of the configuration that uploads take."""
        if not self.uploads:
            return "", "", "", ""
        web = (f"  - port: {self.https_port}\n    ip: {HOST}\n    module: ejabberd_http\n    tls: true\n    certfile: {self.web}/both.pem\n"
               "    request_handlers:\n      /upload: mod_http_upload\n")
        modules = (f"  mod_http_upload:\n    hosts: [{UPLOAD}]\n    docroot: {self.directory}/uploads\n    put_url: {self.put_url}\n"
                   f"{self.upload_options}")
        if self.uploads == "closed":
            return web, modules, "", ""
        acl = "  spandrel:\n    server:\n" + "".join(f"      - {domain}\n" for domain in self.components)
        return web, modules + "    access: upload\n", acl, "  upload:\n    - allow: local\n    - allow: spandrel\n"

    def start(self):
        super().start()
        for name, password in self.users.items():
            self._register(name, password)
        return self

    def _register(self, name, password):
        self.api("register", user=name, host=self.domain, password=password)

    def api(self, operation, **arguments):
        """An operation of ejabberd's HTTP API; 409 (the user is there already) is as good as done."""
        link = http.client.HTTPConnection(HOST, self.http_port, timeout=10)
        with contextlib.closing(link):
            link.request("POST", f"/api/{operation}", json.dumps(arguments), {"Content-Type": "application/json"})
            answer = link.getresponse()
            text = answer.read().decode()
            if answer.status not in (200, 409):
                raise RuntimeError(f"ejabberd {operation}: {answer.status} {text}")
            return json.loads(text)

    def add_user(self, name, password):
        super().add_user(name, password)
        if self.running():
            self._register(name, password)


class Mosquitto(Server):
    """`tls`: a second listener, .tls_port, with a certificate of the CA in .tls; `users`: names and passwords, else anonymous."""

    name = "mosquitto"

    def __init__(self, directory=None, tls=False, users=None, extra=""):
        super().__init__(directory)
        self.port = free_port()
        self.tls_port = free_port() if tls else None
        self.tls = make_ca(self.directory / "tls") if tls else None
        self.users = users or {}
        self.extra = extra

    def command(self):
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        return [binary, "-c", str(self.directory / "mosquitto.conf")]

    def configure(self):
        lines = [f"listener {self.port} {HOST}"]
        if self.tls:
            lines += [f"listener {self.tls_port} {HOST}", f"certfile {self.tls}/cert.pem", f"keyfile {self.tls}/key.pem", f"cafile {self.tls}/ca.pem"]
        lines += ["persistence true", f"persistence_location {self.directory}/", f"log_dest file {self.log}", "log_type all"]
        lines += [f"allow_anonymous {'false' if self.users else 'true'}"]
        if os.geteuid() == 0:
            lines += ["user root"]
        if self.users:
            lines += [f"password_file {self._password_file()}"]
        (self.directory / "mosquitto.conf").write_text("\n".join(lines) + f"\n{self.extra}\n")

    def _password_file(self):
        path = self.directory / "passwords"
        path.write_text("")
        path.chmod(0o600)
        for name, password in self.users.items():
            subprocess.run(["mosquitto_passwd", "-b", str(path), name, password], check=True, stderr=subprocess.DEVNULL)
        return path

    def save(self):
        """Returns when all that is retained is on the disk: what is not, a kill() loses, and the next start has what the last save or stop() left."""
        database = self.directory / "mosquitto.db"

        def version():
            return (database.stat().st_ino, database.stat().st_mtime_ns) if database.exists() else None

        before = version()
        self.process.send_signal(signal.SIGUSR1)
        blocked_until(lambda: version() != before, START_SECONDS, "saved database", self.tail)  # written beside it, and renamed

    def ready(self):
        connect = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x05\x00\x05ready"
        return _speaks(self.port, connect, b"\x20\x02\x00")

    def describe(self):
        return {**super().describe(), "port": self.port, "tls_port": self.tls_port, "ca": str(self.tls / "ca.pem") if self.tls else None}


KINDS = {cls.name: cls for cls in (Prosody, Ejabberd, Mosquitto)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("servers", nargs="+", choices=sorted(KINDS))
    parser.add_argument("--tls", action="store_true", help="TLS on ejabberd's component port, and a TLS listener on mosquitto")
    options = parser.parse_args()
    for how in (signal.SIGTERM, signal.SIGINT):
        signal.signal(how, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        for name in options.servers:
            kind = KINDS[name]
            server = stack.enter_context(kind(tls=True) if options.tls and kind is not Prosody else kind())
            print(json.dumps(server.describe()), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
