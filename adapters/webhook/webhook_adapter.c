/* An instance of the webhook adapter: the glue between the bridge and the parts.
 *
 * Happy path: it listens (webhook_server.c) -> a request is read and posted (webhook_request.c, webhook_say.c) -> the
 * bridge says what became of it (webhook_result.c) -> it is answered.
 *
 * Failures: an address that cannot be had is a state with a next try. At a stop nothing more is answered: what was not
 * acknowledged is the sender's still.
 *
 * Rows: "i/..." idempotency keys, "k/..." update keys, "h/NAME" hooks made at run time, "d/NAME" hooks of the
 * configuration that were disabled. */
#include "adapters/webhook/webhook.h"

#include "adapters/webhook/webhook_private.h"

#include "base/mem.h"

#include <inttypes.h>

enum { BACKOFF_MS = 1000, BACKOFF_MAX_MS = 60000 };

static struct webhook_adapter *webhook_of(struct adapter *base)
{
    return CONTAINER_OF(base, struct webhook_adapter, base);
}

void webhook_post(struct webhook_adapter *a, const struct event *ev)
{
    if (a->closing)
        return;
    a->in += ev->kind == EV_MESSAGE;
    a->base.env->post(a->base.env, ev);
}

static void put_row(void *ud, struct str key, struct str blob)
{
    webhook_post(ud, &(struct event){.kind = EV_STATE, .key = key, .blob = blob});
}

void webhook_schedule(struct webhook_adapter *a)
{
    int64_t at = webhook_result_deadline(a);
    if (!a->started || a->closing)
        return;
    at = a->listen_at < at ? a->listen_at : at;
    at = a->sweep_at < at ? a->sweep_at : at;
    a->base.env->wake(a->base.env, at);
}

/* Life. */

static void destroy(struct webhook_adapter *a)
{
    webhook_tokens_drop(a);
    while (!list_empty(&a->waiting))
        webhook_request_free(LIST_FIRST(&a->waiting, struct webhook_request, node));
    while (!list_empty(&a->requests))
        webhook_request_free(LIST_FIRST(&a->requests, struct webhook_request, node));
    size_t at = 0;
    struct str name;
    void *text;
    while (map_next(&a->disabled, &at, &name, &text))
        mem_free(text);
    map_finish(&a->disabled);
    webhook_parks_drop(a);
    webhook_puppets_drop(a);
    webhook_rate_finish(&a->sources);
    webhook_rate_finish(&a->rooms);
    webhook_throttle_destroy(a->throttle);
    webhook_idem_destroy(a->idem);
    webhook_keys_destroy(a->keys);
    webhook_messages_destroy(a->messages);
    webhook_hooks_finish(&a->hooks);
    webhook_conf_finish(&a->conf);
    arena_finish(&a->words);
    mem_free(a);
}

static enum err webhook_create(struct adapter_env *env, const struct conf_value *section, struct conf_report *report,
                               struct adapter **out)
{
    struct webhook_adapter *a = MEM_NEW(struct webhook_adapter);
    const struct webhook_rows rows = {put_row, a};
    if (webhook_conf_read(section, report, &a->conf, &a->hooks)) {
        mem_free(a);
        return ERR_CONF;
    }
    a->base = (struct adapter){&webhook_adapter_ops, env};
    a->log = (struct log_ctx){&env->log, LOG_SUB_webhook, NULL, NULL};
    a->idem = webhook_idem_create(&rows);
    a->keys = webhook_keys_create(&rows);
    a->messages = webhook_messages_create();
    a->throttle =
        webhook_throttle_create(WEBHOOK_THROTTLE_SOURCES, WEBHOOK_THROTTLE_PER_MINUTE, WEBHOOK_THROTTLE_BURST);
    webhook_rate_init(&a->sources);
    webhook_rate_init(&a->rooms);
    map_init(&a->disabled);
    map_init(&a->parked);
    map_init(&a->puppets);
    list_init(&a->puppet_age);
    list_init(&a->requests);
    list_init(&a->waiting);
    list_init(&a->tokens);
    backoff_init(&a->backoff, BACKOFF_MS, BACKOFF_MAX_MS);
    a->listen_at = a->sweep_at = a->bridge_at = INT64_MAX;
    arena_init(&a->words, 1024);
    *out = &a->base;
    return ERR_OK;
}

static void restore_hook(struct webhook_adapter *a, struct str name, struct str blob)
{
    struct webhook_hook *there = webhook_hooks_find(&a->hooks, name);
    struct webhook_hook *h = there ? NULL : webhook_hook_read(name, blob, webhook_wall(a));
    if (there)
        log_warn(&a->log, LOG_MSG("a hook made by `hook add` is in the configuration too, which counts"),
                 LOG_S("hook", name));
    else if (h)
        webhook_hooks_put(&a->hooks, h);
    else
        log_error(&a->log, LOG_MSG("a hook made by `hook add` cannot be read"), LOG_S("hook", name));
}

static void webhook_restore(struct adapter *base, struct str key, struct str blob)
{
    struct webhook_adapter *a = webhook_of(base);
    struct str rest = str_sub(key, 2, key.n);
    if (str_starts(key, WEBHOOK_IDEM_PREFIX))
        webhook_idem_restore(a->idem, key, blob, webhook_wall(a));
    else if (str_starts(key, WEBHOOK_KEYS_PREFIX))
        webhook_keys_restore(a->keys, key, blob, webhook_wall(a));
    else if (str_starts(key, STR("h/")))
        restore_hook(a, rest, blob);
    else if (str_starts(key, STR("d/")))
        webhook_hook_disable(a, rest, true);
    else
        put_row(a, key, STR_NONE);
}

static void webhook_known(struct adapter *base, struct str key, bool quarantined)
{
    (void)quarantined;
    webhook_identity_known(webhook_of(base), key);
}

void webhook_hooks_limit(struct webhook_adapter *a)
{
    size_t at = 0;
    struct str name;
    void *value;
    while (map_next(&a->hooks.by_name, &at, &name, &value)) {
        struct webhook_hook *h = value;
        if (h->did.rate.burst <= 0)
            ratelimit_init(&h->did.rate, h->per_second, h->burst, webhook_now(a));
    }
}

static void tell_hooks(struct webhook_adapter *a)
{
    size_t at = 0;
    struct str name;
    void *h;
    webhook_identity_shared(a);
    while (map_next(&a->hooks.by_name, &at, &name, &h))
        webhook_identity_hook(a, h);
}

static void webhook_start(struct adapter *base)
{
    struct webhook_adapter *a = webhook_of(base);
    a->started = true;
    a->sweep_at = webhook_now(a) + WEBHOOK_SWEEP_MS;
    webhook_hooks_limit(a);
    tell_hooks(a);
    webhook_server_open(a);
    webhook_schedule(a);
}

static void sweep(struct webhook_adapter *a)
{
    int64_t wall = webhook_wall(a);
    bool more = webhook_idem_sweep(a->idem, wall);
    more = webhook_keys_sweep(a->keys, wall) || more;
    more = webhook_messages_sweep(a->messages, wall) || more;
    size_t at = 0;
    struct str name;
    void *value;
    while (map_next(&a->hooks.by_name, &at, &name, &value)) {
        struct webhook_hook *h = value;
        if (h->run_time && webhook_hook_stale(h, wall) && webhook_hook_renew(h, wall))
            webhook_hook_keep(a, h);
    }
    a->sweep_at = webhook_now(a) + (more ? 1000 : WEBHOOK_SWEEP_MS);
}

static void webhook_wake(struct adapter *base)
{
    struct webhook_adapter *a = webhook_of(base);
    int64_t now = webhook_now(a);
    if (a->closing)
        return;
    webhook_result_deadlines(a);
    if (now >= a->sweep_at)
        sweep(a);
    if (now >= a->listen_at)
        webhook_server_open(a);
    webhook_schedule(a);
}

/* Reloading. */

static void carry_over(struct webhook_adapter *a, struct webhook_hooks *next)
{
    size_t at = 0;
    struct str name;
    void *value;
    while (map_next(&a->hooks.by_name, &at, &name, &value)) {
        struct webhook_hook *old = value, *h = webhook_hooks_find(next, name);
        if (h) {
            h->did = old->did;
            h->did.rate.per_sec = h->per_second;
            h->did.rate.burst = h->burst;
        } else if (old->run_time) {
            webhook_hooks_put(next, webhook_hook_ref(old));
        } else if (!old->shared) {
            webhook_identity_gone(a, old->name);
        }
    }
    for (at = 0; map_next(&a->disabled, &at, &name, &value);) {
        struct webhook_hook *h = webhook_hooks_find(next, name);
        if (h)
            h->disabled = true;
    }
}

static enum err webhook_reload(struct adapter *base, const struct conf_value *section, struct conf_report *report)
{
    struct webhook_adapter *a = webhook_of(base);
    struct webhook_conf conf;
    struct webhook_hooks hooks;
    enum err e = webhook_conf_read(section, report, &conf, &hooks);
    if (e)
        return e;
    carry_over(a, &hooks);
    webhook_hooks_finish(&a->hooks);
    a->hooks = hooks;
    bool same = webhook_conf_same_server(&a->conf, &conf);
    webhook_conf_finish(&a->conf);
    a->conf = conf;
    if (!a->started)
        return ERR_OK;
    webhook_hooks_limit(a);
    tell_hooks(a);
    if (same) {
        webhook_server_reload(a);
    } else {
        webhook_server_close(a);
        webhook_server_open(a);
    }
    webhook_schedule(a);
    return ERR_OK;
}

/* Closing. */

void webhook_left(struct webhook_adapter *a)
{
    if (!a->closing || a->leaving)
        return;
    void (*closed)(void *ud) = a->closed;
    void *ud = a->closed_ud;
    destroy(a);
    closed(ud);
}

static void webhook_close(struct adapter *base, void (*closed)(void *ud), void *ud)
{
    struct webhook_adapter *a = webhook_of(base);
    if (a->closing)
        return;
    a->closing = true;
    a->closed = closed;
    a->closed_ud = ud;
    webhook_server_close(a);
    webhook_left(a);
}

/* What the bridge says. */

static enum err on_token(struct webhook_adapter *a, const struct event *ev)
{
    webhook_result_token(a, ev);
    return ERR_OK;
}

static enum err on_settled(struct webhook_adapter *a, const struct event *ev)
{
    webhook_result_settled(a, ev);
    return ERR_OK;
}

static enum err on_parked(struct webhook_adapter *a, const struct event *ev)
{
    webhook_result_parked(a, ev);
    return ERR_OK;
}

static enum err on_forget(struct webhook_adapter *a, const struct event *ev)
{
    webhook_identity_forgotten(a, ev->key);
    return ERR_OK;
}

static enum err on_message(struct webhook_adapter *a, const struct event *ev)
{
    webhook_owner_said(a, ev);
    return ERR_OK;
}

static enum err ignored(struct webhook_adapter *a, const struct event *ev)
{
    (void)a;
    (void)ev;
    return ERR_OK;
}

static enum err webhook_send(struct adapter *base, const struct event *ev)
{
    static enum err (*const on[EV_COUNT])(struct webhook_adapter * a, const struct event *ev) = {
        [EV_JOURNALED] = on_token, [EV_REFUSED] = on_token, [EV_SETTLED] = on_settled, [EV_PARKED] = on_parked,
        [EV_FORGET] = on_forget,   [EV_TYPING] = ignored,   [EV_FAILED] = ignored,     [EV_MESSAGE] = on_message,
    };
    struct webhook_adapter *a = webhook_of(base);
    if (!on[ev->kind])
        return ERR_UNSUPPORTED;
    a->out++;
    enum err e = on[ev->kind](a, ev);
    webhook_schedule(a);
    return e;
}

/* What others see. */

static enum err webhook_resolve(struct adapter *base, struct str text, struct candidate *out)
{
    struct webhook_adapter *a = webhook_of(base);
    size_t at = 0;
    struct str name;
    void *value;
    while (map_next(&a->hooks.by_name, &at, &name, &value)) {
        const struct webhook_hook *h = value;
        if (!str_case_eq(text, h->name) && !str_case_eq(text, h->title))
            continue;
        *out = (struct candidate){webhook_hook_identity(h), h->title};
        return ERR_OK;
    }
    return ERR_NOTFOUND;
}

static struct str places_text(struct arena *a, const struct webhook_hook *h)
{
    struct str text = STR_NONE;
    const struct webhook_places *lists[] = {&h->rooms, &h->people};
    for (size_t l = 0; l < 2; l++) {
        for (size_t i = 0; i < lists[l]->n; i++)
            text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), text.n ? ", " : "", STR_ARG(lists[l]->at[i]));
    }
    return text;
}

static enum err webhook_describe(struct adapter *base, struct str key, struct description *out)
{
    struct webhook_adapter *a = webhook_of(base);
    struct str name = key, puppet = STR_NONE;
    (void)str_cut(key, '/', &name, &puppet);
    const struct webhook_hook *h = webhook_hooks_find(&a->hooks, name);
    arena_reset(&a->words);
    if (str_eq(key, WEBHOOK_SHARED)) {
        *out = (struct description){
            .name = a->conf.name, .model = STR("webhooks"), .cls = STR("bot"), .note = STR("Speaks for several hooks")};
        return ERR_OK;
    }
    if (!h)
        return ERR_NOTFOUND;
    const char *profile = h->profile ? webhook_profile_name(h->profile) : "auto";
    *out = (struct description){
        .name = puppet.n ? puppet : h->title,
        .model = arena_printf(&a->words, "webhook, %s", profile),
        .cls = h->cls,
        .note = puppet.n ? arena_printf(&a->words, "Spoken for by the hook " STR_FMT, STR_ARG(h->name))
                         : arena_printf(&a->words, "Posts to " STR_FMT, STR_ARG(places_text(&a->words, h))),
        .readings = h->disabled ? STR("disabled") : arena_printf(&a->words, "%" PRIu64 " accepted", h->did.accepted),
    };
    return ERR_OK;
}

static size_t webhook_commands(struct adapter *base, struct str key, const struct command **out)
{
    (void)base;
    (void)key;
    *out = NULL;
    return 0;
}

static struct str state_of(struct webhook_adapter *a)
{
    const struct webhook_listen *l = &a->conf.listen[0];
    struct str more =
        a->conf.listen_count > 1 ? arena_printf(&a->words, " and %zu more", a->conf.listen_count - 1) : STR_NONE;
    if (a->server)
        return arena_printf(
            &a->words, "up, listening at %s:%u" STR_FMT "; %zu hooks%s", l->host, l->port, STR_ARG(more),
            a->hooks.by_name.count,
            a->parked.count ? arena_printf(&a->words, "; %zu rooms cannot be entered", a->parked.count).p : "");
    if (a->listen_at == INT64_MAX)
        return STR("not started");
    int64_t ms = a->listen_at - webhook_now(a);
    return arena_printf(&a->words, "%s; next try in %" PRId64 " s", a->why.text, ms > 0 ? (ms + 999) / 1000 : 0);
}

static void webhook_stat(const struct adapter *base, struct adapter_stat *out)
{
    struct webhook_adapter *a = webhook_of((struct adapter *)(uintptr_t)base);
    size_t queued = 0;
    for (const struct list_node *it = a->tokens.next; it != &a->tokens; it = it->next)
        queued++;
    arena_reset(&a->words);
    *out = (struct adapter_stat){
        .up = a->server,
        .state = state_of(a),
        .in = a->in,
        .out = a->out,
        .dropped = a->dropped,
        .queued = queued,
        .bytes = webhook_messages_count(a->messages) * sizeof(struct webhook_message),
    };
}

const struct adapter_ops webhook_adapter_ops = {
    .type = "webhook",
    .gateway = "http",
    .prompt = "Name of the hook",
    .schema = webhook_schema,
    .create = webhook_create,
    .restore = webhook_restore,
    .known = webhook_known,
    .start = webhook_start,
    .send = webhook_send,
    .resolve = webhook_resolve,
    .describe = webhook_describe,
    .commands = webhook_commands,
    .operate = webhook_operate,
    .reload = webhook_reload,
    .wake = webhook_wake,
    .close = webhook_close,
    .stat = webhook_stat,
};
