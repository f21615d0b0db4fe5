/* A component link: its state machine, its gateway, and what the hub does when it comes and goes. */
#include "app/hub_private.h"

#include "base/mem.h"
#include "xml/xml_writer.h"
#include "xmpp/ns.h"

enum { NOTICES_MAX = 4000 };

static void link_event(struct hub_link *l, struct event ev)
{
    ev.component = l->number;
    hub_step(l->hub, &ev);
}

/* Since when the server runs, by its uptime (XEP-0012 section 4). */

static void put_last(struct xml_writer *w, void *ud)
{
    (void)ud;
    xml_open_ns(w, "query", NS_LAST);
    xml_shut(w);
}

static void uptime_answer(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    (void)text;
    struct hub_link *l = ud;
    struct event ev = {.kind = EV_STARTED};
    uint64_t seconds;
    const struct xml_node *query = e ? NULL : iq->first;
    if (e == ERR_OFFLINE)
        return;
    if (query && str_to_u64(xml_attr(query, "seconds"), &seconds) && seconds < INT32_MAX)
        ev.stamp = l->hub->host->wall(l->hub->ud) - (int64_t)seconds * 1000;
    link_event(l, ev);
    l->hub->host->changed(l->hub->ud);
}

static void ask_uptime(struct hub_link *l)
{
    enum { UPTIME_MS = 2000 };
    struct str parent = jid_parent(str_c(l->domain));
    if (!bridge_doubts(l->hub->bridge, l->number))
        return;
    struct gateway_request ask = {
        .to = parent, .type = "get", .payload = put_last, .timeout = UPTIME_MS, .answer = uptime_answer, .ud = l};
    if (!parent.n || gateway_ask(l->gateway, &ask, component_output(l->component), l->hub->host->now(l->hub->ud)))
        link_event(l, (struct event){.kind = EV_STARTED});
}

static void link_up(void *ud)
{
    struct hub_link *l = ud;
    link_event(l, (struct event){.kind = EV_LINK_UP});
    ask_uptime(l);
    uploads_link(l->uploads, true);
    hub_notice_kept(l);
    l->hub->host->changed(l->hub->ud);
}

static void link_down(void *ud, enum err e, struct str why)
{
    struct hub_link *l = ud;
    link_event(l, (struct event){.kind = EV_LINK_DOWN, .err = e, .body = why});
    l->outage = e != ERR_OK;
    l->lost = l->hub->host->now(l->hub->ud);
    if (e && !l->notices.n) // else link_notice() was told why
        hub_notice_keep(l, why);
    l->resync = false;
    l->congested = l->held = false;
    gateway_down(l->gateway);
    uploads_link(l->uploads, false);
    l->hub->host->changed(l->hub->ud);
}

static void link_stanza(void *ud, const struct xml_node *stanza)
{
    struct hub_link *l = ud;
    struct hub *h = l->hub;
    gateway_stanza(l->gateway, stanza, &h->scratch, component_output(l->component), h->host->now(h->ud),
                   h->host->wall(h->ud));
    arena_reset(&h->scratch);
    if (h->more || !queue_empty(&h->operations))
        h->host->changed(h->ud);
}

static void link_oversize(void *ud, const struct xml_node *head)
{
    struct hub_link *l = ud;
    gateway_oversize(l->gateway, head, &l->hub->scratch, component_output(l->component));
    arena_reset(&l->hub->scratch);
}

static void link_notice(void *ud, struct str text)
{
    struct hub_link *l = ud;
    if (component_state(l->component) == COMPONENT_UP)
        hub_notice(l, LOG_DEBUG, text);
    else
        hub_notice_keep(l, text);
}

const struct component_events hub_component_events = {
    .up = link_up,
    .down = link_down,
    .stanza = link_stanza,
    .oversize = link_oversize,
    .notice = link_notice,
};

static struct str server_text(struct arena *a, const struct conf_value *section)
{
    const struct conf_value *server = conf_get(section, "server");
    return arena_printf(a, STR_FMT ":%u", STR_ARG(conf_host(server)), conf_port(server));
}

static struct component *make_component(struct hub_link *l, const struct conf_value *section)
{
    struct arena a;
    arena_init(&a, 256);
    struct component_config cfg = {
        .domain = str_c(l->domain),
        .secret = conf_str(conf_get(section, "secret")),
        .server = server_text(&a, section),
        .seed = rng_next(&l->hub->rng),
    };
    struct component *c = component_create(&cfg, &hub_component_events, l, &l->log);
    arena_finish(&a);
    return c;
}

enum err hub_link_init(struct hub_link *l, struct hub *h, const struct conf_value *section, uint16_t number)
{
    struct arena a;
    arena_init(&a, 512);
    struct jid domain;
    enum err e = jid_parse(&a, conf_str(conf_get(section, "domain")), &domain);
    if (!e) {
        struct str name = conf_name(section);
        *l = (struct hub_link){.hub = h,
                               .number = number,
                               .name = mem_dup(name.p, name.n),
                               .domain = mem_dup(domain.domain.p, domain.domain.n)};
        l->log = (struct log_ctx){&h->log, LOG_SUB_xmpp, "component", l->name};
        queue_init(&l->posts);
        strbuf_init(&l->notices, NOTICES_MAX);
        l->component = make_component(l, section);
        struct gateway_config cfg = {
            .domain = str_c(l->domain),
            .name = conf_str(conf_get(section, "name")),
            .component = number,
            .seed = rng_next(&h->rng),
            .started = h->started,
        };
        l->gateway = gateway_create(&cfg, &hub_gateway_host, h, &l->log);
        hub_upload_init(l, section);
    }
    arena_finish(&a);
    return e;
}

void hub_link_finish(struct hub_link *l)
{
    component_destroy(l->component);
    uploads_destroy(l->uploads);
    gateway_destroy(l->gateway);
    queue_finish(&l->posts);
    mem_free(l->name);
    mem_free(l->domain);
    strbuf_finish(&l->notices);
}

// State (presence) that was dropped for want of room is said again later; a message is lost.
static void dropped(struct hub_link *l, const struct event *ev, enum err e)
{
    const struct strbuf *out = component_output(l->component);
    bool full = e == ERR_LIMIT && out->max - out->n < XML_STANZA_MAX;
    log_warn(&l->log, full ? LOG_MSG("output is full, dropped") : LOG_MSG("cannot be sent, dropped"),
             LOG_C("kind", event_name(ev->kind)), LOG_S("to", ev->user.domain));
    l->resync = l->resync || full;
}

void hub_link_send(struct hub_link *l, const struct event *ev)
{
    if (component_state(l->component) != COMPONENT_UP)
        return;
    enum err e = gateway_send(l->gateway, ev, &l->hub->sending, component_output(l->component));
    if (e)
        dropped(l, ev, e);
    arena_reset(&l->hub->sending);
}

// Whether it is to be reached as before.
static bool same_way(const struct conf_value *before, const struct conf_value *after)
{
    static const char *const names[] = {"server", "secret", "tls"};
    bool same = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        same = same && conf_equal(conf_get(before, names[i]), conf_get(after, names[i]));
    return same;
}

void hub_link_closed(struct hub_link *l)
{
    if (component_state(l->component) == COMPONENT_UP)
        link_event(l, (struct event){.kind = EV_LINK_DOWN});
}

void hub_link_reload(struct hub_link *l, const struct conf_value *before, const struct conf_value *after)
{
    gateway_rename(l->gateway, conf_str(conf_get(after, "name")));
    hub_upload_reload(l, before, after);
    if (same_way(before, after))
        return;
    struct arena a;
    arena_init(&a, 256);
    log_info(&l->log, LOG_MSG("component changed: connecting anew"));
    hub_link_closed(l);
    component_renew(l->component, conf_str(conf_get(after, "secret")), server_text(&a, after),
                    l->hub->host->now(l->hub->ud));
    arena_finish(&a);
}
