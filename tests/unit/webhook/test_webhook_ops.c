/* What those who operate the bridge say to hooks. */
#include "unit/webhook/webhook_rig.h"

struct said {
    enum err err;
    char text[4096];
    struct errmsg msg;
};

static struct said operate(struct rig *g, const char *line)
{
    struct said s = {.msg = {""}};
    struct strbuf out;
    strbuf_init(&out, sizeof s.text);
    s.err = g->a->ops->operate(g->a, str_c(line), &out, &s.msg);
    snprintf(s.text, sizeof s.text, STR_FMT, STR_ARG(strbuf_view(&out)));
    strbuf_finish(&out);
    return s;
}

static struct said done(struct rig *g, const char *line)
{
    struct said s = operate(g, line);
    if (s.err)
        fail_msg("%s: %s", line, s.msg.text);
    return s;
}

// The path with its token, of what was shown.
static void take_path(const struct said *s, char out[128])
{
    const char *at = strstr(s->text, "/h/");
    assert_non_null(at);
    snprintf(out, 128, "%.*s", (int)strcspn(at, "\n"), at);
}

static void check_posts(struct rig *g, const char *path, int status)
{
    struct http_exchange *x = rig_post_to(g, path, "{\"body\": \"a\"}", NULL);
    rig_journal(g);
    assert_int_equal(x->status, status);
}

static void test_a_hook_is_made_used_and_removed(void **state)
{
    (void)state;
    char path[128];
    struct rig *g = rig_start("base_url: https://hooks.x/\n" RIG_HOOK(""));
    g->read = g->count;
    struct said s = done(g, "add made dev@rooms.x user=ann@x title=Made profile=native");
    check_has(s.text, "https://hooks.x/h/made/");
    take_path(&s, path);
    assert_string_equal(rig_next(g, EV_IDENTITY)->name, "Made");
    check_posts(g, path, 202);
    assert_string_equal(rig_said(g)->user, "dev@rooms.x");
    assert_string_equal(rig_said(g)->user, "ann@x");
    check_has(done(g, "list").text, "made: up, native, added, 1 accepted, 0 refused, last ");
    done(g, "remove made");
    assert_string_equal(rig_next(g, EV_FORGET)->key, "made");
    check_posts(g, path, 404);
    assert_int_equal(rows_there(&g->rows), 0);
    rig_free(g);
}

static void test_it_outlives_a_restart_and_a_reload(void **state)
{
    (void)state;
    char path[128];
    struct rig *g = rig_start(RIG_HOOK(""));
    struct said s = done(g, "add made dev@rooms.x user=ann@x title=Made");
    take_path(&s, path);
    assert_null(strstr(g->rows.at[0].blob, strrchr(path, '/') + 1)); // its hash is kept, not the token
    rig_restart(g, RIG_HOOK(""));
    check_posts(g, path, 202);
    assert_true(rig_reload(g, RIG_HOOK("")));
    check_posts(g, path, 202);
    check_has(done(g, "list").text, "posts to dev@rooms.x user=ann@x");
    rig_free(g);
}

static void test_two_tokens_live_for_the_overlap(void **state)
{
    (void)state;
    char first[128], second[128], third[128];
    struct rig *g = rig_start("limits: {per_room: 0}\n" RIG_HOOK(""));
    struct said s = done(g, "add made dev@rooms.x");
    take_path(&s, first);
    s = done(g, "rotate made");
    take_path(&s, second);
    check_has(s.text, "another 1 d");
    check_posts(g, first, 202);
    check_posts(g, second, 202);
    rig_pass(g, INT64_C(86400000) - 1);
    check_posts(g, first, 202);
    rig_pass(g, 1);
    check_posts(g, first, 404);
    check_posts(g, second, 202);
    s = done(g, "rotate made 0s");
    take_path(&s, third);
    check_posts(g, second, 404);
    check_posts(g, third, 202);
    done(g, "rotate made 1h");
    s = done(g, "rotate made 1h"); // the oldest of three goes at once
    check_posts(g, third, 404);
    rig_free(g);
}

static void test_disabled_is_gone(void **state)
{
    (void)state;
    char path[128];
    struct rig *g = rig_start(RIG_HOOK(""));
    struct said s = done(g, "add made dev@rooms.x");
    take_path(&s, path);
    g->read = g->count;
    done(g, "disable made");
    done(g, "disable alerts");
    assert_string_equal(rig_next(g, EV_UNAVAILABLE)->key, "made");
    check_posts(g, path, 410);
    check_posts(g, RIG_PATH, 410);
    check_posts(g, "/h/alerts/abcdefghijklmnopqrstuvwxyz234566", 404);
    rig_restart(g, RIG_HOOK(""));
    check_posts(g, path, 410);
    check_posts(g, RIG_PATH, 410);
    assert_true(rig_reload(g, RIG_HOOK("")));
    check_posts(g, RIG_PATH, 410);
    done(g, "enable made");
    done(g, "enable alerts");
    rig_restart(g, RIG_HOOK(""));
    check_posts(g, path, 202);
    check_posts(g, RIG_PATH, 202);
    rig_free(g);
}

static void test_disabled_is_still_so_when_it_comes_back(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    done(g, "disable alerts");
    assert_true(rig_reload(g, "hooks: {other: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}}"));
    check_posts(g, RIG_PATH, 404);
    assert_true(rig_reload(g, RIG_HOOK("")));
    check_posts(g, RIG_PATH, 410);
    done(g, "enable alerts");
    check_posts(g, RIG_PATH, 202);
    rig_free(g);
}

static void test_a_hook_expires(void **state)
{
    (void)state;
    char path[128];
    struct rig *g = rig_start(RIG_HOOK(""));
    struct said s = done(g, "add made dev@rooms.x expires=1h");
    take_path(&s, path);
    check_posts(g, path, 202);
    rig_pass(g, 3600000);
    check_posts(g, path, 410);
    check_has(done(g, "list").text, "made: expired");
    rig_free(g);
}

static void test_a_test_is_a_message(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct said s = done(g, "test alerts  hello there");
    struct rig_post *p = rig_said(g);
    assert_string_equal(p->body, "hello there");
    check_has(s.text, p->id);
    rig_journal(g);
    done(g, "test alerts");
    check_has(rig_said(g)->body, "a test of the hook alerts");
    rig_answer(g, ERR_AGAIN); // nobody waits for it
    rig_free(g);
}

static void test_render_posts_nothing(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct said s = done(g, "render alerts {\"text\": \"*bold*\", \"username\": \"ci\"}");
    check_has(s.text, "nothing is posted");
    check_has(s.text, "as ci");
    check_has(s.text, "*bold*");
    s = done(g, "render alerts profile=text base64:aGVsbG8=");
    check_has(s.text, "Read as text");
    check_has(s.text, "hello");
    s = operate(g, "render alerts profile=native {\"body\": 5}");
    assert_int_equal(s.err, ERR_BADREQ);
    check_has(s.msg.text, "422");
    assert_null(rig_next(g, EV_MESSAGE));
    rig_free(g);
}

static void test_a_room_named_twice_is_one(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    done(g, "add made dev@rooms.x DEV@Rooms.x dev@rooms.x");
    check_has(done(g, "list").text, "posts to dev@rooms.x\n");
    rig_free(g);
}

static void test_what_is_wrong_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum err err;
        const char *part;
    } cases[] = {
        {"", ERR_BADREQ, "hook knows list, add"},
        {"dance alerts", ERR_BADREQ, "hook knows"},
        {"add", ERR_BADREQ, "no name of a hook"},
        {"add Big ops@rooms.x", ERR_BADREQ, "no name of a hook"},
        {"add alerts ops@rooms.x", ERR_EXISTS, "already"},
        {"add made", ERR_BADREQ, "where does it post"},
        {"add made ops", ERR_BADREQ, "'ops' is no bare JID"},
        {"add made ops@rooms.x profile=none", ERR_BADREQ, "no profile"},
        {"add made ops@rooms.x expires=soon", ERR_BADREQ, "no time"},
        {"remove alerts", ERR_NOTALLOWED, "of the configuration"},
        {"rotate alerts", ERR_NOTALLOWED, "of the configuration"},
        {"add made ops@rooms.x expires=106751991167d", ERR_BADREQ, "no time"},
        {"add made ops@rooms.x title=a\x01", ERR_BADREQ, "a title is"},
        {"add made ops@rooms.x title=\xef\xbf\xbe", ERR_BADREQ, "a title is"},
        {"add made ops@rooms.x title=", ERR_BADREQ, "a title is"},
        {"disable alerts made", ERR_BADREQ, "'made' is one too many"},
        {"enable alerts made", ERR_BADREQ, "'made' is one too many"},
        {"remove none", ERR_NOTFOUND, "no hook 'none'"},
        {"test", ERR_BADREQ, "which hook"},
        {"render alerts", ERR_BADREQ, "render what?"},
        {"render alerts base64:%", ERR_BADREQ, "render what?"},
        {"render alerts profile=none x", ERR_BADREQ, "no profile"},
    };
    struct rig *g = rig_start(RIG_HOOK(""));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct said s = operate(g, cases[i].line);
        assert_int_equal(s.err, cases[i].err);
        check_has(s.msg.text, cases[i].part);
    }
    assert_int_equal(rows_there(&g->rows), 0);
    done(g, "add made dev@rooms.x");
    assert_int_equal(operate(g, "rotate made soon").err, ERR_BADREQ);
    assert_int_equal(operate(g, "rotate made 106751991167d").err, ERR_BADREQ);
    assert_int_equal(operate(g, "remove made other").err, ERR_BADREQ);
    done(g, "remove made");
    rig_free(g);
}

static void test_the_configuration_counts_where_both_have_a_hook(void **state)
{
    (void)state;
    char path[128];
    struct rig *g = rig_start(RIG_HOOK(""));
    struct said s = done(g, "add made dev@rooms.x");
    take_path(&s, path);
    rig_restart(g, "hooks: {made: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}}");
    check_posts(g, path, 404);
    check_posts(g, "/h/made/" RIG_TOKEN, 202);
    rig_free(g);
}

static void test_rows_of_hooks_that_cannot_be_read(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    g->a->ops->restore(g->a, STR("h/made"), STR("{"));
    g->a->ops->restore(g->a, STR("h/made"), STR("[]"));
    g->a->ops->restore(g->a, STR("h/Bad"), STR("{}"));
    assert_null(strstr(done(g, "list").text, "made"));
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hook_is_made_used_and_removed),
        cmocka_unit_test(test_it_outlives_a_restart_and_a_reload),
        cmocka_unit_test(test_two_tokens_live_for_the_overlap),
        cmocka_unit_test(test_disabled_is_gone),
        cmocka_unit_test(test_disabled_is_still_so_when_it_comes_back),
        cmocka_unit_test(test_a_hook_expires),
        cmocka_unit_test(test_a_test_is_a_message),
        cmocka_unit_test(test_render_posts_nothing),
        cmocka_unit_test(test_a_room_named_twice_is_one),
        cmocka_unit_test(test_what_is_wrong_is_told),
        cmocka_unit_test(test_the_configuration_counts_where_both_have_a_hook),
        cmocka_unit_test(test_rows_of_hooks_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
