/* IQ requests of our own: each gets one answer, or the news that none came.
 *
 * An answer counts only from whom was asked, and to the component itself. */
#ifndef SPANDREL_XMPP_REQUEST_H
#define SPANDREL_XMPP_REQUEST_H

#include "base/rng.h"
#include "xml/xml_node.h"
#include "xml/xml_writer.h"
#include "xmpp/gateway.h"

enum { REQUESTS_MAX = 64, REQUEST_ID = 20 };

struct own_request {
    char id[REQUEST_ID + 1]; // empty: the slot is free
    char *to;                // owned
    int64_t deadline;
    gateway_answer *answer;
    void *ud;
};

struct requests {
    struct own_request v[REQUESTS_MAX];
    size_t count;
};

void requests_finish(struct requests *r);
// The answer to one of them: its owner is told. False: to none.
bool requests_take(struct requests *r, const struct xml_node *iq, struct str domain, struct arena *a);

#endif
