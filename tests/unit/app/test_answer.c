/* An answer as a terminal, a chat and a program get it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/answer.h"

#include <stdio.h>

static void fill(struct answer *a, bool wide)
{
    static const char *const narrow[] = {"name", "address", "state", NULL};
    static const char *const many[] = {"link", "state", "in", "out", NULL};
    answer_init(a);
    answer_table(a, wide ? "links" : "contacts", wide ? many : narrow);
    answer_row(a, (struct str[]){STR("lamp"), STR("lamp@b"), STR("grün"), STR("7")});
    answer_row(a, (struct str[]){STR("a-lamp"), STR("a@b"), STR("off"), STR("8")});
}

static void assert_written(void (*write)(const struct answer *a, struct strbuf *out), struct answer *a,
                           const char *text)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    write(a, &out);
    assert_string_equal(out.n ? out.p : "", text);
    strbuf_finish(&out);
    answer_finish(a);
}

static void text_is_aligned_by_characters(void **state)
{
    (void)state;
    struct answer a;
    fill(&a, true);
    assert_written(answer_text, &a, "link    state   in    out\nlamp    lamp@b  grün  7\na-lamp  a@b     off   8\n");
}

static void parts_are_set_apart(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", NULL};
    struct answer a;
    answer_init(&a);
    answer_say(&a, "%d things.", 2);
    answer_table(&a, "things", columns);
    answer_table(&a, "more", columns);
    answer_row(&a, (struct str[]){STR("x")});
    assert_written(answer_text, &a, "2 things.\n\nthings: none\n\nname\nx\n");
}

static void a_chat_gets_lines(void **state)
{
    (void)state;
    struct answer a;
    fill(&a, false);
    assert_written(answer_chat, &a, "lamp: lamp@b, grün\na-lamp: a@b, off\n");
}

static void many_columns_are_named_in_a_chat(void **state)
{
    (void)state;
    struct answer a;
    fill(&a, true);
    assert_written(answer_chat, &a, "lamp: state lamp@b, in grün, out 7\na-lamp: state a@b, in off, out 8\n");
}

static void several_tables_have_titles_in_a_chat(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", "what", NULL};
    struct answer a;
    answer_init(&a);
    answer_say(&a, "All is well.");
    answer_table(&a, "links", columns);
    answer_row(&a, (struct str[]){STR("main"), STR("up")});
    answer_table(&a, "adapters", columns);
    assert_written(answer_chat, &a, "All is well.\nlinks:\nmain: up\nadapters: none\n");
}

// Whatever the bound: whole rows, then how many more there are.
static void what_does_not_fit_in_a_chat_is_counted(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", "address", NULL};
    enum { ROWS = 100, ROW = sizeof "contact: contact@bridge" };
    struct answer a;
    answer_init(&a);
    answer_table(&a, "contacts", columns);
    for (int i = 0; i < ROWS; i++)
        answer_row(&a, (struct str[]){STR("contact"), STR("contact@bridge")});
    for (size_t max = 100; max < ROWS * ROW + 200; max++) {
        struct strbuf out;
        char end[64] = "";
        strbuf_init(&out, max);
        answer_chat(&a, &out);
        size_t rows = 0;
        for (; str_starts(str_sub(strbuf_view(&out), rows * ROW, out.n), STR("contact: contact@bridge\n"));)
            rows++;
        if (rows < ROWS)
            snprintf(end, sizeof end, "... and %zu more: narrow it with words\n", ROWS - rows);
        assert_string_equal(out.p + rows * ROW, end);
        assert_true(rows == ROWS || (rows + 1) * ROW + 64 > max);
        strbuf_finish(&out);
    }
    answer_finish(&a);
}

static void a_lone_empty_table_says_so(void **state)
{
    (void)state;
    static const char *const columns[] = {"name", NULL};
    struct answer a;
    answer_init(&a);
    answer_table(&a, "contacts", columns);
    assert_written(answer_chat, &a, "contacts: none\n");
}

static void a_program_gets_json(void **state)
{
    (void)state;
    struct answer a;
    fill(&a, false);
    answer_say(&a, "\"quoted\"");
    assert_written(
        answer_json, &a,
        "{\"text\":[\"\\\"quoted\\\"\"],\"contacts\":[{\"name\":\"lamp\",\"address\":\"lamp@b\",\"state\":\"grün\"},"
        "{\"name\":\"a-lamp\",\"address\":\"a@b\",\"state\":\"off\"}]}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_aligned_by_characters),
        cmocka_unit_test(parts_are_set_apart),
        cmocka_unit_test(a_chat_gets_lines),
        cmocka_unit_test(many_columns_are_named_in_a_chat),
        cmocka_unit_test(several_tables_have_titles_in_a_chat),
        cmocka_unit_test(what_does_not_fit_in_a_chat_is_counted),
        cmocka_unit_test(a_lone_empty_table_says_so),
        cmocka_unit_test(a_program_gets_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
