#include "app/db_private.h"

#include "app/app_conf.h"
#include "app/control.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int db_fail(const struct errmsg *msg)
{
    fprintf(stderr, "spandrel: %s\n", msg->text);
    return DB_FAILED;
}

static bool read_config(struct db_source *s, const char *path)
{
    uint8_t key[16];
    rng_bytes(key, sizeof key);
    map_seed(key);
    struct conf_report *report = conf_report_create();
    s->config = conf_load(path, app_control_schema, report);
    struct str text = conf_report_text(report);
    fprintf(stderr, STR_FMT, STR_ARG(text));
    conf_report_destroy(report);
    if (s->config)
        s->dir = conf_cstr(conf_get(s->config, "state"));
    return s->config != NULL;
}

// Of the process that serves.
static enum err fetch_snapshot(struct db_source *s, const struct store_holder *holder, struct errmsg *msg)
{
    struct strbuf answer;
    const char *socket = app_conf_control(s->config, &s->arena);
    strbuf_init(&answer, 1 << 16);
    int code = control_call(socket, STR("snapshot"), &answer);
    enum err e = ERR_OK;
    if (code)
        e = err_set(msg, ERR_IO, "process %" PRId64 " serves %s, and was asked for a copy: " STR_FMT, holder->pid,
                    s->dir, STR_ARG(strbuf_view(&answer)));
    else
        s->snapshot = mem_dup(answer.p ? answer.p : "", answer.n);
    strbuf_finish(&answer);
    return e ? e : store_file_open(s->snapshot, &s->file, msg);
}

static enum err open_source(struct db_source *s, enum db_access how, struct errmsg *msg)
{
    struct store_holder holder = {.pid = 0};
    if (how == DB_READ && access(s->dir, F_OK)) // which is not made for that
        return err_set(msg, ERR_NOTFOUND, "%s: %s", s->dir, strerror(errno));
    enum err e = store_dir_lock(s->dir, &s->lock, &holder, msg);
    if (e == ERR_EXISTS && how == DB_READ && !holder.displaced)
        return fetch_snapshot(s, &holder, msg);
    if (e == ERR_EXISTS && !holder.displaced)
        return err_set(msg, e, "process %" PRId64 " serves %s: stop it first", holder.pid, s->dir);
    if (e || how == DB_WRITE)
        return e;
    return store_file_open_present(s->lock, &s->file, msg);
}

bool db_source_open(struct db_source *s, const char *config, enum db_access access)
{
    struct errmsg msg;
    *s = (struct db_source){.config = NULL};
    arena_init(&s->arena, 256);
    if (!read_config(s, config))
        return false;
    if (!open_source(s, access, &msg))
        return true;
    db_fail(&msg);
    return false;
}

void db_source_close(struct db_source *s)
{
    store_file_close(s->file);
    if (s->snapshot)
        (void)unlink(s->snapshot);
    mem_free(s->snapshot);
    store_dir_unlock(s->lock);
    conf_destroy(s->config);
    arena_finish(&s->arena);
}

static bool is_of_bridge(struct str name)
{
    static const char *const begins[] = {"spandrel.db", "restored.db", "snapshot-"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        if (str_starts(name, str_c(begins[i])))
            return true;
    }
    return str_eq_c(name, "lock");
}

static bool in_state(const struct db_source *s, struct str dir)
{
    struct stat one, state;
    struct arena a;
    arena_init(&a, 256);
    bool same = stat(arena_cstr(&a, dir), &one) == 0 && stat(s->dir, &state) == 0 && one.st_dev == state.st_dev &&
                one.st_ino == state.st_ino;
    arena_finish(&a);
    return same;
}

enum err db_target(const struct db_source *s, const char *file, struct errmsg *msg)
{
    struct str dir, base;
    struct stat st;
    if (!str_rcut(str_c(file), '/', &dir, &base)) {
        dir = STR(".");
        base = str_c(file);
    }
    if (is_of_bridge(base) && in_state(s, dir.n ? dir : STR("/")))
        return err_set(msg, ERR_CONF, "%s is a file of the bridge: name another one", file);
    if (lstat(file, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(msg, ERR_CONF, "%s is no regular file, and would be replaced by one: name another one", file);
    return ERR_OK;
}

static enum err copy(const struct db_source *s, const char *file, struct errmsg *msg)
{
    enum err e = db_target(s, file, msg);
    return e ? e : store_file_copy(s->file, file, msg);
}

int db_backup(const struct db_options *o, const char *file)
{
    struct db_source s;
    struct errmsg msg;
    int code = DB_FAILED;
    if (db_source_open(&s, o->config, DB_READ))
        code = copy(&s, file, &msg) ? db_fail(&msg) : DB_DONE;
    if (code == DB_DONE)
        printf("%s: a copy of %s/spandrel.db, checked\n", file, s.dir);
    db_source_close(&s);
    return code;
}

static void ignore(void *ud, struct str text)
{
    struct errmsg *first = ud;
    if (!first->text[0])
        (void)err_set(first, ERR_CONF, STR_FMT, STR_ARG(text));
}

// What is to be restored is looked at before anything is touched.
static enum err open_backup(const char *path, struct store_file **out, struct errmsg *msg)
{
    struct errmsg first = {""};
    enum err e = store_file_open(path, out, msg);
    if (e)
        return e;
    e = store_file_check(*out, ignore, &first, msg);
    if (!e && first.text[0])
        e = err_set(msg, ERR_CONF, "%s is not restored: %s", path, first.text);
    if (!e)
        return ERR_OK;
    store_file_close(*out);
    *out = NULL;
    return e;
}

static int restore(struct db_source *s, const char *path)
{
    struct store_file *backup = NULL;
    struct errmsg msg;
    char aside[STORE_ASIDE_MAX] = "";
    enum err e = open_backup(path, &backup, &msg);
    if (!e)
        e = store_file_restore(backup, s->lock, aside, &msg);
    store_file_close(backup);
    if (e)
        return db_fail(&msg);
    printf("%s/spandrel.db is that of %s now\n", s->dir, path);
    if (*aside)
        printf("what was there before is kept as %s/%s\n", s->dir, aside);
    return DB_DONE;
}

int db_restore(const struct db_options *o, const char *file)
{
    struct db_source s;
    int code = DB_FAILED;
    if (db_source_open(&s, o->config, DB_WRITE))
        code = restore(&s, file);
    db_source_close(&s);
    return code;
}

static void print_end(const struct db_source *s, const struct db_findings *f)
{
    const char *between = "";
    printf(f->json ? "{\"tables\":%d,\"faults\":%" PRIu64 ",\"notes\":%" PRIu64 ",\"rows\":{"
                   : "tables of version %d; faults: %" PRIu64 ", notes: %" PRIu64 "; rows: ",
           store_file_version(s->file), f->faults, f->notes);
    for (int i = 0; i < ROW_KINDS; i++) {
        printf(f->json ? "%s\"%s\":%" PRIu64 : "%s%s %" PRIu64, between, store_tables[i].name, f->rows[i]);
        between = f->json ? "," : ", ";
    }
    printf(f->json ? "}}\n" : "\n");
}

int db_check(const struct db_options *o)
{
    struct db_source s;
    struct errmsg msg;
    struct db_findings findings = {.json = o->json, .out = stdout};
    int code = DB_FAILED;
    if (db_source_open(&s, o->config, DB_READ)) {
        struct db_judge *judge = db_judge_create(s.config, &msg);
        enum err e = judge ? db_check_file(s.file, judge, &findings, &msg) : ERR_CONF;
        db_judge_destroy(judge);
        if (e)
            (void)db_fail(&msg);
        else
            print_end(&s, &findings);
        code = e ? DB_FAILED : findings.faults ? DB_FAULTS : DB_DONE;
    }
    db_source_close(&s);
    return code;
}
