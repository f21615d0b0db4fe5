#include "store/store_file.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "store/store.h"
#include "store/store_copy.h"
#include "store/store_db.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MS = 2000 };

struct store_file {
    char *path; // owned
    sqlite3 *sql;
    sqlite3_stmt *put[ROW_KINDS]; // NULL until needed
    int version;
};

static enum err failed(const struct store_file *f, int rc, struct errmsg *msg)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(msg, ERR_EXISTS, "%s is in use by another program", f->path);
    case SQLITE_NOTADB:
        return err_set(msg, ERR_CONF, "%s is not a database", f->path);
    case SQLITE_NOMEM:
        err_fatal("SQLite: out of memory");
    case SQLITE_CORRUPT:
        return err_set(msg, ERR_CONF, "%s is damaged: %s", f->path, sqlite3_errmsg(f->sql));
    default:
        return err_set(msg, ERR_IO, "%s: %s", f->path, f->sql ? sqlite3_errmsg(f->sql) : sqlite3_errstr(rc));
    }
}

static int query_int(const struct store_file *f, const char *text, int *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(f->sql, text, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static enum err check_owner(struct store_file *f, struct errmsg *msg)
{
    int application = 0;
    int rc = query_int(f, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = query_int(f, "PRAGMA user_version", &f->version);
    if (rc != SQLITE_OK)
        return failed(f, rc, msg);
    if (application != STORE_APPLICATION || f->version < 1)
        return err_set(msg, ERR_CONF, "%s is no database of this program", f->path);
    if (f->version > STORE_SCHEMA)
        return err_set(msg, ERR_CONF, "%s was written by a newer version of this program (tables %d, known %d)",
                       f->path, f->version, STORE_SCHEMA);
    return ERR_OK;
}

static int open_sql(struct store_file *f)
{
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(f->path, &f->sql, SQLITE_OPEN_READWRITE | flags, NULL);
    if ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY) {
        (void)sqlite3_close(f->sql);
        rc = sqlite3_open_v2(f->path, &f->sql, SQLITE_OPEN_READONLY | flags, NULL);
    }
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(f->sql, BUSY_MS);
    return rc == SQLITE_OK ? sqlite3_exec(f->sql,
                                          "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;"
                                          "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                                          "PRAGMA secure_delete = FAST",
                                          NULL, NULL, NULL)
                           : rc;
}

enum err store_file_open(const char *path, struct store_file **out, struct errmsg *msg)
{
    if (access(path, R_OK))
        return err_set(msg, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "cannot open %s: %s", path, strerror(errno));
    struct store_file *f = MEM_NEW(struct store_file);
    f->path = mem_dup(path, strlen(path));
    int rc = open_sql(f);
    enum err e = rc == SQLITE_OK ? check_owner(f, msg) : failed(f, rc, msg);
    if (e) {
        store_file_close(f);
        return e;
    }
    *out = f;
    return ERR_OK;
}

static enum err in_dir(const char *dir, const char *name, char out[PATH_MAX], struct errmsg *msg)
{
    bool fits = snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
    return fits ? ERR_OK : err_set(msg, ERR_CONF, "%s: the path is too long", dir);
}

enum err store_file_open_present(const struct store_lock *lock, struct store_file **out, struct errmsg *msg)
{
    char path[PATH_MAX], aside[STORE_ASIDE_MAX];
    enum err e = store_file_recover(store_dir_path(lock), aside, msg);
    if (!e)
        e = in_dir(store_dir_path(lock), "spandrel.db", path, msg);
    return e ? e : store_file_open(path, out, msg);
}

// The store itself knows how to make and to migrate it.
enum err store_file_open_state(const struct store_lock *lock, struct store_file **out, struct errmsg *msg)
{
    char path[PATH_MAX], aside[STORE_ASIDE_MAX];
    struct store_db *db;
    enum err e = store_file_recover(store_dir_path(lock), aside, msg);
    if (!e)
        e = in_dir(store_dir_path(lock), "spandrel.db", path, msg);
    if (!e)
        e = store_dir_private(path, msg);
    if (!e)
        e = store_db_open(path, &store_db_migrations, &db, msg);
    if (e)
        return e;
    store_db_close(db);
    return store_file_open(path, out, msg);
}

void store_file_close(struct store_file *f)
{
    if (!f)
        return;
    for (int i = 0; i < ROW_KINDS; i++)
        (void)sqlite3_finalize(f->put[i]);
    (void)sqlite3_close(f->sql);
    mem_free(f->path);
    mem_free(f);
}

int store_file_version(const struct store_file *f)
{
    return f->version;
}

/* Checks */

static enum err tell_rows(struct store_file *f, const char *query, const char *prefix,
                          void (*found)(void *ud, struct str text), void *ud, struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    struct strbuf text;
    strbuf_init(&text, 4096);
    int rc = sqlite3_prepare_v2(f->sql, query, -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *value = (const char *)sqlite3_column_text(stmt, 0);
        strbuf_clear(&text);
        strbuf_printf(&text, "%s%.1000s", prefix, value ? value : "");
        if (*prefix || !str_eq_c(strbuf_view(&text), "ok"))
            found(ud, strbuf_view(&text));
        rc = SQLITE_OK;
    }
    strbuf_finish(&text);
    // A database that cannot be read to its end is a finding too.
    if (rc != SQLITE_DONE && ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)) {
        found(ud, str_c(sqlite3_errstr(rc)));
        rc = SQLITE_DONE;
    }
    enum err e = rc == SQLITE_DONE ? ERR_OK : failed(f, rc, msg);
    (void)sqlite3_finalize(stmt);
    return e;
}

static bool has_table(const struct store_file *f, const char *name)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite3_prepare_v2(f->sql, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    bool has = rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW;
    (void)sqlite3_finalize(stmt);
    return has;
}

struct tables {
    void (*found)(void *ud, struct str text);
    void *ud;
};

static void tell_foreign(void *ud, struct str text)
{
    const struct tables *t = ud;
    struct str name = str_sub(text, sizeof "table " - 1, text.n);
    char line[256];
    if (store_table_find(name) != ROW_KINDS)
        return;
    int n =
        snprintf(line, sizeof line, "the table " STR_FMT " is none of this program", STR_ARG(str_sub(name, 0, 128)));
    t->found(t->ud, (struct str){line, (size_t)n});
}

enum err store_file_check(struct store_file *f, void (*found)(void *ud, struct str text), void *ud, struct errmsg *msg)
{
    struct tables tables = {found, ud};
    enum err e = tell_rows(f, "PRAGMA integrity_check(100)", "", found, ud, msg);
    if (!e)
        e = tell_rows(f, "SELECT name FROM sqlite_schema WHERE type = 'table'", "table ", tell_foreign, &tables, msg);
    for (int i = 0; !e && i < ROW_KINDS && f->version == STORE_SCHEMA; i++) {
        char line[128];
        if (has_table(f, store_tables[i].name))
            continue;
        int n = snprintf(line, sizeof line, "the table %s is missing", store_tables[i].name);
        found(ud, (struct str){line, (size_t)n});
    }
    return e;
}

// The first version had no sums.
static int prepare_load(struct store_file *f, enum row_kind kind, sqlite3_stmt **out)
{
    static const char sum[] = ", sum ";
    struct str load = str_c(store_tables[kind].load);
    if (store_file_version(f) > 1)
        return sqlite3_prepare_v2(f->sql, load.p, -1, out, NULL);
    ptrdiff_t at = str_find_str(load, str_c(sum));
    assert(at > 0);
    struct arena a;
    arena_init(&a, 256);
    const struct str parts[] = {str_sub(load, 0, (size_t)at), STR(", NULL "),
                                str_sub(load, (size_t)at + sizeof sum - 1, load.n)};
    int rc = sqlite3_prepare_v2(f->sql, arena_concat(&a, parts, 3).p, -1, out, NULL);
    arena_finish(&a);
    return rc;
}

enum err store_file_each(struct store_file *f, enum row_kind kind, enum err (*each)(void *ud, const struct row *row),
                         void (*strange)(void *ud, const char *why), void *ud, struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    struct row row;
    enum err e = ERR_OK;
    if (!has_table(f, store_tables[kind].name))
        return ERR_OK;
    int rc = prepare_load(f, kind, &stmt);
    while (!e && rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct errmsg why = {""};
        rc = SQLITE_OK;
        if (!store_table_read(stmt, kind, &row, &why))
            e = each(ud, &row);
        else if (strange)
            strange(ud, why.text);
        else
            e = err_set(msg, ERR_CONF, "%s", why.text);
    }
    (void)sqlite3_finalize(stmt);
    return e || rc == SQLITE_DONE ? e : failed(f, rc, msg);
}

/* Writing */

static enum err run(struct store_file *f, const char *text, struct errmsg *msg)
{
    int rc = sqlite3_exec(f->sql, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : failed(f, rc, msg);
}

enum err store_file_begin(struct store_file *f, struct errmsg *msg)
{
    return run(f, "BEGIN IMMEDIATE", msg);
}

enum err store_file_commit(struct store_file *f, struct errmsg *msg)
{
    return run(f, "COMMIT", msg);
}

enum err store_file_clear(struct store_file *f, enum row_kind kind, struct errmsg *msg)
{
    struct arena a;
    arena_init(&a, 128);
    const struct str parts[] = {STR("DELETE FROM "), str_c(store_tables[kind].name)};
    enum err e = run(f, arena_concat(&a, parts, 2).p, msg);
    arena_finish(&a);
    return e;
}

// The store replaces a row by a later one of the same key; here that is an error.
static int prepare_put(struct store_file *f, enum row_kind kind)
{
    static const char replacing[] = "INSERT OR REPLACE";
    if (f->put[kind])
        return SQLITE_OK;
    struct arena a;
    arena_init(&a, 256);
    const char *text = store_tables[kind].put;
    assert(str_starts(str_c(text), str_c(replacing)));
    const struct str parts[] = {STR("INSERT"), str_c(text + sizeof replacing - 1)};
    int rc =
        sqlite3_prepare_v3(f->sql, arena_concat(&a, parts, 2).p, -1, SQLITE_PREPARE_PERSISTENT, &f->put[kind], NULL);
    arena_finish(&a);
    return rc;
}

enum err store_file_put(struct store_file *f, const struct row *row, struct errmsg *msg)
{
    int rc = prepare_put(f, row->kind);
    if (rc == SQLITE_OK)
        rc = store_table_bind(f->put[row->kind], row);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(f->put[row->kind]);
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        (void)sqlite3_reset(f->put[row->kind]);
        return err_set(msg, ERR_EXISTS, "there is a row with this key already");
    }
    enum err e = rc == SQLITE_DONE ? ERR_OK : failed(f, rc, msg);
    if (f->put[row->kind])
        (void)sqlite3_reset(f->put[row->kind]);
    return e;
}

enum err store_file_copy(struct store_file *f, const char *to, struct errmsg *msg)
{
    return store_copy_all(f->sql, to, msg);
}

/* The place of a database.
 *
 * "restored.db", once it has its name, is the new database: whoever opens the directory first moves the old one aside,
 * with its log, and then gives the new one the name. Each step can be done again. */

static enum err move(const char *dir, const char *from, const char *to, bool *moved, struct errmsg *msg)
{
    char source[PATH_MAX], target[PATH_MAX];
    enum err e = in_dir(dir, from, source, msg);
    if (!e)
        e = in_dir(dir, to, target, msg);
    if (e)
        return e;
    if (access(source, F_OK)) {
        *moved = false;
        return errno == ENOENT ? ERR_OK : err_set(msg, ERR_IO, "%s: %s", source, strerror(errno));
    }
    *moved = rename(source, target) == 0;
    return *moved ? ERR_OK : err_set(msg, ERR_IO, "cannot rename %s to %s: %s", source, to, strerror(errno));
}

// The name of what is moved aside tells when the new one was complete: the same at each try.
static bool aside_name(const char *restored, char out[STORE_ASIDE_MAX])
{
    struct stat st;
    struct tm t;
    if (stat(restored, &st) || !gmtime_r(&st.st_mtime, &t))
        return false;
    char when[32];
    bool told = strftime(when, sizeof when, "%Y%m%dT%H%M%S", &t) > 0;
    (void)snprintf(out, STORE_ASIDE_MAX, "spandrel.db.%s.%03ldZ", when, st.st_mtim.tv_nsec / 1000000);
    return told;
}

static enum err move_aside(const char *dir, char aside[STORE_ASIDE_MAX], struct errmsg *msg)
{
    static const char *const tails[] = {"-wal", "-shm", "-journal", ""};
    bool moved = false;
    enum err e = ERR_OK;
    for (size_t i = 0; i < sizeof tails / sizeof *tails && !e; i++) {
        char from[STORE_ASIDE_MAX], to[STORE_ASIDE_MAX + 16];
        (void)snprintf(from, sizeof from, "spandrel.db%s", tails[i]);
        (void)snprintf(to, sizeof to, "%s%s", aside, tails[i]);
        e = move(dir, from, to, &moved, msg);
    }
    if (!e && !moved)
        *aside = '\0';
    return e ? e : store_dir_sync(dir, msg);
}

enum err store_file_recover(const char *dir, char aside[STORE_ASIDE_MAX], struct errmsg *msg)
{
    char restored[PATH_MAX];
    bool moved = false;
    *aside = '\0';
    enum err e = in_dir(dir, "restored.db", restored, msg);
    if (e || access(restored, F_OK))
        return e;
    if (!aside_name(restored, aside))
        return err_set(msg, ERR_IO, "%s: %s", restored, strerror(errno));
    e = move_aside(dir, aside, msg);
    if (!e)
        e = move(dir, "restored.db", "spandrel.db", &moved, msg);
    return e ? e : store_dir_sync(dir, msg);
}

enum err store_file_restore(struct store_file *f, const struct store_lock *lock, char aside[STORE_ASIDE_MAX],
                            struct errmsg *msg)
{
    char restored[PATH_MAX];
    enum err e = store_file_recover(store_dir_path(lock), aside, msg); // of an earlier one
    if (!e)
        e = in_dir(store_dir_path(lock), "restored.db", restored, msg);
    if (!e)
        e = store_file_copy(f, restored, msg);
    return e ? e : store_file_recover(store_dir_path(lock), aside, msg);
}
