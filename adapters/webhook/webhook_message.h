/* What was accepted, and what became of it: messages, with a target for each room and person that they go to. Their
 * states are told at the addresses that the sender was given.
 *
 * Bounded: WEBHOOK_MESSAGE_MAX, for WEBHOOK_MESSAGE_MS; the oldest goes first. Kept in memory alone: what must not be
 * lost is the bridge's by then. */
#ifndef SPANDREL_WEBHOOK_MESSAGE_H
#define SPANDREL_WEBHOOK_MESSAGE_H

#include "base/err.h"
#include "base/str.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEBHOOK_MESSAGE_MAX = 100000,
    WEBHOOK_TARGETS_MAX = 256, // of one message: addressees, times the text and its files
    WEBHOOK_ID = 30,           // characters of the first id of a request
    WEBHOOK_ID_MAX = 40,       // of any
};
#define WEBHOOK_MESSAGE_MS INT64_C(86400000)

enum webhook_target_state {
    WEBHOOK_POSTED,    // the bridge has not said yet whether it takes it
    WEBHOOK_QUEUED,    // it is on disk
    WEBHOOK_PARKED,    // and its room cannot be entered now
    WEBHOOK_SENT,      // nothing more will be known of it: the bytes of a file
    WEBHOOK_CONFIRMED, // its room, or his server, has it
    WEBHOOK_FAILED,    // it never will
    WEBHOOK_DISCARDED, // it was taken back before it went out
    WEBHOOK_REFUSED,   // the bridge did not take it
    WEBHOOK_TARGET_STATES
};

struct webhook_target {
    struct str to;   // bare address
    bool room;       // of a room, else of a person
    unsigned part;   // 0: the text; 1, ...: a file of it
    struct str key;  // of the identity that says it
    struct str nick; // of that; may be empty
    struct str as;   // the one it has in the room, once there
    enum webhook_target_state state;
    struct str stanza; // the room's id, once there
    enum err err;      // PARKED, FAILED, REFUSED: why
    struct str text;   // in words, may be empty
};

struct webhook_message {
    struct str id, hook;
    int64_t wall; // when it was accepted
    bool gone;    // it was taken back: what was taken back is not changed, nor taken back again
    void *waiter; // who answers when it is settled; NULL: nobody
    size_t count;
    struct webhook_target *targets; // `count` of them
};

struct webhook_messages;

struct webhook_messages *webhook_messages_create(void);
void webhook_messages_destroy(struct webhook_messages *t);

// "msg_" and 26 characters: a hash of the key where the sender gave one, so that the same request has the same id
// whatever happens between; else random.
struct str webhook_message_id(char out[WEBHOOK_ID + 1], struct str adapter, struct str hook, struct str key);
// The id of message `at` of a request whose first one has this id: that, or with "-2", "-3", ... behind it.
struct str webhook_message_nth(char out[WEBHOOK_ID_MAX + 1], struct str id, size_t at);
// The id that target `at` goes out with: the message's, and ".2", ".3", ... behind it from the second on.
struct str webhook_message_wire(char out[WEBHOOK_ID_MAX + 1], struct str id, size_t at);

// Copies the targets (to, room, part, key, nick), 1 to WEBHOOK_TARGETS_MAX, all WEBHOOK_POSTED. One of the same id
// makes room.
struct webhook_message *webhook_messages_add(struct webhook_messages *t, struct str id, struct str hook,
                                             const struct webhook_target *targets, size_t count, int64_t wall);
// NULL when it is not known (any more).
struct webhook_message *webhook_messages_find(const struct webhook_messages *t, struct str id);
// The message and target that go by this id on the wire; false when unknown.
bool webhook_messages_wire(const struct webhook_messages *t, struct str wire, struct webhook_message **m, size_t *at);
void webhook_messages_remove(struct webhook_messages *t, struct webhook_message *m);
// The target's state, if that may follow the present one; false, and nothing is changed, if not. stanza and text are
// copied.
bool webhook_message_move(struct webhook_message *m, size_t at, enum webhook_target_state state, enum err e,
                          struct str stanza, struct str text);
// It was said in the room under this nick, which may be another one than was wished.
void webhook_message_named(struct webhook_message *m, size_t at, struct str nick);
// Each target of this identity and address that waits in the queue is parked (or with ERR_OK is not any more). `each`
// is told of those that changed; may be NULL.
void webhook_messages_park(struct webhook_messages *t, struct str key, struct str to, enum err e, struct str text,
                           void (*each)(void *ud, struct webhook_message *m, size_t at), void *ud);
// Whether something that this identity says is on its way.
bool webhook_messages_busy(const struct webhook_messages *t, struct str key);
// "queued", "parked", "confirmed", "failed", "discarded", or "partial" where its targets differ for good.
const char *webhook_message_status(const struct webhook_message *m);
const char *webhook_target_name(enum webhook_target_state state);
// {"id":...,"status":...,"self":...,"created":...,"targets":[{"to":...,"status":...,...}]}; `self` may be empty.
void webhook_message_json(const struct webhook_message *m, struct str self, struct strbuf *out);
// The targets' array alone.
void webhook_message_targets_json(const struct webhook_message *m, struct strbuf *out);
// Forgets what is too old, at most a thousand at a time; true when there is more.
bool webhook_messages_sweep(struct webhook_messages *t, int64_t wall);
size_t webhook_messages_count(const struct webhook_messages *t);

#endif
