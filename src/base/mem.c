#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The log allocates, so this is said without it.
static _Noreturn void out_of_memory(size_t size)
{
    (void)fprintf(stderr, "spandrel: out of memory (%zu bytes wanted)\n", size);
    abort();
}

size_t mem_product(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        out_of_memory(SIZE_MAX);
    return count * size;
}

void *mem_alloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    if (!p)
        out_of_memory(size);
    return p;
}

void *mem_zalloc(size_t count, size_t size)
{
    size_t n = mem_product(count, size);
    void *p = calloc(1, n ? n : 1);
    if (!p)
        out_of_memory(n);
    return p;
}

void *mem_realloc(void *p, size_t count, size_t size)
{
    size_t n = mem_product(count, size);
    void *q = realloc(p, n ? n : 1);
    if (!q)
        out_of_memory(n);
    return q;
}

char *mem_dup(const char *bytes, size_t n)
{
    if (n == SIZE_MAX)
        out_of_memory(n);
    char *p = mem_alloc(n + 1);
    if (n != 0)
        memcpy(p, bytes, n);
    p[n] = '\0';
    return p;
}

void mem_free(void *p)
{
    free(p);
}

void mem_wipe(void *p, size_t n)
{
    if (n != 0)
        explicit_bzero(p, n);
}
