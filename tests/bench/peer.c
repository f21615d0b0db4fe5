#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 * 1024, OUTPUT_HIGH = 128 * 1024, BUFFER_MAX = 64 * 1024 * 1024 };

bool peer_listen(struct peer *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    *p = (struct peer){.fd = -1};
    strbuf_init(&p->in, BUFFER_MAX);
    strbuf_init(&p->out, BUFFER_MAX);
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, n) || listen(p->listener, 4) ||
        getsockname(p->listener, (struct sockaddr *)&at, &n))
        return false;
    p->port = ntohs(at.sin_port);
    return true;
}

void peer_finish(struct peer *p)
{
    peer_drop(p);
    close(p->listener);
    strbuf_finish(&p->in);
    strbuf_finish(&p->out);
}

void peer_drop(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    p->sent = 0;
    strbuf_clear(&p->in);
    strbuf_clear(&p->out);
}

void peer_watch(const struct peer *p, struct pollfd fds[2])
{
    short events = (short)(POLLIN | (p->out.n > p->sent ? POLLOUT : 0));
    fds[0] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = p->stalled ? -1 : p->fd, .events = events};
}

static bool welcome(struct peer *p)
{
    int fd = accept(p->listener, NULL, NULL), on = 1;
    if (fd < 0)
        return false;
    peer_drop(p);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    p->fd = fd;
    return true;
}

static void write_some(struct peer *p)
{
    ssize_t n = write(p->fd, p->out.p + p->sent, p->out.n - p->sent);
    if (n > 0)
        p->sent += (size_t)n;
    if (p->sent == p->out.n) {
        p->sent = 0;
        strbuf_clear(&p->out);
    }
}

static enum peer_news read_some(struct peer *p)
{
    char *to = strbuf_reserve(&p->in, CHUNK);
    ssize_t n = to ? read(p->fd, to, CHUNK) : -1;
    if (n > 0) {
        strbuf_grew(&p->in, (size_t)n);
        return PEER_READ;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return PEER_NOTHING;
    peer_drop(p);
    return PEER_CLOSED;
}

enum peer_news peer_work(struct peer *p, const struct pollfd fds[2])
{
    if (fds[0].revents && welcome(p))
        return PEER_CONNECTED;
    if (p->fd < 0 || fds[1].fd != p->fd)
        return PEER_NOTHING;
    if (fds[1].revents & POLLOUT)
        write_some(p);
    return fds[1].revents & (POLLIN | POLLHUP | POLLERR) ? read_some(p) : PEER_NOTHING;
}

bool peer_hungry(const struct peer *p)
{
    return p->fd >= 0 && !p->stalled && p->out.n - p->sent < OUTPUT_HIGH;
}
