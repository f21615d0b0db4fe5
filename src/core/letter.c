#include "core/letter.h"

#include "base/mem.h"
#include "core/venue.h"

void letters_init(struct letters *t)
{
    *t = (struct letters){.next = INT64_MAX};
    list_init(&t->all);
    map_init(&t->by_about);
}

static struct letter *at(struct list_node *node)
{
    return CONTAINER_OF(node, struct letter, node);
}

void letters_finish(struct letters *t)
{
    while (!list_empty(&t->all))
        letter_remove(t, at(t->all.next));
    map_finish(&t->by_about);
}

enum { ABOUT = sizeof(uint16_t) + sizeof(uint64_t) };

static void put_about(char *to, uint16_t source, uint64_t record)
{
    memcpy(to, &source, sizeof source);
    memcpy(to + sizeof source, &record, sizeof record);
}

static struct letter *copy(const struct letter *what, struct str why)
{
    struct letter *l = mem_alloc(sizeof *l + ABOUT + what->user.n + what->id.n + what->local.n + why.n);
    char *to = l->bytes + ABOUT;
    *l = *what;
    list_init(&l->node);
    put_about(l->bytes, what->source, what->record);
    l->about = (struct str){l->bytes, ABOUT + what->user.n};
    l->user = str_keep(&to, what->user);
    l->id = str_keep(&to, what->id);
    l->local = str_keep(&to, what->local);
    l->why = str_keep(&to, why);
    return l;
}

struct letter *letter_add(struct letters *t, const struct letter *what)
{
    if (t->count >= LETTERS_MAX || (what->number && what->number <= t->last) ||
        letter_about(t, what->source, what->record, what->user))
        return NULL;
    struct letter *l = copy(what, what->why);
    (void)map_put(&t->by_about, l->about, l);
    t->last = l->number = what->number ? what->number : t->last + 1;
    list_push(&t->all, &l->node);
    t->count++;
    if (l->guest)
        l->guest->letters++;
    if (l->next < t->next)
        t->next = l->next;
    return l;
}

bool letter_flies(const struct letter *l)
{
    return l->question || (l->state == LETTER_SENT && l->held == INT64_MAX);
}

void letter_remove(struct letters *t, struct letter *l)
{
    t->flying -= letter_flies(l);
    (void)map_remove(&t->by_about, l->about);
    list_remove(&l->node);
    t->count--;
    if (l->guest)
        l->guest->letters--;
    mem_free(l);
}

struct letter *letter_about(const struct letters *t, uint16_t source, uint64_t record, struct str user)
{
    char key[ABOUT + 3072]; // a bare JID has two parts of 1023 bytes at most
    if (user.n > sizeof key - ABOUT)
        return NULL;
    put_about(key, source, record);
    if (user.n)
        memcpy(key + ABOUT, user.p, user.n);
    return map_get(&t->by_about, (struct str){key, ABOUT + user.n});
}

struct letter *letter_under(const struct letters *t, uint16_t source, struct str id, struct str user)
{
    for (struct list_node *it = t->all.next; it != &t->all; it = it->next) {
        struct letter *l = at(it);
        if (l->source == source && str_eq(l->id, id) && str_eq(l->user, user))
            return l;
    }
    return NULL;
}

struct letter *letter_oldest(const struct letters *t)
{
    for (struct list_node *it = t->all.next; it != &t->all; it = it->next) {
        if (at(it)->state == LETTER_DEAD || at(it)->state == LETTER_EXPIRED)
            return at(it);
    }
    return NULL;
}

struct letter *letter_explain(struct letters *t, struct letter *l, struct str why)
{
    struct letter *changed = copy(l, why);
    (void)map_put(&t->by_about, changed->about, changed);
    list_insert(&l->node, &changed->node);
    list_remove(&l->node);
    mem_free(l);
    return changed;
}

static const int64_t delays[] = {30000, 120000, 600000, 1800000, 3600000, LETTER_WAIT_MAX};

enum { DELAYS = sizeof delays / sizeof *delays };

int64_t letter_delay(unsigned attempts)
{
    return delays[attempts < DELAYS ? attempts : DELAYS - 1];
}

int64_t letter_tried_for(unsigned attempts)
{
    int64_t ms = 0;
    for (unsigned i = 0; i < attempts && i < DELAYS; i++)
        ms += delays[i];
    return ms + (attempts > DELAYS ? (int64_t)(attempts - DELAYS) * LETTER_WAIT_MAX : 0);
}

const char *letter_state_name(enum letter_state state)
{
    static const char *const names[LETTER_STATES] = {
        [LETTER_RETRY] = "retry", [LETTER_SENT] = "sent", [LETTER_DEAD] = "dead", [LETTER_EXPIRED] = "expired"};
    return names[state];
}
