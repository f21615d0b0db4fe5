/* How devices come and go: several templates on one topic, bounds, reload, being forgotten. */
#include "model_rig.h"

static void reload(struct rig *r, const char *yaml)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_section(yaml, report);

    assert_non_null(section);
    assert_int_equal(mqtt_model_reload(r->m, section, report, r->now, r->wall), ERR_OK);
    conf_destroy(section);
    conf_report_destroy(report);
}

static size_t devices(const struct rig *r)
{
    struct mqtt_model_stat stat;

    mqtt_model_stat(r->m, &stat);
    return stat.devices;
}

/* Several templates on one topic: each makes its own device, in whatever order they come */

#define ONE "  one: {topic: h/+/s, readings: {v: {}, w: {topic: 'h/+/w'}}}\n"
#define TWO "  two: {topic: h/+/w, readings: {w: {}}}\n"
#define KITCHEN "  kitchen: {topic: h/kitchen/s, readings: {v: {}}}\n"

static void each_template_makes_its_own(void **state)
{
    static const struct {
        const char *yaml, *topics[3];
        const char *keys[3];
    } cases[] = {
        {"devices:\n" ONE KITCHEN, {"h/kitchen/s"}, {"one/kitchen", "kitchen"}},
        {"devices:\n" ONE TWO, {"h/x/w"}, {"one/x", "two/x"}},
        {"devices:\n" ONE TWO, {"h/x/s", "h/x/w"}, {"one/x", "two/x"}},
        {"devices:\n" ONE TWO KITCHEN, {"h/kitchen/s", "h/x/s"}, {"one/kitchen", "kitchen", "one/x"}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        size_t want = 0;
        rig_init(&r, cases[i].yaml);
        rig_up(&r);
        for (int again = 0; again < 2; again++)
            for (size_t k = 0; k < COUNT(cases[i].topics) && cases[i].topics[k]; k++)
                rig_hear(&r, cases[i].topics[k], "1");
        for (size_t k = 0; k < COUNT(cases[i].keys) && cases[i].keys[k]; k++, want++)
            assert_int_equal(rig_last(&r, EV_AVAILABLE, cases[i].keys[k])->show, SHOW_ONLINE);
        assert_int_equal(devices(&r), want);
        assert_int_equal(rig_count(&r, EV_IDENTITY), want);
        rig_finish(&r);
    }
}

static void template_that_comes_later_makes_its_own(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices:\n" ONE);
    rig_up(&r);
    rig_hear(&r, "h/kitchen/s", "1");
    reload(&r, "devices:\n" ONE KITCHEN);
    rig_hear(&r, "h/kitchen/s", "2");
    rig_pass(&r, 1000);
    assert_int_equal(devices(&r), 2);
    assert_presence(&r, "kitchen", SHOW_ONLINE, "v 2");
    rig_finish(&r);
}

// Two topics whose devices would have the same key are not taken for the same device.
static void one_id_of_two_topics(void **state)
{
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: d/+/+, id: '{1}{2}'}}");
    rig_up(&r);
    rig_hear(&r, "d/a/bc", "1");
    rig_hear(&r, "d/a/bc", "2");
    rig_hear(&r, "d/ab/c", "1");
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.devices, 1);
    assert_int_equal(stat.invalid, 1);
    rig_finish(&r);
}

/* Bounds */

static void hear_names(struct rig *r, int from, int to)
{
    for (int i = from; i < to; i++) {
        char topic[32];
        (void)snprintf(topic, sizeof(topic), "d/%d", i);
        rig_hear(r, topic, "1");
    }
}

// A million names that somebody invents: counted, and told once, until there is room again.
static void bound_is_told_once(void **state)
{
    struct mqtt_model_stat stat;
    struct rig r;

    (void)state;
    log_set_level(LOG_ERROR);
    rig_init(&r, "devices: {d: {topic: d/+, max_devices: 10}}");
    rig_up(&r);
    hear_names(&r, 0, 10);
    assert_int_equal(rig_count(&r, EV_NOTICE), 0);
    hear_names(&r, 10, 1000);
    assert_int_equal(rig_count(&r, EV_NOTICE), 1);
    assert_str(rig_last(&r, EV_NOTICE, NULL)->body, "devices.d: there are 10 devices (max_devices); no more are made");
    mqtt_model_stat(r.m, &stat);
    size_t bytes = stat.bytes;
    hear_names(&r, 1000, 20000);
    mqtt_model_stat(r.m, &stat);
    assert_int_equal(stat.bytes, bytes);
    assert_int_equal(stat.invalid, 19990);
    mqtt_model_forget(r.m, STR("d/3"), r.now, r.wall);
    hear_names(&r, 20000, 20002);
    assert_int_equal(devices(&r), 10);
    assert_int_equal(rig_count(&r, EV_NOTICE), 2);
    log_set_level(LOG_WARN);
    rig_finish(&r);
}

static void bound_of_discovery_is_told_once(void **state)
{
    struct rig r;

    (void)state;
    log_set_level(LOG_ERROR);
    rig_init(&r, "discovery: {enabled: true, allow: ['#'], max_devices: 3, max_rate: 100000}");
    rig_up(&r);
    for (int i = 0; i < 50; i++) {
        char topic[64], payload[64];
        (void)snprintf(topic, sizeof(topic), "homeassistant/sensor/%d/config", i);
        (void)snprintf(payload, sizeof(payload), "{\"state_topic\":\"s/%d\"}", i);
        rig_retained(&r, topic, payload);
    }
    assert_int_equal(devices(&r), 3);
    assert_int_equal(rig_count(&r, EV_NOTICE), 1);
    assert_str(rig_last(&r, EV_NOTICE, NULL)->body, "discovery: there are 3 devices (max_devices); no more are made");
    rig_retained(&r, "homeassistant/sensor/1/config", "");
    rig_pass(&r, 1000); // the rate allows one again
    rig_retained(&r, "homeassistant/sensor/7/config", "{\"state_topic\":\"s/7\"}");
    rig_retained(&r, "homeassistant/sensor/8/config", "{\"state_topic\":\"s/8\"}");
    assert_int_equal(devices(&r), 3);
    assert_int_equal(rig_count(&r, EV_NOTICE), 2);
    log_set_level(LOG_WARN);
    rig_finish(&r);
}

/* Reload */

// A template that is new replays all that is retained: each of its devices is told once.
static void reload_settles(void **state)
{
    enum { MANY = 50 };
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {a: {topic: a/+, readings: {v: {}}}}");
    rig_up(&r);
    rig_hear(&r, "a/1", "1");
    reload(&r,
           "devices: {a: {topic: a/+, readings: {v: {}}}, b: {topic: b/+/s, readings: {v: {}, w: {topic: b/+/w}}}}");
    rig_clear(&r);
    for (int i = 0; i < 2 * MANY; i++) {
        char topic[32];
        (void)snprintf(topic, sizeof(topic), i < MANY ? "b/%d/s" : "b/%d/w", i % MANY);
        rig_retained(&r, topic, "1");
    }
    assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
    rig_pass(&r, 1000);
    assert_int_equal(rig_count(&r, EV_AVAILABLE), MANY);
    assert_presence(&r, "b/7", SHOW_ONLINE, "v 1, w 1");
    rig_finish(&r);
}

// Nothing that was told is told again, and what goes on is not interrupted.
static void reload_tells_nothing_twice(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {a: {topic: a/+, readings: {v: {}}}}");
    rig_up(&r);
    rig_hear(&r, "a/1", "1");
    rig_clear(&r);
    reload(&r, "devices: {a: {topic: a/+, readings: {v: {}}}, b: {topic: b/+}}");
    rig_pass(&r, 120000);
    assert_int_equal(rig_count(&r, EV_AVAILABLE) + rig_count(&r, EV_UNAVAILABLE) + rig_count(&r, EV_FORGET), 0);
    assert_true(rig_listens(&r, "a/+"));
    rig_finish(&r);
}

// By name, wherever they stand in the new configuration: values, alarms, availability, when it was heard.
static void reload_keeps_what_is_known(void **state)
{
    static const char before[] = "devices:\n  a:\n    topic: a/+/s\n    availability: [{topic: 'a/{1}/up'}]\n"
                                 "    readings: {v: {value: v}, w: {value: w}}\n"
                                 "    alerts: [{reading: v, above: 30}, {reading: w, above: 5}]\n";
    static const char after[] =
        "devices:\n  a:\n    topic: a/+/s\n    availability: [{topic: 'all'}, {topic: 'a/{1}/up'}]\n"
        "    readings: {u: {value: u}, w: {value: w, unit: W}, v: {value: v}}\n"
        "    alerts: [{reading: w, above: 6}, {reading: v, above: 30}]\n";
    struct rig r;

    (void)state;
    rig_init(&r, before);
    rig_up(&r);
    rig_hear(&r, "a/1/s", "{\"v\":31,\"w\":7}");
    rig_hear(&r, "a/1/up", "offline");
    assert_int_equal(rig_count(&r, EV_MESSAGE), 2);
    rig_clear(&r);
    reload(&r, after);
    rig_pass(&r, 120000);
    assert_int_equal(rig_count(&r, EV_FORGET) + rig_count(&r, EV_AVAILABLE) + rig_count(&r, EV_MESSAGE), 0);
    assert_int_equal(rig_count(&r, EV_IDENTITY), 1);
    (void)rig_say(&r, "a/1", "status", 1);
    assert_str(rig_last(&r, EV_DELIVERED, NULL)->body,
               "1: lost 21 Nov 09:20 UTC\nu: no value yet\nw: 7 W\nv: 31\nlast heard 2 min ago");
    rig_hear(&r, "a/1/s", "{\"v\":32,\"w\":7}"); // the alert of v is known to be on; the other is a new one
    assert_int_equal(rig_count(&r, EV_MESSAGE), 1);
    assert_str(rig_last(&r, EV_MESSAGE, NULL)->body, "w is 7 W (above 6)");
    rig_hear(&r, "a/1/up", "online");
    assert_presence(&r, "a/1", SHOW_ONLINE, "7 W, v 32");
    rig_finish(&r);
}

#define FOUND "homeassistant/switch/p/config"
#define FOUND_AS                                                                                                       \
    "{\"device\":{\"identifiers\":[\"p\"],\"name\":\"Plug\"},\"name\":\"Power\",\"state_topic\":\"z/"                  \
    "p\",\"command_topic\":\"z/p/set\"}"

// What is allowed no longer goes; what still is stays as it was.
static void reload_of_discovery(void **state)
{
    static const struct {
        const char *yaml;
        bool stays;
    } cases[] = {
        {"discovery: {enabled: true, allow: ['z/#', 'y/#']}", true},
        {"discovery: {enabled: true, allow: ['y/#']}", false},
        {"discovery: {enabled: false, allow: ['z/#']}", false},
        {"discovery: {enabled: true, allow: ['z/#']}\ndevices: {own: {topic: z/+}}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        rig_init(&r, "discovery: {enabled: true, allow: ['z/#']}");
        rig_up(&r);
        rig_retained(&r, FOUND, FOUND_AS);
        rig_hear(&r, "z/p", "ON");
        rig_clear(&r);
        reload(&r, cases[i].yaml);
        rig_pass(&r, 120000);
        assert_int_equal(devices(&r), cases[i].stays);
        assert_int_equal(rig_count(&r, EV_FORGET), !cases[i].stays);
        assert_int_equal(rig_count(&r, EV_AVAILABLE), 0);
        assert_int_equal(rig_listens(&r, "z/p"), cases[i].stays);
        rig_hear(&r, "z/p", "OFF");
        if (cases[i].stays)
            assert_presence(&r, "ha:p", SHOW_ONLINE, "Power off");
        rig_finish(&r);
    }
}

// A reload ends what is on its way, with an outcome, once.
static void reload_ends_commands(void **state)
{
    static const char yaml[] =
        "devices: {a: {topic: a/+, readings: {v: {}}, controls: {v: {topic: 'a/{1}/set', state: v}}}}";
    struct rig r;

    (void)state;
    rig_init(&r, yaml);
    rig_up(&r);
    rig_hear(&r, "a/1", "1");
    (void)rig_say(&r, "a/1", "set v 2", 7);
    reload(&r, yaml); // nothing has changed
    assert_int_equal(rig_count(&r, EV_FAILED), 0);
    reload(&r,
           "devices: {a: {topic: a/+, model: M, readings: {v: {}}, controls: {v: {topic: 'a/{1}/set', state: v}}}}");
    assert_int_equal(rig_count(&r, EV_FAILED), 1);
    assert_int_equal(rig_last(&r, EV_FAILED, NULL)->token, 7);
    rig_hear(&r, "a/1", "2");
    rig_pass(&r, 60000);
    assert_int_equal(rig_count(&r, EV_FAILED) + rig_count(&r, EV_DELIVERED), 1);
    rig_finish(&r);
}

// A smaller bound takes what is above it away.
static void reload_with_a_smaller_bound(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: d/+}}");
    rig_up(&r);
    hear_names(&r, 0, 10);
    reload(&r, "devices: {d: {topic: d/+, max_devices: 4}}");
    assert_int_equal(devices(&r), 4);
    assert_int_equal(rig_count(&r, EV_FORGET), 6);
    rig_finish(&r);
}

// All that was known is told before start() returns: the bridge opens its links after that.
static void restored_are_told_at_the_start(void **state)
{
    enum { MANY = 3000 };
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {d: {topic: d/+, readings: {v: {}}}}");
    for (int i = 0; i < MANY; i++) {
        char key[16], blob[96];
        (void)snprintf(key, sizeof(key), "d/%d", i);
        (void)snprintf(blob, sizeof(blob),
                       "{\"v\":1,\"profile\":\"d\",\"captures\":[\"%d\"],\"heard\":1,\"readings\":{\"v\":%d}}", i, i);
        mqtt_model_restore(r.m, str_c(key), str_c(blob));
    }
    r.lazy = true;
    mqtt_model_start(r.m, r.now, r.wall);
    assert_int_equal(r.counts[EV_IDENTITY], MANY);
    assert_int_equal(r.counts[EV_AVAILABLE], MANY);
    mqtt_model_link(r.m, true, r.now, r.wall);
    rig_pass(&r, 60000);
    assert_int_equal(r.counts[EV_AVAILABLE], MANY); // and once
    rig_finish(&r);
}

/* Being forgotten */

static void forgotten_by_an_operator(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {a: {topic: a/+, readings: {v: {}}}}");
    rig_up(&r);
    rig_hear(&r, "a/1", "1");
    rig_pass(&r, 10000);
    assert_non_null(rig_last(&r, EV_STATE, "a/1"));
    rig_clear(&r);
    mqtt_model_forget(r.m, STR("a/2"), r.now, r.wall); // nobody
    assert_int_equal(r.count, 0);
    mqtt_model_forget(r.m, STR("a/1"), r.now, r.wall);
    assert_int_equal(devices(&r), 0);
    assert_int_equal(rig_last(&r, EV_STATE, "a/1")->blob.n, 0); // its row goes with it
    rig_pass(&r, 600000);
    assert_int_equal(rig_count(&r, EV_STATE), 1);
    rig_hear(&r, "a/1", "2"); // heard again: a new one
    assert_int_equal(rig_count(&r, EV_IDENTITY), 1);
    assert_presence(&r, "a/1", SHOW_ONLINE, "v 2");
    rig_finish(&r);
}

static void forgotten_with_a_command_on_its_way(void **state)
{
    struct rig r;

    (void)state;
    rig_init(&r, "devices: {a: {topic: a/+, readings: {v: {}}, controls: {v: {topic: 'a/{1}/set', state: v}}}}");
    rig_up(&r);
    rig_hear(&r, "a/1", "1");
    (void)rig_say(&r, "a/1", "set v 2", 7);
    rig_clear(&r);
    mqtt_model_forget(r.m, STR("a/1"), r.now, r.wall);
    assert_int_equal(rig_count(&r, EV_FAILED), 1);
    assert_int_equal(rig_last(&r, EV_FAILED, NULL)->token, 7);
    rig_pass(&r, 60000);
    assert_int_equal(rig_count(&r, EV_FAILED) + rig_count(&r, EV_DELIVERED), 1);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_template_makes_its_own),
        cmocka_unit_test(template_that_comes_later_makes_its_own),
        cmocka_unit_test(one_id_of_two_topics),
        cmocka_unit_test(bound_is_told_once),
        cmocka_unit_test(bound_of_discovery_is_told_once),
        cmocka_unit_test(reload_settles),
        cmocka_unit_test(reload_tells_nothing_twice),
        cmocka_unit_test(reload_keeps_what_is_known),
        cmocka_unit_test(reload_of_discovery),
        cmocka_unit_test(reload_ends_commands),
        cmocka_unit_test(reload_with_a_smaller_bound),
        cmocka_unit_test(restored_are_told_at_the_start),
        cmocka_unit_test(forgotten_by_an_operator),
        cmocka_unit_test(forgotten_with_a_command_on_its_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
