/* What the tests of the conventions share: a model that is up, as setup and teardown of a test; what a device is
 * told and answers; and descriptions. */
#ifndef SPANDREL_TEST_CONVENTION_RIG_H
#define SPANDREL_TEST_CONVENTION_RIG_H

#include "model_rig.h"

#include "adapters/mqtt/mqtt_describe.h"

static inline void rig_start(struct rig *r, const char *yaml)
{
    rig_init(r, yaml);
    rig_up(r);
}

// Setup of a test: its state is a started rig, which rig_teardown() finishes.
static inline int rig_setup(void **state, const char *yaml)
{
    struct rig *r = MEM_NEW(struct rig);

    rig_start(r, yaml);
    *state = r;
    return 0;
}

static inline int rig_teardown(void **state)
{
    rig_finish(*state);
    mem_free(*state);
    return 0;
}

// A test that begins with a rig of setup().
#define rig_test(test, setup) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

static inline struct mqtt_model_stat rig_stat(const struct rig *r)
{
    struct mqtt_model_stat s;

    mqtt_model_stat(r->m, &s);
    return s;
}

static inline void rig_reload(struct rig *r, const char *yaml)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_section(yaml, report);

    assert_int_equal(mqtt_model_reload(r->m, section, report, r->now, r->wall), ERR_OK);
    conf_destroy(section);
    conf_report_destroy(report);
}

// A model that is not started yet, with all that another has stored.
static inline void rig_restore(struct rig *again, const struct rig *r, const char *yaml)
{
    rig_init(again, yaml);
    for (size_t i = 0; i < r->count; i++)
        if (r->events[i]->kind == EV_STATE && r->events[i]->blob.n)
            mqtt_model_restore(again->m, r->events[i]->key, r->events[i]->blob);
}

// The last that was published to the topic, or NULL.
static inline struct rig_publish *rig_published(struct rig *r, const char *topic)
{
    for (size_t i = r->publish_count; i > 0; i--)
        if (str_eq_c(r->published[i - 1].topic, topic))
            return &r->published[i - 1];
    return NULL;
}

// The device's answer, where it has one already; NULL for none, or an error.
static inline const struct event *rig_said(struct rig *r, const char *key, const char *text)
{
    rig_clear(r);
    (void)rig_say(r, key, text, 1);
    return rig_last(r, EV_DELIVERED, key);
}

// The last event of the kind about the key has this text.
static inline void assert_outcome(const struct rig *r, enum event_kind kind, const char *key, const char *text)
{
    const struct event *ev = rig_last(r, kind, key);

    assert_non_null(ev);
    assert_str(ev->body, text);
}

static inline void assert_says(struct rig *r, const char *key, const char *text, const char *answer)
{
    (void)rig_said(r, key, text);
    assert_outcome(r, EV_DELIVERED, key, answer);
}

static inline void assert_refuses(struct rig *r, const char *key, const char *text, const char *answer)
{
    assert_null(rig_said(r, key, text));
    assert_outcome(r, EV_FAILED, key, answer);
}

/* Descriptions, without a model */

struct draft {
    struct mqtt_describe d;
    struct mqtt_found found;
    struct errmsg msg;
    struct arena a;
};

static inline int draft_setup(void **state)
{
    struct draft *t = MEM_NEW(struct draft);

    *t = (struct draft){.msg = {""}};
    arena_init(&t->a, 0);
    *state = t;
    return 0;
}

static inline int draft_teardown(void **state)
{
    struct draft *t = *state;

    arena_finish(&t->a);
    mem_free(t);
    return 0;
}

// A test that begins with an empty draft.
#define draft_test(test) cmocka_unit_test_setup_teardown(test, draft_setup, draft_teardown)

// "platform name;" of each entity, in the arena.
static inline struct str rig_entities(struct arena *a, const struct mqtt_found *found)
{
    struct str all = STR_NONE;

    for (size_t i = 0; i < found->count; i++) {
        json_t *e = json_read(found->entities[i], MQTT_DISCOVERY_PAYLOAD, NULL);
        all = arena_printf(a, STR_FMT STR_FMT " " STR_FMT ";", STR_ARG(all), STR_ARG(json_member_str(e, "platform")),
                           STR_ARG(json_member_str(e, "name")));
        json_decref(e);
    }
    return all;
}

#endif
