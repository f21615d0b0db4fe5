#include "base/rng.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <sys/random.h>

static void from_kernel(void *out, size_t n)
{
    unsigned char *at = out;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            err_fatal("getrandom: %s", strerror(errno));
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

/* A call of the kernel for each id would cost more than the id: some are taken ahead. Bytes that were handed out are
 * gone from there. A child of fork() would have the same ones: there is none that asks. */
void rng_bytes(void *out, size_t n)
{
    static _Thread_local struct {
        unsigned char bytes[512];
        size_t left;
    } ahead;
    if (n == 0 || n > sizeof ahead.bytes / 8) {
        from_kernel(out, n);
        return;
    }
    if (n > ahead.left) {
        from_kernel(ahead.bytes, sizeof ahead.bytes);
        ahead.left = sizeof ahead.bytes;
    }
    ahead.left -= n;
    memcpy(out, ahead.bytes + ahead.left, n);
    memset(ahead.bytes + ahead.left, 0, n);
}

// splitmix64, to spread a small seed over the state.
static uint64_t spread(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_init(struct rng *r, uint64_t seed)
{
    r->s[0] = spread(&seed);
    r->s[1] = spread(&seed);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t rng_next(struct rng *r)
{
    uint64_t a = r->s[0], b = r->s[1];
    uint64_t out = a + b;
    b ^= a;
    r->s[0] = rotate(a, 24) ^ b ^ (b << 16);
    r->s[1] = rotate(b, 37);
    return out;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    assert(n > 0);
    uint64_t uneven = (UINT64_MAX - n + 1) % n; // 2^64 mod n: numbers below it would come once too often
    uint64_t v;
    do
        v = rng_next(r);
    while (v < uneven);
    return v % n;
}

struct str rng_id(struct rng *r, struct arena *a, size_t n)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    char *p = arena_alloc(a, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = alphabet[rng_next(r) >> 59];
    p[n] = '\0';
    return (struct str){p, n};
}
