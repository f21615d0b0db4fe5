#include "adapters/webhook/webhook_message.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/rng.h"
#include "text/hash.h"
#include "text/json.h"

#include <stdio.h>

enum { SWEEP = 1000, TEXT_MAX = 500, STANZA_MAX = 1023, NICK_MAX = 200 };

struct kept {
    struct list_node node;   // of `age`
    struct list_node queued; // of `waiting`, while a target is on its way
    char *strings;           // owned: id, hook, and those of the targets
    struct webhook_message m;
};

struct webhook_messages {
    struct map by_id;
    struct list_node age; // oldest first
    struct list_node waiting;
};

struct webhook_messages *webhook_messages_create(void)
{
    struct webhook_messages *t = MEM_NEW(struct webhook_messages);
    map_init(&t->by_id);
    list_init(&t->age);
    list_init(&t->waiting);
    return t;
}

static struct kept *kept_of(struct webhook_message *m)
{
    return CONTAINER_OF(m, struct kept, m);
}

void webhook_messages_remove(struct webhook_messages *t, struct webhook_message *m)
{
    struct kept *k = kept_of(m);
    map_remove(&t->by_id, m->id);
    list_remove(&k->node);
    list_remove(&k->queued);
    for (size_t i = 0; i < m->count; i++) {
        mem_free((char *)(uintptr_t)m->targets[i].stanza.p);
        mem_free((char *)(uintptr_t)m->targets[i].text.p);
        mem_free((char *)(uintptr_t)m->targets[i].as.p);
    }
    mem_free(m->targets);
    mem_free(k->strings);
    mem_free(k);
}

void webhook_messages_destroy(struct webhook_messages *t)
{
    if (!t)
        return;
    while (!list_empty(&t->age))
        webhook_messages_remove(t, &LIST_FIRST(&t->age, struct kept, node)->m);
    map_finish(&t->by_id);
    mem_free(t);
}

struct str webhook_message_id(char out[WEBHOOK_ID + 1], struct str adapter, struct str hook, struct str key)
{
    enum { BYTES = 16 };
    uint8_t bytes[32];
    struct arena a;
    arena_init(&a, 512);
    if (key.n)
        hash_sha256(arena_concat(&a, (struct str[]){adapter, {"", 1}, hook, {"", 1}, key}, 5), bytes);
    else
        rng_bytes(bytes, BYTES);
    struct str text = hash_base32(&a, bytes, BYTES);
    memcpy(out, "msg_", 4);
    memcpy(out + 4, text.p, WEBHOOK_ID - 4);
    out[WEBHOOK_ID] = '\0';
    arena_finish(&a);
    return (struct str){out, WEBHOOK_ID};
}

struct str webhook_message_nth(char out[WEBHOOK_ID_MAX + 1], struct str id, size_t at)
{
    int n = at ? snprintf(out, WEBHOOK_ID_MAX + 1, STR_FMT "-%zu", STR_ARG(id), at + 1)
               : snprintf(out, WEBHOOK_ID_MAX + 1, STR_FMT, STR_ARG(id));
    return (struct str){out, (size_t)n};
}

struct str webhook_message_wire(char out[WEBHOOK_ID_MAX + 1], struct str id, size_t at)
{
    int n = at ? snprintf(out, WEBHOOK_ID_MAX + 1, STR_FMT ".%zu", STR_ARG(id), at + 1)
               : snprintf(out, WEBHOOK_ID_MAX + 1, STR_FMT, STR_ARG(id));
    return (struct str){out, (size_t)n};
}

static size_t strings_size(struct str id, struct str hook, const struct webhook_target *targets, size_t count)
{
    size_t n = id.n + hook.n + 2;
    for (size_t i = 0; i < count; i++)
        n += targets[i].to.n + targets[i].key.n + targets[i].nick.n + 3;
    return n;
}

struct webhook_message *webhook_messages_add(struct webhook_messages *t, struct str id, struct str hook,
                                             const struct webhook_target *targets, size_t count, int64_t wall)
{
    struct webhook_message *old = map_get(&t->by_id, id);
    if (!old && t->by_id.count >= WEBHOOK_MESSAGE_MAX)
        old = &LIST_FIRST(&t->age, struct kept, node)->m;
    if (old)
        webhook_messages_remove(t, old);
    struct kept *k = MEM_NEW(struct kept);
    char *at = k->strings = mem_alloc(strings_size(id, hook, targets, count));
    k->m = (struct webhook_message){
        .wall = wall, .count = count, .targets = mem_zalloc(count, sizeof(struct webhook_target))};
    k->m.id = str_keep(&at, id);
    k->m.hook = str_keep(&at, hook);
    for (size_t i = 0; i < count; i++) {
        struct webhook_target *to = &k->m.targets[i];
        to->to = str_keep(&at, targets[i].to);
        to->key = str_keep(&at, targets[i].key);
        to->nick = str_keep(&at, targets[i].nick);
        to->room = targets[i].room;
        to->part = targets[i].part;
    }
    list_push(&t->age, &k->node);
    list_push(&t->waiting, &k->queued);
    map_put(&t->by_id, k->m.id, &k->m);
    return &k->m;
}

struct webhook_message *webhook_messages_find(const struct webhook_messages *t, struct str id)
{
    return map_get(&t->by_id, id);
}

bool webhook_messages_wire(const struct webhook_messages *t, struct str wire, struct webhook_message **m, size_t *at)
{
    struct str id = wire, number;
    uint64_t n = 1;
    if (str_rcut(wire, '.', &id, &number) && (!str_to_u64(number, &n) || n < 2))
        return false;
    *m = map_get(&t->by_id, id);
    *at = (size_t)n - 1;
    return *m && *at < (*m)->count;
}

#define TO(state) (1u << WEBHOOK_##state)
static const unsigned edges[WEBHOOK_TARGET_STATES] = {
    // A message that is known already may be settled before it is said to be taken.
    [WEBHOOK_POSTED] = TO(QUEUED) | TO(SENT) | TO(REFUSED) | TO(CONFIRMED) | TO(FAILED),
    [WEBHOOK_QUEUED] = TO(PARKED) | TO(CONFIRMED) | TO(FAILED) | TO(DISCARDED),
    [WEBHOOK_PARKED] = TO(PARKED) | TO(QUEUED) | TO(CONFIRMED) | TO(FAILED) | TO(DISCARDED),
    [WEBHOOK_FAILED] = TO(CONFIRMED), // it was tried again by hand
};
#undef TO

static struct str again(struct str old, struct str s, size_t max)
{
    mem_free((char *)(uintptr_t)old.p);
    if (s.n > max)
        s = str_sub(s, 0, max);
    return s.n ? (struct str){mem_dup(s.p, s.n), s.n} : STR_NONE;
}

static bool on_its_way(const struct webhook_message *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->targets[i].state <= WEBHOOK_PARKED)
            return true;
    }
    return false;
}

bool webhook_message_move(struct webhook_message *m, size_t at, enum webhook_target_state state, enum err e,
                          struct str stanza, struct str text)
{
    struct webhook_target *target = &m->targets[at];
    if (!(edges[target->state] >> state & 1))
        return false;
    target->state = state;
    target->err = e;
    target->text = again(target->text, text, TEXT_MAX);
    if (stanza.n)
        target->stanza = again(target->stanza, stanza, STANZA_MAX);
    if (!on_its_way(m))
        list_remove(&kept_of(m)->queued);
    return true;
}

void webhook_message_named(struct webhook_message *m, size_t at, struct str nick)
{
    if (nick.n)
        m->targets[at].as = again(m->targets[at].as, nick, NICK_MAX);
}

void webhook_messages_park(struct webhook_messages *t, struct str key, struct str to, enum err e, struct str text,
                           void (*each)(void *ud, struct webhook_message *m, size_t at), void *ud)
{
    struct list_node *it, *safe;
    LIST_EACH (it, safe, &t->waiting) {
        struct webhook_message *m = &CONTAINER_OF(it, struct kept, queued)->m;
        for (size_t i = 0; i < m->count; i++) {
            const struct webhook_target *target = &m->targets[i];
            bool meant = target->room && str_eq(target->to, to) && str_eq(target->key, key) &&
                         (e || target->state == WEBHOOK_PARKED);
            if (meant && webhook_message_move(m, i, e ? WEBHOOK_PARKED : WEBHOOK_QUEUED, e, STR_NONE, text) && each)
                each(ud, m, i);
        }
    }
}

bool webhook_messages_busy(const struct webhook_messages *t, struct str key)
{
    for (struct list_node *it = t->waiting.next; it != &t->waiting; it = it->next) {
        const struct webhook_message *m = &CONTAINER_OF(it, struct kept, queued)->m;
        for (size_t i = 0; i < m->count; i++) {
            if (m->targets[i].state <= WEBHOOK_PARKED && str_eq(m->targets[i].key, key))
                return true;
        }
    }
    return false;
}

const char *webhook_target_name(enum webhook_target_state state)
{
    static const char *const names[WEBHOOK_TARGET_STATES] = {"posted",    "queued", "parked",    "sent",
                                                             "confirmed", "failed", "discarded", "refused"};
    return names[state];
}

const char *webhook_message_status(const struct webhook_message *m)
{
    size_t in[WEBHOOK_TARGET_STATES] = {0};
    for (size_t i = 0; i < m->count; i++)
        in[m->targets[i].state]++;
    if (in[WEBHOOK_PARKED])
        return "parked";
    if (in[WEBHOOK_QUEUED] + in[WEBHOOK_POSTED])
        return "queued";
    for (size_t s = 0; s < WEBHOOK_TARGET_STATES; s++) {
        if (in[s] == m->count)
            return webhook_target_name((enum webhook_target_state)s);
    }
    return "partial";
}

static void member(struct strbuf *out, const char *name, struct str value)
{
    if (!value.n)
        return;
    strbuf_printf(out, ",\"%s\":", name);
    json_write_str(out, value);
}

static void target_json(const struct webhook_target *t, struct strbuf *out)
{
    bool wrong = t->err && (t->state == WEBHOOK_PARKED || t->state == WEBHOOK_FAILED || t->state == WEBHOOK_REFUSED);
    strbuf_c(out, "{\"to\":");
    json_write_str(out, t->to);
    strbuf_printf(out, ",\"status\":\"%s\"", webhook_target_name(t->state));
    member(out, "stanza_id", t->stanza);
    if (t->stanza.n)
        member(out, "by", t->to);
    member(out, "nick", t->as.n ? t->as : t->nick);
    if (wrong)
        member(out, "condition", str_c(err_condition(t->err)));
    member(out, "detail", t->text);
    strbuf_char(out, '}');
}

void webhook_message_targets_json(const struct webhook_message *m, struct strbuf *out)
{
    strbuf_char(out, '[');
    for (size_t i = 0; i < m->count; i++) {
        if (i)
            strbuf_char(out, ',');
        target_json(&m->targets[i], out);
    }
    strbuf_char(out, ']');
}

void webhook_message_json(const struct webhook_message *m, struct str self, struct strbuf *out)
{
    char stamp[CLOCK_TEXT];
    strbuf_printf(out, "{\"id\":\"" STR_FMT "\",\"status\":\"%s\"", STR_ARG(m->id), webhook_message_status(m));
    member(out, "self", self);
    member(out, "hook", m->hook);
    member(out, "created", clock_put(stamp, m->wall));
    strbuf_c(out, ",\"targets\":");
    webhook_message_targets_json(m, out);
    strbuf_char(out, '}');
}

bool webhook_messages_sweep(struct webhook_messages *t, int64_t wall)
{
    for (unsigned i = 0; i < SWEEP && !list_empty(&t->age); i++) {
        struct kept *k = LIST_FIRST(&t->age, struct kept, node);
        if (wall - k->m.wall <= WEBHOOK_MESSAGE_MS)
            return false;
        webhook_messages_remove(t, &k->m);
    }
    return !list_empty(&t->age);
}

size_t webhook_messages_count(const struct webhook_messages *t)
{
    return t->by_id.count;
}
