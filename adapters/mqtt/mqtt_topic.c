#include "adapters/mqtt/mqtt_topic.h"

#include "base/utf8.h"

#include <mosquitto.h>

// Takes the next level of *rest; false when there is none left. `more` tells that a separator followed, so that a
// trailing empty level counts.
struct levels {
    struct str rest;
    bool more;
};

static struct levels levels_of(struct str topic)
{
    return (struct levels){topic, true};
}

static bool level_next(struct levels *l, struct str *level)
{
    if (!l->more)
        return false;
    l->more = str_cut(l->rest, '/', level, &l->rest);
    return true;
}

static bool shape_valid(struct str s)
{
    if (s.n == 0 || s.n > MQTT_TOPIC_MAX || memchr(s.p, '\0', s.n))
        return false;
    size_t levels = 1;
    for (size_t i = 0; i < s.n; i++)
        levels += s.p[i] == '/';
    return levels <= MQTT_TOPIC_LEVELS && utf8_valid(s);
}

bool mqtt_topic_valid(struct str topic)
{
    return shape_valid(topic) && !memchr(topic.p, '+', topic.n) && !memchr(topic.p, '#', topic.n);
}

// mosquitto_validate_utf8() also refuses control characters and non-characters, which MQTT-1.5.4 says not to send.
static bool printable(struct str s)
{
    return s.n <= MQTT_TOPIC_MAX && mosquitto_validate_utf8(s.p, (int)s.n) == MOSQ_ERR_SUCCESS;
}

bool mqtt_topic_publishable(struct str topic)
{
    return mqtt_topic_valid(topic) && topic.p[0] != '$' && printable(topic) &&
           mosquitto_pub_topic_check2(topic.p, topic.n) == MOSQ_ERR_SUCCESS;
}

bool mqtt_topic_level_valid(struct str level)
{
    return level.n <= MQTT_TOPIC_LEVEL_MAX && str_find(level, '/') < 0 && mqtt_topic_publishable(level);
}

static const struct str share = {"$share/", 7};

// What a shared subscription matches with; the filter itself for any other. False when it has no group or no filter.
static bool share_strip(struct str filter, struct str *inner)
{
    *inner = filter;
    if (!str_starts(filter, share))
        return true;
    struct str group;
    return str_cut(str_sub(filter, share.n, filter.n), '/', &group, inner) && group.n > 0 && inner->n > 0 &&
           str_find(group, '+') < 0 && str_find(group, '#') < 0;
}

static bool is_plus(struct str level)
{
    return level.n == 1 && level.p[0] == '+';
}

static bool is_hash(struct str level)
{
    return level.n == 1 && level.p[0] == '#';
}

bool mqtt_topic_filter_valid(struct str filter)
{
    struct str inner, level;
    if (!shape_valid(filter) || !printable(filter) || !share_strip(filter, &inner))
        return false;
    for (struct levels l = levels_of(inner); level_next(&l, &level);) {
        bool wild = is_plus(level) || is_hash(level);
        if (is_hash(level) && l.more)
            return false;
        if (!wild && (str_find(level, '+') >= 0 || str_find(level, '#') >= 0))
            return false;
    }
    return true;
}

bool mqtt_topic_filter_wild(struct str filter)
{
    return str_find(filter, '+') >= 0 || str_find(filter, '#') >= 0;
}

static void capture(struct mqtt_captures *out, struct str level)
{
    if (out->count < MQTT_TOPIC_CAPTURES)
        out->level[out->count++] = level;
}

static bool match_levels(struct str filter, struct str topic, struct mqtt_captures *out)
{
    struct levels f = levels_of(filter), t = levels_of(topic);
    struct str want, have;
    while (level_next(&f, &want)) {
        if (is_hash(want))
            return true; // also where the topic has ended: "a/#" takes "a"
        if (!level_next(&t, &have))
            return false;
        if (is_plus(want))
            capture(out, have);
        else if (!str_eq(want, have))
            return false;
    }
    return !t.more;
}

bool mqtt_topic_match(struct str filter, struct str topic, struct mqtt_captures *out)
{
    struct mqtt_captures unused;
    struct str inner;
    if (!out)
        out = &unused;
    out->count = 0;
    if (!share_strip(filter, &inner) || inner.n == 0 || topic.n == 0)
        return false;
    if (topic.p[0] == '$' && inner.p[0] != '$')
        return false;
    return match_levels(inner, topic, out);
}

bool mqtt_topic_under(struct str prefix, struct str topic)
{
    if (str_ends(prefix, STR("/")))
        prefix.n--;
    if (prefix.n == 0 || !str_starts(topic, prefix))
        return false;
    return topic.n == prefix.n || topic.p[prefix.n] == '/';
}

size_t mqtt_topic_captures(struct str filter)
{
    struct str inner, level;
    size_t count = 0;
    if (!share_strip(filter, &inner))
        return 0;
    for (struct levels l = levels_of(inner); level_next(&l, &level);)
        count += is_plus(level);
    return count < MQTT_TOPIC_CAPTURES ? count : MQTT_TOPIC_CAPTURES;
}

// Reads the "n}" behind a brace and moves *rest behind it; NULL when it is malformed or there is no such capture.
static const struct str *fill_reference(struct str *rest, const struct mqtt_captures *c)
{
    struct str digits, tail;
    uint64_t n;
    if (!str_cut(*rest, '}', &digits, &tail) || !str_to_u64(digits, &n) || n < 1 || n > c->count)
        return NULL;
    *rest = tail;
    return mqtt_topic_level_valid(c->level[n - 1]) ? &c->level[n - 1] : NULL;
}

static bool fill_parts(struct str rest, const struct mqtt_captures *c, struct strbuf *out)
{
    struct str text;
    while (str_cut(rest, '{', &text, &rest)) {
        strbuf_str(out, text);
        const struct str brace = STR("{");
        const struct str *part = &brace;
        if (str_starts(rest, brace))
            rest = str_sub(rest, 1, rest.n);
        else
            part = fill_reference(&rest, c);
        if (!part)
            return false;
        strbuf_str(out, *part);
    }
    return strbuf_str(out, text) && !out->full;
}

enum err mqtt_topic_fill(struct str template, const struct mqtt_captures *c, struct strbuf *out)
{
    if (out->full)
        return ERR_LIMIT;
    size_t before = out->n;
    if (fill_parts(template, c, out) && mqtt_topic_publishable(str_sub(strbuf_view(out), before, out->n)))
        return ERR_OK;
    enum err e = out->full ? ERR_LIMIT : ERR_BADREQ;
    strbuf_truncate(out, before);
    return e;
}

bool mqtt_topic_template_valid(struct str template, size_t captures)
{
    struct mqtt_captures c = {.count = captures < MQTT_TOPIC_CAPTURES ? captures : MQTT_TOPIC_CAPTURES};
    for (size_t i = 0; i < c.count; i++)
        c.level[i] = STR("x");
    struct strbuf out;
    strbuf_init(&out, MQTT_TOPIC_MAX);
    bool valid = mqtt_topic_fill(template, &c, &out) == ERR_OK;
    strbuf_finish(&out);
    return valid;
}
