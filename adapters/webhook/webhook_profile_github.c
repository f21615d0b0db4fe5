/* GitHub's events, and Gitea's and Forgejo's, which have the same shape but for a few. */
#include "adapters/webhook/webhook_profile_forge.h"

static void begin(struct forge *f)
{
    static const char *const repositories[] = {"repository.full_name", "organization.login", "enterprise.name", NULL};
    static const char *const actors[] = {"sender.login", "sender.username", "pusher.login", "pusher.name", NULL};
    forge_head(f, say_any(f->a, f->json, repositories), say_any(f->a, f->json, actors));
}

static void say_words(struct forge *f, struct str name)
{
    say_line(&f->s, forge_words(f->a, name), 60);
}

// What was done, as people say it.
static void say_action(struct forge *f)
{
    static const struct {
        const char *action, *words;
    } rows[] = {
        {"converted_to_draft", "made a draft of"},
        {"demilestoned", "took from its milestone"},
        {"label_cleared", "took all labels from"},
        {"label_updated", "labeled"},
        {"milestoned", "put into a milestone"},
        {"ready_for_review", "marked as ready"},
        {"review_request_removed", "wants no review any more of"},
        {"review_requested", "asked for a review of"},
        {"synchronize", "updated"},
        {"synchronized", "updated"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (str_eq_c(f->action, rows[i].action)) {
            say_raw(&f->s, rows[i].words);
            return;
        }
    if (str_empty(f->action))
        say_raw(&f->s, "changed");
    else
        say_words(f, f->action);
}

static struct str number_of(const struct forge *f, const json_t *object)
{
    static const char *const numbers[] = {"number", "iid", NULL};
    return say_any(f->a, object, numbers);
}

static bool opened(const struct forge *f)
{
    return str_eq_c(f->action, "opened") || str_eq_c(f->action, "created") || str_eq_c(f->action, "published");
}

/* Code */

static void on_push(struct forge *f)
{
    const json_t *commits = json_object_get(f->json, "commits"), *total = json_object_get(f->json, "total_commits");
    struct str ref = forge_at(f, "ref");
    static const char *const links[] = {"compare", "compare_url", NULL};
    size_t n = json_array_size(commits);
    if (json_integer_value(total) > (json_int_t)n && json_integer_value(total) < 1000000)
        n = (size_t)json_integer_value(total);
    begin(f);
    if (json_is_true(json_object_get(f->json, "deleted")))
        say_raw(&f->s, "deleted ");
    else if (n == 0)
        say_raw(&f->s, json_is_true(json_object_get(f->json, "forced")) ? "force-pushed " : "pushed ");
    else {
        say_raw(&f->s, json_is_true(json_object_get(f->json, "forced")) ? "force-pushed " : "pushed ");
        say_count(&f->s, n, "commit");
        say_raw(&f->s, json_is_true(json_object_get(f->json, "created")) ? " to the new " : " to ");
    }
    forge_ref(f, ref);
    say_link(&f->s, say_any(f->a, f->json, links));
    forge_commits(f, commits, n);
}

static void on_ref(struct forge *f, const char *done)
{
    begin(f);
    say_raw(&f->s, done);
    say_words(f, forge_at(f, "ref_type"));
    say_raw(&f->s, " ");
    say_code(&f->s, forge_at(f, "ref"));
    say_link(&f->s, forge_at(f, "repository.html_url"));
}

static void on_create(struct forge *f)
{
    on_ref(f, "created ");
}

static void on_delete(struct forge *f)
{
    on_ref(f, "deleted ");
}

static void on_fork(struct forge *f)
{
    begin(f);
    say_raw(&f->s, "forked it to ");
    say_line(&f->s, forge_at(f, "forkee.full_name"), 120);
    say_link(&f->s, forge_at(f, "forkee.html_url"));
}

static void on_star(struct forge *f)
{
    begin(f);
    say_raw(&f->s, str_eq_c(f->action, "deleted") ? "took the star back" : "starred it");
    struct str stars = forge_at(f, "repository.stargazers_count");
    if (!str_empty(stars)) {
        say_raw(&f->s, " (");
        say_line(&f->s, stars, 20);
        say_raw(&f->s, ")");
    }
}

static void on_release(struct forge *f)
{
    // One release is created, published and released: it is told once.
    bool again =
        str_eq_c(f->action, "created") || str_eq_c(f->action, "released") || str_eq_c(f->action, "prereleased");
    struct str name = forge_at(f, "release.name"), tag = forge_at(f, "release.tag_name");
    f->quiet = again && strcmp(f->r->p->name, "github") == 0;
    begin(f);
    say_action(f);
    say_raw(&f->s, json_is_true(say_get(f->json, "release.prerelease")) ? " pre-release " : " release ");
    say_code(&f->s, tag);
    if (!str_eq(name, tag))
        forge_subject(f, "", STR_NONE, name, STR_NONE);
    say_link(&f->s, forge_at(f, "release.html_url"));
    if (opened(f))
        forge_quote(f, forge_at(f, "release.body"));
}

static void on_wiki(struct forge *f)
{
    json_t *page;
    size_t i;
    begin(f);
    say_raw(&f->s, "changed the wiki");
    json_array_foreach(json_object_get(f->json, "pages"), i, page)
    {
        if (i >= SAY_ITEMS)
            break;
        say_break(&f->s);
        say_raw(&f->s, "- ");
        say_line(&f->s, say_at(f->a, page, "action"), 20);
        forge_subject(f, "", STR_NONE, say_at(f->a, page, "title"), say_at(f->a, page, "html_url"));
    }
    forge_subject(f, "", STR_NONE, forge_at(f, "page"), STR_NONE); // Gitea's
}

/* Issues, pull requests, discussions */

static void say_thing(struct forge *f, const char *noun, const json_t *object)
{
    static const char *const titles[] = {"title", "name", NULL};
    say_raw(&f->s, " ");
    say_raw(&f->s, noun);
    forge_subject(f, "#", number_of(f, object), say_any(f->a, object, titles), say_at(f->a, object, "html_url"));
}

static void on_issue(struct forge *f)
{
    begin(f);
    say_action(f);
    say_thing(f, "issue", json_object_get(f->json, "issue"));
    if (opened(f))
        forge_quote(f, forge_at(f, "issue.body"));
}

static void say_branches(struct forge *f)
{
    struct str head = forge_at(f, "pull_request.head.ref"), base = forge_at(f, "pull_request.base.ref");
    if (str_empty(head) || str_empty(base))
        return;
    say_raw(&f->s, " (");
    say_code(&f->s, head);
    say_raw(&f->s, " → ");
    say_code(&f->s, base);
    say_raw(&f->s, ")");
}

static void on_pull_request(struct forge *f)
{
    const json_t *pull = json_object_get(f->json, "pull_request");
    bool merged = str_eq_c(f->action, "closed") &&
                  (json_is_true(json_object_get(pull, "merged")) || say_at(f->a, pull, "merged_at").n > 0);
    begin(f);
    if (merged)
        say_raw(&f->s, "merged");
    else
        say_action(f);
    say_thing(f, json_is_true(json_object_get(pull, "draft")) && opened(f) ? "draft pull request" : "pull request",
              pull);
    if (opened(f) || merged)
        say_branches(f);
    if (opened(f))
        forge_quote(f, say_at(f->a, pull, "body"));
}

// A comment on the object that is there: its link leads to the comment.
static void say_comment(struct forge *f, const char *noun, const json_t *object)
{
    static const char *const links[] = {"comment.html_url", "review.html_url", NULL};
    struct str url = say_any(f->a, f->json, links);
    begin(f);
    if (str_empty(f->action) || str_eq_c(f->action, "created"))
        say_raw(&f->s, "commented on ");
    else {
        say_action(f);
        say_raw(&f->s, " a comment on ");
    }
    say_raw(&f->s, noun);
    forge_subject(f, "#", number_of(f, object), say_at(f->a, object, "title"),
                  str_empty(url) ? say_at(f->a, object, "html_url") : url);
    if (!str_eq_c(f->action, "deleted"))
        forge_quote(f, forge_at(f, "comment.body"));
}

static void on_issue_comment(struct forge *f)
{
    const json_t *issue = json_object_get(f->json, "issue");
    bool pull = json_object_get(issue, "pull_request") || json_is_true(json_object_get(f->json, "is_pull"));
    if (json_is_null(json_object_get(issue, "pull_request"))) // Gitea's issues
        pull = json_is_true(json_object_get(f->json, "is_pull"));
    say_comment(f, pull ? "pull request" : "issue", issue);
}

static void on_review_comment(struct forge *f)
{
    say_comment(f, "pull request", json_object_get(f->json, "pull_request"));
}

static void on_discussion_comment(struct forge *f)
{
    say_comment(f, "discussion", json_object_get(f->json, "discussion"));
}

static void on_commit_comment(struct forge *f)
{
    begin(f);
    say_raw(&f->s, "commented on ");
    say_code(&f->s, forge_short(forge_at(f, "comment.commit_id")));
    say_link(&f->s, forge_at(f, "comment.html_url"));
    forge_quote(f, forge_at(f, "comment.body"));
}

static void say_review(struct forge *f, const char *done, struct str text)
{
    const json_t *pull = json_object_get(f->json, "pull_request");
    struct str url = forge_at(f, "review.html_url");
    begin(f);
    say_raw(&f->s, done);
    say_raw(&f->s, " pull request");
    forge_subject(f, "#", number_of(f, pull), say_at(f->a, pull, "title"),
                  str_empty(url) ? say_at(f->a, pull, "html_url") : url);
    forge_quote(f, text);
}

static void on_review(struct forge *f)
{
    struct str state = forge_at(f, "review.state"), body = forge_at(f, "review.body");
    // A review that only holds comments: they come as events of their own.
    f->quiet = str_eq_c(state, "commented") && str_empty(str_trim(body));
    say_review(f,
               str_eq_c(f->action, "dismissed")               ? "dismissed a review of"
               : str_case_eq(state, STR("approved"))          ? "approved"
               : str_case_eq(state, STR("changes_requested")) ? "asked for changes to"
                                                              : "reviewed",
               body);
}

static void on_approved(struct forge *f)
{
    say_review(f, "approved", forge_at(f, "review.content"));
}

static void on_rejected(struct forge *f)
{
    say_review(f, "asked for changes to", forge_at(f, "review.content"));
}

// Gitea's event for a review, and for a comment on a pull request.
static void on_pull_comment(struct forge *f)
{
    if (json_object_get(f->json, "comment"))
        on_issue_comment(f);
    else
        say_review(f, "reviewed", forge_at(f, "review.content"));
}

/* Runs: "🔴 CI #42 on main: failure <url>" */

static void say_run(struct forge *f, struct str name, struct str number, struct str branch, struct str state)
{
    forge_head(f, forge_at(f, "repository.full_name"), STR_NONE);
    say_raw(&f->s, forge_mark(state));
    say_line(&f->s, name, 100);
    forge_subject(f, "#", number, STR_NONE, STR_NONE);
    if (!str_empty(branch)) {
        say_raw(&f->s, " on ");
        say_code(&f->s, branch);
    }
    say_raw(&f->s, ": ");
    say_words(f, state);
}

static void run_event(struct forge *f, const char *member, const char *branch)
{
    const json_t *run = json_object_get(f->json, member);
    struct str conclusion = say_at(f->a, run, "conclusion"), status = say_at(f->a, run, "status");
    struct str id = say_at(f->a, run, "id"), name = say_at(f->a, run, "name");
    say_run(f, str_empty(name) ? say_at(f->a, run, "app.name") : name, say_at(f->a, run, "run_number"),
            say_at(f->a, run, branch), str_empty(conclusion) ? status : conclusion);
    say_link(&f->s, say_at(f->a, run, "html_url"));
    struct str title = say_at(f->a, run, "display_title");
    if (!str_empty(title)) {
        say_break(&f->s);
        say_line(&f->s, title, SAY_TITLE);
    }
    f->final = !str_empty(conclusion);
    if (!str_empty(id))
        f->key = arena_printf(f->a, "%s:" STR_FMT ":" STR_FMT, member, STR_ARG(id),
                              STR_ARG(say_at(f->a, run, "run_attempt")));
    else
        f->quiet = false;
}

static void on_workflow_run(struct forge *f)
{
    run_event(f, "workflow_run", "head_branch");
}

static void on_workflow_job(struct forge *f)
{
    run_event(f, "workflow_job", "head_branch");
}

static void on_check_run(struct forge *f)
{
    run_event(f, "check_run", "check_suite.head_branch");
}

static void on_check_suite(struct forge *f)
{
    run_event(f, "check_suite", "head_branch");
}

static void on_status(struct forge *f)
{
    struct str state = forge_at(f, "state"), sha = forge_at(f, "sha"), context = forge_at(f, "context");
    say_run(f, context, STR_NONE, forge_short(sha), state);
    forge_subject(f, "", STR_NONE, forge_at(f, "description"), forge_at(f, "target_url"));
    f->final = !str_eq_c(state, "pending");
    f->key = arena_printf(f->a, "status:" STR_FMT ":" STR_FMT, STR_ARG(sha), STR_ARG(context));
}

static void on_deployment_status(struct forge *f)
{
    static const char *const links[] = {"deployment_status.environment_url", "deployment_status.target_url", NULL};
    static const char *const over[] = {"success", "failure", "error", "inactive"};
    struct str state = forge_at(f, "deployment_status.state");
    say_run(f,
            arena_printf(f->a, "deployment to " STR_FMT,
                         STR_ARG(say_oneline(f->a, forge_at(f, "deployment.environment"), 60))),
            STR_NONE, forge_at(f, "deployment.ref"), state);
    say_link(&f->s, say_any(f->a, f->json, links));
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++)
        f->final = f->final || str_eq_c(state, over[i]);
    f->key = arena_printf(f->a, "deployment:" STR_FMT, STR_ARG(forge_at(f, "deployment.id")));
}

/* The others */

static void on_ping(struct forge *f)
{
    f->quiet = true;
    f->r->out->handshake = true;
}

// "*acme/web*: ann added member: bob <url>" from the object that is called as the event is.
static void on_other(struct forge *f)
{
    static const char *const names[] = {"title", "name", "full_name", "login", "summary", "tag_name", NULL};
    const json_t *object = json_object_getn(f->json, f->event.n ? f->event.p : "", f->event.n);
    static const char *const repository[] = {"repository.html_url", "repository.url", NULL};
    struct str url = say_at(f->a, object, "html_url");
    if (str_empty(f->event) || (!json_object_get(f->json, "sender") && !json_object_get(f->json, "repository"))) {
        f->r->out->generic = true;
        return;
    }
    begin(f);
    say_action(f);
    say_raw(&f->s, " ");
    say_words(f, f->event);
    forge_subject(f, "#", number_of(f, object), say_any(f->a, object, names),
                  str_empty(url) ? say_any(f->a, f->json, repository) : url);
}

static const struct forge_event github[] = {
    {"check_run", on_check_run},
    {"check_suite", on_check_suite},
    {"commit_comment", on_commit_comment},
    {"create", on_create},
    {"delete", on_delete},
    {"deployment_status", on_deployment_status},
    {"discussion_comment", on_discussion_comment},
    {"fork", on_fork},
    {"gollum", on_wiki},
    {"issue_assign", on_issue},
    {"issue_comment", on_issue_comment},
    {"issue_label", on_issue},
    {"issue_milestone", on_issue},
    {"issues", on_issue},
    {"ping", on_ping},
    {"pull_request", on_pull_request},
    {"pull_request_approved", on_approved},
    {"pull_request_assign", on_pull_request},
    {"pull_request_comment", on_pull_comment},
    {"pull_request_label", on_pull_request},
    {"pull_request_milestone", on_pull_request},
    {"pull_request_rejected", on_rejected},
    {"pull_request_review", on_review},
    {"pull_request_review_comment", on_review_comment},
    {"pull_request_review_request", on_pull_request},
    {"pull_request_sync", on_pull_request},
    {"push", on_push},
    {"release", on_release},
    {"star", on_star},
    {"status", on_status},
    {"watch", on_star},
    {"wiki", on_wiki},
    {"workflow_job", on_workflow_job},
    {"workflow_run", on_workflow_run},
};

// GitHub may send its JSON as the field "payload" of a form; reading_decode() has seen to it.
static void read_event(struct reading *r, struct str event)
{
    if (r->json)
        forge_read(r, event, say_at(r->a, r->json, "action"), github, sizeof(github) / sizeof(github[0]), on_other);
}

void webhook_read_github(struct reading *r)
{
    if (!reading_ready(r))
        return;
    reading_delivery(r, reading_header(r->in, "X-GitHub-Delivery"));
    read_event(r, reading_header(r->in, "X-GitHub-Event"));
}

void webhook_read_gitea(struct reading *r)
{
    static const char *const names[] = {"X-Gitea", "X-Forgejo", "X-Gogs", "X-GitHub"};
    struct str event = STR_NONE;
    if (!reading_ready(r))
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char header[32];
        struct str prefix = str_c(names[i]);
        memcpy(header, prefix.p, prefix.n);
        memcpy(header + prefix.n, "-Delivery", sizeof("-Delivery"));
        reading_delivery(r, reading_header(r->in, header));
        memcpy(header + prefix.n, "-Event", sizeof("-Event"));
        if (str_empty(event))
            event = reading_header(r->in, header);
    }
    read_event(r, event);
}
