/* A schema with something of everything, for the tests and the fuzz target of src/conf. */
#ifndef TESTS_CONF_FIXTURE_H
#define TESTS_CONF_FIXTURE_H

#include "conf/conf.h"

static const char *const fixture_levels[] = {"error", "warn", "info", "debug", "trace", NULL};
static const char *const fixture_types[] = {"mqtt", "irc", NULL};

static const struct conf_item fixture_tls[] = {
    {.name = "cert", .type = CONF_PATH, .flags = CONF_REQUIRED, .doc = "Certificate.", .example = "cert.pem"},
    {.name = "key", .type = CONF_SECRET, .flags = CONF_REQUIRED, .doc = "Its key."},
    {.name = NULL},
};

static const struct conf_item fixture_log[] = {
    {.name = "level", .type = CONF_ENUM, .dflt = "info", .values = fixture_levels, .doc = "How much is told."},
    {.name = "file", .type = CONF_PATH, .doc = "Where to.", .example = "/var/log/x.log"},
    {.name = NULL},
};

static const struct conf_item fixture_component[] = {
    {.name = "domain",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Domain | name.",
     .example = "bridge.example.org"},
    {.name = "server", .type = CONF_ADDRESS, .dflt = "127.0.0.1", .min = 5347, .doc = "Server."},
    {.name = "port", .type = CONF_INT, .dflt = "5347", .min = 1, .max = 65535, .doc = "Port."},
    {.name = "secret", .type = CONF_SECRET, .flags = CONF_REQUIRED, .doc = "The shared secret."},
    {.name = "tls", .type = CONF_MAP, .sub = fixture_tls, .doc = "TLS, if any."},
    {.name = NULL},
};

static const struct conf_item fixture_topic[] = {
    {.name = "filter", .type = CONF_STR, .flags = CONF_REQUIRED, .doc = "Topic filter.", .example = "home/+/status"},
    {.name = "qos", .type = CONF_INT, .dflt = "1", .min = 0, .max = 1, .doc = "Quality of service."},
    {.name = NULL},
};

static const struct conf_item fixture_mqtt[] = {
    {.name = "broker", .type = CONF_ADDRESS, .flags = CONF_REQUIRED, .doc = "Broker.", .example = "localhost:1883"},
    {.name = "password", .type = CONF_SECRET, .doc = "Password."},
    {.name = "topics", .type = CONF_LIST, .of = CONF_MAP, .sub = fixture_topic, .doc = "What to listen to."},
    {.name = NULL},
};

static const struct conf_item fixture_irc[] = {
    {.name = "nick", .type = CONF_STR, .dflt = "bridge", .doc = "Nick."},
    {.name = "flood", .type = CONF_REAL, .dflt = "2.5", .min = 0.1, .max = 10, .doc = "Lines a second."},
    {.name = NULL},
};

static const struct conf_item fixture_adapter[] = {
    {.name = "type", .type = CONF_STR, .flags = CONF_REQUIRED, .values = fixture_types, .doc = "Kind of adapter."},
    {.name = "offer", .type = CONF_BOOL, .dflt = "true", .doc = "Offer contacts."},
    {.name = NULL},
};

static inline const struct conf_item *fixture_pick(struct str type)
{
    if (str_eq_c(type, "mqtt"))
        return fixture_mqtt;
    return str_eq_c(type, "irc") ? fixture_irc : NULL;
}

// An even number is asked for.
static inline void fixture_check(const struct conf_value *v, struct conf_report *r)
{
    if (conf_int(v) % 2)
        conf_fail(r, v, "%lld is odd", (long long)conf_int(v));
}

static const struct conf_item fixture_schema[] = {
    {.name = "state", .type = CONF_PATH, .flags = CONF_RESTART, .dflt = "/var/lib/x", .doc = "State directory."},
    {.name = "idle", .type = CONF_SPAN, .dflt = "10s", .min = 1000, .max = 3600000, .doc = "Patience."},
    {.name = "cache", .type = CONF_SIZE, .dflt = "64kB", .min = 1000, .max = 1000000000, .doc = "Memory."},
    {.name = "even", .type = CONF_INT, .dflt = "2", .check = fixture_check, .doc = "An even number."},
    {.name = "mode", .type = CONF_STR, .dflt = "0660", .doc = "Looks like a number, is text."},
    {.name = "components", .type = CONF_NAMED, .flags = CONF_REQUIRED, .sub = fixture_component, .doc = "Links."},
    {.name = "adapters",
     .type = CONF_NAMED,
     .sub = fixture_adapter,
     .pick = fixture_pick,
     .pick_by = "type",
     .doc = "Other worlds."},
    {.name = "admins",
     .type = CONF_LIST,
     .of = CONF_STR,
     .dflt = "[root@localhost, \"a b\"]",
     .doc = "Who may operate."},
    {.name = "ports", .type = CONF_LIST, .of = CONF_INT, .min = 1, .max = 65535, .doc = "Ports.", .example = "[1, 2]"},
    {.name = "groups", .type = CONF_ANY, .doc = "Anything.", .example = "{family: [a@b, c@d]}"},
    {.name = "log", .type = CONF_MAP, .sub = fixture_log, .doc = "Logging."},
    {.name = "debug", .type = CONF_BOOL, .flags = CONF_HIDDEN, .dflt = "false", .doc = "For tests."},
    {.name = NULL},
};

// The least that passes.
#define FIXTURE_MINIMUM "components: {main: {domain: a.b, secret: hush}}\n"

#endif
