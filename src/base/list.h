/* Intrusive doubly linked list. A list is a struct list_node that links to itself; elements embed one. */
#ifndef SPANDREL_BASE_LIST_H
#define SPANDREL_BASE_LIST_H

#include "base/mem.h"

#include <stdbool.h>

struct list_node {
    struct list_node *prev, *next;
};

static inline void list_init(struct list_node *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list_node *l)
{
    return l->next == l;
}

static inline void list_insert(struct list_node *after, struct list_node *e)
{
    e->prev = after;
    e->next = after->next;
    after->next->prev = e;
    after->next = e;
}

static inline void list_push(struct list_node *l, struct list_node *e)
{
    list_insert(l->prev, e);
}

// Takes e out of its list and leaves it linked to itself, so that a second removal is harmless.
static inline void list_remove(struct list_node *e)
{
    e->prev->next = e->next;
    e->next->prev = e->prev;
    list_init(e);
}

#define LIST_FIRST(l, type, member) CONTAINER_OF((l)->next, type, member)

// `it` is a struct list_node *; `safe` another, so that `it` may be removed in the body.
#define LIST_EACH(it, safe, l)                                                                                         \
    for ((it) = (l)->next, (safe) = (it)->next; (it) != (l); (it) = (safe), (safe) = (it)->next)

#endif
