/* Rows on their way to the disk: at most one of a key, the last put. Not thread-safe. */
#ifndef SPANDREL_STORE_BATCH_H
#define SPANDREL_STORE_BATCH_H

#include "base/list.h"
#include "base/map.h"
#include "core/row.h"

struct store_batch {
    struct list_node entries; // struct batch_entry
    struct map by_key;
    size_t count;
    uint64_t number;
};

// The rows of a batch in the order of their tables, which is the cheap one to write: neighbours share a page. Valid
// until the batch changes.
struct store_order {
    const struct row **row; // owned
    size_t count;
};

void store_batch_init(struct store_batch *b, uint64_t number);
void store_batch_finish(struct store_batch *b);
// Empty again, with a new number.
void store_batch_reset(struct store_batch *b, uint64_t number);
// Copies the row; it takes the place of an earlier one with the same key.
void store_batch_put(struct store_batch *b, const struct row *row);
void store_batch_sort(const struct store_batch *b, struct store_order *out);
void store_order_finish(struct store_order *o);

#endif
