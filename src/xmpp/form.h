/* Data forms (XEP-0004), typed from the fields of a command, with the ranges of XEP-0122. */
#ifndef SPANDREL_XMPP_FORM_H
#define SPANDREL_XMPP_FORM_H

#include "base/err.h"
#include "core/view.h"
#include "xml/xml_node.h"
#include "xml/xml_writer.h"

enum { FORM_VALUE_MAX = 8192 }; // bytes of one value

void form_open(struct xml_writer *w, const char *type, struct str title); // <x type='form'>; xml_shut() ends it
void form_put_field(struct xml_writer *w, struct arena *a, const struct field *f);

// Reads a submitted form against the fields it was made of. Values come out normal: "true" or "false"; a number within
// its range; a choice that was offered; text of one line; lines joined by '\n'. What is absent and not required stays
// absent; what was not asked for is left out. ERR_BADREQ with a text for the user.
enum err form_read(const struct xml_node *x, const struct field *fields, size_t count, struct arena *a,
                   struct event_field **out, size_t *out_count, struct str *why) MUST_CHECK;

#endif
