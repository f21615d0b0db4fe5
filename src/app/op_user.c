/* Operations of users. */
#include "app/op_private.h"

static bool next(const struct operation_call *c, uint32_t *at, struct identity_view *id)
{
    return bridge_next(c->hub->bridge, c->user ? c->link->number : 0, c->user, at, id);
}

struct str op_jid(struct arena *a, const struct identity_view *id)
{
    return arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(id->local), STR_ARG(id->domain));
}

static bool holds(struct str text, struct str word)
{
    for (size_t i = 0; i + word.n <= text.n; i++) {
        if (str_case_eq(str_sub(text, i, i + word.n), word))
            return true;
    }
    return false;
}

bool op_matches(const struct identity_view *id, struct str words)
{
    struct str word;
    while (str_word(&words, &word)) {
        if (!holds(id->name, word) && !holds(id->local, word) && !holds(id->group, word) && !holds(id->key, word))
            return false;
    }
    return true;
}

static bool named(const struct identity_view *id, struct str text)
{
    return str_case_eq(id->name, text) || str_case_eq(id->local, text);
}

static enum err by_name(struct operation_call *c, struct str text, struct identity_view *out, struct errmsg *msg)
{
    struct identity_view id;
    size_t found = 0;
    for (uint32_t at = 0; next(c, &at, &id);) {
        if (!named(&id, text))
            continue;
        *out = id;
        found++;
        if (str_eq(id.local, text)) // a localpart is exact
            return ERR_OK;
    }
    if (found > 1)
        return err_set(msg, ERR_BADREQ, "%zu contacts are called '" STR_FMT "': use the address", found, STR_ARG(text));
    return found ? ERR_OK : ERR_NOTFOUND;
}

static enum err by_adapter(struct operation_call *c, struct str text, struct identity_view *out)
{
    struct hub *h = c->hub;
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        struct candidate found;
        if (!a || (c->user && a->link != c->link) || a->ops->resolve(a->adapter, text, &found))
            continue;
        if (!bridge_find_key(h->bridge, a->env.number, found.key, c->user, out) &&
            (!c->user || (out->rights & RIGHT_SEE)) && (!out->quarantined || !c->user || (out->rights & RIGHT_ADMIN)))
            return ERR_OK;
    }
    return ERR_NOTFOUND;
}

enum err op_identity(struct operation_call *c, struct str text, struct identity_view *out, struct errmsg *msg)
{
    struct arena a;
    arena_init(&a, 256);
    struct jid jid;
    enum err e = ERR_NOTFOUND;
    if (str_find(text, '@') >= 0 && !jid_parse(&a, text, &jid))
        e = bridge_find(c->hub->bridge, c->user, &jid, out);
    arena_finish(&a);
    if (e)
        e = by_name(c, text, out, msg);
    if (e == ERR_NOTFOUND)
        e = by_adapter(c, text, out);
    if (e == ERR_NOTFOUND)
        return err_set(msg, e, "there is no contact '" STR_FMT "'; 'list' shows them", STR_ARG(text));
    return e;
}

static struct str state_text(struct arena *a, const struct identity_view *id)
{
    if (id->quarantined)
        return STR("quarantined");
    if (!id->text.n)
        return str_c(show_name(id->show));
    return arena_printf(a, "%s, " STR_FMT, show_name(id->show), STR_ARG(id->text));
}

enum err op_list(struct operation_call *c, struct errmsg *msg)
{
    enum { SHOWN = 200 };
    (void)msg;
    static const char *const columns[] = {"name", "address", "state", NULL};
    answer_table(c->answer, "contacts", columns);
    struct identity_view id;
    size_t shown = 0, more = 0;
    for (uint32_t at = 0; next(c, &at, &id);) {
        if (!op_matches(&id, c->args[0]))
            continue;
        if (c->user && shown == SHOWN) {
            more++;
            continue;
        }
        shown++;
        struct arena *a = &c->answer->arena;
        answer_row(c->answer, (struct str[]){id.name, op_jid(a, &id), state_text(a, &id)});
    }
    if (more)
        answer_say(c->answer, "... and %zu more: narrow it with words", more);
    return ERR_OK;
}

static void step_for(struct operation_call *c, enum event_kind kind, const struct identity_view *id)
{
    struct event ev = {.kind = kind, .component = c->link->number, .user = jid_bare(*c->user)};
    struct arena a;
    arena_init(&a, 256);
    if (id) {
        ev.adapter = id->adapter;
        ev.component = id->component;
        ev.key = arena_dup(&a, id->key);
        ev.to = (struct jid){arena_dup(&a, id->local), arena_dup(&a, id->domain), STR_NONE};
    } else {
        ev.to.domain = str_c(c->link->domain);
    }
    hub_step(c->hub, &ev);
    arena_finish(&a);
}

// What is between the user and the contact: enum subscription, 0 for nothing.
static unsigned state_with(const struct operation_call *c, const struct identity_view *id)
{
    struct subscription_view s;
    for (uint32_t at = 0; bridge_next_subscription(c->hub->bridge, c->user, &at, &s);) {
        if (str_eq(s.local, id->local) && str_eq(s.domain, id->domain))
            return s.state;
    }
    return 0;
}

// Another component than the one that was spoken to may be the contact's.
static bool reachable(struct operation_call *c, const struct identity_view *id)
{
    const struct hub_link *l = hub_link_at(c->hub, id->component);
    return l && component_state(l->component) == COMPONENT_UP;
}

enum err op_add(struct operation_call *c, struct errmsg *msg)
{
    struct identity_view id;
    enum err e = op_identity(c, c->args[0], &id, msg);
    if (e)
        return e;
    if (state_with(c, &id) & SUB_TO_USER) {
        answer_say(c->answer,
                   STR_FMT "@" STR_FMT
                           " is added already. If your client does not show it: remove it here, then add it.",
                   STR_ARG(id.local), STR_ARG(id.domain));
        return ERR_OK;
    }
    if (!reachable(c, &id))
        return err_set(msg, ERR_UNAVAILABLE, STR_FMT " has no connection now: nothing was asked", STR_ARG(id.domain));
    answer_say(c->answer, STR_FMT "@" STR_FMT " asks to be added: accept it in your client.", STR_ARG(id.local),
               STR_ARG(id.domain));
    step_for(c, EV_OFFER, &id);
    return ERR_OK;
}

enum err op_remove(struct operation_call *c, struct errmsg *msg)
{
    struct identity_view id;
    enum err e = op_identity(c, c->args[0], &id, msg);
    if (e)
        return e;
    if (!state_with(c, &id)) {
        answer_say(c->answer, STR_FMT "@" STR_FMT " was not added. What your client has of it you can delete there.",
                   STR_ARG(id.local), STR_ARG(id.domain));
        return ERR_OK;
    }
    answer_say(c->answer, STR_FMT "@" STR_FMT " is removed. Your client may keep the entry until you delete it.",
               STR_ARG(id.local), STR_ARG(id.domain));
    step_for(c, EV_WITHDRAW, &id);
    return ERR_OK;
}

enum err op_register(struct operation_call *c, struct errmsg *msg)
{
    if (bridge_registered(c->hub->bridge, c->link->number, c->user))
        return err_set(msg, ERR_EXISTS, "you are registered already");
    step_for(c, EV_REGISTER, NULL);
    if (!bridge_registered(c->hub->bridge, c->link->number, c->user)) // who operates the bridge may use all commands
        return err_set(msg, ERR_FORBIDDEN, "you may not register: no rule allows it");
    answer_say(c->answer, "You are registered. The contacts you may see will ask to be added.");
    return ERR_OK;
}

enum err op_unregister(struct operation_call *c, struct errmsg *msg)
{
    if (!bridge_registered(c->hub->bridge, c->link->number, c->user))
        return err_set(msg, ERR_REGISTRATION, "you are not registered");
    answer_say(c->answer, "Your registration is ended.");
    step_for(c, EV_UNREGISTER, NULL);
    return ERR_OK;
}

static void describe(struct operation_call *c, const struct identity_view *id)
{
    struct arena *a = &c->answer->arena;
    struct hub_adapter *ad = hub_adapter_at(c->hub, id->adapter);
    struct description d = {.name = id->name};
    if (ad)
        (void)ad->ops->describe(ad->adapter, id->key, &d);
    answer_say(c->answer, STR_FMT " (" STR_FMT "): " STR_FMT, STR_ARG(id->name), STR_ARG(op_jid(a, id)),
               STR_ARG(state_text(a, id)));
    if (d.readings.n && !str_ends(id->text, d.readings) && (id->rights & RIGHT_READ || !c->user))
        answer_say(c->answer, "Readings: " STR_FMT, STR_ARG(d.readings));
    if (d.model.n)
        answer_say(c->answer, "Model: " STR_FMT " " STR_FMT, STR_ARG(d.manufacturer), STR_ARG(d.model));
}

static void summary(struct operation_call *c)
{
    struct identity_view id;
    size_t online = 0, all = 0;
    for (uint32_t at = 0; next(c, &at, &id);) {
        all++;
        online += id.show != SHOW_OFFLINE;
    }
    if (c->user)
        answer_say(c->answer, "You are %sregistered. Contacts you may see: %zu, online: %zu.",
                   bridge_registered(c->hub->bridge, c->link->number, c->user) ? "" : "not ", all, online);
    else
        answer_say(c->answer, "spandrel %s. Contacts: %zu, online: %zu.", SPANDREL_VERSION, all, online);
}

// Of each link that has had a file to send.
static void deliveries_line(struct operation_call *c)
{
    size_t queued = 0, refused = 0, at = 0;
    for (struct lane_view l; bridge_next_lane(c->hub->bridge, &at, &l);) {
        queued += l.queued + l.later;
        refused += (size_t)(l.dead + l.expired) + l.retrying;
    }
    answer_say(c->answer, "Messages on their way: %zu ('queue'), not delivered: %zu ('dead').", queued, refused);
}

static void uploads_line(struct operation_call *c)
{
    for (size_t i = 0; i < c->hub->link_count; i++) {
        const struct hub_link *l = &c->hub->links[i];
        struct uploads_stat s;
        uploads_stat(l->uploads, &s);
        if (s.sent || s.reused || s.failed || s.waiting)
            answer_say(c->answer, "Uploads of %s: " STR_FMT ".", l->name,
                       STR_ARG(uploads_status(l->uploads, &c->answer->arena)));
    }
}

static void totals(struct operation_call *c)
{
    struct bridge_stat s;
    bridge_stat(c->hub->bridge, &s);
    answer_say(c->answer,
               "Identities: %zu (quarantined: %zu), users: %zu, subscriptions: %zu, registrations: %zu, requests under "
               "way: %zu.",
               s.identities, s.quarantined, s.users, s.subscriptions, s.registrations, s.pending);
    deliveries_line(c);
    uploads_line(c);
    struct store_stat st;
    store_stat(c->hub->store, &st);
    if (st.failing)
        answer_say(c->answer, "The database cannot be written: " STR_FMT "; %zu rows wait.", STR_ARG(st.error),
                   st.waiting);
}

enum err op_status(struct operation_call *c, struct errmsg *msg)
{
    if (c->args[0].n) {
        struct identity_view id;
        enum err e = op_identity(c, c->args[0], &id, msg);
        if (!e)
            describe(c, &id);
        return e;
    }
    summary(c);
    if (!(c->rights & RIGHT_ADMIN))
        return ERR_OK;
    totals(c);
    enum err e = op_links(c, msg);
    return e ? e : op_adapters(c, msg);
}

static void usage(struct operation_call *c, const struct operation *op)
{
    struct str text = str_c(op->name);
    for (size_t i = 0; i < OPERATION_ARGS && op->args[i].name; i++)
        text = arena_printf(&c->answer->arena, op->args[i].required ? STR_FMT " %s" : STR_FMT " [%s]", STR_ARG(text),
                            op->args[i].name);
    answer_row(c->answer, (struct str[]){text, str_c(op->doc)});
}

enum err op_help(struct operation_call *c, struct errmsg *msg)
{
    static const char *const columns[] = {"command", "what it does", NULL};
    const struct operation *only = c->args[0].n ? operations_find(c->args[0]) : NULL;
    if (c->args[0].n && !only)
        return err_set(msg, ERR_NOTFOUND, "unknown command '" STR_FMT "'", STR_ARG(c->args[0]));
    answer_table(c->answer, "commands", columns);
    for (const struct operation *op = operations_all(); op->name; op++) {
        bool shown = (!op->right || (c->rights & (op->right | RIGHT_ADMIN))) && (!op->needs_user || c->user);
        if (shown && (!only || only == op))
            usage(c, op);
    }
    return ERR_OK;
}
