/* An instance: listening, identities, reloading, restarts, what it shows. */
#include "unit/webhook/webhook_rig.h"

static const char *state_of(struct rig *g, bool *up)
{
    struct adapter_stat s;
    g->a->ops->stat(g->a, &s);
    *up = s.up;
    return s.state.p;
}

static void test_it_says_who_speaks_and_listens(void **state)
{
    (void)state;
    bool up;
    struct rig *g = rig_start("listen: [\"127.0.0.1:8080\", \"[::1]:8080\"]\n" RIG_HOOK(""));
    struct rig_post *p = rig_next(g, EV_IDENTITY);
    assert_string_equal(p->key, "alerts");
    assert_string_equal(p->name, "Alerts");
    assert_string_equal(rig_next(g, EV_AVAILABLE)->key, "alerts");
    assert_non_null(rig_next(g, EV_LINK_UP));
    assert_int_equal(g->servers[0].listens, 2);
    check_has(state_of(g, &up), "up, listening at 127.0.0.1:8080 and 1 more; 1 hooks");
    assert_true(up);
    rig_free(g);
}

static void test_a_port_in_use_is_a_state_with_a_next_try(void **state)
{
    (void)state;
    bool up;
    struct rig *g = rig_new();
    g->refuse_listen = ERR_EXISTS;
    rig_create(g, RIG_HOOK(""));
    g->a->ops->start(g->a);
    assert_int_equal(rig_next(g, EV_LINK_DOWN)->err, ERR_EXISTS);
    check_has(state_of(g, &up), "listen at 127.0.0.1:8080: address already in use; next try in ");
    assert_false(up);
    rig_pass(g, 5000);
    assert_true(g->server_count > 1);
    assert_null(rig_next(g, EV_LINK_DOWN)); // is known already
    g->refuse_listen = ERR_OK;
    rig_pass(g, 60000);
    assert_non_null(rig_next(g, EV_LINK_UP));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    rig_free(g);
}

static void test_a_reload_keeps_the_server_or_replaces_it(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    assert_true(rig_reload(g, RIG_HOOK(", nick: bot")));
    assert_int_equal(g->server_count, 1);
    assert_null(g->servers[0].stopped);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    assert_string_equal(rig_said(g)->nick, "bot");
    assert_true(rig_reload(g, "listen: [\"127.0.0.1:8081\"]\n" RIG_HOOK("")));
    assert_int_equal(g->server_count, 2);
    assert_non_null(g->servers[0].stopped);
    assert_true(g->servers[0].grace > 0);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    rig_free(g);
}

static void test_a_faulty_reload_changes_nothing(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    size_t posted = g->count;
    assert_false(rig_reload(g, "hooks: {alerts: {auth: [{type: none}]}}"));
    assert_int_equal(g->count, posted);
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    rig_free(g);
}

static void test_hooks_come_and_go_with_a_reload(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    struct http_exchange *x = rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL);
    g->read = g->count;
    assert_true(rig_reload(g, "hooks: {other: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}}"));
    assert_string_equal(rig_next(g, EV_UNAVAILABLE)->key, "alerts");
    assert_string_equal(rig_next(g, EV_IDENTITY)->key, "other");
    rig_accepted(g, x); // what is under way goes on
    assert_int_equal(rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL)->status, 404);
    rig_accepted(g, rig_post_to(g, "/h/other/" RIG_TOKEN, "{\"body\": \"a\"}", NULL));
    rig_free(g);
}

static void test_what_a_hook_did_outlives_a_reload(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", rate: {per_second: 0.01, burst: 1}"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    assert_true(rig_reload(g, RIG_HOOK(", rate: {per_second: 0.01, burst: 2}")));
    assert_true(rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL)->status >= 429);
    rig_free(g);
}

static void test_one_identity_for_all(void **state)
{
    (void)state;
    struct rig *g = rig_start("name: Hooks\nhooks: {a: {rooms: [ops@rooms.x], identity: shared, auth: [{type: token, "
                              "secret: " RIG_TOKEN "}]}, b: {rooms: [ops@rooms.x], identity: shared, auth: [{type: "
                              "token, secret: " RIG_TOKEN "}]}}");
    struct rig_post *p = rig_next(g, EV_IDENTITY);
    assert_string_equal(p->key, "*");
    assert_string_equal(p->name, "Hooks");
    assert_null(rig_next(g, EV_IDENTITY));
    struct description d;
    assert_int_equal(g->a->ops->describe(g->a, STR("*"), &d), ERR_OK);
    assert_str(d.name, "Hooks");
    rig_free(g);
}

static void test_a_contact_that_was_forgotten_comes_back_with_its_next_message(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(""));
    g->read = g->count;
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    assert_null(rig_next(g, EV_IDENTITY));
    rig_send(g, &(struct event){.kind = EV_FORGET, .key = STR("alerts")});
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\"}", NULL));
    assert_string_equal(rig_next(g, EV_IDENTITY)->key, "alerts");
    rig_free(g);
}

static void test_what_it_is_to_others(void **state)
{
    (void)state;
    struct rig *g = rig_start(RIG_HOOK(", users: [ann@x], profile: github, username: puppet"));
    struct candidate c;
    struct description d;
    const struct command *commands;
    assert_int_equal(g->a->ops->resolve(g->a, STR("ALERTS"), &c), ERR_OK);
    assert_str(c.key, "alerts");
    assert_int_equal(g->a->ops->resolve(g->a, STR("none"), &c), ERR_NOTFOUND);
    assert_int_equal(g->a->ops->describe(g->a, STR("alerts"), &d), ERR_OK);
    assert_str(d.name, "Alerts");
    assert_str(d.model, "webhook, github");
    assert_str(d.note, "Posts to ops@rooms.x, ann@x");
    assert_int_equal(g->a->ops->describe(g->a, STR("alerts/ci"), &d), ERR_OK);
    assert_str(d.name, "ci");
    assert_int_equal(g->a->ops->describe(g->a, STR("none"), &d), ERR_NOTFOUND);
    assert_int_equal(g->a->ops->commands(g->a, STR("alerts"), &commands), 0);
    rig_free(g);
}

static void test_rows_that_nobody_knows_are_dropped(void **state)
{
    (void)state;
    struct rig *g = rig_new();
    rig_create(g, RIG_HOOK(""));
    g->a->ops->restore(g->a, STR("x/y"), STR("z"));
    assert_int_equal(g->rows.writes, 1);
    assert_int_equal(rows_there(&g->rows), 0);
    rig_free(g);
}

static void test_what_is_too_old_is_swept(void **state)
{
    (void)state;
    static const char *const key[] = {"Idempotency-Key", "one", NULL};
    struct rig *g = rig_start(RIG_HOOK(""));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"key\": \"k\"}", key));
    assert_int_equal(rows_there(&g->rows), 2);
    rig_pass(g, INT64_C(24) * 3600000 + 120000);
    assert_int_equal(rows_there(&g->rows), 0);
    rig_free(g);
}

/* The configuration. */

static void test_what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"hooks: {a: {auth: [{type: none}]}}", "posts to nobody"},
        {"hooks: {a: {rooms: [ops]}}", "'ops' is not the bare JID of a room"},
        {"hooks: {a: {rooms: [ops@rooms.x/nick]}}", "is not the bare JID"},
        {"hooks: {a: {rooms: [ops@rooms.x]}}", "auth"},
        {"hooks: {a: {rooms: [ops@rooms.x], profile: slak, auth: [{type: none}]}}", "did you mean 'slack'?"},
        {"hooks: {a: {rooms: [ops@rooms.x], class: 'A b', auth: [{type: none}]}}", "a class is a word"},
        {"hooks: {a: {rooms: [ops@rooms.x], update: {by: path}, auth: [{type: none}]}}", "needs a 'path'"},
        {"hooks: {a: {rooms: [ops@rooms.x], update: {path: x}, auth: [{type: none}]}}", "without 'by: path'"},
        {"hooks: {a: {rooms: [ops@rooms.x], templates: [{text: '{{#a}}'}], auth: [{type: none}]}}", "the template: "},
        {"hooks: {a: {rooms: [ops@rooms.x], templates: [{event: push}], auth: [{type: none}]}}", "'text' or a 'file'"},
        {"hooks: {a: {rooms: [ops@rooms.x], templates: [{file: /none}], auth: [{type: none}]}}", "cannot be read"},
        {"hooks: {a: {rooms: [ops@rooms.x], title: \"a\\nb\", auth: [{type: none}]}}", "one line"},
        {"listen: []", "at least one address"},
        {"listen: [a, a, a, a, a, a, a, a, a]", "at most 8"},
        {"base_url: hooks.x", "must be the http or https URL"},
        {"trusted_proxies: [10.0.0.1/8]", "10.0.0.0/8"},
        {"tls: {cert: /none}", "/none"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig *g = rig_new();
        struct conf_report *report = conf_report_create();
        struct conf_value *section = rig_parse(cases[i].text, report);
        if (section)
            assert_int_equal(webhook_adapter_ops.create(&g->env, section, report, &g->a), ERR_CONF);
        check_has(conf_report_text(report).p, cases[i].part);
        check_has(conf_report_text(report).p, "test:1:");
        conf_destroy(section);
        conf_report_destroy(report);
        g->a = NULL;
        rig_free(g);
    }
}

static void test_templates_of_a_hook(void **state)
{
    (void)state;
    struct rig *g =
        rig_start(RIG_HOOK(", profile: slack, templates: [{event: none, text: wrong}, {text: \"<{{text}}>\"}]"));
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"text\": \"a\"}", NULL));
    check_has(rig_said(g)->body, "<a>");
    rig_free(g);
}

static void test_what_has_left_the_configuration_is_away(void **state)
{
    (void)state;
    struct rig *g = rig_new();
    rig_create(g, RIG_HOOK(", username: puppet"));
    static const char *const known[] = {"alerts", "alerts/ci", "old", "old/ci"};
    for (size_t i = 0; i < 4; i++)
        g->a->ops->known(g->a, str_c(known[i]), false);
    assert_string_equal(rig_next(g, EV_UNAVAILABLE)->key, "old");
    assert_string_equal(rig_next(g, EV_UNAVAILABLE)->key, "old/ci");
    assert_null(rig_next(g, EV_UNAVAILABLE));
    g->a->ops->start(g->a);
    g->read = g->count;
    assert_true(rig_reload(g, "hooks: {other: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}}"));
    assert_string_equal(rig_next(g, EV_UNAVAILABLE)->key, "alerts/ci");
    assert_string_equal(rig_next(g, EV_UNAVAILABLE)->key, "alerts");
    assert_null(rig_next(g, EV_UNAVAILABLE));
    assert_true(rig_reload(g, RIG_HOOK(", username: puppet")));
    g->read = g->count;
    rig_accepted(g, rig_post_to(g, RIG_PATH, "{\"body\": \"a\", \"nick\": \"ci\"}", NULL));
    assert_string_equal(rig_next(g, EV_AVAILABLE)->key, "alerts/ci");
    assert_null(rig_next(g, EV_AVAILABLE));
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_left_the_configuration_is_away),
        cmocka_unit_test(test_it_says_who_speaks_and_listens),
        cmocka_unit_test(test_a_port_in_use_is_a_state_with_a_next_try),
        cmocka_unit_test(test_a_reload_keeps_the_server_or_replaces_it),
        cmocka_unit_test(test_a_faulty_reload_changes_nothing),
        cmocka_unit_test(test_hooks_come_and_go_with_a_reload),
        cmocka_unit_test(test_what_a_hook_did_outlives_a_reload),
        cmocka_unit_test(test_one_identity_for_all),
        cmocka_unit_test(test_a_contact_that_was_forgotten_comes_back_with_its_next_message),
        cmocka_unit_test(test_what_it_is_to_others),
        cmocka_unit_test(test_rows_that_nobody_knows_are_dropped),
        cmocka_unit_test(test_what_is_too_old_is_swept),
        cmocka_unit_test(test_what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(test_templates_of_a_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
