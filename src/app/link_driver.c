/* Happy path: component_wants_connect() -> dial -> open -> header, handshake -> bytes both ways ->
 * component_wants_close() -> closed. Failures: whatever ends the stream (or keeps it from opening) is told to the
 * component with its reason, and the component decides what comes next. The socket is always read: the server would
 * lose, without a word, what it could not hand over. A server that does not read: beyond the high mark output stays
 * with the component, whose buffer is bounded; one that reads slowly is given time. What the last connection left in it
 * never reaches the next one, which begins with a header. */
#include "app/link_driver.h"

#include "base/mem.h"

enum { HIGH = 1024 * 1024, LOW = 128 * 1024, CONNECT_MS = 15000 };

struct link_driver {
    struct loop *loop;
    struct component *component;
    const struct link_driver_events *ev;
    void *ud;
    size_t number;
    const struct log_ctx *log;
    char *host, *tls_name, *ca_file; // owned
    uint16_t port;
    bool tls, insecure;
    struct stream *stream; // NULL: none
    bool open;             // between open() and the order to close
    bool ending;           // the stream was told to close
    bool congested, closing;
    int64_t written, read; // bytes on this stream, those that the server's side has acknowledged
    struct timer deadline;
    struct defer gone; // closed while no stream was there
};

static char *copy(const char *cstr)
{
    return cstr ? mem_dup(cstr, strlen(cstr)) : NULL;
}

static void drop_config(struct link_driver *d)
{
    mem_free(d->host);
    mem_free(d->tls_name);
    mem_free(d->ca_file);
}

void link_driver_configure(struct link_driver *d, const struct link_driver_config *cfg)
{
    drop_config(d);
    d->host = copy(cfg->host);
    d->port = cfg->port;
    d->tls = cfg->tls.on;
    d->insecure = cfg->tls.insecure;
    d->tls_name = copy(cfg->tls.name);
    d->ca_file = copy(cfg->tls.ca_file);
}

static void set_congested(struct link_driver *d, bool is)
{
    if (d->congested == is)
        return;
    d->congested = is;
    d->ev->congested(d->ud, d->number, is);
}

static void destroy(void *ud)
{
    struct link_driver *d = ud;
    timer_finish(&d->deadline);
    defer_finish(&d->gone);
    drop_config(d);
    mem_free(d);
}

// What the component said may have closed the driver.
static void tell_work(struct link_driver *d)
{
    if (!d->closing)
        d->ev->work(d->ud);
}

static void on_open(void *ud)
{
    struct link_driver *d = ud;
    if (d->closing)
        return;
    d->open = true;
    component_opened(d->component, loop_now(d->loop));
    link_driver_poke(d);
}

static void on_data(void *ud, struct str bytes)
{
    struct link_driver *d = ud;
    if (d->closing)
        return;
    component_feed(d->component, bytes, loop_now(d->loop));
    tell_work(d);
}

static void on_drained(void *ud)
{
    struct link_driver *d = ud;
    if (d->closing)
        return;
    set_congested(d, false);
    link_driver_poke(d);
}

static void on_closed(void *ud, enum err e, const char *why)
{
    struct link_driver *d = ud;
    d->stream = NULL;
    d->open = d->ending = false;
    if (d->closing) {
        destroy(d);
        return;
    }
    set_congested(d, false);
    component_closed(d->component, e, why, loop_now(d->loop));
    tell_work(d);
}

static const struct stream_events stream_events = {
    .open = on_open, .data = on_data, .drained = on_drained, .closed = on_closed};

static void dial(struct link_driver *d)
{
    static const struct stream_limits limits = {.high = HIGH, .low = LOW, .connect_ms = CONNECT_MS};
    struct stream_tls tls = {.on = d->tls, .name = d->tls_name, .ca_file = d->ca_file, .insecure = d->insecure};
    component_dialled(d->component, loop_now(d->loop));
    d->written = d->read = 0;
    d->stream = stream_dial(d->loop, d->host, d->port, &tls, &limits, &stream_events, d, d->log);
}

static void write_output(struct link_driver *d)
{
    struct strbuf *out = component_output(d->component);
    if (!d->open || !out->n || (d->congested && !component_wants_close(d->component)))
        return;
    stream_write(d->stream, strbuf_view(out));
    d->written += (int64_t)out->n;
    strbuf_consume(out, out->n);
    set_congested(d, stream_above_high(d->stream));
}

static void end_stream(struct link_driver *d)
{
    if (!d->stream || d->ending)
        return;
    d->open = false;
    d->ending = true;
    if (component_wants_reset(d->component))
        stream_reset(d->stream);
    else
        stream_close(d->stream);
}

void link_driver_poke(struct link_driver *d)
{
    if (d->closing)
        return;
    if (!d->stream && component_wants_connect(d->component))
        dial(d);
    write_output(d);
    if (component_wants_close(d->component))
        end_stream(d);
    timer_set(&d->deadline, component_deadline(d->component));
}

// What we ask to find out whether it lives stands behind all that it has yet to read.
static void note_progress(struct link_driver *d)
{
    if (!d->open)
        return;
    size_t waiting = stream_unacknowledged(d->stream);
    int64_t read = d->written - (int64_t)waiting;
    if (waiting && read > d->read)
        component_slow(d->component, loop_now(d->loop));
    d->read = read;
}

static void on_deadline(void *ud)
{
    struct link_driver *d = ud;
    note_progress(d);
    component_tick(d->component, loop_now(d->loop));
    tell_work(d);
}

struct link_driver *link_driver_create(struct loop *l, struct component *c, const struct link_driver_config *cfg,
                                       const struct link_driver_events *ev, void *ud, size_t number,
                                       const struct log_ctx *log)
{
    struct link_driver *d = MEM_NEW(struct link_driver);
    d->loop = l;
    d->component = c;
    d->ev = ev;
    d->ud = ud;
    d->number = number;
    d->log = log;
    link_driver_configure(d, cfg);
    timer_init(&d->deadline, l, on_deadline, d);
    defer_init(&d->gone, l, destroy, d);
    return d;
}

void link_driver_close(struct link_driver *d)
{
    if (!d || d->closing)
        return;
    d->closing = true;
    timer_set(&d->deadline, INT64_MAX);
    if (!d->stream)
        defer_set(&d->gone);
    else
        stream_reset(d->stream);
}
