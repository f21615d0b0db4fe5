/* Signed requests: each service's shape against each way in which it can be wrong, and the examples that are published.
 */
#include "auth_rig.h"

struct signed_row {
    const char *name, *type, *secret, *options, *headers, *signature, *body;
    bool timed;
};

#include "signed.h"

static const char other_secret[] = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

// Another secret of a form that all types take; hex where the row's is.
static const char *other(const struct signed_row *row)
{
    if (strstr(row->options, "secret_encoding: hex"))
        return "00000000000000000000000000000000000000000000000000000000";
    return strstr(row->options, "secret_encoding") ? other_secret + strlen("whsec_") : other_secret;
}

static void read_row(struct rig *r, const struct signed_row *row, const char *secret, const char *old)
{
    const char *name = old ? ", secret_old: " : "";
    rig_auth(r, arena_printf(&r->arena, "auth: [{type: %s, secret: \"%s\"%s%s%s}]\n", row->type, secret, name,
                             old ? old : "", row->options)
                    .p);
    rig_headers(r, str_c(row->headers));
}

static void each(void **state, void (*test)(struct rig *r, const struct signed_row *row))
{
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(signed_rows); i++) {
        const struct signed_row *row = &signed_rows[i];
        r->request.wall = (int64_t)RIG_AT * 1000;
        read_row(r, row, row->secret, NULL);
        test(r, row);
        arena_reset(&r->arena);
    }
}

#define assert_verdict(r, row, body, want)                                                                             \
    do {                                                                                                               \
        if (rig_check((r), (body)) != (want))                                                                          \
            fail_msg("%s: %s", (row)->name, (r)->result.reason.text);                                                  \
    } while (0)

static void admit(struct rig *r, const struct signed_row *row)
{
    r->request.complete = false;
    webhook_auth_check(r->auth, &r->request, &r->result);
    assert_int_equal(r->result.verdict, WEBHOOK_AUTH_NEEDS_BODY);
    assert_verdict(r, row, str_c(row->body), WEBHOOK_AUTH_ADMITTED);
    assert_string_equal(r->result.type, row->type);
    assert_int_equal(r->result.entry, 0);
}

static void test_admitted(void **state)
{
    each(state, admit);
}

static void change_body(struct rig *r, const struct signed_row *row)
{
    struct str body = arena_dup(&r->arena, str_c(row->body));
    char *bytes = (char *)(uintptr_t)body.p;
    for (size_t i = 0; i < body.n; i++) {
        bytes[i] ^= 1;
        assert_verdict(r, row, body, WEBHOOK_AUTH_REFUSED);
        assert_reason(r, "wrong signature");
        bytes[i] ^= 1;
        assert_verdict(r, row, str_sub(body, 0, i), WEBHOOK_AUTH_REFUSED);
        assert_verdict(r, row, str_sub(body, i + 1, body.n), WEBHOOK_AUTH_REFUSED);
    }
    assert_verdict(r, row, arena_printf(&r->arena, "%s\n", row->body), WEBHOOK_AUTH_REFUSED);
    assert_int_equal(r->result.status, 403);
    assert_verdict(r, row, body, WEBHOOK_AUTH_ADMITTED);
}

static void test_changed_body(void **state)
{
    each(state, change_body);
}

// While a secret is replaced, what is signed with either is let in; then what is signed with the old one is not.
static void rotate(struct rig *r, const struct signed_row *row)
{
    struct str body = str_c(row->body);
    read_row(r, row, other(row), row->secret);
    assert_verdict(r, row, body, WEBHOOK_AUTH_ADMITTED);
    read_row(r, row, row->secret, other(row));
    assert_verdict(r, row, body, WEBHOOK_AUTH_ADMITTED);
    read_row(r, row, other(row), NULL);
    assert_verdict(r, row, body, WEBHOOK_AUTH_REFUSED);
    assert_null(strstr(r->result.reason.text, row->signature));
}

static void test_rotation(void **state)
{
    each(state, rotate);
}

static void shift_time(struct rig *r, const struct signed_row *row)
{
    static const int64_t shifts[] = {-300, -299, 300, 301, -301, 86400, -86400};
    for (size_t i = 0; i < COUNT(shifts); i++) {
        bool far = row->timed && (shifts[i] > 300 || shifts[i] < -300);
        r->request.wall = (RIG_AT + shifts[i]) * 1000 + (shifts[i] > 0 ? 999 : 0);
        assert_verdict(r, row, str_c(row->body), far ? WEBHOOK_AUTH_REFUSED : WEBHOOK_AUTH_ADMITTED);
        if (far)
            assert_reason(r, shifts[i] > 0 ? " s ago, at most 300 are" : " s in the future, at most 300 are");
    }
}

static void test_time(void **state)
{
    each(state, shift_time);
}

static struct str value_of(const struct rig *r, size_t i)
{
    return r->request.headers[i].value;
}

// Those that the check looks at: without them the request is refused before its body is read, and twice they are
// refused too, even with the same value.
static void repeat_headers(struct rig *r, const struct signed_row *row)
{
    size_t count = r->request.header_count, needed = 0;
    for (size_t i = 0; i < count; i++) {
        struct http_header *h = r->headers, kept = h[i];
        h[i].name = STR("X-Unknown");
        bool missing = rig_check(r, str_c(row->body)) == WEBHOOK_AUTH_REFUSED;
        if (missing) {
            assert_reason(r, " is missing");
            assert_false(r->request.complete);
        }
        h[i] = kept;
        h[count] = kept;
        r->request.header_count++;
        bool twice = rig_check(r, str_c(row->body)) == WEBHOOK_AUTH_REFUSED;
        if (twice)
            assert_reason(r, " comes twice");
        r->request.header_count--;
        assert_int_equal(missing, twice);
        h[i].value = STR("");
        assert_int_equal(rig_check(r, str_c(row->body)) == WEBHOOK_AUTH_REFUSED, missing);
        h[i] = kept;
        needed += missing;
    }
    assert_true(needed >= 1);
    assert_verdict(r, row, str_c(row->body), WEBHOOK_AUTH_ADMITTED);
}

static void test_headers_missing_or_twice(void **state)
{
    each(state, repeat_headers);
}

// Puts another signature into the header that has the row's.
static void put_signature(struct rig *r, const struct signed_row *row, struct str with)
{
    rig_headers(r, str_c(row->headers));
    for (size_t i = 0; i < r->request.header_count; i++) {
        struct str value = value_of(r, i);
        ptrdiff_t at = str_find_str(value, str_c(row->signature));
        if (at < 0)
            continue;
        size_t end = (size_t)at + strlen(row->signature);
        const struct str parts[] = {str_sub(value, 0, (size_t)at), with, str_sub(value, end, value.n)};
        r->headers[i].value = arena_concat(&r->arena, parts, COUNT(parts));
    }
}

static void spoil(struct rig *r, const struct signed_row *row)
{
    struct str s = str_c(row->signature), body = str_c(row->body);
    const struct str bad[] = {STR_NONE,
                              str_sub(s, 0, s.n - 1),
                              str_sub(s, 0, s.n - 4),
                              str_sub(s, 1, s.n),
                              arena_printf(&r->arena, "%sa", s.p),
                              arena_printf(&r->arena, "%saa", s.p),
                              arena_printf(&r->arena, "%s%s", s.p, s.p),
                              arena_printf(&r->arena, "\"%s\"", s.p),
                              arena_printf(&r->arena, "0x%s", s.p),
                              arena_printf(&r->arena, "%s\n", s.p),
                              arena_printf(&r->arena, "%.20s\n%s", s.p, s.p + 20),
                              arena_printf(&r->arena, "%.20s %s", s.p, s.p + 20),
                              arena_printf(&r->arena, "%.*s\xff", (int)s.n - 1, s.p)};
    for (size_t i = 0; i < COUNT(bad); i++) {
        put_signature(r, row, bad[i]);
        // Lists are split at blanks, and a comma of Stripe's may have some around it.
        if (i == 9 && (strstr(row->name, "stripe") || strstr(row->headers, "-id: ")))
            continue;
        assert_verdict(r, row, body, WEBHOOK_AUTH_REFUSED);
        assert_false(r->request.complete);
        assert_null(strstr(r->result.reason.text, row->secret));
    }
    // Well-formed, and wrong in its last bit that counts.
    put_signature(r, row, arena_printf(&r->arena, "%c%s", s.p[0] == '0' ? '1' : '0', s.p + 1));
    assert_verdict(r, row, body, WEBHOOK_AUTH_REFUSED);
    assert_true(r->request.complete);
}

static void test_spoiled_signatures(void **state)
{
    each(state, spoil);
}

static void raise_case(struct rig *r, const struct signed_row *row)
{
    struct str s = arena_dup(&r->arena, str_c(row->signature));
    for (char *p = (char *)(uintptr_t)s.p; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    put_signature(r, row, s);
    bool hex = s.n == 64;
    assert_verdict(r, row, str_c(row->body), hex ? WEBHOOK_AUTH_ADMITTED : WEBHOOK_AUTH_REFUSED);
}

static void test_upper_case(void **state)
{
    each(state, raise_case);
}

// --- published examples ---

#define STANDARD_AUTH "auth: [{type: standard-webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}]"
#define STANDARD_HEAD "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\nwebhook-signature: "
#define STANDARD_SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STANDARD_BODY "{\"test\": 2432232314}"

// The example in the tests of the reference libraries of Standard Webhooks.
static void test_standard_example(void **state)
{
    struct rig *r = *state;
    rig_auth(r, STANDARD_AUTH);
    r->request.wall = 1614265330000;
    assert_int_equal(rig_ask(r, STANDARD_HEAD STANDARD_SIGNATURE, STANDARD_BODY), WEBHOOK_AUTH_ADMITTED);
    rig_auth(r, "auth: [{type: standard-webhooks, secret: MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}]");
    assert_int_equal(rig_ask(r, STANDARD_HEAD STANDARD_SIGNATURE, STANDARD_BODY), WEBHOOK_AUTH_ADMITTED);
}

// docs.github.com, "Validating webhook deliveries", "Testing the webhook payload validation".
static void test_github_example(void **state)
{
    struct rig *r = *state;
    rig_auth(r, "auth: [{type: github, secret: \"It's a Secret to Everybody\"}]");
    assert_int_equal(
        rig_ask(r, "x-hub-signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                "Hello, World!"),
        WEBHOOK_AUTH_ADMITTED);
}

static void test_sha1_refused(void **state)
{
    struct rig *r = *state;
    static const char *const types[] = {"github", "gitea"};
    for (size_t i = 0; i < COUNT(types); i++) {
        rig_auth(r, arena_printf(&r->arena, "auth: [{type: %s, secret: \"It's a Secret to Everybody\"}]", types[i]).p);
        // Rightly so signed.
        assert_int_equal(rig_ask(r, "X-Hub-Signature: sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", "Hello, World!"),
                         WEBHOOK_AUTH_REFUSED);
        assert_reason(r, "SHA-1");
        assert_reason(r, "(X-Hub-Signature)");
    }
    assert_int_equal(rig_ask(r, "", "Hello, World!"), WEBHOOK_AUTH_REFUSED);
    assert_null(strstr(r->result.reason.text, "SHA-1"));
}

// --- lists ---

#define WRONG "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void test_standard_lists(void **state)
{
    static const struct {
        const char *list;
        bool admitted;
        const char *reason;
    } rows[] = {
        {STANDARD_SIGNATURE " " WRONG, true, ""},
        {WRONG " " STANDARD_SIGNATURE, true, ""},
        {"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5B " STANDARD_SIGNATURE, true, ""},
        {"v2 v3,??? ,x " STANDARD_SIGNATURE, true, ""},
        {STANDARD_SIGNATURE "  v9,", true, ""},
        {WRONG " " WRONG, false, "wrong signature"},
        {"v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5B", false, "no signature of version v1"},
        {"V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", false, "no signature of version v1"},
        {"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", false, "no signature of version v1"},
        {"v1,", false, "not 32 bytes in base64"},
        {"v1", false, "not 32 bytes in base64"},
        {"v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=", false, "not 32 bytes in base64"},
        {"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE", false, "not 32 bytes in base64"},
        {WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG
               " " WRONG " " WRONG " " WRONG " " WRONG " " STANDARD_SIGNATURE,
         true, ""},
        {WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG
               " " WRONG " " WRONG " " WRONG " " WRONG " " WRONG " " STANDARD_SIGNATURE,
         false, "more than 16 signatures"},
    };
    struct rig *r = *state;
    rig_auth(r, STANDARD_AUTH);
    r->request.wall = 1614265330000;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str headers = arena_printf(&r->arena, "%s%s", STANDARD_HEAD, rows[i].list);
        assert_int_equal(rig_ask(r, headers.p, STANDARD_BODY),
                         rows[i].admitted ? WEBHOOK_AUTH_ADMITTED : WEBHOOK_AUTH_REFUSED);
        assert_reason(r, rows[i].reason);
    }
}

// The names of one family alone, an id that moves nothing, and a time that is one.
static void test_standard_head(void **state)
{
    static const struct {
        const char *headers, *reason;
    } rows[] = {
        {"svix-id: a\nsvix-timestamp: 1614265330\nwebhook-signature: " STANDARD_SIGNATURE, "webhook-id is missing"},
        {"webhook-id: a\nwebhook-timestamp: 1614265330\nsvix-signature: " STANDARD_SIGNATURE, "svix-id is missing"},
        {"webhook-signature: \nsvix-id: a\nsvix-timestamp: 1614265330\nsvix-signature: " STANDARD_SIGNATURE,
         "webhook-signature is empty"},
        {"webhook-id: a.b\nwebhook-timestamp: 1614265330\nwebhook-signature: " STANDARD_SIGNATURE, "has a '.'"},
        {"webhook-id: a\nwebhook-timestamp: +1614265330\nwebhook-signature: " STANDARD_SIGNATURE, "no number"},
        {"webhook-id: a\nwebhook-timestamp: -1614265330\nwebhook-signature: " STANDARD_SIGNATURE, "no number"},
        {"webhook-id: a\nwebhook-timestamp: 1614265330.0\nwebhook-signature: " STANDARD_SIGNATURE, "no number"},
        {"webhook-id: a\nwebhook-timestamp: 2021-02-25\nwebhook-signature: " STANDARD_SIGNATURE, "no number"},
        {"webhook-id: a\nwebhook-timestamp: 9223372036854775807\nwebhook-signature: " STANDARD_SIGNATURE, "no number"},
        {"webhook-id: a\nwebhook-timestamp: 1614265330000\nwebhook-signature: " STANDARD_SIGNATURE, "no number"},
        {"webhook-id: a\nwebhook-timestamp: 0\nwebhook-signature: " STANDARD_SIGNATURE, "1614265330 s ago"},
        {"", "webhook-signature is missing"},
    };
    struct rig *r = *state;
    rig_auth(r, STANDARD_AUTH);
    r->request.wall = 1614265330000;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(rig_ask(r, rows[i].headers, STANDARD_BODY), WEBHOOK_AUTH_REFUSED);
        assert_reason(r, rows[i].reason);
    }
}

static void test_stripe_lists(void **state)
{
    static const struct {
        const char *value, *reason; // NULL: admitted
    } rows[] = {
        {"t=1700000000,v1=%s", NULL},
        {"v1=%s,t=1700000000", NULL},
        {"t=1700000000, v1=%s, v0=zz", NULL},
        {"t=1700000000,v1=0000000000000000000000000000000000000000000000000000000000000000,v1=%s", NULL},
        {"t=1700000000,,v1=%s,", NULL},
        {"t=1700000000,t=1700000000,v1=%s", "two times"},
        {"v1=%s", "no time"},
        {"t=,v1=%s", "no time"},
        {"t=1700000001,v1=%s", "wrong signature"},
        {"t=1700000000,v0=%s", "no signature of version v1"},
        {"t=1700000000,v1%s", "no signature of version v1"},
        {"t=1700000000,v1=%s0", "not 32 bytes in hex"},
        {"t=1700000000;v1=%s", "no number"},
    };
    struct rig *r = *state;
    const struct signed_row *row = signed_rows;
    while (strcmp(row->name, "stripe") != 0)
        row++;
    read_row(r, row, row->secret, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str template = str_c(rows[i].value);
        ptrdiff_t at = str_find_str(template, STR("%s"));
        const struct str parts[] = {STR("Stripe-Signature: "), str_sub(template, 0, (size_t)at), str_c(row->signature),
                                    str_sub(template, (size_t)at + 2, template.n)};
        assert_int_equal(rig_ask(r, arena_concat(&r->arena, parts, COUNT(parts)).p, row->body),
                         rows[i].reason ? WEBHOOK_AUTH_REFUSED : WEBHOOK_AUTH_ADMITTED);
        assert_reason(r, rows[i].reason ? rows[i].reason : "");
    }
}

static void test_prefix(void **state)
{
    static const char *const prefixes[] = {
        "", "sha512=", "SHA256=", "sha256:", "sha256= ", " sha256", "sha256=sha256="};
    struct rig *r = *state;
    const struct signed_row *row = signed_rows;
    while (strcmp(row->name, "github") != 0)
        row++;
    read_row(r, row, row->secret, NULL);
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        struct str header = arena_printf(&r->arena, "X-Hub-Signature-256: %s%s", prefixes[i], row->signature);
        assert_int_equal(rig_ask(r, header.p, row->body), WEBHOOK_AUTH_REFUSED);
        assert_false(r->request.complete);
        assert_reason(r, "X-Hub-Signature-256 is not \"sha256=\" and 32 bytes in hex");
    }
}

// As `tolerance` says, in every type that has one.
static void test_tolerance(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < COUNT(signed_rows); i++) {
        struct signed_row row = signed_rows[i];
        if (!row.timed)
            continue;
        row.options = arena_printf(&r->arena, "%s, tolerance: 20m", row.options).p;
        read_row(r, &row, row.secret, NULL);
        r->request.wall = (RIG_AT + 1200) * INT64_C(1000);
        assert_verdict(r, &row, str_c(row.body), WEBHOOK_AUTH_ADMITTED);
        r->request.wall = (RIG_AT - 1201) * INT64_C(1000);
        assert_verdict(r, &row, str_c(row.body), WEBHOOK_AUTH_REFUSED);
        assert_reason(r, "signed 1201 s in the future, at most 1200 are allowed");
    }
}

// The first of its headers that is there counts, also when a later one is right.
static void test_gitea_first_header(void **state)
{
    struct rig *r = *state;
    const struct signed_row *row = signed_rows;
    while (strcmp(row->name, "gitea") != 0)
        row++;
    read_row(r, row, row->secret, NULL);
    struct str both =
        arena_printf(&r->arena, "X-Gitea-Signature: %s\nX-Hub-Signature-256: sha256=%064d", row->signature, 0);
    assert_int_equal(rig_ask(r, both.p, row->body), WEBHOOK_AUTH_ADMITTED);
    both = arena_printf(&r->arena, "X-Forgejo-Signature: %064d\nX-Gitea-Signature: %s", 0, row->signature);
    assert_int_equal(rig_ask(r, both.p, row->body), WEBHOOK_AUTH_REFUSED);
    both = arena_printf(&r->arena, "X-Hub-Signature-256: %s", row->signature);
    assert_int_equal(rig_ask(r, both.p, row->body), WEBHOOK_AUTH_REFUSED);
    assert_reason(r, "sha256=");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_admitted, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_changed_body, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_rotation, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_time, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_headers_missing_or_twice, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_spoiled_signatures, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_upper_case, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_standard_example, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_github_example, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_sha1_refused, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_standard_lists, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_standard_head, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_stripe_lists, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_prefix, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_tolerance, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_gitea_first_header, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests_name("webhook_signature", tests, NULL, NULL);
}
