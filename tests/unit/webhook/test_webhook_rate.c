#include "lib/check.h"

#include "adapters/webhook/webhook_rate.h"

#include <stdio.h>

static void test_each_name_has_its_bucket(void **state)
{
    (void)state;
    struct webhook_rate r;
    webhook_rate_init(&r);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(webhook_rate_wait(&r, STR("a"), 1000), 0);
        webhook_rate_take(&r, STR("a"), 2, 3, 1000);
    }
    assert_in_range(webhook_rate_wait(&r, STR("a"), 1000), 500, 501); // rounded up
    assert_int_equal(webhook_rate_wait(&r, STR("b"), 1000), 0);
    assert_int_equal(webhook_rate_wait(&r, STR("a"), 1501), 0);
    webhook_rate_finish(&r);
}

static void test_no_limit_keeps_nothing(void **state)
{
    (void)state;
    struct webhook_rate r;
    webhook_rate_init(&r);
    webhook_rate_take(&r, STR("a"), 1, 1, 0);
    assert_true(webhook_rate_wait(&r, STR("a"), 0) > 0);
    webhook_rate_take(&r, STR("a"), 0, 1, 0);
    assert_int_equal(webhook_rate_wait(&r, STR("a"), 0), 0);
    assert_int_equal(r.by_name.count, 0);
    webhook_rate_finish(&r);
}

static void test_a_new_limit_holds_at_once(void **state)
{
    (void)state;
    struct webhook_rate r;
    webhook_rate_init(&r);
    webhook_rate_take(&r, STR("a"), 1, 1, 0);
    webhook_rate_take(&r, STR("a"), 100, 1, 0);
    assert_int_equal(webhook_rate_wait(&r, STR("a"), 20), 0);
    webhook_rate_finish(&r);
}

static void test_the_idlest_makes_room(void **state)
{
    (void)state;
    struct webhook_rate r;
    webhook_rate_init(&r);
    for (int i = 0; i < WEBHOOK_RATE_MAX; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "%d", i);
        webhook_rate_take(&r, (struct str){name, (size_t)n}, 1, 1, 0);
    }
    webhook_rate_take(&r, STR("0"), 1, 1, 0); // is not the idlest any more
    webhook_rate_take(&r, STR("new"), 1, 1, 0);
    assert_int_equal(r.by_name.count, WEBHOOK_RATE_MAX);
    assert_true(webhook_rate_wait(&r, STR("0"), 0) > 0);
    assert_int_equal(webhook_rate_wait(&r, STR("1"), 0), 0);
    webhook_rate_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_name_has_its_bucket),
        cmocka_unit_test(test_no_limit_keeps_nothing),
        cmocka_unit_test(test_a_new_limit_holds_at_once),
        cmocka_unit_test(test_the_idlest_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
