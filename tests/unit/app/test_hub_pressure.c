// A server that reads slowly: what the hub has to say waits, is bounded, and is all said in the end.
#include "app/hub_private.h"
#include "unit/app/hub_rig.h"

#include <stdio.h>

#define RIG_NULL                                                                                                       \
    RIG_MAIN "adapters:\n  n: {type: \"null\"}\n"                                                                      \
             "access: [allow all to example.org]\n"

enum { USERS = 8000, HIGH = 512 * 1024, SLACK = 128 * 1024 }; // SLACK: what one step may add

static void subscribe_all(struct rig *r)
{
    for (int i = 0; i < USERS; i++) {
        char stanza[160];
        snprintf(stanza, sizeof stanza, "<presence type='subscribe' from='u%d@example.org' to='echo@bridge.example'/>",
                 i);
        component_feed(rig_link(r), str_c(stanza), r->now);
        hub_work(r->hub);
        strbuf_clear(component_output(rig_link(r)));
    }
}

// Turns as long as the hub asks for them; each ends with the output being taken. How many presences of the contact
// came.
static unsigned turns(struct rig *r)
{
    unsigned heard = 0;
    for (r->changed = true; r->changed;) {
        r->changed = false;
        hub_work(r->hub);
        assert_true(component_output(rig_link(r))->n <= HIGH + SLACK);
        rig_listen(r);
        heard += rig_count(r, "<status>listening</status>");
    }
    return heard;
}

static void more_than_one_turn_can_carry_is_said_in_the_next(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_NULL);
    rig_connect(&r);
    subscribe_all(&r);
    rig_outage(&r, 6000);
    rig_connect(&r);
    assert_int_equal(turns(&r), USERS);
    rig_finish(&r);
}

static void nothing_is_said_to_a_congested_link(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, RIG_NULL);
    rig_connect(&r);
    subscribe_all(&r);
    rig_outage(&r, 6000);
    hub_component_congested(r.hub, 0, true);
    rig_connect(&r);
    unsigned before = turns(&r);
    assert_true(before < USERS); // and the hub did not ask for turn after turn
    hub_component_congested(r.hub, 0, false);
    assert_true(r.changed);
    assert_int_equal(before + turns(&r), USERS);
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_one_turn_can_carry_is_said_in_the_next),
        cmocka_unit_test(nothing_is_said_to_a_congested_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
