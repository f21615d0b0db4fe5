#include "xmpp/disco.h"
#include "xmpp/form.h"
#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"

#define INSTRUCTIONS "Register to be offered the contacts of this gateway that you may see. No data is asked for."

static void put_form(struct xml_writer *w)
{
    form_open(w, "form", STR("Registration"));
    xml_leaf(w, "instructions", STR(INSTRUCTIONS));
    xml_open(w, "field");
    xml_put_attr_c(w, "var", "FORM_TYPE");
    xml_put_attr_c(w, "type", "hidden");
    xml_leaf(w, "value", STR(NS_REGISTER));
    xml_shut(w);
    xml_shut(w);
}

void register_get(const struct iq *iq)
{
    const struct gateway *g = iq->s->g;
    if (disco_gateway_kind(g, &iq->s->from) != DISCO_GATEWAY_REGISTER) {
        iq_refuse(iq, ERR_FORBIDDEN);
        return;
    }
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "query", NS_REGISTER);
    if (g->host->registered(g->ud, g->component, &iq->s->from)) {
        xml_open(&w, "registered");
        xml_shut(&w);
    }
    xml_leaf(&w, "instructions", STR(INSTRUCTIONS));
    put_form(&w);
    xml_shut(&w);
    iq_close(iq, &w);
}

static void post(const struct iq *iq, enum event_kind kind)
{
    struct event ev = {.kind = kind};
    stanza_post(iq->s, &ev);
}

// With <remove/> alone a registration ends (XEP-0077 section 3.2); else it begins, with a form or without.
void register_set(const struct iq *iq)
{
    const struct xml_node *form = xml_child(iq->query, NS_DATA, "x");
    if (xml_child(iq->query, NS_REGISTER, "remove")) {
        if (iq->query->first->next)
            iq_refuse(iq, ERR_BADREQ);
        else
            post(iq, EV_UNREGISTER);
    } else if (form && str_eq_c(xml_attr(form, "type"), "cancel")) {
        iq_done(iq);
    } else {
        post(iq, EV_REGISTER);
    }
}
