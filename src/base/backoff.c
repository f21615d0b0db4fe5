#include "base/backoff.h"

#include <assert.h>

void backoff_init(struct backoff *b, int64_t floor_ms, int64_t cap_ms)
{
    assert(floor_ms >= 0 && floor_ms <= cap_ms);
    *b = (struct backoff){.floor_ms = floor_ms, .cap_ms = cap_ms};
}

// The first delay is spread too: many links that were lost together must not come back together.
int64_t backoff_next(struct backoff *b, struct rng *r)
{
    int64_t top = b->floor_ms > 0 ? b->floor_ms : 1;
    for (unsigned i = 0; i <= b->tries && top < b->cap_ms; i++)
        top = top > b->cap_ms / 2 ? b->cap_ms : top * 2;
    if (top > b->cap_ms)
        top = b->cap_ms;
    if (b->tries < UINT32_MAX)
        b->tries++;
    return b->floor_ms + (int64_t)rng_below(r, (uint64_t)(top - b->floor_ms) + 1);
}

void backoff_reset(struct backoff *b)
{
    b->tries = 0;
}
