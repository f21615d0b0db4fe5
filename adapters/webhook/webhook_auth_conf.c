/* The list `auth` of a hook, as it stands in the configuration. */
#include "adapters/webhook/webhook_auth_private.h"

#include "net/http_field.h"

#define BIT(type) (1u << WEBHOOK_AUTH_##type)

const char *const webhook_auth_types[] = {
    "token", "bearer", "basic", "standard-webhooks", "github", "gitlab", "gitea", "grafana", "stripe", "hmac",
    "cidr",  "none",   NULL};

static const char *const algorithms[] = {"sha256", "sha512", NULL}; // in the order of enum hash_hmac
static const char *const encodings[] = {"hex", "base64", NULL};
static const char *const secret_encodings[] = {"text", "hex", "base64", NULL};

const struct conf_item webhook_auth_schema[] = {
    {.name = "type",
     .type = CONF_ENUM,
     .flags = CONF_REQUIRED,
     .values = webhook_auth_types,
     .doc =
         "How a request shows that it may: `token`, in the URL behind the hook's name; `bearer`, `basic`: the header "
         "Authorization; `standard-webhooks` (also Svix), `github`, `gitea` (also Forgejo), `grafana`, `stripe`, "
         "`hmac`: a signature of the body; `gitlab`: its secret token or its signing token; `cidr`: the address it "
         "comes from; `none`: nothing at all.",
     .example = "token"},
    {.name = "secret",
     .type = CONF_SECRET,
     .doc =
         "The token, password or key: `file:/path`, `env:NAME`, `credential:NAME`, or the secret itself. At least 16 "
         "bytes, 22 for a token in a URL, 24 for keys of signatures.",
     .example = "file:/etc/spandrel/hook-token"},
    {.name = "secret_old",
     .type = CONF_SECRET,
     .flags = CONF_OTHER,
     .doc = "Another that is taken as well, for the time until all senders have the new one.",
     .example = "file:/etc/spandrel/hook-token-old"},
    {.name = "sha256",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "Instead of a token (`token`, `bearer`), its SHA-256 in hex.",
     .example = "d6cc36e7dd79e6bb5a944b879a8863e37415fbfc7b00e07268b393b598b66876"},
    {.name = "sha256_old",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "The same of another token that is taken as well.",
     .example = "eb67e382a812b9ac08ba6d27821cb7291abec2d9e568835bbccdc67549d2ecba"},
    {.name = "user", .type = CONF_STR, .flags = CONF_OTHER, .doc = "Name of the user (`basic`).", .example = "alerts"},
    {.name = "from",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Addresses and blocks of them that the request must come from, besides.",
     .example = "[192.0.2.0/24, \"2001:db8::/32\"]"},
    {.name = "header",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "The header that holds the signature (`hmac`; `grafana`, `stripe`: when it is not their own), or the token "
            "as it is (`bearer`: instead of Authorization).",
     .example = "X-Signature"},
    {.name = "timestamp",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc =
         "The header with the seconds since 1970 that are signed (`hmac`, `grafana`). Default: none is, and a request "
         "that was overheard can be repeated.",
     .example = "X-Timestamp"},
    {.name = "tolerance",
     .type = CONF_SPAN,
     .flags = CONF_OTHER,
     .min = 1000,
     .max = 86400000,
     .doc = "How old a signed time may be, or how far in the future. Default: 5m.",
     .example = "5m"},
    {.name = "algorithm",
     .type = CONF_ENUM,
     .flags = CONF_OTHER,
     .values = algorithms,
     .doc = "Of the signature (`hmac`). Default: sha256."},
    {.name = "encoding",
     .type = CONF_ENUM,
     .flags = CONF_OTHER,
     .values = encodings,
     .doc = "How the signature is written (`hmac`). Default: hex."},
    {.name = "prefix",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "What stands before the signature in its header (`hmac`). Default: nothing.",
     .example = "sha256="},
    {.name = "content",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "What is signed (`hmac`): text with `{body}`, `{timestamp}` and `{header:NAME}`. Default: `{body}`.",
     .example = "{timestamp}.{body}"},
    {.name = "secret_encoding",
     .type = CONF_ENUM,
     .flags = CONF_OTHER,
     .values = secret_encodings,
     .doc = "How the key is written in `secret` (`hmac`). Default: text, the key itself."},
    {.name = NULL},
};

// What an entry is read with.
struct reader {
    const struct conf_value *map;
    struct conf_report *report;
    struct webhook_auth *auth;
    struct webhook_auth_entry *entry;
};

static const struct conf_value *member(const struct reader *r, const char *name)
{
    return conf_get(r->map, name);
}

static struct str keep(const struct reader *r, const char *name)
{
    return arena_dup(&r->auth->strings, conf_str(member(r, name)));
}

// --- which options a type has ---

enum {
    SIGNED = BIT(STANDARD) | BIT(GITHUB) | BIT(GITLAB) | BIT(GITEA) | BIT(GRAFANA) | BIT(STRIPE) | BIT(HMAC),
    TIMED = BIT(STANDARD) | BIT(GITLAB) | BIT(GRAFANA) | BIT(STRIPE) | BIT(HMAC),
    SECRET = SIGNED | BIT(TOKEN) | BIT(BEARER) | BIT(BASIC),
    HASHED = BIT(TOKEN) | BIT(BEARER),
};

static const struct {
    const char *name;
    unsigned types, needed;
} options[] = {
    {"secret", SECRET, SECRET & ~(unsigned)HASHED},
    {"secret_old", SECRET, 0},
    {"sha256", HASHED, 0},
    {"sha256_old", HASHED, 0},
    {"user", BIT(BASIC), BIT(BASIC)},
    {"from", UINT32_MAX, BIT(CIDR)},
    {"header", BIT(BEARER) | BIT(GRAFANA) | BIT(STRIPE) | BIT(HMAC), BIT(HMAC)},
    {"timestamp", BIT(GRAFANA) | BIT(HMAC), 0},
    {"tolerance", TIMED, 0},
    {"algorithm", BIT(HMAC), 0},
    {"encoding", BIT(HMAC), 0},
    {"prefix", BIT(HMAC), 0},
    {"content", BIT(HMAC), 0},
    {"secret_encoding", BIT(HMAC), 0},
};

static void check_options(const struct reader *r)
{
    const char *type = webhook_auth_types[r->entry->type];
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const struct conf_value *v = member(r, options[i].name);
        unsigned bit = 1u << r->entry->type;
        if (conf_is_set(v) && !(options[i].types & bit))
            conf_fail(r->report, v, "'%s' means nothing with the type '%s'", options[i].name, type);
        else if (!conf_is_set(v) && (options[i].needed & bit))
            conf_fail(r->report, r->map, "'%s' is missing, which the type '%s' needs", options[i].name, type);
    }
    if ((HASHED & 1u << r->entry->type) && !conf_is_set(member(r, "secret")) && !conf_is_set(member(r, "sha256")))
        conf_fail(r->report, r->map, "'secret' or 'sha256' is missing, which the type '%s' needs", type);
}

// --- secrets ---

static bool fail_short(const struct reader *r, const struct conf_value *v, size_t n, size_t least, const char *unit)
{
    if (n < least)
        conf_fail(r->report, v, "too short to be safe: %zu %s, at least %zu are needed (openssl rand -hex 32)", n, unit,
                  least);
    return n < least;
}

static bool all_in(struct str s, const char *punctuation)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], lower = (char)(c | 0x20);
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') && !(c && strchr(punctuation, c)))
            return false;
    }
    return true;
}

static void read_url_token(const struct reader *r, const struct conf_value *v, struct str secret)
{
    if (fail_short(r, v, secret.n, WEBHOOK_AUTH_URL_TOKEN_MIN, "characters"))
        return;
    if (all_in(secret, "-._~"))
        webhook_auth_add_digest(r->entry, secret);
    else
        conf_fail(r->report, v, "a token in a URL has letters, digits and '-', '.', '_', '~' alone");
}

// What a header can carry, blanks at its ends aside.
static bool is_header_text(struct str s)
{
    const struct http_header header = {STR("x"), s};
    return http_header_good(&header) && str_trim(s).n == s.n;
}

static void read_bearer(const struct reader *r, const struct conf_value *v, struct str secret)
{
    if (fail_short(r, v, secret.n, WEBHOOK_AUTH_SECRET_MIN, "bytes"))
        return;
    bool own = conf_is_set(member(r, "header"));
    size_t end = secret.n;
    while (end > 0 && secret.p[end - 1] == '=')
        end--;
    if (own ? is_header_text(secret) : end > 0 && all_in(str_sub(secret, 0, end), "-._~+/"))
        webhook_auth_add_digest(r->entry, secret);
    else
        conf_fail(r->report, v,
                  own ? "no header can carry this token"
                      : "a bearer token has letters, digits and '-', '.', '_', '~', '+', '/' alone, and '=' at its end "
                        "(RFC 6750)");
}

static void read_password(const struct reader *r, const struct conf_value *v, struct str secret)
{
    struct str user = conf_str(member(r, "user"));
    if (fail_short(r, v, secret.n, WEBHOOK_AUTH_SECRET_MIN, "bytes"))
        return;
    if (user.n && str_find(user, ':') < 0 && is_header_text(user) && is_header_text(secret)) {
        const struct str parts[] = {user, STR(":"), secret};
        struct str both = arena_concat(&r->auth->strings, parts, 3);
        webhook_auth_add_digest(r->entry, both);
        mem_wipe((void *)(uintptr_t)both.p, both.n);
    } else {
        conf_fail(r->report, v, "no user and password that can be sent: a ':' in the user, or control characters");
    }
}

static void add_key(const struct reader *r, const struct conf_value *v, struct str key, size_t least)
{
    if (!fail_short(r, v, key.n, least, "bytes"))
        webhook_auth_add_key(r->entry, key);
}

static void add_base64(const struct reader *r, const struct conf_value *v, struct str text, size_t most)
{
    struct str key;
    if (!hash_base64_decode(&r->auth->strings, text, &key)) {
        conf_fail(r->report, v, "the key is not in base64");
        return;
    }
    if (key.n > most)
        conf_fail(r->report, v, "the key has %zu bytes, at most %zu are allowed", key.n, most);
    else
        add_key(r, v, key, WEBHOOK_AUTH_KEY_MIN);
    mem_wipe((void *)(uintptr_t)key.p, key.n);
}

static const char standard_prefix[] = "whsec_";

static void read_standard(const struct reader *r, const struct conf_value *v, struct str secret)
{
    struct str prefix = str_c(standard_prefix);
    if (str_starts(secret, STR("whpk_")) || str_starts(secret, STR("whsk_")))
        conf_fail(r->report, v, "asymmetric signatures (v1a) are not checked: a key that begins with whsec_ is needed");
    else
        add_base64(r, v, str_starts(secret, prefix) ? str_sub(secret, prefix.n, secret.n) : secret,
                   WEBHOOK_AUTH_KEY_MAX);
}

static void read_gitlab(const struct reader *r, const struct conf_value *v, struct str secret)
{
    if (str_starts(secret, str_c(standard_prefix)))
        read_standard(r, v, secret);
    else if (fail_short(r, v, secret.n, WEBHOOK_AUTH_SECRET_MIN, "bytes"))
        return;
    else if (is_header_text(secret))
        webhook_auth_add_digest(r->entry, secret);
    else
        conf_fail(r->report, v, "no header can carry this token");
}

static void read_key(const struct reader *r, const struct conf_value *v, struct str secret)
{
    add_key(r, v, secret, WEBHOOK_AUTH_KEY_MIN);
}

// Given out by the sender, not chosen here.
static void read_given_key(const struct reader *r, const struct conf_value *v, struct str secret)
{
    add_key(r, v, secret, WEBHOOK_AUTH_SECRET_MIN);
}

static void read_encoded_key(const struct reader *r, const struct conf_value *v, struct str secret)
{
    const struct conf_value *encoding = member(r, "secret_encoding");
    struct str name = conf_str(encoding);
    if (str_eq_c(name, "base64")) {
        add_base64(r, v, secret, SIZE_MAX);
    } else if (str_eq_c(name, "hex")) {
        size_t n = secret.n / 2;
        uint8_t *key = mem_alloc(n);
        if (hash_hex_decode(secret, key, n))
            add_key(r, v, (struct str){(const char *)key, n}, WEBHOOK_AUTH_KEY_MIN);
        else
            conf_fail(r->report, v, "the key is not in hex");
        mem_wipe(key, n);
        mem_free(key);
    } else {
        read_key(r, v, secret);
    }
}

static void read_secrets(const struct reader *r)
{
    typedef void secret_fn(const struct reader *, const struct conf_value *, struct str);
    static secret_fn *const readers[WEBHOOK_AUTH_TYPES] = {
        [WEBHOOK_AUTH_TOKEN] = read_url_token,  [WEBHOOK_AUTH_BEARER] = read_bearer,
        [WEBHOOK_AUTH_BASIC] = read_password,   [WEBHOOK_AUTH_STANDARD] = read_standard,
        [WEBHOOK_AUTH_GITHUB] = read_key,       [WEBHOOK_AUTH_GITLAB] = read_gitlab,
        [WEBHOOK_AUTH_GITEA] = read_key,        [WEBHOOK_AUTH_GRAFANA] = read_key,
        [WEBHOOK_AUTH_STRIPE] = read_given_key, [WEBHOOK_AUTH_HMAC] = read_encoded_key,
    };
    static const char *const secrets[] = {"secret", "secret_old"}, *const hashes[] = {"sha256", "sha256_old"};
    for (size_t i = 0; i < 2 && readers[r->entry->type]; i++) {
        const struct conf_value *v = member(r, secrets[i]);
        if (conf_is_set(v))
            readers[r->entry->type](r, v, conf_str(v));
    }
    for (size_t i = 0; i < 2; i++) {
        const struct conf_value *v = member(r, hashes[i]);
        if (!conf_is_set(v))
            continue;
        if (hash_hex_decode(conf_str(v), r->entry->digests[r->entry->digest_count], WEBHOOK_AUTH_DIGEST_SIZE))
            r->entry->digest_count++;
        else
            conf_fail(r->report, v, "a SHA-256 has 64 hex digits: printf %%s TOKEN | sha256sum");
    }
}

// --- how requests are signed ---

static struct str header_name(const struct reader *r, const char *option)
{
    const struct conf_value *v = member(r, option);
    if (conf_is_set(v) && !http_token(conf_str(v)))
        conf_fail(r->report, v, "no name of a header");
    return keep(r, option);
}

static bool has_part(const struct webhook_signing *s, int type)
{
    for (size_t i = 0; i < s->part_count; i++) {
        if ((int)s->parts[i].type == type)
            return true;
    }
    return false;
}

// Of type hmac.
static void read_content(const struct reader *r)
{
    struct webhook_signing *s = &r->entry->signing;
    const struct conf_value *v = member(r, "content");
    struct errmsg msg;
    if (!conf_is_set(v))
        v = r->map;
    if (webhook_signature_content(v == r->map ? STR("{body}") : keep(r, "content"), s, &msg)) {
        conf_fail(r->report, v, "%s", msg.text);
        return;
    }
    bool timed = has_part(s, WEBHOOK_PART_TIMESTAMP);
    if (!has_part(s, WEBHOOK_PART_BODY))
        conf_fail(r->report, v, "without {body} in it, anybody could change the body");
    if (s->timestamp.n && !timed)
        conf_fail(r->report, v, "without {timestamp} in `content`, anybody could change the time");
    if (!s->timestamp.n && timed)
        conf_fail(r->report, v, "{timestamp} needs `timestamp`, the name of its header");
}

static void sign_by_content(struct webhook_signing *s, struct str content)
{
    if (webhook_signature_content(content, s, NULL))
        err_fatal("the content of a built-in signature");
}

static const struct webhook_signature_place hub = {{"X-Hub-Signature-256", 19}, {"sha256=", 7}};

static void read_signing(const struct reader *r)
{
    struct webhook_signing *s = &r->entry->signing;
    enum webhook_auth_type type = r->entry->type;
    const struct conf_value *tolerance = member(r, "tolerance");
    struct str header = header_name(r, "header");

    s->tolerance_s = conf_is_set(tolerance) ? conf_int(tolerance) / 1000 : WEBHOOK_AUTH_TOLERANCE_S;
    s->timestamp = header_name(r, "timestamp");
    if (type == WEBHOOK_AUTH_STANDARD || type == WEBHOOK_AUTH_GITLAB) {
        s->form = WEBHOOK_SIGNATURE_STANDARD;
    } else if (type == WEBHOOK_AUTH_STRIPE) {
        s->form = WEBHOOK_SIGNATURE_STRIPE;
        s->places[0].header = header.n ? header : STR("Stripe-Signature");
    } else if (type == WEBHOOK_AUTH_GITHUB) {
        s->places[0] = hub;
        s->weak = STR("X-Hub-Signature");
        sign_by_content(s, STR("{body}"));
    } else if (type == WEBHOOK_AUTH_GITEA) {
        s->places[0].header = STR("X-Forgejo-Signature");
        s->places[1].header = STR("X-Gitea-Signature");
        s->places[2] = hub;
        s->weak = STR("X-Hub-Signature");
        sign_by_content(s, STR("{body}"));
    } else if (type == WEBHOOK_AUTH_GRAFANA) {
        s->places[0].header = header.n ? header : STR("X-Grafana-Alerting-Signature");
        sign_by_content(s, s->timestamp.n ? STR("{timestamp}:{body}") : STR("{body}"));
    } else if (type == WEBHOOK_AUTH_HMAC) {
        s->places[0].header = header;
        s->places[0].prefix = keep(r, "prefix");
        s->algorithm = str_eq_c(conf_str(member(r, "algorithm")), "sha512") ? HASH_HMAC_SHA512 : HASH_HMAC_SHA256;
        s->base64 = str_eq_c(conf_str(member(r, "encoding")), "base64");
        read_content(r);
    } else {
        r->entry->header = header;
    }
}

// --- the list ---

static void read_from(const struct reader *r)
{
    const struct conf_value *from = member(r, "from");
    struct errmsg msg;
    size_t at = 0;
    for (const struct conf_value *v; (v = conf_each(from, &at));) {
        if (net_cidrs_add(&r->entry->from, conf_str(v), &msg))
            conf_fail(r->report, v, "%s", msg.text);
    }
    if (conf_is_set(from) && conf_count(from) == 0)
        conf_fail(r->report, from, "an empty list lets nobody in: name addresses, or leave 'from' out");
}

static void read_entry(struct webhook_auth *auth, const struct conf_value *map, struct conf_report *report)
{
    const struct reader r = {map, report, auth, webhook_auth_add(auth)};
    size_t errors = conf_errors(report);
    r.entry->type = conf_enum(conf_get(map, "type"));
    check_options(&r);
    if (conf_errors(report) > errors)
        return;
    read_from(&r);
    read_signing(&r);
    read_secrets(&r);
    if (r.entry->type == WEBHOOK_AUTH_NONE)
        conf_warn(report, map, "whoever reaches the hook may post: nothing is asked for with the type 'none'");
}

static const char advice[] =
    "'auth' does not say who may post. Whoever has a token in the URL: `auth: [{type: token, secret: "
    "\"file:/etc/spandrel/hook-token\"}]`; everybody: `auth: [{type: none}]`; docs/webhooks.md has the others";

struct webhook_auth *webhook_auth_read(const struct conf_value *hook, struct conf_report *report)
{
    const struct conf_value *list = conf_get(hook, "auth");
    size_t errors = conf_errors(report), at = 0;
    if (conf_count(list) == 0)
        conf_fail(report, conf_is_set(list) ? list : hook, "%s", advice);
    if (conf_count(list) > WEBHOOK_AUTH_ENTRIES_MAX)
        conf_fail(report, list, "more than %d entries", WEBHOOK_AUTH_ENTRIES_MAX);
    struct webhook_auth *auth = webhook_auth_create();
    for (const struct conf_value *v; conf_errors(report) == errors && (v = conf_each(list, &at));)
        read_entry(auth, v, report);
    if (conf_errors(report) == errors)
        return auth;
    webhook_auth_destroy(auth);
    return NULL;
}
