/* A convention: one way in which devices announce themselves by messages. Each is one file with one table of functions;
 * what becomes of its announcements (limits, quarantine, approval, storage, removal, presence, commands) is the same
 * for all of them, in mqtt_found.c.
 *
 * To add one: write its table (and an item of the section `discovery` that enables it), and name both in
 * mqtt_convention.c. The table says which topics to subscribe to, and turns what is heard there into descriptions of
 * devices: JSON texts with the members below, which are those of Home Assistant's discovery where it has a word for it.
 * They are kept as they are, so that the devices are there after a restart without a broker, and are built anew (by
 * mqtt_entity.c) when the configuration has changed: they must hold all that is needed, and nothing that changes by
 * itself. No topic in them need be checked by the convention: the builder refuses what is malformed, not allowed, or
 * another's.
 *
 * A device (`mqtt_found.device`): name, model, manufacturer, sw_version, serial_number, suggested_area,
 * configuration_url, expire_after (s), availability and availability_mode as of an entity (but "all" where no mode is
 * given); and of our own:
 *
 * - "~": begin of its topics. "~" in front of any topic below stands for it.
 *
 * - "class": chooses the icon; else the components do ("light").
 *
 * - "disabled": true: it is offline, whatever is heard.
 *
 * - "expire_after_unless_said": as expire_after, where no availability topic has spoken.
 *
 * - "listen": ["~/$alert/+"]: filters under "~" (at most 4) whose messages the convention wants to see; subscribed when
 * the device is there, so that the broker replays them then.
 *
 * One entry of "availability": topic, value_template, payload_available, payload_not_available ("online", "offline",
 * also as {"state": ...}); or in place of these payloads "words": "homie" or "homie-root", see mqtt_availability.c.
 *
 * An entity (`mqtt_found.entities`): "platform" is one of the components in mqtt_component.c, each of which says what
 * it takes. For all: "name" (label, and what is typed is made of it), state_topic, value_template (a template or a
 * plain path, "ENERGY.Power"; without it the payload is the value), command_topic, command_template (fixed text around
 * "{{ value }}"), entity_category (no headline, and not meant by "on" alone), device_class, unit_of_measurement, ...;
 * and of our own:
 *
 * - "typed": what is typed, where nothing can be made of the name.
 *
 * - "state_words": [ON, OFF]: how the two states of a binary_sensor or switch are called.
 *
 * - "state_topics": [{"topic", "value_template"}, ...]: more topics that tell the same as state_topic.
 *
 * - "target_topic", "target_template": of a control: the device repeats there what it has accepted, which confirms it.
 *
 * - "answer_topic": of a control: what the device says there is the answer to it, and not for people; "answer": "rpc":
 * it is JSON-RPC, by the id that stands for "{id}" in command_template, and its error is told.
 *
 * - "ignored": [...]: values that are passed over.
 *
 * - "unbounded": true: a number without "min" or "max" is open on that side.
 *
 * - "confirm": false: the state says nothing in time: a command is done when the broker has it.
 *
 * - "event": true: of a sensor or binary_sensor: each message says that something happened, which users are told.
 *
 * - "platform": "occurrence": as an event, told twice a second at most: a press of a button. "count_template": the
 * device repeats what happened last, and it has happened again when this count is another.
 *
 * - "qos": 0: of the command; else 1.
 *
 * - "nul_empty": true: a text whose empty value is one byte 0x00. */
#ifndef SPANDREL_MQTT_CONVENTION_H
#define SPANDREL_MQTT_CONVENTION_H

#include "adapters/mqtt/mqtt_link.h"

#include "conf/conf.h"
#include "text/json.h"

enum {
    MQTT_CONVENTIONS = 5,               // in mqtt_conventions[]
    MQTT_DISCOVERY_ENTITIES = 128,      // of one device
    MQTT_DISCOVERY_PAYLOAD = 16 * 1024, // bytes of one text below
};

struct mqtt_found {    // a description: what one source says of one device; all of it in the arena of the sink
    struct str key;    // of the device, permanent: "NAME:ID" with the name of the convention, see mqtt_convention_key()
    struct str source; // a later description with the same source (of any device) stands in place of this one: mostly
                       // the topic; where one topic describes many devices, with '#' and an id behind it
    struct str device; // JSON object; may be empty: as it was
    struct str entities[MQTT_DISCOVERY_ENTITIES]; // JSON objects
    size_t count;
    struct str note; // what could not be expressed: for the log, when the description is new
};

// What a convention says its conclusions to, during a call. All refusals are counted and logged behind it.
struct mqtt_sink {
    struct arena *arena; // of the call
    int64_t now;         // monotonic ms
    // A device is described. ERR_OK also when it said just that before; else nothing has changed.
    enum err (*found)(struct mqtt_sink *s, const struct mqtt_found *found);
    // A source describes nothing any more: its part goes, and with the last part the device.
    void (*gone)(struct mqtt_sink *s, struct str source);
    // Something else from this source cannot be taken; as an error of message().
    void (*refused)(struct mqtt_sink *s, struct str source, enum err e, const char *why);
    // The device is there still, as it was: for rest().
    void (*keep)(struct mqtt_sink *s, struct str key);
    // Devices of this convention that were not kept before in this call are gone. For conventions of one voice.
    void (*rest)(struct mqtt_sink *s);
    // Something that the device wants to be seen (shown as `dnd`, and told once) until it is raised with an empty text.
    // `live`: not a retained message, which is no news.
    void (*raised)(struct mqtt_sink *s, struct str key, struct str id, struct str text, bool live);
    // Something the device says once.
    void (*said)(struct mqtt_sink *s, struct str key, struct str text);
    // The device is gone, whatever its other sources have said.
    void (*lost)(struct mqtt_sink *s, struct str key);
    // There is such a device: not where it was refused, or forgotten since.
    bool (*known)(struct mqtt_sink *s, struct str key);
    // What a device has said of its state in another way than on this topic of its. The arena is reset by it.
    void (*heard)(struct mqtt_sink *s, struct str topic, struct str payload);
    // Asks a device something: published once, not retained. ERR_FORBIDDEN: the topic is not one that may be written
    // to; ERR_OFFLINE; ERR_AGAIN: not now.
    enum err (*ask)(struct mqtt_sink *s, struct str topic, struct str payload);
};

struct mqtt_convention {
    const char *name; // [a-z0-9]: begin of its devices' keys, permanent
    // All its devices are described by one party, who may give one the topics of another.
    bool one_voice;
    // Its settings and state out of the section `discovery`, owned; NULL when it is not enabled, or the report got an
    // error.
    void *(*create)(const struct conf_value *discovery, struct conf_report *report);
    void (*destroy)(void *self);
    // Filters to subscribe to (QoS 1): the nth, in the arena; empty behind the last.
    struct str (*filter)(const void *self, size_t n, struct arena *a);
    // It wants to see this topic, whose message makes no device of a template then.
    bool (*owns)(const void *self, struct str topic);
    // No device can be given this topic to write to, whatever the configuration allows.
    bool (*reserves)(const void *self, struct str topic);
    // A device may have this topic (to write to) by the convention itself, where `allow` is not given. NULL: none.
    bool (*covers)(const void *self, struct str topic, bool command);
    // A message on a topic that it owns. ERR_UNSUPPORTED: of no use; any other error: refused. *msg says why.
    enum err (*message)(void *self, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg);
    // For conventions that put several messages together: monotonic ms at which tick() is wanted, INT64_MAX for never.
    // NULL where there is no such thing.
    int64_t (*deadline)(const void *self);
    void (*tick)(void *self, struct mqtt_sink *sink);
    // There is a link to the broker (again): devices may be asked. NULL: nothing.
    void (*up)(void *self, struct mqtt_sink *sink);
    // Takes over what the same convention has heard, under another configuration. NULL: nothing.
    void (*inherit)(void *self, void *from);
};

extern const struct mqtt_convention *const mqtt_conventions[MQTT_CONVENTIONS];

// Whose device the key is of; MQTT_CONVENTIONS for one of a template.
size_t mqtt_convention_of(struct str key);
// "NAME:ID"; an id that is too long or no text stands by its hash.
struct str mqtt_convention_key(const char *name, struct str id, struct arena *a);
// Compact JSON in the arena; empty when it has more than MQTT_DISCOVERY_PAYLOAD bytes.
struct str mqtt_convention_dump(const json_t *v, struct arena *a);
// Brackets of a JSON text that are open at once, strings apart: to be asked before it is parsed.
size_t mqtt_convention_depth(struct str text);
// The JSON object in the payload, owned by the caller. NULL, and *msg (may be NULL) says why: more than `max` bytes,
// more than `depth` brackets open at once, or something else than an object.
json_t *mqtt_convention_object(struct str payload, size_t max, size_t depth, struct errmsg *msg);

extern const struct mqtt_convention mqtt_hass;
extern const struct mqtt_convention mqtt_homie;
extern const struct mqtt_convention mqtt_z2m;
extern const struct mqtt_convention mqtt_shelly;
extern const struct mqtt_convention mqtt_tasmota;

// Their items of the section `discovery`.
extern const struct conf_item mqtt_homie_schema[];
extern const struct conf_item mqtt_z2m_schema[];
extern const struct conf_item mqtt_shelly_schema[];
extern const struct conf_item mqtt_tasmota_schema[];

#endif
