/* From the configuration file to the core's configuration. */
#include "app/hub_private.h"

#include "base/mem.h"

#include <stdio.h>

const struct conf_value *hub_section(const struct conf_value *named, const char *name)
{
    size_t at = 0;
    for (const struct conf_value *v; (v = conf_each(named, &at));) {
        if (str_eq_c(conf_name(v), name))
            return v;
    }
    return NULL;
}

static void take_components(struct hub *h, const struct conf_value *config, struct arena *a, struct bridge_config *out)
{
    struct bridge_component *v = arena_zalloc(a, h->link_count, sizeof *v);
    for (size_t i = 0; i < h->link_count; i++)
        v[i] = (struct bridge_component){
            str_c(h->links[i].domain),
            conf_str(conf_get(hub_section(conf_get(config, "components"), h->links[i].name), "name"))};
    out->components = v;
    out->component_count = h->link_count;
}

static void take_adapter(const struct hub_adapter *one, const struct conf_value *section, struct bridge_adapter *out)
{
    const struct conf_value *journal = conf_get(section, "journal");
    *out = (struct bridge_adapter){
        .name = str_c(one->name),
        .component = one->link->number,
        .offer = conf_bool(conf_get(section, "offer")),
        .max_records = (size_t)conf_int(conf_get(journal, "max_messages")),
        .max_bytes = (size_t)conf_int(conf_get(journal, "max_bytes")),
        .max_age = conf_int(conf_get(journal, "max_age")),
    };
}

// Who has left, or is to leave, has a number without a name.
static void take_adapters(struct hub *h, const struct conf_value *config, struct arena *a, struct bridge_config *out)
{
    struct bridge_adapter *v = arena_zalloc(a, h->adapter_count + 1, sizeof *v);
    for (size_t i = 0; i < h->adapter_count; i++) {
        const struct hub_adapter *one = hub_adapter_at(h, (uint16_t)(i + 1));
        const struct conf_value *section = one ? hub_section(conf_get(config, "adapters"), one->name) : NULL;
        if (section)
            take_adapter(one, section, &v[i]);
    }
    out->adapters = v;
    out->adapter_count = h->adapter_count;
}

static void take_rules(const struct conf_value *config, struct arena *a, struct bridge_config *out)
{
    const struct conf_value *admins = conf_get(config, "admins"), *access = conf_get(config, "access");
    struct str *v = arena_zalloc(a, conf_count(admins) * 2 + conf_count(access) + 1, sizeof *v);
    size_t n = 0, at = 0;
    for (const struct conf_value *c; (c = conf_each(admins, &at));) {
        v[n++] = arena_printf(a, "allow all to " STR_FMT, STR_ARG(conf_str(c)));
        v[n++] = arena_printf(a, "allow admin to " STR_FMT, STR_ARG(conf_str(c)));
    }
    at = 0;
    for (const struct conf_value *c; (c = conf_each(access, &at));)
        v[n++] = conf_str(c);
    out->rules = v;
    out->rule_count = n;
}

static struct str group_text(const struct conf_value *group, struct arena *a)
{
    struct str text = arena_printf(a, STR_FMT "=", STR_ARG(conf_name(group)));
    size_t at = 0;
    for (const struct conf_value *m; (m = conf_each(group, &at));)
        text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), at > 1 ? "," : "", STR_ARG(conf_str(m)));
    return text;
}

static void take_groups(const struct conf_value *config, struct arena *a, struct bridge_config *out)
{
    const struct conf_value *groups = conf_get(config, "groups");
    struct str *v = arena_zalloc(a, conf_count(groups) + 1, sizeof *v);
    size_t n = 0, at = 0;
    for (const struct conf_value *g; (g = conf_each(groups, &at));)
        v[n++] = group_text(g, a);
    out->groups = v;
    out->group_count = n;
}

// Addresses are prepared, as those that adapters name are.
static struct str room_text(const struct conf_value *room, struct arena *a)
{
    struct jid jid;
    struct str text = conf_str(conf_get(room, "room"));
    return text.n && !jid_parse(a, text, &jid) ? jid_format_bare(a, &jid) : STR_NONE;
}

static void take_rooms(const struct conf_value *config, struct arena *a, struct bridge_config *out)
{
    const struct conf_value *rooms = conf_get(config, "rooms");
    struct bridge_venue *v = arena_zalloc(a, conf_count(rooms) + 1, sizeof *v);
    size_t n = 0, at = 0;
    for (const struct conf_value *r; (r = conf_each(rooms, &at));)
        v[n++] = (struct bridge_venue){.room = room_text(r, a),
                                       .password = conf_str(conf_get(r, "password")),
                                       .create = conf_bool(conf_get(r, "create")),
                                       .cap = (unsigned)conf_int(conf_get(r, "guests")),
                                       .idle = conf_int(conf_get(r, "idle"))};
    out->venues = v;
    out->venue_count = n;
}

// Another one after each start of the machine; none in scenarios, whose machine never stops.
static struct str boot_id(struct hub *h, struct arena *a)
{
    char text[64] = "";
    FILE *f = h->host->loop(h->ud) ? fopen("/proc/sys/kernel/random/boot_id", "re") : NULL;
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        (void)fclose(f);
    return arena_dup(a, str_trim((struct str){text, n}));
}

void hub_bridge_config(struct hub *h, const struct conf_value *config, struct arena *a, struct bridge_config *out)
{
    *out = (struct bridge_config){
        .seed = rng_next(&h->rng), .boot = boot_id(h, a), .now = h->host->now(h->ud), .wall = h->host->wall(h->ud)};
    take_components(h, config, a, out);
    take_adapters(h, config, a, out);
    take_rules(config, a, out);
    take_groups(config, a, out);
    take_rooms(config, a, out);
}

static void drop_admins(struct hub *h)
{
    for (size_t i = 0; i < h->admin_count; i++)
        mem_free(h->admins[i]);
    mem_free(h->admins);
    h->admins = NULL;
    h->admin_count = 0;
}

void hub_take_admins(struct hub *h, const struct conf_value *config)
{
    drop_admins(h);
    if (!config)
        return;
    const struct conf_value *admins = conf_get(config, "admins");
    h->admins = mem_zalloc(conf_count(admins), sizeof *h->admins);
    size_t at = 0;
    for (const struct conf_value *c; (c = conf_each(admins, &at));)
        h->admins[h->admin_count++] = mem_dup(conf_str(c).p, conf_str(c).n);
}
