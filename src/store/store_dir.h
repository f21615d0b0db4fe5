/* The state directory: made private, and locked, so that two processes never share one. */
#ifndef SPANDREL_STORE_DIR_H
#define SPANDREL_STORE_DIR_H

#include "base/err.h"

// Makes the directory (0700) when it is missing and locks it. *lock: the descriptor that holds the lock, closed by
// store_dir_unlock(). ERR_EXISTS when another process has it; ERR_CONF when other users may write to it; ERR_IO.
enum err store_dir_lock(const char *dir, int *lock, struct errmsg *msg) MUST_CHECK;
void store_dir_unlock(int lock);
// Makes a file (0600), or takes from an existing one what others may do with it. ERR_IO.
enum err store_dir_private(const char *path, struct errmsg *msg) MUST_CHECK;

#endif
