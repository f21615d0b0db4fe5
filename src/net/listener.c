/* Listeners. An accepted connection becomes a quiet stream; the owner gives it its events or resets it.
 *
 * Failure modes: the path of a unix socket is taken: by a live process (a connect succeeds, or its backlog is full):
 * refused; by one that died (the connect is refused): replaced; by what is no socket: refused. Two processes that start
 * at the same moment over one dead socket could both replace it: the daemon's lock of its state directory keeps them
 * apart. */
#include "base/mem.h"
#include "net/stream_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

struct listener {
    struct loop *loop;
    union net_handle *handle; // owned
    void (*accepted)(void *ud, struct stream *s);
    void *ud;
    char *path; // of a unix socket, else NULL
    dev_t dev;  // of the file at `path` when it was ours
    ino_t ino;
};

// --- accepting ---

static union net_handle *make_handle(struct loop *l, uv_handle_type type)
{
    union net_handle *h = MEM_NEW(union net_handle);
    if (type == UV_TCP)
        uv_tcp_init(loop_uv(l), &h->tcp);
    else
        uv_pipe_init(loop_uv(l), &h->pipe, 0);
    return h;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct listener *ln = server->data;
    if (status < 0) {
        log_warn(NULL, LOG_MSG("a connection was not accepted"), LOG_C("why", uv_strerror(status)));
        return;
    }
    union net_handle *h = make_handle(ln->loop, uv_handle_get_type(&ln->handle->any));
    if (uv_accept(server, &h->stream)) {
        net_handle_close(h);
        return;
    }
    ln->accepted(ln->ud, stream_accepted(ln->loop, h));
}

static struct listener *listener_create(struct loop *l, union net_handle *h,
                                        void (*accepted)(void *ud, struct stream *s), void *ud)
{
    struct listener *ln = MEM_NEW(struct listener);
    ln->loop = l;
    ln->handle = h;
    ln->accepted = accepted;
    ln->ud = ud;
    h->any.data = ln;
    return ln;
}

// --- TCP ---

struct listener *listener_tcp(struct loop *l, const char *host, uint16_t port,
                              void (*accepted)(void *ud, struct stream *s), void *ud, struct errmsg *msg)
{
    struct sockaddr_storage addr;
    const char *literal = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!net_addr_literal(literal, port, &addr)) {
        err_set(msg, ERR_CONF, "listen on %s: not an IP address", host);
        return NULL;
    }
    union net_handle *h = make_handle(l, UV_TCP);
    int rc = uv_tcp_bind(&h->tcp, (const struct sockaddr *)&addr, 0);
    if (!rc)
        rc = uv_listen(&h->stream, BACKLOG, on_connection);
    if (!rc)
        return listener_create(l, h, accepted, ud);
    char text[NET_ADDR_TEXT];
    net_addr_format(&addr, text);
    err_set(msg, net_err(rc), "listen on %s: %s", text, uv_strerror(rc));
    net_handle_close(h);
    return NULL;
}

uint16_t listener_port(const struct listener *ln)
{
    struct sockaddr_storage addr = {0};
    int n = sizeof addr;
    if (ln->path || uv_tcp_getsockname(&ln->handle->tcp, (struct sockaddr *)&addr, &n))
        return 0;
    return ntohs(addr.ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)&addr)->sin6_port
                                            : ((const struct sockaddr_in *)(const void *)&addr)->sin_port);
}

// --- unix sockets ---

static int unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// Nobody listens behind the socket file at `addr`: its owner died.
static bool is_stale(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
        return false;
    int fd = unix_socket();
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

// The file is made with the mode that the socket has at that moment, so that it is never open to more than `mode` says.
static int bind_unix(const struct sockaddr_un *addr, unsigned mode, int *fd)
{
    *fd = unix_socket();
    if (*fd < 0)
        return -errno;
    if (fchmod(*fd, (mode_t)mode) == 0 && bind(*fd, (const struct sockaddr *)addr, sizeof *addr) == 0) {
        if (chmod(addr->sun_path, (mode_t)mode) == 0) // what the umask took
            return 0;
    }
    int rc = -errno;
    close(*fd);
    return rc;
}

static int take_path(const struct sockaddr_un *addr, unsigned mode, int *fd)
{
    int rc = bind_unix(addr, mode, fd);
    if (rc != -EADDRINUSE || !is_stale(addr))
        return rc;
    return unlink(addr->sun_path) ? -errno : bind_unix(addr, mode, fd);
}

static bool set_path(struct sockaddr_un *addr, const char *path)
{
    size_t n = strlen(path);
    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n == 0 || n >= sizeof addr->sun_path)
        return false;
    memcpy(addr->sun_path, path, n);
    return true;
}

static void remember_path(struct listener *ln, const char *path)
{
    struct stat st = {0};
    ln->path = mem_dup(path, strlen(path));
    if (lstat(path, &st) == 0) {
        ln->dev = st.st_dev;
        ln->ino = st.st_ino;
    }
}

static const char *path_trouble(int rc)
{
    return rc == -EADDRINUSE ? "another process listens there, or it is no socket" : uv_strerror(rc);
}

struct listener *listener_unix(struct loop *l, const char *path, unsigned mode,
                               void (*accepted)(void *ud, struct stream *s), void *ud, struct errmsg *msg)
{
    struct sockaddr_un addr;
    int fd = -1;
    if (!set_path(&addr, path)) {
        err_set(msg, ERR_CONF, "listen on %s: the path is empty or longer than %zu bytes", path,
                sizeof addr.sun_path - 1);
        return NULL;
    }
    int rc = take_path(&addr, mode, &fd);
    if (rc) {
        err_set(msg, net_err(rc), "listen on %s: %s", path, path_trouble(rc));
        return NULL;
    }
    union net_handle *h = make_handle(l, UV_NAMED_PIPE);
    struct listener *ln = listener_create(l, h, accepted, ud);
    remember_path(ln, path);
    rc = uv_pipe_open(&h->pipe, fd);
    if (rc)
        close(fd);
    else
        rc = uv_listen(&h->stream, BACKLOG, on_connection);
    if (!rc)
        return ln;
    err_set(msg, net_err(rc), "listen on %s: %s", path, uv_strerror(rc));
    listener_close(ln);
    return NULL;
}

// Another process may have taken the path over in the meantime: its file stays.
static void unlink_own(const struct listener *ln)
{
    struct stat st;
    if (lstat(ln->path, &st) == 0 && st.st_dev == ln->dev && st.st_ino == ln->ino)
        unlink(ln->path);
}

void listener_close(struct listener *ln)
{
    if (!ln)
        return;
    if (ln->path)
        unlink_own(ln);
    net_handle_close(ln->handle);
    mem_free(ln->path);
    mem_free(ln);
}
