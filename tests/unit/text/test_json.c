#include "lib/check.h"

#include "text/json.h"

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

static json_t *read_all(const char *text)
{
    struct errmsg msg;
    json_t *value = json_read(str_c(text), 100000, &msg);
    if (!value)
        print_error("%s\n", msg.text);
    assert_non_null(value);
    return value;
}

static void test_refuses_with_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place;
    } rows[] = {
        {"", "line 1, column 0: "},
        {"{", "line 1, column 1: "},
        {"{\"a\":1,\n\"a\":2}", "line 2, column 3: "},
        {"[1,]", "line 1, column 4: "},
        {"1 2", "line 1, column 3: "},
        {"{} x", "line 1, column 4: "},
        {"\"\\u0000\"", "line 1, column 8: "},
        {"\"\xff\"", "line 1, column "},
        {"nul", "line 1, column 3: "},
        {"01", "line 1, column "},
        {"NaN", "line 1, column "},
        {"1e999", "line 1, column "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errmsg msg = {""};
        assert_null(json_read(str_c(rows[i].text), 1000, &msg));
        if (!str_starts(str_c(msg.text), str_c(rows[i].place)))
            fail_msg("%s: %s", rows[i].text, msg.text);
        assert_null(json_read(str_c(rows[i].text), 1000, NULL));
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct errmsg msg;
    assert_null(json_read(STR("[1,2]"), 4, &msg));
    assert_string_equal(msg.text, "more than 4 bytes");
    json_t *value = json_read(STR("[1,2]"), 5, &msg);
    assert_non_null(value);
    json_decref(value);
    static char deep[20000];
    memset(deep, '[', sizeof deep);
    assert_null(json_read((struct str){deep, sizeof deep}, sizeof deep, &msg));
    assert_true(str_find_str(str_c(msg.text), STR("depth")) > 0);
}

static void test_paths(void **state)
{
    (void)state;
    json_t *value = read_all("{\"a\":{\"b\":[10,[20,21],{\"c\":30}],\"\\u00e9 x\":40},\"0\":50}");
    static const struct {
        const char *path, *text; // NULL: absent or malformed
    } rows[] = {
        {"a.b[0]", "10"},  {"a.b[1][1]", "21"},   {"a.b[2].c", "30"}, {"a.é x", "40"},
        {"0", "50"},       {"a.b[1]", "[20,21]"}, {"a.b[3]", NULL},   {"x", NULL},
        {"a.x.y", NULL},   {"[0]", NULL},         {"a[0]", NULL},     {"a.b.c", NULL},
        {".a", NULL},      {"a.", NULL},          {"a..b", NULL},     {"a.b[]", NULL},
        {"a.b[-1]", NULL}, {"a.b[0", NULL},       {"a.b[0]x", NULL},  {"a.b[2]c", NULL},
        {"a.b]", NULL},    {"a.b.[0]", NULL},     {"a.b[ 0]", NULL},  {"a.b[99999999999999999999]", NULL},
        {".", NULL},       {"[", NULL},
    };
    assert_ptr_equal(json_at(value, STR("")), value);
    assert_null(json_at(NULL, STR("a")));
    for (size_t i = 0; i < COUNT(rows); i++) {
        const json_t *hit = json_at(value, str_c(rows[i].path));
        if ((hit != NULL) != (rows[i].text != NULL))
            fail_msg("path %s", rows[i].path);
        if (hit)
            assert_str(json_text(&a, hit), rows[i].text);
    }
    json_decref(value);
    value = read_all("[[1]]");
    assert_str(json_text(&a, json_at(value, STR("[0][0]"))), "1");
    assert_null(json_at(value, STR("[1]")));
    json_decref(value);
}

static void test_path_with_names_in_quotes_and_choices(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text; // NULL: leads nowhere
    } rows[] = {
        {"['PM2.5']", "2.4"},
        {"[\"PM2.5\"]", "2.4"},
        {"o['a]b'].c", "1"},
        {"o['']", "2"},
        {"list[component=input:0].event", "single_push"},
        {"list[component=input:1].event", "double_push"}, // the first of two
        {"list[component=input:2].event", NULL},
        {"list[component=].event", "nobody"},
        {"list[id=0].event", NULL}, // a number is no text
        {"list[=x]", NULL},
        {"o[component=input:0]", NULL},
        {"['PM2.5'", NULL},
        {"['PM2.5]", NULL},
        {"['", NULL},
        {"['PM2.5'x]", NULL},
        {"['PM2.5']x", NULL},
        {"[\"PM2.5']", NULL},
        {"list[component=input:0", NULL},
        {"list['0']", NULL},
    };
    json_t *value = read_all("{\"PM2.5\":2.4,\"o\":{\"a]b\":{\"c\":1},\"\":2},\"list\":[7,{\"id\":0},"
                             "{\"component\":\"input:0\",\"event\":\"single_push\"},"
                             "{\"component\":\"input:1\",\"event\":\"double_push\"},"
                             "{\"component\":\"input:1\",\"event\":\"late\"},"
                             "{\"component\":\"\",\"event\":\"nobody\"}]}");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const json_t *hit = json_at(value, str_c(rows[i].path));
        if ((hit != NULL) != (rows[i].text != NULL))
            fail_msg("path %s", rows[i].path);
        if (hit)
            assert_str(json_text(&a, hit), rows[i].text);
    }
    json_decref(value);
}

static void test_member_str(void **state)
{
    (void)state;
    json_t *value = read_all("{\"s\":\"text\",\"n\":1,\"e\":\"\"}");
    assert_str(json_member_str(value, "s"), "text");
    assert_str(json_member_str(value, "n"), "");
    assert_str(json_member_str(value, "e"), "");
    assert_str(json_member_str(value, "x"), "");
    assert_str(json_member_str(NULL, "x"), "");
    json_decref(value);
}

static void test_texts_for_people(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } rows[] = {
        {"\"a \\\"b\\\" \\u00e9\"", "a \"b\" é"},
        {"true", "true"},
        {"false", "false"},
        {"null", ""},
        {"0", "0"},
        {"-12", "-12"},
        {"9223372036854775807", "9223372036854775807"},
        {"21.0", "21"},
        {"21.10", "21.1"},
        {"0.1", "0.1"},
        {"-0.5", "-0.5"},
        {"1e21", "1e+21"},
        {"3.141592653589793", "3.141592653589793"},
        {"{ \"a\" : [ 1, 2.5, \"x\" ] }", "{\"a\":[1,2.5,\"x\"]}"},
        {"[]", "[]"},
        {"[21.1]", "[21.1]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = read_all(rows[i].json);
        struct str text = json_text(&a, value);
        json_decref(value);
        assert_str(text, rows[i].text);
    }
    assert_str(json_text(&a, NULL), "");
}

static void test_writes_strings(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 1000);
    assert_true(json_write_str(&b, STR("a\"b\\c/é\b\f\n\r\t\x01\x1f\x7f")));
    assert_str(strbuf_view(&b), "\"a\\\"b\\\\c/é\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    strbuf_clear(&b);
    assert_true(json_write_str(&b, STR("\0")));
    assert_true(json_write_str(&b, STR_NONE));
    assert_str(strbuf_view(&b), "\"\\u0000\"\"\"");
    strbuf_finish(&b);
}

// Each character alone: what is written is read back as itself.
static void test_written_is_read(void **state)
{
    (void)state;
    for (char c = 1; c > 0 && c < 127; c++) {
        struct strbuf b;
        strbuf_init(&b, 100);
        assert_true(json_write_str(&b, (struct str){&c, 1}));
        json_t *value = read_all(b.p);
        assert_int_equal(json_string_value(value)[0], c);
        assert_int_equal(json_string_length(value), 1);
        json_decref(value);
        strbuf_finish(&b);
    }
}

static void test_write_says_when_full(void **state)
{
    (void)state;
    struct str s = STR("ab\ncd\"e\x01");
    for (size_t max = 0; max < 20; max++) {
        struct strbuf b;
        strbuf_init(&b, max);
        bool ok = json_write_str(&b, s);
        assert_int_equal(ok, max >= 17);
        assert_int_equal(b.full, !ok);
        strbuf_finish(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_with_a_place),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_path_with_names_in_quotes_and_choices),
        cmocka_unit_test(test_member_str),
        cmocka_unit_test(test_texts_for_people),
        cmocka_unit_test(test_writes_strings),
        cmocka_unit_test(test_written_is_read),
        cmocka_unit_test(test_write_says_when_full),
    };
    return cmocka_run_group_tests_name("json", tests, setup, teardown);
}
