#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net_cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static void addresses(void **state)
{
    static const struct {
        const char *in, *out; // NULL: refused
    } cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:201", "192.0.2.1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"::1", "::1"},
        {"::", "::"},
        {"", NULL},
        {"192.0.2", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2.01", NULL},
        {"0300.0.2.1", NULL},
        {"3221225985", NULL},
        {"0x7f.1", NULL},
        {"[::1]", NULL},
        {"fe80::1%eth0", NULL},
        {"192.0.2.1:80", NULL},
        {" 192.0.2.1", NULL},
        {"::ffff:192.0.2.1:0000:0000:0000:0000:0000:0000:0000", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_ip ip;
        char text[NET_IP_TEXT];
        if (net_ip_parse(str_c(cases[i].in), &ip) != (cases[i].out != NULL) || ip.known != (cases[i].out != NULL))
            fail_msg("%s", cases[i].in);
        if (cases[i].out)
            assert_string_equal(net_ip_format(&ip, text), cases[i].out);
    }
    struct net_ip ip;
    assert_false(net_ip_parse((struct str){"::1\0", 4}, &ip));
}

static void of_sockets(void **state)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr none = {.sa_family = AF_UNIX};
    char text[NET_IP_TEXT];
    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &four.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &six.sin6_addr), 1);
    struct net_ip a = net_ip_of((const struct sockaddr *)&four), b = net_ip_of((const struct sockaddr *)&six);
    struct net_ip c = net_ip_of(&none);
    assert_true(net_ip_equal(&a, &b));
    assert_true(net_ip_is4(&b));
    assert_false(net_ip_equal(&c, &c));
    assert_false(net_ip_is4(&c));
    assert_string_equal(net_ip_format(&c, text), "unix");
}

static void blocks(void **state)
{
    static const struct {
        const char *block, *ip;
        bool has;
    } cases[] = {
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
        {"10.0.0.0/8", "::10.1.2.3", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.6", false},
        {"192.0.2.6/31", "192.0.2.7", true},
        {"192.0.2.6/31", "192.0.2.8", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "192.0.2.1", true},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8:0:8000::/49", "2001:db8:0:ffff::", true},
        {"2001:db8:0:8000::/49", "2001:db8:0:7fff::", false},
        {"::1", "::1", true},
        {"::1", "::", false},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_cidr c;
        struct net_ip ip;
        assert_int_equal(net_cidr_parse(str_c(cases[i].block), &c, NULL), ERR_OK);
        assert_true(net_ip_parse(str_c(cases[i].ip), &ip));
        if (net_cidr_has(&c, &ip) != cases[i].has)
            fail_msg("%s in %s", cases[i].ip, cases[i].block);
    }
    struct net_cidr all;
    assert_int_equal(net_cidr_parse(STR("::/0"), &all, NULL), ERR_OK);
    assert_false(net_cidr_has(&all, &(struct net_ip){.known = false}));
}

static void blocks_that_are_refused(void **state)
{
    static const struct {
        const char *in, *why;
    } cases[] = {
        {"", "is no IP address"},
        {"example.org", "is no IP address"},
        {"10.0.0.0/", "a number from 0 to 32"},
        {"10.0.0.0/33", "a number from 0 to 32"},
        {"10.0.0.0/-1", "a number from 0 to 32"},
        {"10.0.0.0/8/8", "a number from 0 to 32"},
        {"10.0.0.0/255.0.0.0", "a number from 0 to 32"},
        {"::/129", "a number from 0 to 128"},
        {"10.0.0.1/8", "10.0.0.0/8 or 10.0.0.1 is meant"},
        {"2001:db8::1/64", "2001:db8::/64 or 2001:db8::1 is meant"},
        {"10/8", "is no IP address"},
        {"*", "is no IP address"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net_cidr c;
        struct errmsg msg;
        assert_int_equal(net_cidr_parse(str_c(cases[i].in), &c, &msg), ERR_BADREQ);
        if (!strstr(msg.text, cases[i].why))
            fail_msg("%s: %s", cases[i].in, msg.text);
    }
}

static void lists(void **state)
{
    struct net_cidrs list = {0};
    struct net_ip ip;
    struct errmsg msg;
    char text[32];
    (void)state;
    assert_true(net_ip_parse(STR("10.0.1.9"), &ip));
    assert_false(net_cidrs_have(&list, &ip));
    for (int i = 0; i < NET_CIDRS_MAX; i++) {
        (void)snprintf(text, sizeof text, "10.0.%d.0/24", i);
        assert_int_equal(net_cidrs_have(&list, &ip), i > 1);
        assert_int_equal(net_cidrs_add(&list, str_c(text), &msg), ERR_OK);
    }
    assert_int_equal(net_cidrs_add(&list, STR("bad"), &msg), ERR_BADREQ);
    assert_int_equal(net_cidrs_add(&list, STR("11.0.0.0/8"), &msg), ERR_LIMIT);
    assert_int_equal(list.n, NET_CIDRS_MAX);
    net_cidrs_finish(&list);
    assert_false(net_cidrs_have(&list, &ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses), cmocka_unit_test(of_sockets),
        cmocka_unit_test(blocks),    cmocka_unit_test(blocks_that_are_refused),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
