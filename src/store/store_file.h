/* A database as a file, for tools: read, checked, written, copied and put in the place of another. Blocking; one
 * thread.
 *
 * Who opens the database of a state directory holds its lock (store_dir.h). */
#ifndef SPANDREL_STORE_FILE_H
#define SPANDREL_STORE_FILE_H

#include "store/store_dir.h"
#include "store/store_table.h"

struct store_file;

// `path` must be there. ERR_CONF when it is none of ours, or newer; ERR_EXISTS when another program uses it; ERR_IO.
enum err store_file_open(const char *path, struct store_file **out, struct errmsg *msg) MUST_CHECK;
// That of a locked directory: made, or brought to the present version of the tables, if need be; what a restore that
// was killed has left to do is done.
enum err store_file_open_state(const struct store_lock *lock, struct store_file **out, struct errmsg *msg) MUST_CHECK;
// The same, as it is. ERR_NOTFOUND when there is none.
enum err store_file_open_present(const struct store_lock *lock, struct store_file **out, struct errmsg *msg) MUST_CHECK;
void store_file_close(struct store_file *f);        // NULL is fine; what is not committed is dropped
int store_file_version(const struct store_file *f); // of its tables

// Tells each fault that SQLite finds (integrity_check), and each table that is none of ours. ERR_IO.
enum err store_file_check(struct store_file *f, void (*found)(void *ud, struct str text), void *ud,
                          struct errmsg *msg) MUST_CHECK;
// Hands over all rows of a table, none when the version does not have it, in order of their keys; stops at an error of
// `each`, and returns it. A row with a value that was never written goes to `strange`; where that is NULL, it is
// ERR_CONF.
enum err store_file_each(struct store_file *f, enum row_kind kind, enum err (*each)(void *ud, const struct row *row),
                         void (*strange)(void *ud, const char *why), void *ud, struct errmsg *msg) MUST_CHECK;

// One transaction: begin, then tables cleared and rows put, then commit; without that, nothing has happened.
enum err store_file_begin(struct store_file *f, struct errmsg *msg) MUST_CHECK;
enum err store_file_clear(struct store_file *f, enum row_kind kind, struct errmsg *msg) MUST_CHECK;
// ERR_EXISTS when there is a row of that key.
enum err store_file_put(struct store_file *f, const struct row *row, struct errmsg *msg) MUST_CHECK;
enum err store_file_commit(struct store_file *f, struct errmsg *msg) MUST_CHECK;

// A verified copy at `to`, which is replaced at once when it is complete.
enum err store_file_copy(struct store_file *f, const char *to, struct errmsg *msg) MUST_CHECK;
// Puts a copy of `f`, verified, in the place of the database of a locked directory, which is kept under a name with the
// time in it: `aside`, empty when there was none. Whoever is killed meanwhile leaves the one or the other: from the
// moment on at which "restored.db" is complete there, the next who opens the directory goes on.
enum { STORE_ASIDE_MAX = 64 };
enum err store_file_restore(struct store_file *f, const struct store_lock *lock, char aside[STORE_ASIDE_MAX],
                            struct errmsg *msg) MUST_CHECK;
// Does what such a one has left to do; done by whoever opens the directory.
enum err store_file_recover(const char *dir, char aside[STORE_ASIDE_MAX], struct errmsg *msg) MUST_CHECK;

#endif
