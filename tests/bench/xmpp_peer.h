/* A fake XMPP server on its component port (XEP-0114): takes any secret, echoes what the component says to itself,
 * counts all else. It reads no XML but tags. It also has a room for each address of rooms.bench, which lets everybody
 * in and sends what is said there back to who said it. */
#ifndef SPANDREL_BENCH_XMPP_PEER_H
#define SPANDREL_BENCH_XMPP_PEER_H

#include "peer.h"

#define BENCH_DOMAIN "bridge.bench"

struct xmpp_peer {
    struct peer peer;
    enum { XMPP_CLOSED, XMPP_HANDSHAKE, XMPP_UP } state;
    unsigned connections; // that came up
    size_t scanned;       // of peer.in
    int depth;
    uint64_t messages, available, unavailable, results, errors, others; // stanzas that came
    uint64_t reflected;                                                 // of the messages: those to rooms
    // A device went away; may be NULL.
    void (*gone)(void *ud, unsigned device);
    void *ud;
};

void xmpp_peer_work(struct xmpp_peer *x, const struct pollfd fds[2]);

// What a user says: to a device, or to the component where that is all there is.
void xmpp_peer_chat(struct xmpp_peer *x, unsigned user, unsigned device, uint64_t serial);
void xmpp_peer_ping(struct xmpp_peer *x, unsigned user, uint64_t serial);
void xmpp_peer_disco(struct xmpp_peer *x, unsigned user, unsigned device, uint64_t serial);

#endif
