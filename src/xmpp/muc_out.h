/* What our guests say to rooms elsewhere (XEP-0045): entering, leaving, messages. */
#ifndef SPANDREL_XMPP_MUC_OUT_H
#define SPANDREL_XMPP_MUC_OUT_H

#include "xmpp/gateway_out.h"

void muc_put_enter(struct sending *o);
void muc_put_leave(struct sending *o);
void muc_put_open(struct sending *o); // nobody waits for the answer: who cannot enter hears why

/* A message to the room. `reply` is written as what it answers (XEP-0461), with `nick` as whom, where that is known.
 *
 * A retraction is told in both forms in use: XEP-0424 by the room's id (`reply`; without it, by ours), as its version 1
 * has it and current clients want it, and by our own id as its version 0 had it. Who knows neither sees the text. */
void muc_put_say(struct sending *o);

#endif
