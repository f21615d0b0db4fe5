/* Who asked for a receipt is told an outcome, whatever happens to the process. */
#include "lib/journal_fixture.h"

#include "core/pending.h"

static const char phone[] = "alice@example.org/phone";

static struct event ask(const char *to, const char *id)
{
    struct event ev = core_user(EV_MESSAGE, phone, to);
    ev.id = str_c(id);
    ev.body = STR("on");
    ev.flags = EVENT_RECEIPT_WANTED;
    return ev;
}

static uint64_t asked(struct journal *j, const struct event *ev)
{
    journal_do(j, ev);
    const char *at = strstr(j->c.lines.p, "token=");
    assert_non_null(at);
    return strtoull(at + 6, NULL, 10);
}

static void test_row_until_the_outcome(void **state)
{
    struct journal *j = *state;
    struct event ev = ask("lamp@gw.example", "q");
    uint64_t token = asked(j, &ev);
    const struct row *row = journal_row(j, ROW_ASK, "", token);
    assert_non_null(row);
    assert_true(str_eq_c(row->user, phone) && str_eq_c(row->local, "lamp") && str_eq_c(row->id, "q"));
    struct event done = core_adapter(EV_DELIVERED, HOME, "");
    done.token = token;
    journal_do(j, &done);
    assert_non_null(strstr(j->c.lines.p, "north receipt lamp@gw.example -> alice@example.org/phone id=q"));
    assert_int_equal(journal_rows(j, ROW_ASK), 0);
    ev.flags = 0; // who asks for nothing is promised nothing
    asked(j, &ev);
    assert_int_equal(journal_rows(j, ROW_ASK), 0);
}

static void test_expired(void **state)
{
    struct journal *j = *state;
    struct event ev = ask("lamp@gw.example", "q");
    asked(j, &ev);
    journal_pass(j, PENDING_MS);
    assert_non_null(strstr(j->c.lines.p, "north bounce"));
    assert_int_equal(journal_rows(j, ROW_ASK), 0);
}

static size_t told(const struct journal *j, const char *id)
{
    char line[80];
    (void)snprintf(line, sizeof line, "-> alice@example.org/phone about=message err=%s id=%s ", err_name(ERR_TIMEOUT),
                   id);
    return core_count(j->c.lines.p ? j->c.lines.p : "", line);
}

// He is told when the link of that component is up, once.
static void test_killed(void **state)
{
    struct journal *j = *state;
    struct event ev = ask("lamp@gw.example", "one");
    uint64_t token = asked(j, &ev);
    ev = ask("mill@two.example", "two");
    asked(j, &ev);
    journal_kill(j);
    journal_link(j, 2, true);
    assert_int_equal(told(j, "two"), 1);
    assert_int_equal(told(j, "one"), 0);
    assert_non_null(strstr(j->c.lines.p, "body=the bridge was restarted; it is not known whether this was done"));
    journal_kill(j);
    journal_start(j);
    assert_int_equal(told(j, "two"), 0);
    journal_kill(j);
    journal_link(j, 1, true);
    assert_int_equal(told(j, "one"), 0); // it was told by now
    assert_int_equal(journal_rows(j, ROW_ASK), 0);
    struct event late = core_adapter(EV_DELIVERED, HOME, "");
    late.token = token; // of the adapter's life before
    journal_do(j, &late);
    assert_null(strstr(j->c.lines.p ? j->c.lines.p : "", "receipt"));
}

// The outcome was told, and the row's end was not committed: told twice is better than never.
static void test_killed_before_the_commit(void **state)
{
    struct journal *j = *state;
    struct event ev = ask("lamp@gw.example", "q");
    uint64_t token = asked(j, &ev);
    j->hold = true;
    struct event done = core_adapter(EV_DELIVERED, HOME, "");
    done.token = token;
    journal_do(j, &done);
    journal_kill(j);
    j->hold = false;
    journal_link(j, 1, true);
    assert_int_equal(told(j, "q"), 1);
}

// No token is given twice while a row of before has it.
static void test_tokens_go_on(void **state)
{
    struct journal *j = *state;
    uint64_t last = 0;
    for (unsigned i = 0; i < 5; i++) {
        struct event ev = ask("lamp@gw.example", "q");
        uint64_t token = asked(j, &ev);
        assert_true(token > last);
        last = token;
        journal_kill(j);
        struct event mill = ask("mill@two.example", "m");
        journal_link(j, 2, true);
        assert_true(asked(j, &mill) > last);
    }
    assert_int_equal(journal_rows(j, ROW_ASK), 10 - 4);
}

static void test_while_stopping(void **state)
{
    struct journal *j = *state;
    journal_do(j, &(struct event){.kind = EV_SHUTDOWN});
    struct event ev = ask("lamp@gw.example", "up");
    journal_do(j, &ev);
    assert_int_equal(told(j, "up"), 1);
    assert_null(strstr(j->c.lines.p, "south"));
    assert_int_equal(journal_rows(j, ROW_ASK), 0);
    journal_link(j, 1, false); // the stream is closing: nothing can be said any more
    ev = ask("lamp@gw.example", "down");
    ev.flags = 0;
    journal_do(j, &ev);
    ev = ask("gw.example", "help");
    journal_do(j, &ev);
    assert_null(strstr(j->c.lines.p, "south"));
    assert_int_equal(journal_rows(j, ROW_ASK), 2);
    journal_kill(j);
    journal_link(j, 1, true);
    assert_int_equal(told(j, "down"), 1);
    assert_int_equal(told(j, "help"), 1);
    assert_non_null(strstr(j->c.lines.p, "body=the bridge was being restarted; this was not done"));
}

// More than a step holds.
static void test_many(void **state)
{
    struct journal *j = *state;
    bridge_destroy(j->c.b);
    journal_begin(j);
    for (unsigned i = 1; i <= PENDING_MAX + 10; i++) {
        struct row row = {.kind = ROW_ASK,
                          .number = i,
                          .user = str_c(phone),
                          .domain = STR("gw.example"),
                          .local = STR("lamp"),
                          .id = STR("q"),
                          .text = STR("why")};
        assert_int_equal(bridge_restore(j->c.b, &row), i <= PENDING_MAX ? ERR_OK : ERR_NOTFOUND);
    }
    strbuf_clear(&j->c.lines);
    size_t bounces = 0;
    journal_link(j, 2, true);
    assert_int_equal(told(j, "q"), 0);
    core_step(&j->c, &(struct event){.kind = EV_LINK_UP, .component = 1});
    for (;;) {
        for (size_t i = 0; i < j->c.out.count; i++)
            bounces += j->c.out.v[i].kind == EFFECT_NORTH && j->c.out.v[i].ev->kind == EV_BOUNCE;
        if (!j->c.out.more)
            break;
        core_step(&j->c, &(struct event){.kind = EV_TICK});
    }
    assert_int_equal(bounces, PENDING_MAX);
}

static void test_absurd_rows(void **state)
{
    struct journal *j = *state;
    bridge_destroy(j->c.b);
    journal_begin(j);
    struct row row = {
        .kind = ROW_ASK, .number = 3, .user = str_c(phone), .domain = STR("gw.example"), .local = STR("lamp")};
    struct row bad = row;
    bad.number = 0;
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad.number = UINT64_MAX; // else the next token would be 0
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.state = 77;
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.user = STR("@");
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.local = STR("a b");
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_BADREQ);
    bad = row;
    bad.domain = STR("gone.example");
    assert_int_equal(bridge_restore(j->c.b, &bad), ERR_NOTFOUND);
    assert_int_equal(bridge_restore(j->c.b, &row), ERR_OK);
    journal_start(j);
    struct event ev = ask("gw.example", "x");
    journal_do(j, &ev);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_setup, journal_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_row_until_the_outcome),
        TEST(test_expired),
        TEST(test_killed),
        TEST(test_killed_before_the_commit),
        TEST(test_tokens_go_on),
        TEST(test_while_stopping),
        TEST(test_many),
        TEST(test_absurd_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
