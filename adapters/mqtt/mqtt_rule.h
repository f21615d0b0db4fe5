/* When a reading is worth a message: beyond a limit (once, until it is re-armed), entering a state, or at each change.
 */
#ifndef SPANDREL_MQTT_RULE_H
#define SPANDREL_MQTT_RULE_H

#include "adapters/mqtt/mqtt_device.h"

// After a reading was set: moves the alarm and tells whether the nth alert of the device's spec is to be said. A
// snapshot (retained, restored) moves the alarm and says nothing. `first`: the reading had no value before.
bool mqtt_rule_check(struct mqtt_device *d, uint16_t alert, bool first, bool changed, bool snapshot, int64_t now,
                     struct arena *a);
// What to say: the alert's message with {value}, {unit}, {name}, {reading} and the names of readings filled in, or a
// text of our own.
struct str mqtt_rule_text(const struct mqtt_device *d, uint16_t alert, struct arena *a);
// Names the alert among those of its spec, wherever it stands in the configuration: "temp>30".
struct str mqtt_rule_key(const struct mqtt_device *d, uint16_t alert, struct arena *a);
// The id of the message: the same for the same occasion. `occasion`: bytes that tell what it is said because of from
// all else.
struct str mqtt_rule_id(const struct mqtt_device *d, uint16_t alert, struct str occasion, struct arena *a);

#endif
