#include "core/lane.h"

#include "base/map.h"
#include "base/mem.h"

#include <assert.h>

enum { RING_FIRST = 64 };

struct lane *lane_create(void)
{
    struct lane *l = MEM_NEW(struct lane);
    l->next = 1;
    l->told = l->told_full = INT64_MIN;
    index_init(&l->by_id);
    list_init(&l->records);
    return l;
}

static struct lane_record *record_at(struct list_node *node)
{
    return CONTAINER_OF(node, struct lane_record, node);
}

static void drop_targets(struct lane *l)
{
    for (size_t i = 0; i < l->target_count; i++)
        mem_free(l->targets[i]);
    mem_free(l->targets);
    l->targets = NULL;
    l->target_count = l->target_at = 0;
}

static void drop_head(struct lane *l)
{
    struct lane_record *r = record_at(l->records.next);
    l->record_count--;
    l->record_bytes -= r->body.n;
    list_remove(&r->node);
    mem_free(r);
}

static void drop_records(struct lane *l)
{
    while (!list_empty(&l->records))
        drop_head(l);
    drop_targets(l);
}

/* Entries */

uint64_t lane_hash(struct str id)
{
    uint64_t hash = map_hash(id);
    return hash ? hash : 1;
}

static uint32_t handle_of(uint64_t number)
{
    return (uint32_t)(number & INT32_MAX);
}

static struct lane_entry *slot(const struct lane *l, uint64_t number)
{
    return &l->ring[number & (l->cap - 1)];
}

struct lane_entry *lane_entry(const struct lane *l, uint64_t number)
{
    return number > l->trimmed && number < l->next && slot(l, number)->hash ? slot(l, number) : NULL;
}

void lane_destroy(struct lane *l)
{
    if (!l)
        return;
    drop_records(l);
    for (uint64_t n = l->trimmed + 1; n < l->next; n++)
        mem_free(slot(l, n)->tell);
    index_finish(&l->by_id);
    mem_free(l->resume);
    mem_free(l->ring);
    mem_free(l->parked);
    mem_free(l);
}

static void grow(struct lane *l)
{
    size_t cap = l->cap ? l->cap * 2 : RING_FIRST;
    struct lane_entry *ring = mem_zalloc(cap, sizeof *ring);
    for (uint64_t n = l->trimmed + 1; n < l->next; n++)
        ring[n & (cap - 1)] = *slot(l, n);
    mem_free(l->ring);
    l->ring = ring;
    l->cap = cap;
}

static uint64_t append(struct lane *l, struct lane_entry e)
{
    if (l->next - l->trimmed > l->cap)
        grow(l);
    uint64_t number = l->next++;
    *slot(l, number) = e;
    if (e.hash)
        index_add(&l->by_id, e.hash, handle_of(number));
    if (number > l->fenced)
        l->bytes += e.bytes;
    return number;
}

uint64_t lane_add(struct lane *l, uint64_t hash, size_t bytes, int64_t now)
{
    return append(l, (struct lane_entry){.hash = hash, .at = now, .bytes = (uint32_t)bytes});
}

bool lane_restore(struct lane *l, uint64_t number, uint64_t hash, size_t bytes, int64_t at)
{
    if (number < l->next || number - l->trimmed > LANE_SPAN || bytes > UINT32_MAX)
        return false;
    while (l->next < number) // which nobody has
        append(l, (struct lane_entry){0});
    append(l, (struct lane_entry){.hash = hash, .at = at, .bytes = (uint32_t)bytes});
    return true;
}

// 0 is kept for what has not ended.
static uint32_t seconds(int64_t now)
{
    return now < 1000 ? 1 : (uint32_t)(now / 1000);
}

void lane_restored(struct lane *l, uint64_t fenced, int64_t now)
{
    while (l->next <= fenced) // rows that were lost
        append(l, (struct lane_entry){0});
    for (uint64_t n = l->trimmed + 1; n <= l->settled; n++)
        slot(l, n)->ended = seconds(now);
    for (uint64_t n = l->settled + 1; n <= fenced; n++) // which append() did not count
        l->bytes += slot(l, n)->bytes;
    l->fenced = l->reported = l->settled;
    lane_fenced(l, fenced, now);
    lane_rewind(l);
}

uint64_t lane_find(const struct lane *l, uint64_t hash)
{
    size_t at = SIZE_MAX;
    uint64_t found = 0;
    for (uint32_t h; (h = index_next(&l->by_id, hash, &at)) != INDEX_NONE;) {
        uint64_t number = l->trimmed + 1 + ((h - handle_of(l->trimmed + 1)) & INT32_MAX);
        const struct lane_entry *e = lane_entry(l, number);
        if (e && e->hash == hash && number > found)
            found = number;
    }
    return found;
}

size_t lane_queued(const struct lane *l)
{
    return (size_t)(l->next - 1 - l->settled);
}

size_t lane_unfenced(const struct lane *l)
{
    return (size_t)(l->next - 1 - l->fenced);
}

/* Bodies */

bool lane_has_room(const struct lane *l)
{
    return l->record_count < LANE_MEMORY && l->record_bytes < LANE_MEMORY_BYTES;
}

void lane_put(struct lane *l, const struct event *ev, uint64_t number)
{
    assert(number == l->loaded + 1);
    struct jid bare = jid_bare(ev->user);
    bool at = bare.local.n > 0;
    struct lane_record *r =
        mem_alloc(sizeof *r + ev->key.n + ev->id.n + ev->body.n + ev->blob.n + bare.local.n + bare.domain.n + 1);
    *r = (struct lane_record){.number = number, .type = ev->type, .stamp = ev->stamp, .since = ev->accepted};
    char *to = r->bytes;
    r->key = str_keep(&to, ev->key);
    r->id = str_keep(&to, ev->id);
    r->body = str_keep(&to, ev->body);
    r->extra = str_keep(&to, ev->blob);
    r->user = str_keep(&to, bare.local);
    if (at)
        r->user.n += str_keep(&to, STR("@")).n;
    r->user.n += str_keep(&to, bare.domain).n;
    list_init(&r->node);
    list_push(&l->records, &r->node);
    l->record_count++;
    l->record_bytes += r->body.n;
    l->loaded = number;
}

struct lane_record *lane_head(const struct lane *l)
{
    return list_empty(&l->records) ? NULL : record_at(l->records.next);
}

void lane_sent(struct lane *l)
{
    l->sent = record_at(l->records.next)->number;
    drop_head(l);
    drop_targets(l);
}

void lane_rewind(struct lane *l)
{
    drop_records(l);
    l->sent = l->loaded = l->fenced;
    l->question = 0;
    l->load_at = 0;
}

/* Fences and holds */

static void set_resume(struct lane *l, char *takes)
{
    mem_free(l->resume);
    l->resume = takes;
}

void lane_fenced(struct lane *l, uint64_t number, int64_t now)
{
    if (number <= l->fenced)
        return;
    for (uint64_t n = l->fenced + 1; n <= number; n++)
        l->bytes -= slot(l, n)->bytes;
    l->fenced = number;
    set_resume(l, NULL);
    size_t last = l->hold_count - 1;
    bool joins = l->hold_count && now < l->holds[last].opened + LANE_HOLD_STEP;
    if (!joins && l->hold_count < LANE_HOLDS)
        l->holds[l->hold_count++].opened = now;
    l->holds[l->hold_count - 1].number = number;
}

void lane_unfence(struct lane *l)
{
    l->hold_count = 0;
    l->doubt = 0;
    for (uint64_t n = l->settled + 1; n <= l->fenced; n++)
        l->bytes += slot(l, n)->bytes;
    l->fenced = l->settled;
    set_resume(l, NULL);
    lane_rewind(l);
}

/* Confirmations */

static bool passed(const struct lane *l, uint64_t number)
{
    return number < l->next && (!slot(l, number)->hash || slot(l, number)->ended);
}

void lane_pass(struct lane *l)
{
    while (passed(l, l->sent + 1)) {
        struct lane_record *head = lane_head(l);
        l->sent++;
        if (head && head->number == l->sent)
            drop_head(l);
        if (l->loaded < l->sent)
            l->loaded = l->sent;
    }
}

bool lane_confirm(struct lane *l, uint64_t number, int64_t now)
{
    struct lane_entry *e = lane_entry(l, number);
    if (e && !e->ended)
        e->ended = seconds(now);
    uint64_t before = l->settled;
    lane_pass(l);
    while (l->settled < l->sent && passed(l, l->settled + 1)) {
        l->settled++;
        l->bytes -= slot(l, l->settled)->bytes;
    }
    l->fenced = l->reported = l->settled;
    return l->settled > before;
}

bool lane_withdraw(struct lane *l, uint64_t number, int64_t now)
{
    struct lane_entry *e = lane_entry(l, number);
    (void)index_remove(&l->by_id, e->hash, handle_of(number));
    e->hash = 0;
    return lane_confirm(l, number, now);
}

static int64_t settles(const struct lane *l)
{
    return l->hold_count && !l->doubt ? l->holds[0].opened + LANE_HOLD_STEP + LANE_HOLD_MS : INT64_MAX;
}

bool lane_settle(struct lane *l, int64_t now)
{
    size_t n = 0;
    while (!l->doubt && n < l->hold_count && l->holds[n].opened + LANE_HOLD_STEP + LANE_HOLD_MS <= now)
        n++;
    if (!n)
        return false;
    for (uint64_t number = l->settled + 1; number <= l->holds[n - 1].number; number++)
        slot(l, number)->ended = seconds(now);
    l->settled = l->holds[n - 1].number;
    if (!l->tells)
        l->reported = l->settled;
    l->hold_count -= n;
    memmove(l->holds, l->holds + n, l->hold_count * sizeof *l->holds);
    return true;
}

// When the oldest that is kept need not be any more; INT64_MAX: none is kept.
static int64_t outlives(const struct lane *l)
{
    bool any = l->trimmed < l->settled && l->trimmed + 1 < l->next;
    return any ? ((int64_t)slot(l, l->trimmed + 1)->ended + 1) * 1000 + LANE_KEPT_MS : INT64_MAX;
}

void lane_want(struct lane *l, uint64_t number, struct str id)
{
    slot(l, number)->tell = mem_dup(id.p, id.n);
    l->tells++;
}

char *lane_tell(struct lane *l)
{
    while (l->reported < l->settled) {
        l->reported++;
        struct lane_entry *e = l->reported > l->trimmed && l->reported < l->next ? slot(l, l->reported) : NULL;
        char *tell = e ? e->tell : NULL;
        if (!tell)
            continue;
        e->tell = NULL;
        l->tells--;
        return tell;
    }
    return NULL;
}

static bool outlived(const struct lane *l, int64_t now)
{
    return l->trimmed < l->reported && (l->settled - l->trimmed > LANE_KEPT || outlives(l) <= now);
}

bool lane_trim(struct lane *l, int64_t now)
{
    enum { LOT = LANE_KEPT / 4 }; // the row is written once for many
    if (l->settled - l->trimmed <= LANE_KEPT + LOT && outlives(l) > now)
        return false;
    while (outlived(l, now)) {
        const struct lane_entry *e = slot(l, l->trimmed + 1);
        if (e->hash)
            (void)index_remove(&l->by_id, e->hash, handle_of(l->trimmed + 1));
        l->trimmed++;
    }
    return true;
}

int64_t lane_deadline(const struct lane *l)
{
    int64_t at = settles(l), trim = outlives(l);
    return at < trim ? at : trim;
}
