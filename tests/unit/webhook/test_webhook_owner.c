/* What is said to a hook where it is in a room, to it alone. */
#include "unit/webhook/webhook_rig.h"

#define ROOM_HOOKS                                                                                                     \
    "hooks: {alerts: {rooms: [ops@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}, "                           \
    "wide: {rooms: [ops@rooms.x, dev@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}, "                        \
    "dev: {rooms: [dev@rooms.x], auth: [{type: token, secret: " RIG_TOKEN "}]}}"

// Somebody in ops@rooms.x says it to a hook; what it answers.
static const char *say(struct rig *g, const char *hook, enum affiliation affiliation, const char *text)
{
    size_t from = g->count;
    rig_send(g, &(struct event){.kind = EV_MESSAGE,
                                .token = 77,
                                .key = str_c(hook),
                                .user = {STR("ops"), STR("rooms.x"), STR("somebody")},
                                .affiliation = affiliation,
                                .body = str_c(text)});
    for (size_t i = from; i < g->count; i++) {
        if (g->posts[i].kind == EV_DELIVERED && g->posts[i].token == 77)
            return g->posts[i].body;
    }
    fail_msg("'%s' has no answer", text);
    return NULL;
}

static const char *owner(struct rig *g, const char *hook, const char *text)
{
    return say(g, hook, AFFILIATION_OWNER, text);
}

static bool listed(struct rig *g, const char *hook)
{
    return strstr(owner(g, "alerts", "list"), hook);
}

static void test_others_are_told_that_nobody_reads(void **state)
{
    (void)state;
    struct rig *g = rig_start(ROOM_HOOKS);
    static const enum affiliation others[] = {AFFILIATION_NONE, AFFILIATION_OUTCAST, AFFILIATION_MEMBER};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        check_has(say(g, "alerts", others[i], "list"), "nobody reads");
    check_has(say(g, "alerts", AFFILIATION_ADMIN, "list"), "alerts: ");
    assert_true(rig_reload(g, "owners: false\n" ROOM_HOOKS));
    check_has(owner(g, "alerts", "list"), "nobody reads");
    rig_free(g);
}

static void test_what_is_not_the_rooms_alone_is_not_his(void **state)
{
    (void)state;
    struct rig *g = rig_start(ROOM_HOOKS);
    check_has(owner(g, "alerts", "disable wide"), "who operates the bridge");
    check_has(owner(g, "wide", "disable"), "who operates the bridge");
    check_has(owner(g, "alerts", "disable dev"), "No such hook");
    check_has(owner(g, "alerts", "rotate"), "of the configuration");
    check_has(owner(g, "alerts", "add more dev@rooms.x"), "add NAME");
    check_has(owner(g, "alerts", "add more user=ann@x"), "add NAME");
    check_has(owner(g, "alerts", "disable"), "is disabled");
    check_has(owner(g, "alerts", "enable alerts"), "is enabled");
    rig_free(g);
}

// A slip of the pen must not hit the hook that it is said to.
static void test_a_name_that_is_none_does_not_mean_itself(void **state)
{
    (void)state;
    static const char *const verbs[] = {"remove", "disable", "enable"};
    char line[32];
    struct rig *g = rig_start(ROOM_HOOKS);
    check_has(owner(g, "alerts", "add made title=Made"), "/h/made/");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        snprintf(line, sizeof line, "%s mede", verbs[i]);
        check_has(owner(g, "made", line), "No such hook");
    }
    assert_true(listed(g, "made: Made\n") || listed(g, "made: Made"));
    assert_false(listed(g, "made: Made, disabled"));
    check_has(owner(g, "made", "rotate soon"), "is no time");
    check_has(owner(g, "made", "rotate 1h"), "another 1 h");
    check_has(owner(g, "made", "test of all"), "Posted as");
    check_has(owner(g, "made", "remove"), "is removed");
    assert_false(listed(g, "made"));
    rig_free(g);
}

static void test_he_makes_ten(void **state)
{
    (void)state;
    char line[32];
    struct rig *g = rig_start(ROOM_HOOKS);
    for (int i = 0; i < 10; i++) {
        snprintf(line, sizeof line, "add made-%d", i);
        check_has(owner(g, "alerts", line), "/h/made-");
    }
    check_has(owner(g, "alerts", "add one-more"), "remove one first");
    check_has(owner(g, "alerts", "remove made-3"), "is removed");
    check_has(owner(g, "alerts", "add one-more"), "/h/one-more/");
    rig_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_are_told_that_nobody_reads),
        cmocka_unit_test(test_what_is_not_the_rooms_alone_is_not_his),
        cmocka_unit_test(test_a_name_that_is_none_does_not_mean_itself),
        cmocka_unit_test(test_he_makes_ten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
