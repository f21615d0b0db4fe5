#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"

void version_get(const struct iq *iq)
{
    const struct gateway *g = iq->s->g;
    struct str name = STR("Spandrel"), version = STR(SPANDREL_VERSION);
    struct description d = {0};
    if (iq->target == IQ_CONTACT) {
        if (g->host->describe(g->ud, &iq->view, &d))
            d = (struct description){0};
        name = d.model.n ? d.model : iq_name(iq);
        version = d.version;
    }
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "query", NS_VERSION);
    iq_leaf(&w, "name", name);
    iq_leaf(&w, "version", version);
    xml_shut(&w);
    iq_close(iq, &w);
}
