#include "net/net_addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool net_addr_literal(const char *host, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    return uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)out) == 0;
}

static void format_ip4(const struct sockaddr_storage *a, char out[NET_ADDR_TEXT])
{
    const struct sockaddr_in *in = (const void *)a;
    char name[INET_ADDRSTRLEN] = "";
    uv_ip4_name(in, name, sizeof name);
    (void)snprintf(out, NET_ADDR_TEXT, "%s:%u", name, ntohs(in->sin_port));
}

static void format_ip6(const struct sockaddr_storage *a, char out[NET_ADDR_TEXT])
{
    const struct sockaddr_in6 *in = (const void *)a;
    char name[INET6_ADDRSTRLEN] = "";
    uv_ip6_name(in, name, sizeof name);
    (void)snprintf(out, NET_ADDR_TEXT, "[%s]:%u", name, ntohs(in->sin6_port));
}

void net_addr_format(const struct sockaddr_storage *a, char out[NET_ADDR_TEXT])
{
    if (a->ss_family == AF_INET)
        format_ip4(a, out);
    else if (a->ss_family == AF_INET6)
        format_ip6(a, out);
    else
        (void)snprintf(out, NET_ADDR_TEXT, "%s", a->ss_family == AF_UNIX ? "unix" : "");
}

// The first address from `from` on whose family is (or is not) `family`; as->n when there is none.
static size_t find_family(const struct net_addrs *as, size_t from, int family, bool same)
{
    while (from < as->n && (as->at[from].ss_family == family) != same)
        from++;
    return from;
}

void net_addrs_interleave(struct net_addrs *as)
{
    struct net_addrs out = {.n = 0};
    int family = as->n ? as->at[0].ss_family : AF_UNSPEC;
    size_t mine = find_family(as, 0, family, true), other = find_family(as, 0, family, false);
    while (out.n < as->n) {
        if (mine < as->n) {
            out.at[out.n++] = as->at[mine];
            mine = find_family(as, mine + 1, family, true);
        }
        if (other < as->n) {
            out.at[out.n++] = as->at[other];
            other = find_family(as, other + 1, family, false);
        }
    }
    *as = out;
}

static const struct {
    int status;
    enum err err;
} errors[] = {
    {UV_ECONNREFUSED, ERR_REFUSED},  {UV_EHOSTUNREACH, ERR_REFUSED}, {UV_ENETUNREACH, ERR_REFUSED},
    {UV_EADDRNOTAVAIL, ERR_REFUSED}, {UV_ETIMEDOUT, ERR_TIMEOUT},    {UV_ECONNRESET, ERR_CLOSED},
    {UV_ECONNABORTED, ERR_CLOSED},   {UV_EPIPE, ERR_CLOSED},         {UV_ECANCELED, ERR_CLOSED},
    {UV_EADDRINUSE, ERR_EXISTS},     {UV_EACCES, ERR_FORBIDDEN},     {UV_EPERM, ERR_FORBIDDEN},
};

enum err net_err(int status)
{
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        if (errors[i].status == status)
            return errors[i].err;
    }
    return ERR_IO;
}
