#include "lib/check.h"

#include "base/clock.h"
#include "base/rng.h"

#include <time.h>

static struct arena a;

static int setup(void **state)
{
    (void)state;
    arena_init(&a, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_finish(&a);
    return 0;
}

static void test_clocks_go_on(void **state)
{
    (void)state;
    int64_t before = clock_mono();
    assert_true(before >= 0);
    assert_true(clock_mono() >= before);
    assert_true(clock_wall() / 1000 - (int64_t)time(NULL) <= 1);
    assert_true(clock_wall() > INT64_C(1700000000000));
}

static void test_formats(void **state)
{
    (void)state;
    static const struct {
        int64_t wall;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00Z"},
        {INT64_C(1795249800250), "2026-11-21T08:30:00.250Z"},
        {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0000-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(clock_format(&a, rows[i].wall), rows[i].text);
}

static void test_parses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t wall;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2026-11-21T08:30:00.25Z", INT64_C(1795249800250)},
        {"2026-11-21T08:30:00.2509999999Z", INT64_C(1795249800250)},
        {"2026-11-21T09:30:00.250+01:00", INT64_C(1795249800250)},
        {"2026-11-21T03:00:00.250-05:30", INT64_C(1795249800250)},
        {"2026-11-21t08:30:00.250z", INT64_C(1795249800250)},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000)},
        {"1998-12-31T23:59:60Z", INT64_C(915148800000)},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t wall = 7;
        assert_true(clock_parse(str_c(rows[i].text), &wall));
        assert_true(wall == rows[i].wall);
    }
}

static void test_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T08:30:00",
        "2026-11-21T08:30Z",
        "2026-11-21 08:30:00Z",
        "2026-1-21T08:30:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-04-00T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T08:60:00Z",
        "2026-11-21T08:30:61Z",
        "2026-11-21T08:30:00.Z",
        "2026-11-21T08:30:00ZZ",
        "2026-11-21T08:30:00+0100",
        "2026-11-21T08:30:00+24:00",
        "2026-11-21T08:30:00+01:60",
        "2026-11-21T08:30:00+01:0",
        " 2026-11-21T08:30:00Z",
        "-026-11-21T08:30:00Z",
        "20260-11-21T08:30:00Z",
    };
    int64_t wall = 7;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(clock_parse(str_c(bad[i]), &wall));
    assert_false(clock_parse(STR("2026-11-21\0"
                                 "08:30:00Z"),
                             &wall));
    assert_int_equal(wall, 7);
    struct str whole = STR("2026-11-21T08:30:00.250+01:00");
    for (size_t n = 0; n < whole.n; n++)
        assert_false(clock_parse(str_sub(whole, 0, n), &wall));
}

// Every day of 400 years, and random moments: what is formatted is read back, and the C library agrees.
static void test_round_trip(void **state)
{
    (void)state;
    struct rng r;
    rng_init(&r, 3);
    for (int64_t day = -146097; day < 146097; day += 1) {
        int64_t wall = day * 86400000 + (int64_t)rng_below(&r, 86400000), back;
        time_t seconds = (time_t)(wall - (wall % 1000 + 1000) % 1000) / 1000;
        char want[CLOCK_TEXT], text[CLOCK_TEXT];
        struct tm tm;
        assert_true(strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm)) == 19);
        struct str got = clock_put(text, wall);
        assert_memory_equal(got.p, want, 19);
        assert_true(clock_parse(got, &back) && back == wall);
    }
}

static void test_spans_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{-5, "0 s"},
                {0, "0 s"},
                {1, "1 ms"},
                {999, "999 ms"},
                {1000, "1 s"},
                {59999, "59 s"},
                {60000, "1 min"},
                {3599999, "59 min"},
                {3600000, "1 h"},
                {86400000, "1 d"},
                {INT64_C(8640000000), "100 d"}};
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_str(clock_span(&a, rows[i].ms), rows[i].text);
}

static void test_spans_of_the_configuration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0s", 0},
                {"250ms", 250},
                {"10s", 10000},
                {"5m", 300000},
                {"2h", 7200000},
                {"7d", 604800000},
                {"9223372036854775807ms", INT64_MAX}};
    static const char *const bad[] = {"",
                                      "10",
                                      "s",
                                      "-1s",
                                      "1.5h",
                                      "10 s",
                                      "10S",
                                      "1w",
                                      "1sec",
                                      "1s1s",
                                      "9223372036854775807s",
                                      "99999999999999999999ms",
                                      "+1s"};
    int64_t ms = 0;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_true(clock_parse_span(str_c(good[i].text), &ms));
        assert_true(ms == good[i].ms);
    }
    ms = 7;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(clock_parse_span(str_c(bad[i]), &ms));
    assert_int_equal(ms, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_go_on),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_parses),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_spans_for_people),
        cmocka_unit_test(test_spans_of_the_configuration),
    };
    return cmocka_run_group_tests_name("clock", tests, setup, teardown);
}
