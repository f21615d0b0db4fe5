/* Operations on what is on its way: docs/delivery.md tells what the words mean. */
#include "app/op_private.h"

#include "base/clock.h"

#include <inttypes.h>

static struct str number(struct arena *a, uint64_t n)
{
    return arena_printf(a, "%" PRIu64, n);
}

static struct str lane_state(struct arena *a, const struct lane_view *l)
{
    struct str text = STR("nothing waits");
    if (!l->up && (l->queued || l->later))
        text = STR("waits for the XMPP server");
    else if (l->room.n && l->queued)
        text = l->in_flight ? STR("is being said") : STR("waits: 'rooms' tells for what");
    else if (l->queued > l->held)
        text = STR("is being delivered");
    else if (l->queued)
        text = STR("is with the server, and held until that can be trusted");
    if (l->full || l->parked)
        text = arena_printf(a, STR_FMT "; full: nothing more is acknowledged", STR_ARG(text));
    if (l->later)
        text = arena_printf(a, STR_FMT "; %zu more without a promise", STR_ARG(text), l->later);
    if (l->later_lost)
        text = arena_printf(a, STR_FMT "; %" PRIu64 " without a promise were dropped", STR_ARG(text), l->later_lost);
    return text;
}

enum err op_queue(struct operation_call *c, struct errmsg *msg)
{
    (void)msg;
    static const char *const columns[] = {"adapter",  "room",      "contact",  "queued",   "bytes",
                                          "oldest_s", "in_flight", "held",     "retrying", "settled",
                                          "dead",     "expired",   "accepted", "state",    NULL};
    struct arena *a = &c->answer->arena;
    answer_table(c->answer, "queue", columns);
    struct lane_view l;
    for (size_t at = 0; bridge_next_lane(c->hub->bridge, &at, &l);)
        answer_row(c->answer,
                   (struct str[]){l.adapter, l.room, l.local, number(a, l.queued), number(a, l.bytes),
                                  number(a, (uint64_t)(l.oldest / 1000)), number(a, l.in_flight), number(a, l.held),
                                  number(a, l.retrying), number(a, l.settled), number(a, l.dead), number(a, l.expired),
                                  number(a, l.accepted), lane_state(a, &l)});
    return ERR_OK;
}

enum err op_rooms(struct operation_call *c, struct errmsg *msg)
{
    (void)msg;
    static const char *const columns[] = {"room", "contact", "nick", "state", "next_s", "queued", "why", NULL};
    struct arena *a = &c->answer->arena;
    answer_table(c->answer, "rooms", columns);
    struct guest_view g;
    for (size_t at = 0; bridge_next_guest(c->hub->bridge, &at, &g);) {
        bool waits = g.next != INT64_MAX && !g.in;
        answer_row(c->answer,
                   (struct str[]){g.room, arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(g.local), STR_ARG(g.domain)),
                                  g.nick, str_c(g.state), waits ? number(a, (uint64_t)(g.next / 1000)) : STR_NONE,
                                  number(a, g.queued), g.why});
    }
    return ERR_OK;
}

/* Letters */

static struct str contact(struct arena *a, const struct letter_view *l)
{
    return l->local.n ? arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(l->local), STR_ARG(l->domain)) : STR("?");
}

static struct str letter_state(struct arena *a, const struct letter_view *l)
{
    if (l->state == LETTER_RETRY)
        return arena_printf(a, "%s in %" PRId64 " s", letter_state_name(l->state),
                            l->next > 0 ? (l->next + 999) / 1000 : 0);
    return str_c(letter_state_name(l->state));
}

static void letter_row(struct operation_call *c, const struct letter_view *l)
{
    struct arena *a = &c->answer->arena;
    answer_row(c->answer, (struct str[]){number(a, l->number), contact(a, l), l->user, letter_state(a, l),
                                         number(a, l->attempts), clock_format(a, l->since), l->id, l->why});
}

static void letter_table(struct operation_call *c)
{
    static const char *const columns[] = {"number", "contact", "user", "state", "tries", "since", "id", "why", NULL};
    answer_table(c->answer, "dead", columns);
}

static void say_text(void *ud, const struct row *row)
{
    answer_say(ud, "Its text: " STR_FMT, STR_ARG(row->text));
}

static enum err wanted_number(struct str text, uint64_t *out, struct errmsg *msg)
{
    if (str_to_u64(text, out) && *out)
        return ERR_OK;
    return err_set(msg, ERR_BADREQ, "'" STR_FMT "' is no number; 'dead' lists them", STR_ARG(text));
}

static enum err one_letter(struct operation_call *c, struct errmsg *msg)
{
    uint64_t wanted, at = 0;
    enum err e = wanted_number(c->args[0], &wanted, msg);
    if (e)
        return e;
    for (struct letter_view l; bridge_next_letter(c->hub->bridge, &at, &l);) {
        if (l.number != wanted)
            continue;
        letter_table(c);
        letter_row(c, &l);
        if (store_record(c->hub->store, l.lane, l.record, say_text, c->answer))
            answer_say(c->answer, "Its text is not kept any more.");
        return ERR_OK;
    }
    return err_set(msg, ERR_NOTFOUND, "there is no undelivered message %" PRIu64, wanted);
}

enum err op_dead(struct operation_call *c, struct errmsg *msg)
{
    if (c->args[0].n)
        return one_letter(c, msg);
    letter_table(c);
    uint64_t at = 0;
    for (struct letter_view l; bridge_next_letter(c->hub->bridge, &at, &l);) {
        if (l.state != LETTER_SENT)
            letter_row(c, &l);
    }
    uint64_t dropped = bridge_letters_dropped(c->hub->bridge);
    if (dropped)
        answer_say(c->answer, "%" PRIu64 " more were dropped since the start: there is room for so many.", dropped);
    return ERR_OK;
}

// Which letters the words name: a number, an adapter or a user, or all of them.
static bool is_meant(const struct letter_view *l, const struct event *ev)
{
    if (ev->number)
        return l->number == ev->number;
    return str_empty(ev->name) || str_eq(ev->name, l->adapter) || str_eq(ev->name, l->user);
}

static size_t count_meant(struct operation_call *c, const struct event *ev)
{
    size_t n = 0;
    uint64_t at = 0;
    for (struct letter_view l; bridge_next_letter(c->hub->bridge, &at, &l);) {
        bool fits = ev->kind == EV_RETRY ? l.state == LETTER_RETRY : l.state != LETTER_SENT;
        n += fits && is_meant(&l, ev);
    }
    return n;
}

enum { EACH_STEP = 32 }; // letters that a step deals with at least

static enum err on_letters(struct operation_call *c, enum event_kind kind, const char *done, struct errmsg *msg)
{
    struct str which = c->args[0];
    struct event ev = {.kind = kind};
    if (!str_to_u64(which, &ev.number) && which.n && !str_case_eq(which, STR("all")))
        ev.name = which;
    size_t n = count_meant(c, &ev);
    if (!n)
        return err_set(msg, ERR_NOTFOUND, "no undelivered message is meant by '" STR_FMT "'; 'dead' lists them",
                       STR_ARG(which));
    for (size_t i = 0; i <= n / EACH_STEP; i++)
        hub_step(c->hub, &ev);
    answer_say(c->answer, "%zu %s.", n, done);
    return ERR_OK;
}

enum err op_retry(struct operation_call *c, struct errmsg *msg)
{
    return on_letters(c, EV_RETRY, "are tried now", msg);
}

enum err op_replay(struct operation_call *c, struct errmsg *msg)
{
    return on_letters(c, EV_REPLAY, "are tried again", msg);
}

enum err op_discard(struct operation_call *c, struct errmsg *msg)
{
    return on_letters(c, EV_DISCARD, "are given up", msg);
}

/* One message */

static const char *trace_text(enum trace state)
{
    static const char *const texts[] = {
        [TRACE_UNKNOWN] = "is not known",
        [TRACE_WAITS] = "waits to be sent",
        [TRACE_SENT] = "was sent, and the server has not confirmed that",
        [TRACE_HELD] = "is with the server, and held until that can be trusted",
        [TRACE_SETTLED] = "was taken by the server",
    };
    return texts[state];
}

static bool trace_letters(struct operation_call *c, struct str id)
{
    struct arena *a = &c->answer->arena;
    bool found = false;
    uint64_t at = 0;
    for (struct letter_view l; bridge_next_letter(c->hub->bridge, &at, &l);) {
        if (!str_eq(l.id, id))
            continue;
        found = true;
        answer_say(c->answer, "To " STR_FMT ": " STR_FMT ", number %" PRIu64 ", after %u tries: " STR_FMT,
                   STR_ARG(l.user), STR_ARG(letter_state(a, &l)), l.number, l.attempts, STR_ARG(l.why));
    }
    return found;
}

enum err op_trace(struct operation_call *c, struct errmsg *msg)
{
    bool found = false;
    struct trace_view t;
    for (size_t at = 0; bridge_trace(c->hub->bridge, c->args[0], &at, &t); found = true)
        answer_say(c->answer,
                   "Record %" PRIu64 " of adapter " STR_FMT "%s" STR_FMT ", accepted %" PRId64 " s ago: it %s.",
                   t.record, STR_ARG(t.adapter), t.room.n ? ", for the room " : "", STR_ARG(t.room), t.age / 1000,
                   t.room.n && t.state == TRACE_SETTLED ? "was said there" : trace_text(t.state));
    found = trace_letters(c, c->args[0]) || found;
    if (found)
        return ERR_OK;
    return err_set(msg, ERR_NOTFOUND,
                   "no message with the id '" STR_FMT "' is known: it was never promised, or it was delivered long ago",
                   STR_ARG(c->args[0]));
}

/* Why */

static void explain_links(struct operation_call *c, const struct identity_view *id)
{
    struct hub *h = c->hub;
    struct arena *a = &c->answer->arena;
    struct hub_link *l = hub_link_at(h, id->component);
    struct hub_adapter *ad = hub_adapter_at(h, id->adapter);
    struct adapter_stat s = {.up = false, .state = STR("is not configured any more: its contacts are offline")};
    if (ad)
        ad->ops->stat(ad->adapter, &s);
    if (l)
        answer_say(c->answer, "Component %s: " STR_FMT ".", l->domain,
                   STR_ARG(component_status(l->component, a, h->host->now(h->ud))));
    answer_say(c->answer, "Adapter " STR_FMT ": " STR_FMT ".", STR_ARG(id->resource), STR_ARG(s.state));
}

static void explain_contact(struct operation_call *c, const struct identity_view *id)
{
    struct arena *a = &c->answer->arena;
    answer_say(c->answer, STR_FMT " (" STR_FMT ") is %s%s" STR_FMT "%s; its key is " STR_FMT ".",
               STR_ARG(op_jid(a, id)), STR_ARG(id->name), show_name(id->show), id->text.n ? ", \"" : "",
               STR_ARG(id->text), id->text.n ? "\"" : "", STR_ARG(id->key));
    if (id->quarantined)
        answer_say(c->answer, "It is in quarantine: only admins see it until 'approve'.");
    if (id->changed)
        answer_say(c->answer, "It was last heard at " STR_FMT ".", STR_ARG(clock_format(a, id->changed)));
    else
        answer_say(c->answer, "It was not heard since the bridge was started.");
    answer_say(c->answer, "%u users subscribe to it.", id->subscribers);
    explain_links(c, id);
    struct lane_view l;
    for (size_t at = 0; bridge_next_lane(c->hub->bridge, &at, &l);) {
        if (!l.room.n && str_eq(l.adapter, id->resource))
            answer_say(c->answer, "Of its adapter's messages %zu are not delivered yet: " STR_FMT ".", l.queued,
                       STR_ARG(lane_state(a, &l)));
    }
}

static void explain_rooms(struct operation_call *c, const struct identity_view *id)
{
    struct guest_view g;
    for (size_t at = 0; bridge_next_guest(c->hub->bridge, &at, &g);) {
        if (!str_eq(g.local, id->local) || !str_eq(g.domain, id->domain))
            continue;
        answer_say(c->answer, "In the room " STR_FMT " it is %s%s" STR_FMT "%s" STR_FMT "; %zu messages wait.",
                   STR_ARG(g.room), g.state, g.in ? " as " : "", STR_ARG(g.in ? g.nick : STR_NONE), g.why.n ? ": " : "",
                   STR_ARG(g.why), g.queued);
    }
}

static struct str rights_text(struct arena *a, unsigned rights)
{
    struct str text = STR_NONE;
    for (unsigned r = RIGHT_SEE; r <= RIGHT_ADMIN; r <<= 1) {
        if (rights & r)
            text = arena_printf(a, STR_FMT "%s%s", STR_ARG(text), text.n ? ", " : "", right_name((enum right)r));
    }
    return text.n ? text : STR("do nothing");
}

static void explain_letters(struct operation_call *c, struct str user, struct str local)
{
    uint64_t at = 0;
    size_t n = 0;
    for (struct letter_view l; bridge_next_letter(c->hub->bridge, &at, &l);)
        n += str_eq(l.user, user) && (!local.n || str_eq(l.local, local));
    if (n)
        answer_say(c->answer, "%zu messages could not be delivered: 'dead' lists them.", n);
}

static struct str subscription_text(unsigned state)
{
    if (state & SUB_TO_USER)
        return STR("is subscribed: presence and messages go there");
    if (state & SUB_PENDING_OUT)
        return STR("was asked to subscribe, and has not answered");
    if (state & SUB_REFUSED)
        return STR("was asked to subscribe, and refused");
    return STR("is not subscribed: nothing goes there");
}

static void explain_pair(struct operation_call *c, const struct identity_view *id, const struct jid *user)
{
    struct arena *a = &c->answer->arena;
    struct jid to = {.local = id->local, .domain = id->domain};
    struct identity_view as_seen;
    struct str who = jid_format_bare(a, user);
    if (bridge_find(c->hub->bridge, user, &to, &as_seen)) {
        answer_say(c->answer, STR_FMT " may not see it: no rule allows that, or it is in quarantine.", STR_ARG(who));
        return;
    }
    unsigned state = 0;
    struct subscription_view s;
    for (uint32_t at = 0; bridge_next_subscription(c->hub->bridge, user, &at, &s);) {
        if (str_eq(s.local, id->local) && str_eq(s.domain, id->domain))
            state = s.state;
    }
    answer_say(c->answer, STR_FMT " may: " STR_FMT "; " STR_FMT ".", STR_ARG(who),
               STR_ARG(rights_text(a, as_seen.rights)), STR_ARG(subscription_text(state)));
    if ((state & SUB_TO_USER) && !(as_seen.rights & RIGHT_READ))
        answer_say(c->answer, "Without the right to read no messages go there.");
    explain_letters(c, who, id->local);
}

static void explain_user(struct operation_call *c, const struct jid *user)
{
    struct arena *a = &c->answer->arena;
    struct hub *h = c->hub;
    struct str who = jid_format_bare(a, user);
    size_t subscribed = 0, all = 0;
    struct subscription_view s;
    for (uint32_t at = 0; bridge_next_subscription(h->bridge, user, &at, &s); all++)
        subscribed += (s.state & SUB_TO_USER) != 0;
    for (size_t i = 0; i < h->link_count; i++) {
        unsigned rights = bridge_rights(h->bridge, h->links[i].number, user);
        answer_say(c->answer, STR_FMT " on %s may: " STR_FMT "; is %sregistered.", STR_ARG(who), h->links[i].domain,
                   STR_ARG(rights_text(a, rights)),
                   bridge_registered(h->bridge, h->links[i].number, user) ? "" : "not ");
    }
    answer_say(c->answer, "Of %zu contacts there is something between, %zu are subscribed to.", all, subscribed);
    explain_letters(c, who, STR_NONE);
}

enum err op_explain(struct operation_call *c, struct errmsg *msg)
{
    struct arena *a = &c->answer->arena;
    struct jid jid;
    struct str text = c->args[0];
    if (str_find(text, '@') >= 0 && !jid_parse(a, text, &jid) && !hub_serves(c->hub, jid.domain)) {
        explain_user(c, &jid);
        return ERR_OK;
    }
    struct identity_view id;
    enum err e = op_identity(c, text, &id, msg);
    if (e)
        return e;
    if (c->args[1].n && jid_parse(a, c->args[1], &jid))
        return err_set(msg, ERR_BADJID, "'" STR_FMT "' is not a JID", STR_ARG(c->args[1]));
    explain_contact(c, &id);
    explain_rooms(c, &id);
    if (c->args[1].n)
        explain_pair(c, &id, &jid);
    return ERR_OK;
}
