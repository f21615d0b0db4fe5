#include "base/clock.h"
#include "xmpp/iq_handlers.h"
#include "xmpp/ns.h"

void time_get(const struct iq *iq)
{
    struct xml_writer w;
    iq_open(iq, &w);
    xml_open_ns(&w, "time", NS_TIME);
    xml_leaf(&w, "tzo", STR("+00:00"));
    xml_leaf(&w, "utc", clock_format(iq->s->arena, iq->s->wall));
    xml_shut(&w);
    iq_close(iq, &w);
}
