#include "lib/check.h"

#include "text/shown.h"
#include "text/styling.h"

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

static void test_urls(void **state)
{
    (void)state;
    static const struct {
        const char *url, *shown; // "": not shown
    } rows[] = {
        {"https://e.org/a_(b)?c=d&e#f", "https://e.org/a_(b)?c=d&e#f"},
        {" HTTP://E.org ", "HTTP://E.org"},
        {"xmpp:a@e.org?join", "xmpp:a@e.org?join"},
        {"mailto:a@e.org", "mailto:a@e.org"},
        {"https://e.org/é", "https://e.org/é"},
        {"https://e.org/a b\tc", "https://e.org/a%20b%09c"},
        {"https://e.org/<\">", "https://e.org/%3C%22%3E"},
        {"https://e.org/\xC2\xA0", "https://e.org/%C2%A0"},
        {"https://e.org/\x01\xE2\x80\xAEx", "https://e.org/x"},
        {"https://e.org/a\nb", "https://e.org/a%0Ab"},
        {"https://", ""},
        {"javascript:alert(1)", ""},
        {"data:text/html,x", ""},
        {"file:///etc/passwd", ""},
        {"/relative", ""},
        {"#top", ""},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(shown_url(&a, str_c(rows[i].url)), rows[i].shown);
}

static void test_texts_that_are_their_url(void **state)
{
    (void)state;
    struct str url = STR("https://e.org/x");
    assert_true(shown_same(url, url));
    assert_true(shown_same(STR("e.org/x"), url));
    assert_true(shown_same(STR("a@e.org"), STR("mailto:a@e.org")));
    assert_true(shown_same(STR("www.e.org"), STR("http://www.e.org")));
    assert_false(shown_same(STR("http://e.org/x"), url));
    assert_false(shown_same(STR("e.org"), url));
    assert_false(shown_same(STR(""), url));
    assert_false(shown_same(STR("https://good.example"), STR("https://bad.example")));
}

static void test_times(void **state)
{
    (void)state;
    struct str text = STR_NONE;
    static const struct {
        const char *seconds, *shown;
    } rows[] = {
        {"0", "1970-01-01 00:00 UTC"},
        {"1763713805", "2025-11-21 08:30 UTC"},
        {"-1", "1969-12-31 23:59 UTC"},
        {"253402300799", "9999-12-31 23:59 UTC"},
        {"-62135596800", "0001-01-01 00:00 UTC"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(shown_time(&a, str_c(rows[i].seconds), &text));
        assert_str(text, rows[i].shown);
    }
    static const char *const none[] = {"", "x", "1.5", " 1", "253402300800", "-62135596801", "99999999999999999999"};
    for (size_t i = 0; i < COUNT(none); i++)
        assert_false(shown_time(&a, str_c(none[i]), &text));
}

// What a span that is written keeps or loses.
static void test_spans_that_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *before, *within, *want;
    } rows[] = {
        {"", "x", "*x*"}, {"a ", "x", "a *x*"}, {"a", "x", "ax"},         {"_", "x", "_*x*"},
        {"", "", ""},     {"", "2*3", "2*3"},   {"", "2 * 3", "*2 * 3*"}, {"", " x", " x"},
        {"", "x ", "x "}, {"> ", "x", "> *x*"}, {"```\n", "x", "```\nx"}, {"", "x\ny", "x\ny"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct styling s = {0};
        struct styling_span span;
        struct strbuf b;
        strbuf_init(&b, 100);
        (void)strbuf_c(&b, rows[i].before);
        bool opened = styling_span_open(&s, &b, '*', &span);
        (void)strbuf_c(&b, rows[i].within);
        assert_true(styling_span_close(&s, &b, &span) == opened);
        assert_false(styling_span_close(&s, &b, &span));
        assert_str(strbuf_view(&b), rows[i].want);
        strbuf_finish(&b);
    }
}

static void test_sources_and_results_are_cut(void **state)
{
    (void)state;
    struct strbuf b;
    assert_str(styling_source(&a, STR("a\x01"), 100), "a");
    assert_str(styling_source(&a, STR("0123456789abcdef"), 16), "0123456789abcdef");
    assert_str(styling_source(&a, STR("0123456789abcdefg"), 16), "0123456789 […]");
    strbuf_init(&b, 40);
    (void)strbuf_c(&b, "short");
    assert_str(styling_finish(&a, &b, 36), "short");
    assert_false(strbuf_c(&b, "0123456789012345678901234567890123456789"));
    assert_str(styling_finish(&a, &b, 36), "short […]");
    strbuf_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_texts_that_are_their_url),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_spans_that_are_written),
        cmocka_unit_test(test_sources_and_results_are_cut),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
