/* libfault.so, for LD_PRELOAD: makes the system fail a program as it is told, while that runs.
 *
 * SPANDREL_FAULT names a file that both sides map: one struct fault for each enum fault_kind, then a path. Whoever
 * tests writes `value` last; 0 switches the fault off. What concerns files does so for regular files with the path in
 * theirs. With SPANDREL_FAULT_TRACE all that is written to such files is appended to that file, with what was synced,
 * so that what a power cut would leave can be made from it (tests/e2e/fault.py knows the form of both).
 *
 * Without the file every call is passed on. The sanitizers' own interceptors come first (LD_PRELOAD has libasan before
 * this library) and call these. */
#define _GNU_SOURCE // RTLD_NEXT
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum fault_kind {
    FAULT_WRITE,     // errno of writes to files
    FAULT_SYNC,      // errno of fsync(), fdatasync()
    FAULT_SYNC_HANG, // they do not return before it is switched off; a value above 1: or so many ms have passed
    FAULT_OPEN,      // errno of open() of any path
    FAULT_SOCKET,    // errno of socket()
    FAULT_SHORT,     // no write to a file or socket takes more bytes
    FAULT_INTERRUPT, // every n-th system call that may be interrupted is: EINTR
    FAULT_CLOCK,     // seconds that CLOCK_REALTIME is ahead
    FAULT_RESOLVE,   // getaddrinfo() does not return before it is switched off; above 1: or so many ms have passed
    FAULT_KINDS
};

enum { PATH_SIZE = 256, NAP_MS = 5 };

struct fault {
    _Atomic int64_t value;
    _Atomic int64_t skip; // as many calls pass before the first that fails
    _Atomic int64_t left; // as many calls fail, then none; negative: all
    _Atomic int64_t hits; // how often it has happened
};

struct control {
    struct fault at[FAULT_KINDS];
    char path[PATH_SIZE];
};

static struct control none; // all zero
static struct control *control = &none;
static int trace = -1;
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;

// The library's function that ours stands before; dlsym() gives a pointer to data.
#define REAL(result, name, ...)                                                                                        \
    static result (*real)(__VA_ARGS__);                                                                                \
    if (!real)                                                                                                         \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("SPANDREL_FAULT"), *to = getenv("SPANDREL_FAULT_TRACE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED)
            control = at;
        close(fd);
    }
    if (to)
        trace = open(to, O_WRONLY | O_APPEND | O_CLOEXEC);
}

static bool one_of(struct fault *f)
{
    if (atomic_load(&f->value) == 0)
        return false;
    if (atomic_load(&f->skip) > 0 && atomic_fetch_sub(&f->skip, 1) > 0)
        return false;
    return atomic_load(&f->left) < 0 || atomic_fetch_sub(&f->left, 1) > 0;
}

// Whether the call is to fail; errno is set then.
static bool fails(enum fault_kind kind)
{
    struct fault *f = &control->at[kind];
    int64_t value = atomic_load(&f->value);
    if (value == 0 || !one_of(f))
        return false;
    atomic_fetch_add(&f->hits, 1);
    errno = (int)value;
    return true;
}

static bool interrupted(void)
{
    static _Atomic int64_t calls;
    struct fault *f = &control->at[FAULT_INTERRUPT];
    int64_t every = atomic_load(&f->value);
    if (every <= 0 || atomic_fetch_add(&calls, 1) % every)
        return false;
    atomic_fetch_add(&f->hits, 1);
    errno = EINTR;
    return true;
}

static void hang(enum fault_kind kind)
{
    struct fault *f = &control->at[kind];
    if (!one_of(f))
        return;
    atomic_fetch_add(&f->hits, 1);
    int64_t most = atomic_load(&f->value), waited = 0;
    while (atomic_load(&f->value) && (most <= 1 || waited < most)) {
        (void)poll(NULL, 0, NAP_MS);
        waited += NAP_MS;
    }
}

static bool file_name(int fd, char *name, size_t size)
{
    char link[64];
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, size - 1);
    if (n <= 0)
        return false;
    name[n] = '\0';
    return strstr(name, control->path) != NULL;
}

static bool concerns(int fd)
{
    char name[4096];
    return file_name(fd, name, sizeof name);
}

static bool write_fails(int fd)
{
    return atomic_load(&control->at[FAULT_WRITE].value) && concerns(fd) && fails(FAULT_WRITE);
}

static size_t at_most(int fd, size_t n)
{
    struct fault *f = &control->at[FAULT_SHORT];
    int64_t most = atomic_load(&f->value);
    struct stat st;
    if (most <= 0 || n <= (size_t)most || fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode)))
        return n;
    atomic_fetch_add(&f->hits, 1);
    return (size_t)most;
}

/* The trace: a head, the file's name, the bytes. */

struct trace_head {
    uint32_t what; // 'W'rite, 'T'runcate, 'S'ync, 'U'nlink
    uint32_t name; // bytes
    int64_t offset;
    int64_t size; // bytes of a write; the new size
};

static void trace_put(uint32_t what, const char *path, int64_t offset, const void *bytes, int64_t size)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct trace_head head = {what, (uint32_t)strlen(name), offset, size};
    struct iovec part[] = {{&head, sizeof head}, {NULL, head.name}, {NULL, bytes ? (size_t)size : 0}};
    memcpy(&part[1].iov_base, &name, sizeof name); // const
    memcpy(&part[2].iov_base, &bytes, sizeof bytes);
    pthread_mutex_lock(&trace_lock);
    (void)!real(trace, part, 3);
    pthread_mutex_unlock(&trace_lock);
}

static void trace_add(uint32_t what, int fd, int64_t offset, const void *bytes, int64_t size)
{
    char path[4096];
    if (trace >= 0 && file_name(fd, path, sizeof path))
        trace_put(what, path, offset, bytes, size);
}

/* Files. */

static ssize_t wrote(int fd, int64_t offset, const void *bytes, ssize_t n)
{
    int error = errno;
    if (n > 0 && trace >= 0)
        trace_add('W', fd, offset, bytes, n);
    errno = error;
    return n;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    REAL(ssize_t, write, int, const void *, size_t);
    if (interrupted() || write_fails(fd))
        return -1;
    off_t offset = trace >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    return wrote(fd, offset, bytes, real(fd, bytes, at_most(fd, n)));
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    if (interrupted() || write_fails(fd))
        return -1;
    return wrote(fd, offset, bytes, real(fd, bytes, at_most(fd, n), offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    return pwrite64(fd, bytes, n, offset);
}

ssize_t writev(int fd, const struct iovec *part, int count)
{
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (interrupted() || write_fails(fd))
        return -1;
    if (count > 0 && part[0].iov_len > 0 && atomic_load(&control->at[FAULT_SHORT].value))
        return write(fd, part[0].iov_base, part[0].iov_len);
    return real(fd, part, count);
}

int ftruncate64(int fd, off64_t size)
{
    REAL(int, ftruncate64, int, off64_t);
    int rc = real(fd, size);
    if (rc == 0)
        trace_add('T', fd, 0, NULL, size);
    return rc;
}

int unlink(const char *path)
{
    REAL(int, unlink, const char *);
    int rc = real(path);
    if (rc == 0 && trace >= 0 && strstr(path, control->path))
        trace_put('U', path, 0, NULL, 0);
    return rc;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

static int synced(int fd, int rc)
{
    if (rc == 0)
        trace_add('S', fd, 0, NULL, 0);
    return rc;
}

static bool sync_fails(int fd)
{
    bool wanted = atomic_load(&control->at[FAULT_SYNC].value) || atomic_load(&control->at[FAULT_SYNC_HANG].value);
    if (!wanted || !concerns(fd))
        return false;
    hang(FAULT_SYNC_HANG);
    return fails(FAULT_SYNC);
}

int fsync(int fd)
{
    REAL(int, fsync, int);
    return sync_fails(fd) ? -1 : synced(fd, real(fd));
}

int fdatasync(int fd)
{
    REAL(int, fdatasync, int);
    return sync_fails(fd) ? -1 : synced(fd, real(fd));
}

// open() has a third argument with O_CREAT alone.
#define OPEN(name)                                                                                                     \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        REAL(int, name, const char *, int, ...);                                                                       \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                                                      \
        va_end(rest);                                                                                                  \
        return interrupted() || fails(FAULT_OPEN) ? -1 : real(path, flags, mode);                                      \
    }

OPEN(open)
OPEN(open64)

#define OPEN_2(name)                                                                                                   \
    int name(const char *path, int flags);                                                                             \
    int name(const char *path, int flags)                                                                              \
    {                                                                                                                  \
        REAL(int, name, const char *, int);                                                                            \
        return interrupted() || fails(FAULT_OPEN) ? -1 : real(path, flags);                                            \
    }

OPEN_2(__open_2)
OPEN_2(__open64_2)

/* Sockets. What the kernel would interrupt: no call on a socket that does not block. */

int socket(int domain, int type, int protocol)
{
    REAL(int, socket, int, int, int);
    return fails(FAULT_SOCKET) ? -1 : real(domain, type, protocol);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags)
{
    REAL(ssize_t, send, int, const void *, size_t, int);
    return real(fd, bytes, at_most(fd, n), flags);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    REAL(ssize_t, sendmsg, int, const struct msghdr *, int);
    if (m->msg_iovlen == 0 || !atomic_load(&control->at[FAULT_SHORT].value))
        return real(fd, m, flags);
    struct iovec part = m->msg_iov[0];
    struct msghdr less = *m;
    part.iov_len = at_most(fd, part.iov_len);
    less.msg_iov = &part;
    less.msg_iovlen = 1;
    return real(fd, &less, flags);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    REAL(int, getaddrinfo, const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!(hints && hints->ai_flags & AI_NUMERICHOST))
        hang(FAULT_RESOLVE);
    return real(host, service, hints, out);
}

int epoll_pwait(int fd, struct epoll_event *events, int most, int timeout, const sigset_t *mask)
{
    REAL(int, epoll_pwait, int, struct epoll_event *, int, int, const sigset_t *);
    return interrupted() ? -1 : real(fd, events, most, timeout, mask);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    REAL(int, epoll_wait, int, struct epoll_event *, int, int);
    return interrupted() ? -1 : real(fd, events, most, timeout);
}

/* Clocks. */

static int64_t ahead(void)
{
    struct fault *f = &control->at[FAULT_CLOCK];
    int64_t seconds = atomic_load(&f->value);
    if (seconds)
        atomic_fetch_add(&f->hits, 1);
    return seconds;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    int rc = real(clock, out);
    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        out->tv_sec += ahead();
    return rc;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    REAL(int, gettimeofday, struct timeval *restrict, void *restrict);
    int rc = real(out, zone);
    if (rc == 0)
        out->tv_sec += ahead();
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
