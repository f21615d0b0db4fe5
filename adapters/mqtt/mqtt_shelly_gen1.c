#include "adapters/mqtt/mqtt_shelly.h"

#include "adapters/mqtt/mqtt_topic.h"

enum { DEPTH_MAX = 12 };

json_t *mqtt_shelly_json(struct str payload, struct errmsg *msg)
{
    return mqtt_convention_object(payload, MQTT_SHELLY_JSON, DEPTH_MAX, msg);
}

/* Who it is */

// With a battery: they sleep, and are offline then.
static const char *const sleepers[] = {"SHBTN-1", "SHBTN-2", "SHDW-1",  "SHDW-2",
                                       "SHHT-1",  "SHSM-01", "SHSM-02", "SHWT-1"};

static bool sleeps(struct str model)
{
    for (size_t i = 0; i < sizeof(sleepers) / sizeof(sleepers[0]); i++)
        if (str_eq_c(model, sleepers[i]))
            return true;
    return false;
}

static void add_presence(json_t *device, struct str online, struct str model, int64_t sleep)
{
    if (sleeps(model))
        mqtt_describe_number(device, "expire_after", (double)sleep / 1000);
    else
        (void)json_object_set_new(device, "availability",
                                  json_pack("[{s:s%,s:s,s:s}]", "topic", online.p, online.n, "payload_available",
                                            "true", "payload_not_available", "false"));
}

static enum err describe(const json_t *root, struct str id, int64_t sleep, struct mqtt_describe *d, struct errmsg *msg)
{
    struct str ip = json_member_str(root, "ip"), name = json_member_str(root, "name");
    struct str online = arena_printf(d->a, "shellies/" STR_FMT "/online", STR_ARG(id));
    json_t *device = json_object(), *entity = mqtt_describe_entity("binary_sensor", STR("connection"));

    mqtt_describe_str(device, "name", name.n ? name : id);
    mqtt_describe_str(device, "model", json_member_str(root, "model"));
    mqtt_describe_c(device, "manufacturer", "Shelly");
    mqtt_describe_str(device, "sw_version", json_member_str(root, "fw_ver"));
    mqtt_describe_str(device, "serial_number", json_member_str(root, "mac"));
    if (ip.n && ip.n < 64)
        mqtt_describe_str(device, "configuration_url", arena_printf(d->a, "http://" STR_FMT "/", STR_ARG(ip)));
    add_presence(device, online, json_member_str(root, "model"), sleep);
    mqtt_describe_c(entity, "payload_on", "true");
    mqtt_describe_c(entity, "payload_off", "false");
    mqtt_describe_c(entity, "device_class", "connectivity");
    mqtt_describe_c(entity, "entity_category", "diagnostic");
    mqtt_describe_state(entity, online, STR_NONE);
    mqtt_describe_add(d, entity);
    return mqtt_describe_device(d, device, msg);
}

enum err mqtt_shelly_announce(struct str id, struct str payload, int64_t sleep, struct arena *a,
                              struct mqtt_shelly_announced *who, struct mqtt_describe *d, struct errmsg *msg)
{
    json_t *root = mqtt_shelly_json(payload, msg);
    enum err e = ERR_OK;

    if (!root)
        return ERR_BADREQ;
    if (id.n == 0)
        id = json_member_str(root, "id");
    *who = (struct mqtt_shelly_announced){.id = arena_dup(a, id),
                                          .gen2 = json_integer_value(json_object_get(root, "gen")) >= 2};
    if (!mqtt_topic_level_valid(id))
        e = err_set(msg, ERR_BADREQ, "its id cannot stand in a topic");
    else if (!who->gen2)
        e = describe(root, who->id, sleep, d, msg);
    json_decref(root);
    return e;
}

/* What it has */

struct learned { // by one topic
    struct mqtt_describe *d;
    struct arena *a;
    struct str base, tail, payload;
    struct str channel; // "0", or empty
};

struct row {
    const char *tail; // '+' stands for the channel
    void (*add)(struct learned *l, const struct row *r);
    const char *name, *unit, *cls;
    const char *on, *off; // payloads of a binary sensor
    bool minor;
};

// "power", "power 1" of the second channel.
static struct str name_of(struct learned *l, const char *name)
{
    if (l->channel.n == 0 || str_eq_c(l->channel, "0"))
        return str_c(name);
    return arena_printf(l->a, "%s " STR_FMT, name, STR_ARG(l->channel));
}

static struct str topic_of(struct learned *l, struct str tail, const char *last)
{
    return arena_printf(l->a, STR_FMT STR_FMT "%s", STR_ARG(l->base), STR_ARG(tail), last);
}

static void finish(struct learned *l, json_t *entity, struct str path, bool minor)
{
    if (minor)
        mqtt_describe_c(entity, "entity_category", "diagnostic");
    mqtt_describe_state(entity, topic_of(l, l->tail, ""), path);
    mqtt_describe_add(l->d, entity);
}

static void add_sensor(struct learned *l, const struct row *r)
{
    json_t *entity = mqtt_describe_entity("sensor", name_of(l, r->name));

    mqtt_describe_c(entity, "unit_of_measurement", r->unit);
    mqtt_describe_c(entity, "device_class", r->cls);
    finish(l, entity, STR_NONE, r->minor);
}

static void add_binary(struct learned *l, const struct row *r)
{
    json_t *entity = mqtt_describe_entity("binary_sensor", name_of(l, r->name));

    mqtt_describe_c(entity, "payload_on", r->on);
    mqtt_describe_c(entity, "payload_off", r->off);
    mqtt_describe_c(entity, "device_class", r->cls);
    finish(l, entity, STR_NONE, r->minor);
}

static void add_switch(struct learned *l, const struct row *r)
{
    json_t *entity = mqtt_describe_entity("switch", name_of(l, r->name));

    mqtt_describe_c(entity, "payload_on", "on");
    mqtt_describe_c(entity, "payload_off", "off");
    mqtt_describe_str(entity, "command_topic", topic_of(l, l->tail, "/command"));
    finish(l, entity, STR_NONE, false);
}

static void add_roller(struct learned *l, const struct row *r)
{
    json_t *entity = mqtt_describe_entity("select", name_of(l, r->name));

    (void)json_object_set_new(entity, "options", json_pack("[s,s,s]", "open", "close", "stop"));
    mqtt_describe_str(entity, "command_topic", topic_of(l, l->tail, "/command"));
    finish(l, entity, STR_NONE, false);
}

// A roller takes longer than we wait, so that its position confirms nothing.
static void add_position(struct learned *l, const struct row *r)
{
    json_t *entity = mqtt_describe_entity("number", name_of(l, r->name));

    mqtt_describe_c(entity, "unit_of_measurement", "%");
    mqtt_describe_number(entity, "min", 0);
    mqtt_describe_number(entity, "max", 100);
    (void)json_object_set_new(entity, "confirm", json_false());
    struct str roller = str_sub(l->tail, 0, l->tail.n - strlen("/pos"));
    mqtt_describe_str(entity, "command_topic", topic_of(l, roller, "/command/pos"));
    finish(l, entity, STR_NONE, false);
}

// A device repeats what was pressed last every 30 s: it is news when its count has changed.
static void add_input_event(struct learned *l, const struct row *r)
{
    json_t *entity = mqtt_describe_entity("occurrence", name_of(l, r->name));

    mqtt_describe_c(entity, "count_template", "event_cnt");
    finish(l, entity, STR("event"), true);
}

// Members of ".../status" that can be set at ".../set".
static const struct {
    const char *member, *name, *unit;
    double min, max;
} adjustable[] = {
    {"blue", "blue", NULL, 0, 255},
    {"brightness", "brightness", "%", 0, 100},
    {"gain", "brightness", "%", 0, 100}, // with colors
    {"green", "green", NULL, 0, 255},
    {"red", "red", NULL, 0, 255},
    {"temp", "white temperature", "K", 2700, 6500},
    {"white", "white", NULL, 0, 255},
};

static void add_light_status(struct learned *l, const struct row *r)
{
    json_t *root = mqtt_shelly_json(l->payload, NULL);
    struct str base = str_sub(l->tail, 0, l->tail.n - strlen("/status"));
    bool color = str_starts(l->tail, STR("color/"));

    (void)r;
    for (size_t i = 0; i < sizeof(adjustable) / sizeof(adjustable[0]); i++) {
        const char *member = adjustable[i].member;
        if (!json_is_integer(json_object_get(root, member)) || (color && strcmp(member, "brightness") == 0))
            continue;
        json_t *entity = mqtt_describe_entity("number", name_of(l, adjustable[i].name));
        mqtt_describe_c(entity, "unit_of_measurement", adjustable[i].unit);
        mqtt_describe_number(entity, "min", adjustable[i].min);
        mqtt_describe_number(entity, "max", adjustable[i].max);
        mqtt_describe_str(entity, "command_topic", topic_of(l, base, "/set"));
        mqtt_describe_str(entity, "command_template", arena_printf(l->a, "{\"%s\": {{ value }}}", member));
        finish(l, entity, str_c(member), false);
    }
    json_decref(root);
}

// The one message of a motion sensor.
static void add_motion(struct learned *l, const struct row *r)
{
    static const struct {
        const char *path, *name, *unit, *cls;
        bool binary, minor;
    } members[] = {
        {"motion", "motion", NULL, "motion", true, false},
        {"vibration", "vibration", NULL, "vibration", true, false},
        {"lux.value", "illuminance", "lx", "illuminance", false, false},
        {"tmp.value", "temperature", "°C", "temperature", false, false},
        {"bat.value", "battery", "%", "battery", false, true},
    };
    json_t *root = mqtt_shelly_json(l->payload, NULL);

    (void)r;
    for (size_t i = 0; root && i < sizeof(members) / sizeof(members[0]); i++) {
        if (!json_at(root, str_c(members[i].path)))
            continue;
        json_t *entity = mqtt_describe_entity(members[i].binary ? "binary_sensor" : "sensor", str_c(members[i].name));
        mqtt_describe_c(entity, "unit_of_measurement", members[i].unit);
        mqtt_describe_c(entity, "device_class", members[i].cls);
        if (members[i].binary) {
            mqtt_describe_c(entity, "payload_on", "true");
            mqtt_describe_c(entity, "payload_off", "false");
        }
        finish(l, entity, str_c(members[i].path), members[i].minor);
    }
    json_decref(root);
}

static const struct row rows[] = {
    {"adc/+", add_sensor, "adc", "V", "voltage", NULL, NULL, false},
    {"color/+", add_switch, "light", NULL, NULL, NULL, NULL, false},
    {"color/+/energy", add_sensor, "energy", "Wmin", "energy", NULL, NULL, true},
    {"color/+/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"color/+/status", add_light_status, NULL, NULL, NULL, NULL, NULL, false},
    {"emeter/+/current", add_sensor, "current", "A", "current", NULL, NULL, true},
    {"emeter/+/pf", add_sensor, "power factor", NULL, "power_factor", NULL, NULL, true},
    {"emeter/+/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"emeter/+/reactive_power", add_sensor, "reactive power", "var", "reactive_power", NULL, NULL, true},
    {"emeter/+/total", add_sensor, "energy", "Wh", "energy", NULL, NULL, true},
    {"emeter/+/total_returned", add_sensor, "energy returned", "Wh", "energy", NULL, NULL, true},
    {"emeter/+/voltage", add_sensor, "voltage", "V", "voltage", NULL, NULL, true},
    {"ext_humidity/+", add_sensor, "humidity", "%", "humidity", NULL, NULL, false},
    {"ext_switch/+", add_binary, "external switch", NULL, NULL, "1", "0", false},
    {"ext_temperature/+", add_sensor, "temperature", "°C", "temperature", NULL, NULL, false},
    {"input/+", add_binary, "input", NULL, NULL, "1", "0", false},
    {"input_event/+", add_input_event, "input event", NULL, NULL, NULL, NULL, true},
    {"light/+", add_switch, "light", NULL, NULL, NULL, NULL, false},
    {"light/+/energy", add_sensor, "energy", "Wmin", "energy", NULL, NULL, true},
    {"light/+/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"light/+/status", add_light_status, NULL, NULL, NULL, NULL, NULL, false},
    {"overtemperature", add_binary, "overtemperature", NULL, "problem", "1", "0", true},
    {"relay/+", add_switch, "switch", NULL, NULL, NULL, NULL, false},
    {"relay/+/energy", add_sensor, "energy", "Wmin", "energy", NULL, NULL, true},
    {"relay/+/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"relay/energy", add_sensor, "energy", "Wmin", "energy", NULL, NULL, true},
    {"relay/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"roller/+", add_roller, "roller", NULL, NULL, NULL, NULL, false},
    {"roller/+/energy", add_sensor, "energy", "Wmin", "energy", NULL, NULL, true},
    {"roller/+/pos", add_position, "position", NULL, NULL, NULL, NULL, false},
    {"roller/+/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"sensor/battery", add_sensor, "battery", "%", "battery", NULL, NULL, true},
    {"sensor/charger", add_binary, "charger", NULL, "plug", "true", "false", true},
    {"sensor/concentration", add_sensor, "gas concentration", "ppm", NULL, NULL, NULL, false},
    {"sensor/flood", add_binary, "flood", NULL, "moisture", "true", "false", false},
    {"sensor/gas", add_sensor, "gas", NULL, NULL, NULL, NULL, false},
    {"sensor/humidity", add_sensor, "humidity", "%", "humidity", NULL, NULL, false},
    {"sensor/lux", add_sensor, "illuminance", "lx", "illuminance", NULL, NULL, false},
    {"sensor/motion", add_binary, "motion", NULL, "motion", "1", "0", false},
    {"sensor/operation", add_sensor, "operation", NULL, NULL, NULL, NULL, true},
    {"sensor/smoke", add_binary, "smoke", NULL, "smoke", "true", "false", false},
    {"sensor/state", add_binary, "contact", NULL, "opening", "open", "close", false},
    {"sensor/temperature", add_sensor, "temperature", "°C", "temperature", NULL, NULL, false},
    {"sensor/tilt", add_sensor, "tilt", "°", NULL, NULL, NULL, true},
    {"sensor/vibration", add_binary, "vibration", NULL, "vibration", "1", "0", true},
    {"status", add_motion, NULL, NULL, NULL, NULL, NULL, false},
    {"temperature", add_sensor, "temperature of the device", "°C", "temperature", NULL, NULL, true},
    {"voltage", add_sensor, "voltage", "V", "voltage", NULL, NULL, true},
    {"white/+", add_switch, "light", NULL, NULL, NULL, NULL, false},
    {"white/+/energy", add_sensor, "energy", "Wmin", "energy", NULL, NULL, true},
    {"white/+/power", add_sensor, "power", "W", "power", NULL, NULL, false},
    {"white/+/status", add_light_status, NULL, NULL, NULL, NULL, NULL, false},
};

static bool is_channel(struct str s)
{
    uint64_t n;

    return s.n <= 2 && str_to_u64(s, &n);
}

enum err mqtt_shelly_learn(struct str base, struct str tail, struct str payload, struct mqtt_describe *d)
{
    struct learned l = {.d = d, .a = d->a, .base = base, .tail = tail, .payload = payload};
    size_t before = d->out->count;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct mqtt_captures c;
        if (!mqtt_topic_match(str_c(rows[i].tail), tail, &c) || (c.count && !is_channel(c.level[0])))
            continue;
        l.channel = c.count ? c.level[0] : STR_NONE;
        rows[i].add(&l, &rows[i]);
    }
    return d->out->count > before ? ERR_OK : ERR_UNSUPPORTED;
}
