/* Polls of foreign descriptors and wake-ups from other threads: thin over uv_poll and uv_async. Closing silences a
 * handle at once; its memory goes when libuv has let go of it. */
#include "base/mem.h"
#include "net/loop.h"

struct loop_poll {
    uv_poll_t uv;
    void (*ready)(void *ud, int events, int status);
    void *ud;
};

struct loop_wake {
    uv_async_t uv;
    void (*woken)(void *ud);
    void *ud;
};

static void on_closed(uv_handle_t *h)
{
    mem_free(h->data);
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    struct loop_poll *p = h->data;
    p->ready(p->ud, events, status);
}

struct loop_poll *loop_poll_create(struct loop *l, int fd, void (*ready)(void *ud, int events, int status), void *ud)
{
    struct loop_poll *p = MEM_NEW(struct loop_poll);
    p->ready = ready;
    p->ud = ud;
    if (uv_poll_init(loop_uv(l), &p->uv, fd)) {
        mem_free(p);
        return NULL;
    }
    p->uv.data = p;
    return p;
}

void loop_poll_set(struct loop_poll *p, int events)
{
    if (events)
        uv_poll_start(&p->uv, events, on_poll);
    else
        uv_poll_stop(&p->uv);
}

void loop_poll_close(struct loop_poll *p)
{
    if (p)
        uv_close((uv_handle_t *)&p->uv, on_closed);
}

static void on_wake(uv_async_t *h)
{
    struct loop_wake *w = h->data;
    w->woken(w->ud);
}

struct loop_wake *loop_wake_create(struct loop *l, void (*woken)(void *ud), void *ud)
{
    struct loop_wake *w = MEM_NEW(struct loop_wake);
    w->woken = woken;
    w->ud = ud;
    int rc = uv_async_init(loop_uv(l), &w->uv, on_wake);
    if (rc)
        err_fatal("uv_async_init: %s", uv_strerror(rc));
    w->uv.data = w;
    return w;
}

void loop_wake_send(struct loop_wake *w)
{
    uv_async_send(&w->uv);
}

void loop_wake_close(struct loop_wake *w)
{
    if (w)
        uv_close((uv_handle_t *)&w->uv, on_closed);
}
