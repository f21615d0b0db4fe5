/* Files of adapters on their way to users: what the uploads of a link need of the hub. */
#include "app/hub_private.h"

#include "base/mem.h"

static int64_t up_now(void *ud)
{
    struct hub_link *l = ud;
    return l->hub->host->now(l->hub->ud);
}

static int64_t up_wall(void *ud)
{
    struct hub_link *l = ud;
    return l->hub->host->wall(l->hub->ud);
}

static enum err up_ask(void *ud, const struct gateway_request *r)
{
    struct hub_link *l = ud;
    if (component_state(l->component) != COMPONENT_UP)
        return ERR_OFFLINE;
    return gateway_ask(l->gateway, r, component_output(l->component), up_now(l));
}

static void up_unask(void *ud, const void *asker)
{
    struct hub_link *l = ud;
    gateway_unask(l->gateway, asker);
}

static enum err up_send(void *ud, const struct http_request *r, http_done *done, void *done_ud, struct http_call **out,
                        struct errmsg *msg)
{
    struct hub_link *l = ud;
    struct http *http = l->hub->host->http(l->hub->ud);
    if (!http)
        return err_set(msg, ERR_UNSUPPORTED, "there is no HTTP here");
    return http_send(http, r, done, done_ud, out, msg);
}

static void up_cancel(void *ud, struct http_call *call)
{
    (void)ud;
    http_cancel(call);
}

static void up_done(void *ud, const struct event *ev)
{
    struct hub_link *l = ud;
    queue_push(&l->posts, ev);
    l->hub->host->changed(l->hub->ud);
}

static void up_notice(void *ud, struct str text)
{
    hub_notice(ud, LOG_WARN, text);
}

static void up_changed(void *ud)
{
    struct hub_link *l = ud;
    l->hub->host->changed(l->hub->ud);
}

static const struct uploads_host host = {
    .now = up_now,
    .wall = up_wall,
    .ask = up_ask,
    .unask = up_unask,
    .send = up_send,
    .cancel = up_cancel,
    .done = up_done,
    .notice = up_notice,
    .changed = up_changed,
};

static struct uploads_config config_of(const struct hub_link *l, const struct conf_value *section)
{
    const struct conf_value *upload = conf_get(section, "upload");
    return (struct uploads_config){
        .domain = str_c(l->domain),
        .service = conf_str(conf_get(upload, "service")),
        .ca_file = conf_cstr(conf_get(upload, "ca")),
        .reuse = conf_int(conf_get(upload, "reuse")),
    };
}

void hub_upload_init(struct hub_link *l, const struct conf_value *section)
{
    struct uploads_config cfg = config_of(l, section);
    l->uploads = uploads_create(&cfg, &host, l, &l->log);
}

void hub_upload_reload(struct hub_link *l, const struct conf_value *before, const struct conf_value *after)
{
    if (conf_equal(conf_get(before, "upload"), conf_get(after, "upload")))
        return;
    struct uploads_config cfg = config_of(l, after);
    uploads_configure(l->uploads, &cfg);
}

// What nobody would see is not sent: it would only fill the server's disk.
void hub_upload_take(struct hub_link *l, const struct event *ev)
{
    bool to_all = ev->kind == EV_MESSAGE && !ev->user.domain.n;
    if (!to_all || bridge_heard(l->hub->bridge, ev->adapter, ev->key))
        uploads_take(l->uploads, ev);
}
