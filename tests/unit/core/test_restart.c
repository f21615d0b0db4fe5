/* What is stored is enough: a bridge made anew from the rows of another one shows the same identities, subscriptions,
 * registrations and rules, at whatever step the first one was cut off. */
#include "lib/core_fixture.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>

struct kept { // a row, as a store would keep it
    struct list_node node;
    struct arena arena;
    struct row row;
};

static bool same_key(const struct row *a, const struct row *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ROW_IDENTITY:
        return str_eq(a->domain, b->domain) && str_eq(a->local, b->local) && str_eq(a->scope, b->scope);
    case ROW_SUBSCRIPTION:
        return str_eq(a->user, b->user) && str_eq(a->domain, b->domain) && str_eq(a->local, b->local);
    case ROW_REGISTRATION:
        return str_eq(a->user, b->user) && str_eq(a->domain, b->domain);
    case ROW_ACCESS:
        return a->number == b->number;
    default:
        return str_eq(a->adapter, b->adapter) && str_eq(a->key, b->key);
    }
}

static void drop(struct kept *k)
{
    list_remove(&k->node);
    arena_finish(&k->arena);
    mem_free(k);
}

static void put(struct list_node *rows, const struct row *row)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, rows) {
        struct kept *k = CONTAINER_OF(it, struct kept, node);
        if (same_key(&k->row, row))
            drop(k);
    }
    if (row->gone)
        return;
    struct kept *k = MEM_NEW(struct kept);
    arena_init(&k->arena, 256);
    k->row = *row;
    struct str *const parts[] = {&k->row.domain, &k->row.local, &k->row.scope, &k->row.user,  &k->row.adapter,
                                 &k->row.key,    &k->row.name,  &k->row.cls,   &k->row.group, &k->row.text};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        *parts[i] = arena_dup(&k->arena, *parts[i]);
    list_push(rows, &k->node);
}

static void keep(struct core *c, struct list_node *rows)
{
    for (size_t i = 0; i < c->out.count; i++) {
        if (c->out.v[i].kind == EFFECT_STORE)
            put(rows, c->out.v[i].row);
    }
}

static void step(struct core *c, struct list_node *rows, const struct event *ev)
{
    core_step(c, ev);
    keep(c, rows);
    while (c->out.more) {
        core_step(c, &(struct event){.kind = EV_TICK});
        keep(c, rows);
    }
}

// In the order in which the store hands them out.
static void restore(struct bridge *b, const struct list_node *rows)
{
    static const enum row_kind order[] = {ROW_IDENTITY, ROW_REGISTRATION, ROW_SUBSCRIPTION, ROW_ACCESS};
    for (size_t o = 0; o < sizeof order / sizeof *order; o++) {
        for (const struct list_node *it = rows->next; it != rows; it = it->next) {
            const struct kept *k = (const struct kept *)(const void *)it; // node is the first member
            if (k->row.kind == order[o])
                assert_int_equal(bridge_restore(b, &k->row), ERR_OK);
        }
    }
}

/* Both bridges as sorted lines */

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_identities(const struct bridge *b, struct strbuf *l)
{
    struct identity_view v;
    for (uint32_t at = 0; bridge_next(b, 0, NULL, &at, &v);)
        strbuf_printf(
            l, STR_FMT "@" STR_FMT " scope=" STR_FMT " %u:" STR_FMT " " STR_FMT " " STR_FMT " " STR_FMT " %d %d %u\n",
            STR_ARG(v.local), STR_ARG(v.domain), STR_ARG(v.scope), v.adapter, STR_ARG(v.key), STR_ARG(v.name),
            STR_ARG(v.cls), STR_ARG(v.group), (int)v.kind, v.quarantined, v.subscribers);
}

static void put_rest(const struct bridge *b, struct strbuf *l)
{
    struct subscription_view s;
    for (uint32_t at = 0; bridge_next_subscription(b, NULL, &at, &s);)
        strbuf_printf(l, "sub " STR_FMT " " STR_FMT "@" STR_FMT " %u\n", STR_ARG(s.user), STR_ARG(s.local),
                      STR_ARG(s.domain), s.state);
    static const char *const users[] = {"alice@example.org", "bob@example.org", "carol@example.org"};
    for (uint16_t component = 1; component <= 2; component++) {
        for (size_t u = 0; u < 3; u++) {
            struct jid jid = core_jid(users[u]);
            strbuf_printf(l, "registered %u %s %d\n", component, users[u], bridge_registered(b, component, &jid));
        }
    }
    uint64_t number;
    struct str rule;
    for (size_t at = 0; bridge_next_rule(b, &at, &number, &rule);)
        strbuf_printf(l, "rule %" PRIu64 " " STR_FMT "\n", number, STR_ARG(rule));
}

static void describe(const struct bridge *b, struct strbuf *sorted)
{
    struct strbuf l;
    strbuf_init(&l, 1 << 20);
    put_identities(b, &l);
    put_rest(b, &l);
    size_t n = core_count(l.p, "\n"), i = 0;
    char **lines = mem_zalloc(n, sizeof *lines);
    for (char *at = l.p; i < n; at = strchr(at, '\0') + 1) {
        lines[i++] = at;
        *strchr(at, '\n') = '\0';
    }
    qsort(lines, n, sizeof *lines, compare_lines);
    for (i = 0; i < n; i++)
        strbuf_printf(sorted, "%s\n", lines[i]);
    mem_free(lines);
    strbuf_finish(&l);
}

static void check_restart(const struct core *c, const struct list_node *rows)
{
    struct bridge_config cfg = core_config();
    struct core again;
    core_init_with(&again, &cfg);
    restore(again.b, rows);
    struct strbuf was, is;
    strbuf_init(&was, 1 << 20);
    strbuf_init(&is, 1 << 20);
    describe(c->b, &was);
    describe(again.b, &is);
    assert_string_equal(is.p, was.p);
    strbuf_finish(&was);
    strbuf_finish(&is);
    core_finish(&again);
}

/* What happens meanwhile */

static struct event any_event(struct rng *r)
{
    static const char *const users[] = {"alice@example.org/r", "bob@example.org/r", "carol@example.org/r"},
                             *const keys[] = {"a", "b", "c", "d"},
                             *const jids[] = {"a@gw.example", "b@gw.example", "c@two.example", "gw.example"};
    static const enum event_kind said[] = {EV_SUBSCRIBE, EV_SUBSCRIBE,  EV_UNSUBSCRIBE, EV_SUBSCRIBED, EV_UNSUBSCRIBED,
                                           EV_REGISTER,  EV_UNREGISTER, EV_WITHDRAW,    EV_OFFER};
    struct event ev;
    switch (rng_below(r, 6)) {
    case 0: {
        ev = core_adapter(EV_IDENTITY, (uint16_t)(1 + rng_below(r, 3)), keys[rng_below(r, 4)]);
        ev.wish = ev.name = ev.key;
        ev.cls = rng_below(r, 2) ? STR("light") : STR_NONE;
        ev.group = rng_below(r, 2) ? STR("hall") : STR_NONE;
        ev.flags = rng_below(r, 3) ? 0 : EVENT_QUARANTINE;
        if (rng_below(r, 4) == 0)
            ev.user = core_jid("alice@example.org"); // hers alone
        return ev;
    }
    case 1:
        ev = core_adapter(rng_below(r, 2) ? EV_FORGET : EV_APPROVE, (uint16_t)(1 + rng_below(r, 3)),
                          keys[rng_below(r, 4)]);
        return ev;
    case 2:
        if (rng_below(r, 2))
            return (struct event){.kind = EV_GRANT,
                                  .rule = STR("allow see read send to carol@example.org on home far")};
        return (struct event){.kind = EV_REVOKE, .number = 1 + rng_below(r, 8)};
    default:
        ev = core_user(said[rng_below(r, sizeof said / sizeof *said)], users[rng_below(r, 3)], jids[rng_below(r, 4)]);
        ev.id = STR("i");
        return ev;
    }
}

static void run(uint64_t seed, unsigned steps)
{
    struct bridge_config cfg = core_config();
    struct core c;
    struct list_node rows;
    struct rng r;
    core_init_with(&c, &cfg);
    list_init(&rows);
    rng_init(&r, seed);
    step(&c, &rows, &(struct event){.kind = EV_LINK_UP, .component = 1});
    step(&c, &rows, &(struct event){.kind = EV_LINK_UP, .component = 2});
    for (unsigned i = 0; i < steps; i++) {
        struct event ev = any_event(&r);
        step(&c, &rows, &ev);
        check_restart(&c, &rows);
    }
    while (!list_empty(&rows))
        drop(LIST_FIRST(&rows, struct kept, node));
    core_finish(&c);
}

static void test_restart_after_every_step(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        run(seed, 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_restart_after_every_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
