// A start that fails says why, ends with 1, and leaves nothing behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define REST                                                                                                           \
    "components:\n  main: {domain: bridge.example, server: \"127.0.0.1:1\", secret: s}\n"                              \
    "adapters:\n  nothing: {type: \"null\"}\n"

static char directory[] = "/tmp/spandrel-test-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int drop_directory(void **state)
{
    (void)state;
    static const char *const files[] = {
        "state/lock", "state/spandrel.db", "state/spandrel.db-wal", "state/spandrel.db-shm", "config", "rec"};
    char path[200];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/state", directory);
    rmdir(path);
    return rmdir(directory);
}

static const char *write_config(const char *state, const char *rest)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/config", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "state: %s/%s\n%s", directory, state, rest);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const struct {
    const char *state, *rest;
} wrong[] = {
    {"state", ""},                                                          // no component
    {"none/such", REST},                                                    // in a directory that is not there
    {"state", "control: {socket: /nonexistent/dir/control}\n" REST},        // the last that is opened
    {"state", "acess: []\n" REST},                                          // no such option
    {"state", "access: [allow everything to nobody in particular]\n" REST}, // no such rule
};

static void a_start_that_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(daemon_run(write_config(wrong[i].state, wrong[i].rest), NULL, false), 1);
    assert_int_equal(daemon_run("/nonexistent/config", NULL, false), 1);
}

// The loop takes six files; each number below what it wants is another call that fails.
static void a_start_without_room_for_files(void **state)
{
    (void)state;
    struct rlimit before, few;
    const char *path = write_config("state", REST);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(0);
    assert_true(next >= 0);
    close(next);
    for (int more = 1; more <= 6; more++) {
        few = (struct rlimit){(rlim_t)(next + more), before.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        int code = daemon_run(path, NULL, false);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        assert_int_equal(code, 1);
    }
}

static void a_recording_that_cannot_be_written(void **state)
{
    (void)state;
    assert_int_equal(daemon_run(write_config("state", REST), "/nonexistent/dir/rec", false), 1);
}

static void check_connects_to_nothing_and_makes_nothing(void **state)
{
    (void)state;
    char path[200];
    snprintf(path, sizeof path, "%s/checked", directory);
    assert_int_equal(daemon_check(write_config("checked", REST)), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(daemon_check(write_config("state", "")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_fails),
        cmocka_unit_test(a_start_without_room_for_files),
        cmocka_unit_test(a_recording_that_cannot_be_written),
        cmocka_unit_test(check_connects_to_nothing_and_makes_nothing),
    };
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
