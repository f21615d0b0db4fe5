#include "adapters/mqtt/mqtt_form.h"

#define SET "set_"
#define GET "get_"

static enum field_type field_type(enum mqtt_control_type type)
{
    static const enum field_type types[] = {
        [MQTT_CONTROL_BOOL] = FIELD_BOOL,
        [MQTT_CONTROL_NUMBER] = FIELD_NUMBER,
        [MQTT_CONTROL_CHOICE] = FIELD_CHOICE,
        [MQTT_CONTROL_TEXT] = FIELD_TEXT,
    };

    return types[type];
}

static struct str shown(const struct mqtt_device *d, const struct mqtt_control *c, struct arena *a)
{
    if (c->state == MQTT_NO_READING)
        return STR_NONE;
    if (c->type == MQTT_CONTROL_BOOL)
        return mqtt_command_is(d, c, true, a) ? STR("true") : STR("false");
    return mqtt_status_value(d, c->state, a);
}

static const struct field *make_field(const struct mqtt_device *d, const struct mqtt_control *c, struct arena *a)
{
    struct field *f = ARENA_NEW(a, struct field);

    f->name = STR("value");
    f->label = c->label.n ? c->label : c->name;
    f->value = shown(d, c, a);
    f->type = field_type(c->type);
    f->required = true;
    f->min = c->min;
    f->max = c->max;
    f->step = c->step;
    f->choices = c->choices;
    f->choice_count = c->choice_count;
    return f;
}

static void make_command(const struct mqtt_device *d, const struct mqtt_control *c, struct arena *a,
                         struct command *out)
{
    struct str label = c->label.n ? c->label : c->name;
    bool press = c->type == MQTT_CONTROL_PRESS;

    out->node = arena_printf(a, SET STR_FMT, STR_ARG(c->name));
    out->title = arena_printf(a, press ? "Press " STR_FMT : "Set " STR_FMT, STR_ARG(label));
    out->right = RIGHT_COMMAND;
    out->fields = press ? NULL : make_field(d, c, a);
    out->field_count = press ? 0 : 1;
}

static void make_get(const struct mqtt_file *f, struct arena *a, struct command *out)
{
    out->node = arena_printf(a, GET STR_FMT, STR_ARG(f->name));
    out->title = arena_printf(a, "Get " STR_FMT, STR_ARG(f->label.n ? f->label : f->name));
    out->right = RIGHT_READ;
}

size_t mqtt_form_commands(const struct mqtt_device *d, struct arena *a, const struct command **out)
{
    struct command *v = arena_zalloc(a, (size_t)d->spec->control_count + d->spec->file_count + 1, sizeof(*v));
    size_t n = 0;

    v[n++] = (struct command){.node = STR("status"), .title = STR("Status"), .right = RIGHT_READ};
    for (uint16_t i = 0; i < d->spec->file_count; i++)
        make_get(&d->spec->files[i], a, &v[n++]);
    for (uint16_t i = 0; i < d->spec->control_count; i++)
        make_command(d, &d->spec->controls[i], a, &v[n++]);
    *out = v;
    return n;
}

static struct str field_value(const struct event *ev)
{
    for (size_t i = 0; i < ev->field_count; i++)
        if (str_eq_c(ev->fields[i].name, "value"))
            return ev->fields[i].value;
    return STR_NONE;
}

enum err mqtt_form_parse(const struct mqtt_device *d, const struct event *ev, struct arena *a, struct mqtt_request *out,
                         struct errmsg *msg)
{
    *out = (struct mqtt_request){.kind = MQTT_REQUEST_STATUS, .reading = MQTT_NO_READING};
    if (str_eq_c(ev->command, "status"))
        return ERR_OK;
    if (str_starts(ev->command, STR(GET))) {
        out->kind = MQTT_REQUEST_FILE;
        out->file = mqtt_spec_file(d->spec, str_sub(ev->command, sizeof(GET) - 1, ev->command.n));
        return out->file ? ERR_OK : err_set(msg, ERR_NOTFOUND, "no such command");
    }
    const struct mqtt_control *c = NULL;
    if (str_starts(ev->command, STR(SET)))
        c = mqtt_spec_control(d->spec, str_sub(ev->command, sizeof(SET) - 1, ev->command.n));
    if (!c)
        return err_set(msg, ERR_NOTFOUND, "no such command");
    return mqtt_command_set(d, c, field_value(ev), a, out, msg);
}
