/* Token buckets by name: of sources and rooms, which strangers choose, so they are bounded. The one that was idle for
 * longest makes room; it would be full by then, or nearly. */
#ifndef SPANDREL_WEBHOOK_RATE_H
#define SPANDREL_WEBHOOK_RATE_H

#include "base/list.h"
#include "base/map.h"

#include <stdint.h>

enum { WEBHOOK_RATE_MAX = 10000 }; // buckets

struct webhook_rate {
    struct map by_name;
    struct list_node used; // least lately used first
};

void webhook_rate_init(struct webhook_rate *r);
void webhook_rate_finish(struct webhook_rate *r);
// Milliseconds until a request of this name may be taken: 0 now. A name not seen lately has a full bucket.
int64_t webhook_rate_wait(const struct webhook_rate *r, struct str name, int64_t now);
// Takes one, whether there is one or not, from a bucket that refills with `per_second` up to `burst`; 0 per second
// stands for no limit.
void webhook_rate_take(struct webhook_rate *r, struct str name, double per_second, double burst, int64_t now);

#endif
