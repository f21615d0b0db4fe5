// A standby waits for the state directory in a loop of its own, tells what it waits for, and touches nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/control.h"
#include "app/standby.h"
#include "base/clock.h"
#include "base/log.h"
#include "unit/store/store_fixture.h"

#include <sys/stat.h>

struct rig {
    struct fixture *f;
    struct loop *loop;
    struct standby *standby;
    struct store_lock *taken;
    struct timer until;
    struct strbuf log;
    char socket[128], why[256];
    int done;
};

static void sink(void *ud, struct str line)
{
    struct rig *r = ud;
    strbuf_str(&r->log, line);
    strbuf_char(&r->log, '\n');
}

static void done(void *ud, struct store_lock *takes, const char *why)
{
    struct rig *r = ud;
    r->taken = takes;
    r->done++;
    (void)snprintf(r->why, sizeof r->why, "%s", takes ? "" : why);
    loop_stop(r->loop);
}

static void stop(void *ud)
{
    struct rig *r = ud;
    loop_stop(r->loop);
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    void *f;
    if (fixture_setup(&f))
        return -1;
    r->f = f;
    (void)snprintf(r->socket, sizeof r->socket, "%s/control", r->f->base);
    strbuf_init(&r->log, 1 << 16);
    log_to_sink(sink, r);
    r->loop = loop_create();
    timer_init(&r->until, r->loop, stop, r);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    timer_finish(&r->until);
    standby_destroy(r->standby);
    loop_run(r->loop);
    loop_destroy(r->loop);
    store_dir_unlock(r->taken);
    log_to_fd(2);
    strbuf_finish(&r->log);
    void *f = r->f;
    fixture_teardown(&f);
    free(r);
    return 0;
}

static struct store_lock *lock_ok(const struct rig *r)
{
    struct store_lock *l = NULL;
    assert_int_equal(store_dir_lock(r->f->dir, &l, NULL, NULL), ERR_OK);
    return l;
}

static void begin(struct rig *r)
{
    struct store_lock *l = NULL;
    struct store_holder h;
    assert_int_equal(store_dir_lock(r->f->dir, &l, &h, NULL), ERR_EXISTS);
    const struct standby_config cfg = {r->f->dir, r->socket, 0600};
    r->standby = standby_create(r->loop, &cfg, &h, done, r);
}

static void run_for(struct rig *r, int64_t ms)
{
    timer_set(&r->until, loop_now(r->loop) + ms);
    loop_run(r->loop);
}

static bool logged(const struct rig *r, const char *part)
{
    return str_find_str(strbuf_view(&r->log), str_c(part)) >= 0;
}

static void test_waits_and_takes(void **state)
{
    struct rig *r = *state;
    struct store_lock *l = lock_ok(r);
    begin(r);
    assert_true(logged(r, "standby: another process serves this state"));
    run_for(r, 2 * STANDBY_POLL_MS + 100);
    assert_int_equal(r->done, 0);
    store_dir_unlock(l);
    int64_t from = clock_mono();
    run_for(r, 10000);
    assert_int_equal(r->done, 1);
    assert_non_null(r->taken);
    assert_true(clock_mono() - from < 2 * STANDBY_POLL_MS);
    struct store_lock *other = NULL;
    assert_int_equal(store_dir_lock(r->f->dir, &other, NULL, NULL), ERR_EXISTS);
}

static void test_says_when_the_holder_is_another(void **state)
{
    struct rig *r = *state;
    struct store_lock *l = lock_ok(r);
    char path[160], moved[128];
    begin(r);
    (void)snprintf(path, sizeof path, "%s/lock", r->f->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("4711 1700000000000\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    run_for(r, STANDBY_POLL_MS + 100);
    assert_true(logged(r, "pid=4711 since=2023-11-14T22:13:20Z"));
    (void)snprintf(moved, sizeof moved, "%s/moved", r->f->base);
    assert_int_equal(rename(r->f->dir, moved), 0);
    run_for(r, STANDBY_POLL_MS + 100);
    assert_true(logged(r, "level=error"));
    assert_true(logged(r, "still serves what was in this place"));
    assert_int_equal(r->done, 0);
    assert_int_equal(access(r->f->dir, F_OK), -1);
    store_dir_unlock(l);
}

static void test_cannot_be_had(void **state)
{
    struct rig *r = *state;
    struct store_lock *l = lock_ok(r);
    begin(r);
    store_dir_unlock(l);
    assert_int_equal(chmod(r->f->dir, 0777), 0);
    run_for(r, 10000);
    assert_int_equal(r->done, 1);
    assert_null(r->taken);
    assert_non_null(strstr(r->why, "chmod o-w"));
}

// Its socket is beside the one of who serves; what lies there is no reason not to wait.
static void test_socket(void **state)
{
    struct rig *r = *state;
    struct store_lock *l = lock_ok(r);
    struct stat st;
    char path[160];
    (void)snprintf(path, sizeof path, "%s.standby", r->socket);
    begin(r);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(access(r->socket, F_OK), -1);
    standby_destroy(r->standby);
    assert_int_equal(access(path, F_OK), -1);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    begin(r);
    assert_true(logged(r, "the standby cannot be asked for its state"));
    store_dir_unlock(l);
    run_for(r, 10000);
    assert_non_null(r->taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_waits_and_takes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_says_when_the_holder_is_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cannot_be_had, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socket, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
