"""What stands in the documents: blocks of code, links, commands; and the bridge and the servers as the documents configure them."""
import os
import pathlib
import re
import shutil

import servers
from bridge import ROOT, Bridge, binary
from demo import PNG

DOMAIN = "example.org"
COMPONENT = "bridge.example.org"
SECRET = "the secret"
HOOK_TOKEN = "a-literal-secret-that-is-long-enough"
SECTIONS = ("state:", "components:", "adapters:", "admins:", "groups:", "access:", "log:", "control:")
ADAPTERS = "adapters:\n  home: {type: mqtt}\n"
COMPONENTS = f"components:\n  main: {{domain: {COMPONENT}, server: 127.0.0.1:5347, secret: file:/etc/spandrel/secret}}\n"


def pages():
    """Every Markdown file, by its path from the root."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("config/*.md"), *ROOT.glob("docker/*.md")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(found)}


def blocks(text, *languages):
    """The blocks of code in one of these languages, in order, each with its language and without its indentation."""
    for match in re.finditer(r"^( *)```(\w+)\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE):
        indent, language, body = match.groups()
        if language in languages:
            yield language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE)


def first(text, heading, language):
    """The first block in this language behind a heading."""
    return next(blocks(text[text.index(f"\n{heading}\n"):], language))[1]


def is_configuration(block):
    """A block of YAML that is of our configuration, and not of a server's."""
    return block.startswith(SECTIONS)


def whole(block):
    """A configuration to which what the block leaves out is added."""
    return ("" if "components:" in block else COMPONENTS) + ("" if "adapters:" in block else ADAPTERS) + block


def configurations():
    """Every configuration in the documents and in config/: {where: text}."""
    found = {str(path.relative_to(ROOT)): path.read_text() for path in sorted(ROOT.glob("config/*.yaml"))}
    for page, text in pages().items():
        for number, (_, block) in enumerate(blocks(text, "yaml")):
            if is_configuration(block):
                found[f"{page} #{number + 1}"] = whole(block)
    return found


def make_files(directory):
    """What /etc/spandrel would hold."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in {"secret": SECRET, "mqtt-password": SECRET, "ca.pem": SECRET, "hook-token": HOOK_TOKEN, "hooks.pem": SECRET, "hooks.key": SECRET,
                          "room-password": SECRET}.items():
        path = directory / name
        path.touch(0o600)
        path.write_text(content + "\n")
    (directory / "alerts.png").write_bytes(PNG)
    return directory


class DocumentedProsody(servers.Prosody):
    """Serves example.org; its components are what `snippets` (global, component) say."""

    def __init__(self, snippets):
        super().__init__(components={COMPONENT: SECRET})
        self.domain, self.rooms = DOMAIN, f"rooms.{DOMAIN}"
        self._snippets = snippets

    def configure(self):
        components, self.components = self.components, {}
        super().configure()
        self.components = components
        accounts = self.directory / "data" / DOMAIN
        shutil.copytree(accounts, self.directory / "data" / DOMAIN.replace(".", "%2e"), dirs_exist_ok=True)
        path = self.directory / "prosody.cfg.lua"
        text = re.sub(r"^component_.*\n", "", path.read_text(), flags=re.MULTILINE)
        ours = self._snippets[0].replace("5347", str(self.component_port))
        path.write_text(ours + text + self._snippets[1])


class DocumentedEjabberd(servers.Ejabberd):
    """Its listener for components is what the snippet says."""

    def __init__(self, snippet, tls=False):
        super().__init__(components={COMPONENT: SECRET}, tls=tls)
        self._snippet = snippet

    def configure(self):
        super().configure()
        path = self.directory / "ejabberd.yml"
        item = self._snippet.removeprefix("listen:\n").replace("5347", str(self.component_port)).replace("0.0.0.0", servers.HOST)
        item = item.replace("/etc/ejabberd/component.pem", f"{self.tls}/both.pem")
        plain = r"  - port: \d+\n    ip: [\d.]+\n    module: ejabberd_service\n.*?(?=  - port:)"
        text, count = re.subn(plain, lambda _: item, path.read_text(), count=1, flags=re.DOTALL)
        assert count == 1
        path.write_text(text)


class DocumentedBridge(Bridge):
    """Runs a configuration of the documents: only paths and addresses are others."""

    def __init__(self, xmpp, broker, configuration):
        super().__init__(xmpp, broker, component=COMPONENT)
        self._configuration = configuration
        files = make_files(self.directory / "etc")
        if xmpp.tls:
            shutil.copy(xmpp.tls / "ca.pem", files / "ca.pem")

    def text(self):
        text = self._configuration.replace("/etc/spandrel", str(self.directory / "etc"))
        text = re.sub(r"(127\.0\.0\.1|xmpp\.example\.org):5347", f"localhost:{self.xmpp.component_port}", text)
        if self.broker:
            text = text.replace("127.0.0.1:1883", f"{servers.HOST}:{self.broker.port}")
        return f"state: {self.directory}/state\nlog: {{level: debug}}\n{text}"

    def commands(self):
        """An environment for a shell, in which the commands of the documents mean this bridge and this broker."""
        tools = self.directory / "bin"
        tools.mkdir(exist_ok=True)
        for name in ("mosquitto_pub", "mosquitto_sub"):
            self._script(tools / name, f'exec {shutil.which(name)} -h {servers.HOST} -p {self.broker.port} "$@"')
        self._script(tools / "spandrel", f'exec {binary()} -c {self.config} "$@"')
        return {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}

    @staticmethod
    def _script(path: pathlib.Path, line):
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
