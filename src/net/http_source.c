/* Each proxy adds whom it saw at the end of the list; so the list is read from its end, as long as who added an entry
 * is trusted. What stands before the first address that is not is that client's own invention. An entry that is no
 * address
 * ("unknown", "_hidden", rubbish) ends the walk: the proxy that wrote it is the source. */
#include "net/http_source.h"

enum { HOPS_MAX = 32 };

bool http_source_trusts(const struct http_server_config *config, const struct net_ip *peer)
{
    if (!peer->known)
        return config->trust_unix;
    return config->trusted && net_cidrs_have(config->trusted, peer);
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
static bool read_node(struct str node, struct net_ip *out)
{
    struct str host, port;
    if (str_starts(node, STR("[")) && str_cut(str_sub(node, 1, node.n), ']', &host, &port))
        return (str_empty(port) || port.p[0] == ':') && net_ip_parse(host, out);
    if (net_ip_parse(node, out))
        return true;
    return str_cut(node, ':', &host, &port) && str_find(port, ':') < 0 && net_ip_parse(host, out);
}

// The value of a parameter of a Forwarded element, without its quotes; "\" has no place in an address.
static struct str forwarded_param(struct str element, const char *name)
{
    struct str pair, key, value;
    while (!str_empty(element)) {
        str_cut(element, ';', &pair, &element);
        if (!str_cut(pair, '=', &key, &value) || !str_case_eq(str_trim(key), str_c(name)))
            continue;
        value = str_trim(value);
        bool quoted = value.n >= 2 && str_starts(value, STR("\"")) && str_ends(value, STR("\""));
        return quoted ? str_sub(value, 1, value.n - 1) : value;
    }
    return STR_NONE;
}

struct hops {
    const struct http_server_config *config;
    struct net_ip source; // so far
    struct str last;      // entry of the nearest proxy
    unsigned seen;
    bool done;
};

static void take_hop(struct hops *w, struct str entry)
{
    struct net_ip ip;
    struct str node = w->config->forwarded == HTTP_FORWARDED_RFC ? forwarded_param(entry, "for") : entry;
    if (w->seen++ == 0)
        w->last = entry;
    if (!read_node(node, &ip) || w->seen > HOPS_MAX) {
        w->done = true;
        return;
    }
    w->source = ip;
    w->done = !http_source_trusts(w->config, &ip);
}

// The entries of one header, from its end; a comma within quotes makes entries that are no address, which ends the
// walk.
static void walk_value(struct hops *w, struct str value)
{
    bool more = true;
    while (more && !w->done) {
        struct str entry, rest;
        more = str_rcut(value, ',', &rest, &entry);
        take_hop(w, str_trim(more ? entry : value));
        value = rest;
    }
}

static bool https(const struct http_server_config *config, const struct http_head *h, struct str nearest)
{
    struct str proto = config->forwarded == HTTP_FORWARDED_RFC ? forwarded_param(nearest, "proto")
                                                               : http_head_get(h, "X-Forwarded-Proto");
    return str_case_eq(proto, STR("https"));
}

void http_source_find(const struct http_server_config *config, const struct net_ip *peer, bool tls, struct http_head *h)
{
    struct hops w = {.config = config, .source = *peer};
    struct str name = config->forwarded == HTTP_FORWARDED_RFC ? STR("Forwarded") : STR("X-Forwarded-For");
    h->tls = tls;
    if (http_source_trusts(config, peer)) {
        for (size_t i = h->header_count; i-- > 0 && !w.done;) {
            if (str_case_eq(h->headers[i].name, name))
                walk_value(&w, h->headers[i].value);
        }
        h->tls = tls || https(config, h, w.last);
    }
    h->source = w.source;
    net_ip_format(&h->source, h->source_text);
}
