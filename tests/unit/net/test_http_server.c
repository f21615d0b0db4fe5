/* The server as clients see it, byte by byte: what each request is answered with, how many answers come, and whether
 * the connection lives on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/net/http_rig.h"

#define H "Host: a\r\n"
#define POST "POST /echo HTTP/1.1\r\n" H
#define GET "GET /echo HTTP/1.1\r\n" H "\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define SMUGGLED "GET /smuggled HTTP/1.1\r\n" H "\r\n"

struct tort {
    const char *name;
    struct str send;
    const char *statuses;
    bool closes; // after the last answer
};

#define KEEPS false
#define CLOSES true
#define CASE(name, send, statuses, closes)                                                                             \
    {                                                                                                                  \
        name, {send, sizeof(send) - 1}, statuses, closes                                                               \
    }

static const struct tort torts[] = {
    // What must work.
    CASE("get", GET, "202", KEEPS),
    CASE("content-length", POST "Content-Length: 5\r\n\r\nhello", "202", KEEPS),
    CASE("content-length-0", POST "Content-Length: 0\r\n\r\n", "202", KEEPS),
    CASE("chunked", CHUNKED "5\r\nhello\r\n0\r\n\r\n", "202", KEEPS),
    CASE("chunked-hex", CHUNKED "A\r\n0123456789\r\n00b\r\n0123456789a\r\n0\r\n\r\n", "202", KEEPS),
    CASE("chunk-extension", CHUNKED "5;a=b\r\nhello\r\n0;e\r\n\r\n", "202", KEEPS),
    CASE("trailers", CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 99\r\n\r\n", "202", KEEPS),
    CASE("coding-case", POST "transfer-ENCODING: Chunked\r\n\r\n0\r\n\r\n", "202", KEEPS),
    CASE("pipelined-5", GET POST "Content-Length: 2\r\n\r\nhi" CHUNKED "1\r\nx\r\n0\r\n\r\n" GET GET,
         "202 202 202 202 202", KEEPS),
    CASE("blank-lines-before", "\r\n\r\n" GET "\r\n" GET, "202 202", KEEPS),
    CASE("tabs-and-blanks-around-a-value", "GET /echo HTTP/1.1\r\nHost: \t a \t\r\n\r\n", "202", KEEPS),
    CASE("latin-1-value", "GET /echo HTTP/1.1\r\n" H "X: caf\xe9\r\n\r\n", "202", KEEPS),
    CASE("empty-value", "GET /echo HTTP/1.1\r\n" H "X:\r\nY: \r\n\r\n", "202", KEEPS),
    CASE("close", "GET /echo HTTP/1.1\r\n" H "Connection: close\r\n\r\n" SMUGGLED, "202", CLOSES),
    CASE("http-1.0", "GET /echo HTTP/1.0\r\n\r\n", "202", CLOSES),
    CASE("http-1.0-keep-alive", "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" GET, "202 202", KEEPS),
    CASE("absolute-form", "GET http://a/echo HTTP/1.1\r\n" H "\r\n", "202", KEEPS),
    CASE("absolute-form-https", "GET HTTPS://[::1]:8443/echo?a=b HTTP/1.1\r\nHost: other\r\n\r\n", "202", KEEPS),
    CASE("options-star", "OPTIONS * HTTP/1.1\r\n" H "\r\n", "202", KEEPS),
    CASE("put-patch-delete",
         "PUT /echo HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\n1PATCH /echo HTTP/1.1\r\n" H "\r\n"
         "DELETE /echo HTTP/1.1\r\n" H "\r\n",
         "202 202 202", KEEPS),
    CASE("upgrade-is-an-offer",
         "POST /echo HTTP/1.1\r\n" H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
         "Content-Length: 2\r\n\r\nhi" GET,
         "202 202", KEEPS),
    CASE("upgrade-without-a-body", "GET /echo HTTP/1.1\r\n" H "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" GET,
         "202 202", KEEPS),
    CASE("expect", POST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n", "202", KEEPS),
    CASE("204", "GET /none HTTP/1.1\r\n" H "\r\n" GET, "204 202", KEEPS),
    CASE("answered-from-its-head", "POST /early HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello" GET, "403 202", KEEPS),
    CASE("answered-from-its-head-chunked",
         "POST /early HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" SMUGGLED, "403",
         CLOSES),
    CASE("answered-from-its-head-large", "POST /early HTTP/1.1\r\n" H "Content-Length: 100000\r\n\r\nhello", "403",
         CLOSES),
    CASE("bad-answer-header", "GET /bad HTTP/1.1\r\n" H "\r\n", "500", KEEPS),
    CASE("1-byte-chunks", CHUNKED "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", "202", KEEPS),

    // Request smuggling (RFC 9112 section 11.2): one answer, and what follows is nobody's.
    CASE("cl-te", POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-cl", POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-te", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" SMUGGLED, "400",
         CLOSES),
    CASE("te-twice-chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-gzip", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-identity", POST "Transfer-Encoding: identity\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-vertical-tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-parameter", POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-empty", POST "Transfer-Encoding:\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-in-1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-blank-before-colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("te-folded", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("cl-cl-equal", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-cl-different", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-list", POST "Content-Length: 5, 5\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-plus", POST "Content-Length: +5\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-minus", POST "Content-Length: -1\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("cl-hex", POST "Content-Length: 0x5\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-blank-within", POST "Content-Length: 5 5\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-empty", POST "Content-Length:\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("cl-overflow", POST "Content-Length: 18446744073709551621\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-blank-before-colon", POST "Content-Length : 5\r\n\r\nhello" SMUGGLED, "400", CLOSES),
    CASE("cl-1GiB", POST "Content-Length: 1073741824\r\n\r\nhello", "413", CLOSES),

    // Chunks.
    CASE("chunk-overflow", CHUNKED "FFFFFFFFFFFFFFFFF\r\nx" SMUGGLED, "400", CLOSES),
    CASE("chunk-9-digits", CHUNKED "000000005\r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-4GiB", CHUNKED "FFFFFFFF\r\n", "408", CLOSES),
    CASE("chunk-no-size", CHUNKED "\r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-bad-size", CHUNKED "5g\r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-0x", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-minus", CHUNKED "-5\r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-blank-before-size", CHUNKED " 5\r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-blank-behind-size", CHUNKED "5 \r\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-bare-lf", CHUNKED "5\nhello\n0\n\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-bare-cr", CHUNKED "5\rhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-extension-lf", CHUNKED "5;\nhello\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-too-long", CHUNKED "5\r\nhello!\r\n0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("chunk-data-without-crlf", CHUNKED "5\r\nhello0\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("trailer-folded", CHUNKED "0\r\nA: b\r\n c\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("trailer-bare-lf", CHUNKED "0\r\nA: b\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("trailer-no-colon", CHUNKED "0\r\nGET /x HTTP/1.1\r\n\r\n" SMUGGLED, "400", CLOSES),

    // Lines and characters.
    CASE("obs-fold", "GET /echo HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("obs-fold-tab", "GET /echo HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("fold-before-headers", "GET /echo HTTP/1.1\r\n " H "\r\n" SMUGGLED, "400", CLOSES),
    CASE("bare-cr-in-value", "GET /echo HTTP/1.1\r\n" H "X: a\rY: b\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("bare-cr-as-line-end", "GET /echo HTTP/1.1\r" H "\r\n" SMUGGLED, "400", CLOSES),
    CASE("bare-lf", "GET /echo HTTP/1.1\nHost: a\n\n" SMUGGLED, "400", CLOSES),
    CASE("bare-lf-in-headers", "GET /echo HTTP/1.1\r\nHost: a\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("crcrlf", "GET /echo HTTP/1.1\r\n" H "X: a\r\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("nul-in-value", "GET /echo HTTP/1.1\r\n" H "X: a\0b\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("nul-in-name", "GET /echo HTTP/1.1\r\n" H "X\0Y: b\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("nul-in-target", "GET /echo\0 HTTP/1.1\r\n" H "\r\n" SMUGGLED, "400", CLOSES),
    CASE("escape-in-value", "GET /echo HTTP/1.1\r\n" H "X: \x1b[0m\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("del-in-value", "GET /echo HTTP/1.1\r\n" H "X: \x7f\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("blank-before-colon", "GET /echo HTTP/1.1\r\n" H "X : a\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("no-colon", "GET /echo HTTP/1.1\r\n" H "X\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("empty-name", "GET /echo HTTP/1.1\r\n" H ": a\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("name-no-token", "GET /echo HTTP/1.1\r\n" H "X(Y): a\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("name-utf-8", "GET /echo HTTP/1.1\r\n" H "X\xc3\xa9: a\r\n\r\n" SMUGGLED, "400", CLOSES),

    // The request line.
    CASE("http-0.9", "GET /echo\r\n" SMUGGLED, "400", CLOSES),
    CASE("http-2.0", "GET /echo HTTP/2.0\r\n" H "\r\n", "505", CLOSES),
    CASE("http-1.2", "GET /echo HTTP/1.2\r\n" H "\r\n", "505", CLOSES),
    CASE("http-1.10", "GET /echo HTTP/1.10\r\n" H "\r\n", "400", CLOSES),
    CASE("http-lower-case", "GET /echo http/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("version-missing-digit", "GET /echo HTTP/1.\r\n" H "\r\n", "400", CLOSES),
    CASE("two-blanks", "GET  /echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("blank-behind-version", "GET /echo HTTP/1.1 \r\n" H "\r\n", "400", CLOSES),
    CASE("tab-as-blank", "GET\t/echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("blank-first", " GET /echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("blank-in-target", "GET /e cho HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("http-2-preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", CLOSES),
    CASE("tls-hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400", CLOSES),
    CASE("method-no-token", "G@T /echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("method-unknown", "BREW /echo HTTP/1.1\r\n" H "\r\n", "501", CLOSES),
    CASE("method-lower-case", "get /echo HTTP/1.1\r\n" H "\r\n", "501", CLOSES),
    CASE("trace", "TRACE /echo HTTP/1.1\r\n" H "\r\n", "501", CLOSES),
    CASE("connect", "CONNECT a:80 HTTP/1.1\r\n" H "\r\n", "501", CLOSES),
    CASE("propfind", "PROPFIND /echo HTTP/1.1\r\n" H "\r\n", "501", CLOSES),
    CASE("absolute-form-user", "GET http://me@a/echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("absolute-form-no-host", "GET http:///echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("absolute-form-half", "GET http:/echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("absolute-form-other-scheme", "GET ftp://a/echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("absolute-form-fragment", "GET http://a/echo#x HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("absolute-form-dot-dot", "GET http://a/b/../echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("absolute-form-bare-host", "GET http://a HTTP/1.1\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("absolute-form-two-hosts", "GET http://a/echo HTTP/1.1\r\n" H H "\r\n" SMUGGLED, "400", CLOSES),
    CASE("authority-form", "GET a:80 HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("star-with-get", "GET * HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("fragment", "GET /echo#x HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("dot-dot", "GET /a/../echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("dot-dot-encoded", "GET /a/%2e%2E/echo HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("nul-encoded", "GET /a%00b HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("slash-encoded", "GET /a%2Fb HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("backslash", "GET /a\\b HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("backslash-encoded", "GET /a%5cb HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("crlf-encoded", "GET /a%0d%0ab HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("escape-cut", "GET /a%4 HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("escape-not-utf-8", "GET /a%ff HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("raw-utf-8", "GET /caf\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "400", CLOSES),
    CASE("17-segments", "GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 HTTP/1.1\r\n" H "\r\n", "414", CLOSES),

    // Host, Expect.
    CASE("no-host", "GET /echo HTTP/1.1\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("two-hosts", "GET /echo HTTP/1.1\r\n" H H "\r\n" SMUGGLED, "400", CLOSES),
    CASE("host-malformed", "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("host-list", "GET /echo HTTP/1.1\r\nHost: a, b\r\n\r\n" SMUGGLED, "400", CLOSES),
    CASE("expect-other", POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", "417", CLOSES),
    CASE("second-is-bad", GET "GET /echo HTTP/1.1\r\n\r\n" SMUGGLED, "202 400", CLOSES),
};

enum { TORTS = sizeof torts / sizeof *torts };

static int setup(void **state)
{
    struct rig *r = MEM_NEW(struct rig);
    rig_init(r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig_finish(*state);
    return 0;
}

// Says what the case has to say; where the connection is to live on, another request shows that it does.
static void script_tort(struct client *c, int fd)
{
    const struct tort *t = c->arg;
    client_say(fd, t->send, c->portion);
    if (t->closes) {
        client_read_to_end(c, fd);
        return;
    }
    client_say(fd, STR("GET /path/alive HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
    while (!c->closed && !str_ends(strbuf_view(&c->got), STR("[path][alive]?")))
        client_read(c, fd);
}

static bool tort_holds(const struct tort *t, const struct client *c)
{
    char statuses[8192], expected[256];
    (void)snprintf(expected, sizeof expected, "%s%s", t->statuses, t->closes ? "" : " 200");
    reply_statuses(strbuf_view(&c->got), statuses);
    bool said = str_find_str(strbuf_view(&c->got), STR("\r\nConnection: close\r\n")) >= 0;
    bool holds = strcmp(statuses, expected) == 0 && c->closed == t->closes && said == t->closes && !c->reset;
    if (!holds)
        print_error("%s: \"%s\" instead of \"%s\"%s%s\n", t->name, statuses, expected,
                    c->closed ? ", closed" : ", open", c->reset ? " by a reset" : "");
    return holds;
}

static void run_torts(struct rig *r, size_t portion)
{
    r->config.limits.request_ms = 1500; // for the one that never comes to its end
    rig_serve(r, NULL);
    struct client *clients = mem_zalloc(TORTS, sizeof *clients);
    unsigned bad = 0;
    for (size_t from = 0; from < TORTS; from += 32) {
        size_t to = from + 32 < TORTS ? from + 32 : TORTS;
        for (size_t i = from; i < to; i++) {
            clients[i].arg = &torts[i];
            clients[i].send = torts[i].send;
            clients[i].portion = portion;
            client_start(&clients[i], r, script_tort);
        }
        rig_run(r);
        for (size_t i = from; i < to; i++) {
            bad += !tort_holds(&torts[i], &clients[i]);
            client_finish(&clients[i]);
        }
    }
    mem_free(clients);
    assert_int_equal(bad, 0);
}

static void each_case_in_one_piece(void **state)
{
    run_torts(*state, 0);
}

static void each_case_byte_by_byte(void **state)
{
    run_torts(*state, 1);
}

static void each_case_in_odd_pieces(void **state)
{
    run_torts(*state, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_case_in_one_piece, setup, teardown),
        cmocka_unit_test_setup_teardown(each_case_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(each_case_in_odd_pieces, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
