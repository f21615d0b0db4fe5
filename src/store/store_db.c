/* SQLite in WAL mode, under an exclusive lock: the index of the log lives in our memory and no other program gets
 * between.
 *
 * A commit is durable when COMMIT returns (synchronous=FULL: the log is synced). Moving the log into the database is a
 * step of its own, after the commit was told, so that no acknowledgement waits for it and its errors are seen.
 *
 * A write that fails for want of room is rolled back and can be tried again. After a failed read, write or sync nobody
 * knows what the file holds (the kernel drops the pages that it could not write and reports them once), so that outcome
 * is fatal: the next start reads what is really there. */
#include "store/store_db.h"

#include "base/log.h"
#include "store/store.h"
#include "store/store_table.h"

#include <assert.h>
#include <errno.h>

enum { LOG_PAGES = 1000, BUSY_MS = 2000 };

struct store_db {
    sqlite3 *sql;
    sqlite3_stmt *begin, *commit, *rollback;
    sqlite3_stmt *put[ROW_KINDS], *remove[ROW_KINDS], *after[ROW_KINDS];
    sqlite3_stmt *fetch;
    int log_pages; // in the log after the last commit
};

static const char version_1[] =
    "CREATE TABLE identity ("
    " domain TEXT NOT NULL, local TEXT NOT NULL, scope TEXT NOT NULL, adapter TEXT NOT NULL, key TEXT NOT NULL,"
    " kind INTEGER NOT NULL, quarantined INTEGER NOT NULL, name TEXT NOT NULL, cls TEXT NOT NULL, grp TEXT NOT NULL,"
    " since INTEGER NOT NULL, PRIMARY KEY (domain, local, scope)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE subscription (user TEXT NOT NULL, domain TEXT NOT NULL, local TEXT NOT NULL, state INTEGER NOT NULL,"
    " PRIMARY KEY (user, domain, local)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE registration (user TEXT NOT NULL, domain TEXT NOT NULL, PRIMARY KEY (user, domain))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE access (number INTEGER PRIMARY KEY, rule TEXT NOT NULL) STRICT;"
    "CREATE TABLE state (adapter TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (adapter, key))"
    " STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 1399873902;" // STORE_APPLICATION
    "PRAGMA user_version = 1";

// Sums over rows, and the journal: what was accepted for delivery, how far that is, and what of it could not be
// delivered to whom.
static const char version_2[] =
    "ALTER TABLE identity ADD COLUMN sum INTEGER;"
    "ALTER TABLE subscription ADD COLUMN sum INTEGER;"
    "ALTER TABLE registration ADD COLUMN sum INTEGER;"
    "ALTER TABLE access ADD COLUMN sum INTEGER;"
    "ALTER TABLE state ADD COLUMN sum INTEGER;"
    "CREATE TABLE lane (adapter TEXT NOT NULL PRIMARY KEY, trimmed INTEGER NOT NULL, settled INTEGER NOT NULL,"
    " fenced INTEGER NOT NULL, user TEXT NOT NULL, boot TEXT NOT NULL, dead INTEGER NOT NULL,"
    " expired INTEGER NOT NULL, since INTEGER NOT NULL, sum INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE TABLE journal (adapter TEXT NOT NULL, number INTEGER NOT NULL, key TEXT NOT NULL, user TEXT NOT NULL,"
    " id TEXT NOT NULL, body TEXT NOT NULL, type INTEGER NOT NULL, stamp INTEGER NOT NULL, at INTEGER NOT NULL,"
    " sum INTEGER, PRIMARY KEY (adapter, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE letter (number INTEGER PRIMARY KEY, adapter TEXT NOT NULL, record INTEGER NOT NULL,"
    " local TEXT NOT NULL, user TEXT NOT NULL, id TEXT NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL, "
    "since INTEGER NOT NULL,"
    " next INTEGER NOT NULL, why TEXT NOT NULL, sum INTEGER) STRICT;"
    "CREATE INDEX letter_record ON letter (adapter, record);"
    "CREATE TABLE ask (number INTEGER PRIMARY KEY, user TEXT NOT NULL, domain TEXT NOT NULL, local TEXT NOT NULL,"
    " id TEXT NOT NULL, type INTEGER NOT NULL, at INTEGER NOT NULL, why TEXT NOT NULL, sum INTEGER) STRICT;"
    "PRAGMA user_version = 2";

// What a record has beside its text, and who is in which room elsewhere. What was written without is summed anew.
static const char version_3[] =
    "ALTER TABLE journal ADD COLUMN extra TEXT NOT NULL DEFAULT '';"
    "UPDATE journal SET sum = NULL;"
    "CREATE TABLE guest (domain TEXT NOT NULL, local TEXT NOT NULL, room TEXT NOT NULL, nick TEXT NOT NULL,"
    " since INTEGER NOT NULL, sum INTEGER, PRIMARY KEY (domain, local, room)) STRICT, WITHOUT ROWID;"
    "PRAGMA user_version = 3";

static const char *const versions[] = {version_1, version_2, version_3};
static_assert(sizeof versions / sizeof *versions == STORE_SCHEMA, "store.h tells another version");
const struct store_migrations store_db_migrations = {versions, sizeof versions / sizeof *versions};

// The error of a call at opening, for people.
static enum err open_error(const struct store_db *db, int rc, const char *path, struct errmsg *msg)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(msg, ERR_EXISTS, "%s is in use by another program", path);
    case SQLITE_NOTADB:
        return err_set(msg, ERR_CONF, "%s is not a database: move it away, or name another state directory", path);
    case SQLITE_CORRUPT:
        return err_set(msg, ERR_CONF, "%s is damaged: restore a backup, or move it away to begin anew", path);
    case SQLITE_NOMEM:
        err_fatal("SQLite: out of memory");
    default:
        return err_set(msg, ERR_IO, "%s: %s", path, db->sql ? sqlite3_errmsg(db->sql) : sqlite3_errstr(rc));
    }
}

static int exec(const struct store_db *db, const char *text)
{
    return sqlite3_exec(db->sql, text, NULL, NULL, NULL);
}

static int query_int(const struct store_db *db, const char *text, int *out)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->sql, text, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *out = rc == SQLITE_ROW ? sqlite3_column_int(stmt, 0) : 0;
        int end = sqlite3_finalize(stmt);
        rc = rc == SQLITE_ROW ? SQLITE_OK : end;
    }
    return rc;
}

static enum err check_owner(const struct store_db *db, int version, int count, const char *path, struct errmsg *msg)
{
    static const struct log_ctx log_store = {.sub = LOG_SUB_store};
    int application, tables;
    int rc = query_int(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = query_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return open_error(db, rc, path, msg);
    bool fresh = application == 0 && version == 0 && tables == 0;
    if (!fresh && application != STORE_APPLICATION)
        return err_set(msg, ERR_CONF, "%s belongs to another program: name another state directory", path);
    if (fresh && *path == '/')
        log_info(&log_store, LOG_MSG("there is no state yet: beginning with none"), LOG_C("file", path));
    if (version > count)
        return err_set(msg, ERR_CONF,
                       "%s was written by a newer version of this program (tables %d, known %d): run that one", path,
                       version, count);
    return ERR_OK;
}

static int migrate(const struct store_db *db, const struct store_migrations *m, int version)
{
    int rc = exec(db, "BEGIN IMMEDIATE");
    for (int i = version; i < m->count && rc == SQLITE_OK; i++)
        rc = exec(db, m->text[i]);
    if (rc == SQLITE_OK)
        rc = exec(db, "COMMIT");
    if (rc != SQLITE_OK && !sqlite3_get_autocommit(db->sql))
        (void)exec(db, "ROLLBACK");
    return rc;
}

static enum err check_pages(const struct store_db *db, const char *path, struct errmsg *msg)
{
    sqlite3_stmt *stmt;
    int rc = sqlite3_prepare_v2(db->sql, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *found = (const char *)sqlite3_column_text(stmt, 0);
        rc = found && strcmp(found, "ok") == 0 ? SQLITE_OK : SQLITE_CORRUPT;
    }
    enum err e = rc == SQLITE_OK ? ERR_OK : open_error(db, rc, path, msg);
    (void)sqlite3_finalize(stmt);
    return e;
}

static int on_log(void *ud, sqlite3 *sql, const char *name, int pages)
{
    struct store_db *db = ud;
    (void)sql, (void)name;
    db->log_pages = pages;
    return SQLITE_OK;
}

static int configure(struct store_db *db)
{
    (void)sqlite3_wal_hook(db->sql, on_log, db);
    return exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216;"
                    "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = FAST;"
                    "BEGIN IMMEDIATE; COMMIT");
}

static int lock_and_read_version(struct store_db *db, int *version)
{
    int rc = sqlite3_busy_timeout(db->sql, BUSY_MS);
    // Before anything is read: then the log needs no shared memory.
    if (rc == SQLITE_OK)
        rc = exec(db, "PRAGMA locking_mode = EXCLUSIVE");
    return rc == SQLITE_OK ? query_int(db, "PRAGMA user_version", version) : rc;
}

static enum err configure_and_check(struct store_db *db, const char *path, struct errmsg *msg)
{
    int rc = configure(db);
    return rc == SQLITE_OK ? check_pages(db, path, msg) : open_error(db, rc, path, msg);
}

static int prepare(const struct store_db *db, const char *text, sqlite3_stmt **out)
{
    return sqlite3_prepare_v3(db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
}

static int prepare_all(struct store_db *db)
{
    int rc = prepare(db, "BEGIN IMMEDIATE", &db->begin);
    if (rc == SQLITE_OK)
        rc = prepare(db, "COMMIT", &db->commit);
    if (rc == SQLITE_OK)
        rc = prepare(db, "ROLLBACK", &db->rollback);
    if (rc == SQLITE_OK)
        rc = prepare(db,
                     "SELECT adapter, number, key, user, id, body, type, stamp, at, extra, sum FROM journal"
                     " WHERE adapter = ?1 AND number > ?2 ORDER BY number",
                     &db->fetch);
    for (int i = 0; i < ROW_KINDS && rc == SQLITE_OK; i++) {
        rc = prepare(db, store_tables[i].put, &db->put[i]);
        if (rc == SQLITE_OK)
            rc = prepare(db, store_tables[i].remove, &db->remove[i]);
        if (rc == SQLITE_OK && store_tables[i].after)
            rc = prepare(db, store_tables[i].after, &db->after[i]);
    }
    return rc;
}

// Nothing is written to a file before it is known to be ours.
static enum err open_file(struct store_db *db, const char *path, const struct store_migrations *m, struct errmsg *msg)
{
    int version = 0;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, &db->sql, flags, NULL);
    if (rc == SQLITE_OK)
        rc = lock_and_read_version(db, &version);
    if (rc != SQLITE_OK)
        return open_error(db, rc, path, msg);
    enum err e = check_owner(db, version, m->count, path, msg);
    if (!e)
        e = configure_and_check(db, path, msg);
    if (e)
        return e;
    if (version < m->count)
        rc = migrate(db, m, version);
    if (rc == SQLITE_OK)
        rc = prepare_all(db);
    return rc == SQLITE_OK ? ERR_OK : open_error(db, rc, path, msg);
}

enum err store_db_open(const char *path, const struct store_migrations *m, struct store_db **out, struct errmsg *msg)
{
    struct store_db *db = MEM_NEW(struct store_db);
    enum err e = open_file(db, path, m, msg);
    if (e) {
        store_db_close(db);
        return e;
    }
    *out = db;
    return ERR_OK;
}

void store_db_close(struct store_db *db)
{
    if (!db)
        return;
    (void)sqlite3_finalize(db->begin);
    (void)sqlite3_finalize(db->commit);
    (void)sqlite3_finalize(db->rollback);
    (void)sqlite3_finalize(db->fetch);
    for (int i = 0; i < ROW_KINDS; i++) {
        (void)sqlite3_finalize(db->put[i]);
        (void)sqlite3_finalize(db->remove[i]);
        (void)sqlite3_finalize(db->after[i]);
    }
    (void)sqlite3_close(db->sql);
    mem_free(db);
}

// Runs a statement that gives no rows.
static int run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    (void)sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int run_with(sqlite3_stmt *stmt, const struct row *row)
{
    int rc = store_table_bind(stmt, row);
    return rc == SQLITE_OK ? run(stmt) : rc;
}

static int write_row(struct store_db *db, const struct row *row)
{
    if (row->gone)
        return run_with(db->remove[row->kind], row);
    return run_with(db->put[row->kind], row);
}

// What follows from it, once all rows are in: a record that is not kept any more may have got a letter in this batch.
static int write_after(struct store_db *db, const struct row *row)
{
    sqlite3_stmt *after = row->gone ? NULL : db->after[row->kind];
    return after ? run_with(after, row) : SQLITE_OK;
}

static int write_rows(struct store_db *db, const struct store_batch *batch)
{
    struct store_order order;
    store_batch_sort(batch, &order);
    int rc = run(db->begin);
    for (size_t i = 0; rc == SQLITE_OK && i < order.count; i++)
        rc = write_row(db, order.row[i]);
    for (size_t i = 0; rc == SQLITE_OK && i < order.count; i++)
        rc = write_after(db, order.row[i]);
    store_order_finish(&order);
    return rc == SQLITE_OK ? run(db->commit) : rc;
}

// The system's error of the last write to the file that `pointer` (SQLITE_FCNTL_..._POINTER) names:
// sqlite3_system_errno() has none of a commit.
static int write_errno(const struct store_db *db, int pointer)
{
    sqlite3_file *file = NULL;
    int error = 0;
    if (sqlite3_file_control(db->sql, "main", pointer, &file) == SQLITE_OK && file && file->pMethods)
        (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

// A quota or a limit on the size of files looks like a broken disk to SQLite.
static bool is_for_want_of_room(const struct store_db *db, int rc, int pointer)
{
    int error = rc == SQLITE_IOERR_WRITE ? write_errno(db, pointer) : 0;
    return (rc & 0xff) == SQLITE_FULL || error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static enum store_outcome outcome(const struct store_db *db, int rc, int pointer, const char **why)
{
    *why = sqlite3_errstr(rc);
    if (is_for_want_of_room(db, rc, pointer)) {
        *why = sqlite3_errstr(SQLITE_FULL);
        return STORE_RETRY;
    }
    switch (rc & 0xff) {
    case SQLITE_OK:
        return STORE_DONE;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM:
        return STORE_FATAL;
    default:
        return STORE_RETRY;
    }
}

enum store_outcome store_db_write(struct store_db *db, const struct store_batch *batch, const char **why)
{
    int rc = write_rows(db, batch);
    enum store_outcome out = outcome(db, rc, SQLITE_FCNTL_JOURNAL_POINTER, why);
    if (out != STORE_DONE && !sqlite3_get_autocommit(db->sql) && run(db->rollback) != SQLITE_OK)
        out = STORE_FATAL;
    return out;
}

enum store_outcome store_db_checkpoint(struct store_db *db, const char **why)
{
    if (db->log_pages < LOG_PAGES)
        return STORE_DONE;
    int rc = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc == SQLITE_OK)
        db->log_pages = 0;
    return outcome(db, rc, SQLITE_FCNTL_FILE_POINTER, why);
}

sqlite3 *store_db_sql(struct store_db *db)
{
    return db->sql;
}

// Files of SQLite's own, for which it looks for a directory (/var/tmp, /tmp), are no part of the database: that is as
// it was when one of them fails, and no reason to end. Where its log is broken, the next commit tells.
enum store_outcome store_db_scrub(struct store_db *db, const char **why)
{
    int rc = exec(db, "VACUUM");
    if ((rc & 0xff) == SQLITE_IOERR) {
        *why = rc == SQLITE_IOERR_GETTEMPPATH ? "no directory for temporary files can be written (SQLITE_TMPDIR, /tmp)"
                                              : sqlite3_errstr(rc);
        return STORE_RETRY;
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_wal_checkpoint_v2(db->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK)
        db->log_pages = 0;
    return outcome(db, rc, SQLITE_FCNTL_JOURNAL_POINTER, why);
}

bool store_db_moved(const struct store_db *db)
{
    int moved = 0;
    return sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

typedef enum err each_row(void *ud, const struct row *row);

static const struct log_ctx log_db = {.sub = LOG_SUB_store};

// One message that is lost is no reason not to deliver the others.
static bool skippable(enum row_kind kind)
{
    return kind == ROW_RECORD || kind == ROW_LETTER || kind == ROW_ASK || kind == ROW_GUEST;
}

static enum err skip(const struct errmsg *msg)
{
    log_error(&log_db, LOG_MSG("a damaged row is skipped: its message is lost"), LOG_C("row", msg->text));
    return ERR_OK;
}

// Hands over what the statement gives, and ends it.
static enum err read_rows(const struct store_db *db, sqlite3_stmt *stmt, enum row_kind kind, each_row *each, void *ud,
                          struct errmsg *msg)
{
    struct row row;
    enum err e = ERR_OK;
    int rc;
    while (!e && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        e = store_table_read(stmt, kind, &row, msg);
        if (!e)
            e = each(ud, &row);
        else if (skippable(kind))
            e = skip(msg);
    }
    (void)sqlite3_finalize(stmt);
    if (e)
        return e;
    return rc == SQLITE_DONE ? ERR_OK : open_error(db, rc, sqlite3_db_filename(db->sql, "main"), msg);
}

static enum err load_kind(struct store_db *db, enum row_kind kind, each_row *each, void *ud, struct errmsg *msg)
{
    sqlite3_stmt *stmt;
    int rc = prepare(db, store_tables[kind].load, &stmt);
    if (rc != SQLITE_OK)
        return open_error(db, rc, sqlite3_db_filename(db->sql, "main"), msg);
    return read_rows(db, stmt, kind, each, ud, msg);
}

enum err store_db_load_state(struct store_db *db, struct str adapter, each_row *each, void *ud)
{
    struct errmsg msg;
    sqlite3_stmt *stmt;
    if (prepare(db, "SELECT adapter, key, value, sum FROM state WHERE adapter = ?1", &stmt) != SQLITE_OK)
        return ERR_IO;
    (void)sqlite3_bind_text(stmt, 1, adapter.p, (int)adapter.n, SQLITE_STATIC);
    return read_rows(db, stmt, ROW_STATE, each, ud, &msg);
}

struct of_user {
    struct str user;
    each_row *each;
    void *ud;
};

// Also with a resource.
static enum err pass_on(void *ud, const struct row *row)
{
    const struct of_user *u = ud;
    bool his = str_starts(row->user, u->user) && (row->user.n == u->user.n || row->user.p[u->user.n] == '/');
    return his ? u->each(u->ud, row) : ERR_OK;
}

enum err store_db_load_user(struct store_db *db, struct str user, each_row *each, void *ud)
{
    static const enum row_kind kinds[] = {ROW_REGISTRATION, ROW_SUBSCRIPTION, ROW_LETTER, ROW_ASK};
    struct of_user his = {user, each, ud};
    struct errmsg msg;
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !e; i++)
        e = load_kind(db, kinds[i], pass_on, &his, &msg);
    return e;
}

bool store_db_fetch(struct store_db *db, struct str adapter, uint64_t after, unsigned max, size_t bytes,
                    void (*each)(void *ud, const struct row *row), void *ud)
{
    struct row row;
    struct errmsg msg;
    (void)sqlite3_bind_text64(db->fetch, 1, adapter.p, adapter.n, SQLITE_STATIC, SQLITE_UTF8);
    (void)sqlite3_bind_int64(db->fetch, 2, (int64_t)after);
    int rc = SQLITE_ROW;
    for (size_t got = 0; max && got < bytes && (rc = sqlite3_step(db->fetch)) == SQLITE_ROW; max--) {
        if (store_table_read(db->fetch, ROW_RECORD, &row, &msg)) {
            (void)skip(&msg);
            continue;
        }
        got += row.text.n;
        each(ud, &row);
    }
    (void)sqlite3_reset(db->fetch);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

enum err store_db_load(struct store_db *db, each_row *each, void *ud, struct errmsg *msg)
{
    static const enum row_kind order[] = {ROW_IDENTITY, ROW_REGISTRATION, ROW_SUBSCRIPTION, ROW_ACCESS, ROW_GUEST,
                                          ROW_LANE,     ROW_RECORD,       ROW_LETTER,       ROW_ASK,    ROW_STATE};
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof order / sizeof *order && !e; i++)
        e = load_kind(db, order[i], each, ud, msg);
    return e;
}
