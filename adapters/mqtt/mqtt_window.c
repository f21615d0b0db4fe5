#include "adapters/mqtt/mqtt_window.h"

#include "base/mem.h"

#include <string.h>

void mqtt_window_init(struct mqtt_window *w, size_t limit)
{
    *w = (struct mqtt_window){.limit = limit};
}

void mqtt_window_finish(struct mqtt_window *w)
{
    mem_free(w->v);
    mqtt_window_init(w, 0);
}

void mqtt_window_set_limit(struct mqtt_window *w, size_t limit)
{
    w->limit = limit;
}

bool mqtt_window_full(const struct mqtt_window *w)
{
    return w->count >= w->limit;
}

// Room for one more behind the last: by moving down, or by growing when less than half would be gained.
static void make_room(struct mqtt_window *w)
{
    if (w->head + w->count < w->cap)
        return;
    if (w->head < w->cap / 2 + 1) {
        w->cap = w->cap ? w->cap * 2 : 16;
        w->v = mem_realloc(w->v, w->cap, sizeof *w->v);
    }
    if (w->head > 0)
        memmove(w->v, w->v + w->head, w->count * sizeof *w->v);
    w->head = 0;
}

void mqtt_window_put(struct mqtt_window *w, int mid, uint64_t token)
{
    make_room(w);
    w->v[w->head + w->count++] = (struct mqtt_flight){mid, token};
}

bool mqtt_window_take(struct mqtt_window *w, int mid, uint64_t *token)
{
    for (size_t i = 0; i < w->count; i++) {
        struct mqtt_flight *oldest = w->v + w->head;
        if (oldest[i].mid != mid)
            continue;
        *token = oldest[i].token;
        memmove(oldest + 1, oldest, i * sizeof *oldest); // the few older ones close the gap
        w->head++;
        w->count--;
        return true;
    }
    return false;
}

bool mqtt_window_pop(struct mqtt_window *w, uint64_t *token)
{
    return w->count > 0 && mqtt_window_take(w, w->v[w->head].mid, token);
}
