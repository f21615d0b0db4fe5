#include "base/strbuf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>

enum { SMALLEST = 64 };

void strbuf_init(struct strbuf *b, size_t max)
{
    *b = (struct strbuf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void strbuf_finish(struct strbuf *b)
{
    mem_free(b->p);
    strbuf_init(b, b->max);
}

void strbuf_clear(struct strbuf *b)
{
    strbuf_truncate(b, 0);
}

void strbuf_consume(struct strbuf *b, size_t n)
{
    assert(n <= b->n);
    if (n == 0)
        return;
    b->n -= n;
    memmove(b->p, b->p + n, b->n + 1);
}

void strbuf_truncate(struct strbuf *b, size_t n)
{
    assert(n <= b->n);
    b->n = n;
    b->full = false;
    if (b->p)
        b->p[n] = '\0';
}

void strbuf_shrink(struct strbuf *b, size_t keep)
{
    if (b->n != 0 || b->cap <= keep)
        return;
    mem_free(b->p);
    b->p = NULL;
    b->cap = 0;
}

// Doubles, but never beyond the bound and its NUL.
static void grow(struct strbuf *b, size_t need)
{
    size_t cap = b->cap > SIZE_MAX / 2 ? SIZE_MAX : b->cap * 2;
    if (cap < SMALLEST)
        cap = SMALLEST;
    if (cap > b->max + 1)
        cap = b->max + 1;
    if (cap < need)
        cap = need;
    b->p = mem_realloc(b->p, cap, 1);
    b->p[b->n] = '\0';
    b->cap = cap;
}

char *strbuf_reserve(struct strbuf *b, size_t n)
{
    if (n > b->max - b->n) {
        b->full = true;
        return NULL;
    }
    size_t need = b->n + n + 1;
    if (need > b->cap)
        grow(b, need);
    return b->p + b->n;
}

void strbuf_grew(struct strbuf *b, size_t n)
{
    assert(n < b->cap - b->n);
    b->n += n;
    b->p[b->n] = '\0';
}

bool strbuf_add(struct strbuf *b, const void *bytes, size_t n)
{
    char *to = strbuf_reserve(b, n);
    if (!to)
        return false;
    if (n != 0)
        memcpy(to, bytes, n);
    strbuf_grew(b, n);
    return true;
}

bool strbuf_str(struct strbuf *b, struct str s)
{
    return strbuf_add(b, s.p, s.n);
}

bool strbuf_c(struct strbuf *b, const char *cstr)
{
    return strbuf_str(b, str_c(cstr));
}

bool strbuf_char(struct strbuf *b, char c)
{
    return strbuf_add(b, &c, 1);
}

static bool add_decimal(struct strbuf *b, bool negative, uint64_t v)
{
    char digits[21];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    if (negative)
        digits[--at] = '-';
    return strbuf_add(b, digits + at, sizeof digits - at);
}

bool strbuf_u64(struct strbuf *b, uint64_t v)
{
    return add_decimal(b, false, v);
}

bool strbuf_i64(struct strbuf *b, int64_t v)
{
    return add_decimal(b, v < 0, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

bool strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = strbuf_vprintf(b, fmt, ap);
    va_end(ap);
    return ok;
}

// Formats into the room that is there; only what does not fit is formatted twice.
bool strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    size_t room = b->cap - b->n;
    int n = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
    assert(n >= 0);
    size_t len = (size_t)n;
    bool ok = strbuf_reserve(b, len) != NULL;
    if (ok && len >= room)
        (void)vsnprintf(b->p + b->n, len + 1, fmt, again);
    va_end(again);
    if (ok)
        b->n += len;
    else if (b->p)
        b->p[b->n] = '\0';
    return ok;
}
