// What is posted to rooms once more under its id: its source had no answer, or was told that nothing came of it.
#include "lib/room_rig.h"

#include "core/venue.h"

#define HOUR 3600000

static void post_again(struct rig *r, const char *id)
{
    struct event ev = rig_post_event("lamp", r->room[0].jid, id, "");
    ev.flags |= EVENT_AGAIN;
    rig_do(r, &ev);
}

static void take_back(struct rig *r, const char *id)
{
    struct event ev = core_adapter(EV_DISCARD, HOME, "lamp");
    ev.user = core_jid(r->room[0].jid);
    ev.id = str_c(id);
    ev.token = 7;
    rig_do(r, &ev);
}

// Services name each delivery: what is new must not cost a look at the room's past.
static void test_named_by_its_source_long_after_the_start(void **state)
{
    struct rig *r = *state;
    struct rig_room *room = &r->room[0];
    static const char *const ids[] = {"b0", "b1", "b2"};
    rig_post(r, "lamp", "a0");
    rig_pass(r, HOUR);
    rig_post(r, "lamp", "a1");
    unsigned checks = room->checks;
    for (size_t i = 0; i < 3; i++) {
        post_again(r, ids[i]);
        assert_int_equal(rig_said(room, ids[i]), 1);
    }
    assert_int_equal(room->checks, checks);
    assert_int_equal(room->catchups, 0);
    assert_int_equal(room->enters, 1);
}

static void test_named_by_its_source_soon_after_a_start(void **state)
{
    struct rig *r = *state;
    struct rig_room *room = &r->room[0];
    rig_post(r, "lamp", "a");
    unsigned looks = room->checks + room->enters;
    post_again(r, "b");
    assert_true(room->checks + room->enters > looks);
    assert_int_equal(rig_said(room, "b"), 1);
}

// Said before their rows were on the disk, and posted again by a source that had no answer: one look finds them all.
static void test_said_by_a_process_that_was_killed(void **state)
{
    struct rig *r = *state;
    struct rig_room *room = &r->room[0];
    static const char *const ids[] = {"a0", "a1", "a2"}, *const fresh[] = {"b0", "b1", "b2"};
    room->archive = true;
    rig_post(r, "lamp", "first");
    r->j.hold = true;
    for (size_t i = 0; i < 3; i++)
        rig_post(r, "lamp", ids[i]);
    rig_kill(r);
    r->j.hold = false;
    rig_link(r, true);
    rig_pass(r, 1000);
    for (size_t i = 0; i < 3; i++) {
        post_again(r, ids[i]);
        rig_pass(r, 1000);
        assert_int_equal(rig_said(room, ids[i]), 1);
        assert_int_equal(rig_settled(r, ids[i], ERR_OK), 2); // by each process
    }
    unsigned looks = room->catchups + room->enters;
    assert_true(room->catchups > 0);
    for (size_t i = 0; i < 3; i++) {
        post_again(r, fresh[i]);
        assert_int_equal(rig_said(room, fresh[i]), 1);
    }
    assert_int_equal(room->catchups + room->enters, looks);
    struct lane_view l;
    size_t at = 0;
    while (bridge_next_lane(r->j.c.b, &at, &l) && !l.room.n)
        continue;
    assert_int_equal(l.accepted, 7); // what was said before, too: the books hold
    assert_int_equal(l.settled, 7);
    assert_int_equal(l.queued, 0);
}

// Its sender was told that nothing was posted.
static void test_taken_back_and_posted_again(void **state)
{
    struct rig *r = *state;
    struct rig_room *room = &r->room[0];
    static const char *const ids[] = {"a0", "a1", "a2"};
    rig_pass(r, HOUR);
    room->refuse = ERR_AUTH;
    for (size_t i = 0; i < 3; i++)
        rig_post(r, "lamp", ids[i]);
    for (unsigned i = 0; i < 2; i++) {
        take_back(r, "a1");
        post_again(r, "a1");
    }
    assert_int_equal(r->j.refused, 0);
    assert_int_equal(r->settled_count, 0);
    room->refuse = ERR_OK;
    rig_pass(r, GUEST_PARK_MS + 1000);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rig_said(room, ids[i]), 1);
        assert_int_equal(rig_settled(r, ids[i], ERR_OK), 1);
    }
}

static void test_taken_back_posted_again_and_killed(void **state)
{
    struct rig *r = *state;
    struct rig_room *room = &r->room[0];
    rig_pass(r, HOUR);
    room->refuse = ERR_AUTH;
    rig_post(r, "lamp", "a0");
    rig_post(r, "lamp", "a1");
    take_back(r, "a0");
    take_back(r, "a1");
    post_again(r, "a0");
    rig_kill(r);
    room->refuse = ERR_OK;
    rig_link(r, true);
    rig_pass(r, 1000);
    assert_int_equal(rig_said(room, "a0"), 1);
    assert_int_equal(room->said, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_named_by_its_source_long_after_the_start, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_named_by_its_source_soon_after_a_start, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_said_by_a_process_that_was_killed, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_taken_back_and_posted_again, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_taken_back_posted_again_and_killed, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
