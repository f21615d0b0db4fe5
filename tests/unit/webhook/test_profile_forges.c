/* GitHub, Gitea and GitLab: documented payloads and what is said of them. */
#include "profile_rig.h"

struct row {
    const char *name, *profile, *header, *event;
};

static void run(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, "content-type", "application/json; charset=utf-8");
        rig_header(&r, rows[i].header, rows[i].event);
        rig_expect(&r, rows[i].profile, rows[i].name);
        rig_finish(&r);
    }
}

static void test_github(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"github_push", "github", "X-GitHub-Event", "push"},
        {"github_pull_request", "github", "X-GitHub-Event", "pull_request"},
        {"github_merged", "github", "X-GitHub-Event", "pull_request"},
        {"github_issue", "github", "X-GitHub-Event", "issues"},
        {"github_issue_comment", "github", "X-GitHub-Event", "issue_comment"},
        {"github_review", "github", "X-GitHub-Event", "pull_request_review"},
        {"github_release", "github", "X-GitHub-Event", "release"},
        {"github_workflow_run", "github", "X-GitHub-Event", "workflow_run"},
        {"github_workflow_queued", "github", "X-GitHub-Event", "workflow_run"},
        {"github_create", "github", "X-GitHub-Event", "create"},
        {"github_fork", "github", "X-GitHub-Event", "fork"},
        {"github_star", "github", "X-GitHub-Event", "star"},
        {"github_milestone", "github", "X-GitHub-Event", "milestone"},
        {"github_ping", "github", "x-github-event", "ping"},
    };
    run(rows, COUNT(rows));
}

static void test_gitea(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"gitea_push", "gitea", "X-Gitea-Event", "push"},
        {"gitea_push", "gitea", "X-Forgejo-Event", "push"},
        {"gitea_push", NULL, "X-Gogs-Event", "push"},
        {"gitea_approved", "gitea", "X-Gitea-Event", "pull_request_approved"},
    };
    run(rows, COUNT(rows));
}

static void test_gitlab(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"gitlab_push", "gitlab", "X-Gitlab-Event", "Push Hook"},
        {"gitlab_merge_request", "gitlab", "X-Gitlab-Event", "Merge Request Hook"},
        {"gitlab_pipeline", "gitlab", "X-Gitlab-Event", "Pipeline Hook"},
        {"gitlab_note", "gitlab", "X-Gitlab-Event", "Note Hook"},
        {"gitlab_job", "gitlab", "X-Gitlab-Event", "Job Hook"},
        {"gitlab_tag", "gitlab", "X-Gitlab-Event", "Tag Push Hook"},
        {"gitlab_flag", "gitlab", "X-Gitlab-Event", "Feature Flag Hook"},
    };
    run(rows, COUNT(rows));
}

// What is only the profile's by its headers is read without them too.
static void test_delivery(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *header;
    } rows[] = {
        {"github", "X-GitHub-Delivery"}, {"gitea", "X-Gitea-Delivery"},  {"gitea", "X-Forgejo-Delivery"},
        {"gitlab", "Idempotency-Key"},   {"alertmanager", "webhook-id"}, {"slack", "webhook-id"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, rows[i].header, "72d3162e-cc78");
        rig_read(&r, rows[i].profile, STR("{\"text\":\"x\"}"));
        assert_str(r.out.delivery, "72d3162e-cc78");
        rig_finish(&r);
    }
}

static void test_runs_that_cannot_be_corrected_are_told_once(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    r.settings.update = WEBHOOK_UPDATE_OFF;
    rig_header(&r, "X-GitHub-Event", "workflow_run");
    rig_read(&r, "github", rig_file(&r, "github_workflow_queued", "json"));
    assert_int_equal(r.out.count, 0);
    assert_int_equal(r.out.problem.status, 0);
    rig_read(&r, "github", rig_file(&r, "github_workflow_run", "json"));
    assert_int_equal(r.out.count, 1);
    assert_int_equal(r.out.posts[0].mode, WEBHOOK_POST);
    assert_str(r.out.posts[0].key, "");
    rig_finish(&r);
}

static void test_variants_of_push(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *want;
    } rows[] = {
        {"{\"ref\":\"refs/heads/x\",\"deleted\":true,\"commits\":[],\"repository\":{\"full_name\":\"a/b\"}}",
         "*a/b*: deleted branch `x`"},
        {"{\"ref\":\"refs/heads/x\",\"forced\":true,\"commits\":[],\"sender\":{\"login\":\"ann\"}}",
         "ann force-pushed branch `x`"},
        {"{\"ref\":\"refs/tags/v1\",\"created\":true,\"commits\":[],\"repository\":{\"full_name\":\"a/b\"}}",
         "*a/b*: pushed tag `v1`"},
        {"{\"ref\":\"refs/heads/n\",\"created\":true,\"commits\":[{}],\"repository\":{\"full_name\":\"a/b\"}}",
         "*a/b*: pushed 1 commit to the new branch `n`\n- "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, "X-GitHub-Event", "push");
        rig_read(&r, "github", str_c(rows[i].payload));
        assert_int_equal(r.out.count, 1);
        if (!str_starts(r.out.posts[0].body, str_trim(str_c(rows[i].want))))
            assert_str(r.out.posts[0].body, rows[i].want);
        rig_finish(&r);
    }
}

// 34 commits: 20 are shown.
static void test_many_commits(void **state)
{
    (void)state;
    struct profile_rig r;
    struct strbuf b;
    rig_init(&r);
    strbuf_init(&b, 100000);
    (void)strbuf_c(&b, "{\"ref\":\"refs/heads/x\",\"repository\":{\"full_name\":\"a/b\"},\"commits\":[");
    for (int i = 0; i < 34; i++)
        (void)strbuf_printf(&b, "%s{\"id\":\"%040d\",\"message\":\"m%d\"}", i ? "," : "", i, i);
    (void)strbuf_c(&b, "]}");
    rig_header(&r, "X-GitHub-Event", "push");
    rig_read(&r, "github", strbuf_view(&b));
    assert_true(str_find_str(r.out.posts[0].body, STR(" m19")) > 0);
    assert_true(str_find_str(r.out.posts[0].body, STR(" m20")) < 0);
    assert_true(str_ends(r.out.posts[0].body, STR("\n... and 14 more")));
    strbuf_finish(&b);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_github),
        cmocka_unit_test(test_gitea),
        cmocka_unit_test(test_gitlab),
        cmocka_unit_test(test_delivery),
        cmocka_unit_test(test_runs_that_cannot_be_corrected_are_told_once),
        cmocka_unit_test(test_variants_of_push),
        cmocka_unit_test(test_many_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
