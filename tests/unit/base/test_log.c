#include "lib/check.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <pthread.h>
#include <stdio.h>

static struct strbuf taken;
static unsigned lines;
static int64_t now;

static void take(void *ud, struct str line)
{
    (void)ud;
    lines++;
    (void)strbuf_str(&taken, line);
}

static int64_t virtual_clock(void)
{
    return now;
}

// Time moves on by more than a window from test to test, so that none sees what another said.
static int setup(void **state)
{
    (void)state;
    strbuf_init(&taken, 1 << 20);
    lines = 0;
    now += 1000000;
    log_to_sink(take, NULL);
    log_set_clock(virtual_clock);
    log_set_format(LOG_FORMAT_LOGFMT);
    log_set_level(LOG_INFO);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    log_to_fd(STDERR_FILENO);
    log_set_clock(NULL);
    strbuf_finish(&taken);
    return 0;
}

static const struct log_ctx root = {.sub = LOG_SUB_mqtt, .key = "adapter", .value = "home"};
static const struct log_ctx child = {.parent = &root, .sub = LOG_SUB_mqtt, .key = "broker", .value = "10.0.0.2:1883"};
static const struct log_ctx plain = {.sub = LOG_SUB_core};

// What follows the time stamp, whose form is checked.
static struct str after_stamp(void)
{
    struct str s = strbuf_view(&taken);
    ptrdiff_t level = str_find_str(s, STR("level"));
    assert_true(level > 20);
    return str_sub(s, (size_t)level, s.n);
}

static void test_logfmt(void **state)
{
    (void)state;
    log_info(&child, LOG_MSG("link is up"), LOG_C("domain", "x.org"), LOG_INT("ms", -12), LOG_REAL("load", 1.5),
             LOG_S("who", STR("a b")), LOG_ERR(ERR_TIMEOUT));
    assert_true(str_starts(strbuf_view(&taken), STR("ts=20")));
    assert_str(after_stamp(),
               "level=info sub=mqtt adapter=home broker=10.0.0.2:1883 msg=\"link is up\" domain=x.org ms=-12 load=1.5 "
               "who=\"a b\" error=timeout\n");
}

static void test_json(void **state)
{
    (void)state;
    log_set_format(LOG_FORMAT_JSON);
    log_warn(&child, LOG_MSG("link is up"), LOG_C("domain", "x.org"), LOG_INT("ms", 12), LOG_REAL("load", 0.0 / 0.0));
    assert_true(str_starts(strbuf_view(&taken), STR("{\"ts\":\"20")));
    assert_str(
        after_stamp(),
        "level\":\"warn\",\"sub\":\"mqtt\",\"adapter\":\"home\",\"broker\":\"10.0.0.2:1883\",\"msg\":\"link is up\","
        "\"domain\":\"x.org\",\"ms\":12,\"load\":null}\n");
}

static void test_values_are_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"", "\"\""},
        {"plain/value:1", "plain/value:1"},
        {"a=b", "\"a=b\""},
        {"a\"b", "\"a\\\"b\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nlevel=error", "\"a\\nlevel=error\""},
        {"\r\t", "\"\\r\\t\""},
        {"\x1b[31m", "\"\\u001b[31m\""},
        {"\x7f", "\"\\u007f\""},
        {"\xc2\x9b", "\"\\u009b\""},
        {"\xe2\x80\xae", "\"\\u202e\""},
        {"\xe2\x80\xa8", "\"\\u2028\""},
        {"\xef\xbf\xbf", "\"\\uffff\""},
        {"é", "\"é\""},
        {"a\xff", "\"a\xef\xbf\xbd\""},
        {"a\xc3", "\"a\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[100];
        strbuf_clear(&taken);
        log_error(&plain, LOG_MSG("x"), LOG_C("v", rows[i].value));
        (void)snprintf(want, sizeof want, "level=error sub=core msg=x v=%s\n", rows[i].want);
        assert_str(after_stamp(), want);
        now += 100000;
    }
}

static void test_nul_is_a_character(void **state)
{
    (void)state;
    log_info(&plain, LOG_MSG("x"), LOG_S("v", STR("a\0b")), LOG_C("none", NULL));
    assert_str(after_stamp(), "level=info sub=core msg=x v=\"a\\u0000b\" none=\"\"\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_debug(&root, LOG_MSG("d1"));
    assert_int_equal(lines, 0);
    log_set_sub_level(LOG_SUB_mqtt, LOG_DEBUG);
    log_debug(&root, LOG_MSG("d2"));
    log_debug(&plain, LOG_MSG("d3"));
    log_trace(&root, LOG_MSG("t"));
    assert_int_equal(lines, 1);
    log_set_level(LOG_ERROR);
    log_warn(&root, LOG_MSG("w"));
    log_error(NULL, LOG_MSG("e"));
    assert_int_equal(lines, 2);
    assert_true(log_enabled(LOG_ERROR, &root));
    assert_false(log_enabled(LOG_WARN, &root));
}

static void test_fields_are_not_made_for_nothing(void **state)
{
    (void)state;
    int made = 0;
    log_debug(&root, LOG_MSG("d"), LOG_INT("n", ++made));
    assert_int_equal(made, 0);
}

static void test_bodies_only_at_trace(void **state)
{
    (void)state;
    log_info(&plain, LOG_MSG("b"), LOG_BODY("body", STR("dear diary")));
    assert_str(after_stamp(), "level=info sub=core msg=b body_bytes=10\n");
    strbuf_clear(&taken);
    log_set_level(LOG_TRACE);
    log_info(&plain, LOG_MSG("b"), LOG_BODY("body", STR("dear diary")));
    assert_str(after_stamp(), "level=info sub=core msg=b body=\"dear diary\"\n");
}

static void say(const struct log_ctx *ctx, int times)
{
    for (int i = 0; i < times; i++)
        log_warn(ctx, LOG_MSG("again"), LOG_INT("i", i));
}

static void test_repeats_are_held_back(void **state)
{
    (void)state;
    say(&root, LOG_BURST + 5);
    assert_int_equal(lines, LOG_BURST);
    say(&child, 1); // another context
    log_warn(&root, LOG_MSG("something else"));
    assert_int_equal(lines, LOG_BURST + 2);
    now += LOG_WINDOW * 1000 - 1;
    say(&root, 1);
    assert_int_equal(lines, LOG_BURST + 2);
    now += 1;
    strbuf_clear(&taken);
    say(&root, 2);
    assert_int_equal(lines, LOG_BURST + 4);
    assert_true(str_find_str(strbuf_view(&taken), STR("msg=again i=0 held_back=6\n")) > 0);
    assert_true(str_find_str(strbuf_view(&taken), STR("msg=again i=1\n")) > 0);
}

static void test_debug_is_not_held_back(void **state)
{
    (void)state;
    log_set_level(LOG_DEBUG);
    for (int i = 0; i < 100; i++)
        log_debug(&root, LOG_MSG("d"));
    assert_int_equal(lines, 100);
}

// More contexts than the table has room for: lines may come too often then, never too seldom.
static void test_many_contexts(void **state)
{
    (void)state;
    static struct log_ctx many[2000];
    for (size_t i = 0; i < COUNT(many); i++) {
        many[i].sub = LOG_SUB_core;
        say(&many[i], 2);
    }
    assert_int_equal(lines, 2 * COUNT(many));
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    static char value[10000];
    memset(value, 'v', sizeof value);
    log_info(&plain, LOG_MSG("x"), LOG_S("v", ((struct str){value, sizeof value})), LOG_INT("n", 1));
    struct str line = strbuf_view(&taken);
    assert_true(line.n < 2200);
    assert_true(str_ends(line, STR("v…\" n=1\n")));
}

// Fields that pass the line's bound are left out one by one; the line still ends as one.
static void test_long_lines_end_well(void **state)
{
    (void)state;
    static char value[2000];
    memset(value, '\x01', sizeof value);
    struct str v = {value, sizeof value};
    log_set_format(LOG_FORMAT_JSON);
    log_info(&plain, LOG_MSG("x"), LOG_S("a", v), LOG_S("b", v), LOG_INT("c", 1), LOG_S("d", v));
    struct str line = strbuf_view(&taken);
    assert_true(line.n < 16 * 1024);
    assert_true(str_ends(line, STR("\",\"c\":1}\n")));
    assert_int_equal(str_find_str(line, STR("\"b\":")), -1);
}

static void test_parses_names(void **state)
{
    (void)state;
    enum log_level l = LOG_ERROR;
    enum log_subsystem s = LOG_SUB_app;
    for (unsigned i = 0; i < LOG_LEVELS; i++) {
        assert_true(log_level_parse(str_c(log_level_name((enum log_level)i)), &l));
        assert_int_equal(l, i);
    }
    assert_false(log_level_parse(STR("loud"), &l));
    assert_false(log_level_parse(STR(""), &l));
    assert_int_equal(l, LOG_TRACE);
    assert_true(log_sub_parse(STR("mqtt"), &s));
    assert_int_equal(s, LOG_SUB_mqtt);
    assert_false(log_sub_parse(STR("mqt"), &s));
}

static void test_to_a_descriptor(void **state)
{
    (void)state;
    int ends[2];
    char got[300];
    assert_int_equal(pipe(ends), 0);
    log_to_fd(ends[1]);
    log_info(&plain, LOG_MSG("to fd"));
    ssize_t n = read(ends[0], got, sizeof got);
    assert_true(n > 0);
    assert_true(str_ends((struct str){got, (size_t)n}, STR("level=info sub=core msg=\"to fd\"\n")));
    (void)close(ends[0]);
    (void)close(ends[1]);
    log_info(&plain, LOG_MSG("nobody reads")); // goes nowhere, harms nobody
}

static void *speaker(void *arg)
{
    const struct log_ctx *ctx = arg;
    for (int i = 0; i < 500; i++) {
        log_debug(ctx, LOG_MSG("from a thread"), LOG_INT("i", i));
        log_set_sub_level(LOG_SUB_net, LOG_DEBUG);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct log_ctx ctx = {.sub = LOG_SUB_net, .key = "thread", .value = "t"};
    log_set_level(LOG_DEBUG);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, speaker, &ctx), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(lines, 2000);
    struct str rest = strbuf_view(&taken), line;
    while (str_cut(rest, '\n', &line, &rest))
        assert_true(str_starts(line, STR("ts=")) && str_find_str(line, STR("thread=t msg=\"from a thread\" i=")) > 0);
}

#define WITH_SINK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SINK(test_logfmt),
        WITH_SINK(test_json),
        WITH_SINK(test_values_are_quoted),
        WITH_SINK(test_nul_is_a_character),
        WITH_SINK(test_levels),
        WITH_SINK(test_fields_are_not_made_for_nothing),
        WITH_SINK(test_bodies_only_at_trace),
        WITH_SINK(test_repeats_are_held_back),
        WITH_SINK(test_debug_is_not_held_back),
        WITH_SINK(test_many_contexts),
        WITH_SINK(test_long_values_are_cut),
        WITH_SINK(test_long_lines_end_well),
        WITH_SINK(test_parses_names),
        WITH_SINK(test_to_a_descriptor),
        WITH_SINK(test_threads),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
