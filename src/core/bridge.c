/* The bridge: its life, its configuration, and the step, which hands each event to the one handler for its kind and
 * source. */
#include "core/bridge_private.h"

#include "base/mem.h"

#include <assert.h>

/* Configuration */

static enum err add_rules(struct policy *p, const struct bridge_config *cfg, const struct policy *old,
                          struct errmsg *msg)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < cfg->group_count; i++)
        e = policy_add_group(p, cfg->groups[i], msg);
    for (size_t i = 0; !e && i < cfg->rule_count; i++)
        e = policy_add_rule(p, 0, cfg->rules[i], msg);
    for (size_t i = 0; !e && old && i < policy_rule_count(old); i++) { // those that were granted stay
        uint64_t number;
        struct str rule;
        policy_rule(old, i, &number, &rule);
        if (number)
            e = policy_add_rule(p, number, rule, msg);
    }
    return e;
}

static enum err make_policy(const struct bridge_config *cfg, const struct policy *old, struct policy **out,
                            struct errmsg *msg)
{
    *out = policy_create();
    enum err e = add_rules(*out, cfg, old, msg);
    if (!e)
        return ERR_OK;
    policy_destroy(*out);
    *out = NULL;
    return e;
}

static bool domain_twice(const struct bridge_config *cfg, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (str_eq(cfg->components[i].domain, cfg->components[at].domain))
            return true;
    }
    return false;
}

static enum err check_config(const struct bridge_config *cfg, struct errmsg *msg)
{
    if (!cfg->component_count || cfg->component_count >= UINT16_MAX || cfg->adapter_count >= UINT16_MAX)
        return err_set(msg, ERR_CONF, "there must be at least one component");
    for (size_t i = 0; i < cfg->component_count; i++) {
        struct str domain = cfg->components[i].domain;
        if (str_empty(domain) || domain_twice(cfg, i))
            return err_set(msg, ERR_CONF, "component domain \"" STR_FMT "\" is empty or there twice", STR_ARG(domain));
    }
    for (size_t i = 0; i < cfg->adapter_count; i++) {
        const struct bridge_adapter *a = &cfg->adapters[i];
        if (!str_empty(a->name) && (!a->component || a->component > cfg->component_count))
            return err_set(msg, ERR_CONF, "adapter \"" STR_FMT "\" is bound to no component", STR_ARG(a->name));
    }
    return ERR_OK;
}

static void add_component(struct bridge *b, const struct bridge_component *c)
{
    uint16_t number = (uint16_t)(b->component_count + 1);
    struct identity_spec spec = {.component = number, .part = {[PART_NAME] = c->name, [PART_CLS] = STR("gateway")}};
    struct identity *self = identity_add(&b->map.identities, &spec);
    self->show = SHOW_ONLINE;
    b->components[b->component_count++] =
        (struct component){.domain = mem_dup(c->domain.p, c->domain.n), .self = self->handle};
}

static struct source *take_source(struct bridge *b, struct str name, uint16_t component)
{
    struct source *s = source_named(b, name);
    if (s)
        return s;
    assert(b->source_count < UINT16_MAX);
    b->sources = mem_realloc(b->sources, b->source_count + 1, sizeof *b->sources);
    s = &b->sources[b->source_count++];
    *s = (struct source){.name = mem_dup(name.p, name.n),
                         .component = component,
                         .max_records = BRIDGE_RECORDS,
                         .max_bytes = BRIDGE_RECORD_BYTES,
                         .max_age = BRIDGE_RECORD_AGE};
    return s;
}

// Numbers the adapters anew; who has none now has gone.
static void set_adapters(struct bridge *b, const struct bridge_config *cfg)
{
    mem_free(b->numbers);
    b->numbers = mem_zalloc(cfg->adapter_count, sizeof *b->numbers);
    b->number_count = cfg->adapter_count;
    for (size_t i = 0; i < b->source_count; i++)
        b->sources[i].number = 0;
    for (size_t i = 0; i < cfg->adapter_count; i++) {
        const struct bridge_adapter *a = &cfg->adapters[i];
        if (str_empty(a->name))
            continue;
        struct source *s = take_source(b, a->name, a->component);
        s->number = (uint16_t)(i + 1);
        s->component = a->component;
        s->offer = a->offer;
        s->max_records = a->max_records ? a->max_records : BRIDGE_RECORDS;
        s->max_bytes = a->max_bytes ? a->max_bytes : BRIDGE_RECORD_BYTES;
        s->max_age = a->max_age ? a->max_age : BRIDGE_RECORD_AGE;
        b->numbers[i] = (uint16_t)(s - b->sources);
    }
}

enum err bridge_create(const struct bridge_config *cfg, struct bridge **out, struct errmsg *msg)
{
    struct policy *policy;
    enum err e = check_config(cfg, msg);
    if (!e)
        e = make_policy(cfg, NULL, &policy, msg);
    if (e)
        return e;
    struct bridge *b = MEM_NEW(struct bridge);
    b->policy = policy;
    mapping_init(&b->map);
    rooms_init(&b->rooms, &b->map.users);
    pendings_init(&b->pendings, &b->map.users);
    jobs_init(&b->jobs);
    letters_init(&b->letters);
    venues_init(&b->venues);
    venues_configure(&b->venues, cfg->venues, cfg->venue_count);
    asks_init(&b->asks);
    b->boot = mem_dup(cfg->boot.p, cfg->boot.n);
    b->now = b->began = cfg->now;
    b->wall = cfg->wall;
    rng_init(&b->rng, cfg->seed);
    b->sources = MEM_NEW(struct source);
    b->sources[0].name = mem_dup("gateway", 7);
    b->source_count = 1;
    b->components = mem_zalloc(cfg->component_count, sizeof *b->components);
    for (size_t i = 0; i < cfg->component_count; i++)
        add_component(b, &cfg->components[i]);
    set_adapters(b, cfg);
    *out = b;
    return ERR_OK;
}

void bridge_destroy(struct bridge *b)
{
    if (!b)
        return;
    jobs_finish(&b->jobs);
    letters_finish(&b->letters);
    venues_finish(&b->venues);
    asks_finish(&b->asks);
    mem_free(b->boot);
    pendings_finish(&b->pendings);
    rooms_finish(&b->rooms);
    mapping_finish(&b->map);
    policy_destroy(b->policy);
    for (size_t i = 0; i < b->component_count; i++) {
        window_finish(&b->components[i].window);
        mem_free(b->components[i].domain);
    }
    for (size_t i = 0; i < b->source_count; i++) {
        lane_destroy(b->sources[i].lane);
        later_finish(&b->sources[i]);
        mem_free(b->sources[i].name);
    }
    mem_free(b->components);
    mem_free(b->sources);
    mem_free(b->numbers);
    mem_free(b);
}

static enum err check_components(const struct bridge *b, const struct bridge_config *cfg, struct errmsg *msg)
{
    bool same = cfg->component_count == b->component_count;
    for (size_t i = 0; same && i < b->component_count; i++)
        same = str_eq_c(cfg->components[i].domain, b->components[i].domain);
    return same ? ERR_OK : err_set(msg, ERR_CONF, "component domains cannot change while the bridge runs");
}

static void rename_components(struct bridge *b, const struct bridge_config *cfg)
{
    for (size_t i = 0; i < b->component_count; i++) {
        struct identity *self = identity_at(&b->map.identities, b->components[i].self);
        (void)identity_describe(&b->map.identities, self, cfg->components[i].name, STR("gateway"), STR_NONE);
    }
}

// Whether the source was in the old configuration and is not in this one.
static bool has_gone(const struct source *s, const uint16_t *before, size_t at)
{
    return before[at] && !s->number;
}

static void follow_adapters(struct bridge *b, const struct bridge_config *cfg)
{
    size_t count = b->source_count;
    uint16_t *before = mem_zalloc(count, sizeof *before);
    for (size_t i = 1; i < count; i++)
        before[i] = b->sources[i].number;
    set_adapters(b, cfg);
    for (size_t i = 1; i < count; i++) {
        if (!has_gone(&b->sources[i], before, i))
            continue;
        b->sources[i].link = SOURCE_UNKNOWN;
        job_start(b, NULL, &(struct job){.kind = JOB_GONE, .source = (uint16_t)i});
    }
    mem_free(before);
}

enum err bridge_reconfigure(struct bridge *b, const struct bridge_config *cfg, struct errmsg *msg)
{
    struct policy *policy;
    enum err e = check_config(cfg, msg);
    if (!e)
        e = check_components(b, cfg, msg);
    if (!e)
        e = make_policy(cfg, b->policy, &policy, msg);
    if (e)
        return e;
    policy_destroy(b->policy);
    b->policy = policy;
    venues_configure(&b->venues, cfg->venues, cfg->venue_count);
    guests_reconfigured(b);
    rename_components(b, cfg);
    follow_adapters(b, cfg);
    review(b, NULL);
    return ERR_OK;
}

/* Restoring */

static enum err restore_identity(struct bridge *b, const struct row *row)
{
    uint16_t component = component_at(b, row->domain);
    if (!component || str_empty(row->local) || row->local.n > JID_PART_MAX || row->scope.n > JID_MAX ||
        str_empty(row->key) || row->key.n > IDENTITY_KEY_MAX || str_empty(row->adapter) ||
        (unsigned)row->identity >= IDENTITY_KINDS)
        return ERR_BADREQ;
    struct source *s = take_source(b, row->adapter, component);
    struct identity_spec spec = {
        .component = component,
        .source = (uint16_t)(s - b->sources),
        .kind = row->identity,
        .quarantined = row->quarantined,
        .since = row->since,
        .part = {row->local, row->scope, row->key, row->name, row->cls, row->group},
    };
    struct identity *id = identity_add(&b->map.identities, &spec);
    if (!id)
        return ERR_EXISTS;
    if (s->number) // nobody has said that it is gone; its adapter will tell, before a link is up, what it knows
        id->show = SHOW_XA;
    s->count++;
    return ERR_OK;
}

static enum err restore_subscription(struct bridge *b, const struct row *row)
{
    const unsigned known = SUB_TO_USER | SUB_FROM_USER | SUB_PENDING_OUT | SUB_REFUSED;
    struct jid user, to = {.local = row->local, .domain = row->domain};
    if (!bare_jid(row->user, &user) || !(row->state & known))
        return ERR_BADREQ;
    struct identity *id = addressed(b, &user, &to);
    if (!id)
        return component_at(b, row->domain) ? ERR_NOTFOUND : ERR_BADREQ;
    struct sub *s = sub_take(&b->map, user_intern(&b->map.users, &user, 0), id);
    if (s->state)
        return ERR_EXISTS;
    sub_set(&b->map, s, row->state & known);
    return ERR_OK;
}

static enum err restore_registration(struct bridge *b, const struct row *row)
{
    struct jid user, to = {.domain = row->domain};
    struct identity *self = bare_jid(row->user, &user) ? addressed(b, &user, &to) : NULL;
    if (!self)
        return ERR_BADREQ;
    struct sub *s = sub_take(&b->map, user_intern(&b->map.users, &user, 0), self);
    if (s->registered)
        return ERR_EXISTS;
    sub_register(&b->map, s, true);
    return ERR_OK;
}

static enum err restore_access(struct bridge *b, const struct row *row)
{
    if (!row->number || row->number == UINT64_MAX)
        return ERR_BADREQ;
    if (row->number > b->rules) // first: the row stays, and no other rule may be written over it
        b->rules = row->number;
    return policy_add_rule(b->policy, row->number, row->text, NULL) ? ERR_BADREQ : ERR_OK;
}

enum err bridge_restore(struct bridge *b, const struct row *row)
{
    switch (row->kind) {
    case ROW_IDENTITY:
        return restore_identity(b, row);
    case ROW_SUBSCRIPTION:
        return restore_subscription(b, row);
    case ROW_REGISTRATION:
        return restore_registration(b, row);
    case ROW_ACCESS:
        return restore_access(b, row);
    case ROW_LANE:
        return post_is_lane(row->adapter) ? post_restore_lane(b, row) : deliver_restore_lane(b, row);
    case ROW_RECORD:
        return post_is_lane(row->adapter) ? post_restore_record(b, row) : deliver_restore_record(b, row);
    case ROW_GUEST:
        return guest_restore(b, row);
    case ROW_LETTER:
        return letter_restore(b, row);
    case ROW_ASK:
        return ask_restore(b, row);
    default: // STATE is the adapters'
        return ERR_BADREQ;
    }
}

/* The step */

static enum err barrier_out(struct bridge *b, const struct event *ev, struct effects *out)
{
    (void)b, (void)ev, (void)out; // its token is answered as any other
    return ERR_OK;
}

void tick_in(struct bridge *b, const struct event *ev, struct effects *out)
{
    (void)ev;
    asks_expire(b, out);
    jobs_work(b, out);
}

struct north_entry {
    north_handler *run;
    bool impersonal; // about no user
};

// What operations and the app say; an adapter's number in it only tells whose identity is meant.
static const struct north_entry from_app[EV_COUNT] = {
    [EV_OFFER] = {offer_in},
    [EV_WITHDRAW] = {withdraw_in},
    [EV_ERASE] = {erase_in},
    [EV_APPROVE] = {approve_in, true},
    [EV_GRANT] = {grant_in, true},
    [EV_REVOKE] = {revoke_in, true},
    [EV_TICK] = {tick_in, true},
    [EV_SHUTDOWN] = {shutdown_in, true},
    [EV_LOADED] = {loaded_in, true},
    [EV_RETRY] = {retry_in, true},
    [EV_REPLAY] = {replay_in, true},
    [EV_DISCARD] = {discard_in, true},
    [EV_CONGESTED] = {component_congestion, true},
    [EV_DRAINED] = {component_congestion, true},
};

static const struct north_entry from_north[EV_COUNT] = {
    [EV_MESSAGE] = {message_step},
    [EV_TYPING] = {typing_in},
    [EV_BOUNCE] = {bounce_in},
    [EV_AVAILABLE] = {presence_available},
    [EV_UNAVAILABLE] = {presence_unavailable},
    [EV_SUBSCRIBE] = {presence_subscribe},
    [EV_SUBSCRIBED] = {presence_subscribed},
    [EV_UNSUBSCRIBE] = {presence_unsubscribe},
    [EV_UNSUBSCRIBED] = {presence_unsubscribed},
    [EV_PROBE] = {presence_probe},
    [EV_JOIN] = {room_join_in},
    [EV_PART] = {room_part_in},
    [EV_SUBJECT] = {subject_in},
    [EV_REGISTER] = {register_in},
    [EV_UNREGISTER] = {unregister_in},
    [EV_COMMAND] = {command_in},
    [EV_ENTERED] = {entered_in},
    [EV_LEFT] = {left_in},
    [EV_HEARD] = {heard_in},
    [EV_INVITED] = {invited_in},
    [EV_CHECKED] = {checked_in},
    [EV_CAUGHT_UP] = {caught_up_in},
    [EV_FENCED] = {fenced_in, true},
    [EV_STARTED] = {started_in, true},
    [EV_FORGET] = {forget_in, true},
    [EV_LINK_UP] = {component_link_up, true},
    [EV_LINK_DOWN] = {component_link_down, true},
};

static south_handler *const from_adapter[EV_COUNT] = {
    [EV_MESSAGE] = message_out,        [EV_TYPING] = message_out,
    [EV_AVAILABLE] = presence_changed, [EV_UNAVAILABLE] = presence_changed,
    [EV_JOIN] = room_join_out,         [EV_PART] = room_part_out,
    [EV_SUBJECT] = subject_out,        [EV_IDENTITY] = identity_out,
    [EV_FORGET] = forget_out,          [EV_STATE] = state_out,
    [EV_LINK_UP] = adapter_link_up,    [EV_LINK_DOWN] = adapter_link_down,
    [EV_NOTICE] = adapter_notice,      [EV_DELIVERED] = delivered_out,
    [EV_FAILED] = failed_out,          [EV_BARRIER] = barrier_out,
    [EV_DISCARD] = post_withdraw_out,
};

static void step_north(struct bridge *b, const struct event *ev, struct effects *out, const struct north_entry *entry)
{
    if (entry->run && (entry->impersonal || !str_empty(ev->user.domain)))
        entry->run(b, ev, out);
}

// An adapter's post has exactly one answer, where it has a token; the token of an outcome is that of a question.
static void step_adapter(struct bridge *b, const struct event *ev, struct effects *out)
{
    south_handler *run = from_adapter[ev->kind];
    enum err e = run ? run(b, ev, out) : ERR_UNSUPPORTED;
    if (!ev->token || ev->kind == EV_DELIVERED || ev->kind == EV_FAILED)
        return;
    if (e)
        say_refused(b, out, ev->adapter, ev->token, e);
    else
        deliver_answer(b, out, ev);
}

void bridge_step(struct bridge *b, const struct event *ev, struct effects *out)
{
    assert((unsigned)ev->kind < EV_COUNT);
    if (ev->now > b->now)
        b->now = ev->now;
    b->wall = ev->wall;
    if (!b->restored)
        deliver_restored(b);
    if (!b->restored)
        posts_restored(b);
    b->restored = true;
    bool of_adapter = ev->adapter && ev->kind == EV_DISCARD && !str_empty(ev->id);
    if (from_app[ev->kind].run && !of_adapter)
        step_north(b, ev, out, &from_app[ev->kind]);
    else if (ev->adapter)
        step_adapter(b, ev, out);
    else
        step_north(b, ev, out, &from_north[ev->kind]);
    deliver_work(b, out);
    out->more = jobs_waiting(b) || b->deliver_more || (b->stopping && pendings_deadline(&b->pendings) != INT64_MAX);
}

int64_t bridge_deadline(const struct bridge *b)
{
    if (b->wake && jobs_waiting(b))
        return 0;
    int64_t asked = pendings_deadline(&b->pendings), delivers = deliver_deadline(b), guests = guests_deadline(b);
    int64_t at = asked < delivers ? asked : delivers;
    return at < guests ? at : guests;
}
