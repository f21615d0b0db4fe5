/* Requests that were answered, by the key that their sender gave them (Idempotency-Key, webhook-id, X-GitHub-Delivery
 * and the like): the same request gets the same answer and is said once.
 *
 * Bounded: WEBHOOK_IDEM_MAX keys, for WEBHOOK_IDEM_MS; the oldest goes first. What was answered is kept as rows, and so
 * outlives a restart. Only what was accepted is kept: a request that was refused may be sent again. */
#ifndef SPANDREL_WEBHOOK_IDEM_H
#define SPANDREL_WEBHOOK_IDEM_H

#include "adapters/webhook/webhook_rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEBHOOK_IDEM_MAX = 100000, WEBHOOK_IDEM_KEY_MAX = 255, WEBHOOK_IDEM_DIGEST = 32 };
#define WEBHOOK_IDEM_MS INT64_C(86400000)
#define WEBHOOK_IDEM_PREFIX STR("i/") // of the keys of its rows

enum webhook_idem_verdict {
    WEBHOOK_IDEM_NEW,   // never seen: it is under way now, until done() or drop()
    WEBHOOK_IDEM_SAME,  // answered: *known tells with what
    WEBHOOK_IDEM_BUSY,  // the same is under way
    WEBHOOK_IDEM_OTHER, // the key was given to another body
};

struct webhook_idem;
struct webhook_idem_entry;

struct webhook_idem_known {
    struct str id;  // of the first message that came of it; borrowed until the next call
    unsigned count; // how many came of it
};

struct webhook_idem *webhook_idem_create(const struct webhook_rows *rows); // copied
void webhook_idem_destroy(struct webhook_idem *t);
// `digest` is of all that makes the request what it is. The entry is borrowed until done() or drop().
enum webhook_idem_verdict webhook_idem_begin(struct webhook_idem *t, struct str hook, struct str key,
                                             const uint8_t digest[WEBHOOK_IDEM_DIGEST], int64_t wall,
                                             struct webhook_idem_entry **entry, struct webhook_idem_known *known);
// It was accepted, as `count` messages, the first of them `id` (at most 63 bytes, no blanks).
void webhook_idem_done(struct webhook_idem *t, struct webhook_idem_entry *entry, struct str id, unsigned count);
// It was not.
void webhook_idem_drop(struct webhook_idem *t, struct webhook_idem_entry *entry);
// A row of an earlier run; one that cannot be read, or is too old, is dropped.
void webhook_idem_restore(struct webhook_idem *t, struct str key, struct str blob, int64_t wall);
// Forgets what is too old, at most a thousand at a time; true when there is more.
bool webhook_idem_sweep(struct webhook_idem *t, int64_t wall);
size_t webhook_idem_count(const struct webhook_idem *t);

#endif
