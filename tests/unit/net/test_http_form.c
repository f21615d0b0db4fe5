#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/http.h"
#include "net/http_form.h"

static int setup(void **state)
{
    static struct arena arena;
    arena_init(&arena, 0);
    *state = &arena;
    return 0;
}

static int teardown(void **state)
{
    arena_finish(*state);
    return 0;
}

static void percent(void **state)
{
    static const struct {
        const char *in;
        bool plus, ok;
        const char *out;
    } cases[] = {
        {"", false, true, ""},
        {"abc", false, true, "abc"},
        {"a%20b", false, true, "a b"},
        {"a+b", false, true, "a+b"},
        {"a+b", true, true, "a b"},
        {"a%2Bb", true, true, "a+b"},
        {"%41%4a%4A", false, true, "AJJ"},
        {"%2541", false, true, "%41"},
        {"%", false, false, ""},
        {"%4", false, false, ""},
        {"%4g", false, false, ""},
        {"a%", false, false, ""},
        {"%-1", false, false, ""},
        {"%c3%a9", false, true, "\xc3\xa9"},
    };
    struct str out;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(http_percent_decode(*state, str_c(cases[i].in), cases[i].plus, &out), cases[i].ok);
        if (cases[i].ok)
            assert_true(str_eq_c(out, cases[i].out));
    }
    assert_true(http_percent_decode(*state, STR("a%00b"), false, &out));
    assert_int_equal(out.n, 3);
}

static void a_form(void **state)
{
    const struct http_pair *pairs;
    size_t n;
    assert_true(http_form_parse(*state, STR("payload=%7B%22a%22%3A1%7D&b=x+y&&c&d=&=e&b=2"), 6, &pairs, &n));
    assert_int_equal(n, 6);
    assert_true(str_eq_c(http_form_get(pairs, n, "payload"), "{\"a\":1}"));
    assert_true(str_eq_c(http_form_get(pairs, n, "b"), "x y"));
    assert_non_null(http_form_get(pairs, n, "c").p);
    assert_int_equal(http_form_get(pairs, n, "d").n, 0);
    assert_true(str_eq_c(http_form_get(pairs, n, ""), "e"));
    assert_null(http_form_get(pairs, n, "no").p);
}

static void forms_that_are_refused(void **state)
{
    static const char *const bad[] = {"a=1&b=2&c=3&d=4", "a=%", "%zz=1", "a=%ff", "a=1&b=%c3"};
    const struct http_pair *pairs;
    size_t n;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(http_form_parse(*state, str_c(bad[i]), 3, &pairs, &n));
        assert_int_equal(n, 0);
    }
    assert_true(http_form_parse(*state, STR(""), 0, &pairs, &n));
    assert_true(http_form_parse(*state, STR("&&&"), 0, &pairs, &n));
}

static void tokens_and_headers(void **state)
{
    (void)state;
    static const struct {
        struct http_header header;
        bool good;
    } cases[] = {
        {{{"X-A", 3}, {"b c", 3}}, true}, {{{"X A", 3}, {"b", 1}}, false},    {{{"", 0}, {"b", 1}}, false},
        {{{"X", 1}, {"", 0}}, true},      {{{"X", 1}, {"a\r\nb", 4}}, false}, {{{"X", 1}, {"a\0b", 3}}, false},
        {{{"X\0", 2}, {"a", 1}}, false},  {{{"X:", 2}, {"a", 1}}, false},     {{{"X", 1}, {"a\tb", 3}}, true},
        {{{"X", 1}, {"\x7f", 1}}, false}, {{{"X\xc3", 2}, {"a", 1}}, false},  {{{"X", 1}, {"\xc3\xa9", 2}}, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(http_header_good(&cases[i].header), cases[i].good);
    char *large = mem_zalloc(1, HTTP_HEADER_MAX + 1);
    memset(large, 'a', HTTP_HEADER_MAX);
    assert_true(http_header_good(&(struct http_header){STR("X"), {large, HTTP_HEADER_MAX - 1}}));
    assert_false(http_header_good(&(struct http_header){STR("X"), {large, HTTP_HEADER_MAX}}));
    mem_free(large);
    assert_false(http_token(STR("")));
    assert_string_equal(http_status_text(413), "Content Too Large");
    assert_string_equal(http_status_text(299), "Unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(percent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_form, setup, teardown),
        cmocka_unit_test_setup_teardown(forms_that_are_refused, setup, teardown),
        cmocka_unit_test(tokens_and_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
