#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>

json_t *json_read(struct str text, size_t max, struct errmsg *msg)
{
    json_error_t e;
    if (text.n > max) {
        (void)err_set(msg, ERR_LIMIT, "more than %zu bytes", max);
        return NULL;
    }
    json_t *value = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!value)
        (void)err_set(msg, ERR_BADREQ, "line %d, column %d: %s", e.line, e.column, e.text);
    return value;
}

// Takes "['a.b']" from the front of *path.
static json_t *step_quoted(const json_t *value, struct str *path)
{
    struct str name, rest, quote = str_sub(*path, 1, 2);
    if (!str_cut(str_sub(*path, 2, path->n), *quote.p, &name, &rest) || !str_starts(rest, STR("]")))
        return NULL;
    *path = str_sub(rest, 1, rest.n);
    return json_object_getn(value, name.p ? name.p : "", name.n);
}

// The first object of an array whose member is this text.
static json_t *select_from(const json_t *array, struct str name, struct str text)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        json_t *one = json_array_get(array, i);
        const json_t *member = json_object_getn(one, name.p ? name.p : "", name.n);
        struct str said = {json_string_value(member), json_string_length(member)};
        if (json_is_string(member) && str_eq(said, text))
            return one;
    }
    return NULL;
}

// Takes "[3]", "['a.b']" or "[a=text]" from the front of *path.
static json_t *step_bracket(const json_t *value, struct str *path)
{
    struct str inner, rest, name, text;
    uint64_t i;
    if (str_starts(*path, STR("['")) || str_starts(*path, STR("[\"")))
        return step_quoted(value, path);
    if (!str_cut(str_sub(*path, 1, path->n), ']', &inner, &rest))
        return NULL;
    *path = rest;
    if (str_cut(inner, '=', &name, &text))
        return select_from(value, name, text);
    if (!str_to_u64(inner, &i))
        return NULL;
    return i < json_array_size(value) ? json_array_get(value, (size_t)i) : NULL;
}

// Takes a name from the front of *path, up to '.', '[' or the end.
static json_t *step_name(const json_t *value, struct str *path)
{
    size_t n = 0;
    while (n < path->n && path->p[n] != '.' && path->p[n] != '[')
        n++;
    struct str name = str_sub(*path, 0, n);
    *path = str_sub(*path, n, path->n);
    return n != 0 && str_find(name, ']') < 0 ? json_object_getn(value, name.p, name.n) : NULL;
}

json_t *json_at(json_t *value, struct str path)
{
    bool first = true;
    while (value && !str_empty(path)) {
        bool dot = path.p[0] == '.';
        if (path.p[0] == '[')
            value = step_bracket(value, &path);
        else if (first == dot) // a dot stands between two steps, neither before the first nor left out before a name
            return NULL;
        else {
            path = str_sub(path, dot, path.n);
            value = step_name(value, &path);
        }
        first = false;
    }
    return value;
}

static struct str string_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

struct str json_member_str(const json_t *object, const char *name)
{
    return string_of(json_object_get(object, name));
}

// The fewest digits that give the same number again.
static struct str real_text(struct arena *a, double v)
{
    char buf[32];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(buf, sizeof buf, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    return arena_dup(a, str_c(buf));
}

static struct str compact(struct arena *a, const json_t *value)
{
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);
    size_t n = json_dumpb(value, NULL, 0, flags);
    char *p = arena_alloc(a, n + 1);
    n = json_dumpb(value, p, n, flags);
    p[n] = '\0';
    return (struct str){p, n};
}

struct str json_text(struct arena *a, const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
        return STR("");
    case JSON_TRUE:
        return STR("true");
    case JSON_FALSE:
        return STR("false");
    case JSON_STRING:
        return arena_dup(a, string_of(value));
    case JSON_INTEGER:
        return arena_printf(a, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:
        return real_text(a, json_real_value(value));
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return compact(a, value);
}

static bool write_escape(struct strbuf *b, char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *hit = memchr(plain, c, sizeof plain - 1);
    if (hit)
        return strbuf_char(b, '\\') && strbuf_char(b, letters[hit - plain]);
    return strbuf_printf(b, "\\u%04x", (unsigned)(unsigned char)c);
}

bool json_write_str(struct strbuf *b, struct str s)
{
    bool ok = strbuf_char(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\')
            continue;
        ok = strbuf_str(b, str_sub(s, from, i)) && write_escape(b, s.p[i]) && ok;
        from = i + 1;
    }
    return strbuf_str(b, str_sub(s, from, s.n)) && strbuf_char(b, '"') && ok;
}
