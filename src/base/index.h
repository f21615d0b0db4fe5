/* A compact hash index from a hash to a 32-bit handle, for tables whose records live in an array of their own (8 bytes
 * a slot).
 *
 * The index stores the handle and the upper half of the hash; equality of keys is decided by the owner, who walks the
 * candidates. */
#ifndef SPANDREL_BASE_INDEX_H
#define SPANDREL_BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct index_slot;

struct index {
    struct index_slot *slots; // owned
    size_t cap;               // a power of two, or 0
    size_t count;
    size_t tombs;
};

void index_init(struct index *ix);
void index_finish(struct index *ix);
void index_add(struct index *ix, uint64_t hash, uint32_t handle);
// Removes the entry with exactly this hash and handle; false when there is none.
bool index_remove(struct index *ix, uint64_t hash, uint32_t handle);
// The handles that may have this hash: start with *at = SIZE_MAX; INDEX_NONE at the end.
uint32_t index_next(const struct index *ix, uint64_t hash, size_t *at);

#endif
