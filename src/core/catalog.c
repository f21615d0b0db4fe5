/* The catalogue of identities as adapters and admins change it: made, described anew, approved, forgotten; and the
 * adapters' own rows. */
#include "core/bridge_private.h"

#include "base/utf8.h"

static void survey(struct bridge *b, struct effects *out, uint16_t component)
{
    struct job *j = jobs_find(b, JOB_SURVEY, component, 0);
    if (j)
        j->at = j->inner = 0;
    else
        job_start(b, out, &(struct job){.kind = JOB_SURVEY, .component = component});
}

static void announce(struct bridge *b, struct effects *out, const struct identity *id)
{
    const struct component *c = component_of(b, id->component);
    const struct identity *self = identity_at(&b->map.identities, c->self);
    struct job first = {.kind = JOB_ANNOUNCE, .component = id->component, .identity = id->handle, .at = self->subs};
    bool wanted = b->sources[id->source].offer && id->kind == IDENTITY_CONTACT && !id->quarantined && self->subs;
    if (wanted && !job_start(b, out, &first))
        survey(b, out, id->component);
}

bool announce_run(struct bridge *b, struct job *j, struct effects *out)
{
    struct identity *id = identity_at(&b->map.identities, j->identity);
    while (id && j->at) {
        if (!effects_fit(out, 2))
            return false;
        struct sub *s = sub_at(&b->map, j->at);
        j->at = s->identity_next;
        struct user *u = sub_user(&b->map, s);
        struct jid jid = user_jid(u);
        if (s->registered && rights_seen(b, id, &jid))
            roster_offer(b, out, u, id, false);
    }
    return true;
}

static enum err cannot_make(struct bridge *b, const struct event *ev, struct effects *out, struct source *s)
{
    if (ev->key.n > IDENTITY_KEY_MAX || ev->to.local.n > JID_PART_MAX || (unsigned)ev->identity >= IDENTITY_KINDS)
        return ERR_BADREQ;
    if (s->count < SOURCE_IDENTITIES_MAX)
        return ERR_OK;
    if (!s->full)
        say_notice(b, out, s->component, 0,
                   arena_printf(out->arena, "adapter %s has %d identities: no more are taken", s->name,
                                SOURCE_IDENTITIES_MAX));
    s->full = true;
    return ERR_LIMIT;
}

// The address: computed by the adapter where it says one, else minted.
static struct str local_for(struct bridge *b, const struct event *ev, struct effects *out, const struct source *s)
{
    if (!str_empty(ev->to.local))
        return ev->to.local;
    return identity_mint(&b->map.identities, out->arena, s->component, ev->wish, str_c(s->name), ev->key);
}

static enum err make(struct bridge *b, const struct event *ev, struct effects *out, struct source *s)
{
    enum err e = cannot_make(b, ev, out, s);
    if (e)
        return e;
    bool scoped = !str_empty(ev->user.domain);
    struct identity_spec spec = {
        .component = s->component,
        .source = (uint16_t)(s - b->sources),
        .kind = ev->identity,
        .quarantined = (ev->flags & EVENT_QUARANTINE) != 0,
        .since = ev->wall,
        .part = {[PART_LOCAL] = local_for(b, ev, out, s),
                 [PART_SCOPE] = scoped ? jid_format_bare(out->arena, &ev->user) : STR_NONE,
                 [PART_KEY] = ev->key,
                 [PART_NAME] = ev->name,
                 [PART_CLS] = ev->cls,
                 [PART_GROUP] = ev->group},
    };
    struct identity *id = identity_add(&b->map.identities, &spec);
    if (!id)
        return ERR_EXISTS;
    s->count++;
    store_identity(b, out, id, false);
    announce(b, out, id);
    return ERR_OK;
}

// Of one that is there: its address stays, whatever it is called now.
static void update(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id)
{
    struct arena *a = out->arena;
    struct str cls = arena_dup(a, identity_part(id, PART_CLS)), group = arena_dup(a, identity_part(id, PART_GROUP));
    bool released = id->quarantined && !(ev->flags & EVENT_QUARANTINE), revived = id->dying;
    if (released)
        identity_release(&b->map.identities, id);
    id->dying = false;
    if (!identity_describe(&b->map.identities, id, ev->name, ev->cls, ev->group) && !released && !revived)
        return;
    store_identity(b, out, id, false);
    if (released || revived)
        announce(b, out, id);
    if (!str_eq(cls, identity_part(id, PART_CLS))) // its avatar is another
        presence_say(b, out, id);
    if (!str_eq(group, identity_part(id, PART_GROUP))) // other rules may be about it
        review(b, out);
}

enum err identity_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct source *s = source_of(b, ev->adapter);
    if (!s || str_empty(ev->key))
        return ERR_BADREQ;
    struct identity *id = identity_find_key(&b->map.identities, (uint16_t)(s - b->sources), ev->key);
    if (!id)
        return make(b, ev, out, s);
    update(b, ev, out, id);
    return ERR_OK;
}

// The identity an operation is about: by the adapter's name for it, else by its address.
static struct identity *meant(struct bridge *b, const struct event *ev)
{
    struct identity *id = named(b, ev);
    if (!id)
        id = addressed(b, &ev->user, &ev->to);
    return id && !is_self(id) && !id->dying ? id : NULL;
}

void approve_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = meant(b, ev);
    if (!id || !id->quarantined)
        return;
    identity_release(&b->map.identities, id);
    store_identity(b, out, id, false);
    announce(b, out, id);
}

// However many are to be forgotten while that must wait, they make one job.
static void sweep(struct bridge *b, struct effects *out, uint16_t component)
{
    struct job *j = jobs_find(b, JOB_FORGET, component, 0);
    if (j)
        j->again = true;
    else
        job_start(b, out, &(struct job){.kind = JOB_FORGET, .component = component});
}

enum err forget_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = meant(b, ev);
    if (!id)
        return ERR_NOTFOUND;
    id->dying = true;
    store_identity(b, out, id, true);
    if (component_up(b, id->component) && !jobs_bulk(b))
        job_start(b, out, &(struct job){.kind = JOB_FORGET, .component = id->component, .identity = id->handle});
    else
        sweep(b, out, id->component);
    return ERR_OK;
}

// Its adapter has rows of it, and would bring it back.
void forget_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    const struct identity *id = meant(b, ev);
    if (!id)
        return;
    struct event south = {.kind = EV_FORGET, .adapter = b->sources[id->source].number};
    south.key = arena_dup(out->arena, identity_part(id, PART_KEY));
    if (south.adapter)
        say_south(b, out, &south);
    (void)forget_out(b, ev, out);
}

// False when the step is full.
static bool end_identity(struct bridge *b, struct effects *out, struct identity *id)
{
    struct room *r = room_of(&b->rooms, id);
    if (r && !room_clear(b, out, r, STR("the room is gone")))
        return false;
    while (id->subs) {
        if (!effects_fit(out, ROSTER_END))
            return false;
        roster_end(b, out, sub_at(&b->map, id->subs), true);
    }
    if (!guests_forget(b, out, id))
        return false;
    jobs_forget_identity(b, id);
    if (r)
        room_remove(&b->rooms, r, id);
    b->sources[id->source].count--;
    b->sources[id->source].full = false;
    identity_remove(&b->map.identities, id);
    return true;
}

static bool sweep_run(struct bridge *b, struct job *j, struct effects *out)
{
    for (unsigned visits = 0; visits < JOB_VISITS && effects_fit(out, ROSTER_END); visits++) {
        uint32_t before = j->at;
        struct identity *id = pool_next(&b->map.identities.pool, &j->at);
        if (!id && !j->again)
            return true;
        if (!id) {
            j->again = false;
            j->at = 0;
        } else if (id->dying && id->component == j->component && !end_identity(b, out, id)) {
            j->at = before;
            return false;
        }
    }
    return false;
}

bool forget_run(struct bridge *b, struct job *j, struct effects *out)
{
    if (!j->identity)
        return sweep_run(b, j, out);
    struct identity *id = identity_at(&b->map.identities, j->identity);
    return !id || !id->dying || end_identity(b, out, id); // its adapter may have named it again meanwhile
}

enum err state_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    const struct source *s = source_of(b, ev->adapter);
    if (!s)
        return ERR_BADREQ;
    store_row(out, &(struct row){.kind = ROW_STATE,
                                 .gone = str_empty(ev->blob),
                                 .adapter = str_c(s->name),
                                 .key = ev->key,
                                 .text = ev->blob});
    return ERR_OK;
}

/* Links */

static void links_down(struct bridge *b, uint16_t component)
{
    deliver_link_down(b, component);
    guests_link_down(b, component);
}

void component_link_up(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct component *c = component_of(b, ev->component);
    if (!c)
        return;
    if (c->up) // something was lost on the way to the server
        links_down(b, ev->component);
    c->up = true;
    c->congested = false;
    letters_link_up(b);
    guests_link_up(b, ev->component);
    if (!b->stopping)
        push_start(b, out, ev->component);
}

void component_link_down(struct bridge *b, const struct event *ev, struct effects *out)
{
    (void)out;
    struct component *c = component_of(b, ev->component);
    if (!c)
        return;
    c->up = false;
    c->congested = false;
    jobs_drop_component(b, ev->component);
    links_down(b, ev->component);
}

void component_congestion(struct bridge *b, const struct event *ev, struct effects *out)
{
    (void)out;
    struct component *c = component_of(b, ev->component);
    if (c)
        c->congested = c->up && ev->kind == EV_CONGESTED;
    if (c && !c->congested)
        guests_drained(b, ev->component);
}

// One notice when an outage begins, one when it ends.
enum err adapter_link_up(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct source *s = source_of(b, ev->adapter);
    if (!s)
        return ERR_BADREQ;
    if (s->link == SOURCE_DOWN)
        say_notice(b, out, s->component, ev->adapter,
                   arena_printf(out->arena, "adapter %s: its link is up again", s->name));
    s->link = SOURCE_UP;
    return ERR_OK;
}

enum err adapter_link_down(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct source *s = source_of(b, ev->adapter);
    if (!s)
        return ERR_BADREQ;
    if (s->link != SOURCE_DOWN) {
        struct str why = str_empty(ev->body) ? str_c(err_text(ev->err)) : utf8_cut(ev->body, 400);
        say_notice(b, out, s->component, ev->adapter,
                   arena_printf(out->arena, "adapter %s: its link is down: " STR_FMT, s->name, STR_ARG(why)));
    }
    s->link = SOURCE_DOWN;
    return ERR_OK;
}

enum err adapter_notice(struct bridge *b, const struct event *ev, struct effects *out)
{
    const struct source *s = source_of(b, ev->adapter);
    if (!s)
        return ERR_BADREQ;
    say_notice(b, out, s->component, ev->adapter,
               arena_printf(out->arena, "adapter %s: " STR_FMT, s->name, STR_ARG(utf8_cut(ev->body, 400))));
    return ERR_OK;
}
