"""Tasmota and Shelly devices in the ways of their makers, from the moment they are heard of to the moment they are gone."""
import contextlib

from client import Client
from makers import Shelly1, Shelly2, Tasmota

BRIDGE = {
    "mqtt": """
      discovery:
        status_interval: 1s
        offline_delay: 1s
        tasmota: {enabled: true}
        shelly: {enabled: true, prefixes: ["house/+"]}
""",
}
REGISTER = "<query xmlns='jabber:iq:register'>{}</query>"


def row(place, key):
    return next((m for m in place.bridge.ctl_json("mappings", key)["mappings"] if m["key"] == key), None)


async def approved(place, alice, key, reading):
    """The contact, once it was found, is approved and alice's, and shows its reading."""
    found = await place.bridge.until(lambda: row(place, key), what=f"contact {key}")
    assert found["state"] == "quarantined"
    place.bridge.ctl("approve", found["address"])
    await alice.expect(kind="presence", frm=found["address"], type="subscribe")
    await alice.befriend(found["address"], where=lambda s: s["type"] == "available" and reading in s["status"])
    return found["address"]


@contextlib.asynccontextmanager
async def registered(place, user="alice"):
    async with Client(place.xmpp, user) as client:
        assert (await client.request(place.bridge.domain, REGISTER.format(""), "set"))["type"] == "result"
        await client.expect(kind="presence", frm=place.bridge.domain, type="subscribe")
        try:
            yield client
        finally:
            await client.request(place.bridge.domain, REGISTER.format("<remove/>"), "set")


async def answer(client, contact, text, body):
    client.say(contact, text)
    said = await client.expect(kind="message", frm=contact, body=body)
    assert said["type"] == "chat", said


async def refusal(client, contact, text, why):
    client.say(contact, text)
    said = await client.expect(kind="message", frm=contact, type="error")
    assert why in said["error"]["text"], said


async def told_once(place, client, contact, body):
    await client.expect(kind="message", frm=contact, body=body)
    await client.through(place.bridge.domain)
    assert not client.seen(kind="message", frm=contact)


async def gone(place, alice, contact, key):
    await place.bridge.until(lambda: not row(place, key), what=f"end of {key}")
    await alice.through(place.bridge.domain)
    assert contact not in place.bridge.ctl("mappings")


async def test_tasmota_plug(place):
    key = "tasmota:A4CF12B0C3D7"
    async with registered(place) as alice:
        with Tasmota(place.broker, "A4CF12B0C3D7", "washer") as plug:
            contact = await approved(place, alice, key, "switch off, 0.2 kWh, 0 W")  # it was asked: it would have been silent for minutes
            plug.measure(1800)
            await alice.expect(kind="presence", frm=contact, where=lambda s: "1800 W" in s["status"])
            await answer(alice, contact, "on", "switch is on")
            assert [h for h in plug.heard if "POWER" in h[0]] == [("cmnd/washer/POWER1", "ON", False)]
            plug.press("DOUBLE")
            await told_once(place, alice, contact, "button 1: DOUBLE")
            plug.die()
        await alice.expect(kind="presence", frm=contact, type="unavailable")
        await refusal(alice, contact, "off", "nothing was sent")
        plug.leave_nothing(plug.discovery("sensors"), plug.discovery("config"), "tele/washer/LWT")
        await gone(place, alice, contact, key)


async def test_tasmota_with_another_full_topic_is_refused_unless_it_is_allowed(place):
    before = int(place.bridge.adapter()["dropped"])
    with Tasmota(place.broker, "A4CF12B0C3D8", "odd", full="%topic%/%prefix%/") as plug:
        await place.bridge.until(lambda: int(place.bridge.adapter()["dropped"]) > before, what="refusal")
        assert not row(place, "tasmota:A4CF12B0C3D8")
        assert not plug.heard
        plug.leave_nothing(plug.discovery("sensors"), plug.discovery("config"), "odd/tele/LWT")


async def test_shelly_of_the_first_generation(place):
    name = "shelly1pm-B929CC"
    key = f"shelly:shellies/{name}"
    async with registered(place) as alice:
        with Shelly1(place.broker, name) as shelly:
            contact = await approved(place, alice, key, "switch off, 0 W")
            shelly.measure("60.50")
            await alice.expect(kind="presence", frm=contact, where=lambda s: "60.5 W" in s["status"])
            await answer(alice, contact, "on", "switch is on")
            assert (f"shellies/{name}/relay/0/command", "on", False) in shelly.heard
            shelly.press()
            await told_once(place, alice, contact, "input event: S")
            shelly.die()
        await alice.expect(kind="presence", frm=contact, type="unavailable")
        shelly.leave_nothing(f"shellies/{name}/online")
        await gone(place, alice, contact, key)


async def test_shelly_of_later_generations(place):
    for prefix in ("shellyplus1pm-a8032ab12345", "house/boiler"):
        key = f"shelly:{prefix}"
        async with registered(place) as alice:
            with Shelly2(place.broker, prefix) as shelly:
                contact = await approved(place, alice, key, "switch off, 0 W")
                shelly.measure(812.5)
                await alice.expect(kind="presence", frm=contact, where=lambda s: "812.5 W" in s["status"])
                await answer(alice, contact, "on", "switch is on")
                assert shelly.on
                shelly.press("btn_down")
                shelly.press("long_push")
                await told_once(place, alice, contact, "input: long_push")
                assert not any(retained for _, _, retained in shelly.heard)
                shelly.locked = True
                await refusal(alice, contact, "off", "switch: the device refuses: The switch is locked")
                shelly.die()
            await alice.expect(kind="presence", frm=contact, type="unavailable")
            shelly.leave_nothing(f"{prefix}/online")
            await gone(place, alice, contact, key)


async def test_devices_outlive_a_crash_of_the_bridge(place):
    with Tasmota(place.broker, "A4CF12B0C3D9", "fridge") as plug, Shelly2(place.broker, "shelly-cellar") as relay:
        keys = ("tasmota:A4CF12B0C3D9", "shelly:shelly-cellar")
        for key in keys:
            found = await place.bridge.until(lambda wanted=key: row(place, wanted), what=key)
            place.bridge.ctl("approve", found["address"])
        place.bridge.stop()
        place.bridge.start()
        place.bridge.kill()
        place.bridge.start()
        for key in keys:
            await place.bridge.until(lambda wanted=key: (row(place, wanted) or {}).get("state") == "online", what=f"{key} online")
        async with Client(place.xmpp, "alice") as alice:
            await answer(alice, row(place, keys[0])["address"], "on", "switch is on")
            await answer(alice, row(place, keys[1])["address"], "on", "switch is on")
        plug.leave_nothing(plug.discovery("sensors"), plug.discovery("config"), "tele/fridge/LWT")
        relay.leave_nothing("shelly-cellar/online")
        for key in keys:
            await place.bridge.until(lambda wanted=key: not row(place, wanted), what=f"end of {key}")
