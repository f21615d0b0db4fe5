/* Result set management (XEP-0059), forwards only.
 *
 * A position in a list is a number of the owner's. It is enciphered before a peer sees it: the gaps between two of them
 * would tell how many entries lie between that this user may not see. */
#ifndef SPANDREL_XMPP_RSM_H
#define SPANDREL_XMPP_RSM_H

#include "base/err.h"
#include "xml/xml_node.h"
#include "xml/xml_writer.h"

struct rsm {
    size_t max;     // entries asked for, at most the given cap
    uint32_t after; // position to go on from; 0: the start
};

// Reads the <set/> of a query, or the defaults where there is none. ERR_UNSUPPORTED: paging backwards; ERR_NOTFOUND: no
// position of ours; ERR_BADREQ.
enum err rsm_read(const struct xml_node *query, uint64_t key, size_t cap, struct rsm *out) MUST_CHECK;
// Writes <set/> with the positions behind the first and the last entry shown.
void rsm_put(struct xml_writer *w, uint64_t key, uint32_t first, uint32_t last);

#endif
