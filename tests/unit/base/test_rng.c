#include "lib/check.h"

#include "base/rng.h"

static void test_kernel_bytes(void **state)
{
    (void)state;
    unsigned char a[300] = {0}, b[300] = {0};
    rng_bytes(a, sizeof a);
    rng_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 284, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    rng_bytes(NULL, 0);
}

static void test_seed_decides(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_init(&a, 5);
    rng_init(&b, 5);
    rng_init(&c, 6);
    int same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t v = rng_next(&a);
        assert_true(v == rng_next(&b));
        same += v == rng_next(&c);
    }
    assert_int_equal(same, 0);
}

static void test_zero_seed_works(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 0);
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++)
        seen |= rng_next(&r);
    assert_true(seen == UINT64_MAX);
}

static void test_below_is_even(void **state)
{
    (void)state;
    struct rng r;
    unsigned counts[7] = {0};
    rng_init(&r, 1);
    for (int i = 0; i < 70000; i++) {
        uint64_t v = rng_below(&r, 7);
        assert_true(v < 7);
        counts[v]++;
    }
    for (size_t i = 0; i < COUNT(counts); i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_int_equal(rng_below(&r, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
    uint64_t upper = 0;
    for (int i = 0; i < 1000; i++)
        upper += rng_below(&r, (UINT64_C(1) << 63) + 1) >> 62;
    assert_in_range(upper, 400, 600);
}

static void test_ids(void **state)
{
    (void)state;
    struct arena a;
    struct rng r;
    bool seen[256] = {false};
    unsigned letters = 0;
    arena_init(&a, 0);
    rng_init(&r, 9);
    for (size_t n = 0; n < 100; n++) {
        struct str id = rng_id(&r, &a, n);
        assert_int_equal(strlen(id.p), n);
        assert_int_equal(id.n, n);
        for (size_t i = 0; i < n; i++) {
            assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz234567", id.p[i]));
            letters += !seen[(unsigned char)id.p[i]];
            seen[(unsigned char)id.p[i]] = true;
        }
    }
    assert_int_equal(letters, 32);
    arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_bytes),
        cmocka_unit_test(test_seed_decides),
        cmocka_unit_test(test_zero_seed_works),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests_name("rng", tests, NULL, NULL);
}
