/* The loop, its timers and its deferred work.
 *
 * Happy path: all timers stand in one binary heap behind one uv_timer, which is armed for the first of them. Deferred
 * work stands in a queue; a uv_idle that is active while the queue holds something keeps the loop alive, keeps it from
 * waiting, and runs the queue right before the poll.
 *
 * Failure modes: the machine was suspended: libuv's clock stands still then and ours does not, so the loop never sleeps
 * longer than NAP_MS while a timer is set. A timer that sets itself into the past, or work that defers itself, waits
 * for the next turn, so that neither starves the sockets. A handle or timer left open at the end is a fault of ours:
 * abort. */
#include "net/loop_private.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>

enum { NAP_MS = 60000, LAST_ROUNDS = 16 };

struct defer_queue {
    struct defer *first, *last;
};

struct loop {
    uv_loop_t uv;
    uv_timer_t alarm;    // for heap[0]
    uv_idle_t idle;      // active while `due` holds something
    struct timer **heap; // owned array of borrowed timers
    size_t count, cap;
    uint64_t serial;          // of the last timer set
    int64_t fired;            // time of the last round of timers
    struct defer_queue due;   // to be run before the loop waits
    struct defer_queue again; // has run in this pass: the next one's
    uint64_t pass;
    bool running, firing, passing;
    uint64_t stamp; // uv_now() that mono and wall belong to
    int64_t mono, wall;
    char *buffer; // made when first asked for
};

// --- time ---

// libuv takes its time once per turn; ours are taken along with it.
static void refresh(struct loop *l)
{
    if (!l->running)
        uv_update_time(&l->uv);
    uint64_t stamp = uv_now(&l->uv);
    if (stamp == l->stamp)
        return;
    l->stamp = stamp;
    l->mono = clock_mono();
    l->wall = clock_wall();
}

int64_t loop_now(struct loop *l)
{
    refresh(l);
    return l->mono;
}

int64_t loop_wall(struct loop *l)
{
    refresh(l);
    return l->wall;
}

// --- timers ---

static bool earlier(const struct timer *a, const struct timer *b)
{
    return a->at != b->at ? a->at < b->at : a->serial < b->serial;
}

static void heap_place(struct loop *l, size_t i, struct timer *t)
{
    l->heap[i] = t;
    t->heap = i;
}

static void heap_up(struct loop *l, size_t i)
{
    struct timer *t = l->heap[i];
    for (; i > 0 && earlier(t, l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_place(l, i, l->heap[(i - 1) / 2]);
    heap_place(l, i, t);
}

static void heap_down(struct loop *l, size_t i)
{
    struct timer *t = l->heap[i];
    for (size_t child; (child = 2 * i + 1) < l->count; i = child) {
        if (child + 1 < l->count && earlier(l->heap[child + 1], l->heap[child]))
            child++;
        if (!earlier(l->heap[child], t))
            break;
        heap_place(l, i, l->heap[child]);
    }
    heap_place(l, i, t);
}

static void heap_insert(struct loop *l, struct timer *t)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 16;
        l->heap = mem_realloc(l->heap, l->cap, sizeof(struct timer *));
    }
    heap_place(l, l->count++, t);
    heap_up(l, t->heap);
}

static void heap_remove(struct loop *l, struct timer *t)
{
    size_t hole = t->heap;
    struct timer *last = l->heap[--l->count];
    if (last == t)
        return;
    heap_place(l, hole, last);
    heap_up(l, hole);
    heap_down(l, last->heap);
}

static void on_alarm(uv_timer_t *alarm);

static void arm(struct loop *l)
{
    if (l->firing)
        return;
    if (l->count == 0) {
        uv_timer_stop(&l->alarm);
        return;
    }
    int64_t now = loop_now(l), at = l->heap[0]->at;
    int64_t delay = at <= now ? 0 : at - now;
    uv_timer_start(&l->alarm, on_alarm, (uint64_t)(delay < NAP_MS ? delay : NAP_MS), 0);
}

static void on_alarm(uv_timer_t *alarm)
{
    struct loop *l = alarm->data;
    l->fired = loop_now(l);
    l->firing = true;
    while (l->count && l->heap[0]->at <= l->fired) {
        struct timer *t = l->heap[0];
        heap_remove(l, t);
        t->at = INT64_MAX;
        t->fire(t->ud);
    }
    l->firing = false;
    arm(l);
}

void timer_init(struct timer *t, struct loop *l, void (*fire)(void *ud), void *ud)
{
    *t = (struct timer){.loop = l, .fire = fire, .ud = ud, .at = INT64_MAX};
}

void timer_set(struct timer *t, int64_t at)
{
    struct loop *l = t->loop;
    if (t->at != INT64_MAX)
        heap_remove(l, t);
    t->at = at;
    if (at != INT64_MAX) {
        t->at = at <= l->fired ? l->fired + 1 : at;
        t->serial = ++l->serial;
        heap_insert(l, t);
    }
    arm(l);
}

void timer_finish(struct timer *t)
{
    if (t->at != INT64_MAX)
        timer_set(t, INT64_MAX);
}

// --- deferred work ---

static void queue_push(struct defer_queue *q, struct defer *d)
{
    d->next = NULL;
    if (q->last)
        q->last->next = d;
    else
        q->first = d;
    q->last = d;
}

static struct defer *queue_pop(struct defer_queue *q)
{
    struct defer *d = q->first;
    if (d) {
        q->first = d->next;
        if (!q->first)
            q->last = NULL;
    }
    return d;
}

static void queue_remove(struct defer_queue *q, struct defer *d)
{
    struct defer *before = NULL, *at = q->first;
    for (; at && at != d; at = at->next)
        before = at;
    if (!at)
        return;
    if (before)
        before->next = d->next;
    else
        q->first = d->next;
    if (q->last == d)
        q->last = before;
}

static void on_idle(uv_idle_t *idle)
{
    struct loop *l = idle->data;
    l->pass++;
    l->passing = true;
    for (struct defer *d; (d = queue_pop(&l->due));) {
        d->set = false;
        d->pass = l->pass;
        d->run(d->ud);
    }
    l->passing = false;
    l->due = l->again;
    l->again = (struct defer_queue){NULL, NULL};
    if (!l->due.first)
        uv_idle_stop(idle);
}

void defer_init(struct defer *d, struct loop *l, void (*run)(void *ud), void *ud)
{
    *d = (struct defer){.loop = l, .run = run, .ud = ud};
}

void defer_set(struct defer *d)
{
    struct loop *l = d->loop;
    if (d->set)
        return;
    d->set = true;
    queue_push(l->passing && d->pass == l->pass ? &l->again : &l->due, d);
    uv_idle_start(&l->idle, on_idle);
}

void defer_finish(struct defer *d)
{
    if (!d->set)
        return;
    queue_remove(&d->loop->due, d);
    queue_remove(&d->loop->again, d);
    d->set = false;
}

// --- the loop ---

struct loop *loop_create(void)
{
    struct loop *l = MEM_NEW(struct loop);
    signal(SIGPIPE, SIG_IGN); // libuv writes without MSG_NOSIGNAL
    int rc = uv_loop_init(&l->uv);
    if (rc) {
        mem_free(l);
        errno = -rc;
        return NULL;
    }
    uv_timer_init(&l->uv, &l->alarm);
    uv_idle_init(&l->uv, &l->idle);
    l->alarm.data = l->idle.data = l;
    l->stamp = UINT64_MAX;
    l->fired = INT64_MIN;
    return l;
}

static void name_handle(uv_handle_t *h, void *ud)
{
    const char **name = ud;
    *name = uv_handle_type_name(uv_handle_get_type(h));
}

void loop_destroy(struct loop *l)
{
    if (!l)
        return;
    if (l->count)
        err_fatal("loop_destroy: %zu timers are set", l->count);
    // Closes that are under way come to their end.
    for (int i = 0; i < LAST_ROUNDS && uv_loop_alive(&l->uv); i++)
        uv_run(&l->uv, UV_RUN_NOWAIT);
    uv_close((uv_handle_t *)&l->alarm, NULL);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_run(&l->uv, UV_RUN_NOWAIT);
    if (uv_loop_close(&l->uv)) {
        const char *name = "request";
        uv_walk(&l->uv, name_handle, &name);
        err_fatal("loop_destroy: a %s is open", name);
    }
    mem_free(l->heap);
    mem_free(l->buffer);
    mem_free(l);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

void loop_run(struct loop *l)
{
    l->running = true;
    uv_run(&l->uv, UV_RUN_DEFAULT);
    l->running = false;
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

char *loop_buffer(struct loop *l)
{
    if (!l->buffer)
        l->buffer = mem_alloc(LOOP_BUFFER);
    return l->buffer;
}
