#include "xmpp/message_in.h"

#include "base/clock.h"
#include "xmpp/muc_in.h"
#include "xmpp/ns.h"
#include "xmpp/stanza_error.h"
#include "xmpp/typing.h"

struct pattern {
    const char *ns;   // begins with this, where `prefix` is set
    const char *name; // NULL: any
    bool prefix;
};

// End-to-end encryption: what body stands beside it says only that it cannot be read.
static const struct pattern encrypted[] = {
    {"eu.siacs.conversations.axolotl", NULL, false}, // OMEMO 0.3, the one in use
    {"urn:xmpp:omemo:", NULL, true},                 // 0384
    {"jabber:x:encrypted", "x", false},              // 0027
    {"urn:xmpp:openpgp:0", "openpgp", false},        // 0373
};

// Not said to us: copies and archives (which only an own account or archive may send, and we have none), invitations.
static const struct pattern not_ours[] = {
    {NS_CARBONS, "received", false},     {NS_CARBONS, "sent", false}, {"urn:xmpp:mam:", "result", true},
    {"urn:xmpp:privilege:", NULL, true}, {NS_CONFERENCE, "x", false},
};

static bool matches(const struct xml_node *n, const struct pattern *p)
{
    bool ns = p->prefix ? str_starts(n->ns, str_c(p->ns)) : str_eq_c(n->ns, p->ns);
    return ns && (!p->name || str_eq_c(n->name, p->name));
}

static bool contains(const struct xml_node *message, const struct pattern *list, size_t count)
{
    for (const struct xml_node *n = message->first; n; n = n->next) {
        for (size_t i = 0; i < count; i++) {
            if (matches(n, &list[i]))
                return true;
        }
    }
    return false;
}

static bool is_encrypted(const struct xml_node *message, struct str body)
{
    const struct xml_node *eme = xml_child(message, NS_EME, "encryption");
    if (eme && xml_attr(eme, "namespace").n)
        return true;
    return str_starts(body, STR("?OTR")) || contains(message, encrypted, sizeof encrypted / sizeof *encrypted);
}

static bool is_not_ours(const struct xml_node *message)
{
    const struct xml_node *muc = xml_child(message, NS_MUC_USER, "x");
    return xml_child(muc, NS_MUC_USER, "invite") || contains(message, not_ours, sizeof not_ours / sizeof *not_ours);
}

// When it was said; what claims to come from the future was said now.
static int64_t stamp_of(const struct stanza *s)
{
    int64_t stamp;
    struct str text = xml_attr(xml_child(s->node, NS_DELAY, "delay"), "stamp");
    return text.n && clock_parse(text, &stamp) && stamp > 0 && stamp < s->wall ? stamp : 0;
}

static struct str id_of(const struct xml_node *message)
{
    struct str id = xml_attr(message, "id");
    if (!id.n)
        id = xml_attr(xml_child(message, NS_SID, "origin-id"), "id");
    return id.n <= GATEWAY_ID_MAX ? id : STR_NONE;
}

void message_read(const struct xml_node *message, struct event *ev)
{
    const char *ns = xml_is(message, NS_CLIENT, "message") ? NS_CLIENT : NS_COMPONENT;
    ev->id = id_of(message);
    ev->body = xml_child_text(message, ns, "body");
    struct str replaced = xml_attr(xml_child(message, NS_CORRECT, "replace"), "id");
    ev->replace = replaced.n <= GATEWAY_ID_MAX ? replaced : STR_NONE;
    if (is_encrypted(message, ev->body)) {
        ev->flags |= EVENT_ENCRYPTED;
        ev->body = STR_NONE;
    }
}

static bool wants_receipt(const struct stanza *s, enum message_type type)
{
    return type != MESSAGE_GROUPCHAT && s->id.n && s->id.n <= GATEWAY_ID_MAX &&
           xml_child(s->node, NS_RECEIPTS, "request");
}

static void post_message(const struct stanza *s, struct event *ev)
{
    ev->kind = EV_MESSAGE;
    ev->stamp = stamp_of(s);
    if (ev->flags & EVENT_ENCRYPTED)
        s->g->stat.encrypted_refused++;
    else if (wants_receipt(s, ev->type))
        ev->flags |= EVENT_RECEIPT_WANTED;
    stanza_post(s, ev);
}

static void post_without_body(const struct stanza *s, enum message_type type)
{
    struct event ev = {.type = type, .id = id_of(s->node)};
    const struct xml_node *subject = xml_child(s->node, NS_COMPONENT, "subject");
    if (type == MESSAGE_GROUPCHAT && subject) {
        ev.kind = EV_SUBJECT;
        ev.body = subject->text;
    } else if (typing_read(s->node, &ev.typing)) {
        ev.kind = EV_TYPING;
    } else {
        return; // receipts, markers, hints: nothing that is said to anybody
    }
    stanza_post(s, &ev);
}

static void said(const struct stanza *s, enum message_type type)
{
    struct event ev = {.type = type};
    if (is_not_ours(s->node))
        return;
    message_read(s->node, &ev);
    if (ev.body.n || ev.flags & EVENT_ENCRYPTED)
        post_message(s, &ev);
    else
        post_without_body(s, type);
}

static void bounced(const struct stanza *s)
{
    struct event ev = {.kind = EV_BOUNCE, .about = EV_MESSAGE};
    ev.err = stanza_error_read(s->node, s->arena, &ev.body);
    stanza_post(s, &ev);
}

void message_in(struct stanza *s)
{
    if (muc_take_message(s))
        return;
    if (str_eq_c(s->type, "error"))
        bounced(s);
    else if (str_eq_c(s->type, "chat"))
        said(s, MESSAGE_CHAT);
    else if (str_eq_c(s->type, "groupchat"))
        said(s, MESSAGE_GROUPCHAT);
    else if (!str_eq_c(s->type, "headline")) // which nobody answers, so it is for nobody here
        said(s, MESSAGE_NORMAL);
}
