/* Senders of webhooks: connections that are kept open, on each one request at a time. Reads of an answer its status and
 * its Content-Length. */
#ifndef SPANDREL_BENCH_HTTP_PEER_H
#define SPANDREL_BENCH_HTTP_PEER_H

#include "base/strbuf.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum { HTTP_PEER_MAX = 1024 };

struct http_call {
    int fd;
    bool busy;     // a request waits for its answer
    int64_t asked; // us: when it was to go out
    struct strbuf in;
};

struct http_peer {
    struct http_call calls[HTTP_PEER_MAX];
    size_t count;
    uint64_t answers, errors; // errors: of them those that were no 2xx, or cut off
    void (*answered)(void *ud, int64_t asked);
    void *ud;
};

// Connects so many to a port of the loopback, in place of those that are; false: errno.
bool http_peer_open(struct http_peer *h, unsigned port, size_t count);
void http_peer_close(struct http_peer *h);
bool http_peer_ready(const struct http_peer *h); // one is free
// A post to "bench" with this number in it. `key`: with an Idempotency-Key.
void http_peer_post(struct http_peer *h, uint64_t number, bool key, int64_t now);
void http_peer_watch(const struct http_peer *h, struct pollfd *fds); // `count` of them
void http_peer_work(struct http_peer *h, const struct pollfd *fds);

#endif
