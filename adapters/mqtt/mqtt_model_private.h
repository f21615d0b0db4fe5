/* What the files of the model share. Not for others. */
#ifndef SPANDREL_MQTT_MODEL_PRIVATE_H
#define SPANDREL_MQTT_MODEL_PRIVATE_H

#include "adapters/mqtt/mqtt_entities.h"
#include "adapters/mqtt/mqtt_files.h"
#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_pending.h"
#include "adapters/mqtt/mqtt_registry.h"

#include "base/map.h"
#include "base/mem.h"

enum {
    MQTT_SETTLE_QUIET = 500,      // ms without a retained message after which all is taken to be in
    MQTT_SETTLE_MAX = 5 * 1000,   // ms after which it is anyway
    MQTT_FLUSH_EVERY = 5 * 1000,  // ms between two rows of a device that changes all the time
    MQTT_ALERT_FLUSH = 250,       // ms until the row of a device that has alerted
    MQTT_ALERTED = 256,           // devices that may wait for that; others wait with all
    MQTT_SPEAK_EVERY = 60 * 1000, // ms between two words of a device's own
    MQTT_SLICE = 1024,            // devices looked at in one call
    MQTT_MEMOS_MAX = 8192,        // payloads kept for devices that come later
    MQTT_MEMO_BYTES = 1024,       // of one payload
};

struct mqtt_row {     // restored, until the start
    char *key, *blob; // owned
    size_t n;
    bool unread; // what nobody could read
};

struct mqtt_setup {              // what the configuration says
    struct mqtt_spec **profiles; // owned
    size_t profile_count;
    bool overlap;                     // some topic is of two templates, each of which makes its own device of it
    struct mqtt_discovery *discovery; // owned
    uint64_t fingerprint;
};

struct mqtt_model {
    struct mqtt_model_host host;
    void *ud;
    struct log_ctx log;
    struct arena scratch; // of one call
    struct arena answer;  // of the last answer
    struct mqtt_time t;   // of this call

    struct mqtt_setup setup;
    struct ratelimit creations;
    struct index sources;        // of descriptions -> handles of devices
    struct index command_topics; // of discovered devices -> their handles
    size_t discovered;
    bool discovery_full; // told that there are no more

    struct mqtt_registry registry;
    struct map memos; // topic -> struct memo
    struct mqtt_pendings pending;
    struct mqtt_files files;
    struct mqtt_row *rows; // owned
    size_t row_count, row_cap, unread_configs;

    struct mqtt_link_state link;
    bool correlates; // answers to commands bring what they were sent with: MQTT 5
    bool started, settling;
    const struct mqtt_message *message; // that of this call, NULL when it is another
    int64_t settle_quiet, settle_end;
    uint32_t sweep;  // handle to look at next, MQTT_NONE: all were
    uint32_t *dirty; // handles of devices to store, each once
    uint32_t dirty_count, dirty_cap;
    int64_t flush_at;
    uint32_t alerted[MQTT_ALERTED]; // handles of devices whose row waits for alerts_at
    uint32_t alerted_count;
    int64_t alerts_at;
    struct mqtt_model_stat stat;
};

// mqtt_model.c
void mqtt_model_enter(struct mqtt_model *m, int64_t now,
                      int64_t wall); // at the begin of each call: time, fresh scratch

// mqtt_life.c
// A device of a template, for these captures; NULL when there may be none.
struct mqtt_device *mqtt_life_make(struct mqtt_model *m, struct mqtt_spec *s, const struct mqtt_captures *c);
// Takes the device; it listens, and will be introduced.
void mqtt_life_add(struct mqtt_model *m, struct mqtt_device *d);
// Tells that it is no more, drops its rows, and destroys it.
void mqtt_life_forget(struct mqtt_model *m, struct mqtt_device *d);
struct str mqtt_life_config_row(struct mqtt_model *m, struct str key);     // name of the row of its description
void mqtt_life_row(struct mqtt_model *m, struct str key, struct str blob); // restored; copied
void mqtt_life_apply(struct mqtt_model *m);                                // rows become devices
void mqtt_life_rows_finish(struct mqtt_model *m);
// Templates and discovery of a section in place of those there are, devices and all. ERR_CONF: nothing has changed.
enum err mqtt_life_replace(struct mqtt_model *m, const struct conf_value *section,
                           struct conf_report *report) MUST_CHECK;
// Reads a section into an empty model.
enum err mqtt_life_setup(struct mqtt_model *m, const struct conf_value *section, struct conf_report *report) MUST_CHECK;
void mqtt_life_subscribe(struct mqtt_model *m, bool on);
void mqtt_life_setup_finish(struct mqtt_model *m);

// mqtt_ingest.c
// A message for one device by one of its topics; false: of no use.
void mqtt_ingest_device(struct mqtt_model *m, struct mqtt_device *d, uint16_t topic, struct mqtt_payload *p,
                        bool snapshot);
void mqtt_ingest_memos(struct mqtt_model *m, struct mqtt_device *d); // what its shared topics said before it was there
// What a device has told in another way than on this topic. The scratch arena is reset.
void mqtt_ingest_snapshot(struct mqtt_model *m, struct str topic, struct str payload);
void mqtt_ingest_finish(struct mqtt_model *m);

// mqtt_tell.c
void mqtt_tell_identity(struct mqtt_model *m, struct mqtt_device *d);
void mqtt_tell_presence(struct mqtt_model *m, struct mqtt_device *d); // if it changed, and is not to be held back
// Its readings need not wait for the interval: a first value, or one that a user has set.
void mqtt_tell_soon(struct mqtt_device *d);
void mqtt_tell_alert(struct mqtt_model *m, struct mqtt_device *d, uint16_t alert);
// It has raised something, or taken it back (empty); `live`: this is news, and said to its subscribers.
void mqtt_tell_raised(struct mqtt_model *m, struct mqtt_device *d, struct str id, struct str text, bool live);
void mqtt_tell_said(struct mqtt_model *m, struct mqtt_device *d, struct str text); // its own words
void mqtt_tell_dirty(struct mqtt_model *m, struct mqtt_device *d);                 // to be stored soon
void mqtt_tell_clean(struct mqtt_model *m, struct mqtt_device *d);                 // need not be stored any more
void mqtt_tell_state(struct mqtt_model *m, struct mqtt_device *d);                 // now
void mqtt_tell_row(struct mqtt_model *m, struct str key, struct str blob);
void mqtt_tell_notice(struct mqtt_model *m, struct str text); // to who operates the bridge
void mqtt_tell_settle(struct mqtt_model *m);                  // the window begins
void mqtt_tell_all(struct mqtt_model *m);                     // every device is looked at, in slices
void mqtt_tell_restored(struct mqtt_model *m);                // all at once: the bridge waits for it
void mqtt_tell_tick(struct mqtt_model *m);
// All rows that wait.
void mqtt_tell_rows(struct mqtt_model *m);
int64_t mqtt_tell_deadline(const struct mqtt_model *m);

// mqtt_picture.c
void mqtt_picture_hear(struct mqtt_model *m, struct mqtt_device *d, uint16_t n, struct str payload, bool snapshot);
// Puts what is kept into an event.
void mqtt_picture_fill(struct mqtt_model *m, const struct mqtt_file *file, const struct mqtt_stored *e,
                       struct event *ev);

// mqtt_send.c
void mqtt_send_heard(struct mqtt_model *m, struct mqtt_device *d, uint16_t reading);        // a live value
bool mqtt_send_answered(struct mqtt_model *m, const struct mqtt_message *msg);              // true: it was an answer
void mqtt_send_abandon(struct mqtt_model *m, const struct mqtt_device *d, const char *why); // its commands fail
void mqtt_send_tick(struct mqtt_model *m);

// mqtt_found.c
void mqtt_found_message(struct mqtt_model *m, const struct mqtt_message *msg);
void mqtt_found_tick(struct mqtt_model *m);
void mqtt_found_up(struct mqtt_model *m); // there is a link to the broker again
// A device from its stored description; NULL when nothing of it is allowed any more.
struct mqtt_device *mqtt_found_restore(struct mqtt_model *m, struct str key, struct str blob);
// What a discovered device is by the present configuration; NULL when nothing of it is left.
struct mqtt_spec *mqtt_found_spec(struct mqtt_model *m, const struct mqtt_device *d);
// Takes the spec in place of the one the device has.
void mqtt_found_respec(struct mqtt_model *m, struct mqtt_device *d, struct mqtt_spec *s);
void mqtt_found_subscribe(struct mqtt_model *m, const struct mqtt_discovery *d, bool on);
// A discovered device has come into the registry, is leaving it, does not listen any more.
void mqtt_found_added(struct mqtt_model *m, const struct mqtt_device *d);
void mqtt_found_removed(struct mqtt_model *m, const struct mqtt_device *d);
void mqtt_found_unlisten(struct mqtt_model *m, const struct mqtt_device *d);

#endif
