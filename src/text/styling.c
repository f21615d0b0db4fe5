#include "text/styling.h"

#include "base/utf8.h"

static const char directives[4] = {'*', '_', '~', '`'};
static const struct str joiner = {"\xE2\x81\xA0", 3}; // U+2060
static const struct str fence = {"```", 3};
static const struct str mark = {" […]", sizeof " […]" - 1};

enum { JOINER = 0x2060 };

enum place {
    PLACE_BLOCK,  // a block may begin
    PLACE_MARKED, // the same, behind ">": one white space is not counted
    PLACE_INSIDE,
};

enum before {
    BEFORE_FREE,  // the beginning of a block, or white space: a span may begin
    BEFORE_OTHER, // no span may begin
};

static int directive_of(uint32_t c)
{
    for (int i = 0; i < 4; i++)
        if (c == (unsigned char)directives[i])
            return i;
    return -1;
}

// True where the line is one of the preformatted block's.
static bool is_preformatted(const struct styling *s)
{
    return s->in_block && s->depth == s->block_depth;
}

static bool may_open(const struct styling *s, uint32_t c)
{
    return s->before == BEFORE_FREE || (s->before != BEFORE_OTHER && s->before != c);
}

static void step_span(struct styling *s, uint32_t c)
{
    if (utf8_blank(c))
        s->before = BEFORE_FREE;
    else
        s->before = directive_of(c) >= 0 && may_open(s, c) ? (unsigned char)c : BEFORE_OTHER;
}

static void step_line_end(struct styling *s)
{
    bool closing = s->ticks == 3 && s->place != PLACE_INSIDE && !s->opening;
    if (s->depth < s->block_depth || (is_preformatted(s) && closing))
        s->in_block = false;
    s->block_depth = s->in_block ? s->block_depth : 0;
    s->depth = s->ticks = 0;
    s->opening = false;
    s->place = PLACE_BLOCK;
    s->before = BEFORE_FREE;
}

static void step_tick(struct styling *s)
{
    s->place = PLACE_BLOCK;
    if (++s->ticks > 3)
        s->place = PLACE_INSIDE;
    if (s->ticks != 3 || is_preformatted(s))
        return;
    s->in_block = s->opening = true;
    s->block_depth = s->depth;
}

// A character where a block may begin.
static void step_start(struct styling *s, uint32_t c)
{
    if (c == '>' && s->ticks == 0 && !is_preformatted(s)) {
        s->depth++;
        s->place = PLACE_MARKED;
        s->before = BEFORE_FREE;
        return;
    }
    if (c == '`')
        step_tick(s);
    else
        s->place = s->place == PLACE_MARKED && utf8_blank(c) ? PLACE_BLOCK : PLACE_INSIDE;
    step_span(s, c);
}

static void step(struct styling *s, uint32_t c)
{
    if (c == '\n')
        step_line_end(s);
    else if (s->place != PLACE_INSIDE)
        step_start(s, c);
    else
        step_span(s, c);
}

// Reads what was added since.
static void catch_up(struct styling *s, const struct strbuf *out)
{
    struct str text = strbuf_view(out);
    while (s->seen < text.n)
        step(s, utf8_next(text, &s->seen));
}

static bool add(struct styling *s, struct strbuf *out, struct str text)
{
    bool ok = strbuf_str(out, text);
    catch_up(s, out);
    return ok;
}

// What is known of the line that is added.
struct line {
    struct str text;
    bool open;         // what follows the last character is not known
    size_t closers[4]; // for each directive where the last one stands that may close a span
};

static struct line line_of(struct str text, bool open)
{
    struct line l = {text, open, {0}};
    bool blank = true;
    for (size_t at = 0; at < text.n;) {
        size_t from = at;
        uint32_t c = utf8_next(text, &at);
        int d = directive_of(c);
        if (d >= 0 && !blank)
            l.closers[d] = from;
        blank = utf8_blank(c);
    }
    return l;
}

// True when the grave accents at the beginning of `rest` make, or may yet make, a fence of those before them.
static bool makes_fence(const struct styling *s, struct str rest, bool open)
{
    size_t n = 0;
    while (n < rest.n && n < fence.n && rest.p[n] == '`')
        n++;
    return s->ticks + n >= fence.n || (open && s->ticks == 0 && n == rest.n);
}

// True when the character would be read as a directive where it stands.
static bool is_directive(const struct styling *s, const struct line *l, size_t at)
{
    char c = l->text.p[at];
    struct str rest = str_sub(l->text, at, l->text.n);
    bool start = s->place != PLACE_INSIDE;
    if (c == '`' && start && makes_fence(s, rest, l->open))
        return true;
    if (is_preformatted(s))
        return false;
    if (c == '>')
        return start && s->ticks == 0;
    int d = directive_of((unsigned char)c);
    if (d < 0 || !may_open(s, (unsigned char)c))
        return false;
    size_t next = at + 1;
    if (next == l->text.n)
        return l->open;
    return !utf8_blank(utf8_next(l->text, &next)) && (l->open || l->closers[d] > at + 1);
}

static bool add_line(struct styling *s, struct strbuf *out, const struct line *l)
{
    for (size_t at = 0; at < l->text.n;) {
        if (is_directive(s, l, at) && !add(s, out, joiner))
            return false;
        size_t from = at;
        (void)utf8_next(l->text, &at);
        if (!add(s, out, str_sub(l->text, from, at)))
            return false;
    }
    return true;
}

// A line end, and the marks of the quotation that the text stands in.
static bool add_line_end(struct styling *s, struct strbuf *out)
{
    bool ok = true;
    unsigned depth = s->depth;
    ok = add(s, out, STR("\n"));
    for (unsigned i = 0; i < depth && ok; i++)
        ok = add(s, out, STR("> "));
    return ok;
}

// `open`: something may follow the text on its last line.
static bool add_lines(struct styling *s, struct strbuf *out, struct str text, bool open)
{
    struct str line;
    for (bool more = true; more;) {
        more = str_cut(text, '\n', &line, &text);
        struct line l = line_of(line, open && !more);
        if (!add_line(s, out, &l) || (more && !add_line_end(s, out)))
            return false;
    }
    return true;
}

// The value, cleaned; in an arena of its own when it must change.
static bool add_clean(struct styling *s, struct strbuf *out, struct str value, bool open)
{
    struct arena a;
    arena_init(&a, 0);
    bool ok = add_lines(s, out, styling_clean(&a, value), open);
    arena_finish(&a);
    return ok;
}

bool styling_value(struct styling *s, struct strbuf *out, struct str value)
{
    catch_up(s, out);
    return add_clean(s, out, value, true);
}

bool styling_value_end(struct styling *s, struct strbuf *out, struct str value)
{
    catch_up(s, out);
    return add_clean(s, out, value, false);
}

bool styling_opens(struct styling *s, const struct strbuf *out, char directive)
{
    catch_up(s, out);
    return !is_preformatted(s) && may_open(s, (unsigned char)directive);
}

struct str styling_escape(struct arena *a, struct str text)
{
    struct styling s = {0};
    struct strbuf b;
    struct str clean = styling_clean(a, text);
    strbuf_init(&b, 4 * clean.n + 1); // at most a joiner before each character
    (void)add_lines(&s, &b, clean, false);
    if (b.n != clean.n)
        clean = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return clean;
}

// Goes to a new line unless nothing but quote marks stands on this one.
static bool to_line_start(struct styling *s, struct strbuf *out)
{
    return (s->place != PLACE_INSIDE && s->ticks == 0) || add_line_end(s, out);
}

bool styling_fenced(struct styling *s, struct strbuf *out, struct str info, struct str text)
{
    catch_up(s, out);
    if (is_preformatted(s))
        return styling_value(s, out, text);
    bool ok = to_line_start(s, out) && add(s, out, fence);
    struct str word = STR_NONE;
    if (ok && str_word(&info, &word) && str_find(word, '`') < 0)
        ok = styling_value(s, out, word);
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    return ok && add_line_end(s, out) && add_clean(s, out, text, false) && add_line_end(s, out) && add(s, out, fence);
}

bool styling_block(struct styling *s, struct strbuf *out, struct str info, struct str text)
{
    catch_up(s, out);
    bool within = is_preformatted(s);
    return styling_fenced(s, out, info, text) && (within || add_line_end(s, out));
}

// True when the text, without white space at its ends, can stand between two grave accents.
static bool fits_span(struct str text)
{
    return str_find(text, '`') < 0 && str_find(text, '\n') < 0;
}

// Where no span can begin the accents are mere characters, and what stands between them is text like any other.
static bool add_span(struct styling *s, struct strbuf *out, struct str text)
{
    bool opens = may_open(s, '`');
    return add(s, out, STR("`")) && (opens ? add(s, out, text) : styling_value(s, out, text)) && add(s, out, STR("`"));
}

static struct str trim_blank(struct str s)
{
    size_t from = 0, end = 0;
    for (size_t at = 0; at < s.n;) {
        bool blank = utf8_blank(utf8_next(s, &at));
        if (blank && end == 0)
            from = at;
        else if (!blank)
            end = at;
    }
    return str_sub(s, from, end > from ? end : from);
}

bool styling_code(struct styling *s, struct strbuf *out, struct str text)
{
    struct arena a;
    bool ok;
    arena_init(&a, 0);
    catch_up(s, out);
    text = styling_clean(&a, text);
    struct str trimmed = trim_blank(text);
    if (is_preformatted(s) || str_empty(trimmed))
        ok = styling_value(s, out, trimmed);
    else if (fits_span(trimmed))
        ok = add_span(s, out, trimmed);
    else
        ok = styling_block(s, out, STR_NONE, text);
    arena_finish(&a);
    return ok;
}

bool styling_quote(struct styling *s, struct strbuf *out, struct str text)
{
    catch_up(s, out);
    if (is_preformatted(s))
        return styling_value(s, out, text);
    bool ok = to_line_start(s, out);
    unsigned depth = s->depth;
    ok = ok && add(s, out, STR("> ")) && add_clean(s, out, text, false) && add(s, out, STR("\n"));
    for (unsigned i = 0; i < depth && ok; i++)
        ok = add(s, out, STR("> "));
    return ok;
}

struct str styling_cut(struct arena *a, struct str text, size_t max)
{
    if (text.n <= max)
        return text;
    struct styling s = {0};
    struct strbuf b;
    struct str cut = utf8_cut(text, max - mark.n - fence.n - 2);
    strbuf_init(&b, max);
    (void)add(&s, &b, cut);
    if (s.in_block && s.block_depth == 0) {
        (void)(s.place == PLACE_BLOCK && s.ticks == 0 ? true : add(&s, &b, STR("\n")));
        if (s.in_block)
            (void)(add(&s, &b, fence) && add(&s, &b, STR("\n")));
        (void)add(&s, &b, str_sub(mark, 1, mark.n));
    } else {
        (void)add(&s, &b, mark);
    }
    cut = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return cut;
}

struct str styling_source(struct arena *a, struct str source, size_t max)
{
    if (source.n > max)
        source = arena_concat(a, (const struct str[]){utf8_cut(source, max - mark.n), mark}, 2);
    return styling_clean(a, source);
}

struct str styling_finish(struct arena *a, const struct strbuf *out, size_t max)
{
    struct str text = strbuf_view(out);
    if (!out->full)
        return styling_cut(a, arena_dup(a, text), max);
    if (text.n < 64)
        return arena_concat(a, (const struct str[]){text, mark}, 2);
    return styling_cut(a, text, text.n - 1 < max ? text.n - 1 : max);
}
