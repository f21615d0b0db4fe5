/* Files of devices: pictures of cameras, mostly.
 *
 * Happy path: a message -> decoded -> its type -> kept as the last one -> sent to the subscribers, where the
 * configuration says so, and not too often; who asks gets the last one. Failures: too large, not decodable, of no known
 * type where that is refused: dropped, counted, logged once until a good one comes; the last good one stays. An empty
 * message takes it away. */
#include "adapters/mqtt/mqtt_model_private.h"

#include "text/hash.h"

static void refuse(struct mqtt_model *m, struct mqtt_device *d, const struct mqtt_file *file, const char *why)
{
    struct mqtt_stored *e = mqtt_files_entry(&m->files, d->handle, file->name);

    m->stat.invalid++;
    if (e->refused)
        return;
    e->refused = true;
    log_warn(&m->log, LOG_MSG("a file of a device was dropped"), LOG_S("device", mqtt_device_key(d)),
             LOG_S("file", file->name), LOG_C("why", why));
}

// Some write line breaks into it.
static bool decode(struct arena *a, struct str text, struct str *out)
{
    char *dense = arena_alloc(a, text.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\n' && text.p[i] != '\r')
            dense[n++] = text.p[i];
    return hash_base64_decode(a, (struct str){dense, n}, out);
}

static struct str media_of(const struct mqtt_file *file, struct str bytes)
{
    const struct mqtt_file_type *type = mqtt_file_type_of(bytes);

    if (file->media.n)
        return file->media;
    if (type)
        return str_c(type->media);
    return file->known_only ? STR_NONE : STR("application/octet-stream");
}

static struct str label_of(const struct mqtt_file *file)
{
    return file->label.n ? file->label : file->name;
}

void mqtt_picture_fill(struct mqtt_model *m, const struct mqtt_file *file, const struct mqtt_stored *e,
                       struct event *ev)
{
    ev->body = label_of(file);
    ev->blob = (struct str){e->bytes, e->n};
    ev->media = e->media;
    ev->name = arena_printf(&m->scratch, STR_FMT ".%s", STR_ARG(file->name), mqtt_file_ending(e->media));
}

static void tell(struct mqtt_model *m, struct mqtt_device *d, const struct mqtt_file *file, struct mqtt_stored *e)
{
    struct event ev = {.kind = EV_MESSAGE, .now = m->t.now, .wall = m->t.wall, .key = mqtt_device_key(d)};

    if (file->every < 0 || (e->told != INT64_MIN && m->t.now - e->told < file->every))
        return;
    e->told = m->t.now;
    if (!d->introduced)
        mqtt_tell_identity(m, d);
    mqtt_picture_fill(m, file, e, &ev);
    m->host.post(m->ud, &ev);
}

static void keep(struct mqtt_model *m, struct mqtt_device *d, const struct mqtt_file *file, struct str bytes,
                 bool snapshot)
{
    struct str media = media_of(file, bytes);
    struct mqtt_stored *e = mqtt_files_entry(&m->files, d->handle, file->name);

    if (file->max_size && bytes.n > file->max_size)
        refuse(m, d, file, "larger than its max_size");
    else if (media.n == 0)
        refuse(m, d, file, "its first bytes are those of no known type");
    else if (!mqtt_files_put(&m->files, e, bytes, media, m->t.wall))
        refuse(m, d, file, "larger than all that is kept");
    else {
        e->refused = false;
        if (!snapshot)
            tell(m, d, file, e);
    }
}

void mqtt_picture_hear(struct mqtt_model *m, struct mqtt_device *d, uint16_t n, struct str payload, bool snapshot)
{
    const struct mqtt_file *file = &d->spec->files[n];
    struct str bytes = payload;

    if (payload.n == 0)
        (void)mqtt_files_put(&m->files, mqtt_files_entry(&m->files, d->handle, file->name), STR_NONE, STR_NONE,
                             m->t.wall);
    else if (file->base64 && (!decode(&m->scratch, payload, &bytes) || bytes.n == 0))
        refuse(m, d, file, "it is not base64");
    else
        keep(m, d, file, bytes, snapshot);
}
