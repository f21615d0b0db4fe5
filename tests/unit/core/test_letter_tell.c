/* What an adapter is told that waits for what becomes of a word to one person. */
#include "lib/journal_fixture.h"

#include "core/letter.h"

static const char phone[] = "alice@example.org/phone", lamp[] = "lamp@gw.example";

struct told {
    unsigned good, bad;
    enum err err; // of the last
    char why[200];
};

static void south(void *ud, const struct event *ev, bool gated)
{
    struct told *t = ud;
    (void)gated;
    if (ev->kind != EV_SETTLED || !str_eq_c(ev->id, "w"))
        return;
    t->good += !ev->err;
    t->bad += ev->err != ERR_OK;
    t->err = ev->err;
    journal_copy(t->why, sizeof t->why, ev->body);
}

static struct journal *said(void **state, struct told *t)
{
    struct journal *j = *state;
    struct event ev = journal_event(HOME, "lamp", "w", 1);
    ev.flags |= EVENT_TELL;
    ev.user = core_jid("alice@example.org");
    *t = (struct told){.good = 0};
    j->south = south;
    j->ud = t;
    journal_do(j, &ev);
    return j;
}

static void bounce(struct journal *j, enum err err)
{
    struct event ev = journal_bounce(phone, lamp, "w", err);
    journal_do(j, &ev);
}

static void test_it_has_arrived(void **state)
{
    struct told t;
    struct journal *j = said(state, &t);
    assert_int_equal(t.good + t.bad, 0);
    journal_pass(j, LANE_HOLD_MS + 2 * LANE_HOLD_STEP);
    assert_int_equal(t.good, 1);
    assert_int_equal(t.bad, 0);
}

static void test_nobody_is_there(void **state)
{
    struct told t;
    struct journal *j = said(state, &t);
    bounce(j, ERR_NOTFOUND);
    journal_pass(j, LANE_HOLD_MS + 2 * LANE_HOLD_STEP);
    assert_int_equal(t.good, 0);
    assert_int_equal(t.bad, 1);
    assert_int_equal(t.err, ERR_NOTACCEPTABLE);
    assert_non_null(strstr(t.why, err_text(ERR_NOTFOUND)));
}

static void test_it_is_tried_again(void **state)
{
    struct told t;
    struct journal *j = said(state, &t);
    bounce(j, ERR_CLOSED);
    journal_pass(j, LANE_HOLD_MS + 2 * LANE_HOLD_STEP);
    assert_int_equal(t.good + t.bad, 0); // nobody knows
    journal_pass(j, letter_delay(0));
    bounce(j, ERR_CLOSED);
    journal_pass(j, letter_delay(1));
    assert_int_equal(t.good + t.bad, 0);
    journal_pass(j, LETTER_ANSWER_MS + 1000);
    assert_int_equal(t.good, 1);
    assert_int_equal(t.bad, 0);
}

static void test_it_is_tried_in_vain(void **state)
{
    struct told t;
    struct journal *j = said(state, &t);
    bounce(j, ERR_CLOSED);
    journal_pass(j, letter_delay(0) + 1000);
    assert_int_equal(t.good + t.bad, 0);
    bounce(j, ERR_NOTFOUND);
    assert_int_equal(t.bad, 1);
    journal_pass(j, LETTER_ANSWER_MS * 2);
    assert_int_equal(t.good, 0);
}

static void test_it_is_too_old(void **state)
{
    struct journal *j = *state;
    struct told t;
    journal_do(j, &(struct event){.kind = EV_LINK_DOWN, .component = 1});
    (void)said(state, &t);
    journal_pass(j, BRIDGE_RECORD_AGE + 1000);
    journal_do(j, &(struct event){.kind = EV_LINK_UP, .component = 1});
    journal_pass(j, LANE_HOLD_MS + 2 * LANE_HOLD_STEP);
    assert_int_equal(t.good, 0);
    assert_int_equal(t.bad, 1);
    assert_int_equal(t.err, ERR_TIMEOUT);
}

// Its answer does not wait for room: who asks it would ask again, and each time it would be taken.
static void test_it_is_refused_when_too_much_waits(void **state)
{
    struct journal *j = *state;
    struct bridge_adapter adapters[3];
    struct bridge_config cfg = j->cfg;
    struct errmsg msg;
    memcpy(adapters, cfg.adapters, sizeof adapters);
    adapters[0].max_records = 3;
    cfg.adapters = adapters;
    assert_int_equal(bridge_reconfigure(j->c.b, &cfg, &msg), ERR_OK);
    journal_do(j, &(struct event){.kind = EV_LINK_DOWN, .component = 1});
    size_t before = j->token_count;
    for (unsigned i = 0; i < 5; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "w%u", i);
        struct event ev = journal_event(HOME, "lamp", id, 1 + i);
        ev.flags |= EVENT_TELL;
        ev.user = core_jid("alice@example.org");
        journal_do(j, &ev);
        assert_int_equal(j->refused, i < 3 ? 0 : i - 2);
        assert_int_equal(j->token_count - before, i < 3 ? i + 1 : 3);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_setup, journal_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_has_arrived),      TEST(test_nobody_is_there), TEST(test_it_is_tried_again),
        TEST(test_it_is_tried_in_vain), TEST(test_it_is_too_old),   TEST(test_it_is_refused_when_too_much_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
