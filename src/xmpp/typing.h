/* Chat states (XEP-0085) by enum typing: both ways. */
#ifndef SPANDREL_XMPP_TYPING_H
#define SPANDREL_XMPP_TYPING_H

#include "core/event.h"
#include "xml/xml_node.h"

const char *typing_name(enum typing typing);
// The first chat state in a message; false when it has none.
bool typing_read(const struct xml_node *message, enum typing *out);

#endif
