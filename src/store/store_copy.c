#include "store/store_copy.h"

#include "base/mem.h"
#include "base/strbuf.h"
#include "store/store_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct store_copy {
    char *to, *part; // owned
    sqlite3 *sql;
    sqlite3_backup *backup;
};

static char *part_of(const char *to)
{
    struct strbuf name;
    strbuf_init(&name, 8192);
    strbuf_printf(&name, "%s.part", to);
    char *part = mem_dup(name.p ? name.p : "", name.n);
    strbuf_finish(&name);
    return part;
}

static enum err failed(const struct store_copy *c, int rc, struct errmsg *msg)
{
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
        return err_set(msg, ERR_CONF, "what is to be copied to %s is damaged: %s", c->to, sqlite3_errstr(rc));
    return err_set(msg, ERR_IO, "cannot write %s: %s", c->part, sqlite3_errstr(rc));
}

static enum err open_part(struct store_copy *c, sqlite3 *from, struct errmsg *msg)
{
    (void)unlink(c->part); // of one that was killed
    enum err e = store_dir_private(c->part, msg);
    if (e)
        return e;
    int rc =
        sqlite3_open_v2(c->part, &c->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK) // synced as a whole at its end
        rc = sqlite3_exec(c->sql, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    if (rc == SQLITE_OK && !(c->backup = sqlite3_backup_init(c->sql, "main", from, "main")))
        rc = sqlite3_extended_errcode(c->sql);
    return rc == SQLITE_OK ? ERR_OK : failed(c, rc, msg);
}

enum err store_copy_begin(sqlite3 *from, const char *to, struct store_copy **out, struct errmsg *msg)
{
    struct store_copy *c = MEM_NEW(struct store_copy);
    c->to = mem_dup(to, strlen(to));
    c->part = part_of(to);
    enum err e = open_part(c, from, msg);
    if (e) {
        store_copy_abort(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

enum err store_copy_step(struct store_copy *c, int pages, bool *done, struct errmsg *msg)
{
    int rc = sqlite3_backup_step(c->backup, pages);
    *done = rc == SQLITE_DONE;
    return rc == SQLITE_DONE || rc == SQLITE_OK ? ERR_OK : failed(c, rc, msg);
}

static void destroy(struct store_copy *c)
{
    if (c->backup)
        (void)sqlite3_backup_finish(c->backup);
    (void)sqlite3_close(c->sql);
    mem_free(c->to);
    mem_free(c->part);
    mem_free(c);
}

void store_copy_abort(struct store_copy *c)
{
    if (!c)
        return;
    (void)unlink(c->part);
    destroy(c);
}

enum err store_copy_check(sqlite3 *sql, const char *name, struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(sql, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    enum err e = ERR_OK;
    if (rc != SQLITE_ROW)
        e = err_set(msg, ERR_CONF, "%s: %s", name, sqlite3_errstr(rc));
    else if (!str_eq_c(str_c((const char *)sqlite3_column_text(stmt, 0)), "ok"))
        e = err_set(msg, ERR_CONF, "%s is damaged: %s", name, (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    return e;
}

// Ends the copying; from here on it is a database of its own.
static enum err complete(struct store_copy *c, bool verify, struct errmsg *msg)
{
    int rc = sqlite3_backup_finish(c->backup);
    c->backup = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(c->sql, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return failed(c, rc, msg);
    enum err e = verify ? store_copy_check(c->sql, c->part, msg) : ERR_OK;
    rc = sqlite3_close(c->sql);
    c->sql = NULL;
    return e || rc == SQLITE_OK ? e : failed(c, rc, msg);
}

static enum err sync_file(const char *path, struct errmsg *msg)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    enum err e = synced ? ERR_OK : err_set(msg, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return e;
}

static enum err sync_parent(const char *path, struct errmsg *msg)
{
    struct str dir, base;
    bool inside = str_rcut(str_c(path), '/', &dir, &base);
    char *parent = mem_dup(dir.n ? dir.p : "/", dir.n ? dir.n : 1);
    enum err e = store_dir_sync(inside ? parent : ".", msg);
    mem_free(parent);
    return e;
}

enum err store_copy_finish(struct store_copy *c, bool verify, struct errmsg *msg)
{
    enum err e = complete(c, verify, msg);
    if (!e)
        e = sync_file(c->part, msg);
    if (!e && rename(c->part, c->to))
        e = err_set(msg, ERR_IO, "cannot make %s: %s", c->to, strerror(errno));
    if (!e)
        e = sync_parent(c->to, msg);
    if (e)
        (void)unlink(c->part);
    destroy(c);
    return e;
}

enum err store_copy_all(sqlite3 *from, const char *to, struct errmsg *msg)
{
    struct store_copy *c;
    bool done = false;
    enum err e = store_copy_begin(from, to, &c, msg);
    if (e)
        return e;
    e = store_copy_step(c, -1, &done, msg);
    if (!e)
        return store_copy_finish(c, true, msg);
    store_copy_abort(c);
    return e;
}
