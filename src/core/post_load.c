/* What was to be said in rooms elsewhere when the process ended. A lane's name tells whose it is: the adapter, the room
 * and the key of the identity. */
#include "core/post_private.h"

#include "base/mem.h"

static struct guest *guest_named(struct bridge *b, struct str name)
{
    struct guest *g = guest_of_lane(&b->venues, name);
    struct str adapter, room, key;
    struct jid jid;
    if (g || !str_cut(name, ' ', &adapter, &key) || !str_cut(key, ' ', &room, &key))
        return g;
    const struct source *s = source_named(b, adapter);
    const struct identity *id = s ? identity_find_key(&b->map.identities, (uint16_t)(s - b->sources), key) : NULL;
    return id && bare_jid(room, &jid) ? guest_take(b, id, &jid) : NULL;
}

bool post_is_lane(struct str name)
{
    return str_find(name, ' ') >= 0;
}

struct guest *post_guest(struct bridge *b, struct str lane)
{
    return guest_named(b, lane);
}

enum err post_restore_lane(struct bridge *b, const struct row *row)
{
    struct guest *g = guest_named(b, row->adapter);
    if (!g)
        return ERR_NOTFOUND;
    struct lane *l = g->lane;
    if (l->next > 1 || row->trimmed > row->settled || row->settled > INT64_MAX ||
        row->settled - row->trimmed > LANE_SPAN)
        return ERR_BADREQ;
    l->trimmed = row->trimmed;
    l->next = row->trimmed + 1;
    l->settled = l->fenced = row->settled;
    l->dead = row->dead;
    l->expired = row->expired;
    return ERR_OK;
}

enum err post_restore_record(struct bridge *b, const struct row *row)
{
    struct guest *g = guest_named(b, row->adapter);
    struct extra x;
    if (!g)
        return ERR_NOTFOUND;
    if (str_empty(row->id) || row->id.n > RECORD_ID_MAX || row->number > INT64_MAX)
        return ERR_BADREQ;
    if (row->number <= g->lane->trimmed) // a letter's
        return ERR_OK;
    int64_t at = deliver_accepted(b, &b->sources[g->source], row->since);
    if (!lane_restore(g->lane, row->number, lane_hash(row->id), row->text.n, at))
        return ERR_BADREQ;
    post_unpack(row->name, &x);
    lane_entry(g->lane, row->number)->until = x.life ? at + x.life : 0;
    lane_entry(g->lane, row->number)->turn = (uint64_t)x.turn;
    if (x.again && row->number > g->lane->settled)
        guest_suspect(b, g, at - RETRIED_MS); // its process had begun no earlier
    if ((uint64_t)x.turn > b->venues.turn)
        b->venues.turn = (uint64_t)x.turn;
    if (x.nick.n && !g->wish)
        g->wish = mem_dup(x.nick.p, x.nick.n);
    return ERR_OK;
}

void posts_restored(struct bridge *b)
{
    for (struct list_node *v = b->venues.all.next; v != &b->venues.all; v = v->next) {
        struct venue *venue = CONTAINER_OF(v, struct venue, node);
        for (struct list_node *it = venue->guests.next; it != &venue->guests; it = it->next) {
            struct guest *g = CONTAINER_OF(it, struct guest, node);
            lane_restored(g->lane, g->lane->fenced, b->now);
            (void)lane_confirm(g->lane, 0, b->now); // what comes first may have ended
            g->unsure = lane_queued(g->lane) > 0;
            g->nameless = g->unsure; // the nick in its row may not be the last
        }
        venue_busy(&b->venues, venue);
    }
}
