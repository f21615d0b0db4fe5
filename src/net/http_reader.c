/* Happy path: the guard finds the head's end -> llhttp reads the head, which lies in one piece in the message's block,
 * so that its slices stay -> http_message_check() -> HEAD; then the body, portion by portion, through guard (where it
 * is chunked) and llhttp -> END.
 *
 * Failure modes: each fault ends the reader. llhttp is asked last, so that its own leniency never counts: where it
 * finds another number of headers, another framing or another end than the guard, the request is refused. */
#include "net/http_reader.h"

#include "base/mem.h"

// --- what llhttp tells ---

static struct http_message *building(llhttp_t *p)
{
    struct http_reader *r = p->data;
    return r->head_seen ? NULL : r->message;
}

// A span that comes in two pieces is one, as the head lies in one piece.
static void extend(struct str *s, const char *at, size_t n)
{
    if (!s->p)
        s->p = at;
    s->n = (size_t)(at - s->p) + n;
}

static int on_method(llhttp_t *p, const char *at, size_t n)
{
    if (building(p))
        extend(&building(p)->head.method_name, at, n);
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t n)
{
    if (building(p))
        extend(&building(p)->head.target, at, n);
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t n)
{
    struct http_message *m = building(p);
    if (!m)
        return 0; // a trailer
    struct http_header *last = m->field_count ? &m->fields[m->field_count - 1] : NULL;
    if (last && !last->value.p && last->name.p + last->name.n == at) {
        last->name.n += n;
        return 0;
    }
    if (m->field_count == m->field_room)
        return HPE_USER;
    m->fields[m->field_count++] = (struct http_header){{at, n}, STR_NONE};
    return 0;
}

static int on_value(llhttp_t *p, const char *at, size_t n)
{
    struct http_message *m = building(p);
    if (m && m->field_count)
        extend(&m->fields[m->field_count - 1].value, at, n);
    return 0;
}

static int on_headers(llhttp_t *p)
{
    struct http_reader *r = p->data;
    r->message->head.minor = llhttp_get_http_minor(p);
    r->head_seen = true;
    p->upgrade = 0; // an offer (RFC 9110 section 7.8), not taken: the body is a body
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t n)
{
    struct http_reader *r = p->data;
    r->refused = r->refused || !r->body(r->ud, (struct str){at, n});
    return 0;
}

static int on_end(llhttp_t *p)
{
    struct http_reader *r = p->data;
    r->end_seen = true;
    return 0;
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_message_complete = on_end,
};

// --- the head ---

static void begin(struct http_reader *r)
{
    r->at = READER_HEAD;
    http_guard_head(&r->guard, r->limits.head, r->limits.line, r->limits.fields);
    llhttp_reset(&r->parser);
    r->head_seen = r->end_seen = false;
    r->left = 0;
    r->chunked = false;
}

void http_reader_init(struct http_reader *r, const struct http_reader_limits *limits,
                      bool (*body)(void *ud, struct str piece), void *ud)
{
    *r = (struct http_reader){.limits = *limits, .body = body, .ud = ud};
    strbuf_init(&r->kept, limits->head);
    llhttp_init(&r->parser, HTTP_REQUEST, &settings);
    llhttp_set_lenient_keep_alive(&r->parser, 1); // whether more comes is for who owns the connection: keep_alive
    r->parser.data = r;
    begin(r);
}

void http_reader_finish(struct http_reader *r)
{
    mem_free(r->message);
    strbuf_finish(&r->kept);
}

static enum http_read fail(struct http_reader *r, enum http_fault f)
{
    r->fault = f;
    return HTTP_READ_FAULT;
}

// llhttp leaves blanks behind a value where they are.
static void trim_values(struct http_message *m)
{
    for (unsigned i = 0; i < m->field_count; i++) {
        struct str value = str_trim(m->fields[i].value);
        m->fields[i].value = value.n ? value : STR(""); // there, if empty
    }
}

static enum http_fault refusal(llhttp_errno_t e)
{
    switch (e) {
    case HPE_INVALID_METHOD:
    case HPE_PAUSED_H2_UPGRADE:
        return HTTP_FAULT_METHOD_UNKNOWN;
    case HPE_INVALID_URL:
        return HTTP_FAULT_TARGET;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH: // also beside Transfer-Encoding
        return HTTP_FAULT_LENGTH;
    case HPE_INVALID_TRANSFER_ENCODING:
        return HTTP_FAULT_CODING;
    default:
        return HTTP_FAULT_PARSER;
    }
}

static enum http_read parse_head(struct http_reader *r, struct str raw)
{
    struct http_message *m = http_message_create(raw, r->guard.fields);
    mem_free(r->message);
    r->message = m;
    llhttp_errno_t e = llhttp_execute(&r->parser, m->raw, raw.n);
    if (e != HPE_OK)
        return fail(r, refusal(e));
    if (!r->head_seen || m->field_count != r->guard.fields)
        return fail(r, HTTP_FAULT_PARSER);
    trim_values(m);
    enum http_fault f = http_message_check(m);
    if (!f && r->end_seen != (http_message_body(m) == 0))
        f = HTTP_FAULT_PARSER;
    if (f)
        return fail(r, f);
    r->chunked = m->chunked;
    r->left = m->length;
    r->at = r->end_seen ? READER_END : READER_BODY;
    if (r->chunked)
        http_guard_chunks(&r->guard);
    return HTTP_READ_HEAD;
}

static size_t read_head(struct http_reader *r, struct str in, enum http_read *what)
{
    size_t n = http_guard_read(&r->guard, in);
    struct str part = {in.p, n};
    *what = HTTP_READ_MORE;
    if (r->guard.state == GUARD_FAULT) {
        *what = fail(r, r->guard.fault);
    } else if (r->guard.state != GUARD_DONE) {
        strbuf_str(&r->kept, part); // no more than the guard lets pass
    } else if (r->kept.n == 0) {
        *what = parse_head(r, part);
    } else {
        strbuf_str(&r->kept, part);
        *what = parse_head(r, strbuf_view(&r->kept));
        strbuf_clear(&r->kept);
        strbuf_shrink(&r->kept, 0);
    }
    return n;
}

// --- the body ---

static size_t read_body(struct http_reader *r, struct str in, enum http_read *what)
{
    size_t n = r->left < in.n ? (size_t)r->left : in.n;
    bool end;
    if (r->chunked) {
        n = http_guard_read(&r->guard, in);
        end = r->guard.state == GUARD_DONE;
    } else {
        r->left -= n;
        end = r->left == 0;
    }
    if (r->chunked && r->guard.state == GUARD_FAULT)
        *what = fail(r, r->guard.fault);
    else if (llhttp_execute(&r->parser, in.p, n) != HPE_OK || r->end_seen != end)
        *what = fail(r, HTTP_FAULT_PARSER);
    else
        *what = HTTP_READ_MORE;
    if (end)
        r->at = READER_END;
    return n;
}

size_t http_reader_read(struct http_reader *r, struct str in, enum http_read *what)
{
    *what = HTTP_READ_MORE;
    if (r->fault)
        *what = HTTP_READ_FAULT;
    if (r->fault || (in.n == 0 && r->at != READER_END) || r->refused)
        return 0;
    if (r->at == READER_HEAD)
        return read_head(r, in, what);
    if (r->at == READER_BODY)
        return read_body(r, in, what);
    begin(r);
    *what = HTTP_READ_END;
    return 0;
}

struct http_message *http_reader_take(struct http_reader *r)
{
    struct http_message *m = r->message;
    r->message = NULL;
    return m;
}

bool http_reader_within(const struct http_reader *r)
{
    return r->at != READER_HEAD || http_reader_in_head(r);
}

bool http_reader_in_head(const struct http_reader *r)
{
    return r->at == READER_HEAD && r->guard.state > GUARD_START_LF; // empty lines before it do not count
}
