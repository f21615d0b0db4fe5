/* What the components of an entity are built with: its members, and readings and controls with their checks. */
#ifndef SPANDREL_MQTT_BUILDER_H
#define SPANDREL_MQTT_BUILDER_H

#include "adapters/mqtt/mqtt_entity.h"

struct mqtt_builder {
    struct mqtt_spec *spec;
    const json_t *entity;
    const struct mqtt_entity_context *ctx;
    struct errmsg *msg;
    struct str slug, label; // of the entity
    bool minor;             // diagnostic or configuration: no headline
};

struct mqtt_component { // how one kind of entity is built
    const char *name;
    enum err (*build)(struct mqtt_builder *b);
    const char *cls; // of a device that has one, or NULL
};

const struct mqtt_component *mqtt_component_find(struct str name); // NULL: not one of ours

// A member of the entity as text, in the spec's arena; empty (or `otherwise`) when it is not there.
struct str mqtt_builder_text(struct mqtt_builder *b, const char *name);
struct str mqtt_builder_text_or(struct mqtt_builder *b, const char *name, const char *otherwise);
double mqtt_builder_number(struct mqtt_builder *b, const char *name, double otherwise);
bool mqtt_builder_has(const struct mqtt_builder *b, const char *name);
// Text for people: at most 64 characters of one line.
struct str mqtt_builder_display(struct mqtt_spec *s, struct str text);
// [a-z0-9_]{0,31}, or nothing.
struct str mqtt_builder_class(struct mqtt_spec *s, struct str text);

// The topic with the begin of the device's in place of a "~" in front.
struct str mqtt_builder_expand(struct mqtt_builder *b, struct str topic);
// All below check the topics: ERR_BADREQ, ERR_FORBIDDEN, ERR_EXISTS, ERR_LIMIT.
// The topic in member `name`, to be listened to.
enum err mqtt_builder_listen(struct mqtt_builder *b, const char *name, uint16_t *out);
// A reading by the members `topic` and `template` ("": none), named after the entity with `suffix` ("": none).
enum err mqtt_builder_reading(struct mqtt_builder *b, const char *suffix, const char *topic, const char *template,
                              uint16_t *out);
// The same if the entity has that topic, else MQTT_NO_READING: what a control shows its effect by.
enum err mqtt_builder_state(struct mqtt_builder *b, const char *suffix, const char *topic, const char *template,
                            uint16_t *out);
// Files that come by that topic, named after the entity; *out is good until the next one.
enum err mqtt_builder_file(struct mqtt_builder *b, const char *topic, struct mqtt_file **out);
// A control; *out is good until the next one.
enum err mqtt_builder_control(struct mqtt_builder *b, const char *suffix, const char *topic,
                              enum mqtt_control_type type, struct mqtt_control **out);
// A command template can only put the value into a fixed text; ERR_UNSUPPORTED for any other.
enum err mqtt_builder_template(struct mqtt_builder *b, struct mqtt_control *c);

#endif
