/* From announcements to devices, whatever the convention (see mqtt_convention.h).
 *
 * Happy path: read and normalised by the convention -> built alone, to see that it may be -> put in the place of what
 * its source said before, and built with all else that was said of the device -> that takes the place of what the
 * device was, keeping its values, and is told.
 * Failures: whatever is too large, not allowed, another's or beyond the limits is refused before anything has happened,
 * counted once and logged; what was there before it stays. A source that describes nothing any more takes its part
 * away, the last one the device. */
#include "adapters/mqtt/mqtt_model_private.h"

#include "adapters/mqtt/mqtt_raised.h"

struct owner { // who asks whether a topic is taken
    struct mqtt_model *m;
    const struct mqtt_device *self; // NULL: a new one
    size_t convention;
};

static bool template_has(const struct mqtt_spec *s, struct str topic)
{
    struct mqtt_captures c;

    for (uint16_t i = 0; i < s->topic_count; i++)
        if (mqtt_pattern_match(&s->topics[i].pattern, topic, &c))
            return true;
    for (uint16_t i = 0; i < s->control_count; i++)
        if (mqtt_pattern_match(&s->controls[i].topic, topic, &c))
            return true;
    return false;
}

// What the configuration has described is its own.
static bool taken_by_template(void *ud, struct str topic, bool command)
{
    const struct owner *o = ud;

    (void)command;
    for (size_t i = 0; i < o->m->setup.profile_count; i++)
        if (template_has(o->m->setup.profiles[i], topic))
            return true;
    return false;
}

static bool commands(const struct mqtt_spec *s, struct str topic)
{
    for (uint16_t i = 0; i < s->control_count; i++)
        if (str_eq(s->controls[i].topic.text, topic))
            return true;
    return false;
}

static bool one_voice(const struct owner *o, const struct mqtt_device *d)
{
    return mqtt_conventions[o->convention]->one_voice && mqtt_convention_of(mqtt_device_key(d)) == o->convention;
}

// The same, and what another device takes its commands by; to listen to one topic is for many.
static bool taken(void *ud, struct str topic, bool command)
{
    const struct owner *o = ud;
    size_t at = SIZE_MAX;
    uint32_t handle;

    if (taken_by_template(ud, topic, command))
        return true;
    while (command && (handle = index_next(&o->m->command_topics, map_hash(topic), &at)) != INDEX_NONE) {
        const struct mqtt_device *d = mqtt_registry_get(&o->m->registry, handle);
        if (d && d != o->self && !one_voice(o, d) && commands(d->spec, topic))
            return true;
    }
    return false;
}

static void index_commands(struct mqtt_model *m, const struct mqtt_device *d, bool on)
{
    for (uint16_t i = 0; i < d->spec->control_count; i++) {
        uint64_t hash = map_hash(d->spec->controls[i].topic.text);
        if (on)
            index_add(&m->command_topics, hash, d->handle);
        else
            (void)index_remove(&m->command_topics, hash, d->handle);
    }
}

static void refuse(struct mqtt_model *m, struct str topic, const char *why)
{
    m->stat.refused_discoveries++;
    log_warn(&m->log, LOG_MSG("discovery refused"), LOG_S("topic", topic), LOG_C("reason", why));
}

/* Which device a source has described */

static struct mqtt_device *holder_of(const struct mqtt_model *m, struct str source)
{
    size_t at = SIZE_MAX;
    uint32_t handle;

    while ((handle = index_next(&m->sources, map_hash(source), &at)) != INDEX_NONE) {
        struct mqtt_device *d = mqtt_registry_get(&m->registry, handle);
        if (d && d->entities && mqtt_entities_has(d->entities, source))
            return d;
    }
    return NULL;
}

static void index_sources(struct mqtt_model *m, const struct mqtt_device *d, bool on)
{
    struct str source;

    for (size_t at = 0; mqtt_entities_source(d->entities, &at, &source);)
        if (on)
            index_add(&m->sources, map_hash(source), d->handle);
        else
            (void)index_remove(&m->sources, map_hash(source), d->handle);
}

/* Building */

static void subscribe(struct mqtt_model *m, struct str filter, bool on)
{
    if (on)
        m->host.subscribe(m->ud, filter, 1);
    else
        m->host.unsubscribe(m->ud, filter);
}

static void listen(struct mqtt_model *m, const struct mqtt_spec *s, bool on)
{
    for (uint16_t i = 0; i < s->topic_count; i++)
        subscribe(m, s->topics[i].pattern.text, on);
    for (uint16_t i = 0; i < s->also_count; i++)
        subscribe(m, s->also[i], on);
    for (uint16_t i = 0; i < s->control_count; i++)
        if (s->controls[i].response.text.n)
            subscribe(m, s->controls[i].response.text, on);
}

// What it refuses is added to *refused.
static struct mqtt_spec *build(struct mqtt_model *m, struct mqtt_entities *e, struct str key, size_t *refused)
{
    struct owner o = {.m = m, .convention = mqtt_convention_of(key)};
    struct mqtt_entity_context ctx = {m->setup.discovery, o.convention, taken_by_template, &o};

    return mqtt_entities_spec(e, &ctx, refused);
}

static struct mqtt_spec *spec_of(struct mqtt_model *m, struct mqtt_entities *e, struct str key)
{
    size_t refused = 0;
    struct mqtt_spec *s = build(m, e, key, &refused);

    m->stat.refused_discoveries += refused;
    return s;
}

static bool useful(const struct mqtt_spec *s)
{
    return s->reading_count || s->control_count || s->file_count;
}

struct mqtt_spec *mqtt_found_spec(struct mqtt_model *m, const struct mqtt_device *d)
{
    struct mqtt_spec *s = mqtt_discovery_enabled(m->setup.discovery, mqtt_device_key(d))
                              ? spec_of(m, d->entities, mqtt_device_key(d))
                              : NULL;

    if (!s || useful(s))
        return s;
    mqtt_spec_destroy(s);
    return NULL;
}

void mqtt_found_respec(struct mqtt_model *m, struct mqtt_device *d, struct mqtt_spec *s)
{
    listen(m, s, true); // before the old is given up
    index_commands(m, d, false);
    struct mqtt_spec *old = mqtt_registry_respec(&m->registry, d, s);
    index_commands(m, d, true);
    listen(m, old, false);
    mqtt_spec_destroy(old);
}

// Takes both in place of what the device was.
static void rebuild(struct mqtt_model *m, struct mqtt_device *d, struct mqtt_entities *entities, struct mqtt_spec *s)
{
    mqtt_send_abandon(m, d, "the device has been described anew meanwhile; it is not known whether this was done");
    index_sources(m, d, false);
    mqtt_raised_move(d->entities, entities);
    mqtt_entities_destroy(d->entities);
    d->entities = entities;
    index_sources(m, d, true);
    mqtt_found_respec(m, d, s);
    mqtt_ingest_memos(m, d);
    d->introduced = false;
    d->changed = true;
    mqtt_tell_row(m, mqtt_life_config_row(m, mqtt_device_key(d)), mqtt_entities_write(d->entities, &m->scratch));
    mqtt_tell_dirty(m, d);
    mqtt_tell_presence(m, d);
}

static void withdraw(struct mqtt_model *m, struct mqtt_device *d, struct str source)
{
    const struct mqtt_found nothing = {.source = source};
    struct mqtt_entities *left = mqtt_entities_with(d->entities, &nothing);

    if (mqtt_entities_count(left)) {
        rebuild(m, d, left, spec_of(m, left, mqtt_device_key(d)));
        return;
    }
    mqtt_entities_destroy(left);
    mqtt_life_forget(m, d);
}

/* Messages */

// Built alone and thrown away: an error here leaves all as it was.
static enum err try_alone(struct mqtt_model *m, const struct mqtt_found *found, const struct mqtt_device *self,
                          struct errmsg *msg)
{
    struct owner o = {m, self, mqtt_convention_of(found->key)};
    struct mqtt_entity_context ctx = {m->setup.discovery, o.convention, taken, &o};
    struct mqtt_spec *s = mqtt_spec_create();
    enum err e = mqtt_entity_device(s, found->device, &ctx, msg);

    for (size_t i = 0; i < found->count && e == ERR_OK; i++)
        e = mqtt_entity_build(s, found->entities[i], &ctx, msg);
    mqtt_spec_destroy(s);
    return e;
}

// Once, until there is room again.
static void tell_full(struct mqtt_model *m)
{
    if (!m->discovery_full)
        mqtt_tell_notice(m,
                         arena_printf(&m->scratch, "discovery: there are %zu devices (max_devices); no more are made",
                                      m->discovered));
    m->discovery_full = true;
}

// Of nothing but this source, with which it goes.
static bool goes_with(const struct mqtt_device *d, struct str source)
{
    struct str one;
    size_t at = 0;

    return mqtt_entities_source(d->entities, &at, &one) && str_eq(one, source) &&
           !mqtt_entities_source(d->entities, &at, &one);
}

static enum err room_for_one(struct mqtt_model *m, struct str source, const struct mqtt_device *holder,
                             struct errmsg *msg)
{
    size_t leaving = holder && goes_with(holder, source) ? 1 : 0;

    if (m->discovered - leaving >= m->setup.discovery->max_devices) {
        tell_full(m);
        return err_set(msg, ERR_LIMIT, "there are %zu discovered devices already", m->discovered);
    }
    if (!ratelimit_take(&m->creations, m->t.now))
        return err_set(msg, ERR_LIMIT, "too many new devices a minute");
    return ERR_OK;
}

struct change {                     // what a message makes of a device
    struct mqtt_entities *entities; // owned
    struct mqtt_spec *spec;         // owned
    size_t refused;                 // of other sources
};

static void change_drop(struct change *c)
{
    mqtt_spec_destroy(c->spec);
    mqtt_entities_destroy(c->entities);
}

// Nothing of it has happened yet; d is NULL for a device that is new.
static enum err prepare(struct mqtt_model *m, const struct mqtt_device *d, const struct mqtt_found *found,
                        struct change *c, struct errmsg *msg)
{
    struct mqtt_entities *none = d ? NULL : mqtt_entities_create();

    *c = (struct change){.entities = mqtt_entities_with(d ? d->entities : none, found)};
    mqtt_entities_destroy(none);
    if (!c->entities)
        return err_set(msg, ERR_LIMIT, "the device has too many entities, or they are too large");
    c->spec = build(m, c->entities, found->key, &c->refused);
    if (mqtt_entities_built(c->entities, found->source))
        return ERR_OK;
    change_drop(c);
    return err_set(msg, ERR_LIMIT, "the device has too many topics, readings or controls");
}

/* What an admin has approved, and somebody describes anew */

// Where one party describes all devices, who is given another name takes its commands by other topics: no news.
static bool same_control(const struct mqtt_device *d, const struct mqtt_control *a, const struct mqtt_control *b)
{
    if (mqtt_conventions[mqtt_convention_of(mqtt_device_key(d))]->one_voice)
        return str_eq(a->name, b->name);
    return str_eq(a->topic.text, b->topic.text);
}

static const struct mqtt_control *new_control(const struct mqtt_device *d, const struct mqtt_spec *s, uint16_t *from)
{
    for (; *from < s->control_count; ++*from) {
        const struct mqtt_control *c = &s->controls[*from];
        bool known = false;
        for (uint16_t i = 0; i < d->spec->control_count && !known; i++)
            known = same_control(d, &d->spec->controls[i], c);
        if (!known)
            return c;
    }
    return NULL;
}

static enum err may_grow(struct mqtt_model *m, const struct mqtt_device *d, const struct change *c, struct errmsg *msg)
{
    uint16_t from = 0;

    if (!d->settled || !new_control(d, c->spec, &from) || ratelimit_take(&m->creations, m->t.now))
        return ERR_OK;
    return err_set(msg, ERR_LIMIT, "too many new devices and controls a minute");
}

static void tell_growth(struct mqtt_model *m, const struct mqtt_device *d, const struct mqtt_spec *s, struct str topic)
{
    struct str name = arena_dup(&m->scratch, mqtt_device_name(d, &m->scratch));
    const struct mqtt_control *c;
    uint16_t from = 0;

    if (!d->settled)
        return;
    if (!str_eq(d->spec->name, s->name))
        mqtt_tell_notice(m, arena_printf(&m->scratch,
                                         "discovery: " STR_FMT " is called " STR_FMT " from now on, by " STR_FMT,
                                         STR_ARG(name), STR_ARG(s->name), STR_ARG(topic)));
    for (; (c = new_control(d, s, &from)); from++)
        mqtt_tell_notice(m, arena_printf(&m->scratch,
                                         "discovery: " STR_FMT " has a new control, " STR_FMT
                                         ", which writes to " STR_FMT ", by " STR_FMT,
                                         STR_ARG(name), STR_ARG(c->name), STR_ARG(c->topic.text), STR_ARG(topic)));
}

static void create(struct mqtt_model *m, const struct mqtt_found *found, const struct change *c)
{
    const struct mqtt_captures none = {.count = 0};
    struct mqtt_device *d = mqtt_device_create(c->spec, found->key, &none);

    d->entities = c->entities;
    mqtt_life_add(m, d);
    mqtt_tell_row(m, mqtt_life_config_row(m, mqtt_device_key(d)), mqtt_entities_write(d->entities, &m->scratch));
    mqtt_tell_presence(m, d);
}

static enum err accept(struct mqtt_model *m, const struct mqtt_found *found, struct errmsg *msg)
{
    struct mqtt_device *d = mqtt_registry_find(&m->registry, found->key), *holder = holder_of(m, found->source);
    struct change c;

    if (d && mqtt_entities_same(d->entities, found) && mqtt_entities_built(d->entities, found->source))
        return ERR_OK;
    enum err e = try_alone(m, found, d, msg);
    if (e != ERR_OK)
        return e;
    e = prepare(m, d, found, &c, msg);
    if (e != ERR_OK)
        return e;
    e = d ? may_grow(m, d, &c, msg) : room_for_one(m, found->source, holder, msg);
    if (e != ERR_OK) {
        change_drop(&c);
        return e;
    }
    m->stat.refused_discoveries += c.refused;
    if (holder && holder != d)
        withdraw(m, holder, found->source);
    if (d) {
        tell_growth(m, d, c.spec, found->source);
        rebuild(m, d, c.entities, c.spec);
    } else {
        create(m, found, &c);
    }
    return ERR_OK;
}

/* What a convention concludes */

struct hearing { // of one message, or one tick
    struct mqtt_sink sink;
    struct mqtt_model *m;
    size_t convention;
};

static struct hearing *hearing_of(struct mqtt_sink *s)
{
    return CONTAINER_OF(s, struct hearing, sink);
}

static void note(struct mqtt_model *m, struct str topic, enum err e, const char *why)
{
    if (e == ERR_UNSUPPORTED)
        log_debug(&m->log, LOG_MSG("discovery of no use"), LOG_S("topic", topic), LOG_C("reason", why));
    else if (e != ERR_OK)
        refuse(m, topic, why);
}

static void on_keep(struct mqtt_sink *s, struct str key)
{
    struct mqtt_model *m = hearing_of(s)->m;
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key);

    if (d)
        d->named = true;
}

static enum err on_found(struct mqtt_sink *s, const struct mqtt_found *found)
{
    struct mqtt_model *m = hearing_of(s)->m;
    struct errmsg why = {""};
    const struct mqtt_device *d = mqtt_registry_find(&m->registry, found->key);
    bool news = !d || !d->entities || !mqtt_entities_same(d->entities, found);
    enum err e = accept(m, found, &why);

    note(m, found->source, e, why.text);
    if (e == ERR_OK && news && found->note.n)
        log_info(&m->log, LOG_MSG("discovery: parts are of no use"), LOG_S("topic", found->source),
                 LOG_S("parts", found->note));
    return e;
}

static void on_refused(struct mqtt_sink *s, struct str source, enum err e, const char *why)
{
    note(hearing_of(s)->m, source, e, why);
}

static void on_gone(struct mqtt_sink *s, struct str source)
{
    struct mqtt_model *m = hearing_of(s)->m;
    struct mqtt_device *holder = holder_of(m, source);

    if (holder)
        withdraw(m, holder, source);
}

static void on_rest(struct mqtt_sink *s)
{
    struct hearing *h = hearing_of(s);
    struct mqtt_device *d;

    for (uint32_t at = 0; (d = mqtt_registry_next(&h->m->registry, &at));)
        if (d->entities && !d->named && mqtt_convention_of(mqtt_device_key(d)) == h->convention)
            mqtt_life_forget(h->m, d);
}

static void on_raised(struct mqtt_sink *s, struct str key, struct str id, struct str text, bool live)
{
    struct mqtt_model *m = hearing_of(s)->m;
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key);

    if (d)
        mqtt_tell_raised(m, d, id, text, live);
}

static void on_said(struct mqtt_sink *s, struct str key, struct str text)
{
    struct mqtt_model *m = hearing_of(s)->m;
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key);

    if (d)
        mqtt_tell_said(m, d, text);
}

// Before a list of all devices: none is named yet.
static void name_none(struct mqtt_model *m)
{
    struct mqtt_device *d;

    for (uint32_t at = 0; (d = mqtt_registry_next(&m->registry, &at));)
        d->named = false;
}

static void on_lost(struct mqtt_sink *s, struct str key)
{
    struct mqtt_model *m = hearing_of(s)->m;
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key);

    if (d && d->entities)
        mqtt_life_forget(m, d);
}

static bool on_known(struct mqtt_sink *s, struct str key)
{
    return mqtt_registry_find(&hearing_of(s)->m->registry, key) != NULL;
}

static void on_heard(struct mqtt_sink *s, struct str topic, struct str payload)
{
    mqtt_ingest_snapshot(hearing_of(s)->m, topic, payload);
}

static enum err on_ask(struct mqtt_sink *s, struct str topic, struct str payload)
{
    struct hearing *h = hearing_of(s);
    const struct mqtt_publish p = {.topic = topic, .payload = payload, .qos = 1, .expiry_s = MQTT_COMMAND_EXPIRY};

    if (!mqtt_topic_publishable(topic) || !mqtt_discovery_may_write(h->m->setup.discovery, h->convention, topic))
        return ERR_FORBIDDEN;
    return h->m->link.up ? h->m->host.publish(h->m->ud, &p) : ERR_OFFLINE;
}

static struct hearing hear(struct mqtt_model *m, size_t convention)
{
    if (mqtt_conventions[convention]->one_voice)
        name_none(m);
    return (struct hearing){
        .sink = {.arena = &m->scratch,
                 .now = m->t.now,
                 .found = on_found,
                 .gone = on_gone,
                 .refused = on_refused,
                 .keep = on_keep,
                 .rest = on_rest,
                 .raised = on_raised,
                 .said = on_said,
                 .lost = on_lost,
                 .known = on_known,
                 .heard = on_heard,
                 .ask = on_ask},
        .m = m,
        .convention = convention,
    };
}

void mqtt_found_message(struct mqtt_model *m, const struct mqtt_message *msg)
{
    const struct mqtt_discovery *d = m->setup.discovery;

    for (size_t i = 0; i < MQTT_CONVENTIONS; i++) {
        struct errmsg why = {""};
        if (!d->speakers[i] || !mqtt_conventions[i]->owns(d->speakers[i], msg->topic))
            continue;
        struct hearing h = hear(m, i);
        enum err e = mqtt_conventions[i]->message(d->speakers[i], msg, &h.sink, &why);
        note(m, msg->topic, e, why.text);
    }
}

void mqtt_found_tick(struct mqtt_model *m)
{
    const struct mqtt_discovery *d = m->setup.discovery;

    for (size_t i = 0; i < MQTT_CONVENTIONS; i++) {
        const struct mqtt_convention *c = mqtt_conventions[i];
        if (!d->speakers[i] || !c->tick || c->deadline(d->speakers[i]) > m->t.now)
            continue;
        struct hearing h = hear(m, i);
        c->tick(d->speakers[i], &h.sink);
    }
}

void mqtt_found_up(struct mqtt_model *m)
{
    const struct mqtt_discovery *d = m->setup.discovery;

    for (size_t i = 0; i < MQTT_CONVENTIONS; i++) {
        if (!d->speakers[i] || !mqtt_conventions[i]->up)
            continue;
        struct hearing h = hear(m, i);
        mqtt_conventions[i]->up(d->speakers[i], &h.sink);
    }
}

/* Life */

void mqtt_found_added(struct mqtt_model *m, const struct mqtt_device *d)
{
    index_sources(m, d, true);
    index_commands(m, d, true);
    listen(m, d->spec, true);
    m->discovered++;
}

void mqtt_found_removed(struct mqtt_model *m, const struct mqtt_device *d)
{
    index_sources(m, d, false);
    index_commands(m, d, false);
    m->discovered--;
    m->discovery_full = false;
}

void mqtt_found_unlisten(struct mqtt_model *m, const struct mqtt_device *d)
{
    listen(m, d->spec, false);
}

struct mqtt_device *mqtt_found_restore(struct mqtt_model *m, struct str key, struct str blob)
{
    struct mqtt_entities *entities = mqtt_discovery_enabled(m->setup.discovery, key) ? mqtt_entities_read(blob) : NULL;

    if (!entities)
        return NULL;
    const struct mqtt_captures none = {.count = 0};
    struct mqtt_device *d = mqtt_device_create(spec_of(m, entities, key), key, &none);
    d->entities = entities;
    if (useful(d->spec))
        return d;
    mqtt_device_destroy(d);
    return NULL;
}

void mqtt_found_subscribe(struct mqtt_model *m, const struct mqtt_discovery *d, bool on)
{
    struct str filter;

    for (size_t i = 0; i < MQTT_CONVENTIONS; i++)
        for (size_t n = 0; d->speakers[i] && (filter = mqtt_conventions[i]->filter(d->speakers[i], n, &m->scratch)).n;
             n++)
            subscribe(m, filter, on);
}
