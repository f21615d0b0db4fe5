/* What is kept of a device over a restart, as one compact JSON text: values, availability, alarms, when it was heard.
 *
 * All is kept by name, so that a changed configuration finds again what it still has. */
#ifndef SPANDREL_MQTT_STATE_H
#define SPANDREL_MQTT_STATE_H

#include "adapters/mqtt/mqtt_status.h"

enum { MQTT_STATE_MAX = 16 * 1024 }; // bytes; values that do not fit are left out

struct str mqtt_state_write(const struct mqtt_device *d, const struct mqtt_time *t, struct arena *a);
// Owned (json_decref); NULL for what is no state of a version we know.
json_t *mqtt_state_parse(struct str blob);
struct str mqtt_state_profile(const json_t *state);                       // borrowed
void mqtt_state_captures(const json_t *state, struct mqtt_captures *out); // borrowed
// Puts what the state holds into a new device.
void mqtt_state_read(struct mqtt_device *d, const json_t *state, const struct mqtt_time *t);

#endif
