/* What users say to a device, by chat or by form, understood against what the device is: pure text in, a request out.
 */
#ifndef SPANDREL_MQTT_COMMAND_H
#define SPANDREL_MQTT_COMMAND_H

#include "adapters/mqtt/mqtt_status.h"

enum mqtt_request_kind {
    MQTT_REQUEST_HELP,
    MQTT_REQUEST_STATUS,
    MQTT_REQUEST_GET,
    MQTT_REQUEST_FILE,
    MQTT_REQUEST_SET
};

struct mqtt_request { // borrowed from the spec and the arena
    enum mqtt_request_kind kind;
    uint16_t reading;                   // GET
    const struct mqtt_file *file;       // FILE
    const struct mqtt_control *control; // SET
    struct str payload;                 // SET: to be published
    struct str wanted;                  // SET: as the reading will show it; empty for a button
};

// Chat: "help", "status", "get temp", "temp", "set power on", "power on", "on". Errors explain themselves in *msg, with
// a suggestion where a word is nearly right: NOTFOUND (no such word), NOTACCEPTABLE (no such value).
enum err mqtt_command_parse(const struct mqtt_device *d, struct str text, struct arena *a, struct mqtt_request *out,
                            struct errmsg *msg) MUST_CHECK;
// A value for a control, checked: fills all of a SET.
enum err mqtt_command_set(const struct mqtt_device *d, const struct mqtt_control *c, struct str value, struct arena *a,
                          struct mqtt_request *out, struct errmsg *msg) MUST_CHECK;
// Whether the control's reading shows what was wanted.
bool mqtt_command_reached(const struct mqtt_device *d, const struct mqtt_control *c, uint16_t reading,
                          struct str wanted, struct arena *a);
// Whether a switch is on (off), as far as is known.
bool mqtt_command_is(const struct mqtt_device *d, const struct mqtt_control *c, bool on, struct arena *a);
// The answer to "help"; with the controls when `may_set`.
struct str mqtt_command_help(const struct mqtt_device *d, bool may_set, struct arena *a);

#endif
