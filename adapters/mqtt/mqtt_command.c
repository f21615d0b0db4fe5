#include "adapters/mqtt/mqtt_command.h"

#include "base/utf8.h"

/* Values */

static bool one_of(struct str word, const char *const *words)
{
    for (; *words; words++)
        if (str_case_eq(word, str_c(*words)))
            return true;
    return false;
}

// How the reading behind a switch calls its two states: "on", or "locked".
static struct str state_word(const struct mqtt_device *d, const struct mqtt_control *c, bool on)
{
    if (c->state != MQTT_NO_READING && d->spec->readings[c->state].on.n)
        return on ? d->spec->readings[c->state].on_word : d->spec->readings[c->state].off_word;
    return on ? STR("on") : STR("off");
}

bool mqtt_command_is(const struct mqtt_device *d, const struct mqtt_control *c, bool on, struct arena *a)
{
    return mqtt_command_reached(d, c, c->state, state_word(d, c, on), a);
}

static bool means(const struct mqtt_device *d, const struct mqtt_control *c, struct str v, bool on)
{
    static const char *const yes[] = {"on", "true", "yes", "1", NULL}, *const no[] = {"off", "false", "no", "0", NULL};

    return one_of(v, on ? yes : no) || str_case_eq(v, on ? c->on : c->off) || str_case_eq(v, state_word(d, c, on));
}

static enum err set_bool(const struct mqtt_device *d, const struct mqtt_control *c, struct str v, struct arena *a,
                         struct mqtt_request *out, struct errmsg *msg)
{
    bool toggle = str_case_eq(v, STR("toggle"));
    bool on = toggle ? mqtt_command_is(d, c, false, a) : means(d, c, v, true);
    bool off = toggle ? mqtt_command_is(d, c, true, a) : means(d, c, v, false);

    if (!on && !off && toggle)
        return err_set(msg, ERR_NOTACCEPTABLE, "cannot toggle: it is not known whether " STR_FMT " is on",
                       STR_ARG(c->name));
    if (!on && !off)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " can be " STR_FMT " or " STR_FMT, STR_ARG(c->name),
                       STR_ARG(state_word(d, c, true)), STR_ARG(state_word(d, c, false)));
    out->payload = on ? c->on : c->off;
    out->wanted = state_word(d, c, on);
    return ERR_OK;
}

static bool in_steps(const struct mqtt_control *c, double v)
{
    if (!(c->step > 0))
        return true;
    double steps = (v - (c->min <= c->max && c->min > -1e15 ? c->min : 0)) / c->step;
    if (steps > 1e15 || steps < -1e15)
        return true;
    double off = steps - (double)(int64_t)(steps + (steps < 0 ? -0.5 : 0.5));
    return off < 1e-6 && off > -1e-6;
}

// "22 °C", where the reading has that unit.
static struct str without_unit(const struct mqtt_device *d, const struct mqtt_control *c, struct str v)
{
    struct str unit = c->state == MQTT_NO_READING ? STR_NONE : d->spec->readings[c->state].unit;

    return unit.n && str_ends(v, unit) ? str_trim(str_sub(v, 0, v.n - unit.n)) : v;
}

static enum err out_of_range(const struct mqtt_control *c, struct errmsg *msg)
{
    if (c->min > -1e15 && c->max < 1e15)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " must be between %.10g and %.10g", STR_ARG(c->name), c->min,
                       c->max);
    if (c->min > -1e15)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " must be at least %.10g", STR_ARG(c->name), c->min);
    return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " must be at most %.10g", STR_ARG(c->name), c->max);
}

static enum err set_number(const struct mqtt_device *d, const struct mqtt_control *c, struct str v, struct arena *a,
                           struct mqtt_request *out, struct errmsg *msg)
{
    double number;

    if (!str_to_double(without_unit(d, c, v), &number))
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " is a number, which '" STR_FMT "' is not", STR_ARG(c->name),
                       STR_ARG(utf8_cut(v, 40)));
    if (c->min <= c->max && (number < c->min || number > c->max))
        return out_of_range(c, msg);
    if (!in_steps(c, number))
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " goes in steps of %.10g", STR_ARG(c->name), c->step);
    out->payload = out->wanted = arena_printf(a, "%.10g", number);
    return ERR_OK;
}

static struct str choice_list(const struct mqtt_control *c, struct arena *a)
{
    enum { SHOWN_MAX = 160 };
    struct str list = STR_NONE;

    for (size_t i = 0; i < c->choice_count; i++)
        list = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(list), i ? ", " : "", STR_ARG(c->choices[i]));
    return list.n > SHOWN_MAX ? arena_printf(a, STR_FMT "...", STR_ARG(utf8_cut(list, SHOWN_MAX))) : list;
}

static enum err set_choice(const struct mqtt_device *d, const struct mqtt_control *c, struct str v, struct arena *a,
                           struct mqtt_request *out, struct errmsg *msg)
{
    const struct str *found = NULL;

    (void)d;
    for (size_t i = 0; i < c->choice_count; i++)
        if (str_eq(c->choices[i], v) || (!found && str_case_eq(c->choices[i], v)))
            found = &c->choices[i];
    if (found) {
        out->payload = out->wanted = *found;
        return ERR_OK;
    }
    return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " can be " STR_FMT, STR_ARG(c->name), STR_ARG(choice_list(c, a)));
}

static bool has_control(struct str v)
{
    for (size_t i = 0; i < v.n; i++)
        if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
            return true;
    return false;
}

static enum err set_text(const struct mqtt_device *d, const struct mqtt_control *c, struct str v, struct arena *a,
                         struct mqtt_request *out, struct errmsg *msg)
{
    (void)d;
    if (c->nul_empty && str_eq_c(v, MQTT_EMPTY_TEXT)) {
        out->payload = (struct str){"\0", 1};
        out->wanted = STR(MQTT_EMPTY_TEXT);
        return ERR_OK;
    }
    if (v.n == 0)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " needs a text", STR_ARG(c->name));
    if (utf8_length(v) > c->text_max)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " can have %zu characters", STR_ARG(c->name), c->text_max);
    if (!utf8_xml_valid(v) || has_control(v))
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " is one line of text", STR_ARG(c->name));
    out->payload = out->wanted = arena_dup(a, v);
    return ERR_OK;
}

static enum err set_press(const struct mqtt_device *d, const struct mqtt_control *c, struct str v, struct arena *a,
                          struct mqtt_request *out, struct errmsg *msg)
{
    (void)d;
    (void)a;
    if (v.n && !str_case_eq(v, STR("press")))
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " is a button: it takes no value", STR_ARG(c->name));
    out->payload = c->on;
    return ERR_OK;
}

// The value within the payload that the control describes; a text is written as JSON there, where it stands in quotes.
static struct str wrap(const struct mqtt_control *c, struct str value, struct arena *a)
{
    static const struct str mark = {"{value}", 7};
    ptrdiff_t at = str_find_str(c->payload, mark);

    if (c->payload.n == 0 || at < 0)
        return value;
    struct str before = str_sub(c->payload, 0, (size_t)at), quoted;
    struct str after = str_sub(c->payload, (size_t)at + mark.n, c->payload.n);
    struct strbuf b;
    strbuf_init(&b, 8 * MQTT_TEXT_MAX);
    if (str_ends(before, STR("\"")) && str_starts(after, STR("\"")) && json_write_str(&b, value)) {
        quoted = strbuf_view(&b);
        value = arena_dup(a, str_sub(quoted, 1, quoted.n - 1));
    }
    strbuf_finish(&b);
    return arena_concat(a, (const struct str[]){before, value, after}, 3);
}

enum err mqtt_command_set(const struct mqtt_device *d, const struct mqtt_control *c, struct str value, struct arena *a,
                          struct mqtt_request *out, struct errmsg *msg)
{
    static enum err (*const setters[])(const struct mqtt_device *, const struct mqtt_control *, struct str,
                                       struct arena *, struct mqtt_request *, struct errmsg *) = {
        [MQTT_CONTROL_BOOL] = set_bool, [MQTT_CONTROL_NUMBER] = set_number, [MQTT_CONTROL_CHOICE] = set_choice,
        [MQTT_CONTROL_TEXT] = set_text, [MQTT_CONTROL_PRESS] = set_press,
    };

    *out = (struct mqtt_request){.kind = MQTT_REQUEST_SET, .reading = MQTT_NO_READING, .control = c};
    enum err e = setters[c->type](d, c, str_trim(value), a, out, msg);
    if (e == ERR_OK)
        out->payload = wrap(c, out->payload, a);
    return e;
}

bool mqtt_command_reached(const struct mqtt_device *d, const struct mqtt_control *c, uint16_t reading,
                          struct str wanted, struct arena *a)
{
    double number;

    if (reading == MQTT_NO_READING)
        return false;
    const struct mqtt_cell *cell = &mqtt_device_cells(d)[reading];
    if (c->type == MQTT_CONTROL_NUMBER && cell->type == MQTT_CELL_NUMBER && str_to_double(wanted, &number)) {
        double off = cell->number - number, allowed = c->step > 0 ? c->step / 2 : 1e-6;
        return off <= allowed && off >= -allowed;
    }
    struct str shown = mqtt_status_value(d, reading, a);
    return shown.n && str_case_eq(shown, wanted);
}

/* Words */

static const char *const verbs[] = {"get", "help", "set", "status", NULL};

enum { A_VERB = 1, A_READING = 2, A_CONTROL = 4 }; // what a word may have been meant for

struct nearest {
    struct str word, best;
    size_t distance;
};

// 0: it begins with the word; 1: a part of it does ("light_brightness", "bri"); else as many as letters are wrong.
static size_t distance_of(struct str word, struct str candidate, size_t limit)
{
    enum { PREFIX_MIN = 2 };

    for (size_t at = 0; word.n >= PREFIX_MIN && at + word.n <= candidate.n; at++)
        if ((at == 0 || candidate.p[at - 1] == '_' || candidate.p[at - 1] == '-') &&
            str_case_eq(str_sub(candidate, at, at + word.n), word))
            return at == 0 ? 0 : 1;
    return str_distance(word, candidate, limit);
}

static void consider(struct nearest *n, struct str candidate)
{
    size_t distance = distance_of(n->word, candidate, n->distance);

    if (distance < n->distance) {
        n->distance = distance;
        n->best = candidate;
    }
}

// What the word begins or nearly is, of those that would do; or empty.
static struct str suggestion(const struct mqtt_device *d, struct str word, unsigned kinds)
{
    enum { FAR = 3 };
    struct nearest n = {word, STR_NONE, word.n < 4 ? FAR - 1 : FAR};

    for (const char *const *v = verbs; *v && kinds & A_VERB; v++)
        consider(&n, str_c(*v));
    for (uint16_t i = 0; i < d->spec->reading_count && kinds & A_READING; i++)
        consider(&n, d->spec->readings[i].name);
    for (uint16_t i = 0; i < d->spec->file_count && kinds & A_READING; i++)
        consider(&n, d->spec->files[i].name);
    for (uint16_t i = 0; i < d->spec->control_count; i++)
        if (kinds & A_CONTROL || (kinds & A_READING && d->spec->controls[i].state != MQTT_NO_READING))
            consider(&n, d->spec->controls[i].name);
    return n.best;
}

static enum err unknown(const struct mqtt_device *d, struct str word, unsigned kinds, struct arena *a,
                        struct errmsg *msg)
{
    struct str near = suggestion(d, word, kinds), shown = utf8_display(a, word, 40);

    if (near.n)
        return err_set(msg, ERR_NOTFOUND, "I do not know '" STR_FMT "'; did you mean '" STR_FMT "'?", STR_ARG(shown),
                       STR_ARG(near));
    return err_set(msg, ERR_NOTFOUND, "I do not know '" STR_FMT "'; say 'help' for what I do", STR_ARG(shown));
}

static enum err request_get(uint16_t reading, struct mqtt_request *out)
{
    *out = (struct mqtt_request){.kind = MQTT_REQUEST_GET, .reading = reading};
    return ERR_OK;
}

static enum err request_file(const struct mqtt_file *file, struct mqtt_request *out)
{
    *out = (struct mqtt_request){.kind = MQTT_REQUEST_FILE, .reading = MQTT_NO_READING, .file = file};
    return ERR_OK;
}

static enum err parse_get(const struct mqtt_device *d, struct str rest, struct arena *a, struct mqtt_request *out,
                          struct errmsg *msg)
{
    struct str word;

    if (!str_word(&rest, &word)) {
        out->kind = MQTT_REQUEST_STATUS;
        return ERR_OK;
    }
    uint16_t reading = mqtt_spec_reading(d->spec, word);
    const struct mqtt_control *c = mqtt_spec_control(d->spec, word);
    const struct mqtt_file *file = mqtt_spec_file(d->spec, word);
    if (file)
        return request_file(file, out);
    if (reading == MQTT_NO_READING && c)
        reading = c->state;
    if (reading == MQTT_NO_READING && c)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " can be set, but not read", STR_ARG(c->name));
    return reading == MQTT_NO_READING ? unknown(d, word, A_READING, a, msg) : request_get(reading, out);
}

static struct str example_value(const struct mqtt_control *c)
{
    static const struct str examples[] = {[MQTT_CONTROL_BOOL] = {"on", 2}, [MQTT_CONTROL_TEXT] = {"some text", 9}};

    if (c->type == MQTT_CONTROL_CHOICE)
        return c->choice_count ? c->choices[0] : STR_NONE;
    return c->type == MQTT_CONTROL_NUMBER ? STR("20") : examples[c->type];
}

// "power = on" and "power: on" are "power on".
static struct str value_of(struct str rest)
{
    rest = str_trim(rest);
    if (rest.n && (*rest.p == '=' || *rest.p == ':'))
        rest = str_trim(str_sub(rest, 1, rest.n));
    return rest;
}

static enum err parse_set(const struct mqtt_device *d, struct str rest, struct arena *a, struct mqtt_request *out,
                          struct errmsg *msg)
{
    struct str word;

    if (!str_word(&rest, &word))
        return err_set(msg, ERR_NOTACCEPTABLE, "set what? Say 'help' for what can be set");
    const struct mqtt_control *c = mqtt_spec_control(d->spec, word);
    if (!c && mqtt_spec_reading(d->spec, word) != MQTT_NO_READING)
        return err_set(msg, ERR_NOTACCEPTABLE, STR_FMT " can be read, but not set", STR_ARG(word));
    if (!c)
        return unknown(d, word, A_CONTROL, a, msg);
    struct str value = value_of(rest);
    if (value.n == 0 && c->type != MQTT_CONTROL_PRESS)
        return err_set(msg, ERR_NOTACCEPTABLE, "to what? For example: set " STR_FMT " " STR_FMT, STR_ARG(c->name),
                       STR_ARG(example_value(c)));
    return mqtt_command_set(d, c, value, a, out, msg);
}

// The only switch of a device can be meant by "on" alone.
static const struct mqtt_control *only_switch(const struct mqtt_device *d)
{
    const struct mqtt_control *found = NULL;

    for (uint16_t i = 0; i < d->spec->control_count; i++)
        if (d->spec->controls[i].type == MQTT_CONTROL_BOOL && !d->spec->controls[i].minor) {
            if (found)
                return NULL;
            found = &d->spec->controls[i];
        }
    return found;
}

// "power on", "temp", "on": the name of a thing instead of a verb.
static enum err parse_thing(const struct mqtt_device *d, struct str text, struct str word, struct str rest,
                            struct arena *a, struct mqtt_request *out, struct errmsg *msg)
{
    static const char *const switching[] = {"on", "off", "toggle", NULL};
    const struct mqtt_control *c = mqtt_spec_control(d->spec, word), *one = only_switch(d);
    uint16_t reading = mqtt_spec_reading(d->spec, word);
    bool alone = str_trim(rest).n == 0;

    if (c && (!alone || c->type == MQTT_CONTROL_PRESS))
        return parse_set(d, text, a, out, msg);
    if (alone && mqtt_spec_file(d->spec, word))
        return request_file(mqtt_spec_file(d->spec, word), out);
    if (reading != MQTT_NO_READING)
        return alone ? request_get(reading, out) : parse_set(d, text, a, out, msg);
    if (c)
        return c->state != MQTT_NO_READING ? request_get(c->state, out) : parse_set(d, text, a, out, msg);
    if (alone && one && one_of(word, switching))
        return mqtt_command_set(d, one, word, a, out, msg);
    return unknown(d, word, A_VERB | A_READING | A_CONTROL, a, msg);
}

enum err mqtt_command_parse(const struct mqtt_device *d, struct str text, struct arena *a, struct mqtt_request *out,
                            struct errmsg *msg)
{
    struct str rest = text = str_trim(text), word;

    *out = (struct mqtt_request){.kind = MQTT_REQUEST_HELP, .reading = MQTT_NO_READING};
    if (!str_word(&rest, &word) || str_case_eq(word, STR("help")) || str_eq_c(word, "?"))
        return ERR_OK;
    if (str_case_eq(word, STR("get")))
        return parse_get(d, rest, a, out, msg);
    if (str_case_eq(word, STR("set")))
        return parse_set(d, rest, a, out, msg);
    if (str_case_eq(word, STR("status"))) {
        out->kind = MQTT_REQUEST_STATUS;
        return ERR_OK;
    }
    if (word.n > 1 && (str_ends(word, STR(":")) || str_ends(word, STR("=")))) // "power: on"
        word = str_sub(word, 0, word.n - 1);
    return parse_thing(d, arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(word), STR_ARG(rest)), word, rest, a, out, msg);
}

/* Help */

static struct str takes(const struct mqtt_device *d, const struct mqtt_control *c, struct arena *a)
{
    switch (c->type) {
    case MQTT_CONTROL_BOOL:
        return arena_printf(a, STR_FMT ", " STR_FMT, STR_ARG(state_word(d, c, true)), STR_ARG(state_word(d, c, false)));
    case MQTT_CONTROL_CHOICE:
        return choice_list(c, a);
    case MQTT_CONTROL_NUMBER:
        if (c->min > -1e15 && c->max < 1e15 && c->min <= c->max)
            return arena_printf(a, "%.10g to %.10g", c->min, c->max);
        return STR("a number");
    case MQTT_CONTROL_TEXT:
        return STR("a text");
    case MQTT_CONTROL_PRESS:
        return STR("press");
    }
    return STR_NONE;
}

static void help_readings(const struct mqtt_device *d, struct strbuf *b)
{
    if (d->spec->reading_count + d->spec->file_count == 0)
        return;
    (void)strbuf_c(b, "\nget NAME: one of");
    for (uint16_t i = 0; i < d->spec->reading_count; i++)
        if (!d->spec->readings[i].quiet)
            (void)strbuf_printf(b, "%s " STR_FMT, i ? "," : "", STR_ARG(d->spec->readings[i].name));
    for (uint16_t i = 0; i < d->spec->file_count; i++)
        (void)strbuf_printf(b, "%s " STR_FMT, i || d->spec->reading_count ? "," : "", STR_ARG(d->spec->files[i].name));
}

static void help_controls(const struct mqtt_device *d, struct strbuf *b, struct arena *a)
{
    if (d->spec->control_count == 0)
        return;
    (void)strbuf_c(b, "\nset NAME VALUE, or only NAME VALUE:");
    for (uint16_t i = 0; i < d->spec->control_count; i++) {
        const struct mqtt_control *c = &d->spec->controls[i];
        (void)strbuf_printf(b, "\n  " STR_FMT ": " STR_FMT, STR_ARG(c->name), STR_ARG(takes(d, c, a)));
    }
}

struct str mqtt_command_help(const struct mqtt_device *d, bool may_set, struct arena *a)
{
    enum { HELP_MAX = 8 * 1024 };
    struct strbuf b;

    strbuf_init(&b, HELP_MAX);
    (void)strbuf_printf(&b, STR_FMT "\nstatus: all that is known", STR_ARG(mqtt_device_name(d, a)));
    help_readings(d, &b);
    if (may_set)
        help_controls(d, &b, a);
    struct str help = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return help;
}
