#include "adapters/mqtt/mqtt_pattern.h"

#include "base/strbuf.h"

// The number of the capture that stands at the start of the text, or 0.
static unsigned capture_at(struct str text)
{
    if (text.n < 3 || text.p[0] != '{' || text.p[2] != '}' || text.p[1] < '1' || text.p[1] > '9')
        return 0;
    return (unsigned)(text.p[1] - '0');
}

// The number of the capture that a level is, or 0.
static unsigned capture_level(struct str level)
{
    return level.n == 3 ? capture_at(level) : 0;
}

static enum err check_topic(struct str topic, struct errmsg *msg)
{
    if (topic.n == 0)
        return err_set(msg, ERR_BADREQ, "the topic is empty");
    if (topic.n > MQTT_PATTERN_MAX)
        return err_set(msg, ERR_LIMIT, "the topic has more than %d bytes", MQTT_PATTERN_MAX);
    if (topic.p[0] == '$')
        return err_set(msg, ERR_BADREQ, "topics in '$' are the broker's own");
    return ERR_OK;
}

static bool has_char(struct str s, char c)
{
    return str_find(s, c) >= 0;
}

// Copies one level of a configured topic; '+' becomes the next capture.
static enum err parse_level(struct strbuf *b, struct str level, unsigned *plus, unsigned *captures, struct errmsg *msg)
{
    unsigned capture = capture_level(level);

    if (str_eq_c(level, "+")) {
        if (++*plus > MQTT_PATTERN_CAPTURES)
            return err_set(msg, ERR_LIMIT, "more than %d '+' in a topic", MQTT_PATTERN_CAPTURES);
        capture = *plus;
    }
    if (capture) {
        *captures |= 1u << capture;
        (void)strbuf_printf(b, "{%u}", capture);
        return ERR_OK;
    }
    if (has_char(level, '#'))
        return err_set(msg, ERR_BADREQ, "'#' cannot stand in the topic of a device: use '+' for each level");
    if (has_char(level, '+') || mqtt_pattern_uses(level))
        return err_set(msg, ERR_BADREQ, "'+' and {1} must be a whole level of the topic");
    (void)strbuf_str(b, level);
    return ERR_OK;
}

static enum err parse_levels(struct strbuf *b, struct str rest, struct mqtt_pattern *out, struct errmsg *msg)
{
    struct str level;
    unsigned plus = 0;

    for (bool more = true; more;) {
        more = str_cut(rest, '/', &level, &rest);
        enum err e = parse_level(b, level, &plus, &out->captures, msg);
        if (e != ERR_OK)
            return e;
        if (more)
            (void)strbuf_char(b, '/');
    }
    return ERR_OK;
}

enum err mqtt_pattern_parse(struct arena *a, struct str text, struct mqtt_pattern *out, struct errmsg *msg)
{
    struct strbuf b;
    enum err e = check_topic(text, msg);

    *out = (struct mqtt_pattern){0};
    if (e != ERR_OK)
        return e;
    strbuf_init(&b, 4 * MQTT_PATTERN_MAX);
    e = parse_levels(&b, text, out, msg);
    if (e == ERR_OK && !mqtt_topic_publishable(strbuf_view(&b)))
        e = err_set(msg, ERR_BADREQ, "not a valid topic: a control character, no UTF-8, or too many levels");
    if (e == ERR_OK)
        out->text = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return e;
}

enum err mqtt_pattern_plain(struct arena *a, struct str topic, struct mqtt_pattern *out, struct errmsg *msg)
{
    enum err e = check_topic(topic, msg);

    *out = (struct mqtt_pattern){0};
    if (e != ERR_OK)
        return e;
    if (!mqtt_topic_publishable(topic))
        return err_set(msg, ERR_BADREQ, "a wildcard or a control character in a topic");
    if (mqtt_pattern_uses(topic))
        return err_set(msg, ERR_BADREQ, "a capture in a topic");
    out->text = arena_dup(a, topic);
    return ERR_OK;
}

struct str mqtt_pattern_filter(struct arena *a, const struct mqtt_pattern *p)
{
    struct mqtt_captures plus = {0};

    for (size_t i = 0; i < MQTT_PATTERN_CAPTURES; i++)
        plus.level[i] = STR("+");
    return mqtt_pattern_fill(a, p->text, &plus);
}

struct str mqtt_pattern_topic(struct arena *a, const struct mqtt_pattern *p, const struct mqtt_captures *c)
{
    return p->captures ? mqtt_pattern_fill(a, p->text, c) : p->text;
}

// Takes one level off both, as far as they are alike; the pattern's capture, if it is one, is handed out.
static bool next_levels(struct str *pattern, struct str *topic, struct str *p, struct str *t, bool *more)
{
    bool pattern_more = str_cut(*pattern, '/', p, pattern);

    *more = str_cut(*topic, '/', t, topic);
    return *more == pattern_more;
}

static bool capture(struct mqtt_captures *c, unsigned n, struct str level, unsigned *seen)
{
    if (!mqtt_topic_level_valid(level))
        return false;
    if (*seen & 1u << n)
        return str_eq(c->level[n - 1], level);
    *seen |= 1u << n;
    c->level[n - 1] = level;
    c->count = n > c->count ? n : c->count;
    return true;
}

bool mqtt_pattern_match(const struct mqtt_pattern *pattern, struct str topic, struct mqtt_captures *c)
{
    struct str rest = pattern->text, p, t;
    unsigned seen = 0;

    for (bool more = true; more;) {
        if (!next_levels(&rest, &topic, &p, &t, &more))
            return false;
        unsigned n = capture_level(p);
        if (n ? !capture(c, n, t, &seen) : !str_eq(p, t))
            return false;
    }
    return true;
}

bool mqtt_pattern_meets(const struct mqtt_pattern *one, const struct mqtt_pattern *other)
{
    struct str rest = one->text, others = other->text, p, q;

    for (bool more = true; more;)
        if (!next_levels(&rest, &others, &p, &q, &more) || !(capture_level(p) || capture_level(q) || str_eq(p, q)))
            return false;
    return true;
}

bool mqtt_pattern_is(const struct mqtt_pattern *pattern, const struct mqtt_captures *c, struct str topic)
{
    struct str rest = pattern->text, p, t;

    if (!pattern->captures)
        return str_eq(pattern->text, topic);
    for (bool more = true; more;) {
        if (!next_levels(&rest, &topic, &p, &t, &more))
            return false;
        unsigned n = capture_level(p);
        if (!str_eq(n ? c->level[n - 1] : p, t))
            return false;
    }
    return true;
}

struct str mqtt_pattern_fill(struct arena *a, struct str text, const struct mqtt_captures *c)
{
    enum { FILLED_MAX = MQTT_PATTERN_MAX + MQTT_PATTERN_CAPTURES * (int)MQTT_TOPIC_LEVEL_MAX };
    struct strbuf b;

    strbuf_init(&b, FILLED_MAX);
    while (text.n) {
        unsigned n = capture_at(text);
        (void)(n ? strbuf_str(&b, c->level[n - 1]) : strbuf_char(&b, *text.p));
        text = str_sub(text, n ? 3 : 1, text.n);
    }
    struct str filled = arena_dup(a, strbuf_view(&b));
    strbuf_finish(&b);
    return filled;
}

unsigned mqtt_pattern_uses(struct str text)
{
    unsigned uses = 0;

    for (; text.n; text = str_sub(text, 1, text.n)) {
        unsigned n = capture_at(text);
        uses |= n ? 1u << n : 0;
    }
    return uses;
}
