/* What of a foreign text may be shown: styling_clean(). */
#include "base/utf8.h"
#include "text/styling.h"

enum {
    ESCAPE = 0x1B,
    BELL = 0x07,
    NEXT_LINE = 0x85,
    LINE_SEPARATOR = 0x2028,
    PARAGRAPH_SEPARATOR = 0x2029,
    FIRST_EMBEDDING = 0x202A,
    LAST_OVERRIDE = 0x202E,
    FIRST_ISOLATE = 0x2066,
    LAST_ISOLATE = 0x2068,
    POP_ISOLATE = 0x2069,
    BYTE_ORDER_MARK = 0xFEFF,
    FIRST_ANNOTATION = 0xFFF9,
    LAST_ANNOTATION = 0xFFFB,
    REPLACEMENT = 0xFFFD,
    ISOLATES = 32, // open on a line; more are dropped
};

struct cleaner {
    struct str s;
    size_t at;
    char *p; // the result
    size_t n;
    unsigned isolates; // open on this line
};

static bool is_control(uint32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c < 0xA0);
}

static bool is_invisible(uint32_t c)
{
    return (c >= FIRST_EMBEDDING && c <= LAST_OVERRIDE) || c == BYTE_ORDER_MARK ||
           (c >= FIRST_ANNOTATION && c <= LAST_ANNOTATION);
}

// True for a character that stays as it is, wherever it stands.
static bool stays(uint32_t c)
{
    return utf8_xml_char(c) && !is_control(c) && !is_invisible(c) && c != LINE_SEPARATOR && c != PARAGRAPH_SEPARATOR &&
           !(c >= FIRST_ISOLATE && c <= POP_ISOLATE);
}

// Moves behind the bytes from `low` to `high`.
static size_t skip_range(struct str s, size_t at, char low, char high)
{
    while (at < s.n && s.p[at] >= low && s.p[at] <= high)
        at++;
    return at;
}

// Moves behind a control sequence (ECMA-48: CSI) whose "ESC [" was read.
static size_t skip_csi(struct str s, size_t at)
{
    at = skip_range(s, at, '0', '?');
    at = skip_range(s, at, ' ', '/');
    return at < s.n && s.p[at] >= '@' && s.p[at] <= '~' ? at + 1 : at;
}

// Moves behind a command (OSC) whose "ESC ]" was read; it ends with BEL or ESC \, on its line, else it is text.
static size_t skip_osc(struct str s, size_t from)
{
    size_t at = from;
    while (at < s.n && s.p[at] != BELL && s.p[at] != ESCAPE && s.p[at] != '\n')
        at++;
    if (at < s.n && s.p[at] == BELL)
        return at + 1;
    return str_starts(str_sub(s, at, s.n), STR("\033\\")) ? at + 2 : from;
}

static void skip_sequence(struct cleaner *c)
{
    char kind = c->at < c->s.n ? c->s.p[c->at] : '\0';
    if (kind == '[')
        c->at = skip_csi(c->s, c->at + 1);
    else if (kind == ']')
        c->at = skip_osc(c->s, c->at + 1);
}

static void put(struct cleaner *c, uint32_t ch)
{
    c->n += utf8_put(c->p + c->n, ch);
}

static void close_isolates(struct cleaner *c)
{
    for (; c->isolates > 0; c->isolates--)
        put(c, POP_ISOLATE);
}

static void put_line_end(struct cleaner *c)
{
    close_isolates(c);
    put(c, '\n');
}

static void put_isolate(struct cleaner *c, uint32_t ch)
{
    if (ch == POP_ISOLATE ? c->isolates == 0 : c->isolates == ISOLATES)
        return;
    c->isolates += ch == POP_ISOLATE ? -1u : 1u;
    put(c, ch);
}

static void clean_one(struct cleaner *c)
{
    uint32_t ch = utf8_next(c->s, &c->at);
    if (ch == '\r' && c->at < c->s.n && c->s.p[c->at] == '\n')
        return;
    if (ch == '\n' || ch == '\r' || ch == NEXT_LINE || ch == LINE_SEPARATOR || ch == PARAGRAPH_SEPARATOR)
        put_line_end(c);
    else if (ch == ESCAPE)
        skip_sequence(c);
    else if (ch >= FIRST_ISOLATE && ch <= POP_ISOLATE)
        put_isolate(c, ch);
    else if (stays(ch))
        put(c, ch);
    else if (!is_control(ch) && !is_invisible(ch))
        put(c, REPLACEMENT);
}

struct str styling_clean(struct arena *a, struct str text)
{
    size_t from = 0;
    for (size_t at = 0; at < text.n && stays(utf8_next(text, &at));)
        from = at;
    if (from == text.n)
        return text;
    struct cleaner c = {.s = text, .at = from, .n = from};
    c.p = arena_alloc(a, from + 3 * (text.n - from) + 1); // a malformed byte gives three; an isolate takes two of three
    if (from)
        memcpy(c.p, text.p, from);
    while (c.at < c.s.n)
        clean_one(&c);
    close_isolates(&c);
    c.p[c.n] = '\0';
    return (struct str){c.p, c.n};
}
