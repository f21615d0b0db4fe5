/* Scalars: text to number, time, size, address; and what each of them should have been, for people. */
#include "conf/conf_value.h"

#include "base/clock.h"

#include <math.h>

static const struct unit {
    const char *name;
    int64_t factor;
} sizes[] = {{"GiB", 1 << 30}, {"GB", 1000000000}, {"MiB", 1 << 20}, {"MB", 1000000},
             {"KiB", 1 << 10}, {"kB", 1000},       {"B", 1}},
  spans[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

enum { SIZE_UNITS = sizeof sizes / sizeof *sizes, SPAN_UNITS = sizeof spans / sizeof *spans };

static bool bounded(const struct conf_item *item)
{
    return item->min < 0 || item->min > 0 || item->max < 0 || item->max > 0;
}

static bool in_range(const struct conf_item *item, double n)
{
    if (!bounded(item))
        return true;
    return n >= item->min && (item->max < item->min || n <= item->max);
}

// "90s", "64kB": the largest unit that gives a whole number.
static void write_units(const struct unit *units, size_t count, double n, struct strbuf *out)
{
    for (size_t i = 0; i < count; i++) {
        double whole = n / (double)units[i].factor;
        if (i + 1 == count || (whole >= 1 && whole <= floor(whole))) {
            strbuf_printf(out, "%.0f%s", whole, units[i].name);
            return;
        }
    }
}

static void write_bound(enum conf_type type, double n, struct strbuf *out)
{
    if (type == CONF_SPAN)
        write_units(spans, SPAN_UNITS, n, out);
    else if (type == CONF_SIZE)
        write_units(sizes, SIZE_UNITS, n, out);
    else
        strbuf_printf(out, "%.15g", n);
}

void conf_scalar_range(enum conf_type type, const struct conf_item *item, struct strbuf *out)
{
    if (!bounded(item))
        return;
    bool open = item->max < item->min;
    bool sample = type == CONF_SPAN || type == CONF_SIZE; // an enumeration stands before it
    strbuf_c(out, open ? ", at least " : sample ? ", from " : " from ");
    write_bound(type, item->min, out);
    if (!open) {
        strbuf_c(out, " to ");
        write_bound(type, item->max, out);
    }
}

void conf_scalar_words(const char *const *words, struct strbuf *out)
{
    for (size_t i = 0; words && words[i]; i++) {
        strbuf_c(out, i == 0 ? "" : words[i + 1] ? ", " : " or ");
        strbuf_c(out, words[i]);
    }
}

void conf_scalar_expect(enum conf_type type, const struct conf_item *item, struct strbuf *out)
{
    static const char *const words[] = {
        [CONF_STR] = "text",
        [CONF_INT] = "a number",
        [CONF_REAL] = "a number",
        [CONF_BOOL] = "true or false",
        [CONF_SPAN] = "a time such as 250ms, 10s, 5m or 2h",
        [CONF_SIZE] = "a size such as 64kB or 1MiB",
        [CONF_ENUM] = "",
        [CONF_SECRET] = "text, file:PATH, env:NAME or credential:NAME",
        [CONF_ADDRESS] = "host:port",
        [CONF_PATH] = "a path",
        [CONF_LIST] = "a list",
        [CONF_MAP] = "a map",
        [CONF_NAMED] = "a map",
        [CONF_ANY] = "anything",
    };
    bool numeric = type == CONF_INT || type == CONF_REAL || type == CONF_SPAN || type == CONF_SIZE;
    if ((type == CONF_ENUM || type == CONF_STR) && item->values)
        conf_scalar_words(item->values, out);
    else
        strbuf_c(out, type == CONF_ADDRESS && item->min > 0 ? "host or host:port" : words[type]);
    if (numeric)
        conf_scalar_range(type, item, out);
}

static bool parse_text(struct conf_value *v, const struct conf_item *item)
{
    (void)item;
    return v->node == CONF_NODE_SCALAR;
}

static bool parse_int(struct conf_value *v, const struct conf_item *item)
{
    return str_to_i64(v->text, &v->i) && in_range(item, (double)v->i);
}

static bool parse_real(struct conf_value *v, const struct conf_item *item)
{
    return str_to_double(v->text, &v->d) && in_range(item, v->d);
}

static bool parse_bool(struct conf_value *v, const struct conf_item *item)
{
    (void)item;
    v->b = str_eq_c(v->text, "true");
    return v->b || str_eq_c(v->text, "false");
}

static bool parse_span(struct conf_value *v, const struct conf_item *item)
{
    return clock_parse_span(v->text, &v->i) && in_range(item, (double)v->i);
}

static bool parse_size(struct conf_value *v, const struct conf_item *item)
{
    struct str number = v->text;
    int64_t factor = 1;
    for (size_t i = 0; i < SIZE_UNITS; i++) {
        struct str unit = str_c(sizes[i].name);
        if (str_ends(v->text, unit)) {
            number = str_trim(str_sub(v->text, 0, v->text.n - unit.n));
            factor = sizes[i].factor;
            break;
        }
    }
    if (!str_to_i64(number, &v->i) || v->i < 0 || v->i > INT64_MAX / factor)
        return false;
    v->i *= factor;
    return in_range(item, (double)v->i);
}

static bool parse_enum(struct conf_value *v, const struct conf_item *item)
{
    for (v->e = 0; item->values && item->values[v->e]; v->e++) {
        if (str_eq_c(v->text, item->values[v->e]))
            return true;
    }
    return false;
}

static bool is_host(struct str s, bool v6)
{
    if (!s.n || s.n > 253)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool ascii = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '.' || c == '-' || c == '_';
        bool other = v6 ? c == ':' || c == '%' : c >= 0x80;
        if (!ascii && !other)
            return false;
    }
    return true;
}

// Cuts "[v6]:port", "host:port" or "host"; *port stays empty when there is none.
static bool split_address(struct str s, struct str *host, struct str *port, bool *v6)
{
    *v6 = s.n && s.p[0] == '[';
    *port = STR_NONE;
    if (!*v6)
        return !str_rcut(s, ':', host, port) || port->n > 0;
    ptrdiff_t close = str_find(s, ']');
    if (close < 0)
        return false;
    *host = str_sub(s, 1, (size_t)close);
    struct str rest = str_sub(s, (size_t)close + 1, s.n);
    if (rest.n < 2)
        return !rest.n;
    *port = str_sub(rest, 1, rest.n);
    return rest.p[0] == ':';
}

static bool parse_address(struct conf_value *v, const struct conf_item *item)
{
    struct str host, port;
    bool v6;
    int64_t number = (int64_t)item->min;
    if (!split_address(v->text, &host, &port, &v6) || !is_host(host, v6) || (port.n && !str_to_i64(port, &number)))
        return false;
    if (number < 1 || number > UINT16_MAX)
        return false;
    v->host = arena_dup(&v->tree->arena, host);
    v->port = (uint16_t)number;
    return true;
}

static bool parse_path(struct conf_value *v, const struct conf_item *item)
{
    (void)item;
    if (!v->text.n)
        return false;
    v->text = conf_source_path(v->tree->source, &v->tree->arena, v->text);
    return true;
}

bool conf_scalar_parse(struct conf_value *v, const struct conf_item *item)
{
    static bool (*const parsers[])(struct conf_value *, const struct conf_item *) = {
        [CONF_STR] = parse_text,  [CONF_INT] = parse_int,   [CONF_REAL] = parse_real,       [CONF_BOOL] = parse_bool,
        [CONF_SPAN] = parse_span, [CONF_SIZE] = parse_size, [CONF_ENUM] = parse_enum,       [CONF_SECRET] = parse_text,
        [CONF_PATH] = parse_path, [CONF_ANY] = parse_text,  [CONF_ADDRESS] = parse_address,
    };
    return (size_t)v->type < sizeof parsers / sizeof *parsers && parsers[v->type] && parsers[v->type](v, item);
}

bool conf_scalar_is_name(struct str s)
{
    if (!s.n || s.n > CONF_NAME_MAX || s.p[0] < 'a' || s.p[0] > 'z')
        return false;
    for (size_t i = 1; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}
