/* The MQTT adapter: devices behind a broker as contacts. One instance is one broker. */
#ifndef SPANDREL_MQTT_H
#define SPANDREL_MQTT_H

#include "adapters/adapter.h"

extern const struct adapter_ops mqtt_adapter_ops;

#endif
