#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"

void prompt_get(const struct iq *iq)
{
    const struct gateway *g = iq->s->g;
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "query", NS_GATEWAY);
    xml_leaf(&w, "desc", STR("Type what the contact is called to get its address."));
    xml_leaf(&w, "prompt", g->host->prompt(g->ud, g->component));
    xml_shut(&w);
    iq_close(iq, &w);
}

static void put_jid(const struct iq *iq, const struct jid *jid)
{
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "query", NS_GATEWAY);
    xml_leaf(&w, "jid", jid_format(iq->s->arena, jid));
    xml_shut(&w);
    iq_close(iq, &w);
}

void prompt_set(const struct iq *iq)
{
    const struct gateway *g = iq->s->g;
    struct str typed = str_trim(xml_child_text(iq->query, NS_GATEWAY, "prompt"));
    struct jid jid;
    enum err e = ERR_BADREQ;
    if (typed.n && typed.n <= JID_PART_MAX)
        e = g->host->resolve(g->ud, g->component, &iq->s->from, typed, iq->s->arena, &jid);
    if (e)
        iq_refuse(iq, e);
    else
        put_jid(iq, &jid);
}
