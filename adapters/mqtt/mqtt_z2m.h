/* What the files of the Zigbee2MQTT convention share. Not for others. */
#ifndef SPANDREL_MQTT_Z2M_H
#define SPANDREL_MQTT_Z2M_H

#include "adapters/mqtt/mqtt_convention.h"

// Adds the entities of `definition.exposes`. *cls becomes the class of the device, if it has one ("light"). ERR_LIMIT,
// ERR_UNSUPPORTED: *msg says why.
enum err z2m_exposes_read(json_t *exposes, struct arena *a, struct mqtt_found *out, const char **cls,
                          struct errmsg *msg) MUST_CHECK;

#endif
