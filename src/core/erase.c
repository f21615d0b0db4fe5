/* A user of whom nothing is to be kept: what he waits for ends with an error, he leaves all rooms, all subscriptions
 * and registrations end (he is told, where there is a link), and last he is forgotten with his rate limit. Rules are
 * the operator's: they stay. What the journal holds for him goes its way, and is gone when it is trimmed. */
#include "core/bridge_private.h"

void erase_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    // One who is known by rows alone, as letters are, is made for the while.
    const struct user *u = user_intern(&b->map.users, &ev->user, b->now);
    job_start(b, out, &(struct job){.kind = JOB_ERASE, .user = u->handle});
}

bool erase_run(struct bridge *b, struct job *j, struct effects *out)
{
    struct user *u = user_at(&b->map.users, j->user);
    if (!asks_end(b, out, u) || !asks_erase(b, out, u) || !letters_erase(b, out, u) || !rooms_erase(b, out, u))
        return false;
    for (uint16_t c = 1; c <= b->component_count; c++) {
        if (!roster_leave(b, out, u, c))
            return false;
    }
    user_erase(&b->map.users, u);
    return true;
}

static size_t rooms_of(const struct bridge *b, const struct jid *user)
{
    size_t n = 0;
    uint32_t at = 0;
    for (const struct room *r; (r = pool_next(&b->rooms.pool, &at));) {
        for (struct list_node *it = r->clients.next; it != &r->clients; it = it->next) {
            if (!jid_bare_eq(&CONTAINER_OF(it, struct client, node)->jid, user))
                continue;
            n++;
            break;
        }
    }
    return n;
}

void bridge_user_stat(const struct bridge *b, const struct jid *user, struct user_stat *out)
{
    const struct user *u = user_find(&b->map.users, user);
    *out = (struct user_stat){
        .known = u != NULL, .pending = u ? u->pending : 0, .rooms = u && u->holds ? rooms_of(b, user) : 0};
    uint64_t at = 0;
    struct jid whose;
    for (struct letter_view l; bridge_next_letter(b, &at, &l);)
        out->letters += bare_jid(l.user, &whose) && jid_bare_eq(&whose, user);
}
