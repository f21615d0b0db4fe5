/* What rooms elsewhere say to our guests (XEP-0045): presence of their occupants, messages, errors.
 *
 * Each guest in a room gets its own copy of everything; one of them listens. Of what the others get, only what is about
 * themselves is looked at: their own presence, errors, private messages. A private message is an ordinary MESSAGE, from
 * the occupant. What a room says itself beside its subject (invitations, changes of its configuration, and ejabberd's
 * presence of the room) is for nobody here. */
#ifndef SPANDREL_XMPP_MUC_IN_H
#define SPANDREL_XMPP_MUC_IN_H

#include "xmpp/stanza.h"

// False: nothing of a room elsewhere that a guest of ours is in; it is to be taken as from anybody.
bool muc_take_presence(struct stanza *s);
bool muc_take_message(struct stanza *s);

#endif
