#include "base/index.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum { SMALLEST = 16, TAG_FREE = 0, TAG_TOMB = 1 };

// The tag is the upper half of the hash: it gives the place too, so that the table can grow without asking the owner
// for hashes.
struct index_slot {
    uint32_t handle; // INDEX_NONE: free or taken out, as the tag says
    uint32_t tag;
};

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static bool slot_free(const struct index_slot *s)
{
    return s->handle == INDEX_NONE && s->tag == TAG_FREE;
}

void index_init(struct index *ix)
{
    *ix = (struct index){0};
}

void index_finish(struct index *ix)
{
    mem_free(ix->slots);
    index_init(ix);
}

static struct index_slot *slots_new(size_t cap)
{
    struct index_slot *slots = mem_alloc(mem_product(cap, sizeof *slots));
    for (size_t i = 0; i < cap; i++)
        slots[i] = (struct index_slot){INDEX_NONE, TAG_FREE};
    return slots;
}

static void place(struct index *ix, struct index_slot entry)
{
    size_t i = entry.tag & (ix->cap - 1);
    while (ix->slots[i].handle != INDEX_NONE)
        i = (i + 1) & (ix->cap - 1);
    ix->tombs -= ix->slots[i].tag == TAG_TOMB;
    ix->slots[i] = entry;
}

// Makes room for one more and drops the tombs: at most half of the new table is used.
static void rehash(struct index *ix)
{
    struct index old = *ix;
    size_t cap = SMALLEST;
    while (cap / 2 < old.count + 1)
        cap *= 2;
    *ix = (struct index){.slots = slots_new(cap), .cap = cap, .count = old.count};
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i].handle != INDEX_NONE)
            place(ix, old.slots[i]);
    mem_free(old.slots);
}

void index_add(struct index *ix, uint64_t hash, uint32_t handle)
{
    assert(handle != INDEX_NONE);
    if (ix->count + ix->tombs >= ix->cap / 4 * 3)
        rehash(ix);
    place(ix, (struct index_slot){handle, tag_of(hash)});
    ix->count++;
}

uint32_t index_next(const struct index *ix, uint64_t hash, size_t *at)
{
    if (ix->cap == 0)
        return INDEX_NONE;
    size_t mask = ix->cap - 1;
    uint32_t tag = tag_of(hash);
    size_t i = *at == SIZE_MAX ? tag & mask : (*at + 1) & mask;
    for (; !slot_free(&ix->slots[i]); i = (i + 1) & mask) {
        if (ix->slots[i].tag == tag && ix->slots[i].handle != INDEX_NONE) {
            *at = i;
            return ix->slots[i].handle;
        }
    }
    return INDEX_NONE;
}

bool index_remove(struct index *ix, uint64_t hash, uint32_t handle)
{
    size_t at = SIZE_MAX;
    uint32_t found;
    do
        found = index_next(ix, hash, &at);
    while (found != handle && found != INDEX_NONE);
    if (found == INDEX_NONE)
        return false;
    bool ends_run = slot_free(&ix->slots[(at + 1) & (ix->cap - 1)]);
    ix->slots[at] = (struct index_slot){INDEX_NONE, ends_run ? TAG_FREE : TAG_TOMB};
    ix->tombs += !ends_run;
    ix->count--;
    return true;
}
