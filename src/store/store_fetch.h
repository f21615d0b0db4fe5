/* Questions for records of the journal, and their answers. Not thread-safe. */
#ifndef SPANDREL_STORE_FETCH_H
#define SPANDREL_STORE_FETCH_H

#include "base/list.h"
#include "store/store_db.h"

struct store_fetch {
    struct list_node link;
    struct arena arena; // holds what it points to
    struct str adapter;
    uint64_t after;
    unsigned max;
    size_t bytes;
    uint64_t batch; // of the last row that was put before it
    bool complete;  // which was durable when it was answered
    struct row *row;
    size_t count, cap;
};

// Copies the name.
struct store_fetch *store_fetch_create(struct str adapter, uint64_t after, unsigned max, size_t bytes, uint64_t batch);
void store_fetch_destroy(struct store_fetch *f);                  // takes it out of its list
bool store_fetch_run(struct store_fetch *f, struct store_db *db); // false when not all could be read

#endif
