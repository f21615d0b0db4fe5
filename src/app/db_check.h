/* Whether rows are such as the bridge has written and will take at its start: what `db check` tells and `db import`
 * insists on. */
#ifndef SPANDREL_APP_DB_CHECK_H
#define SPANDREL_APP_DB_CHECK_H

#include "conf/conf.h"
#include "store/store_file.h"

#include <stdio.h>

struct db_judge;

// A bridge by the configuration (read by app_control_schema: no secret is looked at), without rows. NULL with *msg.
struct db_judge *db_judge_create(const struct conf_value *config, struct errmsg *msg);
void db_judge_destroy(struct db_judge *j); // NULL is fine
// Judges a row and takes it in, as the start does: identities come first, as in an export. ERR_CONF: it is none that
// was ever written, or would be skipped. ERR_NOTFOUND: it belongs to a domain that the configuration does not have,
// which is no fault: it is kept, and not in force.
enum err db_judge_row(struct db_judge *j, const struct row *row, struct errmsg *msg) MUST_CHECK;
// "user='alice@example.org' domain='b.example'", for people.
void db_row_key(const struct row *row, struct strbuf *out);

struct db_findings {
    uint64_t rows[ROW_KINDS];
    uint64_t faults, notes;
    bool json;
    FILE *out; // each finding is written there as it is found, a line each
};

// Looks through the whole database. ERR_IO when it cannot be read.
enum err db_check_file(struct store_file *f, struct db_judge *j, struct db_findings *findings,
                       struct errmsg *msg) MUST_CHECK;

#endif
