#include "lib/check.h"

#include "base/backoff.h"

static void test_between_floor_and_cap(void **state)
{
    (void)state;
    struct backoff b;
    struct rng r;
    rng_init(&r, 1);
    for (int round = 0; round < 1000; round++) {
        int64_t ceiling = 1000;
        backoff_init(&b, 1000, 60000);
        for (int i = 0; i < 12; i++) {
            int64_t delay = backoff_next(&b, &r);
            ceiling = ceiling * 2 < 60000 ? ceiling * 2 : 60000;
            assert_true(delay >= 1000 && delay <= ceiling);
        }
        assert_int_equal(b.tries, 12);
    }
}

static void test_grows_and_spreads(void **state)
{
    (void)state;
    struct backoff b;
    struct rng r;
    int64_t first = 0, late = 0, least = INT64_MAX, most = 0;
    rng_init(&r, 2);
    for (int round = 0; round < 1000; round++) {
        backoff_init(&b, 1000, 60000);
        int64_t delay = backoff_next(&b, &r);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
        first += delay;
        for (int i = 0; i < 9; i++)
            delay = backoff_next(&b, &r);
        late += delay;
    }
    assert_true(least < 1050 && most > 1950);
    assert_true(late > 10 * first);
}

static void test_reset_begins_anew(void **state)
{
    (void)state;
    struct backoff b;
    struct rng r;
    rng_init(&r, 3);
    backoff_init(&b, 10, 100000);
    for (int i = 0; i < 20; i++)
        (void)backoff_next(&b, &r);
    backoff_reset(&b);
    assert_int_equal(b.tries, 0);
    assert_true(backoff_next(&b, &r) <= 20);
}

static void test_edges(void **state)
{
    (void)state;
    struct backoff b;
    struct rng r;
    rng_init(&r, 4);
    backoff_init(&b, 500, 500);
    assert_int_equal(backoff_next(&b, &r), 500);
    backoff_init(&b, 0, 0);
    assert_int_equal(backoff_next(&b, &r), 0);
    backoff_init(&b, 0, 8);
    for (int i = 0; i < 10; i++)
        assert_true(backoff_next(&b, &r) <= 8);
    backoff_init(&b, 1, INT64_MAX - 1);
    for (int i = 0; i < 100; i++)
        assert_true(backoff_next(&b, &r) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_between_floor_and_cap),
        cmocka_unit_test(test_grows_and_spreads),
        cmocka_unit_test(test_reset_begins_anew),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
