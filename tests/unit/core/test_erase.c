// A user of whom nothing is to be kept.
#include "core/bridge_private.h"
#include "lib/core_fixture.h"

static int setup(void **state)
{
    static struct core c;
    core_init(&c);
    *state = &c;
    return 0;
}

static int teardown(void **state)
{
    core_finish(*state);
    return 0;
}

#define ALICE "alice@example.org"

static struct event erase(const char *user)
{
    return (struct event){.kind = EV_ERASE, .user = core_jid(user)};
}

static void do_register(struct core *c, const char *user)
{
    struct event ev = core_user(EV_REGISTER, user, "gw.example");
    ev.id = STR("r1");
    core_all(c, &ev);
}

static bool known(struct core *c, const char *user)
{
    struct jid jid = core_jid(user);
    return user_find(&c->b->map.users, &jid) != NULL;
}

static void test_all_ends_and_nothing_stays(void **state)
{
    struct core *c = *state;
    struct user_stat s;
    struct jid alice = core_jid(ALICE);
    do_register(c, ALICE "/x");
    do_register(c, "bob@example.org/x");
    bridge_user_stat(c->b, &alice, &s);
    assert_true(s.known);
    struct event ev = erase(ALICE);
    core_expect(c, &ev,
                "north unsubscribe door@gw.example -> alice@example.org\n"
                "north unsubscribed door@gw.example -> alice@example.org\n"
                "north unavailable door@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org door@gw.example\n"
                "north unsubscribe lamp@gw.example -> alice@example.org\n"
                "north unsubscribed lamp@gw.example -> alice@example.org\n"
                "north unavailable lamp@gw.example/home -> alice@example.org\n"
                "store -subscription alice@example.org lamp@gw.example\n"
                "store -registration alice@example.org gw.example\n"
                "north unsubscribe gw.example -> alice@example.org\n"
                "north unsubscribed gw.example -> alice@example.org\n"
                "north unavailable gw.example/gateway -> alice@example.org\n"
                "store -subscription alice@example.org @gw.example\n");
    assert_false(known(c, ALICE));
    assert_true(known(c, "bob@example.org"));
    bridge_user_stat(c->b, &alice, &s);
    assert_false(s.known || s.pending || s.letters || s.rooms);
    core_expect(c, &ev, ""); // again: there is nothing
    assert_false(known(c, ALICE));
    do_register(c, ALICE "/x"); // he may come again, and is kept then
    assert_true(bridge_registered(c->b, 1, &alice));
    assert_true(known(c, ALICE));
}

// Rows go though nobody can be told, and do not wait for a link.
static void test_without_a_link(void **state)
{
    struct core *c = *state;
    do_register(c, ALICE "/x");
    struct event down = {.kind = EV_LINK_DOWN, .component = 1};
    core_all(c, &down);
    struct event ev = erase(ALICE);
    core_expect(c, &ev,
                "store -subscription alice@example.org door@gw.example\n"
                "store -subscription alice@example.org lamp@gw.example\n"
                "store -registration alice@example.org gw.example\n"
                "store -subscription alice@example.org @gw.example\n");
    assert_false(known(c, ALICE));
}

static void test_rate_limit_goes(void **state)
{
    struct core *c = *state;
    struct jid bob = core_jid("bob@example.org");
    user_intern(&c->b->map.users, &bob, c->now);
    assert_true(known(c, "bob@example.org"));
    struct event ev = erase("bob@example.org");
    core_expect(c, &ev, "");
    assert_false(known(c, "bob@example.org"));
}

// What was asked of a device ends with an error, and its outcome is nobody's any more.
static void test_what_is_under_way_ends(void **state)
{
    struct core *c = *state;
    struct user_stat s;
    struct jid alice = core_jid(ALICE);
    struct event ask = core_user(EV_MESSAGE, ALICE "/x", "lamp@gw.example");
    ask.id = STR("m1");
    ask.body = STR("on");
    ask.flags = EVENT_RECEIPT_WANTED;
    core_all(c, &ask);
    bridge_user_stat(c->b, &alice, &s);
    assert_int_equal(s.pending, 1);
    struct event ev = erase(ALICE);
    core_all(c, &ev);
    struct str lines = strbuf_view(&c->lines);
    assert_true(str_find_str(lines, STR("north bounce lamp@gw.example")) >= 0);
    assert_true(str_find_str(lines, STR("store -ask")) >= 0);
    assert_int_equal(c->b->pendings.pool.count, 0);
    assert_false(known(c, ALICE));
}

// More than a step can do: the rest follows, and he is held until then.
static void test_many(void **state)
{
    enum { MANY = 700 };
    struct core *c = *state;
    struct jid alice = core_jid(ALICE);
    char local[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(local, sizeof local, "many-%d", i);
        const struct row id = {.kind = ROW_IDENTITY,
                               .domain = STR("gw.example"),
                               .local = str_c(local),
                               .adapter = STR("home"),
                               .key = str_c(local)};
        const struct row sub = {.kind = ROW_SUBSCRIPTION,
                                .user = STR(ALICE),
                                .domain = STR("gw.example"),
                                .local = str_c(local),
                                .state = SUB_TO_USER};
        assert_int_equal(bridge_restore(c->b, &id), ERR_OK);
        assert_int_equal(bridge_restore(c->b, &sub), ERR_OK);
    }
    struct event ev = erase(ALICE);
    core_all(c, &ev);
    uint32_t at = 0;
    struct subscription_view s;
    assert_false(bridge_next_subscription(c->b, &alice, &at, &s));
    assert_false(known(c, ALICE));
    struct str rest = strbuf_view(&c->lines), line;
    size_t removed = 0;
    while (str_cut(rest, '\n', &line, &rest))
        removed += str_starts(line, STR("store -subscription " ALICE));
    assert_int_equal(removed, MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_ends_and_nothing_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_under_way_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
