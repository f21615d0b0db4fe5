"""What waits for a room is in the journal: exported, imported, and said though its hook is no more. What was taken back is not."""
import json
import shutil
import subprocess

import pytest

from bridge import binary
from client import Client
from hooks import Hooks


@pytest.fixture(name="hooks")
def fixture_hooks(xmpp):
    names = ["kept", "gone"]
    bridge = Hooks(xmpp, lambda b: {name: {"rooms": [b.room(f"{name}-in")]} for name in names})
    bridge.names = names
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


def db(bridge, *words, **more):
    done = subprocess.run([binary(), "-c", str(bridge.config), "db", *words], capture_output=True, timeout=60, check=False, **more)
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr)
    return done.stdout


async def test_what_waits_for_rooms_is_exported_checked_and_imported(hooks, tmp_path):
    async with Client(hooks.xmpp, "alice") as alice:
        for name in hooks.names:
            await alice.make_room(hooks.room(f"{name}-in"), "alice", passwordprotectedroom=True, roomsecret="sesame")
            assert (await hooks.post(name, {"body": f"{name} waits"}))[0] == 202
            await hooks.expect_guest(hooks.room(f"{name}-in"), name, "parked")
        assert (await hooks.post("kept", {"body": "taken back"}, prefer="wait=20"))[0] == 503
        assert (await hooks.post("kept", {"body": "after it"}))[0] == 202
        hooks.kill()
        assert b"faults: 0," in db(hooks, "check")
        export = tmp_path / "export"
        export.write_bytes(db(hooks, "export"))
        lanes = [json.loads(line)["row"]["adapter"] for line in export.read_text().splitlines() if '"table":"journal"' in line]
        assert sorted(lanes) == [f"hooks gone-in@{hooks.xmpp.rooms} gone"] + 2 * [f"hooks kept-in@{hooks.xmpp.rooms} kept"]
        shutil.rmtree(hooks.state)
        db(hooks, "import", str(export))
        assert b"faults: 0," in db(hooks, "check")
        hooks.names.remove("gone")  # the hook, not what was accepted
        for name in ("kept", "gone"):
            await alice.make_room(hooks.room(f"{name}-in"), "alice", passwordprotectedroom=False, roomsecret="")
        alice.inbox.clear()
        hooks.start()
        for room, body in (("kept", "kept waits"), ("kept", "after it"), ("gone", "gone waits")):
            await alice.expect(timeout=30, kind="message", type="groupchat", frm=hooks.room(f"{room}-in"), body=body)
        await alice.expect_none(kind="message", type="groupchat", body="taken back")
