#include "adapters/mqtt/mqtt_describe.h"

#include "base/utf8.h"

void mqtt_describe_begin(struct mqtt_describe *d, struct arena *a, struct mqtt_found *out, struct str key,
                         struct str source)
{
    *d = (struct mqtt_describe){.a = a, .out = out};
    *out = (struct mqtt_found){.key = key, .source = source};
}

/* Members */

void mqtt_describe_str(json_t *o, const char *member, struct str text)
{
    struct arena scratch;

    if (text.n == 0)
        return;
    arena_init(&scratch, 0);
    text = utf8_repair(&scratch, text);
    (void)json_object_set_new(o, member, json_stringn(text.p, text.n));
    arena_finish(&scratch);
}

void mqtt_describe_c(json_t *o, const char *member, const char *text)
{
    mqtt_describe_str(o, member, str_c(text));
}

void mqtt_describe_number(json_t *o, const char *member, double number)
{
    bool whole = number >= -1e15 && number <= 1e15 && (double)(json_int_t)number == number;

    (void)json_object_set_new(o, member, whole ? json_integer((json_int_t)number) : json_real(number));
}

json_t *mqtt_describe_entity(const char *platform, struct str name)
{
    json_t *entity = json_object();

    mqtt_describe_c(entity, "platform", platform);
    mqtt_describe_str(entity, "name", name);
    return entity;
}

void mqtt_describe_state(json_t *o, struct str topic, struct str path)
{
    json_t *more = json_object_get(o, "state_topics"), *one;

    if (!json_object_get(o, "state_topic")) {
        mqtt_describe_str(o, "state_topic", topic);
        mqtt_describe_str(o, "value_template", path);
        return;
    }
    if (!more) {
        more = json_array();
        (void)json_object_set_new(o, "state_topics", more);
    }
    one = json_object();
    mqtt_describe_str(one, "topic", topic);
    mqtt_describe_str(one, "value_template", path);
    (void)json_array_append_new(more, one);
}

/* The whole */

void mqtt_describe_note(struct mqtt_describe *d, struct str what)
{
    enum { NOTE_MAX = 256, WHAT_MAX = 64 };
    struct str note = d->out->note;

    if (note.n + WHAT_MAX > NOTE_MAX)
        return;
    what = utf8_display(d->a, what, WHAT_MAX / 2);
    d->out->note =
        note.n ? arena_printf(d->a, STR_FMT ", " STR_FMT, STR_ARG(note), STR_ARG(what)) : arena_dup(d->a, what);
}

void mqtt_describe_add(struct mqtt_describe *d, json_t *entity)
{
    struct str text = d->out->count < MQTT_DISCOVERY_ENTITIES ? mqtt_convention_dump(entity, d->a) : STR_NONE;

    if (text.n)
        d->out->entities[d->out->count++] = text;
    else
        mqtt_describe_note(d, json_member_str(entity, "name"));
    json_decref(entity);
}

enum err mqtt_describe_device(struct mqtt_describe *d, json_t *device, struct errmsg *msg)
{
    d->out->device = mqtt_convention_dump(device, d->a);
    json_decref(device);
    return d->out->device.n ? ERR_OK : err_set(msg, ERR_LIMIT, "the description of the device is too large");
}

/* Paths and words */

// A name that stands in a path as it is.
static bool is_plain(struct str name)
{
    static const char special[] = ".[]'\"={} \t\n";

    for (size_t i = 0; i < name.n; i++)
        if (strchr(special, name.p[i]))
            return false;
    return name.n > 0;
}

struct str mqtt_describe_path(struct arena *a, struct str path, struct str name)
{
    enum { NAME_MAX_BYTES = 64 };
    char quote = str_find(name, '\'') < 0 ? '\'' : '"';

    if (name.n == 0 || name.n > NAME_MAX_BYTES || str_find(name, quote) >= 0 || str_find(name, '\0') >= 0 ||
        str_find(name, '{') >= 0) // braces begin a template
        return STR_NONE;
    if (!is_plain(name))
        return arena_printf(a, STR_FMT "[%c" STR_FMT "%c]", STR_ARG(path), quote, STR_ARG(name), quote);
    return arena_printf(a, "%.*s%s" STR_FMT, STR_ARG(path), path.n ? "." : "", STR_ARG(name));
}

struct str mqtt_describe_offset(struct arena *a, struct str path, size_t offset)
{
    return arena_printf(a, STR_FMT "[%zu]", STR_ARG(path), offset);
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

struct str mqtt_describe_words(struct arena *a, struct str name)
{
    enum { WORDS_MAX = 96 };
    char out[WORDS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < name.n && n + 2 < WORDS_MAX; i++) {
        char c = name.p[i];
        bool next_lower = i + 1 < name.n && is_lower(name.p[i + 1]);
        if (i && is_upper(c) && is_lower(name.p[i - 1]))
            out[n++] = ' ';
        out[n++] = c == '_' ? ' ' : i && is_upper(c) && next_lower ? (char)(c - 'A' + 'a') : c;
    }
    if (n && is_lower(out[0]))
        out[0] = (char)(out[0] - 'a' + 'A');
    return arena_dup(a, (struct str){out, n});
}
