#include "core/pending.h"

#include "core/mix.h"

enum { ASK_BYTES = 1024 }; // first chunk: fits the event and a usual set of strings

void pendings_init(struct pendings *t, struct users *users)
{
    *t = (struct pendings){.users = users};
    pool_init(&t->pool, sizeof(struct pending));
    index_init(&t->by_token);
}

void pendings_finish(struct pendings *t)
{
    uint32_t at = 0;
    for (struct pending *p; (p = pool_next(&t->pool, &at));)
        arena_finish(&p->arena);
    pool_finish(&t->pool);
    index_finish(&t->by_token);
}

size_t pendings_bytes(const struct pendings *t)
{
    enum { SLOT = 8 };
    return pool_bytes(&t->pool) + t->by_token.cap * SLOT + t->bytes;
}

bool pendings_full(const struct pendings *t, const struct user *u)
{
    return t->pool.count >= PENDING_MAX || t->bytes >= PENDING_BYTES_MAX || u->pending >= PENDING_USER_MAX;
}

static struct pending *at(const struct pendings *t, uint32_t handle)
{
    return pool_at(&t->pool, handle);
}

void pending_add(struct pendings *t, const struct event *ask, struct user *u, int64_t now)
{
    struct pending *p = pool_take(&t->pool);
    arena_init(&p->arena, ASK_BYTES);
    p->ask = event_copy(&p->arena, ask);
    p->user = u->handle;
    p->deadline = now + PENDING_MS;
    p->prev = t->last;
    struct pending *last = at(t, t->last);
    *(last ? &last->next : &t->first) = p->handle;
    t->last = p->handle;
    t->bytes += p->arena.total;
    u->pending++;
    user_hold(t->users, u);
    index_add(&t->by_token, mix64(ask->token), p->handle);
}

struct pending *pending_find(const struct pendings *t, uint64_t token, uint16_t adapter)
{
    size_t step = SIZE_MAX;
    for (uint32_t h; (h = index_next(&t->by_token, mix64(token), &step)) != INDEX_NONE;) {
        struct pending *p = at(t, h);
        if (p->ask->token == token && p->ask->adapter == adapter)
            return p;
    }
    return NULL;
}

struct pending *pending_due(const struct pendings *t, int64_t now)
{
    struct pending *p = at(t, t->first);
    return p && p->deadline <= now ? p : NULL;
}

struct pending *pending_next(const struct pendings *t, uint32_t *walk)
{
    static const uint32_t END = UINT32_MAX;
    struct pending *p = *walk == END ? NULL : at(t, *walk ? *walk : t->first);
    *walk = p && p->next ? p->next : END;
    return p;
}

void pending_remove(struct pendings *t, struct pending *p)
{
    struct pending *prev = at(t, p->prev), *next = at(t, p->next);
    *(prev ? &prev->next : &t->first) = p->next;
    *(next ? &next->prev : &t->last) = p->prev;
    index_remove(&t->by_token, mix64(p->ask->token), p->handle);
    t->bytes -= p->arena.total;
    struct user *u = user_at(t->users, p->user);
    u->pending--;
    user_drop(t->users, u);
    arena_finish(&p->arena);
    pool_give(&t->pool, p);
}

int64_t pendings_deadline(const struct pendings *t)
{
    const struct pending *p = at(t, t->first);
    return p ? p->deadline : INT64_MAX;
}
