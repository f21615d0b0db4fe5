#include "lib/check.h"

#include "adapters/mqtt/mqtt_topic.h"
#include "base/mem.h"

static struct str s_of(const char *cstr)
{
    return str_c(cstr);
}

static void validity(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool topic, publishable, filter;
    } cases[] = {
        {"a", true, true, true},
        {"/", true, true, true},
        {"a//b", true, true, true},
        {"/a/", true, true, true},
        {"a b/c", true, true, true},
        {"größe/tür", true, true, true},
        {"\xef\xbb\xbf/a", true, true, true}, // a byte order mark is a character like others
        {"", false, false, false},
        {"+", false, false, true},
        {"#", false, false, true},
        {"a/+/b", false, false, true},
        {"a/#", false, false, true},
        {"+/+/#", false, false, true},
        {"a+", false, false, false},
        {"a/b#", false, false, false},
        {"#/a", false, false, false},
        {"a/#/b", false, false, false},
        {"a/+b", false, false, false},
        {"$SYS/broker", true, false, true},
        {"$", true, false, true},
        {"a/$b", true, true, true},
        {"a\001", true, false, false},
        {"a\177", true, false, false},
        {"a\xc2\x85", true, false, false},     // U+0085
        {"a\xef\xbf\xbe", true, false, false}, // U+FFFE
        {"a\xff", false, false, false},
        {"a\xc3", false, false, false},        // cut short
        {"\xed\xa0\x80", false, false, false}, // surrogate
        {"\xf0\x9f\x98\x80/x", true, true, true},
        {"$share/g/a", true, false, true},
        {"$share/g/a/+/#", false, false, true},
        {"$share/g", true, false, false},
        {"$share//a", true, false, false},
        {"$share/g/", true, false, false},
        {"$share/+/a", false, false, false},
        {"$share/g#/a", false, false, false},
        {"$share/g/a#", false, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str s = s_of(cases[i].text);
        if (mqtt_topic_valid(s) != cases[i].topic || mqtt_topic_publishable(s) != cases[i].publishable ||
            mqtt_topic_filter_valid(s) != cases[i].filter)
            fail_msg("case %zu: \"%s\"", i, cases[i].text);
    }
    assert_false(mqtt_topic_valid((struct str){"a\0b", 3}));
    assert_false(mqtt_topic_filter_valid((struct str){"a\0b", 3}));
    assert_false(mqtt_topic_valid(STR_NONE));
}

static void bounds(void **state)
{
    (void)state;
    char *text = mem_alloc(65536);
    memset(text, 'a', 65536);
    assert_true(mqtt_topic_valid((struct str){text, 65535}));
    assert_true(mqtt_topic_publishable((struct str){text, 65535}));
    assert_true(mqtt_topic_filter_valid((struct str){text, 65535}));
    assert_false(mqtt_topic_valid((struct str){text, 65536}));
    assert_false(mqtt_topic_filter_valid((struct str){text, 65536}));
    memset(text, '/', 400);
    assert_true(mqtt_topic_valid((struct str){text, 199}));  // 200 levels
    assert_false(mqtt_topic_valid((struct str){text, 200})); // 201
    assert_false(mqtt_topic_filter_valid((struct str){text, 200}));
    mem_free(text);
}

static void a_level(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "lamp 1", "größe", "a$"};
    static const char *const bad[] = {"", "a/b", "/", "+", "a+", "#", "$a", "a\n", "a\xff"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(mqtt_topic_level_valid(s_of(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(mqtt_topic_level_valid(s_of(bad[i])));
    char text[257];
    memset(text, 'a', sizeof text);
    assert_true(mqtt_topic_level_valid((struct str){text, 256}));
    assert_false(mqtt_topic_level_valid((struct str){text, 257}));
}

static void matching(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *topic;
        bool match;
        const char *captures; // joined by ","
    } cases[] = {
        {"a/b", "a/b", true, ""},
        {"a/b", "a/c", false, ""},
        {"a/b", "a/b/c", false, ""},
        {"a/b/c", "a/b", false, ""},
        {"a", "a/", false, ""},
        {"a/+", "a/", true, ""},
        {"+", "a", true, "a"},
        {"+", "a/b", false, "a"},
        {"+", "/a", false, ""},
        {"+/+", "/a", true, ",a"},
        {"/+", "/a", true, "a"},
        {"a/+/c", "a/b/c", true, "b"},
        {"a/+/c", "a/b/d", false, "b"},
        {"a/+/+", "a/b/c", true, "b,c"},
        {"#", "a", true, ""},
        {"#", "a/b/c", true, ""},
        {"a/#", "a", true, ""}, // the parent too (section 4.7.1.2)
        {"a/#", "a/", true, ""},
        {"a/#", "a/b/c", true, ""},
        {"a/#", "ab", false, ""},
        {"+/#", "a/b/c", true, "a"},
        {"a/+/#", "a/b", true, "b"},
        {"a/+/#", "a", false, ""},
        {"#", "$SYS/x", false, ""}, // section 4.7.2
        {"+/x", "$SYS/x", false, ""},
        {"$SYS/#", "$SYS/x", true, ""},
        {"$SYS/+", "$SYS/x", true, "x"},
        {"A", "a", false, ""},
        {"$share/g/a/+", "a/b", true, "b"},
        {"$share/g/#", "a/b", true, ""},
        {"$share/g/#", "$SYS/x", false, ""},
        {"$share/g", "g", false, ""},
        {"", "a", false, ""},
        {"a", "", false, ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_captures c;
        bool match = mqtt_topic_match(s_of(cases[i].filter), s_of(cases[i].topic), &c);
        assert_int_equal(match, mqtt_topic_match(s_of(cases[i].filter), s_of(cases[i].topic), NULL));
        struct strbuf got;
        strbuf_init(&got, 256);
        for (size_t k = 0; k < c.count; k++) {
            if (k)
                strbuf_char(&got, ',');
            strbuf_str(&got, c.level[k]);
        }
        if (match != cases[i].match || (match && !str_eq_c(strbuf_view(&got), cases[i].captures)))
            fail_msg("case %zu: %s %s: \"%s\"", i, cases[i].filter, cases[i].topic, got.p ? got.p : "");
        strbuf_finish(&got);
    }
}

static void captures_are_bounded(void **state)
{
    (void)state;
    struct mqtt_captures c;
    struct str filter = STR("+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+");
    struct str topic = STR("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r");
    assert_true(mqtt_topic_match(filter, topic, &c));
    assert_int_equal(c.count, MQTT_TOPIC_CAPTURES);
    assert_str(c.level[15], "p");
    assert_int_equal(mqtt_topic_captures(filter), MQTT_TOPIC_CAPTURES);
    assert_int_equal(mqtt_topic_captures(STR("a/+/b/+/#")), 2);
    assert_int_equal(mqtt_topic_captures(STR("$share/g/+/a")), 1);
    assert_int_equal(mqtt_topic_captures(STR("a")), 0);
    assert_true(mqtt_topic_filter_wild(STR("a/#")));
    assert_false(mqtt_topic_filter_wild(STR("a/b")));
}

static void lying_under(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *topic;
        bool under;
    } cases[] = {
        {"a/b", "a/b", true},   {"a/b", "a/b/c", true}, {"a/b/", "a/b/c", true}, {"a/b/", "a/b", true},
        {"a/b", "a/bc", false}, {"a/b", "a", false},    {"", "a", false},        {"/", "a", false},
        {"a", "A", false},      {"a/b", "a/", false},   {"a/b", "x/a/b", false}, {"a", "a/", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (mqtt_topic_under(s_of(cases[i].prefix), s_of(cases[i].topic)) != cases[i].under)
            fail_msg("case %zu: %s %s", i, cases[i].prefix, cases[i].topic);
    }
}

static void filling(void **state)
{
    (void)state;
    static const struct {
        const char *template, *want; // NULL: refused
    } cases[] = {
        {"devices/{1}/set", "devices/lamp/set"},
        {"{2}/{1}", "kitchen/lamp"},
        {"plain", "plain"},
        {"a{1}b", "alampb"},
        {"{{1}}", "{1}}"},
        {"x{{{1}", "x{lamp"},
        {"}", "}"},
        {"{01}", "lamp"},
        {"{3}", NULL}, // holds a separator
        {"{4}", NULL}, // "+"
        {"{5}", NULL}, // empty
        {"{6}", NULL}, // is not there
        {"{0}", NULL},
        {"{}", NULL},
        {"{1", NULL},
        {"{name}", NULL},
        {"{-1}", NULL},
        {"{99999999999999999999}", NULL},
        {"", NULL},
        {"a/#", NULL},
        {"$SYS/{1}", NULL},
    };
    const struct mqtt_captures c = {.level = {{"lamp", 4}, {"kitchen", 7}, {"a/b", 3}, {"+", 1}, {"", 0}}, .count = 5};
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct strbuf out;
        strbuf_init(&out, 64);
        strbuf_c(&out, "kept:");
        enum err e = mqtt_topic_fill(s_of(cases[i].template), &c, &out);
        struct str got = str_sub(strbuf_view(&out), 5, out.n);
        if (e != (cases[i].want ? ERR_OK : ERR_BADREQ) || !str_eq_c(got, cases[i].want ? cases[i].want : ""))
            fail_msg("case %zu: %s gives %s", i, cases[i].template, out.p);
        assert_true(str_starts(strbuf_view(&out), STR("kept:")));
        strbuf_finish(&out);
    }
}

static void filling_within_bounds(void **state)
{
    (void)state;
    const struct mqtt_captures c = {.level = {{"0123456789", 10}}, .count = 1};
    struct strbuf out;
    strbuf_init(&out, 15);
    assert_int_equal(mqtt_topic_fill(STR("a/{1}/b"), &c, &out), ERR_OK);
    assert_int_equal(mqtt_topic_fill(STR("a/{1}/b"), &c, &out), ERR_LIMIT);
    assert_str(strbuf_view(&out), "a/0123456789/b");
    strbuf_finish(&out);
}

static void templates(void **state)
{
    (void)state;
    assert_true(mqtt_topic_template_valid(STR("devices/{1}/set"), 1));
    assert_true(mqtt_topic_template_valid(STR("devices/set"), 0));
    assert_false(mqtt_topic_template_valid(STR("devices/{2}/set"), 1));
    assert_false(mqtt_topic_template_valid(STR("devices/{1}/#"), 1));
    assert_false(mqtt_topic_template_valid(STR("devices/{1/set"), 1));
    assert_true(mqtt_topic_template_valid(STR("{16}"), 99));
    assert_false(mqtt_topic_template_valid(STR("{17}"), 99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validity),
        cmocka_unit_test(bounds),
        cmocka_unit_test(a_level),
        cmocka_unit_test(matching),
        cmocka_unit_test(captures_are_bounded),
        cmocka_unit_test(lying_under),
        cmocka_unit_test(filling),
        cmocka_unit_test(filling_within_bounds),
        cmocka_unit_test(templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
