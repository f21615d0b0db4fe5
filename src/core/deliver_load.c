/* What the journal gives back: bodies that are not in memory, while the process runs, and all of it at the start.
 *
 * Happy path: a lane has sent what it has in memory -> a question (EFFECT_LOAD) -> its records, in order -> the end of
 * the answer. Failures: the disk cannot be read now: asked again; a record that must be there is not: given up, counted
 * and said; the link goes meanwhile: the answer is not about what is wanted then, and passed over. */
#include "core/bridge_private.h"

#include "base/mem.h"

enum { LOAD_AGAIN = 1000 }; // ms, when the journal could not give what it must have

struct lane *source_lane(struct source *s)
{
    if (!s->lane)
        s->lane = lane_create();
    return s->lane;
}

void deliver_load(struct bridge *b, struct effects *out, struct lane *l, const char *name)
{
    if (l->question || b->now < l->load_at)
        return;
    l->question = ++l->asked;
    l->load_after = l->loaded;
    l->load_until = l->next - 1;
    say_load(b, out, arena_dup(out->arena, str_c(name)), l->loaded, LANE_MEMORY);
}

// Whose lane it is: that of an adapter, or of a guest.
struct owner {
    struct lane *lane; // NULL: nobody's
    const char *name;
    uint16_t component;
    struct source *source; // NULL: a guest's
    struct guest *guest;
};

static struct owner owner_of(struct bridge *b, struct str name)
{
    struct source *s = source_named(b, name);
    struct guest *g = s ? NULL : guest_of_lane(&b->venues, name);
    if (g)
        return (struct owner){g->lane, g->name, g->venue->component, NULL, g};
    return s ? (struct owner){s->lane, s->name, s->component, s, NULL} : (struct owner){0};
}

// All up to `sent` is with the server, or is not there.
static void passed(struct bridge *b, const struct owner *o)
{
    if (o->source)
        deliver_passed(b, o->source, o->lane->sent);
    else
        o->lane->row_due = lane_confirm(o->lane, o->lane->sent, b->now) || o->lane->row_due;
}

// What the journal must have and has not is given up, and said.
static void give_up(struct bridge *b, struct effects *out, const struct owner *o, uint64_t until)
{
    struct lane *l = o->lane;
    uint64_t missing = 0;
    for (uint64_t n = l->loaded + 1; n <= until; n++) { // others were missing at the start already
        struct lane_entry *e = lane_entry(l, n);
        missing += e && !e->ended;
        if (e && o->guest)
            (void)lane_confirm(l, n, b->now);
    }
    l->loaded = l->loaded > until ? l->loaded : until;
    if (!missing)
        return;
    l->dead += missing;
    l->row_due = true;
    say_notice(b, out, o->component, 0,
               arena_printf(out->arena, "adapter %s: %llu messages are missing in the journal and cannot be delivered",
                            o->name, (unsigned long long)missing));
}

static void loaded_record(struct bridge *b, struct effects *out, const struct owner *o, const struct event *ev)
{
    struct lane *l = o->lane;
    if (ev->number <= l->loaded || ev->number >= l->next)
        return;
    if (!lane_has_room(l)) { // what follows would be put in its place: it is asked for again
        l->question = 0;
        return;
    }
    give_up(b, out, o, ev->number - 1);
    if (ev->number == l->loaded + 1) // else it had ended, and was passed over with what is missing
        lane_put(l, ev, ev->number);
}

static void loaded_end(struct bridge *b, struct effects *out, const struct owner *o, const struct event *ev)
{
    struct lane *l = o->lane;
    l->question = 0;
    if (l->loaded > l->load_after)
        return;
    if (!(ev->flags & EVENT_DURABLE)) {
        l->load_at = b->now + LOAD_AGAIN;
        return;
    }
    give_up(b, out, o, l->load_until);
    l->sent = l->loaded;
    passed(b, o);
}

/* A row that says how far the server is must be on the disk before more than a window is handed over: else a kill would
 * send more than that again. A disk that cannot be written holds up no delivery. */

void deliver_barrier(struct bridge *b, struct effects *out, struct source *s)
{
    struct lane *l = s->lane;
    if (l->barrier || l->row_due || !l->unsure || !effects_fit(out, 1))
        return;
    l->barrier = ++l->asked;
    l->covered = l->unsure;
    say_load(b, out, str_c(s->name), l->fenced, 0);
}

static void barrier_passed(struct lane *l)
{
    l->barrier = 0;
    l->unsure -= l->covered;
    l->covered = 0;
}

// Answers come in the order of the questions: those that were asked before a link went down, or for a letter, are not
// about what the lane waits for now.
void loaded_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct owner o = owner_of(b, ev->name);
    struct lane *l = o.lane;
    if (!l || l->answered == l->asked)
        return;
    uint64_t question = l->answered + 1;
    bool end = str_empty(ev->id), own = question == l->question;
    l->answered += end;
    if (o.guest)
        venue_busy(&b->venues, o.guest->venue);
    if (question == l->barrier && end) {
        barrier_passed(l);
        return;
    }
    if (own && end)
        loaded_end(b, out, &o, ev);
    else if (own)
        loaded_record(b, out, &o, ev);
    else if (end)
        letter_missing(b, out, l, question, ev->flags & EVENT_DURABLE);
    else
        letter_loaded(b, out, l, question, ev);
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
    struct lane *l = source_lane(s);
    bool same = str_eq_c(row->text, b->boot);
    l->other_boot = !same;
    l->trimmed = row->trimmed;
    l->next = row->trimmed + 1;
    l->settled = row->settled;
    l->fenced = same ? row->number : row->settled;
    l->resume = same && row->user.n ? mem_dup(row->user.p, row->user.n) : NULL;
    bool held = row->number > row->settled || row->user.n > 0;
    l->doubt = same && held && row->since > LANE_HOLD_MS * 2 ? row->since : 0;
    l->dead = row->dead;
    l->expired = row->expired;
    return ERR_OK;
}

// When something was accepted is known by the wall clock; how old it is at most, whatever that clock does.
int64_t deliver_accepted(const struct bridge *b, const struct source *s, int64_t wall)
{
    if (wall >= b->wall)
        return b->now;
    return wall < b->wall - s->max_age ? b->now - s->max_age : b->now - (b->wall - wall);
}

enum err deliver_restore_record(struct bridge *b, const struct row *row)
{
    struct source *s = source_named(b, row->adapter);
    if (!s)
        return ERR_NOTFOUND;
    struct lane *l = source_lane(s);
    if (str_empty(row->id) || row->id.n > RECORD_ID_MAX || str_empty(row->key) || row->number > INT64_MAX)
        return ERR_BADREQ;
    if (row->number <= l->trimmed) // a letter's
        return ERR_OK;
    return lane_restore(l, row->number, lane_hash(row->id), row->text.n, deliver_accepted(b, s, row->since))
               ? ERR_OK
               : ERR_BADREQ;
}

void deliver_restored(struct bridge *b)
{
    for (size_t i = 1; i < b->source_count; i++) {
        struct lane *l = b->sources[i].lane;
        if (!l)
            continue;
        char *resume = l->resume;
        l->resume = NULL;
        lane_restored(l, l->fenced, b->now);
        l->resume = resume;
    }
}
