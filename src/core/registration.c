/* Registration with the gateway (XEP-0077, XEP-0100), offers, and rules given by admins.
 *
 * Happy path: REGISTER -> the row, RESULT, SUBSCRIBE and presence of the component, then SUBSCRIBE of each contact that
 * the user may see and was not asked about before, at most OFFER_MAX. UNREGISTER -> RESULT, then for each contact and
 * last for the component UNSUBSCRIBE, UNSUBSCRIBED, UNAVAILABLE; then the row goes, so that who is killed in between
 * has all of it to do again. */
#include "core/bridge_private.h"

#include <limits.h>

static struct identity *self_of(const struct bridge *b, uint16_t component)
{
    const struct component *c = component_of(b, component);
    return c ? identity_at(&b->map.identities, c->self) : NULL;
}

// A positive answer, where the request has an id to answer to.
static void result(struct bridge *b, const struct event *ev, struct effects *out)
{
    if (!str_empty(ev->id))
        say_north(b, out,
                  &(struct event){.kind = EV_RESULT,
                                  .about = ev->kind,
                                  .component = ev->component,
                                  .user = ev->user,
                                  .to = ev->to,
                                  .id = ev->id});
}

static void refuse(struct bridge *b, const struct event *ev, struct effects *out, enum err err)
{
    if (!str_empty(ev->id))
        bounce(b, out, ev, ev->kind, err, STR_NONE);
}

void register_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *self = self_of(b, ev->component);
    if (!self || !(rights_on_component(b, ev->component, &ev->user) & RIGHT_REGISTER)) {
        refuse(b, ev, out, ERR_FORBIDDEN);
        return;
    }
    struct user *u = user_intern(&b->map.users, &ev->user, b->now);
    struct sub *s = sub_take(&b->map, u, self);
    struct jid user = jid_bare(ev->user);
    if (!s->registered)
        store_registration(b, out, user_jid_text(u), ev->component, false);
    sub_register(&b->map, s, true);
    result(b, ev, out);
    roster_offer(b, out, u, self, false);
    roster_present(b, out, self, &user, RIGHT_SEE); // a component has no readings
    job_start(b, out,
              &(struct job){.kind = JOB_OFFER, .component = ev->component, .user = u->handle, .left = OFFER_MAX});
}

static bool to_offer(const struct bridge *b, const struct identity *id, uint16_t component, const struct jid *user)
{
    return id->component == component && id->kind == IDENTITY_CONTACT && !is_self(id) && b->sources[id->source].offer &&
           !id->quarantined && rights_seen(b, id, user);
}

// Offers from where *at stands; false when this step can do no more.
static bool offer_some(struct bridge *b, struct effects *out, struct user *u, uint16_t component, uint32_t *at,
                       unsigned *left)
{
    struct jid user = user_jid(u);
    for (unsigned visits = 0; *left && visits < JOB_VISITS; visits++) {
        if (!effects_fit(out, 2))
            return false;
        struct identity *id = pool_next(&b->map.identities.pool, at);
        if (!id)
            return true;
        if (to_offer(b, id, component, &user))
            *left -= roster_offer(b, out, u, id, false);
    }
    return !*left;
}

bool offer_run(struct bridge *b, struct job *j, struct effects *out)
{
    struct user *u = user_at(&b->map.users, j->user);
    const struct sub *s = sub_find(&b->map, u, self_of(b, j->component));
    if (!s || !s->registered) // and gone again meanwhile
        return true;
    return offer_some(b, out, u, j->component, &j->at, &j->left);
}

bool survey_run(struct bridge *b, struct job *j, struct effects *out)
{
    for (unsigned visits = 0; visits < JOB_VISITS; visits++) {
        const struct sub *s = sub_at(&b->map, j->at);
        unsigned all = UINT_MAX;
        if (s && s->registered && sub_identity(&b->map, s)->component == j->component &&
            !offer_some(b, out, sub_user(&b->map, s), j->component, &j->inner, &all))
            return false;
        j->inner = 0;
        if (!pool_next(&b->map.subs, &j->at))
            return true;
    }
    return false;
}

void unregister_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *self = self_of(b, ev->component);
    struct user *u = user_find(&b->map.users, &ev->user);
    struct sub *s = self ? sub_find(&b->map, u, self) : NULL;
    if (!s || !s->registered) {
        refuse(b, ev, out, ERR_REGISTRATION);
        return;
    }
    result(b, ev, out);
    sub_register(&b->map, s, false);
    job_start(b, out, &(struct job){.kind = JOB_LEAVE, .component = ev->component, .user = u->handle});
}

// Contacts in any order, the component last.
static struct sub *next_to_end(struct bridge *b, const struct user *u, uint16_t component)
{
    struct sub *last = NULL;
    for (struct sub *s = sub_at(&b->map, u->subs); s; s = sub_at(&b->map, s->user_next)) {
        const struct identity *id = sub_identity(&b->map, s);
        if (id->component != component)
            continue;
        if (!is_self(id))
            return s;
        last = s;
    }
    return last;
}

bool roster_leave(struct bridge *b, struct effects *out, const struct user *u, uint16_t component)
{
    for (struct sub *s; (s = next_to_end(b, u, component));) {
        if (!effects_fit(out, ROSTER_END))
            return false;
        roster_end(b, out, s, true);
    }
    return true;
}

bool leave_run(struct bridge *b, struct job *j, struct effects *out)
{
    struct user *u = user_at(&b->map.users, j->user);
    struct sub *self = sub_find(&b->map, u, self_of(b, j->component));
    if (self && self->registered) // he came back
        return true;
    if (!roster_leave(b, out, u, j->component) || !effects_fit(out, 1))
        return false;
    store_registration(b, out, user_jid_text(u), j->component, true);
    return true;
}

/* Operations */

void offer_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    if (!id)
        id = addressed(b, &ev->user, &ev->to);
    if (id && rights_seen(b, id, &ev->user))
        roster_offer(b, out, user_intern(&b->map.users, &ev->user, b->now), id, true);
}

void withdraw_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    if (!id)
        id = addressed(b, &ev->user, &ev->to);
    struct sub *s = id ? sub_find(&b->map, user_find(&b->map.users, &ev->user), id) : NULL;
    if (s)
        roster_end(b, out, s, true);
}

void grant_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct errmsg msg;
    if (policy_add_rule(b->policy, b->rules + 1, ev->rule, &msg)) {
        say_notice(b, out, 0, 0, arena_printf(out->arena, "a rule was not added: %s", msg.text));
        return;
    }
    b->rules++;
    store_row(out, &(struct row){.kind = ROW_ACCESS, .number = b->rules, .text = ev->rule});
    review(b, out);
}

void revoke_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    if (!ev->number || policy_remove_rule(b->policy, ev->number))
        return;
    store_row(out, &(struct row){.kind = ROW_ACCESS, .gone = true, .number = ev->number});
    review(b, out);
}
