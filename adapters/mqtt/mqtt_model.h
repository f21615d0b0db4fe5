/* Devices behind a broker: what they are, whether they are there, what they read, what may be said of it and to them.
 * Pure: no I/O, no clock, no libmosquitto.
 *
 * Templates of the configuration ("devices/+/status") and the conventions by which devices announce themselves (see
 * mqtt_convention.h) compile to one device record. The record's key is permanent and the topics are stored in it: a
 * topic is never rebuilt from a JID. */
#ifndef SPANDREL_MQTT_MODEL_H
#define SPANDREL_MQTT_MODEL_H

#include "adapters/mqtt/mqtt_link.h"

struct mqtt_model;

struct mqtt_model_host { // what the model asks for; all may be called from inside any call below but create and destroy
    void (*post)(void *ud,
                 const struct event *ev); // IDENTITY, FORGET, AVAILABLE, UNAVAILABLE, MESSAGE, STATE, DELIVERED, FAILED
    enum err (*publish)(void *ud, const struct mqtt_publish *p); // as mqtt_link_publish()
    void (*subscribe)(void *ud, struct str filter,
                      unsigned qos); // counted by the owner: the same filter may be asked for by several
    void (*unsubscribe)(void *ud, struct str filter);
};

// Tables for `devices` (CONF_NAMED: the names of the templates are part of their devices' keys, so they are permanent)
// and `discovery` (CONF_MAP) of the adapter's section.
extern const struct conf_item mqtt_model_device_schema[];
extern const struct conf_item mqtt_model_discovery_schema[];

// Takes `devices` and `discovery` of the adapter's section. NULL when the report got an error.
struct mqtt_model *mqtt_model_create(const struct conf_value *section, struct conf_report *report,
                                     const struct mqtt_model_host *host, void *ud, const struct log_ctx *log);
void mqtt_model_destroy(struct mqtt_model *m);
// The same with what a running model knows: devices keep their state; those of a removed template are forgotten. On
// error the old one stays.
enum err mqtt_model_reload(struct mqtt_model *m, const struct conf_value *section, struct conf_report *report,
                           int64_t now, int64_t wall);

void mqtt_model_restore(struct mqtt_model *m, struct str key, struct str blob); // before start
void mqtt_model_start(struct mqtt_model *m, int64_t now, int64_t wall);         // subscribes; says the restored state
void mqtt_model_link(struct mqtt_model *m, bool up, int64_t now,
                     int64_t wall); // our own connection: its outage is not the devices'
void mqtt_model_protocol(struct mqtt_model *m, enum mqtt_protocol protocol); // of the connection; at first it is MQTT 5
void mqtt_model_message(struct mqtt_model *m, const struct mqtt_message *msg, int64_t now, int64_t wall);
// MESSAGE and COMMAND of a user to a device. As adapter_ops.send.
enum err mqtt_model_send(struct mqtt_model *m, const struct event *ev);
void mqtt_model_published(struct mqtt_model *m, uint64_t token, enum err e, const char *why, int64_t now, int64_t wall);
// Who operates the bridge has removed a contact: what is kept of its device goes too, until it is heard again.
void mqtt_model_forget(struct mqtt_model *m, struct str key, int64_t now, int64_t wall);
void mqtt_model_tick(struct mqtt_model *m, int64_t now, int64_t wall);
// Tells the rows that it keeps back for a while.
void mqtt_model_flush(struct mqtt_model *m, int64_t now, int64_t wall);
int64_t mqtt_model_deadline(const struct mqtt_model *m); // INT64_MAX: none

enum err mqtt_model_resolve(struct mqtt_model *m, struct str text, struct candidate *out);
enum err mqtt_model_describe(struct mqtt_model *m, struct str key, struct description *out);
size_t mqtt_model_commands(struct mqtt_model *m, struct str key, const struct command **out);

struct mqtt_model_stat {
    size_t devices, topics, bytes;
    uint64_t messages, unmatched, refused_discoveries, invalid;
};
void mqtt_model_stat(const struct mqtt_model *m, struct mqtt_model_stat *out);

#endif
