#include "adapters/mqtt/mqtt_device.h"

#include "adapters/mqtt/mqtt_entities.h"

#include "base/mem.h"
#include "base/utf8.h"

// `names`: the lengths (of the key, the number of captures, of each), then the key and the captures, each with a NUL.
enum { LENGTH_KEY, LENGTH_CAPTURED, LENGTH_FIRST };

static size_t length_at(const struct mqtt_device *d, size_t i)
{
    uint16_t n;

    memcpy(&n, d->names + i * sizeof(n), sizeof(n));
    return n;
}

static void put_length(char *names, size_t i, size_t length)
{
    uint16_t n = (uint16_t)length;

    memcpy(names + i * sizeof(n), &n, sizeof(n));
}

static size_t lengths_size(size_t captured)
{
    return (LENGTH_FIRST + captured) * sizeof(uint16_t);
}

static char *put(char *at, struct str s)
{
    if (s.n)
        memcpy(at, s.p, s.n);
    at[s.n] = '\0';
    return at + s.n + 1;
}

static char *pack_names(struct str key, const struct mqtt_captures *c)
{
    size_t captured = c->count < MQTT_PATTERN_CAPTURES ? c->count : MQTT_PATTERN_CAPTURES;
    size_t size = lengths_size(captured) + key.n + 1;

    for (size_t i = 0; i < captured; i++)
        size += c->level[i].n + 1;
    char *names = mem_alloc(size);
    put_length(names, LENGTH_KEY, key.n);
    put_length(names, LENGTH_CAPTURED, captured);
    char *at = put(names + lengths_size(captured), key);
    for (size_t i = 0; i < captured; i++) {
        put_length(names, LENGTH_FIRST + i, c->level[i].n);
        at = put(at, c->level[i]);
    }
    return names;
}

// Where each kind of fact begins: the widest first, so that all are aligned.
struct layout {
    size_t alarms, bindings, presences, size;
};

static struct layout layout_of(const struct mqtt_spec *s)
{
    struct layout l;

    l.alarms = s->reading_count * sizeof(struct mqtt_cell);
    l.bindings = l.alarms + s->alert_count * sizeof(struct mqtt_alarm);
    l.presences = l.bindings + s->topic_count * sizeof(uint32_t);
    l.size = l.presences + s->availability_count;
    return l;
}

static void make_facts(struct mqtt_device *d)
{
    d->facts = mem_zalloc(1, layout_of(d->spec).size);
    for (uint16_t i = 0; i < d->spec->alert_count; i++)
        mqtt_device_alarms(d)[i].last = INT64_MIN;
    for (uint16_t i = 0; i < d->spec->topic_count; i++)
        mqtt_device_bindings(d)[i] = UINT32_MAX;
}

static void free_facts(struct mqtt_device *d)
{
    struct mqtt_cell *cells = mqtt_device_cells(d);

    for (uint16_t i = 0; i < d->spec->reading_count; i++)
        if (cells[i].type == MQTT_CELL_TEXT)
            mem_free(cells[i].text);
    mem_free(d->facts);
}

struct mqtt_device *mqtt_device_create(struct mqtt_spec *spec, struct str key, const struct mqtt_captures *c)
{
    struct mqtt_device *d = MEM_NEW(struct mqtt_device);

    d->spec = spec;
    d->names = pack_names(key, c);
    d->handle = d->heap = d->dirty = UINT32_MAX;
    d->heard = d->last_loss = d->said_at = INT64_MIN;
    make_facts(d);
    return d;
}

void mqtt_device_destroy(struct mqtt_device *d)
{
    if (!d)
        return;
    free_facts(d);
    if (d->spec->discovered)
        mqtt_spec_destroy(d->spec);
    mqtt_entities_destroy(d->entities);
    mem_free(d->names);
    mem_free(d);
}

static bool same_alert(const struct mqtt_spec *s, const struct mqtt_alert *a, const struct mqtt_spec *t,
                       const struct mqtt_alert *b)
{
    bool same_limit = !(a->limit < b->limit) && !(a->limit > b->limit);

    return a->kind == b->kind && same_limit && str_eq(a->equals, b->equals) &&
           str_eq(s->readings[a->reading].name, t->readings[b->reading].name);
}

static void move_alarms(struct mqtt_device *from, struct mqtt_device *to)
{
    for (uint16_t i = 0; i < to->spec->alert_count; i++)
        for (uint16_t j = 0; j < from->spec->alert_count; j++)
            if (same_alert(to->spec, &to->spec->alerts[i], from->spec, &from->spec->alerts[j]))
                mqtt_device_alarms(to)[i] = mqtt_device_alarms(from)[j];
}

// Moves what has the same name, topic or limit in both specs.
static void move_facts(struct mqtt_device *from, struct mqtt_device *to)
{
    const struct mqtt_spec *old = from->spec, *new = to->spec;

    for (uint16_t i = 0; i < new->reading_count; i++) {
        uint16_t at = mqtt_spec_reading(old, new->readings[i].name);
        if (at == MQTT_NO_READING)
            continue;
        mqtt_device_cells(to)[i] = mqtt_device_cells(from)[at];
        mqtt_device_cells(from)[at] = (struct mqtt_cell){0};
    }
    for (uint16_t i = 0; i < new->availability_count; i++)
        for (uint16_t j = 0; j < old->availability_count; j++)
            if (str_eq(new->topics[new->availability[i].topic].pattern.text,
                       old->topics[old->availability[j].topic].pattern.text)) {
                mqtt_device_presences(to)[i] = mqtt_device_presences(from)[j];
                to->latest = j == from->latest ? (uint8_t)i : to->latest;
            }
}

void mqtt_device_respec(struct mqtt_device *d, struct mqtt_spec *spec)
{
    struct mqtt_device old = *d;

    d->spec = spec;
    make_facts(d);
    move_facts(&old, d);
    move_alarms(&old, d);
    free_facts(&old);
}

struct str mqtt_device_key(const struct mqtt_device *d)
{
    return (struct str){d->names + lengths_size(length_at(d, LENGTH_CAPTURED)), length_at(d, LENGTH_KEY)};
}

void mqtt_device_captures(const struct mqtt_device *d, struct mqtt_captures *out)
{
    struct str key = mqtt_device_key(d);
    const char *at = key.p + key.n + 1;

    out->count = length_at(d, LENGTH_CAPTURED);
    for (size_t i = 0; i < out->count; i++) {
        out->level[i] = (struct str){at, length_at(d, LENGTH_FIRST + i)};
        at += out->level[i].n + 1;
    }
    for (size_t i = out->count; i < MQTT_PATTERN_CAPTURES; i++)
        out->level[i] = STR_NONE;
}

struct mqtt_cell *mqtt_device_cells(const struct mqtt_device *d)
{
    return (struct mqtt_cell *)(void *)d->facts;
}

struct mqtt_alarm *mqtt_device_alarms(const struct mqtt_device *d)
{
    return (struct mqtt_alarm *)(void *)(d->facts + layout_of(d->spec).alarms);
}

uint32_t *mqtt_device_bindings(const struct mqtt_device *d)
{
    return (uint32_t *)(void *)(d->facts + layout_of(d->spec).bindings);
}

uint8_t *mqtt_device_presences(const struct mqtt_device *d)
{
    return (uint8_t *)(d->facts + layout_of(d->spec).presences);
}

size_t mqtt_device_size(const struct mqtt_device *d)
{
    struct mqtt_captures c;
    size_t names = lengths_size(length_at(d, LENGTH_CAPTURED)) + mqtt_device_key(d).n + 1;

    mqtt_device_captures(d, &c);
    for (size_t i = 0; i < c.count; i++)
        names += c.level[i].n + 1;
    return sizeof(*d) + names + layout_of(d->spec).size;
}

struct str mqtt_device_fill(const struct mqtt_device *d, struct arena *a, struct str text)
{
    struct mqtt_captures c;

    if (d->spec->discovered || str_find(text, '{') < 0)
        return text;
    mqtt_device_captures(d, &c);
    return mqtt_pattern_fill(a, text, &c);
}

struct str mqtt_device_name(const struct mqtt_device *d, struct arena *a)
{
    enum { NAME_CHARS = 64 };
    struct str name = utf8_display(a, mqtt_device_fill(d, a, d->spec->name), NAME_CHARS);

    struct str profile, id;

    if (name.n)
        return name;
    return str_cut(mqtt_device_key(d), '/', &profile, &id) ? id : mqtt_device_key(d);
}

bool mqtt_cell_is(const struct mqtt_cell *c, const struct mqtt_result *r)
{
    if (c->type == MQTT_CELL_NUMBER)
        return r->type == MQTT_NUMBER && !(c->number < r->number) && !(c->number > r->number);
    if (c->type == MQTT_CELL_TEXT)
        return r->type == MQTT_TEXT && str_eq_c(r->text, c->text);
    return r->type == MQTT_ABSENT;
}

void mqtt_cell_set(struct mqtt_cell *c, const struct mqtt_result *r)
{
    char *old = c->type == MQTT_CELL_TEXT ? c->text : NULL;

    if (r->type == MQTT_NUMBER) {
        c->type = MQTT_CELL_NUMBER;
        c->number = r->number;
    } else if (r->type == MQTT_TEXT) {
        c->type = MQTT_CELL_TEXT;
        c->text = mem_dup(r->text.p, r->text.n);
    } else {
        c->type = MQTT_CELL_NONE;
    }
    mem_free(old);
}
