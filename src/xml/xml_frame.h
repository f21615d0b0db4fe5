/* Cuts an XMPP stream into its top-level pieces (header, stanzas, end) without reading what is in them.
 *
 * It knows only where a tag, a quoted value and a CDATA section ends, and counts open elements; that much is decided by
 * a few bytes, so that a piece of any size can be passed over in constant memory. What XMPP forbids (RFC 6120
 * section 11.1: DTD, comments, processing instructions) and text between stanzas is BAD. Whether a piece is well-formed
 * is for the parser to say, which gets whole pieces alone. */
#ifndef SPANDREL_XML_FRAME_H
#define SPANDREL_XML_FRAME_H

#include "base/str.h"

enum xml_piece {
    XML_PIECE_MORE,   // the input ended before the piece did
    XML_PIECE_HEADER, // XML declaration, if any, and the start tag of the stream
    XML_PIECE_STANZA,
    XML_PIECE_CLOSE, // the end tag of the stream
    XML_PIECE_BAD    // for good
};

struct xml_frame {
    unsigned state;
    unsigned matched; // bytes of the delimiter that is being looked for
    char quote;       // of the value we are in
    bool slash;       // the last byte of the tag was '/'
    bool inside;      // a piece has begun
    size_t bound;     // see attrs
    size_t depth;     // open elements
    size_t size;      // of this piece so far, bytes
    size_t head;      // bytes up to the end of its first tag; 0 before that
    size_t attrs;     // bytes up to the end of that tag's last value that ends within `bound` bytes; 0 without
};

void xml_frame_init(struct xml_frame *f, size_t bound);
// Takes from *rest what belongs to the present piece: *part is that, a slice of *rest. Anything but MORE ends the
// piece; size, head and attrs tell of it until the next call.
enum xml_piece xml_frame_next(struct xml_frame *f, struct str *rest, struct str *part);

#endif
