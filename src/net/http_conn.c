/* A connection: bytes to exchanges, and the times it has for that.
 *
 * Happy path: the stream opens -> bytes -> the reader finds a head -> the handler accepts it -> body -> the handler is
 * asked -> it answers -> the next head. Requests that come ahead of the answers are read up to a bound; what lies
 * behind waits in `input`, then in the peer's socket.
 *
 * Failure modes: a fault, "Connection: close", the server's stop or the peer's end make the request at hand the last
 * one; when its answer is out the stream closes (it lingers for what the peer still sends, so that no reset takes the
 * answer away). A peer that is late with a request is told 408, one that is idle is closed, one that does not take its
 * answer is reset. What is to come next is looked at from the turn's defer, never from inside a handler. */
#include "net/http_private.h"

#include "base/mem.h"

// One read of the stream's, and what TLS still had when reading was paused.
enum { INPUT_MAX = 4 * 65536 };

static void look(struct http_conn *c);

static int64_t now(const struct http_conn *c)
{
    return loop_now(c->server->loop);
}

// --- what is read ---

static bool wants_input(const struct http_conn *c)
{
    if (c->last || c->ending || !c->server || stream_pending(c->stream) > HTTP_PENDING_MAX)
        return false;
    return c->incoming || c->count < c->server->config.limits.pipelined;
}

static bool on_body(void *ud, struct str piece)
{
    struct http_conn *c = ud;
    c->incoming->expecting = false; // it comes unasked
    c->body_fault = http_exchange_grow(c->incoming, piece);
    return !c->body_fault;
}

// Once all that came is read and no body was in it; and only its turn makes it one: until then the client would take it
// for another's.
static void continue_body(struct http_conn *c)
{
    struct http_exchange *x = c->incoming;
    if (!x || !x->expecting || x->state != EXCHANGE_BODY || c->exchanges.next != &x->node)
        return;
    x->expecting = false;
    stream_write(c->stream, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

static enum http_fault accept_body(struct http_exchange *x, size_t limit)
{
    uint64_t known = http_message_body(x->message);
    x->body_max = limit == HTTP_BODY_DEFAULT ? x->conn->server->config.limits.body : limit;
    if (x->body_max > HTTP_BODY_MAX)
        x->body_max = HTTP_BODY_MAX;
    x->state = EXCHANGE_BODY;
    return known != UINT64_MAX && known > x->body_max ? HTTP_FAULT_BODY_LARGE : HTTP_FAULT_NONE;
}

static void take_head(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct http_message *m = http_reader_take(&c->reader);
    struct http_exchange *x = http_exchange_create(c, m);
    bool chargeable = http_server_charge(s, m->size);
    c->incoming = x;
    c->served = true;
    s->stats.requests++;
    x->expecting = m->expect_continue;
    if (!chargeable) {
        http_exchange_fault(x, HTTP_FAULT_MEMORY);
        return;
    }
    x->charged = m->size;
    http_source_find(&s->config, &c->peer, c->tls, &m->head);
    size_t limit = s->handler.head(s->ud, x);
    if (c->incoming != x || x->state != EXCHANGE_HEAD) // answered
        return;
    enum http_fault f = accept_body(x, limit);
    if (f)
        http_exchange_fault(x, f);
}

static void take_end(struct http_conn *c)
{
    struct http_exchange *x = c->incoming;
    c->incoming = NULL;
    x->complete = true;
    c->last = c->last || !x->message->keep_alive;
    if (x->state == EXCHANGE_SENT) {
        http_exchange_destroy(x);
    } else if (x->state == EXCHANGE_BODY) {
        x->state = EXCHANGE_ASKED;
        c->server->handler.request(c->server->ud, x);
    }
}

static void take_fault(struct http_conn *c, enum http_fault f)
{
    if (c->incoming)
        http_exchange_fault(c->incoming, f);
    else
        http_conn_refuse(c, f);
}

static void take_event(struct http_conn *c, enum http_read what)
{
    if (what == HTTP_READ_HEAD)
        take_head(c);
    else if (what == HTTP_READ_END)
        take_end(c);
    else if (what == HTTP_READ_FAULT)
        take_fault(c, c->reader.fault);
    else if (c->body_fault)
        take_fault(c, c->body_fault);
}

// Whether the message's end is all that is missing: it needs no bytes.
static bool end_due(const struct http_conn *c)
{
    return c->reader.at == READER_END && c->incoming != NULL;
}

// How many bytes were taken; the rest is for later, or, behind the last request, for nobody.
static size_t read_input(struct http_conn *c, struct str in)
{
    size_t at = 0;
    while (wants_input(c) && (at < in.n || end_due(c))) {
        enum http_read what;
        bool within = http_reader_within(&c->reader);
        at += http_reader_read(&c->reader, str_sub(in, at, in.n), &what);
        if (!within)
            c->begun = now(c);
        take_event(c, what);
    }
    return at;
}

static void charge_input(struct http_conn *c)
{
    http_server_release(c->server, c->input_charged);
    c->input_charged = 0;
    if (c->input.n && !http_server_charge(c->server, c->input.n))
        http_conn_refuse(c, HTTP_FAULT_MEMORY);
    else
        c->input_charged = c->input.n;
}

// --- times ---

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t after(int64_t since, int64_t ms)
{
    return since == INT64_MAX ? since : since + ms;
}

// Until when something must have happened.
static int64_t deadline(const struct http_conn *c)
{
    const struct http_server_limits *l = &c->server->config.limits;
    int64_t at = after(c->writing, l->write_ms);
    if (c->last)
        return sooner(at, after(c->ended, l->request_ms));
    if (!wants_input(c))
        return at;
    if (http_reader_in_head(&c->reader))
        return sooner(at, c->begun + l->head_ms);
    if (c->incoming)
        return sooner(at, c->begun + l->request_ms);
    if (c->count == 0)
        return sooner(at, c->idle + (c->served ? l->idle_ms : l->head_ms));
    return at;
}

// The timer may fire early, so that a request costs no timer: it is moved when it must fire sooner, or when it fires.
static void set_timer(struct http_conn *c)
{
    int64_t at = deadline(c);
    if (at < c->armed) {
        c->armed = at;
        timer_set(&c->timer, at);
    }
}

static void expire(struct http_conn *c)
{
    const struct http_server_limits *l = &c->server->config.limits;
    bool unread = after(c->writing, l->write_ms) <= now(c);
    if (unread || c->last) {
        c->server->stats.timeouts++;
        c->ending = true;
        stream_reset(c->stream);
    } else if (http_reader_within(&c->reader)) {
        take_fault(c, HTTP_FAULT_TIMEOUT);
    } else {
        c->last = true; // idle
    }
}

static void on_timer(void *ud)
{
    struct http_conn *c = ud;
    c->armed = INT64_MAX;
    if (!c->server || c->ending)
        return;
    if (deadline(c) <= now(c))
        expire(c);
    look(c);
}

// --- what is next ---

// All that the peer will ever send is read.
static void take_eof(struct http_conn *c)
{
    if (http_reader_within(&c->reader))
        take_fault(c, HTTP_FAULT_SHORT);
    c->last = true;
}

static bool idle(const struct http_conn *c)
{
    return c->count == 0 && !c->incoming && !http_reader_in_head(&c->reader);
}

static void end(struct http_conn *c)
{
    c->ending = true;
    stream_close(c->stream);
}

static void look(struct http_conn *c)
{
    if (!c->server || c->ending)
        return;
    if (c->eof && !c->last && c->input.n == 0 && wants_input(c))
        take_eof(c);
    if (c->server->stopping && idle(c) && c->input.n == 0)
        c->last = true;
    continue_body(c);
    if (c->last && c->count == 0)
        end(c);
    stream_pause(c->stream, !c->ending && !c->last && !wants_input(c)); // behind the last, its end is still of interest
    if (!c->ending)
        set_timer(c);
}

static void read_on(struct http_conn *c)
{
    if (c->input.n || end_due(c)) {
        strbuf_consume(&c->input, read_input(c, strbuf_view(&c->input)));
        if (c->last)
            strbuf_clear(&c->input);
        strbuf_shrink(&c->input, 0);
        charge_input(c);
    }
}

static void on_turn(void *ud)
{
    struct http_conn *c = ud;
    if (!c->server || c->ending)
        return;
    read_on(c);
    look(c);
}

void http_conn_wake(struct http_conn *c)
{
    defer_set(&c->turn);
}

void http_conn_sent(struct http_conn *c)
{
    if (c->count == 0)
        c->idle = now(c);
    if (c->writing == INT64_MAX && stream_pending(c->stream))
        c->writing = now(c);
}

// --- the stream's events ---

static void on_open(void *ud)
{
    struct http_conn *c = ud;
    if (c->server)
        c->idle = now(c);
}

static void on_data(void *ud, struct str bytes)
{
    struct http_conn *c = ud;
    if (!c->server || c->ending || c->last)
        return;
    size_t n = c->input.n ? 0 : read_input(c, bytes);
    if (n < bytes.n && !c->last) {
        if (strbuf_str(&c->input, str_sub(bytes, n, bytes.n)))
            charge_input(c);
        else
            http_conn_refuse(c, HTTP_FAULT_MEMORY);
    }
    look(c);
}

static void on_drained(void *ud)
{
    struct http_conn *c = ud;
    c->writing = INT64_MAX;
    http_conn_wake(c);
}

static void on_eof(void *ud)
{
    struct http_conn *c = ud;
    if (!c->server)
        return;
    c->eof = true;
    c->ended = now(c);
    look(c);
}

static void destroy(struct http_conn *c)
{
    timer_finish(&c->timer);
    defer_finish(&c->turn);
    http_reader_finish(&c->reader);
    strbuf_finish(&c->input);
    mem_free(c);
}

// What was under way is gone.
static void drop_exchanges(struct http_conn *c)
{
    struct http_exchange *x = c->incoming;
    if (x && x->state == EXCHANGE_SENT)
        http_exchange_destroy(x);
    c->incoming = NULL;
    while (!list_empty(&c->exchanges)) {
        x = LIST_FIRST(&c->exchanges, struct http_exchange, node);
        http_exchange_gone(x);
        if (c->server && x->state != EXCHANGE_ANSWERED)
            c->server->stats.answers[0]++;
        http_exchange_destroy(x);
    }
}

static void on_closed(void *ud, enum err e, const char *why)
{
    struct http_conn *c = ud;
    (void)e;
    (void)why;
    if (c->server) {
        c->ending = true;
        drop_exchanges(c);
        http_server_release(c->server, c->input_charged);
        http_server_forget(c);
    }
    destroy(c);
}

static const struct stream_events events = {on_open, on_data, on_drained, on_closed, on_eof};

struct http_conn *http_conn_create(struct http_server *s, struct stream *stream, struct tls_server *tls,
                                   const struct net_ip *peer, struct http_source_slot *slot)
{
    const struct http_server_limits *l = &s->config.limits;
    const struct http_reader_limits limits = {.head = l->head, .line = l->target, .fields = l->headers};
    const struct stream_limits marks = {.high = 0, .low = 0, .connect_ms = l->head_ms}; // drained() tells of each end
    struct http_conn *c = MEM_NEW(struct http_conn);
    c->server = s;
    c->stream = stream;
    c->slot = slot;
    c->peer = *peer;
    c->tls = tls != NULL;
    c->idle = loop_now(s->loop);
    c->writing = c->ended = c->armed = INT64_MAX;
    list_init(&c->exchanges);
    list_push(&s->conns, &c->node);
    strbuf_init(&c->input, INPUT_MAX);
    http_reader_init(&c->reader, &limits, on_body, c);
    timer_init(&c->timer, s->loop, on_timer, c);
    defer_init(&c->turn, s->loop, on_turn, c);
    if (tls)
        stream_serve_tls(stream, tls, &marks, &events, c, s->log);
    else
        stream_serve(stream, &marks, &events, c, s->log);
    set_timer(c);
    return c;
}

void http_conn_abandon(struct http_conn *c)
{
    c->server = NULL; // gone() is not called
    drop_exchanges(c);
    timer_set(&c->timer, INT64_MAX);
    list_remove(&c->node);
    stream_reset(c->stream);
}
