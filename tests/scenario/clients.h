/* The users' clients behind the fake servers: what they show, and whether each of their questions had its answer.
 *
 * A question is an IQ, or a chat message with a body to a contact or a component. An IQ has exactly one answer; a
 * message one error, or one message back, and a receipt only without an error. What was asked before a link or the
 * bridge was lost may go without, but is never answered twice. */
#ifndef SPANDREL_TESTS_CLIENTS_H
#define SPANDREL_TESTS_CLIENTS_H

#include "base/strbuf.h"
#include "xml/xml_node.h"

struct clients;

struct clients *clients_create(void);
void clients_destroy(struct clients *c);

void clients_asked(struct clients *c, const struct xml_node *stanza); // on its way to the bridge
void clients_told(struct clients *c, const struct xml_node *stanza);  // of the bridge
// What has no answer yet may stay without.
void clients_excuse(struct clients *c);
// Appends what is wrong with the answers; true when nothing is.
bool clients_satisfied(const struct clients *c, struct strbuf *out);

// "user contact show" lines, sorted, those that are offline only where `all` is set: a client shows no difference to
// what it never heard of. Occupants of rooms are not in a roster.
void clients_show(const struct clients *c, bool all, struct strbuf *out);
// Calls back with a probe for each contact that is shown: who logs in again finds out what he is no longer subscribed
// to. Other presence is not looked at meanwhile.
void clients_log_in(struct clients *c, void (*send)(void *ud, struct str xml), void *ud);

#endif
