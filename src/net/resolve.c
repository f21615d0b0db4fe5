/* Happy path: a detached thread runs getaddrinfo(), leaves the answer in the job it shares with the loop and wakes the
 * loop, which takes the answer. A literal is answered by a wake-up alone.
 *
 * Failure modes: the lookup hangs (dead name servers: up to half a minute): the loop abandons the job, and the thread
 * frees it whenever it is done. libuv's own uv_getaddrinfo() could be neither cancelled then nor left behind: its
 * threads are joined at exit, and four hanging lookups would stop all others. No thread can be had: told like an
 * answer. */
#include "net/resolve.h"

#include "base/mem.h"

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { HOST_MAX = 255 };

struct resolve { // freed by the last of its two owners, loop and thread
    pthread_mutex_t lock;
    int owners;             // under the lock
    struct loop_wake *wake; // under the lock: NULL once the loop has let go
    char host[HOST_MAX + 1];
    uint16_t port;
    // Written by the thread before it wakes the loop.
    struct net_addrs addrs;
    enum err err;
    struct errmsg why;
    // The loop's.
    resolve_done *done;
    void *ud;
};

static void release(struct resolve *r)
{
    pthread_mutex_lock(&r->lock);
    int left = --r->owners;
    pthread_mutex_unlock(&r->lock);
    if (left)
        return;
    pthread_mutex_destroy(&r->lock);
    mem_free(r);
}

static void take_addrs(struct net_addrs *out, const struct addrinfo *list)
{
    for (; list && out->n < NET_ADDRS_MAX; list = list->ai_next) {
        if (list->ai_addrlen <= sizeof out->at[0])
            memcpy(&out->at[out->n++], list->ai_addr, list->ai_addrlen);
    }
}

static void look_up(struct resolve *r)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char service[8];
    (void)snprintf(service, sizeof service, "%u", r->port);
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(r->host, service, &hints, &list);
    if (rc) {
        r->err = err_set(&r->why, ERR_RESOLVE, "%s: %s", r->host, gai_strerror(rc));
        return;
    }
    take_addrs(&r->addrs, list);
    freeaddrinfo(list);
    if (r->addrs.n == 0)
        r->err = err_set(&r->why, ERR_RESOLVE, "%s: has no address", r->host);
}

static void *run(void *arg)
{
    struct resolve *r = arg;
    look_up(r);
    pthread_mutex_lock(&r->lock);
    if (r->wake)
        loop_wake_send(r->wake);
    pthread_mutex_unlock(&r->lock);
    release(r);
    return NULL;
}

static bool start_thread(struct resolve *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r->owners = 2;
    bool ok = pthread_create(&thread, &attr, run, r) == 0;
    if (!ok)
        r->owners = 1;
    pthread_attr_destroy(&attr);
    return ok;
}

static void on_woken(void *ud)
{
    struct resolve *r = ud;
    resolve_done *done = r->done;
    void *owner = r->ud;
    pthread_mutex_lock(&r->lock);
    struct net_addrs addrs = r->addrs;
    struct errmsg why = r->why;
    enum err e = r->err;
    pthread_mutex_unlock(&r->lock);
    resolve_cancel(r);
    done(owner, e, why.text, &addrs);
}

struct resolve *resolve_start(struct loop *l, const char *host, uint16_t port, resolve_done *done, void *ud)
{
    struct resolve *r = MEM_NEW(struct resolve);
    pthread_mutex_init(&r->lock, NULL);
    r->owners = 1;
    r->wake = loop_wake_create(l, on_woken, r);
    r->port = port;
    r->done = done;
    r->ud = ud;
    bool known = true;
    if ((size_t)snprintf(r->host, sizeof r->host, "%s", host) >= sizeof r->host)
        r->err = err_set(&r->why, ERR_RESOLVE, "the host name is longer than %d bytes", HOST_MAX);
    else if (net_addr_literal(host, port, &r->addrs.at[0]))
        r->addrs.n = 1;
    else if (start_thread(r))
        known = false;
    else
        r->err = err_set(&r->why, ERR_AGAIN, "%s: no thread for the lookup", host);
    if (known)
        loop_wake_send(r->wake);
    return r;
}

void resolve_cancel(struct resolve *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    loop_wake_close(r->wake);
    r->wake = NULL;
    pthread_mutex_unlock(&r->lock);
    release(r);
}
