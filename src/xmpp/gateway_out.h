/* What the writers of stanzas share: one is at work on one event. */
#ifndef SPANDREL_XMPP_GATEWAY_OUT_H
#define SPANDREL_XMPP_GATEWAY_OUT_H

#include "xml/xml_writer.h"
#include "xmpp/gateway_private.h"

enum { SENDING_BODY_MAX = 60000 }; // bytes, escaped

struct sending {
    struct gateway *g;
    const struct event *ev;
    struct arena *arena;
    struct strbuf *out;
    struct xml_writer w;
    struct str from, to; // addresses of the stanza
};

// Begins the stanza, which gateway_send() ends. type NULL and an empty id: none.
void sending_open(struct sending *o, const char *name, const char *type, struct str id);
// The event's id, or a new one.
struct str sending_id(struct sending *o);

// Children.
void sending_put_empty(struct sending *o, const char *name, const char *ns);
void sending_put_id(struct sending *o, const char *name, const char *ns, struct str id); // <name xmlns='ns' id='id'/>
void sending_put_status(struct sending *o);
void sending_put_show(struct sending *o);
void sending_put_delay(struct sending *o);
void sending_put_oob(struct sending *o);
void sending_put_photo(struct sending *o); // the hash of the avatar of the event's `cls`

#endif
