/* What the files of a stream share. */
#ifndef SPANDREL_NET_STREAM_PRIVATE_H
#define SPANDREL_NET_STREAM_PRIVATE_H

#include "base/fsm.h"
#include "base/strbuf.h"
#include "net/dial.h"
#include "net/stream.h"
#include "net/tls.h"

enum stream_state {
    STREAM_DIALLING,
    STREAM_QUIET,     // accepted, waits for its events
    STREAM_HANDSHAKE, // of TLS
    STREAM_OPEN,
    STREAM_FLUSHING, // the owner (or the peer's end) has closed; output goes out
    STREAM_DRAINING, // our end was sent; reads to the peer's
    STREAM_CLOSING   // closed() is on its way
};

struct stream {
    struct loop *loop;
    struct stream_events ev;
    void *ud;
    struct stream_limits limits;
    const struct log_ctx *log;
    struct fsm fsm; // enum stream_state
    char *target;   // "host:port" as dialled; NULL when accepted
    char peer[NET_ADDR_TEXT];
    struct sockaddr_storage address; // the peer's
    struct dial *dial;               // DIALLING only
    union net_handle *handle;        // owned; NULL while DIALLING
    struct tls *tls;                 // NULL: plain
    struct defer turn;               // output, input that was held back, and closed(): never inside the caller
    struct timer deadline;           // of connecting, then of closing

    // Output goes plain -> wire -> sending; without TLS it begins at wire.
    struct strbuf plain;   // to be encrypted
    struct strbuf wire;    // to be sent
    struct strbuf sending; // being sent; does not move while libuv holds a part of it
    size_t sent;           // bytes of `sending` that the kernel has
    uv_write_t write;
    uv_shutdown_t shutdown;
    bool writing;  // libuv holds a part
    bool notified; // close_notify was written
    bool above;    // the high mark was passed: drained() is owed

    bool reading;
    bool paused;
    bool eof; // the peer's end has come

    enum err err; // for closed()
    struct errmsg why;
};

static inline bool stream_in(const struct stream *s, enum stream_state state)
{
    return s->fsm.state == state;
}

// stream.c
void stream_set_state(struct stream *s, enum stream_state to); // starts or stops reading as the state wants it
void stream_update_reading(struct stream *s);
// Closes with this outcome; the first one counts.
void stream_end(struct stream *s, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void stream_opened(struct stream *s);
// Goes over to flushing: the owner's wish, or the peer's end.
void stream_wind_up(struct stream *s);
// Takes a fresh handle; for the listener.
struct stream *stream_accepted(struct loop *l, union net_handle *h);

// stream_io.c
void stream_read_start(struct stream *s);
void stream_flush(struct stream *s);  // writes what is pending, as far as it goes
void stream_resume(struct stream *s); // hands out what TLS has held back
void stream_handshake(struct stream *s);

#endif
