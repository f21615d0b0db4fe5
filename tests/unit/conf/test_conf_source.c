/* Offsets, lines, columns and what is shown of them: also where secrets are hidden, and where bytes are strange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/conf_value.h"

#include <stdio.h>
#include <unistd.h>

static void test_locate_and_offset(void **state)
{
    (void)state;
    // Every kind of line end, an empty line, several bytes a character, no end at the end.
    static const char text[] = "ab\n\n\xc3\xa4"
                               "c\r\nd\re";
    static const struct {
        size_t at, line, column;
    } cases[] = {{0, 1, 1}, {1, 1, 2}, {2, 1, 3},  {3, 2, 1},  {4, 3, 1},  {6, 3, 2},
                 {7, 3, 3}, {9, 4, 1}, {10, 4, 2}, {11, 5, 1}, {12, 5, 2}, {99, 5, 2}};
    struct conf_source *s = conf_source_create("x", str_c(text));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t line, column;
        conf_source_locate(s, cases[i].at, &line, &column);
        assert_int_equal(line, cases[i].line);
        assert_int_equal(column, cases[i].column);
        if (cases[i].at <= s->n)
            assert_int_equal(conf_source_offset(s, line, column), cases[i].at);
    }
    assert_int_equal(conf_source_offset(s, 1, 99), 2); // never beyond its line
    assert_int_equal(conf_source_offset(s, 99, 1), s->n);
    assert_int_equal(conf_source_offset(s, 0, 0), 0);
    conf_source_unref(s);
}

static void assert_shown(const struct conf_source *s, size_t at, size_t n, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    conf_source_show(s, (struct conf_place){(uint32_t)at, (uint32_t)n}, &out);
    if (!str_eq_c(strbuf_view(&out), expected))
        print_error("expected\n%sgot\n%s", expected, out.p);
    assert_true(str_eq_c(strbuf_view(&out), expected));
    strbuf_finish(&out);
}

static void test_show(void **state)
{
    (void)state;
    struct conf_source *s = conf_source_create("x", STR("one\n\ttwo \xc3\xa4\xe2\x82\xac x\r\n\x1b[1m \xff \xc2\x9b"));
    assert_shown(s, 0, 3, "one\n^~~\n");
    assert_shown(s, 0, 0, "one\n^\n");
    assert_shown(s, 2, 99, "one\n  ^\n");
    assert_shown(s, 3, 1, "one\n   ^\n");
    assert_shown(s, 5, 3, "\ttwo \xc3\xa4\xe2\x82\xac x\n\t^~~\n");
    assert_shown(s, 9, 5, "\ttwo \xc3\xa4\xe2\x82\xac x\n\t    ^~\n");
    assert_shown(s, 15, 1, "\ttwo \xc3\xa4\xe2\x82\xac x\n\t       ^\n");
    assert_shown(s, 18, 1, "?[1m ? ?\n^\n");
    assert_shown(s, 1000, 1, "?[1m ? ?\n        ^\n");
    conf_source_unref(s);
}

static void test_mask(void **state)
{
    (void)state;
    struct conf_source *s = conf_source_create("x", STR("a: s\xc3\xa4\xf0\x9f\x98\x80t, b: c\n  more\r\nend"));
    conf_source_mask(s, (struct conf_place){3, 8});
    assert_shown(s, 3, 8, "a: ****, b: c\n   ^~~~\n");
    assert_shown(s, 16, 1, "a: ****, b: c\n            ^\n"); // the columns behind it stay
    size_t line, column;
    conf_source_locate(s, 16, &line, &column);
    assert_int_equal(column, 13);
    conf_source_mask(s, (struct conf_place){16, 13}); // over lines: their ends stay
    assert_shown(s, 20, 1, "******\n  ^\n");
    assert_shown(s, 26, 1, "***\n^\n");
    conf_source_mask(s, CONF_NOWHERE);
    conf_source_mask(s, (struct conf_place){20, UINT32_MAX - 21});
    conf_source_unref(s);
}

static void test_long_lines(void **state)
{
    (void)state;
    char text[4096];
    for (size_t i = 0; i < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    struct conf_source *s = conf_source_create("x", (struct str){text, sizeof text});
    for (size_t at = 0; at < sizeof text; at += 202) {
        struct strbuf out;
        struct str line, caret;
        strbuf_init(&out, 4096);
        conf_source_show(s, (struct conf_place){(uint32_t)at, 2}, &out);
        (void)str_cut(strbuf_view(&out), '\n', &line, &caret);
        assert_true(line.n <= 240 && line.n % 2 == 0);
        assert_int_equal(caret.n, (at / 2 < 60 ? at / 2 : 60) + 2);
        strbuf_finish(&out);
    }
    conf_source_unref(s);
}

static void test_paths(void **state)
{
    (void)state;
    char cwd[512], expected[600];
    assert_non_null(getcwd(cwd, sizeof cwd));
    static const struct {
        const char *name, *path, *full; // a full one without '/' is below the current directory
    } cases[] = {
        {"/etc/x.yaml", "a", "/etc/a"},       {"/x.yaml", "a", "/a"}, {"/etc/x.yaml", "/a", "/a"},
        {"/etc/x.yaml", "../a", "/etc/../a"}, {"x.yaml", "a", "a"},   {"sub/x.yaml", "a/b", "sub/a/b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a, 0);
        struct conf_source *s = conf_source_create(cases[i].name, STR_NONE);
        bool below = cases[i].full[0] != '/';
        (void)snprintf(expected, sizeof expected, "%s%s%s", below ? cwd : "", below ? "/" : "", cases[i].full);
        assert_string_equal(conf_source_path(s, &a, str_c(cases[i].path)).p, expected);
        conf_source_unref(s);
        arena_finish(&a);
    }
}

static void test_references(void **state)
{
    (void)state;
    struct conf_source *s = conf_source_create("x", STR("\xef\xbb\xbf"
                                                        "abc"));
    assert_int_equal(s->n, 3); // without the mark
    assert_ptr_equal(conf_source_ref(s), s);
    conf_source_unref(s);
    assert_string_equal(s->text, "abc");
    conf_source_unref(s);
    conf_source_unref(NULL);
}

// Messages beyond what is kept are counted; those about a whole file come first, the others by place.
static void test_report(void **state)
{
    (void)state;
    struct conf_report *r = conf_report_create();
    assert_int_equal(conf_report_text(r).n, 0);
    struct conf_source *s = conf_source_create("x", STR("one\ntwo\nthree\n"));
    conf_report_add(r, true, s, (struct conf_place){8, 5}, "%s", "last");
    conf_report_add(r, false, s, (struct conf_place){4, 3}, "%s", "middle");
    conf_report_add(r, true, s, (struct conf_place){4, 1}, "%s", "the same place");
    conf_report_add(r, true, s, CONF_NOWHERE, "%s", "all of it");
    static const char expected[] =
        "x: error: all of it\nx:2:1: warning: middle\ntwo\n^~~\nx:2:1: error: the same place\ntwo\n^\n"
        "x:3:1: error: last\nthree\n^~~~~\n";
    assert_true(str_eq_c(conf_report_text(r), expected));
    for (int i = 0; i < 100; i++)
        conf_report_add(r, true, s, (struct conf_place){0, 3}, "more %d", i);
    conf_source_unref(s);
    assert_int_equal(conf_errors(r), 103);
    assert_int_equal(conf_warnings(r), 1);
    assert_true(str_ends(conf_report_text(r), STR("... and 54 more\n")));
    conf_report_destroy(r);
}

static void assert_expects(const struct conf_item *item, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    conf_scalar_expect(item->type, item, &out);
    if (!str_eq_c(strbuf_view(&out), expected))
        print_error("expected %s, got %s\n", expected, out.p);
    assert_true(str_eq_c(strbuf_view(&out), expected));
    strbuf_finish(&out);
}

static void test_expectations(void **state)
{
    (void)state;
    static const char *const one[] = {"a", NULL}, *const two[] = {"a", "b", NULL},
                             *const three[] = {"a", "b", "c", NULL};
    static const struct {
        struct conf_item item;
        const char *expected;
    } cases[] = {
        {{.type = CONF_INT}, "a number"},
        {{.type = CONF_INT, .min = -5, .max = 5}, "a number from -5 to 5"},
        {{.type = CONF_INT, .min = 0, .max = 1e9}, "a number from 0 to 1000000000"},
        {{.type = CONF_INT, .min = 10}, "a number, at least 10"},
        {{.type = CONF_REAL, .min = 0.25, .max = 1.5}, "a number from 0.25 to 1.5"},
        {{.type = CONF_SPAN, .min = 1500, .max = 86400000}, "a time such as 250ms, 10s, 5m or 2h, from 1500ms to 1d"},
        {{.type = CONF_SPAN, .min = 90000, .max = 7200000}, "a time such as 250ms, 10s, 5m or 2h, from 90s to 2h"},
        {{.type = CONF_SIZE, .min = 1024, .max = 1 << 20}, "a size such as 64kB or 1MiB, from 1KiB to 1MiB"},
        {{.type = CONF_SIZE, .min = 1, .max = 2000}, "a size such as 64kB or 1MiB, from 1B to 2kB"},
        {{.type = CONF_ENUM, .values = one}, "a"},
        {{.type = CONF_ENUM, .values = two}, "a or b"},
        {{.type = CONF_STR, .values = three}, "a, b or c"},
        {{.type = CONF_STR}, "text"},
        {{.type = CONF_ADDRESS}, "host:port"},
        {{.type = CONF_ADDRESS, .min = 1}, "host or host:port"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_expects(&cases[i].item, cases[i].expected);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a-b", "a1", "abcdefghijklmnopqrstuvwxyz-01234", NULL};
    static const char *const bad[] = {
        "", "1a", "-a", "A", "a_b", "a.b", "\xc3\xa4", "a b", "abcdefghijklmnopqrstuvwxyz-012345", NULL};
    for (size_t i = 0; good[i]; i++)
        assert_true(conf_scalar_is_name(str_c(good[i])));
    for (size_t i = 0; bad[i]; i++)
        assert_false(conf_scalar_is_name(str_c(bad[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locate_and_offset),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_expectations),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
