/* One step: an event through the core, then its effects in order.
 *
 * Happy path: hub_step() -> bridge_step() -> EFFECT_NORTH to the gateway, EFFECT_SOUTH to the adapter, EFFECT_STORE to
 * the store, EFFECT_GATED until the commit. Failures: an adapter that refuses gets its refusal reported to the core as
 * EV_FAILED, from the queue, never from inside; output that does not fit is dropped, and the link's presence is said
 * again once it has drained. */
#include "app/hub_private.h"

#include "base/mem.h"

#include <assert.h>

enum { LOAD_BYTES = 256 * 1024 };

void hub_stamp(struct hub *h, struct event *ev)
{
    ev->now = h->host->now(h->ud);
    ev->wall = h->host->wall(h->ud);
}

static void report_failure(struct hub *h, struct hub_adapter *a, const struct event *ev, enum err e)
{
    if (!ev->token || ev->kind == EV_SETTLED || ev->kind == EV_JOURNALED ||
        ev->kind == EV_REFUSED) // those tokens are the adapter's
        return;
    struct event failed = {.kind = EV_FAILED, .adapter = ev->adapter, .token = ev->token, .err = e, .key = ev->key};
    if (e == ERR_AGAIN)
        failed.body = STR("too many requests wait; try again later");
    struct hub_link *l = a ? a->link : hub_link_at(h, ev->component);
    if (l)
        queue_push(&l->posts, &failed);
    h->host->changed(h->ud);
}

static void send_south(struct hub *h, const struct event *ev)
{
    struct hub_adapter *a = hub_adapter_at(h, ev->adapter);
    enum err e = a ? a->ops->send(a->adapter, ev) : ERR_UNAVAILABLE;
    if (e)
        report_failure(h, a, ev, e);
}

static void send_north(struct hub *h, const struct event *ev)
{
    struct hub_link *l = hub_link_at(h, ev->component);
    if (l)
        hub_link_send(l, ev);
}

static void journaled(struct hub *h, uint16_t adapter, uint64_t token)
{
    struct event ev = {.kind = EV_JOURNALED, .adapter = adapter, .token = token};
    hub_stamp(h, &ev);
    send_south(h, &ev);
}

static void add_gate(struct hub *h, const struct event *ev)
{
    uint64_t batch = store_batch(h->store);
    if (batch <= store_committed(h->store) && !h->gate_count) {
        journaled(h, ev->adapter, ev->token);
        return;
    }
    if (h->gate_count == h->gate_cap) {
        h->gate_cap = h->gate_cap ? h->gate_cap * 2 : 64;
        h->gates = mem_realloc(h->gates, h->gate_cap, sizeof *h->gates);
    }
    h->gates[h->gate_count++] = (struct hub_gate){batch, ev->token, ev->adapter};
}

void hub_release_gates(struct hub *h)
{
    uint64_t committed = store_committed(h->store);
    size_t n = 0;
    while (n < h->gate_count && h->gates[n].batch <= committed) {
        journaled(h, h->gates[n].adapter, h->gates[n].token);
        n++;
    }
    if (n) {
        h->gate_count -= n;
        memmove(h->gates, h->gates + n, h->gate_count * sizeof *h->gates);
    }
}

static void loaded_record(void *ud, const struct row *row)
{
    struct hub *h = ud;
    if (str_empty(row->id)) // never written so, and it would end the answer
        return;
    struct event ev = {.kind = EV_LOADED,
                       .name = row->adapter,
                       .number = row->number,
                       .key = row->key,
                       .id = row->id,
                       .body = row->text,
                       .blob = row->name,
                       .type = (enum message_type)row->state,
                       .stamp = row->stamp};
    if (row->user.n)
        ev.user = (struct jid){.domain = row->user};
    struct str local, domain;
    if (str_cut(row->user, '@', &local, &domain))
        ev.user = (struct jid){.local = local, .domain = domain};
    ev.accepted = row->since;
    hub_step(h, &ev);
}

static void loaded_end(void *ud, struct str adapter, uint64_t after, bool complete)
{
    hub_step(ud, &(struct event){
                     .kind = EV_LOADED, .name = adapter, .number = after, .flags = complete ? EVENT_DURABLE : 0});
}

void hub_take_loaded(struct hub *h)
{
    static const struct store_reader reader = {loaded_record, loaded_end};
    (void)store_fetched(h->store, &reader, h);
}

static void operate(struct hub *h, const struct event *ev)
{
    queue_push(&h->operations, ev);
    h->host->changed(h->ud);
}

static void notice(struct hub *h, const struct event *ev)
{
    struct hub_link *l = hub_link_at(h, ev->component);
    if (l)
        hub_notice(l, ev->adapter ? LOG_DEBUG : LOG_WARN, ev->body);
}

static void carry_out(struct hub *h, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_NORTH:
        send_north(h, e->ev);
        break;
    case EFFECT_SOUTH:
        send_south(h, e->ev);
        break;
    case EFFECT_GATED:
        add_gate(h, e->ev);
        break;
    case EFFECT_STORE:
        store_put(h->store, e->row);
        break;
    case EFFECT_LOAD:
        store_fetch(h->store, e->ev->name, e->ev->number, (unsigned)e->ev->token, LOAD_BYTES);
        h->host->changed(h->ud);
        break;
    case EFFECT_OPERATE:
        operate(h, e->ev);
        break;
    case EFFECT_NOTICE:
        notice(h, e->ev);
        break;
    }
}

void hub_step(struct hub *h, struct event *ev)
{
    assert(!h->stepping);
    h->stepping = true;
    hub_stamp(h, ev);
    struct effects out;
    effects_init(&out, &h->step);
    bridge_step(h->bridge, ev, &out);
    record_step(h->record, ev, &out);
    for (size_t i = 0; i < out.count; i++)
        carry_out(h, &out.v[i]);
    h->more = h->more || out.more;
    arena_reset(&h->step);
    h->stepping = false;
}
