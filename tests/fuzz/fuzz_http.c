/* Any bytes as a connection's requests: no crash, bounded memory, the same requests however the bytes are cut, and in
 * what is let through nothing that could be read in two ways. */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "net/http_reader.h"

enum { BODY_MAX = 4096 };

static bool on_body(void *ud, struct str piece)
{
    struct strbuf *body = ud;
    FUZZ_CHECK(piece.n > 0);
    return strbuf_str(body, piece);
}

static bool clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static void check_path(const struct http_head *h)
{
    for (size_t i = 0; i < h->segment_count; i++) {
        struct str s = h->segments[i];
        FUZZ_CHECK(clean(s) && utf8_valid(s) && str_find(s, '/') < 0 && str_find(s, '\\') < 0);
        FUZZ_CHECK(!str_eq(s, STR(".")) && !str_eq(s, STR("..")));
    }
}

static void check_framing(const struct http_message *m)
{
    size_t lengths = http_head_count(&m->head, "Content-Length");
    size_t codings = http_head_count(&m->head, "Transfer-Encoding");
    FUZZ_CHECK(lengths + codings <= 1);
    FUZZ_CHECK(m->chunked == (codings == 1));
    FUZZ_CHECK(!m->chunked || str_case_eq(http_head_get(&m->head, "Transfer-Encoding"), STR("chunked")));
    FUZZ_CHECK(http_head_count(&m->head, "Host") == 1 || m->head.minor == 0);
}

static void check(const struct http_message *m)
{
    FUZZ_CHECK(http_token(m->head.method_name) && clean(m->head.target) && str_find(m->head.target, ' ') < 0);
    for (size_t i = 0; i < m->head.header_count; i++) {
        FUZZ_CHECK(http_token(m->head.headers[i].name));
        FUZZ_CHECK(clean(m->head.headers[i].value) && m->head.headers[i].value.p);
    }
    check_path(&m->head);
    check_framing(m);
}

static bool frames(struct str name)
{
    return str_case_eq(name, STR("Content-Length")) || str_case_eq(name, STR("Transfer-Encoding"));
}

static void dump(struct strbuf *out, const struct http_message *m)
{
    const struct http_head *h = &m->head;
    strbuf_printf(out, STR_FMT " " STR_FMT " %u %d\n", STR_ARG(h->method_name), STR_ARG(h->target), h->minor,
                  m->keep_alive);
    for (size_t i = 0; i < h->segment_count; i++)
        strbuf_printf(out, "/" STR_FMT, STR_ARG(h->segments[i]));
    for (size_t i = 0; i < h->header_count; i++) {
        if (!frames(h->headers[i].name))
            strbuf_printf(out, STR_FMT "=" STR_FMT "\n", STR_ARG(h->headers[i].name), STR_ARG(h->headers[i].value));
    }
}

// One reading of all bytes.
struct run {
    struct http_reader reader;
    struct strbuf body, *out;
    struct strbuf *canonical; // the requests as another program would write them; NULL: not wanted
    struct http_message *message;
    bool over;
};

// One length for the body, and each header as it was understood.
static void write_again(struct strbuf *out, const struct http_message *m, struct str body)
{
    strbuf_printf(out, STR_FMT " " STR_FMT " HTTP/1.%u\r\n", STR_ARG(m->head.method_name), STR_ARG(m->head.target),
                  m->head.minor);
    for (size_t i = 0; i < m->head.header_count; i++) {
        const struct http_header *h = &m->head.headers[i];
        if (frames(h->name))
            strbuf_printf(out, "Content-Length:%zu\r\n", body.n);
        else
            strbuf_printf(out, STR_FMT ":" STR_FMT "\r\n", STR_ARG(h->name), STR_ARG(h->value));
    }
    strbuf_c(out, "\r\n");
    strbuf_str(out, body); // may hold NUL
}

static void take(struct run *r, enum http_read what)
{
    if (what == HTTP_READ_HEAD) {
        struct http_message *m = http_reader_take(&r->reader);
        check(m);
        dump(r->out, m);
        r->message = m;
    } else if (what == HTTP_READ_END) {
        if (r->canonical)
            write_again(r->canonical, r->message, strbuf_view(&r->body));
        mem_free(r->message);
        r->message = NULL;
        strbuf_str(r->out, strbuf_view(&r->body));
        strbuf_c(r->out, "\nend\n");
        strbuf_clear(&r->body);
    } else if (what == HTTP_READ_FAULT) {
        strbuf_printf(r->out, "fault %d\n", http_fault_status(r->reader.fault));
        r->over = true;
    } else if (r->reader.refused) {
        strbuf_c(r->out, "too large\n");
        r->over = true;
    }
}

static void feed(struct run *r, struct str in)
{
    size_t at = 0;
    while (!r->over && (at < in.n || r->reader.at == READER_END)) {
        enum http_read what;
        size_t n = http_reader_read(&r->reader, str_sub(in, at, in.n), &what);
        FUZZ_CHECK(n <= in.n - at);
        FUZZ_CHECK(n > 0 || what != HTTP_READ_MORE);
        at += n;
        take(r, what);
    }
}

// `cuts` says how long the portions are, over and over; none: all at once.
static void read_all(struct str in, struct str cuts, struct strbuf *out, struct strbuf *canonical)
{
    static const struct http_reader_limits limits = {.head = 2048, .line = 512, .fields = 16};
    struct run r = {.out = out, .canonical = canonical};
    strbuf_init(&r.body, BODY_MAX);
    http_reader_init(&r.reader, &limits, on_body, &r.body);
    for (size_t at = 0, i = 0; at < in.n && !r.over; i++) {
        size_t n = cuts.n ? 1U + (unsigned char)cuts.p[i % cuts.n] % 64 : in.n;
        feed(&r, str_sub(in, at, at + n));
        at += n;
    }
    FUZZ_CHECK(r.reader.kept.n <= limits.head);
    http_reader_finish(&r.reader);
    mem_free(r.message);
    strbuf_finish(&r.body);
}

// What was let through, written anew, is the same again: nothing in it hung on how it was written.
static void check_canonical(struct str canonical, struct str log)
{
    struct strbuf again;
    strbuf_init(&again, 1 << 24);
    read_all(canonical, STR_NONE, &again, NULL);
    FUZZ_CHECK(again.full || str_starts(log, strbuf_view(&again)));
    strbuf_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf whole, parts, bytes, canonical;
    struct str all = fuzz_str(data, size), cuts = str_sub(all, 0, 4), in = str_sub(all, 4, size);
    strbuf_init(&whole, 1 << 24);
    strbuf_init(&parts, 1 << 24);
    strbuf_init(&bytes, 1 << 24);
    strbuf_init(&canonical, 1 << 24);
    read_all(in, STR_NONE, &whole, &canonical);
    read_all(in, cuts, &parts, NULL);
    read_all(in, STR("\0"), &bytes, NULL);
    check_canonical(strbuf_view(&canonical), strbuf_view(&whole));
    FUZZ_CHECK(str_eq(strbuf_view(&whole), strbuf_view(&parts)));
    FUZZ_CHECK(str_eq(strbuf_view(&whole), strbuf_view(&bytes)));
    strbuf_finish(&whole);
    strbuf_finish(&parts);
    strbuf_finish(&bytes);
    strbuf_finish(&canonical);
    return 0;
}
