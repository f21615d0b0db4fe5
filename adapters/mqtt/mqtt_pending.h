/* Commands on their way, until something tells how they ended.
 *
 * Happy path: published -> PUBACK -> the state shows what was wanted, or the answer comes to the response topic ->
 * DONE. A device that describes neither is done at the PUBACK, and so is one whose answer could not be told from
 * another (MQTT 3.1.1): what it then answers is awaited only to be passed over. Over MQTT 5 its answer is awaited for
 * its correlation, which a device of MQTT 3.1.1 behind the same broker leaves out: when only such answers came that may
 * be another's, it is done as well, at its deadline. The echo may overtake the PUBACK.
 * Failures: the broker refuses (FAILED at once); no confirmation in 5 s; no PUBACK in 30 s, after which the command has
 * expired at the broker; the device is forgotten or described anew meanwhile. Each ends in exactly one outcome. */
#ifndef SPANDREL_MQTT_PENDING_H
#define SPANDREL_MQTT_PENDING_H

#include "adapters/mqtt/mqtt_command.h"

#include "base/fsm.h"
#include "base/list.h"

enum {
    MQTT_PENDING_MAX = 256,
    MQTT_COMMAND_EXPIRY = 30,        // seconds that a broker keeps a command for a device that sleeps
    MQTT_CONFIRM_TIMEOUT = 5 * 1000, // ms
    MQTT_PUBACK_TIMEOUT = 30 * 1000, // ms
    MQTT_CORRELATION = 16,           // bytes
};

enum mqtt_known { // by what an answer is known to be one to this command
    MQTT_KNOWN_NOT,
    MQTT_KNOWN_BY_CORRELATION,
    MQTT_KNOWN_BY_TOPIC, // the device's alone, and nothing else was awaited there; by correlation too
    MQTT_KNOWN_BY_ID,    // which stands in it: JSON-RPC
};

struct mqtt_pending {
    struct list_node node;
    uint64_t token;  // of the asker, 0: it wants no outcome
    uint64_t id;     // token of the publish
    uint32_t device; // handle
    uint16_t control;
    bool confirms; // the device tells when it is done
    bool shows;    // by its state
    bool accepted; // it was answered that it will be done; its state does not show it yet
    bool unsure;   // an answer that comes, or came, may be another's: it counts for nothing
    enum mqtt_known known;
    char *wanted; // owned
    char *reply;  // owned: response topic, or NULL
    char correlation[MQTT_CORRELATION + 1];
    int64_t deadline; // monotonic ms
    struct fsm fsm;
};

enum { MQTT_PENDING_SENT, MQTT_PENDING_TAKEN, MQTT_PENDING_DONE }; // TAKEN: by the broker

// Two lists, each in the order of its deadlines, for all in one have the same time to be done.
struct mqtt_pendings {
    struct mqtt_pending v[MQTT_PENDING_MAX];
    struct list_node free, quick, slow; // quick: MQTT_CONFIRM_TIMEOUT, slow: MQTT_PUBACK_TIMEOUT
    unsigned count;
    uint64_t last_id;
};

void mqtt_pendings_init(struct mqtt_pendings *p);
void mqtt_pendings_finish(struct mqtt_pendings *p);
// A new one, SENT, with id and correlation; NULL when there are too many.
struct mqtt_pending *mqtt_pendings_add(struct mqtt_pendings *p, const struct mqtt_device *d,
                                       const struct mqtt_request *r, struct str reply, enum mqtt_known known,
                                       int64_t now);
// The broker has it; what neither confirms nor may be answered yet is then DONE.
void mqtt_pending_taken(struct mqtt_pendings *p, struct mqtt_pending *one, int64_t now, const struct log_ctx *log);
void mqtt_pending_done(struct mqtt_pending *p, int64_t now, const struct log_ctx *log);
// Its answer, which counts for nothing, has come.
void mqtt_pending_answered(struct mqtt_pending *p);
// An answer came that may be to any that waits on the topic for its correlation.
void mqtt_pendings_doubt(struct mqtt_pendings *p, struct str topic);
// Drops it, which must be DONE.
void mqtt_pendings_remove(struct mqtt_pendings *p, struct mqtt_pending *one);

struct mqtt_pending *mqtt_pendings_by_id(struct mqtt_pendings *p, uint64_t id);
// The one that waits for this answer: by correlation, or without one the oldest that waits on the topic.
struct mqtt_pending *mqtt_pendings_by_reply(struct mqtt_pendings *p, struct str topic, struct str correlation);
struct mqtt_pending *mqtt_pendings_by_device(struct mqtt_pendings *p, uint32_t device);
// Walks them: start with NULL; NULL at the end. What was returned may be removed once the next is known.
struct mqtt_pending *mqtt_pendings_next(struct mqtt_pendings *p, const struct mqtt_pending *one);
struct mqtt_pending *mqtt_pendings_due(struct mqtt_pendings *p, int64_t now);
int64_t mqtt_pendings_deadline(const struct mqtt_pendings *p); // INT64_MAX: none

#endif
