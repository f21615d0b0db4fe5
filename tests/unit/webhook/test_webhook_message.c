#include "lib/check.h"

#include "adapters/webhook/webhook_message.h"

#include <stdio.h>

#define NOW INT64_C(1760000000000)

static const struct webhook_target two[] = {
    {.to = {"ops@c.x", 7}, .room = true, .key = {"h", 1}, .nick = {"bot", 3}},
    {.to = {"ann@x", 5}, .room = false, .key = {"h", 1}},
};

static struct webhook_message *add(struct webhook_messages *t, const char *id, size_t count)
{
    return webhook_messages_add(t, str_c(id), STR("h"), two, count, NOW);
}

static void check_status(const struct webhook_message *m, const char *status)
{
    assert_string_equal(webhook_message_status(m), status);
}

static bool move(struct webhook_message *m, size_t at, enum webhook_target_state state)
{
    return webhook_message_move(m, at, state, ERR_OK, STR_NONE, STR_NONE);
}

static void test_ids(void **state)
{
    (void)state;
    char a[WEBHOOK_ID + 1], b[WEBHOOK_ID + 1], wire[WEBHOOK_ID_MAX + 1];
    struct str id = webhook_message_id(a, STR("in"), STR("h"), STR("k"));
    assert_int_equal(id.n, WEBHOOK_ID);
    assert_int_equal(strspn(a + 4, "abcdefghijklmnopqrstuvwxyz234567"), WEBHOOK_ID - 4);
    assert_true(str_starts(id, STR("msg_")));
    assert_true(str_eq(id, webhook_message_id(b, STR("in"), STR("h"), STR("k"))));
    assert_false(str_eq(id, webhook_message_id(b, STR("in"), STR("h"), STR("l"))));
    assert_false(str_eq(id, webhook_message_id(b, STR("in"), STR("hk"), STR_NONE)));
    struct str random = webhook_message_id(a, STR("in"), STR("h"), STR_NONE);
    assert_false(str_eq(random, webhook_message_id(b, STR("in"), STR("h"), STR_NONE)));
    assert_str(webhook_message_wire(wire, STR("m"), 0), "m");
    assert_str(webhook_message_wire(wire, STR("m"), 1), "m.2");
    assert_str(webhook_message_nth(wire, STR("m"), 0), "m");
    assert_str(webhook_message_nth(wire, STR("m"), 2), "m-3");
}

static void test_ids_on_the_wire_lead_back(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    struct webhook_message *m = add(t, "m", 2), *found;
    size_t at;
    assert_true(webhook_messages_wire(t, STR("m"), &found, &at));
    assert_ptr_equal(found, m);
    assert_int_equal(at, 0);
    assert_true(webhook_messages_wire(t, STR("m.2"), &found, &at));
    assert_int_equal(at, 1);
    static const char *const none[] = {"m.1", "m.0", "m.3", "m.x", "m.", "n", "", "m.2.2", "m.99999999999999999999"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(webhook_messages_wire(t, str_c(none[i]), &found, &at));
    webhook_messages_destroy(t);
}

static void test_states_follow_the_table(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    struct webhook_message *m = add(t, "m", 2);
    check_status(m, "queued");
    assert_false(move(m, 0, WEBHOOK_DISCARDED)); // is not known to be here yet
    assert_true(move(m, 0, WEBHOOK_QUEUED));
    assert_true(webhook_message_move(m, 0, WEBHOOK_PARKED, ERR_REGISTRATION, STR_NONE, STR("members only")));
    check_status(m, "parked");
    assert_str(m->targets[0].text, "members only");
    assert_true(move(m, 0, WEBHOOK_QUEUED));
    assert_str(m->targets[0].text, "");
    assert_true(webhook_message_move(m, 0, WEBHOOK_CONFIRMED, ERR_OK, STR("room-1"), STR_NONE));
    check_status(m, "queued"); // the other one is
    assert_false(move(m, 0, WEBHOOK_FAILED));
    assert_true(move(m, 1, WEBHOOK_QUEUED));
    assert_true(webhook_message_move(m, 1, WEBHOOK_FAILED, ERR_FORBIDDEN, STR_NONE, STR_NONE));
    check_status(m, "partial");
    assert_true(move(m, 1, WEBHOOK_CONFIRMED)); // replayed by hand
    check_status(m, "confirmed");
    webhook_messages_destroy(t);
}

static void test_it_is_told_as_json(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    struct webhook_message *m = add(t, "m", 2);
    struct strbuf out;
    strbuf_init(&out, 4096);
    assert_true(move(m, 0, WEBHOOK_QUEUED));
    assert_true(move(m, 1, WEBHOOK_QUEUED));
    assert_true(webhook_message_move(m, 0, WEBHOOK_CONFIRMED, ERR_OK, STR("r\"1"), STR_NONE));
    assert_true(webhook_message_move(m, 1, WEBHOOK_FAILED, ERR_FORBIDDEN, STR_NONE, STR("no")));
    webhook_message_named(m, 0, STR("bot 2"));
    webhook_message_named(m, 1, STR_NONE);
    webhook_message_json(m, STR("/h/h/messages/m"), &out);
    assert_str(
        strbuf_view(&out),
        "{\"id\":\"m\",\"status\":\"partial\",\"self\":\"/h/h/messages/m\",\"hook\":\"h\",\"created\":"
        "\"2025-10-09T08:53:20Z\",\"targets\":[{\"to\":\"ops@c.x\",\"status\":\"confirmed\",\"stanza_id\":"
        "\"r\\\"1\",\"by\":\"ops@c.x\",\"nick\":\"bot 2\"},{\"to\":\"ann@x\",\"status\":\"failed\",\"condition\":"
        "\"forbidden\",\"detail\":\"no\"}]}");
    strbuf_finish(&out);
    webhook_messages_destroy(t);
}

static void count_parked(void *ud, struct webhook_message *m, size_t at)
{
    (void)m;
    size_t *count = ud;
    assert_int_equal(at, 0);
    ++*count;
}

static void test_a_parked_room_parks_what_waits_for_it(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    struct webhook_message *waits = add(t, "a", 2), *posted = add(t, "b", 1), *done = add(t, "c", 1);
    size_t count = 0;
    assert_true(move(waits, 0, WEBHOOK_QUEUED));
    assert_true(move(done, 0, WEBHOOK_QUEUED));
    assert_true(move(done, 0, WEBHOOK_CONFIRMED));
    webhook_messages_park(t, STR("h"), STR("ops@c.x"), ERR_FORBIDDEN, STR("banned"), count_parked, &count);
    assert_int_equal(count, 1);
    assert_int_equal(waits->targets[0].state, WEBHOOK_PARKED);
    assert_int_equal(posted->targets[0].state, WEBHOOK_POSTED);
    assert_int_equal(done->targets[0].state, WEBHOOK_CONFIRMED);
    webhook_messages_park(t, STR("other"), STR("ops@c.x"), ERR_OK, STR_NONE, NULL, NULL);
    assert_int_equal(waits->targets[0].state, WEBHOOK_PARKED);
    webhook_messages_park(t, STR("h"), STR("ops@c.x"), ERR_OK, STR_NONE, NULL, NULL);
    assert_int_equal(waits->targets[0].state, WEBHOOK_QUEUED);
    webhook_messages_destroy(t);
}

static void test_busy_is_who_has_something_on_its_way(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    struct webhook_message *m = add(t, "m", 1);
    assert_true(webhook_messages_busy(t, STR("h")));
    assert_false(webhook_messages_busy(t, STR("i")));
    assert_true(move(m, 0, WEBHOOK_QUEUED));
    assert_true(move(m, 0, WEBHOOK_CONFIRMED));
    assert_false(webhook_messages_busy(t, STR("h")));
    webhook_messages_destroy(t);
}

static void test_the_same_id_makes_room(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    assert_true(move(add(t, "m", 2), 0, WEBHOOK_REFUSED));
    struct webhook_message *m = add(t, "m", 1);
    assert_int_equal(webhook_messages_count(t), 1);
    assert_int_equal(m->count, 1);
    assert_int_equal(m->targets[0].state, WEBHOOK_POSTED);
    webhook_messages_destroy(t);
}

static void test_bounds_and_sweep(void **state)
{
    (void)state;
    struct webhook_messages *t = webhook_messages_create();
    for (int i = 0; i <= WEBHOOK_MESSAGE_MAX; i++) {
        char id[16];
        int n = snprintf(id, sizeof id, "%d", i);
        webhook_messages_add(t, (struct str){id, (size_t)n}, STR("h"), two, 1, NOW + i);
    }
    assert_int_equal(webhook_messages_count(t), WEBHOOK_MESSAGE_MAX);
    assert_null(webhook_messages_find(t, STR("0")));
    assert_non_null(webhook_messages_find(t, STR("1")));
    assert_false(webhook_messages_sweep(t, NOW + WEBHOOK_MESSAGE_MS + 500));
    assert_int_equal(webhook_messages_count(t), WEBHOOK_MESSAGE_MAX - 499);
    assert_true(webhook_messages_sweep(t, NOW + 2 * WEBHOOK_MESSAGE_MS));
    webhook_messages_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_ids_on_the_wire_lead_back),
        cmocka_unit_test(test_states_follow_the_table),
        cmocka_unit_test(test_it_is_told_as_json),
        cmocka_unit_test(test_a_parked_room_parks_what_waits_for_it),
        cmocka_unit_test(test_busy_is_who_has_something_on_its_way),
        cmocka_unit_test(test_the_same_id_makes_room),
        cmocka_unit_test(test_bounds_and_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
