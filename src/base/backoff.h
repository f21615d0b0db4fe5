/* Reconnect delays: exponential with full jitter between a floor and a cap. */
#ifndef SPANDREL_BASE_BACKOFF_H
#define SPANDREL_BASE_BACKOFF_H

#include "base/rng.h"

struct backoff {
    int64_t floor_ms, cap_ms;
    unsigned tries; // since the last success
};

void backoff_init(struct backoff *b, int64_t floor_ms, int64_t cap_ms);
// The delay before the next try, in [floor, cap]; counts the try.
int64_t backoff_next(struct backoff *b, struct rng *r);
void backoff_reset(struct backoff *b);

#endif
