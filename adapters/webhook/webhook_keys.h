/* What was said under a key (an alert's fingerprint, a build's number), in each room: so that the next post under it
 * corrects the first, or answers it, instead of standing beside it.
 *
 * Bounded: WEBHOOK_KEYS_MAX; what was not used for longest goes first. Kept as rows. */
#ifndef SPANDREL_WEBHOOK_KEYS_H
#define SPANDREL_WEBHOOK_KEYS_H

#include "adapters/webhook/webhook_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEBHOOK_KEYS_MAX = 20000 };
#define WEBHOOK_KEYS_PREFIX STR("k/") // of the keys of its rows

struct webhook_keys;

struct webhook_key_view { // borrowed until the next call
    struct str root;      // the id that the first message went out with
    struct str stanza;    // the room's id of it; empty: not known yet, or there is none
};

struct webhook_keys *webhook_keys_create(const struct webhook_rows *rows); // copied
void webhook_keys_destroy(struct webhook_keys *t);
// What the room was told under the key within its window; false: nothing.
bool webhook_keys_find(struct webhook_keys *t, struct str hook, struct str key, struct str room, int64_t wall,
                       struct webhook_key_view *out);
// The message `id` was said under the key: it is the first, or one more of what was found; the window of `window` ms
// begins anew.
void webhook_keys_said(struct webhook_keys *t, struct str hook, struct str key, struct str room, struct str id,
                       int64_t window, int64_t wall);
// Nothing more is to come under the key: the next post begins anew.
void webhook_keys_end(struct webhook_keys *t, struct str hook, struct str key, struct str room, int64_t wall);
// The room gave `id`, if it is a first one, this id of its own.
void webhook_keys_settled(struct webhook_keys *t, struct str id, struct str stanza);
// It never came to be: nothing can correct it.
void webhook_keys_failed(struct webhook_keys *t, struct str id);
// A row of an earlier run; one that cannot be read, or whose time is over, is dropped.
void webhook_keys_restore(struct webhook_keys *t, struct str key, struct str blob, int64_t wall);
// Forgets what nobody asks for any more, at most a thousand at a time; true when there is more.
bool webhook_keys_sweep(struct webhook_keys *t, int64_t wall);
size_t webhook_keys_count(const struct webhook_keys *t);

#endif
