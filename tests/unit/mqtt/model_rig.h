/* A model with a host that writes down all it is asked for, and a clock of its own. */
#ifndef SPANDREL_TEST_MODEL_RIG_H
#define SPANDREL_TEST_MODEL_RIG_H

#include "adapters/mqtt/mqtt_model.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "lib/check.h"

#include <stdio.h>

enum { RIG_EVENTS = 4096, RIG_FILTERS = 4096, RIG_PUBLISHED = 256 };

struct rig_publish {
    struct str topic, payload, response, correlation;
    unsigned qos, expiry;
    bool retain;
    uint64_t token;
};

struct rig {
    struct mqtt_model *m;
    struct arena arena; // what was written down
    int64_t now, wall;
    const struct event *events[RIG_EVENTS];
    size_t count;
    size_t counts[EV_COUNT]; // since the begin, also of those that had no room
    struct rig_publish published[RIG_PUBLISHED];
    size_t publish_count;
    enum err publish_result;
    struct str filters[RIG_FILTERS];
    int filter_refs[RIG_FILTERS];
    size_t filter_count;
    bool lazy; // count events only
};

static inline void rig_post(void *ud, const struct event *ev)
{
    struct rig *r = ud;

    r->counts[ev->kind]++;
    if (!r->lazy && r->count < RIG_EVENTS)
        r->events[r->count++] = event_copy(&r->arena, ev);
}

static inline enum err rig_publish_fn(void *ud, const struct mqtt_publish *p)
{
    struct rig *r = ud;

    if (r->publish_result != ERR_OK)
        return r->publish_result;
    if (r->publish_count < RIG_PUBLISHED)
        r->published[r->publish_count++] = (struct rig_publish){
            .topic = arena_dup(&r->arena, p->topic),
            .payload = arena_dup(&r->arena, p->payload),
            .response = arena_dup(&r->arena, p->response_topic),
            .correlation = arena_dup(&r->arena, p->correlation),
            .qos = p->qos,
            .expiry = p->expiry_s,
            .retain = p->retain,
            .token = p->token,
        };
    return ERR_OK;
}

static inline int *rig_filter(struct rig *r, struct str filter)
{
    for (size_t i = 0; i < r->filter_count; i++)
        if (str_eq(r->filters[i], filter))
            return &r->filter_refs[i];
    if (r->filter_count == RIG_FILTERS)
        return &r->filter_refs[0];
    r->filters[r->filter_count] = arena_dup(&r->arena, filter);
    return &r->filter_refs[r->filter_count++];
}

static inline void rig_subscribe(void *ud, struct str filter, unsigned qos)
{
    struct rig *r = ud;

    (void)qos;
    if (!r->lazy)
        ++*rig_filter(r, filter);
}

static inline void rig_unsubscribe(void *ud, struct str filter)
{
    struct rig *r = ud;

    if (!r->lazy)
        --*rig_filter(r, filter);
}

static const struct conf_item rig_schema[] = {
    {.name = "devices", .type = CONF_NAMED, .sub = mqtt_model_device_schema},
    {.name = "discovery", .type = CONF_MAP, .sub = mqtt_model_discovery_schema},
    {.name = NULL},
};

static const struct mqtt_model_host rig_host = {rig_post, rig_publish_fn, rig_subscribe, rig_unsubscribe};

// A section read from YAML; the report's text goes to stderr when it is wrong, unless `expected`.
static inline struct conf_value *rig_section(const char *yaml, struct conf_report *report)
{
    return conf_parse(str_c(yaml), "test.yaml", rig_schema, report);
}

static inline void rig_init(struct rig *r, const char *yaml)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_section(yaml, report);

    *r = (struct rig){.now = 1000000, .wall = 1795252800000}; // 2026-11-21T09:20:00Z
    arena_init(&r->arena, 0);
    if (section)
        r->m = mqtt_model_create(section, report, &rig_host, r, NULL);
    if (!r->m)
        (void)fprintf(stderr, STR_FMT "\n", STR_ARG(conf_report_text(report)));
    conf_destroy(section);
    conf_report_destroy(report);
    assert_non_null(r->m);
}

static inline void rig_finish(struct rig *r)
{
    mqtt_model_destroy(r->m);
    arena_finish(&r->arena);
}

static inline void rig_clear(struct rig *r)
{
    r->count = 0;
    r->publish_count = 0;
}

// Lets time pass as the adapter would: a tick at each deadline.
static inline void rig_pass(struct rig *r, int64_t ms)
{
    int64_t end = r->now + ms;

    for (;;) {
        int64_t at = mqtt_model_deadline(r->m);
        if (at > end)
            break;
        if (at > r->now) {
            r->wall += at - r->now;
            r->now = at;
        }
        mqtt_model_tick(r->m, r->now, r->wall);
    }
    r->wall += end - r->now;
    r->now = end;
}

// Started, connected, and past the settle window.
static inline void rig_up(struct rig *r)
{
    mqtt_model_start(r->m, r->now, r->wall);
    rig_pass(r, 0);
    mqtt_model_link(r->m, true, r->now, r->wall);
    rig_pass(r, 1000);
}

static inline void rig_message(struct rig *r, const char *topic, const char *payload, unsigned qos, bool retain)
{
    struct mqtt_message msg = {.topic = str_c(topic), .payload = str_c(payload), .qos = qos, .retain = retain};

    mqtt_model_message(r->m, &msg, r->now, r->wall);
    rig_pass(r, 0);
}

static inline void rig_hear(struct rig *r, const char *topic, const char *payload)
{
    rig_message(r, topic, payload, 0, false);
}

static inline void rig_retained(struct rig *r, const char *topic, const char *payload)
{
    rig_message(r, topic, payload, 1, true);
}

// The last event of a kind since rig_clear(), about a key (NULL: any), or NULL.
static inline const struct event *rig_last(const struct rig *r, enum event_kind kind, const char *key)
{
    for (size_t i = r->count; i > 0; i--)
        if (r->events[i - 1]->kind == kind && (!key || str_eq_c(r->events[i - 1]->key, key)))
            return r->events[i - 1];
    return NULL;
}

static inline size_t rig_count(const struct rig *r, enum event_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < r->count; i++)
        n += r->events[i]->kind == kind;
    return n;
}

static inline bool rig_listens(struct rig *r, const char *filter)
{
    return *rig_filter(r, str_c(filter)) > 0;
}

// Says something to a device with all rights, or those given; the outcome, if it has come already, is the last event.
static inline enum err rig_say_as(struct rig *r, const char *key, const char *text, unsigned rights, uint64_t token)
{
    struct event ev = {.kind = EV_MESSAGE, .now = r->now, .wall = r->wall, .token = token, .rights = rights};

    ev.key = str_c(key);
    ev.body = str_c(text);
    enum err e = mqtt_model_send(r->m, &ev);
    rig_pass(r, 0);
    return e;
}

static inline enum err rig_say(struct rig *r, const char *key, const char *text, uint64_t token)
{
    return rig_say_as(r, key, text, RIGHT_SEE | RIGHT_READ | RIGHT_SEND | RIGHT_COMMAND, token);
}

// The last presence of the key is this one.
#define assert_presence(r, key_, show_, text_)                                                                         \
    do {                                                                                                               \
        const struct event *presence_ =                                                                                \
            rig_last((r), (show_) == SHOW_OFFLINE ? EV_UNAVAILABLE : EV_AVAILABLE, (key_));                            \
        assert_non_null(presence_);                                                                                    \
        assert_int_equal(presence_->show, (show_));                                                                    \
        assert_str(presence_->body, (text_));                                                                          \
    } while (0)

#endif
