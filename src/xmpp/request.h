/* IQ requests of our own: each gets one answer, or the news that none came.
 *
 * An answer counts only from whom was asked, to whom asked, and under an id that nobody can guess. */
#ifndef SPANDREL_XMPP_REQUEST_H
#define SPANDREL_XMPP_REQUEST_H

#include "base/list.h"
#include "base/map.h"
#include "xml/xml_node.h"
#include "xml/xml_writer.h"
#include "xmpp/gateway.h"

// Under way at once: of the component itself, and of all others, so that neither keeps the other waiting.
enum { REQUESTS_MAX = 64, REQUESTS_GUESTS_MAX = 4096, REQUEST_ID = 20 };

struct own_request;

struct requests {
    struct map by_id;       // of struct own_request, owned
    struct list_node all;   // but for those that end
    struct list_node ended; // their owners are being told
    size_t own, guests;
    int64_t next;    // no deadline is before it
    uint64_t serial; // of the last id
};

void requests_init(struct requests *r);
void requests_finish(struct requests *r);
// An id of REQUEST_ID characters, not to be guessed from those before it.
struct str requests_id(struct gateway *g, struct arena *a);
// The answer to one of them: its owner is told. False: to none.
bool requests_take(struct requests *r, const struct xml_node *iq, struct str domain, struct arena *a);

#endif
