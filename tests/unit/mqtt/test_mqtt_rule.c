/* When an alert is said, and what it says: sequences of values against a table of outcomes. */
#include "spec_rig.h"

#include "adapters/mqtt/mqtt_rule.h"

enum { MINUTE = 60 * 1000, STEPS = 8 };

struct step {
    const char *value; // "" ends the sequence; '~' before it: retained
    int after;         // s since the step before
    bool said;
};

// Sets the reading as ingest does, and asks the rule.
static bool hear(struct mqtt_device *d, const struct step *s, int64_t now, struct arena *a)
{
    struct mqtt_cell *c = &mqtt_device_cells(d)[0];
    struct str text = str_c(s->value);
    struct mqtt_result r = {.type = MQTT_TEXT};
    bool snapshot = text.p[0] == '~', first = c->type == MQTT_CELL_NONE;

    r.text = snapshot ? str_sub(text, 1, text.n) : text;
    if (mqtt_value_number(r.text, &r.number))
        r.type = MQTT_NUMBER;
    bool changed = !mqtt_cell_is(c, &r);
    mqtt_cell_set(c, &r);
    return mqtt_rule_check(d, 0, first, changed, snapshot, now, a);
}

static void sequences(void **state)
{
    static const struct {
        const char *rule;
        struct step steps[STEPS];
    } cases[] = {
        {"above: 30", {{"29", 0, 0}, {"30", 0, 0}, {"30.1", 0, 1}, {"31", 99, 0}, {"30", 0, 0}, {"31", 0, 1}}},
        {"above: 30", {{"31", 0, 1}}}, // the first value may be beyond
        {"above: 30, rearm: 28", {{"31", 0, 1}, {"29", 99, 0}, {"31", 99, 0}, {"28", 99, 0}, {"30.5", 0, 1}}},
        {"below: 5", {{"5", 0, 0}, {"4", 0, 1}, {"3", 99, 0}, {"5", 99, 0}, {"4", 0, 1}}},
        {"below: 5, rearm: 8", {{"4", 0, 1}, {"7", 99, 0}, {"4", 99, 0}, {"8", 99, 0}, {"4", 0, 1}}},
        // too soon: said when it may be, if it still holds then
        {"above: 30", {{"31", 0, 1}, {"20", 1, 0}, {"31", 1, 0}, {"32", 57, 0}, {"33", 1, 1}, {"34", 99, 0}}},
        {"above: 30", {{"31", 0, 1}, {"20", 1, 0}, {"31", 1, 0}, {"20", 99, 0}, {"31", 0, 1}}},
        // what is retained says nothing, and is known
        {"above: 30", {{"~31", 0, 0}, {"32", 0, 0}, {"20", 0, 0}, {"31", 0, 1}}},
        {"above: 30", {{"31", 0, 1}, {"~20", 1, 0}, {"31", 99, 1}}},
        {"equals: open", {{"shut", 0, 0}, {"OPEN", 0, 1}, {"open", 99, 0}, {"shut", 99, 0}, {"open", 0, 1}}},
        {"equals: '5'", {{"5.0", 0, 1}, {"5", 99, 0}, {"6", 0, 0}, {"5", 0, 1}}}, // as displayed
        {"change: true", {{"a", 0, 0}, {"a", 99, 0}, {"b", 0, 1}, {"~c", 99, 0}, {"c", 0, 0}, {"d", 0, 1}}},
        {"change: true", {{"a", 0, 0}, {"b", 0, 1}, {"c", 1, 0}, {"d", 99, 1}}},
        {"change: true, every: 0s", {{"a", 0, 0}, {"b", 0, 1}, {"c", 0, 1}, {"b", 0, 1}}},
        // a text is no number: neither beyond the limit nor back
        {"above: 30", {{"n/a", 0, 0}, {"31", 0, 1}, {"n/a", 99, 0}, {"31", 99, 0}, {"20", 0, 0}, {"31", 0, 1}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char yaml[256];
        struct arena a;
        int64_t now = 1000000;
        (void)snprintf(yaml, sizeof(yaml), "devices: {d: {topic: d/+, readings: {v: {}}, alerts: [{reading: v, %s}]}}",
                       cases[i].rule);
        struct mqtt_spec *s = spec_rig(yaml);
        struct mqtt_device *d = spec_rig_device(s, "x");
        arena_init(&a, 0);
        for (size_t k = 0; k < STEPS && cases[i].steps[k].value; k++) {
            now += cases[i].steps[k].after * 1000;
            if (hear(d, &cases[i].steps[k], now, &a) != cases[i].steps[k].said)
                fail_msg("%s, step %zu: %s", cases[i].rule, k, cases[i].steps[k].value);
        }
        arena_finish(&a);
        mqtt_device_destroy(d);
        mqtt_spec_destroy(s);
    }
}

/* What is said */

static void texts(void **state)
{
    static const struct {
        const char *rule, *said;
    } cases[] = {
        {"above: 30", "temp is 31.25 °C (above 30)"},
        {"below: 40", "temp is 31.25 °C (below 40)"},
        {"equals: '31.25'", "temp is 31.25 °C"},
        {"change: true", "temp is now 31.25 °C"},
        {"above: 30, message: '{name}: {value}{unit}, {reading}, {door}, {temp}'",
         "Lamp x: 31.25°C, temp, open, 31.25 °C"},
        {"above: 30, message: 'no {such} word {'", "no {such} word {"},
        {"above: 30, message: '{1} in {1}'", "x in x"},
        {"above: 30, message: '{{value}}'", "{31.25}"},
        {"above: 30, message: '{none}.'", "."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char yaml[512];
        struct arena a;
        (void)snprintf(
            yaml, sizeof(yaml),
            "devices:\n  d:\n    topic: d/+\n    name: Lamp {1}\n    readings: {temp: {unit: °C}, door: {}, none: {}}\n"
            "    alerts: [{reading: temp, %s}]\n",
            cases[i].rule);
        struct mqtt_spec *s = spec_rig(yaml);
        struct mqtt_device *d = spec_rig_device(s, "x");
        spec_rig_set_number(d, 0, 31.25);
        spec_rig_set_text(d, 1, "open");
        arena_init(&a, 0);
        assert_str(mqtt_rule_text(d, 0, &a), cases[i].said);
        arena_finish(&a);
        mqtt_device_destroy(d);
        mqtt_spec_destroy(s);
    }
}

// A value cannot bring words of its own into the text, nor make it longer than it may be.
static void hostile_value(void **state)
{
    enum { LONG = MQTT_TEXT_MAX };
    struct mqtt_spec *s =
        spec_rig("devices: {d: {topic: d/+, readings: {v: {}, w: {}}, alerts: [{reading: v, change: true, "
                 "message: '{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}{v}'}, {reading: w, change: true, message: "
                 "'{w}'}]}}");
    struct mqtt_device *d = spec_rig_device(s, "x");
    char text[LONG + 1];
    struct arena a;

    (void)state;
    memset(text, 'v', LONG);
    text[LONG] = '\0';
    arena_init(&a, 0);
    spec_rig_set_text(d, 0, text);
    spec_rig_set_text(d, 1, "{v} {name}");
    assert_true(mqtt_rule_text(d, 0, &a).n <= 2048);
    assert_str(mqtt_rule_text(d, 1, &a), "{v} {name}");
    arena_finish(&a);
    mqtt_device_destroy(d);
    mqtt_spec_destroy(s);
}

/* What it is called */

static void keys(void **state)
{
    static const struct {
        const char *rule, *key;
    } cases[] = {
        {"above: 30", "v>30"},
        {"below: -1.5", "v<-1.5"},
        {"equals: open", "v=open"},
        {"change: true", "v~"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char yaml[256];
        struct arena a;
        (void)snprintf(yaml, sizeof(yaml), "devices: {d: {topic: d/+, readings: {v: {}}, alerts: [{reading: v, %s}]}}",
                       cases[i].rule);
        struct mqtt_spec *s = spec_rig(yaml);
        struct mqtt_device *d = spec_rig_device(s, "x");
        arena_init(&a, 0);
        assert_str(mqtt_rule_key(d, 0, &a), cases[i].key);
        arena_finish(&a);
        mqtt_device_destroy(d);
        mqtt_spec_destroy(s);
    }
}

// The same for the same occasion of the same alert of the same device, and for no other.
static void ids(void **state)
{
    struct mqtt_spec *s = spec_rig(
        "devices: {d: {topic: d/+, readings: {v: {}}, alerts: [{reading: v, above: 1}, {reading: v, above: 2}]}}");
    struct mqtt_device *d = spec_rig_device(s, "x"), *other = spec_rig_device(s, "y");
    struct str id[6];
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    id[0] = mqtt_rule_id(d, 0, STR("1"), &a);
    id[1] = mqtt_rule_id(d, 1, STR("1"), &a);
    id[2] = mqtt_rule_id(other, 0, STR("1"), &a);
    id[3] = mqtt_rule_id(d, 0, STR("2"), &a);
    id[4] = mqtt_rule_id(d, 0, STR_NONE, &a);
    id[5] = mqtt_rule_id(d, 0, STR("1"), &a);
    assert_str(id[5], id[0].p);
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(str_eq(id[i], id[k]));
    arena_finish(&a);
    mqtt_device_destroy(d);
    mqtt_device_destroy(other);
    mqtt_spec_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences), cmocka_unit_test(texts), cmocka_unit_test(hostile_value),
        cmocka_unit_test(keys),      cmocka_unit_test(ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
