/* The walk of the tree along the schema: each value gets its type, each missing one its default, each mistake its
 * message. */
#include "conf/conf_value.h"

#include "base/utf8.h"

enum { WORDS_MAX = 256, QUOTED_MAX = 40, ERRORS_MAX = 1000 };

struct binder {
    struct conf_tree *tree;
    struct conf_report *report;
};

static void bind(const struct binder *b, struct conf_value *v, const struct conf_item *item);

// The item that each element of a list is bound by.
static const struct conf_item *element_item(const struct binder *b, const struct conf_item *list)
{
    struct conf_item *item = ARENA_NEW(&b->tree->arena, struct conf_item);
    *item = *list;
    item->type = list->of;
    item->flags = 0;
    item->dflt = NULL;
    item->check = NULL;
    return item;
}

// What a value is, as it may be shown: a secret may not.
static void describe(const struct binder *b, const struct conf_value *v, struct strbuf *out)
{
    if (v->node == CONF_NODE_SCALAR) {
        struct str shown = utf8_display(&b->tree->arena, v->text, QUOTED_MAX);
        strbuf_printf(out, "'" STR_FMT "'%s", STR_ARG(shown), utf8_length(v->text) > QUOTED_MAX ? "..." : "");
    } else {
        static const char *const words[] = {
            [CONF_NODE_NULL] = "nothing", [CONF_NODE_LIST] = "a list", [CONF_NODE_MAP] = "a map"};
        strbuf_c(out, words[v->node]);
    }
}

static void suggest(struct str word, const char *const *words, struct strbuf *out)
{
    const char *near = words ? conf_nearest(word, words) : NULL;
    if (near)
        strbuf_printf(out, "; did you mean '%s'?", near);
}

static void suggest_value(const struct conf_value *v, const struct conf_item *item, struct strbuf *out)
{
    static const char *const yes[] = {"yes", "on", "1", "y", NULL}, *const no[] = {"no", "off", "0", "n", NULL};
    if (v->type == CONF_ENUM)
        suggest(v->text, item->values, out);
    for (size_t i = 0; v->type == CONF_BOOL && yes[i]; i++) {
        if (str_case_eq(v->text, str_c(yes[i])))
            strbuf_c(out, "; did you mean 'true'?");
        if (str_case_eq(v->text, str_c(no[i])))
            strbuf_c(out, "; did you mean 'false'?");
    }
}

// "'port' must be a number from 1 to 65535, not '5347x'"
static void fail_type(const struct binder *b, const struct conf_value *v, const struct conf_item *item)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    conf_value_path(v, 1, &text);
    if (!text.n)
        strbuf_c(&text, "the file");
    struct str label = arena_dup(&b->tree->arena, strbuf_view(&text));
    strbuf_clear(&text);
    conf_scalar_expect(v->type, item, &text);
    strbuf_c(&text, ", not ");
    describe(b, v, &text);
    suggest_value(v, item, &text);
    bool block = v->node != CONF_NODE_SCALAR && v->place.n < 2; // one that is in brackets is shown itself
    struct conf_place place = block ? conf_report_key(v) : v->place;
    if (v->node == CONF_NODE_NULL)
        conf_fail(b->report, v, "'" STR_FMT "' has no value", STR_ARG(label));
    else
        conf_report_add(b->report, true, b->tree->source, place, "'" STR_FMT "' must be " STR_FMT, STR_ARG(label),
                        STR_ARG(strbuf_view(&text)));
    strbuf_finish(&text);
}

// " in components.main", or nothing at the top.
static struct str where(const struct binder *b, const struct conf_value *map)
{
    struct strbuf path;
    strbuf_init(&path, 4096);
    conf_value_path(map, 0, &path);
    struct str out = path.n ? arena_printf(&b->tree->arena, " in " STR_FMT, STR_ARG(strbuf_view(&path))) : STR("");
    strbuf_finish(&path);
    return out;
}

static void hide(struct conf_source *s, const struct conf_value *v);

// Hides every text under v, names too.
static void hide_members(struct conf_source *s, const struct conf_value *v)
{
    for (size_t i = 0; i < v->count; i++) {
        conf_source_mask(s, v->members[i]->key);
        hide(s, v->members[i]);
    }
}

static void hide(struct conf_source *s, const struct conf_value *v)
{
    if (v->node == CONF_NODE_SCALAR)
        conf_source_mask(s, v->place);
    hide_members(s, v);
}

// The option that a name was probably meant to be, or NULL.
static const char *nearest_option(struct str name, const struct conf_tables *tables)
{
    const char *words[WORDS_MAX + 1];
    size_t count = 0, at = 0;
    for (const struct conf_item *item; count < WORDS_MAX && (item = conf_tables_next(tables, &at));) {
        if (!(item->flags & CONF_HIDDEN))
            words[count++] = item->name;
    }
    words[count] = NULL;
    return conf_nearest(name, words);
}

static void fail_unknown(const struct binder *b, const struct conf_value *v, const struct conf_tables *tables)
{
    if (conf_errors(b->report) >= ERRORS_MAX)
        return;
    const char *near = nearest_option(v->name, tables);
    struct strbuf hint;
    strbuf_init(&hint, 256);
    if (near)
        strbuf_printf(&hint, "; did you mean '%s'?", near);
    struct str name = utf8_display(&b->tree->arena, v->name, QUOTED_MAX), in = where(b, v->parent);
    conf_report_add(b->report, true, b->tree->source, v->key, "unknown option '" STR_FMT "'" STR_FMT STR_FMT,
                    STR_ARG(name), STR_ARG(in), STR_ARG(strbuf_view(&hint)));
    strbuf_finish(&hint);
    // It may be a secret under a mistyped name.
    hide(b->tree->source, v);
}

// What a default is blamed for is shown at the map it is missing in.
static void relocate(struct conf_value *v, const struct conf_value *map)
{
    v->given = false;
    v->place = v->key = conf_report_key(map);
    for (size_t i = 0; i < v->count; i++)
        relocate(v->members[i], map);
}

// The default of a list or the like, which is written as YAML.
static struct conf_value *read_default(const struct binder *b, const struct conf_item *item)
{
    struct conf_source *s = conf_source_create(item->name, str_c(item->dflt));
    struct conf_value *v = conf_yaml_read(b->tree, s, b->report);
    conf_source_unref(s);
    return v;
}

static bool is_container(enum conf_type type)
{
    return type == CONF_LIST || type == CONF_MAP || type == CONF_NAMED || type == CONF_ANY;
}

static void add_default(const struct binder *b, struct conf_value *map, const struct conf_item *item)
{
    struct conf_value *v = is_container(item->type) && item->dflt ? read_default(b, item) : NULL;
    if (!v)
        v = ARENA_NEW(&b->tree->arena, struct conf_value);
    v->tree = b->tree;
    v->set = item->dflt != NULL;
    v->name = str_c(item->name);
    v->type = item->type;
    v->item = item;
    relocate(v, map);
    conf_value_add(&b->tree->arena, map, v);
    if (!is_container(item->type) && item->dflt) {
        v->node = CONF_NODE_SCALAR;
        v->text = arena_dup(&b->tree->arena, str_c(item->dflt));
    }
    if (item->dflt || item->type == CONF_MAP)
        bind(b, v, item);
}

static void fail_missing(const struct binder *b, const struct conf_value *map, const struct conf_item *item)
{
    struct str in = where(b, map);
    conf_report_add(b->report, true, b->tree->source, conf_report_key(map), "'%s' is missing" STR_FMT, item->name,
                    STR_ARG(in));
}

// An unknown option was reported with the suggestion that it is this one.
static bool is_misspelt(const struct conf_value *map, const struct conf_tables *tables, const struct conf_item *item)
{
    for (size_t i = 0; i < map->count; i++) {
        struct str name = map->members[i]->name;
        const char *near = conf_tables_find(tables, name) ? NULL : nearest_option(name, tables);
        if (near && str_eq_c(str_c(near), item->name))
            return true;
    }
    return false;
}

static void bind_missing(const struct binder *b, struct conf_value *map, const struct conf_tables *tables, bool open)
{
    size_t at = 0;
    for (const struct conf_item *item; (item = conf_tables_next(tables, &at));) {
        if (conf_value_member(map, item->name))
            continue;
        // What is needed in a map is so only where that map is given.
        if ((item->flags & CONF_REQUIRED) && map->given && (open || !is_misspelt(map, tables, item)))
            fail_missing(b, map, item);
        add_default(b, map, item);
    }
}

// `open`: the table is not known in full, as the type is wrong.
static void bind_members(const struct binder *b, struct conf_value *map, const struct conf_tables *tables, bool open)
{
    for (size_t i = 0; i < map->count; i++) {
        struct conf_value *v = map->members[i];
        const struct conf_item *item = conf_tables_find(tables, v->name);
        if (item)
            bind(b, v, item);
        else if (open)
            hide(b->tree->source, v);
        else
            fail_unknown(b, v, tables);
    }
    bind_missing(b, map, tables, open);
}

static bool is_map(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    if (v->node == CONF_NODE_MAP || v->node == CONF_NODE_NULL)
        return true;
    fail_type(b, v, item);
    hide_members(b->tree->source, v);
    return false;
}

static void bind_map(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    const struct conf_tables tables = {item->sub, NULL};
    if (is_map(b, v, item))
        bind_members(b, v, &tables, false);
}

// What `pick_by` says, given or by default.
static struct str picked_type(const struct conf_value *map, const struct conf_item *named)
{
    const struct conf_tables own = {named->sub, NULL};
    const struct conf_value *v = conf_value_member(map, named->pick_by);
    const struct conf_item *by = conf_tables_find(&own, str_c(named->pick_by));
    if (v && v->node == CONF_NODE_SCALAR)
        return v->text;
    return v || !by ? STR_NONE : str_c(by->dflt);
}

static void suggest_type(struct str word, const char *const *types, struct strbuf *out)
{
    suggest(word, types, out);
    if (types && !out->n) {
        strbuf_c(out, "; it may be ");
        conf_scalar_words(types, out);
    }
}

static void fail_pick(const struct binder *b, const struct conf_value *map, const struct conf_item *named)
{
    const struct conf_tables own = {named->sub, NULL};
    const struct conf_value *v = conf_value_member(map, named->pick_by);
    const struct conf_item *by = conf_tables_find(&own, str_c(named->pick_by));
    if (!v || v->node != CONF_NODE_SCALAR || (by && by->type == CONF_ENUM))
        return; // is told when the member itself is bound
    struct strbuf hint;
    strbuf_init(&hint, 1024);
    suggest_type(v->text, conf_tables_types(named), &hint);
    struct str shown = utf8_display(&b->tree->arena, v->text, QUOTED_MAX);
    conf_fail(b->report, v, "unknown %s '" STR_FMT "'" STR_FMT, named->pick_by, STR_ARG(shown),
              STR_ARG(strbuf_view(&hint)));
    strbuf_finish(&hint);
}

static void bind_entry(const struct binder *b, struct conf_value *v, const struct conf_item *named)
{
    if (!conf_scalar_is_name(v->name)) {
        struct str shown = utf8_display(&b->tree->arena, v->name, QUOTED_MAX);
        conf_report_add(b->report, true, b->tree->source, v->key,
                        "'" STR_FMT
                        "' is no name: it takes a-z, 0-9 and '-', begins with a letter and has at most %d characters",
                        STR_ARG(shown), CONF_NAME_MAX);
    }
    v->type = CONF_MAP;
    v->item = named;
    if (!is_map(b, v, named))
        return;
    struct conf_tables tables = {named->sub, NULL};
    if (named->pick) {
        struct str type = picked_type(v, named);
        tables.picked = type.n ? named->pick(type) : NULL;
        if (!tables.picked)
            fail_pick(b, v, named);
    }
    bind_members(b, v, &tables, named->pick && !tables.picked);
}

static void bind_named(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    if (!is_map(b, v, item))
        return;
    for (size_t i = 0; i < v->count; i++)
        bind_entry(b, v->members[i], item);
}

static void bind_list(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    if (v->node != CONF_NODE_LIST && v->node != CONF_NODE_NULL) {
        fail_type(b, v, item);
        hide_members(b->tree->source, v);
        return;
    }
    const struct conf_item *element = element_item(b, item);
    for (size_t i = 0; i < v->count; i++)
        bind(b, v->members[i], element);
}

static void bind_any(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    (void)b, (void)v, (void)item;
}

static void bind_scalar(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    if (v->node != CONF_NODE_SCALAR || !conf_scalar_parse(v, item))
        fail_type(b, v, item);
}

static void bind_secret(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    if (v->given && !(v->node == CONF_NODE_SCALAR && conf_secret_is_reference(v->text)))
        hide(b->tree->source, v);
    if (v->node != CONF_NODE_SCALAR)
        fail_type(b, v, item);
    else
        (void)conf_secret_load(v, b->report);
}

static void bind(const struct binder *b, struct conf_value *v, const struct conf_item *item)
{
    static void (*const binders[])(const struct binder *, struct conf_value *, const struct conf_item *) = {
        [CONF_STR] = bind_scalar,  [CONF_INT] = bind_scalar,  [CONF_REAL] = bind_scalar,    [CONF_BOOL] = bind_scalar,
        [CONF_SPAN] = bind_scalar, [CONF_SIZE] = bind_scalar, [CONF_ENUM] = bind_scalar,    [CONF_SECRET] = bind_secret,
        [CONF_PATH] = bind_scalar, [CONF_LIST] = bind_list,   [CONF_ADDRESS] = bind_scalar, [CONF_MAP] = bind_map,
        [CONF_NAMED] = bind_named, [CONF_ANY] = bind_any,
    };
    size_t before = conf_errors(b->report);
    if (before >= ERRORS_MAX)
        return;
    v->item = item;
    v->type = item->type;
    binders[item->type](b, v, item);
    if (item->check && v->given && conf_errors(b->report) == before)
        item->check(v, b->report);
}

void conf_bind(struct conf_tree *tree, const struct conf_item *schema, struct conf_report *r)
{
    const struct binder b = {tree, r};
    struct conf_item *root = ARENA_NEW(&tree->arena, struct conf_item);
    *root = (struct conf_item){.name = "", .type = CONF_MAP, .sub = schema};
    bind(&b, tree->root, root);
}

static size_t line_indent(struct str text, size_t at)
{
    size_t begin = at, n = 0;
    while (begin > 0 && text.p[begin - 1] != '\n')
        begin--;
    while (begin + n < text.n && text.p[begin + n] == ' ')
        n++;
    return n;
}

// Behind the value of the option at `at`: its line, and those below that are indented deeper.
static size_t value_end(struct str text, size_t at)
{
    size_t indent = line_indent(text, at);
    for (;;) {
        while (at < text.n && text.p[at] != '\n')
            at++;
        if (at + 1 >= text.n || line_indent(text, at + 1) <= indent)
            return at;
        at++;
    }
}

static void hide_name(struct conf_source *s, struct str name)
{
    struct str text = {s->text, s->n};
    for (size_t from = 0;;) {
        ptrdiff_t found = str_find_str(str_sub(text, from, text.n), name);
        if (found < 0)
            return;
        size_t at = from + (size_t)found + name.n;
        size_t end = value_end(text, at);
        ptrdiff_t colon = str_find(str_sub(text, at, end), ':');
        if (colon >= 0) {
            at += (size_t)colon + 1;
            while (at < end && text.p[at] == ' ')
                at++;
            conf_source_mask(s, (struct conf_place){(uint32_t)at, (uint32_t)(end - at)});
        }
        from = end;
    }
}

static void hide_table(struct conf_source *s, const struct conf_item *items);

static void hide_item(struct conf_source *s, const struct conf_item *item)
{
    if (item->type == CONF_SECRET || (item->type == CONF_LIST && item->of == CONF_SECRET))
        hide_name(s, str_c(item->name));
    hide_table(s, item->sub);
    const char *const *types = conf_tables_types(item);
    for (size_t i = 0; types && types[i]; i++)
        hide_table(s, item->pick(str_c(types[i])));
}

static void hide_table(struct conf_source *s, const struct conf_item *items)
{
    for (size_t i = 0; items && items[i].name; i++)
        hide_item(s, &items[i]);
}

void conf_bind_hide_names(struct conf_source *s, const struct conf_item *schema)
{
    static const char *const usual[] = {"secret", "password", "passwd", "token"};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        hide_name(s, str_c(usual[i]));
    hide_table(s, schema);
}
