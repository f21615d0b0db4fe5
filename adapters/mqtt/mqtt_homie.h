/* What the files of the Homie convention share. Not for others. */
#ifndef SPANDREL_MQTT_HOMIE_H
#define SPANDREL_MQTT_HOMIE_H

#include "adapters/mqtt/mqtt_convention.h"

enum {
    HOMIE_ID_MAX = 64,             // bytes of the id of a device, node or property
    HOMIE_DOCUMENT_MAX = 64 << 10, // bytes of a description
};

struct homie_document {  // what a device says of itself
    struct str prefix;   // "homie", "homie/5"
    struct str id;       // of the device
    const json_t *root;  // a description as of Homie 5: attributes of Homie 4 are put into the same form
    bool targets, talks; // it has $target topics; $alert and $log topics
};

// An id as the convention wants it, and a little more, since devices do not all keep to it: [A-Za-z0-9._-]{1,64}.
bool homie_id_good(struct str id);
// Fills in all but key and source. ERR_BADREQ, ERR_LIMIT: *msg says why.
enum err homie_document_read(const struct homie_document *d, struct arena *a, struct mqtt_found *out,
                             struct errmsg *msg) MUST_CHECK;

/* Homie 4: each attribute has a topic of its own; they are put together here. */

struct homie_attributes;

struct homie_attributes *homie_attributes_create(void);
void homie_attributes_destroy(struct homie_attributes *h);
// `path`: what follows the id of the device: "$name", "engine/$properties", "engine/speed/$unit". Empty text: no more.
// True when that is another than before. ERR_LIMIT in *e: there are too many.
bool homie_attributes_set(struct homie_attributes *h, struct str path, struct str text, enum err *e);
size_t homie_attributes_size(const struct homie_attributes *h); // bytes that are kept
struct str homie_attributes_get(const struct homie_attributes *h, const char *path);
// They name the convention, 3 or 4, and some properties.
bool homie_attributes_complete(const struct homie_attributes *h);
json_t *homie_attributes_document(const struct homie_attributes *h); // owned

#endif
