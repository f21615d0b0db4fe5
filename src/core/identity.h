/* The table of virtual identities: who they are, under which address, and their presence.
 *
 * Compact records; the strings of each lie in one block of their own. Found by (component, localpart, scope) and by
 * (source, key). An address is minted once and never changes, whatever its owner is called later. */
#ifndef SPANDREL_CORE_IDENTITY_H
#define SPANDREL_CORE_IDENTITY_H

#include "base/index.h"
#include "core/event.h"
#include "core/pool.h"

enum identity_part { PART_LOCAL, PART_SCOPE, PART_KEY, PART_NAME, PART_CLS, PART_GROUP, PART_COUNT };

// Bounds in bytes on what comes from outside. A longer key is refused, other text is cut at a character.
enum {
    IDENTITY_KEY_MAX = 1024,
    IDENTITY_NAME_MAX = 256,
    IDENTITY_CLS_MAX = 31,
    IDENTITY_GROUP_MAX = 96,
    IDENTITY_TEXT_MAX = 512
};

struct identity {
    uint32_t handle;
    uint32_t subs;          // head of the chain of its subscriptions
    char *parts;            // owned: the strings of enum identity_part, one after the other
    char *text;             // owned: of its presence, NULL when empty
    int64_t since, changed; // wall ms
    uint32_t subscribers;   // those with SUB_TO_USER
    uint32_t room;          // handle of its room, once someone was there
    uint16_t len[PART_COUNT];
    uint16_t text_len;
    uint16_t source; // who speaks for it: index into the bridge's sources
    uint16_t component;
    uint16_t jobs;      // fan-outs about it that wait
    uint8_t kind, show; // enum identity_kind, enum show
    bool quarantined;
    bool dying; // forgotten: its subscribers are being told
};

struct identities {
    struct pool pool;
    struct index by_address, by_key;
    size_t scoped; // how many have a scope
    size_t quarantined;
    size_t bytes; // of the strings
};

struct identity_spec {
    uint16_t component, source;
    enum identity_kind kind;
    bool quarantined;
    int64_t since;
    struct str part[PART_COUNT];
};

void identities_init(struct identities *t);
void identities_finish(struct identities *t);
size_t identities_bytes(const struct identities *t);

struct identity *identity_at(const struct identities *t, uint32_t handle); // NULL when there is none
struct identity *identity_find(const struct identities *t, uint16_t component, struct str local, struct str scope);
struct identity *identity_find_key(const struct identities *t, uint16_t source, struct str key);
// Copies. NULL when the address, or the key (but for an empty one), is taken.
struct identity *identity_add(struct identities *t, const struct identity_spec *spec);
// It has no subscriptions and no room.
void identity_remove(struct identities *t, struct identity *id);

struct str identity_part(const struct identity *id, enum identity_part part);
struct str identity_text(const struct identity *id);
// Replaces name, class and group, cut to their bounds; tells whether that changed anything.
bool identity_describe(struct identities *t, struct identity *id, struct str name, struct str cls, struct str group);
// Tells whether that changed anything.
bool identity_present(struct identities *t, struct identity *id, enum show show, struct str text);
void identity_release(struct identities *t, struct identity *id); // from quarantine

// A free localpart for (adapter, key), [a-z0-9-]{1,48}: from `wish` (or the key, when that is empty) with a tail of
// hash when the text was lossy, is taken, or is reserved for people in charge.
struct str identity_mint(const struct identities *t, struct arena *a, uint16_t component, struct str wish,
                         struct str adapter, struct str key);

#endif
