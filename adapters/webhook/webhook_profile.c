/* The table of profiles, and which of them reads a request. */
#include "adapters/webhook/webhook_profile_private.h"

static const char post_only[] = "POST", put_too[] = "POST, PUT", messages[] = "POST, PATCH, DELETE",
                  native[] = "POST, PUT, PATCH, DELETE", events[] = "POST, OPTIONS";

// In the order of their names.
static const struct webhook_profile table[] = {
    {.name = "alertmanager", .methods = post_only, .read = webhook_read_alertmanager},
    {.name = "auto", .methods = native, .read = webhook_read_auto, .files = true},
    {.name = "cloudevents", .methods = events, .read = webhook_read_cloudevents, .patient = true, .raw = true},
    {.name = "discord",
     .methods = messages,
     .read = webhook_read_discord,
     .dialect = DIALECT_DISCORD,
     .patient = true,
     .files = true},
    {.name = "form", .methods = put_too, .read = webhook_read_form, .files = true},
    {.name = "gitea", .methods = post_only, .read = webhook_read_gitea},
    {.name = "github", .methods = post_only, .read = webhook_read_github},
    {.name = "gitlab", .methods = post_only, .read = webhook_read_gitlab},
    {.name = "gotify", .methods = post_only, .read = webhook_read_gotify, .dialect = DIALECT_GOTIFY},
    {.name = "grafana", .methods = put_too, .read = webhook_read_grafana},
    {.name = "mattermost",
     .methods = post_only,
     .read = webhook_read_mattermost,
     .dialect = DIALECT_MATTERMOST,
     .patient = true},
    {.name = "native", .methods = native, .read = webhook_read_native, .patient = true, .files = true},
    {.name = "ntfy",
     .methods = put_too,
     .read = webhook_read_ntfy,
     .dialect = DIALECT_NTFY,
     .patient = true,
     .files = true,
     .raw = true},
    {.name = "slack", .methods = post_only, .read = webhook_read_slack, .dialect = DIALECT_SLACK, .patient = true},
    {.name = "text", .methods = put_too, .read = webhook_read_text, .raw = true},
};

enum { PROFILES = sizeof(table) / sizeof(table[0]) };

const void *reading_find(const void *rows, size_t count, size_t size, struct str name)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const void *row = (const char *)rows + middle * size;
        int order = str_cmp(str_c(*(const char *const *)row), name);
        if (order == 0)
            return row;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct webhook_profile *webhook_profile_find(struct str name)
{
    if (str_eq_c(name, "forgejo") || str_eq_c(name, "gogs"))
        name = STR("gitea");
    else if (str_eq_c(name, "raw"))
        name = STR("text");
    return reading_find(table, PROFILES, sizeof(table[0]), name);
}

const char *webhook_profile_name(const struct webhook_profile *p)
{
    return p->name;
}

const struct webhook_profile *webhook_profile_at(size_t i)
{
    return i < PROFILES ? &table[i] : NULL;
}

static bool is(const struct webhook_profile *p, const char *name)
{
    return strcmp(p->name, name) == 0;
}

// The profile that the path's first segment names, where the configured one lets it.
static const struct webhook_profile *named(const struct webhook_profile *configured, const struct webhook_input *in)
{
    if (in->segment_count == 0)
        return NULL;
    const struct webhook_profile *p = webhook_profile_find(in->segments[0]);
    if (!p || p == configured || is(configured, "auto"))
        return p;
    return is(configured, "discord") && (is(p, "slack") || is(p, "github")) ? p : NULL;
}

// How many segments named the profile goes to *used.
static const struct webhook_profile *resolve(const struct webhook_profile *p, const struct webhook_input *in,
                                             size_t *used)
{
    *used = in->settled_used;
    if (in->settled)
        return in->settled;
    if (!p)
        p = webhook_profile_find(STR("auto"));
    const struct webhook_profile *other = named(p, in);
    if (other) {
        *used = 1;
        p = other;
    }
    if (is(p, "auto")) {
        other = webhook_auto_headers(in);
        p = other ? other : p;
    }
    return p;
}

const struct webhook_profile *webhook_profile_resolve(const struct webhook_profile *configured,
                                                      const struct webhook_input *in)
{
    size_t used;
    return resolve(configured, in, &used);
}

const struct webhook_profile *webhook_profile_settle(const struct webhook_profile *configured, struct webhook_input *in)
{
    in->settled = NULL;
    in->settled_used = 0;
    size_t used;
    const struct webhook_profile *p = resolve(configured, in, &used);
    in->settled_used = used;
    in->settled = p;
    return p;
}

bool webhook_profile_takes(const struct webhook_profile *p, const struct webhook_input *in, const char **allow)
{
    struct str rest = str_c(p->methods), one;
    *allow = p->methods;
    // Event Grid and others ask with OPTIONS before they send anything that tells what they are.
    if (is(p, "auto") && str_eq_c(in->method, "OPTIONS") && reading_header(in, "WebHook-Request-Origin").p)
        return true;
    while (!str_empty(rest)) {
        (void)str_cut(rest, ',', &one, &rest);
        if (str_eq(str_trim(one), in->method))
            return true;
    }
    return false;
}

bool webhook_profile_method(const struct webhook_profile *configured, const struct webhook_input *in,
                            const char **allow)
{
    return webhook_profile_takes(webhook_profile_resolve(configured, in), in, allow);
}

size_t webhook_profile_body_max(const struct webhook_profile *configured, const struct webhook_input *in)
{
    const struct webhook_profile *p = webhook_profile_resolve(configured, in);
    struct str type = str_trim(reading_header(in, "Content-Type"));
    bool many = str_case_eq(str_sub(type, 0, 10), STR("multipart/")) || is(p, "ntfy");
    return p->files && many ? WEBHOOK_BODY_MAX : WEBHOOK_PAYLOAD_MAX;
}

static void read_request(struct reading *r)
{
    const char *allow;
    if (!webhook_profile_takes(r->p, r->in, &allow)) {
        reading_fail(r, 405, NULL, "", "%s takes %s", r->p->name, allow);
        return;
    }
    bool multipart = r->p->files && str_case_eq(str_sub(r->type.type, 0, 10), STR("multipart/"));
    bool file = r->p->files && r->p->raw;
    if (r->body.n > (size_t)(multipart || file ? WEBHOOK_BODY_MAX : WEBHOOK_PAYLOAD_MAX))
        reading_fail(r, 413, NULL, "", "the body has %zu bytes, at most %d are read", r->body.n, WEBHOOK_PAYLOAD_MAX);
    else if (r->p->raw || str_eq_c(r->in->method, "DELETE") || reading_decode(r))
        r->p->read(r);
}

static void start(struct reading *r, const struct webhook_profile *configured)
{
    const struct webhook_input *in = r->in;
    struct str type = reading_header(in, "Content-Type");
    size_t used;

    r->p = resolve(configured, in, &used);
    r->out->profile = r->p;
    r->segments = in->segments + used;
    r->segment_count = in->segment_count - used;
    while (r->segment_count > 0 && str_empty(r->segments[r->segment_count - 1])) // a closing "/"
        r->segment_count--;
    r->body = str_starts(in->body, STR("\xef\xbb\xbf")) ? str_sub(in->body, 3, in->body.n) : in->body;
    if (!http_media_parse(r->a, type, &r->type)) {
        struct str head, rest;
        (void)str_cut(type, ';', &head, &rest);
        r->type = (struct http_media){.type = str_trim(head)};
    }
    if (!http_form_parse(r->a, in->query, WEBHOOK_FIELDS_MAX, &r->query, &r->query_count)) {
        r->query_count = 0;
        reading_warn(r, "the query is malformed and was not read");
    }
}

void webhook_profile_read(const struct webhook_profile *configured, const struct webhook_settings *settings,
                          const struct webhook_input *in, struct arena *a, struct webhook_outcome *out)
{
    static const struct webhook_settings none;
    struct reading r = {.settings = settings ? settings : &none, .in = in, .a = a, .out = out};

    *out = (struct webhook_outcome){0};
    out->posts = arena_alloc(a, WEBHOOK_POSTS_MAX * sizeof(*out->posts)); // each is made by reading_post()
    start(&r, configured);
    reading_delivery(&r, reading_header(in, "Idempotency-Key"));
    reading_delivery(&r, reading_header(in, "webhook-id"));
    read_request(&r);
    out->profile = r.p;
    if (out->problem.status != 0)
        out->count = 0;
    json_decref(r.json);
    json_decref(r.context);
}
