#include "lib/check.h"
#include "lib/styled.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/slack_markup.h"

#include <time.h>

#define WJ "\xE2\x81\xA0"

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

struct row {
    const char *source, *want;
};

static void check_rows(const struct row *rows, size_t count, const struct slack_markup_options *options)
{
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        struct str got = slack_markup_styled(&a, str_c(rows[i].source), options);
        if (str_eq_c(got, rows[i].want))
            continue;
        print_error("source: %s\n   got: " STR_FMT "\n  want: %s\n", rows[i].source, STR_ARG(got), rows[i].want);
        failed = true;
    }
    assert_false(failed);
}

static void test_references(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"see <https://e.org/a_b|the page>.", "see the page <https://e.org/a_b>."},
        {"<https://e.org/?a=1&amp;b=2>", "https://e.org/?a=1&b=2"},
        {"<https://e.org|https://e.org> <https://e.org|e.org>", "https://e.org e.org"},
        {"<mailto:a@e.org|a@e.org> <mailto:a@e.org> <mailto:a@e.org|Ann>", "a@e.org a@e.org Ann <mailto:a@e.org>"},
        {"<https://e.org|a &amp; b>", "a & b <https://e.org>"},
        {"<javascript:alert(1)|x> <javascript:alert(1)>", "x <javascript:alert(1)>"},
        {"<!here> <!channel> <!everyone> <!here|here>", "@here @channel @everyone here"},
        {"<!subteam^S1|@ops> <!subteam^S1|ops> <!subteam^S1>", "@ops @ops @S1"},
        {"<!date^1763713805^{date}|Nov 21> <!date^1763713805^{date}^https://e.org> <!date^x^y>",
         "Nov 21 2025-11-21 08:30 UTC @date"},
        {"<@U123|ann> <@U123> <#C1|dev> <#C1>", "@ann @U123 #dev #C1"},
        {"a < b, <b>, <>, <|x>, <!>, <!^x>, <", "a < b, <b>, <>, x, <!>, , <"},
        {"a <<https://e.org>> b", "a <https://e.org> b"},
        {"<https://e.org\n>", "<https://e.org\n> "},
        {"&lt;b&gt; &amp;amp; &quot; &", "<b> &amp; &quot; &"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static struct str name_of(void *ctx, enum styling_ref kind, struct str id)
{
    assert_ptr_equal(ctx, &a);
    if (str_eq(id, STR("U1")))
        return kind == STYLING_USER ? STR("ann") : STR("?");
    return str_eq(id, STR("C1")) && kind == STYLING_CHANNEL ? STR("dev")
           : str_eq(id, STR("S1")) && kind == STYLING_GROUP ? STR("ops")
                                                            : STR_NONE;
}

static void test_names(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<@U1> <#C1> <!subteam^S1> <@U2> <@U1|bob>", "@ann #dev @ops @U2 @bob"},
    };
    check_rows(rows, COUNT(rows), &(struct slack_markup_options){.name = name_of, .name_ctx = &a});
}

static void test_spans(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"*b* _i_ ~s~ `c`", "*b* _i_ ~s~ `c`"},
        {"*b _i_ b* *_both_*", "*b _i_ b* *_both_*"},
        {"*a _b* c_", "*a " WJ "_b* c_"},
        {"(*b*), \"*b*\"", "(*b*), \"*b*\""}, // no span in the XEP, and read as one by people
        {"a*b*c snake_case_name 2 * 3 * 4", "a*b*c snake_case_name 2 * 3 * 4"},
        {"*not closed", "*not closed"},
        {"*a\nb*", "*a\nb*"},
        {"* a*", "* a*"},
        {"*a *b*", "a " WJ "*b"},
        {"*2*3*", "2*3"},
        {"*<https://e.org/x|t>*", "*t <https://e.org/x>*"},
        {"*<https://e.org/*|t>*", "t <https://e.org/*>"},
        {"*`x`* `*x*`", "*`x`* `*x*`"},
        {"`a &lt; b` `&amp;`", "`a < b` `&`"},
        {"` `` ``` not closed", "` " WJ "`` " WJ "``` not closed"},
        {"`a\nb`", "`a\nb`"},
        {"**", "**"},
        {"*:fire:*", "*🔥*"},
        {"*Alert:* _disk_ is full", "*Alert:* _disk_ is full"},
    };
    check_rows(rows, COUNT(rows), NULL);
    static const struct row plain[] = {
        {"*b* `c` > d", WJ "*b* " WJ "`c` > d"},
        {"> q\n<@U1> &amp; :fire:", WJ "> q\n@U1 & 🔥"},
        {"```x```", WJ "```x```"},
    };
    check_rows(plain, COUNT(plain), &(struct slack_markup_options){.plain = true});
}

static void test_blocks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a\nb\n\nc", "a\nb\n\nc"},
        {"```x *y*\n&lt;z&gt; <@U1>```", "```\nx *y*\n<z> <@U1>\n```"},
        {"see ```x``` there\nnext", "see \n```\nx\n```\nthere\nnext"},
        {"```\nx\n```\nnext", "```\nx\n```\nnext"},
        {"```a\n\n> b```", "```\na\n\n> b\n```"},
        {"```not closed\n*b*", WJ "```not closed\n*b*"},
        {"``````", WJ "``````"},
        {"&gt; quote *b*\nplain", "> quote *b*\nplain"},
        {"> quote\n>also", "> quote\n> also"},
        {"&gt;&gt;&gt; a\nb", "> a\n> b"},
        {"> ```x\ny``` z", "> ```\n> x\n> y\n> ```\n> z"},
        {"a &gt; b", "a > b"},
        {"*a ```x\ny``` b*", "a \n```\nx\ny\n```\nb"},
        {"```a\n&gt; ```", "```\na\n> \n```"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_emoji(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {":fire: :white_check_mark: :warning: :+1: :x:", "🔥 ✅ ⚠️ 👍 ❌"},
        {":unknown: 12:30:45 :: : :fire", ":unknown: 12:30:45 :: : :fire"},
        {"`:fire:`", "`:fire:`"},
        {":fire::rocket:", "🔥🚀"},
    };
    check_rows(rows, COUNT(rows), NULL);
    // sorted: the first and the last, and each common one is found
    static const char *const codes[] = {"+1",       "zap", "rotating_light", "large_green_circle", "tada",
                                        "no_entry", "bell"};
    for (size_t i = 0; i < COUNT(codes); i++)
        assert_true(slack_markup_emoji(str_c(codes[i])).n > 0);
    assert_true(str_empty(slack_markup_emoji(STR(""))));
    assert_true(str_empty(slack_markup_emoji(STR("fir"))));
}

static void test_bounds(void **state)
{
    (void)state;
    struct slack_markup_options options = {.max = 100};
    struct strbuf b;
    strbuf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        (void)strbuf_c(&b, "word *bold* ");
    struct str got = slack_markup_styled(&a, strbuf_view(&b), &options);
    assert_true(got.n <= 100 && str_starts(got, STR("word *bold* word")) && str_ends(got, STR(" […]")));
    strbuf_finish(&b);
    assert_str(slack_markup_styled(&a, STR("\xFF\x01x\r\ny"), NULL), "\xEF\xBF\xBDx\ny");
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_hostile_sources(void **state)
{
    (void)state;
    static const char *const units[] = {
        "*",        "_",
        "~",        "`",
        "``",       "```",
        "<",        ">",
        "<>",       "<@",
        "<a|",      "<@U>",
        "&",        "&gt;",
        "&gt;\n",   ":",
        ":fire:",   "*a ",
        "*a",       "a*",
        " *a* ",    "*a _b ~c ",
        "*a_b~",    "`a ",
        "```a\n",   "<!date^1^x|",
        "\n",       "> \n",
        "*\n",      "\xFF",
        "\xC3",     "é*",
        "*a _b_ *", "<https://e.org|*a> ",
    };
    enum { SIZE = 1024 * 1024 };
    char *text = mem_alloc(SIZE);
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t n = strlen(units[i]);
        for (size_t at = 0; at < SIZE; at++)
            text[at] = units[i][at % n];
        int64_t from = now_ms();
        struct str got = slack_markup_styled(&a, (struct str){text, SIZE}, NULL);
        int64_t took = now_ms() - from;
        if (took > 40)
            print_message("%d ms: %s\n", (int)took, units[i]);
        assert_true(took < 2000);
        assert_true(got.n <= 64 * 1024 && utf8_xml_valid(got));
        arena_reset(&a);
    }
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references),      cmocka_unit_test(test_names), cmocka_unit_test(test_spans),
        cmocka_unit_test(test_blocks),          cmocka_unit_test(test_emoji), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_hostile_sources),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
