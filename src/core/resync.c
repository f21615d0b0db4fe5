/* Bulk work over whole tables, paced by ticks: after a reconnect, after new rules, when an adapter goes, at the end.
 *
 * Each walks a table in the order of handles, so records may come and go between two steps: one that comes behind the
 * walk was told everything when it came, one that goes is not met any more. */
#include "core/bridge_private.h"

void push_start(struct bridge *b, struct effects *out, uint16_t component)
{
    struct job *j = jobs_find(b, JOB_PUSH, component, 0);
    if (j)
        j->at = 0;
    else
        job_start(b, out, &(struct job){.kind = JOB_PUSH, .component = component});
}

typedef void each_sub(struct bridge *b, struct effects *out, struct sub *s);

// Calls it, at most ROSTER_END effects each, for all subscriptions of the job's component; false when the step is full.
static bool walk_subs(struct bridge *b, struct job *j, struct effects *out, each_sub *each)
{
    for (unsigned visits = 0; visits < JOB_VISITS; visits++) {
        if (!effects_fit(out, ROSTER_END))
            return false;
        struct sub *s = pool_next(&b->map.subs, &j->at);
        if (!s)
            return true;
        if (sub_identity(&b->map, s)->component == j->component)
            each(b, out, s);
    }
    return false;
}

// Subscriptions first, then rooms.
static bool walk_both(struct bridge *b, struct job *j, struct effects *out, each_sub *each,
                      bool (*rooms)(struct bridge *b, struct job *j, struct effects *out))
{
    if (j->phase == 0) {
        if (!walk_subs(b, j, out, each))
            return false;
        j->phase = 1;
        j->at = 0;
    }
    return rooms(b, j, out);
}

bool push_run(struct bridge *b, struct job *j, struct effects *out)
{
    return walk_subs(b, j, out, roster_push);
}

/* Review */

void review(struct bridge *b, struct effects *out)
{
    for (uint16_t c = 1; c <= b->component_count; c++) {
        struct job *j = jobs_find(b, JOB_REVIEW, c, 0);
        if (j) {
            j->at = 0;
            j->phase = 0;
        } else {
            job_start(b, out, &(struct job){.kind = JOB_REVIEW, .component = c});
        }
    }
}

static void review_sub(struct bridge *b, struct effects *out, struct sub *s)
{
    struct jid user = user_jid(sub_user(&b->map, s));
    bool held = roster_owed(s) || (s->state & (SUB_FROM_USER | SUB_PENDING_OUT));
    if (held && !rights_seen(b, sub_identity(&b->map, s), &user))
        roster_end(b, out, s, false);
}

static bool review_room(struct bridge *b, struct effects *out, struct room *r, const struct identity *id)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &r->clients) {
        struct client *c = CONTAINER_OF(it, struct client, node);
        if (rights_seen(b, id, &c->jid))
            continue;
        if (!effects_fit(out, ROOM_KICK))
            return false;
        room_kick(b, out, r, c, STR("you may no longer be here"));
    }
    return true;
}

static bool review_rooms(struct bridge *b, struct job *j, struct effects *out)
{
    uint32_t at = j->at;
    for (struct room *r; (r = pool_next(&b->rooms.pool, &at)); j->at = at) {
        const struct identity *id = identity_at(&b->map.identities, r->identity);
        if (id->component == j->component && !id->dying && !review_room(b, out, r, id))
            return false;
    }
    return true;
}

bool review_run(struct bridge *b, struct job *j, struct effects *out)
{
    return walk_both(b, j, out, review_sub, review_rooms);
}

/* An adapter has gone: it will answer nothing, and what it spoke for is offline, unless it has come again meanwhile and
 * speaks for it. */

bool gone_run(struct bridge *b, struct job *j, struct effects *out)
{
    if (j->phase == 0 && !asks_abandon(b, out))
        return false;
    j->phase = 1;
    if (b->sources[j->source].number)
        return true;
    for (unsigned visits = 0; visits < JOB_VISITS; visits++) {
        if (!effects_fit(out, BRIDGE_EFFECTS / 2))
            return false;
        struct identity *id = pool_next(&b->map.identities.pool, &j->at);
        if (!id)
            return true;
        if (id->source == j->source && identity_present(&b->map.identities, id, SHOW_OFFLINE, STR_NONE))
            presence_say(b, out, id);
    }
    return false;
}

/* Shutdown */

static void end_sub(struct bridge *b, struct effects *out, struct sub *s)
{
    if (sub_identity(&b->map, s)->show != SHOW_OFFLINE)
        roster_push(b, out, s); // which tells who is owed it
}

static bool end_rooms(struct bridge *b, struct job *j, struct effects *out)
{
    uint32_t at = j->at;
    for (struct room *r; (r = pool_next(&b->rooms.pool, &at)); j->at = at) {
        const struct identity *id = identity_at(&b->map.identities, r->identity);
        if (id->component == j->component && !room_clear(b, out, r, STR("the gateway is stopping")))
            return false;
    }
    return guests_end(b, out, j->component);
}

bool shutdown_run(struct bridge *b, struct job *j, struct effects *out)
{
    return walk_both(b, j, out, end_sub, end_rooms);
}

void shutdown_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    (void)ev;
    if (b->stopping)
        return;
    b->stopping = true;
    for (uint16_t c = 1; c <= b->component_count; c++) {
        if (component_up(b, c))
            job_start(b, out, &(struct job){.kind = JOB_SHUTDOWN, .component = c});
    }
}

bool bridge_stopped(const struct bridge *b, uint16_t component)
{
    if (!b->stopping || !component_up(b, component))
        return b->stopping;
    return !jobs_find(b, JOB_SHUTDOWN, component, 0) && deliver_stopped(b, component);
}
