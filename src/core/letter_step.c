/* What becomes of a message that was handed to the server and comes back as an error, maybe minutes later from a remote
 * server: the record is found by its id, and a letter is written for the user who did not get it.
 *
 * Happy path: an error that may pass -> RETRY -> its text is asked of the journal -> SENT, the same id -> no error for
 * a while -> gone. Failures: an error that will not pass, or the record is too old -> DEAD, told to the admins, until
 * somebody says REPLAY or DISCARD; the link goes soon after a try: it is tried again. */
#include "core/bridge_private.h"

#include "base/mem.h"
#include "base/utf8.h"

enum {
    WHY_MAX = 300,
    TOLD_MS = 600000, // between two notices about the same adapter
    NOT_HELD = LANE_HOLD_MS,
};

static void store_letter(struct bridge *b, struct effects *out, const struct letter *l, bool gone)
{
    struct arena *a = out->arena;
    store_row(out, &(struct row){.kind = ROW_LETTER,
                                 .gone = gone,
                                 .number = l->number,
                                 .adapter = str_c(b->sources[l->source].name),
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

static struct lane *lane_of(const struct bridge *b, const struct letter *l)
{
    return b->sources[l->source].lane;
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

// The counters of the lane follow; EXPIRED is counted once a record, by who finds it too old.
static void set_state(struct bridge *b, struct letter *l, enum letter_state state, int64_t next)
{
    struct lane *lane = lane_of(b, l);
    lane->retrying += (size_t)tried(state) - (size_t)tried(l->state);
    if (state == LETTER_DEAD && l->state != LETTER_DEAD)
        lane->dead++;
    if (l->state == LETTER_DEAD && tried(state))
        lane->dead--;
    if (l->state == LETTER_EXPIRED && tried(state) && lane->expired)
        lane->expired--;
    lane->row_due = true;
    l->state = state;
    l->fetching = false;
    set_next(b, l, next);
}

static void end(struct bridge *b, struct effects *out, struct letter *l)
{
    struct lane *lane = lane_of(b, l);
    lane->retrying -= tried(l->state);
    lane->row_due = true;
    store_letter(b, out, l, true);
    letter_remove(&b->letters, l);
}

static void tell(struct bridge *b, struct effects *out, struct source *s, const struct letter *l)
{
    struct lane *lane = s->lane;
    lane->told_count++;
    if (lane->told != INT64_MIN && b->now - lane->told < TOLD_MS)
        return;
    lane->told = b->now;
    say_notice(b, out, s->component, 0,
               arena_printf(out->arena,
                            "adapter %s: %llu messages could not be delivered, the last to " STR_FMT ": " STR_FMT
                            ". The operation \"dead\" lists them, \"replay\" tries them again.",
                            s->name, (unsigned long long)lane->told_count, STR_ARG(l->user), STR_ARG(l->why)));
    lane->told_count = 0;
}

// At most LETTER_EFFECTS effects. NULL when there is room for none.
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
    return letter_add(&b->letters, &first);
}

void letter_expired(struct bridge *b, struct effects *out, struct source *s, const struct lane_record *r,
                    const struct identity *id, struct str user)
{
    struct letter *l = make(b, out,
                            &(struct letter){.record = r->number,
                                             .source = (uint16_t)(s - b->sources),
                                             .state = LETTER_EXPIRED,
                                             .user = user,
                                             .local = id ? identity_part(id, PART_LOCAL) : STR_NONE,
                                             .id = r->id,
                                             .why = STR("too old: the server was away too long")});
    s->lane->row_due = true;
    if (!l)
        return;
    store_letter(b, out, l, false);
    tell(b, out, s, l);
}

/* Errors that come back */

static bool may_pass(enum err e)
{
    return str_eq_c(STR("wait"), err_type(e)) || e == ERR_RESOLVE;
}

static bool too_old(const struct bridge *b, const struct letter *l)
{
    const struct lane_entry *e = lane_entry(lane_of(b, l), l->record);
    return e && b->now - e->at >= b->sources[l->source].max_age;
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
    l = letter_explain(l, reason(out, ev));
    if (may_pass(ev->err) && !too_old(b, l)) {
        int64_t delay = letter_delay(l->attempts++);
        set_state(b, l, LETTER_RETRY, b->now + delay);
    } else {
        set_state(b, l, LETTER_DEAD, INT64_MAX);
        tell(b, out, s, l);
    }
    store_letter(b, out, l, false);
}

// The lane and the record of a message that this identity has sent under this id; 0: none.
static uint64_t record_of(struct bridge *b, const struct identity *id, struct str stanza)
{
    const struct lane *lane = b->sources[id->source].lane;
    return lane && stanza.n ? lane_find(lane, lane_hash(stanza)) : 0;
}

bool letter_bounced(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id)
{
    uint64_t record = record_of(b, id, ev->id);
    const struct user *u = user_find(&b->map.users, &ev->user);
    if (!record || !u)
        return false;
    struct letter *l = letter_about(&b->letters, id->source, record, user_jid_text(u));
    if (l && l->state != LETTER_SENT)
        return true; // another of his clients
    if (!l) {
        if (!sub_find(&b->map, u, id))
            return false;
        l = make(b, out,
                 &(struct letter){.record = record,
                                  .source = id->source,
                                  .state = LETTER_STATES, // not yet counted
                                  .user = user_jid_text(u),
                                  .local = identity_part(id, PART_LOCAL),
                                  .id = ev->id});
    }
    if (l)
        refused(b, out, l, ev);
    return true;
}

/* Tries */

void letter_loaded(struct bridge *b, struct effects *out, struct source *s, const struct event *ev)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (!l->fetching || &b->sources[l->source] != s || l->record != ev->number)
            continue;
        if (!effects_fit(out, LETTER_EFFECTS)) // asked for again by its next try
            return;
        struct jid user;
        const struct identity *id = identity_find_key(&b->map.identities, l->source, ev->key);
        bool may = id && bare_jid(l->user, &user) && deliver_may(b, id, &user, true) && component_up(b, s->component);
        if (!may) {
            end(b, out, l);
            continue;
        }
        struct lane_record r = {
            .type = ev->type, .stamp = ev->stamp, .since = ev->accepted, .id = ev->id, .body = ev->body};
        struct event north = deliver_event(b, out, id, &r);
        north.user =
            (struct jid){.local = arena_dup(out->arena, user.local), .domain = arena_dup(out->arena, user.domain)};
        say_north(b, out, &north);
        set_state(b, l, LETTER_SENT, b->now + LETTER_ANSWER_MS);
        store_letter(b, out, l, false);
    }
}

static void due(struct bridge *b, struct effects *out, struct letter *l)
{
    if (l->state == LETTER_SENT) {
        end(b, out, l);
        return;
    }
    const struct source *s = &b->sources[l->source];
    if (!component_up(b, s->component)) {
        set_next(b, l, b->now + letter_delay(0));
        return;
    }
    l->fetching = true;
    set_next(b, l, b->now + letter_delay(0)); // if nothing comes
    say_load(b, out, str_c(s->name), l->record - 1, 1);
}

bool letters_work(struct bridge *b, struct effects *out)
{
    if (b->now < b->letters.next || b->stopping)
        return true;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (l->next > b->now)
            continue;
        if (!effects_fit(out, LETTER_EFFECTS))
            return false;
        due(b, out, l);
    }
    b->letters.next = INT64_MAX;
    LIST_EACH (it, safe, &b->letters.all)
        set_next(b, CONTAINER_OF(it, struct letter, node), CONTAINER_OF(it, struct letter, node)->next);
    return true;
}

int64_t letters_deadline(const struct bridge *b)
{
    return b->stopping ? INT64_MAX : b->letters.next;
}

void letters_link_down(struct bridge *b, uint16_t component)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->letters.all) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (b->sources[l->source].component != component)
            continue;
        l->fetching = false;
        if (l->state == LETTER_SENT && l->next > b->now + LETTER_ANSWER_MS - NOT_HELD)
            set_state(b, l, LETTER_RETRY, b->now);
    }
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
    if (l->state == LETTER_RETRY && l->next <= b->now)
        return;
    l->attempts = 0;
    set_state(b, l, LETTER_RETRY, b->now);
    store_letter(b, out, l, false);
}

static void retry(struct bridge *b, struct effects *out, struct letter *l)
{
    (void)out;
    if (l->state == LETTER_RETRY)
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

enum err letter_restore(struct bridge *b, const struct row *row)
{
    struct source *s = source_named(b, row->adapter);
    if (!s || !s->lane)
        return ERR_NOTFOUND;
    int64_t wait = row->next - b->wall;
    bool waits = row->state == LETTER_RETRY || row->state == LETTER_SENT;
    struct letter what = {
        .number = row->number,
        .record = row->record,
        .source = (uint16_t)(s - b->sources),
        .state = (enum letter_state)row->state,
        .attempts = row->attempts,
        .since = row->since,
        .next = !waits ? INT64_MAX
                       : b->now + (wait < 0                 ? 0
                                   : wait > LETTER_WAIT_MAX ? LETTER_WAIT_MAX
                                                            : wait),
        .user = row->user,
        .local = row->local,
        .id = row->id,
        .why = row->text,
    };
    if (!letter_add(&b->letters, &what))
        return ERR_BADREQ;
    s->lane->retrying += waits;
    return ERR_OK;
}
