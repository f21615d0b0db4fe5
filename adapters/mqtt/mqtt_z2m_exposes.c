/* What a Zigbee device exposes, as entities: each feature has a property in the JSON of the device's topic, and is set
 * by the same property in the JSON sent to its `set`. `access` has a bit for published, one for settable. */
#include "adapters/mqtt/mqtt_z2m.h"

#include "adapters/mqtt/mqtt_spec.h"

enum {
    PUBLISHED = 1, // bits of `access`
    SETTABLE = 2,
    NESTING = 4,
    PROPERTY_MAX = 64, // bytes
};

struct reader {
    struct arena *arena;
    struct mqtt_found *out;
    struct errmsg *msg;
    const char **cls;
    const char *group;  // "light" around a feature; NULL: none
    struct str inside;  // property of a composite around it
    struct str colored; // property whose color can be set already
    unsigned depth;
};

struct feature {
    const json_t *json;
    struct str type, name, property;
    bool published, settable;
    json_t *entity; // to be filled in
};

static void put(json_t *object, const char *name, struct str value)
{
    if (value.n)
        (void)json_object_set_new(object, name, json_stringn(value.p, value.n));
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!good)
            return false;
    }
    return s.n > 0 && s.n <= PROPERTY_MAX;
}

static bool is_state(const struct reader *r, const struct feature *f)
{
    return r->group && str_eq_c(f->name, "state");
}

/* What all features have */

static struct str capital(struct arena *a, struct str word)
{
    char *text = arena_cstr(a, word);

    if (word.n && text[0] >= 'a' && text[0] <= 'z')
        text[0] = (char)(text[0] - 'a' + 'A');
    return (struct str){text, word.n};
}

// "Light", "Brightness", "Switch l1".
static struct str label_of(struct reader *r, const struct feature *f)
{
    struct str label = json_member_str(f->json, "label"), endpoint = json_member_str(f->json, "endpoint");

    if (is_state(r, f))
        label = capital(r->arena, str_c(r->group));
    else if (label.n == 0)
        label = capital(r->arena, f->name.n ? f->name : f->property);
    if (endpoint.n == 0 || str_ends(label, endpoint))
        return label;
    return arena_printf(r->arena, STR_FMT " " STR_FMT, STR_ARG(label), STR_ARG(endpoint));
}

static bool is_minor(const struct feature *f)
{
    return json_is_string(json_object_get(f->json, "category")) || str_eq_c(f->property, "linkquality");
}

static void put_topics(struct reader *r, struct feature *f, bool quoted)
{
    struct str path = f->property;

    if (r->inside.n)
        path = arena_printf(r->arena, STR_FMT "." STR_FMT, STR_ARG(r->inside), STR_ARG(path));
    if (f->published) {
        put(f->entity, "state_topic", STR("~"));
        put(f->entity, "value_template", path);
    }
    if (!f->settable)
        return;
    put(f->entity, "command_topic", STR("~/set"));
    put(f->entity, "command_template",
        arena_printf(r->arena, quoted ? "{\"" STR_FMT "\":\"{{ value }}\"}" : "{\"" STR_FMT "\":{{ value }}}",
                     STR_ARG(f->property)));
}

static void platform(struct feature *f, const char *name)
{
    put(f->entity, "platform", str_c(name));
}

/* Types */

// Zigbee's names of what is told apart by class elsewhere.
static void put_class(struct feature *f)
{
    static const struct {
        const char *name, *cls;
    } classes[] = {
        {"battery", "battery"},
        {"battery_low", "battery"},
        {"carbon_monoxide", "carbon_monoxide"},
        {"contact", "door"},
        {"current", "current"},
        {"energy", "energy"},
        {"gas", "gas"},
        {"humidity", "humidity"},
        {"illuminance", "illuminance"},
        {"local_temperature", "temperature"},
        {"moving", "motion"},
        {"occupancy", "occupancy"},
        {"power", "power"},
        {"presence", "occupancy"},
        {"pressure", "pressure"},
        {"smoke", "smoke"},
        {"tamper", "tamper"},
        {"temperature", "temperature"},
        {"vibration", "vibration"},
        {"voltage", "voltage"},
        {"water_leak", "moisture"},
    };

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (str_eq_c(f->name, classes[i].name))
            put(f->entity, "device_class", str_c(classes[i].cls));
}

static void build_lock(struct feature *f, struct str on, struct str off)
{
    platform(f, "lock");
    put(f->entity, "payload_lock", on);
    put(f->entity, "payload_unlock", off);
    put(f->entity, "state_locked", on);
    put(f->entity, "state_unlocked", off);
}

// A contact that is closed is `true`: `value_on` is what people call on, here open.
static void build_binary(struct reader *r, struct feature *f)
{
    const json_t *value_on = json_object_get(f->json, "value_on"), *value_off = json_object_get(f->json, "value_off");
    struct str on = json_text(r->arena, value_on), off = json_text(r->arena, value_off);
    bool lock = is_state(r, f) && str_eq_c(str_c(r->group), "lock") && f->settable && f->published;

    f->settable = f->settable && on.n && off.n;
    if (lock && f->settable)
        build_lock(f, on, off);
    else {
        platform(f, f->settable ? "switch" : "binary_sensor");
        put(f->entity, "payload_on", on.n ? on : STR("true"));
        put(f->entity, "payload_off", off.n ? off : STR("false"));
        if (!f->settable)
            put_class(f);
    }
    put_topics(r, f, json_is_string(value_on));
}

// Within these limits, where they are limits.
static void put_range(struct feature *f)
{
    const json_t *min = json_object_get(f->json, "value_min"), *max = json_object_get(f->json, "value_max");
    const json_t *step = json_object_get(f->json, "value_step");
    bool both = json_is_number(min) && json_is_number(max);

    (void)json_object_set_new(f->entity, "unbounded", json_true());
    if (both && json_number_value(min) > json_number_value(max))
        return;
    if (json_is_number(min))
        (void)json_object_set_new(f->entity, "min", json_real(json_number_value(min)));
    if (json_is_number(max))
        (void)json_object_set_new(f->entity, "max", json_real(json_number_value(max)));
    if (json_is_number(step) && json_number_value(step) > 0)
        (void)json_object_set_new(f->entity, "step", json_real(json_number_value(step)));
}

static void build_numeric(struct reader *r, struct feature *f)
{
    platform(f, f->settable ? "number" : "sensor");
    put(f->entity, "unit_of_measurement", json_member_str(f->json, "unit"));
    if (f->settable)
        put_range(f);
    else
        put_class(f);
    put_topics(r, f, false);
}

static bool are_choices(const json_t *values)
{
    size_t n = json_array_size(values);

    for (size_t i = 0; i < n; i++) {
        size_t length = json_string_length(json_array_get(values, i));
        if (length == 0 || length > MQTT_TEXT_MAX)
            return false;
    }
    return n > 0 && n <= MQTT_SPEC_CHOICES;
}

static void build_enum(struct reader *r, struct feature *f)
{
    json_t *values = json_object_get(f->json, "values");

    f->settable = f->settable && are_choices(values);
    platform(f, f->settable ? "select" : "sensor");
    if (f->settable)
        (void)json_object_set(f->entity, "options", values);
    if (!f->settable && str_eq_c(f->name, "action")) // a button was pressed
        (void)json_object_set_new(f->entity, "event", json_true());
    put_topics(r, f, true);
}

static void build_text(struct reader *r, struct feature *f)
{
    platform(f, f->settable ? "text" : "sensor");
    put_topics(r, f, true);
}

static const struct {
    const char *type;
    void (*build)(struct reader *r, struct feature *f);
} types[] = {
    {"binary", build_binary},
    {"enum", build_enum},
    {"numeric", build_numeric},
    {"text", build_text},
};

/* The walk */

static enum err add(struct reader *r, json_t *entity)
{
    if (r->out->count == MQTT_DISCOVERY_ENTITIES)
        return err_set(r->msg, ERR_LIMIT, "more than %d features", MQTT_DISCOVERY_ENTITIES);
    struct str text = mqtt_convention_dump(entity, r->arena);
    if (text.n == 0)
        return err_set(r->msg, ERR_LIMIT, "a feature is too large");
    r->out->entities[r->out->count++] = text;
    return ERR_OK;
}

static enum err add_feature(struct reader *r, struct feature *f, size_t type)
{
    f->entity = json_object();
    put(f->entity, "name", label_of(r, f));
    if (is_minor(f))
        put(f->entity, "entity_category", STR("config"));
    if (r->group && str_eq_c(str_c(r->group), "cover")) // takes longer than anybody waits
        (void)json_object_set_new(f->entity, "confirm", json_false());
    types[type].build(r, f);
    enum err e = f->published || f->settable ? add(r, f->entity) : ERR_OK;
    json_decref(f->entity);
    return e;
}

// What is behind it cannot be set one by one; as it is written in the web, it can be set at all.
static enum err add_color(struct reader *r, struct str property)
{
    if (str_eq(r->colored, property) || !is_word(property))
        return ERR_OK;
    r->colored = property;
    json_t *entity = json_object();
    put(entity, "platform", STR("text"));
    put(entity, "name", capital(r->arena, property));
    (void)json_object_set_new(entity, "max", json_integer((json_int_t)sizeof("#ff8000") - 1));
    put(entity, "command_topic", STR("~/set"));
    put(entity, "command_template",
        arena_printf(r->arena, "{\"" STR_FMT "\":{\"hex\":\"{{ value }}\"}}", STR_ARG(property)));
    enum err e = add(r, entity);
    json_decref(entity);
    return e;
}

static enum err walk(struct reader *r, json_t *list);

static enum err composite(struct reader *r, const struct feature *f, json_t *features)
{
    struct reader within = *r;

    bool color = str_eq_c(f->name, "color_xy") || str_eq_c(f->name, "color_hs");

    if (color && f->settable)
        return add_color(r, f->property);
    if (r->inside.n || !is_word(f->property))
        return ERR_OK;
    within.inside = f->property;
    return walk(&within, features);
}

static enum err group(struct reader *r, struct str type, json_t *features)
{
    static const char *const groups[] = {"climate", "cover", "fan", "light", "lock", "switch"};

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (str_eq_c(type, groups[i])) {
            if (!*r->cls)
                *r->cls = groups[i];
            r->group = groups[i];
            enum err e = walk(r, features);
            r->group = NULL;
            return e;
        }
    return ERR_OK;
}

static enum err visit(struct reader *r, json_t *json)
{
    json_t *features = json_object_get(json, "features");
    const json_t *access = json_object_get(json, "access");
    json_int_t bits = json_is_integer(access) ? json_integer_value(access) : PUBLISHED;
    struct feature f = {
        .json = json,
        .type = json_member_str(json, "type"),
        .name = json_member_str(json, "name"),
        .property = json_member_str(json, "property"),
        .published = bits & PUBLISHED,
        .settable = bits & SETTABLE && r->inside.n == 0, // a part of a composite cannot be set alone
    };

    if (str_eq_c(f.type, "composite")) {
        f.settable = bits & SETTABLE;
        return composite(r, &f, features);
    }
    if (json_is_array(features))
        return group(r, f.type, features);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (str_eq_c(f.type, types[i].type) && is_word(f.property))
            return add_feature(r, &f, i);
    return ERR_OK; // a list, or of a kind that came later
}

static enum err walk(struct reader *r, json_t *list)
{
    enum err e = ERR_OK;

    if (r->depth == NESTING)
        return ERR_OK;
    r->depth++;
    for (size_t i = 0; i < json_array_size(list) && e == ERR_OK; i++)
        e = visit(r, json_array_get(list, i));
    r->depth--;
    return e;
}

enum err z2m_exposes_read(json_t *exposes, struct arena *a, struct mqtt_found *out, const char **cls,
                          struct errmsg *msg)
{
    struct reader r = {.arena = a, .out = out, .msg = msg, .cls = cls};
    enum err e = walk(&r, exposes);

    if (e != ERR_OK)
        return e;
    return out->count ? ERR_OK : err_set(msg, ERR_UNSUPPORTED, "it exposes nothing that is used");
}
