/* Questions about the bridge's state; they change nothing. */
#include "core/bridge_private.h"

static void view(const struct bridge *b, const struct identity *id, unsigned rights, struct identity_view *out)
{
    const struct source *s = &b->sources[id->source];
    *out = (struct identity_view){
        .handle = id->handle,
        .adapter = s->number,
        .component = id->component,
        .kind = (enum identity_kind)id->kind,
        .local = identity_part(id, PART_LOCAL),
        .domain = str_c(component_of(b, id->component)->domain),
        .scope = identity_part(id, PART_SCOPE),
        .key = identity_part(id, PART_KEY),
        .name = identity_part(id, PART_NAME),
        .cls = identity_part(id, PART_CLS),
        .group = identity_part(id, PART_GROUP),
        .resource = str_c(s->name),
        .show = (enum show)id->show,
        .text = identity_text(id),
        .quarantined = id->quarantined,
        .changed = id->changed,
        .rights = rights,
        .subscribers = id->subscribers,
        .since = id->since,
    };
}

enum err bridge_find(const struct bridge *b, const struct jid *user, const struct jid *to, struct identity_view *out)
{
    static const struct jid nobody;
    unsigned rights = 0;
    const struct identity *id = user ? seen(b, user, to, &rights) : addressed(b, &nobody, to);
    if (!id && user && bridge_guest(b, to, user)) { // who is in a room with a guest of ours sees it
        id = addressed(b, &nobody, to);
        rights = RIGHT_SEE;
    }
    if (!id || is_self(id) || id->dying)
        return ERR_NOTFOUND;
    view(b, id, rights, out);
    return ERR_OK;
}

enum err bridge_find_key(const struct bridge *b, uint16_t adapter, struct str key, const struct jid *user,
                         struct identity_view *out)
{
    const struct identity *id = named(b, &(struct event){.adapter = adapter, .key = key});
    if (!id)
        return ERR_NOTFOUND;
    view(b, id, user ? rights_on(b, id, user) : 0, out);
    return ERR_OK;
}

static bool heard_by_subscriber(const struct bridge *b, const struct identity *id)
{
    for (const struct sub *s = sub_at(&b->map, id->subs); s; s = sub_at(&b->map, s->identity_next)) {
        struct jid user = user_jid(sub_user(&b->map, s));
        if ((s->state & SUB_TO_USER) && (rights_seen(b, id, &user) & RIGHT_READ))
            return true;
    }
    return false;
}

bool bridge_heard(const struct bridge *b, uint16_t adapter, struct str key)
{
    const struct identity *id = named(b, &(struct event){.adapter = adapter, .key = key});
    if (!id || !component_up(b, id->component))
        return false;
    const struct room *r = room_of(&b->rooms, id);
    return id->kind == IDENTITY_ROOM ? r && r->client_count > 0 : heard_by_subscriber(b, id);
}

bool bridge_next(const struct bridge *b, uint16_t component, const struct jid *user, uint32_t *at,
                 struct identity_view *out)
{
    for (const struct identity *id; (id = pool_next(&b->map.identities.pool, at));) {
        if (is_self(id) || id->dying || (component && id->component != component))
            continue;
        unsigned rights = user ? rights_seen(b, id, user) : 0;
        if (user && !rights)
            continue;
        view(b, id, rights, out);
        return true;
    }
    return false;
}

unsigned bridge_rights(const struct bridge *b, uint16_t component, const struct jid *user)
{
    return user ? rights_on_component(b, component, user) : 0;
}

bool bridge_registered(const struct bridge *b, uint16_t component, const struct jid *user)
{
    const struct component *c = component_of(b, component);
    const struct user *u = user ? user_find(&b->map.users, user) : NULL;
    const struct sub *s = c ? sub_find(&b->map, u, identity_at(&b->map.identities, c->self)) : NULL;
    return s && s->registered;
}

static void sub_view(const struct bridge *b, const struct sub *s, struct subscription_view *out)
{
    const struct identity *id = sub_identity(&b->map, s);
    *out = (struct subscription_view){
        .user = user_jid_text(sub_user(&b->map, s)),
        .local = identity_part(id, PART_LOCAL),
        .domain = str_c(component_of(b, id->component)->domain),
        .state = s->state,
    };
}

// The next of one user's, in the order of his chain: *at is 0 at first, then the one to be shown next, or UINT32_MAX.
static const struct sub *next_of_user(const struct bridge *b, const struct jid *user, uint32_t *at)
{
    if (*at == 0) {
        const struct user *u = user_find(&b->map.users, user);
        *at = u && u->subs ? u->subs : UINT32_MAX;
    }
    const struct sub *s = sub_at(&b->map, *at);
    if (s)
        *at = s->user_next ? s->user_next : UINT32_MAX;
    return s;
}

bool bridge_next_subscription(const struct bridge *b, const struct jid *user, uint32_t *at,
                              struct subscription_view *out)
{
    for (const struct sub *s; (s = user ? next_of_user(b, user, at) : pool_next(&b->map.subs, at));) {
        if (!s->state) // a registration alone
            continue;
        sub_view(b, s, out);
        return true;
    }
    return false;
}

bool bridge_next_rule(const struct bridge *b, size_t *at, uint64_t *number, struct str *rule)
{
    if (*at >= policy_rule_count(b->policy))
        return false;
    policy_rule(b->policy, (*at)++, number, rule);
    return true;
}

bool bridge_rule_before(const struct bridge *b, bool *all, uint64_t *number, struct str *rule)
{
    size_t count = policy_rule_count(b->policy), by;
    if (!count || !policy_rule_before(b->policy, count - 1, &by, all))
        return false;
    policy_rule(b->policy, by, number, rule);
    return true;
}

enum err bridge_check_rule(const struct bridge *b, struct str rule, struct errmsg *msg)
{
    return policy_check_rule(b->policy, rule, msg);
}

bool bridge_is_occupant(const struct bridge *b, const struct jid *user, const struct jid *room)
{
    const struct identity *id = addressed(b, user, room);
    const struct room *r = id ? room_of(&b->rooms, id) : NULL;
    const struct client *c = r ? room_client(r, user) : NULL;
    return c && str_eq(room_nick(c->occupant), room->resource);
}

void bridge_stat(const struct bridge *b, struct bridge_stat *out)
{
    size_t subscriptions = 0;
    uint32_t at = 0;
    for (const struct sub *s; (s = pool_next(&b->map.subs, &at));)
        subscriptions += s->state != 0;
    *out = (struct bridge_stat){
        .identities = b->map.identities.pool.count - b->component_count,
        .quarantined = b->map.identities.quarantined,
        .users = b->map.users.pool.count,
        .subscriptions = subscriptions,
        .registrations = b->map.registrations,
        .rooms = b->rooms.pool.count,
        .pending = b->pendings.pool.count,
        .bytes = mapping_bytes(&b->map) + pendings_bytes(&b->pendings) + pool_bytes(&b->rooms.pool),
    };
}

/* What is on its way */

static size_t flying(const struct bridge *b, const struct source *s)
{
    const struct window *w = &component_of(b, s->component)->window;
    size_t n = 0;
    for (size_t i = 0; i < w->count; i++)
        n += &b->sources[w->flight[i].source] == s;
    return n;
}

// Letters about records that are not settled: these are counted as letters.
static size_t ahead(const struct bridge *b, const struct source *s)
{
    size_t n = 0;
    const struct list_node *all = &b->letters.all;
    for (struct list_node *it = all->next; it != all; it = it->next) {
        const struct letter *l = CONTAINER_OF(it, struct letter, node);
        n += &b->sources[l->source] == s && !l->guest && l->record > s->lane->settled;
    }
    return n;
}

static void view_lane(const struct bridge *b, const struct source *s, struct lane_view *out)
{
    const struct lane *l = s->lane;
    const struct lane_entry *oldest = lane_entry(l, l->settled + 1);
    size_t counted = ahead(b, s), waiting = lane_queued(l);
    uint64_t ended = l->dead + l->expired + l->retrying;
    out->queued = waiting > counted ? waiting - counted : 0;
    out->accepted = l->next - 1;
    out->dead = l->dead;
    out->expired = l->expired;
    out->retrying = l->retrying;
    out->settled = out->accepted - out->queued > ended ? out->accepted - out->queued - ended : 0;
    out->in_flight = flying(b, s);
    out->held = (size_t)(l->fenced - l->settled);
    out->bytes = l->bytes;
    out->parked = l->parked_count;
    out->oldest = oldest ? b->now - oldest->at : 0;
    out->full = deliver_full(s);
}

// The guest number `n`, over all rooms; NULL: there are fewer.
static const struct guest *guest_number(const struct bridge *b, size_t n)
{
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next) {
        const struct venue *venue = CONTAINER_OF(v, struct venue, node);
        if (n >= venue->guest_count) {
            n -= venue->guest_count;
            continue;
        }
        struct list_node *it = venue->guests.next;
        while (n--)
            it = it->next;
        return CONTAINER_OF(it, struct guest, node);
    }
    return NULL;
}

static void view_posts(const struct bridge *b, const struct guest *g, struct lane_view *out)
{
    const struct lane *l = g->lane;
    const struct lane_entry *oldest = lane_entry(l, l->settled + 1);
    const struct venue *v = g->venue;
    *out = (struct lane_view){
        .adapter = str_c(b->sources[g->source].name),
        .room = str_c(v->room),
        .local = identity_part(identity_at(&b->map.identities, g->identity), PART_LOCAL),
        .component = v->component,
        .up = component_up(b, v->component),
        .queued = lane_queued(l),
        .bytes = l->bytes,
        .accepted = l->next - 1,
        .settled = l->settled - (l->dead + l->expired),
        .dead = l->dead,
        .expired = l->expired,
        .oldest = oldest ? b->now - oldest->at : 0,
    };
    for (size_t i = 0; i < v->flight_count; i++)
        out->in_flight += v->flights[i].guest == g;
}

static bool view_source(const struct bridge *b, const struct source *s, struct lane_view *out)
{
    if (!s->lane && !s->later_count && !s->later_lost)
        return false;
    *out = (struct lane_view){.adapter = str_c(s->name),
                              .component = s->component,
                              .later = s->later_count,
                              .later_lost = s->later_lost,
                              .up = component_up(b, s->component)};
    if (s->lane)
        view_lane(b, s, out);
    return true;
}

bool bridge_next_lane(const struct bridge *b, size_t *at, struct lane_view *out)
{
    while (++*at < b->source_count) {
        if (view_source(b, &b->sources[*at], out))
            return true;
    }
    const struct guest *g = guest_number(b, *at - b->source_count);
    if (g)
        view_posts(b, g, out);
    return g != NULL;
}

bool bridge_next_letter(const struct bridge *b, uint64_t *at, struct letter_view *out)
{
    const struct list_node *all = &b->letters.all;
    for (struct list_node *it = all->next; it != all; it = it->next) {
        const struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (l->number <= *at)
            continue;
        const struct source *s = &b->sources[l->source];
        *at = l->number;
        *out = (struct letter_view){.number = l->number,
                                    .record = l->record,
                                    .adapter = str_c(s->name),
                                    .lane = str_c(l->guest ? l->guest->name : s->name),
                                    .local = l->local,
                                    .domain = str_c(component_of(b, s->component)->domain),
                                    .user = l->user,
                                    .id = l->id,
                                    .why = l->why,
                                    .state = l->state,
                                    .attempts = l->attempts,
                                    .since = l->since,
                                    .next = l->next == INT64_MAX ? INT64_MAX : l->next - b->now};
        return true;
    }
    return false;
}

uint64_t bridge_letters_dropped(const struct bridge *b)
{
    return b->letters.dropped;
}

static enum trace trace_state(const struct lane *l, uint64_t record)
{
    if (record <= l->settled)
        return TRACE_SETTLED;
    if (record <= l->fenced)
        return TRACE_HELD;
    return record <= l->sent ? TRACE_SENT : TRACE_WAITS;
}

static bool trace_in(const struct bridge *b, const struct lane *l, struct str id, struct trace_view *out)
{
    uint64_t record = l ? lane_find(l, lane_hash(id)) : 0;
    if (!record)
        return false;
    out->record = record;
    out->state = lane_entry(l, record)->ended ? TRACE_SETTLED : trace_state(l, record);
    out->age = b->now - lane_entry(l, record)->at;
    return true;
}

bool bridge_trace(const struct bridge *b, struct str id, size_t *at, struct trace_view *out)
{
    while (++*at < b->source_count) {
        *out = (struct trace_view){.adapter = str_c(b->sources[*at].name)};
        if (trace_in(b, b->sources[*at].lane, id, out))
            return true;
    }
    for (const struct guest *g; (g = guest_number(b, *at - b->source_count)); ++*at) {
        *out = (struct trace_view){.adapter = str_c(b->sources[g->source].name), .room = str_c(g->venue->room)};
        if (trace_in(b, g->lane, id, out))
            return true;
    }
    return false;
}
