#include "xmpp/fence.h"

#include "xml/xml_writer.h"
#include "xmpp/ns.h"

#include <inttypes.h>
#include <stdio.h>

/* Ids: PREFIX key '-' number, where the key is that of this run. */
#define PREFIX "spandrel-fence-"

static enum err put(const struct gateway *g, uint64_t number, struct str to, struct strbuf *out)
{
    char id[80];
    struct xml_writer w;
    int n = snprintf(id, sizeof id, PREFIX "%016" PRIx64 "-%" PRIu64, g->key, number);
    xml_begin(&w, out);
    xml_open(&w, "iq");
    xml_put_attr_c(&w, "type", "get");
    xml_put_attr(&w, "id", (struct str){id, (size_t)n});
    xml_put_attr(&w, "from", str_c(g->domain));
    xml_put_attr(&w, "to", to);
    xml_open_ns(&w, "ping", NS_PING);
    xml_shut(&w);
    xml_shut(&w);
    return xml_end(&w);
}

enum err fence_send(struct gateway *g, uint64_t number, struct strbuf *out)
{
    struct str parent = jid_parent(str_c(g->domain));
    bool again = number == g->fence;
    g->fence = number;
    enum err e = put(g, number, str_c(g->domain), out);
    return !e && again && parent.n ? put(g, number, parent, out) : e;
}

bool fence_take(const struct gateway *g, const struct xml_node *stanza, uint64_t *number)
{
    char own[80];
    struct str from = xml_attr(stanza, "from"), id = xml_attr(stanza, "id"), type = xml_attr(stanza, "type");
    bool answer = str_eq_c(type, "result") || str_eq_c(type, "error");
    bool echo = str_eq_c(from, g->domain) && str_eq_c(type, "get");
    if (!str_eq_c(stanza->name, "iq") || !str_starts(id, STR(PREFIX)) ||
        !(echo || (answer && str_eq(from, jid_parent(str_c(g->domain))))))
        return false;
    int n = snprintf(own, sizeof own, PREFIX "%016" PRIx64 "-", g->key);
    *number = 0;
    if (str_starts(id, (struct str){own, (size_t)n}))
        (void)str_to_u64(str_sub(id, (size_t)n, id.n), number);
    return true;
}
