/* Any bytes as a moment, a duration or a number: what is read survives being written and read again. */
#include "base/clock.h"
#include "fuzz.h"

static void check_moment(struct arena *a, struct str s)
{
    int64_t wall, again;
    if (!clock_parse(s, &wall))
        return;
    bool year_fits =
        wall >= INT64_C(-62167219200000) && wall <= INT64_C(253402300799999); // an offset may lead out of 0000 to 9999
    FUZZ_CHECK(clock_parse(clock_format(a, wall), &again));
    FUZZ_CHECK(again == wall || !year_fits);
}

static void check_numbers(struct arena *a, struct str s)
{
    int64_t i, span;
    uint64_t u;
    double d;
    if (str_to_i64(s, &i))
        FUZZ_CHECK(str_to_double(s, &d) || s.n > STR_REAL_MAX);
    if (str_to_u64(s, &u) && u <= INT64_MAX)
        FUZZ_CHECK(str_to_i64(s, &i) && (uint64_t)i == u);
    if (clock_parse_span(s, &span)) {
        FUZZ_CHECK(span >= 0);
        (void)clock_span(a, span);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = fuzz_str(data, size), first, rest;
    struct arena a;
    arena_init(&a, 0);
    check_moment(&a, s);
    check_numbers(&a, s);
    if (str_cut(s, '\n', &first, &rest)) {
        size_t d = str_distance(first, rest, 5);
        FUZZ_CHECK(d <= 6 && d == str_distance(rest, first, 5));
    }
    arena_finish(&a);
    return 0;
}
