#include "lib/check.h"

#include "base/ratelimit.h"

static void test_burst_then_rate(void **state)
{
    (void)state;
    struct ratelimit r;
    ratelimit_init(&r, 2, 5, 1000);
    for (int i = 0; i < 5; i++)
        assert_true(ratelimit_take(&r, 1000));
    assert_false(ratelimit_take(&r, 1000));
    assert_false(ratelimit_take(&r, 1499));
    assert_true(ratelimit_take(&r, 1500));
    assert_false(ratelimit_take(&r, 1500));
    for (int i = 0; i < 5; i++)
        assert_true(ratelimit_take(&r, 1000000));
    assert_false(ratelimit_take(&r, 1000000));
}

// At any rate: after waiting as long as was said a token is there, and over the long run no more than the rate passes.
static void test_wait_is_right(void **state)
{
    (void)state;
    static const double rates[] = {0.001, 0.3, 1, 3, 7, 100, 999, 1000};
    for (size_t i = 0; i < COUNT(rates); i++) {
        struct ratelimit r;
        int64_t now = 50;
        int taken = 0;
        ratelimit_init(&r, rates[i], 1, now);
        for (; taken < 500; taken++) {
            int64_t wait = ratelimit_wait(&r, now);
            assert_true(wait >= 0);
            now += wait;
            assert_int_equal(ratelimit_wait(&r, now), 0);
            assert_true(ratelimit_take(&r, now));
        }
        assert_true(taken <= 1.01 + (double)(now - 50) * rates[i] / 1000);
    }
}

static void test_closed_bucket(void **state)
{
    (void)state;
    struct ratelimit r;
    ratelimit_init(&r, 0, 1, 0);
    assert_int_equal(ratelimit_wait(&r, 0), 0);
    assert_true(ratelimit_take(&r, 0));
    assert_false(ratelimit_take(&r, INT64_C(1) << 40));
    assert_true(ratelimit_wait(&r, 0) == INT64_MAX);
}

static void test_time_that_stands_or_runs_back(void **state)
{
    (void)state;
    struct ratelimit r;
    ratelimit_init(&r, 1, 1, 10000);
    assert_true(ratelimit_take(&r, 10000));
    assert_false(ratelimit_take(&r, 5000));
    assert_false(ratelimit_take(&r, 10999));
    assert_true(ratelimit_take(&r, 11000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_wait_is_right),
        cmocka_unit_test(test_closed_bucket),
        cmocka_unit_test(test_time_that_stands_or_runs_back),
    };
    return cmocka_run_group_tests_name("ratelimit", tests, NULL, NULL);
}
