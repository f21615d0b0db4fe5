/* Fences: an IQ to ourselves behind a batch of stanzas. XEP-0114 acknowledges nothing, but a server takes the stanzas
 * of a stream one after the other, so when the IQ is back the server has taken what went before. A server that does not
 * send us our own stanzas is asked for an answer of its own, at the second try. */
#ifndef SPANDREL_XMPP_FENCE_H
#define SPANDREL_XMPP_FENCE_H

#include "xmpp/gateway_private.h"

// Appends fence `number`; a number said again is a second try. ERR_LIMIT when it does not fit.
enum err fence_send(struct gateway *g, uint64_t number, struct strbuf *out) MUST_CHECK;
// Whether the stanza is one of ours come back; then *number is its number, or 0 when it is one of another run.
bool fence_take(const struct gateway *g, const struct xml_node *stanza, uint64_t *number);

#endif
