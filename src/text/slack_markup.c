/* Slack's mrkdwn. A first pass tells code and references from text; a second one writes line by line. */
#include "text/slack_markup.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/shown.h"

// What a byte of the source is. The first byte of a thing has the kind, the others CONTINUED.
enum kind {
    KIND_TEXT,
    KIND_CODE,      // `code`
    KIND_BLOCK,     // ```block```
    KIND_REFERENCE, // <...>
    KIND_CONTINUED,
};

enum { DIRECTIVES = 3, CODE_MAX = 32 };
static const char directives[DIRECTIVES] = {'*', '_', '~'};

struct slack {
    struct arena *a;
    const struct slack_markup_options *options;
    struct str s;
    char *kinds;                // one for each byte, owned
    size_t closers[DIRECTIVES]; // where the next one stands that may close a span, as far as it was sought
    struct strbuf out;
    struct styling styling;
    struct strbuf text; // that is not yet written
    bool quote_rest;    // behind ">>>"
    bool fenced;        // a block was written last: what follows begins a line
};

static struct str decode(struct arena *a, struct str s)
{
    static const struct {
        struct str entity;
        char c;
    } entities[] = {{{"&lt;", 4}, '<'}, {{"&gt;", 4}, '>'}, {{"&amp;", 5}, '&'}};
    if (str_find(s, '&') < 0)
        return s;
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t at = 0; at < s.n;) {
        size_t used = 1;
        p[n] = s.p[at];
        for (size_t i = 0; i < 3 && s.p[at] == '&'; i++)
            if (str_starts(str_sub(s, at, at + 5), entities[i].entity)) {
                p[n] = entities[i].c;
                used = entities[i].entity.n;
                break;
            }
        at += used;
        n++;
    }
    p[n] = '\0';
    return (struct str){p, n};
}

static void mark(struct slack *k, size_t from, size_t end, enum kind kind)
{
    memset(k->kinds + from, KIND_CONTINUED, end - from);
    k->kinds[from] = (char)kind;
}

// The end of a thing that is closed by `close`, not at once and before `bound`; 0 when it is not.
static size_t closed_at(const struct slack *k, size_t from, struct str close, size_t bound)
{
    struct str rest = str_sub(k->s, from, bound);
    ptrdiff_t at = str_find_str(rest, close);
    return at <= 0 ? 0 : from + (size_t)at + close.n;
}

static size_t reference_end(const struct slack *k, size_t from, size_t bound)
{
    size_t at = from;
    while (at < bound && k->s.p[at] != '<' && k->s.p[at] != '>')
        at++;
    return at > from && at < bound && k->s.p[at] == '>' ? at + 1 : 0;
}

static size_t line_end(const struct slack *k, size_t from)
{
    ptrdiff_t at = str_find(str_sub(k->s, from, k->s.n), '\n');
    return at < 0 ? k->s.n : from + (size_t)at;
}

// Finds code and references.
static void read_kinds(struct slack *k)
{
    static const char seek[] = "`<";
    bool no_block = false, no_code = false; // none is closed any more, at all or on the line
    size_t end_of_line = line_end(k, 0);
    for (size_t at = 0; at < k->s.n; at++) {
        char c = k->s.p[at];
        size_t end = 0;
        enum kind kind = KIND_REFERENCE;
        if (c == '\n') {
            end_of_line = line_end(k, at + 1);
            no_code = false;
        }
        if (c == '\0' || !strchr(seek, c))
            continue;
        if (c == '<') {
            end = reference_end(k, at + 1, end_of_line);
        } else if (c == '`' && !k->options->plain && !no_block && str_starts(str_sub(k->s, at, at + 3), STR("```"))) {
            end = closed_at(k, at + 3, STR("```"), k->s.n);
            no_block = end == 0 && at + 3 < k->s.n && k->s.p[at + 3] != '`';
            kind = KIND_BLOCK;
        } else if (c == '`' && !k->options->plain && !no_code) {
            end = closed_at(k, at + 1, STR("`"), end_of_line);
            no_code = end == 0 && at + 1 < end_of_line && k->s.p[at + 1] != '`';
            kind = KIND_CODE;
            if (end > 0 && str_empty(str_trim(str_sub(k->s, at + 1, end - 1))))
                end = 0; // no code, but marks
        }
        if (end == 0)
            continue;
        mark(k, at, end, kind);
        end_of_line = end > end_of_line ? line_end(k, end) : end_of_line;
        at = end - 1;
    }
}

static size_t thing_end(const struct slack *k, size_t at)
{
    do
        at++;
    while (at < k->s.n && k->kinds[at] == KIND_CONTINUED);
    return at;
}

static void put(struct slack *k, struct str s)
{
    (void)strbuf_str(&k->text, s);
}

static void flush(struct slack *k, bool last)
{
    struct str text = strbuf_view(&k->text);
    if (text.n == 0)
        return;
    (void)(last ? styling_value_end(&k->styling, &k->out, text) : styling_value(&k->styling, &k->out, text));
    strbuf_clear(&k->text);
}

static void put_named(struct slack *k, enum styling_ref kind, char sign, struct str id, struct str label)
{
    if (str_empty(label) && k->options->name)
        label = k->options->name(k->options->name_ctx, kind, id);
    label = str_empty(label) ? id : label;
    if (label.n > 0 && label.p[0] != sign)
        (void)strbuf_char(&k->text, sign);
    put(k, label);
}

// "<!here>", "<!subteam^S1|@ops>", "<!date^1392734382^{date}^https://e.org|Feb 18>".
static void put_special(struct slack *k, struct str what, struct str label)
{
    struct str name, rest, seconds, form;
    (void)str_cut(what, '^', &name, &rest);
    (void)str_cut(rest, '^', &seconds, &form);
    if (str_eq(name, STR("subteam")) && !str_empty(seconds))
        put_named(k, STYLING_GROUP, '@', seconds, label);
    else if (str_eq(name, STR("date")) && str_empty(label) && shown_time(k->a, seconds, &label))
        put(k, label);
    else if (!str_empty(label))
        put(k, label);
    else
        put_named(k, STYLING_GROUP, '@', name, name);
}

static void put_link(struct slack *k, struct str whole, struct str target, struct str label)
{
    struct str url = shown_url(k->a, target);
    if (str_empty(url)) {
        put(k, str_empty(label) ? decode(k->a, whole) : label);
    } else if (str_empty(label) || shown_same(label, url)) {
        bool mail = str_empty(label) && str_starts(url, STR("mailto:"));
        put(k, str_empty(label) ? str_sub(url, mail ? 7 : 0, url.n) : label);
    } else {
        put(k, label);
        put(k, STR(" <"));
        put(k, url);
        put(k, STR(">"));
    }
}

static void put_reference(struct slack *k, struct str whole)
{
    struct str target, label;
    (void)str_cut(str_sub(whole, 1, whole.n - 1), '|', &target, &label);
    target = decode(k->a, target);
    label = str_trim(decode(k->a, label));
    struct str rest = str_sub(target, 1, target.n);
    char sign = target.n > 1 ? target.p[0] : '\0';
    if (sign == '@' || sign == '#')
        put_named(k, sign == '@' ? STYLING_USER : STYLING_CHANNEL, sign, rest, label);
    else if (sign == '!')
        put_special(k, rest, label);
    else
        put_link(k, whole, target, label);
}

static void put_line_end(struct slack *k, bool quoted)
{
    (void)strbuf_char(&k->out, '\n');
    if (quoted)
        (void)strbuf_c(&k->out, "> ");
}

// Text behind a block begins a line; the white space between them was left out.
static void begin_text(struct slack *k, bool quoted)
{
    if (k->fenced)
        put_line_end(k, quoted);
    k->fenced = false;
}

static void put_block(struct slack *k, struct str whole)
{
    struct str code = decode(k->a, str_sub(whole, 3, whole.n - 3));
    if (str_starts(code, STR("\n")))
        code = str_sub(code, 1, code.n);
    flush(k, true);
    (void)styling_fenced(&k->styling, &k->out, STR_NONE, code);
    k->fenced = true;
}

static void put_code(struct slack *k, struct str whole)
{
    flush(k, false);
    (void)styling_code(&k->styling, &k->out, decode(k->a, str_sub(whole, 1, whole.n - 1)));
}

static bool is_word(struct str s, size_t at)
{
    unsigned char c = at < s.n ? (unsigned char)s.p[at] : ' ';
    return c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_space(struct str s, size_t at)
{
    return at >= s.n || s.p[at] == ' ' || s.p[at] == '\t' || s.p[at] == '\n';
}

static int directive_at(const struct slack *k, size_t at)
{
    for (int d = 0; d < DIRECTIVES; d++)
        if (k->s.p[at] == directives[d] && k->kinds[at] == KIND_TEXT)
            return d;
    return -1;
}

// Where the span that opens at `from` closes, before `end`; 0 when it does not. What was sought is not sought again.
static size_t find_closer(struct slack *k, int d, size_t from, size_t end)
{
    size_t at = k->closers[d] > from + 1 ? k->closers[d] : from + 2;
    for (; at < end; at++)
        if (directive_at(k, at) == d && !is_space(k->s, at - 1) && !is_word(k->s, at + 1))
            break;
    k->closers[d] = at;
    return at < end ? at : 0;
}

// Bytes of a short code with its colons at `at`, whose characters go to *text; 0 when it is none.
static size_t read_emoji(const struct slack *k, size_t at, struct str *text)
{
    struct str near = str_sub(k->s, at + 1, at + 1 + CODE_MAX);
    ptrdiff_t end = str_find(near, ':');
    *text = end > 0 ? slack_markup_emoji(str_sub(near, 0, (size_t)end)) : STR_NONE;
    return str_empty(*text) ? 0 : (size_t)end + 2;
}

// A character of text, or a short code or an entity: the bytes that were read.
static size_t put_text(struct slack *k, size_t at, size_t end)
{
    struct str near = str_sub(k->s, at, at + 5 < end ? at + 5 : end), text;
    size_t n = near.p[0] == ':' ? read_emoji(k, at, &text) : 0;
    if (n > 0 && at + n <= end) {
        put(k, text);
        return n;
    }
    n = near.p[0] != '&' ? 1 : str_starts(near, STR("&amp;")) ? 5 : 4;
    text = decode(k->a, str_sub(near, 0, n));
    if (text.n != 1)
        n = 1;
    put(k, str_sub(text, 0, 1));
    return n;
}

static void put_range(struct slack *k, size_t from, size_t end, bool quoted);

// A span, when one begins here: where it ends, or 0.
static size_t put_span(struct slack *k, size_t at, size_t end, bool quoted)
{
    struct styling_span span;
    int d = directive_at(k, at);
    if (d < 0 || k->options->plain || (at > 0 && is_word(k->s, at - 1)) || is_space(k->s, at + 1))
        return 0;
    size_t closer = find_closer(k, d, at, end);
    if (closer == 0)
        return 0;
    flush(k, false);
    (void)styling_span_open(&k->styling, &k->out, directives[d], &span);
    bool written = span.written;
    if (!written)
        (void)strbuf_char(&k->text, directives[d]);
    put_range(k, at + 1, closer, quoted);
    if (!written)
        (void)strbuf_char(&k->text, directives[d]);
    flush(k, false);
    (void)styling_span_close(&k->styling, &k->out, &span);
    return closer + 1;
}

static void put_range(struct slack *k, size_t from, size_t end, bool quoted)
{
    for (size_t at = from, next; at < end && !k->out.full; at = next) {
        struct str thing = str_sub(k->s, at, next = thing_end(k, at));
        if (k->fenced && is_space(k->s, at))
            continue;
        begin_text(k, quoted);
        if (k->kinds[at] == KIND_BLOCK)
            put_block(k, thing);
        else if (k->kinds[at] == KIND_CODE)
            put_code(k, thing);
        else if (k->kinds[at] == KIND_REFERENCE)
            put_reference(k, thing);
        else {
            next = put_span(k, at, end, quoted);
            next = next ? next : at + put_text(k, at, end);
        }
    }
}

// Takes the quotation mark from the beginning of a line.
static bool take_quote(struct slack *k, size_t *at, size_t end)
{
    static const struct str rest_marks[] = {{"&gt;&gt;&gt;", 12}, {">>>", 3}}, marks[] = {{"&gt;", 4}, {">", 1}};
    struct str line = str_sub(k->s, *at, end);
    if (k->options->plain)
        return false;
    for (size_t i = 0; i < 4; i++) {
        struct str m = i < 2 ? rest_marks[i] : marks[i - 2];
        if (!str_starts(line, m))
            continue;
        k->quote_rest = k->quote_rest || i < 2;
        *at += m.n;
        if (*at < end && k->s.p[*at] == ' ')
            ++*at;
        return true;
    }
    return k->quote_rest;
}

// The end of the line that begins here; a block's lines belong to it.
static size_t end_of(const struct slack *k, size_t at)
{
    while (at < k->s.n && (k->s.p[at] != '\n' || k->kinds[at] == KIND_CONTINUED))
        at++;
    return at;
}

static void put_lines(struct slack *k)
{
    bool quoted;
    for (size_t at = 0, end; at <= k->s.n && !k->out.full; at = end + 1) {
        end = end_of(k, at);
        if (at > 0)
            put_line_end(k, false);
        k->fenced = false;
        quoted = take_quote(k, &at, end);
        if (quoted)
            (void)strbuf_c(&k->out, "> ");
        put_range(k, at, end, quoted);
        flush(k, true);
    }
}

struct str slack_markup_styled(struct arena *a, struct str source, const struct slack_markup_options *options)
{
    static const struct slack_markup_options usual = {0};
    struct slack k = {.a = a, .options = options ? options : &usual};
    size_t max = k.options->max ? k.options->max : (size_t)64 * 1024;
    max = max < 64 ? 64 : max;
    k.s = styling_source(a, source, SLACK_MARKUP_MAX);
    k.kinds = mem_zalloc(k.s.n + 1, 1);
    strbuf_init(&k.out, max + 1024);
    strbuf_init(&k.text, 4 * SLACK_MARKUP_MAX);
    read_kinds(&k);
    put_lines(&k);
    struct str text = styling_finish(a, &k.out, max);
    strbuf_finish(&k.out);
    strbuf_finish(&k.text);
    mem_free(k.kinds);
    return text;
}
