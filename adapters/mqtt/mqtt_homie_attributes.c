/* The attributes of a device of Homie 4 (and 3), put together to what Homie 5 calls its description. */
#include "adapters/mqtt/mqtt_homie.h"

#include "base/mem.h"

#include <stdio.h>

enum {
    ATTRIBUTES_MAX = 1024,
    TEXT_MAX = 1024, // bytes of one
};

struct homie_attributes {
    json_t *v;   // path -> text
    size_t size; // bytes of both
};

struct homie_attributes *homie_attributes_create(void)
{
    struct homie_attributes *h = MEM_NEW(struct homie_attributes);

    h->v = json_object();
    return h;
}

void homie_attributes_destroy(struct homie_attributes *h)
{
    if (!h)
        return;
    json_decref(h->v);
    mem_free(h);
}

size_t homie_attributes_size(const struct homie_attributes *h)
{
    return h ? h->size : 0;
}

static struct str text_of(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

bool homie_attributes_set(struct homie_attributes *h, struct str path, struct str text, enum err *e)
{
    if (text.n == 1 && *text.p == '\0') // an empty text
        text = STR_NONE;
    const json_t *old = json_object_getn(h->v, path.p, path.n);
    bool text_at_all = text.n <= TEXT_MAX && str_find(text, '\0') < 0;
    json_t *new = text_at_all ? json_stringn(text.n ? text.p : "", text.n) : NULL; // NULL also for what is no UTF-8

    *e = ERR_OK;
    if (!new || (!old && json_object_size(h->v) >= ATTRIBUTES_MAX)) {
        json_decref(new);
        *e = ERR_LIMIT;
        return false;
    }
    if (old ? str_eq(text_of(old), text) : text.n == 0) {
        json_decref(new);
        return false;
    }
    if (old)
        h->size -= path.n + json_string_length(old);
    if (text.n) {
        h->size += path.n + text.n;
        (void)json_object_setn_new(h->v, path.p, path.n, new);
    } else {
        (void)json_object_deln(h->v, path.p, path.n);
        json_decref(new);
    }
    return true;
}

struct str homie_attributes_get(const struct homie_attributes *h, const char *path)
{
    return json_member_str(h->v, path);
}

// Of what a node or property has: "engine/speed" and "$unit".
static struct str get(const struct homie_attributes *h, struct str of, const char *attribute)
{
    char path[3 * (HOMIE_ID_MAX + 1)];
    int n = snprintf(path, sizeof(path), STR_FMT "/%s", STR_ARG(of), attribute);

    return n > 0 && (size_t)n < sizeof(path) ? json_member_str(h->v, path) : STR_NONE;
}

// The next good id of a list "wheels,engine".
static bool next_id(struct str *list, struct str *id)
{
    while (list->n) {
        (void)str_cut(*list, ',', id, list);
        *id = str_trim(*id);
        if (homie_id_good(*id))
            return true;
    }
    return false;
}

bool homie_attributes_complete(const struct homie_attributes *h)
{
    struct str version = homie_attributes_get(h, "$homie"), nodes = homie_attributes_get(h, "$nodes"), node;

    if (!str_starts(version, STR("4.")) && !str_starts(version, STR("3.")))
        return false;
    while (next_id(&nodes, &node))
        if (get(h, node, "$properties").n)
            return true;
    return false;
}

static void copy(json_t *out, const char *name, struct str text)
{
    if (text.n)
        (void)json_object_set_new(out, name, json_stringn(text.p, text.n));
}

static json_t *property_of(const struct homie_attributes *h, struct str path)
{
    struct str datatype = get(h, path, "$datatype");
    json_t *out = json_object();

    copy(out, "name", get(h, path, "$name"));
    copy(out, "datatype", datatype.n ? datatype : STR("string"));
    copy(out, "format", get(h, path, "$format"));
    copy(out, "unit", get(h, path, "$unit"));
    (void)json_object_set_new(out, "settable", json_boolean(str_eq_c(get(h, path, "$settable"), "true")));
    (void)json_object_set_new(out, "retained", json_boolean(!str_eq_c(get(h, path, "$retained"), "false")));
    return out;
}

// *room: how many more properties are of interest.
static json_t *node_of(const struct homie_attributes *h, struct str node, size_t *room)
{
    struct str list = get(h, node, "$properties"), id;
    json_t *out = json_object(), *properties = json_object();
    char path[2 * (HOMIE_ID_MAX + 1)];

    copy(out, "name", get(h, node, "$name"));
    for (; *room && next_id(&list, &id); (*room)--) {
        int n = snprintf(path, sizeof(path), STR_FMT "/" STR_FMT, STR_ARG(node), STR_ARG(id));
        (void)json_object_setn_new(properties, id.p, id.n, property_of(h, (struct str){path, (size_t)n}));
    }
    (void)json_object_set_new(out, "properties", properties);
    return out;
}

json_t *homie_attributes_document(const struct homie_attributes *h)
{
    struct str list = homie_attributes_get(h, "$nodes"), id;
    json_t *out = json_object(), *nodes = json_object();
    size_t room = MQTT_DISCOVERY_ENTITIES + 1; // one more is told to be too many

    copy(out, "name", homie_attributes_get(h, "$name"));
    while (room && next_id(&list, &id))
        (void)json_object_setn_new(nodes, id.p, id.n, node_of(h, id, &room));
    (void)json_object_set_new(out, "nodes", nodes);
    return out;
}
