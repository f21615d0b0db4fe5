#include "adapters/mqtt/mqtt_builder.h"

#include "base/utf8.h"

bool mqtt_entity_known(struct str component)
{
    return mqtt_component_find(component) != NULL;
}

/* Availability */

static bool has_topic(const struct mqtt_spec *s, uint16_t topic)
{
    for (uint16_t i = 0; i < s->availability_count; i++)
        if (s->availability[i].topic == topic)
            return true;
    return false;
}

static enum mqtt_words words_of(struct str name)
{
    if (str_eq_c(name, "homie"))
        return MQTT_WORDS_HOMIE;
    return str_eq_c(name, "homie-root") ? MQTT_WORDS_HOMIE_ROOT : MQTT_WORDS_PLAIN;
}

// `e`: the object that holds the members, under these names. What other entities of the device have said is not
// repeated.
static enum err add_availability(struct mqtt_builder *b, const json_t *e, const char *topic, const char *template)
{
    struct mqtt_builder one = *b;
    uint16_t at;

    one.entity = e;
    enum err err = mqtt_builder_listen(&one, topic, &at);
    if (err != ERR_OK || has_topic(b->spec, at))
        return err;
    struct mqtt_availability *v = mqtt_spec_add_availability(b->spec);
    if (!v)
        return err_set(b->msg, ERR_LIMIT, "more than %d availability topics", MQTT_SPEC_AVAILABILITY);
    v->topic = at;
    v->words = words_of(mqtt_builder_text(&one, "words"));
    v->online = mqtt_builder_text_or(&one, "payload_available", "online");
    v->offline = mqtt_builder_text_or(&one, "payload_not_available", "offline");
    mqtt_value_compile(&b->spec->arena, mqtt_builder_text(&one, template), &v->value);
    return ERR_OK;
}

static enum err build_availability(struct mqtt_builder *b, const char *usual)
{
    const json_t *list = json_object_get(b->entity, "availability");
    struct str mode = mqtt_builder_text_or(b, "availability_mode", usual);
    enum err e = ERR_OK;

    if (b->spec->availability_count == 0)
        b->spec->mode = str_eq_c(mode, "all")   ? MQTT_AVAILABLE_ALL
                        : str_eq_c(mode, "any") ? MQTT_AVAILABLE_ANY
                                                : MQTT_AVAILABLE_LATEST;
    for (size_t i = 0; i < json_array_size(list) && e == ERR_OK; i++)
        e = add_availability(b, json_array_get(list, i), "topic", "value_template");
    if (e == ERR_OK && mqtt_builder_has(b, "availability_topic"))
        e = add_availability(b, b->entity, "availability_topic", "availability_template");
    return e;
}

/* The whole */

// "Kitchen temperature" of the device "Kitchen" is its "temperature".
static struct str without_device(const struct mqtt_spec *s, struct str name)
{
    if (s->name.n == 0 || name.n <= s->name.n + 1 || !str_case_eq(str_sub(name, 0, s->name.n), s->name))
        return name;
    return name.p[s->name.n] == ' ' ? str_sub(name, s->name.n + 1, name.n) : name;
}

static void name_entity(struct mqtt_builder *b, struct str platform)
{
    struct str cls = mqtt_builder_text(b, "device_class");

    b->label = without_device(b->spec, mqtt_builder_display(b->spec, mqtt_builder_text(b, "name")));
    if (b->label.n == 0)
        b->label = mqtt_builder_display(b->spec, cls.n ? cls : platform);
    b->slug = mqtt_spec_slug(&b->spec->arena, b->label);
    struct str typed = mqtt_builder_text(b, "typed");
    if (str_eq_c(b->slug, "value")) // a name without Latin letters
        b->slug = mqtt_spec_slug(&b->spec->arena, typed.n ? typed : cls.n ? cls : platform);
}

static void note_expiry(struct mqtt_builder *b)
{
    double expire = mqtt_builder_number(b, "expire_after", 0) * 1000;

    if (expire > (double)b->spec->expire_after && expire < 1e12)
        b->spec->expire_after = (int64_t)expire;
    expire = mqtt_builder_number(b, "expire_after_unless_said", 0) * 1000;
    if (expire > 0 && expire < 1e12) {
        b->spec->expire_after = (int64_t)expire;
        b->spec->expire_unless_said = true;
    }
}

static void note_device(struct mqtt_builder *b, const struct mqtt_component *c)
{
    note_expiry(b);
    if (c->cls && b->spec->cls.n == 0)
        b->spec->cls = str_c(c->cls);
    if (b->spec->name.n == 0) // a lone entity is its own device
        b->spec->name = mqtt_builder_display(
            b->spec, mqtt_builder_text_or(b, "name", json_string_value(json_object_get(b->entity, "object_id"))));
}

// A target is shown as the state is.
static void mirror(struct mqtt_spec *s, const struct mqtt_control *c)
{
    if (c->target == MQTT_NO_READING || c->state == MQTT_NO_READING)
        return;
    const struct mqtt_reading *from = &s->readings[c->state];
    struct mqtt_reading *to = &s->readings[c->target];
    to->on = from->on;
    to->off = from->off;
    to->on_word = from->on_word;
    to->off_word = from->off_word;
    to->unit = from->unit;
    to->digits = from->digits;
}

enum err mqtt_entity_build(struct mqtt_spec *s, struct str entity, const struct mqtt_entity_context *ctx,
                           struct errmsg *msg)
{
    json_t *root = json_read(entity, MQTT_DISCOVERY_PAYLOAD, msg);
    struct mqtt_builder b = {.spec = s, .entity = root, .ctx = ctx, .msg = msg};
    const struct mqtt_component *c = mqtt_component_find(json_member_str(root, "platform"));
    uint16_t first = s->control_count;
    enum err e = ERR_BADREQ;

    if (c) {
        name_entity(&b, str_c(c->name));
        note_device(&b, c);
        b.minor = mqtt_builder_has(&b, "entity_category");
        e = c->build(&b);
        if (e == ERR_OK)
            e = build_availability(&b, "latest");
        for (uint16_t i = first; i < s->control_count; i++)
            mirror(s, &s->controls[i]);
    }
    json_decref(root);
    return e;
}

/* The device */

static void build_texts(struct mqtt_spec *s, const json_t *root)
{
    struct str url = json_member_str(root, "configuration_url");

    s->name = mqtt_builder_display(s, json_member_str(root, "name"));
    s->model = mqtt_builder_display(s, json_member_str(root, "model"));
    s->manufacturer = mqtt_builder_display(s, json_member_str(root, "manufacturer"));
    s->version = mqtt_builder_display(s, json_member_str(root, "sw_version"));
    s->serial = mqtt_builder_display(s, json_member_str(root, "serial_number"));
    s->area = mqtt_builder_display(s, json_member_str(root, "suggested_area"));
    s->cls = mqtt_builder_class(s, json_member_str(root, "class"));
    if ((str_starts(url, STR("http://")) || str_starts(url, STR("https://"))) && url.n <= 256)
        s->url = arena_dup(&s->arena, utf8_repair(&s->arena, url));
}

// "~/$alert/+": more that the convention wants to see of it.
static enum err build_also(struct mqtt_builder *b)
{
    enum { ALSO_MAX = 4 };
    const json_t *list = json_object_get(b->entity, "listen");
    struct str *also = arena_zalloc(&b->spec->arena, ALSO_MAX, sizeof(*also));

    b->spec->also = also;
    for (size_t i = 0; i < json_array_size(list) && i < ALSO_MAX; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        struct str filter = text ? mqtt_builder_expand(b, str_c(text)) : STR_NONE;
        if (!mqtt_topic_filter_valid(filter) || !mqtt_topic_under(b->spec->base, filter) ||
            !mqtt_discovery_may_read(b->ctx->discovery, b->ctx->convention, filter))
            return err_set(b->msg, ERR_FORBIDDEN, "listen is not allowed: " STR_FMT, STR_ARG(filter));
        also[b->spec->also_count++] = filter;
    }
    return ERR_OK;
}

enum err mqtt_entity_device(struct mqtt_spec *s, struct str device, const struct mqtt_entity_context *ctx,
                            struct errmsg *msg)
{
    json_t *root = device.n ? json_read(device, MQTT_DISCOVERY_PAYLOAD, msg) : NULL;
    struct mqtt_builder b = {.spec = s, .entity = root, .ctx = ctx, .msg = msg};

    build_texts(s, root);
    s->base = arena_dup(&s->arena, json_member_str(root, "~"));
    s->disabled = json_is_true(json_object_get(root, "disabled"));
    note_expiry(&b);
    enum err e = build_also(&b);
    if (e == ERR_OK)
        e = build_availability(&b, "all");
    json_decref(root);
    return e;
}
