/* Values out of payloads: the whole payload, a JSON path, or the part of Home Assistant's templates that devices in the
 * field use: {{ value }}, {{ value_json.a.b }}, {{ value_json['a'][0] }}, followed by any of
 * | float | int | round(n) | default(x) | upper | lower | is_defined
 *
 * Jinja as such is not done: any other template is marked as unsupported, and the raw payload stands for it. */
#ifndef SPANDREL_MQTT_VALUE_H
#define SPANDREL_MQTT_VALUE_H

#include "base/arena.h"

#include "text/json.h"

enum {
    MQTT_TEXT_MAX = 256,       // bytes of a value that are kept
    MQTT_JSON_MAX = 64 * 1024, // a larger payload is not read as JSON
    MQTT_FILTERS = 4,
};

enum mqtt_result_type { MQTT_ABSENT, MQTT_NUMBER, MQTT_TEXT };

struct mqtt_result { // text is set with every type but ABSENT; borrowed from the payload or its arena
    enum mqtt_result_type type;
    double number;
    struct str text;
};

enum mqtt_filter_kind {
    MQTT_FILTER_DEFAULT,
    MQTT_FILTER_FLOAT,
    MQTT_FILTER_INT,
    MQTT_FILTER_DEFINED,
    MQTT_FILTER_LOWER,
    MQTT_FILTER_ROUND,
    MQTT_FILTER_UPPER,
};

struct mqtt_filter {
    enum mqtt_filter_kind kind;
    bool has_arg;
    struct str arg;
};

struct mqtt_value {   // where a value stands in a payload; all zero: the payload itself
    bool json;        // at `path` in the payload's JSON
    bool unsupported; // was a template beyond the subset
    unsigned filter_count;
    struct str path; // as json_at()
    struct mqtt_filter filters[MQTT_FILTERS];
};

// Compiles a JSON path ("a.b[0]"), a template, or "" for the payload as it is. The strings live in the arena. Cannot
// fail: see `unsupported`.
void mqtt_value_compile(struct arena *a, struct str text, struct mqtt_value *out);

struct mqtt_payload { // of one message: parsed as JSON at most once, and only when somebody asks
    struct str text;
    struct arena *arena; // for results
    json_t *root;        // owned
    bool parsed;
};

void mqtt_payload_init(struct mqtt_payload *p, struct str text, struct arena *a);
void mqtt_payload_finish(struct mqtt_payload *p);
// The value, or ABSENT where the path leads to nothing, to null, or a filter cannot be applied.
struct mqtt_result mqtt_value_get(const struct mqtt_value *v, struct mqtt_payload *p);
// A payload as people may see it: valid UTF-8 of XML characters, at most MQTT_TEXT_MAX bytes; "[42 bytes binary]" for
// what is no text.
struct str mqtt_value_text(struct arena *a, struct str payload);
// A number as devices write it: not "007", which is a name.
bool mqtt_value_number(struct str text, double *out);

#endif
