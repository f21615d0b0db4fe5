/* What our guests ask rooms elsewhere: whether they are still in (XEP-0410), and what the archive has (XEP-0313).
 *
 * CHECK: a ping to the guest's own nick -> CHECKED. CATCHUP: pages of the archive, forwards from `stamp`, each message
 * a HEARD; at the end, an error or after CATCHUP_MAX messages -> CAUGHT_UP. Results count only from the room that was
 * asked, to the guest that asked, under an id that nobody can guess. When the link goes down nothing more is said of
 * either. */
#ifndef SPANDREL_XMPP_MUC_ASK_H
#define SPANDREL_XMPP_MUC_ASK_H

#include "xmpp/gateway_out.h"
#include "xmpp/stanza.h"

// CATCHUP_MAX is more than a room says in a second: archives tell seconds, and the next CATCHUP begins with a whole
// one.
enum { MUC_ASK_MS = 15000, CATCHUP_PAGE = 50, CATCHUP_MAX = 2000 };

bool muc_asks(enum event_kind kind);
// Sends the request that a CHECK or CATCHUP is; as gateway_ask(). CATCHUP has ERR_AGAIN too when too many are under
// way.
enum err muc_ask(struct sending *o) MUST_CHECK;

// A message that is a result of a catch-up, whosever: nobody else need see it.
bool muc_take_result(const struct stanza *s);
// Asks for the next page where one is wanted: after each answer that came.
void muc_ask_on(const struct stanza *s);
void muc_ask_finish(struct gateway *g);

#endif
