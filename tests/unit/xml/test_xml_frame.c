/* The cutting of a stream into pieces: where each ends, in whatever portions it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "xml/xml_frame.h"

static const char letters[] = {
    [XML_PIECE_HEADER] = 'H', [XML_PIECE_STANZA] = 'S', [XML_PIECE_CLOSE] = 'C', [XML_PIECE_BAD] = 'B'};

// Cuts `input` fed in portions; the pieces as "H<...>\nS<...>\n". Stops at BAD, whose bytes are not shown.
static void cut(const char *input, size_t split, size_t portion, struct strbuf *out)
{
    struct xml_frame f;
    struct strbuf held;
    xml_frame_init(&f, 1000);
    strbuf_init(&held, 4096);
    size_t n = strlen(input);
    enum xml_piece piece = XML_PIECE_MORE;
    for (size_t at = 0; at < n && piece != XML_PIECE_BAD;) {
        size_t to = split > at ? split : at + portion;
        struct str rest = {input + at, (to < n ? to : n) - at};
        at += rest.n;
        while (rest.n && piece != XML_PIECE_BAD) {
            struct str part;
            piece = xml_frame_next(&f, &rest, &part);
            strbuf_str(&held, part);
            if (piece == XML_PIECE_MORE)
                continue;
            strbuf_char(out, letters[piece]);
            if (piece != XML_PIECE_BAD) {
                assert_int_equal(f.size, held.n);
                strbuf_str(out, strbuf_view(&held));
            }
            strbuf_char(out, '\n');
            strbuf_clear(&held);
        }
    }
    strbuf_finish(&held);
}

#define HEAD "<stream:stream to='a'>"

static const struct {
    const char *input, *pieces;
} cases[] = {
    {HEAD, "H" HEAD "\n"},
    {"<?xml version='1.0'?>\n " HEAD " \n", "H<?xml version='1.0'?>\n " HEAD "\n"},
    {HEAD "<a/><b></b> <c>t</c>", "H" HEAD "\nS<a/>\nS<b></b>\nS<c>t</c>\n"},
    {HEAD "<a><a><a/></a></a></stream:stream>", "H" HEAD "\nS<a><a><a/></a></a>\nC</stream:stream>\n"},
    {HEAD "<a b='/>' c=\"'>\"/><d e='\"'>/></d>", "H" HEAD "\nS<a b='/>' c=\"'>\"/>\nS<d e='\"'>/></d>\n"},
    {HEAD "<a b='/'>x</a>", "H" HEAD "\nS<a b='/'>x</a>\n"},
    {HEAD "<a / ><b/></a>", "H" HEAD "\nS<a / ><b/></a>\n"},
    {HEAD "<a><![CDATA[</a>]]]]></a>]>]]></a>", "H" HEAD "\nS<a><![CDATA[</a>]]]]></a>\nB\n"},
    {HEAD "<a><![CDATA[]]]></a>]] >]]></a >", "H" HEAD "\nS<a><![CDATA[]]]></a>\nB\n"},
    {HEAD "<a><![CDATA[<b>]] >]]></a><c/>", "H" HEAD "\nS<a><![CDATA[<b>]] >]]></a>\nS<c/>\n"},
    {HEAD "</stream:stream><anything> goes", "H" HEAD "\nC</stream:stream>\n"},
    // What XMPP forbids, and what is no stream.
    {"x", "B\n"},
    {"</a>", "B\n"},
    {"<a/>", "B\n"},
    {"<!DOCTYPE x []><a>", "B\n"},
    {"<!-- c --><a>", "B\n"},
    {"<?pi x?><a>", "B\n"},
    {"<?xml-stylesheet href='x'?><a>", "B\n"},
    {"<?xml version='1.0'?>x", "B\n"},
    {HEAD "text", "H" HEAD "\nB\n"},
    {HEAD "<!-- c -->", "H" HEAD "\nB\n"},
    {HEAD "<?pi?>", "H" HEAD "\nB\n"},
    {HEAD "<![CDATA[x]]>", "H" HEAD "\nB\n"},
    {HEAD "<a><!-- c --></a>", "H" HEAD "\nB\n"},
    {HEAD "<a><?pi?></a>", "H" HEAD "\nB\n"},
    {HEAD "<a><![CDATX[x]]></a>", "H" HEAD "\nB\n"},
    {HEAD "<a <b/>", "H" HEAD "\nB\n"},
};

static void pieces_end_where_they_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i].input);
        for (size_t split = 0; split <= n; split++) {
            struct strbuf out;
            strbuf_init(&out, 4096);
            cut(cases[i].input, split, split ? n : 1, &out);
            assert_string_equal(out.p, cases[i].pieces);
            strbuf_finish(&out);
        }
    }
}

static void bad_stays_bad(void **state)
{
    (void)state;
    struct xml_frame f;
    xml_frame_init(&f, 10);
    struct str rest = STR("x<stream>");
    struct str part;
    assert_int_equal(xml_frame_next(&f, &rest, &part), XML_PIECE_BAD);
    assert_int_equal(xml_frame_next(&f, &rest, &part), XML_PIECE_BAD);
    assert_int_equal(rest.n, 0);
}

// head, and attrs within the bound.
static void the_head_is_measured(void **state)
{
    (void)state;
    static const struct {
        const char *stanza;
        size_t bound, head, attrs;
    } heads[] = {
        {"<m a='1' b='2'><c d='3'/></m>", 1000, 15, 14},
        {"<m a='1' b='2'><c d='3'/></m>", 13, 15, 8},
        {"<m a='1' b='2'><c d='3'/></m>", 14, 15, 14},
        {"<m a='1' b='2'/>", 5, 16, 0},
        {"<m><c d='3'/></m>", 1000, 3, 0},
        {"<m a='1'/>", 1000, 10, 8},
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct xml_frame f;
        struct str part, rest = STR("<s>");
        xml_frame_init(&f, heads[i].bound);
        assert_int_equal(xml_frame_next(&f, &rest, &part), XML_PIECE_HEADER);
        for (const char *p = heads[i].stanza; *p; p++) {
            rest = (struct str){p, 1};
            assert_int_equal(xml_frame_next(&f, &rest, &part), p[1] ? XML_PIECE_MORE : XML_PIECE_STANZA);
        }
        assert_int_equal(f.size, strlen(heads[i].stanza));
        assert_int_equal(f.head, heads[i].head);
        assert_int_equal(f.attrs, heads[i].attrs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_end_where_they_end),
        cmocka_unit_test(bad_stays_bad),
        cmocka_unit_test(the_head_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
