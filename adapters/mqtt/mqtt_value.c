#include "adapters/mqtt/mqtt_value.h"

#include "base/utf8.h"

#include <stdio.h>

/* Compiling */

struct scan {
    struct str rest;
    struct arena *arena;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void scan_space(struct scan *s)
{
    while (s->rest.n && (*s->rest.p == ' ' || *s->rest.p == '\t' || *s->rest.p == '\n' || *s->rest.p == '\r'))
        s->rest = str_sub(s->rest, 1, s->rest.n);
}

static bool scan_char(struct scan *s, char c)
{
    scan_space(s);
    if (s->rest.n == 0 || *s->rest.p != c)
        return false;
    s->rest = str_sub(s->rest, 1, s->rest.n);
    return true;
}

static struct str scan_word(struct scan *s)
{
    size_t n = 0;

    scan_space(s);
    while (n < s->rest.n && is_word(s->rest.p[n]))
        n++;
    struct str word = str_sub(s->rest, 0, n);
    s->rest = str_sub(s->rest, n, s->rest.n);
    return word;
}

// A quoted string without escapes; false when there is none.
static bool scan_quoted(struct scan *s, struct str *out)
{
    scan_space(s);
    if (s->rest.n == 0 || (*s->rest.p != '\'' && *s->rest.p != '"'))
        return false;
    char quote = *s->rest.p;
    struct str tail = str_sub(s->rest, 1, s->rest.n);
    ptrdiff_t end = str_find(tail, quote);
    if (end < 0 || str_find(str_sub(tail, 0, (size_t)end), '\\') >= 0)
        return false;
    *out = str_sub(tail, 0, (size_t)end);
    s->rest = str_sub(tail, (size_t)end + 1, tail.n);
    return true;
}

// A member name that json_at() can hold.
static bool plain_member(struct str name)
{
    return name.n && str_find(name, '.') < 0 && str_find(name, '[') < 0 && str_find(name, ']') < 0;
}

static void path_member(struct scan *s, struct str *path, struct str name)
{
    const struct str parts[] = {*path, STR("."), name};

    *path = path->n ? arena_concat(s->arena, parts, 3) : arena_dup(s->arena, name);
}

static void path_offset(struct scan *s, struct str *path, struct str digits)
{
    const struct str parts[] = {*path, STR("["), digits, STR("]")};

    *path = arena_concat(s->arena, parts, 4);
}

// ['name'], ["name"] or [0], behind the bracket.
static bool scan_subscript(struct scan *s, struct str *path)
{
    struct str name;
    uint64_t offset;

    if (scan_quoted(s, &name)) {
        if (!plain_member(name))
            return false;
        path_member(s, path, name);
    } else {
        name = scan_word(s);
        if (!str_to_u64(name, &offset))
            return false;
        path_offset(s, path, name);
    }
    return scan_char(s, ']');
}

static bool scan_path(struct scan *s, struct str *path)
{
    for (;;) {
        if (scan_char(s, '.')) {
            struct str name = scan_word(s);
            if (name.n == 0 || s->rest.n == 0 || *s->rest.p == '(') // a method: .get(), .replace()
                return false;
            path_member(s, path, name);
        } else if (scan_char(s, '[')) {
            if (!scan_subscript(s, path))
                return false;
        } else {
            return true;
        }
    }
}

static const struct {
    const char *name;
    enum mqtt_filter_kind kind;
} filter_names[] = {
    {"default", MQTT_FILTER_DEFAULT},    {"float", MQTT_FILTER_FLOAT}, {"int", MQTT_FILTER_INT},
    {"is_defined", MQTT_FILTER_DEFINED}, {"lower", MQTT_FILTER_LOWER}, {"round", MQTT_FILTER_ROUND},
    {"upper", MQTT_FILTER_UPPER},
};

static bool filter_kind(struct str name, enum mqtt_filter_kind *out)
{
    for (size_t i = 0; i < sizeof(filter_names) / sizeof(filter_names[0]); i++)
        if (str_eq_c(name, filter_names[i].name)) {
            *out = filter_names[i].kind;
            return true;
        }
    return false;
}

// The argument of a filter, behind the parenthesis: a string, a number or a name; a second one ("default('x', true)")
// is read and of no effect.
static bool scan_args(struct scan *s, struct mqtt_filter *f)
{
    struct str second;

    if (scan_char(s, ')'))
        return true;
    if (!scan_quoted(s, &f->arg)) {
        struct str from = s->rest;
        (void)scan_char(s, '-');
        f->arg = scan_word(s);
        if (f->arg.n == 0)
            return false;
        if (scan_char(s, '.') && scan_word(s).n == 0)
            return false;
        f->arg = str_trim(str_sub(from, 0, from.n - s->rest.n));
    }
    f->has_arg = true;
    if (scan_char(s, ',') && !scan_quoted(s, &second) && scan_word(s).n == 0)
        return false;
    return scan_char(s, ')');
}

static bool round_arg(const struct mqtt_filter *f)
{
    int64_t digits;

    return !f->has_arg || (str_to_i64(f->arg, &digits) && digits >= 0 && digits <= 9);
}

static bool scan_filter(struct scan *s, struct mqtt_value *out)
{
    struct mqtt_filter f = {0};

    if (out->filter_count == MQTT_FILTERS || !filter_kind(scan_word(s), &f.kind))
        return false;
    if (scan_char(s, '(') && !scan_args(s, &f))
        return false;
    if (f.kind == MQTT_FILTER_ROUND && !round_arg(&f))
        return false;
    f.arg = arena_dup(s->arena, f.arg);
    out->filters[out->filter_count++] = f;
    return true;
}

// What stands between the braces.
static bool scan_expression(struct scan *s, struct mqtt_value *out)
{
    struct str name = scan_word(s);

    if (str_eq_c(name, "value_json"))
        out->json = true;
    else if (!str_eq_c(name, "value"))
        return false;
    if (out->json && !scan_path(s, &out->path))
        return false;
    while (scan_char(s, '|'))
        if (!scan_filter(s, out))
            return false;
    scan_space(s);
    return s->rest.n == 0;
}

static bool is_template(struct str text)
{
    return str_find_str(text, STR("{{")) >= 0 || str_find_str(text, STR("{%")) >= 0;
}

// Takes the braces off, and the white-space marks of Jinja.
static bool unbrace(struct str text, struct str *inner)
{
    text = str_trim(text);
    if (text.n < 4 || !str_starts(text, STR("{{")) || !str_ends(text, STR("}}")))
        return false;
    *inner = str_sub(text, 2, text.n - 2);
    if (str_starts(*inner, STR("-")))
        *inner = str_sub(*inner, 1, inner->n);
    if (str_ends(*inner, STR("-")))
        *inner = str_sub(*inner, 0, inner->n - 1);
    return true;
}

static bool compile_template(struct arena *a, struct str text, struct mqtt_value *out)
{
    struct scan s = {.arena = a};

    // A space behind the expression lets every scanner look at one character more.
    if (!unbrace(text, &s.rest))
        return false;
    s.rest = arena_printf(a, STR_FMT " ", STR_ARG(s.rest));
    return scan_expression(&s, out);
}

void mqtt_value_compile(struct arena *a, struct str text, struct mqtt_value *out)
{
    *out = (struct mqtt_value){0};
    text = str_trim(text);
    if (text.n == 0)
        return;
    if (!is_template(text)) {
        out->json = true;
        out->path = arena_dup(a, text);
    } else if (!compile_template(a, text, out)) {
        *out = (struct mqtt_value){.unsupported = true};
    }
}

/* Reading */

void mqtt_payload_init(struct mqtt_payload *p, struct str text, struct arena *a)
{
    *p = (struct mqtt_payload){.text = text, .arena = a};
}

void mqtt_payload_finish(struct mqtt_payload *p)
{
    json_decref(p->root);
    p->root = NULL;
}

static json_t *payload_json(struct mqtt_payload *p)
{
    if (!p->parsed) {
        p->parsed = true;
        p->root = json_read(p->text, MQTT_JSON_MAX, NULL);
    }
    return p->root;
}

struct str mqtt_value_text(struct arena *a, struct str payload)
{
    if (!utf8_valid(payload) || str_find(payload, '\0') >= 0)
        return arena_printf(a, "[%zu bytes binary]", payload.n);
    return utf8_cut(utf8_repair(a, utf8_cut(payload, MQTT_TEXT_MAX)), MQTT_TEXT_MAX);
}

static bool has_needless_zero(struct str text)
{
    if (text.n && *text.p == '-')
        text = str_sub(text, 1, text.n);
    return text.n > 1 && text.p[0] == '0' && text.p[1] >= '0' && text.p[1] <= '9';
}

bool mqtt_value_number(struct str text, double *out)
{
    enum { EXACT_DIGITS = 17 }; // a longer run of digits is an identifier, and would lose its end as a double

    if (text.n == 0 || text.n > 2 * EXACT_DIGITS || text.p[0] > '9' || has_needless_zero(text))
        return false;
    if (text.n > EXACT_DIGITS && str_find(text, '.') < 0)
        return false;
    return str_to_double(text, out);
}

static struct mqtt_result result_text(struct mqtt_payload *p, struct str text)
{
    struct mqtt_result r = {.type = MQTT_TEXT};

    if (text.n == 0)
        return (struct mqtt_result){.type = MQTT_ABSENT};
    if (mqtt_value_number(str_trim(text), &r.number)) {
        r.type = MQTT_NUMBER;
        r.text = str_trim(text);
    } else {
        r.text = mqtt_value_text(p->arena, text);
    }
    return r;
}

static struct mqtt_result result_json(struct mqtt_payload *p, struct str path)
{
    json_t *root = payload_json(p);
    json_t *at = root ? json_at(root, path) : NULL;

    if (!at || json_is_null(at))
        return (struct mqtt_result){.type = MQTT_ABSENT};
    if (json_is_number(at))
        return (struct mqtt_result){MQTT_NUMBER, json_number_value(at), json_text(p->arena, at)};
    return result_text(p, json_text(p->arena, at));
}

/* Filters: each changes the result in place. */

static void result_number(struct mqtt_payload *p, struct mqtt_result *r, int digits, double number)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%.*f", digits, number);

    if (n < 0 || (size_t)n >= sizeof(text)) {
        r->type = MQTT_ABSENT;
        return;
    }
    *r = (struct mqtt_result){MQTT_NUMBER, number, arena_dup(p->arena, (struct str){text, (size_t)n})};
    (void)str_to_double(r->text, &r->number); // as rounded
}

static void apply_default(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    if (r->type == MQTT_ABSENT && f->has_arg)
        *r = result_text(p, f->arg);
}

// To a number, or to the filter's own default, or away.
static bool need_number(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    if (r->type == MQTT_TEXT && str_to_double(str_trim(r->text), &r->number))
        r->type = MQTT_NUMBER;
    if (r->type == MQTT_NUMBER)
        return true;
    r->type = MQTT_ABSENT;
    if (f->kind != MQTT_FILTER_ROUND)
        apply_default(f, p, r);
    return false;
}

static void apply_float(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    (void)need_number(f, p, r);
}

static void apply_int(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    if (need_number(f, p, r) && r->number > -1e15 && r->number < 1e15)
        result_number(p, r, 0, (double)(int64_t)r->number);
}

static void apply_round(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    int64_t digits = 0;

    (void)str_to_i64(f->arg, &digits);
    if (need_number(f, p, r))
        result_number(p, r, (int)digits, r->number);
}

static void apply_case(struct mqtt_payload *p, struct mqtt_result *r, char from, char to)
{
    if (r->type != MQTT_TEXT)
        return;
    char *copy = arena_cstr(p->arena, r->text);
    for (size_t i = 0; i < r->text.n; i++)
        if (copy[i] >= from && copy[i] <= from + 25)
            copy[i] = (char)(copy[i] - from + to);
    r->text.p = copy;
}

static void apply_lower(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    (void)f;
    apply_case(p, r, 'A', 'a');
}

static void apply_upper(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    (void)f;
    apply_case(p, r, 'a', 'A');
}

static void apply_defined(const struct mqtt_filter *f, struct mqtt_payload *p, struct mqtt_result *r)
{
    (void)f;
    (void)p;
    (void)r; // what is absent stays so: no error comes of it here
}

static void (*const apply[])(const struct mqtt_filter *, struct mqtt_payload *, struct mqtt_result *) = {
    [MQTT_FILTER_DEFAULT] = apply_default, [MQTT_FILTER_FLOAT] = apply_float, [MQTT_FILTER_INT] = apply_int,
    [MQTT_FILTER_DEFINED] = apply_defined, [MQTT_FILTER_LOWER] = apply_lower, [MQTT_FILTER_ROUND] = apply_round,
    [MQTT_FILTER_UPPER] = apply_upper,
};

struct mqtt_result mqtt_value_get(const struct mqtt_value *v, struct mqtt_payload *p)
{
    struct mqtt_result r = v->json ? result_json(p, v->path) : result_text(p, p->text);

    for (unsigned i = 0; i < v->filter_count; i++)
        apply[v->filters[i].kind](&v->filters[i], p, &r);
    return r;
}
