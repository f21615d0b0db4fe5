#include "adapters/mqtt/mqtt_subs.h"

enum {
    PER_PACKET = 8, // AWS IoT ends the connection for more
    REFUSED = 0x8f, // what we answer ourselves for a filter that cannot even be sent
};

struct mqtt_sub {
    struct list_node node;
    char *filter; // owned
    size_t n;
    unsigned qos;
    int mid;   // of the SUBSCRIBE that awaits its answer
    bool gone; // removed since: kept to match the answer's order
};

static struct mqtt_sub *sub_of(struct list_node *node)
{
    return CONTAINER_OF(node, struct mqtt_sub, node);
}

static struct str filter_of(const struct mqtt_sub *sub)
{
    return (struct str){sub->filter, sub->n};
}

static bool is_shared(const struct mqtt_sub *sub)
{
    return str_starts(filter_of(sub), STR("$share/"));
}

static void sub_free(struct mqtt_sub *sub)
{
    list_remove(&sub->node);
    mem_free(sub->filter);
    mem_free(sub);
}

static struct mqtt_sub *sub_new(struct list_node *list, struct str filter, unsigned qos)
{
    struct mqtt_sub *sub = MEM_NEW(struct mqtt_sub);
    sub->filter = mem_dup(filter.p, filter.n);
    sub->n = filter.n;
    sub->qos = qos;
    list_push(list, &sub->node);
    return sub;
}

static void free_all(struct list_node *list)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, list)
        sub_free(sub_of(it));
}

void mqtt_subs_init(struct mqtt_subs *s, void (*answered)(void *ud, struct str filter, int code), void *ud)
{
    s->answered = answered;
    s->ud = ud;
    map_init(&s->wanted);
    list_init(&s->fresh);
    list_init(&s->asked);
    list_init(&s->settled);
    list_init(&s->owed);
}

void mqtt_subs_finish(struct mqtt_subs *s)
{
    free_all(&s->fresh);
    free_all(&s->asked);
    free_all(&s->settled);
    free_all(&s->owed);
    map_finish(&s->wanted);
}

static void forget(struct mqtt_subs *s, struct mqtt_sub *sub)
{
    map_remove(&s->wanted, filter_of(sub));
    if (sub->mid)
        sub->gone = true;
    else
        sub_free(sub);
}

void mqtt_subs_add(struct mqtt_subs *s, struct str filter, unsigned qos)
{
    struct mqtt_sub *old = map_get(&s->wanted, filter);
    if (old && old->qos == qos)
        return;
    if (old)
        forget(s, old);
    struct mqtt_sub *sub = sub_new(&s->fresh, filter, qos);
    map_put(&s->wanted, filter_of(sub), sub);
}

void mqtt_subs_remove(struct mqtt_subs *s, struct str filter)
{
    struct mqtt_sub *sub = map_get(&s->wanted, filter);
    if (!sub)
        return;
    sub_new(&s->owed, filter, 0);
    forget(s, sub);
}

static void renew(struct mqtt_subs *s, struct list_node *list)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, list) {
        struct mqtt_sub *sub = sub_of(it);
        sub->mid = 0;
        if (sub->gone) {
            sub_free(sub);
            continue;
        }
        list_remove(it);
        list_push(&s->fresh, it);
    }
}

void mqtt_subs_reset(struct mqtt_subs *s, bool session_present)
{
    renew(s, &s->asked);
    renew(s, &s->settled);
    if (!session_present)
        free_all(&s->owed);
}

static void move(struct mqtt_sub *sub, struct list_node *list, int mid)
{
    sub->mid = mid;
    list_remove(&sub->node);
    list_push(list, &sub->node);
}

static void answered(struct mqtt_subs *s, struct mqtt_sub *sub, int code)
{
    move(sub, &s->settled, 0);
    if (sub->gone)
        sub_free(sub);
    else
        s->answered(s->ud, filter_of(sub), code);
}

// The first of the list and those behind it that can go in the same packet.
static size_t gather(const struct mqtt_subs *s, char **filters, size_t max)
{
    size_t count = 0;
    const struct mqtt_sub *first = sub_of(s->fresh.next);
    for (struct list_node *it = s->fresh.next; it != &s->fresh && count < max; it = it->next) {
        const struct mqtt_sub *sub = sub_of(it);
        if (sub->qos != first->qos || is_shared(sub) != is_shared(first))
            break;
        filters[count++] = sub->filter;
    }
    return count;
}

// One packet, of one filter where several are too large together. False when the connection is lost.
static bool send_some(struct mqtt_subs *s, struct mqtt_conn *c, bool no_retained)
{
    char *filters[PER_PACKET];
    unsigned qos = sub_of(s->fresh.next)->qos;
    int mid = 0;
    size_t count = gather(s, filters, PER_PACKET);
    enum err e = mqtt_conn_subscribe(c, filters, count, qos, no_retained, &mid);
    if (e && e != ERR_OFFLINE && count > 1) {
        count = 1;
        e = mqtt_conn_subscribe(c, filters, count, qos, no_retained, &mid);
    }
    if (e == ERR_OFFLINE)
        return false;
    if (e)
        answered(s, sub_of(s->fresh.next), REFUSED);
    for (size_t i = 0; i < count && !e; i++)
        move(sub_of(s->fresh.next), &s->asked, mid);
    return true;
}

void mqtt_subs_send(struct mqtt_subs *s, struct mqtt_conn *c, bool no_retained)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &s->owed) {
        if (mqtt_conn_unsubscribe(c, sub_of(it)->filter))
            return; // the connection is lost: later
        sub_free(sub_of(it));
    }
    while (!list_empty(&s->fresh) && send_some(s, c, no_retained))
        ;
}

// The first subscription that waits for this answer, or NULL.
static struct mqtt_sub *asked_with(struct mqtt_subs *s, int mid)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &s->asked) {
        if (sub_of(it)->mid == mid)
            return sub_of(it);
    }
    return NULL;
}

void mqtt_subs_answer(struct mqtt_subs *s, int mid, const int *granted, size_t count)
{
    struct mqtt_sub *sub = asked_with(s, mid);
    for (size_t i = 0; i < count && sub; i++) {
        answered(s, sub, granted[i]);
        sub = asked_with(s, mid);
    }
}

size_t mqtt_subs_count(const struct mqtt_subs *s)
{
    return s->wanted.count;
}
