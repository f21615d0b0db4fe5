/* The one table behind recording and replay: the members of events and rows, and how each is written. */
#ifndef SPANDREL_APP_RECORD_FORM_H
#define SPANDREL_APP_RECORD_FORM_H

#include "base/strbuf.h"
#include "core/bridge.h"

#include <jansson.h>

struct record_form;

extern const struct record_form record_event_form, record_row_form;

// Appends a JSON object of the members that are not zero.
void record_write(const struct record_form *form, const void *object, struct strbuf *out);
// Fills a zeroed object; strings live in the arena.
void record_read(const struct record_form *form, json_t *json, struct arena *a, void *object);

void record_write_config(const struct bridge_config *cfg, struct strbuf *out);
void record_read_config(json_t *json, struct arena *a, struct bridge_config *out);

#endif
