#include "adapters/mqtt/mqtt_availability.h"

#include "adapters/mqtt/mqtt_raised.h"

static enum mqtt_presence presence_of(const struct mqtt_availability *a, struct str said)
{
    bool plain = str_empty(a->online) && str_empty(a->offline);

    if (plain ? str_case_eq(said, STR("online")) : str_eq(said, a->online))
        return MQTT_PRESENCE_ONLINE;
    if (plain ? str_case_eq(said, STR("offline")) : str_eq(said, a->offline))
        return MQTT_PRESENCE_OFFLINE;
    return MQTT_PRESENCE_UNKNOWN;
}

// The states of a device by the Homie conventions 4 and 5 ("alert" is one of 4 alone).
static enum mqtt_presence presence_by_homie(struct str said)
{
    static const struct {
        const char *word;
        enum mqtt_presence presence;
    } words[] = {
        {"alert", MQTT_PRESENCE_ALERT},  {"disconnected", MQTT_PRESENCE_LEFT}, {"init", MQTT_PRESENCE_STARTING},
        {"lost", MQTT_PRESENCE_OFFLINE}, {"ready", MQTT_PRESENCE_ONLINE},      {"sleeping", MQTT_PRESENCE_SLEEPING},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_eq_c(said, words[i].word))
            return words[i].presence;
    return MQTT_PRESENCE_UNKNOWN;
}

enum mqtt_presence mqtt_availability_read(const struct mqtt_availability *a, struct mqtt_payload *p)
{
    static const struct mqtt_value state = {.json = true, .path = {"state", 5}}; // as Zigbee2MQTT says it since 2.0
    struct mqtt_result r = mqtt_value_get(&a->value, p);

    if (a->words == MQTT_WORDS_HOMIE)
        return presence_by_homie(r.text);
    if (a->words == MQTT_WORDS_HOMIE_ROOT) // that it is there says nothing of the device
        return str_eq_c(r.text, "lost") ? MQTT_PRESENCE_OFFLINE : MQTT_PRESENCE_UNKNOWN;
    enum mqtt_presence presence = presence_of(a, r.text);
    if (presence == MQTT_PRESENCE_UNKNOWN && !a->value.json && str_starts(str_trim(p->text), STR("{")))
        presence = presence_of(a, mqtt_value_get(&state, p).text);
    return presence;
}

bool mqtt_presence_offline(enum mqtt_presence p)
{
    return p == MQTT_PRESENCE_OFFLINE || p == MQTT_PRESENCE_LEFT;
}

// The first of these that some topic says. One that has not spoken does not weigh against one that has.
static const enum mqtt_presence all_first[] = {MQTT_PRESENCE_OFFLINE,  MQTT_PRESENCE_LEFT,  MQTT_PRESENCE_STARTING,
                                               MQTT_PRESENCE_SLEEPING, MQTT_PRESENCE_ALERT, MQTT_PRESENCE_ONLINE,
                                               MQTT_PRESENCE_UNKNOWN};
static const enum mqtt_presence any_first[] = {MQTT_PRESENCE_ONLINE,   MQTT_PRESENCE_ALERT,   MQTT_PRESENCE_SLEEPING,
                                               MQTT_PRESENCE_STARTING, MQTT_PRESENCE_UNKNOWN, MQTT_PRESENCE_OFFLINE,
                                               MQTT_PRESENCE_LEFT};

static enum mqtt_presence first_of(const uint8_t *p, uint16_t count, const enum mqtt_presence *order)
{
    bool seen[MQTT_PRESENCE_COUNT] = {false};
    size_t at = 0;

    for (uint16_t i = 0; i < count; i++)
        seen[p[i]] = true;
    while (!seen[order[at]])
        at++;
    return order[at];
}

enum mqtt_presence mqtt_availability_sum(const struct mqtt_device *d)
{
    const uint8_t *p = mqtt_device_presences(d);
    uint16_t count = d->spec->availability_count;

    if (count == 0)
        return MQTT_PRESENCE_UNKNOWN;
    if (d->spec->mode == MQTT_AVAILABLE_LATEST)
        return d->latest < count ? p[d->latest] : MQTT_PRESENCE_UNKNOWN;
    return first_of(p, count, d->spec->mode == MQTT_AVAILABLE_ALL ? all_first : any_first);
}

bool mqtt_availability_hear(struct mqtt_device *d, uint16_t n, enum mqtt_presence presence, int64_t now)
{
    enum mqtt_presence before = mqtt_availability_sum(d);
    uint8_t *p = &mqtt_device_presences(d)[n];
    bool new = *p != presence || (d->spec->mode == MQTT_AVAILABLE_LATEST && d->latest != n);

    *p = (uint8_t)presence;
    d->latest = (uint8_t)n;
    if (mqtt_presence_offline(mqtt_availability_sum(d)) && !mqtt_presence_offline(before))
        d->lost = now;
    return new;
}

bool mqtt_verdict_silence(enum mqtt_verdict v)
{
    return v == MQTT_VERDICT_STALE || v == MQTT_VERDICT_SILENT;
}

bool mqtt_verdict_offline(enum mqtt_verdict v)
{
    return v == MQTT_VERDICT_SILENT || v == MQTT_VERDICT_LOST || v == MQTT_VERDICT_LEFT || v == MQTT_VERDICT_DISABLED;
}

enum show mqtt_verdict_show(enum mqtt_verdict v)
{
    static const enum show shows[] = {
        [MQTT_VERDICT_NONE] = SHOW_OFFLINE,   [MQTT_VERDICT_NEW] = SHOW_XA,
        [MQTT_VERDICT_ONLINE] = SHOW_ONLINE,  [MQTT_VERDICT_STALE] = SHOW_AWAY,
        [MQTT_VERDICT_SILENT] = SHOW_OFFLINE, [MQTT_VERDICT_LOST] = SHOW_OFFLINE,
        [MQTT_VERDICT_LINK] = SHOW_XA,        [MQTT_VERDICT_LEFT] = SHOW_OFFLINE,
        [MQTT_VERDICT_STARTING] = SHOW_XA,    [MQTT_VERDICT_SLEEPING] = SHOW_XA,
        [MQTT_VERDICT_ALERT] = SHOW_DND,      [MQTT_VERDICT_DISABLED] = SHOW_OFFLINE,
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

static enum mqtt_verdict judge_presence(const struct mqtt_device *d, enum mqtt_presence sum,
                                        const struct mqtt_link_state *link, int64_t now, int64_t *again)
{
    if (d->heard != INT64_MIN && d->spec->expire_unless_said && sum != MQTT_PRESENCE_UNKNOWN)
        return MQTT_VERDICT_ONLINE;
    if (d->heard != INT64_MIN)
        return judge_silence(d, link, now, again);
    // What has no topic to be heard on (a button of its own) cannot be waited for.
    return sum != MQTT_PRESENCE_UNKNOWN || d->spec->topic_count == 0 ? MQTT_VERDICT_ONLINE : MQTT_VERDICT_NEW;
}

// As if the link had never failed, and nothing were ever damped.
static enum mqtt_verdict judge_facts(const struct mqtt_device *d, const struct mqtt_link_state *link, int64_t now,
                                     int64_t *again)
{
    static const enum mqtt_verdict said[MQTT_PRESENCE_COUNT] = {
        [MQTT_PRESENCE_OFFLINE] = MQTT_VERDICT_LOST,
        [MQTT_PRESENCE_LEFT] = MQTT_VERDICT_LEFT,
        [MQTT_PRESENCE_STARTING] = MQTT_VERDICT_STARTING,
        [MQTT_PRESENCE_SLEEPING] = MQTT_VERDICT_SLEEPING,
    };
    enum mqtt_presence sum = mqtt_availability_sum(d);

    if (d->spec->disabled)
        return MQTT_VERDICT_DISABLED;
    if (said[sum] != MQTT_VERDICT_NONE)
        return said[sum];
    enum mqtt_verdict v = judge_presence(d, sum, link, now, again);
    return v == MQTT_VERDICT_ONLINE && (sum == MQTT_PRESENCE_ALERT || mqtt_raised_text(d).n) ? MQTT_VERDICT_ALERT : v;
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
