/* An instance of the adapter between two fakes: HTTP, of which each request is a struct http_exchange here, and the
 * bridge, which keeps what is posted and answers when it is told to. Time is virtual. */
#ifndef SPANDREL_TESTS_WEBHOOK_RIG_H
#define SPANDREL_TESTS_WEBHOOK_RIG_H

#include "lib/check.h"
#include "unit/webhook/rows.h"

#include "adapters/webhook/webhook.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/http_server.h"

#include <stdlib.h>

#define RIG_WALL INT64_C(1760000000000)
#define RIG_TOKEN "abcdefghijklmnopqrstuvwxyz234567"

enum { RIG_POSTS = 2000, RIG_HEADERS = 8, RIG_EXCHANGES = 64 };

/* HTTP. */

struct http_exchange {
    struct http_head head;
    struct http_header headers[RIG_HEADERS];
    char path[256], body[4096];
    struct str body_given;
    void *ud;
    bool with_body; // all of it is there
    unsigned answers;
    int status;
    struct {
        char name[32], value[256];
    } got[RIG_HEADERS];
    size_t got_count;
    char text[8192];
    bool gone;
};

struct http_server { // fake: what was asked of it
    struct http_handler handler;
    void *ud;
    unsigned listens;
    enum err refuse;
    void (*stopped)(void *ud);
    void *stopped_ud;
    int64_t grace;
};

const struct http_head *http_exchange_head(const struct http_exchange *x)
{
    return &x->head;
}

struct str http_exchange_body(const struct http_exchange *x)
{
    assert_true(x->with_body);
    return x->body_given;
}

void http_exchange_set_ud(struct http_exchange *x, void *ud)
{
    x->ud = ud;
}

void *http_exchange_ud(const struct http_exchange *x)
{
    return x->ud;
}

void http_exchange_answer(struct http_exchange *x, int status, const struct http_header *headers, size_t count,
                          struct str body)
{
    assert_false(x->gone);
    assert_int_equal(x->answers++, 0);
    x->status = status;
    for (size_t i = 0; i < count; i++) {
        assert_true(http_header_good(&headers[i]));
        snprintf(x->got[i].name, sizeof x->got[i].name, STR_FMT, STR_ARG(headers[i].name));
        snprintf(x->got[i].value, sizeof x->got[i].value, STR_FMT, STR_ARG(headers[i].value));
    }
    x->got_count = count;
    snprintf(x->text, sizeof x->text, STR_FMT, STR_ARG(body));
}

void http_exchange_problem(struct http_exchange *x, int status, const char *type, struct str detail,
                           const struct http_header *headers, size_t count)
{
    assert_null(type);
    http_exchange_answer(x, status, headers, count, detail);
}

/* The bridge. */

struct rig_post {
    enum event_kind kind;
    enum message_type type;
    unsigned flags;
    uint64_t token, number;
    enum err err;
    char key[96], user[64], nick[96], id[48], body[512], replace[48], reply[64], url[128], name[64], media[64];
    size_t blob;
};

struct rig {
    struct adapter_env env;
    struct rng rng;
    int64_t now, wake_at;
    struct adapter *a; // NULL: closed
    struct rig_post posts[RIG_POSTS];
    size_t count, read; // posted; seen by rig_next()
    size_t answered;    // posts whose tokens were
    struct rows rows;
    struct http_server servers[8];
    unsigned server_count;
    enum err refuse_listen; // of the servers to come
    struct http_exchange *exchanges[RIG_EXCHANGES];
    size_t exchange_count;
    char log[65536]; // all lines
    size_t log_n;
};

static inline void rig_copy(char *to, size_t size, struct str s)
{
    snprintf(to, size, STR_FMT, STR_ARG(s));
}

static inline struct rig *rig_of(struct adapter_env *env)
{
    return CONTAINER_OF(env, struct rig, env);
}

static inline void rig_post(struct adapter_env *env, const struct event *ev)
{
    struct rig *g = rig_of(env);
    if (ev->kind == EV_STATE) {
        rows_put(&g->rows, ev->key, ev->blob);
        return;
    }
    assert_true(g->count < RIG_POSTS);
    struct rig_post *p = &g->posts[g->count++];
    *p = (struct rig_post){.kind = ev->kind,
                           .type = ev->type,
                           .flags = ev->flags,
                           .token = ev->token,
                           .number = ev->number,
                           .err = ev->err,
                           .blob = ev->blob.n};
    rig_copy(p->key, sizeof p->key, ev->key);
    rig_copy(p->nick, sizeof p->nick, ev->nick);
    rig_copy(p->id, sizeof p->id, ev->id);
    rig_copy(p->body, sizeof p->body, ev->body);
    rig_copy(p->replace, sizeof p->replace, ev->replace);
    rig_copy(p->reply, sizeof p->reply, ev->reply);
    rig_copy(p->url, sizeof p->url, ev->url);
    rig_copy(p->name, sizeof p->name, ev->name);
    rig_copy(p->media, sizeof p->media, ev->media);
    if (ev->user.domain.n)
        snprintf(p->user, sizeof p->user, STR_FMT "@" STR_FMT, STR_ARG(ev->user.local), STR_ARG(ev->user.domain));
}

static inline int64_t rig_env_now(struct adapter_env *env)
{
    return rig_of(env)->now;
}

static inline int64_t rig_env_wall(struct adapter_env *env)
{
    return RIG_WALL + rig_of(env)->now;
}

static inline void rig_wake(struct adapter_env *env, int64_t at)
{
    rig_of(env)->wake_at = at;
}

static inline void rig_log(void *ud, struct str line)
{
    struct rig *g = ud;
    size_t room = sizeof g->log - g->log_n - 1, n = line.n < room ? line.n : room;
    memcpy(g->log + g->log_n, line.p, n);
    g->log_n += n;
}

// Time goes on, timers fire.
static inline void rig_pass(struct rig *g, int64_t ms)
{
    int64_t end = g->now + ms;
    while (g->a && g->wake_at <= end) {
        g->now = g->wake_at > g->now ? g->wake_at : g->now;
        g->wake_at = INT64_MAX;
        g->a->ops->wake(g->a);
    }
    g->now = end;
}

/* Life. */

static inline struct conf_value *rig_parse(const char *text, struct conf_report *report)
{
    return conf_parse(str_c(text), "test", webhook_adapter_ops.schema, report);
}

static inline void rig_create(struct rig *g, const char *text)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_parse(text, report);
    if (!section || webhook_adapter_ops.create(&g->env, section, report, &g->a))
        fail_msg(STR_FMT, STR_ARG(conf_report_text(report)));
    conf_destroy(section);
    conf_report_destroy(report);
}

static inline struct rig *rig_new(void)
{
    struct rig *g = mem_zalloc(1, sizeof *g);
    rng_init(&g->rng, 1);
    g->wake_at = INT64_MAX;
    g->now = 1000;
    g->env = (struct adapter_env){.name = "hooks",
                                  .number = 1,
                                  .loop = (struct loop *)(void *)g, // never looked into here
                                  .log = {NULL, LOG_SUB_webhook, NULL, NULL},
                                  .rng = &g->rng,
                                  .post = rig_post,
                                  .now = rig_env_now,
                                  .wall = rig_env_wall,
                                  .wake = rig_wake};
    log_set_level(LOG_TRACE);
    log_to_sink(rig_log, g);
    return g;
}

static inline void rig_closed(void *ud)
{
    ((struct rig *)ud)->a = NULL;
}

static inline void rig_close(struct rig *g)
{
    g->a->ops->close(g->a, rig_closed, g);
    for (unsigned i = 0; i < g->server_count; i++) {
        struct http_server *s = &g->servers[i];
        void (*stopped)(void *ud) = s->stopped;
        s->stopped = NULL;
        if (stopped)
            stopped(s->stopped_ud);
    }
    assert_null(g->a);
}

static inline void rig_free(struct rig *g)
{
    if (g->a)
        rig_close(g);
    for (size_t i = 0; i < g->exchange_count; i++)
        mem_free(g->exchanges[i]);
    log_to_fd(2);
    log_set_level(LOG_INFO);
    mem_free(g);
}

// Starts another one on the rows that the last one has left.
static inline void rig_restart(struct rig *g, const char *text)
{
    rig_close(g);
    g->count = g->read = g->answered = 0;
    g->server_count = 0;
    rig_create(g, text);
    for (size_t i = 0; i < g->rows.count; i++) {
        if (g->rows.at[i].there)
            g->a->ops->restore(g->a, str_c(g->rows.at[i].key), str_c(g->rows.at[i].blob));
    }
    g->a->ops->start(g->a);
}

static inline bool rig_reload(struct rig *g, const char *text)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *section = rig_parse(text, report);
    bool good = section && !g->a->ops->reload(g->a, section, report);
    conf_destroy(section);
    conf_report_destroy(report);
    return good;
}

/* What was posted. */

// The next one of this kind, or NULL.
static inline struct rig_post *rig_next(struct rig *g, enum event_kind kind)
{
    while (g->read < g->count) {
        struct rig_post *p = &g->posts[g->read++];
        if (p->kind == kind)
            return p;
    }
    return NULL;
}

static inline struct rig_post *rig_said(struct rig *g)
{
    struct rig_post *p = rig_next(g, EV_MESSAGE);
    assert_non_null(p);
    return p;
}

static inline void rig_send(struct rig *g, const struct event *ev)
{
    assert_int_equal(g->a->ops->send(g->a, ev), ERR_OK);
}

// Answers the next post that has a token.
static inline void rig_answer(struct rig *g, enum err e)
{
    while (!g->posts[g->answered].token)
        assert_true(++g->answered < g->count);
    rig_send(g,
             &(struct event){.kind = e ? EV_REFUSED : EV_JOURNALED, .token = g->posts[g->answered++].token, .err = e});
}

// Everything that was posted is on disk now.
static inline void rig_journal(struct rig *g)
{
    for (; g->answered < g->count; g->answered++) {
        if (g->posts[g->answered].token)
            rig_send(g, &(struct event){.kind = EV_JOURNALED, .token = g->posts[g->answered].token});
    }
}

static inline void rig_settle(struct rig *g, const char *id, const char *stanza, enum err e)
{
    rig_send(g, &(struct event){.kind = EV_SETTLED, .id = str_c(id), .reply = str_c(stanza), .err = e});
}

static inline void rig_park(struct rig *g, const char *key, enum err e)
{
    rig_send(g, &(struct event){.kind = EV_PARKED,
                                .key = str_c(key),
                                .user = {.local = STR("ops"), .domain = STR("rooms.x")},
                                .err = e,
                                .body = e ? STR("members only") : STR_NONE});
}

/* Requests. */

static inline struct http_exchange *rig_exchange(struct rig *g, enum http_method method, const char *name,
                                                 const char *target, const char *body)
{
    assert_true(g->exchange_count < RIG_EXCHANGES);
    struct http_exchange *x = g->exchanges[g->exchange_count++] = mem_zalloc(1, sizeof *x);
    snprintf(x->path, sizeof x->path, "%s", target);
    struct str path = str_c(x->path), rest, segment;
    x->head = (struct http_head){.method = method, .method_name = str_c(name), .target = path, .headers = x->headers};
    (void)str_cut(path, '?', &x->head.path, &x->head.query);
    rest = str_sub(x->head.path, 1, x->head.path.n);
    for (bool more = true; more; x->head.segments[x->head.segment_count++] = segment)
        more = str_cut(rest, '/', &segment, &rest);
    x->head.minor = 1;
    assert_true(net_ip_parse(STR("192.0.2.7"), &x->head.source));
    snprintf(x->head.source_text, sizeof x->head.source_text, "192.0.2.7");
    x->body_given = body ? str_c(body) : STR_NONE;
    return x;
}

static inline void rig_header(struct http_exchange *x, const char *name, const char *value)
{
    assert_true(x->head.header_count < RIG_HEADERS);
    x->headers[x->head.header_count++] = (struct http_header){str_c(name), str_c(value)};
}

static inline void rig_source(struct http_exchange *x, const char *ip)
{
    assert_true(net_ip_parse(str_c(ip), &x->head.source));
    snprintf(x->head.source_text, sizeof x->head.source_text, "%s", ip);
}

// The server hands it over: its head, and its body where that is taken.
static inline void rig_run(struct rig *g, struct http_exchange *x)
{
    struct http_server *s = &g->servers[g->server_count - 1];
    size_t max = s->handler.head(s->ud, x);
    if (x->answers)
        return;
    if (x->body_given.n > max) {
        x->gone = true;
        x->status = 413;
        s->handler.gone(s->ud, x);
        return;
    }
    x->with_body = true;
    s->handler.request(s->ud, x);
}

static inline void rig_gone(struct rig *g, struct http_exchange *x)
{
    struct http_server *s = &g->servers[g->server_count - 1];
    x->gone = true;
    s->handler.gone(s->ud, x);
}

// A POST of JSON; `headers` are names and values, ended by NULL; NULL: none.
static inline struct http_exchange *rig_post_to(struct rig *g, const char *target, const char *json,
                                                const char *const *headers)
{
    struct http_exchange *x = rig_exchange(g, HTTP_METHOD_POST, "POST", target, json);
    rig_header(x, "Content-Type", "application/json");
    for (; headers && *headers; headers += 2)
        rig_header(x, headers[0], headers[1]);
    rig_run(g, x);
    return x;
}

static inline const char *rig_got(const struct http_exchange *x, const char *name)
{
    for (size_t i = 0; i < x->got_count; i++) {
        if (str_case_eq(str_c(x->got[i].name), str_c(name)))
            return x->got[i].value;
    }
    return NULL;
}

static inline void check_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

// What it posted is on disk, and it was accepted.
static inline void rig_accepted(struct rig *g, struct http_exchange *x)
{
    rig_journal(g);
    assert_int_equal(x->answers, 1);
    assert_in_range(x->status, 200, 204);
}

/* The fake server. */

struct http_server *http_server_create(struct loop *l, const struct http_server_config *config,
                                       const struct http_handler *handler, void *ud, const struct log_ctx *log)
{
    (void)config;
    (void)log;
    struct rig *g = (struct rig *)(void *)l;
    assert_true(g->server_count < COUNT(g->servers));
    struct http_server *s = &g->servers[g->server_count++];
    *s = (struct http_server){.handler = *handler, .ud = ud, .refuse = g->refuse_listen};
    return s;
}

enum err http_server_listen(struct http_server *s, const char *host, uint16_t port, struct tls_server *tls,
                            uint16_t *taken, struct errmsg *msg)
{
    (void)host;
    (void)port;
    (void)tls;
    (void)taken;
    s->listens++;
    return s->refuse ? err_set(msg, s->refuse, "address already in use") : ERR_OK;
}

void http_server_stop(struct http_server *s, int64_t grace_ms, void (*stopped)(void *ud), void *ud)
{
    s->stopped = stopped;
    s->stopped_ud = ud;
    s->grace = grace_ms;
}

void http_server_destroy(struct http_server *s)
{
    (void)s;
}

#define RIG_HOOK(options)                                                                                              \
    "hooks: {alerts: {title: Alerts, rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]" options "}}"
#define RIG_PATH "/h/alerts/" RIG_TOKEN

static inline struct rig *rig_start(const char *text)
{
    struct rig *g = rig_new();
    rig_create(g, text);
    g->a->ops->start(g->a);
    return g;
}

#endif
