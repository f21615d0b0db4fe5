/* Templates: what a configuration may say, and where it is told that it may not. */
#include "model_rig.h"

static const struct {
    const char *yaml;
    const char *place;   // in the report
    const char *message; // part of it
} wrong[] = {
    {"devices: {d: {topic: 'a/#'}}", "1:22", "'#' cannot stand"},
    {"devices: {d: {topic: 'a/x+'}}", "1:22", "must be a whole level"},
    {"devices: {d: {topic: '$SYS/+'}}", "1:22", "the broker's own"},
    {"devices: {d: {}}", "1:11", "'topic' is missing"},
    {"devices: {d: {topic: a/+, name: 'x {2}'}}", "1:33", "{2} stands for nothing"},
    {"devices: {d: {topic: a, name: 'x {1}'}}", "1:31", "{1} stands for nothing"},
    {"devices: {d: {topic: a/+/+, id: '{1}'}}", "1:33", "two devices would have the same id"},
    {"devices: {d: {topic: a/+, availability: [{topic: 'b/+/+'}]}}", "1:50", "{2} stands for nothing"},
    {"devices: {d: {topic: a/+, availability: [{topic: b}, {topic: b}]}}", "1:62", "stands here twice"},
    {"devices: {d: {topic: a/+, readings: {t: {value: '{{ value|foo }}'}}}}", "1:49", "not supported"},
    {"devices: {d: {topic: a/+, readings: {t: {topic: 'b/#'}}}}", "1:49", "'#' cannot stand"},
    {"devices: {d: {topic: a/+, readings: {T: {}}}}", "1:38", "'T'"},
    {"devices: {d: {topic: a/+, readings: {t: {deadband: -1}}}}", "1:52", "deadband"},
    {"devices: {d: {topic: a/+, controls: {c: {}}}}", "1:38", "'topic' is missing"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: 'b/{3}'}}}}", "1:49", "{3} stands for nothing"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: b, state: nope}}}}", "1:59", "no reading is called 'nope'"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: b, type: number, min: 5, max: 1}}}}", "1:71", "greater than"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: b, type: choice}}}}", "1:38", "needs 1 to"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: b, payload: x}}}}", "1:61", "no {value}"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: b, type: bol}}}}", "1:58", "'bool'"},
    {"devices: {d: {topic: a/+, controls: {c: {topic: b, qos: 2}}}}", "1:57", "qos"},
    {"devices: {d: {topic: a/+, alerts: [{reading: t, above: 1}]}}", "1:46", "no reading is called 't'"},
    {"devices: {d: {topic: a/+, readings: {t: {}}, alerts: [{reading: t}]}}", "1:55", "exactly one of"},
    {"devices: {d: {topic: a/+, readings: {t: {}}, alerts: [{reading: t, above: 1, below: 0}]}}", "1:55",
     "exactly one"},
    {"devices: {d: {topic: a/+, readings: {t: {}}, alerts: [{reading: t, above: 1, rearm: 2}]}}", "1:85", "wrong side"},
    {"devices: {d: {topic: a/+, readings: {t: {}}, alerts: [{reading: t, below: 1, rearm: 0}]}}", "1:85", "wrong side"},
    {"devices: {d: {topic: a/+, readings: {t: {}}, alerts: [{reading: t, equals: x, rearm: 0}]}}", "1:86",
     "belongs to"},
    {"devices: {d: {topic: a/+, readings: {t: {}}, alerts: [{reading: t, above: 1}, {reading: t, above: 1.0}]}}",
     "1:79", "stands here twice"},
    {"devices: {d: {topic: a/+, expire_after: 5}}", "1:41", "expire_after"},
    {"discovery: {enabled: true}", "1:22", "needs `allow`"},
    {"discovery: {enabled: true, allow: ['a/#/b']}", "1:36", "not a topic filter"},
    {"discovery: {enabled: true, allow: ['$SYS/#']}", "1:36", "not a topic filter"},
    {"discovery: {enabled: true, allow: [a], prefix: 'x/+'}", "1:48", "not a topic"},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct conf_report *report = conf_report_create();
        struct conf_value *section = rig_section(wrong[i].yaml, report);
        if (section)
            assert_null(mqtt_model_create(section, report, &rig_host, NULL, NULL));
        struct str text = conf_report_text(report);
        char place[64];
        (void)snprintf(place, sizeof(place), "test.yaml:%s: error: ", wrong[i].place);
        if (str_find_str(text, str_c(place)) < 0 || str_find_str(text, str_c(wrong[i].message)) < 0)
            fail_msg("%s\n" STR_FMT, wrong[i].yaml, STR_ARG(text));
        conf_destroy(section);
        conf_report_destroy(report);
    }
}

static void all_errors_are_told(void **state)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_section("devices:\n  a: {topic: 'a/#'}\n  b: {topic: 'b/#'}\n"
                                             "discovery: {enabled: true}\n",
                                             report);

    (void)state;
    assert_non_null(section);
    assert_null(mqtt_model_create(section, report, &rig_host, NULL, NULL));
    assert_int_equal(conf_errors(report), 3);
    conf_destroy(section);
    conf_report_destroy(report);
}

static void topics_and_ids(void **state)
{
    static const struct {
        const char *yaml, *topic, *key, *name;
    } cases[] = {
        {"devices: {d: {topic: a/+/+}}", "a/x/y", "d/x/y", "x/y"},
        {"devices: {d: {topic: a/+/+, id: '{2}.{1}'}}", "a/x/y", "d/y.x", "y.x"},
        {"devices: {d: {topic: 'a/{2}/{1}'}}", "a/x/y", "d/y/x", "y/x"},
        {"devices: {pump: {topic: plant/pump, name: The pump}}", "plant/pump", "pump", "The pump"},
        {"devices: {d: {topic: a/+, name: '{1} {1}'}}", "a/x y", "d/x y", "x y x y"},
        {"devices: {d: {topic: a/+, readings: {t: {topic: b/+}}}}", "b/x", "d/x", "x"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        rig_init(&r, cases[i].yaml);
        rig_up(&r);
        rig_hear(&r, cases[i].topic, "1");
        const struct event *ev = rig_last(&r, EV_IDENTITY, cases[i].key);
        if (!ev)
            fail_msg("%s", cases[i].yaml);
        assert_str(ev->name, cases[i].name);
        rig_finish(&r);
    }
}

// Two templates may listen to the same topic.
static void two_templates(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {a: {topic: x/+, readings: {v: {value: v}}}, b: {topic: x/+, readings: {w: {value: w}}}}");
    rig_up(&r);
    rig_hear(&r, "x/1", "{\"v\":1,\"w\":2}");
    assert_presence(&r, "a/1", SHOW_ONLINE, "v 1");
    assert_presence(&r, "b/1", SHOW_ONLINE, "w 2");
    rig_finish(&r);
}

// Ids that run into one another make one device, not a mixture.
static void ambiguous_ids(void **state)
{
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: a/+/+, id: '{1}{2}', readings: {v: {}}}}");
    rig_up(&r);
    rig_hear(&r, "a/x/yz", "1");
    rig_hear(&r, "a/xy/z", "2");
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, 1);
    assert_int_equal(stat.invalid, 1);
    (void)rig_say(&r, "d/xyz", "v", 1);
    assert_str(rig_last(&r, EV_DELIVERED, NULL)->body, "v: 1");
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),       cmocka_unit_test(all_errors_are_told), cmocka_unit_test(topics_and_ids),
        cmocka_unit_test(two_templates), cmocka_unit_test(ambiguous_ids),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
