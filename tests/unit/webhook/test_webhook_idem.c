#include "lib/check.h"
#include "unit/webhook/rows.h"

#include "adapters/webhook/webhook_idem.h"

#define NOW INT64_C(1760000000000)

struct rig {
    struct rows rows;
    struct webhook_idem *t;
    struct webhook_idem_entry *entry;
    struct webhook_idem_known known;
    uint8_t one[WEBHOOK_IDEM_DIGEST], other[WEBHOOK_IDEM_DIGEST];
};

static void rig_init(struct rig *g)
{
    *g = (struct rig){.one = {1}, .other = {2}};
    const struct webhook_rows rows = {rows_put, &g->rows};
    g->t = webhook_idem_create(&rows);
}

static enum webhook_idem_verdict begin(struct rig *g, const char *hook, const char *key, const uint8_t *digest,
                                       int64_t wall)
{
    return webhook_idem_begin(g->t, str_c(hook), str_c(key), digest, wall, &g->entry, &g->known);
}

static void test_the_same_request_gets_the_same_answer(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW), WEBHOOK_IDEM_NEW);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW), WEBHOOK_IDEM_BUSY);
    assert_int_equal(begin(&g, "a", "k", g.other, NOW), WEBHOOK_IDEM_OTHER);
    assert_int_equal(g.rows.writes, 0); // nothing is promised yet
    webhook_idem_done(g.t, g.entry, STR("msg_x"), 3);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW + 1), WEBHOOK_IDEM_SAME);
    assert_str(g.known.id, "msg_x");
    assert_int_equal(g.known.count, 3);
    assert_int_equal(begin(&g, "a", "k", g.other, NOW + 1), WEBHOOK_IDEM_OTHER);
    webhook_idem_destroy(g.t);
}

static void test_keys_are_of_their_hook(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    assert_int_equal(begin(&g, "a", "bk", g.one, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_done(g.t, g.entry, STR("msg_x"), 1);
    assert_int_equal(begin(&g, "ab", "k", g.one, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_drop(g.t, g.entry);
    webhook_idem_destroy(g.t);
}

static void test_what_was_refused_may_come_again(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_drop(g.t, g.entry);
    assert_int_equal(begin(&g, "a", "k", g.other, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_drop(g.t, g.entry);
    assert_int_equal(webhook_idem_count(g.t), 0);
    assert_int_equal(g.rows.writes, 0);
    webhook_idem_destroy(g.t);
}

static void test_a_day_later_it_is_new(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_done(g.t, g.entry, STR("msg_x"), 1);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW + WEBHOOK_IDEM_MS), WEBHOOK_IDEM_SAME);
    assert_int_equal(begin(&g, "a", "k", g.other, NOW + WEBHOOK_IDEM_MS + 1), WEBHOOK_IDEM_NEW);
    assert_int_equal(rows_there(&g.rows), 0);
    webhook_idem_drop(g.t, g.entry);
    webhook_idem_destroy(g.t);
}

static void test_a_sweep_forgets_what_is_too_old(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    for (int i = 0; i < 3; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        assert_int_equal(begin(&g, "h", key, g.one, NOW + i * 1000), WEBHOOK_IDEM_NEW);
        webhook_idem_done(g.t, g.entry, STR("msg_x"), 1);
    }
    assert_false(webhook_idem_sweep(g.t, NOW + WEBHOOK_IDEM_MS));
    assert_int_equal(webhook_idem_count(g.t), 3);
    assert_false(webhook_idem_sweep(g.t, NOW + WEBHOOK_IDEM_MS + 1500));
    assert_int_equal(webhook_idem_count(g.t), 1);
    assert_int_equal(rows_there(&g.rows), 1);
    webhook_idem_destroy(g.t);
}

static void test_rows_outlive_a_restart(void **state)
{
    (void)state;
    struct rig g, after;
    rig_init(&g);
    assert_int_equal(begin(&g, "a", "k", g.one, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_done(g.t, g.entry, STR("msg_x"), 2);
    webhook_idem_destroy(g.t);
    rig_init(&after);
    assert_int_equal(g.rows.count, 1);
    webhook_idem_restore(after.t, str_c(g.rows.at[0].key), str_c(g.rows.at[0].blob), NOW + 1);
    assert_int_equal(begin(&after, "a", "k", after.one, NOW + 2), WEBHOOK_IDEM_SAME);
    assert_str(after.known.id, "msg_x");
    assert_int_equal(after.known.count, 2);
    assert_int_equal(begin(&after, "a", "k", after.other, NOW + 2), WEBHOOK_IDEM_OTHER);
    webhook_idem_destroy(after.t);
}

static void test_rows_that_cannot_be_read_are_dropped(void **state)
{
    (void)state;
    static const char key[] = "i/abcdefghijklmnopqrstuvwxyz";
    static const char *const blobs[] = {
        "",
        "x",
        "1760000000000",
        "1760000000000 00",
        "1760000000000 01000000000000000000000000000000000000000000000000000000000000zz msg 1",
        "1760000000000 0100000000000000000000000000000000000000000000000000000000000000 msg",
        "1760000000000 0100000000000000000000000000000000000000000000000000000000000000 msg x",
        "5 0100000000000000000000000000000000000000000000000000000000000000 msg 1", // of long ago
    };
    struct rig g;
    rig_init(&g);
    for (size_t i = 0; i < sizeof blobs / sizeof *blobs; i++) {
        webhook_idem_restore(g.t, str_c(key), str_c(blobs[i]), NOW);
        assert_int_equal(g.rows.writes, i + 1);
    }
    webhook_idem_restore(g.t, STR("i/short"), str_c(blobs[7]), 6);
    assert_int_equal(webhook_idem_count(g.t), 0);
    assert_int_equal(rows_there(&g.rows), 0);
    webhook_idem_destroy(g.t);
}

static void test_rows_come_in_no_order(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    for (unsigned i = 0; i < WEBHOOK_IDEM_MAX; i++) {
        static const char digest[] = "0100000000000000000000000000000000000000000000000000000000000000";
        char key[32], blob[160];
        unsigned age = i * 7919 % WEBHOOK_IDEM_MAX; // each once
        snprintf(key, sizeof key, "i/%026u", i);
        snprintf(blob, sizeof blob, "%lld %s msg_x 1", (long long)(NOW + age), digest);
        webhook_idem_restore(g.t, str_c(key), str_c(blob), NOW + WEBHOOK_IDEM_MS / 2);
    }
    assert_int_equal(webhook_idem_count(g.t), WEBHOOK_IDEM_MAX);
    assert_false(webhook_idem_sweep(g.t, NOW + WEBHOOK_IDEM_MS + 500));
    assert_int_equal(webhook_idem_count(g.t), WEBHOOK_IDEM_MAX - 500);
    webhook_idem_destroy(g.t);
}

static void test_the_oldest_makes_room(void **state)
{
    (void)state;
    struct rig g;
    rig_init(&g);
    for (int i = 0; i <= WEBHOOK_IDEM_MAX; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(begin(&g, "h", key, g.one, NOW), WEBHOOK_IDEM_NEW);
        webhook_idem_done(g.t, g.entry, STR("msg_x"), 1);
    }
    assert_int_equal(webhook_idem_count(g.t), WEBHOOK_IDEM_MAX);
    assert_int_equal(begin(&g, "h", "1", g.one, NOW), WEBHOOK_IDEM_SAME);
    assert_int_equal(begin(&g, "h", "0", g.one, NOW), WEBHOOK_IDEM_NEW);
    webhook_idem_drop(g.t, g.entry);
    webhook_idem_destroy(g.t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_request_gets_the_same_answer),
        cmocka_unit_test(test_keys_are_of_their_hook),
        cmocka_unit_test(test_what_was_refused_may_come_again),
        cmocka_unit_test(test_a_day_later_it_is_new),
        cmocka_unit_test(test_a_sweep_forgets_what_is_too_old),
        cmocka_unit_test(test_rows_outlive_a_restart),
        cmocka_unit_test(test_rows_that_cannot_be_read_are_dropped),
        cmocka_unit_test(test_the_oldest_makes_room),
        cmocka_unit_test(test_rows_come_in_no_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
