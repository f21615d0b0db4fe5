#include "lib/check.h"
#include "lib/styled.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/json.h"
#include "text/mustache.h"

#include <time.h>

#define WJ "\xE2\x81\xA0"

// A context for most rows. Keys in sorted order where it matters.
static const char payload[] =
    "{\"t\":true,\"f\":false,\"nil\":null,\"s\":\"text\",\"e\":\"\",\"zero\":0,\"n\":85,\"r\":1.21,\"amp\":\"& "
    "\\\"<>\","
    "\"star\":\"*bold*\",\"o\":{\"k\":\"v\",\"t\":\"inner\",\"l\":[{\"m\":\"deep\"}]},\"none\":[],\"empty\":{},"
    "\"l\":[1,2.5,\"x\"],\"lo\":[{\"i\":1},{\"i\":2},{\"j\":3}],\"ll\":[[1,2],[3]],\"lines\":\"<\\n->\","
    "\"a\":{\"b\":{\"c\":\"abc\"}},\"b\":{\"c\":\"other\"},\"long\":\"  Some  Long\\tText äö  \",\"url\":\"a b/ü?&~\","
    "\"sha\":\"0123456789abcdef\",\"at\":\"2026-11-21T08:30:05.250Z\",\"unix\":1763713805,\"ms\":1763713805250,"
    "\"multi\":\"x\\ny\",\"labels\":{\"alertname\":\"Down\",\"n\":1},"
    "\"tree\":{\"k\":\"a\",\"l\":[{\"k\":\"b\",\"l\":[{\"k\":\"c\",\"l\":[]},{\"k\":\"d\",\"l\":[]}]}]}}";

struct row {
    const char *source, *want;
};

static bool escape_html(void *ctx, struct strbuf *out, struct str value)
{
    bool ok = true;
    (void)ctx;
    for (size_t i = 0; i < value.n; i++)
        ok = (value.p[i] == '&'   ? strbuf_c(out, "&amp;")
              : value.p[i] == '<' ? strbuf_c(out, "&lt;")
              : value.p[i] == '>' ? strbuf_c(out, "&gt;")
                                  : strbuf_char(out, value.p[i])) &&
             ok;
    return ok;
}

static struct mustache *compiled(const char *source)
{
    struct errmsg msg = {""};
    struct mustache *m = mustache_compile(str_c(source), NULL, &msg);
    if (!m)
        fail_msg("%s: %s", source, msg.text);
    return m;
}

static void check_rows(const struct row *rows, size_t count, const struct mustache_env *env)
{
    struct errmsg msg = {""};
    json_t *context = json_read(STR(payload), sizeof payload, &msg);
    assert_non_null(context);
    for (size_t i = 0; i < count; i++) {
        struct strbuf b;
        struct mustache *m = compiled(rows[i].source);
        strbuf_init(&b, 10000);
        assert_int_equal(mustache_render(m, context, env, &b, &msg), ERR_OK);
        if (!str_eq_c(strbuf_view(&b), rows[i].want))
            print_error("template %s\n", rows[i].source);
        assert_str(strbuf_view(&b), rows[i].want);
        strbuf_finish(&b);
        mustache_destroy(m);
    }
    json_decref(context);
}

static void test_interpolation(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"plain } text {", "plain } text {"},
        {"a {{s}} b", "a text b"},
        {"{{amp}}", "&amp; \"&lt;&gt;"},
        {"{{{amp}}} {{&amp}}", "& \"<> & \"<>"},
        {"{{n}} {{r}} {{zero}} {{t}} {{f}}", "85 1.21 0 true false"},
        {"[{{nil}}{{absent}}{{o.absent}}{{s.k}}]", "[]"},
        {"{{o.k}} {{{a.b.c}}} {{&b.c}}", "v abc other"},
        {"{{ s }}{{{ s }}}{{& s }}{{\ts\n}}", "texttexttexttext"},
        {"  {{s}}\n {{{s}}} \n", "  text\n text \n"},
        {"{{o}} {{l}}", "{\"k\":\"v\",\"t\":\"inner\",\"l\":[{\"m\":\"deep\"}]} [1,2.5,\"x\"]"},
        {"{{l.0}} {{l.2}} {{o.l.0.m}} {{l.3}}{{l.-1}}{{l.x}}", "1 x deep "},
        {"{{{s}}}}", "text}"},
    };
    check_rows(rows, COUNT(rows), &(struct mustache_env){.escape = escape_html});
}

static void test_sections(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{#t}}yes{{/t}}{{#f}}no{{/f}}{{#nil}}no{{/nil}}{{#absent}}no{{/absent}}", "yes"},
        {"{{#e}}no{{/e}}{{#none}}no{{/none}}{{#zero}}zero {{/zero}}{{#empty}}empty{{/empty}}", "zero empty"},
        {"{{#o}}{{k}}{{t}}{{s}}{{/o}}", "vinnertext"},
        {"{{#l}}({{.}}){{/l}}", "(1)(2.5)(x)"},
        {"{{#lo}}{{i}},{{/lo}}", "1,2,,"},
        {"{{#ll}}[{{#.}}{{.}}{{/.}}]{{/ll}}", "[12][3]"},
        {"{{#s}}<{{.}}>{{/s}}", "<text>"},
        {"{{#a.b}}{{c}}{{/a.b}}{{#a.x}}no{{/a.x}}", "abc"},
        {"{{#a}}{{b.c}}{{/a}} {{#o}}{{b.c}}{{/o}}", "abc other"},
        {"{{#t}}a{{#t}}b{{/t}}c{{/t}}{{#t}}d{{/t}}", "abcd"},
        {"{{# t }}x{{/ t }}", "x"},
        {"{{^f}}a{{/f}}{{^nil}}b{{/nil}}{{^none}}c{{/none}}{{^absent}}d{{/absent}}{{^a.x}}e{{/a.x}}{{^e}}f{{/e}}",
         "abcdef"},
        {"{{^t}}no{{/t}}{{^o}}no{{/o}}{{^l}}no{{/l}}{{^zero}}no{{/zero}}", ""},
        {"{{#f}}{{#t}}no{{/t}}{{/f}}{{^f}}{{#t}}yes{{/t}}{{/f}}", "yes"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_white_space(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a\n{{#t}}\nb\n{{/t}}\nc\n", "a\nb\nc\n"},
        {"a\n  {{#t}}\t\nb\n {{/t}} \nc", "a\nb\nc"},
        {"{{#t}}\r\nb\r\n{{/t}}\r\nc", "b\r\nc"},
        {"{{#t}}\nb\n{{/t}}", "b\n"},
        {" {{#t}}b{{/t}} \n", " b \n"},
        {" | {{^f}} \n {{/f}} | ", " |  \n  | "},
        {"a\n{{^f}}\n{{/f}}\nb", "a\nb"},
        {"a\n{{#t}}{{/t}}\nb", "a\n\nb"}, // two tags have no line for themselves
        {"a\n  {{s}}\nb", "a\n  text\nb"},
        {"a {{! no }} b", "a  b"},
        {"a\n{{! no }}\nb", "a\nb"},
        {"a\n  {{! more\n than one\n}}\n b", "a\n b"},
        {"a {{! no }}\nb", "a \nb"},
        {"{{! s }}|{{!=x=}}", "|"},
        {"\n\n{{#t}}\n\n{{/t}}\n\n", "\n\n\n\n"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_delimiters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{=<% %>=}}(<%s%>) {{s}}", "(text) {{s}}"},
        {"({{=[ ]=}}[s])", "(text)"},
        {"{{=| |=}}|s| |={{ }}=|{{s}}", "text text"},
        {"{{= @ @ =}}@#t@@s@@/t@", "text"},
        {"a\n {{=@ @=}} \nb", "a\nb"},
        {"a {{=@ @=}}\nb", "a \nb"},
        {"{{=<% %>=}}<%{amp}%> <%& amp %>", "& \"<> & \"<>"},
        {"{{#t}}{{=<< >>=}}<<s>><</t>>", "text"},
        {"{{=\n<% \n %>\n=}}<%s%>", "text"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

struct library {
    const char *names[8];
    struct mustache *parts[8];
};

static const struct mustache *find_part(void *ctx, struct str name)
{
    const struct library *l = ctx;
    for (size_t i = 0; i < COUNT(l->names) && l->names[i]; i++)
        if (str_eq_c(name, l->names[i]))
            return l->parts[i];
    return NULL;
}

static void test_partials(void **state)
{
    (void)state;
    static const struct row parts[] = {
        {"p", "<{{s}}>"},
        {"lines", "|\n{{{lines}}}\n|\n"},
        {"tree", "{{k}}{{#l}}({{>tree}}){{/l}}"},
        {"outer", "o\n {{>lines}}\nx"},
        {"section", "{{#t}}\na\n{{/t}}\n{{s}}{{s}}\n"},
        {"delimiters", "{{=<% %>=}}<%s%>"},
    };
    struct library l = {{NULL}, {NULL}};
    for (size_t i = 0; i < COUNT(parts); i++) {
        l.names[i] = parts[i].source;
        l.parts[i] = compiled(parts[i].want);
    }
    static const struct row rows[] = {
        {"a {{>p}} {{> p }}{{>none}}.", "a <text> <text>."},
        {"{{#tree}}{{>tree}}{{/tree}}", "a(b(c)(d))"},
        {"\\\n {{>lines}}\n/\n", "\\\n |\n <\n->\n |\n/\n"},
        {"  {{>p}}\nb", "  <text>b"},
        {"  {{>p}}  {{>p}}", "  <text>  <text>"},
        {"{{>p}}\r\nb", "<text>b"},
        {"  {{>outer}}", "  o\n   |\n   <\n->\n   |\n  x"},
        {" {{>section}}\n", " a\n texttext\n"},
        {"{{>delimiters}} {{s}}", "text text"},
        {"a {{>lines}}b", "a |\n<\n->\n|\nb"},
    };
    struct mustache_env env = {.partial = find_part, .partial_ctx = &l, .escape = escape_html};
    check_rows(rows, COUNT(rows), &env);
    for (size_t i = 0; i < COUNT(parts); i++)
        mustache_destroy(l.parts[i]);
}

static void test_filters(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{s|upper}} {{star|lower}}", "TEXT " WJ "*bold*"},
        {"[{{long|trim}}] [{{long|line}}]", "[Some  Long\tText äö] [Some Long Text äö]"},
        {"{{absent|default:none}} {{e|default: a b }} {{nil|default:\"a|b \"}} {{s|default:no}} {{zero|default:1}}",
         "none a b a|b  text 0"},
        {"{{e|upper|default:x}}", "x"},
        {"{{long|line|truncate:6}} {{s|truncate:4}} {{s|truncate:3}} {{s | truncate : 1}}", "Some … text te… …"},
        {"{{o|json}} {{star|json}} {{absent|json}} {{s|upper|json}} {{n|json}}",
         "{\"k\":\"v\",\"t\":\"inner\",\"l\":[{\"m\":\"deep\"}]} \"*bold*\" null \"TEXT\" 85"},
        {"{{at|date}} {{at|date:iso}} {{at|date:day}} {{at|date:time}}",
         "2026-11-21 08:30 UTC 2026-11-21T08:30:05.250Z 2026-11-21 08:30:05"},
        {"{{unix|date:iso}} {{ms|date:iso}} {{s|date}} {{absent|date}}.",
         "2025-11-21T08:30:05Z 2025-11-21T08:30:05.250Z text ."},
        {"{{url|urlencode}}", "a%20b%2F%C3%BC%3F%26~"},
        {"{{sha|short}} {{sha|short:3}} {{s|short:10}}", "0123456 012 text"},
        {"{{l|count}} {{none|count}} {{o|count}} {{s|count}} {{absent|count}}", "3 0 3 4 0"},
        {"{{labels|pairs}} {{s|pairs}} {{empty|pairs}}.", "alertname=Down, n=1 text ."},
        {"{{s|code}} {{star|code}}", "`text` `*bold*`"},
        {"a\n{{multi|code}}\nb", "a\n```\nx\ny\n```\nb"},
        {"a {{multi|code}} b", "a \n```\nx\ny\n```\n b"},
        {"{{multi|quote}}\n{{star|quote}}", "> x\n> y\n> " WJ "*bold*\n"},
        {"{{{star|upper}}} {{& star | upper }}", "*BOLD* *BOLD*"},
        {"{{#lo}}{{.|json}}{{/lo}}", "{\"i\":1}{\"i\":2}{\"j\":3}"},
    };
    check_rows(rows, COUNT(rows), NULL);
}

static void test_values_are_no_styling(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{star}}", WJ "*bold*"},   {"*{{s}}* {{star}} x{{star}}", "*text* " WJ "*bold* x*bold*"},
        {"{{{star}}}", "*bold*"},    {"```\n{{star}}\n```", "```\n*bold*\n```"},
        {"> {{multi}}", "> x\n> y"},
    };
    check_rows(rows, COUNT(rows), NULL);
    struct mustache *m = compiled("{{{x}}}{{x}}");
    json_t *context = json_pack("{s:s}", "x", "a\x01\033[1m\xE2\x80\xAE.");
    struct strbuf b;
    strbuf_init(&b, 100);
    assert_int_equal(mustache_render(m, context, NULL, &b, NULL), ERR_OK);
    assert_str(strbuf_view(&b), "a.a.");
    strbuf_finish(&b);
    json_decref(context);
    mustache_destroy(m);
}

static void test_faults_of_templates(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{{", "line 1, column 1: the tag is not closed"},
        {"ab\nc {{x", "line 2, column 3: the tag is not closed"},
        {"é{{{x}}", "line 1, column 2: the tag is not closed"},
        {"{{=<% %>}}", "line 1, column 1: the tag is not closed"},
        {"{{}}", "line 1, column 1: the tag has no name"},
        {"{{#}}{{/}}", "line 1, column 1: the tag has no name"},
        {"{{#if x}}", "line 1, column 4: a name has no white space: if x"},
        {"{{a..b}}", "line 1, column 3: a name between two points is missing: a..b"},
        {"{{.a}}", "line 1, column 3: a name between two points is missing: .a"},
        {"\n{{#a}}x", "line 2, column 4: the section is not closed: a"},
        {"{{#a}}\n{{/b}}", "line 2, column 1: the section to be closed here is a"},
        {"x{{/b}}", "line 1, column 2: no section is open to be closed by b"},
        {"{{=a=}}", "line 1, column 1: delimiters are two words without \"=\""},
        {"{{=a b c=}}", "line 1, column 1: delimiters are two words without \"=\""},
        {"{{==a b=}}", "line 1, column 1: delimiters are two words without \"=\""},
        {"\n a {{s|trim|shout}}",
         "line 2, column 13: unknown filter \"shout\"; there are code, count, date, default, json, line, lower, pairs, "
         "quote, short, trim, truncate, upper, urlencode"},
        {"{{s|}}", "line 1, column 1: a filter has no name behind \"|\""},
        {"{{s|upper:1}}", "line 1, column 5: the filter takes no argument: upper:1"},
        {"{{s|default}}", "line 1, column 5: the filter needs an argument behind \":\": default"},
        {"{{s|truncate}}", "line 1, column 5: the filter needs a number from 1: truncate"},
        {"{{s|truncate:0}}", "line 1, column 5: the filter needs a number from 1: truncate:0"},
        {"{{s|short:x}}", "line 1, column 5: the filter needs a number from 1: short:x"},
        {"{{s|date:noon}}", "line 1, column 5: the form of a date is iso, day or time: date:noon"},
        {"{{#s|upper}}{{/s|upper}}", "line 1, column 4: a section takes no filter: s|upper"},
        {"a\xFF", "line 1, column 2: a byte that is no UTF-8, or a control"},
        {"a\n\x01", "line 2, column 1: a byte that is no UTF-8, or a control"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errmsg msg = {""};
        assert_null(mustache_compile(str_c(rows[i].source), NULL, &msg));
        assert_string_equal(msg.text, rows[i].want);
        assert_null(mustache_compile(str_c(rows[i].source), NULL, NULL));
    }
    mustache_destroy(NULL);
}

static void check_limit(const char *source, const struct mustache_limits *limits, const struct mustache_env *env,
                        const char *text, const char *why)
{
    struct errmsg msg = {""};
    struct strbuf b;
    json_t *context = json_read(STR(payload), sizeof payload, NULL);
    struct mustache *m = mustache_compile(str_c(source), limits, &msg);
    assert_non_null(m);
    strbuf_init(&b, 100000);
    assert_int_equal(mustache_render(m, context, env, &b, &msg), ERR_LIMIT);
    assert_string_equal(msg.text, why);
    if (text)
        assert_str(strbuf_view(&b), text);
    assert_int_equal(b.max, 100000);
    strbuf_finish(&b);
    mustache_destroy(m);
    json_decref(context);
}

static void test_bounds(void **state)
{
    (void)state;
    struct errmsg msg;
    assert_null(mustache_compile(STR("12345"), &(struct mustache_limits){.source = 4}, &msg));
    assert_string_equal(msg.text, "line 1, column 1: the template has more than 4 bytes");
    assert_null(mustache_compile(STR("{{#a}}{{#b}}"), &(struct mustache_limits){.depth = 1}, &msg));
    assert_string_equal(msg.text, "line 1, column 7: too many sections within each other");
    check_limit("ab{{s}}", &(struct mustache_limits){.output = 4}, NULL, "abte",
                "the rendered text has more than 4 bytes");
    check_limit("{{long}}", &(struct mustache_limits){.output = 21}, NULL, "  Some  Long\tText ä",
                "the rendered text has more than 21 bytes");
    check_limit("{{#l}}{{.}}{{/l}}", &(struct mustache_limits){.steps = 8}, NULL, "1",
                "the template takes more than 8 steps");
    struct library l = {{"self"}, {compiled(".{{>self}}")}};
    check_limit("{{>self}}", NULL, &(struct mustache_env){.partial = find_part, .partial_ctx = &l},
                "................................................................", "the template goes deeper than 64");
    mustache_destroy(l.parts[0]);
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

// Templates that multiply, on payloads that are long, many or deep: each render ends within its steps, and soon.
static void test_hostile_templates_end(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}",
        "{{#l}}{{#l}}{{big|trim|upper|lower|json|urlencode|line|truncate:5}}{{/l}}{{/l}}",
        "{{#l}}{{#l}}{{controls}}{{/l}}{{/l}}",
        "{{#l}}{{#l}}{{stars|truncate:1}}{{/l}}{{/l}}",
        "{{#l}}{{l|json|count}}{{/l}}",
        "{{#l}}{{l|short}}{{/l}}",
        "{{#l}}{{l|code}}{{/l}}",
        "{{#l}}{{x.y.z}}{{a.b.c.d.e.f}}{{/l}}",
        "{{#l}}{{stars|quote}}{{stars|code}}{{/l}}",
        "{{>self}}{{#l}}{{>self}}{{/l}}",
    };
    enum { BIG = 500000, MANY = 20000 };
    json_t *context = json_object(), *list = json_array();
    char *big = mem_alloc(BIG);
    memset(big, 'x', BIG);
    (void)json_object_set_new(context, "big", json_stringn(big, BIG));
    memset(big, '\x02', BIG);
    (void)json_object_set_new(context, "controls", json_stringn(big, BIG));
    memset(big, '*', BIG);
    (void)json_object_set_new(context, "stars", json_stringn(big, BIG));
    for (size_t i = 0; i < MANY; i++)
        (void)json_array_append_new(list, json_integer((json_int_t)i));
    (void)json_object_set_new(context, "l", list);
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct strbuf b;
        struct mustache *m = compiled(sources[i]);
        struct library l = {{"self"}, {m}};
        struct mustache_env env = {.partial = find_part, .partial_ctx = &l};
        strbuf_init(&b, 1000000);
        int64_t from = now_us();
        assert_int_equal(mustache_render(m, context, &env, &b, NULL), ERR_LIMIT);
        int64_t took = now_us() - from;
        print_message("%5d us %s\n", (int)took, sources[i]);
        assert_true(took < 500000); // 5 ms by measurement; room for sanitizers
        assert_true(b.n <= 64 * 1024 && utf8_xml_valid(strbuf_view(&b)));
        strbuf_finish(&b);
        mustache_destroy(m);
    }
    json_decref(context);
    mem_free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpolation),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_white_space),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_partials),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_values_are_no_styling),
        cmocka_unit_test(test_faults_of_templates),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_hostile_templates_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
