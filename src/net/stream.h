/* A byte stream: TCP or TLS over it behind one face, and how to dial one.
 *
 * Dialling resolves off the loop, tries the addresses by happy eyeballs (RFC 8305), sets TCP_NODELAY, keep-alive and
 * TCP_USER_TIMEOUT (20 s), and does the TLS handshake where asked (verification on by default: chain, name, TLS 1.2 or
 * newer). Writes are gathered and go out once per loop turn. */
#ifndef SPANDREL_NET_STREAM_H
#define SPANDREL_NET_STREAM_H

#include "base/err.h"
#include "base/log.h"
#include "net/loop.h"

struct sockaddr_storage;
struct stream;
struct tls_server;

struct stream_tls {                   // borrowed for the dial call, copied
    bool on;                          // direct TLS
    const char *name;                 // SNI and the name to verify; NULL: the host dialled
    const char *ca_file;              // PEM; NULL: the system's
    const char *cert_file, *key_file; // client certificate, or NULL
    bool insecure;                    // no verification: only for what the operator named
};

// None is called from inside a function of this header. After stream_close() or stream_reset() only closed() comes.
struct stream_events {
    void (*open)(void *ud); // connected, TLS handshake done; an accepted stream is open already. May be NULL
    void (*data)(void *ud, struct str bytes); // borrowed for the call
    void (*drained)(void *ud); // pending output fell to the low mark after it was above the high one. May be NULL
    // The last call: ERR_OK after an orderly EOF (TLS: close_notify or EOF) or stream_close(), ERR_CLOSED after a reset
    // by either side; any other error says in `why` which address it is about. The stream is freed behind it.
    void (*closed)(void *ud, enum err e, const char *why);
    // The peer will send no more, and may still read: the owner closes when it has said what it has to. NULL: what is
    // pending goes out, and closed() follows.
    void (*eof)(void *ud);
};

// Of output, bytes: a stream whose owner writes on beyond it is closed with ERR_LIMIT.
enum { STREAM_PENDING_MAX = 128 * 1024 * 1024 };

struct stream_limits {
    size_t high, low;   // marks of pending output, bytes
    int64_t connect_ms; // for all of it: resolve, connect, handshake; 0: no deadline of ours
};

// Never fails at once: errors come through closed(), never from inside this call. `log` must outlive the stream.
// `ev` is copied; `tls` may be NULL.
struct stream *stream_dial(struct loop *l, const char *host, uint16_t port, const struct stream_tls *tls,
                           const struct stream_limits *limits, const struct stream_events *ev, void *ud,
                           const struct log_ctx *log);

// A listener on a unix socket or TCP, for the control socket (and later HTTP). NULL with a text when it cannot listen.
struct listener;
// The socket has `mode` and is never open to more; one left behind by a dead process is replaced, a live one never.
struct listener *listener_unix(struct loop *l, const char *path, unsigned mode,
                               void (*accepted)(void *ud, struct stream *s), void *ud, struct errmsg *msg);
// `host` is an address ("::" for all of both families) or "localhost"; port 0 takes a free one.
struct listener *listener_tcp(struct loop *l, const char *host, uint16_t port,
                              void (*accepted)(void *ud, struct stream *s), void *ud, struct errmsg *msg);
uint16_t listener_port(const struct listener *ln); // 0 for a unix socket
void listener_close(struct listener *ln);          // no callback follows; a unix socket is unlinked; NULL is fine
// An accepted stream is silent until it is given its events; without them stream_reset() ends it.
void stream_serve(struct stream *s, const struct stream_limits *limits, const struct stream_events *ev, void *ud,
                  const struct log_ctx *log);
// The same behind a TLS handshake as its server, for which limits->connect_ms holds; open() comes when it is done.
void stream_serve_tls(struct stream *s, struct tls_server *tls, const struct stream_limits *limits,
                      const struct stream_events *ev, void *ud, const struct log_ctx *log);

void stream_write(struct stream *s, struct str bytes); // copies; ignored once closing
size_t stream_pending(const struct stream *s);         // bytes accepted and not yet given to the kernel
// The same, and those that the kernel has and the peer's has not acknowledged: a peer that reads makes them fewer.
size_t stream_unacknowledged(const struct stream *s);
bool stream_above_high(const struct stream *s);
void stream_pause(struct stream *s, bool paused); // stop or go on reading
// Flushes what is pending, ends our side and waits for the peer's end; closed() follows. All of it may take 2 s; what
// comes in meanwhile is dropped. Before open(): closes at once.
void stream_close(struct stream *s);
// Drops everything now (RST); closed() follows, never from inside this call.
void stream_reset(struct stream *s);
const char *stream_peer(const struct stream *s); // "[::1]:5347", of the connected address, or "unix"; "" before
// The connected address; AF_UNIX or AF_UNSPEC in its family where there is none.
const struct sockaddr_storage *stream_address(const struct stream *s);

#endif
