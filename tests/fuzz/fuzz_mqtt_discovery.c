/* A topic and its payload, one a line, through discovery into a spec: what comes out keeps to the allowed topics, and
 * what is stored of it can be read again. */
#include "fuzz.h"

#include "adapters/mqtt/mqtt_entities.h"

#include "base/utf8.h"

static struct str allow[] = {{"z/#", 3}};
static struct mqtt_discovery discovery = {.enabled = true,
                                          .prefix = {"homeassistant", 13},
                                          .allow = allow,
                                          .command = allow,
                                          .allow_count = 1,
                                          .command_count = 1};

static bool taken(void *ud, struct str topic, bool command)
{
    (void)ud;
    (void)topic;
    return command && str_ends(topic, STR("/taken"));
}

static const struct mqtt_entity_context context = {&discovery, taken, NULL};

static void check_spec(const struct mqtt_spec *s)
{
    FUZZ_CHECK(utf8_xml_valid(s->name) && utf8_xml_valid(s->model) && utf8_xml_valid(s->url));
    for (uint16_t i = 0; i < s->topic_count; i++)
        FUZZ_CHECK(str_starts(s->topics[i].pattern.text, STR("z")));
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

static void keep(struct str topic, const struct mqtt_found *found, struct arena *a)
{
    struct mqtt_entities *none = mqtt_entities_create(), *e = mqtt_entities_with(none, topic, found);

    mqtt_entities_destroy(none);
    if (!e)
        return;
    struct mqtt_spec *s = mqtt_entities_spec(e, &context, NULL);
    check_spec(s);
    check_stored(e, a);
    FUZZ_CHECK(mqtt_entities_same(e, topic, found)); // the same again is nothing new
    mqtt_spec_destroy(s);
    mqtt_entities_destroy(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str topic, payload;
    struct mqtt_found found;
    struct errmsg msg;
    struct arena a;

    (void)str_cut(fuzz_str(data, size), '\n', &topic, &payload);
    if (!mqtt_topic_valid(topic) || !mqtt_discovery_owns(&discovery, topic))
        return 0;
    arena_init(&a, 0);
    if (mqtt_discovery_read(&discovery, topic, payload, &a, &found, &msg) == ERR_OK && !found.removal) {
        FUZZ_CHECK(found.key.n > 3 && utf8_xml_valid(found.key));
        keep(topic, &found, &a);
    }
    arena_finish(&a);
    return 0;
}
