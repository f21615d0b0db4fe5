#include "text/shown.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "text/styling.h"

static bool known_scheme(struct str url)
{
    static const char *const schemes[] = {
        "http://", "https://", "mailto:", "xmpp:", "ftp://", "ftps://", "sftp://", "ssh://", "git://",
        "irc://",  "ircs://",  "tel:",    "sip:",  "sips:",  "geo:",    "magnet:", "matrix:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        struct str scheme = str_c(schemes[i]);
        if (url.n > scheme.n && str_case_eq(str_sub(url, 0, scheme.n), scheme))
            return true;
    }
    return false;
}

struct str shown_url(struct arena *a, struct str url)
{
    static const char hex[] = "0123456789ABCDEF";
    url = str_trim(styling_clean(a, url));
    if (!known_scheme(url))
        return STR_NONE;
    char *p = arena_alloc(a, 3 * url.n + 1);
    size_t n = 0;
    for (size_t at = 0; at < url.n;) {
        size_t from = at;
        uint32_t c = utf8_next(url, &at);
        bool bare = c > ' ' && c != '<' && c != '>' && c != '"' && !utf8_blank(c);
        for (size_t i = from; i < at; i++) {
            unsigned char byte = (unsigned char)url.p[i];
            if (!bare) {
                p[n++] = '%';
                p[n++] = hex[byte >> 4];
            }
            p[n++] = bare ? (char)byte : hex[byte & 15];
        }
    }
    p[n] = '\0';
    return (struct str){p, n};
}

bool shown_same(struct str text, struct str url)
{
    struct str schemes[] = {STR(""), STR("mailto:"), STR("http://"), STR("https://")};
    for (size_t i = 0; i < 4; i++)
        if (str_starts(url, schemes[i]) && str_eq(str_sub(url, schemes[i].n, SIZE_MAX), text))
            return true;
    return false;
}

bool shown_time(struct arena *a, struct str seconds, struct str *out)
{
    int64_t n;
    char text[CLOCK_TEXT];
    if (!str_to_i64(seconds, &n) || n < -62135596800 || n > 253402300799)
        return false;
    struct str iso = clock_put(text, n * 1000);
    *out = arena_concat(a, (const struct str[]){str_sub(iso, 0, 10), STR(" "), str_sub(iso, 11, 16), STR(" UTC")}, 4);
    return true;
}
