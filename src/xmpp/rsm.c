#include "xmpp/rsm.h"

#include "base/map.h"
#include "xmpp/ns.h"

#include <inttypes.h>
#include <stdio.h>

enum { ROUNDS = 4 };

// One round of a Feistel network over two halves of 32 bits, its function the keyed hash.
static uint32_t round_of(uint64_t key, uint32_t number, uint32_t half)
{
    uint64_t words[2] = {key, (uint64_t)number << 32 | half};
    return (uint32_t)map_hash((struct str){(const char *)words, sizeof words});
}

// The position with 32 zero bits beside it, by which a forged one is told.
static uint64_t seal(uint64_t key, uint32_t position)
{
    uint32_t left = 0, right = position;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t next = left ^ round_of(key, i, right);
        left = right;
        right = next;
    }
    return (uint64_t)left << 32 | right;
}

static bool unseal(uint64_t key, uint64_t sealed, uint32_t *position)
{
    uint32_t left = (uint32_t)(sealed >> 32), right = (uint32_t)sealed;
    for (uint32_t i = ROUNDS; i-- > 0;) {
        uint32_t previous = right ^ round_of(key, i, left);
        right = left;
        left = previous;
    }
    *position = right;
    return left == 0;
}

enum err rsm_read(const struct xml_node *query, uint64_t key, size_t cap, struct rsm *out)
{
    *out = (struct rsm){.max = cap};
    const struct xml_node *set = xml_child(query, NS_RSM, "set");
    if (!set)
        return ERR_OK;
    if (xml_child(set, NS_RSM, "before") || xml_child(set, NS_RSM, "index"))
        return ERR_UNSUPPORTED;
    uint64_t number;
    if (xml_child(set, NS_RSM, "max")) {
        if (!str_to_u64(str_trim(xml_child_text(set, NS_RSM, "max")), &number))
            return ERR_BADREQ;
        out->max = number < cap ? (size_t)number : cap;
    }
    struct str after = xml_child_text(set, NS_RSM, "after");
    if (after.n && (!str_to_u64(after, &number) || !unseal(key, number, &out->after)))
        return ERR_NOTFOUND;
    return ERR_OK;
}

static void put_position(struct xml_writer *w, const char *name, uint64_t key, uint32_t position)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRIu64, seal(key, position));
    xml_leaf(w, name, (struct str){text, (size_t)n});
}

void rsm_put(struct xml_writer *w, uint64_t key, uint32_t first, uint32_t last)
{
    xml_open_ns(w, "set", NS_RSM);
    if (last) {
        put_position(w, "first", key, first);
        put_position(w, "last", key, last);
    }
    xml_shut(w);
}
