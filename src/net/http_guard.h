/* The strict guard in front of the parser (private to this layer): it reads every byte of a head, and of the framing of
 * a chunked body, first, and lets nothing pass that RFC 9112 does not allow or that two parsers could read in two ways.
 *
 * It finds where the head (the chunked body) ends; the parser behind it must find the same. Bytes may come in any
 * portions: the outcome is the same. */
#ifndef SPANDREL_NET_HTTP_GUARD_H
#define SPANDREL_NET_HTTP_GUARD_H

#include "base/str.h"
#include "net/http_fault.h"

enum {
    HTTP_CHUNK_DIGITS_MAX = 8,
    HTTP_CHUNK_EXTENSIONS_MAX = 1024, // bytes, of all chunks of a body
    HTTP_TRAILERS_MAX = 16,
    HTTP_TRAILER_BYTES_MAX = 4096,
};

enum http_guard_state {
    GUARD_START, // empty lines before the request line (RFC 9112 section 2.2)
    GUARD_START_LF,
    GUARD_METHOD,
    GUARD_TARGET,
    GUARD_VERSION,
    GUARD_LINE_LF,
    GUARD_FIELD, // a line's begin: a header, or the end
    GUARD_NAME,
    GUARD_VALUE,
    GUARD_VALUE_LF,
    GUARD_END_LF,
    GUARD_SIZE, // of a chunk
    GUARD_EXTENSION,
    GUARD_SIZE_LF,
    GUARD_DATA,
    GUARD_DATA_CR,
    GUARD_DATA_LF,
    GUARD_DONE,
    GUARD_FAULT
};

struct http_guard {
    enum http_guard_state state;
    enum http_fault fault;
    size_t head_max, line_max; // bytes
    unsigned fields_max;
    bool trailers;    // FIELD to END_LF are those behind a chunked body
    size_t bytes;     // of the head or the trailers so far
    unsigned fields;  // so far
    unsigned at;      // place within the version, or digits of the chunk size
    uint64_t left;    // of the chunk's data
    size_t extension; // bytes of chunk extensions so far
};

// `line_max` is at most `head_max`.
void http_guard_head(struct http_guard *g, size_t head_max, size_t line_max, unsigned fields_max);
void http_guard_chunks(struct http_guard *g);
// Reads on; how many bytes of `in` belong to it: fewer than all of them once the state is GUARD_DONE or GUARD_FAULT.
size_t http_guard_read(struct http_guard *g, struct str in);

#endif
