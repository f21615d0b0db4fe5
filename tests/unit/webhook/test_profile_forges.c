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

struct said {
    const char *event, *payload, *want;
};

static void check_said(const char *profile, const char *header, const struct said *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, header, rows[i].event);
        rig_read(&r, profile, str_c(rows[i].payload));
        if (r.out.count != 1)
            fail_msg("%s: %zu posts, problem %d", rows[i].event, r.out.count, r.out.problem.status);
        assert_str(rig_shown(&r.a, r.out.posts[0].body), rows[i].want);
        rig_finish(&r);
    }
}

#define BY "\"repository\":{\"full_name\":\"a/b\",\"html_url\":\"https://h/a/b\"},\"sender\":{\"login\":\"ann\"}}"

static void test_other_github_events(void **state)
{
    (void)state;
    static const struct said rows[] = {
        {"check_run",
         "{\"action\":\"completed\",\"check_run\":{\"id\":4,\"name\":\"lint\",\"status\":\"completed\",\"conclusion\":"
         "\"success\",\"html_url\":\"https://h/r/4\",\"check_suite\":{\"head_branch\":\"main\"}}," BY,
         "*a/b*: 🟢 lint on `main`: success <https://h/r/4>"},
        {"check_suite",
         "{\"check_suite\":{\"id\":5,\"head_branch\":\"main\",\"conclusion\":\"timed_out\",\"app\":{\"name\":\"CI\"}}"
         "," BY,
         "*a/b*: 🔴 CI on `main`: timed out"},
        {"status",
         "{\"state\":\"pending\",\"context\":\"ci/x\",\"sha\":\"0123456789\",\"description\":\"Runs\",\"target_url\":"
         "\"https://h/s\"," BY,
         "*a/b*: ci/x on `0123456`: pending Runs <https://h/s>"},
        {"deployment_status",
         "{\"deployment_status\":{\"state\":\"failure\",\"target_url\":\"https://h/d\"},\"deployment\":{\"id\":1,"
         "\"ref\":\"v1\",\"environment\":\"production\"}," BY,
         "*a/b*: 🔴 deployment to production on `v1`: failure <https://h/d>"},
        {"gollum", "{\"pages\":[{\"action\":\"created\",\"title\":\"Home\",\"html_url\":\"https://h/w\"}]," BY,
         "*a/b*: ann changed the wiki\n- created Home <https://h/w>"},
        {"commit_comment",
         "{\"action\":\"created\",\"comment\":{\"commit_id\":\"6113728f27ae\",\"body\":\"**why**\",\"html_url\":"
         "\"https://h/c\"}," BY,
         "*a/b*: ann commented on `6113728` <https://h/c>\n> *why*"},
        {"pull_request_review_comment",
         "{\"action\":\"created\",\"comment\":{\"body\":\"hm\",\"html_url\":\"https://h/c\"},\"pull_request\":{"
         "\"number\":4,\"title\":\"T\"}," BY,
         "*a/b*: ann commented on pull request #4: T <https://h/c>\n> hm"},
        {"discussion_comment",
         "{\"action\":\"edited\",\"comment\":{\"body\":\"hm\"},\"discussion\":{\"number\":4,\"title\":\"T\","
         "\"html_url\":\"https://h/d\"}," BY,
         "*a/b*: ann edited a comment on discussion #4: T <https://h/d>\n> hm"},
        {"pull_request_review",
         "{\"action\":\"submitted\",\"review\":{\"state\":\"changes_requested\",\"body\":null},\"pull_request\":{"
         "\"number\":4,\"title\":\"T\",\"html_url\":\"https://h/p\"}," BY,
         "*a/b*: ann asked for changes to pull request #4: T <https://h/p>"},
        {"pull_request",
         "{\"action\":\"ready_for_review\",\"pull_request\":{\"number\":4,\"title\":\"T\",\"body\":\"x\"}," BY,
         "*a/b*: ann marked as ready pull request #4: T"},
        {"pull_request", "{\"action\":\"closed\",\"pull_request\":{\"number\":4,\"title\":\"T\",\"merged\":false}," BY,
         "*a/b*: ann closed pull request #4: T"},
        {"issues", "{\"action\":\"closed\",\"issue\":{\"number\":3,\"title\":\"_T_\",\"body\":\"x\"}," BY,
         "*a/b*: ann closed issue #3: ^_T_"},
        {"delete", "{\"ref\":\"old\",\"ref_type\":\"branch\"," BY, "*a/b*: ann deleted branch `old` <https://h/a/b>"},
        {"star", "{\"action\":\"deleted\"," BY, "*a/b*: ann took the star back"},
        {"member", "{\"action\":\"added\",\"member\":{\"login\":\"bob\",\"html_url\":\"https://h/bob\"}," BY,
         "*a/b*: ann added member bob <https://h/bob>"},
        {"some_new_event", "{\"action\":\"half_done\"," BY, "*a/b*: ann half done some new event <https://h/a/b>"},
        {"public", "{" BY, "*a/b*: ann changed public <https://h/a/b>"},
        {"push", "{\"text\":\"no event at all\"}", "pushed branch"},
        {"", "{\"text\":\"no event at all\"}", "no event at all"},
    };
    check_said("github", "X-GitHub-Event", rows, COUNT(rows));
}

static void test_other_gitlab_events(void **state)
{
    (void)state;
    static const struct said rows[] = {
        {"Wiki Page Hook",
         "{\"object_kind\":\"wiki_page\",\"user\":{\"name\":\"Ann\"},\"project\":{\"path_with_namespace\":\"a/b\"},"
         "\"object_attributes\":{\"title\":\"Home\",\"action\":\"create\",\"url\":\"https://h/w\"}}",
         "*a/b*: Ann created wiki page Home <https://h/w>"},
        {"Release Hook",
         "{\"object_kind\":\"release\",\"action\":\"create\",\"tag\":\"v1\",\"name\":\"One\",\"url\":\"https://h/r\","
         "\"description\":\"It *is*\",\"project\":{\"path_with_namespace\":\"a/b\"}}",
         "*a/b*: created release `v1` One <https://h/r>\n> It _is_"},
        {"Deployment Hook",
         "{\"object_kind\":\"deployment\",\"status\":\"success\",\"environment\":\"staging\",\"ref\":\"main\","
         "\"deployment_id\":15,\"deployable_url\":\"https://h/j\",\"project\":{\"path_with_namespace\":\"a/b\"}}",
         "*a/b*: 🟢 deployment to staging on `main`: success <https://h/j>"},
        {"Issue Hook",
         "{\"object_kind\":\"issue\",\"user\":{\"name\":\"Ann\"},\"project\":{\"path_with_namespace\":\"a/b\"},"
         "\"object_attributes\":{\"iid\":23,\"title\":\"T\",\"action\":\"reopen\",\"url\":\"https://h/i\"}}",
         "*a/b*: Ann reopened issue #23: T <https://h/i>"},
        {"Note Hook",
         "{\"object_kind\":\"note\",\"user\":{\"name\":\"Ann\"},\"project\":{\"path_with_namespace\":\"a/b\"},"
         "\"commit\":{\"id\":\"cfe32cf61b73\"},\"object_attributes\":{\"note\":\"Hm\",\"url\":\"https://h/n\"}}",
         "*a/b*: Ann commented on `cfe32cf` <https://h/n>\n> Hm"},
        {"Push Hook",
         "{\"object_kind\":\"push\",\"before\":\"95790bf8\",\"after\":\"0000000000\",\"ref\":\"refs/heads/x\","
         "\"user_name\":\"Ann\",\"commits\":[],\"project\":{\"path_with_namespace\":\"a/b\"}}",
         "*a/b*: Ann deleted branch `x`"},
        {"System Hook", "{\"event_name\":\"project_create\",\"name\":\"Web\",\"user_name\":\"Ann\"}",
         "Ann changed project create Web"},
        {"", "{\"text\":\"of another\"}", "of another"},
    };
    check_said("gitlab", "X-Gitlab-Event", rows, COUNT(rows));
}

// A release is created, published and released at once: GitHub says it three times, we once.
static void test_one_release(void **state)
{
    (void)state;
    static const char *const again[] = {"created", "released", "prereleased"};
    for (size_t i = 0; i < COUNT(again); i++) {
        struct profile_rig r;
        char json[200];
        rig_init(&r);
        rig_header(&r, "X-GitHub-Event", "release");
        (void)snprintf(json, sizeof(json), "{\"action\":\"%s\",\"release\":{\"tag_name\":\"v1\"}}", again[i]);
        rig_read(&r, "github", str_c(json));
        assert_int_equal(r.out.count, 0);
        assert_int_equal(r.out.problem.status, 0);
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
        cmocka_unit_test(test_other_github_events),
        cmocka_unit_test(test_other_gitlab_events),
        cmocka_unit_test(test_one_release),
        cmocka_unit_test(test_many_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
