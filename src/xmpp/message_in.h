/* Messages that come in. */
#ifndef SPANDREL_XMPP_MESSAGE_IN_H
#define SPANDREL_XMPP_MESSAGE_IN_H

#include "xmpp/stanza.h"

void message_in(struct stanza *s);

#endif
