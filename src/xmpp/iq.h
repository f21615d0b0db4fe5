/* Requests: each get or set gets exactly one answer, from a handler chosen by namespace, name and type of its payload.
 *
 * Whom a request is addressed to is settled before: to an identity that the asker may not see, all is answered as to
 * one that does not exist. */
#ifndef SPANDREL_XMPP_IQ_H
#define SPANDREL_XMPP_IQ_H

#include "xmpp/stanza.h"

enum iq_target { IQ_COMPONENT = 1, IQ_CONTACT = 2, IQ_ROOM = 4, IQ_OCCUPANT = 8 }; // a set in tables

struct iq {
    const struct stanza *s;
    const struct xml_node *query; // its payload
    enum iq_target target;
    struct identity_view view; // of a contact or room; until the next call of the host
};

void iq_in(struct stanza *s);

// Begins the result; iq_close() ends it. One that is too large becomes an error.
void iq_open(const struct iq *iq, struct xml_writer *w);
void iq_close(const struct iq *iq, struct xml_writer *w);
void iq_done(const struct iq *iq); // the empty result
void iq_refuse(const struct iq *iq, enum err e);

// The JID asked, as text.
struct str iq_address(const struct iq *iq);
// A display name, cut.
struct str iq_name(const struct iq *iq);
// Writes <name>text</name>, unless text is empty.
void iq_leaf(struct xml_writer *w, const char *name, struct str text);

#endif
