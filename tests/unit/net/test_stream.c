#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/probe.h"

struct fixture {
    struct loop *loop;
    struct probe probe;
    struct peer peer;
};

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->loop = loop_create();
    probe_init(&f->probe, f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    probe_finish(&f->probe);
    loop_destroy(f->loop);
    mem_free(f);
    return 0;
}

// Dials the peer and runs to the end.
static void run(struct fixture *f, void (*script)(struct peer *p, int fd), const void *arg)
{
    peer_start(&f->peer, script, arg);
    probe_dial(&f->probe, "127.0.0.1", f->peer.port, NULL, NULL);
    assert_string_equal(stream_peer(f->probe.stream), "");
    loop_run(f->loop);
    peer_join(&f->peer);
    assert_int_equal(f->probe.closed, 1);
}

// --- both directions ---

static void say_hello(struct probe *p)
{
    char expected[64];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%s", strchr(stream_peer(p->stream), ':') + 1);
    assert_string_equal(stream_peer(p->stream), expected);
    probe_write(p, STR("hello "));
    probe_write(p, STR(""));
    probe_write(p, STR("world"));
    assert_int_equal(stream_pending(p->stream), 11);
    p->want = 11;
}

static void what_is_written_comes_back(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = say_hello;
    f->probe.on_data = probe_close_when_full;
    run(f, script_echo, NULL);
    assert_int_equal(f->probe.opened, 1);
    assert_string_equal(f->probe.got.p, "hello world");
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->peer.bytes, 11);
}

static void what_is_written_before_the_connection_goes_out(void **state)
{
    struct fixture *f = *state;
    f->probe.on_data = probe_close_when_full;
    f->probe.want = 5;
    peer_start(&f->peer, script_echo, NULL);
    probe_dial(&f->probe, "localhost", f->peer.port, NULL, NULL);
    probe_write(&f->probe, STR("early"));
    loop_run(f->loop);
    peer_join(&f->peer);
    assert_string_equal(f->probe.got.p, "early");
    assert_int_equal(f->probe.err, ERR_OK);
}

static void script_one_segment(struct peer *p, int fd)
{
    char buf[64];
    ssize_t n = read(fd, buf, sizeof buf);
    p->bytes = n > 0 ? (size_t)n : 0;
}

static void writes_of_a_turn_go_out_together(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = say_hello;
    run(f, script_one_segment, NULL);
    assert_int_equal(f->peer.bytes, 11);
}

// --- much ---

enum { MUCH = 10 * 1024 * 1024 };

static void script_tiny_reads(struct peer *p, int fd)
{
    const char *expected = p->arg;
    char buf[777];
    for (ssize_t n; (n = read(fd, buf, sizeof buf)) > 0; p->bytes += (size_t)n) {
        if (p->bytes + (size_t)n > MUCH || memcmp(buf, expected + p->bytes, (size_t)n) != 0)
            return;
    }
}

static char *much;

static void write_much(struct probe *p)
{
    probe_write(p, (struct str){much, MUCH});
    assert_true(stream_above_high(p->stream));
    assert_int_equal(stream_pending(p->stream), MUCH);
}

static void ten_megabytes_to_a_peer_of_tiny_reads(void **state)
{
    struct fixture *f = *state;
    much = pattern(MUCH);
    f->probe.on_open = write_much;
    f->probe.on_drained = probe_close;
    run(f, script_tiny_reads, much);
    assert_int_equal(f->peer.bytes, MUCH);
    assert_int_equal(f->probe.drained, 1);
    assert_int_equal(f->probe.err, ERR_OK);
    mem_free(much);
}

static void script_small_pieces(struct peer *p, int fd)
{
    const char *bytes = p->arg;
    size_t step = 1;
    for (size_t at = 0; at < MUCH; at += step) {
        step = step % 4001 + 1;
        peer_send(fd, bytes + at, step < MUCH - at ? step : MUCH - at);
    }
}

static void ten_megabytes_in_small_pieces(void **state)
{
    struct fixture *f = *state;
    much = pattern(MUCH);
    run(f, script_small_pieces, much);
    assert_int_equal(f->probe.got.n, MUCH);
    assert_memory_equal(f->probe.got.p, much, MUCH);
    assert_int_equal(f->probe.err, ERR_OK);
    mem_free(much);
}

static void script_say(struct peer *p, int fd)
{
    peer_send(fd, p->arg, strlen(p->arg));
    shutdown(fd, SHUT_WR);
    peer_drain(p, fd, SIZE_MAX);
}

static struct timer unpause_timer;

static void unpause(void *ud)
{
    struct probe *p = ud;
    assert_int_equal(p->calls, 0);
    stream_pause(p->stream, false);
}

static void pause_for_a_while(struct probe *p)
{
    stream_pause(p->stream, true);
    stream_pause(p->stream, true);
    timer_init(&unpause_timer, p->loop, unpause, p);
    timer_set(&unpause_timer, loop_now(p->loop) + 50);
}

static void a_paused_stream_is_silent_then_complete(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = pause_for_a_while;
    run(f, script_say, "all of it");
    assert_string_equal(f->probe.got.p, "all of it");
    assert_true(f->probe.ended - f->probe.started >= 50);
}

// --- ends ---

static void answer_question(struct probe *p)
{
    probe_write(p, STR("the answer"));
}

// The peer has closed its half and still reads: the answer to what it said before goes out.
static void a_half_closed_peer_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    f->probe.on_data = answer_question;
    run(f, script_say, "a question");
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->peer.bytes, strlen("the answer"));
}

static void script_leave(struct peer *p, int fd)
{
    (void)p;
    (void)fd;
}

static void an_orderly_end_is_no_error(void **state)
{
    struct fixture *f = *state;
    run(f, script_leave, NULL);
    assert_int_equal(f->probe.opened, 1);
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->probe.got.n, 0);
}

static void script_reset(struct peer *p, int fd)
{
    char buf[16];
    ssize_t n = read(fd, buf, sizeof buf);
    p->bytes = n > 0 ? (size_t)n : 0;
    peer_send(fd, "half of a ", 10);
    peer_reset(fd);
}

static void a_reset_midway_names_the_peer(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = say_hello;
    run(f, script_reset, NULL);
    assert_int_equal(f->probe.err, ERR_CLOSED);
    char expected[96];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u: connection reset by peer", f->peer.port);
    assert_string_equal(f->probe.why, expected);
}

static void script_note_end(struct peer *p, int fd)
{
    char buf[16];
    ssize_t n;
    do
        n = read(fd, buf, sizeof buf);
    while (n > 0);
    (void)snprintf(p->text, sizeof p->text, "%s", n == 0 ? "end" : strerror(errno));
}

static void a_reset_of_ours_is_a_reset_there(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = probe_reset;
    run(f, script_note_end, NULL);
    assert_int_equal(f->probe.err, ERR_CLOSED);
    assert_string_equal(f->peer.text, strerror(ECONNRESET));
}

static void a_close_of_ours_is_an_end_there(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = probe_close;
    run(f, script_note_end, NULL);
    assert_int_equal(f->probe.err, ERR_OK);
    assert_string_equal(f->peer.text, "end");
    assert_true(f->probe.ended - f->probe.started < 1500); // the peer's end was seen, the cap not needed
}

static void write_much_and_close(struct probe *p)
{
    write_much(p);
    probe_close(p);
    probe_close(p);                  // twice is harmless
    probe_write(p, STR("too late")); // and ignored
}

static void closing_flushes_first(void **state)
{
    struct fixture *f = *state;
    much = pattern(MUCH);
    f->probe.on_open = write_much_and_close;
    run(f, script_tiny_reads, much);
    assert_int_equal(f->peer.bytes, MUCH);
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->probe.drained, 0); // closing: nobody is to go on writing
    mem_free(much);
}

static void script_sleep(struct peer *p, int fd)
{
    (void)fd;
    usleep(*(const unsigned *)p->arg * 1000U); // lint: the peer is slow, which is what is tested
}

static const unsigned patience_ms = 3000;

static void a_peer_that_does_not_read_is_given_two_seconds(void **state)
{
    struct fixture *f = *state;
    much = pattern(MUCH);
    f->probe.on_open = write_much_and_close;
    run(f, script_sleep, &patience_ms);
    assert_int_equal(f->probe.err, ERR_TIMEOUT);
    assert_non_null(strstr(f->probe.why, "does not read"));
    assert_in_range(f->probe.ended - f->probe.started, 1900, 2900);
    mem_free(much);
}

static void a_peer_that_does_not_close_is_given_two_seconds(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = probe_close;
    run(f, script_sleep, &patience_ms);
    assert_int_equal(f->probe.err, ERR_OK);
    assert_in_range(f->probe.ended - f->probe.started, 1900, 2900);
}

static void script_chatter(struct peer *p, int fd)
{
    char line[4096];
    memset(line, 'x', sizeof line);
    while (send(fd, line, sizeof line, MSG_NOSIGNAL) > 0)
        p->bytes += sizeof line;
}

static void reset_in_data(struct probe *p)
{
    assert_int_equal(p->calls, 1); // nothing after the reset
    probe_reset(p);
    probe_write(p, STR("ignored"));
    stream_pause(p->stream, true);
    stream_pause(p->stream, false);
    probe_close(p);
    probe_reset(p);
}

static void nothing_comes_after_a_reset_in_data(void **state)
{
    struct fixture *f = *state;
    f->probe.on_data = reset_in_data;
    run(f, script_chatter, NULL);
    assert_int_equal(f->probe.err, ERR_CLOSED);
}

static void close_in_data(struct probe *p)
{
    assert_int_equal(p->calls, 1);
    probe_close(p);
}

// It goes on talking after our end: what it says is dropped, and two seconds are the most it gets.
static void nothing_comes_after_a_close_in_data(void **state)
{
    struct fixture *f = *state;
    f->probe.on_data = close_in_data;
    run(f, script_chatter, NULL);
    assert_int_equal(f->probe.err, ERR_OK);
    assert_in_range(f->probe.ended - f->probe.started, 1900, 2900);
}

static void a_peer_that_goes_while_much_is_pending_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = write_much;
    much = pattern(MUCH);
    run(f, script_reset, NULL);
    assert_true(f->peer.bytes > 0);
    assert_int_equal(f->probe.err, ERR_CLOSED);
    assert_int_equal(f->probe.drained, 0);
    mem_free(much);
}

static void write_beyond_all_bounds(struct probe *p)
{
    for (size_t i = 0; i <= (size_t)STREAM_PENDING_MAX / MUCH; i++)
        probe_write(p, (struct str){much, MUCH});
}

static void output_is_bounded(void **state)
{
    struct fixture *f = *state;
    much = pattern(MUCH);
    f->probe.on_open = write_beyond_all_bounds;
    run(f, script_sleep, &(const unsigned){10});
    assert_int_equal(f->probe.err, ERR_LIMIT);
    mem_free(much);
}

// --- dialling ---

static void a_refused_dial_names_the_address(void **state)
{
    struct fixture *f = *state;
    uint16_t port;
    int fd = refused_port(&port);
    probe_dial(&f->probe, "127.0.0.1", port, NULL, NULL);
    loop_run(f->loop);
    close(fd);
    char expected[96];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u: connection refused", port);
    assert_int_equal(f->probe.err, ERR_REFUSED);
    assert_string_equal(f->probe.why, expected);
    assert_int_equal(f->probe.opened, 0);
}

static void a_name_that_does_not_resolve_is_named(void **state)
{
    struct fixture *f = *state;
    probe_dial(&f->probe, "no-such-host.invalid", 1, NULL, NULL);
    loop_run(f->loop);
    assert_true(f->probe.err == ERR_RESOLVE || f->probe.err == ERR_TIMEOUT);
    assert_non_null(strstr(f->probe.why, "no-such-host.invalid"));
}

static void an_endless_name_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[400];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    probe_dial(&f->probe, name, 1, NULL, NULL);
    loop_run(f->loop);
    assert_int_equal(f->probe.err, ERR_RESOLVE);
}

static void a_peer_that_never_answers_costs_the_deadline(void **state)
{
    struct fixture *f = *state;
    struct stream_limits limits = probe_limits;
    limits.connect_ms = 300;
    struct blackhole hole;
    blackhole_open(&hole);
    f->probe.started = clock_mono();
    probe_dial(&f->probe, "127.0.0.1", hole.port, NULL, &limits);
    loop_run(f->loop);
    blackhole_close(&hole);
    char expected[128];
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u: no answer within 300 ms, connecting to 127.0.0.1:%u",
                   hole.port, hole.port);
    assert_int_equal(f->probe.err, ERR_TIMEOUT);
    assert_string_equal(f->probe.why, expected);
    assert_in_range(f->probe.ended - f->probe.started, 295, 2000);
}

// The ways to end a dial that goes on: during the look-up, while connecting, at once.
static void closing_while_connecting(void **state)
{
    struct fixture *f = *state;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "no-such-host.invalid"};
    struct blackhole hole;
    blackhole_open(&hole);
    for (size_t i = 0; i < 6; i++) {
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        probe_dial(&f->probe, hosts[i % 3], hole.port, NULL, NULL);
        (i < 3 ? probe_close : probe_reset)(&f->probe);
        loop_run(f->loop);
        assert_int_equal(f->probe.closed, 1);
        assert_int_equal(f->probe.err, i < 3 ? ERR_OK : ERR_CLOSED);
        assert_true(f->probe.ended - f->probe.started < 1000);
    }
    blackhole_close(&hole);
}

static void on_reset_timer(void *ud)
{
    probe_reset(ud);
}

static void resetting_while_connecting(void **state)
{
    struct fixture *f = *state;
    struct blackhole hole;
    struct timer t;
    blackhole_open(&hole);
    timer_init(&t, f->loop, on_reset_timer, &f->probe);
    timer_set(&t, loop_now(f->loop) + 30);
    probe_dial(&f->probe, "127.0.0.1", hole.port, NULL, NULL);
    loop_run(f->loop);
    blackhole_close(&hole);
    assert_int_equal(f->probe.err, ERR_CLOSED);
}

// The loop goes in the middle of everything: what is under way comes to its end.
static void stop_loop(struct probe *p)
{
    probe_reset(p);
    loop_stop(p->loop);
}

static void the_loop_is_destroyed_behind_a_reset(void **state)
{
    struct fixture *f = *state;
    f->probe.on_open = stop_loop;
    peer_start(&f->peer, script_note_end, NULL);
    probe_dial(&f->probe, "127.0.0.1", f->peer.port, NULL, NULL);
    loop_run(f->loop);
    loop_destroy(f->loop);
    peer_join(&f->peer);
    assert_int_equal(f->probe.closed, 1);
    f->loop = NULL;
}

#define STREAM_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STREAM_TEST(what_is_written_comes_back),
        STREAM_TEST(what_is_written_before_the_connection_goes_out),
        STREAM_TEST(writes_of_a_turn_go_out_together),
        STREAM_TEST(ten_megabytes_to_a_peer_of_tiny_reads),
        STREAM_TEST(ten_megabytes_in_small_pieces),
        STREAM_TEST(a_paused_stream_is_silent_then_complete),
        STREAM_TEST(a_half_closed_peer_gets_its_answer),
        STREAM_TEST(an_orderly_end_is_no_error),
        STREAM_TEST(a_reset_midway_names_the_peer),
        STREAM_TEST(a_reset_of_ours_is_a_reset_there),
        STREAM_TEST(a_close_of_ours_is_an_end_there),
        STREAM_TEST(closing_flushes_first),
        STREAM_TEST(a_peer_that_does_not_read_is_given_two_seconds),
        STREAM_TEST(a_peer_that_does_not_close_is_given_two_seconds),
        STREAM_TEST(nothing_comes_after_a_reset_in_data),
        STREAM_TEST(nothing_comes_after_a_close_in_data),
        STREAM_TEST(a_peer_that_goes_while_much_is_pending_ends_the_stream),
        STREAM_TEST(output_is_bounded),
        STREAM_TEST(a_refused_dial_names_the_address),
        STREAM_TEST(a_name_that_does_not_resolve_is_named),
        STREAM_TEST(an_endless_name_is_refused),
        STREAM_TEST(a_peer_that_never_answers_costs_the_deadline),
        STREAM_TEST(closing_while_connecting),
        STREAM_TEST(resetting_while_connecting),
        STREAM_TEST(the_loop_is_destroyed_behind_a_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
