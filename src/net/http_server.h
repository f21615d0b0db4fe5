/* An HTTP/1.1 server on the loop (RFC 9110, RFC 9112): keep-alive, pipelining, chunked bodies, TLS, trusted proxies.
 *
 * A request is one struct http_exchange. The handler is asked twice: with the head, when it says how large a body it
 * takes or answers at once, and with the complete body. It answers once, then or at any later time. Answers leave in
 * the order of the requests, whatever order they are given in.
 *
 * What is refused before a handler sees it, with an RFC 9457 body and, after an error of framing, the end of the
 * connection with nothing more of it interpreted:
 *   400 obs-fold, bare CR or LF, controls, blanks before a colon, a name that is no token, Content-Length twice, in a
 *       list or beside Transfer-Encoding, a coding other than "chunked", any in HTTP/1.0, no or two Host,
 *       a path with "." or "..", %00, %2F, %5C, other controls or broken UTF-8, malformed chunks or trailers
 *   408 a head or body that does not come in time           413 a body beyond what the handler takes
 *   414 a request line that is too long                     417 an Expect other than 100-continue
 *   431 a head that is too large                            501 a method that is not in enum http_method
 *   503 too many connections or too much in memory          505 a version other than 1.0 and 1.1 */
#ifndef SPANDREL_NET_HTTP_SERVER_H
#define SPANDREL_NET_HTTP_SERVER_H

#include "base/log.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/net_cidr.h"
#include "net/tls_server.h"

struct http_server;
struct http_exchange;

// --- the request ---

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHODS
};

enum { HTTP_SEGMENTS_MAX = 16 };

// Borrowed: as long as the exchange.
struct http_head {
    enum http_method method;
    struct str method_name; // "POST"
    struct str target;      // as sent: "/h/a%20b?wait=true", "http://host/h/a?wait=true", or "*" with OPTIONS
    struct str path;        // as sent, up to the "?", without scheme and authority
    struct str query;       // as sent, behind the "?"; see http_form.h. Never log it whole: it may carry a secret
    // The path between its slashes, each decoded once, valid UTF-8 without controls: "/a/b" has two, "/a/" two, the
    // last empty, and "/" none.
    struct str segments[HTTP_SEGMENTS_MAX];
    size_t segment_count;
    const struct http_header *headers; // as sent, in order, values without blanks at both ends
    size_t header_count;
    unsigned minor;                // HTTP/1.minor: 0 or 1
    struct net_ip source;          // who asks: the peer, or whom a trusted proxy names
    char source_text[NET_IP_TEXT]; // the same in words; "unix" on a unix socket
    bool tls;                      // the connection is, or a trusted proxy says that the client's was
};

// The first header of that name, whose case is ignored: p is NULL when there is none, and not when it is empty.
struct str http_head_get(const struct http_head *h, const char *name);
size_t http_head_count(const struct http_head *h, const char *name);

// --- the handler ---

// None is called from inside a function of this header.
struct http_handler {
    // The head is there, nothing of the body is awaited yet: either answers with http_exchange_answer(), or returns how
    // many bytes of body are taken (HTTP_BODY_DEFAULT: the server's default; at most HTTP_BODY_MAX; 0: none). A larger
    // one is answered with 413; a client that waits for "100 Continue" gets it now. After an answer the value does not
    // count, and a body that still comes is dropped or the connection closed.
    size_t (*head)(void *ud, struct http_exchange *x);
    // The body is complete (also an empty one): answer now or later. Not called after an answer from head().
    void (*request)(void *ud, struct http_exchange *x);
    // Not answered yet, and never to be: the client went, its body was malformed, too large or late, or the server was
    // stopped. Follows head() in place of request(), or request(). The exchange is freed behind it. May be NULL.
    void (*gone)(void *ud, struct http_exchange *x);
};

enum { HTTP_BODY_MAX = 25 * 1024 * 1024, HTTP_ANSWER_MAX = 64 * 1024 * 1024 };
#define HTTP_BODY_DEFAULT SIZE_MAX

const struct http_head *http_exchange_head(const struct http_exchange *x);
// Complete once request() was called; borrowed until the answer or http_exchange_drop_body().
struct str http_exchange_body(const struct http_exchange *x);
// The body is not needed any more, the answer comes later: gives its memory back.
void http_exchange_drop_body(struct http_exchange *x);
// The handler's own, NULL at first.
void http_exchange_set_ud(struct http_exchange *x, void *ud);
void *http_exchange_ud(const struct http_exchange *x);

// Once, from 200 to 599; everything is copied, and the exchange is not the handler's any more (gone() does not follow).
// Date, Content-Length, Connection are the server's own: given here, or a header that is malformed, or a body beyond
// HTTP_ANSWER_MAX, makes it 500. With HEAD, 204 and 304 the body is not sent.
void http_exchange_answer(struct http_exchange *x, int status, const struct http_header *headers, size_t count,
                          struct str body);
// The same with an RFC 9457 body: {"type":"about:blank","title":"Not Found","status":404,"detail":...}. `type` may be
// NULL for about:blank; `detail` is UTF-8, may be empty and is cut at HTTP_DETAIL_MAX bytes; of the headers no more
// than HTTP_PROBLEM_HEADERS_MAX are taken.
enum { HTTP_DETAIL_MAX = 1024, HTTP_PROBLEM_HEADERS_MAX = 16 };
void http_exchange_problem(struct http_exchange *x, int status, const char *type, struct str detail,
                           const struct http_header *headers, size_t count);

// --- the server ---

struct http_server_limits { // 0 stands for the default
    size_t head;            // bytes of request line and headers, 16 KiB; at most 64 KiB
    size_t target;          // bytes of the request line, 8000
    unsigned headers;       // 64; at most 256
    size_t body;            // bytes, where head() returns HTTP_BODY_DEFAULT: 1 MiB
    int64_t head_ms;        // from its first byte (or the connection) to its end: 10 s
    int64_t request_ms;     // from the head's first byte to the body's last: 30 s
    int64_t idle_ms;        // between two requests: 60 s
    int64_t write_ms;       // until the peer has taken an answer: 30 s
    unsigned connections;   // in all: 1024, fewer where the process may not open so many files
    unsigned per_source;    // from one IPv4 address or IPv6 /64 that is no trusted proxy: 64
    unsigned pipelined;     // requests of one connection that wait for their answer: 16; reading pauses then
    size_t buffered;        // bytes of heads, bodies and input of all connections: 64 MiB
};

enum http_forwarded {
    HTTP_FORWARDED_X,   // X-Forwarded-For and X-Forwarded-Proto
    HTTP_FORWARDED_RFC, // Forwarded (RFC 7239)
};

struct http_server_config {
    struct http_server_limits limits;
    // Peers that may name another source: the last address they name that is not one of these is the source. Borrowed
    // while the server lives; NULL or empty: nobody's word counts. Which header they set; the other one is not read.
    const struct net_cidrs *trusted;
    enum http_forwarded forwarded;
    bool trust_unix; // peers on unix sockets are such proxies too
};

// `config` is copied (but for `trusted`), `handler` too; `log` must outlive the server's last connection, so the loop.
struct http_server *http_server_create(struct loop *l, const struct http_server_config *config,
                                       const struct http_handler *handler, void *ud, const struct log_ctx *log);
// Another place to listen at, HTTP_LISTENERS_MAX at most. As listener_tcp(); `tls` NULL for plain HTTP, else borrowed
// while the server lives. Port 0 takes a free one, told in *port, which may be NULL.
enum { HTTP_LISTENERS_MAX = 8 };
enum err http_server_listen(struct http_server *s, const char *host, uint16_t port, struct tls_server *tls,
                            uint16_t *taken, struct errmsg *msg) MUST_CHECK;
enum err http_server_listen_unix(struct http_server *s, const char *path, unsigned mode, struct errmsg *msg) MUST_CHECK;

// Accepts no more, closes what is idle, answers what is under way with "Connection: close"; what is left after
// `grace_ms` is reset (gone() says so). `stopped` comes once, when the last connection is closed, never from inside.
void http_server_stop(struct http_server *s, int64_t grace_ms, void (*stopped)(void *ud), void *ud);
// At once and without another callback: exchanges that are not answered are gone. Not from inside a handler, but from
// stopped(). NULL is fine.
void http_server_destroy(struct http_server *s);

struct http_server_stats { // since the start, but for the first two
    unsigned connections;
    size_t buffered;
    uint64_t accepted, refused; // connections; refused for a limit
    uint64_t requests;          // heads that were good
    uint64_t
        answers[6]; // by hundreds of the status, [0] for none: connections closed without an answer to a request begun
    uint64_t faults, timeouts; // connections ended for what came, or for what did not
};
struct http_server_stats http_server_stats(const struct http_server *s);

#endif
