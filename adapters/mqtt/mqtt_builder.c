#include "adapters/mqtt/mqtt_builder.h"

#include "base/utf8.h"

/* Members */

struct str mqtt_builder_text(struct mqtt_builder *b, const char *name)
{
    const json_t *v = json_object_get(b->entity, name);

    return v ? arena_dup(&b->spec->arena, utf8_repair(&b->spec->arena, json_text(&b->spec->arena, v))) : STR_NONE;
}

struct str mqtt_builder_text_or(struct mqtt_builder *b, const char *name, const char *otherwise)
{
    struct str v = mqtt_builder_text(b, name);

    return v.n ? v : str_c(otherwise);
}

double mqtt_builder_number(struct mqtt_builder *b, const char *name, double otherwise)
{
    const json_t *v = json_object_get(b->entity, name);
    double d;

    if (json_is_number(v))
        return json_number_value(v);
    return json_is_string(v) && str_to_double(json_member_str(b->entity, name), &d) ? d : otherwise;
}

bool mqtt_builder_has(const struct mqtt_builder *b, const char *name)
{
    return json_object_get(b->entity, name) != NULL;
}

struct str mqtt_builder_display(struct mqtt_spec *s, struct str text)
{
    enum { NAME_CHARS = 64 };

    return arena_dup(&s->arena, utf8_display(&s->arena, text, NAME_CHARS));
}

struct str mqtt_builder_class(struct mqtt_spec *s, struct str text)
{
    if (text.n == 0 || text.n > 31 || !str_eq(mqtt_spec_slug(&s->arena, text), text))
        return STR_NONE;
    return arena_dup(&s->arena, text);
}

/* Topics */

struct str mqtt_builder_expand(struct mqtt_builder *b, struct str topic)
{
    struct str rest = str_sub(topic, 1, topic.n);

    if (b->spec->base.n == 0 || !str_starts(topic, STR("~")) || (rest.n && *rest.p != '/'))
        return topic;
    return arena_concat(&b->spec->arena, (const struct str[]){b->spec->base, rest}, 2);
}

static enum err topic_of(struct mqtt_builder *b, const char *name, bool command, struct mqtt_pattern *out)
{
    struct str topic = mqtt_builder_expand(b, json_member_str(b->entity, name));
    const struct mqtt_discovery *d = b->ctx->discovery;

    if (topic.n == 0)
        return err_set(b->msg, ERR_BADREQ, "%s is missing", name);
    enum err e = mqtt_pattern_plain(&b->spec->arena, topic, out, b->msg);
    if (e != ERR_OK)
        return err_wrap(b->msg, e, "%s", name);
    if (command ? !mqtt_discovery_may_write(d, b->ctx->convention, topic)
                : !mqtt_discovery_may_read(d, b->ctx->convention, topic))
        return err_set(b->msg, ERR_FORBIDDEN, "%s is not allowed: " STR_FMT, name, STR_ARG(topic));
    if (b->ctx->taken(b->ctx->ud, topic, command))
        return err_set(b->msg, ERR_EXISTS, "%s belongs to another device: " STR_FMT, name, STR_ARG(topic));
    return ERR_OK;
}

enum err mqtt_builder_listen(struct mqtt_builder *b, const char *name, uint16_t *out)
{
    struct mqtt_pattern p;
    enum err e = topic_of(b, name, false, &p);

    if (e == ERR_OK && !mqtt_spec_topic(b->spec, &p, out))
        e = err_set(b->msg, ERR_LIMIT, "more than %d topics", MQTT_SPEC_TOPICS);
    return e;
}

/* Readings and controls */

// "lamp", "lamp_2", ...: not yet the name of a reading (a control).
static struct str unique(struct mqtt_builder *b, const char *suffix, bool control)
{
    struct arena *a = &b->spec->arena;
    struct str base = *suffix ? arena_printf(a, STR_FMT "_%s", STR_ARG(b->slug), suffix) : b->slug, name = base;

    for (unsigned n = 2;; n++) {
        bool used = control ? mqtt_spec_control(b->spec, name) != NULL
                            : mqtt_spec_reading(b->spec, name) != MQTT_NO_READING || mqtt_spec_file(b->spec, name);
        if (!used)
            return name;
        name = arena_printf(a, STR_FMT "_%u", STR_ARG(base), n);
    }
}

static struct str label_of(struct mqtt_builder *b, const char *suffix)
{
    return *suffix ? arena_printf(&b->spec->arena, STR_FMT " %s", STR_ARG(b->label), suffix) : b->label;
}

// Headlines are the first three that are neither diagnostic nor unreadable.
static bool is_headline(const struct mqtt_builder *b, const struct mqtt_value *value)
{
    enum { HEADLINES = 3 };
    unsigned marked = 0;

    for (uint16_t i = 0; i < b->spec->reading_count; i++)
        marked += b->spec->readings[i].headline;
    return marked < HEADLINES && !b->minor && !value->unsupported;
}

// How its two states are called.
static void words(struct mqtt_builder *b, struct mqtt_reading *r)
{
    const json_t *list = json_object_get(b->entity, "state_words");
    struct arena *a = &b->spec->arena;
    struct str on = mqtt_builder_display(b->spec, json_text(a, json_array_get(list, 0)));
    struct str off = mqtt_builder_display(b->spec, json_text(a, json_array_get(list, 1)));
    bool good = on.n && off.n && !str_case_eq(on, off);

    r->on_word = good ? on : STR("on");
    r->off_word = good ? off : STR("off");
}

// Each message is one, of which users are told; not of a storm of them.
static enum err add_event(struct mqtt_builder *b, uint16_t reading)
{
    enum { EVENT_EVERY = 10 * 1000 };
    struct mqtt_alert *r = mqtt_spec_add_alert(b->spec);

    if (!r)
        return err_set(b->msg, ERR_LIMIT, "more than %d events", MQTT_SPEC_ALERTS);
    r->reading = reading;
    r->kind = MQTT_ALERT_EVENT;
    r->every = EVENT_EVERY;
    b->spec->readings[reading].headline = false;
    b->spec->readings[reading].aside = true;
    return ERR_OK;
}

// More topics that tell the same.
static enum err add_sources(struct mqtt_builder *b, uint16_t reading)
{
    const json_t *list = json_object_get(b->entity, "state_topics");

    for (size_t i = 0; i < json_array_size(list); i++) {
        struct mqtt_builder one = *b;
        uint16_t at;
        one.entity = json_array_get(list, i);
        enum err e = mqtt_builder_listen(&one, "topic", &at);
        struct mqtt_source *s = e == ERR_OK ? mqtt_spec_add_source(b->spec) : NULL;
        if (e == ERR_OK && !s)
            e = err_set(b->msg, ERR_LIMIT, "more than %d places for readings", MQTT_SPEC_SOURCES);
        if (e != ERR_OK)
            return e;
        s->reading = reading;
        s->topic = at;
        mqtt_value_compile(&b->spec->arena, mqtt_builder_text(&one, "value_template"), &s->value);
    }
    return ERR_OK;
}

static void add_ignored(struct mqtt_builder *b, struct mqtt_reading *r)
{
    const json_t *list = json_object_get(b->entity, "ignored");
    struct str *v = arena_zalloc(&b->spec->arena, MQTT_SPEC_IGNORED, sizeof(*v));

    r->ignored = v;
    for (size_t i = 0; i < json_array_size(list) && i < MQTT_SPEC_IGNORED; i++)
        v[r->ignored_count++] = arena_dup(&b->spec->arena, json_text(&b->spec->arena, json_array_get(list, i)));
}

enum err mqtt_builder_reading(struct mqtt_builder *b, const char *suffix, const char *topic, const char *template,
                              uint16_t *out)
{
    struct mqtt_value value;
    uint16_t at;
    enum err e = mqtt_builder_listen(b, topic, &at);

    if (e != ERR_OK)
        return e;
    mqtt_value_compile(&b->spec->arena, *template ? mqtt_builder_text(b, template) : STR_NONE, &value);
    struct str name = unique(b, suffix, false);
    bool headline = is_headline(b, &value);
    struct mqtt_reading *r = mqtt_spec_add_reading(b->spec);
    if (!r)
        return err_set(b->msg, ERR_LIMIT, "more than %d readings", MQTT_SPEC_READINGS);
    r->name = name;
    r->label = label_of(b, suffix);
    r->topic = at;
    r->value = value;
    r->headline = headline;
    r->aside = b->minor;
    r->nul_empty = json_is_true(json_object_get(b->entity, "nul_empty"));
    words(b, r);
    if (mqtt_builder_has(b, "ignored"))
        add_ignored(b, r);
    *out = (uint16_t)(b->spec->reading_count - 1);
    if (str_eq_c(str_c(topic), "state_topic"))
        e = add_sources(b, *out);
    return e == ERR_OK && json_is_true(json_object_get(b->entity, "event")) ? add_event(b, *out) : e;
}

// Where the device repeats what it has accepted.
static enum err add_target(struct mqtt_builder *b, uint16_t *out)
{
    enum err e = mqtt_builder_reading(b, "target", "target_topic", "target_template", out);

    if (e != ERR_OK)
        return e;
    b->spec->readings[*out].headline = false;
    b->spec->readings[*out].aside = b->spec->readings[*out].quiet = true;
    return ERR_OK;
}

enum err mqtt_builder_file(struct mqtt_builder *b, const char *topic, struct mqtt_file **out)
{
    uint16_t at;
    enum err e = mqtt_builder_listen(b, topic, &at);

    if (e != ERR_OK)
        return e;
    struct str name = unique(b, "", false);
    struct mqtt_file *f = mqtt_spec_add_file(b->spec);
    if (!f)
        return err_set(b->msg, ERR_LIMIT, "more than %d files", MQTT_SPEC_FILES);
    f->name = name;
    f->label = b->label;
    f->topic = at;
    *out = f;
    return ERR_OK;
}

// Where the device answers to its commands, in a way of its own.
static enum err add_answer(struct mqtt_builder *b, struct mqtt_control *c)
{
    struct str topic = mqtt_builder_expand(b, json_member_str(b->entity, "answer_topic"));

    if (topic.n == 0)
        return ERR_OK;
    c->terse = true;
    c->rpc = str_eq_c(mqtt_builder_text(b, "answer"), "rpc");
    enum err e = mqtt_pattern_plain(&b->spec->arena, topic, &c->response, b->msg);
    return e == ERR_OK && c->rpc ? mqtt_builder_template(b, c) : e;
}

enum err mqtt_builder_control(struct mqtt_builder *b, const char *suffix, const char *topic,
                              enum mqtt_control_type type, struct mqtt_control **out)
{
    uint16_t target = MQTT_NO_READING;
    struct mqtt_pattern p;
    enum err e = topic_of(b, topic, true, &p);

    if (e == ERR_OK && mqtt_builder_has(b, "target_topic"))
        e = add_target(b, &target);
    if (e != ERR_OK)
        return e;
    struct str name = unique(b, suffix, true);
    struct mqtt_control *c = mqtt_spec_add_control(b->spec);
    if (!c)
        return err_set(b->msg, ERR_LIMIT, "more than %d controls", MQTT_SPEC_CONTROLS);
    c->name = name;
    c->label = label_of(b, suffix);
    c->topic = p;
    c->type = type;
    c->min = 1; // unbounded
    c->qos = (unsigned)(mqtt_builder_number(b, "qos", 1) >= 1);
    c->text_max = 255;
    c->target = target;
    c->minor = b->minor;
    c->unconfirmed = json_is_false(json_object_get(b->entity, "confirm"));
    c->nul_empty = json_is_true(json_object_get(b->entity, "nul_empty"));
    *out = c;
    return add_answer(b, c);
}

enum err mqtt_builder_template(struct mqtt_builder *b, struct mqtt_control *c)
{
    struct str t = mqtt_builder_text(b, "command_template"), mark = STR("{{ value }}");
    ptrdiff_t at = str_find_str(t, mark);

    if (t.n == 0 || str_eq(str_trim(t), mark))
        return ERR_OK;
    if (at < 0) {
        mark = STR("{{value}}");
        at = str_find_str(t, mark);
    }
    if (at < 0)
        return err_set(b->msg, ERR_UNSUPPORTED, "command_template is not one that we know");
    struct str before = str_sub(t, 0, (size_t)at), after = str_sub(t, (size_t)at + mark.n, t.n);
    if (str_find_str(before, STR("{%")) >= 0 || str_find_str(after, STR("{%")) >= 0 ||
        str_find_str(before, STR("{{")) >= 0 || str_find_str(after, STR("{{")) >= 0)
        return err_set(b->msg, ERR_UNSUPPORTED, "command_template is not one that we know");
    c->payload = arena_concat(&b->spec->arena, (const struct str[]){before, STR("{value}"), after}, 3);
    return ERR_OK;
}

// The reading behind a control, if the entity has a topic for it.
enum err mqtt_builder_state(struct mqtt_builder *b, const char *suffix, const char *topic, const char *template,
                            uint16_t *out)
{
    *out = MQTT_NO_READING;
    return mqtt_builder_has(b, topic) ? mqtt_builder_reading(b, suffix, topic, template, out) : ERR_OK;
}
