#include "base/utf8.h"

enum { REPLACEMENT = 0xFFFD, LAST = 0x10FFFF };

static const uint64_t ONES = UINT64_C(0x0101010101010101);
static const uint64_t HIGH = UINT64_C(0x8080808080808080);

// How many characters of `at` are plain: the eight bytes there are ASCII and, if `printable`, none is a control. 8 or
// 0.
static size_t plain_word(struct str s, size_t at, bool printable)
{
    uint64_t w;
    if (s.n - at < sizeof w)
        return 0;
    memcpy(&w, s.p + at, sizeof w);
    uint64_t low = printable ? (w - ONES * 0x20) & ~w : 0; // the high bit of each byte below 0x20
    return ((w | low) & HIGH) == 0 ? sizeof w : 0;
}

static bool is_tail(struct str s, size_t at)
{
    return at < s.n && ((unsigned char)s.p[at] & 0xC0) == 0x80;
}

// Length of the sequence that a byte leads, 0 for none.
static size_t lead_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if ((lead & 0xF0) == 0xE0)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

static bool is_scalar(uint32_t c)
{
    return c <= LAST && (c < 0xD800 || c > 0xDFFF);
}

uint32_t utf8_next(struct str s, size_t *at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)s.p[*at];
    size_t from = (*at)++, n = lead_length(lead);
    if (n == 1)
        return lead;
    if (n == 0)
        return UINT32_MAX;
    uint32_t c = lead & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (!is_tail(s, from + i))
            return UINT32_MAX;
        c = c << 6 | ((unsigned char)s.p[from + i] & 0x3Fu);
    }
    if (c < least[n] || !is_scalar(c))
        return UINT32_MAX;
    *at = from + n;
    return c;
}

size_t utf8_put(char out[4], uint32_t c)
{
    if (!is_scalar(c))
        return 0;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00u >> n & 0xF0u) | c);
    return n;
}

bool utf8_valid(struct str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t skip = plain_word(s, at, false);
        if (skip == 0 && utf8_next(s, &at) == UINT32_MAX)
            return false;
        at += skip;
    }
    return true;
}

bool utf8_xml_char(uint32_t c)
{
    if (c < 0x20)
        return c == '\t' || c == '\n' || c == '\r';
    return is_scalar(c) && c != 0xFFFE && c != 0xFFFF;
}

bool utf8_xml_valid(struct str s)
{
    for (size_t at = 0; at < s.n;) {
        size_t skip = plain_word(s, at, true);
        if (skip == 0 && !utf8_xml_char(utf8_next(s, &at)))
            return false;
        at += skip;
    }
    return true;
}

static uint32_t next_repaired(struct str s, size_t *at)
{
    uint32_t c = utf8_next(s, at);
    return utf8_xml_char(c) ? c : REPLACEMENT;
}

struct str utf8_repair(struct arena *a, struct str s)
{
    if (utf8_xml_valid(s))
        return s;
    char unit[4];
    size_t n = 0;
    for (size_t at = 0; at < s.n;)
        n += utf8_put(unit, next_repaired(s, &at));
    char *p = arena_alloc(a, n + 1), *to = p;
    for (size_t at = 0; at < s.n;) {
        size_t len = utf8_put(unit, next_repaired(s, &at));
        memcpy(to, unit, len);
        to += len;
    }
    *to = '\0';
    return (struct str){p, n};
}

struct str utf8_cut(struct str s, size_t n)
{
    if (s.n <= n)
        return s;
    size_t at = n;
    while (at > 0 && n - at < 3 && is_tail(s, at))
        at--;
    bool whole = !is_tail(s, at) && at + lead_length((unsigned char)s.p[at]) > n;
    return str_sub(s, 0, whole ? at : n);
}

size_t utf8_length(struct str s)
{
    size_t count = 0;
    for (size_t at = 0; at < s.n; count++)
        (void)utf8_next(s, &at);
    return count;
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t count)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > ranges[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < count && c >= ranges[low].first;
}

bool utf8_blank(uint32_t c)
{
    static const struct range blanks[] = {
        {0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680},
        {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000},
    };
    return in_ranges(c, blanks, sizeof blanks / sizeof blanks[0]);
}

// What is not seen, or makes other text be seen elsewhere: controls, zero-width, bidi, fillers, annotations, tags.
static bool is_unseen(uint32_t c)
{
    static const struct range unseen[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},     {0x034F, 0x034F}, {0x061C, 0x061C},   {0x115F, 0x1160},
        {0x17B4, 0x17B5}, {0x180B, 0x180E}, {0x200B, 0x200F}, {0x202A, 0x202E}, {0x2060, 0x206F},   {0x3164, 0x3164},
        {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF},
    };
    return in_ranges(c, unseen, sizeof unseen / sizeof unseen[0]);
}

struct str utf8_display(struct arena *a, struct str s, size_t max)
{
    size_t n = 0, count = 0;
    bool gap = false; // white space was seen and not yet written
    char *p = arena_alloc(a, (max < s.n ? max * 4 : s.n * 3) + 1);
    for (size_t at = 0; at < s.n && count < max;) {
        uint32_t c = utf8_next(s, &at);
        if (c == UINT32_MAX)
            c = REPLACEMENT;
        gap = gap || utf8_blank(c);
        if (utf8_blank(c) || is_unseen(c))
            continue;
        if (gap && n != 0) {
            if (count + 2 > max)
                break;
            p[n++] = ' ';
            count++;
        }
        gap = false;
        n += utf8_put(p + n, c);
        count++;
    }
    p[n] = '\0';
    return (struct str){p, n};
}
