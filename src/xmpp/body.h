/* Text that must fit into a stanza once it is escaped. */
#ifndef SPANDREL_XMPP_BODY_H
#define SPANDREL_XMPP_BODY_H

#include "base/arena.h"

// s itself when its XML form has at most `max` bytes; else what fits with a mark " […]" behind it. `max` is at
// least 16.
struct str body_fit(struct arena *a, struct str s, size_t max);

#endif
