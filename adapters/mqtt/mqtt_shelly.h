/* What Shelly devices say of themselves, as pure functions: payloads in, descriptions out.
 *
 * Generation 1 says who it is in an announcement, and what it has by the topics it publishes:
 *     shellies/announce, shellies/<id>/announce    {"id": "shelly1-B929CC", "model": "SHSW-1", ...}
 *     shellies/<id>/relay/0                        on
 * Generations 2 to 4 are asked by JSON-RPC, which they answer on <source>/rpc:
 *     <prefix>/rpc                                 {"id": "...", "src": "<source>", "method": "Shelly.GetStatus"} */
#ifndef SPANDREL_MQTT_SHELLY_H
#define SPANDREL_MQTT_SHELLY_H

#include "adapters/mqtt/mqtt_describe.h"

enum {
    MQTT_SHELLY_PREFIX = 300,     // bytes of a topic prefix: the firmware allows as many
    MQTT_SHELLY_JSON = 64 * 1024, // bytes of an answer
};

/* Generation 1 */

struct mqtt_shelly_announced { // borrowed from the arena
    struct str id;
    bool gen2; // it is of generation 2 or later: its description is of no use
};

// An announcement: who it is, and as a description the device with nothing but its connection. `id`: of the topic, or
// empty. `sleep`: ms of silence that a device with a battery may keep. ERR_BADREQ, ERR_LIMIT.
enum err mqtt_shelly_announce(struct str id, struct str payload, int64_t sleep, struct arena *a,
                              struct mqtt_shelly_announced *who, struct mqtt_describe *d,
                              struct errmsg *msg) MUST_CHECK;
// What the topic <base><tail> ("shellies/<id>/", "relay/0") with this payload is good for, as entities behind those in
// *d. ERR_UNSUPPORTED: for nothing.
enum err mqtt_shelly_learn(struct str base, struct str tail, struct str payload, struct mqtt_describe *d) MUST_CHECK;

/* Generations 2 to 4 */

struct mqtt_shelly_answers { // results of three methods; NULL: not answered
    json_t *info, *config, *status;
};

struct mqtt_shelly_conf {
    struct str prefix; // of its topics, without a slash at the end
    struct str source; // who asks
};

// ERR_BADREQ: there is no status, or nothing in it that is of use.
enum err mqtt_shelly_describe(const struct mqtt_shelly_conf *conf, const struct mqtt_shelly_answers *answers,
                              struct mqtt_describe *d, struct errmsg *msg) MUST_CHECK;
// "switch:0": a component that has a number.
bool mqtt_shelly_component(struct str key, struct str *type);
// A request as it is published; the method has no parameters.
struct str mqtt_shelly_request(struct arena *a, struct str source, struct str id, const char *method);

// The JSON of an answer or announcement, bounded; NULL with *msg set. Owned.
json_t *mqtt_shelly_json(struct str payload, struct errmsg *msg);

#endif
