/* A stream's bytes.
 *
 * Happy path in: libuv reads into the loop's buffer -> TLS takes it apart, if there is TLS -> data(). Out: writes
 * gather during a turn -> its defer encrypts and offers them to the kernel at once -> what the kernel does not take is
 * left to libuv, slice by slice, so that the marks are seen to fall while a slow peer reads.
 *
 * Failure modes: a callback may close the stream, so that its state is asked for again after each one. A pause between
 * two TLS records leaves the rest inside TLS; the turn after resuming hands it out. */
#include "net/loop_private.h"
#include "net/stream_private.h"

#include <sys/socket.h>

enum { SLICE = 65536, KEEP = 16384 };

// --- in ---

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    const struct stream *s = h->data;
    *buf = uv_buf_init(loop_buffer(s->loop), LOOP_BUFFER);
}

static void tell_eof(struct stream *s)
{
    stream_update_reading(s);
    s->ev.eof(s->ud);
}

// The peer's end: it may still read what is pending.
static void take_eof(struct stream *s)
{
    s->eof = true;
    if (stream_in(s, STREAM_HANDSHAKE))
        stream_end(s, ERR_CLOSED, "%s: closed during the TLS handshake (does this port speak TLS?)", s->peer);
    else if (stream_in(s, STREAM_OPEN) && s->ev.eof)
        tell_eof(s);
    else if (stream_in(s, STREAM_OPEN))
        stream_wind_up(s);
    else if (stream_in(s, STREAM_DRAINING))
        stream_end(s, ERR_OK, "closed");
    else
        stream_update_reading(s);
}

static void tls_failed(struct stream *s, const struct errmsg *why)
{
    uv_buf_t alert = uv_buf_init(s->wire.p, (unsigned)s->wire.n);
    if (alert.len && !s->writing)
        (void)uv_try_write(&s->handle->stream, &alert, 1); // tells the peer why, where it can be told
    stream_end(s, ERR_TLS, "%s: %s", s->peer, why->text);
}

void stream_handshake(struct stream *s)
{
    struct errmsg why;
    enum err e = tls_handshake(s->tls, &why);
    tls_take(s->tls, &s->wire);
    if (e == ERR_OK)
        stream_opened(s);
    else if (e != ERR_AGAIN)
        tls_failed(s, &why);
    else
        stream_flush(s);
}

void stream_resume(struct stream *s)
{
    char *buf = loop_buffer(s->loop);
    while (s->tls && stream_in(s, STREAM_OPEN) && !s->paused) {
        struct errmsg why;
        size_t n = 0;
        enum err e = tls_read(s->tls, buf, LOOP_BUFFER, &n, &why);
        tls_take(s->tls, &s->wire);
        if (e == ERR_OK)
            s->ev.data(s->ud, (struct str){buf, n});
        else if (e == ERR_CLOSED)
            take_eof(s);
        else if (e != ERR_AGAIN)
            tls_failed(s, &why);
        if (e)
            break;
    }
}

static void take_tls(struct stream *s, struct str bytes)
{
    tls_feed(s->tls, bytes);
    if (stream_in(s, STREAM_HANDSHAKE))
        stream_handshake(s);
    stream_resume(s);
    if (s->wire.n)
        defer_set(&s->turn);
}

static void read_failed(struct stream *s, int status)
{
    if (stream_in(s, STREAM_DRAINING)) // all of ours was sent, and nothing more is wanted
        stream_end(s, ERR_OK, "closed");
    else
        stream_end(s, net_err(status), "%s: %s", s->peer, uv_strerror(status));
}

// libuv calls a reset an EOF when it comes together with the last bytes: the socket knows better.
static int true_status(const struct stream *s, int status)
{
    int error = 0;
    socklen_t n = sizeof error;
    uv_os_fd_t fd;
    if (status == UV_EOF && uv_fileno(&s->handle->any, &fd) == 0)
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
    return error ? uv_translate_sys_error(error) : status;
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = h->data;
    if (n < 0)
        n = true_status(s, (int)n);
    if (n == UV_EOF) {
        take_eof(s);
        return;
    }
    if (n < 0) {
        read_failed(s, (int)n);
        return;
    }
    struct str bytes = {buf->base, (size_t)n};
    if (n == 0 || s->fsm.state > STREAM_OPEN)
        return;
    if (s->tls)
        take_tls(s, bytes);
    else
        s->ev.data(s->ud, bytes);
}

void stream_read_start(struct stream *s)
{
    uv_read_start(&s->handle->stream, on_alloc, on_read);
}

// --- out ---

static void look_at_low_mark(struct stream *s)
{
    if (!s->above || stream_pending(s) > s->limits.low || !stream_in(s, STREAM_OPEN))
        return;
    s->above = false;
    if (s->ev.drained)
        s->ev.drained(s->ud);
}

static void encrypt(struct stream *s)
{
    struct errmsg why;
    if (!s->tls || s->fsm.state < STREAM_OPEN)
        return;
    if (tls_write(s->tls, strbuf_view(&s->plain), &why)) {
        stream_end(s, ERR_TLS, "%s: %s", s->peer, why.text);
        return;
    }
    strbuf_clear(&s->plain);
    strbuf_shrink(&s->plain, KEEP);
    if (stream_in(s, STREAM_FLUSHING) && !s->notified) {
        s->notified = true;
        tls_close(s->tls);
    }
    tls_take(s->tls, &s->wire);
}

// Takes what has gathered; false when there is nothing to send.
static bool refill(struct stream *s)
{
    if (s->sent < s->sending.n)
        return true;
    s->sent = 0;
    strbuf_clear(&s->sending);
    strbuf_shrink(&s->sending, KEEP);
    encrypt(s);
    struct strbuf empty = s->sending;
    s->sending = s->wire;
    s->wire = empty;
    return s->sending.n > 0;
}

static void on_written(uv_write_t *req, int status);

static void send_slice(struct stream *s)
{
    size_t left = s->sending.n - s->sent;
    uv_buf_t buf = uv_buf_init(s->sending.p + s->sent, (unsigned)(left < SLICE ? left : SLICE));
    int n = uv_try_write(&s->handle->stream, &buf, 1);
    if (n > 0) {
        s->sent += (size_t)n;
        return;
    }
    if (n == UV_EAGAIN) {
        s->write.data = s;
        n = uv_write(&s->write, &s->handle->stream, &buf, 1, on_written);
        s->writing = n == 0;
    }
    if (n < 0)
        stream_end(s, net_err(n), "%s: %s", s->peer, uv_strerror(n));
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct stream *s = req->data;
    if (status < 0)
        stream_end(s, ERR_OK, "closed"); // the peer was faster
}

// All is sent: our end follows, unless the peer's is here already.
static void send_end(struct stream *s)
{
    if (s->eof) {
        stream_end(s, ERR_OK, "closed");
        return;
    }
    stream_set_state(s, STREAM_DRAINING);
    s->shutdown.data = s;
    if (uv_shutdown(&s->shutdown, &s->handle->stream, on_shutdown))
        stream_end(s, ERR_OK, "closed");
}

static bool may_write(const struct stream *s)
{
    return stream_in(s, STREAM_HANDSHAKE) || stream_in(s, STREAM_OPEN) || stream_in(s, STREAM_FLUSHING);
}

void stream_flush(struct stream *s)
{
    while (may_write(s) && !s->writing && refill(s))
        send_slice(s);
    look_at_low_mark(s);
    if (stream_in(s, STREAM_FLUSHING) && !s->writing)
        send_end(s);
}

static void on_written(uv_write_t *req, int status)
{
    struct stream *s = req->data;
    size_t left = s->sending.n - s->sent;
    s->writing = false;
    if (status < 0) {
        stream_end(s, net_err(status), "%s: %s", s->peer, uv_strerror(status));
        return;
    }
    s->sent += left < SLICE ? left : SLICE;
    stream_flush(s);
}
