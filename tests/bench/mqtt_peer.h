/* A fake MQTT 5 broker: takes any client and any subscription, counts what is published, publishes what it is told. */
#ifndef SPANDREL_BENCH_MQTT_PEER_H
#define SPANDREL_BENCH_MQTT_PEER_H

#include "peer.h"

enum { MQTT_PEER_WINDOW = 1000 }; // QoS 1 publishes without a PUBACK

struct mqtt_peer {
    struct peer peer;
    bool mute;                             // does not answer CONNECT until it is told to
    bool waiting;                          // one is unanswered
    bool up;                               // has subscriptions
    unsigned inflight;                     // QoS 1
    unsigned mid;                          // last one
    uint64_t publishes;                    // that came
    uint64_t acks;                         // PUBACKs that came
    void (*acked)(void *ud, unsigned mid); // one; NULL: nobody asks
    void *ud;
    struct strbuf out_topic; // of the publish in progress
};

void mqtt_peer_init(struct mqtt_peer *m);
void mqtt_peer_finish(struct mqtt_peer *m);
void mqtt_peer_work(struct mqtt_peer *m, const struct pollfd fds[2]);
void mqtt_peer_mute(struct mqtt_peer *m, bool mute);
// Whether it could send one more now.
bool mqtt_peer_ready(const struct mqtt_peer *m, unsigned qos);
// To "KIND/dNUMBER".
void mqtt_peer_publish(struct mqtt_peer *m, const char *kind, unsigned device, struct str payload, unsigned qos,
                       bool retain);

#endif
