#include "core/subscription.h"

#include "core/mix.h"

#include <assert.h>

void mapping_init(struct mapping *m)
{
    *m = (struct mapping){0};
    identities_init(&m->identities);
    users_init(&m->users);
    pool_init(&m->subs, sizeof(struct sub));
    index_init(&m->by_pair);
}

void mapping_finish(struct mapping *m)
{
    identities_finish(&m->identities);
    users_finish(&m->users);
    pool_finish(&m->subs);
    index_finish(&m->by_pair);
}

size_t mapping_bytes(const struct mapping *m)
{
    enum { SLOT = 8 };
    return identities_bytes(&m->identities) + users_bytes(&m->users) + pool_bytes(&m->subs) + m->by_pair.cap * SLOT;
}

struct sub *sub_at(const struct mapping *m, uint32_t handle)
{
    return pool_at(&m->subs, handle);
}

struct user *sub_user(const struct mapping *m, const struct sub *s)
{
    return user_at(&m->users, s->user);
}

struct identity *sub_identity(const struct mapping *m, const struct sub *s)
{
    return identity_at(&m->identities, s->identity);
}

static uint64_t pair_hash(uint32_t user, uint32_t identity)
{
    return mix64((uint64_t)user << 32 | identity);
}

struct sub *sub_find(const struct mapping *m, const struct user *u, const struct identity *id)
{
    if (!u)
        return NULL;
    uint64_t hash = pair_hash(u->handle, id->handle);
    size_t at = SIZE_MAX;
    for (uint32_t h; (h = index_next(&m->by_pair, hash, &at)) != INDEX_NONE;) {
        struct sub *s = sub_at(m, h);
        if (s->user == u->handle && s->identity == id->handle)
            return s;
    }
    return NULL;
}

static void chain(struct mapping *m, struct sub *s, struct user *u, struct identity *id)
{
    s->user_next = u->subs;
    s->identity_next = id->subs;
    struct sub *of_user = sub_at(m, u->subs), *of_identity = sub_at(m, id->subs);
    if (of_user)
        of_user->user_prev = s->handle;
    if (of_identity)
        of_identity->identity_prev = s->handle;
    u->subs = id->subs = s->handle;
}

struct sub *sub_take(struct mapping *m, struct user *u, struct identity *id)
{
    struct sub *s = sub_find(m, u, id);
    if (s)
        return s;
    s = pool_take(&m->subs);
    s->user = u->handle;
    s->identity = id->handle;
    chain(m, s, u, id);
    index_add(&m->by_pair, pair_hash(s->user, s->identity), s->handle);
    user_hold(&m->users, u);
    return s;
}

void sub_set(struct mapping *m, struct sub *s, unsigned state)
{
    struct identity *id = sub_identity(m, s);
    id->subscribers += (state & SUB_TO_USER) != 0;
    id->subscribers -= (s->state & SUB_TO_USER) != 0;
    s->state = (uint8_t)state;
}

void sub_register(struct mapping *m, struct sub *s, bool registered)
{
    m->registrations += registered;
    m->registrations -= s->registered;
    s->registered = registered;
}

bool sub_empty(const struct sub *s)
{
    return !s->state && !s->registered;
}

static void unchain(struct mapping *m, struct sub *s, struct user *u, struct identity *id)
{
    struct sub *prev = sub_at(m, s->user_prev), *next = sub_at(m, s->user_next);
    *(prev ? &prev->user_next : &u->subs) = s->user_next;
    if (next)
        next->user_prev = s->user_prev;
    prev = sub_at(m, s->identity_prev);
    next = sub_at(m, s->identity_next);
    *(prev ? &prev->identity_next : &id->subs) = s->identity_next;
    if (next)
        next->identity_prev = s->identity_prev;
}

void sub_remove(struct mapping *m, struct sub *s)
{
    struct user *u = sub_user(m, s);
    sub_set(m, s, 0);
    sub_register(m, s, false);
    unchain(m, s, u, sub_identity(m, s));
    index_remove(&m->by_pair, pair_hash(s->user, s->identity), s->handle);
    pool_give(&m->subs, s);
    user_drop(&m->users, u);
}
