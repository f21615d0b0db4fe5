#include "scenario/server.h"

#include "base/mem.h"
#include "lib/xml_canon.h"

#include <stdio.h>
#include <stdlib.h>

void server_init(struct server *s, void (*stanza)(void *ud, const struct xml_node *stanza), void *ud)
{
    *s = (struct server){.stanza = stanza, .ud = ud, .accept = true};
    strbuf_init(&s->answers, 1 << 20);
}

void server_finish(struct server *s)
{
    xml_reader_destroy(s->reader);
    strbuf_finish(&s->answers);
}

static void hear_header(void *ud, const struct xml_node *root)
{
    struct server *s = ud;
    struct str to = xml_attr(root, "to");
    snprintf(s->domain, sizeof s->domain, STR_FMT, STR_ARG(to));
    strbuf_printf(&s->answers,
                  "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
                  "xmlns:stream='http://etherx.jabber.org/streams' id='abc' from='" STR_FMT "'>",
                  STR_ARG(to));
}

static void hear_stanza(void *ud, const struct xml_node *n)
{
    struct server *s = ud;
    if (str_eq_c(n->name, "handshake"))
        strbuf_c(&s->answers, "<handshake/>");
    else if (str_eq_c(xml_attr(n, "to"), s->domain)) // sent back to where it came from
        canon_node(&s->answers, n, STR("jabber:component:accept"));
    else
        s->stanza(s->ud, n);
}

static void hear_oversize(void *ud, const struct xml_node *head)
{
    (void)ud;
    (void)head;
    fprintf(stderr, "the bridge sent more than its own bound\n");
    abort();
}

static void hear_end(void *ud)
{
    struct server *s = ud;
    s->ending = true;
}

static const struct xml_reader_events events = {hear_header, hear_stanza, hear_oversize, hear_end};

void server_abandon(struct server *s)
{
    xml_reader_destroy(s->reader);
    s->reader = NULL;
    s->open = s->ending = false;
    strbuf_clear(&s->answers);
    s->component = NULL;
}

void server_fill(struct server *s, bool full)
{
    enum { OUTPUT_MAX = 8 * 1024 * 1024 };
    component_output(s->component)->max = full ? 0 : OUTPUT_MAX;
}

static void close_transport(struct server *s, enum err e, const char *why, int64_t now)
{
    struct component *c = s->component;
    server_abandon(s);
    s->component = c;
    server_fill(s, false);
    component_closed(c, e, why, now);
}

void server_cut(struct server *s, int64_t now)
{
    if (s->open)
        close_transport(s, ERR_CLOSED, "cut by the scenario", now);
}

static void answer_dial(struct server *s, int64_t now)
{
    component_dialled(s->component, now);
    if (!s->accept) {
        component_closed(s->component, ERR_REFUSED, "connection refused", now);
        return;
    }
    s->reader = xml_reader_create(&(struct xml_limits){0}, &events, s);
    s->open = true;
    component_opened(s->component, now);
}

static bool work_transport(struct server *s, int64_t now)
{
    if (component_wants_connect(s->component))
        answer_dial(s, now);
    else if (s->open && component_wants_close(s->component))
        close_transport(s, ERR_OK, "closed", now);
    else
        return false;
    return true;
}

static bool read_output(struct server *s)
{
    struct strbuf *out = component_output(s->component);
    struct errmsg msg;
    if (!s->open || s->deaf || !out->n)
        return false;
    if (!s->losing && xml_reader_feed(s->reader, strbuf_view(out), &msg)) {
        fprintf(stderr, "the bridge sent what ends a stream: %s\n%.*s\n", msg.text, (int)out->n, out->p);
        abort();
    }
    strbuf_consume(out, out->n);
    return true;
}

static bool send_answers(struct server *s, int64_t now)
{
    if (s->ending) {
        close_transport(s, ERR_OK, "", now);
        return true;
    }
    if (!s->answers.n)
        return false;
    struct strbuf answers = s->answers;
    strbuf_init(&s->answers, 1 << 20);
    component_feed(s->component, strbuf_view(&answers), now);
    strbuf_finish(&answers);
    return true;
}

bool server_work(struct server *s, int64_t now)
{
    bool busy = work_transport(s, now);
    busy |= read_output(s);
    busy |= send_answers(s, now);
    return busy;
}

void server_say(struct server *s, struct str xml, int64_t now)
{
    if (s->open)
        component_feed(s->component, xml, now);
}
