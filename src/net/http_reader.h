/* Bytes to requests, without I/O (private to this layer): the guard first, llhttp behind it, and both must agree.
 *
 * After a fault nothing more is read: what follows on that connection could be meant for someone else (RFC 9112
 * section 11.2). */
#ifndef SPANDREL_NET_HTTP_READER_H
#define SPANDREL_NET_HTTP_READER_H

#include "base/strbuf.h"
#include "net/http_guard.h"
#include "net/http_head.h"

#include <llhttp.h>

enum http_read {
    HTTP_READ_MORE, // all was taken
    HTTP_READ_HEAD, // http_reader_message() is there
    HTTP_READ_END,  // of the message; right behind the head where there is no body
    HTTP_READ_FAULT // see `fault`
};

struct http_reader_limits {
    size_t head, line;
    unsigned fields;
};

struct http_reader {
    struct http_reader_limits limits;
    // A piece of body, decoded; false ends the reading (with HTTP_READ_MORE), who says so knows why.
    bool (*body)(void *ud, struct str piece);
    void *ud;
    struct http_guard guard;
    llhttp_t parser;
    enum { READER_HEAD, READER_BODY, READER_END } at;
    struct strbuf kept;           // a head that came in parts
    struct http_message *message; // owned until it is taken
    uint64_t left;                // of a body that is not chunked
    bool chunked;
    bool head_seen, end_seen; // by llhttp
    bool refused;             // body() said false
    enum http_fault fault;
};

void http_reader_init(struct http_reader *r, const struct http_reader_limits *limits,
                      bool (*body)(void *ud, struct str piece), void *ud);
void http_reader_finish(struct http_reader *r);
// Reads up to the next event; how many bytes were taken. With READER_END no bytes are needed.
size_t http_reader_read(struct http_reader *r, struct str in, enum http_read *what);
// The head, after HTTP_READ_HEAD: owned by the caller then.
struct http_message *http_reader_take(struct http_reader *r);
// Whether a request has begun and is not complete.
bool http_reader_within(const struct http_reader *r);
bool http_reader_in_head(const struct http_reader *r);

#endif
