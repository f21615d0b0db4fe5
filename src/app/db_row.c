#include "app/db_row.h"

#include "base/utf8.h"
#include "text/hash.h"
#include "text/json.h"

#include <inttypes.h>

/* Writing */

static void put_base64(struct strbuf *out, struct str bytes)
{
    struct arena a;
    arena_init(&a, 256);
    strbuf_str(out, hash_base64(&a, (const uint8_t *)(bytes.n ? bytes.p : ""), bytes.n));
    arena_finish(&a);
}

static bool is_plain(struct str s)
{
    return utf8_valid(s) && str_find(s, '\0') < 0;
}

void db_json_head(struct strbuf *out, int schema, unsigned tables)
{
    strbuf_printf(out, "{\"spandrel\":\"export\",\"version\":%d,\"schema\":%d,\"tables\":[", DB_EXPORT_VERSION, schema);
    const char *between = "";
    for (unsigned kind = 0; kind < ROW_KINDS; kind++) {
        if (!(tables & 1u << kind))
            continue;
        strbuf_printf(out, "%s\"%s\"", between, store_tables[kind].name);
        between = ",";
    }
    strbuf_c(out, "]}\n");
}

static void json_text_of(struct strbuf *out, struct str text, bool blob)
{
    bool plain = !blob && is_plain(text);
    if (plain) {
        json_write_str(out, text);
        return;
    }
    strbuf_c(out, blob ? "\"" : "{\"base64\":\"");
    put_base64(out, text);
    strbuf_c(out, blob ? "\"" : "\"}");
}

void db_json_row(struct strbuf *out, const struct row *row)
{
    const struct store_table *t = &store_tables[row->kind];
    strbuf_printf(out, "{\"table\":\"%s\",\"row\":{", t->name);
    for (unsigned i = 0; i < t->columns; i++) {
        const struct store_column *c = &t->column[i];
        const struct str *s = store_table_str(row, c);
        strbuf_printf(out, "%s\"" STR_FMT "\":", i ? "," : "", STR_ARG(store_table_column(row->kind, i)));
        if (s)
            json_text_of(out, *s, c->type == COLUMN_BLOB);
        else
            strbuf_i64(out, store_table_number(row, c));
    }
    strbuf_c(out, "}}\n");
}

void db_json_end(struct strbuf *out, uint64_t rows)
{
    strbuf_printf(out, "{\"end\":true,\"rows\":%" PRIu64 "}\n", rows);
}

void db_csv_head(struct strbuf *out, enum row_kind kind)
{
    for (unsigned i = 0; i < store_tables[kind].columns; i++) {
        strbuf_c(out, i ? "," : "");
        strbuf_str(out, store_table_column(kind, i));
    }
    strbuf_c(out, "\r\n");
}

static void csv_field(struct strbuf *out, struct str text)
{
    bool quoted = text.n == 0;
    for (size_t i = 0; i < text.n && !quoted; i++)
        quoted = text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\r' || text.p[i] == '\n';
    if (!quoted) {
        strbuf_str(out, text);
        return;
    }
    strbuf_char(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        strbuf_c(out, text.p[i] == '"' ? "\"" : "");
        strbuf_char(out, text.p[i]);
    }
    strbuf_char(out, '"');
}

void db_csv_row(struct strbuf *out, const struct row *row)
{
    const struct store_table *t = &store_tables[row->kind];
    for (unsigned i = 0; i < t->columns; i++) {
        const struct store_column *c = &t->column[i];
        const struct str *s = store_table_str(row, c);
        strbuf_c(out, i ? "," : "");
        if (!s)
            strbuf_i64(out, store_table_number(row, c));
        else if (c->type == COLUMN_BLOB)
            put_base64(out, *s);
        else
            csv_field(out, *s);
    }
    strbuf_c(out, "\r\n");
}

/* Reading */

void db_reader_init(struct db_reader *r, FILE *file)
{
    *r = (struct db_reader){.file = file, .next_line = 1};
    strbuf_init(&r->record, DB_RECORD_MAX);
    arena_init(&r->arena, 4096);
}

void db_reader_init_csv(struct db_reader *r, FILE *file, enum row_kind kind)
{
    db_reader_init(r, file);
    r->csv = true;
    r->kind = kind;
    r->tables = 1u << kind;
}

void db_reader_finish(struct db_reader *r)
{
    strbuf_finish(&r->record);
    arena_finish(&r->arena);
}

// A line, or with CSV all lines until one does not end within quotes, without its end. *end: there is none.
static enum err read_record(struct db_reader *r, bool *end, struct errmsg *msg)
{
    bool quoted = false;
    int c = EOF;
    strbuf_clear(&r->record);
    r->line = r->next_line;
    while ((c = getc(r->file)) != EOF) {
        r->next_line += c == '\n';
        if (c == '\n' && !quoted)
            break;
        quoted = quoted != (r->csv && c == '"');
        if (!strbuf_char(&r->record, (char)c))
            return err_set(msg, ERR_LIMIT, "the line is longer than %d bytes", DB_RECORD_MAX);
    }
    if (ferror(r->file))
        return err_set(msg, ERR_IO, "cannot be read");
    if (quoted)
        return err_set(msg, ERR_CONF, "a quote that is opened here is not closed");
    *end = c == EOF && !r->record.n;
    if (r->record.n && r->record.p[r->record.n - 1] == '\r')
        strbuf_truncate(&r->record, r->record.n - 1);
    return ERR_OK;
}

/* JSON */

static enum err json_record(struct db_reader *r, json_t **out, struct errmsg *msg)
{
    bool end;
    struct errmsg why;
    enum err e = read_record(r, &end, msg);
    if (e)
        return e;
    if (end)
        return err_set(msg, ERR_CONF, "the file ends here, before its last line: it was cut short");
    *out = json_read(strbuf_view(&r->record), DB_RECORD_MAX, &why);
    return *out ? ERR_OK : err_set(msg, ERR_CONF, "no JSON: %s", why.text);
}

static enum err take_tables(struct db_reader *r, const json_t *tables, struct errmsg *msg)
{
    for (size_t i = 0; i < json_array_size(tables); i++) {
        const char *name = json_string_value(json_array_get(tables, i));
        enum row_kind kind = store_table_find(str_c(name));
        if (kind == ROW_KINDS)
            return err_set(msg, ERR_CONF, "there is no table \"%.64s\"", name ? name : "");
        r->tables |= 1u << kind;
    }
    return ERR_OK;
}

static enum err json_head(struct db_reader *r, struct errmsg *msg)
{
    json_t *head;
    enum err e = json_record(r, &head, msg);
    if (e)
        return err_set(msg, ERR_CONF, "this is no export: its first line is no JSON object of one");
    json_int_t version = json_integer_value(json_object_get(head, "version"));
    if (!str_eq_c(json_member_str(head, "spandrel"), "export"))
        e = err_set(msg, ERR_CONF, "this is no export: its first line does not say \"spandrel\":\"export\"");
    else if (version != DB_EXPORT_VERSION)
        e = err_set(msg, ERR_CONF, "an export of version %lld; this program knows version %d", (long long)version,
                    DB_EXPORT_VERSION);
    else
        e = take_tables(r, json_object_get(head, "tables"), msg);
    json_decref(head);
    return e;
}

static enum err json_str(struct db_reader *r, const json_t *value, bool blob, struct str *out)
{
    const json_t *coded = json_object_get(value, "base64");
    if (json_is_object(value) && !blob && json_object_size(value) == 1 && json_is_string(coded))
        return hash_base64_decode(&r->arena, str_c(json_string_value(coded)), out) ? ERR_OK : ERR_BADREQ;
    if (!json_is_string(value))
        return ERR_BADREQ;
    struct str text = {json_string_value(value), json_string_length(value)};
    if (blob)
        return hash_base64_decode(&r->arena, text, out) ? ERR_OK : ERR_BADREQ;
    *out = arena_dup(&r->arena, text);
    return ERR_OK;
}

static enum err json_column(struct db_reader *r, const json_t *cells, unsigned at, struct row *out, struct errmsg *msg)
{
    const struct store_column *c = &store_tables[out->kind].column[at];
    struct str name = store_table_column(out->kind, at);
    const json_t *value = json_object_getn(cells, name.p, name.n);
    struct str *s = store_table_str_of(out, c);
    if (!value)
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is missing", STR_ARG(name));
    if (s && json_str(r, value, c->type == COLUMN_BLOB, s))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is no %s", STR_ARG(name),
                       c->type == COLUMN_BLOB ? "base64" : "text");
    if (!s && !json_is_integer(value))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is no whole number", STR_ARG(name));
    if (!s && !store_table_set_number(out, c, json_integer_value(value)))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" cannot be %lld", STR_ARG(name),
                       (long long)json_integer_value(value));
    return ERR_OK;
}

static enum err json_cells(struct db_reader *r, const json_t *cells, struct row *out, struct errmsg *msg)
{
    const struct store_table *t = &store_tables[out->kind];
    enum err e = json_is_object(cells) ? ERR_OK : err_set(msg, ERR_CONF, "\"row\" is no object");
    for (unsigned i = 0; i < t->columns && !e; i++)
        e = json_column(r, cells, i, out, msg);
    if (!e && json_object_size(cells) != t->columns)
        e = err_set(msg, ERR_CONF, "the row has members that the table %s does not have", t->name);
    return e;
}

static enum err json_end(struct db_reader *r, const json_t *record, struct errmsg *msg)
{
    json_int_t rows = json_integer_value(json_object_get(record, "rows"));
    bool end;
    if (rows < 0 || (uint64_t)rows != r->rows)
        return err_set(msg, ERR_CONF, "the last line tells of %lld rows; there are %" PRIu64, (long long)rows, r->rows);
    enum err e = read_record(r, &end, msg);
    return e || end ? e : err_set(msg, ERR_CONF, "something follows the last line");
}

static enum err json_next(struct db_reader *r, struct row *out, bool *end, struct errmsg *msg)
{
    json_t *record;
    enum err e = json_record(r, &record, msg);
    if (e)
        return e;
    *end = json_is_true(json_object_get(record, "end"));
    out->kind = store_table_find(json_member_str(record, "table"));
    if (*end)
        e = json_end(r, record, msg);
    else if (out->kind == ROW_KINDS || !(r->tables & 1u << out->kind))
        e = err_set(msg, ERR_CONF, "\"table\" is none of those that the first line names");
    else
        e = json_cells(r, json_object_get(record, "row"), out, msg);
    json_decref(record);
    return e;
}

/* CSV */

// One field from *rest; false when it is written wrongly. *more: another one follows.
static bool take_field(struct db_reader *r, struct str *rest, struct str *out, bool *more)
{
    if (!rest->n || rest->p[0] != '"') {
        *more = str_cut(*rest, ',', out, rest);
        return str_find(*out, '"') < 0;
    }
    char *to = arena_alloc(&r->arena, rest->n);
    size_t n = 0, i = 1;
    for (; i < rest->n; i++) {
        bool twice = rest->p[i] == '"' && i + 1 < rest->n && rest->p[i + 1] == '"';
        if (rest->p[i] == '"' && !twice)
            break;
        i += twice;
        to[n++] = rest->p[i];
    }
    *out = (struct str){to, n};
    *more = i + 1 < rest->n;
    bool closed = i < rest->n && (!*more || rest->p[i + 1] == ',');
    *rest = str_sub(*rest, i + 2, rest->n);
    return closed;
}

static enum err csv_fields(struct db_reader *r, bool *end, struct errmsg *msg)
{
    const size_t max = sizeof r->order / sizeof *r->order;
    bool more = true;
    enum err e = read_record(r, end, msg);
    struct str rest = strbuf_view(&r->record);
    r->field = arena_zalloc(&r->arena, max, sizeof *r->field);
    for (r->fields = 0; !e && !*end && more; r->fields++) {
        if (r->fields == max)
            e = err_set(msg, ERR_CONF, "more than %zu fields", max);
        else if (!take_field(r, &rest, &r->field[r->fields], &more))
            e = err_set(msg, ERR_CONF, "field %zu: a quote in the wrong place", r->fields + 1);
    }
    return e;
}

static enum err csv_head(struct db_reader *r, struct errmsg *msg)
{
    const struct store_table *t = &store_tables[r->kind];
    bool end;
    unsigned seen = 0;
    enum err e = csv_fields(r, &end, msg);
    if (e || end)
        return e ? e : err_set(msg, ERR_CONF, "the file is empty");
    for (size_t i = 0; i < r->fields; i++) {
        unsigned at = 0;
        while (at < t->columns && !str_eq(store_table_column(r->kind, at), r->field[i]))
            at++;
        if (at == t->columns || (seen & 1u << at))
            return err_set(msg, ERR_CONF, "the table %s has no column \"" STR_FMT "\", or it is there twice", t->name,
                           STR_ARG(str_sub(r->field[i], 0, 64)));
        seen |= 1u << at;
        r->order[i] = at;
    }
    for (unsigned at = 0; at < t->columns; at++) {
        if (!(seen & 1u << at))
            return err_set(msg, ERR_CONF, "the column \"" STR_FMT "\" is missing",
                           STR_ARG(store_table_column(r->kind, at)));
    }
    return ERR_OK;
}

static enum err csv_cell(struct db_reader *r, unsigned at, struct str text, struct row *out, struct errmsg *msg)
{
    const struct store_column *c = &store_tables[out->kind].column[at];
    struct str name = store_table_column(out->kind, at);
    struct str *s = store_table_str_of(out, c);
    int64_t n;
    if (s && c->type == COLUMN_BLOB && !hash_base64_decode(&r->arena, text, s))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is no base64", STR_ARG(name));
    if (s && c->type != COLUMN_BLOB)
        *s = arena_dup(&r->arena, text);
    if (!s && !str_to_i64(text, &n))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" is no whole number", STR_ARG(name));
    if (!s && !store_table_set_number(out, c, n))
        return err_set(msg, ERR_CONF, "\"" STR_FMT "\" cannot be %" PRId64, STR_ARG(name), n);
    return ERR_OK;
}

static enum err csv_next(struct db_reader *r, struct row *out, bool *end, struct errmsg *msg)
{
    const unsigned columns = store_tables[r->kind].columns;
    out->kind = r->kind;
    enum err e = csv_fields(r, end, msg);
    if (e || *end)
        return e;
    if (r->fields != columns)
        return err_set(msg, ERR_CONF, "%zu fields; the first line has %u", r->fields, columns);
    for (size_t i = 0; i < r->fields && !e; i++)
        e = csv_cell(r, r->order[i], r->field[i], out, msg);
    return e;
}

enum err db_reader_head(struct db_reader *r, struct errmsg *msg)
{
    return r->csv ? csv_head(r, msg) : json_head(r, msg);
}

enum err db_reader_next(struct db_reader *r, struct row *out, bool *end, struct errmsg *msg)
{
    arena_reset(&r->arena);
    *out = (struct row){.kind = ROW_KINDS};
    *end = false;
    enum err e = (r->csv ? csv_next : json_next)(r, out, end, msg);
    r->rows += !e && !*end;
    return e;
}
