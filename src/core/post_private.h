/* What the files about posts share. */
#ifndef SPANDREL_CORE_POST_PRIVATE_H
#define SPANDREL_CORE_POST_PRIVATE_H

#include "core/bridge_private.h"

enum {
    RETRIED_MS = 600000, // so long after a process has begun comes again what the one before it had taken
};

// What a record has beside its text, in a column of its own.
struct extra {
    struct str nick, replace, reply, url;
    int64_t life; // ms; 0: as configured
    int64_t turn; // in which order it was accepted, in all lanes of guests
    bool retract;
    bool again; // a process that is no more may have said it before
};

void post_unpack(struct str text, struct extra *out); // borrows; what is no number is 0

#endif
