#include "net/net_cidr.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct net_ip from4(const void *four)
{
    struct net_ip ip = {.known = true};
    memcpy(ip.b, mapped, sizeof mapped);
    memcpy(ip.b + sizeof mapped, four, 4);
    return ip;
}

bool net_ip_parse(struct str text, struct net_ip *out)
{
    char cstr[NET_IP_TEXT];
    uint8_t bytes[16];
    *out = (struct net_ip){.known = false};
    if (text.n >= sizeof cstr || memchr(text.p ? text.p : "", '\0', text.n))
        return false;
    memcpy(cstr, text.p ? text.p : "", text.n);
    cstr[text.n] = '\0';
    if (inet_pton(AF_INET, cstr, bytes) == 1) {
        *out = from4(bytes);
    } else if (inet_pton(AF_INET6, cstr, bytes) == 1) {
        memcpy(out->b, bytes, sizeof out->b);
        out->known = true;
    }
    return out->known;
}

struct net_ip net_ip_of(const struct sockaddr *a)
{
    struct net_ip ip = {.known = false};
    if (a->sa_family == AF_INET)
        return from4(&((const struct sockaddr_in *)(const void *)a)->sin_addr);
    if (a->sa_family == AF_INET6) {
        memcpy(ip.b, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, sizeof ip.b);
        ip.known = true;
    }
    return ip;
}

const char *net_ip_format(const struct net_ip *ip, char out[NET_IP_TEXT])
{
    if (!ip->known)
        memcpy(out, "unix", sizeof "unix");
    else if (net_ip_is4(ip))
        inet_ntop(AF_INET, ip->b + sizeof mapped, out, NET_IP_TEXT);
    else
        inet_ntop(AF_INET6, ip->b, out, NET_IP_TEXT);
    return out;
}

bool net_ip_equal(const struct net_ip *a, const struct net_ip *b)
{
    return a->known && b->known && memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool net_ip_is4(const struct net_ip *ip)
{
    return ip->known && memcmp(ip->b, mapped, sizeof mapped) == 0;
}

// Clears what is behind the prefix; whether anything was set there.
static bool clear_behind(uint8_t b[16], unsigned bits)
{
    bool set = false;
    for (unsigned i = bits / 8; i < 16; i++) {
        unsigned keep = i == bits / 8 ? 0xff00U >> bits % 8 & 0xff : 0;
        set = set || (b[i] & ~keep);
        b[i] = (uint8_t)(b[i] & keep);
    }
    return set;
}

enum err net_cidr_parse(struct str text, struct net_cidr *out, struct errmsg *msg)
{
    struct str address, prefix;
    struct net_ip ip;
    bool given = str_cut(text, '/', &address, &prefix);
    if (!net_ip_parse(address, &ip))
        return err_set(msg, ERR_BADREQ, "\"" STR_FMT "\" is no IP address and no block such as 192.0.2.0/24",
                       STR_ARG(text));
    uint64_t most = str_find(address, ':') < 0 ? 32 : 128, bits = most;
    if (given && (!str_to_u64(prefix, &bits) || bits > most))
        return err_set(msg, ERR_BADREQ, "\"" STR_FMT "\": the prefix is a number from 0 to %u", STR_ARG(text),
                       (unsigned)most);
    out->bits = (uint8_t)(128 - most + bits);
    memcpy(out->b, ip.b, sizeof out->b);
    if (!clear_behind(out->b, out->bits))
        return ERR_OK;
    char block[NET_IP_TEXT];
    memcpy(ip.b, out->b, sizeof ip.b);
    return err_set(msg, ERR_BADREQ, "\"" STR_FMT "\" has bits behind its prefix: %s/%u or " STR_FMT " is meant",
                   STR_ARG(text), net_ip_format(&ip, block), (unsigned)bits, STR_ARG(address));
}

bool net_cidr_has(const struct net_cidr *c, const struct net_ip *ip)
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    if (!ip->known || memcmp(c->b, ip->b, whole) != 0)
        return false;
    return rest == 0 || ((c->b[whole] ^ ip->b[whole]) & (0xff00U >> rest & 0xff)) == 0;
}

enum err net_cidrs_add(struct net_cidrs *list, struct str text, struct errmsg *msg)
{
    struct net_cidr c;
    enum err e = net_cidr_parse(text, &c, msg);
    if (e)
        return e;
    if (list->n == NET_CIDRS_MAX)
        return err_set(msg, ERR_LIMIT, "more than %d address blocks", NET_CIDRS_MAX);
    list->at = mem_realloc(list->at, list->n + 1, sizeof *list->at);
    list->at[list->n++] = c;
    return ERR_OK;
}

bool net_cidrs_have(const struct net_cidrs *list, const struct net_ip *ip)
{
    for (size_t i = 0; i < list->n; i++) {
        if (net_cidr_has(&list->at[i], ip))
            return true;
    }
    return false;
}

void net_cidrs_finish(struct net_cidrs *list)
{
    mem_free(list->at);
    *list = (struct net_cidrs){0};
}
