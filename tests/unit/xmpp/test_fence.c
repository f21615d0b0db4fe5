/* Fences: what is said, and what is taken for one that has come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/gateway_harness.h"

#define PING "<ping xmlns='urn:xmpp:ping'/>"

static struct event fence(uint64_t number)
{
    return (struct event){.kind = EV_FENCE, .component = 7, .number = number};
}

// Of what was said last, the id of the stanza to `to`; "" when there is none.
static void id_to(struct harness *h, const char *to, char id[96])
{
    char head[96];
    id[0] = 0;
    (void)snprintf(head, sizeof head, "to='%s'", to);
    for (const char *at = h->out.n ? h->out.p : ""; (at = strstr(at, "<iq ")); at++) {
        const char *end = strchr(at, '>'), *from = strstr(at, "id='");
        const char *there = strstr(at, head);
        if (there && there < end && from && from < end)
            (void)sscanf(from, "id='%90[^']", id);
    }
}

static void say(struct harness *h, uint64_t number, char own[96], char parent[96])
{
    harness_clear(h);
    struct event ev = fence(number);
    assert_int_equal(gateway_send(h->g, &ev, &h->arena, &h->out), ERR_OK);
    id_to(h, "bridge.example", own);
    id_to(h, "example", parent);
}

// Feeds one stanza; the number of the fence that the core was told of, 0 for none.
static uint64_t back(struct harness *h, const char *type, const char *from, const char *id, const char *inner)
{
    char text[600];
    (void)snprintf(text, sizeof text, "<iq type='%s' from='%s' to='bridge.example' id='%s'>%s</iq>", type, from, id,
                   inner);
    assert_true(harness_feed(h, str_c(text)));
    uint64_t number = 0;
    for (size_t i = 0; i < h->event_count; i++) {
        if (h->events[i]->kind != EV_FENCED)
            continue;
        assert_int_equal(number, 0);
        assert_int_equal(h->events[i]->component, 7);
        number = h->events[i]->number;
    }
    return number;
}

static void test_said(void **state)
{
    struct harness *h = *state;
    struct event ev = fence(1);
    harness_assert_match(harness_send(h, &ev), "<iq from='bridge.example' id='spandrel-fence-*-1' to='bridge.example' "
                                               "type='get'>" PING "</iq>");
    harness_assert_match(harness_send(h, &ev), // again: and to who answers by itself
                         "<iq from='bridge.example' id='spandrel-fence-*-1' to='bridge.example' type='get'>" PING
                         "</iq>"
                         "<iq from='bridge.example' id='spandrel-fence-*-1' to='example' type='get'>" PING "</iq>");
    ev.number = 2;
    harness_assert_match(harness_send(h, &ev), "<iq from='bridge.example' id='spandrel-fence-*-2' to='bridge.example' "
                                               "type='get'>" PING "</iq>");
}

static void test_come_back(void **state)
{
    struct harness *h = *state;
    char own[96], parent[96];
    say(h, 41, own, parent);
    assert_string_equal(parent, "");
    assert_int_equal(back(h, "get", "bridge.example", own, PING), 41);
    assert_string_equal(harness_output(h), "");                        // ourselves are not answered
    assert_int_equal(back(h, "get", "bridge.example", own, PING), 41); // the core knows that it was here
    say(h, 42, own, parent);
    say(h, 42, own, parent);
    assert_string_equal(own, parent);
    assert_int_equal(back(h, "result", "example", parent, ""), 42);
    assert_int_equal(back(h, "error", "example", parent, ""), 42); // an answer, too
    assert_string_equal(harness_output(h), "");
    say(h, UINT64_MAX, own, parent);
    assert_int_equal(back(h, "get", "bridge.example", own, PING), UINT64_MAX);
}

// Whoever else says it, or says something else.
static void test_not_one(void **state)
{
    struct harness *h = *state;
    char own[96], parent[96];
    say(h, 5, own, parent);
    static const struct {
        const char *type, *from;
    } others[] = {
        {"get", "example"},
        {"get", "alice@example.org/phone"},
        {"get", "alice@bridge.example"},
        {"get", "bridge.example/x"},
        {"set", "bridge.example"},
        {"result", "example.org"},
        {"result", "bridge.example"},
        {"result", "example/x"},
        {"error", "eve@example"},
        {"result", "x.example"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(back(h, others[i].type, others[i].from, own, PING), 0);
    assert_int_equal(back(h, "get", "bridge.example", "spandrel-fence", PING), 0);
    char id[140];
    (void)snprintf(id, sizeof id, "%sx", own); // no number
    assert_int_equal(back(h, "get", "bridge.example", id, PING), 0);
    (void)snprintf(id, sizeof id, "%s99999999999999999999", own); // too large
    assert_int_equal(back(h, "get", "bridge.example", id, PING), 0);
    char message[300];
    (void)snprintf(message, sizeof message, "<message type='get' from='bridge.example' to='bridge.example' id='%s'/>",
                   own);
    assert_true(harness_feed(h, str_c(message)));
    for (size_t i = 0; i < h->event_count; i++)
        assert_true(h->events[i]->kind != EV_FENCED);
}

// One that a run before has said is nobody's, and not answered either.
static void test_of_another_run(void **state)
{
    struct harness *h = *state;
    char own[96], parent[96];
    say(h, 1, own, parent);
    harness_create_gateway(h, HARNESS_STARTED, 2);
    assert_int_equal(back(h, "get", "bridge.example", own, PING), 0);
    assert_int_equal(h->event_count, 0);
    assert_string_equal(harness_output(h), "");
}

static void test_no_room(void **state)
{
    struct harness *h = *state;
    harness_clear(h);
    strbuf_finish(&h->out);
    strbuf_init(&h->out, 100);
    struct event ev = fence(1);
    assert_int_equal(gateway_send(h->g, &ev, &h->arena, &h->out), ERR_LIMIT);
    assert_int_equal(h->out.n, 0); // nothing by halves
}

static int setup(void **state)
{
    static struct harness h;
    harness_init(&h);
    *state = &h;
    return 0;
}

static int teardown(void **state)
{
    harness_finish(*state);
    return 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_said), TEST(test_come_back), TEST(test_not_one), TEST(test_of_another_run), TEST(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
