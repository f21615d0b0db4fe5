#include "app/queue.h"

#include "base/mem.h"

static void lot_init(struct queue_lot *l)
{
    *l = (struct queue_lot){.cap = 0};
    arena_init(&l->arena, 16384);
}

static void lot_finish(struct queue_lot *l)
{
    arena_finish(&l->arena);
    mem_free(l->v);
}

void queue_init(struct queue *q)
{
    lot_init(&q->fill);
    lot_init(&q->work);
    q->at = 0;
}

void queue_finish(struct queue *q)
{
    lot_finish(&q->fill);
    lot_finish(&q->work);
}

void queue_push(struct queue *q, const struct event *ev)
{
    struct queue_lot *l = &q->fill;
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->v = mem_realloc(l->v, l->cap, sizeof *l->v);
    }
    l->v[l->count++] = event_copy(&l->arena, ev);
}

static void lot_clear(struct queue_lot *l)
{
    enum { KEEP = 4096 };
    arena_reset(&l->arena);
    l->count = 0;
    if (l->cap > KEEP) {
        l->cap = KEEP;
        l->v = mem_realloc(l->v, l->cap, sizeof *l->v);
    }
}

struct event *queue_pop(struct queue *q)
{
    if (q->at == q->work.count) {
        lot_clear(&q->work);
        q->at = 0;
        struct queue_lot filled = q->fill;
        q->fill = q->work;
        q->work = filled;
    }
    return q->at < q->work.count ? q->work.v[q->at++] : NULL;
}

bool queue_empty(const struct queue *q)
{
    return queue_count(q) == 0;
}

size_t queue_count(const struct queue *q)
{
    return q->fill.count + q->work.count - q->at;
}
