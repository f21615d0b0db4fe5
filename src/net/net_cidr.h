/* IP addresses and blocks of them (RFC 4632, RFC 4291), for lists of who is trusted or let in. */
#ifndef SPANDREL_NET_NET_CIDR_H
#define SPANDREL_NET_NET_CIDR_H

#include "base/err.h"
#include "base/str.h"

struct sockaddr;

// An address of either family: IPv4 stands as ::ffff:a.b.c.d, so that one that came in mapped is the same address.
struct net_ip {
    uint8_t b[16];
    bool known; // false: none (a unix socket), equal to nothing and in no block
};

enum { NET_IP_TEXT = 46 };

// "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; no zone, no brackets, no port, and no other way to write IPv4 (octal,
// fewer than four parts). False leaves *out unknown.
bool net_ip_parse(struct str text, struct net_ip *out);
// AF_INET and AF_INET6; anything else is unknown.
struct net_ip net_ip_of(const struct sockaddr *a);
// IPv4 (mapped too) with dots, IPv6 as RFC 5952 has it, "unix" for one that is unknown.
const char *net_ip_format(const struct net_ip *ip, char out[NET_IP_TEXT]);
bool net_ip_equal(const struct net_ip *a, const struct net_ip *b);
bool net_ip_is4(const struct net_ip *ip);

struct net_cidr {
    uint8_t b[16]; // bits behind the prefix are 0
    uint8_t bits;  // 0 to 128, of the mapped form: 10.0.0.0/8 is 104
};

// "10.0.0.0/8", "2001:db8::/32", an address alone for a block of one. ERR_BADREQ with a text: malformed, a prefix that
// is too long, or bits set behind it (10.0.0.1/8: the text says which block was meant).
enum err net_cidr_parse(struct str text, struct net_cidr *out, struct errmsg *msg) MUST_CHECK;
// 0.0.0.0/0 is all of IPv4 and no IPv6; ::/0 is all of both.
bool net_cidr_has(const struct net_cidr *c, const struct net_ip *ip);

enum { NET_CIDRS_MAX = 256 };

struct net_cidrs {
    struct net_cidr *at; // owned
    size_t n;
};

// Adds one block; ERR_LIMIT beyond NET_CIDRS_MAX. A list begins as {0}.
enum err net_cidrs_add(struct net_cidrs *list, struct str text, struct errmsg *msg) MUST_CHECK;
// Whether any block has it; an empty list has nothing.
bool net_cidrs_have(const struct net_cidrs *list, const struct net_ip *ip);
void net_cidrs_finish(struct net_cidrs *list);

#endif
