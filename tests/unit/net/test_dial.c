#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/dial.h"
#include "net/resolve.h"
#include "unit/net/probe.h"

struct fixture {
    struct loop *loop;
    struct dial *dial;
    struct timer watchdog;
    int calls;
    enum err err;
    char why[256];
    uint16_t port; // that was reached
    int64_t started, took;
};

static void bark(void *ud)
{
    (void)ud;
    fail_msg("the dial did not end in time");
}

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->loop = loop_create();
    timer_init(&f->watchdog, f->loop, bark, f);
    timer_set(&f->watchdog, loop_now(f->loop) + WATCHDOG_MS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    timer_finish(&f->watchdog);
    loop_destroy(f->loop);
    mem_free(f);
    return 0;
}

static uint16_t port_of(const struct sockaddr_storage *a)
{
    return ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)a)->sin6_port
                                          : ((const struct sockaddr_in *)(const void *)a)->sin_port);
}

static void on_done(void *ud, union net_handle *h, enum err e, const char *why)
{
    struct fixture *f = ud;
    struct sockaddr_storage a = {0};
    int n = sizeof a;
    f->calls++;
    f->err = e;
    f->took = clock_mono() - f->started;
    (void)snprintf(f->why, sizeof f->why, "%s", why);
    timer_finish(&f->watchdog);
    assert_int_equal(h == NULL, e != ERR_OK);
    if (!h)
        return;
    assert_int_equal(uv_tcp_getpeername(&h->tcp, (struct sockaddr *)&a, &n), 0);
    f->port = port_of(&a);
    net_handle_close(h);
}

// --- addresses ---

struct target {
    const char *ip;
    uint16_t port;
};

static void dial(struct fixture *f, const struct target *targets, size_t n)
{
    struct net_addrs as = {.n = n};
    for (size_t i = 0; i < n; i++)
        assert_true(net_addr_literal(targets[i].ip, targets[i].port, &as.at[i]));
    f->started = clock_mono();
    f->dial = dial_start_at(f->loop, &as, on_done, f);
    loop_run(f->loop);
    assert_int_equal(f->calls, 1);
}

static void a_refused_address_is_followed_by_the_next_at_once(void **state)
{
    struct fixture *f = *state;
    uint16_t dead, live;
    int dead_fd = refused_port(&dead), live_fd = peer_bind(&live, 8);
    dial(f, (struct target[]){{"::1", dead}, {"127.0.0.1", dead}, {"127.0.0.1", live}}, 3);
    close(dead_fd);
    close(live_fd);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->port, live);
    assert_true(f->took < DIAL_STAGGER_MS);
}

static void a_silent_address_is_overtaken_after_the_stagger(void **state)
{
    struct fixture *f = *state;
    uint16_t live;
    struct blackhole hole;
    blackhole_open(&hole);
    int live_fd = peer_bind(&live, 8);
    dial(f, (struct target[]){{"127.0.0.1", hole.port}, {"127.0.0.1", live}}, 2);
    blackhole_close(&hole);
    close(live_fd);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->port, live);
    assert_in_range(f->took, DIAL_STAGGER_MS - 5, 4 * DIAL_STAGGER_MS);
}

// The second of the list is of the other family: it goes before the others of the first one's.
static void the_other_family_comes_second(void **state)
{
    struct fixture *f = *state;
    uint16_t live;
    struct blackhole holes[3];
    for (size_t i = 0; i < 3; i++)
        blackhole_open(&holes[i]);
    int live_fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t n = sizeof a;
    if (bind(live_fd, (struct sockaddr *)&a, sizeof a) || listen(live_fd, 8))
        skip(); // no IPv6 here
    assert_int_equal(getsockname(live_fd, (struct sockaddr *)&a, &n), 0);
    live = ntohs(a.sin6_port);
    dial(f,
         (struct target[]){
             {"127.0.0.1", holes[0].port}, {"127.0.0.1", holes[1].port}, {"127.0.0.1", holes[2].port}, {"::1", live}},
         4);
    for (size_t i = 0; i < 3; i++)
        blackhole_close(&holes[i]);
    close(live_fd);
    assert_int_equal(f->port, live);
    assert_true(f->took < 2 * DIAL_STAGGER_MS);
}

static void all_that_was_tried_is_named(void **state)
{
    struct fixture *f = *state;
    uint16_t a, b;
    int fa = refused_port(&a), fb = refused_port(&b);
    dial(f, (struct target[]){{"127.0.0.1", a}, {"127.0.0.1", b}}, 2);
    close(fa);
    close(fb);
    char expected[128];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u: connection refused, 127.0.0.1:%u: connection refused", a,
                   b);
    assert_int_equal(f->err, ERR_REFUSED);
    assert_string_equal(f->why, expected);
}

static void no_address_is_an_error(void **state)
{
    dial(*state, NULL, 0);
    assert_int_equal(((struct fixture *)*state)->err, ERR_REFUSED);
}

// connect() fails at once for an address that no socket can reach.
static void an_impossible_address_is_followed_by_the_next(void **state)
{
    struct fixture *f = *state;
    uint16_t live;
    int live_fd = peer_bind(&live, 8);
    dial(f, (struct target[]){{"255.255.255.255", live}, {"127.0.0.1", live}}, 2);
    close(live_fd);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->port, live);
}

// --- cancelling ---

static void cancel(void *ud)
{
    struct fixture *f = ud;
    struct errmsg at;
    dial_describe(f->dial, &at);
    (void)snprintf(f->why, sizeof f->why, "%s", at.text);
    dial_cancel(f->dial);
    timer_finish(&f->watchdog);
}

static void a_cancelled_dial_is_silent(void **state)
{
    struct fixture *f = *state;
    struct blackhole a, b;
    struct timer t;
    blackhole_open(&a);
    blackhole_open(&b);
    struct net_addrs as = {.n = 2};
    net_addr_literal("127.0.0.1", a.port, &as.at[0]);
    net_addr_literal("127.0.0.1", b.port, &as.at[1]);
    f->dial = dial_start_at(f->loop, &as, on_done, f);
    timer_init(&t, f->loop, cancel, f);
    timer_set(&t, loop_now(f->loop) + DIAL_STAGGER_MS + 100);
    loop_run(f->loop);
    blackhole_close(&a);
    blackhole_close(&b);
    char expected[96];
    (void)snprintf(expected, sizeof expected, "connecting to 127.0.0.1:%u, 127.0.0.1:%u", a.port, b.port);
    assert_string_equal(f->why, expected);
    assert_int_equal(f->calls, 0);
    dial_cancel(NULL);
}

static void a_look_up_is_left_behind(void **state)
{
    struct fixture *f = *state;
    f->dial = dial_start(f->loop, "no-such-host.invalid", 1, on_done, f);
    cancel(f);
    int64_t before = clock_mono();
    loop_run(f->loop);
    assert_true(clock_mono() - before < 500); // whatever the name servers do
    assert_int_equal(f->calls, 0);
    assert_string_equal(f->why, "looking up no-such-host.invalid");
}

// --- names ---

static void localhost_is_found(void **state)
{
    struct fixture *f = *state;
    uint16_t live;
    int live_fd = peer_bind(&live, 8);
    f->started = clock_mono();
    f->dial = dial_start(f->loop, "localhost", live, on_done, f);
    assert_int_equal(f->calls, 0);
    loop_run(f->loop);
    close(live_fd);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->port, live);
}

struct answer {
    int calls;
    enum err err;
    struct net_addrs addrs;
};

static void on_answer(void *ud, enum err e, const char *why, const struct net_addrs *addrs)
{
    struct answer *a = ud;
    a->calls++;
    a->err = e;
    a->addrs = *addrs;
    assert_int_equal(why[0] == '\0', e == ERR_OK);
}

static void a_literal_needs_no_look_up(void **state)
{
    struct fixture *f = *state;
    struct answer a = {0};
    timer_finish(&f->watchdog);
    resolve_start(f->loop, "::1", 4711, on_answer, &a);
    assert_int_equal(a.calls, 0);
    loop_run(f->loop);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.err, ERR_OK);
    assert_int_equal(a.addrs.n, 1);
    assert_int_equal(port_of(&a.addrs.at[0]), 4711);
}

static void many_look_ups_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct answer a = {0};
    timer_finish(&f->watchdog);
    for (int i = 0; i < 32; i++) {
        struct resolve *r = resolve_start(f->loop, i % 2 ? "localhost" : "127.0.0.1", 1, on_answer, &a);
        if (i % 4 < 2)
            resolve_cancel(r);
    }
    loop_run(f->loop);
    assert_int_equal(a.calls, 16);
    assert_int_equal(a.err, ERR_OK);
    resolve_cancel(NULL);
}

#define DIAL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIAL_TEST(a_refused_address_is_followed_by_the_next_at_once),
        DIAL_TEST(a_silent_address_is_overtaken_after_the_stagger),
        DIAL_TEST(the_other_family_comes_second),
        DIAL_TEST(all_that_was_tried_is_named),
        DIAL_TEST(no_address_is_an_error),
        DIAL_TEST(an_impossible_address_is_followed_by_the_next),
        DIAL_TEST(a_cancelled_dial_is_silent),
        DIAL_TEST(a_look_up_is_left_behind),
        DIAL_TEST(localhost_is_found),
        DIAL_TEST(a_literal_needs_no_look_up),
        DIAL_TEST(many_look_ups_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
