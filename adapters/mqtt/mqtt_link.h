/* One connection to an MQTT broker over libmosquitto, MQTT 5 with a fall-back to 3.1.1: the narrow face behind which
 * the library could be exchanged.
 *
 * Happy path: connect in a detached thread (DNS, CA files and TCP connect block in the library) -> poll a dup of its
 * socket -> read a batch of at most 256 packets
 * -> message() for each, then batch() -> the owner makes them durable and calls mqtt_link_ack() -> PUBACKs are written
 * (mosquitto_threaded_set() makes the library queue them until then) -> read on. Failures: whatever ends the connection
 * -> down() once, own backoff, session resumed. A message that the library cannot pass (poison topic: three identical
 * failures without progress) -> one clean start, the loss told by poison(). CONNACK "unsupported protocol version"
 * -> 3.1.1. Never QoS 2 in: the library would lose it (it completes the handshake before the callback). */
#ifndef SPANDREL_MQTT_LINK_H
#define SPANDREL_MQTT_LINK_H

#include "adapters/adapter.h"

struct mqtt_link;

enum { MQTT_LINK_WINDOW = 1000, MQTT_LINK_BATCH = 256 }; // publishes without an outcome, packets of a batch

enum mqtt_protocol { MQTT_AUTO, MQTT_5, MQTT_311 };

struct mqtt_link_config { // copied
    const char *host;
    uint16_t port;
    const char *client_id;           // permanent: names the session at the broker
    const char *username, *password; // or NULL
    enum mqtt_protocol protocol;
    unsigned keepalive_s, session_expiry_s, receive_maximum; // receive_maximum >= 1000 by default
    size_t packet_maximum;                                   // bytes
    bool tls, tls_insecure;
    const char *ca_file, *cert_file, *key_file, *tls_name;
    unsigned connect_ms; // for all until CONNACK; 0: 15 s
    // MQTT will of the bridge itself, so that others see it go; topic NULL: none
    const char *birth_topic, *birth_payload, *will_payload;
};

struct mqtt_message { // borrowed for the call
    struct str topic; // validated: UTF-8, no NUL, no wildcards
    struct str payload;
    unsigned qos; // 0 or 1
    bool retain;
    uint16_t packet;        // QoS 1: its identifier, which is the same when the broker sends it again
    bool again;             // QoS 1: it may have been handed over by an earlier connection of this session
    struct str correlation; // MQTT 5
};

struct mqtt_publish {
    struct str topic, payload;
    unsigned qos;
    bool retain;
    unsigned expiry_s;                      // 0: none; MQTT 5 only
    struct str response_topic, correlation; // MQTT 5 only; may be empty
    uint64_t token;                         // handed back by published(); 0: no outcome wanted
};

struct mqtt_link_events {
    void (*up)(void *ud, bool session_present, enum mqtt_protocol protocol);
    void (*down)(void *ud, enum err e, const char *why); // once per outage
    void (*message)(void *ud, const struct mqtt_message *m);
    void (*batch)(void *ud); // messages were handed over: mqtt_link_ack() is awaited (it may come at once, or later)
    void (*published)(void *ud, uint64_t token, enum err e,
                      const char *why);        // QoS 0: written; QoS 1: PUBACK, its reason code
    void (*poison)(void *ud, const char *why); // session given up to get past a message; what it held is lost
    void (*subscribed)(void *ud, struct str filter, enum err e); // a refusal is an error for the operator
};

struct mqtt_link *mqtt_link_create(const struct mqtt_link_config *cfg, struct loop *loop, struct rng *rng,
                                   const struct mqtt_link_events *ev, void *ud, const struct log_ctx *log);
void mqtt_link_start(struct mqtt_link *l);
// Remembered, and sent again after each connect. QoS 0 or 1. ERR_BADREQ: not a valid filter.
enum err mqtt_link_subscribe(struct mqtt_link *l, struct str filter, unsigned qos) MUST_CHECK;
void mqtt_link_unsubscribe(struct mqtt_link *l, struct str filter);
// ERR_OFFLINE when not up, ERR_AGAIN when the window is full (min of the broker's Receive Maximum and 1000), ERR_BADREQ
// for a topic that is not publishable.
enum err mqtt_link_publish(struct mqtt_link *l, const struct mqtt_publish *p) MUST_CHECK;
// All messages handed over so far are taken, those of QoS 1 durable: their PUBACKs go out and reading goes on. Until
// then nothing is read, and where there was one of QoS 1 nothing is written.
void mqtt_link_ack(struct mqtt_link *l);
bool mqtt_link_is_up(const struct mqtt_link *l);
// In words, for status.
struct str mqtt_link_state(const struct mqtt_link *l, struct arena *a);
// DISCONNECT after the birth topic is set to the will payload; asynchronous, frees itself, then calls closed().
// Unacknowledged messages stay at the broker.
void mqtt_link_close(struct mqtt_link *l, void (*closed)(void *ud), void *ud);

#endif
