/* Ad-hoc commands: the form, what is submitted, and every way in which it is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

#define ALICE "alice@example.org/phone"
#define BOB "bob@example.org/phone"
#define LAMP "lamp@bridge.example"
#define HERE "bridge.example"
#define NS "xmlns='http://jabber.org/protocol/commands'"
#define FIELD(name, value) "<field var='" name "'><value>" value "</value></field>"
#define SUBMIT(fields) "<x xmlns='jabber:x:data' type='submit'>" fields "</x>"

// attributes: those of <command/> beside node.
static const char *run(struct harness *h, const char *from, const char *to, const char *node, const char *attributes,
                       const char *inner)
{
    static char text[65536];
    snprintf(text, sizeof text,
             "<iq type='set' id='q1' from='%s' to='%s'><command " NS " node='%s' %s>%s</command></iq>", from, to, node,
             attributes, inner);
    return harness_ask(h, text);
}

static void check_answer(const char *got, const char *from, const char *to, const char *answer)
{
    char want[4096];
    const char *type = strncmp(answer, "<error", 6) ? "result" : "error";
    snprintf(want, sizeof want, "<iq type='%s' id='q1' from='%s' to='%s'>%s</iq>", type, from, to, answer);
    harness_assert_match(got, want);
}

#define FAILURE(type, condition, more)                                                                                 \
    "<error type='" type "'><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" more "</error>"
#define APP(condition) "<" condition " " NS "/>"
#define BAD(condition) FAILURE("modify", "bad-request", APP(condition))

// Begins a session with the lamp's form and takes its id.
static void begin(struct harness *h, char *session, size_t size)
{
    const char *got = run(h, ALICE, LAMP, "set", "", ""), *at = strstr(got, "sessionid='");
    assert_non_null(at);
    at += strlen("sessionid='");
    snprintf(session, size, "%.*s", (int)(strchr(at, '\'') - at), at);
}

static const char *go_on(struct harness *h, const char *action, const char *inner)
{
    char session[128], attributes[256];
    begin(h, session, sizeof session);
    snprintf(attributes, sizeof attributes, "sessionid='%s'%s%s%s", session, *action ? " action='" : "", action,
             *action ? "'" : "");
    return run(h, ALICE, LAMP, "set", attributes, inner);
}

static void test_form(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define OPTIONS "<option label='red'><value>red</value></option><option label='green'><value>green</value></option>"
    check_answer(
        run(&h, ALICE, LAMP, "set", "", ""), LAMP, ALICE,
        "<command " NS " node='set' sessionid='*' status='executing'><actions execute='complete'><complete/></actions>"
        "<x xmlns='jabber:x:data' type='form'><title>Set</title>"
        "<field type='fixed'><value>What to do</value></field>"
        "<field var='on' type='boolean' label='On'><required/><value>true</value></field>"
        "<field var='level' type='text-single' label='Level'><validate "
        "xmlns='http://jabber.org/protocol/xdata-validate' datatype='xs:integer'><range min='0' max='10'/></validate>"
        "<value>7</value></field>"
        "<field var='offset' type='text-single'><validate xmlns='http://jabber.org/protocol/xdata-validate' "
        "datatype='xs:decimal'><basic/></validate></field>"
        "<field var='colour' type='list-single'><value>red</value>" OPTIONS "</field>"
        "<field var='modes' type='list-multi'><value>red</value>" OPTIONS "</field>"
        "<field var='note' type='text-multi' label='Note'><value>a</value><value>b</value></field>"
        "<field var='title' type='text-single' label='Title'/></x></command>");
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_runs_at_once(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    h.answering = true;
#define DONE(node)                                                                                                     \
    "<command " NS " node='" node "' sessionid='*' status='completed'><note type='info'>done</note></command>"
    check_answer(run(&h, ALICE, LAMP, "status", "", ""), LAMP, ALICE, DONE("status"));
    assert_int_equal(h.event_count, 1);
    assert_int_equal(h.events[0]->kind, EV_COMMAND);
    assert_true(str_eq_c(h.events[0]->command, "status"));
    assert_true(str_eq_c(h.events[0]->to.local, "lamp"));
    assert_int_equal(h.events[0]->field_count, 0);
    check_answer(run(&h, ALICE, HERE, "list", "action='execute'", ""), HERE, ALICE, DONE("list"));
    assert_int_equal(h.events[0]->to.local.n, 0);
    check_answer(run(&h, BOB, LAMP, "status", "", ""), LAMP, BOB, DONE("status"));
    harness_finish(&h);
}

static void check_field(const struct event *ev, const char *name, const char *value)
{
    for (size_t i = 0; i < ev->field_count; i++) {
        if (!str_eq_c(ev->fields[i].name, name))
            continue;
        assert_true(value && str_eq_c(ev->fields[i].value, value));
        return;
    }
    assert_null(value);
}

static void test_submit(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    h.answering = true;
    static const char form[] = SUBMIT(
        FIELD("FORM_TYPE", "odd") FIELD("on", "0") FIELD("level", " 10 ") FIELD("offset", "-1.5e3")
            FIELD("colour", "green") "<field var='modes'><value>red</value><value>green</value></field>"
                                     "<field var='note'><value>one</value><value/><value>three</value></field>" FIELD(
                                         "title", "a &lt;b>") FIELD("unknown", "x"));
    static const char *const actions[] = {"", "execute", "complete"};
    for (size_t i = 0; i < 3; i++) {
        check_answer(go_on(&h, actions[i], form), LAMP, ALICE, DONE("set"));
        assert_int_equal(h.event_count, 1);
        const struct event *ev = h.events[0];
        assert_int_equal(ev->kind, EV_COMMAND);
        assert_int_equal(ev->field_count, 7);
        check_field(ev, "on", "false");
        check_field(ev, "level", "10");
        check_field(ev, "offset", "-1.5e3");
        check_field(ev, "colour", "green");
        check_field(ev, "modes", "red\ngreen");
        check_field(ev, "note", "one\n\nthree");
        check_field(ev, "title", "a <b>");
        check_field(ev, "unknown", NULL);
        check_field(ev, "hint", NULL);
    }
    harness_finish(&h);
}

static void test_session_survives(void **state)
{
    (void)state;
    struct harness h;
    char session[128], again[128];
    harness_init(&h);
    begin(&h, session, sizeof session);
    begin(&h, again, sizeof again);
    assert_string_equal(session, again);
    h.answering = true;
    const char *done = go_on(&h, "", SUBMIT(FIELD("on", "1")));
    assert_non_null(strstr(done, session)); // the result belongs to the session
    harness_finish(&h);
}

static void test_absent_fields(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    go_on(&h, "complete", SUBMIT(FIELD("on", "true") FIELD("level", "") FIELD("colour", "") FIELD("title", "")));
    assert_int_equal(h.event_count, 1);
    assert_int_equal(h.events[0]->field_count, 2);
    check_field(h.events[0], "on", "true");
    check_field(h.events[0], "title", ""); // text may be emptied
    harness_finish(&h);
}

static void test_bad_payloads(void **state)
{
    (void)state;
#define ON FIELD("on", "1")
    static const struct {
        const char *inner, *text; // text NULL: none
    } list[] = {
        {"", NULL},
        {"<x xmlns='jabber:x:data' type='form'>" ON "</x>", NULL},
        {"<x xmlns='jabber:x:data'>" ON "</x>", NULL},
        {"<x xmlns='jabber:x:other' type='submit'>" ON "</x>", NULL},
        {SUBMIT(""), "On: a value is required"},
        {SUBMIT("<field var='on'/>"), "On: a value is required"},
        {SUBMIT(FIELD("on", "")), "On: a value is required"},
        {SUBMIT(FIELD("on", "yes")), "On: true or false is wanted"},
        {SUBMIT("<field var='on'><value>1</value><value>0</value></field>"), "On: true or false is wanted"},
        {SUBMIT(ON FIELD("level", "11")), "Level: the number is out of range"},
        {SUBMIT(ON FIELD("level", "-1")), "Level: the number is out of range"},
        {SUBMIT(ON FIELD("level", "1.5")), "Level: a whole number is wanted"},
        {SUBMIT(ON FIELD("level", "ten")), "Level: a number is wanted"},
        {SUBMIT(ON FIELD("level", "nan")), "Level: a number is wanted"},
        {SUBMIT(ON FIELD("level", "inf")), "Level: a number is wanted"},
        {SUBMIT(ON FIELD("level", "1e400")), "Level: a number is wanted"},
        {SUBMIT(ON FIELD("level", "1e300")), "Level: a whole number is wanted"},
        {SUBMIT(ON FIELD("offset", "0x10")), "offset: a number is wanted"},
        {SUBMIT(ON FIELD("colour", "blue")), "colour: this is none of the choices"},
        {SUBMIT(ON FIELD("colour", "red\ngreen")), "colour: this is none of the choices"},
        {SUBMIT(ON FIELD("modes", "blue")), "modes: this is none of the choices"},
        {SUBMIT(ON FIELD("title", "a\nb")), "Title: one line of text is wanted"},
        {SUBMIT(ON FIELD("title", "a&#13;b")), "Title: one line of text is wanted"},
        {SUBMIT(ON "<field var='title'><value>a</value><value>b</value></field>"), "Title: one line of text is wanted"},
        {SUBMIT(ON FIELD("note", "a&#13;")), "Note: lines of text are wanted"},
    };
    struct harness h;
    harness_init(&h);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        char want[512];
        snprintf(want, sizeof want,
                 "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>" APP(
                     "bad-payload") "%s%s%s</error>",
                 list[i].text ? "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>" : "",
                 list[i].text ? list[i].text : "", list[i].text ? "</text>" : "");
        print_message("%s\n", list[i].inner);
        check_answer(go_on(&h, "complete", list[i].inner), LAMP, ALICE, want);
        assert_int_equal(h.event_count, 0);
    }
    harness_finish(&h);
}

static void test_long_value(void **state)
{
    (void)state;
    static char form[16384], value[8194];
    struct harness h;
    harness_init(&h);
    memset(value, 'x', 8192);
    snprintf(form, sizeof form, SUBMIT(ON "<field var='title'><value>%s</value></field>"), value);
    go_on(&h, "complete", form);
    assert_int_equal(h.event_count, 1);
    value[8192] = 'x';
    snprintf(form, sizeof form, SUBMIT(ON "<field var='title'><value>%s</value></field>"), value);
    assert_non_null(strstr(go_on(&h, "complete", form), "Title: the value is too long"));
    snprintf(form, sizeof form, SUBMIT(ON "<field var='note'><value>%s</value><value>y</value></field>"), value);
    assert_non_null(strstr(go_on(&h, "complete", form), "Note: the value is too long"));
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_actions(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
#define CANCELED "<command " NS " node='set' sessionid='*' status='canceled'/>"
    check_answer(go_on(&h, "cancel", ""), LAMP, ALICE, CANCELED);
    check_answer(go_on(&h, "complete", "<x xmlns='jabber:x:data' type='cancel'/>"), LAMP, ALICE, CANCELED);
    check_answer(go_on(&h, "next", SUBMIT(ON)), LAMP, ALICE, BAD("bad-action"));
    check_answer(go_on(&h, "prev", ""), LAMP, ALICE, BAD("bad-action"));
    check_answer(go_on(&h, "explode", ""), LAMP, ALICE, BAD("malformed-action"));
    check_answer(run(&h, ALICE, LAMP, "set", "action='explode'", ""), LAMP, ALICE, BAD("malformed-action"));
    check_answer(run(&h, ALICE, LAMP, "set", "action='complete'", SUBMIT(ON)), LAMP, ALICE, BAD("bad-action"));
    check_answer(run(&h, ALICE, LAMP, "set", "action='cancel'", ""), LAMP, ALICE, BAD("bad-action"));
    check_answer(run(&h, ALICE, LAMP, "set", "action='next'", ""), LAMP, ALICE, BAD("bad-action"));
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_sessions(void **state)
{
    (void)state;
    struct harness h;
    char session[128], attributes[256];
    harness_init(&h);
    check_answer(run(&h, ALICE, LAMP, "set", "sessionid='x'", SUBMIT(ON)), LAMP, ALICE, BAD("bad-sessionid"));
    begin(&h, session, sizeof session);
    snprintf(attributes, sizeof attributes, "sessionid='%s'", session);
    // Another command, another user, another resource: not this session.
    check_answer(run(&h, ALICE, LAMP, "status", attributes, ""), LAMP, ALICE, BAD("bad-sessionid"));
    check_answer(run(&h, "root@example.org/phone", LAMP, "set", attributes, SUBMIT(ON)), LAMP, "root@example.org/phone",
                 BAD("bad-sessionid"));
    check_answer(run(&h, "alice@example.org/pad", LAMP, "set", attributes, SUBMIT(ON)), LAMP, "alice@example.org/pad",
                 BAD("bad-sessionid"));
    session[strlen(session) - 1] ^= 1;
    snprintf(attributes, sizeof attributes, "sessionid='%s'", session);
    check_answer(run(&h, ALICE, LAMP, "set", attributes, SUBMIT(ON)), LAMP, ALICE, BAD("bad-sessionid"));
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_session_of_an_earlier_run(void **state)
{
    (void)state;
    struct harness h;
    char session[128], attributes[256];
    harness_init(&h);
    begin(&h, session, sizeof session);
    snprintf(attributes, sizeof attributes, "sessionid='%s'", session);
    harness_create_gateway(&h, HARNESS_STARTED + 1, 2);
    check_answer(run(&h, ALICE, LAMP, "set", attributes, SUBMIT(ON)), LAMP, ALICE,
                 FAILURE("cancel", "not-allowed", APP("session-expired")));
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_session_with_no_form(void **state)
{
    (void)state;
    struct harness h;
    harness_init(&h);
    h.answering = true;
    const char *done = run(&h, ALICE, LAMP, "status", "", ""), *at = strstr(done, "sessionid='");
    char attributes[256];
    assert_non_null(at);
    snprintf(attributes, sizeof attributes, "%.*s'", (int)(strchr(at + 11, '\'') - at), at);
    check_answer(run(&h, ALICE, LAMP, "status", attributes, ""), LAMP, ALICE, BAD("bad-sessionid")); // it is over
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

static void test_who_may(void **state)
{
    (void)state;
    static const char absent[] = FAILURE("cancel", "item-not-found", "");
    struct harness h;
    harness_init(&h);
    check_answer(run(&h, ALICE, LAMP, "odd", "", ""), LAMP, ALICE, absent);
    check_answer(run(&h, ALICE, LAMP, "", "", ""), LAMP, ALICE, absent);
    check_answer(run(&h, BOB, LAMP, "set", "", ""), LAMP, BOB, absent); // as if there were none
    check_answer(run(&h, BOB, LAMP, "set", "action='explode'", ""), LAMP, BOB, absent);
    check_answer(run(&h, ALICE, HERE, "grant", "", ""), HERE, ALICE, absent);
    check_answer(run(&h, ALICE, HERE, "set", "", ""), HERE, ALICE, absent);
    assert_int_equal(h.event_count, 0);
    harness_finish(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_runs_at_once),
        cmocka_unit_test(test_submit),
        cmocka_unit_test(test_session_survives),
        cmocka_unit_test(test_absent_fields),
        cmocka_unit_test(test_bad_payloads),
        cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_actions),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_session_of_an_earlier_run),
        cmocka_unit_test(test_session_with_no_form),
        cmocka_unit_test(test_who_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
