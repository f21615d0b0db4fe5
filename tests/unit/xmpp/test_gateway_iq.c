/* Requests: one answer to each, the right one, and the same for what is hidden as for what is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

#define ALICE "from='alice@example.org/phone'"
#define BOB "from='bob@example.org/phone'"
#define EVE "from='eve@evil.example/x'"
#define HERE "to='bridge.example'"
#define LAMP "to='lamp@bridge.example'"
#define LOUNGE "to='lounge@bridge.example'"
#define GET(who, where, payload) "<iq type='get' id='q1' " who " " where ">" payload "</iq>"
#define SET(who, where, payload) "<iq type='set' id='q1' " who " " where ">" payload "</iq>"
#define RESULT(from, payload) "<iq type='result' id='q1' from='" from "' to='alice@example.org/phone'>" payload "</iq>"
#define FAILURE(from, to, type, condition)                                                                             \
    "<iq type='error' id='q1' from='" from "' to='" to "'><error type='" type "'><" condition                          \
    " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
#define REFUSED(from, type, condition) FAILURE(from, "alice@example.org/phone", type, condition)

static void check(struct harness *h, const char *ask, const char *answer)
{
    harness_assert_match(harness_ask(h, ask), answer);
    assert_int_equal(h->event_count, 0);
}

struct exchange {
    const char *ask, *answer;
};

static void check_all(const struct exchange *list, size_t count)
{
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < count; i++)
        check(&h, list[i].ask, list[i].answer);
    harness_finish(&h);
}

#define CHECK_ALL(list) check_all(list, sizeof list / sizeof *list)

static void test_simple_answers(void **state)
{
    (void)state;
    static const struct exchange list[] = {
        {GET(ALICE, HERE, "<ping xmlns='urn:xmpp:ping'/>"), RESULT("bridge.example", "")},
        {GET(ALICE, LAMP, "<ping xmlns='urn:xmpp:ping'/>"), RESULT("lamp@bridge.example", "")},
        {GET(ALICE, "to='lamp@bridge.example/home'", "<ping xmlns='urn:xmpp:ping'/>"),
         RESULT("lamp@bridge.example/home", "")},
        {GET(ALICE, "to='LAMP@Bridge.Example'", "<ping xmlns='urn:xmpp:ping'/>"), RESULT("lamp@bridge.example", "")},
        {GET(ALICE, HERE, "<query xmlns='jabber:iq:last'/>"),
         RESULT("bridge.example", "<query xmlns='jabber:iq:last' seconds='3600'/>")},
        {GET(ALICE, LAMP, "<query xmlns='jabber:iq:last'/>"),
         RESULT("lamp@bridge.example", "<query xmlns='jabber:iq:last' seconds='90'/>")},
        {GET(ALICE, HERE, "<query xmlns='jabber:iq:version'/>"),
         RESULT("bridge.example", "<query xmlns='jabber:iq:version'><name>Spandrel</name><version>" SPANDREL_VERSION
                                  "</version></query>")},
        {GET(ALICE, LAMP, "<query xmlns='jabber:iq:version'/>"),
         RESULT("lamp@bridge.example",
                "<query xmlns='jabber:iq:version'><name>L-1</name><version>2.0</version></query>")},
        {GET(ALICE, HERE, "<time xmlns='urn:xmpp:time'/>"),
         RESULT("bridge.example",
                "<time xmlns='urn:xmpp:time'><tzo>+00:00</tzo><utc>2026-11-18T11:06:40Z</utc></time>")},
        {GET(ALICE, HERE, "<query xmlns='jabber:iq:gateway'/>"),
         RESULT("bridge.example", "<query xmlns='jabber:iq:gateway'><desc>*</desc><prompt>Name of the "
                                  "device</prompt></query>")},
        {SET(ALICE, HERE, "<query xmlns='jabber:iq:gateway'><prompt> Kitchen lamp </prompt></query>"),
         RESULT("bridge.example", "<query xmlns='jabber:iq:gateway'><jid>lamp@bridge.example</jid></query>")},
    };
    CHECK_ALL(list);
}

static void test_errors(void **state)
{
    (void)state;
#define BAD(ask)                                                                                                       \
    {                                                                                                                  \
        ask, REFUSED("bridge.example", "modify", "bad-request")                                                        \
    }
    static const struct exchange list[] = {
        BAD(GET(ALICE, HERE, "")),
        BAD(GET(ALICE, HERE, "<ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/>")),
        BAD("<iq type='GET' id='q1' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>"),
        BAD("<iq id='q1' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>"),
        BAD(SET(ALICE, HERE, "<query xmlns='jabber:iq:gateway'/>")),
        {"<iq type='get' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>",
         "<iq type='error' from='bridge.example' to='alice@example.org/phone'><error type='modify'><bad-request "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"},
        {SET(ALICE, HERE, "<query xmlns='jabber:iq:gateway'><prompt>nobody</prompt></query>"),
         REFUSED("bridge.example", "cancel", "item-not-found")},
        {GET(ALICE, HERE, "<x xmlns='urn:nobody:knows'/>"), REFUSED("bridge.example", "cancel", "service-unavailable")},
        {GET(ALICE, HERE, "<other xmlns='urn:xmpp:ping'/>"),
         REFUSED("bridge.example", "cancel", "feature-not-implemented")},
        {SET(ALICE, HERE, "<query xmlns='jabber:iq:last'/>"),
         REFUSED("bridge.example", "cancel", "feature-not-implemented")},
        {GET(ALICE, LAMP, "<query xmlns='jabber:iq:register'/>"),
         REFUSED("lamp@bridge.example", "cancel", "service-unavailable")},
        {GET(ALICE, LOUNGE, "<query xmlns='jabber:iq:last'/>"),
         REFUSED("lounge@bridge.example", "cancel", "service-unavailable")},
        {GET(ALICE, "to='lamp@bridge.example/elsewhere'", "<ping xmlns='urn:xmpp:ping'/>"),
         REFUSED("lamp@bridge.example/elsewhere", "cancel", "service-unavailable")},
        {SET(ALICE, LAMP, "<vCard xmlns='vcard-temp'/>"), REFUSED("lamp@bridge.example", "auth", "forbidden")},
        {GET(ALICE, LAMP,
             "<pubsub xmlns='http://jabber.org/protocol/pubsub'><items "
             "node='eu.siacs.conversations.axolotl.devicelist'/>"
             "</pubsub>"),
         REFUSED("lamp@bridge.example", "cancel", "item-not-found")},
        {SET(ALICE, HERE, "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'/>"),
         REFUSED("bridge.example", "cancel", "item-not-found")},
        {GET(ALICE, "to='l amp@bridge.example'", "<ping xmlns='urn:xmpp:ping'/>"),
         REFUSED("bridge.example", "modify", "jid-malformed")},
        {GET(ALICE, "", "<ping xmlns='urn:xmpp:ping'/>"), REFUSED("bridge.example", "modify", "jid-malformed")},
    };
    CHECK_ALL(list);
}

static void test_not_answered(void **state)
{
    (void)state;
    static const char *const list[] = {
        "<iq type='result' id='q1' " ALICE " " HERE "/>",
        "<iq type='result' id='q1' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>",
        "<iq type='error' id='q1' " ALICE " " HERE "><error type='cancel'/></iq>",
        "<iq type='error' id='q1' " ALICE " to='@@@'/>",
        GET("from='a b@example.org'", HERE, "<ping xmlns='urn:xmpp:ping'/>"),
        GET("", HERE, "<ping xmlns='urn:xmpp:ping'/>"),
        GET("from='lamp@bridge.example/home'", HERE, "<ping xmlns='urn:xmpp:ping'/>"),
        GET(ALICE, "to='other.example'", "<ping xmlns='urn:xmpp:ping'/>"),
        "<presence " ALICE " to='lamp@other.example' type='subscribe'/>",
        "<message " ALICE " to='lamp@other.example'><body>x</body></message>",
        "<thing " ALICE " " HERE "/>",
        "<iq xmlns='jabber:client' type='get' id='q1' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>",
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        check(&h, list[i], "");
    struct gateway_stat stat;
    gateway_stat(h.g, &stat);
    assert_int_equal(stat.in, sizeof list / sizeof *list);
    assert_int_equal(stat.out, 0);
    assert_int_equal(stat.foreign_domain, 3);
    assert_int_equal(stat.malformed, 5);
    assert_int_equal(stat.errors_in, 2);
    harness_finish(&h);
}

static void test_hidden_is_absent(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "<ping xmlns='urn:xmpp:ping'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info' node='http://jabber.org/protocol/commands'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items'/>",
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
        "<vCard xmlns='vcard-temp'/>",
        "<query xmlns='jabber:iq:last'/>",
        "<query xmlns='jabber:iq:version'/>",
        "<query xmlns='jabber:iq:register'/>",
        "<query xmlns='jabber:iq:gateway'/>",
        "<time xmlns='urn:xmpp:time'/>",
        "<command xmlns='http://jabber.org/protocol/commands' node='set'/>",
        "<command xmlns='http://jabber.org/protocol/commands' node='set' action='x' sessionid='y'/>",
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'/>",
        "<x xmlns='urn:nobody:knows'/>",
        "<query xmlns='http://jabber.org/protocol/muc#admin'/>",
    };
    static const char *const hidden[] = {"lamp", "lounge", "secret"}, *const resources[] = {"", "/home", "/nick"};
    struct harness h;
    harness_init(&h);
    h.occupant = true;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads * 2 * 9; i++) {
        size_t p = i / 18;
        const char *type = i / 9 % 2 ? "set" : "get", *who = hidden[i % 3], *resource = resources[i / 3 % 3];
        char ask[512], answer[512];
        snprintf(ask, sizeof ask, "<iq type='%s' id='q1' " EVE " to='%s@bridge.example%s'>%s</iq>", type, who, resource,
                 payloads[p]);
        snprintf(answer, sizeof answer,
                 "<iq type='error' id='q1' from='%s@bridge.example%s' to='eve@evil.example/x'><error type='cancel'>"
                 "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
                 who, resource);
        check(&h, ask, answer);
        assert_int_equal(h.finds, 1); // the way to the answer is the same too
        h.finds = 0;
    }
    harness_finish(&h);
}

static void test_absent_bytes_are_the_same(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    harness_feed(&h, STR(GET(EVE, "to='secret@bridge.example'", "<vCard xmlns='vcard-temp'/>")));
    char first[1024];
    snprintf(first, sizeof first, STR_FMT, STR_ARG(strbuf_view(&h.out)));
    harness_feed(&h, STR(GET(EVE, "to='absent@bridge.example'", "<vCard xmlns='vcard-temp'/>")));
    char *name = strstr(first, "secret");
    assert_non_null(name);
    memcpy(name, "absent", 6);
    assert_string_equal(h.out.p, first);
    harness_finish(&h);
}

static void test_room_occupant(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define ME "lounge@bridge.example/me"
    check(&h, GET(ALICE, "to='" ME "'", "<ping xmlns='urn:xmpp:ping'/>"), REFUSED(ME, "modify", "not-acceptable"));
    h.occupant = true;
    check(&h, GET(ALICE, "to='" ME "'", "<ping xmlns='urn:xmpp:ping'/>"), RESULT(ME, ""));
    check(&h, GET(ALICE, "to='" ME "'", "<vCard xmlns='vcard-temp'/>"), REFUSED(ME, "cancel", "service-unavailable"));
    check(&h, GET(ALICE, "to='lounge@bridge.example/you'", "<ping xmlns='urn:xmpp:ping'/>"),
          REFUSED("lounge@bridge.example/you", "modify", "not-acceptable"));
    harness_finish(&h);
}

static void test_vcard(void **state)
{
    (void)state;
    static const struct exchange list[] = {
        {GET(ALICE, LAMP, "<vCard xmlns='vcard-temp'/>"),
         RESULT(
             "lamp@bridge.example",
             "<vCard xmlns='vcard-temp'><FN>Kitchen &lt;lamp></FN><NICKNAME>Kitchen &lt;lamp></NICKNAME>"
             "<URL>http://lamp.example/</URL><DESC>Model: L-1\nManufacturer: Acme &amp; Sons\nVersion: 2.0\nAbove the "
             "table</DESC><CATEGORIES><KEYWORD>Kitchen</KEYWORD></CATEGORIES><PHOTO><TYPE>image/svg+xml</TYPE>"
             "<BINVAL>PHN2Zy8+</BINVAL></PHOTO></vCard>")},
        {GET(ALICE, HERE, "<vCard xmlns='vcard-temp'/>"),
         RESULT("bridge.example",
                "<vCard xmlns='vcard-temp'><FN>The &lt;bridge></FN><NICKNAME>The &lt;bridge></NICKNAME></vCard>")},
        {GET(ALICE, LOUNGE, "<vCard xmlns='vcard-temp'/>"),
         RESULT("lounge@bridge.example",
                "<vCard xmlns='vcard-temp'><FN>Lounge</FN><NICKNAME>Lounge</NICKNAME></vCard>")},
    };
    CHECK_ALL(list);
}

static void test_rename(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    gateway_rename(h.g, STR("New"));
    check(&h, GET(ALICE, HERE, "<vCard xmlns='vcard-temp'/>"),
          RESULT("bridge.example", "<vCard xmlns='vcard-temp'><FN>New</FN><NICKNAME>New</NICKNAME></vCard>"));
    harness_finish(&h);
}

static void test_ids(void **state)
{
    (void)state;
    static char id[2001], ask[8192], answer[8192];
    struct harness h;
    harness_init(&h);
    check(&h, "<iq type='get' id='&amp;&lt;&apos;&quot;&#10;x' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>",
          "<iq type='result' id='&amp;&lt;&apos;&quot;&#10;x' from='bridge.example' to='alice@example.org/phone'/>");
    memset(id, 'i', 2000); // answered, with a complaint
    snprintf(ask, sizeof ask, "<iq type='get' id='%s' " ALICE " " HERE "><ping xmlns='urn:xmpp:ping'/></iq>", id);
    snprintf(answer, sizeof answer,
             "<iq type='error' id='%s' from='bridge.example' to='alice@example.org/phone'><error type='modify'>"
             "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
             id);
    check(&h, ask, answer);
    harness_finish(&h);
}

static void test_full_output(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    strbuf_finish(&h.out);
    strbuf_init(&h.out, 300);
    // A result that does not fit becomes an error, which does.
    check(&h, GET(ALICE, LAMP, "<vCard xmlns='vcard-temp'/>"),
          REFUSED("lamp@bridge.example", "wait", "resource-constraint"));
    strbuf_finish(&h.out);
    strbuf_init(&h.out, 20); // and where nothing fits nothing is written, and nothing breaks
    check(&h, GET(ALICE, LAMP, "<vCard xmlns='vcard-temp'/>"), "");
    harness_finish(&h);
}

static void test_oversize(void **state)
{
    (void)state;
    static const struct exchange list[] = {
        {"<iq type='get' id='q1' " ALICE " " HERE ">", REFUSED("bridge.example", "modify", "policy-violation")},
        {"<message type='chat' id='q1' " ALICE " " LAMP ">",
         "<message type='error' id='q1' from='lamp@bridge.example' to='alice@example.org/phone'><error type='modify'>"
         "<policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
        {"<message type='error' id='q1' " ALICE " " LAMP ">", ""},
        {"<iq type='result' id='q1' " ALICE " " LAMP ">", ""},
        {"<message id='q1' " ALICE " to='other.example'>", ""},
    };
    static char ask[300000];
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        size_t n = strlen(list[i].ask);
        memset(ask, 'x', sizeof ask);
        memcpy(ask, list[i].ask, n);
        memcpy(ask + n, "<body>", 6);
        const char *tail = strncmp(ask, "<iq", 3) ? "</body></message>" : "</body></iq>";
        memcpy(ask + sizeof ask - strlen(tail) - 1, tail, strlen(tail) + 1);
        check(&h, ask, list[i].answer);
    }
    harness_finish(&h);
}

static void test_registration(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define FORM                                                                                                           \
    "<instructions>*</instructions><x xmlns='jabber:x:data' type='form'><title>Registration</title><instructions>*"    \
    "</instructions><field var='FORM_TYPE' type='hidden'><value>jabber:iq:register</value></field></x></query>"
    check(&h, GET(ALICE, HERE, "<query xmlns='jabber:iq:register'/>"),
          RESULT("bridge.example", "<query xmlns='jabber:iq:register'>" FORM));
    check(&h, GET(BOB, HERE, "<query xmlns='jabber:iq:register'/>"),
          FAILURE("bridge.example", "bob@example.org/phone", "auth", "forbidden"));
    h.registered = true;
    check(&h, GET(ALICE, HERE, "<query xmlns='jabber:iq:register'/>"),
          RESULT("bridge.example", "<query xmlns='jabber:iq:register'><registered/>" FORM));
    check(&h, SET(ALICE, HERE, "<query xmlns='jabber:iq:register'><remove/><name/></query>"),
          REFUSED("bridge.example", "modify", "bad-request"));
    check(&h, SET(ALICE, HERE, "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='cancel'/></query>"),
          RESULT("bridge.example", ""));
    harness_finish(&h);
}

static void test_registration_events(void **state)
{
    (void)state;
    static const struct {
        const char *payload;
        enum event_kind kind;
    } list[] = {
        {"<query xmlns='jabber:iq:register'/>", EV_REGISTER},
        {"<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='submit'/></query>", EV_REGISTER},
        {"<query xmlns='jabber:iq:register'><username>a</username><password>b</password></query>", EV_REGISTER},
        {"<query xmlns='jabber:iq:register'><remove/></query>", EV_UNREGISTER},
    };
    struct harness h;
    harness_init(&h);
    h.answering = true;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char ask[512];
        snprintf(ask, sizeof ask, "<iq type='set' id='q1' " ALICE " " HERE ">%s</iq>", list[i].payload);
        harness_assert_match(harness_ask(&h, ask), RESULT("bridge.example", ""));
        assert_int_equal(h.event_count, 1);
        assert_int_equal(h.events[0]->kind, list[i].kind);
        assert_int_equal(h.events[0]->component, 7);
        assert_int_equal(h.events[0]->now, 1000);
        assert_int_equal(h.events[0]->wall, HARNESS_WALL);
        assert_true(str_eq_c(h.events[0]->id, "q1"));
        assert_true(str_eq_c(h.events[0]->user.resource, "phone"));
        assert_int_equal(h.events[0]->to.local.n, 0);
    }
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_answers),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_not_answered),
        cmocka_unit_test(test_hidden_is_absent),
        cmocka_unit_test(test_absent_bytes_are_the_same),
        cmocka_unit_test(test_room_occupant),
        cmocka_unit_test(test_vcard),
        cmocka_unit_test(test_rename),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_full_output),
        cmocka_unit_test(test_oversize),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_registration_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
