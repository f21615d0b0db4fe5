#include "base/arena.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif

// Under ASan what is not handed out is poisoned, so that a use after the reset is found.
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 16, FIRST = 4096, KEEP = 64 * 1024 };

struct arena_chunk {
    struct arena_chunk *prev;
    size_t size; // of data
    _Alignas(ALIGN) unsigned char data[];
};

void arena_init(struct arena *a, size_t first)
{
    *a = (struct arena){.first = first ? first : FIRST};
}

static void chunk_free(struct arena *a, struct arena_chunk *c)
{
    a->total -= c->size;
    ASAN_UNPOISON_MEMORY_REGION(c->data, c->size);
    mem_free(c);
}

void arena_finish(struct arena *a)
{
    struct arena_chunk *c = a->head;
    while (c) {
        struct arena_chunk *prev = c->prev;
        chunk_free(a, c);
        c = prev;
    }
    arena_init(a, a->first);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *c = a->head, *kept = NULL;
    while (c) {
        struct arena_chunk *prev = c->prev;
        if (c->size <= KEEP && (!kept || c->size > kept->size)) {
            struct arena_chunk *other = kept;
            kept = c;
            c = other;
        }
        if (c)
            chunk_free(a, c);
        c = prev;
    }
    a->head = kept;
    a->used = 0;
    if (kept) {
        kept->prev = NULL;
        ASAN_POISON_MEMORY_REGION(kept->data, kept->size);
    }
}

static struct arena_chunk *chunk_new(struct arena *a, size_t size)
{
    struct arena_chunk *c = mem_alloc(sizeof *c + size);
    c->prev = NULL;
    c->size = size;
    a->total += size;
    ASAN_POISON_MEMORY_REGION(c->data, size);
    return c;
}

// Chunks double up to KEEP. What is larger gets a chunk of its own behind the head, whose rest stays in use.
static void *alloc_slow(struct arena *a, size_t size)
{
    size_t want = a->head ? a->head->size * 2 : a->first;
    if (a->head && want > KEEP)
        want = KEEP;
    if (size > want && a->head) {
        struct arena_chunk *own = chunk_new(a, size);
        own->prev = a->head->prev;
        a->head->prev = own;
        return own->data;
    }
    struct arena_chunk *c = chunk_new(a, size > want ? size : want);
    c->prev = a->head;
    a->head = c;
    a->used = size;
    return c->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > PTRDIFF_MAX / 2)
        err_fatal("arena: %zu bytes wanted", size);
    size_t room = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    void *p;
    if (a->head && room <= a->head->size - a->used) {
        p = a->head->data + a->used;
        a->used += room;
    } else {
        p = alloc_slow(a, room);
    }
    ASAN_UNPOISON_MEMORY_REGION(p, size);
    return p;
}

void *arena_zalloc(struct arena *a, size_t count, size_t size)
{
    size_t n = mem_product(count, size);
    return memset(arena_alloc(a, n), 0, n);
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n != 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_dup(struct arena *a, struct str s)
{
    return (struct str){arena_cstr(a, s), s.n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct str s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
    char small[256];
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(small, sizeof small, fmt, ap);
    if (n < 0)
        err_fatal("arena: bad format \"%s\"", fmt);
    size_t len = (size_t)n;
    char *p = arena_alloc(a, len + 1);
    if (len < sizeof small)
        memcpy(p, small, len + 1);
    else
        (void)vsnprintf(p, len + 1, fmt, again);
    va_end(again);
    return (struct str){p, len};
}

struct str arena_concat(struct arena *a, const struct str *parts, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += parts[i].n;
    char *p = arena_alloc(a, n + 1), *at = p;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].n != 0)
            memcpy(at, parts[i].p, parts[i].n);
        at += parts[i].n;
    }
    *at = '\0';
    return (struct str){p, n};
}
