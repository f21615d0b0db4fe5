/* Whom a proxy's word makes the source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http_source.h"

#define X HTTP_FORWARDED_X
#define RFC HTTP_FORWARDED_RFC

#define L(literal)                                                                                                     \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct {
    const char *name;
    enum http_forwarded kind;
    const char *peer; // NULL: a unix socket
    struct http_header headers[3];
    const char *source;
    bool tls;
} cases[] = {
#define XFF(v)                                                                                                         \
    {                                                                                                                  \
        L("X-Forwarded-For"), L(v)                                                                                     \
    }
#define XFP(v)                                                                                                         \
    {                                                                                                                  \
        L("X-Forwarded-Proto"), L(v)                                                                                   \
    }
#define FWD(v)                                                                                                         \
    {                                                                                                                  \
        L("Forwarded"), L(v)                                                                                           \
    }
    {"no header", X, "10.0.0.1", {{L("A"), L("b")}}, "10.0.0.1", false},
    {"a stranger's word", X, "192.0.2.9", {XFF("10.0.0.1"), XFP("https")}, "192.0.2.9", false},
    {"one hop", X, "10.0.0.1", {XFF("192.0.2.1")}, "192.0.2.1", false},
    {"its name in other case", X, "10.0.0.1", {{L("x-forwarded-FOR"), L("192.0.2.1")}}, "192.0.2.1", false},
    {"invented by the client", X, "10.0.0.1", {XFF("127.0.0.1, 192.0.2.1")}, "192.0.2.1", false},
    {"invented in a header of its own", X, "10.0.0.1", {XFF("127.0.0.1"), XFF("192.0.2.1")}, "192.0.2.1", false},
    {"two trusted hops", X, "10.0.0.1", {XFF("1.1.1.1, 192.0.2.1, 10.9.9.9")}, "192.0.2.1", false},
    {"over two headers", X, "10.0.0.1", {XFF("1.1.1.1, 192.0.2.1"), XFF("10.9.9.9")}, "192.0.2.1", false},
    {"all are trusted", X, "10.0.0.1", {XFF("10.0.0.3, 10.0.0.2")}, "10.0.0.3", false},
    {"with a port", X, "10.0.0.1", {XFF("192.0.2.1:4711")}, "192.0.2.1", false},
    {"IPv6", X, "10.0.0.1", {XFF("2001:db8::1")}, "2001:db8::1", false},
    {"IPv6 in brackets with a port", X, "10.0.0.1", {XFF("[2001:db8::1]:4711")}, "2001:db8::1", false},
    {"mapped", X, "10.0.0.1", {XFF("::ffff:192.0.2.1")}, "192.0.2.1", false},
    {"rubbish ends the walk", X, "10.0.0.1", {XFF("192.0.2.1, unknown, 10.0.0.2")}, "10.0.0.2", false},
    {"rubbish alone", X, "10.0.0.1", {XFF("<script>")}, "10.0.0.1", false},
    {"empty", X, "10.0.0.1", {XFF("")}, "10.0.0.1", false},
    {"an empty last", X, "10.0.0.1", {XFF("192.0.2.1,")}, "10.0.0.1", false},
    {"an IPv6 proxy", X, "fd00::1", {XFF("192.0.2.1")}, "192.0.2.1", false},
    {"a unix socket", X, NULL, {XFF("192.0.2.1"), XFP("https")}, "192.0.2.1", true},
    {"a unix socket, silent", X, NULL, {{L("A"), L("b")}}, "unix", false},
    {"https at the proxy", X, "10.0.0.1", {XFF("192.0.2.1"), XFP("HTTPS")}, "192.0.2.1", true},
    {"the other header is not read", X, "10.0.0.1", {FWD("for=192.0.2.7;proto=https")}, "10.0.0.1", false},
    {"nor the other way round", RFC, "10.0.0.1", {XFF("192.0.2.7"), XFP("https")}, "10.0.0.1", false},
    {"RFC 7239", RFC, "10.0.0.1", {FWD("for=192.0.2.1;proto=https;by=10.0.0.1")}, "192.0.2.1", true},
    {"RFC 7239 quoted", RFC, "10.0.0.1", {FWD("For=\"[2001:db8::1]:4711\"")}, "2001:db8::1", false},
    {"RFC 7239 quoted address", RFC, "10.0.0.1", {FWD("for=\"192.0.2.1:80\";proto=http")}, "192.0.2.1", false},
    {"RFC 7239 two hops",
     RFC,
     "10.0.0.1",
     {FWD("for=1.1.1.1, for=192.0.2.1;proto=https, for=10.0.0.2;proto=http")},
     "192.0.2.1",
     false},
    {"RFC 7239 hidden", RFC, "10.0.0.1", {FWD("for=192.0.2.1, for=_hidden")}, "10.0.0.1", false},
    {"RFC 7239 unknown", RFC, "10.0.0.1", {FWD("for=unknown")}, "10.0.0.1", false},
    {"RFC 7239 without for", RFC, "10.0.0.1", {FWD("by=192.0.2.1")}, "10.0.0.1", false},
    {"RFC 7239 a comma in quotes", RFC, "10.0.0.1", {FWD("for=\"192.0.2.1, for=192.0.2.2\"")}, "10.0.0.1", false},
#undef XFF
#undef XFP
#undef FWD
};

static void each_case(void **state)
{
    struct net_cidrs trusted = {0};
    (void)state;
    assert_int_equal(net_cidrs_add(&trusted, STR("10.0.0.0/8"), NULL), ERR_OK);
    assert_int_equal(net_cidrs_add(&trusted, STR("fd00::/8"), NULL), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct http_server_config config = {.trusted = &trusted, .forwarded = cases[i].kind, .trust_unix = true};
        struct http_head h = {.headers = cases[i].headers};
        struct net_ip peer = {.known = false};
        while (h.header_count < 3 && cases[i].headers[h.header_count].name.p)
            h.header_count++;
        assert_true(!cases[i].peer || net_ip_parse(str_c(cases[i].peer), &peer));
        http_source_find(&config, &peer, false, &h);
        if (strcmp(h.source_text, cases[i].source) != 0 || h.tls != cases[i].tls)
            fail_msg("%s: %s, %s", cases[i].name, h.source_text, h.tls ? "tls" : "plain");
    }
    net_cidrs_finish(&trusted);
}

static void nobody_is_trusted_by_default(void **state)
{
    const struct http_server_config config = {.trust_unix = false};
    const struct http_header header = {STR("X-Forwarded-For"), STR("192.0.2.1")};
    struct http_head h = {.headers = &header, .header_count = 1};
    struct net_ip peer;
    (void)state;
    assert_true(net_ip_parse(STR("127.0.0.1"), &peer));
    http_source_find(&config, &peer, true, &h);
    assert_string_equal(h.source_text, "127.0.0.1");
    assert_true(h.tls);
    http_source_find(&config, &(struct net_ip){.known = false}, false, &h);
    assert_string_equal(h.source_text, "unix");
    assert_false(h.tls);
}

static void a_long_list_costs_little(void **state)
{
    const struct http_server_config config = {.trust_unix = true};
    char value[16384];
    size_t n = 0;
    (void)state;
    struct net_cidrs trusted = {0};
    assert_int_equal(net_cidrs_add(&trusted, STR("0.0.0.0/0"), NULL), ERR_OK);
    struct http_server_config all = config;
    all.trusted = &trusted;
    while (n + 8 < sizeof value) {
        memcpy(value + n, "1.1.1.1,", 8);
        n += 8;
    }
    memcpy(value, "2.2.2.2,", 8);
    const struct http_header header = {STR("X-Forwarded-For"), {value, n - 1}};
    struct http_head h = {.headers = &header, .header_count = 1};
    http_source_find(&all, &(struct net_ip){.known = false}, false, &h);
    assert_string_equal(h.source_text, "1.1.1.1"); // 32 hops are walked, no more
    net_cidrs_finish(&trusted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case),
        cmocka_unit_test(nobody_is_trusted_by_default),
        cmocka_unit_test(a_long_list_costs_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
