/* One device: its permanent key, what it captured, and what is known of it now. Kept small: there may be 100,000. */
#ifndef SPANDREL_MQTT_DEVICE_H
#define SPANDREL_MQTT_DEVICE_H

#include "adapters/mqtt/mqtt_spec.h"

enum { MQTT_KEY_MAX = 192 }; // bytes

struct mqtt_entities; // mqtt_entities.h

enum mqtt_cell_type { MQTT_CELL_NONE, MQTT_CELL_NUMBER, MQTT_CELL_TEXT };

struct mqtt_cell { // the present value of a reading
    union {
        double number;
        char *text; // owned, NUL-terminated
    };
    float said;   // the number that the status told last
    uint8_t type; // enum mqtt_cell_type
};

enum mqtt_presence { // what the availability topics say
    MQTT_PRESENCE_UNKNOWN,
    MQTT_PRESENCE_ONLINE,
    MQTT_PRESENCE_OFFLINE,
    MQTT_PRESENCE_LEFT, // it said so itself
    MQTT_PRESENCE_STARTING,
    MQTT_PRESENCE_SLEEPING,
    MQTT_PRESENCE_ALERT, // there, and in need of somebody
    MQTT_PRESENCE_COUNT
};

enum mqtt_verdict {    // what is told of it
    MQTT_VERDICT_NONE, // nothing was told yet
    MQTT_VERDICT_NEW,  // never heard
    MQTT_VERDICT_ONLINE,
    MQTT_VERDICT_STALE,  // silent for longer than it should be
    MQTT_VERDICT_SILENT, // for twice as long: taken for gone
    MQTT_VERDICT_LOST,   // said to be offline
    MQTT_VERDICT_LINK,   // we cannot know: our own link is down
    MQTT_VERDICT_LEFT,   // it went off in good order
    MQTT_VERDICT_STARTING,
    MQTT_VERDICT_SLEEPING,
    MQTT_VERDICT_ALERT,    // there, and has raised something
    MQTT_VERDICT_DISABLED, // by who runs it
};

struct mqtt_alarm { // of an alert
    int64_t last;   // monotonic ms of its last message, INT64_MIN for never
    uint32_t count; // messages ever: makes their ids
    bool active;    // beyond its limit, not yet re-armed
};

struct mqtt_device {
    struct mqtt_spec *spec;         // owned when spec->discovered
    struct mqtt_entities *entities; // owned; of a discovered device
    char *names;                    // owned: see mqtt_device_key() and mqtt_device_captures()
    char *facts;                    // owned: cells, alarms, bindings, presences
    uint32_t handle;                // in the registry
    uint32_t heap;                  // place among the wake-ups, UINT32_MAX for none
    uint32_t dirty;                 // place among those to be stored, UINT32_MAX for none
    uint32_t said_hash;             // of the status told last
    int64_t wake;                   // monotonic ms, valid while in the heap
    int64_t heard;                  // monotonic ms of the last data, INT64_MIN for never
    int64_t lost;                   // monotonic ms since when it is said to be offline
    int64_t last_loss;              // monotonic ms when its loss was last told, INT64_MIN for never
    int64_t said_at;                // monotonic ms when its status was last told
    uint8_t latest;                 // availability that spoke last
    uint8_t said;                   // enum mqtt_verdict
    uint8_t silence;                // enum mqtt_verdict: STALE or SILENT since it was last heard, else NONE
    bool changed;                   // a headline passed its deadband since
    bool alerted;                   // since it was stored: that does not wait long
    bool introduced;                // its identity was told
    bool named;                     // in this list of its convention
    bool settled; // it was stored before: who describes it anew changes what somebody may have approved
};

// A device of the spec; the key (at most MQTT_KEY_MAX bytes) and the captures are copied.
struct mqtt_device *mqtt_device_create(struct mqtt_spec *spec, struct str key, const struct mqtt_captures *c);
void mqtt_device_destroy(struct mqtt_device *d);
// Another spec in place of the one it has, which is not destroyed; values are kept by name.
void mqtt_device_respec(struct mqtt_device *d, struct mqtt_spec *spec);

struct str mqtt_device_key(const struct mqtt_device *d);
void mqtt_device_captures(const struct mqtt_device *d, struct mqtt_captures *out); // borrowed
struct mqtt_cell *mqtt_device_cells(const struct mqtt_device *d);
struct mqtt_alarm *mqtt_device_alarms(const struct mqtt_device *d);
uint32_t *mqtt_device_bindings(const struct mqtt_device *d); // one for each topic
uint8_t *mqtt_device_presences(const struct mqtt_device *d); // enum mqtt_presence, one for each availability
size_t mqtt_device_size(const struct mqtt_device *d);        // bytes it takes

// A text of its spec with its captures filled in.
struct str mqtt_device_fill(const struct mqtt_device *d, struct arena *a, struct str text);
struct str mqtt_device_name(const struct mqtt_device *d, struct arena *a); // for display; its id when it has none

bool mqtt_cell_is(const struct mqtt_cell *c, const struct mqtt_result *r);
void mqtt_cell_set(struct mqtt_cell *c, const struct mqtt_result *r); // ABSENT: none

#endif
