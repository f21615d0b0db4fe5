/* Percent-encoding and forms (WHATWG URL, application/x-www-form-urlencoded). */
#ifndef SPANDREL_NET_HTTP_FORM_H
#define SPANDREL_NET_HTTP_FORM_H

#include "base/arena.h"

// Decodes once. False when a "%" is not followed by two hexadecimal digits. `plus`: "+" is a blank (forms and queries,
// not paths). The result may hold any byte, also NUL.
bool http_percent_decode(struct arena *a, struct str s, bool plus, struct str *out);

struct http_pair {
    struct str name, value;
};

// "a=1&b=x%20y": the pairs in order, decoded, in the arena; an empty one ("&&") is left out. False when there are more
// than `max`, or one is malformed or not UTF-8. Serves bodies and queries.
bool http_form_parse(struct arena *a, struct str s, size_t max, const struct http_pair **out, size_t *count);
// The first value of that name; p is NULL when there is none.
struct str http_form_get(const struct http_pair *pairs, size_t count, const char *name);

#endif
