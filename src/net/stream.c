/* A stream's life: DIALLING -> (HANDSHAKE ->) OPEN -> FLUSHING -> DRAINING -> CLOSING; an accepted one begins QUIET.
 *
 * Happy path: dial() hands over a connected socket -> TLS handshake -> open() -> data() and writes -> the owner closes:
 * what is pending goes out, close_notify and FIN follow, the peer's FIN comes back -> closed(). Or the peer's FIN comes
 * first: what is pending goes out to it (it may have closed only its half), then closed().
 *
 * Failure modes: any error goes straight to CLOSING, once, with the first reason. A deadline covers resolve, connect
 * and handshake, another the way from close to closed: a peer that neither reads nor answers costs 2 s. closed() comes
 * from libuv's close callback, or where no socket was, from the turn's defer: so never from inside a call of the owner.
 */
#include "net/stream_private.h"

#include "base/mem.h"

#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { CLOSE_MS = 2000 };

static const struct fsm_state states[] = {
    [STREAM_DIALLING] = {"dialling", FSM_TO(STREAM_HANDSHAKE) | FSM_TO(STREAM_OPEN) | FSM_TO(STREAM_CLOSING)},
    [STREAM_QUIET] = {"quiet", FSM_TO(STREAM_HANDSHAKE) | FSM_TO(STREAM_OPEN) | FSM_TO(STREAM_CLOSING)},
    [STREAM_HANDSHAKE] = {"handshake", FSM_TO(STREAM_OPEN) | FSM_TO(STREAM_CLOSING)},
    [STREAM_OPEN] = {"open", FSM_TO(STREAM_FLUSHING) | FSM_TO(STREAM_CLOSING)},
    [STREAM_FLUSHING] = {"flushing", FSM_TO(STREAM_DRAINING) | FSM_TO(STREAM_CLOSING)},
    [STREAM_DRAINING] = {"draining", FSM_TO(STREAM_CLOSING)},
    [STREAM_CLOSING] = {"closing", 0},
};

static const struct fsm_def machine = {"stream", states, sizeof states / sizeof *states};

// --- states ---

static bool wants_reading(const struct stream *s)
{
    switch ((enum stream_state)s->fsm.state) {
    case STREAM_OPEN:
        return !s->paused && !s->eof;
    case STREAM_HANDSHAKE:
    case STREAM_FLUSHING:
    case STREAM_DRAINING:
        return !s->eof;
    case STREAM_DIALLING:
    case STREAM_QUIET:
    case STREAM_CLOSING:
        break;
    }
    return false;
}

void stream_update_reading(struct stream *s)
{
    bool wanted = wants_reading(s);
    if (wanted == s->reading)
        return;
    s->reading = wanted;
    if (wanted)
        stream_read_start(s);
    else
        uv_read_stop(&s->handle->stream);
}

void stream_set_state(struct stream *s, enum stream_state to)
{
    fsm_move(&s->fsm, to, loop_now(s->loop), s->log);
    stream_update_reading(s);
}

// --- the end ---

static void destroy(struct stream *s)
{
    tls_destroy(s->tls);
    strbuf_finish(&s->plain);
    strbuf_finish(&s->wire);
    strbuf_finish(&s->sending);
    defer_finish(&s->turn);
    mem_free(s->handle);
    mem_free(s->target);
    mem_free(s);
}

static void finish(struct stream *s)
{
    log_debug(s->log, LOG_MSG("stream is closed"), LOG_C("peer", s->peer), LOG_ERR(s->err), LOG_C("why", s->why.text));
    if (s->ev.closed)
        s->ev.closed(s->ud, s->err, s->why.text);
    destroy(s);
}

static void on_handle_closed(uv_handle_t *h)
{
    finish(h->data);
}

// Closes; `err` and `why` are set.
static void shut(struct stream *s)
{
    dial_cancel(s->dial);
    s->dial = NULL;
    timer_finish(&s->deadline);
    stream_set_state(s, STREAM_CLOSING);
    if (s->handle)
        uv_close(&s->handle->any, on_handle_closed);
    else
        defer_set(&s->turn);
}

void stream_end(struct stream *s, enum err e, const char *fmt, ...)
{
    if (stream_in(s, STREAM_CLOSING))
        return;
    char text[sizeof s->why.text];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    s->err = err_set(&s->why, e, "%s", text);
    shut(s);
}

void stream_wind_up(struct stream *s)
{
    stream_set_state(s, STREAM_FLUSHING);
    timer_set(&s->deadline, loop_now(s->loop) + CLOSE_MS);
    defer_set(&s->turn);
}

static void on_deadline(void *ud)
{
    struct stream *s = ud;
    struct errmsg at;
    switch ((enum stream_state)s->fsm.state) {
    case STREAM_DIALLING:
        dial_describe(s->dial, &at);
        stream_end(s, ERR_TIMEOUT, "%s: no answer within %lld ms, %s", s->target, (long long)s->limits.connect_ms,
                   at.text);
        break;
    case STREAM_HANDSHAKE:
        stream_end(s, ERR_TIMEOUT, "%s: no end of the TLS handshake within %lld ms", s->peer,
                   (long long)s->limits.connect_ms);
        break;
    case STREAM_FLUSHING:
        stream_end(s, ERR_TIMEOUT, "%s: does not read, %zu bytes were not sent", s->peer, stream_pending(s));
        break;
    case STREAM_DRAINING:
        stream_end(s, ERR_OK, "closed");
        break;
    case STREAM_QUIET:
    case STREAM_OPEN:
    case STREAM_CLOSING:
        break;
    }
}

// --- the beginning ---

static void on_turn(void *ud)
{
    struct stream *s = ud;
    if (stream_in(s, STREAM_CLOSING)) {
        if (!s->handle)
            finish(s);
        return;
    }
    stream_resume(s);
    stream_flush(s);
}

static struct stream *create(struct loop *l, enum stream_state initial)
{
    struct stream *s = MEM_NEW(struct stream);
    s->loop = l;
    fsm_init(&s->fsm, &machine, initial, loop_now(l));
    defer_init(&s->turn, l, on_turn, s);
    timer_init(&s->deadline, l, on_deadline, s);
    strbuf_init(&s->plain, STREAM_PENDING_MAX);
    strbuf_init(&s->wire, 2 * (size_t)STREAM_PENDING_MAX); // TLS adds to what it takes
    strbuf_init(&s->sending, 2 * (size_t)STREAM_PENDING_MAX);
    return s;
}

static void adopt(struct stream *s, union net_handle *h)
{
    struct sockaddr_storage *addr = &s->address;
    int n = sizeof *addr;
    s->handle = h;
    h->any.data = s;
    addr->ss_family = AF_UNIX;
    if (uv_handle_get_type(&h->any) == UV_TCP && uv_tcp_getpeername(&h->tcp, (struct sockaddr *)addr, &n))
        addr->ss_family = AF_UNSPEC; // it is gone already
    net_addr_format(addr, s->peer);
}

void stream_opened(struct stream *s)
{
    timer_set(&s->deadline, INT64_MAX);
    stream_set_state(s, STREAM_OPEN);
    log_debug(s->log, LOG_MSG("stream is open"), LOG_C("peer", s->peer));
    defer_set(&s->turn); // what was written before
    if (s->ev.open)
        s->ev.open(s->ud);
}

static void on_dialled(void *ud, union net_handle *h, enum err e, const char *why)
{
    struct stream *s = ud;
    s->dial = NULL;
    if (e) {
        stream_end(s, e, "%s", why);
        return;
    }
    adopt(s, h);
    if (!s->tls) {
        stream_opened(s);
        return;
    }
    stream_set_state(s, STREAM_HANDSHAKE);
    stream_handshake(s);
}

static char *make_target(const char *host, uint16_t port)
{
    struct strbuf b;
    strbuf_init(&b, 512);
    strbuf_printf(&b, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
    char *target = mem_dup(b.p, b.n);
    strbuf_finish(&b);
    return target;
}

struct stream *stream_dial(struct loop *l, const char *host, uint16_t port, const struct stream_tls *tls,
                           const struct stream_limits *limits, const struct stream_events *ev, void *ud,
                           const struct log_ctx *log)
{
    struct stream *s = create(l, STREAM_DIALLING);
    s->limits = *limits;
    s->ev = *ev;
    s->ud = ud;
    s->log = log;
    s->target = make_target(host, port);
    if (tls && tls->on && !(s->tls = tls_create(tls, host, &s->why))) {
        s->err = ERR_TLS;
        shut(s);
        return s;
    }
    if (limits->connect_ms)
        timer_set(&s->deadline, loop_now(l) + limits->connect_ms);
    s->dial = dial_start(l, host, port, on_dialled, s);
    return s;
}

struct stream *stream_accepted(struct loop *l, union net_handle *h)
{
    struct stream *s = create(l, STREAM_QUIET);
    net_handle_tune(h);
    adopt(s, h);
    return s;
}

static void set_owner(struct stream *s, const struct stream_limits *limits, const struct stream_events *ev, void *ud,
                      const struct log_ctx *log)
{
    s->limits = *limits;
    s->ev = *ev;
    s->ud = ud;
    s->log = log;
}

void stream_serve_tls(struct stream *s, struct tls_server *tls, const struct stream_limits *limits,
                      const struct stream_events *ev, void *ud, const struct log_ctx *log)
{
    set_owner(s, limits, ev, ud, log);
    s->tls = tls_accept(tls);
    if (limits->connect_ms)
        timer_set(&s->deadline, loop_now(s->loop) + limits->connect_ms);
    stream_set_state(s, STREAM_HANDSHAKE);
}

void stream_serve(struct stream *s, const struct stream_limits *limits, const struct stream_events *ev, void *ud,
                  const struct log_ctx *log)
{
    set_owner(s, limits, ev, ud, log);
    stream_set_state(s, STREAM_OPEN);
    defer_set(&s->turn); // what was written before
}

// --- the owner's calls ---

void stream_write(struct stream *s, struct str bytes)
{
    if (s->fsm.state > STREAM_OPEN || str_empty(bytes))
        return;
    if (stream_pending(s) + bytes.n > STREAM_PENDING_MAX || !strbuf_str(s->tls ? &s->plain : &s->wire, bytes)) {
        stream_end(s, ERR_LIMIT, "%s: more than %d bytes are pending", s->peer, STREAM_PENDING_MAX);
        return;
    }
    s->above = s->above || stream_above_high(s);
    defer_set(&s->turn);
}

size_t stream_pending(const struct stream *s)
{
    return s->plain.n + s->wire.n + s->sending.n - s->sent;
}

size_t stream_unacknowledged(const struct stream *s)
{
    uv_os_fd_t fd;
    int queued = 0;
    if (s->handle && uv_fileno(&s->handle->any, &fd) == 0)
        (void)ioctl(fd, SIOCOUTQ, &queued);
    return stream_pending(s) + (queued > 0 ? (size_t)queued : 0);
}

bool stream_above_high(const struct stream *s)
{
    return stream_pending(s) > s->limits.high;
}

void stream_pause(struct stream *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    stream_update_reading(s);
    if (!paused && s->tls)
        defer_set(&s->turn);
}

void stream_close(struct stream *s)
{
    if (stream_in(s, STREAM_OPEN))
        stream_wind_up(s);
    else if (s->fsm.state < STREAM_OPEN)
        stream_end(s, ERR_OK, "closed");
}

// Close now sends RST: the peer learns at once, and no half-open ghost stays with it.
static void arm_reset(struct stream *s)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    uv_os_fd_t fd;
    if (s->handle && uv_fileno(&s->handle->any, &fd) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void stream_reset(struct stream *s)
{
    if (stream_in(s, STREAM_CLOSING))
        return;
    arm_reset(s);
    stream_end(s, ERR_CLOSED, "reset");
}

const char *stream_peer(const struct stream *s)
{
    return s->peer;
}

const struct sockaddr_storage *stream_address(const struct stream *s)
{
    return &s->address;
}
