#include "adapters/mqtt/mqtt_profile.h"

#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_status.h"

/* Schema */

static const char *const modes[] = {"all", "any", "latest", NULL};                      // enum mqtt_availability_mode
static const char *const types[] = {"bool", "number", "choice", "text", "press", NULL}; // enum mqtt_control_type

static const struct conf_item availability_schema[] = {
    {.name = "topic",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Topic that tells whether the device is there. One without {1} is shared by all devices of the template.",
     .example = "devices/{1}/availability"},
    {.name = "online",
     .type = CONF_STR,
     .doc = "Payload that means: it is there. Without `online` and `offline` these two words count, in any case, also "
            "as {\"state\": \"online\"}.",
     .example = "online"},
    {.name = "offline", .type = CONF_STR, .doc = "Payload that means: it is gone.", .example = "offline"},
    {.name = "value",
     .type = CONF_STR,
     .doc = "Where the word stands in a JSON payload: a path (`state`) or a template (`{{ value_json.state }}`).",
     .example = "state"},
    {.name = NULL},
};

static const struct conf_item reading_schema[] = {
    {.name = "topic",
     .type = CONF_STR,
     .doc = "Topic it is read from. Without it: the topic of the template.",
     .example = "devices/{1}/sensor"},
    {.name = "value",
     .type = CONF_STR,
     .doc = "Where the value stands in a JSON payload: a path (`temperature`, `a.b[0]`) or a template "
            "(`{{ value_json.temperature | round(1) }}`). Without it the payload is the value.",
     .example = "brightness"},
    {.name = "name",
     .type = CONF_STR,
     .doc = "How people call it. Without it: the name of the reading.",
     .example = "Brightness"},
    {.name = "unit", .type = CONF_STR, .doc = "Unit of measurement, shown behind the value.", .example = "%"},
    {.name = "class",
     .type = CONF_STR,
     .doc = "What is measured: temperature, humidity, door, ...",
     .example = "illuminance"},
    {.name = "on", .type = CONF_STR, .flags = CONF_OTHER, .doc = "Value that is shown as \"on\".", .example = "ON"},
    {.name = "off", .type = CONF_STR, .flags = CONF_OTHER, .doc = "Value that is shown as \"off\".", .example = "OFF"},
    {.name = "digits", .type = CONF_INT, .max = 9, .doc = "Decimals to show. Without it: at most two."},
    {.name = "deadband",
     .type = CONF_REAL,
     .max = 1e12,
     .dflt = "0",
     .doc = "A change smaller than this does not change the status of the contact.",
     .example = "1"},
    {.name = "headline",
     .type = CONF_BOOL,
     .doc = "Whether it stands in the status of the contact. Without any the first three readings do.",
     .example = "true"},
    {.name = NULL},
};

static const struct conf_item control_schema[] = {
    {.name = "topic",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Topic that takes the command.",
     .example = "devices/{1}/set"},
    {.name = "name",
     .type = CONF_STR,
     .doc = "How people call it. Without it: the name of the control.",
     .example = "Brightness"},
    {.name = "type",
     .type = CONF_ENUM,
     .values = types,
     .dflt = "text",
     .doc = "What may be said: on or off, a number, one of the choices, a text, or nothing (a button).",
     .example = "number"},
    {.name = "on",
     .type = CONF_STR,
     .dflt = "ON",
     .flags = CONF_OTHER,
     .doc = "Payload for on (bool), or of the button (press)."},
    {.name = "off", .type = CONF_STR, .dflt = "OFF", .flags = CONF_OTHER, .doc = "Payload for off (bool)."},
    {.name = "payload",
     .type = CONF_STR,
     .doc = "Payload around the value, which stands as {value}: `{\"brightness\": {value}}`.",
     .example = "{\"brightness\": {value}}"},
    {.name = "min", .type = CONF_REAL, .doc = "Least number.", .example = "0"},
    {.name = "max", .type = CONF_REAL, .doc = "Greatest number.", .example = "100"},
    {.name = "step",
     .type = CONF_REAL,
     .max = 1e12,
     .dflt = "0",
     .doc = "Numbers go in steps of this, from `min`.",
     .example = "5"},
    {.name = "choices",
     .type = CONF_LIST,
     .of = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "Words that may be chosen (choice).",
     .example = "[low, high]"},
    {.name = "state",
     .type = CONF_STR,
     .doc = "Reading that shows the effect. A command then counts as done when it shows the value that was asked for, "
            "and as failed when it does not within 5 s.",
     .example = "brightness"},
    {.name = "response_topic",
     .type = CONF_STR,
     .doc = "Topic of our own to which the device sends its answer (MQTT 5 response topic).",
     .example = "spandrel/replies"},
    {.name = "qos", .type = CONF_INT, .max = 1, .dflt = "1", .doc = "Quality of service of the command, 0 or 1."},
    {.name = NULL},
};

static const struct conf_item alert_schema[] = {
    {.name = "reading",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Reading that is watched.",
     .example = "brightness"},
    {.name = "above", .type = CONF_REAL, .doc = "A message when the value gets above this.", .example = "90"},
    {.name = "below",
     .type = CONF_REAL,
     .flags = CONF_OTHER,
     .doc = "A message when the value gets below this.",
     .example = "10"},
    {.name = "equals",
     .type = CONF_STR,
     .flags = CONF_OTHER,
     .doc = "A message when the value becomes this.",
     .example = "50"},
    {.name = "change",
     .type = CONF_BOOL,
     .dflt = "false",
     .flags = CONF_OTHER,
     .doc = "A message at each change of the value.",
     .example = "true"},
    {.name = "rearm",
     .type = CONF_REAL,
     .doc = "The value must come back to this before `above` or `below` is said again. Without it: to the limit.",
     .example = "80"},
    {.name = "message",
     .type = CONF_STR,
     .doc = "What is said: {value}, {unit}, {name} and the names of readings are filled in.",
     .example = "{name} is bright: {brightness}"},
    {.name = "every", .type = CONF_SPAN, .dflt = "1m", .doc = "At most one message in this time."},
    {.name = NULL},
};

static const char *const encodings[] = {"raw", "base64", NULL};
static const char *const unknown_types[] = {"send", "refuse", NULL};

static const struct conf_item file_schema[] = {
    {.name = "topic",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Topic that it comes by, the whole file as the payload.",
     .example = "devices/{1}/jpeg"},
    {.name = "name",
     .type = CONF_STR,
     .doc = "How people call it. Without it: the name of the file.",
     .example = "Snapshot"},
    {.name = "media_type",
     .type = CONF_STR,
     .doc =
         "Media type. Without it the first bytes decide: JPEG, PNG, GIF, WebP, AVIF, HEIC, MP4, WebM, Ogg, MP3, WAV, "
         "PDF.",
     .example = "image/jpeg"},
    {.name = "unknown",
     .type = CONF_ENUM,
     .values = unknown_types,
     .dflt = "send",
     .doc = "What is no known type, where `media_type` is not set: send it as application/octet-stream, or refuse it."},
    {.name = "encoding", .type = CONF_ENUM, .values = encodings, .dflt = "raw", .doc = "How the bytes are written."},
    {.name = "max_size",
     .type = CONF_SIZE,
     .min = 1000,
     .max = 64e6,
     .doc = "A larger one is dropped. Without it: what `packet_maximum` of the adapter lets through.",
     .example = "200kB"},
    {.name = "every",
     .type = CONF_SPAN,
     .doc = "Sends it to the subscribers as it comes, at most once in this time. Without it only who asks gets it.",
     .example = "30s"},
    {.name = NULL},
};

const struct conf_item mqtt_model_device_schema[] = {
    {.name = "topic",
     .type = CONF_STR,
     .flags = CONF_REQUIRED,
     .doc = "Topic that the devices speak on, with `+` for the levels in which they differ; these are {1}, {2}, ... in "
            "all other options. A device is made when it is first heard.",
     .example = "devices/+/state"},
    {.name = "id",
     .type = CONF_STR,
     .doc = "Permanent name of a device within the template. Without it: what stood for `+`, joined by slashes.",
     .example = "{1}"},
    {.name = "name", .type = CONF_STR, .doc = "Name for people. Without it: the id.", .example = "Lamp {1}"},
    {.name = "model", .type = CONF_STR, .doc = "Model, for the vCard.", .example = "L-100"},
    {.name = "manufacturer", .type = CONF_STR, .doc = "Manufacturer, for the vCard.", .example = "Example Inc."},
    {.name = "version", .type = CONF_STR, .doc = "Version of hardware or firmware, for the vCard.", .example = "1.2"},
    {.name = "serial", .type = CONF_STR, .doc = "Serial number, for the vCard.", .example = "4711-{1}"},
    {.name = "url",
     .type = CONF_STR,
     .doc = "Page at which the device is configured, for the vCard.",
     .example = "http://{1}.example.org/"},
    {.name = "area", .type = CONF_STR, .doc = "Room or area: the group of the contact.", .example = "kitchen"},
    {.name = "class",
     .type = CONF_STR,
     .doc = "Kind of device, which chooses the avatar. Without it: the class of the first reading.",
     .example = "light"},
    {.name = "availability",
     .type = CONF_LIST,
     .of = CONF_MAP,
     .sub = availability_schema,
     .doc = "Topics that tell whether a device is there. Without any, a device is there when it is heard."},
    {.name = "availability_mode",
     .type = CONF_ENUM,
     .values = modes,
     .dflt = "all",
     .doc = "Whether all of them, any of them, or the one that spoke last decides."},
    {.name = "expire_after",
     .type = CONF_SPAN,
     .doc = "A device that is silent for this long is shown as away; for twice as long, as offline.",
     .example = "10m"},
    MQTT_TELLING_ITEMS,
    {.name = "max_devices",
     .type = CONF_INT,
     .min = 1,
     .max = 1e6,
     .dflt = "200000",
     .doc = "No more devices than this are made of the template, whatever is published."},
    {.name = "readings",
     .type = CONF_NAMED,
     .sub = reading_schema,
     .doc = "What the devices measure, by name.",
     .example = "brightness"},
    {.name = "controls",
     .type = CONF_NAMED,
     .sub = control_schema,
     .doc = "What can be set, by name.",
     .example = "brightness"},
    {.name = "alerts",
     .type = CONF_LIST,
     .of = CONF_MAP,
     .sub = alert_schema,
     .doc = "When a device says something of its own accord. Without any it only shows its status."},
    {.name = "files",
     .type = CONF_NAMED,
     .sub = file_schema,
     .doc = "Pictures and other files that the devices send, by name: what they are asked for by (`get NAME`).",
     .example = "snapshot"},
    {.name = NULL},
};

/* Compiling */

struct compiler {
    struct mqtt_spec *spec;
    struct conf_report *report;
};

static bool set(const struct conf_value *map, const char *name)
{
    return conf_is_set(conf_get(map, name));
}

// A capture that the topic of the template does not have is an error at `at`.
static void check_captures(struct compiler *c, const struct conf_value *at, unsigned used)
{
    unsigned missing = used & ~c->spec->captures;

    for (unsigned n = 1; n <= MQTT_PATTERN_CAPTURES; n++)
        if (missing & 1u << n)
            conf_fail(c->report, at, "{%u} stands for nothing: the topic of the template has fewer '+'", n);
}

static struct str text(struct compiler *c, const struct conf_value *map, const char *name)
{
    const struct conf_value *v = conf_get(map, name);

    check_captures(c, v, mqtt_pattern_uses(conf_str(v)));
    return arena_dup(&c->spec->arena, conf_str(v));
}

static struct str verbatim(struct compiler *c, const struct conf_value *map, const char *name)
{
    return arena_dup(&c->spec->arena, conf_str(conf_get(map, name)));
}

static bool pattern(struct compiler *c, const struct conf_value *v, struct mqtt_pattern *out)
{
    struct errmsg msg;

    if (mqtt_pattern_parse(&c->spec->arena, conf_str(v), out, &msg) != ERR_OK) {
        conf_fail(c->report, v, "%s", msg.text);
        return false;
    }
    return true;
}

// A topic that is listened to.
static uint16_t topic(struct compiler *c, const struct conf_value *v)
{
    struct mqtt_pattern p;
    uint16_t at = 0;

    if (!pattern(c, v, &p))
        return 0;
    check_captures(c, v, p.captures);
    if (!mqtt_spec_topic(c->spec, &p, &at))
        conf_fail(c->report, v, "more than %d topics in one template", MQTT_SPEC_TOPICS);
    return at;
}

static void value(struct compiler *c, const struct conf_value *map, struct mqtt_value *out)
{
    const struct conf_value *v = conf_get(map, "value");

    mqtt_value_compile(&c->spec->arena, conf_str(v), out);
    if (out->unsupported)
        conf_fail(
            c->report, v,
            "this template is not supported; what is: {{ value }} and {{ value_json.name }} with the filters float, "
            "int, round(), default(), upper, lower");
}

static void full(struct compiler *c, const struct conf_value *at, int max)
{
    conf_fail(c->report, at, "more than %d of them in one template", max);
}

static void compile_availability(struct compiler *c, const struct conf_value *map)
{
    struct mqtt_availability *a = mqtt_spec_add_availability(c->spec);

    if (!a) {
        full(c, map, MQTT_SPEC_AVAILABILITY);
        return;
    }
    a->topic = topic(c, conf_get(map, "topic"));
    value(c, map, &a->value);
    a->online = verbatim(c, map, "online");
    a->offline = verbatim(c, map, "offline");
    for (uint16_t i = 0; i + 1 < c->spec->availability_count; i++)
        if (c->spec->availability[i].topic == a->topic)
            conf_fail(c->report, conf_get(map, "topic"), "this topic stands here twice");
}

static void compile_reading(struct compiler *c, const struct conf_value *map, uint16_t main)
{
    struct mqtt_reading *r = mqtt_spec_add_reading(c->spec);

    if (!r) {
        full(c, map, MQTT_SPEC_READINGS);
        return;
    }
    r->name = arena_dup(&c->spec->arena, conf_name(map));
    r->label = verbatim(c, map, "name");
    r->unit = verbatim(c, map, "unit");
    r->cls = verbatim(c, map, "class");
    r->on = verbatim(c, map, "on");
    r->off = verbatim(c, map, "off");
    r->on_word = STR("on");
    r->off_word = STR("off");
    r->topic = set(map, "topic") ? topic(c, conf_get(map, "topic")) : main;
    r->digits = set(map, "digits") ? (int)conf_int(conf_get(map, "digits")) : -1;
    r->deadband = conf_real(conf_get(map, "deadband"));
    r->headline = conf_bool(conf_get(map, "headline"));
    r->aside = set(map, "headline") && !r->headline;
    value(c, map, &r->value);
}

static void compile_choices(struct compiler *c, const struct conf_value *map, struct mqtt_control *out)
{
    const struct conf_value *list = conf_get(map, "choices"), *v;
    size_t at = 0, count = conf_count(list);

    if (out->type == MQTT_CONTROL_CHOICE && (count == 0 || count > MQTT_SPEC_CHOICES))
        conf_fail(c->report, list, "a choice needs 1 to %d `choices`", MQTT_SPEC_CHOICES);
    if (count == 0 || count > MQTT_SPEC_CHOICES)
        return;
    struct str *choices = arena_zalloc(&c->spec->arena, count, sizeof(*choices));
    while ((v = conf_each(list, &at)))
        choices[out->choice_count++] = arena_dup(&c->spec->arena, conf_str(v));
    out->choices = choices;
}

static void compile_range(struct compiler *c, const struct conf_value *map, struct mqtt_control *out)
{
    bool bounded = set(map, "min") || set(map, "max");

    out->min = set(map, "min") ? conf_real(conf_get(map, "min")) : -1e15;
    out->max = set(map, "max") ? conf_real(conf_get(map, "max")) : 1e15;
    out->step = conf_real(conf_get(map, "step"));
    if (out->min > out->max)
        conf_fail(c->report, conf_get(map, "min"), "`min` is greater than `max`");
    if (!bounded) { // min > max says so
        out->min = 1;
        out->max = 0;
    }
}

static void compile_state(struct compiler *c, const struct conf_value *map, struct mqtt_control *out)
{
    const struct conf_value *v = conf_get(map, "state");

    if (!conf_is_set(v))
        return;
    out->state = mqtt_spec_reading(c->spec, conf_str(v));
    if (out->state == MQTT_NO_READING) {
        conf_fail(c->report, v, "no reading is called '" STR_FMT "'", STR_ARG(conf_str(v)));
        return;
    }
    struct mqtt_reading *r = &c->spec->readings[out->state];
    if (out->type == MQTT_CONTROL_BOOL && r->on.n == 0 && r->off.n == 0) { // it shows what was sent
        r->on = out->on;
        r->off = out->off;
    }
}

static void compile_response(struct compiler *c, const struct conf_value *map, struct mqtt_control *out)
{
    const struct conf_value *v = conf_get(map, "response_topic");

    if (conf_is_set(v) && pattern(c, v, &out->response))
        check_captures(c, v, out->response.captures);
}

static void compile_control(struct compiler *c, const struct conf_value *map)
{
    struct mqtt_control *out = mqtt_spec_add_control(c->spec);

    if (!out) {
        full(c, map, MQTT_SPEC_CONTROLS);
        return;
    }
    out->name = arena_dup(&c->spec->arena, conf_name(map));
    out->label = verbatim(c, map, "name");
    out->type = (enum mqtt_control_type)conf_enum(conf_get(map, "type"));
    out->on = verbatim(c, map, "on");
    out->off = verbatim(c, map, "off");
    out->payload = verbatim(c, map, "payload");
    out->text_max = MQTT_TEXT_MAX;
    out->qos = (unsigned)conf_int(conf_get(map, "qos"));
    if (pattern(c, conf_get(map, "topic"), &out->topic))
        check_captures(c, conf_get(map, "topic"), out->topic.captures);
    if (out->payload.n && str_find_str(out->payload, STR("{value}")) < 0 && out->type != MQTT_CONTROL_PRESS)
        conf_fail(c->report, conf_get(map, "payload"), "`payload` has no {value} in it");
    compile_choices(c, map, out);
    compile_range(c, map, out);
    compile_state(c, map, out);
    compile_response(c, map, out);
}

// Exactly one of the four conditions.
static bool alert_kind(const struct conf_value *map, enum mqtt_alert_kind *out)
{
    static const char *const names[] = {"above", "below", "equals"}; // as enum mqtt_alert_kind
    unsigned count = conf_bool(conf_get(map, "change"));

    *out = MQTT_ALERT_CHANGE;
    for (unsigned i = 0; i < 3; i++)
        if (set(map, names[i])) {
            *out = (enum mqtt_alert_kind)i;
            count++;
        }
    return count == 1;
}

static void alert_limits(struct compiler *c, const struct conf_value *map, struct mqtt_alert *r)
{
    const struct conf_value *rearm = conf_get(map, "rearm");
    bool above = r->kind == MQTT_ALERT_ABOVE;

    if (!above && r->kind != MQTT_ALERT_BELOW) {
        if (conf_is_set(rearm))
            conf_fail(c->report, rearm, "`rearm` belongs to `above` and `below`");
        return;
    }
    r->limit = conf_real(conf_get(map, above ? "above" : "below"));
    r->rearm = conf_is_set(rearm) ? conf_real(rearm) : r->limit;
    if (above ? r->rearm > r->limit : r->rearm < r->limit)
        conf_fail(c->report, rearm, "`rearm` is on the wrong side of the limit: the alert would never be said again");
}

static bool same_alert(const struct mqtt_alert *a, const struct mqtt_alert *b)
{
    bool same_limit = !(a->limit < b->limit) && !(a->limit > b->limit);

    return a->reading == b->reading && a->kind == b->kind && same_limit && str_eq(a->equals, b->equals);
}

static void compile_alert(struct compiler *c, const struct conf_value *map)
{
    const struct conf_value *reading = conf_get(map, "reading");
    struct mqtt_alert *r = mqtt_spec_add_alert(c->spec);

    if (!r) {
        full(c, map, MQTT_SPEC_ALERTS);
        return;
    }
    r->reading = mqtt_spec_reading(c->spec, conf_str(reading));
    if (r->reading == MQTT_NO_READING)
        conf_fail(c->report, reading, "no reading is called '" STR_FMT "'", STR_ARG(conf_str(reading)));
    if (!alert_kind(map, &r->kind))
        conf_fail(c->report, map, "an alert needs exactly one of `above`, `below`, `equals` and `change: true`");
    alert_limits(c, map, r);
    r->equals = r->kind == MQTT_ALERT_EQUALS ? verbatim(c, map, "equals") : STR_NONE;
    r->message = text(c, map, "message");
    r->every = conf_int(conf_get(map, "every"));
    for (uint16_t i = 0; i + 1 < c->spec->alert_count; i++)
        if (same_alert(&c->spec->alerts[i], r))
            conf_fail(c->report, map, "this alert stands here twice");
}

static bool good_media(struct str media)
{
    for (size_t i = 0; i < media.n; i++)
        if (media.p[i] <= 0x20 || media.p[i] > 0x7e)
            return false;
    return str_find(media, '/') > 0 && media.n <= 127;
}

static void compile_file(struct compiler *c, const struct conf_value *map)
{
    const struct conf_value *media = conf_get(map, "media_type");
    struct mqtt_file *f = mqtt_spec_add_file(c->spec);

    if (!f) {
        full(c, map, MQTT_SPEC_FILES);
        return;
    }
    f->name = arena_dup(&c->spec->arena, conf_name(map));
    f->label = verbatim(c, map, "name");
    f->media = verbatim(c, map, "media_type");
    f->topic = topic(c, conf_get(map, "topic"));
    f->max_size = (size_t)conf_int(conf_get(map, "max_size"));
    f->every = set(map, "every") ? conf_int(conf_get(map, "every")) : -1;
    f->known_only = conf_enum(conf_get(map, "unknown")) == 1;
    f->base64 = conf_enum(conf_get(map, "encoding")) == 1;
    if (f->media.n && !good_media(f->media))
        conf_fail(c->report, media, "'" STR_FMT "' is no media type, such as image/jpeg", STR_ARG(f->media));
    if (mqtt_spec_reading(c->spec, f->name) != MQTT_NO_READING || mqtt_spec_control(c->spec, f->name))
        conf_fail(c->report, map, "a reading or a control has the name '" STR_FMT "' too", STR_ARG(f->name));
}

static void compile_texts(struct compiler *c, const struct conf_value *device)
{
    struct mqtt_spec *s = c->spec;

    s->profile = arena_dup(&s->arena, conf_name(device));
    s->id = text(c, device, "id");
    s->name = text(c, device, "name");
    s->model = text(c, device, "model");
    s->manufacturer = text(c, device, "manufacturer");
    s->version = text(c, device, "version");
    s->serial = text(c, device, "serial");
    s->url = text(c, device, "url");
    s->area = text(c, device, "area");
    s->cls = text(c, device, "class");
    s->expire_after = conf_int(conf_get(device, "expire_after"));
    s->offline_delay = conf_int(conf_get(device, "offline_delay"));
    s->status_interval = conf_int(conf_get(device, "status_interval"));
    s->max_devices = (size_t)conf_int(conf_get(device, "max_devices"));
    s->mode = (enum mqtt_availability_mode)conf_enum(conf_get(device, "availability_mode"));
}

void mqtt_profile_headlines(struct mqtt_spec *s)
{
    unsigned marked = 0;

    for (uint16_t i = 0; i < s->reading_count; i++)
        if (s->readings[i].headline)
            return;
    for (uint16_t i = 0; i < s->reading_count && marked < MQTT_STATUS_HEADLINES; i++) {
        s->readings[i].headline = !s->readings[i].aside;
        marked += s->readings[i].headline;
    }
}

static void default_class(struct mqtt_spec *s)
{
    for (uint16_t i = 0; i < s->reading_count && s->cls.n == 0; i++)
        s->cls = s->readings[i].cls;
}

static void compile_lists(struct compiler *c, const struct conf_value *device, uint16_t main)
{
    const struct conf_value *v;

    for (size_t at = 0; (v = conf_each(conf_get(device, "availability"), &at));)
        compile_availability(c, v);
    for (size_t at = 0; (v = conf_each(conf_get(device, "readings"), &at));)
        compile_reading(c, v, main);
    for (size_t at = 0; (v = conf_each(conf_get(device, "controls"), &at));)
        compile_control(c, v);
    for (size_t at = 0; (v = conf_each(conf_get(device, "alerts"), &at));)
        compile_alert(c, v);
    for (size_t at = 0; (v = conf_each(conf_get(device, "files"), &at));)
        compile_file(c, v);
}

// A template with captures must tell its devices apart.
static void check_id(struct compiler *c, const struct conf_value *device)
{
    if (c->spec->id.n && (mqtt_pattern_uses(c->spec->id) & c->spec->captures) != c->spec->captures)
        conf_fail(c->report, conf_get(device, "id"),
                  "two devices would have the same id: it must hold every capture of the topic");
}

struct mqtt_spec *mqtt_profile_compile(const struct conf_value *device, struct conf_report *report)
{
    struct compiler c = {mqtt_spec_create(), report};
    size_t before = conf_errors(report);
    uint16_t main = 0;

    if (pattern(&c, conf_get(device, "topic"), &c.spec->main)) {
        c.spec->captures = c.spec->main.captures;
        (void)mqtt_spec_topic(c.spec, &c.spec->main, &main);
        compile_texts(&c, device);
        compile_lists(&c, device, main);
        check_id(&c, device);
    }
    if (conf_errors(report) > before) {
        mqtt_spec_destroy(c.spec);
        return NULL;
    }
    mqtt_profile_headlines(c.spec);
    default_class(c.spec);
    mqtt_spec_seal(c.spec);
    return c.spec;
}

/* Devices of a template */

static struct str joined(const struct mqtt_captures *c, struct arena *a)
{
    struct str parts[2 * MQTT_PATTERN_CAPTURES];
    size_t n = 0;

    for (size_t i = 0; i < c->count && i < MQTT_PATTERN_CAPTURES; i++) {
        if (i)
            parts[n++] = STR("/"); // which no level holds
        parts[n++] = c->level[i];
    }
    return arena_concat(a, parts, n);
}

struct str mqtt_profile_key(const struct mqtt_spec *s, const struct mqtt_captures *c, struct arena *a)
{
    struct str id = s->id.n ? mqtt_pattern_fill(a, s->id, c) : joined(c, a);

    return id.n ? arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(s->profile), STR_ARG(id)) : arena_dup(a, s->profile);
}

bool mqtt_profile_match(const struct mqtt_spec *s, struct str topic_name, struct mqtt_captures *c)
{
    for (uint16_t i = 0; i < s->topic_count; i++) {
        *c = (struct mqtt_captures){0};
        if (!s->topics[i].partial && mqtt_pattern_match(&s->topics[i].pattern, topic_name, c))
            return true;
    }
    return false;
}
