/* Spans that are written before it is known what stands in them. */
#include "base/utf8.h"
#include "text/styling.h"

bool styling_span_open(struct styling *s, struct strbuf *out, char directive, struct styling_span *span)
{
    *span = (struct styling_span){.directive = directive, .written = styling_opens(s, out, directive)};
    if (!span->written)
        return false;
    span->before = *s;
    span->at = out->n;
    (void)strbuf_char(out, directive);
    return true;
}

// True when the text between two directives makes a span of it all: nothing in it closes it before, be it the end of a
// line.
static bool holds_span(struct str text, char directive)
{
    bool blank = true;
    for (size_t at = 0; at < text.n;) {
        bool first = at == 0;
        uint32_t c = utf8_next(text, &at);
        if (c == '\n' || (c == (unsigned char)directive && !blank))
            return false;
        blank = utf8_blank(c);
        if (first && blank)
            return false;
    }
    return !blank;
}

bool styling_span_close(struct styling *s, struct strbuf *out, struct styling_span *span)
{
    bool full = out->full;
    if (!span->written)
        return false;
    span->written = false;
    if (span->at >= out->n)
        return true;
    if (holds_span(str_sub(strbuf_view(out), span->at + 1, out->n), span->directive)) {
        (void)strbuf_char(out, span->directive);
        return true;
    }
    memmove(out->p + span->at, out->p + span->at + 1, out->n - span->at - 1);
    strbuf_truncate(out, out->n - 1);
    out->full = full;
    *s = span->before;
    return true;
}
