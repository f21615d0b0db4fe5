// Reload: adapters that come, change, go and come again; what a restart alone can change.
#include "unit/app/hub_rig.h"

#include <stdio.h>

#define ONE RIG_MAIN "adapters:\n  one: {type: \"null\"}\n"
#define TWO ONE "  two: {type: \"null\"}\n"

static void what_has_left_is_offline(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, TWO);
    rig_ask(&r, "mappings echo");
    assert_int_equal(rig_count(&r, "online"), 2);
    assert_int_equal(rig_reload(&r, ONE), ERR_OK);
    rig_ask(&r, "mappings echo");
    assert_int_equal(rig_count(&r, "online"), 1);
    assert_int_equal(rig_count(&r, "offline"), 1);
    rig_ask(&r, "adapters");
    assert_false(rig_has(&r, "two"));
    rig_finish(&r);
}

static void what_comes_again_is_there_once(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, TWO);
    assert_int_equal(rig_reload(&r, ONE), ERR_OK);
    assert_int_equal(rig_reload(&r, TWO), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_reload(&r, TWO), ERR_OK);
        rig_ask(&r, "adapters");
        assert_int_equal(rig_count(&r, "two"), 1);
        rig_ask(&r, "mappings echo");
        assert_int_equal(rig_count(&r, "online"), 2);
        assert_int_equal(rig_count(&r, "offline"), 0);
    }
    rig_finish(&r);
}

static void one_that_comes_and_goes_at_the_same_time_as_another(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, ONE);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rig_reload(&r, RIG_MAIN "adapters:\n  two: {type: \"null\"}\n"), ERR_OK);
        assert_int_equal(rig_reload(&r, ONE), ERR_OK);
    }
    rig_ask(&r, "adapters");
    assert_int_equal(rig_count(&r, "null"), 1);
    rig_finish(&r);
}

// A rule that was granted names a group that the new configuration has not: then nothing has changed, adapters
// included.
static void refused_by_the_core_changes_nothing(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, TWO "groups: {family: [a@example.org]}\n");
    rig_ask(&r, "grant allow see to @family");
    assert_true(rig_has(&r, "rule 1"));
    assert_int_equal(rig_reload(&r, ONE "  three: {type: \"null\"}\n"), ERR_CONF);
    assert_true(rig_has(&r, "family"));
    rig_ask(&r, "adapters");
    assert_true(rig_has(&r, "two") && !rig_has(&r, "three"));
    rig_ask(&r, "mappings echo");
    assert_int_equal(rig_count(&r, "online"), 2);
    rig_finish(&r);
}

static const struct {
    const char *yaml, *why;
} restarts[] = {
    {"components:\n  main: {domain: other.example, server: 10.0.0.1, secret: s}\n", "restart"},
    {"components:\n  other: {domain: bridge.example, server: 10.0.0.1, secret: s}\n", "components.main is gone"},
    {RIG_MAIN "state: /tmp/elsewhere\n", "restart"},
    {RIG_MAIN "control: {mode: \"0600\"}\n", "restart"},
    {"components:\n  main: {domain: bridge.example, server: 10.0.0.1, secret: s}\n"
     "  more: {domain: more.example, server: 10.0.0.1, secret: s}\n",
     "was added"},
};

static void what_takes_a_restart_is_refused(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN);
    for (size_t i = 0; i < sizeof restarts / sizeof *restarts; i++) {
        assert_int_equal(rig_reload(&r, restarts[i].yaml), ERR_CONF);
        assert_true(rig_has(&r, restarts[i].why));
        assert_true(rig_has(&r, "test:"));
    }
    rig_finish(&r);
}

static void an_adapter_keeps_its_component(void **state)
{
    (void)state;
    const char both[] = "components:\n  a: {domain: a.example, server: 10.0.0.1, secret: s}\n"
                        "  b: {domain: b.example, server: 10.0.0.1, secret: s}\n"
                        "adapters:\n  one: {type: \"null\", component: ";
    char before[400], after[400];
    snprintf(before, sizeof before, "%sa}\n", both);
    snprintf(after, sizeof after, "%sb}\n", both);
    struct rig r;
    rig_init(&r, before);
    assert_int_equal(rig_reload(&r, after), ERR_CONF);
    assert_true(rig_has(&r, "permanent"));
    rig_finish(&r);
}

static void names_follow_their_component(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "components:\n  a: {domain: a.example, secret: s, name: Alpha}\n"
                 "  b: {domain: b.example, secret: s, name: Beta}\n");
    const char other_order[] = "components:\n  b: {domain: b.example, secret: s, name: Beta}\n"
                               "  a: {domain: a.example, secret: s, name: Gamma}\n";
    assert_int_equal(rig_reload(&r, other_order), ERR_OK);
    assert_true(str_eq_c(conf_str(conf_get(hub_component_config(r.hub, 0), "name")), "Gamma"));
    rig_connect(&r);
    rig_listen(&r);
    rig_feed(&r, "<iq type='get' id='v' from='u@example.org/x' to='a.example'>"
                 "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    rig_listen(&r);
    assert_true(rig_has(&r, "Gamma"));
    rig_finish(&r);
}

static const struct {
    const char *yaml;
    bool renews;
} ways[] = {
    {RIG_MAIN, false},
    {"components:\n  main: {domain: bridge.example, server: 10.0.0.1, secret: s, name: Other}\n", false},
    {"components:\n  main: {domain: bridge.example, server: \"10.0.0.1:5347\", secret: s}\n", false},
    {"components:\n  main: {domain: bridge.example, server: 10.0.0.2, secret: s}\n", true},
    {"components:\n  main: {domain: bridge.example, server: \"10.0.0.1:5348\", secret: s}\n", true},
    {"components:\n  main: {domain: bridge.example, server: 10.0.0.1, secret: t}\n", true},
    {"components:\n  main: {domain: bridge.example, server: 10.0.0.1, secret: s, tls: {enabled: true}}\n", true},
};

static void a_link_is_renewed_when_its_way_has_changed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct rig r;
        rig_init(&r, RIG_MAIN);
        rig_connect(&r);
        rig_listen(&r);
        assert_int_equal(rig_reload(&r, ways[i].yaml), ERR_OK);
        assert_int_equal(component_state(rig_link(&r)), ways[i].renews ? COMPONENT_CLOSING : COMPONENT_UP);
        if (ways[i].renews) {
            component_closed(rig_link(&r), ERR_OK, NULL, r.now);
            rig_connect(&r);
        }
        rig_finish(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_left_is_offline),
        cmocka_unit_test(what_comes_again_is_there_once),
        cmocka_unit_test(one_that_comes_and_goes_at_the_same_time_as_another),
        cmocka_unit_test(refused_by_the_core_changes_nothing),
        cmocka_unit_test(what_takes_a_restart_is_refused),
        cmocka_unit_test(an_adapter_keeps_its_component),
        cmocka_unit_test(names_follow_their_component),
        cmocka_unit_test(a_link_is_renewed_when_its_way_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
