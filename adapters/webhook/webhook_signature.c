#include "adapters/webhook/webhook_signature.h"

enum { SHA256_SIZE = 32, SHA512_SIZE = 64, SECONDS_DIGITS = 12 };

// For a function that has `msg` and ends with false.
#define REFUSE(...) ((void)err_set(msg, ERR_AUTH, __VA_ARGS__), false)

bool webhook_signature_header(const struct webhook_auth_request *r, struct str name, struct str *out,
                              struct errmsg *msg)
{
    *out = STR_NONE;
    for (size_t i = 0; i < r->header_count; i++) {
        if (!str_case_eq(r->headers[i].name, name))
            continue;
        if (out->p)
            return REFUSE(STR_FMT " comes twice", STR_ARG(name));
        struct str value = r->headers[i].value;
        *out = value.p ? value : STR("");
    }
    return true;
}

// The same for one that must be there.
static bool need(const struct webhook_auth_request *r, struct str name, struct str *out, struct errmsg *msg)
{
    if (!webhook_signature_header(r, name, out, msg))
        return false;
    return out->n > 0 || REFUSE(STR_FMT " is %s", STR_ARG(name), out->p ? "empty" : "missing");
}

static bool in_time(const struct webhook_signing *s, const struct webhook_auth_request *r, struct str seconds,
                    struct errmsg *msg)
{
    int64_t at = 0, now = r->wall / 1000;
    for (size_t i = 0; i < seconds.n; i++) {
        if (seconds.p[i] < '0' || seconds.p[i] > '9')
            return REFUSE("the timestamp is no number of seconds since 1970");
    }
    if (seconds.n > SECONDS_DIGITS || !str_to_i64(seconds, &at))
        return REFUSE("the timestamp is no number of seconds since 1970");
    int64_t age = now - at;
    if (age >= -s->tolerance_s && age <= s->tolerance_s)
        return true;
    return REFUSE("signed %lld s %s, at most %lld are allowed: compare the clocks", (long long)(age < 0 ? -age : age),
                  age < 0 ? "in the future" : "ago", (long long)s->tolerance_s);
}

// --- one signature in a header ---

static size_t digest_size(enum hash_hmac algorithm)
{
    return algorithm == HASH_HMAC_SHA512 ? SHA512_SIZE : SHA256_SIZE;
}

// Adds one as it is written; false when it cannot be a signature.
static bool add(struct webhook_signed *out, struct arena *a, struct str text, bool base64)
{
    size_t n = digest_size(out->algorithm);
    struct str bytes;
    if (!base64 && !hash_hex_decode(text, out->signatures[out->signature_count], n))
        return false;
    if (base64) {
        if (text.n > 2 * HASH_HMAC_MAX || !hash_base64_decode(a, text, &bytes) || bytes.n != n)
            return false;
        memcpy(out->signatures[out->signature_count], bytes.p, n);
    }
    out->signature_count++;
    return true;
}

// Where the signature is, and what stands there; NULL when it is nowhere.
static const struct webhook_signature_place *
find_plain(const struct webhook_signing *s, const struct webhook_auth_request *r, struct str *value, struct errmsg *msg)
{
    struct str weak;
    for (size_t i = 0; i < WEBHOOK_SIGNATURE_PLACES && s->places[i].header.n; i++) {
        if (!webhook_signature_header(r, s->places[i].header, value, msg))
            return NULL;
        if (value->p)
            return &s->places[i];
    }
    struct str first = s->places[0].header;
    (void)webhook_signature_header(r, s->weak, &weak, NULL);
    if (weak.p)
        (void)REFUSE("signed with SHA-1 alone (" STR_FMT "), which is not taken: " STR_FMT " is missing",
                     STR_ARG(s->weak), STR_ARG(first));
    else
        (void)REFUSE(STR_FMT " is missing", STR_ARG(first));
    return NULL;
}

static bool fill_parts(const struct webhook_signing *s, const struct webhook_auth_request *r, struct str timestamp,
                       struct webhook_signed *out, struct errmsg *msg)
{
    for (size_t i = 0; i < s->part_count; i++) {
        const struct webhook_part *part = &s->parts[i];
        struct str *to = &out->parts[out->part_count++];
        if (part->type == WEBHOOK_PART_HEADER && !need(r, part->text, to, msg))
            return false;
        if (part->type != WEBHOOK_PART_HEADER)
            *to = part->type == WEBHOOK_PART_BODY ? r->body : part->type == WEBHOOK_PART_TEXT ? part->text : timestamp;
    }
    return true;
}

static bool read_plain(const struct webhook_signing *s, const struct webhook_auth_request *r, struct arena *a,
                       struct webhook_signed *out, struct errmsg *msg)
{
    struct str value, timestamp = STR_NONE;
    const struct webhook_signature_place *at = find_plain(s, r, &value, msg);
    if (!at)
        return false;
    if (s->timestamp.n && (!need(r, s->timestamp, &timestamp, msg) || !in_time(s, r, timestamp, msg)))
        return false;
    out->algorithm = s->algorithm;
    if (!str_starts(value, at->prefix) || !add(out, a, str_sub(value, at->prefix.n, value.n), s->base64))
        return REFUSE(STR_FMT " is not \"" STR_FMT "\" and %zu bytes in %s", STR_ARG(at->header), STR_ARG(at->prefix),
                      digest_size(s->algorithm), s->base64 ? "base64" : "hex");
    return fill_parts(s, r, timestamp, out, msg);
}

enum err webhook_signature_content(struct str content, struct webhook_signing *out, struct errmsg *msg)
{
    out->part_count = 0;
    while (content.n > 0) {
        struct webhook_part *part = &out->parts[out->part_count];
        if (out->part_count++ == WEBHOOK_PARTS_MAX)
            return err_set(msg, ERR_BADREQ, "more than %d parts", WEBHOOK_PARTS_MAX);
        ptrdiff_t open = str_find(content, '{'), shut = str_find(content, '}');
        if (open != 0) {
            size_t end = open < 0 ? content.n : (size_t)open;
            *part = (struct webhook_part){WEBHOOK_PART_TEXT, str_sub(content, 0, end)};
            content = str_sub(content, end, content.n);
            continue;
        }
        struct str word = str_sub(content, 1, shut < 0 ? content.n : (size_t)shut), header = STR("header:");
        content = str_sub(content, word.n + 2, content.n);
        if (shut > 0 && str_eq_c(word, "body"))
            *part = (struct webhook_part){WEBHOOK_PART_BODY, STR_NONE};
        else if (shut > 0 && str_eq_c(word, "timestamp"))
            *part = (struct webhook_part){WEBHOOK_PART_TIMESTAMP, STR_NONE};
        else if (shut > 0 && str_starts(word, header) && http_token(str_sub(word, header.n, word.n)))
            *part = (struct webhook_part){WEBHOOK_PART_HEADER, str_sub(word, header.n, word.n)};
        else
            return err_set(msg, ERR_BADREQ, "'{" STR_FMT "%s' is not {body}, {timestamp} or {header:NAME}",
                           STR_ARG(word), shut > 0 ? "}" : "");
    }
    return ERR_OK;
}

// --- lists of signatures ---

// One member of a list: "v1,<base64>" or "v1=<hex>"; those of another version are passed over.
static bool add_listed(struct webhook_signed *out, struct arena *a, struct str version, struct str text, bool base64,
                       struct errmsg *msg)
{
    if (!str_eq_c(version, "v1"))
        return true;
    if (out->signature_count == WEBHOOK_AUTH_SIGNATURES_MAX)
        return REFUSE("more than %d signatures", WEBHOOK_AUTH_SIGNATURES_MAX);
    return add(out, a, text, base64) ||
           REFUSE("a v1 signature is not %d bytes in %s", SHA256_SIZE, base64 ? "base64" : "hex");
}

static bool has_any(const struct webhook_signed *out, struct str name, struct errmsg *msg)
{
    return out->signature_count > 0 || REFUSE(STR_FMT " has no signature of version v1", STR_ARG(name));
}

struct standard_names {
    struct str id, timestamp, signature;
};

static const struct standard_names webhook_names = {
    {"webhook-id", 10}, {"webhook-timestamp", 17}, {"webhook-signature", 17}};
static const struct standard_names svix_names = {{"svix-id", 7}, {"svix-timestamp", 14}, {"svix-signature", 14}};

// Standard Webhooks 1.0, "Signature scheme" and "Webhook headers".
static bool read_standard(const struct webhook_signing *s, const struct webhook_auth_request *r, struct arena *a,
                          struct webhook_signed *out, struct errmsg *msg)
{
    const struct standard_names *names;
    struct str own, id, timestamp, list, word, version, text;
    if (!webhook_signature_header(r, webhook_names.signature, &own, msg) ||
        !webhook_signature_header(r, svix_names.signature, &list, msg))
        return false;
    names = own.p || !list.p ? &webhook_names : &svix_names;
    if (!need(r, names->signature, &list, msg) || !need(r, names->id, &id, msg) ||
        !need(r, names->timestamp, &timestamp, msg) || !in_time(s, r, timestamp, msg))
        return false;
    // What is signed would be that of another id and time.
    if (str_find(id, '.') >= 0)
        return REFUSE(STR_FMT " has a '.'", STR_ARG(names->id));
    for (struct str rest = list; str_word(&rest, &word);) {
        str_cut(word, ',', &version, &text);
        if (!add_listed(out, a, version, text, true, msg))
            return false;
    }
    const struct str parts[] = {id, STR("."), timestamp, STR("."), r->body};
    out->part_count = sizeof parts / sizeof *parts;
    memcpy(out->parts, parts, sizeof parts);
    return has_any(out, names->signature, msg);
}

static bool read_stripe(const struct webhook_signing *s, const struct webhook_auth_request *r, struct arena *a,
                        struct webhook_signed *out, struct errmsg *msg)
{
    struct str list, member, name, text, timestamp = STR_NONE;
    if (!need(r, s->places[0].header, &list, msg))
        return false;
    for (struct str rest = list; rest.n > 0;) {
        str_cut(rest, ',', &member, &rest);
        str_cut(str_trim(member), '=', &name, &text);
        if (str_eq_c(name, "t") && timestamp.p)
            return REFUSE(STR_FMT " has two times", STR_ARG(s->places[0].header));
        if (str_eq_c(name, "t"))
            timestamp = text;
        else if (!add_listed(out, a, name, text, false, msg))
            return false;
    }
    if (timestamp.n == 0)
        return REFUSE(STR_FMT " has no time (t=)", STR_ARG(s->places[0].header));
    const struct str parts[] = {timestamp, STR("."), r->body};
    out->part_count = sizeof parts / sizeof *parts;
    memcpy(out->parts, parts, sizeof parts);
    return in_time(s, r, timestamp, msg) && has_any(out, s->places[0].header, msg);
}

bool webhook_signature_read(const struct webhook_signing *s, const struct webhook_auth_request *r, struct arena *a,
                            struct webhook_signed *out, struct errmsg *msg)
{
    static bool (*const forms[])(const struct webhook_signing *, const struct webhook_auth_request *, struct arena *,
                                 struct webhook_signed *, struct errmsg *) = {
        [WEBHOOK_SIGNATURE_PLAIN] = read_plain,
        [WEBHOOK_SIGNATURE_STANDARD] = read_standard,
        [WEBHOOK_SIGNATURE_STRIPE] = read_stripe,
    };
    out->algorithm = HASH_HMAC_SHA256;
    out->signature_count = out->part_count = 0;
    return forms[s->form](s, r, a, out, msg);
}

bool webhook_signature_by(const struct webhook_signed *s, struct str key)
{
    uint8_t mac[HASH_HMAC_MAX];
    size_t n = hash_hmac(s->algorithm, key, s->parts, s->part_count, mac);
    bool any = false;
    for (size_t i = 0; i < s->signature_count; i++)
        any |= hash_equal((struct str){(const char *)mac, n}, (struct str){(const char *)s->signatures[i], n});
    mem_wipe(mac, sizeof mac);
    return any;
}
