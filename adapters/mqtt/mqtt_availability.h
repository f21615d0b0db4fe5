/* Whether a device is there. Pure: facts and a time in, a verdict and the time at which it may change out.
 *
 * The first loss is told at once; one that follows within five minutes only when it has lasted for the offline delay.
 * Our own broker's outage is not the device's: nothing is told for 30 s, and silence is not counted while we are deaf;
 * but who was silent before stays so until heard, also over a restart. */
#ifndef SPANDREL_MQTT_AVAILABILITY_H
#define SPANDREL_MQTT_AVAILABILITY_H

#include "adapters/mqtt/mqtt_device.h"

#include "core/event.h"

enum { MQTT_LINK_GRACE = 30 * 1000, MQTT_FLAP_WINDOW = 5 * 60 * 1000 }; // ms

struct mqtt_link_state {
    bool up;
    int64_t since; // monotonic ms of the last change
};

// What the payload of an availability topic says.
enum mqtt_presence mqtt_availability_read(const struct mqtt_availability *a, struct mqtt_payload *p);
// Notes what the nth availability topic said; true when that is new.
bool mqtt_availability_hear(struct mqtt_device *d, uint16_t n, enum mqtt_presence presence, int64_t now);
// What the topics say together.
enum mqtt_presence mqtt_availability_sum(const struct mqtt_device *d);
// What is to be told now. *again: when to ask again though nothing is heard, INT64_MAX for never.
enum mqtt_verdict mqtt_availability_judge(const struct mqtt_device *d, const struct mqtt_link_state *link, int64_t now,
                                          int64_t *again);

bool mqtt_presence_offline(enum mqtt_presence p); // OFFLINE, LEFT
bool mqtt_verdict_silence(enum mqtt_verdict v);   // STALE, SILENT
bool mqtt_verdict_offline(enum mqtt_verdict v);   // SILENT, LOST, LEFT, DISABLED
enum show mqtt_verdict_show(enum mqtt_verdict v);

#endif
