/* Service discovery (XEP-0030). One table of features serves the answers and the hashes of XEP-0115. */
#ifndef SPANDREL_XMPP_DISCO_H
#define SPANDREL_XMPP_DISCO_H

#include "xmpp/caps.h"

enum disco_kind { DISCO_GATEWAY, DISCO_GATEWAY_REGISTER, DISCO_CONTACT, DISCO_ROOM, DISCO_KINDS };

// What the component is to a user: registering is shown to who may register, or has.
enum disco_kind disco_gateway_kind(const struct gateway *g, const struct jid *user);
// The features of a kind, in the arena, sorted.
const char *const *disco_features(enum disco_kind kind, struct arena *a, size_t *count);
// The XEP-0115 verification string of a kind: the one computed at the start, where it cannot change.
struct str disco_ver(const struct gateway *g, enum disco_kind kind, struct arena *a);
struct str disco_compute_ver(const struct gateway *g, enum disco_kind kind, struct arena *a);

#endif
