/* Records of one size in chunks that never move, named by 32-bit handles from 1; 0 names none.
 *
 * A record begins with a uint32_t: its own handle while it lives. Pointers to records stay good until pool_give(). */
#ifndef SPANDREL_CORE_POOL_H
#define SPANDREL_CORE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
    size_t size;    // bytes of a record
    char **chunks;  // owned
    uint32_t used;  // handles 1..used have been taken at least once
    uint32_t free;  // head of the chain of given ones
    uint32_t count; // live ones
};

void pool_init(struct pool *p, size_t size);
void pool_finish(struct pool *p);
// A zeroed record with its handle set.
void *pool_take(struct pool *p);
void pool_give(struct pool *p, void *record);
// NULL for 0 and for a handle that is not in use.
void *pool_at(const struct pool *p, uint32_t handle);
// The first live record with a handle above *at, which becomes its handle; NULL at the end. Records may come and go
// between two calls.
void *pool_next(const struct pool *p, uint32_t *at);
size_t pool_bytes(const struct pool *p);

#endif
