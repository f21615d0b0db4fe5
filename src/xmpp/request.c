#include "xmpp/request.h"

#include "base/mem.h"
#include "xmpp/gateway_private.h"
#include "xmpp/stanza.h"
#include "xmpp/stanza_error.h"

static struct own_request *free_slot(struct requests *r)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        if (!r->v[i].id[0])
            return &r->v[i];
    }
    return NULL;
}

static void release(struct requests *r, struct own_request *q)
{
    mem_free(q->to);
    *q = (struct own_request){.to = NULL};
    r->count--;
}

// The slot is free before its owner is told, for he may ask anew.
static void end(struct requests *r, struct own_request *q, enum err e, struct str text, const struct xml_node *iq)
{
    gateway_answer *answer = q->answer;
    void *ud = q->ud;
    release(r, q);
    answer(ud, e, text, iq);
}

void requests_finish(struct requests *r)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        if (r->v[i].id[0])
            release(r, &r->v[i]);
    }
}

static enum err write(struct gateway *g, const struct gateway_request *ask, struct str id, struct strbuf *out)
{
    struct xml_writer w;
    struct stanza_head head = {.name = "iq", .type = ask->type, .id = id, .from = str_c(g->domain), .to = ask->to};
    stanza_open(&w, out, &head);
    ask->payload(&w, ask->ud);
    return stanza_close(g, &w);
}

enum err gateway_ask(struct gateway *g, const struct gateway_request *ask, struct strbuf *out, int64_t now)
{
    struct own_request *q = free_slot(&g->requests);
    struct arena a;
    struct jid to;
    if (!q)
        return ERR_AGAIN;
    arena_init(&a, 256);
    enum err e = jid_parse(&a, ask->to, &to);
    struct str id = rng_id(&g->rng, &a, REQUEST_ID);
    if (!e)
        e = write(g, ask, id, out);
    if (!e) {
        *q = (struct own_request){.to = mem_dup(ask->to.p, ask->to.n), .deadline = now + ask->timeout};
        memcpy(q->id, id.p, id.n);
        q->answer = ask->answer;
        q->ud = ask->ud;
        g->requests.count++;
    }
    arena_finish(&a);
    return e;
}

void gateway_unask(struct gateway *g, const void *ud)
{
    for (size_t i = 0; i < REQUESTS_MAX; i++) {
        struct own_request *q = &g->requests.v[i];
        if (q->id[0] && q->ud == ud)
            release(&g->requests, q);
    }
}

static void end_all(struct requests *r, int64_t until, enum err e, const char *text)
{
    for (size_t i = 0; i < REQUESTS_MAX && r->count; i++) {
        if (r->v[i].id[0] && r->v[i].deadline <= until)
            end(r, &r->v[i], e, str_c(text), NULL);
    }
}

void gateway_tick(struct gateway *g, int64_t now)
{
    end_all(&g->requests, now, ERR_TIMEOUT, "no answer came in time");
}

void gateway_down(struct gateway *g)
{
    end_all(&g->requests, INT64_MAX, ERR_OFFLINE, "the link to the XMPP server is down");
}

int64_t gateway_deadline(const struct gateway *g)
{
    int64_t at = INT64_MAX;
    for (size_t i = 0; i < REQUESTS_MAX && g->requests.count; i++) {
        const struct own_request *q = &g->requests.v[i];
        if (q->id[0] && q->deadline < at)
            at = q->deadline;
    }
    return at;
}

// Addresses are compared as JIDs: a server may write its own way.
static bool same(struct arena *a, struct str text, const char *asked)
{
    struct jid one, other;
    return !jid_parse(a, text, &one) && !jid_parse(a, str_c(asked), &other) && jid_eq(&one, &other);
}

static struct own_request *find(struct requests *r, const struct xml_node *iq, struct arena *a)
{
    struct str id = xml_attr(iq, "id");
    for (size_t i = 0; i < REQUESTS_MAX && id.n; i++) {
        struct own_request *q = &r->v[i];
        if (str_eq_c(id, q->id) && same(a, xml_attr(iq, "from"), q->to))
            return q;
    }
    return NULL;
}

bool requests_take(struct requests *r, const struct xml_node *iq, struct str domain, struct arena *a)
{
    struct own_request *q = str_eq(xml_attr(iq, "to"), domain) ? find(r, iq, a) : NULL;
    struct str text = STR_NONE;
    if (!q)
        return false;
    enum err e = str_eq_c(xml_attr(iq, "type"), "error") ? stanza_error_read(iq, a, &text) : ERR_OK;
    end(r, q, e, text, iq);
    return true;
}
