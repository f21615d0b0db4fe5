/* What `check` says about a list `auth`. */
#include "auth_rig.h"

#include "base/strbuf.h"

#include <stdio.h>

#define TOKEN "mfrggzdfmztwq2lknnwg23tpob"
#define KEY "correct horse battery staple"
#define HASH "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

static void test_accepted(void **state)
{
    static const char *const rows[] = {
        "{type: token, secret: abcdefghijklmnopqrstuv}", // 22
        "{type: token, sha256: " HASH "}",
        "{type: token, secret_old: " TOKEN ", sha256: " HASH ", from: [10.0.0.0/8]}",
        "{type: bearer, secret: abcdefgh01234567}",
        "{type: bearer, sha256: " HASH ", sha256_old: " HASH "}",
        "{type: bearer, header: X-Key, secret: 'any text: at all!'}",
        "{type: basic, user: al, secret: abcdefgh01234567}",
        "{type: standard-webhooks, secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}", // 24
        "{type: standard-webhooks, tolerance: 1m, secret: "                          // 64
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==}",
        "{type: github, secret: abcdefghijklmnopqrstuvwx}", // 24
        "{type: gitlab, secret: abcdefgh01234567}",
        "{type: gitlab, tolerance: 10m, secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, secret_old: abcdefgh01234567}",
        "{type: gitea, secret: " KEY "}",
        "{type: grafana, secret: " KEY ", timestamp: X-Time, header: X-Sum}",
        "{type: stripe, secret: abcdefgh01234567, header: X-Sum}",
        "{type: hmac, header: X-Sum, secret: " KEY "}",
        "{type: hmac, header: X-Sum, secret: " KEY ", content: '{body}{body}'}",
        "{type: hmac, header: X-Sum, timestamp: X-T, content: '{timestamp}{header:x-a}.{body}}', secret: " KEY "}",
        "{type: hmac, header: X-Sum, algorithm: sha512, encoding: base64, prefix: 'a=', secret: " KEY "}",
        "{type: hmac, header: X-Sum, secret_encoding: hex, secret: 000102030405060708090a0b0c0d0e0f1011121314151617}",
        "{type: cidr, from: [192.0.2.1, \"::1\"]}",
    };
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_auth(r, arena_printf(&r->arena, "auth: [%s]", rows[i]).p);
        if (conf_warnings(r->report) > 0)
            fail_msg("%s: " STR_FMT, rows[i], STR_ARG(rig_text(r)));
    }
}

static const struct {
    const char *entry, *text;
} refused[] = {
    {"{type: token}", "'secret' or 'sha256' is missing, which the type 'token' needs"},
    {"{type: bearer}", "'secret' or 'sha256' is missing, which the type 'bearer' needs"},
    {"{type: github}", "'secret' is missing, which the type 'github' needs"},
    {"{type: github, secret_old: " KEY "}", "'secret' is missing, which the type 'github' needs"},
    {"{type: basic, secret: abcdefgh01234567}", "'user' is missing, which the type 'basic' needs"},
    {"{type: hmac, secret: " KEY "}", "'header' is missing, which the type 'hmac' needs"},
    {"{type: cidr}", "'from' is missing, which the type 'cidr' needs"},
    {"{type: cidr, from: []}", "an empty list lets nobody in"},
    {"{type: none, from: []}", "an empty list lets nobody in"},
    {"{type: cidr, from: [10.0.0.1/8]}", "10.0.0.0/8"},
    {"{type: cidr, from: [10.0.0.0/8, example.org]}", "example.org"},
    {"{type: cidr, from: [10.0.0.0/8], secret: " KEY "}", "'secret' means nothing with the type 'cidr'"},
    {"{type: none, secret: " KEY "}", "'secret' means nothing with the type 'none'"},
    {"{type: github, secret: " KEY ", header: X-Sum}", "'header' means nothing with the type 'github'"},
    {"{type: github, secret: " KEY ", tolerance: 10s}", "'tolerance' means nothing with the type 'github'"},
    {"{type: gitea, sha256: " HASH ", secret: " KEY "}", "'sha256' means nothing with the type 'gitea'"},
    {"{type: grafana, secret: " KEY ", encoding: hex}", "'encoding' means nothing with the type 'grafana'"},
    {"{type: bearer, secret: " TOKEN ", user: al}", "'user' means nothing with the type 'bearer'"},
    {"{type: slack, secret: " KEY "}", "'slack'"},
    {"{secret: " KEY "}", "'type' is missing"},
    // too short
    {"{type: token, secret: abcdefghijklmnopqrstu}", "too short to be safe: 21 characters, at least 22"},
    {"{type: token, secret: " TOKEN ", secret_old: a}", "too short to be safe: 1 characters, at least 22"},
    {"{type: bearer, secret: abcdefgh0123456}", "too short to be safe: 15 bytes, at least 16"},
    {"{type: basic, user: al, secret: abcdefgh0123456}", "too short to be safe: 15 bytes, at least 16"},
    {"{type: gitlab, secret: abcdefgh0123456}", "too short to be safe: 15 bytes, at least 16"},
    {"{type: stripe, secret: abcdefgh0123456}", "too short to be safe: 15 bytes, at least 16"},
    {"{type: github, secret: abcdefghijklmnopqrstuvw}", "too short to be safe: 23 bytes, at least 24"},
    {"{type: gitea, secret: abcdefghijklmnopqrstuvw}", "too short to be safe: 23 bytes, at least 24"},
    {"{type: grafana, secret: abcdefghijklmnopqrstuvw}", "too short to be safe: 23 bytes, at least 24"},
    {"{type: hmac, header: X, secret: abcdefghijklmnopqrstuvw}", "too short to be safe: 23 bytes, at least 24"},
    {"{type: hmac, header: X, secret_encoding: hex, secret: 000102030405060708090a0b0c0d0e0f10111213141516}",
     "too short to be safe: 23 bytes, at least 24"},
    {"{type: hmac, header: X, secret_encoding: base64, secret: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}",
     "too short to be safe: 23 bytes, at least 24"},
    {"{type: standard-webhooks, secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}",
     "too short to be safe: 23 bytes, at least 24"},
    {"{type: gitlab, secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}", "too short to be safe: 23 bytes, at least 24"},
    {"{type: standard-webhooks, secret: whsec_}", "too short to be safe: 0 bytes, at least 24"},
    {"{type: github, secret: ''}", "the secret is empty"},
    // malformed
    {"{type: standard-webhooks, secret: "
     "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=}",
     "the key has 65 bytes, at most 64 are allowed"},
    {"{type: standard-webhooks, secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}", "the key is not in base64"},
    {"{type: standard-webhooks, secret: \"whsec_AAAAAAAAAAAAAAAA\\nAAAAAAAAAAAAAAAA\"}", "the key is not in base64"},
    {"{type: standard-webhooks, secret: whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}", "asymmetric"},
    {"{type: standard-webhooks, secret: whsk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}", "asymmetric"},
    {"{type: hmac, header: X, secret_encoding: hex, secret: " KEY "}", "the key is not in hex"},
    {"{type: hmac, header: X, secret_encoding: base64, secret: " KEY "}", "the key is not in base64"},
    {"{type: token, secret: abcdefghijklmnopqrstu/}", "letters, digits and"},
    {"{type: token, secret: abcdefghijklmnopqrst%41}", "letters, digits and"},
    {"{type: token, secret: abcdefghijklmnopqrst\xc3\xa9}", "letters, digits and"},
    {"{type: bearer, secret: two words are here}", "RFC 6750"},
    {"{type: bearer, secret: ================}", "RFC 6750"},
    {"{type: bearer, secret: abcdefgh=01234567}", "RFC 6750"},
    {"{type: bearer, header: X, secret: \"abcdefgh\\t\\x01\\r\\n01234567\"}", "no header can carry this token"},
    {"{type: gitlab, secret: \"abcdefgh01234567\\x7f\"}", "no header can carry this token"},
    {"{type: basic, user: 'a:l', secret: abcdefgh01234567}", "no user and password that can be sent"},
    {"{type: basic, user: '', secret: abcdefgh01234567}", "no user and password that can be sent"},
    {"{type: basic, user: al, secret: \"abcdefgh01234567\\x01\"}", "no user and password that can be sent"},
    {"{type: token, sha256: abc}", "a SHA-256 has 64 hex digits"},
    {"{type: token, sha256: " HASH "00, secret: " TOKEN "}", "a SHA-256 has 64 hex digits"},
    {"{type: hmac, header: 'X Sum', secret: " KEY "}", "no name of a header"},
    {"{type: hmac, header: '', secret: " KEY "}", "no name of a header"},
    {"{type: grafana, timestamp: 'X:', secret: " KEY "}", "no name of a header"},
    {"{type: github, secret: " KEY ", tolerance: 0s}", "tolerance"},
    {"{type: stripe, secret: " KEY ", tolerance: 25h}", "tolerance"},
    // content
    {"{type: hmac, header: X, secret: " KEY ", content: '{time}'}", "'{time}' is not {body}, {timestamp} or"},
    {"{type: hmac, header: X, secret: " KEY ", content: '{body'}", "'{body' is not"},
    {"{type: hmac, header: X, secret: " KEY ", content: '}{'}", "'{' is not"},
    {"{type: hmac, header: X, secret: " KEY ", content: '{header:}{body}'}", "'{header:}' is not"},
    {"{type: hmac, header: X, secret: " KEY ", content: '{header:a b}{body}'}", "'{header:a b}' is not"},
    {"{type: hmac, header: X, secret: " KEY ", content: ''}", "without {body} in it"},
    {"{type: hmac, header: X, secret: " KEY ", content: 'body'}", "without {body} in it"},
    {"{type: hmac, header: X, secret: " KEY ", timestamp: X-T}", "without {timestamp} in `content`"},
    {"{type: hmac, header: X, secret: " KEY ", timestamp: X-T, content: '{body}'}", "without {timestamp}"},
    {"{type: hmac, header: X, secret: " KEY ", content: '{timestamp}{body}'}", "{timestamp} needs `timestamp`"},
    {"{type: hmac, header: X, secret: " KEY ", content: 'a{body}a{body}a{body}a{body}a{body}a{body}a{body}a{body}a'}",
     "more than 16 parts"},
};

static void test_refused(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        rig_read(r, arena_printf(&r->arena, "# hook\nauth:\n  - {type: none}\n  - %s\n", refused[i].entry));
        struct str text = rig_text(r);
        if (r->auth)
            fail_msg("accepted: %s", refused[i].entry);
        if (str_find_str(text, str_c(refused[i].text)) < 0)
            fail_msg("%s: " STR_FMT, refused[i].entry, STR_ARG(text));
        assert_contains(text, "hook.yaml:4:");
        assert_int_equal(conf_errors(r->report), 1);
        // No secret, whatever is wrong with it.
        assert_true(str_find_str(text, STR("abcdefgh")) < 0 && str_find_str(text, STR(TOKEN)) < 0 &&
                    str_find_str(text, STR("AAAAAAAA")) < 0 && str_find_str(text, STR(KEY)) < 0);
    }
}

static void test_no_auth(void **state)
{
    static const char *const rows[] = {"{}", "auth: []", "auth:\n"};
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_read(r, str_c(rows[i]));
        assert_null(r->auth);
        assert_contains(rig_text(r), "'auth' does not say who may post");
        assert_contains(rig_text(r), "auth: [{type: token, secret: ");
        assert_contains(rig_text(r), "auth: [{type: none}]");
    }
}

static void test_too_many(void **state)
{
    struct rig *r = *state;
    struct strbuf yaml;
    strbuf_init(&yaml, 4096);
    strbuf_c(&yaml, "auth:\n");
    for (int i = 0; i <= WEBHOOK_AUTH_ENTRIES_MAX; i++)
        strbuf_c(&yaml, "  - {type: token, secret: " TOKEN "}\n");
    rig_read(r, strbuf_view(&yaml));
    assert_null(r->auth);
    assert_contains(rig_text(r), "more than 16 entries");
    strbuf_finish(&yaml);
}

// All errors of an entry are told, those of the next one after it was mended.
static void test_several(void **state)
{
    struct rig *r = *state;
    rig_read(r, STR("auth: [{type: hmac, user: al, encoding: hex}]"));
    assert_int_equal(conf_errors(r->report), 3);
}

// What a message advises is taken by all types: 64 hex digits.
static void test_advice(void **state)
{
    static const char advised[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    static const char *const types[] = {"token",
                                        "bearer",
                                        "standard-webhooks",
                                        "github",
                                        "gitlab",
                                        "gitea",
                                        "grafana",
                                        "stripe",
                                        "basic, user: al",
                                        "hmac, header: X",
                                        "hmac, header: X, secret_encoding: hex"};
    struct rig *r = *state;
    rig_read(r, STR("auth: [{type: github, secret: short}]"));
    assert_contains(rig_text(r), "(openssl rand -hex 32)");
    for (size_t i = 0; i < COUNT(types); i++)
        rig_auth(r, arena_printf(&r->arena, "auth: [{type: %s, secret: %s}]", types[i], advised).p);
}

// The examples of docs/webhooks.md, each file of theirs with a secret that any type takes.
static void test_examples(void **state)
{
    static const char begin[] = "```yaml\nauth:", file[] = "file:/etc/spandrel/";
    struct rig *r = *state;
    char *text = test_calloc(1, 1 << 16);
    FILE *f = fopen(TESTS_DIR "/../docs/webhooks.md", "r");
    assert_non_null(f);
    struct str rest = {text, fread(text, 1, 1 << 16, f)};
    assert_int_equal(fclose(f), 0);
    int examples = 0;
    for (ptrdiff_t at; (at = str_find_str(rest, STR(begin))) >= 0; examples++) {
        rest = str_sub(rest, (size_t)at + strlen("```yaml\n"), rest.n);
        struct str block = str_sub(rest, 0, (size_t)str_find_str(rest, STR("```")));
        struct strbuf yaml;
        strbuf_init(&yaml, 4096);
        for (struct str line; block.n > 0;) {
            str_cut(block, '\n', &line, &block);
            at = str_find_str(line, STR(file));
            strbuf_str(&yaml, str_sub(line, 0, at < 0 ? line.n : (size_t)at));
            strbuf_c(&yaml, at < 0 ? "\n" : "abcdefghijklmnopqrstuvwxyz0123456789\n");
        }
        rig_read(r, strbuf_view(&yaml));
        if (!r->auth)
            fail_msg(STR_FMT, STR_ARG(rig_text(r)));
        strbuf_finish(&yaml);
    }
    assert_int_equal(examples, 2);
    test_free(text);
}

static void test_documented(void **state)
{
    (void)state;
    for (const struct conf_item *item = webhook_auth_schema; item->name; item++) {
        assert_non_null(item->doc);
        assert_true(item->example || item->dflt || item->values);
    }
    struct strbuf example;
    strbuf_init(&example, 1 << 16);
    conf_write_example(rig_schema, &example);
    assert_contains(strbuf_view(&example), "type: token");
    strbuf_finish(&example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accepted, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_refused, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_auth, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_too_many, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_several, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_advice, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_examples, rig_setup, rig_teardown),
        cmocka_unit_test(test_documented),
    };
    return cmocka_run_group_tests_name("webhook_auth_conf", tests, NULL, NULL);
}
