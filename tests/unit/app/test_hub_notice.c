// What the admins are told: at once while the link is up, else in one message when it is up again.
#include "app/hub_private.h"
#include "unit/app/hub_rig.h"

static void an_outage_makes_one_notice(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN);
    rig_connect(&r);
    rig_listen(&r);
    assert_false(rig_has(&r, "<body>")); // the first connection is no news
    for (int i = 0; i < 2; i++) {
        rig_outage(&r, 6000);
        rig_connect(&r);
        rig_listen(&r);
        assert_int_equal(rig_count(&r, "<body>"), 1);
        assert_true(rig_has(&r, "to='admin@example.org'") && rig_has(&r, "was down for 6 s") && rig_has(&r, "reset"));
    }
    rig_finish(&r);
}

static void many_tries_make_one_notice(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN);
    rig_connect(&r);
    rig_outage(&r, 6000);
    for (int i = 0; i < 5; i++) {
        component_dialled(rig_link(&r), r.now);
        rig_outage(&r, 60000);
    }
    rig_connect(&r);
    rig_listen(&r);
    assert_int_equal(rig_count(&r, "<body>"), 1);
    assert_true(rig_has(&r, "was down for 5 min"));
    rig_finish(&r);
}

static void what_is_said_meanwhile_is_not_lost(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN);
    struct hub_link *l = hub_link_at(r.hub, 1);
    rig_connect(&r);
    rig_listen(&r);
    hub_notice(l, LOG_DEBUG, STR("first"));
    rig_listen(&r);
    assert_true(rig_has(&r, "<body>first</body>"));
    rig_outage(&r, 6000);
    hub_notice(l, LOG_DEBUG, STR("second"));
    hub_notice(l, LOG_DEBUG, STR("third"));
    for (int i = 0; i < 1000; i++) // as much as there may be
        hub_notice(l, LOG_DEBUG, STR("and so on"));
    rig_connect(&r);
    rig_listen(&r);
    assert_int_equal(rig_count(&r, "<body>"), 1);
    assert_true(rig_has(&r, "second\nthird\nand so on"));
    assert_true(r.answer.n < 10000);
    rig_finish(&r);
}

// A renewal is no outage.
static void what_was_meant_is_no_news(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN);
    rig_connect(&r);
    component_renew(rig_link(&r), STR("t"), STR("10.0.0.1:5347"), r.now);
    component_closed(rig_link(&r), ERR_OK, NULL, r.now);
    rig_connect(&r);
    rig_listen(&r);
    assert_false(rig_has(&r, "<body>"));
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outage_makes_one_notice),
        cmocka_unit_test(many_tries_make_one_notice),
        cmocka_unit_test(what_is_said_meanwhile_is_not_lost),
        cmocka_unit_test(what_was_meant_is_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
