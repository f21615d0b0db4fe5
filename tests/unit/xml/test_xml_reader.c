/* The stream reader: trees, bounds and what ends a stream, in whatever portions the bytes come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "xml/xml_reader.h"

#define NS "xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'"
#define HEAD "<?xml version='1.0'?><stream:stream " NS " id='7'>"
#define OPEN "open 7\n"

struct seen {
    struct strbuf log;
    struct xml_reader *reader;
    unsigned stop_after; // stanzas; 0: never
    unsigned stanzas;
};

static void dump(struct strbuf *out, const struct xml_node *n)
{
    strbuf_c(out, "<");
    if (!str_eq_c(n->ns, "jabber:component:accept"))
        strbuf_printf(out, "{" STR_FMT "}", STR_ARG(n->ns));
    strbuf_str(out, n->name);
    for (const struct xml_attr *a = n->attrs; a; a = a->next)
        strbuf_printf(out, a->ns.n ? " {" STR_FMT "}" STR_FMT "=" STR_FMT : " " STR_FMT STR_FMT "=" STR_FMT,
                      STR_ARG(a->ns), STR_ARG(a->name), STR_ARG(a->value));
    strbuf_c(out, ">");
    strbuf_str(out, n->text);
    for (const struct xml_node *c = n->first; c; c = c->next) {
        assert_ptr_equal(c->parent, n);
        assert_true(c->next || n->last == c);
        dump(out, c);
    }
    strbuf_c(out, ";");
}

static void on_open(void *ud, const struct xml_node *root)
{
    struct seen *s = ud;
    assert_true(xml_is(root, "http://etherx.jabber.org/streams", "stream"));
    strbuf_printf(&s->log, "open " STR_FMT "\n", STR_ARG(xml_attr(root, "id")));
}

static void on_stanza(void *ud, const struct xml_node *stanza)
{
    struct seen *s = ud;
    assert_null(stanza->parent);
    dump(&s->log, stanza);
    strbuf_char(&s->log, '\n');
    if (++s->stanzas == s->stop_after)
        xml_reader_stop(s->reader);
}

static void on_oversize(void *ud, const struct xml_node *head)
{
    struct seen *s = ud;
    assert_null(head->first);
    assert_int_equal(head->text.n, 0);
    strbuf_c(&s->log, "over ");
    dump(&s->log, head);
    strbuf_char(&s->log, '\n');
}

static void on_close(void *ud)
{
    struct seen *s = ud;
    strbuf_c(&s->log, "close\n");
}

static const struct xml_reader_events events = {on_open, on_stanza, on_oversize, on_close};

static void begin(struct seen *s, const struct xml_limits *limits)
{
    *s = (struct seen){0};
    strbuf_init(&s->log, 1 << 20);
    strbuf_c(&s->log, "");
    s->reader = xml_reader_create(limits, &events, s);
}

static void finish(struct seen *s)
{
    xml_reader_destroy(s->reader);
    strbuf_finish(&s->log);
}

// Feeds [0, split) at once and the rest in portions; adds "error\n" where the stream is refused.
static void feed(struct seen *s, const char *input, size_t split, size_t portion)
{
    size_t n = strlen(input);
    enum err e = ERR_OK;
    struct errmsg msg;
    for (size_t at = 0; at < n && !e;) {
        size_t to = split > at ? split : at + portion;
        struct str bytes = {input + at, (to < n ? to : n) - at};
        at += bytes.n;
        e = xml_reader_feed(s->reader, bytes, &msg);
    }
    if (e) {
        assert_int_equal(e, ERR_PROTO);
        assert_int_equal(xml_reader_feed(s->reader, STR(" "), NULL), ERR_PROTO);
        strbuf_c(&s->log, "error\n");
    }
}

static void check(const struct xml_limits *limits, const char *input, const char *expected)
{
    size_t n = strlen(input);
    for (size_t split = 0; split <= n; split++) {
        struct seen s;
        begin(&s, limits);
        feed(&s, input, split, split ? n : 1);
        assert_string_equal(s.log.p ? s.log.p : "", expected);
        finish(&s);
    }
}

struct sample {
    const char *input, *log;
};

static const struct sample trees[] = {
    {HEAD, OPEN},
    {"\n" HEAD " \t\r\n", OPEN},
    {HEAD "<handshake/>", OPEN "<handshake>;\n"},
    {HEAD " \n<message from='a@b/c' to='d' xml:lang='en'><body>hi &lt;you&gt; "
          "&#x263A;</body></message>\n</stream:stream> x<y",
     OPEN
     "<message from=a@b/c to=d {http://www.w3.org/XML/1998/namespace}lang=en><body>hi <you> \xE2\x98\xBA;;\nclose\n"},
    {HEAD "<iq type='get'><query xmlns='q'><x:item xmlns:x='urn:x' x:a='1' a='2'/></query></iq>",
     OPEN "<iq type=get><{q}query><{urn:x}item {urn:x}a=1 a=2>;;;\n"},
    {HEAD "<a>one<b>two</b>three<c/>four</a>", OPEN "<a>onethreefour<b>two;<c>;;\n"},
    {HEAD "<a><![CDATA[<b>&amp;]]>&amp;</a>", OPEN "<a><b>&amp;&;\n"},
    {HEAD "<a b='&quot;&apos;&#10;' c=\">'\"/>", OPEN "<a b=\"'\n c=>'>;\n"},
    {HEAD "<a b=''/>", OPEN "<a b=>;\n"},
    {HEAD "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>",
     OPEN "<{http://etherx.jabber.org/streams}error><{urn:ietf:params:xml:ns:xmpp-streams}host-unknown>;;\nclose\n"},
    {"<stream:stream " NS " id=''><a/>", "open \n<a>;\n"},
    {HEAD "<a>r\r\nn\rt</a>", OPEN "<a>r\nn\nt;\n"},
};

static void trees_are_built(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++)
        check(NULL, trees[i].input, trees[i].log);
}

static const struct sample refused[] = {
    {"<!DOCTYPE s [<!ENTITY e 'x'>]>" HEAD, "error\n"},
    {"<!-- c -->" HEAD, "error\n"},
    {"hello", "error\n"},
    {"<stream:stream " NS "/>", "error\n"},
    {"<stream:stream to='x'>", "error\n"}, // unbound prefix
    {" <?xml version='1.0'?><?xml version='1.0'?><a>", "error\n"},
    {HEAD "<a>&e;</a>", OPEN "error\n"},
    {HEAD "<a><!-- c --></a>", OPEN "error\n"},
    {HEAD "<a/><?pi?>", OPEN "<a>;\nerror\n"},
    {HEAD "<a></b>", OPEN "error\n"},
    {HEAD "<a b='1' b='2'/>", OPEN "error\n"},
    {HEAD "<a b='<'/>", OPEN "error\n"},
    {HEAD "<a b=1/>", OPEN "error\n"},
    {HEAD "<x:a/>", OPEN "error\n"},
    {HEAD "<a>\x01</a>", OPEN "error\n"},
    {HEAD "<a>&#1;</a>", OPEN "error\n"},
    {HEAD "<a>\xFF</a>", OPEN "error\n"},
    {HEAD "<a>\xEF\xBF\xBF</a>", OPEN "error\n"},
    {HEAD "<a>]]></a>", OPEN "error\n"},
    {HEAD "<a xmlns='\x01'/>", OPEN "error\n"},
    // A character cut short by the end of the piece: expat would wait for more.
    {HEAD "<b/><i\xF1/>", OPEN "<b>;\nerror\n"},
    {HEAD "<b/><a></a\xF1>", OPEN "<b>;\nerror\n"},
    {HEAD "<b/></stream:stream\xF1>", OPEN "<b>;\nerror\n"},
    {"<stream:stream " NS " \xF1>", "error\n"},
    {HEAD "<>x</>", OPEN "error\n"},
    {HEAD "</stream:other>", OPEN "error\n"},
    {HEAD "stray", OPEN "error\n"},
};

static void what_xmpp_forbids_ends_the_stream(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check(NULL, refused[i].input, refused[i].log);
}

static const struct xml_limits small = {.stanza_bytes = 120, .depth = 3, .attrs = 3, .nodes = 5};

#define FILL "0123456789012345678901234567890123456789012345678901234567890123456789"

static const struct sample oversized[] = {
    // At each bound, and just beyond it; the stream goes on.
    {HEAD "<a x='1' y='2' z='3'/><b/>", OPEN "<a x=1 y=2 z=3>;\n<b>;\n"},
    {HEAD "<a w='0' x='1' y='2' z='3'/><b/>", OPEN "over <a w=0 x=1 y=2>;\n<b>;\n"},
    {HEAD "<a i='1'><b w='0' x='1' y='2' z='3'/></a><b/>", OPEN "over <a i=1>;\n<b>;\n"},
    {HEAD "<a><b><c/></b></a><b/>", OPEN "<a><b><c>;;;\n<b>;\n"},
    {HEAD "<a i='1'><b><c><d>x<e/>y</d></c></b></a><b/>", OPEN "over <a i=1>;\n<b>;\n"},
    {HEAD "<a><b/><b/><b/><b/></a><b/>", OPEN "<a><b>;<b>;<b>;<b>;;\n<b>;\n"},
    {HEAD "<a i='1'><b/><b/><b/><b/><b/></a><b/>", OPEN "over <a i=1>;\n<b>;\n"},
    {HEAD "<a i='1'>" FILL FILL "</a><b/>", OPEN "over <a i=1>;\n<b>;\n"},
    {HEAD "<a i='1' j='" FILL FILL "'><c/></a><b/>", OPEN "over <a i=1>;\n<b>;\n"},
    {HEAD "<a i='1' j='" FILL FILL "' k='2'/><b/>", OPEN "over <a i=1>;\n<b>;\n"},
    {HEAD "<a x:i='1' j='" FILL FILL "' xmlns:x='q'/><b/>", OPEN "over <{}>;\n<b>;\n"},
    {HEAD "<b/><a\xF1>" FILL FILL "</a><b/>", OPEN "<b>;\nover <{}>;\n<b>;\n"},
    {HEAD "<a j='" FILL FILL "'/><b/>", OPEN "over <{}>;\n<b>;\n"},
    {HEAD "<a i='1'><![CDATA[" FILL "</a>" FILL "]]></a><b/></stream:stream>", OPEN "over <a i=1>;\n<b>;\nclose\n"},
    {HEAD "<a xmlns='q' i='1'>" FILL FILL "</a></stream:stream>", OPEN "over <{q}a i=1>;\nclose\n"},
};

static void a_stanza_beyond_a_bound_is_skipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof oversized / sizeof *oversized; i++)
        check(&small, oversized[i].input, oversized[i].log);
}

static void a_header_beyond_a_bound_is_refused(void **state)
{
    (void)state;
    check(&small, "<stream:stream " NS " a='1' b='2' c='3' d='4'>", "error\n");
    for (int portion = 1; portion <= 100000; portion *= 100000) {
        struct seen s;
        struct strbuf head;
        begin(&s, NULL);
        strbuf_init(&head, 100000);
        strbuf_c(&head, "<stream:stream a='");
        while (strbuf_c(&head, FILL))
            ;
        feed(&s, head.p, 0, (size_t)portion);
        assert_string_equal(s.log.p, "error\n");
        assert_true(xml_reader_memory(s.reader) < 300000);
        strbuf_finish(&head);
        finish(&s);
    }
}

static void stop_ignores_the_rest(void **state)
{
    (void)state;
    struct seen s;
    begin(&s, NULL);
    s.stop_after = 1;
    feed(&s, HEAD "<a/><b/></stream:stream>", 0, 1000);
    feed(&s, "not even <<xml", 0, 1000);
    assert_string_equal(s.log.p, OPEN "<a>;\n");
    finish(&s);
}

static void slices_are_c_strings(void *ud, const struct xml_node *n)
{
    (void)ud;
    assert_int_equal(strlen(n->name.p), n->name.n);
    assert_int_equal(strlen(n->ns.p), n->ns.n);
    assert_int_equal(strlen(n->text.p), n->text.n);
    assert_int_equal(strlen(n->attrs->value.p), n->attrs->value.n);
}

static void text_is_terminated(void **state)
{
    (void)state;
    static const struct xml_reader_events ev = {on_open, slices_are_c_strings, on_oversize, on_close};
    struct seen s;
    begin(&s, NULL);
    xml_reader_destroy(s.reader);
    s.reader = xml_reader_create(NULL, &ev, &s);
    feed(&s, HEAD "<a b='c'>0123456789012345678901234567890</a><a b='&lt;'>01234567890123456789012345678901&lt;</a>", 0,
         1);
    finish(&s);
}

// Each line end and each reference is a piece of text of its own for expat; joining them must not be quadratic in
// memory.
static void text_in_many_pieces_is_joined(void **state)
{
    (void)state;
    struct seen s;
    begin(&s, NULL);
    feed(&s, HEAD "<a>", 0, 1000);
    for (int i = 0; i < 20000; i++)
        feed(&s, "&lt;\n", 0, 5);
    feed(&s, "</a>", 0, 4);
    assert_int_equal(s.log.n, strlen(OPEN "<a>;\n") + 40000);
    assert_true(xml_reader_memory(s.reader) < 600000);
    finish(&s);
}

static void the_parser_is_renewed(void **state)
{
    (void)state;
    struct seen s;
    begin(&s, NULL);
    feed(&s, HEAD, 0, 1000);
    size_t fed = 0;
    for (int i = 0; fed < (size_t)3 << 20; i++) {
        struct strbuf b;
        strbuf_init(&b, 1000);
        strbuf_printf(&b, "<m%d a='%d'>" FILL FILL FILL FILL FILL FILL FILL "</m%d>", i, i, i);
        fed += b.n;
        strbuf_clear(&s.log);
        feed(&s, b.p, 0, 1000);
        strbuf_clear(&b);
        strbuf_printf(&b, "<m%d a=%d>", i, i);
        assert_memory_equal(s.log.p, b.p, b.n);
        strbuf_finish(&b);
    }
    strbuf_clear(&s.log);
    feed(&s, "</stream:stream>", 0, 1000);
    assert_string_equal(s.log.p, "close\n");
    assert_true(xml_reader_memory(s.reader) < 100000);
    finish(&s);
}

// One attribute of 4 MiB in portions of one byte: passed over in constant memory and linear time.
static void a_dripping_token_is_passed_over(void **state)
{
    (void)state;
    struct seen s;
    begin(&s, NULL);
    feed(&s, HEAD "<a i='1' j='", 0, 1000);
    for (int i = 0; i < (4 << 20); i++)
        assert_int_equal(xml_reader_feed(s.reader, STR("x"), NULL), ERR_OK);
    assert_true(xml_reader_memory(s.reader) < 600000);
    feed(&s, "'/><b/>", 0, 1);
    assert_string_equal(s.log.p, OPEN "over <a i=1>;\n<b>;\n");
    finish(&s);
}

static void a_depth_bomb_is_passed_over(void **state)
{
    (void)state;
    struct seen s;
    begin(&s, NULL);
    feed(&s, HEAD, 0, 1000);
    for (int i = 0; i < 100000; i++)
        feed(&s, "<a>", 0, 3);
    for (int i = 0; i < 100000; i++)
        feed(&s, "</a>", 0, 4);
    feed(&s, "<b/>", 0, 4);
    assert_string_equal(s.log.p, OPEN "over <a>;\n<b>;\n");
    finish(&s);
}

static void destroy_takes_null(void **state)
{
    (void)state;
    xml_reader_destroy(NULL);
}

/* xml_node.h */

static void look_ups(void **state)
{
    (void)state;
    struct xml_attr lang = {STR("ns"), STR("id"), STR("wrong"), NULL};
    struct xml_attr id = {STR(""), STR("id"), STR("7"), NULL};
    lang.next = &id;
    struct xml_node second = {.ns = STR("q"), .name = STR("b"), .text = STR("two")};
    struct xml_node first = {.ns = STR("q"), .name = STR("b"), .text = STR("one"), .next = &second};
    struct xml_node other = {.ns = STR("r"), .name = STR("b"), .next = &first};
    struct xml_node top = {.ns = STR("q"), .name = STR("a"), .attrs = &lang, .first = &other, .last = &second};

    assert_true(xml_is(&top, "q", "a"));
    assert_false(xml_is(&top, "q", "b"));
    assert_false(xml_is(&top, "r", "a"));
    assert_false(xml_is(NULL, "q", "a"));
    assert_true(str_eq_c(xml_attr(&top, "id"), "7"));
    assert_true(xml_has_attr(&top, "id"));
    assert_false(xml_has_attr(&top, "to"));
    assert_false(xml_has_attr(NULL, "id"));
    assert_int_equal(xml_attr(&top, "to").n, 0);
    assert_int_equal(xml_attr(NULL, "to").n, 0);
    assert_ptr_equal(xml_child(&top, "q", "b"), &first);
    assert_null(xml_child(&top, "q", "c"));
    assert_null(xml_child(NULL, "q", "b"));
    assert_string_equal(xml_child_text(&top, "q", "b").p, "one");
    assert_string_equal(xml_child_text(&top, "r", "b").p, "");
    assert_string_equal(xml_child_text(&top, "x", "b").p, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_built),
        cmocka_unit_test(what_xmpp_forbids_ends_the_stream),
        cmocka_unit_test(a_stanza_beyond_a_bound_is_skipped),
        cmocka_unit_test(a_header_beyond_a_bound_is_refused),
        cmocka_unit_test(stop_ignores_the_rest),
        cmocka_unit_test(text_is_terminated),
        cmocka_unit_test(text_in_many_pieces_is_joined),
        cmocka_unit_test(the_parser_is_renewed),
        cmocka_unit_test(a_dripping_token_is_passed_over),
        cmocka_unit_test(a_depth_bomb_is_passed_over),
        cmocka_unit_test(destroy_takes_null),
        cmocka_unit_test(look_ups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
