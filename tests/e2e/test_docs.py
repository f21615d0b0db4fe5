"""The documents are true: configurations pass, what they configure works, commands do what is shown, links lead somewhere."""
import asyncio
import contextlib
import json
import os
import re
import subprocess

import jsonschema
import pytest
import servers
import yaml
from bridge import ROOT, binary
from client import Client
from documents import COMPONENT, HOOK_TOKEN, DocumentedBridge, DocumentedEjabberd, DocumentedProsody, blocks, configurations, first, is_configuration, make_files, pages, whole
from wait import Late, until

PAGES = pages()
CONFIGURATIONS = configurations()
SERVERS = PAGES["docs/servers.md"]
TOLD = [page for page, text in PAGES.items() if "```console" in text]


def spandrel(*words):
    return subprocess.run([binary(), *words], capture_output=True, text=True, timeout=30, check=False)


def checked(directory, text):
    """What `check` says of a configuration whose files are there."""
    path = directory / "spandrel.yaml"
    path.touch(0o600)
    path.write_text(text.replace("/etc/spandrel", str(make_files(directory / "etc"))))
    return subprocess.run([binary(), "check", "-c", str(path)], capture_output=True, text=True, timeout=30, check=False,
                          env={**os.environ, "CREDENTIALS_DIRECTORY": str(directory / "etc"), "WORKSHOP_SECRET": "literal"})


def assert_good(directory, text):
    done = checked(directory, text)
    assert done.returncode == 0 and not done.stderr, done.stderr


class Yaml12(yaml.SafeLoader):
    """YAML as Spandrel reads it: only true and false are booleans."""


Yaml12.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Yaml12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def example(live):
    """`config example`, or with every option made live: a '#' goes from what is no remark, which has one blank behind it."""
    text = spandrel("config", "example").stdout
    return re.sub(r"^( *)#(?! \S)", r"\1", text, flags=re.MULTILINE) if live else text


# Configurations.
@pytest.mark.parametrize("where", CONFIGURATIONS)
def test_configuration_is_good(tmp_path, where):
    assert_good(tmp_path, CONFIGURATIONS[where])


@pytest.mark.parametrize("live", [False, True])
def test_example_is_good(tmp_path, live):
    text = example(live)
    assert ("\nadapters:" in text) == live
    assert_good(tmp_path, text)
    assert_good(tmp_path, re.sub(r"file:/etc/spandrel/\S+", HOOK_TOKEN, text))


def test_schema_knows_every_configuration():
    schema = json.loads(spandrel("config", "schema").stdout)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    texts = {**CONFIGURATIONS, "example": example(False), "live example": example(True)}
    wrong = {where: [error.message for error in validator(schema).iter_errors(yaml.load(text, Yaml12))] for where, text in texts.items()}
    assert not any(wrong.values()), wrong
    assert list(validator(schema).iter_errors({"componets": {}}))


def test_reference_is_the_programs():
    assert spandrel("config", "docs").stdout == PAGES["docs/configuration.md"], "regenerate it: build/spandrel config docs > docs/configuration.md"


def test_full_example_is_the_programs():
    text = (ROOT / "config/full.yaml").read_text()
    assert spandrel("config", "example").stdout == text, "regenerate it: build/spandrel config example > config/full.yaml"


# Names.
def anchors(text):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", PAGES[page])):  # what stands in code is none
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        assert not path or (folder / path).exists(), target
        linked = PAGES[page] if not path else (folder / path).read_text() if anchor else ""
        assert not anchor or anchor in anchors(linked), target


def operations():
    source = (ROOT / "src/app/operations.c").read_text()
    return set(re.findall(r'^    \{"([a-z]+)",', source, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist(page):
    subcommands = set(re.findall(r"^  ([a-z]+)", spandrel("--help").stdout, re.MULTILINE))
    assert {"run", "check", "ctl", "config"} <= subcommands and {"list", "status"} <= operations()
    code = re.findall(r"`([^`\n]+)`", PAGES[page]) + [body for _, body in blocks(PAGES[page], "sh", "console")]
    for command, rest in re.findall(r"(?:^|(?<=[\s$]))spandrel (?:-c \S+ )?([a-z]+)((?: [\w-]+)*)", "\n".join(code), re.MULTILINE):
        words = [word for word in rest.split() if not word.startswith("--")]
        if command == "spandrel":  # docker exec NAME COMMAND
            command, words = words[0], words[1:]
        assert command in subcommands, command
        assert command != "ctl" or not words or words[0] in operations(), words
        assert command != "config" or spandrel("config", *words).returncode == 0, words


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page):
    for path in re.findall(r"`((?:adapters|cmake|config|docker|docs|scripts|src|tests)/[\w./-]*)`", PAGES[page]):
        assert (ROOT / path).exists(), path


def test_operations_are_told():
    told = set(re.findall(r"`([a-z]+)(?: [^`]*)?`", PAGES["docs/operating.md"].split("## Operations")[1].split("\n## ")[0]))
    assert operations() <= told, operations() - told


def test_command_line():
    usage = spandrel("--help")
    assert usage.returncode == 0 and spandrel().stderr == usage.stdout
    for command in set(re.findall(r"^  ([a-z]+)", usage.stdout, re.MULTILINE)):
        helped = spandrel(command, "--help")
        assert helped.returncode == 0 and helped.stdout == spandrel("help", command).stdout, command
        assert spandrel(command, "--nonsense").returncode == 2
    assert "did you mean 'check'?" in spandrel("chekc").stderr
    for wrong in ([], ["chekc"], ["check", "extra"], ["config"], ["config", "exmaple"], ["replay"], ["run", "--record"], ["run", "--json"]):
        assert spandrel(*wrong).returncode == 2, wrong
    assert spandrel("-c", "/nowhere.yaml", "check").returncode == 1
    assert "No such file" in spandrel("ctl", "-c", "/nowhere.yaml").stderr
    assert spandrel("--version").stdout == spandrel("version").stdout


# Packages.
def needed_packages():
    """Of the libraries that the program names itself; those of a sanitizer aside."""
    dynamic = subprocess.run(["readelf", "-d", binary()], capture_output=True, text=True, check=True).stdout
    resolved = dict(re.findall(r"^\s*(\S+) => (\S+)", subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout, re.MULTILINE))
    packages = set()
    for name in re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic):
        path = resolved.get(name)
        if not path or re.match(r"lib([aut]san|ubsan|gcc_s)\.", name):
            continue
        for candidate in (path, f"/usr{path}", path.removeprefix("/usr")):
            owner = subprocess.run(["dpkg", "-S", candidate], capture_output=True, text=True, check=False)
            if owner.returncode == 0:
                packages.add(owner.stdout.split(":")[0])
                break
        else:
            raise AssertionError(f"no package has {path}")
    return packages - {"libc6"}


def test_run_group_is_what_the_program_needs():
    group = set(re.findall(r"^run (\S+)", (ROOT / "scripts/packages").read_text(), re.MULTILINE))
    assert group == needed_packages() | {"ca-certificates"}  # which TLS trusts where no `ca` is named


# What the documents configure.
def component_of(heading):
    return first(SERVERS, heading, "yaml")


async def attaches(server, configuration):
    """The bridge comes up, and a user of the server reaches it."""
    with server, DocumentedBridge(server, None, configuration) as bridge:
        user = next(iter(server.users))
        async with Client(server, user) as client:
            answer = await client.request(COMPONENT, "<ping xmlns='urn:xmpp:ping'/>")
            assert answer["type"] in ("result", "error")
        bridge.finish()


async def test_prosody_by_its_snippets():
    section = SERVERS[SERVERS.index("\n## Prosody\n"):]
    component, general = [body for _, body in blocks(section, "lua")][:2]
    await attaches(DocumentedProsody((general, component)), component_of("## Prosody"))


async def test_ejabberd_by_its_snippet():
    await attaches(DocumentedEjabberd(component_of("## ejabberd")), component_of("## Prosody"))


async def test_ejabberd_with_tls_by_its_snippets():
    listener, component = [body for _, body in blocks(SERVERS[SERVERS.index("\n### With TLS\n"):], "yaml")][:2]
    assert "tls: true" in listener and "tls:" in component
    await attaches(DocumentedEjabberd(listener, tls=True), component)


def test_ejabberd_uploads_by_its_snippet(tmp_path):
    """test_upload.py proves what it has of this: so what it has is what is shown."""
    shown = yaml.load(first(SERVERS, "## Pictures and files", "yaml"), Yaml12)
    server = servers.Ejabberd(tmp_path, components={"bridge.example.org": "x"}, uploads="open")
    server.configure()
    has = yaml.load((tmp_path / "ejabberd.yml").read_text(), Yaml12)
    assert has["acl"]["spandrel"] == shown["acl"]["spandrel"]
    assert has["access_rules"]["upload"] == shown["access_rules"]["upload"]
    assert has["modules"]["mod_http_upload"]["access"] == shown["modules"]["mod_http_upload"]["access"] == "upload"


# What the documents show, played.
def steps(page):
    """Each configuration with what is shown behind it: (configuration, [(language, body), ...])."""
    found = []
    for language, body in blocks(PAGES[page], "yaml", "console", "chat"):
        if language != "yaml":
            found[-1][1].append((language, body))
        elif is_configuration(body) and "adapters:" in body:
            found.append((whole(body), []))
    return [(configuration, shown) for configuration, shown in found if shown]


def commands(body):
    """(command, the output shown)."""
    return [(command.strip(), output) for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE)]


def lines(body):
    """(who, to whom, text); lines that are indented go on."""
    said = re.findall(r"^(\S+) > (\S+): (.*(?:\n  .*)*)", body, re.MULTILINE)
    return [(who, whom, text.replace("\n  ", "\n")) for who, whom, text in said]


class Player:
    def __init__(self, place, bridge):
        self.place, self.bridge = place, bridge
        self.environment = bridge.commands()
        self.users = {}

    async def user(self, name):
        if name not in self.users:
            self.users[name] = await Client(self.place, name).connect()
        return self.users[name]

    async def shell(self, command):
        process = await asyncio.create_subprocess_shell(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 0, output.decode()
        return output.decode()

    async def console(self, command, expected):
        if command.endswith("&"):
            subscribed = self.subscriptions()
            await asyncio.create_subprocess_shell(command[:-1], env=self.environment, stdout=subprocess.DEVNULL)
            await self.bridge.until(lambda: self.subscriptions() > subscribed, what="subscription of a device")
            return
        said = []

        async def shown():
            said.append(await self.shell(command))
            return said[-1] == expected or " ctl " not in command  # what that tells becomes true a little later

        with contextlib.suppress(Late):
            await until(shown, 10)
        assert said[-1] == expected, f"$ {command}\n{said[-1]}"

    def subscriptions(self):
        return self.bridge.broker.log.read_text(errors="replace").count("Received SUBSCRIBE")

    async def chat(self, who, whom, text):
        if who in servers.USERS:
            (await self.user(who)).say(self.address(whom), text)
            return
        message = await (await self.user(whom)).expect(kind="message", frm=self.address(who))
        said = message["error"]["text"] if message["type"] == "error" else message["body"]
        assert said == text, f"{who} says {said!r}"

    @staticmethod
    def address(name):
        return name if "." in name else f"{name}@{COMPONENT}"

    async def play(self, language, body):
        for step in commands(body) if language == "console" else lines(body):
            await (self.console(*step) if language == "console" else self.chat(*step))

    async def leave(self):
        for user in self.users.values():
            await user.disconnect()


@pytest.fixture(scope="module")
def documented_prosody():
    section = SERVERS[SERVERS.index("\n## Prosody\n"):]
    component, general = [body for _, body in blocks(section, "lua")][:2]
    with DocumentedProsody((general, component)) as server:
        yield server


@pytest.mark.parametrize("page, number", [(page, number) for page in TOLD for number in range(len(steps(page)))])
async def test_what_is_shown_happens(documented_prosody, page, number):
    configuration, shown = steps(page)[number]
    assert any(commands(body) or lines(body) for _, body in shown)
    with servers.Mosquitto() as broker, DocumentedBridge(documented_prosody, broker, configuration) as bridge:
        player = Player(documented_prosody, bridge)
        try:
            for language, body in shown:
                await player.play(language, body)
        finally:
            await player.leave()
        bridge.finish()


async def test_the_first_hook_as_it_is_shown(documented_prosody):
    page, port = PAGES["docs/webhooks.md"], servers.free_port()
    configuration = whole(next(blocks(page, "yaml"))[1]).replace("127.0.0.1:8080", f"{servers.HOST}:{port}")
    command = next(blocks(page, "sh"))[1].replace("https://hooks.example.org", f"http://{servers.HOST}:{port}")
    with DocumentedBridge(documented_prosody, None, configuration) as bridge:
        await bridge.until(lambda: "listening" in bridge.adapter()["state"], what="listener")
        async with Client(documented_prosody, "alice") as alice:
            room = f"ops@{documented_prosody.rooms}"
            await alice.make_room(room, "alice")
            done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True, timeout=30, check=False, env={**os.environ, "TOKEN": HOOK_TOKEN})
            assert done.returncode == 0 and json.loads(done.stdout)["status"] == "queued", done.stdout + done.stderr
            await alice.expect(kind="message", type="groupchat", frm=f"{room}/Alerts", body="backup is done")
        bridge.finish()
