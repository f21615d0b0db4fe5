/* What the uploads remember, in tables of a fixed size: the oldest entry gives way. */
#include "app/uploads_private.h"

#include "base/mem.h"

const char *uploads_known(const struct uploads *u, const uint8_t sum[SHA256_BYTES])
{
    int64_t now = u->host.now(u->ud);
    for (size_t i = 0; i < UPLOADS_URLS; i++) {
        const struct upload_url *e = &u->urls[i];
        if (e->url && e->until > now && memcmp(e->sum, sum, SHA256_BYTES) == 0)
            return e->url;
    }
    return NULL;
}

void uploads_remember(struct uploads *u, const uint8_t sum[SHA256_BYTES], struct str url)
{
    struct upload_url *oldest = &u->urls[0];
    for (size_t i = 0; i < UPLOADS_URLS; i++) {
        struct upload_url *e = &u->urls[i];
        if (e->url && memcmp(e->sum, sum, SHA256_BYTES) == 0) {
            oldest = e;
            break;
        }
        if (e->until < oldest->until) // free ones are older than all
            oldest = e;
    }
    mem_free(oldest->url);
    oldest->url = mem_dup(url.p, url.n);
    oldest->until = u->host.now(u->ud) + u->reuse;
    memcpy(oldest->sum, sum, SHA256_BYTES);
}

static struct upload_user *user_of(struct uploads *u, struct str bare)
{
    struct upload_user *oldest = &u->users[0];
    for (size_t i = 0; i < UPLOADS_USERS; i++) {
        struct upload_user *e = &u->users[i];
        if (e->bare && str_eq_c(bare, e->bare))
            return e;
        if (oldest->bare && (!e->bare || e->used < oldest->used))
            oldest = e;
    }
    mem_free(oldest->bare);
    oldest->bare = mem_dup(bare.p, bare.n);
    ratelimit_init(&oldest->rate, 1.0 / UPLOADS_RATE_S, UPLOADS_BURST, u->host.now(u->ud));
    return oldest;
}

bool uploads_may(struct uploads *u, const struct jid *user)
{
    struct arena a;
    if (!user->domain.n)
        return true;
    arena_init(&a, 256);
    struct upload_user *e = user_of(u, jid_format_bare(&a, user));
    e->used = u->host.now(u->ud);
    bool may = ratelimit_take(&e->rate, e->used);
    arena_finish(&a);
    return may;
}

bool uploads_first_failure(struct uploads *u, struct str key)
{
    char **room = NULL;
    for (size_t i = 0; i < UPLOADS_TOLD; i++) {
        if (u->told_keys[i] && str_eq_c(key, u->told_keys[i]))
            return false;
        if (!u->told_keys[i] && !room)
            room = &u->told_keys[i];
    }
    if (room)
        *room = mem_dup(key.p, key.n);
    return room != NULL;
}

void uploads_success(struct uploads *u, struct str key)
{
    for (size_t i = 0; i < UPLOADS_TOLD; i++) {
        if (!u->told_keys[i] || !str_eq_c(key, u->told_keys[i]))
            continue;
        mem_free(u->told_keys[i]);
        u->told_keys[i] = NULL;
    }
}

void uploads_forget(struct uploads *u, struct str bare)
{
    for (size_t i = 0; i < UPLOADS_USERS; i++) {
        struct upload_user *e = &u->users[i];
        if (!e->bare || !str_eq_c(bare, e->bare))
            continue;
        mem_free(e->bare);
        *e = (struct upload_user){.bare = NULL};
    }
}

void uploads_forget_urls(struct uploads *u)
{
    for (size_t i = 0; i < UPLOADS_URLS; i++) {
        mem_free(u->urls[i].url);
        u->urls[i] = (struct upload_url){.url = NULL};
    }
}

void uploads_memory_finish(struct uploads *u)
{
    uploads_forget_urls(u);
    for (size_t i = 0; i < UPLOADS_USERS; i++)
        mem_free(u->users[i].bare);
    for (size_t i = 0; i < UPLOADS_TOLD; i++)
        mem_free(u->told_keys[i]);
}
