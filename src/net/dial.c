/* Happy path: resolve -> alternate the families -> connect to the first address; every 250 ms without an answer, or at
 * once when an attempt fails, also to the next (RFC 8305) -> the first that connects wins, the others are closed.
 *
 * Failure modes: nothing resolves, or the last attempt fails: done() with the texts of all that was tried. Nobody
 * answers: the owner has the deadline and cancels. A connect to a port of the ephemeral range on which nobody listens
 * can meet itself: that counts as refused. */
#include "net/dial.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "net/resolve.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { USER_TIMEOUT_MS = 20000, KEEP_IDLE_S = 10, KEEP_INTERVAL_S = 5, KEEP_COUNT = 3, TRIED_MAX = 224 };

struct attempt {
    uv_connect_t req;
    struct dial *dial;        // NULL once it does not matter any more
    union net_handle *handle; // owned
    char addr[NET_ADDR_TEXT];
    struct list_node link; // dial::attempts
};

struct dial {
    struct loop *loop;
    char *host; // NULL when only addresses were given
    struct resolve *resolve;
    struct net_addrs addrs;
    size_t next; // address to be tried
    struct list_node attempts;
    struct timer stagger;
    struct strbuf tried; // "[::1]:1 connection refused, ..."
    enum err err;        // of the last attempt
    dial_done *done;
    void *ud;
};

// --- handles ---

static void on_handle_closed(uv_handle_t *h)
{
    mem_free(h);
}

void net_handle_close(union net_handle *h)
{
    h->any.data = NULL;
    uv_close(&h->any, on_handle_closed);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

void net_handle_tune(union net_handle *h)
{
    uv_os_fd_t fd;
    if (uv_handle_get_type(&h->any) != UV_TCP || uv_fileno(&h->any, &fd))
        return;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

static bool is_self_connected(const union net_handle *h)
{
    struct sockaddr_storage mine = {0}, theirs = {0};
    int m = sizeof mine, t = sizeof theirs;
    return uv_tcp_getsockname(&h->tcp, (struct sockaddr *)&mine, &m) == 0 &&
           uv_tcp_getpeername(&h->tcp, (struct sockaddr *)&theirs, &t) == 0 && m == t &&
           memcmp(&mine, &theirs, (size_t)m) == 0;
}

// --- attempts ---

static void proceed(struct dial *d);

static void attempt_abandon(struct attempt *a)
{
    list_remove(&a->link);
    a->dial = NULL; // on_connect() frees it
    net_handle_close(a->handle);
}

static void attempt_failed(struct dial *d, struct attempt *a, int status)
{
    strbuf_printf(&d->tried, "%s%s: %s", d->tried.n ? ", " : "", a->addr, uv_strerror(status));
    d->err = net_err(status);
    list_remove(&a->link);
    net_handle_close(a->handle);
    mem_free(a);
}

static void attempt_won(struct dial *d, struct attempt *a)
{
    dial_done *done = d->done;
    void *ud = d->ud;
    union net_handle *h = a->handle;
    list_remove(&a->link);
    mem_free(a);
    dial_cancel(d);
    net_handle_tune(h);
    done(ud, h, ERR_OK, "");
}

static void on_connect(uv_connect_t *req, int status)
{
    struct attempt *a = req->data;
    struct dial *d = a->dial;
    if (!d) {
        mem_free(a);
        return;
    }
    if (status == 0 && is_self_connected(a->handle))
        status = UV_ECONNREFUSED;
    if (status == 0) {
        attempt_won(d, a);
        return;
    }
    attempt_failed(d, a, status);
    proceed(d);
}

// False when it has failed at once.
static bool attempt_start(struct dial *d, const struct sockaddr_storage *addr)
{
    struct attempt *a = MEM_NEW(struct attempt);
    a->dial = d;
    a->req.data = a;
    a->handle = MEM_NEW(union net_handle);
    net_addr_format(addr, a->addr);
    list_push(&d->attempts, &a->link);
    uv_tcp_init(loop_uv(d->loop), &a->handle->tcp);
    int rc = uv_tcp_connect(&a->req, &a->handle->tcp, (const struct sockaddr *)addr, on_connect);
    if (rc)
        attempt_failed(d, a, rc);
    return rc == 0;
}

// --- the dial ---

static void give_up(struct dial *d)
{
    struct errmsg why;
    enum err e = err_set(&why, d->err, "%s", d->tried.n ? d->tried.p : "there is no address to connect to");
    dial_done *done = d->done;
    void *ud = d->ud;
    dial_cancel(d);
    done(ud, NULL, e, why.text);
}

// Tries the next address; gives up when there is none and no attempt is left.
static void proceed(struct dial *d)
{
    while (d->next < d->addrs.n) {
        if (attempt_start(d, &d->addrs.at[d->next++])) {
            timer_set(&d->stagger, d->next < d->addrs.n ? loop_now(d->loop) + DIAL_STAGGER_MS : INT64_MAX);
            return;
        }
    }
    timer_set(&d->stagger, INT64_MAX);
    if (list_empty(&d->attempts))
        give_up(d);
}

static void on_stagger(void *ud)
{
    proceed(ud);
}

static void on_resolved(void *ud, enum err e, const char *why, const struct net_addrs *addrs)
{
    struct dial *d = ud;
    d->resolve = NULL;
    if (e) {
        dial_done *done = d->done;
        void *owner = d->ud;
        dial_cancel(d);
        done(owner, NULL, e, why);
        return;
    }
    d->addrs = *addrs;
    net_addrs_interleave(&d->addrs);
    proceed(d);
}

static struct dial *dial_create(struct loop *l, dial_done *done, void *ud)
{
    struct dial *d = MEM_NEW(struct dial);
    d->loop = l;
    d->done = done;
    d->ud = ud;
    d->err = ERR_REFUSED;
    list_init(&d->attempts);
    timer_init(&d->stagger, l, on_stagger, d);
    strbuf_init(&d->tried, TRIED_MAX);
    return d;
}

struct dial *dial_start(struct loop *l, const char *host, uint16_t port, dial_done *done, void *ud)
{
    struct dial *d = dial_create(l, done, ud);
    d->host = mem_dup(host, strlen(host));
    d->resolve = resolve_start(l, host, port, on_resolved, d);
    return d;
}

struct dial *dial_start_at(struct loop *l, const struct net_addrs *addrs, dial_done *done, void *ud)
{
    struct dial *d = dial_create(l, done, ud);
    d->addrs = *addrs;
    net_addrs_interleave(&d->addrs);
    timer_set(&d->stagger, loop_now(l));
    return d;
}

void dial_cancel(struct dial *d)
{
    if (!d)
        return;
    resolve_cancel(d->resolve);
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &d->attempts)
        attempt_abandon(CONTAINER_OF(it, struct attempt, link));
    timer_finish(&d->stagger);
    strbuf_finish(&d->tried);
    mem_free(d->host);
    mem_free(d);
}

void dial_describe(const struct dial *d, struct errmsg *out)
{
    if (d->resolve) {
        err_set(out, ERR_OK, "looking up %s", d->host);
        return;
    }
    struct strbuf list;
    strbuf_init(&list, TRIED_MAX);
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &d->attempts)
        strbuf_printf(&list, "%s%s", list.n ? ", " : "", CONTAINER_OF(it, struct attempt, link)->addr);
    err_set(out, ERR_OK, "connecting to %s", list.n ? list.p : "nowhere");
    strbuf_finish(&list);
}
