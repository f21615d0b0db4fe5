#include "adapters/mqtt/mqtt_spec.h"

#include "base/mem.h"

struct mqtt_spec *mqtt_spec_create(void)
{
    struct mqtt_spec *s = MEM_NEW(struct mqtt_spec);

    arena_init(&s->arena, 1024);
    return s;
}

void mqtt_spec_destroy(struct mqtt_spec *s)
{
    if (!s)
        return;
    arena_finish(&s->arena);
    mem_free(s);
}

// A slot behind `count` members of `size` bytes, in an array that doubles within the arena; NULL at the bound.
static void *append(struct arena *a, void **array, uint16_t *count, size_t size, size_t max)
{
    enum { FIRST = 4 };
    size_t n = *count;

    if (n == max)
        return NULL;
    bool full = n == 0 || (n >= FIRST && (n & (n - 1)) == 0);
    if (full) {
        void *bigger = arena_zalloc(a, n ? 2 * n : FIRST, size);
        if (n)
            memcpy(bigger, *array, n * size);
        *array = bigger;
    }
    (*count)++;
    return (char *)*array + n * size;
}

struct mqtt_reading *mqtt_spec_add_reading(struct mqtt_spec *s)
{
    void *array = s->readings;
    struct mqtt_reading *r = append(&s->arena, &array, &s->reading_count, sizeof(*r), MQTT_SPEC_READINGS);

    s->readings = array;
    if (r)
        r->digits = -1;
    return r;
}

struct mqtt_source *mqtt_spec_add_source(struct mqtt_spec *s)
{
    void *array = s->sources;
    struct mqtt_source *r = append(&s->arena, &array, &s->source_count, sizeof(*r), MQTT_SPEC_SOURCES);

    s->sources = array;
    return r;
}

struct mqtt_control *mqtt_spec_add_control(struct mqtt_spec *s)
{
    void *array = s->controls;
    struct mqtt_control *c = append(&s->arena, &array, &s->control_count, sizeof(*c), MQTT_SPEC_CONTROLS);

    s->controls = array;
    if (c)
        c->state = c->target = MQTT_NO_READING;
    return c;
}

struct mqtt_alert *mqtt_spec_add_alert(struct mqtt_spec *s)
{
    void *array = s->alerts;
    struct mqtt_alert *r = append(&s->arena, &array, &s->alert_count, sizeof(*r), MQTT_SPEC_ALERTS);

    s->alerts = array;
    return r;
}

struct mqtt_availability *mqtt_spec_add_availability(struct mqtt_spec *s)
{
    void *array = s->availability;
    struct mqtt_availability *r = append(&s->arena, &array, &s->availability_count, sizeof(*r), MQTT_SPEC_AVAILABILITY);

    s->availability = array;
    return r;
}

struct mqtt_file *mqtt_spec_add_file(struct mqtt_spec *s)
{
    void *array = s->files;
    struct mqtt_file *f = append(&s->arena, &array, &s->file_count, sizeof(*f), MQTT_SPEC_FILES);

    s->files = array;
    if (f)
        f->every = -1;
    return f;
}

bool mqtt_spec_topic(struct mqtt_spec *s, const struct mqtt_pattern *p, uint16_t *out)
{
    for (uint16_t i = 0; i < s->topic_count; i++)
        if (str_eq(s->topics[i].pattern.text, p->text)) {
            *out = i;
            return true;
        }
    void *array = s->topics;
    struct mqtt_topic *t = append(&s->arena, &array, &s->topic_count, sizeof(*t), MQTT_SPEC_TOPICS);
    s->topics = array;
    if (!t)
        return false;
    t->pattern = *p;
    *out = (uint16_t)(s->topic_count - 1);
    return true;
}

struct mqtt_spec_mark mqtt_spec_mark(const struct mqtt_spec *s)
{
    return (struct mqtt_spec_mark){s->topic_count,   s->availability_count, s->reading_count, s->source_count,
                                   s->control_count, s->alert_count,        s->file_count};
}

void mqtt_spec_rewind(struct mqtt_spec *s, struct mqtt_spec_mark mark)
{
    s->topic_count = mark.topics;
    s->availability_count = mark.availability;
    s->reading_count = mark.readings;
    s->source_count = mark.sources;
    s->control_count = mark.controls;
    s->file_count = mark.files;
    s->alert_count = mark.alerts;
}

static uint16_t collect_uses(const struct mqtt_spec *s, uint16_t topic, struct mqtt_use *out)
{
    uint16_t n = 0;

    for (uint16_t i = 0; i < s->availability_count; i++)
        if (s->availability[i].topic == topic)
            out[n++] = (struct mqtt_use){MQTT_USE_AVAILABILITY, i};
    for (uint16_t i = 0; i < s->reading_count; i++)
        if (s->readings[i].topic == topic)
            out[n++] = (struct mqtt_use){MQTT_USE_READING, i};
    for (uint16_t i = 0; i < s->file_count; i++)
        if (s->files[i].topic == topic)
            out[n++] = (struct mqtt_use){MQTT_USE_FILE, i};
    for (uint16_t i = 0; i < s->source_count; i++)
        if (s->sources[i].topic == topic)
            out[n++] = (struct mqtt_use){MQTT_USE_SOURCE, i};
    return n;
}

void mqtt_spec_seal(struct mqtt_spec *s)
{
    size_t most = (size_t)s->availability_count + s->reading_count + s->source_count + s->file_count; // one topic each
    struct mqtt_use *uses = arena_zalloc(&s->arena, most ? most : 1, sizeof(*uses));

    for (uint16_t i = 0; i < s->topic_count; i++) {
        struct mqtt_topic *t = &s->topics[i];
        t->uses = uses;
        t->use_count = collect_uses(s, i, uses);
        t->partial = t->pattern.captures != s->captures;
        uses += t->use_count;
    }
}

uint16_t mqtt_spec_reading(const struct mqtt_spec *s, struct str name)
{
    for (uint16_t i = 0; i < s->reading_count; i++)
        if (str_case_eq(s->readings[i].name, name))
            return i;
    return MQTT_NO_READING;
}

const struct mqtt_control *mqtt_spec_control(const struct mqtt_spec *s, struct str name)
{
    for (uint16_t i = 0; i < s->control_count; i++)
        if (str_case_eq(s->controls[i].name, name))
            return &s->controls[i];
    return NULL;
}

const struct mqtt_file *mqtt_spec_file(const struct mqtt_spec *s, struct str name)
{
    for (uint16_t i = 0; i < s->file_count; i++)
        if (str_case_eq(s->files[i].name, name))
            return &s->files[i];
    return NULL;
}

static char slug_char(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c - 'A' + 'a');
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

struct str mqtt_spec_slug(struct arena *a, struct str label)
{
    enum { SLUG_MAX = 32 };
    char *slug = arena_alloc(a, SLUG_MAX + 1);
    size_t n = 0;

    for (size_t i = 0; i < label.n && n < SLUG_MAX; i++) {
        char c = slug_char(label.p[i]);
        if (c != '_' || (n && slug[n - 1] != '_'))
            slug[n++] = c;
    }
    while (n && slug[n - 1] == '_')
        n--;
    slug[n] = '\0';
    return n ? (struct str){slug, n} : STR("value");
}
