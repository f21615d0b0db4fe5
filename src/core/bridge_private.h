/* What the files of the bridge share. */
#ifndef SPANDREL_CORE_BRIDGE_PRIVATE_H
#define SPANDREL_CORE_BRIDGE_PRIVATE_H

#include "base/rng.h"
#include "core/bridge.h"
#include "core/job.h"
#include "core/lane.h"
#include "core/letter.h"
#include "core/pending.h"
#include "core/policy.h"
#include "core/room.h"
#include "core/subscription.h"
#include "core/venue.h"

enum { SOURCE_IDENTITIES_MAX = 1000000, OFFER_MAX = 200 };

// Stanzas of lanes that the server has and no fence has confirmed, in order. So many are sent twice at most after a
// kill, and LETTERS_FLYING letters.
enum { WINDOW = 64, WINDOW_BYTES = 65536, FENCE_MS = 5000 };

struct flight {
    uint16_t source;
    uint64_t number; // of the record
    char *user;      // owned: who got it; NULL: he was the last
    size_t bytes;
    uint64_t fence; // that covers it; 0: none yet
};

struct window {
    struct flight flight[WINDOW];
    size_t count, bytes;
    size_t letters;         // were sent, too, since the last fence
    uint64_t fence, serial; // the fence that is out, 0 for none; the last one
    int64_t fence_at;       // when it was sent
};

struct component {
    char *domain, *name;
    bool up;        // its link
    bool congested; // its output is full
    uint32_t self;  // handle of the identity that stands for the component itself: without localpart, key and source
    struct window window;
};

// Who speaks for identities: an adapter's name, for ever. Its number is that of the configuration, 0 while it is not in
// there.
struct source {
    char *name;
    uint16_t number, component;
    bool offer;
    enum { SOURCE_UNKNOWN, SOURCE_UP, SOURCE_DOWN } link;
    uint32_t count;                // of identities
    bool full;                     // the admins were told
    struct lane *lane;             // NULL before its first record
    size_t max_records, max_bytes; // of the lane, and how old its records may become
    int64_t max_age;               // ms
    struct list_node *later;       // what was said without a promise while the component was away; NULL before any was
    size_t later_count, later_bytes;
    uint64_t later_lost; // for want of room
};

struct asks {              // restored: their users are to be told
    struct list_node lost; // struct lost_ask
    size_t count;
};

struct bridge {
    struct policy *policy;
    struct component *components; // number - 1
    struct source *sources;       // [0] stands for the components
    uint16_t *numbers;            // of an adapter - 1 -> index of its source, 0 for none
    size_t component_count, source_count, number_count;
    struct mapping map;
    struct rooms rooms;
    struct pendings pendings;
    struct jobs jobs;
    struct letters letters;
    struct venues venues;
    struct asks asks;
    char *boot;        // of the machine
    bool deliver_more; // the lanes had more to say than the step would take
    bool restored;     // all rows are in
    size_t turn;       // the source whose lane comes first
    struct rng rng;
    uint64_t tokens; // the last one given
    uint64_t rules;  // number of the last rule that was granted
    int64_t now, wall;
    int64_t began; // monotonic ms: when this process took over
    bool stopping;
    bool wake; // jobs were started outside of a step
};

/* effects.c: each copies the event or row itself; what it points to must be in the arena of the effects, in the event
 * of the step, or as old as the bridge. */

bool effects_fit(const struct effects *out, size_t n);
void say_north(struct bridge *b, struct effects *out, const struct event *ev); // dropped while ev->component is down
void say_south(struct bridge *b, struct effects *out, const struct event *ev);
// Asks the journal for at most `max` records of a lane, behind that number.
void say_load(struct bridge *b, struct effects *out, struct str lane, uint64_t after, unsigned max);
// `adapter`: the one that has logged it itself, or 0.
void say_notice(struct bridge *b, struct effects *out, uint16_t component, uint16_t adapter, struct str text);
void say_operate(struct bridge *b, struct effects *out, const struct event *ev);
// Now, or when all rows up to here are durable.
void say_journaled(struct bridge *b, struct effects *out, uint16_t adapter, uint64_t token, bool gated);
void say_refused(struct bridge *b, struct effects *out, uint16_t adapter, uint64_t token, enum err err);
void store_row(struct effects *out, const struct row *row);
void store_identity(struct bridge *b, struct effects *out, const struct identity *id, bool gone);
// An error in answer to `ev`.
void bounce(struct bridge *b, struct effects *out, const struct event *ev, enum event_kind about, enum err err,
            struct str text);
// An event that speaks for an identity, from its bare address, to nobody yet; strings are in the arena.
struct event speak_for(struct bridge *b, struct effects *out, enum event_kind kind, const struct identity *id);

/* access.c */

struct source *source_named(const struct bridge *b, struct str name); // NULL when there is none
uint16_t component_at(const struct bridge *b, struct str domain);     // 0 when it is none of ours
bool bare_jid(struct str text, struct jid *out);                      // of a row: what we wrote there is prepared

struct component *component_of(const struct bridge *b, uint16_t number); // NULL when there is none
bool component_up(const struct bridge *b, uint16_t number);
bool component_congested(const struct bridge *b, uint16_t number);
bool is_self(const struct identity *id);                            // it stands for a component
struct source *source_of(const struct bridge *b, uint16_t adapter); // by the adapter's number; NULL when there is none
unsigned rights_on_component(const struct bridge *b, uint16_t component, const struct jid *user);
// What the rules say, without a look at scope and quarantine.
unsigned rights_on(const struct bridge *b, const struct identity *id, const struct jid *user);
// 0 when the identity does not exist for this user.
unsigned rights_seen(const struct bridge *b, const struct identity *id, const struct jid *user);
// The identity (or the component itself) behind a virtual JID, whoever asks; NULL when there is none.
struct identity *addressed(const struct bridge *b, const struct jid *user, const struct jid *to);
// The same as this user may see it.
struct identity *seen(const struct bridge *b, const struct jid *user, const struct jid *to, unsigned *rights);
// Of an adapter's event, by its key; NULL when there is none, or it is being forgotten.
struct identity *named(const struct bridge *b, const struct event *ev);

/* roster.c: what is between a user and an identity, and what both sides are told of it. */

// Sets and stores the state; the record is gone afterwards when nothing is left.
void roster_set(struct bridge *b, struct effects *out, struct sub *s, unsigned state);
// Ends all; the user is told. At most ROSTER_END effects.
enum { ROSTER_END = 6 };
void roster_end(struct bridge *b, struct effects *out, struct sub *s, bool unsubscribe);
// The present presence of the identity, to one address; `rights` are what it may: who may not read is told no text.
void roster_present(struct bridge *b, struct effects *out, const struct identity *id, const struct jid *user,
                    unsigned rights);
// UNAVAILABLE to one address, whatever its presence is.
void roster_unavailable(struct bridge *b, struct effects *out, const struct identity *id, const struct jid *user);
// To the subscriber's bare address, when he is owed it and may still see it; else that is ended. At most ROSTER_END
// effects.
void roster_push(struct bridge *b, struct effects *out, struct sub *s);
bool roster_owed(const struct sub *s);
// Asks the user to subscribe. Unless `again`, only who was not asked before and is not subscribed. Tells whether it
// asked.
bool roster_offer(struct bridge *b, struct effects *out, struct user *u, struct identity *id, bool again);
void store_registration(struct bridge *b, struct effects *out, struct str user, uint16_t component, bool gone);
// Ends all between a user and a component, which comes last. False when the step is full.
bool roster_leave(struct bridge *b, struct effects *out, const struct user *u, uint16_t component);

/* Handlers of events. Those of adapters' events return why an event was not taken. */

typedef void north_handler(struct bridge *b, const struct event *ev, struct effects *out);
typedef enum err south_handler(struct bridge *b, const struct event *ev, struct effects *out);

north_handler presence_available, presence_unavailable, presence_subscribe, presence_subscribed, presence_unsubscribe;
north_handler presence_unsubscribed, presence_probe;
north_handler message_step, typing_in, command_in, subject_in, bounce_in;
north_handler room_join_in, room_part_in;
north_handler register_in, unregister_in;
north_handler component_link_up, component_link_down, component_congestion;
north_handler fenced_in, started_in, loaded_in, retry_in, replay_in, discard_in;
north_handler entered_in, left_in, heard_in, invited_in, checked_in, caught_up_in;
north_handler erase_in, offer_in, withdraw_in, approve_in, forget_in, grant_in, revoke_in, tick_in, shutdown_in;

south_handler presence_changed, message_out, room_join_out, room_part_out, subject_out;
south_handler identity_out, forget_out, state_out, delivered_out, failed_out, adapter_link_up, adapter_link_down,
    adapter_notice, post_withdraw_out;

/* message.c */

// Hands the event to the identity's adapter with a fresh token and remembers who asked; bounces when there are too
// many.
void ask_adapter(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id,
                 unsigned rights);
// Ends with an error what passed its deadline.
void asks_expire(struct bridge *b, struct effects *out);
// Ends with an error what this user waits for. False when the step is full.
bool asks_end(struct bridge *b, struct effects *out, const struct user *u);
// Ends with an error what was asked of adapters that are no longer there. False when the step is full.
bool asks_abandon(struct bridge *b, struct effects *out);

/* deliver.c: what was promised. LETTER_EFFECTS: what a letter takes of a step at most;
 * RECORD_ID_MAX: bytes of a record's id. */
enum { LETTER_EFFECTS = 5, RECORD_ID_MAX = 1024 };
// A message with EVENT_DURABLE about a contact.
enum err deliver_accept(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id);
// Answers the token of a post that was taken, now or when there is room in its lane.
void deliver_answer(struct bridge *b, struct effects *out, const struct event *ev);
void deliver_link_down(struct bridge *b, uint16_t component);
// At the end of each step: all that can go on.
void deliver_work(struct bridge *b, struct effects *out);
int64_t deliver_deadline(const struct bridge *b);
bool deliver_stopped(const struct bridge *b, uint16_t component); // nothing is on its way to the server
bool deliver_full(const struct source *s);
// Whether the user may be told; `direct`: though he does not subscribe.
bool deliver_may(const struct bridge *b, const struct identity *id, const struct jid *user, bool direct);
// The record as a message, to nobody yet.
struct event deliver_event(struct bridge *b, struct effects *out, const struct identity *id,
                           const struct lane_record *r);
// The record is with the server once what flies of its lane is.
void deliver_passed(struct bridge *b, struct source *s, uint64_t number);
void window_finish(struct window *w);

/* deliver_load.c: what the journal gives back. */
struct lane *source_lane(struct source *s); // made when there is none
// Asks for the bodies that come next in the lane of that name, unless that is asked already.
void deliver_load(struct bridge *b, struct effects *out, struct lane *l, const char *name);
// Asks whether the disk has what is known of fences.
void deliver_barrier(struct bridge *b, struct effects *out, struct source *s);
enum err deliver_restore_lane(struct bridge *b, const struct row *row);
enum err deliver_restore_record(struct bridge *b, const struct row *row);
void deliver_restored(struct bridge *b);
// Monotonic ms when something was accepted that was then, by the wall clock.
int64_t deliver_accepted(const struct bridge *b, const struct source *s, int64_t wall);

/* post_step.c: what identities say in rooms elsewhere. */
enum err post_accept(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id);
bool posts_work(struct bridge *b, struct effects *out); // false when the step is full
void post_store_lane(struct bridge *b, struct effects *out, struct guest *g);
// The room has it; false when that was known, or it is none of ours.
bool post_reflected(struct bridge *b, struct effects *out, struct guest *g, const struct event *ev);
bool post_bounced(struct bridge *b, struct effects *out, struct guest *g, const struct event *ev);
// It will not be said: a letter, and a word to the adapter. At most POST_EFFECTS effects.
void post_fail(struct bridge *b, struct effects *out, struct guest *g, uint64_t number, struct str id,
               enum letter_state state, enum err err, struct str why);
void post_refused(struct guest *g, struct str id);
void post_again(struct bridge *b, struct guest *g);
void post_replay(struct bridge *b, struct effects *out, struct guest *g, const struct event *loaded);
bool post_is_lane(struct str name);                          // of a guest, not of an adapter
struct guest *post_guest(struct bridge *b, struct str lane); // made when there is none; NULL: there is no such identity
enum err post_restore_lane(struct bridge *b, const struct row *row);
enum err post_restore_record(struct bridge *b, const struct row *row);
void posts_restored(struct bridge *b);

/* guest_step.c: entering and staying. */
void guests_look(struct bridge *b, int64_t at); // some guest wants to be looked at then
struct guest *guest_take(struct bridge *b, const struct identity *id,
                         const struct jid *room);                        // NULL: there are too many
struct guest *guest_met(const struct bridge *b, const struct event *ev); // the one an N event is to; NULL: none
void guest_wish(struct bridge *b, struct effects *out, struct guest *g, struct str nick);
// It may have said, in a process that ended shortly before then, what nothing is known of any more.
void guest_suspect(struct bridge *b, struct guest *g, int64_t then);
// It has something to say: enters, when it is out and may try.
void guest_come(struct bridge *b, struct effects *out, struct guest *g);
// True when it looks first whether it is still in.
bool guest_verify(struct bridge *b, struct effects *out, struct guest *g);
// A word to a guest alone, from an occupant of its room: its adapter hears it. False when it is none.
bool guest_private(struct bridge *b, const struct event *ev, struct effects *out);
bool guest_bounced(struct bridge *b, const struct event *ev, struct effects *out);
bool guests_tick(struct bridge *b, struct effects *out); // false when the step is full
int64_t guests_deadline(const struct bridge *b);
void guests_link_up(struct bridge *b, uint16_t component);
// What it is configured with is new: who is refused for the lack of it tries again.
void guests_reconfigured(struct bridge *b);
void guests_drained(struct bridge *b, uint16_t component);
int64_t guest_deadline(const struct guest *g); // when it, or its lane, is to be looked at
void guests_link_down(struct bridge *b, uint16_t component);
bool guests_end(struct bridge *b, struct effects *out, uint16_t component);           // false when the step is full
bool guests_forget(struct bridge *b, struct effects *out, const struct identity *id); // false when the step is full
enum err guest_restore(struct bridge *b, const struct row *row);

/* letter_step.c: what came back. */
// `id`: whose record it is, NULL when it is gone.
void letter_expired(struct bridge *b, struct effects *out, struct source *s, const struct lane_record *r,
                    const struct identity *id, struct str user);
// An error in answer to what the identity has sent; false when that was no record.
// A record of a guest's that will not be said.
void letter_unsaid(struct bridge *b, struct effects *out, struct guest *g, uint64_t number, struct str id,
                   enum letter_state state, struct str why);
// Whom a letter of the guest's is for.
struct str letter_user(const struct bridge *b, struct effects *out, const struct guest *g);
// Drops those of a guest. False when the step is full.
bool letters_drop_guest(struct bridge *b, struct effects *out, const struct guest *g);
bool letter_bounced(struct bridge *b, const struct event *ev, struct effects *out, const struct identity *id);
// The answer to a letter's question, and its end.
void letter_loaded(struct bridge *b, struct effects *out, const struct lane *lane, uint64_t question,
                   const struct event *ev);
void letter_missing(struct bridge *b, struct effects *out, const struct lane *lane, uint64_t question, bool complete);
// A fence is said behind the letters that were sent; it has come back.
void letters_cover(struct bridge *b, uint16_t component, uint64_t fence);
void letters_land(struct bridge *b, uint16_t component, uint64_t fence);
bool letters_work(struct bridge *b, struct effects *out); // false when the step is full
int64_t letters_deadline(const struct bridge *b);
void letters_link_up(struct bridge *b);
// Tries of before this process, and what the server may have lost of them.
bool letters_doubt(const struct bridge *b, uint16_t component);
void letters_started(struct bridge *b, uint16_t component, int64_t since);
void letters_link_down(struct bridge *b, uint16_t component);
// Drops those for one user. False when the step is full.
bool letters_erase(struct bridge *b, struct effects *out, const struct user *u);
enum err letter_restore(struct bridge *b, const struct row *row);

/* letter_tell.c: adapters that wait for what becomes of a word to one person. */
// The record has been settled: it has arrived, unless a letter is about it, which is told of in its time.
void letter_settled(struct bridge *b, struct effects *out, const struct source *s, uint64_t record, struct str id);
void letter_tell(struct bridge *b, struct effects *out, const struct letter *l, enum err err);
enum err letter_err(const struct letter *l); // of one that nobody tries any more

/* ask.c: users who were promised an outcome. */
void asks_init(struct asks *a);
void asks_finish(struct asks *a);
void ask_begins(struct bridge *b, struct effects *out, const struct event *ask);
void ask_ends(struct bridge *b, struct effects *out, const struct event *ask);
// A message that comes when the bridge is stopping: nothing is done, and its sender is told, now or at the next start.
void ask_left(struct bridge *b, struct effects *out, const struct event *ev);
enum err ask_restore(struct bridge *b, const struct row *row);
bool asks_tell(struct bridge *b, struct effects *out); // false when the step is full
// Drops what one user was to be told. False when the step is full.
bool asks_erase(struct bridge *b, struct effects *out, const struct user *u);

/* later.c: what was not promised. `north` is to nobody yet. */
bool later_first(const struct bridge *b, const struct identity *id);
void later_keep(struct bridge *b, const struct event *north, const struct identity *id);
bool later_work(struct bridge *b, struct effects *out, struct source *s); // false when the step is full
void later_finish(struct source *s);

/* room_step.c: of events about identities that are rooms. */

void room_user_message(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id,
                       unsigned rights);
void room_user_subject(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id,
                       unsigned rights);
void room_user_available(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id);
enum err room_adapter_message(struct bridge *b, const struct event *ev, struct effects *out, struct identity *id);
// The outcome of what a user said: it is heard now.
void room_reflect(struct bridge *b, struct effects *out, const struct event *ask);
// Takes a client out; `why` is told to it and to the others. In this step ROOM_KICK effects: to who leaves, to the
// adapter, and the first of what the others hear.
enum { ROOM_KICK = 8 };
void room_kick(struct bridge *b, struct effects *out, struct room *r, struct client *c, struct str why);
// Takes a user out, wherever he is. False when the step is full.
bool rooms_erase(struct bridge *b, struct effects *out, const struct user *u);
// Tells every client that it is out, and nobody else; true when none is left.
bool room_clear(struct bridge *b, struct effects *out, struct room *r, struct str why);

/* presence.c */

void presence_say(struct bridge *b, struct effects *out, const struct identity *id); // to all its subscribers

/* resync.c */

void push_start(struct bridge *b, struct effects *out, uint16_t component); // says all presence of a component again
void review(struct bridge *b, struct effects *out);                         // what is no longer allowed ends

#endif
