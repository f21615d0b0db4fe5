"""`spandrel db`: copies of what a bridge keeps, made while it runs and brought back; checks; exports that come back bit by bit; and what a kill leaves."""
import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import time

import pytest
from bridge import Bridge, binary
from client import Client
from device import Device

KILLS = 40


class Db:
    """The commands on the state of one bridge."""

    def __init__(self, bridge):
        self.bridge = bridge
        bridge.configure()

    def command(self, *words):
        return [binary(), "-c", str(self.bridge.config), "db", *map(str, words)]

    def run(self, *words):
        return subprocess.run(self.command(*words), capture_output=True, timeout=60, check=False)

    def ok(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def refused(self, *words, code=1):
        done = self.run(*words)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done.stderr.decode()

    def export(self):
        return self.run("export").stdout


@pytest.fixture(name="bridge")
def fixture_bridge(prosody, mosquitto):
    bridge = Bridge(prosody, mosquitto)
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


@pytest.fixture(name="idle")
def fixture_idle(prosody, tmp_path):
    """One that does not run."""
    yield Bridge(prosody, directory=tmp_path)


def rows_of(export):
    return [line for line in export.decode().splitlines() if line.startswith('{"table"')]


def many(count, name="x"):
    """An export of that many contacts, each with a subscriber, and some state that is no text."""
    lines = ['{"spandrel":"export","version":1,"schema":2,"tables":["identity","subscription","state"]}']
    for n in range(count):
        row = {"domain": "bridge.localhost", "local": f"{name}-{n}", "scope": "", "adapter": "home", "key": f"{name}/{n}", "kind": 0, "quarantined": 0,
               "name": f"{name} \"{n}\", ü", "cls": "light", "grp": "", "since": 1700000000000 + n}
        lines.append(json.dumps({"table": "identity", "row": row}, ensure_ascii=False, separators=(",", ":")))
    for n in range(count):
        row = {"user": f"u{n}@localhost", "domain": "bridge.localhost", "local": f"{name}-{n}", "state": 1}
        lines.append(json.dumps({"table": "subscription", "row": row}, separators=(",", ":")))
    lines.append('{"table":"state","row":{"adapter":"home","key":{"base64":"AP8="},"value":"AAEC/w=="}}')
    lines.append(json.dumps({"end": True, "rows": 2 * count + 1}, separators=(",", ":")))
    return "\n".join(lines) + "\n"


async def test_backup_of_a_bridge_that_runs_comes_back(bridge, mosquitto, tmp_path):
    """Users keep what they have: after the loss of everything, contact and subscription are as they were."""
    db, copy = Db(bridge), tmp_path / "copy.db"
    with Device(mosquitto, "lamp") as lamp:
        await bridge.expect_mapping("lamp", state="online")
        async with Client(bridge.xmpp, "alice") as alice:
            await alice.befriend(f"lamp@{bridge.domain}")
            bridge.ctl("grant", "allow", "see", "to", "carol@localhost")
            for n in range(200):
                lamp.report(temperature=n)
            said = await asyncio.to_thread(db.ok, "backup", copy)
            assert str(copy) in said and copy.stat().st_mode & 0o777 == 0o600
            assert not list(bridge.state.glob("snapshot-*")), "the copy was left behind"
            assert not list(tmp_path.glob("*.part"))
            assert db.ok("check").startswith("tables of version ")
            before = rows_of(db.export())
            assert sqlite3.connect(copy).execute("pragma integrity_check").fetchone() == ("ok",)
            refusal = db.refused("restore", copy)
            assert f"process {bridge.process.pid} serves {bridge.state}: stop it first" in refusal
            assert str(bridge.process.pid) in db.refused("import", copy)
            bridge.kill()
            shutil.rmtree(bridge.state)
            db.ok("restore", copy)
            kept = [row for row in rows_of(db.export()) if '"table":"state"' not in row and '"table":"lane"' not in row]
            assert [row for row in kept if '"identity"' in row or '"subscription"' in row or '"access"' in row] == \
                   [row for row in before if '"identity"' in row or '"subscription"' in row or '"access"' in row]
            alice.inbox.clear()
            bridge.start()
            await alice.expect(kind="presence", frm=f"lamp@{bridge.domain}", type="available")
            assert "carol@localhost" in bridge.ctl("rules")


async def test_backups_one_after_the_other_and_at_once(bridge, tmp_path):
    """One at a time is made; who comes second is told so or waits, and nothing is left behind."""
    db = Db(bridge)
    done = await asyncio.gather(*[asyncio.to_thread(db.run, "backup", tmp_path / f"{n}.db") for n in range(6)])
    good = [n for n, one in enumerate(done) if one.returncode == 0]
    assert good
    for n, one in enumerate(done):
        assert one.returncode == 0 or b"a copy of the database is being made" in one.stderr, one.stderr
        assert (tmp_path / f"{n}.db").exists() == (n in good)
    db.ok("backup", tmp_path / "last.db")
    assert not list(bridge.state.glob("snapshot-*"))


async def test_nothing_of_the_bridge_is_written_over(bridge, tmp_path):
    """What a copy would replace while the bridge works with it, or is no file at all, stays as it is."""
    db = Db(bridge)
    before = {path.name: path.stat().st_ino for path in bridge.state.iterdir()}
    (tmp_path / "way").symlink_to(bridge.state)
    for name in ("spandrel.db", "spandrel.db-wal", "restored.db", "lock", "snapshot-1.db"):
        for command in ("backup", "export"):
            assert "is a file of the bridge" in await asyncio.to_thread(db.refused, command, tmp_path / "way" / name)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("/dev/stdout")
    for name in ("fifo", "link"):
        assert "is no regular file" in await asyncio.to_thread(db.refused, "backup", tmp_path / name)
    assert (tmp_path / "fifo").is_fifo() and (tmp_path / "link").is_symlink()
    after = {path.name: path.stat().st_ino for path in bridge.state.iterdir()}
    assert after == before
    await asyncio.to_thread(db.ok, "backup", bridge.state / "mine.db")


def test_export_comes_back_bit_by_bit(idle, tmp_path):
    db = Db(idle)
    (tmp_path / "in.json").write_text(many(50), encoding="utf-8")
    assert "imported 101 rows; replaced: identity, subscription, state" in db.ok("import", tmp_path / "in.json")
    first = db.export()
    assert set(rows_of(first)) == set(rows_of(many(50).encode()))
    db.ok("export", tmp_path / "out.json")
    assert (tmp_path / "out.json").read_bytes() == first
    shutil.rmtree(idle.state)
    db.ok("import", tmp_path / "out.json")
    assert db.export() == first
    db.ok("export", "--csv", tmp_path / "csv")
    assert {p.name for p in (tmp_path / "csv").iterdir()} == {"identity.csv", "subscription.csv", "registration.csv", "access.csv"}
    assert (tmp_path / "csv" / "identity.csv").stat().st_mode & 0o777 == 0o600
    db.ok("import", "--csv", tmp_path / "csv")
    assert db.export() == first
    table = db.run("export", "--table", "subscription").stdout
    assert table == (tmp_path / "csv" / "subscription.csv").read_bytes() and table.startswith(b"user,domain,local,state\r\n")
    db.ok("import", "--table", "subscription", tmp_path / "csv" / "subscription.csv")
    assert db.export() == first
    assert "faults: 0, notes: 0" in db.ok("check")


def test_wrong_import_changes_nothing_and_names_the_line(idle, tmp_path):
    db, path = Db(idle), tmp_path / "in.json"
    path.write_text(many(20), encoding="utf-8")
    db.ok("import", path)
    before = db.export()
    good = many(20, "y").splitlines()
    wrong = [
        (5, good[4].replace("bridge.localhost", "Bridge.localhost"), "not as servers write it"),
        (7, good[6].replace('"kind":0', '"kind":7'), "\"kind\" cannot be 7"),
        (9, good[1], "another row has the same address"),
        (25, good[24].replace('"local":"y-3"', '"local":"none"'), "a contact that is not there"),
        (30, good[29][:-10], "no JSON"),
        (42, good[41].replace("AAEC/w==", "AAEC/w="), "\"value\" is no base64"),
    ]
    for number, line, text in wrong:
        path.write_text("\n".join(good[:number - 1] + [line] + good[number:]) + "\n", encoding="utf-8")
        said = db.refused("import", path)
        assert said.startswith(f"spandrel: {path}:{number}: ") and text in said, said
        assert db.export() == before
    path.write_text("\n".join(good[:-1]) + "\n", encoding="utf-8")
    assert f"{path}:43: the file ends here" in db.refused("import", path)
    path.write_text("user,domain,local,state\r\nu@localhost,bridge.localhost,x-1,1\r\nu@localhost,bridge.localhost,x-1,3\r\n")
    assert f"{path}:3: another row has the same key" in db.refused("import", "--table", "subscription", path)
    assert "there is no such table" in db.refused("import", "--table", "none", path, code=2)
    assert db.export() == before


def test_check_tells_of_faults(idle, tmp_path):
    db = Db(idle)
    assert "No such file" in db.refused("check")
    (tmp_path / "in.json").write_text(many(300), encoding="utf-8")
    db.ok("import", tmp_path / "in.json")
    sql = sqlite3.connect(idle.state / "spandrel.db")
    sql.execute("insert into subscription (user, domain, local, state) values ('u@localhost', 'bridge.localhost', 'nobody', 1)")
    sql.commit()
    sql.close()
    done = db.run("check")
    assert done.returncode == 3 and b"a subscription to a contact that is not there" in done.stdout
    found = [json.loads(line) for line in db.run("check", "--json").stdout.splitlines()]
    assert found[0]["table"] == "subscription" and found[-1]["faults"] == 1 and found[-1]["rows"]["identity"] == 300
    with open(idle.state / "spandrel.db", "r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 200)
    assert db.run("check").returncode == 3
    assert "is not restored" in db.refused("restore", idle.state / "spandrel.db")


def killed_at_random(db, words, seconds, seed):
    """Runs it for a random part of the time that it takes."""
    process = subprocess.Popen(db.command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seed.random() * seconds)  # lint: the moment of the kill is what is random
    process.kill()
    process.wait()


def test_import_and_restore_that_are_killed_leave_the_one_or_the_other(idle, tmp_path):
    db, seed = Db(idle), random.Random(5)
    old, new, copy = tmp_path / "old.json", tmp_path / "new.json", tmp_path / "copy.db"
    old.write_text(many(1000, "old"), encoding="utf-8")
    new.write_text(many(1500, "new"), encoding="utf-8")
    db.ok("import", new)
    as_new = db.export()
    db.ok("backup", copy)
    db.ok("import", old)
    as_old = db.export()
    for words in (("import", new), ("restore", copy)):
        began = time.monotonic()
        db.ok(*words)
        took, seen = time.monotonic() - began, {as_old: 0, as_new: 0}
        for _ in range(KILLS):
            db.ok("import", old)
            killed_at_random(db, words, took * 1.2, seed)
            after = db.export()
            assert after in seen, "neither the one nor the other"
            seen[after] += 1
        print(words[0], "killed:", seen[as_old], "old,", seen[as_new], "new")
        assert "faults: 0" in db.ok("check")
        assert seen[as_old], "no kill came in time"
