/* Looking up a host's addresses without stopping the loop (private to this layer). */
#ifndef SPANDREL_NET_RESOLVE_H
#define SPANDREL_NET_RESOLVE_H

#include "net/loop.h"
#include "net/net_addr.h"

struct resolve;

// Never calls back from inside this call. `done` comes once: the addresses (borrowed for the call) with ERR_OK, or an
// error with its text; the resolve is gone then. A literal needs no lookup.
typedef void resolve_done(void *ud, enum err e, const char *why, const struct net_addrs *addrs);
struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_done *done, void *ud);
// No callback follows; NULL is fine.
void resolve_cancel(struct resolve *r);

#endif
