#include "lib/check.h"

#include "base/arena.h"
#include "base/mem.h"

enum { KEEP = 64 * 1024 };

static void test_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 64);
    unsigned char *p[200];
    for (size_t i = 0; i < COUNT(p); i++) {
        p[i] = arena_alloc(&a, i);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, i);
    }
    for (size_t i = 0; i < COUNT(p); i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(p[i][j], i);
    arena_finish(&a);
    assert_int_equal(a.total, 0);
    assert_null(a.head);
}

static void test_odd_first_chunk(void **state)
{
    (void)state;
    for (size_t first = 1; first < 40; first++) {
        struct arena a;
        arena_init(&a, first);
        for (int i = 0; i < 50; i++)
            assert_int_equal((uintptr_t)memset(arena_alloc(&a, 5), 1, 5) % 16, 0);
        arena_finish(&a);
    }
}

static void test_reset_keeps_one_chunk(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    assert_int_equal(a.total, 0);
    for (int i = 0; i < 1000; i++)
        (void)arena_alloc(&a, 1000);
    assert_true(a.total > 1000000);
    arena_reset(&a);
    assert_int_equal(a.total, KEEP);
    const struct arena_chunk *kept = a.head;
    for (int i = 0; i < 60; i++)
        (void)arena_alloc(&a, 1000);
    assert_ptr_equal(a.head, kept);
    arena_reset(&a);
    assert_int_equal(a.total, KEEP);
    arena_finish(&a);
}

static void test_reset_gives_large_chunks_back(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100);
    arena_reset(&a);
    (void)arena_alloc(&a, KEEP + 1);
    assert_true(a.total > KEEP);
    arena_reset(&a);
    assert_int_equal(a.total, 0);
    (void)arena_alloc(&a, 10);
    char *rest = arena_alloc(&a, 10);
    (void)arena_alloc(&a, KEEP * 4);
    char *after = arena_alloc(&a, 10);
    assert_ptr_equal(after, rest + 16);
    arena_reset(&a);
    assert_int_equal(a.total, 100);
    arena_finish(&a);
}

static void test_zalloc(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 4096);
    for (int round = 0; round < 2; round++) {
        unsigned char *p = arena_zalloc(&a, 10, 10);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, 100);
        arena_reset(&a);
    }
    const struct str *s = ARENA_NEW(&a, struct str);
    assert_null(s->p);
    arena_finish(&a);
}

static void test_copies(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    struct str s = arena_dup(&a, (struct str){"abcdef", 3});
    assert_string_equal(s.p, "abc");
    assert_int_equal(s.n, 3);
    assert_string_equal(arena_dup(&a, STR_NONE).p, "");
    assert_string_equal(arena_cstr(&a, STR_NONE), "");
    assert_string_equal(arena_cstr(&a, (struct str){"xyz", 2}), "xy");
    const struct str parts[] = {STR("a"), STR_NONE, STR("bc"), STR("")};
    s = arena_concat(&a, parts, COUNT(parts));
    assert_string_equal(s.p, "abc");
    assert_int_equal(s.n, 3);
    assert_string_equal(arena_concat(&a, NULL, 0).p, "");
    arena_finish(&a);
}

// Lengths on both sides of the buffer that is tried first.
static void test_printf(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 0);
    for (int n = 0; n < 600; n++) {
        struct str s = arena_printf(&a, "%*s", n, "");
        assert_int_equal(s.n, n);
        assert_int_equal(strlen(s.p), n);
    }
    assert_str(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    arena_finish(&a);
}

static void alloc_too_much(void)
{
    struct arena a;
    arena_init(&a, 0);
    (void)arena_alloc(&a, SIZE_MAX - 8);
}

static void zalloc_overflows(void)
{
    struct arena a;
    arena_init(&a, 0);
    (void)arena_zalloc(&a, SIZE_MAX / 2, 3);
}

static void test_overflow_aborts(void **state)
{
    (void)state;
    assert_true(aborts(alloc_too_much));
    assert_true(aborts(zalloc_overflows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned_and_apart),
        cmocka_unit_test(test_odd_first_chunk),
        cmocka_unit_test(test_reset_keeps_one_chunk),
        cmocka_unit_test(test_reset_gives_large_chunks_back),
        cmocka_unit_test(test_zalloc),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_overflow_aborts),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
