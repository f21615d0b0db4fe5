/* What guests ask rooms elsewhere: whether they are in, and what the archive has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lib/gateway_harness.h"
#include "xmpp/muc_ask.h"

#define GUEST "lamp@bridge.example/r1"
#define CONDITION(name) "<error type='cancel'><" name " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

static int setup(void **state)
{
    struct harness *h = mem_zalloc(1, sizeof *h);
    harness_init(h);
    *state = h;
    return 0;
}

static int teardown(void **state)
{
    harness_finish(*state);
    mem_free(*state);
    return 0;
}

static enum err send(struct harness *h, enum event_kind kind, uint64_t number, const char *user, int64_t stamp)
{
    struct event ev = {.kind = kind, .number = number, .stamp = stamp, .now = 1000};
    harness_clear(h);
    ev.user = harness_jid(h, user);
    ev.to = harness_jid(h, GUEST);
    enum err e = gateway_send(h->g, &ev, &h->arena, &h->out);
    arena_reset(&h->arena);
    return e;
}

static void check(struct harness *h, uint64_t number)
{
    assert_int_equal(send(h, EV_CHECK, number, "den@rooms.example/lamp", 0), ERR_OK);
}

// What stands behind `name='` in what went out last.
static const char *sent_attr(struct harness *h, const char *name, char *out)
{
    char pattern[32];
    int n = snprintf(pattern, sizeof pattern, " %s='", name);
    strbuf_char(&h->out, '\0');
    const char *at = strstr(h->out.p, pattern);
    assert_non_null(at);
    (void)snprintf(out, 21, "%s", at + n);
    assert_int_equal(strlen(out), 20);
    return out;
}

static void feed(struct harness *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void feed(struct harness *h, const char *format, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    assert_true(n > 0 && (size_t)n < sizeof text);
    assert_true(harness_feed(h, str_c(text)));
}

/* Checks */

static void assert_checked(struct harness *h, uint64_t number, enum err err)
{
    assert_int_equal(h->event_count, 1);
    const struct event *ev = h->events[0];
    assert_string_equal(event_name(ev->kind), "checked");
    assert_true(ev->number == number);
    assert_string_equal(err_name(ev->err), err_name(err));
    assert_string_equal(jid_format(&h->kept, &ev->user).p, "den@rooms.example/lamp");
    assert_string_equal(jid_format(&h->kept, &ev->to).p, GUEST);
    assert_int_equal(ev->component, 7);
}

static void a_guest_asks_for_itself(void **state)
{
    struct harness *h = *state;
    char id[21];
    check(h, 9);
    harness_assert_match(harness_output(h), "<iq type='get' id='*' from='" GUEST "' to='den@rooms.example/lamp'><ping "
                                            "xmlns='urn:xmpp:ping'/></iq>");
    assert_int_equal(gateway_deadline(h->g), 1000 + MUC_ASK_MS);
    feed(h, "<iq type='result' id='%s' from='den@rooms.example/lamp' to='" GUEST "'/>", sent_attr(h, "id", id));
    assert_checked(h, 9, ERR_OK);
    feed(h, "<iq type='result' id='%s' from='den@rooms.example/lamp' to='" GUEST "'/>", id);
    assert_int_equal(h->event_count, 0);
}

static void what_errors_say(void **state)
{
    struct harness *h = *state;
    static const struct {
        const char *error;
        enum err err;
    } list[] = {
        {CONDITION("service-unavailable"), ERR_OK},
        {CONDITION("feature-not-implemented"), ERR_OK},
        {CONDITION("remote-server-not-found"), ERR_TIMEOUT},
        {CONDITION("remote-server-timeout"), ERR_TIMEOUT},
        {CONDITION("item-not-found"), ERR_NOTFOUND},
        {CONDITION("not-acceptable"), ERR_NOTACCEPTABLE},
        {CONDITION("not-allowed"), ERR_NOTALLOWED},
        {CONDITION("bad-request"), ERR_BADREQ},
        {CONDITION("forbidden"), ERR_FORBIDDEN},
        {CONDITION("recipient-unavailable"), ERR_OFFLINE},
        {CONDITION("of-tomorrow"), ERR_INTERNAL},
        {"", ERR_INTERNAL},
    };
    char id[21];
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        check(h, i);
        feed(h, "<iq type='error' id='%s' from='den@rooms.example/lamp' to='" GUEST "'>%s</iq>", sent_attr(h, "id", id),
             list[i].error);
        assert_checked(h, i, list[i].err);
    }
}

static void silence_decides_nothing(void **state)
{
    struct harness *h = *state;
    check(h, 1);
    gateway_tick(h->g, 999 + MUC_ASK_MS);
    assert_int_equal(h->event_count, 0);
    gateway_tick(h->g, 1000 + MUC_ASK_MS);
    assert_checked(h, 1, ERR_TIMEOUT);
}

static void who_was_not_asked_says_nothing(void **state)
{
    struct harness *h = *state;
    char id[21];
    check(h, 1);
    (void)sent_attr(h, "id", id);
    static const char *const forged[] = {
        "from='den@rooms.example/other' to='" GUEST "'",
        "from='den@rooms.example' to='" GUEST "'",
        "from='evil.example' to='" GUEST "'",
        "from='den@rooms.example/lamp' to='lamp@bridge.example/r2'",
        "from='den@rooms.example/lamp' to='bridge.example'",
    };
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        feed(h, "<iq type='result' id='%s' %s/>", id, forged[i]);
        assert_int_equal(h->event_count, 0);
    }
    feed(h, "<iq type='result' id='%s' from='DEN@rooms.example/lamp' to='Lamp@bridge.example/r1'/>", id);
    assert_checked(h, 1, ERR_OK);
}

// The core hears of the outage anyway.
static void an_outage_ends_all_without_a_word(void **state)
{
    struct harness *h = *state;
    check(h, 1);
    assert_int_equal(send(h, EV_CATCHUP, 2, "den@rooms.example", 0), ERR_OK);
    gateway_down(h->g);
    assert_int_equal(h->event_count, 0);
    assert_int_equal(gateway_deadline(h->g), INT64_MAX);
}

static void many_guests_ask_at_once(void **state)
{
    struct harness *h = *state;
    for (uint64_t i = 0; i < REQUESTS_GUESTS_MAX; i++)
        check(h, i);
    assert_int_equal(send(h, EV_CHECK, 1, "den@rooms.example/lamp", 0), ERR_AGAIN);
    assert_int_equal(h->out.n, 0);
    gateway_tick(h->g, 1000 + MUC_ASK_MS);
    assert_int_equal(h->event_count, REQUESTS_GUESTS_MAX);
    check(h, 1);
}

static void what_does_not_fit_was_not_asked(void **state)
{
    struct harness *h = *state;
    strbuf_finish(&h->out);
    strbuf_init(&h->out, 16);
    assert_int_equal(send(h, EV_CHECK, 1, "den@rooms.example/lamp", 0), ERR_LIMIT);
    assert_int_equal(send(h, EV_CATCHUP, 1, "den@rooms.example", 0), ERR_LIMIT);
    assert_int_equal(gateway_deadline(h->g), INT64_MAX);
}

static void ids_are_not_alike(void **state)
{
    struct harness *h = *state;
    char first[21], next[21];
    check(h, 1);
    (void)sent_attr(h, "id", first);
    for (uint64_t i = 0; i < 100; i++) {
        check(h, i);
        size_t same = 0;
        (void)sent_attr(h, "id", next);
        for (size_t j = 0; j < 20; j++)
            same += first[j] == next[j];
        assert_in_range(same, 0, 9);
    }
}

/* Archives */

#define MAM "urn:xmpp:mam:2"
#define FIN(attrs, set) "<fin xmlns='" MAM "' " attrs "><set xmlns='http://jabber.org/protocol/rsm'>" set "</set></fin>"
#define QUERY(fields, set)                                                                                             \
    "<iq type='set' id='*' from='" GUEST "' to='den@rooms.example'><query xmlns='" MAM "' queryid='*'><x "             \
    "xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>" MAM "</value></field>" fields                 \
    "</x><set xmlns='http://jabber.org/protocol/rsm'>" set "</set></query></iq>"
#define START "<field var='start'><value>2026-11-18T10:00:00Z</value></field>"

struct query {
    struct harness *h;
    char id[21], query[21];
};

static struct query catchup(struct harness *h, int64_t stamp)
{
    struct query q = {.h = h};
    assert_int_equal(send(h, EV_CATCHUP, 5, "den@rooms.example", stamp), ERR_OK);
    (void)sent_attr(h, "id", q.id);
    (void)sent_attr(h, "queryid", q.query);
    h->out.n--; // the NUL of sent_attr(), twice
    h->out.n--;
    return q;
}

static void result(struct query *q, const char *archive_id, const char *inside)
{
    feed(q->h,
         "<message from='den@rooms.example' to='" GUEST "' id='w1'><result xmlns='" MAM "' queryid='%s' id='%s'>"
         "<forwarded xmlns='urn:xmpp:forward:0'>%s</forwarded></result></message>",
         q->query, archive_id, inside);
}

static void page_end(struct query *q, const char *inside)
{
    feed(q->h, "<iq type='result' id='%s' from='den@rooms.example' to='" GUEST "'>%s</iq>", q->id, inside);
}

#define MESSAGE(from, inner)                                                                                           \
    "<message xmlns='jabber:client' type='groupchat' id='m1' from='" from "'>" inner "</message>"
#define STAMP "<delay xmlns='urn:xmpp:delay' from='rooms.example' stamp='2026-11-18T10:00:00.5Z'/>"
#define ARCHIVED MESSAGE("den@rooms.example/al", "<body>hello</body>") STAMP

static void assert_caught_up(struct harness *h, enum err err)
{
    assert_int_equal(h->event_count, 1);
    const struct event *ev = h->events[0];
    assert_string_equal(event_name(ev->kind), "caught-up");
    assert_true(ev->number == 5);
    assert_string_equal(err_name(ev->err), err_name(err));
    assert_string_equal(jid_format(&h->kept, &ev->user).p, "den@rooms.example");
}

static void what_the_archive_has(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, INT64_C(1794996000999));
    harness_assert_match(harness_output(h), QUERY(START, "<max>50</max>"));
    result(&q, "a1", ARCHIVED);
    assert_int_equal(h->event_count, 1);
    const struct event *ev = h->events[0];
    assert_string_equal(event_name(ev->kind), "heard");
    assert_int_equal(ev->flags, EVENT_SNAPSHOT);
    assert_int_equal(ev->type, MESSAGE_GROUPCHAT);
    assert_string_equal(jid_format(&h->kept, &ev->user).p, "den@rooms.example/al");
    assert_string_equal(jid_format(&h->kept, &ev->to).p, GUEST);
    assert_true(str_eq_c(ev->id, "m1") && str_eq_c(ev->reply, "a1") && str_eq_c(ev->body, "hello"));
    assert_int_equal(ev->stamp, INT64_C(1794996000500));
    page_end(&q, FIN("complete='true'", ""));
    assert_caught_up(h, ERR_OK);
    result(&q, "a2", ARCHIVED);
    assert_int_equal(h->event_count, 0);
}

static void everything_without_a_stamp(void **state)
{
    struct harness *h = *state;
    (void)catchup(h, 0);
    harness_assert_match(harness_output(h), QUERY("", "<max>50</max>"));
}

static void pages_follow_each_other(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, 0);
    for (int i = 0; i < 3; i++) {
        char end[256], asked[1024];
        result(&q, "a", ARCHIVED);
        (void)snprintf(end, sizeof end, FIN("complete='false'", "<first>a</first><last>l%d</last><count>9</count>"), i);
        page_end(&q, end);
        assert_int_equal(h->event_count, 0);
        (void)snprintf(asked, sizeof asked, QUERY("", "<max>50</max><after>l%d</after>"), i);
        harness_assert_match(harness_output(h), asked);
        (void)sent_attr(h, "id", q.id);
    }
    page_end(&q, FIN("complete='true'", "<last>l9</last>"));
    assert_caught_up(h, ERR_OK);
}

// A page of so many, four of them; what comes beyond is not taken.
static void so_much_and_no_more(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, 0);
    size_t heard = 0;
    for (int page = 0; page < CATCHUP_MAX / CATCHUP_PAGE; page++) {
        char end[256];
        if (page)
            (void)sent_attr(h, "id", q.id);
        for (int i = 0; i < CATCHUP_PAGE + 7; i++) {
            result(&q, "a", ARCHIVED);
            heard += h->event_count;
        }
        assert_int_equal(heard, (page + 1) * CATCHUP_PAGE);
        (void)snprintf(end, sizeof end, FIN("", "<last>l%d</last>"), page);
        page_end(&q, end);
    }
    assert_int_equal(heard, CATCHUP_MAX);
    assert_caught_up(h, ERR_LIMIT);
    assert_string_equal(harness_output(h), "");
}

// A service may give less at once; of the last page no more is asked for and taken than is left.
static void so_much_and_no_more_in_small_pages(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, 0);
    enum { SMALL = 30, LEFT = CATCHUP_MAX % SMALL };
    for (int page = 0; page <= CATCHUP_MAX / SMALL; page++) {
        size_t heard = 0;
        char end[256];
        if (page)
            (void)sent_attr(h, "id", q.id);
        bool last = page == CATCHUP_MAX / SMALL;
        assert_int_equal(strstr(h->out.p, "<max>20</max>") != NULL, last);
        for (int i = 0; i < SMALL; i++) {
            result(&q, "a", ARCHIVED);
            heard += h->event_count;
        }
        assert_int_equal(heard, last ? LEFT : SMALL);
        (void)snprintf(end, sizeof end, FIN("", "<last>l%d</last>"), page);
        page_end(&q, end);
    }
    assert_caught_up(h, ERR_LIMIT);
}

static void archives_that_have_no_end(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, 0);
    page_end(&q, FIN("", "<last>l1</last>")); // nothing came, and there is more
    assert_caught_up(h, ERR_PROTO);
    q = catchup(h, 0);
    page_end(&q, "");
    assert_caught_up(h, ERR_PROTO);
    q = catchup(h, 0);
    result(&q, "a", ARCHIVED);
    page_end(&q, FIN("", "<last>l1</last>"));
    (void)sent_attr(h, "id", q.id);
    result(&q, "a", ARCHIVED);
    page_end(&q, FIN("", "<last>l1</last>")); // the same place again
    assert_caught_up(h, ERR_OK);
    q = catchup(h, 0);
    result(&q, "a", ARCHIVED);
    page_end(&q, FIN("", ""));
    assert_caught_up(h, ERR_OK);
    q = catchup(h, 0);
    result(&q, "a", ARCHIVED);
    gateway_tick(h->g, 1000 + MUC_ASK_MS);
    assert_int_equal(h->event_count, 2);
    assert_string_equal(err_name(h->events[1]->err), "timeout");
}

static void rooms_without_an_archive(void **state)
{
    struct harness *h = *state;
    static const struct {
        const char *error;
        enum err err;
    } list[] = {
        {CONDITION("service-unavailable"), ERR_UNSUPPORTED},
        {CONDITION("feature-not-implemented"), ERR_UNSUPPORTED},
        {CONDITION("forbidden"), ERR_FORBIDDEN},
        {CONDITION("item-not-found"), ERR_NOTFOUND},
        {CONDITION("remote-server-timeout"), ERR_CLOSED},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct query q = catchup(h, 0);
        feed(h, "<iq type='error' id='%s' from='den@rooms.example' to='" GUEST "'>%s</iq>", q.id, list[i].error);
        assert_caught_up(h, list[i].err);
    }
}

static void results_of_others_count_for_nothing(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, 0);
    static const char *const forged[] = {
        "from='evil@rooms.example' to='" GUEST "'",
        "from='den@rooms.example/al' to='" GUEST "'",
        "from='den@rooms.example' to='lamp@bridge.example'",
        "from='den@rooms.example' to='lamp@bridge.example/r2'",
        "from='rooms.example' to='" GUEST "'",
    };
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        feed(h,
             "<message %s><result xmlns='" MAM "' queryid='%s' id='a'><forwarded xmlns='urn:xmpp:forward:0'>" ARCHIVED
             "</forwarded></result></message>",
             forged[i], q.query);
        assert_int_equal(h->event_count, 0);
    }
    (void)snprintf(q.query, sizeof q.query, "%s", "another");
    result(&q, "a", ARCHIVED);
    assert_int_equal(h->event_count, 0);
    feed(h, "<iq type='result' id='%s' from='evil@rooms.example' to='" GUEST "'>" FIN("complete='true'", "") "</iq>",
         q.id);
    assert_int_equal(h->event_count, 0);
}

static void what_no_archive_should_have(void **state)
{
    struct harness *h = *state;
    struct query q = catchup(h, 0);
    static const char *const odd[] = {
        "",
        STAMP,
        MESSAGE("evil@rooms.example/al", "<body>x</body>"),
        MESSAGE("den@rooms.example", "<body>x</body>"),
        MESSAGE("@@", "<body>x</body>"),
        "<message xmlns='jabber:client' type='groupchat'><body>x</body></message>",
        "<message xmlns='jabber:client' type='chat' from='den@rooms.example/al'><body>x</body></message>",
        "<presence xmlns='jabber:client' from='den@rooms.example/al'/>",
        "<message xmlns='urn:x' type='groupchat' from='den@rooms.example/al'><body>x</body></message>",
    };
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        result(&q, "a", odd[i]);
        assert_int_equal(h->event_count, 0);
    }
    // No stamp: before now. No id: not that of the wrapper.
    result(&q, "",
           "<message xmlns='jabber:client' type='groupchat' from='den@rooms.example/al'><body>x</body></message>");
    assert_int_equal(h->event_count, 1);
    assert_int_equal(h->events[0]->stamp, HARNESS_WALL);
    assert_int_equal(h->events[0]->id.n + h->events[0]->reply.n, 0);
    result(&q, "a",
           MESSAGE("den@rooms.example/al", "<body>x</body><encrypted xmlns='eu.siacs.conversations.axolotl'/>"));
    assert_int_equal(h->events[0]->flags, EVENT_SNAPSHOT | EVENT_ENCRYPTED);
    assert_int_equal(h->events[0]->body.n, 0);
    result(&q, "a", MESSAGE("den@rooms.example/al", "<retracted xmlns='urn:xmpp:message-retract:1'/>"));
    assert_true(str_eq_c(h->events[0]->id, "m1"));
}

static void so_many_archives_at_once(void **state)
{
    struct harness *h = *state;
    size_t n = 0;
    while (send(h, EV_CATCHUP, n, "den@rooms.example", 0) == ERR_OK && n < 1000)
        n++;
    assert_int_equal(n, 256);
    gateway_tick(h->g, 1000 + MUC_ASK_MS);
    assert_int_equal(h->event_count, 256);
    (void)catchup(h, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_guest_asks_for_itself),
        TEST(what_errors_say),
        TEST(silence_decides_nothing),
        TEST(who_was_not_asked_says_nothing),
        TEST(an_outage_ends_all_without_a_word),
        TEST(many_guests_ask_at_once),
        TEST(what_does_not_fit_was_not_asked),
        TEST(ids_are_not_alike),
        TEST(what_the_archive_has),
        TEST(everything_without_a_stamp),
        TEST(pages_follow_each_other),
        TEST(so_much_and_no_more),
        TEST(so_much_and_no_more_in_small_pages),
        TEST(archives_that_have_no_end),
        TEST(rooms_without_an_archive),
        TEST(results_of_others_count_for_nothing),
        TEST(what_no_archive_should_have),
        TEST(so_many_archives_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
