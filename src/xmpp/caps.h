/* Entity capabilities (XEP-0115): a hash over what disco#info answers, sent with presence, so that a client asks once
 * for all contacts. */
#ifndef SPANDREL_XMPP_CAPS_H
#define SPANDREL_XMPP_CAPS_H

#include "xml/xml_writer.h"
#include "xmpp/gateway_private.h"

#define CAPS_NODE "urn:x-spandrel:caps" // the node is CAPS_NODE#ver

struct disco_identity {
    struct str category, type, name; // name may be empty
};

struct disco_profile {                       // what disco#info answers
    const struct disco_identity *identities; // sorted by category, type
    size_t identity_count;
    const char *const *features; // sorted
    size_t feature_count;
};

// The verification string of section 5.1: base64 of the SHA-1, in the arena.
struct str caps_ver(struct arena *a, const struct disco_profile *p);
void caps_put(struct xml_writer *w, struct str ver); // <c/> into a presence
// True when `node` is CAPS_NODE#ver.
bool caps_is_node(struct str node, struct str ver);

#endif
