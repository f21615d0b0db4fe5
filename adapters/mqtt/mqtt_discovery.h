/* Home Assistant's MQTT discovery: one message, read into what we use of it.
 *
 *     <prefix>/<component>/[<node>/]<object>/config   one entity
 *     <prefix>/device/[<node>/]<object>/config        a device with all its components
 *
 * Whoever may publish under the prefix can say such things, so all of it is bounded, and only topics that the
 * configuration allows can be listened to or written to. What comes out is normalised: long names, whole topics, only
 * members that are known. Entities of one device (its first identifier) become one contact. */
#ifndef SPANDREL_MQTT_DISCOVERY_H
#define SPANDREL_MQTT_DISCOVERY_H

#include "adapters/mqtt/mqtt_spec.h"

#include "base/ratelimit.h"
#include "conf/conf.h"

enum {
    MQTT_DISCOVERY_PAYLOAD = 16 * 1024, // bytes of a message
    MQTT_DISCOVERY_DEPTH = 8,           // of its JSON
    MQTT_DISCOVERY_ENTITIES = 64,       // of one device
};

struct mqtt_discovery { // `discovery` of the configuration
    struct arena arena; // holds the strings
    bool enabled, quarantine;
    struct str prefix;
    struct str *allow, *command; // filters of topics that may be read, that may be written
    size_t allow_count, command_count;
    size_t max_devices;
    double max_rate; // new devices a minute
    int64_t offline_delay, status_interval;
};

// Owned; NULL when the report got an error.
struct mqtt_discovery *mqtt_discovery_create(const struct conf_value *section, struct conf_report *report);
void mqtt_discovery_destroy(struct mqtt_discovery *d);

// The topic is one of discovery, whether or not its message will be any good.
bool mqtt_discovery_owns(const struct mqtt_discovery *d, struct str topic);
bool mqtt_discovery_may_read(const struct mqtt_discovery *d, struct str topic);
bool mqtt_discovery_may_write(const struct mqtt_discovery *d, struct str topic);

struct mqtt_found {                               // in the arena
    bool removal;                                 // the topic was emptied: what it described is gone
    struct str key;                               // of the device
    struct str device;                            // normalised JSON
    struct str entities[MQTT_DISCOVERY_ENTITIES]; // normalised JSON
    size_t count;
};

// ERR_UNSUPPORTED: a component that we have no use for. ERR_LIMIT, ERR_BADREQ: refused; *msg says why.
enum err mqtt_discovery_read(const struct mqtt_discovery *d, struct str topic, struct str payload, struct arena *a,
                             struct mqtt_found *out, struct errmsg *msg) MUST_CHECK;

#endif
