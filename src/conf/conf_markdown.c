/* The reference of the options: a table for each map. */
#include "conf/conf_value.h"

struct writer {
    struct strbuf *out;
    struct arena arena;
};

static void write_tables(struct writer *w, struct str path, const struct conf_tables *tables);

static void cell(struct strbuf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|')
            strbuf_char(out, '\\');
        strbuf_char(out, text.p[i]);
    }
}

static void write_kind(struct strbuf *out, const struct conf_item *item)
{
    struct strbuf kind;
    strbuf_init(&kind, 4096);
    if (item->type == CONF_NAMED)
        strbuf_c(&kind, "maps by name, below");
    else if (item->type == CONF_MAP)
        strbuf_c(&kind, "a map, below");
    else if (item->type == CONF_LIST && item->of == CONF_MAP)
        strbuf_c(&kind, "a list of maps, below");
    else if (item->type == CONF_LIST)
        strbuf_c(&kind, "a list, each ");
    if (item->type < CONF_LIST || item->type == CONF_ANY)
        conf_scalar_expect(item->type, item, &kind);
    else if (item->type == CONF_LIST && item->of < CONF_LIST)
        conf_scalar_expect(item->of, item, &kind);
    cell(out, strbuf_view(&kind));
    strbuf_finish(&kind);
}

static void write_row(struct strbuf *out, const struct conf_item *item)
{
    strbuf_printf(out, "| `%s` | ", item->name);
    write_kind(out, item);
    strbuf_c(out, " | ");
    if (item->dflt) {
        strbuf_char(out, '`');
        cell(out, str_c(item->dflt));
        strbuf_char(out, '`');
    } else if (item->flags & CONF_REQUIRED) {
        strbuf_c(out, "**needed**");
    }
    strbuf_c(out, " | ");
    cell(out, str_c(item->doc));
    strbuf_c(out, item->flags & CONF_RESTART ? " A change takes effect at a restart. |\n" : " |\n");
}

static struct str below(struct writer *w, struct str path, const char *name)
{
    const struct str parts[] = {path, path.n ? STR(".") : STR_NONE, str_c(name)};
    return arena_concat(&w->arena, parts, 3);
}

// What only the adapter, or the like, of one type has.
static void write_variant(struct writer *w, struct str path, const struct conf_item *item, const char *type)
{
    const struct conf_tables tables = {NULL, item->pick(str_c(type))};
    if (!tables.picked || !tables.picked[0].name)
        return;
    strbuf_printf(w->out, "\n## `" STR_FMT "` with `%s: %s`\n\n", STR_ARG(path), item->pick_by, type);
    write_tables(w, path, &tables);
}

static void write_below(struct writer *w, struct str path, const struct conf_item *item)
{
    const struct conf_tables tables = {item->sub, NULL};
    struct str name = below(w, path, item->name);
    if (item->type == CONF_NAMED)
        name = below(w, name, "NAME");
    else if (item->type == CONF_LIST)
        name = arena_printf(&w->arena, STR_FMT "[]", STR_ARG(name));
    strbuf_printf(w->out, "\n## `" STR_FMT "`\n\n%s\n\n", STR_ARG(name), item->doc);
    write_tables(w, name, &tables);
    const char *const *types = item->type == CONF_NAMED ? conf_tables_types(item) : NULL;
    for (size_t i = 0; types && types[i]; i++)
        write_variant(w, name, item, types[i]);
}

static void write_rows(struct writer *w, const struct conf_tables *tables)
{
    size_t at = 0;
    strbuf_c(w->out, "| option | is | default | |\n|---|---|---|---|\n");
    for (const struct conf_item *item; (item = conf_tables_next(tables, &at));) {
        if (!(item->flags & CONF_HIDDEN))
            write_row(w->out, item);
    }
}

static void write_tables(struct writer *w, struct str path, const struct conf_tables *tables)
{
    write_rows(w, tables);
    size_t at = 0;
    for (const struct conf_item *item; (item = conf_tables_next(tables, &at));) {
        bool maps =
            item->type == CONF_MAP || item->type == CONF_NAMED || (item->type == CONF_LIST && item->of == CONF_MAP);
        if (maps && !(item->flags & CONF_HIDDEN))
            write_below(w, path, item);
    }
}

void conf_write_markdown(const struct conf_item *schema, struct strbuf *out)
{
    struct writer w = {.out = out};
    const struct conf_tables tables = {schema, NULL};
    arena_init(&w.arena, 0);
    strbuf_c(
        out,
        "# Configuration\n\n"
        "One YAML file. Aliases, anchors and tags are not used; an unknown option is an error. `spandrel check` reads "
        "it "
        "and connects to nothing.\n\n"
        "Times are written `250ms`, `10s`, `5m`, `2h`, `7d`; sizes `64kB`, `1MB` (1000) or `64KiB`, `1MiB` (1024). "
        "A secret is `file:PATH`, `env:NAME`, `credential:NAME` (systemd) or the secret itself. Paths are relative to "
        "the file they stand in.\n\n");
    write_tables(&w, STR_NONE, &tables);
    arena_finish(&w.arena);
}
