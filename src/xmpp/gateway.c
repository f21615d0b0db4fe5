#include "xmpp/gateway.h"

#include "base/mem.h"
#include "xmpp/disco.h"
#include "xmpp/fence.h"
#include "xmpp/iq.h"
#include "xmpp/message_in.h"
#include "xmpp/muc_ask.h"
#include "xmpp/ns.h"
#include "xmpp/presence_in.h"
#include "xmpp/stanza.h"

static char *dup_str(struct str s)
{
    return mem_dup(s.p, s.n);
}

struct gateway *gateway_create(const struct gateway_config *cfg, const struct gateway_host *host, void *ud,
                               const struct log_ctx *log)
{
    struct gateway *g = MEM_NEW(struct gateway);
    g->domain = dup_str(cfg->domain);
    g->name = dup_str(cfg->name);
    g->component = cfg->component;
    g->started = cfg->started;
    g->host = host;
    g->ud = ud;
    g->log = log;
    rng_init(&g->rng, cfg->seed);
    g->key = rng_next(&g->rng);
    requests_init(&g->requests);
    list_init(&g->catchups);
    struct arena a;
    arena_init(&a, 4096);
    g->contact_ver = dup_str(disco_compute_ver(g, DISCO_CONTACT, &a));
    g->room_ver = dup_str(disco_compute_ver(g, DISCO_ROOM, &a));
    arena_finish(&a);
    return g;
}

void gateway_destroy(struct gateway *g)
{
    if (!g)
        return;
    requests_finish(&g->requests);
    muc_ask_finish(g);
    mem_free(g->domain);
    mem_free(g->name);
    mem_free(g->contact_ver);
    mem_free(g->room_ver);
    mem_free(g);
}

void gateway_rename(struct gateway *g, struct str name)
{
    char *old = g->name;
    g->name = dup_str(name);
    mem_free(old);
}

void gateway_stat(const struct gateway *g, struct gateway_stat *out)
{
    *out = g->stat;
}

static const struct kind {
    const char *name;
    void (*in)(struct stanza *s);
} kinds[] = {{"iq", iq_in}, {"message", message_in}, {"presence", presence_in}};

static const struct kind *kind_of(const struct xml_node *n)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (xml_is(n, NS_COMPONENT, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

static bool malformed(struct gateway *g, const char *what, struct str value)
{
    g->stat.malformed++;
    log_debug(g->log, LOG_MSG("malformed stanza"), LOG_C("what", what), LOG_S("value", str_sub(value, 0, 128)));
    return false;
}

/* An address in a domain that is not ours reaches us where a listener of ejabberd has global_routes. It cannot be
 * answered: an answer would have to come from that domain, and a `from` outside our own ends the stream. */
static bool foreign(struct gateway *g, struct str domain)
{
    g->stat.foreign_domain++;
    log_warn(g->log,
             LOG_MSG("stanza for a domain that is not ours; on ejabberd set global_routes: false for the listener"),
             LOG_S("domain", domain));
    return false;
}

// Prepares the addresses; false when the stanza is not for us, or has been answered.
static bool admit(struct stanza *s)
{
    struct gateway *g = s->g;
    struct jid own = {.domain = str_c(g->domain)};
    struct str from = xml_attr(s->node, "from"), to = xml_attr(s->node, "to");
    if (jid_parse(s->arena, from, &s->from))
        return malformed(g, "from", from);
    if (str_eq(s->from.domain, own.domain)) // ejabberd's mod_privilege echoes our own presence
        return false;
    if (jid_parse(s->arena, to, &s->to)) {
        s->to = own;
        stanza_refuse(s, ERR_BADJID);
        return malformed(g, "to", to);
    }
    return str_eq(s->to.domain, own.domain) || foreign(g, s->to.domain);
}

static bool stanza_init(struct stanza *s, const struct kind *kind)
{
    s->g->stat.in++;
    if (!kind)
        return malformed(s->g, "stanza", s->node->name);
    s->name = kind->name;
    s->type = xml_attr(s->node, "type");
    s->id = xml_attr(s->node, "id");
    if (str_eq_c(s->type, "error"))
        s->g->stat.errors_in++;
    return admit(s);
}

void gateway_stanza(struct gateway *g, const struct xml_node *stanza, struct arena *arena, struct strbuf *out,
                    int64_t now, int64_t wall)
{
    struct stanza s = {.g = g, .node = stanza, .arena = arena, .out = out, .now = now, .wall = wall};
    const struct kind *kind = kind_of(stanza);
    uint64_t fence;
    if (fence_take(g, stanza, &fence)) {
        if (fence)
            g->host->event(g->ud, &(struct event){.kind = EV_FENCED, .component = g->component, .number = fence});
        return;
    }
    if (stanza_init(&s, kind))
        kind->in(&s);
}

void gateway_oversize(struct gateway *g, const struct xml_node *head, struct arena *arena, struct strbuf *out)
{
    struct stanza s = {.g = g, .node = head, .arena = arena, .out = out};
    if (!stanza_init(&s, kind_of(head)))
        return;
    log_info(g->log, LOG_MSG("a stanza was too large"), LOG_C("kind", s.name), LOG_S("domain", s.from.domain));
    stanza_refuse(&s, ERR_LIMIT);
}
