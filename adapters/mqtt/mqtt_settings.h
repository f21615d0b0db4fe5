/* The settings of a link as a value: owned copies, and whether two are the same. */
#ifndef SPANDREL_MQTT_SETTINGS_H
#define SPANDREL_MQTT_SETTINGS_H

#include "adapters/mqtt/mqtt_link.h"

// A copy, strings and all, to be given to mqtt_settings_finish().
void mqtt_settings_copy(struct mqtt_link_config *to, const struct mqtt_link_config *from);
// Frees the strings, the password wiped, and leaves it empty.
void mqtt_settings_finish(struct mqtt_link_config *cfg);
bool mqtt_settings_equal(const struct mqtt_link_config *a, const struct mqtt_link_config *b);

#endif
