/* What a million identities cost the core: bytes beyond the names, restore, look-up, presence. Prints one line a
 * measure; fails when a budget is passed.
 *
 *     bench_core [identities] */
#include "core/bridge.h"

#include <stdio.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct bridge *make_bridge(void)
{
    static const struct bridge_component component = {{"gw.example", 10}, {"Gateway", 7}};
    static const struct bridge_adapter adapter = {{"home", 4}, 1, false};
    static const struct str rules[] = {{"allow see read send to @family on home", 38},
                                       {"allow register to @family", 25}};
    static const struct str group = {"family=alice@example.org", 24};
    static const struct bridge_config cfg = {&component, 1, &adapter, 1, rules, 2, &group, 1, 1};
    struct bridge *b;
    struct errmsg msg;
    if (bridge_create(&cfg, &b, &msg))
        return NULL;
    return b;
}

static struct str numbered(char *buf, size_t size, const char *prefix, unsigned n)
{
    int len = snprintf(buf, size, "%s%07u", prefix, n);
    return (struct str){buf, len > 0 ? (size_t)len : 0};
}

struct bench {
    struct bridge *b;
    unsigned count;
    size_t names; // bytes of the strings that were given
    bool over;
    struct arena arena;
};

static void report(struct bench *x, const char *what, double value, const char *unit, double budget)
{
    bool over = value > budget;
    printf("%-34s %10.3f %-10s (budget %.3f)%s\n", what, value, unit, budget, over ? "  OVER" : "");
    x->over = x->over || over;
}

enum { BATCH = 1000 }; // rows made before they are handed over, so that making them is not measured

struct text {
    char local[32], key[48], name[48];
};

static void make_row(struct bench *x, struct text *t, unsigned n, struct row *row)
{
    *row = (struct row){.kind = ROW_IDENTITY,
                        .domain = STR("gw.example"),
                        .adapter = STR("home"),
                        .local = numbered(t->local, sizeof t->local, "device-", n),
                        .key = numbered(t->key, sizeof t->key, "zigbee2mqtt/0x00158d", n),
                        .name = numbered(t->name, sizeof t->name, "Living room lamp ", n),
                        .cls = STR("light"),
                        .group = STR("living room")};
    x->names += row->local.n + row->key.n + row->name.n + row->cls.n + row->group.n;
}

static void restore(struct bench *x)
{
    static struct row rows[BATCH];
    static struct text texts[BATCH];
    double spent = 0;
    for (unsigned done = 0, n; done < x->count; done += n) {
        n = x->count - done < BATCH ? x->count - done : BATCH;
        for (unsigned i = 0; i < n; i++)
            make_row(x, &texts[i], done + i, &rows[i]);
        double from = cpu_seconds();
        for (unsigned i = 0; i < n; i++)
            x->over = bridge_restore(x->b, &rows[i]) != ERR_OK || x->over;
        spent += cpu_seconds() - from;
    }
    report(x, "restore", spent / x->count * 1e6, "s/10^6", 1.0);
}

static void memory(struct bench *x)
{
    struct bridge_stat s;
    bridge_stat(x->b, &s);
    report(x, "bytes beyond the names", ((double)s.bytes - (double)x->names) / x->count, "B", 160);
}

static void find(struct bench *x)
{
    enum { FINDS = 1000000 };
    struct jid user = {STR("alice"), STR("example.org"), STR("phone")};
    size_t found = 0;
    double from = cpu_seconds();
    for (unsigned i = 0; i < FINDS; i++) {
        char local[32];
        unsigned n = (unsigned)((uint64_t)i * 2654435761u % x->count);
        struct jid to = {numbered(local, sizeof local, "device-", n), STR("gw.example"), STR_NONE};
        struct identity_view v;
        found += bridge_find(x->b, &user, &to, &v) == ERR_OK;
    }
    report(x, "find (with its formatting)", (cpu_seconds() - from) / FINDS * 1e6, "us", 1.0);
    x->over = x->over || found != FINDS;
}

static size_t step(struct bench *x, const struct event *ev)
{
    struct effects out;
    arena_reset(&x->arena);
    effects_init(&out, &x->arena);
    bridge_step(x->b, ev, &out);
    return out.count;
}

static unsigned some(const struct bench *x)
{
    return x->count < 100000 ? x->count : 100000;
}

static void subscribe(struct bench *x)
{
    step(x, &(struct event){.kind = EV_LINK_UP, .component = 1});
    double from = cpu_seconds();
    for (unsigned i = 0; i < some(x); i++) {
        char local[32];
        struct event ev = {.kind = EV_SUBSCRIBE, .component = 1, .user = {STR("alice"), STR("example.org"), STR_NONE}};
        ev.to = (struct jid){numbered(local, sizeof local, "device-", i), STR("gw.example"), STR_NONE};
        step(x, &ev);
    }
    report(x, "subscribe", (cpu_seconds() - from) / some(x) * 1e6, "us", 3.0);
}

static void presence(struct bench *x)
{
    size_t sent = 0;
    double from = cpu_seconds();
    for (unsigned i = 0; i < some(x); i++) {
        char key[48];
        struct event ev = {.kind = EV_AVAILABLE, .adapter = 1, .show = SHOW_ONLINE, .body = STR("21.4 C, 48 %")};
        ev.key = numbered(key, sizeof key, "zigbee2mqtt/0x00158d", i);
        sent += step(x, &ev);
    }
    report(x, "presence change, 1 subscriber", (cpu_seconds() - from) / some(x) * 1e6, "us", 2.0);
    x->over = x->over || sent != some(x);
}

static void resync(struct bench *x)
{
    double from = cpu_seconds();
    size_t sent = step(x, &(struct event){.kind = EV_LINK_UP, .component = 1});
    for (size_t n = sent; n;)
        sent += n = step(x, &(struct event){.kind = EV_TICK});
    report(x, "resync, a pair", (cpu_seconds() - from) / some(x) * 1e6, "us", 2.0);
    x->over = x->over || sent != some(x);
}

static void own_presence(struct bench *x)
{
    double from = cpu_seconds();
    for (unsigned i = 0; i < some(x); i++) {
        char local[32];
        struct event ev = {.kind = EV_AVAILABLE, .component = 1, .user = {STR("alice"), STR("example.org"), STR("r")}};
        ev.to = (struct jid){numbered(local, sizeof local, "device-", i), STR("gw.example"), STR_NONE};
        step(x, &ev);
    }
    report(x, "a user's own presence, a copy", (cpu_seconds() - from) / some(x) * 1e6, "us", 1.0);
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000;
    if (argc > 1 && (!str_to_u64(str_c(argv[1]), &count) || !count || count > 10000000))
        return 2;
    struct bench x = {.b = make_bridge(), .count = (unsigned)count};
    if (!x.b)
        return 2;
    arena_init(&x.arena, 0);
    restore(&x);
    memory(&x);
    find(&x);
    subscribe(&x);
    presence(&x);
    resync(&x);
    own_presence(&x);
    arena_finish(&x.arena);
    bridge_destroy(x.b);
    return x.over;
}
