#include "xmpp/stanza_error.h"

#include "base/utf8.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"

void stanza_error_put(struct xml_writer *w, const struct stanza_error *error)
{
    xml_open(w, "error");
    xml_put_attr_c(w, "type", err_type(error->err));
    if (error->by.n)
        xml_put_attr(w, "by", error->by);
    xml_open_ns(w, err_condition(error->err), NS_STANZAS);
    xml_shut(w);
    if (error->app) {
        xml_open_ns(w, error->app, NS_COMMANDS);
        xml_shut(w);
    }
    if (error->text.n) {
        xml_open_ns(w, "text", NS_STANZAS);
        xml_text(w, utf8_cut(error->text, GATEWAY_STATUS_MAX));
        xml_shut(w);
    }
    xml_shut(w);
}

void stanza_error_close(struct gateway *g, struct xml_writer *w)
{
    enum err e = stanza_close(g, w);
    if (e)
        log_warn(g->log, LOG_MSG("an error answer did not fit"), LOG_ERR(e));
    else
        g->stat.errors_out++;
}

enum err stanza_error_read(const struct xml_node *stanza, struct arena *a, struct str *text)
{
    const struct xml_node *error = xml_child(stanza, NS_COMPONENT, "error");
    *text = error ? xml_child_text(error, NS_STANZAS, "text") : STR_NONE;
    for (const struct xml_node *n = error ? error->first : NULL; n; n = n->next) {
        if (str_eq_c(n->ns, NS_STANZAS) && !str_eq_c(n->name, "text"))
            return err_from_condition(arena_cstr(a, n->name));
    }
    return ERR_INTERNAL;
}
