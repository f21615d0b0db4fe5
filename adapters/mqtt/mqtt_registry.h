/* All devices: by handle, by key, by the topics they listen to, and by the time at which they want to be looked at
 * again.
 *
 * Topics are found by hash and compared with what the device would make of its pattern, so no topic is stored twice.
 * The devices that share one (a bridge's own availability) are chained behind a single entry of the index. */
#ifndef SPANDREL_MQTT_REGISTRY_H
#define SPANDREL_MQTT_REGISTRY_H

#include "adapters/mqtt/mqtt_device.h"

#include "base/index.h"

#define MQTT_NONE UINT32_MAX

struct mqtt_binding;

struct mqtt_registry {
    struct mqtt_device **devices; // owned, by handle; NULL: free
    uint32_t device_cap, device_end, device_count;
    uint32_t *free_devices; // handles to use again
    uint32_t free_count;
    struct index keys;
    struct mqtt_binding *bindings; // owned
    uint32_t binding_cap, binding_end, binding_free, binding_count;
    struct index topics;
    uint32_t *heap; // handles, the earliest wake-up first
    uint32_t heap_count;
    size_t bytes; // of the devices
};

void mqtt_registry_init(struct mqtt_registry *r);
void mqtt_registry_finish(struct mqtt_registry *r); // destroys the devices

// Takes the device, whose key must be new, and binds its topics.
void mqtt_registry_add(struct mqtt_registry *r, struct mqtt_device *d);
// Gives it back.
void mqtt_registry_remove(struct mqtt_registry *r, struct mqtt_device *d);
// Another spec (see mqtt_device_respec()); returns the one before.
struct mqtt_spec *mqtt_registry_respec(struct mqtt_registry *r, struct mqtt_device *d, struct mqtt_spec *spec);

struct mqtt_device *mqtt_registry_get(const struct mqtt_registry *r, uint32_t handle); // NULL when there is none
struct mqtt_device *mqtt_registry_find(const struct mqtt_registry *r, struct str key);
// Walks all: start with *at = 0; NULL at the end. Removing the one just seen is fine.
struct mqtt_device *mqtt_registry_next(const struct mqtt_registry *r, uint32_t *at);

size_t mqtt_registry_size(const struct mqtt_registry *r); // bytes of all records and indexes

// The first binding of a topic, or MQTT_NONE; then the next. `topic` becomes the offset in the device's spec.
uint32_t mqtt_registry_topic(const struct mqtt_registry *r, struct str topic);
uint32_t mqtt_registry_binding(const struct mqtt_registry *r, uint32_t binding, struct mqtt_device **d,
                               uint16_t *topic);

// Wants to be looked at not later than `at`. An earlier wish stands; one that has become too early is for the owner to
// find out, who then asks anew.
void mqtt_registry_wake(struct mqtt_registry *r, struct mqtt_device *d, int64_t at);
int64_t mqtt_registry_deadline(const struct mqtt_registry *r); // INT64_MAX: none
// Takes out a device whose time has come, or NULL.
struct mqtt_device *mqtt_registry_due(struct mqtt_registry *r, int64_t now);

#endif
