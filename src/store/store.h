/* The store: one SQLite database in the state directory, written by a thread of its own.
 *
 * Rows are copied into the batch that is being collected; the thread commits whatever waits as soon as it is idle, and
 * while much comes, 1 ms later (group commit, WAL, synchronous=FULL). Batches are numbered from 1; all rows put before
 * store_batch() returned n are durable when store_committed() >= n. A failed fsync aborts the process: what was not
 * acknowledged is asked for again by its source. */
#ifndef SPANDREL_STORE_STORE_H
#define SPANDREL_STORE_STORE_H

#include "core/row.h"

struct store;
struct store_lock;

enum { STORE_SCHEMA = 3 }; // version of the tables; docs/decisions tells how to raise it

struct store_stat {
    uint64_t batches, rows;  // committed since start
    uint64_t last_commit_us; // the last commit took
    size_t waiting;          // rows not yet durable
    bool failing;            // the last commit failed (disk full, or the state directory is gone): it is tried again
                             // every second
    struct str error;        // and why; static
};

// Opens (and creates, mode 0600 in a directory made 0700) the database, locks the directory (flock), checks and
// migrates it. Errors: ERR_EXISTS another process holds it; ERR_CONF a newer schema, a corrupt or foreign file (the
// text says what to do); ERR_IO.
enum err store_open(const char *dir, struct store **out, struct errmsg *msg) MUST_CHECK;
// The same with a directory that is locked already (store_dir.h); takes the lock, also when it fails.
enum err store_open_locked(struct store_lock *lock, struct store **out, struct errmsg *msg) MUST_CHECK;
// The same in memory, committing only when store_flush() is called: for scenarios and tests.
struct store *store_open_memory(void);
// Of a store in memory: drops all that is not durable, as the end of the process would.
void store_forget(struct store *s);
// Commits what waits, ends the thread, closes. False when rows are lost, as they could not be written.
bool store_close(struct store *s);

// Hands every durable row to `each`, identities first, then registrations, subscriptions, access, lanes, records in
// order, letters, asks, state; `each` may put
// rows, but not flush. A damaged record, letter or ask is
// logged and left out. Stops at and returns the first error of `each`. ERR_CONF when the database holds what was never
// written there; ERR_IO.
enum err store_load(struct store *s, enum err (*each)(void *ud, const struct row *row), void *ud) MUST_CHECK;
// What was wrong, with the file and the row, when that was not `each`.
const char *store_load_why(const struct store *s);

// The same with the state of one adapter alone, with all that was put so far: waits for its commit. ERR_IO when that
// fails.
enum err store_load_state(struct store *s, struct str adapter, enum err (*each)(void *ud, const struct row *row),
                          void *ud) MUST_CHECK;

// The same with registrations, subscriptions, letters and asks of one user (bare JID): also those of domains and
// adapters that are not in the configuration any more.
enum err store_load_user(struct store *s, struct str user, enum err (*each)(void *ud, const struct row *row),
                         void *ud) MUST_CHECK;

// Asks for records of the journal: those of the adapter (copied) behind number `after`, at most `max`, and none more
// once they have `bytes` bytes of text. They are read by the thread once all that was put before is durable, or could
// not be made so, and handed over by store_fetched().
void store_fetch(struct store *s, struct str adapter, uint64_t after, unsigned max, size_t bytes);
// Hands over what was read since the last call, in the order of the questions: each record, then the end of each
// question, where `complete` tells that all that was put before the question was durable when it was answered, and
// that all could be read. False when there was nothing.
struct store_reader {
    void (*record)(void *ud, const struct row *row);
    void (*end)(void *ud, struct str adapter, uint64_t after, bool complete);
};
bool store_fetched(struct store *s, const struct store_reader *reader, void *ud);

// Hands over one record of the journal as it is on the disk, for people: waits for the thread. ERR_NOTFOUND.
enum err store_record(struct store *s, struct str adapter, uint64_t number,
                      void (*each)(void *ud, const struct row *row), void *ud) MUST_CHECK;

// Called from the store's thread after each commit, and each try of one, and when something was fetched; must be
// thread-safe (uv_async_send). Set before the first put.
void store_on_commit(struct store *s, void (*notify)(void *ud), void *ud);

void store_put(struct store *s, const struct row *row);
// Number of the batch that the rows put so far belong to; 0 when none was ever put.
uint64_t store_batch(const struct store *s);
// The highest durable batch.
uint64_t store_committed(const struct store *s);
// Waits until all rows put so far are durable; ERR_IO when they cannot be made so.
enum err store_flush(struct store *s) MUST_CHECK;
void store_stat(const struct store *s, struct store_stat *out);

// Begins a copy of the database at `path`, in its directory (store_copy.h), which the thread makes between its commits.
// ERR_AGAIN while one is being made, or the end of one was not asked for; ERR_IO; ERR_UNSUPPORTED in memory.
enum err store_snapshot(struct store *s, const char *path, struct errmsg *msg) MUST_CHECK;
// True, once, when it has ended, after which store_on_commit() is called too: *result and *msg tell how.
bool store_snapshot_ended(struct store *s, enum err *result, struct errmsg *msg);

// What was deleted until now, or is within STORE_SCRUB_MS, is soon nowhere in the file: it is written anew and its log
// emptied, once, when nothing waits to be committed. The log tells when that failed; it is tried again in an hour.
enum { STORE_SCRUB_MS = 3000 };
void store_scrub(struct store *s);

#endif
