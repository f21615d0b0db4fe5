#include "adapters/mqtt/mqtt_rule.h"

#include "adapters/mqtt/mqtt_status.h"

#include "base/strbuf.h"
#include "text/hash.h"

// The alert as a condition that holds or does not; between limit and re-arm it stays as it was.
static bool condition(const struct mqtt_device *d, const struct mqtt_alert *r, bool active, struct arena *a)
{
    const struct mqtt_cell *c = &mqtt_device_cells(d)[r->reading];

    if (r->kind == MQTT_ALERT_EQUALS)
        return str_case_eq(mqtt_status_value(d, r->reading, a), r->equals);
    if (c->type != MQTT_CELL_NUMBER)
        return active;
    if (r->kind == MQTT_ALERT_ABOVE)
        return c->number > r->limit || (active && c->number > r->rearm);
    return c->number < r->limit || (active && c->number < r->rearm);
}

static bool too_soon(const struct mqtt_alert *r, const struct mqtt_alarm *m, int64_t now)
{
    return m->last != INT64_MIN && now - m->last < r->every;
}

static bool told(struct mqtt_alarm *m, int64_t now)
{
    m->last = now;
    m->count++;
    return true;
}

bool mqtt_rule_check(struct mqtt_device *d, uint16_t alert, bool first, bool changed, bool snapshot, int64_t now,
                     struct arena *a)
{
    const struct mqtt_alert *r = &d->spec->alerts[alert];
    struct mqtt_alarm *m = &mqtt_device_alarms(d)[alert];

    if (r->kind == MQTT_ALERT_EVENT) // an empty one says that it is over
        return !snapshot && mqtt_status_value(d, r->reading, a).n && !too_soon(r, m, now) && told(m, now);
    if (r->kind == MQTT_ALERT_CHANGE)
        return changed && !first && !snapshot && !too_soon(r, m, now) && told(m, now);
    bool holds = condition(d, r, m->active, a), news = holds && !m->active;
    if (news && !snapshot && too_soon(r, m, now))
        return false; // not marked: if it still holds when it may be said, it is said then
    m->active = holds;
    return news && !snapshot && told(m, now);
}

static struct str own_text(const struct mqtt_device *d, const struct mqtt_alert *r, struct arena *a)
{
    struct str name = d->spec->readings[r->reading].name, value = mqtt_status_reading(d, r->reading, a);

    if (r->kind == MQTT_ALERT_EVENT)
        return arena_printf(a, STR_FMT ": " STR_FMT, STR_ARG(name), STR_ARG(value));
    if (r->kind == MQTT_ALERT_EQUALS)
        return arena_printf(a, STR_FMT " is " STR_FMT, STR_ARG(name), STR_ARG(value));
    if (r->kind == MQTT_ALERT_CHANGE)
        return arena_printf(a, STR_FMT " is now " STR_FMT, STR_ARG(name), STR_ARG(value));
    return arena_printf(a, STR_FMT " is " STR_FMT " (%s %.10g)", STR_ARG(name), STR_ARG(value),
                        r->kind == MQTT_ALERT_ABOVE ? "above" : "below", r->limit);
}

// What stands for {word}; false when it is none of ours.
static bool word(const struct mqtt_device *d, const struct mqtt_alert *r, struct str name, struct arena *a,
                 struct str *out)
{
    uint16_t reading = mqtt_spec_reading(d->spec, name);

    if (str_eq_c(name, "value"))
        *out = mqtt_status_value(d, r->reading, a);
    else if (str_eq_c(name, "unit"))
        *out = d->spec->readings[r->reading].unit;
    else if (str_eq_c(name, "reading"))
        *out = d->spec->readings[r->reading].name;
    else if (str_eq_c(name, "name"))
        *out = mqtt_device_name(d, a);
    else if (reading != MQTT_NO_READING)
        *out = mqtt_status_reading(d, reading, a);
    else
        return false;
    return true;
}

static struct str fill_words(const struct mqtt_device *d, const struct mqtt_alert *r, struct str text, struct arena *a)
{
    enum { ALERT_MAX = 2048 };
    struct str head, name, tail, value;
    struct strbuf b;

    strbuf_init(&b, ALERT_MAX);
    while (str_cut(text, '{', &head, &text)) {
        (void)strbuf_str(&b, head);
        if (str_cut(text, '}', &name, &tail) && word(d, r, name, a, &value)) {
            (void)strbuf_str(&b, value);
            text = tail;
        } else {
            (void)strbuf_char(&b, '{');
        }
    }
    (void)strbuf_str(&b, head);
    struct str filled = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return filled;
}

struct str mqtt_rule_text(const struct mqtt_device *d, uint16_t alert, struct arena *a)
{
    const struct mqtt_alert *r = &d->spec->alerts[alert];

    if (r->message.n == 0)
        return own_text(d, r, a);
    return fill_words(d, r, mqtt_device_fill(d, a, r->message), a);
}

struct str mqtt_rule_key(const struct mqtt_device *d, uint16_t alert, struct arena *a)
{
    static const char signs[] = {[MQTT_ALERT_ABOVE] = '>',
                                 [MQTT_ALERT_BELOW] = '<',
                                 [MQTT_ALERT_EQUALS] = '=',
                                 [MQTT_ALERT_CHANGE] = '~',
                                 [MQTT_ALERT_EVENT] = '!'};
    const struct mqtt_alert *r = &d->spec->alerts[alert];
    struct str name = d->spec->readings[r->reading].name;

    if (r->kind == MQTT_ALERT_ABOVE || r->kind == MQTT_ALERT_BELOW)
        return arena_printf(a, STR_FMT "%c%.10g", STR_ARG(name), signs[r->kind], r->limit);
    return arena_printf(a, STR_FMT "%c" STR_FMT, STR_ARG(name), signs[r->kind], STR_ARG(r->equals));
}

struct str mqtt_rule_id(const struct mqtt_device *d, uint16_t alert, struct str occasion, struct arena *a)
{
    enum { ID_BYTES = 15 };
    uint8_t digest[32];

    hash_sha256(arena_printf(a, STR_FMT "%c" STR_FMT "%c" STR_FMT, STR_ARG(mqtt_device_key(d)), 0,
                             STR_ARG(mqtt_rule_key(d, alert, a)), 0, STR_ARG(occasion)),
                digest);
    return hash_base32(a, digest, ID_BYTES);
}
