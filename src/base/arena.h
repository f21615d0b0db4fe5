/* A bump allocator: everything taken from it lives until the next reset. Nothing is freed one by one.
 *
 * Reset keeps the largest chunk, so an arena that is reset per stanza or per loop turn soon allocates nothing at all.
 */
#ifndef SPANDREL_BASE_ARENA_H
#define SPANDREL_BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *head; // the chunk in use; older ones behind it
    size_t used;              // bytes used in head
    size_t first;             // size of the first chunk
    size_t total;             // bytes in all chunks
};

// `first`: bytes of the first chunk, taken at the first allocation; 0 for 4096.
void arena_init(struct arena *a, size_t first);
void arena_finish(struct arena *a);
// Forgets all allocations; keeps one chunk of at most `64 KiB`, frees the rest.
void arena_reset(struct arena *a);

// Aligned for any type, not zeroed; valid until the reset.
void *arena_alloc(struct arena *a, size_t size);
void *arena_zalloc(struct arena *a, size_t count, size_t size);
// A NUL-terminated copy.
struct str arena_dup(struct arena *a, struct str s);
// A NUL-terminated copy as a C string; "" for the empty slice.
char *arena_cstr(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *a, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
// All parts in one, NUL-terminated.
struct str arena_concat(struct arena *a, const struct str *parts, size_t count);

#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), 1, sizeof(type)))

#endif
