/* Presence that comes in. */
#ifndef SPANDREL_XMPP_PRESENCE_IN_H
#define SPANDREL_XMPP_PRESENCE_IN_H

#include "xmpp/stanza.h"

void presence_in(struct stanza *s);

enum show presence_show(const struct xml_node *presence); // of an available one

#endif
