/* Files that are no YAML, or more of it than is taken: always a place, never a crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "unit/conf/conf_fixture.h"

#include <stdio.h>
#include <unistd.h>

struct bad {
    const char *text;
    size_t n; // 0: up to the NUL
    const char *first;
};

static const struct bad bad[] = {
    // the library's own words, at the place that helps
    {"a: [1, 2", 0, ":1:4: error: flow sequence without a closing bracket\na: [1, 2\n   ^\n"},
    {"x: y\na: {b: c\n\n\n", 0, ":2:4: error: missing comma in flow mapping\na: {b: c\n   ^\n"},
    {"a: b: c", 0, ":1:5: error: invalid nested block mapping on the same line\na: b: c\n    ^\n"},
    {"a: \"x", 0, ":1:5: error: double-quoted scalar without closing quote\na: \"x\n    ^\n"},
    {"a:\n\tb: 1", 0, ":2:1: error: tab character may not be used as indentation\n\tb: 1\n^\n"},
    {"a: @x", 0, ":1:4: error: plain scalar cannot start with '@'\na: @x\n   ^\n"},
    {"- a\nb: c", 0, ":2:1: error: invalid scalar at the end of block sequence\nb: c\n^\n"},
    {"a: [b]]", 0, ":1:7: error: flow sequence with invalid extra closing bracket\na: [b]]\n      ^\n"},
    {"\xc3\xa4: \"\xc3\xb6\" y", 0, ":1:8: error: invalid trailing content after double-quoted scalar\n"},
    // what is not taken
    {"a: &x b\n", 0, ":1:4: error: anchors are not supported\na: &x b\n   ^~\n"},
    {"a: *x\n", 0, ":1:4: error: aliases are not supported: write the value out\na: *x\n   ^~\n"},
    {"<<: {a: b}\n", 0, ":1:1: error: merging with '<<' is not supported: write the options out\n<<: {a: b}\n^~\n"},
    {"a: !!int 3\n", 0, ":1:4: error: tags are not supported\na: !!int 3\n   ^~~~~\n"},
    {"a: !x\n", 0, ":1:4: error: tags are not supported\na: !x\n   ^~\n"},
    {"[a]: b\n", 0, ":1:1: error: a name is expected here, not a list\n[a]: b\n^\n"},
    {"? {a: b}\n: c\n", 0, ":1:3: error: a name is expected here, not a map\n? {a: b}\n  ^\n"},
    {": a\n", 0, ":1:1: error: a name is missing before the ':'\n: a\n^\n"},
    {"'': a\n", 0, ":1:1: error: a name is missing before the ':'\n'': a\n^~\n"},
    {"a: b\n---\nc: d\n", 0, ":3:1: error: there may be only one document in the file\nc: d\n^\n"},
    {"a: b\n...\nfoo\n", 0, ":3:1: error: there may be only one document in the file\nfoo\n^~~\n"},
    // bytes
    {"a: \xff\n", 0, ":1:4: error: not UTF-8\na: ?\n   ^\n"},
    {"a: \xed\xa0\x80\n", 0, ":1:4: error: not UTF-8\n"},
    {"\xff\xfe"
     "a",
     0, ":1:1: error: not UTF-8\n"},
    {"ok: 1\na: x\0y\n", 12, ":2:5: error: control character U+0000\na: x?y\n    ^\n"},
    {"a: \x1b[2J\n", 0, ":1:4: error: control character U+001B\na: ?[2J\n   ^\n"},
    {"a: b\xc2\x85"
     "c\n",
     0, ":1:5: error: control character U+0085\n"},
    {"a: \"x\\0y\"\n", 0, ":1:4: error: the text holds a character that is not allowed\na: \"x\\0y\"\n   ^~~~~~\n"},
};

static void test_bad(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct conf_report *r = conf_report_create();
        struct str text = {bad[i].text, bad[i].n ? bad[i].n : strlen(bad[i].text)};
        assert_null(conf_parse(text, "x", fixture_schema, r));
        struct str report = conf_report_text(r);
        bool ok = str_starts(report, STR("x")) && str_starts(str_sub(report, 1, report.n), str_c(bad[i].first));
        if (!ok)
            print_error("for: %s\nexpected: %s\ngot: " STR_FMT "\n", bad[i].text, bad[i].first, STR_ARG(report));
        failed += !ok;
        conf_report_destroy(r);
    }
    assert_int_equal(failed, 0);
}

// The first line of what a text is refused with.
static void assert_refused(struct str text, const char *expected)
{
    struct conf_report *r = conf_report_create();
    assert_null(conf_parse(text, "x", fixture_schema, r));
    struct str line, rest;
    (void)str_cut(conf_report_text(r), '\n', &line, &rest);
    if (!str_eq_c(line, expected))
        print_error("got: " STR_FMT "\n", STR_ARG(line));
    assert_true(str_eq_c(line, expected));
    conf_report_destroy(r);
}

static void test_bounds(void **state)
{
    (void)state;
    struct strbuf b;
    strbuf_init(&b, 4 << 20);
    strbuf_c(&b, "groups: ");
    for (int i = 0; i < 16; i++)
        strbuf_char(&b, '[');
    assert_refused(strbuf_view(&b), "x:1:24: error: nested more than 16 deep");

    strbuf_clear(&b);
    strbuf_c(&b, "groups: [");
    for (int i = 0; i < 100001; i++)
        strbuf_c(&b, "a,");
    assert_refused(strbuf_view(&b), "x:1:200002: error: more than 100000 values");

    strbuf_clear(&b);
    strbuf_c(&b, "# ");
    while (b.n <= 1 << 20)
        strbuf_c(&b, "0123456789abcdef");
    assert_refused(strbuf_view(&b), "x: error: larger than 1048576 bytes");
    strbuf_finish(&b);
}

static void test_deepest_is_taken(void **state)
{
    (void)state;
    struct conf_report *r = conf_report_create();
    struct conf_value *root =
        conf_parse(STR(FIXTURE_MINIMUM "groups: [[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]"), "x", fixture_schema, r);
    assert_non_null(root);
    const struct conf_value *v = conf_get(root, "groups");
    for (int depth = 0; depth < 15; depth++) {
        size_t at = 0;
        v = conf_each(v, &at);
    }
    assert_true(str_eq_c(conf_str(v), "x"));
    conf_destroy(root);
    conf_report_destroy(r);
}

static void test_syntax_error_hides_secrets(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "components: {main: {secret: hunter2, \"x\n",
        "components:\n  main:\n    secret: \"hunter2\n",
        "components:\n  main:\n    'secret' : hunter2 ]: [\n",
        "components:\n  main:\n    tls:\n      key: |\n        hunter2: @\n       hunter2\n",
        "adapters:\n  m:\n    type: mqtt\n    password: [hunter2\n",
        "passwd: \"hunter2\n",
        "components: {main: {secret: !x hunter2}}\n",
        "components: {main: {secret: &hunter2 hunter2}}\n",
        "components: {main: {secret: *hunter2}}\n",
        "components: {main: {secret: {hunter2: [hunter2]}}}\n",
        "components: {main: {secret: {[hunter2]: 1}}}\n",
        "components: {main: {secert: hunter2}}\n",
        "components: {main: {domain: 1, tls: {x: hunter2}, secret: hunter2, port: a}}\n",
        "secret:\n  hunter2: hunter2\n",
        "adapters: {m: {type: x, password: hunter2}}\n",
        "adapters: {m: {password: hunter2}}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct conf_report *r = conf_report_create();
        assert_null(conf_parse(str_c(texts[i]), "x", fixture_schema, r));
        struct str report = conf_report_text(r);
        if (str_find_str(report, STR("hunter2")) >= 0)
            print_error("leaked:\n" STR_FMT "\n", STR_ARG(report));
        assert_true(str_find_str(report, STR("hunter2")) < 0);
        conf_report_destroy(r);
    }
}

static const char sample[] =
    "# comment\nstate: ./here\nidle: 10s\ncache: 64KiB\neven: 4\ncomponents:\n  main:\n    domain: "
    "\"b\xc3\xa4r.example\"\n"
    "    server: '[::1]:5347'\n    port: 5347\n    secret: |\n      hush\n    tls: {cert: a.pem, key: "
    "env:HOME}\nadapters:\n"
    "  home: {type: mqtt, broker: 'localhost:1883', topics: [{filter: a/+, qos: 0}, {filter: \"x\\n\"}]}\n"
    "  chat:\n    type: irc\n    flood: 1.5\nadmins:\n  - a@b\n  - >-\n    folded\n    text\ngroups: {x: [1, 2, {y: "
    "z}], '~': ~}\n"
    "log:\n  level: debug\n";

static void mutate(struct rng *rng, char *text, size_t *n, size_t room)
{
    static const char bytes[] = "\n\t :-[]{}#&*!|>'\"%@`,?x0\\~<\xc3\xa4\xff\r\x01";
    size_t at = rng_below(rng, *n), len = 1 + rng_below(rng, 8);
    char byte = bytes[rng_below(rng, sizeof bytes - 1)];
    switch (rng_below(rng, 4)) {
    case 0: // another byte
        text[at] = byte;
        break;
    case 1: // one more
        if (*n < room) {
            memmove(text + at + 1, text + at, *n - at);
            text[at] = byte;
            ++*n;
        }
        break;
    case 2: // some less
        len = len < *n - at ? len : *n - at - (*n - at > 1);
        memmove(text + at, text + at + len, *n - at - len);
        *n -= len;
        break;
    default: // some copied elsewhere
        len = len < *n - at ? len : *n - at;
        memmove(text + rng_below(rng, *n - len + 1), text + at, len);
    }
    *n = *n ? *n : 1;
}

static void test_mutations(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    size_t taken = 0;
    for (int round = 0; round < 10000; round++) {
        char text[2 * sizeof sample];
        size_t n = sizeof sample - 1;
        memcpy(text, sample, n);
        for (uint64_t i = rng_below(&rng, 6); i > 0; i--)
            mutate(&rng, text, &n, sizeof text);
        struct conf_report *r = conf_report_create();
        struct conf_value *root = conf_parse((struct str){text, n}, "x", fixture_schema, r);
        assert_int_equal(root != NULL, conf_errors(r) == 0);
        assert_int_equal(conf_report_text(r).n > 0, conf_errors(r) + conf_warnings(r) > 0);
        taken += root != NULL;
        conf_destroy(root);
        conf_report_destroy(r);
    }
    assert_in_range(taken, 1500, 9000);
}

// Nothing may reach the terminal by another way than the report.
static void test_library_is_silent(void **state)
{
    (void)state;
    FILE *catch = tmpfile();
    assert_non_null(catch);
    int saved = dup(2);
    assert_true(dup2(fileno(catch), 2) >= 0);
    struct conf_report *r = conf_report_create();
    struct conf_value *root = conf_parse(STR("%YAML 9.9\n---\na: [\n"), "x", fixture_schema, r);
    struct conf_value *other = conf_parse(STR("%FOO\n---\na: \"\\q\"\n"), "x", fixture_schema, r);
    assert_true(dup2(saved, 2) >= 0);
    (void)close(saved);
    assert_null(root);
    assert_null(other);
    assert_true(conf_errors(r) >= 2);
    assert_int_equal(fseek(catch, 0, SEEK_END), 0);
    assert_int_equal(ftell(catch), 0);
    (void)fclose(catch);
    conf_report_destroy(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_deepest_is_taken),
        cmocka_unit_test(test_syntax_error_hides_secrets),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_library_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
