#include "core/identity.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "core/mix.h"

#include <assert.h>
#include <stdlib.h>

void identities_init(struct identities *t)
{
    *t = (struct identities){0};
    pool_init(&t->pool, sizeof(struct identity));
    index_init(&t->by_address);
    index_init(&t->by_key);
}

void identities_finish(struct identities *t)
{
    uint32_t at = 0;
    for (struct identity *id; (id = pool_next(&t->pool, &at));) {
        mem_free(id->parts);
        mem_free(id->text);
    }
    pool_finish(&t->pool);
    index_finish(&t->by_address);
    index_finish(&t->by_key);
}

size_t identities_bytes(const struct identities *t)
{
    enum { SLOT = 8, HEAP_BLOCK = 16 }; // of an index; what the heap adds to a block
    return pool_bytes(&t->pool) + (t->by_address.cap + t->by_key.cap) * SLOT + t->bytes +
           (size_t)t->pool.count * HEAP_BLOCK;
}

struct identity *identity_at(const struct identities *t, uint32_t handle)
{
    return pool_at(&t->pool, handle);
}

struct str identity_part(const struct identity *id, enum identity_part part)
{
    size_t from = 0;
    for (unsigned i = 0; i < (unsigned)part; i++)
        from += id->len[i];
    return (struct str){id->parts + from, id->len[part]};
}

struct str identity_text(const struct identity *id)
{
    return (struct str){id->text, id->text_len};
}

static uint64_t address_hash(uint16_t component, struct str local, struct str scope)
{
    uint64_t h = mix64(map_hash(local) + component);
    return str_empty(scope) ? h : mix64(h ^ map_hash(scope));
}

static uint64_t key_hash(uint16_t source, struct str key)
{
    return mix64(map_hash(key) + source);
}

static struct identity *find_address(const struct identities *t, uint64_t hash, uint16_t component, struct str local,
                                     struct str scope)
{
    size_t at = SIZE_MAX;
    for (uint32_t h; (h = index_next(&t->by_address, hash, &at)) != INDEX_NONE;) {
        struct identity *id = identity_at(t, h);
        if (id->component == component && str_eq(identity_part(id, PART_LOCAL), local) &&
            str_eq(identity_part(id, PART_SCOPE), scope))
            return id;
    }
    return NULL;
}

static struct identity *find_key(const struct identities *t, uint64_t hash, uint16_t source, struct str key)
{
    size_t at = SIZE_MAX;
    for (uint32_t h; (h = index_next(&t->by_key, hash, &at)) != INDEX_NONE;) {
        struct identity *id = identity_at(t, h);
        if (id->source == source && str_eq(identity_part(id, PART_KEY), key))
            return id;
    }
    return NULL;
}

struct identity *identity_find(const struct identities *t, uint16_t component, struct str local, struct str scope)
{
    if (!str_empty(scope) && !t->scoped)
        return NULL;
    return find_address(t, address_hash(component, local, scope), component, local, scope);
}

struct identity *identity_find_key(const struct identities *t, uint16_t source, struct str key)
{
    return find_key(t, key_hash(source, key), source, key);
}

// Puts all parts into one new block.
static void set_parts(struct identities *t, struct identity *id, const struct str part[PART_COUNT])
{
    size_t n = 0, old = 0;
    for (unsigned i = 0; i < PART_COUNT; i++) {
        assert(part[i].n <= UINT16_MAX);
        n += part[i].n;
        old += id->len[i];
    }
    char *block = mem_alloc(n ? n : 1), *to = block;
    for (unsigned i = 0; i < PART_COUNT; i++) {
        if (part[i].n)
            memcpy(to, part[i].p, part[i].n);
        to += part[i].n;
        id->len[i] = (uint16_t)part[i].n;
    }
    mem_free(id->parts);
    id->parts = block;
    t->bytes = t->bytes - old + n;
}

static void cut_parts(struct str part[PART_COUNT])
{
    part[PART_NAME] = utf8_cut(part[PART_NAME], IDENTITY_NAME_MAX);
    part[PART_CLS] = utf8_cut(part[PART_CLS], IDENTITY_CLS_MAX);
    part[PART_GROUP] = utf8_cut(part[PART_GROUP], IDENTITY_GROUP_MAX);
}

struct identity *identity_add(struct identities *t, const struct identity_spec *spec)
{
    struct str part[PART_COUNT];
    memcpy(part, spec->part, sizeof part);
    cut_parts(part);
    bool keyed = !str_empty(part[PART_KEY]);
    uint64_t address = address_hash(spec->component, part[PART_LOCAL], part[PART_SCOPE]);
    uint64_t key = key_hash(spec->source, part[PART_KEY]);
    if (find_address(t, address, spec->component, part[PART_LOCAL], part[PART_SCOPE]) ||
        (keyed && find_key(t, key, spec->source, part[PART_KEY])))
        return NULL;
    struct identity *id = pool_take(&t->pool);
    id->component = spec->component;
    id->source = spec->source;
    id->kind = (uint8_t)spec->kind;
    id->quarantined = spec->quarantined;
    id->since = spec->since;
    set_parts(t, id, part);
    index_add(&t->by_address, address, id->handle);
    if (keyed)
        index_add(&t->by_key, key, id->handle);
    t->scoped += !str_empty(part[PART_SCOPE]);
    t->quarantined += id->quarantined;
    return id;
}

void identity_remove(struct identities *t, struct identity *id)
{
    assert(!id->subs && !id->room);
    struct str local = identity_part(id, PART_LOCAL), scope = identity_part(id, PART_SCOPE);
    index_remove(&t->by_address, address_hash(id->component, local, scope), id->handle);
    index_remove(&t->by_key, key_hash(id->source, identity_part(id, PART_KEY)), id->handle);
    t->scoped -= !str_empty(scope);
    t->quarantined -= id->quarantined;
    for (unsigned i = 0; i < PART_COUNT; i++)
        t->bytes -= id->len[i];
    t->bytes -= id->text_len;
    mem_free(id->parts);
    mem_free(id->text);
    pool_give(&t->pool, id);
}

bool identity_describe(struct identities *t, struct identity *id, struct str name, struct str cls, struct str group)
{
    struct str part[PART_COUNT];
    for (unsigned i = 0; i < PART_COUNT; i++)
        part[i] = identity_part(id, i);
    struct str old[] = {part[PART_NAME], part[PART_CLS], part[PART_GROUP]};
    part[PART_NAME] = name;
    part[PART_CLS] = cls;
    part[PART_GROUP] = group;
    cut_parts(part);
    if (str_eq(old[0], part[PART_NAME]) && str_eq(old[1], part[PART_CLS]) && str_eq(old[2], part[PART_GROUP]))
        return false;
    set_parts(t, id, part);
    return true;
}

bool identity_present(struct identities *t, struct identity *id, enum show show, struct str text)
{
    text = utf8_cut(text, IDENTITY_TEXT_MAX);
    if (id->show == show && str_eq(identity_text(id), text))
        return false;
    char *copy = str_empty(text) ? NULL : mem_dup(text.p, text.n);
    mem_free(id->text);
    t->bytes = t->bytes - id->text_len + text.n;
    id->show = (uint8_t)show;
    id->text = copy;
    id->text_len = (uint16_t)text.n;
    return true;
}

void identity_release(struct identities *t, struct identity *id)
{
    t->quarantined -= id->quarantined;
    id->quarantined = false;
}

// Names of people in charge: nobody out there may be handed one as his address (RFC 2142 and kin). Sorted.
static const char *const reserved[] = {"abuse",      "admin", "administrator", "bridge",  "gateway", "hostmaster",
                                       "postmaster", "root",  "security",      "support", "system",  "webmaster"};

static int compare_reserved(const void *key, const void *entry)
{
    const char *const *name = entry;
    return str_cmp(*(const struct str *)key, str_c(*name));
}

static bool is_reserved(struct str local)
{
    return bsearch(&local, reserved, sizeof reserved / sizeof *reserved, sizeof *reserved, compare_reserved) != NULL;
}

struct str identity_mint(const struct identities *t, struct arena *a, uint16_t component, struct str wish,
                         struct str adapter, struct str key)
{
    bool lossy = false;
    struct str slug = jid_slug(a, str_empty(wish) ? key : wish, &lossy);
    if (!lossy && !is_reserved(slug) && !identity_find(t, component, slug, STR_NONE))
        return slug;
    for (unsigned n = 0;; n++) { // the second round takes a collision of 40 bits of SHA-256
        struct str again = n ? arena_printf(a, "\n%u", n) : STR_NONE;
        struct str seed = arena_concat(a, (struct str[]){adapter, STR("\n"), key, again}, 4);
        struct str local = jid_slug_tail(a, slug, seed);
        if (!identity_find(t, component, local, STR_NONE))
            return local;
    }
}
