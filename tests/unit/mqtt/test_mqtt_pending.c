/* The table of commands on their way: found by what may end them, bounded, in order. */
#include "spec_rig.h"

#include "adapters/mqtt/mqtt_pending.h"

static const char yaml[] = "devices:\n"
                           "  d:\n"
                           "    topic: d/+/s\n"
                           "    readings: {v: {}}\n"
                           "    controls:\n"
                           "      shown: {topic: 'd/{1}/a', state: v}\n"
                           "      blind: {topic: 'd/{1}/b'}\n"
                           "      press: {topic: 'd/{1}/c', type: press, state: v}\n";

enum { SHOWN, BLIND, PRESS, HANDLE = 77 };

struct table {
    struct mqtt_spec *spec;
    struct mqtt_device *d;
    struct mqtt_pendings p;
};

static int setup(void **state)
{
    static struct table t;

    t = (struct table){.spec = spec_rig(yaml)};
    mqtt_pendings_init(&t.p);
    t.d = spec_rig_device(t.spec, "x");
    t.d->handle = HANDLE;
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    struct table *t = *state;

    mqtt_pendings_finish(&t->p);
    mqtt_device_destroy(t->d);
    mqtt_spec_destroy(t->spec);
    return 0;
}

static struct mqtt_pending *add_as(struct table *t, int control, const char *wanted, const char *reply,
                                   enum mqtt_known known, int64_t now)
{
    const struct mqtt_request r = {.control = &t->spec->controls[control], .wanted = str_c(wanted)};

    return mqtt_pendings_add(&t->p, t->d, &r, str_c(reply), known, now);
}

static struct mqtt_pending *add(struct table *t, int control, const char *wanted, const char *reply, int64_t now)
{
    return add_as(t, control, wanted, reply, MQTT_KNOWN_BY_CORRELATION, now);
}

static void end(struct table *t, struct mqtt_pending *p)
{
    mqtt_pending_done(p, 0, NULL);
    mqtt_pendings_remove(&t->p, p);
}

static void what_confirms(void **state)
{
    static const struct {
        int control;
        const char *wanted, *reply;
        bool confirms;
    } cases[] = {
        {SHOWN, "on", "", true},  {SHOWN, "on", "r", true}, {BLIND, "on", "", false},
        {BLIND, "on", "r", true}, {PRESS, "", "", false}, // shows, but nothing is wanted of it
        {PRESS, "", "r", true},
    };
    struct table *t = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct mqtt_pending *p = add(t, cases[i].control, cases[i].wanted, cases[i].reply, 1000);
        assert_int_equal(p->confirms, cases[i].confirms);
        assert_int_equal(p->deadline, 1000 + (cases[i].confirms ? MQTT_CONFIRM_TIMEOUT : MQTT_PUBACK_TIMEOUT));
        assert_int_equal(p->control, cases[i].control);
        assert_int_equal(p->device, HANDLE);
        assert_string_equal(p->wanted, cases[i].wanted);
        assert_int_equal(p->reply != NULL, *cases[i].reply != '\0');
        mqtt_pending_taken(&t->p, p, 1001, NULL);
        assert_int_equal(p->fsm.state, cases[i].confirms ? MQTT_PENDING_TAKEN : MQTT_PENDING_DONE);
        if (p->fsm.state == MQTT_PENDING_TAKEN)
            mqtt_pending_done(p, 1002, NULL);
        mqtt_pendings_remove(&t->p, p);
    }
}

// An answer that counts for nothing: the PUBACK is all, and then it is awaited to be passed over.
static void unsure(void **state)
{
    struct table *t = *state;

    assert_true(add_as(t, SHOWN, "on", "r", MQTT_KNOWN_NOT, 0)->confirms); // by its state
    end(t, mqtt_pendings_next(&t->p, NULL));
    struct mqtt_pending *p = add_as(t, BLIND, "on", "r", MQTT_KNOWN_NOT, 0);
    assert_true(p->unsure && !p->confirms);
    assert_int_equal(p->deadline, MQTT_PUBACK_TIMEOUT);
    mqtt_pending_taken(&t->p, p, 20000, NULL);
    assert_int_equal(p->fsm.state, MQTT_PENDING_TAKEN);
    assert_int_equal(p->deadline, 20000 + MQTT_CONFIRM_TIMEOUT);
    assert_ptr_equal(mqtt_pendings_by_reply(&t->p, STR("r"), STR_NONE), p);
    end(t, p);
    p = add_as(t, BLIND, "on", "r", MQTT_KNOWN_NOT, 0);
    mqtt_pending_answered(p); // before the PUBACK
    assert_null(mqtt_pendings_by_reply(&t->p, STR("r"), STR_NONE));
    mqtt_pending_taken(&t->p, p, 1, NULL);
    assert_int_equal(p->fsm.state, MQTT_PENDING_DONE);
    mqtt_pendings_remove(&t->p, p);
}

// One that is known by its topic needs no correlation, one that is not known has none to wait for.
static void doubt(void **state)
{
    struct table *t = *state;
    struct mqtt_pending *alone = add_as(t, BLIND, "on", "r", MQTT_KNOWN_BY_TOPIC, 0);
    struct mqtt_pending *first = add_as(t, BLIND, "on", "r", MQTT_KNOWN_BY_CORRELATION, 0);
    struct mqtt_pending *second = add_as(t, SHOWN, "on", "r", MQTT_KNOWN_BY_CORRELATION, 0);
    struct mqtt_pending *other = add_as(t, BLIND, "on", "s", MQTT_KNOWN_BY_CORRELATION, 0);

    assert_false(first->unsure || second->unsure);
    assert_true(alone->confirms && first->confirms);
    mqtt_pendings_doubt(&t->p, STR("r"));
    assert_true(first->unsure && second->unsure);
    assert_true(first->confirms); // its own may still come
    assert_false(alone->unsure || other->unsure);
    assert_ptr_equal(mqtt_pendings_by_reply(&t->p, STR("r"), str_c(first->correlation)), first);
}

static void bounded(void **state)
{
    struct table *t = *state;

    for (int i = 0; i < MQTT_PENDING_MAX; i++)
        assert_non_null(add(t, SHOWN, "on", "r", 0));
    assert_null(add(t, SHOWN, "on", "r", 0));
    end(t, &t->p.v[3]);
    assert_non_null(add(t, SHOWN, "on", "r", 0));
    assert_null(add(t, SHOWN, "on", "r", 0));
}

// Identifiers and correlations are each used once, and a correlation does not tell the next.
static void nothing_twice(void **state)
{
    enum { MANY = 1000 };
    static char seen[MANY][MQTT_CORRELATION + 1];
    struct table *t = *state;
    uint64_t last = 0;

    for (int i = 0; i < MANY; i++) {
        struct mqtt_pending *p = add(t, BLIND, "on", "r", 0);
        assert_true(p->id > last);
        assert_int_equal(strlen(p->correlation), MQTT_CORRELATION);
        last = p->id;
        memcpy(seen[i], p->correlation, sizeof(seen[i]));
        for (int k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
        end(t, p);
    }
}

static void found_by_id(void **state)
{
    struct table *t = *state;
    uint64_t ids[3];

    for (int i = 0; i < 3; i++)
        ids[i] = add(t, SHOWN, "on", "", i)->id;
    end(t, mqtt_pendings_by_id(&t->p, ids[1]));
    assert_int_equal(mqtt_pendings_by_id(&t->p, ids[0])->id, ids[0]);
    assert_null(mqtt_pendings_by_id(&t->p, ids[1]));
    assert_int_equal(mqtt_pendings_by_id(&t->p, ids[2])->id, ids[2]);
    assert_null(mqtt_pendings_by_id(&t->p, 0));
}

// Each answer ends the one it is of: by correlation, and without one the oldest on the topic.
static void found_by_reply(void **state)
{
    struct table *t = *state;
    char correlation[3][MQTT_CORRELATION + 1];
    uint64_t ids[3];

    for (int i = 0; i < 3; i++) {
        struct mqtt_pending *p = add(t, BLIND, "on", i == 0 ? "other" : "r", i);
        ids[i] = p->id;
        memcpy(correlation[i], p->correlation, sizeof(correlation[i]));
    }
    (void)add(t, SHOWN, "on", "", 3); // waits for no answer
    const struct {
        const char *topic, *correlation;
        uint64_t id; // 0: none
    } cases[] = {
        {"r", correlation[2], ids[2]},
        {"r", correlation[1], ids[1]},
        {"r", "", ids[1]},
        {"other", "", ids[0]},
        {"r", correlation[0], 0}, // of another topic
        {"r", "0000000000000000", 0},
        {"r", "x", 0},
        {"", "", 0},
        {"s", correlation[1], 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct mqtt_pending *p =
            mqtt_pendings_by_reply(&t->p, str_c(cases[i].topic), str_c(cases[i].correlation));
        if ((p ? p->id : 0) != cases[i].id)
            fail_msg("case %zu", i);
    }
}

static void found_by_device(void **state)
{
    struct table *t = *state;

    assert_null(mqtt_pendings_by_device(&t->p, HANDLE));
    uint64_t first = add(t, SHOWN, "on", "", 0)->id;
    t->d->handle = HANDLE + 1;
    uint64_t second = add(t, SHOWN, "on", "", 0)->id;
    assert_int_equal(mqtt_pendings_by_device(&t->p, HANDLE)->id, first);
    assert_int_equal(mqtt_pendings_by_device(&t->p, HANDLE + 1)->id, second);
    assert_null(mqtt_pendings_by_device(&t->p, HANDLE + 2));
}

static void deadlines(void **state)
{
    struct table *t = *state;

    assert_int_equal(mqtt_pendings_deadline(&t->p), INT64_MAX);
    assert_null(mqtt_pendings_due(&t->p, INT64_MAX));
    uint64_t slow = add(t, BLIND, "on", "", 0)->id, quick = add(t, SHOWN, "on", "", 1000)->id;
    assert_int_equal(mqtt_pendings_deadline(&t->p), 1000 + MQTT_CONFIRM_TIMEOUT);
    assert_null(mqtt_pendings_due(&t->p, 1000 + MQTT_CONFIRM_TIMEOUT - 1));
    struct mqtt_pending *p = mqtt_pendings_due(&t->p, 1000 + MQTT_CONFIRM_TIMEOUT);
    assert_int_equal(p->id, quick);
    end(t, p);
    assert_int_equal(mqtt_pendings_deadline(&t->p), MQTT_PUBACK_TIMEOUT);
    assert_int_equal(mqtt_pendings_due(&t->p, MQTT_PUBACK_TIMEOUT)->id, slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_confirms, setup, teardown),
        cmocka_unit_test_setup_teardown(unsure, setup, teardown),
        cmocka_unit_test_setup_teardown(doubt, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(found_by_id, setup, teardown),
        cmocka_unit_test_setup_teardown(found_by_reply, setup, teardown),
        cmocka_unit_test_setup_teardown(found_by_device, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
