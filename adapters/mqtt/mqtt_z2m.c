/* Zigbee2MQTT, by its own messages:
 *
 *     <base>/bridge/devices        all its devices, and what they expose
 *     <base>/bridge/state          whether it is there itself
 *     <base>/<name>                the state of a device, JSON; <name> may hold '/'
 *     <base>/<name>/availability   "online", or {"state":"online"} since its version 2
 *     <base>/<name>/set            takes commands
 *
 * A device is known by its IEEE address: another name, or one that had been another device's, is no other contact. What
 * the list does not name is gone; but only a list with the coordinator in it, which is in every one, is taken for the
 * whole. Without a definition, or before it has been interviewed, a device is no contact yet. A long list is worked off
 * in slices, one a tick. */
#include "adapters/mqtt/mqtt_z2m.h"

#include "adapters/mqtt/mqtt_topic.h"

#include "base/mem.h"

enum {
    LIST_MAX = 4 << 20, // bytes of a list: some 600 devices
    DEPTH = 24,         // of its JSON
    ADDRESS_MAX = 32,   // bytes of an IEEE address
    SLICE = 32,         // devices looked at in one call
};

struct z2m {
    char *base;   // owned
    json_t *list; // owned: what is being worked off; NULL: nothing
    size_t at;    // the next of it
    int64_t due;
};

const struct conf_item mqtt_z2m_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Whether devices are made from what Zigbee2MQTT says of them on `BASE/bridge/devices`."},
    {.name = "base", .type = CONF_STR, .dflt = "zigbee2mqtt", .doc = "Its `base_topic`."},
    {.name = NULL},
};

static struct str base_of(const void *self)
{
    return str_c(((const struct z2m *)self)->base);
}

static void *z2m_create(const struct conf_value *discovery, struct conf_report *report)
{
    const struct conf_value *section = conf_get(discovery, "zigbee2mqtt"), *base = conf_get(section, "base");
    struct str text = conf_str(base);

    if (!conf_bool(conf_get(section, "enabled")))
        return NULL;
    if (!mqtt_topic_publishable(text) || str_ends(text, STR("/"))) {
        conf_fail(report, base, "not a topic");
        return NULL;
    }
    struct z2m *z = MEM_NEW(struct z2m);
    z->base = mem_dup(text.p, text.n);
    z->due = INT64_MAX;
    return z;
}

static void z2m_destroy(void *self)
{
    struct z2m *z = self;

    if (!z)
        return;
    json_decref(z->list);
    mem_free(z->base);
    mem_free(z);
}

static void z2m_inherit(void *self, void *from)
{
    struct z2m *z = self, *old = from;

    if (!str_eq_c(str_c(z->base), old->base))
        return;
    z->list = old->list;
    z->at = old->at;
    z->due = old->due;
    old->list = NULL;
}

/* Topics */

static struct str z2m_filter(const void *self, size_t n, struct arena *a)
{
    return n == 0 ? arena_printf(a, STR_FMT "/bridge/devices", STR_ARG(base_of(self))) : STR_NONE;
}

static struct str below(const void *self, struct str topic)
{
    struct str base = base_of(self);

    return mqtt_topic_under(base, topic) && topic.n > base.n + 1 ? str_sub(topic, base.n + 1, topic.n) : STR_NONE;
}

static bool z2m_owns(const void *self, struct str topic)
{
    return str_eq_c(below(self, topic), "bridge/devices");
}

static bool z2m_reserves(const void *self, struct str topic)
{
    return mqtt_topic_under(STR("bridge"), below(self, topic));
}

static bool z2m_covers(const void *self, struct str topic, bool command)
{
    struct str rest = below(self, topic);

    if (z2m_reserves(self, topic))
        return !command && str_eq_c(rest, "bridge/state");
    return rest.n && (!command || str_ends(rest, STR("/set")));
}

/* One device */

static void put(json_t *object, const char *name, struct str value)
{
    if (value.n)
        (void)json_object_set_new(object, name, json_stringn(value.p, value.n));
}

static void add_topic(json_t *list, struct str topic)
{
    json_t *one = json_object();

    put(one, "topic", topic);
    (void)json_array_append_new(list, one);
}

static struct str model_of(const json_t *definition, struct arena *a)
{
    struct str model = json_member_str(definition, "model"), text = json_member_str(definition, "description");

    return text.n ? arena_printf(a, STR_FMT " (" STR_FMT ")", STR_ARG(model), STR_ARG(text)) : model;
}

static struct str describe(const struct z2m *z, const json_t *device, const char *cls, struct arena *a)
{
    const json_t *definition = json_object_get(device, "definition");
    struct str name = json_member_str(device, "friendly_name");
    json_t *out = json_object(), *topics = json_array();

    put(out, "~", arena_printf(a, "%s/" STR_FMT, z->base, STR_ARG(name)));
    put(out, "name", name);
    put(out, "model", model_of(definition, a));
    put(out, "manufacturer", json_member_str(definition, "vendor"));
    put(out, "sw_version", json_member_str(device, "software_build_id"));
    put(out, "serial_number", json_member_str(device, "ieee_address"));
    put(out, "class", str_c(cls));
    if (json_is_true(json_object_get(device, "disabled")))
        (void)json_object_set_new(out, "disabled", json_true());
    add_topic(topics, arena_printf(a, "%s/bridge/state", z->base));
    add_topic(topics, STR("~/availability"));
    (void)json_object_set_new(out, "availability", topics);
    struct str text = mqtt_convention_dump(out, a);
    json_decref(out);
    return text;
}

static bool is_coordinator(const json_t *device)
{
    return str_eq_c(json_member_str(device, "type"), "Coordinator");
}

// Since its version 2.1 by a word.
static bool is_interviewed(const json_t *device)
{
    struct str state = json_member_str(device, "interview_state");

    return json_is_true(json_object_get(device, "interview_completed")) || str_eq_c(state, "SUCCESSFUL");
}

static struct str key_of(const json_t *device, struct arena *a)
{
    struct str address = json_member_str(device, "ieee_address");
    bool good = address.n > 0 && address.n <= ADDRESS_MAX && !is_coordinator(device);

    return good ? mqtt_convention_key("z2m", address, a) : STR_NONE;
}

static enum err read_device(const struct z2m *z, const json_t *device, struct arena *a, struct mqtt_found *out,
                            struct errmsg *msg)
{
    struct str name = json_member_str(device, "friendly_name");
    json_t *exposes = json_object_get(json_object_get(device, "definition"), "exposes");
    const char *cls = NULL;

    if (name.n == 0)
        return err_set(msg, ERR_BADREQ, "a device without a friendly_name");
    if (!is_interviewed(device))
        return err_set(msg, ERR_UNSUPPORTED, "its interview is not over");
    if (!json_is_array(exposes))
        return err_set(msg, ERR_UNSUPPORTED, "Zigbee2MQTT does not support it");
    enum err e = z2m_exposes_read(exposes, a, out, &cls, msg);
    if (e != ERR_OK)
        return e;
    out->device = describe(z, device, cls, a);
    return out->device.n ? ERR_OK : err_set(msg, ERR_LIMIT, "its name or model is too large");
}

static void tell(const struct z2m *z, const json_t *device, struct mqtt_sink *sink)
{
    struct mqtt_found found = {.key = key_of(device, sink->arena)};
    struct errmsg msg = {""};

    if (is_coordinator(device))
        return;
    found.source = arena_printf(sink->arena, "%s/bridge/devices#" STR_FMT, z->base,
                                STR_ARG(json_member_str(device, "ieee_address")));
    enum err e = found.key.n ? read_device(z, device, sink->arena, &found, &msg)
                             : err_set(&msg, ERR_BADREQ, "a device without an ieee_address");
    if (e == ERR_OK)
        (void)sink->found(sink, &found);
    else
        sink->refused(sink, found.source, e, msg.text);
}

/* The list */

// Who is not in it gives up its topics before another asks for them.
static void keep_all(const json_t *list, struct mqtt_sink *sink)
{
    bool whole = false;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *device = json_array_get(list, i);
        struct str key = key_of(device, sink->arena);
        if (key.n)
            sink->keep(sink, key);
        whole = whole || is_coordinator(device);
    }
    if (whole)
        sink->rest(sink);
}

static int64_t z2m_deadline(const void *self)
{
    return ((const struct z2m *)self)->due;
}

static void z2m_tick(void *self, struct mqtt_sink *sink)
{
    struct z2m *z = self;
    size_t end = z->at + SLICE;

    for (; z->at < json_array_size(z->list) && z->at < end; z->at++)
        tell(z, json_array_get(z->list, z->at), sink);
    z->due = sink->now;
    if (z->at < json_array_size(z->list))
        return;
    json_decref(z->list);
    z->list = NULL;
    z->due = INT64_MAX;
}

static enum err z2m_message(void *self, const struct mqtt_message *m, struct mqtt_sink *sink, struct errmsg *msg)
{
    struct z2m *z = self;

    if (m->payload.n == 0)
        return ERR_OK;
    if (m->payload.n > LIST_MAX)
        return err_set(msg, ERR_LIMIT, "%zu bytes, more than %d", m->payload.n, LIST_MAX);
    if (mqtt_convention_depth(m->payload) > DEPTH)
        return err_set(msg, ERR_LIMIT, "nested deeper than %d", DEPTH);
    json_t *list = json_read(m->payload, LIST_MAX, msg);
    if (!list)
        return ERR_BADREQ;
    if (!json_is_array(list)) {
        json_decref(list);
        return err_set(msg, ERR_BADREQ, "not a list of devices");
    }
    json_decref(z->list); // an older one is of no interest any more
    z->list = list;
    z->at = 0;
    keep_all(list, sink);
    z2m_tick(z, sink);
    return ERR_OK;
}

const struct mqtt_convention mqtt_z2m = {
    .name = "z2m",
    .one_voice = true,
    .create = z2m_create,
    .destroy = z2m_destroy,
    .filter = z2m_filter,
    .owns = z2m_owns,
    .reserves = z2m_reserves,
    .covers = z2m_covers,
    .message = z2m_message,
    .deadline = z2m_deadline,
    .tick = z2m_tick,
    .inherit = z2m_inherit,
};
