#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"

// Since the last news of a contact, or since it is known when there were none; of the component, since it runs.
static int64_t last_news(const struct iq *iq)
{
    if (iq->target == IQ_COMPONENT)
        return iq->s->g->started;
    return iq->view.changed ? iq->view.changed : iq->view.since;
}

void last_get(const struct iq *iq)
{
    int64_t ms = iq->s->wall - last_news(iq);
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "query", NS_LAST);
    xml_put_attr(&w, "seconds", arena_printf(iq->s->arena, "%lld", ms > 0 ? (long long)(ms / 1000) : 0LL));
    xml_shut(&w);
    iq_close(iq, &w);
}
