/* The section `discovery` of the configuration: which conventions are spoken, and what holds for all of them. */
#ifndef SPANDREL_MQTT_DISCOVERY_H
#define SPANDREL_MQTT_DISCOVERY_H

#include "adapters/mqtt/mqtt_convention.h"
#include "adapters/mqtt/mqtt_spec.h"

#include "base/ratelimit.h"

struct mqtt_discovery {
    struct arena arena; // holds the strings
    bool quarantine;
    struct str *allow, *command; // filters of topics that may be read, that may be written
    size_t allow_count, command_count;
    size_t max_devices;
    double max_rate; // new devices a minute
    int64_t offline_delay, status_interval;
    void *speakers[MQTT_CONVENTIONS]; // owned by their conventions; NULL: not enabled
};

// Owned; NULL when the report got an error.
struct mqtt_discovery *mqtt_discovery_create(const struct conf_value *section, struct conf_report *report);
void mqtt_discovery_destroy(struct mqtt_discovery *d);

// The convention that the key is of is spoken.
bool mqtt_discovery_enabled(const struct mqtt_discovery *d, struct str key);
// Some convention wants to see the topic, whether or not its message will be any good.
bool mqtt_discovery_owns(const struct mqtt_discovery *d, struct str topic);
// What a device of this convention may listen to, and be given to write to.
bool mqtt_discovery_may_read(const struct mqtt_discovery *d, size_t convention, struct str topic);
bool mqtt_discovery_may_write(const struct mqtt_discovery *d, size_t convention, struct str topic);

int64_t mqtt_discovery_deadline(const struct mqtt_discovery *d); // INT64_MAX: none
// Takes over what was heard under another configuration.
void mqtt_discovery_inherit(struct mqtt_discovery *d, struct mqtt_discovery *from);

#endif
