/* Holds back who fails to authenticate again and again: a token bucket for each IPv4 address and each IPv6 /64 that
 * did, in a table with a bound.
 *
 * Only refusals cost; who succeeds is never held back for it. A source that has used up its bucket gets 429 with
 * Retry-After before anything of it is checked, whether its credentials are right or not: else the answer would tell.
 */
#ifndef SPANDREL_WEBHOOK_THROTTLE_H
#define SPANDREL_WEBHOOK_THROTTLE_H

#include "net/net_cidr.h"

struct webhook_throttle;

enum {
    WEBHOOK_THROTTLE_SOURCES = 4096,
    WEBHOOK_THROTTLE_BURST = 20,
    WEBHOOK_THROTTLE_PER_MINUTE = 10,
};

// At most `sources` (> 0) are remembered: the one that failed longest ago makes room. Each may fail `burst` times at
// once and `per_minute` times a minute for ever.
struct webhook_throttle *webhook_throttle_create(size_t sources, double per_minute, double burst);
void webhook_throttle_destroy(struct webhook_throttle *t); // NULL is fine

// 0: check it. Else the whole seconds for Retry-After, at least 1: answer 429. `now`: monotonic ms. Sources that are
// unknown (unix sockets) are one source.
int64_t webhook_throttle_wait(const struct webhook_throttle *t, const struct net_ip *source, int64_t now);
// A check has refused this source.
void webhook_throttle_failed(struct webhook_throttle *t, const struct net_ip *source, int64_t now);
size_t webhook_throttle_count(const struct webhook_throttle *t); // sources remembered

#endif
