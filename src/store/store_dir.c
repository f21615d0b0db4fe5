#include "store/store_dir.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { OPEN_TRIES = 5, BACKLOG = 8 };

struct store_lock {
    char *dir;
    int name; // the abstract socket; -1 when somebody else's process has its name
    int file; // of a higher number, as a process that dies closes it last: who has the name has the file
    dev_t dev;
    ino_t ino;
};

// What SO_PEERCRED gives (unix(7)).
struct credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

static const struct log_ctx log_dir = {.sub = LOG_SUB_store};

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

/* The name */

static struct str without_slashes(struct str path)
{
    while (path.n > 1 && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

// Of the directory's place: whatever lies there, it is one name. False when the parent cannot be looked at.
static bool place_address(const char *dir, struct sockaddr_un *addr, socklen_t *size)
{
    struct str path = without_slashes(str_c(dir)), parent, base;
    if (!str_rcut(path, '/', &parent, &base)) {
        base = path;
        parent = STR(".");
    }
    struct arena a;
    struct stat st;
    uint8_t digest[32];
    arena_init(&a, 512);
    bool there = stat(parent.n ? arena_cstr(&a, parent) : "/", &st) == 0;
    if (there) {
        hash_sha256(arena_printf(&a, "%ju:%ju:" STR_FMT, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, STR_ARG(base)),
                    digest);
        struct str name = arena_printf(&a, "spandrel-state-" STR_FMT, STR_ARG(hash_hex(&a, digest, 16)));
        *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
        memcpy(addr->sun_path + 1, name.p, name.n); // the leading NUL makes it a name without a file
        *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.n);
    }
    arena_finish(&a);
    return there;
}

// Who listens under the name: 0, else why that is not known, and *out is as it was: ECONNREFUSED when nobody does.
static int name_owner(const struct sockaddr_un *addr, socklen_t size, struct credentials *out)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t n = sizeof *out;
    bool known = fd >= 0 && connect(fd, (const struct sockaddr *)addr, size) == 0 &&
                 getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &n) == 0;
    int why = known ? 0 : errno;
    if (fd >= 0)
        (void)close(fd);
    return why;
}

/* The file */

// Who holds the lock, as it wrote itself: its number, since when, and the file that it wrote to.
static struct store_holder read_holder(int file, int64_t *written_to)
{
    char text[96];
    struct store_holder h = {.pid = 0};
    ssize_t n = pread(file, text, sizeof text, 0);
    struct str rest = {text, n > 0 ? (size_t)n : 0}, word;
    int64_t *const numbers[] = {&h.pid, &h.since, written_to};
    *written_to = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!str_word(&rest, &word) || !str_to_i64(word, numbers[i]))
            break;
    }
    return h;
}

static void write_holder(const struct store_lock *l)
{
    char text[96];
    int n = snprintf(text, sizeof text, "%-20ld %20" PRId64 " %20" PRId64 "\n", (long)getpid(), clock_wall(),
                     (int64_t)l->ino);
    // It is only for the message: no error when a full disk does not take it.
    ssize_t written = pwrite(l->file, text, (size_t)n, 0);
    (void)written;
}

static enum err in_use(const char *dir, const struct store_holder *h, struct errmsg *msg)
{
    char when[CLOCK_TEXT];
    struct str since = h->since ? clock_put(when, h->since) : STR("a time it does not tell");
    return err_set(msg, ERR_EXISTS,
                   "process %" PRId64 " uses %s since " STR_FMT ": two may not share a state directory", h->pid, dir,
                   STR_ARG(since));
}

static bool same_file(const char *path, const struct stat *is)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == is->st_dev && st.st_ino == is->st_ino;
}

// A number above that of the name.
static bool raise_number(struct store_lock *l)
{
    if (l->file > l->name)
        return true;
    int higher = fcntl(l->file, F_DUPFD_CLOEXEC, l->name + 1);
    if (higher >= 0) {
        (void)close(l->file);
        l->file = higher;
    }
    return higher >= 0;
}

// What root makes in the directory of another user belongs to that one, who is to work with it: but not a file that has
// other names too, as he could give himself any so.
static bool give_to_owner(int fd, const char *path)
{
    struct str dir, base;
    struct stat owner, is;
    struct arena a;
    if (geteuid() != 0)
        return true;
    arena_init(&a, 256);
    bool inside = str_rcut(str_c(path), '/', &dir, &base) && dir.n;
    bool known = stat(inside ? arena_cstr(&a, dir) : ".", &owner) == 0 && fstat(fd, &is) == 0;
    arena_finish(&a);
    if (!known || (is.st_uid == owner.st_uid && is.st_gid == owner.st_gid))
        return known;
    if (S_ISREG(is.st_mode) && is.st_nlink == 1)
        return fchown(fd, owner.st_uid, owner.st_gid) == 0;
    errno = EMLINK;
    return false;
}

static enum err open_file(struct store_lock *l, const char *path, struct errmsg *msg)
{
    l->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->file < 0 || !give_to_owner(l->file, path) || !raise_number(l))
        return err_set(msg, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    return ERR_OK;
}

// *again: the file was another one by the time it was locked.
static enum err try_file(struct store_lock *l, const char *path, bool *again, struct store_holder *holder,
                         struct errmsg *msg)
{
    struct stat st;
    enum err e = open_file(l, path, msg);
    if (e)
        return e;
    if (flock(l->file, LOCK_EX | LOCK_NB)) {
        if (errno != EWOULDBLOCK)
            return err_set(msg, ERR_IO, "cannot lock %s: %s", l->dir, strerror(errno));
        int64_t file;
        *holder = read_holder(l->file, &file);
        return in_use(l->dir, holder, msg);
    }
    if (fstat(l->file, &st))
        return err_set(msg, ERR_IO, "cannot lock %s: %s", l->dir, strerror(errno));
    *again = !same_file(path, &st);
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return ERR_OK;
}

static enum err take_file(struct store_lock *l, struct store_holder *holder, struct errmsg *msg)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/lock", l->dir) >= (int)sizeof path)
        return err_set(msg, ERR_CONF, "%s: the path is too long", l->dir);
    for (int i = 0; i < OPEN_TRIES; i++) {
        bool again = false;
        enum err e = try_file(l, path, &again, holder, msg);
        if (e || !again)
            return e;
        (void)close(l->file);
        l->file = -1;
    }
    return err_set(msg, ERR_AGAIN, "%s is being replaced again and again", path);
}

/* Both */

// A name can be taken by anybody on the machine: only root, ourselves and the owner of the directory are believed.
static bool believed(const struct store_lock *l, const struct credentials *who)
{
    struct stat st;
    return who->uid == 0 || who->uid == geteuid() || stat(l->dir, &st) || st.st_uid == who->uid;
}

// Who has the file, or had it until now: a process that dies may drop it a little before the name. `who` has the name;
// NULL: none of ours. Nothing is made.
static bool file_held(const struct store_lock *l, const struct credentials *who, struct store_holder *holder)
{
    char path[PATH_MAX];
    struct stat st;
    int64_t written_to;
    (void)snprintf(path, sizeof path, "%s/lock", l->dir);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    *holder = read_holder(fd, &written_to);
    if (!held && who) // the copy of one was written to another file
        held = (!who->pid || holder->pid == who->pid) && fstat(fd, &st) == 0 && (int64_t)st.st_ino == written_to;
    (void)close(fd);
    return held;
}

static enum err name_taken(struct store_lock *l, const struct sockaddr_un *addr, socklen_t size,
                           struct store_holder *holder, struct errmsg *msg)
{
    struct credentials who = {.pid = 0, .uid = geteuid()};
    (void)close(l->name);
    l->name = -1;
    // Who only sits on it is none of ours, or begins at this moment: then the file decides between us.
    bool blocked = name_owner(addr, size, &who) == ECONNREFUSED;
    if (file_held(l, blocked ? NULL : &who, holder))
        return in_use(l->dir, holder, msg);
    if (blocked || !believed(l, &who)) {
        log_warn(&log_dir, LOG_MSG("a process that is none of ours has the name of the state directory's lock"),
                 LOG_C("directory", l->dir), LOG_INT("pid", who.pid), LOG_INT("uid", who.uid));
        return ERR_OK;
    }
    *holder = (struct store_holder){.pid = who.pid, .displaced = true};
    return err_set(msg, ERR_EXISTS,
                   "process %ld still serves what was at %s before: that was moved, removed or replaced under it. Put "
                   "its directory back, or stop it: then what it has not written is lost",
                   (long)who.pid, l->dir);
}

static enum err take_name(struct store_lock *l, struct store_holder *holder, struct errmsg *msg)
{
    struct sockaddr_un addr;
    socklen_t size;
    if (!place_address(l->dir, &addr, &size))
        return err_set(msg, ERR_IO, "cannot make the directory %s: %s", l->dir, strerror(errno));
    l->name = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->name >= 0 && bind(l->name, (const struct sockaddr *)&addr, size) == 0 && listen(l->name, BACKLOG) == 0)
        return ERR_OK;
    if (l->name >= 0 && errno == EADDRINUSE)
        return name_taken(l, &addr, size, holder, msg);
    return err_set(msg, ERR_IO, "cannot lock the place of %s: %s", l->dir, strerror(errno));
}

// The name first: where a process serves what was moved from here, nothing new is made in its place.
static enum err take_both(struct store_lock *l, struct store_holder *holder, struct errmsg *msg)
{
    enum err e = take_name(l, holder, msg);
    if (!e)
        e = make_dir(l->dir, msg);
    return e ? e : take_file(l, holder, msg);
}

enum err store_dir_lock(const char *dir, struct store_lock **out, struct store_holder *holder, struct errmsg *msg)
{
    struct store_holder ignored;
    struct store_lock *l = MEM_NEW(struct store_lock);
    *l = (struct store_lock){.dir = mem_dup(dir, strlen(dir)), .name = -1, .file = -1};
    enum err e = take_both(l, holder ? holder : &ignored, msg);
    if (e) {
        store_dir_unlock(l);
        return e;
    }
    write_holder(l);
    *out = l;
    return ERR_OK;
}

void store_dir_unlock(struct store_lock *l)
{
    if (!l)
        return;
    if (l->name >= 0)
        (void)close(l->name);
    if (l->file >= 0)
        (void)close(l->file);
    mem_free(l->dir);
    mem_free(l);
}

const char *store_dir_path(const struct store_lock *l)
{
    return l->dir;
}

// Those who asked for our number have it by now.
static void hang_up(const struct store_lock *l)
{
    for (int fd; l->name >= 0 && (fd = accept(l->name, NULL, NULL)) >= 0;)
        (void)close(fd);
}

bool store_dir_stands(const struct store_lock *l)
{
    char path[PATH_MAX];
    hang_up(l);
    (void)snprintf(path, sizeof path, "%s/lock", l->dir);
    struct stat st = {.st_dev = l->dev, .st_ino = l->ino};
    return same_file(path, &st);
}

enum err store_dir_private(const char *path, struct errmsg *msg)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(msg, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    bool failed = !give_to_owner(fd, path) || fstat(fd, &st) || ((st.st_mode & 0077) && fchmod(fd, 0600));
    enum err e = failed ? err_set(msg, ERR_IO, "cannot make %s private: %s", path, strerror(errno)) : ERR_OK;
    (void)close(fd);
    return e;
}

enum err store_dir_sync(const char *dir, struct errmsg *msg)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    enum err e = synced ? ERR_OK : err_set(msg, ERR_IO, "cannot write the directory %s: %s", dir, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return e;
}
