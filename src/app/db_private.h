/* What the files of `spandrel db` share. */
#ifndef SPANDREL_APP_DB_PRIVATE_H
#define SPANDREL_APP_DB_PRIVATE_H

#include "app/db.h"
#include "app/db_check.h"
#include "app/db_row.h"

// A database that can be read, wherever it came from.
struct db_source {
    struct conf_value *config;
    struct arena arena;
    const char *dir;         // the state directory
    struct store_lock *lock; // NULL while another process has it
    struct store_file *file; // NULL: only locked
    char *snapshot;          // owned: removed at the end
};

enum db_access { DB_READ, DB_WRITE };

// Opens by the configuration. With DB_WRITE, only the lock is taken. False after an error was printed.
bool db_source_open(struct db_source *s, const char *config, enum db_access access);
void db_source_close(struct db_source *s);
int db_fail(const struct errmsg *msg); // prints it; the exit code
// What is written takes the place of what has the name: ERR_CONF when that is a file of the bridge itself, which may be
// at work with it, or no regular file.
enum err db_target(const struct db_source *s, const char *file, struct errmsg *msg);

// The tables that CSV has, ROW_KINDS at the end.
extern const enum row_kind db_csv_tables[];

#endif
