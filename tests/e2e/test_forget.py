"""`forget USER`: nothing is kept of a user, and nothing is left of the name in the files."""
import pytest
from bridge import Bridge
from client import Client
from device import Device

USER = "carol"  # whose name nothing else uses
ACCESS = f"""
admins: [admin@localhost]
access:
  - allow see read send register to {USER}@localhost
  - allow all to localhost
"""


@pytest.fixture(name="bridge")
def fixture_bridge(prosody, mosquitto):
    bridge = Bridge(prosody, mosquitto, access=ACCESS)
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


def in_files(bridge, text):
    return [path.name for path in bridge.state.glob("spandrel.db*") if text.encode() in path.read_bytes()]


async def test_nothing_is_kept_of_a_user(bridge, mosquitto):
    with Device(mosquitto, "lamp"):
        await bridge.expect_mapping("lamp", state="online")
        async with Client(bridge.xmpp, USER) as carol:
            await carol.befriend(f"lamp@{bridge.domain}")
            carol.presence(to=f"lamp@{bridge.domain}", kind="subscribed")
            await carol.request(bridge.domain, "<query xmlns='jabber:iq:register'/>", kind="set")
            assert bridge.ctl_json("subscriptions", carol.bare)["subscriptions"]
            await bridge.until(lambda: in_files(bridge, carol.bare), 10, "row in the database")
            since = bridge.mark()
            told = bridge.ctl_json("forget", carol.bare)
            removed = {(row["removed"], row["of"]) for row in told["removed"]}
            assert ("registration", bridge.domain) in removed and ("subscription", f"lamp@{bridge.domain}") in removed
            assert [rule["names"] for rule in told["rules that stay"]] == ["nobody else"]
            await carol.expect(kind="presence", frm=f"lamp@{bridge.domain}", type="unsubscribed")
            await carol.expect(kind="presence", frm=bridge.domain, type="unsubscribe")
            await bridge.expect_log("the file was written anew", 20, since)
            assert not bridge.ctl_json("subscriptions", carol.bare)["subscriptions"]
            await bridge.until(lambda: not in_files(bridge, carol.bare), 10, "clean files")
    assert "Nothing is kept of nobody@localhost." in bridge.ctl("forget", "nobody@localhost")
    bridge.restart()
    assert not bridge.ctl_json("subscriptions")["subscriptions"]
    assert not in_files(bridge, f"{USER}@localhost")
