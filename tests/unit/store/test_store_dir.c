// The lock of a state directory: who has it, that nobody else gets it, and that whoever takes the directory away is
// noticed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/store_dir.h"
#include "unit/store/store_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static struct store_lock *lock_ok(const char *dir)
{
    struct store_lock *l = NULL;
    struct errmsg msg = {""};
    enum err e = store_dir_lock(dir, &l, NULL, &msg);
    if (e)
        print_error("%s\n", msg.text);
    assert_int_equal(e, ERR_OK);
    return l;
}

static struct store_holder held(const char *dir, const char *part)
{
    struct store_lock *l = NULL;
    struct store_holder h = {.pid = -1};
    struct errmsg msg = {""};
    assert_int_equal(store_dir_lock(dir, &l, &h, &msg), ERR_EXISTS);
    assert_null(l);
    if (!strstr(msg.text, part))
        print_error("%s\n", msg.text);
    assert_non_null(strstr(msg.text, part));
    return h;
}

static void test_holder(void **state)
{
    const struct fixture *f = *state;
    int64_t before = clock_wall();
    struct store_lock *l = lock_ok(f->dir);
    assert_string_equal(store_dir_path(l), f->dir);
    struct store_holder h = held(f->dir, "two may not share a state directory");
    assert_int_equal(h.pid, getpid());
    assert_in_range(h.since, before, clock_wall());
    assert_false(h.displaced);
    assert_true(store_dir_stands(l));
    store_dir_unlock(l);
    store_dir_unlock(NULL);
    store_dir_unlock(lock_ok(f->dir));
}

// One that is called by another path is the same one.
static void test_other_path(void **state)
{
    const struct fixture *f = *state;
    char path[160];
    struct store_lock *l = lock_ok(f->dir);
    (void)snprintf(path, sizeof path, "%s//", f->dir);
    (void)held(path, "two may not share");
    (void)snprintf(path, sizeof path, "%s/../state", f->dir);
    (void)held(path, "two may not share");
    char other[128];
    (void)snprintf(other, sizeof other, "%s/link", f->base);
    assert_int_equal(symlink(f->dir, other), 0);
    (void)held(other, "two may not share");
    store_dir_unlock(l);
}

// Without a number, or with nonsense in its place, it is held all the same.
static void test_holder_that_does_not_tell(void **state)
{
    const struct fixture *f = *state;
    char path[160];
    struct store_lock *l = lock_ok(f->dir);
    (void)snprintf(path, sizeof path, "%s/lock", f->dir);
    static const char *const texts[] = {"", "nonsense\n", "77\n", "77 nonsense\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(texts[i], file) >= 0);
        assert_int_equal(fclose(file), 0);
        struct store_holder h = held(f->dir, "since a time it does not tell");
        assert_int_equal(h.pid, i < 2 ? 0 : 77);
        assert_int_equal(h.since, 0);
    }
    store_dir_unlock(l);
}

static void test_moved(void **state)
{
    const struct fixture *f = *state;
    char moved[128];
    (void)snprintf(moved, sizeof moved, "%s/moved", f->base);
    struct store_lock *l = lock_ok(f->dir);
    assert_int_equal(rename(f->dir, moved), 0);
    assert_false(store_dir_stands(l));
    struct store_holder h = held(f->dir, "still serves what was at");
    assert_true(h.displaced);
    assert_int_equal(h.pid, getpid());
    assert_int_equal(access(f->dir, F_OK), -1); // and nothing was made there
    (void)held(moved, "two may not share");     // where it is now, it is locked as well
    assert_int_equal(mkdir(f->dir, 0700), 0);   // another one in its place
    assert_false(store_dir_stands(l));
    assert_true(held(f->dir, "still serves what was at").displaced);
    assert_int_equal(rmdir(f->dir), 0);
    assert_int_equal(rename(moved, f->dir), 0);
    assert_true(store_dir_stands(l));
    assert_false(held(f->dir, "two may not share").displaced);
    store_dir_unlock(l);
    store_dir_unlock(lock_ok(f->dir));
}

// Whoever asks again and again is told each time.
static void test_asked_often(void **state)
{
    const struct fixture *f = *state;
    char moved[128];
    (void)snprintf(moved, sizeof moved, "%s/moved", f->base);
    struct store_lock *l = lock_ok(f->dir);
    assert_int_equal(rename(f->dir, moved), 0);
    for (int i = 0; i < 100; i++) {
        assert_true(held(f->dir, "still serves").displaced);
        if (i % 5 == 0)
            assert_false(store_dir_stands(l));
    }
    store_dir_unlock(l);
}

// Both halves go with the process, and who gets the one gets the other.
static void test_killed(void **state)
{
    const struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        int ready[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct store_lock *l;
            if (store_dir_lock(f->dir, &l, NULL, NULL) || write(ready[1], "x", 1) != 1)
                _exit(1);
            (void)poll(NULL, 0, 60000);
            _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(held(f->dir, "two may not share").pid, child);
        assert_int_equal(kill(child, SIGKILL), 0);
        struct store_lock *l = NULL;
        struct store_holder h;
        while (store_dir_lock(f->dir, &l, &h, NULL) == ERR_EXISTS)
            assert_false(h.displaced);
        store_dir_unlock(l);
        assert_int_equal(waitpid(child, NULL, 0), child);
        (void)close(ready[0]);
        (void)close(ready[1]);
    }
}

struct seen {
    struct strbuf log;
};

static void sink(void *ud, struct str line)
{
    struct seen *seen = ud;
    strbuf_str(&seen->log, line);
    strbuf_char(&seen->log, '\n');
}

static void await_failing(struct store *s, bool wanted)
{
    struct store_stat stat;
    int64_t begin = clock_mono();
    do {
        assert_true(clock_mono() - begin < 10000);
        (void)poll(NULL, 0, 10);
        store_stat(s, &stat);
    } while (stat.failing != wanted);
    assert_true(!wanted || str_find_str(stat.error, STR("moved, removed or replaced")) >= 0);
}

// What the store gathers while its directory is away is written when that is back, and no sooner acknowledged.
static void test_store_without_its_directory(void **state)
{
    const struct fixture *f = *state;
    char moved[128];
    struct seen seen;
    strbuf_init(&seen.log, 1 << 16);
    log_to_sink(sink, &seen);
    (void)snprintf(moved, sizeof moved, "%s/moved", f->base);
    struct store *s = open_ok(f);
    put_numbered(s, 1);
    assert_int_equal(store_flush(s), ERR_OK);
    uint64_t before = store_committed(s);
    assert_int_equal(rename(f->dir, moved), 0);
    await_failing(s, true);
    put_numbered(s, 2);
    assert_int_equal(store_flush(s), ERR_IO);
    assert_int_equal(store_committed(s), before);
    assert_int_equal(rename(moved, f->dir), 0);
    await_failing(s, false);
    assert_int_equal(store_flush(s), ERR_OK);
    assert_true(store_committed(s) > before);
    assert_true(store_close(s));
    log_to_fd(2);
    struct str text = strbuf_view(&seen.log);
    assert_true(str_find_str(text, STR("level=error")) >= 0);
    assert_true(str_find_str(text, STR("the state directory is back")) >= 0);
    strbuf_finish(&seen.log);
    s = open_ok(f);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, 2);
    rows_finish(&rows);
    store_close(s);
}

// One that ends without it has lost rows, and says so.
static void test_store_that_ends_without_its_directory(void **state)
{
    const struct fixture *f = *state;
    char moved[128];
    (void)snprintf(moved, sizeof moved, "%s/moved", f->base);
    struct store *s = open_ok(f);
    assert_int_equal(rename(f->dir, moved), 0);
    await_failing(s, true);
    put_numbered(s, 1);
    assert_false(store_close(s));
}

// A database that alone was replaced is noticed too.
static void test_replaced_database(void **state)
{
    const struct fixture *f = *state;
    char other[160];
    struct store *s = open_ok(f);
    (void)snprintf(other, sizeof other, "%s.other", f->db);
    assert_int_equal(rename(f->db, other), 0);
    await_failing(s, true);
    assert_int_equal(rename(other, f->db), 0);
    await_failing(s, false);
    store_close(s);
}

// The names of locks that processes of this machine have.
static size_t lock_names(char names[][108], size_t max)
{
    char line[512];
    size_t n = 0;
    FILE *f = fopen("/proc/net/unix", "re");
    assert_non_null(f);
    while (n < max && fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "@spandrel-state-");
        if (at)
            (void)snprintf(names[n++], sizeof *names, "%.*s", (int)strcspn(at, "\n"), at);
    }
    (void)fclose(f);
    return n;
}

static bool is_one_of(const char *name, char names[][108], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

// Anybody can take the name; who only sits on it is none of ours, and keeps nobody from starting.
static void test_blocked_name(void **state)
{
    enum { MAX = 256 };
    static char before[MAX][108], with[MAX][108];
    const struct fixture *f = *state;
    size_t count = lock_names(before, MAX);
    struct store_lock *lock = lock_ok(f->dir);
    size_t more = lock_names(with, MAX);
    store_dir_unlock(lock);
    int fds[MAX], taken = 0;
    for (size_t i = 0; i < more; i++) { // other tests may have come and gone: theirs are free or not
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        size_t n = strlen(with[i]);
        if (is_one_of(with[i], before, count))
            continue;
        memcpy(addr.sun_path + 1, with[i] + 1, n - 1);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (bind(fd, (const struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0)
            fds[taken++] = fd;
        else
            (void)close(fd);
    }
    assert_true(taken > 0);
    lock = lock_ok(f->dir);
    store_dir_unlock(lock);
    while (taken > 0)
        (void)close(fds[--taken]);
}

// In the directory of another user root gives nothing away that is also somewhere else.
static void test_root_gives_no_other_file_away(void **state)
{
    enum { OTHER = 12345 };
    static const char *const names[] = {"lock", "spandrel.db"};
    const struct fixture *f = *state;
    char secret[128], name[256];
    struct store_lock *l = NULL;
    struct errmsg msg = {""};
    struct stat st;
    if (geteuid() != 0)
        skip();
    assert_int_equal(mkdir(f->dir, 0700), 0);
    assert_int_equal(chown(f->dir, OTHER, OTHER), 0);
    (void)snprintf(secret, sizeof secret, "%s/secret", f->base);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int fd = open(secret, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_true(fd >= 0 && close(fd) == 0);
        (void)snprintf(name, sizeof name, "%s/%s", f->dir, names[i]);
        assert_int_equal(link(secret, name), 0);
        assert_int_equal(i ? store_dir_private(name, &msg) : store_dir_lock(f->dir, &l, NULL, &msg), ERR_IO);
        assert_non_null(strstr(msg.text, name));
        assert_int_equal(stat(secret, &st), 0);
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_mode & 0777, 0644);
        assert_int_equal(unlink(name), 0);
    }
    store_dir_unlock(lock_ok(f->dir));
    (void)snprintf(name, sizeof name, "%s/lock", f->dir);
    assert_int_equal(stat(name, &st), 0);
    assert_int_equal(st.st_uid, OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_holder, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_root_gives_no_other_file_away, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_blocked_name, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_other_path, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_holder_that_does_not_tell, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_moved, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_asked_often, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_killed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_store_without_its_directory, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_store_that_ends_without_its_directory, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_replaced_database, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
