/* Slack, Mattermost, Discord: messages as common tools send them. */
#include "profile_rig.h"

static void run(const char *profile, const char *name)
{
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_expect(&r, profile, name);
    rig_finish(&r);
}

static void test_slack(void **state)
{
    (void)state;
    run("slack", "slack_grafana");
    run("slack", "slack_jenkins");
    run("slack", "slack_uptime_kuma");
    run("slack", "slack_blocks");
}

static void test_mattermost(void **state)
{
    (void)state;
    run("mattermost", "mattermost");
}

static void test_discord(void **state)
{
    (void)state;
    run("discord", "discord");
}

static void test_auto_finds_them(void **state)
{
    (void)state;
    run("auto", "slack_jenkins");
    run("auto", "slack_blocks");
    run("auto", "discord");
}

static struct str body_of(struct profile_rig *r)
{
    if (r->out.count != 1)
        fail_msg("%zu posts, problem %d " STR_FMT, r->out.count, r->out.problem.status, STR_ARG(r->out.problem.detail));
    return r->out.posts[0].body;
}

static void test_slack_payload_in_a_form(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "payload=%7B%22text%22%3A%22a+b%22%2C%22username%22%3A%22bot%22%7D",
        "payload={\"text\":\"a b\",\"username\":\"bot\"}", "text=a+b&username=bot",
        "{\"text\":\"a b\",\"username\":\"bot\"}", // `curl -d` without a header
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, "Content-Type", "application/x-www-form-urlencoded");
        rig_read(&r, "slack", str_c(bodies[i]));
        assert_str(body_of(&r), "a b");
        assert_str(r.out.posts[0].nick, "bot");
        rig_finish(&r);
    }
}

static void test_slack_without_a_type(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "slack", STR("\xef\xbb\xbf {\"text\":\"*b* <https://e.org|e> &lt;3\",\"mrkdwn\":false}"));
    assert_str(rig_shown(&r.a, body_of(&r)), "^*b* e <https://e.org> <3");
    rig_finish(&r);
}

struct refusal {
    const char *profile, *body, *code;
    int status;
};

static void test_refusals(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"slack", "{\"text\":", "invalid_payload", 400},
        {"slack", "hello", "invalid_payload", 400},
        {"slack", "", "invalid_payload", 400},
        {"slack", "[1]", "invalid_payload", 400},
        {"slack", "{\"text\":\"\"}", "no_text", 400},
        {"slack", "{}", "no_text", 400},
        {"slack", "{\"text\":\" \",\"attachments\":[]}", "no_text", 400},
        {"mattermost", "{\"text\":\"\"}", "no_text", 400},
        {"discord", "{\"content\":\"\"}", "no_text", 400},
        {"discord", "{}", "no_text", 400},
        {"discord", "x", "invalid_payload", 400},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_read(&r, rows[i].profile, str_c(rows[i].body));
        if (r.out.problem.status != rows[i].status || !r.out.problem.code ||
            strcmp(r.out.problem.code, rows[i].code) != 0)
            fail_msg("%s %s: %d %s", rows[i].profile, rows[i].body, r.out.problem.status, r.out.problem.code);
        assert_int_equal(r.out.count, 0);
        rig_finish(&r);
    }
}

// A payload of another service is said, not refused.
static void test_strangers(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "slack", STR("{\"message\":\"from elsewhere\"}"));
    assert_str(body_of(&r), "from elsewhere");
    assert_true(r.out.generic);
    rig_read(&r, "discord", STR("{\"message\":\"from elsewhere\"}"));
    assert_str(body_of(&r), "from elsewhere");
    rig_finish(&r);
}

static void test_colours(void **state)
{
    (void)state;
    static const struct {
        const char *color, *mark;
    } rows[] = {
        {"danger", "🔴 "},     {"good", "🟢 "}, {"warning", "🟡 "}, {"#D63232", "🔴 "}, {"36a64f", "🟢 "},
        {"#FFCC00", "🟡 "}, {"#0000ff", ""},   {"#zzzzzz", ""},      {"", ""},          {"#ff00000", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        char json[200], want[40];
        rig_init(&r);
        (void)snprintf(json, sizeof(json), "{\"attachments\":[{\"color\":\"%s\",\"title\":\"t\"}]}", rows[i].color);
        (void)snprintf(want, sizeof(want), "%s*t*", rows[i].mark);
        rig_read(&r, "slack", str_c(json));
        assert_str(body_of(&r), want);
        rig_finish(&r);
    }
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *profile, *path[4];
        int status;
    } rows[] = {
        {"slack", {NULL}, 0},
        {"slack", {""}, 0},
        {"slack", {"services", "T0", "B0", "x"}, 0},
        {"slack", {"slack"}, 0},
        {"slack", {"hooks", "x"}, 404},
        {"slack", {"services"}, 404},
        {"mattermost", {"hooks", "x"}, 0},
        {"mattermost", {"hooks"}, 404},
        {"mattermost", {"services", "T0", "B0", "x"}, 404},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        for (size_t n = 0; n < 4 && rows[i].path[n]; n++)
            rig_path(&r, rows[i].path[n]);
        rig_read(&r, rows[i].profile, STR("{\"text\":\"x\"}"));
        if (r.out.problem.status != rows[i].status)
            fail_msg("row %zu: %d", i, r.out.problem.status);
        rig_finish(&r);
    }
}

static void test_discord_suffixes(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "slack");
    rig_read(&r, "discord", STR("{\"text\":\"*b*\"}"));
    assert_string_equal(webhook_profile_name(r.out.profile), "slack");
    assert_str(body_of(&r), "*b*");
    r.segments[0] = STR("github");
    rig_header(&r, "X-GitHub-Event", "star");
    rig_read(&r, "discord", rig_file(&r, "github_star", "json"));
    assert_string_equal(webhook_profile_name(r.out.profile), "github");
    r.segments[0] = STR("grafana"); // not one of Discord's
    rig_read(&r, "discord", STR("{\"content\":\"x\"}"));
    assert_int_equal(r.out.problem.status, 404);
    rig_finish(&r);
}

static void test_discord_changes_messages(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "messages");
    rig_path(&r, "msg_1");
    r.in.method = STR("PATCH");
    rig_read(&r, "discord", STR("{\"content\":\"better\"}"));
    assert_str(body_of(&r), "better");
    assert_int_equal(r.out.posts[0].act, WEBHOOK_REPLACE);
    assert_str(r.out.posts[0].id, "msg_1");
    r.in.method = STR("DELETE");
    rig_read(&r, "discord", STR_NONE);
    assert_int_equal(r.out.count, 1);
    assert_int_equal(r.out.posts[0].act, WEBHOOK_RETRACT);
    assert_str(r.out.posts[0].id, "msg_1");
    r.in.method = STR("POST");
    rig_read(&r, "discord", STR("{\"content\":\"x\"}"));
    assert_int_equal(r.out.problem.status, 405);
    r.in.method = STR("DELETE");
    r.in.segment_count = 1;
    rig_read(&r, "discord", STR_NONE);
    assert_int_equal(r.out.problem.status, 404);
    r.in.method = STR("GET");
    rig_read(&r, "discord", STR_NONE);
    assert_int_equal(r.out.problem.status, 405);
    rig_finish(&r);
}

static void test_discord_files_and_query(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "multipart/form-data; boundary=XX");
    r.in.query = STR("wait=true&thread_id=42");
    rig_read(
        &r, "discord",
        STR("--XX\r\nContent-Disposition: form-data; name=\"payload_json\"\r\nContent-Type: application/json\r\n\r\n"
            "{\"content\":\"see\",\"attachments\":[{\"id\":0}]}\r\n--XX\r\nContent-Disposition: form-data; "
            "name=\"files[0]\"; filename=\"../../etc/a.png\"\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n--XX--\r\n"));
    assert_str(body_of(&r), "see");
    assert_true(r.out.wait);
    assert_str(r.out.posts[0].thread, "42");
    assert_int_equal(r.out.posts[0].file_count, 1);
    assert_str(r.out.posts[0].files[0].name, "a.png");
    assert_str(r.out.posts[0].files[0].type, "image/png");
    assert_str(r.out.posts[0].files[0].data, "\x89PNG");
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slack),
        cmocka_unit_test(test_mattermost),
        cmocka_unit_test(test_discord),
        cmocka_unit_test(test_auto_finds_them),
        cmocka_unit_test(test_slack_payload_in_a_form),
        cmocka_unit_test(test_slack_without_a_type),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_discord_suffixes),
        cmocka_unit_test(test_discord_changes_messages),
        cmocka_unit_test(test_discord_files_and_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
