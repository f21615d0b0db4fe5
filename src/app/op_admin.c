/* Operations of admins. */
#include "app/op_private.h"

#include <inttypes.h>

enum err op_links(struct operation_call *c, struct errmsg *msg)
{
    (void)msg;
    static const char *const columns[] = {"component", "domain", "state", "in", "out", NULL};
    struct hub *h = c->hub;
    struct arena *a = &c->answer->arena;
    answer_table(c->answer, "links", columns);
    for (size_t i = 0; i < h->link_count; i++) {
        struct gateway_stat s;
        gateway_stat(h->links[i].gateway, &s);
        answer_row(c->answer, (struct str[]){str_c(h->links[i].name), str_c(h->links[i].domain),
                                             component_status(h->links[i].component, a, h->host->now(h->ud)),
                                             arena_printf(a, "%" PRIu64, s.in), arena_printf(a, "%" PRIu64, s.out)});
    }
    return ERR_OK;
}

enum err op_adapters(struct operation_call *c, struct errmsg *msg)
{
    (void)msg;
    static const char *const columns[] = {"adapter", "type", "state", "in", "out", "dropped", NULL};
    struct hub *h = c->hub;
    struct arena *a = &c->answer->arena;
    answer_table(c->answer, "adapters", columns);
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *ad = hub_adapter_at(h, (uint16_t)(i + 1));
        if (!ad)
            continue;
        struct adapter_stat s = {.up = false};
        ad->ops->stat(ad->adapter, &s);
        answer_row(c->answer,
                   (struct str[]){str_c(ad->name), str_c(ad->ops->type), s.state, arena_printf(a, "%" PRIu64, s.in),
                                  arena_printf(a, "%" PRIu64, s.out), arena_printf(a, "%" PRIu64, s.dropped)});
    }
    return ERR_OK;
}

enum err op_mappings(struct operation_call *c, struct errmsg *msg)
{
    (void)msg;
    static const char *const columns[] = {"address", "name", "adapter", "key", "state", "subscribers", NULL};
    struct arena *a = &c->answer->arena;
    answer_table(c->answer, "mappings", columns);
    struct identity_view id;
    for (uint32_t at = 0; bridge_next(c->hub->bridge, 0, c->user, &at, &id);) {
        if (!op_matches(&id, c->args[0]))
            continue;
        struct str state = id.quarantined ? STR("quarantined") : str_c(show_name(id.show));
        answer_row(c->answer, (struct str[]){op_jid(a, &id), id.name, id.resource, id.key, state,
                                             arena_printf(a, "%u", id.subscribers)});
    }
    return ERR_OK;
}

enum err op_change(struct operation_call *c, enum event_kind kind, const char *done, struct errmsg *msg)
{
    struct identity_view id;
    enum err e = op_identity(c, c->args[0], &id, msg);
    if (e)
        return e;
    struct arena *a = &c->answer->arena;
    if (kind == EV_APPROVE && !id.quarantined) {
        answer_say(c->answer, STR_FMT " is not in quarantine: there is nothing to approve.", STR_ARG(op_jid(a, &id)));
        return ERR_OK;
    }
    struct event ev = {.kind = kind, .component = id.component};
    ev.to = (struct jid){arena_dup(a, id.local), arena_dup(a, id.domain), STR_NONE};
    answer_say(c->answer, STR_FMT " is %s.", STR_ARG(op_jid(a, &id)), done);
    hub_step(c->hub, &ev);
    return ERR_OK;
}

enum err op_approve(struct operation_call *c, struct errmsg *msg)
{
    return op_change(c, EV_APPROVE, "approved", msg);
}

struct str op_address(struct arena *a, struct str local, struct str domain)
{
    return local.n ? arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(local), STR_ARG(domain)) : domain;
}

enum err op_subscriptions(struct operation_call *c, struct errmsg *msg)
{
    static const char *const columns[] = {"user", "contact", "state", NULL};
    struct arena *a = &c->answer->arena;
    struct jid user;
    if (c->args[0].n && jid_parse(a, c->args[0], &user))
        return err_set(msg, ERR_BADJID, "'" STR_FMT "' is not a JID", STR_ARG(c->args[0]));
    answer_table(c->answer, "subscriptions", columns);
    struct subscription_view s;
    for (uint32_t at = 0; bridge_next_subscription(c->hub->bridge, c->args[0].n ? &user : NULL, &at, &s);) {
        struct str state = s.state & SUB_TO_USER       ? STR("subscribed")
                           : s.state & SUB_PENDING_OUT ? STR("asked")
                                                       : STR("none");
        answer_row(c->answer, (struct str[]){s.user, op_address(a, s.local, s.domain), state});
    }
    return ERR_OK;
}

enum err op_rules(struct operation_call *c, struct errmsg *msg)
{
    (void)msg;
    static const char *const columns[] = {"number", "rule", NULL};
    struct arena *a = &c->answer->arena;
    answer_table(c->answer, "rules", columns);
    size_t at = 0;
    uint64_t number;
    struct str rule;
    while (bridge_next_rule(c->hub->bridge, &at, &number, &rule))
        answer_row(c->answer, (struct str[]){number ? arena_printf(a, "%" PRIu64, number) : STR("config"), rule});
    return ERR_OK;
}

// The number of the rule that was added last.
static uint64_t last_rule(const struct bridge *b)
{
    size_t at = 0;
    uint64_t number = 0;
    struct str rule;
    while (bridge_next_rule(b, &at, &number, &rule))
        ;
    return number;
}

// The rules of the configuration come first, so one that is granted may change less than it seems to, or nothing.
static void say_order(struct operation_call *c)
{
    bool all;
    uint64_t number;
    struct str rule;
    if (!bridge_rule_before(c->hub->bridge, &all, &number, &rule))
        return;
    struct str place = number ? arena_printf(&c->answer->arena, "rule %" PRIu64, number) : STR("the configuration");
    if (all)
        answer_say(c->answer,
                   "It has no effect: all it names is decided before, first by \"" STR_FMT "\" (" STR_FMT ").",
                   STR_ARG(rule), STR_ARG(place));
    else
        answer_say(c->answer, "Where it names what \"" STR_FMT "\" (" STR_FMT ") does, that comes first and decides.",
                   STR_ARG(rule), STR_ARG(place));
}

enum err op_grant(struct operation_call *c, struct errmsg *msg)
{
    enum err e = bridge_check_rule(c->hub->bridge, c->args[0], msg);
    if (e)
        return e;
    hub_step(c->hub, &(struct event){.kind = EV_GRANT, .rule = c->args[0]});
    answer_say(c->answer, "Added as rule %" PRIu64 ".", last_rule(c->hub->bridge));
    say_order(c);
    return ERR_OK;
}

enum err op_revoke(struct operation_call *c, struct errmsg *msg)
{
    uint64_t wanted, number;
    if (!str_to_u64(c->args[0], &wanted) || !wanted)
        return err_set(msg, ERR_BADREQ, "'" STR_FMT "' is no number of a rule; 'rules' lists them",
                       STR_ARG(c->args[0]));
    size_t at = 0;
    struct str rule;
    while (bridge_next_rule(c->hub->bridge, &at, &number, &rule)) {
        if (number != wanted)
            continue;
        answer_say(c->answer, "Removed: " STR_FMT, STR_ARG(rule));
        hub_step(c->hub, &(struct event){.kind = EV_REVOKE, .number = wanted});
        return ERR_OK;
    }
    return err_set(msg, ERR_NOTFOUND, "there is no rule %" PRIu64 "; rules of the configuration are changed there",
                   wanted);
}

enum err op_reload(struct operation_call *c, struct errmsg *msg)
{
    struct hub *h = c->hub;
    if (!h->host->reload)
        return err_set(msg, ERR_UNSUPPORTED, "there is no configuration file");
    struct conf_report *report = conf_report_create();
    bool good = h->host->reload(h->ud, report);
    struct str text = str_trim(conf_report_text(report));
    if (text.n)
        answer_say(c->answer, STR_FMT, STR_ARG(text));
    conf_report_destroy(report);
    if (!good)
        return err_set(msg, ERR_CONF, "nothing was changed");
    answer_say(c->answer, "The configuration is in force.");
    return ERR_OK;
}

enum err op_log(struct operation_call *c, struct errmsg *msg)
{
    enum log_level level;
    enum log_subsystem sub;
    if (!log_level_parse(c->args[0], &level))
        return err_set(msg, ERR_BADREQ, "'" STR_FMT "' is no level: error, warn, info, debug or trace",
                       STR_ARG(c->args[0]));
    if (!c->args[1].n) {
        log_set_level(level);
        answer_say(c->answer, "Log level is %s, until the next reload.", log_level_name(level));
        return ERR_OK;
    }
    if (!log_sub_parse(c->args[1], &sub))
        return err_set(msg, ERR_BADREQ, "'" STR_FMT "' is no subsystem", STR_ARG(c->args[1]));
    log_set_sub_level(sub, level);
    answer_say(c->answer, "Log level of " STR_FMT " is %s, until the next reload.", STR_ARG(c->args[1]),
               log_level_name(level));
    return ERR_OK;
}
