/* An HTTP client on the loop: one request at a time a call, bounded in time and size.
 *
 * HTTP/1.1 over TCP or TLS (verified: chain, name, TLS 1.2 or newer); http and https alone, no proxy, no cookies, and a
 * redirection is an answer like any other: it is not followed. */
#ifndef SPANDREL_NET_HTTP_CLIENT_H
#define SPANDREL_NET_HTTP_CLIENT_H

#include "base/err.h"
#include "net/http.h"
#include "net/loop.h"

struct http;      // the client
struct http_call; // a request under way

enum {
    HTTP_URL_MAX = 4096,
    HTTP_HEADERS_MAX = 16,
    HTTP_ANSWER_HEAD_MAX = 65536, // bytes of all headers of an answer
    HTTP_CONNECT_MS = 5000,       // resolve, connect, handshake
    HTTP_SLOW_BYTES = 256,        // a second, on average, ...
    HTTP_SLOW_S = 10,             // ... over so long: less, and the call is given up
};

struct http_request {   // borrowed for the call; the body until it is done
    const char *method; // "PUT", "POST", "GET"
    struct str url;
    const struct http_header *headers;
    size_t header_count;
    struct str body;     // with GET none is sent unless there is one
    const char *ca_file; // PEM; NULL: the system's
    int64_t total_ms;    // for all of it
    size_t answer_max;   // bytes of the answer's body: more is an error
};

struct http_answer {
    int status;
    struct str body; // borrowed for the callback
};

// Once: ERR_OK with the answer, whatever its status; else `why` says what failed ("connection refused", without the
// URL), and `answer` is NULL. The call is gone then. Never from inside http_send().
typedef void http_done(void *ud, enum err e, const char *why, const struct http_answer *answer);

struct http *http_create(struct loop *l);
// No callback of calls under way follows.
void http_destroy(struct http *h);

// ERR_BADREQ, ERR_LIMIT, ERR_UNSUPPORTED (no http or https), with a text: nothing was begun.
enum err http_send(struct http *h, const struct http_request *request, http_done *done, void *ud,
                   struct http_call **out, struct errmsg *msg) MUST_CHECK;
// No callback follows; NULL is fine.
void http_cancel(struct http_call *c);

// Whether this may stand in a request: printable ASCII without blanks, http or https, a host, no user or password.
bool http_url_good(struct str url);

#endif
