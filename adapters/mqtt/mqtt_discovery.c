#include "adapters/mqtt/mqtt_discovery.h"

#include "adapters/mqtt/mqtt_entity.h"
#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_profile.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "text/hash.h"

/* Configuration */

const struct conf_item mqtt_model_discovery_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Whether devices are made from Home Assistant's discovery messages (Zigbee2MQTT, ESPHome, Tasmota, ...)."},
    {.name = "prefix", .type = CONF_STR, .dflt = "homeassistant", .doc = "Topic under which they are published."},
    {.name = "allow",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Topic filters: what a discovered device may listen and write to. Whoever can publish under the prefix can "
            "make devices, so nothing is allowed that is not named here.",
     .example = "[\"zigbee2mqtt/#\"]"},
    {.name = "command_topics",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Topic filters: what commands of a discovered device may be sent to. Without it: what `allow` says.",
     .example = "[\"zigbee2mqtt/+/set\"]"},
    {.name = "quarantine",
     .type = CONF_BOOL,
     .dflt = "true",
     .doc = "Whether an admin must approve a discovered device before others can see it."},
    {.name = "max_devices",
     .type = CONF_INT,
     .min = 1,
     .max = 100000,
     .dflt = "1000",
     .doc = "No more devices than this are made."},
    {.name = "max_rate",
     .type = CONF_INT,
     .min = 1,
     .max = 100000,
     .dflt = "60",
     .doc = "New devices a minute, once `max_devices` have been made since the start."},
    MQTT_TELLING_ITEMS,
    {.name = NULL},
};

static struct str *filters(struct arena *a, const struct conf_value *list, struct conf_report *report, size_t *count)
{
    struct str *out = arena_zalloc(a, conf_count(list) + 1, sizeof(*out));
    const struct conf_value *v;

    for (size_t at = 0; (v = conf_each(list, &at));) {
        if (!mqtt_topic_filter_valid(conf_str(v)) || str_starts(conf_str(v), STR("$")))
            conf_fail(report, v, "not a topic filter: '+' stands for one level, '#' for all that follow");
        out[(*count)++] = arena_dup(a, conf_str(v));
    }
    return out;
}

static void read_filters(struct mqtt_discovery *d, const struct conf_value *section, struct conf_report *report)
{
    const struct conf_value *allow = conf_get(section, "allow");

    d->allow = filters(&d->arena, allow, report, &d->allow_count);
    d->command = filters(&d->arena, conf_get(section, "command_topics"), report, &d->command_count);
    if (d->command_count == 0) {
        d->command = d->allow;
        d->command_count = d->allow_count;
    }
    if (d->enabled && d->allow_count == 0)
        conf_fail(report, conf_is_set(allow) ? allow : conf_get(section, "enabled"),
                  "discovery needs `allow`: the topics that discovered devices may use; [\"#\"] for all of them");
}

struct mqtt_discovery *mqtt_discovery_create(const struct conf_value *section, struct conf_report *report)
{
    struct mqtt_discovery *d = MEM_NEW(struct mqtt_discovery);
    const struct conf_value *prefix = conf_get(section, "prefix");
    size_t before = conf_errors(report);

    arena_init(&d->arena, 512);
    d->enabled = conf_bool(conf_get(section, "enabled"));
    d->quarantine = conf_bool(conf_get(section, "quarantine"));
    d->prefix = arena_dup(&d->arena, conf_str(prefix));
    d->max_devices = (size_t)conf_int(conf_get(section, "max_devices"));
    d->max_rate = (double)conf_int(conf_get(section, "max_rate"));
    d->offline_delay = conf_int(conf_get(section, "offline_delay"));
    d->status_interval = conf_int(conf_get(section, "status_interval"));
    if (!mqtt_topic_publishable(d->prefix))
        conf_fail(report, prefix, "not a topic");
    read_filters(d, section, report);
    if (conf_errors(report) == before)
        return d;
    mqtt_discovery_destroy(d);
    return NULL;
}

void mqtt_discovery_destroy(struct mqtt_discovery *d)
{
    if (!d)
        return;
    arena_finish(&d->arena);
    mem_free(d);
}

static bool allowed(const struct str *list, size_t count, struct str topic)
{
    for (size_t i = 0; i < count; i++)
        if (mqtt_topic_match(list[i], topic, NULL))
            return true;
    return false;
}

bool mqtt_discovery_may_read(const struct mqtt_discovery *d, struct str topic)
{
    return allowed(d->allow, d->allow_count, topic);
}

bool mqtt_discovery_may_write(const struct mqtt_discovery *d, struct str topic)
{
    return allowed(d->command, d->command_count, topic) && !mqtt_topic_under(d->prefix, topic);
}

bool mqtt_discovery_owns(const struct mqtt_discovery *d, struct str topic)
{
    return d->enabled && mqtt_topic_under(d->prefix, topic) && str_ends(topic, STR("/config"));
}

/* Normalising */

struct member {
    const char *name, *brief;
    bool topic; // "~" is expanded in it
};

// What we use of an entity.
static const struct member entity_members[] = {
    {"availability_mode", "avty_mode", false},
    {"availability_template", "avty_tpl", false},
    {"availability_topic", "avty_t", true},
    {"brightness", "brightness", false},
    {"brightness_command_topic", "bri_cmd_t", true},
    {"brightness_scale", "bri_scl", false},
    {"brightness_state_topic", "bri_stat_t", true},
    {"brightness_value_template", "bri_val_tpl", false},
    {"command_template", "cmd_tpl", false},
    {"command_topic", "cmd_t", true},
    {"current_temperature_template", "curr_temp_tpl", false},
    {"current_temperature_topic", "curr_temp_t", true},
    {"device_class", "dev_cla", false},
    {"entity_category", "ent_cat", false},
    {"expire_after", "exp_aft", false},
    {"max", "max", false},
    {"max_temp", "max_temp", false},
    {"min", "min", false},
    {"min_temp", "min_temp", false},
    {"mode_command_topic", "mode_cmd_t", true},
    {"mode_state_template", "mode_stat_tpl", false},
    {"mode_state_topic", "mode_stat_t", true},
    {"modes", "modes", false},
    {"name", "name", false},
    {"object_id", "obj_id", false},
    {"options", "ops", false},
    {"payload_available", "pl_avail", false},
    {"payload_close", "pl_cls", false},
    {"payload_lock", "pl_lock", false},
    {"payload_not_available", "pl_not_avail", false},
    {"payload_off", "pl_off", false},
    {"payload_on", "pl_on", false},
    {"payload_open", "pl_open", false},
    {"payload_press", "pl_prs", false},
    {"payload_stop", "pl_stop", false},
    {"payload_unlock", "pl_unlk", false},
    {"platform", "p", false},
    {"position_template", "pos_tpl", false},
    {"position_topic", "pos_t", true},
    {"schema", "schema", false},
    {"set_position_topic", "set_pos_t", true},
    {"state_locked", "stat_locked", false},
    {"state_off", "stat_off", false},
    {"state_on", "stat_on", false},
    {"state_topic", "stat_t", true},
    {"state_unlocked", "stat_unlocked", false},
    {"state_value_template", "stat_val_tpl", false},
    {"step", "step", false},
    {"suggested_display_precision", "sug_dsp_prc", false},
    {"supported_color_modes", "sup_clrm", false},
    {"temp_step", "temp_step", false},
    {"temperature_command_topic", "temp_cmd_t", true},
    {"temperature_state_template", "temp_stat_tpl", false},
    {"temperature_state_topic", "temp_stat_t", true},
    {"temperature_unit", "temp_unit", false},
    {"unit_of_measurement", "unit_of_meas", false},
    {"value_template", "val_tpl", false},
    {NULL, NULL, false},
};

static const struct member availability_members[] = {
    {"payload_available", "pl_avail", false},
    {"payload_not_available", "pl_not_avail", false},
    {"topic", "t", true},
    {"value_template", "val_tpl", false},
    {NULL, NULL, false},
};

static const struct member device_members[] = {
    {"configuration_url", "cu", false},
    {"connections", "cns", false},
    {"identifiers", "ids", false},
    {"manufacturer", "mf", false},
    {"model", "mdl", false},
    {"name", "name", false},
    {"serial_number", "sn", false},
    {"suggested_area", "sa", false},
    {"sw_version", "sw", false},
    {NULL, NULL, false},
};

static json_t *either(const json_t *object, const char *name, const char *brief)
{
    json_t *v = json_object_get(object, name);

    return v ? v : json_object_get(object, brief);
}

static struct str string_of(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

// A new value with "~" at the start or the end of a topic expanded.
static json_t *expand(const json_t *value, struct str base, struct arena *a)
{
    struct str topic = string_of(value);

    if (base.n && str_starts(topic, STR("~")))
        topic = arena_concat(a, (const struct str[]){base, str_sub(topic, 1, topic.n)}, 2);
    else if (base.n && str_ends(topic, STR("~")))
        topic = arena_concat(a, (const struct str[]){str_sub(topic, 0, topic.n - 1), base}, 2);
    return json_stringn(topic.p ? topic.p : "", topic.n);
}

// A text, number or boolean, or a list of them.
static bool is_plain(const json_t *v)
{
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v); i++)
            if (!json_is_string(json_array_get(v, i)) && !json_is_number(json_array_get(v, i)))
                return false;
        return true;
    }
    return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

static void copy_members(json_t *out, const json_t *from, const struct member *members, struct str base,
                         struct arena *a)
{
    for (const struct member *m = members; m->name; m++) {
        json_t *v = either(from, m->name, m->brief);
        if (m->topic && json_is_string(v))
            (void)json_object_set_new(out, m->name, expand(v, base, a));
        else if (!m->topic && is_plain(v))
            (void)json_object_set(out, m->name, v);
    }
}

static void copy_availability(json_t *out, const json_t *from, struct str base, struct arena *a)
{
    const json_t *list = either(from, "availability", "avty");
    json_t *copy;

    if (!json_is_array(list))
        return;
    copy = json_array();
    for (size_t i = 0; i < json_array_size(list) && i < MQTT_SPEC_AVAILABILITY; i++) {
        json_t *one = json_object();
        copy_members(one, json_array_get(list, i), availability_members, base, a);
        (void)json_array_append_new(copy, one);
    }
    (void)json_object_set_new(out, "availability", copy);
}

static void copy_entity(json_t *out, const json_t *from, struct str base, struct arena *a)
{
    copy_members(out, from, entity_members, base, a);
    copy_availability(out, from, base, a);
}

// Compact, into the arena; empty when it is too large.
static struct str dump(const json_t *v, struct arena *a)
{
    size_t n = json_dumpb(v, NULL, 0, JSON_COMPACT);

    if (n == 0 || n > MQTT_DISCOVERY_PAYLOAD)
        return STR_NONE;
    char *text = arena_alloc(a, n + 1);
    (void)json_dumpb(v, text, n, JSON_COMPACT);
    text[n] = '\0';
    return (struct str){text, n};
}

/* Reading */

struct reader {
    struct arena *arena;
    struct mqtt_found *out;
    struct errmsg *msg;
    struct str component, object; // of the topic
    const json_t *root;
    struct str base; // "~"
};

// Brackets that are open at once, strings apart.
static size_t depth_of(struct str text)
{
    size_t depth = 0, most = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            most = ++depth > most ? depth : most;
        else if (!quoted && (c == '}' || c == ']') && depth)
            depth--;
    }
    return most;
}

static bool read_topic(const struct mqtt_discovery *d, struct str topic, struct reader *r)
{
    struct str rest = str_sub(topic, d->prefix.n + 1, topic.n - strlen("/config")), node;

    if (!str_cut(rest, '/', &r->component, &rest))
        return false;
    if (!str_rcut(rest, '/', &node, &r->object))
        r->object = rest;
    return r->component.n && r->object.n && str_find(node, '/') < 0;
}

// The first that there is of: identifiers, connections, and for a lone entity its own ids.
static struct str identity(const struct reader *r, const json_t *device)
{
    const json_t *ids = json_object_get(device, "identifiers");
    const json_t *connections = either(either(r->root, "device", "dev"), "connections", "cns");
    const json_t *first = json_is_array(ids) ? json_array_get(ids, 0) : ids;

    if (!first)
        first = json_array_get(json_array_get(connections, 0), 1);
    if (!first)
        first = either(r->root, "unique_id", "uniq_id");
    if (json_is_integer(first))
        return json_text(r->arena, first);
    return json_is_string(first) && json_string_length(first) ? string_of(first) : r->object;
}

// The identity as a key; one that is too long or no text stands by its hash.
static struct str make_key(struct str id, struct arena *a)
{
    enum { ID_MAX = 128, HASH_BYTES = 20 };
    uint8_t digest[32];

    if (id.n <= ID_MAX && str_eq(utf8_display(a, id, ID_MAX), id))
        return arena_printf(a, "ha:" STR_FMT, STR_ARG(id));
    hash_sha256(id, digest);
    return arena_printf(a, "ha:#" STR_FMT, STR_ARG(hash_base32(a, digest, HASH_BYTES)));
}

static enum err add_entity(struct reader *r, json_t *entity, struct str component)
{
    if (!mqtt_entity_known(component))
        return err_set(r->msg, ERR_UNSUPPORTED, "component " STR_FMT " is not used",
                       STR_ARG(utf8_display(r->arena, component, 40)));
    if (r->out->count == MQTT_DISCOVERY_ENTITIES)
        return err_set(r->msg, ERR_LIMIT, "more than %d entities", MQTT_DISCOVERY_ENTITIES);
    (void)json_object_set_new(entity, "platform", json_stringn(component.p, component.n));
    struct str text = dump(entity, r->arena);
    if (text.n == 0)
        return err_set(r->msg, ERR_LIMIT, "the entity is too large");
    r->out->entities[r->out->count++] = text;
    return ERR_OK;
}

static enum err read_single(struct reader *r)
{
    json_t *entity = json_object();

    copy_entity(entity, r->root, r->base, r->arena);
    if (!json_object_get(entity, "object_id"))
        (void)json_object_set_new(entity, "object_id", json_stringn(r->object.p, r->object.n));
    enum err e = add_entity(r, entity, r->component);
    json_decref(entity);
    return e;
}

static enum err read_component(struct reader *r, const char *name, const json_t *component)
{
    json_t *entity = json_object();
    enum err e = ERR_OK;

    copy_entity(entity, r->root, r->base, r->arena); // what all components share
    copy_entity(entity, component, r->base, r->arena);
    if (!json_object_get(entity, "object_id"))
        (void)json_object_set_new(entity, "object_id", json_string(name));
    struct str platform = json_member_str(entity, "platform");
    if (json_object_size(component) > 1) // one with its platform alone is a component that was removed
        e = add_entity(r, entity, platform);
    json_decref(entity);
    return e == ERR_UNSUPPORTED ? ERR_OK : e;
}

static enum err read_components(struct reader *r)
{
    json_t *components = either(r->root, "components", "cmps"), *component;
    const char *name;

    if (!json_is_object(components))
        return err_set(r->msg, ERR_BADREQ, "a device without components");
    json_object_foreach(components, name, component)
    {
        enum err e = read_component(r, name, component);
        if (e != ERR_OK)
            return e;
    }
    return r->out->count ? ERR_OK : err_set(r->msg, ERR_UNSUPPORTED, "no component of it is used");
}

static enum err read_root(struct reader *r)
{
    json_t *device = json_object();

    r->base = json_member_str(r->root, "~");
    copy_members(device, either(r->root, "device", "dev"), device_members, STR_NONE, r->arena);
    r->out->key = make_key(identity(r, device), r->arena);
    (void)json_object_del(device, "connections"); // told who it is; no more is done with them
    r->out->device = dump(device, r->arena);
    json_decref(device);
    return str_eq_c(r->component, "device") ? read_components(r) : read_single(r);
}

enum err mqtt_discovery_read(const struct mqtt_discovery *d, struct str topic, struct str payload, struct arena *a,
                             struct mqtt_found *out, struct errmsg *msg)
{
    struct reader r = {.arena = a, .out = out, .msg = msg};

    *out = (struct mqtt_found){.removal = payload.n == 0};
    if (!read_topic(d, topic, &r))
        return err_set(msg, ERR_BADREQ, "not a topic of discovery");
    if (payload.n == 0)
        return ERR_OK;
    if (payload.n > MQTT_DISCOVERY_PAYLOAD)
        return err_set(msg, ERR_LIMIT, "%zu bytes, more than %d", payload.n, MQTT_DISCOVERY_PAYLOAD);
    if (depth_of(payload) > MQTT_DISCOVERY_DEPTH)
        return err_set(msg, ERR_LIMIT, "nested deeper than %d", MQTT_DISCOVERY_DEPTH);
    json_t *root = json_read(payload, MQTT_DISCOVERY_PAYLOAD, msg);
    if (!root)
        return ERR_BADREQ;
    r.root = root;
    enum err e = json_is_object(root) ? read_root(&r) : err_set(msg, ERR_BADREQ, "not a JSON object");
    json_decref(root);
    return e;
}
