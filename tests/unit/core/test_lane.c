/* A lane by itself: numbers, ids, bodies, fences and holds, settling, trimming, and what it makes of rows that were
 * damaged. */
#include "lib/check.h"

#include "core/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t add(struct lane *l, const char *id, int64_t now)
{
    return lane_add(l, lane_hash(str_c(id)), 10, now);
}

static uint64_t find(const struct lane *l, const char *id)
{
    return lane_find(l, lane_hash(str_c(id)));
}

static void put(struct lane *l, uint64_t number, const char *id, const char *body)
{
    struct event ev = {.kind = EV_MESSAGE,
                       .key = STR("lamp"),
                       .id = str_c(id),
                       .body = str_c(body),
                       .type = MESSAGE_NORMAL,
                       .stamp = 5,
                       .accepted = 7,
                       .user = {.local = STR("alice"), .domain = STR("example.org"), .resource = STR("r")}};
    lane_put(l, &ev, number);
}

static void test_numbers_and_ids(void **state)
{
    (void)state;
    struct lane *l = lane_create();
    assert_int_equal(find(l, "a"), 0);
    assert_null(lane_entry(l, 0));
    assert_null(lane_entry(l, 1));
    char id[16];
    for (unsigned i = 1; i <= 1000; i++) { // the ring grows several times
        (void)snprintf(id, sizeof id, "m%u", i);
        assert_int_equal(add(l, id, i), i);
    }
    for (unsigned i = 1; i <= 1000; i++) {
        (void)snprintf(id, sizeof id, "m%u", i);
        assert_int_equal(find(l, id), i);
        assert_int_equal(lane_entry(l, i)->at, i);
    }
    assert_null(lane_entry(l, 1001));
    assert_int_equal(lane_queued(l), 1000);
    assert_int_equal(l->bytes, 10000);
    add(l, "m7", 0);
    assert_int_equal(find(l, "m7"), 1001); // the newest
    assert_true(lane_hash(STR_NONE) != 0);
    lane_destroy(l);
    lane_destroy(NULL);
}

static void test_bodies(void **state)
{
    (void)state;
    struct lane *l = lane_create();
    for (unsigned i = 0; i < 3; i++)
        add(l, "x", 0);
    assert_null(lane_head(l));
    put(l, 1, "one", "first");
    put(l, 2, "two", "");
    const struct lane_record *r = lane_head(l);
    assert_int_equal(r->number, 1);
    assert_str(r->id, "one");
    assert_str(r->body, "first");
    assert_str(r->key, "lamp");
    assert_str(r->user, "alice@example.org"); // bare
    assert_int_equal(r->stamp, 5);
    assert_int_equal(r->since, 7);
    assert_int_equal(r->type, MESSAGE_NORMAL);
    assert_int_equal(l->loaded, 2);
    lane_sent(l);
    assert_int_equal(l->sent, 1);
    assert_int_equal(lane_head(l)->number, 2);
    assert_int_equal(l->record_bytes, 0);
    l->question = 4;
    lane_rewind(l); // nothing was fenced: both again, and no answer to the old question
    assert_null(lane_head(l));
    assert_int_equal(l->sent, 0);
    assert_int_equal(l->loaded, 0);
    assert_int_equal(l->question, 0);
    lane_destroy(l);
}

static void test_room_for_bodies(void **state)
{
    (void)state;
    struct lane *l = lane_create();
    for (unsigned i = 1; i <= LANE_MEMORY; i++) {
        assert_true(lane_has_room(l));
        add(l, "x", 0);
        put(l, i, "x", "y");
    }
    assert_false(lane_has_room(l));
    lane_sent(l);
    assert_true(lane_has_room(l));
    lane_destroy(l);
    l = lane_create();
    char *big = calloc(1, LANE_MEMORY_BYTES + 1);
    memset(big, 'b', LANE_MEMORY_BYTES);
    add(l, "x", 0);
    put(l, 1, "x", big);
    assert_false(lane_has_room(l));
    free(big);
    lane_destroy(l);
}

static struct lane *with_records(unsigned n)
{
    struct lane *l = lane_create();
    for (unsigned i = 0; i < n; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "m%u", i + 1);
        add(l, id, 0);
    }
    return l;
}

static void test_holds(void **state)
{
    (void)state;
    struct lane *l = with_records(10);
    assert_true(lane_deadline(l) == INT64_MAX);
    lane_fenced(l, 2, 1000);
    lane_fenced(l, 1, 1001); // older: nothing
    lane_fenced(l, 4, 1050); // within the step: together
    lane_fenced(l, 5, 1100); // one more
    assert_int_equal(l->fenced, 5);
    assert_int_equal(l->settled, 0);
    assert_int_equal(l->hold_count, 2);
    int64_t first = 1000 + LANE_HOLD_STEP + LANE_HOLD_MS;
    assert_int_equal(lane_deadline(l), first);
    assert_false(lane_settle(l, first - 1));
    assert_true(lane_settle(l, first)); // none before it was held for LANE_HOLD_MS
    assert_int_equal(l->settled, 4);
    assert_int_equal(l->bytes, 50); // of what the server has not taken
    assert_int_equal(lane_queued(l), 6);
    assert_true(lane_settle(l, first + 100));
    assert_int_equal(l->settled, 5);
    assert_false(lane_settle(l, first + 100000));
    lane_destroy(l);
}

// However often fences come back, no more holds than there is room for, and none too short.
static void test_many_holds(void **state)
{
    (void)state;
    struct lane *l = with_records(500);
    int64_t fenced_at[501];
    uint64_t settled = 0;
    for (unsigned i = 1; i <= 500; i++) {
        int64_t now = (int64_t)i * 37;
        lane_fenced(l, i, now);
        fenced_at[i] = now;
        assert_true(l->hold_count <= LANE_HOLDS);
        lane_settle(l, now);
        for (; settled < l->settled; settled++)
            assert_true(now - fenced_at[settled + 1] >= LANE_HOLD_MS);
    }
    assert_true(settled > 300);
    assert_true(lane_settle(l, 1000000));
    assert_int_equal(l->settled, 500);
    assert_int_equal(l->bytes, 0);
    lane_destroy(l);
}

static void test_unfence(void **state)
{
    (void)state;
    struct lane *l = with_records(6);
    lane_fenced(l, 2, 0);
    lane_settle(l, 100000);
    lane_fenced(l, 4, 100000);
    l->resume = NULL;
    put(l, 1, "m1", "x");
    lane_sent(l);
    l->loaded = l->sent = 6;
    lane_unfence(l); // the hold is not over: it may be lost
    assert_int_equal(l->fenced, 2);
    assert_int_equal(l->sent, 2);
    assert_int_equal(l->loaded, 2);
    assert_int_equal(l->hold_count, 0);
    assert_false(lane_settle(l, INT64_MAX / 2));
    assert_int_equal(l->settled, 2);
    lane_destroy(l);
}

static void test_trim_by_count(void **state)
{
    (void)state;
    struct lane *l = with_records(3000);
    lane_fenced(l, LANE_KEPT + 250, 0);
    lane_settle(l, 10000);
    assert_false(lane_trim(l, 10000)); // in lots
    lane_fenced(l, LANE_KEPT + 251, 10000);
    lane_settle(l, 20000);
    assert_true(lane_trim(l, 20000));
    assert_int_equal(l->trimmed, 251);
    assert_null(lane_entry(l, 251));
    assert_non_null(lane_entry(l, 252));
    assert_int_equal(find(l, "m251"), 0);
    assert_int_equal(find(l, "m252"), 252);
    assert_false(lane_trim(l, 20000));
    lane_destroy(l);
}

// An error may come back for an hour after it was settled, however long it waited before.
static void test_trim_by_age(void **state)
{
    (void)state;
    struct lane *l = with_records(3); // at 0
    int64_t late = 10 * 3600 * 1000;
    lane_fenced(l, 2, late);
    int64_t settled = late + LANE_HOLD_MS + LANE_HOLD_STEP;
    assert_true(lane_settle(l, settled));
    assert_false(lane_trim(l, settled));
    assert_int_equal(find(l, "m1"), 1);
    int64_t due = lane_deadline(l);
    assert_true(due >= settled + LANE_KEPT_MS && due <= settled + LANE_KEPT_MS + 1000);
    assert_false(lane_trim(l, due - 1));
    assert_true(lane_trim(l, due));
    assert_int_equal(l->trimmed, 2);
    assert_int_equal(find(l, "m1"), 0);
    assert_int_equal(find(l, "m3"), 3); // not settled
    assert_true(lane_deadline(l) == INT64_MAX);
    lane_destroy(l);
}

static void test_restore_with_gaps(void **state)
{
    (void)state;
    struct lane *l = lane_create();
    l->trimmed = 100;
    l->next = 101;
    l->settled = 110;
    l->fenced = 130;
    assert_false(lane_restore(l, 100, 1, 1, 0)); // trimmed
    assert_false(lane_restore(l, 0, 1, 1, 0));
    assert_true(lane_restore(l, 105, lane_hash(STR("a")), 7, -3));
    assert_false(lane_restore(l, 105, 2, 1, 0)); // again
    assert_false(lane_restore(l, 103, 2, 1, 0)); // back
    assert_true(lane_restore(l, 120, lane_hash(STR("b")), 9, -2));
    assert_false(lane_restore(l, 121, 2, (size_t)UINT32_MAX + 1, 0));
    assert_false(lane_restore(l, 100 + LANE_SPAN + 1, 3, 1, 0));
    assert_false(lane_restore(l, UINT64_MAX, 3, 1, 0));
    assert_int_equal(find(l, "a"), 105);
    assert_int_equal(find(l, "b"), 120);
    assert_null(lane_entry(l, 104));
    assert_null(lane_entry(l, 119));
    assert_int_equal(lane_entry(l, 105)->at, -3);
    assert_int_equal(l->bytes, 0);
    assert_int_equal(l->next, 121);
    lane_restored(l, 130, 50000); // and ten that nobody has
    assert_int_equal(l->next, 131);
    assert_int_equal(l->fenced, 130);
    assert_int_equal(l->loaded, 130);
    assert_false(lane_settle(l, 50000 + LANE_HOLD_MS)); // held anew
    assert_true(lane_settle(l, 50000 + LANE_HOLD_MS + LANE_HOLD_STEP));
    assert_int_equal(l->bytes, 0);
    assert_false(lane_trim(l, 60000)); // kept anew
    assert_true(lane_trim(l, 50000 + LANE_KEPT_MS + 20000));
    assert_int_equal(l->trimmed, 130);
    lane_destroy(l);
}

// The row of a lane whose records are all gone.
static void test_restore_without_records(void **state)
{
    (void)state;
    struct lane *l = lane_create();
    l->settled = 5;
    assert_true(lane_deadline(l) == INT64_MAX);
    lane_restored(l, 5, 1000);
    assert_int_equal(l->next, 6);
    assert_int_equal(lane_queued(l), 0);
    assert_int_equal(lane_add(l, 1, 1, 0), 6);
    lane_destroy(l);
}

static void test_widest_gap(void **state)
{
    (void)state;
    struct lane *l = lane_create();
    assert_true(lane_restore(l, LANE_SPAN, lane_hash(STR("a")), 1, 0));
    assert_int_equal(find(l, "a"), LANE_SPAN);
    assert_true(l->cap <= (size_t)LANE_SPAN * 2);
    lane_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_and_ids),   cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_room_for_bodies),   cmocka_unit_test(test_holds),
        cmocka_unit_test(test_many_holds),        cmocka_unit_test(test_unfence),
        cmocka_unit_test(test_trim_by_count),     cmocka_unit_test(test_trim_by_age),
        cmocka_unit_test(test_restore_with_gaps), cmocka_unit_test(test_restore_without_records),
        cmocka_unit_test(test_widest_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
