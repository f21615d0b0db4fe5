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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_limited_as_chat_is),
        cmocka_unit_test(forms_of_others_do_not_exist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
