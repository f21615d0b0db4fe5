/* A file system for SQLite that fails on demand, over the real one. Its files have no shared memory: a database that
 * works on it proves that it needs none. */
#ifndef TESTS_FAULT_VFS_H
#define TESTS_FAULT_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

struct fault {
    atomic_int write; // the code that writes return; 0: they work
    atomic_int sync;
    atomic_int read;
    atomic_int temporary;  // the code that the opening of a file without a name returns
    atomic_bool main_only; // writes fail in the database itself, not in its log
    atomic_int after;      // so many calls of the kinds above go well before
};

static struct fault fault;

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real;
    bool main;
};

static sqlite3_vfs *fault_real_vfs;

static inline sqlite3_file *fault_real(sqlite3_file *file)
{
    return ((struct fault_file *)(void *)file)->real;
}

static inline int fault_of(atomic_int *code)
{
    int rc = atomic_load(code);
    if (rc && atomic_load(&fault.after) > 0) {
        atomic_fetch_sub(&fault.after, 1);
        return SQLITE_OK;
    }
    return rc;
}

static inline int fault_close(sqlite3_file *f)
{
    sqlite3_file *real = fault_real(f);
    return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static inline int fault_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
    int rc = fault_of(&fault.read);
    return rc ? rc : fault_real(f)->pMethods->xRead(fault_real(f), out, n, at);
}

static inline int fault_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
    bool spared = atomic_load(&fault.main_only) && !((struct fault_file *)(void *)f)->main;
    int rc = spared ? SQLITE_OK : fault_of(&fault.write);
    return rc ? rc : fault_real(f)->pMethods->xWrite(fault_real(f), bytes, n, at);
}

static inline int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return fault_real(f)->pMethods->xTruncate(fault_real(f), size);
}

static inline int fault_sync(sqlite3_file *f, int flags)
{
    int rc = fault_of(&fault.sync);
    return rc ? rc : fault_real(f)->pMethods->xSync(fault_real(f), flags);
}

static inline int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return fault_real(f)->pMethods->xFileSize(fault_real(f), size);
}

static inline int fault_lock(sqlite3_file *f, int lock)
{
    return fault_real(f)->pMethods->xLock(fault_real(f), lock);
}

static inline int fault_unlock(sqlite3_file *f, int lock)
{
    return fault_real(f)->pMethods->xUnlock(fault_real(f), lock);
}

static inline int fault_check_lock(sqlite3_file *f, int *out)
{
    return fault_real(f)->pMethods->xCheckReservedLock(fault_real(f), out);
}

static inline int fault_control(sqlite3_file *f, int op, void *arg)
{
    return fault_real(f)->pMethods->xFileControl(fault_real(f), op, arg);
}

static inline int fault_sector(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xSectorSize(fault_real(f));
}

static inline int fault_characteristics(sqlite3_file *f)
{
    return fault_real(f)->pMethods->xDeviceCharacteristics(fault_real(f));
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 1,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_check_lock,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_characteristics,
};

static inline int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    struct fault_file *file = (struct fault_file *)(void *)f;
    file->real = (sqlite3_file *)(void *)(file + 1);
    file->main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    f->pMethods = NULL;
    memset(file->real, 0, (size_t)fault_real_vfs->szOsFile);
    int rc = name ? 0 : atomic_load(&fault.temporary);
    if (rc)
        return rc; // as it is without methods, nobody closes it
    rc = fault_real_vfs->xOpen(fault_real_vfs, name, file->real, flags, out);
    f->pMethods = file->real->pMethods ? &fault_methods : NULL;
    return rc;
}

// From now on every database of this process is opened there.
static inline void fault_install(void)
{
    static sqlite3_vfs vfs;
    fault_real_vfs = sqlite3_vfs_find(NULL);
    vfs = *fault_real_vfs;
    vfs.zName = "fault";
    vfs.szOsFile = (int)sizeof(struct fault_file) + fault_real_vfs->szOsFile;
    vfs.xOpen = fault_open;
    (void)sqlite3_vfs_register(&vfs, 1);
}

static inline void fault_clear(void)
{
    atomic_store(&fault.write, 0);
    atomic_store(&fault.sync, 0);
    atomic_store(&fault.read, 0);
    atomic_store(&fault.temporary, 0);
    atomic_store(&fault.after, 0);
    atomic_store(&fault.main_only, false);
}

#endif
