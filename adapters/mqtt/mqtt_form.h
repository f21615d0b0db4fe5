/* The controls of a device as commands with forms, typed from what it describes. */
#ifndef SPANDREL_MQTT_FORM_H
#define SPANDREL_MQTT_FORM_H

#include "adapters/mqtt/mqtt_command.h"

#include "core/view.h"

// "status", "get_NAME" for each file, and "set_NAME" for each control with the field "value". All lives in the arena
// (or the spec).
size_t mqtt_form_commands(const struct mqtt_device *d, struct arena *a, const struct command **out);
// A form that was sent: as mqtt_command_parse().
enum err mqtt_form_parse(const struct mqtt_device *d, const struct event *ev, struct arena *a, struct mqtt_request *out,
                         struct errmsg *msg) MUST_CHECK;

#endif
