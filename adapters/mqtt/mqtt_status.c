#include "adapters/mqtt/mqtt_status.h"

#include "adapters/mqtt/mqtt_raised.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <time.h>

struct str mqtt_status_time(int64_t wall, struct arena *a)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall / 1000);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm))
        return STR("an unknown time");
    return arena_printf(a, "%d %s %02d:%02d UTC", tm.tm_mday, months[tm.tm_mon], tm.tm_hour, tm.tm_min);
}

// "21.40" is "21.4", "-0" is "0".
static struct str trim_zeros(struct str s)
{
    if (str_find(s, '.') < 0)
        return str_eq_c(s, "-0") ? STR("0") : s;
    while (s.n && s.p[s.n - 1] == '0')
        s.n--;
    if (s.n && s.p[s.n - 1] == '.')
        s.n--;
    return str_eq_c(s, "-0") ? STR("0") : s;
}

static struct str format_number(double v, int digits, struct arena *a)
{
    bool small = v > -1 && v < 1;
    bool huge = v < -1e15 || v > 1e15;

    if (digits >= 0 && !huge)
        return arena_printf(a, "%.*f", digits, v);
    if (!(v < 0) && !(v > 0))
        return STR("0");
    if (huge || (small && v > -0.01 && v < 0.01))
        return arena_printf(a, "%.3g", v);
    return trim_zeros(arena_printf(a, small ? "%.3f" : "%.2f", v));
}

struct str mqtt_status_value(const struct mqtt_device *d, uint16_t reading, struct arena *a)
{
    const struct mqtt_cell *c = &mqtt_device_cells(d)[reading];

    if (c->type == MQTT_CELL_NUMBER)
        return format_number(c->number, d->spec->readings[reading].digits, a);
    return c->type == MQTT_CELL_TEXT ? str_c(c->text) : STR_NONE;
}

struct str mqtt_status_reading(const struct mqtt_device *d, uint16_t reading, struct arena *a)
{
    struct str value = mqtt_status_value(d, reading, a);
    struct str unit = d->spec->readings[reading].unit;

    if (value.n == 0 || unit.n == 0)
        return value;
    return arena_printf(a, STR_FMT " " STR_FMT, STR_ARG(value), STR_ARG(unit));
}

static struct str label_of(const struct mqtt_reading *r)
{
    return r->label.n ? r->label : r->name;
}

struct str mqtt_status_line(const struct mqtt_device *d, struct arena *a)
{
    struct strbuf b;

    strbuf_init(&b, 2 * MQTT_STATUS_MAX);
    for (uint16_t i = 0; i < d->spec->reading_count; i++) {
        const struct mqtt_reading *r = &d->spec->readings[i];
        struct str value = r->headline ? mqtt_status_reading(d, i, a) : STR_NONE;
        if (value.n == 0)
            continue;
        if (b.n)
            (void)strbuf_c(&b, ", ");
        if (r->unit.n == 0) // a bare "on" or "3" says nothing
            (void)strbuf_printf(&b, STR_FMT " ", STR_ARG(label_of(r)));
        (void)strbuf_str(&b, value);
    }
    struct str line = arena_dup(a, utf8_cut(strbuf_view(&b), MQTT_STATUS_MAX));
    strbuf_finish(&b);
    return line;
}

static int64_t wall_of(int64_t mono, const struct mqtt_time *t)
{
    return t->wall - (t->now - mono);
}

static struct str since(const char *what, int64_t mono, const struct mqtt_time *t, struct arena *a)
{
    if (mono == INT64_MIN)
        return str_c(what);
    return arena_printf(a, "%s " STR_FMT, what, STR_ARG(mqtt_status_time(wall_of(mono, t), a)));
}

struct str mqtt_status_words(const struct mqtt_device *d, enum mqtt_verdict v, const struct mqtt_time *t,
                             struct arena *a)
{
    switch (v) {
    case MQTT_VERDICT_NONE:
    case MQTT_VERDICT_NEW:
        return STR("no data yet");
    case MQTT_VERDICT_ONLINE:
        return STR("online");
    case MQTT_VERDICT_STALE:
        return since("stale since", d->heard, t, a);
    case MQTT_VERDICT_SILENT:
        return since("silent since", d->heard, t, a);
    case MQTT_VERDICT_LOST:
        return since("lost", d->lost, t, a);
    case MQTT_VERDICT_LINK:
        return STR("MQTT link down");
    case MQTT_VERDICT_LEFT:
        return since("disconnected", d->lost, t, a);
    case MQTT_VERDICT_STARTING:
        return STR("starting");
    case MQTT_VERDICT_SLEEPING:
        return d->heard == INT64_MIN ? STR("sleeping") : since("sleeping, last data", d->heard, t, a);
    case MQTT_VERDICT_ALERT:
        return mqtt_raised_text(d).n ? mqtt_raised_text(d) : STR("alert");
    case MQTT_VERDICT_DISABLED:
        return STR("disabled");
    }
    return STR_NONE;
}

struct str mqtt_status_text(const struct mqtt_device *d, enum mqtt_verdict v, const struct mqtt_time *t,
                            struct arena *a)
{
    struct str line = mqtt_status_line(d, a);

    if (v == MQTT_VERDICT_ONLINE)
        return line;
    struct str words = mqtt_status_words(d, v, t, a);
    return line.n ? arena_printf(a, STR_FMT ": " STR_FMT, STR_ARG(words), STR_ARG(line)) : words;
}

struct str mqtt_status_full(const struct mqtt_device *d, const struct mqtt_time *t, struct arena *a)
{
    enum { FULL_MAX = 8 * 1024 };
    struct strbuf b;

    strbuf_init(&b, FULL_MAX);
    (void)strbuf_printf(&b, STR_FMT ": " STR_FMT, STR_ARG(mqtt_device_name(d, a)),
                        STR_ARG(mqtt_status_words(d, d->said, t, a)));
    for (uint16_t i = 0; i < d->spec->reading_count; i++) {
        struct str value = mqtt_status_reading(d, i, a);
        if (value.n == 0 && d->spec->readings[i].quiet)
            continue;
        (void)strbuf_printf(&b, "\n" STR_FMT ": " STR_FMT, STR_ARG(d->spec->readings[i].name),
                            STR_ARG(value.n ? value : STR("no value yet")));
    }
    if (d->heard != INT64_MIN)
        (void)strbuf_printf(&b, "\nlast heard " STR_FMT " ago", STR_ARG(clock_span(a, t->now - d->heard)));
    struct str full = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return full;
}

static float said_text(const char *text)
{
    enum { EXACT_IN_FLOAT = 1 << 24 };

    return (float)(map_hash(str_c(text)) % EXACT_IN_FLOAT);
}

bool mqtt_status_moved(const struct mqtt_device *d, uint16_t reading)
{
    const struct mqtt_cell *c = &mqtt_device_cells(d)[reading];
    double said = (double)c->said;

    if (c->type == MQTT_CELL_TEXT)
        said -= (double)said_text(c->text);
    else if (c->type == MQTT_CELL_NUMBER)
        said -= (double)(float)c->number;
    else
        return true;
    double by = said < 0 ? -said : said;
    double deadband = c->type == MQTT_CELL_NUMBER ? d->spec->readings[reading].deadband : 0;
    return by > 0 && by >= deadband * (1 - 1e-6); // of a float
}

void mqtt_status_told(struct mqtt_device *d)
{
    struct mqtt_cell *cells = mqtt_device_cells(d);

    for (uint16_t i = 0; i < d->spec->reading_count; i++) {
        struct mqtt_cell *c = &cells[i];
        if (c->type == MQTT_CELL_TEXT)
            c->said = said_text(c->text);
        else if (c->type == MQTT_CELL_NUMBER)
            c->said = (float)c->number;
    }
}
