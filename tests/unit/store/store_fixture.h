/* A state directory of its own for each test, rows by number, and what a store holds. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include "base/mem.h"
#include "base/strbuf.h"
#include "store/store.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    char base[64]; // made and removed here
    char dir[96];  // for the store to make
    char db[128];
};

static inline void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct strbuf inner;
        strbuf_init(&inner, 4096);
        strbuf_printf(&inner, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlink(inner.p) != 0)
            remove_tree(inner.p);
        strbuf_finish(&inner);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(path);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    (void)snprintf(f->base, sizeof f->base, "/tmp/spandrel-store-XXXXXX");
    assert_non_null(mkdtemp(f->base));
    (void)snprintf(f->dir, sizeof f->dir, "%s/state", f->base);
    (void)snprintf(f->db, sizeof f->db, "%s/spandrel.db", f->dir);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    remove_tree(f->base);
    free(f);
    return 0;
}

static inline struct store *open_ok(const struct fixture *f)
{
    struct store *s = NULL;
    struct errmsg msg = {""};
    enum err e = store_open(f->dir, &s, &msg);
    if (e)
        print_error("%s\n", msg.text);
    assert_int_equal(e, ERR_OK);
    return s;
}

// All rows of a store, copied.
struct rows {
    struct arena arena;
    struct row *row;
    size_t count, room;
};

static inline enum err rows_add(void *ud, const struct row *row)
{
    struct rows *rows = ud;
    if (rows->count == rows->room) {
        rows->room = rows->room ? 2 * rows->room : 16;
        rows->row = mem_realloc(rows->row, rows->room, sizeof *rows->row);
    }
    struct row *copy = &rows->row[rows->count++];
    *copy = *row;
    struct str *const strings[] = {&copy->domain, &copy->local, &copy->scope, &copy->user,  &copy->adapter,
                                   &copy->key,    &copy->name,  &copy->cls,   &copy->group, &copy->text};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        *strings[i] = arena_dup(&rows->arena, *strings[i]);
    return ERR_OK;
}

static inline void rows_load(struct rows *rows, struct store *s)
{
    *rows = (struct rows){.row = NULL};
    arena_init(&rows->arena, 0);
    assert_int_equal(store_load(s, rows_add, rows), ERR_OK);
}

static inline void rows_finish(struct rows *rows)
{
    mem_free(rows->row);
    arena_finish(&rows->arena);
}

static inline bool row_equal(const struct row *a, const struct row *b)
{
    return a->kind == b->kind && str_eq(a->domain, b->domain) && str_eq(a->local, b->local) &&
           str_eq(a->scope, b->scope) && str_eq(a->user, b->user) && str_eq(a->adapter, b->adapter) &&
           str_eq(a->key, b->key) && a->identity == b->identity && a->quarantined == b->quarantined &&
           str_eq(a->name, b->name) && str_eq(a->cls, b->cls) && str_eq(a->group, b->group) && a->since == b->since &&
           a->state == b->state && a->number == b->number && str_eq(a->text, b->text);
}

static inline struct row state_row(struct str key, struct str value)
{
    return (struct row){.kind = ROW_STATE, .adapter = STR("home"), .key = key, .text = value};
}

// A state row whose key and value tell its number; the buffers hold them.
static inline struct row numbered_row(unsigned n, char key[32], char value[64])
{
    int k = snprintf(key, 32, "key-%08u", n), v = snprintf(value, 64, "value of %u", n * 7919);
    return state_row((struct str){key, (size_t)k}, (struct str){value, (size_t)v});
}

static inline void put_numbered(struct store *s, unsigned n)
{
    char key[32], value[64];
    const struct row row = numbered_row(n, key, value);
    store_put(s, &row);
}

static inline bool is_numbered(const struct row *row, unsigned n)
{
    char key[32], value[64];
    const struct row expected = numbered_row(n, key, value);
    return row_equal(row, &expected);
}

#endif
