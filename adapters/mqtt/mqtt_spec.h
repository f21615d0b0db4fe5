/* What a kind of device is: its topics, what is read from them, what may be said to it, and when that is worth a
 * message.
 *
 * A template of the configuration is one spec that all its devices share; a discovered device has one of its own. Texts
 * and topics may hold captures ({1}), which each device fills with its own. */
#ifndef SPANDREL_MQTT_SPEC_H
#define SPANDREL_MQTT_SPEC_H

#include "adapters/mqtt/mqtt_pattern.h"
#include "adapters/mqtt/mqtt_value.h"

enum {
    MQTT_SPEC_READINGS = 128, // most of each in one spec
    MQTT_SPEC_CONTROLS = 128,
    MQTT_SPEC_ALERTS = 32,
    MQTT_SPEC_FILES = 16,
    MQTT_SPEC_AVAILABILITY = 16,
    MQTT_SPEC_TOPICS = 256,
    MQTT_SPEC_SOURCES = 512,
    MQTT_SPEC_IGNORED = 8,
    MQTT_SPEC_CHOICES = 64,
    MQTT_NO_READING = UINT16_MAX,
};

#define MQTT_EMPTY_TEXT "\"\"" // how a value that is an empty text is shown, and said

enum mqtt_availability_mode { MQTT_AVAILABLE_ALL, MQTT_AVAILABLE_ANY, MQTT_AVAILABLE_LATEST };

// What an availability topic may say: one of two words, or those of Homie's $state; of a device's root only "lost".
enum mqtt_words { MQTT_WORDS_PLAIN, MQTT_WORDS_HOMIE, MQTT_WORDS_HOMIE_ROOT };

struct mqtt_availability { // one topic that tells whether the device is there
    uint16_t topic;
    enum mqtt_words words;
    struct mqtt_value value;
    struct str online, offline; // payloads; both empty: "online" and "offline" in any case
};

struct mqtt_reading {
    struct str name;  // [a-z0-9_-]{1,32}: what users type
    struct str label; // for display
    struct str unit, cls;
    uint16_t topic;
    struct mqtt_value value;
    struct str on, off; // payloads that are shown as "on" and "off" (words: `on_word`, `off_word`); empty: none
    struct str on_word, off_word;
    double deadband;           // a smaller change is no reason to say the status anew
    int digits;                // decimals for display; -1: as fits
    bool headline;             // stands in the status
    bool aside;                // never does
    bool quiet;                // is not mentioned before it has a value
    bool nul_empty;            // one byte 0x00 is the empty text
    const struct str *ignored; // values that are passed over
    uint16_t ignored_count;
};

struct mqtt_source { // one more topic on which the device tells a reading
    uint16_t reading, topic;
    struct mqtt_value value;
};

enum mqtt_control_type {
    MQTT_CONTROL_BOOL,
    MQTT_CONTROL_NUMBER,
    MQTT_CONTROL_CHOICE,
    MQTT_CONTROL_TEXT,
    MQTT_CONTROL_PRESS
};

struct mqtt_control {
    struct str name, label;
    struct mqtt_pattern topic;
    enum mqtt_control_type type;
    struct str on, off;        // BOOL: payloads; PRESS: `on`
    struct str payload;        // with "{value}" in it; empty: the value itself
    double min, max, step;     // NUMBER; min > max: unbounded
    size_t text_max;           // TEXT: characters
    const struct str *choices; // CHOICE
    size_t choice_count;
    uint16_t state;               // the reading that shows it, or MQTT_NO_READING
    uint16_t target;              // the reading that repeats what was accepted, or MQTT_NO_READING
    bool unconfirmed;             // the state comes too late to tell whether it was done
    bool minor;                   // not what "on" alone means
    bool nul_empty;               // the empty text is sent as one byte 0x00
    struct mqtt_pattern response; // topic for answers (MQTT 5); empty text: none
    bool terse;                   // what is answered there is not for people
    bool rpc;                     // it is JSON-RPC: "{id}" in the payload stands for the id that the answer brings
    unsigned qos;
};

enum mqtt_alert_kind {
    MQTT_ALERT_ABOVE,
    MQTT_ALERT_BELOW,
    MQTT_ALERT_EQUALS,
    MQTT_ALERT_CHANGE,
    MQTT_ALERT_EVENT, // whenever the reading is heard
};

struct mqtt_alert {
    uint16_t reading;
    enum mqtt_alert_kind kind;
    double limit, rearm; // ABOVE, BELOW
    struct str equals;   // EQUALS: as displayed
    struct str message;  // with {value}, {unit}, {name} and names of readings; empty: a text of our own
    int64_t every;       // ms between two messages
};

struct mqtt_file {    // bytes that are no value: a picture of a camera
    struct str name;  // [a-z0-9_-]{1,32}: what users ask for
    struct str label; // for display
    struct str media; // type; empty: the first bytes decide
    uint16_t topic;
    size_t max_size; // bytes; 0: what a message may have
    int64_t every;   // ms between two that the subscribers are sent; -1: none is, but who asks
    bool known_only; // of no known type: dropped
    bool base64;     // so it comes
};

enum mqtt_use_kind { MQTT_USE_READING, MQTT_USE_AVAILABILITY, MQTT_USE_SOURCE, MQTT_USE_FILE };

struct mqtt_use { // what one topic is good for
    enum mqtt_use_kind kind;
    uint16_t at; // offset in readings, availability, sources or files
};

struct mqtt_topic {
    struct mqtt_pattern pattern;
    const struct mqtt_use *uses;
    uint16_t use_count;
    bool partial; // it lacks a capture: other devices have it too, so what it last said is kept for new ones
};

struct mqtt_spec {
    struct arena arena; // holds all below
    bool discovered;
    bool disabled;
    struct str base;        // of a discovered device's topics
    const struct str *also; // filters of more topics that its convention wants to see
    uint16_t also_count;
    struct str profile;       // name of the template
    unsigned captures;        // bits of `main`
    struct mqtt_pattern main; // a template's: the topic that makes devices
    struct str id, name, model, manufacturer, version, serial, area, url, cls;
    int64_t expire_after;    // ms of silence; 0: never
    bool expire_unless_said; // not where an availability topic has spoken
    int64_t offline_delay;   // ms for which a repeated loss must last to be told
    int64_t status_interval; // ms between two presences that differ in the readings alone
    enum mqtt_availability_mode mode;

    size_t max_devices;  // that are made of it
    size_t device_count; // now
    bool full;           // told that there are no more

    struct mqtt_topic *topics;
    struct mqtt_availability *availability;
    struct mqtt_reading *readings;
    struct mqtt_source *sources;
    struct mqtt_control *controls;
    struct mqtt_alert *alerts;
    struct mqtt_file *files;
    uint16_t topic_count, availability_count, reading_count, source_count, control_count, alert_count, file_count;
};

struct mqtt_spec *mqtt_spec_create(void);
void mqtt_spec_destroy(struct mqtt_spec *s);

// Each appends a zeroed member, or gives NULL at the bound.
struct mqtt_reading *mqtt_spec_add_reading(struct mqtt_spec *s);
struct mqtt_source *mqtt_spec_add_source(struct mqtt_spec *s);
struct mqtt_control *mqtt_spec_add_control(struct mqtt_spec *s);
struct mqtt_alert *mqtt_spec_add_alert(struct mqtt_spec *s);
struct mqtt_availability *mqtt_spec_add_availability(struct mqtt_spec *s);
struct mqtt_file *mqtt_spec_add_file(struct mqtt_spec *s);
// The offset of the topic, which is added when it is new; false at the bound.
bool mqtt_spec_topic(struct mqtt_spec *s, const struct mqtt_pattern *p, uint16_t *out);
// How much was added; and back to it, after an addition that failed halfway.
struct mqtt_spec_mark {
    uint16_t topics, availability, readings, sources, controls, alerts, files;
};
struct mqtt_spec_mark mqtt_spec_mark(const struct mqtt_spec *s);
void mqtt_spec_rewind(struct mqtt_spec *s, struct mqtt_spec_mark mark);
// After the last addition: knows what each topic is good for.
void mqtt_spec_seal(struct mqtt_spec *s);

// By name, ASCII case ignored; MQTT_NO_READING, NULL.
uint16_t mqtt_spec_reading(const struct mqtt_spec *s, struct str name);
const struct mqtt_control *mqtt_spec_control(const struct mqtt_spec *s, struct str name);
const struct mqtt_file *mqtt_spec_file(const struct mqtt_spec *s, struct str name);
// Makes [a-z0-9_-]{1,32} of a label, "value" of nothing.
struct str mqtt_spec_slug(struct arena *a, struct str label);

#endif
