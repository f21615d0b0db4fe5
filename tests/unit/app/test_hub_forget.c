// `forget`: of a contact, or of all that is kept of a user; it answers what was removed.
#include "unit/app/hub_rig.h"

#include <stdio.h>

#define RULES                                                                                                          \
    "adapters:\n  nothing: {type: \"null\"}\n"                                                                         \
    "groups: {family: [alice@example.org]}\n"                                                                          \
    "access:\n  - allow see read register to alice@example.org\n  - deny send to alice@example.org bob@example.org\n"  \
    "  - allow see to @family\n"

static int up(void **state)
{
    struct rig *r = MEM_NEW(struct rig);

    rig_init(r, RIG_MAIN RULES);
    *state = r;
    return 0;
}

static int connected(void **state)
{
    (void)up(state);
    rig_connect(*state);
    rig_listen(*state);
    return 0;
}

static int down(void **state)
{
    rig_finish(*state);
    mem_free(*state);
    return 0;
}

static void subscribe(struct rig *r, const char *user)
{
    char text[300];
    snprintf(text, sizeof text, "<presence type='subscribe' from='%s' to='echo@bridge.example'/>", user);
    rig_feed(r, text);
    snprintf(text, sizeof text,
             "<iq type='set' id='r' from='%s/x' to='bridge.example'><query xmlns='jabber:iq:register'/></iq>", user);
    rig_feed(r, text);
    rig_listen(r);
}

static void all_of_a_user(void **state)
{
    struct rig *r = *state;

    subscribe(r, "alice@example.org");
    rig_ask(r, "subscriptions alice@example.org");
    assert_true(rig_has(r, "echo@bridge.example"));
    rig_ask(r, "forget Alice@Example.org/phone"); // as people write it
    assert_true(rig_has(r, "Forgotten: alice@example.org."));
    assert_true(rig_has(r, "registration"));
    assert_true(rig_has(r, "subscription"));
    assert_true(rig_has(r, "echo@bridge.example"));
    assert_true(rig_has(r, "rate limit"));
    assert_true(rig_has(r, "allow see read register to alice@example.org") && rig_has(r, "nobody else"));
    assert_true(rig_has(r, "deny send to") && rig_has(r, "others too"));
    assert_false(rig_has(r, "allow see to @family"));
    assert_false(rig_has(r, "no connection"));
    rig_listen(r);
    assert_true(rig_has(r, "type='unsubscribed'") || rig_has(r, "unsubscribed"));
    rig_ask(r, "subscriptions");
    assert_false(rig_has(r, "alice@example.org"));
    rig_ask(r, "forget alice@example.org");
    assert_true(rig_has(r, "Nothing is kept of alice@example.org."));
    assert_true(rig_has(r, "nobody else")); // the rules are told all the same
}

static void one_of_whom_nothing_is_kept(void **state)
{
    struct rig *r = *state;

    rig_ask(r, "forget eve@example.org");
    assert_true(rig_has(r, "Nothing is kept of eve@example.org."));
    assert_false(rig_has(r, "Rules"));
}

static enum err count_rows(void *ud, const struct row *row)
{
    *(size_t *)ud += row->user.n > 0;
    return ERR_OK;
}

// Of domains and adapters that are not in the configuration any more; and what he is yet to be told.
static void rows_that_the_core_does_not_have(void **state)
{
    const struct row rows[] = {
        {.kind = ROW_SUBSCRIPTION, .user = STR("eve@example.org"), .domain = STR("old.example"), .state = 1},
        {.kind = ROW_REGISTRATION, .user = STR("eve@example.org"), .domain = STR("old.example")},
        {.kind = ROW_LETTER, .number = 7, .record = 1, .adapter = STR("gone"), .user = STR("eve@example.org")},
        {.kind = ROW_ASK, .number = 8, .user = STR("eve@example.org/x"), .domain = STR("old.example")},
        {.kind = ROW_ASK, .number = 9, .user = STR("eve@example.org/y"), .domain = STR("bridge.example")},
        {.kind = ROW_SUBSCRIPTION, .user = STR("eve@example.orgy"), .domain = STR("old.example"), .state = 1},
    };
    struct rig *r = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        store_put(r->store, &rows[i]);
    rig_ask(r, "forget eve@example.org");
    assert_true(rig_has(r, "Forgotten: eve@example.org."));
    assert_true(rig_has(r, "rows of domains that are not configured"));
    assert_true(rig_has(r, "outcomes that were promised"));
    rig_work(r);
    size_t left = 0;
    assert_int_equal(store_load(r->store, count_rows, &left), ERR_OK);
    assert_int_equal(left, 1);
    rig_ask(r, "forget eve@example.org");
    assert_true(rig_has(r, "Nothing is kept of eve@example.org."));
}

static void while_nobody_can_be_told(void **state)
{
    struct rig *r = *state;

    subscribe(r, "alice@example.org");
    component_closed(rig_link(r), ERR_CLOSED, "test", r->now);
    rig_work(r);
    rig_ask(r, "forget alice@example.org");
    assert_true(rig_has(r, "bridge.example has no connection now: the user is not told there."));
    rig_ask(r, "subscriptions");
    assert_false(rig_has(r, "alice@example.org"));
}

static void contacts_as_before(void **state)
{
    struct rig *r = *state;

    rig_ask(r, "forget echo@bridge.example");
    assert_true(rig_has(r, "echo@bridge.example is forgotten, until it is heard again."));
    rig_ask(r, "forget none@bridge.example");
    assert_true(rig_has(r, "there is no contact 'none@bridge.example'"));
    rig_ask(r, "forget Lounge");
    assert_true(rig_has(r, "lounge@bridge.example is forgotten"));
    rig_ask(r, "forget");
    assert_true(rig_has(r, "address is missing"));
}

static void by_admins_alone(void **state)
{
    struct rig *r = *state;

    rig_feed(r, "<message type='chat' from='alice@example.org/x' to='bridge.example'><body>forget "
                "bob@example.org</body></message>");
    rig_listen(r);
    assert_true(rig_has(r, "unknown command"));
    rig_feed(r, "<message type='chat' from='admin@example.org/x' to='bridge.example'><body>forget "
                "bob@example.org</body></message>");
    rig_listen(r);
    assert_true(rig_has(r, "Nothing is kept of bob@example.org."));
}

#define FORGET_TEST(f, setup) cmocka_unit_test_setup_teardown(f, setup, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FORGET_TEST(all_of_a_user, connected),
        FORGET_TEST(one_of_whom_nothing_is_kept, up),
        FORGET_TEST(rows_that_the_core_does_not_have, up),
        FORGET_TEST(while_nobody_can_be_told, connected),
        FORGET_TEST(contacts_as_before, up),
        FORGET_TEST(by_admins_alone, connected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
