/* MQTT topic names and filters (MQTT 5 section 4.7): validity, matching with captures, and building a topic from a
 * template.
 *
 * Topics come from strangers: a received one is checked before anything else sees it, and what is substituted into one
 * of ours is a single level. */
#ifndef SPANDREL_MQTT_TOPIC_H
#define SPANDREL_MQTT_TOPIC_H

#include "base/err.h"
#include "base/strbuf.h"

#include <stdbool.h>

#define MQTT_TOPIC_MAX 65535u     // bytes of a name or a filter [MQTT-4.7.3-3]
#define MQTT_TOPIC_LEVELS 200u    // the limit of mosquitto; others allow fewer
#define MQTT_TOPIC_LEVEL_MAX 256u // bytes of a level that is substituted
#define MQTT_TOPIC_CAPTURES 16u   // levels of `+` that are kept

struct mqtt_captures { // what the `+` of a filter stood for, in order; borrowed from the topic
    struct str level[MQTT_TOPIC_CAPTURES];
    size_t count;
};

// A topic name as a broker may send it: 1..65535 bytes of UTF-8, no NUL, no `+`, no `#`, at most 200 levels.
bool mqtt_topic_valid(struct str topic);
// One that we may publish to: the same without control characters and without a leading `$`, which is the broker's own
// (section 4.7.2).
bool mqtt_topic_publishable(struct str topic);
// What the `+` stood for may be put into a topic of ours: one level of 1..256 bytes, no `/ + #`, no control characters,
// no leading `$`.
bool mqtt_topic_level_valid(struct str level);

// A topic filter: wildcards alone in their level, `#` last; also "$share/GROUP/FILTER" (section 4.8.2).
bool mqtt_topic_filter_valid(struct str filter);
bool mqtt_topic_filter_wild(struct str filter); // has a wildcard: stands for more than one topic
// True when the (valid) filter takes the (valid) topic. A leading wildcard never takes a topic that begins with `$`.
// `out` may be NULL; it is written to also when the answer is no. Of more than 16 levels the first are kept.
bool mqtt_topic_match(struct str filter, struct str topic, struct mqtt_captures *out);

// The topic is `prefix` itself or lies under it, level by level: "a/b" has "a/b" and "a/b/c" under it, not "a/bc". A
// closing `/` of the prefix is ignored; the empty prefix has nothing under it.
bool mqtt_topic_under(struct str prefix, struct str topic);

// Appends the template with each `{n}` replaced by capture n (from 1) and `{{` by `{`. ERR_BADREQ when the template is
// malformed or names a capture that is not there, when a capture is no single level, or when the whole is not
// publishable; ERR_LIMIT when `out` has no room. `out` is then as before.
enum err mqtt_topic_fill(struct str template, const struct mqtt_captures *c, struct strbuf *out) MUST_CHECK;
// The template is well-formed, names no capture above `captures`, and gives a publishable topic for good captures: to
// check a configuration.
bool mqtt_topic_template_valid(struct str template, size_t captures);
// The number of `+` in a filter: what a template beside it may name, at most 16.
size_t mqtt_topic_captures(struct str filter);

#endif
