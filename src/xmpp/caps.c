#include "xmpp/caps.h"

#include "text/hash.h"
#include "xmpp/ns.h"

enum { CAPS_TEXT_MAX = 16384 };

static void add_identity(struct strbuf *b, const struct disco_identity *id)
{
    strbuf_str(b, id->category);
    strbuf_char(b, '/');
    strbuf_str(b, id->type);
    strbuf_c(b, "//"); // no language
    strbuf_str(b, id->name);
    strbuf_char(b, '<');
}

struct str caps_ver(struct arena *a, const struct disco_profile *p)
{
    struct strbuf text;
    strbuf_init(&text, CAPS_TEXT_MAX);
    for (size_t i = 0; i < p->identity_count; i++)
        add_identity(&text, &p->identities[i]);
    for (size_t i = 0; i < p->feature_count; i++) {
        strbuf_c(&text, p->features[i]);
        strbuf_char(&text, '<');
    }
    uint8_t digest[20];
    hash_sha1(strbuf_view(&text), digest);
    strbuf_finish(&text);
    return hash_base64(a, digest, sizeof digest);
}

void caps_put(struct xml_writer *w, struct str ver)
{
    xml_open_ns(w, "c", NS_CAPS);
    xml_put_attr_c(w, "hash", "sha-1");
    xml_put_attr_c(w, "node", CAPS_NODE);
    xml_put_attr(w, "ver", ver);
    xml_shut(w);
}

bool caps_is_node(struct str node, struct str ver)
{
    struct str prefix = STR(CAPS_NODE "#");
    return str_starts(node, prefix) && str_eq(str_sub(node, prefix.n, node.n), ver);
}
