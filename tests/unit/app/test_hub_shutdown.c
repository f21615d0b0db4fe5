// The end in good order: all are told, also when one server of several does not read.
#include "unit/app/hub_rig.h"

#include <stdio.h>

enum { MANY = 600 }; // more than one step may say

#define TWO                                                                                                            \
    "components:\n  a: {domain: bridge.example, secret: s}\n  b: {domain: other.example, secret: s}\n"                 \
    "adapters:\n  one: {type: \"null\", component: a}\naccess: [allow all to example.org]\n"

static void connect_other(struct rig *r)
{
    struct component *c = hub_component(r->hub, 1);
    component_dialled(c, r->now);
    component_opened(c, r->now);
    component_feed(c, STR(RIG_HEADER), r->now);
    rig_work(r);
    assert_int_equal(component_state(c), COMPONENT_UP);
}

static void subscribe_many(struct rig *r)
{
    for (int i = 0; i < MANY; i++) {
        char text[200];
        snprintf(text, sizeof text, "<presence type='subscribe' from='u%d@example.org' to='echo@bridge.example'/>", i);
        rig_feed(r, text);
    }
    rig_listen(r);
    assert_int_equal(rig_count(r, "type='subscribed'"), MANY);
}

static void a_server_that_does_not_read_keeps_nothing_from_others(void **state)
{
    (void)state;
    struct rig r;
    rig_init(&r, TWO);
    rig_connect(&r);
    connect_other(&r);
    subscribe_many(&r);
    hub_component_congested(r.hub, 1, true);
    hub_shutdown(r.hub);
    rig_work(&r);
    rig_listen(&r);
    assert_int_equal(rig_count(&r, "type='unavailable'"), MANY);
    assert_true(rig_has(&r, "</stream:stream>"));
    assert_false(hub_done(r.hub));
    for (size_t i = 0; i < 2; i++)
        component_closed(hub_component(r.hub, i), ERR_OK, NULL, r.now);
    rig_work(&r);
    assert_true(hub_done(r.hub));
    rig_finish(&r);
}

// More than a link's output may hold at once: each is told all the same, and the stream is closed in good order.
static void a_server_that_reads_slowly_is_told_all(void **state)
{
    (void)state;
    enum { CROWD = 12000 };
    struct rig r;
    rig_init(&r, TWO);
    rig_connect(&r);
    for (int i = 0; i < CROWD; i++) {
        char text[200];
        snprintf(text, sizeof text, "<presence type='subscribe' from='u%d@example.org' to='echo@bridge.example'/>", i);
        rig_feed(&r, text);
        if (i % 1000 == 999)
            rig_listen(&r);
    }
    hub_shutdown(r.hub);
    unsigned told = 0, turns = 0;
    for (bool ended = false; !ended; turns++) {
        assert_true(turns < 100);
        rig_work(&r);
        assert_true(component_output(rig_link(&r))->n < 1024 * 1024);
        rig_listen(&r);
        told += rig_count(&r, "type='unavailable'");
        ended = rig_has(&r, "</stream:stream>");
    }
    assert_int_equal(told, CROWD);
    assert_true(turns > 1);
    for (size_t i = 0; i < 2; i++)
        component_closed(hub_component(r.hub, i), ERR_OK, NULL, r.now);
    rig_work(&r);
    assert_true(hub_done(r.hub));
    rig_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_does_not_read_keeps_nothing_from_others),
        cmocka_unit_test(a_server_that_reads_slowly_is_told_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
