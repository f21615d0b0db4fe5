/* Tokens, passwords and addresses, lists of several entries, and how a refusal is answered. */
#include "auth_rig.h"

#include "base/strbuf.h"
#include "text/hash.h"

#define TOKEN "mfrggzdfmztwq2lknnwg23tpob"
#define OLD_TOKEN "nzzgk5dzovuw63tpob4g24dpoj"
#define WRONG_TOKEN "mfrggzdfmztwq2lknnwg23tpoc"

static void set_token(struct rig *r, const char *token)
{
    r->request.token = str_c(token);
}

static enum webhook_auth_verdict ask_token(struct rig *r, const char *token)
{
    set_token(r, token);
    return rig_ask(r, "", "");
}

static struct str sha256_of(struct rig *r, const char *token)
{
    uint8_t digest[32];
    hash_sha256(str_c(token), digest);
    return hash_hex(&r->arena, digest, sizeof digest);
}

// --- tokens in the URL ---

static void check_token_hook(struct rig *r)
{
    assert_int_equal(ask_token(r, TOKEN), WEBHOOK_AUTH_ADMITTED);
    assert_string_equal(r->result.type, "token");
    assert_int_equal(ask_token(r, OLD_TOKEN), WEBHOOK_AUTH_ADMITTED);
    static const char *const wrong[] = {WRONG_TOKEN, (TOKEN "a"), "", "MFRGGZDFMZTWQ2LKNNWG23TPOB", (" " TOKEN)};
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(ask_token(r, wrong[i]), WEBHOOK_AUTH_REFUSED);
        assert_int_equal(r->result.status, 404);
        assert_false(r->request.complete);
    }
    assert_reason(r, "wrong token in the URL");
    assert_int_equal(ask_token(r, NULL), WEBHOOK_AUTH_REFUSED);
    assert_int_equal(r->result.status, 404);
    assert_reason(r, "no token in the URL");
}

static void test_token(void **state)
{
    struct rig *r = *state;
    rig_auth(r, "auth: [{type: token, secret: " TOKEN ", secret_old: " OLD_TOKEN "}]");
    check_token_hook(r);
    rig_auth(r, arena_printf(&r->arena, "auth: [{type: token, sha256: %s, sha256_old: %s}]", sha256_of(r, TOKEN).p,
                             sha256_of(r, OLD_TOKEN).p)
                    .p);
    check_token_hook(r);
    rig_auth(r, arena_printf(&r->arena, "auth: [{type: token, secret: %s, sha256_old: %s}]", TOKEN,
                             sha256_of(r, OLD_TOKEN).p)
                    .p);
    check_token_hook(r);
}

// What a guesser sees of a hook that does not exist is what he sees of one whose token he does not have.
static void test_unknown_hook(void **state)
{
    static const char *const tokens[] = {WRONG_TOKEN, "", NULL, "a"};
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        rig_auth(r, "auth: [{type: token, secret: " TOKEN "}]");
        (void)ask_token(r, tokens[i]);
        const struct webhook_auth_result known = r->result;
        assert_int_equal(known.verdict, WEBHOOK_AUTH_REFUSED);
        webhook_auth_destroy(r->auth);
        r->auth = NULL;
        (void)ask_token(r, tokens[i]);
        assert_int_equal(r->result.verdict, known.verdict);
        assert_int_equal(r->result.status, known.status);
        assert_ptr_equal(r->result.challenge, known.challenge);
        assert_reason(r, "no such hook");
    }
}

static void test_token_new(void **state)
{
    struct rig *r = *state;
    char token[WEBHOOK_TOKEN_TEXT], before[WEBHOOK_TOKEN_TEXT] = "", sha256[WEBHOOK_TOKEN_HASH];
    unsigned seen[128] = {0};
    for (int i = 0; i < 200; i++) {
        webhook_token_new(token, sha256);
        assert_int_equal(strlen(token), 32);
        assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyz234567"), 32);
        assert_string_not_equal(token, before);
        assert_str(sha256_of(r, token), sha256);
        memcpy(before, token, sizeof before);
        for (const char *p = token; *p; p++)
            seen[(unsigned char)*p]++;
    }
    // 6400 characters of 32 kinds: 200 of each, and fewer than 100 or more than 300 never.
    for (const char *p = "abcdefghijklmnopqrstuvwxyz234567"; *p; p++)
        assert_in_range(seen[(unsigned char)*p], 100, 300);
    r->auth = webhook_auth_create();
    assert_int_equal(ask_token(r, token), WEBHOOK_AUTH_REFUSED);
    assert_int_equal(r->result.status, 404);
    assert_reason(r, "it has no token");
    assert_int_equal(webhook_auth_add_token(r->auth, str_c(sha256)), ERR_OK);
    assert_int_equal(ask_token(r, token), WEBHOOK_AUTH_ADMITTED);
    assert_int_equal(ask_token(r, WRONG_TOKEN), WEBHOOK_AUTH_REFUSED);
}

static void test_add_token(void **state)
{
    struct rig *r = *state;
    r->auth = webhook_auth_create();
    assert_int_equal(webhook_auth_add_token(r->auth, STR("")), ERR_BADREQ);
    assert_int_equal(webhook_auth_add_token(r->auth, sha256_of(r, "x")), ERR_OK);
    assert_int_equal(webhook_auth_add_token(r->auth, str_sub(sha256_of(r, "x"), 0, 63)), ERR_BADREQ);
    for (unsigned i = 1; i < WEBHOOK_AUTH_ENTRIES_MAX; i++) {
        const char *token = arena_printf(&r->arena, "token %u", i).p;
        assert_int_equal(webhook_auth_add_token(r->auth, sha256_of(r, token)), ERR_OK);
        assert_int_equal(ask_token(r, token), WEBHOOK_AUTH_ADMITTED);
        assert_int_equal(r->result.entry, i);
    }
    assert_int_equal(webhook_auth_add_token(r->auth, sha256_of(r, "y")), ERR_LIMIT);
    assert_int_equal(ask_token(r, "y"), WEBHOOK_AUTH_REFUSED);
    assert_int_equal(ask_token(r, "x"), WEBHOOK_AUTH_ADMITTED);
    // Whatever its hash: nothing is no token.
    webhook_auth_destroy(r->auth);
    r->auth = webhook_auth_create();
    assert_int_equal(webhook_auth_add_token(r->auth, sha256_of(r, "")), ERR_OK);
    assert_int_equal(ask_token(r, ""), WEBHOOK_AUTH_REFUSED);
    assert_int_equal(ask_token(r, NULL), WEBHOOK_AUTH_REFUSED);
}

// --- headers ---

struct head_row {
    const char *headers;
    bool admitted;
    const char *reason;
};

static void check_heads(struct rig *r, const struct head_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rig_ask(r, rows[i].headers, "body"),
                         rows[i].admitted ? WEBHOOK_AUTH_ADMITTED : WEBHOOK_AUTH_REFUSED);
        assert_false(r->request.complete);
        assert_reason(r, rows[i].admitted ? "" : rows[i].reason);
    }
}

static void test_bearer(void **state)
{
    static const struct head_row rows[] = {
        {"Authorization: Bearer abcdefgh.0123-_~+/==", true, ""},
        {"authorization: bearer abcdefgh.0123-_~+/==", true, ""},
        {"Authorization: Bearer ijklmnop01234567", true, ""},
        {"Authorization: Bearer abcdefgh.0123-_~+/=", false, "wrong token"},
        {"Authorization: Bearer abcdefgh.0123-_~+/===", false, "wrong token"},
        {"Authorization: abcdefgh.0123-_~+/==", false, "not \"Bearer\""},
        {"Authorization: Bearer", false, "not \"Bearer\""},
        {"Authorization:", false, "not \"Bearer\""},
        {"Authorization: Token abcdefgh.0123-_~+/==", false, "not \"Bearer\""},
        {"Authorization: Bearer ijklmnop01234567\nAuthorization: Bearer ijklmnop01234567", false, "comes twice"},
        {"X-Authorization: Bearer ijklmnop01234567", false, "Authorization is missing"},
        {"", false, "Authorization is missing"},
    };
    struct rig *r = *state;
    rig_auth(r, "auth: [{type: bearer, secret: abcdefgh.0123-_~+/==, secret_old: ijklmnop01234567}]");
    check_heads(r, rows, COUNT(rows));
    assert_int_equal(r->result.status, 401);
    assert_string_equal(r->result.challenge, "Bearer realm=\"webhook\"");
}

static void test_bearer_header(void **state)
{
    static const struct head_row rows[] = {
        {"X-Gotify-Key: a token, of 16+ bytes", true, ""},
        {"X-Gotify-Key: Bearer a token, of 16+ bytes", false, "wrong token"},
        {"X-Gotify-Key: a token, of 16+ bytes\nx-gotify-key: b", false, "X-Gotify-Key comes twice"},
        {"Authorization: Bearer a token, of 16+ bytes", false, "X-Gotify-Key is missing"},
        {"X-Gotify-Key:", false, "wrong token"},
    };
    struct rig *r = *state;
    rig_auth(r, "auth: [{type: bearer, header: X-Gotify-Key, secret: \"a token, of 16+ bytes\"}]");
    check_heads(r, rows, COUNT(rows));
    assert_int_equal(r->result.status, 403);
}

static struct str basic_head(struct rig *r, const char *credentials)
{
    struct str text = hash_base64(&r->arena, (const uint8_t *)credentials, strlen(credentials));
    return arena_printf(&r->arena, "Authorization: Basic %s", text.p);
}

static void test_basic(void **state)
{
    static const struct {
        const char *credentials;
        bool admitted;
    } rows[] = {
        {"al:correct horse: battery", true},
        {"al:another long password", true},
        {"al:correct horse: batterx", false},
        {"al:", false},
        {"al", false},
        {"Al:correct horse: battery", false},
        {"al:correct horse: battery ", false},
        {":correct horse: battery", false},
        {"", false},
    };
    struct rig *r = *state;
    rig_auth(r,
             "auth: [{type: basic, user: al, secret: \"correct horse: battery\", secret_old: another long password}]");
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(rig_ask(r, basic_head(r, rows[i].credentials).p, ""),
                         rows[i].admitted ? WEBHOOK_AUTH_ADMITTED : WEBHOOK_AUTH_REFUSED);
    static const struct head_row bad[] = {
        {"Authorization: Basic !!!", false, "not \"Basic\""},
        {"Authorization: Basic", false, "not \"Basic\""},
        {"Authorization: Bearer al", false, "not \"Basic\""},
        {"Authorization: Basic YTpi\nAuthorization: Basic YTpi", false, "comes twice"},
        {"", false, "is missing"},
    };
    check_heads(r, bad, COUNT(bad));
    assert_int_equal(r->result.status, 401);
    assert_string_equal(r->result.challenge, "Basic realm=\"webhook\", charset=\"UTF-8\"");
}

static void test_gitlab_token(void **state)
{
    static const struct head_row rows[] = {
        {"X-Gitlab-Token: glhook-0123456789abcdef", true, ""},
        {"X-Gitlab-Token: the-other-0123456789", true, ""},
        // A sender that signs too, with a token that is not known here.
        {"X-Gitlab-Token: glhook-0123456789abcdef\nwebhook-signature: v1,x", true, ""},
        {"X-Gitlab-Token: glhook-0123456789abcdeF", false, "wrong X-Gitlab-Token"},
        {"X-Gitlab-Token:", false, "wrong X-Gitlab-Token"},
        {"X-Gitlab-Event: Push Hook", false, "X-Gitlab-Token is missing"},
        {"X-Gitlab-Token: glhook-0123456789abcdef\nX-Gitlab-Token: a", false, "comes twice"},
    };
    struct rig *r = *state;
    rig_auth(r, "auth: [{type: gitlab, secret: glhook-0123456789abcdef, secret_old: the-other-0123456789}]");
    check_heads(r, rows, COUNT(rows));
    assert_int_equal(r->result.status, 403);
    // From a secret token to a signing token: both count; the signing token itself is no token.
    rig_auth(r, "auth: [{type: gitlab, secret: whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=, "
                "secret_old: glhook-0123456789abcdef}]");
    check_heads(r, rows, 1);
    static const struct head_row signing[] = {
        {"X-Gitlab-Token: whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=", false, "webhook-signature is missing"},
    };
    check_heads(r, signing, COUNT(signing));
}

// --- addresses ---

static void test_from(void **state)
{
    static const struct {
        const char *ip;
        bool inside;
    } rows[] = {{"192.0.2.1", true},    {"192.0.2.255", true}, {"192.0.3.0", false},       {"2001:db8::1", true},
                {"2001:db9::1", false}, {"", false},           {"::ffff:192.0.2.77", true}};
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        r->request.source = rig_ip(rows[i].ip);
        rig_auth(r, "auth: [{type: cidr, from: [192.0.2.0/24, \"2001:db8::/32\"]}]");
        assert_int_equal(ask_token(r, NULL), rows[i].inside ? WEBHOOK_AUTH_ADMITTED : WEBHOOK_AUTH_REFUSED);
        if (!rows[i].inside) {
            assert_int_equal(r->result.status, 403);
            assert_reason(r, "not from an address in `from`");
        }
        // Both must hold.
        rig_auth(r, "auth: [{type: token, secret: " TOKEN ", from: [192.0.2.0/24, \"2001:db8::/32\"]}]");
        assert_int_equal(ask_token(r, TOKEN), rows[i].inside ? WEBHOOK_AUTH_ADMITTED : WEBHOOK_AUTH_REFUSED);
        assert_int_equal(ask_token(r, WRONG_TOKEN), WEBHOOK_AUTH_REFUSED);
        assert_int_equal(r->result.status, 404);
        // Who is signed but comes from elsewhere is refused before the body.
        rig_auth(r,
                 "auth: [{type: github, secret: It's a Secret to Everybody, from: [192.0.2.0/24, \"2001:db8::/32\"]}]");
        bool in =
            rig_ask(r, "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                    "Hello, World!") == WEBHOOK_AUTH_ADMITTED;
        assert_int_equal(in, rows[i].inside);
        assert_int_equal(r->request.complete, rows[i].inside);
    }
}

static void test_none(void **state)
{
    struct rig *r = *state;
    rig_auth(r, "auth: [{type: none}]");
    assert_int_equal(conf_warnings(r->report), 1);
    assert_contains(rig_text(r), "hook.yaml:1:");
    assert_contains(rig_text(r), "whoever reaches the hook may post");
    assert_int_equal(rig_ask(r, "", ""), WEBHOOK_AUTH_ADMITTED);
    assert_string_equal(r->result.type, "none");
    rig_auth(r, "auth: [{type: none, from: [10.0.0.0/8]}]");
    assert_int_equal(rig_ask(r, "", ""), WEBHOOK_AUTH_REFUSED);
}

// --- lists ---

#define LIST                                                                                                           \
    "auth:\n"                                                                                                          \
    "  - {type: github, secret: It's a Secret to Everybody}\n"                                                         \
    "  - {type: bearer, secret: abcdefgh01234567}\n"                                                                   \
    "  - {type: basic, user: al, secret: abcdefgh01234567}\n"                                                          \
    "  - {type: cidr, from: [10.0.0.0/8]}\n"
#define GITHUB "X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\n"

static void test_any_of(void **state)
{
    struct rig *r = *state;
    rig_auth(r, LIST);
    assert_int_equal(rig_ask(r, GITHUB, "Hello, World!"), WEBHOOK_AUTH_ADMITTED);
    assert_int_equal(r->result.entry, 0);
    // What needs no body is enough, also when a signature that needs it comes first, and is wrong.
    assert_int_equal(rig_ask(r, GITHUB "Authorization: Bearer abcdefgh01234567", "Hello"), WEBHOOK_AUTH_ADMITTED);
    assert_int_equal(r->result.entry, 1);
    assert_string_equal(r->result.type, "bearer");
    assert_false(r->request.complete);
    assert_int_equal(rig_ask(r, basic_head(r, "al:abcdefgh01234567").p, ""), WEBHOOK_AUTH_ADMITTED);
    assert_int_equal(r->result.entry, 2);
    r->request.source = rig_ip("10.1.2.3");
    assert_int_equal(rig_ask(r, "", ""), WEBHOOK_AUTH_ADMITTED);
    assert_int_equal(r->result.entry, 3);
    assert_string_equal(r->result.type, "cidr");
    r->request.source = rig_ip("192.0.2.1");
    assert_int_equal(rig_ask(r, GITHUB, "Hello"), WEBHOOK_AUTH_REFUSED);
    assert_true(r->request.complete);
    assert_string_equal(
        r->result.reason.text,
        "github: wrong signature: another secret, or the body was changed on its way; bearer: "
        "Authorization is missing; basic: Authorization is missing; cidr: not from an address in `from`");
}

// 404 where a token could have been in the URL, 401 with what would do, else 403.
static void test_status(void **state)
{
    static const char bearer[] = "{type: bearer, secret: abcdefgh01234567}",
                      basic[] = "{type: basic, user: al, secret: abcdefgh01234567}",
                      github[] = "{type: github, secret: It's a Secret to Everybody}",
                      token[] = "{type: token, secret: " TOKEN "}", cidr[] = "{type: cidr, from: [10.0.0.0/8]}",
                      key[] = "{type: bearer, header: X-Key, secret: abcdefgh01234567}";
    static const struct {
        const char *first, *second;
        int status;
        const char *challenge;
    } rows[] = {
        {bearer, github, 401, "Bearer realm=\"webhook\""},
        {cidr, basic, 401, "Basic realm=\"webhook\", charset=\"UTF-8\""},
        {basic, bearer, 401, "Bearer realm=\"webhook\", Basic realm=\"webhook\", charset=\"UTF-8\""},
        {github, cidr, 403, NULL},
        {key, github, 403, NULL},
        {key, bearer, 401, "Bearer realm=\"webhook\""},
        {bearer, token, 404, NULL},
        {token, github, 404, NULL},
    };
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_auth(r, arena_printf(&r->arena, "auth: [%s, %s]", rows[i].first, rows[i].second).p);
        assert_int_equal(rig_ask(r, "", ""), WEBHOOK_AUTH_REFUSED);
        assert_int_equal(r->result.status, rows[i].status);
        if (rows[i].challenge)
            assert_string_equal(r->result.challenge, rows[i].challenge);
        else
            assert_null(r->result.challenge);
    }
}

// Sixteen entries that all refuse: the text is cut, and says so.
static void test_reasons_cut(void **state)
{
    struct rig *r = *state;
    struct strbuf yaml;
    strbuf_init(&yaml, 4096);
    strbuf_c(&yaml, "auth:\n");
    for (int i = 0; i < WEBHOOK_AUTH_ENTRIES_MAX; i++)
        strbuf_c(&yaml, "  - {type: github, secret: It's a Secret to Everybody}\n");
    rig_read(r, strbuf_view(&yaml));
    assert_non_null(r->auth);
    assert_int_equal(rig_ask(r, "", ""), WEBHOOK_AUTH_REFUSED);
    assert_true(str_ends(str_c(r->result.reason.text), STR("; ...")));
    assert_true(strlen(r->result.reason.text) > 200);
    assert_int_equal(rig_ask(r, GITHUB, "Hello, World!"), WEBHOOK_AUTH_ADMITTED);
    strbuf_finish(&yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_unknown_hook, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_token_new, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_add_token, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bearer, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_bearer_header, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_basic, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_gitlab_token, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_from, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_none, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_any_of, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_status, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_reasons_cut, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests_name("webhook_auth", tests, NULL, NULL);
}
