/* What the gateways ask: identities from the core, descriptions and commands from the adapters, operations from the
 * table. */
#include "app/hub_private.h"

#include "app/avatars.h"
#include "app/operations.h"

static void host_event(void *ud, const struct event *ev)
{
    struct hub *h = ud;
    struct event own = *ev;
    hub_step(h, &own);
}

static enum err host_find(void *ud, const struct jid *user, const struct jid *to, struct identity_view *out)
{
    struct hub *h = ud;
    return bridge_find(h->bridge, user, to, out);
}

static bool host_next(void *ud, uint16_t component, const struct jid *user, uint32_t *at, struct identity_view *out)
{
    struct hub *h = ud;
    return bridge_next(h->bridge, component, user, at, out);
}

static unsigned host_rights(void *ud, uint16_t component, const struct jid *user)
{
    struct hub *h = ud;
    return bridge_rights(h->bridge, component, user);
}

static bool host_registered(void *ud, uint16_t component, const struct jid *user)
{
    struct hub *h = ud;
    return bridge_registered(h->bridge, component, user);
}

static enum err host_describe(void *ud, const struct identity_view *id, struct description *out)
{
    struct hub_adapter *a = hub_adapter_at(ud, id->adapter);
    return a ? a->ops->describe(a->adapter, id->key, out) : ERR_UNAVAILABLE;
}

static size_t host_commands(void *ud, uint16_t component, const struct jid *user, const struct identity_view *id,
                            const struct command **out)
{
    struct hub *h = ud;
    if (!id) {
        arena_reset(&h->listing);
        return operations_commands(&h->listing, bridge_rights(h->bridge, component, user),
                                   bridge_registered(h->bridge, component, user), out);
    }
    struct hub_adapter *a = hub_adapter_at(h, id->adapter);
    return a ? a->ops->commands(a->adapter, id->key, out) : 0;
}

static struct str host_prompt(void *ud, uint16_t component)
{
    struct hub *h = ud;
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        if (a && a->link->number == component && a->ops->prompt)
            return str_c(a->ops->prompt);
    }
    return STR("Name of the contact");
}

static enum err resolve_in(struct hub *h, struct hub_adapter *a, const struct jid *user, struct str typed,
                           struct arena *arena, struct jid *out)
{
    struct candidate c;
    enum err e = a->ops->resolve(a->adapter, typed, &c);
    if (e)
        return e;
    struct identity_view id;
    e = bridge_find_key(h->bridge, a->env.number, c.key, user, &id);
    if (e || !(id.rights & RIGHT_SEE) || (id.quarantined && !(id.rights & RIGHT_ADMIN)))
        return ERR_NOTFOUND;
    return jid_make(arena, id.local, id.domain, STR_NONE, out);
}

// An adapter may walk all it has for a name: not for strangers, to whom nothing would be shown.
static enum err host_resolve(void *ud, uint16_t component, const struct jid *user, struct str typed,
                             struct arena *arena, struct jid *out)
{
    struct hub *h = ud;
    if (!(bridge_rights(h->bridge, component, user) & RIGHT_SEE))
        return ERR_NOTFOUND;
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        if (a && a->link->number == component && !resolve_in(h, a, user, typed, arena, out))
            return ERR_OK;
    }
    return ERR_NOTFOUND;
}

static bool host_occupant(void *ud, const struct jid *user, const struct jid *room)
{
    struct hub *h = ud;
    return bridge_is_occupant(h->bridge, user, room);
}

static enum guest_ear host_guest(void *ud, const struct jid *to, const struct jid *from)
{
    struct hub *h = ud;
    return bridge_guest(h->bridge, to, from);
}

static const struct avatar *host_avatar(void *ud, struct str cls)
{
    const struct hub *h = ud;
    const struct avatar *own = pictures_find(&h->pictures, cls);
    return own ? own : avatars_find(cls);
}

static bool host_gateway_type(void *ud, uint16_t component, size_t at, struct str *type)
{
    struct hub *h = ud;
    size_t seen = 0;
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        if (a && a->link->number == component && seen++ == at) {
            *type = str_c(a->ops->gateway);
            return true;
        }
    }
    return false;
}

const struct gateway_host hub_gateway_host = {
    .event = host_event,
    .find = host_find,
    .next = host_next,
    .rights = host_rights,
    .registered = host_registered,
    .describe = host_describe,
    .commands = host_commands,
    .prompt = host_prompt,
    .resolve = host_resolve,
    .occupant = host_occupant,
    .guest = host_guest,
    .avatar = host_avatar,
    .gateway_type = host_gateway_type,
};
