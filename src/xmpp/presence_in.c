#include "xmpp/presence_in.h"

#include "base/utf8.h"
#include "xmpp/muc_in.h"
#include "xmpp/ns.h"
#include "xmpp/stanza_error.h"

enum show presence_show(const struct xml_node *presence)
{
    static const enum show shows[] = {SHOW_XA, SHOW_AWAY, SHOW_CHAT, SHOW_DND};
    struct str word = xml_child_text(presence, NS_COMPONENT, "show");
    for (size_t i = 0; i < sizeof shows / sizeof *shows; i++) {
        if (str_eq_c(word, show_name(shows[i])))
            return shows[i];
    }
    return SHOW_ONLINE;
}

static struct str status_of(const struct xml_node *presence)
{
    return utf8_cut(xml_child_text(presence, NS_COMPONENT, "status"), GATEWAY_STATUS_MAX);
}

static void available(const struct stanza *s)
{
    struct event ev = {.kind = EV_AVAILABLE, .show = presence_show(s->node), .body = status_of(s->node)};
    if (xml_child(s->node, NS_MUC, "x")) {
        if (!s->to.resource.n) { // no nick (XEP-0045 section 7.2.1)
            stanza_refuse(s, ERR_BADJID);
            return;
        }
        ev.flags = EVENT_JOIN;
    }
    ev.nick = s->to.resource;
    stanza_post(s, &ev);
}

static void unavailable(const struct stanza *s)
{
    struct event ev = {.kind = EV_UNAVAILABLE, .body = status_of(s->node), .nick = s->to.resource};
    stanza_post(s, &ev);
}

// Prosody sends these from a full JID too, when an entry is removed from the roster.
static void subscription(const struct stanza *s, enum event_kind kind)
{
    struct event ev = {.kind = kind, .user = jid_bare(s->from), .body = status_of(s->node)};
    stanza_post(s, &ev);
}

static void subscribe(const struct stanza *s)
{
    subscription(s, EV_SUBSCRIBE);
}

static void subscribed(const struct stanza *s)
{
    subscription(s, EV_SUBSCRIBED);
}

static void unsubscribe(const struct stanza *s)
{
    subscription(s, EV_UNSUBSCRIBE);
}

static void unsubscribed(const struct stanza *s)
{
    subscription(s, EV_UNSUBSCRIBED);
}

static void probe(const struct stanza *s)
{
    struct event ev = {.kind = EV_PROBE};
    stanza_post(s, &ev);
}

static void bounced(const struct stanza *s)
{
    struct event ev = {.kind = EV_BOUNCE, .about = EV_AVAILABLE};
    ev.err = stanza_error_read(s->node, s->arena, &ev.body);
    stanza_post(s, &ev);
}

static const struct {
    const char *type;
    void (*take)(const struct stanza *s);
} types[] = {
    {"", available},
    {"error", bounced},
    {"probe", probe},
    {"subscribe", subscribe},
    {"subscribed", subscribed},
    {"unavailable", unavailable},
    {"unsubscribe", unsubscribe},
    {"unsubscribed", unsubscribed},
};

void presence_in(struct stanza *s)
{
    if (muc_take_presence(s))
        return;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (str_eq_c(s->type, types[i].type)) {
            types[i].take(s);
            return;
        }
    }
    stanza_refuse(s, ERR_BADREQ);
}
