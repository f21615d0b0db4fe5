#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_client.h"
#include "unit/net/certs.h"
#include "unit/net/probe.h"

#include <netdb.h>
#include <stdatomic.h>

enum { BODY = 300000, ANSWER_MAX = 4096 };

struct fixture {
    struct loop *loop;
    struct http *http;
    struct http_call *call;
    struct timer watchdog;
    struct peer peer;
    int done;
    enum err err;
    int status;
    char why[256], body[ANSWER_MAX + 1];
    size_t body_n;
};

static void bark(void *ud)
{
    (void)ud;
    fail_msg("the call did not end in time");
}

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    f->loop = loop_create();
    f->http = http_create(f->loop);
    timer_init(&f->watchdog, f->loop, bark, f);
    timer_set(&f->watchdog, loop_now(f->loop) + WATCHDOG_MS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_destroy(f->http);
    timer_finish(&f->watchdog);
    loop_destroy(f->loop);
    mem_free(f);
    return 0;
}

static void on_done(void *ud, enum err e, const char *why, const struct http_answer *answer)
{
    struct fixture *f = ud;
    f->done++;
    f->err = e;
    (void)snprintf(f->why, sizeof f->why, "%s", why);
    assert_int_equal(e == ERR_OK, answer != NULL);
    f->status = answer ? answer->status : 0;
    f->body_n = answer ? answer->body.n : 0;
    if (f->body_n)
        memcpy(f->body, answer->body.p, f->body_n);
    f->body[f->body_n] = '\0';
    loop_stop(f->loop);
}

static struct http_request put_to(uint16_t port, char url[64], struct str body)
{
    (void)snprintf(url, 64, "http://127.0.0.1:%u/up/load?a=b", port);
    return (struct http_request){
        .method = "PUT", .url = str_c(url), .body = body, .total_ms = 10000, .answer_max = ANSWER_MAX};
}

static void send_request(struct fixture *f, const struct http_request *r)
{
    struct errmsg msg;
    assert_int_equal(http_send(f->http, r, on_done, f, &f->call, &msg), ERR_OK);
    assert_int_equal(f->done, 0);
}

static void put(struct fixture *f, void (*script)(struct peer *p, int fd), const void *arg, int64_t total_ms)
{
    char url[64];
    peer_start(&f->peer, script, arg);
    struct http_request r = put_to(f->peer.port, url, STR("some bytes"));
    r.total_ms = total_ms;
    send_request(f, &r);
    loop_run(f->loop);
    assert_int_equal(f->done, 1);
    http_destroy(f->http); // ends what the peer still waits for
    f->http = http_create(f->loop);
    peer_join(&f->peer);
}

/* The server's side. */

// Head and body of the request, which has so many bytes.
static size_t read_request(int fd, char *out, size_t max, size_t body)
{
    size_t n = 0;
    for (ssize_t rc; n < max - 1 && (rc = read(fd, out + n, max - 1 - n)) > 0;) {
        n += (size_t)rc;
        out[n] = '\0';
        const char *end = strstr(out, "\r\n\r\n");
        if (end && n - (size_t)(end + 4 - out) >= body)
            break;
    }
    return n;
}

static void script_answer(struct peer *p, int fd)
{
    char request[4096];
    (void)read_request(fd, request, sizeof request, 10);
    peer_send(fd, p->arg, strlen(p->arg));
}

struct seen {
    char *request;
    size_t n;
};

static void script_look(struct peer *p, int fd)
{
    static const char answer[] = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
    struct seen *s = (struct seen *)(uintptr_t)p->arg;
    s->n = read_request(fd, s->request, BODY + 8192, BODY);
    peer_send(fd, answer, sizeof answer - 1);
    peer_drain(p, fd, SIZE_MAX); // until the client ends it
}

static void script_silent(struct peer *p, int fd)
{
    peer_drain(p, fd, SIZE_MAX);
}

static void script_cut(struct peer *p, int fd)
{
    char request[4096];
    (void)p;
    (void)read_request(fd, request, sizeof request, 10);
    peer_reset(fd);
}

// Says that again and again, for as long as anybody listens.
static void script_endless(struct peer *p, int fd)
{
    static const char head[] = "HTTP/1.1 201 Created\r\n";
    const char *again = p->arg;
    char request[4096];
    (void)read_request(fd, request, sizeof request, 10);
    peer_send(fd, head, sizeof head - 1);
    if (*again != 'X')
        peer_send(fd, "\r\n", 2);
    for (ssize_t rc = 1; rc > 0; p->bytes += rc > 0 ? (size_t)rc : 0)
        rc = send(fd, again, strlen(again), MSG_NOSIGNAL);
}

/* Answers */

static void the_body_and_the_headers_arrive(void **state)
{
    struct fixture *f = *state;
    char url[64], *body = pattern(BODY);
    struct seen seen = {.request = mem_zalloc(BODY + 8192, 1)};
    const struct http_header headers[] = {{STR("Content-Type"), STR("image/jpeg")},
                                          {STR("Authorization"), STR("Basic Zm9v")},
                                          {STR("X-Empty"), STR_NONE}};
    peer_start(&f->peer, script_look, &seen);
    struct http_request r = put_to(f->peer.port, url, (struct str){body, BODY});
    r.headers = headers;
    r.header_count = 3;
    send_request(f, &r);
    loop_run(f->loop);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->status, 201);
    assert_string_equal(f->body, "ok");
    http_destroy(f->http);
    f->http = http_create(f->loop);
    peer_join(&f->peer);
    const char *end = strstr(seen.request, "\r\n\r\n");
    assert_non_null(end);
    assert_int_equal(seen.n, (size_t)(end + 4 - seen.request) + BODY);
    assert_memory_equal(end + 4, body, BODY);
    assert_true(strncmp(seen.request, "PUT /up/load?a=b HTTP/1.1\r\n", 27) == 0);
    assert_non_null(strstr(seen.request, "Content-Type: image/jpeg\r\n"));
    assert_non_null(strstr(seen.request, "Authorization: Basic Zm9v\r\n"));
    assert_non_null(strstr(seen.request, "X-Empty:"));
    assert_non_null(strstr(seen.request, "Content-Length: 300000\r\n"));
    assert_null(strstr(seen.request, "Expect"));
    mem_free(body);
    mem_free(seen.request);
}

static void script_no_body(struct peer *p, int fd)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    char request[4096];
    (void)read_request(fd, request, sizeof request, 0);
    (void)snprintf(p->text, sizeof p->text, "%.4s %s", request,
                   strstr(request, "Content-Length: 0\r\n") ? "says that it is empty" : "says nothing");
    peer_send(fd, answer, sizeof answer - 1);
}

static void without_a_body(struct fixture *f, const char *method, const char *seen)
{
    char url[64];
    f->done = 0;
    peer_start(&f->peer, script_no_body, NULL);
    struct http_request r = put_to(f->peer.port, url, STR_NONE);
    r.method = method;
    send_request(f, &r);
    loop_run(f->loop);
    assert_int_equal(f->status, 204);
    peer_join(&f->peer);
    assert_string_equal(f->peer.text, seen);
}

static void requests_without_a_body(void **state)
{
    without_a_body(*state, "POST", "POST says that it is empty");
    without_a_body(*state, "GET", "GET  says nothing");
}

static void any_status_is_an_answer(void **state)
{
    struct fixture *f = *state;
    put(f, script_answer, "HTTP/1.1 500 Broken\r\nContent-Length: 4\r\n\r\noops", 10000);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->status, 500);
    assert_string_equal(f->body, "oops");
}

static void a_redirection_is_not_followed(void **state)
{
    struct fixture *f = *state;
    struct peer other;
    char answer[160];
    peer_start(&other, script_silent, NULL);
    (void)snprintf(answer, sizeof answer,
                   "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n", other.port);
    put(f, script_answer, answer, 10000);
    assert_int_equal(f->status, 302);
    peer_join(&other);
    assert_int_equal(other.bytes, 0);
}

/* Failures */

static void silence_is_given_up(void **state)
{
    struct fixture *f = *state;
    int64_t began = clock_mono();
    put(f, script_silent, NULL, 300);
    assert_int_equal(f->err, ERR_TIMEOUT);
    assert_true(strlen(f->why) > 0);
    assert_in_range(clock_mono() - began, 250, 5000);
}

static void a_cut_is_an_error(void **state)
{
    struct fixture *f = *state;
    put(f, script_cut, NULL, 10000);
    assert_int_equal(f->err, ERR_CLOSED);
}

static void an_endless_answer_is_bounded(void **state)
{
    struct fixture *f = *state;
    put(f, script_endless, "all work and no play makes a dull boy. ", 10000);
    assert_int_equal(f->err, ERR_LIMIT);
    assert_string_equal(f->why, "the answer is too large");
}

static void endless_headers_are_bounded(void **state)
{
    struct fixture *f = *state;
    put(f, script_endless, "X-Header: all work and no play makes a dull boy\r\n", 10000);
    assert_int_equal(f->err, ERR_LIMIT);
}

static void what_is_no_http_is_an_error(void **state)
{
    struct fixture *f = *state;
    put(f, script_answer, "SSH-2.0-OpenSSH_9.2p1\r\n", 10000);
    assert_int_not_equal(f->err, ERR_OK);
}

static void nobody_listens(void **state)
{
    struct fixture *f = *state;
    char url[64];
    uint16_t port;
    int fd = refused_port(&port);
    struct http_request r = put_to(port, url, STR("x"));
    send_request(f, &r);
    loop_run(f->loop);
    assert_int_equal(f->err, ERR_REFUSED);
    close(fd);
}

/* The resolver of this program: no name exists, and while it hangs nothing is said at all. */

static atomic_int hanging, asked;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    (void)node;
    (void)service;
    (void)hints;
    (void)res;
    asked++;
    while (hanging)
        usleep(1000); // lint: stands for a name server that does not answer
    asked--;
    return EAI_NONAME;
}

// The loop does not wait for it, neither when the time is over nor at the end of the client.
static void a_resolver_that_hangs(void **state)
{
    struct fixture *f = *state;
    struct http_request r = {.method = "GET", .url = STR("http://hanging.example/"), .total_ms = 200};
    int64_t began = clock_mono();
    hanging = 1;
    send_request(f, &r);
    loop_run(f->loop);
    assert_true(f->err == ERR_TIMEOUT || f->err == ERR_RESOLVE);
    f->done = 0;
    send_request(f, &r);
    http_destroy(f->http);
    assert_in_range(clock_mono() - began, 150, 3000);
    hanging = 0;
    while (asked)
        usleep(1000); // lint: the threads are libcurl's
    f->http = http_create(f->loop);
}

static void no_such_name(void **state)
{
    struct fixture *f = *state;
    struct http_request r = {.method = "GET", .url = STR("http://nowhere.invalid/"), .total_ms = 10000};
    send_request(f, &r);
    loop_run(f->loop);
    assert_int_equal(f->err, ERR_RESOLVE);
}

/* Requests that are none */

static void a_bad_request_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *url;
        struct http_header header;
        enum err err;
    } cases[] = {
        {"ftp://example.org/", {STR("A"), STR("b")}, ERR_UNSUPPORTED},
        {"file:///etc/passwd", {STR("A"), STR("b")}, ERR_UNSUPPORTED},
        {"", {STR("A"), STR("b")}, ERR_UNSUPPORTED},
        {"http:///path", {STR("A"), STR("b")}, ERR_BADREQ},
        {"http://a b/", {STR("A"), STR("b")}, ERR_BADREQ},
        {"http://a/\r\nX: y", {STR("A"), STR("b")}, ERR_BADREQ},
        {"http://user:pw@example.org/", {STR("A"), STR("b")}, ERR_BADREQ},
        {"http://example.org/", {STR("A"), STR("b\r\nHost: evil")}, ERR_BADREQ},
        {"http://example.org/", {STR("A"), STR("b\nHost: evil")}, ERR_BADREQ},
        {"http://example.org/", {STR("A"), {"b\0c", 3}}, ERR_BADREQ},
        {"http://example.org/", {STR("A B"), STR("b")}, ERR_BADREQ},
        {"http://example.org/", {STR("A:"), STR("b")}, ERR_BADREQ},
        {"http://example.org/", {STR_NONE, STR("b")}, ERR_BADREQ},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct errmsg msg = {""};
        struct http_request r = {.method = "GET",
                                 .url = str_c(cases[i].url),
                                 .headers = &cases[i].header,
                                 .header_count = 1,
                                 .total_ms = 1000};
        assert_int_equal(http_send(f->http, &r, on_done, f, &f->call, &msg), cases[i].err);
        assert_true(strlen(msg.text) > 0);
    }
    assert_true(http_url_good(STR("HTTPS://upload.example.org:5281/upload/a%20b/x.jpg?k=v")));
    assert_true(http_url_good(STR("http://[::1]:8080/@x")));
}

/* Ends */

static void not_called(void *ud, enum err e, const char *why, const struct http_answer *answer)
{
    (void)ud;
    (void)e;
    (void)why;
    (void)answer;
    fail_msg("a call that was cancelled has ended");
}

static void stop_loop(void *ud)
{
    struct fixture *f = ud;
    loop_stop(f->loop);
}

static void a_cancelled_call_says_nothing(void **state)
{
    struct fixture *f = *state;
    char url[64];
    struct errmsg msg;
    struct http_call *first, *second;
    struct timer soon;
    peer_start(&f->peer, script_silent, NULL);
    struct http_request r = put_to(f->peer.port, url, STR("x"));
    r.total_ms = 100;
    assert_int_equal(http_send(f->http, &r, not_called, f, &first, &msg), ERR_OK);
    http_cancel(first);
    assert_int_equal(http_send(f->http, &r, not_called, f, &second, &msg), ERR_OK);
    timer_init(&soon, f->loop, stop_loop, f);
    timer_set(&soon, loop_now(f->loop) + 30);
    loop_run(f->loop);
    http_destroy(f->http); // with the second under way
    f->http = http_create(f->loop);
    timer_set(&soon, loop_now(f->loop) + 150);
    loop_run(f->loop);
    timer_finish(&soon);
    peer_join(&f->peer);
}

static void send_again(void *ud, enum err e, const char *why, const struct http_answer *answer)
{
    struct fixture *f = ud;
    char url[64];
    (void)why;
    assert_int_equal(e, ERR_REFUSED);
    assert_null(answer);
    struct http_request r = put_to(f->peer.port, url, STR("some bytes"));
    send_request(f, &r);
}

static void a_callback_may_send_anew(void **state)
{
    struct fixture *f = *state;
    char url[64];
    uint16_t port;
    struct errmsg msg;
    int fd = refused_port(&port);
    peer_start(&f->peer, script_answer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    struct http_request r = put_to(port, url, STR("x"));
    assert_int_equal(http_send(f->http, &r, send_again, f, &f->call, &msg), ERR_OK);
    loop_run(f->loop);
    assert_int_equal(f->status, 200);
    peer_join(&f->peer);
    close(fd);
}

/* TLS */

struct tls {
    struct cert ca, server;
    char dir[64], ca_file[96], pem[96];
};

static void tls_make(struct tls *t, const char *san)
{
    (void)snprintf(t->dir, sizeof t->dir, "/tmp/spandrel-http-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    (void)snprintf(t->ca_file, sizeof t->ca_file, "%s/ca.pem", t->dir);
    cert_make(&t->ca, &(struct cert_spec){"Test CA", NULL, -1, 10}, NULL, true);
    cert_make(&t->server, &(struct cert_spec){"server", san, -1, 10}, &t->ca, false);
    cert_write(&t->ca, t->ca_file, false);
}

static void tls_finish(struct tls *t)
{
    cert_free(&t->ca);
    cert_free(&t->server);
    unlink(t->ca_file);
    assert_int_equal(rmdir(t->dir), 0);
}

static void script_tls(struct peer *p, int fd)
{
    static const char answer[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const struct tls *t = p->arg;
    char request[4096];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(ctx, t->server.x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, t->server.key), 1);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
        p->bytes = 1;
        SSL_write(ssl, answer, sizeof answer - 1);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void put_tls(struct fixture *f, const char *san, bool trusted)
{
    struct tls t;
    char url[64];
    tls_make(&t, san);
    peer_start(&f->peer, script_tls, &t);
    (void)snprintf(url, sizeof url, "https://127.0.0.1:%u/", f->peer.port);
    send_request(f, &(struct http_request){.method = "PUT",
                                           .url = str_c(url),
                                           .body = STR("x"),
                                           .ca_file = trusted ? t.ca_file : NULL,
                                           .total_ms = 10000,
                                           .answer_max = ANSWER_MAX});
    loop_run(f->loop);
    http_destroy(f->http);
    f->http = http_create(f->loop);
    peer_join(&f->peer);
    tls_finish(&t);
}

static void a_trusted_certificate(void **state)
{
    struct fixture *f = *state;
    put_tls(f, "IP:127.0.0.1", true);
    assert_int_equal(f->err, ERR_OK);
    assert_int_equal(f->status, 201);
}

static void an_untrusted_certificate(void **state)
{
    struct fixture *f = *state;
    put_tls(f, "IP:127.0.0.1", false);
    assert_int_equal(f->err, ERR_TLS);
    assert_int_equal(f->peer.bytes, 0); // nothing was told
}

static void a_certificate_of_another(void **state)
{
    struct fixture *f = *state;
    put_tls(f, "IP:127.0.0.2", true);
    assert_int_equal(f->err, ERR_TLS);
    assert_int_equal(f->peer.bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_body_and_the_headers_arrive),
        TEST(requests_without_a_body),
        TEST(any_status_is_an_answer),
        TEST(a_redirection_is_not_followed),
        TEST(silence_is_given_up),
        TEST(a_cut_is_an_error),
        TEST(an_endless_answer_is_bounded),
        TEST(endless_headers_are_bounded),
        TEST(what_is_no_http_is_an_error),
        TEST(nobody_listens),
        TEST(no_such_name),
        TEST(a_resolver_that_hangs),
        TEST(a_bad_request_is_refused_at_once),
        TEST(a_cancelled_call_says_nothing),
        TEST(a_callback_may_send_anew),
        TEST(a_trusted_certificate),
        TEST(an_untrusted_certificate),
        TEST(a_certificate_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
