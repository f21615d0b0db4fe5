/* The writer: what it escapes, repairs and takes back; and that our own reader reads back what it wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/utf8.h"
#include "xml/xml_reader.h"
#include "xml/xml_writer.h"

#define FFFD "\xEF\xBF\xBD"

static const struct {
    const char *bytes, *text, *attr;
} escapes[] = {
    {"plain", "plain", "plain"},
    {"", "", ""},
    {"a<b>&c", "a&lt;b&gt;&amp;c", "a&lt;b&gt;&amp;c"},
    {"it's \"it\"", "it's \"it\"", "it&apos;s &quot;it&quot;"},
    {"a\tb\nc\rd", "a\tb\nc&#13;d", "a&#9;b&#10;c&#13;d"},
    {"]]>", "]]&gt;", "]]&gt;"},
    {"\x01\x02\x1F\x7F", FFFD FFFD FFFD "\x7F", FFFD FFFD FFFD "\x7F"},
    {"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80",
     "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"},
    {"\xFFx\xC3", FFFD "x" FFFD, FFFD "x" FFFD},
    {"\xEF\xBF\xBF|\xEF\xBF\xBE", FFFD "|" FFFD, FFFD "|" FFFD},
    {"\xC0\x80", FFFD FFFD, FFFD FFFD},
};

static void each_byte_finds_its_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
        struct strbuf out, expected;
        struct xml_writer w;
        strbuf_init(&out, 1000);
        strbuf_init(&expected, 1000);
        xml_begin(&w, &out);
        xml_open(&w, "a");
        xml_put_attr_c(&w, "b", escapes[i].bytes);
        xml_text(&w, str_c(escapes[i].bytes));
        xml_shut(&w);
        assert_int_equal(xml_end(&w), ERR_OK);
        if (*escapes[i].bytes)
            strbuf_printf(&expected, "<a b='%s'>%s</a>", escapes[i].attr, escapes[i].text);
        else
            strbuf_c(&expected, "<a b=''/>");
        assert_string_equal(out.p, expected.p);
        strbuf_clear(&out);
        strbuf_c(&out, "");
        xml_escape(&out, str_c(escapes[i].bytes));
        assert_string_equal(out.p ? out.p : "", escapes[i].attr);
        strbuf_finish(&out);
        strbuf_finish(&expected);
    }
}

static void a_nul_is_repaired_too(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 100);
    xml_escape(&out, (struct str){"a\0b", 3});
    assert_string_equal(out.p, "a" FFFD "b");
    strbuf_finish(&out);
}

static void elements_nest(void **state)
{
    (void)state;
    struct strbuf out;
    struct xml_writer w;
    strbuf_init(&out, 1000);
    strbuf_c(&out, "before");
    xml_begin(&w, &out);
    xml_open(&w, "iq");
    xml_put_attr(&w, "to", STR("a@b"));
    xml_put_attr_c(&w, "id", NULL);
    xml_open_ns(&w, "query", "urn:q");
    xml_leaf(&w, "name", STR("x"));
    xml_leaf(&w, "none", STR_NONE);
    xml_open(&w, "empty");
    xml_shut(&w);
    xml_text(&w, STR("tail"));
    xml_shut(&w);
    xml_shut(&w);
    assert_int_equal(xml_end(&w), ERR_OK);
    assert_string_equal(out.p,
                        "before<iq to='a@b'><query xmlns='urn:q'><name>x</name><none/><empty/>tail</query></iq>");
    strbuf_finish(&out);
}

static enum err write_body(struct strbuf *out, struct str body)
{
    struct xml_writer w;
    xml_begin(&w, out);
    xml_open(&w, "message");
    xml_put_attr_c(&w, "to", "a@b");
    xml_leaf(&w, "body", body);
    xml_leaf(&w, "thread", STR("t"));
    xml_shut(&w);
    return xml_end(&w);
}

static void what_is_too_large_is_taken_back(void **state)
{
    (void)state;
    static const size_t framing = sizeof "<message to='a@b'><body></body><thread>t</thread></message>" - 1;
    struct strbuf out;
    strbuf_init(&out, 1 << 20);
    strbuf_c(&out, "<kept/>");
    char *body = mem_alloc(XML_STANZA_MAX * 2);
    memset(body, 'x', XML_STANZA_MAX * 2);

    assert_int_equal(write_body(&out, (struct str){body, XML_STANZA_MAX * 2}), ERR_LIMIT);
    assert_string_equal(out.p, "<kept/>");
    assert_int_equal(write_body(&out, (struct str){body, XML_STANZA_MAX - framing + 1}), ERR_LIMIT);
    assert_string_equal(out.p, "<kept/>");
    assert_int_equal(write_body(&out, (struct str){body, XML_STANZA_MAX - framing}), ERR_OK);
    assert_int_equal(out.n, 7 + XML_STANZA_MAX);

    memset(body, '&', XML_STANZA_MAX * 2); // grows fivefold
    strbuf_truncate(&out, 7);
    assert_int_equal(write_body(&out, (struct str){body, XML_STANZA_MAX / 4}), ERR_LIMIT);
    assert_string_equal(out.p, "<kept/>");
    mem_free(body);
    strbuf_finish(&out);
}

static void the_bound_of_the_buffer_holds(void **state)
{
    (void)state;
    size_t whole = sizeof "<message to='a@b'><body>hello</body><thread>t</thread></message>" - 1;
    for (size_t max = 1; max <= whole + 3; max++) {
        struct strbuf out;
        strbuf_init(&out, max);
        bool fits = max >= whole + 1;
        strbuf_c(&out, "x");
        assert_int_equal(write_body(&out, STR("hello")), fits ? ERR_OK : ERR_LIMIT);
        assert_int_equal(out.n, fits ? whole + 1 : 1);
        assert_false(out.full);
        strbuf_finish(&out);
    }
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (unsigned depth = XML_WRITER_DEPTH; depth <= XML_WRITER_DEPTH + 2; depth++) {
        struct strbuf out;
        struct xml_writer w;
        strbuf_init(&out, 10000);
        xml_begin(&w, &out);
        for (unsigned i = 0; i < depth; i++)
            xml_open(&w, "a");
        xml_put_attr_c(&w, "b", "c");
        for (unsigned i = 0; i < depth; i++)
            xml_shut(&w);
        assert_int_equal(xml_end(&w), depth > XML_WRITER_DEPTH ? ERR_LIMIT : ERR_OK);
        assert_int_equal(out.n > 0, depth <= XML_WRITER_DEPTH);
        strbuf_finish(&out);
    }
}

/* Any bytes: the stanza stays one stanza, and its text is what utf8_repair() makes of them. */

struct round {
    struct str bytes;
    unsigned stanzas;
};

static void round_open(void *ud, const struct xml_node *root)
{
    (void)ud;
    (void)root;
}

static void round_stanza(void *ud, const struct xml_node *n)
{
    struct round *r = ud;
    struct arena a;
    arena_init(&a, 0);
    struct str expected = utf8_repair(&a, r->bytes);
    assert_true(str_eq(xml_attr(n, "id"), expected));
    assert_true(str_eq(n->text, expected));
    assert_null(n->first);
    r->stanzas++;
    arena_finish(&a);
}

static void round_close(void *ud)
{
    (void)ud;
    fail();
}

static void any_bytes_come_back_repaired(void **state)
{
    (void)state;
    static const struct xml_reader_events ev = {round_open, round_stanza, round_stanza, round_close};
    static const char likely[] =
        "<>&'\"/]![-?\r\n\t \0\x01\x7F\x80\xC3\xA9\xED\xA0\x80\xEF\xBF\xBE\xF0\x9F\x98\x80\xFF;#x";
    struct round r = {STR_NONE, 0};
    struct xml_reader *reader = xml_reader_create(NULL, &ev, &r);
    assert_int_equal(xml_reader_feed(reader, STR("<stream>"), NULL), ERR_OK);
    struct rng rng;
    rng_init(&rng, 1);
    for (unsigned i = 0; i < 20000; i++) {
        char bytes[24];
        struct strbuf out;
        struct xml_writer w;
        r.bytes = (struct str){bytes, rng_below(&rng, sizeof bytes)};
        for (size_t k = 0; k < r.bytes.n; k++)
            bytes[k] = likely[rng_below(&rng, sizeof likely - 1)];
        strbuf_init(&out, 10000);
        xml_begin(&w, &out);
        xml_open(&w, "m");
        xml_put_attr(&w, "id", r.bytes);
        xml_text(&w, r.bytes);
        xml_shut(&w);
        assert_int_equal(xml_end(&w), ERR_OK);
        assert_int_equal(xml_reader_feed(reader, strbuf_view(&out), NULL), ERR_OK);
        assert_int_equal(r.stanzas, i + 1);
        strbuf_finish(&out);
    }
    xml_reader_destroy(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_finds_its_form),
        cmocka_unit_test(a_nul_is_repaired_too),
        cmocka_unit_test(elements_nest),
        cmocka_unit_test(what_is_too_large_is_taken_back),
        cmocka_unit_test(the_bound_of_the_buffer_holds),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(any_bytes_come_back_repaired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
