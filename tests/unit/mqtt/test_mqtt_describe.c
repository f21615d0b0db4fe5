#include "adapters/mqtt/mqtt_describe.h"

#include "lib/check.h"

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

static void paths(void **state)
{
    static const struct {
        const char *path, *name, *longer; // "": it cannot stand in one
    } rows[] = {
        {"", "ENERGY", "ENERGY"},
        {"ENERGY", "Power", "ENERGY.Power"},
        {"SDS0X1", "PM2.5", "SDS0X1['PM2.5']"},
        {"", "a b", "['a b']"},
        {"", "it's", "[\"it's\"]"},
        {"a", "say \"x\"", "a['say \"x\"']"},
        {"", "DS18B20-1", "DS18B20-1"},
        {"", "switch:0", "switch:0"},
        {"", "a=b", "['a=b']"},
        {"", "'\"", ""},
        {"", "{{a}}", ""},
        {"", "", ""},
    };
    json_t *root;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(mqtt_describe_path(&a, str_c(rows[i].path), str_c(rows[i].name)), rows[i].longer);
    assert_str(mqtt_describe_offset(&a, STR("a.b"), 3), "a.b[3]");
    for (size_t i = 0; i < COUNT(rows); i++) { // what they lead to
        if (!*rows[i].longer || *rows[i].path)
            continue;
        root = json_pack("{s:i}", rows[i].name, 7);
        assert_int_equal(json_integer_value(json_at(root, str_c(rows[i].longer))), 7);
        json_decref(root);
    }
}

static void words(void **state)
{
    static const struct {
        const char *name, *words;
    } rows[] = {
        {"ApparentPower", "Apparent power"},
        {"Power", "Power"},
        {"apower_total", "Apower total"},
        {"PM2.5", "PM2.5"},
        {"TVOC", "TVOC"},
        {"eCO2", "E CO2"},
        {"A0", "A0"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(mqtt_describe_words(&a, str_c(rows[i].name)), rows[i].words);
}

static void members(void **state)
{
    json_t *e = mqtt_describe_entity("sensor", STR("a"));

    (void)state;
    mqtt_describe_str(e, "none", STR_NONE);
    mqtt_describe_c(e, "null", NULL);
    mqtt_describe_str(e, "broken",
                      STR("a\xff"
                          "b"));
    mqtt_describe_number(e, "whole", 5);
    mqtt_describe_number(e, "real", 0.5);
    mqtt_describe_state(e, STR("t/1"), STR_NONE);
    mqtt_describe_state(e, STR("t/2"), STR("x"));
    mqtt_describe_state(e, STR("t/3"), STR("y"));
    assert_str(mqtt_convention_dump(e, &a),
               "{\"platform\":\"sensor\",\"name\":\"a\",\"broken\":\"a\xef\xbf\xbd"
               "b\",\"whole\":5,\"real\":0.5,\"state_topic\":\"t/1\",\"state_topics\":"
               "[{\"topic\":\"t/2\",\"value_template\":\"x\"},{\"topic\":\"t/3\",\"value_template\":\"y\"}]}");
    json_decref(e);
}

// What goes beyond the bounds is left out, and noted.
static void bounds(void **state)
{
    struct mqtt_describe d;
    struct mqtt_found found;
    struct errmsg msg = {""};
    char *large = arena_alloc(&a, MQTT_DISCOVERY_PAYLOAD + 1);

    (void)state;
    mqtt_describe_begin(&d, &a, &found, STR("k"), STR("s"));
    for (size_t i = 0; i < MQTT_DISCOVERY_ENTITIES; i++)
        mqtt_describe_add(&d, mqtt_describe_entity("sensor", STR("one")));
    assert_int_equal(found.count, MQTT_DISCOVERY_ENTITIES);
    assert_str(found.note, "");
    for (size_t i = 0; i < 100; i++)
        mqtt_describe_add(&d, mqtt_describe_entity("sensor", STR("more")));
    assert_int_equal(found.count, MQTT_DISCOVERY_ENTITIES);
    assert_true(str_starts(found.note, STR("more, more, ")) && found.note.n <= 256);
    memset(large, 'x', MQTT_DISCOVERY_PAYLOAD);
    json_t *device = json_object();
    mqtt_describe_str(device, "name", (struct str){large, MQTT_DISCOVERY_PAYLOAD});
    assert_int_equal(mqtt_describe_device(&d, device, &msg), ERR_LIMIT);
    assert_string_equal(msg.text, "the description of the device is too large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(words),
        cmocka_unit_test(members),
        cmocka_unit_test(bounds),
    };
    return cmocka_run_group_tests_name("describe", tests, setup, teardown);
}
