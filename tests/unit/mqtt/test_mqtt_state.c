/* What is kept of a device: there and back, into another description, and out of what is damaged. */
#include "spec_rig.h"

#include "adapters/mqtt/mqtt_availability.h"
#include "adapters/mqtt/mqtt_state.h"

static const char yaml[] = "devices:\n"
                           "  d:\n"
                           "    topic: d/+/s\n"
                           "    availability_mode: latest\n"
                           "    availability: [{topic: 'd/{1}/a'}, {topic: 'd/{1}/b'}]\n"
                           "    readings: {n: {value: n}, t: {value: t}, u: {value: u}}\n"
                           "    alerts: [{reading: n, above: 30}, {reading: t, change: true}]\n";

static const struct mqtt_time t0 = {.now = 5000000, .wall = 1795252800000};

static struct str written(const struct mqtt_device *d, struct arena *a)
{
    return mqtt_state_write(d, &t0, a);
}

// A new device of the spec, with what the blob holds put into it at `t`; NULL when the blob is none.
static struct mqtt_device *read_at(struct mqtt_spec *s, struct str blob, const struct mqtt_time *t)
{
    json_t *state = mqtt_state_parse(blob);

    if (!state)
        return NULL;
    struct mqtt_device *d = spec_rig_device(s, "x");
    mqtt_state_read(d, state, t);
    json_decref(state);
    return d;
}

static struct mqtt_device *full_device(struct mqtt_spec *s)
{
    struct mqtt_device *d = spec_rig_device(s, "x");

    spec_rig_set_number(d, 0, 0.1);
    spec_rig_set_text(d, 1, "\"quoted\" \\ äö\n");
    mqtt_device_presences(d)[0] = MQTT_PRESENCE_OFFLINE;
    mqtt_device_presences(d)[1] = MQTT_PRESENCE_ONLINE;
    d->latest = 0;
    d->lost = t0.now - 3000;
    d->heard = t0.now - 60000;
    d->silence = MQTT_VERDICT_STALE;
    mqtt_device_alarms(d)[0] = (struct mqtt_alarm){.active = true, .count = 7, .last = t0.now};
    mqtt_device_alarms(d)[1] = (struct mqtt_alarm){.count = 3, .last = t0.now};
    return d;
}

static void there_and_back(void **state)
{
    const struct mqtt_time later = {.now = 100, .wall = t0.wall + 10000}; // another boot, 10 s later
    struct mqtt_spec *s = spec_rig(yaml);
    struct mqtt_device *d = full_device(s);
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    struct mqtt_device *again = read_at(s, written(d, &a), &later);
    assert_non_null(again);
    assert_true(mqtt_device_cells(again)[0].number == 0.1);
    assert_string_equal(mqtt_device_cells(again)[1].text, "\"quoted\" \\ äö\n");
    assert_int_equal(mqtt_device_cells(again)[2].type, MQTT_CELL_NONE);
    assert_int_equal(mqtt_device_presences(again)[0], MQTT_PRESENCE_OFFLINE);
    assert_int_equal(mqtt_device_presences(again)[1], MQTT_PRESENCE_ONLINE);
    assert_int_equal(again->latest, 0);
    assert_int_equal(mqtt_availability_sum(again), MQTT_PRESENCE_OFFLINE);
    assert_int_equal(again->heard, later.now - 70000);
    assert_int_equal(again->lost, later.now - 13000);
    assert_int_equal(again->silence, MQTT_VERDICT_STALE);
    assert_true(mqtt_device_alarms(again)[0].active);
    assert_int_equal(mqtt_device_alarms(again)[0].count, 7);
    assert_false(mqtt_device_alarms(again)[1].active);
    assert_int_equal(mqtt_device_alarms(again)[1].count, 3);
    struct str first = written(d, &a), second = mqtt_state_write(again, &later, &a);
    assert_true(str_eq(first, second)); // nothing is lost, nothing added
    arena_finish(&a);
    mqtt_device_destroy(again);
    mqtt_device_destroy(d);
    mqtt_spec_destroy(s);
}

// All that a topic may have said, and what nobody has written.
static void presences(void **state)
{
    struct mqtt_spec *s = spec_rig(yaml);
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    for (enum mqtt_presence p = MQTT_PRESENCE_UNKNOWN; p < MQTT_PRESENCE_COUNT; p++) {
        struct mqtt_device *d = spec_rig_device(s, "x");
        mqtt_device_presences(d)[1] = (uint8_t)p;
        struct mqtt_device *again = read_at(s, written(d, &a), &t0);
        assert_int_equal(mqtt_device_presences(again)[1], p);
        mqtt_device_destroy(again);
        mqtt_device_destroy(d);
    }
    struct mqtt_device *odd =
        read_at(s,
                STR("{\"v\":1,\"profile\":\"d\",\"captures\":[\"x\"],\"available\":{\"d/{1}/a\":\"\",\"d/{1}/b\":7},"
                    "\"raised\":{\"a\":\"b\"}}"),
                &t0);
    assert_int_equal(mqtt_device_presences(odd)[0], MQTT_PRESENCE_UNKNOWN);
    assert_int_equal(mqtt_device_presences(odd)[1], MQTT_PRESENCE_UNKNOWN);
    mqtt_device_destroy(odd);
    arena_finish(&a);
    mqtt_spec_destroy(s);
}

static void nothing_known_is_little_written(void **state)
{
    struct mqtt_spec *s = spec_rig(yaml);
    struct mqtt_device *d = spec_rig_device(s, "x");
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    d->latest = UINT8_MAX;
    assert_str(written(d, &a), "{\"v\":1,\"profile\":\"d\",\"captures\":[\"x\"]}");
    struct mqtt_device *again = read_at(s, written(d, &a), &t0);
    assert_int_equal(again->heard, INT64_MIN);
    assert_int_equal(again->silence, MQTT_VERDICT_NONE);
    assert_int_equal(mqtt_availability_sum(again), MQTT_PRESENCE_UNKNOWN);
    mqtt_device_destroy(again);
    mqtt_device_destroy(d);
    arena_finish(&a);
    mqtt_spec_destroy(s);
}

static void numbers_are_exact(void **state)
{
    static const double numbers[] = {0, 1, -1.5, 0.1, 1e300, 1e-300, 123456789.123456789, 2.2250738585072014e-308};
    struct mqtt_spec *s = spec_rig(yaml);

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct mqtt_device *d = spec_rig_device(s, "x");
        struct arena a;
        arena_init(&a, 0);
        spec_rig_set_number(d, 0, numbers[i]);
        struct mqtt_device *again = read_at(s, written(d, &a), &t0);
        assert_non_null(again);
        assert_memory_equal(&mqtt_device_cells(again)[0].number, &numbers[i], sizeof(double));
        mqtt_device_destroy(again);
        mqtt_device_destroy(d);
        arena_finish(&a);
    }
    mqtt_spec_destroy(s);
}

// The clock may have been set back, or stand anywhere: times are then as near as can be, and never in the future.
static void clocks_that_jump(void **state)
{
    static const struct {
        const char *heard;
        int64_t want;
    } cases[] = {
        {"1795252800000", 5000000},
        {"1795252799000", 5000000 - 1000},
        {"1795252800001", 5000000},
        {"9223372036854775807", 5000000},
        {"-1", 5000000},
        {"0", 5000000 - 1795252800000},
        {"\"1795252799000\"", INT64_MIN}, // no number
        {"1.5", INT64_MIN},
    };
    struct mqtt_spec *s = spec_rig(yaml);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char blob[128];
        (void)snprintf(blob, sizeof(blob), "{\"v\":1,\"heard\":%s}", cases[i].heard);
        struct mqtt_device *d = read_at(s, str_c(blob), &t0);
        assert_non_null(d);
        if (d->heard != cases[i].want)
            fail_msg("%s: %lld", cases[i].heard, (long long)d->heard);
        mqtt_device_destroy(d);
    }
    mqtt_spec_destroy(s);
}

// By name: what the other description has too is found again, wherever it stands there.
static void another_description(void **state)
{
    static const char other[] = "devices:\n  d:\n    topic: d/+/s\n    availability_mode: latest\n"
                                "    availability: [{topic: 'd/{1}/c'}, {topic: 'd/{1}/b'}, {topic: 'd/{1}/a'}]\n"
                                "    readings: {t: {value: t}, z: {value: z}, n: {value: n}}\n"
                                "    alerts: [{reading: n, above: 31}, {reading: n, above: 30}]\n";
    struct mqtt_spec *s = spec_rig(yaml), *o = spec_rig(other);
    struct mqtt_device *d = full_device(s);
    struct arena a;

    (void)state;
    arena_init(&a, 0);
    struct mqtt_device *again = read_at(o, written(d, &a), &t0);
    assert_int_equal(mqtt_device_cells(again)[0].type, MQTT_CELL_TEXT);
    assert_int_equal(mqtt_device_cells(again)[1].type, MQTT_CELL_NONE);
    assert_int_equal(mqtt_device_cells(again)[2].type, MQTT_CELL_NUMBER);
    assert_int_equal(mqtt_device_presences(again)[0], MQTT_PRESENCE_UNKNOWN);
    assert_int_equal(mqtt_device_presences(again)[1], MQTT_PRESENCE_ONLINE);
    assert_int_equal(mqtt_device_presences(again)[2], MQTT_PRESENCE_OFFLINE);
    assert_int_equal(again->latest, 2);
    assert_false(mqtt_device_alarms(again)[0].active); // another limit is another alert
    assert_true(mqtt_device_alarms(again)[1].active);
    mqtt_device_destroy(again);
    mqtt_device_destroy(d);
    arena_finish(&a);
    mqtt_spec_destroy(s);
    mqtt_spec_destroy(o);
}

static void damaged(void **state)
{
    static const struct {
        const char *blob;
        bool state; // it is one, with nothing of use in it
    } cases[] = {
        {"", false},
        {"{", false},
        {"[]", false},
        {"null", false},
        {"{}", false},
        {"{\"v\":2}", false},
        {"{\"v\":\"1\"}", false},
        {"{\"v\":1}", true},
        {"{\"v\":1,\"readings\":[],\"available\":7,\"alarms\":\"x\",\"heard\":{},\"silent\":1,\"latest\":[]}", true},
        {"{\"v\":1,\"readings\":{\"n\":[],\"t\":{},\"u\":null},\"available\":{\"d/{1}/a\":\"yes\"}}", true},
        {"{\"v\":1,\"alarms\":{\"n>30\":true,\"t~\":[1,\"x\"]},\"latest\":\"d/{1}/z\"}", true},
    };
    struct mqtt_spec *s = spec_rig(yaml);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_device *d = read_at(s, str_c(cases[i].blob), &t0);
        if ((d != NULL) != cases[i].state)
            fail_msg("%s", cases[i].blob);
        for (uint16_t k = 0; d && k < s->reading_count; k++)
            assert_int_equal(mqtt_device_cells(d)[k].type, MQTT_CELL_NONE);
        assert_true(!d || mqtt_availability_sum(d) == MQTT_PRESENCE_UNKNOWN);
        assert_true(!d || !mqtt_device_alarms(d)[0].active);
        mqtt_device_destroy(d);
    }
    mqtt_spec_destroy(s);
}

static void captures(void **state)
{
    static const struct {
        const char *blob;
        size_t count;
        const char *first;
    } cases[] = {
        {"{\"v\":1,\"captures\":[\"a\",\"b\"]}", 2, "a"},
        {"{\"v\":1,\"captures\":[]}", 0, ""},
        {"{\"v\":1,\"captures\":{}}", 0, ""},
        {"{\"v\":1}", 0, ""},
        {"{\"v\":1,\"captures\":[1]}", 1, ""}, // no level, which is not valid
        {"{\"v\":1,\"captures\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\"]}", 9, "1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *root = mqtt_state_parse(str_c(cases[i].blob));
        struct mqtt_captures c;
        assert_non_null(root);
        mqtt_state_captures(root, &c);
        assert_int_equal(c.count, cases[i].count);
        if (c.count)
            assert_str(c.level[0], cases[i].first);
        json_decref(root);
    }
}

// However much is known, what is written can be read; what does not fit is left out, and all else is there.
static void bound(void **state)
{
    enum { MANY = 100, LONG = MQTT_TEXT_MAX };
    char text[LONG + 1], many[8192];
    size_t n = (size_t)snprintf(many, sizeof(many), "devices:\n  d:\n    topic: d/+/s\n    readings:\n");
    struct arena a;

    (void)state;
    for (int i = 0; i < MANY; i++)
        n += (size_t)snprintf(many + n, sizeof(many) - n, "      r%d: {}\n", i);
    memset(text, 1, LONG); // six bytes each, escaped
    text[LONG] = '\0';
    struct mqtt_spec *s = spec_rig(many);
    struct mqtt_device *d = spec_rig_device(s, "x");
    for (uint16_t i = 0; i < MANY - 1; i++)
        spec_rig_set_text(d, i, text);
    spec_rig_set_number(d, MANY - 1, 4);
    d->heard = t0.now;
    arena_init(&a, 0);
    struct str blob = written(d, &a);
    assert_true(blob.n <= MQTT_STATE_MAX);
    assert_true(blob.n > MQTT_STATE_MAX / 2);
    struct mqtt_device *again = read_at(s, blob, &t0);
    assert_non_null(again);
    assert_int_equal(again->heard, t0.now);
    assert_string_equal(mqtt_device_cells(again)[0].text, text);
    mqtt_device_destroy(again);
    mqtt_device_destroy(d);
    arena_finish(&a);
    mqtt_spec_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(presences),
        cmocka_unit_test(nothing_known_is_little_written),
        cmocka_unit_test(numbers_are_exact),
        cmocka_unit_test(clocks_that_jump),
        cmocka_unit_test(another_description),
        cmocka_unit_test(damaged),
        cmocka_unit_test(captures),
        cmocka_unit_test(bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
