/* Tables as lines of padded columns. */
#include "base/utf8.h"
#include "text/markdown_private.h"

enum {
    COLUMNS = 64, // that are padded
    WIDTH = 40,   // characters to which a column is padded; a longer cell stands out
};

void markdown_table_row(struct arena *a, struct markdown_table *t)
{
    struct markdown_row *row = ARENA_NEW(a, struct markdown_row);
    *(t->last ? &t->last->next : &t->first) = row;
    t->last = row;
}

void markdown_table_cell(struct arena *a, struct markdown_table *t, struct str text, enum markdown_align align)
{
    struct markdown_row *row = t->last;
    struct markdown_cell *cell = ARENA_NEW(a, struct markdown_cell);
    if (!row)
        return;
    cell->text = arena_dup(a, str_trim(text));
    cell->align = align;
    *(row->last ? &row->last->next : &row->first) = cell;
    row->last = cell;
}

static void measure(const struct markdown_table *t, size_t widths[COLUMNS])
{
    for (const struct markdown_row *row = t->first; row; row = row->next) {
        size_t i = 0;
        for (const struct markdown_cell *c = row->first; c && i < COLUMNS; c = c->next, i++) {
            size_t width = utf8_length(c->text);
            width = width < WIDTH ? width : WIDTH;
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

static bool put_repeated(struct strbuf *b, char c, size_t n)
{
    bool ok = true;
    while (n-- > 0 && ok)
        ok = strbuf_char(b, c);
    return ok;
}

static bool put_cell(struct strbuf *b, const struct markdown_cell *c, size_t width)
{
    size_t length = utf8_length(c->text), space = width > length ? width - length : 0, before = 0;
    if (c->align == CELL_RIGHT)
        before = space;
    else if (c->align == CELL_CENTER)
        before = space / 2;
    return put_repeated(b, ' ', before) && strbuf_str(b, c->text) && (!c->next || put_repeated(b, ' ', space - before));
}

static bool put_row(struct strbuf *b, const struct markdown_row *row, const size_t widths[COLUMNS])
{
    size_t i = 0;
    bool ok = true;
    for (const struct markdown_cell *c = row->first; c && ok; c = c->next, i++)
        ok = (i == 0 || strbuf_c(b, " | ")) && put_cell(b, c, i < COLUMNS ? widths[i] : 0);
    return ok && strbuf_char(b, '\n');
}

static bool put_rule(struct strbuf *b, const struct markdown_row *row, const size_t widths[COLUMNS])
{
    size_t i = 0;
    bool ok = true;
    for (const struct markdown_cell *c = row->first; c && ok; c = c->next, i++)
        ok = (i == 0 || strbuf_c(b, "-+-")) && put_repeated(b, '-', i < COLUMNS ? widths[i] : 0);
    return ok && strbuf_char(b, '\n');
}

struct str markdown_table_text(struct arena *a, const struct markdown_table *t, size_t max)
{
    struct strbuf b;
    size_t widths[COLUMNS] = {0};
    strbuf_init(&b, max);
    measure(t, widths);
    bool ok = true;
    for (const struct markdown_row *row = t->first; row && ok; row = row->next)
        ok = put_row(&b, row, widths) && (row != t->first || put_rule(&b, row, widths));
    struct str text = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return text;
}
