/* From a host and a port to a connected socket (private to this layer). */
#ifndef SPANDREL_NET_DIAL_H
#define SPANDREL_NET_DIAL_H

#include "net/loop.h"
#include "net/net_addr.h"

enum { DIAL_STAGGER_MS = 250 }; // RFC 8305 section 5: Connection Attempt Delay

union net_handle { // on the heap of its own: it may outlive who used it by a turn
    uv_handle_t any;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
};

struct dial;

// `done` comes once, never from inside dial_start(), and the dial is gone then: a connected handle (taken), or NULL and
// an error with a text that names what was tried.
typedef void dial_done(void *ud, union net_handle *h, enum err e, const char *why);
struct dial *dial_start(struct loop *l, const char *host, uint16_t port, dial_done *done, void *ud);
// The same without a lookup: the addresses of one host in order of preference.
struct dial *dial_start_at(struct loop *l, const struct net_addrs *addrs, dial_done *done, void *ud);
// No callback follows; NULL is fine.
void dial_cancel(struct dial *d);
// What is being waited for: "looking up example.org", "connecting to [::1]:5347, 127.0.0.1:5347".
void dial_describe(const struct dial *d, struct errmsg *out);

// Closes a handle that no one else uses, and frees it when libuv has let go.
void net_handle_close(union net_handle *h);
// TCP_NODELAY, keep-alive and TCP_USER_TIMEOUT; nothing for a pipe.
void net_handle_tune(union net_handle *h);

#endif
