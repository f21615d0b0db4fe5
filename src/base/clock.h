/* Two clocks. Timers and deadlines use the monotonic one, stamps the wall clock. The core reads neither: it is told the
 * time with each event. */
#ifndef SPANDREL_BASE_CLOCK_H
#define SPANDREL_BASE_CLOCK_H

#include "base/arena.h"

#include <stdint.h>

int64_t clock_mono(void); // milliseconds, CLOCK_BOOTTIME: counts suspend
int64_t clock_wall(void); // milliseconds since 1970-01-01T00:00:00Z

// XEP-0082 DateTime in UTC, with milliseconds when they are not 0: "2026-11-21T08:30:00.250Z".
struct str clock_format(struct arena *a, int64_t wall);
// The same into the caller's buffer.
enum { CLOCK_TEXT = 32 };
struct str clock_put(char out[CLOCK_TEXT], int64_t wall);
// Reads XEP-0082/RFC 3339 with Z or an offset; false on anything else.
bool clock_parse(struct str s, int64_t *wall);
// "3 min", "2 h", for people: the largest unit that is not 0, from ms.
struct str clock_span(struct arena *a, int64_t ms);
// A duration of the configuration: "250ms", "10s", "5m", "2h", "7d"; bare numbers are refused. Milliseconds out.
bool clock_parse_span(struct str s, int64_t *ms);

#endif
