/* A copy of a database, made by SQLite's online backup while that is in use: whole, or not there.
 *
 * The copy grows beside its place as "PATH.part" (0600), and takes the place by a rename when it is complete. It is one
 * file: without a log of its own, readable without a right to write. */
#ifndef SPANDREL_STORE_COPY_H
#define SPANDREL_STORE_COPY_H

#include "base/err.h"

#include <sqlite3.h>
#include <stdbool.h>

struct store_copy;

// `from` is used by nobody else during each call; what is written through it between two of them gets into the copy.
// ERR_IO.
enum err store_copy_begin(sqlite3 *from, const char *to, struct store_copy **out, struct errmsg *msg) MUST_CHECK;
// Copies so many pages more, all with -1. *done: it was the last. ERR_IO, ERR_CONF when `from` is damaged.
enum err store_copy_step(struct store_copy *c, int pages, bool *done, struct errmsg *msg) MUST_CHECK;
// Checks the copy (quick_check) when `verify`, syncs it and puts it in its place. Frees it, also when it fails.
enum err store_copy_finish(struct store_copy *c, bool verify, struct errmsg *msg) MUST_CHECK;
// Drops what is not complete; NULL is fine.
void store_copy_abort(struct store_copy *c);

// All of it at once, verified.
enum err store_copy_all(sqlite3 *from, const char *to, struct errmsg *msg) MUST_CHECK;
// ERR_CONF when PRAGMA quick_check finds something in the database of that name.
enum err store_copy_check(sqlite3 *sql, const char *name, struct errmsg *msg) MUST_CHECK;

#endif
