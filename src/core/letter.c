#include "core/letter.h"

#include "base/mem.h"

void letters_init(struct letters *t)
{
    *t = (struct letters){.next = INT64_MAX};
    list_init(&t->all);
}

static struct letter *at(struct list_node *node)
{
    return CONTAINER_OF(node, struct letter, node);
}

void letters_finish(struct letters *t)
{
    while (!list_empty(&t->all))
        letter_remove(t, at(t->all.next));
}

static struct str keep(char **to, struct str s)
{
    struct str kept = {*to, s.n};
    if (s.n)
        memcpy(*to, s.p, s.n);
    *to += s.n;
    return kept;
}

static struct letter *copy(const struct letter *what, struct str why)
{
    struct letter *l = mem_alloc(sizeof *l + what->user.n + what->id.n + what->local.n + why.n);
    char *to = l->bytes;
    *l = *what;
    list_init(&l->node);
    l->user = keep(&to, what->user);
    l->id = keep(&to, what->id);
    l->local = keep(&to, what->local);
    l->why = keep(&to, why);
    return l;
}

struct letter *letter_add(struct letters *t, const struct letter *what)
{
    if (t->count >= LETTERS_MAX || (what->number && what->number <= t->last))
        return NULL;
    struct letter *l = copy(what, what->why);
    t->last = l->number = what->number ? what->number : t->last + 1;
    list_push(&t->all, &l->node);
    t->count++;
    if (l->next < t->next)
        t->next = l->next;
    return l;
}

void letter_remove(struct letters *t, struct letter *l)
{
    list_remove(&l->node);
    t->count--;
    mem_free(l);
}

struct letter *letter_find(const struct letters *t, uint64_t number)
{
    for (struct list_node *it = t->all.next; it != &t->all; it = it->next) {
        if (at(it)->number == number)
            return at(it);
    }
    return NULL;
}

struct letter *letter_about(const struct letters *t, uint16_t source, uint64_t record, struct str user)
{
    for (struct list_node *it = t->all.next; it != &t->all; it = it->next) {
        struct letter *l = at(it);
        if (l->record == record && l->source == source && str_eq(l->user, user))
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

struct letter *letter_explain(struct letter *l, struct str why)
{
    struct letter *changed = copy(l, why);
    list_insert(&l->node, &changed->node);
    list_remove(&l->node);
    mem_free(l);
    return changed;
}

int64_t letter_delay(unsigned attempts)
{
    static const int64_t seconds[] = {30, 120, 600, 1800, 3600, 7200};
    size_t last = sizeof seconds / sizeof *seconds - 1;
    return seconds[attempts < last ? attempts : last] * 1000;
}

const char *letter_state_name(enum letter_state state)
{
    static const char *const names[LETTER_STATES] = {
        [LETTER_RETRY] = "retry", [LETTER_SENT] = "sent", [LETTER_DEAD] = "dead", [LETTER_EXPIRED] = "expired"};
    return names[state];
}
