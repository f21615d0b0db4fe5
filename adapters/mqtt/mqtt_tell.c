/* From what is known of devices to what is told of them: identities, presence, alerts, rows.
 *
 * Happy path: a change -> the verdict is judged anew -> told at once when it is another; told when the interval is over
 * when the headlines alone have moved; the row is written a little later, many changes in one.
 * While the broker replays what it has retained (the settle window) nothing is told; then every device once. What
 * concerns all devices (that window's end, our link's loss) is done in slices, one a tick, so that the loop stays free.
 */
#include "adapters/mqtt/mqtt_model_private.h"

#include "adapters/mqtt/mqtt_raised.h"
#include "adapters/mqtt/mqtt_rule.h"
#include "adapters/mqtt/mqtt_state.h"

#include "base/utf8.h"
#include "text/hash.h"

static struct event event_for(struct mqtt_model *m, const struct mqtt_device *d, enum event_kind kind)
{
    return (struct event){.kind = kind, .now = m->t.now, .wall = m->t.wall, .key = mqtt_device_key(d)};
}

// Capitals and blanks of a name are no loss to its address: the key tells devices apart.
static struct str address_like(struct arena *a, struct str name)
{
    char *text = arena_cstr(a, name);
    for (size_t i = 0; i < name.n; i++) {
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] - 'A' + 'a');
        else if (text[i] == ' ' || text[i] == '_')
            text[i] = '-';
    }
    return (struct str){text, name.n};
}

// What a localpart is minted from: the name of a discovered device, the id of another.
static struct str wish(struct mqtt_model *m, const struct mqtt_device *d)
{
    struct str profile, id;

    if (d->spec->discovered)
        return address_like(&m->scratch, mqtt_device_name(d, &m->scratch));
    return str_cut(mqtt_device_key(d), '/', &profile, &id) ? id : mqtt_device_key(d);
}

void mqtt_tell_identity(struct mqtt_model *m, struct mqtt_device *d)
{
    struct event ev = event_for(m, d, EV_IDENTITY);

    ev.identity = IDENTITY_CONTACT;
    ev.flags = d->spec->discovered && m->setup.discovery->quarantine ? EVENT_QUARANTINE : 0;
    ev.name = mqtt_device_name(d, &m->scratch);
    ev.wish = wish(m, d);
    ev.cls = d->spec->cls.n ? mqtt_spec_slug(&m->scratch, d->spec->cls) : STR_NONE;
    ev.group = mqtt_device_fill(d, &m->scratch, d->spec->area);
    d->introduced = true;
    m->host.post(m->ud, &ev);
}

// Its row follows soon, so that a crash does not tell it again, but once for many.
static void store_soon(struct mqtt_model *m, struct mqtt_device *d)
{
    mqtt_tell_dirty(m, d);
    if (d->alerted || m->alerted_count == MQTT_ALERTED)
        return;
    d->alerted = true;
    m->alerted[m->alerted_count++] = d->handle;
    if (m->alerts_at == INT64_MAX)
        m->alerts_at = m->t.now + MQTT_ALERT_FLUSH;
}

// What something is said because of. The broker sends a message of QoS 1 again until it is acknowledged, maybe after
// more has come: what is said of it then has the id that it had, so that nobody is told twice.
static struct str occasion(struct mqtt_model *m, unsigned count)
{
    const struct mqtt_message *msg = m->message;

    if (!msg || msg->qos == 0)
        return arena_printf(&m->scratch, "%u %lld", count, (long long)m->t.wall);
    uint8_t digest[32];
    const struct str parts[] = {arena_printf(&m->scratch, "%u ", msg->packet), msg->topic, {"", 1}, msg->payload};
    hash_sha256(arena_concat(&m->scratch, parts, sizeof parts / sizeof *parts), digest);
    return hash_base32(&m->scratch, digest, sizeof digest);
}

static unsigned said_again(const struct mqtt_model *m)
{
    return m->message && m->message->again ? EVENT_AGAIN : 0;
}

// Its row stands behind it: what is repeated because of a crash between the two is told again, under the same id,
// instead of being no news any more.
void mqtt_tell_alert(struct mqtt_model *m, struct mqtt_device *d, uint16_t alert)
{
    struct event ev = event_for(m, d, EV_MESSAGE);

    ev.type = MESSAGE_CHAT;
    ev.body = mqtt_rule_text(d, alert, &m->scratch);
    ev.flags = said_again(m);
    ev.id = mqtt_rule_id(d, alert, occasion(m, mqtt_device_alarms(d)[alert].count), &m->scratch);
    if (!d->introduced)
        mqtt_tell_identity(m, d);
    m->host.post(m->ud, &ev);
    store_soon(m, d);
}

// Words of the device itself. `what` makes their id, which is the same when the broker repeats a message.
static void tell_words(struct mqtt_model *m, struct mqtt_device *d, struct str text, struct str what)
{
    enum { ID_BYTES = 15 };
    struct event ev = event_for(m, d, EV_MESSAGE);
    uint8_t digest[32];

    hash_sha256(arena_printf(&m->scratch, STR_FMT "%c" STR_FMT "%c" STR_FMT "%c" STR_FMT, STR_ARG(mqtt_device_key(d)),
                             0, STR_ARG(what), 0, STR_ARG(text), 0, STR_ARG(occasion(m, 0))),
                digest);
    ev.type = MESSAGE_CHAT;
    ev.flags = said_again(m);
    ev.body = text;
    ev.id = hash_base32(&m->scratch, digest, ID_BYTES);
    if (!d->introduced)
        mqtt_tell_identity(m, d);
    m->host.post(m->ud, &ev);
}

void mqtt_tell_raised(struct mqtt_model *m, struct mqtt_device *d, struct str id, struct str text, bool live)
{
    struct str before;

    text = arena_dup(&m->scratch, utf8_cut(utf8_display(&m->scratch, text, MQTT_RAISED_TEXT), MQTT_RAISED_TEXT));
    if (!mqtt_raised_set(d, id, text, &m->scratch, &before))
        return;
    d->changed = true;
    mqtt_tell_soon(d);
    store_soon(m, d);
    bool told = live && mqtt_raised_may_tell(d, m->t.now);
    if (told && text.n)
        tell_words(m, d, text, id);
    else if (told)
        tell_words(m, d, arena_printf(&m->scratch, "over: " STR_FMT, STR_ARG(before)), id);
    mqtt_tell_presence(m, d);
}

void mqtt_tell_said(struct mqtt_model *m, struct mqtt_device *d, struct str text)
{
    text = utf8_display(&m->scratch, text, MQTT_TEXT_MAX);
    if (text.n == 0 || !mqtt_raised_may_speak(d, m->t.now, MQTT_SPEAK_EVERY))
        return;
    tell_words(m, d, text, STR("said"));
}

void mqtt_tell_notice(struct mqtt_model *m, struct str text)
{
    m->host.post(m->ud, &(struct event){.kind = EV_NOTICE, .now = m->t.now, .wall = m->t.wall, .body = text});
}

/* Rows */

void mqtt_tell_row(struct mqtt_model *m, struct str key, struct str blob)
{
    struct event ev = {.kind = EV_STATE, .now = m->t.now, .wall = m->t.wall, .key = key, .blob = blob};

    m->host.post(m->ud, &ev);
}

void mqtt_tell_state(struct mqtt_model *m, struct mqtt_device *d)
{
    mqtt_tell_clean(m, d);
    d->settled = true;
    mqtt_tell_row(m, mqtt_device_key(d), mqtt_state_write(d, &m->t, &m->scratch));
}

void mqtt_tell_dirty(struct mqtt_model *m, struct mqtt_device *d)
{
    if (d->dirty != MQTT_NONE)
        return;
    if (m->dirty_count == m->dirty_cap) {
        m->dirty_cap = m->dirty_cap ? 2 * m->dirty_cap : 64;
        m->dirty = mem_realloc(m->dirty, m->dirty_cap, sizeof(*m->dirty));
    }
    d->dirty = m->dirty_count;
    m->dirty[m->dirty_count++] = d->handle;
    if (m->flush_at == INT64_MAX)
        m->flush_at = m->t.now + MQTT_FLUSH_EVERY;
}

void mqtt_tell_clean(struct mqtt_model *m, struct mqtt_device *d)
{
    uint32_t at = d->dirty, last;

    d->dirty = MQTT_NONE;
    d->alerted = false;
    if (at == MQTT_NONE)
        return;
    last = m->dirty[--m->dirty_count];
    if (at < m->dirty_count) {
        m->dirty[at] = last;
        mqtt_registry_get(&m->registry, last)->dirty = at;
    }
    if (m->dirty_count == 0)
        m->flush_at = INT64_MAX;
}

static void flush_alerted(struct mqtt_model *m)
{
    for (uint32_t i = 0; i < m->alerted_count; i++) {
        struct mqtt_device *d = mqtt_registry_get(&m->registry, m->alerted[i]);
        if (d && d->alerted) // else it was stored meanwhile
            mqtt_tell_state(m, d);
    }
    m->alerted_count = 0;
    m->alerts_at = INT64_MAX;
}

void mqtt_tell_rows(struct mqtt_model *m)
{
    while (m->dirty_count) {
        mqtt_tell_state(m, mqtt_registry_get(&m->registry, m->dirty[m->dirty_count - 1]));
        arena_reset(&m->scratch);
    }
}

static void flush_slice(struct mqtt_model *m)
{
    for (unsigned i = 0; i < MQTT_SLICE && m->dirty_count; i++)
        mqtt_tell_state(m, mqtt_registry_get(&m->registry, m->dirty[m->dirty_count - 1]));
}

/* Presence */

static uint32_t hash_of(struct str text)
{
    return (uint32_t)map_hash(text);
}

static void post_presence(struct mqtt_model *m, struct mqtt_device *d, struct str text)
{
    bool offline = mqtt_verdict_offline(d->said);
    struct event ev = event_for(m, d, offline ? EV_UNAVAILABLE : EV_AVAILABLE);

    ev.show = mqtt_verdict_show(d->said);
    ev.body = text;
    m->host.post(m->ud, &ev);
}

static void tell_verdict(struct mqtt_model *m, struct mqtt_device *d, enum mqtt_verdict v)
{
    struct str text = mqtt_status_text(d, v, &m->t, &m->scratch);
    bool news = v != d->said;

    if (mqtt_verdict_offline(v) && !mqtt_verdict_offline(d->said) && d->said != MQTT_VERDICT_NONE)
        d->last_loss = m->t.now;
    d->said = (uint8_t)v;
    d->changed = false;
    mqtt_status_told(d);
    if (!news && hash_of(text) == d->said_hash)
        return; // what moved is rounded away
    d->said_hash = hash_of(text);
    d->said_at = m->t.now;
    post_presence(m, d, text);
}

void mqtt_tell_soon(struct mqtt_device *d)
{
    d->said_at = INT64_MIN;
}

// The headlines have moved; *again is when that may be told.
static bool may_refresh(const struct mqtt_model *m, const struct mqtt_device *d, enum mqtt_verdict v, int64_t *again)
{
    int64_t at = d->said_at + d->spec->status_interval;

    bool shown = v == MQTT_VERDICT_ONLINE || v == MQTT_VERDICT_ALERT || v == MQTT_VERDICT_SLEEPING;

    if (!shown || !d->changed)
        return false;
    if (m->t.now >= at)
        return true;
    if (at < *again)
        *again = at;
    return false;
}

// Kept, since the clock begins anew when we have been away.
static void note_silence(struct mqtt_model *m, struct mqtt_device *d, enum mqtt_verdict v)
{
    if (!mqtt_verdict_silence(v) || v == (enum mqtt_verdict)d->silence)
        return;
    d->silence = (uint8_t)v;
    mqtt_tell_dirty(m, d);
}

void mqtt_tell_presence(struct mqtt_model *m, struct mqtt_device *d)
{
    int64_t again;

    if (!m->started || m->settling)
        return; // the sweep comes by
    enum mqtt_verdict v = mqtt_availability_judge(d, &m->link, m->t.now, &again);
    note_silence(m, d, v);
    if (!d->introduced)
        mqtt_tell_identity(m, d);
    if (v != d->said || may_refresh(m, d, v, &again))
        tell_verdict(m, d, v);
    mqtt_registry_wake(&m->registry, d, again);
}

/* All of them */

void mqtt_tell_all(struct mqtt_model *m)
{
    m->sweep = 0;
}

void mqtt_tell_settle(struct mqtt_model *m)
{
    m->settling = true;
    m->settle_quiet = m->t.now + MQTT_SETTLE_QUIET;
    m->settle_end = m->t.now + MQTT_SETTLE_MAX;
    m->sweep = MQTT_NONE;
}

static void settle_over(struct mqtt_model *m)
{
    struct mqtt_device *d;

    if (!m->settling || (m->t.now < m->settle_quiet && m->t.now < m->settle_end))
        return;
    m->settling = false;
    for (uint32_t at = 0; (d = mqtt_registry_next(&m->registry, &at));)
        if (mqtt_raised_settle(d))
            mqtt_tell_dirty(m, d);
    mqtt_tell_all(m);
}

static void sweep_slice(struct mqtt_model *m)
{
    for (unsigned i = 0; i < MQTT_SLICE && m->sweep != MQTT_NONE; i++) {
        struct mqtt_device *d = mqtt_registry_next(&m->registry, &m->sweep);
        if (d)
            mqtt_tell_presence(m, d);
        else
            m->sweep = MQTT_NONE;
    }
}

void mqtt_tell_restored(struct mqtt_model *m)
{
    mqtt_tell_all(m);
    while (m->sweep != MQTT_NONE) {
        sweep_slice(m);
        arena_reset(&m->scratch);
    }
}

static void wake_slice(struct mqtt_model *m)
{
    struct mqtt_device *d;

    for (unsigned i = 0; i < MQTT_SLICE && (d = mqtt_registry_due(&m->registry, m->t.now)); i++)
        mqtt_tell_presence(m, d);
}

void mqtt_tell_tick(struct mqtt_model *m)
{
    settle_over(m);
    if (m->started && !m->settling)
        sweep_slice(m);
    wake_slice(m);
    if (m->t.now >= m->alerts_at)
        flush_alerted(m);
    if (m->t.now >= m->flush_at)
        flush_slice(m);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t mqtt_tell_deadline(const struct mqtt_model *m)
{
    int64_t at = earlier(mqtt_registry_deadline(&m->registry), earlier(m->flush_at, m->alerts_at));

    if (m->settling)
        return earlier(at, earlier(m->settle_quiet, m->settle_end));
    return m->started && m->sweep != MQTT_NONE ? earlier(at, m->t.now) : at;
}
