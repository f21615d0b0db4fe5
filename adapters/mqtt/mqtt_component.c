/* The components of Home Assistant that we have a use for, each as readings and controls. */
#include "adapters/mqtt/mqtt_builder.h"

#include "base/utf8.h"

// How the two states of a class are called.
static const struct {
    const char *cls, *on, *off;
} words[] = {
    {"battery", "low", "ok"},
    {"carbon_monoxide", "detected", "clear"},
    {"connectivity", "connected", "disconnected"},
    {"door", "open", "closed"},
    {"garage_door", "open", "closed"},
    {"gas", "detected", "clear"},
    {"lock", "unlocked", "locked"},
    {"moisture", "wet", "dry"},
    {"motion", "detected", "clear"},
    {"occupancy", "detected", "clear"},
    {"opening", "open", "closed"},
    {"plug", "plugged in", "unplugged"},
    {"problem", "problem", "ok"},
    {"smoke", "detected", "clear"},
    {"tamper", "detected", "clear"},
    {"vibration", "detected", "clear"},
    {"window", "open", "closed"},
};

static enum err build_sensor(struct mqtt_builder *b)
{
    uint16_t at;
    enum err e = mqtt_builder_reading(b, "", "state_topic", "value_template", &at);

    if (e != ERR_OK)
        return e;
    struct mqtt_reading *r = &b->spec->readings[at];
    double digits = mqtt_builder_number(b, "suggested_display_precision", -1);
    r->unit = mqtt_builder_display(b->spec, mqtt_builder_text(b, "unit_of_measurement"));
    r->cls = mqtt_builder_class(b->spec, mqtt_builder_text(b, "device_class"));
    r->digits = digits >= 0 && digits <= 9 ? (int)digits : -1;
    return ERR_OK;
}

static enum err build_binary_sensor(struct mqtt_builder *b)
{
    uint16_t at;
    enum err e = mqtt_builder_reading(b, "", "state_topic", "value_template", &at);

    if (e != ERR_OK)
        return e;
    struct mqtt_reading *r = &b->spec->readings[at];
    r->cls = mqtt_builder_class(b->spec, mqtt_builder_text(b, "device_class"));
    r->on = mqtt_builder_text_or(b, "payload_on", "ON");
    r->off = mqtt_builder_text_or(b, "payload_off", "OFF");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && !mqtt_builder_has(b, "state_words"); i++)
        if (str_eq_c(r->cls, words[i].cls)) {
            r->on_word = str_c(words[i].on);
            r->off_word = str_c(words[i].off);
        }
    return ERR_OK;
}

// On and off: `on` and `off` are the commands, the state says the same unless it has words of its own.
static enum err build_toggle(struct mqtt_builder *b, const char *template, struct str on, struct str off,
                             const char *state_on, const char *state_off)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = mqtt_builder_state(b, "", "state_topic", template, &state);

    if (e == ERR_OK)
        e = mqtt_builder_control(b, "", "command_topic", MQTT_CONTROL_BOOL, &c);
    if (e != ERR_OK)
        return e;
    c->on = on;
    c->off = off;
    c->state = state;
    if (state != MQTT_NO_READING) {
        struct str said_on = mqtt_builder_text(b, state_on), said_off = mqtt_builder_text(b, state_off);
        b->spec->readings[state].on = said_on.n ? said_on : on;
        b->spec->readings[state].off = said_off.n ? said_off : off;
    }
    return mqtt_builder_template(b, c);
}

static enum err build_switch(struct mqtt_builder *b)
{
    return build_toggle(b, "value_template", mqtt_builder_text_or(b, "payload_on", "ON"),
                        mqtt_builder_text_or(b, "payload_off", "OFF"), "state_on", "state_off");
}

static enum err build_fan(struct mqtt_builder *b)
{
    return build_toggle(b, "state_value_template", mqtt_builder_text_or(b, "payload_on", "ON"),
                        mqtt_builder_text_or(b, "payload_off", "OFF"), "payload_on", "payload_off");
}

static enum err add_number(struct mqtt_builder *b, const char *suffix, const char *topic, uint16_t state, double min,
                           double max, double step, struct mqtt_control **out)
{
    enum err e = mqtt_builder_control(b, suffix, topic, MQTT_CONTROL_NUMBER, out);

    if (e != ERR_OK)
        return e;
    if (min > max)
        return err_set(b->msg, ERR_BADREQ, "min is greater than max");
    (*out)->min = min;
    (*out)->max = max;
    (*out)->step = step;
    (*out)->state = state;
    return ERR_OK;
}

static double scale(struct mqtt_builder *b)
{
    double s = mqtt_builder_number(b, "brightness_scale", 255);

    return s >= 1 && s <= 1e9 ? s : 255;
}

static enum err build_plain_light(struct mqtt_builder *b)
{
    const char *template = mqtt_builder_has(b, "state_value_template") ? "state_value_template" : "value_template";
    struct mqtt_control *c;
    uint16_t state;
    enum err e = build_toggle(b, template, mqtt_builder_text_or(b, "payload_on", "ON"),
                              mqtt_builder_text_or(b, "payload_off", "OFF"), "payload_on", "payload_off");

    if (e != ERR_OK || !mqtt_builder_has(b, "brightness_command_topic"))
        return e;
    e = mqtt_builder_state(b, "brightness", "brightness_state_topic", "brightness_value_template", &state);
    return e == ERR_OK ? add_number(b, "brightness", "brightness_command_topic", state, 0, scale(b), 1, &c) : e;
}

// Some color mode beside on and off.
static bool dims(struct mqtt_builder *b)
{
    const json_t *modes = json_object_get(b->entity, "supported_color_modes");

    for (size_t i = 0; i < json_array_size(modes); i++) {
        const char *mode = json_string_value(json_array_get(modes, i));
        if (mode && !str_eq_c(str_c(mode), "onoff"))
            return true;
    }
    return json_is_true(json_object_get(b->entity, "brightness"));
}

// A member of a light's JSON state.
static void read_member(struct mqtt_builder *b, uint16_t reading, const char *path)
{
    if (reading != MQTT_NO_READING)
        mqtt_value_compile(&b->spec->arena, str_c(path), &b->spec->readings[reading].value);
}

static enum err build_json_light(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = build_toggle(b, "", STR("ON"), STR("OFF"), "", "");

    if (e != ERR_OK)
        return e;
    c = &b->spec->controls[b->spec->control_count - 1];
    c->payload = STR("{\"state\":\"{value}\"}");
    read_member(b, c->state, "state");
    if (!dims(b))
        return ERR_OK;
    e = mqtt_builder_state(b, "brightness", "state_topic", "", &state);
    if (e == ERR_OK)
        e = add_number(b, "brightness", "command_topic", state, 0, scale(b), 1, &c);
    if (e != ERR_OK)
        return e;
    c->payload = STR("{\"brightness\":{value}}");
    read_member(b, state, "brightness");
    return ERR_OK;
}

static enum err build_light(struct mqtt_builder *b)
{
    struct str schema = mqtt_builder_text_or(b, "schema", "basic");

    if (str_eq_c(schema, "json"))
        return build_json_light(b);
    if (!str_eq_c(schema, "basic"))
        return err_set(b->msg, ERR_UNSUPPORTED, "lights of this schema are not used");
    return build_plain_light(b);
}

// Ranges of a number that need not have one; min > max stands for none at all.
static enum err build_open_number(struct mqtt_builder *b, uint16_t state, struct mqtt_control **c)
{
    bool open = !mqtt_builder_has(b, "min") && !mqtt_builder_has(b, "max");
    double min = mqtt_builder_number(b, "min", -1e15), max = mqtt_builder_number(b, "max", 1e15);
    enum err e = add_number(b, "", "command_topic", state, min, max, mqtt_builder_number(b, "step", 0), c);

    if (e == ERR_OK && open) {
        (*c)->min = 1;
        (*c)->max = 0;
    }
    return e;
}

static enum err build_number(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = mqtt_builder_state(b, "", "state_topic", "value_template", &state);

    if (e == ERR_OK && json_is_true(json_object_get(b->entity, "unbounded")))
        e = build_open_number(b, state, &c);
    else if (e == ERR_OK)
        e = add_number(b, "", "command_topic", state, mqtt_builder_number(b, "min", 1),
                       mqtt_builder_number(b, "max", 100), mqtt_builder_number(b, "step", 1), &c);
    if (e != ERR_OK)
        return e;
    if (state != MQTT_NO_READING)
        b->spec->readings[state].unit = mqtt_builder_display(b->spec, mqtt_builder_text(b, "unit_of_measurement"));
    return mqtt_builder_template(b, c);
}

static enum err choices(struct mqtt_builder *b, const json_t *list, struct mqtt_control *c)
{
    struct arena *a = &b->spec->arena;
    size_t count = json_array_size(list);

    if (count == 0 || count > MQTT_SPEC_CHOICES)
        return err_set(b->msg, ERR_BADREQ, "1 to %d choices are needed", MQTT_SPEC_CHOICES);
    struct str *v = arena_zalloc(a, count, sizeof(*v));
    for (size_t i = 0; i < count; i++) {
        v[i] = arena_dup(a, utf8_repair(a, json_text(a, json_array_get(list, i))));
        if (v[i].n == 0 || v[i].n > MQTT_TEXT_MAX)
            return err_set(b->msg, ERR_BADREQ, "a choice of %zu bytes", v[i].n);
    }
    c->choices = v;
    c->choice_count = count;
    return ERR_OK;
}

static enum err build_select(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = mqtt_builder_state(b, "", "state_topic", "value_template", &state);

    if (e == ERR_OK)
        e = mqtt_builder_control(b, "", "command_topic", MQTT_CONTROL_CHOICE, &c);
    if (e != ERR_OK)
        return e;
    c->state = state;
    e = mqtt_builder_template(b, c);
    return e == ERR_OK ? choices(b, json_object_get(b->entity, "options"), c) : e;
}

static enum err build_button(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    enum err e = mqtt_builder_control(b, "", "command_topic", MQTT_CONTROL_PRESS, &c);

    if (e == ERR_OK)
        c->on = mqtt_builder_text_or(b, "payload_press", "PRESS");
    return e;
}

static enum err build_text(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = mqtt_builder_state(b, "", "state_topic", "value_template", &state);

    if (e == ERR_OK)
        e = mqtt_builder_control(b, "", "command_topic", MQTT_CONTROL_TEXT, &c);
    if (e != ERR_OK)
        return e;
    double max = mqtt_builder_number(b, "max", 255);
    c->text_max = max >= 1 && max <= 255 ? (size_t)max : 255;
    c->state = state;
    return mqtt_builder_template(b, c);
}

static enum err build_lock(struct mqtt_builder *b)
{
    enum err e = build_toggle(b, "value_template", mqtt_builder_text_or(b, "payload_lock", "LOCK"),
                              mqtt_builder_text_or(b, "payload_unlock", "UNLOCK"), "state_locked", "state_unlocked");

    if (e != ERR_OK)
        return e;
    const struct mqtt_control *c = &b->spec->controls[b->spec->control_count - 1];
    if (c->state == MQTT_NO_READING)
        return ERR_OK;
    struct mqtt_reading *r = &b->spec->readings[c->state];
    r->on = mqtt_builder_text_or(b, "state_locked", "LOCKED");
    r->off = mqtt_builder_text_or(b, "state_unlocked", "UNLOCKED");
    r->on_word = STR("locked");
    r->off_word = STR("unlocked");
    return ERR_OK;
}

// A cover takes longer than we wait, so its state confirms nothing: that it moves is seen in the status.
static enum err build_cover(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = mqtt_builder_state(b, "", "state_topic", "value_template", &state);

    if (e == ERR_OK)
        e = mqtt_builder_state(b, "position", "position_topic", "position_template", &state);
    if (e == ERR_OK && mqtt_builder_has(b, "set_position_topic"))
        e = add_number(b, "position", "set_position_topic", MQTT_NO_READING, 0, 100, 1, &c);
    if (e != ERR_OK || !mqtt_builder_has(b, "command_topic"))
        return e;
    e = mqtt_builder_control(b, "", "command_topic", MQTT_CONTROL_CHOICE, &c);
    if (e != ERR_OK)
        return e;
    struct str *v = arena_zalloc(&b->spec->arena, 3, sizeof(*v));
    v[0] = mqtt_builder_text_or(b, "payload_open", "OPEN");
    v[1] = mqtt_builder_text_or(b, "payload_close", "CLOSE");
    v[2] = mqtt_builder_text_or(b, "payload_stop", "STOP");
    c->choices = v;
    c->choice_count = 3;
    return ERR_OK;
}

static enum err build_climate_mode(struct mqtt_builder *b)
{
    struct mqtt_control *c;
    uint16_t state;
    enum err e = mqtt_builder_state(b, "mode", "mode_state_topic", "mode_state_template", &state);

    if (e == ERR_OK)
        e = mqtt_builder_control(b, "mode", "mode_command_topic", MQTT_CONTROL_CHOICE, &c);
    if (e != ERR_OK)
        return e;
    c->state = state;
    return choices(b, json_object_get(b->entity, "modes"), c);
}

static enum err build_climate(struct mqtt_builder *b)
{
    struct str unit = str_eq_c(mqtt_builder_text_or(b, "temperature_unit", "C"), "F") ? STR("°F") : STR("°C");
    struct mqtt_control *c;
    uint16_t state, now;
    enum err e = mqtt_builder_state(b, "current", "current_temperature_topic", "current_temperature_template", &now);

    if (e == ERR_OK)
        e = mqtt_builder_state(b, "target", "temperature_state_topic", "temperature_state_template", &state);
    if (e == ERR_OK && mqtt_builder_has(b, "temperature_command_topic"))
        e = add_number(b, "target", "temperature_command_topic", state, mqtt_builder_number(b, "min_temp", 7),
                       mqtt_builder_number(b, "max_temp", 35), mqtt_builder_number(b, "temp_step", 0.1), &c);
    if (e != ERR_OK)
        return e;
    if (now != MQTT_NO_READING)
        b->spec->readings[now].unit = unit;
    if (state != MQTT_NO_READING)
        b->spec->readings[state].unit = unit;
    return mqtt_builder_has(b, "mode_command_topic") ? build_climate_mode(b) : ERR_OK;
}

// A picture, whose type its first bytes tell; what a discovered device sends is for who asks.
static enum err build_picture(struct mqtt_builder *b, const char *topic)
{
    struct mqtt_file *f;
    enum err e = mqtt_builder_file(b, topic, &f);

    if (e == ERR_OK)
        f->base64 = str_eq_c(mqtt_builder_text(b, "image_encoding"), "b64");
    return e;
}

static enum err build_camera(struct mqtt_builder *b)
{
    return build_picture(b, "topic");
}

// One that only says where on the web its picture is, is not fetched from there.
static enum err build_image(struct mqtt_builder *b)
{
    if (!mqtt_builder_has(b, "image_topic"))
        return err_set(b->msg, ERR_UNSUPPORTED, "images by url_topic are not used");
    return build_picture(b, "image_topic");
}

// What happens, and is over: each time it is said. Where the device repeats what happened last, a count beside it tells
// whether it happened again.
static enum err build_occurrence(struct mqtt_builder *b)
{
    enum { EVERY = 500 }; // ms
    uint16_t at, count;
    enum err e = mqtt_builder_reading(b, "", "state_topic", "value_template", &at);
    bool counts = mqtt_builder_has(b, "count_template");

    if (e != ERR_OK)
        return e;
    b->spec->readings[at].headline = false;
    b->spec->readings[at].aside = b->spec->readings[at].quiet = true;
    count = at;
    if (counts)
        e = mqtt_builder_reading(b, "count", "state_topic", "count_template", &count);
    struct mqtt_alert *r = e == ERR_OK ? mqtt_spec_add_alert(b->spec) : NULL;
    if (e == ERR_OK && !r)
        e = err_set(b->msg, ERR_LIMIT, "more than %d events and alerts", MQTT_SPEC_ALERTS);
    if (e != ERR_OK)
        return e;
    b->spec->readings[count].headline = false;
    b->spec->readings[count].aside = b->spec->readings[count].quiet = true;
    r->reading = count;
    r->kind = counts ? MQTT_ALERT_CHANGE : MQTT_ALERT_EVENT;
    r->every = EVERY;
    struct str name = b->spec->readings[at].name, label = str_find(b->label, '{') < 0 ? b->label : name;
    r->message = arena_printf(&b->spec->arena, STR_FMT ": {" STR_FMT "}", STR_ARG(label), STR_ARG(name));
    return ERR_OK;
}

static const struct mqtt_component components[] = {
    {"binary_sensor", build_binary_sensor, NULL},
    {"button", build_button, NULL},
    {"camera", build_camera, "camera"},
    {"climate", build_climate, "climate"},
    {"cover", build_cover, "cover"},
    {"fan", build_fan, "fan"},
    {"image", build_image, NULL},
    {"light", build_light, "light"},
    {"lock", build_lock, "lock"},
    {"number", build_number, NULL},
    {"occurrence", build_occurrence, NULL},
    {"select", build_select, NULL},
    {"sensor", build_sensor, NULL},
    {"switch", build_switch, "switch"},
    {"text", build_text, NULL},
};

const struct mqtt_component *mqtt_component_find(struct str name)
{
    for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
        if (str_eq_c(name, components[i].name))
            return &components[i];
    return NULL;
}
