/* What rooms elsewhere tell of our guests and of others: who is in, who is out and why, what was said, what is refused.
 */
#include "core/guest_private.h"
#include "core/post_private.h"

#include "base/utf8.h"

enum {
    BANNED_MS = 86400000,
    KICKED_AGAIN_MS = 3600000,
};

/* What the room tells */

static void refuse_made(struct bridge *b, struct effects *out, struct guest *g)
{
    guest_say_leave(b, out, g);
    guest_park(b, out, g, ERR_NOTFOUND, STR("there is no such room, and it may not be made"), GUEST_PARK_MS);
}

static void entered_self(struct bridge *b, const struct event *ev, struct effects *out, struct guest *g)
{
    bool late = g->state == GUEST_OUT && lane_queued(g->lane) && !b->stopping;
    bool entering = g->state == GUEST_ENTERING || late;
    if (!late && (g->state == GUEST_OUT || g->state == GUEST_PARKED)) { // it does not want to be in any more
        guest_say_leave(b, out, g);
        return;
    }
    guest_keep(&g->nick, ev->user.resource);
    g->role = ev->role;
    if (entering && (ev->marks & MARK_CREATED)) {
        if (!venue_settings(&b->venues, g->venue)->create) {
            refuse_made(b, out, g);
            return;
        }
        struct event open = guest_event(b, out, g, EV_OPEN);
        say_north(b, out, &open);
    }
    if (entering) {
        g->stay = ++b->venues.serial;
        g->heard = g->used = b->now;
        guest_set_state(b, g, GUEST_LEARNING);
        guest_store(b, out, g, false);
        guest_look_at(b, g, b->now + GUEST_LEARN_MS);
        if (!g->unsure)
            guest_settle_in(b, out, g);
    } else if (g->state == GUEST_IN || g->state == GUEST_MUTED) { // voice was given or taken
        bool mute = g->role == ROLE_VISITOR;
        if (mute != (g->state == GUEST_MUTED))
            guest_settle_in(b, out, g);
    }
}

void entered_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g || str_empty(ev->user.resource))
        return;
    venue_meet(g->venue, ev->user.resource, ev->affiliation);
    if (ev->marks & MARK_SELF)
        entered_self(b, ev, out, g);
}

struct exit { // why it is out
    unsigned marks;
    enum err err;
    const char *why;
    int64_t ms; // until it tries again; 0: as after a failure that may pass
};

// The first that holds.
static const struct exit exits[] = {
    {MARK_DESTROYED, ERR_NOTFOUND, "the room was destroyed", GUEST_PARK_MS},
    {MARK_BANNED, ERR_FORBIDDEN, "it was banned from the room", BANNED_MS},
    {MARK_SHUTDOWN, ERR_CLOSED, "the room's service goes down", 0},
    {MARK_ERROR, ERR_CLOSED, "the room lost the connection", 0},
    {MARK_KICKED, ERR_NOTALLOWED, "it was kicked from the room", GUEST_PARK_MS},
    {MARK_AFFILIATION | MARK_MEMBERS, ERR_REGISTRATION, "it is no member of the room", GUEST_PARK_MS},
    {0, ERR_CLOSED, "it is out of the room", 0},
};

static struct str why_out(struct effects *out, const struct exit *x, const struct event *ev)
{
    struct str reason = utf8_cut(ev->body, REASON_MAX / 2);
    struct str moved = x->marks == MARK_DESTROYED ? ev->name : STR_NONE;
    return arena_printf(out->arena, "%s%s" STR_FMT "%s" STR_FMT, x->why, reason.n ? ": " : "", STR_ARG(reason),
                        moved.n ? "; it has moved to " : "", STR_ARG(moved));
}

static void thrown_out(struct bridge *b, const struct event *ev, struct effects *out, struct guest *g)
{
    const struct exit *x = exits;
    while (x->marks && !(ev->marks & x->marks))
        x++;
    struct str why = why_out(out, x, ev);
    guest_doubt(b, g);
    if (!x->ms) {
        guest_back_off(b, out, g, x->err, why);
        return;
    }
    int64_t ms = x->ms;
    if (x->marks == MARK_KICKED) {
        bool again = g->kicked != INT64_MIN && b->now - g->kicked < KICKED_AGAIN_MS;
        ms = again ? GUEST_PARK_MS : GUEST_COOL_MS;
        g->kicked = b->now;
    }
    guest_park(b, out, g, x->err, why, ms);
}

static void left_self(struct bridge *b, const struct event *ev, struct effects *out, struct guest *g)
{
    bool in = guest_is_in(g) || g->state == GUEST_CHECKING;
    if (ev->marks & MARK_NICK) {
        if (ev->name.n)
            guest_keep(&g->nick, ev->name);
    } else if (in || (g->state == GUEST_ENTERING && (ev->marks & ~(unsigned)MARK_SELF))) {
        thrown_out(b, ev, out, g);
    }
}

void left_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g)
        return;
    venue_part(g->venue, ev->user.resource);
    if ((ev->marks & MARK_NICK) && ev->name.n)
        venue_meet(g->venue, ev->name, ev->affiliation);
    bool self = (ev->marks & MARK_SELF) || (g->nick && str_eq_c(ev->user.resource, g->nick));
    if (self || (ev->marks & MARK_DESTROYED && str_empty(ev->user.resource)))
        left_self(b, ev, out, g);
}

// Whoever asked it in has made it possible, or thinks so: it does not wait any longer.
void invited_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    bool away = g && (g->state == GUEST_OUT || g->state == GUEST_PARKED);
    bool again = g && g->invited != INT64_MIN && b->now - g->invited < GUEST_INVITED_MS;
    if (!away || again || b->stopping)
        return;
    g->invited = b->now;
    guest_look_at(b, g, b->now);
    if (lane_queued(g->lane))
        guest_come(b, out, g);
}

static struct guest *speaker(const struct venue *v, struct str nick)
{
    for (struct list_node *it = v->guests.next; it != &v->guests; it = it->next) {
        struct guest *g = CONTAINER_OF(it, struct guest, node);
        if ((g->nick && str_eq_c(nick, g->nick)) || (g->was && str_eq_c(nick, g->was)))
            return g;
    }
    return NULL;
}

// Of those who may have said it under another nick: a process has ended meanwhile.
static bool nameless_said(struct bridge *b, struct effects *out, struct venue *v, const struct event *ev)
{
    bool found = false;
    for (struct list_node *it = v->guests.next; it != &v->guests && !found; it = it->next) {
        struct guest *g = CONTAINER_OF(it, struct guest, node);
        found = g->nameless && post_reflected(b, out, g, ev);
    }
    return found;
}

void heard_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g)
        return;
    struct guest *who = speaker(g->venue, ev->user.resource);
    if (guest_is_in(g))
        g->heard = b->now;
    if (g->state == GUEST_ASKING && ev->stamp > g->past)
        g->past = ev->stamp;
    if (who && post_reflected(b, out, who, ev))
        return;
    bool learns = g->state == GUEST_ENTERING || g->state == GUEST_LEARNING || g->state == GUEST_ASKING;
    bool past = (ev->flags & EVENT_SNAPSHOT) && learns; // at other times an occupant may have forged that
    if (past && nameless_said(b, out, g->venue, ev))
        return;
    if (past && ev->id.n && (who == g || g->nameless) && b->now - b->began < RETRIED_MS)
        guest_recall(g, lane_hash(ev->id));
    if (!who && ev->user.resource.n && !past && !(ev->flags & EVENT_SUBJECT))
        g->venue->last.guest = NULL;
    if ((ev->flags & EVENT_SUBJECT) && g->state == GUEST_LEARNING)
        guest_look_back(b, out, g, true);
}

static void answer(struct bridge *b, struct effects *out, const struct event *ev, const struct guest *g,
                   struct str text)
{
    struct event said = guest_event(b, out, g, EV_MESSAGE);
    said.user = ev->user;
    said.type = MESSAGE_CHAT;
    said.id = rng_id(&b->rng, out->arena, 16);
    said.body = text;
    said.nick = STR_NONE;
    say_north(b, out, &said);
}

bool guest_private(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g)
        return false;
    const struct person *p = venue_person(g->venue, ev->user.resource);
    struct event ask = *ev;
    ask.affiliation = p ? p->affiliation : AFFILIATION_NONE;
    ask.type = MESSAGE_CHAT;
    if (ev->type == MESSAGE_GROUPCHAT || str_empty(ev->user.resource) || str_empty(ev->body) ||
        speaker(g->venue, ev->user.resource))
        return true; // of no use, or of ours
    if (!p && !(ev->flags & EVENT_ENCRYPTED) && !b->stopping)
        answer(b, out, ev, g,
               STR("I was away and do not see yet who you are here. Enter the room again, or change your status, and "
                   "then say that once more."));
    else if (b->stopping || (ev->flags & EVENT_ENCRYPTED))
        bounce(b, out, ev, EV_MESSAGE, ERR_NOTACCEPTABLE, STR("what is encrypted end to end cannot be read here"));
    else
        ask_adapter(b, &ask, out, identity_at(&b->map.identities, g->identity), RIGHT_SEE | RIGHT_SEND);
    return true;
}

/* Refusals */

enum then { THEN_PARK, THEN_BACK_OFF, THEN_OTHER_NICK, THEN_PLAIN_NICK };

static const struct refusal {
    enum err err;
    enum then then;
    const char *why;
} refusals[] = {
    {ERR_EXISTS, THEN_OTHER_NICK, "its nick is taken"},
    {ERR_AUTH, THEN_PARK, "the room wants a password, or another one"},
    {ERR_REGISTRATION, THEN_PARK, "the room is for members only"},
    {ERR_FORBIDDEN, THEN_PARK, "it is banned from the room"},
    {ERR_NOTACCEPTABLE, THEN_PARK, "the room wants another nick: a reserved one, or none of this kind"},
    {ERR_NOTALLOWED, THEN_PARK, "there is no such room, and it may not be made"},
    {ERR_BADJID, THEN_PLAIN_NICK, "the server does not take its nick"},
    {ERR_BADREQ, THEN_PLAIN_NICK, "the server does not take its nick"},
    {ERR_UNAVAILABLE, THEN_BACK_OFF, "the room is full, or its service is not there"},
    {ERR_NOTFOUND, THEN_BACK_OFF, "there is no such room, or it is locked"},
    {ERR_GONE, THEN_PARK, "the room was destroyed"},
    {ERR_RESOLVE, THEN_BACK_OFF, "its service cannot be found"},
    {ERR_TIMEOUT, THEN_BACK_OFF, "its service does not answer"},
    {ERR_CLOSED, THEN_BACK_OFF, "its service does not answer"},
    {ERR_AGAIN, THEN_BACK_OFF, "its service has too much to do"},
};

static void refused(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str text)
{
    static const struct refusal other = {ERR_INTERNAL, THEN_PARK, "the room does not let it in"};
    const struct refusal *r = &other;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].err == err)
            r = &refusals[i];
    }
    text = utf8_cut(text, REASON_MAX / 2);
    struct str why = arena_printf(out->arena, "%s%s" STR_FMT, r->why, text.n ? ": " : "", STR_ARG(text));
    if (r->then == THEN_OTHER_NICK) {
        g->clashes++;
        guest_enter(b, out, g);
    } else if (r->then == THEN_PLAIN_NICK && !g->plain) {
        g->plain = true;
        guest_enter(b, out, g);
    } else if (r->then == THEN_BACK_OFF) {
        guest_back_off(b, out, g, err, why);
    } else {
        guest_park(b, out, g, err, why, err == ERR_FORBIDDEN ? BANNED_MS : GUEST_PARK_MS);
    }
}

// What a guest said came back: the room refuses it, or does not know the guest any more. Who enters anew and is refused
// again and again: it was the message.
static void unsaid(struct bridge *b, const struct event *ev, struct effects *out, struct guest *g)
{
    switch (ev->err) {
    case ERR_NOTACCEPTABLE: // it is not in the room
    case ERR_NOTFOUND:
    case ERR_UNAVAILABLE:
    case ERR_GONE:
        if (!guest_is_in(g))
            break;
        if (++g->misses >= GUEST_MISSES && post_bounced(b, out, g, ev)) {
            g->misses = 0;
            break;
        }
        guest_doubt(b, g);
        guest_enter_anew(b, out, g);
        break;
    case ERR_FORBIDDEN:
        if (g->state == GUEST_IN) {
            g->role = ROLE_VISITOR;
            g->refused = true;
            guest_settle_in(b, out, g);
        }
        break;
    case ERR_AGAIN: // too much at once
    case ERR_CLOSED:
    case ERR_TIMEOUT:
    case ERR_OFFLINE:
    case ERR_RESOLVE:
        post_refused(g, ev->id);
        if (guest_is_in(g)) {
            g->misses++;
            guest_pause(b, out, g, ev->err, str_empty(ev->body) ? str_c(err_text(ev->err)) : ev->body);
        }
        break;
    default:
        (void)post_bounced(b, out, g, ev);
    }
}

bool guest_bounced(struct bridge *b, const struct event *ev, struct effects *out)
{
    struct guest *g = guest_met(b, ev);
    if (!g || (ev->about != EV_ENTER && ev->about != EV_SAY && ev->about != EV_LEAVE))
        return false;
    if (ev->about == EV_ENTER && g->state == GUEST_ENTERING)
        refused(b, out, g, ev->err, ev->body);
    if (ev->about == EV_SAY)
        unsaid(b, ev, out, g);
    return true;
}
