/* Rows of the store as text: JSON, a line each, and CSV (RFC 4180). Both bring back every byte.
 *
 * JSON: the first line is {"spandrel":"export","version":1,"schema":N,"tables":[...]}, then a line for each row,
 * {"table":"identity","row":{"domain":"b.example",...}}, and last {"end":true,"rows":N}. Texts that are no UTF-8, or
 * have a NUL, are {"base64":"..."}; blobs are base64 always. CSV: a line of column names, then the rows of one table;
 * blobs are base64, all other bytes as they are. */
#ifndef SPANDREL_APP_DB_ROW_H
#define SPANDREL_APP_DB_ROW_H

#include "base/strbuf.h"
#include "store/store_table.h"

#include <stdio.h>

enum { DB_EXPORT_VERSION = 1, DB_RECORD_MAX = 128 * 1024 * 1024 };

// Each appends a line. `tables`: a bit for each enum row_kind.
void db_json_head(struct strbuf *out, int schema, unsigned tables);
void db_json_row(struct strbuf *out, const struct row *row);
void db_json_end(struct strbuf *out, uint64_t rows);
void db_csv_head(struct strbuf *out, enum row_kind kind);
void db_csv_row(struct strbuf *out, const struct row *row);

struct db_reader { // of one file; zeroed by its init
    FILE *file;    // borrowed
    bool csv;
    enum row_kind kind; // CSV: of all rows
    unsigned tables;    // that the file says to have, a bit each
    size_t line;        // of the record that was read last, from 1
    size_t next_line;
    uint64_t rows;
    struct strbuf record;
    struct arena arena; // holds the row that was read last
    unsigned order[16]; // CSV: the column of each field
    size_t fields;
    struct str *field; // CSV: of the record, in the arena
};

void db_reader_init(struct db_reader *r, FILE *file);
void db_reader_init_csv(struct db_reader *r, FILE *file, enum row_kind kind);
void db_reader_finish(struct db_reader *r);
// Reads the head: ERR_CONF when the file is no such one, is newer, or has unknown tables or columns.
enum err db_reader_head(struct db_reader *r, struct errmsg *msg) MUST_CHECK;
// The next row, valid until the next call; *end when there is none, which a JSON file says itself: one that was cut
// short is ERR_CONF. r->line tells where an error is.
enum err db_reader_next(struct db_reader *r, struct row *out, bool *end, struct errmsg *msg) MUST_CHECK;

#endif
