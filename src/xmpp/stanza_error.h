/* Stanza errors (RFC 6120 section 8.3) out and in. */
#ifndef SPANDREL_XMPP_STANZA_ERROR_H
#define SPANDREL_XMPP_STANZA_ERROR_H

#include "xml/xml_writer.h"
#include "xmpp/gateway_private.h"

struct stanza_error {
    enum err err;    // gives type and condition
    const char *app; // an application's condition (of XEP-0050), or NULL
    struct str text; // for people; may be empty
    struct str by;   // who found it; may be empty
};

// Writes <error/> into an open stanza.
void stanza_error_put(struct xml_writer *w, const struct stanza_error *error);
// Ends a stanza of type error, and counts it; one that does not fit is logged and gone.
void stanza_error_close(struct gateway *g, struct xml_writer *w);

// What the error in a stanza that came in means; *text, borrowed from the stanza, is what it says to people.
enum err stanza_error_read(const struct xml_node *stanza, struct arena *a, struct str *text) MUST_CHECK;

#endif
