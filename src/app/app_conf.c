#include "app/app_conf.h"

#include "adapters/mqtt/mqtt.h"
#include "adapters/null/null.h"
#include "adapters/webhook/webhook.h"
#include "core/policy.h"

#include <sys/un.h>

const struct adapter_ops *const app_adapters[] = {&mqtt_adapter_ops, &webhook_adapter_ops, &null_adapter_ops, NULL};

const struct adapter_ops *app_adapter_find(struct str type)
{
    for (size_t i = 0; app_adapters[i]; i++) {
        if (str_eq_c(type, app_adapters[i]->type))
            return app_adapters[i];
    }
    return NULL;
}

#define STATE_DIRECTORY "/var/lib/spandrel"

static const char *const level_names[] = {"error", "warn", "info", "debug", "trace", NULL};
static const char *const adapter_types[] = {"mqtt", "webhook", "null", NULL};
static const char *const format_names[] = {"logfmt", "json", NULL};

static const struct conf_item log_levels_schema[] = {
#define LOG_LEVEL_ITEM(sub)                                                                                            \
    {.name = #sub,                                                                                                     \
     .type = CONF_ENUM,                                                                                                \
     .values = level_names,                                                                                            \
     .doc = "Level of the subsystem " #sub ", if not the common one."},
    LOG_SUBSYSTEMS(LOG_LEVEL_ITEM)
#undef LOG_LEVEL_ITEM
        {.name = NULL},
};

static const struct conf_item log_schema[] = {
    {.name = "level",
     .type = CONF_ENUM,
     .dflt = "info",
     .values = level_names,
     .doc = "What is logged. Bodies of messages appear at trace alone, secrets never."},
    {.name = "format",
     .type = CONF_ENUM,
     .dflt = "logfmt",
     .values = format_names,
     .doc = "Form of a log line on standard error."},
    {.name = "levels", .type = CONF_MAP, .sub = log_levels_schema, .doc = "Levels of single subsystems."},
    {.name = NULL},
};

// "0660", "660"
static void check_mode(const struct conf_value *v, struct conf_report *report)
{
    struct str s = conf_str(v);
    size_t octal = 0;
    while (octal < s.n && s.p[octal] >= '0' && s.p[octal] <= '7')
        octal++;
    if (octal < s.n || (s.n != 3 && s.n != 4) || (s.n == 4 && s.p[0] != '0'))
        conf_fail(report, v, "'mode' must be an octal number from 0000 to 0777, such as 0660, not '" STR_FMT "'",
                  STR_ARG(s));
}

static const struct conf_item control_schema[] = {
    {.name = "socket",
     .type = CONF_PATH,
     .flags = CONF_RESTART,
     .doc = "Unix socket for `spandrel ctl`. Default: `control` in the state directory.",
     .example = "/run/spandrel/control"},
    {.name = "mode",
     .type = CONF_STR,
     .flags = CONF_RESTART,
     .dflt = "0660",
     .check = check_mode,
     .doc = "Access mode of the socket, octal: who may open it operates the bridge."},
    {.name = NULL},
};

static const struct conf_item retention_schema[] = {
    {.name = "gone_adapters",
     .type = CONF_SPAN,
     .min = 3600000,
     .max = 315360000000, // ten years
     .doc = "How long the contacts of an adapter that is not in the configuration any more are kept, with their "
            "subscriptions and its state. Default: for ever.",
     .example = "90d"},
    {.name = NULL},
};

static const struct conf_item tls_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Direct TLS to the component port (ejabberd: `tls: true`; Openfire: port 5276). Prosody has none: keep it "
            "on loopback."},
    {.name = "ca",
     .type = CONF_PATH,
     .doc = "PEM file of the authorities to trust. Default: the system's.",
     .example = "/etc/spandrel/ca.pem"},
    {.name = "name",
     .type = CONF_STR,
     .doc = "Name the server's certificate must have. Default: the host of `server`.",
     .example = "xmpp.example.org"},
    {.name = "insecure", .type = CONF_BOOL, .dflt = "false", .doc = "Do not verify the certificate. Only for tests."},
    {.name = NULL},
};

static const struct conf_item upload_schema[] = {
    {.name = "service",
     .type = CONF_STR,
     .doc = "JID of the upload service (XEP-0363). Without it: the first that the domain above the component's has.",
     .example = "upload.example.org"},
    {.name = "ca",
     .type = CONF_PATH,
     .doc = "PEM file of the authorities to trust for its web server. Default: the system's.",
     .example = "/etc/spandrel/ca.pem"},
    {.name = "reuse",
     .type = CONF_SPAN,
     .dflt = "1h",
     .doc = "How long the URL of an upload is used again when the same bytes come. The service must keep files for "
            "longer."},
    {.name = NULL},
};

static const struct conf_item component_schema[] = {
    {.name = "domain",
     .type = CONF_STR,
     .flags = CONF_REQUIRED | CONF_RESTART,
     .doc = "The component's domain, as the XMPP server knows it.",
     .example = "bridge.example.org"},
    {.name = "server",
     .type = CONF_ADDRESS,
     .dflt = "127.0.0.1:5347",
     .min = 5347,
     .doc = "Where the server listens for components: host, or host:port."},
    {.name = "secret",
     .type = CONF_SECRET,
     .flags = CONF_REQUIRED,
     .doc = "The secret shared with the server: `file:/path`, `env:NAME`, `credential:NAME`, or the secret itself.",
     .example = "file:/etc/spandrel/secret"},
    {.name = "tls", .type = CONF_MAP, .sub = tls_schema, .doc = "TLS to the server."},
    {.name = "name", .type = CONF_STR, .dflt = "Spandrel", .doc = "Name shown to users in service discovery."},
    {.name = "upload",
     .type = CONF_MAP,
     .sub = upload_schema,
     .doc = "Where pictures and files go on their way to users: HTTP upload."},
    {.name = NULL},
};

static const struct conf_item journal_schema[] = {
    {.name = "max_messages",
     .type = CONF_INT,
     .min = 1,
     .max = 100000,
     .dflt = "10000",
     .doc = "Messages of its devices that may wait to be delivered. When so many do, no more are acknowledged until "
            "there is room: the broker keeps them."},
    {.name = "max_bytes",
     .type = CONF_SIZE,
     .min = 1024,
     .max = 1 << 30,
     .dflt = "64MB",
     .doc = "The same for the size of their text."},
    {.name = "max_age",
     .type = CONF_SPAN,
     .min = 1000,
     .max = 2592000000,
     .dflt = "24h",
     .doc = "What could not be sent for so long is not delivered any more, but listed as expired."},
    {.name = NULL},
};

static const struct conf_item adapter_schema[] = {
    {.name = "type",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .values = adapter_types,
     .doc = "Kind of adapter.",
     .example = "mqtt"},
    {.name = "component",
     .type = CONF_STR,
     .doc = "Component its contacts live on, by name. May be left out when there is one.",
     .example = "main"},
    {.name = "offer",
     .type = CONF_BOOL,
     .dflt = "true",
     .doc = "Users who register with the gateway are asked to add the contacts they may see."},
    {.name = "journal",
     .type = CONF_MAP,
     .sub = journal_schema,
     .doc = "Bounds of what was acknowledged and is not yet delivered."},
    {.name = NULL},
};

static const struct conf_item *adapter_pick(struct str type)
{
    const struct adapter_ops *ops = app_adapter_find(type);
    return ops ? ops->schema : NULL;
}

// A bare JID or a domain. A number would be a domain to a server, but is none that anybody has.
static bool is_member(struct str text)
{
    struct arena scratch;
    struct jid jid;
    struct str rest = text, word;
    size_t digits = 0;
    while (digits < text.n && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    arena_init(&scratch, 0);
    bool one = policy_word(&rest, &word) && str_eq(word, text);
    bool is = one && digits < text.n && !jid_parse(&scratch, text, &jid) && !jid.resource.n;
    arena_finish(&scratch);
    return is;
}

static void check_group(const struct conf_value *group, struct conf_report *report)
{
    struct str name = conf_name(group), rest = name, word;
    if (!policy_word(&rest, &word) || !str_eq(word, name) || str_find(name, '=') >= 0)
        conf_fail(report, group, "'" STR_FMT "' is no name that a rule can have: one word without '=' and ','",
                  STR_ARG(name));
    if (!conf_is_list(group)) {
        conf_fail(report, group, "the group '" STR_FMT "' must be a list of bare JIDs (name@domain) or domains",
                  STR_ARG(name));
        return;
    }
    size_t at = 0;
    for (const struct conf_value *m; (m = conf_each(group, &at));) {
        if (!conf_is_text(m))
            conf_fail(report, m, "a member of the group '" STR_FMT "' must be a bare JID (name@domain) or a domain",
                      STR_ARG(name));
        else if (!is_member(conf_str(m)))
            conf_fail(report, m, "'" STR_FMT "' is no bare JID (name@domain) and no domain", STR_ARG(conf_str(m)));
    }
}

// A rule of a group that is not what was meant is passed over, and what it denies is allowed.
static void check_groups(const struct conf_value *groups, struct conf_report *report)
{
    if (conf_is_text(groups) || conf_is_list(groups))
        conf_fail(report, groups, "'groups' must be a map from names to lists, such as {family: [alice@example.org]}");
    size_t at = 0;
    for (const struct conf_value *g; conf_is_map(groups) && (g = conf_each(groups, &at));)
        check_group(g, report);
}

static void check_room(const struct conf_value *v, struct conf_report *report)
{
    struct arena scratch;
    struct jid jid;
    arena_init(&scratch, 0);
    if (jid_parse(&scratch, conf_str(v), &jid) || !jid.local.n || jid.resource.n)
        conf_fail(report, v, "'" STR_FMT "' is no address of a room, such as ops@conference.example.org",
                  STR_ARG(conf_str(v)));
    arena_finish(&scratch);
}

static const struct conf_item room_schema[] = {
    {.name = "room",
     .type = CONF_STR,
     .check = check_room,
     .doc = "Address of the room. Without it: what is said here holds for all rooms that have no entry of their own.",
     .example = "ops@conference.example.org"},
    {.name = "password",
     .type = CONF_SECRET,
     .doc = "Password of the room: `file:/path`, `env:NAME`, `credential:NAME`, or the password itself.",
     .example = "file:/etc/spandrel/room-password"},
    {.name = "create",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "If the room is not there, it is made, as its service makes rooms. Otherwise messages to it wait."},
    {.name = "guests",
     .type = CONF_INT,
     .min = 1,
     .max = 1000,
     .dflt = "30",
     .doc = "How many contacts of ours are in it at once. Each is sent a copy of all that is said there; when there is "
            "no room, who was silent longest leaves."},
    {.name = "idle",
     .type = CONF_SPAN,
     .min = 1000,
     .max = 2592000000,
     .dflt = "1h",
     .doc = "Who has said nothing for so long leaves, where another contact of ours stays, or where its adapter has "
            "taken it away (a webhook that is disabled or no longer configured)."},
    {.name = NULL},
};

const struct conf_item app_schema[] = {
    {.name = "state",
     .type = CONF_PATH,
     .flags = CONF_RESTART,
     .dflt = STATE_DIRECTORY,
     .doc = "Directory of the database. One process at a time: it is locked."},
    {.name = "components",
     .type = CONF_NAMED,
     .flags = CONF_REQUIRED,
     .sub = component_schema,
     .doc = "Links to XMPP servers (XEP-0114), by a name of your choice."},
    {.name = "adapters",
     .type = CONF_NAMED,
     .sub = adapter_schema,
     .pick = adapter_pick,
     .pick_by = "type",
     .doc = "The other worlds, by a name of your choice. The name is permanent: contacts are stored under it."},
    {.name = "admins",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Bare JIDs that operate the bridge by XMPP and are told of outages.",
     .example = "[admin@example.org]"},
    {.name = "groups",
     .type = CONF_ANY,
     .check = check_groups,
     .doc = "Named sets of users for the access rules: a list of bare JIDs or domains each.",
     .example = "{family: [alice@example.org, bob@example.org]}"},
    {.name = "access",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Who may do what. Nothing is allowed by default; the first rule that names a right for a user and a "
            "contact decides it. Rights: see, read, "
            "send, command, register, admin, or all (but admin).",
     .example = "[allow see read send register to example.org, allow command to @family on mqtt]"},
    {.name = "rooms",
     .type = CONF_LIST,
     .of = CONF_MAP,
     .sub = room_schema,
     .doc = "Rooms of the XMPP server, or others, that contacts enter to say something there (webhooks)."},
    {.name = "log", .type = CONF_MAP, .sub = log_schema, .doc = "Logging, to standard error."},
    {.name = "control", .type = CONF_MAP, .sub = control_schema, .flags = CONF_RESTART, .doc = "The control socket."},
    {.name = "retention",
     .type = CONF_MAP,
     .sub = retention_schema,
     .doc = "How long is kept what nobody needs any more."},
    {.name = NULL},
};

const struct conf_item app_control_schema[] = {
    {.name = "state", .type = CONF_PATH, .dflt = STATE_DIRECTORY},
    {.name = "control", .type = CONF_MAP, .sub = control_schema},
    {.name = "components", .type = CONF_ANY},
    {.name = "adapters", .type = CONF_ANY},
    {.name = "admins", .type = CONF_ANY},
    {.name = "groups", .type = CONF_ANY},
    {.name = "access", .type = CONF_ANY},
    {.name = "rooms", .type = CONF_ANY},
    {.name = "log", .type = CONF_ANY},
    {.name = "retention", .type = CONF_ANY},
    {.name = NULL},
};

void app_conf_log(const struct conf_value *config)
{
    const struct conf_value *log = conf_get(config, "log");
    log_set_format(conf_enum(conf_get(log, "format")) == 0 ? LOG_FORMAT_LOGFMT : LOG_FORMAT_JSON);
    log_set_level((enum log_level)conf_enum(conf_get(log, "level")));
    const struct conf_value *levels = conf_get(log, "levels");
    for (size_t i = 0; log_levels_schema[i].name; i++) {
        const struct conf_value *v = conf_get(levels, log_levels_schema[i].name);
        enum log_subsystem sub;
        if (conf_is_set(v) && log_sub_parse(str_c(log_levels_schema[i].name), &sub))
            log_set_sub_level(sub, (enum log_level)conf_enum(v));
    }
}

const struct conf_value *app_conf_component(const struct conf_value *config, const struct conf_value *adapter)
{
    const struct conf_value *components = conf_get(config, "components");
    struct str wanted = conf_str(conf_get(adapter, "component"));
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(components, &at));) {
        if (wanted.n ? str_eq(conf_name(c), wanted) : conf_count(components) == 1)
            return c;
    }
    return NULL;
}

static void check_domains(const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *components = conf_get(config, "components");
    struct arena scratch;
    arena_init(&scratch, 0);
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(components, &at));) {
        const struct conf_value *domain = conf_get(c, "domain");
        struct jid jid;
        if (jid_parse(&scratch, conf_str(domain), &jid) || jid.local.n || jid.resource.n)
            conf_fail(report, domain, "'" STR_FMT "' is not a domain", STR_ARG(conf_str(domain)));
        size_t before = 0;
        for (const struct conf_value *o; (o = conf_each(components, &before)) && o != c;) {
            if (str_case_eq(conf_str(conf_get(o, "domain")), conf_str(domain)))
                conf_fail(report, domain, "the domain is that of components." STR_FMT " too", STR_ARG(conf_name(o)));
        }
    }
    arena_finish(&scratch);
}

static void check_uploads(const struct conf_value *config, struct conf_report *report)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(conf_get(config, "components"), &at));) {
        const struct conf_value *upload = conf_get(c, "upload"), *service = conf_get(upload, "service");
        struct jid jid;
        if (conf_is_set(service) && jid_parse(&scratch, conf_str(service), &jid))
            conf_fail(report, service, "'" STR_FMT "' is not a JID", STR_ARG(conf_str(service)));
        if (conf_is_set(conf_get(upload, "ca")))
            conf_check_file(conf_get(upload, "ca"), report);
    }
    arena_finish(&scratch);
}

static void check_tls(const struct conf_value *config, struct conf_report *report)
{
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(conf_get(config, "components"), &at));) {
        const struct conf_value *tls = conf_get(c, "tls"), *ca = conf_get(tls, "ca");
        if (conf_bool(conf_get(tls, "enabled")) && conf_is_set(ca))
            conf_check_file(ca, report);
    }
}

// The system takes no longer path of a socket.
static void check_socket(const struct conf_value *config, struct conf_report *report)
{
    enum { PATH_BYTES = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    const struct conf_value *socket = conf_get(conf_get(config, "control"), "socket");
    struct arena a;
    arena_init(&a, 0);
    size_t n = strlen(app_conf_control(config, &a));
    if (n > PATH_BYTES && conf_is_set(socket))
        conf_fail(report, socket, "the path of a socket has at most %d bytes, this one has %zu", PATH_BYTES, n);
    else if (n > PATH_BYTES)
        conf_fail(report, conf_get(config, "state"),
                  "the path of the socket 'control' in it would have %zu bytes, at most %d are possible: name another "
                  "by `control.socket`",
                  n, PATH_BYTES);
    arena_finish(&a);
}

static void check_adapters(const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *adapters = conf_get(config, "adapters");
    size_t at = 0;
    for (const struct conf_value *a; (a = conf_each(adapters, &at));) {
        if (app_conf_component(config, a))
            continue;
        const struct conf_value *named = conf_get(a, "component");
        if (conf_is_set(named))
            conf_fail(report, named, "there is no components." STR_FMT, STR_ARG(conf_str(named)));
        else
            conf_fail(report, a, "'component' is needed, as there are several components");
    }
}

// The session of an adapter at its broker: who comes with the name of another ends its connection, and it the other's.
static bool same_session(const struct conf_value *a, const struct conf_value *b, struct arena *scratch)
{
    struct str id[2] = {conf_str(conf_get(a, "client_id")), conf_str(conf_get(b, "client_id"))};
    const struct conf_value *one = conf_get(a, "broker"), *other = conf_get(b, "broker");
    for (size_t i = 0; i < 2; i++) {
        if (!id[i].n)
            id[i] = arena_printf(scratch, "spandrel-" STR_FMT, STR_ARG(conf_name(i ? b : a)));
    }
    return str_eq(id[0], id[1]) && conf_port(one) == conf_port(other) && str_case_eq(conf_host(one), conf_host(other));
}

static bool is_mqtt(const struct conf_value *adapter)
{
    return str_eq_c(conf_str(conf_get(adapter, "type")), "mqtt");
}

static void check_sessions(const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *adapters = conf_get(config, "adapters");
    struct arena scratch;
    arena_init(&scratch, 0);
    size_t at = 0;
    for (const struct conf_value *a; (a = conf_each(adapters, &at));) {
        size_t before = 0;
        for (const struct conf_value *o; is_mqtt(a) && (o = conf_each(adapters, &before)) && o != a;) {
            if (!is_mqtt(o) || !same_session(a, o, &scratch))
                continue;
            const struct conf_value *id = conf_get(a, "client_id");
            conf_fail(report, conf_is_set(id) ? id : a,
                      "the session at the broker is that of adapters." STR_FMT " too: each needs its own `client_id`",
                      STR_ARG(conf_name(o)));
        }
    }
    arena_finish(&scratch);
}

static void take_groups(const struct conf_value *config, struct policy *policy, struct conf_report *report)
{
    const struct conf_value *groups = conf_get(config, "groups");
    size_t at = 0;
    for (const struct conf_value *g; (g = conf_each(groups, &at));) {
        struct strbuf text;
        strbuf_init(&text, 1 << 20);
        strbuf_str(&text, conf_name(g));
        strbuf_char(&text, '=');
        size_t member = 0;
        for (const struct conf_value *m; (m = conf_each(g, &member));) {
            strbuf_c(&text, text.p[text.n - 1] == '=' ? "" : ",");
            strbuf_str(&text, conf_str(m));
        }
        struct errmsg msg;
        if (policy_add_group(policy, strbuf_view(&text), &msg))
            conf_fail(report, g, "%s", msg.text);
        strbuf_finish(&text);
    }
}

static bool has_entry(const struct conf_value *named, struct str name)
{
    size_t at = 0;
    for (const struct conf_value *v; (v = conf_each(named, &at));) {
        if (str_eq(conf_name(v), name))
            return true;
    }
    return false;
}

static void check_whom(const struct conf_value *config, const struct conf_value *rule, struct str word,
                       struct conf_report *report)
{
    if (has_entry(conf_get(config, "groups"), word))
        conf_warn(report, rule, "'" STR_FMT "' is taken for a domain; did you mean the group '@" STR_FMT "'?",
                  STR_ARG(word), STR_ARG(word));
}

// "home", "home:lamp", "home#kitchen"
static void check_what(const struct conf_value *config, const struct conf_value *rule, struct str word,
                       struct conf_report *report)
{
    struct str adapter = word, rest;
    (void)str_cut(adapter, ':', &adapter, &rest);
    (void)str_cut(adapter, '#', &adapter, &rest);
    if (!str_eq_c(adapter, "*") && !has_entry(conf_get(config, "adapters"), adapter))
        conf_warn(report, rule, "there is no adapter '" STR_FMT "': the rule is about nothing", STR_ARG(adapter));
}

// What is right by itself, and probably meant otherwise.
static void check_words(const struct conf_value *config, const struct conf_value *rule, struct conf_report *report)
{
    void (*check)(const struct conf_value *, const struct conf_value *, struct str, struct conf_report *) = NULL;
    struct str rest = conf_str(rule);
    for (struct str word; policy_word(&rest, &word);) {
        if (!check && str_eq_c(word, "to"))
            check = check_whom;
        else if (check == check_whom && str_eq_c(word, "on"))
            check = check_what;
        else if (check)
            check(config, rule, word, report);
    }
}

static void check_rules(const struct conf_value *config, struct conf_report *report)
{
    struct policy *policy = policy_create();
    take_groups(config, policy, report);
    size_t at = 0;
    struct errmsg msg;
    for (const struct conf_value *r; (r = conf_each(conf_get(config, "access"), &at));) {
        if (policy_add_rule(policy, 0, conf_str(r), &msg))
            conf_fail(report, r, "%s", msg.text);
        else
            check_words(config, r, report);
    }
    policy_destroy(policy);
}

static void check_admins(const struct conf_value *config, struct conf_report *report)
{
    struct arena scratch;
    arena_init(&scratch, 0);
    size_t at = 0;
    for (const struct conf_value *a; (a = conf_each(conf_get(config, "admins"), &at));) {
        struct jid jid;
        if (jid_parse(&scratch, conf_str(a), &jid) || !jid.local.n || jid.resource.n)
            conf_fail(report, a, "'" STR_FMT "' is not a bare JID (name@domain)", STR_ARG(conf_str(a)));
    }
    arena_finish(&scratch);
}

void app_conf_check(const struct conf_value *config, struct conf_report *report)
{
    if (!conf_count(conf_get(config, "components")))
        conf_fail(report, conf_get(config, "components"), "at least one component is needed");
    check_domains(config, report);
    check_tls(config, report);
    check_uploads(config, report);
    check_socket(config, report);
    check_adapters(config, report);
    check_sessions(config, report);
    check_admins(config, report);
    check_rules(config, report);
}

const char *app_conf_control(const struct conf_value *config, struct arena *a)
{
    const struct conf_value *socket = conf_get(conf_get(config, "control"), "socket");
    if (conf_is_set(socket))
        return conf_cstr(socket);
    return arena_printf(a, STR_FMT "/control", STR_ARG(conf_str(conf_get(config, "state")))).p;
}
