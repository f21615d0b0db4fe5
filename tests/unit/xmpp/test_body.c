#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "xml/xml_writer.h"
#include "xmpp/body.h"

enum { MAX = 100 };

static size_t written(struct str text)
{
    struct strbuf b;
    struct xml_writer w;
    strbuf_init(&b, 100000);
    xml_begin(&w, &b);
    xml_leaf(&w, "b", text);
    assert_int_equal(xml_end(&w), ERR_OK);
    size_t n = b.n - strlen("<b></b>");
    strbuf_finish(&b);
    return n;
}

// For any length of any filling: within the bound when written, whole where it can be, and cut at a character.
static void test_every_length(void **state)
{
    (void)state;
    static const char *const fills[] = {"x",
                                        "<",
                                        ">",
                                        "&",
                                        "'",
                                        "\"",
                                        "\r",
                                        "\n",
                                        "\t",
                                        "\x01",
                                        "\xff",
                                        "\xc3\xa4",
                                        "\xf0\x9f\x98\x80",
                                        "\xef\xbf\xbf",
                                        "\xed\xa0\x80",
                                        "a<\xc3\xa4&"};
    struct arena a;
    arena_init(&a, 0);
    for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
        for (size_t count = 1; count < 150; count++) {
            char text[1000];
            size_t n = strlen(fills[f]);
            for (size_t i = 0; i < count; i++)
                memcpy(text + i * n, fills[f], n);
            struct str s = {text, n * count}, fit = body_fit(&a, s, MAX);
            assert_true(written(fit) <= MAX);
            if (written(s) <= MAX)
                assert_true(str_eq(fit, s));
            else
                assert_true(str_ends(fit, STR(" […]")));
            assert_true(utf8_valid(fit) || !utf8_valid(s));
            arena_reset(&a);
        }
    }
    arena_finish(&a);
}

static void test_cut_is_a_prefix(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text);
    struct arena a;
    arena_init(&a, 0);
    struct str fit = body_fit(&a, (struct str){text, sizeof text}, MAX);
    size_t kept = fit.n - STR(" […]").n;
    assert_in_range(kept, MAX - 10, MAX - 6);
    assert_memory_equal(fit.p, text, kept);
    arena_finish(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_cut_is_a_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
