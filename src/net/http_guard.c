#include "net/http_guard.h"

enum { TOKEN = 1, VISIBLE = 2, TEXT = 4, EXTENSION = 8 };

// RFC 9110 section 5.6.2 (tchar), VCHAR, section 5.5 (field-content with obs-text, blanks and tabs), and RFC 9112
// section 7.1.1 (chunk-ext) without quoted strings, which nobody sends and parsers read differently.
static const uint8_t classes[256] = {
    ['\t'] = TEXT, [' '] = TEXT,
#define V(c) [c] = VISIBLE | TEXT
#define X(c) [c] = VISIBLE | TEXT | EXTENSION
#define T(c) [c] = TOKEN | VISIBLE | TEXT | EXTENSION
#define T4(c) T(c), T((c) + 1), T((c) + 2), T((c) + 3)
#define O4(c) [c] = TEXT, [(c) + 1] = TEXT, [(c) + 2] = TEXT, [(c) + 3] = TEXT
#define O16(c) O4(c), O4((c) + 4), O4((c) + 8), O4((c) + 12)
    T('!'),        V('"'),       T4('#'),   T('\''),   V('('),    V(')'),    T('*'),    T('+'),    V(','),
    T('-'),        T('.'),       V('/'),    T4('0'),   T4('4'),   T('8'),    T('9'),    V(':'),    X(';'),
    V('<'),        X('='),       V('>'),    V('?'),    V('@'),    T4('A'),   T4('E'),   T4('I'),   T4('M'),
    T4('Q'),       T4('U'),      T('Y'),    T('Z'),    V('['),    V('\\'),   V(']'),    T4('^'),   T4('b'),
    T4('f'),       T4('j'),      T4('n'),   T4('r'),   T4('v'),   T('z'),    V('{'),    T('|'),    V('}'),
    T('~'),        O16(0x80),    O16(0x90), O16(0xa0), O16(0xb0), O16(0xc0), O16(0xd0), O16(0xe0), O16(0xf0),
#undef V
#undef X
#undef T
#undef T4
#undef O4
#undef O16
};

// What a state takes without a thought.
static const uint8_t runs[GUARD_FAULT + 1] = {
    [GUARD_METHOD] = TOKEN, [GUARD_TARGET] = VISIBLE,      [GUARD_NAME] = TOKEN,
    [GUARD_VALUE] = TEXT,   [GUARD_EXTENSION] = EXTENSION,
};

static enum http_guard_state fail(struct http_guard *g, enum http_fault f)
{
    g->fault = f;
    return GUARD_FAULT;
}

// --- a byte that ends a run, or belongs to none ---

static enum http_guard_state at_start(struct http_guard *g, unsigned char c)
{
    if (c == '\r')
        return GUARD_START_LF;
    return classes[c] & TOKEN ? GUARD_METHOD : fail(g, c < 0x20 ? HTTP_FAULT_CONTROL : HTTP_FAULT_METHOD);
}

static enum http_guard_state at_start_lf(struct http_guard *g, unsigned char c)
{
    return c == '\n' ? GUARD_START : fail(g, HTTP_FAULT_CONTROL);
}

static enum http_guard_state at_method(struct http_guard *g, unsigned char c)
{
    return c == ' ' ? GUARD_TARGET : fail(g, c < 0x20 ? HTTP_FAULT_CONTROL : HTTP_FAULT_METHOD);
}

static enum http_guard_state at_target(struct http_guard *g, unsigned char c)
{
    g->at = 0;
    if (c == ' ')
        return GUARD_VERSION;
    if (c == '\r') // HTTP/0.9, or a line broken within
        return fail(g, HTTP_FAULT_VERSION_BAD);
    return fail(g, c < 0x20 ? HTTP_FAULT_CONTROL : HTTP_FAULT_TARGET);
}

// "HTTP/1.x" and CR; any other digits are a version too, not one of ours.
static enum http_guard_state at_version(struct http_guard *g, unsigned char c)
{
    static const char form[] = "HTTP/d.d\r";
    unsigned i = g->at++;
    bool digit = c >= '0' && c <= '9';
    if (form[i] == 'd' ? !digit : c != (unsigned char)form[i])
        return fail(g, HTTP_FAULT_VERSION_BAD);
    if ((i == 5 && c != '1') || (i == 7 && c > '1'))
        g->fault = HTTP_FAULT_VERSION; // told once the line is whole
    return form[i] == '\r' ? GUARD_LINE_LF : GUARD_VERSION;
}

static enum http_guard_state at_line_lf(struct http_guard *g, unsigned char c)
{
    if (c != '\n')
        return fail(g, HTTP_FAULT_CONTROL);
    return g->fault ? GUARD_FAULT : GUARD_FIELD;
}

static enum http_guard_state at_field(struct http_guard *g, unsigned char c)
{
    if (c == '\r')
        return GUARD_END_LF;
    if (c == ' ' || c == '\t')
        return fail(g, HTTP_FAULT_FOLD);
    if (!(classes[c] & TOKEN))
        return fail(g, c < 0x20 ? HTTP_FAULT_CONTROL : HTTP_FAULT_NAME);
    return ++g->fields > g->fields_max ? fail(g, HTTP_FAULT_FIELDS) : GUARD_NAME;
}

static enum http_guard_state at_name(struct http_guard *g, unsigned char c)
{
    return c == ':' ? GUARD_VALUE : fail(g, HTTP_FAULT_NAME);
}

static enum http_guard_state at_value(struct http_guard *g, unsigned char c)
{
    return c == '\r' ? GUARD_VALUE_LF : fail(g, HTTP_FAULT_CONTROL);
}

static enum http_guard_state at_value_lf(struct http_guard *g, unsigned char c)
{
    return c == '\n' ? GUARD_FIELD : fail(g, HTTP_FAULT_CONTROL);
}

static enum http_guard_state at_end_lf(struct http_guard *g, unsigned char c)
{
    return c == '\n' ? GUARD_DONE : fail(g, HTTP_FAULT_CONTROL);
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum http_guard_state at_size(struct http_guard *g, unsigned char c)
{
    int digit = hex_value(c);
    if (digit >= 0 && g->at < HTTP_CHUNK_DIGITS_MAX) {
        g->at++;
        g->left = g->left * 16 + (unsigned)digit;
        return GUARD_SIZE;
    }
    if (digit >= 0 || g->at == 0)
        return fail(g, HTTP_FAULT_CHUNK);
    if (c == '\r')
        return GUARD_SIZE_LF;
    return c == ';' ? GUARD_EXTENSION : fail(g, HTTP_FAULT_CHUNK);
}

static enum http_guard_state at_extension(struct http_guard *g, unsigned char c)
{
    return c == '\r' ? GUARD_SIZE_LF : fail(g, HTTP_FAULT_CHUNK);
}

static enum http_guard_state at_size_lf(struct http_guard *g, unsigned char c)
{
    if (c != '\n')
        return fail(g, HTTP_FAULT_CHUNK);
    if (g->left)
        return GUARD_DATA;
    g->trailers = true;
    return GUARD_FIELD;
}

static enum http_guard_state at_data_cr(struct http_guard *g, unsigned char c)
{
    return c == '\r' ? GUARD_DATA_LF : fail(g, HTTP_FAULT_CHUNK);
}

static enum http_guard_state at_data_lf(struct http_guard *g, unsigned char c)
{
    g->at = 0;
    return c == '\n' ? GUARD_SIZE : fail(g, HTTP_FAULT_CHUNK);
}

static enum http_guard_state (*const steps[])(struct http_guard *g, unsigned char c) = {
    [GUARD_START] = at_start,         [GUARD_START_LF] = at_start_lf, [GUARD_METHOD] = at_method,
    [GUARD_TARGET] = at_target,       [GUARD_VERSION] = at_version,   [GUARD_LINE_LF] = at_line_lf,
    [GUARD_FIELD] = at_field,         [GUARD_NAME] = at_name,         [GUARD_VALUE] = at_value,
    [GUARD_VALUE_LF] = at_value_lf,   [GUARD_END_LF] = at_end_lf,     [GUARD_SIZE] = at_size,
    [GUARD_EXTENSION] = at_extension, [GUARD_SIZE_LF] = at_size_lf,   [GUARD_DATA_CR] = at_data_cr,
    [GUARD_DATA_LF] = at_data_lf,
};

// --- bytes ---

void http_guard_head(struct http_guard *g, size_t head_max, size_t line_max, unsigned fields_max)
{
    *g =
        (struct http_guard){.state = GUARD_START, .head_max = head_max, .line_max = line_max, .fields_max = fields_max};
}

void http_guard_chunks(struct http_guard *g)
{
    *g = (struct http_guard){.state = GUARD_SIZE, .head_max = HTTP_TRAILER_BYTES_MAX, .fields_max = HTTP_TRAILERS_MAX};
}

static bool in_lines(enum http_guard_state s)
{
    return s <= GUARD_END_LF;
}

// How many bytes may still come in this state; its part that has no bound is bounded by who takes the body.
static size_t room(const struct http_guard *g)
{
    if (in_lines(g->state))
        return (g->state <= GUARD_LINE_LF ? g->line_max : g->head_max) - g->bytes;
    if (g->state == GUARD_EXTENSION)
        return HTTP_CHUNK_EXTENSIONS_MAX - g->extension;
    return g->state == GUARD_DATA ? (size_t)g->left : 1;
}

static enum http_fault overflow(const struct http_guard *g)
{
    if (g->state == GUARD_EXTENSION)
        return HTTP_FAULT_CHUNK;
    return g->state <= GUARD_LINE_LF ? HTTP_FAULT_LINE_LONG : HTTP_FAULT_HEAD_LARGE;
}

static size_t skip(uint8_t class, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && classes[(unsigned char)p[i]] & class)
        i++;
    return i;
}

static void count(struct http_guard *g, enum http_guard_state was, size_t n)
{
    if (in_lines(was))
        g->bytes += n;
    else if (was == GUARD_EXTENSION)
        g->extension += n;
}

// Some bytes of one state; how many.
static size_t advance(struct http_guard *g, const char *p, size_t n)
{
    enum http_guard_state was = g->state;
    if (was == GUARD_DATA) {
        g->left -= n;
        g->state = g->left ? GUARD_DATA : GUARD_DATA_CR;
        return n;
    }
    size_t taken = skip(runs[was], p, n);
    if (!taken) {
        g->state = steps[was](g, (unsigned char)*p);
        taken = 1;
    }
    count(g, was, taken);
    return taken;
}

size_t http_guard_read(struct http_guard *g, struct str in)
{
    size_t at = 0;
    while (at < in.n && g->state < GUARD_DONE) {
        size_t n = room(g), have = in.n - at;
        if (n == 0)
            g->state = fail(g, overflow(g));
        else
            at += advance(g, in.p + at, n < have ? n : have);
    }
    if (g->state == GUARD_FAULT && g->trailers)
        g->fault = HTTP_FAULT_TRAILER;
    return at;
}
