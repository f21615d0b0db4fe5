#include "core/user.h"

#include "base/map.h"
#include "base/mem.h"
#include "core/mix.h"

#include <assert.h>

void users_init(struct users *t)
{
    *t = (struct users){0};
    pool_init(&t->pool, sizeof(struct user));
    index_init(&t->by_jid);
}

void users_finish(struct users *t)
{
    uint32_t at = 0;
    for (struct user *u; (u = pool_next(&t->pool, &at));)
        mem_free(u->jid);
    pool_finish(&t->pool);
    index_finish(&t->by_jid);
}

size_t users_bytes(const struct users *t)
{
    enum { SLOT = 8, HEAP_BLOCK = 16 }; // of an index; what the heap adds to a block
    return pool_bytes(&t->pool) + t->by_jid.cap * SLOT + t->bytes + (size_t)t->pool.count * HEAP_BLOCK;
}

struct user *user_at(const struct users *t, uint32_t handle)
{
    return pool_at(&t->pool, handle);
}

struct str user_jid_text(const struct user *u)
{
    return (struct str){u->jid, u->jid_len};
}

struct jid user_jid(const struct user *u)
{
    struct str text = user_jid_text(u);
    if (!u->local_len)
        return (struct jid){.domain = text};
    return (struct jid){.local = str_sub(text, 0, u->local_len), .domain = str_sub(text, u->local_len + 1u, text.n)};
}

static uint64_t jid_hash(const struct jid *who)
{
    return mix64(map_hash(who->domain) ^ mix64(map_hash(who->local)));
}

struct user *user_find(const struct users *t, const struct jid *who)
{
    uint64_t hash = jid_hash(who);
    size_t at = SIZE_MAX;
    for (uint32_t h; (h = index_next(&t->by_jid, hash, &at)) != INDEX_NONE;) {
        struct user *u = user_at(t, h);
        struct jid jid = user_jid(u);
        if (jid_bare_eq(&jid, who))
            return u;
    }
    return NULL;
}

static void idle_remove(struct users *t, struct user *u)
{
    struct user *prev = user_at(t, u->idle_prev), *next = user_at(t, u->idle_next);
    *(prev ? &prev->idle_next : &t->idle_first) = u->idle_next;
    *(next ? &next->idle_prev : &t->idle_last) = u->idle_prev;
    u->idle_prev = u->idle_next = 0;
    t->idle_count--;
}

static void forget(struct users *t, struct user *u)
{
    struct jid jid = user_jid(u);
    index_remove(&t->by_jid, jid_hash(&jid), u->handle);
    idle_remove(t, u);
    t->bytes -= u->jid_len;
    mem_free(u->jid);
    pool_give(&t->pool, u);
}

static void idle_add(struct users *t, struct user *u)
{
    struct user *last = user_at(t, t->idle_last);
    *(last ? &last->idle_next : &t->idle_first) = u->handle;
    u->idle_prev = t->idle_last;
    t->idle_last = u->handle;
    if (++t->idle_count > USERS_IDLE)
        forget(t, user_at(t, t->idle_first));
}

struct user *user_intern(struct users *t, const struct jid *who, int64_t now)
{
    struct user *u = user_find(t, who);
    if (u) {
        u->erased = false;
        return u;
    }
    assert(who->domain.n && who->local.n + 1 + who->domain.n <= UINT16_MAX);
    u = pool_take(&t->pool);
    u->local_len = (uint16_t)who->local.n;
    u->jid_len = (uint16_t)(who->domain.n + (who->local.n ? who->local.n + 1 : 0));
    u->jid = mem_alloc(u->jid_len);
    if (who->local.n) {
        memcpy(u->jid, who->local.p, who->local.n);
        u->jid[who->local.n] = '@';
    }
    memcpy(u->jid + u->jid_len - who->domain.n, who->domain.p, who->domain.n);
    t->bytes += u->jid_len;
    ratelimit_init(&u->rate, USER_RATE, USER_BURST, now);
    index_add(&t->by_jid, jid_hash(who), u->handle);
    idle_add(t, u);
    return u;
}

void user_hold(struct users *t, struct user *u)
{
    if (!u->holds++)
        idle_remove(t, u);
}

void user_drop(struct users *t, struct user *u)
{
    assert(u->holds);
    if (--u->holds)
        return;
    idle_add(t, u);
    if (u->erased)
        forget(t, u);
}

void user_erase(struct users *t, struct user *u)
{
    u->erased = true;
    user_hold(t, u);
    user_drop(t, u);
}
