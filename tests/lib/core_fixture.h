/* A bridge with two components and three adapters, driven event by event; its effects are read back as lines of text.
 *
 *     north available lamp@gw.example/home -> alice@example.org show=online body=warm
 *     south message home:lamp alice@example.org/x token=1 body=on
 *     store subscription alice@example.org lamp@gw.example state=1
 *     store -subscription alice@example.org lamp@gw.example
 *     gated 7 */
#ifndef SPANDREL_TESTS_CORE_FIXTURE_H
#define SPANDREL_TESTS_CORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "core/bridge.h"

#include <inttypes.h>

enum { HOME = 1, OTHER = 2, FAR = 3 }; // adapters; home offers its contacts

struct core {
    struct bridge *b;
    struct arena arena;
    struct effects out;
    struct strbuf lines; // of the last core_do() or core_all()
    int64_t now;
};

static const struct str core_family_rules[] = {
    {"allow see read send command to @family on home", sizeof "allow see read send command to @family on home" - 1},
    {"allow see read send to @family on far", sizeof "allow see read send to @family on far" - 1},
    {"allow register to @family", sizeof "allow register to @family" - 1},
    {"allow all to admin@example.org", sizeof "allow all to admin@example.org" - 1},
    {"allow admin to admin@example.org", sizeof "allow admin to admin@example.org" - 1},
};

static inline struct bridge_config core_config(void)
{
    static const struct bridge_component components[] = {
        {{"gw.example", 10}, {"Gateway", 7}},
        {{"two.example", 11}, {"Second", 6}},
    };
    static const struct bridge_adapter adapters[] = {
        {{"home", 4}, 1, true},
        {{"other", 5}, 1, false},
        {{"far", 3}, 2, false},
    };
    static const struct str groups[] = {{"family=alice@example.org,bob@example.org", 40}};
    return (struct bridge_config){
        .components = components,
        .component_count = 2,
        .adapters = adapters,
        .adapter_count = 3,
        .rules = core_family_rules,
        .rule_count = sizeof core_family_rules / sizeof *core_family_rules,
        .groups = groups,
        .group_count = 1,
        .seed = 7,
    };
}

static inline void core_init_with(struct core *c, const struct bridge_config *cfg)
{
    *c = (struct core){.now = 1000};
    struct errmsg msg;
    assert_int_equal(bridge_create(cfg, &c->b, &msg), ERR_OK);
    arena_init(&c->arena, 0);
    strbuf_init(&c->lines, 16 << 20);
}

static inline void core_finish(struct core *c)
{
    bridge_destroy(c->b);
    arena_finish(&c->arena);
    strbuf_finish(&c->lines);
}

static inline struct jid core_jid(const char *text)
{
    struct jid j = {0};
    struct str rest = str_c(text), bare;
    str_cut(rest, '/', &bare, &j.resource);
    if (!str_cut(bare, '@', &j.local, &j.domain))
        j = (struct jid){.domain = bare, .resource = j.resource};
    return j;
}

/* Rendering */

static inline void core_put_jid(struct strbuf *l, const struct jid *j)
{
    if (j->local.n)
        strbuf_printf(l, STR_FMT "@", STR_ARG(j->local));
    strbuf_str(l, j->domain);
    if (j->resource.n)
        strbuf_printf(l, "/" STR_FMT, STR_ARG(j->resource));
}

static inline void core_put(struct strbuf *l, const char *name, struct str s)
{
    if (s.n)
        strbuf_printf(l, " %s=" STR_FMT, name, STR_ARG(s));
}

static inline void core_put_details(struct strbuf *l, const struct event *ev)
{
    if (ev->kind == EV_BOUNCE || ev->kind == EV_RESULT)
        core_put(l, "about", str_c(event_name(ev->about)));
    if (ev->err)
        core_put(l, "err", str_c(err_name(ev->err)));
    if (ev->kind == EV_AVAILABLE)
        core_put(l, "show", str_c(show_name(ev->show)));
    core_put(l, "nick", ev->nick);
    if (ev->kind == EV_PART)
        core_put(l, "name", ev->name);
    core_put(l, "command", ev->command);
    core_put(l, "id", ev->id);
    core_put(l, "body", ev->body);
    core_put(l, "url", ev->url);
    if (ev->flags & EVENT_SELF)
        strbuf_c(l, " self");
}

static inline void core_put_north(struct strbuf *l, const struct event *ev)
{
    strbuf_printf(l, "north %s ", event_name(ev->kind));
    core_put_jid(l, &ev->to);
    strbuf_c(l, " -> ");
    core_put_jid(l, &ev->user);
    core_put_details(l, ev);
}

static inline void core_put_south(struct strbuf *l, const struct event *ev)
{
    strbuf_printf(l, "south %s %u:" STR_FMT, event_name(ev->kind), ev->adapter, STR_ARG(ev->key));
    if (ev->user.domain.n) {
        strbuf_char(l, ' ');
        core_put_jid(l, &ev->user);
    }
    if (ev->token)
        strbuf_printf(l, " token=%" PRIu64, ev->token);
    core_put_details(l, ev);
}

static inline void core_put_row(struct strbuf *l, const struct row *r)
{
    static const char *const kinds[] = {"identity", "subscription", "registration", "access", "state",
                                        "lane",     "record",       "letter",       "ask",    "guest"};
    strbuf_printf(l, "store %s%s", r->gone ? "-" : "", kinds[r->kind]);
    if (r->user.n)
        strbuf_printf(l, " " STR_FMT, STR_ARG(r->user));
    if (r->kind == ROW_IDENTITY || r->kind == ROW_SUBSCRIPTION || r->kind == ROW_GUEST)
        strbuf_printf(l, " " STR_FMT "@" STR_FMT, STR_ARG(r->local), STR_ARG(r->domain));
    if (r->kind == ROW_REGISTRATION)
        strbuf_printf(l, " " STR_FMT, STR_ARG(r->domain));
    if (r->kind == ROW_STATE || (r->kind == ROW_IDENTITY && !r->gone))
        strbuf_printf(l, " " STR_FMT ":" STR_FMT, STR_ARG(r->adapter), STR_ARG(r->key));
    if (r->kind == ROW_SUBSCRIPTION && !r->gone)
        strbuf_printf(l, " state=%u", r->state);
    if (r->kind == ROW_ACCESS)
        strbuf_printf(l, " %" PRIu64, r->number);
    if (r->kind == ROW_LANE)
        strbuf_printf(l, " " STR_FMT " %" PRIu64 "/%" PRIu64 "/%" PRIu64, STR_ARG(r->adapter), r->trimmed, r->settled,
                      r->number);
    if (r->kind == ROW_RECORD || r->kind == ROW_LETTER || r->kind == ROW_ASK)
        strbuf_printf(l, " " STR_FMT " %" PRIu64, STR_ARG(r->adapter), r->number);
    if (r->kind == ROW_LETTER && !r->gone)
        strbuf_printf(l, " record=%" PRIu64 " state=%u", r->record, r->state);
    if (r->quarantined)
        strbuf_c(l, " quarantined");
    core_put(l, "name", r->name);
    core_put(l, "text", r->text);
}

static inline void core_put_effect(struct strbuf *l, const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_NORTH:
        core_put_north(l, e->ev);
        break;
    case EFFECT_SOUTH:
        core_put_south(l, e->ev);
        break;
    case EFFECT_GATED:
        strbuf_printf(l, "gated %" PRIu64, e->ev->token);
        break;
    case EFFECT_STORE:
        core_put_row(l, e->row);
        break;
    case EFFECT_LOAD:
        strbuf_printf(l, "load " STR_FMT " after %" PRIu64, STR_ARG(e->ev->name), e->ev->number);
        break;
    case EFFECT_OPERATE:
        strbuf_printf(l, "operate " STR_FMT, STR_ARG(e->ev->body));
        break;
    case EFFECT_NOTICE:
        strbuf_printf(l, "notice " STR_FMT, STR_ARG(e->ev->body));
        break;
    }
    strbuf_char(l, '\n');
}

/* Driving */

// One step; its effects stay in c->out until the next, and so does the event that they may point into.
static inline void core_step(struct core *c, const struct event *ev)
{
    struct event own = *ev;
    own.now = own.now ? own.now : c->now;
    own.wall = own.wall ? own.wall : 1000000 + c->now;
    arena_reset(&c->arena);
    effects_init(&c->out, &c->arena);
    bridge_step(c->b, event_copy(&c->arena, &own), &c->out);
    assert_true(c->out.count <= BRIDGE_EFFECTS);
}

static inline void core_append(struct core *c)
{
    for (size_t i = 0; i < c->out.count; i++)
        core_put_effect(&c->lines, &c->out.v[i]);
}

// One step; the lines of its effects.
static inline const char *core_do(struct core *c, const struct event *ev)
{
    strbuf_clear(&c->lines);
    core_step(c, ev);
    core_append(c);
    return c->lines.n ? c->lines.p : "";
}

// All the ticks it takes; lines are added to those that are there.
static inline const char *core_drain(struct core *c)
{
    for (unsigned ticks = 0; c->out.more; ticks++) {
        assert_true(ticks < 100000);
        core_step(c, &(struct event){.kind = EV_TICK});
        core_append(c);
    }
    return c->lines.n ? c->lines.p : "";
}

// One step and all the ticks it takes.
static inline const char *core_all(struct core *c, const struct event *ev)
{
    core_do(c, ev);
    return core_drain(c);
}

#define core_expect(c, event, text) assert_string_equal(core_all((c), (event)), (text))

static inline size_t core_count(const char *lines, const char *needle)
{
    size_t n = 0;
    for (const char *at = lines; (at = strstr(at, needle)); at++)
        n++;
    return n;
}

/* Events */

static inline struct event core_user(enum event_kind kind, const char *user, const char *to)
{
    struct event ev = {.kind = kind, .component = 1, .user = core_jid(user), .to = core_jid(to)};
    if (str_eq_c(ev.to.domain, "two.example"))
        ev.component = 2;
    return ev;
}

static inline struct event core_adapter(enum event_kind kind, uint16_t adapter, const char *key)
{
    return (struct event){.kind = kind, .adapter = adapter, .key = str_c(key)};
}

static inline void core_link(struct core *c, uint16_t component, bool up)
{
    core_all(c, &(struct event){.kind = up ? EV_LINK_UP : EV_LINK_DOWN, .component = component});
}

static inline void core_identity(struct core *c, uint16_t adapter, const char *key, enum identity_kind kind)
{
    struct event ev = core_adapter(EV_IDENTITY, adapter, key);
    ev.identity = kind;
    ev.name = ev.wish = str_c(key);
    core_all(c, &ev);
}

static inline void core_show(struct core *c, uint16_t adapter, const char *key, enum show show, const char *text)
{
    struct event ev = core_adapter(show ? EV_AVAILABLE : EV_UNAVAILABLE, adapter, key);
    ev.show = show;
    ev.body = str_c(text);
    core_all(c, &ev);
}

static inline void core_subscribe(struct core *c, const char *user, const char *to)
{
    struct event ev = core_user(EV_SUBSCRIBE, user, to);
    core_all(c, &ev);
}

// Links up; home has the contacts lamp (online, "warm") and door, and the room hall; far has mill.
static inline void core_init(struct core *c)
{
    struct bridge_config cfg = core_config();
    core_init_with(c, &cfg);
    core_link(c, 1, true);
    core_link(c, 2, true);
    core_identity(c, HOME, "lamp", IDENTITY_CONTACT);
    core_identity(c, HOME, "door", IDENTITY_CONTACT);
    core_identity(c, HOME, "hall", IDENTITY_ROOM);
    core_identity(c, OTHER, "secret", IDENTITY_CONTACT);
    core_identity(c, FAR, "mill", IDENTITY_CONTACT);
    core_show(c, HOME, "lamp", SHOW_ONLINE, "warm");
}

#endif
