/* From a description of Homie 5 to entities: each property is one, by its datatype and format. */
#include "adapters/mqtt/mqtt_homie.h"

#include "adapters/mqtt/mqtt_spec.h"

enum { CHOICE_MAX = MQTT_TEXT_MAX }; // bytes

bool homie_id_good(struct str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || c == '.';
        if (!good)
            return false;
    }
    return id.n > 0 && id.n <= HOMIE_ID_MAX;
}

struct reader {
    const struct homie_document *d;
    struct arena *arena;
    struct mqtt_found *out;
    struct errmsg *msg;
    const char *node; // id
    struct str node_name;
    bool many; // nodes: a property is called after its node too
};

struct property {
    const char *id;
    const json_t *json;
    struct str datatype, format;
    bool settable, retained;
    json_t *entity; // to be filled in
};

static void put(json_t *object, const char *name, struct str value)
{
    if (value.n)
        (void)json_object_set_new(object, name, json_stringn(value.p, value.n));
}

static void put_c(json_t *object, const char *name, const char *value)
{
    (void)json_object_set_new(object, name, json_string(value));
}

static struct str name_of(const json_t *object, const char *id)
{
    struct str name = json_member_str(object, "name");

    return name.n ? name : str_c(id);
}

/* Formats */

// "min:max:step", each of which may be left out.
static void put_range(struct property *p)
{
    static const char *const names[] = {"min", "max", "step"};
    struct str rest = p->format, part;
    bool stepped = false;
    double v;

    for (size_t i = 0; i < 3; i++) {
        (void)str_cut(rest, ':', &part, &rest);
        if (!str_to_double(part, &v) || (i == 2 && !(v > 0)))
            continue;
        (void)json_object_set_new(p->entity, names[i], json_real(v));
        stepped = i == 2;
    }
    if (!stepped && str_eq_c(p->datatype, "integer"))
        (void)json_object_set_new(p->entity, "step", json_integer(1));
    (void)json_object_set_new(p->entity, "unbounded", json_true());
}

// "close,open": how false and true are called.
static void put_words(struct property *p)
{
    struct str no, yes;

    put_c(p->entity, "payload_on", "true");
    put_c(p->entity, "payload_off", "false");
    if (!str_cut(p->format, ',', &no, &yes) || no.n == 0 || yes.n == 0 || str_find(yes, ',') >= 0)
        return;
    json_t *words = json_array();
    (void)json_array_append_new(words, json_stringn(yes.p, yes.n));
    (void)json_array_append_new(words, json_stringn(no.p, no.n));
    (void)json_object_set_new(p->entity, "state_words", words);
}

// How many; 0 when one of them cannot be chosen, or there are too many.
static size_t put_choices(struct property *p)
{
    json_t *list = json_array();
    struct str rest = p->format, one;
    bool more = true, good = true;

    while (more && good) {
        more = str_cut(rest, ',', &one, &rest);
        good = one.n > 0 && one.n <= CHOICE_MAX && json_array_size(list) < MQTT_SPEC_CHOICES;
        (void)json_array_append_new(list, json_stringn(one.p, one.n));
    }
    size_t count = good ? json_array_size(list) : 0;
    if (count)
        (void)json_object_set(p->entity, "options", list);
    json_decref(list);
    return count;
}

/* Properties */

static void put_topics(struct reader *r, const struct property *p, bool state, bool command)
{
    struct str base = arena_printf(r->arena, "~/%s/%s", r->node, p->id);

    if (state)
        put(p->entity, "state_topic", base);
    if (!command)
        return;
    put(p->entity, "command_topic", arena_printf(r->arena, STR_FMT "/set", STR_ARG(base)));
    if (state && r->d->targets)
        put(p->entity, "target_topic", arena_printf(r->arena, STR_FMT "/$target", STR_ARG(base)));
    if (!p->retained)
        (void)json_object_set_new(p->entity, "qos", json_integer(0));
}

static bool is_number(const struct property *p)
{
    return str_eq_c(p->datatype, "integer") || str_eq_c(p->datatype, "float");
}

// Something happens: it is no state.
static void build_event(struct reader *r, struct property *p)
{
    put_c(p->entity, "platform", str_eq_c(p->datatype, "boolean") ? "binary_sensor" : "sensor");
    if (str_eq_c(p->datatype, "boolean"))
        put_words(p);
    (void)json_object_set_new(p->entity, "event", json_true());
    put_topics(r, p, true, false);
}

static void build_shown(struct reader *r, struct property *p)
{
    bool boolean = str_eq_c(p->datatype, "boolean");

    put_c(p->entity, "platform", boolean ? "binary_sensor" : "sensor");
    if (boolean)
        put_words(p);
    put_topics(r, p, true, false);
}

static void build_settable(struct reader *r, struct property *p)
{
    size_t choices = str_eq_c(p->datatype, "enum") ? put_choices(p) : 0;

    if (str_eq_c(p->datatype, "enum") && choices == 0) { // nothing that could be chosen
        build_shown(r, p);
        return;
    }
    if (choices == 1 && !p->retained) { // "brew"
        put_c(p->entity, "platform", "button");
        put(p->entity, "payload_press", p->format);
    } else if (choices) {
        put_c(p->entity, "platform", "select");
    } else if (str_eq_c(p->datatype, "boolean")) {
        put_c(p->entity, "platform", "switch");
        put_words(p);
    } else if (is_number(p)) {
        put_c(p->entity, "platform", "number");
        put_range(p);
    } else {
        put_c(p->entity, "platform", "text");
    }
    put_topics(r, p, p->retained, true);
}

static struct str label_of(const struct reader *r, const struct property *p)
{
    struct str name = name_of(p->json, p->id);
    bool told = str_case_eq(str_sub(name, 0, r->node_name.n), r->node_name); // "Engine temperature" of the engine

    if (!r->many || told)
        return name;
    return arena_printf(r->arena, STR_FMT " " STR_FMT, STR_ARG(r->node_name), STR_ARG(name));
}

static enum err add_property(struct reader *r, const char *id, const json_t *json)
{
    struct property p = {
        .id = id,
        .json = json,
        .datatype = json_member_str(json, "datatype"),
        .format = json_member_str(json, "format"),
        .settable = json_is_true(json_object_get(json, "settable")),
        .retained = !json_is_false(json_object_get(json, "retained")),
    };

    if (!homie_id_good(str_c(id)) || !json_is_object(json))
        return err_set(r->msg, ERR_BADREQ, "a property without a good id");
    if (r->out->count == MQTT_DISCOVERY_ENTITIES)
        return err_set(r->msg, ERR_LIMIT, "more than %d properties", MQTT_DISCOVERY_ENTITIES);
    p.entity = json_object();
    put(p.entity, "name", label_of(r, &p));
    put(p.entity, "typed", r->many ? arena_printf(r->arena, "%s_%s", r->node, id) : str_c(id));
    put(p.entity, "unit_of_measurement", json_member_str(json, "unit"));
    if (str_eq_c(p.datatype, "string"))
        (void)json_object_set_new(p.entity, "nul_empty", json_true());
    if (p.settable)
        build_settable(r, &p);
    else if (p.retained)
        build_shown(r, &p);
    else
        build_event(r, &p);
    struct str text = mqtt_convention_dump(p.entity, r->arena);
    json_decref(p.entity);
    if (text.n == 0)
        return err_set(r->msg, ERR_LIMIT, "the property %s is too large", id);
    r->out->entities[r->out->count++] = text;
    return ERR_OK;
}

static enum err add_node(struct reader *r, const char *id, json_t *node)
{
    json_t *properties = json_object_get(node, "properties"), *property;
    const char *name;
    enum err e = ERR_OK;

    if (!homie_id_good(str_c(id)) || !json_is_object(node))
        return err_set(r->msg, ERR_BADREQ, "a node without a good id");
    r->node = id;
    r->node_name = name_of(node, id);
    json_object_foreach(properties, name, property)
    {
        e = add_property(r, name, property);
        if (e != ERR_OK)
            return e;
    }
    return e;
}

/* The device */

static void add_state(json_t *list, struct str topic, const char *words)
{
    json_t *one = json_object();

    put(one, "topic", topic);
    put_c(one, "words", words);
    (void)json_array_append_new(list, one);
}

static enum err read_device(struct reader *r)
{
    const struct homie_document *d = r->d;
    struct str root = json_member_str(d->root, "root");
    json_t *device = json_object(), *states = json_array(), *listen = json_array();

    put(device, "~", arena_printf(r->arena, STR_FMT "/" STR_FMT, STR_ARG(d->prefix), STR_ARG(d->id)));
    put(device, "name", name_of(d->root, arena_cstr(r->arena, d->id)));
    put(device, "model", json_member_str(d->root, "type"));
    add_state(states, STR("~/$state"), "homie");
    if (root.n && !str_eq(root, d->id))
        add_state(states, arena_printf(r->arena, STR_FMT "/" STR_FMT "/$state", STR_ARG(d->prefix), STR_ARG(root)),
                  "homie-root");
    (void)json_array_append_new(listen, json_string("~/$alert/+"));
    (void)json_array_append_new(listen, json_string("~/$log/+"));
    (void)json_object_set_new(device, "availability", states);
    if (d->talks)
        (void)json_object_set(device, "listen", listen);
    json_decref(listen);
    r->out->device = mqtt_convention_dump(device, r->arena);
    json_decref(device);
    if (root.n && !homie_id_good(root))
        return err_set(r->msg, ERR_BADREQ, "its root has no good id");
    return r->out->device.n ? ERR_OK : err_set(r->msg, ERR_LIMIT, "its name or type is too large");
}

enum err homie_document_read(const struct homie_document *d, struct arena *a, struct mqtt_found *out,
                             struct errmsg *msg)
{
    struct reader r = {.d = d, .arena = a, .out = out, .msg = msg};
    json_t *nodes = json_object_get(d->root, "nodes"), *node;
    const char *id;

    r.many = json_object_size(nodes) > 1;
    enum err e = read_device(&r);
    if (e != ERR_OK)
        return e;
    json_object_foreach(nodes, id, node)
    {
        e = add_node(&r, id, node);
        if (e != ERR_OK)
            return e;
    }
    return out->count ? ERR_OK : err_set(msg, ERR_UNSUPPORTED, "it has no properties");
}
