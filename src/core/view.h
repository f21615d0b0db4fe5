/* Views: what the core and the adapters show of an identity to whoever describes it to a user (disco, vCard, forms,
 * lists). All strings are borrowed. */
#ifndef SPANDREL_CORE_VIEW_H
#define SPANDREL_CORE_VIEW_H

#include "core/event.h"

struct identity_view { // borrowed until the next step of the core
    uint32_t handle;
    uint16_t adapter, component;
    enum identity_kind kind;
    struct str local, domain, scope, key, name, cls, group;
    struct str resource; // of its available presence: the adapter's name
    enum show show;
    struct str text; // of its presence
    bool quarantined;
    int64_t changed; // wall ms of the last news from it (message, presence), 0 when none; XEP-0012
    unsigned rights; // of the user who asked
    unsigned subscribers;
    int64_t since; // wall ms: when it was made
};

// What an adapter tells of an identity; borrowed until the next call into the adapter.
struct description {
    struct str name, model, manufacturer, version, serial, area, url, note;
    struct str cls;
    struct str readings; // one line: "21.4 °C, 48 %"
};

// What an address of ours is in a room elsewhere: of all its guests there, one listens for all.
enum guest_ear { GUEST_NONE, GUEST_SILENT, GUEST_LISTENS };

enum field_type { FIELD_TEXT, FIELD_BOOL, FIELD_NUMBER, FIELD_CHOICE, FIELD_FIXED, FIELD_MULTI };

struct field {                     // of a command's form
    struct str name, label, value; // value: present, pre-filled
    enum field_type type;
    bool required;
    double min, max, step;     // NUMBER; min > max: unbounded
    const struct str *choices; // CHOICE
    size_t choice_count;
};

struct command {
    struct str node, title;     // node: [a-z0-9_-]{1,64}
    unsigned right;             // the right it takes; 0: none
    const struct field *fields; // none: it runs at once
    size_t field_count;
};

struct candidate { // an identity that an adapter knows by its own name
    struct str key;
    struct str name;
};

#endif
