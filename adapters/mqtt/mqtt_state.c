#include "adapters/mqtt/mqtt_state.h"

#include "adapters/mqtt/mqtt_raised.h"
#include "adapters/mqtt/mqtt_rule.h"

#include "base/strbuf.h"

enum { STATE_VERSION = 1 };

/* Writing */

static void write_captures(const struct mqtt_device *d, struct strbuf *b)
{
    struct mqtt_captures c;

    mqtt_device_captures(d, &c);
    (void)strbuf_c(b, ",\"captures\":[");
    for (size_t i = 0; i < c.count; i++) {
        if (i)
            (void)strbuf_char(b, ',');
        (void)json_write_str(b, c.level[i]);
    }
    (void)strbuf_char(b, ']');
}

static void write_time(struct strbuf *b, const char *name, int64_t mono, const struct mqtt_time *t)
{
    if (mono == INT64_MIN)
        return;
    (void)strbuf_printf(b, ",\"%s\":%lld", name, (long long)(t->wall - (t->now - mono)));
}

// Each member of an object is written by one of these; false: there is nothing to write.
typedef bool member_fn(const struct mqtt_device *d, uint16_t at, struct strbuf *b, struct arena *a);

static bool write_reading(const struct mqtt_device *d, uint16_t at, struct strbuf *b, struct arena *a)
{
    const struct mqtt_cell *c = &mqtt_device_cells(d)[at];

    (void)a;
    if (c->type == MQTT_CELL_NONE)
        return false;
    (void)json_write_str(b, d->spec->readings[at].name);
    (void)strbuf_char(b, ':');
    if (c->type == MQTT_CELL_NUMBER)
        (void)strbuf_printf(b, "%.17g", c->number);
    else
        (void)json_write_str(b, str_c(c->text));
    return true;
}

static struct str availability_topic(const struct mqtt_spec *s, uint16_t at)
{
    return s->topics[s->availability[at].topic].pattern.text;
}

static const char *const presence_words[MQTT_PRESENCE_COUNT] = {
    [MQTT_PRESENCE_UNKNOWN] = "null",          [MQTT_PRESENCE_ONLINE] = "true",
    [MQTT_PRESENCE_OFFLINE] = "false",         [MQTT_PRESENCE_LEFT] = "\"left\"",
    [MQTT_PRESENCE_STARTING] = "\"starting\"", [MQTT_PRESENCE_SLEEPING] = "\"sleeping\"",
    [MQTT_PRESENCE_ALERT] = "\"alert\"",
};

static bool write_presence(const struct mqtt_device *d, uint16_t at, struct strbuf *b, struct arena *a)
{
    uint8_t p = mqtt_device_presences(d)[at];

    (void)a;
    if (p == MQTT_PRESENCE_UNKNOWN)
        return false;
    (void)json_write_str(b, availability_topic(d->spec, at));
    (void)strbuf_printf(b, ":%s", presence_words[p]);
    return true;
}

static bool write_raised(const struct mqtt_device *d, uint16_t at, struct strbuf *b, struct arena *a)
{
    struct str id, text;

    (void)a;
    if (!mqtt_raised_nth(d, at, &id, &text))
        return false;
    (void)json_write_str(b, id);
    (void)strbuf_char(b, ':');
    (void)json_write_str(b, text);
    return true;
}

// Which of several topics decides.
static void write_latest(const struct mqtt_device *d, struct strbuf *b)
{
    if (d->spec->mode != MQTT_AVAILABLE_LATEST || d->latest >= d->spec->availability_count)
        return;
    (void)strbuf_c(b, ",\"latest\":");
    (void)json_write_str(b, availability_topic(d->spec, d->latest));
}

static bool write_alarm(const struct mqtt_device *d, uint16_t at, struct strbuf *b, struct arena *a)
{
    const struct mqtt_alarm *m = &mqtt_device_alarms(d)[at];

    if (!m->active && m->count == 0)
        return false;
    (void)json_write_str(b, mqtt_rule_key(d, at, a));
    (void)strbuf_printf(b, ":[%s,%u]", m->active ? "true" : "false", m->count);
    return true;
}

// ,"name":{...} with the members that fit; room is left for what follows.
static void write_members(const struct mqtt_device *d, const char *name, uint16_t count, member_fn *write,
                          struct strbuf *b, struct arena *a)
{
    enum { ROOM = 64 };
    size_t from = b->n;
    bool any = false;

    (void)strbuf_printf(b, ",\"%s\":{", name);
    for (uint16_t i = 0; i < count; i++) {
        size_t before = b->n;
        if (any)
            (void)strbuf_char(b, ',');
        bool written = write(d, i, b, a) && !b->full && b->n + ROOM < b->max;
        if (!written)
            strbuf_truncate(b, before);
        any = any || written;
    }
    if (any)
        (void)strbuf_char(b, '}');
    else
        strbuf_truncate(b, from);
}

struct str mqtt_state_write(const struct mqtt_device *d, const struct mqtt_time *t, struct arena *a)
{
    const struct mqtt_spec *s = d->spec;
    struct strbuf b;

    strbuf_init(&b, MQTT_STATE_MAX);
    (void)strbuf_printf(&b, "{\"v\":%d,\"profile\":", STATE_VERSION);
    (void)json_write_str(&b, s->profile);
    write_captures(d, &b);
    write_time(&b, "heard", d->heard, t);
    if (d->silence)
        (void)strbuf_printf(&b, ",\"silent\":%s", d->silence == MQTT_VERDICT_SILENT ? "true" : "false");
    if (mqtt_presence_offline(mqtt_availability_sum(d)))
        write_time(&b, "lost", d->lost, t);
    write_latest(d, &b);
    write_members(d, "alarms", s->alert_count, write_alarm, &b, a);
    write_members(d, "available", s->availability_count, write_presence, &b, a);
    write_members(d, "raised", d->entities ? MQTT_RAISED_MAX : 0, write_raised, &b, a);
    write_members(d, "readings", s->reading_count, write_reading, &b, a);
    (void)strbuf_char(&b, '}');
    struct str blob = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return blob;
}

/* Reading: whatever is not as it was written is passed over. */

json_t *mqtt_state_parse(struct str blob)
{
    json_t *state = json_read(blob, MQTT_STATE_MAX, NULL);

    if (state && json_integer_value(json_object_get(state, "v")) == STATE_VERSION)
        return state;
    json_decref(state);
    return NULL;
}

struct str mqtt_state_profile(const json_t *state)
{
    return json_member_str(state, "profile");
}

void mqtt_state_captures(const json_t *state, struct mqtt_captures *out)
{
    const json_t *list = json_object_get(state, "captures");

    *out = (struct mqtt_captures){0};
    for (size_t i = 0; i < json_array_size(list) && i < MQTT_PATTERN_CAPTURES; i++) {
        const json_t *level = json_array_get(list, i);
        out->level[i] = (struct str){json_string_value(level), json_string_length(level)};
        out->count = i + 1;
    }
}

static int64_t read_time(const json_t *state, const char *name, const struct mqtt_time *t, int64_t otherwise)
{
    const json_t *at = json_object_get(state, name);

    if (!json_is_integer(at))
        return otherwise;
    int64_t wall = json_integer_value(at);
    return wall < 0 || wall > t->wall ? t->now : t->now - (t->wall - wall); // the clock was set back: it was just now
}

static void read_cell(struct mqtt_cell *c, const json_t *value)
{
    struct mqtt_result r = {.type = MQTT_ABSENT};

    if (json_is_number(value)) {
        r.type = MQTT_NUMBER;
        r.number = json_number_value(value);
    } else if (json_is_string(value) && json_string_length(value) <= MQTT_TEXT_MAX) {
        r.type = MQTT_TEXT;
        r.text = (struct str){json_string_value(value), json_string_length(value)};
    }
    mqtt_cell_set(c, &r);
}

static enum mqtt_presence read_presence(const json_t *at)
{
    struct str word = {json_string_value(at), json_string_length(at)};

    if (json_is_boolean(at))
        return json_is_true(at) ? MQTT_PRESENCE_ONLINE : MQTT_PRESENCE_OFFLINE;
    for (enum mqtt_presence p = MQTT_PRESENCE_LEFT; word.n && p < MQTT_PRESENCE_COUNT; p++) {
        struct str quoted = str_c(presence_words[p]);
        if (str_eq(str_sub(quoted, 1, quoted.n - 1), word))
            return p;
    }
    return MQTT_PRESENCE_UNKNOWN;
}

static void read_raised(struct mqtt_device *d, json_t *raised)
{
    struct arena scratch;
    struct str before;
    const char *id;
    json_t *text;

    arena_init(&scratch, 0);
    json_object_foreach(raised, id, text)
    {
        struct str words = {json_string_value(text), json_string_length(text)};
        (void)mqtt_raised_set(d, str_c(id), words, &scratch, &before);
    }
    arena_finish(&scratch);
}

static void read_availability(struct mqtt_device *d, const json_t *available, struct str latest)
{
    for (uint16_t i = 0; i < d->spec->availability_count; i++) {
        struct str topic = availability_topic(d->spec, i);
        const json_t *at = json_object_getn(available, topic.p, topic.n);
        if (at)
            mqtt_device_presences(d)[i] = (uint8_t)read_presence(at);
        if (str_eq(topic, latest))
            d->latest = (uint8_t)i;
    }
}

static void read_alarms(struct mqtt_device *d, const json_t *alarms)
{
    struct arena scratch;

    arena_init(&scratch, 0);
    for (uint16_t i = 0; i < d->spec->alert_count; i++) {
        struct str key = mqtt_rule_key(d, i, &scratch);
        const json_t *at = json_object_getn(alarms, key.p, key.n);
        mqtt_device_alarms(d)[i].active = json_is_true(json_array_get(at, 0));
        mqtt_device_alarms(d)[i].count = (uint32_t)json_integer_value(json_array_get(at, 1));
    }
    arena_finish(&scratch);
}

void mqtt_state_read(struct mqtt_device *d, const json_t *state, const struct mqtt_time *t)
{
    const json_t *readings = json_object_get(state, "readings");

    d->heard = read_time(state, "heard", t, INT64_MIN);
    d->lost = read_time(state, "lost", t, t->now);
    if (json_is_boolean(json_object_get(state, "silent")))
        d->silence = json_is_true(json_object_get(state, "silent")) ? MQTT_VERDICT_SILENT : MQTT_VERDICT_STALE;
    for (uint16_t i = 0; i < d->spec->reading_count; i++) {
        struct str name = d->spec->readings[i].name;
        const json_t *value = json_object_getn(readings, name.p, name.n);
        if (value)
            read_cell(&mqtt_device_cells(d)[i], value);
    }
    read_availability(d, json_object_get(state, "available"), json_member_str(state, "latest"));
    read_alarms(d, json_object_get(state, "alarms"));
    read_raised(d, json_object_get(state, "raised"));
}
