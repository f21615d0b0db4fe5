#include "adapters/webhook/webhook_auth_private.h"

#include "base/rng.h"
#include "net/http_field.h"

// --- life ---

struct webhook_auth *webhook_auth_create(void)
{
    struct webhook_auth *auth = MEM_NEW(struct webhook_auth);
    arena_init(&auth->strings, 256);
    return auth;
}

void webhook_auth_destroy(struct webhook_auth *auth)
{
    if (!auth)
        return;
    for (unsigned i = 0; i < auth->count; i++) {
        struct webhook_auth_entry *e = &auth->entries[i];
        for (size_t k = 0; k < e->key_count; k++) {
            mem_wipe((void *)(uintptr_t)e->keys[k].p, e->keys[k].n);
            mem_free((void *)(uintptr_t)e->keys[k].p);
        }
        net_cidrs_finish(&e->from);
    }
    mem_free(auth->entries);
    arena_finish(&auth->strings);
    mem_free(auth);
}

struct webhook_auth_entry *webhook_auth_add(struct webhook_auth *auth)
{
    auth->entries = mem_realloc(auth->entries, auth->count + 1, sizeof *auth->entries);
    struct webhook_auth_entry *e = &auth->entries[auth->count++];
    *e = (struct webhook_auth_entry){.type = WEBHOOK_AUTH_TOKEN};
    return e;
}

void webhook_auth_add_digest(struct webhook_auth_entry *e, struct str token)
{
    hash_sha256(token, e->digests[e->digest_count++]);
}

void webhook_auth_add_key(struct webhook_auth_entry *e, struct str key)
{
    e->keys[e->key_count++] = (struct str){mem_dup(key.p, key.n), key.n};
}

enum err webhook_auth_add_token(struct webhook_auth *auth, struct str sha256)
{
    uint8_t digest[WEBHOOK_AUTH_DIGEST_SIZE];
    if (auth->count >= WEBHOOK_AUTH_ENTRIES_MAX)
        return ERR_LIMIT;
    if (!hash_hex_decode(sha256, digest, sizeof digest))
        return ERR_BADREQ;
    struct webhook_auth_entry *e = webhook_auth_add(auth);
    memcpy(e->digests[e->digest_count++], digest, sizeof digest);
    return ERR_OK;
}

void webhook_token_new(char token[WEBHOOK_TOKEN_TEXT], char sha256[WEBHOOK_TOKEN_HASH])
{
    static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567", hex[] = "0123456789abcdef";
    uint8_t bits[WEBHOOK_TOKEN_TEXT - 1], digest[WEBHOOK_AUTH_DIGEST_SIZE];
    // 5 of each byte's bits: as much as WEBHOOK_TOKEN_BYTES whole ones, and no copy of them in an arena.
    rng_bytes(bits, sizeof bits);
    for (size_t i = 0; i < sizeof bits; i++)
        token[i] = base32[bits[i] & 31];
    token[sizeof bits] = '\0';
    hash_sha256((struct str){token, sizeof bits}, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        sha256[2 * i] = hex[digest[i] >> 4];
        sha256[2 * i + 1] = hex[digest[i] & 15];
    }
    sha256[2 * sizeof digest] = '\0';
    mem_wipe(bits, sizeof bits);
}

// --- one entry ---

struct check {
    const struct webhook_auth_request *request;
    uint8_t url[WEBHOOK_AUTH_DIGEST_SIZE]; // of the token in the URL
    struct arena arena;
};

// For a judge, which has `msg`.
#define REFUSE(...) ((void)err_set(msg, ERR_AUTH, __VA_ARGS__), WEBHOOK_AUTH_REFUSED)

typedef enum webhook_auth_verdict judge_fn(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg);

// All are compared, that the time does not tell which one it was.
static bool digest_known(const struct webhook_auth_entry *e, const uint8_t digest[WEBHOOK_AUTH_DIGEST_SIZE])
{
    const struct str given = {(const char *)digest, WEBHOOK_AUTH_DIGEST_SIZE};
    bool known = false;
    for (size_t i = 0; i < e->digest_count; i++)
        known |= hash_equal(given, (struct str){(const char *)e->digests[i], WEBHOOK_AUTH_DIGEST_SIZE});
    return known;
}

static enum webhook_auth_verdict judge_secret(const struct webhook_auth_entry *e, struct str secret, const char *what,
                                              struct errmsg *msg)
{
    uint8_t digest[WEBHOOK_AUTH_DIGEST_SIZE];
    hash_sha256(secret, digest);
    return digest_known(e, digest) ? WEBHOOK_AUTH_ADMITTED : REFUSE("wrong %s", what);
}

static enum webhook_auth_verdict judge_token(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg)
{
    if (digest_known(e, c->url) && c->request->token.n > 0)
        return WEBHOOK_AUTH_ADMITTED;
    return c->request->token.n ? REFUSE("wrong token in the URL") : REFUSE("no token in the URL");
}

static enum webhook_auth_verdict judge_bearer(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg)
{
    struct str name = e->header.n ? e->header : STR("Authorization"), value;
    if (!webhook_signature_header(c->request, name, &value, msg))
        return WEBHOOK_AUTH_REFUSED;
    if (!value.p)
        return REFUSE(STR_FMT " is missing", STR_ARG(name));
    if (!e->header.n && !http_auth_bearer(value, &value))
        return REFUSE("Authorization is not \"Bearer\" and a token");
    return judge_secret(e, value, "token", msg);
}

static enum webhook_auth_verdict judge_basic(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg)
{
    struct str value, user, password;
    if (!webhook_signature_header(c->request, STR("Authorization"), &value, msg))
        return WEBHOOK_AUTH_REFUSED;
    if (!value.p)
        return REFUSE("Authorization is missing");
    if (!http_auth_basic(&c->arena, value, &user, &password))
        return REFUSE("Authorization is not \"Basic\" and a user and password in base64");
    const struct str parts[] = {user, STR(":"), password};
    struct str both = arena_concat(&c->arena, parts, 3);
    enum webhook_auth_verdict verdict = judge_secret(e, both, "user or password", msg);
    mem_wipe((void *)(uintptr_t)both.p, both.n);
    mem_wipe((void *)(uintptr_t)password.p, password.n);
    return verdict;
}

static enum webhook_auth_verdict judge_signature(const struct webhook_auth_entry *e, struct check *c,
                                                 struct errmsg *msg)
{
    struct webhook_signed read;
    if (!webhook_signature_read(&e->signing, c->request, &c->arena, &read, msg))
        return WEBHOOK_AUTH_REFUSED;
    if (!c->request->complete)
        return WEBHOOK_AUTH_NEEDS_BODY;
    for (size_t i = 0; i < e->key_count; i++) {
        if (webhook_signature_by(&read, e->keys[i]))
            return WEBHOOK_AUTH_ADMITTED;
    }
    return REFUSE("wrong signature: another secret, or the body was changed on its way");
}

// A secret token as it is, or, with a signing token, Standard Webhooks; a signing token is never sent itself.
static enum webhook_auth_verdict judge_gitlab(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg)
{
    struct str token;
    if (!webhook_signature_header(c->request, STR("X-Gitlab-Token"), &token, msg))
        return WEBHOOK_AUTH_REFUSED;
    if (e->digest_count > 0 && token.p && judge_secret(e, token, "X-Gitlab-Token", msg) == WEBHOOK_AUTH_ADMITTED)
        return WEBHOOK_AUTH_ADMITTED;
    if (e->key_count > 0)
        return judge_signature(e, c, msg);
    return token.p ? REFUSE("wrong X-Gitlab-Token") : REFUSE("X-Gitlab-Token is missing");
}

// Their addresses have been looked at.
static enum webhook_auth_verdict judge_none(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg)
{
    (void)e;
    (void)c;
    (void)msg;
    return WEBHOOK_AUTH_ADMITTED;
}

static enum webhook_auth_verdict judge(const struct webhook_auth_entry *e, struct check *c, struct errmsg *msg)
{
    static judge_fn *const types[] = {
        [WEBHOOK_AUTH_TOKEN] = judge_token,      [WEBHOOK_AUTH_BEARER] = judge_bearer,
        [WEBHOOK_AUTH_BASIC] = judge_basic,      [WEBHOOK_AUTH_STANDARD] = judge_signature,
        [WEBHOOK_AUTH_GITHUB] = judge_signature, [WEBHOOK_AUTH_GITLAB] = judge_gitlab,
        [WEBHOOK_AUTH_GITEA] = judge_signature,  [WEBHOOK_AUTH_GRAFANA] = judge_signature,
        [WEBHOOK_AUTH_STRIPE] = judge_signature, [WEBHOOK_AUTH_HMAC] = judge_signature,
        [WEBHOOK_AUTH_CIDR] = judge_none,        [WEBHOOK_AUTH_NONE] = judge_none,
    };
    enum webhook_auth_verdict verdict = types[e->type](e, c, msg);
    if (verdict == WEBHOOK_AUTH_REFUSED || e->from.n == 0 || net_cidrs_have(&e->from, &c->request->source))
        return verdict;
    return REFUSE("not from an address in `from`");
}

// --- the list ---

static bool has_type(const struct webhook_auth *auth, enum webhook_auth_type type)
{
    for (unsigned i = 0; i < auth->count; i++) {
        // A token in another header is no scheme that a client could be challenged for.
        if (auth->entries[i].type == type && auth->entries[i].header.n == 0)
            return true;
    }
    return false;
}

static const char *challenge(const struct webhook_auth *auth)
{
    static const char *const values[] = {NULL, "Bearer realm=\"webhook\"", "Basic realm=\"webhook\", charset=\"UTF-8\"",
                                         "Bearer realm=\"webhook\", Basic realm=\"webhook\", charset=\"UTF-8\""};
    return values[has_type(auth, WEBHOOK_AUTH_BEARER) + 2 * has_type(auth, WEBHOOK_AUTH_BASIC)];
}

static void set_status(const struct webhook_auth *auth, struct webhook_auth_result *result)
{
    bool hidden = !auth || auth->count == 0 || has_type(auth, WEBHOOK_AUTH_TOKEN);
    result->challenge = hidden ? NULL : challenge(auth);
    result->status = hidden ? 404 : result->challenge ? 401 : 403;
}

static void check_entries(const struct webhook_auth *auth, struct check *c, struct webhook_auth_result *result)
{
    struct strbuf reasons;
    strbuf_init(&reasons, sizeof result->reason.text);
    for (unsigned i = 0; i < auth->count && result->verdict != WEBHOOK_AUTH_ADMITTED; i++) {
        struct errmsg why;
        const char *type = webhook_auth_types[auth->entries[i].type];
        enum webhook_auth_verdict verdict = judge(&auth->entries[i], c, &why);
        if (verdict == WEBHOOK_AUTH_REFUSED)
            (void)strbuf_printf(&reasons, "%s%s: %s", reasons.n ? "; " : "", type, why.text);
        if (verdict == WEBHOOK_AUTH_ADMITTED)
            result->entry = i, result->type = type;
        if (verdict != WEBHOOK_AUTH_REFUSED)
            result->verdict = verdict;
    }
    (void)err_set(&result->reason, ERR_AUTH, STR_FMT "%s", STR_ARG(strbuf_view(&reasons)), reasons.full ? "; ..." : "");
    strbuf_finish(&reasons);
}

void webhook_auth_check(const struct webhook_auth *auth, const struct webhook_auth_request *request,
                        struct webhook_auth_result *result)
{
    struct webhook_auth_entry none = {.type = WEBHOOK_AUTH_TOKEN, .digest_count = 1}; // no token has that hash
    const struct webhook_auth unknown = {.entries = &none, .count = 1};
    struct check c = {.request = request};
    arena_init(&c.arena, 256);
    *result = (struct webhook_auth_result){.verdict = WEBHOOK_AUTH_REFUSED};
    hash_sha256(request->token, c.url);
    check_entries(auth ? auth : &unknown, &c, result);
    if (!auth)
        (void)err_set(&result->reason, ERR_AUTH, "there is no such hook");
    if (auth && auth->count == 0)
        (void)err_set(&result->reason, ERR_AUTH, "nobody is let in: it has no token");
    if (result->verdict == WEBHOOK_AUTH_REFUSED)
        set_status(auth, result);
    arena_finish(&c.arena);
}
