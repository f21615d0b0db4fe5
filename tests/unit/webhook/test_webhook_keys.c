#include "lib/check.h"
#include "unit/webhook/rows.h"

#include "adapters/webhook/webhook_keys.h"

#define NOW INT64_C(1760000000000)
#define HOUR INT64_C(3600000)

struct rig {
    struct rows rows;
    struct webhook_keys *t;
    struct webhook_key_view seen;
};

static void rig_init(struct rig *g)
{
    *g = (struct rig){.t = NULL};
    const struct webhook_rows rows = {rows_put, &g->rows};
    g->t = webhook_keys_create(&rows);
}

static void said(struct rig *g, const char *key, const char *room, const char *id, int64_t wall)
{
    webhook_keys_said(g->t, STR("h"), str_c(key), str_c(room), str_c(id), HOUR, wall);
}

static bool finds(struct rig *g, const char *key, const char *room, int64_t wall)
{
    return webhook_keys_find(g->t, STR("h"), str_c(key), str_c(room), wall, &g->seen);
}

static void test_the_first_is_what_later_ones_correct(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    assert_false(finds(&g, "k", "r@x", NOW));
    said(&g, "k", "r@x", "msg_1", NOW);
    assert_true(finds(&g, "k", "r@x", NOW));
    assert_str(g.seen.root, "msg_1");
    assert_str(g.seen.stanza, "");
    webhook_keys_settled(g.t, STR("msg_1"), STR("room-1"));
    said(&g, "k", "r@x", "msg_2", NOW + 5);
    webhook_keys_settled(g.t, STR("msg_2"), STR("room-2"));
    assert_true(finds(&g, "k", "r@x", NOW + 6));
    assert_str(g.seen.root, "msg_1");
    assert_str(g.seen.stanza, "room-1");
    assert_false(finds(&g, "k", "other@x", NOW));
    assert_false(finds(&g, "other", "r@x", NOW));
    webhook_keys_destroy(g.t);
}

static void test_each_post_begins_the_window_anew(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    said(&g, "k", "r@x", "msg_1", NOW);
    assert_true(finds(&g, "k", "r@x", NOW + HOUR));
    said(&g, "k", "r@x", "msg_2", NOW + HOUR);
    assert_true(finds(&g, "k", "r@x", NOW + 2 * HOUR));
    assert_false(finds(&g, "k", "r@x", NOW + 2 * HOUR + 1));
    assert_int_equal(webhook_keys_count(g.t), 0);
    assert_int_equal(rows_there(&g.rows), 0);
    webhook_keys_destroy(g.t);
}

static void test_what_never_came_to_be_is_not_corrected(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    said(&g, "k", "r@x", "msg_1", NOW);
    webhook_keys_failed(g.t, STR("msg_2"));
    assert_true(finds(&g, "k", "r@x", NOW));
    webhook_keys_failed(g.t, STR("msg_1"));
    assert_false(finds(&g, "k", "r@x", NOW));
    assert_int_equal(rows_there(&g.rows), 0);
    webhook_keys_destroy(g.t);
}

static void test_the_end_of_a_key(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    said(&g, "k", "r@x", "msg_1", NOW);
    webhook_keys_end(g.t, STR("h"), STR("k"), STR("r@x"), NOW);
    assert_false(finds(&g, "k", "r@x", NOW));
    said(&g, "k", "r@x", "msg_2", NOW);
    assert_true(finds(&g, "k", "r@x", NOW));
    assert_str(g.seen.root, "msg_2");
    webhook_keys_destroy(g.t);
}

static void test_rows_outlive_a_restart(void **state)
{
    (void)state;
    struct rig g, after;
    rig_init(&g);
    said(&g, "k", "r@x", "msg_1", NOW);
    said(&g, "l", "r@x", "msg_2", NOW);
    webhook_keys_settled(g.t, STR("msg_1"), STR("room-1"));
    webhook_keys_destroy(g.t);
    rig_init(&after);
    for (size_t i = 0; i < g.rows.count; i++)
        webhook_keys_restore(after.t, str_c(g.rows.at[i].key), str_c(g.rows.at[i].blob), NOW + 1);
    assert_true(finds(&after, "k", "r@x", NOW + 2));
    assert_str(after.seen.root, "msg_1");
    assert_str(after.seen.stanza, "room-1");
    assert_true(finds(&after, "l", "r@x", NOW + 2));
    assert_str(after.seen.stanza, "");
    webhook_keys_settled(after.t, STR("msg_2"), STR("room-2"));
    assert_true(finds(&after, "l", "r@x", NOW + 2));
    assert_str(after.seen.stanza, "room-2");
    webhook_keys_destroy(after.t);
}

static void test_rows_that_cannot_be_read_are_dropped(void **state)
{
    (void)state;
    static const char *const blobs[] = {"", "x msg_1", "1760000000001", "1759999999999 msg_1 room"};
    struct rig g;
    rig_init(&g);
    for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++) {
        webhook_keys_restore(g.t, STR("k/abcdefghijklmnopqrstuvwxyz"), str_c(blobs[i]), NOW);
        assert_int_equal(g.rows.writes, i + 1);
    }
    webhook_keys_restore(g.t, STR("k/short"), STR("1760000000001 msg_1"), NOW);
    assert_int_equal(webhook_keys_count(g.t), 0);
    webhook_keys_destroy(g.t);
}

static void test_a_room_s_id_that_no_row_can_hold_is_left_out(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    said(&g, "k", "r@x", "msg_1", NOW);
    webhook_keys_settled(g.t, STR("msg_1"), STR("with blanks"));
    assert_true(finds(&g, "k", "r@x", NOW));
    assert_str(g.seen.stanza, "");
    webhook_keys_destroy(g.t);
}

static void test_bounds_and_sweep(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    for (int i = 0; i <= WEBHOOK_KEYS_MAX; i++) {
        char key[16], id[24];
        snprintf(key, sizeof key, "%d", i);
        snprintf(id, sizeof id, "msg_%d", i);
        said(&g, key, "r@x", id, NOW + i);
    }
    assert_int_equal(webhook_keys_count(g.t), WEBHOOK_KEYS_MAX);
    assert_false(finds(&g, "0", "r@x", NOW));
    assert_true(finds(&g, "1", "r@x", NOW));
    assert_true(webhook_keys_sweep(g.t, NOW + HOUR + 1500)); // a thousand at a time
    assert_false(webhook_keys_sweep(g.t, NOW + HOUR + 1500));
    assert_int_equal(webhook_keys_count(g.t), WEBHOOK_KEYS_MAX + 1 - 1500);
    webhook_keys_destroy(g.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_is_what_later_ones_correct),
        cmocka_unit_test(test_each_post_begins_the_window_anew),
        cmocka_unit_test(test_what_never_came_to_be_is_not_corrected),
        cmocka_unit_test(test_the_end_of_a_key),
        cmocka_unit_test(test_rows_outlive_a_restart),
        cmocka_unit_test(test_rows_that_cannot_be_read_are_dropped),
        cmocka_unit_test(test_a_room_s_id_that_no_row_can_hold_is_left_out),
        cmocka_unit_test(test_bounds_and_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
