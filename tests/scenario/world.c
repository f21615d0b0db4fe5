#include "scenario/world.h"

#include "app/app_conf.h"
#include "base/mem.h"
#include "lib/xml_canon.h"
#include "scenario/broker.h"
#include "scenario/clients.h"
#include "scenario/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEN = 4096, SERVERS = 4 };

static const int64_t world_began = INT64_C(1795000000000); // 2026-11-18T10:26:40Z

struct world {
    const char *name;
    struct conf_value *config;
    struct store *store;
    struct record *record;
    struct hub *hub;
    struct broker *broker;
    struct clients *clients;
    struct server servers[SERVERS];
    size_t server_count;
    char *seen[SEEN];
    size_t seen_count;
    int64_t now;
    int64_t shift; // of the wall clock
    bool changed, hold_commits, commit_late;
};

static struct world *the_world; // for the links to the broker, which know nothing of it

struct broker *world_broker(void)
{
    return the_world->broker;
}

/* The hub's host */

static int64_t host_now(void *ud)
{
    struct world *w = ud;
    return w->now;
}

static int64_t host_wall(void *ud)
{
    struct world *w = ud;
    return world_began + w->now + w->shift;
}

static struct loop *host_loop(void *ud)
{
    (void)ud;
    return NULL;
}

static struct http *host_http(void *ud)
{
    (void)ud;
    return NULL;
}

static void host_changed(void *ud)
{
    struct world *w = ud;
    w->changed = true;
}

static const struct hub_host host = {host_now, host_wall, host_loop, host_http, host_changed, NULL};

/* The servers */

static void hear(void *ud, const struct xml_node *n)
{
    struct world *w = ud;
    clients_told(w->clients, n);
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    canon_node(&text, n, STR("jabber:component:accept"));
    assert(w->seen_count < SEEN);
    w->seen[w->seen_count++] = text.p;
}

static bool meant(const struct server *s, struct str domain)
{
    return str_empty(domain) || str_eq_c(domain, s->domain);
}

// Who is still waiting may wait for ever.
static void cut(struct world *w, struct str domain)
{
    clients_excuse(w->clients);
    for (size_t i = 0; i < w->server_count; i++) {
        if (meant(&w->servers[i], domain))
            server_cut(&w->servers[i], w->now);
    }
}

void world_xmpp_accept(struct world *w, struct str domain, bool accept)
{
    for (size_t i = 0; i < w->server_count; i++) {
        if (meant(&w->servers[i], domain))
            w->servers[i].accept = accept;
    }
    if (!accept)
        cut(w, domain);
    world_settle(w);
}

void world_xmpp_cut(struct world *w, struct str domain)
{
    cut(w, domain);
    world_settle(w);
}

static struct str domain_of(struct str jid)
{
    ptrdiff_t at = str_find(jid, '@');
    struct str domain = at < 0 ? jid : str_sub(jid, (size_t)at + 1, jid.n);
    ptrdiff_t slash = str_find(domain, '/');
    return slash < 0 ? domain : str_sub(domain, 0, (size_t)slash);
}

struct sending {
    struct world *world;
    struct server *server; // for a domain that is nobody's the first: some servers do that
};

static void address(void *ud, const struct xml_node *n)
{
    struct sending *s = ud;
    struct world *w = s->world;
    for (size_t i = 0; i < w->server_count; i++) {
        if (!str_eq_c(domain_of(xml_attr(n, "to")), w->servers[i].domain))
            continue;
        s->server = &w->servers[i];
        if (s->server->open)
            clients_asked(w->clients, n);
    }
}

static void ignore_node(void *ud, const struct xml_node *n)
{
    (void)ud;
    (void)n;
}

static void ignore(void *ud)
{
    (void)ud;
}

void world_xmpp_send(struct world *w, struct str xml)
{
    static const struct xml_reader_events events = {ignore_node, address, ignore_node, ignore};
    struct sending s = {w, &w->servers[0]};
    struct xml_reader *r = xml_reader_create(&(struct xml_limits){0}, &events, &s);
    if (xml_reader_feed(r, STR(CANON_HEADER), NULL) || xml_reader_feed(r, xml, NULL)) {
        fprintf(stderr, "no stanza: " STR_FMT "\n", STR_ARG(xml));
        abort();
    }
    xml_reader_destroy(r);
    server_say(s.server, xml, w->now);
    world_settle(w);
}

char *world_xmpp_take(struct world *w, const char *pattern)
{
    for (size_t i = 0; i < w->seen_count; i++) {
        char *stanza = w->seen[i];
        if (!canon_match(pattern, stanza))
            continue;
        memmove(&w->seen[i], &w->seen[i + 1], (--w->seen_count - i) * sizeof *w->seen);
        return stanza;
    }
    return NULL;
}

size_t world_xmpp_count(const struct world *w)
{
    return w->seen_count;
}

const char *world_xmpp_at(const struct world *w, size_t at)
{
    return w->seen[at];
}

void world_xmpp_forget(struct world *w)
{
    for (size_t i = 0; i < w->seen_count; i++)
        mem_free(w->seen[i]);
    w->seen_count = 0;
}

void world_xmpp_deaf(struct world *w, bool deaf)
{
    for (size_t i = 0; i < w->server_count; i++) {
        w->servers[i].deaf = deaf;
        hub_component_congested(w->hub, i, deaf);
    }
    world_settle(w);
}

void world_xmpp_lose(struct world *w, bool lose)
{
    for (size_t i = 0; i < w->server_count; i++)
        w->servers[i].losing = lose;
}

void world_xmpp_full(struct world *w, bool full)
{
    for (size_t i = 0; i < w->server_count; i++)
        server_fill(&w->servers[i], full);
    w->changed = true;
    world_settle(w);
}

void world_mqtt_up(struct world *w, bool up)
{
    broker_up(w->broker, up);
    world_settle(w);
}

/* Time */

static void commit(struct world *w)
{
    if (store_flush(w->store))
        abort();
    w->changed = true;
}

void world_hold_commits(struct world *w, bool hold)
{
    w->hold_commits = hold;
    world_settle(w);
}

void world_commit_late(struct world *w)
{
    w->commit_late = true;
}

static bool commit_if_due(struct world *w)
{
    if (w->hold_commits || w->commit_late || store_committed(w->store) >= store_batch(w->store))
        return false;
    commit(w);
    return true;
}

void world_settle(struct world *w)
{
    for (bool busy = true; busy;) {
        busy = w->changed;
        w->changed = false;
        hub_work(w->hub);
        for (size_t i = 0; i < w->server_count; i++)
            busy |= server_work(&w->servers[i], w->now);
        busy |= broker_work(w->broker);
        busy |= commit_if_due(w);
    }
}

static int64_t next_deadline(const struct world *w)
{
    int64_t at = hub_deadline(w->hub);
    for (size_t i = 0; i < w->server_count; i++) {
        int64_t component = component_deadline(w->servers[i].component);
        at = component < at ? component : at;
    }
    return at;
}

static void tick(struct world *w)
{
    for (size_t i = 0; i < w->server_count; i++)
        component_tick(w->servers[i].component, w->now);
    world_settle(w);
}

void world_pass(struct world *w, int64_t ms)
{
    int64_t target = w->now + ms;
    for (int64_t at; (at = next_deadline(w)) <= target;) {
        w->now = at > w->now ? at : w->now + 1;
        tick(w);
    }
    w->now = target > w->now ? target : w->now;
    tick(w);
}

void world_jump(struct world *w, int64_t late, int64_t shift)
{
    w->now += late;
    w->shift += shift;
    tick(w);
}

/* Life */

static bool start_hub(struct world *w)
{
    struct conf_report *report = conf_report_create();
    w->hub = hub_create(w->config, w->store, &host, w, w->record, report);
    struct str text = conf_report_text(report);
    fprintf(stderr, STR_FMT, STR_ARG(text));
    conf_report_destroy(report);
    if (!w->hub)
        return false;
    assert(hub_component_count(w->hub) <= SERVERS);
    for (; w->server_count < hub_component_count(w->hub); w->server_count++)
        server_init(&w->servers[w->server_count], hear, w);
    for (size_t i = 0; i < w->server_count; i++)
        w->servers[i].component = hub_component(w->hub, i);
    hub_start(w->hub);
    world_settle(w);
    return true;
}

static struct conf_value *read_config(const struct world *w, const char *text, struct conf_report *report)
{
    struct conf_value *config = conf_parse(str_c(text), w->name, app_schema, report);
    if (config)
        app_conf_check(config, report);
    if (!conf_errors(report))
        return config;
    conf_destroy(config);
    return NULL;
}

struct world *world_create(const char *config, const char *name, struct record *record)
{
    struct world *w = MEM_NEW(struct world);
    the_world = w;
    w->name = name;
    w->now = 1000;
    w->record = record;
    w->broker = broker_create();
    w->clients = clients_create();
    struct conf_report *report = conf_report_create();
    w->config = read_config(w, config, report);
    fprintf(stderr, STR_FMT, STR_ARG(conf_report_text(report)));
    conf_report_destroy(report);
    w->store = store_open_memory();
    if (w->config && start_hub(w))
        return w;
    world_destroy(w);
    return NULL;
}

static void end_hub(struct world *w)
{
    clients_excuse(w->clients);
    for (size_t i = 0; i < w->server_count; i++)
        server_abandon(&w->servers[i]);
    if (w->hub) {
        hub_abandon(w->hub);
        while (broker_has_links(w->broker))
            broker_work(w->broker);
        hub_destroy(w->hub);
    }
    w->hub = NULL;
}

void world_restart(struct world *w)
{
    if (w->commit_late)
        commit(w);
    end_hub(w);
    store_forget(w->store);
    if (!start_hub(w))
        abort();
}

bool world_reload(struct world *w, const char *text, struct strbuf *out)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *config = read_config(w, text, report), *unused = config;
    bool taken = config && !hub_reload(w->hub, config, report);
    if (taken) {
        unused = w->config;
        w->config = config;
    }
    conf_destroy(unused);
    strbuf_str(out, conf_report_text(report));
    conf_report_destroy(report);
    world_settle(w);
    return taken;
}

void world_shutdown(struct world *w)
{
    hub_shutdown(w->hub);
    world_settle(w);
    world_pass(w, 8000);
}

bool world_done(const struct world *w)
{
    return hub_done(w->hub);
}

void world_operate(struct world *w, const char *line, struct strbuf *out)
{
    (void)hub_operate(w->hub, str_c(line), false, out);
    world_settle(w);
}

void world_destroy(struct world *w)
{
    if (!w)
        return;
    end_hub(w);
    store_close(w->store);
    conf_destroy(w->config);
    world_xmpp_forget(w);
    for (size_t i = 0; i < w->server_count; i++)
        server_finish(&w->servers[i]);
    broker_destroy(w->broker);
    clients_destroy(w->clients);
    mem_free(w);
}

/* The end */

void world_heal(struct world *w)
{
    w->hold_commits = w->commit_late = false;
    broker_confirm(w->broker, true);
    world_mqtt_up(w, true);
    world_xmpp_accept(w, STR_NONE, true);
    world_pass(w, 120000);
}

void world_excuse(struct world *w)
{
    clients_excuse(w->clients);
}

static void send_probe(void *ud, struct str xml)
{
    world_xmpp_send(ud, xml);
}

void world_log_in(struct world *w)
{
    clients_log_in(w->clients, send_probe, w);
}

void world_roster(const struct world *w, bool all, struct strbuf *out)
{
    clients_show(w->clients, all, out);
}

bool world_satisfied(const struct world *w, struct strbuf *out)
{
    return clients_satisfied(w->clients, out);
}
