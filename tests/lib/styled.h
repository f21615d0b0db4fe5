/* A reader of message styling (XEP-0393), written from the XEP and not from src/text: what a client makes of a text. */
#ifndef SPANDREL_TESTS_STYLED_H
#define SPANDREL_TESTS_STYLED_H

#include "base/strbuf.h"
#include "base/utf8.h"

// What was found, in order: {b} {i} {s} {c} for spans, {q} for quotations, {pre} for blocks, each ended by {/}; line
// ends as they are. Text is left as it is, without the directives.
struct styled {
    struct strbuf out;
    size_t marks; // spans, quotations and blocks
};

static inline void styled_open(struct styled *r, const char *name)
{
    r->marks++;
    (void)strbuf_printf(&r->out, "{%s}", name);
}

static inline const char *styled_name(char c)
{
    return c == '*' ? "b" : c == '_' ? "i" : c == '~' ? "s" : c == '`' ? "c" : NULL;
}

// The first character that may close a span of c that opens at `from`; s.n when there is none.
static inline size_t styled_close(struct str s, size_t from)
{
    size_t at = from + 1;
    bool blank = at < s.n && utf8_blank(utf8_next(s, &at));
    if (from + 1 >= s.n || blank)
        return s.n;
    while (at < s.n) {
        size_t here = at;
        uint32_t c = utf8_next(s, &at);
        if (c == (unsigned char)s.p[from] && !blank)
            return here;
        blank = utf8_blank(c);
    }
    return s.n;
}

static inline void styled_spans(struct styled *r, struct str s)
{
    char opener = '\0'; // the character before, when it is an opening directive (that closes nowhere)
    bool free = true;
    for (size_t at = 0; at < s.n;) {
        size_t from = at;
        const char *name = styled_name(s.p[from]);
        bool may = name && (free || (opener && opener != s.p[from]));
        uint32_t c = utf8_next(s, &at);
        size_t close = may ? styled_close(s, from) : s.n;
        free = utf8_blank(c);
        opener = '\0';
        if (close < s.n) {
            styled_open(r, name);
            if (c == '`')
                (void)strbuf_str(&r->out, str_sub(s, from + 1, close));
            else
                styled_spans(r, str_sub(s, from + 1, close));
            (void)strbuf_c(&r->out, "{/}");
            at = close + 1;
            continue;
        }
        opener = may ? s.p[from] : '\0';
        (void)strbuf_str(&r->out, str_sub(s, from, at));
    }
}

static inline struct str styled_line(struct str *text)
{
    struct str line;
    (void)str_cut(*text, '\n', &line, text);
    return line;
}

static inline struct str styled_unquote(struct str line)
{
    size_t at = 1, next = 1;
    if (line.n > 1 && utf8_blank(utf8_next(line, &next)))
        at = next;
    return str_sub(line, at, line.n);
}

static inline void styled_blocks(struct styled *r, struct str text, unsigned depth);

// Takes the lines that begin with ">" from the front of *text.
static inline void styled_quotation(struct styled *r, struct str *text, unsigned depth)
{
    struct strbuf inner;
    strbuf_init(&inner, text->n + 1);
    for (bool first = true; str_starts(*text, STR(">")); first = false) {
        if (!first)
            (void)strbuf_char(&inner, '\n');
        (void)strbuf_str(&inner, styled_unquote(styled_line(text)));
    }
    styled_open(r, "q");
    styled_blocks(r, strbuf_view(&inner), depth + 1);
    (void)strbuf_c(&r->out, "{/}");
    strbuf_finish(&inner);
}

static inline void styled_preformatted(struct styled *r, struct str *text)
{
    (void)styled_line(text);
    styled_open(r, "pre");
    for (bool first = true; text->n > 0; first = false) {
        struct str line = styled_line(text);
        if (str_eq(line, STR("```")))
            break;
        (void)strbuf_c(&r->out, first ? "" : "\n");
        (void)strbuf_str(&r->out, line);
    }
    (void)strbuf_c(&r->out, "{/}");
}

static inline void styled_blocks(struct styled *r, struct str text, unsigned depth)
{
    for (bool first = true; text.n > 0; first = false) {
        (void)strbuf_c(&r->out, first ? "" : "\n");
        if (text.p[0] == '>' && depth < 100)
            styled_quotation(r, &text, depth);
        else if (str_starts(text, STR("```")))
            styled_preformatted(r, &text);
        else
            styled_spans(r, styled_line(&text));
    }
}

// To be ended by strbuf_finish(&out).
static inline struct styled styled_read(struct str text)
{
    struct styled r = {.marks = 0};
    strbuf_init(&r.out, 16 * text.n + 64);
    styled_blocks(&r, text, 0);
    return r;
}

static inline size_t styled_marks(struct str text)
{
    struct styled r = styled_read(text);
    strbuf_finish(&r.out);
    return r.marks;
}

#endif
