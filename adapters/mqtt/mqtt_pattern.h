/* Topics with captured levels: "devices/{1}/status" is the topic of one device of a template, "devices/+/status" the
 * filter it is subscribed by, and {1} what stood in the level.
 *
 * A capture is always one whole level, so it can bring no '/', '+' or '#' into a topic that is made of it. */
#ifndef SPANDREL_MQTT_PATTERN_H
#define SPANDREL_MQTT_PATTERN_H

#include "adapters/mqtt/mqtt_topic.h"

#include "base/arena.h"

enum {
    MQTT_PATTERN_CAPTURES = 9, // {1} to {9}
    MQTT_PATTERN_MAX = 1024,   // bytes of a topic that devices may have
};

struct mqtt_pattern {
    struct str text;   // captures stand as "{1}"; a topic as such has none
    unsigned captures; // bit n: {n} is in it
};

// From the configuration: the nth '+' is read as {n}. Refuses '#', captures that are not a whole level, topics in '$',
// and what is no valid topic. The text lives in the arena.
enum err mqtt_pattern_parse(struct arena *a, struct str text, struct mqtt_pattern *out, struct errmsg *msg) MUST_CHECK;
// A topic without captures, as discovery names them; '{' has no meaning in it.
enum err mqtt_pattern_plain(struct arena *a, struct str topic, struct mqtt_pattern *out, struct errmsg *msg) MUST_CHECK;
// "devices/+/status"
struct str mqtt_pattern_filter(struct arena *a, const struct mqtt_pattern *p);
// The topic for these captures.
struct str mqtt_pattern_topic(struct arena *a, const struct mqtt_pattern *p, const struct mqtt_captures *c);
// Whether the topic is of the pattern; fills the captures (borrowed from the topic). A capture that is in it twice must
// be the same twice.
bool mqtt_pattern_match(const struct mqtt_pattern *p, struct str topic, struct mqtt_captures *c);
// Whether the topic is the one that mqtt_pattern_topic() would make, without making it.
bool mqtt_pattern_is(const struct mqtt_pattern *p, const struct mqtt_captures *c, struct str topic);

// Whether some topic may be of both.
bool mqtt_pattern_meets(const struct mqtt_pattern *p, const struct mqtt_pattern *q);

// Free text with captures in it ("Lamp {1}"): put in their places; a '{' that begins no capture stays.
struct str mqtt_pattern_fill(struct arena *a, struct str text, const struct mqtt_captures *c);
// The captures that stand in a free text, as bits.
unsigned mqtt_pattern_uses(struct str text);

#endif
