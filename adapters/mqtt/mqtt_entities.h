/* What a convention has said of one device, kept as it was read, so that each message can replace its own part, and the
 * device exists again after a restart without a broker. */
#ifndef SPANDREL_MQTT_ENTITIES_H
#define SPANDREL_MQTT_ENTITIES_H

#include "adapters/mqtt/mqtt_entity.h"

enum { MQTT_ENTITIES_MAX = 32 * 1024 }; // bytes of the stored text

struct mqtt_entities;
struct mqtt_raised; // mqtt_raised.h

struct mqtt_entities *mqtt_entities_create(void);
void mqtt_entities_destroy(struct mqtt_entities *e);
// The same (owned) with what its source has said in place of what it said before; without entities: nothing any more.
// NULL when there is too much of it.
struct mqtt_entities *mqtt_entities_with(const struct mqtt_entities *e, const struct mqtt_found *found);
// Whether it has said just this before.
bool mqtt_entities_same(const struct mqtt_entities *e, const struct mqtt_found *found);
size_t mqtt_entities_count(const struct mqtt_entities *e);
bool mqtt_entities_has(const struct mqtt_entities *e, struct str source);
// The sources, each once: start with *at = 0; false at the end.
bool mqtt_entities_source(const struct mqtt_entities *e, size_t *at, struct str *source);

// An owned spec of all that can be built; the others are passed over. Those that were not passed over the last time are
// counted in *refused, which may be NULL.
struct mqtt_spec *mqtt_entities_spec(struct mqtt_entities *e, const struct mqtt_entity_context *ctx, size_t *refused);
// Whether all of this source was built the last time.
bool mqtt_entities_built(const struct mqtt_entities *e, struct str source);

struct str mqtt_entities_write(const struct mqtt_entities *e, struct arena *a); // JSON
// What the device has raised: kept here, since only one that announces itself can.
struct mqtt_raised **mqtt_entities_raised(struct mqtt_entities *e);
bool mqtt_entities_readable(struct str blob);
struct mqtt_entities *mqtt_entities_read(struct str blob); // owned, NULL: not readable

#endif
