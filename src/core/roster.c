/* What is between a user and an identity, and what both sides are told of it (RFC 6121 section 3, XEP-0100). */
#include "core/bridge_private.h"

static void store_sub(struct bridge *b, struct effects *out, const struct sub *s)
{
    const struct identity *id = sub_identity(&b->map, s);
    store_row(out, &(struct row){.kind = ROW_SUBSCRIPTION,
                                 .gone = !s->state,
                                 .user = arena_dup(out->arena, user_jid_text(sub_user(&b->map, s))),
                                 .domain = str_c(component_of(b, id->component)->domain),
                                 .local = arena_dup(out->arena, identity_part(id, PART_LOCAL)),
                                 .state = s->state});
}

void store_registration(struct bridge *b, struct effects *out, struct str user, uint16_t component, bool gone)
{
    store_row(out, &(struct row){.kind = ROW_REGISTRATION,
                                 .gone = gone,
                                 .user = arena_dup(out->arena, user),
                                 .domain = str_c(component_of(b, component)->domain)});
}

void roster_set(struct bridge *b, struct effects *out, struct sub *s, unsigned state)
{
    if (state != s->state) {
        sub_set(&b->map, s, state);
        store_sub(b, out, s);
    }
    if (!sub_empty(s))
        return;
    jobs_forget_sub(b, s);
    sub_remove(&b->map, s);
}

static struct jid subscriber(struct bridge *b, struct effects *out, const struct sub *s)
{
    struct jid jid = user_jid(sub_user(&b->map, s));
    return (struct jid){.local = arena_dup(out->arena, jid.local), .domain = arena_dup(out->arena, jid.domain)};
}

void roster_unavailable(struct bridge *b, struct effects *out, const struct identity *id, const struct jid *user)
{
    struct event ev = speak_for(b, out, EV_UNAVAILABLE, id);
    ev.to.resource = str_c(b->sources[id->source].name);
    ev.user = *user;
    say_north(b, out, &ev);
}

void roster_present(struct bridge *b, struct effects *out, const struct identity *id, const struct jid *user,
                    unsigned rights)
{
    if (!component_up(b, id->component))
        return;
    bool there = id->show != SHOW_OFFLINE && !b->stopping;
    struct event ev = speak_for(b, out, there ? EV_AVAILABLE : EV_UNAVAILABLE, id);
    ev.to.resource = str_c(b->sources[id->source].name);
    ev.user = *user;
    ev.show = there ? (enum show)id->show : SHOW_OFFLINE;
    ev.body = (rights & RIGHT_READ) && !b->stopping ? arena_dup(out->arena, identity_text(id)) : STR_NONE;
    say_north(b, out, &ev);
}

void roster_end(struct bridge *b, struct effects *out, struct sub *s, bool unsubscribe)
{
    const struct identity *id = sub_identity(&b->map, s);
    struct jid user = subscriber(b, out, s);
    if (s->registered) {
        store_registration(b, out, user_jid_text(sub_user(&b->map, s)), id->component, true);
        sub_register(&b->map, s, false);
    }
    if (is_self(id) || (s->state & (SUB_TO_USER | SUB_FROM_USER | SUB_PENDING_OUT))) {
        struct event ev = speak_for(b, out, EV_UNSUBSCRIBE, id);
        ev.user = user;
        if (unsubscribe)
            say_north(b, out, &ev);
        ev.kind = EV_UNSUBSCRIBED;
        say_north(b, out, &ev);
        roster_unavailable(b, out, id, &user);
    }
    roster_set(b, out, s, 0);
}

bool roster_owed(const struct sub *s)
{
    return s->registered || (s->state & SUB_TO_USER);
}

void roster_push(struct bridge *b, struct effects *out, struct sub *s)
{
    if (!roster_owed(s))
        return;
    const struct identity *id = sub_identity(&b->map, s);
    struct jid user = subscriber(b, out, s);
    unsigned rights = rights_seen(b, id, &user);
    if (rights)
        roster_present(b, out, id, &user, rights);
    else
        roster_end(b, out, s, false);
}

bool roster_offer(struct bridge *b, struct effects *out, struct user *u, struct identity *id, bool again)
{
    struct sub *s = sub_find(&b->map, u, id);
    unsigned state = s ? s->state : 0, settled = SUB_TO_USER;
    if (!again)
        settled |= SUB_FROM_USER | SUB_PENDING_OUT | SUB_REFUSED;
    if ((state & settled) || !component_up(b, id->component))
        return false;
    s = sub_take(&b->map, u, id);
    struct event ev = speak_for(b, out, EV_SUBSCRIBE, id);
    ev.user = subscriber(b, out, s);
    ev.nick = ev.name;
    roster_set(b, out, s, (state | SUB_PENDING_OUT) & ~(unsigned)SUB_REFUSED);
    say_north(b, out, &ev);
    return true;
}
