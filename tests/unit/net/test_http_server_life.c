/* Answers as they leave, clients that go, and the server's own end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/json.h"
#include "unit/net/http_rig.h"

#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

struct fixture {
    struct rig *rig;
    struct client client;
    bool started, stopped;
};

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->rig = MEM_NEW(struct rig);
    rig_init(f->rig);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->started)
        client_finish(&f->client);
    rig_finish(f->rig);
    mem_free(f);
    return 0;
}

static struct client *start(struct fixture *f, struct str send, void (*script)(struct client *c, int fd))
{
    f->client.send = send;
    f->started = true;
    client_start(&f->client, f->rig, script);
    return &f->client;
}

static void script_all(struct client *c, int fd)
{
    client_say(fd, c->send, 0);
    client_read_to_end(c, fd);
}

static void assert_statuses(const struct client *c, const char *expected)
{
    char statuses[8192];
    assert_string_equal(reply_statuses(strbuf_view(&c->got), statuses), expected);
}

static struct reply only_reply(const struct client *c, bool head_only)
{
    struct str rest = strbuf_view(&c->got);
    struct reply reply;
    assert_true(reply_next(&rest, head_only, &reply));
    assert_int_equal(rest.n, 0);
    return reply;
}

#define CLOSE "Host: a\r\nConnection: close\r\n\r\n"

// --- what an answer looks like ---

static void to_head_there_is_no_body(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("HEAD /big/1234 HTTP/1.1\r\n" CLOSE), script_all);
    rig_run(f->rig);
    struct reply reply = only_reply(c, true);
    assert_int_equal(reply.status, 200);
    assert_true(str_find_str(reply.head, STR("\r\nContent-Length: 1234\r\n")) > 0);
}

static void without_content_there_is_no_length(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET /none HTTP/1.1\r\n" CLOSE), script_all);
    rig_run(f->rig);
    struct reply reply = only_reply(c, false);
    assert_int_equal(reply.status, 204);
    assert_int_equal(str_find_str(reply.head, STR("Content-Length")), -1);
}

// Of the last seconds, as RFC 9110 section 5.6.7 writes it.
static bool has_date(struct str head, time_t now)
{
    for (int ago = 0; ago < 10; ago++) {
        char line[64];
        time_t then = now - ago;
        struct tm tm;
        assert_non_null(gmtime_r(&then, &tm));
        (void)strftime(line, sizeof line, "\r\nDate: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        if (str_find_str(head, str_c(line)) > 0)
            return true;
    }
    return false;
}

static void every_answer_is_dated_and_names_no_software(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET /path/a%20b/?x=%20 HTTP/1.1\r\n" CLOSE), script_all);
    rig_run(f->rig);
    struct reply reply = only_reply(c, false);
    assert_true(has_date(reply.head, time(NULL)));
    assert_int_equal(str_find_str(reply.head, STR("Server:")), -1);
    assert_true(str_eq_c(reply.body, "[path][a b][]?x=%20"));
}

static void its_own_errors_are_problems(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET / HTTP/1.1\r\n\r\n"), script_all);
    rig_run(f->rig);
    struct reply reply = only_reply(c, false);
    assert_int_equal(reply.status, 400);
    assert_true(str_find_str(reply.head, STR("\r\nContent-Type: application/problem+json\r\n")) > 0);
    json_t *problem = json_read(reply.body, 4096, &msg);
    assert_non_null(problem);
    assert_int_equal(json_integer_value(json_object_get(problem, "status")), 400);
    assert_true(str_eq_c(json_member_str(problem, "title"), "Bad Request"));
    assert_true(str_find_str(json_member_str(problem, "detail"), STR("Host")) > 0);
    json_decref(problem);
}

// A detail that is too long is cut between characters.
static size_t head_problem(void *ud, struct http_exchange *x)
{
    const struct http_header header = {STR("X-A"), STR("b")};
    char detail[2 * HTTP_DETAIL_MAX + 1];
    (void)ud;
    detail[0] = 'x';
    for (size_t i = 0; i < HTTP_DETAIL_MAX; i++)
        memcpy(detail + 1 + 2 * i, "\xc3\xa9", 2);
    http_exchange_problem(x, 409, "https://example.org/p", (struct str){detail, sizeof detail}, &header, 1);
    return 0;
}

static void handlers_have_problems_too(void **state)
{
    struct fixture *f = *state;
    static const struct http_handler handler = {.head = head_problem};
    struct errmsg msg;
    f->rig->server = http_server_create(f->rig->loop, &f->rig->config, &handler, f->rig, NULL);
    assert_int_equal(http_server_listen(f->rig->server, "127.0.0.1", 0, NULL, &f->rig->port, &msg), ERR_OK);
    struct client *c = start(f, STR("GET / HTTP/1.1\r\n" CLOSE), script_all);
    rig_run(f->rig);
    struct reply reply = only_reply(c, false);
    assert_int_equal(reply.status, 409);
    assert_true(str_find_str(reply.head, STR("\r\nX-A: b\r\n")) > 0);
    json_t *problem = json_read(reply.body, 4096, &msg);
    assert_non_null(problem);
    assert_true(str_eq_c(json_member_str(problem, "type"), "https://example.org/p"));
    assert_int_equal(json_member_str(problem, "detail").n, HTTP_DETAIL_MAX - 1);
    json_decref(problem);
}

static void keep_alive_is_said_to_http_1_0(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f,
                             STR("GET /path HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                                 "GET /path HTTP/1.0\r\n\r\n"),
                             script_all);
    rig_run(f->rig);
    assert_statuses(c, "200 200");
    struct str rest = strbuf_view(&c->got);
    struct reply reply;
    assert_true(reply_next(&rest, false, &reply));
    assert_true(str_find_str(reply.head, STR("\r\nConnection: keep-alive\r\n")) > 0);
    assert_true(reply_next(&rest, false, &reply));
    assert_true(str_find_str(reply.head, STR("\r\nConnection: close\r\n")) > 0);
}

static void a_trusted_proxy_names_the_source(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(net_cidrs_add(&f->rig->trusted, STR("127.0.0.1"), NULL), ERR_OK);
    f->rig->config.trusted = &f->rig->trusted;
    rig_serve(f->rig, NULL);
    struct client *c = start(f,
                             STR("GET /source HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1, 192.0.2.7\r\n"
                                 "X-Forwarded-Proto: https\r\n" CLOSE),
                             script_all);
    rig_run(f->rig);
    assert_true(str_eq_c(only_reply(c, false).body, "192.0.2.7 tls"));
}

static void a_stranger_names_nobody(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET /source HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n" CLOSE), script_all);
    rig_run(f->rig);
    assert_true(str_eq_c(only_reply(c, false).body, "127.0.0.1 plain"));
}

// --- clients that go ---

static void leave_loop(struct rig *r)
{
    loop_stop(r->loop);
}

// Is reset by the client once the server holds its request.
static void script_reset(struct client *c, int fd)
{
    client_say(fd, c->send, 0);
    while (strbuf_view(&c->got).n == 0)
        client_read(c, fd);
    peer_reset(fd);
}

static void a_client_that_is_reset_is_gone(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_gone = leave_loop;
    start(f,
          STR("GET /path HTTP/1.1\r\nHost: a\r\n\r\nPOST /later/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"),
          script_reset);
    while (f->rig->gone == 0)
        rig_run(f->rig);
    assert_int_equal(f->rig->gone, 1);
    assert_int_equal(f->rig->held_count, 0);
}

static void a_client_that_goes_within_a_body_is_gone(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_gone = leave_loop;
    start(f, STR("GET /path HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"),
          script_reset);
    while (f->rig->gone == 0)
        rig_run(f->rig);
    assert_int_equal(f->rig->requests, 1);
}

static void script_half(struct client *c, int fd)
{
    client_say(fd, c->send, 0);
    shutdown(fd, SHUT_WR);
    client_read_to_end(c, fd);
}

// Who has said all it has to say still hears the answer (RFC 9112 section 9.6).
static void a_client_that_only_listens_gets_its_answers(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_held = leave_loop;
    struct client *c =
        start(f, STR("GET /path HTTP/1.1\r\nHost: a\r\n\r\nGET /later/7 HTTP/1.1\r\nHost: a\r\n\r\n"), script_half);
    rig_run(f->rig);
    for (int i = 0; i < 20; i++)
        uv_run(loop_uv(f->rig->loop), UV_RUN_NOWAIT); // its end is here
    release_held(f->rig);
    rig_run(f->rig);
    assert_statuses(c, "200 200");
    assert_true(c->closed && !c->reset);
}

static void an_end_within_a_request_is_an_error(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"), script_half);
    rig_run(f->rig);
    assert_statuses(c, "400");
    assert_int_equal(f->rig->gone, 1);
}

static void who_only_listens_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.request_ms = 150;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET /later/7 HTTP/1.1\r\nHost: a\r\n\r\n"), script_half);
    rig_run(f->rig);
    assert_true(c->closed);
    assert_statuses(c, "");
    assert_int_equal(f->rig->gone, 1);
}

// --- the server's end ---

static void on_stopped(void *ud)
{
    struct fixture *f = ud;
    assert_false(f->stopped);
    f->stopped = true;
    assert_int_equal(http_server_stats(f->rig->server).connections, 0);
    loop_stop(f->rig->loop);
}

static void stop_answers_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_held = leave_loop;
    struct client *c = start(f, STR("GET /later/1 HTTP/1.1\r\nHost: a\r\n\r\n"), script_all);
    rig_run(f->rig);
    http_server_stop(f->rig->server, 10000, on_stopped, f);
    for (int i = 0; i < 20; i++)
        uv_run(loop_uv(f->rig->loop), UV_RUN_NOWAIT);
    assert_false(f->stopped);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = peer_address(f->rig->port);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), -1); // nobody is let in any more
    close(fd);
    release_held(f->rig);
    while (!f->stopped)
        loop_run(f->rig->loop);
    rig_run(f->rig);
    assert_statuses(c, "200");
    assert_true(str_find_str(strbuf_view(&c->got), STR("\r\nConnection: close\r\n")) > 0);
    assert_int_equal(f->rig->gone, 0);
}

static void stop_closes_what_is_idle(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f, STR("GET /path HTTP/1.1\r\nHost: a\r\n\r\n"), script_all);
    while (f->rig->requests == 0)
        uv_run(loop_uv(f->rig->loop), UV_RUN_ONCE);
    http_server_stop(f->rig->server, 10000, on_stopped, f);
    while (!f->stopped)
        loop_run(f->rig->loop);
    rig_run(f->rig);
    assert_statuses(c, "200");
    assert_false(c->reset);
}

static void a_body_that_never_comes_ends_with_the_grace(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    struct client *c = start(f,
                             STR("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                                 "Content-Length: 100000\r\n\r\n"),
                             script_all);
    while (f->rig->heads == 0)
        uv_run(loop_uv(f->rig->loop), UV_RUN_ONCE);
    http_server_stop(f->rig->server, 200, on_stopped, f);
    while (!f->stopped)
        loop_run(f->rig->loop);
    rig_run(f->rig);
    assert_statuses(c, "100");
    assert_int_equal(f->rig->gone, 1);
}

static void grace_ends(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_held = leave_loop;
    struct client *c = start(f, STR("GET /later/1 HTTP/1.1\r\nHost: a\r\n\r\n"), script_all);
    rig_run(f->rig);
    http_server_stop(f->rig->server, 100, on_stopped, f);
    while (!f->stopped)
        loop_run(f->rig->loop);
    rig_run(f->rig);
    assert_true(c->closed && c->reset);
    assert_int_equal(f->rig->gone, 1);
}

static void stop_without_connections(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    http_server_stop(f->rig->server, 100, on_stopped, f);
    assert_false(f->stopped); // never from inside
    loop_run(f->rig->loop);
    assert_true(f->stopped);
}

static void destroyed_with_requests_under_way(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, NULL);
    f->rig->on_held = leave_loop;
    struct client *c = start(f,
                             STR("GET /later/1 HTTP/1.1\r\nHost: a\r\n\r\nGET /later/2 HTTP/1.1\r\nHost: a\r\n\r\n"
                                 "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"),
                             script_all);
    while (f->rig->heads < 3)
        uv_run(loop_uv(f->rig->loop), UV_RUN_ONCE);
    http_server_destroy(f->rig->server);
    f->rig->server = NULL;
    while (!c->closed)
        loop_run(f->rig->loop);
    assert_int_equal(f->rig->gone, 0);
    assert_statuses(c, "");
}

// --- places to listen at ---

static void on_a_unix_socket(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/spandrel-http-XXXXXX", path[80], got[512] = "";
    struct errmsg msg;
    struct stat st;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/socket", dir);
    rig_serve(f->rig, NULL);
    assert_int_equal(http_server_listen_unix(f->rig->server, path, 0600, &msg), ERR_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path) + 1);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    client_say(fd, STR("GET /source HTTP/1.1\r\n" CLOSE), 0);
    while (f->rig->requests == 0 || http_server_stats(f->rig->server).connections)
        uv_run(loop_uv(f->rig->loop), UV_RUN_ONCE);
    assert_true(recv(fd, got, sizeof got - 1, 0) > 0);
    assert_non_null(strstr(got, "unix plain"));
    close(fd);
    http_server_destroy(f->rig->server);
    f->rig->server = NULL;
    assert_int_equal(rmdir(dir), 0);
}

static void bad_places(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    uint16_t port;
    rig_serve(f->rig, NULL);
    assert_int_equal(http_server_listen(f->rig->server, "nonsense", 0, NULL, NULL, &msg), ERR_CONF);
    assert_non_null(strstr(msg.text, "nonsense"));
    assert_int_equal(http_server_listen(f->rig->server, "127.0.0.1", f->rig->port, NULL, NULL, &msg), ERR_CONF);
    for (int i = 1; i < HTTP_LISTENERS_MAX; i++)
        assert_int_equal(http_server_listen(f->rig->server, "127.0.0.1", 0, NULL, &port, &msg), ERR_OK);
    assert_int_equal(http_server_listen(f->rig->server, "127.0.0.1", 0, NULL, NULL, &msg), ERR_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(to_head_there_is_no_body),
        TEST(without_content_there_is_no_length),
        TEST(every_answer_is_dated_and_names_no_software),
        TEST(its_own_errors_are_problems),
        TEST(handlers_have_problems_too),
        TEST(keep_alive_is_said_to_http_1_0),
        TEST(a_trusted_proxy_names_the_source),
        TEST(a_stranger_names_nobody),
        TEST(a_client_that_is_reset_is_gone),
        TEST(a_client_that_goes_within_a_body_is_gone),
        TEST(a_client_that_only_listens_gets_its_answers),
        TEST(an_end_within_a_request_is_an_error),
        TEST(who_only_listens_does_not_wait_for_ever),
        TEST(stop_answers_what_is_under_way),
        TEST(stop_closes_what_is_idle),
        TEST(a_body_that_never_comes_ends_with_the_grace),
        TEST(grace_ends),
        TEST(stop_without_connections),
        TEST(destroyed_with_requests_under_way),
        TEST(on_a_unix_socket),
        TEST(bad_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
