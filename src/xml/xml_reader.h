/* XMPP stream reader (expat): bytes in, stanzas out.
 *
 * Bounded in bytes per stanza, depth, attributes and nodes; DTD, entity declarations, comments and processing
 * instructions end the stream (RFC 6120 section 11.1). A stanza beyond any of its bounds is skipped, not fatal, since a
 * stranger may have caused it: its head is handed to `oversize`. The parser gets whole stanzas alone and is renewed at
 * a stanza boundary each 1 MiB (expat interns names for its life). */
#ifndef SPANDREL_XML_READER_H
#define SPANDREL_XML_READER_H

#include "base/err.h"
#include "xml/xml_node.h"

struct xml_reader;

struct xml_limits {      // 0: the default
    size_t stanza_bytes; // 262144
    unsigned depth;      // 64, the stanza itself counted
    unsigned attrs;      // 64 an element
    unsigned nodes;      // 8192 a stanza
};

struct xml_reader_events {                               // nodes are valid for the call
    void (*open)(void *ud, const struct xml_node *root); // the stream header
    void (*stanza)(void *ud, const struct xml_node *stanza);
    // Name and attributes alone, as far as they are within the bounds; without a name where none are.
    void (*oversize)(void *ud, const struct xml_node *head);
    void (*close)(void *ud); // </stream:stream>; what follows is ignored
};

struct xml_reader *xml_reader_create(const struct xml_limits *limits, const struct xml_reader_events *ev, void *ud);
void xml_reader_destroy(struct xml_reader *r); // not from inside an event
// Feeds any split of the stream. ERR_PROTO (with a reason) when it is not well-formed, not allowed, or its header is
// beyond a bound; the reader is then dead. Events may call xml_reader_stop() to have the rest ignored.
enum err xml_reader_feed(struct xml_reader *r, struct str bytes, struct errmsg *msg) MUST_CHECK;
void xml_reader_stop(struct xml_reader *r);
// Bytes held: all but the parser's own tables, which renewal bounds.
size_t xml_reader_memory(const struct xml_reader *r);

#endif
