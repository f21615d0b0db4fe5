/* Entities, raw HTML and URLs. */
#include "base/utf8.h"
#include "text/markdown_private.h"

#include <stdlib.h>

struct entity {
    const char *name;
    uint32_t c;
};

// Those that people and programs write, sorted by name; others stay as they are.
static const struct entity entities[] = {
    {"Auml", 0xC4},     {"Ouml", 0xD6},    {"Uuml", 0xDC},    {"amp", '&'},      {"apos", '\''},    {"auml", 0xE4},
    {"bull", 0x2022},   {"check", 0x2713}, {"copy", 0xA9},    {"cross", 0x2717}, {"darr", 0x2193},  {"deg", 0xB0},
    {"eacute", 0xE9},   {"egrave", 0xE8},  {"euro", 0x20AC},  {"frac12", 0xBD},  {"ge", 0x2265},    {"gt", '>'},
    {"hellip", 0x2026}, {"laquo", 0xAB},   {"larr", 0x2190},  {"ldquo", 0x201C}, {"le", 0x2264},    {"lsquo", 0x2018},
    {"lt", '<'},        {"mdash", 0x2014}, {"micro", 0xB5},   {"middot", 0xB7},  {"nbsp", 0xA0},    {"ndash", 0x2013},
    {"ne", 0x2260},     {"ouml", 0xF6},    {"para", 0xB6},    {"plusmn", 0xB1},  {"pound", 0xA3},   {"quot", '"'},
    {"raquo", 0xBB},    {"rarr", 0x2192},  {"rdquo", 0x201D}, {"reg", 0xAE},     {"rsquo", 0x2019}, {"sect", 0xA7},
    {"szlig", 0xDF},    {"times", 0xD7},   {"trade", 0x2122}, {"uarr", 0x2191},  {"uuml", 0xFC},
};

static int compare_entity(const void *key, const void *entity)
{
    return str_cmp(*(const struct str *)key, str_c(((const struct entity *)entity)->name));
}

static uint32_t number_of(struct str digits)
{
    bool hex = digits.n > 0 && (digits.p[0] | 0x20) == 'x';
    uint32_t c = 0;
    for (size_t i = hex; i < digits.n && c <= 0x10FFFF; i++) {
        unsigned char d = (unsigned char)digits.p[i];
        c = c * (hex ? 16 : 10) + (d <= '9' ? d - (uint32_t)'0' : (d | 0x20u) - 'a' + 10u);
    }
    return digits.n > hex && utf8_xml_char(c) ? c : 0xFFFD;
}

static bool all_digits(struct str s)
{
    bool hex = s.n > 0 && (s.p[0] | 0x20) == 'x';
    for (size_t i = hex; i < s.n; i++)
        if (!strchr(hex ? "0123456789abcdefABCDEF" : "0123456789", s.p[i]))
            return false;
    return s.n > hex && s.n < 9;
}

struct str markdown_entity(struct str entity, char out[8])
{
    struct str name = str_sub(entity, 1, entity.n - 1);
    uint32_t c;
    if (str_starts(name, STR("#"))) {
        name = str_sub(name, 1, name.n);
        if (!all_digits(name))
            return entity;
        c = number_of(name);
    } else {
        const struct entity *hit =
            bsearch(&name, entities, sizeof entities / sizeof entities[0], sizeof *entities, compare_entity);
        if (!hit)
            return entity;
        c = hit->c;
    }
    return (struct str){out, utf8_put(out, c)};
}

bool markdown_is_break(struct str tag)
{
    struct str name = str_sub(tag, 0, 3);
    return str_case_eq(name, STR("<br")) && tag.n > 3 && strchr("> /\t", tag.p[3]);
}

// Where the text behind `s` is, when `end` stands in it; else the end of the whole.
static size_t behind(struct str s, struct str end)
{
    ptrdiff_t at = str_find_str(s, end);
    return at < 0 ? s.n : (size_t)at + end.n;
}

static size_t skip_element(struct str rest, struct str open, struct str close)
{
    if (!str_case_eq(str_sub(rest, 0, open.n), open))
        return 0;
    for (size_t at = open.n; at + close.n <= rest.n; at++)
        if (rest.p[at] == '<' && str_case_eq(str_sub(rest, at, at + close.n), close))
            return at + close.n;
    return rest.n;
}

// Bytes of the tag or comment at the beginning of `rest`; 0 when a mere "<" stands there.
static size_t tag_length(struct str rest)
{
    if (str_starts(rest, STR("<!--")))
        return behind(rest, STR("-->"));
    size_t n = skip_element(rest, STR("<script"), STR("</script>"));
    n = n ? n : skip_element(rest, STR("<style"), STR("</style>"));
    if (n)
        return n;
    unsigned char c = rest.n > 1 ? (unsigned char)rest.p[1] : ' ';
    if (c != '/' && c != '!' && c != '?' && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
        return 0;
    return behind(rest, STR(">"));
}

static size_t entity_length(struct str rest)
{
    struct str near = str_sub(rest, 0, 12);
    ptrdiff_t end = str_find(near, ';');
    return end > 1 ? (size_t)end + 1 : 0;
}

// One step of the text: the bytes that were read.
static size_t html_step(struct strbuf *b, struct str rest)
{
    char c[8];
    size_t n = rest.p[0] == '<' ? tag_length(rest) : rest.p[0] == '&' ? entity_length(rest) : 0;
    if (n == 0) {
        (void)strbuf_char(b, rest.p[0]);
        return 1;
    }
    if (rest.p[0] == '&')
        (void)strbuf_str(b, markdown_entity(str_sub(rest, 0, n), c));
    else if (markdown_is_break(str_sub(rest, 0, n)))
        (void)strbuf_char(b, '\n');
    return n;
}

struct str markdown_html_text(struct arena *a, struct str html)
{
    struct strbuf b;
    struct str text, line;
    char *p = arena_alloc(a, html.n + 1);
    size_t n = 0;
    strbuf_init(&b, html.n + 8);
    for (size_t at = 0; at < html.n;)
        at += html_step(&b, str_sub(html, at, html.n));
    text = strbuf_view(&b);
    for (bool more = true; more;) {
        more = str_cut(text, '\n', &line, &text);
        line = str_trim(line);
        if (line.n == 0 || n + line.n + 1 > html.n)
            continue;
        if (n)
            p[n++] = '\n';
        memcpy(p + n, line.p, line.n);
        n += line.n;
    }
    strbuf_finish(&b);
    return (struct str){p, n};
}
