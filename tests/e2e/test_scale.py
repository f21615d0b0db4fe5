"""Five thousand pairs of user and contact: presence is right within ten seconds after a restart of the server, of the bridge, and of both."""
import asyncio
import collections
import contextlib
import sqlite3
import time

import pytest
from wait import until
from wire import MqttWire, Wire

USERS, DEVICES_EACH = 10, 500
RIGHT_SECONDS = 10
SUB_TO_USER = 1  # of core/row.h
BRIDGE = {
    "level": "info",
    "access": "access: [allow all to localhost]\n",
    "mqtt": """
      devices:
        many:
          topic: devices/+/state
          availability: [{topic: "devices/{1}/status"}]
          status_interval: 1s
          readings:
            temperature: {value: temperature, unit: °C}
""",
}


class Crowd:
    """Users who log in again and again, and what each has seen last of each contact."""

    def __init__(self, place):
        self.place = place
        self.names = [f"many{n}" for n in range(USERS)]
        self.seen = collections.defaultdict(dict)
        self._stack = None

    def _taker(self, name):
        def take(stanza):
            if stanza.tag == "{jabber:client}presence" and stanza.get("type") in (None, "unavailable"):
                self.seen[name][stanza.get("from").split("@")[0]] = stanza.get("type") or stanza.findtext("{jabber:client}status")

        return take

    @contextlib.asynccontextmanager
    async def here(self):
        self.seen.clear()
        async with contextlib.AsyncExitStack() as stack:
            yield [await stack.enter_async_context(Wire(self.place.xmpp, name, take=self._taker(name))) for name in self.names]

    def right(self, contacts, status):
        """How many pairs show what is to be shown: each third device is gone, the others have this reading."""
        return sum(self.seen[name].get(c) == ("unavailable" if n % 3 == 0 else status) for name in self.names for n, c in enumerate(contacts))

    async def sees(self, contacts, status, began):
        pairs = len(self.names) * len(contacts)
        await until(lambda: self.right(contacts, status) == pairs, RIGHT_SECONDS + began - time.monotonic(), f"{pairs} right pairs, but {self.right(contacts, status)}")
        return time.monotonic() - began


def report(place, contacts, temperature):
    with MqttWire(place.broker, "many") as wire:
        for n, contact in enumerate(contacts):
            wire.publish(f"devices/{contact}/state".encode(), b'{"temperature": %d}' % temperature, retain=True)
            wire.publish(f"devices/{contact}/status".encode(), b"offline" if n % 3 == 0 else b"online", retain=True)
        assert wire.fence()


def seed_prosody(place, names, contacts):
    entries = "".join(f'["{contact}@{place.bridge.domain}"] = {{ ["subscription"] = "to"; ["groups"] = {{}}; }};\n' for contact in contacts)
    rosters = place.xmpp.directory / "data" / place.xmpp.domain / "roster"
    rosters.mkdir(exist_ok=True)
    for name in names:
        (rosters / f"{name}.dat").write_text(f"return {{ [false] = {{ [\"version\"] = 1; }};\n{entries}}};\n")


def seed_ejabberd(place, names, contacts):
    template = place.xmpp.directory / "roster.term"
    template.write_text("[" + ",\n".join(f'{{<<"{contact}">>, <<"{place.bridge.domain}">>, <<"Devices">>, <<"{contact}">>}}' for contact in contacts) + "].\n")
    for name in names:
        place.xmpp.api("push_roster", file=str(template), user=name, host=place.xmpp.domain)


def seed_bridge(place, names, contacts):
    place.bridge.stop()
    with contextlib.closing(sqlite3.connect(place.bridge.directory / "state" / "spandrel.db")) as db, db:
        db.executemany("INSERT INTO subscription (user, domain, local, state) VALUES (?, ?, ?, ?)",
                       [(f"{name}@{place.xmpp.domain}", place.bridge.domain, contact, SUB_TO_USER) for name in names for contact in contacts])
    place.bridge.start()


@pytest.fixture(scope="module")
def contacts(place):
    """The devices' names. Each user subscribes to each: both sides' tables are as that would leave them, for to do it takes minutes (Prosody writes a whole roster at each step)."""
    names, users = [f"dev{n}" for n in range(DEVICES_EACH)], Crowd(place).names
    for user in users:
        place.xmpp.add_user(user, "pw")
    report(place, names, 1)
    asyncio.run(place.bridge.until(lambda: len(place.bridge.ctl_json("mappings", "dev")["mappings"]) == DEVICES_EACH, 20))
    {"prosody": seed_prosody, "ejabberd": seed_ejabberd}[place.xmpp.name](place, users, names)
    seed_bridge(place, users, names)
    assert len(place.bridge.ctl_json("subscriptions")["subscriptions"]) == USERS * DEVICES_EACH
    return names


@pytest.mark.parametrize("who", ["server", "bridge", "both"])
async def test_presence_is_right_after_a_restart(place, contacts, who):
    crowd, temperature = Crowd(place), {"server": 2, "bridge": 3, "both": 4}[who]
    for party in {"server": (place.xmpp,), "bridge": (place.bridge,), "both": (place.xmpp, place.bridge)}[who]:
        party.stop()
    report(place, contacts, temperature)
    if who != "bridge":
        place.xmpp.start()
    began = time.monotonic()
    if who != "server":
        place.bridge.start_only()
    async with crowd.here():
        took = await crowd.sees(contacts, f"{temperature} °C", began)
    print(f"{USERS * DEVICES_EACH} pairs on {place.xmpp.name} right {took:.1f} s after a restart of {who}")
    assert place.bridge.rss_kb() < 400_000
