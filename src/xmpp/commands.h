/* Ad-hoc commands (XEP-0050): a form, or none, then the result. No session is kept: its id can be computed again from
 * who asks what of whom. */
#ifndef SPANDREL_XMPP_COMMANDS_H
#define SPANDREL_XMPP_COMMANDS_H

#include "xmpp/iq.h"

// The commands of whom was asked, borrowed until the next call of the host. commands_may() tells which of them the
// asker may know of.
size_t commands_list(const struct iq *iq, const struct command **out);
bool commands_may(const struct iq *iq, const struct command *c);
// NULL when there is none that the asker may run.
const struct command *commands_find(const struct iq *iq, struct str node);

// The session of `user` (full JID) with a command of `to`, in the arena.
struct str commands_session(const struct gateway *g, struct arena *a, const struct jid *user, const struct jid *to,
                            struct str node);
// Writes <command/> with the end of a session: a note, unless it is empty.
void commands_put_result(struct xml_writer *w, struct str node, struct str session, struct str note);

#endif
