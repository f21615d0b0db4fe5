/* Components of a Shelly of generation 2 to 4, as it lists them in the answer to Shelly.GetStatus. Each says its state
 * on <prefix>/status/<component> (where that is enabled), its changes in notifications on <prefix>/events/rpc, and is
 * set by a request to <prefix>/rpc. */
#include "adapters/mqtt/mqtt_shelly.h"

struct describing {
    struct mqtt_describe *d;
    struct arena *a;
    const struct mqtt_shelly_conf *conf;
    const struct mqtt_shelly_answers *answers;
    struct str component, type, name; // "switch:0", "switch", what it is called
    const json_t *config;             // of the component, or NULL
    json_t *status;
};

bool mqtt_shelly_component(struct str key, struct str *type)
{
    struct str number;
    uint64_t n;

    if (!str_cut(key, ':', type, &number) || type->n == 0 || type->n > 24 || number.n > 5 || !str_to_u64(number, &n))
        return false;
    for (size_t i = 0; i < type->n; i++) {
        char c = type->p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

struct str mqtt_shelly_request(struct arena *a, struct str source, struct str id, const char *method)
{
    return arena_printf(a, "{\"id\":\"" STR_FMT "\",\"src\":\"" STR_FMT "\",\"method\":\"%s\"}", STR_ARG(id),
                        STR_ARG(source), method);
}

/* Entities */

// "Office light power"; of a component without a name of its own the word alone.
static struct str label_of(struct describing *s, const char *word)
{
    return *word ? arena_printf(s->a, STR_FMT " %s", STR_ARG(s->name), word) : s->name;
}

static json_t *entity_of(struct describing *s, const char *platform, const char *word)
{
    return mqtt_describe_entity(platform, label_of(s, word));
}

// Where a member of the status stands.
static void add_states(struct describing *s, json_t *entity, const char *path)
{
    mqtt_describe_state(entity, arena_printf(s->a, "~/status/" STR_FMT, STR_ARG(s->component)), str_c(path));
    mqtt_describe_state(entity, STR("~/events/rpc"),
                        arena_printf(s->a, "params." STR_FMT ".%s", STR_ARG(s->component), path));
}

// A control that calls the method with one parameter. `value`: what stands for it, "{{ value }}" or the same in quotes.
static void add_call(struct describing *s, json_t *entity, const char *method, const char *member, const char *value)
{
    struct str number = str_sub(s->component, s->type.n + 1, s->component.n);
    struct str head =
        arena_printf(s->a, "{\"id\":\"{id}\",\"src\":\"" STR_FMT "\",\"method\":\"%s\",\"params\":{\"id\":" STR_FMT,
                     STR_ARG(s->conf->source), method, STR_ARG(number));

    mqtt_describe_c(entity, "command_topic", "~/rpc");
    mqtt_describe_str(entity, "command_template",
                      member ? arena_printf(s->a, STR_FMT ",\"%s\":%s}}", STR_ARG(head), member, value)
                             : arena_printf(s->a, STR_FMT "}}", STR_ARG(head)));
    mqtt_describe_str(entity, "answer_topic", arena_printf(s->a, STR_FMT "/rpc", STR_ARG(s->conf->source)));
    mqtt_describe_c(entity, "answer", "rpc");
}

static bool has(const struct describing *s, const char *member)
{
    return json_object_get(s->status, member) != NULL;
}

struct reading {
    const char *types; // of components, with a space behind each
    const char *path;
    const char *word, *unit, *cls;
    bool minor;
};

#define OUTPUTS "switch light cover rgb rgbw cct pm1 "

static const struct reading readings[] = {
    {OUTPUTS, "apower", "power", "W", "power", false},
    {OUTPUTS, "voltage", "voltage", "V", "voltage", true},
    {OUTPUTS, "current", "current", "A", "current", true},
    {OUTPUTS, "pf", "power factor", NULL, "power_factor", true},
    {OUTPUTS, "freq", "frequency", "Hz", "frequency", true},
    {OUTPUTS, "aenergy.total", "energy", "Wh", "energy", true},
    {OUTPUTS, "temperature.tC", "temperature", "°C", "temperature", true},
    {"bthomesensor ", "value", "", NULL, NULL, false},
    {"cover ", "current_pos", "position", "%", NULL, false},
    {"devicepower ", "battery.percent", "battery", "%", "battery", true},
    {"em ", "total_act_power", "power", "W", "power", false},
    {"em ", "a_act_power", "power A", "W", "power", true},
    {"em ", "b_act_power", "power B", "W", "power", true},
    {"em ", "c_act_power", "power C", "W", "power", true},
    {"em ", "a_voltage", "voltage A", "V", "voltage", true},
    {"em ", "b_voltage", "voltage B", "V", "voltage", true},
    {"em ", "c_voltage", "voltage C", "V", "voltage", true},
    {"em ", "total_current", "current", "A", "current", true},
    {"em1 ", "act_power", "power", "W", "power", false},
    {"em1 ", "voltage", "voltage", "V", "voltage", true},
    {"em1 ", "current", "current", "A", "current", true},
    {"em1data ", "total_act_energy", "energy", "Wh", "energy", true},
    {"em1data ", "total_act_ret_energy", "energy returned", "Wh", "energy", true},
    {"emdata ", "total_act", "energy", "Wh", "energy", true},
    {"emdata ", "total_act_ret", "energy returned", "Wh", "energy", true},
    {"humidity ", "rh", "", "%", "humidity", false},
    {"illuminance ", "lux", "", "lx", "illuminance", false},
    {"input ", "percent", "", "%", NULL, false},
    {"input ", "counts.total", "count", NULL, NULL, false},
    {"temperature ", "tC", "", "°C", "temperature", false},
    {"thermostat ", "current_C", "temperature", "°C", "temperature", false},
    {"voltmeter ", "voltage", "", "V", "voltage", false},
};

// The list has this word.
static bool lists(const char *types, struct str type)
{
    struct str head, rest = str_c(types);

    while (str_cut(rest, ' ', &head, &rest))
        if (str_eq(head, type))
            return true;
    return false;
}

static void add_readings(struct describing *s)
{
    for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++) {
        const struct reading *r = &readings[i];
        const json_t *v = lists(r->types, s->type) ? json_at(s->status, str_c(r->path)) : NULL;
        if (!v || json_is_null(v))
            continue;
        json_t *entity = entity_of(s, "sensor", r->word);
        mqtt_describe_c(entity, "unit_of_measurement", r->unit);
        mqtt_describe_c(entity, "device_class", r->cls);
        if (r->minor)
            mqtt_describe_c(entity, "entity_category", "diagnostic");
        add_states(s, entity, r->path);
        mqtt_describe_add(s->d, entity);
    }
}

static void add_bool(struct describing *s, const char *method, const char *member, const char *param)
{
    json_t *entity = entity_of(s, "switch", "");

    mqtt_describe_c(entity, "payload_on", "true");
    mqtt_describe_c(entity, "payload_off", "false");
    add_states(s, entity, member);
    add_call(s, entity, method, param, "{{ value }}");
    mqtt_describe_add(s->d, entity);
}

static void add_number(struct describing *s, const char *word, const char *method, const char *member, double min,
                       double max, const char *unit)
{
    json_t *entity = entity_of(s, "number", word);

    mqtt_describe_c(entity, "unit_of_measurement", unit);
    mqtt_describe_number(entity, "min", min);
    mqtt_describe_number(entity, "max", max);
    add_states(s, entity, member);
    add_call(s, entity, method, member, "{{ value }}");
    mqtt_describe_add(s->d, entity);
}

static void build_switch(struct describing *s)
{
    add_bool(s, "Switch.Set", "output", "on");
}

static void build_light(struct describing *s)
{
    static const struct {
        const char *type, *method;
    } methods[] = {{"light", "Light.Set"}, {"rgb", "RGB.Set"}, {"rgbw", "RGBW.Set"}, {"cct", "CCT.Set"}};
    const char *method = methods[0].method;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (str_eq_c(s->type, methods[i].type))
            method = methods[i].method;
    add_bool(s, method, "output", "on");
    if (has(s, "brightness"))
        add_number(s, "brightness", method, "brightness", 0, 100, "%");
    if (has(s, "ct"))
        add_number(s, "white temperature", method, "ct", 2700, 6500, "K");
    if (has(s, "white"))
        add_number(s, "white", method, "white", 0, 255, NULL);
}

static void build_cover(struct describing *s)
{
    json_t *entity = entity_of(s, "sensor", "state");

    add_states(s, entity, "state");
    mqtt_describe_add(s->d, entity);
    entity = entity_of(s, "select", "");
    (void)json_object_set_new(entity, "options", json_pack("[s,s,s]", "Open", "Close", "Stop"));
    add_call(s, entity, "Cover.{{ value }}", NULL, NULL);
    mqtt_describe_add(s->d, entity);
    if (!json_is_true(json_object_get(s->status, "pos_control")))
        return;
    entity = entity_of(s, "number", "go to");
    mqtt_describe_c(entity, "unit_of_measurement", "%");
    mqtt_describe_number(entity, "min", 0);
    mqtt_describe_number(entity, "max", 100);
    add_call(s, entity, "Cover.GoToPosition", "pos", "{{ value }}");
    mqtt_describe_add(s->d, entity);
}

static void add_state(struct describing *s, const char *member, const char *cls)
{
    json_t *entity = entity_of(s, "binary_sensor", "");

    mqtt_describe_c(entity, "payload_on", "true");
    mqtt_describe_c(entity, "payload_off", "false");
    mqtt_describe_c(entity, "device_class", cls);
    add_states(s, entity, member);
    mqtt_describe_add(s->d, entity);
}

// A switch has a state, a button has events: it is what its configuration says, else what its status says.
static void build_input(struct describing *s)
{
    struct str kind = json_member_str(s->config, "type");
    bool state = kind.n ? str_eq_c(kind, "switch") : json_is_boolean(json_object_get(s->status, "state"));
    bool button = kind.n ? str_eq_c(kind, "button") : json_is_null(json_object_get(s->status, "state"));

    if (state)
        add_state(s, "state", NULL);
    if (!button)
        return;
    json_t *entity = entity_of(s, "occurrence", "");
    mqtt_describe_state(entity, STR("~/events/rpc"),
                        arena_printf(s->a, "params.events[component=" STR_FMT "].event", STR_ARG(s->component)));
    (void)json_object_set_new(entity, "ignored", json_pack("[s,s,s]", "btn_down", "btn_up", "config_changed"));
    mqtt_describe_add(s->d, entity);
}

static void build_alarm(struct describing *s)
{
    add_state(s, "alarm", str_eq_c(s->type, "flood") ? "moisture" : "smoke");
}

static void build_boolean(struct describing *s)
{
    add_bool(s, "Boolean.Set", "value", "value");
}

static double bound(const struct describing *s, const char *member, double otherwise)
{
    const json_t *v = json_object_get(s->config, member);

    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static void build_number(struct describing *s)
{
    struct str unit = json_member_str(json_object_get(json_object_get(s->config, "meta"), "ui"), "unit");
    char *text = arena_cstr(s->a, unit);

    add_number(s, "", "Number.Set", "value", bound(s, "min", -999999), bound(s, "max", 999999), text);
}

static void build_enum(struct describing *s)
{
    json_t *options = json_object_get(s->config, "options"), *entity;

    if (json_array_size(options) == 0)
        return;
    entity = entity_of(s, "select", "");
    (void)json_object_set(entity, "options", options);
    add_states(s, entity, "value");
    add_call(s, entity, "Enum.Set", "value", "\"{{ value }}\"");
    mqtt_describe_add(s->d, entity);
}

static void build_text(struct describing *s)
{
    json_t *entity = entity_of(s, "text", "");

    mqtt_describe_number(entity, "max", bound(s, "max_len", 255));
    add_states(s, entity, "value");
    add_call(s, entity, "Text.Set", "value", "\"{{ value }}\"");
    mqtt_describe_add(s->d, entity);
}

static void build_button(struct describing *s)
{
    json_t *entity = entity_of(s, "button", "");

    mqtt_describe_c(entity, "payload_press", "single_push");
    add_call(s, entity, "Button.Trigger", "event", "\"{{ value }}\"");
    mqtt_describe_add(s->d, entity);
}

static void build_nothing(struct describing *s)
{
    (void)s; // its readings are all of it
}

static const struct {
    const char *type;
    void (*build)(struct describing *s);
} builders[] = {
    {"boolean", build_boolean},     {"bthomesensor", build_nothing},
    {"button", build_button},       {"cct", build_light},
    {"cover", build_cover},         {"devicepower", build_nothing},
    {"em", build_nothing},          {"em1", build_nothing},
    {"em1data", build_nothing},     {"emdata", build_nothing},
    {"enum", build_enum},           {"flood", build_alarm},
    {"humidity", build_nothing},    {"illuminance", build_nothing},
    {"input", build_input},         {"light", build_light},
    {"number", build_number},       {"pm1", build_nothing},
    {"rgb", build_light},           {"rgbw", build_light},
    {"smoke", build_alarm},         {"switch", build_switch},
    {"temperature", build_nothing}, {"text", build_text},
    {"thermostat", build_nothing},  {"voltmeter", build_nothing},
};

// Components that say nothing of the house.
static bool is_internal(struct str type)
{
    static const char *const internal[] = {"blutrv", "bthomedevice", "group",  "knx",
                                           "matter", "schedule",     "script", "service"};

    for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++)
        if (str_eq_c(type, internal[i]))
            return true;
    return false;
}

/* The whole */

static size_t count_of(json_t *status, struct str type)
{
    const char *key;
    json_t *v;
    size_t n = 0;

    json_object_foreach(status, key, v)
    {
        struct str t;
        n += mqtt_shelly_component(str_c(key), &t) && str_eq(t, type);
    }
    return n;
}

// Its own name; else "switch", "switch 1" where there are several.
static struct str name_of(struct describing *s)
{
    struct str name = json_member_str(s->config, "name"), number = str_sub(s->component, s->type.n + 1, s->component.n);

    if (name.n)
        return name;
    return count_of(s->answers->status, s->type) > 1
               ? arena_printf(s->a, STR_FMT " " STR_FMT, STR_ARG(s->type), STR_ARG(number))
               : s->type;
}

static void describe_component(struct describing *s, struct str key, json_t *status)
{
    if (!mqtt_shelly_component(key, &s->type) || !json_is_object(status))
        return;
    s->component = key;
    s->status = status;
    s->config = json_object_getn(s->answers->config, key.p, key.n);
    s->name = name_of(s);
    for (size_t i = 0; i < sizeof(builders) / sizeof(builders[0]); i++)
        if (str_eq_c(s->type, builders[i].type)) {
            builders[i].build(s);
            add_readings(s);
            return;
        }
    if (!is_internal(s->type))
        mqtt_describe_note(s->d, key);
}

static void add_signal(struct describing *s)
{
    json_t *entity;

    s->status = json_object_get(s->answers->status, "wifi");
    if (!json_is_number(json_object_get(s->status, "rssi")))
        return;
    s->component = STR("wifi");
    entity = mqtt_describe_entity("sensor", STR("signal"));
    mqtt_describe_c(entity, "unit_of_measurement", "dBm");
    mqtt_describe_c(entity, "entity_category", "diagnostic");
    add_states(s, entity, "rssi");
    mqtt_describe_add(s->d, entity);
}

static struct str first_of(struct str a, struct str b)
{
    return a.n ? a : b;
}

// A device that wakes now and then is offline in between: it lives while it keeps to its period.
static void add_presence(struct describing *s, json_t *device)
{
    enum { MISSED = 3 };
    json_t *period = json_at(s->answers->status, STR("sys.wakeup_period"));

    if (json_is_integer(period) && json_integer_value(period) > 0 && json_integer_value(period) < 1000000)
        mqtt_describe_number(device, "expire_after", (double)(MISSED * json_integer_value(period)));
    else
        (void)json_object_set_new(device, "availability",
                                  json_pack("[{s:s,s:s,s:s}]", "topic", "~/online", "payload_available", "true",
                                            "payload_not_available", "false"));
}

static enum err describe_device(struct describing *s, struct errmsg *msg)
{
    const struct mqtt_shelly_answers *answers = s->answers;
    json_t *system = json_at(answers->config, STR("sys.device")), *device = json_object();
    struct str ip = json_member_str(json_object_get(answers->status, "wifi"), "sta_ip");
    struct str name = first_of(json_member_str(system, "name"), json_member_str(answers->info, "name"));

    mqtt_describe_str(device, "~", s->conf->prefix);
    mqtt_describe_str(device, "name", first_of(name, first_of(json_member_str(answers->info, "id"), s->conf->prefix)));
    mqtt_describe_str(device, "model",
                      first_of(json_member_str(answers->info, "model"), json_member_str(answers->info, "app")));
    mqtt_describe_c(device, "manufacturer", "Shelly");
    mqtt_describe_str(device, "sw_version",
                      first_of(json_member_str(answers->info, "ver"), json_member_str(system, "fw_id")));
    mqtt_describe_str(device, "serial_number",
                      first_of(json_member_str(answers->info, "mac"), json_member_str(system, "mac")));
    if (ip.n && ip.n < 64)
        mqtt_describe_str(device, "configuration_url", arena_printf(s->a, "http://" STR_FMT "/", STR_ARG(ip)));
    add_presence(s, device);
    return mqtt_describe_device(s->d, device, msg);
}

enum err mqtt_shelly_describe(const struct mqtt_shelly_conf *conf, const struct mqtt_shelly_answers *answers,
                              struct mqtt_describe *d, struct errmsg *msg)
{
    struct describing s = {.d = d, .a = d->a, .conf = conf, .answers = answers};
    const char *key;
    json_t *v;

    if (!json_is_object(answers->status))
        return err_set(msg, ERR_BADREQ, "it has not answered Shelly.GetStatus");
    json_object_foreach(answers->status, key, v)
    {
        describe_component(&s, str_c(key), v);
    }
    add_signal(&s);
    if (d->out->count == 0)
        return err_set(msg, ERR_BADREQ, "none of its components is of use");
    return describe_device(&s, msg);
}
