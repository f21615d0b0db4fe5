/* HTTP File Upload (XEP-0363) as a client of it: what is asked, and what the answers say. */
#ifndef SPANDREL_XMPP_UPLOAD_H
#define SPANDREL_XMPP_UPLOAD_H

#include "base/err.h"
#include "xml/xml_node.h"
#include "xml/xml_writer.h"

enum {
    UPLOAD_NAME_MAX = 64,   // bytes of a file's name
    UPLOAD_MEDIA_MAX = 127, // of a media type
    UPLOAD_HEADERS = 8,     // of one slot
    UPLOAD_ITEMS = 32,      // of a server's that are looked at
};

struct upload_info { // what a service says of itself (section 4)
    bool offered;    // urn:xmpp:http:upload:0 is among its features
    uint64_t max;    // bytes of a file; UINT64_MAX when it does not say
};

struct upload_header {
    struct str name, value;
};

struct upload_slot { // borrowed from the answer
    struct str put, get;
    struct upload_header headers[UPLOAD_HEADERS];
    size_t header_count;
};

struct upload_refusal { // of a slot, beside the stanza error (section 5)
    uint64_t max;       // the file was larger than this; UINT64_MAX: it was not that
    int64_t retry;      // wall ms from which on it may be tried again; 0: not said
};

// <query/> of service discovery: info, or the items of a server.
void upload_put_info(struct xml_writer *w);
void upload_put_items(struct xml_writer *w);
void upload_read_info(const struct xml_node *iq, struct upload_info *out);
// The addresses of the items, at most UPLOAD_ITEMS.
size_t upload_read_items(const struct xml_node *iq, struct str out[UPLOAD_ITEMS]);

// <request/>; name and media type fit their bounds.
void upload_put_request(struct xml_writer *w, struct str name, uint64_t size, struct str media);
// ERR_PROTO: there is no slot in it, or one that may not be used: *why then says what is wrong. Of the headers only
// Authorization, Cookie and Expires are taken (section 5), none with a line break.
enum err upload_read_slot(const struct xml_node *iq, struct upload_slot *out, const char **why) MUST_CHECK;
void upload_read_refusal(const struct xml_node *iq, struct upload_refusal *out);

#endif
