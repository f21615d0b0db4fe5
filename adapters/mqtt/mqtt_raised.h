/* What a device says in words of its own: alerts that it has raised and not yet taken back, each with an id and a text;
 * and how often it may say something else. */
#ifndef SPANDREL_MQTT_RAISED_H
#define SPANDREL_MQTT_RAISED_H

#include "adapters/mqtt/mqtt_device.h"
#include "adapters/mqtt/mqtt_entities.h"

enum { MQTT_RAISED_MAX = 8, MQTT_RAISED_TEXT = 200, MQTT_RAISED_ID = 64 }; // alerts of one device, bytes of each
enum { MQTT_RAISED_BURST = 20, MQTT_RAISED_RATE_S = 6 };

void mqtt_raised_destroy(struct mqtt_raised *r);
void mqtt_raised_move(struct mqtt_entities *from, struct mqtt_entities *to);
// Raises it, changes its text, or takes it back (empty text); true when that is another than before. More than
// MQTT_RAISED_MAX are not kept. *before: the text it had, in the arena.
bool mqtt_raised_set(struct mqtt_device *d, struct str id, struct str text, struct arena *a, struct str *before);
// Whether a change is told: MQTT_RAISED_BURST at once, then one in MQTT_RAISED_RATE_S seconds. All are shown.
bool mqtt_raised_may_tell(struct mqtt_device *d, int64_t now);
// It says something now, and has not within this time (ms).
bool mqtt_raised_may_speak(struct mqtt_device *d, int64_t now, int64_t every);
// The text that was raised last, or empty: nothing is.
struct str mqtt_raised_text(const struct mqtt_device *d);
// The nth; false behind the last.
bool mqtt_raised_nth(const struct mqtt_device *d, size_t n, struct str *id, struct str *text);
// All will be said again by the broker; then, what was not is over. True when there was any.
void mqtt_raised_doubt(struct mqtt_device *d);
bool mqtt_raised_settle(struct mqtt_device *d);

#endif
