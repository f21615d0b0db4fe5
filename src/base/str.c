#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

bool str_case_eq(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_eq(str_sub(s, 0, prefix.n), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_eq(str_sub(s, s.n - suffix.n, s.n), suffix);
}

struct str str_sub(struct str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from >= to)
        return STR_NONE;
    return (struct str){s.p + from, to - from};
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *hit = s.n == 0 ? NULL : memchr(s.p, c, s.n);
    return hit ? hit - s.p : -1;
}

ptrdiff_t str_rfind(struct str s, char c)
{
    for (size_t i = s.n; i > 0; i--)
        if (s.p[i - 1] == c)
            return (ptrdiff_t)i - 1;
    return -1;
}

ptrdiff_t str_find_str(struct str s, struct str needle)
{
    if (needle.n == 0)
        return 0;
    for (size_t at = 0; at + needle.n <= s.n; at++) {
        struct str rest = str_sub(s, at, s.n);
        if (str_starts(rest, needle))
            return (ptrdiff_t)at;
        ptrdiff_t next = str_find(str_sub(rest, 1, rest.n), needle.p[0]);
        if (next < 0)
            break;
        at += (size_t)next;
    }
    return -1;
}

static bool cut_at(struct str s, ptrdiff_t at, struct str *head, struct str *tail)
{
    *head = at < 0 ? s : str_sub(s, 0, (size_t)at);
    *tail = at < 0 ? STR_NONE : str_sub(s, (size_t)at + 1, s.n);
    return at >= 0;
}

struct str str_keep(char **to, struct str s)
{
    struct str kept = {*to, s.n};
    if (s.n)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return kept;
}

bool str_cut(struct str s, char sep, struct str *head, struct str *tail)
{
    return cut_at(s, str_find(s, sep), head, tail);
}

bool str_rcut(struct str s, char sep, struct str *head, struct str *tail)
{
    return cut_at(s, str_rfind(s, sep), head, tail);
}

bool str_word(struct str *rest, struct str *word)
{
    struct str s = str_trim(*rest);
    size_t n = 0;
    while (n < s.n && !is_space(s.p[n]))
        n++;
    *word = str_sub(s, 0, n);
    *rest = str_sub(s, n, s.n);
    return n != 0;
}

struct str str_trim(struct str s)
{
    size_t from = 0, to = s.n;
    while (from < to && is_space(s.p[from]))
        from++;
    while (to > from && is_space(s.p[to - 1]))
        to--;
    return str_sub(s, from, to);
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return false;
        uint64_t digit = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    if (s.n == 0)
        return false;
    *out = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *out)
{
    bool negative = s.n != 0 && s.p[0] == '-';
    uint64_t v;
    if (!str_to_u64(str_sub(s, negative, s.n), &v))
        return false;
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

static size_t digits(struct str s, size_t *at)
{
    size_t from = *at;
    while (*at < s.n && is_digit(s.p[*at]))
        ++*at;
    return *at - from;
}

static bool one_of(struct str s, size_t *at, char a, char b)
{
    if (*at >= s.n || (s.p[*at] != a && s.p[*at] != b))
        return false;
    ++*at;
    return true;
}

// [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point.
static bool is_real(struct str s)
{
    size_t at = 0;
    (void)one_of(s, &at, '+', '-');
    size_t mantissa = digits(s, &at);
    if (one_of(s, &at, '.', '.'))
        mantissa += digits(s, &at);
    if (mantissa == 0)
        return false;
    if (one_of(s, &at, 'e', 'E')) {
        (void)one_of(s, &at, '+', '-');
        if (digits(s, &at) == 0)
            return false;
    }
    return at == s.n;
}

bool str_to_double(struct str s, double *out)
{
    char buf[STR_REAL_MAX + 1];
    if (s.n > STR_REAL_MAX || !is_real(s))
        return false;
    memcpy(buf, s.p, s.n);
    buf[s.n] = '\0';
    char *point = strchr(buf, '.');
    if (point)
        *point = localeconv()->decimal_point[0]; // strtod() listens to the locale, a library may have set one
    double v = strtod(buf, NULL);
    if (!isfinite(v))
        return false;
    *out = v;
    return true;
}

enum { DISTANCE_MAX = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

// One row of the table: `now` from the row before and, for a transposition, the one before that.
static void distance_row(struct str a, struct str b, size_t i, const size_t *before, const size_t *last, size_t *now)
{
    now[0] = i;
    for (size_t j = 1; j <= b.n; j++) {
        size_t differ = lower(a.p[i - 1]) != lower(b.p[j - 1]);
        now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + differ);
        if (i > 1 && j > 1 && lower(a.p[i - 1]) == lower(b.p[j - 2]) && lower(a.p[i - 2]) == lower(b.p[j - 1]) &&
            before[j - 2] + 1 < now[j])
            now[j] = before[j - 2] + 1;
    }
}

size_t str_distance(struct str a, struct str b, size_t limit)
{
    size_t rows[3][DISTANCE_MAX + 1];
    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return limit + 1;
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++)
        distance_row(a, b, i, rows[(i + 1) % 3], rows[(i - 1) % 3], rows[i % 3]);
    size_t d = rows[a.n % 3][b.n];
    return d <= limit ? d : limit + 1;
}
