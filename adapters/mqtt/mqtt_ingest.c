/* From a message to what is known of devices.
 *
 * Happy path: topic -> the bindings of its devices -> values, availability -> alerts -> presence; QoS 1 is stored
 * before the call returns, so that its acknowledgement can wait for the row. A topic that nobody listens to makes a
 * device, where a template takes it. Failures: a payload that is no JSON, or lacks the member, leaves the value as it
 * was. Retained payloads are a snapshot: they change what is known, and say nothing. */
#include "adapters/mqtt/mqtt_model_private.h"

#include "adapters/mqtt/mqtt_profile.h"
#include "adapters/mqtt/mqtt_rule.h"

/* Memos: what a topic that devices share said last, since the broker does not repeat it for a device that comes later.
 */

struct memo {
    char *topic, *payload; // owned
    size_t n;
};

static void memo_free(struct memo *memo)
{
    mem_free(memo->topic);
    mem_free(memo->payload);
    mem_free(memo);
}

static struct memo *memo_make(struct mqtt_model *m, struct str topic)
{
    if (m->memos.count >= MQTT_MEMOS_MAX)
        return NULL;
    struct memo *memo = MEM_NEW(struct memo);
    memo->topic = mem_dup(topic.p, topic.n);
    (void)map_put(&m->memos, str_c(memo->topic), memo);
    return memo;
}

static void memo_put(struct mqtt_model *m, struct str topic, struct str payload)
{
    struct memo *memo = map_get(&m->memos, topic);

    if (payload.n > MQTT_MEMO_BYTES)
        payload = STR_NONE;
    if (!memo && (payload.n == 0 || !(memo = memo_make(m, topic))))
        return;
    mem_free(memo->payload);
    memo->payload = mem_dup(payload.p, payload.n);
    memo->n = payload.n;
}

void mqtt_ingest_finish(struct mqtt_model *m)
{
    size_t at = 0;
    void *memo;

    while (map_next(&m->memos, &at, NULL, &memo))
        memo_free(memo);
    map_finish(&m->memos);
}

static bool is_shared(const struct mqtt_spec *s, uint16_t topic)
{
    return s->discovered || s->topics[topic].partial;
}

void mqtt_ingest_memos(struct mqtt_model *m, struct mqtt_device *d)
{
    struct mqtt_captures c;

    mqtt_device_captures(d, &c);
    for (uint16_t i = 0; i < d->spec->topic_count; i++) {
        if (!is_shared(d->spec, i))
            continue;
        const struct memo *memo = map_get(&m->memos, mqtt_pattern_topic(&m->scratch, &d->spec->topics[i].pattern, &c));
        if (!memo || memo->n == 0)
            continue;
        struct mqtt_payload p;
        mqtt_payload_init(&p, (struct str){memo->payload, memo->n}, &m->scratch);
        mqtt_ingest_device(m, d, i, &p, true);
        mqtt_payload_finish(&p);
    }
}

/* One device */

// The words of a reading with two states stand for its payloads.
static void in_words(const struct mqtt_reading *r, struct mqtt_result *v)
{
    if (v->type == MQTT_ABSENT)
        return;
    bool on = r->on.n && str_case_eq(v->text, r->on), off = !on && r->off.n && str_case_eq(v->text, r->off);
    if (!on && !off)
        return;
    v->type = MQTT_TEXT;
    v->text = on ? r->on_word : r->off_word;
}

static bool is_ignored(const struct mqtt_reading *r, struct str text)
{
    for (uint16_t i = 0; i < r->ignored_count; i++)
        if (str_case_eq(text, r->ignored[i]))
            return true;
    return false;
}

// True when the value is another than before.
static bool hear_reading(struct mqtt_model *m, struct mqtt_device *d, uint16_t n, const struct mqtt_value *value,
                         struct mqtt_payload *p, bool snapshot)
{
    const struct mqtt_reading *r = &d->spec->readings[n];
    struct mqtt_cell *c = &mqtt_device_cells(d)[n];
    struct mqtt_result v = mqtt_value_get(value, p);

    if (r->nul_empty && p->text.n == 1 && p->text.p[0] == '\0')
        v = (struct mqtt_result){.type = MQTT_TEXT, .text = STR(MQTT_EMPTY_TEXT)};
    in_words(r, &v);
    if (v.type == MQTT_ABSENT || is_ignored(r, v.text))
        return false;
    bool first = c->type == MQTT_CELL_NONE, changed = !mqtt_cell_is(c, &v);
    if (changed) {
        mqtt_cell_set(c, &v);
        mqtt_tell_dirty(m, d);
        d->changed = d->changed || (r->headline && (first || mqtt_status_moved(d, n)));
        if (r->headline && first)
            mqtt_tell_soon(d);
    }
    for (uint16_t i = 0; i < d->spec->alert_count; i++)
        if (d->spec->alerts[i].reading == n && mqtt_rule_check(d, i, first, changed, snapshot, m->t.now, &m->scratch))
            mqtt_tell_alert(m, d, i);
    if (!snapshot)
        mqtt_send_heard(m, d, n);
    return changed;
}

static void hear_availability(struct mqtt_model *m, struct mqtt_device *d, uint16_t n, struct mqtt_payload *p)
{
    enum mqtt_presence presence = mqtt_availability_read(&d->spec->availability[n], p);

    if (mqtt_availability_hear(d, n, presence, m->t.now))
        mqtt_tell_dirty(m, d);
}

static void lives(struct mqtt_model *m, struct mqtt_device *d)
{
    if (d->heard == INT64_MIN || d->silence != MQTT_VERDICT_NONE)
        mqtt_tell_dirty(m, d);
    d->heard = m->t.now;
    d->silence = MQTT_VERDICT_NONE;
}

static bool hear_use(struct mqtt_model *m, struct mqtt_device *d, const struct mqtt_use *u, struct mqtt_payload *p,
                     bool snapshot)
{
    if (u->kind == MQTT_USE_READING)
        return hear_reading(m, d, u->at, &d->spec->readings[u->at].value, p, snapshot);
    const struct mqtt_source *s = &d->spec->sources[u->at];
    return hear_reading(m, d, s->reading, &s->value, p, snapshot);
}

void mqtt_ingest_device(struct mqtt_model *m, struct mqtt_device *d, uint16_t topic, struct mqtt_payload *p,
                        bool snapshot)
{
    const struct mqtt_topic *t = &d->spec->topics[topic];
    bool data = t->use_count == 0, news = false; // of a template: the topic alone tells that it lives

    for (uint16_t i = 0; i < t->use_count; i++) {
        if (t->uses[i].kind == MQTT_USE_AVAILABILITY) {
            hear_availability(m, d, t->uses[i].at, p);
        } else if (t->uses[i].kind == MQTT_USE_FILE) {
            mqtt_picture_hear(m, d, t->uses[i].at, p->text, snapshot);
            data = true;
        } else {
            news = hear_use(m, d, &t->uses[i], p, snapshot) || news;
            data = true;
        }
    }
    // What the broker has retained may be old: it is a sign of life only where it tells what we did not know.
    if (data && p->text.n && (!snapshot || news || d->heard == INT64_MIN))
        lives(m, d);
}

/* One message */

static size_t hear_bound(struct mqtt_model *m, const struct mqtt_message *msg, struct mqtt_payload *p)
{
    uint32_t b = mqtt_registry_topic(&m->registry, msg->topic);
    size_t heard = 0;
    bool shared = false;

    while (b != MQTT_NONE) {
        struct mqtt_device *d;
        uint16_t topic;
        b = mqtt_registry_binding(&m->registry, b, &d, &topic);
        mqtt_ingest_device(m, d, topic, p, msg->retain);
        shared = shared || is_shared(d->spec, topic);
        if (++heard < MQTT_SLICE)
            mqtt_tell_presence(m, d);
        else // a bridge with very many devices: the rest in slices
            mqtt_registry_wake(&m->registry, d, m->t.now);
        if (d->dirty != MQTT_NONE && msg->qos > 0)
            mqtt_tell_state(m, d);
        arena_reset(&m->scratch);
    }
    if (shared)
        memo_put(m, msg->topic, msg->payload);
    return heard;
}

// A topic of a template that lacks captures may speak before any device is there.
static bool keep_for_later(struct mqtt_model *m, const struct mqtt_message *msg)
{
    struct mqtt_captures c;

    for (size_t i = 0; i < m->setup.profile_count; i++)
        for (uint16_t k = 0; k < m->setup.profiles[i]->topic_count; k++)
            if (m->setup.profiles[i]->topics[k].partial &&
                mqtt_pattern_match(&m->setup.profiles[i]->topics[k].pattern, msg->topic, &c)) {
                memo_put(m, msg->topic, msg->payload);
                return true;
            }
    return false;
}

static bool make_devices(struct mqtt_model *m, const struct mqtt_message *msg)
{
    struct mqtt_captures c;
    bool made = false;

    for (size_t i = 0; i < m->setup.profile_count && msg->payload.n; i++)
        if (mqtt_profile_match(m->setup.profiles[i], msg->topic, &c))
            made = mqtt_life_make(m, m->setup.profiles[i], &c) || made;
    return made;
}

// What a convention has heard too; it makes no device of a template.
static void hear_announced(struct mqtt_model *m, const struct mqtt_message *msg)
{
    struct mqtt_payload p;

    mqtt_found_message(m, msg);
    mqtt_payload_init(&p, msg->payload, &m->scratch);
    (void)hear_bound(m, msg, &p);
    mqtt_payload_finish(&p);
}

void mqtt_ingest_snapshot(struct mqtt_model *m, struct str topic, struct str payload)
{
    char *own_topic = mem_dup(topic.p, topic.n), *own = mem_dup(payload.p, payload.n); // they may be in the arena
    const struct mqtt_message msg = {.topic = {own_topic, topic.n}, .payload = {own, payload.n}, .retain = true};
    struct mqtt_payload p;

    mqtt_payload_init(&p, msg.payload, &m->scratch);
    (void)hear_bound(m, &msg, &p);
    mqtt_payload_finish(&p);
    mem_free(own_topic);
    mem_free(own);
}

// True when a device listens.
static bool hear(struct mqtt_model *m, const struct mqtt_message *msg)
{
    struct mqtt_payload p;

    if (m->setup.overlap) // that one template listens keeps no other from making its device
        (void)make_devices(m, msg);
    mqtt_payload_init(&p, msg->payload, &m->scratch);
    bool used = hear_bound(m, msg, &p) > 0;
    if (!used && !m->setup.overlap && make_devices(m, msg))
        used = hear_bound(m, msg, &p) > 0;
    mqtt_payload_finish(&p);
    return used;
}

static void take(struct mqtt_model *m, const struct mqtt_message *msg)
{
    bool used = m->pending.count && mqtt_send_answered(m, msg); // which may tell of readings too
    if (mqtt_discovery_owns(m->setup.discovery, msg->topic)) {
        hear_announced(m, msg);
        return;
    }
    used = hear(m, msg) || used;
    if (!used && !keep_for_later(m, msg))
        m->stat.unmatched++;
}

void mqtt_model_message(struct mqtt_model *m, const struct mqtt_message *msg, int64_t now, int64_t wall)
{
    mqtt_model_enter(m, now, wall);
    m->stat.messages++;
    if (m->settling && msg->retain)
        m->settle_quiet = now + MQTT_SETTLE_QUIET;
    m->message = msg;
    take(m, msg);
    m->message = NULL;
}
