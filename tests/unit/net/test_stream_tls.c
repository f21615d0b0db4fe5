#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/certs.h"
#include "unit/net/probe.h"

struct pki { // of all tests
    struct cert ca, other_ca;
    char dir[64], ca_file[96], other_ca_file[96], client_file[96];
};

static struct pki pki;

static void path_in(char out[96], const char *name)
{
    (void)snprintf(out, 96, "%s/%s", pki.dir, name);
}

static int make_pki(void **state)
{
    (void)state;
    struct cert client;
    (void)snprintf(pki.dir, sizeof pki.dir, "/tmp/spandrel-tls-XXXXXX");
    assert_non_null(mkdtemp(pki.dir));
    path_in(pki.ca_file, "ca.pem");
    path_in(pki.other_ca_file, "other.pem");
    path_in(pki.client_file, "client.pem");
    cert_make(&pki.ca, &(struct cert_spec){"Test CA", NULL, -1, 10}, NULL, true);
    cert_make(&pki.other_ca, &(struct cert_spec){"Other CA", NULL, -1, 10}, NULL, true);
    cert_make(&client, &(struct cert_spec){"client", NULL, -1, 10}, &pki.ca, false);
    cert_write(&pki.ca, pki.ca_file, false);
    cert_write(&pki.other_ca, pki.other_ca_file, false);
    cert_write(&client, pki.client_file, true);
    cert_free(&client);
    return 0;
}

static int drop_pki(void **state)
{
    (void)state;
    cert_free(&pki.ca);
    cert_free(&pki.other_ca);
    unlink(pki.ca_file);
    unlink(pki.other_ca_file);
    unlink(pki.client_file);
    return rmdir(pki.dir);
}

// --- the server ---

struct server {
    struct cert_spec cert;
    bool self_signed;
    int max_version;                                // 0: any
    bool wants_client;                              // a certificate of the client's
    void (*talk)(struct peer *p, SSL *ssl, int fd); // after the handshake
    const void *arg;
};

static SSL_CTX *server_context(const struct server *s)
{
    struct cert c;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    cert_make(&c, &s->cert, s->self_signed ? NULL : &pki.ca, false);
    assert_int_equal(SSL_CTX_use_certificate(ctx, c.x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, c.key), 1);
    cert_free(&c);
    if (s->max_version) {
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(ctx, s->max_version);
    }
    if (s->wants_client) {
        SSL_CTX_load_verify_file(ctx, pki.ca_file);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return ctx;
}

static void script_tls(struct peer *p, int fd)
{
    const struct server *s = p->arg;
    SSL_CTX *ctx = server_context(s);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        (void)snprintf(p->text, sizeof p->text, "%s", sni ? sni : "");
        if (s->talk)
            s->talk(p, ssl, fd);
    } else {
        peer_drain(p, fd, SIZE_MAX); // the alert
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void talk_echo(struct peer *p, SSL *ssl, int fd)
{
    (void)fd;
    char buf[5000];
    for (int n; (n = SSL_read(ssl, buf, sizeof buf)) > 0; p->bytes += (size_t)n)
        SSL_write(ssl, buf, n);
    // Seen: an orderly end of TLS, not only of TCP.
    (void)snprintf(p->text, sizeof p->text, "%s", SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN ? "notified" : "cut");
}

// --- the client ---

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

static void run(struct fixture *f, void (*script)(struct peer *p, int fd), const void *arg, struct stream_tls tls)
{
    peer_start(&f->peer, script, arg);
    tls.on = true;
    if (!tls.ca_file)
        tls.ca_file = pki.ca_file;
    probe_dial(&f->probe, "127.0.0.1", f->peer.port, &tls, NULL);
    loop_run(f->loop);
    peer_join(&f->peer);
    assert_int_equal(f->probe.closed, 1);
}

// `why` of an error is "127.0.0.1:port: " and this.
static const char *reason(const struct fixture *f)
{
    char prefix[64];
    int n = snprintf(prefix, sizeof prefix, "127.0.0.1:%u: ", f->peer.port);
    assert_int_equal(strncmp(f->probe.why, prefix, (size_t)n), 0);
    return f->probe.why + n;
}

static const struct cert_spec good = {"a.example", "DNS:a.example,DNS:*.wild.example,IP:127.0.0.1", -1, 10};

static void date(char out[32], int days)
{
    time_t t = time(NULL) + (time_t)days * DAY_S;
    struct tm tm;
    strftime(out, 32, "%Y-%m-%d", gmtime_r(&t, &tm));
}

// --- who is trusted ---

static void the_right_server_is_accepted(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *sni;
    } cases[] = {
        {NULL, ""}, // by its address: never in SNI
        {"a.example", "a.example"},
        {"a.example.", "a.example"},
        {"A.EXAMPLE", "A.EXAMPLE"},
        {"b.wild.example", "b.wild.example"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct server s = {.cert = good};
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        f->probe.on_open = probe_close;
        run(f, script_tls, &s, (struct stream_tls){.name = cases[i].name});
        assert_int_equal(f->probe.err, ERR_OK);
        assert_int_equal(f->probe.opened, 1);
        assert_string_equal(f->peer.text, cases[i].sni);
    }
}

static void the_wrong_server_is_refused_with_a_reason(void **state)
{
    struct fixture *f = *state;
    char past[32], future[32], expired[96], early[96];
    date(past, -2);
    date(future, 2);
    (void)snprintf(expired, sizeof expired, "certificate has expired (notAfter %sT", past);
    (void)snprintf(early, sizeof early, "certificate is not valid yet (notBefore %sT", future);
    const struct {
        struct server server;
        struct stream_tls tls;
        const char *why;
    } cases[] = {
        {{.cert = {"x", "DNS:a.example", -1, 10}},
         {.name = "b.example"},
         "certificate is for a.example, not b.example"},
        {{.cert = {"x", "DNS:a.example,IP:10.0.0.1,IP:::1", -1, 10}},
         {.name = NULL},
         "certificate is for a.example, 10.0.0.1, ::1, not 127.0.0.1"},
        {{.cert = {"only.cn", NULL, -1, 10}}, {.name = "b.example"}, "certificate is for only.cn, not b.example"},
        {{.cert = {"\x1b[31mred\xc3\xa9", NULL, -1, 10}},
         {.name = "b.example"},
         "certificate is for ?[31mred??, not b.example"},
        {{.cert = {"x", "DNS:*.wild.example", -1, 10}},
         {.name = "a.b.wild.example"},
         "certificate is for *.wild.example, not a.b.wild.example"},
        {{.cert = {"x", "DNS:a.example", -5, -2}}, {.name = "a.example"}, expired},
        {{.cert = {"x", "DNS:a.example", 2, 5}}, {.name = "a.example"}, early},
        {{.cert = {"a.example", "DNS:a.example", -1, 10}, .self_signed = true},
         {.name = "a.example"},
         "certificate is self-signed and not among the trusted ones"},
        {{.cert = good},
         {.name = "a.example", .ca_file = pki.other_ca_file},
         "certificate was issued by 'Test CA', which is not trusted"},
        {{.cert = good, .max_version = TLS1_1_VERSION},
         {.name = "a.example"},
         "the peer offers nothing newer than TLS 1.1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        run(f, script_tls, &cases[i].server, cases[i].tls);
        assert_int_equal(f->probe.err, ERR_TLS);
        assert_int_equal(f->probe.opened, 0);
        assert_int_equal(strncmp(reason(f), cases[i].why, strlen(cases[i].why)), 0);
    }
}

static void insecure_takes_any_certificate(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = {"x", "DNS:a.example", -5, -2}, .self_signed = true};
    f->probe.on_open = probe_close;
    run(f, script_tls, &s, (struct stream_tls){.name = "b.example", .insecure = true});
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->probe.opened, 1);
}

static void say_hello(struct probe *p)
{
    probe_write(p, STR("hello"));
    p->want = 5;
}

static void a_client_certificate_is_shown(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = good, .wants_client = true, .talk = talk_echo};
    f->probe.on_open = say_hello;
    f->probe.on_data = probe_close_when_full;
    run(f, script_tls, &s, (struct stream_tls){.cert_file = pki.client_file});
    assert_int_equal(f->probe.err, ERR_OK);
    assert_string_equal(f->probe.got.p, "hello");
}

static void without_one_the_servers_alert_is_told(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = good, .wants_client = true, .max_version = TLS1_2_VERSION};
    run(f, script_tls, &s, (struct stream_tls){.name = NULL});
    assert_int_equal(f->probe.err, ERR_TLS);
    assert_non_null(strstr(reason(f), "alert"));
}

static void files_that_cannot_be_used_are_named(void **state)
{
    struct fixture *f = *state;
    const struct {
        struct stream_tls tls;
        const char *why;
    } cases[] = {
        {{.on = true, .ca_file = "/nowhere/ca.pem"}, "ca_file /nowhere/ca.pem: "},
        {{.on = true, .ca_file = pki.ca_file, .cert_file = "/nowhere/c.pem"}, "cert_file /nowhere/c.pem: "},
        {{.on = true, .ca_file = pki.ca_file, .cert_file = pki.client_file, .key_file = pki.ca_file}, "key_file "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        probe_dial(&f->probe, "127.0.0.1", 1, &cases[i].tls, NULL);
        loop_run(f->loop);
        assert_int_equal(f->probe.err, ERR_TLS);
        assert_int_equal(strncmp(f->probe.why, cases[i].why, strlen(cases[i].why)), 0);
        assert_true(strlen(f->probe.why) > strlen(cases[i].why));
    }
}

// --- peers that are none ---

static void script_plain(struct peer *p, int fd)
{
    peer_send(fd, p->arg, strlen(p->arg));
    peer_drain(p, fd, SIZE_MAX);
}

static void script_close(struct peer *p, int fd)
{
    char buf[64];
    p->bytes += read(fd, buf, sizeof buf) > 0;
}

static void script_silent(struct peer *p, int fd)
{
    peer_drain(p, fd, SIZE_MAX);
}

static void a_plain_peer_is_told(void **state)
{
    struct fixture *f = *state;
    static const char *const greetings[] = {
        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept'>",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        ":irc.example NOTICE * :*** Looking up your hostname\r\n",
    };
    for (size_t i = 0; i < 3; i++) {
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        run(f, script_plain, greetings[i], (struct stream_tls){.name = NULL});
        assert_int_equal(f->probe.err, ERR_TLS);
        assert_string_equal(reason(f), "the peer does not speak TLS on this port");
    }
}

static void a_peer_that_hangs_up_is_told(void **state)
{
    struct fixture *f = *state;
    run(f, script_close, NULL, (struct stream_tls){.name = NULL});
    assert_int_equal(f->probe.err, ERR_CLOSED);
    if (!strstr(f->probe.why, "reset by peer")) // what it had not read
        assert_string_equal(reason(f), "closed during the TLS handshake (does this port speak TLS?)");
}

static void a_silent_peer_costs_the_deadline(void **state)
{
    struct fixture *f = *state;
    const struct stream_limits limits = {.high = 1, .connect_ms = 200};
    peer_start(&f->peer, script_silent, NULL);
    probe_dial(&f->probe, "127.0.0.1", f->peer.port, &(const struct stream_tls){.on = true}, &limits);
    loop_run(f->loop);
    peer_join(&f->peer);
    assert_int_equal(f->probe.err, ERR_TIMEOUT);
    assert_string_equal(reason(f), "no end of the TLS handshake within 200 ms");
    assert_true(f->peer.bytes > 0); // the hello went out
}

static void close_now(void *ud)
{
    probe_close(ud);
}

static void closing_during_the_handshake(void **state)
{
    struct fixture *f = *state;
    struct timer t;
    timer_init(&t, f->loop, close_now, &f->probe);
    timer_set(&t, loop_now(f->loop) + 50);
    run(f, script_silent, NULL, (struct stream_tls){.name = NULL});
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->probe.opened, 0);
}

// --- bytes ---

enum { MUCH = 10 * 1024 * 1024 };

static char *much;

static void write_much(struct probe *p)
{
    probe_write(p, (struct str){much, MUCH});
    assert_true(stream_above_high(p->stream));
    p->want = MUCH;
}

static void ten_megabytes_there_and_back(void **state)
{
    struct fixture *f = *state;
    static const int versions[] = {TLS1_2_VERSION, 0};
    for (size_t i = 0; i < 2; i++) {
        const struct server s = {.cert = good, .talk = talk_echo, .max_version = versions[i]};
        much = pattern(MUCH);
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        f->probe.on_open = write_much;
        f->probe.on_data = probe_close_when_full;
        run(f, script_tls, &s, (struct stream_tls){.name = "a.example"});
        assert_int_equal(f->probe.err, ERR_OK);
        assert_int_equal(f->probe.got.n, MUCH);
        assert_memory_equal(f->probe.got.p, much, MUCH);
        assert_int_equal(f->probe.drained, 1);
        assert_string_equal(f->peer.text, "notified");
        mem_free(much);
    }
}

static void write_and_close(struct probe *p)
{
    write_much(p);
    probe_close(p);
}

static void talk_sink(struct peer *p, SSL *ssl, int fd)
{
    (void)fd;
    char buf[5000];
    for (int n; (n = SSL_read(ssl, buf, sizeof buf)) > 0;)
        p->bytes += (size_t)n;
    (void)snprintf(p->text, sizeof p->text, "%s", SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN ? "notified" : "cut");
}

static void closing_flushes_and_notifies(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = good, .talk = talk_sink};
    much = pattern(MUCH);
    f->probe.on_open = write_and_close;
    run(f, script_tls, &s, (struct stream_tls){.name = "a.example"});
    assert_int_equal(f->probe.err, ERR_OK);
    assert_int_equal(f->peer.bytes, MUCH);
    assert_string_equal(f->peer.text, "notified");
    mem_free(much);
}

static void talk_bye(struct peer *p, SSL *ssl, int fd)
{
    SSL_write(ssl, "bye", 3);
    SSL_shutdown(ssl);
    peer_drain(p, fd, SIZE_MAX);
}

static void talk_hang_up(struct peer *p, SSL *ssl, int fd)
{
    SSL_write(ssl, "bye", 3);
    shutdown(fd, SHUT_WR);
    peer_drain(p, fd, SIZE_MAX);
}

static void both_ends_of_tls_are_orderly(void **state)
{
    struct fixture *f = *state;
    static void (*const ways[])(struct peer * p, SSL * ssl, int fd) = {talk_bye, talk_hang_up};
    for (size_t i = 0; i < 2; i++) {
        const struct server s = {.cert = good, .talk = ways[i]};
        probe_finish(&f->probe);
        probe_init(&f->probe, f->loop);
        run(f, script_tls, &s, (struct stream_tls){.name = NULL});
        assert_string_equal(f->probe.got.p, "bye");
        assert_int_equal(f->probe.err, ERR_OK);
    }
}

static void talk_garbage(struct peer *p, SSL *ssl, int fd)
{
    SSL_write(ssl, "good", 4);
    peer_send(fd, "this is no record of TLS at all", 31);
    peer_drain(p, fd, SIZE_MAX);
}

static void garbage_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = good, .talk = talk_garbage};
    run(f, script_tls, &s, (struct stream_tls){.name = NULL});
    assert_string_equal(f->probe.got.p, "good");
    assert_int_equal(f->probe.err, ERR_TLS);
}

// Many records at once, with a pause after each: what TLS holds back comes later, in order.
static void talk_records(struct peer *p, SSL *ssl, int fd)
{
    for (char c = 'a'; c <= 'j'; c++)
        SSL_write(ssl, &c, 1);
    SSL_shutdown(ssl);
    peer_drain(p, fd, SIZE_MAX);
}

static struct timer unpause_timer;

static void unpause(void *ud)
{
    struct probe *p = ud;
    p->inside = true;
    stream_pause(p->stream, false);
    p->inside = false;
}

static void pause_a_moment(struct probe *p)
{
    stream_pause(p->stream, true);
    timer_set(&unpause_timer, loop_now(p->loop) + 5);
}

static void a_pause_between_records_loses_nothing(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = good, .talk = talk_records};
    timer_init(&unpause_timer, f->loop, unpause, &f->probe);
    f->probe.on_data = pause_a_moment;
    run(f, script_tls, &s, (struct stream_tls){.name = NULL});
    assert_string_equal(f->probe.got.p, "abcdefghij");
    assert_int_equal(f->probe.calls, 10);
    assert_int_equal(f->probe.err, ERR_OK);
    timer_finish(&unpause_timer);
}

static void reset_in_data(struct probe *p)
{
    assert_int_equal(p->calls, 1);
    probe_reset(p);
}

static void nothing_comes_after_a_reset_between_records(void **state)
{
    struct fixture *f = *state;
    const struct server s = {.cert = good, .talk = talk_records};
    f->probe.on_data = reset_in_data;
    run(f, script_tls, &s, (struct stream_tls){.name = NULL});
    assert_int_equal(f->probe.err, ERR_CLOSED);
    assert_int_equal(f->probe.calls, 1);
}

#define TLS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TLS_TEST(the_right_server_is_accepted),
        TLS_TEST(the_wrong_server_is_refused_with_a_reason),
        TLS_TEST(insecure_takes_any_certificate),
        TLS_TEST(a_client_certificate_is_shown),
        TLS_TEST(without_one_the_servers_alert_is_told),
        TLS_TEST(files_that_cannot_be_used_are_named),
        TLS_TEST(a_plain_peer_is_told),
        TLS_TEST(a_peer_that_hangs_up_is_told),
        TLS_TEST(a_silent_peer_costs_the_deadline),
        TLS_TEST(closing_during_the_handshake),
        TLS_TEST(ten_megabytes_there_and_back),
        TLS_TEST(closing_flushes_and_notifies),
        TLS_TEST(both_ends_of_tls_are_orderly),
        TLS_TEST(garbage_ends_the_stream),
        TLS_TEST(a_pause_between_records_loses_nothing),
        TLS_TEST(nothing_comes_after_a_reset_between_records),
    };
    return cmocka_run_group_tests(tests, make_pki, drop_pki);
}
