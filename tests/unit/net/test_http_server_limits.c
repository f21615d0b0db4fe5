/* What a client may take from the server: bytes, requests ahead, connections, time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/http_rig.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>

enum { MANY = 64 };

struct fixture {
    struct rig *rig;
    struct client clients[MANY];
    size_t count;
    struct strbuf text; // to be sent
};

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->rig = MEM_NEW(struct rig);
    rig_init(f->rig);
    strbuf_init(&f->text, 64 * 1024 * 1024);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->count; i++)
        client_finish(&f->clients[i]);
    rig_finish(f->rig);
    strbuf_finish(&f->text);
    mem_free(f);
    return 0;
}

static struct client *start(struct fixture *f, struct str send, void (*script)(struct client *c, int fd))
{
    struct client *c = &f->clients[f->count++];
    assert_true(f->count <= MANY);
    c->send = send;
    client_start(c, f->rig, script);
    return c;
}

static void assert_statuses(const struct client *c, const char *expected)
{
    char statuses[8192];
    assert_string_equal(reply_statuses(strbuf_view(&c->got), statuses), expected);
}

static void script_all(struct client *c, int fd)
{
    client_say(fd, c->send, c->portion);
    client_read_to_end(c, fd);
}

// The last request says "Connection: close".
static void say_requests(struct strbuf *out, unsigned n, const char *path)
{
    for (unsigned i = 1; i <= n; i++)
        strbuf_printf(out, "GET %s%u HTTP/1.1\r\nHost: a\r\n%s\r\n", path, i, i == n ? "Connection: close\r\n" : "");
}

static void assert_bodies_in_order(const struct client *c, unsigned n)
{
    struct str rest = strbuf_view(&c->got);
    struct reply reply;
    for (unsigned i = 1; i <= n; i++) {
        uint64_t number = 0;
        assert_true(reply_next(&rest, false, &reply));
        assert_true(str_to_u64(reply.body, &number));
        assert_int_equal(number, i);
    }
    assert_int_equal(rest.n, 0);
}

// --- requests ahead ---

static void a_thousand_pipelined(void **state)
{
    struct fixture *f = *state;
    say_requests(&f->text, 1000, "/path/");
    rig_serve(f->rig, NULL);
    struct client *c = start(f, strbuf_view(&f->text), script_all);
    rig_run(f->rig);
    assert_int_equal(f->rig->requests, 1000);
    struct str rest = strbuf_view(&c->got);
    struct reply reply;
    for (unsigned i = 1; i <= 1000; i++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "[path][%u]?", i);
        assert_true(reply_next(&rest, false, &reply));
        assert_true(str_eq_c(reply.body, expected));
    }
    assert_true(c->closed && !c->reset);
}

static void no_more_than_so_many_are_ahead(struct rig *r)
{
    assert_true(r->held_count <= r->config.limits.pipelined);
}

// They are answered from the last to the first, and leave from the first to the last.
static void answers_leave_in_order(void **state)
{
    struct fixture *f = *state;
    say_requests(&f->text, 320, "/later/");
    f->rig->config.limits.pipelined = 16;
    f->rig->hold_until = 16;
    f->rig->reverse = true;
    f->rig->on_held = no_more_than_so_many_are_ahead;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, strbuf_view(&f->text), script_all);
    rig_run(f->rig);
    assert_bodies_in_order(c, 320);
    assert_int_equal(http_server_stats(f->rig->server).buffered, 0);
}

// --- heads ---

static void say_head(struct strbuf *out, size_t headers, size_t value)
{
    strbuf_c(out, "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
    for (size_t i = 2; i < headers; i++) {
        strbuf_c(out, "X: ");
        for (size_t k = 0; k < value; k++)
            strbuf_char(out, 'x');
        strbuf_c(out, "\r\n");
    }
    strbuf_c(out, "\r\n");
}

static void assert_answer(struct fixture *f, const char *expected)
{
    struct client *c = start(f, strbuf_view(&f->text), script_all);
    rig_run(f->rig);
    assert_statuses(c, expected);
    assert_true(c->closed && !c->reset);
    strbuf_clear(&f->text);
}

static void large_heads(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    say_head(&f->text, 64, 1);
    assert_answer(f, "202");
    say_head(&f->text, 65, 1);
    assert_answer(f, "431");
    say_head(&f->text, 10000, 1);
    assert_answer(f, "431");
    say_head(&f->text, 3, 16000);
    assert_answer(f, "202");
    say_head(&f->text, 3, 16400);
    assert_answer(f, "431");
    say_head(&f->text, 3, 1000000);
    assert_answer(f, "431");
    struct http_server_stats stats = http_server_stats(f->rig->server);
    assert_int_equal(stats.faults, 4);
    assert_int_equal(stats.requests, 2);
    assert_int_equal(stats.answers[4], 4);
    assert_int_equal(stats.answers[2], 2);
}

static void say_target(struct strbuf *out, size_t n)
{
    strbuf_c(out, "GET /echo/");
    for (size_t i = 0; i < n; i++)
        strbuf_char(out, 'x');
    strbuf_c(out, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

static void long_targets(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    say_target(&f->text, 8000 - 21);
    assert_answer(f, "202");
    say_target(&f->text, 8000 - 20);
    assert_answer(f, "414");
    say_target(&f->text, 1000000);
    assert_answer(f, "414");
}

// --- bodies ---

static void say_body(struct strbuf *out, const char *path, size_t n, bool chunked)
{
    strbuf_printf(out, "POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", path);
    if (chunked)
        strbuf_printf(out, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", n);
    else
        strbuf_printf(out, "Content-Length: %zu\r\n\r\n", n);
    memset(strbuf_reserve(out, n), 'x', n);
    strbuf_grew(out, n);
    if (chunked)
        strbuf_c(out, "\r\n0\r\n\r\n");
}

static void large_bodies(void **state)
{
    static const struct {
        const char *path;
        size_t n;
        const char *status;
    } cases[] = {
        {"/small", 10, "202"},
        {"/small", 11, "413"},
        {"/length", 1024 * 1024, "200"},
        {"/length", 1024 * 1024 + 1, "413"},
        {"/large", HTTP_BODY_MAX, "200"},
        {"/large", HTTP_BODY_MAX + 1, "413"},
    };
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            say_body(&f->text, cases[i].path, cases[i].n, chunked);
            assert_answer(f, cases[i].status);
        }
    }
    assert_int_equal(f->rig->gone, 6); // head() had taken them
    assert_int_equal(http_server_stats(f->rig->server).buffered, 0);
}

// Together they may fill no more than is allowed: one is told 503, and the others have its room.
static void bodies_together(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.buffered = 100000;
    rig_serve(f->rig, NULL);
    for (int i = 0; i < 3; i++) {
        strbuf_clear(&f->text);
        say_body(&f->text, "/later/1", 40000, i % 2);
        char *copy = mem_dup(f->text.p, f->text.n);
        start(f, (struct str){copy, f->text.n}, script_all);
    }
    while (f->rig->held_count < 2 || http_server_stats(f->rig->server).answers[5] == 0)
        uv_run(loop_uv(f->rig->loop), UV_RUN_ONCE);
    release_held(f->rig);
    rig_run(f->rig);
    unsigned refused = 0;
    for (int i = 0; i < 3; i++) {
        struct reply reply;
        struct str rest = strbuf_view(&f->clients[i].got);
        assert_true(reply_next(&rest, false, &reply));
        refused += reply.status == 503;
        assert_true(reply.status == 503 || reply.status == 200);
        if (reply.status == 503)
            assert_true(str_find_str(reply.head, STR("\r\nRetry-After: ")) > 0);
        mem_free((void *)(uintptr_t)f->clients[i].send.p);
    }
    assert_int_equal(refused, 1);
    assert_int_equal(http_server_stats(f->rig->server).buffered, 0);
}

// --- 100-continue ---

#define EXPECT(path, n)                                                                                                \
    "POST " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-Continue\r\nContent-Length: " n "\r\n\r\n"

static void script_expect(struct client *c, int fd)
{
    client_say(fd, c->send, 0);
    while (!c->closed && str_find_str(strbuf_view(&c->got), STR("100 Continue\r\n\r\n")) < 0)
        client_read(c, fd);
    client_say(fd, STR("hello"), 0);
    client_read_to_end(c, fd);
}

static void a_client_that_waits_is_told(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *taken = start(f, STR(EXPECT("/echo", "5")), script_expect);
    struct client *large = start(f, STR(EXPECT("/small", "11")), script_all);
    struct client *refused = start(f, STR(EXPECT("/head", "5")), script_all);
    struct client *unasked = start(f, STR(EXPECT("/echo", "5") "hello"), script_all);
    rig_run(f->rig);
    assert_statuses(taken, "100 202");
    assert_statuses(large, "413");
    assert_statuses(refused, "403");
    assert_statuses(unasked, "202"); // RFC 9110 section 10.1.1: may be omitted, the body has begun
    assert_true(large->closed && refused->closed);
}

static void on_held_wake(struct rig *r)
{
    loop_stop(r->loop);
}

// It is the answer's turn that makes it one: never before the answers of earlier requests.
static void continue_waits_for_its_turn(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_held = on_held_wake;
    struct client *c = start(f, STR("GET /later/1 HTTP/1.1\r\nHost: a\r\n\r\n" EXPECT("/echo", "5")), script_expect);
    rig_run(f->rig);
    while (f->rig->heads < 2)
        uv_run(loop_uv(f->rig->loop), UV_RUN_NOWAIT);
    release_held(f->rig);
    rig_run(f->rig);
    assert_statuses(c, "200 100 202");
}

// --- time ---

static void late_requests(void **state)
{
    struct fixture *f = *state;
    struct http_server_limits *l = &f->rig->config.limits;
    *l = (struct http_server_limits){.head_ms = 400, .request_ms = 600, .idle_ms = 500};
    rig_serve(f->rig, NULL);
    struct client *silent = start(f, STR(""), script_all);
    struct client *crlf = start(f, STR("\r\n"), script_all);
    struct client *line = start(f, STR("GET /ec"), script_all);
    struct client *head = start(f, STR("GET /echo HTTP/1.1\r\nHost: a\r\nX-"), script_all);
    struct client *body = start(f, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhell"), script_all);
    struct client *chunk =
        start(f, STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhell"), script_all);
    struct client *second = start(f, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\nGET /"), script_all);
    struct client *idle = start(f, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"), script_all);
    rig_run(f->rig);
    assert_statuses(silent, "");
    assert_statuses(crlf, "");
    assert_statuses(line, "408");
    assert_statuses(head, "408");
    assert_statuses(body, "408");
    assert_statuses(chunk, "408");
    assert_statuses(second, "202 408");
    assert_statuses(idle, "202");
    for (size_t i = 0; i < f->count; i++)
        assert_true(f->clients[i].closed && !f->clients[i].reset);
    assert_int_equal(http_server_stats(f->rig->server).timeouts, 5);
    assert_int_equal(f->rig->gone, 2);
}

// A byte now and then does not make a head or a body come in time.
static void script_drip(struct client *c, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (size_t i = 0; i < c->send.n && poll(&p, 1, 5) == 0; i++)
        peer_send(fd, c->send.p + i, 1);
    client_read_to_end(c, fd);
}

static void slow_loris(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits = (struct http_server_limits){.head_ms = 200, .request_ms = 300};
    strbuf_c(&f->text, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    size_t head = f->text.n;
    memset(strbuf_reserve(&f->text, 100000), 'x', 100000);
    strbuf_grew(&f->text, 100000);
    say_requests(&f->text, 200, "/path/");
    struct str all = strbuf_view(&f->text), good = str_sub(all, head + 100000, all.n);
    rig_serve(f->rig, NULL);
    for (int i = 0; i < 20; i++)
        start(f, all, script_drip);
    struct client *between = start(f, good, script_all);
    rig_run(f->rig);
    for (int i = 0; i < 20; i++)
        assert_statuses(&f->clients[i], "408");
    char statuses[8192];
    assert_int_equal(strlen(reply_statuses(strbuf_view(&between->got), statuses)), 200 * 4 - 1);
}

// Reads nothing until the server has had enough.
static void script_unread(struct client *c, int fd)
{
    struct pollfd p = {.fd = fd, .events = 0};
    client_say(fd, c->send, 0);
    c->closed = poll(&p, 1, RIG_PATIENCE_S * 1000) == 1;
    c->reset = p.revents & (POLLERR | POLLHUP);
}

static void an_answer_that_is_not_read(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.write_ms = 200;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET /big/30000000 HTTP/1.1\r\nHost: a\r\n\r\n"), script_unread);
    rig_run(f->rig);
    assert_true(c->closed && c->reset);
    assert_int_equal(f->rig->gone, 0); // it was answered
    assert_int_equal(http_server_stats(f->rig->server).timeouts, 1);
}

// Answers that pile up stop the reading, not the connection: each arrives, and memory holds but a few.
static void watch_pending(struct rig *r)
{
    release_held(r);
}

static void script_slow_reader(struct client *c, int fd)
{
    char byte;
    client_say(fd, c->send, 0);
    assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), 1);
    client_read_to_end(c, fd);
}

static void large_answers_all_arrive(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++)
        strbuf_printf(&f->text, "GET /big/500000 HTTP/1.1\r\nHost: a\r\n%s\r\n",
                      i == 39 ? "Connection: close\r\n" : "");
    f->rig->on_held = watch_pending;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, strbuf_view(&f->text), script_slow_reader);
    rig_run(f->rig);
    char statuses[8192];
    assert_int_equal(strlen(reply_statuses(strbuf_view(&c->got), statuses)), 40 * 4 - 1);
}

// --- connections ---

static void script_stay(struct client *c, int fd)
{
    client_say(fd, STR("GET /later/1 HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    client_read(c, fd);
}

static void crowd(struct fixture *f)
{
    f->rig->on_held = on_held_wake;
    rig_serve(f->rig, NULL);
    for (int i = 0; i < 2; i++) {
        start(f, STR(""), script_stay);
        rig_run(f->rig);
    }
    assert_int_equal(f->rig->held_count, 2);
    // Both places are taken: the third is told so, and the first two do not notice.
    struct client *third = start(f, STR(""), script_all);
    while (__atomic_load_n(&f->rig->clients, __ATOMIC_ACQUIRE) == 3)
        uv_run(loop_uv(f->rig->loop), UV_RUN_ONCE);
    struct reply reply;
    struct str rest = strbuf_view(&third->got);
    assert_true(reply_next(&rest, false, &reply));
    assert_int_equal(reply.status, 503);
    assert_true(str_find_str(reply.head, STR("\r\nConnection: close\r\n")) > 0);
    assert_true(str_find_str(reply.head, STR("\r\nRetry-After: 5\r\n")) > 0);
    assert_true(
        str_starts(reply.body, STR("{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,")));
    release_held(f->rig);
    rig_run(f->rig);
    assert_statuses(&f->clients[0], "200");
    assert_statuses(&f->clients[1], "200");
    assert_int_equal(http_server_stats(f->rig->server).refused, 1);
}

static void stop_when_empty(struct rig *r)
{
    while (http_server_stats(r->server).connections)
        uv_run(loop_uv(r->loop), UV_RUN_ONCE);
}

static void too_many_connections(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.connections = 2;
    crowd(f);
    stop_when_empty(f->rig);
    f->rig->on_held = NULL;
    strbuf_c(&f->text, "GET /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_answer(f, "200"); // there is a place again
}

static void too_many_from_one_source(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.per_source = 2;
    crowd(f);
    stop_when_empty(f->rig);
    f->rig->on_held = NULL;
    strbuf_c(&f->text, "GET /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_answer(f, "200");
}

// From 127.0.0.2, while the thread's own connection comes from 127.0.0.1.
static void script_elsewhere(struct client *c, int fd)
{
    struct sockaddr_in to = peer_address(c->rig->port), from = peer_address(0);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
    client_say(fd, STR("GET /path/1 HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    client_read(c, fd);
    strbuf_clear(&c->got);
    if (bind(other, (struct sockaddr *)&from, sizeof from) == 0 &&
        connect(other, (struct sockaddr *)&to, sizeof to) == 0) {
        client_say(other, STR("GET /source HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 0);
        client_read_to_end(c, other);
    }
    close(other);
}

static void each_source_has_its_own_places(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.per_source = 1;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR(""), script_elsewhere);
    rig_run(f->rig);
    assert_statuses(c, "200");
    assert_true(str_ends(strbuf_view(&c->got), STR("127.0.0.2 plain")));
}

static void a_trusted_proxy_may_have_more(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(net_cidrs_add(&f->rig->trusted, STR("127.0.0.0/8"), NULL), ERR_OK);
    f->rig->config.limits.per_source = 1;
    f->rig->config.trusted = &f->rig->trusted;
    f->rig->hold_until = 3;
    rig_serve(f->rig, NULL);
    for (int i = 0; i < 3; i++)
        start(f, STR(""), script_stay);
    rig_run(f->rig);
    for (int i = 0; i < 3; i++)
        assert_statuses(&f->clients[i], "200");
}

// --- no more files ---

static void on_enough(void *ud)
{
    loop_stop(ud);
}

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void without_files_the_loop_does_not_spin(void **state)
{
    struct fixture *f = *state;
    struct rlimit was, low;
    struct timer enough;
    int fds[8];
    rig_serve(f->rig, NULL);
    struct sockaddr_in a = peer_address(f->rig->port);
    for (size_t i = 0; i < 8; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    getrlimit(RLIMIT_NOFILE, &was);
    low = was;
    low.rlim_cur = (rlim_t)fds[7] + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(connect(fds[i], (struct sockaddr *)&a, sizeof a), 0);
    timer_init(&enough, f->rig->loop, on_enough, f->rig->loop);
    timer_set(&enough, loop_now(f->rig->loop) + 300);
    int64_t before = cpu_ms();
    loop_run(f->rig->loop);
    assert_true(cpu_ms() - before < 150);
    timer_finish(&enough);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    for (size_t i = 0; i < 8; i++)
        close(fds[i]);
    strbuf_c(&f->text, "GET /path HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_answer(f, "200");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thousand_pipelined),
        TEST(answers_leave_in_order),
        TEST(large_heads),
        TEST(long_targets),
        TEST(large_bodies),
        TEST(bodies_together),
        TEST(a_client_that_waits_is_told),
        TEST(continue_waits_for_its_turn),
        TEST(late_requests),
        TEST(slow_loris),
        TEST(an_answer_that_is_not_read),
        TEST(large_answers_all_arrive),
        TEST(too_many_connections),
        TEST(too_many_from_one_source),
        TEST(each_source_has_its_own_places),
        TEST(a_trusted_proxy_may_have_more),
        TEST(without_files_the_loop_does_not_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
