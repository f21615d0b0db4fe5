/* Each row is one block: links, the row, the bytes of its key, then those of its other strings. A key put again
 * replaces its block, so that a batch which cannot be written grows with the number of keys, not with time. */
#include "store/store_batch.h"

#include "store/store_table.h"

#include <stdlib.h>

struct batch_entry {
    struct list_node link;
    struct row row;
    struct str key; // kind and key columns, each with its length before it
    char bytes[];
};

enum { KEPT_SLOTS = 4096 };

void store_batch_init(struct store_batch *b, uint64_t number)
{
    list_init(&b->entries);
    map_init(&b->by_key);
    b->count = 0;
    b->number = number;
}

static void entry_free(struct batch_entry *e)
{
    list_remove(&e->link);
    mem_free(e);
}

static void free_entries(struct store_batch *b)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &b->entries)
        entry_free(CONTAINER_OF(it, struct batch_entry, link));
}

void store_batch_finish(struct store_batch *b)
{
    free_entries(b);
    map_finish(&b->by_key);
}

void store_batch_reset(struct store_batch *b, uint64_t number)
{
    free_entries(b);
    // A map that one large batch has grown would make every small one pay for its clearing.
    if (b->by_key.cap > KEPT_SLOTS) {
        map_finish(&b->by_key);
        map_init(&b->by_key);
    } else {
        map_clear(&b->by_key);
    }
    b->count = 0;
    b->number = number;
}

static size_t strings_size(const struct row *row, const struct store_table *t)
{
    size_t n = 0;
    for (unsigned i = 0; i < t->columns; i++) {
        const struct str *s = store_table_str(row, &t->column[i]);
        n += s ? s->n + sizeof s->n : sizeof(uint64_t);
    }
    return n;
}

static char *append(char *at, const void *bytes, size_t n)
{
    if (n)
        memcpy(at, bytes, n);
    return at + n;
}

// Copies the string of a column behind `at` and lets the row point there.
static char *append_str(char *at, struct str *s)
{
    char *end = append(at, s->p, s->n);
    s->p = at;
    return end;
}

static char *append_key(char *at, struct row *row, const struct store_column *c)
{
    struct str *s = store_table_str_of(row, c);
    if (!s)
        return append(at, &row->number, sizeof row->number);
    at = append(at, &s->n, sizeof s->n);
    return append_str(at, s);
}

static struct batch_entry *entry_create(const struct row *row)
{
    const struct store_table *t = &store_tables[row->kind];
    struct batch_entry *e = mem_alloc(sizeof *e + 1 + strings_size(row, t));
    e->row = *row;
    list_init(&e->link);
    char *at = e->bytes;
    *at++ = (char)row->kind;
    for (unsigned i = 0; i < t->keys; i++)
        at = append_key(at, &e->row, &t->column[i]);
    e->key = (struct str){e->bytes, (size_t)(at - e->bytes)};
    for (unsigned i = t->keys; i < t->columns; i++) {
        struct str *s = store_table_str_of(&e->row, &t->column[i]);
        at = s ? append_str(at, s) : at;
    }
    return e;
}

void store_batch_put(struct store_batch *b, const struct row *row)
{
    struct batch_entry *e = entry_create(row);
    struct batch_entry *old = map_put(&b->by_key, e->key, e);
    list_insert(old ? &old->link : b->entries.prev, &e->link);
    if (old)
        entry_free(old);
    else
        b->count++;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare(const void *left, const void *right)
{
    const struct row *a = *(const struct row *const *)left, *b = *(const struct row *const *)right;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    const struct store_table *t = &store_tables[a->kind];
    int order = 0;
    for (unsigned i = 0; i < t->keys && order == 0; i++) {
        const struct str *s = store_table_str(a, &t->column[i]);
        order = s ? str_cmp(*s, *store_table_str(b, &t->column[i])) : compare_numbers(a->number, b->number);
    }
    return order;
}

void store_batch_sort(const struct store_batch *b, struct store_order *out)
{
    struct list_node *it, *safe;
    out->row = mem_alloc(b->count * sizeof *out->row);
    out->count = 0;
    LIST_EACH (it, safe, &b->entries)
        out->row[out->count++] = &CONTAINER_OF(it, struct batch_entry, link)->row;
    if (out->count)
        qsort(out->row, out->count, sizeof *out->row, compare);
}

void store_order_finish(struct store_order *o)
{
    mem_free(o->row);
}
