#include "text/jid.h"

#include "base/utf8.h"
#include "text/hash.h"

#include <arpa/inet.h>
#include <stringprep.h>

enum { SLUG_MAX = 48, SLUG_TAIL = 8 };

/* Preparing a part. Unassigned code points are let through, as Prosody does: a newer emoji in a nick is no error of
 * ours. */

struct prep {
    const Stringprep_profile *profile;
    bool fold;           // ASCII letters go to lower case
    uint64_t refused[2]; // a bit for each ASCII character that never passes
};

#define BIT(c) (UINT64_C(1) << ((c)&63))
#define CONTROLS (BIT(' ') - 1) // and DEL, in the upper half
#define PROHIBITED (BIT(' ') | BIT('"') | BIT('&') | BIT('\'') | BIT('/') | BIT(':') | BIT('<') | BIT('>')) // and '@'

static const struct prep nodeprep = {stringprep_xmpp_nodeprep, true, {CONTROLS | PROHIBITED, BIT('@') | BIT(0x7F)}};
static const struct prep nameprep = {stringprep_nameprep, true, {CONTROLS, BIT(0x7F)}};
static const struct prep resourceprep = {stringprep_xmpp_resourceprep, false, {CONTROLS, BIT(0x7F)}};

#undef PROHIBITED
#undef CONTROLS
#undef BIT

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

enum shape { SHAPE_ASIS, SHAPE_FOLD, SHAPE_FULL, SHAPE_REFUSED };

// What a part needs; all but SHAPE_FULL is decided without libidn, to the same end (test_jid.c holds the two against
// each other).
static enum shape shape_of(const struct prep *prep, struct str s)
{
    enum shape shape = SHAPE_ASIS;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x80)
            return SHAPE_FULL;
        if ((prep->refused[c >> 6] >> (c & 63) & 1) != 0)
            return SHAPE_REFUSED;
        if (prep->fold && is_upper(s.p[i]))
            shape = SHAPE_FOLD;
    }
    return shape;
}

static struct str fold(struct arena *a, struct str s)
{
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (is_upper(p[i]))
            p[i] = (char)(p[i] | 0x20);
    return (struct str){p, s.n};
}

// Prepared twice: what the second pass changes or refuses has no stable form, and could never be compared by its bytes.
static bool prepare_full(struct arena *a, const struct prep *prep, struct str s, struct str *out)
{
    char once[JID_PART_MAX + 1], twice[JID_PART_MAX + 1];
    if (!utf8_xml_valid(s))
        return false;
    memcpy(once, s.p, s.n);
    once[s.n] = '\0';
    if (stringprep(once, sizeof once, 0, prep->profile) != STRINGPREP_OK)
        return false;
    memcpy(twice, once, sizeof twice);
    if (stringprep(twice, sizeof twice, 0, prep->profile) != STRINGPREP_OK || strcmp(once, twice) != 0)
        return false;
    *out = arena_dup(a, str_c(once));
    return true;
}

static bool prepare(struct arena *a, const struct prep *prep, struct str s, struct str *out)
{
    if (str_empty(s) || s.n > JID_PART_MAX)
        return false;
    switch (shape_of(prep, s)) {
    case SHAPE_ASIS:
        *out = s;
        return true;
    case SHAPE_FOLD:
        *out = fold(a, s);
        return true;
    case SHAPE_FULL:
        return prepare_full(a, prep, s, out) && !str_empty(*out);
    case SHAPE_REFUSED:
        break;
    }
    return false;
}

/* Domains */

// Letters, digits, '-' and '_' of ASCII; of the rest, what nameprep let through.
static bool label_valid(struct str label)
{
    for (size_t i = 0; i < label.n; i++) {
        char c = label.p[i];
        if ((unsigned char)c < 0x80 && !is_alnum(c) && c != '-' && c != '_')
            return false;
    }
    return !str_empty(label);
}

static bool labels_valid(struct str domain)
{
    struct str label;
    bool more;
    do {
        more = str_cut(domain, '.', &label, &domain);
        if (!label_valid(label))
            return false;
    } while (more);
    return true;
}

static bool prepare_ipv6(struct arena *a, struct str s, struct str *out)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];
    struct str inner = str_sub(s, 1, s.n - 1);
    if (!str_ends(s, STR("]")) || inner.n >= sizeof text || inner.n == 0)
        return false;
    memcpy(text, inner.p, inner.n);
    text[inner.n] = '\0';
    *out = fold(a, s);
    return strlen(text) == inner.n && inet_pton(AF_INET6, text, address) == 1;
}

static bool prepare_domain(struct arena *a, struct str s, struct str *out)
{
    if (str_starts(s, STR("[")))
        return prepare_ipv6(a, s, out);
    if (!prepare(a, &nameprep, s, out))
        return false;
    if (str_ends(*out, STR(".")))
        out->n--;
    return labels_valid(*out);
}

/* Addresses */

enum err jid_make(struct arena *a, struct str local, struct str domain, struct str resource, struct jid *out)
{
    struct jid j = {STR_NONE, STR_NONE, STR_NONE};
    if (!prepare_domain(a, domain, &j.domain))
        return ERR_BADJID;
    if (!str_empty(local) && !prepare(a, &nodeprep, local, &j.local))
        return ERR_BADJID;
    if (!str_empty(resource) && !prepare(a, &resourceprep, resource, &j.resource))
        return ERR_BADJID;
    *out = j;
    return ERR_OK;
}

enum err jid_parse(struct arena *a, struct str text, struct jid *out)
{
    struct str bare, local, domain, resource;
    if (str_cut(text, '/', &bare, &resource) && str_empty(resource))
        return ERR_BADJID;
    if (!str_cut(bare, '@', &local, &domain)) {
        domain = bare;
        local = STR_NONE;
    } else if (str_empty(local)) {
        return ERR_BADJID;
    }
    return jid_make(a, local, domain, resource, out);
}

static struct str join(struct arena *a, const struct jid *j, bool full)
{
    struct str parts[5];
    size_t n = 0;
    if (!str_empty(j->local)) {
        parts[n++] = j->local;
        parts[n++] = STR("@");
    }
    parts[n++] = j->domain;
    if (full && !str_empty(j->resource)) {
        parts[n++] = STR("/");
        parts[n++] = j->resource;
    }
    return arena_concat(a, parts, n);
}

struct str jid_format(struct arena *a, const struct jid *j)
{
    return join(a, j, true);
}

struct str jid_format_bare(struct arena *a, const struct jid *j)
{
    return join(a, j, false);
}

struct jid jid_bare(struct jid j)
{
    j.resource = STR_NONE;
    return j;
}

bool jid_bare_eq(const struct jid *a, const struct jid *b)
{
    return str_eq(a->local, b->local) && str_eq(a->domain, b->domain);
}

struct str jid_parent(struct str domain)
{
    struct str label, parent;
    (void)str_cut(domain, '.', &label, &parent);
    return parent;
}

bool jid_eq(const struct jid *a, const struct jid *b)
{
    return jid_bare_eq(a, b) && str_eq(a->resource, b->resource);
}

/* XEP-0106 */

static const struct {
    char c;
    struct str code;
} escapes[] = {
    {' ', {"\\20", 3}}, {'"', {"\\22", 3}}, {'&', {"\\26", 3}}, {'\'', {"\\27", 3}}, {'/', {"\\2f", 3}},
    {':', {"\\3a", 3}}, {'<', {"\\3c", 3}}, {'>', {"\\3e", 3}}, {'@', {"\\40", 3}},  {'\\', {"\\5c", 3}},
};

enum { ESCAPES = sizeof escapes / sizeof escapes[0] };

// The character that the escape at the front of s stands for, or NUL.
static char escape_at(struct str s)
{
    for (size_t i = 0; i < ESCAPES; i++)
        if (str_case_eq(str_sub(s, 0, 3), escapes[i].code))
            return escapes[i].c;
    return '\0';
}

static struct str code_of(char c)
{
    for (size_t i = 0; i < ESCAPES; i++)
        if (c == escapes[i].c)
            return escapes[i].code;
    return STR_NONE;
}

// A localpart neither begins nor ends with a space (section 4.2): they are dropped. A backslash is escaped where it
// would read as an escape.
struct str jid_escape(struct arena *a, struct str typed)
{
    while (str_starts(typed, STR(" ")))
        typed = str_sub(typed, 1, typed.n);
    while (str_ends(typed, STR(" ")))
        typed = str_sub(typed, 0, typed.n - 1);
    char *p = arena_alloc(a, typed.n * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < typed.n; i++) {
        struct str rest = str_sub(typed, i, typed.n), code = code_of(rest.p[0]);
        if (str_empty(code) || (rest.p[0] == '\\' && !escape_at(rest)))
            code = str_sub(rest, 0, 1);
        memcpy(p + n, code.p, code.n);
        n += code.n;
    }
    p[n] = '\0';
    return (struct str){p, n};
}

struct str jid_unescape(struct arena *a, struct str local)
{
    char *p = arena_alloc(a, local.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < local.n;) {
        char c = escape_at(str_sub(local, i, local.n));
        bool at_end = i == 0 || i + 3 == local.n;
        bool taken = c != '\0' && !(c == ' ' && at_end);
        p[n++] = taken ? c : local.p[i];
        i += taken ? 3 : 1;
    }
    p[n] = '\0';
    return (struct str){p, n};
}

/* Minting */

struct str jid_slug(struct arena *a, struct str text, bool *lossy)
{
    char *p = arena_alloc(a, SLUG_MAX + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < SLUG_MAX; i++) {
        char c = is_upper(text.p[i]) ? (char)(text.p[i] | 0x20) : text.p[i];
        if (is_alnum(c))
            p[n++] = c;
        else if (n > 0 && p[n - 1] != '-')
            p[n++] = '-';
    }
    while (n > 0 && p[n - 1] == '-')
        n--;
    if (n == 0)
        p[n++] = 'x';
    p[n] = '\0';
    struct str slug = {p, n};
    *lossy = !str_eq(slug, text);
    return slug;
}

struct str jid_slug_tail(struct arena *a, struct str slug, struct str key)
{
    uint8_t digest[32];
    hash_sha256(key, digest);
    struct str head = str_sub(slug, 0, SLUG_MAX - 1 - SLUG_TAIL);
    while (str_ends(head, STR("-")))
        head.n--;
    const struct str parts[] = {head, STR("-"), hash_base32(a, digest, SLUG_TAIL * 5 / 8)};
    return arena_concat(a, parts, 3);
}
