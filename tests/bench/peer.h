/* A listening socket of the fakes and the one connection on it, with buffers for both directions. */
#ifndef SPANDREL_BENCH_PEER_H
#define SPANDREL_BENCH_PEER_H

#include "base/strbuf.h"

#include <poll.h>
#include <stdbool.h>

struct peer {
    int listener, fd; // fd: -1 when nobody is connected
    int port;
    struct strbuf in, out;
    size_t sent;  // of out
    bool stalled; // neither reads nor writes
};

enum peer_news { PEER_NOTHING, PEER_CONNECTED, PEER_READ, PEER_CLOSED };

bool peer_listen(struct peer *p); // on a free port of the loopback; false: errno
void peer_finish(struct peer *p);
void peer_drop(struct peer *p);
void peer_watch(const struct peer *p, struct pollfd fds[2]);
// After the poll: accepts, reads into `in`, writes from `out`.
enum peer_news peer_work(struct peer *p, const struct pollfd fds[2]);
// Whether more output should be made now: what waits is bounded.
bool peer_hungry(const struct peer *p);

#endif
