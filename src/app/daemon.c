/* The daemon around the hub.
 *
 * Happy path: configuration -> state directory locked, by waiting for it (standby.h) where that is wanted -> store ->
 * hub
 * -> links and control socket -> loop until a signal ->
 * hub_shutdown() -> subscribers told, streams closed and read to EOF -> store flushed -> exit 0. Failures: before the
 * loop runs they are printed and end the start; afterwards they are states, but rows that cannot be written at the end
 * are exit 1. A stop that takes longer than STOP_MS is ended: what is not yet committed was not acknowledged either. */
#include "app/daemon.h"

#include "app/app_conf.h"
#include "app/control.h"
#include "app/hub.h"
#include "app/link_driver.h"
#include "app/standby.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "net/http_client.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { STOP_MS = 4500 };

struct daemon {
    const char *path;
    struct loop *loop;
    struct http *http;
    struct standby *standby; // while it waits
    struct store_lock *lock; // until the store has it
    struct store *store;
    struct record *record;
    struct hub *hub;
    struct conf_value *config;
    struct control *control;
    struct link_driver **links;
    size_t link_count;
    struct defer work;
    struct timer timer; // hub_deadline()
    struct timer stop;  // STOP_MS after the signal
    struct loop_wake *committed;
    uv_signal_t signals[3];
    struct log_ctx log;
    uint64_t snapshot;   // the client that waits for one
    bool stopping, late; // late: STOP_MS have passed
};

static int64_t host_now(void *ud)
{
    struct daemon *d = ud;
    return loop_now(d->loop);
}

static int64_t host_wall(void *ud)
{
    struct daemon *d = ud;
    return loop_wall(d->loop);
}

static struct loop *host_loop(void *ud)
{
    struct daemon *d = ud;
    return d->loop;
}

static struct http *host_http(void *ud)
{
    struct daemon *d = ud;
    return d->http;
}

static void host_changed(void *ud)
{
    struct daemon *d = ud;
    if (d->work.loop)
        defer_set(&d->work);
}

// The new configuration, checked; NULL when the report holds an error.
static struct conf_value *read_config(const char *path, struct conf_report *report)
{
    struct conf_value *config = conf_load(path, app_schema, report);
    if (config)
        app_conf_check(config, report);
    if (!conf_errors(report))
        return config;
    conf_destroy(config);
    return NULL;
}

// In the arena, or borrowed from the configuration.
static struct link_driver_config link_config(const struct daemon *d, size_t at, struct arena *a)
{
    const struct conf_value *c = hub_component_config(d->hub, at), *tls = conf_get(c, "tls");
    return (struct link_driver_config){
        .host = arena_cstr(a, conf_host(conf_get(c, "server"))),
        .port = conf_port(conf_get(c, "server")),
        .tls = {.on = conf_bool(conf_get(tls, "enabled")),
                .name = conf_cstr(conf_get(tls, "name")),
                .ca_file = conf_cstr(conf_get(tls, "ca")),
                .insecure = conf_bool(conf_get(tls, "insecure"))},
    };
}

// A link whose way has changed connects anew, when its driver is next poked.
static void configure_links(struct daemon *d)
{
    struct arena a;
    arena_init(&a, 256);
    for (size_t i = 0; i < d->link_count; i++) {
        struct link_driver_config cfg = link_config(d, i, &a);
        link_driver_configure(d->links[i], &cfg);
    }
    arena_finish(&a);
}

static bool host_reload(void *ud, struct conf_report *report)
{
    struct daemon *d = ud;
    if (d->stopping)
        return false;
    struct conf_value *config = read_config(d->path, report);
    if (!config || hub_reload(d->hub, config, report)) {
        conf_destroy(config);
        return false;
    }
    conf_destroy(d->config);
    d->config = config;
    configure_links(d);
    app_conf_log(config);
    log_info(&d->log, LOG_MSG("configuration reloaded"));
    return true;
}

static const struct hub_host host = {host_now, host_wall, host_loop, host_http, host_changed, host_reload};

static void work(void *ud)
{
    struct daemon *d = ud;
    hub_work(d->hub);
    control_poke(d->control);
    for (size_t i = 0; i < d->link_count; i++)
        link_driver_poke(d->links[i]);
    timer_set(&d->timer, hub_deadline(d->hub));
    if (d->stopping && (d->late ? hub_adapters_closed(d->hub) : hub_done(d->hub)))
        loop_stop(d->loop);
}

static void wake(void *ud)
{
    host_changed(ud);
}

static void congested(void *ud, size_t at, bool is)
{
    struct daemon *d = ud;
    hub_component_congested(d->hub, at, is);
}

static void stop_late(void *ud)
{
    struct daemon *d = ud;
    log_warn(&d->log, LOG_MSG("not all links closed in time"));
    d->late = true;
    hub_abandon(d->hub);
    host_changed(d);
}

static void stop(struct daemon *d)
{
    if (d->stopping)
        return;
    d->stopping = true;
    log_info(&d->log, LOG_MSG("stopping"));
    timer_set(&d->stop, loop_now(d->loop) + STOP_MS);
    hub_shutdown(d->hub);
    host_changed(d);
}

// A line for each message, which begins with the path; the lines that show the place are for a terminal.
static void log_report(const struct daemon *d, const struct conf_report *report)
{
    struct str rest = conf_report_text(report), line;
    while (rest.n) {
        str_cut(rest, '\n', &line, &rest);
        bool warning = str_find_str(line, STR(": warning: ")) >= 0;
        if (str_starts(line, str_c(d->path)))
            log_at(warning ? LOG_WARN : LOG_ERROR, &d->log, LOG_MSG("configuration"), LOG_S("text", line));
    }
}

static void reload(struct daemon *d)
{
    struct conf_report *report = conf_report_create();
    bool good = host_reload(d, report);
    log_report(d, report);
    if (!good)
        log_error(&d->log, LOG_MSG("the configuration was not reloaded: nothing has changed"));
    conf_report_destroy(report);
}

static void signal_standby(struct daemon *d, int signum);

static void on_signal(uv_signal_t *handle, int signum)
{
    struct daemon *d = handle->data;
    if (d->standby)
        signal_standby(d, signum);
    else if (signum == SIGHUP)
        reload(d);
    else
        stop(d);
}

static void committed(void *ud)
{
    struct daemon *d = ud;
    loop_wake_send(d->committed);
}

static bool open_store(struct daemon *d)
{
    struct errmsg msg;
    struct store_lock *lock = d->lock;
    d->lock = NULL;
    if (store_open_locked(lock, &d->store, &msg)) {
        fprintf(stderr, "spandrel: %s\n", msg.text);
        return false;
    }
    store_on_commit(d->store, committed, d);
    return true;
}

static void open_links(struct daemon *d)
{
    static const struct link_driver_events events = {.work = wake, .congested = congested};
    struct arena a;
    arena_init(&a, 256);
    d->link_count = hub_component_count(d->hub);
    d->links = mem_zalloc(d->link_count, sizeof(struct link_driver *));
    for (size_t i = 0; i < d->link_count; i++) {
        struct link_driver_config cfg = link_config(d, i, &a);
        d->links[i] = link_driver_create(d->loop, hub_component(d->hub, i), &cfg, &events, d, i, &d->log);
    }
    arena_finish(&a);
}

/* A copy of the database for `spandrel db`, which checks it and brings it to where it is wanted: the process may have
 * no right to write there. It is no operation: who may fetch it is on this machine, and may read the directory. */

static void snapshot_path(const struct daemon *d, uint64_t client, struct strbuf *out)
{
    strbuf_printf(out, "%s/snapshot-%" PRIu64 ".db", conf_cstr(conf_get(d->config, "state")), client);
}

// Of a client that has not waited.
static void drop_snapshot(struct daemon *d)
{
    enum err e;
    struct errmsg msg;
    struct strbuf path;
    if (!d->snapshot || !store_snapshot_ended(d->store, &e, &msg))
        return;
    strbuf_init(&path, 8192);
    snapshot_path(d, d->snapshot, &path);
    (void)remove(path.p);
    strbuf_finish(&path);
    d->snapshot = 0;
}

static enum err begin_snapshot(struct daemon *d, uint64_t client, struct strbuf *out)
{
    struct errmsg msg;
    struct strbuf path;
    drop_snapshot(d);
    strbuf_init(&path, 8192);
    snapshot_path(d, client, &path);
    enum err e = store_snapshot(d->store, path.p, &msg);
    strbuf_finish(&path);
    if (!e) {
        d->snapshot = client;
        return ERR_AGAIN;
    }
    strbuf_printf(out, "%s\n", msg.text);
    return e == ERR_AGAIN ? ERR_LIMIT : e; // this client is not kept
}

static enum err snapshot(struct daemon *d, uint64_t client, struct strbuf *out)
{
    enum err e;
    struct errmsg msg;
    if (d->snapshot != client)
        return begin_snapshot(d, client, out);
    if (!store_snapshot_ended(d->store, &e, &msg))
        return ERR_AGAIN;
    d->snapshot = 0;
    if (e)
        strbuf_printf(out, "%s\n", msg.text);
    else
        snapshot_path(d, client, out);
    return e;
}

static enum err operate(void *ud, uint64_t client, struct str line, bool json, struct strbuf *out)
{
    struct daemon *d = ud;
    if (str_eq_c(str_trim(line), "snapshot"))
        return snapshot(d, client, out);
    enum err e = hub_operate(d->hub, line, json, out);
    return e == ERR_AGAIN ? ERR_LIMIT : e; // the client is answered
}

static unsigned control_mode(const struct daemon *d)
{
    return (unsigned)strtoul(conf_cstr(conf_get(conf_get(d->config, "control"), "mode")), NULL, 8);
}

static bool open_control(struct daemon *d)
{
    struct arena a;
    arena_init(&a, 256);
    struct errmsg msg;
    d->control = control_create(d->loop, app_conf_control(d->config, &a), control_mode(d), operate, d, &msg);
    if (!d->control)
        fprintf(stderr, "spandrel: %s\n", msg.text);
    arena_finish(&a);
    return d->control != NULL;
}

static void watch_signals(struct daemon *d)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is want of room to the store, and no reason to die
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(loop_uv(d->loop), &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
}

static bool make_hub(struct daemon *d)
{
    struct conf_report *report = conf_report_create();
    d->hub = hub_create(d->config, d->store, &host, d, d->record, report);
    struct str text = conf_report_text(report);
    fprintf(stderr, STR_FMT, STR_ARG(text));
    conf_report_destroy(report);
    return d->hub != NULL;
}

static bool open_record(struct daemon *d, const char *path)
{
    struct errmsg msg;
    if (path && !(d->record = record_create(path, &msg)))
        fprintf(stderr, "spandrel: %s\n", msg.text);
    return !path || d->record;
}

static bool open_all(struct daemon *d, const char *record_path)
{
    if (!open_store(d) || !open_record(d, record_path) || !make_hub(d))
        return false;
    defer_init(&d->work, d->loop, work, d);
    timer_init(&d->timer, d->loop, wake, d);
    timer_init(&d->stop, d->loop, stop_late, d);
    if (!open_control(d))
        return false;
    open_links(d);
    return true;
}

// False when the store could not write all.
static bool close_all(struct daemon *d)
{
    control_close(d->control);
    for (size_t i = 0; i < d->link_count; i++)
        link_driver_close(d->links[i]);
    for (size_t i = 0; i < 3; i++) {
        if (d->signals[i].data)
            uv_close((uv_handle_t *)&d->signals[i], NULL);
    }
    hub_destroy(d->hub); // an adapter that it closes asks for work
    http_destroy(d->http);
    if (d->work.loop) {
        defer_finish(&d->work);
        timer_finish(&d->timer);
        timer_finish(&d->stop);
    }
    record_destroy(d->record);
    bool stored = store_close(d->store);
    store_dir_unlock(d->lock);
    loop_wake_close(d->committed);
    loop_run(d->loop); // until the last handle is closed
    loop_destroy(d->loop);
    mem_free(d->links);
    conf_destroy(d->config);
    return stored;
}

static void seed(void)
{
    uint8_t key[16];
    rng_bytes(key, sizeof key);
    map_seed(key);
}

static struct conf_value *read_or_print(const char *path)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *config = read_config(path, report);
    struct str text = conf_report_text(report);
    fprintf(stderr, STR_FMT, STR_ARG(text));
    conf_report_destroy(report);
    return config;
}

static bool open_loop(struct daemon *d)
{
    d->loop = loop_create();
    if (!d->loop)
        fprintf(stderr, "spandrel: cannot start: %s\n", strerror(errno));
    return d->loop != NULL;
}

// The whole configuration in memory: adapters and rules too. Prints what is wrong.
static bool try_config(struct daemon *d)
{
    d->store = store_open_memory();
    bool good = make_hub(d);
    hub_destroy(d->hub);
    store_close(d->store);
    d->hub = NULL;
    d->store = NULL;
    return good;
}

/* Standby */

static void taken(void *ud, struct store_lock *takes, const char *why)
{
    struct daemon *d = ud;
    d->lock = takes;
    if (takes)
        log_info(&d->log, LOG_MSG("the state is free: taking over"), LOG_C("directory", store_dir_path(takes)));
    else
        log_error(&d->log, LOG_MSG("the state cannot be taken over"), LOG_C("why", why));
    loop_stop(d->loop);
}

static void start_standby(struct daemon *d, const struct store_holder *holder)
{
    struct arena a;
    arena_init(&a, 256);
    const struct standby_config cfg = {conf_cstr(conf_get(d->config, "state")), app_conf_control(d->config, &a),
                                       control_mode(d)};
    d->standby = standby_create(d->loop, &cfg, holder, taken, d);
    arena_finish(&a);
}

// What the file holds now, if it is good; else what was read before stays in force.
static bool reread(struct daemon *d)
{
    struct conf_report *report = conf_report_create();
    struct conf_value *config = read_config(d->path, report), *before = d->config;
    log_report(d, report);
    conf_report_destroy(report);
    d->config = config ? config : before;
    if (config && !try_config(d)) {
        conf_destroy(config);
        d->config = before;
        return false;
    }
    if (config) {
        conf_destroy(before);
        app_conf_log(config);
    }
    return config != NULL;
}

static void signal_standby(struct daemon *d, int signum)
{
    if (signum != SIGHUP) {
        log_info(&d->log, LOG_MSG("stopping"));
        d->stopping = true;
        loop_stop(d->loop);
    } else if (reread(d)) {
        log_info(&d->log, LOG_MSG("configuration reloaded; `state` and `control` count from the take-over on"));
    } else {
        log_error(&d->log, LOG_MSG("the configuration was not reloaded: nothing has changed"));
    }
}

static bool lock_state(struct daemon *d, bool standby);

// The directory of the configuration in force, where that is another one by now.
static bool follow_state(struct daemon *d)
{
    if (strcmp(store_dir_path(d->lock), conf_cstr(conf_get(d->config, "state"))) == 0)
        return true;
    store_dir_unlock(d->lock);
    d->lock = NULL;
    return lock_state(d, true);
}

// Until the directory is locked: true; or cannot be, or a signal has come.
static bool wait_for_state(struct daemon *d, const struct store_holder *holder)
{
    if (!try_config(d))
        return false;
    start_standby(d, holder);
    loop_run(d->loop);
    standby_destroy(d->standby);
    d->standby = NULL;
    if (d->lock && !d->stopping && !reread(d))
        log_error(&d->log, LOG_MSG("the configuration in the file is wrong: taking over with what was read before"));
    return d->lock && !d->stopping && follow_state(d);
}

// False when it cannot be had; what to do is printed.
static bool lock_state(struct daemon *d, bool standby)
{
    struct errmsg msg;
    struct store_holder holder = {.pid = 0};
    enum err e = store_dir_lock(conf_cstr(conf_get(d->config, "state")), &d->lock, &holder, &msg);
    if (e == ERR_EXISTS && standby)
        return wait_for_state(d, &holder);
    if (e)
        fprintf(stderr, "spandrel: %s\n", msg.text);
    if (e == ERR_EXISTS)
        fprintf(stderr, "spandrel: to wait for its end and take over then: spandrel run --standby\n");
    return !e;
}

static void serve(struct daemon *d)
{
    log_info(&d->log, LOG_MSG("started"), LOG_C("version", SPANDREL_VERSION));
    hub_start(d->hub);
    host_changed(d);
    loop_run(d->loop);
    log_info(&d->log, LOG_MSG("stopped"));
}

int daemon_run(const char *config_path, const char *record_path, bool standby)
{
    struct daemon d = {.path = config_path, .log = {.sub = LOG_SUB_app}};
    seed();
    d.config = read_or_print(config_path);
    if (!d.config)
        return 1;
    app_conf_log(d.config);
    if (!open_loop(&d)) {
        conf_destroy(d.config);
        return 1;
    }
    d.http = http_create(d.loop);
    d.committed = loop_wake_create(d.loop, wake, &d);
    watch_signals(&d); // one that comes while the tables are read is acted upon when the loop runs
    bool good = lock_state(&d, standby) && open_all(&d, record_path);
    if (good)
        serve(&d);
    good = good || (d.stopping && !d.hub); // a standby that was told to stop has done all it had to
    bool stored = close_all(&d);
    return good && stored ? 0 : 1;
}

int daemon_check(const char *config_path)
{
    struct daemon d = {.path = config_path, .log = {.sub = LOG_SUB_app}};
    seed();
    d.config = read_or_print(config_path);
    if (!d.config)
        return 1;
    if (!open_loop(&d)) {
        conf_destroy(d.config);
        return 1;
    }
    bool good = try_config(&d);
    loop_run(d.loop);
    loop_destroy(d.loop);
    conf_destroy(d.config);
    if (good)
        printf("%s: the configuration is good\n", config_path);
    return good ? 0 : 1;
}
