/* What all conventions share: keys, texts that are stored, what they may have, and alerts that devices raise. */
#include "adapters/mqtt/mqtt_discovery.h"
#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_raised.h"
#include "lib/check.h"

#include <stdlib.h>

static void keys(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (size_t i = 0; i < MQTT_CONVENTIONS; i++) {
        const char *name = mqtt_conventions[i]->name;
        assert_int_equal(mqtt_convention_of(mqtt_convention_key(name, STR("x:y"), &a)), i);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(name, mqtt_conventions[k]->name);
    }
    assert_int_equal(mqtt_convention_of(STR("sensors/a:b")), MQTT_CONVENTIONS);
    assert_int_equal(mqtt_convention_of(STR("homie")), MQTT_CONVENTIONS);
    assert_int_equal(mqtt_convention_of(STR("Homie:x")), MQTT_CONVENTIONS);
    assert_str(mqtt_convention_key("homie", STR("valve"), &a), "homie:valve");
    // what cannot be a part of it stands by its hash, always the same
    struct str odd = mqtt_convention_key("ha", STR("a\nb"), &a);
    assert_true(str_starts(odd, STR("ha:#")) && odd.n < 64);
    assert_true(str_eq(odd, mqtt_convention_key("ha", STR("a\nb"), &a)));
    assert_false(str_eq(odd, mqtt_convention_key("ha", STR("a\nc"), &a)));
    arena_finish(&a);
}

static void depths(void **state)
{
    static const struct {
        const char *text;
        size_t depth;
    } cases[] = {
        {"", 0},      {"7", 0},   {"{}", 1}, {"[[],[{}]]", 3}, {"\"[[[\"", 0}, {"{\"a\\\"[[\":[]}", 2},
        {"]]]][", 1}, {"[[[", 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (mqtt_convention_depth(str_c(cases[i].text)) != cases[i].depth)
            fail_msg("%s", cases[i].text);
}

static void objects(void **state)
{
    static const struct {
        const char *text, *why; // NULL: it is taken
    } cases[] = {
        {"{}", NULL},
        {"{\"a\":[{}]}", NULL},
        {"{\"a\":[[{}]]}", "nested deeper than 3"},
        {"[1]", "not a JSON object"},
        {"7", "not a JSON object"},
        {"{\"a\":\"0123456789\"}", "more than 16 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct errmsg msg = {""};
        json_t *root = mqtt_convention_object(str_c(cases[i].text), 16, 3, &msg);
        if (!root != (cases[i].why != NULL))
            fail_msg("%s: %s", cases[i].text, msg.text);
        assert_str(str_c(msg.text), cases[i].why ? cases[i].why : "");
        json_decref(root);
    }
    assert_null(mqtt_convention_object(STR("{"), 16, 3, NULL));
}

static void texts(void **state)
{
    json_t *v = json_object();
    char *large = malloc(MQTT_DISCOVERY_PAYLOAD + 1);
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    (void)json_object_set_new(v, "a", json_integer(1));
    assert_str(mqtt_convention_dump(v, &a), "{\"a\":1}");
    memset(large, 'x', MQTT_DISCOVERY_PAYLOAD);
    large[MQTT_DISCOVERY_PAYLOAD] = '\0';
    (void)json_object_set_new(v, "a", json_string(large));
    assert_int_equal(mqtt_convention_dump(v, &a).n, 0);
    free(large);
    json_decref(v);
    arena_finish(&a);
}

/* Rights */

static const struct conf_item schema[] = {
    {.name = "discovery", .type = CONF_MAP, .sub = mqtt_model_discovery_schema},
    {.name = NULL},
};

// Warnings are counted in *warnings.
static struct mqtt_discovery *discovery_of(const char *yaml, size_t *warnings)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = conf_parse(str_c(yaml), "test.yaml", schema, report);
    struct mqtt_discovery *d = mqtt_discovery_create(conf_get(section, "discovery"), report);

    *warnings = conf_warnings(report);
    conf_destroy(section);
    conf_report_destroy(report);
    assert_non_null(d);
    return d;
}

static void rights_without_allow(void **state)
{
    static const struct {
        const char *key, *topic;
        bool read, write;
    } cases[] = {
        {"homie:x", "homie/5/x/n/p", true, false},
        {"homie:x", "homie/5/x/n/p/set", true, true},
        {"homie:x", "homie/x/n/p/set", true, true},
        {"homie:x", "homie/5/x/$state", true, false},
        {"homie:x", "homie5/x/n/p/set", false, false},
        {"homie:x", "zigbee2mqtt/x/set", false, false},
        {"z2m:x", "zigbee2mqtt/a/b/set", true, true},
        {"z2m:x", "zigbee2mqtt/a/b", true, false},
        {"z2m:x", "zigbee2mqtt/bridge/state", true, false},
        {"z2m:x", "zigbee2mqtt/bridge/request/restart", false, false},
        {"z2m:x", "zigbee2mqtt/bridge/set", false, false},
        {"z2m:x", "zigbee2mqtt", false, false},
        {"z2m:x", "homie/x/n/p/set", false, false},
    };
    size_t warnings;
    struct mqtt_discovery *d =
        discovery_of("discovery: {homie: {enabled: true}, zigbee2mqtt: {enabled: true}}", &warnings);

    (void)state;
    assert_int_equal(warnings, 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t who = mqtt_convention_of(str_c(cases[i].key));
        if (mqtt_discovery_may_read(d, who, str_c(cases[i].topic)) != cases[i].read ||
            mqtt_discovery_may_write(d, who, str_c(cases[i].topic)) != cases[i].write)
            fail_msg("%s: %s", cases[i].key, cases[i].topic);
    }
    assert_false(mqtt_discovery_enabled(d, STR("ha:x")));
    assert_true(mqtt_discovery_enabled(d, STR("homie:x")));
    assert_false(mqtt_discovery_enabled(d, STR("template/x")));
    mqtt_discovery_destroy(d);
}

static void allow_holds_for_all(void **state)
{
    size_t homie = mqtt_convention_of(STR("homie:x")), z2m = mqtt_convention_of(STR("z2m:x")), warnings;
    struct mqtt_discovery *d = discovery_of(
        "discovery: {homie: {enabled: true}, zigbee2mqtt: {enabled: true}, allow: ['zigbee2mqtt/#']}", &warnings);

    (void)state;
    assert_int_equal(warnings, 1); // of the other one
    assert_true(mqtt_discovery_may_write(d, z2m, STR("zigbee2mqtt/x/set")));
    assert_false(mqtt_discovery_may_read(d, homie, STR("homie/5/x/n/p")));
    // what describes devices is nothing that one of them may write
    assert_false(mqtt_discovery_may_write(d, z2m, STR("zigbee2mqtt/bridge/request/restart")));
    mqtt_discovery_destroy(d);
}

/* Alerts */

static struct mqtt_device *device(void)
{
    const struct mqtt_captures none = {.count = 0};
    struct mqtt_spec *s = mqtt_spec_create();

    s->discovered = true;
    mqtt_spec_seal(s);
    struct mqtt_device *d = mqtt_device_create(s, STR("homie:x"), &none);
    d->entities = mqtt_entities_create();
    return d;
}

static void raised_and_taken_back(void **state)
{
    struct mqtt_device *d = device();
    struct str before, id, text;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    assert_int_equal(mqtt_raised_text(d).n, 0);
    assert_false(mqtt_raised_set(d, STR("a"), STR_NONE, &a, &before)); // it was not
    assert_true(mqtt_raised_set(d, STR("a"), STR("one"), &a, &before));
    assert_false(mqtt_raised_set(d, STR("a"), STR("one"), &a, &before));
    assert_true(mqtt_raised_set(d, STR("b"), STR("two"), &a, &before));
    assert_str(mqtt_raised_text(d), "two");
    assert_true(mqtt_raised_set(d, STR("a"), STR("three"), &a, &before));
    assert_str(before, "one");
    assert_str(mqtt_raised_text(d), "three");
    assert_true(mqtt_raised_nth(d, 0, &id, &text) && mqtt_raised_nth(d, 1, &id, &text));
    assert_str(id, "a");
    assert_false(mqtt_raised_nth(d, 2, &id, &text));
    assert_true(mqtt_raised_set(d, STR("a"), STR_NONE, &a, &before));
    assert_str(before, "three");
    assert_str(mqtt_raised_text(d), "two");
    arena_finish(&a);
    mqtt_device_destroy(d);
}

static void raised_no_more_than_fits(void **state)
{
    struct mqtt_device *d = device();
    char id[8], *large = calloc(1, MQTT_RAISED_TEXT + 2);
    struct str before, text;
    struct arena a;
    size_t n = 0;

    (void)state;
    arena_init(&a, 0);
    memset(large, 'x', MQTT_RAISED_TEXT + 1);
    assert_false(mqtt_raised_set(d, STR("a"), str_c(large), &a, &before));
    for (int i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        n += mqtt_raised_set(d, str_c(id), STR("x"), &a, &before);
    }
    assert_int_equal(n, MQTT_RAISED_MAX);
    assert_true(mqtt_raised_set(d, STR("0"), STR("y"), &a, &before)); // one that is known has its place
    assert_true(mqtt_raised_nth(d, MQTT_RAISED_MAX - 1, &before, &text));
    assert_str(text, "y");
    free(large);
    arena_finish(&a);
    mqtt_device_destroy(d);
}

static void doubted_until_said_again(void **state)
{
    struct mqtt_device *d = device();
    struct str before;
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    (void)mqtt_raised_set(d, STR("a"), STR("one"), &a, &before);
    (void)mqtt_raised_set(d, STR("b"), STR("two"), &a, &before);
    assert_false(mqtt_raised_settle(d));
    mqtt_raised_doubt(d);
    assert_false(mqtt_raised_set(d, STR("a"), STR("one"), &a, &before)); // no news, but said
    assert_true(mqtt_raised_settle(d));
    assert_str(mqtt_raised_text(d), "one");
    assert_false(mqtt_raised_settle(d));
    arena_finish(&a);
    mqtt_device_destroy(d);
}

static void speaks_now_and_then(void **state)
{
    struct mqtt_device *d = device();

    (void)state;
    assert_true(mqtt_raised_may_speak(d, 1000, 100));
    assert_false(mqtt_raised_may_speak(d, 1099, 100));
    assert_true(mqtt_raised_may_speak(d, 1100, 100));
    assert_int_equal(mqtt_raised_text(d).n, 0); // which is no alert
    mqtt_device_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(depths),
        cmocka_unit_test(objects),
        cmocka_unit_test(texts),
        cmocka_unit_test(rights_without_allow),
        cmocka_unit_test(allow_holds_for_all),
        cmocka_unit_test(raised_and_taken_back),
        cmocka_unit_test(raised_no_more_than_fits),
        cmocka_unit_test(doubted_until_said_again),
        cmocka_unit_test(speaks_now_and_then),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
