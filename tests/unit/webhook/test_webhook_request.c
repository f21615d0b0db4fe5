/* From the head to the answer. */
#include "unit/webhook/webhook_rig.h"

static struct http_exchange *ask(struct rig *g, enum http_method method, const char *name, const char *target)
{
    struct http_exchange *x = rig_exchange(g, method, name, target, NULL);
    rig_run(g, x);
    return x;
}

static void test_what_is_posted_is_said_and_answered_when_it_is_on_disk(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"disk full\"}", NULL);
    struct rig_post *p = rig_said(g);
    assert_int_equal(p->type, MESSAGE_GROUPCHAT);
    assert_int_equal(p->flags, EVENT_DURABLE | EVENT_TELL);
    assert_string_equal(p->key, "alerts");
    assert_string_equal(p->user, "ops@rooms.x");
    assert_string_equal(p->nick, "Alerts");
    assert_string_equal(p->body, "disk full");
    assert_true(p->token);
    assert_int_equal(x->answers, 0);
    rig_journal(g);
    assert_int_equal(x->status, 202);
    char location[256];
    snprintf(location, sizeof location, RIG_PATH "/messages/%s", p->id);
    assert_string_equal(rig_got(x, "Location"), location);
    check_has(x->text, p->id);
    check_has(x->text, "\"queued\"");
    rig_free(g);
}

static void test_the_token_is_nowhere_in_the_log(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    rig_post_to(g, "/h/alerts/wrongwrongwrongwrongwrong", "{\"body\": \"a\"}", NULL);
    rig_post_to(g, "/h/alerts?token=wrongwrongwrongwrongwrong", "{\"body\": \"a\"}", NULL);
    check_has(g->log, "msg=request");
    assert_null(strstr(g->log, RIG_TOKEN));
    assert_null(strstr(g->log, "wrongwrong"));
    rig_free(g);
}

static void test_a_token_may_stand_in_the_query(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, "/h/alerts?token=" RIG_TOKEN, "{\"body\": \"a\"}", NULL));
    rig_free(g);
}

static void test_an_unknown_hook_looks_like_a_wrong_token(void **state)
{
    (void)state;
    static const char *const targets[] = {"/h/alerts/abcdefghijklmnopqrstuvwxyz234566",
                                          "/h/alerts",
                                          "/h/none/abcdefghijklmnopqrstuvwxyz234567",
                                          "/h/none",
                                          "/h/",
                                          "/",
                                          "/x/alerts"};
    struct rig *g = rig_start(RIG_HOOK(", profile: slack"));
    struct http_exchange *first = NULL;
    for (size_t i = 0; i < COUNT(targets); i++) {
        struct http_exchange *x = rig_post_to(g, targets[i], "{}", NULL);
        first = first ? first : x;
        assert_int_equal(x->status, 404);
        assert_string_equal(x->text, first->text);
        assert_int_equal(x->got_count, first->got_count);
    }
    assert_int_equal(ask(g, HTTP_METHOD_GET, "GET", "/h/alerts/abcdefghijklmnopqrstuvwxyz234566")->status, 404);
    assert_null(rig_next(g, EV_MESSAGE));
    rig_free(g);
}

static void test_who_fails_again_and_again_has_to_wait(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = NULL;
    for (unsigned i = 0; i <= 20; i++)
        x = rig_post_to(g, "/h/alerts", "{}", NULL);
    assert_int_equal(x->status, 429);
    assert_non_null(rig_got(x, "Retry-After"));
    assert_int_equal(rig_post_to(g, RIG_PATH, "{}", NULL)->status, 429); // else the answer would tell
    x = rig_exchange(g, HTTP_METHOD_POST, "POST", RIG_PATH, "{\"body\":\"a\"}");
    rig_source(x, "192.0.2.8");
    rig_run(g, x);
    rig_accepted(g, x);
    rig_free(g);
}

static void test_only_some_methods_post(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = ask(g, HTTP_METHOD_GET, "GET", RIG_PATH);
    assert_int_equal(x->status, 405);
    check_has(rig_got(x, "Allow"), "POST");
    assert_null(strstr(rig_got(x, "Allow"), "GET"));
    size_t allows = 0;
    for (size_t i = 0; i < x->got_count; i++)
        allows += str_eq_c(str_c(x->got[i].name), "Allow");
    assert_int_equal(allows, 1);
    assert_int_equal(ask(g, HTTP_METHOD_HEAD, "HEAD", RIG_PATH)->status, 405);
    assert_null(rig_next(g, EV_MESSAGE));
    rig_free(g);
}

static void test_faults_of_the_request_are_told_with_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int status;
        const char *part;
    } cases[] = {
        {"{", 400, "detail"},
        {"{\"body\": 5}", 422, "\"pointer\":\"/body\""},
        {"{\"body\": \"a\", \"to\": [\"x@y\"]}", 422, "\"pointer\":\"/to\""},
        {"{\"body\": \"a\", \"replace\": \"msg_x\"}", 404, "no message"},
    };
    struct rig *g = rig_start(RIG_HOOK(", profile: native"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_exchange *x = rig_post_to(g, RIG_PATH, cases[i].body, NULL);
        assert_int_equal(x->status, cases[i].status);
        assert_string_equal(rig_got(x, "Content-Type"), "application/problem+json");
        check_has(x->text, cases[i].part);
    }
    assert_null(rig_next(g, EV_MESSAGE));
    rig_free(g);
}

static void test_a_body_is_as_large_as_the_hook_takes(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", max_body: 1KiB"));
    char body[1100];
    memset(body, ' ', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    memcpy(body, "{\"body\":\"a\"}", 12);
    assert_int_equal(rig_post_to(g, RIG_PATH, body, NULL)->status, 413);
    body[1024] = '\0';
    rig_accepted(g, rig_post_to(g, RIG_PATH, body, NULL));
    rig_free(g);
}

static void test_a_signature_is_looked_at_with_the_body(void **state)
{
    (void)state;
    struct rig *g = rig_start("hooks: {alerts: {rooms: [ops@rooms.x], auth: [{type: github, secret: "
                              "0123456789abcdef0123456789abcdef}]}}");
    static const char *const good[] = {"X-Hub-Signature-256",
                                       "sha256=431f40b6abde216346398475587817f1dd9381860f42613d07b6728c59cb181a", NULL};
    struct http_exchange *x = rig_post_to(g, "/h/alerts", "{\"body\": \"b\"}", good);
    assert_int_equal(x->status, 403);
    assert_null(rig_next(g, EV_MESSAGE));
    rig_accepted(g, rig_post_to(g, "/h/alerts", "{\"body\": \"a\"}", good));
    assert_int_equal(rig_post_to(g, "/h/alerts", "{\"body\": \"a\"}", NULL)->status, 403);
    rig_free(g);
}

static void test_success_is_as_the_profile_has_it(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH "/slack", "{\"text\": \"hello\"}", NULL);
    rig_journal(g);
    assert_int_equal(x->status, 200);
    assert_string_equal(x->text, "ok");
    x = rig_post_to(g, RIG_PATH "/discord", "{\"content\": \"hello\"}", NULL);
    rig_journal(g);
    assert_int_equal(x->status, 204);
    rig_free(g);
}

/* Idempotency. */

static const char *const key[] = {"Idempotency-Key", "one", NULL};

static void test_the_same_request_is_said_once(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    struct http_exchange *busy = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    assert_int_equal(busy->status, 409);
    rig_accepted(g, x);
    assert_int_equal(rig_said(g)->flags, EVENT_DURABLE | EVENT_TELL | EVENT_AGAIN);
    struct http_exchange *again = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    assert_int_equal(again->status, 202);
    assert_string_equal(again->text, x->text);
    assert_string_equal(rig_got(again, "Idempotent-Replayed"), "true");
    assert_null(rig_got(x, "Idempotent-Replayed"));
    assert_int_equal(rig_post_to(g, RIG_PATH, "{\"body\": \"b\"}", key)->status, 422);
    assert_null(rig_next(g, EV_MESSAGE));
    rig_free(g);
}

static void test_what_was_refused_is_tried_again_under_the_same_id(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    char id[48];
    snprintf(id, sizeof id, "%s", rig_said(g)->id);
    rig_answer(g, ERR_AGAIN);
    assert_true(x->status >= 429);
    assert_int_equal(rows_there(&g->rows), 0);
    x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    assert_string_equal(rig_said(g)->id, id);
    rig_accepted(g, x);
    rig_free(g);
}

static void test_keys_outlive_a_restart(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    rig_accepted(g, x);
    rig_restart(g, RIG_HOOK(""));
    struct http_exchange *again = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    assert_string_equal(again->text, x->text);
    assert_null(rig_next(g, EV_MESSAGE));
    rig_free(g);
}

static void test_a_kill_before_the_row_gives_the_same_id(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    char id[48];
    snprintf(id, sizeof id, "%s", rig_said(g)->id);
    rig_restart(g, RIG_HOOK(""));
    rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    struct rig_post *p = rig_said(g);
    assert_string_equal(p->id, id);
    assert_true(p->flags & EVENT_AGAIN);
    rig_free(g);
}

static void test_keys_of_services_and_of_the_payload(void **state)
{
    (void)state;
    static const char *const names[] = {"webhook-id", "X-GitHub-Delivery", "X-Gitea-Delivery", "X-Forgejo-Delivery",
                                        "X-Gitlab-Event-UUID"};
    struct rig *g = rig_start(RIG_HOOK(", idempotency_path: event.id"));
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *const headers[] = {names[i], names[i], NULL};
        rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", headers));
        struct http_exchange *again = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", headers);
        assert_string_equal(rig_got(again, "Idempotent-Replayed"), "true");
    }
    static const char *const event[] = {"X-Gitlab-Event-UUID", "X-Gitlab-Event-UUID", NULL};
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"what it led to\"}", event));
    static const char body[] = "{\"body\": \"a\", \"event\": {\"id\": 7}}";
    static const char *const profile[] = {"Prefer", "respond-async", NULL};
    struct http_exchange *x = rig_post_to(g, RIG_PATH, body, profile);
    rig_journal(g);
    assert_true(x->status < 300);
    assert_string_equal(rig_got(rig_post_to(g, RIG_PATH, body, NULL), "Idempotent-Replayed"), "true");
    rig_free(g);
}

/* Limits. */

static void test_a_hook_has_its_pace(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", rate: {per_second: 0.1, burst: 2}, profile: native"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"b\"}", NULL));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"c\"}", NULL);
    assert_int_equal(x->status, 429);
    assert_in_range(strtol(rig_got(x, "Retry-After"), NULL, 10), 10, 11);
    rig_pass(g, 10100);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"d\"}", NULL));
    rig_free(g);
}

static void test_who_gives_up_on_429_gets_503(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", rate: {per_second: 0.1, burst: 1}, profile: alertmanager"));
    rig_post_to(g, RIG_PATH, "{\"alerts\": []}", NULL);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"alerts\": []}", NULL);
    assert_int_equal(x->status, 503);
    assert_non_null(rig_got(x, "Retry-After"));
    rig_free(g);
}

static void test_a_source_and_a_room_have_theirs(void **state)
{
    (void)state;
    struct rig *g = rig_start(
        "limits: {per_source: 0.1, source_burst: 2, per_room: 0.1, room_burst: 3}\n" RIG_HOOK(", profile: native"));
    for (int i = 0; i < 2; i++)
        rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"b\"}", NULL);
    assert_int_equal(x->status, 429);
    check_has(x->text, "address");
    x = rig_exchange(g, HTTP_METHOD_POST, "POST", RIG_PATH, "{\"body\":\"c\"}");
    rig_source(x, "2001:db8::1");
    rig_run(g, x);
    rig_accepted(g, x);
    x = rig_exchange(g, HTTP_METHOD_POST, "POST", RIG_PATH, "{\"body\":\"d\"}");
    rig_source(x, "2001:db8:1::2");
    rig_run(g, x);
    assert_int_equal(x->status, 429);
    check_has(x->text, "room");
    rig_free(g);
}

/* Messages. */

static void test_where_a_message_is_can_be_asked(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    rig_accepted(g, x);
    struct rig_post *p = rig_said(g);
    rig_settle(g, p->id, "room-1", ERR_OK);
    char where[256];
    snprintf(where, sizeof where, "%s", rig_got(x, "Location"));
    struct http_exchange *get = ask(g, HTTP_METHOD_GET, "GET", where);
    assert_int_equal(get->status, 200);
    check_has(get->text, "\"status\":\"confirmed\"");
    check_has(get->text, "\"stanza_id\":\"room-1\"");
    assert_int_equal(ask(g, HTTP_METHOD_GET, "GET", RIG_PATH "/messages/msg_none")->status, 404);
    snprintf(where, sizeof where, "/h/alerts/messages/%s", p->id);
    assert_int_equal(ask(g, HTTP_METHOD_GET, "GET", where)->status, 404); // without the token
    rig_free(g);
}

static void test_messages_of_another_hook_are_unknown(void **state)
{
    (void)state;
    static const char text[] = "hooks: {a: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN
                               "}]}, b: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}}";
    struct rig *g = rig_start(text);
    rig_accepted(g, rig_post_to(g, "/h/a/" RIG_TOKEN, "{\"body\": \"a\"}", NULL));
    const char *id = rig_said(g)->id;
    char where[256];
    snprintf(where, sizeof where, "/h/b/" RIG_TOKEN "/messages/%s", id);
    assert_int_equal(ask(g, HTTP_METHOD_GET, "GET", where)->status, 404);
    assert_int_equal(ask(g, HTTP_METHOD_DELETE, "DELETE", where)->status, 404);
    snprintf(where, sizeof where, "/h/a/" RIG_TOKEN "/messages/%s", id);
    assert_int_equal(ask(g, HTTP_METHOD_GET, "GET", where)->status, 200);
    rig_free(g);
}

static void test_a_sender_that_goes_leaves_its_message(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key);
    rig_gone(g, x);
    rig_journal(g);
    assert_int_equal(x->answers, 0);
    assert_string_equal(rig_got(rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", key), "Idempotent-Replayed"), "true");
    x = rig_exchange(g, HTTP_METHOD_POST, "POST", RIG_PATH, "{}"); // goes before its body is there
    assert_true(g->servers[0].handler.head(g->servers[0].ud, x) > 0);
    rig_gone(g, x);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_posted_is_said_and_answered_when_it_is_on_disk),
        cmocka_unit_test(test_the_token_is_nowhere_in_the_log),
        cmocka_unit_test(test_a_token_may_stand_in_the_query),
        cmocka_unit_test(test_an_unknown_hook_looks_like_a_wrong_token),
        cmocka_unit_test(test_who_fails_again_and_again_has_to_wait),
        cmocka_unit_test(test_only_some_methods_post),
        cmocka_unit_test(test_faults_of_the_request_are_told_with_their_place),
        cmocka_unit_test(test_a_body_is_as_large_as_the_hook_takes),
        cmocka_unit_test(test_a_signature_is_looked_at_with_the_body),
        cmocka_unit_test(test_success_is_as_the_profile_has_it),
        cmocka_unit_test(test_the_same_request_is_said_once),
        cmocka_unit_test(test_what_was_refused_is_tried_again_under_the_same_id),
        cmocka_unit_test(test_keys_outlive_a_restart),
        cmocka_unit_test(test_a_kill_before_the_row_gives_the_same_id),
        cmocka_unit_test(test_keys_of_services_and_of_the_payload),
        cmocka_unit_test(test_a_hook_has_its_pace),
        cmocka_unit_test(test_who_gives_up_on_429_gets_503),
        cmocka_unit_test(test_a_source_and_a_room_have_theirs),
        cmocka_unit_test(test_where_a_message_is_can_be_asked),
        cmocka_unit_test(test_messages_of_another_hook_are_unknown),
        cmocka_unit_test(test_a_sender_that_goes_leaves_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
