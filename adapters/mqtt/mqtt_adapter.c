/* An instance of the MQTT adapter: the link, the model of the devices behind it, and the glue between them and the
 * bridge.
 *
 * Happy path: a batch of messages -> the model -> posts, and a BARRIER behind them -> the link reads on when its token
 * is answered. So no more is read than the bridge can take. Was a message of QoS 1 in the batch, the barrier asks for
 * durability, and a MESSAGE because of it carries a token of its own; posts are taken in order, so when the last token
 * is JOURNALED all before it is durable too, and the link may acknowledge. A batch that led to no post is over at once.
 *
 * Failures: REFUSED counts as an end too: the loss is counted and logged, and the broker is not left waiting for ever.
 * Answers that come after the link was lost or replaced release nothing of the new one, since only the last outstanding
 * token releases.
 *
 * Reload: the model is asked first (it keeps all on an error); then the link is replaced, if its settings changed:
 * close, wait, open, subscribe again. */
#include "adapters/mqtt/mqtt.h"

#include "adapters/mqtt/mqtt_conf.h"
#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_settings.h"
#include "base/map.h"
#include "base/mem.h"

struct filter { // subscriptions of the model, counted
    char *text; // owned
    size_t n;
    unsigned qos, count;
};

struct mqtt_adapter {
    struct adapter base;
    struct mqtt_link_config cfg; // owned
    struct mqtt_link *link;      // NULL before start and while it is replaced
    struct mqtt_model *model;
    struct map filters; // text -> struct filter
    struct arena words; // of stat

    uint64_t token;                                           // last one given to a post
    size_t outstanding;                                       // tokens not answered
    bool durable;                                             // the message in progress has QoS 1
    enum { OWES_NOTHING, OWES_TAKING, OWES_DURABILITY } owed; // what was posted with no token behind it
    int64_t wake_at;                                          // told to the bridge

    uint64_t in, out, dropped;
    size_t refused;  // subscriptions, on this connection
    size_t poisoned; // sessions given up
    bool closing;
    unsigned leaving; // links that are closing
    void (*closed)(void *ud);
    void *closed_ud;
};

static struct mqtt_adapter *mqtt_of(struct adapter *a)
{
    return CONTAINER_OF(a, struct mqtt_adapter, base);
}

static int64_t now(struct mqtt_adapter *a)
{
    return a->base.env->now(a->base.env);
}

static int64_t wall(struct mqtt_adapter *a)
{
    return a->base.env->wall(a->base.env);
}

static const struct log_ctx *log_of(const struct mqtt_adapter *a)
{
    return &a->base.env->log;
}

// After all that may have moved the model's deadline.
static void schedule(struct mqtt_adapter *a)
{
    int64_t at = mqtt_model_deadline(a->model);
    if (at == a->wake_at)
        return;
    a->wake_at = at;
    a->base.env->wake(a->base.env, at);
}

/* What the model asks for. */

static void post(struct mqtt_adapter *a, const struct event *ev)
{
    a->in++;
    a->base.env->post(a->base.env, ev);
}

static uint64_t next_token(struct mqtt_adapter *a)
{
    a->outstanding++;
    a->owed = OWES_NOTHING;
    return ++a->token;
}

static void host_post(void *ud, const struct event *ev)
{
    struct mqtt_adapter *a = ud;
    struct event tracked = *ev;
    if (a->durable && ev->kind == EV_MESSAGE && !ev->blob.n) { // no file is promised
        tracked.token = next_token(a);
        tracked.flags |= EVENT_DURABLE;
    } else if (a->durable) {
        a->owed = OWES_DURABILITY;
    } else if (a->owed == OWES_NOTHING) {
        a->owed = OWES_TAKING;
    }
    post(a, &tracked);
}

static enum err host_publish(void *ud, const struct mqtt_publish *p)
{
    struct mqtt_adapter *a = ud;
    return a->link ? mqtt_link_publish(a->link, p) : ERR_OFFLINE;
}

static void link_subscribe(struct mqtt_adapter *a, const struct filter *f)
{
    struct str text = {f->text, f->n};
    if (a->link && mqtt_link_subscribe(a->link, text, f->qos))
        log_error(log_of(a), LOG_MSG("not a valid topic filter"), LOG_S("filter", text));
}

static void host_subscribe(void *ud, struct str text, unsigned qos)
{
    struct mqtt_adapter *a = ud;
    struct filter *f = map_get(&a->filters, text);
    bool known = f && f->qos >= qos;
    if (!f) {
        f = MEM_NEW(struct filter);
        f->text = mem_dup(text.p, text.n);
        f->n = text.n;
        map_put(&a->filters, (struct str){f->text, f->n}, f);
    }
    f->count++;
    if (known)
        return;
    f->qos = qos;
    link_subscribe(a, f);
}

static void filter_free(struct filter *f)
{
    mem_free(f->text);
    mem_free(f);
}

static void host_unsubscribe(void *ud, struct str text)
{
    struct mqtt_adapter *a = ud;
    struct filter *f = map_get(&a->filters, text);
    if (!f || --f->count > 0)
        return;
    if (a->link)
        mqtt_link_unsubscribe(a->link, text);
    map_remove(&a->filters, text);
    filter_free(f);
}

static const struct mqtt_model_host host = {host_post, host_publish, host_subscribe, host_unsubscribe};

/* What the link says. */

static void on_up(void *ud, bool session_present, enum mqtt_protocol protocol)
{
    (void)session_present;
    struct mqtt_adapter *a = ud;
    a->refused = 0;
    mqtt_model_protocol(a->model, protocol);
    post(a, &(struct event){.kind = EV_LINK_UP});
    mqtt_model_link(a->model, true, now(a), wall(a));
    schedule(a);
}

static void on_down(void *ud, enum err e, const char *why)
{
    struct mqtt_adapter *a = ud;
    post(a, &(struct event){.kind = EV_LINK_DOWN, .err = e, .body = str_c(why)});
    mqtt_model_link(a->model, false, now(a), wall(a));
    schedule(a);
}

static void on_message(void *ud, const struct mqtt_message *m)
{
    struct mqtt_adapter *a = ud;
    a->durable = m->qos > 0;
    mqtt_model_message(a->model, m, now(a), wall(a));
    a->durable = false;
}

static void on_batch(void *ud)
{
    struct mqtt_adapter *a = ud;
    unsigned flags = a->owed == OWES_DURABILITY ? EVENT_DURABLE : 0;
    if (a->owed != OWES_NOTHING)
        post(a, &(struct event){.kind = EV_BARRIER, .flags = flags, .token = next_token(a)});
    if (a->outstanding == 0)
        mqtt_link_ack(a->link);
    schedule(a);
}

static void on_published(void *ud, uint64_t token, enum err e, const char *why)
{
    struct mqtt_adapter *a = ud;
    mqtt_model_published(a->model, token, e, why, now(a), wall(a));
    schedule(a);
}

static void on_poison(void *ud, const char *why)
{
    struct mqtt_adapter *a = ud;
    a->poisoned++;
    a->dropped++;
    arena_reset(&a->words);
    struct str text = arena_printf(&a->words, "messages were lost: the broker's session was given up (%s)", why);
    a->base.env->post(a->base.env, &(struct event){.kind = EV_NOTICE, .body = text});
}

static void on_subscribed(void *ud, struct str filter, enum err e)
{
    struct mqtt_adapter *a = ud;
    if (!e)
        return;
    a->refused++;
    arena_reset(&a->words);
    struct str text = arena_printf(&a->words, "the broker refuses the subscription to " STR_FMT, STR_ARG(filter));
    a->base.env->post(a->base.env, &(struct event){.kind = EV_NOTICE, .body = text});
}

static const struct mqtt_link_events link_events = {
    .up = on_up,
    .down = on_down,
    .message = on_message,
    .batch = on_batch,
    .published = on_published,
    .poison = on_poison,
    .subscribed = on_subscribed,
};

static void open_link(struct mqtt_adapter *a)
{
    struct adapter_env *env = a->base.env;
    size_t at = 0;
    void *filter;
    a->link = mqtt_link_create(&a->cfg, env->loop, env->rng, &link_events, a, &env->log);
    for (struct str text; map_next(&a->filters, &at, &text, &filter);)
        link_subscribe(a, filter);
    mqtt_link_start(a->link);
}

/* Closing, and replacing the link. */

static void destroy(struct mqtt_adapter *a)
{
    size_t at = 0;
    void *filter;
    mqtt_model_destroy(a->model);
    for (struct str text; map_next(&a->filters, &at, &text, &filter);)
        filter_free(filter);
    map_finish(&a->filters);
    mqtt_settings_finish(&a->cfg);
    arena_finish(&a->words);
    mem_free(a);
}

static void all_closed(struct mqtt_adapter *a)
{
    void (*closed)(void *ud) = a->closed;
    void *ud = a->closed_ud;
    destroy(a);
    closed(ud);
}

static void on_closed(void *ud)
{
    struct mqtt_adapter *a = ud;
    if (--a->leaving > 0)
        return;
    if (a->closing)
        all_closed(a);
    else
        open_link(a);
}

static void close_link(struct mqtt_adapter *a)
{
    struct mqtt_link *link = a->link;
    if (!link)
        return;
    a->link = NULL;
    a->leaving++;
    mqtt_link_close(link, on_closed, a);
}

static void mqtt_close(struct adapter *base, void (*closed)(void *ud), void *ud)
{
    struct mqtt_adapter *a = mqtt_of(base);
    if (a->closing)
        return;
    a->closing = true;
    a->closed = closed;
    a->closed_ud = ud;
    close_link(a);
    if (a->leaving == 0)
        all_closed(a);
}

static void replace_link(struct mqtt_adapter *a)
{
    bool was_up = a->link && mqtt_link_is_up(a->link);
    close_link(a);
    if (was_up)
        on_down(a, ERR_CLOSED, "settings changed: connecting again");
}

static enum err mqtt_reload(struct adapter *base, const struct conf_value *section, struct conf_report *report)
{
    struct mqtt_adapter *a = mqtt_of(base);
    struct mqtt_link_config cfg;
    enum err e = mqtt_conf_read(section, base->env->name, report, &cfg);
    if (e)
        return e;
    e = mqtt_model_reload(a->model, section, report, now(a), wall(a));
    if (e) {
        mqtt_settings_finish(&cfg);
        return e;
    }
    bool same = mqtt_settings_equal(&a->cfg, &cfg);
    mqtt_settings_finish(&a->cfg);
    a->cfg = cfg;
    if (!same)
        replace_link(a);
    schedule(a);
    return ERR_OK;
}

/* Starting. */

static enum err mqtt_create(struct adapter_env *env, const struct conf_value *section, struct conf_report *report,
                            struct adapter **out)
{
    struct mqtt_adapter *a = MEM_NEW(struct mqtt_adapter);
    a->base = (struct adapter){&mqtt_adapter_ops, env};
    a->wake_at = INT64_MAX;
    map_init(&a->filters);
    arena_init(&a->words, 512);
    enum err e = mqtt_conf_read(section, env->name, report, &a->cfg);
    a->model = mqtt_model_create(section, report, &host, a, &env->log);
    if (e || !a->model) {
        destroy(a);
        return ERR_CONF;
    }
    *out = &a->base;
    return ERR_OK;
}

static void mqtt_restore(struct adapter *base, struct str key, struct str blob)
{
    mqtt_model_restore(mqtt_of(base)->model, key, blob);
}

static void mqtt_start(struct adapter *base)
{
    struct mqtt_adapter *a = mqtt_of(base);
    mqtt_model_start(a->model, now(a), wall(a));
    open_link(a);
    schedule(a);
}

static void mqtt_wake(struct adapter *base)
{
    struct mqtt_adapter *a = mqtt_of(base);
    a->wake_at = INT64_MAX;
    mqtt_model_tick(a->model, now(a), wall(a));
    schedule(a);
}

static void mqtt_flush(struct adapter *base)
{
    struct mqtt_adapter *a = mqtt_of(base);
    mqtt_model_flush(a->model, now(a), wall(a));
}

/* What the bridge says. */

static enum err to_model(struct mqtt_adapter *a, const struct event *ev)
{
    enum err e = mqtt_model_send(a->model, ev);
    a->out += e == ERR_OK;
    schedule(a);
    return e;
}

static enum err answered(struct mqtt_adapter *a, const struct event *ev)
{
    if (ev->kind == EV_REFUSED) {
        a->dropped++;
        log_warn(log_of(a), LOG_MSG("a message from a device was not taken"), LOG_ERR(ev->err));
    }
    if (a->outstanding > 0 && --a->outstanding == 0 && a->link)
        mqtt_link_ack(a->link);
    return ERR_OK;
}

static enum err forget(struct mqtt_adapter *a, const struct event *ev)
{
    mqtt_model_forget(a->model, ev->key, ev->now, ev->wall);
    schedule(a);
    return ERR_OK;
}

static enum err ignored(struct mqtt_adapter *a, const struct event *ev)
{
    (void)a;
    (void)ev;
    return ERR_OK;
}

static enum err mqtt_send(struct adapter *base, const struct event *ev)
{
    static enum err (*const on[EV_COUNT])(struct mqtt_adapter * a, const struct event *ev) = {
        [EV_MESSAGE] = to_model, [EV_COMMAND] = to_model, [EV_TYPING] = ignored, [EV_JOURNALED] = answered,
        [EV_REFUSED] = answered, [EV_FAILED] = ignored,   [EV_FORGET] = forget,
    };
    return on[ev->kind] ? on[ev->kind](mqtt_of(base), ev) : ERR_UNSUPPORTED;
}

static enum err mqtt_resolve(struct adapter *base, struct str text, struct candidate *out)
{
    return mqtt_model_resolve(mqtt_of(base)->model, text, out);
}

static enum err mqtt_describe(struct adapter *base, struct str key, struct description *out)
{
    return mqtt_model_describe(mqtt_of(base)->model, key, out);
}

static size_t mqtt_commands(struct adapter *base, struct str key, const struct command **out)
{
    return mqtt_model_commands(mqtt_of(base)->model, key, out);
}

static struct str state_of(struct mqtt_adapter *a, const struct mqtt_model_stat *model)
{
    arena_reset(&a->words);
    struct str parts[4] = {a->link      ? mqtt_link_state(a->link, &a->words)
                           : a->leaving ? STR("connecting again")
                                        : STR("not started")};
    size_t n = 1;
    parts[n++] = arena_printf(&a->words, "; %zu device%s", model->devices, model->devices == 1 ? "" : "s");
    if (a->refused)
        parts[n++] = arena_printf(&a->words, "; %zu subscriptions refused by the broker", a->refused);
    if (a->poisoned)
        parts[n++] =
            arena_printf(&a->words, "; session given up %zu times for a message that cannot be read", a->poisoned);
    return arena_concat(&a->words, parts, n);
}

static void mqtt_stat(const struct adapter *base, struct adapter_stat *out)
{
    struct mqtt_adapter *a = mqtt_of((struct adapter *)(uintptr_t)base);
    struct mqtt_model_stat model;
    mqtt_model_stat(a->model, &model);
    *out = (struct adapter_stat){
        .up = a->link && mqtt_link_is_up(a->link),
        .state = state_of(a, &model),
        .in = a->in,
        .out = a->out,
        .dropped = a->dropped + model.invalid + model.refused_discoveries,
        .queued = a->outstanding,
        .bytes = model.bytes,
    };
}

const struct adapter_ops mqtt_adapter_ops = {
    .type = "mqtt",
    .gateway = "mqtt",
    .prompt = "Name of the device",
    .schema = mqtt_schema,
    .create = mqtt_create,
    .restore = mqtt_restore,
    .start = mqtt_start,
    .send = mqtt_send,
    .resolve = mqtt_resolve,
    .describe = mqtt_describe,
    .commands = mqtt_commands,
    .reload = mqtt_reload,
    .wake = mqtt_wake,
    .flush = mqtt_flush,
    .close = mqtt_close,
    .stat = mqtt_stat,
};
