/* What is kept of adapters that the configuration does not have any more: their contacts, with who subscribes to them,
 * and their state. An adapter may be away by mistake, or for a while, so it is kept; for ever, or as long as
 * `retention.gone_adapters` says. Since when one is gone stands among its rows of state, under a key of its own.
 *
 * Happy path: rows of an adapter that is not there -> its row says since when, or is written -> once an hour: the time
 * is over -> its contacts are forgotten, some a turn, subscribers are told -> its state is dropped. It comes back
 * before: the row goes. */
#include "app/hub_private.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>

static const char gone_key[] = "\x7fgone-since";

enum { LOOK_MS = 3600000, SOME = 64 }; // SOME: contacts of a turn

struct hub_gone {
    char *adapter; // owned
    int64_t since; // wall ms; 0: not yet known
    bool told;
};

static struct hub_gone *find(struct hub *h, struct str adapter)
{
    for (size_t i = 0; i < h->gone_count; i++) {
        if (str_eq_c(adapter, h->gone[i].adapter))
            return &h->gone[i];
    }
    return NULL;
}

static struct hub_gone *take(struct hub *h, struct str adapter)
{
    struct hub_gone *g = find(h, adapter);
    if (g)
        return g;
    h->gone = mem_realloc(h->gone, h->gone_count + 1, sizeof *h->gone);
    g = &h->gone[h->gone_count++];
    *g = (struct hub_gone){.adapter = mem_dup(adapter.p, adapter.n)};
    return g;
}

static void drop(struct hub *h, struct hub_gone *g)
{
    mem_free(g->adapter);
    *g = h->gone[--h->gone_count];
}

void hub_retention_finish(struct hub *h)
{
    while (h->gone_count)
        drop(h, h->gone);
    mem_free(h->gone);
}

static void put_since(struct hub *h, const struct hub_gone *g, bool gone)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRId64, g->since);
    store_put(h->store, &(struct row){.kind = ROW_STATE,
                                      .gone = gone,
                                      .adapter = str_c(g->adapter),
                                      .key = str_c(gone_key),
                                      .text = {text, (size_t)n}});
}

bool hub_retention_row(struct hub *h, const struct row *row)
{
    bool ours = row->kind == ROW_STATE && str_eq_c(row->key, gone_key);
    bool adapters = row->kind == ROW_IDENTITY || row->kind == ROW_STATE;
    if (!adapters || (!ours && hub_adapter_named(h, row->adapter)))
        return false;
    struct hub_gone *g = take(h, row->adapter);
    if (ours && !str_to_i64(row->text, &g->since))
        g->since = 0;
    return ours;
}

static size_t contacts_of(struct hub *h, const struct hub_gone *g)
{
    size_t n = 0;
    struct identity_view id;
    for (uint32_t at = 0; bridge_next(h->bridge, 0, NULL, &at, &id);)
        n += str_eq_c(id.resource, g->adapter);
    return n;
}

static void tell(struct hub *h, struct hub_gone *g)
{
    if (g->told)
        return;
    g->told = true;
    if (h->retention)
        log_warn(&h->log, LOG_MSG("an adapter is not in the configuration: what is kept of it goes after a while"),
                 LOG_C("adapter", g->adapter), LOG_INT("contacts", contacts_of(h, g)),
                 LOG_INT("hours", (g->since + h->retention - h->host->wall(h->ud)) / 3600000));
    else
        log_info(&h->log, LOG_MSG("an adapter is not in the configuration: what is kept of it stays"),
                 LOG_C("adapter", g->adapter), LOG_INT("contacts", contacts_of(h, g)));
}

// Who has left since, or come back.
static void follow(struct hub *h)
{
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct str name = str_c(h->adapters[i]->name);
        struct hub_gone *g = hub_adapter_named(h, name) || find(h, name) ? NULL : take(h, name);
        if (g && !contacts_of(h, g))
            drop(h, g);
    }
    for (size_t i = h->gone_count; i-- > 0;) {
        struct hub_gone *g = &h->gone[i];
        if (!hub_adapter_named(h, str_c(g->adapter)))
            continue;
        put_since(h, g, true);
        drop(h, g);
    }
}

void hub_retention_follow(struct hub *h, const struct conf_value *config)
{
    h->retention = conf_int(conf_get(conf_get(config, "retention"), "gone_adapters"));
    follow(h);
    for (size_t i = 0; i < h->gone_count; i++) {
        struct hub_gone *g = &h->gone[i];
        if (g->since <= 0 || g->since > h->host->wall(h->ud)) { // a clock that was wrong ends nothing early
            g->since = h->host->wall(h->ud);
            put_since(h, g, false);
        }
        tell(h, g);
    }
    h->retention_at = h->host->now(h->ud);
}

// Some of its contacts; true when there are no more.
static bool forget_some(struct hub *h, const struct hub_gone *g)
{
    struct arena a;
    struct identity_view id;
    size_t n = 0;
    arena_init(&a, 1024);
    for (uint32_t at = 0; n < SOME && bridge_next(h->bridge, 0, NULL, &at, &id);) {
        if (!str_eq_c(id.resource, g->adapter))
            continue;
        struct event ev = {.kind = EV_FORGET, .component = id.component};
        ev.to = (struct jid){arena_dup(&a, id.local), arena_dup(&a, id.domain), STR_NONE};
        hub_step(h, &ev);
        n++;
    }
    arena_finish(&a);
    return n < SOME;
}

struct dropping {
    struct row *rows; // owned, with their strings in the arena
    size_t count;
    struct arena arena;
};

static enum err collect(void *ud, const struct row *row)
{
    struct dropping *d = ud;
    d->rows = mem_realloc(d->rows, d->count + 1, sizeof *d->rows);
    d->rows[d->count++] = (struct row){.kind = ROW_STATE,
                                       .gone = true,
                                       .adapter = arena_dup(&d->arena, row->adapter),
                                       .key = arena_dup(&d->arena, row->key)};
    return ERR_OK;
}

// The row that says since when goes with the others. False when they cannot be read: it is tried again.
static bool drop_state(struct hub *h, const struct hub_gone *g)
{
    struct dropping d = {.rows = NULL};
    arena_init(&d.arena, 1024);
    bool read = !store_load_state(h->store, str_c(g->adapter), collect, &d);
    for (size_t i = 0; i < d.count && read; i++)
        store_put(h->store, &d.rows[i]);
    mem_free(d.rows);
    arena_finish(&d.arena);
    return read;
}

// False when there is more to do in the next turn.
static bool end_one(struct hub *h, struct hub_gone *g)
{
    if (!forget_some(h, g))
        return false;
    if (!drop_state(h, g))
        return true;
    log_info(&h->log, LOG_MSG("what was kept of an adapter that is gone was removed"), LOG_C("adapter", g->adapter));
    store_scrub(h->store);
    drop(h, g);
    return true;
}

void hub_retention_work(struct hub *h)
{
    int64_t now = h->host->now(h->ud), wall = h->host->wall(h->ud);
    if (!h->retention || !h->gone_count || now < h->retention_at || h->stopping)
        return;
    h->retention_at = now + LOOK_MS;
    for (size_t i = h->gone_count; i-- > 0;) {
        if (wall - h->gone[i].since >= h->retention && !end_one(h, &h->gone[i]))
            h->retention_at = now + 1;
    }
}

int64_t hub_retention_deadline(const struct hub *h)
{
    return h->retention && h->gone_count && !h->stopping ? h->retention_at : INT64_MAX;
}
