/* What was published and has no outcome yet, in order: the packet identifier that the library gave, and the token that
 * the owner gave.
 *
 * Outcomes come nearly in order, so the search begins at the oldest. */
#ifndef SPANDREL_MQTT_WINDOW_H
#define SPANDREL_MQTT_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mqtt_flight {
    int mid;
    uint64_t token;
};

struct mqtt_window {
    struct mqtt_flight *v; // owned; in use: [head, head + count)
    size_t head, count, cap;
    size_t limit; // bound on count
};

void mqtt_window_init(struct mqtt_window *w, size_t limit);
void mqtt_window_finish(struct mqtt_window *w);
void mqtt_window_set_limit(struct mqtt_window *w, size_t limit); // what is in flight beyond it stays
bool mqtt_window_full(const struct mqtt_window *w);
void mqtt_window_put(struct mqtt_window *w, int mid, uint64_t token); // also when full
// Takes out the flight with this identifier; false when there is none.
bool mqtt_window_take(struct mqtt_window *w, int mid, uint64_t *token);
// Takes out the oldest; false when there is none.
bool mqtt_window_pop(struct mqtt_window *w, uint64_t *token);

#endif
