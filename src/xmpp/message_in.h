/* Messages that come in. */
#ifndef SPANDREL_XMPP_MESSAGE_IN_H
#define SPANDREL_XMPP_MESSAGE_IN_H

#include "xmpp/stanza.h"

void message_in(struct stanza *s);

// Reads the id and the body of a message, and the id that it corrects; the message is one that came in or one that was
// forwarded. What is end-to-end encrypted gets EVENT_ENCRYPTED and no body.
void message_read(const struct xml_node *message, struct event *ev);

#endif
