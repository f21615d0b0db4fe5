#include "adapters/webhook/webhook_conf_hook.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>

enum { TEMPLATE_MAX = 64 * 1024, TEMPLATES_MAX = 32, NAMES_MAX = 64 };

static const char *const identity_names[] = {"hook", "shared", NULL};
static const char *const username_names[] = {"ignore", "prefix", "puppet", NULL};         // as enum webhook_username
static const char *const update_names[] = {"group", "fingerprint", "path", "none", NULL}; // as enum webhook_update

static const struct conf_item update_schema[] = {
    {.name = "by",
     .type = CONF_ENUM,
     .dflt = "group",
     .values = update_names,
     .doc = "What makes two posts one thing, so that the second corrects the first where that is the room's last "
            "message, and else answers it. `group`: what the service groups by (Alertmanager's groupKey, a pipeline, "
            "an issue); `fingerprint`: each alert of its own; `path`: what the payload has at `path`; `none`: only "
            "what senders name as `key`."},
    {.name = "path",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "Where the key stands in the payload, with `by: path`.",
     .example = "build.number"},
    {.name = "window",
     .type = CONF_SPAN,
     .dflt = "24h",
     .min = 1000,
     .max = 2592000000,
     .doc = "So long after the last post under a key the next begins anew."},
    {.name = NULL},
};

static const struct conf_item rate_schema[] = {
    {.name = "per_second",
     .type = CONF_REAL,
     .dflt = "10",
     .min = 0,
     .max = 100000,
     .doc = "Requests a second. 0: no limit."},
    {.name = "burst", .type = CONF_REAL, .dflt = "50", .min = 1, .max = 100000, .doc = "As many may come at once."},
    {.name = NULL},
};

static const struct conf_item template_schema[] = {
    {.name = "event",
     .type = CONF_STR,
     .doc = "Event of the service that it is for (`push`, `alert.firing`). Default: all that have none of their own.",
     .example = "push"},
    {.name = "text",
     .type = CONF_STR,
     .doc = "The template itself (Mustache).",
     .example = "\"{{repository.full_name}}: {{commits|count}} commits\""},
    {.name = "file",
     .type = CONF_PATH,
     .flags = CONF_OTHER,
     .doc = "File that holds the template, in place of `text`.",
     .example = "/etc/spandrel/push.mustache"},
    {.name = NULL},
};

static void check_class(const struct conf_value *v, struct conf_report *report)
{
    struct str s = conf_str(v);
    bool good = s.n <= 31;
    for (size_t i = 0; i < s.n; i++)
        good = good && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_');
    if (!good)
        conf_fail(report, v, "a class is a word of at most 31 of a-z, 0-9 and _");
}

static void check_profile(const struct conf_value *v, struct conf_report *report)
{
    const char *names[NAMES_MAX + 1] = {NULL};
    const struct webhook_profile *p;
    if (webhook_profile_find(conf_str(v)))
        return;
    for (size_t i = 0; i < NAMES_MAX && (p = webhook_profile_at(i)); i++)
        names[i] = webhook_profile_name(p);
    const char *near = conf_nearest(conf_str(v), names);
    conf_fail(report, v, "there is no profile '" STR_FMT "'%s%s%s", STR_ARG(conf_str(v)),
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void check_line(const struct conf_value *v, struct conf_report *report)
{
    if (!webhook_hook_line_good(conf_str(v)))
        conf_fail(report, v, "this must be one line of at most 200 bytes");
}

static void check_address(const struct conf_value *v, struct conf_report *report, const char *what)
{
    struct arena a;
    struct str out;
    arena_init(&a, 0);
    if (!webhook_hook_address(&a, conf_str(v), &out))
        conf_fail(report, v, "'" STR_FMT "' is not the bare JID of a %s: name@domain", STR_ARG(conf_str(v)), what);
    arena_finish(&a);
}

static void check_places(const struct conf_value *list, struct conf_report *report, const char *what)
{
    size_t at = 0;
    if (conf_count(list) > WEBHOOK_PLACES_MAX)
        conf_fail(report, list, "at most %d can be listed here", WEBHOOK_PLACES_MAX);
    for (const struct conf_value *v; (v = conf_each(list, &at));)
        check_address(v, report, what);
}

static void check_rooms(const struct conf_value *v, struct conf_report *report)
{
    check_places(v, report, "room");
}

static void check_users(const struct conf_value *v, struct conf_report *report)
{
    check_places(v, report, "user");
}

const struct conf_item webhook_hook_schema[] = {
    {.name = "title",
     .type = CONF_STR,
     .check = check_line,
     .doc = "Name of the contact that speaks for it. Default: the hook's name.",
     .example = "Alerts"},
    {.name = "rooms",
     .type = CONF_LIST,
     .of = CONF_STR,
     .check = check_rooms,
     .doc = "Rooms it posts to: bare JIDs. The bridge enters them as an ordinary occupant.",
     .example = "[ops@conference.example.org]"},
    {.name = "users",
     .type = CONF_LIST,
     .of = CONF_STR,
     .check = check_users,
     .doc = "People it posts to: bare JIDs.",
     .example = "[alice@example.org]"},
    {.name = "may_address",
     .type = CONF_LIST,
     .of = CONF_STR,
     .check = check_rooms,
     .doc =
         "Rooms that a sender may choose in their place (`to`, Slack's `channel`: the JID, or its local part with or "
         "without #). Those of `rooms` and `users` can always be chosen from; any other wish for a JID is refused, "
         "for a channel ignored.",
     .example = "[dev@conference.example.org]"},
    WEBHOOK_AUTH_ITEM,
    {.name = "profile",
     .type = CONF_STR,
     .dflt = "auto",
     .check = check_profile,
     .doc = "What posts to it: `alertmanager`, `grafana`, `github`, `gitlab`, `gitea`, `slack`, `mattermost`, "
            "`discord`, `gotify`, `ntfy`, `cloudevents`, `native`, `form`, `text`, or `auto`: whichever the path or "
            "the headers say."},
    {.name = "nick",
     .type = CONF_STR,
     .check = check_line,
     .doc = "Its nick in rooms. Default: the title.",
     .example = "alertbot"},
    {.name = "suffix",
     .type = CONF_STR,
     .dflt = "",
     .check = check_line,
     .doc = "Stands behind every nick of this hook, also those that senders choose: says that it is no person.",
     .example = "\" (bot)\""},
    {.name = "identity",
     .type = CONF_ENUM,
     .dflt = "hook",
     .values = identity_names,
     .doc = "`hook`: a contact and an occupant of its own; `shared`: the one of all hooks of the adapter that say so "
            "(servers copy each message to each occupant, so fewer cost less)."},
    {.name = "username",
     .type = CONF_ENUM,
     .dflt = "prefix",
     .values = username_names,
     .doc = "What a name that the sender gives for a message (`username`, `nick`) does: `ignore`; `prefix`: stands "
            "before the text; `puppet`: an occupant of that name, at most 30 at a time."},
    {.name = "class",
     .type = CONF_STR,
     .dflt = "bot",
     .check = check_class,
     .doc = "Chooses the avatar: `bot`, `smoke`, `temperature`, `gateway`, ..."},
    {.name = "avatar",
     .type = CONF_PATH,
     .doc = "A picture in place of the class's: PNG, JPEG, GIF or WebP, at most 64 KiB.",
     .example = "/etc/spandrel/alerts.png"},
    {.name = "update", .type = CONF_MAP, .sub = update_schema, .doc = "When a post corrects an earlier one."},
    {.name = "templates",
     .type = CONF_LIST,
     .of = CONF_MAP,
     .sub = template_schema,
     .doc = "What is said in place of the profile's own text: the first that fits. One that fails gives way to it."},
    {.name = "plain",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Text without a format is shown as it is, and not taken for message styling."},
    {.name = "idempotency_path",
     .type = CONF_STR,
     .doc = "Where the payload (JSON) holds what is the same when a request is sent again, for services that have no "
            "header for it.",
     .example = "event.id"},
    {.name = "rate", .type = CONF_MAP, .sub = rate_schema, .doc = "Requests it takes."},
    {.name = "max_age",
     .type = CONF_SPAN,
     .min = 1000,
     .max = 2592000000,
     .doc = "What could not be said for so long is not said any more. Default: `journal.max_age`.",
     .example = "1h"},
    {.name = "max_body",
     .type = CONF_SIZE,
     .dflt = "1MiB",
     .min = 1024,
     .max = WEBHOOK_BODY_MAX,
     .doc = "Largest body taken; files count."},
    {.name = NULL},
};

static struct webhook_places take_places(const struct conf_value *list, struct webhook_hook *h)
{
    struct str *at = arena_zalloc(&h->arena, WEBHOOK_PLACES_MAX, sizeof *at);
    struct webhook_places places = {at, 0};
    size_t i = 0;
    for (const struct conf_value *v; places.n < WEBHOOK_PLACES_MAX && (v = conf_each(list, &i));)
        places.n += webhook_hook_address(&h->arena, conf_str(v), &at[places.n]);
    return places;
}

// Whole, or with a text why not.
static bool read_file(const char *path, struct strbuf *out, struct errmsg *msg)
{
    FILE *f = fopen(path, "rbe");
    char *to = f ? strbuf_reserve(out, TEMPLATE_MAX + 1) : NULL;
    size_t n = to ? fread(to, 1, TEMPLATE_MAX + 1, f) : 0;
    bool bad = !f || ferror(f);
    if (f)
        (void)fclose(f);
    if (bad)
        (void)err_set(msg, ERR_IO, "it cannot be read");
    else if (n > TEMPLATE_MAX)
        (void)err_set(msg, ERR_LIMIT, "a template has at most %d bytes", TEMPLATE_MAX);
    else
        strbuf_grew(out, n);
    return !bad && n <= TEMPLATE_MAX;
}

static struct mustache *compile(const struct conf_value *t, struct conf_report *report)
{
    const struct conf_value *text = conf_get(t, "text"), *file = conf_get(t, "file");
    struct errmsg msg = {""};
    struct strbuf bytes;
    if (conf_is_set(text) == conf_is_set(file)) {
        conf_fail(report, t, "a template is either a 'text' or a 'file'");
        return NULL;
    }
    strbuf_init(&bytes, TEMPLATE_MAX + 1);
    bool good = conf_is_set(text) || read_file(conf_cstr(file), &bytes, &msg);
    struct str source = conf_is_set(text) ? conf_str(text) : strbuf_view(&bytes);
    struct mustache *m = good ? mustache_compile(source, NULL, &msg) : NULL;
    if (!m)
        conf_fail(report, conf_is_set(text) ? text : file, "the template: %s", msg.text);
    strbuf_finish(&bytes);
    return m;
}

static void take_templates(const struct conf_value *list, struct webhook_hook *h, struct conf_report *report)
{
    size_t count = conf_count(list), at = 0;
    if (count > TEMPLATES_MAX) {
        conf_fail(report, list, "a hook has at most %d templates", TEMPLATES_MAX);
        return;
    }
    struct webhook_template *templates = arena_zalloc(&h->arena, count + 1, sizeof *templates);
    h->compiled = mem_zalloc(count + 1, sizeof(struct mustache *));
    for (const struct conf_value *v; (v = conf_each(list, &at));) {
        struct mustache *m = compile(v, report);
        if (!m)
            continue;
        templates[h->compiled_count] =
            (struct webhook_template){arena_dup(&h->arena, conf_str(conf_get(v, "event"))), m};
        h->compiled[h->compiled_count++] = m;
    }
    h->settings.templates = templates;
    h->settings.template_count = h->compiled_count;
}

static void take_update(const struct conf_value *update, struct webhook_hook *h, struct conf_report *report)
{
    const struct conf_value *path = conf_get(update, "path");
    h->settings.update = (enum webhook_update)conf_enum(conf_get(update, "by"));
    h->settings.key_path = arena_dup(&h->arena, conf_str(path));
    h->window = conf_int(conf_get(update, "window"));
    if (h->settings.update == WEBHOOK_UPDATE_PATH && !conf_is_set(path))
        conf_fail(report, update, "'by: path' needs a 'path'");
    if (h->settings.update != WEBHOOK_UPDATE_PATH && conf_is_set(path))
        conf_fail(report, path, "a path without 'by: path'");
}

static void take_names(const struct conf_value *v, struct webhook_hook *h, struct conf_report *report)
{
    struct str title = conf_str(conf_get(v, "title")), nick = conf_str(conf_get(v, "nick"));
    if (title.n)
        h->title = h->nick = arena_dup(&h->arena, title);
    if (nick.n)
        h->nick = arena_dup(&h->arena, nick);
    h->suffix = arena_dup(&h->arena, conf_str(conf_get(v, "suffix")));
    h->cls = arena_dup(&h->arena, conf_str(conf_get(v, "class")));
    webhook_picture_read(conf_get(v, "avatar"), h, report);
    h->shared = conf_enum(conf_get(v, "identity")) == 1;
    h->username = (enum webhook_username)conf_enum(conf_get(v, "username"));
}

struct webhook_hook *webhook_conf_hook(const struct conf_value *v, struct conf_report *report)
{
    size_t errors = conf_errors(report);
    struct webhook_hook *h = webhook_hook_create(conf_name(v));
    take_names(v, h, report);
    h->rooms = take_places(conf_get(v, "rooms"), h);
    h->people = take_places(conf_get(v, "users"), h);
    h->others = take_places(conf_get(v, "may_address"), h);
    if (!h->rooms.n && !h->people.n)
        conf_fail(report, v, "the hook posts to nobody: name 'rooms' or 'users'");
    h->profile = webhook_profile_find(conf_str(conf_get(v, "profile")));
    h->settings.plain = conf_bool(conf_get(v, "plain"));
    take_update(conf_get(v, "update"), h, report);
    take_templates(conf_get(v, "templates"), h, report);
    h->idem_path = arena_dup(&h->arena, conf_str(conf_get(v, "idempotency_path")));
    h->per_second = conf_real(conf_get(conf_get(v, "rate"), "per_second"));
    h->burst = conf_real(conf_get(conf_get(v, "rate"), "burst"));
    h->max_age = conf_is_set(conf_get(v, "max_age")) ? conf_int(conf_get(v, "max_age")) : 0;
    h->body_max = (size_t)conf_int(conf_get(v, "max_body"));
    h->auth = webhook_auth_read(v, report);
    if (conf_errors(report) == errors && h->auth)
        return h;
    webhook_hook_unref(h);
    return NULL;
}
