/* Alertmanager and Grafana: groups, single alerts, keys, silences. */
#include "profile_rig.h"

static void run(const char *profile, const char *name)
{
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_expect(&r, profile, name);
    rig_finish(&r);
}

static void test_groups(void **state)
{
    (void)state;
    run("alertmanager", "alertmanager");
    run("alertmanager", "alertmanager_resolved");
    run("grafana", "grafana");
    run("grafana", "grafana_legacy");
}

static void test_auto_finds_them(void **state)
{
    (void)state;
    run(NULL, "alertmanager");
    run("auto", "grafana");
    run("auto", "grafana_legacy");
}

static void test_each_alert_by_fingerprint(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    r.settings.update = WEBHOOK_UPDATE_FINGERPRINT;
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    rig_compare(&r, "each", rig_file(&r, "alertmanager_each", "txt"));
    rig_read(&r, "grafana", rig_file(&r, "grafana", "json"));
    assert_int_equal(r.out.count, 2);
    assert_str(r.out.posts[0].key, "c6eadffa33fcdf37");
    assert_str(r.out.posts[1].key, "bc97ff14869b13e3");
    rig_finish(&r);
}

// The same group has the same key while it fires and when it is over, and only then is it final.
static void test_one_key_from_firing_to_resolved(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    struct str key = r.out.posts[0].key;
    assert_int_equal(r.out.posts[0].mode, WEBHOOK_UPSERT);
    assert_false(r.out.posts[0].final);
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager_resolved", "json"));
    assert_true(str_eq(key, r.out.posts[0].key));
    assert_true(r.out.posts[0].final);
    rig_finish(&r);
}

static void test_keys_by_setting(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    r.settings.update = WEBHOOK_UPDATE_PATH;
    r.settings.key_path = STR("commonLabels.alertname");
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    assert_str(r.out.posts[0].key, "DiskFull");
    r.settings.key_path = STR("nowhere");
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    assert_str(r.out.posts[0].key, "");
    assert_int_equal(r.out.posts[0].mode, WEBHOOK_POST);
    r.settings.update = WEBHOOK_UPDATE_OFF;
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    assert_str(r.out.posts[0].key, "");
    rig_finish(&r);
}

static struct str many(struct profile_rig *r, int n, const char *status)
{
    struct strbuf b;
    strbuf_init(&b, 1000000);
    (void)strbuf_c(&b, "{\"groupKey\":\"k\",\"alerts\":[");
    for (int i = 0; i < n; i++)
        (void)strbuf_printf(&b, "%s{\"status\":\"%s\",\"fingerprint\":\"f%d\",\"labels\":{\"alertname\":\"a%d\"}}",
                            i ? "," : "", status, i, i);
    (void)strbuf_c(&b, "]}");
    struct str text = arena_dup(&r->a, strbuf_view(&b));
    strbuf_finish(&b);
    return text;
}

static void test_many_alerts(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "alertmanager", many(&r, 34, "firing"));
    assert_int_equal(r.out.count, 1);
    assert_true(str_find_str(r.out.posts[0].body, STR("a19")) > 0);
    assert_true(str_find_str(r.out.posts[0].body, STR("a20")) < 0);
    assert_true(str_find_str(r.out.posts[0].body, STR("\n... and 14 more")) > 0);
    r.settings.update = WEBHOOK_UPDATE_FINGERPRINT;
    rig_read(&r, "alertmanager", many(&r, 70, "resolved"));
    assert_int_equal(r.out.count, WEBHOOK_POSTS_MAX);
    assert_str(r.out.posts[63].key, "f63");
    assert_true(r.out.posts[63].final);
    assert_true(str_ends(r.out.posts[63].body, STR("\n... and 6 more")));
    assert_true(str_find_str(r.out.warning, STR("64")) > 0);
    rig_finish(&r);
}

// What is no group of alerts is said as it is.
static void test_other_payloads(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *want;
    } rows[] = {
        {"{\"text\":\"a custom payload\"}", "a custom payload"},
        {"{\"title\":\"T\",\"message\":\"M\",\"url\":\"https://e.org/\"}", "*T*\nM\n<https://e.org/>"},
        {"{\"alerts\":[],\"x\":1}", "```\n{\n  \"alerts\": [],\n  \"x\": 1\n}\n```"},
        {"{\"alerts\":\"none\"}", "```\n{\n  \"alerts\": \"none\"\n}\n```"},
        {"17", "17"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, "Content-Type", "APPLICATION/JSON;charset=\"utf-8\"");
        rig_read(&r, "alertmanager", str_c(rows[i].payload));
        assert_int_equal(r.out.count, 1);
        assert_true(r.out.generic);
        assert_str(r.out.posts[0].body, rows[i].want);
        rig_finish(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_auto_finds_them),
        cmocka_unit_test(test_each_alert_by_fingerprint),
        cmocka_unit_test(test_one_key_from_firing_to_resolved),
        cmocka_unit_test(test_keys_by_setting),
        cmocka_unit_test(test_many_alerts),
        cmocka_unit_test(test_other_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
