#include "lib/check.h"
#include "lib/styled.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/markdown.h"

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

static void check_rows(const struct row *rows, size_t count, const struct markdown_options *options)
{
    bool failed = false;
    for (size_t i = 0; i < count; i++) {
        struct str got = markdown_styled(&a, str_c(rows[i].source), options, NULL);
        if (str_eq_c(got, rows[i].want))
            continue;
        print_error("source: %s\n   got: " STR_FMT "\n  want: %s\n", rows[i].source, STR_ARG(got), rows[i].want);
        failed = true;
    }
    assert_false(failed);
}

static void test_spans(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"**b** *i* _i_ __b__ ~~s~~ ~s~", "*b* _i_ _i_ *b* ~s~ ~s~"},
        {"***both***", "_*both*_"},
        {"**bold _and_ more**", "*bold _and_ more*"},
        {"**a **b** c**", "*a b c*"},
        {"*a*text", "_a_text"},
        {"in**with**in", "inwithin"}, // no span can open within a word
        {"(**b**)", "(b)"},
        {"**2*3=6**", "2*3=6"}, // would close behind the 2
        {"**a\\*b**", "a*b"},
        {"*a `b_c` d*", "a `b_c` d"},
        {"2 * 3 * 4", "2 * 3 * 4"},
        {"\\*not bold\\*", WJ "*not bold*"},
        {"\\_a\\_ and *b*", WJ "_a_ and _b_"},
        {"snake_case_name", "snake_case_name"},
        {"`code *x*`", "`code *x*`"},
        {"run `ls` now", "run `ls` now"},
        {"(`ls *a b*`)", "(`ls " WJ "*a b*`)"},
        {"`` a`b ``", "a`b"},
        {"**`x`**", "*`x`*"},
        {"**a\nb**", "*a b*"},
        {"**a  \nb**", "*a*\n*b*"},
        {"a  \nb\\\nc", "a\nb\nc"},
        {"a\nb", "a b"},
        {"&eacute; &amp; &lt;b&gt; &#233; &#x20AC; &nosuch; &#0;", "é & <b> é € &nosuch; \xEF\xBF\xBD"},
        {"a&#x202E;b&#8;", "ab\xEF\xBF\xBD"},
        {":tada: **:fire:** 1:x: `:x:` :no: :x :x::x:", "🎉 *🔥* 1:x: `:x:` :no: :x ❌❌"},
        {"[:x:](https://e.org) https://e.org/:x:/", ":x: <https://e.org> https://e.org/:x:/"},
        {"a <b>bold</b> c<br>d<!-- no -->", "a bold c\nd"},
    };
    check_rows(rows, COUNT(rows), NULL);
    static const struct row lines[] = {{"a\nb", "a\nb"}, {"**a\nb**", "*a*\n*b*"}};
    check_rows(lines, COUNT(lines), &(struct markdown_options){.lines = true});
}

static void test_links(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[text](https://e.org/a_b)", "text <https://e.org/a_b>"},
        {"[https://e.org](https://e.org)", "https://e.org"},
        {"<https://e.org/x> https://e.org/_y_/z", "https://e.org/x https://e.org/_y_/z"},
        {"www.e.org a@e.org <b@e.org>", "www.e.org a@e.org b@e.org"},
        {"[](https://e.org)", "https://e.org"},
        {"[**b**](https://e.org)", "*b* <https://e.org>"},
        {"[a][1]\n\n[1]: https://e.org \"title\"", "a <https://e.org>"},
        {"[x](javascript:alert(1)) [y](/relative) [z](#top)", "x y z"},
        {"[x](<https://e.org/a b>)", "x <https://e.org/a%20b>"},
        {"[x](https://e.org/?a=1&amp;b=2)", "x <https://e.org/?a=1&b=2>"},
        {"![alt](https://e.org/i.png)", "alt <https://e.org/i.png>"},
        {"![](https://e.org/i.png)", "https://e.org/i.png"},
        {"[![badge](https://e.org/i.svg)](https://e.org/ci)", "badge <https://e.org/ci>"},
        {"[not a link] [x](", "[not a link] [x]("},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_images_are_told_of(void **state)
{
    (void)state;
    struct markdown_images images;
    (void)markdown_styled(
        &a, STR("![a **b**](https://e.org/1.png) ![](http://e.org/2) ![c](data:x) [![d](https://e.org/3)](/x)"), NULL,
        &images);
    assert_int_equal(images.n, 2);
    assert_str(images.at[0].url, "https://e.org/1.png");
    assert_str(images.at[0].alt, "a b");
    assert_str(images.at[1].url, "http://e.org/2");
    assert_str(images.at[1].alt, "");
    struct strbuf b;
    strbuf_init(&b, 10000);
    for (int i = 0; i < MARKDOWN_IMAGES + 3; i++)
        (void)strbuf_c(&b, "![x](http://e.org/x) ");
    (void)markdown_styled(&a, strbuf_view(&b), NULL, &images);
    assert_int_equal(images.n, MARKDOWN_IMAGES);
    strbuf_finish(&b);
    (void)markdown_styled(&a, STR(""), NULL, &images);
    assert_int_equal(images.n, 0);
}

static void test_blocks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a\n\nb\n\n\nc", "a\n\nb\n\nc"},
        {"# Head\ntext", "*Head*\ntext"},
        {"text\n## Head *it* `c`\n\nmore", "text\n\n*Head _it_ `c`*\nmore"},
        {"Head\n====", "*Head*"},
        {"# 2*3", "2*3"},
        {"#", ""},
        {"a\n\n***\n\nb", "a\n———\nb"},
        {"```c\nint *p;\n\n  x();\n```\nafter", "```c\nint *p;\n\n  x();\n```\nafter"},
        {"before\n\n    code\n    more", "before\n```\ncode\nmore\n```"},
        {"~~~\n```\nx\n~~~", "```\n" WJ "```\nx\n```"},
        {"````\n```\n````", "```\n" WJ "```\n```"},
        {"```\n```", "```\n\n```"},
        {"> quote\n> more", "> quote more"},
        {"> a\n>\n> b", "> a\n>\n> b"},
        {"> a\n\ntext", "> a\ntext"},
        {"text\n> a", "text\n> a"},
        {"> a\n\n> b", "> a\n\n> b"},
        {"> a\n> > b\n>\n> c", "> a\n> > b\n> c"},
        {"> ```\n> x\n> ```\n> y", "> ```\n> x\n> ```\n> y"},
        {"> # H\n> t", "> *H*\n> t"},
        {"\\> no quote", WJ "> no quote"},
        {"\\`\\`\\` no fence", WJ "``` no fence"},
        {"<div>\n<b>bold</b> &amp; <i>it</i>\n</div>", "bold & it"},
        {"<details><summary>More</summary>\n\ntext\n\n</details>", "More\n\ntext"},
        {"<!-- hidden -->\n\ntext", "text"},
        {"<script>\nalert(1)\n</script>\n\nx", "x"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"- a\n- b", "- a\n- b"},
        {"* a\n+ b", "- a\n- b"},
        {"text\n- a\n\nmore", "text\n- a\n\nmore"},
        {"3. a\n4. b", "3. a\n4. b"},
        {"1) a\n1) b", "1) a\n2) b"},
        {"- a\n  - b\n    - c\n  - d\n- e", "- a\n  - b\n    - c\n  - d\n- e"},
        {"1. a\n   - b\n2. c", "1. a\n   - b\n2. c"},
        {"- a\n\n- b", "- a\n- b"},
        {"- a\n\n  second\n- b", "- a\n\n  second\n- b"},
        {"- [ ] a\n- [x] b", "- [ ] a\n- [x] b"},
        {"- **a**\n- _b_ c", "- *a*\n- _b_ c"},
        {"- a  \n  b", "- a\n  b"},
        {"-\n- a", "- \n- a"},
        {"- ```\n  x\n  ```\n- b", "- \n```\nx\n```\n- b"},
        {"- a\n  ```\n  x\n  ```", "- a\n```\nx\n```"},
        {"> - a\n> - b", "> - a\n> - b"},
        {"- > a", "- > a"},
        {"- - a", "- - a"},
        {"- # h", "- *h*"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_tables(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"| a | bb |\n|---|---|\n| ccc | d |", "```\na   | bb\n----+---\nccc | d\n```"},
        {"a|b|c\n--:|:-:|:--\n1|22|3\n333|4444|5",
         "```\n  a |  b   | c\n----+------+--\n  1 |  22  | 3\n333 | 4444 | 5\n```"},
        {"x\n\n|**a**|`b`|\n|---|---|\n|[t](https://e.org)|é&amp;|\n\ny",
         "x\n```\na                 | b\n------------------+---\nt <https://e.org> | é&\n```\ny"},
        {"> |a|\n> |---|\n> |b|", "> ```\n> a\n> -\n> b\n> ```"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static struct str name_of(void *ctx, enum styling_ref kind, struct str id)
{
    (void)ctx;
    if (str_eq(id, STR("7")))
        return kind == STYLING_USER ? STR("ann_*x*") : kind == STYLING_GROUP ? STR("ops") : STR("general");
    return STR_NONE;
}

static void test_discord(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"__under__ **b** _i_ *i* ___x___", "_under_ *b* _i_ _i_ _x_"},
        {"snake__case a____b", "snake__case a____b"},
        {"`__init__` __a__", "`__init__` _a_"},
        {"```\n<@7> __x__\n```", "```\n<@7> __x__\n```"},
        {"||spoiler||", "||spoiler||"},
        {"<@7> <@!7> <@&7> <#7> <@8> <#9>", "@ann_*x* @ann_*x* @ops #general @8 #9"},
        {"<:smile_x:123> <a:wave:45> <:bad>", ":smile_x: 👋 <:bad>"},
        {"<t:1763713805> <t:1763713805:R> <t:x>", "2025-11-21 08:30 UTC 2025-11-21 08:30 UTC <t:x>"},
        {"<@x> <https://e.org> <b>", "<@x> https://e.org <b>"},
        {"a\nb", "a\nb"},
        {">>> a\nb\n\nc", "> a\n> b\n>\n> c"},
        {"|a|b|\n|---|---|", "|a|b|\n|---|---|"},
        {"\\<@7> \\__x", "<@7> __x"},
        {"`` ` <@7>", "`` ` @ann_*x*"},
    };
    check_rows(rows, COUNT(rows), &(struct markdown_options){.discord = true, .name = name_of});
    static const struct row no_names[] = {{"<@7>", "@7"}};
    check_rows(no_names, 1, &(struct markdown_options){.discord = true});
}

static void test_bounds(void **state)
{
    (void)state;
    struct markdown_options options = {.max = 100};
    struct strbuf b;
    strbuf_init(&b, 100000);
    for (int i = 0; i < 1000; i++)
        (void)strbuf_c(&b, "word **bold** ");
    struct str got = markdown_styled(&a, strbuf_view(&b), &options, NULL);
    assert_true(got.n <= 100 && str_starts(got, STR("word *bold* word")) && str_ends(got, STR(" […]")));
    strbuf_finish(&b);
    assert_str(markdown_styled(&a, STR("\xFF**a**\x01\xC3"), NULL, NULL), "\xEF\xBF\xBD"
                                                                          "a\xEF\xBF\xBD");
}

// More blocks within each other than are rendered: the source is shown as it is.
static void test_depth(void **state)
{
    (void)state;
    static const char *const marks[] = {"> ", "- ", "1. ", "> - "};
    static const unsigned depths[] = {4, 16, 70, 1000, 10000};
    for (size_t i = 0; i < COUNT(marks); i++)
        for (size_t j = 0; j < COUNT(depths); j++) {
            struct strbuf b;
            strbuf_init(&b, 100000);
            for (unsigned d = 0; d < depths[j]; d++)
                (void)strbuf_c(&b, marks[i]);
            (void)strbuf_c(&b, "**x**");
            bool rendered = depths[j] <= MARKDOWN_DEPTH / 2;
            struct str got = markdown_styled(&a, strbuf_view(&b), NULL, NULL);
            assert_true(str_ends(got, rendered ? STR(" *x*") : STR("**x**")));
            assert_true(rendered == (str_find_str(got, STR("**")) < 0));
            assert_true(rendered || styled_marks(got) == 0);
            strbuf_finish(&b);
        }
}

// A paragraph of thousands of lines with brackets would take long; lines alone and brackets alone do not.
static void test_brackets(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t count;
        bool rendered;
    } rows[] = {{"**b** [x]\n", 2000, true},
                {"**b** [x]\n", 4000, false},
                {"**b** [x]\n\n", 4000, true},
                {"**b** [x] ", 4000, true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct strbuf b;
        strbuf_init(&b, 64 * 1024);
        for (size_t n = 0; n < rows[i].count; n++)
            (void)strbuf_c(&b, rows[i].unit);
        struct str got = markdown_styled(&a, strbuf_view(&b), NULL, NULL);
        assert_true(str_starts(got, rows[i].rendered ? STR("*b* [x]") : STR(WJ "**b** [x]\n" WJ "**b**")));
        strbuf_finish(&b);
    }
}

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// What is known to make readers of Markdown slow or deep: each ends soon, within its bound, as clean text.
static void test_hostile_sources(void **state)
{
    (void)state;
    static const char *const units[] = {
        "*",
        "_",
        "~",
        "`",
        "[",
        "]",
        "![",
        "<",
        ">",
        "> ",
        "- ",
        "1. ",
        "#",
        "|",
        "&",
        "\\",
        "\n",
        "\t",
        "*a ",
        "_a_",
        "*a_ ",
        "a**b",
        "[a](",
        "[a](b",
        "[a](<b",
        "![[]()",
        "[]",
        "[x]:",
        "[x]: y\n",
        "[x]\n",
        "<a ",
        "<!--",
        "<?",
        "<![CDATA[",
        "<!A ",
        "</a",
        "`a``",
        "```\n",
        "~~~\n",
        "    a\n",
        "> - ",
        "- a\n",
        "\n\n",
        "|a",
        "|a\n",
        "|-",
        "&#0",
        "&a;",
        "http://",
        "www.a",
        "a@b.c ",
        "a@",
        "<https://e.org>",
        "\xFF",
        "\xC3",
        "é*",
        "||",
        "<@1>",
        "<t:1>",
        "__",
        ">>> ",
        "![a](http://e.org) ",
        "**a\n",
        "<script>",
        "<b>\n",
        "**a** ",
        "`a` ",
        "[a](http://e.org) ",
    };
    enum { SIZE = 1024 * 1024 };
    char *text = mem_alloc(SIZE);
    for (size_t i = 0; i < COUNT(units); i++) {
        size_t n = strlen(units[i]);
        for (size_t at = 0; at < SIZE; at++)
            text[at] = units[i][at % n];
        for (int dialect = 0; dialect < 2; dialect++) {
            struct markdown_images images;
            struct markdown_options options = {.discord = dialect};
            int64_t from = now_ms();
            struct str got = markdown_styled(&a, (struct str){text, SIZE}, &options, &images);
            int64_t took = now_ms() - from;
            if (took > 100)
                print_message("%d ms: %s\n", (int)took, units[i]);
            assert_true(took < 5000);
            assert_true(got.n <= 64 * 1024 && utf8_xml_valid(got));
            arena_reset(&a);
        }
    }
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_images_are_told_of),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_discord),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_brackets),
        cmocka_unit_test(test_hostile_sources),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
