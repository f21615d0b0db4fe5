/* A broker in memory: retained messages, and sessions that outlive the connections of their clients.
 *
 * A client gets what waits for it in batches; those of QoS 1 stay at the broker until the client has acknowledged the
 * batch, and come again after the connection was lost. As the real link does, it reads nothing meanwhile. */
#ifndef SPANDREL_TESTS_BROKER_H
#define SPANDREL_TESTS_BROKER_H

#include "adapters/mqtt/mqtt_link.h"

struct broker;
struct session;   // of a client, by its client id
struct fake_link; // the client's side, fake_link.c

struct broker *broker_create(void);
void broker_destroy(struct broker *b);
// Brings all as far as it goes; true when something happened.
bool broker_work(struct broker *b);
void broker_up(struct broker *b, bool up);
bool broker_has_links(const struct broker *b);

// From devices.
void broker_publish(struct broker *b, const struct mqtt_message *m);
// Answers the last publish that was taken to its response topic; false when it had none.
bool broker_answer(struct broker *b, struct str payload);
// Takes the first publish of the bridge that matches: "topic payload qos1 30s", with "retained" where it is.
bool broker_take(struct broker *b, const char *pattern);
size_t broker_count(const struct broker *b); // publishes not taken
const char *broker_at(const struct broker *b, size_t at);
void broker_forget(struct broker *b);
void broker_confirm(struct broker *b, bool confirm); // PUBACKs come at once (default), or not at all
void broker_refuse(struct broker *b, bool refuse);   // the next publish finds the window full
size_t broker_unacked(const struct broker *b);       // messages of QoS 1 handed over and not acknowledged

/* For fake_link.c */

struct session *broker_session(struct broker *b, const char *client_id);
void broker_connect(struct broker *b, struct fake_link *l);
void broker_disconnect(struct broker *b, struct fake_link *l);
enum err broker_accept(struct broker *b, const struct mqtt_publish *p); // ERR_AGAIN when it is to be refused
bool broker_confirms(const struct broker *b);

void session_subscribe(struct session *s, struct str filter);
void session_unsubscribe(struct session *s, struct str filter);
void session_resume(struct broker *b, struct session *s); // connected anew: all filters are asked for again
void session_lose(struct session *s);                     // what is not acknowledged comes again
void session_acked(struct session *s);
// Hands the next batch over; the number of its messages.
size_t session_read(struct broker *b, struct session *s, void (*each)(void *ud, const struct mqtt_message *m),
                    void *ud);
size_t session_unacked(const struct session *s);

struct session *fake_link_session(const struct fake_link *l);
bool fake_link_work(struct fake_link *l, bool up); // it may be gone afterwards

#endif
