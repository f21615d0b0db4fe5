/* One stanza that came in, its addresses prepared, and how answers to it are made. */
#ifndef SPANDREL_XMPP_STANZA_H
#define SPANDREL_XMPP_STANZA_H

#include "xml/xml_writer.h"
#include "xmpp/gateway_private.h"

struct stanza {
    struct gateway *g;
    const struct xml_node *node;
    const char *name;    // "iq", "message", "presence"
    struct str type, id; // as they came; empty when absent
    struct jid from, to; // to is in our domain
    struct arena *arena;
    struct strbuf *out;
    int64_t now, wall;
};

struct stanza_head {         // of a stanza of ours
    const char *name, *type; // type NULL: none
    struct str id;           // empty: none
    struct str from, to;
};

// Begins a stanza on `out`; stanza_close() ends it.
void stanza_open(struct xml_writer *w, struct strbuf *out, const struct stanza_head *head);
// ERR_LIMIT when it is larger than a stanza may be, or `out` is full: nothing was written then. Counts.
enum err stanza_close(struct gateway *g, struct xml_writer *w) MUST_CHECK;

// Begins the answer to `s`: same name and id, addresses exchanged.
void stanza_answer(const struct stanza *s, const char *type, struct xml_writer *w);
// Whether `from` is an occupant of a room elsewhere, or the room itself, where our `to` is a guest. To these goes no
// error but to requests: servers throw out who sends one.
bool stanza_of_room(const struct gateway *g, const struct jid *to, const struct jid *from);
// Answers with an error, where the standards allow one: never to an error or a result; and not to a room.
void stanza_refuse(const struct stanza *s, enum err e);

// Fills in who, where, when and hands the event over. The event's user is the sender's full JID, unless it is set.
void stanza_post(const struct stanza *s, struct event *ev);

#endif
