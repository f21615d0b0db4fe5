/* What discovery has said of one device, kept as it was read, so that each message can replace its own part, and the
 * device exists again after a restart without a broker. */
#ifndef SPANDREL_MQTT_ENTITIES_H
#define SPANDREL_MQTT_ENTITIES_H

#include "adapters/mqtt/mqtt_entity.h"

enum { MQTT_ENTITIES_MAX = 16 * 1024 }; // bytes of the stored text

struct mqtt_entities;

struct mqtt_entities *mqtt_entities_create(void);
void mqtt_entities_destroy(struct mqtt_entities *e);
// What this topic has said, in place of what it said before; without entities: nothing any more. False when it was the
// same. ERR_LIMIT in *err when there is too much of it, which is then left out.
bool mqtt_entities_replace(struct mqtt_entities *e, struct str topic, const struct mqtt_found *found, enum err *err);
size_t mqtt_entities_count(const struct mqtt_entities *e);
bool mqtt_entities_has(const struct mqtt_entities *e, struct str topic);
// The topics, each once: start with *at = 0; false at the end.
bool mqtt_entities_topic(const struct mqtt_entities *e, size_t *at, struct str *topic);

// An owned spec of all that can be built; the others are passed over and counted in *refused, which may be NULL.
struct mqtt_spec *mqtt_entities_spec(const struct mqtt_entities *e, const struct mqtt_entity_context *ctx,
                                     size_t *refused);

struct str mqtt_entities_write(const struct mqtt_entities *e, struct arena *a); // JSON
struct mqtt_entities *mqtt_entities_read(struct str blob);                      // owned, NULL: not readable

#endif
