/* A body is: preamble, delimiter, part, delimiter, part, ..., closing delimiter, epilogue. Preamble and epilogue are
 * allowed and ignored, but for a first delimiter that stands within the preamble's first 1 KiB. */
#include "net/http_multipart.h"

#include "base/utf8.h"
#include "net/http.h"
#include "net/http_field.h"

#include <stdio.h>

enum { BOUNDARY_MAX = 70, PREAMBLE_MAX = 1024, PART_FIELDS_MAX = 8 };

static bool boundary_good(struct str b)
{
    for (size_t i = 0; i < b.n; i++) { // bchars of RFC 2046
        char c = b.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && !(c && strchr("'()+_,-./:=? ", c)))
            return false;
    }
    return b.n > 0 && b.n <= BOUNDARY_MAX && b.p[b.n - 1] != ' ';
}

struct reader {
    struct arena *arena;
    struct str rest;
    char mark[2 + 2 + BOUNDARY_MAX]; // CRLF, two dashes, boundary
    struct str delimiter;            // the mark; without its CRLF at the body's begin
    struct http_part *parts;
    size_t count;
    struct errmsg *msg;
};

static enum err bad(const struct reader *r, const char *what)
{
    return err_set(r->msg, ERR_BADREQ, "multipart: part %zu: %s", r->count + 1, what);
}

// --- headers of a part ---

static enum err read_disposition(struct reader *r, struct http_part *p, struct str value)
{
    struct http_media m;
    if (p->name.p)
        return bad(r, "Content-Disposition stands twice");
    if (!http_media_parse(r->arena, value, &m) || !str_eq(m.type, STR("form-data")))
        return bad(r, "Content-Disposition is not that of form-data");
    p->name = http_media_param(&m, "name");
    p->filename = http_media_param(&m, "filename");
    if (!p->name.p || !utf8_valid(p->name) || !utf8_valid(p->filename))
        return bad(r, "it has no name, or one that is not UTF-8");
    return ERR_OK;
}

static enum err read_field(struct reader *r, struct http_part *p, struct str line)
{
    struct http_header h;
    if (!str_cut(line, ':', &h.name, &h.value) || !http_header_good(&h))
        return bad(r, "a header is malformed");
    h.value = str_trim(h.value);
    if (str_case_eq(h.name, STR("Content-Disposition")))
        return read_disposition(r, p, h.value);
    if (str_case_eq(h.name, STR("Content-Type")))
        p->type = h.value;
    // RFC 7578 section 4.7: deprecated, and nothing else than the bytes themselves is read here.
    if (str_case_eq(h.name, STR("Content-Transfer-Encoding")) && !str_case_eq(h.value, STR("binary")) &&
        !str_case_eq(h.value, STR("8bit")) && !str_case_eq(h.value, STR("7bit")))
        return bad(r, "it has a Content-Transfer-Encoding");
    return ERR_OK;
}

static enum err read_fields(struct reader *r, struct http_part *p)
{
    size_t fields = 0, bytes = 0;
    for (;;) {
        struct str window = str_sub(r->rest, 0, HTTP_PART_HEAD_MAX - bytes + 2);
        ptrdiff_t end = str_find_str(window, STR("\r\n"));
        if (end < 0)
            return bad(r, "its headers are too long, or have no end");
        struct str line = str_sub(r->rest, 0, (size_t)end);
        if (str_empty(line))
            break; // left there: it may be the begin of the delimiter, behind no data
        r->rest = str_sub(r->rest, line.n + 2, r->rest.n);
        bytes += line.n + 2;
        if (++fields > PART_FIELDS_MAX || bytes > HTTP_PART_HEAD_MAX)
            return bad(r, "it has too many headers");
        enum err e = read_field(r, p, line);
        if (e)
            return e;
    }
    return p->name.p ? ERR_OK : bad(r, "it has no Content-Disposition");
}

// --- parts ---

// Behind a delimiter: CRLF for another part, "--" for the end; blanks before the CRLF are allowed (RFC 2046).
static enum err behind_delimiter(struct reader *r, bool *last)
{
    *last = str_starts(r->rest, STR("--"));
    if (*last)
        return ERR_OK;
    while (r->rest.n && (r->rest.p[0] == ' ' || r->rest.p[0] == '\t'))
        r->rest = str_sub(r->rest, 1, r->rest.n);
    if (!str_starts(r->rest, STR("\r\n")))
        return bad(r, "what follows the boundary is no line's end");
    r->rest = str_sub(r->rest, 2, r->rest.n);
    return ERR_OK;
}

static enum err read_part(struct reader *r)
{
    struct http_part p = {.name = STR_NONE};
    if (r->count == HTTP_PARTS_MAX)
        return err_set(r->msg, ERR_LIMIT, "multipart: more than %d parts", HTTP_PARTS_MAX);
    enum err e = read_fields(r, &p);
    if (e)
        return e;
    if (!str_starts(r->rest, r->delimiter)) {
        struct str data = str_sub(r->rest, 2, r->rest.n);
        ptrdiff_t end = str_find_str(data, r->delimiter);
        if (end < 0)
            return bad(r, "no boundary follows it");
        p.data = str_sub(data, 0, (size_t)end);
        r->rest = str_sub(data, (size_t)end, data.n);
    }
    r->rest = str_sub(r->rest, r->delimiter.n, r->rest.n);
    r->parts[r->count++] = p;
    return ERR_OK;
}

// To behind the first delimiter.
static enum err find_first(struct reader *r)
{
    struct str dashes = str_sub(r->delimiter, 2, r->delimiter.n);
    struct str window = str_sub(r->rest, 0, PREAMBLE_MAX + r->delimiter.n);
    ptrdiff_t at = str_find_str(window, r->delimiter);
    if (str_starts(r->rest, dashes))
        r->rest = str_sub(r->rest, dashes.n, r->rest.n);
    else if (at >= 0)
        r->rest = str_sub(r->rest, (size_t)at + r->delimiter.n, r->rest.n);
    else
        return err_set(r->msg, ERR_BADREQ, "multipart: the boundary of Content-Type is not in the body");
    return ERR_OK;
}

enum err http_multipart_parse(struct arena *a, struct str boundary, struct str body, const struct http_part **out,
                              size_t *count, struct errmsg *msg)
{
    struct reader r = {.arena = a, .rest = body, .msg = msg};
    bool last = false;
    *out = NULL;
    *count = 0;
    if (!boundary_good(boundary))
        return err_set(msg, ERR_BADREQ, "multipart: the boundary is missing or malformed");
    memcpy(r.mark, "\r\n--", 4);
    memcpy(r.mark + 4, boundary.p, boundary.n);
    r.delimiter = (struct str){r.mark, 4 + boundary.n};
    r.parts = arena_zalloc(a, HTTP_PARTS_MAX, sizeof *r.parts);
    enum err e = find_first(&r);
    if (!e)
        e = behind_delimiter(&r, &last);
    while (!e && !last) {
        e = read_part(&r);
        if (!e)
            e = behind_delimiter(&r, &last);
    }
    if (e)
        return e;
    *out = r.parts;
    *count = r.count;
    return ERR_OK;
}

const struct http_part *http_multipart_get(const struct http_part *parts, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(parts[i].name, name))
            return &parts[i];
    }
    return NULL;
}
