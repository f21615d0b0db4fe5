#include "store/store_fetch.h"

#include "base/mem.h"

struct store_fetch *store_fetch_create(struct str adapter, uint64_t after, unsigned max, size_t bytes, uint64_t batch)
{
    struct store_fetch *f = MEM_NEW(struct store_fetch);
    list_init(&f->link);
    arena_init(&f->arena, 4096);
    f->adapter = arena_dup(&f->arena, adapter);
    f->after = after;
    f->max = max;
    f->bytes = bytes;
    f->batch = batch;
    return f;
}

void store_fetch_destroy(struct store_fetch *f)
{
    list_remove(&f->link);
    arena_finish(&f->arena);
    mem_free(f->row);
    mem_free(f);
}

static void keep(void *ud, const struct row *row)
{
    struct store_fetch *f = ud;
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->row = mem_realloc(f->row, f->cap, sizeof *f->row);
    }
    struct row *copy = &f->row[f->count++];
    *copy = *row;
    copy->adapter = f->adapter;
    copy->key = arena_dup(&f->arena, row->key);
    copy->user = arena_dup(&f->arena, row->user);
    copy->id = arena_dup(&f->arena, row->id);
    copy->text = arena_dup(&f->arena, row->text);
    copy->name = arena_dup(&f->arena, row->name);
}

bool store_fetch_run(struct store_fetch *f, struct store_db *db)
{
    bool read = store_db_fetch(db, f->adapter, f->after, f->max, f->bytes, keep, f);
    f->complete = f->complete && read;
    return read;
}
