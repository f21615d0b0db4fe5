#include "xmpp/iq_handlers.h"

void ping_get(const struct iq *iq)
{
    iq_done(iq);
}
