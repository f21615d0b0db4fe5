// Access rules that are granted while it runs: what is kept of them, and what admins are told.
#include "unit/app/hub_rig.h"

#define WITH(members) RIG_MAIN "access: [allow see to example.org]\ngroups: {gone: [" members "]}\n"

// The hub ends and starts anew on the same store; false when that is refused, with r->answer saying why.
static bool restart(struct rig *r, const char *yaml)
{
    static const struct hub_host host = {rig_now, rig_wall, rig_loop, rig_http, rig_changed, NULL};
    assert_int_equal(store_flush(r->store), ERR_OK);
    hub_destroy(r->hub);
    conf_destroy(r->config);
    struct conf_report *report = conf_report_create();
    r->config = rig_read(yaml, report);
    r->hub = hub_create(r->config, r->store, &host, r, NULL, report);
    strbuf_clear(&r->answer);
    strbuf_str(&r->answer, conf_report_text(report));
    strbuf_c(&r->answer, "");
    conf_report_destroy(report);
    if (r->hub)
        hub_start(r->hub);
    return r->hub;
}

static void a_deny_is_not_lost_with_its_group(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, WITH("bob@example.org"));
    rig_ask(&r, "grant deny see to @gone");
    assert_false(restart(&r, RIG_MAIN));
    assert_true(rig_has(&r, "rule 1, which was granted") && rig_has(&r, "deny see to @gone"));
    assert_true(rig_has(&r, "there is no group \"@gone\""));
    assert_false(rig_has(&r, "database")); // which is sound
    assert_true(restart(&r, WITH("")));
    rig_ask(&r, "rules");
    assert_true(rig_has(&r, "deny see to @gone"));
    rig_ask(&r, "revoke 1");
    assert_true(restart(&r, RIG_MAIN));
    rig_finish(&r);
}

static void who_grants_is_told_what_comes_first(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN "access: [allow see read to example.org]\n");
    rig_ask(&r, "grant deny see to bob@example.org");
    assert_true(rig_has(&r, "Added as rule 1.") && rig_has(&r, "no effect"));
    assert_true(rig_has(&r, "\"allow see read to example.org\" (the configuration)"));
    rig_ask(&r, "grant deny see to *");
    assert_true(rig_has(&r, "comes first and decides") && !rig_has(&r, "no effect"));
    rig_ask(&r, "grant allow send to carol@elsewhere.example");
    assert_true(rig_has(&r, "no effect") && rig_has(&r, "\"deny see to *\" (rule 2)"));
    rig_ask(&r, "revoke 2");
    rig_ask(&r, "grant allow see send to carol@elsewhere.example");
    assert_string_equal(r.answer.p, "Added as rule 4.\n");
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deny_is_not_lost_with_its_group),
        cmocka_unit_test(who_grants_is_told_what_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
