// What the gateway asks on behalf of a user.
#include "adapters/null/null.h"
#include "app/hub_private.h"
#include "unit/app/hub_rig.h"

#include <stdio.h>

static unsigned asked; // of the adapter

static enum err counting_resolve(struct adapter *a, struct str text, struct candidate *out)
{
    asked++;
    return null_adapter_ops.resolve(a, text, out);
}

static void resolve(struct rig *r, const char *user, const char *name)
{
    char text[400];
    snprintf(text, sizeof text,
             "<iq type='set' id='r' from='%s' to='bridge.example'><query xmlns='jabber:iq:gateway'>"
             "<prompt>%s</prompt></query></iq>",
             user, name);
    rig_feed(r, text);
    rig_listen(r);
}

static void a_stranger_sets_no_adapter_to_work(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_MAIN "adapters: {one: {type: \"null\"}}\naccess: [allow see to bob@example.org]\n");
    struct adapter_ops counting = null_adapter_ops;
    counting.resolve = counting_resolve;
    r.hub->adapters[0]->ops = &counting;
    rig_connect(&r);
    rig_listen(&r);
    asked = 0;
    resolve(&r, "bob@example.org/x", "Echo");
    assert_true(rig_has(&r, "<jid>echo@bridge.example</jid>"));
    assert_int_equal(asked, 1);
    resolve(&r, "bob@example.org/x", "Nothing");
    assert_true(rig_has(&r, "item-not-found"));
    assert_int_equal(asked, 2);
    char unknown[1000];
    snprintf(unknown, sizeof unknown, "%s", strstr(r.answer.p, "<error"));
    resolve(&r, "eve@elsewhere.example/x", "Echo");
    assert_string_equal(strstr(r.answer.p, "<error"), unknown); // as if there were none
    assert_int_equal(asked, 2);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_sets_no_adapter_to_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
