/* Where secrets come from, what is refused, and that none is ever shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "unit/conf/conf_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char dir[64];
    struct arena arena;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    (void)snprintf(p->dir, sizeof p->dir, "/tmp/spandrel-conf-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    arena_init(&p->arena, 0);
    *state = p;
    return 0;
}

static const char *path_in(struct place *p, const char *name)
{
    return arena_printf(&p->arena, "%s/%s", p->dir, name).p;
}

static int teardown(void **state)
{
    struct place *p = *state;
    static const char *const names[] = {"good", "empty", "open", "nul", "large", "main.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(path_in(p, names[i]));
    assert_int_equal(rmdir(p->dir), 0);
    arena_finish(&p->arena);
    free(p);
    return 0;
}

static void put_file(struct place *p, const char *name, struct str content, mode_t mode)
{
    int fd = open(path_in(p, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.p, content.n), content.n);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

// The secret that `written` gives in a file of this directory; NULL when it is refused. The report is left to the
// caller.
static const char *load(struct place *p, const char *written, struct conf_report *r)
{
    struct str text = arena_printf(&p->arena, "components: {main: {domain: d, secret: '%s'}}\n", written);
    struct conf_value *root = conf_parse(text, path_in(p, "main.yaml"), fixture_schema, r);
    if (!root)
        return NULL;
    size_t at = 0;
    const struct conf_value *main = conf_each(conf_get(root, "components"), &at);
    const char *out = arena_dup(&p->arena, conf_str(conf_get(main, "secret"))).p;
    conf_destroy(root);
    return out;
}

static void put_files(struct place *p)
{
    static char large[65537];
    memset(large, 'x', sizeof large);
    put_file(p, "good", STR("hunter2 \n"), 0600);
    put_file(p, "empty", STR("\n"), 0600);
    put_file(p, "open", STR("hunter2\r\n"), 0644);
    put_file(p, "nul", STR("hunter2\0x"), 0600);
    put_file(p, "large", (struct str){large, sizeof large}, 0600);
}

static void test_origins(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *written, *secret, *told;
    } cases[] = {
        {"hunter2", "hunter2", NULL},
        {" hunter2\\n", " hunter2\\n", NULL}, // single quotes: as it stands
        {"files:x", "files:x", NULL},
        {"file:good", "hunter2 ", NULL}, // one line end is cut, nothing else
        {"file:open", "hunter2", ":1:40: warning: all users of this machine can read %s/open: chmod o-r it"},
        {"file:empty", NULL, ":1:40: error: 'secret': %s/empty is empty"},
        {"file:nul", NULL, ":1:40: error: 'secret': %s/nul holds a NUL byte"},
        {"file:large", NULL, ":1:40: error: 'secret': %s/large is larger than 65536 bytes"},
        {"file:none", NULL, ":1:40: error: 'secret': cannot read %s/none: No such file or directory"},
        {"file:", NULL, ":1:40: error: 'secret': 'file:' needs a path behind it"},
        {"file:.", NULL, ":1:40: error: 'secret': %s/. is not a regular file"},
        {"env:SPANDREL_TEST", "hunter2", NULL},
        {"env:SPANDREL_EMPTY", NULL, ":1:40: error: 'secret': the variable is empty"},
        {"env:SPANDREL_NONE", NULL, ":1:40: error: 'secret': the environment has no variable 'SPANDREL_NONE'"},
        {"env:", NULL, ":1:40: error: 'secret': the environment has no variable ''"},
        {"credential:good", "hunter2 ", NULL},
        {"credential:none", NULL, ":1:40: error: 'secret': cannot read %s/none: No such file or directory"},
        {"credential:../good", NULL, ":1:40: error: 'secret': 'credential:' needs a name without '/' behind it"},
        {"credential:", NULL, ":1:40: error: 'secret': 'credential:' needs a name without '/' behind it"},
        {"", NULL, ":1:40: error: 'secret': the secret is empty"},
    };
    put_files(p);
    assert_int_equal(setenv("SPANDREL_TEST", "hunter2\n", 1), 0);
    assert_int_equal(setenv("SPANDREL_EMPTY", "", 1), 0);
    assert_int_equal(unsetenv("SPANDREL_NONE"), 0);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", p->dir, 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf_report *r = conf_report_create();
        const char *secret = load(p, cases[i].written, r);
        struct str report = conf_report_text(r);
        assert_int_equal(secret != NULL, cases[i].secret != NULL);
        if (secret)
            assert_string_equal(secret, cases[i].secret);
        assert_true(str_find_str(report, STR("hunter2")) < 0);
        if (cases[i].told) {
            char told[256];
            (void)snprintf(told, sizeof told, "%s%s", path_in(p, "main.yaml"), cases[i].told);
            char *expected = strstr(told, "%s");
            struct str tail = str_c(expected ? expected + 2 : "");
            struct str head = {told, expected ? (size_t)(expected - told) : strlen(told)};
            if (!str_starts(report, head) || str_find_str(report, tail) < 0)
                print_error("expected %s, got " STR_FMT "\n", told, STR_ARG(report));
            assert_true(str_starts(report, head));
            assert_true(str_find_str(report, tail) >= 0);
        } else {
            assert_int_equal(report.n, 0);
        }
        conf_report_destroy(r);
    }
}

static void test_no_credentials(void **state)
{
    struct place *p = *state;
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    struct conf_report *r = conf_report_create();
    assert_null(load(p, "credential:good", r));
    assert_true(str_find_str(conf_report_text(r), STR("CREDENTIALS_DIRECTORY is not set")) > 0);
    conf_report_destroy(r);
}

// What a message may show of the line that the secret stands in.
static void test_hidden_in_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"components: {main: {domain: d, secret: hunter2, port: 0}}\n",
         "components: {main: {domain: d, secret: *******, port: 0}}\n"},
        {"components: {main: {prot: 1, secret: \"hunter2\", domain: d}}\n",
         "components: {main: {prot: *, secret: *********, domain: d}}\n"},
        {"components: {main: {prot: 1, secret: file:/nowhere, domain: d}}\n",
         "components: {main: {prot: *, secret: file:/nowhere, domain: d}}\n"},
        {"components: {main: {secret: [hunter2, {hunter2: hunter2}], domain: d}}\n",
         "components: {main: {secret: [*******, {*******: *******}], domain: d}}\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf_report *r = conf_report_create();
        assert_null(conf_parse(str_c(cases[i].text), "x", fixture_schema, r));
        struct str report = conf_report_text(r);
        assert_true(str_find_str(report, str_c(cases[i].shown)) > 0);
        assert_true(str_find_str(report, STR("hunter2")) < 0);
        conf_report_destroy(r);
    }
}

static void test_literal_in_open_file(void **state)
{
    struct place *p = *state;
    static const char text[] =
        "components:\n  main: {domain: d, secret: hunter2}\n  two: {domain: e, secret: hunter2}\n";
    for (int i = 0; i < 2; i++) {
        put_file(p, "main.yaml", str_c(text), i ? 0644 : 0640);
        struct conf_report *r = conf_report_create();
        struct conf_value *root = conf_load(path_in(p, "main.yaml"), fixture_schema, r);
        assert_non_null(root);
        assert_int_equal(conf_warnings(r), i); // once, not at each secret
        assert_true(str_find_str(conf_report_text(r), STR("hunter2")) < 0);
        conf_destroy(root);
        conf_report_destroy(r);
    }
}

static void test_load_errors(void **state)
{
    struct place *p = *state;
    struct conf_report *r = conf_report_create();
    assert_null(conf_load(path_in(p, "none.yaml"), fixture_schema, r));
    assert_null(conf_load(p->dir, fixture_schema, r));
    struct str text = conf_report_text(r);
    assert_true(str_find_str(text, STR("none.yaml: No such file or directory\n")) > 0);
    assert_true(str_find_str(text, STR(": Is a directory\n")) > 0);
    assert_int_equal(conf_errors(r), 2);
    conf_report_destroy(r);
}

static void test_load_is_bounded(void **state)
{
    struct place *p = *state;
    static char large[(1 << 20) + 1];
    memset(large, '#', sizeof large);
    put_file(p, "main.yaml", (struct str){large, sizeof large}, 0600);
    struct conf_report *r = conf_report_create();
    assert_null(conf_load(path_in(p, "main.yaml"), fixture_schema, r));
    assert_true(str_find_str(conf_report_text(r), STR("main.yaml is larger than 1048576 bytes\n")) > 0);
    conf_report_destroy(r);
}

static void test_relative_paths(void **state)
{
    struct place *p = *state;
    put_file(p, "main.yaml", STR("state: data\n" FIXTURE_MINIMUM), 0600);
    char cwd[256], expected[512];
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(p->dir), 0);
    struct conf_report *r = conf_report_create();
    struct conf_value *root = conf_load("main.yaml", fixture_schema, r);
    struct conf_value *other = conf_load("./main.yaml", fixture_schema, r);
    assert_int_equal(chdir(cwd), 0);
    assert_non_null(root);
    assert_non_null(other);
    (void)snprintf(expected, sizeof expected, "%s/data", p->dir);
    assert_string_equal(conf_cstr(conf_get(root, "state")), expected);
    (void)snprintf(expected, sizeof expected, "%s/./data", p->dir);
    assert_string_equal(conf_cstr(conf_get(other, "state")), expected);
    conf_destroy(root);
    conf_destroy(other);
    conf_report_destroy(r);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_origins),        IN_DIRECTORY(test_no_credentials),  cmocka_unit_test(test_hidden_in_lines),
        IN_DIRECTORY(test_load_errors),    IN_DIRECTORY(test_load_is_bounded), IN_DIRECTORY(test_literal_in_open_file),
        IN_DIRECTORY(test_relative_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
