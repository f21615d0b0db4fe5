/* What guests say to rooms elsewhere: the stanza of each event. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/gateway_harness.h"

#define ROOM "from='lamp@bridge.example/r1' to='den@rooms.example'"
#define NICK "from='lamp@bridge.example/r1' to='den@rooms.example/lamp'"
#define CAPS "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:x-spandrel:caps' ver='*'/>"
#define PHOTO(sha1) "<x xmlns='vcard-temp:x:update'><photo>" sha1 "</photo></x>"
#define MUC(inner) "<x xmlns='http://jabber.org/protocol/muc'>" inner "</x>"
#define NOTHING "<history maxchars='0' maxstanzas='0'/>"
#define ORIGIN(id) "<origin-id xmlns='urn:xmpp:sid:0' id='" id "'/>"
#define SAID(inner) "<message type='groupchat' id='s1' " ROOM ">" inner ORIGIN("s1") "</message>"
#define FALLBACK                                                                                                       \
    "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/><store xmlns='urn:xmpp:hints'/>"
#define RETRACT(theirs, ours)                                                                                          \
    "<retract xmlns='urn:xmpp:message-retract:1' id='" theirs "'/><apply-to xmlns='urn:xmpp:fasten:0' id='" ours       \
    "'><retract xmlns='urn:xmpp:message-retract:0'/></apply-to>" FALLBACK

// String members without braces and lengths, as the tables want them.
#define S(literal)                                                                                                     \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

struct sent {
    const char *user; // NULL: the den
    struct event ev;
    const char *stanza;
};

static const char *send_from(struct harness *h, const struct sent *s)
{
    struct event ev = s->ev;
    ev.component = 7;
    ev.to = harness_jid(h, "lamp@bridge.example/r1");
    ev.user = harness_jid(h, s->user ? s->user : "den@rooms.example");
    struct event *kept = event_copy(&h->arena, &ev); // harness_send() clears what it keeps
    return harness_send(h, kept);
}

static void check_sent(const struct sent *list, size_t count)
{
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < count; i++)
        harness_assert_match(send_from(&h, &list[i]), list[i].stanza);
    harness_finish(&h);
}

#define CHECK_SENT(list) check_sent(list, sizeof list / sizeof *list)

static void to_enter(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.ev = {.kind = EV_ENTER, .nick = S("lamp"), .cls = S("light"), .show = SHOW_ONLINE},
         .stanza = "<presence " NICK ">" MUC(NOTHING) CAPS PHOTO("5f1d") "</presence>"},
        {.ev = {.kind = EV_ENTER, .nick = S("lamp"), .id = S("j1"), .show = SHOW_AWAY, .body = S("open <sesame>")},
         .stanza = "<presence id='j1' " NICK ">" MUC(
             NOTHING "<password>open &lt;sesame></password>") "<show>away</show>" CAPS PHOTO("77aa") "</presence>"},
        // To whole seconds: what the room tells twice is known by its id, what it does not tell is not.
        {.ev = {.kind = EV_ENTER, .nick = S("lamp"), .stamp = INT64_C(1794996000999)},
         .stanza =
             "<presence " NICK ">" MUC("<history since='2026-11-18T10:00:00Z'/>") CAPS PHOTO("77aa") "</presence>"},
        {.user = "den@rooms.example/lamp",
         .ev = {.kind = EV_ENTER, .nick = S("other")},
         .stanza = "<presence " NICK ">" MUC(NOTHING) CAPS PHOTO("77aa") "</presence>"},
        {.ev = {.kind = EV_ENTER, .nick = S("\xe2\x85\xa7")}, // ROMAN NUMERAL EIGHT: the server would make it so
         .stanza = "<presence from='lamp@bridge.example/r1' to='den@rooms.example/VIII'>" MUC(NOTHING)
             CAPS PHOTO("77aa") "</presence>"},
    };
    CHECK_SENT(list);
}

static void nobody_enters_without_a_nick(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.ev = {.kind = EV_ENTER, .nick = S("\xee\x80\x80")}},
        {.ev = {.kind = EV_ENTER, .nick = S("a\x01")}},
        {.ev = {.kind = EV_LEAVE, .nick = S("\xee\x80\x80")}},
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        assert_string_equal(send_from(&h, &list[i]), "badjid");
        assert_int_equal(h.out.n, 0);
    }
    harness_finish(&h);
}

static void to_open_what_was_made(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.ev = {.kind = EV_OPEN, .nick = S("lamp")},
         .stanza = "<iq type='set' id='*' " ROOM "><query xmlns='http://jabber.org/protocol/muc#owner'><x "
                   "xmlns='jabber:x:data' type='submit'/></query></iq>"},
    };
    CHECK_SENT(list);
}

static void to_leave(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.user = "den@rooms.example/lamp",
         .ev = {.kind = EV_LEAVE, .body = S("bye")},
         .stanza = "<presence type='unavailable' " NICK "><status>bye</status></presence>"},
        {.ev = {.kind = EV_LEAVE, .nick = S("lamp")}, .stanza = "<presence type='unavailable' " NICK "/>"},
    };
    CHECK_SENT(list);
}

static void to_say(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("a <b> & c")},
         .stanza = SAID("<body>a &lt;b> &amp; c</body>")},
        {.ev = {.kind = EV_SAY, .body = S("x")},
         .stanza = "<message type='groupchat' id='*' " ROOM "><body>x</body>" ORIGIN("*") "</message>"},
        {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("x"), .stamp = INT64_C(1794996000250)},
         .stanza = "<message type='groupchat' id='s1' " ROOM "><body>x</body>" ORIGIN(
             "s1") "<delay xmlns='urn:xmpp:delay' from='lamp@bridge.example' stamp='2026-11-18T10:00:00.250Z'/>"
                   "</message>"},
        // A file alone is its URL, twice; beside a text the text stays.
        {.ev = {.kind = EV_SAY, .id = S("s1"), .url = S("https://up.example/1?a&b")},
         .stanza = SAID("<body>https://up.example/1?a&amp;b</body><x xmlns='jabber:x:oob'><url>"
                        "https://up.example/1?a&amp;b</url></x>")},
        {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("a graph"), .url = S("https://up.example/1")},
         .stanza = SAID("<body>a graph</body><x xmlns='jabber:x:oob'><url>https://up.example/1</url></x>")},
        // One of these at a time.
        {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("x"), .replace = S("s0"), .reply = S("r0")},
         .stanza = SAID("<body>x</body><replace xmlns='urn:xmpp:message-correct:0' id='s0'/>")},
        {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("x"), .reply = S("r0")},
         .stanza = SAID("<body>x</body><reply xmlns='urn:xmpp:reply:0' id='r0'/>")},
        {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("x"), .reply = S("r0"), .nick = S("al 'x'")},
         .stanza = SAID("<body>x</body><reply xmlns='urn:xmpp:reply:0' to='den@rooms.example/al &apos;x&apos;' "
                        "id='r0'/>")},
    };
    CHECK_SENT(list);
}

static void to_take_back(void **state)
{
    (void)state;
#define TAKE_BACK(...)                                                                                                 \
    {                                                                                                                  \
        .kind = EV_SAY, .flags = EVENT_RETRACT, .id = S("s1"), __VA_ARGS__                                             \
    }
#define UNSUPPORTED "<body>/me retracted a previous message, but it's unsupported by your client.</body>"
    static const struct sent list[] = {
        {.ev = TAKE_BACK(.replace = S("s0"), .reply = S("r0")), .stanza = SAID(UNSUPPORTED RETRACT("r0", "s0"))},
        {.ev = TAKE_BACK(.replace = S("s0")), .stanza = SAID(UNSUPPORTED RETRACT("s0", "s0"))},
        {.ev = TAKE_BACK(.replace = S("s0"), .body = S("never mind")),
         .stanza = SAID("<body>never mind</body>" RETRACT("s0", "s0"))},
    };
    CHECK_SENT(list);
}

// Servers throw out who sends errors into a room: only requests are answered so.
static void no_error_goes_into_a_room(void **state)
{
    (void)state;
    static const struct sent list[] = {
        {"den@rooms.example/al", {.kind = EV_BOUNCE, .about = EV_MESSAGE, .id = S("m1"), .err = ERR_NOTFOUND}, ""},
        {"quiet@rooms.example/al", {.kind = EV_BOUNCE, .about = EV_MESSAGE, .id = S("m1"), .err = ERR_FORBIDDEN}, ""},
        {"den@rooms.example", {.kind = EV_BOUNCE, .about = EV_SUBSCRIBE, .err = ERR_FORBIDDEN}, ""},
        {"den@rooms.example/al", {.kind = EV_BOUNCE, .about = EV_JOIN, .err = ERR_FORBIDDEN}, ""},
        {"den@rooms.example/al",
         {.kind = EV_BOUNCE, .about = EV_COMMAND, .id = S("q1"), .err = ERR_FORBIDDEN},
         "<iq type='error' id='q1' from='lamp@bridge.example/r1' to='den@rooms.example/al'><error type='auth' "
         "by='bridge.example'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"},
        {"other@rooms.example/al",
         {.kind = EV_BOUNCE, .about = EV_MESSAGE, .id = S("m1"), .err = ERR_NOTFOUND},
         "<message type='error' id='m1' from='lamp@bridge.example/r1' to='other@rooms.example/al'><error type='cancel' "
         "by='bridge.example'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
    };
    CHECK_SENT(list);
}

static void what_is_too_long(void **state)
{
    (void)state;
    struct harness h;
    struct sent s = {.ev = {.kind = EV_SAY, .id = S("s1"), .body = S("x")}};
    char *text = mem_zalloc(1, 200000);
    harness_init(&h);
    memset(text, 'i', 1024);
    s.ev.replace = s.ev.reply = str_c(text);
    harness_assert_match(send_from(&h, &s), SAID("<body>x</body>"));
    memset(text, '<', 150000);
    s.ev.replace = s.ev.reply = STR_NONE;
    s.ev.body = str_c(text);
    const char *stanza = send_from(&h, &s);
    assert_non_null(strstr(stanza, "\xe2\x80\xa6]</body>"));
    assert_true(h.out.n < 100000);
    mem_free(text);
    harness_finish(&h);
}

// Whatever the words are, they are text.
static void hostile_words(void **state)
{
    (void)state;
    static const char hostile[] = "'/><x>\x01\x03&#3;\xff\xef\xbf\xbf]]>\xed\xa0\x80";
    struct str s = {hostile, sizeof hostile - 1};
    struct harness h;
    harness_init(&h);
    struct sent say = {.ev = {.kind = EV_SAY, .id = s, .body = s, .replace = s, .reply = s, .url = s}};
    struct sent retract = say, reply = say, leave = {.user = "den@rooms.example/lamp", .ev = {.kind = EV_LEAVE}};
    struct sent enter = {.user = "den@rooms.example/lamp", .ev = {.kind = EV_ENTER, .body = s, .id = s, .cls = s}};
    leave.ev.body = s;
    retract.ev.flags = EVENT_RETRACT;
    reply.ev.replace = STR_NONE;
    reply.ev.nick = s;
    const struct sent *all[] = {&say, &retract, &reply, &leave, &enter};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_non_null(send_from(&h, all[i])); // NULL: our own reader would not take it
        assert_true(h.out.n > 0);
    }
    harness_finish(&h);
}

static void a_guest_is_in_our_domain(void **state)
{
    (void)state;
    static const enum event_kind kinds[] = {EV_ENTER, EV_OPEN, EV_LEAVE, EV_SAY, EV_CHECK, EV_CATCHUP};
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct event ev = {.kind = kinds[i], .nick = STR("lamp"), .body = STR("x")};
        ev.user = harness_jid(&h, "den@rooms.example/lamp");
        ev.to = harness_jid(&h, "lamp@other.example/r1");
        assert_int_equal(gateway_send(h.g, &ev, &h.arena, &h.out), ERR_BADJID);
        assert_int_equal(h.out.n, 0);
    }
    assert_int_equal(gateway_deadline(h.g), INT64_MAX);
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_enter),
        cmocka_unit_test(nobody_enters_without_a_nick),
        cmocka_unit_test(to_open_what_was_made),
        cmocka_unit_test(to_leave),
        cmocka_unit_test(to_say),
        cmocka_unit_test(to_take_back),
        cmocka_unit_test(no_error_goes_into_a_room),
        cmocka_unit_test(what_is_too_long),
        cmocka_unit_test(hostile_words),
        cmocka_unit_test(a_guest_is_in_our_domain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
