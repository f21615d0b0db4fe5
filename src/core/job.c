#include "core/bridge_private.h"

#include "base/mem.h"

enum job_lane { LANE_FANOUT, LANE_BULK };

static const struct {
    bool (*run)(struct bridge *b, struct job *j, struct effects *out);
    enum job_lane lane;
} defs[JOB_KINDS] = {
    [JOB_PRESENCE] = {presence_run, LANE_FANOUT},
    [JOB_MESSAGE] = {message_run, LANE_FANOUT},
    [JOB_WELCOME] = {room_welcome_run, LANE_FANOUT},
    [JOB_SAY] = {room_say_run, LANE_FANOUT},
    [JOB_PUSH] = {push_run, LANE_BULK},
    [JOB_REVIEW] = {review_run, LANE_BULK},
    [JOB_OFFER] = {offer_run, LANE_BULK},
    [JOB_ANNOUNCE] = {announce_run, LANE_BULK},
    [JOB_SURVEY] = {survey_run, LANE_BULK},
    [JOB_LEAVE] = {leave_run, LANE_BULK},
    [JOB_ERASE] = {erase_run, LANE_BULK},
    [JOB_FORGET] = {forget_run, LANE_BULK},
    [JOB_GONE] = {gone_run, LANE_BULK},
    [JOB_SHUTDOWN] = {shutdown_run, LANE_BULK},
};

void jobs_init(struct jobs *j)
{
    *j = (struct jobs){0};
    list_init(&j->fanouts);
    list_init(&j->bulk);
}

static struct list_node *lane_of(struct bridge *b, enum job_kind kind)
{
    return defs[kind].lane == LANE_FANOUT ? &b->jobs.fanouts : &b->jobs.bulk;
}

static struct job *job_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct job, node);
}

static void destroy(struct job *j)
{
    list_remove(&j->node);
    arena_finish(&j->arena);
    mem_free(j);
}

void jobs_finish(struct jobs *j)
{
    while (!list_empty(&j->fanouts))
        destroy(job_at(j->fanouts.next));
    while (!list_empty(&j->bulk))
        destroy(job_at(j->bulk.next));
}

// The component that it speaks for most; 0: several.
static uint16_t speaks_for(const struct bridge *b, const struct job *j)
{
    return j->source ? b->sources[j->source].component : j->component;
}

static bool runnable(const struct bridge *b, const struct job *j)
{
    return (!j->component || component_up(b, j->component)) && !component_congested(b, speaks_for(b, j));
}

static void count(struct bridge *b, const struct job *j, int by)
{
    b->jobs.announce_count += j->kind == JOB_ANNOUNCE ? (size_t)by : 0;
    if (defs[j->kind].lane != LANE_FANOUT)
        return;
    b->jobs.fanout_count += (size_t)by;
    struct identity *id = identity_at(&b->map.identities, j->identity);
    if (id)
        id->jobs = (uint16_t)(id->jobs + by);
}

static bool too_many(const struct bridge *b, const struct job *j)
{
    if (j->kind == JOB_ANNOUNCE)
        return b->jobs.announce_count >= ANNOUNCE_MAX;
    bool message = (j->kind == JOB_MESSAGE || j->kind == JOB_SAY) && j->ev->kind == EV_MESSAGE;
    return message && b->jobs.fanout_count >= JOBS_MAX;
}

// Whether all who are to hear it are told in a step with room for so many.
static bool heard_at_once(const struct bridge *b, const struct job *j, size_t room)
{
    const struct identity *id = identity_at(&b->map.identities, j->identity);
    const struct room *r = id ? room_of(&b->rooms, id) : NULL;
    return id && (r ? r->client_count : id->subscribers) <= room;
}

static bool wait(struct bridge *b, const struct job *first)
{
    if (too_many(b, first))
        return false;
    struct job *j = mem_alloc(sizeof *j);
    *j = *first;
    arena_init(&j->arena, j->ev ? 1024 : 64);
    if (j->ev)
        j->ev = event_copy(&j->arena, j->ev);
    if (j->user)
        user_hold(&b->map.users, user_at(&b->map.users, j->user));
    list_push(lane_of(b, j->kind), &j->node);
    count(b, j, 1);
    return true;
}

// Whether it would overtake something: in a fan-out, what waits about the same identity; in bulk, anything.
static bool must_wait(struct bridge *b, const struct job *j)
{
    if (defs[j->kind].lane == LANE_BULK)
        return !list_empty(&b->jobs.bulk) || !runnable(b, j);
    const struct identity *id = identity_at(&b->map.identities, j->identity);
    return id && id->jobs;
}

bool job_start(struct bridge *b, struct effects *out, const struct job *first)
{
    struct job j = *first;
    if (!out) {
        b->wake = true;
        return wait(b, &j);
    }
    if (must_wait(b, &j))
        return wait(b, &j);
    size_t room = effects_fit(out, 1) ? BRIDGE_EFFECTS - out->count : 0;
    if (too_many(b, &j) && !heard_at_once(b, &j, room / 2))
        return false;                                // better nobody than some
    struct user *u = user_at(&b->map.users, j.user); // the work may end all that holds him
    if (u)
        user_hold(&b->map.users, u);
    bool done = defs[j.kind].run(b, &j, out);
    bool kept = done || wait(b, &j);
    if (u)
        user_drop(&b->map.users, u);
    return kept;
}

// Ends it; it is taken out when the lists are next walked, for they may be being walked now.
static void end(struct bridge *b, struct job *j)
{
    if (j->over)
        return;
    j->over = true;
    count(b, j, -1);
    if (j->user)
        user_drop(&b->map.users, user_at(&b->map.users, j->user));
}

// False when the step is full.
static bool work_lane(struct bridge *b, struct effects *out, struct list_node *lane)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, lane) {
        struct job *j = job_at(it);
        bool ready = !j->over && runnable(b, j);
        if (ready && !defs[j->kind].run(b, j, out))
            return false;
        if (ready)
            end(b, j);
        safe = it->next; // the job may have made others wait
        if (j->over)
            destroy(j);
    }
    return true;
}

void jobs_work(struct bridge *b, struct effects *out)
{
    b->wake = false;
    if (work_lane(b, out, &b->jobs.fanouts))
        work_lane(b, out, &b->jobs.bulk);
}

static bool lane_waiting(const struct bridge *b, const struct list_node *lane)
{
    for (struct list_node *it = lane->next; it != lane; it = it->next) {
        const struct job *j = job_at(it);
        if (!j->over && runnable(b, j))
            return true;
    }
    return false;
}

bool jobs_waiting(const struct bridge *b)
{
    return lane_waiting(b, &b->jobs.fanouts) || lane_waiting(b, &b->jobs.bulk);
}

bool jobs_bulk(const struct bridge *b)
{
    return !list_empty(&b->jobs.bulk);
}

struct job *jobs_find(const struct bridge *b, enum job_kind kind, uint16_t component, uint32_t identity)
{
    const struct list_node *lane = defs[kind].lane == LANE_FANOUT ? &b->jobs.fanouts : &b->jobs.bulk;
    for (struct list_node *it = lane->next; it != lane; it = it->next) {
        struct job *j = job_at(it);
        if (!j->over && j->kind == kind && j->component == component && j->identity == identity)
            return j;
    }
    return NULL;
}

// Calls `each` for all that wait.
static void visit(struct bridge *b, void (*each)(struct bridge *b, struct job *j, const void *what), const void *what)
{
    struct list_node *const lanes[] = {&b->jobs.fanouts, &b->jobs.bulk};
    for (size_t i = 0; i < 2; i++) {
        for (struct list_node *it = lanes[i]->next; it != lanes[i]; it = it->next) {
            if (!job_at(it)->over)
                each(b, job_at(it), what);
        }
    }
}

static void drop_component(struct bridge *b, struct job *j, const void *what)
{
    const uint16_t *component = what;
    if (j->component == *component && (defs[j->kind].lane == LANE_FANOUT || j->kind == JOB_PUSH))
        end(b, j);
}

void jobs_drop_component(struct bridge *b, uint16_t component)
{
    visit(b, drop_component, &component);
}

static void forget_sub(struct bridge *b, struct job *j, const void *what)
{
    (void)b;
    const struct sub *s = what;
    bool chained = j->kind == JOB_PRESENCE || j->kind == JOB_MESSAGE || j->kind == JOB_ANNOUNCE;
    if (chained && j->at == s->handle)
        j->at = s->identity_next;
}

void jobs_forget_sub(struct bridge *b, const struct sub *s)
{
    visit(b, forget_sub, s);
}

static void forget_client(struct bridge *b, struct job *j, const void *what)
{
    const struct client *c = what;
    if (j->kind == JOB_WELCOME && j->client == c)
        end(b, j);
    struct client **next = j->kind == JOB_SAY ? &j->client : &j->other;
    if (*next != c)
        return;
    const struct room *r = room_of(&b->rooms, identity_at(&b->map.identities, j->identity));
    *next = c->node.next == &r->clients ? NULL : CONTAINER_OF(c->node.next, struct client, node);
}

void jobs_forget_client(struct bridge *b, const struct client *c)
{
    visit(b, forget_client, c);
}

static void forget_occupant(struct bridge *b, struct job *j, const void *what)
{
    const struct occupant *o = what;
    if (j->occupant != o)
        return;
    const struct room *r = room_of(&b->rooms, identity_at(&b->map.identities, j->identity));
    bool last = j->kind == JOB_SAY || o->node.next == &r->occupants;
    j->occupant = last ? NULL : CONTAINER_OF(o->node.next, struct occupant, node);
}

void jobs_forget_occupant(struct bridge *b, const struct occupant *o)
{
    visit(b, forget_occupant, o);
}

static void forget_identity(struct bridge *b, struct job *j, const void *what)
{
    const struct identity *id = what;
    if (j->identity == id->handle && j->kind != JOB_FORGET)
        end(b, j);
}

void jobs_forget_identity(struct bridge *b, const struct identity *id)
{
    visit(b, forget_identity, id);
}
