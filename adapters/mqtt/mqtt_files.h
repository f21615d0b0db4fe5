/* Files that devices send: what kind each is, and the last of each, for who asks. Bounded in number and bytes: the
 * oldest gives way. */
#ifndef SPANDREL_MQTT_FILES_H
#define SPANDREL_MQTT_FILES_H

#include "base/arena.h"

#include <stdint.h>

enum {
    MQTT_FILES_MAX = 1024,
    MQTT_FILES_BYTES = 32 * 1024 * 1024,
    MQTT_FILE_NAME = 32, // bytes of the name in a spec
};

struct mqtt_file_type {
    const char *media; // "image/jpeg"
    const char *ending;
};

// What the first bytes say; NULL: nothing that is known.
const struct mqtt_file_type *mqtt_file_type_of(struct str bytes);
// How names of files of that type end; "bin" for an unknown one.
const char *mqtt_file_ending(struct str media);

struct mqtt_stored { // the last of one file of one device
    uint32_t device; // handle
    char name[MQTT_FILE_NAME + 1];
    char *bytes; // owned
    size_t n;
    struct str media; // owned
    int64_t wall;     // when it came
    int64_t told;     // monotonic ms when it was sent to the subscribers, INT64_MIN for never
    bool refused;     // the last message was not taken, and that was logged
};

struct mqtt_files {
    struct mqtt_stored *v; // owned
    size_t count, cap, bytes;
};

void mqtt_files_init(struct mqtt_files *f);
void mqtt_files_finish(struct mqtt_files *f);
// The entry, which may hold no bytes yet; NULL when there is none. Valid until the next call that changes something.
struct mqtt_stored *mqtt_files_find(const struct mqtt_files *f, uint32_t device, struct str name);
// The same, made when there is none.
struct mqtt_stored *mqtt_files_entry(struct mqtt_files *f, uint32_t device, struct str name);
// Other bytes (copied) in an entry; those of others go when there are too many. False: more than there may be at all.
bool mqtt_files_put(struct mqtt_files *f, struct mqtt_stored *e, struct str bytes, struct str media, int64_t wall);
// The device is no more.
void mqtt_files_drop(struct mqtt_files *f, uint32_t device);

#endif
