/* What people get wrong, and what they are told: the first message with its place, the line, and the caret under it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/conf/conf_fixture.h"

#define MAIN "components: {main: {domain: a.b, secret: s}}\n"

struct bad {
    const char *text;
    const char *first; // the first line of the report, behind "x.yaml"
    const char *shown; // the two lines below it; NULL: none
};

static const struct bad bad[] = {
    // numbers
    {"components:\n  main:\n    port: 5347x\n    domain: d\n    secret: s\n",
     ":3:11: error: 'port' must be a number from 1 to 65535, not '5347x'", "    port: 5347x\n          ^~~~~\n"},
    {MAIN "even: 3.5\n", ":2:7: error: 'even' must be a number, not '3.5'", "even: 3.5\n      ^~~\n"},
    {MAIN "even: 99999999999999999999\n", ":2:7: error: 'even' must be a number, not '99999999999999999999'",
     "even: 99999999999999999999\n      ^~~~~~~~~~~~~~~~~~~~\n"},
    {MAIN "even: [2]\n", ":2:7: error: 'even' must be a number, not a list", "even: [2]\n      ^~~\n"},
    {MAIN "even: {a: 2}\n", ":2:7: error: 'even' must be a number, not a map", "even: {a: 2}\n      ^~~~~~\n"},
    {MAIN "even:\n", ":2:1: error: 'even' has no value", "even:\n^~~~\n"},
    {MAIN "even: ~\n", ":2:1: error: 'even' has no value", "even: ~\n^~~~\n"},
    {MAIN "even: 7\n", ":2:7: error: 7 is odd", "even: 7\n      ^\n"},
    {MAIN "adapters: {i: {type: irc, flood: 1e3}}\n",
     ":2:34: error: 'flood' must be a number from 0.1 to 10, not '1e3'",
     "adapters: {i: {type: irc, flood: 1e3}}\n                                 ^~~\n"},
    // booleans, words
    {MAIN "debug: yes\n", ":2:8: error: 'debug' must be true or false, not 'yes'; did you mean 'true'?",
     "debug: yes\n       ^~~\n"},
    {MAIN "debug: Off\n", ":2:8: error: 'debug' must be true or false, not 'Off'; did you mean 'false'?",
     "debug: Off\n       ^~~\n"},
    {MAIN "log: {level: inof}\n",
     ":2:14: error: 'level' must be error, warn, info, debug or trace, not 'inof'; did you mean 'info'?",
     "log: {level: inof}\n             ^~~~\n"},
    {MAIN "log: {level: nonsense}\n", ":2:14: error: 'level' must be error, warn, info, debug or trace, not 'nonsense'",
     "log: {level: nonsense}\n             ^~~~~~~~\n"},
    // times and sizes
    {MAIN "idle: 10\n", ":2:7: error: 'idle' must be a time such as 250ms, 10s, 5m or 2h, from 1s to 1h, not '10'",
     "idle: 10\n      ^~\n"},
    {MAIN "idle: 2h\n", ":2:7: error: 'idle' must be a time such as 250ms, 10s, 5m or 2h, from 1s to 1h, not '2h'",
     "idle: 2h\n      ^~\n"},
    {MAIN "cache: 1kb\n", ":2:8: error: 'cache' must be a size such as 64kB or 1MiB, from 1kB to 1GB, not '1kb'",
     "cache: 1kb\n       ^~~\n"},
    {MAIN "cache: -1kB\n", ":2:8: error: 'cache' must be a size such as 64kB or 1MiB, from 1kB to 1GB, not '-1kB'",
     "cache: -1kB\n       ^~~~\n"},
    {MAIN "cache: 9999999999GB\n",
     ":2:8: error: 'cache' must be a size such as 64kB or 1MiB, from 1kB to 1GB, not '9999999999GB'",
     "cache: 9999999999GB\n       ^~~~~~~~~~~~\n"},
    // addresses and paths
    {"components: {main: {domain: d, secret: s, server: \"a b\"}}\n",
     ":1:51: error: 'server' must be host or host:port, not 'a b'",
     "components: {main: {domain: d, secret: *, server: \"a b\"}}\n                                                  "
     "^~~~~\n"},
    {MAIN "adapters: {m: {type: mqtt, broker: host}}\n", ":2:36: error: 'broker' must be host:port, not 'host'",
     "adapters: {m: {type: mqtt, broker: host}}\n                                   ^~~~\n"},
    {MAIN "adapters: {m: {type: mqtt, broker: 'host:'}}\n", ":2:36: error: 'broker' must be host:port, not 'host:'",
     "adapters: {m: {type: mqtt, broker: 'host:'}}\n                                   ^~~~~~~\n"},
    {MAIN "adapters: {m: {type: mqtt, broker: '::1:1883'}}\n",
     ":2:36: error: 'broker' must be host:port, not '::1:1883'",
     "adapters: {m: {type: mqtt, broker: '::1:1883'}}\n                                   ^~~~~~~~~~\n"},
    {MAIN "adapters: {m: {type: mqtt, broker: '[::1]:0'}}\n", ":2:36: error: 'broker' must be host:port, not '[::1]:0'",
     "adapters: {m: {type: mqtt, broker: '[::1]:0'}}\n                                   ^~~~~~~~~\n"},
    {MAIN "adapters: {m: {type: mqtt, broker: 'a:65536'}}\n", ":2:36: error: 'broker' must be host:port, not 'a:65536'",
     "adapters: {m: {type: mqtt, broker: 'a:65536'}}\n                                   ^~~~~~~~~\n"},
    {MAIN "state: ''\n", ":2:8: error: 'state' must be a path, not ''", "state: ''\n       ^~\n"},
    // names
    {"components:\n  main:\n    domain: d\n    secrt: hush\n    secret: s\n",
     ":4:5: error: unknown option 'secrt' in components.main; did you mean 'secret'?", "    secrt: ****\n    ^~~~~\n"},
    {MAIN "stat: x\n", ":2:1: error: unknown option 'stat'; did you mean 'state'?", "stat: *\n^~~~\n"},
    {MAIN "zzzzzz: x\n", ":2:1: error: unknown option 'zzzzzz'", "zzzzzz: *\n^~~~~~\n"},
    {MAIN "debgu: x\n", ":2:1: error: unknown option 'debgu'", "debgu: *\n^~~~~\n"}, // a hidden one is not advertised
    {MAIN "log: {}\nlog: {}\n", ":3:1: error: 'log' is given twice", "log: {}\n^~~\n"},
    {"components: {Main: {domain: d, secret: s}}\n",
     ":1:14: error: 'Main' is no name: it takes a-z, 0-9 and '-', begins with a letter and has at most 32 characters",
     "components: {Main: {domain: d, secret: *}}\n             ^~~~\n"},
    {"components: {1a: {domain: d, secret: s}}\n",
     ":1:14: error: '1a' is no name: it takes a-z, 0-9 and '-', begins with a letter and has at most 32 characters",
     "components: {1a: {domain: d, secret: *}}\n             ^~\n"},
    // what is missing
    {"components:\n  main:\n    domain: d\n", ":2:3: error: 'secret' is missing in components.main",
     "  main:\n  ^~~~\n"},
    {"components:\n  main:\n", ":2:3: error: 'domain' is missing in components.main", "  main:\n  ^~~~\n"},
    {"state: /x\n", ":1:1: error: 'components' is missing", "state: /x\n^\n"},
    {"", ":1:1: error: 'components' is missing", ""},
    {"# nothing\n", ":1:1: error: 'components' is missing", "# nothing\n^\n"},
    {"---\n...\n", ":1:1: error: 'components' is missing", "---\n^\n"},
    // kinds of nodes
    {"hello\n", ":1:1: error: 'the file' must be a map, not 'hello'", "hello\n^~~~~\n"},
    {"[a]\n", ":1:1: error: 'the file' must be a map, not a list", "[*]\n^~~\n"},
    {"components: x\n", ":1:13: error: 'components' must be a map, not 'x'", "components: x\n            ^\n"},
    {"components: {main: x}\n", ":1:20: error: 'main' must be a map, not 'x'",
     "components: {main: x}\n                   ^\n"},
    {MAIN "log: [a]\n", ":2:6: error: 'log' must be a map, not a list", "log: [*]\n     ^~~\n"},
    {MAIN "admins: me\n", ":2:9: error: 'admins' must be a list, not 'me'", "admins: me\n        ^~\n"},
    {MAIN "ports: [1, 0, 2]\n", ":2:12: error: 'ports[1]' must be a number from 1 to 65535, not '0'",
     "ports: [1, 0, 2]\n           ^\n"},
    {MAIN "ports:\n  - 1\n  - x\n", ":4:5: error: 'ports[1]' must be a number from 1 to 65535, not 'x'",
     "  - x\n    ^\n"},
    {MAIN "ports: [[1]]\n", ":2:9: error: 'ports[0]' must be a number from 1 to 65535, not a list",
     "ports: [[1]]\n        ^~~\n"},
    // types of adapters
    {MAIN "adapters: {m: {type: mqt, pass: hush}}\n", ":2:22: error: unknown type 'mqt'; did you mean 'mqtt'?",
     "adapters: {m: {type: mqt, pass: ****}}\n                     ^~~\n"},
    {MAIN "adapters: {m: {type: carrier}}\n", ":2:22: error: unknown type 'carrier'; it may be mqtt or irc",
     "adapters: {m: {type: carrier}}\n                     ^~~~~~~\n"},
    {MAIN "adapters: {m: {}}\n", ":2:12: error: 'type' is missing in adapters.m", "adapters: {m: {}}\n           ^\n"},
    {MAIN "adapters: {m: {type: [mqtt]}}\n", ":2:22: error: 'type' must be mqtt or irc, not a list", NULL},
    {MAIN "adapters: {m: {type: irc, broker: a:1}}\n", ":2:27: error: unknown option 'broker' in adapters.m",
     "adapters: {m: {type: irc, broker: ***}}\n                          ^~~~~~\n"},
    {MAIN "adapters: {m: {type: mqtt, broker: a:1, topics: [{filter: x}, {qos: 0}]}}\n",
     ":2:63: error: 'filter' is missing in adapters.m.topics[1]", NULL},
    {MAIN "adapters: {m: {type: mqtt, broker: a:1, topics: [x]}}\n", ":2:50: error: 'topics[0]' must be a map, not 'x'",
     NULL},
    {MAIN "adapters: {m: {type: mqtt, broker: a:1, topics: [{filter: x, qos: 2}]}}\n",
     ":2:67: error: 'qos' must be a number from 0 to 1, not '2'", NULL},
    // lines: tabs, CRLF, old Mac, several bytes a character, a mark at the beginning, long ones
    {MAIN "even:\t7\n", ":2:7: error: 7 is odd", "even:\t7\n     \t^\n"},
    {MAIN "log: {}\r\neven: 7\r\n", ":3:7: error: 7 is odd", "even: 7\n      ^\n"},
    {MAIN "log: {}\reven: 7\r", ":3:7: error: 7 is odd", "even: 7\n      ^\n"},
    {MAIN "log: {file: \"\xc3\xa4\xf0\x9f\x98\x80\", level: \xc3\xb6\xc3\xb6}\n",
     ":2:26: error: 'level' must be error, warn, info, debug or trace, not '\xc3\xb6\xc3\xb6'",
     "log: {file: \"\xc3\xa4\xf0\x9f\x98\x80\", level: \xc3\xb6\xc3\xb6}\n                         ^~\n"},
    {"\xef\xbb\xbf" MAIN "even: 7\n", ":2:7: error: 7 is odd", "even: 7\n      ^\n"},
    {MAIN "even: |\n  7\n", ":3:3: error: 'even' must be a number, not '7'", NULL},
    {"components: {main: {domain: d, secret: \"\xc3\xa4\xc3\xa4\", prot: 1}}\n",
     ":1:46: error: unknown option 'prot' in components.main; did you mean 'port'?",
     "components: {main: {domain: d, secret: ****, prot: *}}\n                                             ^~~~\n"},
};

static struct str report_on(const char *text, struct conf_report *r)
{
    struct conf_value *root = conf_parse(str_c(text), "x.yaml", fixture_schema, r);
    if (root)
        print_error("accepted:\n%s\n", text);
    assert_null(root);
    return conf_report_text(r);
}

static void test_bad(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct conf_report *r = conf_report_create();
        struct str line, rest, report = report_on(bad[i].text, r);
        (void)str_cut(report, '\n', &line, &rest);
        bool first = str_starts(line, STR("x.yaml")) && str_eq_c(str_sub(line, 6, line.n), bad[i].first);
        bool shown = !bad[i].shown || str_starts(rest, str_c(bad[i].shown));
        if (!first || !shown)
            print_error("for:\n%s\nexpected: %s\n%s\ngot:\n" STR_FMT, bad[i].text, bad[i].first,
                        bad[i].shown ? bad[i].shown : "", STR_ARG(report));
        failed += !(first && shown);
        conf_report_destroy(r);
    }
    assert_int_equal(failed, 0);
}

static void test_all_are_told(void **state)
{
    (void)state;
    struct conf_report *r = conf_report_create();
    static const char text[] = "state: [x]\nidle: 1\nlog: {lvl: 1, level: x}\nlog: {level: y}\n"
                               "components: {main: {port: 0}}\nadapters: {a: {type: b}, c: {type: irc, nick: []}}\n";
    struct str report = report_on(text, r);
    assert_int_equal(conf_errors(r), 11);
    size_t line = 0;
    for (struct str head, rest = report; rest.n; report = rest) {
        (void)str_cut(report, '\n', &head, &rest);
        if (!str_starts(head, STR("x.yaml:")))
            continue;
        size_t at = (size_t)(head.p[7] - '0');
        assert_true(at >= line); // in the order of the file
        line = at;
    }
    assert_int_equal(line, 6);
    conf_report_destroy(r);
}

static void test_flood_is_bounded(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    for (int i = 0; i < 20000; i++)
        strbuf_printf(&text, "option-%d: 1\n", i);
    struct conf_report *r = conf_report_create();
    struct str report = report_on(text.p, r);
    assert_true(conf_errors(r) >= 1000 && report.n < 1 << 16);
    assert_true(str_find_str(report, STR("... and ")) > 0);
    conf_report_destroy(r);
    strbuf_finish(&text);
}

static void test_long_line(void **state)
{
    (void)state;
    struct strbuf text;
    strbuf_init(&text, 1 << 20);
    strbuf_c(&text, "{groups: [");
    for (int i = 0; i < 1000; i++)
        strbuf_c(&text, "\xc3\xa4\xc3\xa4\xc3\xa4, ");
    strbuf_c(&text, "], even: 3, components: {main: {domain: d, secret: s}}}");
    struct conf_report *r = conf_report_create();
    struct str line, shown, caret, report = report_on(text.p, r);
    (void)str_cut(report, '\n', &line, &report);
    assert_true(str_starts(line, STR("x.yaml:1:5020: error: 3 is odd")));
    (void)str_cut(report, '\n', &shown, &caret);
    assert_true(shown.n < 300);
    // The caret stands under the 3: as many characters before either.
    size_t before = (size_t)str_find(caret, '^');
    ptrdiff_t at = str_find_str(shown, STR("3, comp"));
    size_t chars = 0;
    for (ptrdiff_t i = 0; i < at; i++)
        chars += ((unsigned char)shown.p[i] & 0xc0) != 0x80;
    assert_int_equal(chars, before);
    conf_report_destroy(r);
    strbuf_finish(&text);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"secret", "server", "port", "tls", NULL};
    static const struct {
        const char *word, *near;
    } cases[] = {{"secrt", "secret"}, {"sevrer", "server"}, {"PORT", "port"}, {"prt", "port"},     {"tsl", "tls"},
                 {"x", NULL},         {"", NULL},           {"zzz", NULL},    {"secret", "secret"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *near = conf_nearest(str_c(cases[i].word), words);
        if (cases[i].near)
            assert_string_equal(near, cases[i].near);
        else
            assert_null(near);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),       cmocka_unit_test(test_all_are_told), cmocka_unit_test(test_flood_is_bounded),
        cmocka_unit_test(test_long_line), cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
