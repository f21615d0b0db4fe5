#include "xmpp/body.h"

#include "base/utf8.h"

// What an ASCII character becomes in text: an entity, a numeric reference, U+FFFD where XML has no such character, or
// itself.
static size_t escaped_size(unsigned char c)
{
    if (c == '&' || c == '\r')
        return 5;
    if (c == '<' || c == '>')
        return 4;
    return c < 0x20 && c != '\n' && c != '\t' ? 3 : 1;
}

// A byte of broken UTF-8 may become three; whole characters stay as they are.
static size_t char_size(struct str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[*at];
    if (c < 0x80) {
        (*at)++;
        return escaped_size(c);
    }
    size_t from = *at;
    uint32_t u = utf8_next(s, at);
    return u == UINT32_MAX || !utf8_xml_char(u) ? 3 : *at - from;
}

struct str body_fit(struct arena *a, struct str s, size_t max)
{
    static const char mark[] = " […]";
    if (s.n <= max / 5)
        return s;
    size_t used = 0, cut = 0;
    for (size_t at = 0; at < s.n;) {
        used += char_size(s, &at);
        if (used <= max - sizeof mark)
            cut = at;
        if (used > max)
            return arena_concat(a, (const struct str[]){str_sub(s, 0, cut), {mark, sizeof mark - 1}}, 2);
    }
    return s;
}
