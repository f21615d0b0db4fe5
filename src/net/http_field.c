#include "net/http_field.h"

#include "net/http.h"
#include "text/hash.h"

enum { WAIT_MAX_S = 86400 };

// --- values with parameters (RFC 9110 section 5.6.6) ---

static struct str lower_copy(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 'a' - 'A') : s.p[i];
    p[s.n] = '\0';
    return (struct str){p, s.n};
}

static void skip_blanks(struct str *s)
{
    while (s->n && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = str_sub(*s, 1, s->n);
}

static bool take_token(struct str *rest, struct str *out)
{
    size_t n = 0;
    while (n < rest->n && http_token_char(rest->p[n]))
        n++;
    *out = str_sub(*rest, 0, n);
    *rest = str_sub(*rest, n, rest->n);
    return n > 0;
}

static bool quotable(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

// quoted-string of RFC 9110 section 5.6.4; rest begins behind its first quote.
static bool take_quoted(struct arena *a, struct str *rest, struct str *out)
{
    char *p = arena_alloc(a, rest->n + 1);
    size_t n = 0, i = 0;
    while (i < rest->n && rest->p[i] != '"') {
        if (rest->p[i] == '\\' && ++i == rest->n)
            return false;
        if (!quotable((unsigned char)rest->p[i]))
            return false;
        p[n++] = rest->p[i++];
    }
    if (i == rest->n)
        return false;
    p[n] = '\0';
    *out = (struct str){p, n};
    *rest = str_sub(*rest, i + 1, rest->n);
    return true;
}

static bool take_value(struct arena *a, struct str *rest, struct str *out)
{
    if (!str_starts(*rest, STR("\"")))
        return take_token(rest, out);
    *rest = str_sub(*rest, 1, rest->n);
    return take_quoted(a, rest, out);
}

static bool take_param(struct arena *a, struct str *rest, struct http_media *m)
{
    struct http_param param;
    if (m->count == HTTP_PARAMS_MAX || !take_token(rest, &param.name) || !str_starts(*rest, STR("=")))
        return false;
    *rest = str_sub(*rest, 1, rest->n);
    param.name = lower_copy(a, param.name);
    if (!take_value(a, rest, &param.value) || http_media_param(m, param.name.p).p)
        return false;
    m->params[m->count++] = param;
    return true;
}

static bool take_type(struct arena *a, struct str *rest, struct str *out)
{
    struct str all = *rest, part;
    if (!take_token(rest, &part))
        return false;
    if (str_starts(*rest, STR("/"))) {
        *rest = str_sub(*rest, 1, rest->n);
        if (!take_token(rest, &part))
            return false;
    }
    *out = lower_copy(a, str_sub(all, 0, all.n - rest->n));
    return true;
}

bool http_media_parse(struct arena *a, struct str value, struct http_media *out)
{
    struct str rest = str_trim(value);
    *out = (struct http_media){.count = 0};
    if (!take_type(a, &rest, &out->type))
        return false;
    for (;;) {
        skip_blanks(&rest);
        if (str_empty(rest))
            return true;
        if (rest.p[0] != ';')
            return false;
        rest = str_sub(rest, 1, rest.n);
        skip_blanks(&rest);
        if (!str_empty(rest) && rest.p[0] != ';' && !take_param(a, &rest, out)) // ";;" and a last ";" are allowed
            return false;
    }
}

struct str http_media_param(const struct http_media *m, const char *name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (str_eq_c(m->params[i].name, name))
            return m->params[i].value;
    }
    return STR_NONE;
}

// --- Authorization (RFC 9110 section 11.6.2) ---

// What follows the scheme, whose case is ignored.
static bool after_scheme(struct str value, struct str scheme, struct str *rest)
{
    if (value.n <= scheme.n || !str_case_eq(str_sub(value, 0, scheme.n), scheme) || value.p[scheme.n] != ' ')
        return false;
    *rest = str_trim(str_sub(value, scheme.n, value.n));
    return !str_empty(*rest);
}

static bool has_controls(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return true;
    }
    return false;
}

bool http_auth_basic(struct arena *a, struct str value, struct str *user, struct str *password)
{
    struct str encoded, plain;
    return after_scheme(value, STR("Basic"), &encoded) && hash_base64_decode(a, encoded, &plain) &&
           !has_controls(plain) && str_cut(plain, ':', user, password);
}

bool http_auth_bearer(struct str value, struct str *token)
{
    size_t n = 0;
    if (!after_scheme(value, STR("Bearer"), token))
        return false;
    while (n < token->n && (http_token_char(token->p[n]) || token->p[n] == '/') && !strchr("!#$%&'*^`|", token->p[n]))
        n++;
    if (n == 0)
        return false;
    while (n < token->n && token->p[n] == '=')
        n++;
    return n == token->n;
}

// --- Prefer (RFC 7240) ---

static void take_preference(struct http_prefer *p, struct str name, struct str value)
{
    uint64_t seconds;
    if (str_case_eq(name, STR("respond-async")))
        p->respond_async = true;
    if (!str_case_eq(name, STR("wait")) || p->wait || !str_to_u64(value, &seconds))
        return;
    p->wait = true;
    p->wait_s = seconds < WAIT_MAX_S ? (int64_t)seconds : WAIT_MAX_S;
}

// The end of the preference that begins at 0: a comma that is not within quotes.
static size_t preference_end(struct str s)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < s.n && (quoted || s.p[i] != ','); i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == '\\' && quoted)
            i++;
    }
    return i < s.n ? i : s.n;
}

void http_prefer_add(struct http_prefer *p, struct str value)
{
    while (!str_empty(value)) {
        size_t end = preference_end(value);
        struct str text, params, name, word;
        str_cut(str_sub(value, 0, end), ';', &text, &params);
        str_cut(text, '=', &name, &word);
        word = str_trim(word);
        if (word.n >= 2 && word.p[0] == '"' && word.p[word.n - 1] == '"')
            word = str_sub(word, 1, word.n - 1);
        take_preference(p, str_trim(name), word);
        value = str_sub(value, end + 1, value.n);
    }
}
