/* What a store opens, and what it refuses: with words that say what to do, and without a change to what is not its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/store_db.h"
#include "unit/store/store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void assert_refused(const struct fixture *f, enum err expected, const char *part)
{
    struct store *s;
    struct errmsg msg = {""};
    enum err e = store_open(f->dir, &s, &msg);
    if (e != expected || !strstr(msg.text, part))
        print_error("%s: %s\n", err_name(e), msg.text);
    assert_int_equal(e, expected);
    assert_non_null(strstr(msg.text, part));
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(close(fd), 0);
}

static size_t read_file(const char *path, char **out)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *out = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, *out, (size_t)st.st_size), st.st_size);
    assert_int_equal(close(fd), 0);
    return (size_t)st.st_size;
}

// Runs SQL on the store's file, as another program would.
static void run_sql(const struct fixture *f, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &why);
    if (rc)
        print_error("%s\n", why);
    assert_int_equal(rc, SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void fill(const struct fixture *f, unsigned count)
{
    struct store *s = open_ok(f);
    for (unsigned i = 0; i < count; i++)
        put_numbered(s, i);
    store_close(s);
}

static void test_modes(void **state)
{
    const struct fixture *f = *state;
    mode_t before = umask(0);
    fill(f, 1);
    char path[160];
    assert_int_equal(mode_of(f->dir), 0700);
    assert_int_equal(mode_of(f->db), 0600);
    (void)snprintf(path, sizeof path, "%s/lock", f->dir);
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(chmod(f->db, 0644), 0);
    struct store *s = open_ok(f);
    assert_int_equal(mode_of(f->db), 0600);
    put_numbered(s, 2);
    assert_int_equal(store_flush(s), ERR_OK);
    (void)snprintf(path, sizeof path, "%s-wal", f->db);
    assert_int_equal(mode_of(path), 0600);
    store_close(s);
    assert_int_equal(chmod(f->dir, 0777), 0);
    assert_refused(f, ERR_CONF, "chmod o-w");
    assert_int_equal(chmod(f->dir, 0750), 0); // its owner's choice
    store_close(open_ok(f));
    (void)umask(before);
}

static void test_bad_directories(void **state)
{
    struct fixture *f = *state;
    struct fixture bad = *f;
    (void)snprintf(bad.dir, sizeof bad.dir, "%s/none/state", f->base);
    assert_refused(&bad, ERR_IO, "cannot make the directory");
    (void)snprintf(bad.dir, sizeof bad.dir, "%s/file", f->base);
    write_file(bad.dir, "x", 1);
    assert_refused(&bad, ERR_CONF, "is not a directory");
    assert_int_equal(unlink(bad.dir), 0);
    // A link in place of the database leads nowhere good.
    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_int_equal(symlink("/etc/passwd", f->db), 0);
    assert_refused(f, ERR_IO, "cannot open");
}

static void test_second_in_process(void **state)
{
    struct fixture *f = *state;
    struct store *s = open_ok(f);
    assert_refused(f, ERR_EXISTS, "two may not share a state directory");
    store_close(s);
    store_close(open_ok(f));
}

static void test_lock_of_other_process(void **state)
{
    struct fixture *f = *state;
    int ready[2], go[2];
    char byte, part[64];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s;
        (void)close(go[1]);
        if (store_open(f->dir, &s, NULL) || write(ready[1], "x", 1) != 1 || read(go[0], &byte, 1) < 0)
            _exit(1);
        store_close(s);
        _exit(0);
    }
    (void)close(go[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)snprintf(part, sizeof part, "process %ld uses ", (long)child);
    assert_refused(f, ERR_EXISTS, part);
    (void)close(go[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store_close(open_ok(f));
    (void)close(ready[0]);
    (void)close(ready[1]);
}

// The lock dies with its process: nothing has to be cleaned up.
static void test_lock_after_kill(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s;
        if (store_open(f->dir, &s, NULL) == ERR_OK)
            (void)raise(SIGKILL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    store_close(open_ok(f));
}

static void test_newer_schema(void **state)
{
    struct fixture *f = *state;
    fill(f, 3);
    run_sql(f, "PRAGMA user_version = 7");
    assert_refused(f, ERR_CONF, "newer version of this program (tables 7, known 3)");
    run_sql(f, "PRAGMA user_version = 3");
    store_close(open_ok(f));
}

static void assert_untouched(const struct fixture *f, const char *before, size_t n)
{
    char *after;
    assert_int_equal(read_file(f->db, &after), n);
    assert_memory_equal(after, before, n);
    free(after);
}

static void test_foreign_database(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->dir, 0700), 0);
    static const char *const foreign[] = {
        "CREATE TABLE x (a); INSERT INTO x VALUES (1)",
        "PRAGMA application_id = 77",
        "PRAGMA application_id = 77; PRAGMA user_version = 1; CREATE TABLE x (a)",
        "PRAGMA user_version = 1",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        char *before;
        (void)unlink(f->db);
        run_sql(f, foreign[i]);
        size_t n = read_file(f->db, &before);
        assert_refused(f, ERR_CONF, "belongs to another program");
        assert_untouched(f, before, n);
        free(before);
    }
}

static void test_not_a_database(void **state)
{
    struct fixture *f = *state;
    static char text[8192];
    memset(text, 'x', sizeof text);
    assert_int_equal(mkdir(f->dir, 0700), 0);
    write_file(f->db, text, sizeof text);
    assert_refused(f, ERR_CONF, "is not a database");
    assert_untouched(f, text, sizeof text);
    write_file(f->db, "", 0); // an empty one is as good as none
    store_close(open_ok(f));
}

static void test_in_use(void **state)
{
    struct fixture *f = *state;
    fill(f, 3);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN EXCLUSIVE; SELECT * FROM state", NULL, NULL, NULL), SQLITE_OK);
    assert_refused(f, ERR_EXISTS, "is in use by another program");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    // And the other way round: what we have open nobody else reads.
    struct store *s = open_ok(f);
    assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM state", NULL, NULL, NULL), SQLITE_BUSY);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store_close(s);
}

static enum err count_row(void *ud, const struct row *row)
{
    size_t *count = ud;
    assert_true(row->kind < ROW_KINDS);
    ++*count;
    return ERR_OK;
}

// Opens what is damaged: refused, or all of it that can be read is read. Returns 1 when it was refused.
static int try_damaged(const struct fixture *f)
{
    struct store *s;
    struct errmsg msg = {""};
    size_t count = 0;
    enum err e = store_open(f->dir, &s, &msg);
    if (e) {
        assert_true(e == ERR_CONF || e == ERR_IO);
        assert_non_null(strstr(msg.text, f->db));
        return 1;
    }
    e = store_load(s, count_row, &count);
    assert_true(e == ERR_OK || e == ERR_CONF || e == ERR_IO);
    assert_true(count <= 2000);
    store_close(s);
    return e != ERR_OK;
}

static void test_flipped_bytes(void **state)
{
    struct fixture *f = *state;
    struct rng rng;
    char *whole, *damaged;
    int refused = 0;
    rng_init(&rng, 7);
    fill(f, 2000);
    size_t n = read_file(f->db, &whole);
    damaged = malloc(n);
    for (int i = 0; i < 1000; i++) {
        memcpy(damaged, whole, n);
        // The header, page headers and cell pointers are where it hurts: every other flip goes there.
        size_t page = 4096 * rng_below(&rng, n / 4096);
        size_t at = i % 2 ? rng_below(&rng, n) : page + rng_below(&rng, 64);
        damaged[at] ^= (char)(1 + rng_below(&rng, 255));
        write_file(f->db, damaged, n);
        refused += try_damaged(f);
    }
    assert_true(refused > 100);
    write_file(f->db, whole, n);
    assert_int_equal(try_damaged(f), 0);
    free(whole);
    free(damaged);
}

static void test_cut_short(void **state)
{
    struct fixture *f = *state;
    char *whole;
    fill(f, 2000);
    size_t n = read_file(f->db, &whole);
    // SQLite takes a file of one byte for an empty one.
    for (size_t cut = 2; cut < n; cut += 1 + n / 97) {
        write_file(f->db, whole, cut);
        assert_int_equal(try_damaged(f), 1);
    }
    write_file(f->db, whole, 4096);
    assert_refused(f, ERR_CONF, "is damaged: restore a backup");
    free(whole);
}

// Values that we never write are not handed out.
static void test_strange_values(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql, *why;
    } strange[] = {
        {"INSERT INTO identity VALUES ('d', 'l', '', 'a', 'k', 99, 0, '', '', '', 0, NULL)",
         "in table identity, the row domain='d' AND local='l' AND scope='' has a kind that was never written there, "
         "99"},
        {"INSERT INTO identity VALUES ('d', 'l', '', 'a', 'k', 0, 2, '', '', '', 0, NULL)", "a quarantined that"},
        {"INSERT INTO identity VALUES ('d', 'l', '', 'a', 'k', -1, 0, '', '', '', 0, NULL)",
         "written there, -1: restore"},
        {"INSERT INTO subscription VALUES ('u', 'd', 'l', 16, NULL)",
         "in table subscription, the row user='u' AND domain='d' AND local='l' has a state"},
        {"INSERT INTO subscription VALUES ('u', 'd', 'l', -1, NULL)", "or delete this row"},
    };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        fill(f, 1);
        run_sql(f, strange[i].sql);
        struct store *s = open_ok(f);
        size_t count = 0;
        assert_int_equal(store_load(s, count_row, &count), ERR_CONF);
        assert_non_null(strstr(store_load_why(s), f->db));
        assert_non_null(strstr(store_load_why(s), strange[i].why));
        store_close(s);
        run_sql(f, "DELETE FROM identity; DELETE FROM subscription");
    }
}

// One of each kind, with something in every column.
static void fill_all(const struct fixture *f)
{
    struct store *s = open_ok(f);
    for (int kind = 0; kind < ROW_KINDS; kind++) {
        struct row row = {
            .kind = (enum row_kind)kind,
            .domain = STR("d.example"),
            .local = STR("lamp"),
            .scope = STR("u@e.example"),
            .user = STR("u@e.example"),
            .adapter = STR("home"),
            .key = STR("key"),
            .name = STR("Lamp"),
            .cls = STR("light"),
            .group = STR("kitchen"),
            .id = STR("id"),
            .text = STR("some text"),
            .since = 7,
            .state = 1,
            .number = 3,
            .settled = 2,
            .trimmed = 1,
            .dead = 4,
            .expired = 5,
            .record = 3,
            .stamp = 6,
            .next = 8,
            .attempts = 2,
        };
        store_put(s, &row);
    }
    assert_int_equal(store_flush(s), ERR_OK);
    store_close(s);
}

static bool is_left_out(const char *table)
{
    return strcmp(table, "journal") == 0 || strcmp(table, "letter") == 0 || strcmp(table, "ask") == 0 ||
           strcmp(table, "guest") == 0;
}

// Whatever column of whatever row the disk changes: it is not taken for what we wrote.
static void test_changed_values(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *table;
        const char *columns[12];
    } tables[] = {
        {"identity",
         {"domain", "local", "scope", "adapter", "key", "name", "cls", "grp", "since", "quarantined", "sum"}},
        {"subscription", {"user", "domain", "local", "state", "sum"}},
        {"registration", {"user", "domain", "sum"}},
        {"access", {"number", "rule", "sum"}},
        {"state", {"adapter", "key", "value", "sum"}},
        {"lane", {"adapter", "trimmed", "settled", "fenced", "user", "boot", "dead", "expired", "sum"}},
        {"journal", {"adapter", "number", "key", "user", "id", "body", "type", "stamp", "at", "extra", "sum"}},
        {"guest", {"domain", "local", "room", "nick", "since", "sum"}},
        {"letter", {"number", "adapter", "record", "local", "user", "id", "state", "attempts", "since", "next", "why"}},
        {"ask", {"number", "user", "domain", "local", "id", "type", "at", "why", "sum"}},
    };
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        for (size_t c = 0; c < 12 && tables[t].columns[c]; c++) {
            fill_all(f);
            char sql[300];
            const char *column = tables[t].columns[c];
            (void)snprintf(sql, sizeof sql,
                           "UPDATE %s SET %s = CASE typeof(%s) WHEN 'integer' THEN CASE %s WHEN 0 THEN 1 ELSE 0 END"
                           " WHEN 'blob' THEN x'00' ELSE %s || 'x' END",
                           tables[t].table, column, column, column, column);
            run_sql(f, sql);
            struct store *s = open_ok(f);
            size_t count = 0;
            enum err e = store_load(s, count_row, &count);
            assert_int_equal(e, is_left_out(tables[t].table) ? ERR_OK : ERR_CONF);
            if (is_left_out(tables[t].table))
                assert_int_equal(count, ROW_KINDS - 1);
            else
                assert_non_null(strstr(store_load_why(s), "is not as it was written: restore a backup"));
            store_close(s);
            remove(f->db);
        }
    }
}

static int table_exists(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return rc == SQLITE_OK;
}

// The steps of a later version, on a database of this one: each once, in order, all or none.
static void test_migrations(void **state)
{
    struct fixture *f = *state;
    fill(f, 5);
    const char *const *ours = store_db_migrations.text;
    const char *const broken[] = {ours[0], ours[1], ours[2],
                                  "CREATE TABLE third (a INTEGER) STRICT; PRAGMA user_version = 4", "no SQL at all"};
    const char *const steps[] = {ours[0], ours[1], ours[2],
                                 "CREATE TABLE second (a INTEGER) STRICT; PRAGMA user_version = 4",
                                 "INSERT INTO second VALUES (1); PRAGMA user_version = 5"};
    const struct store_migrations bad = {broken, 5}, all = {steps, 5};
    struct store_db *db;
    struct errmsg msg = {""};
    assert_int_equal(store_db_open(f->db, &bad, &db, &msg), ERR_IO);
    assert_non_null(strstr(msg.text, f->db));
    assert_false(table_exists(f->db, "SELECT * FROM third"));
    store_close(open_ok(f)); // still of our version, and whole
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_db_open(f->db, &all, &db, &msg), ERR_OK);
        size_t count = 0;
        assert_int_equal(store_db_load(db, count_row, &count, &msg), ERR_OK);
        assert_int_equal(count, 5);
        store_db_close(db);
    }
    assert_true(table_exists(f->db, "SELECT * FROM second"));
    assert_refused(f, ERR_CONF, "newer version");
    run_sql(f, "DELETE FROM second WHERE a = 1");
}

static void test_long_path(void **state)
{
    (void)state;
    struct store *s;
    struct errmsg msg = {""};
    char path[5000];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    assert_true(store_open(path, &s, &msg) != ERR_OK);
    assert_true(strlen(msg.text) > 0);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_modes),
        IN_DIRECTORY(test_bad_directories),
        IN_DIRECTORY(test_second_in_process),
        IN_DIRECTORY(test_lock_after_kill),
        IN_DIRECTORY(test_lock_of_other_process),
        IN_DIRECTORY(test_newer_schema),
        IN_DIRECTORY(test_foreign_database),
        IN_DIRECTORY(test_not_a_database),
        IN_DIRECTORY(test_in_use),
        IN_DIRECTORY(test_flipped_bytes),
        IN_DIRECTORY(test_cut_short),
        IN_DIRECTORY(test_strange_values),
        IN_DIRECTORY(test_changed_values),
        IN_DIRECTORY(test_migrations),
        cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
