/* The section of an MQTT adapter in the configuration. */
#ifndef SPANDREL_MQTT_CONF_H
#define SPANDREL_MQTT_CONF_H

#include "adapters/mqtt/mqtt_link.h"

extern const struct conf_item mqtt_schema[];

// Checks what concerns the link and takes it, as an owned copy for mqtt_settings_finish(). ERR_CONF when the report got
// an error; nothing is owned then. `instance`: the adapter's name, part of the default client id.
enum err mqtt_conf_read(const struct conf_value *section, const char *instance, struct conf_report *report,
                        struct mqtt_link_config *out) MUST_CHECK;

#endif
