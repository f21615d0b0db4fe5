/* JSON Schema (draft 2020-12) of the configuration, for editors. */
#include "conf/conf_value.h"

#include "text/json.h"

struct writer {
    struct strbuf *out;
    unsigned depth;
    bool first; // of the object or list that is open
};

static void write_table(struct writer *w, const struct conf_tables *tables, const char *pick_by, struct str type,
                        bool closed);
static void write_type(struct writer *w, enum conf_type type, const struct conf_item *item);

static void separate(struct writer *w)
{
    if (!w->first)
        strbuf_char(w->out, ',');
    if (w->depth)
        strbuf_char(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        strbuf_c(w->out, "  ");
    w->first = false;
}

static void key(struct writer *w, const char *name)
{
    separate(w);
    json_write_str(w->out, str_c(name));
    strbuf_c(w->out, ": ");
}

static void open(struct writer *w, char bracket)
{
    strbuf_char(w->out, bracket);
    w->depth++;
    w->first = true;
}

static void close(struct writer *w, char bracket)
{
    bool empty = w->first;
    w->depth--;
    w->first = true;
    if (!empty)
        separate(w);
    strbuf_char(w->out, bracket);
    w->first = false;
}

static void text(struct writer *w, const char *name, struct str value)
{
    key(w, name);
    json_write_str(w->out, value);
}

static void texts(struct writer *w, const char *name, const char *const *values)
{
    key(w, name);
    open(w, '[');
    for (size_t i = 0; values && values[i]; i++) {
        separate(w);
        json_write_str(w->out, str_c(values[i]));
    }
    close(w, ']');
}

static void types(struct writer *w, const char *one, const char *other)
{
    const char *const both[] = {one, other, NULL};
    texts(w, "type", both);
}

static void number(struct writer *w, const char *name, double value)
{
    key(w, name);
    strbuf_printf(w->out, "%.15g", value);
}

static void write_number(struct writer *w, const char *type, const struct conf_item *item)
{
    text(w, "type", str_c(type));
    bool bounded = item->min < 0 || item->min > 0 || item->max < 0 || item->max > 0;
    if (bounded)
        number(w, "minimum", item->min);
    if (bounded && item->max >= item->min)
        number(w, "maximum", item->max);
}

static void write_pattern(struct writer *w, const char *type, const char *pattern)
{
    if (type)
        types(w, "string", type);
    else
        text(w, "type", STR("string"));
    text(w, "pattern", str_c(pattern));
}

static void write_list(struct writer *w, const struct conf_item *item)
{
    types(w, "array", "null");
    key(w, "items");
    open(w, '{');
    write_type(w, item->of, item);
    close(w, '}');
}

static void write_map(struct writer *w, const struct conf_item *item)
{
    const struct conf_tables tables = {item->sub, NULL};
    types(w, "object", "null");
    write_table(w, &tables, NULL, STR_NONE, true);
}

static void write_variant(struct writer *w, const struct conf_item *item, struct str type)
{
    const struct conf_tables tables = {item->sub, item->pick(type)};
    separate(w);
    open(w, '{');
    write_table(w, &tables, item->pick_by, type, true);
    close(w, '}');
}

static void write_variants(struct writer *w, const struct conf_item *item, const char *const *names)
{
    key(w, "oneOf");
    open(w, '[');
    for (size_t i = 0; names[i]; i++)
        write_variant(w, item, str_c(names[i]));
    close(w, ']');
}

static void write_named(struct writer *w, const struct conf_item *item)
{
    const struct conf_tables own = {item->sub, NULL};
    const char *const *names = conf_tables_types(item);
    types(w, "object", "null");
    key(w, "propertyNames");
    open(w, '{');
    text(w, "pattern", STR("^[a-z][a-z0-9-]{0,31}$"));
    close(w, '}');
    key(w, "additionalProperties");
    open(w, '{');
    types(w, "object", "null");
    if (names)
        write_variants(w, item, names);
    else
        write_table(w, &own, NULL, STR_NONE, !item->pick);
    close(w, '}');
}

static void write_type(struct writer *w, enum conf_type type, const struct conf_item *item)
{
    if (type == CONF_INT)
        write_number(w, "integer", item);
    else if (type == CONF_REAL)
        write_number(w, "number", item);
    else if (type == CONF_BOOL)
        text(w, "type", STR("boolean"));
    else if (type == CONF_SPAN)
        write_pattern(w, NULL, "^[0-9]+(ms|s|m|h|d)$");
    else if (type == CONF_SIZE)
        write_pattern(w, "integer", "^[0-9]+ *([kMG]?B|[KMG]iB)?$");
    else if (type == CONF_ENUM)
        texts(w, "enum", item->values);
    else if (type == CONF_LIST)
        write_list(w, item);
    else if (type == CONF_MAP)
        write_map(w, item);
    else if (type == CONF_NAMED)
        write_named(w, item);
    else if (type != CONF_ANY)
        text(w, "type", STR("string"));
}

// Lists and the like have their default in YAML: it stands in the description's place only in the example.
static void write_default(struct writer *w, const struct conf_item *item)
{
    if (!item->dflt || item->type >= CONF_LIST)
        return;
    bool verbatim = item->type == CONF_INT || item->type == CONF_REAL || item->type == CONF_BOOL;
    key(w, "default");
    if (verbatim)
        strbuf_c(w->out, item->dflt);
    else
        json_write_str(w->out, str_c(item->dflt));
}

static void write_item(struct writer *w, const struct conf_item *item, struct str only)
{
    key(w, item->name);
    open(w, '{');
    text(w, "description", str_c(item->doc));
    if (only.n)
        text(w, "const", only);
    else
        write_type(w, item->type, item);
    write_default(w, item);
    close(w, '}');
}

static void write_required(struct writer *w, const struct conf_tables *tables, const char *pick_by)
{
    key(w, "required");
    open(w, '[');
    size_t at = 0;
    for (const struct conf_item *item; (item = conf_tables_next(tables, &at));) {
        bool picks = pick_by && str_eq_c(str_c(pick_by), item->name) && !item->dflt;
        if (!picks && !(item->flags & CONF_REQUIRED))
            continue;
        separate(w);
        json_write_str(w->out, str_c(item->name));
    }
    close(w, ']');
}

static void write_table(struct writer *w, const struct conf_tables *tables, const char *pick_by, struct str type,
                        bool closed)
{
    key(w, "properties");
    open(w, '{');
    size_t at = 0;
    for (const struct conf_item *item; (item = conf_tables_next(tables, &at));) {
        bool picks = pick_by && str_eq_c(str_c(pick_by), item->name);
        if (!(item->flags & CONF_HIDDEN))
            write_item(w, item, picks ? type : STR_NONE);
    }
    close(w, '}');
    write_required(w, tables, pick_by);
    if (closed) {
        key(w, "additionalProperties");
        strbuf_c(w->out, "false");
    }
}

void conf_write_json_schema(const struct conf_item *schema, struct strbuf *out)
{
    struct writer w = {.out = out, .first = true};
    const struct conf_tables tables = {schema, NULL};
    open(&w, '{');
    text(&w, "$schema", STR("https://json-schema.org/draft/2020-12/schema"));
    text(&w, "title", STR("Spandrel configuration"));
    text(&w, "type", STR("object"));
    write_table(&w, &tables, NULL, STR_NONE, true);
    close(&w, '}');
    strbuf_char(out, '\n');
}
