/* GitLab's events: by object_kind, which all but the oldest have, else by X-Gitlab-Event. */
#include "adapters/webhook/webhook_profile_forge.h"

#include "base/clock.h"
#include "base/utf8.h"

static void begin(struct forge *f)
{
    static const char *const projects[] = {
        "project.path_with_namespace", "project_name", "group.group_path", "repository.name", "group_path", NULL};
    static const char *const users[] = {"user.name", "user_name", "user.username", "user_username", NULL};
    forge_head(f, say_any(f->a, f->json, projects), say_any(f->a, f->json, users));
}

static bool nothing(struct str hash)
{
    for (size_t i = 0; i < hash.n; i++)
        if (hash.p[i] != '0')
            return false;
    return hash.n > 0;
}

/* Code */

static void say_push(struct forge *f, struct str link)
{
    const json_t *commits = json_object_get(f->json, "commits");
    const json_t *total = json_object_get(f->json, "total_commits_count");
    size_t n = json_array_size(commits);
    bool made = nothing(forge_at(f, "before"));
    if (json_integer_value(total) > (json_int_t)n && json_integer_value(total) < 1000000)
        n = (size_t)json_integer_value(total);
    begin(f);
    if (nothing(forge_at(f, "after")))
        say_raw(&f->s, "deleted ");
    else if (n == 0)
        say_raw(&f->s, made ? "created " : "pushed ");
    else {
        say_raw(&f->s, "pushed ");
        say_count(&f->s, n, "commit");
        say_raw(&f->s, made ? " to the new " : " to ");
    }
    forge_ref(f, forge_at(f, "ref"));
    say_link(&f->s, link);
    forge_commits(f, commits, n);
}

static void on_push(struct forge *f)
{
    struct str web = forge_at(f, "project.web_url"), before = forge_at(f, "before"), after = forge_at(f, "after");
    struct str link = STR_NONE;
    if (!str_empty(web) && !nothing(before) && !nothing(after) && before.n > 0 && after.n > 0)
        link = arena_printf(f->a, STR_FMT "/-/compare/" STR_FMT "..." STR_FMT, STR_ARG(utf8_cut(web, 1000)),
                            STR_ARG(str_sub(before, 0, 64)), STR_ARG(str_sub(after, 0, 64)));
    say_push(f, link);
}

static void on_tag_push(struct forge *f)
{
    struct str web = forge_at(f, "project.web_url"), tag = forge_at(f, "ref");
    if (str_starts(tag, STR("refs/tags/")))
        tag = str_sub(tag, 10, tag.n);
    bool gone = nothing(forge_at(f, "after"));
    begin(f);
    say_raw(&f->s, gone ? "deleted " : "pushed ");
    forge_ref(f, forge_at(f, "ref"));
    if (!gone && !str_empty(web))
        say_link(&f->s, arena_printf(f->a, STR_FMT "/-/tags/" STR_FMT, STR_ARG(utf8_cut(web, 1000)),
                                     STR_ARG(str_sub(tag, 0, 200))));
    forge_quote(f, forge_at(f, "message"));
}

static void on_wiki(struct forge *f)
{
    begin(f);
    say_line(&f->s, forge_words(f->a, f->action), 40);
    say_raw(&f->s, "d wiki page");
    forge_subject(f, "", STR_NONE, forge_at(f, "object_attributes.title"), forge_at(f, "object_attributes.url"));
    forge_quote(f, forge_at(f, "object_attributes.message"));
}

/* Issues, merge requests, notes */

// GitLab has "open", "close", "merge": people say what was done.
static const char *done(struct str action)
{
    static const struct {
        const char *action, *words;
    } rows[] = {
        {"approval", "approved"},
        {"approved", "approved"},
        {"close", "closed"},
        {"create", "created"},
        {"delete", "deleted"},
        {"merge", "merged"},
        {"open", "opened"},
        {"reopen", "reopened"},
        {"unapproval", "took back the approval of"},
        {"unapproved", "took back the approval of"},
        {"update", "updated"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (str_eq_c(action, rows[i].action))
            return rows[i].words;
    return "changed";
}

static void say_object(struct forge *f, const char *noun, const char *sigil)
{
    bool opened = str_eq_c(f->action, "open");
    begin(f);
    say_raw(&f->s, done(f->action));
    say_raw(&f->s, " ");
    say_raw(&f->s, noun);
    forge_subject(f, sigil, forge_at(f, "object_attributes.iid"), forge_at(f, "object_attributes.title"),
                  forge_at(f, "object_attributes.url"));
    struct str source = forge_at(f, "object_attributes.source_branch");
    struct str target = forge_at(f, "object_attributes.target_branch");
    if (!str_empty(source) && !str_empty(target) && (opened || str_eq_c(f->action, "merge"))) {
        say_raw(&f->s, " (");
        say_code(&f->s, source);
        say_raw(&f->s, " → ");
        say_code(&f->s, target);
        say_raw(&f->s, ")");
    }
    if (opened)
        forge_quote(f, forge_at(f, "object_attributes.description"));
}

static void on_issue(struct forge *f)
{
    say_object(f, "issue", "#");
}

static void on_work_item(struct forge *f)
{
    say_object(f, "work item", "#");
}

static void on_merge_request(struct forge *f)
{
    say_object(f, "merge request", "!");
}

static void on_note(struct forge *f)
{
    static const struct {
        const char *member, *noun, *sigil;
    } rows[] = {{"merge_request", "merge request", "!"}, {"issue", "issue", "#"}, {"snippet", "snippet", "$"}};
    struct str url = forge_at(f, "object_attributes.url");
    begin(f);
    say_raw(&f->s, "commented on ");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *object = json_object_get(f->json, rows[i].member);
        static const char *const numbers[] = {"iid", "id", NULL};
        if (!json_is_object(object))
            continue;
        say_raw(&f->s, rows[i].noun);
        forge_subject(f, rows[i].sigil, say_any(f->a, object, numbers), say_at(f->a, object, "title"), url);
        forge_quote(f, forge_at(f, "object_attributes.note"));
        return;
    }
    say_code(&f->s, forge_short(forge_at(f, "commit.id")));
    say_link(&f->s, url);
    forge_quote(f, forge_at(f, "object_attributes.note"));
}

/* Runs */

static bool is_over(struct str state)
{
    static const char *const over[] = {"success", "failed", "canceled", "skipped"};
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        if (str_eq_c(state, over[i]))
            return true;
    return false;
}

static void say_run(struct forge *f, const char *noun, struct str number, struct str ref, struct str state)
{
    static const char *const projects[] = {"project.path_with_namespace", "project_name", NULL};
    forge_head(f, say_any(f->a, f->json, projects), STR_NONE);
    say_raw(&f->s, forge_mark(state));
    say_raw(&f->s, noun);
    forge_subject(f, "#", number, STR_NONE, STR_NONE);
    if (!str_empty(ref)) {
        say_raw(&f->s, " on ");
        say_code(&f->s, ref);
    }
    say_raw(&f->s, ": ");
    say_line(&f->s, forge_words(f->a, state), 40);
    f->final = is_over(state);
}

static void say_duration(struct forge *f, struct str seconds)
{
    double s;
    if (!str_to_double(seconds, &s) || s < 1 || s > 1e7)
        return;
    say_raw(&f->s, " after ");
    say_styled(&f->s, clock_span(f->a, (int64_t)s * 1000));
}

static void say_failed(struct forge *f)
{
    json_t *build;
    size_t i, shown = 0, more = 0;
    json_array_foreach(json_object_get(f->json, "builds"), i, build)
    {
        if (!str_eq_c(say_at(f->a, build, "status"), "failed"))
            continue;
        if (shown++ >= SAY_ITEMS) {
            more++;
            continue;
        }
        say_break(&f->s);
        say_raw(&f->s, "- failed: ");
        say_line(&f->s, say_at(f->a, build, "name"), 100);
        say_raw(&f->s, " (");
        say_line(&f->s, say_at(f->a, build, "stage"), 60);
        say_raw(&f->s, ")");
    }
    say_more(&f->s, more);
}

static void on_pipeline(struct forge *f)
{
    struct str id = forge_at(f, "object_attributes.id"), url = forge_at(f, "object_attributes.url");
    struct str web = forge_at(f, "project.web_url"), title = forge_at(f, "commit.title");
    say_run(f, "pipeline", id, forge_at(f, "object_attributes.ref"), forge_at(f, "object_attributes.status"));
    if (f->final)
        say_duration(f, forge_at(f, "object_attributes.duration"));
    if (str_empty(url) && !str_empty(web))
        url = arena_printf(f->a, STR_FMT "/-/pipelines/" STR_FMT, STR_ARG(utf8_cut(web, 1000)),
                           STR_ARG(str_sub(id, 0, 20)));
    say_link(&f->s, url);
    if (!str_empty(title)) {
        say_break(&f->s);
        say_code(&f->s, forge_short(forge_at(f, "object_attributes.sha")));
        say_raw(&f->s, " ");
        say_line(&f->s, title, 120);
    }
    say_failed(f);
    f->key = arena_printf(f->a, "pipeline:" STR_FMT, STR_ARG(id));
}

static void on_build(struct forge *f)
{
    struct str id = forge_at(f, "build_id");
    say_run(f, arena_printf(f->a, "job " STR_FMT, STR_ARG(say_oneline(f->a, forge_at(f, "build_name"), 100))).p,
            STR_NONE, forge_at(f, "ref"), forge_at(f, "build_status"));
    if (f->final)
        say_duration(f, forge_at(f, "build_duration"));
    f->key = arena_printf(f->a, "job:" STR_FMT, STR_ARG(id));
}

static void on_deployment(struct forge *f)
{
    struct str where = say_oneline(f->a, forge_at(f, "environment"), 60);
    say_run(f, arena_printf(f->a, "deployment to " STR_FMT, STR_ARG(where)).p, STR_NONE, forge_at(f, "ref"),
            forge_at(f, "status"));
    say_link(&f->s, forge_at(f, "deployable_url"));
    f->key = arena_printf(f->a, "deployment:" STR_FMT, STR_ARG(forge_at(f, "deployment_id")));
}

static void on_release(struct forge *f)
{
    struct str name = forge_at(f, "name"), tag = forge_at(f, "tag");
    begin(f);
    say_raw(&f->s, done(f->action));
    say_raw(&f->s, " release ");
    say_code(&f->s, tag);
    forge_subject(f, "", STR_NONE, str_eq(name, tag) ? STR_NONE : name, forge_at(f, "url"));
    if (str_eq_c(f->action, "create"))
        forge_quote(f, forge_at(f, "description"));
}

// "*acme/web*: Ann changed feature flag: dark-mode"
static void on_other(struct forge *f)
{
    static const char *const titles[] = {"object_attributes.title", "object_attributes.name", "name", NULL};
    if (str_empty(f->event)) {
        f->r->out->generic = true;
        return;
    }
    begin(f);
    say_raw(&f->s, done(f->action));
    say_raw(&f->s, " ");
    say_line(&f->s, forge_words(f->a, f->event), 60);
    forge_subject(f, "#", forge_at(f, "object_attributes.iid"), say_any(f->a, f->json, titles),
                  forge_at(f, "object_attributes.url"));
}

static const struct forge_event gitlab[] = {
    {"build", on_build},         {"deployment", on_deployment},
    {"issue", on_issue},         {"merge_request", on_merge_request},
    {"note", on_note},           {"pipeline", on_pipeline},
    {"push", on_push},           {"release", on_release},
    {"tag_push", on_tag_push},   {"wiki_page", on_wiki},
    {"work_item", on_work_item},
};

void webhook_read_gitlab(struct reading *r)
{
    static const char *const kinds[] = {"object_kind", "event_name", "event_type", NULL};
    static const char *const actions[] = {"object_attributes.action", "action", NULL};
    if (reading_ready(r))
        forge_read(r, say_any(r->a, r->json, kinds), say_any(r->a, r->json, actions), gitlab,
                   sizeof(gitlab) / sizeof(gitlab[0]), on_other);
}
