/* A copy of the database that the store's thread makes between its commits, a few pages at a time. */
#ifndef SPANDREL_STORE_SNAPSHOT_H
#define SPANDREL_STORE_SNAPSHOT_H

#include "store/store_copy.h"
#include "store/store_db.h"

struct store_snapshot {
    char *path;              // owned; NULL: none is wanted
    struct store_copy *copy; // once begun
    bool ended;
    enum err result; // then
    struct errmsg msg;
};

// False while another one is made, or its end was not asked for.
bool store_snapshot_begin(struct store_snapshot *s, const char *path);
// Some more of it. True when it has ended, well or not.
bool store_snapshot_work(struct store_snapshot *s, struct store_db *db);
// True when it has ended: then the next can begin.
bool store_snapshot_take(struct store_snapshot *s, enum err *result, struct errmsg *msg);
// Ends what is not complete.
void store_snapshot_finish(struct store_snapshot *s);
// Removes from a directory what those have left that nobody fetched.
void store_snapshot_sweep(const char *dir);

#endif
