/* Which service sends: by headers that only it sets, else by the shape of its JSON. */
#include "adapters/webhook/webhook_profile_private.h"

// In this order: Gitea and Forgejo also set the headers of GitHub, for those who read nothing else.
static const struct {
    const char *header, *profile;
} headers[] = {
    {"X-Gitea-Event", "gitea"},
    {"X-Forgejo-Event", "gitea"},
    {"X-Gogs-Event", "gitea"},
    {"X-GitHub-Event", "github"},
    {"X-Gitlab-Event", "gitlab"},
    {"ce-specversion", "cloudevents"},
    {"WebHook-Request-Origin", "cloudevents"},
    {"X-Gotify-Key", "gotify"},
    {"X-Grafana-Alerting-Signature", "grafana"},
};

static const struct {
    const char *agent, *profile;
} agents[] = {
    {"Alertmanager/", "alertmanager"},
    {"Grafana", "grafana"},
};

const struct webhook_profile *webhook_auto_headers(const struct webhook_input *in)
{
    struct str agent = reading_header(in, "User-Agent"), type = str_trim(reading_header(in, "Content-Type"));
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        if (reading_header(in, headers[i].header).p)
            return webhook_profile_find(str_c(headers[i].profile));
    if (str_case_eq(str_sub(type, 0, 23), STR("application/cloudevents")))
        return webhook_profile_find(STR("cloudevents"));
    for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
        if (str_starts(agent, str_c(agents[i].agent)))
            return webhook_profile_find(str_c(agents[i].profile));
    return NULL;
}

// A shape: up to four members that must be there; the first row that fits counts.
static const struct {
    const char *profile;
    const char *members[4];
} shapes[] = {
    {"cloudevents", {"specversion", "type", "source"}},
    {"grafana", {"alerts", "orgId"}},
    {"grafana", {"ruleName", "state"}},
    {"alertmanager", {"alerts", "groupKey"}},
    {"gitlab", {"object_kind"}},
    {"native", {"body"}},
    {"discord", {"embeds"}},
    {"discord", {"content"}},
    {"slack", {"blocks"}},
    {"slack", {"text"}},
    {"ntfy", {"topic", "message"}},
    {"ntfy", {"topic", "title"}},
    {"gotify", {"message", "priority"}},
    {"gotify", {"message", "extras"}},
};

static bool fits(const json_t *value, const char *const *members)
{
    for (size_t i = 0; i < 4 && members[i]; i++)
        if (!json_object_get(value, members[i]))
            return false;
    return true;
}

// Slack's attachments have texts, ours have URLs.
static const char *by_attachments(const json_t *value)
{
    const json_t *first = json_array_get(json_object_get(value, "attachments"), 0);
    if (!first)
        return NULL;
    return json_object_get(first, "url") ? "native" : "slack";
}

static const char *by_shape(const json_t *value)
{
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (fits(value, shapes[i].members))
            return shapes[i].profile;
    return by_attachments(value);
}

// Those that take other methods than POST.
static bool has_method(const struct reading *r, const char *name)
{
    const char *allow;
    return webhook_profile_takes(webhook_profile_find(str_c(name)), r->in, &allow);
}

void webhook_read_auto(struct reading *r)
{
    const char *name = r->json ? by_shape(r->json) : NULL;
    // A path behind the hook is only gotify's and ntfy's, or names a message.
    if (r->segment_count == 1)
        name = str_eq_c(r->segments[0], "message") ? "gotify" : "ntfy";
    else if (!name && str_empty(r->body) && r->segment_count == 0)
        name = "text";
    r->p = webhook_profile_find(name && has_method(r, name) ? str_c(name) : STR("native"));
    r->p->read(r);
}
