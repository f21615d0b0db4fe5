/* Home Assistant's MQTT discovery:
 *
 *     <prefix>/<component>/[<node>/]<object>/config   one entity
 *     <prefix>/device/[<node>/]<object>/config        a device with all its components
 *
 * Whoever may publish under the prefix can say such things, so all of it is bounded, and only topics that the
 * configuration allows can be listened to or written to. What comes out is normalised: long names, whole topics, only
 * members that are known. Entities of one device (its first identifier) become one contact. */
#include "adapters/mqtt/mqtt_convention.h"

#include "adapters/mqtt/mqtt_entity.h"
#include "adapters/mqtt/mqtt_topic.h"

#include "base/mem.h"
#include "base/utf8.h"

enum { DEPTH = 8 }; // of the JSON

struct hass {
    char *prefix; // owned
};

static struct str prefix_of(const void *self)
{
    return str_c(((const struct hass *)self)->prefix);
}

static void *hass_create(const struct conf_value *discovery, struct conf_report *report)
{
    const struct conf_value *prefix = conf_get(discovery, "prefix"), *allow = conf_get(discovery, "allow");
    const struct conf_value *enabled = conf_get(discovery, "enabled");
    struct str text = conf_str(prefix);

    if (!mqtt_topic_publishable(text))
        conf_fail(report, prefix, "not a topic");
    else if (conf_bool(enabled) && conf_count(allow) == 0)
        conf_fail(report, conf_is_set(allow) ? allow : enabled,
                  "discovery needs `allow`: the topics that discovered devices may use; [\"#\"] for all of them");
    else if (conf_bool(enabled)) {
        struct hass *h = MEM_NEW(struct hass);
        h->prefix = mem_dup(text.p, text.n);
        return h;
    }
    return NULL;
}

static void hass_destroy(void *self)
{
    struct hass *h = self;

    if (!h)
        return;
    mem_free(h->prefix);
    mem_free(h);
}

static struct str hass_filter(const void *self, size_t n, struct arena *a)
{
    static const char *const shapes[] = {"+/+/config", "+/+/+/config"};

    return n < sizeof(shapes) / sizeof(shapes[0]) ? arena_printf(a, STR_FMT "/%s", STR_ARG(prefix_of(self)), shapes[n])
                                                  : STR_NONE;
}

static bool hass_reserves(const void *self, struct str topic)
{
    return mqtt_topic_under(prefix_of(self), topic);
}

static bool hass_owns(const void *self, struct str topic)
{
    return hass_reserves(self, topic) && str_ends(topic, STR("/config"));
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
    {"image_encoding", "img_e", false},
    {"image_topic", "img_t", true},
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
    {"topic", "t", true},
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

/* Reading */

struct reader {
    struct arena *arena;
    struct mqtt_found *out;
    struct errmsg *msg;
    struct str component, object; // of the topic
    const json_t *root;
    struct str base; // "~"
};

static bool read_topic(struct str prefix, struct str topic, struct reader *r)
{
    struct str rest = str_sub(topic, prefix.n + 1, topic.n - strlen("/config")), node;

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

static enum err add_entity(struct reader *r, json_t *entity, struct str component)
{
    if (!mqtt_entity_known(component))
        return err_set(r->msg, ERR_UNSUPPORTED, "component " STR_FMT " is not used",
                       STR_ARG(utf8_display(r->arena, component, 40)));
    if (r->out->count == MQTT_DISCOVERY_ENTITIES)
        return err_set(r->msg, ERR_LIMIT, "more than %d entities", MQTT_DISCOVERY_ENTITIES);
    (void)json_object_set_new(entity, "platform", json_stringn(component.p, component.n));
    struct str text = mqtt_convention_dump(entity, r->arena);
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
    r->out->key = mqtt_convention_key(mqtt_hass.name, identity(r, device), r->arena);
    (void)json_object_del(device, "connections"); // told who it is; no more is done with them
    r->out->device = mqtt_convention_dump(device, r->arena);
    json_decref(device);
    return str_eq_c(r->component, "device") ? read_components(r) : read_single(r);
}

static enum err read_payload(struct reader *r, struct str payload)
{
    if (payload.n > MQTT_DISCOVERY_PAYLOAD)
        return err_set(r->msg, ERR_LIMIT, "%zu bytes, more than %d", payload.n, MQTT_DISCOVERY_PAYLOAD);
    if (mqtt_convention_depth(payload) > DEPTH)
        return err_set(r->msg, ERR_LIMIT, "nested deeper than %d", DEPTH);
    json_t *root = json_read(payload, MQTT_DISCOVERY_PAYLOAD, r->msg);
    if (!root)
        return ERR_BADREQ;
    r->root = root;
    enum err e = json_is_object(root) ? read_root(r) : err_set(r->msg, ERR_BADREQ, "not a JSON object");
    json_decref(root);
    return e;
}

static enum err hass_message(void *self, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct mqtt_found found = {.source = m->topic};
    struct reader r = {.arena = sink->arena, .out = &found, .msg = msg};

    if (!read_topic(prefix_of(self), m->topic, &r))
        return err_set(msg, ERR_BADREQ, "not a topic of discovery");
    if (m->payload.n == 0) {
        sink->gone(sink, m->topic);
        return ERR_OK;
    }
    enum err e = read_payload(&r, m->payload);
    if (e == ERR_OK)
        (void)sink->found(sink, &found);
    return e;
}

const struct mqtt_convention mqtt_hass = {
    .name = "ha",
    .create = hass_create,
    .destroy = hass_destroy,
    .filter = hass_filter,
    .owns = hass_owns,
    .reserves = hass_reserves,
    .message = hass_message,
};
