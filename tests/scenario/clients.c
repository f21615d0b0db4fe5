#include "scenario/clients.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define NS_STANZA "jabber:component:accept"

enum { ROSTER = 2048, QUESTIONS = 1024, TALKS = 256 };

struct contact {
    char *text; // owned: "user contact", the key
    const char *show;
};

struct question {
    char *from, *id; // full JID, of the stanza
    bool iq;
    bool excused;               // IQ
    unsigned answers, receipts; // of a message only errors: what is said back names no question
};

struct talk { // messages of one full JID to one address
    char *from, *to;
    unsigned asked, answered;
    unsigned excused; // may be without an answer
};

struct clients {
    struct contact roster[ROSTER];
    size_t roster_count;
    struct map by_text;
    struct question questions[QUESTIONS];
    size_t question_count;
    struct talk talks[TALKS];
    size_t talk_count;
    bool logging_in;
};

struct clients *clients_create(void)
{
    struct clients *c = MEM_NEW(struct clients);
    map_init(&c->by_text);
    return c;
}

void clients_destroy(struct clients *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->roster_count; i++)
        mem_free(c->roster[i].text);
    map_finish(&c->by_text);
    for (size_t i = 0; i < c->question_count; i++) {
        mem_free(c->questions[i].from);
        mem_free(c->questions[i].id);
    }
    for (size_t i = 0; i < c->talk_count; i++) {
        mem_free(c->talks[i].from);
        mem_free(c->talks[i].to);
    }
    mem_free(c);
}

static char *dup(struct str s)
{
    return mem_dup(s.p, s.n);
}

static struct str bare_of(struct str jid)
{
    ptrdiff_t slash = str_find(jid, '/');
    return slash < 0 ? jid : str_sub(jid, 0, (size_t)slash);
}

/* What they show */

static void set_contact(struct clients *c, struct str user, struct str contact, const char *show)
{
    struct strbuf text;
    strbuf_init(&text, 8192);
    strbuf_printf(&text, STR_FMT " " STR_FMT, STR_ARG(user), STR_ARG(contact));
    struct contact *k = map_get(&c->by_text, strbuf_view(&text));
    if (!k) {
        assert(c->roster_count < ROSTER);
        k = &c->roster[c->roster_count++];
        k->text = dup(strbuf_view(&text));
        map_put(&c->by_text, str_c(k->text), k);
    }
    k->show = show;
    strbuf_finish(&text);
}

static const char *show_of(const struct xml_node *n)
{
    static const char *const shows[] = {"away", "chat", "dnd", "xa"};
    struct str said = xml_child_text(n, NS_STANZA, "show");
    for (size_t i = 0; i < sizeof shows / sizeof *shows; i++) {
        if (str_eq_c(said, shows[i]))
            return shows[i];
    }
    return "online";
}

static void see_presence(struct clients *c, const struct xml_node *n)
{
    struct str type = xml_attr(n, "type"), user = bare_of(xml_attr(n, "to")), contact = bare_of(xml_attr(n, "from"));
    bool gone = str_eq_c(type, c->logging_in ? "unsubscribed" : "unavailable");
    if (xml_child(n, "http://jabber.org/protocol/muc#user", "x") || xml_child(n, "http://jabber.org/protocol/muc", "x"))
        return; // of a room of ours, or to one elsewhere
    if (gone)
        set_contact(c, user, contact, "offline");
    else if (!type.n && !c->logging_in)
        set_contact(c, user, contact, show_of(n));
}

static int compare_contacts(const void *a, const void *b)
{
    const struct contact *x = a, *y = b;
    return strcmp(x->text, y->text);
}

void clients_show(const struct clients *c, bool all, struct strbuf *out)
{
    struct contact *sorted = mem_zalloc(c->roster_count + 1, sizeof *sorted);
    memcpy(sorted, c->roster, c->roster_count * sizeof *sorted);
    qsort(sorted, c->roster_count, sizeof *sorted, compare_contacts);
    for (size_t i = 0; i < c->roster_count; i++) {
        if (all || strcmp(sorted[i].show, "offline") != 0)
            strbuf_printf(out, "%s %s\n", sorted[i].text, sorted[i].show);
    }
    mem_free(sorted);
}

static void probe(const struct contact *k, void (*send)(void *ud, struct str xml), void *ud)
{
    struct strbuf xml;
    struct str user, contact;
    str_cut(str_c(k->text), ' ', &user, &contact);
    strbuf_init(&xml, 8192);
    strbuf_printf(&xml, "<presence type='probe' from='" STR_FMT "/again' to='" STR_FMT "'/>", STR_ARG(user),
                  STR_ARG(contact));
    send(ud, strbuf_view(&xml));
    strbuf_finish(&xml);
}

void clients_log_in(struct clients *c, void (*send)(void *ud, struct str xml), void *ud)
{
    c->logging_in = true;
    for (size_t i = 0; i < c->roster_count; i++) {
        if (strcmp(c->roster[i].show, "offline") != 0)
            probe(&c->roster[i], send, ud);
    }
    c->logging_in = false;
}

/* What they asked */

static bool is_question(const struct xml_node *n)
{
    struct str type = xml_attr(n, "type");
    if (str_eq_c(n->name, "iq"))
        return str_eq_c(type, "get") || str_eq_c(type, "set");
    bool bare = str_find(xml_attr(n, "to"), '/') < 0; // one to a resource may be for the occupant of a room
    return str_eq_c(n->name, "message") && str_eq_c(type, "chat") && bare && xml_child_text(n, NS_STANZA, "body").n;
}

static struct talk *find_talk(struct clients *c, struct str from, struct str to)
{
    for (size_t i = 0; i < c->talk_count; i++) {
        if (str_eq_c(from, c->talks[i].from) && str_eq_c(bare_of(to), c->talks[i].to))
            return &c->talks[i];
    }
    return NULL;
}

static struct talk *take_talk(struct clients *c, struct str from, struct str to)
{
    struct talk *t = find_talk(c, from, to);
    if (t)
        return t;
    assert(c->talk_count < TALKS);
    t = &c->talks[c->talk_count++];
    *t = (struct talk){.from = dup(from), .to = dup(bare_of(to))};
    return t;
}

void clients_asked(struct clients *c, const struct xml_node *n)
{
    bool iq = str_eq_c(n->name, "iq");
    if (!is_question(n) || !xml_attr(n, "id").n)
        return;
    assert(c->question_count < QUESTIONS);
    c->questions[c->question_count++] =
        (struct question){.from = dup(xml_attr(n, "from")), .id = dup(xml_attr(n, "id")), .iq = iq};
    if (!iq)
        take_talk(c, xml_attr(n, "from"), xml_attr(n, "to"))->asked++;
}

static struct question *asked_by(struct clients *c, const struct xml_node *n, struct str id, bool iq)
{
    for (size_t i = c->question_count; i-- > 0;) {
        struct question *q = &c->questions[i];
        if (q->iq == iq && str_eq_c(xml_attr(n, "to"), q->from) && str_eq_c(id, q->id))
            return q;
    }
    return NULL;
}

static void hear_receipt(struct clients *c, const struct xml_node *n, struct str id)
{
    struct question *q = asked_by(c, n, id, false);
    if (q)
        q->receipts++;
}

static void hear_message(struct clients *c, const struct xml_node *n)
{
    const struct xml_node *receipt = xml_child(n, "urn:xmpp:receipts", "received");
    bool error = str_eq_c(xml_attr(n, "type"), "error");
    struct question *q = error ? asked_by(c, n, xml_attr(n, "id"), false) : NULL;
    struct talk *t = find_talk(c, xml_attr(n, "to"), xml_attr(n, "from"));
    if (receipt) {
        hear_receipt(c, n, xml_attr(receipt, "id"));
        return;
    }
    if (q)
        q->answers++;
    if (t && (error ? q != NULL : str_eq_c(xml_attr(n, "type"), "chat")))
        t->answered++;
}

void clients_told(struct clients *c, const struct xml_node *n)
{
    struct question *q = str_eq_c(n->name, "iq") ? asked_by(c, n, xml_attr(n, "id"), true) : NULL;
    if (q)
        q->answers++;
    if (str_eq_c(n->name, "presence"))
        see_presence(c, n);
    else if (str_eq_c(n->name, "message"))
        hear_message(c, n);
}

void clients_excuse(struct clients *c)
{
    for (size_t i = 0; i < c->question_count; i++)
        c->questions[i].excused = true;
    for (size_t i = 0; i < c->talk_count; i++)
        c->talks[i].excused = c->talks[i].asked - c->talks[i].answered;
}

static const char *wrong_question(const struct question *q)
{
    if (q->answers > 1)
        return "was answered more than once";
    if (q->receipts > 1)
        return "has two receipts";
    if (!q->iq)
        return q->answers && q->receipts ? "has a receipt and an error" : NULL;
    return q->answers || q->excused ? NULL : "was not answered";
}

static bool wrong_talk(const struct talk *t)
{
    return t->answered > t->asked || t->answered + t->excused < t->asked;
}

bool clients_satisfied(const struct clients *c, struct strbuf *out)
{
    size_t before = out->n;
    for (size_t i = 0; i < c->question_count; i++) {
        const struct question *q = &c->questions[i];
        if (wrong_question(q))
            strbuf_printf(out, "%s '%s' of %s %s\n", q->iq ? "iq" : "message", q->id, q->from, wrong_question(q));
    }
    for (size_t i = 0; i < c->talk_count; i++) {
        const struct talk *t = &c->talks[i];
        if (wrong_talk(t))
            strbuf_printf(out, "%u messages of %s to %s have %u answers\n", t->asked, t->from, t->to, t->answered);
    }
    return out->n == before;
}
