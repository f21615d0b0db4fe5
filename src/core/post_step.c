/* What an adapter has promised to say in rooms elsewhere: from its durable message to the room's reflection of it.
 *
 * Happy path: accepted -> a row of the journal (and the adapter's acknowledgement once that is durable) -> its guest is
 * in the room, or enters -> said -> the room reflects it, under our id -> settled, and the adapter is told. Failures:
 * the guest cannot enter: what it is to say waits, until it is too old; no reflection: guest_step.c looks what the room
 * has heard, and only what it has not is said again, under the same id; the room refuses one message for good: a
 * letter; the link or the process goes: the same as no reflection. What identities say in one room goes out in the
 * order in which it was accepted, so far as each of them can enter. */
#include "core/post_private.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdlib.h>

enum {
    BODY_MAX = 65536, // bytes of a record
    ID_MAX = 1000,    // as in deliver.c
    URL_MAX = 4096,
    LATE_MS = 10000,  // what is said later than that says when it was meant
    ROW_MS = 100,     // between two rows of a lane, while more is said
    POST_EFFECTS = 8, // what one message takes of a step at most
    MARK = 0x1f,      // between the parts of a record's extra
};

/* What a record has beside its text */

static bool fits(struct str s, size_t max)
{
    bool good = s.n <= max;
    for (size_t i = 0; good && i < s.n; i++)
        good = (unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f;
    return good;
}

static struct str pack(struct arena *a, const struct extra *x)
{
    return arena_printf(a, STR_FMT "\x1f" STR_FMT "\x1f" STR_FMT "\x1f" STR_FMT "\x1f%lld\x1f%d\x1f%lld\x1f%d",
                        STR_ARG(x->nick), STR_ARG(x->replace), STR_ARG(x->reply), STR_ARG(x->url), (long long)x->life,
                        x->retract, (long long)x->turn, x->again);
}

void post_unpack(struct str text, struct extra *out)
{
    struct str life, retract, turn, again;
    *out = (struct extra){0};
    (void)str_cut(text, MARK, &out->nick, &text);
    (void)str_cut(text, MARK, &out->replace, &text);
    (void)str_cut(text, MARK, &out->reply, &text);
    (void)str_cut(text, MARK, &out->url, &text);
    (void)str_cut(text, MARK, &life, &text);
    (void)str_cut(text, MARK, &retract, &text);
    (void)str_cut(text, MARK, &turn, &again);
    if (!str_to_i64(life, &out->life) || out->life < 0)
        out->life = 0;
    if (!str_to_i64(turn, &out->turn) || out->turn < 0)
        out->turn = 0;
    out->retract = str_eq(retract, STR("1"));
    out->again = str_eq(again, STR("1"));
}

/* Rows */

void post_store_lane(struct bridge *b, struct effects *out, struct guest *g)
{
    const struct lane *l = g->lane;
    g->row_at = b->now;
    g->lane->row_due = false;
    store_row(out, &(struct row){.kind = ROW_LANE,
                                 .adapter = arena_dup(out->arena, str_c(g->name)), // it may be retired in this step
                                 .trimmed = l->trimmed,
                                 .settled = l->settled,
                                 .number = l->settled,
                                 .text = str_c(b->boot),
                                 .dead = l->dead,
                                 .expired = l->expired,
                                 .since = b->wall});
}

static void store_record(struct effects *out, const struct guest *g, const struct event *ev, uint64_t number)
{
    store_row(out, &(struct row){.kind = ROW_RECORD,
                                 .adapter = arena_dup(out->arena, str_c(g->name)),
                                 .number = number,
                                 .key = ev->key,
                                 .user = arena_dup(out->arena, str_c(g->venue->room)),
                                 .id = ev->id,
                                 .text = ev->body,
                                 .name = ev->blob,
                                 .state = MESSAGE_GROUPCHAT,
                                 .stamp = ev->stamp,
                                 .since = ev->wall});
}

/* Accepting */

static bool good(const struct event *ev)
{
    bool says = !str_empty(ev->body) || !str_empty(ev->url) || (ev->flags & EVENT_RETRACT);
    return says && !str_empty(ev->id) && fits(ev->id, ID_MAX) && fits(ev->nick, IDENTITY_NAME_MAX) &&
           fits(ev->replace, ID_MAX) && fits(ev->reply, ID_MAX) && fits(ev->url, URL_MAX) &&
           ev->user.local.n <= JID_PART_MAX && ev->user.domain.n <= JID_PART_MAX && ev->number <= INT64_MAX;
}

static bool full(const struct bridge *b, const struct guest *g)
{
    const struct source *s = &b->sources[g->source];
    const struct lane *l = g->lane;
    return lane_unfenced(l) >= s->max_records || l->bytes >= s->max_bytes || l->next - l->trimmed >= LANE_SPAN / 2;
}

// What is said of a guest may outlive it in a step.
static struct jid room_jid(struct effects *out, const struct guest *g)
{
    struct jid room = venue_jid(g->venue);
    return (struct jid){arena_dup(out->arena, room.local), arena_dup(out->arena, room.domain), STR_NONE};
}

static void told_failed(struct bridge *b, struct effects *out, const struct guest *g, struct str id, enum err err,
                        struct str why)
{
    const struct identity *identity = identity_at(&b->map.identities, g->identity);
    struct event ev = {.kind = EV_SETTLED, .adapter = b->sources[g->source].number, .id = id, .err = err, .body = why};
    ev.user = room_jid(out, g);
    ev.key = arena_dup(out->arena, identity_part(identity, PART_KEY));
    if (ev.adapter)
        say_south(b, out, &ev);
}

static void told_settled(struct bridge *b, struct effects *out, const struct guest *g, struct str id, struct str reply,
                         struct str replace)
{
    const struct identity *identity = identity_at(&b->map.identities, g->identity);
    struct event ev = {.kind = EV_SETTLED, .adapter = b->sources[g->source].number, .id = id, .reply = reply};
    ev.user = room_jid(out, g);
    ev.replace = replace;
    ev.nick = arena_dup(out->arena, str_c(g->nick));
    ev.key = arena_dup(out->arena, identity_part(identity, PART_KEY));
    if (ev.adapter)
        say_south(b, out, &ev);
}

// A record with its row.
static uint64_t add(struct bridge *b, struct effects *out, struct guest *g, struct event *ev, struct extra *x)
{
    x->turn = (int64_t)++b->venues.turn;
    ev->blob = pack(out->arena, x);
    struct lane *l = g->lane;
    uint64_t number = lane_add(l, lane_hash(ev->id), ev->body.n, b->now);
    struct lane_entry *e = lane_entry(l, number);
    e->turn = (uint64_t)x->turn;
    e->until = x->life ? b->now + x->life : 0;
    if (number == l->loaded + 1 && lane_has_room(l))
        lane_put(l, ev, number);
    venue_busy(&b->venues, g->venue);
    guests_look(b, b->now + b->sources[g->source].max_age);
    if (e->until)
        guests_look(b, e->until);
    store_record(out, g, ev, number);
    return number;
}

// One that is known: if it has ended, its adapter has not heard so.
static void again(struct bridge *b, struct effects *out, struct guest *g, const struct event *ev, uint64_t number)
{
    if (!lane_entry(g->lane, number)->ended)
        return;
    struct str user = letter_user(b, out, g);
    const struct letter *l = letter_about(&b->letters, g->source, number, user);
    if (l)
        told_failed(b, out, g, ev->id, letter_err(l), arena_dup(out->arena, l->why));
    else
        told_settled(b, out, g, ev->id, STR_NONE, STR_NONE);
}

// What is not known here may have been said by a process that ended before its row was on the disk. Services name all
// that they send: only then is it worth a look at the room's past, one for each guest, which keeps what it saw there.
static bool may_be_said(const struct bridge *b, const struct event *ev)
{
    return (ev->flags & EVENT_AGAIN) && b->now - b->began < RETRIED_MS;
}

enum err post_accept(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id)
{
    if (!good(ev))
        return ERR_BADREQ;
    struct guest *g = guest_take(b, id, &ev->user);
    if (!g)
        return ERR_LIMIT;
    uint64_t known = lane_find(g->lane, lane_hash(ev->id));
    if (known && !(ev->flags & EVENT_AGAIN))
        return ERR_EXISTS;
    if (known) {
        again(b, out, g, ev, known);
        return ERR_OK;
    }
    bool said = may_be_said(b, ev) && guest_recalls(g, lane_hash(ev->id));
    bool doubtful = may_be_said(b, ev) && !said;
    if (full(b, g))
        return ERR_AGAIN;
    struct event record = *ev;
    record.body = utf8_cut(ev->body, BODY_MAX);
    record.accepted = ev->wall;
    struct extra x = {.nick = ev->nick,
                      .replace = ev->replace,
                      .reply = ev->reply,
                      .url = ev->url,
                      .life = (int64_t)ev->number,
                      .retract = ev->flags & EVENT_RETRACT,
                      .again = doubtful && (!g->looked || g->unsure)};
    guest_wish(b, out, g, ev->nick);
    if (x.again && !g->looked)
        guest_suspect(b, g, b->began);
    g->looked = g->looked || x.again;
    uint64_t number = add(b, out, g, &record, &x);
    if (said) {
        g->lane->row_due = lane_confirm(g->lane, number, b->now) || g->lane->row_due;
        told_settled(b, out, g, ev->id, STR_NONE, STR_NONE);
    }
    return ERR_OK;
}

// Takes back what has not gone out, as far as is known.
enum err post_withdraw_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    const struct identity *id = named(b, ev);
    struct venue *v = id ? venue_find(&b->venues, id->component, &ev->user) : NULL;
    struct guest *g = v ? venue_guest(v, id->handle) : NULL;
    uint64_t number = g ? lane_find(g->lane, lane_hash(ev->id)) : 0;
    if (!number || number <= g->lane->sent || lane_entry(g->lane, number)->ended || g->unsure)
        return ERR_NOTFOUND;
    struct str name = arena_dup(out->arena, str_c(g->name));
    store_row(out, &(struct row){.kind = ROW_RECORD, .gone = true, .adapter = name, .number = number});
    g->lane->row_due = lane_withdraw(g->lane, number, b->now) || g->lane->row_due;
    venue_busy(&b->venues, v);
    return ERR_OK;
}

/* Saying */

static int64_t deadline(const struct bridge *b, const struct guest *g, const struct lane_entry *e)
{
    int64_t common = e->at + b->sources[g->source].max_age;
    return e->until && e->until < common ? e->until : common;
}

static struct jid guest_jid(const struct bridge *b, struct effects *out, const struct guest *g)
{
    const struct identity *id = identity_at(&b->map.identities, g->identity);
    return (struct jid){.local = arena_dup(out->arena, identity_part(id, PART_LOCAL)),
                        .domain = str_c(component_of(b, id->component)->domain),
                        .resource = str_c(b->sources[g->source].name)};
}

// What the message goes out as: a correction only of what a guest said last, in this stay.
static void address(struct venue *v, struct guest *g, const struct extra *x, struct str id, struct event *say)
{
    bool ours = v->last.guest == g && v->last.stay == g->stay && v->last.hash == lane_hash(x->replace);
    say->reply = x->reply;
    if (x->retract) {
        say->flags |= EVENT_RETRACT;
        say->replace = x->replace;
        return;
    }
    if (x->replace.n && ours) {
        say->replace = x->replace;
        say->reply = STR_NONE;
    } else {
        say->nick = str_c(g->nick); // it answers itself
        v->last.guest = g;
        v->last.stay = g->stay;
        v->last.hash = lane_hash(id);
    }
}

static void say(struct bridge *b, struct effects *out, struct guest *g, const struct lane_record *r)
{
    struct arena *a = out->arena;
    struct extra x;
    post_unpack(arena_dup(a, r->extra), &x);
    struct event ev = {.kind = EV_SAY, .component = g->venue->component, .type = MESSAGE_GROUPCHAT};
    ev.user = room_jid(out, g);
    ev.to = guest_jid(b, out, g);
    ev.id = arena_dup(a, r->id);
    ev.body = arena_dup(a, r->body);
    ev.url = x.url;
    ev.stamp = r->stamp ? r->stamp : r->since < b->wall - LATE_MS ? r->since : 0;
    address(g->venue, g, &x, r->id, &ev);
    ev.nick = arena_dup(a, ev.nick);
    say_north(b, out, &ev);
    venue_fly(g->venue, g, r->number, r->id, b->now);
    guests_look(b, b->now + GUEST_REFLECT_MS);
    g->used = b->now;
}

static void expire(struct bridge *b, struct effects *out, struct guest *g, const struct lane_record *r)
{
    struct str why = g->reason ? arena_printf(out->arena, "too old: %s", g->reason)
                               : STR("too old: the room could not be reached for too long");
    post_fail(b, out, g, r->number, arena_dup(out->arena, r->id), LETTER_EXPIRED, g->why ? g->why : ERR_TIMEOUT, why);
}

// It has something to say that has not gone out.
static bool waits(struct guest *g)
{
    lane_pass(g->lane);
    return g->lane->sent + 1 < g->lane->next;
}

enum turn { TURN_NEVER, TURN_LATER, TURN_NOW };

static enum turn turn_of(const struct guest *g)
{
    switch (g->state) {
    case GUEST_IN:
        return TURN_NOW;
    case GUEST_ENTERING:
    case GUEST_LEARNING:
    case GUEST_CHECKING:
    case GUEST_ASKING:
        return g->tries ? TURN_NEVER : TURN_LATER; // who has failed to enter keeps nobody waiting
    default:
        return TURN_NEVER;
    }
}

// Whose message comes next, of those whose guests are in or about to be; NULL: nobody's.
static struct guest *next_speaker(const struct venue *v, enum turn *turn)
{
    struct guest *first = NULL;
    const struct lane_entry *least = NULL;
    for (struct list_node *it = v->guests.next; it != &v->guests; it = it->next) {
        struct guest *g = CONTAINER_OF(it, struct guest, node);
        enum turn t = turn_of(g);
        const struct lane_entry *e = t && waits(g) ? lane_entry(g->lane, g->lane->sent + 1) : NULL;
        if (!e || (least && least->turn < e->turn))
            continue;
        first = g;
        least = e;
        *turn = t;
    }
    return first;
}

static void load(struct bridge *b, struct effects *out, struct guest *g)
{
    deliver_load(b, out, g->lane, g->name);
    if (g->lane->load_at > b->now)
        guests_look(b, g->lane->load_at);
}

// True when it can go on.
static bool speak(struct bridge *b, struct effects *out, struct guest *g)
{
    struct lane *l = g->lane;
    const struct lane_record *r = lane_head(l);
    if (!r) {
        load(b, out, g);
        return false;
    }
    if (b->now >= deadline(b, g, lane_entry(l, r->number))) {
        expire(b, out, g, r);
        return true;
    }
    if (guest_verify(b, out, g))
        return false;
    say(b, out, g, r);
    lane_sent(l);
    return true;
}

static bool may_say(const struct bridge *b, const struct venue *v)
{
    return component_up(b, v->component) && !component_congested(b, v->component) && !b->stopping;
}

// False when the step is full.
static bool pump(struct bridge *b, struct effects *out, struct venue *v)
{
    enum turn turn = TURN_NEVER;
    for (struct guest *g; v->flight_count < VENUE_FLIGHTS && (g = next_speaker(v, &turn));) {
        if (!effects_fit(out, POST_EFFECTS))
            return false;
        if (turn == TURN_LATER || !speak(b, out, g))
            return true;
    }
    return true;
}

// What is too old though its guest cannot enter.
static bool expire_waiting(struct bridge *b, struct effects *out, struct guest *g)
{
    while (waits(g) && g->state != GUEST_IN) {
        const struct lane_entry *e = lane_entry(g->lane, g->lane->sent + 1);
        int64_t until = deadline(b, g, e);
        if (b->now < until) {
            guests_look(b, until);
            return true;
        }
        if (!effects_fit(out, POST_EFFECTS))
            return false;
        const struct lane_record *r = lane_head(g->lane);
        if (!r) {
            load(b, out, g);
            return true;
        }
        expire(b, out, g, r);
    }
    return true;
}

static bool rows(struct bridge *b, struct effects *out, struct guest *g)
{
    g->lane->row_due = lane_trim(g->lane, b->now) || g->lane->row_due;
    if (!g->lane->row_due)
        return true;
    if (lane_queued(g->lane) && b->now < g->row_at + ROW_MS) {
        guests_look(b, g->row_at + ROW_MS);
        return true;
    }
    if (!effects_fit(out, POST_EFFECTS))
        return false;
    post_store_lane(b, out, g);
    guests_look(b, guest_deadline(g));
    return true;
}

static bool work_venue(struct bridge *b, struct effects *out, struct venue *v)
{
    struct list_node *it, *safe;
    bool room = true, may = may_say(b, v);
    LIST_EACH (it, safe, &v->guests) {
        struct guest *g = CONTAINER_OF(it, struct guest, node);
        room = room && effects_fit(out, POST_EFFECTS);
        if (room && may && waits(g))
            guest_come(b, out, g);
        room = room && expire_waiting(b, out, g) && rows(b, out, g);
    }
    return room && (!may || pump(b, out, v));
}

bool posts_work(struct bridge *b, struct effects *out)
{
    struct venues *t = &b->venues;
    t->counted = false;
    if (b->now >= t->next && !guests_tick(b, out))
        return false;
    while (!list_empty(&t->work)) {
        struct venue *v = CONTAINER_OF(t->work.next, struct venue, work);
        if (!effects_fit(out, POST_EFFECTS) || !work_venue(b, out, v))
            return false;
        list_remove(&v->work);
    }
    return true;
}

/* Outcomes */

// The record with this id, of a guest that is known by its nick there; 0: none that waits for an outcome.
static uint64_t record_of(const struct guest *g, struct str id)
{
    uint64_t number = g && id.n ? lane_find(g->lane, lane_hash(id)) : 0;
    return number && !lane_entry(g->lane, number)->ended ? number : 0;
}

// Some rooms give what is said in them another id: what a guest is heard to say is then what it said first.
static const struct flight_out *renamed(const struct guest *g, const struct event *ev)
{
    bool live = !(ev->flags & (EVENT_SNAPSHOT | EVENT_SUBJECT)) && g->nick && str_eq_c(ev->user.resource, g->nick);
    return live && !lane_find(g->lane, lane_hash(ev->id)) ? venue_first(g->venue, g) : NULL;
}

bool post_reflected(struct bridge *b, struct effects *out, struct guest *g, const struct event *ev)
{
    uint64_t number = record_of(g, ev->id);
    const struct flight_out *other = number ? NULL : renamed(g, ev);
    if (!number && !other)
        return false;
    struct str id = other ? arena_dup(out->arena, str_c(other->id)) : ev->id;
    number = other ? other->number : number;
    (void)venue_land(g->venue, g, number);
    g->misses = 0;
    g->heard = b->now;
    g->lane->row_due = lane_confirm(g->lane, number, b->now) || g->lane->row_due;
    told_settled(b, out, g, id, ev->reply, ev->replace);
    venue_busy(&b->venues, g->venue);
    return true;
}

void post_fail(struct bridge *b, struct effects *out, struct guest *g, uint64_t number, struct str id,
               enum letter_state state, enum err err, struct str why)
{
    (void)venue_land(g->venue, g, number);
    letter_unsaid(b, out, g, number, id, state, why);
    (void)lane_confirm(g->lane, number, b->now);
    g->lane->row_due = true;
    told_failed(b, out, g, id, err, why);
    venue_busy(&b->venues, g->venue);
}

// The room has refused this message; false when it is none of ours.
bool post_bounced(struct bridge *b, struct effects *out, struct guest *g, const struct event *ev)
{
    uint64_t number = record_of(g, ev->id);
    if (!number || number > g->lane->sent)
        return false;
    struct str why = str_empty(ev->body) ? str_c(err_text(ev->err)) : utf8_cut(ev->body, 300);
    post_fail(b, out, g, number, ev->id, LETTER_DEAD, ev->err, why);
    return true;
}

// The room has not taken it now.
void post_refused(struct guest *g, struct str id)
{
    uint64_t number = record_of(g, id);
    if (number && venue_land(g->venue, g, number))
        g->refused = true;
}

// What is not known to have arrived is said again, in order.
void post_again(struct bridge *b, struct guest *g)
{
    venue_ground(g->venue, g);
    lane_rewind(g->lane);
    venue_busy(&b->venues, g->venue);
}

// Somebody wants to have it said once more: under its id, behind what waits.
void post_replay(struct bridge *b, struct effects *out, struct guest *g, const struct event *loaded)
{
    struct extra x;
    post_unpack(loaded->blob, &x);
    x.life = 0;
    x.again = false;
    struct event record = *loaded;
    record.user = room_jid(out, g);
    record.stamp = loaded->stamp ? loaded->stamp : loaded->accepted;
    record.accepted = record.wall = b->wall;
    add(b, out, g, &record, &x);
}
