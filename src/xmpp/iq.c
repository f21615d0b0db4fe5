#include "xmpp/iq.h"

#include "base/utf8.h"
#include "xmpp/iq_handlers.h"
#include "xmpp/muc_ask.h"
#include "xmpp/ns.h"

#include <stdlib.h>

enum { ANY = IQ_COMPONENT | IQ_CONTACT | IQ_ROOM };

// Who keeps no pub-sub nodes says so at once: clients then offer no OMEMO (XEP-0384 asks for a device list first).
static void pubsub_absent(const struct iq *iq)
{
    iq_refuse(iq, ERR_NOTFOUND);
}

static const struct handler {
    const char *ns, *name, *type;
    unsigned targets;
    void (*answer)(const struct iq *iq);
} handlers[] = {
    // sorted by ns, name, type
    {NS_COMMANDS, "command", "set", ANY, commands_set},
    {NS_DISCO_INFO, "query", "get", ANY, disco_info},
    {NS_DISCO_ITEMS, "query", "get", ANY, disco_items},
    {NS_PUBSUB, "pubsub", "get", ANY, pubsub_absent},
    {NS_PUBSUB, "pubsub", "set", ANY, pubsub_absent},
    {NS_PUBSUB_OWNER, "pubsub", "get", ANY, pubsub_absent},
    {NS_PUBSUB_OWNER, "pubsub", "set", ANY, pubsub_absent},
    {NS_GATEWAY, "query", "get", IQ_COMPONENT, prompt_get},
    {NS_GATEWAY, "query", "set", IQ_COMPONENT, prompt_set},
    {NS_LAST, "query", "get", IQ_COMPONENT | IQ_CONTACT, last_get},
    {NS_REGISTER, "query", "get", IQ_COMPONENT, register_get},
    {NS_REGISTER, "query", "set", IQ_COMPONENT, register_set},
    {NS_VERSION, "query", "get", IQ_COMPONENT | IQ_CONTACT, version_get},
    {NS_PING, "ping", "get", ANY | IQ_OCCUPANT, ping_get},
    {NS_TIME, "time", "get", IQ_COMPONENT, time_get},
    {NS_VCARD, "vCard", "get", ANY, vcard_get},
    {NS_VCARD, "vCard", "set", ANY, vcard_set},
};

struct key {
    struct str ns, name, type;
};

static int compare(const void *key, const void *entry)
{
    const struct key *k = key;
    const struct handler *h = entry;
    int order = str_cmp(k->ns, str_c(h->ns));
    if (!order)
        order = str_cmp(k->name, str_c(h->name));
    return order ? order : str_cmp(k->type, str_c(h->type));
}

static const struct handler *find_handler(const struct iq *iq)
{
    struct key key = {iq->query->ns, iq->query->name, iq->s->type};
    const struct handler *h = bsearch(&key, handlers, sizeof handlers / sizeof *handlers, sizeof *handlers, compare);
    return h && (h->targets & iq->target) ? h : NULL;
}

static bool namespace_known(const struct iq *iq)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if ((handlers[i].targets & iq->target) && str_eq_c(iq->query->ns, handlers[i].ns))
            return true;
    }
    return false;
}

// Who is in a room may ask himself whether he still is (XEP-0410); nobody else is asked through it.
static enum err find_occupant(struct iq *iq)
{
    const struct stanza *s = iq->s;
    iq->target = IQ_OCCUPANT;
    bool inside = s->g->host->occupant && s->g->host->occupant(s->g->ud, &s->from, &s->to);
    return inside ? ERR_OK : ERR_NOTACCEPTABLE;
}

// A contact answers at its bare JID, at the one resource that it has presence from, and to a room at that it is there
// with.
static enum err find_contact(struct iq *iq)
{
    iq->target = IQ_CONTACT;
    const struct stanza *s = iq->s;
    struct str resource = s->to.resource;
    bool here = !resource.n || str_eq(resource, iq->view.resource) || stanza_of_room(s->g, &s->to, &s->from);
    return here ? ERR_OK : ERR_UNAVAILABLE;
}

static enum err find_target(struct iq *iq)
{
    const struct stanza *s = iq->s;
    iq->target = IQ_COMPONENT;
    if (!s->to.local.n)
        return ERR_OK;
    enum err e = s->g->host->find(s->g->ud, &s->from, &s->to, &iq->view);
    if (e)
        return e;
    if (iq->view.kind == IDENTITY_CONTACT)
        return find_contact(iq);
    iq->target = IQ_ROOM;
    return s->to.resource.n ? find_occupant(iq) : ERR_OK;
}

static bool is_request(const struct stanza *s)
{
    const struct xml_node *payload = s->node->first;
    bool known = str_eq_c(s->type, "get") || str_eq_c(s->type, "set");
    return known && s->id.n && s->id.n <= GATEWAY_ID_MAX && payload && !payload->next;
}

static void dispatch(const struct iq *iq)
{
    const struct handler *h = find_handler(iq);
    if (h)
        h->answer(iq);
    else
        iq_refuse(iq, namespace_known(iq) ? ERR_UNSUPPORTED : ERR_UNAVAILABLE);
}

void iq_in(struct stanza *s)
{
    if (str_eq_c(s->type, "result") || str_eq_c(s->type, "error")) {
        if (requests_take(&s->g->requests, s->node, str_c(s->g->domain), s->arena))
            muc_ask_on(s);
        return;
    }
    struct iq iq = {.s = s, .query = s->node->first};
    enum err e = is_request(s) ? find_target(&iq) : ERR_BADREQ;
    if (e)
        stanza_refuse(s, e);
    else
        dispatch(&iq);
}

void iq_open(const struct iq *iq, struct xml_writer *w)
{
    stanza_answer(iq->s, "result", w);
}

void iq_close(const struct iq *iq, struct xml_writer *w)
{
    if (stanza_close(iq->s->g, w))
        iq_refuse(iq, ERR_AGAIN);
}

void iq_done(const struct iq *iq)
{
    struct xml_writer w;
    iq_open(iq, &w);
    iq_close(iq, &w);
}

void iq_refuse(const struct iq *iq, enum err e)
{
    stanza_refuse(iq->s, e);
}

struct str iq_address(const struct iq *iq)
{
    return jid_format(iq->s->arena, &iq->s->to);
}

struct str iq_name(const struct iq *iq)
{
    struct str name = iq->target == IQ_COMPONENT ? str_c(iq->s->g->name) : iq->view.name;
    return utf8_cut(name, GATEWAY_NAME_MAX);
}

void iq_leaf(struct xml_writer *w, const char *name, struct str text)
{
    if (text.n)
        xml_leaf(w, name, text);
}
