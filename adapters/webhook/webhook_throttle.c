#include "adapters/webhook/webhook_throttle.h"

#include "base/list.h"
#include "base/map.h"
#include "base/ratelimit.h"

_Static_assert(sizeof(struct net_ip) == 17, "net_ip has padding");

struct source {
    struct list_node node; // in throttle.order
    struct net_ip ip;      // an IPv6 address without its last 64 bits
    struct ratelimit bucket;
};

struct webhook_throttle {
    double per_second, burst;
    struct map sources;     // of struct source, by their ip
    struct list_node order; // the one that failed longest ago first
    struct source *pool;    // owned
    size_t used, max;
};

struct webhook_throttle *webhook_throttle_create(size_t sources, double per_minute, double burst)
{
    struct webhook_throttle *t = MEM_NEW(struct webhook_throttle);
    t->per_second = per_minute / 60;
    t->burst = burst;
    t->max = sources;
    t->pool = mem_zalloc(sources, sizeof *t->pool);
    map_init(&t->sources);
    list_init(&t->order);
    return t;
}

void webhook_throttle_destroy(struct webhook_throttle *t)
{
    if (!t)
        return;
    map_finish(&t->sources);
    mem_free(t->pool);
    mem_free(t);
}

// What is counted as one source.
static struct net_ip of(const struct net_ip *ip)
{
    struct net_ip block = ip->known ? *ip : (struct net_ip){.known = false};
    if (ip->known && !net_ip_is4(ip))
        memset(block.b + 8, 0, 8);
    return block;
}

static struct str key(const struct net_ip *ip)
{
    return (struct str){(const char *)ip, sizeof *ip}; // bytes alone, so without padding
}

int64_t webhook_throttle_wait(const struct webhook_throttle *t, const struct net_ip *source, int64_t now)
{
    const struct net_ip block = of(source);
    const struct source *s = map_get(&t->sources, key(&block));
    int64_t ms = s ? ratelimit_wait(&s->bucket, now) : 0;
    // ratelimit_wait() says one more than it takes.
    return ms > 1 ? (ms - 1 + 999) / 1000 : ms;
}

static struct source *take(struct webhook_throttle *t, const struct net_ip *block, int64_t now)
{
    struct source *s = map_get(&t->sources, key(block));
    if (s) {
        list_remove(&s->node);
        return s;
    }
    if (t->used < t->max) {
        s = &t->pool[t->used++];
    } else {
        s = LIST_FIRST(&t->order, struct source, node);
        list_remove(&s->node);
        map_remove(&t->sources, key(&s->ip));
    }
    s->ip = *block;
    ratelimit_init(&s->bucket, t->per_second, t->burst, now);
    map_put(&t->sources, key(&s->ip), s);
    return s;
}

void webhook_throttle_failed(struct webhook_throttle *t, const struct net_ip *source, int64_t now)
{
    const struct net_ip block = of(source);
    struct source *s = take(t, &block, now);
    list_push(&t->order, &s->node);
    (void)ratelimit_take(&s->bucket, now);
}

size_t webhook_throttle_count(const struct webhook_throttle *t)
{
    return t->sources.count;
}
