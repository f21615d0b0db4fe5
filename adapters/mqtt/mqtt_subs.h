/* The subscriptions of a link: remembered over connections, sent in batches, each answered by the broker. */
#ifndef SPANDREL_MQTT_SUBS_H
#define SPANDREL_MQTT_SUBS_H

#include "adapters/mqtt/mqtt_conn.h"
#include "base/list.h"
#include "base/map.h"

struct mqtt_subs {
    struct map wanted;        // filter -> struct mqtt_sub
    struct list_node fresh;   // to be sent
    struct list_node asked;   // sent, in order; the answer is awaited
    struct list_node settled; // answered
    struct list_node owed;    // given up: UNSUBSCRIBE is to be sent
    // The answer for a filter that is still wanted: its MQTT 5 reason code, or the granted QoS.
    void (*answered)(void *ud, struct str filter, int code);
    void *ud;
};

void mqtt_subs_init(struct mqtt_subs *s, void (*answered)(void *ud, struct str filter, int code), void *ud);
void mqtt_subs_finish(struct mqtt_subs *s);
// The filter is valid. Asking again for what is there changes nothing, unless with another QoS.
void mqtt_subs_add(struct mqtt_subs *s, struct str filter, unsigned qos);
void mqtt_subs_remove(struct mqtt_subs *s, struct str filter);
// A new connection: everything is to be sent again, since retained messages tell what was missed. Without a session
// nothing is owed.
void mqtt_subs_reset(struct mqtt_subs *s, bool session_present);
// Queues what is to be sent, in the connection.
void mqtt_subs_send(struct mqtt_subs *s, struct mqtt_conn *c, bool no_retained);
// SUBACK.
void mqtt_subs_answer(struct mqtt_subs *s, int mid, const int *granted, size_t count);
size_t mqtt_subs_count(const struct mqtt_subs *s);

#endif
