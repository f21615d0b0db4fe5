/* The XMPP server's end of one component link. */
#ifndef SPANDREL_TESTS_SERVER_H
#define SPANDREL_TESTS_SERVER_H

#include "base/strbuf.h"
#include "xml/xml_node.h"
#include "xmpp/component.h"

struct server {
    void (*stanza)(void *ud, const struct xml_node *stanza); // of the bridge, to somebody
    void *ud;
    struct component *component; // the bridge's end; NULL while there is none
    struct xml_reader *reader;
    struct strbuf answers; // fed after the reader returned
    char domain[256];
    bool accept; // connections
    bool open, ending;
    bool deaf;   // reads nothing
    bool losing; // what is sent to it gets lost on the way
};

void server_init(struct server *s, void (*stanza)(void *ud, const struct xml_node *stanza), void *ud);
void server_finish(struct server *s);
// Carries bytes and answers; true when something happened.
bool server_work(struct server *s, int64_t now);
// The bridge has no more room to say anything, until this ends or the transport does.
void server_fill(struct server *s, bool full);
// The transport is gone.
void server_cut(struct server *s, int64_t now);
// The bridge is gone, and its end of the transport with it.
void server_abandon(struct server *s);
void server_say(struct server *s, struct str xml, int64_t now);

#endif
