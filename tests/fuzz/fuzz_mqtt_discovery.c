// link: mqtt
/* Messages on the topics of the conventions by which devices announce themselves: a topic and its payload, one a line;
 * more of them behind a byte 0x1e each, on which a second passes (0x1d: retained). What comes out keeps to the topics
 * that are allowed, and what is stored of it can be read again. A payload "@0..." is the result that answers the first
 * kind of request that was made. */
#include "fuzz.h"

#include "adapters/mqtt/mqtt_entities.h"
#include "adapters/mqtt/mqtt_model.h"

#include "base/utf8.h"

#include <stdio.h>

static const struct conf_item schema[] = {
    {.name = "discovery", .type = CONF_MAP, .sub = mqtt_model_discovery_schema},
    {.name = NULL},
};

static const char settings[] =
    "discovery: {enabled: true, allow: ['z/#', 'homie/#', 'tele/#', 'stat/#', 'shellies/#', 'shellyz/#'], "
    "command_topics: ['z/#', 'homie/#', 'cmnd/#', 'shellies/#', 'shellyz/#'], homie: {enabled: true}, "
    "zigbee2mqtt: {enabled: true, base: z}, tasmota: {enabled: true}, "
    "shelly: {enabled: true, prefixes: ['homie/+']}}";

static struct mqtt_discovery *discovery;
static size_t convention; // that speaks

static bool taken(void *ud, struct str topic, bool command)
{
    (void)ud;
    (void)topic;
    return command && str_ends(topic, STR("/taken"));
}

static void check_spec(const struct mqtt_spec *s)
{
    FUZZ_CHECK(utf8_xml_valid(s->name) && utf8_xml_valid(s->model) && utf8_xml_valid(s->url));
    for (uint16_t i = 0; i < s->topic_count; i++)
        FUZZ_CHECK(mqtt_discovery_may_read(discovery, convention, s->topics[i].pattern.text));
    for (uint16_t i = 0; i < s->reading_count; i++)
        FUZZ_CHECK(s->readings[i].topic < s->topic_count && s->readings[i].name.n > 0);
    for (uint16_t i = 0; i < s->control_count; i++) {
        const struct mqtt_control *c = &s->controls[i];
        FUZZ_CHECK(mqtt_topic_publishable(c->topic.text) && !str_ends(c->topic.text, STR("/taken")));
        FUZZ_CHECK(c->state == MQTT_NO_READING || c->state < s->reading_count);
        FUZZ_CHECK(c->type != MQTT_CONTROL_CHOICE || c->choice_count > 0);
    }
}

static void check_stored(const struct mqtt_entities *e, struct arena *a)
{
    struct str blob = mqtt_entities_write(e, a);
    struct mqtt_entities *again = mqtt_entities_read(blob);

    FUZZ_CHECK(blob.n <= MQTT_ENTITIES_MAX);
    FUZZ_CHECK(mqtt_entities_count(e) == 0 || (again && mqtt_entities_count(again) == mqtt_entities_count(e)));
    FUZZ_CHECK(!again || str_eq(mqtt_entities_write(again, a), blob));
    mqtt_entities_destroy(again);
}

static enum err found(struct mqtt_sink *sink, const struct mqtt_found *found)
{
    struct mqtt_entity_context context = {discovery, convention, taken, NULL};
    struct mqtt_entities *none = mqtt_entities_create(), *e = mqtt_entities_with(none, found);

    mqtt_entities_destroy(none);
    FUZZ_CHECK(found->key.n > 3 && found->source.n > 0 && utf8_xml_valid(found->key) &&
               mqtt_convention_of(found->key) == convention);
    if (!e)
        return ERR_LIMIT;
    struct mqtt_spec *s = mqtt_entities_spec(e, &context, NULL);
    check_spec(s);
    check_stored(e, sink->arena);
    FUZZ_CHECK(mqtt_entities_same(e, found)); // the same again is nothing new
    mqtt_spec_destroy(s);
    mqtt_entities_destroy(e);
    return ERR_OK;
}

static void gone(struct mqtt_sink *sink, struct str source)
{
    (void)sink;
    FUZZ_CHECK(source.n > 0);
}

static void refused(struct mqtt_sink *sink, struct str source, enum err e, const char *why)
{
    (void)sink;
    FUZZ_CHECK(source.n > 0 && e != ERR_OK && *why);
}

static void keep(struct mqtt_sink *sink, struct str key)
{
    (void)sink;
    FUZZ_CHECK(mqtt_convention_of(key) == convention);
}

static void rest(struct mqtt_sink *sink)
{
    (void)sink;
    FUZZ_CHECK(mqtt_conventions[convention]->one_voice);
}

static void raised(struct mqtt_sink *sink, struct str key, struct str id, struct str text, bool live)
{
    (void)text;
    (void)live;
    keep(sink, key);
    FUZZ_CHECK(id.n > 0);
}

static void said(struct mqtt_sink *sink, struct str key, struct str text)
{
    (void)text;
    keep(sink, key);
}

static void heard(struct mqtt_sink *s, struct str topic, struct str payload)
{
    FUZZ_CHECK(mqtt_topic_valid(topic) && payload.n > 0);
    arena_reset(s->arena);
}

static char asked[3][64]; // the last id of each kind of request

static enum err ask(struct mqtt_sink *s, struct str topic, struct str payload)
{
    json_t *root = json_read(payload, 4096, NULL);
    struct str id = json_member_str(root, "id");
    unsigned kind = id.n ? (unsigned)(id.p[id.n - 1] - '0') : 3;

    (void)s;
    FUZZ_CHECK(mqtt_topic_valid(topic));
    if (kind < 3 && id.n < sizeof(asked[0]))
        (void)snprintf(asked[kind], sizeof(asked[0]), STR_FMT, STR_ARG(id));
    json_decref(root);
    if (str_ends(topic, STR("/deny/rpc")))
        return ERR_FORBIDDEN;
    return str_ends(topic, STR("/no/rpc")) ? ERR_AGAIN : ERR_OK;
}

static bool known(struct mqtt_sink *s, struct str key)
{
    (void)s;
    return key.n % 2 == 0;
}

static struct mqtt_sink sink = {
    .found = found,
    .gone = gone,
    .refused = refused,
    .keep = keep,
    .rest = rest,
    .raised = raised,
    .said = said,
    .lost = keep,
    .known = known,
    .heard = heard,
    .ask = ask,
};

// The payload as the answer to a request, where it is to be one.
static struct str as_answer(struct arena *a, struct str payload)
{
    unsigned kind = payload.n > 1 ? (unsigned)(payload.p[1] - '0') : 3;

    if (!str_starts(payload, STR("@")) || kind >= 3)
        return payload;
    return arena_printf(a, "{\"id\":\"%s\",\"result\":" STR_FMT "}", asked[kind],
                        STR_ARG(str_sub(payload, 2, payload.n)));
}

static void hear(struct str topic, struct str payload, bool retain)
{
    struct mqtt_message m = {.topic = topic, .retain = retain};
    struct errmsg msg;

    for (convention = 0; convention < MQTT_CONVENTIONS; convention++) {
        const struct mqtt_convention *c = mqtt_conventions[convention];
        void *self = discovery->speakers[convention];
        m.payload = as_answer(sink.arena, payload);
        if (self && mqtt_topic_valid(topic) && c->owns(self, topic))
            (void)c->message(self, &m, &sink, &msg);
        if (self && c->deadline && c->deadline(self) <= sink.now)
            c->tick(self, &sink);
    }
}

static void init(void)
{
    static struct conf_value *section; // read once
    struct conf_report *report = conf_report_create();

    if (!section)
        section = conf_parse(str_c(settings), "fuzz.yaml", schema, report);
    discovery = mqtt_discovery_create(conf_get(section, "discovery"), report);
    FUZZ_CHECK(discovery);
    conf_report_destroy(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest_of = fuzz_str(data, size), one, topic, payload;
    struct arena a;
    bool retain = false, more = true;

    init();
    arena_init(&a, 0);
    sink.arena = &a;
    sink.now = 1000;
    while (more) {
        more = str_cut(rest_of, '\x1e', &one, &rest_of);
        retain = one.n && one.p[0] == '\x1d';
        (void)str_cut(str_sub(one, retain, one.n), '\n', &topic, &payload);
        hear(topic, payload, retain);
        sink.now += 1000;
        arena_reset(&a);
    }
    hear(STR_NONE, STR_NONE, false);
    arena_finish(&a);
    mqtt_discovery_destroy(discovery);
    return 0;
}
