/* `spandrel db`: copies, checks, exports and imports of the database of a configuration.
 *
 * Where no process serves the state, it is locked and read as it is; where one does, that is asked for a copy (its own
 * thread makes it, by SQLite's online backup) and the copy is read. What changes the database needs the lock. All print
 * their errors. */
#ifndef SPANDREL_APP_DB_H
#define SPANDREL_APP_DB_H

#include <stdbool.h>

enum { DB_DONE = 0, DB_FAILED = 1, DB_MISUSED = 2, DB_FAULTS = 3 }; // exit codes; FAULTS: of check alone

struct db_options {
    const char *config; // path
    const char *table;  // CSV of this table alone, or NULL
    bool csv;           // CSV, a directory with a file for each table
    bool json;          // of check: what is found, as JSON
};

int db_backup(const struct db_options *o, const char *file);
int db_restore(const struct db_options *o, const char *file);
int db_check(const struct db_options *o);
int db_export(const struct db_options *o, const char *file); // NULL: standard output
int db_import(const struct db_options *o, const char *file);

#endif
