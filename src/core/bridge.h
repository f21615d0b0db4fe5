/* The core: a pure function from (state, event) to effects. It reads no clock, does no I/O, calls nobody.
 *
 * bridge_step() appends effects in the order in which they are to be carried out. It emits at most BRIDGE_EFFECTS of
 * them; when there is more to say (a resync after a reconnect, a shutdown) `more` is set, and the next EV_TICK goes on
 * where it stopped. The app tells when a component's output is full (EV_CONGESTED, EV_DRAINED): what waits for it then
 * is no `more`, so each reader's speed paces what it is told, and no other's.
 */
#ifndef SPANDREL_CORE_BRIDGE_H
#define SPANDREL_CORE_BRIDGE_H

#include "core/event.h"
#include "core/row.h"
#include "core/view.h"

enum { BRIDGE_EFFECTS = 256 };

enum effect_kind {
    EFFECT_NORTH,   // to the XMPP side, over ev->component
    EFFECT_SOUTH,   // to ev->adapter
    EFFECT_GATED,   // to ev->adapter, once the rows copied into the current batch are durable (JOURNALED)
    EFFECT_STORE,   // write this row
    EFFECT_LOAD,    // read at most ev->token records of the lane ev->name behind ev->number, and say them (EV_LOADED);
                    // the end is said in any case, once what was stored before is durable or cannot be
    EFFECT_OPERATE, // text to the component itself: an operation of ev->user, in ev->body, answered to ev->user from
                    // ev->to
    EFFECT_NOTICE,  // tell the admins ev->body by XMPP, and log it
};

struct effect {
    enum effect_kind kind;
    const struct event *ev; // NULL for EFFECT_STORE
    const struct row *row;  // for EFFECT_STORE
};

struct effects {
    struct arena *arena; // holds what the effects point to and the event does not; reset after carrying them out
    struct effect *v;    // in the arena
    size_t count, cap;
    bool more;
};

void effects_init(struct effects *out, struct arena *a);

struct bridge;

struct bridge_component { // a domain of ours
    struct str domain;
    struct str name; // for display
};

struct bridge_adapter { // an adapter instance; one that has gone keeps its number, with an empty name
    struct str name;    // permanent: key of its identities in the store
    uint16_t component; // its domain: index (1..) into the components
    bool offer;         // registered users are asked to subscribe to its contacts
    size_t max_records; // that wait to be delivered; 0 here and below: as of one that is no longer configured
    size_t max_bytes;   // of their text
    int64_t max_age;    // ms: what could not be sent by then is not delivered any more
};

// The bounds of an adapter that is no longer configured.
enum { BRIDGE_RECORDS = 10000, BRIDGE_RECORD_BYTES = 64 * 1024 * 1024, BRIDGE_RECORD_AGE = 24 * 3600 * 1000 };

struct bridge_venue {    // a room elsewhere that identities of ours enter
    struct str room;     // bare JID; empty: all that have no settings of their own
    struct str password; // empty: none
    bool create;         // if it is not there, it is made
    unsigned cap;        // guests of ours in it at once; 0: the usual
    int64_t idle;        // ms without a word after which a guest leaves where another one listens; 0: the usual
};

struct bridge_config { // borrowed for the call, copied
    const struct bridge_component *components;
    size_t component_count;
    const struct bridge_adapter *adapters;
    size_t adapter_count;
    const struct str *rules; // access rules in order, see policy.h
    size_t rule_count;
    const struct str *groups; // "name=member,member,..."
    size_t group_count;
    uint64_t seed;
    struct str boot;   // of the machine: another one has lost what was not on its disks
    int64_t now, wall; // for what is restored
    const struct bridge_venue *venues;
    size_t venue_count;
};

// ERR_CONF when a rule or group is malformed (*msg names it).
enum err bridge_create(const struct bridge_config *cfg, struct bridge **out, struct errmsg *msg) MUST_CHECK;
void bridge_destroy(struct bridge *b);
// New rules, groups, names; adapters may come (at the end) and go (identities stay, as offline). The old configuration
// stays in force when this fails.
enum err bridge_reconfigure(struct bridge *b, const struct bridge_config *cfg, struct errmsg *msg) MUST_CHECK;
// A row read at start, before any step. ERR_EXISTS, ERR_BADREQ: skipped, to be logged by the caller. ERR_NOTFOUND: a
// subscription to a contact that was forgotten a moment before the process ended, or what waited for such a contact's
// users: to be dropped.
enum err bridge_restore(struct bridge *b, const struct row *row) MUST_CHECK;

// The effects may point into *ev: they are carried out before it goes.
void bridge_step(struct bridge *b, const struct event *ev, struct effects *out);
// Whether the core wants to be told, now that the link is up, since when its server runs (EV_STARTED), before it goes
// on.
bool bridge_doubts(const struct bridge *b, uint16_t component);
// After EV_SHUTDOWN: all whom this component can tell have been told.
bool bridge_stopped(const struct bridge *b, uint16_t component);
// Monotonic ms at which the core wants EV_TICK; INT64_MAX for never.
int64_t bridge_deadline(const struct bridge *b);

/* Questions, for what the XMPP side answers by itself (disco, vCard, forms) and for operations. They change nothing. */

// The identity behind `to` as `user` (bare or full) may see it. ERR_NOTFOUND when there is none *or* the user may not
// see it: the two cannot be told apart. Admins see quarantined ones.
enum err bridge_find(const struct bridge *b, const struct jid *user, const struct jid *to,
                     struct identity_view *out) MUST_CHECK;
// By the adapter's own name, regardless of rights (view->rights are those of `user`, which may be NULL).
enum err bridge_find_key(const struct bridge *b, uint16_t adapter, struct str key, const struct jid *user,
                         struct identity_view *out) MUST_CHECK;
// Whether what this identity said now would reach anybody.
bool bridge_heard(const struct bridge *b, uint16_t adapter, struct str key);
// Walks the identities of a component (0: of all) that `user` may see: start with *at = 0; false at the end.
bool bridge_next(const struct bridge *b, uint16_t component, const struct jid *user, uint32_t *at,
                 struct identity_view *out);
// Rights on the component itself: RIGHT_REGISTER, RIGHT_ADMIN; RIGHT_SEE when the user may see or register anything.
unsigned bridge_rights(const struct bridge *b, uint16_t component, const struct jid *user);
bool bridge_registered(const struct bridge *b, uint16_t component, const struct jid *user);

struct user_stat {                  // what is kept of one user, beside subscriptions and registrations
    size_t pending, letters, rooms; // outcomes he waits for; letters for him; rooms he is in
    bool known;                     // there is a rate limit of his at least
};
void bridge_user_stat(const struct bridge *b, const struct jid *user, struct user_stat *out);

struct subscription_view {
    struct str user; // bare JID
    struct str local, domain;
    unsigned state; // enum subscription
};
// Walks subscriptions, of one user (bare JID) when it is not NULL.
bool bridge_next_subscription(const struct bridge *b, const struct jid *user, uint32_t *at,
                              struct subscription_view *out);

// What `to` is in the room elsewhere that `from` speaks for (the room itself, or an occupant of it).
enum guest_ear bridge_guest(const struct bridge *b, const struct jid *to, const struct jid *from);

struct guest_view { // of an identity in a room elsewhere
    struct str room, local, domain, nick, adapter;
    const char *state;
    enum err err;   // what the room said, where it is parked or muted
    struct str why; // in words
    bool in, listens;
    size_t queued; // messages that it is to say
    int64_t next;  // ms until its state is looked at again; INT64_MAX: when something happens
};
// Walks them: start with *at = 0; false at the end.
bool bridge_next_guest(const struct bridge *b, size_t *at, struct guest_view *out);

/* What is on its way (docs/delivery.md). */

// accepted == settled + dead + expired + queued + retrying, where each record has one user. Of the lane since it is
// there, but for those that tell the present.
struct lane_view {
    struct str adapter;
    struct str room, local; // of what an identity says in a room elsewhere; else empty
    uint16_t component;
    uint64_t accepted, settled, dead, expired;
    size_t queued;       // not settled
    size_t in_flight;    // of these handed to the server, which has not confirmed them
    size_t held;         // confirmed, and held until that can be trusted
    size_t retrying;     // letters
    size_t bytes;        // of the text of what is queued
    size_t parked;       // answers to the adapter that wait for room
    size_t later;        // messages without a promise that wait for the server, in memory
    uint64_t later_lost; // for want of room
    int64_t oldest;      // ms since the oldest that is queued was accepted
    bool up, full;       // the component's link; its bound is reached
};
// Walks the adapters that have promised something or keep something for later: start with *at = 0; false at the end.
bool bridge_next_lane(const struct bridge *b, size_t *at, struct lane_view *out);

struct letter_view {
    uint64_t number, record;
    struct str adapter, lane;                // lane: names its record with `record`
    struct str local, domain, user, id, why; // local, domain: of the contact; user: also a room, with the contact
                                             // behind a slash
    enum letter_state state;
    unsigned attempts;
    int64_t since; // wall ms
    int64_t next;  // ms until its next try, or until it counts as delivered; INT64_MAX: none
};
// Walks the letters by number: start with *at = 0; false at the end.
bool bridge_next_letter(const struct bridge *b, uint64_t *at, struct letter_view *out);
uint64_t bridge_letters_dropped(const struct bridge *b); // since the start, for want of room
const char *letter_state_name(enum letter_state state);

enum trace { TRACE_UNKNOWN, TRACE_WAITS, TRACE_SENT, TRACE_HELD, TRACE_SETTLED };

struct trace_view {
    struct str adapter, room; // room: said in one elsewhere; else empty
    uint64_t record;
    enum trace state;
    int64_t age; // ms since it was accepted
};
// Where the message with this stanza id is, over all adapters; false at the end.
bool bridge_trace(const struct bridge *b, struct str id, size_t *at, struct trace_view *out);

// Whether a rule could be added by GRANT now: ERR_CONF with what is wrong with it.
enum err bridge_check_rule(const struct bridge *b, struct str rule, struct errmsg *msg) MUST_CHECK;
// Whether `user` (a full JID) is in the room `room` under the nick that is its resource (XEP-0410).
bool bridge_is_occupant(const struct bridge *b, const struct jid *user, const struct jid *room);

// Access rules in force, in order: those of the configuration (number 0), then those added by GRANT. False at the end.
bool bridge_next_rule(const struct bridge *b, size_t *at, uint64_t *number, struct str *rule);
// Whether rules before the last one decide what that names otherwise than it does, *all of it or some: the first of
// these.
bool bridge_rule_before(const struct bridge *b, bool *all, uint64_t *number, struct str *rule);

struct bridge_stat {
    size_t identities, quarantined, users, subscriptions, registrations, rooms, pending; // pending: outcomes awaited
    size_t bytes;                                                                        // memory of all tables
};
void bridge_stat(const struct bridge *b, struct bridge_stat *out);

#endif
