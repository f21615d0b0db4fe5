/* Messages and presence that come in: which event each becomes, and which become none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

#define FROM "from='Alice@example.org/phone' to='lamp@bridge.example/home'"
#define CHAT(inner) "<message type='chat' id='m1' " FROM ">" inner "</message>"
#define NORMAL(inner) "<message id='m1' " FROM ">" inner "</message>"
#define GROUP(inner)                                                                                                   \
    "<message type='groupchat' id='m1' from='alice@example.org/phone' to='lounge@bridge.example'>" inner "</message>"
#define BODY "<body>on</body>"

struct expected {
    const char *stanza;
    struct event ev; // what is compared: kind, about, flags, type, typing, show, err, id, body, nick, stamp
};

static void check_event(const struct event *got, const struct event *want, const char *stanza)
{
    print_message("%s\n", stanza);
    assert_string_equal(event_name(got->kind), event_name(want->kind));
    assert_int_equal(got->about, want->about);
    assert_int_equal(got->flags, want->flags);
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->typing, want->typing);
    assert_int_equal(got->show, want->show);
    assert_string_equal(err_name(got->err), err_name(want->err));
    assert_int_equal(got->stamp, want->stamp);
    assert_true(str_eq(got->id, want->id));
    assert_true(str_eq(got->body, want->body));
    assert_true(str_eq(got->nick, want->nick));
}

static void check_events(const struct expected *list, size_t count)
{
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(harness_ask(&h, list[i].stanza), "");
        assert_int_equal(h.event_count, 1);
        check_event(h.events[0], &list[i].ev, list[i].stanza);
        assert_int_equal(h.events[0]->component, 7);
        assert_int_equal(h.events[0]->wall, HARNESS_WALL);
    }
    harness_finish(&h);
}

#define CHECK_EVENTS(list) check_events(list, sizeof list / sizeof *list)

// String members without braces and lengths, as the tables want them.
#define S(literal)                                                                                                     \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static void test_messages(void **state)
{
    (void)state;
    static const struct expected list[] = {
        {CHAT(BODY), {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {NORMAL(BODY), {.kind = EV_MESSAGE, .type = MESSAGE_NORMAL, .id = S("m1"), .body = S("on")}},
        {"<message type='odd' id='m1' " FROM ">" BODY "</message>",
         {.kind = EV_MESSAGE, .type = MESSAGE_NORMAL, .id = S("m1"), .body = S("on")}},
        {GROUP(BODY), {.kind = EV_MESSAGE, .type = MESSAGE_GROUPCHAT, .id = S("m1"), .body = S("on")}},
        {CHAT("<body xml:lang='de'>an</body><body xml:lang='en'>on</body>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("an")}},
        {CHAT(BODY "<active xmlns='http://jabber.org/protocol/chatstates'/>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {CHAT(BODY "<replace id='m0' xmlns='urn:xmpp:message-correct:0'/>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {CHAT(BODY "<private xmlns='urn:xmpp:carbons:2'/>"), {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {"<message type='chat' " FROM ">" BODY "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/></message>",
         {.kind = EV_MESSAGE, .id = S("o1"), .body = S("on")}},
        {"<message type='chat' id='m1' " FROM ">" BODY "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/></message>",
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {"<message type='chat' " FROM ">" BODY "</message>", {.kind = EV_MESSAGE, .body = S("on")}},
        {CHAT(BODY "<delay xmlns='urn:xmpp:delay' stamp='2026-11-18T10:00:00Z'/>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on"), .stamp = INT64_C(1794996000000)}},
        {CHAT(BODY "<delay xmlns='urn:xmpp:delay' stamp='2036-11-18T10:00:00Z'/>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {CHAT(BODY "<delay xmlns='urn:xmpp:delay' stamp='yesterday'/>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {GROUP("<subject>New</subject>"),
         {.kind = EV_SUBJECT, .type = MESSAGE_GROUPCHAT, .id = S("m1"), .body = S("New")}},
        {GROUP("<subject/>"), {.kind = EV_SUBJECT, .type = MESSAGE_GROUPCHAT, .id = S("m1")}},
        {GROUP("<subject>New</subject>" BODY),
         {.kind = EV_MESSAGE, .type = MESSAGE_GROUPCHAT, .id = S("m1"), .body = S("on")}},
    };
    CHECK_EVENTS(list);
}

static void test_receipts_and_typing(void **state)
{
    (void)state;
#define REQUEST "<request xmlns='urn:xmpp:receipts'/>"
#define STATE(name) "<" name " xmlns='http://jabber.org/protocol/chatstates'/>"
    static const struct expected list[] = {
        {CHAT(BODY REQUEST), {.kind = EV_MESSAGE, .flags = EVENT_RECEIPT_WANTED, .id = S("m1"), .body = S("on")}},
        {NORMAL(BODY REQUEST),
         {.kind = EV_MESSAGE, .flags = EVENT_RECEIPT_WANTED, .type = MESSAGE_NORMAL, .id = S("m1"), .body = S("on")}},
        {GROUP(BODY REQUEST), {.kind = EV_MESSAGE, .type = MESSAGE_GROUPCHAT, .id = S("m1"), .body = S("on")}},
        {"<message type='chat' " FROM ">" BODY REQUEST "</message>", {.kind = EV_MESSAGE, .body = S("on")}},
        {CHAT(STATE("active")), {.kind = EV_TYPING, .typing = TYPING_ACTIVE, .id = S("m1")}},
        {CHAT(STATE("composing")), {.kind = EV_TYPING, .typing = TYPING_COMPOSING, .id = S("m1")}},
        {CHAT(STATE("paused")), {.kind = EV_TYPING, .typing = TYPING_PAUSED, .id = S("m1")}},
        {CHAT(STATE("inactive")), {.kind = EV_TYPING, .typing = TYPING_INACTIVE, .id = S("m1")}},
        {CHAT("<body/>" STATE("gone")), {.kind = EV_TYPING, .typing = TYPING_GONE, .id = S("m1")}},
    };
    CHECK_EVENTS(list);
}

static void test_encrypted(void **state)
{
    (void)state;
#define FALLBACK "<body>This message is encrypted</body>"
    static const char *const inner[] = {
        FALLBACK "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:anything'/>",
        "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:anything'/>",
        FALLBACK "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>",
        "<encrypted xmlns='eu.siacs.conversations.axolotl'><header sid='1'/></encrypted>",
        FALLBACK "<encrypted xmlns='urn:xmpp:omemo:1'/>",
        FALLBACK "<encrypted xmlns='urn:xmpp:omemo:2'/>",
        FALLBACK "<x xmlns='jabber:x:encrypted'>hQEM</x>",
        FALLBACK "<openpgp xmlns='urn:xmpp:openpgp:0'>hQEM</openpgp>",
        "<body>?OTRv23?</body>",
        "<body>?OTR:AAMD</body>",
        FALLBACK "<request xmlns='urn:xmpp:receipts'/><encrypted xmlns='urn:xmpp:omemo:2'/>",
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        char stanza[512];
        snprintf(stanza, sizeof stanza, "<message type='chat' id='m1' " FROM ">%s</message>", inner[i]);
        assert_string_equal(harness_ask(&h, stanza), "");
        assert_int_equal(h.event_count, 1);
        check_event(h.events[0], &(struct event){.kind = EV_MESSAGE, .flags = EVENT_ENCRYPTED, .id = STR("m1")},
                    stanza);
    }
    struct gateway_stat stat;
    gateway_stat(h.g, &stat);
    assert_int_equal(stat.encrypted_refused, sizeof inner / sizeof *inner);
    harness_finish(&h);
}

static void test_not_encrypted(void **state)
{
    (void)state;
    static const struct expected list[] = {
        {CHAT(BODY "<encryption xmlns='urn:xmpp:eme:0'/>"), {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {CHAT(BODY "<encryption xmlns='urn:other' namespace='x'/>"),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
        {CHAT("<body>what is ?OTR</body>"), {.kind = EV_MESSAGE, .id = S("m1"), .body = S("what is ?OTR")}},
        {CHAT(BODY "<x xmlns='jabber:x:signed'>abc</x>"), {.kind = EV_MESSAGE, .id = S("m1"), .body = S("on")}},
    };
    CHECK_EVENTS(list);
}

static void test_nothing_said(void **state)
{
    (void)state;
#define FORWARDED                                                                                                      \
    "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@b' to='c@d'><body>x</body>"          \
    "</message></forwarded>"
    static const char *const list[] = {
        CHAT(""),
        CHAT("<body/>"),
        CHAT("<received xmlns='urn:xmpp:receipts' id='m0'/>"),
        CHAT("<request xmlns='urn:xmpp:receipts'/>"),
        CHAT("<displayed xmlns='urn:xmpp:chat-markers:0' id='m0'/>"),
        CHAT("<subject>only</subject>"),
        CHAT("<body xmlns='jabber:client'>x</body>"),
        CHAT(FORWARDED),
        CHAT("<received xmlns='urn:xmpp:carbons:2'>" FORWARDED "</received>" BODY),
        CHAT("<sent xmlns='urn:xmpp:carbons:2'>" FORWARDED "</sent>" BODY),
        CHAT("<result xmlns='urn:xmpp:mam:2'>" FORWARDED "</result>" BODY),
        NORMAL("<privilege xmlns='urn:xmpp:privilege:2'><perm access='message' type='outgoing'/></privilege>"),
        NORMAL("<x xmlns='jabber:x:conference' jid='room@muc.example'/>" BODY),
        NORMAL("<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>" BODY),
        "<message type='headline' " FROM ">" BODY "</message>",
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        print_message("%s\n", list[i]);
        assert_string_equal(harness_ask(&h, list[i]), "");
        assert_int_equal(h.event_count, 0);
    }
    harness_finish(&h);
}

static void test_errors_in(void **state)
{
    (void)state;
#define ERROR(condition, more)                                                                                         \
    "<error type='cancel'>" more "<" condition " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    static const struct expected list[] = {
        {"<message type='error' id='m1' " FROM ">" BODY ERROR("item-not-found", "") "</message>",
         {.kind = EV_BOUNCE, .about = EV_MESSAGE, .err = ERR_NOTFOUND, .id = S("m1")}},
        {"<message type='error' id='m1' " FROM
         ">" ERROR("forbidden", "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text>") "</message>",
         {.kind = EV_BOUNCE, .about = EV_MESSAGE, .err = ERR_FORBIDDEN, .id = S("m1"), .body = S("no")}},
        {"<message type='error' id='m1' " FROM "><encrypted xmlns='urn:xmpp:omemo:2'/>" ERROR("odd", "") "</message>",
         {.kind = EV_BOUNCE, .about = EV_MESSAGE, .err = ERR_INTERNAL, .id = S("m1")}},
        {"<message type='error' id='m1' " FROM "/>",
         {.kind = EV_BOUNCE, .about = EV_MESSAGE, .err = ERR_INTERNAL, .id = S("m1")}},
        {"<presence type='error' id='m1' " FROM ">" ERROR("remote-server-not-found", "") "</presence>",
         {.kind = EV_BOUNCE, .about = EV_AVAILABLE, .err = ERR_RESOLVE, .id = S("m1")}},
    };
    CHECK_EVENTS(list);
}

#define PRESENCE(type, inner)                                                                                          \
    "<presence type='" type "' from='alice@example.org/phone' to='lamp@bridge.example'>" inner "</presence>"

static void test_presence(void **state)
{
    (void)state;
    static const struct expected list[] = {
        {"<presence " FROM "/>", {.kind = EV_AVAILABLE, .show = SHOW_ONLINE, .nick = S("home")}},
        {"<presence " FROM "><show>xa</show><status>later</status></presence>",
         {.kind = EV_AVAILABLE, .show = SHOW_XA, .body = S("later"), .nick = S("home")}},
        {"<presence " FROM "><show>away</show></presence>",
         {.kind = EV_AVAILABLE, .show = SHOW_AWAY, .nick = S("home")}},
        {"<presence " FROM "><show>dnd</show></presence>", {.kind = EV_AVAILABLE, .show = SHOW_DND, .nick = S("home")}},
        {"<presence " FROM "><show>chat</show></presence>",
         {.kind = EV_AVAILABLE, .show = SHOW_CHAT, .nick = S("home")}},
        {"<presence " FROM "><show>offline</show></presence>",
         {.kind = EV_AVAILABLE, .show = SHOW_ONLINE, .nick = S("home")}},
        {"<presence from='alice@example.org/phone' to='lounge@bridge.example/Al'><x "
         "xmlns='http://jabber.org/protocol/muc'/></presence>",
         {.kind = EV_AVAILABLE, .flags = EVENT_JOIN, .show = SHOW_ONLINE, .nick = S("Al")}},
        {"<presence type='unavailable' from='alice@example.org/phone' to='lounge@bridge.example/Al'><status>bye"
         "</status></presence>",
         {.kind = EV_UNAVAILABLE, .body = S("bye"), .nick = S("Al")}},
        {PRESENCE("probe", ""), {.kind = EV_PROBE}},
        {PRESENCE("subscribe", "<status>please</status>"), {.kind = EV_SUBSCRIBE, .body = S("please")}},
        {PRESENCE("subscribed", ""), {.kind = EV_SUBSCRIBED}},
        {PRESENCE("unsubscribe", ""), {.kind = EV_UNSUBSCRIBE}},
        {PRESENCE("unsubscribed", ""), {.kind = EV_UNSUBSCRIBED}},
    };
    CHECK_EVENTS(list);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *stanza, *user_resource, *to_resource;
    } list[] = {
        {CHAT(BODY), "phone", "home"},
        {"<presence type='probe' " FROM "/>", "phone", "home"},
        {"<presence " FROM "/>", "phone", "home"},
        {"<presence type='subscribe' " FROM "/>", "", "home"}, // about the account, from whichever resource
        {"<presence type='unsubscribed' " FROM "/>", "", "home"},
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        harness_ask(&h, list[i].stanza);
        assert_int_equal(h.event_count, 1);
        const struct event *ev = h.events[0];
        assert_true(str_eq_c(ev->user.local, "alice")); // prepared
        assert_true(str_eq_c(ev->user.domain, "example.org"));
        assert_true(str_eq_c(ev->user.resource, list[i].user_resource));
        assert_true(str_eq_c(ev->to.local, "lamp"));
        assert_true(str_eq_c(ev->to.resource, list[i].to_resource));
    }
    harness_finish(&h);
}

static void test_refused_presence(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define PRESENCE_ERROR(from, condition)                                                                                \
    "<presence type='error' from='" from "' to='alice@example.org/phone'><error type='modify'><" condition             \
    " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
    harness_assert_match(harness_ask(&h, "<presence from='alice@example.org/phone' to='lounge@bridge.example'><x "
                                         "xmlns='http://jabber.org/protocol/muc'/></presence>"),
                         PRESENCE_ERROR("lounge@bridge.example", "jid-malformed"));
    harness_assert_match(harness_ask(&h, PRESENCE("odd", "")), PRESENCE_ERROR("lamp@bridge.example", "bad-request"));
    harness_assert_match(harness_ask(&h, "<presence from='alice@example.org/phone' to='a b@bridge.example'/>"),
                         PRESENCE_ERROR("bridge.example", "jid-malformed"));
    harness_assert_match(
        harness_ask(&h, "<presence type='unavailable' from='alice@example.org/phone' to='a b@bridge.example'/>"), "");
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_bounds(void **state)
{
    (void)state;
    static char stanza[8192], text[5001];
    struct harness h;
    harness_init(&h);
    memset(text, 'x', 5000);
    snprintf(stanza, sizeof stanza, "<presence " FROM "><status>%s</status></presence>", text);
    harness_ask(&h, stanza);
    assert_int_equal(h.events[0]->body.n, 1024);
    snprintf(stanza, sizeof stanza, "<message id='%s' " FROM ">" BODY "<request xmlns='urn:xmpp:receipts'/></message>",
             text);
    harness_ask(&h, stanza);
    assert_int_equal(h.events[0]->id.n, 0); // too long to be kept, and nobody could be told of it
    assert_int_equal(h.events[0]->flags, 0);
    harness_finish(&h);
}

static void test_every_split(void **state)
{
    (void)state;
    static const char two[] = "<presence type='probe' " FROM "/>" CHAT("<body>&lt;\xc3\xa4</body>");
    struct harness h;
    harness_init(&h);
    for (size_t cut = 0; cut <= sizeof two - 1; cut++) {
        harness_clear(&h);
        assert_int_equal(xml_reader_feed(h.reader, (struct str){two, cut}, NULL), ERR_OK);
        assert_int_equal(xml_reader_feed(h.reader, (struct str){two + cut, sizeof two - 1 - cut}, NULL), ERR_OK);
        assert_int_equal(h.event_count, 2);
        assert_true(str_eq_c(h.events[1]->body, "<\xc3\xa4"));
    }
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),         cmocka_unit_test(test_receipts_and_typing),
        cmocka_unit_test(test_encrypted),        cmocka_unit_test(test_not_encrypted),
        cmocka_unit_test(test_nothing_said),     cmocka_unit_test(test_errors_in),
        cmocka_unit_test(test_presence),         cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_refused_presence), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_every_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
