/* The only way to the heap. Out of memory aborts (design: so every size that a peer controls is bounded before it gets
 * here). */
#ifndef SPANDREL_BASE_MEM_H
#define SPANDREL_BASE_MEM_H

#include <stddef.h>

// count times size; a product that overflows aborts.
size_t mem_product(size_t count, size_t size);
// Each returns owned memory, never NULL, to be given to mem_free(); a count times size that overflows aborts. Size 0 is
// allowed.
void *mem_alloc(size_t size);
void *mem_zalloc(size_t count, size_t size);           // zeroed
void *mem_realloc(void *p, size_t count, size_t size); // takes p, which may be NULL
char *mem_dup(const char *bytes, size_t n);            // copy with a NUL appended
// NULL is fine.
void mem_free(void *p);
// Overwrites n bytes of a secret before they are freed; not optimised away.
void mem_wipe(void *p, size_t n);

#define MEM_NEW(type) ((type *)mem_zalloc(1, sizeof(type)))

// The struct of `type` whose `member` this points to.
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
