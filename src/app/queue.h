/* A FIFO of event copies. Taking all swaps two arenas, so what is added while one lot is worked off waits in the other.
 */
#ifndef SPANDREL_APP_QUEUE_H
#define SPANDREL_APP_QUEUE_H

#include "core/event.h"

struct queue_lot {
    struct arena arena;
    struct event **v;
    size_t count, cap;
};

struct queue {
    struct queue_lot fill; // being added to
    struct queue_lot work; // being worked off
    size_t at;             // next of work
};

void queue_init(struct queue *q);
void queue_finish(struct queue *q);
void queue_push(struct queue *q, const struct event *ev); // copies
// The next event, valid until the next call; NULL when there is none.
struct event *queue_pop(struct queue *q);
bool queue_empty(const struct queue *q);
size_t queue_count(const struct queue *q);

#endif
