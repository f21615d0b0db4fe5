/* The state directory: made private, and locked, so that two processes never share one.
 *
 * The lock has two halves, which the kernel drops when the process ends, however it does. One is a file in the
 * directory (flock), which also says who holds it. The other is a name without a file (an abstract socket) that is made
 * of the directory's parent and its name there: whoever has moved or removed the directory under a running process does
 * not get a second process to begin a fresh state at its old place. */
#ifndef SPANDREL_STORE_DIR_H
#define SPANDREL_STORE_DIR_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct store_lock;

struct store_holder {
    int64_t pid;    // 0: not known
    int64_t since;  // wall ms; 0: not known
    bool displaced; // what it serves is no longer in this place: it was moved, removed or replaced
};

// Makes the directory (0700) when it is missing and locks it. *out: owned, for store_dir_unlock(). ERR_EXISTS when
// another process has it: *holder (may be NULL) tells which; ERR_CONF when other users may write to it; ERR_IO.
enum err store_dir_lock(const char *dir, struct store_lock **out, struct store_holder *holder,
                        struct errmsg *msg) MUST_CHECK;
void store_dir_unlock(struct store_lock *l); // NULL is fine
const char *store_dir_path(const struct store_lock *l);
// Whether the path still leads to what is locked.
bool store_dir_stands(const struct store_lock *l);
// Makes a file (0600; of root in another user's directory: that user's), or takes from an existing one what others may
// do with it. ERR_IO.
enum err store_dir_private(const char *path, struct errmsg *msg) MUST_CHECK;
// Makes the names in a directory durable: of what was made, renamed or removed there. ERR_IO.
enum err store_dir_sync(const char *dir, struct errmsg *msg) MUST_CHECK;

#endif
