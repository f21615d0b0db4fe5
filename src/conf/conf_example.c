/* The commented example file. What is optional stands behind a '#' at the indentation where it would begin; doc lines
 * have a blank behind theirs. So an editor's uncomment key makes any option live, and the file is valid before and
 * after: what cannot stand beside the rest has a '#' of its own. */
#include "conf/conf_value.h"

#include "text/json.h"

enum { WIDTH = 100, INDENT = 2 };

struct writer {
    struct strbuf *out;
    size_t indent;
    size_t mark; // column of the '#' of a block that is commented out
    bool commented;
    bool other; // CONF_OTHER: commented again within the block
};

static void write_members(const struct writer *w, const struct conf_tables *tables, const char *pick_by,
                          struct str type);

static void begin_line(const struct writer *w, bool commented, size_t mark)
{
    for (size_t i = 0; i < w->indent; i++) {
        if (commented && i == mark)
            strbuf_char(w->out, '#');
        strbuf_char(w->out, ' ');
    }
    if (commented && mark >= w->indent)
        strbuf_char(w->out, '#');
}

static void begin(const struct writer *w)
{
    begin_line(w, w->commented, w->mark);
    if (w->other)
        strbuf_char(w->out, '#');
}

// One paragraph of comment, broken at blanks.
static void write_doc(const struct writer *w, struct str text)
{
    struct str word;
    size_t column = 0; // 0: no line is begun
    while (str_word(&text, &word)) {
        if (column && column + 1 + word.n > WIDTH) {
            strbuf_char(w->out, '\n');
            column = 0;
        }
        if (!column) {
            begin(w);
            strbuf_char(w->out, '#');
            column = w->indent + 1;
        }
        strbuf_char(w->out, ' ');
        strbuf_str(w->out, word);
        column += 1 + word.n;
    }
    if (column)
        strbuf_char(w->out, '\n');
}

static bool tells_values(enum conf_type type, const struct conf_item *item)
{
    struct strbuf range;
    strbuf_init(&range, 256);
    if (type == CONF_INT || type == CONF_REAL || type == CONF_SPAN || type == CONF_SIZE)
        conf_scalar_range(type, item, &range);
    bool told = item->values || range.n;
    strbuf_finish(&range);
    return told;
}

static void write_about(const struct writer *w, const struct conf_item *item)
{
    struct strbuf text;
    strbuf_init(&text, 4096);
    strbuf_c(&text, item->doc);
    if (tells_values(item->type, item)) {
        strbuf_c(&text, item->values ? " One of " : " It is ");
        conf_scalar_expect(item->type, item, &text);
        strbuf_char(&text, '.');
    }
    if (item->flags & CONF_RESTART)
        strbuf_c(&text, " A change takes effect at a restart.");
    write_doc(w, strbuf_view(&text));
    strbuf_finish(&text);
}

// Text that some YAML reader would take for a number, a date, a boolean or null.
static bool looks_typed(struct str s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (str_case_eq(s, str_c(words[i])))
            return true;
    }
    size_t dots = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!strchr("0123456789.+-_:eExo", s.p[i]))
            return false;
        dots += s.p[i] == '.';
    }
    return dots <= 1;
}

static bool is_plain(struct str s)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._";
    static const char further[] = "+-@%:$~() ";
    if (!s.n || !strchr(first, s.p[0]) || s.p[s.n - 1] == ':' || s.p[s.n - 1] == ' ' || looks_typed(s))
        return false;
    for (size_t i = 1; i < s.n; i++) {
        if (!s.p[i] || (!strchr(first, s.p[i]) && !strchr(further, s.p[i])) || (s.p[i] == ' ' && s.p[i - 1] == ':'))
            return false;
    }
    return true;
}

// A double-quoted text in JSON's form is one in YAML's too.
static void write_text(const struct writer *w, struct str text)
{
    if (is_plain(text))
        strbuf_str(w->out, text);
    else
        json_write_str(w->out, text);
}

static const char *placeholder(enum conf_type type, const struct conf_item *item)
{
    static const char *const words[] = {
        [CONF_STR] = "text", [CONF_INT] = "1",           [CONF_REAL] = "1",  [CONF_BOOL] = "false",
        [CONF_SPAN] = "10s", [CONF_SIZE] = "64kB",       [CONF_ENUM] = "",   [CONF_SECRET] = "change-me",
        [CONF_PATH] = "/",   [CONF_ADDRESS] = "[::1]:1", [CONF_LIST] = "[]", [CONF_ANY] = "{}",
    };
    return type == CONF_ENUM && item->values ? item->values[0] : words[type];
}

static void write_value(const struct writer *w, const struct conf_item *item)
{
    const char *value = item->example ? item->example : item->dflt ? item->dflt : placeholder(item->type, item);
    bool verbatim = item->type == CONF_INT || item->type == CONF_REAL || item->type == CONF_BOOL ||
                    item->type == CONF_LIST || item->type == CONF_ANY;
    if (verbatim)
        strbuf_c(w->out, value);
    else
        write_text(w, str_c(value));
    strbuf_char(w->out, '\n');
}

static void write_name(const struct writer *w, const char *name)
{
    begin(w);
    write_text(w, str_c(name)); // "null" and "on" can be names
    strbuf_char(w->out, ':');
}

static struct writer inner(const struct writer *w)
{
    struct writer in = *w;
    in.indent += INDENT;
    return in;
}

static void write_map(const struct writer *w, const struct conf_item *item)
{
    const struct conf_tables tables = {item->sub, NULL};
    const struct writer in = inner(w);
    write_name(w, item->name);
    strbuf_char(w->out, '\n');
    write_members(&in, &tables, NULL, STR_NONE);
}

static void write_maps(const struct writer *w, const struct conf_item *item)
{
    const struct conf_tables tables = {item->sub, NULL};
    const struct writer dash = inner(w), in = inner(&dash);
    write_name(w, item->name);
    strbuf_char(w->out, '\n');
    begin(&dash);
    strbuf_c(w->out, "-\n");
    write_members(&in, &tables, NULL, STR_NONE);
}

static void write_entry(const struct writer *w, const struct conf_item *item, const char *name, struct str type)
{
    const struct conf_tables tables = {item->sub, type.n && item->pick ? item->pick(type) : NULL};
    const struct writer in = inner(w);
    write_name(w, name);
    strbuf_char(w->out, '\n');
    write_members(&in, &tables, item->pick_by, type);
}

// One entry of each type, named after it; or a single one.
static void write_named(const struct writer *w, const struct conf_item *item)
{
    const struct conf_tables own = {item->sub, NULL};
    const struct conf_item *by = item->pick ? conf_tables_find(&own, str_c(item->pick_by)) : NULL;
    const char *const *types = conf_tables_types(item);
    const struct writer in = inner(w);
    write_name(w, item->name);
    strbuf_char(w->out, '\n');
    for (size_t i = 0; types && types[i]; i++)
        write_entry(&in, item, types[i], str_c(types[i]));
    if (!types)
        write_entry(&in, item, item->example ? item->example : "main", str_c(by ? by->example : NULL));
}

static bool needs_members(const struct conf_item *item)
{
    for (size_t i = 0; item->sub && item->sub[i].name; i++) {
        if (item->sub[i].flags & CONF_REQUIRED)
            return true;
    }
    return false;
}

// A section whose members may all be left out can stand as it is.
static bool is_live(const struct conf_item *item)
{
    return (item->flags & CONF_REQUIRED) || (item->type == CONF_MAP && !needs_members(item));
}

static void write_item(const struct writer *outer, const struct conf_item *item, bool live)
{
    struct writer w = *outer;
    w.other = w.commented && (item->flags & CONF_OTHER);
    if (!live && !w.commented) {
        w.commented = true;
        w.mark = w.indent;
    }
    // The doc of an option is a comment of the block around it.
    write_about(outer, item);
    if (item->type == CONF_MAP) {
        write_map(&w, item);
    } else if (item->type == CONF_NAMED) {
        write_named(&w, item);
    } else if (item->type == CONF_LIST && item->of == CONF_MAP && !item->example) {
        write_maps(&w, item);
    } else {
        write_name(&w, item->name);
        strbuf_char(w.out, ' ');
        write_value(&w, item);
    }
}

static void write_members(const struct writer *w, const struct conf_tables *tables, const char *pick_by,
                          struct str type)
{
    size_t at = 0;
    for (const struct conf_item *item; (item = conf_tables_next(tables, &at));) {
        if (item->flags & CONF_HIDDEN)
            continue;
        struct conf_item copy = *item;
        bool picks = pick_by && type.n && str_eq_c(str_c(pick_by), item->name);
        if (picks)
            copy.example = type.p;
        write_item(w, &copy, picks || is_live(item));
        if (w->indent == 0)
            strbuf_char(w->out, '\n');
    }
}

void conf_write_example(const struct conf_item *schema, struct strbuf *out)
{
    const struct writer w = {.out = out};
    const struct conf_tables tables = {schema, NULL};
    write_members(&w, &tables, NULL, STR_NONE);
}
