/* Gotify, ntfy, CloudEvents: who only wants to tell something. */
#include "profile_rig.h"

static void run(const char *profile, const char *name, const char *type)
{
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", type);
    rig_expect(&r, profile, name);
    rig_finish(&r);
}

static void test_payloads(void **state)
{
    (void)state;
    run("gotify", "gotify", "application/json");
    run("ntfy", "ntfy", "application/json");
    run("cloudevents", "cloudevents", "application/cloudevents+json; charset=UTF-8");
    run("cloudevents", "cloudevents_batch", "application/cloudevents-batch+json");
}

static void test_auto_finds_them(void **state)
{
    (void)state;
    run("auto", "gotify", "application/json");
    run("auto", "ntfy", "application/json");
    run("auto", "cloudevents", "application/json");
    run("auto", "cloudevents_batch", "application/cloudevents-batch+json");
}

static struct str body_of(struct profile_rig *r)
{
    if (r->out.count != 1)
        fail_msg("%zu posts, problem %d " STR_FMT, r->out.count, r->out.problem.status, STR_ARG(r->out.problem.detail));
    return r->out.posts[0].body;
}

static void test_gotify_forms(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "message");
    rig_header(&r, "Content-Type", "application/x-www-form-urlencoded");
    rig_read(&r, "gotify", STR("title=Backup&message=done%21&priority=5"));
    assert_str(body_of(&r), "*Backup*\ndone!");
    rig_read(&r, "gotify", STR("title=Backup"));
    assert_int_equal(r.out.problem.status, 400);
    assert_str(r.out.problem.pointer, "/message");
    r.segments[0] = STR("application");
    rig_read(&r, "gotify", STR("message=x"));
    assert_int_equal(r.out.problem.status, 404);
    rig_finish(&r);
}

// As `curl -H "Title: ..." -d "text" host/topic` does.
static void test_ntfy_headers(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "backups");
    r.in.method = STR("PUT");
    rig_header(&r, "content-type", "application/x-www-form-urlencoded");
    rig_header(&r, "title", "=?UTF-8?B?R3LDvMOfZQ==?=");
    rig_header(&r, "X-Priority", "5");
    rig_header(&r, "Tags", "warning,db1");
    rig_header(&r, "Click", "https://e.org/c");
    rig_header(&r, "Actions", "view, Open the door, https://e.org/d, clear=true; http, Close, https://e.org/e");
    rig_header(&r, "Attach", "https://e.org/a.png");
    rig_header(&r, "Icon", "https://e.org/i.png");
    rig_read(&r, "ntfy", STR("a=b & *c*"));
    assert_str(rig_shown(&r.a, body_of(&r)),
               "❗ ⚠️ *Grüße*\na=b & ^*c*\nTags: db1\n<https://e.org/c>\nOpen the door <https://e.org/d>");
    assert_str(r.out.posts[0].files[0].url, "https://e.org/a.png");
    assert_str(r.out.posts[0].avatar, "https://e.org/i.png");
    rig_finish(&r);
}

static void test_ntfy_headers_count_first(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "t");
    r.in.query = STR("t=from+the+query&md=1&message=**b**");
    rig_read(&r, "ntfy", STR_NONE);
    assert_str(body_of(&r), "*from the query*\n*b*");
    rig_header(&r, "Title", "from the header");
    rig_read(&r, "ntfy", STR_NONE);
    assert_str(body_of(&r), "*from the header*\n*b*");
    r.in.query = STR_NONE;
    rig_read(&r, "ntfy", STR_NONE);
    assert_str(body_of(&r), "*from the header*\ntriggered");
    rig_header(&r, "Delay", "30min");
    rig_read(&r, "ntfy", STR("x"));
    assert_int_equal(r.out.problem.status, 422);
    assert_str(r.out.problem.pointer, "/delay");
    rig_finish(&r);
}

static void test_ntfy_files(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_path(&r, "t");
    r.in.method = STR("PUT");
    rig_header(&r, "Filename", "flower.jpg");
    rig_header(&r, "Content-Type", "image/jpeg");
    rig_read(&r, "ntfy", STR("\xff\xd8\xff"));
    assert_str(body_of(&r), "");
    assert_int_equal(r.out.posts[0].file_count, 1);
    assert_str(r.out.posts[0].files[0].name, "flower.jpg");
    assert_str(r.out.posts[0].files[0].type, "image/jpeg");
    assert_str(r.out.posts[0].files[0].data, "\xff\xd8\xff");
    rig_finish(&r);
}

static void test_ntfy_bad_json(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "Content-Type", "application/json");
    rig_read(&r, "ntfy", STR("{\"topic\":\"x\",\n"));
    assert_int_equal(r.out.problem.status, 400);
    assert_true(str_find_str(r.out.problem.detail, STR("line 2, column")) > 0);
    rig_finish(&r);
}

static void test_cloudevents_binary(void **state)
{
    (void)state;
    struct profile_rig r;
    rig_init(&r);
    rig_header(&r, "ce-specversion", "1.0");
    rig_header(&r, "Ce-Type", "com.example.sensor");
    rig_header(&r, "ce-source", "/sensors/tn-1234567/alerts");
    rig_header(&r, "ce-id", "C%2F1");
    rig_header(&r, "ce-subject", "Euro%20%E2%82%AC");
    rig_header(&r, "Content-Type", "text/plain");
    rig_read(&r, NULL, STR("21 *degrees*"));
    assert_str(rig_shown(&r.a, body_of(&r)), "*com.example.sensor* Euro € (/sensors/tn-1234567/alerts)\n21 ^*degrees*");
    assert_str(r.out.delivery, "/sensors/tn-1234567/alerts#C/1");
    assert_str(r.out.event, "com.example.sensor");
    r.headers[5].value = STR("application/json");
    rig_read(&r, NULL, STR("{\"message\":\"m\"}"));
    assert_str(body_of(&r), "*com.example.sensor* Euro € (/sensors/tn-1234567/alerts)\nm");
    rig_read(&r, NULL, STR("{"));
    assert_int_equal(r.out.problem.status, 400);
    rig_finish(&r);
}

static void test_cloudevents_handshake(void **state)
{
    (void)state;
    struct profile_rig r;
    struct webhook_answer answer;
    const char *allow;
    rig_init(&r);
    r.in.method = STR("OPTIONS");
    rig_header(&r, "WebHook-Request-Origin", "eventemitter.example.com");
    rig_header(&r, "WebHook-Request-Rate", "120");
    assert_true(webhook_profile_method(NULL, &r.in, &allow));
    rig_read(&r, NULL, STR_NONE);
    assert_true(r.out.handshake);
    assert_int_equal(r.out.count, 0);
    webhook_profile_success(&r.out, &r.in, NULL, &r.a, &answer);
    assert_int_equal(answer.status, 200);
    assert_str(answer.headers[0].name, "Allow");
    assert_str(answer.headers[1].name, "WebHook-Allowed-Origin");
    assert_str(answer.headers[1].value, "eventemitter.example.com");
    assert_str(answer.headers[2].name, "WebHook-Allowed-Rate");
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_auto_finds_them),
        cmocka_unit_test(test_gotify_forms),
        cmocka_unit_test(test_ntfy_headers),
        cmocka_unit_test(test_ntfy_headers_count_first),
        cmocka_unit_test(test_ntfy_files),
        cmocka_unit_test(test_ntfy_bad_json),
        cmocka_unit_test(test_cloudevents_binary),
        cmocka_unit_test(test_cloudevents_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
