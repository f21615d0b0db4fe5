#include "lib/check.h"

#include "base/index.h"
#include "base/rng.h"

enum { MANY = 20000 };

static uint64_t hash_of(uint32_t i)
{
    uint64_t seed = i;
    struct rng r;
    rng_init(&r, seed);
    return rng_next(&r);
}

static bool has(const struct index *ix, uint64_t hash, uint32_t handle)
{
    size_t at = SIZE_MAX;
    uint32_t found;
    while ((found = index_next(ix, hash, &at)) != INDEX_NONE)
        if (found == handle)
            return true;
    return false;
}

static void test_add_find_remove(void **state)
{
    (void)state;
    struct index ix;
    index_init(&ix);
    assert_false(has(&ix, 1, 1));
    assert_false(index_remove(&ix, 1, 1));
    for (uint32_t i = 0; i < MANY; i++)
        index_add(&ix, hash_of(i), i);
    for (uint32_t i = 0; i < MANY; i += 2)
        assert_true(index_remove(&ix, hash_of(i), i));
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(has(&ix, hash_of(i), i), i % 2);
    assert_int_equal(ix.count, MANY / 2);
    assert_false(index_remove(&ix, hash_of(1), 2));
    index_finish(&ix);
    assert_null(ix.slots);
}

static void test_equal_hashes_share(void **state)
{
    (void)state;
    struct index ix;
    index_init(&ix);
    for (uint32_t i = 0; i < 100; i++)
        index_add(&ix, UINT64_C(0x1234567800000000), i);
    assert_true(index_remove(&ix, UINT64_C(0x1234567800000000), 50));
    bool seen[100] = {false};
    size_t at = SIZE_MAX;
    uint32_t found, count = 0;
    while ((found = index_next(&ix, UINT64_C(0x1234567800000000), &at)) != INDEX_NONE) {
        assert_false(seen[found]);
        seen[found] = true;
        count++;
    }
    assert_int_equal(count, 99);
    assert_false(seen[50]);
    assert_false(index_remove(&ix, UINT64_C(0x1234567800000000), 50));
    index_finish(&ix);
}

// Tags that look like the marks of free slots are hashes like any other.
static void test_marks_are_no_hashes(void **state)
{
    (void)state;
    static const uint64_t hashes[] = {0, UINT64_C(1) << 32, UINT64_C(2) << 32, UINT64_MAX};
    struct index ix;
    index_init(&ix);
    for (uint32_t i = 0; i < COUNT(hashes); i++)
        index_add(&ix, hashes[i], i);
    for (uint32_t i = 0; i < COUNT(hashes); i++) {
        assert_true(has(&ix, hashes[i], i));
        assert_true(index_remove(&ix, hashes[i], i));
        assert_false(has(&ix, hashes[i], i));
    }
    assert_int_equal(ix.count, 0);
    index_finish(&ix);
}

static void test_churn_does_not_grow(void **state)
{
    (void)state;
    struct index ix;
    index_init(&ix);
    for (uint32_t i = 0; i < MANY; i++) {
        index_add(&ix, hash_of(i), i);
        if (i >= 10)
            assert_true(index_remove(&ix, hash_of(i - 10), i - 10));
        assert_true(ix.cap <= 64);
        assert_true(ix.count + ix.tombs < ix.cap);
    }
    index_finish(&ix);
}

static void test_memory(void **state)
{
    (void)state;
    struct index ix;
    index_init(&ix);
    for (uint32_t i = 0; i < 100000; i++)
        index_add(&ix, hash_of(i), i);
    assert_true(ix.cap * 8 <= 100000 * 24);
    index_finish(&ix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_find_remove),
        cmocka_unit_test(test_equal_hashes_share),
        cmocka_unit_test(test_marks_are_no_hashes),
        cmocka_unit_test(test_churn_does_not_grow),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
