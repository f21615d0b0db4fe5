/* What the files of Markdown share. */
#ifndef SPANDREL_TEXT_MARKDOWN_PRIVATE_H
#define SPANDREL_TEXT_MARKDOWN_PRIVATE_H

#include "text/markdown.h"

// The character of an entity with "&" and ";"; the text itself when it is not known. `out` holds 8 bytes.
struct str markdown_entity(struct str entity, char out[8]);
// A block of raw HTML as text: without tags, comments, scripts and styles, entities decoded, empty lines dropped.
struct str markdown_html_text(struct arena *a, struct str html);
// True for <br>, <br/>.
bool markdown_is_break(struct str tag);

// Discord's own marks, outside of code, in plain Markdown.
struct str markdown_from_discord(struct arena *a, struct str source, const struct markdown_options *options);
struct markdown_cell {
    struct str text;
    enum markdown_align { CELL_LEFT, CELL_RIGHT, CELL_CENTER } align;
    struct markdown_cell *next;
};

struct markdown_row {
    struct markdown_cell *first, *last;
    struct markdown_row *next;
};

struct markdown_table {
    struct markdown_row *first, *last; // the first is the head
};

void markdown_table_row(struct arena *a, struct markdown_table *t);
void markdown_table_cell(struct arena *a, struct markdown_table *t, struct str text, enum markdown_align align);
// The lines of the table, of at most `max` bytes.
struct str markdown_table_text(struct arena *a, const struct markdown_table *t, size_t max);

#endif
