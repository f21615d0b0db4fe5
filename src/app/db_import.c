/* Imports: the tables that the file has take the place of those in the database, in one transaction.
 *
 * Happy path: lock -> database made or migrated -> begin -> tables cleared -> each row read, judged and put -> what is
 * kept judged with it -> commit. Failures: the first wrong row is told with file and line, and nothing has happened. */
#include "app/db_private.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

struct import {
    struct db_source *source;
    struct store_file *file;
    struct db_judge *judge;
    unsigned tables;             // that are replaced
    uint64_t rows, idle, broken; // idle: of domains that are not configured; broken: kept, and skipped at the start
    struct errmsg *msg;
};

static enum err take_kept(void *ud, const struct row *row)
{
    struct import *im = ud;
    struct errmsg why;
    im->broken += db_judge_row(im->judge, row, &why) == ERR_CONF;
    return ERR_OK;
}

static void take_strange(void *ud, const char *why)
{
    struct import *im = ud;
    (void)why;
    im->broken++;
}

// The rows of the tables that are kept, as far as they are among `kinds`.
static enum err judge_kept(struct import *im, unsigned kinds)
{
    enum err e = ERR_OK;
    for (unsigned kind = 0; kind < ROW_KINDS && !e; kind++) {
        if (kinds & ~im->tables & 1u << kind)
            e = store_file_each(im->file, (enum row_kind)kind, take_kept, take_strange, im, im->msg);
    }
    return e;
}

static enum err put_row(struct import *im, const struct row *row, struct errmsg *why)
{
    enum err e = db_judge_row(im->judge, row, why);
    im->idle += e == ERR_NOTFOUND;
    if (e && e != ERR_NOTFOUND)
        return e;
    im->rows++;
    return store_file_put(im->file, row, why);
}

static enum err put_rows(struct import *im, struct db_reader *r, struct errmsg *why)
{
    struct row row;
    bool end = false;
    enum err e = ERR_OK;
    while (!e && !end) {
        e = db_reader_next(r, &row, &end, why);
        if (!e && !end)
            e = put_row(im, &row, why);
    }
    return e;
}

static enum err clear_tables(struct import *im)
{
    enum err e = ERR_OK;
    for (unsigned kind = 0; kind < ROW_KINDS && !e; kind++) {
        if (im->tables & 1u << kind)
            e = store_file_clear(im->file, (enum row_kind)kind, im->msg);
    }
    return e;
}

static enum err read_file(struct import *im, struct db_reader *r, const char *name, bool rows)
{
    struct errmsg why = {""};
    enum err e = rows ? put_rows(im, r, &why) : db_reader_head(r, &why);
    return e ? err_set(im->msg, ERR_CONF, "%s:%zu: %s", name, r->line, why.text) : ERR_OK;
}

struct input {
    const char *name;
    FILE *file;
    struct db_reader reader;
};

static enum err open_input(struct import *im, struct input *in, const char *name, enum row_kind kind)
{
    in->name = name;
    in->file = fopen(name, "re");
    if (!in->file)
        return err_set(im->msg, ERR_IO, "cannot open %s: %s", name, strerror(errno));
    if (kind == ROW_KINDS)
        db_reader_init(&in->reader, in->file);
    else
        db_reader_init_csv(&in->reader, in->file, kind);
    enum err e = read_file(im, &in->reader, name, false);
    im->tables |= in->reader.tables;
    return e;
}

static void close_input(struct input *in)
{
    if (!in->file)
        return;
    db_reader_finish(&in->reader);
    (void)fclose(in->file);
}

// What the inputs say is replaced, by what they hold.
static enum err replace(struct import *im, struct input *in, size_t count)
{
    enum err e = store_file_begin(im->file, im->msg);
    if (!e)
        e = clear_tables(im);
    if (!e)
        e = judge_kept(im, 1u << ROW_IDENTITY);
    for (size_t i = 0; i < count && !e; i++)
        e = read_file(im, &in[i].reader, in[i].name, true);
    if (!e)
        e = judge_kept(im, ~(1u << ROW_IDENTITY));
    return e ? e : store_file_commit(im->file, im->msg);
}

static enum err open_inputs(struct import *im, const struct db_options *o, const char *path, struct input *in,
                            size_t *count)
{
    if (!o->csv) {
        *count = 1;
        return open_input(im, in, path, o->table ? store_table_find(str_c(o->table)) : ROW_KINDS);
    }
    enum err e = ERR_OK;
    for (const enum row_kind *kind = db_csv_tables; *kind != ROW_KINDS && !e; kind++) {
        const char *name = arena_printf(&im->source->arena, "%s/%s.csv", path, store_tables[*kind].name).p;
        if (access(name, F_OK) == 0)
            e = open_input(im, &in[(*count)++], name, *kind);
    }
    return e || *count ? e : err_set(im->msg, ERR_CONF, "%s holds no CSV file of a table (identity.csv, ...)", path);
}

static enum err import(struct import *im, const struct db_options *o, const char *path)
{
    struct input in[4] = {{NULL}};
    size_t count = 0;
    enum err e = open_inputs(im, o, path, in, &count);
    im->judge = e ? NULL : db_judge_create(im->source->config, im->msg);
    if (!e && !im->judge)
        e = ERR_CONF;
    if (!e)
        e = store_file_open_state(im->source->lock, &im->file, im->msg);
    if (!e)
        e = replace(im, in, count);
    for (size_t i = 0; i < count; i++)
        close_input(&in[i]);
    store_file_close(im->file);
    db_judge_destroy(im->judge);
    return e;
}

static void say(const struct import *im)
{
    const char *between = " ";
    printf("imported %" PRIu64 " rows; replaced:", im->rows);
    for (int i = 0; i < ROW_KINDS; i++) {
        if (!(im->tables & 1u << i))
            continue;
        printf("%s%s", between, store_tables[i].name);
        between = ", ";
    }
    printf("\n");
    if (im->idle)
        printf("%" PRIu64 " rows are of domains that no component of the configuration has\n", im->idle);
    if (im->broken)
        printf("%" PRIu64 " rows of the other tables do not fit: `spandrel db check` names them\n", im->broken);
}

int db_import(const struct db_options *o, const char *file)
{
    struct db_source s;
    struct errmsg msg = {""};
    struct import im = {.source = &s, .msg = &msg};
    int code = DB_FAILED;
    if (db_source_open(&s, o->config, DB_WRITE))
        code = import(&im, o, file) ? db_fail(&msg) : DB_DONE;
    if (code == DB_DONE)
        say(&im);
    db_source_close(&s);
    return code;
}
