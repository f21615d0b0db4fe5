/* What senders get back: each service's own words, and the table of profiles. */
#include "profile_rig.h"

static const char *header_of(const struct webhook_answer *w, const char *name)
{
    for (size_t i = 0; i < w->header_count; i++)
        if (str_eq_c(w->headers[i].name, name))
            return w->headers[i].value.p;
    return NULL;
}

struct success {
    const char *profile, *query, *payload;
    int status;
    const char *type, *body; // NULL: none
};

static const struct success successes[] = {
    {"slack", "", "{\"text\":\"x\"}", 200, "text/plain; charset=utf-8", "ok"},
    {"mattermost", "", "{\"text\":\"x\"}", 200, "text/plain; charset=utf-8", "ok"},
    {"discord", "", "{\"content\":\"x\"}", 204, NULL, NULL},
    {"discord", "wait=true", "{\"content\":\"x\",\"username\":\"bo\\\"b\"}", 200, "application/json",
     "{\"id\":\"msg_1\",\"type\":0,\"content\":\"x\",\"channel_id\":\"0\",\"webhook_id\":\"0\","
     "\"timestamp\":\"2025-11-21T10:00:00Z\",\"author\":{\"bot\":true,\"id\":\"0\",\"username\":\"bo\\\"b\"},"
     "\"attachments\":[],\"embeds\":[],\"mentions\":[],\"mention_roles\":[],\"pinned\":false,"
     "\"mention_everyone\":false,\"tts\":false,\"flags\":0,\"edited_timestamp\":null}"},
    {"gotify", "", "{\"message\":\"x\",\"title\":\"t\",\"priority\":5}", 200, "application/json",
     "{\"id\":292260081,\"appid\":1,\"message\":\"x\",\"title\":\"t\",\"priority\":5,"
     "\"date\":\"2025-11-21T10:00:00Z\"}"},
    {"ntfy", "", "{\"topic\":\"a\",\"message\":\"x\"}", 200, "application/json",
     "{\"id\":\"msg_1\",\"time\":1763719200,\"expires\":1763762400,\"event\":\"message\",\"topic\":\"a\","
     "\"message\":\"x\"}"},
    {"native", "", "{\"body\":\"x\"}", 202, "application/json",
     "{\"id\":\"msg_1\",\"status\":\"queued\",\"self\":\"/v1/messages/msg_1\"}"},
    {"alertmanager", "", "{\"alerts\":[{}]}", 202, "application/json",
     "{\"id\":\"msg_1\",\"status\":\"queued\",\"self\":\"/v1/messages/msg_1\"}"},
    {"github", "", "{\"repository\":{}}", 202, "application/json",
     "{\"id\":\"msg_1\",\"status\":\"queued\",\"self\":\"/v1/messages/msg_1\"}"},
};

static void test_success(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(successes); i++) {
        const struct success *s = &successes[i];
        struct str id = STR("msg_1");
        struct webhook_accepted ok = {.ids = &id, .count = 1, .self = STR("/v1/messages/msg_1")};
        struct webhook_answer w;
        struct profile_rig r;
        rig_init(&r);
        r.in.query = str_c(s->query);
        rig_read(&r, s->profile, str_c(s->payload));
        assert_int_equal(r.out.problem.status, 0);
        webhook_profile_success(&r.out, &r.in, &ok, &r.a, &w);
        if (w.status != s->status)
            fail_msg("%s: %d", s->profile, w.status);
        assert_str(w.body, s->body ? s->body : "");
        if (s->type)
            assert_string_equal(header_of(&w, "Content-Type"), s->type);
        else
            assert_int_equal(w.header_count, 0);
        if (s->status == 202)
            assert_string_equal(header_of(&w, "Location"), "/v1/messages/msg_1");
        rig_finish(&r);
    }
}

static void test_confirmed_and_several(void **state)
{
    (void)state;
    const struct str ids[] = {STR("msg_1"), STR("msg_2")};
    struct webhook_accepted ok = {.ids = ids, .count = 2, .confirmed = true, .stanza_id = STR("s1")};
    struct webhook_answer w;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "native", STR("[{\"body\":\"x\"},{\"body\":\"y\"}]"));
    webhook_profile_success(&r.out, &r.in, &ok, &r.a, &w);
    assert_int_equal(w.status, 200);
    assert_str(w.body,
               "{\"id\":\"msg_1\",\"status\":\"confirmed\",\"stanza_id\":\"s1\",\"ids\":[\"msg_1\",\"msg_2\"]}");
    assert_null(header_of(&w, "Location"));
    rig_finish(&r);
}

// Pings, and events that say nothing.
static void test_nothing_to_say(void **state)
{
    (void)state;
    struct webhook_answer w;
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "X-GitHub-Event", "ping");
    rig_read(&r, "github", STR("{\"zen\":\"x\"}"));
    webhook_profile_success(&r.out, &r.in, NULL, &r.a, &w);
    assert_int_equal(w.status, 200);
    assert_str(w.body, "{\"status\":\"ok\"}");
    r.settings.update = WEBHOOK_UPDATE_OFF;
    r.headers[0].value = STR("workflow_run");
    rig_read(&r, "github", STR("{\"workflow_run\":{\"id\":1,\"status\":\"queued\"}}"));
    assert_int_equal(r.out.count, 0);
    webhook_profile_success(&r.out, &r.in, NULL, &r.a, &w);
    assert_str(w.body, "{\"status\":\"ignored\"}");
    rig_finish(&r);
}

static void test_discord_patch_and_delete(void **state)
{
    (void)state;
    struct webhook_accepted ok = {0};
    struct webhook_answer w;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "messages");
    rig_path(&r, "msg_7");
    r.in.method = STR("PATCH");
    rig_read(&r, "discord", STR("{\"content\":\"new\"}"));
    webhook_profile_success(&r.out, &r.in, &ok, &r.a, &w);
    assert_int_equal(w.status, 200);
    assert_true(str_starts(w.body, STR("{\"id\":\"msg_7\",\"type\":0,\"content\":\"new\"")));
    r.in.method = STR("DELETE");
    rig_read(&r, "discord", STR_NONE);
    webhook_profile_success(&r.out, &r.in, &ok, &r.a, &w);
    assert_int_equal(w.status, 204);
    rig_finish(&r);
}

struct refusal {
    const char *profile;
    int status;
    const char *code;
    int64_t retry_after;
    int want;
    const char *type, *body;
};

static const struct refusal refusals[] = {
    {"slack", 400, "no_text", 0, 400, "text/plain; charset=utf-8", "no_text"},
    {"slack", 400, NULL, 0, 400, "text/plain; charset=utf-8", "invalid_payload"},
    {"slack", 404, NULL, 0, 404, "text/plain; charset=utf-8", "no_service"},
    {"slack", 429, NULL, 7, 429, "text/plain; charset=utf-8", "rate_limited"},
    {"mattermost", 400, NULL, 0, 400, "application/json",
     "{\"id\":\"web.incoming_webhook.error\",\"message\":\"Why.\",\"status_code\":400}"},
    {"discord", 400, "no_text", 0, 400, "application/json", "{\"message\":\"Why.\",\"code\":50006}"},
    {"discord", 404, NULL, 0, 404, "application/json", "{\"message\":\"Why.\",\"code\":10015}"},
    {"discord", 429, NULL, 2, 429, "application/json",
     "{\"message\":\"You are being rate limited.\",\"retry_after\":2,\"global\":false,\"code\":0}"},
    {"gotify", 400, NULL, 0, 400, "application/json",
     "{\"error\":\"Bad Request\",\"errorCode\":400,\"errorDescription\":\"Why.\"}"},
    {"ntfy", 429, NULL, 3, 429, "application/json", "{\"code\":42901,\"http\":429,\"error\":\"Why.\"}"},
    {"native", 429, NULL, 3, 429, "application/problem+json",
     "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,\"detail\":\"Why.\",\"retry_after\":3}"},
    {"alertmanager", 429, NULL, 3, 503, "application/problem+json",
     "{\"type\":\"about:blank\",\"title\":\"Service "
     "Unavailable\",\"status\":503,\"detail\":\"Why.\",\"retry_after\":3}"},
    {NULL, 429, NULL, 3, 503, "application/problem+json",
     "{\"type\":\"about:blank\",\"title\":\"Service "
     "Unavailable\",\"status\":503,\"detail\":\"Why.\",\"retry_after\":3}"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        const struct refusal *f = &refusals[i];
        struct webhook_problem p = {.status = f->status, .code = f->code, .detail = STR("Why.")};
        struct webhook_answer w;
        struct arena a;
        char seconds[24];
        arena_init(&a, 0);
        webhook_profile_refuse(f->profile ? webhook_profile_find(str_c(f->profile)) : NULL, &p, f->retry_after, &a, &w);
        assert_int_equal(w.status, f->want);
        assert_str(w.body, f->body);
        assert_string_equal(header_of(&w, "Content-Type"), f->type);
        (void)snprintf(seconds, sizeof(seconds), "%" PRId64, f->retry_after);
        if (f->retry_after > 0)
            assert_string_equal(header_of(&w, "Retry-After"), seconds);
        else
            assert_null(header_of(&w, "Retry-After"));
        arena_finish(&a);
    }
}

static void test_pointers_and_methods(void **state)
{
    (void)state;
    struct webhook_problem p = {.status = 422, .detail = STR("ttl: seconds"), .pointer = STR("/ttl")};
    struct webhook_answer w;
    struct arena a;
    arena_init(&a, 0);
    webhook_profile_refuse(webhook_profile_find(STR("native")), &p, 0, &a, &w);
    assert_true(str_ends(w.body, STR(",\"errors\":[{\"pointer\":\"/ttl\",\"detail\":\"ttl: seconds\"}]}")));
    p = (struct webhook_problem){.status = 405};
    webhook_profile_refuse(webhook_profile_find(STR("ntfy")), &p, 0, &a, &w);
    assert_string_equal(header_of(&w, "Allow"), "POST, PUT");
    arena_finish(&a);
}

/* The table */

static void test_table(void **state)
{
    (void)state;
    const struct webhook_profile *p, *last = NULL;
    size_t n = 0;
    for (; (p = webhook_profile_at(n)); n++) {
        assert_ptr_equal(webhook_profile_find(str_c(webhook_profile_name(p))), p);
        assert_true(!last || strcmp(webhook_profile_name(last), webhook_profile_name(p)) < 0);
        last = p;
    }
    assert_int_equal(n, 15);
    assert_null(webhook_profile_find(STR("xmpp")));
    assert_null(webhook_profile_find(STR("")));
    assert_ptr_equal(webhook_profile_find(STR("forgejo")), webhook_profile_find(STR("gitea")));
}

static void test_resolve(void **state)
{
    (void)state;
    static const struct {
        const char *configured, *segment, *header, *value, *want;
    } rows[] = {
        {NULL, NULL, NULL, NULL, "auto"},
        {"auto", "slack", NULL, NULL, "slack"},
        {"auto", NULL, "X-GitHub-Event", "push", "github"},
        {"auto", NULL, "X-Gitea-Event", "push", "gitea"},
        {"auto", NULL, "X-Gitlab-Event", "Push Hook", "gitlab"},
        {"auto", NULL, "User-Agent", "Alertmanager/0.27.0", "alertmanager"},
        {"auto", NULL, "User-Agent", "Grafana", "grafana"},
        {"auto", NULL, "Content-Type", "application/cloudevents+json", "cloudevents"},
        {"slack", NULL, "X-GitHub-Event", "push", "slack"},
        {"slack", "discord", NULL, NULL, "slack"},
        {"discord", "slack", NULL, NULL, "slack"},
        {"discord", "github", NULL, NULL, "github"},
        {"discord", "gitlab", NULL, NULL, "discord"},
        {"grafana", "grafana", NULL, NULL, "grafana"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        if (rows[i].segment)
            rig_path(&r, rows[i].segment);
        if (rows[i].header)
            rig_header(&r, rows[i].header, rows[i].value);
        const struct webhook_profile *p = rows[i].configured ? webhook_profile_find(str_c(rows[i].configured)) : NULL;
        assert_string_equal(webhook_profile_name(webhook_profile_resolve(p, &r.in)), rows[i].want);
        rig_finish(&r);
    }
}

static void test_auto_by_shape(void **state)
{
    (void)state;
    static const struct {
        const char *body, *want;
    } rows[] = {
        {"{\"body\":\"x\"}", "native"},
        {"{\"text\":\"x\"}", "slack"},
        {"{\"content\":\"x\"}", "discord"},
        {"{\"attachments\":[{\"text\":\"x\"}]}", "slack"},
        {"{\"attachments\":[{\"url\":\"https://e.org/\"}]}", "native"},
        {"{\"object_kind\":\"push\"}", "gitlab"},
        {"{\"message\":\"x\",\"priority\":1}", "gotify"},
        {"{\"topic\":\"t\",\"message\":\"x\"}", "ntfy"},
        {"{\"status\":\"up\"}", "native"},
        {"plain text", "native"},
        {"[]", "native"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_read(&r, "auto", str_c(rows[i].body));
        assert_int_equal(r.out.count, 1);
        assert_string_equal(webhook_profile_name(r.out.profile), rows[i].want);
        rig_finish(&r);
    }
}

// What is not told by the body: paths and methods.
static void test_auto_by_path(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path[2], *body, *want;
        int status;
    } rows[] = {
        {"POST", {"message"}, "{\"message\":\"x\"}", "gotify", 0},
        {"POST", {"topic"}, "x", "ntfy", 0},
        {"PUT", {"topic"}, "x", "ntfy", 0},
        {"PUT", {NULL}, "{\"text\":\"x\"}", "native", 0},
        {"PATCH", {"messages", "m1"}, "{\"content\":\"x\"}", "discord", 0},
        {"PATCH", {"messages", "m1"}, "{\"body\":\"x\"}", "native", 0},
        {"DELETE", {"messages", "m1"}, "", "native", 0},
        {"DELETE", {"topic"}, "", "native", 404},
        {"POST", {NULL}, "", "text", 422},
        {"POST", {"a", "b"}, "x", "native", 404},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        r.in.method = str_c(rows[i].method);
        for (size_t n = 0; n < 2 && rows[i].path[n]; n++)
            rig_path(&r, rows[i].path[n]);
        rig_read(&r, "auto", str_c(rows[i].body));
        if (strcmp(webhook_profile_name(r.out.profile), rows[i].want) != 0 || r.out.problem.status != rows[i].status)
            fail_msg("row %zu: %s, %d", i, webhook_profile_name(r.out.profile), r.out.problem.status);
        rig_finish(&r);
    }
}

static void test_overload_and_sizes(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    assert_int_equal(webhook_profile_overload(NULL), 503);
    assert_int_equal(webhook_profile_overload(webhook_profile_find(STR("alertmanager"))), 503);
    assert_int_equal(webhook_profile_overload(webhook_profile_find(STR("github"))), 503);
    assert_int_equal(webhook_profile_overload(webhook_profile_find(STR("native"))), 429);
    assert_int_equal(webhook_profile_body_max(webhook_profile_find(STR("discord")), &r.in), WEBHOOK_PAYLOAD_MAX);
    rig_header(&r, "Content-Type", "multipart/form-data; boundary=x");
    assert_int_equal(webhook_profile_body_max(webhook_profile_find(STR("discord")), &r.in), WEBHOOK_BODY_MAX);
    assert_int_equal(webhook_profile_body_max(webhook_profile_find(STR("slack")), &r.in), WEBHOOK_PAYLOAD_MAX);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_confirmed_and_several),
        cmocka_unit_test(test_nothing_to_say),
        cmocka_unit_test(test_discord_patch_and_delete),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_pointers_and_methods),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_auto_by_shape),
        cmocka_unit_test(test_auto_by_path),
        cmocka_unit_test(test_overload_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
