"""Debian's Alertmanager, with a plain webhook_configs, as a sender: an alert is one message, from firing to resolved."""
import contextlib
import shutil

import pytest

from client import Client
from hooks import TOKEN, Alertmanager, Hooks, answers, corrects, stanza_id

pytestmark = pytest.mark.skipif(not shutil.which("prometheus-alertmanager"), reason="no prometheus-alertmanager")


def hooks_of(bridge):
    return {
        "alerts": {"rooms": [bridge.room("alerts")], "title": "Alerts"},
        "each": {"rooms": [bridge.room("each")], "update": {"by": "fingerprint"}},
        "few": {"rooms": [bridge.room("few")], "rate": {"per_second": 0}},
        "bearer": {"rooms": [bridge.room("alerts")], "title": "Bearer", "profile": "alertmanager", "auth": [{"type": "bearer", "secret": TOKEN}]},
        "fence": {"rooms": [bridge.room("fence")]},
    }


@pytest.fixture(scope="module")
def hooks(xmpp):
    """Three messages may wait for each room."""
    bridge = Hooks(xmpp, hooks_of, {"journal": {"max_messages": 3}})
    try:
        yield bridge.start()
        bridge.finish()
    finally:
        bridge.close()


@contextlib.asynccontextmanager
async def watched(hooks, name):
    """Somebody who sees all that is said in the room."""
    async with Client(hooks.xmpp, "alice") as alice:
        await alice.make_room(hooks.room(name), "alice")
        alice.inbox.clear()  # what was said before
        yield alice


async def said(watcher, hooks, name, body):
    return await watcher.expect(kind="message", type="groupchat", frm=hooks.room(name), body=body)


async def test_firing_and_resolved_are_one_message(hooks):
    async with watched(hooks, "alerts") as alice:
        with Alertmanager(hooks.url("alerts")) as alertmanager:
            alertmanager.alert("DiskFull", summary="db1 is full")
            first = await said(alice, hooks, "alerts", "DiskFull")
            assert "db1 is full" in first["body"] and corrects(first) is None
            alertmanager.alert("DiskFull", resolved=True, summary="db1 is full")
            last = await said(alice, hooks, "alerts", "esolved")
            assert corrects(last) == first["id"] and "DiskFull" in last["body"]
            assert last["from"] == first["from"] == f"{hooks.room('alerts')}/Alerts"
            alertmanager.alert("DiskFull", summary="db1 is full again")
            again = await said(alice, hooks, "alerts", "full again")
            assert corrects(again) is None, "what was resolved is over"
        await alice.expect_none(kind="message", type="groupchat", body="DiskFull")


async def test_a_token_in_the_header(hooks):
    """As config/webhooks.yaml says."""
    async with watched(hooks, "alerts") as alice:
        with Alertmanager(hooks.url("bearer").removesuffix(f"/{TOKEN}"), credentials=TOKEN) as alertmanager:
            alertmanager.alert("Bearer", summary="with credentials")
            assert (await said(alice, hooks, "alerts", "with credentials"))["from"].resource == "Bearer"


async def test_a_word_of_others_in_between_makes_it_a_reply(hooks):
    async with watched(hooks, "alerts") as alice:
        with Alertmanager(hooks.url("alerts")) as alertmanager:
            alertmanager.alert("Slow", summary="web is slow")
            first = await said(alice, hooks, "alerts", "web is slow")
            alice.say(hooks.room("alerts"), "I am looking into it", "groupchat")
            await said(alice, hooks, "alerts", "looking into it")
            alertmanager.alert("Slow", resolved=True, summary="web is slow")
            last = await said(alice, hooks, "alerts", "esolved")
        assert corrects(last) is None
        assert answers(last) == stanza_id(first) is not None


async def test_each_alert_of_a_group_is_a_message(hooks):
    async with watched(hooks, "each") as alice:
        with Alertmanager(hooks.url("each"), by=("team",)) as alertmanager:
            for name in ("One", "Two"):
                alertmanager.alert(name, team="a")
            first = {name: await said(alice, hooks, "each", name) for name in ("One", "Two")}
            assert first["One"]["id"] != first["Two"]["id"] and not corrects(first["Two"])
            alertmanager.alert("One", team="a", resolved=True)
            last = await alice.expect(kind="message", type="groupchat", where=lambda m: "One" in m["body"] and "esolved" in m["body"])
            assert corrects(last) == first["One"]["id"] or answers(last) == stanza_id(first["One"]) is not None
            assert "Two" not in last["body"]


async def test_alerts_that_are_not_grouped(hooks):
    """As docs/webhooks.md advises for a message of each alert's own."""
    async with watched(hooks, "alerts") as alice:
        with Alertmanager(hooks.url("alerts"), by=("'...'",)) as alertmanager:
            first = {}
            for host in ("db1", "db2"):
                alertmanager.alert("Alone", instance=host, summary=f"{host} is slow")
                first[host] = await said(alice, hooks, "alerts", f"{host} is slow")
            alertmanager.alert("Alone", resolved=True, instance="db2", summary="db2 is slow")
            assert corrects(await said(alice, hooks, "alerts", "esolved")) == first["db2"]["id"]
            alertmanager.alert("Alone", resolved=True, instance="db1", summary="db1 is slow")
            assert answers(await said(alice, hooks, "alerts", "esolved")) == stanza_id(first["db1"]) is not None
        await alice.expect_none(kind="message", type="groupchat", body="is slow")


async def test_a_restart_of_the_bridge_in_between(hooks):
    for end in (hooks.stop, hooks.kill):
        async with watched(hooks, "alerts") as alice:
            with Alertmanager(hooks.url("alerts")) as alertmanager:
                name, mark = f"Restart{end.__name__}", hooks.mark()
                alertmanager.alert(name, summary="goes on")
                first = await said(alice, hooks, "alerts", name)
                await hooks.expect_log("msg=request .*status=202", since=mark)  # else it is posted again, as it should be
                await hooks.until(lambda: hooks.guest(hooks.room("alerts"), "alerts")["queued"] == "0", what="reflection")
                assert (await hooks.post("fence", {"body": "a fence: what was written before is on the disk"}))[0] == 202
                end()
                hooks.start()
                alertmanager.alert(name, resolved=True, summary="goes on")
                last = await said(alice, hooks, "alerts", name)
                assert "esolved" in last["body"]
                assert corrects(last) == first["id"] or answers(last) == stanza_id(first) is not None


async def test_it_tries_again_while_the_bridge_is_down(hooks):
    async with watched(hooks, "alerts") as alice:
        with Alertmanager(hooks.url("alerts")) as alertmanager:
            hooks.stop()
            alertmanager.alert("Down", summary="while nobody listens")
            await hooks.until(lambda: "refused" in alertmanager.tail(), what="failed try")
            hooks.start()
            await said(alice, hooks, "alerts", "while nobody listens")


async def test_it_tries_again_while_the_journal_is_full(hooks):
    """503, and neither 429, after which it gives up, nor a 2xx that is not true."""
    async with watched(hooks, "few") as alice:
        assert (await hooks.post("few", {"body": "enters"}, prefer="wait=20"))[0] == 200
        await said(alice, hooks, "few", "enters")
    hooks.xmpp.stop()
    taken = []
    while (answer := await hooks.post("few", {"body": f"waits {len(taken)}"}))[0] == 202:
        taken.append(answer)
    assert len(taken) == 3 and answer[0] == 429 and int(answer[1]["Retry-After"]) > 0
    with Alertmanager(hooks.url("few")) as alertmanager:
        mark = hooks.mark()
        alertmanager.alert("Full", summary="held back")
        await hooks.expect_log("msg=request .*status=503", since=mark)
        hooks.xmpp.start()
        hooks.wait_ready()
        async with Client(hooks.xmpp, "alice") as alice:
            await alice.enter_room(hooks.room("few"), "alice")
            for body in ("waits 0", "waits 1", "waits 2", "held back"):
                await alice.expect(60, kind="message", type="groupchat", frm=hooks.room("few"), body=body)
            await alice.expect_none(kind="message", type="groupchat", body="held back")
