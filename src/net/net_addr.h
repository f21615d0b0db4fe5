/* Socket addresses and socket errors in words (private to this layer). */
#ifndef SPANDREL_NET_NET_ADDR_H
#define SPANDREL_NET_NET_ADDR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { NET_ADDR_TEXT = 64, NET_ADDRS_MAX = 16 };

struct net_addrs {
    struct sockaddr_storage at[NET_ADDRS_MAX];
    size_t n;
};

// An IPv4 or IPv6 literal (without brackets, a zone is fine); false for a name.
bool net_addr_literal(const char *host, uint16_t port, struct sockaddr_storage *out);
// "127.0.0.1:80", "[::1]:80", "unix", or "" for none (family AF_UNSPEC).
void net_addr_format(const struct sockaddr_storage *a, char out[NET_ADDR_TEXT]);
// Alternates the families, beginning with the first address's (RFC 8305 section 4); the order within each is kept.
void net_addrs_interleave(struct net_addrs *as);

// The error of a libuv status below 0.
enum err net_err(int status);

#endif
