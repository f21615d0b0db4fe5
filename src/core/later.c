/* What adapters say without a promise while the XMPP server is away: kept in memory for a while, the oldest making
 * room, and said when it is back. */
#include "core/bridge_private.h"

#include "base/mem.h"

enum { LATER_MAX = 1000, LATER_BYTES = 1024 * 1024, LATER_MS = 600000 };

struct later {
    struct list_node node;
    struct arena arena;
    const struct event *ev;
};

static struct later *at(struct list_node *node)
{
    return CONTAINER_OF(node, struct later, node);
}

static void drop(struct source *s, struct later *l)
{
    s->later_count--;
    s->later_bytes -= l->arena.total;
    list_remove(&l->node);
    arena_finish(&l->arena);
    mem_free(l);
}

void later_finish(struct source *s)
{
    while (s->later_count)
        drop(s, at(s->later->next));
    mem_free(s->later);
}

void later_keep(struct bridge *b, const struct event *north, const struct identity *id)
{
    struct source *s = &b->sources[id->source];
    if (!s->later) {
        s->later = MEM_NEW(struct list_node);
        list_init(s->later);
    }
    struct later *l = MEM_NEW(struct later);
    arena_init(&l->arena, 1024); // fits the event and a usual set of strings
    struct event copy = *north;
    copy.now = b->now;
    copy.stamp = north->stamp ? north->stamp : b->wall;
    l->ev = event_copy(&l->arena, &copy);
    list_init(&l->node);
    list_push(s->later, &l->node);
    s->later_count++;
    s->later_bytes += l->arena.total;
    while (s->later_count > LATER_MAX || (s->later_count > 1 && s->later_bytes > LATER_BYTES)) {
        s->later_lost++;
        drop(s, at(s->later->next));
    }
}

// False when too many fan-outs wait: true when it has been said, or never will be.
static bool say(struct bridge *b, struct effects *out, struct source *s, const struct later *l)
{
    struct identity *id = identity_find_key(&b->map.identities, (uint16_t)(s - b->sources), l->ev->key);
    if (!id || id->dying || b->now - l->ev->now > LATER_MS)
        return true;
    return job_start(b, out,
                     &(struct job){.kind = JOB_MESSAGE,
                                   .component = id->component,
                                   .identity = id->handle,
                                   .at = id->subs,
                                   .ev = event_copy(out->arena, l->ev)});
}

// What was kept goes before what is said now.
bool later_first(const struct bridge *b, const struct identity *id)
{
    return !component_up(b, id->component) || b->sources[id->source].later_count > 0;
}

bool later_work(struct bridge *b, struct effects *out, struct source *s)
{
    while (s->later_count && component_up(b, s->component) && !component_congested(b, s->component)) {
        struct later *l = at(s->later->next);
        if (!effects_fit(out, 2))
            return false;
        if (!say(b, out, s, l)) // tried again when one of them has gone on, at the end of that step
            return true;
        drop(s, l);
    }
    return true;
}
