#include "net/http_form.h"

#include "base/utf8.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_percent_decode(struct arena *a, struct str s, bool plus, struct str *out)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        p[n++] = (char)c;
    }
    p[n] = '\0';
    *out = (struct str){p, n};
    return true;
}

static size_t count_pairs(struct str s)
{
    size_t n = 0;
    struct str pair;
    while (!str_empty(s)) {
        str_cut(s, '&', &pair, &s);
        n += !str_empty(pair);
    }
    return n;
}

static bool read_pair(struct arena *a, struct str text, struct http_pair *out)
{
    struct str name, value;
    str_cut(text, '=', &name, &value);
    return http_percent_decode(a, name, true, &out->name) && http_percent_decode(a, value, true, &out->value) &&
           utf8_valid(out->name) && utf8_valid(out->value);
}

bool http_form_parse(struct arena *a, struct str s, size_t max, const struct http_pair **out, size_t *count)
{
    size_t n = count_pairs(s), at = 0;
    struct str text;
    *out = NULL;
    *count = 0;
    if (n > max)
        return false;
    struct http_pair *pairs = arena_zalloc(a, n + 1, sizeof *pairs);
    while (!str_empty(s)) {
        str_cut(s, '&', &text, &s);
        if (!str_empty(text) && !read_pair(a, text, &pairs[at++]))
            return false;
    }
    *out = pairs;
    *count = n;
    return true;
}

struct str http_form_get(const struct http_pair *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(pairs[i].name, name))
            return pairs[i].value;
    }
    return STR_NONE;
}
