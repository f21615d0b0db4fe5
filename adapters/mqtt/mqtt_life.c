/* How devices come and go: from rows of an earlier run, from templates, out of a changed configuration. */
#include "adapters/mqtt/mqtt_model_private.h"

#include "adapters/mqtt/mqtt_profile.h"
#include "adapters/mqtt/mqtt_state.h"

#define CONFIG_ROW "config:" // before the key: the row of a description; no key begins so

struct str mqtt_life_config_row(struct mqtt_model *m, struct str key)
{
    return arena_printf(&m->scratch, CONFIG_ROW STR_FMT, STR_ARG(key));
}

/* One device */

void mqtt_life_add(struct mqtt_model *m, struct mqtt_device *d)
{
    mqtt_registry_add(&m->registry, d);
    d->spec->device_count++;
    if (d->entities)
        mqtt_found_added(m, d);
    mqtt_ingest_memos(m, d);
    mqtt_tell_dirty(m, d);
}

static struct mqtt_device *not_made(struct mqtt_model *m, struct str key, const char *why)
{
    m->stat.invalid++;
    log_warn(&m->log, LOG_MSG("device not made"), LOG_S("key", key), LOG_C("reason", why));
    return NULL;
}

static bool captured(const struct mqtt_device *d, const struct mqtt_captures *c)
{
    struct mqtt_captures have;
    bool same;

    mqtt_device_captures(d, &have);
    same = have.count == c->count;
    for (size_t i = 0; i < c->count && same; i++)
        same = str_eq(have.level[i], c->level[i]);
    return same;
}

// Said to the admins once, until there is room again.
static struct mqtt_device *no_room(struct mqtt_model *m, struct mqtt_spec *s, struct str key)
{
    if (!s->full)
        mqtt_tell_notice(m, arena_printf(&m->scratch,
                                         "devices." STR_FMT ": there are %zu devices (max_devices); no more are made",
                                         STR_ARG(s->profile), s->max_devices));
    s->full = true;
    return not_made(m, key, "there are max_devices of the template already");
}

struct mqtt_device *mqtt_life_make(struct mqtt_model *m, struct mqtt_spec *s, const struct mqtt_captures *c)
{
    struct str key = mqtt_profile_key(s, c, &m->scratch);
    const struct mqtt_device *same = mqtt_registry_find(&m->registry, key);

    if (key.n > MQTT_KEY_MAX)
        return not_made(m, key, "its id is too long");
    if (same)
        return captured(same, c) ? NULL : not_made(m, key, "another topic has the same id");
    if (s->device_count >= s->max_devices)
        return no_room(m, s, key);
    struct mqtt_device *d = mqtt_device_create(s, key, c);
    mqtt_life_add(m, d);
    return d;
}

// Out of the registry; it listens still.
static void detach(struct mqtt_model *m, struct mqtt_device *d, const char *why)
{
    mqtt_send_abandon(m, d, why);
    if (d->entities)
        mqtt_found_removed(m, d);
    d->spec->device_count--;
    d->spec->full = false;
    mqtt_tell_clean(m, d);
    mqtt_registry_remove(&m->registry, d);
}

static void drop_rows(struct mqtt_model *m, struct str key)
{
    struct event ev = {.kind = EV_FORGET, .now = m->t.now, .wall = m->t.wall, .key = key};

    m->host.post(m->ud, &ev);
    mqtt_tell_row(m, key, STR_NONE);
    if (mqtt_convention_of(key) < MQTT_CONVENTIONS)
        mqtt_tell_row(m, mqtt_life_config_row(m, key), STR_NONE);
}

void mqtt_life_forget(struct mqtt_model *m, struct mqtt_device *d)
{
    drop_rows(m, mqtt_device_key(d));
    mqtt_files_drop(&m->files, d->handle);
    detach(m, d, "the device is no more; it is not known whether this was done");
    if (d->entities)
        mqtt_found_unlisten(m, d);
    mqtt_device_destroy(d);
}

/* Rows */

void mqtt_life_row(struct mqtt_model *m, struct str key, struct str blob)
{
    if (m->row_count == m->row_cap) {
        m->row_cap = m->row_cap ? 2 * m->row_cap : 64;
        m->rows = mem_realloc(m->rows, m->row_cap, sizeof(*m->rows));
    }
    m->rows[m->row_count++] =
        (struct mqtt_row){.key = mem_dup(key.p, key.n), .blob = mem_dup(blob.p, blob.n), .n = blob.n};
}

void mqtt_life_rows_finish(struct mqtt_model *m)
{
    for (size_t i = 0; i < m->row_count; i++) {
        mem_free(m->rows[i].key);
        mem_free(m->rows[i].blob);
    }
    mem_free(m->rows);
    m->rows = NULL;
    m->row_count = m->row_cap = m->unread_configs = 0;
}

static bool is_config(const struct mqtt_row *row, struct str *key)
{
    struct str name = str_c(row->key);

    *key = str_sub(name, sizeof(CONFIG_ROW) - 1, name.n);
    return str_starts(name, STR(CONFIG_ROW));
}

// What somebody else has written, or the disk has damaged, is no reason to end what users have subscribed to: the
// device begins anew when it is heard.
static void keep_unread(struct mqtt_model *m, struct mqtt_row *row)
{
    row->unread = true;
    log_warn(&m->log, LOG_MSG("what is stored of a device cannot be read: it begins anew"), LOG_C("key", row->key));
}

static void apply_config(struct mqtt_model *m, struct str key, struct mqtt_row *row)
{
    struct str blob = {row->blob, row->n};
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key) ? NULL : mqtt_found_restore(m, key, blob);

    if (d)
        mqtt_life_add(m, d);
    else if (mqtt_discovery_enabled(m->setup.discovery, key) && !mqtt_entities_readable(blob))
        keep_unread(m, row);
    else
        drop_rows(m, key);
    m->unread_configs += row->unread;
}

static bool is_unread(const struct mqtt_model *m, struct str key)
{
    struct str name;

    for (size_t i = 0; m->unread_configs && i < m->row_count; i++)
        if (m->rows[i].unread && is_config(&m->rows[i], &name) && str_eq(name, key))
            return true;
    return false;
}

static struct mqtt_spec *profile_named(struct mqtt_model *m, struct str name)
{
    for (size_t i = 0; i < m->setup.profile_count; i++)
        if (str_eq(m->setup.profiles[i]->profile, name))
            return m->setup.profiles[i];
    return NULL;
}

static bool sound(const struct mqtt_spec *s, const struct mqtt_captures *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (!mqtt_topic_level_valid(c->level[i]))
            return false;
    return s->captures >> (c->count + 1) == 0;
}

// The template of that name, where it still calls the device so; else NULL.
static struct mqtt_spec *template_of(struct mqtt_model *m, struct str key, struct str profile,
                                     const struct mqtt_captures *c)
{
    struct mqtt_spec *s = profile_named(m, profile);

    return s && sound(s, c) && str_eq(mqtt_profile_key(s, c, &m->scratch), key) ? s : NULL;
}

// The device that a state is of, made anew.
static struct mqtt_device *device_of(struct mqtt_model *m, struct str key, const json_t *state)
{
    struct mqtt_captures c;

    mqtt_state_captures(state, &c);
    struct mqtt_spec *s = template_of(m, key, mqtt_state_profile(state), &c);
    return s ? mqtt_life_make(m, s, &c) : NULL;
}

// What was read need not be written.
static void settle(struct mqtt_model *m, struct mqtt_device *d)
{
    mqtt_tell_clean(m, d);
    d->settled = true;
}

static void apply_state(struct mqtt_model *m, struct mqtt_row *row)
{
    struct str key = str_c(row->key);
    json_t *state = mqtt_state_parse((struct str){row->blob, row->n});
    struct mqtt_device *d = mqtt_registry_find(&m->registry, key);

    if (!d && state)
        d = device_of(m, key, state);
    if (d && state)
        mqtt_state_read(d, state, &m->t);
    if (!state)
        keep_unread(m, row);
    else if (d)
        settle(m, d);
    else if (!is_unread(m, key))
        drop_rows(m, key);
    json_decref(state);
}

void mqtt_life_apply(struct mqtt_model *m)
{
    struct str key;

    for (size_t i = 0; i < m->row_count; i++) // descriptions first: states are of what they describe
        if (is_config(&m->rows[i], &key))
            apply_config(m, key, &m->rows[i]);
    for (size_t i = 0; i < m->row_count; i++) {
        if (!is_config(&m->rows[i], &key))
            apply_state(m, &m->rows[i]);
        arena_reset(&m->scratch);
    }
    mqtt_life_rows_finish(m);
}

/* Configuration */

static uint64_t fingerprint(const struct conf_value *v, uint64_t h)
{
    const struct conf_value *member;
    uint64_t parts[3] = {h, map_hash(conf_name(v)), map_hash(conf_str(v))};

    h = map_hash((struct str){(const char *)parts, sizeof(parts)});
    for (size_t at = 0; (member = conf_each(v, &at));)
        h = fingerprint(member, h);
    return h;
}

static void setup_finish(struct mqtt_setup *s)
{
    for (size_t i = 0; i < s->profile_count; i++)
        mqtt_spec_destroy(s->profiles[i]);
    mem_free(s->profiles);
    mqtt_discovery_destroy(s->discovery);
    *s = (struct mqtt_setup){0};
}

static uint64_t section_print(const struct conf_value *section)
{
    return fingerprint(conf_get(section, "discovery"), fingerprint(conf_get(section, "devices"), 0));
}

// Whether a topic of the one may be what makes a device of the other.
static bool meets(const struct mqtt_spec *listener, const struct mqtt_spec *maker)
{
    for (uint16_t i = 0; i < listener->topic_count; i++)
        for (uint16_t k = 0; k < maker->topic_count; k++)
            if (!maker->topics[k].partial &&
                mqtt_pattern_meets(&listener->topics[i].pattern, &maker->topics[k].pattern))
                return true;
    return false;
}

static bool find_overlap(const struct mqtt_setup *s)
{
    for (size_t i = 0; i < s->profile_count; i++)
        for (size_t k = 0; k < s->profile_count; k++)
            if (i != k && meets(s->profiles[i], s->profiles[k]))
                return true;
    return false;
}

static enum err setup_read(struct mqtt_setup *s, const struct conf_value *section, struct conf_report *report)
{
    const struct conf_value *devices = conf_get(section, "devices"), *v;
    bool good = true;

    *s = (struct mqtt_setup){.fingerprint = section_print(section)};
    s->profiles = mem_zalloc(conf_count(devices) + 1, sizeof(struct mqtt_spec *));
    for (size_t at = 0; (v = conf_each(devices, &at));) {
        struct mqtt_spec *spec = mqtt_profile_compile(v, report);
        good = good && spec;
        if (spec)
            s->profiles[s->profile_count++] = spec;
    }
    s->overlap = find_overlap(s);
    s->discovery = mqtt_discovery_create(conf_get(section, "discovery"), report);
    if (good && s->discovery)
        return ERR_OK;
    setup_finish(s);
    return ERR_CONF;
}

enum err mqtt_life_setup(struct mqtt_model *m, const struct conf_value *section, struct conf_report *report)
{
    return setup_read(&m->setup, section, report);
}

void mqtt_life_setup_finish(struct mqtt_model *m)
{
    setup_finish(&m->setup);
}

static void subscribe(struct mqtt_model *m, struct str filter, bool on)
{
    if (on)
        m->host.subscribe(m->ud, filter, 1);
    else
        m->host.unsubscribe(m->ud, filter);
}

static void subscribe_profile(struct mqtt_model *m, const struct mqtt_spec *s, bool on)
{
    for (uint16_t i = 0; i < s->topic_count; i++)
        subscribe(m, mqtt_pattern_filter(&m->scratch, &s->topics[i].pattern), on);
    for (uint16_t i = 0; i < s->control_count; i++)
        if (s->controls[i].response.text.n)
            subscribe(m, mqtt_pattern_filter(&m->scratch, &s->controls[i].response), on);
}

void mqtt_life_subscribe(struct mqtt_model *m, bool on)
{
    for (size_t i = 0; i < m->setup.profile_count; i++)
        subscribe_profile(m, m->setup.profiles[i], on);
    mqtt_found_subscribe(m, m->setup.discovery, on);
}

/* A changed configuration */

// What the device is of from now on; NULL when that is nothing any more.
static struct mqtt_spec *heir(struct mqtt_model *m, const struct mqtt_device *d)
{
    struct mqtt_captures c;
    struct mqtt_spec *s;

    if (d->entities)
        return mqtt_found_spec(m, d);
    mqtt_device_captures(d, &c);
    s = template_of(m, mqtt_device_key(d), d->spec->profile, &c);
    return s && s->device_count < s->max_devices ? s : NULL;
}

// It keeps what is known of it, and what was told.
static void respec(struct mqtt_model *m, struct mqtt_device *d, struct mqtt_spec *s)
{
    struct mqtt_spec *old = d->spec;

    old->device_count--;
    s->device_count++;
    if (s->discovered)
        mqtt_found_respec(m, d, s);
    else
        (void)mqtt_registry_respec(&m->registry, d, s);
    mqtt_ingest_memos(m, d);
    d->introduced = false;
    d->changed = true;
    mqtt_tell_dirty(m, d);
}

static void respec_all(struct mqtt_model *m)
{
    struct mqtt_device *d;

    for (uint32_t at = 0; (d = mqtt_registry_next(&m->registry, &at));) {
        struct mqtt_spec *s = heir(m, d);
        mqtt_send_abandon(m, d, "the configuration has changed meanwhile; it is not known whether this was done");
        if (s)
            respec(m, d, s);
        else
            mqtt_life_forget(m, d);
        arena_reset(&m->scratch);
    }
}

enum err mqtt_life_replace(struct mqtt_model *m, const struct conf_value *section, struct conf_report *report)
{
    struct mqtt_setup new, old = m->setup;

    if (section_print(section) == old.fingerprint)
        return ERR_OK;
    if (setup_read(&new, section, report) != ERR_OK)
        return ERR_CONF;
    mqtt_discovery_inherit(new.discovery, old.discovery);
    m->setup = new;
    mqtt_life_subscribe(m, true); // before the old is given up: what both have is not interrupted
    respec_all(m);
    m->setup = old;
    mqtt_life_subscribe(m, false);
    setup_finish(&m->setup);
    m->setup = new;
    if (!m->link.up) {
        mqtt_tell_all(m);
        return ERR_OK;
    }
    mqtt_tell_settle(m); // the broker replays what was subscribed to anew
    mqtt_found_up(m);
    return ERR_OK;
}
