#include "core/pool.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

enum { CHUNK = 1024 }; // records

void pool_init(struct pool *p, size_t size)
{
    assert(size >= sizeof(uint32_t));
    *p = (struct pool){.size = size};
}

static size_t chunk_count(const struct pool *p)
{
    return ((size_t)p->used + CHUNK - 1) / CHUNK;
}

void pool_finish(struct pool *p)
{
    for (size_t i = 0; i < chunk_count(p); i++)
        mem_free(p->chunks[i]);
    mem_free(p->chunks);
    *p = (struct pool){.size = p->size};
}

// The first word of the record in a slot: its handle when live, else the next free handle (which is never its own).
static uint32_t *slot(const struct pool *p, uint32_t handle)
{
    size_t at = handle - 1;
    return (uint32_t *)(void *)(p->chunks[at / CHUNK] + at % CHUNK * p->size);
}

static uint32_t fresh(struct pool *p)
{
    assert(p->used < UINT32_MAX - 1);
    size_t chunks = chunk_count(p);
    if (p->used == chunks * CHUNK) {
        if ((chunks & (chunks - 1)) == 0) // the table of chunks doubles
            p->chunks = mem_realloc(p->chunks, chunks ? chunks * 2 : 1, sizeof *p->chunks);
        p->chunks[chunks] = mem_zalloc(CHUNK, p->size);
    }
    return ++p->used;
}

void *pool_take(struct pool *p)
{
    uint32_t handle = p->free;
    if (handle)
        p->free = *slot(p, handle);
    else
        handle = fresh(p);
    uint32_t *record = slot(p, handle);
    memset(record, 0, p->size);
    *record = handle;
    p->count++;
    return record;
}

void pool_give(struct pool *p, void *record)
{
    uint32_t *word = record;
    uint32_t handle = *word;
    assert(pool_at(p, handle) == record);
    *word = p->free;
    p->free = handle;
    p->count--;
}

void *pool_at(const struct pool *p, uint32_t handle)
{
    if (!handle || handle > p->used)
        return NULL;
    uint32_t *record = slot(p, handle);
    return *record == handle ? record : NULL;
}

void *pool_next(const struct pool *p, uint32_t *at)
{
    while (*at < p->used) {
        void *record = pool_at(p, ++*at);
        if (record)
            return record;
    }
    return NULL;
}

size_t pool_bytes(const struct pool *p)
{
    size_t chunks = chunk_count(p);
    return chunks * (CHUNK * p->size + sizeof *p->chunks);
}
