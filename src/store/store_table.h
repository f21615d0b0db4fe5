/* How each kind of row lies in its table: the one place that knows columns, for writing, reading and keys alike. */
#ifndef SPANDREL_STORE_TABLE_H
#define SPANDREL_STORE_TABLE_H

#include "core/row.h"

#include <sqlite3.h>

// Numbers: a member that holds what its name says, in the bounds of what was ever written.
enum store_column_type {
    COLUMN_TEXT,
    COLUMN_BLOB,
    COLUMN_KIND,   // enum identity_kind
    COLUMN_FLAG,   // bool
    COLUMN_SET,    // of enum subscription
    COLUMN_TYPE,   // enum message_type
    COLUMN_LETTER, // enum letter_state
    COLUMN_COUNT,  // unsigned
    COLUMN_NUMBER, // uint64_t
    COLUMN_TIME,   // int64_t
};

struct store_column {
    enum store_column_type type;
    size_t offset; // in struct row
};

struct store_table {
    const char *name;
    const char *put;    // parameters: the columns in order, and their sum
    const char *remove; // parameters: the key columns
    const char *load;   // gives the columns in order, and their sum
    const char *after;  // carried out after `put`, with its first parameters; NULL: nothing
    const struct store_column *column;
    unsigned columns;
    unsigned keys; // the first columns
};

extern const struct store_table store_tables[ROW_KINDS]; // by enum row_kind

// The string a column stands for, or NULL when it is a number.
const struct str *store_table_str(const struct row *row, const struct store_column *c);
struct str *store_table_str_of(struct row *row, const struct store_column *c);
// The same of one that is a number; setting it is false when that was never written there.
int64_t store_table_number(const struct row *row, const struct store_column *c);
bool store_table_set_number(struct row *row, const struct store_column *c, int64_t n);
// The name of a column in the database, borrowed.
struct str store_table_column(enum row_kind kind, unsigned at);
// By its name; ROW_KINDS when there is none.
enum row_kind store_table_find(struct str name);
// Binds the columns of the row in order, as far as the statement has parameters, and behind all of them their sum; an
// SQLite code. The strings must live until the statement is reset.
int store_table_bind(sqlite3_stmt *stmt, const struct row *row);
// Reads the row a `load` statement stands on: strings are valid until its next step. ERR_CONF when a value is none that
// was ever written, or the row is not as it was written: the text names the file, the table, the row and the value.
enum err store_table_read(sqlite3_stmt *stmt, enum row_kind kind, struct row *out, struct errmsg *msg) MUST_CHECK;

#endif
