/* Events to stanzas: one writer a kind. Addresses are checked once more before they go out: a `from` outside our domain
 * would end the stream. */
#include "xmpp/gateway_out.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "xmpp/body.h"
#include "xmpp/caps.h"
#include "xmpp/commands.h"
#include "xmpp/disco.h"
#include "xmpp/fence.h"
#include "xmpp/muc_ask.h"
#include "xmpp/muc_out.h"
#include "xmpp/ns.h"
#include "xmpp/stanza.h"
#include "xmpp/stanza_error.h"
#include "xmpp/typing.h"

enum { ID_CHARACTERS = 16 }; // of a generated id: 80 bits

void sending_open(struct sending *o, const char *name, const char *type, struct str id)
{
    struct stanza_head head = {.name = name, .type = type, .id = id, .from = o->from, .to = o->to};
    stanza_open(&o->w, o->out, &head);
}

static struct str new_id(struct sending *o)
{
    return rng_id(&o->g->rng, o->arena, ID_CHARACTERS);
}

struct str sending_id(struct sending *o)
{
    return o->ev->id.n && o->ev->id.n <= GATEWAY_ID_MAX ? o->ev->id : new_id(o);
}

void sending_put_empty(struct sending *o, const char *name, const char *ns)
{
    xml_open_ns(&o->w, name, ns);
    xml_shut(&o->w);
}

void sending_put_id(struct sending *o, const char *name, const char *ns, struct str id)
{
    xml_open_ns(&o->w, name, ns);
    xml_put_attr(&o->w, "id", id);
    xml_shut(&o->w);
}

void sending_put_status(struct sending *o)
{
    if (o->ev->body.n)
        xml_leaf(&o->w, "status", utf8_cut(o->ev->body, GATEWAY_STATUS_MAX));
}

void sending_put_delay(struct sending *o)
{
    if (!o->ev->stamp)
        return;
    struct jid from = jid_bare(o->ev->to);
    xml_open_ns(&o->w, "delay", NS_DELAY);
    xml_put_attr(&o->w, "from", jid_format(o->arena, &from));
    xml_put_attr(&o->w, "stamp", clock_format(o->arena, o->ev->stamp));
    xml_shut(&o->w);
}

static const char *message_type(const struct event *ev)
{
    static const char *const names[] = {
        [MESSAGE_CHAT] = "chat",
        [MESSAGE_NORMAL] = "normal",
        [MESSAGE_GROUPCHAT] = "groupchat",
        [MESSAGE_HEADLINE] = "headline",
    };
    return names[ev->type];
}

// A room's own mark on what passes it (XEP-0359); the sender's id is in the stanza already.
static void put_stanza_id(struct sending *o)
{
    xml_open_ns(&o->w, "stanza-id", NS_SID);
    xml_put_attr(&o->w, "id", new_id(o));
    xml_put_attr(&o->w, "by", jid_format_bare(o->arena, &o->ev->to));
    xml_shut(&o->w);
}

// Clients show a file in place of its URL when the body is nothing else (XEP-0066, XEP-0363 section 9).
void sending_put_oob(struct sending *o)
{
    if (!o->ev->url.n)
        return;
    xml_open_ns(&o->w, "x", NS_OOB);
    xml_leaf(&o->w, "url", o->ev->url);
    xml_shut(&o->w);
}

static void put_text(struct sending *o, const char *name)
{
    struct str id = sending_id(o), text = o->ev->url.n ? o->ev->url : o->ev->body;
    sending_open(o, "message", message_type(o->ev), id);
    xml_leaf(&o->w, name, body_fit(o->arena, text, SENDING_BODY_MAX));
    sending_put_oob(o);
    if (o->ev->type == MESSAGE_GROUPCHAT)
        put_stanza_id(o);
    else
        sending_put_id(o, "origin-id", NS_SID, id);
    sending_put_delay(o);
}

static void put_message(struct sending *o)
{
    put_text(o, "body");
}

static void put_subject(struct sending *o)
{
    sending_open(o, "message", "groupchat", sending_id(o));
    xml_leaf(&o->w, "subject", body_fit(o->arena, o->ev->body, SENDING_BODY_MAX));
    put_stanza_id(o);
    sending_put_delay(o);
}

static void put_typing(struct sending *o)
{
    sending_open(o, "message", message_type(o->ev), sending_id(o));
    sending_put_empty(o, typing_name(o->ev->typing), NS_CHATSTATES);
}

// The event's id is that of the message received: this one has its own.
static void put_receipt(struct sending *o)
{
    sending_open(o, "message", message_type(o->ev), new_id(o));
    sending_put_id(o, "received", NS_RECEIPTS, o->ev->id);
}

static enum disco_kind disco_kind_of(const struct sending *o)
{
    if (!o->ev->to.local.n)
        return disco_gateway_kind(o->g, &o->ev->user);
    return o->ev->identity == IDENTITY_ROOM ? DISCO_ROOM : DISCO_CONTACT;
}

void sending_put_photo(struct sending *o)
{
    xml_open_ns(&o->w, "x", NS_VCARD_UPDATE);
    xml_leaf(&o->w, "photo", o->g->host->avatar(o->g->ud, o->ev->cls)->sha1);
    xml_shut(&o->w);
}

void sending_put_show(struct sending *o)
{
    if (o->ev->show != SHOW_ONLINE && o->ev->show != SHOW_OFFLINE)
        xml_leaf(&o->w, "show", str_c(show_name(o->ev->show)));
}

// Presence gets no id that it was not given: nothing is joined to an answer by it.
static void put_available(struct sending *o)
{
    enum disco_kind kind = disco_kind_of(o);
    sending_open(o, "presence", NULL, o->ev->id);
    sending_put_show(o);
    sending_put_status(o);
    caps_put(&o->w, disco_ver(o->g, kind, o->arena));
    if (kind == DISCO_CONTACT)
        sending_put_photo(o);
    sending_put_delay(o);
}

static void put_unavailable(struct sending *o)
{
    sending_open(o, "presence", "unavailable", o->ev->id);
    sending_put_status(o);
}

static void put_code(struct sending *o, const char *code)
{
    xml_open(&o->w, "status");
    xml_put_attr_c(&o->w, "code", code);
    xml_shut(&o->w);
}

static void put_item(struct sending *o, const char *role, struct str nick)
{
    xml_open(&o->w, "item");
    xml_put_attr_c(&o->w, "affiliation", "none");
    xml_put_attr_c(&o->w, "role", role);
    if (nick.n)
        xml_put_attr(&o->w, "nick", nick);
    xml_shut(&o->w);
}

static void put_self(struct sending *o)
{
    if (o->ev->flags & EVENT_SELF)
        put_code(o, "110");
}

static void put_join(struct sending *o)
{
    const struct event *ev = o->ev;
    sending_open(o, "presence", NULL, ev->id);
    sending_put_show(o);
    sending_put_status(o);
    xml_open_ns(&o->w, "x", NS_MUC_USER);
    put_item(o, "participant", STR_NONE);
    put_self(o);
    if ((ev->flags & EVENT_SELF) && ev->nick.n && !str_eq(ev->nick, ev->to.resource))
        put_code(o, "210"); // the nick is not the one that was asked for
    xml_shut(&o->w);
}

// An occupant goes, or only changes his nick: then `name` is the new one (XEP-0045 section 7.6).
static void put_part(struct sending *o)
{
    bool renamed = o->ev->name.n > 0;
    sending_open(o, "presence", "unavailable", o->ev->id);
    sending_put_status(o);
    xml_open_ns(&o->w, "x", NS_MUC_USER);
    put_item(o, renamed ? "participant" : "none", o->ev->name);
    if (renamed)
        put_code(o, "303");
    put_self(o);
    xml_shut(&o->w);
}

static void put_subscribe(struct sending *o)
{
    struct str nick = o->ev->nick.n ? o->ev->nick : o->ev->name;
    sending_open(o, "presence", "subscribe", o->ev->id);
    sending_put_status(o);
    if (nick.n) {
        xml_open_ns(&o->w, "nick", NS_NICK);
        xml_text(&o->w, utf8_cut(nick, GATEWAY_NAME_MAX));
        xml_shut(&o->w);
    }
}

static void put_bare_presence(struct sending *o)
{
    sending_open(o, "presence", event_name(o->ev->kind), o->ev->id);
    sending_put_status(o);
}

static void put_result(struct sending *o)
{
    const struct event *ev = o->ev;
    sending_open(o, "iq", "result", ev->id);
    if (ev->about == EV_COMMAND)
        commands_put_result(&o->w, ev->command, commands_session(o->g, o->arena, &ev->user, &ev->to, ev->command),
                            body_fit(o->arena, ev->body, SENDING_BODY_MAX));
}

static const char *stanza_of(enum event_kind about)
{
    static const char *const names[EV_COUNT] = {
        [EV_AVAILABLE] = "presence",  [EV_UNAVAILABLE] = "presence", [EV_SUBSCRIBE] = "presence",
        [EV_SUBSCRIBED] = "presence", [EV_UNSUBSCRIBE] = "presence", [EV_UNSUBSCRIBED] = "presence",
        [EV_PROBE] = "presence",      [EV_JOIN] = "presence",        [EV_PART] = "presence",
        [EV_REGISTER] = "iq",         [EV_UNREGISTER] = "iq",        [EV_COMMAND] = "iq",
    };
    return names[about] ? names[about] : "message";
}

static void put_bounce(struct sending *o)
{
    const struct event *ev = o->ev;
    sending_open(o, stanza_of(ev->about), "error", ev->id);
    if (ev->about == EV_JOIN)
        sending_put_empty(o, "x", NS_MUC);
    stanza_error_put(&o->w, &(struct stanza_error){
                                .err = ev->err ? ev->err : ERR_INTERNAL, .text = ev->body, .by = str_c(o->g->domain)});
}

static const struct sender {
    void (*put)(struct sending *o); // NULL: nothing that is said to a user
    bool bare;                      // between bare JIDs (RFC 6121 section 3)
    bool nick;                      // to an occupant: `nick`, where `user` is the room alone
} senders[EV_COUNT] = {
    [EV_MESSAGE] = {put_message, false},
    [EV_TYPING] = {put_typing, false},
    [EV_RECEIPT] = {put_receipt, false},
    [EV_BOUNCE] = {put_bounce, false},
    [EV_AVAILABLE] = {put_available, false},
    [EV_UNAVAILABLE] = {put_unavailable, false},
    [EV_SUBSCRIBE] = {put_subscribe, true},
    [EV_SUBSCRIBED] = {put_bare_presence, true},
    [EV_UNSUBSCRIBE] = {put_bare_presence, true},
    [EV_UNSUBSCRIBED] = {put_bare_presence, true},
    [EV_PROBE] = {put_bare_presence, false},
    [EV_JOIN] = {put_join, false},
    [EV_PART] = {put_part, false},
    [EV_SUBJECT] = {put_subject, false},
    [EV_RESULT] = {put_result, false},
    [EV_ENTER] = {muc_put_enter, .nick = true},
    [EV_OPEN] = {muc_put_open, false},
    [EV_LEAVE] = {muc_put_leave, .nick = true},
    [EV_SAY] = {muc_put_say, false},
};

// The address as text, if it is one: read again, it must be the same.
static bool format_address(struct arena *a, const struct jid *jid, struct str *out)
{
    struct jid again;
    *out = jid_format(a, jid);
    return !jid_parse(a, *out, &again) && jid_eq(&again, jid);
}

static enum err set_addresses(struct sending *o, const struct sender *sender)
{
    struct jid from = o->ev->to, to = o->ev->user;
    if (!from.resource.n && (o->ev->kind == EV_JOIN || o->ev->kind == EV_PART))
        from.resource = o->ev->nick;
    if (sender->bare) {
        from = jid_bare(from);
        to = jid_bare(to);
    }
    if (sender->nick && !to.resource.n && jid_make(o->arena, to.local, to.domain, o->ev->nick, &to))
        return ERR_BADJID;
    bool right = str_eq_c(from.domain, o->g->domain) && format_address(o->arena, &from, &o->from) &&
                 format_address(o->arena, &to, &o->to);
    return right ? ERR_OK : ERR_BADJID;
}

// An error that would cost a guest its place: it is not sent, and nobody misses it.
static bool is_costly(const struct gateway *g, const struct event *ev)
{
    return ev->kind == EV_BOUNCE && !str_eq_c(str_c(stanza_of(ev->about)), "iq") &&
           stanza_of_room(g, &ev->to, &ev->user);
}

enum err gateway_send(struct gateway *g, const struct event *ev, struct arena *arena, struct strbuf *out)
{
    if (ev->kind == EV_FENCE)
        return fence_send(g, ev->number, out);
    if (is_costly(g, ev))
        return ERR_OK;
    struct sending o = {.g = g, .ev = ev, .arena = arena, .out = out};
    const struct sender *sender = &senders[ev->kind];
    enum err e = sender->put || muc_asks(ev->kind) ? set_addresses(&o, sender) : ERR_UNSUPPORTED;
    if (e) {
        log_error(g->log, LOG_MSG("an event cannot be sent"), LOG_C("kind", event_name(ev->kind)), LOG_ERR(e));
        return e;
    }
    if (!sender->put)
        return muc_ask(&o);
    sender->put(&o);
    e = stanza_close(g, &o.w);
    if (!e && ev->kind == EV_BOUNCE)
        g->stat.errors_out++;
    return e;
}
