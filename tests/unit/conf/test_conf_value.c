/* What the program gets: values given, values by default, comparison. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "unit/conf/conf_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct conf_value *parse(const char *text)
{
    struct conf_report *r = conf_report_create();
    struct conf_value *root = conf_parse(str_c(text), "/etc/x/main.yaml", fixture_schema, r);
    if (!root)
        print_error(STR_FMT, STR_ARG(conf_report_text(r)));
    assert_non_null(root);
    conf_report_destroy(r);
    return root;
}

static void assert_str(const struct conf_value *v, const char *expected)
{
    assert_true(str_eq_c(conf_str(v), expected));
    assert_string_equal(conf_cstr(v), expected);
}

static const struct conf_value *at(const struct conf_value *v, size_t i)
{
    const struct conf_value *found = NULL;
    for (size_t pos = 0; i != SIZE_MAX; i--)
        found = conf_each(v, &pos);
    return found;
}

static void test_given(void **state)
{
    (void)state;
    struct conf_value *root =
        parse("state: here/there\nidle: 1m\ncache: 1 MiB\neven: -4\nmode: 0600\n"
              "components:\n  main:\n    domain: b.example\n    server: '[::1]:99'\n    port: 1\n"
              "    secret: hush\n    tls: {cert: /a/b.pem, key: 'x y'}\n"
              "adapters:\n  home: {type: mqtt, broker: 'h:1', topics: [{filter: a}, {filter: b, qos: 0}]}\n"
              "  chat: {type: irc, flood: 0.5, offer: false}\n"
              "admins: [a@b, \"c\\td\"]\nports: [1, 65535]\ngroups: {x: [1, {y: z}], k: ~}\n"
              "log: {level: trace}\ndebug: true\n");
    assert_str(conf_get(root, "state"), "/etc/x/here/there");
    assert_int_equal(conf_int(conf_get(root, "idle")), 60000);
    assert_int_equal(conf_int(conf_get(root, "cache")), 1 << 20);
    assert_int_equal(conf_int(conf_get(root, "even")), -4);
    assert_true(conf_real(conf_get(root, "even")) < -3.9);
    assert_str(conf_get(root, "mode"), "0600");
    assert_true(conf_bool(conf_get(root, "debug")));
    assert_int_equal(conf_enum(conf_get(conf_get(root, "log"), "level")), 4);

    const struct conf_value *main = at(conf_get(root, "components"), 0);
    assert_true(str_eq_c(conf_name(main), "main"));
    assert_true(str_eq_c(conf_host(conf_get(main, "server")), "::1"));
    assert_int_equal(conf_port(conf_get(main, "server")), 99);
    assert_str(conf_get(main, "secret"), "hush");
    assert_str(conf_get(conf_get(main, "tls"), "key"), "x y");
    assert_str(conf_get(conf_get(main, "tls"), "cert"), "/a/b.pem");

    const struct conf_value *adapters = conf_get(root, "adapters"), *home = at(adapters, 0), *chat = at(adapters, 1);
    assert_int_equal(conf_count(adapters), 2);
    assert_true(conf_bool(conf_get(home, "offer")));
    assert_false(conf_bool(conf_get(chat, "offer")));
    assert_int_equal(conf_int(conf_get(at(conf_get(home, "topics"), 0), "qos")), 1);
    assert_int_equal(conf_int(conf_get(at(conf_get(home, "topics"), 1), "qos")), 0);
    assert_true(conf_real(conf_get(chat, "flood")) < 0.51);
    assert_str(conf_get(chat, "nick"), "bridge");

    assert_str(at(conf_get(root, "admins"), 1), "c\td");
    assert_int_equal(conf_int(at(conf_get(root, "ports"), 1)), 65535);
    const struct conf_value *groups = conf_get(root, "groups"), *x = at(groups, 0);
    assert_true(str_eq_c(conf_name(x), "x"));
    assert_str(at(x, 0), "1");
    assert_str(at(at(x, 1), 0), "z");
    assert_int_equal(conf_count(at(groups, 1)), 0);
    conf_destroy(root);
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf_value *root = parse(FIXTURE_MINIMUM);
    assert_str(conf_get(root, "state"), "/var/lib/x");
    assert_true(conf_is_set(conf_get(root, "state")));
    assert_int_equal(conf_int(conf_get(root, "idle")), 10000);
    assert_int_equal(conf_int(conf_get(root, "cache")), 64000);
    const struct conf_value *log = conf_get(root, "log");
    assert_false(conf_is_set(log));
    assert_int_equal(conf_enum(conf_get(log, "level")), 2);
    assert_false(conf_is_set(conf_get(log, "file")));
    assert_null(conf_cstr(conf_get(log, "file")));
    assert_true(str_empty(conf_str(conf_get(log, "file"))));
    const struct conf_value *admins = conf_get(root, "admins");
    assert_int_equal(conf_count(admins), 2);
    assert_str(at(admins, 1), "a b");
    assert_int_equal(conf_count(conf_get(root, "adapters")), 0);
    assert_false(conf_is_set(conf_get(root, "adapters")));
    assert_int_equal(conf_count(conf_get(root, "groups")), 0);
    const struct conf_value *main = at(conf_get(root, "components"), 0);
    assert_true(str_eq_c(conf_host(conf_get(main, "server")), "127.0.0.1"));
    assert_int_equal(conf_port(conf_get(main, "server")), 5347);
    assert_false(conf_is_set(conf_get(main, "tls")));
    assert_false(conf_is_set(conf_get(conf_get(main, "tls"), "cert")));
    conf_destroy(root);
}

static void test_empty_sections(void **state)
{
    (void)state;
    struct conf_value *root = parse(FIXTURE_MINIMUM "log:\nadmins:\nadapters:\ngroups:\n");
    assert_int_equal(conf_enum(conf_get(conf_get(root, "log"), "level")), 2);
    assert_int_equal(conf_count(conf_get(root, "admins")), 0); // given, empty: not the default
    assert_int_equal(conf_count(conf_get(root, "adapters")), 0);
    conf_destroy(root);
}

static void test_wrong_kind_of_question(void **state)
{
    (void)state;
    struct conf_value *root = parse(FIXTURE_MINIMUM);
    const struct conf_value *state_dir = conf_get(root, "state");
    assert_int_equal(conf_int(state_dir), 0);
    assert_false(conf_bool(state_dir));
    assert_int_equal(conf_enum(state_dir), 0);
    assert_int_equal(conf_port(state_dir), 0);
    assert_true(str_empty(conf_host(state_dir)));
    conf_destroy(root);
}

static void test_unknown_name_aborts(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct conf_value *root = parse(FIXTURE_MINIMUM);
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        (void)conf_get(root, "nosuch");
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } cases[] = {
        {"localhost", "localhost", 5347}, {"a.b:1", "a.b", 1},
        {"'[::1]'", "::1", 5347},         {"'[fe80::1%eth0]:22'", "fe80::1%eth0", 22},
        {"'[::]:65535'", "::", 65535},    {"b\xc3\xbc.de:80", "b\xc3\xbc.de", 80},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a, 0);
        struct conf_value *root =
            parse(arena_printf(&a, "components: {m: {domain: d, secret: s, server: %s}}", cases[i].text).p);
        const struct conf_value *v = conf_get(at(conf_get(root, "components"), 0), "server");
        assert_true(str_eq_c(conf_host(v), cases[i].host));
        assert_int_equal(conf_port(v), cases[i].port);
        conf_destroy(root);
        arena_finish(&a);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"1000", 1000},   {"1000B", 1000},   {"1kB", 1000},       {"2KiB", 2048},
                 {"3MB", 3000000}, {"3MiB", 3 << 20}, {"1GB", 1000000000}, {"5 kB", 5000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a, 0);
        struct conf_value *root = parse(arena_printf(&a, FIXTURE_MINIMUM "cache: %s", cases[i].text).p);
        assert_int_equal(conf_int(conf_get(root, "cache")), cases[i].bytes);
        conf_destroy(root);
        arena_finish(&a);
    }
}

static void test_equal(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"", "", true},
        {"", "idle: 10s", true}, // a default that is written out changes nothing
        {"log: {}", "log:", true},
        {"", "log: {}", true},
        {"", "log: {level: warn}", false},
        {"idle: 60s", "idle: 1m   # a minute", true},
        {"even: 2", "even: 4", false},
        {"admins: [a, b]", "admins:\n- a\n- b", true},
        {"admins: [a, b]", "admins: [b, a]", false},
        {"admins: [a]", "admins: [a, b]", false},
        {"groups: {a: b, c: [d]}", "groups: {c: [d], a: b}", true},
        {"groups: {a: b}", "groups: {a: [b]}", false},
        {"groups: [a]", "groups: {a: a}", false},
        {"groups: {a: {}}", "groups: {a: b}", false},
        {"adapters: {x: {type: irc}, y: {type: irc, nick: n}}", "adapters: {y: {nick: n, type: irc}, x: {type: irc}}",
         true},
        {"adapters: {x: {type: irc}}", "adapters: {y: {type: irc}}", false},
        {"adapters: {x: {type: irc, flood: 1}}", "adapters: {x: {type: irc, flood: 1.0}}", true},
        {"adapters: {x: {type: irc, flood: 1}}", "adapters: {x: {type: irc, flood: 1.1}}", false},
        {"debug: true", "debug: false", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        arena_init(&a, 0);
        struct conf_value *left = parse(arena_printf(&a, FIXTURE_MINIMUM "%s", cases[i].a).p);
        struct conf_value *right = parse(arena_printf(&a, FIXTURE_MINIMUM "%s", cases[i].b).p);
        bool expected = cases[i].equal;
        if (conf_equal(left, right) != expected)
            print_error("%s | %s\n", cases[i].a, cases[i].b);
        assert_int_equal(conf_equal(left, right), expected);
        assert_int_equal(conf_equal(right, left), expected);
        conf_destroy(left);
        conf_destroy(right);
        arena_finish(&a);
    }
}

// Messages about values can be made long after the file was read, and shown after the tree is gone.
static void test_fail_later(void **state)
{
    (void)state;
    struct conf_report *r = conf_report_create();
    struct conf_value *root =
        parse("components:\n  main:\n    domain: b.example\n    secret: hunter2\n    server: x\n");
    const struct conf_value *main = at(conf_get(root, "components"), 0);
    conf_fail(r, conf_get(main, "server"), "no route to '%s'", "x");
    conf_fail(r, conf_get(main, "secret"), "refused");
    conf_warn(r, main, "odd");
    conf_fail(r, conf_get(conf_get(main, "tls"), "cert"), "needed");
    conf_fail(r, conf_get(root, "adapters"), "none");
    conf_destroy(root);
    assert_int_equal(conf_errors(r), 4);
    assert_int_equal(conf_warnings(r), 1);
    struct str text = conf_report_text(r);
    static const char expected[] = "/etc/x/main.yaml:1:1: error: none\ncomponents:\n^\n"
                                   "/etc/x/main.yaml:2:3: warning: odd\n  main:\n  ^~~~\n"
                                   "/etc/x/main.yaml:2:3: error: needed\n  main:\n  ^~~~\n"
                                   "/etc/x/main.yaml:4:13: error: refused\n    secret: *******\n            ^~~~~~~\n"
                                   "/etc/x/main.yaml:5:13: error: no route to 'x'\n    server: x\n            ^\n";
    if (!str_eq_c(text, expected))
        print_error(STR_FMT, STR_ARG(text));
    assert_true(str_eq_c(text, expected));
    assert_true(str_eq_c(conf_report_text(r), expected)); // and again
    conf_report_destroy(r);
}

static void test_needs_restart(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *at; // the name of the value that needs one
    } cases[] = {
        {"", "", NULL},
        {"state: /a", "state: /b", "state"},
        {"state: /a", "", "state"},
        {"state: /a", "state: /a   # the same", NULL},
        {"idle: 5s", "idle: 6s", NULL},
        {"adapters: {x: {type: irc}}", "adapters: {y: {type: irc}, x: {type: irc, nick: a}}", NULL},
        {"", "home: {path: /x}", "path"},
        {"home: {path: /x}", "home: {path: /x, name: a}", NULL},
        {"homes: {a: {path: /x}}", "homes: {b: {path: /y}, a: {path: /z}}", "path"},
        {"homes: {a: {path: /x}}", "homes: {b: {path: /x}}", NULL},
        {"fixed: {a: {path: /x}}", "fixed: {a: {path: /x}, b: {path: /x}}", "fixed"},
    };
    static const struct conf_item home[] = {
        {.name = "path", .type = CONF_PATH, .flags = CONF_RESTART, .doc = ""},
        {.name = "name", .type = CONF_STR, .doc = ""},
        {.name = NULL},
    };
    const struct conf_item schema[] = {
        {.name = "home", .type = CONF_MAP, .sub = home, .doc = ""},
        {.name = "homes", .type = CONF_NAMED, .sub = home, .doc = ""},
        {.name = "fixed", .type = CONF_NAMED, .flags = CONF_RESTART, .sub = home, .doc = ""},
        {.name = "state", .type = CONF_PATH, .flags = CONF_RESTART, .doc = ""},
        {.name = "idle", .type = CONF_SPAN, .doc = ""},
        {.name = "adapters", .type = CONF_ANY, .doc = ""},
        {.name = NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf_report *r = conf_report_create();
        struct conf_value *a = conf_parse(str_c(cases[i].a), "a", schema, r);
        struct conf_value *b = conf_parse(str_c(cases[i].b), "b", schema, r);
        assert_true(a && b);
        const struct conf_value *at_value = conf_needs_restart(a, b);
        if (cases[i].at)
            assert_true(at_value && str_eq_c(conf_name(at_value), cases[i].at));
        else
            assert_null(at_value);
        conf_destroy(a);
        conf_destroy(b);
        conf_report_destroy(r);
    }
}

static void test_destroy_nothing(void **state)
{
    (void)state;
    conf_destroy(NULL);
    conf_report_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_empty_sections),
        cmocka_unit_test(test_wrong_kind_of_question),
        cmocka_unit_test(test_unknown_name_aborts),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_fail_later),
        cmocka_unit_test(test_destroy_nothing),
        cmocka_unit_test(test_needs_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
