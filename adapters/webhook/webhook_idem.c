#include "adapters/webhook/webhook_idem.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "text/hash.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NAME_BYTES = 16, NAME_TEXT = 2 + 26, ID_MAX = 63, SWEEP = 1000 };

struct webhook_idem_entry {
    struct list_node node; // of `age`
    char name[NAME_TEXT + 1];
    uint8_t digest[WEBHOOK_IDEM_DIGEST];
    int64_t wall;
    bool done;
    unsigned count;
    char id[ID_MAX + 1];
};

struct webhook_idem {
    struct webhook_rows rows;
    struct map by_name;
    struct list_node age;   // what is done, oldest first
    struct list_node doing; // what is under way
    bool unsorted;          // `age` is as rows came: in no order
};

struct webhook_idem *webhook_idem_create(const struct webhook_rows *rows)
{
    struct webhook_idem *t = MEM_NEW(struct webhook_idem);
    t->rows = *rows;
    map_init(&t->by_name);
    list_init(&t->age);
    list_init(&t->doing);
    return t;
}

static struct str name_of(const struct webhook_idem_entry *e)
{
    return (struct str){e->name, NAME_TEXT};
}

static void entry_free(struct webhook_idem *t, struct webhook_idem_entry *e)
{
    map_remove(&t->by_name, name_of(e));
    list_remove(&e->node);
    mem_free(e);
}

void webhook_idem_destroy(struct webhook_idem *t)
{
    if (!t)
        return;
    while (!list_empty(&t->age))
        entry_free(t, LIST_FIRST(&t->age, struct webhook_idem_entry, node));
    while (!list_empty(&t->doing))
        entry_free(t, LIST_FIRST(&t->doing, struct webhook_idem_entry, node));
    map_finish(&t->by_name);
    mem_free(t);
}

// "i/" and a hash: keys are strangers' text of any length.
static void name_make(char name[NAME_TEXT + 1], struct str hook, struct str key)
{
    struct arena a;
    arena_init(&a, 512);
    uint8_t sum[32];
    hash_sha256(arena_concat(&a, (struct str[]){hook, {"", 1}, key}, 3), sum);
    struct str text = hash_base32(&a, sum, NAME_BYTES);
    memcpy(name, "i/", 2);
    memcpy(name + 2, text.p, NAME_TEXT - 2);
    name[NAME_TEXT] = '\0';
    arena_finish(&a);
}

static void forget(struct webhook_idem *t, struct webhook_idem_entry *e)
{
    t->rows.put(t->rows.ud, name_of(e), STR_NONE);
    entry_free(t, e);
}

static struct webhook_idem_entry *entry_add(struct webhook_idem *t, const char *name)
{
    if (t->by_name.count >= WEBHOOK_IDEM_MAX && !list_empty(&t->age))
        forget(t, LIST_FIRST(&t->age, struct webhook_idem_entry, node));
    struct webhook_idem_entry *e = MEM_NEW(struct webhook_idem_entry);
    memcpy(e->name, name, sizeof e->name);
    list_init(&e->node);
    map_put(&t->by_name, name_of(e), e);
    return e;
}

static int by_age(const void *a, const void *b)
{
    const struct webhook_idem_entry *const *x = a, *const *y = b;
    return ((*x)->wall > (*y)->wall) - ((*x)->wall < (*y)->wall);
}

// Once, when all rows are there.
static void sort(struct webhook_idem *t)
{
    size_t n = 0;
    if (!t->unsorted)
        return;
    struct webhook_idem_entry **all = mem_zalloc(t->by_name.count + 1, sizeof(struct webhook_idem_entry *));
    for (struct list_node *it = t->age.next; it != &t->age; it = it->next)
        all[n++] = CONTAINER_OF(it, struct webhook_idem_entry, node);
    qsort(all, n, sizeof(struct webhook_idem_entry *), by_age);
    list_init(&t->age);
    for (size_t i = 0; i < n; i++)
        list_push(&t->age, &all[i]->node);
    mem_free(all);
    t->unsorted = false;
}

static bool too_old(const struct webhook_idem_entry *e, int64_t wall)
{
    return e->done && wall - e->wall > WEBHOOK_IDEM_MS;
}

enum webhook_idem_verdict webhook_idem_begin(struct webhook_idem *t, struct str hook, struct str key,
                                             const uint8_t digest[WEBHOOK_IDEM_DIGEST], int64_t wall,
                                             struct webhook_idem_entry **entry, struct webhook_idem_known *known)
{
    char name[NAME_TEXT + 1];
    sort(t);
    name_make(name, hook, key);
    struct webhook_idem_entry *e = map_get(&t->by_name, (struct str){name, NAME_TEXT});
    if (e && too_old(e, wall)) {
        forget(t, e);
        e = NULL;
    }
    if (e && memcmp(e->digest, digest, sizeof e->digest) != 0)
        return WEBHOOK_IDEM_OTHER;
    if (e && !e->done)
        return WEBHOOK_IDEM_BUSY;
    if (e) {
        *known = (struct webhook_idem_known){str_c(e->id), e->count};
        return WEBHOOK_IDEM_SAME;
    }
    e = entry_add(t, name);
    memcpy(e->digest, digest, sizeof e->digest);
    e->wall = wall;
    list_push(&t->doing, &e->node);
    *entry = e;
    return WEBHOOK_IDEM_NEW;
}

static void id_keep(struct webhook_idem_entry *e, struct str id)
{
    size_t n = id.n < ID_MAX ? id.n : ID_MAX;
    memcpy(e->id, id.p, n);
    e->id[n] = '\0';
}

static void row_put(struct webhook_idem *t, const struct webhook_idem_entry *e)
{
    struct arena a;
    arena_init(&a, 512);
    struct str sum = hash_hex(&a, e->digest, sizeof e->digest);
    struct str blob = arena_printf(&a, "%" PRId64 " " STR_FMT " %s %u", e->wall, STR_ARG(sum), e->id, e->count);
    t->rows.put(t->rows.ud, name_of(e), blob);
    arena_finish(&a);
}

void webhook_idem_done(struct webhook_idem *t, struct webhook_idem_entry *e, struct str id, unsigned count)
{
    e->done = true;
    e->count = count;
    id_keep(e, id);
    list_remove(&e->node);
    list_push(&t->age, &e->node);
    row_put(t, e);
}

void webhook_idem_drop(struct webhook_idem *t, struct webhook_idem_entry *e)
{
    entry_free(t, e);
}

static bool hex_read(struct str text, uint8_t *out, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    if (text.n != 2 * n)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *d = memchr(digits, text.p[i], 16);
        if (!d)
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (d - digits));
    }
    return true;
}

static bool row_read(struct str blob, struct webhook_idem_entry *e)
{
    struct str rest = blob, wall, sum, id, count;
    uint64_t n;
    if (!str_word(&rest, &wall) || !str_word(&rest, &sum) || !str_word(&rest, &id) || id.n > ID_MAX)
        return false;
    if (!str_word(&rest, &count) || !str_to_u64(count, &n) || n > UINT32_MAX)
        return false;
    id_keep(e, id);
    e->count = (unsigned)n;
    e->done = true;
    return str_to_i64(wall, &e->wall) && hex_read(sum, e->digest, sizeof e->digest);
}

void webhook_idem_restore(struct webhook_idem *t, struct str key, struct str blob, int64_t wall)
{
    struct webhook_idem_entry read = {.done = false};
    bool good = key.n == NAME_TEXT && !map_get(&t->by_name, key) && row_read(blob, &read);
    if (!good || too_old(&read, wall)) {
        t->rows.put(t->rows.ud, key, STR_NONE);
        return;
    }
    char name[NAME_TEXT + 1];
    memcpy(name, key.p, NAME_TEXT);
    name[NAME_TEXT] = '\0';
    struct webhook_idem_entry *e = entry_add(t, name);
    memcpy(e->digest, read.digest, sizeof e->digest);
    memcpy(e->id, read.id, sizeof e->id);
    e->wall = read.wall;
    e->count = read.count;
    e->done = true;
    list_push(&t->age, &e->node);
    t->unsorted = true;
}

bool webhook_idem_sweep(struct webhook_idem *t, int64_t wall)
{
    sort(t);
    for (unsigned i = 0; i < SWEEP && !list_empty(&t->age); i++) {
        struct webhook_idem_entry *e = LIST_FIRST(&t->age, struct webhook_idem_entry, node);
        if (!too_old(e, wall))
            return false;
        forget(t, e);
    }
    return !list_empty(&t->age);
}

size_t webhook_idem_count(const struct webhook_idem *t)
{
    return t->by_name.count;
}
