/* What can be wrong with a request, with the status it is answered with (private to this layer). */
#ifndef SPANDREL_NET_HTTP_FAULT_H
#define SPANDREL_NET_HTTP_FAULT_H

// name, status, what the client is told
#define HTTP_FAULT_LIST(X)                                                                                             \
    X(NONE, 0, "")                                                                                                     \
    X(CONTROL, 400, "a control character, or a CR or LF that is no line's end, stands in the head")                    \
    X(METHOD, 400, "the method is no token")                                                                           \
    X(TARGET, 400, "the request target is malformed: a path or an http URL, with neither blanks nor a fragment")       \
    X(PATH, 400, "the path has a dot segment, an encoded slash or control, a bad escape, or is not UTF-8")             \
    X(VERSION_BAD, 400, "the request line does not end with an HTTP version")                                          \
    X(FOLD, 400, "a header is folded over lines")                                                                      \
    X(NAME, 400, "a header's name is no token followed by a colon")                                                    \
    X(HOST, 400, "there must be one Host header, well-formed")                                                         \
    X(LENGTH, 400, "Content-Length must stand once, as decimal digits, without Transfer-Encoding")                     \
    X(CODING, 400, "Transfer-Encoding must be \"chunked\" alone, in HTTP/1.1, without Content-Length")                 \
    X(CHUNK, 400, "a chunk is malformed")                                                                              \
    X(TRAILER, 400, "the trailers are malformed or too large")                                                         \
    X(PARSER, 400, "the request is malformed")                                                                         \
    X(SHORT, 400, "the connection ended within the request")                                                           \
    X(TIMEOUT, 408, "the request did not come in time")                                                                \
    X(BODY_LARGE, 413, "the body is larger than is taken here")                                                        \
    X(LINE_LONG, 414, "the request line is too long")                                                                  \
    X(SEGMENTS, 414, "the path has too many segments")                                                                 \
    X(EXPECT, 417, "of Expect, 100-continue alone is known")                                                           \
    X(HEAD_LARGE, 431, "the head is too large")                                                                        \
    X(FIELDS, 431, "there are too many headers")                                                                       \
    X(METHOD_UNKNOWN, 501, "the method is not known here")                                                             \
    X(CROWDED, 503, "there are too many connections")                                                                  \
    X(MEMORY, 503, "too many requests are under way")                                                                  \
    X(VERSION, 505, "HTTP/1.1 and HTTP/1.0 are spoken here")

enum http_fault {
#define HTTP_FAULT_ENUM(name, status, text) HTTP_FAULT_##name,
    HTTP_FAULT_LIST(HTTP_FAULT_ENUM) HTTP_FAULTS
#undef HTTP_FAULT_ENUM
};

int http_fault_status(enum http_fault f);
const char *http_fault_text(enum http_fault f);

#endif
