/* The store as its users see it: what is put and committed comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/store/store_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

// One or more of each kind, with what is hard to keep: empty, binary, long, several bytes a character.
static const struct row samples[] = {
    {.kind = ROW_IDENTITY,
     .domain = {"b.example", 9},
     .local = {"lamp", 4},
     .adapter = {"home", 4},
     .key = {"zigbee/0x01", 11},
     .identity = IDENTITY_CONTACT,
     .name = {"L\xc3\xa4mp \xf0\x9f\x92\xa1", 10},
     .cls = {"light", 5},
     .group = {"kitchen", 7},
     .since = 1700000000123},
    {.kind = ROW_IDENTITY,
     .domain = {"b.example", 9},
     .local = {"lamp", 4},
     .scope = {"alice@example.org", 17},
     .adapter = {"irc", 3},
     .key = {"a\0b", 3},
     .identity = IDENTITY_ROOM,
     .quarantined = true,
     .since = -1},
    {.kind = ROW_REGISTRATION, .user = {"alice@example.org", 17}, .domain = {"b.example", 9}},
    {.kind = ROW_SUBSCRIPTION,
     .user = {"alice@example.org", 17},
     .domain = {"b.example", 9},
     .local = {"lamp", 4},
     .state = SUB_TO_USER | SUB_PENDING_OUT},
    {.kind = ROW_SUBSCRIPTION, .user = {"bob@example.org", 15}, .domain = {"b.example", 9}, .state = 0},
    {.kind = ROW_SUBSCRIPTION,
     .user = {"carol@example.org", 17},
     .domain = {"b.example", 9},
     .local = {"lamp", 4},
     .state = SUB_ALL},
    {.kind = ROW_ACCESS, .number = 1, .text = {"allow all to @family", 20}},
    {.kind = ROW_ACCESS, .number = UINT64_C(1) << 40, .text = {"deny see to eve@example.org", 27}},
    {.kind = ROW_STATE, .adapter = {"home", 4}, .key = {"", 0}, .text = {"", 0}},
    {.kind = ROW_STATE, .adapter = {"home", 4}, .key = {"bin", 3}, .text = {"\0\xff\x80\0'\";--", 9}},
};

enum { SAMPLES = sizeof samples / sizeof *samples };

static void assert_holds(struct store *s, const bool *gone)
{
    struct rows rows;
    rows_load(&rows, s);
    size_t expected = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        bool found = false;
        for (size_t k = 0; k < rows.count && !found; k++)
            found = row_equal(&samples[i], &rows.row[k]);
        if (found == (gone && gone[i]))
            print_error("sample %zu\n", i);
        assert_int_equal(found, !(gone && gone[i]));
        expected += found;
    }
    assert_int_equal(rows.count, expected);
    rows_finish(&rows);
}

static void put_all(struct store *s)
{
    for (size_t i = 0; i < SAMPLES; i++)
        store_put(s, &samples[i]);
}

static void test_round_trip(void **state)
{
    struct store *s = open_ok(*state);
    assert_holds(s, (const bool[SAMPLES]){true, true, true, true, true, true, true, true, true, true});
    put_all(s);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_holds(s, NULL);
    store_close(s);
    s = open_ok(*state);
    assert_holds(s, NULL);
    store_close(s);
}

static void test_gone(void **state)
{
    struct store *s = open_ok(*state);
    put_all(s);
    assert_int_equal(store_flush(s), ERR_OK);
    bool gone[SAMPLES] = {false};
    for (size_t i = 0; i < SAMPLES; i++) {
        struct row row = samples[i];
        row.gone = true;
        row.name = row.cls = row.group = STR_NONE; // the key alone counts
        row.text = STR_NONE;
        store_put(s, &row);
        assert_int_equal(store_flush(s), ERR_OK);
        gone[i] = true;
        assert_holds(s, gone);
        store_put(s, &row); // twice is fine
    }
    store_close(s);
    s = open_ok(*state);
    assert_holds(s, gone);
    store_close(s);
}

// What was put last counts, within a batch and across.
static void test_last_wins(void **state)
{
    for (int across = 0; across < 2; across++) {
        struct store *s = across ? open_ok(*state) : store_open_memory();
        struct row row = samples[0];
        for (int i = 0; i < 7; i++) {
            static const char *const names[] = {"a", "bb", "", "ccc", "dddd", "x", "the last"};
            row.name = str_c(names[i]);
            row.gone = i == 4;
            store_put(s, &row);
            if (across)
                assert_int_equal(store_flush(s), ERR_OK);
        }
        assert_int_equal(store_flush(s), ERR_OK);
        struct rows rows;
        rows_load(&rows, s);
        assert_int_equal(rows.count, 1);
        assert_true(str_eq_c(rows.row[0].name, "the last"));
        rows_finish(&rows);
        store_close(s);
    }
}

static void test_load_order(void **state)
{
    struct store *s = open_ok(*state);
    for (size_t i = SAMPLES; i > 0; i--)
        store_put(s, &samples[i - 1]);
    assert_int_equal(store_flush(s), ERR_OK);
    struct rows rows;
    rows_load(&rows, s);
    static const unsigned rank[ROW_KINDS] = {
        [ROW_IDENTITY] = 0, [ROW_REGISTRATION] = 1, [ROW_SUBSCRIPTION] = 2, [ROW_ACCESS] = 3, [ROW_STATE] = 4};
    for (size_t i = 1; i < rows.count; i++) {
        assert_true(rank[rows.row[i - 1].kind] <= rank[rows.row[i].kind]);
        if (rows.row[i].kind == ROW_ACCESS && rows.row[i - 1].kind == ROW_ACCESS)
            assert_true(rows.row[i - 1].number < rows.row[i].number);
    }
    rows_finish(&rows);
    store_close(s);
}

static enum err stop_at_third(void *ud, const struct row *row)
{
    size_t *seen = ud;
    assert_true(row->kind < ROW_KINDS);
    return ++*seen == 3 ? ERR_LIMIT : ERR_OK;
}

static void test_load_stops(void **state)
{
    struct store *s = open_ok(*state);
    put_all(s);
    assert_int_equal(store_flush(s), ERR_OK);
    size_t seen = 0;
    assert_int_equal(store_load(s, stop_at_third, &seen), ERR_LIMIT);
    assert_int_equal(seen, 3);
    assert_holds(s, NULL); // and can be read again
    store_close(s);
}

static void test_batches(void **state)
{
    struct store *s = open_ok(*state);
    assert_int_equal(store_batch(s), 0);
    assert_int_equal(store_committed(s), 0);
    assert_int_equal(store_flush(s), ERR_OK); // nothing to wait for
    uint64_t last = 0;
    for (unsigned i = 0; i < 200; i++) {
        put_numbered(s, i);
        uint64_t n = store_batch(s);
        assert_true(n >= 1 && n >= last && store_committed(s) <= n);
        last = n;
    }
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(store_committed(s), last);
    assert_int_equal(store_batch(s), last);
    struct store_stat stat;
    store_stat(s, &stat);
    assert_int_equal(stat.rows, 200);
    assert_int_equal(stat.batches, last);
    assert_int_equal(stat.waiting, 0);
    assert_false(stat.failing);
    assert_true(stat.last_commit_us > 0);
    store_close(s);
}

static void test_memory(void **state)
{
    (void)state;
    struct store *s = store_open_memory();
    put_all(s);
    assert_int_equal(store_batch(s), 1);
    assert_int_equal(store_committed(s), 0);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 0); // not before the flush
    rows_finish(&rows);
    struct store_stat stat;
    store_stat(s, &stat);
    assert_int_equal(stat.waiting, SAMPLES);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(store_committed(s), 1);
    assert_holds(s, NULL);
    store_put(s, &samples[0]);
    assert_int_equal(store_batch(s), 2);
    store_close(s);
    store_close(NULL);
}

// Close writes what waits.
static void test_close_commits(void **state)
{
    struct store *s = open_ok(*state);
    put_all(s);
    store_close(s);
    s = open_ok(*state);
    assert_holds(s, NULL);
    store_close(s);
}

struct told {
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    uint64_t committed, calls;
};

static void on_commit(void *ud)
{
    struct told *t = ud;
    (void)pthread_mutex_lock(&t->lock);
    t->committed = store_committed(t->store);
    t->calls++;
    (void)pthread_cond_signal(&t->cond);
    (void)pthread_mutex_unlock(&t->lock);
}

static void await_commit(struct told *told)
{
    (void)pthread_mutex_lock(&told->lock);
    while (told->committed < store_batch(told->store))
        (void)pthread_cond_wait(&told->cond, &told->lock);
    (void)pthread_mutex_unlock(&told->lock);
}

static void test_notify(void **state)
{
    struct store *s = open_ok(*state);
    struct told told = {.store = s, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    store_on_commit(s, on_commit, &told);
    for (unsigned i = 0; i < 50; i++) {
        put_numbered(s, i);
        await_commit(&told);
    }
    store_close(s);
    assert_in_range(told.calls, 50, 51);
}

// What comes behind many rows waits for others, and when none come it is written all the same.
static void test_alone_behind_many(void **state)
{
    struct store *s = open_ok(*state);
    struct told told = {.store = s, .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    store_on_commit(s, on_commit, &told);
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned i = 0; i < 300; i++)
            put_numbered(s, i);
        await_commit(&told);
        put_numbered(s, 300 + round);
        await_commit(&told);
    }
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 330);
    rows_finish(&rows);
    store_close(s);
}

// While the disk works, rows gather: far fewer commits than rows.
static void test_group_commit(void **state)
{
    struct store *s = open_ok(*state);
    for (unsigned i = 0; i < 20000; i++)
        put_numbered(s, i);
    assert_int_equal(store_flush(s), ERR_OK);
    struct store_stat stat;
    store_stat(s, &stat);
    assert_int_equal(stat.rows, 20000);
    assert_true(stat.batches < 10000);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 20000);
    for (unsigned i = 0; i < 20000; i++)
        assert_true(is_numbered(&rows.row[i], i));
    rows_finish(&rows);
    store_close(s);
}

struct putter {
    struct store *store;
    unsigned first;
};

static void *put_some(void *ud)
{
    const struct putter *p = ud;
    for (unsigned i = 0; i < 2000; i++) {
        put_numbered(p->store, p->first + i);
        if (i % 500 == 0 && store_flush(p->store))
            return ud;
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct store *s = open_ok(*state);
    struct putter putters[3];
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++) {
        putters[i] = (struct putter){s, 2000 * i};
        assert_int_equal(pthread_create(&threads[i], NULL, put_some, &putters[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        struct rows rows;
        struct store_stat stat;
        rows_load(&rows, s);
        store_stat(s, &stat);
        assert_true(rows.count <= 6000);
        rows_finish(&rows);
    }
    for (unsigned i = 0; i < 3; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(store_flush(s), ERR_OK);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 6000);
    rows_finish(&rows);
    store_close(s);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

// What was put and not committed is gone, and what comes next is a batch as any other.
static void test_forget(void **state)
{
    (void)state;
    bool gone[SAMPLES];
    memset(gone, true, sizeof gone);
    struct store *s = store_open_memory();
    store_put(s, &samples[0]);
    assert_int_equal(store_flush(s), ERR_OK);
    store_put(s, &samples[2]);
    store_forget(s);
    assert_int_equal(store_batch(s), store_committed(s));
    store_put(s, &samples[3]);
    assert_true(store_batch(s) > store_committed(s));
    assert_int_equal(store_flush(s), ERR_OK);
    assert_int_equal(store_batch(s), store_committed(s));
    gone[0] = gone[3] = false;
    assert_holds(s, gone);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_round_trip),        IN_DIRECTORY(test_gone),
        IN_DIRECTORY(test_last_wins),         IN_DIRECTORY(test_load_order),
        IN_DIRECTORY(test_load_stops),        IN_DIRECTORY(test_batches),
        IN_DIRECTORY(test_close_commits),     IN_DIRECTORY(test_notify),
        IN_DIRECTORY(test_group_commit),      IN_DIRECTORY(test_threads),
        IN_DIRECTORY(test_alone_behind_many), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
