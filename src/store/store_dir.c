#include "store/store_dir.h"

#include "base/mem.h"
#include "base/strbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err make_dir(const char *dir, struct errmsg *msg)
{
    struct stat st;
    if (mkdir(dir, 0700) && errno != EEXIST)
        return err_set(msg, ERR_IO, "cannot make the directory %s: %s", dir, strerror(errno));
    if (stat(dir, &st))
        return err_set(msg, ERR_IO, "%s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(msg, ERR_CONF, "%s is not a directory", dir);
    if (st.st_mode & S_IWOTH)
        return err_set(msg, ERR_CONF, "all users may write to %s: chmod o-w it", dir);
    return ERR_OK;
}

// Who holds the lock, as it wrote itself; 0 when it does not say.
static long holder(int lock)
{
    char text[32];
    int64_t pid = 0;
    ssize_t n = pread(lock, text, sizeof text, 0);
    if (n <= 0 || !str_to_i64(str_trim((struct str){text, (size_t)n}), &pid))
        return 0;
    return (long)pid;
}

static enum err take(int lock, const char *dir, struct errmsg *msg)
{
    char text[32];
    if (flock(lock, LOCK_EX | LOCK_NB)) {
        if (errno == EWOULDBLOCK)
            return err_set(msg, ERR_EXISTS, "process %ld uses %s: two may not share a state directory", holder(lock),
                           dir);
        return err_set(msg, ERR_IO, "cannot lock %s: %s", dir, strerror(errno));
    }
    // The number is only for the message above: it is no error when a full disk does not take it.
    int n = snprintf(text, sizeof text, "%-20ld\n", (long)getpid());
    ssize_t written = pwrite(lock, text, (size_t)n, 0);
    (void)written;
    return ERR_OK;
}

enum err store_dir_lock(const char *dir, int *lock, struct errmsg *msg)
{
    char path[PATH_MAX];
    enum err e = make_dir(dir, msg);
    if (e)
        return e;
    if (snprintf(path, sizeof path, "%s/lock", dir) >= (int)sizeof path)
        return err_set(msg, ERR_CONF, "%s: the path is too long", dir);
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock < 0)
        return err_set(msg, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    e = take(*lock, dir, msg);
    if (e)
        (void)close(*lock);
    return e;
}

void store_dir_unlock(int lock)
{
    (void)close(lock);
}

enum err store_dir_private(const char *path, struct errmsg *msg)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(msg, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    bool failed = fstat(fd, &st) || ((st.st_mode & 0077) && fchmod(fd, 0600));
    enum err e = failed ? err_set(msg, ERR_IO, "cannot make %s private: %s", path, strerror(errno)) : ERR_OK;
    (void)close(fd);
    return e;
}
