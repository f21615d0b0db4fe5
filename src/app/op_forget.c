/* `forget ADDRESS`: of a contact, which goes for everybody; of anybody else, of whom nothing is kept from then on. */
#include "app/op_private.h"
#include "base/mem.h"
#include "core/policy.h"
#include "store/store_table.h"

#include <inttypes.h>

// In the arena of the answer. What is at none of our domains is a user.
static bool is_user(struct operation_call *c, struct str text, struct jid *out)
{
    return !jid_parse(&c->answer->arena, text, out) && out->local.n && !hub_serves(c->hub, out->domain);
}

static void removed(struct operation_call *c, const char *what, struct str of)
{
    answer_row(c->answer, (struct str[]){str_c(what), of});
}

// One row for what there is more of.
static void removed_count(struct operation_call *c, const char *what, size_t count)
{
    if (count)
        removed(c, what, arena_printf(&c->answer->arena, "%zu", count));
}

static void tell_registrations(struct operation_call *c, const struct jid *user)
{
    for (size_t i = 0; i < c->hub->link_count; i++) {
        const struct hub_link *l = &c->hub->links[i];
        if (bridge_registered(c->hub->bridge, l->number, user))
            removed(c, "registration", str_c(l->domain));
    }
}

static void tell_subscriptions(struct operation_call *c, const struct jid *user)
{
    struct subscription_view s;
    for (uint32_t at = 0; bridge_next_subscription(c->hub->bridge, user, &at, &s);) {
        const char *what = s.state & SUB_TO_USER       ? "subscription"
                           : s.state & SUB_PENDING_OUT ? "question to subscribe"
                           : s.state & SUB_REFUSED     ? "refusal of a question to subscribe"
                                                       : "subscription to the user";
        removed(c, what, op_address(&c->answer->arena, s.local, s.domain));
    }
}

/* What the database has of the user: more than the core, which leaves rows of other domains and adapters alone. */

struct his_rows {
    struct operation_call *c;
    struct row *v; // owned, with their strings in the arena of the answer
    size_t count, asks, idle;
};

static enum err collect(void *ud, const struct row *row)
{
    struct his_rows *his = ud;
    struct row *copy;
    his->v = mem_realloc(his->v, his->count + 1, sizeof *his->v);
    copy = &his->v[his->count++];
    *copy = (struct row){.kind = row->kind, .gone = true, .number = row->number};
    copy->user = arena_dup(&his->c->answer->arena, row->user);
    copy->domain = arena_dup(&his->c->answer->arena, row->domain);
    copy->local = arena_dup(&his->c->answer->arena, row->local);
    bool idle = row->kind != ROW_LETTER && !hub_serves(his->c->hub, row->domain);
    his->idle += idle;
    his->asks += row->kind == ROW_ASK && !idle;
    return ERR_OK;
}

static void remove_rows(const struct his_rows *his)
{
    for (size_t i = 0; i < his->count; i++)
        store_put(his->c->hub->store, &his->v[i]);
}

static void tell_removed(struct operation_call *c, const struct jid *user, const struct his_rows *his)
{
    static const char *const columns[] = {"removed", "of", NULL};
    struct user_stat s;
    bridge_user_stat(c->hub->bridge, user, &s);
    answer_table(c->answer, "removed", columns);
    tell_registrations(c, user);
    tell_subscriptions(c, user);
    removed_count(c, "requests under way", s.pending);
    removed_count(c, "messages that could not be delivered", s.letters);
    removed_count(c, "places in rooms", s.rooms);
    removed_count(c, "outcomes that were promised", his->asks);
    removed_count(c, "rows of domains that are not configured", his->idle);
    removed_count(c, "rate limit", s.known);
}

// Whether a rule names the user; *alone: nobody else.
static bool names(struct str rule, struct str user, bool *alone)
{
    bool whom = false, named = false;
    *alone = true;
    for (struct str word; policy_word(&rule, &word);) {
        if (whom && str_eq_c(word, "on"))
            break;
        if (whom) {
            bool him = str_case_eq(word, user);
            named = named || him;
            *alone = *alone && him;
        }
        whom = whom || str_eq_c(word, "to");
    }
    return named;
}

static void tell_rules(struct operation_call *c, struct str user)
{
    static const char *const columns[] = {"number", "rule", "names", NULL};
    bool begun = false, alone;
    size_t at = 0;
    uint64_t number;
    struct str rule;
    while (bridge_next_rule(c->hub->bridge, &at, &number, &rule)) {
        if (!names(rule, user, &alone))
            continue;
        if (!begun)
            answer_table(c->answer, "rules that stay", columns);
        begun = true;
        struct arena *a = &c->answer->arena;
        answer_row(c->answer, (struct str[]){number ? arena_printf(a, "%" PRIu64, number) : STR("config"), rule,
                                             alone ? STR("nobody else") : STR("others too")});
    }
    if (begun)
        answer_say(c->answer, "Rules are yours to change: `revoke NUMBER`, or in the configuration, where groups and "
                              "admins may name the user too.");
}

static void tell_links(struct operation_call *c, const struct jid *user)
{
    for (size_t i = 0; i < c->hub->link_count; i++) {
        const struct hub_link *l = &c->hub->links[i];
        struct subscription_view s;
        bool held = bridge_registered(c->hub->bridge, l->number, user);
        for (uint32_t at = 0; !held && bridge_next_subscription(c->hub->bridge, user, &at, &s);)
            held = str_eq_c(s.domain, l->domain);
        if (held && component_state(l->component) != COMPONENT_UP)
            answer_say(c->answer, "%s has no connection now: the user is not told there.", l->domain);
    }
}

static enum err forget_user(struct operation_call *c, const struct jid *user, struct errmsg *msg)
{
    struct arena *a = &c->answer->arena;
    struct jid bare = {arena_dup(a, user->local), arena_dup(a, user->domain), STR_NONE};
    struct str name = jid_format(a, &bare);
    struct user_stat stat;
    struct his_rows his = {.c = c};
    bridge_user_stat(c->hub->bridge, &bare, &stat);
    if (store_load_user(c->hub->store, name, collect, &his)) {
        mem_free(his.v);
        return err_set(msg, ERR_IO, "the database cannot be read or written now: nothing is forgotten");
    }
    for (size_t i = 0; i < c->hub->link_count; i++)
        uploads_forget(c->hub->links[i].uploads, name);
    if (stat.known || stat.letters || his.count) {
        answer_say(c->answer, "Forgotten: " STR_FMT ".", STR_ARG(name));
        tell_removed(c, &bare, &his);
        tell_links(c, &bare);
        hub_step(c->hub, &(struct event){.kind = EV_ERASE, .user = bare});
        remove_rows(&his);
        store_scrub(c->hub->store);
    } else {
        answer_say(c->answer, "Nothing is kept of " STR_FMT ".", STR_ARG(name));
    }
    mem_free(his.v);
    tell_rules(c, name);
    return ERR_OK;
}

enum err op_forget(struct operation_call *c, struct errmsg *msg)
{
    struct jid user;
    if (is_user(c, c->args[0], &user))
        return forget_user(c, &user, msg);
    return op_change(c, EV_FORGET, "forgotten, until it is heard again", msg);
}
