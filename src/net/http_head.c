#include "net/http_head.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdalign.h>

struct http_message *http_message_create(struct str raw, unsigned fields)
{
    size_t size = sizeof(struct http_message) + fields * sizeof(struct http_header) + 2 * raw.n;
    struct http_message *m = mem_alloc(size);
    *m = (struct http_message){.size = size, .field_room = fields};
    _Static_assert(sizeof(struct http_message) % alignof(struct http_header) == 0, "the headers follow the message");
    m->fields = (struct http_header *)(m + 1);
    m->raw = (char *)(m->fields + fields);
    m->decoded = m->raw + raw.n;
    memcpy(m->raw, raw.p, raw.n);
    m->head.headers = m->fields;
    return m;
}

// --- looking up ---

static const struct http_header *find(const struct http_head *h, const char *name, size_t from)
{
    struct str wanted = str_c(name);
    for (size_t i = from; i < h->header_count; i++) {
        if (h->headers[i].name.n == wanted.n && str_case_eq(h->headers[i].name, wanted))
            return &h->headers[i];
    }
    return NULL;
}

struct str http_head_get(const struct http_head *h, const char *name)
{
    const struct http_header *found = find(h, name, 0);
    return found ? found->value : STR_NONE;
}

size_t http_head_count(const struct http_head *h, const char *name)
{
    size_t n = 0;
    for (const struct http_header *f = find(h, name, 0); f; f = find(h, name, (size_t)(f - h->headers) + 1))
        n++;
    return n;
}

// --- method ---

static const char *const methods[HTTP_METHODS] = {
    [HTTP_METHOD_GET] = "GET",         [HTTP_METHOD_HEAD] = "HEAD",   [HTTP_METHOD_POST] = "POST",
    [HTTP_METHOD_PUT] = "PUT",         [HTTP_METHOD_PATCH] = "PATCH", [HTTP_METHOD_DELETE] = "DELETE",
    [HTTP_METHOD_OPTIONS] = "OPTIONS",
};

static enum http_fault check_method(struct http_message *m)
{
    for (enum http_method i = 0; i < HTTP_METHODS; i++) {
        if (str_eq_c(m->head.method_name, methods[i])) {
            m->head.method = i;
            return HTTP_FAULT_NONE;
        }
    }
    return HTTP_FAULT_METHOD_UNKNOWN;
}

// --- framing (RFC 9112 section 6.3) ---

static bool read_length(struct str value, uint64_t *out)
{
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return false;
    }
    return value.n <= 18 && str_to_u64(value, out);
}

static enum http_fault check_framing(struct http_message *m)
{
    const struct http_head *h = &m->head;
    size_t lengths = http_head_count(h, "Content-Length"), codings = http_head_count(h, "Transfer-Encoding");
    if (codings) {
        if (codings > 1 || lengths || h->minor == 0 ||
            !str_case_eq(http_head_get(h, "Transfer-Encoding"), STR("chunked")))
            return HTTP_FAULT_CODING;
        m->chunked = true;
        return HTTP_FAULT_NONE;
    }
    if (lengths > 1 || (lengths && !read_length(http_head_get(h, "Content-Length"), &m->length)))
        return HTTP_FAULT_LENGTH;
    m->length_given = lengths > 0;
    return HTTP_FAULT_NONE;
}

uint64_t http_message_body(const struct http_message *m)
{
    return m->chunked ? UINT64_MAX : m->length;
}

// --- Host (RFC 9112 section 3.2) ---

// uri-host [ ":" port ] in its characters; whose host it is, nobody asks: each hook's path is its own.
static bool host_good(struct str host)
{
    static const char others[] = "-._~%!$&'()*+,;=:[]";
    for (size_t i = 0; i < host.n; i++) {
        char c = host.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && !(c && strchr(others, c)))
            return false;
    }
    return host.n <= 255 + 6;
}

static enum http_fault check_host(const struct http_head *h)
{
    size_t n = http_head_count(h, "Host");
    if (n > 1 || (n == 0 && h->minor == 1) || !host_good(http_head_get(h, "Host")))
        return HTTP_FAULT_HOST;
    return HTTP_FAULT_NONE;
}

// --- the target (RFC 9112 section 3.2) ---

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// pchar of RFC 3986 section 3.3, without the "%".
static bool path_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~!$&'()*+,;=:@", c) != NULL);
}

// The escape at s.p[i] as a byte; -1 where it is none, or stands for what has no place in a segment.
static int unescape(struct str s, size_t i)
{
    int high = i + 2 < s.n ? hex(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex(s.p[i + 2]) : -1;
    int byte = high < 0 || low < 0 ? -1 : high * 16 + low;
    return byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\' ? -1 : byte;
}

// Decodes one segment to *to, which is moved behind it.
static bool decode_segment(struct str s, char **to, struct str *out)
{
    char *p = *to;
    for (size_t i = 0; i < s.n; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            c = unescape(s, i);
            i += 2;
        } else if (!path_char(s.p[i])) {
            return false;
        }
        if (c < 0)
            return false;
        *p++ = (char)c;
    }
    *out = (struct str){*to, (size_t)(p - *to)};
    *to = p;
    return utf8_valid(*out) && !str_eq(*out, STR(".")) && !str_eq(*out, STR(".."));
}

static enum http_fault split_path(struct http_message *m)
{
    struct http_head *h = &m->head;
    struct str rest = str_sub(h->path, 1, h->path.n), segment;
    char *to = m->decoded;
    bool more = rest.n > 0;
    while (more) {
        more = str_cut(rest, '/', &segment, &rest);
        if (h->segment_count == HTTP_SEGMENTS_MAX)
            return HTTP_FAULT_SEGMENTS;
        if (!decode_segment(segment, &to, &h->segments[h->segment_count++]))
            return HTTP_FAULT_PATH;
    }
    return HTTP_FAULT_NONE;
}

// Takes scheme and authority off the absolute form (section 3.2.2), which a client sends to what it thinks a proxy.
// False where it is none, or the authority is empty or has more than host and port.
static bool skip_authority(struct str *target)
{
    static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t from = schemes[i].n, to = from;
        if (target->n < from || !str_case_eq(str_sub(*target, 0, from), schemes[i]))
            continue;
        while (to < target->n && !strchr("/?#", target->p[to]))
            to++;
        bool good = to > from && host_good(str_sub(*target, from, to));
        *target = str_sub(*target, to, target->n);
        return good;
    }
    return false;
}

static enum http_fault check_target(struct http_message *m)
{
    struct http_head *h = &m->head;
    if (str_eq(h->target, STR("*")) && h->method == HTTP_METHOD_OPTIONS) {
        h->path = h->target;
        return HTTP_FAULT_NONE;
    }
    struct str origin = h->target;
    bool good = str_starts(origin, STR("/")) || skip_authority(&origin);
    if (!good || str_find(origin, '#') >= 0)
        return HTTP_FAULT_TARGET;
    str_cut(origin, '?', &h->path, &h->query);
    if (!h->path.n)
        h->path = STR("/");
    return split_path(m);
}

// --- Expect (RFC 9110 section 10.1.1) ---

static enum http_fault check_expect(struct http_message *m)
{
    struct str expect = http_head_get(&m->head, "Expect");
    if (m->head.minor == 0 || !expect.p)
        return HTTP_FAULT_NONE;
    if (!str_case_eq(expect, STR("100-continue")) || http_head_count(&m->head, "Expect") > 1)
        return HTTP_FAULT_EXPECT;
    m->expect_continue = http_message_body(m) > 0;
    return HTTP_FAULT_NONE;
}

// --- Connection (RFC 9110 section 7.6.1, RFC 9112 section 9.3) ---

static bool has_option(const struct http_head *h, struct str option)
{
    for (size_t i = 0; i < h->header_count; i++) {
        struct str rest = h->headers[i].value, one;
        while (str_case_eq(h->headers[i].name, STR("Connection")) && rest.n) {
            (void)str_cut(rest, ',', &one, &rest);
            if (str_case_eq(str_trim(one), option))
                return true;
        }
    }
    return false;
}

static bool keeps_alive(const struct http_head *h)
{
    return !has_option(h, STR("close")) && (h->minor > 0 || has_option(h, STR("keep-alive")));
}

enum http_fault http_message_check(struct http_message *m)
{
    enum http_fault f = check_method(m);
    m->head.header_count = m->field_count;
    m->keep_alive = keeps_alive(&m->head);
    if (!f)
        f = check_framing(m);
    if (!f)
        f = check_host(&m->head);
    if (!f)
        f = check_target(m);
    return f ? f : check_expect(m);
}
