/* The event loop: libuv with timers on the monotonic clock and work deferred to the end of a turn. */
#ifndef SPANDREL_NET_LOOP_H
#define SPANDREL_NET_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct loop;

struct loop *loop_create(void); // NULL, with errno, when the system has no room for one
void loop_destroy(
    struct loop *l); // after loop_run() returned and every handle was closed; aborts when one is left open
uv_loop_t *loop_uv(struct loop *l);
void loop_run(struct loop *l); // until loop_stop() or nothing is left to do
void loop_stop(struct loop *l);
int64_t loop_now(struct loop *l);  // clock_mono() as of this turn
int64_t loop_wall(struct loop *l); // clock_wall() as of this turn

// A timer embedded in its owner. Close before the owner's memory goes; closing takes effect at once (no callback
// follows). Timers fire in the order of their times, those of one time in the order they were set; one set into the
// past fires in the next turn.
struct timer {
    struct loop *loop;
    void (*fire)(void *ud);
    void *ud;
    int64_t at;      // INT64_MAX: not set
    size_t heap;     // place in the loop's heap, for the loop alone
    uint64_t serial; // order among timers of one time, for the loop alone
};
void timer_init(struct timer *t, struct loop *l, void (*fire)(void *ud), void *ud);
void timer_set(struct timer *t, int64_t at); // monotonic ms; a new call replaces the one before; INT64_MAX cancels
void timer_finish(struct timer *t);

// Runs once at the end of this turn, before the loop waits again: batching of writes and steps. Setting it twice runs
// it once. What a defer sets runs in the same turn, save what has run in it already: that runs in the next one, which
// comes without waiting.
struct defer {
    struct loop *loop;
    void (*run)(void *ud);
    void *ud;
    struct defer *next;
    uint64_t pass; // the pass it last ran in, for the loop alone
    bool set;
};
void defer_init(struct defer *d, struct loop *l, void (*run)(void *ud), void *ud);
void defer_set(struct defer *d);
void defer_finish(struct defer *d);

// A poll of the fd of a library (libmosquitto, curl): events are UV_READABLE | UV_WRITABLE. The fd must stay open until
// loop_poll_close() returned; pass a dup() where the library may close its own at any time. Status below 0 is an error
// of libuv, after which polling has stopped. NULL when the fd cannot be polled (a plain file, or polled already).
struct loop_poll;
struct loop_poll *loop_poll_create(struct loop *l, int fd, void (*ready)(void *ud, int events, int status), void *ud);
void loop_poll_set(struct loop_poll *p, int events); // 0 pauses
void loop_poll_close(struct loop_poll *p);           // no callback follows; frees itself later

// Wakes the loop from another thread.
struct loop_wake;
struct loop_wake *loop_wake_create(struct loop *l, void (*woken)(void *ud), void *ud);
void loop_wake_send(struct loop_wake *w); // thread-safe; several may fold into one call
void loop_wake_close(struct loop_wake *w);

#endif
