/* What a user who asked for a receipt (XEP-0184) was promised: an outcome, whatever happens to the process. His message
 * has a row until he is told; what has one at the start was under way when the process ended, and nobody knows how far
 * it came. It is not done again, for a device may do twice what is to be done once: he is told. So is, at the next
 * start, whoever wrote when the stream was already closing, since nothing could be said there any more. */
#include "core/bridge_private.h"

#include "base/mem.h"

struct lost_ask {
    struct list_node node;
    struct arena arena;
    struct event bounce;
    uint64_t number;
};

void asks_init(struct asks *a)
{
    *a = (struct asks){0};
    list_init(&a->lost);
}

static struct lost_ask *at(struct list_node *node)
{
    return CONTAINER_OF(node, struct lost_ask, node);
}

static void drop(struct asks *a, struct lost_ask *lost)
{
    list_remove(&lost->node);
    arena_finish(&lost->arena);
    mem_free(lost);
    a->count--;
}

void asks_finish(struct asks *a)
{
    while (!list_empty(&a->lost))
        drop(a, at(a->lost.next));
}

static bool promised(const struct event *ask)
{
    return ask->kind == EV_MESSAGE && (ask->flags & EVENT_RECEIPT_WANTED) && ask->identity != IDENTITY_ROOM;
}

static void store_ask(struct bridge *b, struct effects *out, const struct event *ask, struct str why, bool gone)
{
    store_row(out, &(struct row){.kind = ROW_ASK,
                                 .gone = gone,
                                 .number = ask->token,
                                 .user = jid_format(out->arena, &ask->user),
                                 .domain = ask->to.domain,
                                 .local = ask->to.local,
                                 .id = ask->id,
                                 .state = ask->type,
                                 .since = b->wall,
                                 .text = why});
}

void ask_begins(struct bridge *b, struct effects *out, const struct event *ask)
{
    if (promised(ask))
        store_ask(b, out, ask, STR("the bridge was restarted; it is not known whether this was done"), false);
}

void ask_ends(struct bridge *b, struct effects *out, const struct event *ask)
{
    if (promised(ask))
        store_ask(b, out, ask, STR_NONE, true);
}

void ask_left(struct bridge *b, struct effects *out, const struct event *ev)
{
    static const char why[] = "the bridge was being restarted; this was not done";
    if (component_up(b, ev->component)) {
        bounce(b, out, ev, EV_MESSAGE, ERR_TIMEOUT, STR("the bridge is stopping; this was not done"));
        return;
    }
    struct event left = *ev;
    left.token = ++b->tokens;
    store_ask(b, out, &left, STR(why), false);
}

enum err ask_restore(struct bridge *b, const struct row *row)
{
    struct asks *a = &b->asks;
    if (!row->number || row->number > INT64_MAX || row->state > MESSAGE_HEADLINE)
        return ERR_BADREQ;
    if (row->number > b->tokens) // first: no other may have its row
        b->tokens = row->number;
    uint16_t component = component_at(b, row->domain);
    if (!component || a->count >= PENDING_MAX)
        return ERR_NOTFOUND;
    struct lost_ask *lost = MEM_NEW(struct lost_ask);
    list_init(&lost->node);
    arena_init(&lost->arena, 512);
    lost->number = row->number;
    lost->bounce = (struct event){.kind = EV_BOUNCE,
                                  .about = EV_MESSAGE,
                                  .component = component,
                                  .id = arena_dup(&lost->arena, row->id),
                                  .type = (enum message_type)row->state,
                                  .err = ERR_TIMEOUT,
                                  .body = arena_dup(&lost->arena, row->text)};
    struct str domain = str_c(component_of(b, component)->domain);
    list_push(&a->lost, &lost->node);
    a->count++;
    if (!jid_parse(&lost->arena, arena_dup(&lost->arena, row->user), &lost->bounce.user) &&
        !jid_make(&lost->arena, arena_dup(&lost->arena, row->local), domain, STR_NONE, &lost->bounce.to))
        return ERR_OK;
    drop(a, lost);
    return ERR_BADREQ;
}

bool asks_tell(struct bridge *b, struct effects *out)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->asks.lost) {
        struct lost_ask *lost = at(it);
        if (!component_up(b, lost->bounce.component))
            continue;
        if (!effects_fit(out, 2))
            return false;
        say_north(b, out, event_copy(out->arena, &lost->bounce));
        store_row(out, &(struct row){.kind = ROW_ASK, .gone = true, .number = lost->number});
        drop(&b->asks, lost);
    }
    return true;
}

bool asks_erase(struct bridge *b, struct effects *out, const struct user *u)
{
    struct list_node *it, *safe;
    struct jid jid = user_jid(u);
    LIST_EACH (it, safe, &b->asks.lost) {
        struct lost_ask *lost = at(it);
        if (!jid_bare_eq(&lost->bounce.user, &jid))
            continue;
        if (!effects_fit(out, 1))
            return false;
        store_row(out, &(struct row){.kind = ROW_ASK, .gone = true, .number = lost->number});
        drop(&b->asks, lost);
    }
    return true;
}
