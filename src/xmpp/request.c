#include "xmpp/request.h"

#include "base/mem.h"
#include "xmpp/gateway_private.h"
#include "xmpp/stanza.h"
#include "xmpp/stanza_error.h"

struct own_request {
    struct list_node node;
    char id[REQUEST_ID + 1];
    char *from; // owned; NULL: the component itself
    char *to;   // owned
    int64_t deadline;
    gateway_answer *answer;
    void (*release)(void *ud);
    void *ud;
};

void requests_init(struct requests *r)
{
    *r = (struct requests){.next = INT64_MAX};
    map_init(&r->by_id);
    list_init(&r->all);
    list_init(&r->ended);
}

static void release(struct requests *r, struct own_request *q)
{
    size_t *count = q->from ? &r->guests : &r->own;
    (*count)--;
    (void)map_remove(&r->by_id, str_c(q->id));
    list_remove(&q->node);
    if (q->release)
        q->release(q->ud);
    mem_free(q->from);
    mem_free(q->to);
    mem_free(q);
}

// It is gone before its owner is told, for he may ask anew.
static void end(struct requests *r, struct own_request *q, enum err e, struct str text, const struct xml_node *iq)
{
    void (*release_ud)(void *ud) = q->release;
    gateway_answer *answer = q->answer;
    void *ud = q->ud;
    q->release = NULL;
    release(r, q);
    answer(ud, e, text, iq);
    if (release_ud)
        release_ud(ud);
}

void requests_finish(struct requests *r)
{
    size_t at = 0;
    void *q;
    while (map_next(&r->by_id, &at, NULL, &q))
        release(r, q);
    map_finish(&r->by_id);
}

// Hashed with a key of this process from what never comes twice.
struct str requests_id(struct gateway *g, struct arena *a)
{
    enum { HALF = REQUEST_ID / 2 };
    char *id = arena_alloc(a, REQUEST_ID + 1);
    uint64_t words[3] = {g->key, ++g->requests.serial, 0};
    for (size_t i = 0; i < REQUEST_ID; i += HALF) {
        words[2] = i;
        uint64_t bits = map_hash((struct str){(const char *)words, sizeof words});
        for (size_t j = 0; j < HALF; j++, bits >>= 5)
            id[i + j] = "abcdefghijklmnopqrstuvwxyz234567"[bits & 31];
    }
    id[REQUEST_ID] = '\0';
    return (struct str){id, REQUEST_ID};
}

static enum err write(struct gateway *g, const struct gateway_request *ask, struct str id, struct strbuf *out)
{
    struct xml_writer w;
    struct stanza_head head = {.name = "iq", .type = ask->type, .id = id, .to = ask->to};
    head.from = ask->from.n ? ask->from : str_c(g->domain);
    stanza_open(&w, out, &head);
    ask->payload(&w, ask->ud);
    return stanza_close(g, &w);
}

static void keep(struct requests *r, const struct gateway_request *ask, struct str id, int64_t now)
{
    struct own_request *q = MEM_NEW(struct own_request);
    *q = (struct own_request){.deadline = now + ask->timeout,
                              .answer = ask->answer,
                              .release = ask->release,
                              .ud = ask->ud,
                              .from = ask->from.n ? mem_dup(ask->from.p, ask->from.n) : NULL,
                              .to = mem_dup(ask->to.p, ask->to.n)};
    memcpy(q->id, id.p, id.n);
    (void)map_put(&r->by_id, str_c(q->id), q);
    list_push(&r->all, &q->node);
    size_t *count = q->from ? &r->guests : &r->own;
    (*count)++;
    r->next = q->deadline < r->next ? q->deadline : r->next;
}

static enum err check_addresses(const struct gateway *g, const struct gateway_request *ask, struct arena *a)
{
    struct jid to, from;
    enum err e = jid_parse(a, ask->to, &to);
    if (e || !ask->from.n)
        return e;
    e = jid_parse(a, ask->from, &from);
    return !e && !str_eq_c(from.domain, g->domain) ? ERR_BADJID : e;
}

enum err gateway_ask(struct gateway *g, const struct gateway_request *ask, struct strbuf *out, int64_t now)
{
    struct requests *r = &g->requests;
    if (ask->from.n ? r->guests >= REQUESTS_GUESTS_MAX : r->own >= REQUESTS_MAX)
        return ERR_AGAIN;
    struct arena a;
    arena_init(&a, 256);
    struct str id = requests_id(g, &a);
    enum err e = check_addresses(g, ask, &a);
    if (!e)
        e = write(g, ask, id, out);
    if (!e)
        keep(r, ask, id, now);
    arena_finish(&a);
    return e;
}

void gateway_unask(struct gateway *g, const void *ud)
{
    size_t at = 0;
    void *value;
    while (map_next(&g->requests.by_id, &at, NULL, &value)) {
        struct own_request *q = value;
        if (q->ud == ud)
            release(&g->requests, q);
    }
}

// Whoever is told may ask anew, and take back what is still to end.
static void end_all(struct requests *r, int64_t until, enum err e, const char *text)
{
    struct list_node *it, *safe;
    if (until < r->next)
        return;
    r->next = INT64_MAX;
    LIST_EACH (it, safe, &r->all) {
        struct own_request *q = CONTAINER_OF(it, struct own_request, node);
        if (q->deadline <= until) {
            list_remove(it);
            list_push(&r->ended, it);
        } else if (q->deadline < r->next) {
            r->next = q->deadline;
        }
    }
    while (!list_empty(&r->ended))
        end(r, LIST_FIRST(&r->ended, struct own_request, node), e, str_c(text), NULL);
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
    return g->requests.by_id.count ? g->requests.next : INT64_MAX;
}

// Addresses are compared as JIDs: a server may write its own way.
static bool same(struct arena *a, struct str text, const char *asked)
{
    struct jid one, other;
    return !jid_parse(a, text, &one) && !jid_parse(a, str_c(asked), &other) && jid_eq(&one, &other);
}

static struct own_request *find(struct requests *r, const struct xml_node *iq, struct str domain, struct arena *a)
{
    struct own_request *q = map_get(&r->by_id, xml_attr(iq, "id"));
    struct str to = xml_attr(iq, "to");
    if (!q || !same(a, xml_attr(iq, "from"), q->to))
        return NULL;
    return (q->from ? same(a, to, q->from) : str_eq(to, domain)) ? q : NULL;
}

bool requests_take(struct requests *r, const struct xml_node *iq, struct str domain, struct arena *a)
{
    struct own_request *q = find(r, iq, domain, a);
    struct str text = STR_NONE;
    if (!q)
        return false;
    enum err e = str_eq_c(xml_attr(iq, "type"), "error") ? stanza_error_read(iq, a, &text) : ERR_OK;
    end(r, q, e, text, iq);
    return true;
}
