/* Presence that comes in. */
#ifndef SPANDREL_XMPP_PRESENCE_IN_H
#define SPANDREL_XMPP_PRESENCE_IN_H

#include "xmpp/stanza.h"

void presence_in(struct stanza *s);

#endif
