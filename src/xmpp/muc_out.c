#include "xmpp/muc_out.h"

#include "base/clock.h"
#include "xmpp/body.h"
#include "xmpp/caps.h"
#include "xmpp/disco.h"
#include "xmpp/ns.h"

#define RETRACTED "/me retracted a previous message, but it's unsupported by your client."

/* What the room is to tell of what was said before: nothing, which Prosody and ejabberd both take from either
 * attribute, or all since then. To whole seconds, for the rooms' own stamps may have no more. */
static void put_history(struct sending *o)
{
    xml_open(&o->w, "history");
    if (o->ev->stamp > 0) {
        xml_put_attr(&o->w, "since", clock_format(o->arena, o->ev->stamp - o->ev->stamp % 1000));
    } else {
        xml_put_attr_c(&o->w, "maxchars", "0");
        xml_put_attr_c(&o->w, "maxstanzas", "0");
    }
    xml_shut(&o->w);
}

void muc_put_enter(struct sending *o)
{
    sending_open(o, "presence", NULL, o->ev->id);
    xml_open_ns(&o->w, "x", NS_MUC);
    put_history(o);
    if (o->ev->body.n)
        xml_leaf(&o->w, "password", o->ev->body);
    xml_shut(&o->w);
    sending_put_show(o);
    caps_put(&o->w, disco_ver(o->g, DISCO_CONTACT, o->arena));
    sending_put_photo(o);
}

void muc_put_leave(struct sending *o)
{
    sending_open(o, "presence", "unavailable", o->ev->id);
    sending_put_status(o);
}

// An instant room: its owner takes it with what the service gives it (section 10.1.2).
void muc_put_open(struct sending *o)
{
    sending_open(o, "iq", "set", requests_id(o->g, o->arena));
    xml_open_ns(&o->w, "query", NS_MUC_OWNER);
    xml_open_ns(&o->w, "x", NS_DATA);
    xml_put_attr_c(&o->w, "type", "submit");
    xml_shut(&o->w);
    xml_shut(&o->w);
}

static bool fits(struct str id)
{
    return id.n > 0 && id.n <= GATEWAY_ID_MAX;
}

static void put_retract(struct sending *o)
{
    struct str theirs = fits(o->ev->reply) ? o->ev->reply : o->ev->replace;
    sending_put_id(o, "retract", NS_RETRACT, theirs);
    xml_open_ns(&o->w, "apply-to", NS_FASTEN);
    xml_put_attr(&o->w, "id", o->ev->replace);
    sending_put_empty(o, "retract", NS_RETRACT_0);
    xml_shut(&o->w);
    xml_open_ns(&o->w, "fallback", NS_FALLBACK);
    xml_put_attr_c(&o->w, "for", NS_RETRACT);
    xml_shut(&o->w);
    sending_put_empty(o, "store", NS_HINTS);
}

static void put_reply(struct sending *o)
{
    xml_open_ns(&o->w, "reply", NS_REPLY);
    if (o->ev->nick.n) {
        struct jid to = o->ev->user;
        to.resource = o->ev->nick;
        xml_put_attr(&o->w, "to", jid_format(o->arena, &to));
    }
    xml_put_attr(&o->w, "id", o->ev->reply);
    xml_shut(&o->w);
}

static struct str text_of(const struct event *ev)
{
    if (ev->body.n)
        return ev->body;
    return ev->flags & EVENT_RETRACT ? STR(RETRACTED) : ev->url;
}

void muc_put_say(struct sending *o)
{
    const struct event *ev = o->ev;
    struct str id = sending_id(o);
    sending_open(o, "message", "groupchat", id);
    xml_leaf(&o->w, "body", body_fit(o->arena, text_of(ev), SENDING_BODY_MAX));
    if (fits(ev->replace) && ev->flags & EVENT_RETRACT)
        put_retract(o);
    else if (fits(ev->replace))
        sending_put_id(o, "replace", NS_CORRECT, ev->replace);
    else if (fits(ev->reply))
        put_reply(o);
    sending_put_oob(o);
    sending_put_id(o, "origin-id", NS_SID, id);
    sending_put_delay(o);
}
