/* Events that go out: the stanza of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

#define TO "to='alice@example.org/phone'"
#define ADDRESSES "from='lamp@bridge.example/home' " TO
#define CAPS "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x-spandrel:caps' ver='*'/>"
#define PHOTO(sha1) "<x xmlns='vcard-temp:x:update'><photo>" sha1 "</photo></x>"
#define MUC_USER "<x xmlns='http://jabber.org/protocol/muc#user'>"
#define SID "xmlns='urn:xmpp:sid:0'"

// String members without braces and lengths, as the tables want them.
#define S(literal)                                                                                                     \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

struct sent {
    const char *from, *to; // NULL: the lamp at home, alice's phone
    struct event ev;
    const char *stanza;
};

static const char *send_from(struct harness *h, const struct sent *s)
{
    struct event ev = s->ev;
    ev.component = 7;
    ev.to = harness_jid(h, s->from ? s->from : "lamp@bridge.example/home");
    ev.user = harness_jid(h, s->to ? s->to : "alice@example.org/phone");
    struct event *kept = event_copy(&h->arena, &ev); // harness_send() clears what it keeps
    return harness_send(h, kept);
}

static void check_sent(const struct sent *list, size_t count)
{
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < count; i++)
        harness_assert_match(send_from(&h, &list[i]), list[i].stanza);
    struct gateway_stat stat;
    gateway_stat(h.g, &stat);
    assert_int_equal(stat.out, count);
    harness_finish(&h);
}

#define CHECK_SENT(list) check_sent(list, sizeof list / sizeof *list)

static void test_messages(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.ev = {.kind = EV_MESSAGE, .id = S("a1"), .body = S("21 <b> & \"c\"")},
         .stanza = "<message type='chat' id='a1' " ADDRESSES "><body>21 &lt;b> &amp; \"c\"</body><origin-id " SID
                   " id='a1'/></message>"},
        {.ev = {.kind = EV_MESSAGE, .type = MESSAGE_NORMAL, .body = S("x")},
         .stanza = "<message type='normal' id='*' " ADDRESSES "><body>x</body><origin-id " SID " id='*'/></message>"},
        {.ev = {.kind = EV_MESSAGE, .type = MESSAGE_HEADLINE, .id = S("a1"), .body = S("x")},
         .stanza =
             "<message type='headline' id='a1' " ADDRESSES "><body>x</body><origin-id " SID " id='a1'/></message>"},
        {.ev = {.kind = EV_MESSAGE, .id = S("a1"), .body = S("x"), .stamp = INT64_C(1794996000000)},
         .stanza = "<message type='chat' id='a1' " ADDRESSES "><body>x</body><origin-id " SID
                   " id='a1'/><delay xmlns='urn:xmpp:delay' from='lamp@bridge.example' "
                   "stamp='2026-11-18T10:00:00Z'/></message>"},
        {.from = "lounge@bridge.example/Bo",
         .ev = {.kind = EV_MESSAGE, .type = MESSAGE_GROUPCHAT, .id = S("a1"), .body = S("x")},
         .stanza = "<message type='groupchat' id='a1' from='lounge@bridge.example/Bo' " TO
                   "><body>x</body><stanza-id " SID " by='lounge@bridge.example' id='*'/></message>"},
        {.from = "lounge@bridge.example/Bo",
         .ev = {.kind = EV_SUBJECT, .id = S("a1"), .body = S("New")},
         .stanza = "<message type='groupchat' id='a1' from='lounge@bridge.example/Bo' " TO
                   "><subject>New</subject><stanza-id " SID " by='lounge@bridge.example' id='*'/></message>"},
        {.from = "lounge@bridge.example",
         .ev = {.kind = EV_SUBJECT, .id = S("a1")},
         .stanza = "<message type='groupchat' id='a1' from='lounge@bridge.example' " TO "><subject/><stanza-id " SID
                   " by='lounge@bridge.example' id='*'/></message>"},
        {.ev = {.kind = EV_TYPING, .typing = TYPING_COMPOSING, .id = S("a1")},
         .stanza = "<message type='chat' id='a1' " ADDRESSES
                   "><composing xmlns='http://jabber.org/protocol/chatstates'/></message>"},
        {.ev = {.kind = EV_RECEIPT, .id = S("m1")},
         .stanza = "<message type='chat' id='*' " ADDRESSES "><received xmlns='urn:xmpp:receipts' id='m1'/></message>"},
        {.from = "bridge.example",
         .ev = {.kind = EV_MESSAGE, .id = S("a1"), .body = S("x")},
         .stanza = "<message type='chat' id='a1' from='bridge.example' " TO "><body>x</body><origin-id " SID
                   " id='a1'/></message>"},
    };
    CHECK_SENT(list);
}

static void test_presence(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.ev = {.kind = EV_AVAILABLE, .show = SHOW_ONLINE, .cls = S("light"), .body = S("21 °C")},
         .stanza = "<presence " ADDRESSES "><status>21 °C</status>" CAPS PHOTO("5f1d") "</presence>"},
        {.ev = {.kind = EV_AVAILABLE, .show = SHOW_XA, .cls = S("odd")},
         .stanza = "<presence " ADDRESSES "><show>xa</show>" CAPS PHOTO("77aa") "</presence>"},
        {.from = "bridge.example",
         .ev = {.kind = EV_AVAILABLE, .show = SHOW_ONLINE, .id = S("p1")},
         .stanza = "<presence id='p1' from='bridge.example' " TO ">" CAPS "</presence>"},
        {.from = "lounge@bridge.example",
         .ev = {.kind = EV_AVAILABLE, .show = SHOW_AWAY, .identity = IDENTITY_ROOM},
         .stanza = "<presence from='lounge@bridge.example' " TO "><show>away</show>" CAPS "</presence>"},
        {.to = "alice@example.org",
         .ev = {.kind = EV_UNAVAILABLE, .body = S("lost")},
         .stanza = "<presence type='unavailable' from='lamp@bridge.example/home' to='alice@example.org'><status>lost"
                   "</status></presence>"},
        {.ev = {.kind = EV_SUBSCRIBE, .nick = S("Kitchen lamp")},
         .stanza = "<presence type='subscribe' from='lamp@bridge.example' to='alice@example.org'><nick "
                   "xmlns='http://jabber.org/protocol/nick'>Kitchen lamp</nick></presence>"},
        {.ev = {.kind = EV_SUBSCRIBE},
         .stanza = "<presence type='subscribe' from='lamp@bridge.example' to='alice@example.org'/>"},
        {.ev = {.kind = EV_SUBSCRIBED},
         .stanza = "<presence type='subscribed' from='lamp@bridge.example' to='alice@example.org'/>"},
        {.ev = {.kind = EV_UNSUBSCRIBE},
         .stanza = "<presence type='unsubscribe' from='lamp@bridge.example' to='alice@example.org'/>"},
        {.ev = {.kind = EV_UNSUBSCRIBED},
         .stanza = "<presence type='unsubscribed' from='lamp@bridge.example' to='alice@example.org'/>"},
        {.from = "lamp@bridge.example",
         .to = "alice@example.org",
         .ev = {.kind = EV_PROBE},
         .stanza = "<presence type='probe' from='lamp@bridge.example' to='alice@example.org'/>"},
    };
    CHECK_SENT(list);
}

static void test_occupants(void **state)
{
    (void)state;
#define ROOM(nick) "from='lounge@bridge.example/" nick "' " TO
#define ITEM(role) "<item affiliation='none' role='" role "'/>"
    static const struct sent list[] = {
        {.from = "lounge@bridge.example/Bo",
         .ev = {.kind = EV_JOIN, .nick = S("Bo"), .show = SHOW_ONLINE},
         .stanza = "<presence " ROOM("Bo") ">" MUC_USER ITEM("participant") "</x></presence>"},
        {.from = "lounge@bridge.example",
         .ev = {.kind = EV_JOIN, .nick = S("Bo"), .show = SHOW_AWAY},
         .stanza = "<presence " ROOM("Bo") "><show>away</show>" MUC_USER ITEM("participant") "</x></presence>"},
        {.from = "lounge@bridge.example/Al",
         .ev = {.kind = EV_JOIN, .flags = EVENT_SELF, .nick = S("Al")},
         .stanza = "<presence " ROOM("Al") ">" MUC_USER ITEM("participant") "<status code='110'/></x></presence>"},
        {.from = "lounge@bridge.example/Al_",
         .ev = {.kind = EV_JOIN, .flags = EVENT_SELF, .nick = S("Al")},
         .stanza = "<presence " ROOM("Al_") ">" MUC_USER ITEM(
             "participant") "<status code='110'/><status code='210'/></x></presence>"},
        {.from = "lounge@bridge.example/Bo",
         .ev = {.kind = EV_PART, .nick = S("Bo"), .body = S("bye")},
         .stanza =
             "<presence type='unavailable' " ROOM("Bo") "><status>bye</status>" MUC_USER ITEM("none") "</x>"
                                                                                                      "</presence>"},
        {.from = "lounge@bridge.example/Bo",
         .ev = {.kind = EV_PART, .flags = EVENT_SELF, .nick = S("Bo"), .name = S("Bob")},
         .stanza =
             "<presence type='unavailable' " ROOM("Bo") ">" MUC_USER "<item affiliation='none' role='participant' "
                                                        "nick='Bob'/><status code='303'/><status code='110'/></x>"
                                                        "</presence>"},
    };
    CHECK_SENT(list);
}

static void test_bounces(void **state)
{
    (void)state;
#define FAILURE(type, condition, text)                                                                                 \
    "<error type='" type "' by='bridge.example'><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" text     \
    "</error>"
#define TEXT(text) "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>" text "</text>"
#define NOTFOUND FAILURE("cancel", "item-not-found", "")
    static const struct sent list[] = {
        {.ev =
             {.kind = EV_BOUNCE, .about = EV_MESSAGE, .id = S("m1"), .err = ERR_NOTACCEPTABLE, .body = S("plain only")},
         .stanza = "<message type='error' id='m1' " ADDRESSES
                   ">" FAILURE("modify", "not-acceptable", TEXT("plain only")) "</message>"},
        {.ev = {.kind = EV_BOUNCE, .about = EV_SUBJECT, .id = S("m1"), .err = ERR_NOTFOUND},
         .stanza = "<message type='error' id='m1' " ADDRESSES ">" NOTFOUND "</message>"},
        {.ev = {.kind = EV_BOUNCE, .about = EV_SUBSCRIBE, .id = S("m1"), .err = ERR_NOTFOUND},
         .stanza = "<presence type='error' id='m1' " ADDRESSES ">" NOTFOUND "</presence>"},
        {.ev = {.kind = EV_BOUNCE, .about = EV_AVAILABLE, .err = ERR_NOTFOUND},
         .stanza = "<presence type='error' " ADDRESSES ">" NOTFOUND "</presence>"},
        {.from = "lounge@bridge.example/Al",
         .ev = {.kind = EV_BOUNCE, .about = EV_JOIN, .id = S("m1"), .err = ERR_EXISTS},
         .stanza = "<presence type='error' id='m1' from='lounge@bridge.example/Al' " TO
                   "><x xmlns='http://jabber.org/protocol/muc'/>" FAILURE("cancel", "conflict", "") "</presence>"},
        {.from = "bridge.example",
         .ev = {.kind = EV_BOUNCE, .about = EV_REGISTER, .id = S("m1"), .err = ERR_FORBIDDEN},
         .stanza = "<iq type='error' id='m1' from='bridge.example' " TO ">" FAILURE("auth", "forbidden", "") "</iq>"},
        {.from = "bridge.example",
         .ev = {.kind = EV_BOUNCE, .about = EV_UNREGISTER, .id = S("m1"), .err = ERR_REGISTRATION},
         .stanza = "<iq type='error' id='m1' from='bridge.example' " TO
                   ">" FAILURE("auth", "registration-required", "") "</iq>"},
        {.ev = {.kind = EV_BOUNCE, .about = EV_COMMAND, .command = S("set"), .id = S("m1"), .err = ERR_OFFLINE},
         .stanza = "<iq type='error' id='m1' " ADDRESSES ">" FAILURE("wait", "recipient-unavailable", "") "</iq>"},
        {.ev = {.kind = EV_BOUNCE, .about = EV_MESSAGE, .id = S("m1")}, // no error given: still an error
         .stanza = "<message type='error' id='m1' " ADDRESSES
                   ">" FAILURE("cancel", "internal-server-error", "") "</message>"},
    };
    CHECK_SENT(list);
}

static void test_every_error(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    for (unsigned e = 1; e < ERR_COUNT; e++) {
        char want[512];
        snprintf(want, sizeof want,
                 "<message type='error' id='m1' " ADDRESSES "><error by='bridge.example' type='%s'><%s "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
                 err_type(e), err_condition(e));
        struct sent s = {.ev = {.kind = EV_BOUNCE, .about = EV_MESSAGE, .err = e, .id = STR("m1")}};
        harness_assert_match(send_from(&h, &s), want);
    }
    struct gateway_stat stat;
    gateway_stat(h.g, &stat);
    assert_int_equal(stat.errors_out, ERR_COUNT - 1);
    harness_finish(&h);
}

static void test_results(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.from = "bridge.example",
         .ev = {.kind = EV_RESULT, .about = EV_REGISTER, .id = S("q1")},
         .stanza = "<iq type='result' id='q1' from='bridge.example' " TO "/>"},
        {.from = "bridge.example",
         .ev = {.kind = EV_RESULT, .about = EV_UNREGISTER, .id = S("q1"), .body = S("not shown")},
         .stanza = "<iq type='result' id='q1' from='bridge.example' " TO "/>"},
        {.ev = {.kind = EV_RESULT, .about = EV_COMMAND, .id = S("q1"), .command = S("set"), .body = S("confirmed")},
         .stanza = "<iq type='result' id='q1' " ADDRESSES "><command xmlns='http://jabber.org/protocol/commands' "
                   "node='set' sessionid='*' status='completed'><note type='info'>confirmed</note></command></iq>"},
        {.ev = {.kind = EV_RESULT, .about = EV_COMMAND, .id = S("q1"), .command = S("set")},
         .stanza = "<iq type='result' id='q1' " ADDRESSES "><command xmlns='http://jabber.org/protocol/commands' "
                   "node='set' sessionid='*' status='completed'/></iq>"},
    };
    CHECK_SENT(list);
}

static void test_addresses_are_checked(void **state)
{
    (void)state;
    static const struct {
        struct jid to, user;
    } list[] = {
        {{.local = S("lamp"), .domain = S("evil.example")}, {.domain = S("example.org")}},
        {{.local = S("a/b"), .domain = S("bridge.example")}, {.domain = S("example.org")}},
        {{.local = S("a@b"), .domain = S("bridge.example")}, {.domain = S("example.org")}},
        {{.local = S("A"), .domain = S("bridge.example")}, {.domain = S("example.org")}},
        {{.local = S("a"), .domain = S("BRIDGE.example")}, {.domain = S("example.org")}},
        {{.local = S("a"),
          .domain = S("bridge.example"),
          .resource = S("a\x03"
                        "z")},
         {.domain = S("example.org")}},
        {{.local = S("a"), .domain = S("bridge.example"), .resource = S("\xff")}, {.domain = S("example.org")}},
        {{.local = S("lamp"), .domain = S("bridge.example")}, {.domain = S("")}},
        {{.local = S("lamp"), .domain = S("bridge.example")}, {.local = S("x y"), .domain = S("example.org")}},
    };
    struct harness h;
    harness_init(&h);
    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct event ev = {.kind = EV_MESSAGE, .to = list[i].to, .user = list[i].user, .body = STR("x")};
        assert_int_equal(gateway_send(h.g, &ev, &h.arena, &h.out), ERR_BADJID);
        assert_int_equal(h.out.n, 0);
    }
    harness_finish(&h);
}

static void test_not_sent(void **state)
{
    (void)state;
    static const enum event_kind kinds[] = {EV_REGISTER, EV_COMMAND, EV_IDENTITY, EV_LINK_UP, EV_TICK, EV_FAILED};
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_string_equal(send_from(&h, &(struct sent){.ev = {.kind = kinds[i]}}), err_name(ERR_UNSUPPORTED));
    harness_finish(&h);
}

static void test_long_text_is_cut(void **state)
{
    (void)state;
    static const char *const fills[] = {"x", "<", "&", "\"", "\r", "\x01", "\xff", "ä", "😀", "]]>"};
    static char text[300001];
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        size_t n = strlen(fills[i]), count = (sizeof text - 1) / n;
        for (size_t k = 0; k < count; k++)
            memcpy(text + k * n, fills[i], n);
        struct sent s = {.ev = {.kind = EV_MESSAGE, .id = STR("a1"), .body = {text, count * n}}};
        const char *got = send_from(&h, &s);
        assert_non_null(got);
        assert_non_null(strstr(got, " […]</body>"));
        assert_in_range(h.out.n, 50000, 61000); // not less than could be sent
        s.ev.kind = EV_AVAILABLE;
        assert_non_null(strstr(send_from(&h, &s), "<status>"));
        assert_in_range(h.out.n, 300, 8000);
        s.ev = (struct event){.kind = EV_BOUNCE, .err = ERR_LIMIT, .body = {text, count * n}};
        assert_non_null(strstr(send_from(&h, &s), "<text "));
        assert_in_range(h.out.n, 300, 8000);
    }
    harness_finish(&h);
}

static void test_just_fits(void **state)
{
    (void)state;
    static char text[60001];
    memset(text, 'x', sizeof text);
    struct harness h;
    harness_init(&h);
    struct sent s = {.ev = {.kind = EV_MESSAGE, .id = STR("a1"), .body = {text, 60000}}};
    assert_null(strstr(send_from(&h, &s), "[…]"));
    s.ev.body.n++;
    assert_non_null(strstr(send_from(&h, &s), "[…]"));
    harness_finish(&h);
}

// The longest of everything at once still makes a stanza.
static void test_worst_case(void **state)
{
    (void)state;
    static char quotes[60001], from[2100], to[2100], id[1025];
    memset(quotes, '<', sizeof quotes);
    memset(id, '\'', 1023);
    memset(from, 'l', sizeof from);
    memset(to, 'l', sizeof to);
    snprintf(from + 1000, sizeof from - 1000, "@bridge.example/");
    snprintf(to + 1000, sizeof to - 1000, "@example.org/");
    size_t f = strlen(from), t = strlen(to);
    memset(from + f, '\'', 1023);
    memset(to + t, '\'', 1023);
    from[f + 1023] = to[t + 1023] = '\0';
    struct harness h;
    harness_init(&h);
    struct sent s = {from, to, {.kind = EV_MESSAGE, .id = {id, 1023}, .body = {quotes, 60000}, .stamp = 1}, NULL};
    const char *got = send_from(&h, &s);
    assert_non_null(got);
    assert_int_equal(got[0], '<');
    s.ev.type = MESSAGE_GROUPCHAT;
    assert_int_equal(send_from(&h, &s)[0], '<');
    harness_finish(&h);
}

static void test_generated_ids_differ(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    struct sent s = {.ev = {.kind = EV_MESSAGE, .body = STR("x")}};
    char first[1024];
    snprintf(first, sizeof first, "%s", send_from(&h, &s));
    assert_string_not_equal(first, send_from(&h, &s));
    static char id[2000];
    memset(id, 'i', sizeof id);
    s.ev.id = (struct str){id, sizeof id}; // one that nobody may have sent: replaced
    assert_null(strstr(send_from(&h, &s), "iiii"));
    harness_finish(&h);
}

static void test_full_output(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    strbuf_finish(&h.out);
    strbuf_init(&h.out, 100);
    struct sent s = {.ev = {.kind = EV_MESSAGE, .body = STR("x")}};
    assert_string_equal(send_from(&h, &s), err_name(ERR_LIMIT));
    assert_int_equal(h.out.n, 0);
    struct gateway_stat stat;
    gateway_stat(h.g, &stat);
    assert_int_equal(stat.out, 0);
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_occupants),
        cmocka_unit_test(test_bounces),
        cmocka_unit_test(test_every_error),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_addresses_are_checked),
        cmocka_unit_test(test_not_sent),
        cmocka_unit_test(test_long_text_is_cut),
        cmocka_unit_test(test_just_fits),
        cmocka_unit_test(test_worst_case),
        cmocka_unit_test(test_generated_ids_differ),
        cmocka_unit_test(test_full_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
