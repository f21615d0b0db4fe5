/* The guard and the parser behind it, without a connection: the same outcome wherever the bytes are cut, and the exact
 * reason of what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/http_reader.h"

#define H "Host: a\r\n"
#define CHUNKED "POST /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"

static bool on_body(void *ud, struct str piece)
{
    return strbuf_str(ud, piece);
}

struct run {
    struct http_reader reader;
    struct strbuf body, log;
};

static void run_init(struct run *r)
{
    static const struct http_reader_limits limits = {.head = 400, .line = 100, .fields = 5};
    strbuf_init(&r->body, 65536);
    strbuf_init(&r->log, 65536);
    http_reader_init(&r->reader, &limits, on_body, &r->body);
}

static void run_finish(struct run *r)
{
    http_reader_finish(&r->reader);
    strbuf_finish(&r->body);
    strbuf_finish(&r->log);
}

static void note_head(struct run *r)
{
    struct http_message *m = http_reader_take(&r->reader);
    strbuf_printf(&r->log, STR_FMT " " STR_FMT "?" STR_FMT, STR_ARG(m->head.method_name), STR_ARG(m->head.path),
                  STR_ARG(m->head.query));
    for (size_t i = 1; i < m->head.header_count; i++)
        strbuf_printf(&r->log, ";" STR_FMT "=" STR_FMT, STR_ARG(m->head.headers[i].name),
                      STR_ARG(m->head.headers[i].value));
    mem_free(m);
}

// What is in `in`, in words: "POST /a?;X=y{body}" and the status of a fault.
static void feed(struct run *r, struct str in)
{
    size_t at = 0;
    while (at < in.n || r->reader.at == READER_END) {
        enum http_read what;
        at += http_reader_read(&r->reader, str_sub(in, at, in.n), &what);
        if (what == HTTP_READ_HEAD)
            note_head(r);
        if (what == HTTP_READ_END) {
            strbuf_printf(&r->log, "{" STR_FMT "}", STR_ARG(strbuf_view(&r->body)));
            strbuf_clear(&r->body);
        }
        if (what == HTTP_READ_FAULT) {
            strbuf_printf(&r->log, "!%d", http_fault_status(r->reader.fault));
            return;
        }
    }
}

static const struct {
    struct str in;
    const char *log;
} cut[] = {
#define CUT(in, log)                                                                                                   \
    {                                                                                                                  \
        {in, sizeof(in) - 1}, log                                                                                      \
    }
    CUT("GET /a/b?c=d HTTP/1.1\r\n" H "X: y  \r\n\r\nPOST / HTTP/1.1\r\n" H
        "Content-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
        "GET /a/b?c=d;X=y{}POST /?;Content-Length=3{abc}GET /?{}"),
    CUT(CHUNKED "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\nC:\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n",
        "POST /a?;Transfer-Encoding=chunked{abcde}GET /?{}"),
    CUT("\r\n\r\nGET / HTTP/1.1\r\n" H "A: \t\r\nB:c\r\n\r\nGET / HTTP/1.1\r\n" H H "\r\n", "GET /?;A=;B=c{}!400"),
    CUT(CHUNKED "3\r\nabc\r\n0\r\n x: y\r\n\r\n", "POST /a?;Transfer-Encoding=chunked!400"),
    CUT("POST / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nabG@T / HTTP/1.1\r\n\r\n",
        "POST /?;Content-Length=2{ab}!400"),
    CUT("GET / HTTP/1.1\r\n" H "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n\r\n", "!431"),
    CUT("GET / HTTP/3.0\r\n" H "\r\n", "!505"),
#undef CUT
};

static void check_cut(struct str in, size_t first, size_t second, const char *log)
{
    struct run r;
    run_init(&r);
    feed(&r, str_sub(in, 0, first));
    if (!r.reader.fault)
        feed(&r, str_sub(in, first, second));
    if (!r.reader.fault)
        feed(&r, str_sub(in, second, in.n));
    if (!str_eq_c(strbuf_view(&r.log), log))
        fail_msg("cut at %zu and %zu: %s instead of %s", first, second, r.log.p, log);
    run_finish(&r);
}

static void cut_at_every_two_places(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        for (size_t first = 0; first <= cut[i].in.n; first++) {
            for (size_t second = first; second <= cut[i].in.n; second++)
                check_cut(cut[i].in, first, second, cut[i].log);
        }
    }
}

static void each_reason(void **state)
{
    static const struct {
        struct str in;
        enum http_fault fault;
    } cases[] = {
#define WHY(in, fault) {{in, sizeof(in) - 1}, HTTP_FAULT_##fault}
#define LINE "GET / HTTP/1.1\r\n"
        WHY(LINE H "A: b\n", CONTROL),
        WHY(LINE H "A: b\r\r", CONTROL),
        WHY("GET /\n", CONTROL),
        WHY("(GET", METHOD),
        WHY("GET / a", VERSION_BAD),
        WHY("GET /\x80", TARGET),
        WHY("GET a HTTP/1.1\r\n" H "\r\n", TARGET),
        WHY("GET /%zz HTTP/1.1\r\n" H "\r\n", PATH),
        WHY("GET /\r\n", VERSION_BAD),
        WHY("GET / HTTP/1.1x", VERSION_BAD),
        WHY("GET / HTTP/0.9\r\n", VERSION),
        WHY(LINE H " b", FOLD),
        WHY(LINE "Host : a", NAME),
        WHY(LINE "\"", NAME),
        WHY(LINE "\r\n", HOST),
        WHY(LINE "Host: a b\r\n\r\n", HOST),
        WHY(LINE H "Content-Length: 1,1\r\n\r\n", LENGTH),
        WHY(LINE H "Transfer-Encoding: gzip\r\n\r\n", CODING),
        WHY(CHUNKED "x", CHUNK),
        WHY(CHUNKED "1\r\nab", CHUNK),
        WHY(CHUNKED "1\r\na\r\n0\r\n:", TRAILER),
        WHY(CHUNKED
            "0\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6:\r\n7:\r\n8:\r\n9:\r\n10:\r\n11:\r\n12:\r\n13:\r\n14:\r\n15:\r\n"
            "16:\r\n17:",
            TRAILER),
        WHY("GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 HTTP/1.1\r\n" H "\r\n", SEGMENTS),
        WHY(LINE H "Expect: x\r\n\r\n", EXPECT),
        WHY("LOCK / HTTP/1.1\r\n" H "\r\n", METHOD_UNKNOWN),
        WHY("FETCH / HTTP/1.1\r\n" H "\r\n", METHOD_UNKNOWN),
        WHY(LINE "1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n6", FIELDS),
#undef WHY
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct run r;
        run_init(&r);
        feed(&r, cases[i].in);
        if (r.reader.fault != cases[i].fault)
            fail_msg("%zu: %s", i, http_fault_text(r.reader.fault));
        run_finish(&r);
    }
}

static enum http_fault read_repeated(const char *begin, const char *again, size_t times)
{
    struct run r;
    run_init(&r);
    feed(&r, str_c(begin));
    for (size_t i = 0; i < times && !r.reader.fault; i++)
        feed(&r, str_c(again));
    enum http_fault f = r.reader.fault;
    run_finish(&r);
    return f;
}

static void bounds(void **state)
{
    (void)state;
    assert_int_equal(read_repeated("GET /", "x", 100 - 5), HTTP_FAULT_NONE);
    assert_int_equal(read_repeated("GET /", "x", 101 - 5), HTTP_FAULT_LINE_LONG);
    assert_int_equal(read_repeated("", "\r\n", 50), HTTP_FAULT_NONE);
    assert_int_equal(read_repeated("", "\r\n", 51), HTTP_FAULT_LINE_LONG);
    assert_int_equal(read_repeated("GET / HTTP/1.1\r\nA:", "x", 400 - 18), HTTP_FAULT_NONE);
    assert_int_equal(read_repeated("GET / HTTP/1.1\r\nA:", "x", 401 - 18), HTTP_FAULT_HEAD_LARGE);
    assert_int_equal(read_repeated(CHUNKED "1;", "x", HTTP_CHUNK_EXTENSIONS_MAX), HTTP_FAULT_NONE);
    assert_int_equal(read_repeated(CHUNKED "1;", "x", HTTP_CHUNK_EXTENSIONS_MAX + 1), HTTP_FAULT_CHUNK);
    assert_int_equal(read_repeated(CHUNKED, "1;abcd\r\nx\r\n", 2000), HTTP_FAULT_CHUNK); // of all chunks together
    assert_int_equal(read_repeated(CHUNKED, "1\r\nx\r\n", 2000), HTTP_FAULT_NONE);
    assert_int_equal(read_repeated(CHUNKED "0\r\nA:", "x", HTTP_TRAILER_BYTES_MAX - 2), HTTP_FAULT_NONE);
    assert_int_equal(read_repeated(CHUNKED "0\r\nA:", "x", HTTP_TRAILER_BYTES_MAX - 1), HTTP_FAULT_TRAILER);
}

// After a fault nothing is read, whatever it is.
static void nothing_follows_a_fault(void **state)
{
    struct run r;
    enum http_read what;
    (void)state;
    run_init(&r);
    feed(&r, STR("GET / HTTP/1.1\r\n\r\n"));
    assert_int_equal(http_reader_read(&r.reader, STR("GET / HTTP/1.1\r\n" H "\r\n"), &what), 0);
    assert_int_equal(what, HTTP_READ_FAULT);
    run_finish(&r);
}

static void what_is_under_way(void **state)
{
    struct run r;
    (void)state;
    run_init(&r);
    assert_false(http_reader_within(&r.reader));
    feed(&r, STR("\r\n"));
    assert_false(http_reader_within(&r.reader));
    feed(&r, STR("P"));
    assert_true(http_reader_within(&r.reader) && http_reader_in_head(&r.reader));
    feed(&r, STR("OST / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\na"));
    assert_true(http_reader_within(&r.reader) && !http_reader_in_head(&r.reader));
    feed(&r, STR("b"));
    assert_false(http_reader_within(&r.reader));
    run_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_two_places), cmocka_unit_test(each_reason),       cmocka_unit_test(bounds),
        cmocka_unit_test(nothing_follows_a_fault), cmocka_unit_test(what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
