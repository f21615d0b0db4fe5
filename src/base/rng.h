/* Randomness: the kernel's for secrets and ids, a seeded generator for jitter, so that scenarios can be replayed. */
#ifndef SPANDREL_BASE_RNG_H
#define SPANDREL_BASE_RNG_H

#include "base/arena.h"

#include <stdint.h>

// Fills from getrandom(2); aborts if the kernel has none.
void rng_bytes(void *out, size_t n);

struct rng {
    uint64_t s[2]; // xoroshiro128+ state; not for secrets
};

void rng_init(struct rng *r, uint64_t seed); // the same seed gives the same numbers
uint64_t rng_next(struct rng *r);
// Uniform in [0, n); n > 0.
uint64_t rng_below(struct rng *r, uint64_t n);
// `n` characters of [a-z2-7] from the generator, for stanza ids.
struct str rng_id(struct rng *r, struct arena *a, size_t n);

#endif
