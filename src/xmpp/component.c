/* The component's state machine.
 *
 * Happy path: start -> the owner dials -> header out -> header in with an id -> SHA-1 of id and secret out ->
 * <handshake/> in -> UP: stanzas both ways, pings of liveness.c
 * -> shutdown: </stream:stream> out, stanzas are still read until the server ends the stream too (nothing that it had
 * taken for us is lost) -> IDLE.
 *
 * Failure modes, each with a retry class: dialling fails; no header or handshake within 15 s; a stream error at any
 * point (stream_error.c); the end of the stream; bytes that are no XMPP; pings without an answer. The transport may
 * outlive the failure: then we wait for its end before the next try. One line of log and one notice tell of an outage,
 * unless its class changes. The owner calls in with the time; every event may call component_shutdown(), so nothing is
 * done behind an event but by way of the state. */
#include "xmpp/component.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/fsm.h"
#include "base/mem.h"
#include "text/hash.h"
#include "xml/xml_reader.h"
#include "xml/xml_writer.h"
#include "xmpp/liveness.h"
#include "xmpp/ns.h"
#include "xmpp/stream_error.h"

enum {
    OUTPUT_MAX = 8 << 20,
    OUTPUT_KEEP = 64 * 1024, // memory kept by an empty buffer
    ANSWER_MS = 15000,       // for header and handshake
    DRAIN_MS = 5000,         // of a shutdown
    STABLE_MS = 10000,       // a link that was up that long has forgotten earlier failures
    AT_ONCE_MS = 1000
};

static const struct fsm_state states[] = {
    [COMPONENT_IDLE] = {"idle", FSM_TO(COMPONENT_CONNECTING)},
    [COMPONENT_WAITING] = {"waiting",
                           FSM_TO(COMPONENT_CONNECTING) | FSM_TO(COMPONENT_CLOSING) | FSM_TO(COMPONENT_IDLE)},
    [COMPONENT_CONNECTING] = {"connecting", FSM_TO(COMPONENT_HEADER) | FSM_TO(COMPONENT_WAITING) |
                                                FSM_TO(COMPONENT_CLOSING) | FSM_TO(COMPONENT_IDLE)},
    [COMPONENT_HEADER] = {"header",
                          FSM_TO(COMPONENT_HANDSHAKE) | FSM_TO(COMPONENT_WAITING) | FSM_TO(COMPONENT_CLOSING)},
    [COMPONENT_HANDSHAKE] = {"handshake", FSM_TO(COMPONENT_UP) | FSM_TO(COMPONENT_WAITING) | FSM_TO(COMPONENT_CLOSING)},
    [COMPONENT_UP] = {"up", FSM_TO(COMPONENT_WAITING) | FSM_TO(COMPONENT_CLOSING)},
    [COMPONENT_CLOSING] = {"closing", FSM_TO(COMPONENT_IDLE)},
};
static const struct fsm_def machine = {"component", states, sizeof states / sizeof *states};

static const struct retry_class {
    const char *name;
    int64_t floor_ms, cap_ms;
    enum log_level level;
    bool notice; // an admin must act
} classes[] = {
    [COMPONENT_RETRY_NET] = {"net", 1000, 5000, LOG_WARN, false},
    [COMPONENT_RETRY_CONFIG] = {"config", 30000, 60000, LOG_ERROR, true},
    [COMPONENT_RETRY_GHOST] = {"ghost", 5000, 60000, LOG_WARN, false},
    [COMPONENT_RETRY_REPLACED] = {"replaced", 300000, 600000, LOG_ERROR, true},
    [COMPONENT_RETRY_PROTO] = {"proto", 10000, 60000, LOG_ERROR, true},
};
enum { CLASSES = sizeof classes / sizeof *classes };

enum transport { NONE, WANTED, DIALLING, OPEN, ENDING };

struct component {
    struct fsm fsm;
    char *domain, *secret, *server; // owned
    struct component_events ev;
    void *ud;
    const struct log_ctx *log;
    struct rng rng;
    enum transport transport;
    bool reset;                // ENDING: drop what is unsent
    bool announced;            // up() was called, down() not yet
    int64_t now;               // of the call in progress
    int64_t deadline;          // of HEADER, HANDSHAKE, WAITING, CLOSING
    struct xml_reader *reader; // NULL before the first connection
    struct strbuf out;
    size_t keep; // CLOSING: bytes of `out` that are ours
    bool renew;  // CLOSING: to connect again behind it
    struct liveness live;
    struct backoff backoffs[CLASSES];
    unsigned told;        // bits: classes this outage has been told of
    unsigned tries;       // of this outage
    int64_t lost;         // when it began
    struct arena scratch; // of `why`
    struct str why;       // what ended the last link or try; empty before
};

static const struct xml_reader_events reader_events;

static char *dup(struct str s)
{
    return mem_dup(s.n ? s.p : "", s.n);
}

struct component *component_create(const struct component_config *cfg, const struct component_events *ev, void *ud,
                                   const struct log_ctx *log)
{
    struct component *c = MEM_NEW(struct component);
    fsm_init(&c->fsm, &machine, COMPONENT_IDLE, 0);
    c->domain = dup(cfg->domain);
    c->secret = dup(cfg->secret);
    c->server = dup(cfg->server);
    c->ev = *ev;
    c->ud = ud;
    c->log = log;
    c->deadline = INT64_MAX;
    rng_init(&c->rng, cfg->seed);
    strbuf_init(&c->out, OUTPUT_MAX);
    arena_init(&c->scratch, 512);
    liveness_init(&c->live, str_c(c->domain), &c->rng);
    for (size_t i = 0; i < CLASSES; i++)
        backoff_init(&c->backoffs[i], classes[i].floor_ms, classes[i].cap_ms);
    return c;
}

static void drop_secret(struct component *c)
{
    mem_wipe(c->secret, strlen(c->secret));
    mem_free(c->secret);
}

void component_destroy(struct component *c)
{
    if (!c)
        return;
    xml_reader_destroy(c->reader);
    strbuf_finish(&c->out);
    arena_finish(&c->scratch);
    drop_secret(c);
    mem_free(c->domain);
    mem_free(c->server);
    mem_free(c);
}

enum component_state component_state(const struct component *c)
{
    return (enum component_state)c->fsm.state;
}

static void set_state(struct component *c, enum component_state to)
{
    fsm_move(&c->fsm, to, c->now, c->log);
}

static void end_transport(struct component *c, bool reset)
{
    if (c->transport == DIALLING || c->transport == OPEN) {
        c->transport = ENDING;
        c->reset = reset;
    } else if (c->transport == WANTED) {
        c->transport = NONE;
    }
    if (c->reader)
        xml_reader_stop(c->reader);
}

static void say_down(struct component *c, enum err e, struct str why)
{
    if (!c->announced)
        return;
    c->announced = false;
    c->ev.down(c->ud, e, why);
}

/* Failing: from any state between CONNECTING and UP to WAITING. */

// The first try after a link that was up comes at once; a link that falls again and again within seconds is not such.
static int64_t retry_delay(struct component *c, enum component_retry class, bool was_up)
{
    if (was_up && c->now - c->fsm.since >= STABLE_MS) {
        for (size_t i = 0; i < CLASSES; i++)
            backoff_reset(&c->backoffs[i]);
    }
    bool at_once = was_up && class == COMPONENT_RETRY_NET && c->backoffs[class].tries == 0;
    int64_t delay = backoff_next(&c->backoffs[class], &c->rng);
    return at_once ? (int64_t)rng_below(&c->rng, AT_ONCE_MS) : delay;
}

// Once for each class in an outage; true then.
static bool log_outage(struct component *c, enum component_retry class, enum err e, int64_t delay)
{
    bool first = !(c->told & 1U << class);
    c->told |= 1U << class;
    log_at(first ? classes[class].level : LOG_DEBUG, c->log, LOG_MSG("component link is down"),
           LOG_C("domain", c->domain), LOG_C("server", c->server), LOG_C("class", classes[class].name), LOG_ERR(e),
           LOG_S("why", c->why), LOG_INT("retry_ms", delay));
    return first;
}

struct failure {
    enum component_retry class;
    enum err err;
    bool reset;
};

static void fail(struct component *c, struct failure f, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct component *c, struct failure f, const char *fmt, ...)
{
    end_transport(c, f.reset);
    if (component_state(c) == COMPONENT_CLOSING)
        return;
    arena_reset(&c->scratch);
    va_list ap;
    va_start(ap, fmt);
    c->why = arena_vprintf(&c->scratch, fmt, ap);
    va_end(ap);
    bool was_up = component_state(c) == COMPONENT_UP;
    if (was_up) {
        c->told = c->tries = 0;
        c->lost = c->now;
    }
    int64_t delay = retry_delay(c, f.class, was_up);
    c->deadline = c->now + delay;
    set_state(c, COMPONENT_WAITING);
    if (log_outage(c, f.class, f.err, delay) && classes[f.class].notice)
        c->ev.notice(c->ud, c->why);
    say_down(c, f.err, c->why);
}

/* What the server sends. */

static void send_handshake(struct component *c, struct str id)
{
    struct strbuf plain;
    struct arena a;
    uint8_t digest[20];
    strbuf_init(&plain, SIZE_MAX / 2);
    arena_init(&a, 64);
    strbuf_reserve(&plain, id.n + strlen(c->secret)); // at once, so that no copy is left behind
    strbuf_str(&plain, id);
    strbuf_c(&plain, c->secret);
    hash_sha1(strbuf_view(&plain), digest);
    strbuf_c(&c->out, "<handshake>");
    strbuf_str(&c->out, hash_hex(&a, digest, sizeof digest));
    strbuf_c(&c->out, "</handshake>");
    mem_wipe(plain.p, plain.n);
    arena_finish(&a);
    strbuf_finish(&plain);
}

// Prosody refuses a domain with an error behind a header whose id is empty.
static void on_header(void *ud, const struct xml_node *root)
{
    struct component *c = ud;
    struct str id = xml_attr(root, "id");
    if (component_state(c) != COMPONENT_HEADER)
        return;
    if (!xml_is(root, NS_STREAM, "stream")) {
        fail(c, (struct failure){COMPONENT_RETRY_PROTO, ERR_PROTO, true},
             "%s does not speak XMPP (is this the component port?)", c->server);
    } else if (id.n) {
        send_handshake(c, id);
        set_state(c, COMPONENT_HANDSHAKE);
    }
}

static void on_stream_error(struct component *c, const struct xml_node *error)
{
    struct stream_ending e = stream_error_read(error, component_state(c) == COMPONENT_UP);
    fail(c, (struct failure){e.retry, e.err, false}, "%s: " STR_FMT "%s" STR_FMT "%s%s%s%s", c->server,
         STR_ARG(e.condition), e.text.n ? " (" : "", STR_ARG(e.text), e.text.n ? ")" : "", *e.advice ? " [" : "",
         e.advice, *e.advice ? "]" : "");
}

static void on_up(struct component *c)
{
    log_info(c->log, LOG_MSG("component link is up"), LOG_C("domain", c->domain), LOG_C("server", c->server),
             LOG_INT("tries", c->tries), LOG_INT("ms", c->now - c->lost));
    c->told = 0;
    c->why = STR_NONE;
    c->announced = true;
    set_state(c, COMPONENT_UP);
    liveness_begin(&c->live, &c->out, c->now);
    c->ev.up(c->ud);
}

static void tell_of_twin(struct component *c)
{
    struct arena a;
    arena_init(&a, 1024);
    struct str text = arena_printf(
        &a,
        "another connection holds %s: only %u of %d test pings to ourselves came back, the rest, and that share of all "
        "that is sent to it, went there. Stop the other one: on ejabberd, which shares stanzas out among all "
        "connections of a domain, another "
        "client of the ejabberd_service listener; on Openfire a session with allowMultiple",
        c->domain, liveness_returned(&c->live), LIVENESS_NONCES);
    log_error(c->log, LOG_MSG("not alone on the domain"), LOG_C("domain", c->domain), LOG_S("why", text));
    c->ev.notice(c->ud, text);
    arena_finish(&a);
}

static void act_on_liveness(struct component *c, enum liveness_news news)
{
    switch (news) {
    case LIVENESS_DEAD:
        fail(c, (struct failure){COMPONENT_RETRY_NET, ERR_TIMEOUT, true}, "%s has stopped answering", c->server);
        break;
    case LIVENESS_TWIN:
        tell_of_twin(c);
        break;
    case LIVENESS_ALONE:
        log_info(c->log, LOG_MSG("alone on the domain again"), LOG_C("domain", c->domain));
        break;
    case LIVENESS_NOTHING:
        break;
    }
}

static void deliver(struct component *c, const struct xml_node *stanza)
{
    enum liveness_news news;
    if (!liveness_take(&c->live, stanza, &c->out, c->now, &news))
        c->ev.stanza(c->ud, stanza);
    else if (component_state(c) == COMPONENT_UP)
        act_on_liveness(c, news);
}

static void on_stanza(void *ud, const struct xml_node *stanza)
{
    struct component *c = ud;
    if (stream_error_is(stanza))
        on_stream_error(c, stanza);
    else if (c->announced)
        deliver(c, stanza);
    else if (component_state(c) == COMPONENT_HANDSHAKE && xml_is(stanza, NS_COMPONENT, "handshake"))
        on_up(c);
}

static void on_oversize(void *ud, const struct xml_node *head)
{
    struct component *c = ud;
    log_warn(c->log, LOG_MSG("stanza skipped: too large"), LOG_S("kind", head->name),
             LOG_S("from", xml_attr(head, "from")));
    if (c->announced)
        c->ev.oversize(c->ud, head);
}

static void on_close(void *ud)
{
    struct component *c = ud;
    if (component_state(c) != COMPONENT_CLOSING)
        strbuf_c(&c->out, "</stream:stream>");
    fail(c, (struct failure){COMPONENT_RETRY_NET, ERR_CLOSED, false}, "%s has closed the stream", c->server);
}

static const struct xml_reader_events reader_events = {on_header, on_stanza, on_oversize, on_close};

/* The owner's calls. */

static void connect_now(struct component *c)
{
    c->tries++;
    c->transport = WANTED;
    c->deadline = INT64_MAX;
    set_state(c, COMPONENT_CONNECTING);
}

void component_start(struct component *c, int64_t now)
{
    if (component_state(c) != COMPONENT_IDLE)
        return;
    c->now = c->lost = now;
    c->told = c->tries = 0;
    connect_now(c);
}

static void start_anew(struct component *c)
{
    c->renew = false;
    for (size_t i = 0; i < CLASSES; i++)
        backoff_reset(&c->backoffs[i]);
    component_start(c, c->now);
}

bool component_wants_connect(const struct component *c)
{
    return c->transport == WANTED;
}

bool component_wants_close(const struct component *c)
{
    return c->transport == ENDING;
}

bool component_wants_reset(const struct component *c)
{
    return c->transport == ENDING && c->reset;
}

void component_dialled(struct component *c, int64_t now)
{
    c->now = now;
    if (c->transport == WANTED)
        c->transport = DIALLING;
}

void component_opened(struct component *c, int64_t now)
{
    c->now = now;
    if (c->transport != DIALLING)
        return;
    c->transport = OPEN;
    set_state(c, COMPONENT_HEADER);
    c->deadline = now + ANSWER_MS;
    xml_reader_destroy(c->reader);
    c->reader = xml_reader_create(NULL, &reader_events, c);
    strbuf_clear(&c->out);
    strbuf_c(&c->out, "<?xml version='1.0'?><stream:stream xmlns='" NS_COMPONENT "' xmlns:stream='" NS_STREAM "' to='");
    xml_escape(&c->out, str_c(c->domain));
    strbuf_c(&c->out, "'>");
}

void component_feed(struct component *c, struct str bytes, int64_t now)
{
    struct errmsg msg;
    c->now = now;
    if (c->transport != OPEN)
        return;
    strbuf_shrink(&c->out, OUTPUT_KEEP);
    if (component_state(c) == COMPONENT_UP)
        liveness_heard(&c->live, now);
    if (component_state(c) == COMPONENT_CLOSING)
        c->keep = c->out.n;
    enum err e = xml_reader_feed(c->reader, bytes, &msg);
    if (e)
        fail(c, (struct failure){COMPONENT_RETRY_PROTO, e, true}, "%s sent what is no XMPP (%s)", c->server, msg.text);
    if (component_state(c) == COMPONENT_CLOSING && c->out.n > c->keep)
        strbuf_truncate(&c->out, c->keep);
}

static enum component_retry class_of(enum err e)
{
    switch (e) {
    case ERR_TLS:
    case ERR_CONF:
    case ERR_AUTH:
    case ERR_FORBIDDEN:
        return COMPONENT_RETRY_CONFIG;
    default:
        return COMPONENT_RETRY_NET;
    }
}

static const char *transport_advice(const struct component *c, enum err e)
{
    if (e == ERR_REFUSED)
        return " (does the server listen for components there? Prosody: component_ports; ejabberd: a listener with "
               "module ejabberd_service)";
    if (e == ERR_RESOLVE)
        return " (is the name in `server` right?)";
    if (e == ERR_TLS)
        return " (is this a TLS port, and `tls.ca` the CA of its certificate? Prosody has no TLS on its component "
               "port)";
    if (component_state(c) == COMPONENT_HEADER)
        return " before it said anything (does that port want TLS? ejabberd: `tls: true` of the listener)";
    return "";
}

static void transport_gone(struct component *c, enum err e, const char *why)
{
    const char *text = why && *why ? why : e ? err_text(e) : "the server has closed the connection";
    bool named = str_starts(str_c(text), str_c(c->server)); // an address of a dial, which may be the only one
    fail(c, (struct failure){class_of(e), e ? e : ERR_CLOSED, false}, "%s%s%s%s", named ? "" : c->server,
         named ? "" : ": ", text, transport_advice(c, e));
}

void component_closed(struct component *c, enum err e, const char *why, int64_t now)
{
    c->now = now;
    c->transport = NONE;
    if (component_state(c) == COMPONENT_CLOSING) {
        set_state(c, COMPONENT_IDLE);
        c->deadline = INT64_MAX;
        say_down(c, ERR_OK, STR("shut down"));
        if (c->renew)
            start_anew(c);
    } else if (component_state(c) != COMPONENT_IDLE && component_state(c) != COMPONENT_WAITING) {
        transport_gone(c, e, why);
    }
}

void component_tick(struct component *c, int64_t now)
{
    if (now < component_deadline(c))
        return;
    c->now = now;
    switch (component_state(c)) {
    case COMPONENT_WAITING:
        connect_now(c);
        break;
    case COMPONENT_HEADER:
    case COMPONENT_HANDSHAKE:
        fail(c, (struct failure){COMPONENT_RETRY_NET, ERR_TIMEOUT, true}, "%s did not answer within 15 s", c->server);
        break;
    case COMPONENT_UP:
        act_on_liveness(c, liveness_tick(&c->live, &c->out, now));
        break;
    case COMPONENT_CLOSING:
        end_transport(c, true);
        break;
    case COMPONENT_IDLE:
    case COMPONENT_CONNECTING:
        break;
    }
}

void component_slow(struct component *c, int64_t now)
{
    if (component_state(c) == COMPONENT_UP)
        liveness_extend(&c->live, now);
}

// While the transport is ending there is nothing to be done but to wait for its end.
int64_t component_deadline(const struct component *c)
{
    if (c->transport == ENDING)
        return INT64_MAX;
    return component_state(c) == COMPONENT_UP ? liveness_deadline(&c->live) : c->deadline;
}

struct strbuf *component_output(struct component *c)
{
    return &c->out;
}

void component_renew(struct component *c, struct str secret, struct str server, int64_t now)
{
    enum component_state state = component_state(c);
    drop_secret(c);
    mem_free(c->server);
    c->secret = dup(secret);
    c->server = dup(server);
    if (state == COMPONENT_IDLE || state == COMPONENT_CLOSING)
        return;
    component_shutdown(c, now);
    c->renew = true;
    if (component_state(c) == COMPONENT_IDLE)
        start_anew(c);
}

void component_shutdown(struct component *c, int64_t now)
{
    enum component_state state = component_state(c);
    c->renew = false;
    if (state == COMPONENT_IDLE || state == COMPONENT_CLOSING)
        return;
    c->now = now;
    if (c->transport == OPEN)
        strbuf_c(&c->out, "</stream:stream>");
    else
        end_transport(c, true);
    c->keep = c->out.n;
    c->deadline = c->transport == NONE ? INT64_MAX : now + DRAIN_MS;
    set_state(c, c->transport == NONE ? COMPONENT_IDLE : COMPONENT_CLOSING);
}

/* For people. */

static struct str status_waiting(const struct component *c, struct arena *a, int64_t now)
{
    if (c->transport == ENDING)
        return arena_printf(a, "closing the connection: " STR_FMT, STR_ARG(c->why));
    struct str span = clock_span(a, c->deadline > now ? c->deadline - now : 0);
    return arena_printf(a, "waiting " STR_FMT " to try again: " STR_FMT, STR_ARG(span), STR_ARG(c->why));
}

static struct str status_up(const struct component *c, struct arena *a, int64_t now)
{
    struct str span = clock_span(a, now - c->fsm.since);
    return arena_printf(a, "up for " STR_FMT "%s", STR_ARG(span),
                        c->live.twin ? ", but another connection holds the domain too" : "");
}

struct str component_status(const struct component *c, struct arena *a, int64_t now)
{
    switch (component_state(c)) {
    case COMPONENT_WAITING:
        return status_waiting(c, a, now);
    case COMPONENT_CONNECTING:
        return arena_printf(a, "connecting to %s%s" STR_FMT, c->server, c->why.n ? "; before: " : "", STR_ARG(c->why));
    case COMPONENT_HEADER:
    case COMPONENT_HANDSHAKE:
        return arena_printf(a, "connected to %s, waiting for its answer", c->server);
    case COMPONENT_UP:
        return status_up(c, a, now);
    case COMPONENT_CLOSING:
        return arena_dup(a, STR("closing"));
    case COMPONENT_IDLE:
        break;
    }
    return arena_dup(a, STR("not connected"));
}
