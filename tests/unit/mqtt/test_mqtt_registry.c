/* The registry against a plain model of it: devices that come and go, share topics, and want to be woken. */
#include "lib/check.h"

#include "adapters/mqtt/mqtt_registry.h"

#include <stdio.h>

enum { DEVICES = 300, STEPS = 20000 };

struct world {
    struct mqtt_registry registry;
    struct mqtt_spec *spec;
    struct mqtt_device *devices[DEVICES];
    int64_t wake[DEVICES]; // INT64_MAX: none
    uint32_t seed;
};

static uint32_t dice(struct world *w, uint32_t n)
{
    w->seed = w->seed * 1664525 + 1013904223;
    return (w->seed >> 8) % n;
}

// Each has its own topic "d/N/state", and shares "d/GROUP/online" with a fifth of the others, and "bridge" with all.
static void world_init(struct world *w)
{
    static const char *const topics[] = {"d/{1}/state", "g/{2}/online", "bridge"};

    *w = (struct world){.seed = 42, .spec = mqtt_spec_create()};
    mqtt_registry_init(&w->registry);
    w->spec->captures = 6;
    for (size_t i = 0; i < COUNT(topics); i++) {
        struct mqtt_pattern p;
        uint16_t at;
        assert_int_equal(mqtt_pattern_parse(&w->spec->arena, str_c(topics[i]), &p, NULL), ERR_OK);
        assert_true(mqtt_spec_topic(w->spec, &p, &at));
    }
    mqtt_spec_seal(w->spec);
    for (size_t i = 0; i < DEVICES; i++)
        w->wake[i] = INT64_MAX;
}

static void world_finish(struct world *w)
{
    mqtt_registry_finish(&w->registry);
    mqtt_spec_destroy(w->spec);
}

static void come(struct world *w, uint32_t i)
{
    char id[16], group[16], key[32];
    struct mqtt_captures c = {.count = 2};

    c.level[0] = (struct str){id, (size_t)snprintf(id, sizeof(id), "%u", i)};
    c.level[1] = (struct str){group, (size_t)snprintf(group, sizeof(group), "%u", i % 5)};
    (void)snprintf(key, sizeof(key), "k/%u", i);
    w->devices[i] = mqtt_device_create(w->spec, str_c(key), &c);
    mqtt_registry_add(&w->registry, w->devices[i]);
}

static void go(struct world *w, uint32_t i)
{
    mqtt_registry_remove(&w->registry, w->devices[i]);
    mqtt_device_destroy(w->devices[i]);
    w->devices[i] = NULL;
    w->wake[i] = INT64_MAX;
}

static size_t listeners(const struct world *w, const char *topic)
{
    uint32_t b = mqtt_registry_topic(&w->registry, str_c(topic));
    size_t n = 0;

    while (b != MQTT_NONE) {
        struct mqtt_device *d;
        uint16_t at;
        b = mqtt_registry_binding(&w->registry, b, &d, &at);
        assert_true(at < w->spec->topic_count);
        n++;
    }
    return n;
}

static void check_counts(const struct world *w)
{
    size_t all = 0, groups[5] = {0};

    for (uint32_t i = 0; i < DEVICES; i++)
        if (w->devices[i]) {
            all++;
            groups[i % 5]++;
        }
    assert_int_equal(w->registry.device_count, all);
    assert_int_equal(w->registry.binding_count, 3 * all);
    assert_int_equal(listeners(w, "bridge"), all);
    for (uint32_t g = 0; g < 5; g++) {
        char topic[32];
        (void)snprintf(topic, sizeof(topic), "g/%u/online", g);
        assert_int_equal(listeners(w, topic), groups[g]);
    }
}

static void check_one(const struct world *w, uint32_t i)
{
    char key[32], topic[32];

    (void)snprintf(key, sizeof(key), "k/%u", i);
    (void)snprintf(topic, sizeof(topic), "d/%u/state", i);
    assert_ptr_equal(mqtt_registry_find(&w->registry, str_c(key)), w->devices[i]);
    assert_int_equal(listeners(w, topic), w->devices[i] ? 1 : 0);
}

static void comes_and_goes(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = dice(&w, DEVICES);
        if (w.devices[i])
            go(&w, i);
        else
            come(&w, i);
        check_one(&w, i);
        if (step % 500 == 0)
            check_counts(&w);
    }
    check_counts(&w);
    world_finish(&w);
}

static void wakes_in_order(void **state)
{
    struct world w;
    int64_t now = 0;

    (void)state;
    world_init(&w);
    for (uint32_t i = 0; i < DEVICES; i++)
        come(&w, i);
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = dice(&w, DEVICES);
        int64_t at = now + dice(&w, 1000);
        if (dice(&w, 20) == 0) {
            go(&w, i);
            come(&w, i);
        }
        mqtt_registry_wake(&w.registry, w.devices[i], at);
        if (at < w.wake[i])
            w.wake[i] = at;
        if (dice(&w, 4) == 0)
            now += 5;
        struct mqtt_device *d;
        while ((d = mqtt_registry_due(&w.registry, now))) {
            uint32_t which = 0;
            while (w.devices[which] != d)
                which++;
            assert_true(w.wake[which] <= now);
            w.wake[which] = INT64_MAX;
        }
        int64_t first = INT64_MAX;
        for (uint32_t k = 0; k < DEVICES; k++)
            first = w.wake[k] < first ? w.wake[k] : first;
        assert_true(mqtt_registry_deadline(&w.registry) == first);
    }
    world_finish(&w);
}

static void walks_while_removing(void **state)
{
    struct world w;
    struct mqtt_device *d;
    uint32_t at = 0;

    (void)state;
    world_init(&w);
    for (uint32_t i = 0; i < DEVICES; i++)
        come(&w, i);
    while ((d = mqtt_registry_next(&w.registry, &at))) {
        mqtt_registry_remove(&w.registry, d);
        mqtt_device_destroy(d);
    }
    assert_int_equal(w.registry.device_count, 0);
    assert_int_equal(mqtt_registry_topic(&w.registry, STR("bridge")), MQTT_NONE);
    assert_int_equal(w.registry.bytes, 0);
    world_finish(&w);
}

static void specs_of_any_size(void **state)
{
    (void)state;
    struct mqtt_spec *s = mqtt_spec_create();
    for (unsigned i = 0; i < MQTT_SPEC_READINGS; i++) {
        struct mqtt_reading *r = mqtt_spec_add_reading(s);
        assert_non_null(r);
        r->name = arena_printf(&s->arena, "r%u", i);
    }
    assert_null(mqtt_spec_add_reading(s));
    for (unsigned i = 0; i < MQTT_SPEC_READINGS; i++)
        assert_int_equal(mqtt_spec_reading(s, arena_printf(&s->arena, "R%u", i)), i);
    struct mqtt_spec_mark mark = mqtt_spec_mark(s);
    mark.readings = 5;
    mqtt_spec_rewind(s, mark);
    assert_non_null(mqtt_spec_add_reading(s));
    assert_str(s->readings[4].name, "r4");
    assert_str(mqtt_spec_slug(&s->arena, STR("Power-on  behavior!")), "power_on_behavior");
    assert_str(mqtt_spec_slug(&s->arena, STR("\xe6\xb8\xa9")), "value");
    mqtt_spec_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_and_goes),
        cmocka_unit_test(wakes_in_order),
        cmocka_unit_test(walks_while_removing),
        cmocka_unit_test(specs_of_any_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
