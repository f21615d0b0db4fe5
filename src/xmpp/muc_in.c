#include "xmpp/muc_in.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "xmpp/message_in.h"
#include "xmpp/muc_ask.h"
#include "xmpp/ns.h"
#include "xmpp/presence_in.h"
#include "xmpp/stanza_error.h"

static enum guest_ear guest_of(const struct stanza *s)
{
    const struct gateway *g = s->g;
    return g->host->guest ? g->host->guest(g->ud, &s->to, &s->from) : GUEST_NONE;
}

static bool unheard(const struct stanza *s)
{
    s->g->stat.unheard++;
    return true;
}

/* Presence */

static const struct {
    const char *code;
    enum mark mark;
} codes[] = {
    {"110", MARK_SELF},   {"201", MARK_CREATED},     {"210", MARK_RENAMED}, {"301", MARK_BANNED},   {"303", MARK_NICK},
    {"307", MARK_KICKED}, {"321", MARK_AFFILIATION}, {"322", MARK_MEMBERS}, {"332", MARK_SHUTDOWN}, {"333", MARK_ERROR},
};

static unsigned mark_of(const struct xml_node *n)
{
    struct str code = xml_attr(n, "code");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (str_eq_c(code, codes[i].code))
            return codes[i].mark;
    }
    return 0;
}

// Of a room that is destroyed each occupant hears about himself alone (section 10.9), and on ejabberd without a 110.
static unsigned marks_of(const struct xml_node *x)
{
    unsigned marks = 0;
    for (const struct xml_node *n = x ? x->first : NULL; n; n = n->next) {
        if (xml_is(n, NS_MUC_USER, "status"))
            marks |= mark_of(n);
        else if (xml_is(n, NS_MUC_USER, "destroy"))
            marks |= MARK_DESTROYED | MARK_SELF;
    }
    return marks;
}

static unsigned word_in(struct str word, const char *const *words, size_t count, unsigned otherwise)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(word, words[i]))
            return (unsigned)i;
    }
    return otherwise;
}

static enum affiliation affiliation_of(const struct xml_node *item)
{
    static const char *const words[] = {
        [AFFILIATION_NONE] = "none",   [AFFILIATION_OUTCAST] = "outcast", [AFFILIATION_MEMBER] = "member",
        [AFFILIATION_ADMIN] = "admin", [AFFILIATION_OWNER] = "owner",
    };
    return word_in(xml_attr(item, "affiliation"), words, sizeof words / sizeof *words, AFFILIATION_NONE);
}

// Who is there without a role that we know may be thought to speak: if not, the room says so.
static enum role role_of(const struct xml_node *item)
{
    static const char *const words[] = {
        [ROLE_NONE] = "none",
        [ROLE_VISITOR] = "visitor",
        [ROLE_PARTICIPANT] = "participant",
        [ROLE_MODERATOR] = "moderator",
    };
    return word_in(xml_attr(item, "role"), words, sizeof words / sizeof *words, ROLE_PARTICIPANT);
}

static struct str reason_of(const struct xml_node *parent)
{
    return utf8_cut(parent ? xml_child_text(parent, NS_MUC_USER, "reason") : STR_NONE, GATEWAY_STATUS_MAX);
}

// An address in what a room says, as text; empty when it is none.
static struct str address_of(const struct stanza *s, const struct xml_node *n)
{
    struct jid jid;
    return jid_parse(s->arena, xml_attr(n, "jid"), &jid) ? STR_NONE : jid_format(s->arena, &jid);
}

// The other marks say why somebody is gone.
enum { MARKS_ENTERED = MARK_SELF | MARK_RENAMED | MARK_CREATED };

static void entered(const struct stanza *s, const struct xml_node *x, unsigned marks)
{
    const struct xml_node *item = xml_child(x, NS_MUC_USER, "item");
    if (!x)
        return;
    struct event ev = {
        .kind = EV_ENTERED,
        .marks = marks & MARKS_ENTERED,
        .nick = s->from.resource,
        .name = address_of(s, item),
        .body = reason_of(item),
        .show = presence_show(s->node),
        .affiliation = affiliation_of(item),
        .role = role_of(item),
    };
    stanza_post(s, &ev);
}

// A new nick that is none is no change of nick: he is gone.
static void renamed(const struct stanza *s, const struct xml_node *item, struct event *ev)
{
    struct jid to;
    struct str nick = xml_attr(item, "nick");
    if (nick.n && !jid_make(s->arena, s->from.local, s->from.domain, nick, &to))
        ev->name = to.resource;
    else
        ev->marks &= ~(unsigned)MARK_NICK;
}

static void left(const struct stanza *s, const struct xml_node *x, unsigned marks)
{
    const struct xml_node *item = xml_child(x, NS_MUC_USER, "item");
    const struct xml_node *destroy = xml_child(x, NS_MUC_USER, "destroy");
    struct event ev = {.kind = EV_LEFT, .marks = marks, .nick = s->from.resource, .body = reason_of(item)};
    if (destroy) {
        ev.name = address_of(s, destroy);
        ev.body = reason_of(destroy);
    } else if (marks & MARK_NICK) {
        renamed(s, item, &ev);
    }
    if (!ev.body.n)
        ev.body = utf8_cut(xml_child_text(s->node, NS_COMPONENT, "status"), GATEWAY_STATUS_MAX);
    stanza_post(s, &ev);
}

static bool bounced(const struct stanza *s, enum event_kind about)
{
    struct event ev = {.kind = EV_BOUNCE, .about = about};
    ev.err = stanza_error_read(s->node, s->arena, &ev.body);
    ev.body = utf8_cut(ev.body, GATEWAY_STATUS_MAX);
    stanza_post(s, &ev);
    return true;
}

bool muc_take_presence(struct stanza *s)
{
    bool gone = str_eq_c(s->type, "unavailable"), error = str_eq_c(s->type, "error");
    if (s->type.n && !gone && !error)
        return false;
    enum guest_ear guest = guest_of(s);
    if (guest == GUEST_NONE)
        return false;
    if (error)
        return bounced(s, EV_ENTER);
    const struct xml_node *x = xml_child(s->node, NS_MUC_USER, "x");
    unsigned marks = marks_of(x);
    if (guest == GUEST_SILENT && !(marks & MARK_SELF))
        return unheard(s);
    if (!s->from.resource.n) // the room's own: its capabilities and picture
        return true;
    if (gone)
        left(s, x, marks);
    else
        entered(s, x, marks);
    return true;
}

/* Messages */

// The id that the room gave it; ids of others say nothing (XEP-0359 section 6).
static struct str room_id(const struct stanza *s)
{
    struct jid by;
    for (const struct xml_node *n = s->node->first; n; n = n->next) {
        struct str id = xml_is(n, NS_SID, "stanza-id") ? xml_attr(n, "id") : STR_NONE;
        if (id.n && id.n <= GATEWAY_ID_MAX && !jid_parse(s->arena, xml_attr(n, "by"), &by) && !by.resource.n &&
            jid_bare_eq(&by, &s->from))
            return id;
    }
    return STR_NONE;
}

/* When it was said, if the room says that it was before; a sender's own stamp says nothing of that. The last such
 * counts: Prosody takes away what a sender forges, ejabberd leaves it where it was. */
static int64_t room_stamp(const struct stanza *s)
{
    struct jid from;
    int64_t stamp, found = 0;
    for (const struct xml_node *n = s->node->first; n; n = n->next) {
        if (xml_is(n, NS_DELAY, "delay") && !jid_parse(s->arena, xml_attr(n, "from"), &from) && !from.resource.n &&
            jid_bare_eq(&from, &s->from) && clock_parse(xml_attr(n, "stamp"), &stamp) && stamp > 0)
            found = stamp < s->wall ? stamp : s->wall;
    }
    return found;
}

static bool heard(const struct stanza *s)
{
    const struct xml_node *subject = xml_child(s->node, NS_COMPONENT, "subject");
    struct event ev = {.kind = EV_HEARD, .type = MESSAGE_GROUPCHAT, .nick = s->from.resource};
    if (xml_child(xml_child(s->node, NS_MUC_USER, "x"), NS_MUC_USER, "status")) // a notice of the room
        return true;
    message_read(s->node, &ev);
    if (!ev.body.n && !(ev.flags & EVENT_ENCRYPTED)) {
        if (!subject)
            return true; // typing, markers, reactions
        ev.flags |= EVENT_SUBJECT;
        ev.body = subject->text;
    }
    ev.reply = room_id(s);
    ev.stamp = room_stamp(s);
    if (ev.stamp)
        ev.flags |= EVENT_SNAPSHOT;
    stanza_post(s, &ev);
    return true;
}

// A message of the room itself: one of ours that came back, or somebody asks our guest in (section 7.8.2).
static bool from_room(const struct stanza *s)
{
    struct event ev = {.kind = EV_INVITED};
    if (str_eq_c(s->type, "error"))
        return bounced(s, EV_SAY);
    if (xml_child(xml_child(s->node, NS_MUC_USER, "x"), NS_MUC_USER, "invite"))
        stanza_post(s, &ev);
    return true;
}

bool muc_take_message(struct stanza *s)
{
    bool groupchat = str_eq_c(s->type, "groupchat");
    if (!groupchat && muc_take_result(s))
        return true;
    enum guest_ear guest = guest_of(s);
    if (guest == GUEST_NONE)
        return false;
    if (groupchat)
        return guest == GUEST_SILENT ? unheard(s) : heard(s);
    if (s->from.resource.n) // a private message, or its error
        return false;
    return from_room(s);
}
