#include "adapters/webhook/webhook_keys.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "text/hash.h"

#include <inttypes.h>

enum { NAME_BYTES = 16, NAME_TEXT = 2 + 26, ID_MAX = 71, STANZA_MAX = 1023, SWEEP = 1000 };

struct entry {
    struct list_node node;
    char name[NAME_TEXT + 1];
    char root[ID_MAX + 1];
    char *stanza;  // owned; NULL: not known
    int64_t until; // wall ms
};

struct webhook_keys {
    struct webhook_rows rows;
    struct map by_name, by_root;
    struct list_node used; // least lately used first
};

struct webhook_keys *webhook_keys_create(const struct webhook_rows *rows)
{
    struct webhook_keys *t = MEM_NEW(struct webhook_keys);
    t->rows = *rows;
    map_init(&t->by_name);
    map_init(&t->by_root);
    list_init(&t->used);
    return t;
}

static struct str name_of(const struct entry *e)
{
    return (struct str){e->name, NAME_TEXT};
}

static void entry_free(struct webhook_keys *t, struct entry *e)
{
    map_remove(&t->by_name, name_of(e));
    map_remove(&t->by_root, str_c(e->root));
    list_remove(&e->node);
    mem_free(e->stanza);
    mem_free(e);
}

void webhook_keys_destroy(struct webhook_keys *t)
{
    if (!t)
        return;
    while (!list_empty(&t->used))
        entry_free(t, LIST_FIRST(&t->used, struct entry, node));
    map_finish(&t->by_name);
    map_finish(&t->by_root);
    mem_free(t);
}

static void forget(struct webhook_keys *t, struct entry *e)
{
    t->rows.put(t->rows.ud, name_of(e), STR_NONE);
    entry_free(t, e);
}

static void name_make(char name[NAME_TEXT + 1], struct str hook, struct str key, struct str room)
{
    struct arena a;
    arena_init(&a, 512);
    uint8_t sum[32];
    hash_sha256(arena_concat(&a, (struct str[]){hook, {"", 1}, room, {"", 1}, key}, 5), sum);
    struct str text = hash_base32(&a, sum, NAME_BYTES);
    memcpy(name, "k/", 2);
    memcpy(name + 2, text.p, NAME_TEXT - 2);
    name[NAME_TEXT] = '\0';
    arena_finish(&a);
}

static void row_put(struct webhook_keys *t, const struct entry *e)
{
    struct arena a;
    arena_init(&a, 512);
    struct str blob = arena_printf(&a, "%" PRId64 " %s %s", e->until, e->root, e->stanza ? e->stanza : "");
    t->rows.put(t->rows.ud, name_of(e), blob);
    arena_finish(&a);
}

static struct entry *find(struct webhook_keys *t, struct str hook, struct str key, struct str room, int64_t wall)
{
    char name[NAME_TEXT + 1];
    name_make(name, hook, key, room);
    struct entry *e = map_get(&t->by_name, (struct str){name, NAME_TEXT});
    if (!e || e->until >= wall)
        return e;
    forget(t, e);
    return NULL;
}

bool webhook_keys_find(struct webhook_keys *t, struct str hook, struct str key, struct str room, int64_t wall,
                       struct webhook_key_view *out)
{
    const struct entry *e = find(t, hook, key, room, wall);
    if (e)
        *out = (struct webhook_key_view){str_c(e->root), str_c(e->stanza)};
    return e;
}

static struct entry *add(struct webhook_keys *t, const char *name, struct str root)
{
    if (t->by_name.count >= WEBHOOK_KEYS_MAX)
        forget(t, LIST_FIRST(&t->used, struct entry, node));
    struct entry *e = MEM_NEW(struct entry);
    memcpy(e->name, name, sizeof e->name);
    memcpy(e->root, root.p, root.n);
    list_init(&e->node);
    list_push(&t->used, &e->node);
    map_put(&t->by_name, name_of(e), e);
    map_put(&t->by_root, str_c(e->root), e);
    return e;
}

void webhook_keys_said(struct webhook_keys *t, struct str hook, struct str key, struct str room, struct str id,
                       int64_t window, int64_t wall)
{
    if (!id.n || id.n > ID_MAX || map_get(&t->by_root, id))
        return;
    struct entry *e = find(t, hook, key, room, wall);
    if (!e) {
        char name[NAME_TEXT + 1];
        name_make(name, hook, key, room);
        e = add(t, name, id);
    }
    list_remove(&e->node);
    list_push(&t->used, &e->node);
    e->until = wall + window;
    row_put(t, e);
}

void webhook_keys_end(struct webhook_keys *t, struct str hook, struct str key, struct str room, int64_t wall)
{
    struct entry *e = find(t, hook, key, room, wall);
    if (e)
        forget(t, e);
}

void webhook_keys_settled(struct webhook_keys *t, struct str id, struct str stanza)
{
    struct entry *e = map_get(&t->by_root, id);
    bool fits = stanza.n && stanza.n <= STANZA_MAX && !memchr(stanza.p, ' ', stanza.n);
    if (!e || e->stanza || !fits)
        return;
    e->stanza = mem_dup(stanza.p, stanza.n);
    row_put(t, e);
}

void webhook_keys_failed(struct webhook_keys *t, struct str id)
{
    struct entry *e = map_get(&t->by_root, id);
    if (e)
        forget(t, e);
}

void webhook_keys_restore(struct webhook_keys *t, struct str key, struct str blob, int64_t wall)
{
    struct str rest = blob, until, root, stanza = STR_NONE;
    int64_t end;
    bool good = key.n == NAME_TEXT && str_word(&rest, &until) && str_to_i64(until, &end) && end >= wall &&
                str_word(&rest, &root) && root.n <= ID_MAX && !map_get(&t->by_name, key) && !map_get(&t->by_root, root);
    if (!good) {
        t->rows.put(t->rows.ud, key, STR_NONE);
        return;
    }
    char name[NAME_TEXT + 1];
    memcpy(name, key.p, NAME_TEXT);
    name[NAME_TEXT] = '\0';
    struct entry *e = add(t, name, root);
    e->until = end;
    if (str_word(&rest, &stanza) && stanza.n <= STANZA_MAX)
        e->stanza = mem_dup(stanza.p, stanza.n);
}

bool webhook_keys_sweep(struct webhook_keys *t, int64_t wall)
{
    unsigned forgotten = 0;
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &t->used) {
        struct entry *e = CONTAINER_OF(it, struct entry, node);
        if (e->until >= wall)
            continue;
        if (forgotten++ == SWEEP)
            return true;
        forget(t, e);
    }
    return false;
}

size_t webhook_keys_count(const struct webhook_keys *t)
{
    return t->by_name.count;
}
