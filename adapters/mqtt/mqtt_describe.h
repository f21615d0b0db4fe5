/* Descriptions of devices (see mqtt_convention.h), put together member by member. */
#ifndef SPANDREL_MQTT_DESCRIBE_H
#define SPANDREL_MQTT_DESCRIBE_H

#include "adapters/mqtt/mqtt_convention.h"

struct mqtt_describe {
    struct arena *a;        // of the sink
    struct mqtt_found *out; // its entities grow
};

// Begins a description with this key and source.
void mqtt_describe_begin(struct mqtt_describe *d, struct arena *a, struct mqtt_found *out, struct str key,
                         struct str source);
// An owned object with its platform and name.
json_t *mqtt_describe_entity(const char *platform, struct str name);
// Members; an empty text adds nothing. The text is repaired where it is no UTF-8.
void mqtt_describe_str(json_t *o, const char *member, struct str text);
void mqtt_describe_c(json_t *o, const char *member, const char *text);
void mqtt_describe_number(json_t *o, const char *member, double number);
// Where the state stands: the first goes to state_topic, others to "state_topics". An empty path: the payload itself.
void mqtt_describe_state(json_t *o, struct str topic, struct str path);
// Takes the entity; beyond the bound it is noted instead.
void mqtt_describe_add(struct mqtt_describe *d, json_t *entity);
// Takes the device's object. ERR_LIMIT: it is too large.
enum err mqtt_describe_device(struct mqtt_describe *d, json_t *device, struct errmsg *msg) MUST_CHECK;
// One more thing that could not be expressed; the note has at most 256 bytes.
void mqtt_describe_note(struct mqtt_describe *d, struct str what);

// A path as json_at() takes it, one name longer; empty when the name cannot stand in one.
struct str mqtt_describe_path(struct arena *a, struct str path, struct str name);
struct str mqtt_describe_offset(struct arena *a, struct str path, size_t offset);
// "ApparentPower", "apower_total" as "Apparent power", "Apower total".
struct str mqtt_describe_words(struct arena *a, struct str name);

#endif
