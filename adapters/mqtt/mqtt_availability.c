#include "adapters/mqtt/mqtt_availability.h"

static enum mqtt_presence presence_of(const struct mqtt_availability *a, struct str said)
{
    bool plain = str_empty(a->online) && str_empty(a->offline);

    if (plain ? str_case_eq(said, STR("online")) : str_eq(said, a->online))
        return MQTT_PRESENCE_ONLINE;
    if (plain ? str_case_eq(said, STR("offline")) : str_eq(said, a->offline))
        return MQTT_PRESENCE_OFFLINE;
    return MQTT_PRESENCE_UNKNOWN;
}

enum mqtt_presence mqtt_availability_read(const struct mqtt_availability *a, struct mqtt_payload *p)
{
    static const struct mqtt_value state = {.json = true, .path = {"state", 5}}; // as Zigbee2MQTT says it since 2.0
    struct mqtt_result r = mqtt_value_get(&a->value, p);
    enum mqtt_presence presence = presence_of(a, r.text);

    if (presence == MQTT_PRESENCE_UNKNOWN && !a->value.json && str_starts(str_trim(p->text), STR("{")))
        presence = presence_of(a, mqtt_value_get(&state, p).text);
    return presence;
}

static enum mqtt_presence sum_of_all(const uint8_t *p, uint16_t count, enum mqtt_presence decides)
{
    bool seen[MQTT_PRESENCE_OFFLINE + 1] = {false};

    for (uint16_t i = 0; i < count; i++)
        seen[p[i]] = true;
    if (seen[decides])
        return decides;
    if (decides == MQTT_PRESENCE_OFFLINE) // one that has not spoken does not weigh against one that has
        return seen[MQTT_PRESENCE_ONLINE] ? MQTT_PRESENCE_ONLINE : MQTT_PRESENCE_UNKNOWN;
    return seen[MQTT_PRESENCE_UNKNOWN] ? MQTT_PRESENCE_UNKNOWN : MQTT_PRESENCE_OFFLINE;
}

enum mqtt_presence mqtt_availability_sum(const struct mqtt_device *d)
{
    const uint8_t *p = mqtt_device_presences(d);
    uint16_t count = d->spec->availability_count;

    if (count == 0)
        return MQTT_PRESENCE_UNKNOWN;
    if (d->spec->mode == MQTT_AVAILABLE_LATEST)
        return d->latest < count ? p[d->latest] : MQTT_PRESENCE_UNKNOWN;
    return sum_of_all(p, count, d->spec->mode == MQTT_AVAILABLE_ALL ? MQTT_PRESENCE_OFFLINE : MQTT_PRESENCE_ONLINE);
}

bool mqtt_availability_hear(struct mqtt_device *d, uint16_t n, enum mqtt_presence presence, int64_t now)
{
    enum mqtt_presence before = mqtt_availability_sum(d);
    uint8_t *p = &mqtt_device_presences(d)[n];
    bool new = *p != presence || (d->spec->mode == MQTT_AVAILABLE_LATEST && d->latest != n);

    *p = (uint8_t)presence;
    d->latest = (uint8_t)n;
    if (mqtt_availability_sum(d) == MQTT_PRESENCE_OFFLINE && before != MQTT_PRESENCE_OFFLINE)
        d->lost = now;
    return new;
}

bool mqtt_verdict_silence(enum mqtt_verdict v)
{
    return v == MQTT_VERDICT_STALE || v == MQTT_VERDICT_SILENT;
}

bool mqtt_verdict_offline(enum mqtt_verdict v)
{
    return v == MQTT_VERDICT_SILENT || v == MQTT_VERDICT_LOST;
}

enum show mqtt_verdict_show(enum mqtt_verdict v)
{
    static const enum show shows[] = {
        [MQTT_VERDICT_NONE] = SHOW_OFFLINE, [MQTT_VERDICT_NEW] = SHOW_XA,         [MQTT_VERDICT_ONLINE] = SHOW_ONLINE,
        [MQTT_VERDICT_STALE] = SHOW_AWAY,   [MQTT_VERDICT_SILENT] = SHOW_OFFLINE, [MQTT_VERDICT_LOST] = SHOW_OFFLINE,
        [MQTT_VERDICT_LINK] = SHOW_XA,
    };

    return shows[v];
}

static void sooner(int64_t *again, int64_t at)
{
    if (at < *again)
        *again = at;
}

// By the clock alone, which begins anew with the link: while it was down nothing could be heard.
static enum mqtt_verdict count_silence(int64_t since, int64_t expire, int64_t now, int64_t *again)
{
    if (now - since >= 2 * expire)
        return MQTT_VERDICT_SILENT;
    bool stale = now - since >= expire;
    sooner(again, since + (stale ? 2 * expire : expire));
    return stale ? MQTT_VERDICT_STALE : MQTT_VERDICT_ONLINE;
}

// What was silent before our link was lost stays so until it is heard.
static enum mqtt_verdict judge_silence(const struct mqtt_device *d, const struct mqtt_link_state *link, int64_t now,
                                       int64_t *again)
{
    enum mqtt_verdict v = MQTT_VERDICT_ONLINE;

    if (d->spec->expire_after == 0)
        return v;
    if (link->up)
        v = count_silence(link->since > d->heard ? link->since : d->heard, d->spec->expire_after, now, again);
    return v > (enum mqtt_verdict)d->silence ? v : (enum mqtt_verdict)d->silence;
}

// As if the link had never failed, and nothing were ever damped.
static enum mqtt_verdict judge_facts(const struct mqtt_device *d, const struct mqtt_link_state *link, int64_t now,
                                     int64_t *again)
{
    enum mqtt_presence sum = mqtt_availability_sum(d);

    if (sum == MQTT_PRESENCE_OFFLINE)
        return MQTT_VERDICT_LOST;
    if (d->heard != INT64_MIN)
        return judge_silence(d, link, now, again);
    // What has no topic to be heard on (a button of its own) cannot be waited for.
    return sum == MQTT_PRESENCE_ONLINE || d->spec->topic_count == 0 ? MQTT_VERDICT_ONLINE : MQTT_VERDICT_NEW;
}

// The verdict that stands while another is held back; a device of which nothing was told has none.
static enum mqtt_verdict hold(const struct mqtt_device *d, enum mqtt_verdict otherwise)
{
    return d->said == MQTT_VERDICT_NONE ? otherwise : (enum mqtt_verdict)d->said;
}

static bool is_flap(const struct mqtt_device *d, int64_t now)
{
    return !mqtt_verdict_offline(d->said) && d->last_loss != INT64_MIN && now - d->last_loss < MQTT_FLAP_WINDOW;
}

enum mqtt_verdict mqtt_availability_judge(const struct mqtt_device *d, const struct mqtt_link_state *link, int64_t now,
                                          int64_t *again)
{
    *again = INT64_MAX;
    enum mqtt_verdict v = judge_facts(d, link, now, again);

    if (mqtt_verdict_offline(v)) {
        int64_t until = d->lost + d->spec->offline_delay;
        if (v != MQTT_VERDICT_LOST || !is_flap(d, now) || now >= until)
            return v;
        sooner(again, until);
        return hold(d, v);
    }
    if (link->up)
        return v;
    if (now - link->since >= MQTT_LINK_GRACE)
        return MQTT_VERDICT_LINK;
    sooner(again, link->since + MQTT_LINK_GRACE);
    return hold(d, v);
}
