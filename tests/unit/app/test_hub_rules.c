// Access rules that are granted while it runs: what is kept of them, and what admins are told.
#include "unit/app/hub_rig.h"

#define WITH(members) RIG_MAIN "access: [allow see to example.org]\ngroups: {gone: [" members "]}\n"

// The hub ends and starts anew on the same store; false when that is refused, with r->answer saying why.
static bool restart(struct rig *r, const char *yaml)
{
    static const struct hub_host host = {rig_now, rig_wall, rig_loop, rig_changed, NULL};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deny_is_not_lost_with_its_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
