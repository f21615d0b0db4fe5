/* Rooms that the gateway hosts (XEP-0045 in neutral words): users enter and leave, talk, and hear the adapter's people.
 *
 * Happy path: JOIN -> the adapter is told; the joiner hears of all who are there, the others of him, then he of
 * himself, last the subject. A MESSAGE goes to the adapter first and is said to all, its sender included, with his id,
 * once it is DELIVERED. Failures: nick taken, no right, room full: one BOUNCE about JOIN; a message that the adapter
 * failed: one BOUNCE to its sender; a client that is gone is found out by its bounces. */
#include "core/bridge_private.h"

#define TEXT_ENCRYPTED                                                                                                 \
    "This room is bridged: what is encrypted end to end cannot be read here and is not passed on. Switch encryption "  \
    "off for this room."

static struct jid dup_jid(struct effects *out, const struct jid *j)
{
    struct arena *a = out->arena;
    return (struct jid){arena_dup(a, j->local), arena_dup(a, j->domain), arena_dup(a, j->resource)};
}

// An event of the occupant `nick` (empty: of the room itself), to nobody yet.
static struct event room_event(struct bridge *b, struct effects *out, enum event_kind kind, const struct room *r,
                               struct str nick)
{
    struct event ev = speak_for(b, out, kind, identity_at(&b->map.identities, r->identity));
    ev.to.resource = ev.nick = arena_dup(out->arena, nick);
    ev.name = STR_NONE;
    ev.type = MESSAGE_GROUPCHAT;
    return ev;
}

static void tell(struct bridge *b, struct effects *out, struct event ev, const struct client *c, bool self)
{
    ev.user = dup_jid(out, &c->jid);
    ev.flags |= self ? EVENT_SELF : 0;
    say_north(b, out, &ev);
}

static void tell_adapter(struct bridge *b, struct effects *out, const struct event *said, const struct client *c)
{
    struct event ev = *said;
    ev.user = dup_jid(out, &c->jid);
    if (ev.adapter)
        say_south(b, out, &ev);
}

// To all clients in the room; those of `about` hear it as their own.
static bool say(struct bridge *b, struct effects *out, struct room *r, const struct event *ev, struct occupant *about)
{
    if (list_empty(&r->clients))
        return true;
    return job_start(b, out,
                     &(struct job){.kind = JOB_SAY,
                                   .component = ev->component,
                                   .identity = r->identity,
                                   .ev = ev,
                                   .occupant = about,
                                   .client = LIST_FIRST(&r->clients, struct client, node)});
}

static struct client *client_after(const struct room *r, const struct client *c)
{
    return c->node.next == &r->clients ? NULL : CONTAINER_OF(c->node.next, struct client, node);
}

static struct room *room_of_job(const struct bridge *b, const struct job *j)
{
    const struct identity *id = identity_at(&b->map.identities, j->identity);
    return id ? room_of(&b->rooms, id) : NULL;
}

// Talk needs the right to read it, but for one's own, which shows that it was said.
static bool may_hear(const struct bridge *b, const struct room *r, const struct client *c, const struct event *ev)
{
    return ev->kind != EV_MESSAGE ||
           (rights_seen(b, identity_at(&b->map.identities, r->identity), &c->jid) & RIGHT_READ);
}

bool room_say_run(struct bridge *b, struct job *j, struct effects *out)
{
    struct room *r = room_of_job(b, j);
    if (!r || !j->client)
        return true;
    const struct event *ev = event_copy(out->arena, j->ev);
    while (j->client) {
        if (!effects_fit(out, 1))
            return false;
        struct client *c = j->client;
        j->client = client_after(r, c);
        bool own = j->occupant && c->occupant == j->occupant;
        if (own || may_hear(b, r, c, ev))
            tell(b, out, *ev, c, own);
    }
    return true;
}

/* Entering */

static bool tell_of_others(struct bridge *b, struct job *j, struct effects *out, struct room *r)
{
    while (j->occupant) {
        if (!effects_fit(out, 1))
            return false;
        struct occupant *o = j->occupant;
        j->occupant = o->node.next == &r->occupants ? NULL : CONTAINER_OF(o->node.next, struct occupant, node);
        if (o != j->client->occupant)
            tell(b, out, room_event(b, out, EV_JOIN, r, room_nick(o)), j->client, false);
    }
    return true;
}

static bool tell_the_others(struct bridge *b, struct job *j, struct effects *out, struct room *r)
{
    struct event ev = room_event(b, out, EV_JOIN, r, room_nick(j->client->occupant));
    while (j->other) {
        if (!effects_fit(out, 1))
            return false;
        struct client *c = j->other;
        j->other = client_after(r, c);
        if (c != j->client)
            tell(b, out, ev, c, c->occupant == j->client->occupant);
    }
    return true;
}

static bool tell_of_itself(struct bridge *b, struct job *j, struct effects *out, struct room *r)
{
    if (!effects_fit(out, 2))
        return false;
    tell(b, out, room_event(b, out, EV_JOIN, r, room_nick(j->client->occupant)), j->client, true);
    struct event subject = room_event(b, out, EV_SUBJECT, r, STR_NONE);
    subject.body = arena_dup(out->arena, str_c(r->subject));
    tell(b, out, subject, j->client, false);
    return true;
}

bool room_welcome_run(struct bridge *b, struct job *j, struct effects *out)
{
    static bool (*const phases[])(struct bridge *, struct job *, struct effects *,
                                  struct room *) = {tell_of_others, tell_the_others, tell_of_itself};
    enum { PHASES = sizeof phases / sizeof *phases };
    struct room *r = room_of_job(b, j);
    while (r && j->client && j->phase < PHASES) {
        if (!phases[j->phase](b, j, out, r))
            return false;
        j->phase++;
    }
    return true;
}

static void welcome(struct bridge *b, struct effects *out, struct room *r, struct client *c, bool known)
{
    uint16_t component = identity_at(&b->map.identities, r->identity)->component;
    job_start(b, out,
              &(struct job){.kind = JOB_WELCOME,
                            .component = component,
                            .identity = r->identity,
                            .client = c,
                            .occupant = LIST_FIRST(&r->occupants, struct occupant, node),
                            .other = known ? NULL : LIST_FIRST(&r->clients, struct client, node)});
}

static struct str nick_asked(const struct event *ev)
{
    return str_empty(ev->nick) ? ev->to.resource : ev->nick;
}

// Why this user may not enter under this nick.
static enum err may_enter(const struct room *r, const struct occupant *o, const struct user *u, unsigned rights)
{
    if (!(rights & RIGHT_SEND))
        return ERR_FORBIDDEN;
    if (o && o->user != u->handle)
        return ERR_EXISTS;
    if (r->client_count >= ROOM_CLIENTS_MAX || (o && o->client_count >= ROOM_OCCUPANT_CLIENTS_MAX))
        return ERR_UNAVAILABLE;
    return ERR_OK;
}

static void enter(struct bridge *b, const struct event *ev, struct effects *out, struct room *r, unsigned rights)
{
    struct str nick = nick_asked(ev);
    struct user *u = user_intern(&b->map.users, &ev->user, b->now);
    struct occupant *o = room_occupant(r, nick);
    enum err e = may_enter(r, o, u, rights);
    if (e) {
        bounce(b, out, ev, EV_JOIN, e, STR_NONE);
        return;
    }
    bool known = o != NULL;
    if (!known)
        o = room_enter(&b->rooms, r, nick, u);
    struct client *c = room_connect(r, o, &ev->user);
    if (!known) {
        struct event joined = room_event(b, out, EV_JOIN, r, nick);
        joined.rights = rights;
        tell_adapter(b, out, &joined, c);
    }
    welcome(b, out, r, c, known);
}

static void rename_to(struct bridge *b, const struct event *ev, struct effects *out, struct room *r, struct client *c,
                      struct str nick)
{
    struct occupant *o = c->occupant;
    if (room_occupant(r, nick)) {
        bounce(b, out, ev, EV_JOIN, ERR_EXISTS, STR_NONE);
        return;
    }
    struct event part = room_event(b, out, EV_PART, r, room_nick(o));
    part.name = arena_dup(out->arena, nick);
    room_rename(r, o, nick);
    tell_adapter(b, out, &part, c);
    say(b, out, r, &part, o);
    struct event join = room_event(b, out, EV_JOIN, r, nick);
    say(b, out, r, &join, o);
}

void room_join_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    struct str nick = nick_asked(ev);
    if (!id || is_self(id)) {
        bounce(b, out, ev, EV_JOIN, ERR_NOTFOUND, STR_NONE);
        return;
    }
    if (id->kind != IDENTITY_ROOM || str_empty(nick) || str_empty(ev->user.resource)) {
        bounce(b, out, ev, EV_JOIN, id->kind == IDENTITY_ROOM ? ERR_BADJID : ERR_NOTALLOWED, STR_NONE);
        return;
    }
    struct room *r = room_take(&b->rooms, id);
    struct client *c = room_client(r, &ev->user);
    if (!c)
        enter(b, ev, out, r, rights);
    else if (str_eq(room_nick(c->occupant), nick))
        welcome(b, out, r, c, true); // it has forgotten that it is here
    else
        rename_to(b, ev, out, r, c, nick);
}

void room_user_available(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id)
{
    struct room *r = room_of(&b->rooms, id);
    struct client *c = room_client(r, &ev->user);
    if (c && !str_eq(room_nick(c->occupant), ev->to.resource))
        rename_to(b, ev, out, r, c, ev->to.resource);
}

/* Leaving */

static void disconnect(struct bridge *b, struct room *r, struct client *c)
{
    jobs_forget_client(b, c);
    room_disconnect(r, c);
}

static void leave(struct bridge *b, struct room *r, struct occupant *o)
{
    jobs_forget_occupant(b, o);
    room_leave(&b->rooms, r, o);
}

void room_kick(struct bridge *b, struct effects *out, struct room *r, struct client *c, struct str why)
{
    struct occupant *o = c->occupant;
    struct event part = room_event(b, out, EV_PART, r, room_nick(o));
    part.body = why;
    bool last = o->client_count == 1;
    tell(b, out, part, c, true);
    if (last)
        tell_adapter(b, out, &part, c);
    disconnect(b, r, c);
    if (!last)
        return;
    leave(b, r, o);
    say(b, out, r, &part, NULL);
}

bool rooms_erase(struct bridge *b, struct effects *out, const struct user *u)
{
    struct jid jid = user_jid(u);
    uint32_t at = 0;
    for (struct room *r; (r = pool_next(&b->rooms.pool, &at));) {
        struct list_node *it, *safe;
        LIST_EACH (it, safe, &r->clients) {
            struct client *c = CONTAINER_OF(it, struct client, node);
            if (!jid_bare_eq(&c->jid, &jid))
                continue;
            if (!effects_fit(out, ROOM_KICK))
                return false;
            room_kick(b, out, r, c, STR("all with you was ended"));
        }
    }
    return true;
}

bool room_clear(struct bridge *b, struct effects *out, struct room *r, struct str why)
{
    while (!list_empty(&r->clients)) {
        if (!effects_fit(out, 1))
            return false;
        struct client *c = LIST_FIRST(&r->clients, struct client, node);
        struct occupant *o = c->occupant;
        struct event part = room_event(b, out, EV_PART, r, room_nick(o));
        part.body = why;
        tell(b, out, part, c, true);
        disconnect(b, r, c);
        if (!o->client_count)
            leave(b, r, o);
    }
    return true;
}

void room_part_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = addressed(b, &ev->user, &ev->to);
    struct room *r = id ? room_of(&b->rooms, id) : NULL;
    struct client *c = r ? room_client(r, &ev->user) : NULL;
    if (c)
        room_kick(b, out, r, c, ev->body);
}

/* Talking */

static void refuse_encrypted(struct bridge *b, struct effects *out, struct room *r, struct client *c)
{
    if (c->told)
        return;
    c->told = true;
    struct event ev = room_event(b, out, EV_MESSAGE, r, STR_NONE);
    ev.body = STR(TEXT_ENCRYPTED);
    ev.id = rng_id(&b->rng, out->arena, 16);
    tell(b, out, ev, c, false);
}

// Between two users of the room: nothing for the adapter to do.
static void whisper(struct bridge *b, const struct event *ev, struct effects *out, struct room *r,
                    const struct client *from, const struct occupant *to)
{
    struct event said = room_event(b, out, EV_MESSAGE, r, room_nick(from->occupant));
    said.type = MESSAGE_CHAT;
    said.id = ev->id;
    said.body = ev->body;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &to->clients) {
        tell(b, out, said, CONTAINER_OF(it, struct client, of_occupant), false);
    }
}

static void private_message(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id,
                            struct client *from, unsigned rights)
{
    struct room *r = room_of(&b->rooms, id);
    struct occupant *to = room_occupant(r, ev->to.resource);
    if (!to) {
        bounce(b, out, ev, EV_MESSAGE, ERR_NOTFOUND, STR("nobody here has this nick"));
    } else if (to->user) {
        whisper(b, ev, out, r, from, to);
    } else {
        struct event ask = *ev;
        ask.nick = arena_dup(out->arena, room_nick(from->occupant));
        ask_adapter(b, &ask, out, id, rights);
    }
}

// The client through which the user speaks, where he may; else he is told why not.
static struct client *speaker(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id,
                              unsigned rights)
{
    struct room *r = room_of(&b->rooms, id);
    struct client *c = r ? room_client(r, &ev->user) : NULL;
    if (!c)
        bounce(b, out, ev, ev->kind, ERR_NOTACCEPTABLE, STR("you are not in this room"));
    else if (!(rights & RIGHT_SEND))
        bounce(b, out, ev, ev->kind, ERR_FORBIDDEN, STR("you may not speak here"));
    return c && (rights & RIGHT_SEND) ? c : NULL;
}

void room_user_message(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id,
                       unsigned rights)
{
    struct client *c = speaker(b, ev, out, id, rights);
    if (!c)
        return;
    if (ev->flags & EVENT_ENCRYPTED) {
        refuse_encrypted(b, out, room_of(&b->rooms, id), c);
    } else if (str_empty(ev->body)) {
        return;
    } else if (!str_empty(ev->to.resource)) {
        private_message(b, ev, out, id, c, rights);
    } else {
        struct event ask = *ev;
        ask.type = MESSAGE_GROUPCHAT;
        ask.nick = arena_dup(out->arena, room_nick(c->occupant));
        ask_adapter(b, &ask, out, id, rights);
    }
}

void room_user_subject(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id,
                       unsigned rights)
{
    struct client *c = speaker(b, ev, out, id, rights);
    if (!c)
        return;
    struct event ask = *ev;
    ask.nick = arena_dup(out->arena, room_nick(c->occupant));
    ask_adapter(b, &ask, out, id, rights);
}

void subject_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    unsigned rights;
    struct identity *id = seen(b, &ev->user, &ev->to, &rights);
    if (!id || id->kind != IDENTITY_ROOM)
        bounce(b, out, ev, EV_SUBJECT, ERR_NOTFOUND, STR_NONE);
    else
        room_user_subject(b, ev, out, id, rights);
}

void room_reflect(struct bridge *b, struct effects *out, const struct event *ask)
{
    struct identity *id = named(b, ask);
    struct room *r = id ? room_of(&b->rooms, id) : NULL;
    if (!r)
        return;
    if (ask->kind == EV_SUBJECT)
        room_set_subject(r, ask->body);
    struct event said = room_event(b, out, ask->kind, r, ask->nick);
    said.id = ask->id;
    said.body = ask->body;
    struct occupant *from = room_occupant(r, ask->nick);
    struct user *u = user_find(&b->map.users, &ask->user);
    if (!say(b, out, r, &said, from && u && from->user == u->handle ? from : NULL))
        bounce(b, out, ask, ask->kind, ERR_AGAIN, STR("too much is being said"));
}

/* From the adapter */

// A nick of the far side as it can stand in an address; false when it cannot.
static bool prepare_nick(struct effects *out, struct str nick, struct str *prepared)
{
    struct jid jid;
    if (str_empty(nick) || jid_make(out->arena, STR_NONE, STR("room.invalid"), nick, &jid))
        return false;
    *prepared = jid.resource;
    return true;
}

enum err room_join_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    struct str nick;
    if (!id || id->kind != IDENTITY_ROOM)
        return ERR_NOTFOUND;
    if (!prepare_nick(out, ev->nick, &nick))
        return ERR_BADREQ;
    struct room *r = room_take(&b->rooms, id);
    const struct occupant *there = room_occupant(r, nick);
    if (there)
        return there->user ? ERR_EXISTS : ERR_OK;
    if (r->foreign_count >= ROOM_FOREIGN_MAX)
        return ERR_LIMIT;
    room_enter(&b->rooms, r, nick, NULL);
    struct event joined = room_event(b, out, EV_JOIN, r, nick);
    say(b, out, r, &joined, NULL);
    return ERR_OK;
}

static void rename_foreign(struct bridge *b, struct effects *out, struct room *r, struct occupant *o,
                           struct event *part, struct str nick)
{
    part->name = nick;
    room_rename(r, o, nick);
    say(b, out, r, part, NULL);
    struct event join = room_event(b, out, EV_JOIN, r, nick);
    say(b, out, r, &join, NULL);
}

enum err room_part_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    struct room *r = id ? room_of(&b->rooms, id) : NULL;
    struct str nick, next;
    if (!r || !prepare_nick(out, ev->nick, &nick))
        return ERR_NOTFOUND;
    struct occupant *o = room_occupant(r, nick);
    if (!o || o->user)
        return ERR_NOTFOUND;
    struct event part = room_event(b, out, EV_PART, r, nick);
    part.body = ev->body;
    if (prepare_nick(out, ev->name, &next) && !room_occupant(r, next)) {
        rename_foreign(b, out, r, o, &part, next);
    } else {
        leave(b, r, o);
        say(b, out, r, &part, NULL);
    }
    return ERR_OK;
}

// Who says it, empty for the room itself; a nick that cannot stand in an address is not told.
static struct str speaker_of(struct effects *out, const struct event *ev)
{
    struct str nick;
    return prepare_nick(out, ev->nick, &nick) ? nick : STR_NONE;
}

enum err subject_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct identity *id = named(b, ev);
    if (!id || id->kind != IDENTITY_ROOM)
        return ERR_NOTFOUND;
    struct room *r = room_take(&b->rooms, id);
    room_set_subject(r, ev->body);
    struct event said = room_event(b, out, EV_SUBJECT, r, speaker_of(out, ev));
    said.body = ev->body;
    said.stamp = ev->stamp;
    if (!(ev->flags & EVENT_SNAPSHOT))
        say(b, out, r, &said, NULL);
    return ERR_OK;
}

// To one user: to all his clients in the room. A user has few, and rooms are walked for private talk alone.
static enum err message_to_user(struct bridge *b, struct effects *out, struct room *r, const struct event *said,
                                const struct jid *user)
{
    struct list_node *it, *safe;
    unsigned told = 0;
    LIST_EACH (it, safe, &r->clients) {
        struct client *c = CONTAINER_OF(it, struct client, node);
        if (!jid_bare_eq(&c->jid, user) || told == ROOM_OCCUPANT_CLIENTS_MAX)
            continue;
        tell(b, out, *said, c, false);
        told++;
    }
    return told ? ERR_OK : ERR_NOTFOUND;
}

enum err room_adapter_message(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id)
{
    struct room *r = room_of(&b->rooms, id);
    if (!r || (ev->flags & EVENT_SNAPSHOT))
        return ERR_OK;
    if (!component_up(b, id->component))
        return ERR_OFFLINE;
    struct event said = room_event(b, out, EV_MESSAGE, r, speaker_of(out, ev));
    said.id = str_empty(ev->id) ? rng_id(&b->rng, out->arena, 16) : ev->id;
    said.body = ev->body;
    said.url = ev->url;
    said.stamp = ev->stamp;
    if (str_empty(ev->user.domain))
        return say(b, out, r, &said, NULL) ? ERR_OK : ERR_AGAIN;
    if (!(rights_seen(b, id, &ev->user) & RIGHT_READ))
        return ERR_FORBIDDEN;
    said.type = MESSAGE_CHAT;
    return message_to_user(b, out, r, &said, &ev->user);
}
