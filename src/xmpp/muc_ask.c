#include "xmpp/muc_ask.h"

#include "base/clock.h"
#include "base/mem.h"
#include "xmpp/message_in.h"
#include "xmpp/ns.h"

#include <stdio.h>

enum { CATCHUPS_MAX = 256 };

struct asker { // who asked whom, as text
    struct gateway *g;
    uint64_t number;
    char *user, *to; // owned
};

struct catchup {
    struct asker by;
    struct list_node node; // of the gateway's catchups
    char query[REQUEST_ID + 1];
    char *after; // owned: the last of the page before; NULL: the first page is under way
    int64_t since;
    size_t got, page; // messages, of this page too
    bool more;        // the next page is to be asked for
};

static void asker_init(struct asker *by, const struct sending *o)
{
    *by = (struct asker){o->g, o->ev->number, mem_dup(o->to.p, o->to.n), mem_dup(o->from.p, o->from.n)};
}

static void asker_finish(struct asker *by)
{
    mem_free(by->user);
    mem_free(by->to);
}

static void tell(const struct asker *by, enum event_kind kind, enum err e, struct str text)
{
    struct arena a;
    arena_init(&a, 512);
    struct event ev = {.kind = kind, .component = by->g->component, .number = by->number, .err = e, .body = text};
    if (!jid_parse(&a, str_c(by->user), &ev.user) && !jid_parse(&a, str_c(by->to), &ev.to))
        by->g->host->event(by->g->ud, &ev);
    arena_finish(&a);
}

/* Checks */

static void put_ping(struct xml_writer *w, void *ud)
{
    (void)ud;
    xml_open_ns(w, "ping", NS_PING);
    xml_shut(w);
}

/* XEP-0410 section 3.2, but for item-not-found, which it reads as joined under another nick: that is what Prosody and
 * ejabberd answer when the room is no more, after a restart for one, and a guest knows its nick. To enter twice does no
 * harm, to believe oneself inside does. */
static enum err joined(enum err e)
{
    switch (e) {
    case ERR_UNAVAILABLE:
    case ERR_UNSUPPORTED:
        return ERR_OK;
    case ERR_CLOSED:  // remote-server-timeout
    case ERR_RESOLVE: // remote-server-not-found
        return ERR_TIMEOUT;
    default:
        return e;
    }
}

static void check_answered(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    if (iq || e != ERR_OFFLINE)
        tell(ud, EV_CHECKED, joined(e), text);
}

static void check_release(void *ud)
{
    asker_finish(ud);
    mem_free(ud);
}

static enum err check(struct sending *o)
{
    struct asker *by = MEM_NEW(struct asker);
    asker_init(by, o);
    struct gateway_request ask = {.from = o->from,
                                  .to = o->to,
                                  .type = "get",
                                  .payload = put_ping,
                                  .timeout = MUC_ASK_MS,
                                  .answer = check_answered,
                                  .release = check_release,
                                  .ud = by};
    enum err e = gateway_ask(o->g, &ask, o->out, o->ev->now);
    if (e)
        check_release(by);
    return e;
}

/* Catch-ups: a page is asked for; its messages come; its end comes; the next is asked for. */

static void catchup_destroy(struct catchup *c)
{
    list_remove(&c->node);
    asker_finish(&c->by);
    mem_free(c->after);
    mem_free(c);
}

static void catchup_end(struct catchup *c, enum err e, struct str text)
{
    struct asker by = c->by;
    c->by.user = c->by.to = NULL;
    catchup_destroy(c);
    tell(&by, EV_CAUGHT_UP, e, text);
    asker_finish(&by);
}

static void put_field(struct xml_writer *w, const char *var, struct str value)
{
    xml_open(w, "field");
    xml_put_attr_c(w, "var", var);
    xml_leaf(w, "value", value);
    xml_shut(w);
}

static void put_form(struct xml_writer *w, int64_t since)
{
    char text[CLOCK_TEXT];
    xml_open_ns(w, "x", NS_DATA);
    xml_put_attr_c(w, "type", "submit");
    put_field(w, "FORM_TYPE", STR(NS_MAM));
    if (since > 0)
        put_field(w, "start", clock_put(text, since - since % 1000));
    xml_shut(w);
}

static void put_query(struct xml_writer *w, void *ud)
{
    const struct catchup *c = ud;
    char max[16];
    size_t left = CATCHUP_MAX - c->got;
    int n = snprintf(max, sizeof max, "%zu", left < CATCHUP_PAGE ? left : (size_t)CATCHUP_PAGE);
    xml_open_ns(w, "query", NS_MAM);
    xml_put_attr_c(w, "queryid", c->query);
    put_form(w, c->since);
    xml_open_ns(w, "set", NS_RSM);
    xml_leaf(w, "max", (struct str){max, (size_t)n});
    if (c->after)
        xml_leaf(w, "after", str_c(c->after));
    xml_shut(w);
    xml_shut(w);
}

static bool is_end(const struct xml_node *fin, struct str last, const struct catchup *c)
{
    struct str complete = xml_attr(fin, "complete");
    return str_eq_c(complete, "true") || str_eq_c(complete, "1") || !last.n || last.n > GATEWAY_ID_MAX ||
           (c->after && str_eq_c(last, c->after));
}

// The end of a page. Whoever has more than we take is asked no further, and the core told so.
static void page_ended(struct catchup *c, const struct xml_node *iq)
{
    const struct xml_node *fin = xml_child(iq, NS_MAM, "fin");
    struct str last = xml_child_text(xml_child(fin, NS_RSM, "set"), NS_RSM, "last");
    if (!fin) {
        catchup_end(c, ERR_PROTO, STR("the archive's answer has no end"));
    } else if (is_end(fin, last, c)) {
        catchup_end(c, ERR_OK, STR_NONE);
    } else if (!c->page) {
        catchup_end(c, ERR_PROTO, STR("the archive has more, and sends nothing"));
    } else if (c->got >= CATCHUP_MAX) {
        catchup_end(c, ERR_LIMIT, STR("the archive has more than is read at once"));
    } else {
        mem_free(c->after);
        c->after = mem_dup(last.p, last.n);
        c->more = true;
    }
}

static void catchup_answered(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    struct catchup *c = ud;
    if (e == ERR_OFFLINE && !iq)
        catchup_destroy(c);
    else if (e == ERR_UNAVAILABLE || e == ERR_UNSUPPORTED)
        catchup_end(c, ERR_UNSUPPORTED, text);
    else if (e)
        catchup_end(c, e, text);
    else
        page_ended(c, iq);
}

static enum err ask_page(struct catchup *c, struct strbuf *out, int64_t now)
{
    struct arena a;
    struct jid room;
    struct gateway_request ask = {.from = str_c(c->by.to),
                                  .type = "set",
                                  .payload = put_query,
                                  .timeout = MUC_ASK_MS,
                                  .answer = catchup_answered,
                                  .ud = c};
    arena_init(&a, 256);
    enum err e = jid_parse(&a, str_c(c->by.user), &room);
    if (!e) {
        ask.to = jid_format_bare(&a, &room);
        e = gateway_ask(c->by.g, &ask, out, now);
    }
    arena_finish(&a);
    c->page = 0;
    c->more = false;
    return e;
}

static size_t under_way(const struct gateway *g)
{
    size_t n = 0;
    for (const struct list_node *it = g->catchups.next; it != &g->catchups; it = it->next)
        n++;
    return n;
}

static enum err catchup(struct sending *o)
{
    if (under_way(o->g) >= CATCHUPS_MAX)
        return ERR_AGAIN;
    struct catchup *c = MEM_NEW(struct catchup);
    asker_init(&c->by, o);
    c->since = o->ev->stamp;
    memcpy(c->query, requests_id(o->g, o->arena).p, REQUEST_ID);
    list_push(&o->g->catchups, &c->node);
    enum err e = ask_page(c, o->out, o->ev->now);
    if (e)
        catchup_destroy(c);
    return e;
}

void muc_ask_on(const struct stanza *s)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &s->g->catchups) {
        struct catchup *c = CONTAINER_OF(it, struct catchup, node);
        enum err e = c->more ? ask_page(c, s->out, s->now) : ERR_OK;
        if (e)
            catchup_end(c, e, STR("the next page of the archive could not be asked for"));
    }
}

void muc_ask_finish(struct gateway *g)
{
    while (!list_empty(&g->catchups))
        catchup_destroy(LIST_FIRST(&g->catchups, struct catchup, node));
}

/* Results */

static struct catchup *find(const struct stanza *s, struct str query)
{
    struct jid user, to;
    for (struct list_node *it = s->g->catchups.next; it != &s->g->catchups; it = it->next) {
        struct catchup *c = CONTAINER_OF(it, struct catchup, node);
        if (str_eq_c(query, c->query))
            return !jid_parse(s->arena, str_c(c->by.user), &user) && !jid_parse(s->arena, str_c(c->by.to), &to) &&
                           !s->from.resource.n && jid_bare_eq(&s->from, &user) && jid_eq(&s->to, &to)
                       ? c
                       : NULL;
    }
    return NULL;
}

static int64_t stamp_of(const struct stanza *s, const struct xml_node *forwarded)
{
    int64_t stamp;
    struct str text = xml_attr(xml_child(forwarded, NS_DELAY, "delay"), "stamp");
    return clock_parse(text, &stamp) && stamp > 0 && stamp < s->wall ? stamp : s->wall;
}

static const struct xml_node *message_of(const struct xml_node *forwarded)
{
    const struct xml_node *m = xml_child(forwarded, NS_CLIENT, "message");
    return m ? m : xml_child(forwarded, NS_COMPONENT, "message");
}

// Also one without a body: that it is there is what counts.
static void post_archived(const struct stanza *s, const struct xml_node *result)
{
    const struct xml_node *forwarded = xml_child(result, NS_FORWARD, "forwarded");
    const struct xml_node *m = message_of(forwarded);
    struct event ev = {.kind = EV_HEARD, .flags = EVENT_SNAPSHOT, .type = MESSAGE_GROUPCHAT, .to = s->to};
    if (!m || !str_eq_c(xml_attr(m, "type"), "groupchat") || jid_parse(s->arena, xml_attr(m, "from"), &ev.user) ||
        !jid_bare_eq(&ev.user, &s->from) || !ev.user.resource.n)
        return;
    message_read(m, &ev);
    struct str id = xml_attr(result, "id");
    ev.reply = id.n <= GATEWAY_ID_MAX ? id : STR_NONE;
    ev.stamp = stamp_of(s, forwarded);
    ev.component = s->g->component;
    ev.now = s->now;
    ev.wall = s->wall;
    s->g->host->event(s->g->ud, &ev);
}

bool muc_take_result(const struct stanza *s)
{
    const struct xml_node *result = xml_child(s->node, NS_MAM, "result");
    if (!result)
        return false;
    struct catchup *c = list_empty(&s->g->catchups) ? NULL : find(s, xml_attr(result, "queryid"));
    if (c && c->page < CATCHUP_PAGE && c->got < CATCHUP_MAX) {
        c->page++;
        c->got++;
        post_archived(s, result);
    }
    return true;
}

bool muc_asks(enum event_kind kind)
{
    return kind == EV_CHECK || kind == EV_CATCHUP;
}

enum err muc_ask(struct sending *o)
{
    return o->ev->kind == EV_CHECK ? check(o) : catchup(o);
}
