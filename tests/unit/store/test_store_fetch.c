/* The journal's tables: questions and their answers, with a thread and without, and a disk that fails; what is trimmed,
 * and what a letter keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "unit/store/fault_vfs.h"
#include "unit/store/store_fixture.h"

#include <pthread.h>

struct answers {
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned calls; // of the store's thread
    struct {
        uint64_t number; // of a record; 0: an end
        uint64_t after;
        bool complete;
        char adapter[16], body[64];
    } got[512];
    size_t count, ends;
};

static void on_record(void *ud, const struct row *row)
{
    struct answers *a = ud;
    assert_true(a->count < sizeof a->got / sizeof *a->got);
    assert_int_equal(row->kind, ROW_RECORD);
    assert_true(str_eq_c(row->name, "what else there is"));
    a->got[a->count].number = row->number;
    (void)snprintf(a->got[a->count].adapter, sizeof a->got->adapter, STR_FMT, STR_ARG(row->adapter));
    (void)snprintf(a->got[a->count++].body, sizeof a->got->body, STR_FMT, STR_ARG(row->text));
}

static void on_end(void *ud, struct str adapter, uint64_t after, bool complete)
{
    struct answers *a = ud;
    assert_true(a->count < sizeof a->got / sizeof *a->got);
    a->got[a->count].number = 0;
    a->got[a->count].after = after;
    a->got[a->count].complete = complete;
    (void)snprintf(a->got[a->count++].adapter, sizeof a->got->adapter, STR_FMT, STR_ARG(adapter));
    a->ends++;
}

static const struct store_reader reader = {on_record, on_end};

static void notified(void *ud)
{
    struct answers *a = ud;
    (void)pthread_mutex_lock(&a->lock);
    a->calls++;
    (void)pthread_cond_signal(&a->told);
    (void)pthread_mutex_unlock(&a->lock);
}

static void answers_init(struct answers *a, struct store *s)
{
    *a = (struct answers){.calls = 0};
    (void)pthread_mutex_init(&a->lock, NULL);
    (void)pthread_cond_init(&a->told, NULL);
    store_on_commit(s, notified, a);
}

// Waits until so many questions were answered.
static void await(struct answers *a, struct store *s, size_t ends)
{
    a->count = a->ends = 0;
    (void)pthread_mutex_lock(&a->lock);
    while (a->ends < ends) {
        unsigned calls = a->calls;
        (void)pthread_mutex_unlock(&a->lock);
        (void)store_fetched(s, &reader, a);
        (void)pthread_mutex_lock(&a->lock);
        while (a->ends < ends && a->calls == calls)
            (void)pthread_cond_wait(&a->told, &a->lock);
    }
    (void)pthread_mutex_unlock(&a->lock);
}

static void put_record(struct store *s, const char *adapter, uint64_t number)
{
    char body[64];
    (void)snprintf(body, sizeof body, "%s body %u", adapter, (unsigned)number);
    struct row row = {.kind = ROW_RECORD,
                      .adapter = str_c(adapter),
                      .number = number,
                      .key = STR("lamp"),
                      .user = STR("alice@example.org"),
                      .id = STR("id"),
                      .text = str_c(body),
                      .name = STR("what else there is"),
                      .state = MESSAGE_NORMAL,
                      .stamp = -5,
                      .since = INT64_C(1700000000123)};
    store_put(s, &row);
}

static void put_lane(struct store *s, const char *adapter, uint64_t trimmed)
{
    struct row row = {.kind = ROW_LANE,
                      .adapter = str_c(adapter),
                      .trimmed = trimmed,
                      .settled = trimmed,
                      .number = trimmed,
                      .text = STR("boot")};
    store_put(s, &row);
}

static void put_letter(struct store *s, uint64_t number, const char *adapter, uint64_t record, bool gone)
{
    struct row row = {.kind = ROW_LETTER,
                      .gone = gone,
                      .number = number,
                      .adapter = str_c(adapter),
                      .record = record,
                      .user = STR("alice@example.org"),
                      .id = STR("id"),
                      .state = LETTER_DEAD};
    store_put(s, &row);
}

static size_t records(struct store *s)
{
    struct rows rows;
    rows_load(&rows, s);
    size_t n = 0;
    for (size_t i = 0; i < rows.count; i++)
        n += rows.row[i].kind == ROW_RECORD;
    rows_finish(&rows);
    return n;
}

/* Questions */

static void check_range(struct store *s, struct answers *a, bool flush)
{
    for (uint64_t n = 1; n <= 20; n++) {
        put_record(s, "home", n);
        put_record(s, "far", n);
    }
    if (flush)
        assert_int_equal(store_flush(s), ERR_OK);
    store_fetch(s, STR("home"), 3, 5, SIZE_MAX);
    store_fetch(s, STR("nobody"), 0, 5, SIZE_MAX);
    store_fetch(s, STR("far"), 18, 100, SIZE_MAX);
    store_fetch(s, STR("far"), 20, 100, SIZE_MAX);
    store_fetch(s, STR("home"), 0, 0, SIZE_MAX);
    store_fetch(s, STR("home"), 0, 9, 1);  // one goes beyond
    store_fetch(s, STR("home"), 0, 9, 25); // 11 bytes each
    await(a, s, 7);
    static const uint64_t expected[] = {4, 5, 6, 7, 8, 0, 0, 19, 20, 0, 0, 0, 1, 0, 1, 2, 3, 0};
    assert_int_equal(a->count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->got[i].number, expected[i]);
        assert_true(expected[i] || a->got[i].complete);
    }
    assert_string_equal(a->got[0].body, "home body 4");
    assert_string_equal(a->got[7].body, "far body 19");
    assert_string_equal(a->got[6].adapter, "nobody");
    assert_int_equal(a->got[5].after, 3);
    assert_false(store_fetched(s, &reader, a)); // nothing more
}

static void test_ranges_in_memory(void **state)
{
    (void)state;
    struct answers a;
    struct store *s = store_open_memory();
    answers_init(&a, s);
    check_range(s, &a, true);
    store_close(s);
}

static void test_ranges_threaded(void **state)
{
    struct answers a;
    struct store *s = open_ok(*state);
    answers_init(&a, s);
    check_range(s, &a, false); // what was put before the question is in the answer
    store_close(s);
}

static void test_members(void **state)
{
    struct store *s = open_ok(*state);
    put_record(s, "home", INT64_MAX);
    struct row lane = {.kind = ROW_LANE,
                       .adapter = STR("home"),
                       .trimmed = 1,
                       .settled = 2,
                       .number = 3,
                       .user = STR("u@x"),
                       .text = STR("b"),
                       .dead = UINT64_C(1) << 60,
                       .expired = 4};
    struct row letter = {.kind = ROW_LETTER,
                         .number = 9,
                         .adapter = STR("home"),
                         .record = 7,
                         .local = STR("lamp"),
                         .user = STR("u@x"),
                         .id = STR("i"),
                         .state = LETTER_EXPIRED,
                         .attempts = UINT32_MAX,
                         .since = -1,
                         .next = INT64_MIN,
                         .text = STR("why")};
    struct row ask = {.kind = ROW_ASK,
                      .number = 4,
                      .user = STR("u@x/r"),
                      .domain = STR("d"),
                      .local = STR("l"),
                      .id = STR("i"),
                      .state = MESSAGE_HEADLINE,
                      .since = 8,
                      .text = STR("w")};
    store_put(s, &lane);
    store_put(s, &letter);
    store_put(s, &ask);
    store_close(s);
    s = open_ok(*state);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 4);
    const struct row *l = &rows.row[0], *r = &rows.row[1], *t = &rows.row[2];
    assert_true(row_equal(l, &lane));
    assert_true(l->trimmed == 1 && l->settled == 2 && l->dead == UINT64_C(1) << 60 && l->expired == 4);
    assert_true(r->kind == ROW_RECORD && r->number == INT64_MAX && r->stamp == -5 && r->state == MESSAGE_NORMAL);
    assert_true(row_equal(t, &letter));
    assert_true(t->record == 7 && t->attempts == UINT32_MAX && t->next == INT64_MIN);
    assert_true(row_equal(&rows.row[3], &ask));
    rows_finish(&rows);
    store_close(s);
}

static void test_close_with_questions(void **state)
{
    struct store *s = open_ok(*state);
    put_record(s, "home", 1);
    store_fetch(s, STR("home"), 0, 5, SIZE_MAX);
    assert_true(store_close(s)); // written, though nobody hears the answer
    s = store_open_memory();
    store_fetch(s, STR("home"), 0, 5, SIZE_MAX);
    store_close(s);
    s = open_ok(*state);
    assert_int_equal(records(s), 1);
    store_close(s);
}

/* A disk that fails */

static void test_full(void **state)
{
    struct answers a;
    struct store *s = open_ok(*state);
    answers_init(&a, s);
    for (uint64_t n = 1; n <= 5; n++)
        put_record(s, "home", n);
    assert_int_equal(store_flush(s), ERR_OK);
    atomic_store(&fault.write, SQLITE_FULL);
    for (uint64_t n = 6; n <= 9; n++)
        put_record(s, "home", n);
    assert_int_equal(store_flush(s), ERR_IO);
    store_fetch(s, STR("home"), 0, 100, SIZE_MAX);
    store_fetch(s, STR("home"), 5, 100, SIZE_MAX);
    await(&a, s, 2); // it is told though nothing can be written
    assert_int_equal(a.count, 7);
    assert_int_equal(a.got[4].number, 5);
    assert_false(a.got[5].complete);
    assert_false(a.got[6].complete);
    fault_clear();
    store_fetch(s, STR("home"), 5, 100, SIZE_MAX);
    await(&a, s, 1);
    assert_int_equal(a.count, 5);
    assert_int_equal(a.got[3].number, 9);
    assert_true(a.got[4].complete);
    store_close(s);
}

// However slow the disk: an answer waits for what was put before it, and is whole.
static void test_answers_are_whole(void **state)
{
    struct answers a;
    struct store *s = open_ok(*state);
    answers_init(&a, s);
    for (uint64_t n = 1; n <= 400; n++) {
        put_record(s, "home", n);
        store_fetch(s, STR("home"), n - 1, 10, SIZE_MAX);
        await(&a, s, 1);
        assert_int_equal(a.count, 2);
        assert_int_equal(a.got[0].number, n);
        assert_true(a.got[1].complete);
    }
    store_close(s);
}

// What cannot be read is not "nothing".
static void test_unreadable(void **state)
{
    struct answers a;
    struct store *s = open_ok(*state);
    char *large = mem_zalloc(65536, 1);
    memset(large, 'x', 65535);
    for (uint64_t n = 1; n <= 100; n++) { // more than SQLite keeps in memory
        struct row row = {.kind = ROW_RECORD,
                          .adapter = STR("home"),
                          .number = n,
                          .key = STR("k"),
                          .id = STR("i"),
                          .name = STR("what else there is"),
                          .text = {large, 65535}};
        store_put(s, &row);
    }
    store_close(s);
    mem_free(large);
    s = open_ok(*state);
    answers_init(&a, s);
    atomic_store(&fault.read, SQLITE_IOERR_READ);
    store_fetch(s, STR("home"), 0, 256, SIZE_MAX);
    await(&a, s, 1);
    assert_true(a.count < 101);
    assert_false(a.got[a.count - 1].complete);
    fault_clear();
    store_fetch(s, STR("home"), 0, 256, SIZE_MAX);
    await(&a, s, 1);
    assert_int_equal(a.count, 101);
    assert_true(a.got[100].complete);
    store_close(s);
}

static void test_not_flushed_in_memory(void **state)
{
    struct answers a;
    (void)state;
    struct store *s = store_open_memory();
    answers_init(&a, s);
    put_record(s, "home", 1);
    assert_int_equal(store_flush(s), ERR_OK);
    put_record(s, "home", 2);
    store_fetch(s, STR("home"), 0, 9, SIZE_MAX);
    await(&a, s, 1);
    assert_int_equal(a.count, 2);
    assert_false(a.got[1].complete);
    store_forget(s);
    store_fetch(s, STR("home"), 1, 9, SIZE_MAX);
    await(&a, s, 1);
    assert_int_equal(a.count, 1);
    assert_true(a.got[0].complete);
    store_close(s);
}

/* Trims */

static void test_trimmed(void **state)
{
    struct store *s = open_ok(*state);
    for (uint64_t n = 1; n <= 10; n++) {
        put_record(s, "home", n);
        put_record(s, "far", n);
    }
    put_letter(s, 1, "home", 3, false);
    put_letter(s, 2, "far", 4, false);
    put_lane(s, "home", 7);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(records(s), 10 + 3 + 1);
    put_lane(s, "home", 10);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(records(s), 10 + 1);
    put_letter(s, 1, "home", 3, true);
    put_lane(s, "home", 10); // the same again drops what the letter has kept
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(records(s), 10);
    put_lane(s, "far", 10);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(records(s), 1);
    store_close(s);
}

// A letter that is written together with the trim of its record keeps it.
static void test_letter_and_trim_at_once(void **state)
{
    struct answers a;
    struct store *s = open_ok(*state);
    answers_init(&a, s);
    for (uint64_t n = 1; n <= 5; n++)
        put_record(s, "home", n);
    assert_int_equal(store_flush(s), ERR_OK);
    atomic_store(&fault.write, SQLITE_FULL); // so that they are one batch
    put_numbered(s, 1);
    assert_int_equal(store_flush(s), ERR_IO);
    put_letter(s, 1, "home", 2, false);
    put_lane(s, "home", 5);
    put_record(s, "home", 6);
    fault_clear();
    assert_int_equal(store_flush(s), ERR_OK);
    store_fetch(s, STR("home"), 1, 1, SIZE_MAX);
    await(&a, s, 1);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.got[0].number, 2);
    assert_int_equal(records(s), 2);
    store_close(s);
}

// Accepted, delivered and trimmed before anything could be written.
static void test_trimmed_before_it_was_written(void **state)
{
    struct store *s = store_open_memory();
    (void)state;
    for (uint64_t n = 1; n <= 5; n++)
        put_record(s, "home", n);
    put_lane(s, "home", 4);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(records(s), 1);
    store_close(s);
}

static int setup(void **state)
{
    fault_clear();
    return fixture_setup(state);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ranges_in_memory),
        TEST(test_ranges_threaded),
        TEST(test_members),
        TEST(test_close_with_questions),
        TEST(test_full),
        TEST(test_answers_are_whole),
        TEST(test_unreadable),
        TEST(test_not_flushed_in_memory),
        TEST(test_trimmed),
        TEST(test_letter_and_trim_at_once),
        TEST(test_trimmed_before_it_was_written),
    };
    fault_install();
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
