/* Described entities (see mqtt_convention.h) as readings and controls of a spec. */
#ifndef SPANDREL_MQTT_ENTITY_H
#define SPANDREL_MQTT_ENTITY_H

#include "adapters/mqtt/mqtt_discovery.h"

// Whether a component ("sensor", "light") is one that we have a use for.
bool mqtt_entity_known(struct str component);

// Who else may have a say on a topic: true when a template or another device has it as its own.
typedef bool mqtt_entity_taken_fn(void *ud, struct str topic, bool command);

struct mqtt_entity_context {
    const struct mqtt_discovery *discovery;
    size_t convention; // in mqtt_conventions
    mqtt_entity_taken_fn *taken;
    void *ud;
};

// Adds a normalised entity (see struct mqtt_found) to the spec. ERR_BADREQ, ERR_FORBIDDEN (a topic that is not
// allowed), ERR_EXISTS (one that is another's), ERR_UNSUPPORTED, ERR_LIMIT: the spec may then hold a part of it.
enum err mqtt_entity_build(struct mqtt_spec *s, struct str entity, const struct mqtt_entity_context *ctx,
                           struct errmsg *msg) MUST_CHECK;
// The device's own block: name, model, availability, ...; what is not there stays empty. Errors as above, of its
// topics.
enum err mqtt_entity_device(struct mqtt_spec *s, struct str device, const struct mqtt_entity_context *ctx,
                            struct errmsg *msg) MUST_CHECK;

#endif
