/* Discord's own marks: read before the Markdown, outside of code. */
#include "text/markdown_private.h"
#include "text/shown.h"

struct discord {
    struct arena *a;
    const struct markdown_options *options;
    struct strbuf out;
    struct str s;
    size_t at;
    bool quote_rest; // behind ">>> "
};

enum { MARK = 64 }; // bytes of the longest mark between "<" and ">"

// As text: each mark of Markdown behind a backslash.
static void put_text(struct discord *d, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != '\0' && strchr("\\`*_{}[]()<>#+-.!|~&:", text.p[i]))
            (void)strbuf_char(&d->out, '\\');
        (void)strbuf_char(&d->out, text.p[i] == '\n' ? ' ' : text.p[i]);
    }
}

static bool is_id(struct str s)
{
    uint64_t id;
    return str_to_u64(s, &id);
}

static bool put_ref(struct discord *d, enum styling_ref kind, char sign, struct str id)
{
    struct str name = STR_NONE;
    if (!is_id(id))
        return false;
    if (d->options->name)
        name = d->options->name(d->options->name_ctx, kind, id);
    (void)strbuf_char(&d->out, sign);
    put_text(d, str_empty(name) ? id : name);
    return true;
}

static bool put_emoji(struct discord *d, struct str mark)
{
    struct str name, id;
    mark = str_sub(mark, str_starts(mark, STR("a")) ? 2 : 1, mark.n);
    if (!str_cut(mark, ':', &name, &id) || str_empty(name) || !is_id(id))
        return false;
    (void)strbuf_char(&d->out, ':');
    put_text(d, name);
    return strbuf_char(&d->out, ':');
}

static bool put_time(struct discord *d, struct str mark)
{
    struct str seconds, form, text;
    (void)str_cut(str_sub(mark, 2, mark.n), ':', &seconds, &form);
    if (!shown_time(d->a, seconds, &text))
        return false;
    put_text(d, text);
    return true;
}

static bool put_mark(struct discord *d, struct str mark)
{
    if (str_starts(mark, STR("@&")))
        return put_ref(d, STYLING_GROUP, '@', str_sub(mark, 2, mark.n));
    if (str_starts(mark, STR("@!")))
        return put_ref(d, STYLING_USER, '@', str_sub(mark, 2, mark.n));
    if (str_starts(mark, STR("@")))
        return put_ref(d, STYLING_USER, '@', str_sub(mark, 1, mark.n));
    if (str_starts(mark, STR("#")))
        return put_ref(d, STYLING_CHANNEL, '#', str_sub(mark, 1, mark.n));
    if (str_starts(mark, STR(":")) || str_starts(mark, STR("a:")))
        return put_emoji(d, mark);
    return str_starts(mark, STR("t:")) && put_time(d, mark);
}

// "<...>": true when it was one of Discord's.
static bool take_mark(struct discord *d)
{
    struct str near = str_sub(d->s, d->at + 1, d->at + 1 + MARK);
    ptrdiff_t end = str_find(near, '>');
    if (end < 1 || !put_mark(d, str_sub(near, 0, (size_t)end)))
        return false;
    d->at += (size_t)end + 2;
    return true;
}

static size_t run_length(struct str s, size_t at, char c)
{
    size_t n = 0;
    while (at + n < s.n && s.p[at + n] == c)
        n++;
    return n;
}

// Code, up to the same number of grave accents; `missing` remembers the lengths that were sought in vain.
static void take_code(struct discord *d, bool missing[8])
{
    size_t n = run_length(d->s, d->at, '`'), at = d->at + n, length = n < 7 ? n : 7, run;
    while (!missing[length] && at < d->s.n) {
        run = run_length(d->s, at, '`');
        if (run == n) {
            (void)strbuf_str(&d->out, str_sub(d->s, d->at, at + n));
            d->at = at + n;
            return;
        }
        at += run ? run : 1;
    }
    missing[length] = true;
    (void)strbuf_str(&d->out, str_sub(d->s, d->at, d->at + n));
    d->at += n;
}

static bool is_word(struct str s, size_t at)
{
    unsigned char c = at < s.n ? (unsigned char)s.p[at] : ' ';
    return c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

// "__" at the edge of a word is underlined text: it becomes "_", so that it is told from what is strong.
static void take_lines(struct discord *d)
{
    size_t n = run_length(d->s, d->at, '_');
    bool within = d->at > 0 && is_word(d->s, d->at - 1) && is_word(d->s, d->at + n);
    (void)strbuf_str(&d->out, str_sub(d->s, d->at, d->at + (n <= 3 && !within ? 1 : n)));
    d->at += n;
}

static bool at_line_start(const struct discord *d)
{
    return d->at == 0 || d->s.p[d->at - 1] == '\n';
}

static void take_line_start(struct discord *d)
{
    if (!d->quote_rest && str_starts(str_sub(d->s, d->at, d->s.n), STR(">>> "))) {
        d->quote_rest = true;
        d->at += 4;
    }
    if (d->quote_rest)
        (void)strbuf_c(&d->out, "> ");
}

struct str markdown_from_discord(struct arena *a, struct str source, const struct markdown_options *options)
{
    struct discord d = {.a = a, .options = options, .s = source};
    bool missing[8] = {false};
    strbuf_init(&d.out, 2 * MARKDOWN_MAX);
    while (d.at < source.n && !d.out.full) {
        if (at_line_start(&d))
            take_line_start(&d);
        char c = d.at < source.n ? source.p[d.at] : '\0';
        if (c == '`')
            take_code(&d, missing);
        else if (c == '_')
            take_lines(&d);
        else if (c == '\\') {
            (void)strbuf_str(&d.out, str_sub(source, d.at, d.at + 2));
            d.at += 2;
        } else if (c != '<' || !take_mark(&d)) {
            (void)strbuf_str(&d.out, str_sub(source, d.at, d.at + 1));
            d.at++;
        }
    }
    struct str text = arena_dup(a, strbuf_view(&d.out));
    strbuf_finish(&d.out);
    return text;
}
