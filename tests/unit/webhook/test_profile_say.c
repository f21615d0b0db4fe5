/* The text that profiles write: marks of ours, values of others, bounds. */
#include "profile_rig.h"

#include "adapters/webhook/webhook_profile_say.h"

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

static void test_oneline(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t max;
        const char *want;
    } rows[] = {
        {"", 5, ""},
        {"  a \r\n\t b  ", 9, "a b"},
        {"abcdef", 6, "abcdef"},
        {"abcdefg", 6, "abcdef…"},
        {"ääää", 3, "äää…"},
        {"a\x01"
         "b",
         9, "ab"},
        {"a\xff", 9, "a\xef\xbf\xbd"},
        {" \n ", 9, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(say_oneline(&a, str_c(rows[i].text), rows[i].max), rows[i].want);
}

static void test_cut(void **state)
{
    (void)state;
    assert_str(say_cut(&a, STR("abc"), 3), "abc");
    assert_str(say_cut(&a, STR("abcd"), 3), "abc […]");
    assert_str(say_cut(&a, STR("äöüß"), 2), "äö […]");
    assert_str(say_cut(&a, STR_NONE, 2), "");
}

static void test_urls(void **state)
{
    (void)state;
    static const char *const good[] = {"http://e.org", "https://e.org/a?b=c#d", "HTTPS://E.org/%3C"};
    static const char *const bad[] = {"",
                                      "e.org",
                                      "ftp://e.org/",
                                      "javascript:alert(1)",
                                      "https://e.org/a b",
                                      "https://e.org/<b>",
                                      "https://e.org/\"",
                                      "https://e.org/\n",
                                      "https://e.org/\x7f",
                                      "https://e.org/\xff",
                                      "data:image/png;base64,AA=="};
    char longer[2100] = "https://e.org/";
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(say_url_good(str_c(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (say_url_good(str_c(bad[i])))
            fail_msg("%s", bad[i]);
    (void)memset(longer + 14, 'a', sizeof(longer) - 15);
    assert_false(say_url_good(str_c(longer)));
}

static void test_marks(void **state)
{
    (void)state;
    struct say s;
    say_begin(&s, &a);
    say_bold(&s, STR("a title\nof two lines"));
    say_link(&s, STR("https://e.org/"));
    say_link(&s, STR("file:///"));
    say_break(&s);
    say_break(&s);
    say_bold(&s, STR_NONE);
    say_bold(&s, STR("no *bold* here"));
    say_raw(&s, "\n");
    say_code(&s, STR("a b"));
    say_raw(&s, " ");
    say_code(&s, STR("a`b"));
    say_quote(&s, STR(" > x\ny "));
    say_quote(&s, STR(" \n"));
    say_value(&s, STR("> no quote"));
    say_quote_styled(&s, STR("*b*\nc"));
    say_more(&s, 0);
    say_more(&s, 14);
    say_count(&s, 1, "commit");
    say_raw(&s, ", ");
    say_count(&s, 2, "commit");
    assert_str(rig_shown(&a, say_end(&s)), "*a title of two lines* <https://e.org/>\nno ^*bold* here\n`a b` a`b\n"
                                           "> ^> x\n> y\n^> no quote\n> *b*\n> c\n... and 14 more\n"
                                           "1 commit, 2 commits");
}

// Nothing is said beyond the bound, and it is said that something is missing.
static void test_bound(void **state)
{
    (void)state;
    struct say s;
    say_begin(&s, &a);
    for (int i = 0; i < 20000; i++)
        say_value(&s, STR("ten bytes\n"));
    struct str text = say_end(&s);
    assert_true(text.n <= WEBHOOK_TEXT_MAX && text.n > WEBHOOK_TEXT_MAX - 100);
    assert_true(str_ends(text, STR(" […]")));
}

static void test_paths(void **state)
{
    (void)state;
    static const char *const paths[] = {"x", "o.n", "o.s", NULL};
    json_t *v =
        json_read(STR("{\"o\":{\"s\":\"text\",\"e\":\"\",\"n\":1.5,\"b\":true,\"z\":null},\"l\":[1]}"), 1000, NULL);
    assert_str(say_at(&a, v, "o.s"), "text");
    assert_str(say_at(&a, v, "o.n"), "1.5");
    assert_str(say_at(&a, v, "o.b"), "true");
    assert_str(say_at(&a, v, "o.z"), "");
    assert_str(say_at(&a, v, "o"), "");
    assert_str(say_at(&a, v, "l"), "");
    assert_str(say_at(&a, v, "nowhere.at.all"), "");
    assert_str(say_any(&a, v, paths), "1.5");
    assert_null(say_get(v, "l.x"));
    json_decref(v);
}

static void test_json(void **state)
{
    (void)state;
    static const struct {
        const char *json, *want;
    } rows[] = {
        {"\"a *b*\"", "a ^*b*"},
        {"12", "12"},
        {"true", "true"},
        {"null", "```\nnull\n```"},
        {"{\"title\":\"T\"}", "*T*\n```\n{\n  \"title\": \"T\"\n}\n```"},
        {"{\"subject\":\"T\",\"text\":\" a\\nb \",\"link\":\"https://e.org/\"}", "*T*\na\nb\n<https://e.org/>"},
        {"{\"text\":\"x\",\"url\":\"ftp://e.org/\"}", "x"},
        {"{\"text\":{\"a\":1}}", "```\n{\n  \"text\": {\n    \"a\": 1\n  }\n}\n```"},
        {"[\"```\"]", "```\n[\n  \"```\"\n]\n```"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct say s;
        json_t *v = json_read(str_c(rows[i].json), 1000, NULL);
        assert_non_null(v);
        say_begin(&s, &a);
        say_json(&s, v);
        assert_str(rig_shown(&a, say_end(&s)), rows[i].want);
        json_decref(v);
    }
}

static void test_long_json_is_cut(void **state)
{
    (void)state;
    struct say s;
    json_t *v = json_array();
    for (int i = 0; i < 5000; i++)
        (void)json_array_append_new(v, json_string("ü"));
    say_begin(&s, &a);
    say_json(&s, v);
    struct str text = say_end(&s);
    assert_true(text.n < 1600);
    assert_true(str_starts(text, STR("```\n[\n  \"ü\",\n")));
    assert_true(str_ends(text, STR("\n[…]\n```")));
    assert_true(utf8_valid(text));
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_oneline, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_urls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_json_is_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
