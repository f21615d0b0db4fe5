/* The life of the hub: made from the configuration and the store, worked, shut down.
 *
 * Happy path: hub_create() -> rows into the core and the adapters -> hub_start() -> hub_work() after every turn in
 * which something came -> hub_shutdown() -> hub_done(). Failures: a wrong configuration is said with its place, and
 * nothing is started; a row that does not fit is skipped and logged, but for a granted rule, which is said as a wrong
 * configuration is; an adapter or a link that fails is a state of that adapter or link. */
#include "app/hub_private.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>

enum {
    WORK_MAX = 4096,          // events of one hub_work(): the loop gets its turn
    OUTPUT_HIGH = 512 * 1024, // bytes of a link's output beyond which its adapters wait
    STOP_MS = 2000,           // at the end: for servers that read slowly
};

bool hub_serves(const struct hub *h, struct str domain)
{
    for (size_t i = 0; i < h->link_count; i++) {
        if (str_eq_c(domain, h->links[i].domain))
            return true;
    }
    return false;
}

struct hub_link *hub_link_at(struct hub *h, uint16_t number)
{
    return number >= 1 && number <= h->link_count ? &h->links[number - 1] : NULL;
}

struct hub_adapter *hub_adapter_at(struct hub *h, uint16_t number)
{
    struct hub_adapter *a = number >= 1 && number <= h->adapter_count ? h->adapters[number - 1] : NULL;
    return a && a->adapter && !a->closing ? a : NULL;
}

struct hub_adapter *hub_adapter_named(struct hub *h, struct str name)
{
    for (size_t i = 0; i < h->adapter_count; i++) { // the slot of one that has left may bear the same name
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        if (a && str_eq_c(name, a->name))
            return a;
    }
    return NULL;
}

static enum err make_links(struct hub *h, const struct conf_value *config)
{
    const struct conf_value *components = conf_get(config, "components");
    h->links = mem_zalloc(conf_count(components), sizeof *h->links);
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(components, &at));) {
        enum err e = hub_link_init(&h->links[h->link_count], h, c, (uint16_t)(h->link_count + 1));
        if (e)
            return e;
        h->link_count++;
    }
    return ERR_OK;
}

static enum err make_adapters(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *adapters = conf_get(config, "adapters");
    h->adapters = mem_zalloc(conf_count(adapters) + 1, sizeof *h->adapters);
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(adapters, &at));) {
        struct hub_adapter *a = hub_adapter_create(h, config, c, (uint16_t)(h->adapter_count + 1), report);
        if (!a)
            return ERR_CONF;
        h->adapters[h->adapter_count++] = a;
    }
    return ERR_OK;
}

static enum err make_bridge(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    struct arena a;
    arena_init(&a, 0);
    struct bridge_config cfg;
    hub_bridge_config(h, config, &a, &cfg);
    record_config(h->record, &cfg, true);
    struct errmsg msg;
    enum err e = bridge_create(&cfg, &h->bridge, &msg);
    if (e)
        conf_fail(report, config, "%s", msg.text);
    arena_finish(&a);
    return e;
}

static void restore_state(struct hub *h, const struct row *row)
{
    struct hub_adapter *a = hub_adapter_named(h, row->adapter);
    if (a && a->ops->restore)
        a->ops->restore(a->adapter, row->key, row->text);
}

static enum err load_row(void *ud, const struct row *row)
{
    struct hub *h = ud;
    if (hub_retention_row(h, row))
        return ERR_OK;
    if (row->kind == ROW_STATE) {
        restore_state(h, row);
        return ERR_OK;
    }
    record_row(h->record, row);
    enum err e = bridge_restore(h->bridge, row);
    if (e == ERR_NOTFOUND) {
        struct row gone = *row;
        gone.gone = true;
        store_put(h->store, &gone);
    }
    if (e) {
        log_warn(&h->log, e == ERR_NOTFOUND ? LOG_MSG("a stored row was dropped") : LOG_MSG("a stored row was skipped"),
                 LOG_ERR(e), LOG_INT("kind", row->kind), LOG_S("local", row->local), LOG_S("user", row->user));
        return ERR_OK;
    }
    struct hub_adapter *a = row->kind == ROW_IDENTITY ? hub_adapter_named(h, row->adapter) : NULL;
    if (a && a->ops->known)
        a->ops->known(a->adapter, row->key, row->quarantined);
    return ERR_OK;
}

struct loading {
    struct hub *hub;
    const struct conf_value *config;
    struct conf_report *report;
};

// A granted rule that cannot be in force stops the start, as it stops a reload: without it more might be allowed than
// was, and who has lost a right for one start has lost his subscriptions.
static enum err check_row(void *ud, const struct row *row)
{
    struct loading *l = ud;
    struct errmsg msg;
    if (row->kind != ROW_ACCESS || !bridge_check_rule(l->hub->bridge, row->text, &msg))
        return load_row(l->hub, row);
    conf_fail(l->report, l->config,
              "rule %" PRIu64 ", which was granted, cannot be in force: %s; start with what it names in the "
              "configuration, then it can be revoked",
              row->number, msg.text);
    return ERR_CONF;
}

static enum err build(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    if (make_links(h, config) || make_adapters(h, config, report) || make_bridge(h, config, report))
        return ERR_CONF;
    hub_take_admins(h, config);
    struct loading l = {h, config, report};
    enum err e = store_load(h->store, check_row, &l);
    if (e && !conf_errors(report))
        conf_fail(report, conf_get(config, "state"), "the database cannot be read: %s", store_load_why(h->store));
    if (!e)
        hub_retention_follow(h, config);
    return e;
}

struct hub *hub_create(const struct conf_value *config, struct store *store, const struct hub_host *host, void *ud,
                       struct record *record, struct conf_report *report)
{
    struct hub *h = MEM_NEW(struct hub);
    h->host = host;
    h->ud = ud;
    h->store = store;
    h->record = record;
    h->config = config;
    h->log = (struct log_ctx){.sub = LOG_SUB_app};
    h->started = host->wall(ud);
    uint64_t seed = 0;
    if (host->loop(ud))
        rng_bytes(&seed, sizeof seed);
    rng_init(&h->rng, seed);
    arena_init(&h->step, 65536);
    pictures_init(&h->pictures);
    arena_init(&h->scratch, 16384);
    arena_init(&h->sending, 4096);
    arena_init(&h->listing, 1024);
    queue_init(&h->operations);
    if (build(h, config, report)) {
        hub_destroy(h);
        return NULL;
    }
    return h;
}

// Adapters that never were started, or have closed: what is left of them is freed. An adapter of a hub that could not
// be built is closed here.
static void drop_adapters(struct hub *h)
{
    for (size_t i = 0; i < h->adapter_count; i++) {
        hub_adapter_close(h->adapters[i]);
        hub_adapter_destroy(h->adapters[i]);
    }
    mem_free(h->adapters);
}

void hub_destroy(struct hub *h)
{
    if (!h)
        return;
    drop_adapters(h);
    for (size_t i = 0; i < h->link_count; i++)
        hub_link_finish(&h->links[i]);
    mem_free(h->links);
    bridge_destroy(h->bridge);
    hub_take_admins(h, NULL);
    queue_finish(&h->operations);
    mem_free(h->gates);
    hub_retention_finish(h);
    arena_finish(&h->step);
    pictures_finish(&h->pictures);
    arena_finish(&h->scratch);
    arena_finish(&h->sending);
    arena_finish(&h->listing);
    mem_free(h);
}

static bool blocked(const struct hub_link *l)
{
    return component_state(l->component) == COMPONENT_UP &&
           (l->congested || component_output(l->component)->n > OUTPUT_HIGH);
}

// The output is more than one turn is to carry: it leaves at the end of this one, and then there is room again.
static bool any_full(const struct hub *h)
{
    for (size_t i = 0; i < h->link_count; i++) {
        if (blocked(&h->links[i]) && !h->links[i].congested)
            return true;
    }
    return false;
}

// Tells the core when a link's output fills, and when it has drained.
static void tell_congestion(struct hub *h)
{
    for (size_t i = 0; i < h->link_count; i++) {
        struct hub_link *l = &h->links[i];
        bool full = blocked(l);
        if (full == l->held)
            continue;
        l->held = full;
        hub_step(h, &(struct event){.kind = full ? EV_CONGESTED : EV_DRAINED, .component = l->number});
    }
}

static size_t work_posts(struct hub *h, struct hub_link *l, size_t budget)
{
    size_t done = 0;
    while (done < budget && !blocked(l)) {
        struct event *ev = queue_pop(&l->posts);
        if (!ev)
            break;
        hub_step(h, ev);
        done++;
    }
    return done;
}

// Even where the link is congested: this is for the disk.
void hub_flush(struct hub *h, struct hub_adapter *a)
{
    if (!a->ops->flush || !a->adapter || a->closing)
        return;
    a->ops->flush(a->adapter);
    for (struct event *ev; (ev = queue_pop(&a->link->posts));)
        hub_step(h, ev);
}

// What the adapters have restored is known before a link comes up and tells it: else what is there would first be said
// to be gone.
void hub_start(struct hub *h)
{
    for (size_t i = 0; i < h->adapter_count; i++)
        h->adapters[i]->ops->start(h->adapters[i]->adapter);
    for (size_t i = 0; i < h->link_count; i++) {
        (void)work_posts(h, &h->links[i], SIZE_MAX);
        component_start(h->links[i].component, h->host->now(h->ud));
    }
    h->host->changed(h->ud);
}

// Once a turn: what is dropped in this one, too, waits for the output to leave.
static void heal(struct hub *h)
{
    for (size_t i = 0; i < h->link_count; i++) {
        struct hub_link *l = &h->links[i];
        if (!l->resync || blocked(l) || component_state(l->component) != COMPONENT_UP)
            continue;
        l->resync = false;
        hub_step(h, &(struct event){.kind = EV_LINK_UP, .component = l->number});
    }
}

// Once for each time that it begins and ends; the log has its lines from the store.
static void tell_store(struct hub *h)
{
    struct store_stat s;
    store_stat(h->store, &s);
    if (s.failing == h->unstored || !h->link_count)
        return;
    h->unstored = s.failing;
    struct str text = STR("The database can be written again.");
    if (s.failing)
        text = arena_printf(&h->scratch,
                            "The database cannot be written: " STR_FMT ". Nothing more is acknowledged until it can.",
                            STR_ARG(s.error));
    hub_notice(&h->links[0], LOG_DEBUG, text);
    arena_reset(&h->scratch);
}

static bool tick(struct hub *h)
{
    if (!h->more && bridge_deadline(h->bridge) > h->host->now(h->ud))
        return false;
    h->more = false;
    hub_step(h, &(struct event){.kind = EV_TICK});
    return true;
}

// What an adapter would post on its own waits as well: else it would pile up here.
static bool may_wake(const struct hub_adapter *a)
{
    return !a->link->held || queue_empty(&a->link->posts);
}

static void wake_adapters(struct hub *h)
{
    int64_t now = h->host->now(h->ud);
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        if (a && a->wake <= now && may_wake(a)) {
            a->wake = INT64_MAX;
            a->ops->wake(a->adapter);
        }
    }
}

static size_t work_links(struct hub *h)
{
    size_t done = 0;
    for (size_t i = 0; i < h->link_count; i++)
        done += work_posts(h, &h->links[i], 256);
    return done;
}

void hub_abandon(struct hub *h)
{
    for (size_t i = 0; i < h->adapter_count; i++)
        hub_adapter_close(h->adapters[i]);
}

static void leave(struct hub *h)
{
    h->leaving = true;
    for (size_t i = 0; i < h->adapter_count; i++)
        hub_flush(h, h->adapters[i]);
    hub_abandon(h);
}

// Each link when it has said all, or its time is over: a server that does not read keeps nothing from the others.
static void leave_links(struct hub *h)
{
    int64_t now = h->host->now(h->ud);
    bool all = true;
    for (size_t i = 0; i < h->link_count; i++) {
        struct hub_link *l = &h->links[i];
        if (!l->left && (now >= h->stop_by || bridge_stopped(h->bridge, l->number))) {
            l->left = true;
            hub_link_closed(l); // from now on nothing goes out any more
            component_shutdown(l->component, now);
        }
        all = all && l->left;
    }
    if (all)
        leave(h);
}

static void work_requests(struct hub *h)
{
    for (size_t i = 0; i < h->link_count; i++) {
        gateway_tick(h->links[i].gateway, h->host->now(h->ud));
        uploads_work(h->links[i].uploads);
    }
}

void hub_work(struct hub *h)
{
    tell_store(h);
    hub_release_gates(h);
    hub_take_loaded(h);
    work_requests(h);
    tell_congestion(h);
    wake_adapters(h);
    heal(h);
    hub_retention_work(h);
    size_t done = 0;
    for (bool busy = true; busy && done < WORK_MAX;) {
        size_t n = work_links(h);
        hub_run_operations(h);
        tell_congestion(h);
        busy = tick(h) || n > 0;
        done += n + 1;
    }
    if (done >= WORK_MAX || any_full(h))
        h->host->changed(h->ud);
    if (h->stopping && !h->leaving && !h->more)
        leave_links(h);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t hub_deadline(const struct hub *h)
{
    int64_t at = earlier(bridge_deadline(h->bridge), hub_retention_deadline(h));
    for (size_t i = 0; i < h->link_count; i++)
        at = earlier(at, earlier(gateway_deadline(h->links[i].gateway), uploads_deadline(h->links[i].uploads)));
    if (h->stopping && !h->leaving && h->stop_by < at)
        at = h->stop_by;
    for (size_t i = 0; i < h->adapter_count; i++) {
        if (h->adapters[i]->adapter && h->adapters[i]->wake < at && may_wake(h->adapters[i]))
            at = h->adapters[i]->wake;
    }
    return at;
}

void hub_shutdown(struct hub *h)
{
    if (h->stopping)
        return;
    h->stopping = true;
    h->stop_by = h->host->now(h->ud) + STOP_MS;
    hub_step(h, &(struct event){.kind = EV_SHUTDOWN});
    h->host->changed(h->ud);
}

bool hub_adapters_closed(const struct hub *h)
{
    for (size_t i = 0; i < h->adapter_count; i++) {
        if (h->adapters[i]->adapter)
            return false;
    }
    return true;
}

bool hub_done(const struct hub *h)
{
    if (!h->leaving || !hub_adapters_closed(h))
        return false;
    for (size_t i = 0; i < h->link_count; i++) {
        if (component_state(h->links[i].component) != COMPONENT_IDLE)
            return false;
    }
    return true;
}

size_t hub_component_count(const struct hub *h)
{
    return h->link_count;
}

struct component *hub_component(struct hub *h, size_t at)
{
    return h->links[at].component;
}

const struct conf_value *hub_component_config(const struct hub *h, size_t at)
{
    return hub_section(conf_get(h->config, "components"), h->links[at].name);
}

void hub_component_congested(struct hub *h, size_t at, bool congested)
{
    h->links[at].congested = congested;
    if (!congested)
        h->host->changed(h->ud);
}
