/* One connection to a broker: an instance of libmosquitto from its connect, which blocks and so has a thread of its
 * own, to its end. Never used twice, so that nothing of an ended connection is sent again behind the back of who was
 * told that it failed. */
#ifndef SPANDREL_MQTT_CONN_H
#define SPANDREL_MQTT_CONN_H

#include "adapters/mqtt/mqtt_link.h"
#include "adapters/mqtt/mqtt_reason.h"
#include "net/loop.h"

struct mqtt_conn;

struct mqtt_conn_events { // each called only from inside mqtt_conn_read() or mqtt_conn_write()
    void (*greeted)(void *ud, bool session_present, unsigned receive_maximum); // CONNACK that accepts; 0: not limited
    void (*message)(void *ud, const struct mqtt_message *m);
    void (*invalid)(void *ud, const char *why);     // a message that was dropped
    void (*published)(void *ud, int mid, int code); // QoS 0: written; QoS 1: PUBACK
    void (*subscribed)(void *ud, int mid, const int *granted, size_t count);
};

struct mqtt_conn_options { // beyond the configuration
    bool v5;
    bool clean; // give up the session at the broker
};

// Copies the configuration, starts the thread, and wakes the loop by `wake` when it has ended. The wake is not used
// after mqtt_conn_destroy().
struct mqtt_conn *mqtt_conn_create(const struct mqtt_link_config *cfg, const struct mqtt_conn_options *o,
                                   struct loop_wake *wake, const struct mqtt_conn_events *ev, void *ud);
// At any time, but not from inside an event. While the thread still blocks it is left alone, and frees everything when
// it comes back. NULL is fine.
void mqtt_conn_destroy(struct mqtt_conn *c);

// The thread has ended. Before that nothing below may be called.
bool mqtt_conn_settled(struct mqtt_conn *c);
// The socket, for polling: a duplicate, owned by the caller. -1 when the connection failed or ended.
int mqtt_conn_socket(const struct mqtt_conn *c);
bool mqtt_conn_lost(const struct mqtt_conn *c);
// Why it was lost.
void mqtt_conn_fault(const struct mqtt_conn *c, struct mqtt_fault *out);
// The MQTT 5 reason code by which the broker refused or ended it; 0: none.
int mqtt_conn_refused(const struct mqtt_conn *c);
// It ended by a message that cannot be read.
bool mqtt_conn_poisoned(const struct mqtt_conn *c);

// Reads until `limit` messages were handed over or nothing more is there; true when it stopped at the limit.
bool mqtt_conn_read(struct mqtt_conn *c, size_t limit);
// Writes what is queued: PUBACKs of all messages handed over, and all below. True when the socket took not all of it.
bool mqtt_conn_write(struct mqtt_conn *c);
// Once a second: keepalive. Gives the connection up when the answer to a ping is not read within a keepalive.
void mqtt_conn_misc(struct mqtt_conn *c);
// Queues a word that changes nothing, so that the broker hears of us while mqtt_conn_misc() is not called. The library
// offers no PINGREQ.
void mqtt_conn_stir(struct mqtt_conn *c);
// CONNECT is on its way or the TLS handshake goes on: all that is readable or writable is to be given to
// mqtt_conn_read() and mqtt_conn_write().
bool mqtt_conn_greeting(const struct mqtt_conn *c);

// All of these queue. `topic` is NUL-terminated. The packet's identifier in *mid.
enum err mqtt_conn_publish(struct mqtt_conn *c, const char *topic, const struct mqtt_publish *p, int *mid);
enum err mqtt_conn_subscribe(struct mqtt_conn *c, char *const *filters, size_t count, unsigned qos, bool no_retained,
                             int *mid);
enum err mqtt_conn_unsubscribe(struct mqtt_conn *c, const char *filter);
void mqtt_conn_disconnect(struct mqtt_conn *c);

#endif
