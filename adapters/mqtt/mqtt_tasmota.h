/* Tasmota's own discovery, as pure functions: a payload in, a description out.
 *
 *     <prefix>/<MAC>/config    what the device is: its topics, relays, lights, shutters, switches, buttons
 *     <prefix>/<MAC>/sensors   what stands in its telemetry, as an example
 *
 * The topics of a device are made as the firmware makes them, of its FullTopic ("ft"), its prefixes ("tp") and its
 * topic ("t"). Both messages describe one device, "tasmota:MAC". */
#ifndef SPANDREL_MQTT_TASMOTA_H
#define SPANDREL_MQTT_TASMOTA_H

#include "adapters/mqtt/mqtt_describe.h"

enum {
    MQTT_TASMOTA_MAC = 32,      // bytes at most
    MQTT_TASMOTA_RELAYS = 32,   // as the firmware has them
    MQTT_TASMOTA_SWITCHES = 28, // and buttons
    MQTT_TASMOTA_SHUTTERS = 16,
};

struct mqtt_tasmota_topics { // each ends in '/'
    struct str cmnd, stat, tele;
};

struct mqtt_tasmota_conf {
    struct str mac;       // of the topic
    int64_t expire_after; // ms of silence that a node without a last will may keep
};

// Of a config message. ERR_BADREQ: a member is missing or no topic comes of it; ERR_LIMIT: too large.
enum err mqtt_tasmota_config(const struct mqtt_tasmota_conf *conf, struct str payload, struct mqtt_describe *d,
                             struct mqtt_tasmota_topics *topics, struct errmsg *msg) MUST_CHECK;
// Of a sensors message, for the device with these topics.
enum err mqtt_tasmota_sensors(const struct mqtt_tasmota_topics *topics, struct str payload, struct mqtt_describe *d,
                              struct errmsg *msg) MUST_CHECK;
// What the firmware makes of a FullTopic for one of its prefixes; empty when nothing can be published to it.
struct str mqtt_tasmota_topic(struct arena *a, struct str fulltopic, struct str prefix, bool command, struct str topic,
                              struct str hostname, struct str mac);

// The JSON of a discovery message, bounded; NULL with *msg set. Owned.
json_t *mqtt_tasmota_json(struct str payload, struct errmsg *msg);

#endif
