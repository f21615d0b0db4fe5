/* multipart/form-data (RFC 7578, RFC 2046 section 5.1), strictly. */
#ifndef SPANDREL_NET_HTTP_MULTIPART_H
#define SPANDREL_NET_HTTP_MULTIPART_H

#include "base/arena.h"
#include "base/err.h"

struct http_part {
    struct str name;     // of the field, UTF-8
    struct str filename; // p is NULL when there is none; never a path to be trusted
    struct str type;     // as sent; empty when there is none
    struct str data;     // borrowed from the body
};

enum { HTTP_PARTS_MAX = 32, HTTP_PART_HEAD_MAX = 2048 }; // parts of a body; bytes of the headers of one

// `boundary` is the parameter of Content-Type: 1 to 70 characters. Parts in order, in the arena, their data borrowed
// from `body`. ERR_BADREQ or ERR_LIMIT with a text that says where.
enum err http_multipart_parse(struct arena *a, struct str boundary, struct str body, const struct http_part **out,
                              size_t *count, struct errmsg *msg) MUST_CHECK;
// The first part of that name; NULL when there is none.
const struct http_part *http_multipart_get(const struct http_part *parts, size_t count, const char *name);

#endif
