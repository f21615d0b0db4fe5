/* Messages and commands, both ways, and their outcomes.
 *
 * Happy path: a user's MESSAGE or COMMAND -> the adapter, with a token -> DELIVERED -> receipt, answer or result to the
 * user's full address. Failures: not to be seen: as if it did not exist; no right, encrypted, too much at once, or the
 * adapter's FAILED or silence: one BOUNCE with the reason. Each token has one outcome. */
#include "core/bridge_private.h"

#define TEXT_ENCRYPTED                                                                                                 \
    "This contact is a bridge: it cannot read what is encrypted end to end, and has not passed it on. Switch "         \
    "encryption off for this chat and send it again."

enum { ASK_ENDS = 2 }; // effects: the row of what was asked, and the word to who asked

void ask_adapter(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id,
                 unsigned rights)
{
    struct user *u = user_intern(&b->map.users, &ev->user, b->now);
    if (!ratelimit_take(&u->rate, b->now)) {
        bounce(b, out, ev, ev->kind, ERR_AGAIN, STR("too much at once; wait a few seconds"));
        return;
    }
    if (pendings_full(&b->pendings, u)) {
        bounce(b, out, ev, ev->kind, ERR_AGAIN, STR("too many requests wait for an answer"));
        return;
    }
    struct event ask = *ev;
    ask.adapter = b->sources[id->source].number;
    if (!ask.adapter) {
        bounce(b, out, ev, ev->kind, ERR_UNAVAILABLE, STR("this contact's adapter is no longer configured"));
        return;
    }
    ask.key = arena_dup(out->arena, identity_part(id, PART_KEY));
    ask.identity = (enum identity_kind)id->kind;
    ask.rights = rights;
    ask.token = ++b->tokens;
    say_south(b, out, &ask);
    if (id->kind != IDENTITY_ROOM) { // a room says it again; else who asked is all that is needed
        ask.body = STR_NONE;
        ask.fields = NULL;
        ask.field_count = 0;
    }
    pending_add(&b->pendings, &ask, u, b->now);
    ask_begins(b, out, &ask);
}

static void operate(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct user *u = user_intern(&b->map.users, &ev->user, b->now);
    if (!ratelimit_take(&u->rate, b->now)) {
        bounce(b, out, ev, ev->kind, ERR_AGAIN, STR("too much at once; wait a few seconds"));
        return;
    }
    say_operate(b, out, ev);
}

void message_step(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    bool to_component = str_empty(ev->to.local);
    struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    if (guest_private(b, ev, out))
        return;
    if (!id && !to_component)
        bounce(b, out, ev, EV_MESSAGE, ERR_NOTFOUND, STR_NONE);
    else if (id && id->kind == IDENTITY_ROOM)
        room_user_message(b, ev, out, id, rights);
    else if (ev->flags & EVENT_ENCRYPTED)
        bounce(b, out, ev, EV_MESSAGE, ERR_NOTACCEPTABLE, STR(TEXT_ENCRYPTED));
    else if (ev->type == MESSAGE_GROUPCHAT)
        bounce(b, out, ev, EV_MESSAGE, ERR_NOTACCEPTABLE, STR("this is no room"));
    else if (str_empty(ev->body))
        return;
    else if (b->stopping)
        ask_left(b, out, ev);
    else if (to_component)
        operate(b, ev, out);
    else if (!(rights & RIGHT_SEND))
        bounce(b, out, ev, EV_MESSAGE, ERR_FORBIDDEN, STR("you may not write to this contact"));
    else
        ask_adapter(b, ev, out, id, rights);
}

void typing_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    const struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    if (!id || is_self(id) || id->kind == IDENTITY_ROOM || !(rights & RIGHT_SEND))
        return;
    struct user *u = user_intern(&b->map.users, &ev->user, b->now);
    struct event south = *ev;
    south.adapter = b->sources[id->source].number;
    south.key = arena_dup(out->arena, identity_part(id, PART_KEY));
    south.rights = rights;
    south.token = 0;
    if (south.adapter && ratelimit_take(&u->rate, b->now))
        say_south(b, out, &south);
}

void command_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    if (str_empty(ev->to.local))
        operate(b, ev, out);
    else if (!id)
        bounce(b, out, ev, EV_COMMAND, ERR_NOTFOUND, STR_NONE);
    else
        ask_adapter(b, ev, out, id, rights);
}

// What we sent came back. An occupant of a room who is not there any more is taken out; nothing is ever answered.
void bounce_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    static const unsigned gone = 1U << ERR_NOTFOUND | 1U << ERR_OFFLINE | 1U << ERR_UNAVAILABLE | 1U << ERR_RESOLVE;
    if (guest_bounced(b, ev, out))
        return;
    struct identity *id = addressed(b, &ev->user, &ev->to);
    struct room *r = id ? room_of(&b->rooms, id) : NULL;
    struct client *c = r ? room_client(r, &ev->user) : NULL;
    if (id && id->kind == IDENTITY_CONTACT && letter_bounced(b, ev, out, id))
        return;
    if (c && (gone & 1U << ev->err))
        room_kick(b, out, r, c, STR("connection lost"));
}

/* From adapters */

static struct event news(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id)
{
    struct event north = speak_for(b, out, ev->kind, id);
    north.to.resource = str_c(b->sources[id->source].name);
    north.id = ev->kind == EV_MESSAGE && str_empty(ev->id) ? rng_id(&b->rng, out->arena, 16) : ev->id;
    north.body = ev->body;
    north.url = ev->url;
    north.type = ev->type == MESSAGE_GROUPCHAT ? MESSAGE_CHAT : ev->type;
    north.typing = ev->typing;
    north.stamp = ev->stamp;
    north.flags = ev->flags & EVENT_HIDDEN_BODY;
    return north;
}

enum err message_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    if (!id)
        return ERR_NOTFOUND;
    if (!(ev->flags & EVENT_SNAPSHOT) && ev->kind == EV_MESSAGE)
        id->changed = ev->wall;
    if (id->kind == IDENTITY_ROOM)
        return ev->kind == EV_MESSAGE ? room_adapter_message(b, ev, out, id) : ERR_OK;
    if (ev->flags & EVENT_SNAPSHOT)
        return ERR_OK;
    if (ev->kind == EV_MESSAGE && ev->type == MESSAGE_GROUPCHAT && !str_empty(ev->user.domain))
        return post_accept(b, ev, out, id);
    if (ev->kind == EV_MESSAGE && (ev->flags & EVENT_DURABLE))
        return deliver_accept(b, ev, out, id);
    struct event north = news(b, ev, out, id);
    bool all = str_empty(ev->user.domain);
    if (ev->kind == EV_MESSAGE && all && later_first(b, id)) {
        later_keep(b, &north, id);
        return ERR_OK;
    }
    if (!component_up(b, id->component))
        return ERR_OK;
    if (all)
        return job_start(b, out,
                         &(struct job){.kind = JOB_MESSAGE,
                                       .component = id->component,
                                       .identity = id->handle,
                                       .at = id->subs,
                                       .ev = &north})
                   ? ERR_OK
                   : ERR_AGAIN;
    if (!(rights_seen(b, id, &ev->user) & RIGHT_READ))
        return ERR_FORBIDDEN;
    north.user = ev->user;
    say_north(b, out, &north);
    return ERR_OK;
}

bool message_run(struct bridge *b, struct job *j, struct effects *out)
{
    struct event north = *event_copy(out->arena, j->ev);
    while (j->at) {
        if (!effects_fit(out, 1))
            return false;
        struct sub *s = sub_at(&b->map, j->at);
        j->at = s->identity_next;
        struct jid user = user_jid(sub_user(&b->map, s));
        const struct identity *id = sub_identity(&b->map, s);
        if (!(s->state & SUB_TO_USER) || !(rights_seen(b, id, &user) & RIGHT_READ))
            continue;
        north.user =
            (struct jid){.local = arena_dup(out->arena, user.local), .domain = arena_dup(out->arena, user.domain)};
        say_north(b, out, &north);
    }
    return true;
}

/* Outcomes */

// Takes the question out of the table, into the arena; NULL when there is none, or it was answered already.
static struct event *take_ask(struct bridge *b, struct effects *out, struct pending *p)
{
    if (!p)
        return NULL;
    struct event *ask = event_copy(out->arena, p->ask);
    pending_remove(&b->pendings, p);
    ask_ends(b, out, ask);
    return ask;
}

static void reply(struct bridge *b, struct effects *out, const struct event *ask, const struct event *outcome)
{
    struct event ev = {
        .kind = EV_MESSAGE,
        .adapter = ask->adapter,
        .component = ask->component,
        .user = ask->user,
        .to = ask->to,
        .id = rng_id(&b->rng, out->arena, 16),
        .type = ask->type,
        .body = outcome->body,
        .url = outcome->url,
    };
    const struct source *s = source_of(b, ask->adapter);
    if (s && ask->identity != IDENTITY_ROOM)
        ev.to.resource = str_c(s->name);
    say_north(b, out, &ev);
}

static void message_delivered(struct bridge *b, struct effects *out, const struct event *ask,
                              const struct event *outcome)
{
    if (ask->identity == IDENTITY_ROOM && ask->type == MESSAGE_GROUPCHAT) {
        room_reflect(b, out, ask);
        return;
    }
    if (ask->flags & EVENT_RECEIPT_WANTED)
        say_north(b, out,
                  &(struct event){.kind = EV_RECEIPT,
                                  .component = ask->component,
                                  .user = ask->user,
                                  .to = ask->to,
                                  .id = ask->id,
                                  .type = ask->type});
    if (!str_empty(outcome->body) || !str_empty(outcome->url))
        reply(b, out, ask, outcome);
}

static void command_delivered(struct bridge *b, struct effects *out, const struct event *ask, struct str body)
{
    say_north(b, out,
              &(struct event){.kind = EV_RESULT,
                              .about = EV_COMMAND,
                              .component = ask->component,
                              .user = ask->user,
                              .to = ask->to,
                              .id = ask->id,
                              .command = ask->command,
                              .body = body});
}

enum err delivered_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct event *ask = take_ask(b, out, pending_find(&b->pendings, ev->token, ev->adapter));
    if (!ask)
        return ERR_NOTFOUND;
    if (ask->kind == EV_COMMAND)
        command_delivered(b, out, ask, str_empty(ev->url) ? ev->body : ev->url);
    else if (ask->kind == EV_SUBJECT)
        room_reflect(b, out, ask);
    else
        message_delivered(b, out, ask, ev);
    return ERR_OK;
}

enum err failed_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct event *ask = take_ask(b, out, pending_find(&b->pendings, ev->token, ev->adapter));
    if (!ask)
        return ERR_NOTFOUND;
    bounce(b, out, ask, ask->kind, ev->err ? ev->err : ERR_INTERNAL, ev->body);
    return ERR_OK;
}

// When the bridge stops, all have: nobody would tell the outcome any more.
void asks_expire(struct bridge *b, struct effects *out)
{
    int64_t until = b->stopping ? INT64_MAX : b->now;
    enum err e = b->stopping ? ERR_UNAVAILABLE : ERR_TIMEOUT;
    struct str why = b->stopping ? STR("the bridge is stopping; it is not known whether this was done")
                                 : STR("no answer came in time");
    for (struct pending *p; effects_fit(out, ASK_ENDS) && (p = pending_due(&b->pendings, until));) {
        struct event *ask = take_ask(b, out, p);
        bounce(b, out, ask, ask->kind, e, why);
    }
}

bool asks_abandon(struct bridge *b, struct effects *out)
{
    uint32_t at = 0;
    for (struct pending *p; (p = pending_next(&b->pendings, &at));) {
        if (source_of(b, p->ask->adapter))
            continue;
        if (!effects_fit(out, ASK_ENDS))
            return false;
        struct event *ask = take_ask(b, out, p);
        bounce(b, out, ask, ask->kind, ERR_UNAVAILABLE,
               STR("this contact's adapter was removed; it is not known whether this was done"));
    }
    return true;
}

bool asks_end(struct bridge *b, struct effects *out, const struct user *u)
{
    uint32_t at = 0;
    for (struct pending *p; (p = pending_next(&b->pendings, &at));) {
        if (p->user != u->handle)
            continue;
        if (!effects_fit(out, ASK_ENDS))
            return false;
        struct event *ask = take_ask(b, out, p);
        bounce(b, out, ask, ask->kind, ERR_CLOSED,
               STR("all with you was ended; it is not known whether this was done"));
    }
    return true;
}
