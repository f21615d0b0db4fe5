#include "base/map.h"

#include "base/mem.h"

#include <assert.h>

enum { SMALLEST = 8 };

struct map_slot {
    uint64_t hash;
    struct str key;
    void *value; // NULL: free; &tomb: taken out, the search goes on behind it
};

static char tomb;
static uint64_t seed[2];

void map_seed(const uint8_t key[16])
{
    memcpy(seed, key, sizeof seed);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_block(uint64_t v[4], uint64_t block)
{
    v[3] ^= block;
    sip_round(v);
    v[0] ^= block;
}

// SipHash-1-3 (Aumasson and Bernstein); words are taken in the machine's order: the hash never leaves the process.
uint64_t map_hash(struct str s)
{
    uint64_t v[4] = {
        seed[0] ^ UINT64_C(0x736f6d6570736575),
        seed[1] ^ UINT64_C(0x646f72616e646f6d),
        seed[0] ^ UINT64_C(0x6c7967656e657261),
        seed[1] ^ UINT64_C(0x7465646279746573),
    };
    size_t at = 0;
    for (; at + 8 <= s.n; at += 8) {
        uint64_t block;
        memcpy(&block, s.p + at, 8);
        sip_block(v, block);
    }
    uint64_t last = (uint64_t)s.n << 56;
    for (unsigned i = 0; at + i < s.n; i++)
        last |= (uint64_t)(unsigned char)s.p[at + i] << (8 * i);
    sip_block(v, last);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_init(struct map *m)
{
    *m = (struct map){0};
}

void map_finish(struct map *m)
{
    mem_free(m->slots);
    map_init(m);
}

static bool slot_used(const struct map_slot *slot)
{
    return slot->value && slot->value != &tomb;
}

// The slot of the key, or NULL. A table is never full, so the search ends at a free slot.
static struct map_slot *find(const struct map *m, struct str key, uint64_t hash)
{
    if (m->cap == 0)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *slot = &m->slots[i];
        if (!slot->value)
            return NULL;
        if (slot->hash == hash && slot->value != &tomb && str_eq(slot->key, key))
            return slot;
    }
}

static struct map_slot *find_free(const struct map *m, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);
    while (slot_used(&m->slots[i]))
        i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

// Makes room for one more and drops the tombs: at most half of the new table is used.
static void rehash(struct map *m)
{
    struct map old = *m;
    size_t cap = SMALLEST;
    while (cap / 2 < old.count + 1)
        cap *= 2;
    *m = (struct map){.slots = mem_zalloc(cap, sizeof *m->slots), .cap = cap, .count = old.count};
    for (size_t i = 0; i < old.cap; i++)
        if (slot_used(&old.slots[i]))
            *find_free(m, old.slots[i].hash) = old.slots[i];
    mem_free(old.slots);
}

void *map_get(const struct map *m, struct str key)
{
    const struct map_slot *slot = find(m, key, map_hash(key));
    return slot ? slot->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    assert(value);
    uint64_t hash = map_hash(key);
    struct map_slot *slot = find(m, key, hash);
    if (slot) {
        void *before = slot->value;
        *slot = (struct map_slot){hash, key, value};
        return before;
    }
    if (m->count + m->tombs >= m->cap / 4 * 3)
        rehash(m);
    slot = find_free(m, hash);
    m->tombs -= slot->value == &tomb;
    m->count++;
    *slot = (struct map_slot){hash, key, value};
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    struct map_slot *slot = find(m, key, map_hash(key));
    if (!slot)
        return NULL;
    void *value = slot->value;
    size_t next = ((size_t)(slot - m->slots) + 1) & (m->cap - 1);
    bool ends_run = !m->slots[next].value;
    *slot = (struct map_slot){.value = ends_run ? NULL : &tomb};
    m->tombs += !ends_run;
    m->count--;
    return value;
}

void map_clear(struct map *m)
{
    if (m->cap != 0)
        memset(m->slots, 0, m->cap * sizeof *m->slots);
    m->count = m->tombs = 0;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
    for (; *at < m->cap; ++*at) {
        const struct map_slot *slot = &m->slots[*at];
        if (!slot_used(slot))
            continue;
        if (key)
            *key = slot->key;
        if (value)
            *value = slot->value;
        ++*at;
        return true;
    }
    return false;
}
