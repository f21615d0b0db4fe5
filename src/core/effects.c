#include "core/bridge_private.h"

#include <assert.h>

void effects_init(struct effects *out, struct arena *a)
{
    *out = (struct effects){.arena = a};
}

// Some are left for what ends a step: the answer to a token, an error.
bool effects_fit(const struct effects *out, size_t n)
{
    enum { LAST = 2 };
    return out->count + n + LAST <= BRIDGE_EFFECTS;
}

static void add(struct effects *out, enum effect_kind kind, const struct event *ev, const struct row *row)
{
    assert(out->count < BRIDGE_EFFECTS);
    if (out->count == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 8;
        struct effect *v = arena_alloc(out->arena, cap * sizeof *v);
        if (out->count)
            memcpy(v, out->v, out->count * sizeof *v);
        out->v = v;
        out->cap = cap;
    }
    out->v[out->count++] = (struct effect){kind, ev, row};
}

static void add_event(struct bridge *b, struct effects *out, enum effect_kind kind, const struct event *ev)
{
    struct event *copy = arena_alloc(out->arena, sizeof *copy);
    *copy = *ev;
    copy->now = b->now;
    copy->wall = b->wall;
    add(out, kind, copy, NULL);
}

void say_north(struct bridge *b, struct effects *out, const struct event *ev)
{
    if (component_up(b, ev->component))
        add_event(b, out, EFFECT_NORTH, ev);
}

void say_south(struct bridge *b, struct effects *out, const struct event *ev)
{
    add_event(b, out, EFFECT_SOUTH, ev);
}

void say_load(struct bridge *b, struct effects *out, struct str lane, uint64_t after, unsigned max)
{
    add_event(b, out, EFFECT_LOAD, &(struct event){.kind = EV_LOADED, .name = lane, .number = after, .token = max});
}

void say_notice(struct bridge *b, struct effects *out, uint16_t component, uint16_t adapter, struct str text)
{
    add_event(b, out, EFFECT_NOTICE,
              &(struct event){.kind = EV_MESSAGE, .component = component, .adapter = adapter, .body = text});
}

void say_operate(struct bridge *b, struct effects *out, const struct event *ev)
{
    add_event(b, out, EFFECT_OPERATE, ev);
}

void say_journaled(struct bridge *b, struct effects *out, uint16_t adapter, uint64_t token, bool gated)
{
    add_event(b, out, gated ? EFFECT_GATED : EFFECT_SOUTH,
              &(struct event){.kind = EV_JOURNALED, .adapter = adapter, .token = token});
}

void say_refused(struct bridge *b, struct effects *out, uint16_t adapter, uint64_t token, enum err err)
{
    say_south(b, out, &(struct event){.kind = EV_REFUSED, .adapter = adapter, .token = token, .err = err});
}

void store_row(struct effects *out, const struct row *row)
{
    struct row *copy = arena_alloc(out->arena, sizeof *copy);
    *copy = *row;
    add(out, EFFECT_STORE, NULL, copy);
}

void store_identity(struct bridge *b, struct effects *out, const struct identity *id, bool gone)
{
    struct arena *a = out->arena;
    struct row row = {
        .kind = ROW_IDENTITY,
        .gone = gone,
        .domain = str_c(component_of(b, id->component)->domain),
        .local = arena_dup(a, identity_part(id, PART_LOCAL)),
        .scope = arena_dup(a, identity_part(id, PART_SCOPE)),
    };
    if (!gone) {
        row.adapter = str_c(b->sources[id->source].name);
        row.key = arena_dup(a, identity_part(id, PART_KEY));
        row.identity = (enum identity_kind)id->kind;
        row.quarantined = id->quarantined;
        row.name = arena_dup(a, identity_part(id, PART_NAME));
        row.cls = arena_dup(a, identity_part(id, PART_CLS));
        row.group = arena_dup(a, identity_part(id, PART_GROUP));
        row.since = id->since;
    }
    store_row(out, &row);
}

void bounce(struct bridge *b, struct effects *out, const struct event *ev, enum event_kind about, enum err err,
            struct str text)
{
    say_north(b, out,
              &(struct event){.kind = EV_BOUNCE,
                              .about = about,
                              .component = ev->component,
                              .user = ev->user,
                              .to = ev->to,
                              .id = ev->id,
                              .type = ev->type,
                              .command = ev->command,
                              .nick = ev->nick,
                              .err = err,
                              .body = text});
}

struct event speak_for(struct bridge *b, struct effects *out, enum event_kind kind, const struct identity *id)
{
    struct arena *a = out->arena;
    return (struct event){
        .kind = kind,
        .adapter = b->sources[id->source].number,
        .component = id->component,
        .to = {.local = arena_dup(a, identity_part(id, PART_LOCAL)),
               .domain = str_c(component_of(b, id->component)->domain)},
        .key = arena_dup(a, identity_part(id, PART_KEY)),
        .identity = (enum identity_kind)id->kind,
        .name = arena_dup(a, identity_part(id, PART_NAME)),
        .cls = arena_dup(a, identity_part(id, PART_CLS)),
        .group = arena_dup(a, identity_part(id, PART_GROUP)),
    };
}
