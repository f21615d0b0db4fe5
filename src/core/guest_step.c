/* Entering rooms elsewhere, staying in them, and coming back.
 *
 * Happy path: a guest has something to say -> OUT -> ENTERING -> its own presence comes back -> IN; its address is
 * stored. Failures: the room refuses: `refusals` tells what for and what then: another nick, a later try, or PARKED,
 * where the adapter and people see the reason; it was thrown out: `exits`; the room is silent, the link was down, the
 * process was killed: CHECKING (XEP-0410), and when something may have been lost, ASKING the room's archive (XEP-0313)
 * or LEARNING what it tells who enters anew: what the room has heard is settled, the rest is said again. */
#include "core/guest_private.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <assert.h>

enum {
    BACK_MAX = 300000,
    SUSPECT_MS = 300000, // what a process said last before it ended, and how long the next was in coming
    SINCE_MS = 10000,    // clocks differ: the past is asked about from so long before
};

void guests_look(struct bridge *b, int64_t at)
{
    if (at < b->venues.next)
        b->venues.next = at;
}

void guest_look_at(struct bridge *b, struct guest *g, int64_t at)
{
    g->at = at;
    guests_look(b, at);
}

void guest_keep(char **to, struct str text)
{
    char *copy = text.n ? mem_dup(text.p, text.n) : NULL;
    mem_free(*to);
    *to = copy;
}

/* States */

#define TO(state) (1U << GUEST_##state)

static const unsigned edges[GUEST_STATES] = {
    [GUEST_OUT] = TO(ENTERING) | TO(LEARNING) | TO(PARKED) | TO(CHECKING),
    [GUEST_ENTERING] = TO(OUT) | TO(LEARNING) | TO(IN) | TO(MUTED) | TO(PARKED) | TO(CHECKING) | TO(ENTERING),
    [GUEST_LEARNING] = TO(OUT) | TO(ASKING) | TO(IN) | TO(MUTED) | TO(PARKED) | TO(CHECKING),
    [GUEST_CHECKING] = TO(OUT) | TO(ENTERING) | TO(ASKING) | TO(IN) | TO(MUTED) | TO(PARKED) | TO(CHECKING),
    [GUEST_ASKING] = TO(OUT) | TO(ENTERING) | TO(IN) | TO(MUTED) | TO(PARKED) | TO(CHECKING),
    [GUEST_IN] = TO(OUT) | TO(MUTED) | TO(PARKED) | TO(CHECKING),
    [GUEST_MUTED] = TO(OUT) | TO(IN) | TO(PARKED) | TO(CHECKING),
    [GUEST_PARKED] = TO(ENTERING) | TO(OUT) | TO(PARKED),
};

static void elect(struct venue *v)
{
    if (v->listener && (guest_is_in(v->listener) || v->listener->state == GUEST_CHECKING))
        return;
    v->listener = NULL;
    for (struct list_node *it = v->guests.next; it != &v->guests && !v->listener; it = it->next) {
        struct guest *g = CONTAINER_OF(it, struct guest, node);
        v->listener = guest_is_in(g) ? g : NULL;
    }
}

void guest_set_state(struct bridge *b, struct guest *g, enum guest_state state)
{
    assert(g->state == state || (edges[g->state] & 1U << state));
    bool out = state == GUEST_OUT || state == GUEST_PARKED;
    if (out && g->nick && g->state != state)
        venue_part(g->venue, str_c(g->nick));
    g->state = state;
    g->check = 0;
    elect(g->venue);
    venue_busy(&b->venues, g->venue);
}

static const struct identity *identity_of(const struct bridge *b, const struct guest *g)
{
    return identity_at(&b->map.identities, g->identity);
}

void guest_store(struct bridge *b, struct effects *out, struct guest *g, bool gone)
{
    if (gone && (!g->stored || g->unsure)) // what is unsure was said under the nick of the row
        return;
    const struct identity *id = identity_of(b, g);
    const char *nick = g->was ? g->was : g->nick;
    g->stored = !gone;
    store_row(out, &(struct row){.kind = ROW_GUEST,
                                 .gone = gone,
                                 .domain = str_c(component_of(b, id->component)->domain),
                                 .local = arena_dup(out->arena, identity_part(id, PART_LOCAL)),
                                 .user = arena_dup(out->arena, str_c(g->venue->room)),
                                 .name = gone ? STR_NONE : arena_dup(out->arena, str_c(nick)),
                                 .since = b->wall});
}

// Tells its adapter what keeps it out, or that nothing does any more.
static void tell(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why)
{
    struct event ev = {.kind = EV_PARKED, .adapter = b->sources[g->source].number, .err = err, .body = why};
    if (!ev.adapter || (!err && !g->told))
        return;
    g->told = err != ERR_OK;
    struct jid room = venue_jid(g->venue);
    ev.user = (struct jid){arena_dup(out->arena, room.local), arena_dup(out->arena, room.domain), STR_NONE};
    ev.key = arena_dup(out->arena, identity_part(identity_of(b, g), PART_KEY));
    say_south(b, out, &ev);
}

void guest_explain(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why)
{
    g->why = err;
    guest_keep(&g->reason, utf8_cut(why, REASON_MAX));
    tell(b, out, g, err, arena_dup(out->arena, str_c(g->reason)));
}

static void well(struct bridge *b, struct effects *out, struct guest *g)
{
    tell(b, out, g, ERR_OK, STR_NONE);
    g->why = ERR_OK;
    guest_keep(&g->reason, STR_NONE);
    g->tries = g->clashes = 0;
    g->heard = b->now;
    guest_look_at(b, g, b->now + GUEST_ROUTINE_MS);
}

/* What goes out */

struct event guest_event(struct bridge *b, struct effects *out, const struct guest *g, enum event_kind kind)
{
    struct event ev = speak_for(b, out, kind, identity_of(b, g));
    struct jid room = venue_jid(g->venue);
    ev.to.resource = str_c(b->sources[g->source].name);
    ev.user = (struct jid){arena_dup(out->arena, room.local), arena_dup(out->arena, room.domain), STR_NONE};
    ev.nick = arena_dup(out->arena, str_c(g->nick));
    ev.adapter = 0;
    return ev;
}

void guest_say_leave(struct bridge *b, struct effects *out, struct guest *g)
{
    struct event ev = guest_event(b, out, g, EV_LEAVE);
    ev.user.resource = ev.nick;
    say_north(b, out, &ev);
    guest_store(b, out, g, true);
}

void guest_doubt(struct bridge *b, struct guest *g)
{
    const struct flight_out *first = venue_first(g->venue, g);
    if (g->lane->sent == g->lane->settled)
        return;
    if (!g->unsure)
        g->since = first ? first->at : 0;
    g->unsure = true;
    post_again(b, g);
}

// Monotonic ms when the first was said, or accepted, that is unsure.
static int64_t unsure_since(const struct bridge *b, const struct guest *g)
{
    const struct lane *l = g->lane;
    const struct lane_entry *e = NULL;
    for (uint64_t n = l->settled + 1; n < l->next && (!e || e->ended); n++)
        e = lane_entry(l, n);
    return g->since ? g->since : e ? e->at : b->now;
}

void guest_suspect(struct bridge *b, struct guest *g, int64_t then)
{
    int64_t before = then - SUSPECT_MS, known = unsure_since(b, g);
    if (!g->unsure)
        post_again(b, g);
    g->unsure = g->nameless = true;
    g->past = 0;
    g->since = before < known ? before : known;
    g->since = g->since ? g->since : 1;
}

// Wall ms since when the room may have heard what is not settled.
static int64_t since(const struct bridge *b, const struct guest *g)
{
    int64_t wall = b->wall - (b->now - unsure_since(b, g)) - SINCE_MS;
    return wall > 1 ? wall : 1;
}

void guest_park(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why, int64_t ms)
{
    guest_store(b, out, g, true);
    guest_set_state(b, g, GUEST_PARKED);
    guest_look_at(b, g, b->now + ms);
    guest_explain(b, out, g, err, why);
}

// Ms; longer after each failure.
static int64_t delay_of(struct bridge *b, const struct guest *g)
{
    int64_t delay = BACK_MS;
    for (unsigned i = 0; i < g->tries + g->misses + g->asks && delay < BACK_MAX; i++)
        delay *= 2;
    delay = delay < BACK_MAX ? delay : BACK_MAX;
    return delay / 2 + (int64_t)rng_below(&b->rng, (uint64_t)delay);
}

void guest_back_off(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why)
{
    int64_t delay = delay_of(b, g);
    g->tries++;
    guest_store(b, out, g, true);
    guest_set_state(b, g, GUEST_OUT);
    guest_look_at(b, g, b->now + delay);
    guest_explain(b, out, g, err, why);
}

void guest_pause(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why)
{
    guest_set_state(b, g, GUEST_CHECKING);
    guest_look_at(b, g, b->now + delay_of(b, g));
    guest_explain(b, out, g, err, why);
}

/* Nicks */

static bool safe(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {{0x20, 0x7e},   {0xa1, 0xac},     {0xae, 0x220},    {0x391, 0x3ce},   {0x400, 0x486},  {0x5d0, 0x5ea},
                  {0x621, 0x63a}, {0x3041, 0x3094}, {0x30a1, 0x30fa}, {0x4e00, 0x9fa5}, {0xac00, 0xd7a3}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    }
    return false;
}

// Without what a server of an old Unicode does not know (ejabberd: all that is not in 3.2).
static struct str plain_nick(struct arena *a, struct str nick)
{
    char *text = arena_alloc(a, nick.n + 1);
    size_t n = 0;
    for (size_t at = 0; at < nick.n;) {
        size_t from = at;
        if (safe(utf8_next(nick, &at))) {
            memcpy(text + n, nick.p + from, at - from);
            n += at - from;
        }
    }
    struct str plain = str_trim((struct str){text, n});
    return plain.n ? plain : STR("guest");
}

static bool taken(const struct venue *v, const struct guest *g, struct str nick)
{
    const struct guest *other = venue_guest_named(v, nick);
    if (other && other != g)
        return true;
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&v->people, &at, &key, &value)) {
        if (str_case_eq(key, nick) && !venue_guest_named(v, key))
            return true;
    }
    return false;
}

static struct str wished(const struct bridge *b, struct effects *out, const struct guest *g)
{
    struct str wish = g->wish ? str_c(g->wish) : identity_part(identity_of(b, g), PART_NAME);
    wish = str_empty(wish) ? identity_part(identity_of(b, g), PART_LOCAL) : wish;
    wish = utf8_cut(str_trim(wish), GUEST_NICK_MAX);
    return g->plain ? plain_nick(out->arena, wish) : wish;
}

// Makes it what the room will make of it (resourceprep): full-width letters are letters then, and their owner is seen
// to be there. False when it is no nick.
static bool prepare_nick(struct effects *out, const struct venue *v, struct str *nick)
{
    struct jid jid, room = venue_jid(v);
    if (!nick->n || jid_make(out->arena, room.local, room.domain, *nick, &jid))
        return false;
    *nick = str_trim(jid.resource);
    return nick->n;
}

// A nick that nobody there has, as far as is known; false when too many are taken.
static bool choose_nick(struct bridge *b, struct effects *out, struct guest *g)
{
    struct str wish = wished(b, out, g);
    if (!prepare_nick(out, g->venue, &wish)) {
        g->plain = true;
        wish = wished(b, out, g);
    }
    // Those of ours are known to have theirs: of them, nobody has to be asked.
    for (; g->clashes < GUEST_CLASHES + g->venue->guest_count; g->clashes++) {
        struct str nick = g->clashes ? arena_printf(out->arena, STR_FMT " %u", STR_ARG(wish), g->clashes + 1) : wish;
        if (taken(g->venue, g, nick))
            continue;
        if (g->unsure && g->nick && !g->was && !str_eq_c(nick, g->nick))
            guest_keep(&g->was, str_c(g->nick));
        guest_keep(&g->nick, nick);
        return true;
    }
    return false;
}

void guest_wish(struct bridge *b, struct effects *out, struct guest *g, struct str nick)
{
    (void)b, (void)out;
    bool away = g->state == GUEST_OUT || g->state == GUEST_PARKED;
    if (nick.n && (away || !g->wish))
        guest_keep(&g->wish, nick);
}

/* Entering */

static size_t count_busy(const struct venues *t)
{
    size_t n = 0;
    for (struct list_node *v = t->all.next; v != &t->all; v = v->next) {
        const struct venue *venue = CONTAINER_OF(v, struct venue, node);
        for (struct list_node *it = venue->guests.next; it != &venue->guests; it = it->next) {
            const struct guest *g = CONTAINER_OF(it, struct guest, node);
            n += g->state == GUEST_ENTERING || (g->state == GUEST_CHECKING && g->check);
        }
    }
    return n;
}

size_t guests_busy(struct bridge *b)
{
    struct venues *t = &b->venues;
    if (!t->counted)
        t->busy = count_busy(t);
    t->counted = true;
    return t->busy;
}

// One that may leave so that another may enter: the one that was silent longest.
static struct guest *idlest(const struct bridge *b, const struct venue *v)
{
    struct guest *found = NULL;
    for (struct list_node *it = v->guests.next; it != &v->guests; it = it->next) {
        struct guest *g = CONTAINER_OF(it, struct guest, node);
        bool may = g->state == GUEST_IN && !lane_queued(g->lane) && g->used < b->now - 1000;
        if (may && (!found || g->used < found->used))
            found = g;
    }
    return found;
}

void guest_leave(struct bridge *b, struct effects *out, struct guest *g)
{
    guest_say_leave(b, out, g);
    guest_set_state(b, g, GUEST_OUT);
    guest_look_at(b, g, b->now + LANE_KEPT_MS);
}

// Whether there is room for one more of ours in the venue; makes it where that can be.
static bool room_for(struct bridge *b, struct effects *out, struct venue *v)
{
    if (venue_in(v) < venue_settings(&b->venues, v)->cap)
        return true;
    struct guest *idle = idlest(b, v);
    if (!idle)
        return false;
    guest_leave(b, out, idle);
    return true;
}

void guest_enter(struct bridge *b, struct effects *out, struct guest *g)
{
    if (!choose_nick(b, out, g)) {
        g->clashes = 0;
        guest_park(b, out, g, ERR_EXISTS, STR("others in the room have its nick, and all that were tried"),
                   GUEST_PARK_MS);
        return;
    }
    struct event ev = guest_event(b, out, g, EV_ENTER);
    ev.body = arena_dup(out->arena, str_c(venue_settings(&b->venues, g->venue)->password));
    ev.stamp = g->unsure ? since(b, g) : 0;
    if (!venue_in(g->venue))
        venue_forget_people(g->venue); // it is told anew who is there
    guest_set_state(b, g, GUEST_ENTERING);
    b->venues.busy++;
    guest_look_at(b, g, b->now + GUEST_ENTER_MS);
    say_north(b, out, &ev);
}

void guest_come(struct bridge *b, struct effects *out, struct guest *g)
{
    bool away = g->state == GUEST_OUT || g->state == GUEST_PARKED;
    bool rests = (g->tries || g->state == GUEST_PARKED || g->why) && g->at != INT64_MAX && g->at > b->now;
    if (!away || rests)
        return;
    bool busy = guests_busy(b) >= ENTERING_MAX;
    if (busy || !room_for(b, out, g->venue))
        guest_look_at(b, g, b->now + (busy ? BUSY_MS : GUEST_FULL_MS));
    else
        guest_enter(b, out, g);
}

struct guest *guest_take(struct bridge *b, const struct identity *id, const struct jid *room)
{
    struct venues *t = &b->venues;
    struct venue *v = venue_find(t, id->component, room);
    struct guest *g = v ? venue_guest(v, id->handle) : NULL;
    if (g || t->guest_count >= GUESTS_MAX)
        return g;
    struct arena a;
    arena_init(&a, 512);
    struct str name = arena_printf(&a, "%s " STR_FMT " " STR_FMT, b->sources[id->source].name,
                                   STR_ARG(jid_format_bare(&a, room)), STR_ARG(identity_part(id, PART_KEY)));
    g = guest_add(t, venue_take(t, id->component, room), id->handle, id->source, name);
    arena_finish(&a);
    return g;
}

/* Looking whether it is in */

void guest_check(struct bridge *b, struct effects *out, struct guest *g)
{
    struct event ev = guest_event(b, out, g, EV_CHECK);
    ev.user.resource = ev.nick;
    guest_set_state(b, g, GUEST_CHECKING);
    ev.number = g->check = ++b->venues.serial;
    guest_look_at(b, g, b->now + GUEST_CHECK_MS);
    b->venues.busy++;
    say_north(b, out, &ev);
}

bool guest_verify(struct bridge *b, struct effects *out, struct guest *g)
{
    if (!g->unsure && b->now - g->heard < GUEST_QUIET_MS)
        return false;
    guest_check(b, out, g);
    return true;
}

static void ask_archive(struct bridge *b, struct effects *out, struct guest *g)
{
    struct event ev = guest_event(b, out, g, EV_CATCHUP);
    ev.stamp = since(b, g);
    if (g->past > ev.stamp)
        ev.stamp = g->past;
    guest_set_state(b, g, GUEST_ASKING);
    g->asked = ev.stamp;
    g->asks++;
    ev.number = g->check = ++b->venues.serial;
    guest_look_at(b, g, b->now + GUEST_CHECK_MS * 2);
    say_north(b, out, &ev);
}

// It is in, and what it said before is known as far as can be.
void guest_settle_in(struct bridge *b, struct effects *out, struct guest *g)
{
    bool mute = g->role == ROLE_VISITOR, stale = !g->stored || g->was;
    if (g->refused)
        post_again(b, g);
    g->unsure = g->learned = g->nameless = g->refused = false;
    g->asks = 0;
    g->since = g->past = 0;
    guest_keep(&g->was, STR_NONE);
    guest_set_state(b, g, mute ? GUEST_MUTED : GUEST_IN);
    if (stale)
        guest_store(b, out, g, false);
    if (!mute) {
        well(b, out, g);
        return;
    }
    guest_look_at(b, g, b->now + GUEST_PARK_MS);
    guest_explain(b, out, g, ERR_FORBIDDEN, STR("it has no voice in this room: a moderator must give it voice"));
}

static bool may_ask_archive(const struct guest *g)
{
    return g->asks < GUEST_ASKS && !g->venue->no_archive;
}

// It is in; what it said before may have been lost.
void guest_look_back(struct bridge *b, struct effects *out, struct guest *g, bool told)
{
    g->learned = told;
    if (g->refused && venue_first(g->venue, g))
        guest_doubt(b, g);
    if (!g->unsure || !lane_queued(g->lane) || (told && !may_ask_archive(g))) {
        guest_settle_in(b, out, g);
    } else if (may_ask_archive(g)) {
        ask_archive(b, out, g);
    } else { // the room tells who enters
        guest_say_leave(b, out, g);
        guest_enter(b, out, g);
    }
}

static struct guest *guest_of(const struct bridge *b, const struct jid *to, const struct jid *from)
{
    const struct venues *t = &b->venues;
    if (list_empty(&t->all) || str_empty(to->local))
        return NULL;
    uint16_t component = component_at(b, to->domain);
    const struct venue *v = component ? venue_find(t, component, from) : NULL;
    const struct identity *id = v ? identity_find(&b->map.identities, component, to->local, STR_NONE) : NULL;
    return id ? venue_guest(v, id->handle) : NULL;
}

enum guest_ear bridge_guest(const struct bridge *b, const struct jid *to, const struct jid *from)
{
    const struct guest *g = guest_of(b, to, from);
    if (!g)
        return GUEST_NONE;
    bool learns = g->state == GUEST_ENTERING || g->state == GUEST_LEARNING || g->state == GUEST_ASKING;
    const struct guest *listener = g->venue->listener;
    return listener == g || !listener || !guest_is_in(listener) || learns ? GUEST_LISTENS : GUEST_SILENT;
}

struct guest *guest_met(const struct bridge *b, const struct event *ev)
{
    return guest_of(b, &ev->to, &ev->user);
}

void guest_enter_anew(struct bridge *b, struct effects *out, struct guest *g)
{
    guest_store(b, out, g, true);
    guest_set_state(b, g, GUEST_OUT);
    g->at = b->now;
    if (lane_queued(g->lane))
        guest_enter(b, out, g);
}

void checked_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g || g->state != GUEST_CHECKING || !g->check || g->check != ev->number)
        return;
    g->check = 0;
    if (!ev->err) {
        guest_look_back(b, out, g, false);
    } else if (ev->err == ERR_TIMEOUT || ev->err == ERR_CLOSED) { // undecided
        g->tries++;
        guest_look_at(b, g, b->now + BACK_MS * (int64_t)g->tries * 5);
    } else {
        guest_doubt(b, g);
        guest_enter_anew(b, out, g);
    }
}

void guest_unanswered(struct bridge *b, struct effects *out, struct guest *g, enum err err)
{
    bool passes = err == ERR_TIMEOUT || err == ERR_CLOSED || err == ERR_AGAIN || err == ERR_RESOLVE;
    if (passes && g->asks < GUEST_ASKS) {
        guest_pause(b, out, g, err, STR("the room's archive does not answer"));
        return;
    }
    if (err == ERR_LIMIT || passes)
        g->asks = GUEST_ASKS;
    else
        g->venue->no_archive = true;
    guest_look_back(b, out, g, g->learned);
}

void caught_up_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g || g->state != GUEST_ASKING || g->check != ev->number)
        return;
    if (ev->err == ERR_LIMIT && g->past > g->asked) { // it has more
        g->asks--;
        ask_archive(b, out, g);
    } else if (ev->err) {
        guest_unanswered(b, out, g, ev->err);
    } else {
        guest_settle_in(b, out, g);
    }
}
