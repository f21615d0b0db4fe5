/* Token bucket in virtual time. */
#ifndef SPANDREL_BASE_RATELIMIT_H
#define SPANDREL_BASE_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct ratelimit {
    int64_t at; // monotonic ms of the last refill
    double tokens;
    double per_sec; // refill
    double burst;   // size of the bucket
};

void ratelimit_init(struct ratelimit *r, double per_sec, double burst, int64_t now);
// Takes one token; false when there is none.
bool ratelimit_take(struct ratelimit *r, int64_t now);
// Milliseconds until a token is there; 0 when one is.
int64_t ratelimit_wait(const struct ratelimit *r, int64_t now);

#endif
