#include "core/room.h"

#include "base/utf8.h"

#include <assert.h>

void rooms_init(struct rooms *t, struct users *users)
{
    *t = (struct rooms){.users = users};
    pool_init(&t->pool, sizeof(struct room));
}

static void empty(struct rooms *t, struct room *r)
{
    while (!list_empty(&r->occupants))
        room_leave(t, r, LIST_FIRST(&r->occupants, struct occupant, node));
    map_finish(&r->by_nick);
    map_finish(&r->by_jid);
    mem_free(r->subject);
}

void rooms_finish(struct rooms *t)
{
    uint32_t at = 0;
    for (struct room *r; (r = pool_next(&t->pool, &at));)
        empty(t, r);
    pool_finish(&t->pool);
}

struct room *room_of(const struct rooms *t, const struct identity *id)
{
    return pool_at(&t->pool, id->room);
}

struct room *room_take(struct rooms *t, struct identity *id)
{
    struct room *r = room_of(t, id);
    if (r)
        return r;
    r = pool_take(&t->pool);
    r->identity = id->handle;
    id->room = r->handle;
    list_init(&r->occupants);
    list_init(&r->clients);
    map_init(&r->by_nick);
    map_init(&r->by_jid);
    return r;
}

void room_remove(struct rooms *t, struct room *r, struct identity *id)
{
    empty(t, r);
    id->room = 0;
    pool_give(&t->pool, r);
}

struct occupant *room_occupant(const struct room *r, struct str nick)
{
    return map_get(&r->by_nick, nick);
}

struct client *room_client(const struct room *r, const struct jid *full)
{
    struct arena a;
    arena_init(&a, 256);
    struct client *c = map_get(&r->by_jid, jid_format(&a, full));
    arena_finish(&a);
    return c;
}

struct str room_nick(const struct occupant *o)
{
    return str_c(o->nick);
}

struct occupant *room_enter(struct rooms *t, struct room *r, struct str nick, struct user *u)
{
    struct occupant *o = MEM_NEW(struct occupant);
    o->nick = mem_dup(nick.p, nick.n);
    list_init(&o->clients);
    list_push(&r->occupants, &o->node);
    if (u) {
        o->user = u->handle;
        user_hold(t->users, u);
    } else {
        r->foreign_count++;
    }
    void *before = map_put(&r->by_nick, room_nick(o), o);
    assert(!before);
    (void)before;
    return o;
}

static char *format(const struct jid *full)
{
    struct arena a;
    arena_init(&a, 256);
    struct str text = jid_format(&a, full);
    char *copy = mem_dup(text.p, text.n);
    arena_finish(&a);
    return copy;
}

struct client *room_connect(struct room *r, struct occupant *o, const struct jid *full)
{
    struct client *c = MEM_NEW(struct client);
    c->text = format(full);
    struct str text = str_c(c->text), bare;
    str_cut(text, '/', &bare, &c->jid.resource);
    if (!str_cut(bare, '@', &c->jid.local, &c->jid.domain))
        c->jid = (struct jid){.domain = bare, .resource = c->jid.resource};
    c->occupant = o;
    list_push(&r->clients, &c->node);
    list_push(&o->clients, &c->of_occupant);
    o->client_count++;
    r->client_count++;
    map_put(&r->by_jid, text, c);
    return c;
}

void room_disconnect(struct room *r, struct client *c)
{
    map_remove(&r->by_jid, str_c(c->text));
    list_remove(&c->node);
    list_remove(&c->of_occupant);
    c->occupant->client_count--;
    r->client_count--;
    mem_free(c->text);
    mem_free(c);
}

void room_leave(struct rooms *t, struct room *r, struct occupant *o)
{
    while (!list_empty(&o->clients))
        room_disconnect(r, LIST_FIRST(&o->clients, struct client, of_occupant));
    map_remove(&r->by_nick, room_nick(o));
    list_remove(&o->node);
    if (o->user)
        user_drop(t->users, user_at(t->users, o->user));
    else
        r->foreign_count--;
    mem_free(o->nick);
    mem_free(o);
}

void room_rename(struct room *r, struct occupant *o, struct str nick)
{
    map_remove(&r->by_nick, room_nick(o));
    mem_free(o->nick);
    o->nick = mem_dup(nick.p, nick.n);
    map_put(&r->by_nick, room_nick(o), o);
}

void room_set_subject(struct room *r, struct str subject)
{
    subject = utf8_cut(subject, ROOM_SUBJECT_MAX);
    mem_free(r->subject);
    r->subject = str_empty(subject) ? NULL : mem_dup(subject.p, subject.n);
}
