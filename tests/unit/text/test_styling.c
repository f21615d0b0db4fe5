#include "lib/check.h"
#include "lib/styled.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/styling.h"

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

// The reader of the tests is itself held to the examples of the XEP.
static void test_examples_of_the_xep(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read;
    } rows[] = {
        {"plain span", "plain span"},
        {"*strong span*", "{b}strong span{/}"},
        {"plain _emphasis_ plain", "plain {i}emphasis{/} plain"},
        {"`pre` plain *strong*", "{c}pre{/} plain {b}strong{/}"},
        {"*strong* plain*", "{b}strong{/} plain*"},
        {"* plain *strong*", "* plain {b}strong{/}"},
        {"not strong*", "not strong*"},
        {"*not strong", "*not strong"},
        {"*not \n strong*", "*not \n strong*"},
        {"**", "**"},
        {"Everyone ~dis~likes cake.", "Everyone {s}dis{/}likes cake."},
        {"This is *`monospace and bold`*", "This is {b}{c}monospace and bold{/}{/}"},
        {"`*monospace*`", "{c}*monospace*{/}"},
        {"```ignored\n(println)\n```\nThis", "{pre}(println){/}\nThis"},
        {"> ```\n> (println)\n> rest\nThis", "{q}{pre}(println)\nrest{/}{/}\nThis"},
        {">> That\n> Said\nWho?", "{q}{q}That{/}\nSaid{/}\nWho?"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct styled r = styled_read(str_c(rows[i].text));
        assert_str(strbuf_view(&r.out), rows[i].read);
        strbuf_finish(&r.out);
    }
}

static void test_escapes_what_would_be_styled_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text, *escaped; // NULL: stays
    } rows[] = {
        {"", NULL},
        {"plain", NULL},
        {"a*b*c", NULL},
        {"snake_case_name", NULL},
        {"_private", NULL},
        {"* item\n* item", NULL},
        {"2 * 3 * 4", NULL},
        {"*not closed *", NULL},
        {"**", NULL},
        {"/etc/*.conf and *.c", NULL},
        {"x > y", NULL},
        {" > y", NULL},
        {"a ```b```", "a " WJ "```b```"},
        {"*b*", WJ "*b*"},
        {"a *b* c", "a " WJ "*b* c"},
        {"a\t_b_", "a\t" WJ "_b_"},
        {"a\xC2\xA0~b~", "a\xC2\xA0" WJ "~b~"},
        {"`x`", WJ "`x`"},
        {"*a *b*", WJ "*a " WJ "*b*"},
        {"*_x_", "*" WJ "_x_"},
        {"*_x_*", WJ "*_x_*"},
        {"> q", WJ "> q"},
        {">q\nb\n>c", WJ ">q\nb\n" WJ ">c"},
        {"```", WJ "```"},
        {"a\n```\nb *c*\n```\n", "a\n" WJ "```\nb " WJ "*c*\n" WJ "```\n"},
        {"````", WJ "````"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = str_c(rows[i].text), got = styling_escape(&a, text);
        assert_str(got, rows[i].escaped ? rows[i].escaped : rows[i].text);
        assert_int_equal(styled_marks(got), 0);
        if (!rows[i].escaped)
            assert_ptr_equal(got.p, text.p);
    }
}

// Each row: what the author wrote, a value, what the author wrote behind it, what becomes of them.
static void test_values_within_a_text(void **state)
{
    (void)state;
    static const struct {
        const char *before, *value, *after, *want;
    } rows[] = {
        {"", "*x", "*", WJ "*x*"},
        {"a", "*x*", "", "a*x*"},
        {"a ", "*x*", "", "a " WJ "*x*"},
        {"*", "x", "*", "*x*"},
        {"*", "_x_", "*", "*" WJ "_x_*"},
        {"*", "* x", "*", "** x*"},
        {"(", "*x*", ")", "(*x*)"},
        {"", ">x", "", WJ ">x"},
        {"> ", ">x", "", "> " WJ ">x"},
        {">", ">x", "", ">" WJ ">x"},
        {">  ", ">x", "", ">  >x"},
        {"> ", "a\nb", "\nc", "> a\n> b\nc"},
        {">> ", "a\n> b", "", ">> a\n> > " WJ "> b"},
        {"```\n", "*x* > y\n> z", "\n```", "```\n*x* > y\n> z\n```"},
        {"```\n", "a\n```\nb", "\n```", "```\na\n" WJ "```\nb\n```"},
        {"```\n", "```", "\n```", "```\n" WJ "```\n```"},
        {"```\n", "`", "``\n", "```\n" WJ "```\n"},
        {"```\nx\n```\n", "*y*", "", "```\nx\n```\n" WJ "*y*"},
        {"```\nx\n```y\n", "*y*", "", "```\nx\n```y\n*y*"},
        {"> ```\n> ", "a\n```\nb *c*", "\nd", "> ```\n> a\n> " WJ "```\n> b *c*\nd"},
        {"> ```\n", "*y*", "", "> ```\n" WJ "*y*"},
        {"``", "`", "", "``" WJ "`"},
        {"", "a\x01z", "", "az"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct styling s = {0};
        struct strbuf b;
        strbuf_init(&b, 1000);
        (void)strbuf_c(&b, rows[i].before);
        assert_true(styling_value(&s, &b, str_c(rows[i].value)));
        (void)strbuf_c(&b, rows[i].after);
        assert_str(strbuf_view(&b), rows[i].want);
        strbuf_finish(&b);
    }
}

static void test_a_value_that_does_not_fit_ends_at_a_character(void **state)
{
    (void)state;
    struct styling s = {0};
    struct strbuf b;
    strbuf_init(&b, 4);
    assert_false(styling_value(&s, &b, STR("aéé")));
    assert_str(strbuf_view(&b), "aé");
    strbuf_finish(&b);
}

static void test_cleans(void **state)
{
    (void)state;
    static const struct {
        const char *text, *clean; // NULL: stays
    } rows[] = {
        {"", NULL},
        {"a\tb\nc é 😀", NULL},
        {"\xD7\xA9\xE2\x80\x8F ok \xE2\x80\x8D", NULL}, // marks and joiners
        {"a\r\nb\rc\r", "a\nb\nc\n"},
        {"a\xC2\x85"
         "b\xE2\x80\xA8"
         "c\xE2\x80\xA9",
         "a\nb\nc\n"},
        {"\x01\x08x\x7F\xC2\x9F", "x"},
        {"a\xFFz\xC3", "a\xEF\xBF\xBDz\xEF\xBF\xBD"},
        {"\xEF\xBF\xBE.", "\xEF\xBF\xBD."},
        {"\xEF\xBB\xBFx", "x"},
        {"\033[1;31mred\033[0m\033[K", "red"},
        {"\033]0;title\007x\033]8;;u\033\\y", "xy"},
        {"\033]0;title\nx", "0;title\nx"},
        {"\033[\033[3", ""},
        {"a\xE2\x80\xAE"
         "b\xE2\x80\xAC",
         "ab"},
        {"\xE2\x81\xA7x\xE2\x81\xA9", NULL},
        {"\xE2\x81\xA7x\ny", "\xE2\x81\xA7x\xE2\x81\xA9\ny"},
        {"x\xE2\x81\xA9", "x"},
        {"\xE2\x81\xA6\xE2\x81\xA8x", "\xE2\x81\xA6\xE2\x81\xA8x\xE2\x81\xA9\xE2\x81\xA9"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str got = styling_clean(&a, str_c(rows[i].text));
        assert_str(got, rows[i].clean ? rows[i].clean : rows[i].text);
        assert_true(utf8_xml_valid(got));
    }
    assert_str(styling_clean(&a, (struct str){"a\0b", 3}), "ab");
}

typedef bool add_fn(struct styling *s, struct strbuf *out, struct str text);

static void check_added(add_fn *add, const char *before, const char *text, const char *want)
{
    struct styling s = {0};
    struct strbuf b;
    strbuf_init(&b, 1000);
    (void)strbuf_c(&b, before);
    assert_true(add(&s, &b, str_c(text)));
    assert_str(strbuf_view(&b), want);
    strbuf_finish(&b);
    strbuf_init(&b, strlen(want) - 1);
    s = (struct styling){0};
    (void)strbuf_c(&b, before);
    assert_false(add(&s, &b, str_c(text)));
    strbuf_finish(&b);
}

static void test_code(void **state)
{
    (void)state;
    check_added(styling_code, "", "a *b*", "`a *b*`");
    check_added(styling_code, "run ", " ls\t", "run `ls`");
    check_added(styling_code, "*", "x", "*`x`");
    check_added(styling_code, "(", "a *b*", "(`a " WJ "*b*`");
    check_added(styling_code, "", "a`b", "```\na`b\n```\n");
    check_added(styling_code, "see ", "a\n```\n> b\n", "see \n```\na\n" WJ "```\n> b\n```\n");
    check_added(styling_code, "> see ", "a\nb", "> see \n> ```\n> a\n> b\n> ```\n> ");
    check_added(styling_code, "> ", "a\nb", "> ```\n> a\n> b\n> ```\n> ");
    check_added(styling_code, "```\n", "a\n```", "```\na\n" WJ "```");
    struct styling s = {0};
    struct strbuf b;
    strbuf_init(&b, 100);
    assert_true(styling_code(&s, &b, STR("  ")));
    assert_int_equal(b.n, 0);
    strbuf_finish(&b);
}

static void test_blocks_and_quotations(void **state)
{
    (void)state;
    struct styling s = {0};
    struct strbuf b;
    strbuf_init(&b, 1000);
    assert_true(styling_block(&s, &b, STR("json {x}"), STR("{}\n\n")));
    assert_true(styling_block(&s, &b, STR("`"), STR("")));
    assert_true(styling_value(&s, &b, STR("*x*")));
    assert_str(strbuf_view(&b), "```json\n{}\n```\n```\n\n```\n" WJ "*x*");
    strbuf_finish(&b);
    check_added(styling_quote, "", "a\n> *b*", "> a\n> " WJ "> " WJ "*b*\n");
    check_added(styling_quote, "x", "a", "x\n> a\n");
    check_added(styling_quote, "> ", "a\nb", "> > a\n> > b\n> ");
    check_added(styling_quote, "```\n", "a", "```\na");
}

static void test_cuts(void **state)
{
    (void)state;
    struct str text = STR("0123456789012345678901234567890123456789");
    assert_ptr_equal(styling_cut(&a, text, 40).p, text.p);
    struct str cut = styling_cut(&a, text, 32);
    assert_true(cut.n <= 32 && str_starts(cut, STR("0123456789")) && str_ends(cut, STR("0 […]")));
    cut = styling_cut(&a, STR("éééééééééééééééééééé"), 33);
    assert_true(cut.n <= 33 && utf8_valid(cut));
    cut = styling_cut(&a, STR("```\n0123456789012345678901234567890123456789\n```"), 40);
    assert_true(cut.n <= 40);
    assert_true(str_ends(cut, STR("\n```\n[…]")));
    struct styled r = styled_read(cut);
    assert_true(str_ends(strbuf_view(&r.out), STR("{/}\n[…]")));
    strbuf_finish(&r.out);
}

// Characters that matter, in every order of four: nothing is styled, and nothing but joiners is added.
static void test_every_short_text_is_plain_when_escaped(void **state)
{
    (void)state;
    static const char letters[] = "*_`>a \n";
    char text[6];
    for (size_t code = 0; code < 7 * 7 * 7 * 7 * 7 * 7; code++) {
        size_t rest = code;
        for (size_t i = 0; i < sizeof text; i++, rest /= 7)
            text[i] = letters[rest % 7];
        struct str s = {text, sizeof text}, got = styling_escape(&a, s);
        if (styled_marks(got) != 0)
            fail_msg("\"" STR_FMT "\" is styled", STR_ARG(got));
        size_t joiners = 0;
        for (size_t i = 0; i < got.n; i++)
            joiners += got.p[i] == '\xE2';
        assert_int_equal(got.n, s.n + 3 * joiners);
        assert_true(joiners == 0 || styled_marks(s) != 0 || joiners <= 3);
        arena_reset(&a);
    }
}

static void test_a_megabyte_of_one_character(void **state)
{
    (void)state;
    enum { SIZE = 1024 * 1024 };
    static const char letters[] = "*`>_\n\xFF\033";
    char *text = mem_alloc(SIZE);
    for (size_t i = 0; letters[i]; i++) {
        for (size_t j = 0; j < SIZE; j++)
            text[j] = j % 2 && i > 4 ? ']' : letters[i];
        struct str got = styling_escape(&a, (struct str){text, SIZE});
        assert_true(got.n <= 4 * SIZE && utf8_xml_valid(got));
        arena_reset(&a);
    }
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_xep),
        cmocka_unit_test(test_escapes_what_would_be_styled_and_nothing_else),
        cmocka_unit_test(test_values_within_a_text),
        cmocka_unit_test(test_a_value_that_does_not_fit_ends_at_a_character),
        cmocka_unit_test(test_cleans),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_blocks_and_quotations),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_every_short_text_is_plain_when_escaped),
        cmocka_unit_test(test_a_megabyte_of_one_character),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
