/* What adapters are told that wait for what becomes of a word to one person (EVENT_TELL). */
#include "core/bridge_private.h"

#include "base/mem.h"

enum err letter_err(const struct letter *l)
{
    return l->state == LETTER_EXPIRED ? ERR_TIMEOUT : ERR_NOTACCEPTABLE;
}

static void say(struct bridge *b, struct effects *out, const struct source *s, struct str id, enum err err,
                struct str why)
{
    struct arena *a = out->arena;
    if (s->number)
        say_south(b, out,
                  &(struct event){.kind = EV_SETTLED,
                                  .adapter = s->number,
                                  .id = arena_dup(a, id),
                                  .err = err,
                                  .body = arena_dup(a, why)});
}

void letter_tell(struct bridge *b, struct effects *out, const struct letter *l, enum err err)
{
    if (l->told)
        say(b, out, &b->sources[l->source], l->id, err, err ? l->why : STR_NONE);
}

static struct letter *letter_of(const struct bridge *b, const struct source *s, uint64_t record)
{
    for (struct list_node *it = b->letters.all.next; it != &b->letters.all; it = it->next) {
        struct letter *l = CONTAINER_OF(it, struct letter, node);
        if (&b->sources[l->source] == s && !l->guest && l->record == record)
            return l;
    }
    return NULL;
}

void letter_settled(struct bridge *b, struct effects *out, const struct source *s, uint64_t record, struct str id)
{
    struct letter *l = letter_of(b, s, record);
    bool given_up = l && (l->state == LETTER_DEAD || l->state == LETTER_EXPIRED);
    if (l)
        l->told = true;
    if (given_up)
        letter_tell(b, out, l, letter_err(l));
    else if (!l)
        say(b, out, s, id, ERR_OK, STR_NONE);
}
