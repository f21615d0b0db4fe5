/* Guests that were in when the process ended, and what is shown of them. */
#include "core/guest_private.h"

enum err guest_restore(struct bridge *b, const struct row *row)
{
    struct jid room, nobody = {0}, to = {.local = row->local, .domain = row->domain};
    const struct identity *id = bare_jid(row->user, &room) ? addressed(b, &nobody, &to) : NULL;
    struct guest *g = id && !is_self(id) && row->name.n ? guest_take(b, id, &room) : NULL;
    if (!g)
        return id ? ERR_BADREQ : ERR_NOTFOUND;
    guest_keep(&g->nick, row->name);
    g->stored = true;
    g->state = GUEST_CHECKING;
    return ERR_OK;
}

static void view(const struct bridge *b, const struct guest *g, struct guest_view *out)
{
    const struct identity *id = identity_at(&b->map.identities, g->identity);
    *out = (struct guest_view){
        .room = str_c(g->venue->room),
        .local = identity_part(id, PART_LOCAL),
        .domain = str_c(component_of(b, id->component)->domain),
        .nick = str_c(g->nick),
        .adapter = str_c(b->sources[g->source].name),
        .state = guest_state_name(g->state),
        .err = g->why,
        .why = str_c(g->reason),
        .in = guest_is_in(g),
        .listens = g->venue->listener == g,
        .queued = lane_queued(g->lane),
        .next = g->at == INT64_MAX ? INT64_MAX
                : g->at > b->now   ? g->at - b->now
                                   : 0,
    };
}

bool bridge_next_guest(const struct bridge *b, size_t *at, struct guest_view *out)
{
    size_t n = 0;
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next) {
        const struct venue *venue = CONTAINER_OF(v, struct venue, node);
        for (struct list_node *it = venue->guests.next; it != &venue->guests; it = it->next) {
            if (n++ < *at)
                continue;
            view(b, CONTAINER_OF(it, struct guest, node), out);
            ++*at;
            return true;
        }
    }
    return false;
}
