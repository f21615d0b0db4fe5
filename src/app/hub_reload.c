/* Reload: check all of the new configuration first, then apply it; on any error nothing has changed.
 *
 * Components are matched by name. One whose server, secret or TLS has changed ends its stream in good order and
 * connects anew, by what its driver was told then; new and vanished components, and changes of domain, take a restart,
 * and are refused here with their place. Adapters come, change and go; one that comes again has a new number, so that
 * nothing that is still under way for the old one reaches it. */
#include "app/hub_private.h"

#include "base/mem.h"

#include <assert.h>

static void check_components(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *components = conf_get(config, "components");
    size_t known = 0;
    for (size_t i = 0; i < h->link_count; i++) {
        if (hub_section(components, h->links[i].name))
            known++;
        else
            conf_fail(report, components, "components.%s is gone: that takes a restart", h->links[i].name);
    }
    if (conf_count(components) > known)
        conf_fail(report, components, "a component was added: that takes a restart");
}

static void check_fixed(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *fixed = conf_needs_restart(h->config, config);
    if (fixed)
        conf_fail(report, fixed, "this was something else at the start: a change takes a restart");
}

static bool same_place(const struct hub_adapter *a, const struct conf_value *config, const struct conf_value *section)
{
    const struct conf_value *component = hub_section(conf_get(config, "components"), a->link->name);
    struct str wanted = conf_str(conf_get(section, "component"));
    return component && str_eq_c(conf_str(conf_get(section, "type")), a->ops->type) &&
           (!wanted.n || str_eq_c(wanted, a->link->name));
}

static bool changed(struct hub *h, struct hub_adapter *a, const struct conf_value *section)
{
    const struct conf_value *before = hub_section(conf_get(h->config, "adapters"), a->name);
    return !before || !conf_equal(before, section);
}

static void drop_unstarted(struct hub_adapter *a)
{
    hub_adapter_close(a);
    assert(!a->adapter); // nothing was started, so closing is done at once
    hub_adapter_destroy(a);
}

// An instance that is made and closed at once: validation without effects, for create() does no I/O.
static void try_adapter(struct hub *h, const struct conf_value *config, const struct conf_value *section,
                        struct conf_report *report)
{
    struct hub_adapter *a = hub_adapter_create(h, config, section, UINT16_MAX, report);
    if (a)
        drop_unstarted(a);
}

static void check_adapters(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    const struct conf_value *adapters = conf_get(config, "adapters");
    size_t at = 0, numbers = h->adapter_count;
    for (const struct conf_value *s; (s = conf_each(adapters, &at));) {
        struct hub_adapter *a = hub_adapter_named(h, conf_name(s));
        numbers += !a;
        if (a && !same_place(a, config, s))
            conf_fail(report, s, "an adapter's type and component are permanent: give the new one another name");
        else if (!a || changed(h, a, s))
            try_adapter(h, config, s, report);
    }
    if (numbers >= UINT16_MAX) // a number is never used again
        conf_fail(report, adapters, "too many adapters have come and gone: that takes a restart");
}

static enum err apply_bridge(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    struct arena a;
    arena_init(&a, 0);
    struct bridge_config cfg;
    hub_bridge_config(h, config, &a, &cfg);
    struct errmsg msg;
    enum err e = bridge_reconfigure(h->bridge, &cfg, &msg);
    if (e)
        conf_fail(report, config, "%s", msg.text);
    else
        record_config(h->record, &cfg, false);
    arena_finish(&a);
    return e;
}

// Made, not yet started: until then each can be taken back.
static enum err make_additions(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    size_t at = 0;
    for (const struct conf_value *s; (s = conf_each(conf_get(config, "adapters"), &at));) {
        if (hub_adapter_named(h, conf_name(s)))
            continue;
        struct hub_adapter *a = hub_adapter_create(h, config, s, (uint16_t)(h->adapter_count + 1), report);
        if (!a)
            return ERR_CONF;
        h->adapters = mem_realloc(h->adapters, h->adapter_count + 1, sizeof(struct hub_adapter *));
        h->adapters[h->adapter_count++] = a;
    }
    return ERR_OK;
}

static void drop_additions(struct hub *h, size_t first)
{
    while (h->adapter_count > first)
        drop_unstarted(h->adapters[--h->adapter_count]);
}

static void apply_changes(struct hub *h, const struct conf_value *config, size_t count, struct conf_report *report)
{
    for (size_t i = 0; i < count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        const struct conf_value *s = a ? hub_section(conf_get(config, "adapters"), a->name) : NULL;
        if (!a)
            continue;
        if (!s) {
            log_info(&a->env.log, LOG_MSG("adapter removed"));
            hub_adapter_close(a);
        } else if (changed(h, a, s)) { // which passed as an instance of its own
            if (a->ops->reload(a->adapter, s, report))
                log_error(&a->env.log, LOG_MSG("adapter not reloaded: it keeps its old settings"));
            else
                log_info(&a->env.log, LOG_MSG("adapter reloaded"));
        }
    }
}

// What the mapping table still holds of an earlier instance of that name.
static void tell_known(struct hub *h, const struct hub_adapter *a)
{
    struct identity_view id;
    for (uint32_t at = 0; a->ops->known && bridge_next(h->bridge, a->link->number, NULL, &at, &id);) {
        if (id.adapter == a->env.number)
            a->ops->known(a->adapter, id.key, id.quarantined);
    }
}

static enum err restore(void *ud, const struct row *row)
{
    struct hub_adapter *a = ud;
    a->ops->restore(a->adapter, row->key, row->text);
    return ERR_OK;
}

static void restore_state(struct hub *h, struct hub_adapter *a)
{
    enum err e = a->ops->restore ? store_load_state(h->store, str_c(a->name), restore, a) : ERR_OK;
    if (e)
        log_error(&a->env.log, LOG_MSG("what is stored of it cannot be read: it begins anew"), LOG_ERR(e));
}

static void start_from(struct hub *h, size_t first)
{
    for (size_t i = first; i < h->adapter_count; i++) {
        struct hub_adapter *a = h->adapters[i];
        log_info(&a->env.log, LOG_MSG("adapter added"));
        tell_known(h, a);
        restore_state(h, a);
        a->ops->start(a->adapter);
    }
}

static void renew_links(struct hub *h, const struct conf_value *config)
{
    for (size_t i = 0; i < h->link_count; i++)
        hub_link_reload(&h->links[i], hub_section(conf_get(h->config, "components"), h->links[i].name),
                        hub_section(conf_get(config, "components"), h->links[i].name));
}

// While the core still knows whose rows they are.
static void flush_removed(struct hub *h, const struct conf_value *config)
{
    for (size_t i = 0; i < h->adapter_count; i++) {
        struct hub_adapter *a = hub_adapter_at(h, (uint16_t)(i + 1));
        if (a && !hub_section(conf_get(config, "adapters"), a->name))
            hub_flush(h, a);
    }
}

enum err hub_reload(struct hub *h, const struct conf_value *config, struct conf_report *report)
{
    check_components(h, config, report);
    check_fixed(h, config, report);
    if (!conf_errors(report))
        check_adapters(h, config, report);
    if (conf_errors(report))
        return ERR_CONF;
    flush_removed(h, config);
    size_t first = h->adapter_count;
    if (make_additions(h, config, report) || apply_bridge(h, config, report)) {
        drop_additions(h, first);
        return ERR_CONF;
    }
    apply_changes(h, config, first, report);
    renew_links(h, config);
    hub_take_admins(h, config);
    hub_retention_follow(h, config);
    start_from(h, first);
    h->config = config;
    h->host->changed(h->ud);
    return ERR_OK;
}
