/* What becomes of a message that was handed to the server and comes back as an error, maybe minutes later from a remote
 * server: the record is found by its id, and a letter is written for the user who did not get it.
 *
 * Happy path: an error that may pass -> RETRY -> its text is asked of the journal -> SENT, the same id -> a fence
 * behind it comes back: now its row says SENT, too -> no error for a while -> gone. Failures: an error that will not
 * pass, or it was tried for too long -> DEAD, told to the admins, until somebody says REPLAY or DISCARD; the link goes
 * before the fence or soon after it: it is tried again; its text is not in the journal -> DEAD. */
#include "core/bridge_private.h"

#include "base/mem.h"
#include "base/utf8.h"

enum {
    WHY_MAX = 300,
    TOLD_MS = 600000, // between two notices about the same adapter
};

static struct lane *lane_of(const struct bridge *b, const struct letter *l)
{
    return l->guest ? l->guest->lane : b->sources[l->source].lane;
}

static const char *lane_name(const struct bridge *b, const struct letter *l)
{
    return l->guest ? l->guest->name : b->sources[l->source].name;
}

static void store_letter(struct bridge *b, struct effects *out, const struct letter *l, bool gone)
{
    struct arena *a = out->arena;
    store_row(out, &(struct row){.kind = ROW_LETTER,
                                 .gone = gone,
                                 .number = l->number,
                                 .adapter = arena_dup(a, str_c(lane_name(b, l))),
                                 .record = l->record,
                                 .user = arena_dup(a, l->user),
                                 .local = arena_dup(a, l->local),
                                 .id = arena_dup(a, l->id),
                                 .state = l->state,
                                 .attempts = l->attempts,
                                 .since = l->since,
                                 .next = l->next == INT64_MAX ? 0 : b->wall + (l->next - b->now),
                                 .text = arena_dup(a, l->why)});
}

static bool tried(enum letter_state state)
{
    return state == LETTER_RETRY || state == LETTER_SENT;
}

static void set_next(struct bridge *b, struct letter *l, int64_t next)
{
    l->next = next;
    if (next < b->letters.next)
        b->letters.next = next;
}

// Its flight is over, or it never was on one: another may go.
static void ground(struct bridge *b, struct letter *l)
{
    if (!letter_flies(l))
        return;
    l->question = 0;
    l->held = 0;
    b->letters.flying--;
    b->letters.next = b->now;
}

// The counters of the lane follow; EXPIRED is counted once a record, by who finds it too old.
static void set_state(struct bridge *b, struct letter *l, enum letter_state state, int64_t next)
{
    struct lane *lane = lane_of(b, l);
    ground(b, l);
    l->doubt = 0;
    lane->retrying += (size_t)tried(state) - (size_t)tried(l->state);
    if (state == LETTER_DEAD && l->state != LETTER_DEAD)
        lane->dead++;
    if (l->state == LETTER_DEAD && tried(state) && lane->dead)
        lane->dead--;
    if (l->state == LETTER_EXPIRED && tried(state) && lane->expired)
        lane->expired--;
    lane->row_due = true;
    l->state = state;
    set_next(b, l, next);
}

static void end(struct bridge *b, struct effects *out, struct letter *l)
{
    struct lane *lane = lane_of(b, l);
    ground(b, l);
    lane->retrying -= tried(l->state);
    lane->row_due = true;
    if (l->guest)
        venue_busy(&b->venues, l->guest->venue);
    store_letter(b, out, l, true);
    letter_remove(&b->letters, l);
}

static void tell(struct bridge *b, struct effects *out, struct source *s, struct lane *lane, struct str user,
                 struct str why)
{
    lane->told_count++;
    if (lane->told != INT64_MIN && b->now - lane->told < TOLD_MS)
        return;
    lane->told = b->now;
    say_notice(b, out, s->component, 0,
               arena_printf(out->arena,
                            "adapter %s: %llu messages could not be delivered, the last to " STR_FMT ": " STR_FMT
                            ". The operation \"dead\" lists them, \"replay\" tries them again.",
                            s->name, (unsigned long long)lane->told_count, STR_ARG(user), STR_ARG(why)));
    lane->told_count = 0;
}

// At most LETTER_EFFECTS effects. NULL when there is room for none: it is counted.
static struct letter *make(struct bridge *b, struct effects *out, const struct letter *what)
{
    struct letter *oldest = b->letters.count >= LETTERS_MAX ? letter_oldest(&b->letters) : NULL;
    if (oldest) {
        b->letters.dropped++;
        end(b, out, oldest);
    }
    struct letter first = *what;
    first.since = b->wall;
    first.next = INT64_MAX;
    struct letter *l = letter_add(&b->letters, &first);
    b->letters.dropped += !l;
    return l;
}

void letter_expired(struct bridge *b, struct effects *out, struct source *s, const struct lane_record *r,
                    const struct identity *id, struct str user)
{
    uint16_t source = (uint16_t)(s - b->sources);
    struct str why = STR("too old: the server was away too long");
    if (letter_about(&b->letters, source, r->number, user)) // from before the link went down, or the process ended
        return;
    struct letter *l = make(b, out,
                            &(struct letter){.record = r->number,
                                             .source = source,
                                             .state = LETTER_EXPIRED,
                                             .user = user,
                                             .local = id ? identity_part(id, PART_LOCAL) : STR_NONE,
                                             .id = r->id,
                                             .why = why});
    if (r->number > s->lane->expired_last) {
        s->lane->expired_last = r->number;
        s->lane->expired++;
    }
    s->lane->row_due = true;
    if (l)
        store_letter(b, out, l, false);
    tell(b, out, s, s->lane, user, why);
}

struct str letter_user(const struct bridge *b, struct effects *out, const struct guest *g)
{
    struct str local = identity_part(identity_at(&b->map.identities, g->identity), PART_LOCAL);
    return arena_printf(out->arena, "%s/" STR_FMT, g->venue->room, STR_ARG(local));
}

void letter_unsaid(struct bridge *b, struct effects *out, struct guest *g, uint64_t number, struct str id,
                   enum letter_state state, struct str why)
{
    struct source *s = &b->sources[g->source];
    struct str local = identity_part(identity_at(&b->map.identities, g->identity), PART_LOCAL);
    struct str user = letter_user(b, out, g);
    struct letter *l = make(b, out,
                            &(struct letter){.record = number,
                                             .source = g->source,
                                             .guest = g,
                                             .state = state,
                                             .user = user,
                                             .local = local,
                                             .id = id,
                                             .why = why});
    g->lane->expired += state == LETTER_EXPIRED;
    g->lane->dead += state == LETTER_DEAD;
    if (l)
        store_letter(b, out, l, false);
    tell(b, out, s, g->lane, str_c(g->venue->room), why);
}

bool letters_drop_guest(struct bridge *b, struct effects *out, const struct guest *g)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (l->guest != g)
            continue;
        if (!effects_fit(out, LETTER_EFFECTS))
            return false;
        end(b, out, l);
    }
    return true;
}

/* Errors that come back */

static bool may_pass(enum err e)
{
    return str_eq_c(STR("wait"), err_type(e)) || e == ERR_RESOLVE;
}

static bool too_old(const struct bridge *b, const struct letter *l)
{
    const struct lane_entry *e = lane_entry(lane_of(b, l), l->record);
    int64_t max_age = b->sources[l->source].max_age;
    return (e && b->now - e->at >= max_age) || letter_tried_for(l->attempts) >= max_age;
}

static struct str reason(struct effects *out, const struct event *ev)
{
    if (str_empty(ev->body))
        return str_c(err_text(ev->err));
    struct str text = utf8_cut(ev->body, WHY_MAX);
    return arena_printf(out->arena, "%s: " STR_FMT, err_text(ev->err), STR_ARG(text));
}

// Decides what becomes of it after an error.
static void refused(struct bridge *b, struct effects *out, struct letter *l, const struct event *ev)
{
    struct source *s = &b->sources[l->source];
    l = letter_explain(&b->letters, l, reason(out, ev));
    if (may_pass(ev->err) && !too_old(b, l)) {
        int64_t delay = letter_delay(l->attempts++);
        set_state(b, l, LETTER_RETRY, b->now + delay);
    } else {
        set_state(b, l, LETTER_DEAD, INT64_MAX);
        tell(b, out, s, lane_of(b, l), l->user, l->why);
        letter_tell(b, out, l, letter_err(l));
    }
    store_letter(b, out, l, false);
}

// The lane and the record of a message that this identity has sent under this id; 0: none.
static uint64_t record_of(struct bridge *b, const struct identity *id, struct str stanza)
{
    const struct lane *lane = b->sources[id->source].lane;
    return lane && stanza.n ? lane_find(lane, lane_hash(stanza)) : 0;
}

// Whether it may have been sent to him.
static bool may_have_got(const struct bridge *b, const struct identity *id, const struct jid *user)
{
    const struct user *u = user_find(&b->map.users, user);
    return (u && sub_find(&b->map, u, id)) || deliver_may(b, id, user, true);
}

bool letter_bounced(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id)
{
    struct jid bare = jid_bare(ev->user);
    struct str user = jid_format(out->arena, &bare);
    uint64_t record = record_of(b, id, ev->id);
    struct letter *l = record ? letter_about(&b->letters, id->source, record, user)
                              : letter_under(&b->letters, id->source, ev->id, user);
    if (l && l->state != LETTER_SENT)
        return true; // another of his clients
    if (!l) {
        if (!record || !may_have_got(b, id, &bare))
            return false;
        l = make(b, out,
                 &(struct letter){.record = record,
                                  .source = id->source,
                                  .state = LETTER_STATES, // not yet counted
                                  .user = user,
                                  .local = identity_part(id, PART_LOCAL),
                                  .id = ev->id});
    }
    if (l) {
        refused(b, out, l, ev);
        return true;
    }
    struct source *s = &b->sources[id->source];
    s->lane->dead++;
    s->lane->row_due = true;
    tell(b, out, s, s->lane, user, reason(out, ev));
    return true;
}

/* Tries */

static struct letter *asked(const struct bridge *b, const struct lane *lane, uint64_t question)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (l->question == question && lane_of(b, l) == lane)
            return l;
    }
    return NULL;
}

void letter_loaded(struct bridge *b, struct effects *out, const struct lane *lane, uint64_t question,
                   const struct event *ev)
{
    struct letter *l = asked(b, lane, question);
    if (!l || l->record != ev->number)
        return;
    if (l->guest) {
        post_replay(b, out, l->guest, ev);
        end(b, out, l);
        return;
    }
    const struct source *s = &b->sources[l->source];
    if (!component_up(b, s->component)) { // the link went meanwhile
        set_state(b, l, LETTER_RETRY, b->now);
        return;
    }
    struct jid user;
    const struct identity *id = identity_find_key(&b->map.identities, l->source, ev->key);
    if (!id || id->dying || !bare_jid(l->user, &user) || !deliver_may(b, id, &user, true)) {
        end(b, out, l);
        return;
    }
    struct lane_record r = {
        .type = ev->type, .stamp = ev->stamp, .since = ev->accepted, .id = ev->id, .body = ev->body};
    struct event north = deliver_event(b, out, id, &r);
    north.user = (struct jid){.local = arena_dup(out->arena, user.local), .domain = arena_dup(out->arena, user.domain)};
    say_north(b, out, &north);
    set_state(b, l, LETTER_SENT, b->now + LETTER_ANSWER_MS);
    l->fence = 0;
    l->held = INT64_MAX;
    b->letters.flying++;
    component_of(b, s->component)->window.letters++;
}

void letter_missing(struct bridge *b, struct effects *out, const struct lane *lane, uint64_t question, bool complete)
{
    struct letter *l = asked(b, lane, question);
    if (!l)
        return;
    if (!complete) {
        set_state(b, l, LETTER_RETRY, b->now + letter_delay(0));
        return;
    }
    l = letter_explain(&b->letters, l, STR("its text is missing in the journal"));
    set_state(b, l, LETTER_DEAD, INT64_MAX);
    tell(b, out, &b->sources[l->source], lane_of(b, l), l->user, l->why);
    letter_tell(b, out, l, letter_err(l));
    store_letter(b, out, l, false);
}

// Calls `each` for the letters that are on their way over the component.
static void each_sent(struct bridge *b, uint16_t component,
                      void (*each)(struct bridge *b, struct letter *l, uint64_t x), uint64_t x)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (b->sources[l->source].component == component && l->state == LETTER_SENT)
            each(b, l, x);
    }
}

static void cover(struct bridge *b, struct letter *l, uint64_t fence)
{
    (void)b;
    if (!l->fence)
        l->fence = fence;
}

void letters_cover(struct bridge *b, uint16_t component, uint64_t fence)
{
    each_sent(b, component, cover, fence);
}

static void row_due(struct bridge *b, struct letter *l)
{
    l->row_due = b->letters.row_due = true;
}

static void land(struct bridge *b, struct letter *l, uint64_t fence)
{
    if (l->held != INT64_MAX || l->fence != fence)
        return;
    ground(b, l);
    l->held = b->now + LANE_HOLD_MS;
    row_due(b, l);
}

void letters_land(struct bridge *b, uint16_t component, uint64_t fence)
{
    if (b->letters.flying)
        each_sent(b, component, land, fence);
}

static void lose(struct bridge *b, struct letter *l, uint64_t x)
{
    (void)x;
    if (l->held <= b->now && !l->doubt)
        return;
    set_state(b, l, LETTER_RETRY, b->now);
    row_due(b, l);
}

static void started(struct bridge *b, struct letter *l, uint64_t since)
{
    if (l->doubt && since && since >= (uint64_t)l->doubt)
        lose(b, l, 0);
    l->doubt = 0;
}

void letters_started(struct bridge *b, uint16_t component, int64_t since)
{
    each_sent(b, component, started, since > 0 ? (uint64_t)since : 0);
    b->letters.next = b->now;
}

bool letters_doubt(const struct bridge *b, uint16_t component)
{
    for (struct list_node *it = b->letters.all.next; it != &b->letters.all; it = it->next) {
        const struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (l->doubt && b->sources[l->source].component == component)
            return true;
    }
    return false;
}

void letters_link_up(struct bridge *b)
{
    b->letters.next = b->now;
}

void letters_link_down(struct bridge *b, uint16_t component)
{
    each_sent(b, component, lose, 0);
}

static void due(struct bridge *b, struct effects *out, struct letter *l)
{
    if (l->state == LETTER_SENT && l->held == INT64_MAX) {
        set_next(b, l, b->now + LETTER_ANSWER_MS);
        return;
    }
    if (l->state == LETTER_SENT) {
        letter_tell(b, out, l, ERR_OK);
        end(b, out, l);
        return;
    }
    l->question = ++lane_of(b, l)->asked;
    b->letters.flying++;
    say_load(b, out, arena_dup(out->arena, str_c(lane_name(b, l))), l->record - 1, 1);
}

// It waits for something that happens, not for its time.
static bool waits(const struct bridge *b, const struct letter *l)
{
    bool may_go = b->letters.flying < LETTERS_FLYING && component_up(b, b->sources[l->source].component);
    return l->question || l->doubt || (l->state == LETTER_RETRY && !may_go);
}

// False when the step is full.
static bool store_rows(struct bridge *b, struct effects *out)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (!l->row_due)
            continue;
        if (!effects_fit(out, 1))
            return false;
        l->row_due = false;
        store_letter(b, out, l, false);
    }
    b->letters.row_due = false;
    return true;
}

bool letters_work(struct bridge *b, struct effects *out)
{
    struct letters *t = &b->letters;
    if (t->row_due && !store_rows(b, out))
        return false;
    if (b->now < t->next || b->stopping)
        return true;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &t->all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (l->next > b->now || waits(b, l))
            continue;
        if (!effects_fit(out, LETTER_EFFECTS))
            return false;
        due(b, out, l);
    }
    t->next = INT64_MAX;
    LIST_EACH (it, safe, &t->all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (!waits(b, l))
            set_next(b, l, l->next);
    }
    return true;
}

int64_t letters_deadline(const struct bridge *b)
{
    return b->stopping ? INT64_MAX : b->letters.next;
}

/* What people decide */

static bool meant(const struct event *ev, const struct bridge *b, const struct letter *l)
{
    if (ev->number)
        return l->number == ev->number;
    return str_empty(ev->name) || str_eq_c(ev->name, b->sources[l->source].name) || str_eq(ev->name, l->user);
}

// Those that the event names, so far as a step has room: who asked for many asks again.
static void each_meant(struct bridge *b, const struct event *ev, struct effects *out,
                       void (*each)(struct bridge *b, struct effects *out, struct letter *l))
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (meant(ev, b, l) && effects_fit(out, LETTER_EFFECTS))
            each(b, out, l);
    }
}

static void replay(struct bridge *b, struct effects *out, struct letter *l)
{
    bool soon = l->question || (l->state == LETTER_RETRY && l->next <= b->now);
    if (l->state == LETTER_SENT || soon)
        return;
    l->attempts = 0;
    set_state(b, l, LETTER_RETRY, b->now);
    store_letter(b, out, l, false);
}

static void retry(struct bridge *b, struct effects *out, struct letter *l)
{
    (void)out;
    if (l->state == LETTER_RETRY && !l->question)
        set_next(b, l, b->now);
}

void retry_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    each_meant(b, ev, out, retry);
}

void replay_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    each_meant(b, ev, out, replay);
}

void discard_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    each_meant(b, ev, out, end);
}

bool letters_erase(struct bridge *b, struct effects *out, const struct user *u)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (!str_eq(l->user, user_jid_text(u)))
            continue;
        if (!effects_fit(out, LETTER_EFFECTS))
            return false;
        end(b, out, l);
    }
    return true;
}

// Milliseconds until then, within what a letter ever waits.
static int64_t wait_until(const struct bridge *b, int64_t wall)
{
    if (wall <= b->wall)
        return 0;
    return wall - LETTER_WAIT_MAX > b->wall ? LETTER_WAIT_MAX : wall - b->wall;
}

enum err letter_restore(struct bridge *b, const struct row *row)
{
    struct guest *g = post_is_lane(row->adapter) ? post_guest(b, row->adapter) : NULL;
    struct source *s = g ? &b->sources[g->source] : source_named(b, row->adapter);
    struct lane *lane = g ? g->lane : s ? s->lane : NULL;
    struct jid user;
    if (!lane)
        return ERR_NOTFOUND;
    if (!row->number || row->number > INT64_MAX || !row->record || row->record > INT64_MAX ||
        row->state >= LETTER_STATES || row->user.n > JID_MAX || (!g && !bare_jid(row->user, &user)))
        return ERR_BADREQ;
    bool lost = row->state == LETTER_SENT && lane->other_boot; // the server may have had it in its memory only
    bool sent = row->state == LETTER_SENT && !lost;
    struct letter what = {
        .number = row->number,
        .doubt = sent && row->next > LETTER_ANSWER_MS ? row->next - LETTER_ANSWER_MS : 0,
        .record = row->record,
        .source = (uint16_t)(s - b->sources),
        .guest = g,
        .state = lost ? LETTER_RETRY : (enum letter_state)row->state,
        .attempts = row->attempts,
        .since = row->since,
        .next = !tried((enum letter_state)row->state) ? INT64_MAX : b->now + (lost ? 0 : wait_until(b, row->next)),
        .user = row->user,
        .local = row->local,
        .id = row->id,
        .why = row->text,
    };
    if (!letter_add(&b->letters, &what))
        return ERR_BADREQ;
    lane->retrying += tried(what.state);
    struct lane_entry *e = g ? lane_entry(lane, row->record) : NULL;
    if (e) // nobody says it but by a replay
        e->ended = 1;
    return ERR_OK;
}
