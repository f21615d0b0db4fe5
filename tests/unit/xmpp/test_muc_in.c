/* What rooms elsewhere say to our guests: which event each becomes, and what is dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

#define GUEST "to='lamp@bridge.example/r1'"
#define OCCUPANT(nick) "from='den@rooms.example/" nick "' " GUEST
#define ROOM "from='den@rooms.example' " GUEST
#define X(inner) "<x xmlns='http://jabber.org/protocol/muc#user'>" inner "</x>"
#define CODE(code) "<status code='" code "'/>"
#define ITEM "<item affiliation='none' role='participant'/>"
#define NO_ITEM "<item affiliation='none' role='none'/>"
#define HERE(inner)                                                                                                    \
    "<presence " OCCUPANT("al") ">" X(inner)                                                                           \
    "</presence>"
#define GONE(inner)                                                                                                    \
    "<presence type='unavailable' " OCCUPANT("al") ">" X(inner)                                                        \
    "</presence>"
#define SAID(inner) "<message type='groupchat' id='m1' " OCCUPANT("al") ">" inner "</message>"
#define BODY "<body>hello</body>"
#define SID(by, id) "<stanza-id xmlns='urn:xmpp:sid:0' by='" by "' id='" id "'/>"
#define DELAY(from, stamp) "<delay xmlns='urn:xmpp:delay' from='" from "' stamp='" stamp "'/>"
#define TEN "2026-11-18T10:00:00Z"
#define TEN_MS INT64_C(1794996000000)
#define CONDITION(name) "<" name " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
#define TEXT(text) "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>" text "</text>"
#define FAILED(inner) "<error type='cancel'>" inner "</error>"

// String members without braces and lengths, as the tables want them.
#define S(literal)                                                                                                     \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

struct expected {
    const char *stanza;
    struct event ev;  // but for who, where and when
    const char *user; // NULL: al, in the den
};

static void check_text(struct str got, struct str want)
{
    if (!str_eq(got, want))
        fail_msg("\"" STR_FMT "\" instead of \"" STR_FMT "\"", STR_ARG(got), STR_ARG(want));
}

static void check_event(const struct event *got, const struct event *want)
{
    assert_string_equal(event_name(got->kind), event_name(want->kind));
    assert_string_equal(event_name(got->about), event_name(want->about));
    assert_int_equal(got->flags, want->flags);
    assert_int_equal(got->marks, want->marks);
    assert_int_equal(got->affiliation, want->affiliation);
    assert_int_equal(got->role, want->role);
    assert_int_equal(got->show, want->show);
    assert_int_equal(got->type, want->type);
    assert_string_equal(err_name(got->err), err_name(want->err));
    assert_int_equal(got->stamp, want->stamp);
    check_text(got->id, want->id);
    check_text(got->body, want->body);
    check_text(got->nick, want->nick);
    check_text(got->name, want->name);
    check_text(got->reply, want->reply);
    check_text(got->replace, want->replace);
}

static void check_one(struct harness *h, const struct expected *x)
{
    print_message("%s\n", x->stanza);
    assert_string_equal(harness_ask(h, x->stanza), "");
    assert_int_equal(h->event_count, 1);
    const struct event *got = h->events[0];
    check_event(got, &x->ev);
    check_text(jid_format(&h->kept, &got->user), str_c(x->user ? x->user : "den@rooms.example/al"));
    check_text(jid_format(&h->kept, &got->to), STR("lamp@bridge.example/r1"));
    assert_int_equal(got->component, 7);
    assert_int_equal(got->now, 1000);
    assert_int_equal(got->wall, HARNESS_WALL);
}

static void check_events(const struct expected *list, size_t count)
{
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < count; i++)
        check_one(&h, &list[i]);
    harness_finish(&h);
}

#define CHECK_EVENTS(list) check_events(list, sizeof list / sizeof *list)

static void check_ignored(const char *const *list, size_t count)
{
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < count; i++) {
        print_message("%s\n", list[i]);
        assert_string_equal(harness_ask(&h, list[i]), "");
        assert_int_equal(h.event_count, 0);
    }
    harness_finish(&h);
}

#define CHECK_IGNORED(list) check_ignored(list, sizeof list / sizeof *list)

static void who_is_there(void **state)
{
    (void)state;
#define ENTERED(...)                                                                                                   \
    {                                                                                                                  \
        .kind = EV_ENTERED, .nick = S("al"), .show = SHOW_ONLINE, __VA_ARGS__                                          \
    }
    static const struct expected list[] = {
        {HERE(ITEM), ENTERED(.role = ROLE_PARTICIPANT)},
        {HERE("<item affiliation='owner' role='moderator' jid='Alice@Example.org/Phone'/>"),
         ENTERED(.affiliation = AFFILIATION_OWNER, .role = ROLE_MODERATOR, .name = S("alice@example.org/Phone"))},
        {HERE("<item affiliation='admin' role='moderator'/>"),
         ENTERED(.affiliation = AFFILIATION_ADMIN, .role = ROLE_MODERATOR)},
        {HERE("<item affiliation='member' role='visitor'><actor nick='x'/><reason>quiet</reason></item>"),
         ENTERED(.affiliation = AFFILIATION_MEMBER, .role = ROLE_VISITOR, .body = S("quiet"))},
        {HERE("<item affiliation='outcast' role='none'/>"),
         ENTERED(.affiliation = AFFILIATION_OUTCAST, .role = ROLE_NONE)},
        {HERE(ITEM CODE("110")), ENTERED(.role = ROLE_PARTICIPANT, .marks = MARK_SELF)},
        {HERE(CODE("100") ITEM CODE("110") CODE("210") CODE("201")),
         ENTERED(.role = ROLE_PARTICIPANT, .marks = MARK_SELF | MARK_RENAMED | MARK_CREATED)},
        {"<presence id='j1' " OCCUPANT("al") "><show>away</show><status>out</status>" X(ITEM) "</presence>",
         {.kind = EV_ENTERED, .nick = S("al"), .id = S("j1"), .show = SHOW_AWAY, .role = ROLE_PARTICIPANT}},
        {HERE(ITEM CODE("303") CODE("307") CODE("301") CODE("333") CODE("110")),
         ENTERED(.role = ROLE_PARTICIPANT, .marks = MARK_SELF)},
        // What is missing, or is none.
        {HERE(""), ENTERED(.role = ROLE_PARTICIPANT)},
        {HERE("<item/>"), ENTERED(.role = ROLE_PARTICIPANT)},
        {HERE("<item affiliation='king' role='fool' jid='@@'/>" CODE("") CODE("1100") "<status/>"),
         ENTERED(.role = ROLE_PARTICIPANT)},
        {HERE("<item xmlns='urn:x' affiliation='owner' role='moderator'/><status xmlns='urn:x' code='110'/>"),
         ENTERED(.role = ROLE_PARTICIPANT)},
    };
    CHECK_EVENTS(list);
}

static void who_is_not_there_any_more(void **state)
{
    (void)state;
#define LEFT(...)                                                                                                      \
    {                                                                                                                  \
        .kind = EV_LEFT, .nick = S("al"), __VA_ARGS__                                                                  \
    }
    static const struct expected list[] = {
        {GONE(NO_ITEM), LEFT(.marks = 0)},
        {GONE(NO_ITEM CODE("110")), LEFT(.marks = MARK_SELF)},
        {GONE(NO_ITEM CODE("301") CODE("110")), LEFT(.marks = MARK_BANNED | MARK_SELF)},
        {GONE("<item><reason>out</reason></item>" CODE("307")), LEFT(.marks = MARK_KICKED, .body = S("out"))},
        {GONE(NO_ITEM CODE("321")), LEFT(.marks = MARK_AFFILIATION)},
        {GONE(NO_ITEM CODE("322")), LEFT(.marks = MARK_MEMBERS)},
        {GONE(NO_ITEM CODE("332")), LEFT(.marks = MARK_SHUTDOWN)},
        {GONE(NO_ITEM CODE("333") CODE("307")), LEFT(.marks = MARK_ERROR | MARK_KICKED)},
        {"<presence type='unavailable' " OCCUPANT("al") "><status>bye</status>" X(NO_ITEM) "</presence>",
         LEFT(.body = S("bye"))},
        {"<presence type='unavailable' " OCCUPANT("al") "/>", LEFT(.marks = 0)},
        // Another nick.
        {GONE("<item nick='al2'/>" CODE("303") CODE("110")), LEFT(.marks = MARK_NICK | MARK_SELF, .name = S("al2"))},
        {GONE("<item nick='&#x2167;'/>" CODE("303")), LEFT(.marks = MARK_NICK, .name = S("VIII"))},
        {GONE("<item/>" CODE("303")), LEFT(.marks = 0)},
        {GONE(CODE("303")), LEFT(.marks = 0)},
        {GONE("<item nick='&#xE000;'/>" CODE("303")), LEFT(.marks = 0)},
        {GONE("<item nick='al2'/>"), LEFT(.marks = 0)},
        // The room itself. ejabberd says no 110 with it.
        {GONE("<destroy jid='Other@rooms.example'><reason>moved</reason></destroy>" NO_ITEM),
         LEFT(.marks = MARK_DESTROYED | MARK_SELF, .name = S("other@rooms.example"), .body = S("moved"))},
        {GONE("<destroy/>" CODE("110")), LEFT(.marks = MARK_DESTROYED | MARK_SELF)},
        {GONE("<destroy jid='a b@@'/>"), LEFT(.marks = MARK_DESTROYED | MARK_SELF)},
    };
    CHECK_EVENTS(list);
}

// Each condition of which the core makes something of its own.
static void who_may_not_enter(void **state)
{
    (void)state;
#define REFUSED(inner) "<presence type='error' id='j1' " OCCUPANT("al") ">" inner "</presence>"
#define BOUNCED(e, ...)                                                                                                \
    {                                                                                                                  \
        .kind = EV_BOUNCE, .about = EV_ENTER, .id = S("j1"), .err = e, __VA_ARGS__                                     \
    }
    static const struct expected list[] = {
        {REFUSED("<x xmlns='http://jabber.org/protocol/muc'/>" FAILED(CONDITION("conflict") TEXT("taken"))),
         BOUNCED(ERR_EXISTS, .body = S("taken"))},
        {REFUSED(FAILED(CONDITION("not-authorized"))), BOUNCED(ERR_AUTH, .marks = 0)},
        {REFUSED(FAILED(CONDITION("registration-required"))), BOUNCED(ERR_REGISTRATION, .marks = 0)},
        {REFUSED(FAILED(CONDITION("forbidden"))), BOUNCED(ERR_FORBIDDEN, .marks = 0)},
        {REFUSED(FAILED(CONDITION("not-acceptable"))), BOUNCED(ERR_NOTACCEPTABLE, .marks = 0)},
        {REFUSED(FAILED(CONDITION("not-allowed"))), BOUNCED(ERR_NOTALLOWED, .marks = 0)},
        {REFUSED(FAILED(CONDITION("service-unavailable"))), BOUNCED(ERR_UNAVAILABLE, .marks = 0)},
        {REFUSED(FAILED(CONDITION("item-not-found"))), BOUNCED(ERR_NOTFOUND, .marks = 0)},
        {REFUSED(FAILED(CONDITION("jid-malformed"))), BOUNCED(ERR_BADJID, .marks = 0)},
        {REFUSED(FAILED(CONDITION("resource-constraint"))), BOUNCED(ERR_AGAIN, .marks = 0)},
        {REFUSED(FAILED(CONDITION("remote-server-not-found"))), BOUNCED(ERR_RESOLVE, .marks = 0)},
        {REFUSED(FAILED(CONDITION("remote-server-timeout"))), BOUNCED(ERR_CLOSED, .marks = 0)},
        {REFUSED(FAILED("<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:other@rooms.example</gone>")),
         BOUNCED(ERR_GONE, .marks = 0)},
        {REFUSED(FAILED(CONDITION("of-tomorrow"))), BOUNCED(ERR_INTERNAL, .marks = 0)},
        {REFUSED(""), BOUNCED(ERR_INTERNAL, .marks = 0)},
    };
    CHECK_EVENTS(list);
    static const struct expected room[] = {
        {"<presence type='error' " ROOM ">" FAILED(CONDITION("remote-server-not-found")) "</presence>",
         {.kind = EV_BOUNCE, .about = EV_ENTER, .err = ERR_RESOLVE},
         "den@rooms.example"},
    };
    CHECK_EVENTS(room);
}

static void what_is_said(void **state)
{
    (void)state;
#define HEARD(...)                                                                                                     \
    {                                                                                                                  \
        .kind = EV_HEARD, .type = MESSAGE_GROUPCHAT, .nick = S("al"), .id = S("m1"), __VA_ARGS__                       \
    }
    static const struct expected list[] = {
        {SAID(BODY), HEARD(.body = S("hello"))},
        {SAID(BODY "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>" SID("den@rooms.example", "r1")),
         HEARD(.body = S("hello"), .reply = S("r1"))},
        {"<message type='groupchat' " OCCUPANT("al") ">" BODY "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/></message>",
         {.kind = EV_HEARD, .type = MESSAGE_GROUPCHAT, .nick = S("al"), .id = S("o1"), .body = S("hello")}},
        // Corrections, retractions and files come back like all else.
        {SAID(BODY "<replace xmlns='urn:xmpp:message-correct:0' id='m0'/>"),
         HEARD(.body = S("hello"), .replace = S("m0"))},
        {SAID(BODY "<retract xmlns='urn:xmpp:message-retract:1' id='m0'/>"), HEARD(.body = S("hello"))},
        {SAID(BODY "<subject>New</subject>"), HEARD(.body = S("hello"))},
        {SAID("<subject>New</subject>"), HEARD(.body = S("New"), .flags = EVENT_SUBJECT)},
        {SAID("<subject/>"), HEARD(.flags = EVENT_SUBJECT)},
        {SAID("<body>secret</body><encrypted xmlns='eu.siacs.conversations.axolotl'/>"),
         HEARD(.flags = EVENT_ENCRYPTED)},
        {SAID("<encrypted xmlns='eu.siacs.conversations.axolotl'/>"), HEARD(.flags = EVENT_ENCRYPTED)},
        // Ids of others.
        {SAID(BODY SID("evil@rooms.example", "f1") SID("den@rooms.example/al", "f2") SID("", "f3") SID("@@", "f4")
                  SID("den@rooms.example", "")),
         HEARD(.body = S("hello"))},
        {SAID(BODY SID("evil.example", "f1") SID("DEN@rooms.example", "r1")),
         HEARD(.body = S("hello"), .reply = S("r1"))},
    };
    CHECK_EVENTS(list);
    static const struct expected room[] = {
        {"<message type='groupchat' " ROOM "><subject/></message>",
         {.kind = EV_HEARD, .type = MESSAGE_GROUPCHAT, .flags = EVENT_SUBJECT},
         "den@rooms.example"},
        {"<message type='groupchat' " ROOM ">" BODY "</message>",
         {.kind = EV_HEARD, .type = MESSAGE_GROUPCHAT, .body = S("hello")},
         "den@rooms.example"},
    };
    CHECK_EVENTS(room);
}

static void what_was_said_before(void **state)
{
    (void)state;
#define BEFORE(...) HEARD(.flags = EVENT_SNAPSHOT, .body = S("hello"), __VA_ARGS__)
    static const struct expected list[] = {
        {SAID(BODY DELAY("den@rooms.example", TEN)), BEFORE(.stamp = TEN_MS)},
        {SAID(BODY DELAY("den@rooms.example", "2026-11-18T10:00:00.683267Z")), BEFORE(.stamp = TEN_MS + 683)},
        // A guest's own stamp comes back with what it said now.
        {SAID(BODY DELAY("lamp@bridge.example", TEN)), HEARD(.body = S("hello"))},
        {SAID(BODY DELAY("lamp@bridge.example", "2020-01-01T00:00:00Z") DELAY("den@rooms.example", TEN)),
         BEFORE(.stamp = TEN_MS)},
        {SAID(BODY DELAY("den@rooms.example", "2020-01-01T00:00:00Z") DELAY("den@rooms.example", TEN)),
         BEFORE(.stamp = TEN_MS)},
        {SAID(BODY DELAY("den@rooms.example/al", TEN) DELAY("rooms.example", TEN) DELAY("", TEN)),
         HEARD(.body = S("hello"))},
        {SAID(BODY DELAY("den@rooms.example", "yesterday")), HEARD(.body = S("hello"))},
        {SAID(BODY DELAY("den@rooms.example", "2036-11-18T10:00:00Z")), BEFORE(.stamp = HARNESS_WALL)},
        {SAID("<subject>Old</subject>" DELAY("den@rooms.example", TEN)),
         HEARD(.flags = EVENT_SNAPSHOT | EVENT_SUBJECT, .body = S("Old"), .stamp = TEN_MS)},
    };
    CHECK_EVENTS(list);
}

static void what_comes_back(void **state)
{
    (void)state;
#define BACK(inner) "<message type='error' id='s1' " ROOM ">" BODY inner "</message>"
#define SAY_BOUNCED(e, ...)                                                                                            \
    {                                                                                                                  \
        .kind = EV_BOUNCE, .about = EV_SAY, .id = S("s1"), .err = e, __VA_ARGS__                                       \
    }
    static const struct expected list[] = {
        {BACK(FAILED(CONDITION("not-acceptable") TEXT("not inside"))),
         SAY_BOUNCED(ERR_NOTACCEPTABLE, .body = S("not inside")), "den@rooms.example"},
        {BACK(FAILED(CONDITION("forbidden"))), SAY_BOUNCED(ERR_FORBIDDEN, .marks = 0), "den@rooms.example"},
        {BACK(FAILED(CONDITION("policy-violation"))), SAY_BOUNCED(ERR_LIMIT, .marks = 0), "den@rooms.example"},
        {BACK(""), SAY_BOUNCED(ERR_INTERNAL, .marks = 0), "den@rooms.example"},
    };
    CHECK_EVENTS(list);
}

// By the room, for somebody; also who does not listen is meant.
static void invitations(void **state)
{
    (void)state;
    static const struct expected list[] = {
        {"<message " ROOM ">" X("<invite from='al@example.org'><reason>x</reason></invite>") BODY "</message>",
         {.kind = EV_INVITED},
         "den@rooms.example"},
        {"<message type='normal' from='quiet@rooms.example' " GUEST ">" X("<invite/>") "</message>",
         {.kind = EV_INVITED},
         "quiet@rooms.example"},
    };
    CHECK_EVENTS(list);
}

// They are anybody's messages, from the address of the occupant; also to who does not listen.
static void private_messages(void **state)
{
    (void)state;
#define PRIVATE(type, inner)                                                                                           \
    "<message type='" type "' id='m1' from='quiet@rooms.example/al' " GUEST ">" inner "</message>"
    static const struct expected list[] = {
        {PRIVATE("chat", BODY X("")),
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("hello")},
         "quiet@rooms.example/al"},
        {PRIVATE("normal", BODY),
         {.kind = EV_MESSAGE, .type = MESSAGE_NORMAL, .id = S("m1"), .body = S("hello")},
         "quiet@rooms.example/al"},
        {PRIVATE("error", FAILED(CONDITION("item-not-found"))),
         {.kind = EV_BOUNCE, .about = EV_MESSAGE, .id = S("m1"), .err = ERR_NOTFOUND},
         "quiet@rooms.example/al"},
        {"<message type='chat' id='m1' " OCCUPANT("al") ">" BODY "</message>",
         {.kind = EV_MESSAGE, .id = S("m1"), .body = S("hello")},
         NULL},
    };
    CHECK_EVENTS(list);
}

static void what_the_room_says_itself(void **state)
{
    (void)state;
    static const char *const list[] = {
        "<presence " ROOM "><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/></presence>",
        "<presence type='unavailable' " ROOM "/>",
        "<presence " ROOM ">" X(ITEM CODE("110")) "</presence>",
        "<presence " OCCUPANT("al") "/>",
        "<message type='groupchat' " ROOM ">" X(CODE("104")) "</message>",
        "<message type='groupchat' " ROOM ">" BODY X(CODE("100")) "</message>",
        "<message type='groupchat' " ROOM ">" X(CODE("170")) "<subject>x</subject></message>",
        "<message " ROOM ">" BODY X(CODE("104")) "</message>",
        "<message type='normal' " ROOM "><x xmlns='jabber:x:data' type='form'/></message>",
        "<message type='chat' " ROOM ">" BODY "</message>",
        "<message type='headline' " ROOM ">" BODY "</message>",
        "<message " OCCUPANT("al") "><x xmlns='jabber:x:conference' jid='other@rooms.example'/>" BODY "</message>",
        SAID("<composing xmlns='http://jabber.org/protocol/chatstates'/>"),
        SAID("<displayed xmlns='urn:xmpp:chat-markers:0' id='m0'/>"),
        SAID(""),
        SAID("<body/>"),
        "<message type='groupchat' " OCCUPANT("al") "><result xmlns='urn:xmpp:mam:2' queryid='q'/></message>",
    };
    CHECK_IGNORED(list);
}

#define QUIET(nick) "from='quiet@rooms.example/" nick "' " GUEST

// The rest is dropped, and counted.
static void who_does_not_listen_hears_of_itself(void **state)
{
    (void)state;
    static const struct expected list[] = {
        {"<presence " QUIET("lamp") ">" X(ITEM CODE("110")) "</presence>",
         {.kind = EV_ENTERED, .nick = S("lamp"), .show = SHOW_ONLINE, .role = ROLE_PARTICIPANT, .marks = MARK_SELF},
         "quiet@rooms.example/lamp"},
        {"<presence type='unavailable' " QUIET("lamp") ">" X(CODE("307") NO_ITEM CODE("110")) "</presence>",
         {.kind = EV_LEFT, .nick = S("lamp"), .marks = MARK_SELF | MARK_KICKED},
         "quiet@rooms.example/lamp"},
        {"<presence type='unavailable' " QUIET("lamp") ">" X("<destroy/>") "</presence>",
         {.kind = EV_LEFT, .nick = S("lamp"), .marks = MARK_SELF | MARK_DESTROYED},
         "quiet@rooms.example/lamp"},
        {"<presence type='error' " QUIET("lamp") ">" FAILED(CONDITION("conflict")) "</presence>",
         {.kind = EV_BOUNCE, .about = EV_ENTER, .err = ERR_EXISTS},
         "quiet@rooms.example/lamp"},
        {"<message type='error' id='s1' from='quiet@rooms.example' " GUEST
         ">" FAILED(CONDITION("not-acceptable")) "</message>",
         {.kind = EV_BOUNCE, .about = EV_SAY, .id = S("s1"), .err = ERR_NOTACCEPTABLE},
         "quiet@rooms.example"},
    };
    CHECK_EVENTS(list);
    static const char *const dropped[] = {
        "<message type='groupchat' " QUIET("al") ">" BODY "</message>",
        "<message type='groupchat' from='quiet@rooms.example' " GUEST "><subject/></message>",
        "<presence " QUIET("al") ">" X(ITEM) "</presence>",
        "<presence " QUIET("al") "/>",
        "<presence type='unavailable' " QUIET("al") ">" X(NO_ITEM CODE("307")) "</presence>",
        "<presence from='quiet@rooms.example' " GUEST "/>",
    };
    enum { DROPPED = sizeof dropped / sizeof *dropped };
    struct harness h;
    struct gateway_stat stat;
    harness_init(&h);
    for (size_t i = 0; i < DROPPED; i++) {
        assert_string_equal(harness_ask(&h, dropped[i]), "");
        assert_int_equal(h.event_count, 0);
        gateway_stat(h.g, &stat);
        assert_int_equal(stat.unheard, i + 1);
    }
    assert_int_equal(stat.in, DROPPED);
    harness_finish(&h);
}

// Who is no guest there is told as anybody: a room where we are not can say nothing of rooms.
static void strangers_are_no_rooms(void **state)
{
    (void)state;
    static const struct {
        const char *stanza;
        enum event_kind kind;
    } list[] = {
        {"<presence from='den@evil.example/al' " GUEST ">" X(ITEM CODE("110")) "</presence>", EV_AVAILABLE},
        {"<presence type='unavailable' from='den@evil.example/al' " GUEST ">" X("<destroy/>") "</presence>",
         EV_UNAVAILABLE},
        {"<presence type='error' from='den@evil.example/al' " GUEST ">" FAILED(CONDITION("gone")) "</presence>",
         EV_BOUNCE},
        {"<message type='groupchat' from='den@evil.example/al' " GUEST ">" BODY "</message>", EV_MESSAGE},
        {"<message type='error' from='den@evil.example' " GUEST ">" FAILED(CONDITION("gone")) "</message>", EV_BOUNCE},
        {"<message type='groupchat' from='den@rooms.example/al' to='other@bridge.example'>" BODY "</message>",
         EV_MESSAGE},
        {"<presence type='subscribe' from='den@rooms.example' to='lamp@bridge.example'/>", EV_SUBSCRIBE},
        {"<presence type='probe' " OCCUPANT("al") "/>", EV_PROBE},
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        print_message("%s\n", list[i].stanza);
        assert_string_equal(harness_ask(&h, list[i].stanza), "");
        assert_int_equal(h.event_count, 1);
        assert_string_equal(event_name(h.events[0]->kind), event_name(list[i].kind));
        assert_true(h.events[0]->about != EV_ENTER && h.events[0]->about != EV_SAY);
    }
    harness_finish(&h);
}

static void what_is_too_long_is_cut_or_dropped(void **state)
{
    (void)state;
    char text[8192], long_id[1200];
    struct harness h;
    harness_init(&h);
    memset(long_id, 'i', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    (void)snprintf(text, sizeof text,
                   "<message type='groupchat' id='%s' " OCCUPANT(
                       "al") ">" BODY "<stanza-id xmlns='urn:xmpp:sid:0' by='den@rooms.example' id='%s'/>"
                             "<replace xmlns='urn:xmpp:message-correct:0' id='%s'/></message>",
                   long_id, long_id, long_id);
    assert_string_equal(harness_ask(&h, text), "");
    assert_int_equal(h.event_count, 1);
    assert_int_equal(h.events[0]->id.n + h.events[0]->reply.n + h.events[0]->replace.n, 0);
    (void)snprintf(text, sizeof text, GONE("<item nick='%s'><reason>%s%s</reason></item>" CODE("303")), long_id,
                   long_id, long_id);
    assert_string_equal(harness_ask(&h, text), "");
    assert_int_equal(h.event_count, 1);
    assert_int_equal(h.events[0]->body.n, 1024);
    assert_int_equal(h.events[0]->marks, 0);
    assert_int_equal(h.events[0]->name.n, 0);
    harness_finish(&h);
}

static void what_is_too_large_costs_no_place(void **state)
{
    (void)state;
    static const char *const from[] = {"den@rooms.example/al", "quiet@rooms.example/al"};
    struct harness h;
    struct strbuf text;
    harness_init(&h);
    strbuf_init(&text, 1 << 20);
    for (size_t i = 0; i < 3; i++) {
        strbuf_clear(&text);
        strbuf_printf(&text, "<message type='%s' id='m1' from='%s' " GUEST "><body>", i ? "groupchat" : "chat",
                      i < 2 ? from[i] : "den@evil.example/al");
        for (size_t n = 0; n < 600000; n += 10)
            strbuf_c(&text, "0123456789");
        strbuf_c(&text, "</body></message>");
        assert_true(harness_feed(&h, strbuf_view(&text)));
        assert_int_equal(h.event_count, 0);
        assert_int_equal(h.out.n > 0, i == 2);
    }
    strbuf_finish(&text);
    harness_finish(&h);
}

// Occupants and the room's service ask who we are, by the full address or by the bare one (vCards).
static void occupants_get_answers(void **state)
{
    (void)state;
#define ASK(to, payload) "<iq type='get' id='q1' from='den@rooms.example/al' to='" to "'>" payload "</iq>"
#define RESULT(from) "<iq type='result' id='q1' from='" from "' to='den@rooms.example/al'"
    struct harness h;
    harness_init(&h);
    harness_assert_match(
        harness_ask(&h, ASK("lamp@bridge.example/r1", "<query xmlns='http://jabber.org/protocol/disco#info'/>")),
        RESULT("lamp@bridge.example/r1") "><query xmlns='http://jabber.org/protocol/disco#info'>*</query></iq>");
    harness_assert_match(harness_ask(&h, ASK("lamp@bridge.example/r1", "<ping xmlns='urn:xmpp:ping'/>")),
                         RESULT("lamp@bridge.example/r1") "/>");
    harness_assert_match(harness_ask(&h, ASK("lamp@bridge.example/r1", "<query xmlns='jabber:iq:version'/>")),
                         RESULT("lamp@bridge.example/r1") "><query xmlns='jabber:iq:version'>*</query></iq>");
    harness_assert_match(harness_ask(&h, ASK("lamp@bridge.example", "<vCard xmlns='vcard-temp'/>")),
                         RESULT("lamp@bridge.example") "><vCard xmlns='vcard-temp'>*</vCard></iq>");
    // At an address that it is nowhere with, nobody is told more than that.
    harness_assert_match(
        harness_ask(&h, "<iq type='get' id='q1' from='alice@example.org/phone' " GUEST "><ping xmlns='urn:xmpp:ping'/>"
                        "</iq>"),
        "<iq type='error' id='q1' from='lamp@bridge.example/r1' to='alice@example.org/phone'><error type='cancel'>"
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_there),
        cmocka_unit_test(who_is_not_there_any_more),
        cmocka_unit_test(who_may_not_enter),
        cmocka_unit_test(what_is_said),
        cmocka_unit_test(what_was_said_before),
        cmocka_unit_test(what_comes_back),
        cmocka_unit_test(invitations),
        cmocka_unit_test(private_messages),
        cmocka_unit_test(what_the_room_says_itself),
        cmocka_unit_test(who_does_not_listen_hears_of_itself),
        cmocka_unit_test(strangers_are_no_rooms),
        cmocka_unit_test(what_is_too_long_is_cut_or_dropped),
        cmocka_unit_test(what_is_too_large_costs_no_place),
        cmocka_unit_test(occupants_get_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
