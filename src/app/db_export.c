/* Exports: to standard output, or to files that are whole or not there. */
#include "app/db_private.h"

#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

const enum row_kind db_csv_tables[] = {ROW_IDENTITY, ROW_SUBSCRIPTION, ROW_REGISTRATION, ROW_ACCESS, ROW_KINDS};

struct writer {
    FILE *file;
    struct strbuf line;
    bool csv;
    uint64_t rows;
    struct str part, to; // in the arena; empty: standard output
};

static enum err writer_open(struct writer *w, struct arena *a, const char *to, struct errmsg *msg)
{
    *w = (struct writer){.file = stdout};
    strbuf_init(&w->line, DB_RECORD_MAX);
    if (!to)
        return ERR_OK;
    w->to = arena_dup(a, str_c(to));
    w->part = arena_printf(a, "%s.part", to);
    (void)unlink(w->part.p);
    int fd = open(w->part.p, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    w->file = fd < 0 ? NULL : fdopen(fd, "w");
    return w->file ? ERR_OK : err_set(msg, ERR_IO, "cannot write %s: %s", w->part.p, strerror(errno));
}

static bool flush_line(struct writer *w)
{
    bool good = !w->line.full && fwrite(w->line.p, 1, w->line.n, w->file) == w->line.n;
    strbuf_clear(&w->line);
    return good;
}

// `e`: what came of the writing.
static enum err writer_close(struct writer *w, enum err e, struct errmsg *msg)
{
    strbuf_finish(&w->line);
    if (!w->file)
        return e;
    bool flushed = fflush(w->file) == 0 && (!w->to.n || fsync(fileno(w->file)) == 0);
    if (w->to.n)
        flushed = fclose(w->file) == 0 && flushed;
    if (!e && !flushed)
        e = err_set(msg, ERR_IO, "cannot write: %s", strerror(errno));
    if (!w->to.n)
        return e;
    if (!e && rename(w->part.p, w->to.p))
        e = err_set(msg, ERR_IO, "cannot make %s: %s", w->to.p, strerror(errno));
    if (e)
        (void)unlink(w->part.p);
    return e;
}

static enum err write_row(void *ud, const struct row *row)
{
    struct writer *w = ud;
    (w->csv ? db_csv_row : db_json_row)(&w->line, row);
    w->rows++;
    return flush_line(w) ? ERR_OK : ERR_IO;
}

static enum err write_table(struct writer *w, struct store_file *f, enum row_kind kind, struct errmsg *msg)
{
    *msg = (struct errmsg){""};
    enum err e = store_file_each(f, kind, write_row, NULL, w, msg);
    return e && !msg->text[0] ? err_set(msg, e, "cannot write: %s", strerror(errno)) : e;
}

// Those of which others speak first.
static const enum row_kind json_order[] = {ROW_IDENTITY, ROW_REGISTRATION, ROW_SUBSCRIPTION};

static enum err write_json(struct writer *w, struct store_file *f, struct errmsg *msg)
{
    const size_t first = sizeof json_order / sizeof *json_order;
    unsigned left = (1u << ROW_KINDS) - 1;
    db_json_head(&w->line, STORE_SCHEMA, left);
    enum err e = flush_line(w) ? ERR_OK : err_set(msg, ERR_IO, "cannot write: %s", strerror(errno));
    for (size_t i = 0; i < first + ROW_KINDS && !e; i++) {
        enum row_kind kind = i < first ? json_order[i] : (enum row_kind)(i - first);
        if (left & 1u << kind)
            e = write_table(w, f, kind, msg);
        left &= ~(1u << kind);
    }
    db_json_end(&w->line, w->rows);
    return e || flush_line(w) ? e : err_set(msg, ERR_IO, "cannot write: %s", strerror(errno));
}

static enum err write_csv(struct writer *w, struct store_file *f, enum row_kind kind, struct errmsg *msg)
{
    w->csv = true;
    db_csv_head(&w->line, kind);
    if (!flush_line(w))
        return err_set(msg, ERR_IO, "cannot write: %s", strerror(errno));
    return write_table(w, f, kind, msg);
}

// One file: of all tables (`kind` ROW_KINDS) as JSON, of one as CSV.
static enum err export_file(struct db_source *s, const char *to, enum row_kind kind, struct errmsg *msg)
{
    struct writer w;
    enum err e = to ? db_target(s, to, msg) : ERR_OK;
    if (e)
        return e;
    e = writer_open(&w, &s->arena, to, msg);
    if (!e)
        e = kind == ROW_KINDS ? write_json(&w, s->file, msg) : write_csv(&w, s->file, kind, msg);
    return writer_close(&w, e, msg);
}

static enum err export_directory(struct db_source *s, const char *dir, struct errmsg *msg)
{
    if (mkdir(dir, 0700) && errno != EEXIST)
        return err_set(msg, ERR_IO, "cannot make the directory %s: %s", dir, strerror(errno));
    enum err e = ERR_OK;
    for (const enum row_kind *kind = db_csv_tables; *kind != ROW_KINDS && !e; kind++)
        e = export_file(s, arena_printf(&s->arena, "%s/%s.csv", dir, store_tables[*kind].name).p, *kind, msg);
    return e ? e : store_dir_sync(dir, msg);
}

static enum err export_all(const struct db_options *o, struct db_source *s, const char *file, struct errmsg *msg)
{
    if (o->csv)
        return export_directory(s, file, msg);
    return export_file(s, file, o->table ? store_table_find(str_c(o->table)) : ROW_KINDS, msg);
}

int db_export(const struct db_options *o, const char *file)
{
    struct db_source s;
    struct errmsg msg;
    int code = DB_FAILED;
    if (db_source_open(&s, o->config, DB_READ))
        code = export_all(o, &s, file, &msg) ? db_fail(&msg) : DB_DONE;
    db_source_close(&s);
    return code;
}
