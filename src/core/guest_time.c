/* What time, the link and the end of things do to guests. */
#include "core/guest_private.h"

/* Time */

// No word from the room of what was said longest ago.
static void missing(struct bridge *b, struct effects *out, struct venue *v)
{
    while (v->flight_count && b->now - v->flights[0].at >= GUEST_REFLECT_MS && effects_fit(out, GUEST_EFFECTS)) {
        struct guest *g = v->flights[0].guest;
        guest_doubt(b, g);
        venue_ground(v, g);
        if (++g->misses >= GUEST_MISSES) {
            g->misses = 0;
            guest_say_leave(b, out, g);
            guest_park(b, out, g, ERR_TIMEOUT, STR("the room does not send back what is said in it"), GUEST_PARK_MS);
        } else if (g->state == GUEST_IN) {
            guest_check(b, out, g);
        }
        if (v->listener && v->listener->state == GUEST_IN) // or who should have heard it is not in
            guest_check(b, out, v->listener);
    }
    if (v->flight_count)
        guests_look(b, v->flights[0].at + GUEST_REFLECT_MS);
}

// Nothing is known of it that anybody needs.
static bool retired(const struct guest *g)
{
    const struct lane *l = g->lane;
    return g->state == GUEST_OUT && l->trimmed + 1 == l->next && l->asked == l->answered && !g->letters;
}

int64_t guest_deadline(const struct guest *g)
{
    int64_t at = g->at, trims = lane_deadline(g->lane);
    at = trims < at ? trims : at;
    return retired(g) && g->used + LANE_KEPT_MS < at ? g->used + LANE_KEPT_MS : at;
}

static void retire(struct bridge *b, struct effects *out, struct guest *g)
{
    g->unsure = false;
    guest_store(b, out, g, true);
    post_store_lane(b, out, g);
    store_row(out, &(struct row){.kind = ROW_LANE, .gone = true, .adapter = arena_dup(out->arena, str_c(g->name))});
    guest_remove(&b->venues, g);
}

static void due_in(struct bridge *b, struct effects *out, struct guest *g)
{
    if (g->state == GUEST_MUTED && lane_queued(g->lane)) { // it may have been given voice, and nobody has told
        g->role = ROLE_NONE;
        guest_settle_in(b, out, g);
        return;
    }
    int64_t idle = venue_settings(&b->venues, g->venue)->idle;
    bool quiet = !lane_queued(g->lane) && b->now - g->used >= idle;
    bool needed = identity_at(&b->map.identities, g->identity)->show != SHOW_OFFLINE; // nobody speaks for it any more
    if (quiet && (g->venue->listener != g || !needed)) {
        guest_leave(b, out, g);
    } else if (b->now - g->heard >= GUEST_ROUTINE_MS && guests_busy(b) < ENTERING_MAX) {
        guest_check(b, out, g);
    } else {
        int64_t routine = g->heard + GUEST_ROUTINE_MS, until = g->used + idle;
        guest_look_at(b, g,
                      routine > b->now && (routine < until || until <= b->now) ? routine
                      : until > b->now                                         ? until
                                                                               : b->now + BUSY_MS);
    }
}

static void due_checking(struct bridge *b, struct effects *out, struct guest *g)
{
    enum { CHECKS = 4 };
    if (!component_up(b, g->venue->component)) {
        g->at = INT64_MAX;
    } else if (g->check) { // no answer at all
        g->check = 0;
        g->tries++;
        guest_look_at(b, g, b->now + BACK_MS);
    } else if (g->tries >= CHECKS) {
        guest_doubt(b, g);
        guest_back_off(b, out, g, ERR_TIMEOUT, STR("the room does not answer"));
    } else if (guests_busy(b) >= ENTERING_MAX) {
        guest_look_at(b, g, b->now + BUSY_MS);
    } else {
        guest_check(b, out, g);
    }
}

static void due(struct bridge *b, struct effects *out, struct guest *g)
{
    g->at = INT64_MAX;
    switch (g->state) {
    case GUEST_OUT:
    case GUEST_PARKED:
        venue_busy(&b->venues, g->venue);
        break;
    case GUEST_ENTERING:
        guest_back_off(b, out, g, ERR_TIMEOUT, STR("the room does not answer"));
        break;
    case GUEST_LEARNING:
        guest_look_back(b, out, g, true);
        break;
    case GUEST_CHECKING:
        due_checking(b, out, g);
        break;
    case GUEST_ASKING:
        guest_unanswered(b, out, g, ERR_TIMEOUT);
        break;
    default:
        due_in(b, out, g);
    }
}

// False when the step is full.
bool guests_tick(struct bridge *b, struct effects *out)
{
    struct venues *t = &b->venues;
    struct list_node *v, *next_venue, *it, *safe_it;
    t->next = INT64_MAX;
    LIST_EACH (v, next_venue, &t->all) {
        struct venue *venue = CONTAINER_OF(v, struct venue, node);
        venue_busy(t, venue);
        missing(b, out, venue);
        LIST_EACH (it, safe_it, &venue->guests) {
            struct guest *g = CONTAINER_OF(it, struct guest, node);
            if (!effects_fit(out, GUEST_EFFECTS)) {
                t->next = b->now;
                return false;
            }
            if (retired(g) && b->now - g->used >= LANE_KEPT_MS) {
                bool last = venue->guest_count == 1; // the venue goes with it
                retire(b, out, g);
                if (last)
                    break;
                continue;
            }
            if (g->at <= b->now)
                due(b, out, g);
            guests_look(b, guest_deadline(g));
        }
    }
    return true;
}

int64_t guests_deadline(const struct bridge *b)
{
    return b->stopping ? INT64_MAX : b->venues.next;
}

/* The link, and the end */

static void each_guest(struct bridge *b, uint16_t component, void (*each)(struct bridge *b, struct guest *g))
{
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next) {
        struct venue *venue = CONTAINER_OF(v, struct venue, node);
        if (venue->component != component)
            continue;
        for (struct list_node *it = venue->guests.next; it != &venue->guests; it = it->next)
            each(b, CONTAINER_OF(it, struct guest, node));
        venue_busy(&b->venues, venue);
    }
}

static void link_down(struct bridge *b, struct guest *g)
{
    bool there = guest_is_in(g) || g->state == GUEST_ENTERING || g->state == GUEST_CHECKING;
    if (!b->stopping)
        guest_doubt(b, g);
    g->venue->last.guest = NULL; // who knows what is said there now
    g->role = ROLE_NONE;
    if (!there)
        return;
    guest_set_state(b, g, GUEST_CHECKING);
    g->at = INT64_MAX;
}

static void link_up(struct bridge *b, struct guest *g)
{
    g->tries = 0;
    if (g->state == GUEST_CHECKING || g->state == GUEST_OUT)
        guest_look_at(b, g, b->now);
}

static void reconfigured(struct bridge *b, struct guest *g)
{
    bool lacks = g->why == ERR_AUTH || g->why == ERR_NOTFOUND;
    if (g->state == GUEST_PARKED && lacks)
        guest_look_at(b, g, b->now);
}

void guests_reconfigured(struct bridge *b)
{
    for (size_t i = 1; i <= b->component_count; i++)
        each_guest(b, (uint16_t)i, reconfigured);
}

// What waited for its output can go on.
void guests_drained(struct bridge *b, uint16_t component)
{
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next) {
        struct venue *venue = CONTAINER_OF(v, struct venue, node);
        if (venue->component == component)
            venue_busy(&b->venues, venue);
    }
}

void guests_link_down(struct bridge *b, uint16_t component)
{
    each_guest(b, component, link_down);
}

void guests_link_up(struct bridge *b, uint16_t component)
{
    each_guest(b, component, link_up);
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next)
        CONTAINER_OF(v, struct venue, node)->no_archive = false; // who knows what has begun anew
}

// False when the step is full.
static bool end_guest(struct bridge *b, struct effects *out, struct guest *g)
{
    if (!effects_fit(out, GUEST_EFFECTS))
        return false;
    if (guest_is_in(g) || g->state == GUEST_ENTERING)
        guest_say_leave(b, out, g);
    if (g->lane->row_due)
        post_store_lane(b, out, g);
    g->state = GUEST_OUT;
    return true;
}

bool guests_end(struct bridge *b, struct effects *out, uint16_t component)
{
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next) {
        struct venue *venue = CONTAINER_OF(v, struct venue, node);
        for (struct list_node *it = venue->guests.next; it != &venue->guests; it = it->next) {
            if (venue->component == component && !end_guest(b, out, CONTAINER_OF(it, struct guest, node)))
                return false;
        }
    }
    return true;
}

// Of an identity that is forgotten. False when the step is full.
bool guests_forget(struct bridge *b, struct effects *out, const struct identity *id)
{
    struct list_node *v, *safe_v;
    LIST_EACH (v, safe_v, &b->venues.all) {
        struct guest *g = venue_guest(CONTAINER_OF(v, struct venue, node), id->handle);
        if (!g)
            continue;
        if (!effects_fit(out, GUEST_EFFECTS) || !letters_drop_guest(b, out, g))
            return false;
        if (guest_is_in(g) || g->state == GUEST_ENTERING || g->state == GUEST_CHECKING)
            guest_say_leave(b, out, g);
        g->lane->trimmed = g->lane->settled = g->lane->next - 1; // with all that it was still to say
        retire(b, out, g);
    }
    return true;
}
