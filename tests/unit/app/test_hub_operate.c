// Operations by form and by the control socket: the same table, the same bounds.
#include "unit/app/hub_rig.h"

#include <stdio.h>

#define ADHOC                                                                                                          \
    "<iq type='set' id='c%d' from='%s/x' to='bridge.example'><command xmlns='http://jabber.org/protocol/commands' "

static void run_form(struct rig *r, int id, const char *user, const char *node)
{
    char text[400];
    snprintf(text, sizeof text, ADHOC "node='%s' action='execute'/></iq>", id, user, node);
    rig_feed(r, text);
}

// Each costs as much as a line of chat, and counts as one.
static void forms_are_limited_as_chat_is(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN);
    rig_connect(&r);
    rig_listen(&r);
    for (int i = 0; i < 200; i++)
        run_form(&r, i, "admin@example.org", "rules");
    rig_listen(&r);
    assert_int_equal(rig_count(&r, "id='c"), 200); // all are answered
    unsigned refused = rig_count(&r, "resource-constraint");
    assert_true(refused > 100 && refused < 200);
    r.now += 60000;
    run_form(&r, 1, "admin@example.org", "rules");
    rig_listen(&r);
    assert_true(rig_has(&r, "completed"));
    rig_finish(&r);
}

static void forms_of_others_do_not_exist(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN "access: [allow see to bob@example.org]\n");
    rig_connect(&r);
    rig_listen(&r);
    run_form(&r, 1, "bob@example.org", "rules");
    run_form(&r, 2, "bob@example.org", "nonsense");
    rig_listen(&r);
    assert_int_equal(rig_count(&r, "item-not-found"), 2);
    run_form(&r, 3, "admin@example.org", "rules");
    rig_listen(&r);
    assert_true(rig_has(&r, "completed") && rig_has(&r, "allow see to bob@example.org"));
    rig_finish(&r);
}

static void say(struct rig *r, const char *user, const char *line)
{
    char text[400];
    snprintf(text, sizeof text, "<message type='chat' from='%s/x' to='bridge.example'><body>%s</body></message>", user,
             line);
    rig_feed(r, text);
    rig_listen(r);
}

static void presence(struct rig *r, const char *user, const char *type)
{
    char text[400];
    snprintf(text, sizeof text, "<presence type='%s' from='%s' to='echo@bridge.example'/>", type, user);
    rig_feed(r, text);
    rig_listen(r);
}

static void what_is_added_is_not_asked_for_again(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN "adapters: {one: {type: \"null\"}}\naccess: [allow see to bob@example.org]\n");
    rig_connect(&r);
    rig_listen(&r);
    say(&r, "bob@example.org", "remove echo");
    assert_true(rig_has(&r, "was not added") && !rig_has(&r, "<presence"));
    say(&r, "bob@example.org", "add echo");
    assert_true(rig_has(&r, "asks to be added") && rig_has(&r, "type='subscribe'"));
    say(&r, "bob@example.org", "add echo");
    assert_true(rig_has(&r, "asks to be added") && rig_has(&r, "type='subscribe'"));
    presence(&r, "bob@example.org", "subscribe");
    say(&r, "bob@example.org", "add echo");
    assert_true(rig_has(&r, "is added already") && !rig_has(&r, "<presence"));
    say(&r, "bob@example.org", "remove echo");
    assert_true(rig_has(&r, "is removed") && rig_has(&r, "type='unsubscribed'"));
    say(&r, "bob@example.org", "add echo");
    assert_true(rig_has(&r, "asks to be added") && rig_has(&r, "type='subscribe'"));
    rig_finish(&r);
}

static void nobody_is_asked_over_a_link_that_is_down(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, "components:\n"
                 "  main: {domain: bridge.example, server: 10.0.0.1, secret: s}\n"
                 "  more: {domain: more.example, server: 10.0.0.1, secret: s}\n"
                 "adapters: {one: {type: \"null\", component: more}}\n"
                 "access: [allow see to bob@example.org]\n");
    rig_connect(&r);
    rig_listen(&r);
    say(&r, "bob@example.org", "add echo@more.example");
    assert_true(rig_has(&r, "more.example has no connection") && !rig_has(&r, "asks to be added"));
    rig_finish(&r);
}

static void who_may_not_register_is_told(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN "access: [allow admin to bob@example.org]\n");
    rig_connect(&r);
    rig_listen(&r);
    say(&r, "bob@example.org", "register");
    assert_true(rig_has(&r, "you may not register") && !rig_has(&r, "You are registered"));
    say(&r, "admin@example.org", "register");
    assert_true(rig_has(&r, "You are registered"));
    rig_finish(&r);
}

static void only_what_is_in_quarantine_is_approved(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN "adapters: {one: {type: \"null\"}}\n");
    rig_ask(&r, "approve lounge");
    assert_true(rig_has(&r, "lounge@bridge.example is not in quarantine") && !rig_has(&r, "approved."));
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_limited_as_chat_is),
        cmocka_unit_test(forms_of_others_do_not_exist),
        cmocka_unit_test(what_is_added_is_not_asked_for_again),
        cmocka_unit_test(nobody_is_asked_over_a_link_that_is_down),
        cmocka_unit_test(who_may_not_register_is_told),
        cmocka_unit_test(only_what_is_in_quarantine_is_approved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
