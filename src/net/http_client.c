/* The HTTP client: libcurl's multi interface, driven by the loop.
 *
 * Happy path: http_send() -> curl opens its sockets and says what it waits for (on_socket, on_timer) -> the loop tells
 * it of readiness and time -> a finished transfer is taken out, then its owner is told. Failures: all that goes wrong
 * comes by that one callback, with libcurl's words. Names are looked up in a thread of libcurl's. */
#include "net/http_client.h"

#include "base/arena.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <curl/curl.h>

struct http {
    struct loop *loop;
    CURLM *multi;
    struct timer timer;
    struct list_node calls;
};

struct http_call {
    struct list_node node;
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    struct strbuf body; // of the answer
    size_t head;        // bytes of its headers
    bool too_large;
    http_done *done;
    void *ud;
    char error[CURL_ERROR_SIZE];
};

/* What may be asked. */

static struct str without_scheme(struct str url)
{
    static const char *const schemes[] = {"https://", "http://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (str_case_eq(str_sub(url, 0, n), str_c(schemes[i])))
            return str_sub(url, n, url.n);
    }
    return STR_NONE;
}

bool http_url_good(struct str url)
{
    struct str rest = without_scheme(url);
    size_t host = 0;
    if (url.n > HTTP_URL_MAX)
        return false;
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] <= 0x20 || url.p[i] > 0x7e)
            return false;
    }
    while (host < rest.n && rest.p[host] != '/' && rest.p[host] != '?' && rest.p[host] != '#')
        host++;
    return host > 0 && str_find(str_sub(rest, 0, host), '@') < 0;
}

static enum err check(const struct http_request *r, struct errmsg *msg)
{
    if (!without_scheme(r->url).n)
        return err_set(msg, ERR_UNSUPPORTED, "the URL is neither of http nor of https");
    if (!http_url_good(r->url))
        return err_set(msg, ERR_BADREQ, "the URL is malformed, or longer than %d bytes", HTTP_URL_MAX);
    if (r->header_count > HTTP_HEADERS_MAX)
        return err_set(msg, ERR_LIMIT, "more than %d headers", HTTP_HEADERS_MAX);
    for (size_t i = 0; i < r->header_count; i++) {
        if (!http_header_good(&r->headers[i]))
            return err_set(msg, ERR_BADREQ, "a header is malformed");
    }
    return ERR_OK;
}

/* What libcurl waits for. */

static void finish_calls(struct http *h);

static void act(struct http *h, curl_socket_t fd, int flags)
{
    int running;
    curl_multi_socket_action(h->multi, fd, flags, &running);
    finish_calls(h);
}

struct watch { // of one socket
    struct http *http;
    curl_socket_t fd;
    struct loop_poll *poll;
};

static void on_ready(void *ud, int events, int status)
{
    struct watch *w = ud; // which may be gone behind act()
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(w->http, w->fd, flags);
}

static struct watch *watch_socket(struct http *h, curl_socket_t fd)
{
    struct watch *w = MEM_NEW(struct watch);
    *w = (struct watch){.http = h, .fd = fd};
    w->poll = loop_poll_create(h->loop, fd, on_ready, w);
    curl_multi_assign(h->multi, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *watched)
{
    (void)easy;
    struct watch *w = watched;
    if (what == CURL_POLL_REMOVE) {
        if (w)
            loop_poll_close(w->poll);
        mem_free(w);
        return 0;
    }
    if (!w)
        w = watch_socket(ud, fd);
    if (!w->poll)
        return -1;
    loop_poll_set(w->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0));
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ud)
{
    (void)multi;
    struct http *h = ud;
    timer_set(&h->timer, ms < 0 ? INT64_MAX : loop_now(h->loop) + ms);
    return 0;
}

static void on_time(void *ud)
{
    act(ud, CURL_SOCKET_TIMEOUT, 0);
}

struct http *http_create(struct loop *l)
{
    struct http *h = MEM_NEW(struct http);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(h->multi = curl_multi_init()))
        err_fatal("libcurl cannot be initialised");
    h->loop = l;
    list_init(&h->calls);
    timer_init(&h->timer, l, on_time, h);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, 4L);
    return h;
}

/* A call. */

static void call_free(struct http_call *c)
{
    list_remove(&c->node);
    curl_multi_remove_handle(c->http->multi, c->easy);
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    strbuf_finish(&c->body);
    mem_free(c);
}

void http_cancel(struct http_call *c)
{
    if (c)
        call_free(c);
}

void http_destroy(struct http *h)
{
    if (!h)
        return;
    while (!list_empty(&h->calls))
        call_free(CONTAINER_OF(h->calls.next, struct http_call, node));
    curl_multi_cleanup(h->multi);
    timer_finish(&h->timer);
    curl_global_cleanup();
    mem_free(h);
}

static size_t on_body(char *bytes, size_t one, size_t n, void *ud)
{
    struct http_call *c = ud;
    c->too_large = !strbuf_add(&c->body, bytes, one * n);
    return c->too_large ? 0 : n;
}

static size_t on_header(char *bytes, size_t one, size_t n, void *ud)
{
    (void)bytes;
    struct http_call *c = ud;
    c->head += one * n;
    c->too_large = c->head > HTTP_ANSWER_HEAD_MAX;
    return c->too_large ? 0 : n;
}

static void add_header(struct http_call *c, struct arena *a, const struct http_header *h)
{
    // An empty one ends with ';' for libcurl, which drops "Name:".
    struct str line = h->value.n ? arena_printf(a, STR_FMT ": " STR_FMT, STR_ARG(h->name), STR_ARG(h->value))
                                 : arena_printf(a, STR_FMT ";", STR_ARG(h->name));
    c->headers = curl_slist_append(c->headers, line.p);
}

static void set_bounds(struct http_call *c, const struct http_request *r)
{
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(c->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
    curl_easy_setopt(c->easy, CURLOPT_LOW_SPEED_LIMIT, (long)HTTP_SLOW_BYTES);
    curl_easy_setopt(c->easy, CURLOPT_LOW_SPEED_TIME, (long)HTTP_SLOW_S);
    if (r->ca_file)
        curl_easy_setopt(c->easy, CURLOPT_CAINFO, r->ca_file);
    curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    // A call that ends while its name is looked up leaves that thread to itself, instead of stopping the loop for it.
    curl_easy_setopt(c->easy, CURLOPT_QUICK_EXIT, 1L);
}

static void set_request(struct http_call *c, const struct http_request *r)
{
    struct arena a;
    arena_init(&a, 1024);
    curl_easy_setopt(c->easy, CURLOPT_URL, arena_cstr(&a, r->url));
    for (size_t i = 0; i < r->header_count; i++)
        add_header(c, &a, &r->headers[i]);
    c->headers = curl_slist_append(c->headers, "Expect:"); // no second round trip
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
    if (r->body.n || strcmp(r->method, "GET") != 0) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, r->body.n ? r->body.p : "");
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
    }
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, r->method);
    arena_finish(&a);
}

static void set_callbacks(struct http_call *c)
{
    curl_easy_setopt(c->easy, CURLOPT_PRIVATE, c);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, c);
}

enum err http_send(struct http *h, const struct http_request *request, http_done *done, void *ud,
                   struct http_call **out, struct errmsg *msg)
{
    enum err e = check(request, msg);
    if (e)
        return e;
    struct http_call *c = MEM_NEW(struct http_call);
    c->http = h;
    c->done = done;
    c->ud = ud;
    c->easy = curl_easy_init();
    if (!c->easy)
        err_fatal("libcurl: out of memory");
    strbuf_init(&c->body, request->answer_max);
    list_push(&h->calls, &c->node);
    set_bounds(c, request);
    set_request(c, request);
    set_callbacks(c);
    curl_multi_add_handle(h->multi, c->easy);
    *out = c;
    return ERR_OK;
}

/* Its end. */

static enum err err_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return ERR_OK;
    case CURLE_COULDNT_RESOLVE_HOST:
        return ERR_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return ERR_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return ERR_TLS;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return ERR_CLOSED;
    default:
        return ERR_PROTO;
    }
}

static void finish(struct http_call *c, CURLcode code)
{
    struct errmsg why = {""};
    long status = 0;
    enum err e = c->too_large ? ERR_LIMIT : err_of(code);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    struct http_answer answer = {.status = (int)status, .body = strbuf_view(&c->body)};
    if (c->too_large)
        err_set(&why, e, "the answer is too large");
    else if (e)
        err_set(&why, e, "%s", c->error[0] ? c->error : curl_easy_strerror(code));
    curl_multi_remove_handle(c->http->multi, c->easy);
    c->done(c->ud, e, why.text, e ? NULL : &answer);
    call_free(c);
}

// Each is told before the next is taken out, for it may send anew.
static void finish_calls(struct http *h)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        char *c = NULL;
        if (m->msg != CURLMSG_DONE)
            continue;
        CURLcode code = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
        finish((struct http_call *)(void *)c, code);
    }
}
