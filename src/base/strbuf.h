/* A growing byte buffer with a mandatory bound.
 *
 * An append that would pass the bound leaves the buffer as it was and sets `full`, which stays until strbuf_clear(); so
 * a run of appends needs one check at its end. The bytes are always NUL-terminated. */
#ifndef SPANDREL_BASE_STRBUF_H
#define SPANDREL_BASE_STRBUF_H

#include "base/str.h"

#include <stdarg.h>

struct strbuf {
    char *p;    // owned, NULL while empty and never used
    size_t n;   // bytes used
    size_t cap; // bytes allocated
    size_t max; // bound on n
    bool full;  // an append was refused
};

void strbuf_init(struct strbuf *b, size_t max);
void strbuf_finish(struct strbuf *b);
// Empty again; the memory is kept.
void strbuf_clear(struct strbuf *b);
// Drops the first n bytes (n <= b->n).
void strbuf_consume(struct strbuf *b, size_t n);
// Cuts back to n bytes (n <= b->n), as they were before; clears `full`.
void strbuf_truncate(struct strbuf *b, size_t n);
// Gives back memory beyond `keep` bytes when the buffer is empty.
void strbuf_shrink(struct strbuf *b, size_t keep);

// Each returns false (and sets full) when the bound is passed.
bool strbuf_add(struct strbuf *b, const void *bytes, size_t n);
bool strbuf_str(struct strbuf *b, struct str s);
bool strbuf_c(struct strbuf *b, const char *cstr);
bool strbuf_char(struct strbuf *b, char c);
bool strbuf_u64(struct strbuf *b, uint64_t v);
bool strbuf_i64(struct strbuf *b, int64_t v);
bool strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
// Room for n bytes behind the end, to be written by the caller and then counted with strbuf_grew(); NULL when the bound
// is passed.
char *strbuf_reserve(struct strbuf *b, size_t n);
void strbuf_grew(struct strbuf *b, size_t n);

static inline struct str strbuf_view(const struct strbuf *b)
{
    return (struct str){b->p, b->n};
}

#endif
