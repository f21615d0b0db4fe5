"""An XMPP user for the tests (slixmpp, no TLS): what arrives goes into an inbox, and tests await what they expect of it.

    async with Client(server, "alice") as alice:
        alice.say("lamp@bridge.localhost", "status")
        answer = await alice.expect(kind="message", frm="lamp@bridge.localhost")

Nothing sleeps: expect() returns as soon as the stanza is there, and fence() tells that all the server had for us before is in the inbox.
"""
import asyncio
import logging

import slixmpp
from slixmpp.xmlstream import ET

from servers import HOST

OWN_PRESENCE = "{http://jabber.org/protocol/muc#user}x/{http://jabber.org/protocol/muc#user}status[@code='110']"
TIMEOUT = 20  # of what comes at once, on a machine that is slow
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)


class NotSeen(AssertionError):
    """What was expected did not come in time."""


def matches(stanza, kind=None, frm=None, type=None, body=None, where=None):  # pylint: disable=redefined-builtin
    """`frm`: a full JID, or a bare one for any of its resources; `body`: a part of it; `where`: any function of the stanza."""
    if kind is not None and stanza.name != kind:
        return False
    if frm is not None and str(stanza["from"]) != frm and stanza["from"].bare != frm:
        return False
    if type is not None and stanza["type"] != type:
        return False
    if body is not None and body not in (stanza["body"] if stanza.name == "message" else ""):
        return False
    return where is None or bool(where(stanza))


class Client:
    """`initial`: send presence after login."""

    def __init__(self, server, user, resource="test", initial=True, plugins=()):
        self.jid = f"{user}@{server.domain}/{resource}"
        self.bare = f"{user}@{server.domain}"
        self.inbox = []
        self.present = {}  # bare JID -> the last presence from there
        self._server = server
        self._initial = initial
        self._news = asyncio.Condition()
        self.xmpp = slixmpp.ClientXMPP(self.jid, server.users[user])
        self.xmpp.auto_authorize = None
        self.xmpp.auto_subscribe = False
        self.xmpp.use_ipv6 = False
        for plugin in ("xep_0030", "xep_0199", *plugins):
            self.xmpp.register_plugin(plugin)
        for mechanism in ("unencrypted_plain", "unencrypted_scram"):
            setattr(self.xmpp["feature_mechanisms"], mechanism, True)
        self.xmpp.add_filter("in", self._arrived)

    # Life.
    async def connect(self, timeout=TIMEOUT):
        started = asyncio.get_running_loop().create_future()
        for event, outcome in (("session_start", None), ("failed_all_auth", "authentication failed"), ("connection_failed", "no connection")):
            self.xmpp.add_event_handler(event, lambda *_, o=outcome: started.done() or started.set_result(o))
        self.xmpp.connect((HOST, self._server.c2s_port), use_ssl=False, force_starttls=False, disable_starttls=True)
        failure = await asyncio.wait_for(started, timeout)
        if failure:
            raise ConnectionError(f"{self.jid}: {failure}")
        await self.xmpp.get_roster()
        if self._initial:
            self.xmpp.send_presence()
        return self

    async def disconnect(self):
        self.xmpp.disconnect()
        await asyncio.wait_for(self.xmpp.disconnected, TIMEOUT)

    def drop(self):
        """Loses its connection without a word."""
        self.xmpp.abort()

    async def __aenter__(self):
        return await self.connect()

    async def __aexit__(self, *_):
        if self.xmpp.is_connected():
            await self.disconnect()

    # What arrives.
    def _arrived(self, stanza):
        if stanza.name in ("message", "presence", "iq"):
            self.inbox.append(stanza)
            if stanza.name == "presence":
                self.present[stanza["from"].bare] = stanza
            asyncio.ensure_future(self._tell())
        return stanza

    async def _tell(self):
        async with self._news:
            self._news.notify_all()

    def seen(self, **what):
        """All in the inbox that match; they stay there."""
        return [s for s in self.inbox if matches(s, **what)]

    async def expect(self, timeout=TIMEOUT, **what):
        """Takes the oldest stanza that matches out of the inbox, or waits for it."""
        def take():
            for stanza in self.inbox:
                if matches(stanza, **what):
                    self.inbox.remove(stanza)
                    return stanza
            return None

        found = None

        def there():
            nonlocal found
            found = take()
            return found is not None

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(there), timeout)
            except asyncio.TimeoutError:
                raise NotSeen(f"{self.jid} did not see {what} in {timeout} s; the last that came:\n{self.latest()}") from None
        return found

    async def fence(self):
        """Returns when the server has answered us: what it sent before is in the inbox."""
        await self.xmpp["xep_0199"].send_ping(self._server.domain, timeout=TIMEOUT)

    async def expect_none(self, **what):
        """After a fence, nothing in the inbox matches."""
        await self.fence()
        wrong = self.seen(**what)
        assert not wrong, f"{self.jid} saw what it should not:\n" + "\n".join(map(str, wrong))

    def latest(self, count=8):
        """The end of the inbox, for people."""
        return "\n".join(str(s)[:400] for s in self.inbox[-count:])

    async def befriend(self, contact, where=None):
        """Subscribes, or does it again, and returns the presence that comes."""
        self.inbox = [s for s in self.inbox if not matches(s, kind="presence", frm=contact)]
        self.presence(to=contact, kind="subscribe")
        return await self.expect(kind="presence", frm=contact, where=where or (lambda s: s["type"] not in ("subscribed", "unsubscribed")))

    async def through(self, domain):
        """A fence at the far side of a component: what it said to us before is in the inbox."""
        await self.request(domain, "<ping xmlns='urn:xmpp:ping'/>")

    # What goes out.
    def say(self, to, text, kind="chat", receipt=False):
        """Returns the stanza's id."""
        message = self.xmpp.make_message(mto=to, mbody=text, mtype=kind)
        message["id"] = self.xmpp.new_id()
        if receipt:
            message.append(ET.Element("{urn:xmpp:receipts}request"))
        message.send()
        return message["id"]

    def presence(self, to=None, kind=None, show=None, status=None):
        """`kind`: subscribe, unavailable, probe, ..."""
        self.xmpp.send_presence(pto=to, ptype=kind, pshow=show, pstatus=status)

    def raw(self, xml):
        self.xmpp.send_raw(xml)

    async def request(self, to, payload, kind="get", timeout=TIMEOUT):
        """Sends an IQ with this payload (XML text) and returns its answer, an error included."""
        iq = self.xmpp.make_iq(ito=to, itype=kind)
        iq.append(ET.fromstring(payload))
        try:
            return await iq.send(timeout=timeout)
        except slixmpp.exceptions.IqError as error:
            return error.iq

    async def enter_room(self, room, nick, timeout=TIMEOUT):
        """Returns the room's presence of ourselves (status 110)."""
        answer = await self.try_room(room, nick, timeout=timeout)
        assert answer["type"] != "error", f"{self.jid} cannot enter {room}: {answer}"
        return answer

    async def try_room(self, room, nick, password=None, timeout=TIMEOUT):
        """Asks to enter, and returns the presence that tells: ours (status 110), or the error."""
        presence = self.xmpp.make_presence(pto=f"{room}/{nick}")
        muc = ET.SubElement(presence.xml, "{http://jabber.org/protocol/muc}x")
        if password is not None:
            ET.SubElement(muc, "{http://jabber.org/protocol/muc}password").text = password
        presence.send()
        return await self.expect(timeout, kind="presence", frm=f"{room}/{nick}", where=lambda s: s["type"] == "error" or s.xml.find(OWN_PRESENCE) is not None)

    async def make_room(self, room, nick, **options):
        """Makes the room, or takes one that we own, and sets it up: `membersonly=True`, `passwordprotectedroom=True, roomsecret="s"`, `moderatedroom=True`, ... are the
        fields muc#roomconfig_NAME of XEP-0045, `members_by_default` is ejabberd's own: whether newcomers have voice where it is moderated. We are in it then."""
        await self.enter_room(room, nick)
        form = ET.Element("{jabber:x:data}x", type="submit")
        fields = {"FORM_TYPE": "http://jabber.org/protocol/muc#roomconfig"}
        for name, value in {"persistentroom": True, **options}.items():
            fields[name if name == "members_by_default" else f"muc#roomconfig_{name}"] = value if isinstance(value, str) else str(int(value))
        for name, value in fields.items():
            ET.SubElement(ET.SubElement(form, "{jabber:x:data}field", var=name), "{jabber:x:data}value").text = value
        query = ET.Element("{http://jabber.org/protocol/muc#owner}query")
        query.append(form)
        answer = await self.request(room, ET.tostring(query), "set")
        assert answer["type"] == "result", f"{room} cannot be set up: {answer}"
