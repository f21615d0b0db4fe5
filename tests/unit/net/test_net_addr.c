#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "net/net_addr.h"

#include <string.h>

static void literals_are_told_from_names(void **state)
{
    (void)state;
    static const struct {
        const char *host, *text; // NULL: no literal
    } cases[] = {
        {"127.0.0.1", "127.0.0.1:5347"},
        {"::1", "[::1]:5347"},
        {"::", "[::]:5347"},
        {"2001:db8::00ff", "[2001:db8::ff]:5347"},
        {"::ffff:10.0.0.1", "[::ffff:10.0.0.1]:5347"},
        {"localhost", NULL},
        {"example.org", NULL},
        {"127.0.0.1.", NULL},
        {"127.0.0.256", NULL},
        {"[::1]", NULL},
        {"1.2.3", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sockaddr_storage a;
        char text[NET_ADDR_TEXT];
        assert_int_equal(net_addr_literal(cases[i].host, 5347, &a), cases[i].text != NULL);
        if (!cases[i].text)
            continue;
        net_addr_format(&a, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void what_has_no_address_has_a_name(void **state)
{
    (void)state;
    struct sockaddr_storage a = {.ss_family = AF_UNIX};
    char text[NET_ADDR_TEXT];
    net_addr_format(&a, text);
    assert_string_equal(text, "unix");
    a.ss_family = AF_UNSPEC;
    net_addr_format(&a, text);
    assert_string_equal(text, "");
}

// Addresses are spelled by their family and a number: "6a" is the first of IPv6.
static void parse(const char *spec, struct net_addrs *out)
{
    out->n = 0;
    for (; *spec; spec += 2) {
        out->at[out->n].ss_family = spec[0] == '6' ? AF_INET6 : AF_INET;
        ((struct sockaddr_in *)(void *)&out->at[out->n++])->sin_port = (in_port_t)spec[1];
    }
}

static void spell(const struct net_addrs *as, char *out)
{
    for (size_t i = 0; i < as->n; i++) {
        *out++ = as->at[i].ss_family == AF_INET6 ? '6' : '4';
        *out++ = (char)((const struct sockaddr_in *)(const void *)&as->at[i])->sin_port;
    }
    *out = '\0';
}

static void families_take_turns(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"4a", "4a"},
        {"6a6b", "6a6b"},
        {"6a6b4a4b", "6a4a6b4b"},
        {"4a6a6b6c", "4a6a6b6c"},
        {"4a4b4c6a", "4a6a4b4c"},
        {"6a4a6b4b", "6a4a6b4b"},
        {"6a6b6c6d6e6f6g6h4a4b4c4d4e4f4g4h", "6a4a6b4b6c4c6d4d6e4e6f4f6g4g6h4h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_addrs as;
        char text[2 * NET_ADDRS_MAX + 1];
        memset(&as, 0, sizeof as);
        parse(cases[i].in, &as);
        net_addrs_interleave(&as);
        spell(&as, text);
        assert_string_equal(text, cases[i].out);
    }
}

static void errors_have_their_kind(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum err err;
    } cases[] = {
        {UV_ECONNREFUSED, ERR_REFUSED}, {UV_ENETUNREACH, ERR_REFUSED}, {UV_EHOSTUNREACH, ERR_REFUSED},
        {UV_ETIMEDOUT, ERR_TIMEOUT},    {UV_ECONNRESET, ERR_CLOSED},   {UV_EPIPE, ERR_CLOSED},
        {UV_EADDRINUSE, ERR_EXISTS},    {UV_EACCES, ERR_FORBIDDEN},    {UV_EMFILE, ERR_IO},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(net_err(cases[i].status), cases[i].err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_told_from_names),
        cmocka_unit_test(what_has_no_address_has_a_name),
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(errors_have_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
