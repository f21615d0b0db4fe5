/* Hash map from byte strings to pointers: open addressing, SipHash-1-3 under a per-process random key, since JIDs,
 * nicks and topics are chosen by strangers. */
#ifndef SPANDREL_BASE_MAP_H
#define SPANDREL_BASE_MAP_H

#include "base/str.h"

struct map_slot;

struct map {
    struct map_slot *slots; // owned
    size_t cap;             // a power of two, or 0
    size_t count;
    size_t tombs;
};

void map_init(struct map *m);
void map_finish(struct map *m); // keys and values are the caller's

void *map_get(const struct map *m, struct str key); // NULL when absent
// The key is borrowed: it must outlive its entry. Returns the value it replaced, or NULL. When it replaces, the stored
// key becomes `key` too. `value` must not be NULL.
void *map_put(struct map *m, struct str key, void *value);
// Returns the value taken out, or NULL.
void *map_remove(struct map *m, struct str key);
void map_clear(struct map *m);

// Visits entries in no order: start with *at = 0; false at the end. map_remove() of the entry just seen is safe,
// map_put() is not.
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

// SipHash-1-3 of s under the process's key; also for other indexes.
uint64_t map_hash(struct str s);
// Sets that key; call once at start with random bytes. A fixed key serves tests.
void map_seed(const uint8_t key[16]);

#endif
