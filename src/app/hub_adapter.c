/* An adapter instance as the hub holds it, and the env it is given. */
#include "app/hub_private.h"

#include "app/app_conf.h"
#include "base/mem.h"

static struct hub_adapter *adapter_of(struct adapter_env *env)
{
    return CONTAINER_OF(env, struct hub_adapter, env);
}

static void env_post(struct adapter_env *env, const struct event *ev)
{
    struct hub_adapter *a = adapter_of(env);
    if (a->closing)
        return;
    struct event posted = *ev;
    posted.adapter = env->number;
    posted.component = a->link->number;
    hub_stamp(a->hub, &posted);
    if (posted.blob.n && posted.kind != EV_STATE)
        hub_upload_take(a->link, &posted);
    else
        queue_push(&a->link->posts, &posted);
    a->hub->host->changed(a->hub->ud);
}

static void env_picture(struct adapter_env *env, struct str cls, struct str media, struct str bytes)
{
    struct hub_adapter *a = adapter_of(env);
    if (pictures_add(&a->hub->pictures, cls, media, bytes))
        log_warn(&env->log, LOG_MSG("there are too many pictures: the avatar is that of the class"),
                 LOG_S("class", cls));
}

static int64_t env_now(struct adapter_env *env)
{
    struct hub *h = adapter_of(env)->hub;
    return h->host->now(h->ud);
}

static int64_t env_wall(struct adapter_env *env)
{
    struct hub *h = adapter_of(env)->hub;
    return h->host->wall(h->ud);
}

static void env_wake(struct adapter_env *env, int64_t at)
{
    struct hub_adapter *a = adapter_of(env);
    a->wake = at;
    a->hub->host->changed(a->hub->ud);
}

static struct hub_link *link_of(struct hub *h, const struct conf_value *config, const struct conf_value *section)
{
    struct str name = conf_name(app_conf_component(config, section));
    for (size_t i = 0; i < h->link_count; i++) {
        if (str_eq_c(name, h->links[i].name))
            return &h->links[i];
    }
    return NULL;
}

static enum log_subsystem subsystem_of(const struct adapter_ops *ops)
{
    enum log_subsystem sub = LOG_SUB_app;
    (void)log_sub_parse(str_c(ops->type), &sub);
    return sub;
}

struct hub_adapter *hub_adapter_create(struct hub *h, const struct conf_value *config, const struct conf_value *section,
                                       uint16_t number, struct conf_report *report)
{
    struct hub_adapter *a = MEM_NEW(struct hub_adapter);
    a->hub = h;
    a->ops = app_adapter_find(conf_str(conf_get(section, "type")));
    a->link = link_of(h, config, section);
    a->name = mem_dup(conf_name(section).p, conf_name(section).n);
    a->wake = INT64_MAX;
    a->env = (struct adapter_env){
        .name = a->name,
        .number = number,
        .loop = h->host->loop(h->ud),
        .log = {&h->log, subsystem_of(a->ops), "adapter", a->name},
        .rng = &h->rng,
        .post = env_post,
        .picture = env_picture,
        .now = env_now,
        .wall = env_wall,
        .wake = env_wake,
    };
    if (a->ops->create(&a->env, section, report, &a->adapter)) {
        hub_adapter_destroy(a);
        return NULL;
    }
    return a;
}

void hub_adapter_destroy(struct hub_adapter *a)
{
    if (!a)
        return;
    mem_free(a->name);
    mem_free(a);
}

static void closed(void *ud)
{
    struct hub_adapter *a = ud;
    a->adapter = NULL;
    a->wake = INT64_MAX;
    a->hub->host->changed(a->hub->ud);
}

void hub_adapter_close(struct hub_adapter *a)
{
    if (a->closing || !a->adapter)
        return;
    a->closing = true;
    a->ops->close(a->adapter, closed, a);
}
