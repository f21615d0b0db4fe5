#include "core/venue.h"

#include "base/mem.h"

#include <assert.h>

enum { KEY_MAX = sizeof(uint16_t) + 2 * JID_PART_MAX + 1 };

void venues_init(struct venues *t)
{
    *t = (struct venues){.next = INT64_MAX};
    list_init(&t->all);
    list_init(&t->work);
    map_init(&t->by_room);
    map_init(&t->by_lane);
}

static struct venue *venue_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct venue, node);
}

static struct guest *guest_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct guest, node);
}

static void drop_settings(struct venues *t)
{
    for (size_t i = 0; i < t->settings_count; i++) {
        mem_free(t->settings[i].room);
        mem_free(t->settings[i].password);
    }
    mem_free(t->settings);
    t->settings = NULL;
    t->settings_count = 0;
}

void venues_finish(struct venues *t)
{
    while (!list_empty(&t->all))
        guest_remove(t, guest_at(venue_at(t->all.next)->guests.next));
    map_finish(&t->by_room);
    map_finish(&t->by_lane);
    drop_settings(t);
}

/* Settings */

static char *keep(struct str s)
{
    return s.n ? mem_dup(s.p, s.n) : NULL;
}

void venues_configure(struct venues *t, const struct bridge_venue *v, size_t count)
{
    drop_settings(t);
    t->settings = mem_zalloc(count + 1, sizeof *t->settings);
    for (size_t i = 0; i < count; i++)
        t->settings[i] = (struct venue_settings){.room = keep(v[i].room),
                                                 .password = keep(v[i].password),
                                                 .create = v[i].create,
                                                 .cap = v[i].cap ? v[i].cap : GUEST_CAP,
                                                 .idle = v[i].idle ? v[i].idle : GUEST_IDLE_MS};
    t->settings_count = count;
}

const struct venue_settings *venue_settings(const struct venues *t, const struct venue *v)
{
    static const struct venue_settings usual = {.cap = GUEST_CAP, .idle = GUEST_IDLE_MS};
    const struct venue_settings *found = &usual;
    for (size_t i = 0; i < t->settings_count; i++) {
        const struct venue_settings *s = &t->settings[i];
        if (s->room && str_eq_c(str_c(v->room), s->room))
            return s;
        if (!s->room)
            found = s;
    }
    return found;
}

/* Venues */

static struct str put_key(char to[KEY_MAX], uint16_t component, const struct jid *room)
{
    char *at = to;
    memcpy(at, &component, sizeof component);
    at += sizeof component;
    if (room->local.n) {
        memcpy(at, room->local.p, room->local.n);
        at += room->local.n;
        *at++ = '@';
    }
    memcpy(at, room->domain.p, room->domain.n);
    at += room->domain.n;
    return (struct str){to, (size_t)(at - to)};
}

struct jid venue_jid(const struct venue *v)
{
    struct str text = str_c(v->room);
    if (!v->local_len)
        return (struct jid){.domain = text};
    return (struct jid){.local = str_sub(text, 0, v->local_len), .domain = str_sub(text, v->local_len + 1, text.n)};
}

static bool fits(const struct jid *room)
{
    return room->domain.n && room->local.n <= JID_PART_MAX && room->domain.n <= JID_PART_MAX;
}

struct venue *venue_find(const struct venues *t, uint16_t component, const struct jid *room)
{
    char key[KEY_MAX];
    if (list_empty(&t->all) || !fits(room))
        return NULL;
    return map_get(&t->by_room, put_key(key, component, room));
}

struct venue *venue_take(struct venues *t, uint16_t component, const struct jid *room)
{
    struct venue *v = venue_find(t, component, room);
    if (v)
        return v;
    assert(fits(room));
    char buffer[KEY_MAX];
    struct str key = put_key(buffer, component, room);
    v = mem_zalloc(1, sizeof *v + key.n);
    memcpy(v->key, key.p, key.n);
    v->room = mem_dup(key.p + sizeof component, key.n - sizeof component);
    v->local_len = room->local.n;
    v->component = component;
    list_init(&v->guests);
    map_init(&v->people);
    list_init(&v->work);
    list_init(&v->node);
    list_push(&t->all, &v->node);
    (void)map_put(&t->by_room, (struct str){v->key, key.n}, v);
    return v;
}

static void venue_remove(struct venues *t, struct venue *v)
{
    (void)map_remove(&t->by_room, (struct str){v->key, sizeof v->component + strlen(v->room)});
    list_remove(&v->node);
    list_remove(&v->work);
    venue_forget_people(v);
    map_finish(&v->people);
    mem_free(v->room);
    mem_free(v);
}

struct guest *venue_guest(const struct venue *v, uint32_t identity)
{
    for (struct list_node *it = v->guests.next; it != &v->guests; it = it->next) {
        if (guest_at(it)->identity == identity)
            return guest_at(it);
    }
    return NULL;
}

bool guest_is_in(const struct guest *g)
{
    return g->state == GUEST_IN || g->state == GUEST_MUTED || g->state == GUEST_LEARNING || g->state == GUEST_ASKING;
}

static bool holds_nick(const struct guest *g)
{
    return g->nick && (guest_is_in(g) || g->state == GUEST_ENTERING || g->state == GUEST_CHECKING);
}

struct guest *venue_guest_named(const struct venue *v, struct str nick)
{
    for (struct list_node *it = v->guests.next; it != &v->guests; it = it->next) {
        struct guest *g = guest_at(it);
        if (holds_nick(g) && str_eq_c(nick, g->nick))
            return g;
    }
    return NULL;
}

size_t venue_in(const struct venue *v)
{
    size_t n = 0;
    for (struct list_node *it = v->guests.next; it != &v->guests; it = it->next)
        n += guest_at(it)->state != GUEST_OUT && guest_at(it)->state != GUEST_PARKED;
    return n;
}

/* Guests */

struct guest *guest_add(struct venues *t, struct venue *v, uint32_t identity, uint16_t source, struct str name)
{
    struct guest *g = MEM_NEW(struct guest);
    g->venue = v;
    g->identity = identity;
    g->source = source;
    g->name = mem_dup(name.p, name.n);
    g->lane = lane_create();
    g->at = INT64_MAX;
    g->kicked = g->invited = INT64_MIN;
    list_init(&g->node);
    list_push(&v->guests, &g->node);
    v->guest_count++;
    t->guest_count++;
    (void)map_put(&t->by_lane, str_c(g->name), g);
    return g;
}

void guest_remove(struct venues *t, struct guest *g)
{
    struct venue *v = g->venue;
    venue_ground(v, g);
    if (v->listener == g)
        v->listener = NULL;
    if (v->last.guest == g)
        v->last.guest = NULL;
    (void)map_remove(&t->by_lane, str_c(g->name));
    list_remove(&g->node);
    v->guest_count--;
    t->guest_count--;
    lane_destroy(g->lane);
    mem_free(g->name);
    mem_free(g->nick);
    mem_free(g->was);
    mem_free(g->wish);
    mem_free(g->reason);
    mem_free(g->past_ids);
    mem_free(g);
    if (list_empty(&v->guests))
        venue_remove(t, v);
}

void guest_recall(struct guest *g, uint64_t hash)
{
    if (!g->past_ids)
        g->past_ids = mem_zalloc(GUEST_PAST, sizeof *g->past_ids);
    if (g->past_count < GUEST_PAST && !guest_recalls(g, hash))
        g->past_ids[g->past_count++] = hash;
}

bool guest_recalls(const struct guest *g, uint64_t hash)
{
    for (size_t i = 0; i < g->past_count; i++) {
        if (g->past_ids[i] == hash)
            return true;
    }
    return false;
}

struct guest *guest_of_lane(const struct venues *t, struct str name)
{
    return map_get(&t->by_lane, name);
}

void venue_busy(struct venues *t, struct venue *v)
{
    if (list_empty(&v->work))
        list_push(&t->work, &v->work);
}

const char *guest_state_name(enum guest_state s)
{
    static const char *const names[GUEST_STATES] = {
        [GUEST_OUT] = "out",           [GUEST_ENTERING] = "entering", [GUEST_LEARNING] = "learning",
        [GUEST_CHECKING] = "checking", [GUEST_ASKING] = "asking",     [GUEST_IN] = "in",
        [GUEST_MUTED] = "muted",       [GUEST_PARKED] = "parked"};
    return names[s];
}

/* People */

struct person *venue_person(const struct venue *v, struct str nick)
{
    return map_get(&v->people, nick);
}

void venue_meet(struct venue *v, struct str nick, enum affiliation affiliation)
{
    struct person *p = venue_person(v, nick);
    if (!p && v->people.count < VENUE_PEOPLE_MAX) {
        p = mem_alloc(sizeof *p + nick.n);
        memcpy(p->nick, nick.p, nick.n);
        (void)map_put(&v->people, (struct str){p->nick, nick.n}, p);
    }
    if (p)
        p->affiliation = affiliation;
}

void venue_part(struct venue *v, struct str nick)
{
    mem_free(map_remove(&v->people, nick));
}

void venue_forget_people(struct venue *v)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&v->people, &at, &key, &value))
        mem_free(value);
    map_clear(&v->people);
}

/* Flights */

void venue_fly(struct venue *v, struct guest *g, uint64_t number, struct str id, int64_t now)
{
    assert(v->flight_count < VENUE_FLIGHTS);
    v->flights[v->flight_count++] = (struct flight_out){g, number, now, mem_dup(id.p, id.n)};
}

static void drop_flight(struct venue *v, size_t at)
{
    mem_free(v->flights[at].id);
    v->flight_count--;
    memmove(v->flights + at, v->flights + at + 1, (v->flight_count - at) * sizeof *v->flights);
}

bool venue_land(struct venue *v, const struct guest *g, uint64_t number)
{
    for (size_t i = 0; i < v->flight_count; i++) {
        if (v->flights[i].guest != g || v->flights[i].number != number)
            continue;
        drop_flight(v, i);
        return true;
    }
    return false;
}

const struct flight_out *venue_first(const struct venue *v, const struct guest *g)
{
    for (size_t i = 0; i < v->flight_count; i++) {
        if (v->flights[i].guest == g)
            return &v->flights[i];
    }
    return NULL;
}

void venue_ground(struct venue *v, const struct guest *g)
{
    for (size_t i = v->flight_count; i > 0; i--) {
        if (v->flights[i - 1].guest == g)
            drop_flight(v, i - 1);
    }
}
