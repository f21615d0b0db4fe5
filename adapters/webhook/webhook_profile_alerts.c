/* Alertmanager's webhook (version 4) and Grafana's, which is the same and more: a group of alerts as one message that
 * is corrected while they fire and resolve, or a message for each alert. */
#include "adapters/webhook/webhook_profile_private.h"

enum { LINK_LABELS = 12 }; // of a silence's matchers

struct alerts {
    struct reading *r;
    const json_t *list; // array
    size_t firing, resolved;
};

static bool is_resolved(struct arena *a, const json_t *alert)
{
    struct str status = say_at(a, alert, "status");
    return str_case_eq(status, STR("resolved")) || str_case_eq(status, STR("ok"));
}

static void count(struct alerts *all)
{
    json_t *one;
    size_t i;
    json_array_foreach(all->list, i, one)
    {
        if (is_resolved(all->r->a, one))
            all->resolved++;
        else
            all->firing++;
    }
}

/* One alert */

static struct str name_of(struct arena *a, const json_t *alert)
{
    static const char *const names[] = {"labels.alertname", "labels.rulename", "annotations.title", NULL};
    return say_any(a, alert, names);
}

static struct str summary_of(struct arena *a, const json_t *alert)
{
    static const char *const summaries[] = {"annotations.summary", "annotations.message", "annotations.title", NULL};
    struct str text = say_any(a, alert, summaries);
    return str_empty(text) ? name_of(a, alert) : text;
}

// What an alert is about, where its summary does not name it.
static struct str place_of(struct arena *a, const json_t *alert, struct str summary)
{
    static const char *const places[] = {"labels.instance", "labels.pod",  "labels.node", "labels.host",
                                         "labels.hostname", "labels.name", "labels.job",  NULL};
    struct str place = say_any(a, alert, places);
    return str_find_str(str_sub(summary, 0, 1000), str_sub(place, 0, 200)) >= 0 ? STR_NONE : place;
}

static struct str link_of(struct arena *a, const json_t *alert)
{
    static const char *const links[] = {"panelURL", "dashboardURL", "generatorURL", NULL};
    return say_any(a, alert, links);
}

static void say_severity(struct say *s, const json_t *alert, bool resolved)
{
    static const char *const severities[] = {"labels.severity", "labels.priority", "labels.level", NULL};
    struct str severity = resolved ? STR("resolved") : say_any(s->a, alert, severities);
    if (str_empty(severity))
        severity = STR("firing");
    say_line(s, severity, 40);
    say_raw(s, ": ");
}

static void say_number(struct say *s, const json_t *value)
{
    if (json_is_real(value))
        (void)strbuf_printf(&s->out, "%.6g", json_real_value(value));
    else
        say_line(s, say_at(s->a, value, ""), 40);
}

// "A=91.5, B=3", Grafana's.
static void say_values(struct say *s, const json_t *alert)
{
    const char *name;
    json_t *value;
    size_t n = 0;
    json_object_foreach(json_object_get(alert, "values"), name, value)
    {
        if (!json_is_number(value) && !json_is_string(value))
            continue;
        if (n++ >= 8)
            break;
        say_raw(s, n == 1 ? " [" : ", ");
        say_line(s, str_c(name), 40);
        say_raw(s, "=");
        say_number(s, value);
    }
    say_raw(s, n > 0 ? "]" : "");
}

// "- critical: Disk is full (db1:9100) <url>", and a description quoted below.
static void say_alert(struct say *s, const json_t *alert, bool item)
{
    static const char *const texts[] = {"annotations.description", "annotations.runbook", NULL};
    struct arena *a = s->a;
    bool resolved = is_resolved(a, alert);
    struct str summary = summary_of(a, alert), place = place_of(a, alert, summary);

    say_break(s);
    say_raw(s, item ? "- " : "");
    say_severity(s, alert, resolved);
    say_line(s, summary, SAY_TITLE);
    if (!str_empty(place)) {
        say_raw(s, " (");
        say_line(s, place, 100);
        say_raw(s, ")");
    }
    if (!resolved)
        say_values(s, alert);
    if (!resolved)
        say_link(s, link_of(a, alert));
    struct str text = say_any(a, alert, texts);
    if (!resolved && !str_eq(text, summary))
        say_quote(s, text);
    say_break(s);
    struct str runbook = say_at(a, alert, "annotations.runbook_url");
    if (!resolved && say_url_good(runbook)) {
        say_raw(s, "  Runbook:");
        say_link(s, runbook);
        say_raw(s, "\n");
    }
}

/* Silences */

static void add_percent(struct strbuf *b, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", (char)c))
            (void)strbuf_char(b, (char)c);
        else
            (void)strbuf_printf(b, "%%%02X", c);
    }
}

static void add_matcher(struct strbuf *b, bool first, const char *name, struct str value)
{
    add_percent(b, first ? STR_NONE : STR(", "));
    add_percent(b, str_c(name));
    add_percent(b, STR("=\""));
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == '"' || value.p[i] == '\\')
            add_percent(b, STR("\\"));
        add_percent(b, str_sub(value, i, i + 1));
    }
    add_percent(b, STR("\""));
}

// Alertmanager's page for a new silence with these labels: <externalURL>/#/silences/new?filter={a="b"}.
static struct str silence_link(struct arena *a, struct str external, const json_t *labels)
{
    const char *name;
    json_t *value;
    struct strbuf b;
    size_t n = 0;
    if (!say_url_good(external) || json_object_size(labels) == 0 || json_object_size(labels) > LINK_LABELS)
        return STR_NONE;
    strbuf_init(&b, 2048);
    (void)strbuf_printf(&b, STR_FMT "/#/silences/new?filter=%%7B", STR_ARG(external));
    json_object_foreach((json_t *)(uintptr_t)labels, name, value) add_matcher(&b, n++ == 0, name, say_at(a, value, ""));
    (void)strbuf_c(&b, "%7D");
    struct str link = b.full ? STR_NONE : arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return link;
}

static void say_silence(struct say *s, struct str link)
{
    if (!say_url_good(link))
        return;
    say_break(s);
    say_raw(s, "Silence:");
    say_link(s, link);
    say_raw(s, "\n");
}

/* The group */

// "[FIRING:2] DiskFull", as Alertmanager's own templates have it.
static struct str title_of(const struct alerts *all)
{
    static const char *const names[] = {"commonLabels.alertname", "groupLabels.alertname", "commonLabels.job", NULL};
    struct arena *a = all->r->a;
    struct str title = say_at(a, all->r->json, "title"), name = say_any(a, all->r->json, names);
    const char *state = all->firing > 0 ? "FIRING" : "RESOLVED";
    if (!str_empty(title)) // Grafana's
        return title;
    if (str_empty(name) && json_array_size(all->list) > 0)
        name = name_of(a, json_array_get(all->list, 0));
    if (all->firing > 0 && all->resolved > 0)
        return arena_printf(a, "[FIRING:%zu, RESOLVED:%zu] " STR_FMT, all->firing, all->resolved,
                            STR_ARG(say_oneline(a, name, SAY_TITLE)));
    return arena_printf(a, "[%s:%zu] " STR_FMT, state, all->firing > 0 ? all->firing : all->resolved,
                        STR_ARG(say_oneline(a, name, SAY_TITLE)));
}

static void say_title(const struct alerts *all, struct say *s)
{
    bool bad = all->firing > 0;
    say_raw(s, bad ? "🔴 " : "🟢 ");
    say_bold(s, title_of(all));
    say_link(s, say_at(s->a, all->r->json, "externalURL"));
    say_raw(s, "\n");
}

static void say_list(const struct alerts *all, struct say *s)
{
    json_t *one;
    size_t i, more = 0;
    const json_t *cut = json_object_get(all->r->json, "truncatedAlerts");
    // What fires stands before what does not.
    for (int resolved = 0, shown = 0; resolved < 2; resolved++) {
        json_array_foreach(all->list, i, one)
        {
            if (is_resolved(s->a, one) != (resolved == 1))
                continue;
            if (shown++ < SAY_ITEMS)
                say_alert(s, one, true);
            else
                more++;
        }
    }
    if (json_integer_value(cut) > 0 && json_integer_value(cut) < 1000000)
        more += (size_t)json_integer_value(cut);
    say_more(s, more);
}

static struct str group_silence(const struct alerts *all)
{
    struct arena *a = all->r->a;
    struct str link = say_at(a, json_array_get(all->list, 0), "silenceURL");
    if (json_object_get(json_array_get(all->list, 0), "silenceURL"))
        return json_array_size(all->list) == 1 ? link : STR_NONE;
    return silence_link(a, say_at(a, all->r->json, "externalURL"), json_object_get(all->r->json, "commonLabels"));
}

static void read_group(struct alerts *all)
{
    struct reading *r = all->r;
    struct say s;
    say_begin(&s, r->a);
    say_title(all, &s);
    say_list(all, &s);
    if (all->firing > 0)
        say_silence(&s, group_silence(all));
    struct webhook_post *post = reading_say(r, &s);
    reading_key(r, post, say_at(r->a, r->json, "groupKey"), all->firing == 0);
    for (size_t i = 0; i < json_array_size(all->list); i++)
        reading_file_url(r, post, say_at(r->a, json_array_get(all->list, i), "imageURL"), STR_NONE, STR_NONE);
}

/* A message for each alert */

static void say_one(struct say *s, const struct alerts *all, const json_t *alert, bool resolved)
{
    struct arena *a = all->r->a;
    struct str name = say_oneline(a, name_of(a, alert), SAY_TITLE), link = say_at(a, alert, "silenceURL");
    say_raw(s, resolved ? "🟢 " : "🔴 ");
    say_bold(s, arena_printf(a, "[%s] " STR_FMT, resolved ? "RESOLVED" : "FIRING", STR_ARG(name)));
    say_raw(s, "\n");
    say_alert(s, alert, false);
    if (str_empty(link))
        link = silence_link(a, say_at(a, all->r->json, "externalURL"), json_object_get(alert, "labels"));
    if (!resolved)
        say_silence(s, link);
}

// Puts a value in place of a member, or nothing; what stood there, owned.
static json_t *swap(json_t *object, const char *name, json_t *value)
{
    json_t *kept = json_incref(json_object_get(object, name));
    if (value)
        (void)json_object_set(object, name, value);
    else
        (void)json_object_del(object, name);
    return kept;
}

// For templates, the payload is for this time as if it had this alert alone, which is also its "alert".
static void render_alert(const struct alerts *all, struct webhook_post *post, json_t *alert, struct str text)
{
    static const char *const names[] = {"alerts", "alert", "status"};
    json_t *list = json_pack("[O]", alert), *kept[3];
    json_t *values[] = {list, alert, json_object_get(alert, "status")};
    for (size_t i = 0; i < 3; i++)
        kept[i] = swap(all->r->json, names[i], values[i]);
    reading_body(all->r, post, all->r->json, text);
    for (size_t i = 0; i < 3; i++) {
        json_decref(swap(all->r->json, names[i], kept[i]));
        json_decref(kept[i]);
    }
    json_decref(list);
}

static void read_alert(const struct alerts *all, json_t *alert)
{
    struct reading *r = all->r;
    struct webhook_post *post = reading_post(r);
    bool resolved = is_resolved(r->a, alert);
    struct say s;
    if (!post)
        return;
    say_begin(&s, r->a);
    say_one(&s, all, alert, resolved);
    r->out->event = resolved ? STR("resolved") : STR("firing");
    render_alert(all, post, alert, say_end(&s));
    reading_key(r, post, say_at(r->a, alert, "fingerprint"), resolved);
    reading_file_url(r, post, say_at(r->a, alert, "imageURL"), STR_NONE, STR_NONE);
}

static void read_each(const struct alerts *all)
{
    json_t *one;
    size_t i;
    json_array_foreach(all->list, i, one)
    {
        if (i < WEBHOOK_POSTS_MAX) {
            read_alert(all, one);
            continue;
        }
        struct webhook_post *last = &all->r->out->posts[WEBHOOK_POSTS_MAX - 1];
        size_t more = json_array_size(all->list) - i;
        last->body = arena_printf(all->r->a, STR_FMT "\n... and %zu more",
                                  STR_ARG(styling_cut(all->r->a, last->body, WEBHOOK_TEXT_MAX - 64)), more);
        reading_warn(all->r, "more than %d alerts in one request", WEBHOOK_POSTS_MAX);
        return;
    }
}

static void read_alerts(struct reading *r)
{
    struct alerts all = {.r = r, .list = json_object_get(r->json, "alerts")};
    const char *event;
    if (json_array_size(all.list) == 0) {
        reading_generic(r);
        return;
    }
    count(&all);
    event = all.firing > 0 ? "firing" : "resolved";
    r->out->event = str_c(event);
    if (r->settings->update == WEBHOOK_UPDATE_FINGERPRINT)
        read_each(&all);
    else
        read_group(&all);
    r->out->event = str_c(event);
}

/* Grafana */

// Alerting before Grafana 8: {title, ruleName, ruleUrl, state, message, evalMatches, imageUrl}.
static void read_legacy(struct reading *r)
{
    struct arena *a = r->a;
    struct str state = say_at(a, r->json, "state"), title = say_at(a, r->json, "title");
    bool ok = str_case_eq(state, STR("ok"));
    json_t *match;
    struct say s;
    size_t i;
    say_begin(&s, a);
    say_raw(&s, ok ? "🟢 " : "🔴 ");
    say_bold(&s, str_empty(title) ? say_at(a, r->json, "ruleName") : title);
    say_link(&s, say_at(a, r->json, "ruleUrl"));
    say_raw(&s, "\n");
    say_value(&s, str_trim(say_at(a, r->json, "message")));
    json_array_foreach(json_object_get(r->json, "evalMatches"), i, match)
    {
        if (i >= SAY_ITEMS)
            break;
        say_break(&s);
        say_raw(&s, "- ");
        say_line(&s, say_at(a, match, "metric"), 100);
        say_raw(&s, ": ");
        say_line(&s, say_at(a, match, "value"), 40);
    }
    r->out->event = ok ? STR("resolved") : STR("firing");
    struct webhook_post *post = reading_say(r, &s);
    struct str id = say_at(a, r->json, "ruleId");
    reading_key(r, post, str_empty(id) ? id : arena_printf(a, "rule:" STR_FMT, STR_ARG(id)), ok);
    reading_file_url(r, post, say_at(a, r->json, "imageUrl"), STR_NONE, STR_NONE);
}

void webhook_read_alertmanager(struct reading *r)
{
    if (reading_ready(r))
        read_alerts(r);
}

void webhook_read_grafana(struct reading *r)
{
    if (!reading_ready(r))
        return;
    if (json_object_get(r->json, "ruleName") && !json_object_get(r->json, "alerts"))
        read_legacy(r);
    else
        read_alerts(r);
}
