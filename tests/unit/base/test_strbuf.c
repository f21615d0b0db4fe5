#include "lib/check.h"

#include "base/strbuf.h"

static void test_appends(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 1000);
    assert_null(b.p);
    assert_true(strbuf_str(&b, STR("ab")));
    assert_true(strbuf_c(&b, "cd"));
    assert_true(strbuf_char(&b, 'e'));
    assert_true(strbuf_add(&b, "fg", 2));
    assert_true(strbuf_str(&b, STR_NONE));
    assert_true(strbuf_printf(&b, "-%d", 42));
    assert_str(strbuf_view(&b), "abcdefg-42");
    assert_string_equal(b.p, "abcdefg-42");
    strbuf_finish(&b);
    assert_null(b.p);
    assert_int_equal(b.max, 1000);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        const char *text;
    } rows[] = {
        {0, "0"}, {-1, "-1"}, {10, "10"}, {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};
    struct strbuf b;
    strbuf_init(&b, 100);
    for (size_t i = 0; i < COUNT(rows); i++) {
        strbuf_clear(&b);
        assert_true(strbuf_i64(&b, rows[i].v));
        assert_str(strbuf_view(&b), rows[i].text);
    }
    strbuf_clear(&b);
    assert_true(strbuf_u64(&b, UINT64_MAX));
    assert_str(strbuf_view(&b), "18446744073709551615");
    strbuf_finish(&b);
}

// Whatever the way of appending: up to the bound it goes, one byte beyond nothing changes.
static void test_bound_is_exact(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct strbuf b;
        strbuf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            assert_true(strbuf_char(&b, 'x'));
        assert_false(b.full);
        assert_false(strbuf_char(&b, 'y'));
        assert_true(b.full);
        assert_false(strbuf_printf(&b, "%s", "yy"));
        assert_null(strbuf_reserve(&b, 1));
        assert_int_equal(b.n, max);
        assert_true(b.cap <= max + 1);
        if (b.p)
            assert_int_equal(strlen(b.p), max);
        strbuf_clear(&b);
        assert_false(b.full);
        assert_int_equal(strbuf_printf(&b, "%*s", (int)max, ""), true);
        assert_int_equal(b.n, max);
        strbuf_finish(&b);
    }
}

static void test_full_stays(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 4);
    assert_true(strbuf_c(&b, "abc"));
    assert_false(strbuf_c(&b, "de"));
    assert_true(strbuf_c(&b, "f"));
    assert_true(b.full);
    assert_str(strbuf_view(&b), "abcf");
    strbuf_truncate(&b, 2);
    assert_false(b.full);
    assert_string_equal(b.p, "ab");
    strbuf_finish(&b);
}

// A formatted text that does not fit leaves what was there, NUL and all.
static void test_printf_grows(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 5000);
    size_t want = 0;
    for (int n = 0; n < 90; n++) {
        assert_true(strbuf_printf(&b, "<%0*d", n, 0));
        want += 1 + (size_t)(n ? n : 1);
        assert_int_equal(b.n, want);
        assert_int_equal(strlen(b.p), want);
        assert_int_equal(b.p[want - (size_t)(n ? n : 1) - 1], '<');
    }
    struct str before = strbuf_view(&b);
    assert_false(strbuf_printf(&b, "%5000s", ""));
    assert_true(b.n == before.n && strlen(b.p) == before.n);
    strbuf_finish(&b);
}

static void test_consume(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 100);
    strbuf_consume(&b, 0);
    assert_true(strbuf_c(&b, "abcdef"));
    strbuf_consume(&b, 0);
    strbuf_consume(&b, 2);
    assert_string_equal(b.p, "cdef");
    strbuf_consume(&b, 4);
    assert_string_equal(b.p, "");
    assert_int_equal(b.n, 0);
    strbuf_finish(&b);
}

static void test_reserve_and_grew(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 100);
    char *to = strbuf_reserve(&b, 50);
    memset(to, 'x', 50);
    assert_int_equal(b.n, 0);
    strbuf_grew(&b, 30);
    assert_int_equal(strlen(b.p), 30);
    assert_non_null(strbuf_reserve(&b, 0));
    assert_non_null(strbuf_reserve(&b, 70));
    assert_null(strbuf_reserve(&b, 71));
    assert_null(strbuf_reserve(&b, SIZE_MAX));
    strbuf_finish(&b);
}

static void test_shrink(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 10000);
    assert_true(strbuf_printf(&b, "%5000s", ""));
    strbuf_shrink(&b, 100);
    assert_true(b.cap > 5000);
    strbuf_clear(&b);
    strbuf_shrink(&b, 100000);
    assert_true(b.cap > 5000);
    strbuf_shrink(&b, 100);
    assert_int_equal(b.cap, 0);
    assert_true(strbuf_c(&b, "again"));
    assert_str(strbuf_view(&b), "again");
    strbuf_finish(&b);
}

static void test_no_bound_is_no_overflow(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, SIZE_MAX);
    assert_true(strbuf_c(&b, "x"));
    assert_null(strbuf_reserve(&b, SIZE_MAX - 1));
    strbuf_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bound_is_exact),
        cmocka_unit_test(test_full_stays),
        cmocka_unit_test(test_printf_grows),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_reserve_and_grew),
        cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_no_bound_is_no_overflow),
    };
    return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
