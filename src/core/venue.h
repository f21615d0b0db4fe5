/* Rooms elsewhere (XEP-0045, hosted by the server) that identities of ours enter as guests, to say there what an
 * adapter has promised to deliver.
 *
 * A venue is such a room; a guest is one identity in it, with a lane of its own: what it is to say, in order. Of all
 * guests in a venue one listens, and tells for all who is there and what is said. This file keeps the tables;
 * guest_step.c enters, stays and comes back; post_step.c says and settles. */
#ifndef SPANDREL_CORE_VENUE_H
#define SPANDREL_CORE_VENUE_H

#include "base/map.h"
#include "core/bridge.h"
#include "core/lane.h"

enum {
    GUESTS_MAX = 4096,         // of the bridge
    VENUE_PEOPLE_MAX = 10000,  // occupants that are known of one venue
    VENUE_FLIGHTS = 64,        // messages of one venue that it has not reflected
    GUEST_NICK_MAX = 64,       // bytes
    GUEST_ENTER_MS = 30000,    // the room's time to let a guest in
    GUEST_REFLECT_MS = 15000,  // and to reflect what it said
    GUEST_CHECK_MS = 20000,    // to answer a CHECK, or a CATCHUP page by page
    GUEST_ASKS = 4,            // questions to an archive that does not answer
    GUEST_LEARN_MS = 20000,    // to tell who enters what was said
    GUEST_QUIET_MS = 300000,   // no sign from the room for so long: a guest looks whether it is in, before it speaks
    GUEST_ROUTINE_MS = 600000, // and without that
    GUEST_COOL_MS = 300000,    // after a kick
    GUEST_INVITED_MS = 10000,  // between two invitations that are followed
    GUEST_PARK_MS = 1800000,   // between tries of what was refused
    GUEST_CLASHES = 9,         // other nicks that are tried
    GUEST_MISSES = 4,          // rounds in which a room reflects nothing of what a guest says
    GUEST_FULL_MS = 1000,      // who finds no place in a venue looks again
    GUEST_IDLE_MS = 3600000,   // who has said nothing for so long leaves, where another guest listens
    GUEST_CAP = 30,            // guests of ours in one venue: each is sent a copy of all that is said there
};

enum guest_state {
    GUEST_OUT,      // not in the room; enters at `at`, when it has something to say
    GUEST_ENTERING, // the room was asked, until `at`
    GUEST_LEARNING, // it is in, and is told what was said while it was away, until `at`
    GUEST_CHECKING, // it may be in: a CHECK is out, or due at `at`
    GUEST_ASKING,   // it is in, and the room's archive is asked what was said
    GUEST_IN,
    GUEST_MUTED,  // in, without voice
    GUEST_PARKED, // refused, for `why`; tries again at `at`
    GUEST_STATES
};

struct guest {
    struct list_node node; // of the venue
    struct venue *venue;
    uint32_t identity; // handle
    uint16_t source;
    enum guest_state state;
    bool stored;         // there is a row: it is in, or what it said there is unsure
    bool learned;        // it was told what was said while it was away
    bool unsure;         // what it said may have arrived, and its lane was rewound: look before saying it again
    bool refused;        // some of what it said was: it is to be said again, and was not heard
    unsigned asks;       // questions to the archive about it
    bool nameless;       // it is not known under which nick it said what is unsure
    bool told;           // its adapter was told that it is parked
    char *name;          // owned: of the lane: adapter, room and key
    char *nick;          // owned: the one it has or asks for; NULL before
    char *was;           // owned: the one under which it said what is unsure; NULL: as now
    char *wish;          // owned: the one it is to have
    char *reason;        // owned: in words, with `why`; NULL: none
    enum err why;        // PARKED, MUTED: what the room said
    unsigned clashes;    // nicks that were taken
    bool plain;          // the server refused the nick as it is: a plain one is tried
    unsigned tries;      // since it was last in
    unsigned misses;     // rounds without reflection, or refusals of what it said
    uint64_t check;      // number of the CHECK or CATCHUP that is out; 0: none
    uint64_t stay;       // number of this stay: what was said in another cannot be corrected
    int64_t at;          // monotonic ms: when its state is looked at; INT64_MAX: when something happens
    int64_t heard;       // of the last sign that it is in
    int64_t since;       // monotonic ms: when the first was said that is unsure; 0: it is not known
    int64_t used;        // when it last said something
    int64_t kicked;      // when it was kicked last
    int64_t invited;     // when it last followed an invitation
    int64_t asked, past; // ASKING, wall ms: since when the archive was asked; how far it has answered
    bool looked;         // at the room's past, for what its adapter says that it may have posted before
    uint64_t *past_ids;  // owned: hashes of what it saw there; NULL before any
    size_t past_count;
    int64_t row_at; // when its lane's row was written last
    enum role role;
    size_t letters;    // about what it did not say
    struct lane *lane; // what it is to say
};

struct flight_out { // handed to the server, and not yet reflected
    struct guest *guest;
    uint64_t number; // of its record
    int64_t at;      // monotonic ms
    char *id;        // owned
};

struct person { // an occupant who is none of ours, or one of ours as others see it
    enum affiliation affiliation;
    char nick[];
};

struct venue {
    struct list_node node, work; // work: of those in which something may go on
    char *room;                  // owned: bare JID
    size_t local_len;
    uint16_t component;
    struct list_node guests;
    size_t guest_count;
    struct guest *listener; // NULL: nobody is in
    struct map people;      // by nick, as the listener was told
    struct flight_out flights[VENUE_FLIGHTS];
    size_t flight_count;
    struct {                       // the last that was said there, if that was by a guest of ours
        const struct guest *guest; // NULL: it was by somebody else
        uint64_t stay, hash;       // of the id under which it went out first
    } last;
    bool no_archive; // (XEP-0313) as it said when it was asked
    char key[];      // of the table
};

struct venue_settings { // of one room, or of all that have none
    char *room;         // owned; NULL: the default
    char *password;     // owned; NULL: none
    bool create;        // a room that is not there is made
    unsigned cap;       // guests in it
    int64_t idle;       // ms
};

struct venues {
    struct list_node all, work; // struct venue
    struct map by_room;         // component and room
    struct map by_lane;         // struct guest, by the name of its lane
    size_t guest_count;
    size_t busy;                     // guests that enter or are checked, at most
    bool counted;                    // that is so, in this step
    int64_t next;                    // no guest is to be looked at before; INT64_MAX: none
    uint64_t serial;                 // of checks and stays
    uint64_t turn;                   // of records: in which order they were accepted
    struct venue_settings *settings; // owned
    size_t settings_count;
};

void venues_init(struct venues *t);
void venues_finish(struct venues *t);
// Copies.
void venues_configure(struct venues *t, const struct bridge_venue *v, size_t count);
const struct venue_settings *venue_settings(const struct venues *t, const struct venue *v); // never NULL

struct jid venue_jid(const struct venue *v);
struct venue *venue_find(const struct venues *t, uint16_t component, const struct jid *room); // NULL: none
struct venue *venue_take(struct venues *t, uint16_t component, const struct jid *room);       // finds or makes
struct guest *venue_guest(const struct venue *v, uint32_t identity);                          // NULL: none
struct guest *venue_guest_named(const struct venue *v, struct str nick); // one that is in, or enters, under this nick
size_t venue_in(const struct venue *v);                                  // guests that are in it, or enter
// Makes a guest, out of the room, with an empty lane of this name.
struct guest *guest_add(struct venues *t, struct venue *v, uint32_t identity, uint16_t source, struct str name);
// With its lane; its venue goes with the last of its guests.
// What the room has heard before this process: so much is kept, the first of it.
enum { GUEST_PAST = 2048 };
void guest_recall(struct guest *g, uint64_t hash);
bool guest_recalls(const struct guest *g, uint64_t hash);
void guest_remove(struct venues *t, struct guest *g);
struct guest *guest_of_lane(const struct venues *t, struct str name);
bool guest_is_in(const struct guest *g); // as far as is known: its room sends it what is said there

struct person *venue_person(const struct venue *v, struct str nick); // NULL: none is known
void venue_meet(struct venue *v, struct str nick, enum affiliation affiliation);
void venue_part(struct venue *v, struct str nick);
void venue_forget_people(struct venue *v);

void venue_fly(struct venue *v, struct guest *g, uint64_t number, struct str id, int64_t now); // there is room
bool venue_land(struct venue *v, const struct guest *g, uint64_t number);           // false: it was not on its way
void venue_ground(struct venue *v, const struct guest *g);                          // all of one guest
const struct flight_out *venue_first(const struct venue *v, const struct guest *g); // of one guest; NULL: none is
void venue_busy(struct venues *t, struct venue *v);                                 // something may go on in it
const char *guest_state_name(enum guest_state s);

#endif
