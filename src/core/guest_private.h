/* What the files about guests share. */
#ifndef SPANDREL_CORE_GUEST_PRIVATE_H
#define SPANDREL_CORE_GUEST_PRIVATE_H

#include "core/bridge_private.h"

enum {
    ENTERING_MAX = 20, // guests of a bridge that enter or check at once
    BUSY_MS = 50,      // who finds them all busy looks again
    BACK_MS = 1000,    // first delay after a failure that may pass
    REASON_MAX = 300,  // bytes
    GUEST_EFFECTS = 8, // what one guest takes of a step at most
};

void guest_keep(char **to, struct str text);                       // replaces an owned string
void guest_look_at(struct bridge *b, struct guest *g, int64_t at); // sets its time
void guest_set_state(struct bridge *b, struct guest *g, enum guest_state state);
void guest_store(struct bridge *b, struct effects *out, struct guest *g, bool gone);
void guest_explain(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why);
// An event to its room, from its full address.
struct event guest_event(struct bridge *b, struct effects *out, const struct guest *g, enum event_kind kind);
// What it has said and no reflection has told of may have arrived or not: it is looked for, then said again.
void guest_doubt(struct bridge *b, struct guest *g);
void guest_say_leave(struct bridge *b, struct effects *out, struct guest *g);
size_t guests_busy(struct bridge *b); // that enter or are checked

void guest_park(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why, int64_t ms);
// It tries again after a while that grows.
void guest_back_off(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why);
// It is in, and says nothing for a while that grows; then it looks whether it still is.
void guest_pause(struct bridge *b, struct effects *out, struct guest *g, enum err err, struct str why);
void guest_leave(struct bridge *b, struct effects *out, struct guest *g);
void guest_enter(struct bridge *b, struct effects *out, struct guest *g);
// Enters when it has something to say.
void guest_enter_anew(struct bridge *b, struct effects *out, struct guest *g);
void guest_check(struct bridge *b, struct effects *out, struct guest *g);
// It is in; what it said before may have been lost. `told`: the room has told what was said while it was away.
void guest_look_back(struct bridge *b, struct effects *out, struct guest *g, bool told);
// The archive has not answered, or has not all.
void guest_unanswered(struct bridge *b, struct effects *out, struct guest *g, enum err err);
// It is in, and what it said before is known as far as can be.
void guest_settle_in(struct bridge *b, struct effects *out, struct guest *g);

#endif
