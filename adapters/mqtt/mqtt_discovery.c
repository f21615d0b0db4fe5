#include "adapters/mqtt/mqtt_discovery.h"

#include "adapters/mqtt/mqtt_model.h"
#include "adapters/mqtt/mqtt_profile.h"

#include "base/mem.h"

/* Configuration */

const struct conf_item mqtt_model_discovery_schema[] = {
    {.name = "enabled",
     .type = CONF_BOOL,
     .dflt = "false",
     .doc = "Whether devices are made from Home Assistant's discovery messages (ESPHome, Zigbee2MQTT, Tasmota, ...)."},
    {.name = "prefix", .type = CONF_STR, .dflt = "homeassistant", .doc = "Topic under which they are published."},
    {.name = "allow",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Topic filters: what a discovered device may listen and write to. Whoever can publish under the prefix can "
            "make devices, so nothing is allowed that is not named here. Devices of Homie, Zigbee2MQTT, "
            "Tasmota and Shelly may use the topics that are theirs by themselves, where this is not given.",
     .example = "[\"zigbee2mqtt/#\"]"},
    {.name = "command_topics",
     .type = CONF_LIST,
     .of = CONF_STR,
     .doc = "Topic filters: what commands of a discovered device may be sent to. Without it: what `allow` says.",
     .example = "[\"zigbee2mqtt/+/set\"]"},
    {.name = "quarantine",
     .type = CONF_BOOL,
     .dflt = "true",
     .doc = "Whether an admin must approve a discovered device before others can see it."},
    {.name = "max_devices",
     .type = CONF_INT,
     .min = 1,
     .max = 100000,
     .dflt = "1000",
     .doc = "No more devices than this are made."},
    {.name = "max_rate",
     .type = CONF_INT,
     .min = 1,
     .max = 100000,
     .dflt = "60",
     .doc = "New devices a minute, once `max_devices` have been made since the start."},
    MQTT_TELLING_ITEMS,
    {.name = "homie", .type = CONF_MAP, .sub = mqtt_homie_schema, .doc = "Devices of the Homie convention."},
    {.name = "zigbee2mqtt",
     .type = CONF_MAP,
     .sub = mqtt_z2m_schema,
     .doc = "Devices of Zigbee2MQTT, by its own messages. In place of its announcements for Home Assistant, not beside "
            "them."},
    {.name = "shelly", .type = CONF_MAP, .sub = mqtt_shelly_schema, .doc = "Shelly devices, of all generations."},
    {.name = "tasmota",
     .type = CONF_MAP,
     .sub = mqtt_tasmota_schema,
     .doc = "Tasmota devices, by their own discovery."},
    {.name = NULL},
};

static struct str *filters(struct arena *a, const struct conf_value *list, struct conf_report *report, size_t *count)
{
    struct str *out = arena_zalloc(a, conf_count(list) + 1, sizeof(*out));
    const struct conf_value *v;

    for (size_t at = 0; (v = conf_each(list, &at));) {
        if (!mqtt_topic_filter_valid(conf_str(v)) || str_starts(conf_str(v), STR("$")))
            conf_fail(report, v, "not a topic filter: '+' stands for one level, '#' for all that follow");
        out[(*count)++] = arena_dup(a, conf_str(v));
    }
    return out;
}

static void read_filters(struct mqtt_discovery *d, const struct conf_value *section, struct conf_report *report)
{
    d->allow = filters(&d->arena, conf_get(section, "allow"), report, &d->allow_count);
    d->command = filters(&d->arena, conf_get(section, "command_topics"), report, &d->command_count);
    if (d->command_count == 0) {
        d->command = d->allow;
        d->command_count = d->allow_count;
    }
}

static bool covers(const struct mqtt_discovery *d, size_t convention, struct str topic, bool command)
{
    const struct mqtt_convention *c = mqtt_conventions[convention];

    return d->speakers[convention] && c->covers && c->covers(d->speakers[convention], topic, command);
}

// Where `allow` is given, it holds for conventions that would need none.
static void check_allow(const struct mqtt_discovery *d, const struct conf_value *section, struct conf_report *report)
{
    struct arena scratch;

    arena_init(&scratch, 0);
    for (size_t i = 0; i < MQTT_CONVENTIONS && d->allow_count; i++) {
        if (!d->speakers[i] || !mqtt_conventions[i]->covers)
            continue;
        char *topic = arena_cstr(&scratch, mqtt_conventions[i]->filter(d->speakers[i], 0, &scratch));
        for (char *c = topic; *c; c++)
            *c = *c == '+' ? 'x' : *c;
        if (covers(d, i, str_c(topic), false) && !mqtt_discovery_may_read(d, i, str_c(topic)))
            conf_warn(report, conf_get(section, "allow"),
                      "`allow` leaves out what %s uses (%s): its devices are refused", mqtt_conventions[i]->name,
                      topic);
    }
    arena_finish(&scratch);
}

struct mqtt_discovery *mqtt_discovery_create(const struct conf_value *section, struct conf_report *report)
{
    struct mqtt_discovery *d = MEM_NEW(struct mqtt_discovery);
    size_t before = conf_errors(report);

    arena_init(&d->arena, 512);
    d->quarantine = conf_bool(conf_get(section, "quarantine"));
    d->max_devices = (size_t)conf_int(conf_get(section, "max_devices"));
    d->max_rate = (double)conf_int(conf_get(section, "max_rate"));
    d->offline_delay = conf_int(conf_get(section, "offline_delay"));
    d->status_interval = conf_int(conf_get(section, "status_interval"));
    read_filters(d, section, report);
    for (size_t i = 0; i < MQTT_CONVENTIONS; i++)
        d->speakers[i] = mqtt_conventions[i]->create(section, report);
    check_allow(d, section, report);
    if (conf_errors(report) == before)
        return d;
    mqtt_discovery_destroy(d);
    return NULL;
}

void mqtt_discovery_destroy(struct mqtt_discovery *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < MQTT_CONVENTIONS; i++)
        mqtt_conventions[i]->destroy(d->speakers[i]);
    arena_finish(&d->arena);
    mem_free(d);
}

static bool allowed(const struct str *list, size_t count, struct str topic)
{
    for (size_t i = 0; i < count; i++)
        if (mqtt_topic_match(list[i], topic, NULL))
            return true;
    return false;
}

bool mqtt_discovery_may_read(const struct mqtt_discovery *d, size_t convention, struct str topic)
{
    return d->allow_count ? allowed(d->allow, d->allow_count, topic) : covers(d, convention, topic, false);
}

bool mqtt_discovery_may_write(const struct mqtt_discovery *d, size_t convention, struct str topic)
{
    for (size_t i = 0; i < MQTT_CONVENTIONS; i++)
        if (d->speakers[i] && mqtt_conventions[i]->reserves(d->speakers[i], topic))
            return false;
    return d->command_count ? allowed(d->command, d->command_count, topic) : covers(d, convention, topic, true);
}

bool mqtt_discovery_enabled(const struct mqtt_discovery *d, struct str key)
{
    size_t i = mqtt_convention_of(key);

    return i < MQTT_CONVENTIONS && d->speakers[i];
}

bool mqtt_discovery_owns(const struct mqtt_discovery *d, struct str topic)
{
    for (size_t i = 0; i < MQTT_CONVENTIONS; i++)
        if (d->speakers[i] && mqtt_conventions[i]->owns(d->speakers[i], topic))
            return true;
    return false;
}

int64_t mqtt_discovery_deadline(const struct mqtt_discovery *d)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < MQTT_CONVENTIONS; i++) {
        const struct mqtt_convention *c = mqtt_conventions[i];
        int64_t at = d->speakers[i] && c->deadline ? c->deadline(d->speakers[i]) : INT64_MAX;
        first = at < first ? at : first;
    }
    return first;
}

void mqtt_discovery_inherit(struct mqtt_discovery *d, struct mqtt_discovery *from)
{
    for (size_t i = 0; i < MQTT_CONVENTIONS; i++)
        if (d->speakers[i] && from->speakers[i] && mqtt_conventions[i]->inherit)
            mqtt_conventions[i]->inherit(d->speakers[i], from->speakers[i]);
}
