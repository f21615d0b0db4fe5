/* The handlers of requests, one file a noun. Each answers `iq` once, or hands an event over whose RESULT or BOUNCE will
 * answer it. */
#ifndef SPANDREL_XMPP_IQ_HANDLERS_H
#define SPANDREL_XMPP_IQ_HANDLERS_H

#include "xmpp/iq.h"

void commands_set(const struct iq *iq); // XEP-0050
void disco_info(const struct iq *iq);   // XEP-0030
void disco_items(const struct iq *iq);  // XEP-0030, XEP-0059
void last_get(const struct iq *iq);     // XEP-0012
void ping_get(const struct iq *iq);     // XEP-0199
void prompt_get(const struct iq *iq);   // XEP-0100
void prompt_set(const struct iq *iq);   // XEP-0100
void register_get(const struct iq *iq); // XEP-0077
void register_set(const struct iq *iq); // XEP-0077
void time_get(const struct iq *iq);     // XEP-0202
void vcard_get(const struct iq *iq);    // XEP-0054
void vcard_set(const struct iq *iq);    // XEP-0054
void version_get(const struct iq *iq);  // XEP-0092

#endif
