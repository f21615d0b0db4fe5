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
    BODY_MAX = 65536,  // bytes of a record
    LATE_MS = 10000,   // what is delivered later than that says when it was said
    LOAD_AGAIN = 1000, // ms, when the journal could not give what it must have
    LANE_ROW = 1,      // effects
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
                                 .since = b->wall});
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

static struct lane *lane_of(struct source *s)
{
    if (!s->lane)
        s->lane = lane_create();
    return s->lane;
}

bool deliver_full(const struct source *s)
{
    return s->lane && (lane_queued(s->lane) >= s->max_records || s->lane->bytes >= s->max_bytes);
}

enum err deliver_accept(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id)
{
    struct source *s = &b->sources[id->source];
    if (!id->subscribers && str_empty(ev->user.domain))
        return ERR_OK; // there is nobody to deliver it to
    struct lane *l = lane_of(s);
    struct event record = *ev;
    record.body = utf8_cut(ev->body, BODY_MAX);
    record.accepted = ev->wall;
    if (str_empty(ev->id))
        record.id = rng_id(&b->rng, out->arena, 16);
    uint64_t hash = lane_hash(record.id);
    if (lane_find(l, hash)) {
        if (ev->flags & EVENT_AGAIN) // it was not answered: the answer waits for the same row
            return ERR_OK;
        record.id = arena_printf(out->arena, STR_FMT "-%llu", STR_ARG(ev->id), (unsigned long long)l->next);
        hash = lane_hash(record.id);
    }
    uint64_t number = lane_add(l, hash, record.body.n, b->now);
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
    if (l->parked_count == 1)
        say_notice(b, out, s->component, 0,
                   arena_printf(out->arena,
                                "adapter %s: %zu messages wait to be delivered, and no more are taken until there is "
                                "room: their source keeps them",
                                s->name, lane_queued(l)));
}

void deliver_answer(struct bridge *b, struct effects *out, const struct event *ev)
{
    bool gated = ev->flags & EVENT_DURABLE;
    struct source *s = source_of(b, ev->adapter);
    if (s && s->lane && (s->lane->parked_count || (gated && deliver_full(s))))
        park(b, out, s, ev->token, gated);
    else
        say_journaled(b, out, ev->adapter, ev->token, gated);
}

// False when the step is full.
static bool release_parked(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    size_t n = 0;
    bool room = lane_queued(l) <= s->max_records / 8 * 7 && l->bytes <= s->max_bytes / 8 * 7;
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
    north.stamp = r->stamp ? r->stamp : b->wall - r->since > LATE_MS ? r->since : 0;
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

// The record is with the server once what flies of its lane is.
static void passed(struct bridge *b, struct window *w, struct source *s, uint64_t number)
{
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
    if (!bare_jid(str_c(target), &user) || !deliver_may(b, id, &user, r->user.n > 0))
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
    l->expired++;
    return true;
}

enum progress { BLOCKED, DONE, FULL };

static enum progress send_head(struct bridge *b, struct effects *out, struct source *s, struct window *w)
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
        if (w->count == WINDOW || (w->count && w->bytes + cost(r) > WINDOW_BYTES))
            return BLOCKED;
        if (!effects_fit(out, 1))
            return FULL;
        send_next(b, out, s, w, r, id);
    }
    passed(b, w, s, r->number);
    lane_sent(l);
    return DONE;
}

static void load(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    if (l->loading || b->now < l->load_at)
        return;
    l->loading = true;
    l->load_after = l->loaded;
    say_load(b, out, str_c(s->name), l->loaded, LANE_MEMORY);
}

static enum progress pump(struct bridge *b, struct effects *out, struct source *s, struct window *w)
{
    struct lane *l = s->lane;
    enum progress p = DONE;
    while (p == DONE && l->sent + 1 < l->next) {
        if (!effects_fit(out, LETTER_EFFECTS))
            return FULL;
        if (lane_head(l)) {
            p = send_head(b, out, s, w);
        } else {
            load(b, out, s);
            p = BLOCKED;
        }
    }
    return p;
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
    if (!w->count)
        return;
    w->fence = ++w->serial;
    for (size_t i = 0; i < w->count; i++)
        w->flight[i].fence = w->fence;
    say_fence(b, out, component, w);
}

static void landed(struct bridge *b, const struct flight *f)
{
    struct lane *l = b->sources[f->source].lane;
    l->row_due = true;
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
    w->fence = 0;
}

bool bridge_doubts(const struct bridge *b, uint16_t component)
{
    for (size_t i = 1; i < b->source_count; i++) {
        const struct source *s = &b->sources[i];
        if (s->component == component && s->lane && s->lane->doubt)
            return true;
    }
    return false;
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
}

void deliver_link_down(struct bridge *b, uint16_t component)
{
    struct window *w = &component_of(b, component)->window;
    window_drop(w, w->count);
    w->fence = 0;
    for (size_t i = 1; i < b->source_count; i++) {
        if (b->sources[i].component == component && b->sources[i].lane)
            lane_unfence(b->sources[i].lane);
    }
    letters_link_down(b, component);
}

/* The journal gives back */

static void loaded_record(struct source *s, const struct event *ev)
{
    struct lane *l = s->lane;
    if (!l->loading || ev->number <= l->loaded || ev->number >= l->next || !lane_has_room(l))
        return;
    l->loaded = ev->number - 1; // what lies between is not there
    lane_put(l, ev, ev->number);
}

// What the journal must have and has not is given up, and said.
static void loaded_nothing(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    say_notice(b, out, s->component, 0,
               arena_printf(out->arena, "adapter %s: %llu messages are missing in the journal and cannot be delivered",
                            s->name, (unsigned long long)(l->next - 1 - l->loaded)));
    l->loaded = l->sent = l->next - 1;
    passed(b, &component_of(b, s->component)->window, s, l->sent);
}

static void loaded_end(struct bridge *b, struct effects *out, struct source *s, const struct event *ev)
{
    struct lane *l = s->lane;
    if (!l->loading || ev->number != l->load_after)
        return;
    l->loading = false;
    if (l->loaded > l->load_after)
        return;
    l->load_at = b->now + LOAD_AGAIN;
    if ((ev->flags & EVENT_DURABLE) && !lane_head(l) && l->loaded + 1 < l->next)
        loaded_nothing(b, out, s);
}

void loaded_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct source *s = source_named(b, ev->name);
    if (!s || !s->lane)
        return;
    if (str_empty(ev->id)) {
        loaded_end(b, out, s, ev);
        return;
    }
    letter_loaded(b, out, s, ev);
    loaded_record(s, ev);
}

/* At the end of each step */

static bool work_source(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    struct component *c = component_of(b, s->component);
    enum progress p = DONE;
    bool settled = lane_settle(l, b->now), trimmed = lane_trim(l, b->now);
    l->row_due = l->row_due || settled || trimmed;
    if (c->up && !c->congested && !b->stopping && !l->doubt)
        p = pump(b, out, s, &c->window);
    bool room = p != FULL && (!l->parked_count || release_parked(b, out, s)) && effects_fit(out, LANE_ROW);
    if (room && l->row_due) {
        l->row_due = false;
        store_lane(b, out, s);
    }
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
    for (size_t i = 1; room && i < b->source_count; i++) {
        struct source *s = &b->sources[(i + b->turn) % (b->source_count - 1) + 1];
        room = (!s->lane || work_source(b, out, s)) && later_work(b, out, s);
    }
    b->turn = b->source_count > 2 ? b->turn + 1 : 0;
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
    bool wants = !l->doubt && component_up(b, s->component) && !lane_head(l) && l->sent + 1 < l->next && !l->loading;
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

/* Restoring */

enum err deliver_restore_lane(struct bridge *b, const struct row *row)
{
    struct source *s = source_named(b, row->adapter);
    if (!s)
        return ERR_NOTFOUND;
    if (s->lane || row->trimmed > row->settled || row->settled > row->number || row->number > INT64_MAX ||
        row->number - row->trimmed > LANE_SPAN)
        return ERR_BADREQ;
    struct lane *l = lane_of(s);
    bool same = str_eq_c(row->text, b->boot);
    l->trimmed = row->trimmed;
    l->next = row->trimmed + 1;
    l->settled = row->settled;
    l->fenced = same ? row->number : row->settled;
    l->resume = same && row->user.n ? mem_dup(row->user.p, row->user.n) : NULL;
    l->doubt = same && row->number > row->settled ? row->since : 0;
    l->dead = row->dead;
    l->expired = row->expired;
    return ERR_OK;
}

// When something was accepted is known by the wall clock; how old it is at most, whatever that clock does.
static int64_t accepted(const struct bridge *b, const struct source *s, int64_t wall)
{
    int64_t age = b->wall - wall;
    age = age < 0 ? 0 : age;
    return b->now - (age > s->max_age ? s->max_age : age);
}

enum err deliver_restore_record(struct bridge *b, const struct row *row)
{
    struct source *s = source_named(b, row->adapter);
    if (!s)
        return ERR_NOTFOUND;
    struct lane *l = lane_of(s);
    if (str_empty(row->id) || row->id.n > 1024 || str_empty(row->key) || row->number > INT64_MAX)
        return ERR_BADREQ;
    if (row->number <= l->trimmed) // a letter's
        return ERR_OK;
    return lane_restore(l, row->number, lane_hash(row->id), row->text.n, accepted(b, s, row->since)) ? ERR_OK
                                                                                                     : ERR_BADREQ;
}

void deliver_restored(struct bridge *b)
{
    for (size_t i = 1; i < b->source_count; i++) {
        struct lane *l = b->sources[i].lane;
        if (!l)
            continue;
        while (l->next <= l->fenced) // rows that were lost
            (void)lane_restore(l, l->next, 0, 0, b->now);
        uint64_t fenced = l->fenced;
        char *resume = l->resume;
        l->resume = NULL;
        l->fenced = l->settled;
        lane_fenced(l, fenced, b->now);
        l->resume = resume;
        lane_rewind(l);
    }
}
