/* A hook's list `auth` from YAML, and requests from text. */
#ifndef SPANDREL_TESTS_AUTH_RIG_H
#define SPANDREL_TESTS_AUTH_RIG_H

#include "adapters/webhook/webhook_auth.h"
#include "base/arena.h"
#include "lib/check.h"

enum { RIG_AT = 1700000000, RIG_HEADERS = 32 };

static const struct conf_item rig_schema[] = {WEBHOOK_AUTH_ITEM, {.name = NULL}};

struct rig {
    struct arena arena;
    struct webhook_auth *auth;
    struct conf_report *report;
    struct http_header headers[RIG_HEADERS];
    struct webhook_auth_request request;
    struct webhook_auth_result result;
};

// All that was reported.
static inline struct str rig_text(const struct rig *r)
{
    return conf_report_text(r->report);
}

// Reads the list; *auth is NULL when it has errors.
static inline void rig_read(struct rig *r, struct str yaml)
{
    webhook_auth_destroy(r->auth);
    conf_report_destroy(r->report);
    r->report = conf_report_create();
    r->auth = NULL;
    struct conf_value *hook = conf_parse(yaml, "hook.yaml", rig_schema, r->report);
    if (hook)
        r->auth = webhook_auth_read(hook, r->report);
    assert_int_equal(r->auth == NULL, conf_errors(r->report) > 0);
    conf_destroy(hook);
}

static inline void rig_auth(struct rig *r, const char *yaml)
{
    rig_read(r, str_c(yaml));
    if (!r->auth)
        fail_msg(STR_FMT, STR_ARG(rig_text(r)));
}

// "Name: value\n..."
static inline void rig_headers(struct rig *r, struct str text)
{
    struct str line;
    r->request.header_count = 0;
    for (struct str rest = text; rest.n > 0;) {
        str_cut(rest, '\n', &line, &rest);
        struct http_header *h = &r->headers[r->request.header_count++];
        assert_true(r->request.header_count <= RIG_HEADERS && str_cut(line, ':', &h->name, &h->value));
        h->value = str_trim(h->value);
    }
    r->request.headers = r->headers;
}

static inline struct net_ip rig_ip(const char *text)
{
    struct net_ip ip = {.known = false};
    if (*text)
        assert_true(net_ip_parse(str_c(text), &ip));
    return ip;
}

// As the server asks: with the head, then, when it is needed, with the body.
static inline enum webhook_auth_verdict rig_check(struct rig *r, struct str body)
{
    r->request.complete = false;
    r->request.body = STR_NONE;
    webhook_auth_check(r->auth, &r->request, &r->result);
    if (r->result.verdict == WEBHOOK_AUTH_NEEDS_BODY) {
        r->request.complete = true;
        r->request.body = body;
        webhook_auth_check(r->auth, &r->request, &r->result);
        assert_int_not_equal(r->result.verdict, WEBHOOK_AUTH_NEEDS_BODY);
    }
    if (r->result.verdict == WEBHOOK_AUTH_REFUSED) {
        assert_true(r->result.reason.text[0]);
        assert_int_equal(r->result.status == 401, r->result.challenge != NULL);
    } else {
        assert_non_null(r->result.type);
        assert_int_equal(r->result.status, 0);
    }
    return r->result.verdict;
}

static inline enum webhook_auth_verdict rig_ask(struct rig *r, const char *headers, const char *body)
{
    rig_headers(r, str_c(headers));
    return rig_check(r, str_c(body));
}

static inline void check_contains_at(struct str text, const char *part, const char *file, int line)
{
    if (str_find_str(text, str_c(part)) >= 0)
        return;
    print_error("\"" STR_FMT "\" has no \"%s\"\n", STR_ARG(text), part);
    _fail(file, line);
}

#define assert_contains(text, part) check_contains_at((text), (part), __FILE__, __LINE__)
#define assert_reason(r, part) assert_contains(str_c((r)->result.reason.text), (part))

static inline int rig_setup(void **state)
{
    struct rig *r = test_calloc(1, sizeof *r);
    arena_init(&r->arena, 0);
    r->request.wall = (int64_t)RIG_AT * 1000;
    r->request.source = rig_ip("192.0.2.1");
    *state = r;
    return 0;
}

static inline int rig_teardown(void **state)
{
    struct rig *r = *state;
    webhook_auth_destroy(r->auth);
    conf_report_destroy(r->report);
    arena_finish(&r->arena);
    test_free(r);
    return 0;
}

#endif
