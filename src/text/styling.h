/* Message styling (XEP-0393): the one markup of chat text, and how text of others is put into it.
 *
 * A value from outside must not be read as markup. By section 5.2 of the XEP a span opens only at the beginning of its
 * block, behind white space or behind another opening directive, and a block (">", "```") only at the beginning of a
 * line. So exactly there a U+2060 WORD JOINER, which is neither seen nor white space, is put before the directive;
 * "a*b", "snake_case" and "* item" stay as they are, and so does all text within a preformatted block, but for a line
 * that would end it. What is not touched: a value's directive that closes a span which the text before it opened; the
 * span is then shorter, no more. */
#ifndef SPANDREL_TEXT_STYLING_H
#define SPANDREL_TEXT_STYLING_H

#include "base/arena.h"
#include "base/strbuf.h"

// Where in a text its end stands: begun with zeroes, and kept over all that is added to one buffer. The functions read
// what the caller has added to the buffer by himself since the last call, once.
struct styling {
    size_t seen;          // bytes of the buffer that were read
    unsigned depth;       // quote marks at the beginning of this line
    unsigned block_depth; // the same for the lines of the preformatted block
    unsigned ticks;       // grave accents at the beginning of this line, behind the quote marks; 4 stands for more
    bool in_block;        // within a preformatted block
    bool opening;         // this line began the preformatted block
    unsigned char place;  // of the next character in its line
    unsigned char before; // what the character before is, for spans: itself when it is an opening directive
};

// Adds a value of others to the text in `out`: cleaned as by styling_clean(), escaped for its place. Where the text
// before it stands in a quotation, the lines of the value stay in it. False when it does not fit: then nothing, or the
// beginning of the value, was added.
bool styling_value(struct styling *s, struct strbuf *out, struct str value);
// The same for a value that ends its line: no joiner is put where a span would need more text to close.
bool styling_value_end(struct styling *s, struct strbuf *out, struct str value);
// True where a span of this directive ('*', '_', '~' or '`') may open next.
bool styling_opens(struct styling *s, const struct strbuf *out, char directive);
// The text as it is, as a body that shows it without any styling. It lives in the arena, or is `text` itself.
struct str styling_escape(struct arena *a, struct str text);
// What may stand in a stanza and be shown: UTF-8 (U+FFFD for malformed bytes), lines ended by \n, no controls but tab,
// no terminal (ANSI) sequences, no bidi embeddings and overrides, isolates closed on their line. `text` itself when it
// is clean.
struct str styling_clean(struct arena *a, struct str text);

// Adds `text` as code: a span, or a preformatted block on lines of its own when it has several lines; the text cannot
// end either: a span that has a grave accent becomes a block too. False when it does not fit.
bool styling_code(struct styling *s, struct strbuf *out, struct str text);
// Adds a preformatted block on lines of its own, ended by a line end. `info` stands behind the opening mark (a
// language), or is empty.
bool styling_block(struct styling *s, struct strbuf *out, struct str info, struct str text);
// The same without the line end.
bool styling_fenced(struct styling *s, struct strbuf *out, struct str info, struct str text);
// Adds `text` as a quotation on lines of its own, ended by a line end; within, it is escaped.
bool styling_quote(struct styling *s, struct strbuf *out, struct str text);

// A span that is being written. It keeps its directives only when it would be read as that span: where it may open, and
// when nothing in it closes it early.
struct styling_span {
    char directive;
    bool written; // the opening directive stands at `at`
    size_t at;
    struct styling before;
};

// Begins a span of '*', '_' or '~': true when it may open here, and its directive was added.
bool styling_span_open(struct styling *s, struct strbuf *out, char directive, struct styling_span *span);
// Ends it: adds the closing directive, or takes the opening one out again. True when one had been written. A span
// should end on the line where it began, and what is within it has ended before.
bool styling_span_close(struct styling *s, struct strbuf *out, struct styling_span *span);

// `text` itself when it has at most `max` bytes; else its beginning, cut at a character, with a mark " […]" behind it;
// a preformatted block that is open there is closed. `max` is at least 32.
struct str styling_cut(struct arena *a, struct str text, size_t max);

// A source of others as it is read: at most `max` of its bytes, with the mark when there were more, cleaned. In the
// arena, or `source` itself.
struct str styling_source(struct arena *a, struct str source, size_t max);
// What was written to a buffer that has room for more than `max` bytes, in the arena, with the mark when it was more:
// `full` counts as more.
struct str styling_finish(struct arena *a, const struct strbuf *out, size_t max);

// Who or what a reference by id in a foreign text means.
enum styling_ref {
    STYLING_USER,
    STYLING_CHANNEL,
    STYLING_GROUP, // a role (Discord), a user group (Slack)
};

// The name for an id, without "@" or "#"; empty when it is not known, then the id is shown. May be NULL.
typedef struct str styling_name_fn(void *ctx, enum styling_ref kind, struct str id);

#endif
