/* Where the adapter listens. An address that cannot be had (a port in use, a certificate that cannot be read) is a
 * state with a next try, of all addresses together: nobody is served by half of them. */
#include "adapters/webhook/webhook_private.h"

#include "base/mem.h"

enum { GRACE_MS = 5000 };

struct webhook_server {
    struct webhook_adapter *a;
    struct http_server *http;
    struct tls_server *tls;
    struct net_cidrs trusted; // what the server borrows
};

static void server_free(struct webhook_server *s)
{
    tls_server_destroy(s->tls);
    net_cidrs_finish(&s->trusted);
    mem_free(s);
}

static void copy_trusted(const struct net_cidrs *from, struct net_cidrs *to)
{
    *to = (struct net_cidrs){mem_alloc(mem_product(from->n + 1, sizeof *from->at)), from->n};
    if (from->n)
        memcpy(to->at, from->at, from->n * sizeof *from->at);
}

static enum err server_listen(struct webhook_server *s, const struct webhook_conf *conf, struct errmsg *msg)
{
    if (conf->cert) {
        s->tls = tls_server_create(conf->cert, conf->key, msg);
        if (!s->tls)
            return ERR_TLS;
    }
    for (size_t i = 0; i < conf->listen_count; i++) {
        const struct webhook_listen *l = &conf->listen[i];
        enum err e = http_server_listen(s->http, l->host, l->port, s->tls, NULL, msg);
        if (e)
            return err_wrap(msg, e, "listen at %s:%u", l->host, l->port);
    }
    return ERR_OK;
}

static void down(struct webhook_adapter *a, enum err e)
{
    bool first = !a->backoff.tries;
    a->listen_at = webhook_now(a) + backoff_next(&a->backoff, a->base.env->rng);
    if (first)
        webhook_post(a, &(struct event){.kind = EV_LINK_DOWN, .err = e, .body = str_c(a->why.text)});
    webhook_schedule(a);
}

void webhook_server_open(struct webhook_adapter *a)
{
    a->listen_at = INT64_MAX;
    if (!a->base.env->loop)
        return;
    struct webhook_server *s = MEM_NEW(struct webhook_server);
    s->a = a;
    copy_trusted(&a->conf.trusted, &s->trusted);
    const struct http_server_config config = {
        .limits = a->conf.limits, .trusted = &s->trusted, .forwarded = a->conf.forwarded, .trust_unix = true};
    s->http = http_server_create(a->base.env->loop, &config, &webhook_handler, a, &a->log);
    enum err e = server_listen(s, &a->conf, &a->why);
    if (e) {
        http_server_destroy(s->http); // nobody has come yet
        server_free(s);
        down(a, e);
        return;
    }
    a->server = s;
    backoff_reset(&a->backoff);
    webhook_post(a, &(struct event){.kind = EV_LINK_UP});
}

static void stopped(void *ud)
{
    struct webhook_server *s = ud;
    struct webhook_adapter *a = s->a;
    http_server_destroy(s->http);
    server_free(s);
    a->leaving--;
    webhook_left(a);
}

void webhook_server_close(struct webhook_adapter *a)
{
    struct webhook_server *s = a->server;
    a->listen_at = INT64_MAX;
    backoff_reset(&a->backoff);
    if (!s)
        return;
    a->server = NULL;
    a->leaving++;
    http_server_stop(s->http, a->closing ? 0 : GRACE_MS, stopped, s);
}

void webhook_server_reload(struct webhook_adapter *a)
{
    struct errmsg msg;
    if (a->server && a->server->tls && tls_server_reload(a->server->tls, &msg))
        log_error(&a->log, LOG_MSG("the certificate was not read again: the old one stays"), LOG_C("why", msg.text));
}
