#include "lib/check.h"

#include "base/fsm.h"
#include "base/strbuf.h"

enum { IDLE, RUN, DONE, STATES };

static const struct fsm_state states[] = {
    [IDLE] = {"idle", FSM_TO(RUN)},
    [RUN] = {"run", FSM_TO(DONE) | FSM_TO(RUN)},
    [DONE] = {"done", 0},
};
static const struct fsm_def def = {"job", states, STATES};
static const struct log_ctx ctx = {.sub = LOG_SUB_core};

static void test_moves_along_edges(void **state)
{
    (void)state;
    struct fsm f;
    fsm_init(&f, &def, IDLE, 100);
    assert_string_equal(fsm_name(&f), "idle");
    assert_true(fsm_may(&f, RUN));
    assert_false(fsm_may(&f, DONE));
    assert_false(fsm_may(&f, STATES));
    fsm_move(&f, RUN, 150, &ctx);
    assert_int_equal(f.state, RUN);
    assert_int_equal(f.since, 150);
    fsm_move(&f, RUN, 160, &ctx);
    fsm_move(&f, DONE, 170, NULL);
    assert_string_equal(fsm_name(&f), "done");
    assert_false(fsm_may(&f, IDLE));
}

static void no_edge(void)
{
    struct fsm f;
    fsm_init(&f, &def, IDLE, 0);
    fsm_move(&f, DONE, 0, &ctx);
}

static void no_state(void)
{
    struct fsm f;
    fsm_init(&f, &def, IDLE, 0);
    fsm_move(&f, 40, 0, &ctx);
}

static void test_other_edges_abort(void **state)
{
    (void)state;
    assert_true(aborts(no_edge));
    assert_true(aborts(no_state));
}

static void take(void *ud, struct str line)
{
    (void)strbuf_str(ud, line);
}

static void test_moves_are_logged(void **state)
{
    (void)state;
    struct strbuf line;
    struct fsm f;
    strbuf_init(&line, 1000);
    log_to_sink(take, &line);
    log_set_level(LOG_DEBUG);
    fsm_init(&f, &def, IDLE, 100);
    fsm_move(&f, RUN, 150, &ctx);
    assert_true(str_ends(strbuf_view(&line), STR("sub=core msg=state machine=job from=idle to=run ms=50\n")));
    log_set_level(LOG_INFO);
    log_to_fd(STDERR_FILENO);
    strbuf_finish(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves_along_edges),
        cmocka_unit_test(test_other_edges_abort),
        cmocka_unit_test(test_moves_are_logged),
    };
    return cmocka_run_group_tests_name("fsm", tests, NULL, NULL);
}
