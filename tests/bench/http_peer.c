#include "http_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, READ_SIZE = 4096 };

static bool open_one(struct http_call *c, unsigned port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int on = 1;
    *c = (struct http_call){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    strbuf_init(&c->in, ANSWER_MAX);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to))
        return false;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0;
}

void http_peer_close(struct http_peer *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (h->calls[i].fd >= 0)
            close(h->calls[i].fd);
        strbuf_finish(&h->calls[i].in);
    }
    h->count = 0;
}

bool http_peer_open(struct http_peer *h, unsigned port, size_t count)
{
    http_peer_close(h);
    bool good = count <= HTTP_PEER_MAX;
    while (good && h->count < count)
        good = open_one(&h->calls[h->count++], port);
    return good;
}

static size_t free_call(const struct http_peer *h)
{
    for (size_t i = 0; i < h->count; i++) {
        if (!h->calls[i].busy && h->calls[i].fd >= 0)
            return i;
    }
    return h->count;
}

bool http_peer_ready(const struct http_peer *h)
{
    return free_call(h) < h->count;
}

void http_peer_post(struct http_peer *h, uint64_t number, bool key, int64_t now)
{
    struct http_call *c = &h->calls[free_call(h)];
    char request[1024], body[160], name[64] = "";
    int n = snprintf(body, sizeof body, "{\"body\": \"%08" PRIu64 "-%091d\"}", number, 0);
    if (key)
        (void)snprintf(name, sizeof name, "Idempotency-Key: bench-%" PRIu64 "\r\n", number);
    int all = snprintf(request, sizeof request,
                       "POST /h/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n%s"
                       "Authorization: Bearer a-token-of-more-than-22-characters\r\n"
                       "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                       name, n, body);
    c->busy = true;
    c->asked = now;
    if (write(c->fd, request, (size_t)all) != all) {
        close(c->fd);
        c->fd = -1;
        h->errors++;
        h->answers++;
    }
}

void http_peer_watch(const struct http_peer *h, struct pollfd *fds)
{
    for (size_t i = 0; i < h->count; i++)
        fds[i] = (struct pollfd){.fd = h->calls[i].fd, .events = POLLIN};
}

static void answered(struct http_peer *h, struct http_call *c, bool good)
{
    c->busy = false;
    h->answers++;
    h->errors += !good;
    if (h->answered)
        h->answered(h->ud, c->asked);
}

static void read_answers(struct http_peer *h, struct http_call *c)
{
    struct str all = strbuf_view(&c->in), mark = STR("\r\nContent-Length: ");
    ptrdiff_t end = str_find_str(all, STR("\r\n\r\n")), at = str_find_str(all, mark);
    if (end < 0)
        return;
    size_t body = at < 0 || at > end ? 0 : strtoul(all.p + at + mark.n, NULL, 10);
    if (all.n < (size_t)end + 4 + body)
        return;
    answered(h, c, str_starts(all, STR("HTTP/1.1 2")));
    strbuf_consume(&c->in, (size_t)end + 4 + body);
}

void http_peer_work(struct http_peer *h, const struct pollfd *fds)
{
    for (size_t i = 0; i < h->count; i++) {
        struct http_call *c = &h->calls[i];
        char *to = fds[i].fd >= 0 && fds[i].fd == c->fd && fds[i].revents ? strbuf_reserve(&c->in, READ_SIZE) : NULL;
        ssize_t n = to ? read(c->fd, to, READ_SIZE) : -1;
        if (n > 0) {
            strbuf_grew(&c->in, (size_t)n);
            read_answers(h, c);
        } else if (to && !(n < 0 && errno == EAGAIN)) {
            close(c->fd);
            c->fd = -1;
            if (c->busy)
                answered(h, c, false);
        }
    }
}
