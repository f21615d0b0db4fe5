/* A filter, a topic and a template, one a line: what is valid stays within its promises whatever the bytes. */
#include "adapters/mqtt/mqtt_topic.h"
#include "base/mem.h"

#include <mosquitto.h>
#include <stdlib.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

static bool matches_by_library(struct str filter, struct str topic)
{
    char *f = mem_dup(filter.p, filter.n), *t = mem_dup(topic.p, topic.n);
    bool match = false;
    CHECK(mosquitto_topic_matches_sub(f, t, &match) == MOSQ_ERR_SUCCESS);
    mem_free(f);
    mem_free(t);
    return match;
}

static void check_match(struct str filter, struct str topic, struct mqtt_captures *c)
{
    bool match = mqtt_topic_match(filter, topic, c);
    CHECK(c->count <= MQTT_TOPIC_CAPTURES);
    for (size_t i = 0; i < c->count; i++)
        CHECK(c->level[i].n == 0 || (c->level[i].p >= topic.p && c->level[i].p + c->level[i].n <= topic.p + topic.n));
    if (!mqtt_topic_valid(topic) || !mqtt_topic_filter_valid(filter))
        return;
    if (!str_starts(filter, STR("$share/")))
        CHECK(match == matches_by_library(filter, topic));
}

static void check_fill(struct str template, const struct mqtt_captures *c)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    if (mqtt_topic_fill(template, c, &out) == ERR_OK)
        CHECK(mqtt_topic_publishable(strbuf_view(&out)));
    else
        CHECK(out.n == 0);
    (void)mqtt_topic_template_valid(template, c->count);
    strbuf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str filter, topic, template, rest = {(const char *)data, size};
    str_cut(rest, '\n', &filter, &rest);
    str_cut(rest, '\n', &topic, &template);
    struct mqtt_captures c;
    check_match(filter, topic, &c);
    if (mqtt_topic_publishable(topic))
        CHECK(mqtt_topic_valid(topic) && mqtt_topic_filter_valid(topic));
    (void)mqtt_topic_under(filter, topic);
    check_fill(template, &c);
    return 0;
}
