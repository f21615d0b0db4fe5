#include "adapters/mqtt/mqtt_model_private.h"

#include "adapters/mqtt/mqtt_form.h"
#include "adapters/mqtt/mqtt_raised.h"

void mqtt_model_enter(struct mqtt_model *m, int64_t now, int64_t wall)
{
    m->t = (struct mqtt_time){now, wall};
    arena_reset(&m->scratch);
}

struct mqtt_model *mqtt_model_create(const struct conf_value *section, struct conf_report *report,
                                     const struct mqtt_model_host *host, void *ud, const struct log_ctx *log)
{
    struct mqtt_model *m = MEM_NEW(struct mqtt_model);

    m->host = *host;
    m->ud = ud;
    m->log = (struct log_ctx){.parent = log, .sub = LOG_SUB_mqtt};
    m->flush_at = m->alerts_at = INT64_MAX;
    m->sweep = MQTT_NONE;
    m->correlates = true;
    arena_init(&m->scratch, 0);
    arena_init(&m->answer, 1024);
    index_init(&m->sources);
    index_init(&m->command_topics);
    map_init(&m->memos);
    mqtt_registry_init(&m->registry);
    mqtt_pendings_init(&m->pending);
    mqtt_files_init(&m->files);
    if (mqtt_life_setup(m, section, report) == ERR_OK)
        return m;
    mqtt_model_destroy(m);
    return NULL;
}

void mqtt_model_destroy(struct mqtt_model *m)
{
    if (!m)
        return;
    mqtt_registry_finish(&m->registry);
    mqtt_life_rows_finish(m);
    mqtt_life_setup_finish(m);
    mqtt_ingest_finish(m);
    mqtt_pendings_finish(&m->pending);
    mqtt_files_finish(&m->files);
    index_finish(&m->sources);
    index_finish(&m->command_topics);
    arena_finish(&m->scratch);
    arena_finish(&m->answer);
    mem_free(m->dirty);
    mem_free(m);
}

enum err mqtt_model_reload(struct mqtt_model *m, const struct conf_value *section, struct conf_report *report,
                           int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    return mqtt_life_replace(m, section, report);
}

void mqtt_model_restore(struct mqtt_model *m, struct str key, struct str blob)
{
    mqtt_life_row(m, key, blob);
}

void mqtt_model_start(struct mqtt_model *m, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    m->link = (struct mqtt_link_state){.up = false, .since = now};
    ratelimit_init(&m->creations, m->setup.discovery->max_rate / 60, (double)m->setup.discovery->max_devices, now);
    mqtt_life_apply(m);
    mqtt_life_subscribe(m, true);
    m->started = true;
    mqtt_tell_restored(m);
}

void mqtt_model_link(struct mqtt_model *m, bool up, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    if (m->link.up == up)
        return;
    m->link = (struct mqtt_link_state){up, now};
    if (up) {
        struct mqtt_device *d;
        for (uint32_t at = 0; (d = mqtt_registry_next(&m->registry, &at));)
            mqtt_raised_doubt(d);
        mqtt_tell_settle(m);
        mqtt_found_up(m);
        return;
    }
    m->settling = false;
    mqtt_tell_all(m);
}

void mqtt_model_protocol(struct mqtt_model *m, enum mqtt_protocol protocol)
{
    m->correlates = protocol != MQTT_311;
}

void mqtt_model_forget(struct mqtt_model *m, struct str key, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key);
    if (d)
        mqtt_life_forget(m, d);
}

void mqtt_model_tick(struct mqtt_model *m, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    mqtt_found_tick(m);
    mqtt_send_tick(m);
    mqtt_tell_tick(m);
}

void mqtt_model_flush(struct mqtt_model *m, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    mqtt_tell_rows(m);
}

int64_t mqtt_model_deadline(const struct mqtt_model *m)
{
    int64_t tell = mqtt_tell_deadline(m), command = mqtt_pendings_deadline(&m->pending);
    int64_t found = mqtt_discovery_deadline(m->setup.discovery);

    tell = tell < command ? tell : command;
    return tell < found ? tell : found;
}

/* Questions */

static struct mqtt_device *find_named(struct mqtt_model *m, struct str name)
{
    struct mqtt_device *d;

    for (uint32_t at = 0; (d = mqtt_registry_next(&m->registry, &at));)
        if (str_case_eq(mqtt_device_name(d, &m->answer), name))
            return d;
    return NULL;
}

enum err mqtt_model_resolve(struct mqtt_model *m, struct str text, struct candidate *out)
{
    arena_reset(&m->answer);
    text = str_trim(text);
    const struct mqtt_device *d = mqtt_registry_find(&m->registry, text);
    if (!d && text.n)
        d = find_named(m, text);
    if (!d)
        return ERR_NOTFOUND;
    *out = (struct candidate){mqtt_device_key(d), mqtt_device_name(d, &m->answer)};
    return ERR_OK;
}

enum err mqtt_model_describe(struct mqtt_model *m, struct str key, struct description *out)
{
    const struct mqtt_device *d = mqtt_registry_find(&m->registry, key);
    struct arena *a = &m->answer;

    arena_reset(a);
    if (!d)
        return ERR_NOTFOUND;
    *out = (struct description){
        .name = mqtt_device_name(d, a),
        .model = mqtt_device_fill(d, a, d->spec->model),
        .manufacturer = mqtt_device_fill(d, a, d->spec->manufacturer),
        .version = mqtt_device_fill(d, a, d->spec->version),
        .serial = mqtt_device_fill(d, a, d->spec->serial),
        .area = mqtt_device_fill(d, a, d->spec->area),
        .url = mqtt_device_fill(d, a, d->spec->url),
        .cls = d->spec->cls,
        .readings = mqtt_status_line(d, a),
    };
    return ERR_OK;
}

size_t mqtt_model_commands(struct mqtt_model *m, struct str key, const struct command **out)
{
    const struct mqtt_device *d = mqtt_registry_find(&m->registry, key);

    arena_reset(&m->answer);
    return d ? mqtt_form_commands(d, &m->answer, out) : 0;
}

void mqtt_model_stat(const struct mqtt_model *m, struct mqtt_model_stat *out)
{
    const struct mqtt_registry *r = &m->registry;

    *out = m->stat;
    out->devices = r->device_count;
    out->topics = r->binding_count;
    out->bytes = mqtt_registry_size(r) + m->files.bytes;
}
