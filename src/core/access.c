/* Who may see what. Everything that a user asks for passes seen(): what he may not see is not there. */
#include "core/bridge_private.h"

struct component *component_of(const struct bridge *b, uint16_t number)
{
    return number && number <= b->component_count ? &b->components[number - 1] : NULL;
}

bool component_up(const struct bridge *b, uint16_t number)
{
    const struct component *c = component_of(b, number);
    return c && c->up;
}

bool component_congested(const struct bridge *b, uint16_t number)
{
    const struct component *c = component_of(b, number);
    return c && c->congested;
}

bool is_self(const struct identity *id)
{
    return id->source == 0;
}

struct source *source_of(const struct bridge *b, uint16_t adapter)
{
    if (!adapter || adapter > b->number_count || !b->numbers[adapter - 1])
        return NULL;
    return &b->sources[b->numbers[adapter - 1]];
}

struct source *source_named(const struct bridge *b, struct str name)
{
    for (size_t i = 1; i < b->source_count; i++) {
        if (str_eq_c(name, b->sources[i].name))
            return &b->sources[i];
    }
    return NULL;
}

unsigned rights_on_component(const struct bridge *b, uint16_t component, const struct jid *user)
{
    if (component > b->component_count)
        return 0;
    unsigned rights = policy_component_rights(b->policy, user);
    return rights ? rights | RIGHT_SEE : 0;
}

unsigned rights_on(const struct bridge *b, const struct identity *id, const struct jid *user)
{
    if (is_self(id))
        return rights_on_component(b, id->component, user);
    struct policy_target target = {.adapter = str_c(b->sources[id->source].name),
                                   .local = identity_part(id, PART_LOCAL),
                                   .group = identity_part(id, PART_GROUP)};
    return policy_rights(b->policy, user, &target);
}

static bool in_scope(const struct identity *id, const struct jid *user)
{
    struct str scope = identity_part(id, PART_SCOPE), local, domain;
    if (str_empty(scope))
        return true;
    if (!str_cut(scope, '@', &local, &domain))
        return str_empty(user->local) && str_eq(scope, user->domain);
    return str_eq(local, user->local) && str_eq(domain, user->domain);
}

unsigned rights_seen(const struct bridge *b, const struct identity *id, const struct jid *user)
{
    if (id->dying || !in_scope(id, user))
        return 0;
    unsigned rights = rights_on(b, id, user);
    if (!(rights & RIGHT_SEE) || (id->quarantined && !(rights & RIGHT_ADMIN)))
        return 0;
    return rights;
}

bool bare_jid(struct str text, struct jid *out)
{
    *out = (struct jid){0};
    if (!str_cut(text, '@', &out->local, &out->domain))
        *out = (struct jid){.domain = text};
    return out->domain.n && out->domain.n <= JID_PART_MAX && out->local.n <= JID_PART_MAX;
}

uint16_t component_at(const struct bridge *b, struct str domain)
{
    for (size_t i = 0; i < b->component_count; i++) {
        if (str_eq_c(domain, b->components[i].domain))
            return (uint16_t)(i + 1);
    }
    return 0;
}

static struct identity *scoped(const struct bridge *b, uint16_t component, const struct jid *user, struct str local)
{
    if (!b->map.identities.scoped)
        return NULL;
    struct arena a;
    arena_init(&a, 256);
    struct identity *id = identity_find(&b->map.identities, component, local, jid_format_bare(&a, user));
    arena_finish(&a);
    return id;
}

struct identity *addressed(const struct bridge *b, const struct jid *user, const struct jid *to)
{
    uint16_t component = component_at(b, to->domain);
    if (!component)
        return NULL;
    if (str_empty(to->local))
        return identity_at(&b->map.identities, b->components[component - 1].self);
    struct identity *id = scoped(b, component, user, to->local);
    return id ? id : identity_find(&b->map.identities, component, to->local, STR_NONE);
}

struct identity *seen(const struct bridge *b, const struct jid *user, const struct jid *to, unsigned *rights)
{
    struct identity *id = addressed(b, user, to);
    *rights = id ? rights_seen(b, id, user) : 0;
    return *rights ? id : NULL;
}

struct identity *named(const struct bridge *b, const struct event *ev)
{
    const struct source *s = source_of(b, ev->adapter);
    if (!s || str_empty(ev->key))
        return NULL;
    struct identity *id = identity_find_key(&b->map.identities, (uint16_t)(s - b->sources), ev->key);
    return id && !id->dying ? id : NULL;
}
