/* One request and its answer.
 *
 * Happy path: HEAD (the handler accepts) -> BODY -> ASKED -> ANSWERED -> its turn comes: written and freed.
 *
 * Failure modes: answered before all of the body is in: a short rest is read and dropped (SENT), else the connection
 * closes behind the answer. A fault in the body, or its lateness, answers in the handler's place; the end of the
 * connection leaves nothing to be answered: gone() either way. */
#include "net/http_private.h"

#include "base/mem.h"
#include "base/utf8.h"

enum { ANSWER_MAX = STREAM_PENDING_MAX, PROBLEM_MAX = 8192, SCRATCH_KEEP = 65536 };

struct http_exchange *http_exchange_create(struct http_conn *c, struct http_message *m)
{
    struct http_exchange *x = MEM_NEW(struct http_exchange);
    x->conn = c;
    x->message = m;
    x->complete = !m;
    strbuf_init(&x->body, HTTP_BODY_MAX);
    strbuf_init(&x->out, ANSWER_MAX);
    list_push(&c->exchanges, &x->node);
    c->count++;
    return x;
}

static void release(struct http_exchange *x, size_t n)
{
    x->charged -= n;
    if (x->conn->server)
        http_server_release(x->conn->server, n);
}

static void unlink_exchange(struct http_exchange *x)
{
    if (!list_empty(&x->node))
        x->conn->count--;
    list_remove(&x->node);
}

void http_exchange_destroy(struct http_exchange *x)
{
    unlink_exchange(x);
    if (x->conn->incoming == x)
        x->conn->incoming = NULL;
    release(x, x->charged);
    strbuf_finish(&x->body);
    strbuf_finish(&x->out);
    mem_free(x->message);
    mem_free(x);
}

enum http_fault http_exchange_grow(struct http_exchange *x, struct str piece)
{
    x->received += piece.n;
    if (x->state >= EXCHANGE_ANSWERED) // dropped
        return x->received > HTTP_DRAIN_MAX ? HTTP_FAULT_BODY_LARGE : HTTP_FAULT_NONE;
    if (x->received > x->body_max)
        return HTTP_FAULT_BODY_LARGE;
    if (!http_server_charge(x->conn->server, piece.n))
        return HTTP_FAULT_MEMORY;
    x->charged += piece.n;
    strbuf_str(&x->body, piece);
    return HTTP_FAULT_NONE;
}

// --- answering ---

// Writes what is ready, in the order of the requests. Where the connection ends behind one, nothing follows it.
void http_exchange_advance(struct http_conn *c)
{
    while (!list_empty(&c->exchanges)) {
        struct http_exchange *x = LIST_FIRST(&c->exchanges, struct http_exchange, node);
        if (x->state != EXCHANGE_ANSWERED)
            break;
        stream_write(c->stream, strbuf_view(&x->out));
        strbuf_finish(&x->out);
        strbuf_init(&x->out, ANSWER_MAX);
        c->last = c->last || x->close;
        unlink_exchange(x);
        x->state = EXCHANGE_SENT;
        if (x->complete || x->close)
            http_exchange_destroy(x);
    }
    http_conn_sent(c);
}

// The rest of a body that nobody wants: to be read, or the end.
static bool worth_draining(const struct http_exchange *x)
{
    return x->complete || (!x->expecting && http_message_body(x->message) <= HTTP_DRAIN_MAX);
}

static bool must_close(const struct http_exchange *x)
{
    const struct http_conn *c = x->conn;
    if (!x->message || !x->message->keep_alive || !worth_draining(x))
        return true;
    bool newest = c->exchanges.prev == &x->node && !http_reader_in_head(&c->reader) && !c->input.n;
    return newest && (c->server->stopping || c->last || c->eof);
}

static void finish_answer(struct http_exchange *x, struct http_answer_form *form)
{
    struct http_conn *c = x->conn;
    bool first = c->exchanges.next == &x->node;
    struct strbuf *out = first ? &c->server->scratch : &x->out;
    x->close = must_close(x);
    form->close = x->close;
    form->keep_alive = x->message && x->message->head.minor == 0;
    form->head_only = x->message && x->message->head.method == HTTP_METHOD_HEAD;
    strbuf_clear(out);
    http_answer_write(out, http_server_date(c->server), form);
    if (first) { // those behind it may follow now
        stream_write(c->stream, strbuf_view(out));
        strbuf_clear(out);
        strbuf_shrink(out, SCRATCH_KEEP);
    }
    c->server->stats.answers[form->status / 100]++;
    x->expecting = false;
    x->state = EXCHANGE_ANSWERED;
    release(x, x->body.n);
    strbuf_finish(&x->body);
    strbuf_init(&x->body, HTTP_BODY_MAX);
}

static void answer_form(struct http_exchange *x, struct http_answer_form *form)
{
    struct http_conn *c = x->conn;
    if (form->status < 200 || form->status > 599 || form->body.n > HTTP_ANSWER_MAX ||
        !http_answer_headers_good(form->headers, form->count)) {
        log_error(c->server->log, LOG_MSG("an answer has a bad status, header or size: 500 in its place"),
                  LOG_INT("status", form->status), LOG_INT("bytes", form->body.n));
        *form = (struct http_answer_form){.status = 500};
    }
    finish_answer(x, form);
    http_exchange_advance(c);
    http_conn_wake(c);
}

void http_exchange_answer(struct http_exchange *x, int status, const struct http_header *headers, size_t count,
                          struct str body)
{
    struct http_answer_form form = {.status = status, .headers = headers, .count = count, .body = body};
    answer_form(x, &form);
}

void http_exchange_problem(struct http_exchange *x, int status, const char *type, struct str detail,
                           const struct http_header *headers, size_t count)
{
    struct http_header all[HTTP_PROBLEM_HEADERS_MAX + 1] = {{STR("Content-Type"), STR("application/problem+json")}};
    struct strbuf body;
    size_t n = count < HTTP_PROBLEM_HEADERS_MAX ? count : HTTP_PROBLEM_HEADERS_MAX;
    if (n)
        memcpy(all + 1, headers, n * sizeof *headers);
    strbuf_init(&body, PROBLEM_MAX);
    http_problem_body(&body, status, type, utf8_cut(detail, HTTP_DETAIL_MAX));
    http_exchange_answer(x, status, all, n + 1, strbuf_view(&body));
    strbuf_finish(&body);
}

// --- faults ---

void http_exchange_gone(struct http_exchange *x)
{
    const struct http_server *s = x->conn->server;
    bool known = x->state == EXCHANGE_BODY || x->state == EXCHANGE_ASKED;
    if (known && s && s->handler.gone)
        s->handler.gone(s->ud, x);
}

static void count_fault(struct http_conn *c, enum http_fault f)
{
    c->last = true;
    if (f == HTTP_FAULT_TIMEOUT)
        c->server->stats.timeouts++;
    else
        c->server->stats.faults++;
    log_debug(c->server->log, LOG_MSG("request refused"), LOG_C("peer", stream_peer(c->stream)),
              LOG_INT("status", http_fault_status(f)), LOG_C("why", http_fault_text(f)));
}

static void answer_fault(struct http_exchange *x, enum http_fault f)
{
    const struct http_header retry = {STR("Retry-After"), STR("5")};
    bool later = http_fault_status(f) == 503;
    x->complete = true;
    if (x->message)
        x->message->keep_alive = false;
    http_exchange_problem(x, http_fault_status(f), NULL, str_c(http_fault_text(f)), &retry, later);
}

void http_exchange_fault(struct http_exchange *x, enum http_fault f)
{
    struct http_conn *c = x->conn;
    count_fault(c, f);
    c->incoming = NULL;
    if (x->state >= EXCHANGE_ANSWERED) { // what there was to say is said
        x->complete = true;
        if (x->state == EXCHANGE_SENT)
            http_exchange_destroy(x);
        http_conn_wake(c);
        return;
    }
    http_exchange_gone(x);
    answer_fault(x, f);
}

void http_conn_refuse(struct http_conn *c, enum http_fault f)
{
    count_fault(c, f);
    answer_fault(http_exchange_create(c, NULL), f);
}

// --- the handler's calls ---

const struct http_head *http_exchange_head(const struct http_exchange *x)
{
    return &x->message->head;
}

struct str http_exchange_body(const struct http_exchange *x)
{
    return strbuf_view(&x->body);
}

void http_exchange_drop_body(struct http_exchange *x)
{
    release(x, x->body.n);
    strbuf_finish(&x->body);
    strbuf_init(&x->body, HTTP_BODY_MAX);
}

void http_exchange_set_ud(struct http_exchange *x, void *ud)
{
    x->ud = ud;
}

void *http_exchange_ud(const struct http_exchange *x)
{
    return x->ud;
}
