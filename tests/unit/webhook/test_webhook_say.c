/* What a post becomes: whom it goes to, as whom, what it corrects, and its files. */
#include "unit/webhook/webhook_rig.h"

#define NAMED(options)                                                                                                 \
    "hooks: {alerts: {title: Alerts, rooms: [ops@rooms.x], users: [ann@x], may_address: [dev@rooms.x], auth: "         \
    "[{type: token, secret: " RIG_TOKEN "}]" options "}}"

enum { WEBHOOK_PUPPETS = 30 };

static const char *said_to(struct rig *g, const char *json)
{
    rig_accepted(g, rig_post_to(g, RIG_PATH, json, NULL));
    struct rig_post *p = rig_said(g);
    assert_null(rig_next(g, EV_MESSAGE));
    return p->user;
}

static void test_a_sender_chooses_among_what_the_hook_lets_him(void **state)
{
    (void)state;
    struct rig *g = rig_start(NAMED(""));
    assert_string_equal(said_to(g, "{\"body\": \"a\", \"to\": [\"dev@rooms.x\"]}"), "dev@rooms.x");
    assert_string_equal(said_to(g, "{\"body\": \"a\", \"to\": [\"ann@x\"]}"), "ann@x");
    assert_string_equal(said_to(g, "{\"text\": \"a\", \"channel\": \"#dev\"}"), "dev@rooms.x");
    assert_string_equal(said_to(g, "{\"text\": \"a\", \"channel\": \"@ann\"}"), "ann@x");
    assert_string_equal(said_to(g, "{\"body\": \"a\", \"to\": [\"dev@rooms.x\", \"#dev\"]}"), "dev@rooms.x");
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"to\": [\"boss@x\"]}", NULL);
    assert_int_equal(x->status, 422);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"text\": \"a\", \"channel\": \"#nowhere\"}", NULL));
    assert_string_equal(rig_said(g)->user, "ops@rooms.x"); // a channel that is not ours is no wish
    assert_string_equal(rig_said(g)->user, "ann@x");
    rig_free(g);
}

static void test_subject_and_names_stand_before_the_text(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, RIG_PATH,
                                "{\"body\": \"a\", \"subject\": \"News\", \"mentions\": [\"ann\", \"bob\"]}", NULL));
    assert_string_equal(rig_said(g)->body, "News\nann, bob: a");
    rig_free(g);
}

static void test_a_name_of_the_sender_by_policy(void **state)
{
    (void)state;
    static const struct {
        const char *options, *body, *nick, *key;
    } cases[] = {
        {RIG_HOOK(""), "ci: built", "Alerts", "alerts"},
        {RIG_HOOK(", username: ignore, nick: bot, suffix: \"!\""), "built", "bot!", "alerts"},
        {RIG_HOOK(", username: puppet, suffix: \" (bot)\""), "built", "ci (bot)", "alerts/ci"},
        {RIG_HOOK(", identity: shared"), "ci: built", "Alerts", "*"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *g = rig_start(cases[i].options);
        rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"built\", \"nick\": \"ci\"}", NULL));
        struct rig_post *p = rig_said(g);
        assert_string_equal(p->body, cases[i].body);
        assert_string_equal(p->nick, cases[i].nick);
        assert_string_equal(p->key, cases[i].key);
        rig_free(g);
    }
}

static void test_a_block_begins_its_own_line(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"> quoted\", \"nick\": \"ci\"}", NULL));
    assert_string_equal(rig_said(g)->body, "ci: \n> quoted");
    rig_free(g);
}

static struct rig_post *puppet(struct rig *g, int number, bool settled)
{
    char json[64];
    snprintf(json, sizeof json, "{\"body\": \"a\", \"nick\": \"p%d\"}", number);
    rig_pass(g, 1000);
    rig_accepted(g, rig_post_to(g, RIG_PATH, json, NULL));
    size_t from = g->read;
    struct rig_post *p = rig_said(g);
    if (settled)
        rig_settle(g, p->id, "s", ERR_OK);
    g->read = from;
    return p;
}

static void test_puppets_are_bounded(void **state)
{
    (void)state;
    struct rig *g = rig_start("limits: {per_source: 0, per_room: 0}\n" RIG_HOOK(", username: puppet"));
    for (int i = 0; i < 30; i++) {
        assert_true(str_starts(str_c(puppet(g, i, i != 0)->key), STR("alerts/p")));
        assert_non_null(rig_next(g, EV_IDENTITY));
        g->read = g->count;
    }
    puppet(g, 1, true); // is not the idlest any more
    g->read = g->count;
    assert_string_equal(puppet(g, 30, true)->key, "alerts/p30");
    assert_string_equal(rig_next(g, EV_FORGET)->key, "alerts/p2"); // p0 has something on its way
    rig_free(g);
}

static void test_puppets_of_an_earlier_run_count(void **state)
{
    (void)state;
    struct rig *g = rig_new();
    rig_create(g, RIG_HOOK(", username: puppet"));
    g->a->ops->known(g->a, STR("alerts"), false);
    g->a->ops->known(g->a, STR("alerts/ci"), false);
    g->a->ops->start(g->a);
    g->read = g->count;
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"nick\": \"ci\"}", NULL));
    size_t from = g->read;
    assert_null(rig_next(g, EV_IDENTITY));
    g->read = from;
    assert_string_equal(rig_said(g)->key, "alerts/ci");
    rig_free(g);
}

// What waits in the journal is not known here after a restart: nobody is forgotten who may have to say it.
static void test_puppets_of_an_earlier_run_stay_for_a_day(void **state)
{
    (void)state;
    char key[32];
    struct rig *g = rig_new();
    rig_create(g, RIG_HOOK(", username: puppet"));
    for (int i = 0; i < WEBHOOK_PUPPETS; i++) {
        snprintf(key, sizeof key, "alerts/p%d", i);
        g->a->ops->known(g->a, str_c(key), false);
    }
    g->a->ops->start(g->a);
    assert_string_equal(puppet(g, 40, true)->key, "alerts"); // it is named before the text
    g->read = 0;
    assert_null(rig_next(g, EV_FORGET));
    rig_pass(g, 86400000);
    assert_string_equal(puppet(g, 41, true)->key, "alerts/p41");
    assert_string_equal(rig_next(g, EV_FORGET)->key, "alerts/p0");
    rig_free(g);
}

/* Corrections. */

static void test_posts_of_a_key_correct_the_first(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"key\": \"k\"}", NULL));
    struct rig_post *first = rig_said(g);
    assert_string_equal(first->replace, "");
    rig_settle(g, first->id, "room-1", ERR_OK);
    for (int i = 0; i < 2; i++) {
        rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"b\", \"key\": \"k\"}", NULL));
        struct rig_post *next = rig_said(g);
        assert_string_equal(next->replace, first->id);
        assert_string_equal(next->reply, "room-1");
    }
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"c\", \"key\": \"k\", \"mode\": \"reply\"}", NULL));
    struct rig_post *reply = rig_said(g);
    assert_string_equal(reply->replace, "");
    assert_string_equal(reply->reply, "room-1");
    rig_free(g);
}

static void test_keys_live_for_their_window_and_over_a_restart(void **state)
{
    (void)state;
    static const char post[] = "{\"body\": \"a\", \"key\": \"k\"}";
    static const char text[] = RIG_HOOK(", update: {window: 1h}");
    struct rig *g = rig_start(text);
    rig_accepted(g, rig_post_to(g, RIG_PATH, post, NULL));
    char first[48];
    snprintf(first, sizeof first, "%s", rig_said(g)->id);
    rig_settle(g, first, "room-1", ERR_OK);
    rig_restart(g, text);
    rig_accepted(g, rig_post_to(g, RIG_PATH, post, NULL));
    struct rig_post *p = rig_said(g);
    assert_string_equal(p->replace, first);
    assert_string_equal(p->reply, "room-1");
    rig_pass(g, 3600001);
    rig_accepted(g, rig_post_to(g, RIG_PATH, post, NULL));
    assert_string_equal(rig_said(g)->replace, "");
    rig_free(g);
}

static void test_a_message_that_comes_again_does_not_correct_itself(void **state)
{
    (void)state;
    static const char *const key[] = {"Idempotency-Key", "one", NULL};
    static const char post[] = "{\"body\": \"a\", \"key\": \"k\"}";
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_post_to(g, RIG_PATH, post, key); // a kill before it was answered
    char id[48];
    snprintf(id, sizeof id, "%s", rig_said(g)->id);
    rig_restart(g, RIG_HOOK(""));
    rig_post_to(g, RIG_PATH, post, key);
    struct rig_post *p = rig_said(g);
    assert_string_equal(p->id, id);
    assert_string_equal(p->replace, "");
    rig_free(g);
}

static void test_what_was_never_said_is_not_corrected(void **state)
{
    (void)state;
    static const char post[] = "{\"body\": \"a\", \"key\": \"k\"}";
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_post_to(g, RIG_PATH, post, NULL);
    rig_answer(g, ERR_AGAIN);
    rig_said(g);
    rig_accepted(g, rig_post_to(g, RIG_PATH, post, NULL));
    struct rig_post *p = rig_said(g);
    assert_string_equal(p->replace, "");
    rig_settle(g, p->id, "", ERR_TIMEOUT); // too old
    rig_accepted(g, rig_post_to(g, RIG_PATH, post, NULL));
    assert_string_equal(rig_said(g)->replace, "");
    rig_free(g);
}

#define ALERT(status)                                                                                                  \
    "{\"version\":\"4\",\"groupKey\":\"g\",\"status\":\"" status "\",\"receiver\":\"r\",\"groupLabels\":{},"           \
    "\"commonLabels\":{\"alertname\":\"Disk\"},\"commonAnnotations\":{},\"externalURL\":\"http://x\",\"alerts\":[{"    \
    "\"status\":\"" status "\",\"labels\":{\"alertname\":\"Disk\"},\"annotations\":{},\"startsAt\":"                   \
    "\"2025-10-09T08:00:00Z\",\"endsAt\":\"2025-10-09T08:10:00Z\",\"generatorURL\":\"\",\"fingerprint\":\"f\"}]}"

static void test_an_alert_is_one_message_until_it_is_resolved(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", profile: alertmanager"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, ALERT("firing"), NULL));
    struct rig_post *fires = rig_said(g);
    rig_accepted(g, rig_post_to(g, RIG_PATH, ALERT("resolved"), NULL));
    assert_string_equal(rig_said(g)->replace, fires->id);
    rig_accepted(g, rig_post_to(g, RIG_PATH, ALERT("firing"), NULL));
    assert_string_equal(rig_said(g)->replace, "");
    rig_free(g);
}

static void test_a_last_word_that_is_refused_corrects_when_it_comes_again(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", profile: alertmanager"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, ALERT("firing"), NULL));
    struct rig_post *fires = rig_said(g);
    struct http_exchange *x = rig_post_to(g, RIG_PATH, ALERT("resolved"), NULL);
    rig_answer(g, ERR_AGAIN);
    assert_int_equal(x->status, 503);
    assert_string_equal(rig_said(g)->replace, fires->id);
    rig_accepted(g, rig_post_to(g, RIG_PATH, ALERT("resolved"), NULL));
    assert_string_equal(rig_said(g)->replace, fires->id);
    rig_accepted(g, rig_post_to(g, RIG_PATH, ALERT("firing"), NULL));
    assert_string_equal(rig_said(g)->replace, "");
    rig_free(g);
}

static struct http_exchange *change(struct rig *g, enum http_method method, const char *name, const char *id,
                                    const char *body)
{
    char target[256];
    snprintf(target, sizeof target, RIG_PATH "/messages/%s", id);
    struct http_exchange *x = rig_exchange(g, method, name, target, body);
    if (body)
        rig_header(x, "Content-Type", "application/json");
    rig_run(g, x);
    return x;
}

static void test_a_message_is_changed_and_taken_back_by_its_id(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", users: [ann@x]"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    struct rig_post *first = rig_said(g), *second = rig_said(g);
    rig_settle(g, first->id, "room-1", ERR_OK);
    struct http_exchange *x = change(g, HTTP_METHOD_PATCH, "PATCH", first->id, "{\"body\": \"b\"}");
    rig_journal(g);
    assert_int_equal(x->status, 202);
    check_has(x->text, first->id);
    struct rig_post *p = rig_said(g);
    assert_string_equal(p->replace, first->id);
    assert_string_equal(p->reply, "room-1");
    assert_string_equal(p->body, "b");
    assert_false(p->flags & EVENT_RETRACT);
    assert_string_equal(rig_said(g)->replace, second->id);
    x = change(g, HTTP_METHOD_DELETE, "DELETE", first->id, NULL);
    rig_journal(g);
    assert_true(x->status < 300);
    p = rig_said(g);
    assert_string_equal(p->replace, first->id);
    assert_true(p->flags & EVENT_RETRACT);
    assert_null(rig_next(g, EV_MESSAGE)); // what a person was sent cannot be taken back
    assert_int_equal(change(g, HTTP_METHOD_DELETE, "DELETE", "msg_none", NULL)->status, 404);
    rig_free(g);
}

static void test_what_was_taken_back_stays_so(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"key\": \"fire\"}", NULL));
    struct rig_post *first = rig_said(g);
    rig_settle(g, first->id, "room-1", ERR_OK);
    (void)change(g, HTTP_METHOD_DELETE, "DELETE", first->id, NULL);
    rig_journal(g);
    assert_true(rig_said(g)->flags & EVENT_RETRACT);
    size_t count = g->count;
    struct http_exchange *x = change(g, HTTP_METHOD_PATCH, "PATCH", first->id, "{\"body\": \"b\"}");
    assert_int_equal(x->status, 404);
    check_has(x->text, "was taken back");
    assert_int_equal(change(g, HTTP_METHOD_DELETE, "DELETE", first->id, NULL)->status, 404);
    assert_int_equal(g->count, count);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"c\", \"key\": \"fire\"}", NULL));
    assert_string_equal(rig_said(g)->replace, "");
    rig_free(g);
}

/* Files. */

static void test_links_are_messages_behind_the_text(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g,
                 rig_post_to(g, RIG_PATH,
                             "{\"body\": \"a\", \"attachments\": [{\"url\": \"https://x/g.png\", \"name\": \"g.png\", "
                             "\"type\": \"image/png\"}]}",
                             NULL));
    struct rig_post *text = rig_said(g), *file = rig_said(g);
    assert_string_equal(text->url, "");
    assert_string_equal(file->url, "https://x/g.png");
    assert_string_equal(file->media, "image/png");
    assert_true(file->token);
    rig_free(g);
}

static void test_bytes_go_without_a_promise(void **state)
{
    (void)state;
    static const char body[] =
        "--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{\"content\": \"hi\"}"
        "\r\n--b\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.bin\"\r\n"
        "Content-Type: image/png\r\n\r\nBYTES\r\n--b--\r\n";
    struct rig *g = rig_start(RIG_HOOK(", profile: discord"));
    struct http_exchange *x = rig_exchange(g, HTTP_METHOD_POST, "POST", RIG_PATH, body);
    rig_header(x, "Content-Type", "multipart/form-data; boundary=b");
    rig_run(g, x);
    struct rig_post *text = rig_said(g), *file = rig_said(g);
    assert_string_equal(text->body, "hi");
    assert_int_equal(file->blob, 5);
    assert_string_equal(file->media, "image/png");
    assert_string_equal(file->name, "a.bin");
    assert_false(file->token);
    assert_false(file->flags & EVENT_DURABLE);
    rig_journal(g);
    assert_int_equal(x->status, 204);
    rig_free(g);
}

static void test_bytes_alone_are_promised_in_words(void **state)
{
    (void)state;
    static const char body[] =
        "--b\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a.bin\"\r\n\r\nBYTES"
        "\r\n--b--\r\n";
    struct rig *g = rig_start(RIG_HOOK(", profile: discord"));
    struct http_exchange *x = rig_exchange(g, HTTP_METHOD_POST, "POST", RIG_PATH, body);
    rig_header(x, "Content-Type", "multipart/form-data; boundary=b");
    rig_run(g, x);
    struct rig_post *text = rig_said(g);
    assert_string_equal(text->body, "File: a.bin");
    assert_true(text->token);
    assert_int_equal(rig_said(g)->blob, 5);
    rig_free(g);
}

static void test_what_becomes_too_many_messages_is_refused(void **state)
{
    (void)state;
    struct strbuf body;
    strbuf_init(&body, 65536);
    strbuf_c(&body, "[");
    for (int i = 0; i < 20; i++) {
        strbuf_c(&body, i ? ",{\"body\":\"a\",\"attachments\":[" : "{\"body\":\"a\",\"attachments\":[");
        for (int f = 0; f < 12; f++)
            strbuf_c(&body, f ? ",{\"url\":\"http://x\"}" : "{\"url\":\"http://x\"}");
        strbuf_c(&body, "]}");
    }
    strbuf_c(&body, "]");
    struct rig *g = rig_start(NAMED(", profile: native"));
    if (!body.full)
        assert_int_equal(rig_post_to(g, RIG_PATH, body.p, NULL)->status, 422);
    else
        fail_msg("the body is too small for this");
    assert_null(rig_next(g, EV_MESSAGE));
    strbuf_finish(&body);
    rig_free(g);
}

static void test_how_long_it_is_worth_saying(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", max_age: 1h"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    assert_int_equal(rig_said(g)->number, 3600000);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"ttl\": 60}", NULL));
    assert_int_equal(rig_said(g)->number, 60000);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"ttl\": 7200}", NULL));
    assert_int_equal(rig_said(g)->number, 3600000);
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sender_chooses_among_what_the_hook_lets_him),
        cmocka_unit_test(test_subject_and_names_stand_before_the_text),
        cmocka_unit_test(test_a_name_of_the_sender_by_policy),
        cmocka_unit_test(test_a_block_begins_its_own_line),
        cmocka_unit_test(test_puppets_are_bounded),
        cmocka_unit_test(test_puppets_of_an_earlier_run_count),
        cmocka_unit_test(test_puppets_of_an_earlier_run_stay_for_a_day),
        cmocka_unit_test(test_a_last_word_that_is_refused_corrects_when_it_comes_again),
        cmocka_unit_test(test_posts_of_a_key_correct_the_first),
        cmocka_unit_test(test_keys_live_for_their_window_and_over_a_restart),
        cmocka_unit_test(test_a_message_that_comes_again_does_not_correct_itself),
        cmocka_unit_test(test_what_was_never_said_is_not_corrected),
        cmocka_unit_test(test_an_alert_is_one_message_until_it_is_resolved),
        cmocka_unit_test(test_a_message_is_changed_and_taken_back_by_its_id),
        cmocka_unit_test(test_what_was_taken_back_stays_so),
        cmocka_unit_test(test_links_are_messages_behind_the_text),
        cmocka_unit_test(test_bytes_go_without_a_promise),
        cmocka_unit_test(test_bytes_alone_are_promised_in_words),
        cmocka_unit_test(test_what_becomes_too_many_messages_is_refused),
        cmocka_unit_test(test_how_long_it_is_worth_saying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
