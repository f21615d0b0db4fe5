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

static struct mqtt_pending *at(struct list_node *node)
{
    return CONTAINER_OF(node, struct mqtt_pending, node);
}

void mqtt_pendings_init(struct mqtt_pendings *p)
{
    list_init(&p->free);
    list_init(&p->quick);
    list_init(&p->slow);
    p->count = 0;
    p->last_id = 0;
    for (unsigned i = 0; i < MQTT_PENDING_MAX; i++)
        list_push(&p->free, &p->v[i].node);
}

struct mqtt_pending *mqtt_pendings_next(struct mqtt_pendings *p, const struct mqtt_pending *one)
{
    struct list_node *next = one ? one->node.next : p->quick.next;

    if (next == &p->quick)
        next = p->slow.next;
    return next == &p->slow ? NULL : at(next);
}

void mqtt_pendings_finish(struct mqtt_pendings *p)
{
    for (struct mqtt_pending *one = NULL; (one = mqtt_pendings_next(p, one));)
        release(one);
    mqtt_pendings_init(p);
}

// Not to be guessed by a device that may write to the response topic of another.
static void make_correlation(struct mqtt_pending *p)
{
    uint64_t hash = map_hash((struct str){(const char *)&p->id, sizeof(p->id)});

    (void)snprintf(p->correlation, sizeof(p->correlation), "%016" PRIx64, hash);
}

struct mqtt_pending *mqtt_pendings_add(struct mqtt_pendings *p, const struct mqtt_device *d,
                                       const struct mqtt_request *r, struct str reply, enum mqtt_known known,
                                       int64_t now)
{
    if (p->count == MQTT_PENDING_MAX)
        return NULL;
    struct mqtt_pending *one = at(p->free.next);
    bool shows = r->wanted.n && ((r->control->state != MQTT_NO_READING && !r->control->unconfirmed) ||
                                 r->control->target != MQTT_NO_READING);

    list_remove(&one->node);
    p->count++;
    *one = (struct mqtt_pending){.id = ++p->last_id, .device = d->handle};
    one->control = (uint16_t)(r->control - d->spec->controls);
    one->shows = shows;
    one->known = known;
    one->confirms = shows || (reply.n && known != MQTT_KNOWN_NOT);
    one->unsure = reply.n && known == MQTT_KNOWN_NOT;
    one->wanted = mem_dup(r->wanted.p, r->wanted.n);
    one->reply = reply.n ? mem_dup(reply.p, reply.n) : NULL;
    one->deadline = now + (one->confirms ? MQTT_CONFIRM_TIMEOUT : MQTT_PUBACK_TIMEOUT);
    make_correlation(one);
    fsm_init(&one->fsm, &machine, MQTT_PENDING_SENT, now);
    list_push(one->confirms ? &p->quick : &p->slow, &one->node);
    return one;
}

void mqtt_pending_taken(struct mqtt_pendings *p, struct mqtt_pending *one, int64_t now, const struct log_ctx *log)
{
    set_state(one, one->confirms || one->reply ? MQTT_PENDING_TAKEN : MQTT_PENDING_DONE, now, log);
    if (one->confirms)
        return;
    one->deadline = now + MQTT_CONFIRM_TIMEOUT;
    list_remove(&one->node);
    list_push(&p->quick, &one->node);
}

void mqtt_pending_answered(struct mqtt_pending *p)
{
    mem_free(p->reply);
    p->reply = NULL;
}

void mqtt_pendings_doubt(struct mqtt_pendings *p, struct str topic)
{
    for (struct mqtt_pending *one = NULL; (one = mqtt_pendings_next(p, one));)
        if (one->reply && one->known == MQTT_KNOWN_BY_CORRELATION && str_eq_c(topic, one->reply))
            one->unsure = true;
}

void mqtt_pending_done(struct mqtt_pending *p, int64_t now, const struct log_ctx *log)
{
    set_state(p, MQTT_PENDING_DONE, now, log);
}

void mqtt_pendings_remove(struct mqtt_pendings *p, struct mqtt_pending *one)
{
    release(one);
    p->count--;
    list_remove(&one->node);
    list_push(&p->free, &one->node);
}

struct mqtt_pending *mqtt_pendings_by_id(struct mqtt_pendings *p, uint64_t id)
{
    for (struct mqtt_pending *one = NULL; (one = mqtt_pendings_next(p, one));)
        if (one->id == id)
            return one;
    return NULL;
}

struct mqtt_pending *mqtt_pendings_by_reply(struct mqtt_pendings *p, struct str topic, struct str correlation)
{
    struct mqtt_pending *oldest = NULL;

    for (struct mqtt_pending *one = NULL; (one = mqtt_pendings_next(p, one));)
        if (one->reply && str_eq_c(topic, one->reply) && (!correlation.n || str_eq_c(correlation, one->correlation)) &&
            (!oldest || one->id < oldest->id))
            oldest = one;
    return oldest;
}

struct mqtt_pending *mqtt_pendings_by_device(struct mqtt_pendings *p, uint32_t device)
{
    for (struct mqtt_pending *one = NULL; (one = mqtt_pendings_next(p, one));)
        if (one->device == device)
            return one;
    return NULL;
}

// The one of the list whose time is over first.
static struct mqtt_pending *first(const struct list_node *list)
{
    return list_empty(list) ? NULL : at(list->next);
}

static struct mqtt_pending *soonest(const struct mqtt_pendings *p)
{
    struct mqtt_pending *quick = first(&p->quick), *slow = first(&p->slow);

    return !quick || (slow && slow->deadline < quick->deadline) ? slow : quick;
}

struct mqtt_pending *mqtt_pendings_due(struct mqtt_pendings *p, int64_t now)
{
    struct mqtt_pending *one = soonest(p);

    return one && one->deadline <= now ? one : NULL;
}

int64_t mqtt_pendings_deadline(const struct mqtt_pendings *p)
{
    const struct mqtt_pending *one = soonest(p);

    return one ? one->deadline : INT64_MAX;
}
