#include "adapters/mqtt/mqtt_pattern.h"
#include "lib/check.h"

static const struct {
    const char *text, *pattern, *filter; // pattern NULL: refused
    unsigned captures;
} parsed[] = {
    {"devices/+/status", "devices/{1}/status", "devices/+/status", 2},
    {"a/+/b/+", "a/{1}/b/{2}", "a/+/b/+", 6},
    {"a/{2}/b/{1}", "a/{2}/b/{1}", "a/+/b/+", 6},
    {"+", "{1}", "+", 2},
    {"plain", "plain", "plain", 0},
    {"/a//b/", "/a//b/", "/a//b/", 0},
    {"a b/{x}", "a b/{x}", "a b/{x}", 0},
    {"", NULL, NULL, 0},
    {"a/#", NULL, NULL, 0},
    {"#", NULL, NULL, 0},
    {"a/b+", NULL, NULL, 0},
    {"a/x{1}", NULL, NULL, 0},
    {"$SYS/broker", NULL, NULL, 0},
    {"a/\x01", NULL, NULL, 0},
    {"a/\xff", NULL, NULL, 0},
    {"+/+/+/+/+/+/+/+/+/+", NULL, NULL, 0},
};

static void parsing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(parsed) / sizeof(parsed[0]); i++) {
        struct arena a;
        struct mqtt_pattern p;
        struct errmsg msg = {""};
        arena_init(&a, 0);
        enum err e = mqtt_pattern_parse(&a, str_c(parsed[i].text), &p, &msg);
        if ((e == ERR_OK) != (parsed[i].pattern != NULL))
            fail_msg("%s: %s", parsed[i].text, msg.text);
        if (e == ERR_OK) {
            assert_true(str_eq_c(p.text, parsed[i].pattern));
            assert_true(str_eq_c(mqtt_pattern_filter(&a, &p), parsed[i].filter));
            assert_int_equal(p.captures, parsed[i].captures);
        } else {
            assert_true(msg.text[0] != '\0');
        }
        arena_finish(&a);
    }
}

static const struct {
    const char *pattern, *topic, *one, *two; // one NULL: no match
} matches[] = {
    {"devices/+/status", "devices/a/status", "a", ""},
    {"devices/+/status", "devices/a/b/status", NULL, NULL},
    {"devices/+/status", "devices//status", NULL, NULL},
    {"devices/+/status", "devices/a/statusx", NULL, NULL},
    {"devices/+/status", "devices/a", NULL, NULL},
    {"devices/+/status", "devices/a/status/", NULL, NULL},
    {"+/x/+", "a/x/b", "a", "b"},
    {"{2}/x/{1}", "a/x/b", "b", "a"},
    {"{1}/{1}", "a/a", "a", ""},
    {"{1}/{1}", "a/b", NULL, NULL},
    {"plain", "plain", "", ""},
    {"plain", "other", NULL, NULL},
};

static void matching(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) {
        struct arena a;
        struct mqtt_pattern p;
        struct mqtt_captures c = {.count = 0};
        struct str topic = str_c(matches[i].topic);
        arena_init(&a, 0);
        assert_int_equal(mqtt_pattern_parse(&a, str_c(matches[i].pattern), &p, NULL), ERR_OK);
        bool match = mqtt_pattern_match(&p, topic, &c);
        if (match != (matches[i].one != NULL))
            fail_msg("%s ~ %s", matches[i].pattern, matches[i].topic);
        if (match) {
            assert_true(str_eq_c(c.level[0], matches[i].one) && str_eq_c(c.level[1], matches[i].two));
            assert_true(str_eq(mqtt_pattern_topic(&a, &p, &c), topic));
            assert_true(mqtt_pattern_is(&p, &c, topic));
            assert_false(mqtt_pattern_is(&p, &c, STR("devices/other/status")));
        }
        arena_finish(&a);
    }
}

// What a level may not be can make no device, so it can get into no topic of ours.
static void hostile_levels(void **state)
{
    static const char *const topics[] = {"d/+/s", "d/#/s", "d/a\x01/s", "d/\xc3\x28/s", "d/$x/s"};
    struct arena a;
    struct mqtt_pattern p;
    struct mqtt_captures c;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(mqtt_pattern_parse(&a, STR("d/+/s"), &p, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
        assert_false(mqtt_pattern_match(&p, str_c(topics[i]), &c));
    arena_finish(&a);
}

static void plain_topics(void **state)
{
    struct arena a;
    struct mqtt_pattern p;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(mqtt_pattern_plain(&a, STR("zigbee2mqtt/Living room/lamp"), &p, NULL), ERR_OK);
    assert_int_equal(p.captures, 0);
    assert_int_equal(mqtt_pattern_plain(&a, STR("a/+"), &p, NULL), ERR_BADREQ);
    assert_int_equal(mqtt_pattern_plain(&a, STR("a/#"), &p, NULL), ERR_BADREQ);
    assert_int_equal(mqtt_pattern_plain(&a, STR("$SYS/x"), &p, NULL), ERR_BADREQ);
    assert_int_equal(mqtt_pattern_plain(&a, STR("a/{1}"), &p, NULL), ERR_BADREQ);
    assert_int_equal(mqtt_pattern_plain(&a, STR(""), &p, NULL), ERR_BADREQ);
    arena_finish(&a);
}

static void free_text(void **state)
{
    struct arena a;
    struct mqtt_captures c = {.level = {STR("kitchen"), STR("{1}")}, .count = 2};

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq_c(mqtt_pattern_fill(&a, STR("Lamp {1}, {2} {3}{} {x} {"), &c), "Lamp kitchen, {1} {} {x} {"));
    assert_int_equal(mqtt_pattern_uses(STR("{1} {9} {0} {10}")), 1u << 1 | 1u << 9);
    arena_finish(&a);
}

static void meeting(void **state)
{
    static const struct {
        const char *one, *other;
        bool meet;
    } cases[] = {
        {"a/+/s", "a/+/s", true}, {"a/+/s", "a/b/s", true},  {"+/b/s", "a/+/s", true},  {"a/{2}/{1}", "+/b/c", true},
        {"a/+", "a/+/s", false},  {"a/+/s", "a/+", false},   {"a/+/s", "a/+/t", false}, {"a", "b", false},
        {"a/b", "a/b", true},     {"a/+/x", "b/+/x", false}, {"+", "a", true},          {"+/+", "a", false},
    };
    struct mqtt_pattern p, q;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(mqtt_pattern_parse(&a, str_c(cases[i].one), &p, NULL), ERR_OK);
        assert_int_equal(mqtt_pattern_parse(&a, str_c(cases[i].other), &q, NULL), ERR_OK);
        if (mqtt_pattern_meets(&p, &q) != cases[i].meet || mqtt_pattern_meets(&q, &p) != cases[i].meet)
            fail_msg("%s and %s", cases[i].one, cases[i].other);
    }
    arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing),      cmocka_unit_test(matching),  cmocka_unit_test(hostile_levels),
        cmocka_unit_test(plain_topics), cmocka_unit_test(free_text), cmocka_unit_test(meeting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
