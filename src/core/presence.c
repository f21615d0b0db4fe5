/* Presence and subscriptions (RFC 6121 sections 3 and 4), from the identities' point of view.
 *
 * Happy path: SUBSCRIBE -> SUBSCRIBED and the present presence; from then on every real change, once, to the
 * subscriber's bare address; PROBE -> the present presence to who asks. What a user may not see answers as what does
 * not exist: UNSUBSCRIBED. Nothing is ever answered to an answer, so nothing can loop. */
#include "core/bridge_private.h"

// One answer to the user's bare address, from the bare address that he used.
static void answer(struct bridge *b, const struct event *ev, struct effects *out, enum event_kind kind)
{
    say_north(
        b, out,
        &(struct event){.kind = kind, .component = ev->component, .user = jid_bare(ev->user), .to = jid_bare(ev->to)});
}

static void refuse(struct bridge *b, const struct event *ev, struct effects *out)
{
    answer(b, ev, out, EV_UNSUBSCRIBED);
    struct event asked = *ev;
    asked.user = jid_bare(ev->user);
    asked.to = jid_bare(ev->to);
    bounce(b, out, &asked, EV_AVAILABLE, ERR_NOTFOUND, STR_NONE);
}

// What stands between the user and the addressed identity, whether he may still see it or not; NULL for nothing.
static struct sub *between(const struct bridge *b, const struct event *ev)
{
    struct identity *id = addressed(b, &ev->user, &ev->to);
    return id ? sub_find(&b->map, user_find(&b->map.users, &ev->user), id) : NULL;
}

void presence_subscribe(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    if (!id) {
        refuse(b, ev, out);
        return;
    }
    struct sub *s = sub_take(&b->map, user_intern(&b->map.users, &ev->user, b->now), id);
    roster_set(b, out, s, (s->state | SUB_TO_USER) & ~(unsigned)SUB_REFUSED);
    struct event yes = speak_for(b, out, EV_SUBSCRIBED, id);
    yes.user = jid_bare(ev->user);
    say_north(b, out, &yes);
    roster_present(b, out, id, &yes.user, rights);
}

// Answered in any case: who is not subscribed hears the same whether there is an identity or none.
void presence_unsubscribe(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct sub *s = between(b, ev);
    answer(b, ev, out, EV_UNSUBSCRIBED);
    if (!s || !roster_owed(s)) {
        answer(b, ev, out, EV_UNAVAILABLE);
        return;
    }
    struct jid user = jid_bare(ev->user);
    roster_unavailable(b, out, sub_identity(&b->map, s), &user);
    roster_set(b, out, s, s->state & ~(unsigned)SUB_TO_USER);
}

// Only what was asked for can be granted.
void presence_subscribed(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct sub *s = between(b, ev);
    if (s && (s->state & SUB_PENDING_OUT))
        roster_set(b, out, s, (s->state | SUB_FROM_USER) & ~(unsigned)SUB_PENDING_OUT);
}

void presence_unsubscribed(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct sub *s = between(b, ev);
    if (!s)
        return;
    unsigned refused = s->state & SUB_PENDING_OUT ? SUB_REFUSED : 0;
    roster_set(b, out, s, (s->state & ~(unsigned)(SUB_FROM_USER | SUB_PENDING_OUT)) | refused);
}

void presence_probe(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    struct sub *s = id ? sub_find(&b->map, user_find(&b->map.users, &ev->user), id) : NULL;
    if (s && roster_owed(s))
        roster_present(b, out, id, &ev->user, rights);
    else
        answer(b, ev, out, EV_UNSUBSCRIBED);
}

// A user's own presence changes nothing here, except in rooms: N contacts get N copies of it.
void presence_available(struct bridge *b, const struct event *ev, struct effects *out)
{
    if (ev->flags & EVENT_JOIN) {
        room_join_in(b, ev, out);
        return;
    }
    if (str_empty(ev->to.resource))
        return;
    struct identity *id = addressed(b, &ev->user, &ev->to);
    if (id && id->room)
        room_user_available(b, ev, out, id);
}

void presence_unavailable(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = addressed(b, &ev->user, &ev->to);
    if (id && id->room)
        room_part_in(b, ev, out);
}

void presence_say(struct bridge *b, struct effects *out, const struct identity *id)
{
    struct job *waiting = id->jobs ? jobs_find(b, JOB_PRESENCE, id->component, id->handle) : NULL;
    if (waiting)
        waiting->at = id->subs; // those not yet told hear only the last of it
    else if (id->subs)
        job_start(
            b, out,
            &(struct job){.kind = JOB_PRESENCE, .component = id->component, .identity = id->handle, .at = id->subs});
}

enum err presence_changed(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    if (!id)
        return ERR_NOTFOUND;
    if (!(ev->flags & EVENT_SNAPSHOT))
        id->changed = ev->wall;
    enum show show = ev->kind == EV_UNAVAILABLE ? SHOW_OFFLINE : ev->show;
    if (identity_present(&b->map.identities, id, show, ev->body))
        presence_say(b, out, id);
    return ERR_OK;
}

bool presence_run(struct bridge *b, struct job *j, struct effects *out)
{
    if (!component_up(b, j->component) || b->stopping)
        return true;
    while (j->at) {
        if (!effects_fit(out, ROSTER_END))
            return false;
        struct sub *s = sub_at(&b->map, j->at);
        j->at = s->identity_next;
        roster_push(b, out, s);
    }
    return true;
}
