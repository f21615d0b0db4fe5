/* The database: opened, checked, migrated; a batch written in one transaction; all rows read. One thread at a time. */
#ifndef SPANDREL_STORE_DB_H
#define SPANDREL_STORE_DB_H

#include "store/store_batch.h"

#include <sqlite3.h>

struct store_db;

enum { STORE_APPLICATION = 0x5370616e }; // PRAGMA application_id

// What became of a batch.
enum store_outcome {
    STORE_DONE,
    STORE_RETRY, // no room, or somebody is in the way: the batch is as good as it was
    STORE_FATAL, // the disk or the file cannot be trusted any more
};

// Steps from one version to the next: text[i] leads from i to i + 1 and sets user_version.
struct store_migrations {
    const char *const *text;
    int count;
};

extern const struct store_migrations store_db_migrations;

// `path` is a file, or ":memory:". ERR_EXISTS when another program has it open; ERR_CONF when it is newer than `m`,
// foreign or damaged; ERR_IO.
enum err store_db_open(const char *path, const struct store_migrations *m, struct store_db **out,
                       struct errmsg *msg) MUST_CHECK;
void store_db_close(struct store_db *db); // NULL is fine
// Writes all rows, or none. *why: static text, when it is not STORE_DONE.
enum store_outcome store_db_write(struct store_db *db, const struct store_batch *batch, const char **why);
// Moves what the log has gathered into the database, when it is worth it; nothing waits for that.
enum store_outcome store_db_checkpoint(struct store_db *db, const char **why);
// Hands over records of the journal in order: those of the adapter behind number `after`, at most `max`, and none more
// once they have `bytes` bytes of text. False when they could not all be read.
bool store_db_fetch(struct store_db *db, struct str adapter, uint64_t after, unsigned max, size_t bytes,
                    void (*each)(void *ud, const struct row *row), void *ud);
// Writes the file anew without what was deleted, and empties its log.
enum store_outcome store_db_scrub(struct store_db *db, const char **why);
// The connection, for a copy (store_copy.h).
sqlite3 *store_db_sql(struct store_db *db);
// Whether the path leads to another file by now, or to none.
bool store_db_moved(const struct store_db *db);
// As store_load(); what is not an error of `each` is told.
enum err store_db_load(struct store_db *db, enum err (*each)(void *ud, const struct row *row), void *ud,
                       struct errmsg *msg) MUST_CHECK;
enum err store_db_load_state(struct store_db *db, struct str adapter, enum err (*each)(void *ud, const struct row *row),
                             void *ud) MUST_CHECK;
enum err store_db_load_user(struct store_db *db, struct str user, enum err (*each)(void *ud, const struct row *row),
                            void *ud) MUST_CHECK;

#endif
