#include "adapters/mqtt/mqtt_value.h"

#include "base/mem.h"
#include "lib/check.h"

static const struct {
    const char *value, *payload;
    const char *text; // NULL: absent
    bool number;
} cases[] = {
    // as it is
    {"", "21.5", "21.5", true},
    {"", " 21.5 ", "21.5", true},
    {"", "hello", "hello", false},
    {"", "", NULL, false},
    {"", "007", "007", false},
    {"", "0", "0", true},
    {"", "-0.5", "-0.5", true},
    {"", "1e3", "1e3", true},
    {"", "123456789012345678901", "123456789012345678901", false},
    {"", "nan", "nan", false},
    {"", "inf", "inf", false},
    // paths
    {"temperature", "{\"temperature\":21.5}", "21.5", true},
    {"a.b", "{\"a\":{\"b\":\"x\"}}", "x", false},
    {"a[1]", "{\"a\":[1,2]}", "2", true},
    {"a", "{\"b\":1}", NULL, false},
    {"a", "{\"a\":null}", NULL, false},
    {"a", "no json", NULL, false},
    {"a", "{\"a\":true}", "true", false},
    {"a", "{\"a\":\"42\"}", "42", true},
    {"a", "{\"a\":{\"b\":1}}", "{\"b\":1}", false},
    // templates
    {"{{ value }}", "12", "12", true},
    {"{{value_json.a}}", "{\"a\":12}", "12", true},
    {"{{- value_json.a -}}", "{\"a\":12}", "12", true},
    {"{{ value_json['a'] }}", "{\"a\":12}", "12", true},
    {"{{ value_json[\"a\"][\"b\"] }}", "{\"a\":{\"b\":1}}", "1", true},
    {"{{ value_json['SI7021'].Temperature }}", "{\"SI7021\":{\"Temperature\":21.5}}", "21.5", true},
    {"{{ value_json['switch:0'].output }}", "{\"switch:0\":{\"output\":true}}", "true", false},
    {"{{ value_json.a[0].b }}", "{\"a\":[{\"b\":7}]}", "7", true},
    {"{{ value_json[1] }}", "[4,5]", "5", true},
    {"{{ value_json }}", "\"x\"", "x", false},
    // filters
    {"{{ value | float }}", "12.50", "12.50", true},
    {"{{ value | int }}", "12.9", "12", true},
    {"{{ value | int }}", "-12.9", "-12", true},
    {"{{ value | round(1) }}", "12.345", "12.3", true},
    {"{{ value | float | round(2) }}", "12.345678", "12.35", true},
    {"{{ value | round }}", "12.6", "13", true},
    {"{{ value | float(0) }}", "abc", "0", true},
    {"{{ value | float }}", "abc", NULL, false},
    {"{{ value | int(default=0) }}", "5", "5", false}, // not in the subset: raw
    {"{{ value | upper }}", "on", "ON", false},
    {"{{ value | lower }}", "ON", "on", false},
    {"{{ value_json.a | default('none') }}", "{}", "none", false},
    {"{{ value_json.a | default(\"none\") | upper }}", "{}", "NONE", false},
    {"{{ value_json.a | default(-1.5) }}", "{}", "-1.5", true},
    {"{{ value_json.a | default('x', true) }}", "{\"a\":1}", "1", true},
    {"{{ value_json.a | is_defined }}", "{\"a\":1}", "1", true},
    {"{{ value_json.a | is_defined }}", "{}", NULL, false},
    {"{{ value_json.t | float | round(1) | default(0) }}", "{\"t\":\"20.06\"}", "20.1", true},
};

static void values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct arena a;
        struct mqtt_value v;
        struct mqtt_payload p;
        arena_init(&a, 0);
        mqtt_value_compile(&a, str_c(cases[i].value), &v);
        mqtt_payload_init(&p, str_c(cases[i].payload), &a);
        struct mqtt_result r = mqtt_value_get(&v, &p);
        if (!cases[i].text) {
            if (r.type != MQTT_ABSENT)
                fail_msg("case %zu (%s of %s): " STR_FMT, i, cases[i].value, cases[i].payload, STR_ARG(r.text));
        } else if (r.type == MQTT_ABSENT || !str_eq_c(r.text, cases[i].text)) {
            fail_msg("case %zu (%s of %s): type %d, " STR_FMT, i, cases[i].value, cases[i].payload, (int)r.type,
                     STR_ARG(r.text));
        } else if ((r.type == MQTT_NUMBER) != cases[i].number && !v.unsupported) {
            fail_msg("case %zu (%s of %s): type %d", i, cases[i].value, cases[i].payload, (int)r.type);
        }
        mqtt_payload_finish(&p);
        arena_finish(&a);
    }
}

static void unsupported_templates(void **state)
{
    static const char *const templates[] = {
        "{{ value_json.a if value_json.b else 'x' }}",
        "{% if value_json.a %}on{% else %}off{% endif %}",
        "{{ value_json.a * 10 }}",
        "{{ (value | float / 10) | round(1) }}",
        "{{ states('sensor.x') }}",
        "{{ value_json.get('a') }}",
        "{{ value_json.a | regex_replace('x', 'y') }}",
        "{{ value_json['a.b'] }}",
        "{{ value_json['a }}",
        "{{ value_json[] }}",
        "{{ value_json. }}",
        "{{ }}",
        "{{}}",
        "{{ value }} {{ value }}",
        "prefix {{ value }}",
        "{{ value | round(99) }}",
        "{{ value | round(x) }}",
        "{{ value | default('a\\'b') }}",
        "{{ value | upper | lower | upper | lower | upper }}",
        "{{ value |",
        "{{ value | }}",
        "{{ value | upper( }}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
        struct arena a;
        struct mqtt_value v;
        struct mqtt_payload p;
        arena_init(&a, 0);
        mqtt_value_compile(&a, str_c(templates[i]), &v);
        if (!v.unsupported)
            fail_msg("taken for supported: %s", templates[i]);
        mqtt_payload_init(&p, STR("raw"), &a);
        assert_true(str_eq_c(mqtt_value_get(&v, &p).text, "raw"));
        mqtt_payload_finish(&p);
        arena_finish(&a);
    }
}

// Every template cut short anywhere is either read or refused, and never read beyond its end.
static void cut_templates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t n = 0; n <= strlen(cases[i].value); n++) {
            struct arena a;
            struct mqtt_value v;
            struct mqtt_payload p;
            arena_init(&a, 0);
            char *exact = mem_dup(cases[i].value, n);
            mqtt_value_compile(&a, (struct str){exact, n}, &v);
            mqtt_payload_init(&p, str_c(cases[i].payload), &a);
            (void)mqtt_value_get(&v, &p);
            assert_true(v.filter_count <= MQTT_FILTERS);
            mqtt_payload_finish(&p);
            mem_free(exact);
            arena_finish(&a);
        }
}

static void texts(void **state)
{
    struct arena a;
    char big[1000];

    (void)state;
    arena_init(&a, 0);
    assert_true(str_eq_c(mqtt_value_text(&a, STR("plain")), "plain"));
    assert_true(str_eq_c(mqtt_value_text(&a, STR("a\0b")), "[3 bytes binary]"));
    assert_true(str_eq_c(mqtt_value_text(&a, STR("\xff\xfe\x01")), "[3 bytes binary]"));
    assert_true(str_eq_c(mqtt_value_text(&a, STR("a\x01z")), "a\xef\xbf\xbdz"));
    memset(big, 'x', sizeof(big));
    assert_int_equal(mqtt_value_text(&a, (struct str){big, sizeof(big)}).n, MQTT_TEXT_MAX);
    memset(big, 1, sizeof(big));
    assert_true(mqtt_value_text(&a, (struct str){big, sizeof(big)}).n <= MQTT_TEXT_MAX);
    arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(unsupported_templates),
        cmocka_unit_test(cut_templates),
        cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
