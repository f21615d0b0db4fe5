/* The server behind TLS: who gets in, with which certificate, and the same answers as without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/certs.h"
#include "unit/net/http_rig.h"

struct fixture {
    struct rig *rig;
    struct tls_server *tls;
    struct client client;
    char dir[64], cert[96], key[96], other[96];
};

static void write_identity(const char *path, const char *name, const char *key_path)
{
    struct cert c;
    cert_make(&c, &(struct cert_spec){name, NULL, -1, 10}, NULL, false);
    cert_write(&c, path, key_path == NULL);
    if (key_path) {
        FILE *out = fopen(key_path, "w");
        assert_non_null(out);
        PEM_write_PrivateKey(out, c.key, NULL, NULL, 0, NULL, NULL);
        fclose(out);
    }
    cert_free(&c);
}

static int setup(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    struct errmsg msg;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/spandrel-https-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->cert, sizeof f->cert, "%s/cert.pem", f->dir);
    (void)snprintf(f->key, sizeof f->key, "%s/key.pem", f->dir);
    (void)snprintf(f->other, sizeof f->other, "%s/other.pem", f->dir);
    write_identity(f->cert, "first", f->key);
    f->tls = tls_server_create(f->cert, f->key, &msg);
    assert_non_null(f->tls);
    f->rig = MEM_NEW(struct rig);
    rig_init(f->rig);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rig_finish(f->rig);
    tls_server_destroy(f->tls);
    unlink(f->cert);
    unlink(f->key);
    unlink(f->other);
    assert_int_equal(rmdir(f->dir), 0);
    mem_free(f);
    return 0;
}

// --- the client ---

struct session {
    int version;               // the highest to offer; 0: any
    const unsigned char *alpn; // with its length in front
    bool half;                 // says close_notify before it reads
    bool failed;               // the handshake
    char name[64];             // of the server's certificate
    char protocol[16];         // ALPN
    bool notified;             // close_notify came
};

static SSL *session_open(const struct session *s, int fd, SSL_CTX **ctx)
{
    *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(*ctx, SSL_VERIFY_NONE, NULL);
    if (s->version) {
        SSL_CTX_set_security_level(*ctx, 0);
        SSL_CTX_set_min_proto_version(*ctx, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(*ctx, s->version);
    }
    if (s->alpn)
        SSL_CTX_set_alpn_protos(*ctx, s->alpn + 1, s->alpn[0]);
    SSL *ssl = SSL_new(*ctx);
    SSL_set_fd(ssl, fd);
    return ssl;
}

static void note_session(struct session *s, SSL *ssl)
{
    const unsigned char *protocol;
    unsigned n;
    X509 *cert = SSL_get1_peer_certificate(ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, s->name, sizeof s->name);
    X509_free(cert);
    SSL_get0_alpn_selected(ssl, &protocol, &n);
    (void)snprintf(s->protocol, sizeof s->protocol, "%.*s", (int)n, (const char *)protocol);
}

static void talk(struct client *c, SSL *ssl)
{
    char buf[5000];
    for (size_t at = 0; at < c->send.n;) {
        size_t n = c->portion && c->portion < c->send.n - at ? c->portion : c->send.n - at;
        if (SSL_write(ssl, c->send.p + at, (int)n) <= 0)
            break;
        at += n;
    }
    if (((const struct session *)c->arg)->half)
        SSL_shutdown(ssl);
    for (int n; (n = SSL_read(ssl, buf, sizeof buf)) > 0;)
        strbuf_add(&c->got, buf, (size_t)n);
    c->closed = true;
}

static void script_tls(struct client *c, int fd)
{
    struct session *s = (struct session *)(uintptr_t)c->arg;
    SSL_CTX *ctx;
    SSL *ssl = session_open(s, fd, &ctx);
    s->failed = SSL_connect(ssl) != 1;
    if (!s->failed) {
        note_session(s, ssl);
        talk(c, ssl);
        s->notified = SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN;
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void ask(struct fixture *f, struct session *s, struct str send, size_t portion)
{
    f->client = (struct client){.send = send, .portion = portion, .arg = s};
    client_start(&f->client, f->rig, script_tls);
    rig_run(f->rig);
}

#define CLOSE "Host: a\r\nConnection: close\r\n\r\n"

static void assert_reply(struct fixture *f, const char *statuses, const char *last)
{
    char text[8192];
    assert_string_equal(reply_statuses(strbuf_view(&f->client.got), text), statuses);
    assert_true(str_ends(strbuf_view(&f->client.got), str_c(last)));
    client_finish(&f->client);
}

// --- tests ---

static void the_same_answers(void **state)
{
    struct fixture *f = *state;
    struct session s = {0};
    rig_serve(f->rig, f->tls);
    ask(f, &s,
        STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
            "GET /source HTTP/1.1\r\n" CLOSE),
        0);
    assert_reply(f, "202 200", "127.0.0.1 tls");
    assert_string_equal(s.name, "first");
    assert_true(s.notified);
    ask(f, &s, STR("GET /path/x HTTP/1.1\r\n" CLOSE), 1); // a record a byte
    assert_reply(f, "200", "[path][x]?");
    ask(f, &s, STR("GET /path/x HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"), 0);
    assert_reply(f, "400", "folded over lines\"}");
}

static void large_bodies_both_ways(void **state)
{
    struct fixture *f = *state;
    struct session s = {0};
    struct strbuf text;
    rig_serve(f->rig, f->tls);
    strbuf_init(&text, 8 << 20);
    strbuf_c(&text, "POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n");
    memset(strbuf_reserve(&text, 4000000), 'x', 4000000);
    strbuf_grew(&text, 4000000);
    strbuf_c(&text, "GET /big/5000000 HTTP/1.1\r\n" CLOSE);
    ask(f, &s, strbuf_view(&text), 0);
    struct str rest = strbuf_view(&f->client.got);
    struct reply reply;
    assert_true(reply_next(&rest, false, &reply));
    assert_true(str_eq_c(reply.body, "4000000"));
    assert_true(reply_next(&rest, false, &reply));
    char *expected = pattern(5000000);
    assert_true(str_eq(reply.body, (struct str){expected, 5000000}));
    mem_free(expected);
    client_finish(&f->client);
    strbuf_finish(&text);
}

static void requests_ahead(void **state)
{
    struct fixture *f = *state;
    struct session s = {0};
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 1; i <= 200; i++)
        strbuf_printf(&text, "GET /later/%d HTTP/1.1\r\nHost: a\r\n%s\r\n", i, i == 200 ? "Connection: close\r\n" : "");
    f->rig->hold_until = 8;
    f->rig->config.limits.pipelined = 8;
    rig_serve(f->rig, f->tls);
    ask(f, &s, strbuf_view(&text), 0);
    struct str rest = strbuf_view(&f->client.got);
    struct reply reply;
    for (uint64_t i = 1, n = 0; i <= 200; i++) {
        assert_true(reply_next(&rest, false, &reply) && str_to_u64(reply.body, &n));
        assert_int_equal(n, i);
    }
    client_finish(&f->client);
    strbuf_finish(&text);
}

static void who_has_ended_its_half_gets_its_answers(void **state)
{
    struct fixture *f = *state;
    struct session s = {.half = true};
    rig_serve(f->rig, f->tls);
    ask(f, &s, STR("GET /path/x HTTP/1.1\r\nHost: a\r\n\r\nGET /big/70000 HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    struct str rest = strbuf_view(&f->client.got);
    struct reply reply;
    assert_true(reply_next(&rest, false, &reply) && str_eq_c(reply.body, "[path][x]?"));
    assert_true(reply_next(&rest, false, &reply) && reply.body.n == 70000);
    assert_int_equal(rest.n, 0);
    client_finish(&f->client);
}

static void old_versions_are_refused(void **state)
{
    static const struct {
        int version;
        bool refused;
    } cases[] = {{TLS1_VERSION, true}, {TLS1_1_VERSION, true}, {TLS1_2_VERSION, false}, {TLS1_3_VERSION, false}};
    struct fixture *f = *state;
    rig_serve(f->rig, f->tls);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = {.version = cases[i].version};
        ask(f, &s, STR("GET /path/x HTTP/1.1\r\n" CLOSE), 0);
        assert_int_equal(s.failed, cases[i].refused);
        assert_reply(f, cases[i].refused ? "" : "200", cases[i].refused ? "" : "[path][x]?");
    }
}

static void http_1_1_is_chosen(void **state)
{
    static const struct {
        const char *offer, *chosen;
    } cases[] = {
        {"\x0c\x02h2\x08http/1.1", "http/1.1"}, {"\x09\x08http/1.1", "http/1.1"}, {"\x03\x02h2", ""}, {NULL, ""}};
    struct fixture *f = *state;
    rig_serve(f->rig, f->tls);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct session s = {.alpn = (const unsigned char *)cases[i].offer};
        ask(f, &s, STR("GET /path/x HTTP/1.1\r\n" CLOSE), 0);
        assert_string_equal(s.protocol, cases[i].chosen);
        assert_reply(f, "200", "[path][x]?");
    }
}

static void script_plain(struct client *c, int fd)
{
    client_say(fd, c->send, 0);
    client_read_to_end(c, fd);
}

static void plain_http_is_no_handshake(void **state)
{
    struct fixture *f = *state;
    rig_serve(f->rig, f->tls);
    f->client = (struct client){.send = STR("GET /path HTTP/1.1\r\n" CLOSE)};
    client_start(&f->client, f->rig, script_plain);
    rig_run(f->rig);
    assert_true(f->client.closed);
    assert_int_equal(f->rig->heads, 0);
    client_finish(&f->client);
}

static void a_handshake_that_does_not_come(void **state)
{
    struct fixture *f = *state;
    f->rig->config.limits.head_ms = 100;
    rig_serve(f->rig, f->tls);
    f->client = (struct client){.send = STR("\x16\x03\x01")};
    client_start(&f->client, f->rig, script_plain);
    rig_run(f->rig);
    assert_true(f->client.closed);
    assert_int_equal(f->client.got.n, 0);
    client_finish(&f->client);
    assert_int_equal(http_server_stats(f->rig->server).connections, 0);
}

// New connections get the new certificate; one that cannot be used changes nothing.
static void files_are_read_again(void **state)
{
    struct fixture *f = *state;
    struct session s = {0};
    struct errmsg msg;
    rig_serve(f->rig, f->tls);
    write_identity(f->cert, "second", f->key);
    assert_int_equal(tls_server_reload(f->tls, &msg), ERR_OK);
    ask(f, &s, STR("GET /path/x HTTP/1.1\r\n" CLOSE), 0);
    assert_reply(f, "200", "[path][x]?");
    assert_string_equal(s.name, "second");

    write_identity(f->cert, "third", f->other); // its key is not that of the file
    assert_int_equal(tls_server_reload(f->tls, &msg), ERR_TLS);
    assert_non_null(strstr(msg.text, f->key));
    unlink(f->cert);
    assert_int_equal(tls_server_reload(f->tls, &msg), ERR_TLS);
    assert_non_null(strstr(msg.text, f->cert));
    ask(f, &s, STR("GET /path/x HTTP/1.1\r\n" CLOSE), 0);
    assert_reply(f, "200", "[path][x]?");
    assert_string_equal(s.name, "second");
}

static void files_that_cannot_be_used(void **state)
{
    struct fixture *f = *state;
    struct errmsg msg;
    assert_null(tls_server_create("/nonexistent/cert.pem", NULL, &msg));
    assert_non_null(strstr(msg.text, "certificate /nonexistent/cert.pem"));
    assert_null(tls_server_create(f->cert, "/nonexistent/key.pem", &msg));
    assert_non_null(strstr(msg.text, "key /nonexistent/key.pem"));
    assert_null(tls_server_create(f->key, f->key, &msg));
    write_identity(f->other, "both", NULL);
    struct tls_server *both = tls_server_create(f->other, NULL, &msg);
    assert_non_null(both);
    tls_server_destroy(both);
    tls_server_destroy(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_answers),
        TEST(large_bodies_both_ways),
        TEST(requests_ahead),
        TEST(who_has_ended_its_half_gets_its_answers),
        TEST(old_versions_are_refused),
        TEST(http_1_1_is_chosen),
        TEST(plain_http_is_no_handshake),
        TEST(a_handshake_that_does_not_come),
        TEST(files_are_read_again),
        TEST(files_that_cannot_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
