/* What stands in the telemetry of a Tasmota device: {"sn": {"ENERGY": {"Power": 12, ...}, "DS18B20": {...}, "TempUnit":
 * "C"}}. Each number becomes a reading of tele/<topic>/SENSOR, and of the answer to STATUS 10. */
#include "adapters/mqtt/mqtt_tasmota.h"

struct quantity {
    const char *name, *unit, *cls;
    bool major; // may be a headline
};

static const struct quantity quantities[] = {
    {"ActivePower", "W", "power", true},
    {"Ambient", "lx", "illuminance", true},
    {"ApparentPower", "VA", "apparent_power", false},
    {"Battery", "%", "battery", false},
    {"CarbonDioxide", "ppm", "carbon_dioxide", true},
    {"CCT", "K", NULL, false},
    {"Current", "A", "current", false},
    {"Distance", "cm", "distance", true},
    {"eCO2", "ppm", "carbon_dioxide", true},
    {"Energy", "kWh", "energy", true},
    {"ExportActive", "kWh", "energy", false},
    {"ExportReactive", "kvarh", NULL, false},
    {"ExportTariff", "kWh", "energy", false},
    {"Factor", NULL, "power_factor", false},
    {"Frequency", "Hz", "frequency", false},
    {"Humidity", "%", "humidity", true},
    {"Illuminance", "lx", "illuminance", true},
    {"ImportActive", "kWh", "energy", false},
    {"ImportReactive", "kvarh", NULL, false},
    {"Moisture", "%", "moisture", true},
    {"PhaseAngle", "°", NULL, false},
    {"PM1", "µg/m³", "pm1", true},
    {"PM10", "µg/m³", "pm10", true},
    {"PM2.5", "µg/m³", "pm25", true},
    {"Power", "W", "power", true},
    {"ReactivePower", "var", "reactive_power", false},
    {"Today", "kWh", "energy", true},
    {"Total", "kWh", "energy", false},
    {"TotalTariff", "kWh", "energy", false},
    {"TVOC", "ppb", NULL, true},
    {"Voltage", "V", "voltage", false},
    {"Weight", "kg", "weight", true},
    {"Yesterday", "kWh", "energy", false},
};

// Their units stand in the message.
static const struct {
    struct quantity q;
    const char *unit_of;
} dynamic[] = {
    {{"DewPoint", NULL, "temperature", false}, "TempUnit"},     {{"Pressure", NULL, "pressure", true}, "PressureUnit"},
    {{"SeaPressure", NULL, "pressure", false}, "PressureUnit"}, {{"Speed", NULL, "wind_speed", true}, "SpeedUnit"},
    {{"Temperature", NULL, "temperature", true}, "TempUnit"},
};

// Members that are no values: times, names, and what the config message describes.
static const char *const passed[] = {"Data", "Id", "Period", "Time", "TotalStartTime", "UID"};

struct sensors {
    struct mqtt_describe *d;
    struct arena *a;
    json_t *sn;
    struct str tele, status; // topics
};

static struct str unit_of(struct sensors *s, const char *member)
{
    struct str unit = json_member_str(s->sn, member);

    if (str_eq_c(unit, "C"))
        return STR("°C");
    return str_eq_c(unit, "F") ? STR("°F") : unit;
}

static const struct quantity *quantity_of(struct sensors *s, struct str name, struct str *unit)
{
    static const struct quantity none = {NULL, NULL, NULL, false};

    for (size_t i = 0; i < sizeof(quantities) / sizeof(quantities[0]); i++)
        if (str_eq_c(name, quantities[i].name)) {
            *unit = str_c(quantities[i].unit);
            return &quantities[i];
        }
    for (size_t i = 0; i < sizeof(dynamic) / sizeof(dynamic[0]); i++)
        if (str_eq_c(name, dynamic[i].q.name)) {
            *unit = unit_of(s, dynamic[i].unit_of);
            return &dynamic[i].q;
        }
    *unit = STR_NONE;
    return &none;
}

static bool is_passed(struct str name)
{
    for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
        if (str_eq_c(name, passed[i]))
            return true;
    return false;
}

static void add_reading(struct sensors *s, struct str path, struct str label, struct str quantity)
{
    struct str unit;
    const struct quantity *q = quantity_of(s, quantity, &unit);
    json_t *entity = mqtt_describe_entity("sensor", label);

    mqtt_describe_str(entity, "unit_of_measurement", unit);
    mqtt_describe_c(entity, "device_class", q->cls);
    if (!q->major)
        mqtt_describe_c(entity, "entity_category", "diagnostic");
    mqtt_describe_state(entity, s->tele, path);
    mqtt_describe_state(entity, s->status, arena_printf(s->a, "StatusSNS.%.*s", STR_ARG(path)));
    mqtt_describe_add(s->d, entity);
}

// "Power", "Energy today" of ENERGY, "BME280 Temperature" of others.
static struct str label_of(struct sensors *s, struct str sensor, struct str quantity)
{
    static const char *const energies[] = {"Today", "Total", "Yesterday"};
    struct str words = mqtt_describe_words(s->a, quantity);

    if (!str_eq_c(sensor, "ENERGY"))
        return arena_printf(s->a, STR_FMT " " STR_FMT, STR_ARG(sensor), STR_ARG(words));
    for (size_t i = 0; i < sizeof(energies) / sizeof(energies[0]); i++)
        if (str_eq_c(quantity, energies[i]))
            return arena_printf(s->a, "Energy " STR_FMT, STR_ARG(words));
    return words;
}

static void add_list(struct sensors *s, const json_t *list, struct str path, struct str label, struct str quantity)
{
    enum { LIST_MAX = 8 };

    for (size_t i = 0; i < json_array_size(list) && i < LIST_MAX; i++)
        if (json_is_number(json_array_get(list, i)))
            add_reading(s, mqtt_describe_offset(s->a, path, i),
                        arena_printf(s->a, STR_FMT " %zu", STR_ARG(label), i + 1), quantity);
}

// {"Speed": {"Act": 14.8, "Avg": 8.5}}
static void add_nested(struct sensors *s, json_t *object, struct str path, struct str label, struct str quantity)
{
    const char *name;
    json_t *v;

    json_object_foreach(object, name, v)
    {
        struct str at = mqtt_describe_path(s->a, path, str_c(name));
        if (json_is_number(v) && at.n)
            add_reading(s, at,
                        arena_printf(s->a, STR_FMT " " STR_FMT, STR_ARG(label),
                                     STR_ARG(mqtt_describe_words(s->a, str_c(name)))),
                        quantity);
    }
}

static void add_member(struct sensors *s, struct str sensor, struct str path, struct str name, json_t *v)
{
    struct str at = mqtt_describe_path(s->a, path, name), label = label_of(s, sensor, name);

    if (is_passed(name))
        return;
    if (at.n == 0)
        mqtt_describe_note(s->d, name);
    else if (json_is_array(v))
        add_list(s, v, at, label, name);
    else if (json_is_object(v))
        add_nested(s, v, at, label, name);
    else if (!json_is_null(v))
        add_reading(s, at, label, name);
}

static void add_sensor(struct sensors *s, struct str sensor, json_t *object)
{
    static const char *const others[] = {"PN532", "RDM6300", "ZbReceived"};
    struct str path = mqtt_describe_path(s->a, STR_NONE, sensor);
    const char *name;
    json_t *v;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (str_eq_c(sensor, others[i]))
            path = STR_NONE;
    if (path.n == 0) {
        mqtt_describe_note(s->d, sensor);
        return;
    }
    json_object_foreach(object, name, v)
    {
        add_member(s, sensor, path, str_c(name), v);
    }
}

static enum err describe(struct sensors *s, const json_t *root, struct errmsg *msg)
{
    const char *name;
    json_t *v;

    s->sn = json_object_get(root, "sn");
    if (!json_is_object(s->sn))
        return err_set(msg, ERR_BADREQ, "sn (sensors) is missing");
    json_object_foreach(s->sn, name, v)
    {
        if (json_is_object(v) && !str_starts(str_c(name), STR("Shutter"))) // that is described in config
            add_sensor(s, str_c(name), v);
    }
    return ERR_OK;
}

enum err mqtt_tasmota_sensors(const struct mqtt_tasmota_topics *topics, struct str payload, struct mqtt_describe *d,
                              struct errmsg *msg)
{
    json_t *root = mqtt_tasmota_json(payload, msg);
    struct sensors s = {.d = d, .a = d->a};

    if (!root)
        return ERR_BADREQ;
    s.tele = arena_printf(d->a, STR_FMT "SENSOR", STR_ARG(topics->tele));
    s.status = arena_printf(d->a, STR_FMT "STATUS10", STR_ARG(topics->stat));
    enum err e = describe(&s, root, msg);
    json_decref(root);
    return e;
}
