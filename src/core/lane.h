/* A lane: what an adapter has said with a promise, in order, on its way to the users of a component.
 *
 *   trimmed <= settled <= fenced <= sent <= loaded < next        numbers of records, from 1
 *
 * A record is accepted (`next`), written to the journal, handed to the server (`sent`), taken by it (`fenced`: a fence
 * behind it has come back), and settled when it was held for a while after that, since a server may lose what it has
 * taken. It is kept a little longer, so that an error that comes back finds it, and then trimmed. Bodies are in memory
 * from `sent` to `loaded` only; the journal has them all. A lane is first in, first out. */
#ifndef SPANDREL_CORE_LANE_H
#define SPANDREL_CORE_LANE_H

#include "base/index.h"
#include "base/list.h"
#include "core/event.h"

enum {
    LANE_HOLD_MS = 5000,            // trust in a server's memory after the fence
    LANE_HOLD_STEP = 100,           // ms: what is fenced within one settles together
    LANE_MEMORY = 256,              // records with their bodies
    LANE_MEMORY_BYTES = 256 * 1024, // bytes of bodies
    LANE_KEPT = 1000,               // settled records that are kept
    LANE_KEPT_MS = 3600000,         // and for how long
    LANE_SPAN = 1 << 20,            // numbers between `trimmed` and `next`
    LANE_HOLDS = LANE_HOLD_MS / LANE_HOLD_STEP + 2,
};

struct lane_entry { // what is known of every record that is not trimmed
    uint64_t hash;  // of its id; 0: there is none
    int64_t at;     // monotonic ms when it was accepted
    int64_t until;  // monotonic ms: its own deadline; 0: that of its lane
    char *tell;     // owned: its id, where its adapter is to be told what became of it; else NULL
    uint64_t turn;  // in which order it was accepted, beside those of other lanes
    uint32_t bytes; // of its body
    uint32_t ended; // monotonic s when it was settled, or confirmed before those ahead of it were
};

struct lane_record { // with its body
    struct list_node node;
    uint64_t number;
    enum message_type type;
    int64_t stamp, since; // wall ms: when it was said, 0 for when it was accepted; when it was accepted
    struct str key, user, id, body, extra;
    char bytes[];
};

struct lane_token { // of an adapter's post
    uint64_t token;
    bool gated;
};

struct lane {
    uint64_t trimmed, settled, fenced, sent, loaded, next;
    size_t tells;      // entries with `tell`
    uint64_t reported; // of what is settled up to there its adapter was told
    char *resume;      // owned: the last user who got record fenced + 1, NULL for none
    struct lane_entry *ring;
    size_t cap; // of the ring: a power of two
    struct index by_id;
    struct list_node records; // struct lane_record
    size_t record_count, record_bytes;
    char **targets; // owned: bare JIDs whom the head goes to, in order; NULL: not yet known
    size_t target_count, target_at;
    uint64_t asked, answered; // questions to the journal about it, its own and those of letters: in order
    uint64_t question;        // its own that is out; 0: none
    uint64_t barrier;         // one for nothing, whose answer tells that the lane's row is on the disk; 0: none
    size_t unsure, covered;   // stanzas that a fence confirmed, and the disk does not know; those the barrier covers
    uint64_t load_after, load_until; // what that is about
    int64_t load_at;                 // when to ask again
    struct {
        uint64_t number;
        int64_t opened;
    } holds[LANE_HOLDS]; // oldest first
    size_t hold_count;
    int64_t doubt; // wall ms: held then by an earlier process; what is held waits until it is known whether the server
                   // has lived on. 0: there is no doubt
    size_t bytes;  // of the bodies behind `fenced`
    uint64_t dead, expired;    // records that ended so, since the lane is there
    uint64_t expired_last;     // the last that was counted: a rewind counts none again
    size_t retrying;           // letters that are tried again
    struct lane_token *parked; // owned: their answers wait for room
    size_t parked_count, parked_cap;
    bool row_due;        // its row is to be written
    bool other_boot;     // its row is of before the machine was started
    int64_t told;        // when the admins were last told of losses
    uint64_t told_count; // and of how many since
    int64_t told_full;   // when they were last told that no more is taken
};

struct lane *lane_create(void);
void lane_destroy(struct lane *l);

uint64_t lane_hash(struct str id);
// A record that was accepted: its number.
uint64_t lane_add(struct lane *l, uint64_t hash, size_t bytes, int64_t now);
// One that was read at start, with a number above all before; false when it cannot be one of this lane.
bool lane_restore(struct lane *l, uint64_t number, uint64_t hash, size_t bytes, int64_t at);
// All were: what the server had taken (`fenced`, at least `settled`) is held anew, and what is settled kept anew.
void lane_restored(struct lane *l, uint64_t fenced, int64_t now);
// NULL when it is trimmed, or has never been.
struct lane_entry *lane_entry(const struct lane *l, uint64_t number);
// The newest with this id, or 0.
uint64_t lane_find(const struct lane *l, uint64_t hash);
size_t lane_unfenced(const struct lane *l); // records that the server has not taken: what bounds are about
size_t lane_queued(const struct lane *l);   // records not settled

// Bodies. The next one may be put (number is loaded + 1), when there is room.
bool lane_has_room(const struct lane *l);
void lane_put(struct lane *l, const struct event *ev, uint64_t number);
struct lane_record *lane_head(const struct lane *l); // NULL: none is loaded
// The head has been handed to the server, to all.
void lane_sent(struct lane *l);
// What is behind `fenced` is to be sent again.
void lane_rewind(struct lane *l);

// The server has them up to there: they settle later.
void lane_fenced(struct lane *l, uint64_t number, int64_t now);
// The server may have lost what is held: back to what is settled.
void lane_unfence(struct lane *l);
// The far side has it: it is settled once all ahead of it are. True when that settled something.
bool lane_confirm(struct lane *l, uint64_t number, int64_t now);
// As if it had never been (it is there): another one may come under its id. True when that settled something.
bool lane_withdraw(struct lane *l, uint64_t number, int64_t now);
// Passes over records that are confirmed, or not there: the next one is to be sent. Bodies of others stay.
void lane_pass(struct lane *l);
// Settles what was held long enough; true when that changed something.
bool lane_settle(struct lane *l, int64_t now);
// The adapter is to be told what becomes of the record, under this id.
void lane_want(struct lane *l, uint64_t number, struct str id);
// The next settled record of which its adapter is to be told, its id now the caller's; NULL: none.
char *lane_tell(struct lane *l);
// Drops what was kept long enough after it was settled; true when that changed something.
bool lane_trim(struct lane *l, int64_t now);
int64_t lane_deadline(const struct lane *l); // of settling and trimming; INT64_MAX: none

#endif
