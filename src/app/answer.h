/* The answer of an operation: paragraphs and tables, shown as text to people and as JSON to programs. */
#ifndef SPANDREL_APP_ANSWER_H
#define SPANDREL_APP_ANSWER_H

#include "base/arena.h"
#include "base/strbuf.h"

enum { ANSWER_COLUMNS = 16 };

struct answer_part;

struct answer {
    struct arena arena;
    struct answer_part *first, *last;
};

void answer_init(struct answer *a);
void answer_finish(struct answer *a);
// A paragraph.
void answer_say(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// A table: columns are a NULL-terminated list of at most ANSWER_COLUMNS literals; rows follow.
void answer_table(struct answer *a, const char *name, const char *const *columns);
// One row of the table begun last: as many cells as it has columns. Copied.
void answer_row(struct answer *a, const struct str *cells);

// Text for a terminal: tables aligned, with a header line; an empty table says "none".
void answer_text(const struct answer *a, struct strbuf *out);
// Text for a chat, where columns do not align: a line for each row, "name: second, third". Rows beyond the bound
// of `out` are counted in its last line. The others say by out->full that they did not fit.
void answer_chat(const struct answer *a, struct strbuf *out);
// One JSON object: {"text": [...], "<table name>": [{column: cell, ...}, ...]}.
void answer_json(const struct answer *a, struct strbuf *out);

#endif
