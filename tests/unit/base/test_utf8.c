#include "lib/check.h"

#include "base/rng.h"
#include "base/utf8.h"

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_finish(&a);
    return 0;
}

static bool is_scalar(uint32_t c)
{
    return c < 0xD800 || (c > 0xDFFF && c <= 0x10FFFF);
}

// Every code point there is goes out and comes back; the others do not go out.
static void test_every_character(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x110010; c++) {
        char unit[4];
        size_t n = utf8_put(unit, c), at = 0;
        assert_int_equal(n != 0, is_scalar(c));
        if (n == 0)
            continue;
        struct str s = {unit, n};
        assert_int_equal(utf8_next(s, &at), c);
        assert_int_equal(at, n);
        assert_true(utf8_valid(s));
        assert_int_equal(utf8_xml_valid(s), utf8_xml_char(c));
        for (size_t cut = 1; cut < n; cut++) {
            at = 0;
            assert_int_equal(utf8_next(str_sub(s, 0, cut), &at), UINT32_MAX);
            assert_int_equal(at, 1);
        }
    }
    assert_int_equal(utf8_put((char[4]){0}, UINT32_MAX), 0);
}

static const char *const malformed[] = {
    "\x80",
    "\xbf",
    "\xc0\x80",
    "\xc1\xbf",
    "\xe0\x80\x80",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x80\x80\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf4\x90\x80\x80",
    "\xf5\x80\x80\x80",
    "\xf8\x88\x80\x80\x80",
    "\xfe",
    "\xff",
    "\xc3",
    "\xe2\x82",
    "\xf0\x9f\x98",
    "\xc3\x28",
    "\xe2\x28\xa1",
};

// Malformed sequences at each place of a text that is otherwise handled eight bytes at a time.
static void test_malformed_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(malformed); i++) {
        for (size_t lead = 0; lead < 20; lead++) {
            char text[64];
            memset(text, 'x', sizeof text);
            memcpy(text + lead, malformed[i], strlen(malformed[i]));
            struct str s = {text, lead + strlen(malformed[i]) + lead % 10};
            size_t at = lead;
            assert_false(utf8_valid(s));
            assert_false(utf8_xml_valid(s));
            assert_int_equal(utf8_next(s, &at), UINT32_MAX);
            assert_int_equal(at, lead + 1);
            struct str repaired = utf8_repair(&a, s);
            assert_true(utf8_xml_valid(repaired));
            assert_int_equal(repaired.p[repaired.n], '\0');
            arena_reset(&a);
        }
    }
}

static void test_xml_characters(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x20; c++)
        assert_int_equal(utf8_xml_char(c), c == 9 || c == 10 || c == 13);
    static const struct {
        uint32_t c;
        bool ok;
    } rows[] = {{0x20, true},     {0x7F, true},      {0xD7FF, true},     {0xD800, false}, {0xDFFF, false},
                {0xE000, true},   {0xFFFD, true},    {0xFFFE, false},    {0xFFFF, false}, {0x10000, true},
                {0x10FFFF, true}, {0x110000, false}, {UINT32_MAX, false}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(utf8_xml_char(rows[i].c), rows[i].ok);
}

// Each byte value at each offset, alone among ASCII: the fast path and the character table agree.
static void test_fast_path_agrees(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < 17; place++) {
            char text[17];
            memset(text, ' ', sizeof text);
            text[place] = (char)byte;
            struct str s = {text, sizeof text};
            assert_int_equal(utf8_valid(s), byte < 0x80);
            assert_int_equal(utf8_xml_valid(s), byte < 0x80 && utf8_xml_char(byte));
        }
    }
    assert_true(utf8_valid(STR_NONE));
    assert_true(utf8_xml_valid(STR_NONE));
}

static void test_repair(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {{"a\0b", 3},
         "a\xef\xbf\xbd"
         "b"},
        {{"\x01\x02", 2}, "\xef\xbf\xbd\xef\xbf\xbd"},
        {{"\xed\xa0\x80", 3}, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {{"é\xff€", 6}, "é\xef\xbf\xbd€"},
        {{"\xef\xbf\xbe", 3}, "\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(utf8_repair(&a, rows[i].in), rows[i].out);
    struct str good = STR("tab\tnewline\n é€😀");
    assert_ptr_equal(utf8_repair(&a, good).p, good.p);
    assert_int_equal(utf8_repair(&a, STR_NONE).n, 0);
}

static void test_cut_and_length(void **state)
{
    (void)state;
    struct str s = STR("aé€😀");
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t n = 0; n < COUNT(want); n++)
        assert_int_equal(utf8_cut(s, n).n, want[n]);
    assert_int_equal(utf8_length(s), 4);
    assert_int_equal(utf8_length(STR("a\xff\xff"
                                     "b")),
                     4);
    assert_int_equal(utf8_length(STR_NONE), 0);
    assert_int_equal(utf8_cut(STR("\x80\x80\x80\x80\x80\x80"), 5).n, 5);
    assert_int_equal(utf8_cut(STR("\xff\xff"), 1).n, 1);
    assert_int_equal(utf8_cut(STR_NONE, 5).n, 0);
}

static void test_display(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t max;
        const char *out;
    } rows[] = {
        {"Living room lamp", 50, "Living room lamp"},
        {"  a \t\n b  ", 50, "a b"},
        {"a\xe2\x80\xa8"
         "b",
         50, "a b"},
        {"\xe2\x80\xae"
         "evil\xe2\x80\xac",
         50, "evil"},
        {"\xe2\x81\xa6"
         "x\xe2\x81\xa9",
         50, "x"},
        {"ad\xe2\x80\x8bmin\xef\xbb\xbf", 50, "admin"},
        {"a\xc2\xa0\xe3\x80\x80"
         "b",
         50, "a b"},
        {"\x1b[31mred\x7f\xc2\x9b", 50, "[31mred"},
        {"caf\xc3\xa9 \xff", 50, "café \xef\xbf\xbd"},
        {"abcdef", 3, "abc"},
        {"ab cd", 3, "ab"},
        {"ab cd", 4, "ab c"},
        {"éééé", 2, "éé"},
        {"\xe2\x80\x8b \xe2\x80\x8b", 50, ""},
        {"", 50, ""},
        {"abc", 0, ""},
        {"\xf3\xa0\x81\x81"
         "a",
         50, "a"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str out = utf8_display(&a, str_c(rows[i].in), rows[i].max);
        assert_str(out, rows[i].out);
        assert_int_equal(out.p[out.n], '\0');
    }
}

// Random bytes: always fit for XML, never over the bound, and a second pass changes nothing.
static void test_random_bytes(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 11);
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t n = rng_below(&r, sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = rng_below(&r, 3) ? (char)rng_below(&r, 256) : "\xe2\x80 a\xf0\x9f"[rng_below(&r, 6)];
        struct str s = {text, n}, repaired = utf8_repair(&a, s), shown = utf8_display(&a, s, 10);
        assert_true(utf8_xml_valid(repaired) && utf8_length(repaired) == utf8_length(s));
        assert_true(utf8_xml_valid(shown) && utf8_length(shown) <= 10);
        assert_true(str_eq(utf8_display(&a, shown, 10), shown));
        assert_true(str_eq(str_trim(shown), shown));
        arena_reset(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character), cmocka_unit_test(test_malformed_anywhere),
        cmocka_unit_test(test_xml_characters),  cmocka_unit_test(test_fast_path_agrees),
        cmocka_unit_test(test_repair),          cmocka_unit_test(test_cut_and_length),
        cmocka_unit_test(test_display),         cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests_name("utf8", tests, setup, teardown);
}
