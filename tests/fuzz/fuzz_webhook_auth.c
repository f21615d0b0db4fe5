/* A letter for the way to authenticate, the headers one a line, an empty line, the body: nobody is let in by a
 * signature of another body, and what is refused by its head stays so. */
// link: webhook
#include "adapters/webhook/webhook_auth.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "fuzz.h"

struct signed_row {
    const char *name, *type, *secret, *options, *headers, *signature, *body;
    bool timed;
};

#include "unit/webhook/signed.h"

enum { SIGNED = sizeof signed_rows / sizeof *signed_rows, HEADERS = 32 };

static const char *const others[] = {
    "{type: token, secret: mfrggzdfmztwq2lknnwg23tpob}",
    "{type: bearer, secret: abcdefgh01234567}",
    "{type: basic, user: al, secret: abcdefgh01234567}",
    "{type: gitlab, secret: abcdefgh01234567}",
};

enum { OTHERS = sizeof others / sizeof *others, HOOKS = SIGNED + OTHERS };

static const struct conf_item schema[] = {WEBHOOK_AUTH_ITEM, {.name = NULL}};

static struct webhook_auth *read_hook(size_t i)
{
    struct strbuf yaml;
    strbuf_init(&yaml, 4096);
    if (i < SIGNED)
        strbuf_printf(&yaml, "auth: [{type: %s, secret: \"%s\"%s}]", signed_rows[i].type, signed_rows[i].secret,
                      signed_rows[i].options);
    else
        strbuf_printf(&yaml, "auth: [%s]", others[i - SIGNED]);
    struct conf_report *report = conf_report_create();
    struct conf_value *hook = conf_parse(strbuf_view(&yaml), "hook", schema, report);
    struct webhook_auth *auth = hook ? webhook_auth_read(hook, report) : NULL;
    FUZZ_CHECK(auth);
    conf_destroy(hook);
    conf_report_destroy(report);
    strbuf_finish(&yaml);
    return auth;
}

static const struct webhook_auth *hook(size_t i)
{
    static struct webhook_auth *hooks[HOOKS];
    if (!hooks[i])
        hooks[i] = read_hook(i);
    return hooks[i];
}

static enum webhook_auth_verdict check(const struct webhook_auth *auth, struct webhook_auth_request *r, bool complete,
                                       struct str body)
{
    struct webhook_auth_result result;
    r->complete = complete;
    r->body = complete ? body : STR_NONE;
    webhook_auth_check(auth, r, &result);
    bool refused = result.verdict == WEBHOOK_AUTH_REFUSED;
    FUZZ_CHECK(refused == (result.status == 401 || result.status == 403 || result.status == 404));
    FUZZ_CHECK((result.status == 401) == (result.challenge != NULL));
    FUZZ_CHECK(!refused || result.reason.text[0]);
    FUZZ_CHECK(!complete || result.verdict != WEBHOOK_AUTH_NEEDS_BODY);
    return result.verdict;
}

// Another body than one that was let in.
static void check_other_bodies(const struct webhook_auth *auth, struct webhook_auth_request *r, struct str body)
{
    char *bytes = mem_dup(body.n ? body.p : "", body.n);
    FUZZ_CHECK(check(auth, r, true, (struct str){bytes, body.n + 1}) == WEBHOOK_AUTH_REFUSED);
    if (body.n > 0) {
        FUZZ_CHECK(check(auth, r, true, (struct str){bytes, body.n - 1}) == WEBHOOK_AUTH_REFUSED);
        bytes[body.n / 2] ^= 1;
        FUZZ_CHECK(check(auth, r, true, (struct str){bytes, body.n}) == WEBHOOK_AUTH_REFUSED);
    }
    mem_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = fuzz_str(data, size), line;
    struct http_header headers[HEADERS];
    struct webhook_auth_request r = {.headers = headers, .wall = 1700000000000};
    size_t which = size ? (size_t)(data[0] - 'a') % HOOKS : 0;

    str_cut(rest, '\n', &r.token, &rest);
    while (str_cut(rest, '\n', &line, &rest) && line.n > 0 && r.header_count < HEADERS) {
        struct http_header *h = &headers[r.header_count++];
        str_cut(line, ':', &h->name, &h->value);
        h->value = str_trim(h->value);
    }
    const struct webhook_auth *auth = hook(which);
    enum webhook_auth_verdict head = check(auth, &r, false, rest), whole = check(auth, &r, true, rest);
    FUZZ_CHECK(head == WEBHOOK_AUTH_NEEDS_BODY || head == whole);
    FUZZ_CHECK(check(NULL, &r, true, rest) == WEBHOOK_AUTH_REFUSED);
    if (which < SIGNED) {
        FUZZ_CHECK(head != WEBHOOK_AUTH_ADMITTED);
        if (whole == WEBHOOK_AUTH_ADMITTED)
            check_other_bodies(auth, &r, rest);
    }
    return 0;
}
