"""The disk is full: the admins are told, nothing is acknowledged that is not stored, and all of it is once there is room."""
import contextlib
import json
import resource
import shutil
import signal
import sqlite3

import pytest

from client import Client
from device import Device
from servers import COMPONENTS


DOMAIN = next(iter(COMPONENTS))


def stored(bridge, copy):
    """The readings of each device in the database of a bridge that has ended."""
    copy.mkdir()
    for part in (bridge.directory / "state").glob("spandrel.db*"):
        shutil.copy(part, copy)
    with contextlib.closing(sqlite3.connect(copy / "spandrel.db")) as database:
        return {key: json.loads(value).get("readings", {}) for key, value in database.execute("SELECT key, value FROM state")}


@contextlib.contextmanager
def no_room(bridge):
    """No file of the bridge may grow beyond the largest of its database."""
    most = max(part.stat().st_size for part in (bridge.directory / "state").glob("spandrel.db*"))
    resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):  # when it has ended
            resource.prlimit(bridge.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.parametrize("xmpp", ["prosody"], indirect=True)
async def test_full_disk_is_told_and_nothing_is_lost(place, tmp_path):
    bridge = place.bridge
    with Device(place.broker, "lamp") as device:
        await bridge.expect_mapping("lamp", state="online")
        async with Client(place.xmpp, "admin") as admin:
            with no_room(bridge):
                step = 0
                while not admin.seen(kind="message", frm=DOMAIN, body="cannot be written"):
                    step += 1  # until the log of the database has no room
                    assert step < 5000
                    device.report(temperature=10 + step / 2)
                    await admin.fence()
                await admin.expect(kind="message", frm=DOMAIN, body="cannot be written")
                admin.say(DOMAIN, "status")
                await admin.expect(kind="message", frm=DOMAIN, body="rows wait")
            await admin.expect(kind="message", frm=DOMAIN, body="can be written again")
    bridge.kill()
    assert stored(bridge, tmp_path / "copy")["lamps/lamp"]["temperature"] == 10 + step / 2
    bridge.start()


@pytest.mark.parametrize("xmpp", ["prosody"], indirect=True)
async def test_end_that_loses_rows_is_no_success(place):
    bridge = place.bridge
    with Device(place.broker, "lamp") as device:
        await bridge.expect_mapping("lamp", state="online")
        async with Client(place.xmpp, "admin") as admin:
            with no_room(bridge):
                step = 0
                while not admin.seen(kind="message", frm=DOMAIN, body="cannot be written"):
                    step += 1
                    assert step < 5000
                    device.report(temperature=10 + step / 2)
                    await admin.fence()
                bridge.process.send_signal(signal.SIGTERM)
                code = bridge.process.wait(10)
    bridge.process = None
    assert "closed with rows that could not be written" in bridge.output()
    assert code == 1
