#include "adapters/webhook/webhook_rate.h"

#include "base/mem.h"
#include "base/ratelimit.h"

struct bucket {
    struct list_node node;
    struct ratelimit limit;
    struct str name; // owned
};

void webhook_rate_init(struct webhook_rate *r)
{
    map_init(&r->by_name);
    list_init(&r->used);
}

static void drop(struct webhook_rate *r, struct bucket *b)
{
    map_remove(&r->by_name, b->name);
    list_remove(&b->node);
    mem_free((char *)(uintptr_t)b->name.p);
    mem_free(b);
}

void webhook_rate_finish(struct webhook_rate *r)
{
    while (!list_empty(&r->used))
        drop(r, LIST_FIRST(&r->used, struct bucket, node));
    map_finish(&r->by_name);
}

int64_t webhook_rate_wait(const struct webhook_rate *r, struct str name, int64_t now)
{
    const struct bucket *b = map_get(&r->by_name, name);
    return b ? ratelimit_wait(&b->limit, now) : 0;
}

static struct bucket *add(struct webhook_rate *r, struct str name, double per_second, double burst, int64_t now)
{
    if (r->by_name.count >= WEBHOOK_RATE_MAX)
        drop(r, LIST_FIRST(&r->used, struct bucket, node));
    struct bucket *b = MEM_NEW(struct bucket);
    b->name = (struct str){mem_dup(name.p, name.n), name.n};
    ratelimit_init(&b->limit, per_second, burst, now);
    list_init(&b->node);
    map_put(&r->by_name, b->name, b);
    return b;
}

void webhook_rate_take(struct webhook_rate *r, struct str name, double per_second, double burst, int64_t now)
{
    struct bucket *b = map_get(&r->by_name, name);
    if (per_second <= 0) {
        if (b)
            drop(r, b);
        return;
    }
    if (!b)
        b = add(r, name, per_second, burst, now);
    b->limit.per_sec = per_second;
    b->limit.burst = burst;
    list_remove(&b->node);
    list_push(&r->used, &b->node);
    (void)ratelimit_take(&b->limit, now);
}
