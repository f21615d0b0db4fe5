/* Templates of the configuration: what `devices` says, as specs. The schema is mqtt_model_device_schema. */
#ifndef SPANDREL_MQTT_PROFILE_H
#define SPANDREL_MQTT_PROFILE_H

#include "adapters/mqtt/mqtt_spec.h"

#include "conf/conf.h"

// Items of the schema for whatever describes devices: when they are told.
#define MQTT_TELLING_ITEMS                                                                                             \
    {.name = "offline_delay",                                                                                          \
     .type = CONF_SPAN,                                                                                                \
     .dflt = "10s",                                                                                                    \
     .max = 3600e3,                                                                                                    \
     .doc = "A device that is lost again within five minutes is shown as offline only after this time."},              \
    {                                                                                                                  \
        .name = "status_interval", .type = CONF_SPAN, .dflt = "1m", .max = 86400e3,                                    \
        .doc = "New readings change the status of the contact at most this often."                                     \
    }

// An owned spec, or NULL when the report got an error. The template's name is the name of the value.
struct mqtt_spec *mqtt_profile_compile(const struct conf_value *device, struct conf_report *report);
// "PROFILE/ID": the permanent key of the device with these captures.
struct str mqtt_profile_key(const struct mqtt_spec *s, const struct mqtt_captures *c, struct arena *a);
// The topics of the spec that a message may make a device by: they have all captures.
bool mqtt_profile_match(const struct mqtt_spec *s, struct str topic, struct mqtt_captures *c);

// Marks the first readings as headlines where none is marked; for every kind of spec.
void mqtt_profile_headlines(struct mqtt_spec *s);

#endif
