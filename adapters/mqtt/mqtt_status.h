/* What is shown of a device: values with their units, the line in its presence, and the answer to "status". */
#ifndef SPANDREL_MQTT_STATUS_H
#define SPANDREL_MQTT_STATUS_H

#include "adapters/mqtt/mqtt_availability.h"

enum {
    MQTT_STATUS_MAX = 200,     // bytes of the line in a presence
    MQTT_STATUS_HEADLINES = 3, // readings in it where none is marked as a headline
};

struct mqtt_time { // wall - now, so that a monotonic stamp can be shown
    int64_t now, wall;
};

// A value without its unit: at most two decimals, or as many as the reading says; empty when there is none.
struct str mqtt_status_value(const struct mqtt_device *d, uint16_t reading, struct arena *a);
// The same with the unit: "21.4 °C".
struct str mqtt_status_reading(const struct mqtt_device *d, uint16_t reading, struct arena *a);
// Headline readings: "21.4 °C, 48 %, door open"; empty when there is none.
struct str mqtt_status_line(const struct mqtt_device *d, struct arena *a);
// "online", "lost 21 Nov 12:03 UTC"
struct str mqtt_status_words(const struct mqtt_device *d, enum mqtt_verdict v, const struct mqtt_time *t,
                             struct arena *a);
// The text of a presence: the line, behind these words where it is not online.
struct str mqtt_status_text(const struct mqtt_device *d, enum mqtt_verdict v, const struct mqtt_time *t,
                            struct arena *a);
// All readings, one a line, under the state in words.
struct str mqtt_status_full(const struct mqtt_device *d, const struct mqtt_time *t, struct arena *a);
// A headline differs from what was told last by its deadband or more.
bool mqtt_status_moved(const struct mqtt_device *d, uint16_t reading);
// Remembers that the line was told.
void mqtt_status_told(struct mqtt_device *d);
// "21 Nov 12:03 UTC"
struct str mqtt_status_time(int64_t wall, struct arena *a);

#endif
