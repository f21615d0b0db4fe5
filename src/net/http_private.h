/* What the files of the HTTP server share. */
#ifndef SPANDREL_NET_HTTP_PRIVATE_H
#define SPANDREL_NET_HTTP_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "net/http_reader.h"
#include "net/http_server.h"
#include "net/http_source.h"
#include "net/stream.h"

enum {
    HTTP_DRAIN_MAX = 65536,    // bytes of a body that nobody wants which are read, to keep the connection
    HTTP_PENDING_MAX = 262144, // bytes of answers that a peer may leave unread before no more requests are read
};

struct http_source_slot { // connections from one source
    struct net_ip key;
    unsigned count;
};

struct http_port { // a place to listen at
    struct http_server *server;
    struct listener *listener;
    struct tls_server *tls; // borrowed, NULL for plain
};

struct http_server {
    struct loop *loop;
    struct http_server_config config; // limits are all set
    struct http_handler handler;
    void *ud;
    const struct log_ctx *log;
    struct http_port ports[HTTP_LISTENERS_MAX];
    size_t port_count;
    struct list_node conns;
    struct list_node refusals; // connections that are told so and closed
    unsigned refusal_count, refusals_max;
    struct map sources; // of struct http_source_slot, by the first bytes of its key
    struct http_server_stats stats;
    struct strbuf scratch; // heads of answers
    int64_t date_at;       // the second that `date` tells
    char date[32];
    bool stopping;
    void (*stopped)(void *ud); // NULL once told
    void *stopped_ud;
    struct timer grace;
    struct defer farewell; // stopped() comes from here
};

enum http_exchange_state {
    EXCHANGE_HEAD,     // head() runs
    EXCHANGE_BODY,     // accepted, the body is coming
    EXCHANGE_ASKED,    // request() was called
    EXCHANGE_ANSWERED, // waits for its turn, or for the rest of a body that nobody wants
    EXCHANGE_SENT,     // the answer is out, the rest of the body is not in
};

struct http_exchange {
    struct list_node node; // of the connection's, in order of the requests, until it is sent
    struct http_conn *conn;
    struct http_message *message; // owned; NULL for a fault
    enum http_exchange_state state;
    struct strbuf body;
    size_t body_max;
    size_t received;   // bytes of body
    size_t charged;    // of the server's buffered bytes
    bool complete;     // all of the request is in
    bool close;        // the connection ends behind the answer
    bool expecting;    // "100 Continue" is to be sent
    struct strbuf out; // an answer that waits for its turn
    void *ud;
};

struct http_conn {
    struct http_server *server; // NULL once that is gone
    struct list_node node;
    struct stream *stream;
    struct http_source_slot *slot; // NULL where nobody counts
    struct net_ip peer;
    bool tls;
    struct list_node exchanges; // not yet sent
    unsigned count;
    struct http_exchange *incoming; // whose body is coming
    struct http_reader reader;
    enum http_fault body_fault; // why the reader's body callback refused
    struct strbuf input;        // came while nothing was to be read
    size_t input_charged;
    bool last;       // no more requests: it closes when the answers are out
    bool eof;        // the peer's end has come
    bool served;     // a request was read
    bool ending;     // the stream is being closed
    int64_t begun;   // of the head that is coming or has come last
    int64_t idle;    // since when nothing is under way
    int64_t writing; // since when output is pending; INT64_MAX: none
    int64_t ended;   // when the peer's end came
    int64_t armed;   // what the timer is set to; it may be early
    struct timer timer;
    struct defer turn;
};

// http_conn.c: the stream's events are its own from here on.
struct http_conn *http_conn_create(struct http_server *s, struct stream *stream, struct tls_server *tls,
                                   const struct net_ip *peer, struct http_source_slot *slot);
void http_conn_abandon(struct http_conn *c); // the server goes: no callback, the connection is reset
void http_conn_sent(struct http_conn *c);    // an answer was given to the stream
// Looks what is to be done next, at the turn's end.
void http_conn_wake(struct http_conn *c);

// http_exchange.c
struct http_exchange *http_exchange_create(struct http_conn *c, struct http_message *m);
void http_exchange_destroy(struct http_exchange *x);
// The server answers in the place of whoever was to: gone() where the handler knows of it.
void http_exchange_fault(struct http_exchange *x, enum http_fault f);
// A fault with no exchange of its own: its answer follows those that are under way.
void http_conn_refuse(struct http_conn *c, enum http_fault f);
// Writes what is due, in order.
void http_exchange_advance(struct http_conn *c);
// Never to be answered.
void http_exchange_gone(struct http_exchange *x);
// A body may grow by n bytes, or the reason why not.
enum http_fault http_exchange_grow(struct http_exchange *x, struct str piece);

// http_answer.c: appends a whole answer. `x` may be NULL (no request).
struct http_answer_form {
    int status;
    const struct http_header *headers;
    size_t count;
    struct str body;
    bool head_only;  // to HEAD
    bool close;      // "Connection: close"
    bool keep_alive; // "Connection: keep-alive", for HTTP/1.0
};
bool http_answer_headers_good(const struct http_header *headers, size_t count);
void http_answer_write(struct strbuf *out, const char *date, const struct http_answer_form *form);
// An RFC 9457 body, to be finished by the caller.
void http_problem_body(struct strbuf *out, int status, const char *type, struct str detail);

// http_server.c
bool http_server_charge(struct http_server *s, size_t n); // false: too much is buffered
void http_server_release(struct http_server *s, size_t n);
const char *http_server_date(struct http_server *s);
void http_server_forget(struct http_conn *c); // closed

#endif
