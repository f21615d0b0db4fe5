#include "adapters/mqtt/mqtt_files.h"

#include "base/mem.h"

/* Types */

static const struct signature {
    size_t at; // where it stands
    struct str bytes;
    size_t also_at; // and this too
    struct str also;
    struct mqtt_file_type type;
} signatures[] = {
    {0, {"\xff\xd8\xff", 3}, 0, {NULL, 0}, {"image/jpeg", "jpg"}},
    {0, {"\x89PNG\r\n\x1a\n", 8}, 0, {NULL, 0}, {"image/png", "png"}},
    {0, {"GIF87a", 6}, 0, {NULL, 0}, {"image/gif", "gif"}},
    {0, {"GIF89a", 6}, 0, {NULL, 0}, {"image/gif", "gif"}},
    {0, {"RIFF", 4}, 8, {"WEBP", 4}, {"image/webp", "webp"}},
    {0, {"RIFF", 4}, 8, {"WAVE", 4}, {"audio/wav", "wav"}},
    {4, {"ftypavif", 8}, 0, {NULL, 0}, {"image/avif", "avif"}},
    {4, {"ftypheic", 8}, 0, {NULL, 0}, {"image/heic", "heic"}},
    {4, {"ftyp", 4}, 0, {NULL, 0}, {"video/mp4", "mp4"}},
    {0, {"\x1a\x45\xdf\xa3", 4}, 0, {NULL, 0}, {"video/webm", "webm"}},
    {0, {"OggS", 4}, 0, {NULL, 0}, {"audio/ogg", "ogg"}},
    {0, {"ID3", 3}, 0, {NULL, 0}, {"audio/mpeg", "mp3"}},
    {0, {"%PDF-", 5}, 0, {NULL, 0}, {"application/pdf", "pdf"}},
};

static bool stands(struct str bytes, size_t at, struct str mark)
{
    return str_eq(str_sub(bytes, at, at + mark.n), mark);
}

const struct mqtt_file_type *mqtt_file_type_of(struct str bytes)
{
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
        if (stands(bytes, signatures[i].at, signatures[i].bytes) &&
            stands(bytes, signatures[i].also_at, signatures[i].also))
            return &signatures[i].type;
    return NULL;
}

const char *mqtt_file_ending(struct str media)
{
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
        if (str_case_eq(media, str_c(signatures[i].type.media)))
            return signatures[i].type.ending;
    return "bin";
}

/* The last of each */

void mqtt_files_init(struct mqtt_files *f)
{
    *f = (struct mqtt_files){.v = NULL};
}

static void clear(struct mqtt_files *f, struct mqtt_stored *e)
{
    f->bytes -= e->n;
    mem_free(e->bytes);
    mem_free((char *)(uintptr_t)e->media.p);
    e->bytes = NULL;
    e->n = 0;
    e->media = STR_NONE;
}

void mqtt_files_finish(struct mqtt_files *f)
{
    for (size_t i = 0; i < f->count; i++)
        clear(f, &f->v[i]);
    mem_free(f->v);
}

struct mqtt_stored *mqtt_files_find(const struct mqtt_files *f, uint32_t device, struct str name)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->v[i].device == device && str_eq_c(name, f->v[i].name))
            return &f->v[i];
    return NULL;
}

// The one that has had no news for longest, `but` apart.
static struct mqtt_stored *oldest(struct mqtt_files *f, const struct mqtt_stored *but, bool with_bytes)
{
    struct mqtt_stored *found = NULL;

    for (size_t i = 0; i < f->count; i++) {
        struct mqtt_stored *e = &f->v[i];
        if (e != but && (!with_bytes || e->n) && (!found || e->wall < found->wall))
            found = e;
    }
    return found;
}

static struct mqtt_stored *make_room(struct mqtt_files *f)
{
    if (f->count == MQTT_FILES_MAX) {
        struct mqtt_stored *e = oldest(f, NULL, false);
        clear(f, e);
        return e;
    }
    if (f->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 8;
        f->v = mem_realloc(f->v, f->cap, sizeof(*f->v));
    }
    return &f->v[f->count++];
}

struct mqtt_stored *mqtt_files_entry(struct mqtt_files *f, uint32_t device, struct str name)
{
    struct mqtt_stored *e = mqtt_files_find(f, device, name);

    if (e)
        return e;
    name = str_sub(name, 0, MQTT_FILE_NAME);
    e = make_room(f);
    *e = (struct mqtt_stored){.device = device, .told = INT64_MIN};
    memcpy(e->name, name.p, name.n);
    return e;
}

bool mqtt_files_put(struct mqtt_files *f, struct mqtt_stored *e, struct str bytes, struct str media, int64_t wall)
{
    if (bytes.n > MQTT_FILES_BYTES)
        return false;
    clear(f, e);
    e->wall = wall;
    for (struct mqtt_stored *old; f->bytes + bytes.n > MQTT_FILES_BYTES && (old = oldest(f, e, true));)
        clear(f, old);
    e->bytes = mem_dup(bytes.p, bytes.n);
    e->n = bytes.n;
    e->media = (struct str){mem_dup(media.p, media.n), media.n};
    f->bytes += bytes.n;
    return true;
}

void mqtt_files_drop(struct mqtt_files *f, uint32_t device)
{
    for (size_t i = 0; i < f->count;) {
        if (f->v[i].device != device) {
            i++;
            continue;
        }
        clear(f, &f->v[i]);
        f->v[i] = f->v[--f->count];
    }
}
