#include "adapters/mqtt/mqtt_entities.h"

#include "adapters/mqtt/mqtt_profile.h"
#include "adapters/mqtt/mqtt_raised.h"

#include "base/mem.h"

enum { ENTITIES_VERSION = 1 };

struct entity {
    char *source, *config; // owned
    bool refused;          // when a spec was last built
};

struct mqtt_entities {
    char *device;        // owned: normalised JSON
    bool device_refused; // when a spec was last built
    struct entity v[MQTT_DISCOVERY_ENTITIES];
    size_t count;
    struct mqtt_raised *raised; // owned
};

struct mqtt_entities *mqtt_entities_create(void)
{
    return MEM_NEW(struct mqtt_entities);
}

void mqtt_entities_destroy(struct mqtt_entities *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->count; i++) {
        mem_free(e->v[i].source);
        mem_free(e->v[i].config);
    }
    mqtt_raised_destroy(e->raised);
    mem_free(e->device);
    mem_free(e);
}

size_t mqtt_entities_count(const struct mqtt_entities *e)
{
    return e->count;
}

struct mqtt_raised **mqtt_entities_raised(struct mqtt_entities *e)
{
    return &e->raised;
}

bool mqtt_entities_has(const struct mqtt_entities *e, struct str source)
{
    for (size_t i = 0; i < e->count; i++)
        if (str_eq_c(source, e->v[i].source))
            return true;
    return false;
}

// Entities of one source stand together, since they come and go together.
bool mqtt_entities_source(const struct mqtt_entities *e, size_t *at, struct str *source)
{
    while (*at > 0 && *at < e->count && str_eq_c(str_c(e->v[*at].source), e->v[*at - 1].source))
        (*at)++;
    if (*at >= e->count)
        return false;
    *source = str_c(e->v[(*at)++].source);
    return true;
}

bool mqtt_entities_same(const struct mqtt_entities *e, const struct mqtt_found *found)
{
    size_t n = 0;

    if (found->device.n && !str_eq_c(found->device, e->device ? e->device : ""))
        return false;
    for (size_t i = 0; i < e->count; i++)
        if (str_eq_c(found->source, e->v[i].source)) {
            if (n == found->count || !str_eq_c(found->entities[n], e->v[i].config))
                return false;
            n++;
        }
    return n == found->count;
}

// Bytes of the stored text, escapes included.
static size_t stored_size(const struct mqtt_entities *e)
{
    struct arena a;

    arena_init(&a, 0);
    size_t n = mqtt_entities_write(e, &a).n;
    arena_finish(&a);
    return n;
}

static struct entity *add(struct mqtt_entities *e, struct str source, struct str config)
{
    struct entity *v = &e->v[e->count++];

    v->source = mem_dup(source.p, source.n);
    v->config = mem_dup(config.p, config.n);
    return v;
}

struct mqtt_entities *mqtt_entities_with(const struct mqtt_entities *e, const struct mqtt_found *found)
{
    struct mqtt_entities *next = mqtt_entities_create();
    struct str device = found->device.n || !e->device ? found->device : str_c(e->device);

    next->device = device.n ? mem_dup(device.p, device.n) : NULL;
    for (size_t i = 0; i < e->count; i++)
        if (!str_eq_c(found->source, e->v[i].source))
            add(next, str_c(e->v[i].source), str_c(e->v[i].config))->refused = e->v[i].refused;
    next->device_refused = e->device_refused;
    bool fits = next->count + found->count <= MQTT_DISCOVERY_ENTITIES;
    for (size_t i = 0; i < found->count && fits; i++)
        (void)add(next, found->source, found->entities[i]);
    if (fits && (found->count == 0 || stored_size(next) > 0))
        return next;
    mqtt_entities_destroy(next);
    return NULL;
}

static void build_device(struct mqtt_entities *e, struct mqtt_spec *s, const struct mqtt_entity_context *ctx,
                         size_t *refused)
{
    struct mqtt_spec_mark mark = mqtt_spec_mark(s);
    bool before = e->device_refused;

    e->device_refused = mqtt_entity_device(s, str_c(e->device), ctx, NULL) != ERR_OK;
    if (e->device_refused)
        mqtt_spec_rewind(s, mark);
    if (refused && e->device_refused && !before)
        (*refused)++;
}

struct mqtt_spec *mqtt_entities_spec(struct mqtt_entities *e, const struct mqtt_entity_context *ctx, size_t *refused)
{
    struct mqtt_spec *s = mqtt_spec_create();

    s->discovered = true;
    s->profile = STR("discovery");
    s->offline_delay = ctx->discovery->offline_delay;
    s->status_interval = ctx->discovery->status_interval;
    build_device(e, s, ctx, refused);
    for (size_t i = 0; i < e->count; i++) {
        struct mqtt_spec_mark mark = mqtt_spec_mark(s);
        bool before = e->v[i].refused;
        e->v[i].refused = mqtt_entity_build(s, str_c(e->v[i].config), ctx, NULL) != ERR_OK;
        if (e->v[i].refused)
            mqtt_spec_rewind(s, mark);
        if (refused && e->v[i].refused && !before)
            (*refused)++;
    }
    mqtt_profile_headlines(s);
    for (uint16_t i = 0; i < s->reading_count && s->cls.n == 0; i++)
        s->cls = s->readings[i].cls;
    mqtt_spec_seal(s);
    return s;
}

bool mqtt_entities_built(const struct mqtt_entities *e, struct str source)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->v[i].refused && str_eq_c(source, e->v[i].source))
            return false;
    return !e->device_refused;
}

struct str mqtt_entities_write(const struct mqtt_entities *e, struct arena *a)
{
    struct strbuf b;

    strbuf_init(&b, MQTT_ENTITIES_MAX);
    (void)strbuf_printf(&b, "{\"v\":%d,\"device\":%s,\"entities\":[", ENTITIES_VERSION, e->device ? e->device : "{}");
    for (size_t i = 0; i < e->count; i++) {
        (void)strbuf_c(&b, i ? ",[" : "[");
        (void)json_write_str(&b, str_c(e->v[i].source));
        (void)strbuf_printf(&b, ",%s]", e->v[i].config);
    }
    (void)strbuf_c(&b, "]}");
    struct str blob = b.full ? STR_NONE : arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return blob;
}

static char *dump(const json_t *v)
{
    size_t n = json_dumpb(v, NULL, 0, JSON_COMPACT);
    char *text = mem_zalloc(n + 1, 1);

    (void)json_dumpb(v, text, n, JSON_COMPACT);
    return text;
}

bool mqtt_entities_readable(struct str blob)
{
    json_t *root = json_read(blob, MQTT_ENTITIES_MAX, NULL);
    bool good = json_integer_value(json_object_get(root, "v")) == ENTITIES_VERSION;

    json_decref(root);
    return good;
}

struct mqtt_entities *mqtt_entities_read(struct str blob)
{
    json_t *root = json_read(blob, MQTT_ENTITIES_MAX, NULL);
    const json_t *list = json_object_get(root, "entities");
    struct mqtt_entities *e = mqtt_entities_create();

    if (json_integer_value(json_object_get(root, "v")) == ENTITIES_VERSION) {
        e->device = dump(json_object_get(root, "device"));
        for (size_t i = 0; i < json_array_size(list) && e->count < MQTT_DISCOVERY_ENTITIES; i++) {
            const json_t *source = json_array_get(json_array_get(list, i), 0);
            const json_t *config = json_array_get(json_array_get(list, i), 1);
            if (!json_is_string(source) || !json_is_object(config))
                continue;
            e->v[e->count++] = (struct entity){
                .source = mem_dup(json_string_value(source), json_string_length(source)),
                .config = dump(config),
            };
        }
    }
    json_decref(root);
    if (e->count)
        return e;
    mqtt_entities_destroy(e);
    return NULL;
}
