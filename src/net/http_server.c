/* The server: where it listens, who may connect, and what all connections share.
 *
 * Happy path: accept -> the source is counted -> http_conn. Failure modes: too many connections in all or from one
 * source: told 503 and closed, and where even those who are to be told become many, or TLS would have to be spoken
 * first, reset. No more descriptors: libuv accepts and drops who waits (uv__emfile_trick), so that the loop does not
 * spin; the bound on connections keeps well below that. */
#include "net/http_private.h"

#include "base/mem.h"

#include <sys/resource.h>
#include <time.h>

enum { SPARE_FILES = 128, REFUSALS_MAX = 32, LIMIT_HEAD = 65536, LIMIT_FIELDS = 256 };

static const struct http_server_limits defaults = {
    .head = 16384,
    .target = 8000,
    .headers = 64,
    .body = 1024 * 1024,
    .head_ms = 10000,
    .request_ms = 30000,
    .idle_ms = 60000,
    .write_ms = 30000,
    .connections = 1024,
    .per_source = 64,
    .pipelined = 16,
    .buffered = 64 * 1024 * 1024,
};

// --- what connections share ---

bool http_server_charge(struct http_server *s, size_t n)
{
    if (n > s->config.limits.buffered - s->stats.buffered)
        return false;
    s->stats.buffered += n;
    return true;
}

void http_server_release(struct http_server *s, size_t n)
{
    s->stats.buffered -= n;
}

// IMF-fixdate (RFC 9110 section 5.6.7), in English whatever the locale.
const char *http_server_date(struct http_server *s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t second = (time_t)(loop_wall(s->loop) / 1000);
    struct tm tm;
    if (second == s->date_at || !gmtime_r(&second, &tm))
        return s->date;
    s->date_at = second;
    (void)snprintf(s->date, sizeof s->date, "%s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday % 100,
                   months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
                   tm.tm_sec % 100);
    return s->date;
}

// --- sources ---

// An IPv6 customer has a /64.
static struct str source_key(const struct net_ip *ip)
{
    return (struct str){(const char *)ip->b, net_ip_is4(ip) ? sizeof ip->b : 8};
}

static bool counts(const struct http_server *s, const struct net_ip *peer)
{
    return peer->known && !http_source_trusts(&s->config, peer);
}

// NULL when there are too many from there.
static struct http_source_slot *take_slot(struct http_server *s, const struct net_ip *peer)
{
    struct http_source_slot *slot = map_get(&s->sources, source_key(peer));
    if (!slot) {
        slot = MEM_NEW(struct http_source_slot);
        slot->key = *peer;
        map_put(&s->sources, source_key(&slot->key), slot);
    }
    if (slot->count >= s->config.limits.per_source)
        return NULL;
    slot->count++;
    return slot;
}

static void leave_slot(struct http_server *s, struct http_source_slot *slot)
{
    if (slot && --slot->count == 0) {
        map_remove(&s->sources, source_key(&slot->key));
        mem_free(slot);
    }
}

// --- who finds no place ---

struct refusal {
    struct list_node node;
    struct http_server *server; // NULL once that is gone
};

static void refusal_data(void *ud, struct str bytes)
{
    (void)ud;
    (void)bytes;
}

static void refusal_closed(void *ud, enum err e, const char *why)
{
    struct refusal *r = ud;
    (void)e;
    (void)why;
    if (r->server)
        r->server->refusal_count--;
    list_remove(&r->node);
    mem_free(r);
}

static void refuse(struct http_server *s, struct stream *stream, bool tls)
{
    static const struct stream_events events = {.data = refusal_data, .closed = refusal_closed};
    static const struct stream_limits limits = {.high = 65536, .low = 16384};
    const struct http_header headers[] = {{STR("Content-Type"), STR("application/problem+json")},
                                          {STR("Retry-After"), STR("5")}};
    s->stats.refused++;
    if (tls || s->refusal_count >= s->refusals_max) {
        stream_reset(stream);
        return;
    }
    struct refusal *r = MEM_NEW(struct refusal);
    struct strbuf body;
    int status = http_fault_status(HTTP_FAULT_CROWDED);
    r->server = s;
    list_push(&s->refusals, &r->node);
    s->refusal_count++;
    stream_serve(stream, &limits, &events, r, s->log);
    strbuf_init(&body, 1024);
    http_problem_body(&body, status, NULL, str_c(http_fault_text(HTTP_FAULT_CROWDED)));
    strbuf_clear(&s->scratch);
    http_answer_write(&s->scratch, http_server_date(s),
                      &(struct http_answer_form){status, headers, 2, strbuf_view(&body), .close = true});
    stream_write(stream, strbuf_view(&s->scratch));
    stream_close(stream);
    strbuf_finish(&body);
}

// --- connections ---

static void on_accepted(void *ud, struct stream *stream)
{
    struct http_port *p = ud;
    struct http_server *s = p->server;
    struct net_ip peer = net_ip_of((const struct sockaddr *)stream_address(stream));
    struct http_source_slot *slot = NULL;
    s->stats.accepted++;
    if (s->stats.connections >= s->config.limits.connections || (counts(s, &peer) && !(slot = take_slot(s, &peer)))) {
        refuse(s, stream, p->tls != NULL);
        return;
    }
    s->stats.connections++;
    http_conn_create(s, stream, p->tls, &peer, slot);
}

static void look_at_end(struct http_server *s)
{
    if (s->stopping && s->stats.connections == 0)
        defer_set(&s->farewell);
}

void http_server_forget(struct http_conn *c)
{
    struct http_server *s = c->server;
    leave_slot(s, c->slot);
    list_remove(&c->node);
    s->stats.connections--;
    look_at_end(s);
}

// --- listening ---

static struct http_port *next_port(struct http_server *s, struct tls_server *tls, struct errmsg *msg)
{
    if (s->port_count == HTTP_LISTENERS_MAX) {
        err_set(msg, ERR_LIMIT, "more than %d places to listen at", HTTP_LISTENERS_MAX);
        return NULL;
    }
    struct http_port *p = &s->ports[s->port_count];
    *p = (struct http_port){.server = s, .tls = tls};
    return p;
}

enum err http_server_listen(struct http_server *s, const char *host, uint16_t port, struct tls_server *tls,
                            uint16_t *taken, struct errmsg *msg)
{
    struct http_port *p = next_port(s, tls, msg);
    if (!p)
        return ERR_LIMIT;
    p->listener = listener_tcp(s->loop, host, port, on_accepted, p, msg);
    if (!p->listener)
        return ERR_CONF;
    s->port_count++;
    if (taken)
        *taken = listener_port(p->listener);
    return ERR_OK;
}

enum err http_server_listen_unix(struct http_server *s, const char *path, unsigned mode, struct errmsg *msg)
{
    struct http_port *p = next_port(s, NULL, msg);
    if (!p)
        return ERR_LIMIT;
    p->listener = listener_unix(s->loop, path, mode, on_accepted, p, msg);
    if (!p->listener)
        return ERR_CONF;
    s->port_count++;
    return ERR_OK;
}

static void close_listeners(struct http_server *s)
{
    for (size_t i = 0; i < s->port_count; i++)
        listener_close(s->ports[i].listener);
    s->port_count = 0;
}

// --- life ---

// The rest of the process needs files too: the links to servers and brokers go before connections that anyone may open.
static void leave_files(struct http_server *s)
{
    struct rlimit files;
    struct http_server_limits *l = &s->config.limits;
    s->refusals_max = REFUSALS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= (rlim_t)l->connections + SPARE_FILES)
        return;
    rlim_t spare = files.rlim_cur < 2 * SPARE_FILES ? files.rlim_cur / 2 : SPARE_FILES;
    l->connections = (unsigned)(files.rlim_cur - spare);
    if (s->refusals_max > spare / 4)
        s->refusals_max = (unsigned)(spare / 4);
}

#define LIMIT_DEFAULT(l, name) (l)->name = (l)->name ? (l)->name : defaults.name

static void set_limits(struct http_server_limits *l)
{
    LIMIT_DEFAULT(l, head);
    LIMIT_DEFAULT(l, target);
    LIMIT_DEFAULT(l, headers);
    LIMIT_DEFAULT(l, body);
    LIMIT_DEFAULT(l, head_ms);
    LIMIT_DEFAULT(l, request_ms);
    LIMIT_DEFAULT(l, idle_ms);
    LIMIT_DEFAULT(l, write_ms);
    LIMIT_DEFAULT(l, connections);
    LIMIT_DEFAULT(l, per_source);
    LIMIT_DEFAULT(l, pipelined);
    LIMIT_DEFAULT(l, buffered);
    l->head = l->head < LIMIT_HEAD ? l->head : LIMIT_HEAD;
    l->target = l->target < l->head ? l->target : l->head;
    l->headers = l->headers < LIMIT_FIELDS ? l->headers : LIMIT_FIELDS;
}

static void on_farewell(void *ud)
{
    struct http_server *s = ud;
    void (*stopped)(void *) = s->stopped;
    s->stopped = NULL;
    timer_set(&s->grace, INT64_MAX);
    if (stopped)
        stopped(s->stopped_ud); // may destroy the server
}

static void on_grace(void *ud)
{
    struct http_server *s = ud;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &s->conns)
        stream_reset(CONTAINER_OF(it, struct http_conn, node)->stream);
}

struct http_server *http_server_create(struct loop *l, const struct http_server_config *config,
                                       const struct http_handler *handler, void *ud, const struct log_ctx *log)
{
    struct http_server *s = MEM_NEW(struct http_server);
    s->loop = l;
    s->config = *config;
    s->handler = *handler;
    s->ud = ud;
    s->log = log;
    s->date_at = -1;
    set_limits(&s->config.limits);
    leave_files(s);
    list_init(&s->conns);
    list_init(&s->refusals);
    map_init(&s->sources);
    strbuf_init(&s->scratch, STREAM_PENDING_MAX);
    timer_init(&s->grace, l, on_grace, s);
    defer_init(&s->farewell, l, on_farewell, s);
    return s;
}

void http_server_stop(struct http_server *s, int64_t grace_ms, void (*stopped)(void *ud), void *ud)
{
    struct list_node *it, *safe;
    s->stopping = true;
    s->stopped = stopped;
    s->stopped_ud = ud;
    close_listeners(s);
    LIST_EACH (it, safe, &s->conns)
        http_conn_wake(CONTAINER_OF(it, struct http_conn, node));
    timer_set(&s->grace, loop_now(s->loop) + grace_ms);
    look_at_end(s);
}

static void abandon_refusals(struct http_server *s)
{
    while (!list_empty(&s->refusals)) {
        struct refusal *r = LIST_FIRST(&s->refusals, struct refusal, node);
        r->server = NULL;
        list_remove(&r->node);
    }
}

void http_server_destroy(struct http_server *s)
{
    void *slot;
    struct str key;
    size_t at = 0;
    if (!s)
        return;
    close_listeners(s);
    abandon_refusals(s);
    while (!list_empty(&s->conns))
        http_conn_abandon(LIST_FIRST(&s->conns, struct http_conn, node));
    while (map_next(&s->sources, &at, &key, &slot))
        mem_free(slot);
    map_finish(&s->sources);
    timer_finish(&s->grace);
    defer_finish(&s->farewell);
    strbuf_finish(&s->scratch);
    mem_free(s);
}

struct http_server_stats http_server_stats(const struct http_server *s)
{
    return s->stats;
}
