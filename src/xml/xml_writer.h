/* Streaming XML writer: the only serialiser of what goes to an XMPP server.
 *
 * It escapes, repairs (UTF-8, XML characters: U+FFFD) and bounds. A stanza is written between xml_begin() and
 * xml_end(); one that would be larger than the cap is taken back as a whole by xml_end(), which says so. Element and
 * attribute names are literals of ours, never input. */
#ifndef SPANDREL_XML_WRITER_H
#define SPANDREL_XML_WRITER_H

#include "base/err.h"
#include "base/strbuf.h"

enum { XML_STANZA_MAX = 100000, XML_WRITER_DEPTH = 32 }; // bytes, open elements

struct xml_writer {
    struct strbuf *out;
    size_t start; // of this stanza
    unsigned depth;
    const char *open[XML_WRITER_DEPTH];
    bool tag_open; // '>' of the last start tag not written yet
    bool failed;
};

void xml_begin(struct xml_writer *w, struct strbuf *out);
void xml_open(struct xml_writer *w, const char *name);                    // <name
void xml_open_ns(struct xml_writer *w, const char *name, const char *ns); // <name xmlns='ns'
void xml_put_attr(struct xml_writer *w, const char *name, struct str value);
void xml_put_attr_c(struct xml_writer *w, const char *name, const char *value); // NULL: nothing
void xml_text(struct xml_writer *w, struct str text);
void xml_shut(struct xml_writer *w);                                    // </name> or />
void xml_leaf(struct xml_writer *w, const char *name, struct str text); // <name>text</name>
// Appends `s` escaped and repaired to any buffer, for what is no stanza (the stream header): fit for an attribute's
// value.
void xml_escape(struct strbuf *out, struct str s);
// Closes nothing by itself: depth must be 0. ERR_LIMIT: over XML_STANZA_MAX or the buffer's bound; `out` is as it was
// at xml_begin().
enum err xml_end(struct xml_writer *w) MUST_CHECK;

#endif
