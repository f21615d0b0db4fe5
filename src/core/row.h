/* What the store keeps. The core and the adapters say rows; the store writes them and hands them back at start. */
#ifndef SPANDREL_CORE_ROW_H
#define SPANDREL_CORE_ROW_H

#include "core/event.h"

enum row_kind {
    ROW_IDENTITY,     // key: (domain, local, scope)
    ROW_SUBSCRIPTION, // key: (user, domain, local)
    ROW_REGISTRATION, // key: (user, domain)
    ROW_ACCESS,       // key: number
    ROW_STATE,        // key: (adapter name, key)
    ROW_LANE,         // key: adapter name. How far the delivery of its records is
    ROW_RECORD,       // key: (adapter name, number). What was accepted and is to be delivered
    ROW_LETTER,       // key: number. A record that could not be delivered to one user
    ROW_ASK,          // key: number. What a user was promised an outcome of
    ROW_GUEST,        // key: (domain, local, user). An identity that is in a room elsewhere
    ROW_KINDS
};

// Subscription state (RFC 6121 appendix A, seen from the identity): a set.
enum subscription {
    SUB_TO_USER = 1,     // the user gets our presence
    SUB_FROM_USER = 2,   // we get the user's presence
    SUB_PENDING_OUT = 4, // we asked for the user's and have no answer
    SUB_REFUSED = 8,     // we asked, and the user said no: not to be asked again unbidden
    SUB_ALL = 15,
};

// What a letter waits for.
enum letter_state {
    LETTER_RETRY,   // its next try
    LETTER_SENT,    // an error that may come back
    LETTER_DEAD,    // a person: it was refused, or tried in vain
    LETTER_EXPIRED, // a person: it was too old before it could be sent
    LETTER_STATES
};

struct row {
    enum row_kind kind;
    bool gone; // delete this key; other members are then not set

    struct str domain, local, scope; // IDENTITY, SUBSCRIPTION, REGISTRATION (domain alone)
    struct str user;                 // bare JID: SUBSCRIPTION, REGISTRATION
    struct str adapter;              // instance name: IDENTITY, STATE
    struct str key;                  // IDENTITY: foreign key; STATE

    enum identity_kind identity; // IDENTITY
    bool quarantined;
    struct str name, cls, group;
    int64_t since; // wall ms: when it was made

    unsigned state;  // SUBSCRIPTION: enum subscription; LETTER: enum letter_state; RECORD, ASK: enum message_type
    uint64_t number; // ACCESS, RECORD, LETTER, ASK; LANE: the last record that the server has taken
    struct str text; // ACCESS: the rule as in the configuration; STATE: the blob (any bytes); RECORD: the body;
                     // LETTER: why; LANE: the boot of the machine it was written in

    // GUEST: `user` is the room, `name` the nick, `since` when it entered. RECORD: `name` is what it has beside its
    // text. LANE: with `user`, the last who got record number + 1. RECORD: `user` is whom it is for, empty for all
    // subscribers; `since` when it was accepted. LANE: `since` when it was written. LETTER: `since` when it was first
    // refused.
    uint64_t settled;  // LANE: the last record that needs nothing any more
    uint64_t trimmed;  // LANE: the last record that is not kept any more
    uint64_t dead;     // LANE: records that some user refused, in all
    uint64_t expired;  // LANE: records that became too old, in all
    uint64_t record;   // LETTER: its number, in the lane of `adapter`
    int64_t stamp;     // RECORD: when it was said, if that was not when it was accepted, else 0
    int64_t next;      // LETTER: wall ms of its next try, or end
    unsigned attempts; // LETTER
    struct str id;     // RECORD, LETTER, ASK: of the stanza
};

#endif
