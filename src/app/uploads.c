/* Happy path: uploads_take() -> the service is found (uploads_find.c) -> a slot is asked for -> PUT -> the events that
 * brought these bytes go on with the slot's URL. Bytes that were sent a while ago go on with that URL at once.
 *
 * Failures end in a text for who waits: at once where nothing can be done (too large, not allowed, no service), else
 * when the PUT has failed or the time is over. A quota with a time to try again is waited for, as long as the file may
 * wait. The admins are told once, when files begin to fail, and what to change; the subscribers of a contact once too.
 */
#include "app/uploads_private.h"

#include "base/clock.h"
#include "base/mem.h"
#include "text/hash.h"

#include <inttypes.h>

#define DEFAULT_MEDIA "application/octet-stream"

static int64_t now(const struct uploads *u)
{
    return u->host.now(u->ud);
}

/* Ends */

static void drop(struct upload *f)
{
    struct uploads *u = f->uploads;
    u->host.unask(u->ud, f);
    if (f->call)
        u->host.cancel(u->ud, f->call);
    u->running -= f->state != UPLOAD_WAITS;
    u->count--;
    u->bytes -= f->bytes.n;
    list_remove(&f->node);
    arena_finish(&f->arena);
    mem_free(f);
}

static void go_on(struct uploads *u, const struct event *ev, struct str url, struct str text)
{
    struct event on = *ev;
    on.blob = STR_NONE;
    on.url = url;
    on.name = STR_NONE; // which is that of a contact, to the core
    if (text.n)
        on.body = text;
    u->host.done(u->ud, &on);
}

static bool is_picture(struct str media)
{
    return str_starts(media, STR("image/"));
}

// Whom nobody asked hears of it once; and of an outage of the link not at all, for it is behind that link.
static bool to_be_told(struct uploads *u, const struct event *ev, enum upload_failure kind)
{
    return ev->kind == EV_DELIVERED || (kind != UPLOAD_OFFLINE && uploads_first_failure(u, ev->key));
}

static void tell_failure(struct uploads *u, const struct event *ev, enum upload_failure kind, struct str why)
{
    struct arena a;
    u->stat.failed++;
    if (!to_be_told(u, ev, kind))
        return;
    arena_init(&a, 512);
    const char *what = is_picture(ev->media) ? "picture" : "file";
    go_on(u, ev, STR_NONE,
          arena_printf(&a, STR_FMT "%sthe %s cannot be shown: " STR_FMT, STR_ARG(ev->body), ev->body.n ? ": " : "",
                       what, STR_ARG(why)));
    arena_finish(&a);
}

static void succeed(struct upload *f)
{
    struct uploads *u = f->uploads;
    u->stat.sent++;
    if (u->told != UPLOAD_FAILURES)
        log_info(u->log, LOG_MSG("files can be sent again"), LOG_C("service", uploads_service(u)));
    u->told = UPLOAD_FAILURES;
    uploads_blame(u, STR_NONE);
    uploads_remember(u, f->sum, f->get);
    for (size_t i = 0; i < f->event_count; i++) {
        uploads_success(u, f->events[i]->key);
        go_on(u, f->events[i], f->get, STR_NONE);
    }
    drop(f);
}

// Once for each outage, and for each other reason of it.
static void tell_admins(struct uploads *u, enum upload_failure kind, struct str detail)
{
    bool *large = kind == UPLOAD_LARGE ? &u->told_large : NULL;
    if (kind > UPLOAD_LARGE || (large ? *large : u->told == kind)) {
        log_debug(u->log, LOG_MSG("a file was not sent"), LOG_S("why", detail));
        return;
    }
    if (large) {
        *large = true;
    } else {
        u->told = kind;
        uploads_blame(u, detail);
    }
    struct arena a;
    arena_init(&a, 512);
    u->host.notice(u->ud, arena_printf(&a, "Pictures and files cannot be sent: " STR_FMT ".", STR_ARG(detail)));
    arena_finish(&a);
}

// `why` is for who waits, `detail` for who can change it.
static void fail(struct upload *f, enum upload_failure kind, struct str why, struct str detail)
{
    struct uploads *u = f->uploads;
    tell_admins(u, kind, detail.n ? detail : why);
    for (size_t i = 0; i < f->event_count; i++)
        tell_failure(u, f->events[i], kind, why);
    drop(f);
}

/* PUT */

static void on_put(void *ud, enum err e, const char *why, const struct http_answer *answer)
{
    struct upload *f = ud;
    struct uploads *u = f->uploads;
    struct arena a;
    f->call = NULL;
    arena_init(&a, 512);
    if (!e && answer->status >= 200 && answer->status < 300) {
        succeed(f);
    } else {
        struct str said = e ? arena_printf(&a, "the upload server could not be used (%s)", err_text(e))
                            : arena_printf(&a, "the upload server answered %d", answer->status);
        fail(f, UPLOAD_HTTP, said,
             arena_printf(&a, "%s: " STR_FMT "%s%s", uploads_service(u), STR_ARG(said), e ? ": " : "", e ? why : ""));
    }
    arena_finish(&a);
    u->host.changed(u->ud);
}

static void put(struct upload *f, const struct upload_slot *slot)
{
    struct uploads *u = f->uploads;
    struct http_header headers[UPLOAD_HEADERS + 1] = {{STR("Content-Type"), f->media}};
    struct errmsg msg;
    int64_t left = f->deadline - now(u);
    struct http_request r = {.method = "PUT", .url = slot->put, .headers = headers, .body = f->bytes};
    for (size_t i = 0; i < slot->header_count; i++)
        headers[i + 1] = (struct http_header){slot->headers[i].name, slot->headers[i].value};
    r.header_count = slot->header_count + 1;
    r.ca_file = u->ca_file;
    r.total_ms = left > UPLOADS_PUT_MS ? UPLOADS_PUT_MS : left > 1 ? left : 1;
    r.answer_max = 16384;
    f->get = arena_dup(&f->arena, slot->get);
    f->state = UPLOAD_PUTS;
    if (u->host.send(u->ud, &r, on_put, f, &f->call, &msg)) {
        f->call = NULL;
        fail(f, UPLOAD_HTTP, STR("the upload service gave a URL that cannot be used"), str_c(msg.text));
    }
}

/* Slots */

static struct str size_text(struct arena *a, uint64_t bytes)
{
    return bytes >= 1000000 ? arena_printf(a, "%.1f MB", (double)bytes / 1e6)
                            : arena_printf(a, "%.1f kB", (double)bytes / 1e3);
}

static void too_large(struct upload *f)
{
    struct uploads *u = f->uploads;
    struct arena a;
    arena_init(&a, 512);
    struct str is = size_text(&a, f->bytes.n), max = size_text(&a, u->max);
    fail(f, UPLOAD_LARGE, arena_printf(&a, "it has " STR_FMT ", the server takes " STR_FMT, STR_ARG(is), STR_ARG(max)),
         arena_printf(&a, "%s takes files up to " STR_FMT ", and one has " STR_FMT ": raise its limit, or send less",
                      uploads_service(u), STR_ARG(max), STR_ARG(is)));
    arena_finish(&a);
}

static void forbidden(struct upload *f, struct str text)
{
    struct uploads *u = f->uploads;
    struct arena a;
    arena_init(&a, 1024);
    fail(f, UPLOAD_FORBIDDEN, STR("the server does not let this bridge upload files"),
         arena_printf(&a,
                      "%s does not let %s upload%s" STR_FMT "%s. On ejabberd: \"acl: {spandrel: {server: %s}}\", "
                      "\"access_rules: {upload: [{allow: local}, {allow: spandrel}]}\", and for mod_http_upload "
                      "\"access: upload\"; on Prosody: add \"%s\" to http_file_share_access. See docs/servers.md",
                      uploads_service(u), u->domain, text.n ? " (" : "", STR_ARG(text), text.n ? ")" : "", u->domain,
                      u->domain));
    arena_finish(&a);
}

// The service says when, or after a minute; a file that cannot wait so long is given up.
static void full(struct upload *f, const struct upload_refusal *why)
{
    struct uploads *u = f->uploads;
    int64_t wait = why->retry ? why->retry - u->host.wall(u->ud) : 60000;
    int64_t at = now(u) + (wait < 1000 ? 1000 : wait);
    if (at < f->deadline) {
        u->running--;
        f->state = UPLOAD_WAITS;
        f->begin_at = at;
        return;
    }
    struct arena a;
    arena_init(&a, 512);
    struct str span = clock_span(&a, at - now(u));
    fail(f, UPLOAD_FULL,
         arena_printf(&a, "the server takes no more files for now; try again in " STR_FMT, STR_ARG(span)),
         arena_printf(&a, "%s takes no more files of %s: its quota is used up", uploads_service(u), u->domain));
    arena_finish(&a);
}

static void refused(struct upload *f, enum err e, struct str text)
{
    struct uploads *u = f->uploads;
    struct arena a;
    arena_init(&a, 512);
    text = text.n ? text : str_c(err_text(e));
    struct str detail = arena_printf(&a, "%s: " STR_FMT, uploads_service(u), STR_ARG(text));
    if (e == ERR_NOTFOUND || e == ERR_TIMEOUT || e == ERR_UNAVAILABLE || e == ERR_RESOLVE)
        uploads_lose(u); // it is looked for anew
    fail(f, e == ERR_OFFLINE ? UPLOAD_OFFLINE : UPLOAD_REFUSED,
         arena_printf(&a, "the upload service refused it (" STR_FMT ")", STR_ARG(text)), detail);
    arena_finish(&a);
}

static void on_refusal(struct upload *f, enum err e, struct str text, const struct xml_node *iq)
{
    struct uploads *u = f->uploads;
    struct upload_refusal why;
    upload_read_refusal(iq, &why);
    if (why.max != UINT64_MAX) {
        u->max = why.max ? why.max : f->bytes.n - 1;
        too_large(f);
    } else if (e == ERR_FORBIDDEN || e == ERR_NOTALLOWED || e == ERR_AUTH || e == ERR_REGISTRATION) {
        forbidden(f, text);
    } else if (e == ERR_AGAIN || why.retry) {
        full(f, &why);
    } else {
        refused(f, e, text);
    }
}

static void on_slot(void *ud, enum err e, struct str text, const struct xml_node *iq)
{
    struct upload *f = ud;
    struct uploads *u = f->uploads;
    struct upload_slot slot;
    const char *why;
    if (e)
        on_refusal(f, e, text, iq);
    else if (upload_read_slot(iq, &slot, &why))
        fail(f, UPLOAD_REFUSED, STR("the upload service gave no usable place for it"), str_c(why));
    else
        put(f, &slot);
    u->host.changed(u->ud);
}

static void put_request(struct xml_writer *w, void *ud)
{
    const struct upload *f = ud;
    upload_put_request(w, f->name, f->bytes.n, f->media);
}

static void begin(struct upload *f)
{
    struct uploads *u = f->uploads;
    if (f->bytes.n > u->max) {
        too_large(f);
        return;
    }
    struct gateway_request r = {.to = str_c(u->service), .type = "get", .timeout = UPLOADS_ASK_MS};
    r.payload = put_request;
    r.answer = on_slot;
    r.ud = f;
    f->state = UPLOAD_ASKS;
    u->running++;
    enum err e = u->host.ask(u->ud, &r);
    if (e)
        fail(f, UPLOAD_REFUSED, STR("the bridge is busy"), str_c(err_text(e)));
}

/* Work */

static void expire(struct uploads *u)
{
    struct list_node *at, *next;
    LIST_EACH (at, next, &u->files) {
        struct upload *f = CONTAINER_OF(at, struct upload, node);
        if (f->deadline <= now(u))
            fail(f, UPLOAD_LATE, STR("it took too long"), STR_NONE);
    }
}

static void fail_all(struct uploads *u, enum upload_failure kind, const char *why, struct str detail)
{
    while (!list_empty(&u->files))
        fail(LIST_FIRST(&u->files, struct upload, node), kind, str_c(why), detail);
}

static void start_some(struct uploads *u)
{
    struct list_node *at, *next;
    LIST_EACH (at, next, &u->files) {
        struct upload *f = CONTAINER_OF(at, struct upload, node);
        if (u->running >= UPLOADS_AT_ONCE || u->state != SERVICE_FOUND)
            return;
        if (f->state == UPLOAD_WAITS && f->begin_at <= now(u))
            begin(f);
    }
}

static void give_up_without_service(struct uploads *u)
{
    struct arena a;
    arena_init(&a, 512);
    struct str why = arena_dup(&a, str_c(u->why)); // which tell_admins() replaces
    fail_all(u, UPLOAD_NOWHERE, "the server has no upload service that the bridge could use", why);
    arena_finish(&a);
}

void uploads_work(struct uploads *u)
{
    expire(u);
    if (list_empty(&u->files))
        return;
    if (!u->up) {
        fail_all(u, UPLOAD_OFFLINE, "the link to the XMPP server is down", STR_NONE);
        return;
    }
    if (u->state == SERVICE_UNKNOWN || (u->state == SERVICE_NONE && u->find_at <= now(u)))
        uploads_find(u);
    if (u->state == SERVICE_NONE)
        give_up_without_service(u);
    start_some(u);
}

int64_t uploads_deadline(const struct uploads *u)
{
    int64_t first = INT64_MAX;
    for (struct list_node *at = u->files.next; at != &u->files; at = at->next) {
        const struct upload *f = CONTAINER_OF(at, struct upload, node);
        int64_t due = f->state == UPLOAD_WAITS && f->begin_at > now(u) ? f->begin_at : f->deadline;
        if (due < first)
            first = due;
    }
    return first;
}

/* What comes */

static void sum_of(const struct event *ev, uint8_t out[SHA256_BYTES])
{
    uint8_t both[2 * SHA256_BYTES];
    hash_sha256(ev->blob, both);
    hash_sha256(ev->media, both + SHA256_BYTES);
    hash_sha256((struct str){(const char *)both, sizeof both}, out);
}

static struct upload *same_file(struct uploads *u, const uint8_t sum[SHA256_BYTES])
{
    struct list_node *at, *next;
    LIST_EACH (at, next, &u->files) {
        struct upload *f = CONTAINER_OF(at, struct upload, node);
        if (memcmp(f->sum, sum, SHA256_BYTES) == 0 && f->event_count < UPLOADS_EVENTS)
            return f;
    }
    return NULL;
}

static void add_event(struct upload *f, const struct event *ev)
{
    struct event without = *ev;
    without.blob = STR_NONE;
    f->events[f->event_count++] = event_copy(&f->arena, &without);
}

// Of letters, digits, '.', '-' and '_', since it becomes a part of the URL.
static struct str file_name(struct arena *a, struct str name)
{
    char *text = arena_cstr(a, str_sub(name.n ? name : STR("file"), 0, UPLOAD_NAME_MAX));
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!plain && (c != '.' || i == 0))
            text[i] = '-';
    }
    return (struct str){text, n};
}

static bool media_good(struct str media)
{
    for (size_t i = 0; i < media.n; i++) {
        if (media.p[i] <= 0x20 || media.p[i] > 0x7e)
            return false;
    }
    return media.n && media.n <= UPLOAD_MEDIA_MAX;
}

static void add_file(struct uploads *u, const struct event *ev, const uint8_t sum[SHA256_BYTES])
{
    struct upload *f = MEM_NEW(struct upload);
    f->uploads = u;
    arena_init(&f->arena, ev->blob.n + 2048);
    memcpy(f->sum, sum, SHA256_BYTES);
    f->bytes = arena_dup(&f->arena, ev->blob);
    f->media = arena_dup(&f->arena, media_good(ev->media) ? ev->media : STR(DEFAULT_MEDIA));
    f->name = file_name(&f->arena, ev->name);
    f->deadline = now(u) + UPLOADS_MS;
    add_event(f, ev);
    list_push(&u->files, &f->node);
    u->count++;
    u->bytes += ev->blob.n;
}

void uploads_take(struct uploads *u, const struct event *ev)
{
    uint8_t sum[SHA256_BYTES];
    if (ev->blob.n > UPLOADS_BYTES) {
        tell_failure(u, ev, UPLOAD_LARGE, STR("it is larger than what the bridge can hold"));
        u->host.changed(u->ud);
        return;
    }
    sum_of(ev, sum);
    const char *url = uploads_known(u, sum);
    struct upload *same = url ? NULL : same_file(u, sum);
    if (url) {
        u->stat.reused++;
        uploads_success(u, ev->key);
        go_on(u, ev, str_c(url), STR_NONE);
    } else if (!uploads_may(u, &ev->user)) {
        tell_failure(u, ev, UPLOAD_LATE, STR("you have asked for too many at once; wait a little"));
    } else if (same) {
        add_event(same, ev);
    } else if (u->count >= UPLOADS_WAITING || u->bytes + ev->blob.n > UPLOADS_BYTES) {
        tell_failure(u, ev, UPLOAD_LATE, STR("too many files wait already"));
    } else {
        add_file(u, ev, sum);
    }
    u->host.changed(u->ud);
}

/* Life */

void uploads_link(struct uploads *u, bool up)
{
    u->up = up;
    uploads_lose(u);
    u->told_large = false;
    u->host.changed(u->ud);
}

static char *copy(struct str s)
{
    return s.n ? mem_dup(s.p, s.n) : NULL;
}

static void set_config(struct uploads *u, const struct uploads_config *cfg)
{
    char *const old[] = {u->domain, u->wanted, u->ca_file};
    u->domain = copy(cfg->domain);
    u->wanted = copy(cfg->service);
    u->ca_file = copy(str_c(cfg->ca_file));
    u->reuse = cfg->reuse;
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        mem_free(old[i]);
}

void uploads_configure(struct uploads *u, const struct uploads_config *cfg)
{
    set_config(u, cfg);
    uploads_lose(u);
    uploads_forget_urls(u);
    u->told = UPLOAD_FAILURES;
    u->told_large = false;
    uploads_blame(u, STR_NONE);
    u->host.changed(u->ud);
}

struct uploads *uploads_create(const struct uploads_config *cfg, const struct uploads_host *host, void *ud,
                               const struct log_ctx *log)
{
    struct uploads *u = MEM_NEW(struct uploads);
    u->host = *host;
    u->ud = ud;
    u->log = log;
    u->told = UPLOAD_FAILURES;
    list_init(&u->files);
    set_config(u, cfg);
    return u;
}

void uploads_destroy(struct uploads *u)
{
    if (!u)
        return;
    while (!list_empty(&u->files))
        drop(LIST_FIRST(&u->files, struct upload, node));
    uploads_find_finish(u);
    uploads_memory_finish(u);
    mem_free(u->domain);
    mem_free(u->wanted);
    mem_free(u->ca_file);
    mem_free(u);
}

void uploads_stat(const struct uploads *u, struct uploads_stat *out)
{
    *out = u->stat;
    out->waiting = u->count;
    out->bytes = u->bytes;
}

struct str uploads_status(const struct uploads *u, struct arena *a)
{
    static const char *const words[] = {
        [SERVICE_UNKNOWN] = "not yet looked for",
        [SERVICE_ITEMS] = "looking for the upload service",
        [SERVICE_FINDING] = "looking for the upload service",
        [SERVICE_FOUND] = "",
        [SERVICE_NONE] = "none",
    };
    const char *where = u->state == SERVICE_FOUND ? u->service : words[u->state];
    return arena_printf(a, "%s; %" PRIu64 " sent, %" PRIu64 " used again, %" PRIu64 " failed, %zu waiting%s%s",
                        u->why && u->state == SERVICE_NONE ? "no service" : where, u->stat.sent, u->stat.reused,
                        u->stat.failed, u->count, u->why ? "; " : "", u->why ? u->why : "");
}
