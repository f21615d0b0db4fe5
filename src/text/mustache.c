/* Compiles Mustache templates. The source becomes a list of nodes; a section knows where it ends. Text is cut at line
 * ends, for partials whose lines are indented. */
#include "text/mustache_private.h"

#include "base/mem.h"
#include "base/utf8.h"

static const struct mustache_limits defaults = {64 * 1024, 64 * 1024, MUSTACHE_DEPTH, 50000};

struct compiler {
    struct mustache *m;
    struct str source;
    size_t at; // what is before it has been read
    struct str open, close;
    size_t stack[MUSTACHE_DEPTH]; // the sections that are open
    size_t depth;
    struct errmsg *msg;
};

// A tag as it stands in the source.
struct tag {
    size_t from, end;   // with its delimiters
    char sigil;         // 0 for none
    struct str content; // without sigil, not trimmed
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// Sets "line L, column C: " and the text, for an offset; false.
static bool fail(struct compiler *c, size_t at, const char *what, struct str which)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column = c->source.p[i] == '\n' ? 1 : column + (((unsigned char)c->source.p[i] & 0xC0) != 0x80);
        line += c->source.p[i] == '\n';
    }
    (void)err_set(c->msg, ERR_BADREQ, "line %zu, column %zu: %s" STR_FMT, line, column, what,
                  STR_ARG(str_sub(which, 0, 64)));
    return false;
}

static size_t offset(const struct compiler *c, struct str s)
{
    return s.p ? (size_t)(s.p - c->source.p) : c->at;
}

static struct node *add_node(struct mustache *m, enum node_kind kind, struct str text)
{
    if (m->node_count == m->node_cap) {
        m->node_cap = m->node_cap ? 2 * m->node_cap : 16;
        m->nodes = mem_realloc(m->nodes, m->node_cap, sizeof *m->nodes);
    }
    struct node *n = &m->nodes[m->node_count++];
    *n = (struct node){.kind = kind, .text = text, .filters = m->filter_count};
    return n;
}

// A node for each line; where a tag begins a line, an empty one, so that the line has its beginning.
static void add_text(struct compiler *c, size_t from, size_t end, bool before_tag)
{
    while (from < end || (before_tag && (from == 0 || c->source.p[from - 1] == '\n'))) {
        struct str rest = str_sub(c->source, from, end);
        ptrdiff_t line_end = str_find(rest, '\n');
        size_t n = line_end < 0 ? rest.n : (size_t)line_end + 1;
        struct node *node = add_node(c->m, NODE_TEXT, str_sub(rest, 0, n));
        node->line_start = from == 0 || c->source.p[from - 1] == '\n';
        if (n == 0)
            break;
        from += n;
    }
}

// Where the line of an offset begins, when nothing but white space stands between; else the offset.
static size_t back_to_line(const struct compiler *c, size_t at)
{
    size_t from = at;
    while (from > 0 && is_blank(c->source.p[from - 1]))
        from--;
    return from == 0 || c->source.p[from - 1] == '\n' ? from : at;
}

// Where the next line begins, when nothing but white space stands between; else SIZE_MAX.
static size_t on_to_line(const struct compiler *c, size_t at)
{
    while (at < c->source.n && is_blank(c->source.p[at]))
        at++;
    if (at == c->source.n)
        return at;
    if (c->source.p[at] == '\r' && at + 1 < c->source.n)
        at++;
    return c->source.p[at] == '\n' ? at + 1 : SIZE_MAX;
}

static bool find(const struct compiler *c, struct str needle, size_t from, size_t *at)
{
    ptrdiff_t hit = str_find_str(str_sub(c->source, from, c->source.n), needle);
    *at = hit < 0 ? c->source.n : from + (size_t)hit;
    return hit >= 0;
}

// Reads the tag that begins at `from`.
static bool read_tag(struct compiler *c, size_t from, struct tag *t)
{
    size_t at = from + c->open.n, end, extra = 0;
    char sigil = at < c->source.n ? c->source.p[at] : '\0';
    *t = (struct tag){.from = from};
    if (sigil != '\0' && memchr("#^/!>=&{", sigil, 8)) {
        t->sigil = sigil;
        at++;
    }
    if (t->sigil == '{' || t->sigil == '=')
        extra = 1;
    for (size_t search = at + extra;; search = end + 1) {
        if (!find(c, c->close, search, &end))
            return fail(c, from, "the tag is not closed", STR_NONE);
        if (extra == 0 || c->source.p[end - 1] == (t->sigil == '{' ? '}' : '='))
            break;
        // "}}}": what was found may be one too early
    }
    t->content = str_sub(c->source, at, end - extra);
    t->end = end + c->close.n;
    return true;
}

static bool check_name(struct compiler *c, const struct tag *t, struct str name)
{
    struct str rest = name;
    bool spaced = str_word(&rest, &(struct str){0}) && str_word(&rest, &(struct str){0});
    if (str_empty(name))
        return fail(c, t->from, "the tag has no name", STR_NONE);
    if (spaced)
        return fail(c, offset(c, name), "a name has no white space: ", name);
    if (t->sigil != '>' && name.n > 1 &&
        (name.p[0] == '.' || name.p[name.n - 1] == '.' || str_find_str(name, STR("..")) >= 0))
        return fail(c, offset(c, name), "a name between two points is missing: ", name);
    return true;
}

// Takes the text before the next "|" that stands in no quotes.
static struct str take_part(struct str *rest, bool *more)
{
    bool quoted = false;
    size_t n = 0;
    for (; n < rest->n && (quoted || rest->p[n] != '|'); n++)
        quoted = rest->p[n] == '"' ? !quoted : quoted;
    struct str part = str_sub(*rest, 0, n);
    *more = n < rest->n;
    *rest = str_sub(*rest, n + 1, rest->n);
    return str_trim(part);
}

static struct str unquote(struct str s)
{
    return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? str_sub(s, 1, s.n - 1) : s;
}

static bool add_filter(struct compiler *c, struct str part)
{
    struct mustache *m = c->m;
    struct str name, text;
    struct arena a;
    bool given = str_cut(part, ':', &name, &text);
    struct filter_use use = {.filter = filter_find(str_trim(name))};
    if (!use.filter) {
        arena_init(&a, 0);
        struct str known = filter_names(&a);
        struct str cut = str_sub(str_trim(name), 0, 32);
        size_t at = part.p ? offset(c, part) : c->at;
        struct str what =
            arena_printf(&a, "unknown filter \"" STR_FMT "\"; there are " STR_FMT, STR_ARG(cut), STR_ARG(known));
        (void)fail(c, at, what.p, STR_NONE);
        arena_finish(&a);
        return false;
    }
    const char *wrong = filter_argument_read(&use, given, unquote(str_trim(text)));
    if (wrong)
        return fail(c, offset(c, part), wrong, part);
    if (m->filter_count == m->filter_cap) {
        m->filter_cap = m->filter_cap ? 2 * m->filter_cap : 8;
        m->filters = mem_realloc(m->filters, m->filter_cap, sizeof *m->filters);
    }
    m->filters[m->filter_count++] = use;
    return true;
}

static bool add_value(struct compiler *c, const struct tag *t)
{
    struct str rest = t->content;
    bool more;
    struct str name = take_part(&rest, &more);
    if (!check_name(c, t, name))
        return false;
    size_t node = c->m->node_count;
    (void)add_node(c->m, t->sigil ? NODE_RAW : NODE_VALUE, name);
    while (more) {
        struct str part = take_part(&rest, &more);
        if (str_empty(part))
            return fail(c, t->from, "a filter has no name behind \"|\"", STR_NONE);
        if (!add_filter(c, part))
            return false;
        c->m->nodes[node].filter_count++;
    }
    return true;
}

static bool open_section(struct compiler *c, const struct tag *t, struct str name)
{
    if (c->depth == c->m->limits.depth)
        return fail(c, t->from, "too many sections within each other", STR_NONE);
    c->stack[c->depth++] = c->m->node_count;
    (void)add_node(c->m, t->sigil == '#' ? NODE_SECTION : NODE_INVERTED, name);
    return true;
}

static bool close_section(struct compiler *c, const struct tag *t, struct str name)
{
    if (c->depth == 0)
        return fail(c, t->from, "no section is open to be closed by ", name);
    struct node *section = &c->m->nodes[c->stack[c->depth - 1]];
    if (!str_eq(section->text, name))
        return fail(c, t->from, "the section to be closed here is ", section->text);
    section->end = c->m->node_count;
    c->depth--;
    return true;
}

static bool set_delimiters(struct compiler *c, const struct tag *t)
{
    struct str rest = t->content, open, close, more;
    if (!str_word(&rest, &open) || !str_word(&rest, &close) || str_word(&rest, &more) || str_find(open, '=') >= 0 ||
        str_find(close, '=') >= 0)
        return fail(c, t->from, "delimiters are two words without \"=\"", STR_NONE);
    c->open = open;
    c->close = close;
    return true;
}

// A tag of a kind that may have its line for itself.
static bool add_structure(struct compiler *c, const struct tag *t, struct str indent)
{
    struct str name = str_trim(t->content);
    if (t->sigil == '!')
        return true;
    if (t->sigil == '=')
        return set_delimiters(c, t);
    if (!check_name(c, t, name))
        return false;
    if (t->sigil != '>' && str_find(name, '|') >= 0)
        return fail(c, offset(c, name), "a section takes no filter: ", name);
    if (t->sigil == '/')
        return close_section(c, t, name);
    if (t->sigil != '>')
        return open_section(c, t, name);
    add_node(c->m, NODE_PARTIAL, name)->indent = indent;
    return true;
}

static bool add_tag(struct compiler *c, const struct tag *t)
{
    size_t from = t->from, next = SIZE_MAX;
    bool value = t->sigil == '\0' || t->sigil == '&' || t->sigil == '{';
    if (!value) {
        size_t line = back_to_line(c, t->from);
        bool begins = line == 0 || c->source.p[line - 1] == '\n';
        next = begins && line >= c->at ? on_to_line(c, t->end) : SIZE_MAX;
        from = next == SIZE_MAX ? t->from : line;
    }
    add_text(c, c->at, from, next == SIZE_MAX);
    c->at = next == SIZE_MAX ? t->end : next;
    return value ? add_value(c, t) : add_structure(c, t, str_sub(c->source, from, t->from));
}

// The first character that no stanza can carry, or the end.
static size_t find_forbidden(struct str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t from = at;
        if (!utf8_xml_char(utf8_next(s, &at)))
            return from;
    }
    return s.n;
}

static bool compile(struct compiler *c)
{
    struct tag t;
    size_t forbidden = find_forbidden(c->source);
    if (forbidden < c->source.n)
        return fail(c, forbidden, "a byte that is no UTF-8, or a control", STR_NONE);
    for (size_t from; find(c, c->open, c->at, &from);)
        if (!read_tag(c, from, &t) || !add_tag(c, &t))
            return false;
    add_text(c, c->at, c->source.n, false);
    if (c->depth == 0)
        return true;
    struct str name = c->m->nodes[c->stack[c->depth - 1]].text;
    return fail(c, offset(c, name), "the section is not closed: ", name);
}

static struct mustache_limits limits_of(const struct mustache_limits *given)
{
    struct mustache_limits l = given ? *given : defaults;
    l.source = l.source ? l.source : defaults.source;
    l.output = l.output ? l.output : defaults.output;
    l.depth = l.depth && l.depth < defaults.depth ? l.depth : defaults.depth;
    l.steps = l.steps ? l.steps : defaults.steps;
    return l;
}

struct mustache *mustache_compile(struct str source, const struct mustache_limits *limits, struct errmsg *msg)
{
    struct mustache_limits l = limits_of(limits);
    if (source.n > l.source) {
        (void)err_set(msg, ERR_LIMIT, "line 1, column 1: the template has more than %zu bytes", l.source);
        return NULL;
    }
    struct mustache *m = MEM_NEW(struct mustache);
    m->source = (struct str){mem_dup(source.n ? source.p : "", source.n), source.n};
    m->limits = l;
    struct compiler c = {.m = m, .source = m->source, .open = STR("{{"), .close = STR("}}"), .msg = msg};
    if (compile(&c))
        return m;
    mustache_destroy(m);
    return NULL;
}

void mustache_destroy(struct mustache *m)
{
    if (!m)
        return;
    mem_free((void *)(uintptr_t)m->source.p);
    mem_free(m->nodes);
    mem_free(m->filters);
    mem_free(m);
}
