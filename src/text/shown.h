/* How links and times are shown in chat text. */
#ifndef SPANDREL_TEXT_SHOWN_H
#define SPANDREL_TEXT_SHOWN_H

#include "base/arena.h"

// A URL that may be shown: clean, of a scheme that means something to a client, and with what would end it (white
// space, <, >, quotes) as %XX. Empty for others.
struct str shown_url(struct arena *a, struct str url);
// True when a link's text is its URL, at most without "mailto:", "http://" or "https://": then the URL is not shown
// again.
bool shown_same(struct str text, struct str url);
// "2026-11-21 08:30 UTC" for seconds since 1970, of the years 1 to 9999; false for anything else.
bool shown_time(struct arena *a, struct str seconds, struct str *out);

#endif
