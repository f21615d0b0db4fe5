/* What the tests of this layer share: a peer that plays a script in a thread of its own, on blocking sockets; and a
 * probe that notes what a stream tells it. */
#ifndef SPANDREL_TESTS_UNIT_NET_PROBE_H
#define SPANDREL_TESTS_UNIT_NET_PROBE_H

#include "base/clock.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "net/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WATCHDOG_MS = 20000, GOT_MAX = 32 * 1024 * 1024 };

// --- peer ---

struct peer {
    int listener;
    uint16_t port;
    pthread_t thread;
    void (*script)(struct peer *p, int fd); // on the first connection; closes nothing
    const void *arg;
    size_t bytes;  // read by the script
    char text[64]; // noted by the script
};

static inline struct sockaddr_in peer_address(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int peer_bind(uint16_t *port, int backlog)
{
    struct sockaddr_in a = peer_address(0);
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static inline int peer_connect(uint16_t port)
{
    struct sockaddr_in a = peer_address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static inline void *peer_run(void *arg)
{
    struct peer *p = arg;
    int fd = accept(p->listener, NULL, NULL);
    if (fd >= 0 && p->script)
        p->script(p, fd);
    if (fd >= 0)
        close(fd);
    return NULL;
}

static inline void peer_start(struct peer *p, void (*script)(struct peer *p, int fd), const void *arg)
{
    memset(p, 0, sizeof *p);
    p->listener = peer_bind(&p->port, 8);
    p->script = script;
    p->arg = arg;
    assert_int_equal(pthread_create(&p->thread, NULL, peer_run, p), 0);
}

static inline void peer_join(struct peer *p)
{
    close(peer_connect(p->port)); // ends an accept() that nobody came to
    assert_int_equal(pthread_join(p->thread, NULL), 0);
    close(p->listener);
}

// Reads to the end, at most `step` bytes at a time.
static inline void peer_drain(struct peer *p, int fd, size_t step)
{
    char buf[65536];
    for (ssize_t n; (n = read(fd, buf, step < sizeof buf ? step : sizeof buf)) > 0;)
        p->bytes += (size_t)n;
}

static inline void peer_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t rc = send(fd, bytes, n, MSG_NOSIGNAL);
        if (rc <= 0)
            return;
        bytes += rc;
        n -= (size_t)rc;
    }
}

static inline void peer_reset(int fd)
{
    const struct linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static inline void script_echo(struct peer *p, int fd)
{
    char buf[4096];
    for (ssize_t n; (n = read(fd, buf, sizeof buf)) > 0; p->bytes += (size_t)n)
        peer_send(fd, buf, (size_t)n);
}

// A port of 127.0.0.1 on which nobody listens; the socket keeps it from being given to others.
static inline int refused_port(uint16_t *port)
{
    return peer_bind(port, -1);
}

// A port that swallows connects: its backlog is full. The sockets are to be closed by blackhole_close().
struct blackhole {
    uint16_t port;
    int listener, filler[4];
};

static inline void blackhole_open(struct blackhole *b)
{
    b->listener = peer_bind(&b->port, 0);
    struct sockaddr_in a = peer_address(b->port);
    for (size_t i = 0; i < 4; i++) {
        b->filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int rc = connect(b->filler[i], (struct sockaddr *)&a, sizeof a);
        assert_true(rc == 0 || errno == EINPROGRESS);
    }
    usleep(50000); // lint: nothing tells when the backlog is full
}

static inline void blackhole_close(struct blackhole *b)
{
    for (size_t i = 0; i < 4; i++)
        close(b->filler[i]);
    close(b->listener);
}

// --- probe ---

struct probe {
    struct loop *loop;
    struct stream *stream; // NULL once closed
    struct timer watchdog;
    struct strbuf got;
    int opened, drained, closed, calls; // calls: of data()
    enum err err;
    char why[256];
    bool inside; // a call into the stream is under way: nothing may come back
    void (*on_open)(struct probe *p);
    void (*on_data)(struct probe *p);
    void (*on_drained)(struct probe *p);
    void (*on_closed)(struct probe *p);
    size_t want; // for on_data hooks
    int64_t started, ended;
};

static inline void probe_opened(void *ud)
{
    struct probe *p = ud;
    assert_false(p->inside);
    assert_int_equal(p->closed, 0);
    p->opened++;
    if (p->on_open)
        p->on_open(p);
}

static inline void probe_data(void *ud, struct str bytes)
{
    struct probe *p = ud;
    assert_false(p->inside);
    assert_int_equal(p->closed, 0);
    assert_true(bytes.n > 0);
    p->calls++;
    assert_true(strbuf_str(&p->got, bytes));
    if (p->on_data)
        p->on_data(p);
}

static inline void probe_drained(void *ud)
{
    struct probe *p = ud;
    assert_false(p->inside);
    p->drained++;
    if (p->on_drained)
        p->on_drained(p);
}

static inline void probe_closed(void *ud, enum err e, const char *why)
{
    struct probe *p = ud;
    assert_false(p->inside);
    assert_int_equal(p->closed, 0);
    p->closed++;
    p->err = e;
    (void)snprintf(p->why, sizeof p->why, "%s", why);
    p->ended = clock_mono();
    timer_finish(&p->watchdog);
    if (p->on_closed)
        p->on_closed(p);
    p->stream = NULL;
}

static const struct stream_events probe_events = {probe_opened, probe_data, probe_drained, probe_closed};
static const struct stream_limits probe_limits = {.high = 1 << 20, .low = 1 << 18, .connect_ms = 10000};

static inline void probe_bark(void *ud)
{
    (void)ud;
    fail_msg("the stream did not end in time");
}

static inline void probe_init(struct probe *p, struct loop *l)
{
    memset(p, 0, sizeof *p);
    p->loop = l;
    p->started = clock_mono();
    strbuf_init(&p->got, GOT_MAX);
    timer_init(&p->watchdog, l, probe_bark, p);
    timer_set(&p->watchdog, loop_now(l) + WATCHDOG_MS);
}

static inline void probe_dial(struct probe *p, const char *host, uint16_t port, const struct stream_tls *tls,
                              const struct stream_limits *limits)
{
    p->inside = true;
    p->stream = stream_dial(p->loop, host, port, tls, limits ? limits : &probe_limits, &probe_events, p, NULL);
    p->inside = false;
}

static inline void probe_finish(struct probe *p)
{
    timer_finish(&p->watchdog);
    strbuf_finish(&p->got);
}

// Hooks.
static inline void probe_close(struct probe *p)
{
    p->inside = true;
    stream_close(p->stream);
    p->inside = false;
}

static inline void probe_reset(struct probe *p)
{
    p->inside = true;
    stream_reset(p->stream);
    p->inside = false;
}

static inline void probe_close_when_full(struct probe *p)
{
    if (p->got.n >= p->want)
        probe_close(p);
}

static inline void probe_write(struct probe *p, struct str bytes)
{
    p->inside = true;
    stream_write(p->stream, bytes);
    p->inside = false;
}

// n bytes in which every place can be told from its neighbours.
static inline char *pattern(size_t n)
{
    char *bytes = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)((i * 131 + i / 251) & 0xff);
    return bytes;
}

#endif
