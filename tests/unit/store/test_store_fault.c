/* A full disk, a broken disk, and death at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "unit/store/fault_vfs.h"
#include "unit/store/store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void assert_numbered(const struct fixture *f, unsigned count)
{
    struct store *s = open_ok(f);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_true(is_numbered(&rows.row[i], i));
    rows_finish(&rows);
    store_close(s);
}

// No room: told, kept, and written as soon as there is some.
static void test_full(void **state)
{
    static const int codes[] = {SQLITE_FULL, SQLITE_BUSY, SQLITE_READONLY};
    unsigned n = 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct store *s = open_ok(*state);
        struct store_stat stat;
        put_numbered(s, n++);
        assert_int_equal(store_flush(s), ERR_OK);
        uint64_t before = store_committed(s);
        atomic_store(&fault.write, codes[i]);
        put_numbered(s, n++);
        assert_int_equal(store_flush(s), ERR_IO);
        put_numbered(s, n++); // goes on gathering
        put_numbered(s, n - 1);
        assert_int_equal(store_flush(s), ERR_IO);
        store_stat(s, &stat);
        assert_true(stat.failing && stat.error.n > 0);
        assert_int_equal(stat.waiting, 2);
        assert_int_equal(store_committed(s), before);
        assert_true(store_batch(s) > before);
        fault_clear();
        assert_int_equal(store_flush(s), ERR_OK); // at once, not after a second
        store_stat(s, &stat);
        assert_false(stat.failing);
        assert_int_equal(stat.error.n, 0);
        assert_int_equal(stat.waiting, 0);
        assert_int_equal(store_committed(s), store_batch(s));
        store_close(s);
        assert_numbered(*state, n);
    }
}

static void count_call(void *ud)
{
    atomic_fetch_add((atomic_uint *)ud, 1);
}

// Whoever waits is woken when a commit has failed too, so that it can be told.
static void test_full_is_notified(void **state)
{
    atomic_uint calls = 0;
    struct store *s = open_ok(*state);
    store_on_commit(s, count_call, &calls);
    atomic_store(&fault.write, SQLITE_FULL);
    put_numbered(s, 0);
    assert_int_equal(store_flush(s), ERR_IO);
    while (atomic_load(&calls) == 0)
        sched_yield(); // it is called a moment after the flush was told
    fault_clear();
    store_close(s);
    assert_numbered(*state, 1);
}

struct waiter {
    int pipe[2];
};

static void on_commit(void *ud)
{
    const struct waiter *w = ud;
    assert_int_equal(write(w->pipe[1], "x", 1), 1);
}

// Nobody asks: it is tried again by itself, about every second.
static void test_retries(void **state)
{
    struct waiter w;
    assert_int_equal(pipe(w.pipe), 0);
    struct store *s = open_ok(*state);
    store_on_commit(s, on_commit, &w);
    atomic_store(&fault.write, SQLITE_FULL);
    put_numbered(s, 0);
    int64_t begin = clock_mono();
    assert_int_equal(store_flush(s), ERR_IO);
    fault_clear();
    struct pollfd fd = {.fd = w.pipe[0], .events = POLLIN};
    char byte;
    while (store_committed(s) == 0) { // the tries that fail are told too
        assert_int_equal(poll(&fd, 1, 10000), 1);
        assert_int_equal(read(w.pipe[0], &byte, 1), 1);
    }
    assert_in_range(clock_mono() - begin, 300, 5000);
    store_close(s);
    (void)close(w.pipe[0]);
    (void)close(w.pipe[1]);
    assert_numbered(*state, 1);
}

// Closing on a full disk ends in finite time; what was never durable is lost, what was durable stays.
static void test_close_when_full(void **state)
{
    struct store *s = open_ok(*state);
    put_numbered(s, 0);
    assert_int_equal(store_flush(s), ERR_OK);
    atomic_store(&fault.write, SQLITE_FULL);
    put_numbered(s, 1);
    store_close(s);
    fault_clear();
    assert_numbered(*state, 1);
}

// In a child, as RLIMIT_FSIZE cannot be set for a thread: the real error of a real file system.
static int full_by_limit(const struct fixture *f)
{
    struct rlimit limit = {.rlim_cur = 128 * 1024, .rlim_max = RLIM_INFINITY};
    struct store_stat stat;
    struct store *s;
    unsigned n = 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (store_open(f->dir, &s, NULL) || setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    do {
        put_numbered(s, n++);
    } while (n < 5000 && store_flush(s) == ERR_OK);
    store_stat(s, &stat);
    if (n == 5000 || !stat.failing || stat.waiting != 1)
        return 2;
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit) || store_flush(s))
        return 3;
    store_close(s);
    return n < 256 ? (int)n : 255;
}

static int wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

// 100 rows of 8 kB in one batch: over 200 pages of the log.
static enum err put_large(struct store *s, char fill)
{
    static char blob[8192];
    memset(blob, fill, sizeof blob);
    for (unsigned i = 0; i < 100; i++) {
        char key[32], value[64];
        struct row row = numbered_row(i, key, value);
        row.text = (struct str){blob, sizeof blob};
        store_put(s, &row);
    }
    return store_flush(s);
}

static long log_size(const struct fixture *f)
{
    char path[160];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s-wal", f->db);
    return stat(path, &st) ? 0 : (long)st.st_size;
}

// The log is moved into the database as it grows. While that fails for want of room, commits go on in the log.
static void test_checkpoint(void **state)
{
    struct fixture *f = *state;
    struct store *s = open_ok(f);
    for (char c = 'a'; c <= 'z'; c++)
        assert_int_equal(put_large(s, c), ERR_OK);
    long usual = log_size(f);
    assert_in_range(usual, 4 * 1024 * 1024, 8 * 1024 * 1024);
    atomic_store(&fault.main_only, true);
    atomic_store(&fault.write, SQLITE_FULL);
    for (char c = 'a'; c <= 'z'; c++)
        assert_int_equal(put_large(s, c), ERR_OK);
    assert_true(log_size(f) > 2 * usual);
    fault_clear();
    for (char c = 'a'; c <= 'z'; c++)
        assert_int_equal(put_large(s, c), ERR_OK);
    store_close(s);
    s = open_ok(f);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 100);
    for (size_t i = 0; i < rows.count; i++)
        assert_true(rows.row[i].text.n == 8192 && rows.row[i].text.p[0] == 'z' && rows.row[i].text.p[8191] == 'z');
    rows_finish(&rows);
    store_close(s);
}

static void test_broken_checkpoint_aborts(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s;
        if (store_open(f->dir, &s, NULL))
            _exit(1);
        atomic_store(&fault.main_only, true);
        atomic_store(&fault.write, SQLITE_IOERR_WRITE);
        for (char c = 'a'; c <= 'z'; c++) {
            if (put_large(s, c))
                _exit(2);
        }
        store_close(s); // joins the thread, which may be at it still
        _exit(3);
    }
    int status = wait_for(child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    struct store *s = open_ok(f);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 100); // the log has them
    rows_finish(&rows);
    store_close(s);
}

static void test_file_size_limit(void **state)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(full_by_limit(*state));
    int status = wait_for(child);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 4, 254);
    assert_numbered(*state, (unsigned)WEXITSTATUS(status));
}

// A row put in the child while a kind of call fails; how the child ended.
static int end_with_fault(const struct fixture *f, atomic_int *kind, int code)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct store *s;
        log_to_fd(open("/dev/null", O_WRONLY));
        if (store_open(f->dir, &s, NULL))
            _exit(1);
        atomic_store(kind, code);
        put_numbered(s, 100);
        enum err e = store_flush(s);
        _exit(e ? 2 : 3);
    }
    return wait_for(child);
}

static void test_broken_disk_aborts(void **state)
{
    struct store *s = open_ok(*state);
    put_numbered(s, 0);
    store_close(s);
    static const struct {
        atomic_int *kind;
        int code;
    } faults[] = {
        {&fault.sync, SQLITE_IOERR_FSYNC},
        {&fault.sync, SQLITE_IOERR_DIR_FSYNC},
        {&fault.write, SQLITE_IOERR_WRITE},
        {&fault.write, SQLITE_CORRUPT},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        int status = end_with_fault(*state, faults[i].kind, faults[i].code);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGABRT);
        struct store *again = open_ok(*state);
        struct rows rows;
        rows_load(&rows, again);
        assert_true(rows.count >= 1 &&
                    is_numbered(&rows.row[0], 0)); // row 100 was not told to be durable: it may be there or not
        rows_finish(&rows);
        store_close(again);
    }
}

// Each n-th write and sync fails for want of room; the store must come through with all rows.
static void test_every_call_fails_once(void **state)
{
    for (int kind = 0; kind < 2; kind++) {
        for (int n = 0; n < 12; n++) {
            struct fixture *f = *state;
            remove_tree(f->dir);
            struct store *s = open_ok(f);
            atomic_store(&fault.after, n);
            atomic_store(kind ? &fault.sync : &fault.write, SQLITE_FULL);
            for (unsigned i = 0; i < 10; i++) {
                put_numbered(s, i);
                if (store_flush(s))
                    fault_clear();
            }
            fault_clear();
            assert_int_equal(store_flush(s), ERR_OK);
            store_close(s);
            assert_numbered(f, 10);
        }
    }
}

// Errors at opening are told, never worse.
static void test_open_faults(void **state)
{
    struct fixture *f = *state;
    struct store *s = open_ok(f);
    for (unsigned i = 0; i < 100; i++)
        put_numbered(s, i);
    store_close(s);
    static const int codes[] = {SQLITE_IOERR_READ, SQLITE_IOERR_WRITE, SQLITE_FULL};
    for (size_t c = 0; c < sizeof codes / sizeof *codes; c++) {
        for (int n = 0; n < 20; n++) {
            struct errmsg msg = {""};
            atomic_store(&fault.after, n);
            atomic_store(c == 0 ? &fault.read : &fault.write, codes[c]);
            enum err e = store_open(f->dir, &s, &msg);
            fault_clear();
            if (e) {
                assert_true(e == ERR_IO || e == ERR_CONF);
                assert_true(strlen(msg.text) > 0);
            } else {
                store_close(s);
            }
        }
    }
    assert_numbered(f, 100);
}

// Small batches, so that the log is moved into the database now and then; the number of the highest durable row goes
// into the pipe.
static void write_until_killed(const struct fixture *f, unsigned first, int out)
{
    struct store *s;
    unsigned last_of[4096] = {0};
    uint64_t told = 0;
    if (store_open(f->dir, &s, NULL))
        _exit(1);
    for (unsigned n = first;; n++) {
        put_numbered(s, n);
        last_of[store_batch(s) % 4096] = n;
        uint64_t committed = store_committed(s);
        if (committed > told && store_batch(s) - committed < 4096) {
            told = committed;
            unsigned durable = last_of[committed % 4096];
            if (write(out, &durable, sizeof durable) != sizeof durable)
                _exit(2);
        }
        if (n % 64 == 0 && store_flush(s))
            _exit(3);
    }
}

// The last number the child told before its death, `ms` after its first.
static unsigned last_told(int in, pid_t child, int64_t ms)
{
    unsigned last = UINT32_MAX, n;
    int64_t deadline = 0;
    bool killed = false;
    struct pollfd fd = {.fd = in, .events = POLLIN};
    for (;;) {
        int64_t left = deadline ? deadline - clock_mono() : 10000;
        if (!killed && (left <= 0 || poll(&fd, 1, (int)left) == 0)) {
            assert_int_equal(kill(child, SIGKILL), 0);
            killed = true;
        }
        ssize_t got = read(in, &n, sizeof n);
        if (got <= 0)
            return last;
        assert_int_equal(got, sizeof n);
        last = n;
        deadline = deadline ? deadline : clock_mono() + ms;
    }
}

static size_t count_whole(const struct fixture *f)
{
    struct store *s = open_ok(f);
    struct rows rows;
    rows_load(&rows, s);
    size_t n = rows.count;
    for (unsigned i = 0; i < n; i++)
        assert_true(is_numbered(&rows.row[i], i)); // no gap, no half a row
    rows_finish(&rows);
    store_close(s);
    return n;
}

static void test_kill(void **state)
{
    struct rng rng;
    rng_init(&rng, 42);
    unsigned first = 0;
    for (int round = 0; round < 20; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)close(ends[0]);
            write_until_killed(*state, first, ends[1]);
        }
        (void)close(ends[1]);
        unsigned last = last_told(ends[0], child, 1 + (int64_t)rng_below(&rng, 80));
        (void)close(ends[0]);
        int status = wait_for(child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        size_t found = count_whole(*state);
        assert_true(last != UINT32_MAX && found >= (size_t)last + 1);
        first = (unsigned)found;
    }
}

static int silence(void **state)
{
    (void)state;
    log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    fault_install();
    return 0;
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

// Without a directory for temporary files the file cannot be written anew; all else goes on.
static void test_scrub_without_temporary_files(void **state)
{
    enum { LARGE = 16 << 20 }; // more than SQLite does in memory
    const struct fixture *f = *state;
    char path[128], line[8192] = "", *large = calloc(1, LARGE);
    (void)snprintf(path, sizeof path, "%s/log", f->base);
    int log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct store *s = open_ok(f);
    store_put(s, &(struct row){.kind = ROW_STATE, .adapter = STR("a"), .key = STR("k"), .text = {large, LARGE}});
    assert_int_equal(store_flush(s), ERR_OK);
    log_to_fd(log);
    atomic_store(&fault.temporary, SQLITE_IOERR_GETTEMPPATH);
    store_scrub(s);
    for (int64_t begin = clock_mono(); !strstr(line, "was not written anew"); (void)poll(NULL, 0, 50)) {
        assert_true(clock_mono() - begin < 20000);
        assert_true(pread(log, line, sizeof line - 1, 0) >= 0);
    }
    assert_non_null(strstr(line, "no directory for temporary files"));
    log_to_fd(open("/dev/null", O_WRONLY | O_CLOEXEC));
    (void)close(log);
    store_put(s, &(struct row){.kind = ROW_STATE, .gone = true, .adapter = STR("a"), .key = STR("k")});
    put_numbered(s, 0);
    assert_int_equal(store_flush(s), ERR_OK);
    fault_clear();
    store_close(s);
    assert_numbered(f, 1);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_full),
        IN_DIRECTORY(test_full_is_notified),
        IN_DIRECTORY(test_retries),
        IN_DIRECTORY(test_close_when_full),
        IN_DIRECTORY(test_file_size_limit),
        IN_DIRECTORY(test_broken_disk_aborts),
        IN_DIRECTORY(test_every_call_fails_once),
        IN_DIRECTORY(test_open_faults),
        IN_DIRECTORY(test_scrub_without_temporary_files),
        IN_DIRECTORY(test_kill),
        IN_DIRECTORY(test_checkpoint),
        IN_DIRECTORY(test_broken_checkpoint_aborts),
    };
    return cmocka_run_group_tests(tests, silence, NULL);
}
