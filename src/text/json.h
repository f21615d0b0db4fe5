/* JSON (jansson for input; output is written straight into a buffer). */
#ifndef SPANDREL_TEXT_JSON_H
#define SPANDREL_TEXT_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"

#include <jansson.h>

// Parses one JSON text of at most `max` bytes, depth bounded by jansson's parser limit, duplicate keys refused. Returns
// an owned value (json_decref) or NULL with line and column in *msg.
json_t *json_read(struct str text, size_t max, struct errmsg *msg);
// The member at a path of member names and array offsets: "a.b", "a[0].b", "[1]"; a name with a dot in it stands in
// quotes, "a['b.c']"; "a[b=text]" is the first object in the array a whose member b is this text. "" is the value
// itself. Borrowed, NULL when absent or the path is malformed.
json_t *json_at(json_t *value, struct str path);
// A string member of an object, or the empty slice; borrowed from the value.
struct str json_member_str(const json_t *object, const char *name);
// A scalar as people write it: strings as they are, true/false, null as "", reals without needless zeros. Arrays and
// objects as compact JSON.
struct str json_text(struct arena *a, const json_t *value);

// Writing: escapes as RFC 8259; s is repaired UTF-8 already.
bool json_write_str(struct strbuf *b, struct str s);

#endif
