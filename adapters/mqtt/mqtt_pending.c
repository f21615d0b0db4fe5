#include "adapters/mqtt/mqtt_pending.h"

#include "base/map.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

static const struct fsm_state states[] = {
    [MQTT_PENDING_SENT] = {"sent", FSM_TO(MQTT_PENDING_TAKEN) | FSM_TO(MQTT_PENDING_DONE)},
    [MQTT_PENDING_TAKEN] = {"taken", FSM_TO(MQTT_PENDING_DONE)},
    [MQTT_PENDING_DONE] = {"done", 0},
};
static const struct fsm_def machine = {"command", states, sizeof(states) / sizeof(states[0])};

static void set_state(struct mqtt_pending *p, unsigned state, int64_t now, const struct log_ctx *log)
{
    fsm_move(&p->fsm, state, now, log);
}

static void release(struct mqtt_pending *p)
{
    mem_free(p->wanted);
    mem_free(p->reply);
}

void mqtt_pendings_finish(struct mqtt_pendings *p)
{
    for (unsigned i = 0; i < p->count; i++)
        release(&p->v[i]);
    p->count = 0;
}

// Not to be guessed by a device that may write to the response topic of another.
static void make_correlation(struct mqtt_pending *p)
{
    uint64_t hash = map_hash((struct str){(const char *)&p->id, sizeof(p->id)});

    (void)snprintf(p->correlation, sizeof(p->correlation), "%016" PRIx64, hash);
}

struct mqtt_pending *mqtt_pendings_add(struct mqtt_pendings *p, const struct mqtt_device *d,
                                       const struct mqtt_request *r, struct str reply, bool sure, int64_t now)
{
    if (p->count == MQTT_PENDING_MAX)
        return NULL;
    struct mqtt_pending *one = &p->v[p->count++];
    bool shows = r->control->state != MQTT_NO_READING && r->wanted.n;

    *one = (struct mqtt_pending){.id = ++p->last_id, .device = d->handle};
    one->control = (uint16_t)(r->control - d->spec->controls);
    one->confirms = shows || (reply.n && sure);
    one->unsure = reply.n && !sure;
    one->wanted = mem_dup(r->wanted.p, r->wanted.n);
    one->reply = reply.n ? mem_dup(reply.p, reply.n) : NULL;
    one->deadline = now + (one->confirms ? MQTT_CONFIRM_TIMEOUT : MQTT_PUBACK_TIMEOUT);
    make_correlation(one);
    fsm_init(&one->fsm, &machine, MQTT_PENDING_SENT, now);
    return one;
}

void mqtt_pending_taken(struct mqtt_pending *p, int64_t now, const struct log_ctx *log)
{
    set_state(p, p->confirms || p->reply ? MQTT_PENDING_TAKEN : MQTT_PENDING_DONE, now, log);
    if (!p->confirms)
        p->deadline = now + MQTT_CONFIRM_TIMEOUT;
}

void mqtt_pending_answered(struct mqtt_pending *p)
{
    mem_free(p->reply);
    p->reply = NULL;
}

void mqtt_pending_done(struct mqtt_pending *p, int64_t now, const struct log_ctx *log)
{
    set_state(p, MQTT_PENDING_DONE, now, log);
}

void mqtt_pendings_remove(struct mqtt_pendings *p, struct mqtt_pending *one)
{
    size_t at = (size_t)(one - p->v);

    release(one);
    p->count--;
    memmove(one, one + 1, (p->count - at) * sizeof(*one)); // the oldest stays first
}

struct mqtt_pending *mqtt_pendings_by_id(struct mqtt_pendings *p, uint64_t id)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->v[i].id == id)
            return &p->v[i];
    return NULL;
}

struct mqtt_pending *mqtt_pendings_by_reply(struct mqtt_pendings *p, struct str topic, struct str correlation)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct mqtt_pending *one = &p->v[i];
        if (one->reply && str_eq_c(topic, one->reply) && (!correlation.n || str_eq_c(correlation, one->correlation)))
            return one;
    }
    return NULL;
}

struct mqtt_pending *mqtt_pendings_by_device(struct mqtt_pendings *p, uint32_t device)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->v[i].device == device)
            return &p->v[i];
    return NULL;
}

struct mqtt_pending *mqtt_pendings_due(struct mqtt_pendings *p, int64_t now)
{
    for (unsigned i = 0; i < p->count; i++)
        if (p->v[i].deadline <= now)
            return &p->v[i];
    return NULL;
}

int64_t mqtt_pendings_deadline(const struct mqtt_pendings *p)
{
    int64_t deadline = INT64_MAX;

    for (unsigned i = 0; i < p->count; i++)
        if (p->v[i].deadline < deadline)
            deadline = p->v[i].deadline;
    return deadline;
}
