/* Is our component link alive, and are we alone on it? IQ pings to ourselves, which servers route back to us.
 *
 *   TEST (after each connect): 8 pings to our own JID, 10 s for each to come back.
 *       all: we are alone, and the server echoes. some: another connection shares the domain (a twin); again each 60 s
 * until clean. none: the server does not echo; its domain (the one above ours) is pinged instead, and any answer
 * counts, an error too. REST: after 8 s of silence, and each 30 s at any rate, one ping. What is not answered within 10
 * s, 5 s after which the server's domain is asked too, is dead if nothing else came; if something did, a lost echo
 * leads to a new test.
 *
 * ejabberd 24.10 to 25.02 rewrites IQs of a component to itself: an error with our id counts as the echo. A server that
 * answers nothing of all this on two links in a row is not asked again. */
#ifndef SPANDREL_XMPP_LIVENESS_H
#define SPANDREL_XMPP_LIVENESS_H

#include "base/rng.h"
#include "base/strbuf.h"
#include "xml/xml_node.h"

enum { LIVENESS_NONCES = 8, LIVENESS_TAG = 10 };

enum liveness_news {
    LIVENESS_NOTHING,
    LIVENESS_DEAD, // nothing came for 10 s after it was asked for
    LIVENESS_TWIN, // another connection holds the domain
    LIVENESS_ALONE // it does no more
};

struct liveness {
    struct str domain; // ours, borrowed
    struct str parent; // the domain above it; empty when there is none
    char tag[LIVENESS_TAG + 1];
    unsigned serial; // of the last ping or test
    unsigned mute;   // links in a row that died without a single answer
    // Of this link:
    int64_t heard; // the last byte
    bool echoes;   // a ping to ourselves has come back
    bool answered; // that, or the server's domain has answered
    bool twin;
    unsigned returned; // of the test: bits
    unsigned test;     // its serial; 0: none is going on
    int64_t test_at;   // when it ends, or the next begins; INT64_MAX: never
    unsigned ping;     // serial of the ping that is out; 0: none
    bool to_self;      // it went to ourselves
    bool second;       // and the server's domain has had its chance too
    int64_t ping_at;   // when it went out; the last one while none is out
};

void liveness_init(struct liveness *l, struct str domain, struct rng *rng);
// The link is up: starts a test.
void liveness_begin(struct liveness *l, struct strbuf *out, int64_t now);
// Bytes came in.
void liveness_heard(struct liveness *l, int64_t now);
// The peer has read of what waits for it, so the time to answer what stands behind that counts from now.
void liveness_extend(struct liveness *l, int64_t now);
// True when the stanza is a ping, ours or a twin's, or an answer to one: nobody else need see it.
bool liveness_take(struct liveness *l, const struct xml_node *stanza, struct strbuf *out, int64_t now,
                   enum liveness_news *news);
enum liveness_news liveness_tick(struct liveness *l, struct strbuf *out, int64_t now);
int64_t liveness_deadline(const struct liveness *l);
// Pings of the last test that came back.
unsigned liveness_returned(const struct liveness *l);

#endif
