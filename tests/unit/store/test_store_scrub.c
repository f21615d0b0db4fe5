// What was deleted is in no byte of the file or its log, once that was asked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit/store/store_fixture.h"

#include <poll.h>

enum { ROWS = 3000, KEPT = 7 }; // each seventh stays

static size_t slurp(const char *path, char **out)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t n = (size_t)ftell(file);
    rewind(file);
    *out = malloc(n + 1);
    n = fread(*out, 1, n, file); // less, when it is cut meanwhile
    assert_int_equal(fclose(file), 0);
    return n;
}

// How often the text is in the database or its log.
static size_t found(const struct fixture *f, const char *text)
{
    static const char *const tails[] = {"", "-wal", "-journal"};
    size_t count = 0;
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        char path[160], *bytes = NULL;
        (void)snprintf(path, sizeof path, "%s%s", f->db, tails[i]);
        struct str rest = {NULL, slurp(path, &bytes)};
        rest.p = bytes;
        for (ptrdiff_t at; (at = str_find_str(rest, str_c(text))) >= 0; count++)
            rest = str_sub(rest, (size_t)at + 1, rest.n);
        free(bytes);
    }
    return count;
}

static struct row user_row(unsigned n, char user[64])
{
    (void)snprintf(user, 64, "%s-%u@example.org", n % KEPT ? "deleted" : "kept", n);
    return (struct row){.kind = ROW_SUBSCRIPTION,
                        .user = str_c(user),
                        .domain = STR("b.example"),
                        .local = STR("lamp"),
                        .state = SUB_TO_USER};
}

static void put_users(struct store *s, bool gone)
{
    char user[64];
    for (unsigned n = 0; n < ROWS; n++) {
        struct row row = user_row(n, user);
        row.gone = gone;
        if (!gone || n % KEPT)
            store_put(s, &row);
        if (n % 100 == 0)
            assert_int_equal(store_flush(s), ERR_OK);
    }
    assert_int_equal(store_flush(s), ERR_OK);
}

static void test_deleted_is_gone(void **state)
{
    const struct fixture *f = *state;
    struct store *s = open_ok(f);
    put_users(s, false);
    assert_true(found(f, "deleted-") > 0);
    put_users(s, true);
    assert_true(found(f, "deleted-") > 0); // the log at least still has it
    store_scrub(s);
    int64_t begin = clock_mono();
    while (found(f, "deleted-")) {
        assert_true(clock_mono() - begin < 20000);
        (void)poll(NULL, 0, 50);
    }
    assert_true(clock_mono() - begin >= STORE_SCRUB_MS - 100);
    assert_true(found(f, "kept-") >= ROWS / KEPT);
    struct rows rows;
    rows_load(&rows, s);
    assert_int_equal(rows.count, (ROWS + KEPT - 1) / KEPT);
    rows_finish(&rows);
    put_users(s, false); // and it can be written as before
    store_close(s);
    store_close(open_ok(f));
}

// Not only when nothing else is to be done.
static void test_while_rows_come(void **state)
{
    const struct fixture *f = *state;
    struct store *s = open_ok(f);
    put_users(s, false);
    put_users(s, true);
    store_scrub(s);
    int64_t begin = clock_mono();
    for (unsigned n = 0; found(f, "deleted-"); n++) {
        assert_true(clock_mono() - begin < 20000);
        put_numbered(s, n);
        assert_int_equal(store_flush(s), ERR_OK);
    }
    store_close(s);
}

static int setup(void **state)
{
    log_set_level(LOG_WARN);
    return fixture_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deleted_is_gone, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_while_rows_come, setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
