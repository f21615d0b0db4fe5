/* A request's head in one block of memory, and what must hold of it (private to this layer). */
#ifndef SPANDREL_NET_HTTP_HEAD_H
#define SPANDREL_NET_HTTP_HEAD_H

#include "net/http_fault.h"
#include "net/http_server.h"

struct http_message {
    struct http_head head; // source and tls are set by who knows the connection
    bool chunked;
    bool length_given;
    uint64_t length;      // of the body, where length_given; else 0
    bool keep_alive;      // RFC 9112 section 9.3
    bool expect_continue; // and the body has not begun
    size_t size;          // of the block, for who counts
    // For who builds it:
    char *raw;     // the head as it came, in the block
    char *decoded; // room for the path
    struct http_header *fields;
    unsigned field_count, field_room;
};

// Room for `raw`, which is copied, and `fields` headers; owned, to be given to mem_free().
struct http_message *http_message_create(struct str raw, unsigned fields);
// Once method, target and fields are there: methods, version, framing, Host, path.
enum http_fault http_message_check(struct http_message *m);
// How much a body is known to have, or UINT64_MAX.
uint64_t http_message_body(const struct http_message *m);

#endif
