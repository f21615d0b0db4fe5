#include "app/answer.h"

#include "base/utf8.h"
#include "text/json.h"

struct answer_row {
    struct answer_row *next;
    struct str cells[];
};

struct answer_part {
    struct answer_part *next;
    struct str text;  // of a paragraph
    const char *name; // of a table
    const char *const *columns;
    size_t column_count;
    struct answer_row *first, *last;
};

void answer_init(struct answer *a)
{
    *a = (struct answer){.first = NULL};
    arena_init(&a->arena, 0);
}

void answer_finish(struct answer *a)
{
    arena_finish(&a->arena);
}

static struct answer_part *add_part(struct answer *a)
{
    struct answer_part *p = ARENA_NEW(&a->arena, struct answer_part);
    if (a->last)
        a->last->next = p;
    else
        a->first = p;
    a->last = p;
    return p;
}

void answer_say(struct answer *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    add_part(a)->text = arena_vprintf(&a->arena, fmt, ap);
    va_end(ap);
}

void answer_table(struct answer *a, const char *name, const char *const *columns)
{
    struct answer_part *p = add_part(a);
    p->name = name;
    p->columns = columns;
    while (columns[p->column_count] && p->column_count < ANSWER_COLUMNS)
        p->column_count++;
}

void answer_row(struct answer *a, const struct str *cells)
{
    struct answer_part *p = a->last;
    struct answer_row *r = arena_zalloc(&a->arena, 1, sizeof *r + p->column_count * sizeof *cells);
    for (size_t i = 0; i < p->column_count; i++)
        r->cells[i] = arena_dup(&a->arena, cells[i]);
    if (p->last)
        p->last->next = r;
    else
        p->first = r;
    p->last = r;
}

static void pad(struct strbuf *out, size_t from, size_t to)
{
    for (; from < to; from++)
        strbuf_char(out, ' ');
}

static void measure(const struct answer_part *p, size_t *widths)
{
    for (size_t i = 0; i < p->column_count; i++)
        widths[i] = strlen(p->columns[i]);
    for (const struct answer_row *r = p->first; r; r = r->next) {
        for (size_t i = 0; i < p->column_count; i++) {
            size_t n = utf8_length(r->cells[i]);
            widths[i] = n > widths[i] ? n : widths[i];
        }
    }
}

static void put_cell(struct strbuf *out, struct str cell, size_t width, bool last)
{
    strbuf_str(out, cell);
    if (last)
        strbuf_char(out, '\n');
    else
        pad(out, utf8_length(cell), width + 2);
}

static void table_text(const struct answer_part *p, struct strbuf *out)
{
    size_t widths[ANSWER_COLUMNS], n = p->column_count;
    if (!p->first) {
        strbuf_printf(out, "%s: none\n", p->name);
        return;
    }
    measure(p, widths);
    for (size_t i = 0; i < n; i++)
        put_cell(out, str_c(p->columns[i]), widths[i], i + 1 == n);
    for (const struct answer_row *r = p->first; r; r = r->next) {
        for (size_t i = 0; i < n; i++)
            put_cell(out, r->cells[i], widths[i], i + 1 == n);
    }
}

static void put_line(struct strbuf *out, struct str text)
{
    strbuf_str(out, text);
    strbuf_char(out, '\n');
}

void answer_text(const struct answer *a, struct strbuf *out)
{
    for (const struct answer_part *p = a->first; p; p = p->next) {
        if (p->columns && p != a->first)
            strbuf_char(out, '\n');
        if (p->columns)
            table_text(p, out);
        else
            put_line(out, p->text);
    }
}

// "name: second, third"; where there are many, each with the name of its column.
static void row_chat(const struct answer_part *p, const struct answer_row *r, struct strbuf *out)
{
    enum { CLEAR_WITHOUT = 3 };
    bool named = p->column_count > CLEAR_WITHOUT;
    strbuf_str(out, r->cells[0]);
    for (size_t i = 1; i < p->column_count; i++) {
        strbuf_c(out, i == 1 ? ": " : ", ");
        if (named)
            strbuf_printf(out, "%s ", p->columns[i]);
        strbuf_str(out, r->cells[i]);
    }
    strbuf_char(out, '\n');
}

// What does not fit is left out as whole rows, and counted.
static void rows_chat(const struct answer_part *p, struct strbuf *out)
{
    enum { ROOM_FOR_COUNT = 64 };
    size_t left = 0;
    for (const struct answer_row *r = p->first; r; r = r->next) {
        size_t before = out->n;
        if (!left)
            row_chat(p, r, out);
        if (left || out->full || out->max - out->n < ROOM_FOR_COUNT) {
            strbuf_truncate(out, before);
            left++;
        }
    }
    if (left)
        strbuf_printf(out, "... and %zu more: narrow it with words\n", left);
}

void answer_chat(const struct answer *a, struct strbuf *out)
{
    for (const struct answer_part *p = a->first; p; p = p->next) {
        if (!p->columns)
            put_line(out, p->text);
        else if (!p->first || a->first != a->last)
            strbuf_printf(out, "%s:%s\n", p->name, p->first ? "" : " none");
        rows_chat(p, out);
    }
}

static void row_json(const struct answer_part *p, const struct answer_row *r, struct strbuf *out)
{
    strbuf_c(out, r == p->first ? "{" : ",{");
    for (size_t i = 0; i < p->column_count; i++) {
        strbuf_c(out, i ? "," : "");
        json_write_str(out, str_c(p->columns[i]));
        strbuf_char(out, ':');
        json_write_str(out, r->cells[i]);
    }
    strbuf_char(out, '}');
}

static void text_json(const struct answer *a, struct strbuf *out)
{
    bool first = true;
    strbuf_c(out, "{\"text\":[");
    for (const struct answer_part *p = a->first; p; p = p->next) {
        if (p->columns)
            continue;
        strbuf_c(out, first ? "" : ",");
        json_write_str(out, p->text);
        first = false;
    }
    strbuf_char(out, ']');
}

void answer_json(const struct answer *a, struct strbuf *out)
{
    text_json(a, out);
    for (const struct answer_part *p = a->first; p; p = p->next) {
        if (!p->columns)
            continue;
        strbuf_char(out, ',');
        json_write_str(out, str_c(p->name));
        strbuf_c(out, ":[");
        for (const struct answer_row *r = p->first; r; r = r->next)
            row_json(p, r, out);
        strbuf_char(out, ']');
    }
    strbuf_c(out, "}\n");
}
