#include "xmpp/form.h"

#include "base/strbuf.h"
#include "base/utf8.h"
#include "xmpp/ns.h"

#define INTEGER_MAX 9007199254740992.0 // 2^53

void form_open(struct xml_writer *w, const char *type, struct str title)
{
    xml_open_ns(w, "x", NS_DATA);
    xml_put_attr_c(w, "type", type);
    if (title.n)
        xml_leaf(w, "title", title);
}

static bool is_integer(double v)
{
    return v >= -INTEGER_MAX && v <= INTEGER_MAX && v == (double)(int64_t)v;
}

static bool bounded(const struct field *f)
{
    return f->min <= f->max;
}

// A field whose step is whole takes whole numbers.
static bool wants_integer(const struct field *f)
{
    return f->step >= 1 && is_integer(f->step) && (!bounded(f) || is_integer(f->min));
}

static bool is_bool(struct str s, bool *value)
{
    *value = str_eq_c(s, "true") || str_eq_c(s, "1");
    return *value || str_eq_c(s, "false") || str_eq_c(s, "0");
}

static const char *type_name(const struct field *f)
{
    switch (f->type) {
    case FIELD_BOOL:
        return "boolean";
    case FIELD_CHOICE:
        return "list-single";
    case FIELD_FIXED:
        return "fixed";
    case FIELD_MULTI:
        return f->choice_count ? "list-multi" : "text-multi";
    case FIELD_TEXT:
    case FIELD_NUMBER:
        break;
    }
    return "text-single";
}

static void put_number(struct xml_writer *w, struct arena *a, const char *name, double v)
{
    xml_put_attr(w, name, arena_printf(a, "%.15g", v));
}

static void put_validate(struct xml_writer *w, struct arena *a, const struct field *f)
{
    xml_open_ns(w, "validate", NS_VALIDATE);
    xml_put_attr_c(w, "datatype", wants_integer(f) ? "xs:integer" : "xs:decimal");
    xml_open(w, bounded(f) ? "range" : "basic");
    if (bounded(f)) {
        put_number(w, a, "min", f->min);
        put_number(w, a, "max", f->max);
    }
    xml_shut(w);
    xml_shut(w);
}

static void put_lines(struct xml_writer *w, struct str text)
{
    struct str line;
    for (bool more = text.n > 0; more;) {
        more = str_cut(text, '\n', &line, &text);
        xml_leaf(w, "value", line);
    }
}

static void put_value(struct xml_writer *w, const struct field *f)
{
    bool on;
    if (f->type == FIELD_MULTI)
        put_lines(w, f->value);
    else if (f->value.n && (f->type != FIELD_BOOL || is_bool(f->value, &on)))
        xml_leaf(w, "value", f->value);
}

static void put_options(struct xml_writer *w, const struct field *f)
{
    for (size_t i = 0; i < f->choice_count; i++) {
        xml_open(w, "option");
        xml_put_attr(w, "label", f->choices[i]);
        xml_leaf(w, "value", f->choices[i]);
        xml_shut(w);
    }
}

static void put_fixed(struct xml_writer *w, const struct field *f)
{
    xml_open(w, "field");
    xml_put_attr_c(w, "type", "fixed");
    xml_leaf(w, "value", f->value.n ? f->value : f->label);
    xml_shut(w);
}

void form_put_field(struct xml_writer *w, struct arena *a, const struct field *f)
{
    if (f->type == FIELD_FIXED) {
        put_fixed(w, f);
        return;
    }
    xml_open(w, "field");
    xml_put_attr(w, "var", f->name);
    xml_put_attr_c(w, "type", type_name(f));
    if (f->label.n)
        xml_put_attr(w, "label", f->label);
    if (f->type == FIELD_NUMBER)
        put_validate(w, a, f);
    if (f->required) {
        xml_open(w, "required");
        xml_shut(w);
    }
    put_value(w, f);
    if (f->type == FIELD_CHOICE || f->type == FIELD_MULTI)
        put_options(w, f);
    xml_shut(w);
}

static bool is_choice(const struct field *f, struct str value)
{
    for (size_t i = 0; i < f->choice_count; i++) {
        if (str_eq(f->choices[i], value))
            return true;
    }
    return false;
}

static bool one_line(struct str s)
{
    return str_find(s, '\n') < 0 && str_find(s, '\r') < 0;
}

/* One checker a type: NULL when the value is right, which it may put into its normal form, else what it should be. */
static const char *check_text(const struct field *f, struct str *value)
{
    (void)f;
    return one_line(*value) ? NULL : "one line of text is wanted";
}

static const char *check_bool(const struct field *f, struct str *value)
{
    (void)f;
    bool on;
    if (!is_bool(*value, &on))
        return "true or false is wanted";
    *value = on ? STR("true") : STR("false");
    return NULL;
}

static const char *check_number(const struct field *f, struct str *value)
{
    double v;
    *value = str_trim(*value);
    if (!str_to_double(*value, &v))
        return "a number is wanted";
    if (wants_integer(f) && !is_integer(v))
        return "a whole number is wanted";
    return bounded(f) && (v < f->min || v > f->max) ? "the number is out of range" : NULL;
}

static const char *check_choice(const struct field *f, struct str *value)
{
    return is_choice(f, *value) ? NULL : "this is none of the choices";
}

static const char *check_multi(const struct field *f, struct str *value)
{
    if (str_find(*value, '\r') >= 0)
        return "lines of text are wanted";
    struct str rest = *value, line;
    for (bool more = f->choice_count > 0; more;) {
        more = str_cut(rest, '\n', &line, &rest);
        if (!is_choice(f, line))
            return "this is none of the choices";
    }
    return NULL;
}

static const char *check(const struct field *f, struct str *value)
{
    static const char *(*const checks[])(const struct field *f, struct str *value) = {
        [FIELD_TEXT] = check_text,     [FIELD_BOOL] = check_bool,   [FIELD_NUMBER] = check_number,
        [FIELD_CHOICE] = check_choice, [FIELD_MULTI] = check_multi,
    };
    return value->n > FORM_VALUE_MAX ? "the value is too long" : checks[f->type](f, value);
}

static const struct xml_node *find_field(const struct xml_node *x, struct str name)
{
    for (const struct xml_node *n = x->first; n; n = n->next) {
        if (xml_is(n, NS_DATA, "field") && str_eq(xml_attr(n, "var"), name))
            return n;
    }
    return NULL;
}

// All <value/> of a field, joined by '\n'; what goes beyond the bound only makes it too long.
static struct str read_value(const struct xml_node *field, struct arena *a)
{
    struct strbuf text;
    strbuf_init(&text, FORM_VALUE_MAX + 1);
    bool first = true;
    for (const struct xml_node *n = field ? field->first : NULL; n; n = n->next) {
        if (!xml_is(n, NS_DATA, "value"))
            continue;
        if (!first)
            strbuf_char(&text, '\n');
        strbuf_str(&text, str_sub(n->text, 0, FORM_VALUE_MAX + 1 - text.n));
        first = false;
    }
    struct str value = arena_dup(a, strbuf_view(&text));
    strbuf_finish(&text);
    return value;
}

static enum err refuse(struct arena *a, const struct field *f, const char *what, struct str *why)
{
    struct str label = utf8_cut(f->label.n ? f->label : f->name, 128);
    *why = arena_printf(a, STR_FMT ": %s", STR_ARG(label), what);
    return ERR_BADREQ;
}

// An empty value counts as none, but for text, which may be emptied.
static bool is_given(const struct field *f, const struct xml_node *node, struct str value)
{
    return value.n > 0 || (node && !f->required && (f->type == FIELD_TEXT || f->type == FIELD_MULTI));
}

enum err form_read(const struct xml_node *x, const struct field *fields, size_t count, struct arena *a,
                   struct event_field **out, size_t *out_count, struct str *why)
{
    struct event_field *list = arena_zalloc(a, count + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct field *f = &fields[i];
        if (f->type == FIELD_FIXED)
            continue;
        const struct xml_node *node = find_field(x, f->name);
        struct str value = read_value(node, a);
        if (!is_given(f, node, value)) {
            if (f->required)
                return refuse(a, f, "a value is required", why);
            continue;
        }
        const char *what = value.n ? check(f, &value) : NULL;
        if (what)
            return refuse(a, f, what, why);
        list[n++] = (struct event_field){f->name, value};
    }
    *out = list;
    *out_count = n;
    return ERR_OK;
}
