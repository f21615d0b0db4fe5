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

    unsigned state;  // SUBSCRIPTION: enum subscription
    uint64_t number; // ACCESS
    struct str text; // ACCESS: the rule as in the configuration; STATE: the blob (any bytes)
};

#endif
