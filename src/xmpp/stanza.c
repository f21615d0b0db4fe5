#include "xmpp/stanza.h"

#include "xmpp/stanza_error.h"

void stanza_open(struct xml_writer *w, struct strbuf *out, const struct stanza_head *head)
{
    xml_begin(w, out);
    xml_open(w, head->name);
    xml_put_attr_c(w, "type", head->type);
    if (head->id.n)
        xml_put_attr(w, "id", head->id);
    xml_put_attr(w, "from", head->from);
    xml_put_attr(w, "to", head->to);
}

enum err stanza_close(struct gateway *g, struct xml_writer *w)
{
    xml_shut(w);
    enum err e = xml_end(w);
    if (!e)
        g->stat.out++;
    return e;
}

void stanza_answer(const struct stanza *s, const char *type, struct xml_writer *w)
{
    struct stanza_head head = {
        .name = s->name,
        .type = type,
        .id = s->id,
        .from = jid_format(s->arena, &s->to),
        .to = jid_format(s->arena, &s->from),
    };
    stanza_open(w, s->out, &head);
}

bool stanza_of_room(const struct gateway *g, const struct jid *to, const struct jid *from)
{
    return g->host->guest && g->host->guest(g->ud, to, from) != GUEST_NONE;
}

static bool answerable(const struct stanza *s)
{
    bool may = !str_eq_c(s->type, "error") && !str_eq_c(s->type, "result") && !str_eq_c(s->type, "unavailable");
    return may && (str_eq_c(str_c(s->name), "iq") || !stanza_of_room(s->g, &s->to, &s->from));
}

void stanza_refuse(const struct stanza *s, enum err e)
{
    if (!answerable(s))
        return;
    struct xml_writer w;
    stanza_answer(s, "error", &w);
    stanza_error_put(&w, &(struct stanza_error){.err = e});
    stanza_error_close(s->g, &w);
}

void stanza_post(const struct stanza *s, struct event *ev)
{
    ev->component = s->g->component;
    if (!ev->user.domain.n)
        ev->user = s->from;
    ev->to = s->to;
    if (!ev->id.n && s->id.n <= GATEWAY_ID_MAX)
        ev->id = s->id;
    ev->now = s->now;
    ev->wall = s->wall;
    s->g->host->event(s->g->ud, ev);
}
