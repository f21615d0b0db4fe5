#include "adapters/webhook/webhook_conf.h"

#include "adapters/webhook/webhook_conf_hook.h"
#include "base/mem.h"

static const char *const forwarded_names[] = {"x-forwarded-for", "forwarded", NULL}; // in the order of http_forwarded

static const struct conf_item tls_schema[] = {
    {.name = "cert",
     .type = CONF_PATH,
     .flags = CONF_REQUIRED,
     .doc = "PEM file of the certificate with its chain; it is read again at each reload.",
     .example = "/etc/spandrel/hooks.pem"},
    {.name = "key",
     .type = CONF_PATH,
     .doc = "PEM file of its private key. Default: the file of `cert`.",
     .example = "/etc/spandrel/hooks.key"},
    {.name = NULL},
};

static const struct conf_item limits_schema[] = {
    {.name = "connections",
     .type = CONF_INT,
     .dflt = "1024",
     .min = 1,
     .max = 100000,
     .doc = "Connections at a time, in all."},
    {.name = "connections_per_source",
     .type = CONF_INT,
     .dflt = "64",
     .min = 1,
     .max = 100000,
     .doc = "The same from one address (one /64 of IPv6) that is no trusted proxy."},
    {.name = "buffered",
     .type = CONF_SIZE,
     .dflt = "64MiB",
     .min = 1 << 20,
     .max = 1 << 30,
     .doc = "Memory for what is being received, of all connections."},
    {.name = "request_time",
     .type = CONF_SPAN,
     .dflt = "30s",
     .min = 1000,
     .max = 600000,
     .doc = "A request must be here after this, with its body."},
    {.name = "per_source",
     .type = CONF_REAL,
     .dflt = "50",
     .min = 0,
     .max = 100000,
     .doc = "Requests a second from one address, to all hooks together. 0: no limit."},
    {.name = "source_burst",
     .type = CONF_REAL,
     .dflt = "200",
     .min = 1,
     .max = 100000,
     .doc = "As many may come at once."},
    {.name = "per_room",
     .type = CONF_REAL,
     .dflt = "5",
     .min = 0,
     .max = 100000,
     .doc = "Messages a second into one room, from all hooks together: servers slow down or kick who says more. 0: no "
            "limit."},
    {.name = "room_burst",
     .type = CONF_REAL,
     .dflt = "50",
     .min = 1,
     .max = 100000,
     .doc = "As many may come at once."},
    {.name = NULL},
};

static void check_base_url(const struct conf_value *v, struct conf_report *report)
{
    struct str s = conf_str(v);
    bool good = str_starts(s, STR("https://")) || str_starts(s, STR("http://"));
    for (size_t i = 0; i < s.n; i++)
        good = good && s.p[i] > ' ' && s.p[i] < 127 && !strchr("\"<>?#", s.p[i]);
    if (!good)
        conf_fail(report, v,
                  "'base_url' must be the http or https URL that senders see in front of /h/..., such as "
                  "https://hooks.example.org");
}

const struct conf_item webhook_schema[] = {
    {.name = "listen",
     .type = CONF_LIST,
     .of = CONF_ADDRESS,
     .dflt = "[\"127.0.0.1:8080\"]",
     .min = 8080,
     .doc = "Where to listen for HTTP: at most 8 addresses, host:port. Behind a web server, loopback is enough."},
    {.name = "tls", .type = CONF_MAP, .sub = tls_schema, .doc = "HTTPS in place of HTTP, TLS 1.2 or newer."},
    {.name = "base_url",
     .type = CONF_STR,
     .check = check_base_url,
     .doc = "The URL that senders reach this by, without `/h/...`: for what `hook add` shows, and for Location. "
            "Default: paths alone.",
     .example = "https://hooks.example.org"},
    {.name = "trusted_proxies",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Addresses or blocks of web servers in front, whose word on who asks is taken.",
     .example = "[127.0.0.1, \"::1\"]"},
    {.name = "forwarded",
     .type = CONF_ENUM,
     .dflt = "x-forwarded-for",
     .values = forwarded_names,
     .doc = "The header by which they say it: X-Forwarded-For with X-Forwarded-Proto, or Forwarded (RFC 7239). The "
            "other one is not read."},
    {.name = "limits", .type = CONF_MAP, .sub = limits_schema, .doc = "Bounds of the server."},
    {.name = "name",
     .type = CONF_STR,
     .dflt = "Webhooks",
     .doc = "Name of the contact that hooks with `identity: shared` speak as."},
    {.name = "owners",
     .type = CONF_BOOL,
     .dflt = "true",
     .doc =
         "The owners and admins of a room may look after the hooks that post there and nowhere else, and add some, by "
         "private messages to a hook's occupant: list, add, rotate, disable, enable, remove, test."},
    {.name = "hooks",
     .type = CONF_NAMED,
     .sub = webhook_hook_schema,
     .doc = "What may be posted to, by a name of your choice: POST /h/NAME. The name is permanent: the contact that "
            "speaks for the hook is stored under it."},
    {.name = NULL},
};

static void take_listen(const struct conf_value *section, struct conf_report *report, struct webhook_conf *conf)
{
    const struct conf_value *list = conf_get(section, "listen");
    size_t at = 0;
    if (!conf_count(list))
        conf_fail(report, list, "at least one address is needed to listen at");
    for (const struct conf_value *v; (v = conf_each(list, &at));) {
        if (conf->listen_count == HTTP_LISTENERS_MAX) {
            conf_fail(report, v, "at most %d addresses can be listened at", HTTP_LISTENERS_MAX);
            return;
        }
        conf->listen[conf->listen_count++] =
            (struct webhook_listen){arena_cstr(&conf->arena, conf_host(v)), conf_port(v)};
    }
}

static void take_tls(const struct conf_value *tls, struct conf_report *report, struct webhook_conf *conf)
{
    const struct conf_value *cert = conf_get(tls, "cert"), *key = conf_get(tls, "key");
    if (!conf_is_set(cert))
        return;
    conf_check_file(cert, report);
    conf->cert = arena_cstr(&conf->arena, conf_str(cert));
    if (!conf_is_set(key))
        return;
    conf_check_file(key, report);
    conf->key = arena_cstr(&conf->arena, conf_str(key));
}

static void take_trusted(const struct conf_value *section, struct conf_report *report, struct webhook_conf *conf)
{
    size_t at = 0;
    struct errmsg msg;
    for (const struct conf_value *v; (v = conf_each(conf_get(section, "trusted_proxies"), &at));) {
        if (net_cidrs_add(&conf->trusted, conf_str(v), &msg))
            conf_fail(report, v, "%s", msg.text);
    }
    conf->forwarded = (enum http_forwarded)conf_enum(conf_get(section, "forwarded"));
}

static void take_limits(const struct conf_value *limits, struct webhook_conf *conf)
{
    conf->limits = (struct http_server_limits){
        .connections = (unsigned)conf_int(conf_get(limits, "connections")),
        .per_source = (unsigned)conf_int(conf_get(limits, "connections_per_source")),
        .buffered = (size_t)conf_int(conf_get(limits, "buffered")),
        .request_ms = conf_int(conf_get(limits, "request_time")),
    };
    conf->per_source =
        (struct webhook_pace){conf_real(conf_get(limits, "per_source")), conf_real(conf_get(limits, "source_burst"))};
    conf->per_room =
        (struct webhook_pace){conf_real(conf_get(limits, "per_room")), conf_real(conf_get(limits, "room_burst"))};
}

static struct str without_slash(struct str s)
{
    while (s.n && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

enum err webhook_conf_read(const struct conf_value *section, struct conf_report *report, struct webhook_conf *conf,
                           struct webhook_hooks *hooks)
{
    size_t errors = conf_errors(report), at = 0;
    *conf = (struct webhook_conf){.listen_count = 0};
    arena_init(&conf->arena, 1024);
    webhook_hooks_init(hooks);
    take_listen(section, report, conf);
    take_tls(conf_get(section, "tls"), report, conf);
    take_trusted(section, report, conf);
    take_limits(conf_get(section, "limits"), conf);
    conf->base_url = arena_dup(&conf->arena, without_slash(conf_str(conf_get(section, "base_url"))));
    conf->owners = conf_bool(conf_get(section, "owners"));
    conf->name = arena_dup(&conf->arena, conf_str(conf_get(section, "name")));
    for (const struct conf_value *v; (v = conf_each(conf_get(section, "hooks"), &at));) {
        struct webhook_hook *h = webhook_conf_hook(v, report);
        if (h)
            webhook_hooks_put(hooks, h);
    }
    if (hooks->by_name.count > WEBHOOK_HOOKS_MAX)
        conf_fail(report, conf_get(section, "hooks"), "an adapter has at most %d hooks", WEBHOOK_HOOKS_MAX);
    if (conf_errors(report) == errors)
        return ERR_OK;
    webhook_hooks_finish(hooks);
    webhook_conf_finish(conf);
    return ERR_CONF;
}

void webhook_conf_finish(struct webhook_conf *conf)
{
    net_cidrs_finish(&conf->trusted);
    arena_finish(&conf->arena);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_trusted(const struct webhook_conf *a, const struct webhook_conf *b)
{
    bool same = a->trusted.n == b->trusted.n && a->forwarded == b->forwarded;
    for (size_t i = 0; same && i < a->trusted.n; i++)
        same = a->trusted.at[i].bits == b->trusted.at[i].bits &&
               memcmp(a->trusted.at[i].b, b->trusted.at[i].b, sizeof a->trusted.at[i].b) == 0;
    return same;
}

bool webhook_conf_same_server(const struct webhook_conf *a, const struct webhook_conf *b)
{
    bool same = a->listen_count == b->listen_count && same_text(a->cert, b->cert) && same_text(a->key, b->key) &&
                same_trusted(a, b) && a->limits.connections == b->limits.connections &&
                a->limits.per_source == b->limits.per_source && a->limits.buffered == b->limits.buffered &&
                a->limits.request_ms == b->limits.request_ms;
    for (size_t i = 0; same && i < a->listen_count; i++)
        same = a->listen[i].port == b->listen[i].port && same_text(a->listen[i].host, b->listen[i].host);
    return same;
}
