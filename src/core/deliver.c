/* Delivery of what was promised: from an adapter's durable message to the users who are to have it.
 *
 * Happy path: accepted -> a row of the journal (and the adapter's acknowledgement once that is durable) -> handed to
 * the server, up to WINDOW stanzas ahead of the fence -> the fence comes back -> held -> settled. Failures: the link
 * goes: what is not settled is sent again, under the same ids, in order; nobody is there to read: accepted until the
 * lane is full, then the adapter's answers wait; too old: a letter for each who did not get it; an error comes back:
 * letter_step.c. After a restart of the process only what no fence had confirmed is sent again; after one of the
 * machine, or when the server was restarted as well, also what was held. */
#include "core/bridge_private.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdlib.h>

enum {
    BODY_MAX = 65536, // bytes of a record
    LATE_MS = 10000,  // what is delivered later than that says when it was said
    LANE_ROW = 1,     // effects
    ID_MAX = 1000,    // bytes; what makes it another one fits into RECORD_ID_MAX
    TOLD_MS = 600000, // between two notices that an adapter's lane is full
};

/* Rows */

static void store_lane(struct bridge *b, struct effects *out, const struct source *s)
{
    const struct lane *l = s->lane;
    store_row(out, &(struct row){.kind = ROW_LANE,
                                 .adapter = str_c(s->name),
                                 .trimmed = l->trimmed,
                                 .settled = l->settled,
                                 .number = l->fenced,
                                 .user = l->resume ? arena_dup(out->arena, str_c(l->resume)) : STR_NONE,
                                 .text = str_c(b->boot),
                                 .dead = l->dead,
                                 .expired = l->expired,
                                 .since = l->doubt ? l->doubt : b->wall});
}

static void store_record(struct effects *out, const struct source *s, const struct event *ev, uint64_t number)
{
    struct jid user = jid_bare(ev->user);
    store_row(out, &(struct row){.kind = ROW_RECORD,
                                 .adapter = str_c(s->name),
                                 .number = number,
                                 .key = ev->key,
                                 .user = str_empty(user.domain) ? STR_NONE : jid_format(out->arena, &user),
                                 .id = ev->id,
                                 .text = ev->body,
                                 .state = ev->type,
                                 .stamp = ev->stamp,
                                 .since = ev->wall});
}

/* Accepting */

bool deliver_full(const struct source *s)
{
    const struct lane *l = s->lane;
    return l &&
           (lane_unfenced(l) >= s->max_records || l->bytes >= s->max_bytes || l->next - l->trimmed >= LANE_SPAN / 2);
}

// Refuses only what a restart could not tell from nonsense: the answers wait long before. Who asks to be told does not
// wait: it would be asked again meanwhile, and again.
enum err deliver_accept(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id)
{
    struct source *s = &b->sources[id->source];
    if (!id->subscribers && str_empty(ev->user.domain))
        return ERR_OK; // there is nobody to deliver it to
    if (!str_empty(ev->user.domain) && !deliver_may(b, id, &ev->user, true))
        return ERR_FORBIDDEN;
    struct lane *l = source_lane(s);
    struct event record = *ev;
    record.body = utf8_cut(ev->body, BODY_MAX);
    record.accepted = ev->wall;
    if (str_empty(ev->id) || ev->id.n > ID_MAX)
        record.id = rng_id(&b->rng, out->arena, 16);
    uint64_t hash = lane_hash(record.id);
    if (lane_find(l, hash)) {
        if (ev->flags & EVENT_AGAIN) // it was not answered: the answer waits for the same row
            return ERR_OK;
        record.id = arena_printf(out->arena, STR_FMT "-%llu", STR_ARG(ev->id), (unsigned long long)l->next);
        hash = lane_hash(record.id);
    }
    if ((ev->flags & EVENT_TELL) && deliver_full(s))
        return ERR_AGAIN;
    if (l->next - l->trimmed >= LANE_SPAN)
        return ERR_LIMIT;
    uint64_t number = lane_add(l, hash, record.body.n, b->now);
    if (ev->flags & EVENT_TELL)
        lane_want(l, number, record.id);
    if (number == l->loaded + 1 && lane_has_room(l))
        lane_put(l, &record, number);
    store_record(out, s, &record, number);
    return ERR_OK;
}

/* Answers that wait for room */

static void park(struct bridge *b, struct effects *out, struct source *s, uint64_t token, bool gated)
{
    struct lane *l = s->lane;
    if (l->parked_count == l->parked_cap) {
        l->parked_cap = l->parked_cap ? l->parked_cap * 2 : 64;
        l->parked = mem_realloc(l->parked, l->parked_cap, sizeof *l->parked);
    }
    l->parked[l->parked_count++] = (struct lane_token){token, gated};
    if (l->parked_count > 1 || (l->told_full != INT64_MIN && b->now - l->told_full < TOLD_MS))
        return;
    l->told_full = b->now;
    say_notice(b, out, s->component, 0,
               arena_printf(out->arena,
                            "adapter %s: %zu messages wait to be delivered, and no more are taken until there is room: "
                            "their source keeps them",
                            s->name, lane_unfenced(l)));
}

void deliver_answer(struct bridge *b, struct effects *out, const struct event *ev)
{
    bool gated = ev->flags & EVENT_DURABLE, waits = !(ev->flags & EVENT_TELL);
    struct source *s = source_of(b, ev->adapter);
    if (s && s->lane && waits && (s->lane->parked_count || (gated && deliver_full(s))))
        park(b, out, s, ev->token, gated);
    else
        say_journaled(b, out, ev->adapter, ev->token, gated);
}

// False when the step is full.
static bool release_parked(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    size_t n = 0;
    bool room = lane_unfenced(l) <= s->max_records / 8 * 7 && l->bytes <= s->max_bytes / 8 * 7 &&
                l->next - l->trimmed < LANE_SPAN / 2;
    for (; room && n < l->parked_count && effects_fit(out, 1); n++) {
        if (s->number)
            say_journaled(b, out, s->number, l->parked[n].token, l->parked[n].gated);
    }
    l->parked_count -= n;
    if (n)
        memmove(l->parked, l->parked + n, l->parked_count * sizeof *l->parked);
    return !room || !l->parked_count;
}

/* Whom a record goes to */

static int compare_jids(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void add_target(struct lane *l, struct str jid)
{
    l->targets[l->target_count++] = mem_dup(jid.p, jid.n);
}

static void subscribers(const struct bridge *b, struct lane *l, const struct identity *id)
{
    l->targets = mem_zalloc((size_t)id->subscribers + 1, sizeof *l->targets);
    for (uint32_t at = id->subs; at;) {
        const struct sub *s = sub_at(&b->map, at);
        at = s->identity_next;
        if ((s->state & SUB_TO_USER) && l->target_count < id->subscribers)
            add_target(l, user_jid_text(sub_user(&b->map, s)));
    }
    if (l->target_count > 1)
        qsort(l->targets, l->target_count, sizeof *l->targets, compare_jids);
}

// In an order that a restart does not change.
static void choose_targets(const struct bridge *b, struct lane *l, const struct lane_record *r,
                           const struct identity *id)
{
    if (l->targets)
        return;
    if (r->user.n) {
        l->targets = mem_zalloc(1, sizeof *l->targets);
        add_target(l, r->user);
    } else if (id) {
        subscribers(b, l, id);
    } else {
        l->targets = mem_zalloc(1, sizeof *l->targets);
    }
    while (l->resume && r->number == l->fenced + 1 && l->target_at < l->target_count &&
           strcmp(l->targets[l->target_at], l->resume) <= 0)
        l->target_at++;
}

bool deliver_may(const struct bridge *b, const struct identity *id, const struct jid *user, bool direct)
{
    const struct user *u = user_find(&b->map.users, user);
    const struct sub *s = u ? sub_find(&b->map, u, id) : NULL;
    return (direct || (s && (s->state & SUB_TO_USER))) && (rights_seen(b, id, user) & RIGHT_READ);
}

/* Sending */

struct event deliver_event(struct bridge *b, struct effects *out, const struct identity *id,
                           const struct lane_record *r)
{
    struct arena *a = out->arena;
    struct event north = speak_for(b, out, EV_MESSAGE, id);
    north.to.resource = str_c(b->sources[id->source].name);
    north.id = arena_dup(a, r->id);
    north.body = arena_dup(a, r->body);
    north.type = r->type == MESSAGE_GROUPCHAT ? MESSAGE_CHAT : r->type;
    north.stamp = r->stamp ? r->stamp : r->since < b->wall - LATE_MS ? r->since : 0;
    return north;
}

static size_t cost(const struct lane_record *r)
{
    enum { STANZA = 400 };
    return r->body.n + STANZA;
}

static void fly(struct window *w, uint16_t source, uint64_t number, const char *user, size_t bytes)
{
    w->flight[w->count++] = (struct flight){source, number, user ? mem_dup(user, strlen(user)) : NULL, bytes, 0};
    w->bytes += bytes;
}

void deliver_passed(struct bridge *b, struct source *s, uint64_t number)
{
    struct window *w = &component_of(b, s->component)->window;
    uint16_t source = (uint16_t)(s - b->sources);
    for (size_t i = w->count; i > 0; i--) {
        struct flight *f = &w->flight[i - 1];
        if (f->source != source)
            continue;
        mem_free(f->user);
        f->user = NULL;
        f->number = number;
        return;
    }
    lane_fenced(s->lane, number, b->now);
    s->lane->row_due = true;
}

static bool too_old(const struct bridge *b, const struct source *s, uint64_t number)
{
    const struct lane_entry *e = lane_entry(s->lane, number);
    return e && b->now - e->at >= s->max_age;
}

// One stanza, or none where it must not be sent (any more).
static void send_next(struct bridge *b, struct effects *out, struct source *s, struct window *w, struct lane_record *r,
                      const struct identity *id)
{
    struct lane *l = s->lane;
    const char *target = l->targets[l->target_at++];
    struct jid user;
    if (!id || !bare_jid(str_c(target), &user) || !deliver_may(b, id, &user, r->user.n > 0))
        return;
    struct event north = deliver_event(b, out, id, r);
    north.user = (struct jid){.local = arena_dup(out->arena, user.local), .domain = arena_dup(out->arena, user.domain)};
    say_north(b, out, &north);
    fly(w, (uint16_t)(s - b->sources), r->number, target, cost(r));
}

// False when the step is full.
static bool expire(struct bridge *b, struct effects *out, struct source *s, struct lane_record *r,
                   const struct identity *id)
{
    struct lane *l = s->lane;
    for (; l->target_at < l->target_count; l->target_at++) {
        if (!effects_fit(out, LETTER_EFFECTS))
            return false;
        letter_expired(b, out, s, r, id, str_c(l->targets[l->target_at]));
    }
    return true;
}

// What a kill would send again though a fence has confirmed it.
static size_t unsure(const struct bridge *b, uint16_t component)
{
    size_t n = 0;
    for (size_t i = 1; i < b->source_count; i++)
        n += b->sources[i].component == component && b->sources[i].lane ? b->sources[i].lane->unsure : 0;
    return n;
}

enum progress { BLOCKED, DONE, FULL };

// `room`: so many stanzas may be ahead of what is known to be safe.
static enum progress send_head(struct bridge *b, struct effects *out, struct source *s, struct window *w, size_t room)
{
    struct lane *l = s->lane;
    struct lane_record *r = lane_head(l);
    const struct identity *id = identity_find_key(&b->map.identities, (uint16_t)(s - b->sources), r->key);
    if (id && id->dying)
        id = NULL;
    choose_targets(b, l, r, id);
    if (too_old(b, s, r->number) && !expire(b, out, s, r, id))
        return FULL;
    while (l->target_at < l->target_count) {
        if (w->count >= room || (w->count && w->bytes + cost(r) > WINDOW_BYTES))
            return BLOCKED;
        if (!effects_fit(out, 1))
            return FULL;
        send_next(b, out, s, w, r, id);
    }
    deliver_passed(b, s, r->number);
    lane_sent(l);
    return DONE;
}

static enum progress pump(struct bridge *b, struct effects *out, struct source *s, struct window *w)
{
    struct lane *l = s->lane;
    size_t doubtful = unsure(b, s->component), room = doubtful < WINDOW ? WINDOW - doubtful : 0;
    enum progress p = DONE;
    while (p == DONE && l->sent + 1 < l->next) {
        if (!effects_fit(out, LETTER_EFFECTS))
            return FULL;
        if (lane_head(l)) {
            p = send_head(b, out, s, w, room);
        } else {
            deliver_load(b, out, s->lane, s->name);
            p = BLOCKED;
        }
    }
    return p;
}

// Whether something of its lane may be handed to the server now.
static bool may_send(const struct bridge *b, const struct source *s)
{
    bool room = component_up(b, s->component) && !component_congested(b, s->component);
    return room && !b->stopping && !s->lane->doubt;
}

/* Fences */

static void say_fence(struct bridge *b, struct effects *out, uint16_t component, struct window *w)
{
    w->fence_at = b->now;
    say_north(b, out, &(struct event){.kind = EV_FENCE, .component = component, .number = w->fence});
}

static void fence(struct bridge *b, struct effects *out, uint16_t component, struct window *w)
{
    if (w->fence) {
        if (b->now >= w->fence_at + FENCE_MS)
            say_fence(b, out, component, w);
        return;
    }
    if (!w->count && !w->letters)
        return;
    w->fence = ++w->serial;
    for (size_t i = 0; i < w->count; i++)
        w->flight[i].fence = w->fence;
    if (w->letters)
        letters_cover(b, component, w->fence);
    w->letters = 0;
    say_fence(b, out, component, w);
}

static void landed(struct bridge *b, const struct flight *f)
{
    struct lane *l = b->sources[f->source].lane;
    l->row_due = true;
    l->unsure++;
    if (!f->user) {
        lane_fenced(l, f->number, b->now);
        return;
    }
    lane_fenced(l, f->number - 1, b->now);
    mem_free(l->resume);
    l->resume = mem_dup(f->user, strlen(f->user));
}

static void window_drop(struct window *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w->bytes -= w->flight[i].bytes;
        mem_free(w->flight[i].user);
    }
    w->count -= n;
    memmove(w->flight, w->flight + n, w->count * sizeof *w->flight);
}

void window_finish(struct window *w)
{
    window_drop(w, w->count);
}

void fenced_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    (void)out;
    struct component *c = component_of(b, ev->component);
    struct window *w = c ? &c->window : NULL;
    if (!w || !w->fence || ev->number != w->fence)
        return;
    size_t n = 0;
    while (n < w->count && w->flight[n].fence == w->fence)
        landed(b, &w->flight[n++]);
    window_drop(w, n);
    letters_land(b, ev->component, w->fence);
    w->fence = 0;
}

bool bridge_doubts(const struct bridge *b, uint16_t component)
{
    for (size_t i = 1; i < b->source_count; i++) {
        const struct source *s = &b->sources[i];
        if (s->component == component && s->lane && s->lane->doubt)
            return true;
    }
    return letters_doubt(b, component);
}

// A server that was started after the fence may have lost what it had taken. The clock of its answer counts seconds.
void started_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    enum { COARSE = 2000 };
    (void)out;
    for (size_t i = 1; i < b->source_count; i++) {
        const struct source *s = &b->sources[i];
        if (s->component != ev->component || !s->lane || !s->lane->doubt)
            continue;
        if (ev->stamp && ev->stamp >= s->lane->doubt - LANE_HOLD_MS - COARSE)
            lane_unfence(s->lane);
        s->lane->doubt = 0;
    }
    letters_started(b, ev->component, ev->stamp ? ev->stamp + LANE_HOLD_MS + COARSE : 0);
}

void deliver_link_down(struct bridge *b, uint16_t component)
{
    struct window *w = &component_of(b, component)->window;
    if (b->stopping) // by ourselves: what the server has taken is not lost, and the rows say how far that is
        return;
    for (size_t i = 0; i < w->count; i++) // of who has moved to another component, too
        lane_unfence(b->sources[w->flight[i].source].lane);
    window_drop(w, w->count);
    w->fence = 0;
    w->letters = 0;
    for (size_t i = 1; i < b->source_count; i++) {
        struct lane *l = b->sources[i].component == component ? b->sources[i].lane : NULL;
        if (!l)
            continue;
        l->row_due = l->row_due || l->fenced > l->settled || l->resume;
        l->unsure = l->covered = 0;
        lane_unfence(l);
    }
    letters_link_down(b, component);
}

/* At the end of each step */

// False when the step is full.
static bool tell_settled(struct bridge *b, struct effects *out, const struct source *s)
{
    while (s->lane->reported < s->lane->settled) {
        if (!effects_fit(out, 1))
            return false;
        char *id = lane_tell(s->lane);
        if (id)
            letter_settled(b, out, s, s->lane->reported, str_c(id));
        mem_free(id);
    }
    return true;
}

// False when the step is full.
static bool work_source(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    struct window *w = &component_of(b, s->component)->window;
    size_t flying = w->count;
    enum progress p = DONE;
    l->row_due = lane_settle(l, b->now) || l->row_due;
    if (!tell_settled(b, out, s))
        return false;
    l->row_due = lane_trim(l, b->now) || l->row_due;
    if (may_send(b, s))
        p = pump(b, out, s, w);
    if (p == BLOCKED && w->count > flying) // the others first, when there is room again
        b->turn = (size_t)(s - b->sources) % (b->source_count - 1);
    bool room = p != FULL && (!l->parked_count || release_parked(b, out, s)) && effects_fit(out, LANE_ROW);
    if (room && l->row_due) {
        l->row_due = false;
        store_lane(b, out, s);
    }
    deliver_barrier(b, out, s);
    return room;
}

static bool work_fences(struct bridge *b, struct effects *out)
{
    for (uint16_t c = 1; c <= b->component_count; c++) {
        if (!component_up(b, c))
            continue;
        if (!effects_fit(out, 1))
            return false;
        fence(b, out, c, &component_of(b, c)->window);
    }
    return true;
}

void deliver_work(struct bridge *b, struct effects *out)
{
    bool room = asks_tell(b, out) && letters_work(b, out);
    size_t first = b->turn, count = b->source_count - 1;
    for (size_t i = 0; room && i < count; i++) {
        struct source *s = &b->sources[(first + i) % count + 1];
        room = (!s->lane || work_source(b, out, s)) && later_work(b, out, s);
    }
    room = room && posts_work(b, out);
    room = work_fences(b, out) && room;
    b->deliver_more = !room;
}

bool deliver_stopped(const struct bridge *b, uint16_t component)
{
    return !component_of(b, component)->window.count;
}

static int64_t source_deadline(const struct bridge *b, const struct source *s)
{
    const struct lane *l = s->lane;
    int64_t at = lane_deadline(l);
    bool wants = may_send(b, s) && !lane_head(l) && l->sent + 1 < l->next && !l->question;
    return wants && l->load_at < at ? l->load_at : at;
}

int64_t deliver_deadline(const struct bridge *b)
{
    int64_t at = letters_deadline(b);
    for (size_t i = 1; i < b->source_count; i++) {
        const struct source *s = &b->sources[i];
        int64_t due = s->lane ? source_deadline(b, s) : INT64_MAX;
        at = due < at ? due : at;
    }
    for (uint16_t c = 1; c <= b->component_count; c++) {
        const struct window *w = &component_of(b, c)->window;
        int64_t due = w->fence && component_up(b, c) ? w->fence_at + FENCE_MS : INT64_MAX;
        at = due < at ? due : at;
    }
    return at;
}
