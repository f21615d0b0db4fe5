// A database as a file: what is opened, what is found wrong with it, copies, and the one that takes another's place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "store/store_db.h"
#include "store/store_file.h"
#include "unit/store/store_fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state)
{
    log_set_level(LOG_WARN);
    return fixture_setup(state);
}

static const char *in_base(const struct fixture *f, const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *to = path[next++ % 4];
    (void)snprintf(to, sizeof path[0], "%s/%s", f->base, name);
    return to;
}

static void fill(const struct fixture *f, unsigned from, unsigned count)
{
    struct store *s = open_ok(f);
    for (unsigned i = from; i < from + count; i++)
        put_numbered(s, i);
    assert_true(store_close(s));
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &why);
    if (rc)
        print_error("%s\n", why);
    assert_int_equal(rc, SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static struct store_file *file_ok(const char *path)
{
    struct store_file *file = NULL;
    struct errmsg msg = {""};
    enum err e = store_file_open(path, &file, &msg);
    if (e)
        print_error("%s\n", msg.text);
    assert_int_equal(e, ERR_OK);
    return file;
}

static struct store_lock *lock_ok(const struct fixture *f)
{
    struct store_lock *lock = NULL;
    assert_int_equal(store_dir_lock(f->dir, &lock, NULL, NULL), ERR_OK);
    return lock;
}

static enum err count_row(void *ud, const struct row *row)
{
    size_t *n = ud;
    assert_true(row->kind < ROW_KINDS);
    ++*n;
    return ERR_OK;
}

static size_t rows_in(const char *path)
{
    size_t n = 0;
    struct store_file *file = file_ok(path);
    assert_int_equal(store_file_each(file, ROW_STATE, count_row, NULL, &n, NULL), ERR_OK);
    store_file_close(file);
    return n;
}

static void assert_not_opened(const char *path, enum err expected, const char *part)
{
    struct store_file *file = NULL;
    struct errmsg msg = {""};
    assert_int_equal(store_file_open(path, &file, &msg), expected);
    if (!strstr(msg.text, part))
        print_error("%s\n", msg.text);
    assert_non_null(strstr(msg.text, part));
}

static void test_opens_what_is_ours(void **state)
{
    const struct fixture *f = *state;
    fill(f, 0, 10);
    struct store_file *file = file_ok(f->db);
    assert_int_equal(store_file_version(file), STORE_SCHEMA);
    store_file_close(file);
    store_file_close(NULL);
    const char *other = in_base(f, "other.db");
    assert_not_opened(other, ERR_NOTFOUND, "No such file");
    FILE *text = fopen(other, "w");
    assert_true(fputs("this is a text of more than sixteen bytes", text) >= 0);
    assert_int_equal(fclose(text), 0);
    assert_not_opened(other, ERR_CONF, "is not a database");
    assert_int_equal(unlink(other), 0);
    run_sql(other, "CREATE TABLE x (a)");
    assert_not_opened(other, ERR_CONF, "is no database of this program");
    run_sql(f->db, "PRAGMA user_version = 77");
    assert_not_opened(f->db, ERR_CONF, "newer version of this program (tables 77");
}

struct told {
    size_t count;
    char last[512];
};

static void told(void *ud, struct str text)
{
    struct told *t = ud;
    t->count++;
    (void)snprintf(t->last, sizeof t->last, STR_FMT, STR_ARG(text));
}

static void assert_found(const char *path, size_t least, const char *part)
{
    struct told t = {0, ""};
    struct store_file *file = file_ok(path);
    assert_int_equal(store_file_check(file, told, &t, NULL), ERR_OK);
    store_file_close(file);
    assert_true(least ? t.count >= least : t.count == 0);
    if (!strstr(t.last, part))
        print_error("%s\n", t.last);
    assert_non_null(strstr(t.last, part));
}

static void test_check(void **state)
{
    const struct fixture *f = *state;
    fill(f, 0, 2000);
    assert_found(f->db, 0, "");
    run_sql(f->db, "CREATE TABLE extra (a)");
    assert_found(f->db, 1, "the table extra is none of this program");
    run_sql(f->db, "DROP TABLE extra; DROP TABLE access");
    assert_found(f->db, 1, "the table access is missing");
    run_sql(f->db, "CREATE TABLE access (number INTEGER PRIMARY KEY, rule TEXT NOT NULL) STRICT; VACUUM");
    assert_found(f->db, 0, "");
    FILE *file = fopen(f->db, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096 * 9L, SEEK_SET), 0);
    assert_true(fputs("what does not belong into the head of a page", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_found(f->db, 1, "");
}

struct walked {
    size_t rows, strange;
    char why[256];
};

static enum err walk_row(void *ud, const struct row *row)
{
    struct walked *w = ud;
    assert_int_equal(row->kind, ROW_IDENTITY);
    w->rows++;
    return ERR_OK;
}

static void walk_strange(void *ud, const char *why)
{
    struct walked *w = ud;
    w->strange++;
    (void)snprintf(w->why, sizeof w->why, "%s", why);
}

static void test_strange_rows(void **state)
{
    const struct fixture *f = *state;
    fill(f, 0, 1);
    run_sql(f->db, "INSERT INTO identity VALUES ('d', 'l', '', 'a', 'k', 99, 0, '', '', '', 0, NULL),"
                   " ('d', 'm', '', 'a', 'k2', 0, 0, '', '', '', 0, NULL)");
    struct store_file *file = file_ok(f->db);
    struct walked w = {0};
    struct errmsg msg = {""};
    assert_int_equal(store_file_each(file, ROW_IDENTITY, walk_row, walk_strange, &w, &msg), ERR_OK);
    assert_int_equal(w.rows, 1);
    assert_int_equal(w.strange, 1);
    assert_non_null(strstr(w.why, "local='l'"));
    assert_int_equal(store_file_each(file, ROW_IDENTITY, walk_row, NULL, &w, &msg), ERR_CONF);
    assert_non_null(strstr(msg.text, "was never written there, 99"));
    store_file_close(file);
}

// A database of an earlier version has no rows in the tables that came later, and is read all the same.
static void test_earlier_version(void **state)
{
    const struct fixture *f = *state;
    size_t n = 0;
    assert_int_equal(mkdir(f->dir, 0700), 0);
    run_sql(f->db, store_db_migrations.text[0]);
    run_sql(f->db, "INSERT INTO state VALUES ('home', 'k', x'00')");
    struct store_file *file = file_ok(f->db);
    assert_int_equal(store_file_version(file), 1);
    for (int kind = 0; kind < ROW_KINDS; kind++)
        assert_int_equal(store_file_each(file, (enum row_kind)kind, count_row, NULL, &n, NULL), ERR_OK);
    assert_int_equal(n, 1);
    store_file_close(file);
    assert_found(f->db, 0, "");
    struct store_lock *lock = lock_ok(f);
    assert_int_equal(store_file_open_state(lock, &file, NULL), ERR_OK);
    assert_int_equal(store_file_version(file), STORE_SCHEMA);
    store_file_close(file);
    store_dir_unlock(lock);
    assert_int_equal(rows_in(f->db), 1);
}

static void test_transaction(void **state)
{
    const struct fixture *f = *state;
    char key[32], value[64];
    fill(f, 0, 10);
    struct store_file *file = file_ok(f->db);
    const struct row row = numbered_row(77, key, value);
    for (int commit = 0; commit < 2; commit++) {
        assert_int_equal(store_file_begin(file, NULL), ERR_OK);
        assert_int_equal(store_file_clear(file, ROW_STATE, NULL), ERR_OK);
        assert_int_equal(store_file_put(file, &row, NULL), ERR_OK);
        struct errmsg msg = {""};
        assert_int_equal(store_file_put(file, &row, &msg), ERR_EXISTS);
        assert_non_null(strstr(msg.text, "this key already"));
        if (commit)
            assert_int_equal(store_file_commit(file, NULL), ERR_OK);
        store_file_close(file);
        assert_int_equal(rows_in(f->db), commit ? 1 : 10);
        file = file_ok(f->db);
    }
    store_file_close(file);
}

static void test_copy(void **state)
{
    const struct fixture *f = *state;
    struct stat st;
    fill(f, 0, 500);
    const char *copy = in_base(f, "copy.db"), *part = in_base(f, "copy.db.part");
    FILE *left = fopen(part, "w"); // by one that was killed
    assert_int_equal(fclose(left), 0);
    mode_t before = umask(0);
    for (int i = 0; i < 2; i++) { // the second time in the place of the first
        struct store_file *file = file_ok(f->db);
        assert_int_equal(store_file_copy(file, copy, NULL), ERR_OK);
        store_file_close(file);
        assert_int_equal(rows_in(copy), 500);
        assert_int_equal(stat(copy, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(access(part, F_OK), -1);
    }
    (void)umask(before);
    struct store_file *file = file_ok(f->db);
    struct errmsg msg = {""};
    assert_int_equal(store_file_copy(file, in_base(f, "none/copy.db"), &msg), ERR_IO);
    assert_non_null(strstr(msg.text, "none/copy.db"));
    store_file_close(file);
}

static void test_restore(void **state)
{
    const struct fixture *f = *state;
    char aside[STORE_ASIDE_MAX] = "x";
    fill(f, 0, 500);
    const char *copy = in_base(f, "copy.db");
    struct store_file *file = file_ok(f->db);
    assert_int_equal(store_file_copy(file, copy, NULL), ERR_OK);
    store_file_close(file);
    fill(f, 1000, 50);
    struct store_lock *lock = lock_ok(f);
    file = file_ok(copy);
    assert_int_equal(store_file_restore(file, lock, aside, NULL), ERR_OK);
    assert_int_equal(rows_in(f->db), 500);
    char kept[256];
    (void)snprintf(kept, sizeof kept, "%s/%s", f->dir, aside);
    assert_int_equal(rows_in(kept), 550);
    store_dir_unlock(lock);
    remove_tree(f->dir);
    lock = lock_ok(f); // into an empty directory
    assert_int_equal(store_file_restore(file, lock, aside, NULL), ERR_OK);
    assert_string_equal(aside, "");
    store_file_close(file);
    store_dir_unlock(lock);
    assert_int_equal(rows_in(f->db), 500);
    store_close(open_ok(f));
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// Each place at which a restore can be killed: what was there, or what is to be, and never one with the other's log.
static void test_recovery_from_each_step(void **state)
{
    const struct fixture *f = *state;
    char restored[160], wal[160], aside[STORE_ASIDE_MAX];
    (void)snprintf(restored, sizeof restored, "%s/restored.db", f->dir);
    (void)snprintf(wal, sizeof wal, "%s-wal", f->db);
    for (int step = 0; step < 5; step++) {
        remove_tree(f->dir);
        fill(f, 0, 20);
        const char *copy = in_base(f, "copy.db");
        struct store_file *file = file_ok(f->db);
        assert_int_equal(store_file_copy(file, copy, NULL), ERR_OK);
        store_file_close(file);
        fill(f, 100, 5);
        char part[200];
        (void)snprintf(part, sizeof part, "%s.part", restored);
        if (step == 0) // while it is copied
            write_text(part, "half of a copy");
        else if (step < 4)
            assert_int_equal(rename(copy, restored), 0);
        if (step >= 1 && step < 4) // a log that belongs to the old one
            write_text(wal, "a log of what is no more");
        if (step >= 2)
            (void)unlink(wal);
        if (step == 3)
            assert_int_equal(unlink(f->db), 0);
        if (step == 4) // complete
            assert_int_equal(rename(copy, f->db), 0);
        assert_int_equal(store_file_recover(f->dir, aside, NULL), ERR_OK);
        assert_int_equal(rows_in(f->db), step == 0 ? 25 : 20);
        assert_int_equal(access(restored, F_OK), -1);
        assert_int_equal(access(wal, F_OK), -1);
        struct store *s = open_ok(f);
        struct rows rows;
        rows_load(&rows, s);
        assert_int_equal(rows.count, step == 0 ? 25 : 20);
        rows_finish(&rows);
        store_close(s);
    }
}

// Killed at any moment: the old one or the new one.
static void test_restore_that_is_killed(void **state)
{
    const struct fixture *f = *state;
    struct rng rng;
    rng_init(&rng, 11);
    fill(f, 0, 3000);
    const char *copy = in_base(f, "copy.db");
    struct store_file *file = file_ok(f->db);
    assert_int_equal(store_file_copy(file, copy, NULL), ERR_OK);
    store_file_close(file);
    unsigned old = 0, new = 0;
    for (int i = 0; i < 60; i++) {
        remove_tree(f->dir);
        fill(f, 0, 10);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char aside[STORE_ASIDE_MAX];
            struct store_lock *lock;
            struct store_file *backup;
            bool good = !store_dir_lock(f->dir, &lock, NULL, NULL) && !store_file_open(copy, &backup, NULL) &&
                        !store_file_restore(backup, lock, aside, NULL);
            _exit(good ? 0 : 1);
        }
        (void)poll(NULL, 0, (int)rng_below(&rng, 30));
        (void)kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || status == 0);
        struct store *s = open_ok(f);
        struct rows rows;
        rows_load(&rows, s);
        assert_true(rows.count == 10 || rows.count == 3000);
        old += rows.count == 10;
        new += rows.count == 3000;
        rows_finish(&rows);
        store_close(s);
    }
    print_message("old %u, new %u\n", old, new);
    assert_true(old > 0 && new > 0);
}

struct waiting {
    struct store *store;
    enum err result;
    struct errmsg msg;
};

static void await_snapshot(struct waiting *w)
{
    int64_t begin = clock_mono();
    while (!store_snapshot_ended(w->store, &w->result, &w->msg)) {
        assert_true(clock_mono() - begin < 20000);
        (void)poll(NULL, 0, 1);
    }
}

// While rows come in, the copy is one of a moment: all up to some row, and none behind it.
static void test_snapshot_while_it_is_written(void **state)
{
    const struct fixture *f = *state;
    char path[160];
    fill(f, 0, 20000);
    struct waiting w = {.store = open_ok(f)};
    (void)snprintf(path, sizeof path, "%s/snapshot-1.db", f->dir);
    assert_int_equal(store_snapshot(w.store, path, NULL), ERR_OK);
    struct errmsg msg = {""};
    assert_int_equal(store_snapshot(w.store, path, &msg), ERR_AGAIN);
    assert_non_null(strstr(msg.text, "is being made"));
    for (unsigned i = 20000; i < 20300; i++) {
        put_numbered(w.store, i);
        assert_int_equal(store_flush(w.store), ERR_OK); // nothing waits for the copy
    }
    await_snapshot(&w);
    assert_int_equal(w.result, ERR_OK);
    assert_found(path, 0, "");
    size_t n = rows_in(path);
    assert_in_range(n, 20000, 20300);
    struct store_file *file = file_ok(path);
    struct rows rows = {.row = NULL};
    arena_init(&rows.arena, 0);
    assert_int_equal(store_file_each(file, ROW_STATE, rows_add, NULL, &rows, NULL), ERR_OK);
    for (size_t i = 0; i < n; i++)
        assert_true(is_numbered(&rows.row[i], (unsigned)i));
    rows_finish(&rows);
    store_file_close(file);
    assert_int_equal(store_snapshot(w.store, in_base(f, "none/x.db"), NULL), ERR_OK);
    await_snapshot(&w);
    assert_int_equal(w.result, ERR_IO);
    assert_non_null(strstr(w.msg.text, "none/x.db"));
    assert_int_equal(store_snapshot(w.store, path, NULL), ERR_OK); // and ended with the store
    store_close(w.store);
    store_close(open_ok(f));
    assert_int_equal(access(path, F_OK), -1); // what nobody has fetched is swept away
    struct store *memory = store_open_memory();
    assert_int_equal(store_snapshot(memory, path, NULL), ERR_UNSUPPORTED);
    store_close(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_opens_what_is_ours, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_check, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_strange_rows, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_earlier_version, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_transaction, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_copy, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_restore, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_recovery_from_each_step, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_restore_that_is_killed, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_snapshot_while_it_is_written, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
