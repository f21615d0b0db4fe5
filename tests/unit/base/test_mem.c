#include "lib/check.h"

#include "base/mem.h"

static void product_overflows(void)
{
    (void)mem_product(SIZE_MAX / 2, 3);
}

static void zalloc_overflows(void)
{
    mem_free(mem_zalloc(SIZE_MAX, 2));
}

static void realloc_overflows(void)
{
    mem_free(mem_realloc(NULL, SIZE_MAX, 2));
}

static void dup_overflows(void)
{
    mem_free(mem_dup("", SIZE_MAX));
}

static void test_overflow_aborts(void **state)
{
    (void)state;
    assert_true(aborts(product_overflows));
    assert_true(aborts(zalloc_overflows));
    assert_true(aborts(realloc_overflows));
    assert_true(aborts(dup_overflows));
    assert_int_equal(mem_product(3, 4), 12);
    assert_int_equal(mem_product(SIZE_MAX, 0), 0);
    assert_int_equal(mem_product(0, SIZE_MAX), 0);
}

static void test_size_zero_is_memory(void **state)
{
    (void)state;
    void *p = mem_alloc(0), *q = mem_zalloc(0, 8), *r = mem_realloc(NULL, 0, 1);
    assert_non_null(p);
    assert_non_null(q);
    assert_non_null(r);
    mem_free(p);
    mem_free(q);
    mem_free(r);
    mem_free(NULL);
}

static void test_zeroed_and_grown(void **state)
{
    (void)state;
    unsigned char *p = mem_zalloc(10, 2);
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(p[i], 0);
    memset(p, 7, 20);
    p = mem_realloc(p, 100, 2);
    assert_int_equal(p[19], 7);
    mem_free(p);
}

static void test_dup_ends_with_nul(void **state)
{
    (void)state;
    char *p = mem_dup("a\0b", 3);
    assert_memory_equal(p, "a\0b\0", 4);
    mem_free(p);
    p = mem_dup(NULL, 0);
    assert_string_equal(p, "");
    mem_free(p);
}

static void test_wipe(void **state)
{
    (void)state;
    char secret[] = "secret";
    mem_wipe(secret, sizeof secret);
    assert_memory_equal(secret, "\0\0\0\0\0\0\0", sizeof secret);
    mem_wipe(NULL, 0);
}

struct outer {
    int first;
    int member;
};

static void test_container_of(void **state)
{
    (void)state;
    struct outer *o = MEM_NEW(struct outer);
    assert_ptr_equal(CONTAINER_OF(&o->member, struct outer, member), o);
    assert_int_equal(o->first, 0);
    mem_free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow_aborts),
        cmocka_unit_test(test_size_zero_is_memory),
        cmocka_unit_test(test_zeroed_and_grown),
        cmocka_unit_test(test_dup_ends_with_nul),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_container_of),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
