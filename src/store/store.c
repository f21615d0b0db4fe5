/* Two batches: one collects what is put, the other is on its way to the disk.
 *
 * The happy path: store_put() copies the row into the collecting batch and wakes the thread; the thread swaps the
 * batches, writes the one that it took in a single transaction, counts it as committed, tells, and takes the next as
 * soon as there is one. While it writes, rows gather: the slower the disk, the larger the batch.
 *
 * When there is no room the batch is kept and tried again every second, at a store_flush(), and once more at the close;
 * rows go on gathering, one of each key. When the disk fails the process ends: nothing of the batch was told to be
 * durable, so that its sources ask again.
 *
 * Questions for records of the journal are answered once all that was put before is committed, or after a try of that:
 * then it is all there, but for what could not be written.
 *
 * The lock guards everything here but `db`, which belongs to whoever holds `db_lock`: the thread while it writes,
 * store_load() while it reads. */
#include "store/store.h"

#include "base/log.h"
#include "store/store_batch.h"
#include "store/store_db.h"
#include "store/store_dir.h"
#include "store/store_fetch.h"
#include "store/store_file.h"
#include "store/store_snapshot.h"

#include <assert.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { RETRY_SECONDS = 1, LOOK_SECONDS = 1, SAY_SECONDS = 60, SCRUB_AGAIN_SECONDS = 3600 };
// A batch is much from so many rows on; then the next one gathers for so long behind it, or until it has so many.
enum { GATHER_FROM = 16, GATHER_US = 1000, GATHER_ROWS = 256 };

static const char displaced_why[] = "the state directory was moved, removed or replaced while in use";

struct store {
    struct store_db *db;
    pthread_mutex_t db_lock;
    pthread_mutex_t lock;
    pthread_cond_t wake; // the thread: rows, a flush, the end
    pthread_cond_t told; // store_flush(): a commit, or a failure
    pthread_t thread;
    bool threaded;
    struct store_lock *dir; // NULL in memory
    bool displaced;         // the path leads to something else now: nothing is written
    time_t looked, said;    // monotonic seconds: when that was last looked at, and last said
    struct store_batch batches[2];
    struct store_batch *collecting, *writing;
    struct list_node asked, answered; // struct store_fetch
    struct store_snapshot snapshot;   // the thread's while `copying`
    bool stopping, pressed;           // pressed: a flush waits
    bool much;                        // the last batch had many rows
    uint64_t written;                 // monotonic us: when it was
    bool copying;
    _Atomic uint64_t scrub; // monotonic us at which the file is to be written anew; 0: never
    uint64_t failures;
    _Atomic uint64_t last; // batch of the last row put
    _Atomic uint64_t committed;
    struct store_stat stat;
    void (*notify)(void *ud);
    void *notify_ud;
    struct errmsg why; // the last store_load() failed
};

static const struct log_ctx log_store = {.sub = LOG_SUB_store};

static struct store *create(struct store_db *takes)
{
    struct store *s = MEM_NEW(struct store);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_mutex_init(&s->db_lock, NULL);
    (void)pthread_cond_init(&s->wake, &monotonic);
    (void)pthread_cond_init(&s->told, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    s->db = takes;
    store_batch_init(&s->batches[0], 1);
    store_batch_init(&s->batches[1], 0);
    s->collecting = &s->batches[0];
    s->writing = &s->batches[1];
    list_init(&s->asked);
    list_init(&s->answered);
    return s;
}

static void drop_fetches(struct list_node *list)
{
    while (!list_empty(list))
        store_fetch_destroy(CONTAINER_OF(list->next, struct store_fetch, link));
}

static void destroy(struct store *s)
{
    store_snapshot_finish(&s->snapshot);
    drop_fetches(&s->asked);
    drop_fetches(&s->answered);
    store_batch_finish(&s->batches[0]);
    store_batch_finish(&s->batches[1]);
    (void)pthread_cond_destroy(&s->told);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->db_lock);
    (void)pthread_mutex_destroy(&s->lock);
    store_db_close(s->db);
    store_dir_unlock(s->dir);
    mem_free(s);
}

static uint64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

// Takes what was collected for writing, unless a batch still waits there. True when there is something to write.
static bool take_batch(struct store *s)
{
    if (s->writing->count == 0 && s->collecting->count > 0) {
        struct store_batch *taken = s->collecting;
        s->collecting = s->writing;
        s->writing = taken;
        store_batch_reset(s->collecting, taken->number + 1);
    }
    return s->writing->count > 0;
}

static void count_success(struct store *s, uint64_t took_us)
{
    if (s->stat.failing)
        log_info(&log_store, LOG_MSG("writing works again"), LOG_INT("rows", s->writing->count));
    s->stat.batches++;
    s->stat.rows += s->writing->count;
    s->much = s->writing->count >= GATHER_FROM;
    s->written = now_us();
    s->stat.last_commit_us = took_us;
    s->stat.failing = false;
    s->stat.error = STR_NONE;
    atomic_store(&s->committed, s->writing->number);
}

static void count_failure(struct store *s, const char *why)
{
    if (!s->stat.failing)
        log_error(&log_store, LOG_MSG("cannot write, nothing more is acknowledged"), LOG_C("why", why));
    s->stat.failing = true;
    s->stat.error = str_c(why);
    s->failures++;
}

/* What is written to a directory that has been taken away is lost with the process: it is as good as a full disk. What
 * gathers is kept, nothing is acknowledged, and all is written when the directory is back. */

static bool stands(struct store *s)
{
    (void)pthread_mutex_lock(&s->db_lock);
    bool moved = store_db_moved(s->db);
    (void)pthread_mutex_unlock(&s->db_lock);
    return !moved && store_dir_stands(s->dir);
}

static void say_displaced(struct store *s, bool is, time_t now)
{
    bool repeated = is && s->displaced;
    if (repeated && now - s->said < SAY_SECONDS)
        return;
    s->said = now;
    if (is)
        log_error(&log_store, LOG_MSG("the state directory was moved, removed or replaced: nothing more is written"),
                  LOG_C("directory", store_dir_path(s->dir)), LOG_C("do", "put it back, or stop this process"));
    else
        log_warn(&log_store, LOG_MSG("the state directory is back"), LOG_C("directory", store_dir_path(s->dir)));
}

// Once a second. Called without the lock.
static void look(struct store *s)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    if (!s->dir || now.tv_sec - s->looked < LOOK_SECONDS)
        return;
    s->looked = now.tv_sec;
    bool is = !stands(s);
    if (is || s->displaced)
        say_displaced(s, is, now.tv_sec);
    bool changed = is != s->displaced;
    (void)pthread_mutex_lock(&s->lock);
    s->displaced = is;
    if (changed)
        s->stat.failing = is;
    if (changed)
        s->stat.error = is ? str_c(displaced_why) : STR_NONE;
    (void)pthread_mutex_unlock(&s->lock);
    if (changed && s->notify)
        s->notify(s->notify_ud);
}

// Writes the taken batch. Called without the lock, which guards only what others read.
static bool write_batch(struct store *s)
{
    const char *why = displaced_why;
    uint64_t begin = now_us();
    enum store_outcome out = STORE_RETRY;
    look(s);
    if (!s->displaced) {
        (void)pthread_mutex_lock(&s->db_lock);
        out = store_db_write(s->db, s->writing, &why);
        (void)pthread_mutex_unlock(&s->db_lock);
    }
    if (out == STORE_FATAL)
        err_fatal("the database cannot be written: %s", why);
    (void)pthread_mutex_lock(&s->lock);
    if (out == STORE_DONE) {
        count_success(s, now_us() - begin);
        store_batch_reset(s->writing, 0);
    } else {
        count_failure(s, why);
    }
    (void)pthread_cond_broadcast(&s->told);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->notify)
        s->notify(s->notify_ud);
    return out == STORE_DONE;
}

static void checkpoint(struct store *s)
{
    const char *why = "";
    (void)pthread_mutex_lock(&s->db_lock);
    enum store_outcome out = store_db_checkpoint(s->db, &why);
    (void)pthread_mutex_unlock(&s->db_lock);
    if (out == STORE_FATAL)
        err_fatal("the database cannot be written: %s", why);
    if (out == STORE_RETRY)
        log_warn(&log_store, LOG_MSG("the log could not be moved into the database"), LOG_C("why", why));
}

static void wait_to_retry(struct store *s)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_SECONDS;
    while (!s->stopping && !s->pressed && list_empty(&s->asked) &&
           pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
        continue;
}

// Called without the lock.
static void scrub(struct store *s)
{
    const char *why = "";
    uint64_t at = atomic_load(&s->scrub);
    if (!at || now_us() < at || s->displaced)
        return;
    atomic_store(&s->scrub, 0);
    (void)pthread_mutex_lock(&s->db_lock);
    enum store_outcome out = store_db_scrub(s->db, &why);
    (void)pthread_mutex_unlock(&s->db_lock);
    if (out == STORE_FATAL)
        err_fatal("the database cannot be written: %s", why);
    if (out == STORE_DONE) {
        log_info(&log_store, LOG_MSG("the file was written anew, without what was deleted"));
        return;
    }
    log_warn(&log_store,
             LOG_MSG("the file was not written anew: it may still hold what was deleted; tried again in an hour"),
             LOG_C("why", why));
    uint64_t none = 0;
    (void)atomic_compare_exchange_strong(&s->scrub, &none, now_us() + (uint64_t)SCRUB_AGAIN_SECONDS * 1000000);
}

// Whether the rows that wait may wait for more: with the lock.
static bool may_gather(const struct store *s)
{
    size_t rows = s->collecting->count;
    return s->much && rows > 0 && rows < GATHER_ROWS && !s->writing->count && !s->stopping && !s->pressed &&
           !s->stat.failing && !s->copying && list_empty(&s->asked);
}

/* While much is to be written, a commit waits a moment for the rows that come meanwhile: each costs writes to the disk
 * and a wait for it, however few rows it has. What comes when little does, and a flush, is written at once. */
static void gather(struct store *s)
{
    uint64_t until_us = s->written + GATHER_US;
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
    while (may_gather(s) && now_us() < until_us)
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
}

// Waits for rows or questions, and looks meanwhile whether all is in its place; false at the end. With the lock.
static bool wait_for_work(struct store *s)
{
    gather(s);
    while (!take_batch(s) && list_empty(&s->asked) && !s->copying) {
        if (s->stopping)
            return false;
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_SECONDS;
        if (pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0) {
            gather(s);
            continue;
        }
        (void)pthread_mutex_unlock(&s->lock);
        look(s);
        if (!s->copying)
            scrub(s);
        (void)pthread_mutex_lock(&s->lock);
    }
    s->pressed = false;
    return true;
}

static struct store_fetch *next_asked(struct store *s)
{
    (void)pthread_mutex_lock(&s->lock);
    struct store_fetch *f = list_empty(&s->asked) ? NULL : CONTAINER_OF(s->asked.next, struct store_fetch, link);
    bool complete = f && atomic_load(&s->committed) >= f->batch;
    if (f && !complete && s->threaded && !s->stat.failing) // its rows are in the batch that is written next
        f = NULL;
    if (f) {
        list_remove(&f->link);
        f->complete = complete;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return f;
}

// Without the lock.
static void answer_fetches(struct store *s)
{
    bool any = false;
    for (struct store_fetch *f; (f = next_asked(s)); any = true) {
        (void)pthread_mutex_lock(&s->db_lock);
        bool read = store_fetch_run(f, s->db);
        (void)pthread_mutex_unlock(&s->db_lock);
        if (!read)
            log_warn(&log_store, LOG_MSG("the journal cannot be read: it is asked again"),
                     LOG_S("adapter", f->adapter));
        (void)pthread_mutex_lock(&s->lock);
        list_push(&s->answered, &f->link);
        (void)pthread_mutex_unlock(&s->lock);
    }
    if (any && s->notify)
        s->notify(s->notify_ud);
}

// Without the lock.
static void work_snapshot(struct store *s)
{
    (void)pthread_mutex_lock(&s->db_lock);
    bool ended = store_snapshot_work(&s->snapshot, s->db);
    (void)pthread_mutex_unlock(&s->db_lock);
    if (!ended)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->snapshot.ended = true;
    s->copying = false;
    (void)pthread_mutex_unlock(&s->lock);
    if (s->notify)
        s->notify(s->notify_ud);
}

static void *run(void *ud)
{
    struct store *s = ud;
    (void)pthread_mutex_lock(&s->lock);
    while (wait_for_work(s)) {
        bool last = s->stopping, rows = s->writing->count > 0, copying = s->copying;
        (void)pthread_mutex_unlock(&s->lock);
        bool done = !rows || write_batch(s);
        if (done && rows)
            checkpoint(s);
        answer_fetches(s);
        if (copying)
            work_snapshot(s);
        else if (done)
            scrub(s);
        (void)pthread_mutex_lock(&s->lock);
        if ((!done || copying) && last)
            break;
        if (!done && !s->copying)
            wait_to_retry(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

static enum err open_locked(const char *dir, struct store_db **db, struct errmsg *msg)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/spandrel.db", dir) >= (int)sizeof path)
        return err_set(msg, ERR_CONF, "%s: the path is too long", dir);
    char aside[STORE_ASIDE_MAX];
    enum err e = store_file_recover(dir, aside, msg);
    if (!e)
        e = store_dir_private(path, msg);
    store_snapshot_sweep(dir);
    return e ? e : store_db_open(path, &store_db_migrations, db, msg);
}

// The thread takes no signals: they are for the loop.
static bool start(struct store *s)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    s->threaded = pthread_create(&s->thread, NULL, run, s) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->threaded;
}

enum err store_open_locked(struct store_lock *lock, struct store **out, struct errmsg *msg)
{
    struct store_db *db;
    enum err e = open_locked(store_dir_path(lock), &db, msg);
    if (e) {
        store_dir_unlock(lock);
        return e;
    }
    struct store *s = create(db);
    s->dir = lock;
    if (start(s)) {
        *out = s;
        return ERR_OK;
    }
    destroy(s);
    return err_set(msg, ERR_IO, "cannot start the thread of the store");
}

enum err store_open(const char *dir, struct store **out, struct errmsg *msg)
{
    struct store_lock *lock;
    enum err e = store_dir_lock(dir, &lock, NULL, msg);
    return e ? e : store_open_locked(lock, out, msg);
}

struct store *store_open_memory(void)
{
    struct store_db *db;
    struct errmsg msg;
    if (store_db_open(":memory:", &store_db_migrations, &db, &msg))
        err_fatal("store: %s", msg.text);
    return create(db);
}

void store_forget(struct store *s)
{
    assert(!s->threaded);
    store_batch_reset(s->collecting, s->collecting->number);
    store_batch_reset(s->writing, s->writing->number);
    atomic_store(&s->last, atomic_load(&s->committed));
}

static void stop(struct store *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
}

bool store_close(struct store *s)
{
    if (!s)
        return true;
    if (s->threaded)
        stop(s);
    size_t lost = s->threaded ? s->collecting->count + s->writing->count : 0;
    if (lost)
        log_error(&log_store, LOG_MSG("closed with rows that could not be written"), LOG_INT("rows", lost));
    destroy(s);
    return !lost;
}

enum err store_load(struct store *s, enum err (*each)(void *ud, const struct row *row), void *ud)
{
    (void)pthread_mutex_lock(&s->db_lock);
    enum err e = store_db_load(s->db, each, ud, &s->why);
    (void)pthread_mutex_unlock(&s->db_lock);
    return e;
}

const char *store_load_why(const struct store *s)
{
    return s->why.text;
}

enum err store_load_state(struct store *s, struct str adapter, enum err (*each)(void *ud, const struct row *row),
                          void *ud)
{
    enum err e = store_flush(s);
    if (e)
        return e;
    (void)pthread_mutex_lock(&s->db_lock);
    e = store_db_load_state(s->db, adapter, each, ud);
    (void)pthread_mutex_unlock(&s->db_lock);
    return e;
}

enum err store_load_user(struct store *s, struct str user, enum err (*each)(void *ud, const struct row *row), void *ud)
{
    enum err e = store_flush(s);
    if (e)
        return e;
    (void)pthread_mutex_lock(&s->db_lock);
    e = store_db_load_user(s->db, user, each, ud);
    (void)pthread_mutex_unlock(&s->db_lock);
    return e;
}

void store_fetch(struct store *s, struct str adapter, uint64_t after, unsigned max, size_t bytes)
{
    struct store_fetch *f = store_fetch_create(adapter, after, max, bytes, atomic_load(&s->last));
    (void)pthread_mutex_lock(&s->lock);
    list_push(&s->asked, &f->link);
    if (s->threaded)
        (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

static struct store_fetch *next_answered(struct store *s)
{
    (void)pthread_mutex_lock(&s->lock);
    struct store_fetch *f = list_empty(&s->answered) ? NULL : CONTAINER_OF(s->answered.next, struct store_fetch, link);
    if (f)
        list_remove(&f->link);
    (void)pthread_mutex_unlock(&s->lock);
    return f;
}

bool store_fetched(struct store *s, const struct store_reader *reader, void *ud)
{
    bool any = false;
    if (!s->threaded)
        answer_fetches(s);
    for (struct store_fetch *f; (f = next_answered(s)); any = true) {
        for (size_t i = 0; i < f->count; i++)
            reader->record(ud, &f->row[i]);
        reader->end(ud, f->adapter, f->after, f->complete);
        store_fetch_destroy(f);
    }
    return any;
}

struct one {
    void (*each)(void *ud, const struct row *row);
    void *ud;
    uint64_t number;
    bool found;
};

static void take_one(void *ud, const struct row *row)
{
    struct one *o = ud;
    if (row->number != o->number)
        return;
    o->found = true;
    o->each(o->ud, row);
}

enum err store_record(struct store *s, struct str adapter, uint64_t number,
                      void (*each)(void *ud, const struct row *row), void *ud)
{
    struct one o = {each, ud, number, false};
    (void)pthread_mutex_lock(&s->db_lock);
    store_db_fetch(s->db, adapter, number - 1, 1, 1, take_one, &o);
    (void)pthread_mutex_unlock(&s->db_lock);
    return o.found ? ERR_OK : ERR_NOTFOUND;
}

void store_on_commit(struct store *s, void (*notify)(void *ud), void *ud)
{
    s->notify = notify;
    s->notify_ud = ud;
}

void store_put(struct store *s, const struct row *row)
{
    (void)pthread_mutex_lock(&s->lock);
    store_batch_put(s->collecting, row);
    atomic_store(&s->last, s->collecting->number);
    // It looks for rows by itself when it is not idle.
    if (s->threaded && (s->collecting->count == 1 || s->collecting->count == GATHER_ROWS))
        (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

uint64_t store_batch(const struct store *s)
{
    return atomic_load(&s->last);
}

uint64_t store_committed(const struct store *s)
{
    return atomic_load(&s->committed);
}

// Without a thread the caller does its work.
static enum err flush_here(struct store *s)
{
    while (take_batch(s)) {
        if (!write_batch(s))
            return ERR_IO;
    }
    return ERR_OK;
}

enum err store_flush(struct store *s)
{
    if (!s->threaded)
        return flush_here(s);
    (void)pthread_mutex_lock(&s->lock);
    uint64_t wanted = atomic_load(&s->last), failures = s->failures;
    s->pressed = true;
    (void)pthread_cond_signal(&s->wake);
    while (atomic_load(&s->committed) < wanted && s->failures == failures)
        (void)pthread_cond_wait(&s->told, &s->lock);
    bool done = atomic_load(&s->committed) >= wanted;
    (void)pthread_mutex_unlock(&s->lock);
    return done ? ERR_OK : ERR_IO;
}

void store_stat(const struct store *s, struct store_stat *out)
{
    // To read what the thread writes takes its lock, which changes nothing of the store.
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->lock;
    (void)pthread_mutex_lock(lock);
    *out = s->stat;
    out->waiting = s->collecting->count + s->writing->count;
    (void)pthread_mutex_unlock(lock);
}

enum err store_snapshot(struct store *s, const char *path, struct errmsg *msg)
{
    if (!s->threaded)
        return err_set(msg, ERR_UNSUPPORTED, "this store is in memory");
    (void)pthread_mutex_lock(&s->lock);
    enum err e = ERR_OK;
    if (s->displaced)
        e = err_set(msg, ERR_IO, "%s", displaced_why);
    else if (!store_snapshot_begin(&s->snapshot, path))
        e = err_set(msg, ERR_AGAIN, "a copy of the database is being made: try again when it is complete");
    s->copying = s->copying || !e;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    return e;
}

bool store_snapshot_ended(struct store *s, enum err *result, struct errmsg *msg)
{
    (void)pthread_mutex_lock(&s->lock);
    bool taken = store_snapshot_take(&s->snapshot, result, msg);
    (void)pthread_mutex_unlock(&s->lock);
    return taken;
}

void store_scrub(struct store *s)
{
    atomic_store(&s->scrub, now_us() + (uint64_t)STORE_SCRUB_MS * 1000);
}
