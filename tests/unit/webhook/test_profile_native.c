/* Our own JSON, text, forms; templates; and what is refused. */
#include "profile_rig.h"

static struct str body_of(struct profile_rig *r)
{
    if (r->out.count != 1)
        fail_msg("%zu posts, problem %d " STR_FMT, r->out.count, r->out.problem.status, STR_ARG(r->out.problem.detail));
    return r->out.posts[0].body;
}

static void test_every_member(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_expect(&r, "native", "native");
    rig_finish(&r);
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *want;
    } rows[] = {
        {"{\"body\":\"*b* **c**\"}", "*b* **c**"},
        {"{\"body\":\"*b*\",\"format\":\"styling\"}", "*b*"},
        {"{\"body\":\"**b**\",\"format\":\"markdown\"}", "*b*"},
        {"{\"body\":\"<https://e.org|e>\",\"format\":\"slack\"}", "e <https://e.org>"},
        {"{\"body\":\"*b*\",\"format\":\"plain\"}", "^*b*"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_read(&r, "native", str_c(rows[i].payload));
        assert_str(rig_shown(&r.a, body_of(&r)), rows[i].want);
        rig_finish(&r);
    }
}

static void test_plain_by_setting(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    r.settings.plain = true;
    rig_read(&r, "native", STR("{\"body\":\"*b*\"}"));
    assert_str(rig_shown(&r.a, body_of(&r)), "^*b*");
    rig_read(&r, "text", STR("*b*"));
    assert_str(rig_shown(&r.a, body_of(&r)), "^*b*");
    rig_finish(&r);
}

static void test_wrong_members(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *pointer;
    } rows[] = {
        {"{\"body\":1}", "/body"},
        {"{\"body\":\"x\",\"format\":\"html\"}", "/format"},
        {"{\"body\":\"x\",\"mode\":\"shout\"}", "/mode"},
        {"{\"body\":\"x\",\"ttl\":\"1h\"}", "/ttl"},
        {"{\"body\":\"x\",\"ttl\":0}", "/ttl"},
        {"{\"body\":\"x\",\"ttl\":604801}", "/ttl"},
        {"{\"body\":\"x\",\"avatar\":\"javascript:alert(1)\"}", "/avatar"},
        {"{\"body\":\"x\",\"to\":{}}", "/to"},
        {"{\"body\":\"x\",\"to\":[1]}", "/to"},
        {"{\"body\":\"x\",\"mentions\":\"ann\"}", "/mentions"},
        {"{\"body\":\"x\",\"replace\":\"\"}", "/replace"},
        {"{\"body\":\"x\",\"hints\":[]}", "/hints"},
        {"{\"body\":\"x\",\"nick\":[]}", "/nick"},
        {"{\"body\":\"x\",\"attachments\":{}}", "/attachments"},
        {"{\"attachments\":[{\"url\":\"https://e.org/a\"},{\"url\":\"file:///etc/passwd\"}]}", "/attachments/1/url"},
        {"{\"body\":\"\"}", "/body"},
        {"{\"body\":\" \\n\"}", "/body"},
        {"{}", "/body"},
        {"[{\"body\":\"x\"},{\"body\":2}]", "/1/body"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        rig_header(&r, "Content-Type", "application/json");
        rig_read(&r, "native", str_c(rows[i].payload));
        if (r.out.problem.status != 422 || !str_eq_c(r.out.problem.pointer, rows[i].pointer))
            fail_msg("%s: %d " STR_FMT, rows[i].payload, r.out.problem.status, STR_ARG(r.out.problem.pointer));
        assert_int_equal(r.out.count, 0);
        assert_true(r.out.problem.detail.n > 0);
        rig_finish(&r);
    }
}

static void test_members_may_be_null(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "native",
             STR("{\"body\":\"x\",\"format\":null,\"subject\":null,\"nick\":null,\"avatar\":null,\"key\":null,"
                 "\"mode\":null,\"reply_to\":null,\"replace\":null,\"thread\":null,\"mentions\":null,"
                 "\"attachments\":null,\"to\":null,\"ttl\":null,\"hints\":null,\"lang\":null}"));
    rig_compare(&r, "nulls", STR("native\n--- say post\nx\n"));
    rig_finish(&r);
}

static void test_keys_and_replies(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *want;
    } rows[] = {
        {"{\"body\":\"x\",\"key\":\"k\"}", "native\n--- say upsert\nkey: k\nx\n"},
        {"{\"body\":\"x\",\"key\":\"k\",\"mode\":\"thread\"}", "native\n--- say thread\nkey: k\nx\n"},
        {"{\"body\":\"x\",\"reply_to\":\"m\"}", "native\n--- say reply\nreply to: m\nx\n"},
        {"{\"body\":\"x\",\"replace\":\"msg_1\"}", "native\n--- replace post\nid: msg_1\nx\n"},
        {"[{\"body\":\"x\"},{\"body\":\"y\"}]", "native\n--- say post\nx\n--- say post\ny\n"},
        {"{\"body\":\"x\",\"colour\":1}", "native\nwarning: no member \"colour\"\n--- say post\nx\n"},
        {"{\"text\":\"x\"}", "native generic\n--- say post\nx\n"},
        {"[1]", "native generic\n--- say post\n```\n[\n  1\n]\n```\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        r.settings.update = WEBHOOK_UPDATE_OFF; // a sender's own key counts all the same
        rig_read(&r, "native", str_c(rows[i].payload));
        rig_compare(&r, rows[i].payload, str_c(rows[i].want));
        rig_finish(&r);
    }
}

static void test_long_keys_are_hashed(void **state)
{
    (void)state;
    struct profile_rig r;
    char json[2000];
    rig_init(&r);
    (void)snprintf(json, sizeof(json), "{\"body\":\"x\",\"key\":\"%0600d\"}", 1);
    rig_read(&r, "native", str_c(json));
    assert_int_equal(r.out.posts[0].key.n, 64);
    struct str first = r.out.posts[0].key;
    (void)snprintf(json, sizeof(json), "{\"body\":\"x\",\"key\":\"%0600d\"}", 2);
    rig_read(&r, "native", str_c(json));
    assert_false(str_eq(first, r.out.posts[0].key));
    rig_finish(&r);
}

struct typed {
    const char *profile, *type, *body, *want; // NULL: refused with `status`
    int status;
};

static void test_types(void **state)
{
    (void)state;
    static const struct typed rows[] = {
        {"native", "application/json", "{\"body\":\"x\"}", "x", 0},
        {"native", "Application/JSON ; Charset=UTF-8", "{\"body\":\"x\"}", "x", 0},
        {"native", "application/vnd.api+json", "{\"body\":\"x\"}", "x", 0},
        {"native", NULL, "{\"body\":\"x\"}", "x", 0},
        {"native", "application/json;;;=", "{\"body\":\"x\"}", "x", 0},
        {"native", "text/plain", "hello", "hello", 0},
        {"native", "text/markdown", "**b**", "*b*", 0},
        {"native", NULL, "{hello", "{hello", 0},
        {"native", "application/json", "{hello", NULL, 400},
        {"native", "application/json", "", NULL, 400},
        {"native", "application/json", "{\"a\":1,\"a\":2}", NULL, 400},
        {"native", "application/json", "\"\xff\"", NULL, 400},
        {"native", "image/png", "\x89PNG", NULL, 415},
        {"native", "application/x-www-form-urlencoded", "message=hi&host=db1", "hi\n*host:* db1", 0},
        {"form", "application/x-www-form-urlencoded", "a=1&b=x+y%21&empty=", "*a:* 1\n*b:* x y!", 0},
        {"form", "application/x-www-form-urlencoded", "log=l1%0Al2", "*log:*\n> l1\n> l2", 0},
        {"form", "application/x-www-form-urlencoded", "a=%zz", NULL, 400},
        {"form", "application/x-www-form-urlencoded", "a=", NULL, 422},
        {"auto", "application/x-www-form-urlencoded", "disk is 50% full", "disk is 50% full", 0}, // curl -d
        {"form", "application/x-www-form-urlencoded", "a+b", "a+b", 0},
        {"native", "application/x-www-form-urlencoded", "{\"body\":\"in JSON\"}", "in JSON", 0},
        {"form", "multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--", "*a:* 1", 0},
        {"form", "multipart/form-data; boundary=b", "--c", NULL, 400},
        {"form", "multipart/form-data", "--c", NULL, 400},
        {"text", "text/plain", "", NULL, 422},
        {"text", "text/plain", " \r\n", NULL, 422},
        {"text", "application/json", "{\"raw\": 1}", "{\"raw\": 1}", 0},
        {"text", NULL, "a\r\nb\x01\xff", "a\nb\xef\xbf\xbd", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        rig_init(&r);
        if (rows[i].type)
            rig_header(&r, "Content-Type", rows[i].type);
        rig_read(&r, rows[i].profile, str_c(rows[i].body));
        if (r.out.problem.status != rows[i].status)
            fail_msg("row %zu: %d " STR_FMT, i, r.out.problem.status, STR_ARG(r.out.problem.detail));
        if (rows[i].want)
            assert_str(body_of(&r), rows[i].want);
        rig_finish(&r);
    }
}

static void test_bad_json_tells_its_place(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_read(&r, "native", STR("{\"body\": \"x\",\n  \"nick\" \"y\"}"));
    assert_int_equal(r.out.problem.status, 400);
    assert_true(str_find_str(r.out.problem.detail, STR("line 2, column ")) > 0);
    rig_finish(&r);
}

/* Templates */

static void template_is(struct profile_rig *r, struct webhook_template *t, const char *text)
{
    struct errmsg msg;
    t->text = mustache_compile(str_c(text), NULL, &msg);
    assert_non_null(t->text);
    r->settings.templates = t;
    r->settings.template_count = 1;
}

static void test_templates(void **state)
{
    (void)state;
    static const struct {
        const char *template, *want, *warning;
    } rows[] = {
        {"{{alerts.0.labels.alertname|upper}}: {{alerts|count}}", "DISKFULL: 2", ""},
        {"{{_.profile}} {{_.event}}", "alertmanager firing", ""},
        {"{{#alerts}}{{status}} {{/alerts}}", "firing resolved", ""},
        {"{{nothing}}", NULL, "the template rendered nothing"},
        {"{{{_.text}}}", NULL, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct profile_rig r;
        struct webhook_template t = {.event = STR_NONE};
        rig_init(&r);
        rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
        struct str fallback = r.out.posts[0].body;
        template_is(&r, &t, rows[i].template);
        rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
        if (rows[i].want)
            assert_str(body_of(&r), rows[i].want);
        else if (!str_eq(body_of(&r), fallback))
            fail_msg("%s", rows[i].template);
        assert_str(r.out.warning, rows[i].warning);
        mustache_destroy((struct mustache *)(uintptr_t)t.text);
        rig_finish(&r);
    }
}

static void test_a_template_that_fails_gives_way(void **state)
{
    (void)state;
    struct profile_rig r;
    struct webhook_template t = {.event = STR_NONE};
    struct mustache_limits few = {.steps = 8};
    struct errmsg msg;
    rig_init(&r);
    t.text = mustache_compile(STR("{{#alerts}}{{status}}{{startsAt}}{{endsAt}}{{/alerts}}"), &few, &msg);
    assert_non_null(t.text);
    r.settings.templates = &t;
    r.settings.template_count = 1;
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    assert_true(str_find_str(body_of(&r), STR("Disk is full")) > 0);
    assert_true(str_starts(r.out.warning, STR("the template failed: ")));
    mustache_destroy((struct mustache *)(uintptr_t)t.text);
    rig_finish(&r);
}

// Each alert is rendered by itself, the payload is whole again behind it, and the event is the alert's own.
static void test_templates_for_each_alert(void **state)
{
    (void)state;
    struct profile_rig r;
    struct webhook_template t = {.event = STR_NONE};
    rig_init(&r);
    template_is(&r, &t, "{{_.event}} {{status}} {{alert.labels.instance}} {{alerts|count}} {{groupKey}}");
    r.settings.update = WEBHOOK_UPDATE_FINGERPRINT;
    rig_read(&r, "alertmanager", rig_file(&r, "alertmanager", "json"));
    assert_int_equal(r.out.count, 2);
    assert_str(r.out.posts[0].body, "firing firing db1:9100 1 {}:{alertname=\"DiskFull\"}");
    assert_str(r.out.posts[1].body, "resolved resolved db2:9100 1 {}:{alertname=\"DiskFull\"}");
    assert_str(r.out.event, "firing");
    mustache_destroy((struct mustache *)(uintptr_t)t.text);
    rig_finish(&r);
}

// A member "_" of the payload gives way to ours.
static void test_our_names_come_first(void **state)
{
    (void)state;
    struct profile_rig r;
    struct webhook_template t = {.event = STR_NONE};
    rig_init(&r);
    template_is(&r, &t, "{{_.profile}} {{_.x}}{{b}}");
    rig_read(&r, "grafana", STR("{\"_\":{\"x\":1,\"profile\":2},\"b\":3}"));
    assert_str(body_of(&r), "grafana 3");
    rig_read(&r, "grafana", STR("[1]"));
    assert_str(body_of(&r), "grafana");
    mustache_destroy((struct mustache *)(uintptr_t)t.text);
    rig_finish(&r);
}

static void test_templates_by_event(void **state)
{
    (void)state;
    struct profile_rig r;
    struct webhook_template t = {.event = STR("push")};
    rig_init(&r);
    template_is(&r, &t, "pushed to {{ref}}");
    rig_header(&r, "X-GitHub-Event", "push");
    rig_read(&r, "github", rig_file(&r, "github_push", "json"));
    assert_str(body_of(&r), "pushed to refs/heads/main");
    r.headers[0].value = STR("star");
    rig_read(&r, "github", rig_file(&r, "github_star", "json"));
    assert_true(str_starts(body_of(&r), STR("*acme/web*: dave starred it")));
    mustache_destroy((struct mustache *)(uintptr_t)t.text);
    rig_finish(&r);
}

// Values are no markup in templates either, and forms and texts have a context too.
static void test_template_contexts(void **state)
{
    (void)state;
    struct profile_rig r;
    struct webhook_template t = {.event = STR_NONE};
    rig_init(&r);
    template_is(&r, &t, "{{host}}{{text}}!");
    rig_read(&r, "text", STR("*b*"));
    assert_str(rig_shown(&r.a, body_of(&r)), "^*b*!");
    rig_header(&r, "Content-Type", "application/x-www-form-urlencoded");
    rig_read(&r, "form", STR("host=db1"));
    assert_str(body_of(&r), "db1!");
    mustache_destroy((struct mustache *)(uintptr_t)t.text);
    rig_finish(&r);
}

// What Apprise's json:// posts.
static void test_an_empty_list_of_files_is_no_mark_of_ours(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_read(&r, "auto",
             STR("{\"version\":\"1.0\",\"title\":\"t\",\"message\":\"m\",\"attachments\":[],\"type\":\"info\"}"));
    assert_int_equal(r.out.count, 1);
    assert_true(r.out.generic);
    assert_non_null(strstr(r.out.posts[0].body.p, "m"));
    rig_read(&r, "native", STR("{\"attachments\":[]}"));
    assert_int_equal(r.out.problem.status, 422);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_list_of_files_is_no_mark_of_ours),
        cmocka_unit_test(test_every_member),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_plain_by_setting),
        cmocka_unit_test(test_wrong_members),
        cmocka_unit_test(test_members_may_be_null),
        cmocka_unit_test(test_keys_and_replies),
        cmocka_unit_test(test_long_keys_are_hashed),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_bad_json_tells_its_place),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_a_template_that_fails_gives_way),
        cmocka_unit_test(test_templates_for_each_alert),
        cmocka_unit_test(test_our_names_come_first),
        cmocka_unit_test(test_templates_by_event),
        cmocka_unit_test(test_template_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
