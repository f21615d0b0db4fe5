/* What the tests of the HTTP server share: a server on the loop with a handler that does what the path says, and a
 * client that plays raw bytes in a thread of its own. */
#ifndef SPANDREL_TESTS_UNIT_NET_HTTP_RIG_H
#define SPANDREL_TESTS_UNIT_NET_HTTP_RIG_H

#include "net/http_server.h"
#include "unit/net/probe.h"

#include <stdlib.h>

enum { RIG_EXCHANGES = 2048, RIG_TRANSCRIPT = 64 * 1024 * 1024, RIG_PATIENCE_S = 20 };

// /echo: 202 with the body. /length: 200 with its length. /head: 403 from head(). /early: 403 from head(), after which
// the body is dropped. /small: takes 10 bytes. /large: takes 25 MiB. /later/N: held until release_held(). /big/N: 200
// with N bytes. /source: 200 with source, tls. /path: 200 with the segments. /bad: a bad header. /none: 204.
struct rig {
    struct loop *loop;
    struct http_server *server;
    struct http_server_config config;
    struct net_cidrs trusted;
    uint16_t port;
    struct http_exchange *held[RIG_EXCHANGES];
    size_t held_count;
    unsigned heads, requests, gone;
    size_t hold_until; // release_held() when so many are held; 0: never by itself
    bool reverse;      // release from the last to the first
    void (*on_held)(struct rig *r);
    void (*on_gone)(struct rig *r);
    struct timer watchdog;
    struct loop_wake *done;
    unsigned clients; // threads that have not ended
};

static inline void rig_answer(struct http_exchange *x, int status, struct str body)
{
    const struct http_header type = {STR("Content-Type"), STR("text/plain")};
    http_exchange_answer(x, status, &type, 1, body);
}

static inline void rig_number(struct http_exchange *x, size_t n)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%zu", n);
    rig_answer(x, 200, (struct str){text, (size_t)len});
}

static inline void release_held(struct rig *r)
{
    size_t n = r->held_count;
    r->held_count = 0;
    for (size_t i = 0; i < n; i++) {
        struct http_exchange *x = r->held[r->reverse ? n - 1 - i : i];
        rig_answer(x, 200, http_exchange_head(x)->segments[1]);
    }
}

static inline bool rig_is(const struct http_exchange *x, const char *route)
{
    const struct http_head *h = http_exchange_head(x);
    return h->segment_count > 0 && str_eq_c(h->segments[0], route);
}

static inline size_t rig_head(void *ud, struct http_exchange *x)
{
    struct rig *r = ud;
    r->heads++;
    assert_null(http_exchange_ud(x));
    http_exchange_set_ud(x, r);
    if (rig_is(x, "head") || rig_is(x, "early")) {
        rig_answer(x, 403, STR("no"));
        return 0; // x is not ours any more
    }
    if (rig_is(x, "small"))
        return 10;
    return rig_is(x, "large") ? HTTP_BODY_MAX : HTTP_BODY_DEFAULT;
}

static inline void rig_path(struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    struct strbuf out;
    strbuf_init(&out, 65536);
    for (size_t i = 0; i < h->segment_count; i++)
        strbuf_printf(&out, "[" STR_FMT "]", STR_ARG(h->segments[i]));
    strbuf_printf(&out, "?" STR_FMT, STR_ARG(h->query));
    rig_answer(x, 200, strbuf_view(&out));
    strbuf_finish(&out);
}

static inline void rig_source(struct http_exchange *x)
{
    const struct http_head *h = http_exchange_head(x);
    char text[128];
    int n = snprintf(text, sizeof text, "%s %s", h->source_text, h->tls ? "tls" : "plain");
    rig_answer(x, 200, (struct str){text, (size_t)n});
}

static inline void rig_big(struct http_exchange *x)
{
    uint64_t n = 0;
    assert_true(str_to_u64(http_exchange_head(x)->segments[1], &n));
    char *bytes = pattern(n);
    rig_answer(x, 200, (struct str){bytes, n});
    mem_free(bytes);
}

static inline void rig_hold(struct rig *r, struct http_exchange *x)
{
    assert_true(r->held_count < RIG_EXCHANGES);
    r->held[r->held_count++] = x;
    if (r->on_held)
        r->on_held(r);
    if (r->hold_until && r->held_count >= r->hold_until)
        release_held(r);
}

static inline void rig_request(void *ud, struct http_exchange *x)
{
    struct rig *r = ud;
    const struct http_header bad = {STR("X"), STR("a\r\nSet-Cookie: b")};
    r->requests++;
    assert_ptr_equal(http_exchange_ud(x), r);
    if (rig_is(x, "later"))
        rig_hold(r, x);
    else if (rig_is(x, "big"))
        rig_big(x);
    else if (rig_is(x, "source"))
        rig_source(x);
    else if (rig_is(x, "path"))
        rig_path(x);
    else if (rig_is(x, "length") || rig_is(x, "large"))
        rig_number(x, http_exchange_body(x).n);
    else if (rig_is(x, "bad"))
        http_exchange_answer(x, 200, &bad, 1, STR("x"));
    else if (rig_is(x, "none"))
        http_exchange_answer(x, 204, NULL, 0, STR("dropped"));
    else
        rig_answer(x, 202, http_exchange_body(x));
}

static inline void rig_gone(void *ud, struct http_exchange *x)
{
    struct rig *r = ud;
    r->gone++;
    for (size_t i = 0; i < r->held_count; i++) {
        if (r->held[i] == x)
            r->held[i--] = r->held[--r->held_count];
    }
    if (r->on_gone)
        r->on_gone(r);
}

// --- life ---

static inline void rig_bark(void *ud)
{
    (void)ud;
    fail_msg("the clients did not end in time");
}

static inline void rig_client_done(void *ud)
{
    struct rig *r = ud;
    if (__atomic_load_n(&r->clients, __ATOMIC_ACQUIRE) == 0)
        loop_stop(r->loop);
}

static inline void rig_init(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->loop = loop_create();
    r->done = loop_wake_create(r->loop, rig_client_done, r);
    timer_init(&r->watchdog, r->loop, rig_bark, r);
}

static inline void rig_serve(struct rig *r, struct tls_server *tls)
{
    static const struct http_handler handler = {rig_head, rig_request, rig_gone};
    struct errmsg msg;
    r->server = http_server_create(r->loop, &r->config, &handler, r, NULL);
    assert_int_equal(http_server_listen(r->server, "127.0.0.1", 0, tls, &r->port, &msg), ERR_OK);
}

static inline void rig_finish(struct rig *r)
{
    http_server_destroy(r->server);
    loop_wake_close(r->done);
    timer_finish(&r->watchdog);
    loop_run(r->loop);
    loop_destroy(r->loop);
    net_cidrs_finish(&r->trusted);
    mem_free(r);
}

// --- clients ---

struct client {
    struct rig *rig;
    pthread_t thread;
    void (*script)(struct client *c, int fd);
    const void *arg;
    struct str send;   // what to say
    size_t portion;    // bytes at a time; 0: all at once
    struct strbuf got; // all that came
    bool closed;       // by the server
    bool reset;
};

static inline void client_read(struct client *c, int fd)
{
    char buf[65536];
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    if (n > 0)
        strbuf_add(&c->got, buf, (size_t)n);
    c->closed = n <= 0;
    c->reset = n < 0 && errno == ECONNRESET;
}

static inline void client_read_to_end(struct client *c, int fd)
{
    while (!c->closed)
        client_read(c, fd);
}

static inline void client_say(int fd, struct str bytes, size_t portion)
{
    for (size_t at = 0; at < bytes.n; at += portion ? portion : bytes.n) {
        struct str part = str_sub(bytes, at, portion ? at + portion : bytes.n);
        peer_send(fd, part.p, part.n);
    }
}

static inline void *client_run(void *arg)
{
    struct client *c = arg;
    const struct timeval patience = {RIG_PATIENCE_S, 0};
    int fd = peer_connect(c->rig->port), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
    c->script(c, fd);
    close(fd);
    __atomic_sub_fetch(&c->rig->clients, 1, __ATOMIC_ACQ_REL);
    loop_wake_send(c->rig->done);
    return NULL;
}

static inline void client_start(struct client *c, struct rig *r, void (*script)(struct client *c, int fd))
{
    c->rig = r;
    c->script = script;
    strbuf_init(&c->got, RIG_TRANSCRIPT);
    __atomic_add_fetch(&r->clients, 1, __ATOMIC_ACQ_REL);
    assert_int_equal(pthread_create(&c->thread, NULL, client_run, c), 0);
}

static inline void client_finish(struct client *c)
{
    pthread_join(c->thread, NULL);
    strbuf_finish(&c->got);
}

// Until every client has ended, or loop_stop().
static inline void rig_run(struct rig *r)
{
    if (__atomic_load_n(&r->clients, __ATOMIC_ACQUIRE) == 0)
        return;
    timer_set(&r->watchdog, loop_now(r->loop) + WATCHDOG_MS);
    loop_run(r->loop);
    timer_set(&r->watchdog, INT64_MAX);
}

// --- reading answers ---

struct reply {
    int status;
    struct str head, body;
};

// Takes the next answer off *rest; `head_only` where the request was HEAD. False when it is not complete.
static inline bool reply_next(struct str *rest, bool head_only, struct reply *out)
{
    ptrdiff_t end = str_find_str(*rest, STR("\r\n\r\n"));
    int64_t length = 0, status = 0;
    if (end < 0)
        return false;
    out->head = str_sub(*rest, 0, (size_t)end + 4);
    assert_true(str_starts(out->head, STR("HTTP/1.1 ")));
    assert_true(str_to_i64(str_sub(out->head, 9, 12), &status));
    out->status = (int)status;
    ptrdiff_t at = str_find_str(out->head, STR("\r\nContent-Length: "));
    if (at >= 0) {
        struct str line, after;
        str_cut(str_sub(out->head, (size_t)at + 18, out->head.n), '\r', &line, &after);
        assert_true(str_to_i64(line, &length));
    }
    size_t n = head_only || status < 200 ? 0 : (size_t)length;
    out->body = str_sub(*rest, out->head.n, out->head.n + n);
    if (out->body.n < n)
        return false;
    *rest = str_sub(*rest, out->head.n + n, rest->n);
    return true;
}

// "202 202 400", of all answers in what came.
static inline const char *reply_statuses(struct str got, char out[8192])
{
    struct reply reply;
    size_t n = 0;
    out[0] = '\0';
    while (reply_next(&got, false, &reply) && n < 8000)
        n += (size_t)snprintf(out + n, 8192 - n, "%s%d", n ? " " : "", reply.status);
    assert_int_equal(got.n, 0);
    return out;
}

#endif
