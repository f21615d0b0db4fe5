#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "net/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    *state = loop_create();
    return 0;
}

static int teardown(void **state)
{
    loop_destroy(*state);
    return 0;
}

// --- timers ---

struct mark { // a timer that writes its letter
    struct timer timer;
    struct strbuf *out;
    char letter;
    void (*then)(struct mark *m);
    struct mark *other;
    int left;
};

static void on_mark(void *ud)
{
    struct mark *m = ud;
    strbuf_char(m->out, m->letter);
    if (m->then)
        m->then(m);
}

static void mark_init(struct mark *m, struct loop *l, struct strbuf *out, char letter)
{
    memset(m, 0, sizeof *m);
    m->out = out;
    m->letter = letter;
    timer_init(&m->timer, l, on_mark, m);
}

static void timers_fire_in_order(void **state)
{
    struct loop *l = *state;
    static const struct {
        char letter;
        int after;
    } cases[] = {{'d', 30}, {'a', -5}, {'c', 20}, {'b', 10}, {'e', 30}, {'f', 30}};
    struct mark marks[6];
    struct strbuf out;
    strbuf_init(&out, 64);
    int64_t start = loop_now(l);
    for (size_t i = 0; i < 6; i++) {
        mark_init(&marks[i], l, &out, cases[i].letter);
        timer_set(&marks[i].timer, start + cases[i].after);
    }
    loop_run(l);
    assert_string_equal(out.p, "abcdef");
    assert_in_range(loop_now(l) - start, 30, 1000);
    assert_true(marks[0].timer.at == INT64_MAX);
    strbuf_finish(&out);
}

static void cancel_other(struct mark *m)
{
    timer_finish(&m->other->timer);
}

static void a_timer_cancels_another_of_its_time(void **state)
{
    struct loop *l = *state;
    struct mark a, b;
    struct strbuf out;
    strbuf_init(&out, 64);
    mark_init(&a, l, &out, 'a');
    mark_init(&b, l, &out, 'b');
    a.then = cancel_other;
    a.other = &b;
    int64_t at = loop_now(l) + 5;
    timer_set(&a.timer, at);
    timer_set(&b.timer, at);
    loop_run(l);
    assert_string_equal(out.p, "a");
    timer_finish(&b.timer); // twice is harmless
    strbuf_finish(&out);
}

static void set_into_past(struct mark *m)
{
    if (--m->left > 0)
        timer_set(&m->timer, 0);
}

static void a_timer_in_the_past_starves_nobody(void **state)
{
    struct loop *l = *state;
    struct mark greedy, meek;
    struct strbuf out;
    strbuf_init(&out, 64);
    mark_init(&greedy, l, &out, 'g');
    mark_init(&meek, l, &out, 'm');
    greedy.then = set_into_past;
    greedy.left = 5;
    timer_set(&greedy.timer, loop_now(l));
    timer_set(&meek.timer, loop_now(l));
    loop_run(l);
    assert_string_equal(out.p, "gmgggg");
    strbuf_finish(&out);
}

static void a_timer_is_moved(void **state)
{
    struct loop *l = *state;
    struct mark a, b;
    struct strbuf out;
    strbuf_init(&out, 64);
    mark_init(&a, l, &out, 'a');
    mark_init(&b, l, &out, 'b');
    int64_t now = loop_now(l);
    timer_set(&a.timer, now + 3600000);
    timer_set(&b.timer, now + 10);
    timer_set(&a.timer, now + 20);
    timer_set(&b.timer, INT64_MAX);
    loop_run(l);
    assert_string_equal(out.p, "a");
    strbuf_finish(&out);
}

enum { MANY = 1000 };

struct crowd {
    struct timer timer;
    int64_t *last;
    int64_t due;
    int *fired;
};

static void on_crowd(void *ud)
{
    struct crowd *c = ud;
    assert_true(c->due >= *c->last);
    *c->last = c->due;
    ++*c->fired;
}

// A heap of many, with removals from its middle.
static void many_timers_keep_order(void **state)
{
    struct loop *l = *state;
    struct crowd *crowd = mem_zalloc(MANY, sizeof *crowd);
    struct rng rng;
    rng_init(&rng, 7);
    int64_t last = 0, now = loop_now(l);
    int fired = 0, left = 0;
    for (size_t i = 0; i < MANY; i++) {
        crowd[i].last = &last;
        crowd[i].fired = &fired;
        timer_init(&crowd[i].timer, l, on_crowd, &crowd[i]);
    }
    for (size_t round = 0; round < 3 * MANY; round++) {
        struct crowd *c = &crowd[rng_below(&rng, MANY)];
        c->due = rng_below(&rng, 4) ? now + 1 + (int64_t)rng_below(&rng, 40) : INT64_MAX;
        timer_set(&c->timer, c->due);
    }
    for (size_t i = 0; i < MANY; i++)
        left += crowd[i].timer.at != INT64_MAX;
    loop_run(l);
    assert_true(left > MANY / 4);
    assert_int_equal(fired, left);
    mem_free(crowd);
}

static void stop(struct mark *m)
{
    loop_stop(m->timer.loop);
}

static void stopping_leaves_what_is_set(void **state)
{
    struct loop *l = *state;
    struct mark a, b;
    struct strbuf out;
    strbuf_init(&out, 64);
    mark_init(&a, l, &out, 'a');
    mark_init(&b, l, &out, 'b');
    a.then = stop;
    timer_set(&a.timer, loop_now(l));
    timer_set(&b.timer, loop_now(l) + 3600000);
    loop_run(l);
    assert_string_equal(out.p, "a");
    timer_finish(&b.timer);
    strbuf_finish(&out);
}

static void look_at_clock(struct mark *m)
{
    int64_t before = loop_now(m->timer.loop), wall = loop_wall(m->timer.loop);
    while (clock_wall() - wall < 5)
        continue;
    assert_true(loop_now(m->timer.loop) == before);
    assert_true(loop_wall(m->timer.loop) == wall);
    assert_true(clock_wall() - wall < 5000);
}

static void time_stands_still_within_a_turn(void **state)
{
    struct loop *l = *state;
    struct mark a;
    struct strbuf out;
    strbuf_init(&out, 64);
    mark_init(&a, l, &out, 'a');
    a.then = look_at_clock;
    timer_set(&a.timer, loop_now(l));
    loop_run(l);
    int64_t before = loop_now(l);
    for (int64_t until = clock_wall() + 5000; loop_now(l) < before + 5;) // outside of turns it goes on
        assert_true(clock_wall() < until);
    strbuf_finish(&out);
}

// --- deferred work ---

struct task {
    struct defer defer;
    struct strbuf *out;
    char letter;
    struct task *sets[2];
    int left; // how often it sets what it sets
};

static void on_task(void *ud)
{
    struct task *t = ud;
    strbuf_char(t->out, t->letter);
    for (size_t i = 0; i < 2 && t->left > 0; i++) {
        if (t->sets[i])
            defer_set(&t->sets[i]->defer);
    }
    t->left--;
}

static void task_init(struct task *t, struct loop *l, struct strbuf *out, char letter)
{
    memset(t, 0, sizeof *t);
    t->out = out;
    t->letter = letter;
    defer_init(&t->defer, l, on_task, t);
}

static void a_defer_set_outside_of_the_loop_runs_once(void **state)
{
    struct loop *l = *state;
    struct task t;
    struct strbuf out;
    strbuf_init(&out, 64);
    task_init(&t, l, &out, 't');
    defer_set(&t.defer);
    defer_set(&t.defer);
    assert_int_equal(out.n, 0);
    loop_run(l);
    assert_string_equal(out.p, "t");
    defer_set(&t.defer);
    loop_run(l);
    assert_string_equal(out.p, "tt");
    strbuf_finish(&out);
}

static void set_defer(struct mark *m)
{
    struct task *t = (struct task *)(void *)m->other;
    defer_set(&t->defer);
}

// Set from a timer, it runs before the loop waits for the next one, and what it sets along with it.
static void defers_run_before_the_loop_waits(void **state)
{
    struct loop *l = *state;
    struct mark now, later;
    struct task a, b;
    struct strbuf out;
    strbuf_init(&out, 64);
    mark_init(&now, l, &out, '1');
    mark_init(&later, l, &out, '2');
    task_init(&a, l, &out, 'a');
    task_init(&b, l, &out, 'b');
    a.sets[0] = &b;
    a.left = 1;
    now.then = set_defer;
    now.other = (struct mark *)(void *)&a;
    timer_set(&now.timer, loop_now(l));
    timer_set(&later.timer, loop_now(l) + 20);
    loop_run(l);
    assert_string_equal(out.p, "1ab2");
    strbuf_finish(&out);
}

// One that sets itself comes again in the next turn: timers that are due come in between.
static void a_defer_that_sets_itself_starves_nobody(void **state)
{
    struct loop *l = *state;
    struct mark m;
    struct task greedy;
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    mark_init(&m, l, &out, 'm');
    task_init(&greedy, l, &out, 'g');
    greedy.sets[0] = &greedy;
    greedy.left = 1000000;
    m.then = stop;
    timer_set(&m.timer, loop_now(l) + 5);
    defer_set(&greedy.defer);
    loop_run(l);
    assert_int_equal(out.p[0], 'g');
    assert_non_null(strchr(out.p, 'm'));
    defer_finish(&greedy.defer);
    strbuf_finish(&out);
}

static void two_defers_that_set_each_other_take_turns(void **state)
{
    struct loop *l = *state;
    struct task a, b, c;
    struct strbuf out;
    strbuf_init(&out, 64);
    task_init(&a, l, &out, 'a');
    task_init(&b, l, &out, 'b');
    task_init(&c, l, &out, 'c');
    a.sets[0] = &b;
    b.sets[0] = &a;
    b.sets[1] = &c;
    a.left = b.left = 2;
    defer_set(&a.defer);
    loop_run(l);
    assert_string_equal(out.p, "abcabca");
    strbuf_finish(&out);
}

static void a_finished_defer_does_not_run(void **state)
{
    struct loop *l = *state;
    struct task t[4];
    struct strbuf out;
    strbuf_init(&out, 64);
    for (size_t i = 0; i < 4; i++) {
        task_init(&t[i], l, &out, (char)('a' + i));
        defer_set(&t[i].defer);
    }
    defer_finish(&t[0].defer);
    defer_finish(&t[3].defer);
    defer_finish(&t[3].defer);
    defer_set(&t[3].defer);
    defer_finish(&t[1].defer);
    loop_run(l);
    assert_string_equal(out.p, "cd");
    strbuf_finish(&out);
}

// --- polls and wake-ups ---

struct pipe_end {
    struct loop_poll *poll;
    int fd, events, status, calls;
};

static void on_ready(void *ud, int events, int status)
{
    struct pipe_end *e = ud;
    char byte;
    e->events |= events;
    e->status = status;
    e->calls++;
    if (read(e->fd, &byte, 1) == 1 && byte == 'z')
        loop_poll_close(e->poll);
}

static void a_poll_tells_readiness_until_closed(void **state)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct pipe_end e = {.fd = fds[0]};
    e.poll = loop_poll_create(*state, fds[0], on_ready, &e);
    assert_non_null(e.poll);
    loop_poll_set(e.poll, UV_READABLE);
    loop_poll_set(e.poll, 0);
    loop_poll_set(e.poll, UV_READABLE);
    assert_int_equal(write(fds[1], "xyz!", 4), 4);
    loop_run(*state);
    assert_int_equal(e.calls, 3); // nothing after closing, though a byte is left
    assert_int_equal(e.events, UV_READABLE);
    assert_int_equal(e.status, 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_plain_file_cannot_be_polled(void **state)
{
    char path[] = "/tmp/spandrel-loop-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_null(loop_poll_create(*state, fd, on_ready, NULL));
    close(fd);
    unlink(path);
    loop_poll_close(NULL);
}

struct caller {
    struct loop_wake *wake;
    int calls;
    pthread_t thread;
};

static void on_woken(void *ud)
{
    struct caller *c = ud;
    c->calls++;
    pthread_join(c->thread, NULL);
    loop_wake_close(c->wake);
}

static void *call_loop(void *ud)
{
    struct caller *c = ud;
    for (int i = 0; i < 3; i++)
        loop_wake_send(c->wake);
    return NULL;
}

static void a_thread_wakes_the_loop(void **state)
{
    struct caller c = {.calls = 0};
    c.wake = loop_wake_create(*state, on_woken, &c);
    assert_int_equal(pthread_create(&c.thread, NULL, call_loop, &c), 0);
    loop_run(*state);
    assert_int_equal(c.calls, 1);
    loop_wake_close(NULL);
}

// --- the end ---

static void leave_nothing(struct loop *l)
{
    loop_wake_close(loop_wake_create(l, on_woken, NULL)); // closing is still under way
}

static void leave_handle(struct loop *l)
{
    loop_wake_create(l, on_woken, NULL);
}

static void leave_timer(struct loop *l)
{
    struct timer *t = MEM_NEW(struct timer);
    timer_init(t, l, on_mark, NULL);
    timer_set(t, 1);
}

static int end_of_child(void (*leave)(struct loop *l))
{
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        signal(SIGABRT, SIG_DFL);
        struct loop *l = loop_create();
        leave(l);
        loop_destroy(l);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void what_is_left_open_aborts(void **state)
{
    (void)state;
    assert_int_equal(end_of_child(leave_nothing), 0);
    assert_int_equal(end_of_child(leave_handle), -SIGABRT);
    assert_int_equal(end_of_child(leave_timer), -SIGABRT);
    loop_destroy(NULL);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_open_aborts),
        LOOP_TEST(timers_fire_in_order),
        LOOP_TEST(a_timer_cancels_another_of_its_time),
        LOOP_TEST(a_timer_in_the_past_starves_nobody),
        LOOP_TEST(a_timer_is_moved),
        LOOP_TEST(many_timers_keep_order),
        LOOP_TEST(stopping_leaves_what_is_set),
        LOOP_TEST(time_stands_still_within_a_turn),
        LOOP_TEST(a_defer_set_outside_of_the_loop_runs_once),
        LOOP_TEST(defers_run_before_the_loop_waits),
        LOOP_TEST(a_defer_that_sets_itself_starves_nobody),
        LOOP_TEST(two_defers_that_set_each_other_take_turns),
        LOOP_TEST(a_finished_defer_does_not_run),
        LOOP_TEST(a_poll_tells_readiness_until_closed),
        LOOP_TEST(a_plain_file_cannot_be_polled),
        LOOP_TEST(a_thread_wakes_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
