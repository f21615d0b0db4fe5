// A start that fails says why, ends with 1, and leaves nothing behind.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/daemon.h"

#include <stdio.h>
#include <stdlib.h>
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
        assert_int_equal(daemon_run(write_config(wrong[i].state, wrong[i].rest), NULL), 1);
    assert_int_equal(daemon_run("/nonexistent/config", NULL), 1);
}

static void a_recording_that_cannot_be_written(void **state)
{
    (void)state;
    assert_int_equal(daemon_run(write_config("state", REST), "/nonexistent/dir/rec"), 1);
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
        cmocka_unit_test(a_recording_that_cannot_be_written),
        cmocka_unit_test(check_connects_to_nothing_and_makes_nothing),
    };
    return cmocka_run_group_tests(tests, make_directory, drop_directory);
}
