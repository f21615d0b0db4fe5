#include "xml/xml_frame.h"

enum state { GAP, PROLOG, LT, DECL_OPEN, DECL, TAG, VALUE, END_TAG, TEXT, CDATA_OPEN, CDATA, CLOSED, BAD, STATES };

void xml_frame_init(struct xml_frame *f, size_t bound)
{
    *f = (struct xml_frame){.state = GAP, .bound = bound};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Bytes up to and with the first `c`, or all n; *found tells which.
static size_t up_to(const char *p, size_t n, char c, bool *found)
{
    const char *at = memchr(p, c, n);
    *found = at;
    return at ? (size_t)(at - p) + 1 : n;
}

static enum xml_piece go(struct xml_frame *f, enum state state)
{
    f->state = state;
    f->matched = 0;
    return XML_PIECE_MORE;
}

static enum xml_piece finish(struct xml_frame *f, enum state state, enum xml_piece piece)
{
    go(f, state);
    f->inside = false;
    return piece;
}

static enum xml_piece bad(struct xml_frame *f)
{
    return finish(f, BAD, XML_PIECE_BAD);
}

/* Each step gets at least one byte, counts in *used those that it took, and returns what that completed. */

static enum xml_piece step_gap(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)n;
    *used = 1;
    if (is_space(*p))
        return XML_PIECE_MORE;
    if (*p != '<')
        return bad(f);
    f->inside = true;
    f->size = f->head = f->attrs = 0;
    return go(f, LT);
}

// Between the XML declaration and the header; both are one piece.
static enum xml_piece step_prolog(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)n;
    *used = 1;
    if (is_space(*p))
        return XML_PIECE_MORE;
    return *p == '<' ? go(f, LT) : bad(f);
}

static enum xml_piece step_lt(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)n;
    *used = 1;
    switch (*p) {
    case '/':
        return f->depth ? go(f, END_TAG) : bad(f);
    case '!':
        return f->depth > 1 ? go(f, CDATA_OPEN) : bad(f);
    case '?':
        return f->depth ? bad(f) : go(f, DECL_OPEN);
    default:
        f->slash = false;
        *used = 0;
        return go(f, TAG);
    }
}

static enum xml_piece expect(struct xml_frame *f, const char *word, char c, enum state then)
{
    if (c != word[f->matched])
        return bad(f);
    f->matched++;
    return word[f->matched] ? XML_PIECE_MORE : go(f, then);
}

static enum xml_piece step_decl_open(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)n;
    *used = 1;
    return expect(f, "xml ", *p, DECL);
}

static enum xml_piece step_decl(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    bool found;
    *used = up_to(p, n, '>', &found);
    return found ? go(f, PROLOG) : XML_PIECE_MORE;
}

static enum xml_piece tag_ended(struct xml_frame *f)
{
    size_t depth = f->depth;
    if (!f->slash)
        f->depth++;
    if (depth == 0)
        return f->slash ? bad(f) : finish(f, GAP, XML_PIECE_HEADER);
    if (depth == 1 && f->slash)
        return finish(f, GAP, XML_PIECE_STANZA);
    return go(f, TEXT);
}

static enum xml_piece step_tag(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    size_t i = 0;
    while (i < n && p[i] != '>' && p[i] != '"' && p[i] != '\'' && p[i] != '<')
        i++;
    if (i)
        f->slash = p[i - 1] == '/';
    *used = i < n ? i + 1 : i;
    if (i == n)
        return XML_PIECE_MORE;
    if (p[i] == '<')
        return bad(f);
    if (p[i] != '>') {
        f->quote = p[i];
        return go(f, VALUE);
    }
    if (!f->head)
        f->head = f->size + *used;
    return tag_ended(f);
}

static enum xml_piece step_value(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    bool found;
    *used = up_to(p, n, f->quote, &found);
    if (!found)
        return XML_PIECE_MORE;
    if (!f->head && f->size + *used <= f->bound)
        f->attrs = f->size + *used;
    f->slash = false;
    return go(f, TAG);
}

static enum xml_piece step_end_tag(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    bool found;
    *used = up_to(p, n, '>', &found);
    if (!found)
        return XML_PIECE_MORE;
    f->depth--;
    if (f->depth == 0)
        return finish(f, CLOSED, XML_PIECE_CLOSE);
    return f->depth == 1 ? finish(f, GAP, XML_PIECE_STANZA) : go(f, TEXT);
}

static enum xml_piece step_text(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    bool found;
    *used = up_to(p, n, '<', &found);
    return found ? go(f, LT) : XML_PIECE_MORE;
}

static enum xml_piece step_cdata_open(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)n;
    *used = 1;
    return expect(f, "[CDATA[", *p, CDATA);
}

// `matched` counts the ']' just seen: two or more and a '>' end the section.
static enum xml_piece step_cdata(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    if (f->matched == 0) {
        bool found;
        *used = up_to(p, n, ']', &found);
        f->matched = found;
        return XML_PIECE_MORE;
    }
    *used = 1;
    if (*p == '>' && f->matched == 2)
        return go(f, TEXT);
    f->matched = *p == ']' ? 2 : 0;
    return XML_PIECE_MORE;
}

static enum xml_piece step_closed(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)f;
    (void)p;
    *used = n;
    return XML_PIECE_MORE;
}

static enum xml_piece step_bad(struct xml_frame *f, const char *p, size_t n, size_t *used)
{
    (void)p;
    *used = n;
    return bad(f);
}

typedef enum xml_piece step_fn(struct xml_frame *f, const char *p, size_t n, size_t *used);

static step_fn *const steps[STATES] = {
    [GAP] = step_gap,     [PROLOG] = step_prolog,
    [LT] = step_lt,       [DECL_OPEN] = step_decl_open,
    [DECL] = step_decl,   [TAG] = step_tag,
    [VALUE] = step_value, [END_TAG] = step_end_tag,
    [TEXT] = step_text,   [CDATA_OPEN] = step_cdata_open,
    [CDATA] = step_cdata, [CLOSED] = step_closed,
    [BAD] = step_bad,
};

enum xml_piece xml_frame_next(struct xml_frame *f, struct str *rest, struct str *part)
{
    size_t at = 0;
    size_t begin = 0;
    bool begun = f->inside;
    enum xml_piece piece = XML_PIECE_MORE;
    while (at < rest->n && piece == XML_PIECE_MORE) {
        size_t used = 0;
        piece = steps[f->state](f, rest->p + at, rest->n - at, &used);
        if (!begun && f->inside) {
            begun = true;
            begin = at;
        }
        f->size += used;
        at += used;
    }
    *part = begun ? str_sub(*rest, begin, at) : STR_NONE;
    *rest = str_sub(*rest, at, rest->n);
    return piece;
}
