/* The component side of XEP-0114 as a state machine without I/O: bytes in, stanzas out, deadlines asked for.
 *
 *   IDLE -> CONNECTING -> HEADER -> HANDSHAKE -> UP -> CLOSING -> IDLE        any failure -> WAITING -> CONNECTING
 *
 * The owner carries the bytes: it dials when component_wants_connect(), tells what happened, feeds what
 * comes, writes what stands in component_output(), and calls component_tick() when component_deadline() has come. Every
 * way a stream can end has a retry class, with a message that says what to change on which server. Liveness: a
 * self-addressed IQ after 8 s of silence, 10 s for its answer; 8 nonces after each connect find a twin that shares the
 * domain (ejabberd); where the server does not echo, its domain is pinged. */
#ifndef SPANDREL_XMPP_COMPONENT_H
#define SPANDREL_XMPP_COMPONENT_H

#include "base/log.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "xml/xml_node.h"

struct component;

enum component_state {
    COMPONENT_IDLE,       // not started, or shut down for good
    COMPONENT_WAITING,    // for the next try
    COMPONENT_CONNECTING, // the owner dials
    COMPONENT_HEADER,     // header sent
    COMPONENT_HANDSHAKE,  // digest sent
    COMPONENT_UP,
    COMPONENT_CLOSING // </stream:stream> sent, draining to EOF
};

// What ends a link decides when it is tried again. The first try after a link that was up comes within 1 s.
enum component_retry {
    COMPONENT_RETRY_NET,      // refused, EOF, reset, timeout: from 1 s, cap 5 s, jitter
    COMPONENT_RETRY_CONFIG,   // host-unknown, not-authorized, TLS verification, ...: 30 to 60 s, and what to change
    COMPONENT_RETRY_GHOST,    // conflict during the handshake, maybe our own half-open twin: 5 to 60 s
    COMPONENT_RETRY_REPLACED, // conflict on a stream that was up: another took over; 5 to 10 min, said loudly
    COMPONENT_RETRY_PROTO     // the server sent what is no XMPP: 10 to 60 s
};

struct component_config { // borrowed for the call, copied
    struct str domain;    // ours: "bridge.example.org"
    struct str secret;
    struct str server; // for messages: "127.0.0.1:5347"
    uint64_t seed;     // jitter and nonces
};

// None is called from inside component_create() or component_destroy(); each may call component_shutdown().
struct component_events {
    // The handshake is done.
    void (*up)(void *ud);
    // It was up and is no more: once per outage, and with ERR_OK at the end of a shutdown.
    void (*down)(void *ud, enum err e, struct str why);
    // While UP, and after a shutdown until the stream ends; own pings are not shown.
    void (*stanza)(void *ud, const struct xml_node *stanza);
    void (*oversize)(void *ud, const struct xml_node *head);
    // Something an admin must know (twin, replaced, configuration): once per outage and retry class.
    void (*notice)(void *ud, struct str text);
};

struct component *component_create(const struct component_config *cfg, const struct component_events *ev, void *ud,
                                   const struct log_ctx *log);
void component_destroy(struct component *c);

void component_start(struct component *c, int64_t now);
bool component_wants_connect(const struct component *c); // the owner is to dial now; true until component_dialled()
// The owner is to close the transport (or to give up dialling) now; true until component_closed() ...
bool component_wants_close(const struct component *c);
// ... and to drop what is unsent: the other side does not answer.
bool component_wants_reset(const struct component *c);
void component_dialled(struct component *c, int64_t now);                // the owner has begun to dial
void component_opened(struct component *c, int64_t now);                 // the transport is there: header goes out
void component_feed(struct component *c, struct str bytes, int64_t now); // any split
// The transport is gone, or dialling failed; ERR_OK after an orderly end. `why` may be NULL.
void component_closed(struct component *c, enum err e, const char *why, int64_t now);
void component_tick(struct component *c, int64_t now);
// The server is slow: it has not yet read all that was written, but more than when this was last said. So it lives, and
// its time to answer counts from now.
void component_slow(struct component *c, int64_t now);
int64_t component_deadline(const struct component *c); // INT64_MAX: none
// Bytes to be written: the owner takes them (strbuf_consume) and writes at once. Bounded (8 MiB); xml_begin() on it is
// how stanzas go out while UP. What events write into it after a shutdown is dropped.
struct strbuf *component_output(struct component *c);
// The next connection is made with this secret, to a server called this; the present one is ended in good order, and
// the next is tried at once. Nothing but the words change while it is not started, or shut down for good.
void component_renew(struct component *c, struct str secret, struct str server, int64_t now);
// Ends for good: </stream:stream>, read to EOF (5 s), then IDLE. From any state, and from inside any event.
void component_shutdown(struct component *c, int64_t now);

enum component_state component_state(const struct component *c);
// "up for 12 min", "waiting 3 s to try again: connection refused (is Prosody listening on 127.0.0.1:5347?)": for
// status, in the arena.
struct str component_status(const struct component *c, struct arena *a, int64_t now);

#endif
