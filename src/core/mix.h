/* Spreads the bits of small integers and joins hashes, for the core's indexes (the finaliser of splitmix64). */
#ifndef SPANDREL_CORE_MIX_H
#define SPANDREL_CORE_MIX_H

#include <stdint.h>

static inline uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
