#include "lib/check.h"

static void test_compares(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order;
        bool case_eq;
    } rows[] = {
        {"", "", 0, true},
        {"a", "a", 0, true},
        {"a", "b", -1, false},
        {"b", "a", 1, false},
        {"a", "ab", -1, false},
        {"ab", "a", 1, false},
        {"A", "a", -1, true},
        {"\xc3", "a", 1, false},
        {"[", "{", -1, false},
        {"@", "`", -1, false},
        {"\xc3\x84", "\xc3\xa4", -1, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str a = str_c(rows[i].a), b = str_c(rows[i].b);
        int order = str_cmp(a, b);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        assert_int_equal(str_eq(a, b), rows[i].order == 0);
        assert_int_equal(str_case_eq(a, b), rows[i].case_eq);
    }
    assert_true(str_eq(STR_NONE, STR("")));
    assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
    assert_true(str_eq(str_c(NULL), STR_NONE));
    assert_true(str_eq_c(STR("x"), "x"));
    assert_true(str_empty(STR_NONE));
}

static void test_starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts(STR("abc"), STR("")));
    assert_true(str_starts(STR("abc"), STR("abc")));
    assert_false(str_starts(STR("abc"), STR("abcd")));
    assert_false(str_starts(STR("abc"), STR("b")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_true(str_ends(STR("abc"), STR_NONE));
    assert_false(str_ends(STR("abc"), STR("b")));
    assert_false(str_ends(STR("c"), STR("bc")));
}

static void test_sub_is_clamped(void **state)
{
    (void)state;
    assert_str(str_sub(STR("abcdef"), 1, 3), "bc");
    assert_str(str_sub(STR("abcdef"), 4, 99), "ef");
    assert_str(str_sub(STR("abcdef"), 6, 99), "");
    assert_str(str_sub(STR("abcdef"), 9, 12), "");
    assert_str(str_sub(STR("abcdef"), 3, 2), "");
    assert_str(str_sub(STR_NONE, 0, 1), "");
}

static void test_find(void **state)
{
    (void)state;
    assert_int_equal(str_find(STR("a.b.c"), '.'), 1);
    assert_int_equal(str_rfind(STR("a.b.c"), '.'), 3);
    assert_int_equal(str_find(STR("abc"), '.'), -1);
    assert_int_equal(str_rfind(STR("abc"), '.'), -1);
    assert_int_equal(str_find(STR_NONE, '.'), -1);
    assert_int_equal(str_rfind(STR_NONE, '.'), -1);
    assert_int_equal(str_rfind(STR(".bc"), '.'), 0);
    assert_int_equal(str_find(STR("a\0b"), 'b'), 2);
}

static void test_find_str(void **state)
{
    (void)state;
    static const struct {
        const char *s, *needle;
        int at;
    } rows[] = {
        {"abcabd", "abd", 3}, {"abcabd", "abc", 0}, {"aaab", "aab", 1}, {"abc", "", 0},    {"", "", 0},
        {"", "a", -1},        {"abc", "abcd", -1},  {"abc", "d", -1},   {"abc", "cd", -1}, {"xaxbxc", "xc", 4},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(str_find_str(str_c(rows[i].s), str_c(rows[i].needle)), rows[i].at);
}

static void test_cut(void **state)
{
    (void)state;
    struct str head, tail;
    assert_true(str_cut(STR("a/b/c"), '/', &head, &tail));
    assert_str(head, "a");
    assert_str(tail, "b/c");
    assert_true(str_rcut(STR("a/b/c"), '/', &head, &tail));
    assert_str(head, "a/b");
    assert_str(tail, "c");
    assert_true(str_cut(STR("/"), '/', &head, &tail));
    assert_str(head, "");
    assert_str(tail, "");
    assert_false(str_cut(STR("abc"), '/', &head, &tail));
    assert_str(head, "abc");
    assert_str(tail, "");
    assert_false(str_rcut(STR_NONE, '/', &head, &tail));
    assert_str(head, "");
}

static void test_words(void **state)
{
    (void)state;
    struct str rest = STR("  set\tpower \r\n on "), word;
    assert_true(str_word(&rest, &word));
    assert_str(word, "set");
    assert_true(str_word(&rest, &word));
    assert_str(word, "power");
    assert_true(str_word(&rest, &word));
    assert_str(word, "on");
    assert_false(str_word(&rest, &word));
    assert_false(str_word(&rest, &word));
    assert_str(str_trim(STR(" \t a b \r\n")), "a b");
    assert_str(str_trim(STR(" \t\r\n")), "");
    assert_str(str_trim(STR_NONE), "");
    assert_str(str_trim(STR("\xc2\xa0")), "\xc2\xa0");
}

static void test_u64(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "1a", "0x1", "18446744073709551616", "99999999999999999999", "1.0"};
    uint64_t v = 7;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(str_to_u64(str_c(bad[i]), &v));
    assert_int_equal(v, 7);
    assert_true(str_to_u64(STR("18446744073709551615"), &v));
    assert_true(v == UINT64_MAX);
    assert_true(str_to_u64(STR("007"), &v));
    assert_int_equal(v, 7);
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        int64_t v;
    } good[] = {
        {"0", 0}, {"-0", 0}, {"-1", -1}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"", "-", "--1", "+1", "9223372036854775808", "-9223372036854775809", "1-", "- 1"};
    int64_t v;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(str_to_i64(str_c(good[i].s), &v));
        assert_true(v == good[i].v);
    }
    v = 7;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(str_to_i64(str_c(bad[i]), &v));
    assert_int_equal(v, 7);
}

static void test_double(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        double v;
    } good[] = {{"0", 0},      {"-1.5", -1.5},  {"+2", 2},      {".5", 0.5},  {"5.", 5},
                {"1e3", 1000}, {"1E-3", 0.001}, {"1e+3", 1000}, {"1e-400", 0}};
    static const char *const bad[] = {"",    ".",  "-",  "e1",    "1e",  "1e+",   "nan", "inf",      "0x10",
                                      "1,5", "1 ", " 1", "1e999", "1_0", "1.5.2", "--1", "infinity", "1\0"};
    double v;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(str_to_double(str_c(good[i].s), &v));
        assert_true(v == good[i].v);
    }
    v = 7;
    for (size_t i = 0; i + 1 < COUNT(bad); i++)
        assert_false(str_to_double(str_c(bad[i]), &v));
    assert_false(str_to_double(STR("1\0"), &v));
    assert_true(v == 7);
    char longest[STR_REAL_MAX + 1];
    memset(longest, '1', sizeof longest);
    assert_true(str_to_double((struct str){longest, STR_REAL_MAX}, &v));
    assert_false(str_to_double((struct str){longest, STR_REAL_MAX + 1}, &v));
}

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        size_t limit, d;
    } rows[] = {
        {"", "", 2, 0},          {"abc", "abc", 2, 0},      {"abc", "ABC", 2, 0},     {"power", "pwoer", 2, 1},
        {"power", "powr", 2, 1}, {"power", "powwer", 2, 1}, {"power", "towel", 2, 2}, {"power", "x", 2, 3},
        {"", "ab", 2, 2},        {"", "abc", 2, 3},         {"ca", "abc", 9, 3},      {"kitten", "sitting", 9, 3},
        {"ab", "ba", 0, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(str_distance(str_c(rows[i].a), str_c(rows[i].b), rows[i].limit), rows[i].d);
        assert_int_equal(str_distance(str_c(rows[i].b), str_c(rows[i].a), rows[i].limit), rows[i].d);
    }
    char many[65];
    memset(many, 'a', sizeof many);
    assert_int_equal(str_distance((struct str){many, 64}, (struct str){many, 64}, 3), 0);
    assert_int_equal(str_distance((struct str){many, 65}, (struct str){many, 65}, 3), 4);
}

static void test_keep(void **state)
{
    (void)state;
    char block[8] = "........", *to = block;
    struct str first = str_keep(&to, STR("ab")), none = str_keep(&to, STR_NONE), last = str_keep(&to, STR("cde"));
    assert_true(first.p == block && str_eq(first, STR("ab")));
    assert_int_equal(none.n, 0);
    assert_true(last.p == block + 2 && str_eq(last, STR("cde")));
    assert_true(to == block + 5 && block[5] == '.');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compares), cmocka_unit_test(test_starts_and_ends), cmocka_unit_test(test_sub_is_clamped),
        cmocka_unit_test(test_find),     cmocka_unit_test(test_find_str),        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_keep),     cmocka_unit_test(test_words),           cmocka_unit_test(test_u64),
        cmocka_unit_test(test_i64),      cmocka_unit_test(test_double),          cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
