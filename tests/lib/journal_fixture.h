/* A bridge and its journal: what it stores is kept as the store would, what it asks of the journal is answered, what it
 * says behind a fence comes back when the test wants it to, and it can be killed at any point and made anew from what
 * was committed. Stanzas that carry a message of a contact are listed in the order in which they went out. */
#ifndef SPANDREL_TESTS_JOURNAL_FIXTURE_H
#define SPANDREL_TESTS_JOURNAL_FIXTURE_H

#include "lib/core_fixture.h"

#include "base/map.h"
#include "base/mem.h"
#include "core/lane.h"
#include "core/letter.h"

#include <stdlib.h>

struct kept { // a row, as the store keeps it
    struct arena arena;
    struct row row;
    struct str key;
    size_t at; // in the order of the puts
};

struct heard { // a message that went to a user
    char user[80], id[40], body[40];
    int64_t stamp;
    uint16_t component;
};

struct journal {
    struct core c;
    struct bridge_config cfg;
    struct map rows;    // committed
    struct kept **held; // put and not committed
    size_t held_count, held_cap;
    bool hold;    // nothing is committed
    bool letters; // there has been one
    bool trims;   // records that lanes keep no more go
    bool slow;    // questions are not answered by themselves
    bool mute;    // fences do not come back by themselves
    struct {
        char name[128];
        uint64_t after, max, put; // put: rows were put before it
    } loads[2048];
    size_t load_count, load_first;
    uint64_t fence[3]; // last said over the component; 0: none
    size_t fence_count;
    struct heard *heard;
    size_t heard_count, heard_cap;
    uint64_t tokens[20000];    // answered, in order
    size_t token_count, gated; // gated: the first so many of them wait for the commit
    size_t refused, notices;
    char notice[512];
    size_t puts, committed;
    int64_t wall_shift;
    int64_t server_since; // wall ms; 0: unknown
    // What goes out is told here, too, where that is set; `gated`: it waits for the commit of what was put so far.
    void (*north)(void *ud, const struct event *ev);
    void (*south)(void *ud, const struct event *ev, bool gated);
    void *ud;
};

static inline struct kept *journal_keep(const struct row *row)
{
    struct kept *k = MEM_NEW(struct kept);
    arena_init(&k->arena, 512);
    k->row = *row;
    struct str *const parts[] = {&k->row.domain,  &k->row.local, &k->row.scope, &k->row.user,
                                 &k->row.adapter, &k->row.key,   &k->row.name,  &k->row.cls,
                                 &k->row.group,   &k->row.text,  &k->row.id};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        *parts[i] = arena_dup(&k->arena, *parts[i]);
    bool numbered = row->kind == ROW_LETTER || row->kind == ROW_ASK || row->kind == ROW_ACCESS;
    if (numbered)
        k->key = arena_printf(&k->arena, "%d %" PRIu64, row->kind, row->number);
    else if (row->kind == ROW_LANE)
        k->key = arena_printf(&k->arena, "%d " STR_FMT, row->kind, STR_ARG(row->adapter));
    else if (row->kind == ROW_RECORD)
        k->key = arena_printf(&k->arena, "%d " STR_FMT " %" PRIu64, row->kind, STR_ARG(row->adapter), row->number);
    else if (row->kind == ROW_STATE)
        k->key =
            arena_printf(&k->arena, "%d " STR_FMT " " STR_FMT, row->kind, STR_ARG(row->adapter), STR_ARG(row->key));
    else
        k->key = arena_printf(&k->arena, "%d " STR_FMT " " STR_FMT "@" STR_FMT, row->kind, STR_ARG(row->user),
                              STR_ARG(row->local), STR_ARG(row->domain));
    return k;
}

static inline void journal_drop(struct kept *k)
{
    if (!k)
        return;
    arena_finish(&k->arena);
    mem_free(k);
}

// As the store does: a record that is not kept any more goes, unless a letter is about it.
static inline void journal_trim(struct journal *j, const struct row *lane)
{
    char key[192];
    (void)snprintf(key, sizeof key, "%d " STR_FMT, ROW_LANE, STR_ARG(lane->adapter));
    const struct kept *before = map_get(&j->rows, str_c(key));
    size_t at = 0;
    struct str name;
    void *value;
    for (uint64_t n = before ? before->row.trimmed + 1 : 1; n <= lane->trimmed; n++) {
        bool letter = false;
        for (at = 0; !letter && j->letters && map_next(&j->rows, &at, &name, &value);) {
            const struct row *row = &((struct kept *)value)->row;
            letter = row->kind == ROW_LETTER && row->record == n && str_eq(row->adapter, lane->adapter);
        }
        (void)snprintf(key, sizeof key, "%d " STR_FMT " %" PRIu64, ROW_RECORD, STR_ARG(lane->adapter), n);
        if (!letter)
            journal_drop(map_remove(&j->rows, str_c(key)));
    }
}

static inline void journal_commit(struct journal *j)
{
    for (size_t i = 0; i < j->held_count; i++) {
        struct kept *k = j->held[i];
        j->letters = j->letters || k->row.kind == ROW_LETTER;
        if (j->trims && k->row.kind == ROW_LANE && !k->row.gone)
            journal_trim(j, &k->row);
        if (k->row.gone) {
            journal_drop(map_remove(&j->rows, k->key));
            journal_drop(k);
        } else {
            journal_drop(map_put(&j->rows, k->key, k));
        }
    }
    j->held_count = 0;
    j->committed = j->puts;
    j->gated = 0;
}

static inline const struct row *journal_row(const struct journal *j, enum row_kind kind, const char *adapter,
                                            uint64_t n)
{
    char key[192];
    if (kind == ROW_LANE)
        (void)snprintf(key, sizeof key, "%d %s", kind, adapter);
    else if (kind == ROW_RECORD)
        (void)snprintf(key, sizeof key, "%d %s %" PRIu64, kind, adapter, n);
    else
        (void)snprintf(key, sizeof key, "%d %" PRIu64, kind, n);
    const struct kept *k = map_get(&j->rows, str_c(key));
    return k ? &k->row : NULL;
}

// The journal loses a record.
static inline void journal_lose(struct journal *j, const char *adapter, uint64_t number)
{
    char key[192];
    (void)snprintf(key, sizeof key, "%d %s %" PRIu64, ROW_RECORD, adapter, number);
    struct kept *k = map_remove(&j->rows, str_c(key));
    assert_non_null(k);
    journal_drop(k);
}

static inline size_t journal_rows(const struct journal *j, enum row_kind kind)
{
    size_t at = 0, n = 0;
    struct str key;
    void *value;
    while (map_next(&j->rows, &at, &key, &value))
        n += ((struct kept *)value)->row.kind == kind;
    return n;
}

static inline void journal_copy(char *to, size_t size, struct str s)
{
    (void)snprintf(to, size, STR_FMT, STR_ARG(s));
}

static inline void journal_hear(struct journal *j, const struct event *ev)
{
    if (ev->kind == EV_FENCE) {
        assert_true(ev->component < 3);
        j->fence[ev->component] = ev->number;
        j->fence_count++;
    }
    if (ev->kind != EV_MESSAGE)
        return;
    if (j->heard_count == j->heard_cap) {
        j->heard_cap = j->heard_cap ? j->heard_cap * 2 : 64;
        j->heard = mem_realloc(j->heard, j->heard_cap, sizeof *j->heard);
    }
    struct heard *h = &j->heard[j->heard_count++];
    (void)snprintf(h->user, sizeof h->user, STR_FMT "@" STR_FMT, STR_ARG(ev->user.local), STR_ARG(ev->user.domain));
    journal_copy(h->id, sizeof h->id, ev->id);
    journal_copy(h->body, sizeof h->body, str_sub(ev->body, 0, ev->body.n < 32 ? ev->body.n : 32));
    h->stamp = ev->stamp;
    h->component = ev->component;
}

static inline void journal_take(struct journal *j, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_STORE:
        if (j->held_count == j->held_cap) {
            j->held_cap = j->held_cap ? j->held_cap * 2 : 64;
            j->held = mem_realloc(j->held, j->held_cap, sizeof(struct kept *));
        }
        j->held[j->held_count++] = journal_keep(e->row);
        j->puts++;
        break;
    case EFFECT_LOAD:
        assert_true(j->load_count < sizeof j->loads / sizeof *j->loads);
        journal_copy(j->loads[j->load_count].name, sizeof j->loads->name, e->ev->name);
        j->loads[j->load_count].after = e->ev->number;
        j->loads[j->load_count].put = j->puts;
        j->loads[j->load_count++].max = e->ev->token;
        break;
    case EFFECT_NORTH:
        journal_hear(j, e->ev);
        if (j->north)
            j->north(j->ud, e->ev);
        break;
    case EFFECT_GATED:
    case EFFECT_SOUTH:
        if (j->south)
            j->south(j->ud, e->ev, e->kind == EFFECT_GATED);
        j->refused += e->ev->kind == EV_REFUSED;
        if (e->ev->kind != EV_JOURNALED)
            break;
        assert_true(j->token_count < sizeof j->tokens / sizeof *j->tokens);
        j->tokens[j->token_count++] = e->ev->token;
        j->gated += e->kind == EFFECT_GATED;
        break;
    case EFFECT_NOTICE:
        j->notices++;
        journal_copy(j->notice, sizeof j->notice, e->ev->body);
        break;
    default:
        break;
    }
}

// One step, and its ticks; `lines` of the core fixture hold the effects.
static inline void journal_step(struct journal *j, const struct event *ev)
{
    struct event own = *ev;
    own.wall = own.wall ? own.wall : 1000000 + j->c.now + j->wall_shift;
    core_step(&j->c, &own);
    for (unsigned ticks = 0;; ticks++) {
        for (size_t i = 0; i < j->c.out.count; i++)
            journal_take(j, &j->c.out.v[i]);
        if (j->c.lines.n < 1 << 20)
            core_append(&j->c);
        if (!j->c.out.more)
            break;
        assert_true(ticks < 10000);
        core_step(&j->c, &(struct event){.kind = EV_TICK, .wall = 1000000 + j->c.now + j->wall_shift});
    }
    if (!j->hold)
        journal_commit(j);
}

// Answers the oldest question, with at most `limit` records.
static inline void journal_answer(struct journal *j, uint64_t limit)
{
    assert_true(j->load_first < j->load_count);
    size_t at = j->load_first++;
    char name[128];
    memcpy(name, j->loads[at].name, sizeof name);
    uint64_t after = j->loads[at].after, max = j->loads[at].max < limit ? j->loads[at].max : limit;
    bool complete = j->committed >= j->loads[at].put;
    if (j->load_first == j->load_count)
        j->load_first = j->load_count = 0;
    // Beyond what a lane spans there is nothing; gaps are as large as tests make them.
    for (uint64_t n = after + 1, got = 0; got < max && n < after + 3000; n++) {
        const struct row *row = journal_row(j, ROW_RECORD, name, n);
        if (!row)
            continue;
        char user[96];
        struct row own = *row;
        journal_copy(user, sizeof user, row->user);
        own.user = str_c(user);
        struct event ev = {.kind = EV_LOADED,
                           .name = str_c(name),
                           .number = n,
                           .key = own.key,
                           .id = own.id,
                           .body = own.text,
                           .blob = own.name,
                           .type = (enum message_type)own.state,
                           .stamp = own.stamp,
                           .accepted = own.since,
                           .user = own.user.n ? core_jid(user) : (struct jid){.local = STR_NONE}};
        journal_step(j, &ev);
        got++;
    }
    journal_step(j,
                 &(struct event){
                     .kind = EV_LOADED, .name = str_c(name), .number = after, .flags = complete ? EVENT_DURABLE : 0});
}

// Questions for nothing, which only ask whether the disk has what was stored: it is quick, also where `slow` says that
// reading is not.
static inline void journal_barriers(struct journal *j)
{
    while (j->load_first < j->load_count && j->loads[j->load_first].max == 0)
        journal_answer(j, 0);
}

static inline void journal_fenced(struct journal *j, uint16_t component)
{
    uint64_t number = j->fence[component];
    j->fence[component] = 0;
    journal_step(j, &(struct event){.kind = EV_FENCED, .component = component, .number = number});
    journal_barriers(j);
}

// All that can happen without time passing.
static inline void journal_settle(struct journal *j)
{
    for (bool busy = true; busy;) {
        busy = false;
        if (!j->slow && j->load_first < j->load_count) {
            journal_answer(j, UINT64_MAX);
            busy = true;
        }
        for (uint16_t c = 1; c < 3; c++) {
            if (j->mute || !j->fence[c])
                continue;
            journal_fenced(j, c);
            busy = true;
        }
    }
}

// An event, and all that follows from it now.
static inline void journal_do(struct journal *j, const struct event *ev)
{
    strbuf_clear(&j->c.lines);
    journal_step(j, ev);
    journal_settle(j);
}

// Time passes; each deadline is kept, and none comes twice at the same time without having done something.
static inline void journal_pass(struct journal *j, int64_t ms)
{
    int64_t end = j->c.now + ms;
    strbuf_clear(&j->c.lines);
    for (unsigned idle = 0;;) {
        int64_t at = bridge_deadline(j->c.b);
        if (at > end)
            break;
        idle = at > j->c.now ? 0 : idle + 1;
        assert_true(idle < 3); // else it spins
        j->c.now = at > j->c.now ? at : j->c.now;
        journal_step(j, &(struct event){.kind = EV_TICK});
        journal_settle(j);
    }
    j->c.now = end;
    journal_step(j, &(struct event){.kind = EV_TICK});
    journal_settle(j);
}

static inline void journal_link(struct journal *j, uint16_t component, bool up)
{
    if (!up)
        j->fence[component] = 0;
    journal_do(j, &(struct event){.kind = up ? EV_LINK_UP : EV_LINK_DOWN, .component = component});
    if (up && bridge_doubts(j->c.b, component)) // since when the server runs: for longer, if the test says nothing
        journal_do(j, &(struct event){.kind = EV_STARTED, .component = component, .stamp = j->server_since});
}

static inline void journal_identity(struct journal *j, uint16_t adapter, const char *key)
{
    struct event ev = core_adapter(EV_IDENTITY, adapter, key);
    ev.name = ev.wish = str_c(key);
    journal_do(j, &ev);
}

static inline void journal_subscribe(struct journal *j, const char *user, const char *to)
{
    struct event ev = core_user(EV_SUBSCRIBE, user, to);
    journal_do(j, &ev);
}

// A durable message about a contact; id may be NULL.
static inline struct event journal_event(uint16_t adapter, const char *key, const char *id, uint64_t token)
{
    struct event ev = core_adapter(EV_MESSAGE, adapter, key);
    ev.flags = EVENT_DURABLE;
    ev.id = id ? str_c(id) : STR_NONE;
    ev.body = id ? str_c(id) : STR("text");
    ev.token = token;
    return ev;
}

static inline void journal_say(struct journal *j, uint16_t adapter, const char *key, const char *id)
{
    struct event ev = journal_event(adapter, key, id, 1);
    journal_do(j, &ev);
}

static inline void journal_say_many(struct journal *j, uint16_t adapter, const char *key, const char *prefix,
                                    unsigned first, unsigned n)
{
    for (unsigned i = first; i < first + n; i++) {
        char id[40];
        (void)snprintf(id, sizeof id, "%s%u", prefix, i);
        journal_say(j, adapter, key, id);
    }
}

static inline struct event journal_bounce(const char *user, const char *from, const char *id, enum err err)
{
    struct event ev = core_user(EV_BOUNCE, user, from);
    ev.about = EV_MESSAGE;
    ev.id = str_c(id);
    ev.err = err;
    return ev;
}

// How often that went out to the user (NULL: to any).
static inline size_t journal_heard(const struct journal *j, const char *user, const char *id)
{
    size_t n = 0;
    for (size_t i = 0; i < j->heard_count; i++)
        n += (!user || strcmp(j->heard[i].user, user) == 0) && (!id || strcmp(j->heard[i].id, id) == 0);
    return n;
}

static inline void journal_begin(struct journal *j)
{
    struct errmsg msg;
    j->cfg.now = j->c.now;
    j->cfg.wall = 1000000 + j->c.now + j->wall_shift;
    assert_int_equal(bridge_create(&j->cfg, &j->c.b, &msg), ERR_OK);
}

static inline int journal_compare(const void *left, const void *right)
{
    static const int rank[ROW_KINDS] = {
        [ROW_IDENTITY] = 0, [ROW_REGISTRATION] = 1, [ROW_SUBSCRIPTION] = 2, [ROW_ACCESS] = 3, [ROW_LANE] = 4,
        [ROW_RECORD] = 5,   [ROW_LETTER] = 6,       [ROW_ASK] = 7,          [ROW_STATE] = 8,  [ROW_GUEST] = 9};
    const struct kept *a = *(struct kept *const *)left, *b = *(struct kept *const *)right;
    if (rank[a->row.kind] != rank[b->row.kind])
        return rank[a->row.kind] - rank[b->row.kind];
    int by = str_cmp(a->row.adapter, b->row.adapter);
    if (a->row.kind == ROW_RECORD && by)
        return by;
    return a->row.number < b->row.number ? -1 : a->row.number > b->row.number;
}

// The process ends, with what was not committed, and begins anew; links are down.
static inline void journal_kill(struct journal *j)
{
    for (size_t i = 0; i < j->held_count; i++)
        journal_drop(j->held[i]);
    j->held_count = 0;
    j->committed = j->puts;
    j->token_count -= j->gated;
    j->gated = 0;
    j->load_first = j->load_count = 0;
    memset(j->fence, 0, sizeof j->fence);
    bridge_destroy(j->c.b);
    journal_begin(j);
    struct kept **all = mem_zalloc(j->rows.count + 1, sizeof(struct kept *));
    size_t at = 0, n = 0;
    struct str key;
    void *value;
    while (map_next(&j->rows, &at, &key, &value))
        all[n++] = value;
    qsort(all, n, sizeof *all, journal_compare);
    for (size_t i = 0; i < n; i++) {
        enum err e = bridge_restore(j->c.b, &all[i]->row);
        assert_true(!e || e == ERR_NOTFOUND);
    }
    mem_free(all);
}

static inline void journal_start(struct journal *j)
{
    journal_link(j, 1, true);
    journal_link(j, 2, true);
}

// home: lamp, door; other: secret, which the admin alone may read; far: mill. alice subscribes to lamp and mill, bob to
// lamp and door. Links are up.
static inline void journal_init_with(struct journal *j, const struct bridge_config *cfg)
{
    memset(j, 0, sizeof *j);
    j->cfg = *cfg;
    j->cfg.boot = STR("boot1");
    j->c.now = 1000;
    arena_init(&j->c.arena, 0);
    strbuf_init(&j->c.lines, 16 << 20);
    map_init(&j->rows);
    journal_begin(j);
    journal_start(j);
    journal_identity(j, HOME, "lamp");
    journal_identity(j, HOME, "door");
    journal_identity(j, OTHER, "secret");
    journal_identity(j, FAR, "mill");
    journal_subscribe(j, "alice@example.org", "lamp@gw.example");
    journal_subscribe(j, "bob@example.org", "lamp@gw.example");
    journal_subscribe(j, "bob@example.org", "door@gw.example");
    journal_subscribe(j, "alice@example.org", "mill@two.example");
    strbuf_clear(&j->c.lines);
}

static inline void journal_init(struct journal *j)
{
    struct bridge_config cfg = core_config();
    journal_init_with(j, &cfg);
}

static inline void journal_finish(struct journal *j)
{
    for (size_t i = 0; i < j->held_count; i++)
        journal_drop(j->held[i]);
    mem_free(j->held);
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&j->rows, &at, &key, &value))
        journal_drop(value);
    map_finish(&j->rows);
    mem_free(j->heard);
    core_finish(&j->c);
}

static inline int journal_setup(void **state)
{
    struct journal *j = MEM_NEW(struct journal);
    journal_init(j);
    *state = j;
    return 0;
}

static inline int journal_teardown(void **state)
{
    journal_finish(*state);
    mem_free(*state);
    return 0;
}

#endif
