/* The adapter's section of the configuration: its schema, what it checks beyond that, and what it becomes. */
#ifndef SPANDREL_WEBHOOK_CONF_H
#define SPANDREL_WEBHOOK_CONF_H

#include "adapters/webhook/webhook_hook.h"
#include "net/http_server.h"

struct webhook_listen {
    const char *host;
    uint16_t port;
};

struct webhook_pace { // a token bucket
    double per_second, burst;
};

// What is not of one hook.
struct webhook_conf {
    struct arena arena;
    struct webhook_listen listen[HTTP_LISTENERS_MAX];
    size_t listen_count;
    const char *cert, *key; // files; NULL: plain HTTP
    struct str base_url;    // without a "/" at its end; may be empty
    struct net_cidrs trusted;
    enum http_forwarded forwarded;
    struct http_server_limits limits;
    struct webhook_pace per_source, per_room;
    bool owners;     // of a room look after its hooks
    struct str name; // of the identity that all hooks share which have none of their own
};

extern const struct conf_item webhook_schema[];

// Both are filled, or with ERR_CONF neither is. `hooks` is initialised here.
enum err webhook_conf_read(const struct conf_value *section, struct conf_report *report, struct webhook_conf *conf,
                           struct webhook_hooks *hooks);
void webhook_conf_finish(struct webhook_conf *conf);
// Whether the same server would come of both: where it listens, and with what limits.
bool webhook_conf_same_server(const struct webhook_conf *a, const struct webhook_conf *b);

#endif
